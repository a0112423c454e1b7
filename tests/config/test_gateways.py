"""The section `sms`: what it may say, and what is said of what it may not."""

import sys
from pathlib import Path

import pytest

from callcontrol.adapters.simulated import SimulatedPbx
from callcontrol.adapters.sms.file import FileGateway
from callcontrol.adapters.sms.http import HttpGateway
from callcontrol.adapters.sms.smpp import SmppGateway
from callcontrol.adapters.sms.smtp import SmtpGateway
from callcontrol.app import gateways, storage
from callcontrol.app.clock import SystemClock
from callcontrol.config import Config, load_config
from callcontrol.outbox import Lane
from callcontrol.ports import Delivery, Message, NewMessage, Which
from tests.adapters.sms.provider import Says, provider
from tests.adapters.sms.smsc import smsc
from tests.adapters.store import people as p
from tests.config.test_settings import MINIMAL, folder, refusal, written

__all__ = ["folder"]  # a fixture

SMS = MINIMAL + "sms:\n"
LINES_BEFORE = SMS.count("\n")


async def lanes(config: Config) -> dict[str, Lane]:
    store = storage.store(config)
    made = gateways.lanes(config, SimulatedPbx(clock=SystemClock()), store)
    await store.close()
    return {lane.name: lane for lane in made}


def message(to: str = "+13035550100", recipient: str = "owner") -> Message:
    return Message(id=1, dedupe_key="t:missed:owner", to=to, body="Hi", recipient=recipient)


@pytest.mark.parametrize(
    "text", [MINIMAL, SMS + "  gateway: file\n", SMS + "  gateway: file\n  path: texts.jsonl\n"]
)
async def test_without_gateways_texts_go_to_a_file(folder, text):
    config = load_config(written(folder, text))
    made = await lanes(config)
    assert list(made) == ["file"]
    assert isinstance(made["file"].gateway, FileGateway)
    assert gateways.routes(config.sms).of(message()) == ("file",)


FULL = """\
  report_url: https://cc.example/
  gateways:
    - name: twilio
      type: twilio
      account: AC1
      secret_file: secrets/ami
      from: "+13035550199"
      per_s: 10
      burst: 20
      backlog_per_s: 2
      on_doubt: resend
      report_secret: 0123456789abcdef
    - {name: mail, type: smtp, host: mail.example, from: cc@example.com, to: "{to_digits}@sms.example"}
    - name: own
      type: http
      values: {token_file: secrets/ami, from: Sales}
      keyed: yes
      request:
        url: https://sms.example/{to}
        headers: {Authorization: "Bearer {token}", Idempotency-Key: "{key}"}
        json: '{"to": ["{to}"], "flash": false, "ttl": 60, "from": "{from}", "text": "{body}"}'
      taken: {status: 200-299, fields: {status: ok}}
      again: [{status: [429, 500-599]}]
      id: message.id
    - {name: desk, type: sip_message}
  routes:
    - {prefix: ["+49", "+43"], gateways: own}
    - {recipient: agent, gateways: [desk, twilio]}
"""


async def test_gateways_have_names_and_a_pace_and_texts_find_their_way(folder):
    config = load_config(
        written(folder, SMS + FULL.replace("taken: {", "taken: [{").replace("ok}}", "ok}}]"), 0o600)
    )
    made = await lanes(config)
    assert [(name, type(lane.gateway).__name__) for name, lane in made.items()] == [
        ("twilio", "HttpGateway"),
        ("mail", "SmtpGateway"),
        ("own", "HttpGateway"),
        ("desk", "SipMessageGateway"),
    ]
    twilio, own = made["twilio"], made["own"]
    assert (twilio.limits.per_s, twilio.limits.burst, twilio.resends) == (10.0, 20, True)
    assert (twilio.limits.backlog_per_s, own.limits.backlog_per_s) == (2.0, 10.0)
    assert (own.gateway.keyed, own.resends, made["mail"].resends) == (True, True, False)
    routes = gateways.routes(config.sms)
    assert routes.of(message("+4930123456")) == ("own",)
    assert routes.of(message(recipient="agent")) == ("desk", "twilio")
    assert routes.of(message()) == ("twilio", "mail", "own", "desk")
    assert gateways.report_secrets(config.sms) == {"twilio": "0123456789abcdef"}
    assert config.sms.sends_sip_messages
    assert "amisecret" not in repr(config)


