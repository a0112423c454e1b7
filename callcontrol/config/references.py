"""What a directory file names: each once, and nothing that isn't there."""

from collections.abc import Collection, Iterator

from callcontrol.config.conditions import During, Fact, leaves
from callcontrol.config.directory_file import DirectoryFile
from callcontrol.config.document import Document
from callcontrol.config.problems import Place, Problem, did_you_mean


def problems(file: DirectoryFile, document: Document, own: Collection[str] = ()) -> list[Problem]:
    """`own`: the ids of the site's own agents, whom a file may name."""
    return [*_repeated(file, document), *_dangling(file, document, own), *_zoneless(file, document)]


def _zoneless(file: DirectoryFile, document: Document) -> Iterator[Problem]:
    if file.zone is not None:
        return
    what = "has no zone; add one such as America/Denver, or a `zone:` for all at the top of the file"
    for n, agent in enumerate(file.agents):
        if agent.zone is None:
            yield document.problem(("agents", n), what)
    for place, leaf in _leaves(file):
        if isinstance(leaf, During) and leaf.zone is None:
            yield document.problem(place, what)


def _leaves(file: DirectoryFile) -> Iterator[tuple[Place, Fact | During]]:
    for n, rule in enumerate(file.rules):
        yield from leaves(rule.when, ("rules", n, "when"))


def _repeated(file: DirectoryFile, document: Document) -> list[Problem]:
    named: list[tuple[Place, str]] = []
    for kind in ("agents", "pools", "bots", "leads"):
        named += [((kind, n, "id"), f"{kind}:{item.id}") for n, item in enumerate(getattr(file, kind))]
    named += [(("rules", n, "name"), f"rules:{rule.name}") for n, rule in enumerate(file.rules)]
    for p, pool in enumerate(file.pools):
        named += [
            (("pools", p, "agents", n), f"pool {pool.id}:{agent}")
            for n, agent in enumerate(pool.agents or ())
        ]
    first: dict[str, Place] = {}
    problems = []
    for place, name in named:
        if name in first:
            line = document.lines.get(first[name])
            what = f"{name.partition(':')[2]!r} is given twice, first in line {line}; keep one"
            problems.append(document.problem(place, what))
        first.setdefault(name, place)
    return problems


def _dangling(file: DirectoryFile, document: Document, own: Collection[str]) -> Iterator[Problem]:
    known: dict[str, Collection[str]] = {
        "agent": dict.fromkeys((*(agent.id for agent in file.agents), *own)),
        "pool": dict.fromkeys(pool.id for pool in file.pools),
        "bot": dict.fromkeys(bot.id for bot in file.bots),
        "calendar": file.holidays,
        "list of contacts": file.contacts,
    }
    for place, what, name in _references(file):
        if name not in known[what]:
            hint = did_you_mean(name, list(known[what]))
            yield document.problem(place, f"there is no {what} {name!r} in this file{_nor(what, own)}{hint}")


def _nor(what: str, own: Collection[str]) -> str:
    return ", nor in the site's own table" if what == "agent" and own else ""


def _references(file: DirectoryFile) -> Iterator[tuple[Place, str, str]]:
    """Where something is named, what it should be, and its name."""
    for n, agent in enumerate(file.agents):
        if agent.holidays is not None:
            yield ("agents", n, "holidays"), "calendar", agent.holidays
    for p, pool in enumerate(file.pools):
        for n, member in enumerate(pool.agents or ()):
            yield ("pools", p, "agents", n), "agent", member
    for n, rule in enumerate(file.rules):
        yield ("rules", n, "pool"), "pool", rule.pool
    for place, leaf in _leaves(file):
        if isinstance(leaf, Fact) and leaf.fact == "bot":
            for name in (*(leaf.is_ or ()), *(leaf.is_not or ())):
                yield place, "bot", name
    yield from _lists(file)
    for n, lead in enumerate(file.leads):
        if lead.agent:
            yield ("leads", n, "agent"), "agent", lead.agent


def _lists(file: DirectoryFile) -> Iterator[tuple[Place, str, str]]:
    for n, bot in enumerate(file.bots):
        for key, actions in (("on_connected", bot.on_connected), ("on_missed", bot.on_missed)):
            for m, name in enumerate(actions.notify_lists):
                yield ("bots", n, key, "notify_lists", m), "list of contacts", name
