"""The comparison against the slow reference, on a thousand small inputs of every kind, and numbers worked by hand."""

import numpy as np
import pytest

from studiolo.audit import Material, audit, compare

from . import reference


def random_case(seed):
    rng = np.random.default_rng(seed)
    k0, k1 = rng.integers(1, 5, 2)
    paired = bool(rng.random() < 0.3)
    if paired:
        k1 = k0
    n, classes = int(rng.integers(1, 14)), int(rng.integers(2, 5))
    lowest = -1 if rng.random() < 0.3 else 0  # missing answers and labels
    labels = rng.integers(lowest, classes, n)
    hit = rng.random((k0 + k1, n)) < rng.uniform(0.3, 0.95)
    answers = np.where(hit, labels, rng.integers(lowest, classes, (k0 + k1, n)))
    groups = rng.integers(-1, 3, n)
    return answers[:k0], answers[k0:], labels, groups, paired


def same(found, wanted):
    return found == pytest.approx(wanted, rel=1e-6, abs=1e-9, nan_ok=True)


def q_of(p):
    known = [x for x in p if x is not None]
    q = iter(reference.benjamini_hochberg(known))
    return [np.nan if x is None else next(q) for x in p]


@pytest.mark.parametrize("block", range(10))
def test_agrees_with_the_reference_on_small_inputs(block):
    for seed in range(100 * block, 100 * block + 100):
        before, after, labels, groups, paired = random_case(seed)
        names = [str(i) for i in range(5)]
        found = compare(
            Material(
                before, after, label=labels, answers=names, groups={"g": (groups, ["a", "b", "c"])}
            ),
            paired=paired,
        )
        k0, k1, n = len(before), len(after), len(labels)
        pairs = [(k, k) for k in range(k0)] if paired else reference.all_pairs(k0, k1)
        columns = [(list(before[:, i]), list(after[:, i])) for i in range(n)]
        flips = [
            reference.flips(a, b, y if y >= 0 else None, pairs)
            for (a, b), y in zip(columns, labels.tolist(), strict=True)
        ]
        kinds = ("agreement", "right_to_wrong", "wrong_to_right", "wrong_to_wrong", "unknown")
        for kind, wanted in zip(kinds, np.mean(flips, 0), strict=True):
            assert same(getattr(found.flips, kind), wanted), (seed, kind)
        if k0 > 1:
            within = [(a, b) for a, b in reference.all_pairs(k0, k0) if a != b]
            floor = [
                reference.flips(a, a, y if y >= 0 else None, within)
                for (a, _), y in zip(columns, labels.tolist(), strict=True)
            ]
            for kind, wanted in zip(kinds, np.mean(floor, 0), strict=True):
                assert same(getattr(found.floor_flips, kind), wanted), (seed, kind)
        assert found.examples.pie.tolist() == [reference.pie(a, b) for a, b in columns], seed
        assert same(found.examples.score, [reference.taxicab(a, b) for a, b in columns]), seed
        check_parts(found.classes, before, after, labels, labels, paired, seed)
        check_parts(found.groups["g"], before, after, labels, groups, paired, seed)
        check_examples(found.examples, before, after, labels, seed)


def check_parts(found, before, after, labels, codes, paired, seed):
    if found is None:
        assert (labels < 0).all()
        return
    wanted = reference.parts(
        before.tolist(), after.tolist(), labels.tolist(), codes.tolist(), paired
    )
    assert found.size.tolist() == [n for n, _, _ in wanted.values()], seed
    p = [p for _, _, p in wanted.values()]
    assert same(found.p, [np.nan if x is None else min(max(x, 1e-16), 1.0) for x in p]), seed
    assert same(found.q, q_of(p)), seed
    for i, (_, relative, tested) in enumerate(wanted.values()):
        if tested is not None:
            assert same(found.relative[i], relative), seed
            assert found.low[i] <= relative + 1e-9, seed
            assert relative - 1e-9 <= found.high[i], seed


