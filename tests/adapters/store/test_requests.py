import asyncio
from dataclasses import replace

import pytest

from callcontrol.core.events import LegRinging
from callcontrol.core.model import AgentId, BotId, LeadId, TransferId
from callcontrol.ports import ChannelBusyError, KeyReusedError, NewLead, TransferRow, Transition, UnknownError
from tests.adapters.store import people as p


async def test_a_new_request_gets_its_bot(office):
    assert await office.prepare(p.request()) == p.SAMI


async def test_an_unknown_bot_or_lead_is_named(office):
    with pytest.raises(UnknownError, match="no bot 'who'"):
        await office.prepare(p.request(bot=BotId("who")))
    with pytest.raises(UnknownError, match="no lead 'who'"):
        await office.prepare(p.request(lead=LeadId("who")))
    with pytest.raises(UnknownError, match="no bot 'who'"):
        await p.opened(office, bot=BotId("who"))
    with pytest.raises(UnknownError, match="no lead 'who'"):
        await p.opened(office, lead=LeadId("who"))
    assert tuple(await office.transfers(10)) == ()


async def test_a_transfer_is_stored_with_its_bot_lead_and_agent(office):
    wanted = p.request(key="k")
    row = await office.open(TransferId("t1"), wanted, p.CALL, p.NOW, p.only_asked)
    assert row == TransferRow(
        id=TransferId("t1"),
        key="k",
        bot=p.SAMI,
        lead=p.LEA,
        assigned=p.ANN,
        call=p.CALL,
        summary="Wants a house.",
        requested_at=p.NOW,
    )
    assert await office.transfer(row.id) == row
    assert tuple(await office.journal(row.id)) == (p.entry(1, p.asked(), at=p.NOW),)


async def test_what_a_request_comes_to_at_once_is_stored_with_it(office, other_store):
    """One transaction: the facts are those it sees, and the first attempt is journalled with the request. Its
    legs get their rows later, of the journal.
    """
    seen = []
    dialled = p.rung("t1-leg")

    def first(row, facts_of):
        seen.append((row, facts_of(p.ASSIGNED), facts_of(p.GROUP)))
        entries = (p.entry(1, p.asked(), at=p.NOW), p.entry(2, LegRinging(channel=dialled.leg.id), at=p.NOW))
        return Transition(transfer_id=row.id, entries=entries, legs=(dialled,))

    row = await office.open(TransferId("t1"), p.request(), p.CALL, p.NOW, first)
    ((seen_row, assigned, group),) = seen
    assert seen_row == row
    assert [c.agent for c in assigned.candidates] == [p.ANN]
    assert (await p.standing(other_store, p.ANN)).claimed_by == row.id
    assert [c.agent for c in group.candidates] == [p.CYD, p.OFF, p.ANN]
    assert [entry.seq for entry in await office.journal(row.id)] == [1, 2]
    assert tuple(await office.legs(row.id)) == ()
    await office.record(Transition(transfer_id=row.id, entries=(), legs=(dialled,)))
    assert tuple(await office.legs(row.id)) == (dialled,)


async def test_a_request_whose_first_turn_fails_leaves_nothing(office):
    def first(row, facts_of):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await office.open(TransferId("t1"), p.request(), p.CALL, p.NOW, first)
    assert tuple(await office.transfers(10)) == ()


async def test_a_bot_may_have_no_leg_of_its_own(office):
    call = replace(p.CALL, bot=None)
    await office.open(TransferId("t1"), p.request(), call, p.NOW, p.only_asked)
    assert (await office.transfer(TransferId("t1"))).call == call


async def test_an_unknown_transfer_is_named(office):
    with pytest.raises(UnknownError, match="no transfer 'who'"):
        await office.transfer(TransferId("who"))


async def test_a_repeated_key_gets_the_same_transfer(office):
    row = await p.opened(office)
    again = p.request(channel="SIP/t1", key="key-of-t1")
    assert await office.prepare(again) == row


async def test_a_key_used_for_something_else_is_refused(office):
    await p.opened(office)
    same = {"channel": "SIP/t1", "key": "key-of-t1"}
    for other in ({"bot": p.PLAIN.id}, {"lead": p.LUC.id}, {"channel": "SIP/other"}):
        with pytest.raises(KeyReusedError):
            await office.prepare(p.request(**{**same, **other}))


async def test_an_inline_lead_is_the_same_by_its_phone(office):
    first = NewLead(name="Kim", phone="+15550160")
    row = await p.opened(office, lead=first)
    same = {"channel": "SIP/t1", "key": "key-of-t1"}
    assert await office.prepare(p.request(lead=replace(first, source="web"), **same)) == row
    with pytest.raises(KeyReusedError):
        await office.prepare(p.request(lead=replace(first, phone="+15550161"), **same))


async def test_opening_may_be_repeated(office):
    row = await p.opened(office)
    assert await p.opened(office) == row
    assert len(await office.journal(row.id)) == 1


