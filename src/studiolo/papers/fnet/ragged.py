"""Rows of different lengths, packed one after the other, so that nothing is computed on padding.

Legend: b rows, l tokens of the longest, t tokens of all rows together, d features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from studiolo.nn import Lengths, row_lengths

from .mixing import FourierMixing, NoMixing, _transform


Rows = Sequence[int]


@dataclass(frozen=True)
class Packing:
    """Where the tokens of a ragged batch are: `kept` are their places in the flat batch, in order."""

    kept: Int[Tensor, " t"]
    lengths: tuple[int, ...]
    num_tokens: int  # l

    def pack(self, x: Float[Tensor, "b l d"]) -> Float[Tensor, "t d"]:
        """Return the tokens alone."""
        return x.flatten(0, 1)[self.kept]

    def unpack(self, x: Float[Tensor, "t d"]) -> Float[Tensor, "b l d"]:
        """Return the batch, with zeros where a row has no token."""
        b, l = len(self.lengths), self.num_tokens
        return x.new_zeros(b * l, x.shape[-1]).index_copy(0, self.kept, x).view(b, l, -1)


def token_rows(
    attention_mask: Tensor | None, lengths: Lengths, num_rows: int, num_tokens: int
) -> Bool[Tensor, "b l"] | None:
    """Return True where there is a token, or None where neither says that there is padding.

    Raises:
        ValueError: both are given, or one does not fit the batch, or a mask holds more than 0 and 1.
        TypeError: `lengths` are truths or fractions.
    """
    if attention_mask is not None and lengths is not None:
        raise ValueError(
            "Give attention_mask or lengths, not both: each says where the tokens are."
        )
    if attention_mask is not None:
        if attention_mask.shape != (num_rows, num_tokens):
            raise ValueError(
                f"attention_mask is {tuple(attention_mask.shape)}, but the batch has {num_rows} rows "
                f"of {num_tokens} tokens: give one value a token, 1 or True where it is not padding."
            )
        inside = attention_mask != 0
        if not torch.compiler.is_compiling() and attention_mask.dtype != torch.bool:
            strange = attention_mask[inside & (attention_mask != 1)]
            if strange.numel():
                raise ValueError(
                    f"attention_mask holds {strange[0].item()}: only 0 (padding) and 1 (a token) "
                    "have a meaning."
                )
        return inside
    if lengths is None:
        return None
    dtype = lengths.dtype if isinstance(lengths, Tensor) else torch.tensor(list(lengths)).dtype
    if num_rows and (dtype == torch.bool or dtype.is_floating_point):
        raise TypeError(
            f"lengths are {dtype}, not whole numbers of tokens. A mask goes to attention_mask."
        )
    if isinstance(lengths, Tensor) and torch.compiler.is_compiling():
        ends = lengths
    else:
        numbers = row_lengths(lengths, num_rows, num_tokens)
        if numbers is None:
            return None
        ends = torch.tensor(numbers)
    return torch.arange(num_tokens, device=ends.device) < ends[:, None]


def packed_rows(inside: Bool[Tensor, "b l"] | None, device: torch.device) -> Packing | None:
    """Return how the tokens are packed, or None where every row is full (the mask is copied to the CPU)."""
    if inside is None:
        return None
    lengths = tuple(int(n) for n in inside.sum(1).tolist())
    if all(n == inside.shape[1] for n in lengths):
        return None
    return Packing(inside.flatten().nonzero()[:, 0].to(device), lengths, inside.shape[1])


def mix_packed(mixer: nn.Module, x: Float[Tensor, "t d"], packing: Packing) -> Tensor:
    """Return what `mixer` gives for every row alone."""
    if isinstance(mixer, FourierMixing):
        mixed: Tensor = _PackedMix.apply(x, packing.lengths)
        return mixed
    if isinstance(mixer, NoMixing):
        return x
    ends = packing.lengths
    longest = max(ends)
    left = torch.arange(longest, device=x.device) < torch.tensor(ends, device=x.device)[:, None]
    padded = Packing(left.flatten().nonzero()[:, 0], ends, longest)
    return padded.pack(mixer(padded.unpack(x), ends))


class _PackedMix(torch.autograd.Function):
    """Fourier mixing of packed rows: as symmetric as that of one."""

    @staticmethod
    def forward(x: Tensor, lengths: Rows) -> Tensor:
        wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
        y, start = torch.empty_like(wide), 0
        alike = {n: [i for i, m in enumerate(lengths) if m == n] for n in set(lengths) - {0}}
        starts = []
        for n in lengths:
            starts.append(start)
            start += n
        for n, rows in alike.items():
            if len(rows) == 1:
                at = slice(starts[rows[0]], starts[rows[0]] + n)
                y[at] = _transform(wide[at])
                continue
            places = torch.tensor([starts[i] for i in rows], device=x.device)[:, None]
            places = places + torch.arange(n, device=x.device)
            y[places] = _transform(wide[places])
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.dtype, ctx.lengths = inputs[0].dtype, inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _PackedMix.apply(grad, ctx.lengths).to(ctx.dtype), None
