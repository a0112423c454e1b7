"""When a task that nobody touches is brought before the owner, and when the lead must be left in peace.

Quiet hours are wall time where the lead is. A number may belong to several zones: then it is quiet while
it is quiet in any of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from callcontrol.core.followup import FollowUp, Notice, Occasion, Recipient, TextOut, Word
from callcontrol.core.model import Agent, Bot, Lead, TransferId

_DAY_MIN = 1440
_MOST_ROUNDS = 30  # from zone to zone; more means that it is never the right time everywhere


@dataclass(frozen=True, kw_only=True, slots=True)
class QuietHours:
    """Minutes after midnight. `end_min` at or before `start_min` runs over midnight; equal: no quiet hours."""

    start_min: int = 21 * 60
    end_min: int = 8 * 60


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRules:
    """How a site goes about its tasks."""

    due_s: float = 300.0  # after the miss
    again_s: float = 900.0  # after the last text, or after somebody last touched the task
    at_most: int = 3  # texts about one task; 0: none
    quiet: QuietHours = QuietHours()
    shortest_talk_s: float = 0.0  # a shorter talk leaves the task open


def due_at(made_at: datetime, rules: TaskRules) -> datetime:
    return made_at + timedelta(seconds=rules.due_s)


def first_at(made_at: datetime, rules: TaskRules) -> datetime | None:
    """When a new task escalates, if nobody touches it; none: never."""
    return due_at(made_at, rules) if rules.at_most > 0 else None


def next_at(sent: int, now: datetime, rules: TaskRules) -> datetime | None:
    """When it escalates after something happened `now`, `sent` texts being out; none: no more."""
    return now + timedelta(seconds=rules.again_s) if sent < rules.at_most else None


def quiet_until(now: datetime, zones: Sequence[tzinfo], hours: QuietHours) -> datetime | None:
    """The end of the quiet hours that `now` falls into; none where the lead may be called."""
    at = now = now.astimezone(UTC)  # two times of one zone would be compared by the clock on the wall
    for _ in range(_MOST_ROUNDS):
        ends = [end for zone in zones if (end := _quiet_until(at, zone, hours)) is not None]
        if not ends:
            break
        at = max(ends)
    return None if at == now else at


def _quiet_until(now: datetime, zone: tzinfo, hours: QuietHours) -> datetime | None:
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    length = (hours.end_min - hours.start_min) % _DAY_MIN
    if (minute - hours.start_min) % _DAY_MIN >= length:
        return None
    day = local.date() + timedelta(days=1 if minute >= hours.end_min else 0)
    end = _instant(day, hours.end_min, zone)
    # The change from summer time repeats an hour: if this is its second run, so is the end.
    return end if end > now else _instant(day, hours.end_min, zone, fold=1)


def _instant(day: date, minute: int, zone: tzinfo, fold: int = 0) -> datetime:
    wall = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone, fold=fold)
    return wall.astimezone(UTC)


def told(
    transfer_id: TransferId, lead: Lead, bot: Bot, assigned: Agent | None, *, waited: timedelta, word: Word
) -> FollowUp:
    """The text to the owner; to the lead's agent where there is none."""
    agent = assigned if bot.owner is None else None
    recipient, who = (Recipient.OWNER, bot.owner) if bot.owner else (Recipient.AGENT, agent)
    if who is None or who.phone is None:
        return FollowUp(warnings=("nobody to text: no owner and no assigned agent with a number",))
    worded = word(
        Notice(
            occasion=Occasion.OVERDUE,
            recipient=recipient,
            name=who.name,
            transfer_id=transfer_id,
            bot=bot,
            lead=lead,
            assigned=assigned,
            waited_min=round(waited.total_seconds() / 60),
        )
    )
    agent_id = None if agent is None else agent.id
    text = TextOut(recipient=recipient, to=who.phone, body=worded.body, agent_id=agent_id)
    return FollowUp(texts=(text,), warnings=(worded.warning,) if worded.warning else ())
