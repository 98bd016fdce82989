"""What a compressed population forgot: modal labels, PIEs, classes and examples, each beside what chance gives.

Works on predictions alone: integer arrays (members, examples), from any framework. "Dense" and "compressed" name the
two sides; nothing here knows how they came about.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import gammaln, stdtr


Array = np.ndarray
Ties = Literal["shared", "highest"]
Shift = Literal["member", "population"]


@dataclass(frozen=True, slots=True)
class ClassTest:
    """Whether the recall of a class changed otherwise than the accuracy did; arrays have one element per class.

    Attributes:
        change: mean recall after less before, each less its accuracy; shares, not per cent. Negative: lost.
        statistic, freedom, p: Welch's t (positive where the class lost), its degrees of freedom, two-sided p.
        q: p adjusted by Benjamini and Hochberg over the classes.
    """

    change: Float[Array, "c"]
    statistic: Float[Array, "c"]
    freedom: Float[Array, "c"]
    p: Float[Array, "c"]
    q: Float[Array, "c"]


@dataclass(frozen=True, slots=True)
class ExampleTest:
    """Whether an example is got right by fewer or more members than before; arrays have one element per example.

    Attributes:
        change: share of compressed members that are right less that of dense ones.
        p, q: Fisher's exact test, two-sided, and the same adjusted by Benjamini and Hochberg.
    """

    change: Float[Array, "n"]
    p: Float[Array, "n"]
    q: Float[Array, "n"]

    def forgotten(self, level: float = 0.05) -> Bool[Array, "n"]:
        """Return True where fewer members are right, with at most `level` false discoveries expected."""
        return (self.q <= level) & (self.change < 0)

    def gained(self, level: float = 0.05) -> Bool[Array, "n"]:
        """Return True where more members are right, with at most `level` false discoveries expected."""
        return (self.q <= level) & (self.change > 0)


@dataclass(frozen=True, slots=True)
class Audit:
    """The findings on one pair of populations.

    Attributes:
        accuracy: mean accuracy, dense and compressed.
        pie: the examples whose modal label changed, all members voting. taxicab: by how much, 0 to 2.
        size: members that vote in the next two, so that both rest on equally many.
        pie_share: share of PIEs, mean over draws of `size` members from each side.
        floor_share: the same between two groups of dense members that have no one in common: what chance gives.
        excess_error: `held_out_excess`.
    """

    accuracy: tuple[float, float]
    pie: Bool[Array, "n"]
    taxicab: Float[Array, "n"]
    size: int
    pie_share: float
    floor_share: float
    excess_error: float
    classes: ClassTest
    examples: ExampleTest


def audit(
    dense: Int[Array, "..."],
    compressed: Int[Array, "..."],
    labels: Int[Array, "..."],
    *,
    paired: bool = False,
    draws: int = 20,
    seed: int = 0,
) -> Audit:
    """Compare two populations on the same examples, and dense members among themselves.

    Args:
        dense, compressed: predicted labels, (members, examples); four members each at least.
        labels: true labels, (examples,).
        paired: compressed member k was made from dense member k (as quantisation does): equal members are then
            drawn from both sides, and the floor is that of independent training still.
        draws: how many draws of members the shares average over.

    Raises:
        ValueError: the arrays do not fit together, or there are too few members; says the shapes.
    """
    if dense.shape[1:] != labels.shape or compressed.shape[1:] != labels.shape:
        raise ValueError(
            f"dense is {dense.shape}, compressed {compressed.shape}, labels {labels.shape}: predictions must be "
            "(members, examples) and labels (examples,), all of the same examples in the same order."
        )
    if min(len(dense), len(compressed)) < 4 or (paired and len(dense) != len(compressed)):
        raise ValueError(
            f"{len(dense)} dense and {len(compressed)} compressed members: halves that vote need 4 of each at least, "
            "and paired members as many of one as of the other."
        )
    rng = np.random.default_rng(seed)
    size = min(len(compressed), len(dense) // 2)
    shares = []
    for _ in range(draws):
        one = rng.permutation(len(dense))[:size]
        other = one if paired else rng.permutation(len(compressed))[:size]
        shares.append(pies(dense[one], compressed[other]).mean())
    return Audit(
        accuracy=(float((dense == labels).mean()), float((compressed == labels).mean())),
        pie=pies(dense, compressed),
        taxicab=taxicab(dense, compressed),
        size=size,
        pie_share=float(np.mean(shares)),
        floor_share=noise_floor(dense, size, draws=draws, seed=seed),
        excess_error=held_out_excess(
            dense, compressed, labels, paired=paired, draws=draws, seed=seed
        ),
        classes=class_test(dense, compressed, labels),
        examples=example_test(dense, compressed, labels),
    )


def vote_counts(predictions: Int[Array, "k n"], classes: int | None = None) -> Int[Array, "n c"]:
    """Return how many members give each label to each example; by default as many labels as occur."""
    classes = classes or int(predictions.max()) + 1
    n = predictions.shape[1]
    places = np.arange(n) * classes + predictions
    return np.bincount(places.ravel(), minlength=n * classes).reshape(n, classes)


def modal_labels(predictions: Int[Array, "k n"]) -> Int[Array, "n"]:
    """Return the label most members give; of several the highest, as the published code has it."""
    votes = vote_counts(predictions)
    return votes.shape[1] - 1 - votes[:, ::-1].argmax(1)


def pies(
    dense: Int[Array, "k n"], compressed: Int[Array, "m n"], ties: Ties = "shared"
) -> Bool[Array, "n"]:
    """Return True for the pruning-identified exemplars: the examples whose modal label changed.

    Args:
        ties: where votes tie, "shared" asks whether the two sides have no modal label in common, so that numbering
            the classes otherwise changes nothing; "highest" compares the highest modal labels.

    Source: https://arxiv.org/abs/1911.05248, section 2.
    Differs: the paper leaves ties open; its code has "highest".
    """
    if ties == "highest":
        return modal_labels(dense) != modal_labels(compressed)
    classes = 1 + max(int(dense.max()), int(compressed.max()))
    before, after = vote_counts(dense, classes), vote_counts(compressed, classes)
    modal_before = before == before.max(1, keepdims=True)
    modal_after = after == after.max(1, keepdims=True)
    return ~(modal_before & modal_after).any(1)


def taxicab(dense: Int[Array, "k n"], compressed: Int[Array, "m n"]) -> Float[Array, "n"]:
    """Return Σ_c |share of dense votes for c - share of compressed votes for c|, from 0 to 2.

    Source: https://arxiv.org/abs/2010.03058.
    """
    classes = 1 + max(int(dense.max()), int(compressed.max()))
    before = vote_counts(dense, classes) / len(dense)
    after = vote_counts(compressed, classes) / len(compressed)
    return np.abs(before - after).sum(1)


def noise_floor(
    predictions: Int[Array, "k n"], size: int, *, draws: int = 20, seed: int = 0
) -> float:
    """Return the mean share of PIEs between two groups of `size` members of one population.

    Raises:
        ValueError: the population has fewer than 2 · size members.
    """
    if 2 * size > len(predictions):
        raise ValueError(
            f"Two groups of {size} members do not fit in a population of {len(predictions)}; take size = "
            f"{len(predictions) // 2} or train more."
        )
    rng = np.random.default_rng(seed)
    shares = []
    for _ in range(draws):
        order = rng.permutation(len(predictions))
        shares.append(pies(predictions[order[:size]], predictions[order[size : 2 * size]]).mean())
    return float(np.mean(shares))


def held_out_excess(
    dense: Int[Array, "k n"],
    compressed: Int[Array, "m n"],
    labels: Int[Array, "n"],
    *,
    paired: bool = False,
    draws: int = 20,
    seed: int = 0,
) -> float:
    """Return how much more error compression adds on PIEs than off them, on members that did not choose the PIEs.

    A random half of each side chooses the PIEs and the other half is judged; the mean over `draws` halvings. To judge
    the members that chose would be circular: where members differ by chance alone, the chosen examples are those on
    which these very members happened to differ. A halving in which no example, or every one, is a PIE counts 0.
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        one = rng.permutation(len(dense))
        other = one if paired else rng.permutation(len(compressed))
        half, other_half = len(one) // 2, len(other) // 2
        chosen = pies(dense[one[:half]], compressed[other[:other_half]])
        before = (dense[one[half:]] != labels).mean(0)
        after = (compressed[other[other_half:]] != labels).mean(0)
        inside, outside = (after - before)[chosen], (after - before)[~chosen]
        found.append(inside.mean() - outside.mean() if len(inside) and len(outside) else 0.0)
    return float(np.mean(found))


