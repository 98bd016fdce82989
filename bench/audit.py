"""The audit's promises, measured: `python bench/audit.py [speed] [null] [power] [retrained]`; all without a word.

speed      CPU seconds and memory of two large audits.
null       200 audits a setting in which nothing changed but independent flips: how often a family has a finding.
power      how often a class of ten that loses three points more is found, by models a side and examples.
retrained  the same as null with networks that were really trained again, on Fashion-MNIST of 14 x 14 pixels.
"""

import os


os.environ.setdefault("OMP_NUM_THREADS", "1")

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studiolo.audit import Audit, audit


AUDITS = 200
Ints = NDArray[np.int64]


def speed() -> None:
    """Print both bars, each in a process of its own so that the memory is its own."""
    print(
        "| models a side | examples | classes | CPU s | peak MB |\n| --- | --- | --- | --- | --- |"
    )
    for models, n in ((30, 50_000), (1, 1_000_000)):
        words = [sys.executable, __file__, "one", str(models), str(n)]
        found = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
        print(f"| {models} | {n:,} | 1,000 | {float(found[0]):.2f} | {float(found[1]):.0f} |")


def one(models: int, n: int) -> None:
    """Audit once and print CPU seconds and peak memory in MB, the making of the answers left out of the time."""
    labels, _, side = world(np.random.default_rng(0), n, 1000)
    before, after = side(models), side(models)
    start = time.process_time()
    audit(before, after, labels)
    print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def world(
    rng: np.random.Generator, n: int, classes: int, loss: float = 0.0
) -> tuple[Ints, Ints, Callable[..., Ints]]:
    """Return labels, groups, and a function that answers for some models: each example has its own ease.

    Classes differ in how easy they are. `side(k, True)`: class 0 is right `loss` less often.
    """
    labels, groups = rng.integers(0, classes, n), rng.integers(0, 3, n)
    ease = rng.beta(rng.uniform(1, 8, classes)[labels], 1)

    def side(models: int, lossy: bool = False) -> Ints:
        chance = ease * np.where((labels == 0) & lossy, 1 - loss / ease[labels == 0].mean(), 1.0)
        right = rng.random((models, n)) < chance
        other = (labels + rng.integers(1, classes, (models, n))) % classes
        return np.where(right, labels, other)

    return labels, groups, side


FAMILIES = ("classes", "groups", "examples", "accuracy")


def findings(found: Audit) -> list[bool]:
    """Return whether each family has a finding."""
    return [
        found.classes is not None and bool((found.classes.q <= found.level).any()),
        any(bool((parts.q <= found.level).any()) for parts in found.groups.values()),
        bool((found.forgotten or 0) + (found.gained or 0)),
        found.accuracy is not None and found.accuracy.p <= found.level,
    ]


def row(name: str, hits: NDArray[Any], audits: int) -> str:
    """Return a row of the table: per cent of audits with a finding."""
    return f"| {name} | " + " | ".join(f"{100 * h / audits:.1f}" for h in hits) + " |"


def head(what: str) -> None:
    """Print the head of a table."""
    print(f"\n| {what} | " + " | ".join(FAMILIES) + " |\n|" + " --- |" * (len(FAMILIES) + 1))


def null() -> None:
    """Print how often each family has a finding where nothing changed."""
    head(f"independent flips, {AUDITS} audits, % with a finding")
    for models in (1, 4, 30):
        for classes, n in ((2, 2000), (10, 5000), (1000, 20_000)):
            for with_null in (False, True):
                hits = np.zeros(len(FAMILIES))
                for seed in range(AUDITS):
                    rng = np.random.default_rng([seed, models, classes])
                    labels, groups, side = world(rng, n, classes)
                    before, after = side(models), side(models)
                    other = side(models) if with_null else None
                    hits += findings(
                        audit(before, after, labels, null=other, groups=groups, draws=1)
                    )
                beside = "a null" if with_null else "no null"
                print(
                    row(f"{models} a side, {classes} classes, {beside}", hits, AUDITS), flush=True
                )


def power() -> None:
    """Print how often the class that loses three points is found, and how often another one is."""
    print("\n| models a side | examples | null | found % | another found % |\n|" + " --- |" * 5)
    for models, n, with_null in (
        (1, 50_000, False), (1, 100_000, False), (1, 100_000, True), (4, 10_000, False), (4, 20_000, False),
        (8, 10_000, False), (12, 10_000, False), (30, 5_000, False),
    ):  # fmt: skip
        hit = other = 0
        for seed in range(AUDITS):
            labels, _, side = world(np.random.default_rng([seed, models, n]), n, 10, loss=0.03)
            again = side(models) if with_null else None
            found = audit(side(models), side(models, True), labels, null=again, draws=1).classes
            assert found is not None
            hit += bool(found.lost()[0])
            other += bool(found.lost()[1:].any())
        beside = "yes" if with_null else "no"
        print(
            f"| {models} | {n:,} | {beside} | {100 * hit / AUDITS:.1f} | {100 * other / AUDITS:.1f} |",
            flush=True,
        )


def retrained(members: int = 600) -> None:
    """Print the same for networks trained again; audits of several models share networks, so that their rows err more."""
    import torch

    from studiolo.data import images
    from studiolo.papers.pruning_identified_exemplars import Recipe, train_population

    torch.set_num_threads(1)
    data = images("fashion_mnist")

    def pooled(x: Any) -> torch.Tensor:
        y = torch.tensor(np.asarray(x), dtype=torch.float32).reshape(-1, 14, 2, 14, 2) / 255
        return y.mean((2, 4)).flatten(1)

    names = sorted(data)
    train_x, train_y, test_x, labels = (
        data[next(n for n in names if part in n and kind in n)]
        for part, kind in (
            ("train", "images"),
            ("train", "labels"),
            ("test", "images"),
            ("test", "labels"),
        )
    )
    start = time.process_time()
    population = train_population(
        pooled(train_x)[:20_000],
        torch.tensor(np.asarray(train_y)[:20_000], dtype=torch.int64),
        seeds=range(members),
        recipe=Recipe((32, 32), 3, 128),
    )
    with torch.no_grad():
        answers = population.predict(pooled(test_x)).numpy()
    print(
        f"\n{members} networks in {time.process_time() - start:.0f} CPU-s, accuracy {(answers == labels).mean():.4f}"
    )
    groups = np.asarray(test_x).reshape(len(labels), -1).mean(1)
    groups = np.digitize(groups, np.quantile(groups, [1 / 3, 2 / 3]))
    head(f"networks trained again, {AUDITS} audits, % with a finding")
    for models in (1, 4, 30):
        for with_null in (False, True):
            hits = np.zeros(len(FAMILIES))
            for seed in range(AUDITS):
                if models == 1:
                    chosen = [seed, AUDITS + seed, 2 * AUDITS + seed]
                else:
                    chosen = np.random.default_rng(seed).permutation(members)[: 3 * models].tolist()
                one, other, same = (chosen[i * models : (i + 1) * models] for i in range(3))
                hits += findings(
                    audit(
                        answers[one], answers[other], labels, groups=groups, draws=1,
                        null=answers[same] if with_null else None,
                    )
                )  # fmt: skip
            beside = "a null" if with_null else "no null"
            print(row(f"{models} a side, 10 classes, {beside}", hits, AUDITS), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        one(int(sys.argv[2]), int(sys.argv[3]))
    else:
        for name in sys.argv[1:] or ("speed", "null", "power", "retrained"):
            {"speed": speed, "null": null, "power": power, "retrained": retrained}[name]()
