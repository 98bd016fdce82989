import copy

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from studiolo.errors import NeedsData

from . import experiments, reference
from .audit import (
    audit,
    benjamini_hochberg,
    class_test,
    example_test,
    held_out_excess,
    modal_labels,
    noise_floor,
    pies,
    taxicab,
    vote_counts,
)
from .model import Population, Recipe, train_population
from .pruning import Schedule, magnitude_mask, round_to_bits


SMALL = {"members": 4, "hidden": (8,), "epochs": 2}


def generators(members, seed=0):
    return [torch.Generator().manual_seed(seed + k) for k in range(members)]


def population(sizes=(5, 4, 3), members=3, sparsity=(0.0, 0.4, 0.8), dtype=torch.float64):
    stacked = Population(sizes, generators(members)).to(dtype)
    stacked.prune_(torch.tensor(sparsity))
    return stacked


def member(stacked, k):
    """W, b, M of one member, as leaves of their own."""
    W = [layer.weight[k].detach().clone().requires_grad_() for layer in stacked.layers]
    b = [layer.bias[k].detach().clone().requires_grad_() for layer in stacked.layers]
    return W, b, [layer.mask[k] for layer in stacked.layers]


def random_labels(*shape, classes=4, seed=0):
    return np.random.default_rng(seed).integers(0, classes, shape)