def class_test(
    dense: Int[Array, "k n"],
    compressed: Int[Array, "m n"],
    labels: Int[Array, "n"],
    shift: Shift = "member",
) -> ClassTest:
    """Test for every class whether its recall changed by more or less than the accuracy did (Welch's t-test).

    Args:
        shift: what is taken off a member's recall: its own accuracy ("member"), or the mean accuracy of its population
            ("population"), a number that is then treated as if it were known.

    Raises:
        ValueError: a class below the largest label has no example.

    Source: https://arxiv.org/abs/1911.05248, section 3.1; the published code has "population" and no correction.
    """
    sizes = np.bincount(labels)
    if not sizes.all():
        raise ValueError(
            f"Class {int(sizes.argmin())} has no example, so its recall is not defined."
        )
    before, after = (_shifted_recall(side, labels, shift) for side in (dense, compressed))
    mean0, mean1 = before.mean(0), after.mean(0)
    square0 = before.var(0, ddof=1) / len(before)
    square1 = after.var(0, ddof=1) / len(after)
    error = np.sqrt(square0 + square1)
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = (mean0 - mean1) / error
        freedom = (square0 + square1) ** 2 / (
            square0**2 / (len(before) - 1) + square1**2 / (len(after) - 1)
        )
        p = 2 * stdtr(freedom, -np.abs(statistic))
    # no spread at all on either side: equal means say nothing, different ones everything
    p = np.where(error > 0, p, np.where(mean0 == mean1, 1.0, 0.0))
    return ClassTest(mean1 - mean0, statistic, freedom, p, benjamini_hochberg(p))


