"""From answers in numbers to findings: the arithmetic of an audit, with no file and no model in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .result import (
    Accuracy,
    Audit,
    Bools,
    Divergence,
    Examples,
    Flips,
    Floats,
    Floor,
    Ints,
    Parts,
    Pies,
)
from .statistics import (
    Change,
    benjamini_hochberg,
    cohens_h,
    fisher,
    paired_change,
    population_change,
    relative_change,
    scaled_by_null,
)
from .votes import Ballots, agreement, agreement_within, differ, modal_answers, taxicab


NO_ANSWER = -1
DRAWS = 10
SCALED = ", scaled by what training again moves"
RETRAINED = (  # python bench/audit.py retrained
    "Without a null an audit of one model a side finds something among the classes in 86 of 100 pairs of networks that "
    "were merely trained again, and in the accuracy in 30 of 100 (Fashion-MNIST, 10 classes, 10,000 examples)."
)


@dataclass(frozen=True, slots=True)
class Scores:
    """What the scores of the models said beyond their answers.

    Attributes:
        divergence: (pairs, examples) in nats; null: the same between before and a second population.
        margin_before, margin_after: (examples,).
    """

    divergence: Floats
    null: Floats | None
    margin_before: Floats
    margin_after: Floats


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that is compared, in numbers: codes of answers, -1 for none.

    Attributes:
        before, after, null: (models, examples).
        label: (examples,), -1 where it is not known; None if none is.
        right_before, right_after, right_null: whether the answers are right; None: they are where they equal `label`.
        known: the examples where that is known; None: those with a label.
        groups: a column's name to its codes, -1 for no group, and their names.
    """

    before: Ints
    after: Ints
    null: Ints | None = None
    label: Ints | None = None
    right_before: Bools | None = None
    right_after: Bools | None = None
    right_null: Bools | None = None
    known: Bools | None = None
    answers: Sequence[str] = ()
    groups: Mapping[str, tuple[Ints, Sequence[str]]] = field(default_factory=dict)
    ids: Sequence[str] = ()
    scores: Scores | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Right:
    """Which answers are right, (models, examples), False where that is not known."""

    before: Bools
    after: Bools
    null: Bools | None
    known: Bools

    @classmethod
    def of(cls, material: Material) -> _Right:
        n = material.before.shape[1]
        if material.right_before is not None and material.right_after is not None:
            known = np.ones(n, bool) if material.known is None else material.known
            null = None if material.right_null is None else material.right_null & known
            return cls(material.right_before & known, material.right_after & known, null, known)
        label = np.full(n, NO_ANSWER) if material.label is None else material.label
        known = label >= 0
        null = None if material.null is None else (material.null == label) & known
        before, after = ((side == label) & known for side in (material.before, material.after))
        return cls(before, after, null, known)


