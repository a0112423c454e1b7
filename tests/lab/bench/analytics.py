"""How long the report takes over a million legs: written straight into SQLite, then asked for as ever."""

import random
import sqlite3
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from callcontrol.adapters.sql import SqlStore, upgrade
from callcontrol.core.analytics import By
from callcontrol.core.counted import Span
from callcontrol.report import report
from tests.lab.bench.report import Sheet, Verdict, quantile

ZONE = ZoneInfo("America/Denver")
LIMIT_S = 3.0
START_US = 1_767_225_600_000_000  # 2026-01-01
AGENTS, POOLS, BOTS, GROUP = 200, 8, 5, 4
RING_S = 35
ABOUT = f"""\
`callcontrol report` as a library call, over transfers that were written straight into the tables: {BOTS} bots, {AGENTS}
agents, {POOLS} pools, one transfer every 90 s; the assigned agent, then a group of {GROUP}, then a fallback number, each
answered half of the time. "Whole" has every breakdown and curve; "a month" and "one bot" are narrowed by --since and
--until, and by --bot. Read from a file the system has in memory; seconds."""

_TRANSFER = """INSERT INTO transfer (id, key, fingerprint, lead_id, bot_id, lead_channel, pbx_started, summary, requested_at,
    outcome, outcome_reason, outcome_leg_id, outcome_follow_up, finished_at, closed_at, pattern, ring_timeout_s,
    fallback_attempts, answer_us, talking_us)
    VALUES (?, ?, '', 'lead', ?, ?, 'x', ?, ?, ?, ?, ?, 1, ?, ?, 'assigned_then_group', ?, ?, ?, ?)"""
_LEG = """INSERT INTO leg (id, transfer_id, agent_id, label, kind, address, accept_by, attempt, step, dialled_at, ringing_at,
    answered_at, accepted_at, joined_at, ended_at, fate, cause, pool_id, ending, rang_s, bot_id, requested_at)
    VALUES (?, ?, ?, 'Agent', 'extension', '1001', 'answer', ?, ?, ?, ?, ?, ?, ?, ?, ?, '16 Normal Clearing', ?, ?, ?, ?, ?)"""
_ATTEMPT = "INSERT INTO attempt VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?)"
_SUMMARY = (
    "Wants to sell a house within three months. Asked for a valuation and a visit, and was friendly. " * 2
)


@dataclass(frozen=True, kw_only=True)
class Reports:
    legs: int
    transfers: int
    megabytes: float
    taken: dict[str, list[float]] = field(default_factory=dict)  # seconds


async def run(legs: int, rounds: int) -> Reports:
    with tempfile.TemporaryDirectory(prefix="callcontrol-report-") as name:
        file = Path(name) / "history.db"
        upgrade(f"sqlite:///{file}")
        transfers = write(file, legs)
        found = Reports(legs=legs, transfers=transfers, megabytes=file.stat().st_size / 1e6)
        store = SqlStore(f"sqlite:///{file}")
        month = Span(since=_at(180), until=_at(210))
        asked = {
            "whole": (Span(), tuple(By)),
            "whole, by agent only": (Span(), (By.AGENT,)),
            "a month": (month, tuple(By)),
            "one bot": (Span(bot_id=_bot(1)), tuple(By)),
        }
        try:
            for _ in range(rounds):
                for what, (span, by) in asked.items():
                    began = time.perf_counter()
                    told = await report(store.statistics, span, ZONE, by)
                    found.taken.setdefault(what, []).append(time.perf_counter() - began)
                    assert told.transfers, what
        finally:
            await store.close()
        return found


