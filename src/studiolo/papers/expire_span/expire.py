"""Expire-Span: every memory gets a learned span and is deleted when it has run out.

A memory with m = 0 has no weight and no gradient now or later, so it is deleted for good, and nothing
changes.

Source: https://arxiv.org/abs/2105.06548, section 3.
"""

import math
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .attention import span_dtype
from .model import Layer, MemoryConfig
from .spanned import SpanTransformer


@dataclass(frozen=True, kw_only=True)
class ExpireSpanConfig(MemoryConfig):
    """Sizes and settings of an `ExpireSpanTransformer`.

    Attributes:
        max_span: the longest span a memory can have (L), in tokens.
        ramp: tokens over which an expiring memory fades out (R).
        span_weight: weight of the spans in the loss (α), per token of memory.
        initial_span: span of every memory before training, as a share of `max_span`.
        span_divisor: divides the input of the span predictor; with spans beyond some thousand tokens
            a value such as 64 keeps them from jumping at every update.
        shorten_spans: in training, cap the spans of a block at u · max_span, u ~ U(0, 1).
        layer_drop: in training, probability that a block passes a layer by. Its spans are predicted,
            and cost, all the same, so that its memory goes on.
        drop_multiple: memories are deleted in multiples of this many; `block_size` deletes as published.
    """

    max_span: int = 256
    ramp: int = 16
    span_weight: float = 1e-5
    initial_span: float = 0.1
    span_divisor: float = 1.0
    shorten_spans: bool = False
    layer_drop: float = 0.0
    drop_multiple: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.initial_span < 1:
            raise ValueError(
                f"initial_span = {self.initial_span} is a share of max_span strictly between 0 and 1."
            )
        if not (self.span_divisor > 0 and math.isfinite(self.span_divisor)):
            raise ValueError(f"span_divisor = {self.span_divisor}: must be above 0, and finite.")
        if not 0 <= self.layer_drop < 1:
            raise ValueError(f"layer_drop = {self.layer_drop} is a probability from 0 to below 1.")


class ExpireSpan(nn.Module):
    """Predict for every memory how many tokens it is worth keeping: L σ(w·h + b).

    Spans are at least 32-bit floats whatever the input is, autocast included.
    """

    def __init__(self, d_model: int, max_span: int, initial: float, divisor: float = 1.0) -> None:
        super().__init__()
        self.max_span = max_span
        self.divisor = divisor
        self.weight = nn.Parameter(torch.zeros(d_model))
        self.bias = nn.Parameter(torch.tensor(math.log(initial / (1 - initial))))

    def forward(self, inputs: Float[Tensor, "b n h"]) -> Float[Tensor, "b 1 n"]:
        """Return the spans of `inputs`, in tokens; all heads share them."""
        full = (
            nullcontext() if inputs.is_meta else torch.autocast(inputs.device.type, enabled=False)
        )
        with full:
            return self.of(inputs.to(span_dtype(inputs.dtype)))[:, None]

    def of(self, inputs: Float[Tensor, "*rows h"]) -> Float[Tensor, "*rows"]:
        """Return the spans of `inputs`, computed in their own precision."""
        score = inputs / self.divisor @ self.weight.to(inputs.dtype) + self.bias.to(inputs.dtype)
        return torch.sigmoid(score) * self.max_span


class ExpireSpanTransformer(SpanTransformer):
    """A language model whose memories expire, each after a span predicted from its content.

    Example:
        ```python
        model = ExpireSpanTransformer(ExpireSpanConfig(vocab_size=256, max_span=4096))
        for output in model.blocks(tokens):
            ...
        ```
    """

    config: ExpireSpanConfig
    span_for_each_memory = True

    def __init__(self, config: ExpireSpanConfig) -> None:
        def layer(_: int) -> Layer:
            span = ExpireSpan(
                config.d_model, config.max_span, config.initial_span, config.span_divisor
            )
            return Layer(config, span)

        super().__init__(config, layer, config.block_size)
        self.ramp = config.ramp
        self.drop_multiple = config.drop_multiple

    def longest_span(self, device: torch.device) -> Tensor | None:
        """Return u · max_span in training with `shorten_spans`, one draw for all layers of a block."""
        if not (self.training and self.config.shorten_spans):
            return None
        return self.config.max_span * torch.rand((), device=device)

    def dropped_layers(self) -> list[bool]:
        """Draw which layers this block passes by."""
        if not (self.training and self.config.layer_drop):
            return super().dropped_layers()
        return (torch.rand(len(self.layers)) < self.config.layer_drop).tolist()

    def span_loss(self, layer: Layer, on_ramp: Float[Tensor, "b"], length: int) -> Tensor:
        """Return α / (R t) Σ r over memories on the ramp, which is α / t Σ (m - 1)."""
        return self.config.span_weight / length * on_ramp
