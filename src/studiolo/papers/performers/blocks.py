"""One block of FAVOR+ at a time: what a state and a few keys let queries see, and the next state.

A state is two tensors, Σ_j φ(k_j) [v_j 1] exp(−log_max) and that log_max; both are None where no key was seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function

from .features import Features


SEGMENT = 4  # blocks of which one state is kept for the gradient
Map = Callable[[Tensor], Features]
Parts = tuple[Tensor | None, Tensor | None]  # log_max and sums of a state
Kept = list[tuple[list[int], Parts]]


def log_max_with(log_max: Tensor | None, keys: Features) -> Tensor:
    """Return the largest log φ of each feature when `keys` are added."""
    with torch.no_grad():
        top = keys.log.amax(-2, keepdim=True)
        return top if log_max is None else torch.maximum(log_max, top)


def finite(log_max: Tensor) -> Tensor:
    """Return 0 where nothing was seen: there is no scale to take out, and (−inf) − (−inf) would be NaN."""
    return log_max.masked_fill(log_max == -torch.inf, 0)


def sums_at(log_max: Tensor | None, sums: Tensor | None, scale: Tensor) -> Tensor | float:
    """Return `sums` with the larger exp(scale) taken out instead of exp(log_max)."""
    return 0.0 if log_max is None or sums is None else (log_max - scale).exp_().mT * sums


def key_weights(keys: Features, scale: Tensor) -> Tensor:
    """Return φ(k) exp(−scale): magnitudes of at most 1."""
    weights = (keys.log - scale).exp_()
    return weights if keys.sign is None else weights * keys.sign


def query_weights(queries: Features, scale: Tensor) -> Tensor:
    """Return φ(q) exp(scale), each row divided by its largest magnitude, which cancels later."""
    log = queries.log + scale
    with torch.no_grad():
        top = finite(log.amax(-1, keepdim=True))
    weights = log.sub_(top).exp_()
    return weights if queries.sign is None else weights * queries.sign


class Rows(NamedTuple):
    """Some queries with as many keys and values.

    hidden: (..., s, 1), True for padding. bias: (..., s, 1), added to log φ(k). sees: (..., s, 1), whether
    the query sees any key.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    hidden: Tensor | None
    bias: Tensor | None
    sees: Tensor | None

    def split(self, size: int) -> list["Rows"]:
        """Return blocks of rows. The gradient of a slice is as long as the whole; that of a split is not."""
        none = (None,) * -(-self.k.shape[-2] // size)
        parts = (none if x is None else x.split(size, -2) for x in self)
        return [Rows(*block) for block in zip(*parts, strict=True)]

    def between(self, start: int, stop: int) -> "Rows":
        """Return the rows from `start` on, before `stop`."""
        return Rows(*(x if x is None else x[..., start:stop, :] for x in self))  # type: ignore[arg-type]

    def keys(self, phi: Map) -> Features:
        """Return φ(k), with `bias` added to its logarithm, and nothing where a key is hidden."""
        log, sign = phi(self.k)
        if self.bias is not None:
            log = log + self.bias
        return Features(
            log if self.hidden is None else log.masked_fill(self.hidden, -torch.inf), sign
        )


def with_ones(v: Tensor, dtype: torch.dtype) -> Tensor:
    """Return [v 1]."""
    return nn.functional.pad(v.to(dtype), (0, 1), value=1.0)


def mean(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return sums of values over sums of weights (zeros where no key was seen), and these sums of weights."""
    values, weight = seen.split([seen.shape[-1] - 1, 1], -1)
    weight = weight.clone()  # a view would keep all of `seen`
    return values / weight.masked_fill(weight == 0, 1), weight


def absorb(state: Parts, keys: Features, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the state that has seen `keys` too."""
    log_max = log_max_with(state[0], keys)
    scale = finite(log_max)
    return log_max, key_weights(keys, scale).mT @ values + sums_at(*state, scale)


def read(state: Parts, queries: Features) -> Tensor:
    """Return (..., t, v), what queries see of a state."""
    log_max, sums = state
    assert log_max is not None
    assert sums is not None
    return mean(query_weights(queries, finite(log_max)) @ sums)[0]


def causal_block(phi: Map, rows: Rows, state: Parts) -> tuple[Tensor, Tensor, Parts]:
    """Return what each query sees of a state and of the keys up to its own, its sum of weights, and the next state.

    The scale of the whole block is taken out of its keys. It cancels, so that a later key changes an
    earlier row by rounding only, unless it is so much larger that the earlier row's weights leave
    the range of the number format. The row's sum of weights shows that.
    """
    queries, keys = phi(rows.q), rows.keys(phi)
    values = with_ones(rows.v, keys.log.dtype)
    log_max = log_max_with(state[0], keys)
    scale = finite(log_max)
    key, query = key_weights(keys, scale), query_weights(queries, scale)
    before = sums_at(*state, scale)
    seen = (query @ key.mT).tril_() @ values
    if isinstance(before, Tensor):
        seen = seen + query @ before
    return *mean(seen), (log_max, key.mT @ values + before)


def causal_block_gradient(
    phi: Map,
    rows: Rows,
    state: Parts,
    out: Tensor,
    weight: Tensor,
    d_out: Tensor,
    d_sums: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of q, k, v and of the sums before `causal_block`, whose features are made again."""
    log_max, sums = state
    with torch.enable_grad():
        q, k = rows.q.detach().requires_grad_(), rows.k.detach().requires_grad_()
        queries, keys = phi(q), rows._replace(k=k).keys(phi)
    values = with_ones(rows.v, keys.log.dtype)
    scale = finite(log_max_with(log_max, keys))
    key, query = key_weights(keys, scale), query_weights(queries, scale)

    d_values = d_out / weight.masked_fill(weight == 0, 1)
    d_weight = -(d_values * out).sum(-1, keepdim=True).masked_fill_(weight == 0, 0)
    d_seen = torch.cat([d_values, d_weight], -1)
    pairs = (query @ key.mT).tril_()
    d_pairs = (d_seen @ values.mT).tril_()
    d_query = d_pairs @ key
    d_key = (d_pairs.mT @ query).sum_to_size(key.shape) + values @ d_sums.mT
    d_v = ((pairs.mT @ d_seen).sum_to_size(values.shape) + key @ d_sums)[..., :-1]
    if log_max is not None:
        d_query += d_seen @ cast(Tensor, sums_at(log_max, sums, scale)).mT
        d_sums = (query.mT @ d_seen).sum_to_size(d_sums.shape) + d_sums
        d_sums *= (log_max - scale).exp_().mT
    d_q = torch.autograd.grad(queries.log, q, d_query.mul_(query))[0]
    d_k = torch.autograd.grad(keys.log, k, d_key.mul_(key))[0]
    return d_q, d_k, d_v, d_sums


@dataclass(frozen=True)
class Causal:
    """Causal attention block by block.

    A block in which a row has lost its weights (see `causal_block`) is halved until none has; with a
    block of one key, positive features sum to at least 1.

    Attributes:
        phi: the feature map, scale and precision included.
        size: keys in a block.
        rescue: look for lost rows.
        draw: says which w the features are made with now.
    """

    phi: Map
    size: int
    rescue: bool
    draw: Callable[[], int | None]

    def run(
        self, rows: Rows, state: Parts, kept: Kept | None = None
    ) -> tuple[Tensor, Tensor, Parts]:
        """Return the output, each row's sum of weights, and the next state.

        Args:
            kept: takes the lengths of every few blocks and the state before them.
        """
        outs, weights = [], []
        blocks = rows.split(self.size)[::-1]
        while blocks:
            block = blocks.pop()
            out, weight, after = causal_block(self.phi, block, state)
            length = out.shape[-2]
            if self.rescue and length > 1 and not out.is_meta and _lost(weight, block.sees):
                blocks += block.split(-(-length // 2))[::-1]
                continue
            if kept is not None:
                if not kept or len(kept[-1][0]) == SEGMENT:
                    kept.append(([], state))
                kept[-1][0].append(length)
            outs.append(out.to(rows.q.dtype))
            weights.append(weight)
            state = after
        return torch.cat(outs, -2), torch.cat(weights, -2), state


class Recomputed(Function):
    """`Causal.run` that keeps its inputs, its output and a few states, and makes the features again.

    φ must be positive, and have no parameters that are trained.
    """

    @staticmethod
    def forward(ctx: Any, causal: Causal, *inputs: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return the output and the next state; `inputs` are those of `Rows` and a state."""
        ctx.causal, ctx.kept, ctx.draw = causal, [], causal.draw()
        rows, state = _rows_and_state(inputs)
        out, weight, (log_max, sums) = causal.run(rows, state, ctx.kept)
        ctx.save_for_backward(*inputs, out, weight)
        ctx.mark_non_differentiable(log_max)
        return out, cast(Tensor, log_max), cast(Tensor, sums)

    @staticmethod
    def backward(ctx: Any, d_out: Tensor, _: Tensor, d_sums: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients; gradients of gradients are those of `Causal.run` itself."""
        if ctx.causal.draw() != ctx.draw:
            raise RuntimeError(
                "w was drawn anew between an output and its gradient, which needs the features again: "
                "redraw after the backward pass."
            )
        *inputs, out, weight = ctx.saved_tensors
        if torch.is_grad_enabled():
            return None, *_gradients(ctx.causal, inputs, d_out, d_sums)
        rows, before = _rows_and_state(inputs)
        phi = ctx.causal.phi
        d_q, d_k, d_v = torch.empty_like(rows.q), torch.empty_like(rows.k), torch.empty_like(rows.v)
        end = rows.q.shape[-2]
        for lengths, state in reversed(ctx.kept):
            end -= sum(lengths)
            edges = list(accumulate(lengths, initial=end))
            states = [state]
            for start, stop in pairwise(edges[:-1]):
                block = rows.between(start, stop)
                keys = block.keys(phi)
                states.append(absorb(states[-1], keys, with_ones(block.v, keys.log.dtype)))
            for start, stop in reversed(list(pairwise(edges))):
                at = (..., slice(start, stop), slice(None))
                d_q[at], d_k[at], d_v[at], d_sums = causal_block_gradient(
                    phi,
                    rows.between(start, stop),
                    states.pop(),
                    out[at],
                    weight[at],
                    d_out[at],
                    d_sums,
                )
        nothing = None, None, None
        return None, d_q, d_k, d_v, *nothing, None, None if before[0] is None else d_sums


def _rows_and_state(inputs: Sequence[Tensor | None]) -> tuple[Rows, Parts]:
    *rows, log_max, sums = inputs
    return Rows(*rows), (log_max, sums)  # type: ignore[arg-type]


def _gradients(
    causal: Causal, inputs: Sequence[Tensor | None], *upstream: Tensor
) -> list[Tensor | None]:
    """Return the gradients of `Causal.run`, which can be differentiated again."""
    out, _, (_, sums) = causal.run(*_rows_and_state(inputs))
    wanted = [x for x in inputs if x is not None and x.requires_grad]
    found = iter(
        torch.autograd.grad([out, cast(Tensor, sums)], wanted, upstream, create_graph=True)
    )
    return [next(found) if x is not None and x.requires_grad else None for x in inputs]


def _lost(weight: Tensor, sees: Tensor | None) -> bool:
    """Whether a row that sees keys has lost their weights to the range of the number format."""
    lost = weight.detach().abs() < torch.finfo(weight.dtype).tiny ** 0.5
    return bool((lost if sees is None else lost & sees).any())
