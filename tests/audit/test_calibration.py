"""How often an audit speaks where nothing changed, and where something did. The large tables are bench/audit.py's."""

import numpy as np
import pytest
from scipy import stats

from studiolo.audit import audit


AUDITS = 200
pytestmark = pytest.mark.slow


def world(rng, n, classes, loss=0.0):
    """Examples and classes that differ in ease; class 0 of the side after is right `loss` less often."""
    labels, groups = rng.integers(0, classes, n), rng.integers(0, 3, n)
    ease = rng.beta(rng.uniform(1, 8, classes)[labels], 1)
    less = np.where(labels == 0, 1 - loss / ease[labels == 0].mean(), 1.0)

    def side(models, chance=ease):
        right = rng.random((models, n)) < chance
        return np.where(right, labels, (labels + rng.integers(1, classes, (models, n))) % classes)

    return labels, groups, side, ease * less


@pytest.mark.parametrize(
    ("models", "classes", "n"), [(1, 2, 1000), (1, 10, 2000), (4, 2, 1000), (4, 10, 2000)]
)
def test_where_nothing_changed_a_family_has_a_finding_in_five_of_a_hundred(models, classes, n):
    hits = np.zeros(4)
    for seed in range(AUDITS):
        labels, groups, side, _ = world(np.random.default_rng([seed, models, classes]), n, classes)
        found = audit(side(models), side(models), labels, null=side(models), groups=groups, draws=1)
        hits += [
            (found.classes.q <= 0.05).any(),
            (found.groups["group"].q <= 0.05).any(),
            found.accuracy.p <= 0.05,
            bool((found.forgotten or 0) + (found.gained or 0)),
        ]
    assert max(hits) <= stats.binom.ppf(0.999, AUDITS, 0.05)


def test_three_points_of_one_class_in_ten_are_found():
    hits = 0
    for seed in range(40):
        labels, _, side, chance = world(np.random.default_rng(seed), 5000, 10, loss=0.03)
        found = audit(side(24), side(24, chance), labels, draws=1)
        hits += bool(found.classes.lost()[0])
    assert hits >= 36


def test_nets_that_move_whole_classes_are_no_finding_beside_a_null():
    """Each model is better at some classes and worse at others by itself, as trained networks are."""
    alone = beside = 0
    for seed in range(AUDITS):
        rng = np.random.default_rng(seed)
        labels, _, side, ease = world(rng, 5000, 10)
        before, after, null = (
            side(1, np.clip(ease + rng.normal(0, 0.05, 10)[labels], 0, 1)) for _ in range(3)
        )
        alone += bool((audit(before, after, labels, draws=1).classes.q <= 0.05).any())
        beside += bool((audit(before, after, labels, null=null, draws=1).classes.q <= 0.05).any())
    assert alone > AUDITS / 3
    assert beside <= stats.binom.ppf(0.999, AUDITS, 0.05)
