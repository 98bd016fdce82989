"""On a GPU everything computes what it computes on the CPU: values, gradients, states, without a wait, in a graph.

`make gpu` runs this; `make gpu DRY=1` runs it on the CPU, where it tries the table itself.
The table of what is computed is in `gpu_modules.py`.
"""

import copy
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from studiolo.papers import (
    attentive_neural_processes as anp,
    double_descent,
    factorized_layers as factorized,
    nade,
    performers,
    pruning_identified_exemplars as pruned,
)
from studiolo.train import Budget, train

from .gpu_modules import CASES, DENSITIES, READERS, TOLERANCE, Case, convnet


pytestmark = pytest.mark.gpu

PRECISIONS = pytest.mark.parametrize("dtype", list(TOLERANCE), ids=lambda d: str(d)[6:])


def moved(given: dict[str, torch.Tensor], device: str, dtype: torch.dtype) -> dict[str, Any]:
    return {
        name: x.to(device, dtype if x.is_floating_point() else x.dtype) for name, x in given.items()
    }


def objective(outputs: list[torch.Tensor]) -> torch.Tensor:
    """A sum of all outputs, with weights that depend on their place alone."""
    total = torch.zeros((), dtype=torch.float64, device=outputs[0].device)
    for output in outputs:
        places = torch.arange(output.numel(), device=output.device, dtype=torch.float64)
        total = total + (output.double().flatten() * (places * 0.7).sin()).sum()
    return total


def gradients(model: nn.Module, outputs: list[torch.Tensor]) -> list[torch.Tensor]:
    weights = [p for p in model.parameters() if p.requires_grad]
    if not weights:
        return []
    found: Any = torch.autograd.grad(objective(outputs), weights, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(weights, found, strict=True)]


