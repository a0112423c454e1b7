"""Which gateway a text goes through, and what becomes of it when that one does not take it."""

import pytest

from callcontrol.outbox import Route, Routes
from callcontrol.ports import Message, PortError
from tests.outbox.desk import BUSY, REFUSED, SENT, UNSURE, Gateway


async def test_what_one_gateway_refuses_goes_through_the_next_at_once(desk):
    await desk.queue("+1", "+2")
    first, second = Gateway(REFUSED), Gateway()
    async with desk.outbox(first, second):
        await desk.until(lambda: desk.states() == ["sent", "sent"])
    assert (len(first.asked), len(second.asked)) == (2, 2)


async def test_what_every_gateway_refuses_is_parked(desk):
    await desk.queue("+1")
    async with desk.outbox(Gateway(REFUSED), Gateway(PortError("no such country", retryable=False))):
        await desk.until(lambda: desk.states() == ["parked"])
    assert desk.rows() == [("parked", 2, "no such country")]


async def test_a_gateway_that_refused_for_good_is_not_asked_again(desk):
    await desk.queue("+1")
    first, second = Gateway(REFUSED), Gateway(BUSY, BUSY, SENT)
    async with desk.outbox(first, second):
        for _ in range(30):
            await desk.passes(1)
        await desk.until(lambda: desk.states() == ["sent"])
    assert (len(first.asked), len(second.asked)) == (1, 3)


async def test_what_may_have_been_sent_goes_through_no_other_gateway(desk):
    await desk.queue("+1")
    second = Gateway()
    async with desk.outbox(Gateway(UNSURE), second):
        await desk.until(lambda: desk.states() == ["parked"])
        await desk.passes(1000)
    assert desk.rows()[0][2] == "may have been sent: it said nothing"
    assert second.asked == []


@pytest.mark.parametrize("way", [{"keyed": True}, {"resends": True}])
async def test_what_may_have_been_sent_is_sent_again_where_that_does_no_harm(desk, way):
    await desk.queue("+1")
    first, second = Gateway(UNSURE, BUSY, SENT), Gateway()
    first.keyed = way.pop("keyed", False)
    async with desk.outbox(first, second, **way):
        for _ in range(30):
            await desk.passes(1)
        await desk.until(lambda: desk.states() == ["sent"])
    assert (len(first.asked), second.asked) == (3, []), "and only by the same gateway"


async def test_what_may_have_been_sent_before_and_is_refused_now_is_still_in_doubt(desk):
    await desk.queue("+1")
    first, second = Gateway(UNSURE, REFUSED), Gateway()
    first.keyed = True
    async with desk.outbox(first, second):
        for _ in range(5):
            await desk.passes(1)
        await desk.until(lambda: desk.states() == ["parked"])
    assert desk.rows()[0][2] == "may have been sent before; now: no such number"
    assert second.asked == []


async def test_a_gateway_that_hangs_holds_up_no_other(desk):
    """Every place of the first is taken; more wait for it than the database is asked for at one go."""
    await desk.queue(*(f"+1{n:03d}" for n in range(600)), name="t1")
    await desk.queue(*(f"+2{n:03d}" for n in range(20)), name="t2")
    hangs, works = Gateway(60.0), Gateway()
    routes = (Route(gateways=("one",), prefixes=("+1",)), Route(gateways=("two",)))
    async with desk.outbox(hangs, works, routes=routes):
        await desk.passes(1)
        await desk.until(lambda: desk.states().count("sent") == 20)
        assert len(hangs.asked) == 8


async def test_a_message_that_no_gateway_is_for_is_parked(desk):
    await desk.queue("+1")
    async with desk.outbox(Gateway(), routes=(Route(gateways=("one",), prefixes=("+2",)),)):
        await desk.until(lambda: desk.states() == ["parked"])
    assert desk.rows() == [("parked", 0, "no gateway of the configuration is for it")]


async def test_a_route_fits_by_prefix_and_recipient():
    routes = Routes(
        routes=(
            Route(gateways=("german",), prefixes=("+49", "+43"), recipients=("owner",)),
            Route(gateways=("desk", "other"), recipients=("agent",)),
            Route(gateways=("other",)),
        )
    )

    def of(to: str, recipient: str, gateway: str | None = None) -> tuple[str, ...]:
        return routes.of(Message(id=1, dedupe_key="", to=to, body="", recipient=recipient, gateway=gateway))

    assert of("+4930", "owner") == ("german",)
    assert of("+4930", "agent") == ("desk", "other")
    assert of("+1303", "owner") == ("other",)
    assert of("+4930", "owner", gateway="crm") == ("crm",), "a message may name its own"
    assert [routes.stand_in(name) for name in ("german", "desk", "other")] == [False, True, True]
    assert Routes().of(Message(id=1, dedupe_key="", to="", body="", recipient="")) == ()