async def test_a_template_of_the_site_sends_json_of_every_kind(folder):
    async with provider() as server:
        server.will(Says(200, {"status": "ok", "message": {"id": 9}}))
        text = FULL.replace("taken: {", "taken: [{").replace("ok}}", "ok}}]")
        text = text.replace("https://sms.example/", server.url + "/")
        made = await lanes(load_config(written(folder, SMS + text, 0o600)))
        assert isinstance(made["own"].gateway, HttpGateway)
        assert await made["own"].gateway.send(message()) == "9"
        [asked] = server.asked
        assert asked.headers["authorization"] == "Bearer amisecret"
        assert asked.headers["idempotency-key"] == "t:missed:owner"
        assert asked.json == {
            "to": ["+13035550100"],
            "flash": False,
            "ttl": 60,
            "from": "Sales",
            "text": "Hi",
        }
        for lane in made.values():
            await lane.gateway.close()


async def test_mail_is_tls_on_the_port_for_it(folder):
    mail = "  gateways: [{name: m, type: smtp, host: h, from: a@b.example%s}]\n"
    for more, port in (("", 587), (", tls: implicit", 465), (", tls: none", 25), (", port: 2525", 2525)):
        made = await lanes(load_config(written(folder, SMS + mail % more)))
        assert isinstance(made["m"].gateway, SmtpGateway)
        assert made["m"].gateway._settings.port == port


def secret(folder: Path) -> None:
    file = folder / "secrets/pw"
    file.write_text("secret12")
    file.chmod(0o600)


async def test_smpp_is_2775_or_3550_with_tls(folder):
    smpp = "  gateways: [{name: s, type: smpp, host: h, username: u, password_file: secrets/pw, from: Sales%s}]\n"
    secret(folder)
    for more, port, in_parts in (
        ("", 2775, True),
        (", tls: yes", 3550, True),
        (", long: payload", 2775, False),
    ):
        made = await lanes(load_config(written(folder, SMS + smpp % more)))
        assert isinstance(made["s"].gateway, SmppGateway)
        settings = made["s"].gateway._settings
        assert (settings.port, settings.in_parts, settings.tls is not None) == (port, in_parts, port == 3550)
        assert settings.connect_s + settings.answer_s < 30


def test_smpp_without_its_library_says_what_to_install(folder, monkeypatch):
    secret(folder)
    monkeypatch.setitem(sys.modules, "smpplib", None)
    text = (
        "  gateways:\n    - name: s\n      type: smpp\n      host: h\n      username: u\n"
        "      password_file: secrets/pw\n      from: Sales\n"
    )
    said = refusal(folder, SMS + text)
    assert (
        f":{LINES_BEFORE + 3}: sms.gateways[0].type: needs the package smpplib; install callcontrol[smpp]"
        in said
    )


