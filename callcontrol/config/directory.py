"""directory.yaml, read and looked through, as a directory for the database."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from callcontrol.config import references
from callcontrol.config.directory_file import DirectoryFile
from callcontrol.config.document import read
from callcontrol.config.problems import ConfigError, Problem
from callcontrol.config.schema import validate
from callcontrol.config.stranding import stranded, warnings
from callcontrol.core import model as core


def load_directory(
    path: Path,
    warn: Callable[[Problem], None] = lambda _: None,
    own: Collection[core.Agent] = (),
) -> core.Directory:
    """Raises ConfigError, also for references to what isn't there and for bots that could reach nobody.

    `warn` is told what is right and may still surprise. The file may name the site's `own` agents too.
    """
    document = read(path)
    file = validate(DirectoryFile, document)
    if problems := references.problems(file, document, [agent.id for agent in own]):
        raise ConfigError(sorted(problems, key=lambda p: p.line or 0))
    directory = file.to_core()
    whole = replace(directory, agents=(*directory.agents, *own))
    if found := [document.problem(place, what) for place, what in stranded(whole)]:
        raise ConfigError(found)
    for place, what in warnings(whole):
        warn(document.problem(place, what))
    return directory
