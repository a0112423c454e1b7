"""What a FreeSWITCH's configuration needs to know of the lab and of the checkout."""

import shutil

from tests.lab import parties
from tests.lab.appbots import AppBots
from tests.lab.freeswitch.server import FreeSwitchServer
from tests.lab.rendering import CHECKOUT, SOUNDS, dids
from tests.lab.server import HOST

SHIPPED = CHECKOUT / "dialplan" / "freeswitch"
LAMPS = "blf"  # a console of lamps, which dials nothing
NUMBERS = {"alice": "101", "bob": "102", "carol": "103", "dave": "104", "eve": "105"}


def render_pbx(pbx: FreeSwitchServer, world_port: int, app_bots: AppBots, phone_secret: str) -> None:
    """Write the configuration of a FreeSWITCH as the PBX."""
    phones = parties.BULK_PHONES
    trios = [phones[n : n + 3] for n in range(0, len(phones) - 2, 3)]
    queues = {f"s{n:03d}": (name,) for n, name in enumerate(phones, 1)}
    queues |= {f"q{n:03d}": trio for n, trio in enumerate(trios, 1)}
    pbx.render(
        {
            **dids(),
            "WORLD_SIP_PORT": str(world_port),
            "SOCKET_PORT": str(app_bots.socket_port),
            "PHONES": "\n".join(_desk_phone(name, phone_secret) for name in (*NUMBERS, LAMPS)),
            "LOAD_PHONES": "\n".join(_load_phone(name, world_port) for name in phones),
            "BENCH_TRIOS": "\n".join(_trio(n, trio) for n, trio in enumerate(trios, 1)),
            "BENCH_QUEUES": "\n".join(_queue(name) for name in queues),
            "BENCH_AGENTS": "\n".join(_agent(name) for name in phones),
            "BENCH_TIERS": "\n".join(_tier(queue, name) for queue, names in queues.items() for name in names),
        }
    )
    _follow_the_installation_page(pbx)


def _follow_the_installation_page(pbx: FreeSwitchServer) -> None:
    """Copy what dialplan/README.md says to copy."""
    for name, folder in (
        ("callcontrol.xml", "dialplan"),
        ("callcontrol-user.xml", "directory"),
        ("event_socket.conf.xml", "autoload_configs"),
    ):
        shutil.copy(SHIPPED / name, pbx.conf / folder)
    socket_conf = pbx.conf / "autoload_configs" / "event_socket.conf.xml"
    socket_conf.write_text(socket_conf.read_text().replace('"8021"', f'"{pbx.link.port}"'))
    (pbx.sounds / "callcontrol").symlink_to(SOUNDS)


def _desk_phone(name: str, secret: str) -> str:
    """Each is behind a router, so that its contact is where the router is."""
    number = NUMBERS.get(name, "")
    return f"""\
<user id="{name}" number-alias="{number}">
  <params><param name="password" value="{secret}"/></params>
  <variables>
    <variable name="user_context" value="agents"/>
    <variable name="sip-force-contact" value="NDLB-connectile-dysfunction"/>
    <variable name="effective_caller_id_name" value="{name.title()}"/>
    <variable name="effective_caller_id_number" value="{number}"/>
  </variables>
</user>"""


def _load_phone(name: str, world_port: int) -> str:
    contact = f"sofia/internal/sip:{name}@{HOST}:{world_port}"
    return f'<user id="{name}"><params><param name="dial-string" value="{contact}"/></params></user>'


def _trio(n: int, names: tuple[str, ...]) -> str:
    dialled = ",".join(f"user/{name}@$${{domain}}" for name in names)
    return f'<X-PRE-PROCESS cmd="set" data="trio_{n:03d}={dialled}"/>'


def _queue(name: str) -> str:
    return f"""\
<queue name="{name}@bench">
  <param name="strategy" value="ring-all"/>
  <param name="moh-sound" value="$${{hold_music}}"/>
  <param name="tier-rules-apply" value="false"/>
</queue>"""


def _agent(name: str) -> str:
    return (
        f'<agent name="{name}" type="callback" contact="[leg_timeout=35]user/{name}@$${{domain}}" status="Available"'
        ' max-no-answer="0" wrap-up-time="0" reject-delay-time="0" busy-delay-time="0"/>'
    )


def _tier(queue: str, name: str) -> str:
    return f'<tier agent="{name}" queue="{queue}@bench" level="1" position="1"/>'
