import copy

import jaxtyping
import pytest
import torch
from torch import nn

from studiolo.measure import flops

from . import reference
from .convert import collapse, factorize, factorize_with
from .decay import frobenius_decay
from .inits import kaiming_init, spectral_draw, spectral_init, spectral_init_of_product
from .model import FactorizedConv2d, FactorizedEmbedding, FactorizedLinear, unfolded


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
    layer = FactorizedLinear(3, 2, rank=1)
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


@pytest.mark.parametrize(("m", "n", "rank"), [(48, 27, 72), (5, 4, 11), (3, 9, 4)])
def test_overcomplete_spectral_init_is_tight_and_every_column_learns_at_once(m, n, rank):
    weight = normal(m, n)
    u, v = spectral_init(weight, rank)
    assert_same(u @ v.T, weight)
    assert_same(reference.weight_decay(u, v), torch.linalg.svdvals(weight).sum())
    layer = FactorizedLinear.from_dense(nn.Linear(n, m).double(), rank)
    layer(normal(6, n)).square().sum().backward()
    assert (layer.V.grad.norm(dim=0) > 1e-3).all()
    assert (layer.U.grad.norm(dim=0) > 1e-3).all()


def test_kaiming_init_has_the_stated_variances():
    u, v = kaiming_init(torch.empty(400, 300), 50, generator=seeded())
    assert u.var().item() == pytest.approx(2 / 50, rel=0.05)
    assert v.var().item() == pytest.approx(2 / 300, rel=0.05)
    assert (u @ v.T).var().item() == pytest.approx(4 / 300, rel=0.05)


@pytest.mark.parametrize("rank", [1, 2, 7])
def test_linear_equals_reference_in_values_and_gradients(rank):
    layer = FactorizedLinear(5, 3, False, dtype=torch.float64, rank=rank, init=kaiming_init)
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


@pytest.mark.parametrize("autocast", [False, True])
def test_bfloat16_trains_close_to_float32(autocast):
    torch.manual_seed(0)
    net = factorize(small_net().float(), 0.6, keep=[])
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


SPECTRA = {
    "flat": torch.ones(400),
    "slow": torch.arange(1, 401) ** -0.3,
    "steep": torch.arange(1, 401) ** -1.0,
    "a step": torch.cat([torch.ones(30), 0.01 * torch.ones(370)]),
}


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("rank", [8, 40, 100])
def test_automatic_svd_is_as_close_as_the_exact_one(spectrum, rank):
    a, b = (torch.linalg.qr(torch.randn(m, 400, generator=seeded(m))).Q for m in (600, 401))
    s = SPECTRA[spectrum]
    u, v = spectral_init(a * s @ b.T, rank)
    error = (a * s @ b.T - u @ v.T).square().sum()
    assert error <= 1.01**2 * s[rank:].square().sum() + 1e-6 * s.square().sum()


def test_automatic_svd_of_small_matrices_is_exact_and_draws_nothing():
    weight, state = normal(120, 90), torch.get_rng_state()
    for a, b in zip(
        spectral_init(weight, 5), spectral_init(weight, 5, iterations=None), strict=True
    ):
        assert torch.equal(a, b)
    spectral_init(torch.randn(300, 300, generator=seeded()), 5)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("m", "n", "rank"), [(300, 300, 60), (120, 400, 30), (500, 60, 60)])
def test_drawn_spectral_factors_are_distributed_like_those_of_a_drawn_weight(m, n, rank):
    drawn = [spectral_draw(m, n, rank, std=0.1, generator=seeded(s)) for s in range(4)]
    exact = [spectral_init(0.1 * normal(m, n, seed=s), rank) for s in range(4)]
    values, expected = (
        torch.stack([torch.linalg.svdvals(u.double() @ v.double().T)[:rank] for u, v in pairs])
        for pairs in (drawn, exact)
    )
    assert_same(values.mean(0), expected.mean(0), 0.03)
    for u, v in drawn:  # tight, and directions of both signs
        assert_same(reference.weight_decay(u, v), reference.nuclear_norm(u, v), 1e-4)
    assert abs(torch.stack([u for u, _ in drawn]).mean()) < 0.01


def test_spectral_init_takes_a_batch_and_products_are_never_formed():
    weight = normal(2, 3, 7, 5)
    u, v = spectral_init(weight, 2)
    one = spectral_init(weight[1, 2], 2)
    assert_same(u[1, 2] @ v[1, 2].T, one[0] @ one[1].T)
    left, right = normal(3, 9, 4), normal(3, 6, 4, seed=1)
    for rank in (2, 4, 7):
        u, v = spectral_init_of_product(left, right, rank)
        assert u.shape[-1] == v.shape[-1] == rank
        expected = spectral_init(left @ right.mT, min(rank, 4))
        assert_same(u @ v.mT, expected[0] @ expected[1].mT)


