"""What a paper folder says about itself: plain, frozen data. `schema.load_paper` makes it, nothing here reads files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from studiolo.errors import PaperError

from .region import Region
from .statistics import ALPHA


EXACT_SEEDS = 2  # of an exact claim: the second shows that its value does not vary
MOST_SEEDS = 1000
SCALES = ("toy", "reduced", "paper")  # from the smallest

By = Literal["paper", "us", "code"]


@dataclass(frozen=True, slots=True)
class Scale:
    """At which size a claim is measured here, beside the paper's size. Never part of the verdict; empty for checks."""

    kind: str
    paper: str
    here: str


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that an efficiency claim can reach at the size that is run, and the count that says so.

    `value` is None where only the reason is known. Of a region with an upper edge alone it is the least.
    """

    value: float | None
    why: str = ""

    def __str__(self) -> str:
        return ", ".join(filter(None, ["" if self.value is None else f"{self.value:g}", self.why]))


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence with the region of values that agree with it and how they are measured.

    `by` says whose sentence it is: the paper's, in our own words; ours (`us`), asked beyond the paper; or a check, which
    is true of our code by construction (`code`). A claim either measures (`run`, `metric`, `region`) or joins others
    (`all_of`; then `run` and `metric` are empty, `region` is None and `seeds` is 0). `was` holds the ids that it had
    before, and `reworded` its author's reason for a rule changed after results. docs/claims.md explains every field.
    """

    id: str
    says: str
    where: str
    source: str
    scale: Scale
    by: By = "paper"
    states: float | None = None
    ceiling: Ceiling | None = None
    run: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    metric: str = ""
    region: Region | None = None
    weaker: Region | None = None
    why: str = ""
    statistic: str = "median"
    seeds: int = 0
    controls: tuple[str, ...] = ()
    against: str = ""
    needs: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    failure: str = "error"
    series: int = 0
    timeout_s: float = 120.0
    timing: bool = False
    like: str = ""
    tolerance: float = 0.0
    was: tuple[str, ...] = ()
    reworded: str = ""

    @property
    def rule(self) -> str:
        """8 hex digits of what judges the seeds of a record, as records keep them; another value asks for fresh seeds.

        A change of run, config or code needs no place here: it makes fresh records by itself. What was tried is counted
        by `rule_of`, which leaves nothing out.
        """
        decides = [
            self.metric,
            *([r.kind, *r.numbers] if r else None for r in (self.region, self.weaker)),
            self.statistic,
            1 if self.statistic == "exact" else self.seeds,  # as before it was asked for twice
            self.failure,
            ALPHA,
            self.series,
            self.all_of,
        ]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: the array that it shows (or fixed labels, for bars), its label with the unit, and its scale."""

    label: str = ""
    array: str = ""
    scale: str = "linear"
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """One drawn line, point set or group of bars.

    `array` names an Outcome array; `values` names Outcome values, one per bar. `role` is measured, theory or baseline.
    """

    label: str
    array: str = ""
    values: tuple[str, ...] = ()
    role: str = "measured"


@dataclass(frozen=True, slots=True)
class Point:
    """A point that the paper prints."""

    x: float
    y: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture drawn from records alone. `images` and `captions` name arrays of a gallery, (k, h, w) and (k,)."""

    id: str
    title: str
    description: str
    run: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    x: Axis = Axis()
    y: Axis = Axis()
    z: Axis = Axis()
    series: tuple[Series, ...] = ()
    points: tuple[Point, ...] = ()
    images: str = ""
    captions: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What this paper's claims say to a question that stands on a reader's list under the work `work`."""

    work: str
    question: str
    says: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper folder's `paper.toml`. Keys are plain strings such as "arxiv:1912.07242"."""

    folder: Path
    key: str
    title: str
    authors: tuple[str, ...]
    year: int
    version: str = ""
    also: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    figures: tuple[Figure, ...] = ()
    answers: tuple[Answer, ...] = ()

    @property
    def slug(self) -> str:
        """The folder's name, by which the paper is called everywhere."""
        return self.folder.name

    @property
    def papers_claims(self) -> tuple[Claim, ...]:
        """What the paper says, controls left out: the only claims that are counted."""
        return self._by("paper")

    @property
    def our_questions(self) -> tuple[Claim, ...]:
        """What we ask beyond the paper, controls left out."""
        return self._by("us")

    @property
    def checks(self) -> tuple[Claim, ...]:
        """What is true of our code by construction, controls left out."""
        return self._by("code")

    def _by(self, by: By) -> tuple[Claim, ...]:
        controls = set(self.controls)
        return tuple(c for c in self.claims if c.by == by and c.id not in controls)

    @property
    def controls(self) -> tuple[str, ...]:
        """Ids of the claims that some claim names as a control, in the order of the file."""
        named = {name for claim in self.claims for name in claim.controls}
        return tuple(claim.id for claim in self.claims if claim.id in named)

    def claim(self, id: str) -> Claim:
        """Return the claim of that id.

        Raises:
            PaperError: there is none; says which there are.
        """
        for claim in self.claims:
            if claim.id == id:
                return claim
        known = ", ".join(claim.id for claim in self.claims) or "none"
        raise PaperError(f"{self.slug} has no claim {id!r}; its claims: {known}.")
