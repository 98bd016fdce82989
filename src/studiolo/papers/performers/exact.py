"""Exact softmax over the keys nearby, features for those before them.

Keys are counted in blocks of `size` from the first on. A query sees the keys of its own block and of the one
before it by their exact weights, size + 1 to 2 size of them, and earlier ones by features.
"""

import torch
from torch import Tensor

from .blocks import Map, Parts, Rows, absorb, finite, mean, with_ones
from .features import Features


Recent = tuple[Tensor, Tensor, Tensor]
"""Keys that no sum has taken in yet, their values, and what is added to their scores."""


def nearby_exact(
    phi: Map, rows: Rows, state: Parts, recent: Recent | tuple[()], size: int
) -> tuple[Tensor, Parts, Recent]:
    """Return the output of causal attention, the next state, and the keys that are recent now.

    Args:
        phi: the feature map, scale and precision included; of keys as they are in `rows`.
        recent: those of earlier calls; they begin with a block.
    """
    dtype = torch.promote_types(rows.q.dtype, torch.float32)
    added = rows.k.new_zeros((*rows.k.shape[:-1], 1), dtype=dtype)
    if rows.bias is not None:
        added = added + rows.bias
    if rows.hidden is not None:
        added = added.masked_fill(rows.hidden, -torch.inf)
    k, v = rows.k, rows.v
    if recent:
        k, v, added = (torch.cat(pair, -2) for pair in zip(recent, (k, v, added), strict=True))
    start, end = k.shape[-2] - rows.q.shape[-2], k.shape[-2]
    blocks = list(zip(*(x.split(size, -2) for x in (k, v, added)), strict=True))
    first = start // size
    lengths = [min(size * (b + 1), end) - max(size * b, start) for b in range(first, len(blocks))]
    outs, taken = [], 0
    for block, queries in enumerate(rows.q.split(lengths, -2), first):
        for far in blocks[taken : max(0, block - 1)]:
            state, taken = absorb_recent(phi, state, far), taken + 1
        near = [torch.cat(pair, -2) for pair in zip(*blocks[taken : block + 1], strict=True)]
        outs.append(_mixed(phi, queries, state, *near).to(rows.q.dtype))
    for far in blocks[taken : max(0, end // size - 1)]:
        state, taken = absorb_recent(phi, state, far), taken + 1
    k, v, added = (torch.cat(parts, -2) for parts in zip(*blocks[taken:], strict=True))
    return torch.cat(outs, -2), state, (k, v, added)


def absorb_recent(phi: Map, state: Parts, block: Recent) -> Parts:
    """Return the state that has seen these keys too, by their features."""
    k, v, added = block
    log, sign = phi(k)
    return absorb(state, Features(log + added, sign), with_ones(v, log.dtype))


def _mixed(phi: Map, q: Tensor, state: Parts, k: Tensor, v: Tensor, added: Tensor) -> Tensor:
    """Return what queries see of a state, and exactly of keys of which the last is the last query's own."""
    t, s = q.shape[-2], k.shape[-2]
    scores = (q.to(added.dtype) @ k.to(added.dtype).mT) * q.shape[-1] ** -0.5 + added.mT
    later = torch.ones(t, s, dtype=torch.bool, device=q.device).triu(s - t + 1)
    scores = scores.masked_fill(later, -torch.inf)
    top = scores.detach().amax(-1, keepdim=True)
    log_max, sums = state
    if log_max is None or sums is None:
        return mean((scores - finite(top)).exp() @ with_ones(v, scores.dtype), signed=False)[0]
    log, sign = phi(q)
    log = log + log_max
    top = finite(torch.maximum(top, log.detach().amax(-1, keepdim=True)))
    far = (log - top).exp()
    near = (scores - top).exp() @ with_ones(v, scores.dtype)
    seen = near + (far if sign is None else far * sign) @ sums.mT
    return mean(seen, sign is not None)[0]
