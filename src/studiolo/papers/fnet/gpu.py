"""Fourier mixing on a GPU: folded real products in half precision around Triton's fold and unfold.

Legend: b rows, l tokens, d features; h and w the folded axes of `folded`, padded so that the matrix units read
whole vectors.

`mix` returns the transform in float32; `mix_add_norm` is the whole first half of a block, LN(x + mix(x)), in
which the transform never leaves for memory except folded. The programs beside it are `folded.folded_mix` in
plain torch and cuFFT in float32 (`mixing.fourier_mix`).
"""

import inspect
from functools import lru_cache
from typing import Any

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from .folded import waves


HALF = (torch.bfloat16, torch.float16)
LONGEST = 8192  # tokens of a row, the longest that was measured: folded products were ahead of cuFFT there too
WIDEST = 4096
PAD = 8
NORM_PROGRAMS = 1056  # of the norm's backward pass: 8 for each of 132 multiprocessors
WARPS = {"fold": 4, "unfold": 4, "norm": 4}


def _program(function: Any) -> Any:
    """Return `function` for Triton, without the checks of types that tests put around it."""
    return triton.jit(inspect.unwrap(function))


def serves(x: Tensor) -> bool:
    """Return whether `mix` is chosen for `x` unless a caller says otherwise."""
    return possible(x) and x.shape[-2] <= LONGEST


def possible(x: Tensor) -> bool:
    """Return whether these programs can take `x`: half precision, (b, l, d), up to 4096 features."""
    return x.dtype in HALF and x.ndim == 3 and x.shape[-1] <= WIDEST and x.numel() > 0


def mix(x: Float[Tensor, "b l d"]) -> Float[Tensor, "b l d"]:
    """Return Re(F_seq F_hid x) in float32, products in the precision of `x`, sums in float32."""
    return _Mix.apply(x)


def mix_add_norm(
    x: Float[Tensor, "b l d"], weight: Float[Tensor, " d"], bias: Float[Tensor, " d"], eps: float
) -> Float[Tensor, "b l d"]:
    """Return LN(x + mix(x)) in the precision of `x`; the sum is normalised before it is rounded."""
    return _MixAddNorm.apply(x, weight, bias, eps)


class _Mix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.dtype = x.dtype
        return _unfold(_products(x.contiguous()), None, x.shape, torch.float32)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        grad = grad.to(ctx.dtype).contiguous()
        return _unfold(_products(grad), None, grad.shape, ctx.dtype)


class _MixAddNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        x = x.contiguous()
        b, l, d = x.shape
        folded = _products(x)
        out, unit = torch.empty_like(x), torch.empty_like(x)
        scale = torch.empty(b * l, dtype=torch.float32, device=x.device)
        _unfold_norm_kernel[(b * l,)](
            folded, x, weight, bias, out, unit, scale,
            l, d, folded.shape[2], folded.shape[3], folded.stride(0), eps,
            BLOCK=triton.next_power_of_2(d), num_warps=WARPS["norm"],
        )  # fmt: skip
        ctx.save_for_backward(unit, scale, weight)
        ctx.bias_dtype = bias.dtype
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        unit, scale, weight = ctx.saved_tensors
        grad = grad.contiguous()
        b, l, d = unit.shape
        programs = min(NORM_PROGRAMS, b * l)
        inner = torch.empty_like(unit)
        parts = torch.empty(2, programs, d, dtype=torch.float32, device=unit.device)
        _norm_backward_kernel[(programs,)](
            grad, unit, scale, weight, inner, parts, b * l, d, programs * d,
            BLOCK=triton.next_power_of_2(d), num_warps=WARPS["norm"],
        )  # fmt: skip
        weight_grad, bias_grad = parts.sum(1)
        x_grad = _unfold(_products(inner), inner, inner.shape, inner.dtype)
        return x_grad, weight_grad.to(weight.dtype), bias_grad.to(ctx.bias_dtype), None


