"""What is wrong with a configuration file: where, and what would be right."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    file: str
    line: int | None  # counted from 1; none where the whole file is meant
    key: str  # "agents[2].zone"; empty for the whole file
    what: str  # what is wrong and what would be right

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.what}" if self.key else f"{place}: {self.what}"


class ConfigError(Exception):
    """A configuration that can't be used. Every problem found is in it, each a line for people."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


Place = tuple[str | int, ...]
"""The way to a value from the top of its document: keys, and indexes into lists."""


def written(place: Place) -> str:
    """`("agents", 2, "zone")` as people write it: `agents[2].zone`."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def did_you_mean(given: str, known: Sequence[str]) -> str:
    """`; did you mean 'alice'?`, or nothing where nothing is near."""
    near = get_close_matches(given, known, n=1, cutoff=0.6) or get_close_matches(
        given.casefold(), known, n=1, cutoff=0.6
    )
    return f"; did you mean {near[0]!r}?" if near else ""
