"""What is this paper's own beyond `studiolo.audit`: its exemplars, its test of classes, and a loss that is not circular.

All of it works on predictions alone: integer arrays (members, examples), from any framework.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from studiolo.audit import Ballots, Ties, differ


Array = np.ndarray


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
    ballots = Ballots.of(np.concatenate([dense, compressed]))
    first, second = range(len(dense)), range(len(dense), len(dense) + len(compressed))
    return differ(ballots.count(first), ballots.count(second), ties)


def published_class_test(
    dense: Int[Array, "k n"], compressed: Int[Array, "m n"], labels: Int[Array, "n"]
) -> Float[Array, "c"]:
    """Return p for every class, as the published code has it: NaN for a class without examples.

    Welch's t-test of recalls, off which the *mean* accuracy of the population is taken, a number that is treated as if
    it were known; no correction for the number of classes. `studiolo.audit` takes each member's own accuracy off and
    corrects; where members differ in skill only that keeps its level.

    Raises:
        ValueError: fewer than two members a side, from which no spread can be had.

    Source: https://arxiv.org/abs/1911.05248, section 3.1.
    """
    from scipy.stats import ttest_ind

    if min(len(dense), len(compressed)) < 2:
        raise ValueError(
            f"{len(dense)} dense and {len(compressed)} compressed members: Welch's test needs two of each at least; "
            "`studiolo.audit.audit` compares one model with another."
        )
    found = np.full(int(labels.max()) + 1, np.nan)
    for c in np.unique(labels[labels >= 0]):
        before, after = (
            (side == labels)[:, labels == c].mean(1) - (side == labels).mean()
            for side in (dense, compressed)
        )
        alike = np.ptp(before) == np.ptp(after) == 0 and before[0] == after[0]
        found[c] = 1.0 if alike else ttest_ind(before, after, equal_var=False).pvalue
    return found


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

    Raises:
        ValueError: fewer than two members a side, or paired sides of different numbers.
    """
    if min(len(dense), len(compressed)) < 2 or (paired and len(dense) != len(compressed)):
        raise ValueError(
            f"{len(dense)} dense and {len(compressed)} compressed members: one half chooses and the other is judged, so "
            "give two of each at least, and of paired ones as many of one as of the other."
        )
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
