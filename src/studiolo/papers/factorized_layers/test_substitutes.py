import copy
import math

import jaxtyping
import pytest
import torch
from torch import nn

from studiolo.train import Budget

from . import reference
from .convert import densify
from .decay import attach_frobenius_decay, frobenius_decay, parameter_groups
from .distill import (
    Distillation,
    attention_transfer_loss,
    compression_scaled_groups,
    distill,
    distillation_loss,
)
from .networks import ResNet, WideResNet
from .structures import ACDC, CP, Bottleneck, Hashed, TensorTrain, Tied, Tucker, Whole, near_cube
from .substitute import METHODS, ShuffledConv2d, StructuredConv2d, shuffle_groups, substitute
from .test_paper import assert_same, count, normal, seeded


KINDS = [Whole, Bottleneck, Tied, TensorTrain, Tucker, CP, Hashed, ACDC]


def made(kind, o=8, i=4, share=0.5):
    torch.manual_seed(0)
    matrix = kind(o, i, share).double()
    matrix.fit(normal(o, i))
    return matrix


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("o", "i", "share"), [(8, 4, 0.3), (16, 16, 0.7), (12, 6, 0.05), (9, 3, 1.0)]
)
def test_matrices_hold_as_many_numbers_as_their_formula_says(kind, o, i, share):
    assert count(kind(o, i, share)) == kind.size(o, i, share)


def test_formulas_worked_by_hand():
    assert near_cube(16, 32) == (8, 8, 8)
    assert near_cube(160, 160) == (32, 32, 25)
    assert Whole.size(12, 5, 1.0) == 60
    assert Bottleneck.size(12, 5, 0.34) == 4 * 17  # int(4.08) directions
    assert Tied.size(12, 6, 0.34) == 4 * 12
    assert TensorTrain.size(16, 32, 0.5) == 8 * 4 + 4 * 8 * 4 + 4 * 8
    assert Tucker.size(16, 32, 0.5) == 3 * 8 * 4 + 4**3
    assert CP.size(16, 32, 0.5) == 10 * 24  # int(256 / 24) products
    assert Hashed.size(16, 32, 0.1) == 51
    assert ACDC.size(16, 32, 0.4) == 2 * 6 * 32  # int(6.4) layers


# Gray et al., WRN-28-10 on CIFAR-10: parameters in all. Their hashed layers carry a bias for each output besides.
PUBLISHED = [
    ("separable", 1.0, 4_380_138, 0),
    ("bottleneck", 0.03, 601_162, 0),
    ("bottleneck", 0.1, 1_190_634, 0),
    ("bottleneck", 0.24, 2_344_906, 0),
    ("tensor-train", 0.234, 607_160, 0),
    ("tensor-train", 0.705, 2_434_702, 0),
    ("hashed", 0.05, 568_426, 1),
    ("hashed", 0.2, 1_171_690, 1),
    ("hashed", 0.5, 2_378_218, 1),
]


@pytest.mark.parametrize(("method", "share", "published", "biases"), PUBLISHED)
def test_counts_are_those_of_the_published_table(method, share, published, biases):
    with torch.device("meta"):
        net = WideResNet()
    total = count(net)
    for name, layer in net.blocks.named_modules():
        if isinstance(layer, nn.Conv2d) and "shortcut" not in name:
            total += METHODS[method].size(layer, share) - layer.weight.numel()
            total += biases * layer.out_channels
    assert total == published


