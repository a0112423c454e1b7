"""The texts and the webhooks of callcontrol.yaml."""

import re
from pathlib import Path

import pytest

from callcontrol.config import Config, ConfigError, load_config, secret_files
from callcontrol.core.followup import Notice, Occasion, Recipient
from callcontrol.core.hooks import HookEvent
from callcontrol.core.model import Bot, BotId, Lead, LeadId, TransferId

BASE = """\
pbx: simulated
api:
  tokens:
    - {name: bot, secret_file: token}
"""
SECRET = "s" * 30


@pytest.fixture
def load(tmp_path):
    def load(text: str) -> Config:
        for name in ("token", "hook"):
            (tmp_path / name).write_text(SECRET)
            (tmp_path / name).chmod(0o600)
        file: Path = tmp_path / "callcontrol.yaml"
        file.write_text(BASE + text)
        return load_config(file)

    return load


@pytest.fixture
def refusal(load, tmp_path):
    def refusal(text: str) -> str:
        with pytest.raises(ConfigError) as raised:
            load(text)
        return str(raised.value).replace(f"{tmp_path}/callcontrol.yaml:", "line ")

    return refusal


def said(config, *, occasion=Occasion.MISSED, recipient=Recipient.AGENT, bot="sami"):
    lead = Lead(id=LeadId("l"), name="Lea Lead", phone="303 555 0142")
    return config.texts.wording()(
        Notice(
            occasion=occasion,
            recipient=recipient,
            name="Alice",
            transfer_id=TransferId("t-1"),
            bot=Bot(id=BotId(bot), name=bot.title()),
            lead=lead,
            assigned=None,
            answered_by="Bob",
            reason="nobody answered",
            waited_min=20,
            misses=3,
            until="10:31 (America/Denver)",
        )
    ).body


TEXTS = """\
texts:
  country: us
  missed: "{{ lead.phone }} was missed"
  overdue: "{{ minutes }} min!"
  resting: "{{ recipient }}: {{ misses }} missed. Rest until {{ until }}, or dial {{ code }}."
  connected:
    owner: |
      {{ agent }} has
      {{ lead.name }}
  bots:
    late:
      missed: {owner: "late, {{ bot }}"}
"""


def test_words_are_chosen_by_outcome_recipient_and_bot(load):
    config = load(TEXTS)
    assert said(config) == "+13035550142 was missed"
    assert said(config, occasion=Occasion.OVERDUE) == "20 min!"
    rest = "Alice: 3 missed. Rest until 10:31 (America/Denver), or dial *50."
    assert said(config, occasion=Occasion.RESTING) == rest
    assert said(config, recipient=Recipient.OWNER, bot="late") == "late, Late"
    assert said(config, recipient=Recipient.POOL, bot="late") == "+13035550142 was missed"
    owner = said(config, occasion=Occasion.CONNECTED, recipient=Recipient.OWNER)
    assert owner == "Bob has\nLea Lead"
    assert said(config, occasion=Occasion.CONNECTED).startswith("Live transfer answered: Bob")


def test_without_a_section_the_usual_words_are_said(load):
    assert said(load("")).startswith("Missed live transfer (nobody answered): Lea Lead")


def test_a_link_may_be_an_address_alone(load):
    config = load("texts: {pii: link, link: https://crm.example.com/cc/}\n")
    assert said(config).endswith("ASAP: https://crm.example.com/cc/transfers/t-1")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            'texts:\n  missed:\n    owner: "{{ lead.nmae }}"\n',
            "line 7: texts.missed.owner: there is no lead.nmae; there are lead.name",
        ),
        (
            'texts:\n  connected: "{{ reason }}"\n',
            "line 6: texts.connected.everyone: there is no 'reason' here",
        ),
        ("texts:\n  missed: |\n    a\n    {{ b\n", "is no template: "),
        ("texts:\n  missed: |\n    a\n    {{ b }}\n", "there is no 'b' here"),
        (
            "texts:\n  bots:\n    sami:\n      missed: {pool: '{{ x }}'}\n",
            "line 8: texts.bots.sami.missed.pool: there",
        ),
        ("texts: {pii: some}\n", "'some' is none of full, short, link"),
        ("texts: {pii: link}\n", "so a `link:` is needed"),
        ("texts: {link: crm.example.com}\n", "is no link; write https://"),
        ("texts: {link: 'https://crm.example.com/{task}'}\n", "is no link"),
        ("texts: {link: 'https://crm.example.com/{'}\n", "is no link"),
        ("texts: {country: USA}\n", "'USA' is no country"),
        ("texts: {segments: 0}\n", "too small"),
        ("texts: {missed: {agents: x}}\n", "is no key that belongs here; did you mean 'agent'?"),
    ],
)
def test_what_is_wrong_with_texts_is_told_with_line_and_key(refusal, text, why):
    assert why in refusal(text)


