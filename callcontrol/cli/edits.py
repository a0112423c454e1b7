"""A change to the stored directory, made by a command: read, changed, checked, and written back."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from callcontrol.adapters.sql import SqlStore
from callcontrol.cli.common import RefusedError
from callcontrol.config.stranding import stranded
from callcontrol.core.model import Directory


async def edit(store: SqlStore, change: Callable[[Directory], Directory]) -> Sequence[str]:
    """What changed, each a line. Raises RefusedError where a bot would be left with nobody."""
    changed = change(await store.export(with_leads=False))
    whole = replace(changed, agents=(*changed.agents, *await store.own_agents()))
    if found := [what for _, what in stranded(whole)]:
        raise RefusedError("; ".join(found))
    return await store.apply(changed)