def compare(
    material: Material,
    *,
    paired: bool = False,
    level: float = 0.05,
    draws: int = DRAWS,
    seed: int = 0,
) -> Audit:
    """Return the audit of what was answered before and after.

    Args:
        paired: model k after was made from model k before, and both sides have as many.
        level: of the false discovery rate, and of what intervals leave out.
        draws: how often models are drawn for the PIEs of equally many.
    """
    k0, k1 = len(material.before), len(material.after)
    k2 = 0 if material.null is None else len(material.null)
    right = _Right.of(material)
    sides = [material.before, material.after] + ([] if material.null is None else [material.null])
    answers = np.concatenate(sides)
    ballots = Ballots.of(answers)
    first, second, third = range(k0), range(k0, k0 + k1), range(k0 + k1, k0 + k1 + k2)
    before, after = ballots.count(first), ballots.count(second)
    alike = (
        np.mean(material.before == material.after, axis=0)
        if paired
        else agreement(before, after, k0, k1)
    )
    floor: Floor | None = "null" if k2 else "before" if k0 > 1 else None
    floor_flips = None
    if k2:
        null_alike = agreement(before, ballots.count(third), k0, k2)
        floor_flips = _flips(null_alike, right.before, right.null, right.known, paired=False)
    elif k0 > 1:
        floor_flips = _flips(
            agreement_within(before, k0), right.before, None, right.known, paired=False
        )
    any_known = bool(right.known.any())
    p = q = np.full(answers.shape[1], np.nan)
    forgotten = gained = floor_findings = None
    if min(k0, k1) > 1 and any_known:
        p = _example_p(right.before, right.after, right.known)
        q = benjamini_hochberg(p)
    examples = Examples(
        ids=material.ids,
        label=material.label,
        known=right.known,
        answer_before=modal_answers(answers, ballots, first),
        answer_after=modal_answers(answers, ballots, second),
        right_before=np.where(right.known, right.before.mean(0), np.nan),
        right_after=np.where(right.known, right.after.mean(0), np.nan),
        votes_before=before.max(1) / k0,
        votes_after=after.max(1) / k1,
        pie=differ(before, after),
        score=taxicab(before, after, k0, k1),
        p=p,
        q=q,
        divergence=None if material.scores is None else material.scores.divergence.mean(0),
        margin_before=None if material.scores is None else material.scores.margin_before,
        margin_after=None if material.scores is None else material.scores.margin_after,
    )
    if min(k0, k1) > 1 and any_known:
        forgotten, gained = int(examples.forgotten(level).sum()), int(examples.gained(level).sum())
        if right.null is not None and k2 > 1:
            null_q = benjamini_hochberg(_example_p(right.before, right.null, right.known))
            floor_findings = int((null_q <= level).sum())
    flipped = 1.0 - alike
    return Audit(
        models=(k0, k1, k2),
        paired=paired,
        about=_about(k0, k1, k2, paired=paired),
        n=answers.shape[1],
        known=int(right.known.sum()),
        flips=_flips(alike, right.before, right.after, right.known, paired=paired),
        floor_flips=floor_flips,
        floor=floor,
        accuracy=_accuracy(
            right.before, right.after, right.known, right.null, paired=paired, level=level
        ),
        floor_accuracy=None
        if right.null is None
        else _accuracy(
            right.before,
            right.null[: 1 if k1 == 1 else None],
            right.known,
            None,
            paired=False,
            level=level,
        ),
        divergence=None if material.scores is None else _divergence(material.scores, level),
        classes=None
        if material.label is None or not any_known
        else _parts(material.label, material.answers, right, flipped, paired=paired, level=level),
        groups={
            column: _parts(codes, names, right, flipped, paired=paired, level=level)
            for column, (codes, names) in material.groups.items()
        },
        pies=_pies(
            ballots, (first, second, third), examples.pie, paired=paired, draws=draws, seed=seed
        ),
        examples=examples,
        forgotten=forgotten,
        gained=gained,
        floor_findings=floor_findings,
        answers=material.answers,
        columns=material.columns,
        notes=material.notes
        if max(k0, k1) > 1 or k2 or not any_known
        else (*material.notes, RETRAINED),
        level=level,
    )


def _about(k0: int, k1: int, k2: int, *, paired: bool) -> str:
    if k0 == k1 == 1 and not k2:
        return (
            "One model a side and nothing to compare their differences with: this is about these two models, not about "
            "what was done to them, because training again flips answers too."
        )
    if k0 == k1 == 1:
        others = (
            "another model that should equal" if k2 == 1 else f"{k2} other models that should equal"
        )
        return f"One model a side, judged beside {others} the one before."
    if 1 in (k0, k1):
        side = "before" if k0 > 1 else "after"
        return f"One model against the spread of the {max(k0, k1)} {side}, which are taken to be independent."
    if paired:
        return f"{k0} models, each before and after: about making one from the other, on these examples."
    return f"{k0} models before and {k1} after, taken to be independent: about training such models, on these examples."


