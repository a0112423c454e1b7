"""The rules in order, and which of them a lead can fit at all."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from heapq import merge
from time import monotonic

import regex

from callcontrol.core import rules
from callcontrol.core.model import All, Compare, Condition, Operator, Rule, RuleVerdict

TOLD = 50  # rules of which it is said why they do not fit: the nearest before the one that does
PATTERN_S = 0.02
ALL_PATTERNS_S = 0.1  # of one look at the rules


class RuleBook:
    """Rules found by a fact that they need: a thousand cost what the few cost that a lead may fit."""

    def __init__(self, ordered: Sequence[Rule]) -> None:
        self.rules = tuple(ordered)
        self._refusals = [(rule.name, rules.refusal(rule.when)) for rule in self.rules]
        self._others: list[int] = []
        self._needing: Mapping[str, list[int]] = defaultdict(list)  # the fact, whatever it is
        self._needing_value: Mapping[tuple[str, str], list[int]] = defaultdict(list)
        self._needing_prefix: Mapping[tuple[str, str], list[int]] = defaultdict(list)
        self._lengths: Mapping[str, set[int]] = defaultdict(set)  # of the prefixes of a fact
        for n, rule in enumerate(self.rules):
            self._file(n, _needed(rule.when))

    def _file(self, n: int, needed: Compare | None) -> None:
        match needed:
            case None:
                self._others.append(n)
            case Compare(fact=fact, operator=Operator.IS, values=values):
                for value in dict.fromkeys(values):
                    self._needing_value[fact, value].append(n)
            case Compare(fact=fact, operator=Operator.PREFIX, values=values):
                for value in dict.fromkeys(values):
                    self._needing_prefix[fact, value].append(n)
                    self._lengths[fact].add(len(value))
            case Compare(fact=fact):
                self._needing[fact].append(n)

    def _that_may_fit(self, facts: rules.Facts) -> Iterator[list[int]]:
        yield self._others
        for fact, value in facts.values.items():
            if fact in self._needing:
                yield self._needing[fact]
            if (fact, value) in self._needing_value:
                yield self._needing_value[fact, value]
            for length in self._lengths.get(fact, ()):
                if (fact, value[:length]) in self._needing_prefix:
                    yield self._needing_prefix[fact, value[:length]]

    def first_that_fits(self, facts: rules.Facts) -> tuple[Rule | None, int]:
        """The rule, and how many come before it."""
        for n in merge(*self._that_may_fit(facts)):
            if rules.holds(self.rules[n].when, facts):
                return self.rules[n], n
        return None, len(self.rules)

    def verdicts(self, facts: rules.Facts, rule: Rule | None, before: int) -> tuple[RuleVerdict, ...]:
        """Why the rules before it do not fit, the nearest ones each, and then the one that does."""
        room = TOLD if rule is None else TOLD - 1
        told = [
            RuleVerdict(rule=name, fits=False, why=against(facts))
            for name, against in self._refusals[max(0, before - room) : before]
        ]
        if rule is not None:
            told.append(RuleVerdict(rule=rule.name, fits=True, why="fits"))
        if before > room:
            others = RuleVerdict(rule=f"{before - room} rules before these", fits=False, why="do not fit")
            told.append(others)
        return tuple(told)


class Matching:
    """Regular expressions for one look at the rules, bounded each and together.

    It gives the same answer twice, also where that was to give up.
    """

    def __init__(self) -> None:
        self._until = monotonic() + ALL_PATTERNS_S
        self._known: dict[tuple[str, str], bool | None] = {}

    def __call__(self, pattern: str, text: str) -> bool:
        """Raises TimeoutError where it took too long."""
        key = (pattern, text)
        if key not in self._known:
            self._known[key] = self._look(pattern, text)
        found = self._known[key]
        if found is None:
            raise TimeoutError
        return found

    def _look(self, pattern: str, text: str) -> bool | None:
        left = self._until - monotonic()
        compiled = _compiled(pattern)
        if left <= 0 or compiled is None:
            return None
        try:
            return compiled.search(text, timeout=min(PATTERN_S, left)) is not None
        except TimeoutError:
            return None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> regex.Pattern[str] | None:
    try:
        return regex.compile(pattern, regex.IGNORECASE)
    except regex.error:
        return None  # refused when the directory is loaded; a call must not fail for it


_SELECTIVE = (Operator.IS, Operator.PREFIX, Operator.BETWEEN, Operator.MATCHES, Operator.PRESENT)


def _needed(condition: Condition) -> Compare | None:
    """A comparison without which the condition can't hold; of several the one that the fewest leads pass."""
    match condition:
        case Compare(operator=operator):
            return condition if operator in _SELECTIVE else None
        case All(conditions=parts):
            found = [needed for part in parts if (needed := _needed(part)) is not None]
            return min(found, key=lambda needed: _SELECTIVE.index(needed.operator), default=None)
        case _:
            return None
