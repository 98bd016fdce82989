"""One block of FAVOR+ at a time: what a state and a few keys let queries see, and the next state.

A state is two tensors, Σ_j [v_j 1] φ(k_j)ᵀ exp(−log_max) and that log_max; both are None where no key was seen.

Most of a block's time is that of its matrix products. What is left is, at these sizes, the number of calls: after a
product has filled the cache, the smallest of them takes five microseconds.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function, forward_ad

from .features import Features


Map = Callable[[Tensor], Features]
Parts = tuple[Tensor | None, Tensor | None]  # log_max and sums of a state
_LOG2_E = math.log2(math.e)


def log_max_with(log_max: Tensor | None, keys: Features) -> Tensor:
    """Return the largest log φ of each feature when `keys` are added; see `finite` for those that were never seen."""
    top = keys.log.detach()
    if top.shape[-2] > 1:
        top = top.amax(-2, keepdim=True)
    return finite(top) if log_max is None else torch.maximum(log_max, top)


def finite(log_max: Tensor) -> Tensor:
    """Return a number for the −inf of what was never seen, a quarter of the lowest: (−inf) − (−inf) would be NaN."""
    return log_max.clamp(min=torch.finfo(log_max.dtype).min / 4)


def without_later(pairs: Tensor) -> Tensor:
    """Return (..., t, t) with zeros for later keys, in its own memory but under vmap, which cannot map that."""
    if not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active():
        return pairs.tril()
    return pairs.tril_()


def seen_any(log_max: Tensor) -> Tensor:
    """Return (..., 1, 1), whether a state has seen a key."""
    return (log_max > torch.finfo(log_max.dtype).min / 4).any(-1, keepdim=True)


def shrunk(before: Tensor, log_max: Tensor) -> Tensor:
    """Return what sums with exp(before) taken out are multiplied by to have the larger exp(log_max) taken out."""
    return (before - log_max).exp_()


def unwatched() -> bool:
    """Whether memory may be written over: no gradient is wanted, and torch does not look inside."""
    return not (
        torch.is_grad_enabled()
        or torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )


def _shifted(
    log: Tensor, sign: int, scale: Tensor, over: bool
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return log ± scale, in the memory of `log` if it may be written over and is large enough, and what undoes the logarithm.

    Of many rows the logarithm is one to the base 2: exp2 takes a third of the time of exp. Of one, exp is a call less.
    """
    if log.shape[-2] == 1:
        return torch.add(log, scale, alpha=sign), Tensor.exp_
    fits = log.shape[:-2] == scale.shape[:-2] and log.shape[-1] == scale.shape[-1]
    out = log if over and fits and unwatched() and log.is_contiguous() else None
    return torch.add(scale * (sign * _LOG2_E), log, alpha=_LOG2_E, out=out), Tensor.exp2_


def key_weights(keys: Features, scale: Tensor, *, over: bool = False) -> Tensor:
    """Return φ(k) exp(−scale): magnitudes of at most 1. `over`: nobody else needs the features."""
    log, power = _shifted(keys.log, -1, scale, over)
    weights = power(log)
    return weights if keys.sign is None else weights * keys.sign


