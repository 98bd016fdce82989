"""On a GPU everything computes what it computes on the CPU: values, gradients, states, without a wait, in a graph.

`make gpu` runs this; `make gpu DRY=1` runs it on the CPU, where it tries the table itself.
"""

import copy
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from studiolo.nn import SelfAttention, Transformer
from studiolo.papers import (
    attentive_neural_processes as anp,
    double_descent,
    expire_span,
    factorized_layers as factorized,
    fnet,
    nade,
    performers,
    pruning_identified_exemplars as pruned,
)
from studiolo.train import Budget, train


pytestmark = pytest.mark.gpu

# |out - ref| / |ref| against float64 with weights and inputs rounded alike: some roundings of each precision
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 4e-2, torch.float16: 5e-3}
PRECISIONS = pytest.mark.parametrize("dtype", list(TOLERANCE), ids=lambda d: str(d)[6:])


@dataclass(frozen=True)
class Case:
    """A module or a function, and what it is called with.

    Attributes:
        make: the module, on the CPU in float32; a function is a module without parameters.
        inputs: named tensors on the CPU; those of floats are given in the precision that is tried.
        call: the tensors whose values and gradients count.
        dtypes: the precisions it takes.
        waits: why the host waits for the device in it, as its README says; empty where it does not.
        graph: it can be captured in a CUDA graph, forward and backward.
    """

    make: Callable[[], nn.Module]
    inputs: Callable[[], dict[str, torch.Tensor]]
    call: Callable[[Any, dict[str, torch.Tensor]], list[torch.Tensor]]
    dtypes: tuple[torch.dtype, ...] = tuple(TOLERANCE)
    waits: str = ""
    graph: bool = True
    training: bool = True
    tolerance: dict[torch.dtype, float] = field(default_factory=dict)