@pytest.mark.parametrize(("groups", "published"), [(1, 2_384_154), (3, 1_343_834), (7, 719_994)])
def test_shuffled_counts_are_those_of_the_published_table(groups, published):
    with torch.device("meta"):
        net = WideResNet()
    total = count(net)
    for name, layer in net.blocks.named_modules():
        if isinstance(layer, nn.Conv2d) and "shortcut" not in name:
            o, i, k, l = layer.weight.shape
            g = shuffle_groups(o, i, groups)
            total += (i * (o // 4) + (o // 4) * o) // g + (o // 4) * k * l - o * i * k * l
    assert total == published


def test_shuffled_convolution_has_as_many_numbers_as_its_formula_says():
    layer = ShuffledConv2d(nn.Conv2d(16, 32, 3, bias=False), 4)
    assert count(layer) == 16 * 8 // 4 + 9 * 8 + 8 * 32 // 4


def test_tensor_forms_equal_reference():
    train = made(TensorTrain)
    expected = reference.tensor_train(train.first, train.middle, train.last)
    assert_same(train(), expected.reshape(8, 4))
    core = made(Tucker)
    assert_same(core(), reference.tucker(core.core, *core.sides).reshape(8, 4))
    products = made(CP)
    rank = products.sides[0].shape[1]
    diagonal = torch.zeros(rank, rank, rank, dtype=torch.float64)
    diagonal[range(rank), range(rank), range(rank)] = 1
    assert_same(products(), reference.tucker(diagonal, *products.sides).reshape(8, 4))


def test_acdc_and_tied_equal_reference():
    layers = ACDC(6, 6, 0.7).double()
    layers.fit(normal(6, 6))
    x = normal(6)
    assert_same(
        layers() @ x, reference.acdc(layers.A.detach(), layers.D.detach(), x).double(), 1e-6
    )
    tied = made(Tied, 8, 4)
    repeated = torch.cat([x[:4], x[:4]])
    assert_same(tied() @ x[:4], tied.F.T @ (tied.F @ repeated))


def test_hashed_numbers_serve_equally_many_entries_with_both_signs():
    matrix = Hashed(40, 30, 0.1)
    uses = torch.bincount(matrix.place.flatten())
    assert len(uses) == 120
    assert uses.min() == uses.max() == 10
    assert abs(matrix.sign.float().mean()) < 0.1


@pytest.mark.parametrize("kind", [Whole, Bottleneck, TensorTrain, Tucker, CP, Hashed])
def test_full_share_fits_any_matrix_and_a_small_one_is_no_worse_than_nothing(kind):
    matrix = normal(9, 6)
    if kind not in (CP, Hashed):  # least squares gets near; and shared numbers carry signs
        whole = kind(9, 6, 1.0).double()
        whole.fit(matrix)
        assert_same(whole(), matrix, 1e-8)
    errors = []
    for share in (0.2, 0.5, 1.0):
        small = kind(9, 6, share).double()
        small.fit(matrix)
        errors.append((small() - matrix).norm().item())
    assert errors == sorted(errors, reverse=True) or kind is Whole
    assert errors[0] < matrix.norm() * (1 + 1e-9)


def test_bottleneck_and_hashed_fits_are_the_closest():
    for kind in (Bottleneck, Hashed, TensorTrain, CP):
        matrix = made(kind, 6, 6, 0.4)
        target = normal(6, 6)
        matrix.fit(target)
        gradients = torch.autograd.grad((matrix() - target).square().sum(), matrix.parameters())
        if kind is not TensorTrain:  # TT-SVD is within a factor of the closest, not the closest
            assert all(g.abs().max() < 0.05 for g in gradients)


SETTINGS = [
    {},
    {"stride": 2, "padding": 1},
    {"stride": (1, 2), "padding": (2, 0), "dilation": (2, 1), "bias": False},
    {"padding": "same"},
    {"padding": 1, "padding_mode": "reflect"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_substitutes_are_the_convolution_with_the_kernel_they_stand_for(method, settings):
    dense = nn.Conv2d(8, 16, 3, dtype=torch.float64, **settings)
    layer = METHODS[method].build(dense, 0.5)
    x = normal(2, 8, 9, 7)
    back = layer.to_dense()
    assert_same(layer(x), back(x))
    assert_same(layer(x[0]), back(x[0]))
    assert_same(layer.squared_norm(), back.weight.square().sum())
    if isinstance(layer, StructuredConv2d) and not isinstance(layer, ShuffledConv2d):
        assert_same(layer.weight, reference.separable(layer.matrix(), layer.depth[:, 0]))
    assert count(layer) - (layer.bias is not None) * 16 == METHODS[method].size(dense, 0.5)


def test_separable_fit_worked_by_hand():
    # a kernel that is separable is found: K[o, i] = P[o, i] D[i]
    p, d = normal(5, 3), normal(3, 3, 3, seed=1)
    dense = nn.Conv2d(3, 5, 3, bias=False, dtype=torch.float64)
    dense.weight.data = reference.separable(p, d)
    assert_same(METHODS["separable"].build(dense, 1.0).weight, dense.weight)


@pytest.mark.parametrize("method", METHODS)
def test_decay_acts_on_every_substitute(method):
    torch.manual_seed(0)
    net = substitute(ResNet(8, 8), method, 0.2).double()
    expected = torch.autograd.grad(frobenius_decay(net), net.blocks[2].conv1.structured())
    for grad, right in zip(net.blocks[2].conv1.decay_gradients(), expected, strict=True):
        assert_same(grad, right)
        assert right.abs().max() > 0
    groups = parameter_groups(net, weight_decay=0.1)
    assert sum(len(g["params"]) for g in groups) == len(list(net.parameters()))
    optimizer = torch.optim.SGD(groups, lr=0.01)
    attach_frobenius_decay(optimizer, net, 1.0)
    optimizer.zero_grad()
    before = frobenius_decay(net).item()
    for _ in range(2):
        net(normal(2, 3, 8, 8)).sum().mul(0).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert frobenius_decay(net).item() < before


@pytest.mark.parametrize("method", ["low-rank", *METHODS])
@pytest.mark.parametrize("budget", [0.3, 0.2])
def test_substitute_meets_the_budget_and_densifies(method, budget):
    torch.manual_seed(0)
    net = ResNet(8, 8).eval()
    small = substitute(net, method, budget)
    assert count(small) <= budget * count(net)
    assert type(small.conv) is nn.Conv2d
    assert type(small.fc) is nn.Linear
    x = torch.randn(2, 3, 8, 8, generator=seeded())
    back = densify(small)
    assert count(back) == count(net)
    assert (back(x) - small(x)).norm() < 1e-4 * small(x).norm()


def test_substitutes_replace_linear_layers_too():
    net = nn.Sequential(
        nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4)
    )
    for method in ("bottleneck", "tied", "tensor-train", "tucker", "cp", "hashed", "acdc"):
        small = substitute(net, method, 0.7)
        assert type(small[2]).__name__ == "StructuredLinear"
        x = torch.randn(3, 16, generator=seeded())
        assert_same(densify(small)(x), small(x), 1e-5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: substitute(ResNet(), "other", 0.5), "method is 'other'; known are low-rank, sep"),
        (lambda: substitute(ResNet(), "hashed", 0.0), r"budget is 0.0; .* in \(0, 1\]"),
        (
            lambda: substitute(ResNet(), "separable", 0.15),
            "is 11293 of 75290 parameters; separable leaves 11338 at the least. .* 0.1506",
        ),
        (lambda: substitute(nn.ReLU(), "cp", 0.5), "Nothing in ReLU can be replaced by cp"),
        (lambda: Tied(5, 4, 0.5), "4 inputs cannot be repeated to 5 outputs"),
        (lambda: Distillation(ResNet(), layers=["stage"]), "ResNet has no layer stage; model"),
    ],
)
def test_errors_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_distillation_terms_equal_reference():
    student, teacher = normal(5, 4).float(), normal(5, 4, seed=1).float()
    assert_same(
        distillation_loss(student, teacher, 3.0),
        reference.distillation(student, teacher, 3.0),
        1e-5,
    )
    ours, theirs = normal(2, 3, 4, 5), normal(2, 6, 4, 5, seed=1)
    assert_same(attention_transfer_loss(ours, theirs), reference.attention_transfer(ours, theirs))


def test_compression_scales_the_decay_of_structured_parameters_alone():
    net = ResNet(8, 8)
    small = substitute(net, "hashed", 0.2)
    others, structured = compression_scaled_groups(small, weight_decay=0.1, full=count(net))
    assert others["weight_decay"] == 0.1
    assert structured["weight_decay"] == pytest.approx(0.1 * count(small) / count(net))
    assert {p.numel() for p in structured["params"]} != {p.numel() for p in others["params"]}


def test_distilled_student_comes_nearer_to_its_teacher():
    torch.manual_seed(0)
    teacher = ResNet(8, 8, channels=1)
    student = substitute(teacher, "bottleneck", 0.25)
    x, y = torch.randn(64, 1, 8, 8), torch.randint(0, 10, (64,))
    teacher.eval()
    before = distillation_loss(student.eval()(x), teacher(x)).item()
    maps = ["blocks.0", "blocks.1", "blocks.2"]
    history = distill(
        student, teacher, iter([(x, y)] * 20), budget=Budget(steps=20), lr=0.02, layers=maps,
        attention=10.0,
    )  # fmt: skip
    assert history.steps == 20
    assert distillation_loss(student(x), teacher(x)).item() < before
    assert not any(m._forward_hooks for m in [*teacher.modules(), *student.modules()])
    assert math.isfinite(history.losses[-1])


def test_substitutes_export_copy_and_compute_in_bfloat16(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    x = torch.randn(2, 8, 6, 6)
    net = nn.Sequential(*(m.build(nn.Conv2d(8, 8, 3), 0.5) for m in METHODS.values()))[:2].eval()
    every = [m.build(nn.Conv2d(8, 8, 3), 0.5).eval() for m in METHODS.values()]
    assert_same(torch.export.export(net, (x,)).module()(x), net(x), 1e-5)
    for layer in every:
        exact = layer(x)
        assert torch.equal(copy.deepcopy(layer)(x), exact)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert (layer(x) - exact).norm() < 0.05 * exact.norm()
        assert (layer.bfloat16()(x.bfloat16()) - exact).norm() < 0.05 * exact.norm()
