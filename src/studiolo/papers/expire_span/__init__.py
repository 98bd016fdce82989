"""Expire-Span (arXiv 2105.06548): memories that are deleted when their learned span has run out."""

from .model import (
    BlockOutput,
    ExpireSpan,
    ExpireSpanConfig,
    ExpireSpanTransformer,
    FixedSpan,
    Memory,
    TransformerXL,
    expire_span_attention,
    memory_weight,
    relative_scores,
)


__all__ = [
    "BlockOutput",
    "ExpireSpan",
    "ExpireSpanConfig",
    "ExpireSpanTransformer",
    "FixedSpan",
    "Memory",
    "TransformerXL",
    "expire_span_attention",
    "memory_weight",
    "relative_scores",
]
