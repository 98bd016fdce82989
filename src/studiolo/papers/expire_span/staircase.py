"""Staircase attention: every chunk of tokens goes through the same Transformer several times.

At pass n a chunk sees the chunk d before it at pass n + d: at its first pass it looks far back, at its
last pass only at itself, and what it sees has been through more passes than it has.

Source: https://arxiv.org/abs/2106.04279, section 3.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from .attention import attend_by_span, span_dtype
from .memory import Memory
from .model import BlockOutput, Layer, MemoryConfig, MemoryTransformer


@dataclass(frozen=True, kw_only=True)
class StaircaseConfig(MemoryConfig):
    """Sizes of a `StaircaseTransformer`.

    Attributes:
        chunk: tokens that go through the Transformer together (C).
        passes: how often each does (N); it sees up to N - 1 chunks before it.
    """

    chunk: int = 16
    passes: int = 2

    @property
    def num_positions(self) -> int:
        """Distances that have a learned position: all that can be seen, unless told."""
        return self.chunk * self.passes if self.positions is None else self.positions


class StaircaseTransformer(MemoryTransformer):
    """Depth through recurrence: N passes of the same layers, each over chunks that are further on.

    The published form moves a window of N chunks over the stream and runs the layers on all of it; all
    that a chunk will ever see is known when it comes, so here it goes through its N passes at once.
    Gradients go back through the chunks of a block.

    Example:
        ```python
        model = StaircaseTransformer(StaircaseConfig(vocab_size=256, chunk=16, passes=3))
        ```
    """

    config: StaircaseConfig

    def __init__(self, config: StaircaseConfig) -> None:
        super().__init__(config, lambda _: Layer(config), 0)

    @property
    def memory_width(self) -> int:
        """How many numbers a layer keeps of a token: those of every pass."""
        return self.config.passes * self.config.d_model

    def initial_memory(self, batch: int, length: int | None = None) -> Memory:
        """Return an empty memory, or `length` zero vectors a layer and pass."""
        length = self.initial_length if length is None else length
        hidden = self.embedding.weight.new_zeros(batch, length, self.memory_width)
        ages = torch.arange(length, 0, -1, device=hidden.device).expand(batch, -1)
        return Memory(({"hidden": hidden, "ages": ages},) * len(self.layers))

    def read(self, tokens: Int[Tensor, "b t"], memory: Memory) -> BlockOutput:
        """Return the output of one block, with everything kept."""
        config = self.config
        stack = [
            _LayerStates.of(layer, past, config)
            for layer, past in zip(self.stack, memory.layers, strict=True)
        ]
        outputs, seen, start = [], 0.0, 0
        while start < tokens.shape[1]:
            whole, partial = divmod(stack[0].length, config.chunk)
            piece = tokens[:, start : start + config.chunk - partial]
            start += piece.shape[1]
            hidden = self.embedding(piece)
            for number in range(config.passes):
                # from the chunk that is still seen at this pass to the part of the present one
                chunks = min(whole, config.passes - 1 - number)
                for states in stack:
                    hidden = self._layer(states, hidden, number, chunks, partial)
                seen += piece.shape[1] * (
                    chunks * config.chunk + partial + (piece.shape[1] - 1) / 2
                )
            for states in stack:
                states.finish_piece()
            outputs.append(hidden)
        batch, length = tokens.shape
        born = torch.arange(0, -length, -1, device=tokens.device).expand(batch, -1)
        kept = []
        for states, past in zip(stack, memory.layers, strict=True):
            names = ("hidden",) if self.learns else ("keys", "values")
            stored = {name: getattr(states, name).flatten(2).detach() for name in names}
            stored["ages"] = torch.cat([past["ages"], born], 1) + length
            kept.append(stored)
        size = torch.full((len(kept),), seen / (length * config.passes), device=tokens.device)
        logits = self.logits(torch.cat(outputs, 1))
        return BlockOutput(logits, Memory(tuple(kept)), logits.new_zeros(batch), size)

    def forget(self, memory: Memory) -> Memory:
        """Return the memory without the chunks that nothing will see again."""
        config = self.config
        whole, partial = divmod(memory.sizes[0], config.chunk)
        keep = min(whole, config.passes - 1) * config.chunk + partial
        return memory.map(lambda x: x[:, x.shape[1] - keep :])

    def _layer(
        self, states: "_LayerStates", hidden: Tensor, number: int, chunks: int, partial: int
    ) -> Tensor:
        layer = states.layer
        queries = layer.inputs(hidden)
        states.add(hidden, *layer.keys_and_values(queries))
        keys, values = states.seen(number, chunks, partial)
        q, k, v = map(layer.attention.heads, (layer.attention.query(queries), keys, values))
        slots, length = k.shape[2], q.shape[2]
        distance = torch.arange(slots - length, -length, -1, device=q.device)
        span = q.new_full((1, 1, 1), slots, dtype=span_dtype(q.dtype))
        mixed, _, _ = attend_by_span(
            q,
            k,
            v,
            span,
            distance.expand(len(q), -1),
            self.key_pe,
            1,
            dropout_p=layer.dropout_p,
        )
        return layer.finish(hidden, mixed)


class _LayerStates:
    """Inputs, keys and values of one layer: (b, tokens, passes, h), and those of the present piece."""

    def __init__(
        self, layer: Layer, hidden: Tensor | None, keys: Tensor, values: Tensor, chunk: int
    ):
        self.layer, self.hidden, self.keys, self.values = layer, hidden, keys, values
        self.chunk = chunk
        self.piece: list[tuple[Tensor, Tensor, Tensor]] = []

    @classmethod
    def of(cls, layer: Layer, past: dict[str, Tensor], config: StaircaseConfig) -> "_LayerStates":
        """Return the states that a memory holds."""
        parts = {
            name: past[name].unflatten(2, (config.passes, -1)) for name in past if name != "ages"
        }
        if "keys" in parts:
            return cls(layer, None, parts["keys"], parts["values"], config.chunk)
        keys, values = layer.keys_and_values(layer.inputs(parts["hidden"].flatten(1, 2)))
        shape = parts["hidden"].shape
        return cls(layer, parts["hidden"], keys.view(shape), values.view(shape), config.chunk)

    @property
    def length(self) -> int:
        """Tokens before the present piece."""
        return self.keys.shape[1]

    def add(self, hidden: Tensor, keys: Tensor, values: Tensor) -> None:
        """Take what the next pass of the present piece gives."""
        self.piece.append((hidden, keys, values))

    def seen(self, number: int, chunks: int, partial: int) -> tuple[Tensor, Tensor]:
        """Return keys and values that pass `number` of the present piece sees, oldest first, with its own."""
        now = self.length - partial  # where the present chunk begins
        parts = []
        for old, new in ((self.keys, self.piece[-1][1]), (self.values, self.piece[-1][2])):
            before = [
                old[:, now - back * self.chunk : now - (back - 1) * self.chunk, number + back]
                for back in range(chunks, 0, -1)
            ]
            parts.append(torch.cat([*before, old[:, now:, number], new], 1))
        return parts[0], parts[1]

    def finish_piece(self) -> None:
        """Add the present piece to what is remembered."""
        hidden, keys, values = (torch.stack(part, 2) for part in zip(*self.piece, strict=True))
        if self.hidden is not None:
            self.hidden = torch.cat([self.hidden, hidden], 1)
        self.keys = torch.cat([self.keys, keys], 1)
        self.values = torch.cat([self.values, values], 1)
        self.piece = []