@pytest.mark.parametrize("rank", [2, 5, 9])
def test_deep_layers_equal_reference_and_collapse_to_the_fewest_parameters(rank):
    layers = (
        FactorizedLinear(5, 6, dtype=torch.float64, rank=rank, deep=True),
        FactorizedConv2d(3, 4, 3, padding=1, dtype=torch.float64, rank=rank, deep=True),
        FactorizedConv2d(
            3, 4, 3, padding=1, dtype=torch.float64, rank=rank, deep=True, unfolding="channel"
        ),
        FactorizedEmbedding(7, 6, dtype=torch.float64, rank=rank, deep=True),
    )
    inputs = (normal(4, 5), normal(2, 3, 6, 6), normal(2, 3, 6, 6), torch.arange(7))
    for layer, x in zip(layers, inputs, strict=True):
        with torch.no_grad():
            layer.M += 0.3 * normal(rank, rank)
        product = reference.three_factors(layer.U, layer.M, layer.V)
        assert_same(layer._product(), product)
        assert_same(layer(x), layer.to_dense()(x))
        small = layer.collapse()
        assert_same(small(x), layer(x))
        m, n = product.shape
        full = min(rank, m, n)
        bias = 0 if layer.bias is None else len(layer.bias)
        assert count(small) == min(m * n, full * (m + n)) + bias
        assert count(layer) == rank * (m + n + rank) + bias


def test_collapsed_model_computes_the_same_to_1e_5_in_float32():
    torch.manual_seed(0)
    model = small_net().float()
    x = torch.randn(2, 3, 7, 8, generator=seeded())
    wide = factorize_with(model, {"0": 30, "3": 40, "5": 80}, deep=True)
    with torch.no_grad():
        assert (wide(x) - model(x)).norm() <= 1e-5 * model(x).norm()
        assert (collapse(wide)(x) - model(x)).norm() <= 1e-5 * model(x).norm()
    assert count(collapse(wide)) == count(model)


def test_embedding_keeps_its_padding_row_at_zero():
    layer = FactorizedEmbedding(9, 6, padding_idx=-1, rank=3)
    assert layer.padding_idx == 8
    assert layer(torch.tensor([8])).abs().max() == 0
    layer(torch.tensor([[1, 8]])).sum().backward()
    assert layer.U.grad[8].abs().max() == 0
    assert layer.to_dense().padding_idx == 8


def test_constructing_and_loading_take_no_svd(monkeypatch):
    first = FactorizedLinear(40, 30, rank=4)
    monkeypatch.setattr(torch.linalg, "svd", None)
    other = FactorizedLinear(40, 30, rank=4)
    other.load_state_dict(first.state_dict())
    assert torch.equal(other.weight, first.weight)
    FactorizedConv2d(4, 8, 3, 2, 1, rank=4)
    assert FactorizedConv2d(4, 8, 3, rank=4, device="meta").U.is_meta
    assert FactorizedLinear(4, 8, rank=2, dtype=torch.bfloat16).V.dtype == torch.bfloat16


def test_arguments_are_those_of_torch_with_the_rank_by_name_alone():
    layer = FactorizedConv2d(3, 64, 3, 2, 1, rank=16)
    assert layer.stride == (2, 2)
    assert layer.padding == (1, 1)
    assert layer(torch.zeros(1, 3, 8, 8)).shape == (1, 64, 4, 4)
    for kind, sizes in ((FactorizedLinear, (4, 4)), (FactorizedConv2d, (4, 4, 3))):
        with pytest.raises(TypeError, match=r"missing .*required .*argument: 'rank'"):
            kind(*sizes)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.usefixtures("fresh_compiler")
def test_layers_compile_export_copy_and_pickle(deep, tmp_path, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    torch.manual_seed(0)
    net = factorize(small_net().float(), 0.8, keep=[], deep=deep).eval()
    x = torch.randn(2, 3, 7, 8)
    for same in (
        torch.export.export(net, (x,)).module(),
        torch.compile(net, backend="eager", fullgraph=True),
        copy.deepcopy(net),
    ):
        assert_same(same(x), net(x), 1e-5)
    torch.save(net, tmp_path / "net.pt")
    assert_same(torch.load(tmp_path / "net.pt", weights_only=False)(x), net(x))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: spectral_init(torch.ones(3), 1), r"weight is \(3,\); unfold it"),
        (lambda: kaiming_init(torch.ones(2, 3), 0), "rank is 0; it must be 1 or more"),
        (lambda: kaiming_init(torch.ones(2, 3, 4), 1), r"weight is \(2, 3, 4\); unfold it"),
        (lambda: FactorizedLinear(3, 2, rank=0), "The rank is 0"),
        (lambda: FactorizedConv2d(4, 4, 3, rank=1, groups=2), "has 2 groups; only one without"),
        (
            lambda: FactorizedConv2d(4, 4, 3, rank=1, unfolding="other"),
            "unfolding is 'other'; known are spatial and channel",
        ),
        (lambda: FactorizedEmbedding(4, 4, 4, rank=1), "padding_idx is 4; the table has 4 rows"),
        (
            lambda: FactorizedEmbedding.from_dense(nn.Embedding(4, 4, max_norm=1.0), 2),
            "has max_norm, .* act on whole rows",
        ),
    ],
)
def test_errors_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
