"""What writing needs of a model, so that a model may import what writes."""

from collections.abc import Iterator
from typing import Any, Protocol

from torch import Tensor

from .memory import Memory


class MemoryTransformer(Protocol):
    """A model that reads blocks and single tokens: see `model.MemoryTransformer`."""

    def __call__(self, tokens: Tensor, memory: Memory) -> Any:
        """Return the output of one block."""

    def blocks(self, tokens: Tensor, memory: Memory | None) -> Iterator[Any]:
        """Yield the output of every block."""

    def step(self, memory: Memory) -> Any:
        """Return what reads one token of each stream at a time."""


class SpanTransformer(MemoryTransformer, Protocol):
    """A model whose memories are seen for a span: see `spanned.SpanTransformer`."""

    ramp: int
    reach: int | None
    span_for_each_memory: bool
    is_window: bool

    def forget(self, memory: Memory) -> Memory:
        """Return the memory without what no later token can see."""

    @property
    def stack(self) -> list[Any]:
        """The layers, from the first."""

    @property
    def config(self) -> Any:
        """The sizes."""

    @property
    def embedding(self) -> Any:
        """The embedding of tokens."""

    @property
    def key_pe(self) -> Any:
        """The positions of keys."""

    @property
    def norm(self) -> Any:
        """What comes before the readout."""

    @property
    def readout(self) -> Any:
        """What gives the logits."""