def write(file: Path, legs: int) -> int:
    """How many transfers they are of."""
    made = _Site(random.Random(7))
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO lead VALUES ('lead', 'Lena', '+15550100', '', '', NULL, '{}')")
    connection.executemany(
        "INSERT INTO bot (id, position, name, pattern, ring_timeout_s, accept_timeout_s, handoff, handoff_limit_s,"
        " closing_line, fallback_all_at_once, missed_goto, on_connected_cancel_cadence, on_connected_notify_agent,"
        " on_connected_notify_owner, on_connected_create_task, on_missed_cancel_cadence, on_missed_notify_agent,"
        " on_missed_notify_owner, on_missed_create_task)"
        " VALUES (?, 1, 'Bot', 'assigned_then_group', 35, 20, 'introduce', 60, '', 0, '', 1, 1, 1, 0, 1, 1, 1, 1)",
        [(_bot(n),) for n in range(BOTS)],
    )
    while made.count < legs:
        batch = [made.transfer() for _ in range(2000)]
        connection.executemany(_TRANSFER, [row for row, _, _ in batch])
        connection.executemany(_LEG, [leg for _, legs, _ in batch for leg in legs])
        connection.executemany(_ATTEMPT, [attempt for _, _, attempts in batch for attempt in attempts])
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return made.transfers


class _Site:
    """Makes up transfers, one after the other."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.count = self.transfers = 0

    def transfer(self) -> tuple[tuple, list[tuple], list[tuple]]:
        self.transfers += 1
        requested = at = START_US + self.transfers * 90_000_000
        transfer_id, bot = self._id(), _bot(self._chance.randrange(BOTS))
        legs: list[tuple] = []
        attempts: list[tuple] = []
        winner = None
        for number, step in enumerate(("assigned", "group", "fallback"), start=1):
            rung, winner = self._attempt(transfer_id, bot, number, step, at, requested)
            legs += rung
            of = (transfer_id, number, step, rung[0][-5], int(winner is not None))
            ending = ("answered", winner[1] // 1_000_000) if winner else ("cut", RING_S)
            attempts.append((*of, *ending, *(winner[1:] if winner else (None, None)), bot, requested))
            if winner is not None:
                break
            at += RING_S * 1_000_000
        self.count += len(legs)
        outcome = ("connected", "pool_agent", winner[0]) if winner else ("missed", "no_answer", None)
        row = (
            *(transfer_id, transfer_id, bot, transfer_id, _SUMMARY, requested, *outcome, at, at, RING_S),
            *(int(number == 3), *((winner[1], winner[2]) if winner else (None, None))),
        )
        return row, legs, attempts

    def _attempt(
        self, transfer_id: str, bot: str, number: int, step: str, at: int, requested: int
    ) -> tuple[list[tuple], tuple[str, int, int] | None]:
        phones = GROUP if step == "group" else 1
        taken = self._chance.random() < 0.5
        rang = int(self._chance.random() * RING_S * 1e6) if taken else RING_S * 1_000_000
        first, pool = self._chance.randrange(phones), f"pool-{self._chance.randrange(POOLS)}"
        legs, winner = [], None
        for phone in range(phones):
            leg_id, end = self._id(), at + rang
            fate, answered, joined = ("lost_race" if taken else "no_answer"), None, None
            if taken and phone == first:
                fate, answered, joined, end = "answered", end, end + 5000, end + 180_000_000
                winner = (leg_id, rang, joined - requested)
            agent = None if step == "fallback" else f"agent-{self._chance.randrange(AGENTS)}"
            instants = (at, at + 10_000, answered, answered, joined, end)
            ending = "answered" if fate == "answered" else "cut"
            of = (pool if step == "group" else None, ending, rang // 1_000_000, bot, requested)
            legs.append((leg_id, transfer_id, agent, number, step, *instants, fate, *of))
        return legs, winner

    def _id(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128)))


def _bot(n: int) -> str:
    return f"bot-{n}"


def _at(day: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)


def sheet(found: Reports) -> Sheet:
    rows = [
        (what, str(len(taken)), f"{quantile(taken, 0.5):.2f}", f"{max(taken):.2f}")
        for what, taken in found.taken.items()
    ]
    return Sheet(
        title=f"The report over {found.legs:,} legs",
        about=f"{ABOUT} {found.transfers:,} transfers, {found.megabytes:,.0f} MB.",
        headings=("report", "n", "p50", "worst"),
        rows=tuple(rows),
    )


def verdict(found: Reports) -> Verdict:
    p50 = quantile(found.taken["whole"], 0.5)
    return Verdict(
        what=f"report over {found.legs:,} legs, SQLite",
        target=f"under {LIMIT_S:g} s",
        figure=f"{p50:.2f} s",
        met=p50 < LIMIT_S,
    )
