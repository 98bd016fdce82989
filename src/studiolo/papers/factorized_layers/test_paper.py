import copy

import pytest
import torch
from torch import nn

from studiolo.measure import flops

from . import experiments, reference
from .convert import choose_ranks, densify, factorize, factorize_with
from .decay import (
    attach_frobenius_decay,
    factor_pairs,
    frobenius_decay,
    frobenius_gradients,
    parameter_groups,
    squared_norm,
)
from .inits import kaiming_init, spectral_init
from .model import FactorizedConv2d, FactorizedLinear, unfolded


SETTINGS = [
    {},
    {"stride": 2, "padding": 1},
    {"stride": (1, 3), "padding": (2, 0), "dilation": (2, 1)},
    {"padding": "same", "dilation": (1, 3)},
    {"padding": (1, 2), "padding_mode": "reflect"},
    {"padding": 1, "padding_mode": "circular", "stride": 2},
]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def count(model):
    return sum(p.numel() for p in model.parameters())


def small_net():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 12, (3, 5), stride=2, bias=False),
        nn.Flatten(),
        nn.Linear(12 * 3 * 2, 10),
    ).double()


def assert_same(a, b, tolerance=1e-10):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def assert_same_function(ours, theirs, x, pairs, tolerance=1e-10):
    """Values and the gradients of x and of pairs of parameters; `theirs` maps x to the same output."""
    x = x.clone().requires_grad_()
    outs = ours(x), theirs(x)
    assert_same(*outs, tolerance)
    upstream = normal(*outs[0].shape, seed=9, dtype=x.dtype)
    inputs = [x, *pairs]
    grads = [torch.autograd.grad(out, inputs, upstream) for out in outs]
    for grad, expected in zip(*grads, strict=True):
        assert_same(grad, expected, tolerance)


def test_spectral_init_worked_by_hand():
    # W = 8 a bᵀ + 2 c dᵀ with a = (1, 1)/√2, c = (1, −1)/√2, b = e1, d = e2; rank 1 keeps 8 a bᵀ,
    # so U = √8 a = (2, 2) and V = √8 e1, up to one common sign.
    root = 2**0.5
    weight = torch.tensor([[8 / root, 2 / root, 0.0], [8 / root, -2 / root, 0.0]])
    u, v = spectral_init(weight, 1)
    sign = u[0].sign()
    assert_same(sign * u, torch.tensor([[2.0], [2.0]]), 1e-6)
    assert_same(sign * v, torch.tensor([[2 * root], [0.0], [0.0]]), 1e-6)


def test_frobenius_decay_worked_by_hand():
    # U = (1, 2)ᵀ, V = (3, 0, 1)ᵀ: ‖U‖² = 5, ‖V‖² = 10, so ½ ‖U Vᵀ‖² = 25; gradients 10 U and 5 V
    layer = FactorizedLinear(3, 2, 1)
    with torch.no_grad():
        layer.U.copy_(torch.tensor([[1.0], [2.0]]))
        layer.V.copy_(torch.tensor([[3.0], [0.0], [1.0]]))
    value = frobenius_decay(layer)
    assert value.item() == 25.0
    grads = torch.autograd.grad(value, [layer.U, layer.V])
    assert grads[0].flatten().tolist() == [10.0, 20.0]
    assert grads[1].flatten().tolist() == [15.0, 0.0, 5.0]


@pytest.mark.parametrize(("m", "n", "rank"), [(7, 5, 3), (4, 9, 4), (6, 1, 1)])
def test_spectral_init_equals_reference(m, n, rank):
    weight = normal(m, n)
    u, v = spectral_init(weight, rank)
    expected_u, expected_v = reference.spectral_init(weight, rank)
    assert_same(u @ v.T, expected_u @ expected_v.T)
    assert_same(u @ u.T, expected_u @ expected_u.T)
    assert_same(v @ v.T, expected_v @ expected_v.T)


def test_spectral_init_is_the_closest_product_and_its_bound_is_tight():
    weight = normal(9, 6)
    u, v = spectral_init(weight, 4)
    s = torch.linalg.svdvals(weight)
    assert_same((weight - u @ v.T).square().sum(), s[4:].square().sum())
    assert_same(reference.weight_decay(u, v), s[:4].sum())
    assert_same(reference.nuclear_norm(u, v), s[:4].sum())
    drawn = kaiming_init(weight, 4, generator=seeded())
    assert reference.weight_decay(*drawn) > 1.2 * reference.nuclear_norm(*drawn)