def _flips(
    alike: Floats, before: Bools, after: Bools | None, known: Bools, *, paired: bool
) -> Flips:
    """Return the kinds of flips; without `after`, those between different models of one side."""
    if paired and after is not None:
        lost, won = (before & ~after)[:, known].mean(), (~before & after)[:, known].mean()
    else:
        right0 = before[:, known].mean(0)
        if after is None:
            k = len(before)
            lost_each = won_each = right0 * (1 - right0) * k / (k - 1)
        else:
            right1 = after[:, known].mean(0)
            lost_each, won_each = right0 * (1 - right1), (1 - right0) * right1
        lost, won = lost_each.sum() / max(known.sum(), 1), won_each.sum() / max(known.sum(), 1)
    n = len(known)
    weight = known.sum() / n
    lost, won = (float(weight * x) if weight else 0.0 for x in (lost, won))
    flipped_known = float((1.0 - alike)[known].sum() / n)
    return Flips(
        float(alike.mean()),
        lost,
        won,
        max(flipped_known - lost - won, 0.0),
        float((1.0 - alike)[~known].sum() / n),
    )


def _accuracy(
    before: Bools, after: Bools, known: Bools, null: Bools | None, *, paired: bool, level: float
) -> Accuracy | None:
    """Test the change of the accuracy; between single models by what `null` says of training again."""
    n = int(known.sum())
    if not n:
        return None
    test = _test_name(len(before), len(after), paired=paired)
    if len(before) == len(after) == 1:

        def to(side: Bools) -> Change:
            lost, won = int((before & ~side).sum()), int((~before & side).sum())
            return paired_change(lost, won, n, 1 - level)

        change, test = to(after), "McNemar's exact test"
        if null is not None:
            moved = np.stack([to(null[k : k + 1]).statistic for k in range(len(null))])
            change = scaled_by_null(change, moved, 1 - level)
            test += SCALED
    else:
        change = population_change(
            before.sum(1, keepdims=True) / n,
            after.sum(1, keepdims=True) / n,
            grain=1 / n,
            paired=paired,
            coverage=1 - level,
        )
    return Accuracy(
        float(before.sum() / before.shape[0] / n),
        float(after.sum() / after.shape[0] / n),
        float(change.estimate[0]),
        float(change.low[0]),
        float(change.high[0]),
        float(change.p[0]),
        test,
    )


def _test_name(k0: int, k1: int, *, paired: bool) -> str:
    if k0 == k1 == 1:
        return "binomial and score tests"
    if paired:
        return "paired t test"
    return "Welch's t test" if min(k0, k1) > 1 else "t test of one model against several"


def _divergence(scores: Scores, level: float) -> Divergence | None:
    """Return the mean with an interval over pairs of models; over examples where there is one pair.

    An example counts where every model has scores for it.
    """
    from scipy.special import stdtrit

    known = scores.divergence[:, ~np.isnan(scores.divergence).any(0)]
    if not known.size:
        return None
    over = known.mean(1) if len(known) > 1 else known[0]
    mean, half = float(over.mean()), float("inf")
    if len(over) > 1:
        half = float(stdtrit(len(over) - 1, 1 - level / 2) * over.std(ddof=1) / np.sqrt(len(over)))
    floor = None
    if scores.null is not None:
        null = scores.null[:, ~np.isnan(scores.null).any(0)]
        floor = float(null.mean()) if null.size else None
    return Divergence(mean, max(mean - half, 0.0), mean + half, floor)


def _example_p(before: Bools, after: Bools, known: Bools) -> Floats:
    p = np.full(len(known), np.nan)
    right0, right1 = before.sum(0)[known].astype(np.int64), after.sum(0)[known].astype(np.int64)
    p[known] = fisher(right0, right1, len(before), len(after))
    return p


