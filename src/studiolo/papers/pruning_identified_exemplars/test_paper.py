import copy
import pickle

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F

from studiolo.audit import audit
from studiolo.errors import RunError

from . import experiments, reference
from .exemplars import held_out_excess, pies, published_class_test
from .inputs import corrupted
from .model import Population, Recipe, train_population
from .pruning import Schedule, magnitude_mask, round_to_bits
from .stacked import StackedConvNorm


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
    assert pies(dense, pruned).tolist() == [False, True, False]
    assert pies(dense, pruned, ties="highest").tolist() == [False, True, True]


@pytest.mark.parametrize("ties", ["shared", "highest"])
@pytest.mark.parametrize(("members", "others", "n"), [(1, 1, 7), (4, 4, 50), (5, 2, 31), (2, 9, 1)])
def test_votes_equal_the_reference(members, others, n, ties):
    dense, other = random_labels(members, n), random_labels(others, n, seed=1)
    found = pies(dense, other, ties=ties)
    columns = list(zip(dense.T.tolist(), other.T.tolist(), strict=True))
    assert found.tolist() == [reference.pie(a, b, ties) for a, b in columns]
    scores = audit(dense, other).examples.score
    np.testing.assert_allclose(scores, [reference.taxicab(a, b) for a, b in columns])


def test_numbering_the_classes_otherwise_changes_no_pie():
    dense, other = random_labels(4, 300), random_labels(4, 300, seed=1)
    renamed = np.array([3, 1, 0, 2])
    np.testing.assert_array_equal(pies(dense, other), pies(renamed[dense], renamed[other]))
    assert (pies(dense, other, "highest") != pies(renamed[dense], renamed[other], "highest")).any()


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
    assert audit(dense, worse, labels).forgotten == pytest.approx(100, abs=7)


# tests


def test_published_class_test_is_welchs_of_recalls_less_a_constant():
    (dense, labels), (pruned, _) = dense_members(7, 60, 0), dense_members(5, 60, 1)
    p = published_class_test(dense, pruned, labels)
    for c in range(10):
        before, after = (
            (side == labels)[:, labels == c].mean(1) - (side == labels).mean()
            for side in (dense, pruned)
        )
        assert p[c] == pytest.approx(stats.ttest_ind(before, after, equal_var=False).pvalue)


def test_published_class_test_says_nothing_of_equal_populations_and_of_classes_without_examples():
    predictions = np.tile(random_labels(1, 40), (5, 1))
    p = published_class_test(predictions, predictions, np.array([0, 1, 3, -1] * 10))
    np.testing.assert_array_equal(p, [1, 1, np.nan, 1])


def test_only_members_shifted_by_their_own_accuracy_keep_the_level_of_the_class_test():
    # Nothing was pruned. Members differ in skill; class 0 of one kind of task does not follow it.
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 25)
    share = {}
    for follows in (False, True):
        rejected = {"audit": 0, "published": 0}
        for _ in range(200):
            skill = rng.uniform(0.6, 1.0, (20, 1)) * np.ones(100)
            if not follows:
                skill[:, :25] = 0.8
            predictions = np.where(rng.random((20, 100)) < skill, labels, (labels + 1) % 4)
            sides = predictions[:10], predictions[10:], labels
            rejected["audit"] += int(audit(*sides, draws=1).classes.p[0] <= 0.05)
            rejected["published"] += int(published_class_test(*sides)[0] <= 0.05)
        share[follows] = {name: count / 200 for name, count in rejected.items()}
    # nominal 0.05; 0.10 is three standard deviations of 200 tests above it
    assert share[False]["audit"] < 0.10 > share[True]["audit"] > 0.005
    assert share[False]["published"] > 0.08  # finds what is not there
    assert share[True]["published"] < 0.005  # finds nothing any more


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


def drawn(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype, generator=generators(1)[0])


