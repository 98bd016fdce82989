"""What an audit finds, as plain values. Shares are between 0 and 1; a change is after less before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


Floats = NDArray[np.float64]
Ints = NDArray[np.signedinteger[Any]]
Bools = NDArray[np.bool_]
Floor = Literal["null", "before"]


@dataclass(frozen=True, slots=True)
class Flips:
    """Shares of pairs of answers, one model of either side: alike, or flipped in one of four ways.

    Attributes:
        unknown: flips at examples whose right answer is not known.
    """

    agreement: float
    right_to_wrong: float
    wrong_to_right: float
    wrong_to_wrong: float
    unknown: float

    @property
    def share(self) -> float:
        """Share of answers that flipped in any way."""
        return 1.0 - self.agreement


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Mean accuracy of both sides, and the paired interval and test of its change."""

    before: float
    after: float
    change: float
    low: float
    high: float
    p: float
    test: str


@dataclass(frozen=True, slots=True)
class Divergence:
    """Mean Kullback-Leibler divergence of the answers' distributions, before from after, in nats, with its interval.

    Attributes:
        floor: the same between models that should be equal; None where there are none with scores.
    """

    mean: float
    low: float
    high: float
    floor: float | None


@dataclass(frozen=True, slots=True)
class Parts:
    """Classes, or the values of a column of groups: arrays with one element for each.

    Attributes:
        names, size: what the parts are called, and how many examples with a known answer each has.
        before, after: mean share of right answers; change: after less before.
        relative, low, high: change less that of the accuracy, and its interval. Negative: the part lost more.
        effect: Cohen's h of the change.
        statistic, freedom, p, q: of the test whether the part changed as the rest did; q by Benjamini and Hochberg over
            the parts of this family. NaN where nothing can be tested.
        flips: share of answers that flipped, at all examples of the part.
        null_relative: `relative` between the sides that should be equal; None without such.
        null_findings: how many parts the same test finds there; None without such.
        test: its name.
    """

    names: tuple[str, ...]
    size: Ints
    before: Floats
    after: Floats
    change: Floats
    relative: Floats
    low: Floats
    high: Floats
    effect: Floats
    statistic: Floats
    freedom: Floats
    p: Floats
    q: Floats
    flips: Floats
    null_relative: Floats | None
    null_findings: int | None
    test: str

    def lost(self, level: float = 0.05) -> Bools:
        """Return True for the parts that lost more than the rest, with at most `level` false discoveries expected."""
        return (self.q <= level) & (self.relative < 0)

    def gained(self, level: float = 0.05) -> Bools:
        """Return True for the parts that lost less or gained more than the rest, in the same sense."""
        return (self.q <= level) & (self.relative > 0)


@dataclass(frozen=True, slots=True)
class Pies:
    """How many examples changed their modal answer, beside how many do by chance.

    Attributes:
        share: of all examples, all models voting.
        size: models a side that vote in the next two, so that both rest on equally many; 0 without a floor.
        at_size, floor: share of PIEs between `size` models of both sides, and between two times `size` models that
            should be equal; means over draws where models can be drawn. None without such models.
    """

    share: float
    size: int
    at_size: float | None
    floor: float | None


@dataclass(frozen=True, slots=True)
class Examples:
    """One element per example.

    Attributes:
        ids: what the example is called.
        label: code of its right answer, -1 where it is not known; None if none is.
        known: whether it is known which answers are right.
        answer_before, answer_after: codes of the modal answers, -1 for no answer.
        right_before, right_after: share of models that are right; NaN where that is not known.
        votes_before, votes_after: share of models that give the modal answer.
        pie: whether the modal answer changed. score: taxicab distance of the votes, 0 to 2.
        p, q: Fisher's exact test of the models that are right, where both sides have several; else NaN.
        divergence: mean over pairs of models, in nats; margin_before, margin_after: mean difference of the two
            largest chances. None without scores.
    """

    ids: Sequence[str]
    label: Ints | None
    known: Bools
    answer_before: Ints
    answer_after: Ints
    right_before: Floats
    right_after: Floats
    votes_before: Floats
    votes_after: Floats
    pie: Bools
    score: Floats
    p: Floats
    q: Floats
    divergence: Floats | None
    margin_before: Floats | None
    margin_after: Floats | None

    def forgotten(self, level: float = 0.05) -> Bools:
        """Return True where fewer models are right, with at most `level` false discoveries expected."""
        return (self.q <= level) & (self.right_after < self.right_before)

    def gained(self, level: float = 0.05) -> Bools:
        """Return True where more models are right, in the same sense."""
        return (self.q <= level) & (self.right_after > self.right_before)


@dataclass(frozen=True, slots=True)
class Audit:
    """What became of the answers of one set of models in another, beside what chance gives.

    Attributes:
        models: how many before, after, and in the second population that should equal the first (0: none).
        paired: whether model k after was made from model k before.
        about: one sentence on what the findings are about; print it with them.
        n, known: examples, and those whose right answers are known.
        flips, floor_flips: before against after, and between models that should be equal (None without such).
        floor: where those come from: "null", a second population, or "before", the first among itself.
        accuracy, floor_accuracy: likewise; None where no right answer is known.
        classes, groups: `Parts`; None where no class is known; a column's name to its parts.
        answers: the text of each code.
        columns: what else is known of each example (`show`), a column's name to its values.
        notes: sentences on what was left out and why.
        level: of intervals and findings.
    """

    models: tuple[int, int, int]
    paired: bool
    about: str
    n: int
    known: int
    flips: Flips
    floor_flips: Flips | None
    floor: Floor | None
    accuracy: Accuracy | None
    floor_accuracy: Accuracy | None
    divergence: Divergence | None
    classes: Parts | None
    groups: Mapping[str, Parts]
    pies: Pies
    examples: Examples
    forgotten: int | None
    gained: int | None
    floor_findings: int | None
    answers: Sequence[str]
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    level: float = 0.05

    def answer(self, code: int) -> str:
        """Return the text of an answer."""
        return self.answers[code] if code >= 0 else "no answer"