def _padded(n: int) -> int:
    return -(-(n // 2 + 1) // PAD) * PAD


def _products(x: Float[Tensor, "b l d"]) -> Float[Tensor, "2 b h w"]:
    """Fold and multiply: the cosine and the sine part, in float32."""
    return _multiply(_fold(x), x.shape[1], x.shape[2])


def _fold(x: Float[Tensor, "b l d"]) -> Float[Tensor, "2 b h w"]:
    b, l, d = x.shape
    h, w = _padded(l), _padded(d)
    folded = torch.empty(2, b, h, w, dtype=x.dtype, device=x.device)
    _fold_kernel[(h, b)](
        x, folded, l, d, h, w, folded.stride(0),
        BLOCK=triton.next_power_of_2(w), num_warps=WARPS["fold"],
    )  # fmt: skip
    return folded


def _multiply(folded: Float[Tensor, "2 b h w"], l: int, d: int) -> Float[Tensor, "2 b h w"]:
    _, b, h, w = folded.shape
    across = torch.empty_like(folded)
    for part, wave in enumerate(_both_waves(l, h, folded.dtype, folded.device)):
        torch.bmm(wave.expand(b, h, h), folded[part], out=across[part])
    along = _both_waves(d, w, folded.dtype, folded.device)
    return _wide_bmm(across.view(2, b * h, w), along).view(2, b, h, w)


@lru_cache(maxsize=32)
def _both_waves(
    n: int, size: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "2 size size"]:
    return torch.stack(waves(n, size, dtype, device))


def _wide_bmm(a: Tensor, b: Tensor) -> Tensor:
    """Return products of half precision summed and kept in float32."""
    if a.is_cuda and a.dtype in HALF:
        return torch.bmm(a, b, out_dtype=torch.float32)
    return torch.bmm(a.float(), b.float())


def _unfold(
    folded: Float[Tensor, "2 b h w"], add: Tensor | None, shape: torch.Size, dtype: torch.dtype
) -> Float[Tensor, "b l d"]:
    b, l, d = shape
    out = torch.empty(b, l, d, dtype=dtype, device=folded.device)
    _unfold_kernel[(b * l,)](
        folded, out if add is None else add, out,
        l, d, folded.shape[2], folded.shape[3], folded.stride(0), ADD=add is not None,
        BLOCK=triton.next_power_of_2(d), num_warps=WARPS["unfold"],
    )  # fmt: skip
    return out


@_program
def _fold_kernel(x, folded, l, d, h, w, part, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """One folded row: the sum and the alternating sum of a point and its three mirror images."""
    n = tl.program_id(0)
    row = tl.program_id(1).to(tl.int64)
    j = tl.arange(0, BLOCK)
    inside = j <= tl.where(n <= l // 2, d // 2, -1)
    back_n = tl.where(n == 0, 0, l - n)
    back_j = tl.where(j == 0, 0, d - j)
    near = x + row * l * d + n * d
    far = x + row * l * d + back_n * d
    a = tl.load(near + j, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(near + back_j, mask=inside, other=0.0).to(tl.float32)
    c = tl.load(far + j, mask=inside, other=0.0).to(tl.float32)
    e = tl.load(far + back_j, mask=inside, other=0.0).to(tl.float32)
    once = tl.where(n == back_n, 0.5, 1.0) * tl.where(j == back_j, 0.5, 1.0)
    to = folded + (row * h + n) * w + j
    tl.store(to, (once * ((a + b) + (c + e))).to(folded.dtype.element_ty), mask=j < w)
    tl.store(to + part, ((a - b) - (c - e)).to(folded.dtype.element_ty), mask=j < w)


@_program
def _unfolded(folded, token, l, d, h, w, part, j):  # type: ignore[no-untyped-def]
    """One token's transform, from the quarter that holds it."""
    row = (token // l).to(tl.int64)
    k = token % l
    flipped = k > l // 2
    mirrored = j > d // 2
    near = tl.where(flipped, l - k, k)
    column = tl.where(mirrored, d - j, j)
    at = folded + (row * h + near) * w + column
    even = tl.load(at, mask=j < d, other=0.0)
    odd = tl.load(at + part, mask=j < d, other=0.0)
    return even - tl.where(flipped == mirrored, odd, -odd)


@_program
def _unfold_kernel(  # type: ignore[no-untyped-def]
    folded, add, out, l, d, h, w, part, ADD: tl.constexpr, BLOCK: tl.constexpr
):
    token = tl.program_id(0)
    j = tl.arange(0, BLOCK)
    y = _unfolded(folded, token, l, d, h, w, part, j)
    at = token.to(tl.int64) * d + j
    if ADD:
        y += tl.load(add + at, mask=j < d, other=0.0).to(tl.float32)
    tl.store(out + at, y.to(out.dtype.element_ty), mask=j < d)


@_program
def _unfold_norm_kernel(  # type: ignore[no-untyped-def]
    folded, x, weight, bias, out, unit, scale, l, d, h, w, part, eps, BLOCK: tl.constexpr
):
    token = tl.program_id(0)
    j = tl.arange(0, BLOCK)
    inside = j < d
    at = token.to(tl.int64) * d + j
    y = _unfolded(folded, token, l, d, h, w, part, j)
    y += tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    centred = tl.where(inside, y - tl.sum(y, 0) / d, 0.0)
    rstd = 1.0 / tl.sqrt(tl.sum(centred * centred, 0) / d + eps)
    normal = centred * rstd
    gain = tl.load(weight + j, mask=inside, other=0.0).to(tl.float32)
    shift = tl.load(bias + j, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + at, (normal * gain + shift).to(out.dtype.element_ty), mask=inside)
    tl.store(unit + at, normal.to(unit.dtype.element_ty), mask=inside)
    tl.store(scale + token, rstd)


@_program
def _norm_backward_kernel(  # type: ignore[no-untyped-def]
    grad, unit, scale, weight, inner, parts, tokens, d, part, BLOCK: tl.constexpr
):
    """The gradient before the norm, and this program's share of those of gain and shift."""
    program = tl.program_id(0)
    j = tl.arange(0, BLOCK)
    inside = j < d
    gain = tl.load(weight + j, mask=inside, other=0.0).to(tl.float32)
    gain_grad = tl.zeros((BLOCK,), tl.float32)
    shift_grad = tl.zeros((BLOCK,), tl.float32)
    for token in range(program, tokens, tl.num_programs(0)):
        at = tl.cast(token, tl.int64) * d + j
        g = tl.load(grad + at, mask=inside, other=0.0).to(tl.float32)
        normal = tl.load(unit + at, mask=inside, other=0.0).to(tl.float32)
        gain_grad += g * normal
        shift_grad += g
        g *= gain
        along = tl.sum(g * normal, 0) / d
        g = (g - tl.sum(g, 0) / d - normal * along) * tl.load(scale + token)
        tl.store(inner + at, g.to(inner.dtype.element_ty), mask=inside)
    to = parts + program * d + j
    tl.store(to, gain_grad, mask=inside)
    tl.store(to + part, shift_grad, mask=inside)
