"""The Triton programs beside the equations: in Triton's interpreter, and on a device."""

import os
from unittest.mock import patch

import pytest
import torch


if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before anything imports triton
pytest.importorskip("triton")

from . import experiments, gpu, recurrence
from .model import NADE
from .recurrence import nade_logits


SMALL = gpu.Tiles(chunk=16, rows=8, units=4, batch=16)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(autouse=True)
def interpreted_or_on_a_device():
    if DEVICE == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("triton was imported before it could be told to interpret")


def case(rows, dim, hidden, *, ones=0.4, scale=1.0, weight=1.0, device=DEVICE):
    """Random x (of `scale` instead of 1), and V, b, W, c, of which W and c are `weight` times as large."""
    x = (torch.rand(rows, dim) < ones) * scale
    V, b = torch.randn(dim, hidden), torch.randn(dim)
    W, c = weight * torch.randn(hidden, dim), weight * torch.randn(hidden)
    return [t.to(device) for t in (x, V, b, W, c)]


def equations(x, V, W, c, e, activation):
    """Return the logits but for b and the gradients of V, W and c, in float64, by autograd."""
    x, e = x.double(), e.double()
    V, W, c = (t.double().requires_grad_() for t in (V, W, c))
    a = c + torch.nn.functional.pad((x[:, :-1, None] * W.t()[:-1]).cumsum(1), (0, 0, 1, 0))
    z = ((torch.sigmoid if activation == "sigmoid" else torch.relu)(a) * V).sum(2)
    return z.detach(), *torch.autograd.grad((z * e).sum(), (V, W, c), materialize_grads=True)


def error(value, exact):
    exact = exact.double()
    return ((value.double() - exact).norm() / exact.norm().clamp_min(1e-30)).item()


def check(x, V, W, c, activation, tiles, tolerance=2e-6):
    e = torch.randn(x.shape, device=x.device)
    exact = equations(x, V, W, c, e, activation)
    with (
        patch.object(torch, "empty_like", poisoned(torch.empty_like)),
        patch.object(torch.Tensor, "new_empty", poisoned(torch.Tensor.new_empty)),
    ):
        z, states = gpu.logits(x, V, W, c, activation, tiles)
        grads = gpu.gradients(e, x, V, W, states, activation, tiles)
    for value, expected in zip((z, *grads), exact, strict=True):
        assert value.shape == expected.shape
        assert error(value, expected) < tolerance


def poisoned(empty):
    return lambda *arguments, **options: empty(*arguments, **options).fill_(torch.nan)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("shape", [(3, 1, 5), (17, 18, 6)])
def test_logits_and_gradients_are_those_of_the_equations(shape, activation):
    x, V, _, W, c = case(*shape)
    check(x, V, W, c, activation, SMALL)


def test_states_beyond_exp_80_overflow_nothing():
    x, V, _, W, c = case(3, 18, 5, weight=60.0)
    check(x, V, W, c, "sigmoid", SMALL, tolerance=1e-5)  # states of 1000 have an ulp of 6e-5


def test_values_between_0_and_1_are_read_as_they_are():
    x, V, _, W, c = case(3, 18, 5, scale=0.3)
    check(x, V, W, c, "sigmoid", SMALL)


def test_gradients_of_a_new_relu_model_stay_at_0():
    x, V, _, W, _ = case(3, 18, 5)
    check(x, V, W, torch.zeros(5, device=x.device), "relu", SMALL)


def test_chunks_are_the_same_states_that_the_program_in_torch_keeps():
    x, V, _, W, c = case(2, 18, 5)
    _, states = gpu.logits(x, V, W, c, "sigmoid", SMALL)
    with patch.object(recurrence, "_kernels", lambda: None):
        _, expected = recurrence._logits(x.cpu(), V.cpu(), W.cpu(), c.cpu(), "sigmoid")
    assert SMALL.chunk == recurrence.TORCH_CHUNK
    torch.testing.assert_close(states.cpu(), expected)


def test_kernels_serve_float32_unless_told_not_to():
    x, V, *_ = case(3, 5, 4)
    assert gpu.serves(x, V)
    assert not gpu.serves(x.double(), V.double())
    assert not gpu.serves(x[:0], V)
    assert not gpu.serves(x, V.new_empty(5, 4096))
    with gpu.kernels(use=False):
        assert not gpu.serves(x, V)
        with gpu.kernels(use=True):
            assert gpu.serves(x, V)
        assert not gpu.serves(x, V)
    assert gpu.serves(x, V)


