"""Transfers that ask at once whom they ring: answered together, and each by itself."""

import asyncio
import threading
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import psycopg
import pytest
from sqlalchemy import select, update

from callcontrol.adapters.sql import resolving, schema
from callcontrol.adapters.sql.directory import Memory
from callcontrol.adapters.sql.errors import LostRaceError
from callcontrol.adapters.sql.runner import Batch, Runner
from callcontrol.core.events import ResolveNextAttempt
from callcontrol.core.model import AgentId, SoFar, TransferId
from callcontrol.ports import StoreError, UnknownError
from callcontrol.turn import decide
from tests.adapters.store import people as p
from tests.adapters.store.test_standings import OPEN, crowd, opened


@asynccontextmanager
async def all_at_once(runner):
    """Whatever is asked inside waits for the thread that answers it."""
    held = threading.Event()
    holding = Batch(runner, lambda _connection, items: [held.wait(5) for _ in items])
    held_up = asyncio.create_task(holding.ask(None))
    await asyncio.sleep(0)
    yield
    held.set()
    await held_up


def chosen(row):
    ask = ResolveNextAttempt(step=p.GROUP, ask=1)
    return partial(decide, ask, row.bot, so_far=SoFar(transfer=row.id), now=OPEN, lines=p.free_lines)


def asks(store, row, *, before=lambda: None):
    """`before` is called when whom to ring is decided: the standings have been read, nobody is claimed."""

    def choose(facts_of):
        before()
        return chosen(row)(facts_of)

    return asyncio.create_task(store.resolve(row, p.GROUP, choose, OPEN))


def rung(answer):
    return list(dict.fromkeys(leg.agent_id for leg in answer.legs))


async def claimed(store):
    return {c.agent.id: c.standing.claimed_by for c in await store.candidates(OPEN) if c.standing.claimed_by}


@pytest.fixture
async def house(store):
    """Four agents, rung two at a time as they are listed."""
    await store.apply(crowd(4, at_once=2))
    return store


async def test_each_sees_whom_those_before_it_ring(house, other_store):
    rows = [await opened(house, f"t{n}") for n in range(3)]
    async with all_at_once(house._runner):
        answers = [asks(house, row) for row in rows]
        await asyncio.sleep(0)
    told = await asyncio.gather(*answers)
    by_transfer = {row.id: set(rung(answer)) for row, answer in zip(rows, told, strict=True)}
    assert sorted(map(len, by_transfer.values())) == [0, 2, 2]
    assert await claimed(other_store) == {agent: t for t, agents in by_transfer.items() for agent in agents}
    [left_out] = [answer for answer in told if not answer.legs]
    against = {term.value for one in left_out.considered for term in one.terms if not term.holds}
    assert against == {f"reserved for transfer {t}" for t, agents in by_transfer.items() if agents}


async def test_of_those_who_see_another_toggle_of_an_agent_only_one_rings_the_agent(house, url):
    rows = [await opened(house, f"t{n}") for n in range(3)]
    off = resolving.Site(availability={AgentId(f"a{n:02}"): False for n in range(3)})
    asked = [
        resolving.Asked(row=row, step=p.GROUP, decide=chosen(row), now=OPEN, site=site)
        for row, site in zip(rows, (off, resolving.NOTHING, resolving.NOTHING), strict=True)
    ]
    runner = Runner(url)
    answers = await runner.write(lambda connection: resolving.resolve(Memory(), connection, asked))
    await runner.close()
    assert [rung(answer) for answer in answers] == [["a03"], ["a00", "a01"], ["a02"]]


async def test_one_that_goes_wrong_is_told_so_alone(house):
    def fails():
        raise ZeroDivisionError

    rows = [await opened(house, f"t{n}") for n in range(3)]
    await house.record(p.missed("t1"))
    never = replace(rows[0], id=TransferId("never"))
    async with all_at_once(house._runner):
        answers = [
            asks(house, never),
            asks(house, rows[1]),
            asks(house, rows[0], before=fails),
            asks(house, rows[2]),
        ]
        await asyncio.sleep(0)
    unknown, over, wrong, right = await asyncio.gather(*answers, return_exceptions=True)
    assert isinstance(unknown, UnknownError)
    assert (over.legs, over.because) == ((), "the transfer is over")
    assert isinstance(wrong, ZeroDivisionError)
    assert len(rung(right)) == 2
    assert await claimed(house) == dict.fromkeys(rung(right), "t2")