def _parts(
    codes: Ints,
    names: Sequence[str],
    right: _Right,
    flipped: Floats,
    *,
    paired: bool,
    level: float,
) -> Parts:
    """Test every part that has an example against the change of the accuracy."""
    width = int(codes.max(initial=-1)) + 1
    inside = codes >= 0
    everyone = np.bincount(codes[inside], minlength=width)
    present = np.flatnonzero(everyone)
    at = np.flatnonzero(inside & right.known)
    part = codes[at]
    size = np.bincount(part, minlength=width)[present]

    def counts(side: Bools) -> Ints:
        return np.stack([np.bincount(part[one[at]], minlength=width)[present] for one in side])

    def change_to(after: Bools, *, paired: bool) -> Change:
        return _relative(
            right.before, after, counts, at, right.known, size, paired=paired, level=level
        )

    change = change_to(right.after, paired=paired)
    null: Change | None = None
    test = _test_name(len(right.before), len(right.after), paired=paired)
    if right.null is not None:
        single = len(right.before) == len(right.after) == 1
        null = change_to(right.null[:1] if single else right.null, paired=False)
        if single:
            rows = [
                change_to(right.null[k : k + 1], paired=False).statistic
                for k in range(len(right.null))
            ]
            change = scaled_by_null(change, np.stack(rows), 1 - level)
            test += SCALED
    with np.errstate(invalid="ignore"):
        before = counts(right.before).mean(0) / size
        after = counts(right.after).mean(0) / size
    null_q = None if null is None else benjamini_hochberg(null.p)
    return Parts(
        names=tuple(names[code] for code in present.tolist()),
        size=size,
        before=before,
        after=after,
        change=after - before,
        relative=change.estimate,
        low=change.low,
        high=change.high,
        effect=cohens_h(before, after),
        statistic=change.statistic,
        freedom=change.freedom,
        p=change.p,
        q=benjamini_hochberg(change.p),
        flips=np.bincount(codes[inside], weights=flipped[inside], minlength=width)[present]
        / everyone[present],
        null_relative=None if null is None else null.estimate,
        null_findings=None if null_q is None else int((null_q <= level).sum()),
        test=test,
    )


def _relative(
    before: Bools,
    after: Bools,
    counts: Any,
    at: Ints,
    known: Bools,
    size: Ints,
    *,
    paired: bool,
    level: float,
) -> Change:
    """Return the change of every part less that of all examples whose answer is known."""
    n = int(known.sum())
    if len(before) == len(after) == 1:
        losses, wins = before & ~after, ~before & after
        total = (int(losses.sum()), int(wins.sum()), n)
        return relative_change(counts(losses)[0], counts(wins)[0], size, total, 1 - level)
    with np.errstate(invalid="ignore", divide="ignore"):
        # neither a part without examples nor one that is the whole has a rest to be compared with
        share = np.where((size > 0) & (size < n), 1.0 / size, np.nan)
    shifted = [
        counts(side) * share - side.sum(1, keepdims=True) / max(n, 1) for side in (before, after)
    ]
    return population_change(*shifted, grain=share, paired=paired, coverage=1 - level)


def _pies(
    ballots: Ballots,
    sides: tuple[range, range, range],
    pie: Bools,
    *,
    paired: bool,
    draws: int,
    seed: int,
) -> Pies:
    """Count the PIEs, and beside them those between equally many models that should be equal."""
    first, second, third = sides
    size = min(len(first), len(second), len(third)) if third else min(len(second), len(first) // 2)
    if not size:
        return Pies(float(pie.mean()), 0, None, None)
    rng = np.random.default_rng(seed)
    whole = bool(third) and len(first) == len(second) == len(third)
    found, chance = [], []
    for _ in range(1 if whole else draws):
        order0, order1 = rng.permutation(len(first)), rng.permutation(len(second))
        if paired:
            order1 = order0
        one = ballots.count(order0[:size])
        other = ballots.count(second.start + order1[:size])
        same = (
            ballots.count(third.start + rng.permutation(len(third))[:size])
            if third
            else ballots.count(order0[size : 2 * size])
        )
        found.append(differ(one, other).mean())
        chance.append(differ(one, same).mean())
    return Pies(float(pie.mean()), size, float(np.mean(found)), float(np.mean(chance)))
