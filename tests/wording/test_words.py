from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callcontrol.core.followup import Notice, Occasion, Recipient
from callcontrol.core.model import Bot, BotId, Lead, LeadId, TransferId
from callcontrol.core.segments import measure
from callcontrol.wording import Discretion, Pii, Template, TemplateError, Templates, Wording, troubles
from callcontrol.wording.facts import e164

BOT = Bot(id=BotId("sami"), name="Sami")
LEAD = Lead(
    id=LeadId("lead/1"),
    name="Lea Lead",
    phone="+13035550142",
    email="lea@example.com",
    source="Zillow",
    fields={"budget": "400k"},
)
MISSED = Notice(
    occasion=Occasion.MISSED,
    recipient=Recipient.AGENT,
    name="Alice",
    transfer_id=TransferId("t-1"),
    bot=BOT,
    lead=LEAD,
    assigned=None,
    reason="nobody answered",
)
CONNECTED = replace(MISSED, occasion=Occasion.CONNECTED, reason="", answered_by="Bob")
LINK = "https://crm.example.com/calls/{transfer}?of={lead}"


def own(source, occasion=Occasion.MISSED, recipient=None, bot=None):
    return {(bot, occasion, recipient): Template(occasion, source)}


def said(notice=MISSED, templates=None, **discretion):
    return Wording(Templates(templates or {}), Discretion(**discretion))(notice)


def test_a_connected_lead_is_said_to_talk_with_whom():
    assert said(CONNECTED).body == "Live transfer answered: Bob is talking with Lea Lead."


def test_a_missed_lead_is_said_with_all_that_is_needed_to_call_back():
    assert said().body == (
        "Missed live transfer (nobody answered): Lea Lead, +13035550142, lea@example.com, Zillow."
        " Please call them back ASAP."
    )


def test_a_lead_that_nobody_calls_back_is_said_with_the_time_that_has_passed():
    overdue = replace(MISSED, occasion=Occasion.OVERDUE, reason="", waited_min=20)
    assert said(overdue).body == (
        "Nobody has called back for 20 min: Lea Lead, +13035550142, lea@example.com, Zillow."
        " Please call them back, or see that somebody does."
    )
    assert said(overdue, pii=Pii.LINK, link="https://x.example/{transfer}").body == (
        "Nobody has called back for 20 min. Please call them back, or see that somebody does:"
        " https://x.example/t-1"
    )


def test_a_lead_without_a_name_goes_by_number_and_one_without_either_is_a_lead():
    nameless = replace(LEAD, name="")
    assert "with +13035550142." in said(replace(CONNECTED, lead=nameless)).body
    assert "with a lead." in said(replace(CONNECTED, lead=replace(nameless, phone=""))).body


def test_a_short_text_has_a_first_name_and_last_digits():
    assert said(pii=Pii.SHORT).body == (
        "Missed live transfer (nobody answered): Lea, ...0142. Please call them back ASAP."
    )
    tiny = replace(MISSED, lead=replace(LEAD, phone="1234567"))
    assert "...67" in said(tiny, pii=Pii.SHORT).body


def test_a_text_with_a_link_says_nothing_of_the_lead():
    for notice in (MISSED, CONNECTED):
        body = said(notice, pii=Pii.LINK, link=LINK).body
        assert "https://crm.example.com/calls/t-1?of=lead%2F1" in body
        for fact in ("Lea", "0142", "example.com,", "Zillow"):
            assert fact not in body