def query_weights(queries: Features, scale: Tensor, *, over: bool = False) -> Tensor:
    """Return φ(q) exp(scale), each row divided by its largest magnitude, which cancels later."""
    log, power = _shifted(queries.log, 1, scale, over)
    weights = power(log.sub_(finite(log.detach().amax(-1, keepdim=True))))
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
        if self.k.shape[-2] <= size:
            return [self]
        none = (None,) * -(-self.k.shape[-2] // size)
        parts = (none if x is None else x.split(size, -2) for x in self)
        return [Rows(*block) for block in zip(*parts, strict=True)]

    def at(self, place: Any) -> "Rows":
        """Return the rows of an index."""
        return Rows(*(x if x is None else x[place] for x in self))  # type: ignore[arg-type]

    def features(self, phi: Map) -> tuple[Features, Features]:
        """Return φ(q) and what `keys` does, by one call of φ if they are alike."""
        if self.q.shape != self.k.shape:
            return phi(self.q), self.keys(phi)
        queries, keys = phi(torch.cat((self.q, self.k), -2)).halves()
        return queries, self._shown(keys)

    def keys(self, phi: Map) -> Features:
        """Return φ(k), with `bias` added to its logarithm, and nothing where a key is hidden."""
        return self._shown(phi(self.k))

    def _shown(self, keys: Features) -> Features:
        log, sign = keys
        if self.bias is not None:
            log = log + self.bias
        return Features(
            log if self.hidden is None else log.masked_fill(self.hidden, -torch.inf), sign
        )


def with_ones(v: Tensor, dtype: torch.dtype) -> Tensor:
    """Return [v 1]."""
    return nn.functional.pad(v.to(dtype), (0, 1), value=1.0)


def mean(seen: Tensor, signed: bool) -> tuple[Tensor, Tensor]:
    """Return sums of values over sums of weights (zeros where no key was seen), and these sums of weights."""
    width = seen.shape[-1] - 1
    values, weight = seen.narrow(-1, 0, width), seen.narrow(-1, width, 1)
    if signed or not unwatched():
        return values / weight.masked_fill(weight == 0, 1), weight
    return values / weight.clamp(min=torch.finfo(weight.dtype).tiny), weight  # a call less


def absorb(state: Parts, keys: Features, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the state that has seen `keys` too."""
    log_max = log_max_with(state[0], keys)
    key = key_weights(keys, log_max)
    if state[0] is None or state[1] is None:
        return log_max, values.mT @ key
    before = state[1] * shrunk(state[0], log_max)
    if key.shape[-2] == 1:  # decoding: no matrix product is as fast
        return log_max, torch.addcmul(before, values.mT, key, out=before if unwatched() else None)
    return log_max, plus_product(before, values.mT, key)


def read(state: Parts, queries: Features) -> Tensor:
    """Return (..., t, v), what queries see of a state."""
    log_max, sums = state
    assert log_max is not None
    assert sums is not None
    return mean(query_weights(queries, log_max) @ sums.mT, queries.sign is not None)[0]


def plus_product(sums: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return sums + a b, written over `sums` if it may be."""
    if not unwatched():
        return sums + a @ b
    flat = (x.expand(*sums.shape[:-2], *x.shape[-2:]).reshape(-1, *x.shape[-2:]) for x in (a, b))
    return sums.reshape(-1, *sums.shape[-2:]).baddbmm_(*flat).view(sums.shape)


def causal_block(
    phi: Map, rows: Rows, state: Parts, *, rescue: bool, spare: Tensor | None = None
) -> tuple[Tensor, Tensor, Parts] | None:
    """Return what each query sees of a state and of the keys up to its own, its sum of weights, and the next state.

    The scale of the whole block is taken out of its keys. It cancels, so that a later key changes an
    earlier row by rounding only, unless it is so much larger that the earlier row's weights leave
    the range of the number format. The row's sum of weights shows that.

    Args:
        rescue: return None where a row has lost its weights, unless there is but one.
        spare: memory for the next state's sums.
    """
    keys = rows.keys(phi)
    log_max = log_max_with(state[0], keys)
    key = key_weights(keys, log_max, over=True)
    query = query_weights(phi(rows.q), log_max, over=True)
    values = with_ones(rows.v, key.dtype)
    seen = without_later(query @ key.mT) @ values
    before = None
    if state[0] is not None and state[1] is not None:
        before = torch.mul(state[1], shrunk(state[0], log_max), out=spare)
        seen = plus_product(seen, query, before.mT)
    out, weight = mean(seen, keys.sign is not None)
    if rescue and weight.shape[-2] > 1 and not out.is_meta and _lost(weight, rows.sees):
        return None
    sums = values.mT @ key if before is None else plus_product(before, values.mT, key)
    return out, weight, (log_max, sums)


class Upstream(NamedTuple):
    """A block whose gradient is wanted: its rows, the scale of its keys, and the gradient of what queries saw."""

    rows: Rows
    scale: Tensor
    d_seen: Tensor

    @property
    def values(self) -> Tensor:
        """[v 1]."""
        return with_ones(self.rows.v, self.scale.dtype)


def query_gradient(
    phi: Map, block: Upstream, state: Parts, trained: Sequence[Tensor]
) -> tuple[Sequence[Tensor], Parts]:
    """Return the gradients of q and of what is `trained` in φ, and the state after `causal_block`, written over `state`."""
    rows, scale, d_seen = block
    key, values = key_weights(rows.keys(phi), scale, over=True), block.values
    d_query = (d_seen @ values.mT).tril_() @ key
    if state[0] is None or state[1] is None:
        sums = values.mT @ key
    else:
        before = state[1].mul_(shrunk(state[0], scale))
        d_query = plus_product(d_query, d_seen, before)
        sums = plus_product(before, values.mT, key)
    query = Weighed(phi, rows.q, lambda made: query_weights(made, scale))
    return query.gradients(d_query, trained), (scale, sums)


def key_gradient(
    phi: Map, block: Upstream, d_sums: Tensor, trained: Sequence[Tensor]
) -> tuple[Sequence[Tensor], Tensor, Tensor]:
    """Return the gradients of k and of what is `trained` in φ, of v, and of the sums before `causal_block` with the block's scale taken out."""
    rows, scale, d_seen = block
    query, values = query_weights(phi(rows.q), scale, over=True), block.values
    made = Weighed(
        lambda x: rows._replace(k=x).keys(phi), rows.k, lambda made: key_weights(made, scale)
    )
    key = made.weights
    d_pairs = (d_seen @ values.mT).tril_()
    d_key = (d_pairs.mT @ query).sum_to_size(key.shape)
    d_key = plus_product(d_key, values, d_sums)
    pairs = (query @ key.mT).tril_()
    d_v = plus_product((pairs.mT @ d_seen).sum_to_size(values.shape), key, d_sums.mT)[..., :-1]
    d_sums = d_sums + (d_seen.mT @ query).sum_to_size(d_sums.shape)
    return made.gradients(d_key, trained), d_v, d_sums


class Weighed:
    """Features made again, their weights, and the way back from these.

    Weights are sign · exp(log − a number that cancels): the gradient of the logarithm is theirs times themselves. Autograd
    would find it in four passes more.
    """

    def __init__(self, phi: Map, x: Tensor, weigh: Callable[[Features], Tensor]) -> None:
        self.x = x.detach().requires_grad_()
        with torch.enable_grad():
            self.log, self.sign = phi(self.x)
        self.magnitudes = weigh(Features(self.log.detach()))
        self.weights = (
            self.magnitudes if self.sign is None else self.magnitudes * self.sign.detach()
        )

    def gradients(self, d_weights: Tensor, trained: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the gradients of x and of what is `trained` in φ."""
        parts, upstream = [self.log], [d_weights * self.weights]
        if self.sign is not None and self.sign.requires_grad:
            parts.append(self.sign)
            upstream.append(d_weights * self.magnitudes)
        upstream = [d.sum_to_size(part.shape) for d, part in zip(upstream, parts, strict=True)]
        return torch.autograd.grad(parts, [self.x, *trained], upstream)


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
        self, rows: Rows, state: Parts, made: list[tuple[int, Tensor, Tensor]] | None = None
    ) -> tuple[Tensor, Parts]:
        """Return the output and the next state.

        Args:
            made: takes the length of every block, the scale of its keys, and each row's sum of weights.
        """
        outs: list[Tensor] = []
        spare = None
        blocks = rows.split(self.size)[::-1]
        while blocks:
            block = blocks.pop()
            done = causal_block(self.phi, block, state, rescue=self.rescue, spare=spare)
            if done is None:
                blocks += block.split(-(-block.k.shape[-2] // 2))[::-1]
                continue
            out, weight, after = done
            if made is not None:
                made.append((out.shape[-2], cast(Tensor, after[0]), weight.clone()))
            if outs and unwatched():  # the state that was given stays as it is
                spare = state[1]
            outs.append(out.to(rows.q.dtype))
            state = after
        return torch.cat(outs, -2), state


class Recomputed(Function):
    """`Causal.run` that keeps its inputs, its output and the scales of its blocks, and makes the features again."""

    @staticmethod
    def forward(
        ctx: Any,
        attention: Callable[[Tensor | None], Causal],
        matrix: Tensor | None,
        *inputs: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the output and the next state.

        Args:
            attention: makes attention of the matrix of φ.
            inputs: those of `Rows` and a state.
        """
        causal = attention(matrix)
        ctx.attention, ctx.made, ctx.drawn, ctx.draw = attention, [], causal.draw, causal.draw()
        out, (log_max, sums) = causal.run(*_rows_and_state(inputs), ctx.made)
        ctx.save_for_backward(matrix, *inputs, out)
        ctx.mark_non_differentiable(log_max)
        return out, cast(Tensor, log_max), cast(Tensor, sums)

    @staticmethod
    def backward(ctx: Any, d_out: Tensor, _: Tensor, d_sums: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients, in the precision of the forward pass whatever autocast says."""
        with torch.autocast(d_out.device.type, enabled=False):
            return Recomputed._backward(ctx, d_out, d_sums)

    @staticmethod
    def _backward(ctx: Any, d_out: Tensor, d_sums: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients: of queries from the first block on, of keys and values from the last one back.

        Both ways add to that of φ's matrix. Gradients of gradients, and those of many upstream gradients at once, are
        those of `Causal.run` itself.
        """
        if ctx.drawn() != ctx.draw:
            raise RuntimeError(
                "w was drawn anew between an output and its gradient, which needs the features again: "
                "redraw after the backward pass."
            )
        matrix, *inputs, out = ctx.saved_tensors
        if torch.is_grad_enabled() or _many_at_once(d_out, d_sums):
            return None, *_gradients(ctx.attention, matrix, inputs, d_out, d_sums)
        rows, before = _rows_and_state(inputs)
        trained: list[Tensor] = []
        if ctx.needs_input_grad[1]:  # in the precision that blocks are added in
            exact = torch.promote_types(matrix.dtype, torch.float32)
            trained.append(matrix.detach().to(exact).requires_grad_())
        phi = ctx.attention(trained[0] if trained else matrix).phi
        lengths, scales, weights = zip(*ctx.made, strict=True)
        places = [
            (..., slice(*edges), slice(None)) for edges in pairwise(accumulate(lengths, initial=0))
        ]

        def block(i: int) -> Upstream:
            at, nothing = places[i], weights[i] == 0
            d_values = d_out[at] / weights[i].masked_fill(nothing, 1)
            d_weight = -(d_values * out[at]).sum(-1, keepdim=True).masked_fill_(nothing, 0)
            return Upstream(rows.at(at), scales[i], torch.cat([d_values, d_weight], -1))

        d_q, d_k, d_v = (torch.empty_like(x) for x in (rows.q, rows.k, rows.v))
        d_trained = [torch.zeros_like(w) for w in trained]
        state = before[0], before[1] if before[1] is None else before[1].expand_as(d_sums).clone()
        for i, at in enumerate(places):
            (d_q[at], *parts), state = query_gradient(phi, block(i), state, trained)
            d_trained = [a + b for a, b in zip(d_trained, parts, strict=True)]
        for i, at in reversed(list(enumerate(places))):
            (d_k[at], *parts), d_v[at], d_sums = key_gradient(phi, block(i), d_sums, trained)
            d_trained = [a + b for a, b in zip(d_trained, parts, strict=True)]
            earlier = scales[i - 1] if i else before[0]
            if earlier is not None:
                d_sums *= shrunk(earlier, scales[i])
        d_matrix = d_trained[0].to(matrix.dtype) if d_trained else None
        nothing = None, None, None
        return None, d_matrix, d_q, d_k, d_v, *nothing, None, None if before[0] is None else d_sums


def _rows_and_state(inputs: Sequence[Tensor | None]) -> tuple[Rows, Parts]:
    *rows, log_max, sums = inputs
    return Rows(*rows), (log_max, sums)  # type: ignore[arg-type]


def _gradients(
    attention: Callable[[Tensor | None], Causal],
    matrix: Tensor | None,
    inputs: Sequence[Tensor | None],
    *upstream: Tensor,
) -> list[Tensor | None]:
    """Return the gradients of `Causal.run`, which can be differentiated again if that is wanted."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        out, (_, sums) = attention(matrix).run(*_rows_and_state(inputs))
    wanted = [x for x in (matrix, *inputs) if x is not None and x.requires_grad]
    given = zip((out, cast(Tensor, sums)), upstream, strict=True)
    made = [(x, d) for x, d in given if x.requires_grad]  # the sums do not know the queries
    outs, grads = zip(*made, strict=True)
    found = iter(torch.autograd.grad(outs, wanted, grads, create_graph=again))
    return [next(found) if x is not None and x.requires_grad else None for x in (matrix, *inputs)]


def _many_at_once(*upstream: Tensor) -> bool:
    """Whether gradients are wanted for many upstream ones at once: nothing may be written over then."""
    return torch._C._are_functorch_transforms_active() or any(
        torch._C._functorch.is_legacy_batchedtensor(d) for d in upstream
    )


def _lost(weight: Tensor, sees: Tensor | None) -> bool:
    """Whether a row that sees keys has lost their weights to the range of the number format; under vmap, of any of its inputs."""
    lost = weight.detach().abs() < torch.finfo(weight.dtype).tiny ** 0.5
    lost = lost if sees is None else lost & sees
    while torch._C._functorch.is_functorch_wrapped_tensor(lost):
        lost = torch._C._functorch.get_unwrapped(lost)
    return bool(lost.any())
