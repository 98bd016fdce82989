"""The experiments: dense, pruned and quantised populations, audited beside a second dense population."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from studiolo.data import digits, fashion_mnist, mnist
from studiolo.runs import Outcome
from studiolo.train import role_seeds

from .audit import Audit, audit
from .model import Population, Recipe, train_population


Array = np.ndarray
IMAGES = {"mnist": mnist, "fashion_mnist": fashion_mnist}


def compare(
    *,
    seed: int,
    data: str = "digits",
    sparsities: Sequence[float] = (0.3, 0.5, 0.7, 0.9, 0.95),
    bits: Sequence[int] = (8, 3),
    members: int = 20,
    num_train: int = 400,
    hidden: Sequence[int] = (32,),
    epochs: int = 25,
    batch_size: int = 25,
) -> Outcome:
    """Train 2 · `members` dense networks and `members` of each other kind; audit each kind against the dense ones.

    The kinds: `dense` (a further dense population, the control), `s90` (pruned to 90 %, one for each of
    `sparsities`), `int8` (the dense networks in 8 bits, weights and activations, one for each of `bits`).

    Args:
        data: "digits", "fashion_mnist" or "mnist" (the last two with pixels averaged 2 by 2). `num_train` images
            drawn at random train, the others test (of the last two, the test split does).

    Values, for each kind:
        pie_over_floor: share of PIEs over that between two groups of dense networks of the same size.
        pie_share, floor: the two shares.
        excess_error: error added on PIEs less that added off them, on networks that did not choose the PIEs.
        hardness: error of the dense networks on PIEs less that off them; circular, 0 without PIEs.
        num_classes: classes whose recall changed otherwise than the accuracy did, q <= 0.05.
        gains_less_losses: of these, those that gained less those that lost.
        loss_less_gain: the largest loss of a class less the largest gain, both relative to the accuracy.
        forgotten, gained: examples that fewer, or more, networks get right, q <= 0.05.
        accuracy: mean accuracy.
        growth: share of PIEs of the last of `sparsities` over that of the first (this one once, not for each kind).

    Arrays: `sparsity` (percent), `pie_percent` and `floor_percent`; `images` and `captions`, the PIEs of the last of
    `sparsities` in falling order of their taxicab score.
    """
    seeds = role_seeds(seed)
    train_x, train_y, test_x, test_y = _split(data, num_train, seeds.data)
    levels = [0.0, 0.0, 0.0, *sparsities]
    population = train_population(
        _tensor(train_x),
        torch.from_numpy(train_y),
        seeds=_member_seeds(seeds.init, members * len(levels)),
        sparsity=[level for level in levels for _ in range(members)],
        recipe=Recipe(tuple(hidden), epochs, batch_size),
        classes=10,
    )
    predictions = _predict(population, test_x)
    dense, others = (
        predictions[: 2 * members],
        predictions[2 * members :].reshape(len(levels) - 2, members, -1),
    )
    kinds = ["dense", *(f"s{100 * sparsity:g}" for sparsity in sparsities)]
    audits = {kind: audit(dense, other, test_y) for kind, other in zip(kinds, others, strict=True)}
    for width in bits:
        low = _predict(population.quantize(width), test_x)[: 2 * members]
        audits[f"int{width}"] = audit(dense, low, test_y, paired=True)
    pruned = [audits[kind] for kind in kinds[1:]]
    hardest = np.argsort(-pruned[-1].taxicab, kind="stable")
    hardest = hardest[pruned[-1].pie[hardest]][:24]
    side = round(test_x.shape[1] ** 0.5)
    return Outcome(
        {
            "growth": _over(pruned[-1].pie_share, pruned[0].pie_share),
            **{
                f"{name}_{kind}": value
                for kind, found in audits.items()
                for name, value in _values(found, dense != test_y).items()
            },
        },
        {
            "sparsity": 100 * np.array(sparsities),
            "pie_percent": 100 * np.array([found.pie_share for found in pruned]),
            "floor_percent": 100 * np.array([found.floor_share for found in pruned]),
            "images": test_x[hardest].reshape(-1, side, side),
            "captions": np.array(_captions(dense, others[-1], test_y, hardest), dtype=np.str_),
        },
    )


def long_tail(
    *,
    seed: int,
    sparsity: float = 0.9,
    members: int = 20,
    most: int = 100,
    imbalance: float = 20.0,
    hidden: Sequence[int] = (32,),
    epochs: int = 25,
    batch_size: int = 25,
) -> Outcome:
    """Train on digits whose classes thin out from `most` images to most / imbalance, in an order drawn by the seed.

    Values, for `dense` (a second dense population, the control) and `pruned`:
        tail_loss: fall of the recall of the three rarest classes less that of the three commonest.
        rank_correlation: Spearman's, between the images of a class and the change of its recall.
    """
    seeds = role_seeds(seed)
    rng = np.random.default_rng(seeds.data)
    x, y = _flat_digits()
    counts = (most * imbalance ** (-np.arange(10) / 9)).round().astype(np.int64)
    counts = counts[rng.permutation(10)]
    order = rng.permutation(len(y))
    train = np.concatenate([order[y[order] == c][: counts[c]] for c in range(10)])
    test = np.setdiff1d(order, train)
    population = train_population(
        _tensor(x[train]),
        torch.from_numpy(y[train]),
        seeds=_member_seeds(seeds.init, 3 * members),
        sparsity=[0.0] * (2 * members) + [sparsity] * members,
        recipe=Recipe(tuple(hidden), epochs, batch_size),
        classes=10,
    )
    right = (_predict(population, x[test]) == y[test]).reshape(3, members, -1).mean(1)
    recall = np.stack([right[:, y[test] == c].mean(1) for c in range(10)], 1)  # (kind, class)
    rarest = np.argsort(counts)
    values = {}
    for kind, after in (("dense", recall[1]), ("pruned", recall[2])):
        fall = recall[0] - after
        values[f"tail_loss_{kind}"] = float(fall[rarest[:3]].mean() - fall[rarest[-3:]].mean())
        ranks = np.stack([_ranks(counts), _ranks(-fall)])
        values[f"rank_correlation_{kind}"] = float(np.corrcoef(ranks)[0, 1])
    return Outcome(values)


def _values(found: Audit, dense_wrong: Array) -> dict[str, float]:
    pie, classes = found.pie, found.classes
    wrong = dense_wrong.mean(0)
    mixed = 0 < pie.sum() < len(pie)
    significant = classes.q <= 0.05
    gained, lost = classes.change > 0, classes.change < 0
    return {
        "pie_over_floor": _over(found.pie_share, found.floor_share),
        "pie_share": found.pie_share,
        "floor": found.floor_share,
        "excess_error": found.excess_error,
        "hardness": float(wrong[pie].mean() - wrong[~pie].mean()) if mixed else 0.0,
        "num_classes": float(significant.sum()),
        "gains_less_losses": float((significant & gained).sum() - (significant & lost).sum()),
        "loss_less_gain": float(-classes.change.min() - classes.change.max()),
        "forgotten": float(found.examples.forgotten().sum()),
        "gained": float(found.examples.gained().sum()),
        "accuracy": found.accuracy[1],
    }


def _over(a: float, b: float) -> float:
    """a / b, and infinite over nothing: a claim on it then says that its seed is no number."""
    return a / b if b else math.inf


def _captions(dense: Array, pruned: Array, labels: Array, rows: Array) -> list[str]:
    """What a picture shows, and the label that most members give on either side."""
    before, after = (
        np.array([np.bincount(column, minlength=10).argmax() for column in side[:, rows].T])
        for side in (dense, pruned)
    )
    return [
        f"is {labels[row]}, dense {b}, pruned {a}"
        for row, b, a in zip(rows, before, after, strict=True)
    ]


def _split(
    data: str, num_train: int, seed: int
) -> tuple[Float[Array, "n d"], Int[Array, "n"], Float[Array, "m d"], Int[Array, "m"]]:
    rng = np.random.default_rng(seed)
    if data == "digits":
        x, y = _flat_digits()
        order = rng.permutation(len(y))
        train, test = order[:num_train], order[num_train:]
        return x[train], y[train], x[test], y[test]
    if data not in IMAGES:
        raise ValueError(f"data is {data!r}; known are digits, mnist and fashion_mnist.")
    sets = IMAGES[data]()
    train = rng.permutation(len(sets["train_labels"]))[:num_train]
    return (
        _pooled(sets["train_images"][train]),
        sets["train_labels"][train].astype(np.int64),
        _pooled(sets["test_images"]),
        sets["test_labels"].astype(np.int64),
    )


def _flat_digits() -> tuple[Float[Array, "n d"], Int[Array, "n"]]:
    pictures, labels = digits()
    return pictures.reshape(len(pictures), -1), labels


def _pooled(pictures: Array) -> Float[Array, "n d"]:
    """Mean of 2 by 2 pixels, from bytes to [0, 1]: (n, 28, 28) to (n, 196)."""
    n = len(pictures)
    return pictures.reshape(n, 14, 2, 14, 2).mean((2, 4)).reshape(n, -1) / 255


def _member_seeds(seed: int, members: int) -> list[int]:
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(members)]


def _tensor(x: Float[Array, "n d"]) -> Tensor:
    return torch.from_numpy(x).float()


def _predict(population: Population, x: Float[Array, "n d"]) -> Int[Array, "k n"]:
    return np.concatenate([population.predict(part).numpy() for part in _tensor(x).split(500)], 1)


def _ranks(x: Array) -> Float[Array, "n"]:
    """Ranks from 1, equal numbers sharing the mean of theirs."""
    below = (x[:, None] > x).sum(1)
    return below + ((x[:, None] == x).sum(1) + 1) / 2
