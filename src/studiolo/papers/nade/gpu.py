"""NADE's recurrence on a GPU: every chunk of dimensions is a program of its own, and its state never leaves registers.

The states at the starts of chunks, A_i = c + Σ_{d < iK} x_d W_d, are a product of matrices, so that the chunks need
not wait for each other. Four programs in Triton:

- `_starts`: A for all chunks, and W transposed.
- `_chunk_logits`: a few rows and all hidden units of a chunk, dimension after dimension; the sum over units is inside.
- `_chunk_gradients`: a few units and all rows of a chunk, forward from A again; the sum over rows is inside.
- `_finish`: adds to W's gradient what later chunks contribute, x_i^T Σ_{later} δ, again a product.

A sigmoid layer is carried as E = exp(-a), so that a step is E *= exp(-W_d) and a layer one reciprocal. A program whose
states could leave ±80, or whose x is not 0 and 1, carries `a` itself; so does ReLU. Nothing here waits for the host.

Letters: B rows, D dimensions, H hidden units, K dimensions of a chunk, n chunks; e the gradient of the logits, δ of the
states. Float32 alone; everything else is served by the program in torch (`recurrence.py`).
"""

# mypy: disable-error-code="no-untyped-def"

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from .density import Rows
from .model import NADE


class Tiles(NamedTuple):
    """How the work is cut.

    Attributes:
        chunk: K. rows: of a program of `_chunk_logits`. units, batch: units and rows of one of `_chunk_gradients`.
        logits_warps, gradients_warps: of a program. stages: of loads ahead of their use.
    """

    chunk: int = 32
    rows: int = 4
    logits_warps: int = 4
    units: int = 16
    batch: int = 128
    gradients_warps: int = 4
    stages: int = 1


TILES = Tiles()
CHUNK = TILES.chunk
_WIDEST = 2048  # units that a program holds
_COMPILED = tl.constexpr(os.environ.get("TRITON_INTERPRET") != "1")
_use = True


def _program(function: Any) -> Any:
    """Return `function` for Triton, without the checks of types that tests put around it."""
    return triton.jit(inspect.unwrap(function))


@contextmanager
def kernels(use: bool) -> Iterator[None]:
    """Let the kernels serve what they can serve, or not: in this block, and in every thread of this process."""
    global _use
    before, _use = _use, use
    try:
        yield
    finally:
        _use = before


def serves(x: Tensor, V: Tensor) -> bool:
    """Return whether the kernels take these rows and weights."""
    return (
        _use
        and x.dtype == V.dtype == torch.float32
        and x.numel() > 0
        and V.shape[1] <= _WIDEST
        and triton.cdiv(x.shape[1], CHUNK) * len(x) * V.shape[1] < 2**31  # indices are 32 bits
    )


def nade_logits(
    x: Tensor, V: Tensor, b: Tensor, W: Tensor, c: Tensor, activation: str = "sigmoid"
) -> Tensor:
    """Return what `recurrence.nade_logits` returns, without what `torch.compile` and `torch.func` need there.

    It takes the host a third of the time, which is what a call takes at small sizes. All float32, on a GPU.
    """
    z: Tensor = _NadeLogits.apply(x, V, b, W, c, activation)
    return z


class _NadeLogits(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, V: Tensor, b: Tensor, W: Tensor, c: Tensor, activation: str
    ) -> Tensor:
        z, states = logits(x, V, W, c, activation)
        ctx.save_for_backward(x, V, W, states)
        ctx.activation = activation
        return z.add_(b)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, V, W, states = ctx.saved_tensors
        grad_V, grad_W, grad_c = gradients(grad, x, V, W, states, ctx.activation)
        return None, grad_V, grad.sum(0), grad_W, grad_c, None