def check_examples(found, before, after, labels, seed):
    if min(len(before), len(after)) < 2 or not (labels >= 0).any():
        assert np.isnan(found.q).all()
        return
    right0, right1 = (before == labels).sum(0), (after == labels).sum(0)
    p = [
        None if y < 0 else reference.fisher(a, len(before), b, len(after))
        for a, b, y in zip(right0.tolist(), right1.tolist(), labels.tolist(), strict=True)
    ]
    assert same(found.p, [np.nan if x is None else x for x in p]), seed
    assert same(found.q, q_of(p)), seed


def test_audit_worked_by_hand():
    """Eight examples, one model a side: three losses, one win, one other error."""
    labels = [0, 0, 0, 0, 1, 1, 1, 1]
    before = [0, 0, 0, 0, 1, 1, 0, 2]
    after_ = [1, 1, 0, 0, 0, 1, 1, 3]
    found = audit(before, after_, labels)
    assert found.flips.agreement == 3 / 8
    assert (found.flips.right_to_wrong, found.flips.wrong_to_right) == (3 / 8, 1 / 8)
    assert found.flips.wrong_to_wrong == 1 / 8
    assert found.accuracy.before == 6 / 8
    assert found.accuracy.after == 4 / 8
    assert found.accuracy.p == 2 * (1 + 4) / 16  # of four flips at most one is a win, twice
    assert found.classes.change.tolist() == [-2 / 4, 0.0]
    assert found.classes.relative.tolist() == [-2 / 4 + 2 / 8, 2 / 8]
    assert found.examples.pie.tolist() == [True, True, False, False, True, False, True, True]
    assert found.pies.share == 5 / 8


def test_population_worked_by_hand():
    """Two and two models, two examples: modal answers tie, and a tie shares an answer with both."""
    found = audit([[0, 1], [1, 1]], [[0, 0], [0, 0]], [0, 1])
    assert found.examples.pie.tolist() == [False, True]
    assert found.examples.score.tolist() == [1.0, 2.0]
    assert found.examples.right_before.tolist() == [0.5, 1.0]
    assert found.examples.right_after.tolist() == [1.0, 0.0]
    assert found.flips.agreement == (0.5 + 0.0) / 2
    assert found.floor == "before"
    assert found.floor_flips.agreement == (0.0 + 1.0) / 2


def test_equal_sides_have_nothing_to_see():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 400)
    for k in (1, 5):
        side = np.where(rng.random((k, 400)) < 0.8, labels, rng.integers(0, 10, (k, 400)))
        found = audit(side, side, labels, groups=labels % 2, paired=True)
        assert found.flips.share == 0
        assert found.pies.share == 0
        assert found.accuracy.change == 0
        assert found.accuracy.p == 1
        for parts in (found.classes, found.groups["group"]):
            assert (parts.p == 1).all()
            assert not parts.lost().any()


def test_numbering_the_classes_otherwise_changes_nothing():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 5, 300)
    before, after = (
        np.where(rng.random((6, 300)) < 0.7, labels, rng.integers(0, 5, (6, 300))) for _ in "ab"
    )
    order = np.array([3, 1, 4, 0, 2])
    one, other = audit(before, after, labels), audit(order[before], order[after], order[labels])
    assert (one.examples.pie == other.examples.pie).all()
    assert one.flips == other.flips
    assert one.classes.p[np.argsort(order)] == pytest.approx(other.classes.p)


def test_exchanging_the_sides_turns_every_change_round():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 5, 300)
    for k in (1, 6):
        before, after = (
            np.where(rng.random((k, 300)) < p, labels, rng.integers(0, 5, (k, 300)))
            for p in (0.8, 0.6)
        )
        one, other = audit(before, after, labels), audit(after, before, labels)
        assert one.classes.relative == pytest.approx(-other.classes.relative)
        assert one.classes.p == pytest.approx(other.classes.p)
        assert one.classes.low == pytest.approx(-other.classes.high)
        assert one.accuracy.low == pytest.approx(-other.accuracy.high)
        assert one.flips.right_to_wrong == pytest.approx(other.flips.wrong_to_right)


