"""NADE's logits and their gradients, chunk by chunk: no tensor of B D H values, no hidden layer computed twice.

A step of the recursion changes the state of a row only where the value just read is not 0, because
a_{d+1} = a_d + W_d x_d. The states at the starts of chunks of K dimensions are kept, B D H / K values, and the
backward goes from them forward again, so that it meets bit by bit the layers that the forward met: walking back by
a_d = a_{d+1} - W_d x_d does not return to 0, where the slope of ReLU jumps.

Inside a chunk two programs are equal up to rounding: `kernels.py`, compiled by numba (extra `fast`), and the one below
in torch. The second serves where numba is missing, and in a chunk that could overflow exp(-a). On a GPU `gpu.py` runs
all chunks at once where its kernels serve, and the program in torch serves where they do not; both keep the same states.

Letters: B rows, D dimensions, H hidden units, K dimensions of a chunk, N hidden layers that are computed in a chunk.
"""

import importlib
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable


ACTIVATIONS = {"sigmoid": torch.sigmoid, "relu": torch.relu}
COMPILED_CHUNK, TORCH_CHUNK = 64, 16  # dimensions, about the fastest on the CPUs tried
_FINITE = 80.0  # exp(±80) is within float32


def nade_logits(
    x: Float[Tensor, "b d"],
    V: Float[Tensor, "d h"],
    b: Float[Tensor, "d"],
    W: Float[Tensor, "h d"],
    c: Float[Tensor, "h"],
    *,
    activation: str = "sigmoid",
) -> Float[Tensor, "b d"]:
    """Return the logit of p(x_d = 1 | x_<d) for every row and dimension, in the order of the columns.

    Parameters of 16 bits are computed in float32 and so are the logits: sums over hundreds of steps need the bits.
    Differentiable once, with respect to the parameters; also under `torch.func` and `torch.compile`.

    Raises:
        ValueError: x asks for a gradient, which the recurrence does not give.

    Source: https://arxiv.org/abs/1605.02226, section 2, algorithm 1.
    Differs: the backward stores no hidden layer but the states at the starts of chunks.
    """
    if x.requires_grad:
        raise ValueError(
            "x is data: NADE gives no gradient with respect to it. Pass x.detach(), or studiolo.papers.nade.reference."
        )
    dtype = torch.promote_types(V.dtype, torch.float32)
    x, V, b, W, c = (tensor.to(dtype) for tensor in (x, V, b, W, c))
    z: Tensor = _NadeLogits.apply(x, V, W, c, activation)[0]
    return z + b


@torch.library.custom_op("studiolo::nade_logits", mutates_args=())
def _logits(x: Tensor, V: Tensor, W: Tensor, c: Tensor, activation: str) -> tuple[Tensor, Tensor]:
    """Return the (B, D) logits but for b, and the (D / K, B, H) states at the starts of the chunks."""
    if (gpu := _gpu(x)) and gpu.serves(x, V):
        return gpu.logits(x, V, W, c, activation)
    steps = W.t().contiguous()  # (D, H)
    z, a = torch.empty_like(x), c.expand(len(x), -1)
    states = a.new_empty(len(_columns(x)), *a.shape)
    with torch.autocast(x.device.type, enabled=False):
        for state, columns in zip(states, _columns(x), strict=True):
            chunk = _Chunk(x[:, columns].contiguous(), V[columns], steps[columns])
            z[:, columns] = _program(state.copy_(a), chunk, activation).logits(
                state, chunk, activation
            )
            a = torch.addmm(a, chunk.x, chunk.W)
    return z, states


