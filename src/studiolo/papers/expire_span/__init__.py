"""Expire-Span (arXiv 2105.06548) and its siblings: what a Transformer remembers, and what it lets go."""

from .adaptive_span import AdaptiveSpanConfig, AdaptiveSpanTransformer
from .attention import expire_span_attention, memory_weight, relative_scores
from .compressive import CompressiveConfig, CompressiveTransformer
from .expire import ExpireSpan, ExpireSpanConfig, ExpireSpanTransformer
from .feedback import FeedbackConfig, FeedbackTransformer
from .memory import Memory
from .model import BlockOutput, MemoryConfig, MemoryTransformer
from .staircase import StaircaseConfig, StaircaseTransformer
from .transformer_xl import FixedSpan, TransformerXL, TransformerXLConfig


__all__ = [
    "AdaptiveSpanConfig",
    "AdaptiveSpanTransformer",
    "BlockOutput",
    "CompressiveConfig",
    "CompressiveTransformer",
    "ExpireSpan",
    "ExpireSpanConfig",
    "ExpireSpanTransformer",
    "FeedbackConfig",
    "FeedbackTransformer",
    "FixedSpan",
    "Memory",
    "MemoryConfig",
    "MemoryTransformer",
    "StaircaseConfig",
    "StaircaseTransformer",
    "TransformerXL",
    "TransformerXLConfig",
    "expire_span_attention",
    "memory_weight",
    "relative_scores",
]