def hook(more=""):
    return f"webhooks:\n  - name: crm\n    url: https://crm.example.com/x\n    secret_file: hook\n{more}"


def test_an_endpoint_is_told_everything_unless_it_says_what(load):
    (crm,) = load(hook()).webhooks
    assert crm.wanted() == frozenset(HookEvent)
    (crm,) = load(hook("    events: [transfer.missed, task.*]\n    pii: no\n")).webhooks
    assert crm.wanted() == {
        HookEvent.TRANSFER_MISSED,
        *(event for event in HookEvent if event.value.startswith("task.")),
    }
    assert not crm.pii
    assert SECRET not in repr(crm)


def test_the_secret_of_a_webhook_is_made_by_init(load, tmp_path):
    load(hook())
    assert secret_files(tmp_path / "callcontrol.yaml") == [tmp_path / "token", tmp_path / "hook"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            hook("    events: [transfer.mised]\n"),
            "'transfer.mised' is no event; did you mean 'transfer.missed'?",
        ),
        (hook("    events: []\n"), "is empty"),
        (hook() + hook().removeprefix("webhooks:\n"), "two webhooks have the same name"),
        (hook().replace("https://crm.example.com/x", "crm.example.com"), "is no address"),
        (hook().replace("https://", "https://me:pw@"), "is no address"),
        (hook().replace("com/x", "com/ä b"), "is no address"),
        (hook().replace("secret_file: hook", "secret: short"), "others may read this file"),
        (hook().replace("secret_file: hook", "secret_env: CALLCONTROL_NO_SUCH"), "is not set"),
    ],
)
def test_what_is_wrong_with_a_webhook_is_told(refusal, text, why):
    assert why in refusal(text)


def test_a_secret_that_is_too_short_or_broken_is_refused(load, refusal, tmp_path, monkeypatch):
    monkeypatch.setenv("CALLCONTROL_HOOK", "short")
    text = hook().replace("secret_file: hook", "secret_env: CALLCONTROL_HOOK")
    assert "must be at least 24" in refusal(text)
    monkeypatch.setenv("CALLCONTROL_HOOK", "whsec_" + "!" * 30)
    assert "no base64" in refusal(text)
    monkeypatch.setenv("CALLCONTROL_HOOK", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert load(text).webhooks[0].name == "crm"


ROOT = Path(__file__).parents[2]


def test_the_examples_in_comments_are_right(load):
    written = (ROOT / "config" / "callcontrol.yaml").read_text()
    for section in ("texts", "webhooks"):
        block = written[written.index(f"# {section}:") :].partition("\n\n")[0]
        text = "\n".join(line.removeprefix("# ") for line in block.splitlines()) + "\n"
        config = load(text.replace("secrets/webhook-crm", "hook"))
        assert getattr(config, section)


@pytest.mark.parametrize(("manual", "section"), [("texts", "texts"), ("webhooks", "webhooks")])
def test_the_manuals_examples_are_right(load, manual, section):
    text = (ROOT / "docs" / f"{manual}.md").read_text()
    (example,) = re.findall(rf"^```yaml\n({section}:.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert getattr(load(example.replace("secrets/webhook-crm", "hook")), section)