def test_direct_call_has_the_values_and_gradients_of_the_other():
    x, *parameters = case(2, 5, 3)
    found = []
    for call in (gpu.nade_logits, nade_logits):
        for p in parameters:
            p.requires_grad_().grad = None
        z = call(x, *parameters)
        found.append([z.detach(), *torch.autograd.grad(z.square().sum(), parameters)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_model_with_graphs_learns_as_any_other_where_there_is_no_gpu():
    x = (torch.rand(30, 5, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    losses = []
    for kind in (NADE, gpu.GraphedNADE):
        model = kind(5, 3, generator=torch.Generator().manual_seed(1))
        losses.append(model.fit(x[:20], x[20:], epochs=2, batch_size=10).losses)
    assert losses[0] == losses[1]
    with pytest.raises(ValueError, match="shuffle the columns"):
        gpu.GraphedNADE(5, 3, order=torch.arange(5).flip(0))


def test_experiment_on_images_runs_where_it_is_told_to():
    outcome = experiments.images_on_a_gpu(
        seed=0, data="digits", hidden=8, epochs=2, net_epochs=1, train_rows=200, device=DEVICE
    )
    assert 10 < outcome.values["nade_nats"] < 60
    assert 10 < outcome.values["belief_net_nats"] < 60
    assert len(outcome.arrays["valid_nats"]) == 2


# On a device: what users call, at the size of the bench.


def bench_case(ones=0.13):
    torch.manual_seed(int.from_bytes(os.urandom(4), "little"))
    x, V, b, W, c = case(100, 784, 500, ones=ones, weight=0.05)
    return x, V * 0.1, b, W, c


@pytest.mark.gpu
@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_device_agrees_with_the_equations_at_the_size_of_the_bench(activation):
    x, V, _, W, c = bench_case()
    check(x, V, W, c, activation, gpu.TILES, tolerance=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "shape", [(100, 784, 500), (257, 130, 33), (1, 65, 2048), (1000, 112, 200)]
)
@pytest.mark.parametrize("tiles", [gpu.TILES, gpu.Tiles(64, 2, 2, 16, 64, 2, 3)])
def test_device_agrees_in_other_shapes_and_tiles(shape, tiles):
    x, V, _, W, c = case(*shape, ones=0.5, weight=0.05)
    check(x, V, W, c, "sigmoid", tiles, tolerance=1e-5)


@pytest.mark.gpu
def test_device_keeps_states_beyond_exp_80_and_values_that_are_not_0_and_1():
    x, V, _, W, c = case(33, 130, 65, weight=30.0)
    check(x, V, W, c, "sigmoid", gpu.TILES, tolerance=1e-4)
    x, V, _, W, c = case(33, 130, 65, scale=0.3)
    check(x, V, W, c, "sigmoid", gpu.TILES, tolerance=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_model_on_a_device_has_the_same_gradients_by_kernels_and_by_torch(dtype):
    torch.manual_seed(0)
    model = NADE(784, 500).to("cuda", dtype)
    x = (torch.rand(100, 784, device="cuda") < 0.13).to(dtype)
    found = []
    for use in (True, False):
        with gpu.kernels(use):
            model.zero_grad()
            loss = model.loss(x)
            loss.backward()
        found.append([loss.detach(), *(p.grad.float() for p in model.parameters())])
    for by_kernels, by_torch in zip(*found, strict=True):
        assert error(by_kernels, by_torch) < (1e-5 if dtype == torch.float32 else 1e-2)


@pytest.mark.gpu
def test_a_forward_by_one_program_is_followed_by_the_backward_of_the_other():
    x, V, b, W, c = (t.requires_grad_(i > 0) for i, t in enumerate(bench_case()))
    found = []
    for use in (True, False):
        with gpu.kernels(use):
            z = nade_logits(x, V, b, W, c)
        with gpu.kernels(not use):
            found.append(torch.autograd.grad(z.square().mean(), (V, b, W, c)))
    for one, other in zip(*found, strict=True):
        assert error(one, other) < 1e-5


@pytest.mark.gpu
def test_kernels_run_in_a_cuda_graph_and_compiled_without_break():
    x, V, b, W, c = bench_case()
    with torch.no_grad():
        expected = nade_logits(x, V, b, W, c)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            z = nade_logits(x, V, b, W, c)
        z.fill_(torch.nan)
        graph.replay()
        torch.testing.assert_close(z, expected)
        compiled = torch.compile(nade_logits, fullgraph=True)(x, V, b, W, c)
        torch.testing.assert_close(compiled, expected)


@pytest.mark.gpu
def test_a_graph_of_the_loss_follows_the_parameters_and_the_rows():
    torch.manual_seed(0)
    graphed = gpu.GraphedNADE(130, 65).to("cuda")
    plain = NADE(130, 65).to("cuda")
    plain.load_state_dict(graphed.state_dict())
    histories = []
    for model in (graphed, plain):
        rows = torch.rand(300, 130, generator=torch.Generator().manual_seed(2)) < 0.3
        fitted = model.fit(rows[:250], rows[250:], epochs=2, batch_size=50, learning_rate=0.01)
        histories.append(torch.tensor(fitted.losses))
    torch.testing.assert_close(*histories, rtol=1e-4, atol=0)


@pytest.mark.gpu
def test_every_density_of_the_family_works_on_a_device():
    from . import ConvNADE, DeepNADE, EoNADE
    from .masked import FVBN, MADE
    from .real import RNADE

    rows = (torch.rand(40, 16, device="cuda") < 0.4).float()
    models = [
        NADE(16, 8, device="cuda"),
        MADE(16, 8, device="cuda"),
        FVBN(16, device="cuda"),
        DeepNADE(16, (8, 8), device="cuda"),
        EoNADE(16, 8, num_orders=3, device="cuda"),
        ConvNADE(4, 4, kernels=(2,), channels=3, device="cuda"),
        RNADE(16, 8, components=2, device="cuda"),
    ]
    known = torch.arange(16, device="cuda") < 5
    for model in models:
        model.fit(rows[:30], rows[30:], epochs=1, batch_size=10)
        assert model.log_prob(rows).isfinite().all()
        drawn = model.sample(4, given=rows[0], observed=known)
        assert torch.equal(drawn[:, :5], rows[:1, :5].expand(4, -1))
