"""The experiments: dense, pruned and quantised populations, audited beside further dense ones."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from studiolo.audit import Audit, Material, compare as audited
from studiolo.runs import Outcome
from studiolo.train import role_seeds

from .exemplars import held_out_excess, pies
from .inputs import Split, corrupted, people, pictures, thinned
from .model import Population, Recipe, train_population
from .on_gpu import stack_on_gpu as stack_on_gpu


Array = np.ndarray
CORRUPTIONS = ("noise", "blur", "contrast", "brightness")
DRAWS = 20


def compare(
    *,
    seed: int,
    data: str = "digits",
    sparsities: Sequence[float] = (0.3, 0.5, 0.7, 0.9, 0.95),
    bits: Sequence[int] = (8, 4, 3),
    members: int = 20,
    num_train: int = 400,
    hidden: Sequence[int] = (32,),
    channels: Sequence[int] = (),
    epochs: int = 25,
    batch_size: int = 25,
) -> Outcome:
    """Train 2 · `members` dense networks and `members` of each other kind; audit each kind against the dense ones.

    The kinds: `dense` (a further dense population, the control), `s90` (pruned to 90 %, one for each of
    `sparsities`), `int8` (the dense networks in 8 bits, weights and activations, one for each of `bits`).

    Args:
        data, num_train: as `pictures` takes them.
        channels: of convolutions with batch norm before the hidden layers.

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
        gain_without_pies, gain_without_random, gain_without_close: by how much the accuracy of the dense networks rises
            where the PIEs are left out, or as many images at random, or as many on which their votes were closest;
            pies_less_close, random_less_close: of the first two less the last.
    And once: `growth`, share of PIEs of the last of `sparsities` over that of the first; `growth_dense`, of the
    further dense population against one half of the first over that against the other.

    Arrays: `sparsity` (percent), `pie_percent` and `floor_percent`; `images` and `captions`, the PIEs of the last of
    `sparsities` in falling order of their taxicab score.
    """
    seeds = role_seeds(seed)
    split = pictures(data, num_train, seeds.data)
    labels = split.test_y
    levels = [0.0, 0.0, 0.0, *sparsities]
    population = _trained(
        split,
        seeds=_member_seeds(seeds.init, members * len(levels)),
        sparsity=[level for level in levels for _ in range(members)],
        recipe=Recipe(tuple(hidden), epochs, batch_size, channels=tuple(channels)),
        classes=10,
    )
    predictions = _predict(population, split.test_x)
    dense = predictions[: 2 * members]
    others = predictions[2 * members :].reshape(len(levels) - 2, members, -1)
    kinds = ["dense", *(f"s{100 * sparsity:g}" for sparsity in sparsities)]
    after = dict(zip(kinds, others, strict=True))
    audits = {kind: _audit(dense, other, labels) for kind, other in after.items()}
    first = population.select(range(2 * members))
    for width in bits:
        after[f"int{width}"] = low = _predict(first.quantize(width), split.test_x)
        audits[f"int{width}"] = _audit(dense, low, labels, paired=True)
    pruned = [audits[kind] for kind in kinds[1:]]
    hardest = np.argsort(-pruned[-1].examples.score, kind="stable")
    hardest = hardest[pruned[-1].examples.pie[hardest]][:24]
    by_chance = [pies(half, after["dense"]).mean() for half in np.split(dense, 2)]
    values = {
        "growth": _over(pruned[-1].pies.at_size or 0.0, pruned[0].pies.at_size or 0.0),
        "growth_dense": _over(float(by_chance[1]), float(by_chance[0])),
    }
    for kind, found in audits.items():
        excess = held_out_excess(dense, after[kind], labels, paired=found.paired, draws=DRAWS)
        here = _values(found) | {"excess_error": excess}
        here |= _without(found, dense, labels, seeds.data)
        values |= {f"{name}_{kind}": value for name, value in here.items()}
    return Outcome(
        values,
        {
            "sparsity": 100 * np.array(sparsities),
            "pie_percent": 100 * np.array([found.pies.at_size for found in pruned]),
            "floor_percent": 100 * np.array([found.pies.floor for found in pruned]),
            "images": split.test_x[hardest],
            "captions": np.array(_captions(pruned[-1], hardest), dtype=np.str_),
        },
    )


def long_tail(
    *,
    seed: int,
    data: str = "digits",
    sparsity: float = 0.9,
    members: int = 20,
    most: int = 100,
    imbalance: float = 20.0,
    hidden: Sequence[int] = (32,),
    epochs: int = 25,
    batch_size: int = 25,
) -> Outcome:
    """Train on pictures whose classes thin out from `most` images to most / imbalance, in an order drawn by the seed.

    Values, for `dense` (a second dense population, the control) and `pruned`:
        tail_loss: fall of the recall of the three rarest classes less that of the three commonest.
        rank_correlation: Spearman's, between the images of a class and the change of its recall.
    """
    seeds = role_seeds(seed)
    counts = (most * imbalance ** (-np.arange(10) / 9)).round().astype(np.int64)
    counts = np.random.default_rng(seeds.data).permutation(counts)
    split = pictures(data, None, seeds.data)
    train = thinned(split.train_y, counts, seeds.data)
    test_x, test_y = split.test_x, split.test_y
    if not len(test_y):  # all digits are in one set: what does not train, tests
        test = np.setdiff1d(np.arange(len(split.train_y)), train)
        test_x, test_y = split.train_x[test], split.train_y[test]
    population = _trained(
        Split(split.train_x[train], split.train_y[train], test_x, test_y),
        seeds=_member_seeds(seeds.init, 3 * members),
        sparsity=[0.0] * (2 * members) + [sparsity] * members,
        recipe=Recipe(tuple(hidden), epochs, batch_size),
        classes=10,
    )
    right = (_predict(population, test_x) == test_y).reshape(3, members, -1).mean(1)
    recall = np.stack([right[:, test_y == c].mean(1) for c in range(10)], 1)  # (kind, class)
    rarest = np.argsort(counts)
    values = {}
    for kind, after in (("dense", recall[1]), ("pruned", recall[2])):
        fall = recall[0] - after
        values[f"tail_loss_{kind}"] = float(fall[rarest[:3]].mean() - fall[rarest[-3:]].mean())
        ranks = np.stack([_ranks(counts), _ranks(-fall)])
        values[f"rank_correlation_{kind}"] = float(np.corrcoef(ranks)[0, 1])
    return Outcome(values)


def subgroups(
    *,
    seed: int,
    sparsities: Sequence[float] = (0.9, 0.97),
    members: int = 1,
    hidden: Sequence[int] = (64,),
    epochs: int = 2,
    batch_size: int = 256,
) -> Outcome:
    """Train matched networks on UCI Adult, dense and pruned from the same start and batches, and a second dense one.

    Values, for `dense` (the second) and each of `sparsities` (`s90`), women and men apart:
        fnr_rise, fpr_rise: by how much the share of those above 50,000 dollars who are not found, and of those below who
            are said to be above, is larger than in the first dense network.
        fnr_rise_gap: fnr_rise of women less that of men.
        fnr, fpr: the shares themselves; accuracy: of all. Also for `first`, the network that the others are held against.
    """
    seeds = role_seeds(seed)
    split, sex = people()
    kinds = ["first", "dense", *(f"s{100 * sparsity:g}" for sparsity in sparsities)]
    own = _member_seeds(seeds.init, 2 * members)
    population = _trained(
        split,
        seeds=[*own, *own[:members] * len(sparsities)],
        sparsity=[level for level in (0.0, 0.0, *sparsities) for _ in range(members)],
        recipe=Recipe(tuple(hidden), epochs, batch_size),
        classes=2,
    )
    above = _predict(population, split.test_x).reshape(len(kinds), members, -1).mean(1)
    values: dict[str, float] = {}
    for kind, share in zip(kinds, above, strict=True):
        rich = split.test_y == 1
        values[f"accuracy_{kind}"] = float(np.where(rich, share, 1 - share).mean())
        for name, those in (("women", sex == "Female"), ("men", sex == "Male")):
            rates = {"fnr": 1 - share[those & rich].mean(), "fpr": share[those & ~rich].mean()}
            for rate, value in rates.items():
                values[f"{rate}_{name}_{kind}"] = float(value)
                if kind != "first":
                    values[f"{rate}_rise_{name}_{kind}"] = float(
                        value - values[f"{rate}_{name}_first"]
                    )
        if kind != "first":
            values[f"fnr_rise_gap_{kind}"] = (
                values[f"fnr_rise_women_{kind}"] - values[f"fnr_rise_men_{kind}"]
            )
    return Outcome(values)


def corruptions(
    *,
    seed: int,
    data: str = "fashion_mnist",
    sparsities: Sequence[float] = (0.9, 0.95),
    members: int = 8,
    num_train: int = 5000,
    hidden: Sequence[int] = (32, 32),
    epochs: int = 5,
    batch_size: int = 64,
) -> Outcome:
    """Train three dense populations and pruned ones; corrupt the test images.

    Values, for each of `CORRUPTIONS`:
        drop_noise_s90: fall of the accuracy over the accuracy, for `first`, `dense` (a second population, the control) and
            each of `sparsities`; extra_noise_s90: the same less that of the first dense population.
        pie_flips_noise_s90: share of predictions that the corruption changes on PIEs less that off them, in the networks
            of a dense population that did not choose the PIEs; `chance`: PIEs between two dense populations.
    And over the four: `least_extra_s90`, the smallest `extra`; `pie_flips_s90`, the mean.
    """
    seeds = role_seeds(seed)
    split = pictures(data, num_train, seeds.data)
    kinds = ["first", "dense", "third", *(f"s{100 * sparsity:g}" for sparsity in sparsities)]
    population = _trained(
        split,
        seeds=_member_seeds(seeds.init, members * len(kinds)),
        sparsity=[level for level in (0.0, 0.0, 0.0, *sparsities) for _ in range(members)],
        recipe=Recipe(tuple(hidden), epochs, batch_size),
        classes=10,
    )

    def answers(x: Array) -> dict[str, Array]:
        return dict(
            zip(kinds, _predict(population, x).reshape(len(kinds), members, -1), strict=True)
        )

    clean = answers(split.test_x)
    chosen = {kind: pies(clean["first"], clean[kind]) for kind in kinds[3:]}
    chosen["chance"] = pies(clean["first"], clean["third"])
    values: dict[str, float] = {}
    for corruption in CORRUPTIONS:
        worse = answers(corrupted(split.test_x, corruption, seeds.data))
        for kind in kinds:
            before, after = ((side[kind] == split.test_y).mean() for side in (clean, worse))
            values[f"drop_{corruption}_{kind}"] = float((before - after) / before)
            values[f"extra_{corruption}_{kind}"] = (
                values[f"drop_{corruption}_{kind}"] - values[f"drop_{corruption}_first"]
            )
        flipped = (clean["dense"] != worse["dense"]).mean(0)
        for kind, those in chosen.items():
            values[f"pie_flips_{corruption}_{kind}"] = float(
                flipped[those].mean() - flipped[~those].mean()
            )
    for kind in kinds:
        values[f"least_extra_{kind}"] = min(values[f"extra_{c}_{kind}"] for c in CORRUPTIONS)
    for kind in chosen:
        values[f"pie_flips_{kind}"] = float(
            np.mean([values[f"pie_flips_{c}_{kind}"] for c in CORRUPTIONS])
        )
    return Outcome(values)


def wrong_labels(
    *,
    seed: int,
    data: str = "digits",
    share: float = 0.1,
    sparsity: float = 0.9,
    members: int = 10,
    num_train: int = 1400,
    hidden: Sequence[int] = (32,),
    epochs: int = 25,
    batch_size: int = 25,
) -> Outcome:
    """Train with `share` of the labels replaced by a wrong one; look for PIEs among the training images.

    Values, for `dense` (PIEs between two dense populations, the control) and `pruned`:
        over_representation: share of wrong labels among the PIEs over that among all images.
        num_pies: how many there are. learnt: share of wrong labels that the networks repeat.
    """
    seeds = role_seeds(seed)
    split = pictures(data, num_train, seeds.data)
    rng = np.random.default_rng(seeds.data)
    wrong = np.zeros(len(split.train_y), bool)
    wrong[rng.permutation(len(wrong))[: round(share * len(wrong))]] = True
    labels = np.where(wrong, (split.train_y + rng.integers(1, 10, len(wrong))) % 10, split.train_y)
    population = _trained(
        Split(split.train_x, labels, split.test_x, split.test_y),
        seeds=_member_seeds(seeds.init, 3 * members),
        sparsity=[0.0] * (2 * members) + [sparsity] * members,
        recipe=Recipe(tuple(hidden), epochs, batch_size),
        classes=10,
    )
    answers = _predict(population, split.train_x).reshape(3, members, -1)
    values: dict[str, float] = {}
    for kind, after in (("dense", answers[1]), ("pruned", answers[2])):
        chosen = pies(answers[0], after)
        values[f"over_representation_{kind}"] = (
            float(wrong[chosen].mean() / wrong.mean()) if chosen.any() else math.nan
        )
        values[f"num_pies_{kind}"] = float(chosen.sum())
        values[f"learnt_{kind}"] = float((after == labels)[:, wrong].mean())
    return Outcome(values)


def _audit(dense: Array, other: Array, labels: Array, *, paired: bool = False) -> Audit:
    names = tuple(str(c) for c in range(int(labels.max()) + 1))
    return audited(
        Material(before=dense, after=other, label=labels, answers=names),
        paired=paired,
        draws=DRAWS,
    )


def _values(found: Audit) -> dict[str, float]:
    assert found.classes is not None  # every label is known
    assert found.accuracy is not None
    pie, classes, wrong = found.examples.pie, found.classes, 1 - found.examples.right_before
    mixed = 0 < pie.sum() < len(pie)
    gained, lost = classes.gained().sum(), classes.lost().sum()
    share, floor = found.pies.at_size or 0.0, found.pies.floor or 0.0
    return {
        "pie_over_floor": _over(share, floor),
        "pie_share": share,
        "floor": floor,
        "hardness": float(wrong[pie].mean() - wrong[~pie].mean()) if mixed else 0.0,
        "num_classes": float(gained + lost),
        "gains_less_losses": float(gained - lost),
        "loss_less_gain": float(-classes.relative.min() - classes.relative.max()),
        "forgotten": float(found.forgotten or 0),
        "gained": float(found.gained or 0),
        "accuracy": found.accuracy.after,
    }


def _without(found: Audit, dense: Array, labels: Array, seed: int) -> dict[str, float]:
    """By how much the dense networks' accuracy rises where images are left out, chosen in three ways."""
    pie, right = found.examples.pie, found.examples.right_before
    count = int(pie.sum())
    order = np.random.default_rng(seed).permutation(len(labels))
    closest = order[np.argsort(found.examples.votes_before[order], kind="stable")]

    def gain(left_out: Array) -> float:
        return float(np.delete(right, left_out).mean() - right.mean())

    gains = {
        "pies": gain(np.flatnonzero(pie)),
        "random": gain(order[:count]),
        "close": gain(closest[:count]),
    }
    return {
        **{f"gain_without_{name}": value for name, value in gains.items()},
        "pies_less_close": gains["pies"] - gains["close"],
        "random_less_close": gains["random"] - gains["close"],
    }