def test_randomised_svd_finds_the_same_factors():
    weight = normal(80, 12) @ normal(12, 50, seed=1) + 1e-3 * normal(80, 50, seed=2)
    exact, fast = (
        spectral_init(weight, 12, iterations=iterations, generator=seeded())
        for iterations in (None, 3)
    )
    for a, b in zip(exact, fast, strict=True):
        assert_same(a @ a.T, b @ b.T, 1e-4)


def test_overcomplete_spectral_init_keeps_the_product_and_every_column_learns():
    dense = nn.Linear(5, 4).double()
    layer = FactorizedLinear.from_dense(dense, 11)
    assert_same(layer.weight, dense.weight)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    x = normal(6, 5)
    for _ in range(2):
        optimizer.zero_grad()
        layer(x).square().sum().backward()
        optimizer.step()
    assert (layer.V.grad.norm(dim=0) > 0).all()
    assert (layer.U.grad.norm(dim=0) > 0).all()


def test_kaiming_init_has_the_stated_variances():
    u, v = kaiming_init(torch.empty(400, 300), 50, generator=seeded())
    assert u.var().item() == pytest.approx(2 / 50, rel=0.05)
    assert v.var().item() == pytest.approx(2 / 300, rel=0.05)
    assert (u @ v.T).var().item() == pytest.approx(4 / 300, rel=0.05)


@pytest.mark.parametrize("rank", [1, 2, 7])
def test_linear_equals_reference_in_values_and_gradients(rank):
    layer = FactorizedLinear(5, 3, rank, bias=False, dtype=torch.float64, init=kaiming_init)
    assert_same_function(
        layer,
        lambda x: reference.linear(x, layer.U, layer.V),
        normal(4, 5),
        [layer.U, layer.V],
    )


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # torch's own, uneven
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize(("unfolding", "rank"), [("spatial", 2), ("channel", 2), ("spatial", 9)])
def test_convolution_equals_the_whole_kernel_in_values_and_gradients(settings, unfolding, rank):
    dense = nn.Conv2d(4, 5, (3, 2), dtype=torch.float64, **settings)
    layer = FactorizedConv2d.from_dense(dense, rank, unfolding=unfolding, init=kaiming_init)

    def whole(x):
        theirs = copy.deepcopy(dense)
        rebuild = {"spatial": reference.rows_and_columns, "channel": reference.channels}[unfolding]
        kernel = rebuild(dense.weight, layer.U, layer.V)
        return torch.func.functional_call(theirs, {"weight": kernel, "bias": layer.bias}, (x,))

    assert_same_function(layer, whole, normal(2, 4, 9, 8), [layer.U, layer.V])
    assert_same(layer(normal(4, 9, 8)), layer(normal(1, 4, 9, 8))[0])


@pytest.mark.parametrize("rank", [1, 11, 12, 13, 40])
def test_factors_cost_what_they_save_or_their_product_is_formed_once(rank):
    dense, x = nn.Linear(20, 30), torch.randn(256, 20)
    layer = FactorizedLinear.from_dense(dense, rank, init=kaiming_init)
    apart, formed = 2 * 256 * rank * (20 + 30), 2 * 256 * 20 * 30 + 2 * rank * 20 * 30
    assert flops(lambda: layer(x)) == (apart if rank <= 12 else formed)


@pytest.mark.parametrize("unfolding", ["spatial", "channel"])
def test_full_rank_spectral_init_of_a_trained_kernel_is_that_kernel(unfolding):
    dense = nn.Conv2d(4, 5, (3, 2), dtype=torch.float64)
    full = min(unfolded(dense, unfolding).shape)
    layer = FactorizedConv2d.from_dense(dense, full, unfolding=unfolding)
    assert_same(layer.weight, dense.weight)
    x = normal(2, 4, 6, 7)
    assert_same(layer(x), dense(x))
    # the published order of dimensions does not stand for the given kernel
    if unfolding == "spatial":
        u, v = spectral_init(dense.weight.detach().reshape(15, 8), 8)
        layer.U.data, layer.V.data = u, v
        assert (layer.weight - dense.weight).norm() > 0.5 * dense.weight.norm()


@pytest.mark.parametrize(("m", "n", "rank"), [(7, 5, 3), (1, 6, 2), (4, 4, 9)])
def test_gram_trick_equals_the_formed_product(m, n, rank):
    u, v = normal(m, rank).requires_grad_(), normal(n, rank, seed=1).requires_grad_()
    assert_same(squared_norm(u, v) / 2, reference.frobenius_decay(u, v))
    expected = torch.autograd.grad(reference.frobenius_decay(u, v), [u, v])
    through_grams = torch.autograd.grad(squared_norm(u, v) / 2, [u, v])
    for grads in (through_grams, frobenius_gradients(u, v)):
        for grad, right in zip(grads, expected, strict=True):
            assert_same(grad, right)
    assert torch.autograd.gradcheck(squared_norm, (u, v))