def test_examples_without_a_label_count_in_flips_only():
    labels = np.array([0, -1, 1, -1])
    found = audit([0, 0, 1, 0], [0, 1, 0, 0], labels)
    assert found.known == 2
    assert found.accuracy.before == 1.0
    assert found.accuracy.after == 0.5
    assert found.flips.unknown == 1 / 4
    assert found.flips.right_to_wrong == 1 / 4


def test_without_labels_flips_are_all_there_is():
    found = audit([0, 1, 2], [0, 2, 1])
    assert found.accuracy is None
    assert found.classes is None
    assert found.forgotten is None
    assert found.flips.unknown == pytest.approx(2 / 3)


def test_groups_without_labels_say_what_flipped():
    found = audit([0, 1, 2, 3], [0, 2, 1, 3], groups=["a", "b", "b", "a"])
    assert found.groups["group"].names == ("a", "b")
    assert found.groups["group"].flips.tolist() == [0.0, 1.0]
    assert np.isnan(found.groups["group"].q).all()


def test_class_that_never_occurs_is_no_class():
    found = audit([0, 5, 0, 5], [0, 5, 5, 5], [0, 5, 0, 9])
    assert found.classes.names == ("0", "5", "9")
    assert found.classes.size.tolist() == [2, 1, 1]


def test_one_class_alone_cannot_be_tested_against_the_rest():
    for before in ([0, 0, 1], [[0, 0, 1], [0, 1, 1]]):
        found = audit(before, before, [0, 0, 0])
        assert np.isnan(found.classes.q).all()
        assert not found.classes.lost().any()


def test_one_model_never_gives_p_of_zero():
    labels = np.zeros(3000, int)
    labels[:1500] = 1
    after = labels.copy()
    after[:1500] = 0
    found = audit(labels, after, labels)
    assert (found.classes.p > 0).all()
    assert found.accuracy.p > 0
    several = audit(np.stack([labels] * 3), np.stack([after] * 3), labels)
    assert (several.classes.p > 0).all()


def test_models_that_agree_to_the_last_example_are_not_certain():
    """Five examples a class: four models that all miss the same one of them are chance, not p = 0."""
    labels = np.repeat(np.arange(200), 5)
    before = np.tile(labels, (4, 1))
    after = before.copy()
    after[:, 7] = 0
    found = audit(before, after, labels)
    assert not found.classes.lost().any()


def test_one_model_without_a_second_before_speaks_of_these_two_alone():
    assert "about these two models" in audit([0, 1], [0, 1]).about
    assert "judged beside" in audit([0, 1], [0, 1], null=[0, 1]).about
    assert "these two models" not in audit([[0], [1]], [[0], [1]]).about


def test_how_often_two_models_differ_by_training_alone_is_said_beside_the_result():
    [note] = audit([0, 1], [0, 1], [0, 1]).notes
    assert "86 of 100 pairs of networks that were merely trained again" in note
    assert audit([0, 1], [0, 1], [0, 1], null=[0, 1]).notes == ()
    assert audit([0, 1], [0, 1]).notes == ()


def test_null_never_makes_a_finding_stronger():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 2000)
    before, after, null = (
        np.where(rng.random(2000) < 0.8, labels, rng.integers(0, 4, 2000)) for _ in range(3)
    )
    alone = audit(before, after, labels).classes
    beside = audit(before, after, labels, null=null).classes
    assert (beside.p >= alone.p - 1e-15).all()
    assert (beside.high - beside.low >= alone.high - alone.low - 1e-15).all()
    assert beside.null_relative is not None


def test_noise_floor_of_halves_and_of_a_second_population_agree():
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 10, 4000)
    ease = rng.beta(2, 1, 4000)

    def side(k):
        return np.where(rng.random((k, 4000)) < ease, labels, rng.integers(0, 10, (k, 4000)))

    before, after, null = side(10), side(5), side(5)
    halves = audit(before, after, labels, draws=20).pies
    second = audit(before, after, labels, null=null, draws=20).pies
    assert halves.size == second.size == 5
    assert halves.floor == pytest.approx(second.floor, rel=0.15)
    assert halves.at_size == pytest.approx(halves.floor, rel=0.15)