def convolutional(members=3, channels=(4, 6), shape=(2, 9, 8), sizes=(5, 3)):
    stacked = Population([shape, *sizes], generators(members), channels).double()
    stacked.prune_(torch.linspace(0, 0.8, members))
    return stacked


def one_of(stacked, k):
    """Member k as torch's own modules."""
    modules = []
    for layer in stacked.convolutions:
        out, into = layer.weight.shape[1:3]
        conv, norm = nn.Conv2d(into, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        conv.weight.data = (layer.weight * layer.mask)[k].detach().clone()
        norm.weight.data, norm.bias.data = (
            layer.gain[k].detach().clone(),
            layer.shift[k].detach().clone(),
        )
        norm.running_mean, norm.running_var = (
            layer.running_mean[k].clone(),
            layer.running_var[k].clone(),
        )
        modules += [conv, norm, nn.ReLU(), nn.MaxPool2d(2)]
    modules.append(nn.Flatten())
    for layer in stacked.layers:
        linear = nn.Linear(*layer.weight.shape[1:])
        linear.weight.data = (layer.weight * layer.mask)[k].T.detach().clone()
        linear.bias.data = layer.bias[k].detach().clone()
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1]).double()


@pytest.mark.parametrize("own_batches", [True, False])
@pytest.mark.parametrize("shape", [(2, 9, 8), (8, 8)])
def test_convolutions_and_norms_equal_torchs_one_by_one(shape, own_batches):
    stacked = convolutional(shape=shape)
    x = drawn(3, 7, *shape) if own_batches else drawn(7, *shape)
    alone = [one_of(stacked, k) for k in range(3)]
    logits = stacked(x)
    logits.square().sum().backward()
    for k, network in enumerate(alone):
        images = (x[k] if own_batches else x).reshape(7, -1, *shape[-2:])
        expected = network(images)
        assert_same(logits[k], expected)
        expected.square().sum().backward()
        for j, layer in enumerate(stacked.convolutions):
            assert_same(layer.weight.grad[k], network[4 * j].weight.grad * layer.mask[k], 1e-9)
            assert_same(layer.gain.grad[k], network[4 * j + 1].weight.grad, 1e-9)
            assert_same(layer.running_mean[k], network[4 * j + 1].running_mean)
            assert_same(layer.running_var[k], network[4 * j + 1].running_var)
        assert_same(stacked.eval()(x)[k], network.eval()(images))
        stacked.train()
        for layer in stacked.convolutions:  # evaluation moves no statistic
            assert layer.running_var[k].ne(1).all()


def test_convolutional_members_do_not_depend_on_their_company():
    x, y = drawn(20, 6, 6), torch.arange(20) % 3
    recipe = Recipe((), 2, 5, channels=(3,))
    whole = train_population(x, y, seeds=[3, 1, 4], sparsity=[0.5, 0, 0.9], recipe=recipe)
    alone = train_population(x, y, seeds=[1], recipe=recipe, chunk=1)
    parts = train_population(x, y, seeds=[3, 1, 4], sparsity=[0.5, 0, 0.9], recipe=recipe, chunk=2)
    for name, value in whole.state_dict().items():
        assert_same(alone.state_dict()[name][0], value[1], 1e-9)
        assert_same(parts.state_dict()[name], value, 1e-9)
    assert whole.sparsity()[2] == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("shape", [(12,), (3, 4), (2, 3, 2)])
def test_networks_without_convolutions_take_images_of_any_shape(shape):
    flat, x, y = drawn(20, 12), None, torch.arange(20) % 3
    x = flat.reshape(20, *shape)
    recipe = Recipe((4,), 2, 5)
    stacked = train_population(x, y, seeds=[1, 2], recipe=recipe)
    as_rows = train_population(flat, y, seeds=[1, 2], recipe=recipe)
    assert_same(stacked(x), as_rows(flat))
    assert_same(stacked(x.expand(2, *x.shape)), as_rows(flat))
    assert stacked.predict(x, batch_size=7).tolist() == as_rows(flat).argmax(2).tolist()