def test_squared_norm_takes_a_batch_of_heads():
    u, v = normal(2, 3, 7, 2), normal(2, 3, 5, 2, seed=1)
    assert_same(squared_norm(u, v), (u @ v.mT).square().sum((-2, -1)))


@pytest.mark.parametrize("unfolding", ["spatial", "channel"])
def test_decay_of_a_layer_is_that_of_its_kernel(unfolding):
    layer = FactorizedConv2d(4, 5, (3, 2), 3, unfolding=unfolding, dtype=torch.float64)
    assert_same(frobenius_decay(layer), layer.weight.square().sum() / 2)


def test_attached_decay_steps_like_the_term_in_the_loss():
    x = normal(3, 3, 7, 8)
    ends = []
    for attached in (False, True):
        torch.manual_seed(0)
        net = factorize(small_net(), 0.7)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        handle = attach_frobenius_decay(optimizer, net, 0.1) if attached else None
        for _ in range(3):
            optimizer.zero_grad()
            loss = net(x).square().mean()
            (loss if attached else loss + 0.1 * frobenius_decay(net)).backward()
            optimizer.step()
        if handle is not None:
            handle.remove()
            optimizer.zero_grad()
            before = net[0].U.detach().clone()
            optimizer.step()
            assert_same(net[0].U.detach(), before)
        ends.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert_same(*ends)


def test_parameter_groups_leave_the_factors_to_frobenius_decay():
    net = factorize(small_net(), 0.7)
    others, factors = parameter_groups(net, weight_decay=5e-4)
    assert (others["weight_decay"], factors["weight_decay"]) == (5e-4, 0.0)
    assert [id(p) for p in factors["params"]] == [id(p) for pair in factor_pairs(net) for p in pair]
    assert len(others["params"]) + len(factors["params"]) == len(list(net.parameters()))


@pytest.mark.parametrize("budget", [0.3, 0.55, 0.9, 1.0])
@pytest.mark.parametrize("unfolding", ["spatial", "channel"])
def test_factorize_meets_the_budget_and_leaves_the_model_alone(budget, unfolding):
    model = small_net()
    before = copy.deepcopy(model.state_dict())
    small = factorize(model, budget, unfolding=unfolding)
    assert count(small) <= budget * count(model)
    ranks = choose_ranks(model, budget, unfolding=unfolding)
    assert {name for name, m in small.named_modules() if hasattr(m, "U")} == set(ranks)
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not {id(p) for p in small.parameters()} & {id(p) for p in model.parameters()}
    assert small(normal(2, 3, 7, 8)).shape == (2, 10)


def test_ranks_are_the_largest_common_share_that_fits():
    net = nn.Sequential(nn.Linear(100, 60), nn.Linear(60, 40))
    # at a share s the ranks are 60 s and 40 s: 160 · 60 s + 100 · 40 s + 100 biases <= 4250 gives s = 0.305
    ranks = choose_ranks(net, 0.5)
    assert ranks == {"0": 18, "1": 12}
    assert count(factorize(net, 0.5)) == 18 * 160 + 12 * 100 + 100


def test_factorize_keeps_what_it_is_told_to_and_modes_and_frozen_weights():
    model = small_net().eval()
    model[3].weight.requires_grad_(False)
    small = factorize(model, 0.6, keep=["0"])
    assert type(small[0]) is nn.Conv2d
    assert isinstance(small[3], FactorizedConv2d)
    assert not small[3].training
    assert not small[3].U.requires_grad
    assert small[5].U.requires_grad


def test_layers_that_others_read_stay_dense():
    encoder = nn.TransformerEncoderLayer(16, 2, 64)
    tied = nn.ModuleDict({"embed": nn.Embedding(20, 16), "head": nn.Linear(16, 20, bias=False)})
    tied["head"].weight = tied["embed"].weight
    hooked = nn.Linear(16, 16)
    hooked.register_forward_hook(lambda *_: None)
    grouped = nn.Conv2d(16, 16, 3, groups=4)
    scaled = nn.utils.parametrizations.weight_norm(nn.Linear(16, 16))
    whole = nn.ModuleList([encoder, tied, hooked, grouped, scaled])
    assert set(choose_ranks(whole, 0.8)) == {"0.linear1", "0.linear2"}


def test_a_layer_used_twice_is_replaced_once():
    layer = nn.Linear(20, 20)
    small = factorize(nn.Sequential(layer, nn.ReLU(), layer), 0.5)
    assert small[0] is small[2]
    assert isinstance(small[0], FactorizedLinear)
    assert len(list(factor_pairs(small))) == 1