def error(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> float:
    """‖found - wanted‖ / ‖wanted‖ of all tensors together; NaN where one holds a NaN."""
    flat = torch.cat([x.detach().double().cpu().flatten() for x in found])
    reference = torch.cat([x.detach().double().cpu().flatten() for x in wanted])
    return float((flat - reference).norm() / reference.norm().clamp(min=1e-12))


@contextmanager
def full_precision() -> Any:
    """No tensor cores in float32: cuDNN's convolutions would use them."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


class NoValueOnTheHost(TorchDispatchMode):
    """Refuse what would wait for a device, were there one: a value read, or a shape that depends on values."""

    WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal.")

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = str(func).removeprefix("aten.")
        chosen = (args[1] if name.startswith("index") and len(args) > 1 else None) or ()
        by_mask = isinstance(chosen, list) and any(
            isinstance(x, torch.Tensor) and x.dtype == torch.bool for x in chosen
        )
        if name.startswith(self.WAITS) or by_mask:
            raise RuntimeError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))


@contextmanager
def no_wait(device: str) -> Any:
    """Raise where the host waits for the device."""
    if device == "cpu":
        with NoValueOnTheHost():
            yield
        return
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def made(name: str) -> tuple[Case, nn.Module, dict[str, torch.Tensor]]:
    case = CASES[name]
    torch.manual_seed(len(name))
    return case, case.make().train(case.training), case.inputs()


@PRECISIONS
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_float64(name, dtype, device):
    case, model, given = made(name)
    if dtype not in case.dtypes:
        pytest.skip("takes no such precision")
    model = model.to(dtype)
    exact = copy.deepcopy(model).double()
    given = moved(given, "cpu", dtype)
    wanted = case.call(exact, moved(given, "cpu", torch.float64))
    there = copy.deepcopy(model).to(device)
    with full_precision():
        found = case.call(there, moved(given, device, dtype))
        found_gradients = gradients(there, found)
    assert all(x.device.type == device for x in found)
    tolerance = case.tolerance.get(dtype, TOLERANCE[dtype])
    assert error(found, wanted) <= tolerance
    if found_gradients:
        assert error(found_gradients, gradients(exact, wanted)) <= 2 * tolerance


@pytest.mark.parametrize("name", CASES)
def test_state_goes_to_the_device_and_comes_back(name, device):
    _, model, _ = made(name)
    before = {key: x.clone() for key, x in model.state_dict().items()}
    there = copy.deepcopy(model).to(device)
    assert all(x.device.type == device for x in there.state_dict().values())
    model.load_state_dict(there.state_dict())
    assert all(torch.equal(x, before[key]) for key, x in model.state_dict().items())


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.waits])
def test_nothing_waits_for_the_device(name, device):
    case, model, given = made(name)
    model, given = model.to(device), moved(given, device, torch.float32)
    gradients(model, case.call(model, given))  # the first call may load and choose kernels
    with no_wait(device):
        gradients(model, case.call(model, given))


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.graph and not c.waits])
def test_step_is_captured_in_a_graph_and_replayed(name, device):
    case, model, given = made(name)
    model, given = model.to(device), moved(given, device, torch.float32)

    def step() -> list[torch.Tensor]:
        found = case.call(model, given)
        return [x.detach() for x in (*found, *gradients(model, found))]  # no graph stays alive

    captured, replay = step(), step
    if device == "cuda":
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = step()
        replay = graph.replay
    torch.manual_seed(1)
    for x, fresh in zip(given.values(), case.inputs().values(), strict=True):
        x.copy_(fresh)
    for x in model.parameters():
        x.data.mul_(0.9)
    replay()
    assert device == "cpu" or error(captured, step()) <= 1e-5


# What is not one call of a module


@pytest.mark.parametrize("name", READERS)
def test_memory_is_kept_written_and_read_on_the_device(name, device):
    torch.manual_seed(0)
    model = READERS[name]().to(device).eval()
    tokens = torch.randint(20, (2, 40), device=device)
    with torch.no_grad():
        memory = list(model.blocks(tokens))[-1].memory
    assert all(x.device.type == device for layer in memory.layers for x in layer.values())
    chosen = memory[[1, 0]].to("cpu").to(device)
    written = torch.stack(list(model.generate(tokens[:, :5], 6, memory=chosen)))
    assert written.shape == (6, 2)
    assert written.device.type == device


@pytest.mark.parametrize("name", DENSITIES)
def test_density_samples_and_fits_on_the_device(name, device):
    make, inputs = DENSITIES[name]
    torch.manual_seed(0)
    model = make().to(device)
    x = inputs()["x"].to(device)
    drawn = model.sample(2, generator=torch.Generator(device).manual_seed(0))
    assert drawn.device.type == device
    history = model.fit(x, x, epochs=1, batch_size=3)
    assert all(np.isfinite(history.losses))


def test_mixture_of_bernoullis_computes_on_the_device(device):
    mixture = nade.BernoulliMixture(
        torch.zeros(3, device=device).log_softmax(0), torch.randn(3, 8, device=device)
    )
    assert mixture.log_prob(torch.ones(4, 8, device=device)).device.type == device


def test_gaussian_process_and_latent_path_compute_on_the_device(device):
    tasks = anp.gp_tasks(2, num_points=12, num_context=(3, 6))
    x, y, mask = (t.to(device) for t in (tasks.x, tasks.y, tasks.is_context))
    model = anp.NeuralProcess(width=16, num_heads=2).to(device)
    loss = model.elbo(x, y, mask, generator=torch.Generator(device).manual_seed(0)).loss
    loss.backward()
    assert loss.isfinite()
    assert anp.log_likelihood(model(x, y, x, mask, num_samples=3), y).device.type == device


@pytest.mark.parametrize("channels", [(), (4, 4)])
def test_population_trains_prunes_and_rounds_on_the_device(channels, device):
    torch.manual_seed(0)
    images, labels = torch.rand(40, 8, 8, device=device), torch.randint(3, (40,), device=device)
    recipe = pruned.Recipe((16,), 2, 10, channels=channels)
    trained = pruned.train_population(
        images, labels, seeds=range(4), sparsity=[0, 0, 0.5, 0.9], recipe=recipe
    )
    here = pruned.train_population(
        images.cpu(), labels.cpu(), seeds=range(4), sparsity=[0, 0, 0.5, 0.9], recipe=recipe
    )
    assert trained.predict(images).device.type == device
    torch.testing.assert_close(trained.sparsity().cpu(), here.sparsity(), rtol=0, atol=1e-6)
    assert error(list(trained.parameters()), list(here.parameters())) < 1e-3
    assert trained.quantize(8).predict(images).shape == (4, 40)
    assert pruned.pies(*(trained.predict(images).cpu().numpy() for _ in "ab")).sum() == 0


@pytest.mark.parametrize("init", ["spectral", "kaiming", "whitened"])
def test_model_is_factorized_where_it_lies(init, device):
    torch.manual_seed(0)
    model = convnet().to(device)
    x = torch.randn(40, 3, 6, 6, device=device)
    if init == "whitened":
        small = factorized.factorize(model, 0.5, data=[x])
    else:
        how = {"spectral": factorized.spectral_init, "kaiming": factorized.kaiming_init}[init]
        small = factorized.factorize(model, 0.5, init=how)
    assert small(x).device.type == device
    assert error([factorized.collapse(copy.deepcopy(small))(x)], [small(x)]) < 1e-5
    assert error([factorized.densify(copy.deepcopy(small))(x)], [small(x)]) < 1e-5
    assert factorized.report(model, small, x).parameters[1] < sum(
        p.numel() for p in model.parameters()
    )
    optimizer = torch.optim.SGD(factorized.parameter_groups(small, weight_decay=1e-2), lr=0.1)
    factorized.attach_frobenius_decay(optimizer, small, 1e-2)
    small(x).square().mean().backward()
    optimizer.step()
    assert all(p.isfinite().all() for p in small.parameters())


def test_model_is_distilled_on_the_device(device):
    torch.manual_seed(0)
    teacher = convnet().to(device)
    student = factorized.factorize(teacher, 0.3)
    x, y = torch.randn(8, 3, 6, 6, device=device), torch.randint(8, (8,), device=device)
    history = factorized.distill(student, teacher, iter([(x, y)] * 2), budget=Budget(steps=2))
    assert history.steps == 2


def test_attention_of_a_model_is_converted_on_the_device(device):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).to(device)
    model, conversion = performers.convert(
        nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), "learned"
    )
    x = torch.randn(2, 12, 16, device=device)
    assert conversion.converted
    assert model(x).device.type == device
    assert performers.distill_attention(model, [x], 1)


def test_favor_state_goes_on_where_it_stopped_on_the_device(device):
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 2, 24, 8, device=device) for _ in range(3))
    features = performers.feature_map("positive", 8, 16, device=device)
    attention = partial(performers.favor_attention, features=features, causal=True)
    whole = attention(q, k, v)
    first, state = attention(
        q[:, :, :10], k[:, :, :10], v[:, :, :10], state=performers.FavorState()
    )
    second, _ = attention(q[:, :, 10:], k[:, :, 10:], v[:, :, 10:], state=state)
    assert error([torch.cat([first, second], 2)], [whole]) < 1e-4


def test_training_loop_runs_on_the_device(device):
    model = nn.Linear(4, 2).to(device)
    batches = (
        (torch.randn(8, 4, device=device), torch.zeros(8, 2, device=device)) for _ in range(3)
    )
    history = train(
        model,
        lambda model, batch: F.mse_loss(model(batch[0]), batch[1]),
        batches,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        budget=Budget(steps=3),
        clip_norm=1.0,
    )
    assert history.steps == 3


def test_arrays_of_double_descent_come_from_any_device(device):
    X, y = torch.randn(6, 3, device=device), torch.randn(6, device=device)
    assert np.allclose(
        double_descent.min_norm_path(X, y), double_descent.min_norm_path(X.cpu(), y.cpu())
    )


@pytest.mark.parametrize(
    "name", ["favor-attention", "fnet", "expire-span", "np-multihead", "factorized-attention"]
)
def test_autocast_to_bfloat16_stays_near(name, device):
    case, model, given = made(name)
    model, given = model.to(device), moved(given, device, torch.float32)
    wanted = case.call(model, given)
    with torch.autocast(device, torch.bfloat16) if device else nullcontext():
        found = case.call(model, given)
        gradients(model, found)
    assert error(found, wanted) <= 5e-2
