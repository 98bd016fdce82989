"""The modules and functions that a GPU computes, one row each, and what they are called with: the table of `test_gpu.py`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from studiolo.nn import SelfAttention, Transformer
from studiolo.papers import (
    attentive_neural_processes as anp,
    expire_span,
    factorized_layers as factorized,
    fnet,
    nade,
    performers,
    pruning_identified_exemplars as pruned,
)


# |out - ref| / |ref| against float64 with weights and inputs rounded alike: some roundings of each precision
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 4e-2, torch.float16: 5e-3}


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