def test_factorized_encoder_layer_runs_in_both_modes():
    encoder = nn.TransformerEncoderLayer(16, 2, 64, dropout=0.0, batch_first=True).double()
    small = factorize(encoder, 0.7)
    x = normal(2, 5, 16)
    trained = small(x)
    with torch.no_grad():
        assert_same(small.eval()(x), trained)


def test_full_rank_and_densified_models_compute_the_same():
    model = small_net()
    ranks = {"0": 24, "3": 36, "5": 10}
    wide = factorize_with(model, ranks)
    x = normal(2, 3, 7, 8)
    assert_same(wide(x), model(x))
    small = factorize(model, 0.5)
    back = densify(small)
    assert_same(back(x), small(x))
    assert not any(hasattr(m, "U") for m in back.modules())
    assert [p.shape for p in back.parameters()] == [p.shape for p in model.parameters()]


def test_state_dict_makes_the_round_trip():
    model = small_net()
    small, other = (factorize(m, 0.5) for m in (model, small_net()))
    other.load_state_dict(small.state_dict())
    x = normal(2, 3, 7, 8)
    assert_same(other(x), small(x))


@pytest.mark.parametrize("autocast", [False, True])
def test_bfloat16_trains_close_to_float32(autocast):
    torch.manual_seed(0)
    net = factorize(small_net().float(), 0.6)
    x = normal(4, 3, 7, 8, dtype=torch.float32)
    exact = net(x)
    if not autocast:
        net, x = net.bfloat16(), x.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        out = net(x)
        decay = frobenius_decay(net)
    assert out.dtype == torch.bfloat16
    assert decay.dtype == torch.float32
    assert (out - exact).norm() < 0.05 * exact.norm()
    grads = torch.autograd.grad(out.float().square().sum() + decay, list(net.parameters()))
    assert all(grad.isfinite().all() for grad in grads)
    u, v = spectral_init(torch.randn(9, 7, generator=seeded()).bfloat16(), 3)
    assert u.dtype == v.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: spectral_init(torch.ones(2, 3, 4), 1), r"weight is \(2, 3, 4\); unfold it"),
        (lambda: kaiming_init(torch.ones(2, 3), 0), "rank is 0; it must be 1 or more"),
        (lambda: FactorizedLinear(3, 2, 0), "The rank is 0"),
        (lambda: FactorizedConv2d(4, 4, 3, 1, groups=2), "has 2 groups; only one without"),
        (
            lambda: FactorizedConv2d(4, 4, 3, 1, unfolding="other"),
            "unfolding is 'other'; known are spatial and channel",
        ),
        (lambda: factorize(small_net(), 1.2), r"budget is 1.2; .* in \(0, 1\]"),
        (
            lambda: factorize(small_net(), 0.01),
            r"budget of 0.01 is 24 of 2410 .* 225 are left. Take at least 0.0934",
        ),
        (lambda: factorize(small_net(), 0.5, keep=["head"]), "keep names head, which"),
        (lambda: factorize_with(small_net(), {"1": 2}), "1 cannot be factorized; .* 0, 3, 5 can"),
        (lambda: frobenius_decay(small_net()), "Sequential has no factorized layer"),
        (lambda: experiments.bound(seed=0, init="other"), "init is 'other'; known are"),
        (lambda: experiments.train_digits(seed=0, decays=["other"], epochs=1), "decay is 'other'"),
    ],
)
def test_errors_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_attached_decay_refuses_a_closure():
    layer = FactorizedLinear(4, 4, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    attach_frobenius_decay(optimizer, layer, 0.1)
    with pytest.raises(ValueError, match="is given a closure; add frobenius_decay"):
        optimizer.step(lambda: 0.0)


def test_bound_is_tight_with_spectral_init_only():
    spectral, drawn = (
        experiments.bound(seed=0, init=init, m=40, n=30, rank=5).values["bound_over_nuclear"]
        for init in ("spectral", "kaiming")
    )
    assert spectral == pytest.approx(1, abs=1e-12)
    assert drawn > 1.2


@pytest.mark.slow
def test_train_digits_at_its_smallest():
    found = experiments.train_digits(seed=0, epochs=2, num_train=400)
    assert found.values["acc_dense"] > 50
    assert found.values["bound_si"] < found.values["bound_plain"]
    assert len(found.arrays["epoch"]) == len(found.arrays["step_si_fd"]) == 2
    # spectral initialisation draws nothing: the same decay twice is the same network twice
    same = experiments.train_digits(
        seed=0, epochs=1, num_train=200, decays=["weight"] * 2, arms=["si", "si_fd"]
    ).values
    assert same["acc_si"] == same["acc_si_fd"]
    assert same["step_gain"] == same["turn_gain"] == 1
