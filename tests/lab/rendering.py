"""What the two Asterisks' configuration needs to know of the lab and of the checkout."""

from pathlib import Path

from tests.lab import parties
from tests.lab.appbots import AppBots
from tests.lab.instance import HOST, Instance
from tests.lab.world import World

CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = CHECKOUT / "dialplan" / "asterisk"
SOUNDS = SHIPPED / "sounds" / "callcontrol"

# What the dialplan gives callcontrol-transfer where the bot's application has ended (see dialplan/README.md).
TRANSFER_ARGUMENTS = "sami,lena,Lena wants to sell her flat this summer."


def render_pbx(pbx: Instance, world_port: int, app_bots: AppBots, phone_secret: str) -> None:
    """Write the configuration of an Asterisk as the PBX."""
    pbx.render(
        {
            **dids(),
            "TRANSMIT_SILENCE": "yes",
            "WORLD_SIP_PORT": str(world_port),
            "AUDIOSOCKET_PORT": str(app_bots.audiosocket_port),
            "AGI_PORT": str(app_bots.agi_port),
            "PHONE_SECRET": phone_secret,
            "TRANSFER_ARGUMENTS": TRANSFER_ARGUMENTS,
            "LOAD_PHONES": _load_phones(world_port),
            "BENCH_QUEUES": _bench_queues(),
        }
    )
    _follow_the_installation_page(pbx)


def render_world(world: World, trunk_port: int, phone_secret: str) -> None:
    """Write the outside world's configuration."""
    world.instance.render(
        {
            "TRANSMIT_SILENCE": "no",  # the load test's parties stay cheap
            "PBX_SIP_PORT": str(trunk_port),
            "TONES": _tones(),
            "PHONES": _phone_lines(world, phone_secret),
        }
    )


def dids() -> dict[str, str]:
    return {name: value for name, value in vars(parties).items() if name.startswith("DID_")}


def _follow_the_installation_page(pbx: Instance) -> None:
    """Copy what dialplan/README.md says to copy."""
    for name in ("callcontrol.conf", "manager.callcontrol.conf"):
        lines = (SHIPPED / name).read_text().splitlines(keepends=True)
        kept = [line for line in lines if _has_filters(pbx.version) or not line.startswith("eventfilter")]
        (pbx.dir / "etc" / name).write_text("".join(kept))
    (pbx.dir / "data" / "sounds" / "callcontrol").symlink_to(SOUNDS)


def _has_filters(version: tuple[int, ...]) -> bool:
    """Filters by event name came with 20.11, 21.6 and 22.1; before them there is only a slow regex."""
    return version >= {20: (20, 11), 21: (21, 6)}.get(version[0], (22, 1))


def _load_phones(world_port: int) -> str:
    lines = []
    for name in parties.BULK_PHONES:
        lines += [f"[{name}](load-phone)", f"aors = {name}"]
        lines += [f"[{name}](load-aor)", f"contact = sip:{name}@{HOST}:{world_port}"]
    return "\n".join(lines)


def _bench_queues() -> str:
    lines = []
    for n, name in enumerate(parties.BULK_PHONES, start=1):
        lines += [f"[s{n:03d}](bench)", f"member => PJSIP/{name}"]
    for n in range(len(parties.BULK_PHONES) // 3):
        lines += [f"[q{n + 1:03d}](bench)"]
        lines += [f"member => PJSIP/{name}" for name in parties.BULK_PHONES[3 * n : 3 * n + 3]]
    return "\n".join(lines)


def _tones() -> str:
    lines = [f"TONE_{party.exten} = {party.tone_hz}" for party in parties.PARTIES]
    return "\n".join([*lines, f"TONE_voicemail = {parties.VOICEMAIL_HZ}", "BULK_ANSWERS_AFTER_S = 0"])


def _phone_lines(world: World, secret: str) -> str:
    lines = []
    for name, router in world.routers.items():
        lines += [
            f"[{name}](phone-line)",
            f"server_uri = sip:{HOST}:{router.port}",
            f"client_uri = sip:{name}@{HOST}:{router.port}",
            f"contact_user = {name}",
            f"outbound_auth = {name}",
            f"[{name}]",
            "type = auth",
            "auth_type = userpass",
            f"username = {name}",
            f"password = {secret}",
            f"[{name}-line](phone-calls)",
            f"from_user = {name}",
            f"outbound_auth = {name}",
            f"aors = {name}-line",
            f"[{name}-line]",
            "type = aor",
            f"contact = sip:{HOST}:{router.port}",
        ]
    return "\n".join(lines)