def example_test(
    dense: Int[Array, "k n"], compressed: Int[Array, "m n"], labels: Int[Array, "n"]
) -> ExampleTest:
    """Test for every example whether as many members are right as before (Fisher's exact test)."""
    right0, right1 = (dense == labels).sum(0), (compressed == labels).sum(0)
    pairs, place = np.unique(np.stack([right0, right1]), axis=1, return_inverse=True)
    by_pair = [_fisher(int(a), int(b), len(dense), len(compressed)) for a, b in pairs.T]
    p = np.array(by_pair)[place.ravel()]
    return ExampleTest(right1 / len(compressed) - right0 / len(dense), p, benjamini_hochberg(p))


def benjamini_hochberg(p: Float[Array, "n"]) -> Float[Array, "n"]:
    """Return q: rejecting where q <= level expects at most that share of false rejections among all.

    Source: https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
    """
    n = len(p)
    order = np.argsort(p)
    scaled = p[order] * n / np.arange(1, n + 1)
    q = np.empty(n)
    q[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.minimum(q, 1.0)


def _shifted_recall(
    predictions: Int[Array, "k n"], labels: Int[Array, "n"], shift: Shift
) -> Float[Array, "k c"]:
    right = predictions == labels
    sizes = np.bincount(labels)
    member = np.stack([right[:, labels == c].sum(1) for c in range(len(sizes))], 1) / sizes
    accuracy = right.mean(1, keepdims=True)
    return member - (accuracy if shift == "member" else accuracy.mean())


def _fisher(right0: int, right1: int, members0: int, members1: int) -> float:
    """The probability, given all margins, of a table no more likely than this one."""
    total = right0 + right1
    a = np.arange(max(0, total - members1), min(total, members0) + 1)

    def log_choose(n: int, k: Int[Array, "..."]) -> Float[Array, "..."]:
        return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)

    log_p = log_choose(members0, a) + log_choose(members1, total - a)
    weights = np.exp(log_p - log_p.max())
    here = weights[right0 - a[0]]
    # tables as likely as this one count, rounding apart
    return float(weights[weights <= here * (1 + 1e-7)].sum() / weights.sum())
