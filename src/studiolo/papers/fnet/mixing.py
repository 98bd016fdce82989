"""Token mixing: the Fourier transform of FNet, fast and self-adjoint, and the paper's baselines.

Legend: b rows, l tokens (sequence axis), d features (hidden axis).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from studiolo.nn import Lengths, row_lengths, token_mask


def fourier_mix(x: Tensor, lengths: Lengths = None) -> Tensor:
    """Return Re(F_seq F_hid x), the un-normalised discrete Fourier transform of each row.

    The map is a symmetric matrix, so the gradient of y = mix(x) is mix(grad): nothing is saved for
    the backward pass, which costs what the forward pass costs. It can be differentiated again.

    Args:
        x: (..., l, d), floating point.
        lengths: one a row of a (b, l, d) batch. Row i is transformed as a sequence of its own
            `lengths[i]` tokens: the same numbers as without padding. Padding gives 0.

    Returns:
        (..., l, d). Half precision gives float32: the result is sqrt(l d / 2) times as large as
        `x`, so rounding it before it is added to `x` would wipe `x` out, and float16 would
        overflow.

    Raises:
        TypeError: `x` is not real floating point; says its dtype.
        ValueError: `x` has fewer than two axes or no features, or `lengths` do not fit.

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
    ends = None if lengths is None else row_lengths(lengths, x.shape[0], x.shape[1])
    return _FourierMix.apply(x, ends)


class _FourierMix(torch.autograd.Function):
    """The symmetric linear map and its derivative, which is itself."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, lengths: tuple[int, ...] | None) -> Tensor:
        wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
        return _transform(wide) if lengths is None else _transform_rows(wide, lengths)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.dtype, ctx.lengths = inputs[0].dtype, inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _FourierMix.apply(grad, ctx.lengths).to(ctx.dtype), None


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


def _transform_rows(x: Tensor, lengths: Sequence[int]) -> Tensor:
    """Transform every row at its own length, rows of one length together."""
    y = torch.zeros_like(x)
    for n in set(lengths) - {0}:
        same = torch.tensor([i for i, length in enumerate(lengths) if length == n], device=x.device)
        y[same, :n] = _transform(x[same, :n])
    return y


class FourierMixing(nn.Module):
    """`fourier_mix` as a mixer of `studiolo.nn.Transformer`; it has no parameters."""

    def forward(self, x: Float[Tensor, "b l d"], lengths: Lengths = None) -> Float[Tensor, "b l d"]:
        """Return `fourier_mix(x, lengths)`."""
        return fourier_mix(x, lengths)


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
        ends = row_lengths(lengths, b, l)
        if ends is None:
            return self.sequence[:l, :l] @ (x @ self.hidden)
        padding = ~token_mask(ends, l, x.device)[..., None]
        mixed = self.sequence[:l, :l] @ (x.masked_fill(padding, 0.0) @ self.hidden)
        return mixed.masked_fill(padding, 0.0)
