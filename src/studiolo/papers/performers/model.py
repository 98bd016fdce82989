"""Softmax attention in time and memory linear in the length, by random features (FAVOR+).

`favor_attention` is the function; `FavorState` is what a decoder keeps between tokens in place of a
cache of keys. `layer.py` makes a layer of both.
"""

import importlib
import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack, overload

import torch
from torch import Tensor
from torch.utils._pytree import register_pytree_node, tree_map_only

from .blocks import Causal, Map, Recomputed, Rows, absorb, read, seen_any, with_ones
from .exact import Recent, absorb_recent, nearby_exact
from .features import FeatureMap, Features


@dataclass(frozen=True)
class FavorState:
    """Σ_j [v_j 1] φ(k_j)ᵀ over the keys seen so far; `FavorState()` has seen none.

    It is a value: a call of `favor_attention` that is given one returns a new one and leaves this as it
    is, so that a state may be kept, branched, checkpointed or mapped over. Its size does not depend on
    how many keys it has seen. Every feature has its own largest magnitude taken out of the sum, which
    is why nothing overflows and no epsilon is needed. The sums carry gradients: `detach` cuts them.
    """

    log_max: Tensor | None = None
    """(..., 1, f) or (..., 1, 1): largest log φ(k_j) so far; a quarter of the lowest number where no key was seen."""
    sums: Tensor | None = None
    """(..., v + 1, f): Σ_j [v_j 1] φ(k_j)ᵀ exp(−log_max)."""
    draw: int | None = None
    """Which w the features were made with; see `RandomFeatures.draw_id`."""
    recent: Recent | tuple[()] = ()
    """Keys that are not in the sums, where `exact` is used: keys, values, what is added to their scores."""
    length: int = 0
    """How many keys were seen, masked ones among them: the position of the next."""

    def detach(self) -> "FavorState":
        """Return the state without its history of gradients."""
        return self._map(Tensor.detach)

    def clone(self) -> "FavorState":
        """Return a copy in memory of its own."""
        return self._map(Tensor.clone)

    def to(self, *args: object, **kwargs: object) -> "FavorState":
        """Return the state on another device; see `torch.Tensor.to`."""
        return self._map(lambda x: x.to(*args, **kwargs))  # type: ignore[call-overload]

    def reorder(self, rows: Tensor) -> "FavorState":
        """Return the state with these rows of its first axis, as beam search picks them: (n,) integers."""
        return self._map(lambda x: x.index_select(0, rows))

    def _map(self, change: Callable[[Tensor], Tensor]) -> "FavorState":
        return tree_map_only(Tensor, change, self)


def _state_of(parts: Iterable[object], rest: tuple[int | None, int]) -> FavorState:
    state = object.__new__(FavorState)  # of whatever a tree is mapped to: sizes, axes
    names = ("log_max", "sums", "recent", "draw", "length")
    for name, value in zip(names, (*parts, *rest), strict=True):
        object.__setattr__(state, name, value)
    return state


register_pytree_node(  # for vmap and compile; draw and length are not tensors
    FavorState,
    lambda state: ([state.log_max, state.sums, state.recent], (state.draw, state.length)),
    _state_of,
    serialized_type_name="studiolo.papers.performers.FavorState",
)


class Options(TypedDict, total=False):
    """What `favor_attention` takes beside its inputs."""

    causal: bool
    key_mask: Tensor | None
    exact: int | None
    chunk_size: int | None
    rescue: bool
    program: str