class GraphedNADE(NADE):
    """NADE whose training loss, forward and backward, is one CUDA graph for each size of a batch.

    Its order is the natural one: shuffle the columns of the data instead. Rows are not checked by `loss` but by `fit`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if not self.is_natural:
            raise ValueError("GraphedNADE has the natural order; shuffle the columns of x.")
        self._graphs: dict[int, Callable[..., Tensor]] = {}

    def loss(
        self,
        x: Rows,
        observed: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return the mean of -log p, nats."""
        parameters = (self.V, self.b, self.W, self.c)
        if not (torch.is_grad_enabled() and isinstance(x, Tensor) and x.is_cuda):
            return super().loss(x, observed, generator)
        if len(x) not in self._graphs:
            graph: Any = torch.cuda.make_graphed_callables(self._mean, (x.clone(), *parameters))
            self._graphs[len(x)] = graph
        return self._graphs[len(x)](x, *parameters)

    def _mean(self, x: Tensor, V: Tensor, b: Tensor, W: Tensor, c: Tensor) -> Tensor:
        z = nade_logits(x, V, b, W, c, self.activation)
        return -self.law.log_prob(z, x).sum(1).mean()

    def __deepcopy__(self, memo: dict[int, Any]) -> "GraphedNADE":
        """Return a copy without the graphs, which are of this model's parameters."""
        copied = GraphedNADE(self.dim, self.hidden, self.activation).to(self.b)
        copied.load_state_dict(self.state_dict())
        return copied


def logits(
    x: Tensor, V: Tensor, W: Tensor, c: Tensor, activation: str, tiles: Tiles = TILES
) -> tuple[Tensor, Tensor]:
    """Return the (B, D) logits but for b, and the (n, B, H) states at the starts of the chunks.

    Args:
        x: (B, D). V: (D, H). W: (H, D). c: (H,). All float32.
    """
    (rows, dim), hidden = x.shape, len(c)
    x, V, W, c = (t.contiguous() for t in (x, V, W, c))
    chunks = triton.cdiv(dim, tiles.chunk)
    z, steps = torch.empty_like(x), torch.empty_like(V)
    states, reach = x.new_empty(chunks, rows, hidden), x.new_empty(chunks, hidden)
    with torch.cuda.device_of(x):
        _starts[triton.cdiv(hidden, 16), triton.cdiv(rows, 16)](
            x, W, c, states, steps, reach, rows, dim, hidden, K=tiles.chunk, R=16, U=16, num_warps=4
        )
        _chunk_logits[chunks, triton.cdiv(rows, tiles.rows)](
            x,
            V,
            steps,
            states,
            reach,
            z,
            rows,
            dim,
            hidden,
            K=tiles.chunk,
            R=tiles.rows,
            U=triton.next_power_of_2(hidden),
            RELU=activation == "relu",
            STAGES=tiles.stages,
            num_warps=tiles.logits_warps,
        )
    return z, states