def test_predicting_moves_no_statistic_and_no_mode():
    stacked = convolutional()
    before = copy.deepcopy(stacked.state_dict())
    labels = stacked.predict(drawn(9, 2, 9, 8))
    assert stacked.training
    assert labels.tolist() == stacked.eval()(drawn(9, 2, 9, 8)).argmax(2).tolist()
    for name, value in stacked.state_dict().items():
        assert_same(value, before[name])


@pytest.mark.parametrize("make", [population, convolutional])
@pytest.mark.parametrize(
    "round_trip",
    [
        copy.deepcopy,
        lambda p: Population.cat([p, p]),
        lambda p: pickle.loads(pickle.dumps(p)),
        lambda p: loaded(p, p.state_dict()),
    ],
    ids=["deepcopy", "cat", "pickle", "state dict"],
)
def test_bits_of_activations_survive(make, round_trip):
    stacked = make().eval()
    x = drawn(30, *stacked.shape)
    for bits in (2, 4):
        quantized = stacked.quantize(bits)
        with torch.no_grad():
            expected = quantized(x)
            weights_only = stacked.quantize(bits, activations=False)(x)
            assert (expected - weights_only).abs().max() > 1e-3
            again = round_trip(quantized)
            assert not again.training
            assert_same(again(x)[:3], expected, 1e-3)


def loaded(like, state):
    fresh = Population([like.shape, *like.widths], generators(3, seed=50), like.channels).double()
    fresh.load_state_dict(state)
    return fresh.eval()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_another_precision_leaves_the_bits(dtype):
    quantized = population().quantize(5).to(dtype)
    assert [layer.activation_bits.tolist() for layer in quantized.layers] == [[5, 5, 5]] * 2


@pytest.mark.parametrize("make", [population, convolutional])
def test_selected_members_are_what_they_were(make):
    stacked = make().eval().quantize(3)
    x = drawn(5, *stacked.shape)
    with torch.no_grad():
        assert_same(stacked.select([2, 0])(x), stacked(x)[[2, 0]])
    assert len(stacked.select(range(1, 3))) == 2


@pytest.mark.parametrize("make", [population, convolutional])
def test_members_of_different_bits_join(make):
    stacked = make().eval()
    x = drawn(5, *stacked.shape)
    kinds = [stacked, stacked.quantize(3), stacked.quantize(8)]
    with torch.no_grad():
        joined = Population.cat(kinds)(x)
        assert_same(joined, torch.cat([one(x) for one in kinds]))