async def test_a_receipt_by_smpp_is_kept_in_the_store(folder):
    secret(folder)
    async with smsc() as server:
        text = (
            f"  gateways: [{{name: s, type: smpp, host: 127.0.0.1, port: {server.port}, username: u,"
            " password_file: secrets/pw, from: Sales}]\n"
        )
        config = load_config(written(folder, SMS + text))
        store = storage.store(config)
        await store.ensure_schema()
        await p.enqueue(store, [NewMessage(dedupe_key="k", to="+1", body="Hi", recipient="owner")])
        [mine] = await p.claim(store, 1, p.LATER, 30.0, via="s")
        made = gateways.lanes(config, SimulatedPbx(clock=SystemClock()), store)
        await made[0].gateway.send(mine)
        assert await server.answered(server.receipt("m1", "DELIVRD")) == 0
        [one] = await store.messages(Which(), 1)
        assert one.delivery is Delivery.DELIVERED
        await made[0].gateway.close()
        await store.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  gateway: carrier\n", ":1: sms.gateway: "),
        (
            "  gateway: file\n  gateways: [{name: a, type: file}]\n",
            ":1: sms.gateway: gateways are given too; name the file among them, with `type: file`",
        ),
        (
            (
                "  gateways:\n    - name: a\n      type: smpp\n      host: h\n      username: u\n"
                "      from: Café\n      password_file: secrets/ami\n"
            ),
            ":2: sms.gateways[0].password: is longer than 8 characters, which SMPP has no room for",
        ),
        (
            "  gateways:\n    - {name: a, type: twillio}\n",
            ":2: sms.gateways[0].type: 'twillio' is no kind of gateway; did you mean 'twilio'?",
        ),
        (
            "  gateways:\n    - {name: a, type: twilio, from: x}\n",
            ":2: sms.gateways[0].secret: is missing; add it",
        ),
        (
            "  gateways:\n    - {name: a, type: file}\n    - {name: a, type: file}\n",
            ":3: sms.gateways[1].name: 'a' is there already; give each its own name",
        ),
        (
            "  gateways:\n    - {name: mail, type: file}\n  routes:\n    - gateways: [mial]\n",
            ":4: sms.routes[0].gateways: there is no gateway 'mial'; did you mean 'mail'?",
        ),
        (
            (
                "  gateways:\n    - name: a\n      type: http\n      request:\n        url: https://x.example\n"
                '        form: {t: "{bdy}"}\n'
            ),
            ":6: sms.gateways[0].request.form: {bdy} stands for nothing; did you mean 'body'?",
        ),
        (
            "  gateways:\n    - name: a\n      type: http\n      keyed: yes\n      request: {url: 'https://x.example'}\n",
            ":4: sms.gateways[0].keyed: the provider knows a repeat by its {key}; put that into the request",
        ),
        (
            (
                "  gateways:\n    - name: a\n      type: http\n      request:\n        url: https://x.example\n"
                "        json: '{'\n"
            ),
            ":6: sms.gateways[0].request.json: is no JSON: ",
        ),
        (
            (
                "  gateways:\n    - name: a\n      type: http\n      request: {url: 'https://x.example'}\n"
                "      again:\n        - status: 5xx\n"
            ),
            ":6: sms.gateways[0].again[0].status: '5xx' is no HTTP status; write 202, or 200-299",
        ),
        (
            (
                "  gateways:\n    - name: a\n      type: smtp\n      host: h\n      from: a@b.example\n"
                "      username: u\n      password_file: secrets/ami\n      tls: none\n"
            ),
            ":8: sms.gateways[0].tls: a password is not sent in clear; write starttls or implicit",
        ),
        (
            "  gateways:\n    - name: a\n      type: file\n      report_secret_file: secrets/api-token\n",
            ":2: sms.gateways[0].report_secret: reports need sms.report_url, ",
        ),
        (
            (
                "  gateways:\n    - name: a\n      type: http\n      values: {token_file: secrets/none}\n"
                "      request: {url: 'https://x.example'}\n"
            ),
            ":4: sms.gateways[0].values.token_file: there is no file secrets/none",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(folder, text, said):
    whole = refusal(folder, SMS + text)
    line, rest = said[1:].split(":", 1)
    wanted = f"callcontrol.yaml:{int(line) + LINES_BEFORE}:{rest}"
    assert wanted in whole
    assert whole.count("callcontrol.yaml:") == 1


PLUGIN = '''\
"""Texts for a pager network, as a site might write it."""

from callcontrol.ports import Message, PortError


class Pager:
    keyed = True

    def __init__(self, *, name: str, options: dict[str, str], report_url: str) -> None:
        if "channel" not in options:
            raise ValueError("channel is missing")
        self.channel, self.token, self.sent = options["channel"], options["token"], []

    async def send(self, message: Message) -> str:
        if not message.to.startswith("+"):
            raise PortError("no number", retryable=False)
        self.sent.append((self.channel, message.to, message.body))
        return f"page-{len(self.sent)}"

    async def close(self) -> None:
        pass
'''


@pytest.fixture
def pager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package as pip would install it."""
    site = tmp_path / "site-packages"
    info = site / "site_pager-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "site_pager.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: site-pager\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[callcontrol.gateways]\npager = site_pager:Pager\n")
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("site_pager", None)


async def test_a_site_adds_a_gateway_of_its_own_in_one_file(folder, pager):
    text = "  gateways:\n    - {name: p, type: pager, options: {channel: A, token_file: secrets/ami}}\n"
    made = await lanes(load_config(written(folder, SMS + text)))
    gateway = made["p"].gateway
    assert made["p"].resends, "it says that it knows repeats"
    assert await gateway.send(message()) == "page-1"
    assert gateway.sent == [("A", "+13035550100", "Hi")]
    assert gateway.token == "amisecret"


def test_what_it_refuses_is_said_with_its_line(folder, pager):
    said = refusal(folder, SMS + "  gateways:\n    - name: p\n      type: pager\n      options: {x: y}\n")
    assert said.endswith(":11: sms.gateways[0].options: pager refuses them: channel is missing")


def test_the_example_in_the_documentation_is_the_one_that_is_tested():
    documented = (Path(__file__).parents[2] / "docs" / "gateways.md").read_text()
    assert PLUGIN in documented
