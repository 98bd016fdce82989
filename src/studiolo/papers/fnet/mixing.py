"""Token mixing: the Fourier transform of FNet, fast and self-adjoint, and the paper's baselines.

Legend: b rows, l tokens (sequence axis), d features (hidden axis).
"""

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from studiolo.nn import Lengths, row_lengths, token_mask

from .folded import folded_mix


Program = Literal["auto", "fft", "matmul"]
PROGRAMS: tuple[Program, ...] = get_args(Program)


def fourier_mix(x: Tensor, lengths: Lengths = None, *, program: Program = "auto") -> Tensor:
    """Return Re(F_seq F_hid x), the un-normalised discrete Fourier transform of each row.

    The map is a symmetric matrix, so the gradient of y = mix(x) is mix(grad): nothing is saved for
    the backward pass, which costs what the forward pass costs. It can be differentiated again, and
    in forward mode.

    Args:
        x: (..., l, d), floating point.
        lengths: one a row of a (b, l, d) batch. Row i is transformed as a sequence of its own
            `lengths[i]` tokens: the same numbers as without padding. Padding gives 0.
        program: "fft"; "matmul", real products on a folded plane, on a GPU in half precision by
            Triton; or "auto", the faster one, which on a CPU is always "fft".

    Returns:
        (..., l, d). Half precision gives float32: the result is sqrt(l d / 2) times as large as
        `x`, so rounding it before it is added to `x` would wipe `x` out, and float16 would
        overflow.

    Raises:
        TypeError: `x` is not real floating point; says its dtype.
        ValueError: `x` has fewer than two axes or no features, `lengths` do not fit, or there is no
            such program.

    Source: https://arxiv.org/abs/2105.03824, equation (3).
    Differs: the paper transforms padding with the tokens; here the answer does not depend on it.
    """
    if not x.is_floating_point():
        raise TypeError(
            f"fourier_mix needs real floating point, not {x.dtype}: embed the tokens first."
        )
    if x.ndim < 2 or 0 in x.shape[-2:]:
        raise ValueError(
            f"fourier_mix needs (..., tokens, features) with at least one of each, "
            f"not {tuple(x.shape)}."
        )
    if lengths is not None and x.ndim != 3:
        raise ValueError(
            f"lengths belong to a (rows, tokens, features) batch, not {tuple(x.shape)}."
        )
    if program not in PROGRAMS:
        raise ValueError(f"There is no program {program!r}: choose one of {', '.join(PROGRAMS)}.")
    if isinstance(lengths, Tensor) and torch.compiler.is_compiling():
        # a compiled graph serves all lengths
        return _applied(x, lengths.to(x.device), program)
    ends = None if lengths is None else row_lengths(lengths, x.shape[0], x.shape[1])
    if x.is_cuda and ends is None and program != "fft":
        gpu = _gpu()
        if gpu.possible(x) if program == "matmul" else gpu.serves(x):
            mixed: Tensor = gpu.mix(x)
            return mixed
    return _applied(x, ends, program)


def _gpu() -> Any:
    """Return the programs for GPUs: a record made on a CPU does not depend on what only CUDA tensors reach."""
    return importlib.import_module(".gpu", __package__)


def _applied(x: Tensor, lengths: tuple[int, ...] | Tensor | None, program: Program) -> Tensor:
    # torch.compile cannot trace a function that has a forward mode
    function = _FourierMix if torch.compiler.is_compiling() else _FourierMixForward
    mixed: Tensor = function.apply(x, lengths, program)
    return mixed