def once(url, statement):
    """Another daemon does this, the first time only."""
    done = []

    def do():
        if not done:
            done.append(True)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(statement)

    return do


STOLEN = """
    INSERT INTO agent_standing (agent_id, claimed_by, claimed_until) VALUES ('a01', 'theirs', '2100-01-01')
    ON CONFLICT (agent_id) DO UPDATE SET claimed_by = 'theirs', claimed_until = '2100-01-01'
"""


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite has one writer, who sees it all
@pytest.mark.parametrize("together", [1, 3])
async def test_an_agent_taken_meanwhile_is_not_rung_and_nobody_is_left_claimed(house, url, together):
    rows = [await opened(house, f"t{n}") for n in range(together)]
    async with all_at_once(house._runner):
        answers = [asks(house, rows[0], before=once(url, STOLEN)), *(asks(house, row) for row in rows[1:])]
        await asyncio.sleep(0)
    told = await asyncio.gather(*answers)
    everyone = [agent for answer in told for agent in rung(answer)]
    assert sorted(everyone) == ["a00", "a02", "a03"][: len(everyone)]
    assert len(everyone) == min(2 * together, 3)
    by_transfer = {row.id: rung(answer) for row, answer in zip(rows, told, strict=True)}
    assert await claimed(house) == {"a01": "theirs"} | {
        agent: transfer for transfer, agents in by_transfer.items() for agent in agents
    }


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_transfer_that_ends_meanwhile_rings_nobody(house, url):
    row = await opened(house, "t1")
    ended = "UPDATE transfer SET outcome = 'missed', outcome_reason = 'cancelled' WHERE id = 't1'"
    answer = await asks(house, row, before=once(url, ended))
    assert (answer.legs, answer.because) == ((), "the transfer is over")
    assert await claimed(house) == {}


async def test_whom_a_transfer_has_already_it_keeps_when_it_loses_another(house, url):
    row = await opened(house, "t1")
    assert rung(await asks(house, row)) == ["a00", "a01"]
    answer = await asks(house, row)
    assert rung(answer) == ["a00", "a01"]
    assert await claimed(house) == {"a00": "t1", "a01": "t1"}


# --- the batch itself


def adding(log, *, wrong=()):
    """A question for many: each adds its number to the directory's version."""

    def question(connection, numbers):
        log.append(list(numbers))
        if 13 in numbers and len(numbers) > 1:
            raise ZeroDivisionError
        for number in numbers:
            if number not in wrong:
                more = schema.directory.c.version + number
                connection.execute(update(schema.directory).values(version=more))
        return [LookupError(n) if n in wrong else n for n in numbers]

    return question


async def version(runner):
    return await runner.read(lambda connection: connection.scalar(select(schema.directory.c.version)))


async def test_those_who_wait_are_asked_together_and_one_answered_wrong_is_alone_in_that(url):
    runner, log = Runner(url), []
    batch = Batch(runner, adding(log, wrong=(3,)))
    async with all_at_once(runner):
        waiting = [asyncio.create_task(batch.ask(number)) for number in range(1, 6)]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, int)] == [1, 2, 4, 5]
    assert isinstance(answers[2], LookupError)
    assert log == [[1, 2, 3, 4, 5]], "nor is anything asked for those who have their answer"
    assert await version(runner) == 1 + 12
    await runner.close()


async def test_where_the_whole_question_fails_each_is_asked_alone(url):
    runner, log = Runner(url), []
    batch = Batch(runner, adding(log))
    async with all_at_once(runner):
        waiting = [asyncio.create_task(batch.ask(number)) for number in (13, 1, 2)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*waiting) == [13, 1, 2]
    assert log == [[13, 1, 2], [13], [1], [2]]
    assert await version(runner) == 1 + 16
    await runner.close()


async def test_a_lost_race_is_asked_again_alone_and_given_up_in_the_end(url):
    runner, log = Runner(url), []

    def question(_connection, numbers):
        log.append(list(numbers))
        return [LostRaceError() if n == 7 or len(numbers) > 1 else n for n in numbers]

    batch = Batch(runner, question)
    async with all_at_once(runner):
        waiting = [asyncio.create_task(batch.ask(number)) for number in (1, 7)]
        await asyncio.sleep(0)
    one, seven = await asyncio.gather(*waiting, return_exceptions=True)
    assert one == 1
    assert isinstance(seven, StoreError)
    assert seven.retryable
    assert log[:2] == [[1, 7], [1]]
    await runner.close()