def _over(a: float, b: float) -> float:
    """a / b, and infinite over nothing: a claim on it then says that its seed is not a number."""
    return a / b if b else math.inf


def _captions(found: Audit, rows: Array) -> list[str]:
    """What a picture shows, and the label that most members give on either side."""
    shown = found.examples
    assert shown.label is not None
    return [
        f"is {shown.label[i]}, dense {shown.answer_before[i]}, pruned {shown.answer_after[i]}"
        for i in rows
    ]


def _trained(
    split: Split,
    *,
    seeds: Sequence[int],
    sparsity: Sequence[float],
    recipe: Recipe,
    classes: int,
) -> Population:
    return train_population(
        _tensor(split.train_x),
        torch.from_numpy(split.train_y),
        seeds=seeds,
        sparsity=sparsity,
        recipe=recipe,
        classes=classes,
    )


def _member_seeds(seed: int, members: int) -> list[int]:
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(members)]


def _tensor(x: Float[Array, "n ..."]) -> Tensor:
    return torch.from_numpy(x).float()


def _predict(population: Population, x: Float[Array, "n ..."]) -> Int[Array, "k n"]:
    return population.predict(_tensor(x)).numpy()


def _ranks(x: Array) -> Float[Array, "n"]:
    """Ranks from 1, equal numbers sharing the mean of theirs."""
    below = (x[:, None] > x).sum(1)
    return below + ((x[:, None] == x).sum(1) + 1) / 2
