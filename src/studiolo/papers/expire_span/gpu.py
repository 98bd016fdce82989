"""Attention by spans through FlexAttention, for CUDA: scores are never written to memory, dead blocks never read.

A block of keys is read only if one of its memories can be seen, which is known from spans and ages alone, so the
work falls with what has expired even before it is deleted. What spans cost, and how many memories are seen, are
arithmetic series and need no scores at all.

Imported only when a CUDA tensor asks, or by name.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, no_type_check

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention.flex_attention import BlockMask, flex_attention


BLOCK = 128  # queries and keys of a tile of FlexAttention
NARROWEST = 16  # head that its compiled program takes
PRECISIONS = (torch.float32, torch.bfloat16, torch.float16)

_programs = ["dense"]  # what CUDA tensors take; the last one counts


@contextmanager
def program(name: str) -> Iterator[None]:
    """Let CUDA tensors take "flex" or "dense" inside.

    Raises:
        ValueError: there is no such program.
    """
    if name not in ("flex", "dense"):
        raise ValueError(f"There is no program {name!r}: choose flex or dense.")
    _programs.append(name)
    try:
        yield
    finally:
        _programs.pop()


def serves(q: Tensor, dropout_p: float) -> bool:
    """Whether FlexAttention is to compute this: it has no dropout, no float64 and no narrow heads."""
    fits = q.dtype in PRECISIONS and q.shape[-1] >= NARROWEST
    return _programs[-1] == "flex" and fits and not dropout_p


def attend_by_span(
    q: Float[Tensor, "b k t d"],
    k: Float[Tensor, "b k s d"],
    v: Float[Tensor, "b k s d"],
    spans: Float[Tensor, "#b #k #s"],
    ages: Int[Tensor, "b s"],
    positions: Float[Tensor, "d m"],
    ramp: int,
    *,
    attention: Callable[..., Any] | None = None,
) -> tuple[Float[Tensor, "b k t d"], Float[Tensor, "b"], Float[Tensor, "b"]]:
    """Return what `attention.attend_by_span` returns.

    Args:
        attention: `flex_attention`, compiled by default.
    """
    batch, heads, length, size = q.shape
    slots = k.shape[2]
    spans = spans.expand(batch, -1, slots)
    on_ramp, seen = _sums(spans, ages, length, ramp)
    # multiples of a tile, so that few sizes are compiled; what is added has expired
    more = -slots % BLOCK
    keys, values = (F.pad(x, (0, 0, 0, more)) for x in (k, v))
    left = F.pad(spans - ages[:, None], (0, more), value=-2.0 * ramp)  # as the first query sees it
    still = left.detach()
    # gradients of what a score reads are added up by atomics: each head has its own place to add to,
    # and neighbouring keys have different ones
    left = left.expand(-1, heads, -1).contiguous()
    since = F.pad(ages, (0, more), value=1)
    by_distance = q @ positions.to(q.dtype) * size**-0.5
    farthest = positions.shape[1]
    shared = spans.shape[1] == 1

    @no_type_check  # torch traces these two, and could not trace a check of shapes
    def visible(b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        head = h * 0 if shared else h
        return (still[b, head, j] - i + ramp > 0) & (since[b, j] + i >= 1)

    @no_type_check
    def score(s: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        weight = torch.clamp(1 + (left[b, h, j] - i) / ramp, max=1)
        faded = torch.where(weight > 0, torch.log(torch.where(weight > 0, weight, 1.0)), -torch.inf)
        distance = slots - length + i - j
        near = (distance >= 1) & (distance <= farthest)
        place = (farthest - distance) % farthest
        return s + faded + torch.where(near, by_distance[b, h, i, place], 0.0)

    mask = _block_mask(still, since, length, ramp, visible)
    found = (attention or _compiled())(q, keys, values, score_mod=score, block_mask=mask)
    return found, on_ramp, seen / length


def _block_mask(
    left: Float[Tensor, "b #k s"], since: Int[Tensor, "b s"], length: int, ramp: int, visible: Any
) -> BlockMask:
    """Return which tiles hold a memory that some query of theirs sees, from the extremes of each tile alone."""
    tiles = left.unflatten(-1, (-1, BLOCK)).amax(
        -1
    )  # (b, k, keys): seen by query i while left + ramp > i
    born = since.unflatten(-1, (-1, BLOCK)).amax(-1)[:, None]
    first = torch.arange(0, length, BLOCK, device=left.device)
    last = (first + BLOCK - 1).clamp(max=length - 1)
    alive = (tiles[..., None, :] + ramp > first[:, None]) & (
        born[..., None, :] + last[:, None] >= 1
    )
    count = alive.sum(-1, dtype=torch.int32)
    order = (~alive).to(torch.int8).argsort(dim=-1, stable=True).to(torch.int32)
    return BlockMask.from_kv_blocks(
        count, order, BLOCK_SIZE=BLOCK, mask_mod=visible, seq_lengths=(length, left.shape[-1])
    )


def _sums(
    spans: Float[Tensor, "b #k s"], ages: Int[Tensor, "b s"], length: int, ramp: int
) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
    """Return the sum of m - 1 on the ramp, and how many pairs of a query and a memory have m > 0.

    Of a memory with r left, query i sees 1 + (r - i) / R: it is on the ramp for the whole i between r and r + R.
    """
    born = (1 - ages).clamp(min=0)[:, None]  # the first query that comes after it
    r = spans - ages[:, None]
    known = r.detach()
    end = torch.ceil(known + ramp).clamp(max=length)
    start = torch.maximum(torch.floor(known) + 1, born)
    number = (end - start).clamp(min=0)
    of_i = number * (start + end - 1) / 2
    on_ramp = ((number * r - of_i) / ramp).sum(2).mean(1)
    seen = (end - born).clamp(min=0).sum(2).mean(1)
    return on_ramp, seen.to(torch.float32)


@cache
def _compiled() -> Callable[..., Any]:
    return torch.compile(flex_attention)