async def test_of_fifty_opens_with_one_key_all_get_the_same_transfer(office, other_store):
    async def ask(n):
        return await (office, other_store)[n % 2].open(
            TransferId(f"t{n}"), p.request(key="k"), p.call_of(f"lead-{n}"), p.NOW, p.only_asked
        )

    answers = await asyncio.gather(*(ask(n) for n in range(50)))
    assert tuple(await office.transfers(10)) == (answers[0],)
    assert all(answer == answers[0] for answer in answers)
    assert await other_store.prepare(p.request(key="k")) == answers[0]


async def test_opening_with_a_key_used_for_something_else_is_refused(office):
    await p.opened(office)
    other = p.request(channel="SIP/other", key="key-of-t1")
    with pytest.raises(KeyReusedError):
        await office.open(TransferId("t2"), other, p.call_of("lead-of-t2"), p.NOW, p.only_asked)
    assert len(await office.transfers(10)) == 1


async def test_of_fifty_opens_on_one_channel_one_wins(office, other_store):
    async def ask(n):
        return await (office, other_store)[n % 2].open(
            TransferId(f"t{n}"), p.request(), p.CALL, p.NOW, p.only_asked
        )

    answers = await asyncio.gather(*(ask(n) for n in range(50)), return_exceptions=True)
    (won,) = (answer for answer in answers if isinstance(answer, TransferRow))
    busy = [answer for answer in answers if isinstance(answer, ChannelBusyError)]
    assert len(busy) == 49
    assert {answer.transfer_id for answer in busy} == {won.id}


async def test_a_channel_is_free_again_when_its_transfer_is_closed(office):
    await office.open(TransferId("t1"), p.request(), p.CALL, p.NOW, p.only_asked)
    with pytest.raises(ChannelBusyError):
        await office.open(TransferId("t2"), p.request(), p.CALL, p.NOW, p.only_asked)
    await office.record(p.missed())
    await office.open(TransferId("t2"), p.request(), p.CALL, p.NOW, p.only_asked)


async def test_a_lead_given_inline_is_kept(office):
    given = NewLead(
        name="Kim",
        phone="+15550160",
        email="kim@example.com",
        source="web",
        assigned_agent_id=p.BOB.id,
        fields={"state": "UT"},
    )
    row = await p.opened(office, lead=given)
    assert (row.lead.name, row.lead.phone, row.lead.email) == ("Kim", "+15550160", "kim@example.com")
    assert row.lead.fields == {"state": "UT"}
    assert row.assigned == p.BOB
    assert await office.transfer(row.id) == row
    assert (await p.opened(office, "t2", lead=row.lead.id)).lead == row.lead


async def test_a_known_phone_is_a_known_lead_who_only_gains(office):
    given = NewLead(
        name="Other",
        phone=p.LUC.phone,
        email="luc@example.com",
        source="ads",
        fields={"state": "UT", "x": ""},
    )
    row = await p.opened(office, lead=given)
    expected = replace(p.LUC, email="luc@example.com", fields={"state": "UT", "x": ""})
    assert row.lead == expected
    assert (await p.opened(office, "t2", lead=p.LUC.id)).lead == expected
    third = await p.opened(office, "t3", lead=NewLead(phone=p.LUC.phone, fields={"state": "CO", "x": "1"}))
    assert third.lead == replace(expected, fields={"state": "UT", "x": "1"})


async def test_an_agent_given_with_a_known_lead_becomes_the_leads_agent(office):
    row = await p.opened(office, lead=NewLead(phone=p.LEA.phone, assigned_agent_id=p.BOB.id))
    assert row.lead == replace(p.LEA, assigned_agent_id=p.BOB.id)
    assert row.assigned == p.BOB
    kept = await p.opened(office, "t2", lead=NewLead(phone=p.LEA.phone))
    assert kept.assigned == p.BOB


async def test_an_agent_nobody_knows_does_not_stop_a_live_call(office):
    row = await p.opened(office, lead=NewLead(phone="+15550160", assigned_agent_id=AgentId("zoe")))
    assert row.assigned is None
    facts = await p.facts(office, row.lead.id, p.ASSIGNED)
    assert facts.candidates == ()
    assert "zoe" in facts.because


async def test_leads_without_a_phone_are_not_taken_for_each_other(office):
    first = await p.opened(office, "t1", lead=NewLead(name="A"))
    second = await p.opened(office, "t2", lead=NewLead(name="B"))
    assert first.lead.id != second.lead.id


async def test_a_phone_that_is_new_twice_at_once_is_one_lead(office, other_store):
    async def ask(n):
        return await p.opened((office, other_store)[n % 2], f"t{n}", lead=NewLead(phone="+15550170"))

    rows = await asyncio.gather(*(ask(n) for n in range(20)))
    assert len({row.lead.id for row in rows}) == 1


async def test_the_newest_transfers_come_first(office):
    await p.opened(office, "old", now=p.NOW)
    await p.opened(office, "new", now=p.LATER)
    assert [row.id for row in await office.transfers(10)] == ["new", "old"]
    assert [row.id for row in await office.transfers(1)] == ["new"]
