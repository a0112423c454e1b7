"""What is forgotten is nowhere: every table of both databases, SQLite's files and the sounds are searched."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from callcontrol.adapters.simulated import VirtualClock
from callcontrol.adapters.speech.command import CommandSpeech, SpeechSettings
from callcontrol.adapters.sql import Planned, SqlStore
from callcontrol.adapters.sql.engine import make_engine
from callcontrol.adapters.sql.schema import metadata
from callcontrol.core.counted import Span
from callcontrol.core.events import LeadHungUp
from callcontrol.core.followup import FollowUp, NewTask, TextOut
from callcontrol.core.hooks import HookEvent
from callcontrol.core.model import ChannelId, Lead, LeadId, TransferId
from callcontrol.ports import StoreError, Subscription, Transition, UnknownError, Whom
from callcontrol.retention import DAY_S, Retention, forget
from tests.adapters.store import people as p

ZEB = Lead(
    id=LeadId("crm-zeb-7781"),
    name="Zebulon Quux",
    phone="+13035557781",
    email="zeb@quux.example",
    source="Zillow",
    assigned_agent_id=p.ANN.id,
    fields={"pet": "ocelot"},
)
PERSONAL = (
    "crm-zeb-7781",
    "Zebulon",
    "Quux",
    "3035557781",
    "zeb@",
    "ocelot",
    "Wants a yurt",
    "zeb-channel",
    "zeb-key",
)
SUMMARY = "Wants a yurt for the ocelot."
WHOM = Whom(lead_id=ZEB.id)


@pytest.fixture
def speech(tmp_path: Path) -> CommandSpeech:
    """Its sound is the text itself, so that a search finds it."""
    return CommandSpeech(
        SpeechSettings(
            command=("sh", "-c", "cat > {raw}"),
            convert=("cp", "{raw}", "{out}"),
            directory=tmp_path / "sounds",
        )
    )


@pytest.fixture
async def told(url):
    """A store that tells everything by webhook."""
    everything = Subscription(endpoint="crm", events=frozenset(HookEvent))
    store = SqlStore(url, subscriptions=[everything])
    await store.apply(replace(p.DIRECTORY, leads=(*p.DIRECTORY.leads, ZEB)))
    yield store
    await store.close()


async def missed(store, name="t1", *, lead=ZEB, now=p.NOW, over=True):
    request = replace(
        p.request(lead=lead.id, channel=f"zeb-channel-{name}", key=f"zeb-key-{name}"), summary=SUMMARY
    )
    call = p.call_of(f"zeb-channel-{name}")
    await store.open(TransferId(name), request, call, now, p.only_asked)
    words = f"Missed: {lead.name}, {lead.phone}, {lead.email}"
    after = FollowUp(
        texts=(TextOut(recipient="agent", to=p.ANN.phone, body=words),),
        task=NewTask(title=f"Call back {lead.name}", reason="Missed.", owner_agent_id=p.ANN.id),
        cancel_cadence=True,
        webhook=True,
    )
    if over:
        gone = LeadHungUp(channel=ChannelId("zeb-channel"), cause="Zebulon Quux hung up")
        await store.record(
            Transition(
                transfer_id=TransferId(name),
                entries=(p.entry(2, gone, at=now + timedelta(seconds=20)),),
                legs=(p.rung(f"leg-{name}", p.BOB),),
                outcome=p.MISSED,
                follow_up=after,
                closed=True,
            )
        )


async def everything(url: str, sounds: Path) -> str:
    """Every row of every table, SQLite's own files, and the sounds, as one text."""
    engine = make_engine(url, 1)
    with engine.connect() as connection:
        rows = [str(row) for table in metadata.sorted_tables for row in connection.execute(select(table))]
    engine.dispose()
    files = list(sounds.glob("**/*"))
    if url.startswith("sqlite"):
        database = Path(url.removeprefix("sqlite:///"))
        files += database.parent.glob(f"{database.name}*")
    return "\n".join(rows) + "".join(file.read_bytes().decode("latin-1") for file in files if file.is_file())


async def found(url, speech):
    text = await everything(url, speech._settings.directory)
    return [personal for personal in PERSONAL if personal in text]


async def test_nothing_of_a_forgotten_lead_is_left_anywhere(told, url, speech):
    await told.enrol(ZEB.id, "Nurture", [Planned(name="Call Monday")])
    await missed(told)
    (task,) = await told.tasks(10)
    await told.note_task(task.id, "ann", "Zebulon called, likes Quux.", p.LATER)
    await told.finish_task(task.id, "ann", "Spoke with Zebulon.", p.LATER)
    await speech.render(SUMMARY)
    assert await found(url, speech) == list(PERSONAL)
    forgotten = await forget(told, speech, WHOM, p.LATER)
    assert await found(url, speech) == []
    assert (forgotten.leads, forgotten.transfers) == (1, 1)
    assert forgotten.messages >= 3  # the text, and the webhooks


