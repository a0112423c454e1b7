"""Agents as a site's own table has them: cleaned row by row, so that one bad row keeps nobody else out.

They are taken over into `agent`, marked as the site's own, and rung by the same terms as any other. Whom
directory.yaml has too is directory.yaml's: there such an agent may be given hours and further phones.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callcontrol.core import cleaning
from callcontrol.core.model import AcceptBy, Agent, AgentId, Directory, Endpoint, EndpointKind, Window

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_EXTENSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TAG = re.compile(r"[^\W_][\w.:-]{0,63}")
_HEAVIEST = 100
_LONGEST_WRAP_UP_S = 3600.0
_ALWAYS = tuple(Window(weekday=day, start_min=0, end_min=1440) for day in range(7))
_YES = frozenset({"1", "t", "true", "y", "yes", "on"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """The site's agents at one moment, in the query's order."""

    agents: tuple[Agent, ...] = ()
    unreadable: frozenset[AgentId] = frozenset()  # they stay as they were
    remarks: tuple[str, ...] = ()  # what is wrong with which, for people; nothing personal

    @property
    def empty(self) -> bool:
        """Rather a table that is being filled just now than a site that has let everybody go."""
        return not self.agents and not self.unreadable


def snapshot(rows: Iterable[Mapping[str, Any]]) -> Snapshot:
    agents: dict[AgentId, Agent] = {}
    unreadable: set[AgentId] = set()
    remarks: list[str] = []
    for row in rows:
        name = f"agent {str(row['id'])[:64]!r}"
        try:
            agent = _agent(row, lambda remark, name=name: remarks.append(f"{name}: {remark}"))
            if agent.id in agents:
                raise ValueError("is there twice; the first counts")  # noqa: TRY301 - said like the others
        except ValueError as error:
            remarks.append(f"{name} is left as it was: {error}")
            unreadable.add(AgentId(word(row["id"])))
        else:
            agents[agent.id] = agent
    return Snapshot(
        agents=tuple(agents.values()),
        unreadable=frozenset(unreadable - agents.keys()),
        remarks=tuple(remarks),
    )


def merged(directory: Directory, own: Iterable[Agent]) -> Directory:
    """With the site's own agents after its own; whom both have is the directory's."""
    named = {agent.id for agent in directory.agents}
    more = tuple(agent for agent in own if agent.id not in named)
    return replace(directory, agents=(*directory.agents, *more))


def word(value: Any) -> str:
    return "" if value is None else str(value).strip()


def yes(value: Any) -> bool:
    return value.strip().casefold() in _YES if isinstance(value, str) else bool(value)


def _agent(row: Mapping[str, Any], remark: Any) -> Agent:
    """Raises ValueError where this can't be an agent; `remark` is told of what is left out."""
    agent_id = word(row["id"])
    if not _ID.fullmatch(agent_id):
        raise ValueError("an id has letters, digits and _ . @ - (at most 64)")
    return Agent(
        id=AgentId(agent_id),
        name=cleaning.line(word(row["name"])) or agent_id,
        active=yes(row["active"]),
        available=True,  # at first; afterwards the agent's own toggle, or the availability query, counts
        zone=_zone(word(row["zone"])),
        schedule=_ALWAYS,
        endpoints=tuple(_endpoints(row)),
        phone=_phone(row, remark),
        tags=frozenset((*_tags(row, "tags", "", remark), *_tags(row, "languages", "lang:", remark))),
        weight=int(_between(row, "weight", 1, _HEAVIEST, remark, missing=1)),
        wrap_up_s=_between(row, "wrap_up_s", 0, _LONGEST_WRAP_UP_S, remark, missing=0),
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name[:64]!r} is no IANA time zone") from None


def _endpoints(row: Mapping[str, Any]) -> Iterator[Endpoint]:
    """A desk phone, and a number outside, which is asked for a key."""
    extension, given = word(row["extension"]), word(row.get("number"))
    if extension:
        if not _EXTENSION.fullmatch(extension):
            raise ValueError("an extension has letters, digits, _ and - only")
        yield Endpoint(kind=EndpointKind.EXTENSION, address=extension, accept_by=AcceptBy.ANSWER)
    if given:
        number = _e164(given)
        if not number:
            raise ValueError("its number is not E.164, such as +13035550101")
        yield Endpoint(kind=EndpointKind.NUMBER, address=number, accept_by=AcceptBy.KEY)


def _phone(row: Mapping[str, Any], remark: Any) -> str | None:
    given = word(row["phone"])
    if given and not _e164(given):
        remark("its phone is not E.164, such as +13035550101: no texts are sent to it")
    return _e164(given) or None


def _e164(given: str) -> str:
    number = cleaning.number(given)
    return number if number.startswith("+") else ""


def _tags(row: Mapping[str, Any], column: str, prefix: str, remark: Any) -> Iterator[str]:
    """A list of the database's, or words between commas."""
    given = row.get(column)
    words: Sequence[Any] = given if isinstance(given, list | tuple) else word(given).split(",")
    for one in words:
        tag = word(one).casefold()
        if _TAG.fullmatch(tag):
            yield f"{prefix}{tag}"
        elif tag:
            remark(f"{tag[:64]!r} in its {column} can't be a tag: letters, digits and _ . : - (at most 64)")


def _between(
    row: Mapping[str, Any], column: str, least: float, most: float, remark: Any, *, missing: float
) -> float:
    given = word(row.get(column))
    if not given:
        return missing
    try:
        value = float(given)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        remark(f"its {column} is not from {least:g} to {most:g}, so it is {missing:g}")
        return missing
    return value
