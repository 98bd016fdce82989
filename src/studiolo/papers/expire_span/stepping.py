"""Memories seen for a span, one token at a time: few operations, and keys and values that grow in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import span_dtype
from .generation import Step
from .memory import Memory


if TYPE_CHECKING:
    from .model import Layer
    from .protocols import SpanTransformer


class _Norm(NamedTuple):
    """A LayerNorm without the cost of calling a module."""

    shape: tuple[int, ...]
    weight: Tensor
    bias: Tensor
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        return torch.layer_norm(x, self.shape, self.weight, self.bias, self.eps)

    @classmethod
    def of(cls, module: nn.Module) -> _Norm:
        assert isinstance(module, nn.LayerNorm)
        return cls(module.normalized_shape, module.weight, module.bias, module.eps)


class _Weights(NamedTuple):
    """What a layer needs for one token, looked up once."""

    norm1: _Norm
    norm2: _Norm
    packed: Tensor  # queries divided by √d, keys, values; and a row that scores spans, where there is one
    shift: Tensor | None  # what is added to all of these
    out: Tensor
    expand: tuple[Tensor, Tensor]
    contract: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, layer: Layer, head_size: int, spans: Any) -> _Weights:
        """Look up the weights of a layer, with those of `spans`, an `ExpireSpan`, if it is not None."""
        parts = layer.attention
        query = parts.query.weight * head_size**-0.5
        packed, shift = torch.cat([query, parts.key.weight, parts.value.weight]), None
        if spans is not None:
            shift = torch.cat([packed.new_zeros(len(packed)), spans.bias[None]])
            packed = torch.cat([packed, spans.weight[None] / spans.divisor])
        return cls(
            _Norm.of(layer.norm1),
            _Norm.of(layer.norm2),
            packed,
            shift,
            parts.out.weight.T,
            (layer.expand.weight, layer.expand.bias),
            (layer.contract.weight, layer.contract.bias),
        )


class SpanStep(Step):
    """Reads one token of each stream as `SpanTransformer.read` would, and forgets once a block.

    Buffers are (streams x heads, slots, head size), with room for one block more.
    """

    def __init__(self, model: SpanTransformer, memory: Memory) -> None:
        super().__init__(model, memory)
        self.spanned = model
        config = model.config
        self.shape = (len(memory), config.num_heads, config.d_model // config.num_heads)
        self.block, self.known, self.pre_norm = (
            config.block_size,
            config.num_positions,
            config.pre_norm,
        )
        self.span: list[Any] = [layer.span for layer in model.stack]
        self.embedding, self.key_pe = model.embedding.weight, model.key_pe
        self.exact = self.key_pe.dtype == span_dtype(self.key_pe.dtype)
        self.scored = self.exact and model.span_for_each_memory
        self.weights = [
            _Weights.of(layer, self.shape[2], layer.span if self.scored else None)
            for layer in model.stack
        ]
        self.norm = _Norm.of(model.norm) if config.pre_norm else None
        self.readout = (model.readout.weight, model.readout.bias)
        self._fill(memory)

    def _fill(self, memory: Memory) -> None:
        """Start buffers with a memory, and with room for one more block."""
        model, room = self.spanned, self.block
        self.start, self.time = memory, 0
        self.stored: list[Tensor] = []  # keys and values, (2, b k, slots, d), by layer
        self.left: list[Tensor] = []  # m before it is clamped, as the first new token would see it
        self.new_spans: list[list[Tensor]] = [[] for _ in memory.layers]
        for layer, past in zip(model.stack, memory.layers, strict=True):
            heads = layer.attention.heads
            both = torch.stack([heads(past[name]).flatten(0, 1) for name in ("keys", "values")])
            self.stored.append(F.pad(both, (0, 0, 0, room)))
            each = model.span_for_each_memory
            spans = past["spans"][:, None] if each else layer.span(past["keys"])
            ages = F.pad(past["ages"], (0, room))
            ages[:, -room:] = -torch.arange(room, device=ages.device)
            spans = (
                F.pad(spans, (0, room)) if each else spans
            )  # of new tokens: added when they come
            self.left.append(1 + (spans - ages[:, None]) / model.ramp)

    def __call__(self, tokens: Int[Tensor, b]) -> Float[Tensor, "b v"]:
        """Read one token of every stream and return the logits of the next."""
        hidden = torch.embedding(self.embedding, tokens)
        for number in range(len(self.weights)):
            hidden = self._layer(hidden, number)
        self.time += 1
        if self.time == self.block:
            self._fill(self.spanned.forget(self.memory()))
        return F.linear(hidden if self.norm is None else self.norm(hidden), *self.readout)

    def _layer(self, hidden: Tensor, number: int) -> Tensor:
        weights, model, (batch, heads, head_size) = self.weights[number], self.spanned, self.shape
        inputs = weights.norm1(hidden) if self.pre_norm else hidden
        flat = F.linear(inputs, weights.packed, weights.shift)
        new = flat.narrow(1, 0, 3 * heads * head_size)
        if batch == 1:
            new = new.view(3, heads, head_size)
        else:
            new = new.view(batch, 3, heads, head_size).transpose(0, 1).reshape(3, -1, head_size)
        query, stored = new[0], self.stored[number]
        end = stored.shape[2] - self.block + self.time
        first = 0 if model.reach is None else max(end - model.reach, 0)
        keys, values = stored.narrow(2, first, end - first).unbind()
        near = min(end - first, self.known)
        by_distance = query.mm(self.key_pe)
        query = query.unsqueeze(1)
        if model.is_window:  # all slots from `first` on are seen
            scores = query.bmm(keys.mT)
        else:
            scores = torch.baddbmm(self._mask(number, first, end), query, keys.mT)
        if near < self.known:
            by_distance = by_distance.narrow(1, self.known - near, near)
        scores.narrow(2, end - first - near, near).add_(by_distance.unsqueeze(1))
        share = scores.softmax(-1)
        if model.ramp == 1:  # only then may a query see nothing at all, and gets zeros
            share.nan_to_num_(0)
        mixed = share.bmm(values).view(batch, -1)
        stored.select(2, end).copy_(new.narrow(0, 1, 2))
        if model.span_for_each_memory:
            predictor = self.span[number]
            if self.scored:
                spans = flat.narrow(1, flat.shape[1] - 1, 1).sigmoid().mul_(predictor.max_span)
            else:
                spans = predictor(inputs[:, None])[:, 0]
            self.left[number].select(2, end).add_(spans, alpha=1 / model.ramp)
            self.new_spans[number].append(spans)
        hidden = torch.addmm(hidden, mixed, weights.out)
        if not self.pre_norm:
            hidden = weights.norm1(hidden)
        inner = weights.norm2(hidden) if self.pre_norm else hidden
        inner = F.linear(inner, *weights.expand).relu_()
        hidden = F.linear(inner, *weights.contract).add_(hidden)
        return hidden if self.pre_norm else weights.norm2(hidden)

    def _mask(self, number: int, first: int, end: int) -> Tensor:
        """Return log m, broadcast to (b k, 1, slots)."""
        batch, heads, _ = self.shape
        left = self.left[number][..., first:end] - self.time / self.spanned.ramp
        mask = left.clamp_(0, 1).log_()
        if not self.exact:
            mask = mask.to(self.key_pe.dtype)
        if batch == 1:
            return mask.transpose(0, 1)
        return mask.expand(batch, heads, -1).reshape(batch * heads, 1, -1)

    def memory(self) -> Memory:
        """Return the memory of everything read, in tensors of its own."""
        batch, heads, _ = self.shape
        layers = []
        for number, past in enumerate(self.start.layers):
            kept = {}
            ages, length = past["ages"], past["ages"].shape[1] + self.time
            for name, buffer in zip(("keys", "values"), self.stored[number], strict=True):
                rows = buffer[:, :length].unflatten(0, (batch, heads))
                kept[name] = rows.transpose(1, 2).flatten(2)
            if self.spanned.span_for_each_memory:
                spans = torch.cat([past["spans"][:, :0], *self.new_spans[number]], 1)
            else:
                longest = self.span[number](past["keys"]).amax()
                spans = longest.expand(batch, self.time)
            born = torch.arange(self.time, 0, -1, device=ages.device).expand(batch, -1)
            kept["spans"] = torch.cat([past["spans"], spans], 1)
            kept["ages"] = torch.cat([ages + self.time, born], 1)
            layers.append(kept)
        return Memory(tuple(layers))
