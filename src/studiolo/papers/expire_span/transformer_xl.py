"""Transformer-XL: every query sees the tokens of a window before it, each distance with its position.

Source: https://arxiv.org/abs/1901.02860, with learned relative positions of the keys.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from .attention import span_dtype
from .model import Layer, MemoryConfig
from .spanned import SpanTransformer


@dataclass(frozen=True, kw_only=True)
class TransformerXLConfig(MemoryConfig):
    """Sizes of a `TransformerXL`.

    Attributes:
        window: memories a query sees. Each distance within it has a position, unless `positions` says
            otherwise, and a stream starts with as many zero vectors.
    """

    window: int = 128

    @property
    def num_positions(self) -> int:
        """Distances that have a learned position."""
        return self.window if self.positions is None else self.positions


class FixedSpan(nn.Module):
    """Give every memory the same span: with a ramp of 1, a sliding window."""

    def __init__(self, span: int) -> None:
        super().__init__()
        self.span = span

    def forward(self, inputs: Float[Tensor, "b n h"]) -> Float[Tensor, "1 1 1"]:
        """Return `span` for every memory."""
        return inputs.new_full((1, 1, 1), self.span, dtype=span_dtype(inputs.dtype))


class TransformerXL(SpanTransformer):
    """The strongest simple baseline: the last `window` tokens, and no choice among them.

    Example:
        ```python
        model = TransformerXL(TransformerXLConfig(vocab_size=256, window=512))
        ```
    """

    config: TransformerXLConfig
    is_window = True

    def __init__(self, config: TransformerXLConfig) -> None:
        super().__init__(config, lambda _: Layer(config, FixedSpan(config.window)), config.window)
        self.reach = config.window
