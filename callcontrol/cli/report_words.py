"""What a report says in words and numbers, in a terminal and on a page."""

from collections.abc import Iterator

from callcontrol.core.analytics import By, Report
from callcontrol.core.estimate import ENOUGH_CALLS, TOO_LITTLE_DATA, Estimate
from callcontrol.core.model import MissedBecause, Term
from callcontrol.core.tuning import Catch

MISSED = {
    MissedBecause.NO_ONE_AVAILABLE: "nobody could be rung",
    MissedBecause.NO_ANSWER: "nobody answered",
    MissedBecause.LEAD_HUNG_UP: "the lead hung up",
    MissedBecause.CANCELLED: "called off",
    MissedBecause.PBX_RESTARTED: "the PBX restarted",
    MissedBecause.PBX_LOST: "no link to the PBX",
}
TITLES = {
    "answer": "dialled to answered",
    "talking": "requested to talking",
}
UNITS = {
    By.BOT: "transfers",
    By.PATTERN: "transfers",
    By.ATTEMPT: "attempts",
    By.POOL: "attempts",
    By.AGENT: "phones rung",
    By.HOUR: "transfers",
    By.WEEKDAY: "transfers",
}
ENDINGS = "{:,} phones rung: {:,} answered, {:,} refused, {:,} cut (timeout, lost race, lead gone)"


def percent(share: float) -> str:
    return f"{share * 100:.0f} %" if 0.0995 <= share < 0.9995 or share in (0, 1) else f"{share * 100:.1f} %"


def too_little(figure: Estimate) -> str:
    """Few calls, or many none of which rang long enough to tell."""
    return TOO_LITTLE_DATA if figure.calls >= ENOUGH_CALLS else f"{TOO_LITTLE_DATA} ({figure.calls:,})"


def percent_of(figure: Estimate) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return too_little(figure)
    return f"{percent(figure.value)} ({figure.low * 100:.0f}-{figure.high * 100:.0f})"


def seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def seconds_of(figure: Estimate) -> str:
    if figure.value is None:
        return too_little(figure)
    return f"{figure.value:.1f} ({figure.low:.1f}-{figure.high:.1f})"


def span_of(found: Report) -> str:
    since, until = found.span.since, found.span.until
    when = " ".join(
        f"{word} {at.astimezone():%Y-%m-%d %H:%M}" for word, at in (("from", since), ("until", until)) if at
    )
    bot = f", bot {found.span.bot_id}" if found.span.bot_id else ""
    return f"{when or 'all of the history'}{bot}"


def timeouts(found: Report) -> str:
    told = ", ".join(f"{seconds:g} s ({count:,} transfers)" for seconds, count in found.timeouts_s.items())
    return f"ring timeouts in force: {told}"


def advice(found: Report) -> Iterator[str]:
    told = found.advice
    misses = told.second_fallback.misses
    yield f"{misses:,} transfers were missed because nobody answered, or nobody could be rung"
    yield _catch("A fallback number, where none was rung", told.first_fallback)
    yield _catch("A second fallback number, where one was rung", told.second_fallback)
    yield _catch("Wider hours, where someone was kept out by their schedule alone", told.wider_schedule)
    others = {term: n for term, n in told.kept_out.items() if term is not Term.SCHEDULE}
    for term, count in others.items():
        yield f"in {count:,} misses someone was kept out by this alone: {_AGAINST[term]}"


def _catch(what: str, found: Catch) -> str:
    if not found.open_to_it:
        return f"{what}: there were no such misses"
    of = f"{what} ({found.open_to_it:,} misses)"
    caught = found.caught
    if caught.value is None or caught.low is None or caught.high is None:
        return f"{of}: {TOO_LITTLE_DATA} of how such calls are answered ({found.success.calls:,})"
    return (
        f"{of}: about {caught.value:,.0f} caught ({caught.low:,.0f}-{caught.high:,.0f}),"
        f" as {percent_of(found.success)} of {found.success.calls:,} such calls were answered"
    )


_AGAINST = {
    Term.ACTIVE: "not active",
    Term.TOGGLE: "switched off",
    Term.SCHEDULE: "outside their hours",
    Term.ENDPOINT: "no phone",
    Term.LINE: "on the phone, or the phone away",
    Term.WRAP_UP: "wrapping up",
    Term.RESERVED: "rung by another transfer",
    Term.RESTING: "resting after missed rings",
    Term.TRIED: "rung before",
}
