"""What an experiment returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one seed of one experiment.

    Attributes:
        values: named numbers; claims and bar charts read these. Units are in the name where there is one (`step_s`).
        arrays: named arrays, or nested lists of numbers, for curves, maps and galleries.
        files: file name (with its suffix) -> content, for what is neither.
    """

    values: Mapping[str, float]
    arrays: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
