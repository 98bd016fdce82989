"""NADE's logits in place: O(BH) memory instead of O(BDH), and no hidden layer computed twice.

A step of the recursion changes the state of a row only where the value just read is not 0, because
a_{d+1} = a_d + W_d x_d. Two programs follow, equal up to rounding:

- `_EveryStep` walks over the dimensions with one state in cache; its backward walks the same state back
  (a_d = a_{d+1} - W_d x_d) and recomputes h_d, so that nothing of size D is kept but x and the logits.
- `_ChangedSteps` takes K dimensions at a time and computes a hidden layer only after a value that is not 0; all else
  is matrix products. It wins on sparse rows (binarised MNIST has 13 % ones) and loses on dense ones.

Letters: B rows, D dimensions, H hidden units, K dimensions of a chunk, N hidden layers that are computed in a chunk.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable


class Activation(NamedTuple):
    """h = value(a) and the slope dh/da written in terms of h; both fill `out`."""

    value: Callable[..., Tensor]
    slope: Callable[..., Tensor]


def _relu(a: Tensor, *, out: Tensor) -> Tensor:
    return torch.clamp_min(a, 0, out=out)


def _sigmoid_slope(h: Tensor, *, out: Tensor) -> Tensor:
    return torch.addcmul(h, h, h, value=-1, out=out)


ACTIVATIONS = {
    "sigmoid": Activation(torch.sigmoid, _sigmoid_slope),
    "relu": Activation(_relu, torch.sign),
}

_CHUNK = 16  # dimensions; 12 to 24 are equally fast on the CPUs tried
_SPARSE = 0.25  # share of values that are not 0 under which `_ChangedSteps` wins (bench/nade.py)


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

    Parameters of 16 bits are computed in float32 and so are the logits: a state that is walked forth and back over
    hundreds of steps needs the bits. Differentiable once, with respect to the parameters; memory is O(BH + BD).

    Raises:
        ValueError: x asks for a gradient, which the recurrence does not give.

    Source: https://arxiv.org/abs/1605.02226, section 2, algorithm 1.
    Differs: the backward stores no hidden layer.
    """
    if x.requires_grad:
        raise ValueError(
            "x is data: NADE gives no gradient with respect to it. Pass x.detach(), or studiolo.papers.nade.reference."
        )
    dtype = torch.promote_types(V.dtype, torch.float32)
    x, V, b, W, c = (tensor.to(dtype) for tensor in (x, V, b, W, c))
    sparse = x.count_nonzero().item() < _SPARSE * x.numel()
    program = _ChangedSteps if sparse else _EveryStep
    with torch.autocast(x.device.type, enabled=False):
        z: Tensor = program.apply(x, V, W, c, ACTIVATIONS[activation])
    return z + b


class _EveryStep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, V: Tensor, W: Tensor, c: Tensor, activation: Activation
    ) -> Tensor:
        columns, weights = x.t().contiguous(), W.t().contiguous()  # (D, B), (D, H): a row is a step
        a = c.expand(len(x), -1).clone()
        h = torch.empty_like(a)
        z = torch.empty_like(columns)
        for z_d, V_d, x_d, W_d in zip(*_rows(z, V, columns, weights), strict=True):
            activation.value(a, out=h)
            torch.mv(h, V_d, out=z_d)
            a.addr_(x_d, W_d)
        ctx.activation = activation
        ctx.save_for_backward(columns, weights, V, a)
        return z.t()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        columns, weights, V, last = ctx.saved_tensors
        errors = grad.t().contiguous()  # (D, B)
        a = last.clone()
        s = torch.zeros_like(a)  # dL/da of all later dimensions
        h, slope = torch.empty_like(a), torch.empty_like(a)
        grad_V, grad_W = torch.empty_like(V), torch.empty_like(weights)
        steps = zip(
            *_rows(columns, weights, V, errors, errors.unsqueeze(2), grad_V, grad_W), strict=True
        )
        for x_d, W_d, V_d, e_d, e_column, grad_V_d, grad_W_d in reversed(list(steps)):
            torch.mv(s.t(), x_d, out=grad_W_d)  # W_d reaches later dimensions only
            a.addr_(x_d, W_d, alpha=-1)
            ctx.activation.value(a, out=h)
            torch.mv(h.t(), e_d, out=grad_V_d)
            ctx.activation.slope(h, out=slope).mul_(V_d)
            s.addcmul_(slope, e_column)
        return None, grad_V, grad_W.t(), s.sum(0), None