def test_a_rounded_kernel_is_one_rounded_after_folding_its_norm_in():
    layer = StackedConvNorm(1, 2, 3)
    layer.weight.data = drawn(1, 3, 2, 3, 3, dtype=torch.float32)
    factor = torch.tensor([0.3, -2.0, 5.0]).view(1, 3, 1, 1, 1)
    folded = round_to_bits(layer.weight * factor, 4, layer.summed)
    assert_same(folded, round_to_bits(layer.weight, 4, layer.summed) * factor, 1e-5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Population([3], generators(2)), r"2 members with layer sizes \[3\]"),
        (lambda: Population([3, 2], []), "0 members .* at least one member"),
        (
            lambda: population()(torch.ones(2, 6, 5)),
            r"x is \(2, 6, 5\); 3 members with inputs \(5\)",
        ),
        (lambda: Schedule(0.7, 0.1), "Pruning from 0.7 to 0.1 of training in 20 updates"),
        (lambda: round_to_bits(torch.ones(2), 1, 0), "1 bits leave no level beside 0"),
        (
            lambda: trained(sparsity=1.0),
            r"Sparsities \[1.0\] for 1 members",
        ),
        (lambda: trained(sparsity=[0.1, 0.2]), r"Sparsities \[0.1, 0.2\] for 1 members"),
        (lambda: trained(sparsity=float("nan")), r"Sparsities \[nan\] for 1 members"),
        (lambda: trained(seeds=[]), "No seed, so no member to train"),
        (lambda: trained(y=[0, 0, 0]), r"2 images of shape \(3,\) and labels \(3,\)"),
        (lambda: trained(x=torch.ones(2)), r"2 images of shape \(\) and labels \(2,\)"),
        (lambda: trained(x=torch.ones(0, 3), y=[]), "0 images .* one at least"),
        (lambda: trained(y=[0, -1]), "Labels from -1 to 0 for 1 classes: they are 0 to 0"),
        (lambda: trained(y=[0, 5], classes=3), "Labels from 0 to 5 for 3 classes"),
        (lambda: trained(recipe=Recipe(epochs=0)), "0 epochs of batches of 32"),
        (
            lambda: trained(recipe=Recipe(channels=(2,))),
            r"Convolutions of inputs \(3,\): give the shape",
        ),
        (
            lambda: Population([(3, 3), 2], generators(1), (2, 2)),
            "Images of 3 by 3 are halved 2 times",
        ),
        (lambda: Population.cat([]), "No population to join"),
        (
            lambda: Population.cat([population(), convolutional()]),
            "Populations of different architectures do not join",
        ),
        (
            lambda: published_class_test(
                random_labels(1, 9), random_labels(4, 9), random_labels(9)
            ),
            "1 dense and 4 compressed members: Welch's test needs two",
        ),
        (
            lambda: held_out_excess(random_labels(4, 9), random_labels(1, 9), random_labels(9)),
            "4 dense and 1 compressed members: one half chooses",
        ),
        (
            lambda: held_out_excess(
                random_labels(4, 9), random_labels(6, 9), random_labels(9), paired=True
            ),
            "4 dense and 6 compressed members",
        ),
        (lambda: corrupted(np.ones((1, 2, 2)), "fog", 0), "kind is 'fog'; known are noise"),
        (lambda: experiments.compare(seed=0, data="cats"), "data is 'cats'; known are digits"),
    ],
)
def test_errors_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def trained(x=None, y=(0, 0), **options):
    x = torch.ones(2, 3) if x is None else x
    return train_population(x, torch.tensor(y).long(), **{"seeds": [1], **options})


@pytest.mark.parametrize("sparsity", [0, 0.0, np.float32(0.5), [0], np.array([0.5])])
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.int32])
def test_numbers_of_any_type_will_do(sparsity, dtype):
    x, y = drawn(20, 4), (torch.arange(20) % 3).to(dtype)
    found = train_population(x, y, seeds=[1], sparsity=sparsity, recipe=Recipe((4,), 1, 5))
    assert float(found.sparsity()) == pytest.approx(float(np.ravel(sparsity)[0]), abs=0.02)


def test_pixels_that_are_no_numbers_are_said():
    with pytest.raises(RunError, match="The loss is nan at update 1"):
        trained(x=torch.full((2, 3), torch.nan))


def test_rounding_is_asked_of_the_device_once_and_again_after_each_change():
    population = Population([4, 3, 2], [torch.Generator().manual_seed(k) for k in range(2)])
    layer = population.stack()[0]
    assert layer._numbers_of_bits() is layer._numbers_of_bits() == []
    rounded = population.quantize(4)
    assert [one.stack()[0]._numbers_of_bits() for one in (rounded, population)] == [[4], []]
    population.load_state_dict(rounded.state_dict())
    assert layer._numbers_of_bits() == [4]
    assert copy.deepcopy(population).double().stack()[0]._numbers_of_bits() == [4]
    layer.activation_bits = torch.tensor([0, 8])
    assert layer._numbers_of_bits() == [8]
    with torch.inference_mode():
        both = Population.cat([population, population.quantize(6)])
        assert both.stack()[1]._numbers_of_bits() == [4, 6]
