"""Blocks that several papers share."""

from .transformer import (
    Block,
    FeedForward,
    LayerNorm,
    Lengths,
    SelfAttention,
    Transformer,
    row_lengths,
    token_mask,
)


__all__ = [
    "Block",
    "FeedForward",
    "LayerNorm",
    "Lengths",
    "SelfAttention",
    "Transformer",
    "row_lengths",
    "token_mask",
]