@overload
def favor_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    features: Map,
    state: None = None,
    **options: Unpack[Options],
) -> Tensor: ...
@overload
def favor_attention(
    q: Tensor, k: Tensor, v: Tensor, *, features: Map, state: FavorState, **options: Unpack[Options]
) -> tuple[Tensor, FavorState]: ...
def favor_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    features: Map,
    causal: bool = False,
    key_mask: Tensor | None = None,
    state: FavorState | None = None,
    exact: int | None = None,
    chunk_size: int | None = None,
    rescue: bool = True,
    program: str = "auto",
) -> Tensor | tuple[Tensor, FavorState]:
    """Return an estimate of softmax(q kᵀ / √d) v in O(L) time and memory.

    Args:
        q: (..., t, d) queries.
        k: (..., s, d) keys. Leading axes broadcast: with (b, g, 1, s, d) keys and (b, g, r, t, d) queries,
            r heads of queries share one of keys, and one state.
        v: (..., s, v) values, with the leading axes of k.
        features: φ, with φ(x)·φ(y) an estimate of exp(x·y); it is given q/d^¼ and k/d^¼.
        causal: query i sees keys 0..i of this call (t = s) and every key of `state`.
        key_mask: (..., s): bool, True for keys that may be seen; or real, added to q·k for every query.
            A query that sees no key, or whose features are all zero, gives zeros.
        state: the keys of earlier calls, seen by all queries; `FavorState()` to begin with. Feed a
            sequence piece by piece, or token by token, and hand on what is returned.
        exact: a query of causal attention sees its last `exact` keys and more, up to twice as many, by their
            exact weights, and only the keys before these by features: slower, and much closer to softmax.
            φ must estimate exp(x·y). A state then holds these keys as well.
        chunk_size: keys per block; None takes 64, or up to 256 where there are few heads to fill a
            matrix product. It changes speed, not the result.
        rescue: compute rows of causal attention again in smaller blocks where a later key of their block is
            so much larger (10^19 times in float32) that their own weights would be lost. To see whether
            there are any, the host waits for each block; without it nothing is waited for, and
            `torch.compile` makes one graph.
        program: "torch"; "triton", which on a GPU never writes features to memory, and rescues no rows; or
            "auto", which takes that one where it was measured to be faster and can do what is asked: for causal
            attention with `rescue=False`.

    Returns:
        (..., t, v) in q's precision. The work is in float32 at least, whatever autocast says. Where a
        state was given, also the state that has seen the keys of this call too.

    Raises:
        ValueError: shapes that do not fit, integers, or a state of another draw; says both. Or an unknown
            program, or one that cannot compute what is asked; says why.

    Source: https://arxiv.org/abs/2009.14794, equations (3)-(5), (11) and algorithm 1.
    Differs: the published code takes the scale out of the features by a maximum over all keys,
        later ones too, and adds an epsilon (appendix A.3). Here each feature's scale is a running
        maximum and cancels exactly. The paper does not say what a mask does; here a masked key is
        absent from numerator and denominator.
    """
    _check_shapes(q, k, v, causal, key_mask)
    check_exact(exact, features)
    if exact is not None and not causal:
        raise ValueError("exact weights are those of the last keys, so exact needs causal=True.")
    if program not in ("auto", "torch", "triton"):
        raise ValueError(f'program is {program!r}; known are "auto", "torch" and "triton".')
    if program == "triton" or (program == "auto" and q.is_cuda):
        asked = {"causal": causal, "key_mask": key_mask, "state": state, "exact": exact}
        if program == "triton" or _gpu().serves(q, k, v, features, rescue=rescue, **asked):
            out: Tensor = _gpu().favor_attention(q, k, v, features=features, **asked)
            return out
    if chunk_size is None:
        chunk_size = min(256, max(64, 512 // max(1, math.prod(q.shape[:-2]))))
    elif chunk_size < 1:
        raise ValueError(f"chunk_size is {chunk_size}; it must be 1 or more.")

    def drawn() -> int | None:
        return getattr(features, "draw_id", None)

    draw = drawn()
    now = FavorState() if state is None else state
    dtype = torch.promote_types(q.dtype, torch.float32)
    if now.sums is not None or now.recent:
        _check_state(now, features, draw, k, v, dtype)
    scale = q.shape[-1] ** -0.25
    sees = hidden = bias = None  # (..., s, 1): query i sees a key; padding
    if key_mask is not None:
        bias = None if key_mask.dtype == torch.bool else key_mask.unsqueeze(-1).to(dtype)
        shown = key_mask if bias is None else key_mask > -torch.inf
        sees = (shown.cumsum(-1) > 0).unsqueeze(-1)
        if now.log_max is not None:
            sees = sees | seen_any(now.log_max)
        hidden = ~shown.unsqueeze(-1)
        k, v = k.masked_fill(hidden, 0), v.masked_fill(hidden, 0)  # padding may hold NaN

    def phi(x: Tensor) -> Features:
        return features(x.to(dtype) * scale)

    cast = not q.is_meta and torch.is_autocast_enabled(q.device.type)
    with torch.autocast(q.device.type, enabled=False) if cast else nullcontext():
        rows = Rows(q, k, v, hidden, bias, sees)
        parts, recent = (now.log_max, now.sums), now.recent
        if recent and exact is None:
            parts, recent = absorb_recent(phi, parts, recent), ()
        if exact is not None:
            mixed, parts, recent = nearby_exact(phi, rows, parts, recent, exact)
        elif causal and k.shape[-2] > 1:
            if isinstance(features, FeatureMap) and _recomputes(features, rows, parts[1]):

                def attention(matrix: Tensor | None) -> Causal:
                    return Causal(
                        lambda x: features.of(x.to(dtype) * scale, matrix),
                        chunk_size,
                        rescue,
                        drawn,
                    )

                mixed, *parts = Recomputed.apply(attention, features.matrix, *rows, *parts)
            else:
                mixed, parts = Causal(phi, chunk_size, rescue, drawn).run(rows, parts)
        else:  # one query and its own key come to the same
            if max(q.shape[-2], k.shape[-2]) <= chunk_size:
                queries, keys = rows.features(phi)
                parts = absorb(parts, keys, with_ones(v, dtype))
                mixed = read(parts, queries).to(q.dtype)
            else:
                for block in Rows(k, k, v, hidden, bias, None).split(chunk_size):
                    parts = absorb(parts, block.keys(phi), with_ones(block.v, dtype))
                outs = [read(parts, phi(x)) for x in q.split(chunk_size, -2)]
                mixed = torch.cat(outs, -2).to(q.dtype)
    if state is None:
        return mixed
    return mixed, FavorState(*parts, draw, recent, now.length + k.shape[-2])


def _gpu() -> Any:
    """Return `gpu.py`: a record made on the CPU does not depend on what only CUDA tensors reach."""
    return importlib.import_module(".gpu", __package__)


def _recomputes(features: FeatureMap, rows: Rows, sums: Tensor | None) -> bool:
    """Whether the features are made again for the gradient; where torch looks inside, the plain program runs."""
    return (
        torch.is_grad_enabled()
        and type(features).forward is FeatureMap.forward
        and any(
            x is not None and x.requires_grad
            for x in (rows.q, rows.k, rows.v, sums, features.matrix)
        )
        and not (rows.bias is not None and rows.bias.requires_grad)
        and not rows.q.is_meta
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
        and torch.autograd.forward_ad._current_level < 0
    )


def _check_shapes(q: Tensor, k: Tensor, v: Tensor, causal: bool, key_mask: Tensor | None) -> None:
    for name, x in (("q", q), ("k", k), ("v", v)):
        if x.ndim < 2:
            raise ValueError(
                f"{name} is {tuple(x.shape)}; it needs two axes or more, (..., length, width)."
            )
        if not x.is_floating_point():
            raise ValueError(f"{name} is {x.dtype}; attention needs real numbers: {name}.float().")
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(
            f"Queries have {q.shape[-1]} coordinates and keys {k.shape[-1]}: q·k needs the same."
        )
    if k.shape[:-1] != v.shape[:-1]:
        raise ValueError(
            f"Keys are {tuple(k.shape)} and values {tuple(v.shape)}: each key has one value, so all axes "
            "but the last must be equal."
        )
    if not q.shape[-2] or not k.shape[-2]:
        raise ValueError(f"{q.shape[-2]} queries and {k.shape[-2]} keys: at least one of each.")
    if not _broadcast(q, k):
        raise ValueError(
            f"Queries are {tuple(q.shape)} and keys {tuple(k.shape)}: their leading axes do not fit."
        )
    if causal and q.shape[-2] != k.shape[-2]:
        raise ValueError(
            f"Causal attention pairs query i with key i, and there are {q.shape[-2]} queries and "
            f"{k.shape[-2]} keys. Keys of earlier calls belong in `state`."
        )
    if key_mask is None:
        return
    real = key_mask.dtype == torch.bool or key_mask.is_floating_point()
    fits = key_mask.ndim == k.ndim - 1 and key_mask.shape[-1] == k.shape[-2]
    if not real or not fits or not _broadcast(key_mask[..., None], k):
        raise ValueError(
            f"key_mask is {key_mask.dtype} {tuple(key_mask.shape)}; for keys {tuple(k.shape)} it "
            f"must be bool or real, {k.ndim - 1} axes, the last {k.shape[-2]} long. "
            "A (batch, s) mask of (batch, heads, s, d) keys is mask[:, None]."
        )


def check_exact(exact: int | None, features: Map) -> None:
    """Raise a ValueError where exact weights cannot stand beside those of these features."""
    if exact is None:
        return
    if exact < 1:
        raise ValueError(f"exact is {exact}; it must be 1 key or more, or None.")
    if not getattr(features, "of_softmax", True):
        raise ValueError(
            "These features are a kernel of their own, not an estimate of exp(x·y): exact weights beside "
            "theirs would be on another scale. Use exact=None."
        )


def _broadcast(a: Tensor, b: Tensor) -> bool:
    pairs = zip(reversed(a.shape[:-2]), reversed(b.shape[:-2]), strict=False)
    return all(m == n or 1 in (m, n) for m, n in pairs)


def _check_state(
    state: FavorState, features: Map, draw: int | None, k: Tensor, v: Tensor, dtype: torch.dtype
) -> None:
    if draw != state.draw:
        raise ValueError(
            "This state was made with another draw of w: its sums mean nothing to these features. "
            "Begin with FavorState() after a redraw."
        )
    if state.sums is not None and state.sums.dtype != dtype:
        raise ValueError(
            f"The state is {state.sums.dtype} and the work of this call is {dtype}: give it state.to({dtype})."
        )
    many = getattr(features, "num_features", None)
    if many is not None and state.sums is not None and state.sums.shape[-1] != many:
        raise ValueError(
            f"The state is of {state.sums.shape[-1]} features and these are {many}: begin with FavorState()."
        )
    if state.recent:
        axes, width = state.recent[1].shape[:-2], state.recent[1].shape[-1]
    else:
        assert state.sums is not None
        axes, width = state.sums.shape[:-2], state.sums.shape[-2] - 1
    if axes != k.shape[:-2] or width != v.shape[-1]:
        raise ValueError(
            f"The state has seen keys of leading axes {tuple(axes)} and values of {width}; these are "
            f"{tuple(k.shape[:-2])} and {v.shape[-1]}. Take rows of a state with `reorder`."
        )