@pytest.mark.parametrize(
    ("templates", "body"),
    [
        (own("all {{ lead.name }}"), "all Lea Lead"),
        (own("all") | own("agents", recipient=Recipient.AGENT), "agents"),
        (own("owners", recipient=Recipient.OWNER), said().body),
        (own("agents", recipient=Recipient.AGENT) | own("sami's", bot=BOT.id), "sami's"),
        (own("other", bot=BotId("other")), said().body),
        (
            own("{{ lead.fields.budget }}, {{ reason }}, {{ bot }}, {{ recipient }}"),
            "400k, nobody answered, Sami, Alice",
        ),
        (own("one\n  two  three \n"), "one\ntwo three"),
    ],
)
def test_the_most_particular_template_counts(templates, body):
    assert said(templates=templates).body == body


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ lead.fields.zip }}", "UndefinedError"),
        ("{% if lead.name == 'x' %}y{% endif %}", "it is empty"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ("{{ lead.name.__class__.__mro__ }}", "SecurityError"),
    ],
)
def test_a_template_that_breaks_never_loses_the_text(source, why):
    worded = said(templates=own(source))
    assert worded.body == said().body
    assert why in worded.warning
    assert "Lea" not in worded.warning


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ lead.nmae }}", "there is no lead.nmae; there are lead.name"),
        ("{{ lead['nmae'] }}", "there is no lead.nmae"),
        ("{{ agent }}", "there is no 'agent' here; there are lead, bot, assigned, recipient, link, reason"),
        ("fine\n{{ foo }}", r"there is no 'foo' here.*\(line 2 of the text\)"),
        ("{% if lead.name %}", "is no template: Unexpected end"),
        ("{{ lead.name | shout }}", "is no template: No filter named 'shout'"),
        ("{{ range(3) }}", "there is no 'range'"),
        ("{% include 'x' %}" + "{{" * 3, "is no template"),
        ("(" * 3 + "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "nested too deeply"),
    ],
)
def test_a_template_that_can_not_work_is_refused_with_the_reason(source, why):
    with pytest.raises(TemplateError, match=why):
        Template(Occasion.MISSED, source)


def test_a_template_may_have_variables_of_its_own():
    source = (
        "{% set who = lead.name %}{% for k, v in lead.fields.items() %}{{ who }} {{ k }} {{ v }}{% endfor %}"
    )
    assert said(templates=own(source)).body == "Lea Lead budget 400k"


def test_a_leads_own_text_is_never_a_template():
    nasty = replace(MISSED, lead=replace(LEAD, name="{{ 7 * 7 }}"))
    assert "{{ 7 * 7 }}" in said(nasty).body


@pytest.mark.parametrize("pii", Pii)
def test_no_hostile_lead_gets_a_link_or_a_control_character_into_a_text(pii):
    greedy = "{% for k, v in lead.fields.items() %}{{ k }} {{ v }} {% endfor %}{{ lead.all }} {{ recipient }} {{ link }}"
    discretion = Discretion(pii=pii, link=LINK)
    for templates in ({}, own(greedy) | own(greedy, Occasion.CONNECTED)):
        word = Wording(Templates(templates), discretion, segments=4)
        assert troubles(word, [BOT], segments=4) == ()


def test_the_trial_finds_what_a_template_lets_through():
    word = Wording(Templates(own("{{ lead.fields.note }}", recipient=Recipient.POOL)))
    found = troubles(word, [BOT], segments=4)
    assert found[0] == (
        "missed of bot sami, pool: the template for missed, pool broke (UndefinedError),"
        " and the usual words went out"
    )
    assert len(found) == 2  # and where it is empty
    assert any("longer" in trouble for trouble in troubles(Wording(segments=4), [BOT], segments=1))


@settings(max_examples=60, deadline=None)
@given(
    name=st.text(max_size=300),
    source=st.text(max_size=300),
    email=st.text(max_size=300),
    most=st.integers(1, 3),
)
def test_every_text_fits_into_its_segments(name, source, email, most):
    lead = replace(LEAD, name=name, source=source, email=email)
    body = Wording(segments=most)(replace(MISSED, lead=lead)).body
    assert body
    assert measure(body).segments <= most


@pytest.mark.parametrize(
    ("given_number", "country", "written"),
    [
        ("+1 (303) 555-0142", "", "+13035550142"),
        ("303 555 0142", "US", "+13035550142"),
        ("030 1234567", "DE", "+49301234567"),
        ("3035550142", "", "3035550142"),
        ("+999123", "", "+999123"),
        ("+12", "", ""),
        ("call me", "US", ""),
        ("", "US", ""),
    ],
)
def test_numbers_are_written_so_that_they_can_be_dialled_from_anywhere(given_number, country, written):
    assert e164(given_number, country) == written