def one(model: Any, given: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    return [model(given["x"])]


def rows(*shape: int) -> Callable[[], dict[str, torch.Tensor]]:
    return lambda: {"x": torch.randn(shape)}


def words(*shape: int, of: int = 20) -> Callable[[], dict[str, torch.Tensor]]:
    return lambda: {"x": torch.randint(of, shape)}


def bits(*shape: int) -> Callable[[], dict[str, torch.Tensor]]:
    return lambda: {"x": torch.randint(2, shape).float()}


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.function(*args)
        return found


def qkv(model: Any, given: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    return [model(given["q"], given["k"], given["v"])]


def heads(n: int = 24, d: int = 8) -> dict[str, torch.Tensor]:
    return {name: torch.randn(2, 2, n, d) for name in "qkv"}


class Favor(nn.Module):
    """`favor_attention` with its features."""

    def __init__(self, phi: str, **options: Any) -> None:
        super().__init__()
        self.features = performers.feature_map(phi, 8, 16)
        self.options = options

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = performers.favor_attention(
            q, k, v, features=self.features, **self.options
        )
        return out


class NadeLogits(nn.Module):
    """`nade_logits` with its parameters."""

    def __init__(self) -> None:
        super().__init__()
        shapes = ((20, 12), (20,), (12, 20), (12,))
        self.parts = nn.ParameterList(torch.randn(shape) * 0.3 for shape in shapes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nade.nade_logits(x, *self.parts)


def attend(model: Any, given: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    return [model(given["x"], given["x"], given["x"], need_weights=False)[0]]


def log_prob(model: Any, given: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    return [model.log_prob(given["x"])]


def read(model: Any, given: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Two blocks, the second with the memory of the first."""
    outputs = list(model.blocks(given["x"], compact=False))
    return [*(o.logits for o in outputs), *(o.aux_loss for o in outputs)]


def pretrain(model: Any, given: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    output = model(given["x"])
    return [output.prediction_logits, output.seq_relationship_logits]


def points() -> dict[str, torch.Tensor]:
    x = torch.randn(2, 12, 1)
    return {"x": x, "y": x.sin(), "t": torch.randn(2, 9, 1)}


def predict(model: Any, given: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    found = model(given["x"], given["y"], given["t"])
    return [found.mean, found.std]


def bound(model: Any, given: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    mask = torch.arange(12, device=given["x"].device).expand(2, -1) < 5
    found = model.elbo(given["x"], given["y"], mask)
    return [found.log_prob, found.kl]


def convnet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 64),
        nn.Linear(64, 8),
    )


def population(channels: tuple[int, ...]) -> pruned.Population:
    generators = [torch.Generator().manual_seed(k) for k in range(3)]
    made = pruned.Population([(8, 8), 16, 5], generators, channels)
    made.prune_(torch.tensor([0.0, 0.5, 0.9]))
    return made


SMALL: dict[str, Any] = {"vocab_size": 20, "d_model": 16, "d_ff": 32, "block_size": 16}
FLOATS = (torch.float32,)
READERS: dict[str, Callable[[], expire_span.MemoryTransformer]] = {
    "expire-span": lambda: expire_span.ExpireSpanTransformer(
        expire_span.ExpireSpanConfig(**SMALL, max_span=32, ramp=8, initial_span=0.3)
    ),
    "transformer-xl": lambda: expire_span.TransformerXL(
        expire_span.TransformerXLConfig(**SMALL, window=24)
    ),
    "adaptive-span": lambda: expire_span.AdaptiveSpanTransformer(
        expire_span.AdaptiveSpanConfig(**SMALL, max_span=24, ramp=8)
    ),
    **{
        f"compressive-{how}": partial(
            lambda how: expire_span.CompressiveTransformer(
                expire_span.CompressiveConfig(
                    **SMALL, window=16, compressed=8, rate=4, compression=how
                )
            ),
            how,
        )
        for how in ("mean", "max", "convolution", "most-used")
    },
    "feedback": lambda: expire_span.FeedbackTransformer(
        expire_span.FeedbackConfig(**SMALL, window=12)
    ),
    "staircase": lambda: expire_span.StaircaseTransformer(
        expire_span.StaircaseConfig(**SMALL, chunk=8, passes=2)
    ),
}
TINY_FNET: dict[str, Any] = {
    "vocab_size": 20,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "intermediate_size": 32,
}
DENSITIES: dict[str, tuple[Callable[[], nn.Module], Callable[[], dict[str, torch.Tensor]]]] = {
    "nade": (lambda: nade.NADE(20, 12), bits(6, 20)),
    "nade-relu": (lambda: nade.NADE(20, 12, "relu"), bits(6, 20)),
    "made": (lambda: nade.MADE(20, [12, 12]), bits(6, 20)),
    "fvbn": (lambda: nade.FVBN(20), bits(6, 20)),
    "rnade": (lambda: nade.RNADE(20, 12, 3), rows(6, 20)),
    "rnade-laplace": (lambda: nade.RNADE(20, 12, 3, "laplace"), rows(6, 20)),
    "deepnade": (lambda: nade.DeepNADE(20, [12, 12]), bits(6, 20)),
    "eonade": (lambda: nade.EoNADE(20, [12], num_orders=2), bits(6, 20)),
    "convnade": (lambda: nade.ConvNADE(6, 6, kernels=(3, 3), channels=4), bits(3, 36)),
}

CASES: dict[str, Case] = {
    "self-attention": Case(lambda: SelfAttention(16, 2), rows(2, 12, 16), one),
    "transformer": Case(
        lambda: Transformer(16, 2, mixer=lambda _: SelfAttention(16, 2)), rows(2, 12, 16), one
    ),
    **{
        f"favor-{phi}": Case(partial(Favor, phi), heads, qkv)
        for phi in ("positive", "hyperbolic", "relu", "elu", "trigonometric")
    },
    **{
        f"favor-{phi}-causal": Case(partial(Favor, phi, causal=True, rescue=False), heads, qkv)
        for phi in ("positive", "hyperbolic", "relu", "elu", "trigonometric")
    },
    "favor-rescue": Case(
        partial(Favor, "positive", causal=True),
        heads,
        qkv,
        waits="rescue asks whether a query is lost",
    ),
    "favor-attention": Case(
        lambda: performers.FavorAttention(16, 2, causal=True, batch_first=True),
        rows(2, 24, 16),
        attend,
        waits="rescue asks whether a query is lost",
    ),
    "rotate": Case(lambda: Of(performers.rotate), rows(2, 2, 12, 8), one),
    **{
        name: Case(make, inputs, log_prob, waits="asks whether each value is one that it can have")
        for name, (make, inputs) in DENSITIES.items()
    },
    "nade-logits": Case(NadeLogits, bits(6, 20), one, waits="asks how far its recursion goes"),
    "fourier-mix": Case(lambda: Of(fnet.fourier_mix), rows(2, 16, 16), one),
    "matrix-mixing": Case(lambda: fnet.MatrixMixing(16, 16), rows(2, 16, 16), one),
    "fnet": Case(
        lambda: fnet.FNetForPreTraining(fnet.FNetConfig(**TINY_FNET, hidden_dropout_prob=0.0)),
        words(2, 16),
        pretrain,
    ),
    # a memory at the end of its span comes or goes with rounding
    **{
        name: Case(make, words(2, 32), read, tolerance={torch.float16: 2e-2})
        for name, make in READERS.items()
    },
    "expire-span-attention": Case(
        lambda: Of(lambda q, k, v: expire_span.expire_span_attention(q, k, v, fading(q))),
        heads,
        qkv,
    ),
    **{
        f"np-{attention}": Case(
            partial(anp.NeuralProcess, width=16, attention=attention, num_heads=2, latent=False),
            points,
            predict,
            FLOATS if attention == "laplace" else tuple(TOLERANCE),  # torch.cdist takes no less
        )
        for attention in ("uniform", "laplace", "dot_product", "multihead")
    },
    "np-bound": Case(
        lambda: anp.NeuralProcess(width=16, attention="multihead", num_heads=2, latent=False),
        points,
        bound,
    ),
    "kernel-attention": Case(
        lambda: Of(partial(anp.kernel_attention, kernel="gaussian", scale=0.5)),
        points,
        lambda model, given: [model(given["t"], given["x"], given["y"])],
        FLOATS,
    ),
    "factorized-linear": Case(lambda: factorized.FactorizedLinear(16, 8, rank=4), rows(3, 16), one),
    "factorized-conv": Case(
        lambda: factorized.FactorizedConv2d(4, 8, 3, padding=1, rank=4), rows(2, 4, 6, 6), one
    ),
    "factorized-embedding": Case(
        lambda: factorized.FactorizedEmbedding(20, 8, rank=4), words(3, 7), one
    ),
    "factorized-attention": Case(
        lambda: factorized.FactorizedMultiheadAttention(16, 2, batch_first=True, rank=4),
        rows(2, 12, 16),
        attend,
    ),
    "frobenius-decay": Case(
        lambda: factorized.factorize(convnet(), 0.3),
        rows(1),
        lambda model, given: [factorized.frobenius_decay(model)],
    ),
    **{
        f"substitute-{method}": Case(
            partial(lambda m: factorized.substitute(convnet(), m, 0.8), method),
            rows(4, 3, 6, 6),
            one,
            waits="copies ones to the device" * (method == "acdc"),
        )
        for method in factorized.METHODS
    },
    "population": Case(partial(population, ()), rows(6, 8, 8), one),
    # which of four neighbours is the largest changes with rounding
    "population-of-cnns": Case(
        partial(population, (4, 4)), rows(6, 8, 8), one, tolerance={torch.bfloat16: 0.1}
    ),
}


def fading(q: torch.Tensor) -> torch.Tensor:
    """Weights between 0 and 1, some of them 0, made on the device."""
    t = torch.arange(q.shape[2], device=q.device)
    return (1 - (t[:, None] - t).abs() / 16).clamp(0, 1).to(q).expand(2, 1, -1, -1)


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
    assert torch.allclose(trained.sparsity().cpu(), here.sparsity())
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
