"""Attention that every memory shares: strictly past, positions by distance, weights that fade out.

A memory with the span e is seen at the distance d with the weight m = clamp(1 + (e - d) / R, 0, 1). The
masked and renormalised attention a·m / Σ a·m equals softmax(s + log m). Expire-Span has a span for each
memory, Adaptive-Span one for each head, and a window of W is a span of W with a ramp of 1.

```
b batch   k heads   d head size   t new tokens   n memories   s = n + t   m distances with a position
```
"""

import importlib
from functools import partial
from types import ModuleType

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


QUERIES_AT_ONCE = 128  # bounds the scores that are alive at a time, and skips keys of the future
RECOMPUTED_FROM = (
    2**19
)  # scores a layer: fewer are cheaper kept for the backward pass than computed twice


def span_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the precision of spans beside activations of `dtype`: at least float32."""
    return torch.promote_types(dtype, torch.float32)


def memory_weight(
    spans: Float[Tensor, "*#rows s"], ages: Int[Tensor, "*#rows t s"], ramp: int
) -> Float[Tensor, "*#rows t s"]:
    """Return m = clamp(1 + (span - age) / ramp, 0, 1), and 0 where the age is below 1.

    Ages are subtracted in at least 32 bits: bfloat16 has no odd integer above 256.
    """
    remaining = spans.to(span_dtype(spans.dtype))[..., None, :] - ages
    return torch.clamp(1 + remaining / ramp, 0, 1).where(ages >= 1, 0)


def expire_span_attention(
    q: Float[Tensor, "b k t d"],
    k: Float[Tensor, "b k s d"],
    v: Float[Tensor, "b k s d"],
    weight: Float[Tensor, "b #k t s"],
    bias: Float[Tensor, "b k t s"] | None = None,
    dropout_p: float = 0.0,
) -> Float[Tensor, "b k t d"]:
    """Return softmax(q kᵀ / √d + bias + log weight) v: attention, masked and renormalised.

    A query that can see nothing gets zeros, and passes no gradient.

    Args:
        weight: m of `memory_weight`; 0 hides a memory, between 0 and 1 it fades.
        bias: added to the scores, for positions.

    Source: https://arxiv.org/abs/2105.06548, equation (6) and the sentence after it.
    Differs: the paper adds 1e-8 to the denominator, which moves the result by as much.
    """
    seen = weight > 0
    # the inner `where` keeps the gradient of log at 0 from becoming 0 · ∞
    scores = weight.where(seen, 1).log().where(seen, -torch.inf).to(q.dtype)
    if bias is not None:
        scores = scores + bias
    return F.scaled_dot_product_attention(q, k, v, attn_mask=scores, dropout_p=dropout_p)


def relative_scores(
    q: Float[Tensor, "b k t d"], positions: Float[Tensor, "d m"], num_memories: int
) -> Float[Tensor, "b k t s"]:
    """Return q · positions[distance] / √d for distances 1..m and 0 beyond, aligned with the keys.

    Keys are `num_memories` memories, of which the last m are the last m tokens without a gap, and
    then the t tokens of the queries.
    """
    length, farthest = q.shape[-2], positions.shape[1]
    by_distance = q @ positions * q.shape[-1] ** -0.5  # (b, k, t, m), distance m first
    # row j has to move j to the right: pad each row by one more than m, then re-cut the rows
    padded = F.pad(by_distance, (0, length + 1)).flatten(-2)
    near = padded[..., : length * (farthest + length)].unflatten(-1, (length, farthest + length))
    return F.pad(near, (num_memories - farthest, 0))  # a negative pad cuts


def attend_by_span(
    q: Float[Tensor, "b k t d"],
    k: Float[Tensor, "b k s d"],
    v: Float[Tensor, "b k s d"],
    spans: Float[Tensor, "#b #k #s"],
    ages: Int[Tensor, "b s"],
    positions: Float[Tensor, "d m"],
    ramp: int,
    *,
    reach: int | None = None,
    dropout_p: float = 0.0,
) -> tuple[Float[Tensor, "b k t d"], Float[Tensor, "b"], Float[Tensor, "b"]]:
    """Return attention by spans, the sum of m - 1 on the ramp (0 < m < 1), and how many memories a query sees.

    A block is computed in chunks of queries, each against the keys that it can see. Where many scores
    would be kept for the backward pass they are computed a second time instead.

    Args:
        ages: of memories and new tokens, as the first query sees them.
        reach: no memory is seen from farther than this, if it is known beforehand.
    """
    if q.is_cuda and (gpu := _gpu()).serves(q, dropout_p):
        return gpu.attend_by_span(q, k, v, spans, ages, positions, ramp)
    num_memories = k.shape[2] - q.shape[2]
    spans = spans.expand(-1, -1, k.shape[2])
    chunk = partial(_chunk, ramp=ramp, dropout_p=dropout_p)
    many = q.shape[0] * q.shape[1] * q.shape[2] * k.shape[2] >= RECOMPUTED_FROM
    if many and torch.is_grad_enabled():
        chunk = partial(checkpoint, chunk, use_reentrant=False)
    mixed: list[Tensor] = []
    on_ramp: list[Tensor] = []
    seen: list[Tensor] = []
    for start in range(0, q.shape[2], QUERIES_AT_ONCE):
        end = min(start + QUERIES_AT_ONCE, q.shape[2])
        first = 0 if reach is None else max(num_memories + start - reach, 0)
        keys = slice(first, num_memories + end)
        parts = chunk(
            q[:, :, start:end],
            k[:, :, keys],
            v[:, :, keys],
            spans[:, :, keys],
            ages[:, keys] + start,
            positions,
        )
        for whole, part in zip((mixed, on_ramp, seen), parts, strict=True):
            whole.append(part)
    if len(mixed) == 1:
        return mixed[0], on_ramp[0], seen[0] / q.shape[2]
    return torch.cat(mixed, 2), torch.stack(on_ramp).sum(0), torch.stack(seen).sum(0) / q.shape[2]


def _gpu() -> ModuleType:
    """What only CUDA tensors reach: a record made on the CPU does not depend on it."""
    return importlib.import_module(".gpu", __package__)


def _chunk(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    spans: Tensor,
    ages: Tensor,
    positions: Tensor,
    ramp: int,
    dropout_p: float,
) -> tuple[Tensor, Tensor, Tensor]:
    length = q.shape[2]
    query_ages = ages[:, None] + torch.arange(length, device=ages.device)[:, None]
    weight = memory_weight(spans, query_ages[:, None], ramp)
    bias = relative_scores(q, positions, k.shape[2] - length)
    mixed = expire_span_attention(q, k, v, weight, bias, dropout_p)
    on_ramp = (weight - 1).where((weight > 0) & (weight < 1), 0).sum((2, 3)).mean(1)
    seen = (weight > 0).sum((2, 3), dtype=torch.float32).mean(1)
    return mixed, on_ramp, seen