async def test_what_is_counted_stays(told, speech):
    await missed(told)
    before = await told.statistics.transfers(Span()), await told.statistics.legs(Span())
    await forget(told, speech, WHOM, p.LATER, with_tasks=True)
    assert (await told.statistics.transfers(Span()), await told.statistics.legs(Span())) == before
    row = await told.transfer(TransferId("t1"))
    assert (row.outcome, row.summary, row.lead.name, row.requested_at) == (p.MISSED, "", "", p.NOW)
    assert len(await told.legs(row.id)) == 1
    assert await told.journal(row.id) == ()


async def test_other_leads_are_left_alone(told, url, speech):
    other = replace(ZEB, id=p.LUC.id, name=p.LUC.name, phone=p.LUC.phone, email="")
    await missed(told)
    await missed(told, "t2", lead=other)
    await forget(told, speech, WHOM, p.LATER, with_tasks=True)
    assert (await told.transfer(TransferId("t2"))).summary == SUMMARY
    assert p.LUC.name in await everything(url, speech._settings.directory)


async def test_a_lead_is_forgotten_by_number_too(told, url, speech):
    await missed(told)
    await forget(told, speech, Whom(phones=(ZEB.phone,)), p.LATER, with_tasks=True)
    assert await found(url, speech) == []


async def test_a_lead_that_is_on_a_live_call_is_not_forgotten(told, url, speech):
    await missed(told, over=False)
    with pytest.raises(StoreError, match="in transfer t1 now"):
        await forget(told, speech, WHOM, p.LATER, with_tasks=True)
    assert (await told.transfer(TransferId("t1"))).lead == ZEB


async def test_an_open_task_keeps_its_lead_unless_it_is_to_be_forgotten_too(told, url, speech):
    await missed(told)
    with pytest.raises(StoreError, match="open task"):
        await forget(told, speech, WHOM, p.LATER)
    await forget(told, speech, WHOM, p.LATER, with_tasks=True)
    (task,) = await told.tasks(10)
    assert (task.state, task.title) == ("done", "")


async def test_an_unknown_lead_is_refused(told, speech):
    with pytest.raises(UnknownError):
        await forget(told, speech, Whom(lead_id=LeadId("nobody")), p.LATER)
    with pytest.raises(UnknownError):
        await forget(told, speech, Whom(phones=("+10000000",)), p.LATER)


async def test_a_forgotten_lead_may_come_again_as_a_new_one(told, speech):
    await missed(told)
    await forget(told, speech, WHOM, p.LATER, with_tasks=True)
    await told.apply(replace(p.DIRECTORY, leads=(*p.DIRECTORY.leads, ZEB)))
    await missed(told, "t2")
    assert (await told.transfer(TransferId("t2"))).lead.name == ZEB.name


async def test_the_daemon_forgets_what_is_older_than_the_site_keeps_it(told, url, speech):
    for n in range(120):
        await missed(told, f"t{n}")
    await speech.render(SUMMARY)
    watcher = Retention(store=told, speech=speech, clock=SkippingClock(p.NOW + timedelta(days=31)), days=30)
    assert (await watcher.tidy()).transfers == 120
    assert await found(url, speech) == []
    assert sum(one.sums.count for one in await told.statistics.transfers(Span())) == 120
    assert (await watcher.tidy()).transfers == 0


async def test_the_daemon_leaves_what_is_younger_and_a_lead_who_called_again(told, url, speech):
    await missed(told, "old")
    await missed(told, "new", now=p.NOW + timedelta(days=20))
    watcher = Retention(store=told, speech=speech, clock=SkippingClock(p.NOW + timedelta(days=31)), days=30)
    gone = await watcher.tidy()
    assert (gone.transfers, gone.leads) == (1, 0)
    assert (await told.transfer(TransferId("old"))).summary == ""
    assert (await told.transfer(TransferId("new"))).summary == SUMMARY
    assert (await told.transfer(TransferId("new"))).lead == ZEB


async def test_the_daemon_leaves_a_lead_with_a_cadence_to_go(told, speech):
    await missed(told)
    await told.enrol(ZEB.id, "Nurture", [Planned(name="Call Monday")])
    watcher = Retention(store=told, speech=speech, clock=SkippingClock(p.NOW + timedelta(days=31)), days=30)
    assert (await watcher.tidy()).leads == 0
    assert (await told.transfer(TransferId("t1"))).lead.name == ZEB.name


async def test_the_daemon_leaves_a_transfer_that_is_still_live(told, speech):
    await missed(told, over=False)
    watcher = Retention(store=told, speech=speech, clock=SkippingClock(p.NOW + timedelta(days=31)), days=30)
    assert (await watcher.tidy()).transfers == 0


class SkippingClock(VirtualClock):
    """Sleeps are over at once, and noted."""

    def __init__(self, now) -> None:
        super().__init__(now)
        self.slept = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if seconds >= DAY_S:
            raise StopAsyncIteration


async def test_the_daemon_looks_once_a_day(told, speech):
    clock = SkippingClock(p.NOW)
    with pytest.raises(StopAsyncIteration):
        await Retention(store=told, speech=speech, clock=clock, days=30).run()
    assert clock.slept == [DAY_S]