class _FourierMix(torch.autograd.Function):
    """The symmetric linear map and its derivative, which is itself."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, lengths: tuple[int, ...] | Tensor | None, program: Program) -> Tensor:
        wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
        if isinstance(lengths, Tensor):
            return _transform_below(wide, lengths)
        if not wide.numel():  # no rows
            return torch.empty_like(wide)
        transform = folded_mix if program == "matmul" else _transform
        return transform(wide) if lengths is None else _transform_rows(wide, lengths, transform)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.dtype, ctx.lengths, ctx.program = inputs[0].dtype, inputs[1], inputs[2]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _applied(grad, ctx.lengths, ctx.program).to(ctx.dtype), None, None


class _FourierMixForward(_FourierMix):
    """The same, which can also be differentiated in forward mode."""

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        return _applied(tangent, ctx.lengths, ctx.program)


def _transform(x: Tensor) -> Tensor:
    """Transform (..., l, d) by two real transforms of a quarter of the plane.

    The real part sees only the even half of its input, e[i, j] = (x[i, j] + x[-i, -j]) / 2, and is
    itself even, y[i, j] = y[-i, -j]. Column j of e is the mirror of column d - j, so d/2 + 1
    columns carry everything; e is real along l and, once transformed, Hermitian along d.
    """
    l, d = x.shape[-2:]
    rows, columns = l // 2 + 1, d // 2 + 1
    # twice e, turned upside down: irfft has the opposite sign in its exponent
    even = x.new_empty(*x.shape[:-1], columns)
    even[..., 0, :] = x[..., 0, :columns]
    even[..., 1:, :] = x[..., 1:, :columns].flip(-2)
    even[..., 0].add_(x[..., 0])
    even[..., 1:].add_(x[..., d - columns + 1 :].flip(-1))
    upper = torch.fft.irfft(torch.fft.rfft(even.mul_(0.5), dim=-2), n=d, dim=-1, norm="forward")
    y = torch.empty_like(x, memory_format=torch.contiguous_format)
    y[..., :rows, :] = upper
    mirrored = upper[..., 1 : l - rows + 1, :].flip((-2, -1))
    y[..., rows:, 0] = mirrored[..., -1]
    y[..., rows:, 1:] = mirrored[..., :-1]
    return y


def _transform_rows(
    x: Tensor, lengths: Sequence[int], transform: Callable[[Tensor], Tensor]
) -> Tensor:
    """Transform every row at its own length, rows of one length together."""
    y = torch.zeros_like(x)
    for n in set(lengths) - {0}:
        same = [i for i, length in enumerate(lengths) if length == n]
        if len(same) == 1:  # the usual case, and a view
            y[same[0], :n] = transform(x[same[0], :n])
        else:
            rows = torch.tensor(same, device=x.device)
            y[rows, :n] = transform(x[rows, :n])
    return y


def _transform_below(x: Float[Tensor, "b l d"], lengths: Int[Tensor, " b"]) -> Tensor:
    """Transform every row at its own length by a matrix of its own, which no host needs to know."""
    l = x.shape[1]
    n = torch.arange(l, device=x.device)
    inside = n < lengths[:, None]
    size = lengths.clamp(min=1)[:, None, None]
    angles = ((n[:, None] * n) % size).to(x.dtype) * (-2 * math.pi / size.to(x.dtype))
    both = (inside[:, :, None] & inside[:, None, :]).to(x.dtype)
    x = torch.where(inside[..., None], x, 0.0)
    along = torch.fft.fft(x, dim=-1)
    return (angles.cos() * both) @ along.real - (angles.sin() * both) @ along.imag


class FourierMixing(nn.Module):
    """`fourier_mix` as a mixer of `studiolo.nn.Transformer`; it has no parameters."""

    def __init__(self, program: Program = "auto") -> None:
        super().__init__()
        self.program: Program = program

    def forward(self, x: Float[Tensor, "b l d"], lengths: Lengths = None) -> Float[Tensor, "b l d"]:
        """Return `fourier_mix(x, lengths)`."""
        return fourier_mix(x, lengths, program=self.program)


class HartleyMixing(nn.Module):
    """Hartley's transform of each row, Re - Im of the Fourier transform, as real and as symmetric."""

    def forward(self, x: Float[Tensor, "b l d"], lengths: Lengths = None) -> Float[Tensor, "b l d"]:
        """Return sum over n, j of x[n, j] cas(2 pi (n k / l + j i / d)); half precision gives float32."""
        ends = row_lengths(lengths, x.shape[0], x.shape[1])
        wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
        if ends is None:
            return _hartley(wide)
        rows = [_hartley(row[:n]) for row, n in zip(wide, ends, strict=True)]
        return torch.stack([F.pad(row, (0, 0, 0, x.shape[1] - len(row))) for row in rows])


def _hartley(x: Tensor) -> Tensor:
    if not x.numel():
        return x
    whole = torch.fft.fft2(x)
    return whole.real - whole.imag


class NoMixing(nn.Module):
    """The paper's "FF-only": tokens never meet, the block adds `x` to itself."""

    def forward(self, x: Float[Tensor, "b l d"], lengths: Lengths = None) -> Float[Tensor, "b l d"]:
        """Return `x`."""
        return x


class MatrixMixing(nn.Module):
    """The paper's "Linear" (learned) and "Random" (frozen) mixing: A_seq x A_hid.

    Args:
        num_tokens: the longest row. A shorter row uses the leading block of A_seq.
        learned: True starts from normal(0, 0.02) and learns; False stays at LeCun's normal.

    Source: https://arxiv.org/abs/2105.03824, section 4; scales from the authors' code.
    """

    def __init__(self, num_tokens: int, width: int, *, learned: bool = True) -> None:
        super().__init__()
        for name, n in (("sequence", num_tokens), ("hidden", width)):
            matrix = torch.randn(n, n) * (0.02 if learned else 1 / math.sqrt(n))
            if learned:
                self.register_parameter(name, nn.Parameter(matrix))
            else:
                self.register_buffer(name, matrix)

    sequence: Tensor
    hidden: Tensor

    def forward(self, x: Float[Tensor, "b l d"], lengths: Lengths = None) -> Float[Tensor, "b l d"]:
        """Return A_seq x A_hid; padding is not read and gives 0.

        Raises:
            ValueError: a row is longer than `num_tokens`; says both.
        """
        b, l, _ = x.shape
        if l > len(self.sequence):
            raise ValueError(
                f"This mixing was made for {len(self.sequence)} tokens, not {l}: "
                "cut the rows or make it longer."
            )
        if isinstance(lengths, Tensor) and torch.compiler.is_compiling():
            inside = torch.arange(l, device=x.device) < lengths[:, None]
        else:
            ends = row_lengths(lengths, b, l)
            if ends is None:
                return self.sequence[:l, :l] @ (x @ self.hidden)
            inside = token_mask(ends, l, x.device)
        padding = ~inside[..., None]
        mixed = self.sequence[:l, :l] @ (x.masked_fill(padding, 0.0) @ self.hidden)
        return mixed.masked_fill(padding, 0.0)