def _rows(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return (tensor.unbind() for tensor in tensors)


class _Chunk(NamedTuple):
    """Which hidden layers a chunk of K dimensions needs.

    Attributes:
        columns: the chunk's dimensions.
        x: (B, K) values of the chunk.
        row: (N,) the row a hidden layer belongs to; layers are sorted by row, then dimension.
        seen: (N, K) what of the chunk that layer has seen: x left of its dimension, 0 from there on.
        used: (B, K) flat index into an (N, K) table: the layer that predicts this value.
    """

    columns: slice
    x: Float[Tensor, "b k"]
    row: Int[Tensor, "n"]
    seen: Float[Tensor, "n k"]
    used: Int[Tensor, "b k"]


def _chunks(x: Tensor) -> Iterator[_Chunk]:
    for start in range(0, x.shape[1], _CHUNK):
        columns = slice(start, min(start + _CHUNK, x.shape[1]))
        values = x[:, columns].contiguous()
        fresh = torch.ones_like(values, dtype=torch.bool)  # the first dimension always needs one
        fresh[:, 1:] = values[:, :-1] != 0
        row, dimension = fresh.nonzero().unbind(1)
        k = torch.arange(values.shape[1], device=x.device)
        seen = values[row] * (k < dimension[:, None])
        layer = fresh.flatten().cumsum(0).sub_(1).view_as(fresh)
        yield _Chunk(columns, values, row, seen, layer * len(k) + k)


class _ChangedSteps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, V: Tensor, W: Tensor, c: Tensor, activation: Activation
    ) -> Tensor:
        weights = W.t().contiguous()  # (D, H)
        a = c.expand(len(x), -1).clone()  # state at the start of the chunk
        z = torch.empty_like(x)
        ctx.chunks = list(_chunks(x))
        for chunk in ctx.chunks:
            W_k = weights[chunk.columns]
            h = _hidden(a, chunk, W_k, activation)
            z[:, chunk.columns] = torch.take(torch.mm(h, V[chunk.columns].t()), chunk.used)
            a.addmm_(chunk.x, W_k)
        ctx.activation = activation
        ctx.save_for_backward(weights, V, a)
        return z

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weights, V, last = ctx.saved_tensors
        a = last.clone()
        s = torch.zeros_like(a)  # dL/da of all later chunks
        grad_V, grad_W = torch.empty_like(V), torch.empty_like(weights)
        for chunk in reversed(ctx.chunks):
            W_k, grad_W_k = weights[chunk.columns], grad_W[chunk.columns]
            a.addmm_(chunk.x, W_k, alpha=-1)
            h = _hidden(a, chunk, W_k, ctx.activation)
            errors = torch.zeros_like(chunk.seen)  # (N, K), of the dimensions a layer predicts
            errors.put_(chunk.used, grad[:, chunk.columns].contiguous())
            torch.mm(errors.t(), h, out=grad_V[chunk.columns])
            delta = torch.mm(errors, V[chunk.columns]).mul_(ctx.activation.slope(h, out=h))
            torch.mm(chunk.x.t(), s, out=grad_W_k)
            grad_W_k.addmm_(chunk.seen.t(), delta)
            s.index_add_(0, chunk.row, delta)
        return None, grad_V, grad_W.t(), s.sum(0), None


def _hidden(a: Tensor, chunk: _Chunk, W_k: Tensor, activation: Activation) -> Tensor:
    """Return the (N, H) hidden layers of a chunk."""
    states = a.index_select(0, chunk.row).addmm_(chunk.seen, W_k)
    return activation.value(states, out=states)