def dense_members(members, n, seed, classes=10, probability=None):
    """Predictions of members that are right with a probability of each example's own, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    if probability is None:
        probability = rng.beta(4, 1, n)
    wrong = (labels + rng.integers(1, classes, (members, n))) % classes
    return np.where(rng.random((members, n)) < probability, labels, wrong), labels


def assert_same(a, b, tolerance=1e-12):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


# modal labels and PIEs


def test_three_images_worked_by_hand():
    # image 0: both sides say 1. Image 1: 2 becomes 0. Image 2: 0 and 1 tie before, 0 wins after.
    dense = np.array([[1, 2, 0], [1, 2, 1], [1, 0, 0], [2, 2, 1]])
    pruned = np.array([[1, 0, 0], [1, 0, 0], [1, 2, 2], [1, 0, 0]])
    assert modal_labels(dense).tolist() == [1, 2, 1]
    assert pies(dense, pruned).tolist() == [False, True, False]
    assert pies(dense, pruned, ties="highest").tolist() == [False, True, True]
    # image 0: |3/4 - 1| + |1/4 - 0|; image 1: |1/4 - 3/4| + |3/4 - 1/4|; image 2: 1/4 + 1/2 + 1/4
    assert taxicab(dense, pruned).tolist() == [0.5, 1.0, 1.0]


@pytest.mark.parametrize("ties", ["shared", "highest"])
@pytest.mark.parametrize(("members", "others", "n"), [(1, 1, 7), (4, 4, 50), (5, 2, 31), (2, 9, 1)])
def test_votes_equal_the_reference(members, others, n, ties):
    dense, other = random_labels(members, n), random_labels(others, n, seed=1)
    found = pies(dense, other, ties=ties)
    columns = list(zip(dense.T.tolist(), other.T.tolist(), strict=True))
    assert found.tolist() == [reference.pie(a, b, ties) for a, b in columns]
    np.testing.assert_allclose(taxicab(dense, other), [reference.taxicab(a, b) for a, b in columns])


def test_numbering_the_classes_otherwise_changes_no_pie():
    dense, other = random_labels(4, 300), random_labels(4, 300, seed=1)
    renamed = np.array([3, 1, 0, 2])
    np.testing.assert_array_equal(pies(dense, other), pies(renamed[dense], renamed[other]))
    assert (pies(dense, other, "highest") != pies(renamed[dense], renamed[other], "highest")).any()


def test_every_vote_is_counted_once():
    votes = vote_counts(random_labels(6, 20), classes=9)
    assert votes.shape == (20, 9)
    assert (votes.sum(1) == 6).all()


def test_floor_is_what_a_further_dense_population_gives():
    probability = np.linspace(
        0.3, 0.7, 2000
    )  # many votes near a tie, so that many change by chance
    predictions, labels = dense_members(90, 2000, 0, classes=2, probability=probability)
    found = audit(predictions[:60], predictions[60:], labels)
    assert found.size == 30
    assert found.floor_share > 0.05
    assert 0.9 < found.pie_share / found.floor_share < 1.1
    assert not found.examples.forgotten().any()
    assert not (found.classes.q <= 0.05).any()


def test_judging_the_networks_that_chose_is_circular():
    predictions, labels = dense_members(40, 4000, seed=1)
    dense, other = predictions[:20], predictions[20:]
    chosen = pies(dense, other)
    by_chance = (dense != labels).mean(0)[chosen].mean() - (dense != labels).mean(0)[~chosen].mean()
    assert by_chance > 0.2  # "hard", with nothing pruned
    assert abs(held_out_excess(dense, other, labels)) < 0.02


def test_held_out_excess_finds_what_was_planted():
    # 100 of 1000 images are got right by 9 members in 10 before, and by 1 in 10 after
    probability = np.full(1000, 0.9)
    dense, labels = dense_members(40, 1000, 2, probability=probability)
    probability[:100] = 0.1
    worse, _ = dense_members(40, 1000, 3, probability=probability)
    # most votes of the wrong ones are split nine ways, so nearly all of the hundred are found
    assert held_out_excess(dense, worse, labels) == pytest.approx(0.8, abs=0.05)
    assert held_out_excess(dense, dense, labels, paired=True) == 0.0
    assert example_test(dense, worse, labels).forgotten().sum() == pytest.approx(100, abs=7)
    assert example_test(worse, dense, labels).gained().sum() == pytest.approx(100, abs=7)


# tests


def test_class_test_worked_by_hand():
    # Recall of class 0 is 1 and 1/2 before, 1/2 and 0 after; class 1 is always right.
    labels = np.array([0, 0, 1, 1])
    dense = np.array([[0, 0, 1, 1], [0, 1, 1, 1]])
    pruned = np.array([[0, 1, 1, 1], [1, 1, 1, 1]])
    found = class_test(dense, pruned, labels)
    # Less accuracy: 0 and -1/4 before, -1/4 and -1/2 after; variance 1/32 each, t = (1/4) / (1/√32)
    np.testing.assert_allclose(found.change, [-0.25, 0.25])
    np.testing.assert_allclose(found.statistic, [2**0.5, -(2**0.5)])
    np.testing.assert_allclose(found.freedom, [2, 2])
    np.testing.assert_allclose(found.p, [0.2929, 0.2929], atol=1e-4)  # 1 - √(1/2)


@pytest.mark.parametrize("shift", ["member", "population"])
def test_class_test_is_welchs_test_of_shifted_recalls(shift):
    (dense, labels), (pruned, _) = dense_members(7, 60, 0), dense_members(5, 60, 1)
    found = class_test(dense, pruned, labels, shift)
    for c in range(10):
        before, after = (
            (side == labels)[:, labels == c].mean(1)
            - (
                (side == labels).mean(1)
                if shift == "member"
                else np.full(len(side), (side == labels).mean())
            )
            for side in (dense, pruned)
        )
        expected = stats.ttest_ind(before, after, equal_var=False)
        assert found.statistic[c] == pytest.approx(expected.statistic)
        assert found.p[c] == pytest.approx(expected.pvalue)
    assert found.change.sum() == pytest.approx(0, abs=1e-9)  # classes of equal size


def test_class_test_keeps_its_level_only_when_each_member_is_shifted_by_its_own_accuracy():
    # Nothing was pruned. Members differ in skill; class 0 of one kind of task does not follow it.
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 25)
    share = {}
    for follows in (False, True):
        rejected = {"member": 0, "population": 0}
        for _ in range(200):
            skill = rng.uniform(0.6, 1.0, (20, 1)) * np.ones(100)
            if not follows:
                skill[:, :25] = 0.8
            predictions = np.where(rng.random((20, 100)) < skill, labels, (labels + 1) % 4)
            for shift in ("member", "population"):
                p = class_test(predictions[:10], predictions[10:], labels, shift).p
                rejected[shift] += int(p[0] <= 0.05)
        share[follows] = {shift: count / 200 for shift, count in rejected.items()}
    # nominal 0.05; 0.10 is three standard deviations of 200 tests above it
    assert share[False]["member"] < 0.10 > share[True]["member"] > 0.005
    assert share[False]["population"] > 0.08  # finds what is not there
    assert share[True]["population"] < 0.005  # finds nothing any more


def test_identical_populations_have_no_unequal_class():
    predictions = np.tile(random_labels(1, 40), (5, 1))
    assert (class_test(predictions, predictions, np.arange(40) % 4).p == 1).all()


@pytest.mark.parametrize(("members", "others"), [(30, 30), (4, 7), (1, 3)])
def test_example_test_is_fishers(members, others):
    (dense, labels), (pruned, _) = dense_members(members, 40, 0), dense_members(others, 40, 1)
    found = example_test(dense, pruned, labels)
    for i in range(40):
        a, b = (dense[:, i] == labels[i]).sum(), (pruned[:, i] == labels[i]).sum()
        expected = stats.fisher_exact([[a, members - a], [b, others - b]]).pvalue
        assert found.p[i] == pytest.approx(expected)


def test_benjamini_hochberg_worked_by_hand():
    # sorted .01 .02 .04 .5, times 4 over rank: .04 .04 .0533 .5
    q = benjamini_hochberg(np.array([0.04, 0.01, 0.5, 0.02]))
    np.testing.assert_allclose(q, [0.16 / 3, 0.04, 0.5, 0.04])


@pytest.mark.parametrize("n", [1, 2, 13])
def test_benjamini_hochberg_equals_the_reference(n):
    p = np.random.default_rng(n).random(n).round(1)  # with ties
    np.testing.assert_allclose(benjamini_hochberg(p), reference.benjamini_hochberg(p.tolist()))


# populations


@pytest.mark.parametrize("sizes", [(5, 3), (5, 4, 3), (1, 7, 2, 5)])
@pytest.mark.parametrize("own_batches", [True, False])
def test_stack_equals_its_members_in_values_and_gradients(sizes, own_batches):
    stacked = population(sizes)
    shape = (3, 6, sizes[0]) if own_batches else (6, sizes[0])
    x = torch.randn(shape, dtype=torch.float64, generator=generators(1)[0])
    y = torch.arange(18).view(3, 6) % sizes[-1]
    logits = stacked(x)
    F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum").div(6).backward()
    for k in range(3):
        W, b, M = member(stacked, k)
        alone = reference.network(x[k] if own_batches else x, W, b, M)
        assert_same(logits[k], alone)
        reference.cross_entropy(alone, y[k]).backward()
        for i, layer in enumerate(stacked.layers):
            assert_same(layer.weight.grad[k], W[i].grad)
            assert_same(layer.bias.grad[k], b[i].grad)
            assert not layer.weight.grad[k][layer.mask[k] == 0].any()


def test_low_precision_follows_double():
    stacked = population(dtype=torch.float64)
    x = torch.randn(6, 5, dtype=torch.float64, generator=generators(1)[0])
    low = copy.deepcopy(stacked).bfloat16()(x.bfloat16())
    assert low.dtype == torch.bfloat16
    assert_same(low.double(), stacked(x), 0.03)  # bfloat16 keeps 8 bits


def test_members_train_as_the_reference_trains_one():
    recipe = Recipe((4,), 3, 5, pruning=Schedule(0.2, 0.8, 3))
    x = torch.randn(17, 6, dtype=torch.float64, generator=generators(1)[0])
    y = torch.arange(17) % 3
    levels, seeds = [0.0, 0.5, 0.9], [7, 8, 9]
    stacked = train_population(x, y, seeds=seeds, sparsity=levels, recipe=recipe)
    steps = 9  # 3 epochs of 3 batches; two images are left over
    for k in range(3):
        generator = torch.Generator().manual_seed(seeds[k])
        start = Population((6, 4, 3), [generator]).double()
        W, b, M = member(start, 0)
        w = [*W, *b]
        v = [torch.zeros_like(part) for part in w]
        step = 0
        for _ in range(3):
            order = torch.randperm(17, generator=generator)
            for i in range(3):
                rows = order[5 * i : 5 * i + 5]
                loss = reference.cross_entropy(reference.network(x[rows], w[:2], w[2:], M), y[rows])
                gradients = torch.autograd.grad(loss, w)
                eta = reference.learning_rate(step, steps, 0.1)
                for j, g in enumerate(gradients):
                    new, v[j] = reference.nesterov_step(w[j].detach(), g, v[j], eta, 0.9, 5e-4)
                    w[j] = new.requires_grad_()
                step += 1
                # cuts at .2, .4, .6 and .8 of 9 steps
                if step in (2, 4, 5, 7):
                    t = {2: 0.0, 4: 0.2, 5: 0.4, 7: 0.6}[step]
                    s = reference.sparsity_at(t, levels[k], 0.0, 0.6)
                    M = [reference.magnitude_mask(part, s) for part in w[:2]]
        for i, layer in enumerate(stacked.layers):
            assert_same(layer.weight[k], w[i], 1e-10)
            assert_same(layer.bias[k], w[2 + i], 1e-10)
            assert_same(layer.mask[k], M[i])


def test_a_member_does_not_depend_on_its_company():
    x = torch.randn(20, 6, dtype=torch.float64, generator=generators(1)[0])
    y = torch.arange(20) % 3
    recipe = Recipe((4,), 2, 5)
    level = [0.5, 0.0, 0.9, 0.3]
    whole = train_population(x, y, seeds=[3, 1, 4, 5], sparsity=level, recipe=recipe)
    parts = train_population(x, y, seeds=[3, 1, 4, 5], sparsity=level, recipe=recipe, chunk=3)
    alone = train_population(x, y, seeds=[4], sparsity=0.9, recipe=recipe)
    for name, value in whole.state_dict().items():
        assert_same(parts.state_dict()[name], value, 1e-10)
        assert_same(alone.state_dict()[name][0], value[2], 1e-10)


# compression


def test_schedule_worked_by_hand():
    # 100 steps, cuts at 20, 40 and 60: shares 1 - 1, 1 - 1/8 and 1
    assert Schedule(0.2, 0.6, 2).cuts(100) == {20: 0.0, 40: 0.875, 60: 1.0}
    assert Schedule(0.0, 1.0, 5).cuts(1) == {1: 1.0}  # several cuts on one step: the last


@pytest.mark.parametrize("shape", [(3, 7), (5, 4, 3), (2, 1)])
def test_mask_removes_exactly_the_smallest(shape):
    weight = torch.randn(shape, generator=generators(1)[0]).mul(2).round()  # with ties
    sparsity = torch.linspace(0, 0.9, shape[0])
    mask = magnitude_mask(weight, sparsity)
    for k in range(shape[0]):
        expected = reference.magnitude_mask(weight[k].flatten(), float(sparsity[k]))
        assert_same(mask[k].flatten().float(), expected)


def test_sparsity_is_reached_and_pruned_weights_may_come_back():
    stacked = Population((10, 10), generators(2))
    stacked.prune_(torch.tensor([0.25, 0.5]))
    assert_same(stacked.sparsity(), torch.tensor([0.25, 0.5]))
    (layer,) = stacked.layers
    before = layer.mask.clone()
    with torch.no_grad():
        layer.weight += 0.5
    stacked.prune_(torch.tensor([0.25, 0.5]))
    assert ((before == 0) & (layer.mask == 1)).any()


def test_three_bits_worked_by_hand():
    # scale 0.6 / 3 = 0.2; half way goes to even
    x = torch.tensor([[0.6, -0.29, 0.12, 0.0]], dtype=torch.float64)
    expected = torch.tensor([[0.6, -0.2, 0.2, 0.0]], dtype=torch.float64)
    assert_same(round_to_bits(x, 3, dim=1), expected)
    assert not round_to_bits(torch.zeros(2, 2), 8, dim=1).any()


def test_more_bits_come_closer_and_quantising_leaves_the_original_alone():
    stacked = population(sizes=(16, 12, 4))
    x = torch.randn(30, 16, dtype=torch.float64, generator=generators(1)[0])
    with torch.no_grad():
        before = stacked(x)
        error = {bits: (stacked.quantize(bits)(x) - before).abs().max() for bits in (3, 8, 16)}
        assert error[3] > 8 * error[8] > 64 * error[16] > 0
        weights_only = stacked.quantize(8, activations=False)(x)
        assert 0 < (weights_only - before).abs().max() < 2 * error[8]
        assert_same(stacked(x), before)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Population([3], generators(2)), r"2 members with layer sizes \[3\]"),
        (lambda: Population([3, 2], []), "0 members .* at least one member"),
        (lambda: population()(torch.ones(2, 6, 5)), r"x is \(2, 6, 5\); 3 members with 5 inputs"),
        (lambda: Schedule(0.7, 0.1), "Pruning from 0.7 to 0.1 of training in 20 updates"),
        (lambda: round_to_bits(torch.ones(2), 1, 0), "1 bits leave no level beside 0"),
        (
            lambda: train_population(
                torch.ones(2, 3), torch.zeros(2).long(), seeds=[1], sparsity=1.0
            ),
            r"Sparsities \[1.0\] for 1 members",
        ),
        (
            lambda: train_population(torch.ones(2, 3), torch.zeros(3).long(), seeds=[1]),
            "2 images and 3 labels",
        ),
        (
            lambda: audit(random_labels(4, 9), random_labels(4, 8), random_labels(9)),
            r"dense is \(4, 9\), compressed \(4, 8\), labels \(9,\)",
        ),
        (
            lambda: audit(random_labels(4, 9), random_labels(3, 9), random_labels(9)),
            "4 dense and 3 compressed members",
        ),
        (
            lambda: audit(random_labels(4, 9), random_labels(6, 9), random_labels(9), paired=True),
            "4 dense and 6 compressed members",
        ),
        (lambda: noise_floor(random_labels(5, 9), 3), "Two groups of 3 .* take size = 2"),
        (
            lambda: class_test(random_labels(4, 2), random_labels(4, 2), np.array([0, 2])),
            "Class 1 has no example",
        ),
        (lambda: experiments.compare(seed=0, data="cats"), "data is 'cats'; known are digits"),
    ],
)
def test_errors_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


# experiments


def test_compare_at_its_smallest():
    found = experiments.compare(seed=0, sparsities=(0.5, 0.95), bits=(8, 2), num_train=300, **SMALL)
    kinds = ("dense", "s50", "s95", "int8", "int2")
    assert {name.rsplit("_", 1)[1] for name in found.values if name != "growth"} == set(kinds)
    assert all(np.isfinite(list(found.values.values())))
    assert found.values["pie_share_int8"] < found.values["pie_share_int2"]
    assert found.arrays["images"].shape[1:] == (8, 8)
    assert len(found.arrays["captions"]) == len(found.arrays["images"]) > 0
    assert found.arrays["captions"][0].startswith("is ")
    again = experiments.compare(seed=0, sparsities=(0.5, 0.95), bits=(8, 2), num_train=300, **SMALL)
    assert again.values == found.values


def test_long_tail_at_its_smallest():
    found = experiments.long_tail(seed=0, most=20, imbalance=4.0, **SMALL).values
    assert set(found) == {
        f"{name}_{kind}"
        for name in ("tail_loss", "rank_correlation")
        for kind in ("dense", "pruned")
    }
    assert all(-1 <= value <= 1 for value in found.values())


def test_pictures_of_clothes_are_asked_for_by_name(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIOLO_DATA", str(tmp_path))
    with pytest.raises(NeedsData, match="fashion_mnist"):
        experiments.compare(seed=0, data="fashion_mnist", **SMALL)


def test_a_ratio_over_no_image_is_no_number():
    assert experiments._over(0.5, 0.25) == 2
    assert experiments._over(0.5, 0.0) == np.inf


def test_pixels_are_averaged_two_by_two():
    pictures = np.zeros((1, 28, 28), np.uint8)
    pictures[0, :2, 2:4] = [[255, 0], [255, 255]]
    assert experiments._pooled(pictures)[0, :3].tolist() == [0, 0.75, 0]
