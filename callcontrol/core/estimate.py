"""Figures with their intervals, and with the number of calls behind them. All intervals are for 95 %.

Shares have Wilson's score interval (E. B. Wilson, JASA 22, 1927, 209-212), which keeps its promise for
small numbers and near 0 and 1 (Brown, Cai and DasGupta, Statistical Science 16, 2001, 101-133).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

Z = 1.959963984540054  # the normal distribution's 97.5 % point
ENOUGH_CALLS = 30  # with fewer a figure would be taken for more than it is
TOO_LITTLE_DATA = "too little data"


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A figure from `calls` calls; no value where they are too few."""

    value: float | None
    low: float | None
    high: float | None
    calls: int

    def times(self, factor: float) -> "Estimate":
        if self.value is None or self.low is None or self.high is None:
            return self
        return Estimate(
            value=self.value * factor, low=self.low * factor, high=self.high * factor, calls=self.calls
        )


def unknown(calls: int) -> Estimate:
    return Estimate(value=None, low=None, high=None, calls=calls)


def share(part: int, whole: int, *, enough: int = ENOUGH_CALLS) -> Estimate:
    if whole < max(enough, 1):
        return unknown(whole)
    low, high = wilson(part, whole)
    return Estimate(value=part / whole, low=low, high=high, calls=whole)


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Wilson's interval for `part` of `whole`, which is not 0."""
    p, z2 = part / whole, Z * Z
    middle = p + z2 / (2 * whole)
    reach = Z * sqrt(p * (1 - p) / whole + z2 / (4 * whole * whole))
    scale = 1 + z2 / whole
    low = 0.0 if part == 0 else (middle - reach) / scale
    high = 1.0 if part == whole else (middle + reach) / scale
    return low, high


def quantile(counts: Mapping[int, int], q: float) -> int | None:
    """The least value that a share `q` of what was counted does not exceed; none of nothing."""
    total, seen = sum(counts.values()), 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= q * total:
            return value
    return None
