"""`FavorAttention`: FAVOR+ where a model has `torch.nn.MultiheadAttention`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from .features import feature_map
from .model import FavorState, check_exact, favor_attention
from .positions import rotate


class FavorAttention(nn.Module):
    """Multi-head FAVOR+ attention: `torch.nn.MultiheadAttention` with its arguments, defaults and parameters.

    It loads that class's state dict (and keeps its own draw of w), and stands in for it inside
    `nn.TransformerEncoderLayer` and `nn.TransformerDecoderLayer`. Weights are never formed, so that it
    cannot return them, drop some of them, or mask single pairs; it says so where that is asked for.

    Args:
        embed_dim: width of queries and of the output.
        num_heads: heads; must divide embed_dim.
        dropout: of weights: only 0 is possible.
        bias: the four projections have one.
        add_bias_kv: a learned key and value that every query sees.
        add_zero_attn: a key and value of zeros that every query sees.
        kdim, vdim: width of keys and of values; default: embed_dim.
        batch_first: inputs are (batch, length, width), else (length, batch, width).
        device, dtype: of the parameters.
        causal: position i sees positions 0..i in every call, whatever its `is_causal`.
        num_kv_heads: heads of keys and values, each shared by num_heads / num_kv_heads of the queries.
        phi, num_features, draw: see `RandomFeatures`; one draw serves all heads. phi="learned" is
            `LearnedFeatures`, with a map for each head of keys.
        exact, rescue: see `favor_attention`.
        rotary_base: rotary positions, turned in before φ; see `rotate`. None: no positions.
        generator: source of the draw of w.

    Raises:
        ValueError: heads that do not divide what they share, or an odd number of coordinates to rotate; a dropout;
            or `exact` with features of another kernel.

    Example:
        >>> layer = FavorAttention(64, 4, batch_first=True)
        >>> x = torch.zeros(2, 10, 64)
        >>> out, _ = layer(x, x, x, is_causal=True)
        >>> out.shape
        torch.Size([2, 10, 64])
    """

    # torch's encoder reads this before it computes exact softmax from our weights in evaluation
    _qkv_same_embed_dim = False

    in_proj_weight: nn.Parameter | None
    q_proj_weight: nn.Parameter | None
    k_proj_weight: nn.Parameter | None
    v_proj_weight: nn.Parameter | None
    in_proj_bias: nn.Parameter | None
    bias_k: nn.Parameter | None
    bias_v: nn.Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        causal: bool = False,
        num_kv_heads: int | None = None,
        num_features: int | None = None,
        phi: str = "positive",
        draw: str = "orthogonal",
        exact: int | None = None,
        rotary_base: float | None = None,
        rescue: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        num_kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(f"{num_heads} heads cannot share {embed_dim} dimensions evenly.")
        if num_kv_heads < 1 or num_heads % num_kv_heads:
            raise ValueError(f"{num_heads} heads cannot share {num_kv_heads} heads of keys evenly.")
        if dropout:
            raise ValueError(
                f"dropout is {dropout}, and linear attention has no weights to drop: use dropout=0 here "
                "and drop from the output instead."
            )
        if rotary_base is not None and embed_dim // num_heads % 2:
            raise ValueError(
                f"Heads are {embed_dim // num_heads} wide, and rotary positions turn pairs: the width must be even."
            )
        self.embed_dim, self.num_heads, self.num_kv_heads = embed_dim, num_heads, num_kv_heads
        self.head_dim = embed_dim // num_heads
        self.dropout, self.exact, self.rescue = dropout, exact, rescue
        self.rotary_base = rotary_base
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self.batch_first, self.causal, self.add_zero_attn = batch_first, causal, add_zero_attn

        def parameter(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape, device=device, dtype=dtype))

        width = num_kv_heads * self.head_dim
        one = self.kdim == self.vdim == embed_dim == width
        for name, shape in {
            "in_proj_weight": (3 * embed_dim, embed_dim) if one else None,
            "q_proj_weight": None if one else (embed_dim, embed_dim),
            "k_proj_weight": None if one else (width, self.kdim),
            "v_proj_weight": None if one else (width, self.vdim),
            "in_proj_bias": (embed_dim + 2 * width,) if bias else None,
            "bias_k": (1, 1, width) if add_bias_kv else None,
            "bias_v": (1, 1, width) if add_bias_kv else None,
        }.items():
            self.register_parameter(name, parameter(*shape) if shape else None)
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self.features = feature_map(
            phi,
            self.head_dim,
            num_features,
            draw=draw,
            heads=(num_kv_heads, 1),
            generator=generator,
            device=device,
            dtype=dtype,
        )
        check_exact(exact, self.features)
        self.attention: Callable[..., Any] = (
            favor_attention  # what `distill_attention` exchanges for a while
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters as `torch.nn.MultiheadAttention` does; w stays."""
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if (weight := getattr(self, name)) is not None:
                nn.init.xavier_uniform_(weight)
        self.out_proj.reset_parameters()
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                nn.init.zeros_(bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                nn.init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        *,
        state: FavorState | None = None,
    ) -> tuple[Tensor, FavorState | None]:
        """Attend from `query` to `key` (default: query) and mix `value` (default: key).

        Args:
            query, key, value: (length, batch, width), or (batch, length, width) with batch_first, or
                (length, width) of one sequence. Nested tensors, as torch's encoder makes them of padded rows in
                evaluation, are padded and cut again.
            key_padding_mask: (batch, s), or (s,) of one sequence: bool, True for keys that are left out;
                or real, added to q·k.
            need_weights: there are none; must be False.
            attn_mask: causal, the same for all queries, or both, as bool (True is left out) or real (added; −10,000 and
                less leaves out).
            is_causal: position i sees positions 0..i: what `attn_mask` says, which is then not looked at.
            state: the keys of earlier calls; `FavorState()` to begin with.

        Returns:
            The output, in the query's layout, and the next state if one was given, else None.

        Raises:
            ValueError: weights are asked for; a mask that linear attention cannot honour; shapes.
        """
        if need_weights:
            raise ValueError(
                "Linear attention never forms its weights: call it with need_weights=False."
            )
        key = query if key is None else key
        value = key if value is None else value
        if query.is_nested:
            return self._nested(query, key, value, key_padding_mask, attn_mask, is_causal, state)
        if not query.ndim == key.ndim == value.ndim or query.ndim not in (2, 3):
            raise ValueError(
                f"query, key and value have {query.ndim}, {key.ndim} and {value.ndim} axes: all need 3, or 2 "
                "for one sequence."
            )
        batched = query.ndim == 3
        if not batched:
            query, key, value = query[None], key[None], value[None]
            key_padding_mask = None if key_padding_mask is None else key_padding_mask[None]
        elif not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        self._check_sizes(query, key, value)
        causal, key_mask = self._masks(query, key, key_padding_mask, attn_mask, is_causal)

        q, k, v = self._projected(query, key, value)
        if self.rotary_base is not None:
            start = 0 if state is None else state.length
            q, k = (rotate(x, start=start, base=self.rotary_base) for x in (q, k))
        before: FavorState | None = state
        if state is None or not state.length:
            before = self._first_state(k)
            if state is None and before.sums is None:
                before = None
        mixed = self.attention(
            q,
            k,
            v,
            features=self.features,
            causal=causal,
            key_mask=key_mask,
            exact=self.exact if causal else None,
            rescue=self.rescue,
            state=before,
        )
        after = None
        if before is not None:
            mixed, after = mixed
        out = self.out_proj(mixed.flatten(1, 2).transpose(1, 2).flatten(2))
        if not batched:
            out = out[0]
        elif not self.batch_first:
            out = out.transpose(0, 1)
        return out, None if state is None else after

    def _nested(
        self, query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, *masks: Any
    ) -> tuple[Tensor, None]:
        """Attend inside the rows of nested tensors, of (length, width) each."""
        attn_mask, _, state = masks
        if not (self.batch_first and key.is_nested and value.is_nested) or any(
            x is not None for x in (padding, attn_mask, state)
        ):
            raise ValueError(
                "Nested tensors need batch_first=True, all of query, key and value nested, and neither masks nor "
                "a state."
            )
        padded = [torch.nested.to_padded_tensor(x, 0.0) for x in (query, key, value)]
        lengths, same = ([len(row) for row in x.unbind()] for x in (key, value))
        if lengths != same:
            raise ValueError(f"Rows of keys are {lengths} long and those of values {same}.")
        padding = (
            torch.arange(padded[1].shape[1], device=key.device)
            >= torch.tensor(lengths, device=key.device)[:, None]
        )
        out, _ = self(*padded, padding, is_causal=masks[1])
        rows = [row[: len(like)] for row, like in zip(out, query.unbind(), strict=True)]
        return torch.nested.as_nested_tensor(rows, layout=query.layout), None

    def _check_sizes(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        """Raise a ValueError where inputs, (batch, length, width), do not fit."""
        inputs = (
            ("query", query, self.embed_dim),
            ("key", key, self.kdim),
            ("value", value, self.vdim),
        )
        for name, x, width in inputs:
            if x.shape[-1] != width:
                raise ValueError(f"{name} is {x.shape[-1]} wide; this layer takes {width}.")
        if not query.shape[0] == key.shape[0] == value.shape[0] or key.shape[1] != value.shape[1]:
            raise ValueError(
                f"query, key and value have {query.shape[0]}, {key.shape[0]} and {value.shape[0]} rows of "
                f"{query.shape[1]}, {key.shape[1]} and {value.shape[1]} tokens: all need as many rows, and values as "
                f"many tokens as keys (batch_first is {self.batch_first})."
            )

    def _projected(self, *inputs: Tensor) -> list[Tensor]:
        """Return queries (batch, groups, heads of a group, t, d), keys and values (batch, groups, 1, s, d)."""
        width = self.num_kv_heads * self.head_dim
        weights: Sequence[Tensor]
        if self.in_proj_weight is not None:
            weights = self.in_proj_weight.chunk(3)
        else:
            apart = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
            weights = [weight for weight in apart if weight is not None]
        biases: Sequence[Tensor | None] = (None, None, None)
        if self.in_proj_bias is not None:
            biases = self.in_proj_bias.split([self.embed_dim, width, width])
        shape = (self.num_kv_heads, -1, self.head_dim)
        return [
            linear(x, weight, bias).unflatten(-1, shape).permute(0, 2, 3, 1, 4)
            for x, weight, bias in zip(inputs, weights, biases, strict=True)
        ]

    def _first_state(self, k: Tensor) -> FavorState:
        """Return the state that has seen what every query sees: `bias_k` with `bias_v`, and zeros."""
        keys: list[Tensor] = []
        values: list[Tensor] = []
        if self.bias_k is not None and self.bias_v is not None:
            for bias, found in ((self.bias_k, keys), (self.bias_v, values)):
                found.append(bias.view(self.num_kv_heads, 1, 1, self.head_dim))
        if self.add_zero_attn:
            for found in (keys, values):
                found.append(k.new_zeros(self.num_kv_heads, 1, 1, self.head_dim))
        if not keys:
            return FavorState()
        extra_k, extra_v = (
            torch.cat(found, -2).expand(k.shape[0], -1, -1, -1, -1) for found in (keys, values)
        )
        _, state = favor_attention(
            extra_k, extra_k, extra_v, features=self.features, state=FavorState()
        )
        return replace(state, length=0)  # they have no position

    def _masks(
        self,
        query: Tensor,
        key: Tensor,
        padding: Tensor | None,
        attn_mask: Tensor | None,
        is_causal: bool,
    ) -> tuple[bool, Tensor | None]:
        """Return whether attention is causal, and what is added to the scores of keys, (batch, groups or 1, 1, s)."""
        batch, source = key.shape[:2]
        target = query.shape[1]
        causal = self.causal or is_causal
        if padding is not None and padding.shape != (batch, source):
            raise ValueError(
                f"key_padding_mask is {tuple(padding.shape)}; for these keys it must be {(batch, source)}."
            )
        added = None if padding is None else _added("key_padding_mask", padding)[:, None, None]
        if attn_mask is None or is_causal:
            return causal, added
        pairs = target, source
        if attn_mask.shape not in (pairs, (batch * self.num_heads, *pairs)):
            raise ValueError(
                f"attn_mask is {tuple(attn_mask.shape)}; for these queries and keys it must be {pairs} or "
                f"{(batch * self.num_heads, *pairs)}."
            )
        mask = _added("attn_mask", attn_mask)
        if mask.is_meta:  # nothing can be looked at, and the shapes are the same
            return causal, added
        future = torch.full(pairs, -torch.inf, device=mask.device).triu(1)
        # (batch or 1, groups or 1, heads of a group, t, s): the same in the last axes but one, later keys apart?
        heads = (batch, self.num_kv_heads, -1) if mask.ndim == 3 else (1, 1, 1)
        mask = mask.masked_fill(mask <= -1e4, -torch.inf).reshape(*heads, target, source)
        shared = mask[:, :, :1, -1:]
        if target == source > 1 and bool((mask == shared + future).all()):
            causal = True
        elif bool((mask != shared).any()):
            raise ValueError(
                "Linear attention never forms its weights, so attn_mask may be causal or the same for all "
                "queries, or both, and this one masks single pairs."
            )
        if not shared.any():
            return causal, added
        shared = shared.squeeze(-2)
        return causal, shared if added is None else shared + added

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:  # type: ignore[no-untyped-def]
        # what torch's own attention saved has no features: ours stay
        for name, ours in self.features.state_dict().items():
            state_dict.setdefault(f"{prefix}features.{name}", ours)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _added(name: str, mask: Tensor) -> Tensor:
    """Return a mask of torch's, True for what is left out or a real number to add, as what is added."""
    if mask.dtype == torch.bool:
        return torch.zeros(mask.shape, device=mask.device).masked_fill(mask, -torch.inf)
    if not mask.is_floating_point():
        raise ValueError(
            f"{name} is {mask.dtype}; it must be bool, True for what is left out, or real."
        )
    return mask
