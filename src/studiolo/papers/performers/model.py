"""Softmax attention in time and memory linear in the length, by random features (FAVOR+).

`favor_attention` is the function, `FavorAttention` the layer, and `FavorState` what a decoder keeps
between tokens in place of a cache of keys.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .features import Features, RandomFeatures


@dataclass
class FavorState:
    """Σ_j φ(k_j) [v_j 1] over the keys seen so far; `FavorState()` has seen none.

    A call of `favor_attention` that is given a state starts from it and leaves the new one in it.
    Its size does not depend on how many keys it has seen. Every feature has its own largest magnitude
    taken out of the sum, which is why nothing overflows and no epsilon is needed. The sums carry
    gradients: decode under `torch.no_grad()`.
    """

    log_max: Tensor | None = None
    """(..., 1, f) or (..., 1, 1): largest log φ(k_j) so far; −inf where no key was seen."""
    sums: Tensor | None = None
    """(..., f, v + 1): Σ_j φ(k_j) exp(−log_max) [v_j 1]."""

    @torch.no_grad()
    def log_max_with(self, keys: Features) -> Tensor:
        """Return what `log_max` becomes when `keys` are added."""
        top = keys.log.amax(-2, keepdim=True)
        return top if self.log_max is None else torch.maximum(self.log_max, top)

    def sums_at(self, scale: Tensor) -> Tensor | float:
        """Return `sums` with the larger exp(scale) taken out instead of exp(log_max)."""
        if self.log_max is None or self.sums is None:
            return 0.0
        return (self.log_max - scale).exp_().mT * self.sums


def _finite(log_max: Tensor) -> Tensor:
    # where no key was seen there is no scale to take out, and (−inf) − (−inf) would be NaN
    return log_max.masked_fill(log_max == -torch.inf, 0)


def _key_weights(keys: Features, scale: Tensor) -> Tensor:
    """Return φ(k) exp(−scale): magnitudes of at most 1."""
    weights = (keys.log - scale).exp_()
    return weights if keys.sign is None else weights * keys.sign


def _query_weights(queries: Features, scale: Tensor) -> Tensor:
    """Return φ(q) exp(scale), each row divided by its largest magnitude, which cancels later."""
    log = queries.log + scale
    with torch.no_grad():
        top = log.amax(-1, keepdim=True)
    weights = log.sub_(top).exp_()
    return weights if queries.sign is None else weights * queries.sign


def _absorb(state: FavorState, keys: Features, values: Tensor) -> None:
    log_max = state.log_max_with(keys)
    scale = _finite(log_max)
    state.sums = _key_weights(keys, scale).mT @ values + state.sums_at(scale)
    state.log_max = log_max


def _read(state: FavorState, queries: Features) -> Tensor:
    """Return (..., t, v + 1), what each query sees of the state."""
    assert state.log_max is not None
    assert state.sums is not None
    return _query_weights(queries, _finite(state.log_max)) @ state.sums


def _causal_block(
    state: FavorState, queries: Features, keys: Features, values: Tensor, sees: Tensor | None
) -> Tensor:
    """Return (..., n, v + 1), what each query sees of the state and of the keys up to its own.

    The scale of the whole block is taken out of its keys. It cancels, so that a later key changes an
    earlier row by rounding only, unless it is so much larger that the earlier row's weights leave
    the range of the number format. The row's sum of weights shows that, and then the block is split
    in two; with a block of one key, positive features sum to at least 1.
    """
    log_max = state.log_max_with(keys)
    scale = _finite(log_max)
    key, query = _key_weights(keys, scale), _query_weights(queries, scale)
    before = state.sums_at(scale)
    seen = (query @ key.mT).tril_() @ values
    if isinstance(before, Tensor):
        seen = seen + query @ before

    length = values.shape[-2]
    if length > 1:
        lost = seen[..., -1].detach().abs() < torch.finfo(seen.dtype).tiny ** 0.5
        if bool((lost if sees is None else lost & sees).any()):
            halves = []
            for part in (slice(0, length // 2), slice(length // 2, length)):
                q, k = _rows(queries, part), _rows(keys, part)
                part_sees = None if sees is None else sees[..., part]
                halves.append(_causal_block(state, q, k, values[..., part, :], part_sees))
            return torch.cat(halves, -2)

    state.sums, state.log_max = key.mT @ values + before, log_max
    return seen


def _mean(seen: Tensor) -> Tensor:
    """Return the sums of values over the sum of weights; zeros where no key was seen."""
    weight = seen[..., -1:]
    return seen[..., :-1] / weight.masked_fill(weight == 0, 1)


def _rows(features: Features, part: slice) -> Features:
    sign = None if features.sign is None else features.sign[..., part, :]
    return Features(features.log[..., part, :], sign)


def favor_attention(
    q: Float[Tensor, "..."],
    k: Float[Tensor, "..."],
    v: Float[Tensor, "..."],
    *,
    features: Callable[[Tensor], Features],
    causal: bool = False,
    key_mask: Tensor | None = None,
    state: FavorState | None = None,
    chunk_size: int | None = None,
) -> Float[Tensor, "..."]:
    """Return an estimate of softmax(q kᵀ / √d) v in O(L) time and memory.

    Args:
        q: (..., t, d) queries.
        k: (..., s, d) keys.
        v: (..., s, v) values.
        features: φ, with φ(x)·φ(y) an estimate of exp(x·y); it is given q/d^¼ and k/d^¼.
        causal: query i sees keys 0..i of this call (t = s) and every key of `state`.
        key_mask: bool (..., s), True for keys that may be seen. A query that sees none gives zeros.
        state: the keys of earlier calls, seen by all queries; afterwards it holds these too.
            Feed a sequence piece by piece, or token by token, through one state.
        chunk_size: keys per block; None takes 64, or up to 256 where there are few heads to fill a
            matrix product. It changes speed, not the result.

    Returns:
        (..., t, v) in q's precision. The work is in float32 at least, whatever autocast says.

    Raises:
        ValueError: shapes that do not fit; says both.

    Source: https://arxiv.org/abs/2009.14794, equations (3)-(5), (11) and algorithm 1.
    Differs: the published code takes the scale out of the features by a maximum over all keys,
        later ones too, and adds an epsilon (appendix A.3). Here each feature's scale is a running
        maximum and cancels exactly. The paper does not say what a mask does; here a masked key is
        absent from numerator and denominator.
    """
    _check_shapes(q, k, v, causal, key_mask)
    if chunk_size is None:
        chunk_size = min(256, max(64, 512 // max(1, math.prod(k.shape[:-2]))))
    elif chunk_size < 1:
        raise ValueError(f"chunk_size is {chunk_size}; it must be 1 or more.")
    state = FavorState() if state is None else state
    dtype = torch.promote_types(q.dtype, torch.float32)
    scale = q.shape[-1] ** -0.25
    sees = hidden = None  # (..., s): query i sees a key; (..., s, 1): padding
    if key_mask is not None:
        sees = key_mask.cumsum(-1) > 0
        if state.log_max is not None:
            sees = sees | (state.log_max > -torch.inf).any(-1)
        hidden = ~key_mask.unsqueeze(-1)
        k, v = k.masked_fill(hidden, 0), v.masked_fill(hidden, 0)  # padding may hold NaN

    def phi(x: Tensor, rows: slice) -> Features:
        return features(x[..., rows, :].to(dtype) * scale)

    def keys_and_values(rows: slice) -> tuple[Features, Tensor]:  # φ(k), [v 1]
        keys = phi(k, rows)
        if hidden is not None:
            keys = Features(keys.log.masked_fill(hidden[..., rows, :], -torch.inf), keys.sign)
        return keys, nn.functional.pad(v[..., rows, :].to(dtype), (0, 1), value=1.0)

    with torch.autocast(q.device.type, enabled=False):
        pieces = []
        if causal:
            for rows in _chunks(q, chunk_size):
                rows_see = None if sees is None else sees[..., rows]
                seen = _causal_block(state, phi(q, rows), *keys_and_values(rows), rows_see)
                pieces.append(_mean(seen).to(q.dtype))
        else:
            for rows in _chunks(k, chunk_size):
                _absorb(state, *keys_and_values(rows))
            for rows in _chunks(q, chunk_size):
                pieces.append(_mean(_read(state, phi(q, rows))).to(q.dtype))
        return torch.cat(pieces, -2)


def _chunks(x: Tensor, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, x.shape[-2], size)]


def _check_shapes(q: Tensor, k: Tensor, v: Tensor, causal: bool, key_mask: Tensor | None) -> None:
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(
            f"Queries have {q.shape[-1]} coordinates and keys {k.shape[-1]}: q·k needs the same."
        )
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(
            f"There are {k.shape[-2]} keys and {v.shape[-2]} values; each key has one."
        )
    if not q.shape[-2] or not k.shape[-2]:
        raise ValueError(f"{q.shape[-2]} queries and {k.shape[-2]} keys: at least one of each.")
    if causal and q.shape[-2] != k.shape[-2]:
        raise ValueError(
            f"Causal attention pairs query i with key i, and there are {q.shape[-2]} queries and "
            f"{k.shape[-2]} keys. Keys of earlier calls belong in `state`."
        )
    if key_mask is not None and (
        key_mask.dtype != torch.bool
        or key_mask.ndim != k.ndim - 1
        or key_mask.shape[-1] != k.shape[-2]
    ):
        raise ValueError(
            f"key_mask is {key_mask.dtype} {tuple(key_mask.shape)}; for keys {tuple(k.shape)} it "
            f"must be bool, {k.ndim - 1} axes, the last {k.shape[-2]} long. "
            "A (batch, s) mask of (batch, heads, s, d) keys is mask[:, None]."
        )


class FavorAttention(nn.Module):
    """Multi-head FAVOR+ attention, used like `torch.nn.MultiheadAttention`.

    Args:
        embed_dim: width of inputs and outputs.
        num_heads: heads; must divide embed_dim.
        causal: position i sees positions 0..i.
        batch_first: inputs are (batch, length, embed_dim), else (length, batch, embed_dim).
        num_features, phi, draw: see `RandomFeatures`; one draw serves all heads.
        bias: the four projections have one.
        generator: source of the draw of w.

    Raises:
        ValueError: num_heads does not divide embed_dim; says both.

    Example:
        >>> layer = FavorAttention(64, 4, causal=True)
        >>> layer(torch.zeros(2, 10, 64)).shape
        torch.Size([2, 10, 64])
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        *,
        causal: bool = False,
        batch_first: bool = True,
        num_features: int = 256,
        phi: str = "positive",
        draw: str = "orthogonal",
        bias: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if num_heads < 1 or embed_dim % num_heads:
            raise ValueError(f"{num_heads} heads cannot share {embed_dim} dimensions evenly.")
        self.num_heads, self.causal, self.batch_first = num_heads, causal, batch_first
        self.q_proj = nn.Linear(embed_dim, embed_dim, bias=bias)
        self.k_proj = nn.Linear(embed_dim, embed_dim, bias=bias)
        self.v_proj = nn.Linear(embed_dim, embed_dim, bias=bias)
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias=bias)
        self.features = RandomFeatures(
            embed_dim // num_heads, num_features, phi=phi, draw=draw, generator=generator
        )

    def forward(
        self,
        query: Float[Tensor, "_ _ e"],
        key: Float[Tensor, "_ _ e"] | None = None,
        value: Float[Tensor, "_ _ e"] | None = None,
        *,
        key_mask: Tensor | None = None,
        state: FavorState | None = None,
    ) -> Float[Tensor, "_ _ e"]:
        """Attend from `query` to `key` (default: query) and return `value`'s (default: key) mixture.

        Args:
            key_mask: bool (batch, s), True for keys that may be seen: the opposite of
                `MultiheadAttention`'s key_padding_mask.
            state: keys of earlier calls; see `favor_attention`.
        """
        key = query if key is None else key
        value = key if value is None else value
        q = self._heads(self.q_proj(query))
        k = self._heads(self.k_proj(key))
        v = self._heads(self.v_proj(value))
        mixed = favor_attention(
            q,
            k,
            v,
            features=self.features,
            causal=self.causal,
            key_mask=None if key_mask is None else key_mask.unsqueeze(1),
            state=state,
        )
        mixed = mixed.transpose(1, 2).flatten(2)
        return self.out_proj(mixed if self.batch_first else mixed.transpose(0, 1))

    def _heads(self, x: Tensor) -> Tensor:  # -> (batch, heads, length, head_dim)
        x = x if self.batch_first else x.transpose(0, 1)
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