@torch.library.custom_op("studiolo::nade_gradients", mutates_args=())
def _gradients(
    grad: Tensor, x: Tensor, V: Tensor, W: Tensor, states: Tensor, activation: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of V (D, H), W (H, D) and c (H,)."""
    if (gpu := _gpu(x)) and gpu.serves(x, V):
        return gpu.gradients(grad, x, V, W, states, activation)
    steps = W.t().contiguous()
    grad_V, grad_W = torch.zeros_like(steps), torch.zeros_like(steps)
    s = torch.zeros_like(states[0])  # dL/da of all later dimensions
    with torch.autocast(x.device.type, enabled=False):
        for state, columns in zip(reversed(states.unbind()), reversed(_columns(x)), strict=True):
            chunk = _Chunk(x[:, columns].contiguous(), V[columns], steps[columns])
            _program(state, chunk, activation).gradients(
                state,
                chunk,
                activation,
                grad[:, columns].contiguous(),
                s,
                grad_V[columns],
                grad_W[columns],
            )
    return grad_V, grad_W.t().contiguous(), s.sum(0)


def _columns(x: Tensor) -> list[slice]:
    """Return the columns of each chunk."""
    k = COMPILED_CHUNK if x.device.type == "cpu" and _kernels() else TORCH_CHUNK
    if gpu := _gpu(x):
        k = gpu.CHUNK
    return [slice(d, min(d + k, x.shape[1])) for d in range(0, x.shape[1], k)]


class _Chunk(NamedTuple):
    x: Float[Tensor, "b k"]
    V: Float[Tensor, "k h"]
    W: Float[Tensor, "k h"]


class _Torch:
    """Matrix products over the hidden layers that change."""

    @staticmethod
    def logits(a: Tensor, chunk: _Chunk, activation: str) -> Tensor:
        layers = _layers_of(chunk.x)
        return torch.take(_hidden(a, chunk, layers, activation) @ chunk.V.t(), layers.used)

    @staticmethod
    def gradients(
        a: Tensor,
        chunk: _Chunk,
        activation: str,
        grad: Tensor,
        s: Tensor,
        grad_V: Tensor,
        grad_W: Tensor,
    ) -> None:
        layers = _layers_of(chunk.x)
        h = _hidden(a, chunk, layers, activation)
        errors = torch.zeros_like(layers.seen)  # (N, K), of the dimensions that a layer predicts
        errors.put_(layers.used, grad)
        grad_V.addmm_(errors.t(), h)
        slope = h - h * h if activation == "sigmoid" else h.sign()
        delta = (errors @ chunk.V).mul_(slope)
        grad_W.addmm_(chunk.x.t(), s).addmm_(layers.seen.t(), delta)
        s.index_add_(0, layers.row, delta)


class _Layers(NamedTuple):
    """Which hidden layers a chunk needs.

    Attributes:
        row: (N,) the row a hidden layer belongs to; layers are sorted by row, then dimension.
        seen: (N, K) what of the chunk that layer has seen: x left of its dimension, 0 from there on.
        used: (B, K) flat index into an (N, K) table: the layer that predicts this value.
    """

    row: Int[Tensor, "n"]
    seen: Float[Tensor, "n k"]
    used: Int[Tensor, "b k"]


def _layers_of(x: Tensor) -> _Layers:
    fresh = torch.ones_like(x, dtype=torch.bool)  # the first dimension always needs one
    fresh[:, 1:] = x[:, :-1] != 0
    row, dimension = fresh.nonzero().unbind(1)
    k = torch.arange(x.shape[1], device=x.device)
    layer = fresh.flatten().cumsum(0).sub_(1).view_as(fresh)
    return _Layers(row, x[row] * (k < dimension[:, None]), layer * len(k) + k)


def _hidden(a: Tensor, chunk: _Chunk, layers: _Layers, activation: str) -> Tensor:
    """Return the (N, H) hidden layers of a chunk."""
    states = a.index_select(0, layers.row).addmm_(layers.seen, chunk.W)
    return torch.sigmoid_(states) if activation == "sigmoid" else torch.relu_(states)


class _Compiled:
    """`kernels.py`, for rows of 0 and 1."""

    @staticmethod
    def logits(a: Tensor, chunk: _Chunk, activation: str) -> Tensor:
        z = torch.empty_like(chunk.x)
        _kernels().logits(*_arrays(a, chunk, activation), z.numpy())  # type: ignore[union-attr]
        return z

    @staticmethod
    def gradients(a: Tensor, chunk: _Chunk, activation: str, *sums: Tensor) -> None:
        _kernels().gradients(*_arrays(a, chunk, activation), *(t.numpy() for t in sums))  # type: ignore[union-attr]


def _arrays(a: Tensor, chunk: _Chunk, activation: str) -> tuple[Any, ...]:
    relu = activation == "relu"
    state, steps = (a.clone(), chunk.W) if relu else (a.neg().exp_(), chunk.W.neg().exp_())
    return state.numpy(), chunk.x.numpy(), chunk.V.numpy(), steps.numpy(), relu


def _program(a: Tensor, chunk: _Chunk, activation: str) -> type[_Torch] | type[_Compiled]:
    """Choose by what the values allow, the same in the forward and in the backward."""
    if a.device.type != "cpu" or _kernels() is None:
        return _Torch
    if not ((chunk.x == 0) | (chunk.x == 1)).all():
        return _Torch
    if activation == "sigmoid":
        low, high = (bound.item() for bound in a.aminmax())
        low += chunk.W.clamp_max(0).sum(0).min().item()
        high += chunk.W.clamp_min(0).sum(0).max().item()
        if not -_FINITE < low <= high < _FINITE:  # nor where a state is nan
            return _Torch
    return _Compiled


@cache
def _kernels() -> ModuleType | None:
    try:
        from . import kernels
    except ImportError:
        return None
    return kernels


def _gpu(x: Tensor) -> ModuleType | None:
    """Return `gpu.py` for CUDA tensors, unless triton is missing: by name, so that no record of a CPU depends on it."""
    if not x.is_cuda:
        return None
    try:
        return importlib.import_module(".gpu", __package__)
    except ImportError:
        return None


class _NadeLogits(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor, V: Tensor, W: Tensor, c: Tensor, activation: str
    ) -> tuple[Tensor, Tensor]:
        return _logits(x, V, W, c, activation)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, V, W, _, ctx.activation = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(x, V, W, output[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        x, V, W, states = ctx.saved_tensors
        return None, *_gradients(grad, x, V, W, states, ctx.activation), None


@_logits.register_fake
def _(x: Tensor, V: Tensor, W: Tensor, c: Tensor, activation: str) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), x.new_empty(len(_columns(x)), len(x), len(c))


@_gradients.register_fake
def _(
    grad: Tensor, x: Tensor, V: Tensor, W: Tensor, states: Tensor, activation: str
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(V), torch.empty_like(W), W.new_empty(len(W))


def _one_by_one(op: Any) -> Any:
    """Return the rule of `vmap`: the members of the batch in turn, each of them fast."""

    def rule(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, Any]:
        def member(i: int) -> list[Any]:
            pairs = zip(inputs, in_dims, strict=True)
            return [t if dim is None else t.select(dim, i) for t, dim in pairs]

        outputs = [op(*member(i)) for i in range(info.batch_size)]
        stacked = tuple(torch.stack(parts) for parts in zip(*outputs, strict=True))
        return stacked, (0,) * len(stacked)

    return rule


_logits.register_vmap(_one_by_one(_logits))
_gradients.register_vmap(_one_by_one(_gradients))