def gradients(
    grad: Tensor,
    x: Tensor,
    V: Tensor,
    W: Tensor,
    states: Tensor,
    activation: str,
    tiles: Tiles = TILES,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of V (D, H), W (H, D) and c (H,) from that of the logits and what `logits` kept."""
    chunks, rows, hidden = states.shape
    dim = x.shape[1]
    grad, x, V, W, states = (t.contiguous() for t in (grad, x, V, W, states))
    batch = min(tiles.batch, max(16, triton.next_power_of_2(rows)))
    parts = triton.cdiv(rows, batch)
    grad_V, within = V.new_empty(parts, dim, hidden), V.new_empty(parts, dim, hidden)
    totals = torch.empty_like(states)
    grad_W, grad_c = torch.empty_like(W), V.new_empty(hidden)
    with torch.cuda.device_of(x):
        _chunk_gradients[triton.cdiv(hidden, tiles.units), chunks, parts](
            grad,
            x,
            V,
            W,
            states,
            grad_V,
            within,
            totals,
            rows,
            dim,
            hidden,
            K=tiles.chunk,
            R=batch,
            U=tiles.units,
            RELU=activation == "relu",
            STAGES=tiles.stages,
            num_warps=tiles.gradients_warps,
        )
        _finish[triton.cdiv(hidden, 16), chunks](
            x,
            totals,
            within,
            grad_W,
            grad_c,
            rows,
            dim,
            hidden,
            chunks,
            parts,
            K=tiles.chunk,
            R=min(batch, 64),
            U=16,
            num_warps=4,
        )
    return grad_V[0] if parts == 1 else grad_V.sum(0), grad_W, grad_c


@_program
def _starts(
    x, W, c, states, steps, reach, B, D, H, K: tl.constexpr, R: tl.constexpr, U: tl.constexpr
):
    """Fill states (n, B, H), steps (D, H) with W transposed, reach (n, H) with Σ_d |W_d| over a chunk."""
    j = tl.program_id(0) * U + tl.arange(0, U)
    r = tl.program_id(1) * R + tl.arange(0, R)
    inside = (r[:, None] < B) & (j[None, :] < H)
    a = tl.zeros((R, U), tl.float32) + tl.load(c + j, j < H, 0.0)[None, :]
    for i in range(tl.cdiv(D, K)):
        d = i * K + tl.arange(0, K)
        tl.store(states + (i * B + r[:, None]) * H + j[None, :], a, inside)
        w = tl.load(W + j[:, None] * D + d[None, :], (j[:, None] < H) & (d[None, :] < D), 0.0)
        seen = tl.load(x + r[:, None] * D + d[None, :], (r[:, None] < B) & (d[None, :] < D), 0.0)
        if tl.program_id(1) == 0:
            here = (d[:, None] < D) & (j[None, :] < H)
            tl.store(steps + d[:, None] * H + j[None, :], tl.trans(w), here)
            tl.store(reach + i * H + j, tl.sum(tl.abs(w), 1), j < H)
        a += tl.dot(seen, tl.trans(w), input_precision="ieee")


@_program
def _is_safe(a, reach, x, r, first, B, D, K: tl.constexpr):
    """Return whether exp(-a) stays within float32 in this chunk, and x is 0 and 1."""
    d = first + tl.arange(0, K)
    seen = tl.load(x + r[:, None] * D + d[None, :], (r[:, None] < B) & (d[None, :] < D), 0.0)
    others = tl.sum(tl.sum(((seen != 0.0) & (seen != 1.0)).to(tl.int32), 1), 0)
    farthest = tl.max(tl.max(tl.abs(a) + reach[None, :], 1), 0)
    return (farthest < 80.0) & (others == 0)


@_program
def _reciprocal(y):
    """Return 1 / y for y from 1 to exp(80): one instruction, where `/` also scales for what is not in that range."""
    if _COMPILED:
        inverse = tl.inline_asm_elementwise(
            "rcp.approx.ftz.f32 $0, $1;", "=f,f", [y], dtype=tl.float32, is_pure=True, pack=1
        )
    else:
        inverse = 1.0 / y
    return inverse


@_program
def _layer(state, FORM: tl.constexpr):
    if FORM == "ratio":
        h = _reciprocal(1.0 + state)
    elif FORM == "sum":
        small = tl.exp(-tl.abs(state))  # never overflows
        h = tl.where(state >= 0.0, 1.0, small) * _reciprocal(1.0 + small)
    else:
        h = tl.maximum(state, 0.0)
    return h


@_program
def _step(state, x_d, w, FORM: tl.constexpr):
    if FORM == "ratio":
        state *= tl.where(x_d[:, None] != 0.0, tl.exp(-w)[None, :], 1.0)
    else:
        state += x_d[:, None] * w[None, :]
    return state


@_program
def _logits_along(
    state,
    x,
    V,
    steps,
    z,
    r,
    j,
    first,
    B,
    D,
    H,
    K: tl.constexpr,
    FORM: tl.constexpr,
    STAGES: tl.constexpr,
):
    for d in tl.range(first, tl.minimum(first + K, D), num_stages=STAGES):
        v = tl.load(V + d * H + j, j < H, 0.0)
        w = tl.load(steps + d * H + j, j < H, 0.0)
        x_d = tl.load(x + r * D + d, r < B, 0.0)
        tl.store(z + r * D + d, tl.sum(_layer(state, FORM) * v[None, :], 1), r < B)
        state = _step(state, x_d, w, FORM)


@_program
def _chunk_logits(
    x,
    V,
    steps,
    states,
    reach,
    z,
    B,
    D,
    H,
    K: tl.constexpr,
    R: tl.constexpr,
    U: tl.constexpr,
    RELU: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Fill z (B, D) for R rows of a chunk; U covers all hidden units."""
    i = tl.program_id(0)
    r = tl.program_id(1) * R + tl.arange(0, R)
    j = tl.arange(0, U)
    at = (i * B + r[:, None]) * H + j[None, :]
    a = tl.load(states + at, (r[:, None] < B) & (j[None, :] < H), 0.0)
    if RELU:
        _logits_along(a, x, V, steps, z, r, j, i * K, B, D, H, K, "relu", STAGES)
    else:
        span = tl.load(reach + i * H + j, j < H, 0.0)
        if _is_safe(a, span, x, r, i * K, B, D, K):
            _logits_along(tl.exp(-a), x, V, steps, z, r, j, i * K, B, D, H, K, "ratio", STAGES)
        else:
            _logits_along(a, x, V, steps, z, r, j, i * K, B, D, H, K, "sum", STAGES)


@_program
def _gradients_along(
    state,
    grad,
    x,
    V,
    W,
    grad_V,
    within,
    r,
    j,
    first,
    B,
    D,
    H,
    K: tl.constexpr,
    FORM: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Return Σ δ over the chunk, and fill its part of grad_V and within: what `_finish` takes off W's gradient."""
    total = tl.zeros_like(state)
    for d in tl.range(first, tl.minimum(first + K, D), num_stages=STAGES):
        v = tl.load(V + d * H + j, j < H, 0.0)
        w = tl.load(W + j * D + d, j < H, 0.0)
        x_d = tl.load(x + r * D + d, r < B, 0.0)
        e = tl.load(grad + r * D + d, r < B, 0.0)
        h = _layer(state, FORM)
        if FORM == "relu":
            slope = tl.where(h > 0.0, 1.0, 0.0)
        else:
            slope = h - h * h
        tl.store(grad_V + d * H + j, tl.sum(e[:, None] * h, 0), j < H)
        total += e[:, None] * v[None, :] * slope
        tl.store(within + d * H + j, tl.sum(x_d[:, None] * total, 0), j < H)
        state = _step(state, x_d, w, FORM)
    return total


@_program
def _chunk_gradients(
    grad,
    x,
    V,
    W,
    states,
    grad_V,
    within,
    totals,
    B,
    D,
    H,
    K: tl.constexpr,
    R: tl.constexpr,
    U: tl.constexpr,
    RELU: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Fill grad_V and within (parts, D, H) and totals (n, B, H) for R rows and U units of a chunk."""
    i = tl.program_id(1)
    r = tl.program_id(2) * R + tl.arange(0, R)
    j = tl.program_id(0) * U + tl.arange(0, U)
    at = (i * B + r[:, None]) * H + j[None, :]
    inside = (r[:, None] < B) & (j[None, :] < H)
    a = tl.load(states + at, inside, 0.0)
    grad_V += tl.program_id(2).to(tl.int64) * D * H
    within += tl.program_id(2).to(tl.int64) * D * H
    if RELU:
        total = _gradients_along(
            a, grad, x, V, W, grad_V, within, r, j, i * K, B, D, H, K, "relu", STAGES
        )
        tl.store(totals + at, total, inside)
    else:
        d = i * K + tl.arange(0, K)
        w = tl.load(W + j[:, None] * D + d[None, :], (j[:, None] < H) & (d[None, :] < D), 0.0)
        if _is_safe(a, tl.sum(tl.abs(w), 1), x, r, i * K, B, D, K):
            total = _gradients_along(
                tl.exp(-a), grad, x, V, W, grad_V, within, r, j, i * K, B, D, H, K, "ratio", STAGES
            )
            tl.store(totals + at, total, inside)
        else:
            total = _gradients_along(
                a, grad, x, V, W, grad_V, within, r, j, i * K, B, D, H, K, "sum", STAGES
            )
            tl.store(totals + at, total, inside)


@_program
def _finish(
    x,
    totals,
    within,
    grad_W,
    grad_c,
    B,
    D,
    H,
    n,
    parts,
    K: tl.constexpr,
    R: tl.constexpr,
    U: tl.constexpr,
):
    """Fill grad_W (H, D) for a chunk, x_i^T Σ_{this and later} δ less what comes before a step, and grad_c (H,)."""
    i = tl.program_id(1)
    j = tl.program_id(0) * U + tl.arange(0, U)
    d = i * K + tl.arange(0, K)
    here = (d[:, None] < D) & (j[None, :] < H)
    total = tl.zeros((K, U), tl.float32)
    first = tl.zeros((U,), tl.float32)
    at = within + d[:, None] * H + j[None, :]
    for _ in range(parts):
        total -= tl.load(at, here, 0.0)
        at += D * H
    for block in range(tl.cdiv(B, R)):
        r = block * R + tl.arange(0, R)
        inside = (r[:, None] < B) & (j[None, :] < H)
        s = tl.zeros((R, U), tl.float32)
        for m in range(i, n):
            s += tl.load(totals + (m * B + r[:, None]) * H + j[None, :], inside, 0.0)
        seen = tl.load(x + r[None, :] * D + d[:, None], (r[None, :] < B) & (d[:, None] < D), 0.0)
        total += tl.dot(seen, s, input_precision="ieee")
        first += tl.sum(s, 0)
    tl.store(grad_W + j[None, :] * D + d[:, None], total, here)
    if i == 0:
        tl.store(grad_c + j, first, j < H)
