"""Adaptive-Span: every head learns how far back it looks.

Source: https://arxiv.org/abs/1905.07799, section 2.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .attention import span_dtype
from .model import Layer, MemoryConfig
from .spanned import SpanTransformer


@dataclass(frozen=True, kw_only=True)
class AdaptiveSpanConfig(MemoryConfig):
    """Sizes of an `AdaptiveSpanTransformer`.

    Attributes:
        max_span: the longest span a head can have (S), in tokens.
        ramp: tokens over which what lies beyond the span fades out (R).
        span_weight: weight of the mean span of a layer's heads in the loss (λ), per token of span.
        initial_span: span of every head before training, as a share of `max_span`.
    """

    max_span: int = 256
    ramp: int = 16
    span_weight: float = 1e-5
    initial_span: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.initial_span <= 1:
            raise ValueError(f"initial_span = {self.initial_span} is a share of max_span, 0 to 1.")

    @property
    def num_positions(self) -> int:
        """Distances that have a learned position: all that a head can see, unless told."""
        return self.max_span + self.ramp if self.positions is None else self.positions


class HeadSpan(nn.Module):
    """The span of each head, z = S · share, with the share kept between 0 and 1.

    The gradient passes through the ends of that range for the mask, so that a head that was shut can
    open again; it does not for the loss, so that no share wanders off.
    """

    def __init__(self, num_heads: int, max_span: int, initial: float) -> None:
        super().__init__()
        self.max_span = max_span
        self.share = nn.Parameter(torch.full((num_heads,), initial))

    def forward(self, inputs: Float[Tensor, "b n h"]) -> Float[Tensor, "1 k 1"]:
        """Return the span of every head, in tokens."""
        share = self.share.to(span_dtype(inputs.dtype))
        share = share + (share.clamp(0, 1) - share).detach()
        return (self.max_span * share)[None, :, None]

    def mean(self) -> Float[Tensor, ""]:
        """Return the mean span of the heads, which the loss wants small."""
        return self.max_span * self.share.clamp(0, 1).mean()


class AdaptiveSpanTransformer(SpanTransformer):
    """A window for each head, learned: near heads cost little, and few look far.

    Example:
        ```python
        model = AdaptiveSpanTransformer(AdaptiveSpanConfig(vocab_size=256, max_span=1024))
        ```
    """

    config: AdaptiveSpanConfig

    def __init__(self, config: AdaptiveSpanConfig) -> None:
        super().__init__(
            config,
            lambda _: Layer(
                config, HeadSpan(config.num_heads, config.max_span, config.initial_span)
            ),
            config.max_span,
        )
        self.ramp = config.ramp
        self.reach = config.max_span + config.ramp

    def span_loss(self, layer: Layer, on_ramp: Float[Tensor, "b"], length: int) -> Tensor:
        """Return λ / k · Σ z over the heads of a layer."""
        assert isinstance(layer.span, HeadSpan)
        return (self.config.span_weight * layer.span.mean()).expand_as(on_ramp)
