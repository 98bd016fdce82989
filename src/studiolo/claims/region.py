"""Regions of values that agree with a claim, and the intervals that are held against them."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from .table import shown


CLOSED = ("at_least", "at_most", "between", "within")
OPEN = ("above", "below")


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the two ends between which the truth lies; infinite where nothing is known."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.4g} ({self.low:.4g} to {self.high:.4g})"


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of the number line that agrees with a claim.

    Closed regions (`at_least`, `at_most`, `between`, `within`) hold their edges, open ones (`above`, `below`) do
    not. The comparisons matter: on values that tie at the edge an open region tested with >= would always hold.

    Args:
        kind: one of `CLOSED` and `OPEN`.
        numbers: one edge, or for `between` two edges, or for `within` the target and a factor above 1: from
            target / factor to target * factor.

    Raises:
        ValueError: an unknown kind, a wrong count of numbers, edges in the wrong order, a target that is not
            positive; says what was found and what is allowed.
    """

    kind: str
    numbers: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind not in CLOSED + OPEN:
            raise ValueError(f"found {self.kind!r}; allowed: {', '.join(CLOSED + OPEN)}")
        found = f"found {self.kind} = {_shown(self.numbers)}"
        if not all(map(math.isfinite, self.numbers)):
            raise ValueError(f"{found}; allowed: finite numbers")
        if self.kind == "between":
            if len(self.numbers) != 2 or self.numbers[0] > self.numbers[1]:
                raise ValueError(f"{found}; allowed: two numbers, the smaller one first")
        elif self.kind == "within":
            if len(self.numbers) != 2 or self.numbers[0] <= 0 or self.numbers[1] <= 1:
                raise ValueError(f"{found}; allowed: a target above 0 and a factor above 1")
        elif len(self.numbers) != 1:
            raise ValueError(f"{found}; allowed: one number")

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Self:
        """Read `{ at_least = 1.5 }` or `{ within = [1.8, 1.25] }` as TOML gives it.

        Raises:
            ValueError: not exactly one known kind, or numbers that make no region; says which.
        """
        if len(table) != 1:
            found = ", ".join(table) or "nothing"
            raise ValueError(f"found {found}; allowed: exactly one of {', '.join(CLOSED + OPEN)}")
        ((kind, given),) = table.items()
        numbers = given if isinstance(given, list) else [given]
        if any(isinstance(x, bool) or not isinstance(x, (int, float)) for x in numbers):
            raise ValueError(f"found {kind} = {shown(given)}; allowed: numbers")
        if any(abs(x) > sys.float_info.max for x in numbers):
            raise ValueError(f"found {kind} = {shown(given)}; allowed: finite numbers")
        return cls(kind, tuple(map(float, numbers)))

    @property
    def low(self) -> float:
        """The lower edge, -inf where there is none."""
        if self.kind == "within":
            return self.numbers[0] / self.numbers[1]
        return -math.inf if self.kind in ("at_most", "below") else self.numbers[0]

    @property
    def high(self) -> float:
        """The upper edge, inf where there is none."""
        if self.kind == "within":
            return self.numbers[0] * self.numbers[1]
        return math.inf if self.kind in ("at_least", "above") else self.numbers[-1]

    def contains(self, x: float) -> bool:
        """Whether the value agrees. An infinite value lies in a region without an edge on its side, NaN in none."""
        return not (math.isnan(x) or self._below(x) or self._beyond(x))

    def contains_interval(self, interval: Interval) -> bool:
        """Whether every value of the interval agrees: the claim holds."""
        return self.contains(interval.low) and self.contains(interval.high)

    def excludes(self, interval: Interval) -> bool:
        """Whether no value of the interval agrees: the claim does not hold."""
        return self._below(interval.high) or self._beyond(interval.low)

    def covers(self, other: Region) -> bool:
        """Whether every value that agrees with `other` agrees with this region too."""
        low_is_open = other.kind == "above" and self.low == other.low
        high_is_open = other.kind == "below" and self.high == other.high
        return (low_is_open or self.contains(other.low)) and (
            high_is_open or self.contains(other.high)
        )

    def _below(self, x: float) -> bool:
        return x <= self.low if self.kind == "above" else x < self.low

    def _beyond(self, x: float) -> bool:
        return x >= self.high if self.kind == "below" else x > self.high

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')} {_shown(self.numbers)}"


def _shown(numbers: tuple[float, ...]) -> str:
    shown = [f"{x:g}" for x in numbers]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
