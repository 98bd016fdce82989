"""Memories seen for a span of tokens: what Transformer-XL, Adaptive-Span and Expire-Span share."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .attention import attend_by_span, span_dtype
from .generation import Step
from .memory import Memory
from .model import BlockOutput, Layer, MemoryTransformer
from .stepping import SpanStep


class SpanTransformer(MemoryTransformer):
    """A model whose layers see a memory for a span of tokens: a fixed one, one a head, or one a memory.

    `layer.span(inputs)` gives spans that broadcast to (b, heads, memories).
    """

    ramp: int = 1
    reach: int | None = None  # distance beyond which nothing is seen
    span_for_each_memory = False
    is_window = False  # every memory within `reach` is seen in full
    drop_multiple = 1

    def initial_memory(self, batch: int, length: int | None = None) -> Memory:
        """Return `length` zero vectors a layer, attended to as if they had been tokens."""
        length = self.initial_length if length is None else length
        weight = self.embedding.weight
        ages = torch.arange(length, 0, -1, device=weight.device).expand(batch, -1)
        hidden = weight.new_zeros(batch, length, self.config.d_model)
        spans = hidden.new_zeros(batch, length, dtype=span_dtype(weight.dtype))
        return Memory(({"hidden": hidden, "spans": spans, "ages": ages},) * len(self.layers))

    def longest_span(self, device: torch.device) -> Tensor | None:
        """Return a cap on the spans of this block, or None."""
        return None

    def dropped_layers(self) -> list[bool]:
        """Return which layers this block passes by."""
        return [False] * len(self.layers)

    def span_loss(self, layer: Layer, on_ramp: Float[Tensor, "b"], length: int) -> Tensor:
        """Return what the spans of a layer cost, (b,)."""
        return torch.zeros_like(on_ramp)

    def read(self, tokens: Int[Tensor, "b t"], memory: Memory) -> BlockOutput:
        """Return the output of one block with everything kept."""
        batch, length = tokens.shape
        hidden = self.embedding(tokens)
        longest = self.longest_span(tokens.device)
        new_ages = torch.arange(0, -length, -1, device=tokens.device).expand(batch, -1)
        kept, losses, sizes = [], [], []
        for layer, past, dropped in zip(
            self.stack, memory.layers, self.dropped_layers(), strict=True
        ):
            ages = torch.cat([past["ages"], new_ages], 1)
            if self.learns:
                everything = torch.cat([past["hidden"], hidden], 1)
                inputs = layer.inputs(everything)
                queries = inputs[:, -length:]
                keys, values = layer.keys_and_values(inputs)
                spans = layer.span(inputs)
                stored = {"hidden": everything.detach()}
            else:
                queries = layer.inputs(hidden)
                keys, values, spans = self._cached(layer, past, queries)
                stored = {"keys": keys, "values": values}
            heads = layer.attention.heads
            mixed, on_ramp, size = attend_by_span(
                heads(layer.attention.query(queries)),
                heads(keys),
                heads(values),
                spans if longest is None else spans.minimum(longest),
                ages,
                self.key_pe,
                self.ramp,
                reach=self.reach,
                dropout_p=layer.dropout_p,
            )
            if not dropped:
                hidden = layer.finish(hidden, mixed)
            shown = spans.detach().amax(1).expand(batch, keys.shape[1])
            kept.append(stored | {"spans": shown, "ages": ages + length})
            losses.append(self.span_loss(layer, on_ramp, length))
            sizes.append(size.mean())
        return BlockOutput(
            self.logits(hidden), Memory(tuple(kept)), torch.stack(losses).sum(0), torch.stack(sizes)
        )

    def _cached(
        self, layer: Layer, past: dict[str, Tensor], inputs: Float[Tensor, "b t h"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return keys, values and spans of memories and new tokens, projecting only what is new."""
        new = (*layer.keys_and_values(inputs), layer.span(inputs))
        if "hidden" in past:  # from training
            old_inputs = layer.inputs(past["hidden"])
            old = (*layer.keys_and_values(old_inputs), layer.span(old_inputs))
        else:
            old = (past["keys"], past["values"], past["spans"][:, None])
        keys, values = (torch.cat([a, b], 1) for a, b in zip(old[:2], new[:2], strict=True))
        spans = torch.cat([old[2], new[2]], 2) if self.span_for_each_memory else new[2]
        return keys, values, spans

    def forget(self, memory: Memory) -> Memory:
        """Return the memory without what no later token can see, of which all streams lose equally many.

        The last tokens stay, as many as have a position, because positions need them without a gap.
        """
        expired = [
            ((spans + self.ramp - ages <= 0) & (ages > self.config.num_positions))
            for spans, ages in zip(memory.part("spans"), memory.part("ages"), strict=True)
        ]
        if not len(memory) or expired[0].is_meta:
            return memory
        # the only wait for the device in a block
        counts = torch.stack([one.sum(1).amin() for one in expired]).tolist()
        layers = []
        for layer, gone, count in zip(memory.layers, expired, counts, strict=True):
            drop = int(count) - int(count) % self.drop_multiple
            if not drop:
                layers.append(layer)
                continue
            # what has expired first, oldest first; the rest stays in its order
            stay = (~gone).to(torch.int8).argsort(dim=1, stable=True)[:, drop:].sort(1).values
            layers.append({name: _pick(x, stay) for name, x in layer.items()})
        return Memory(tuple(layers))

    def spans(self, tokens: Int[Tensor, "b t"]) -> Float[Tensor, "layers b t"]:
        """Return for how many tokens each layer keeps each token of a stream, read from its start."""
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                size = self.config.block_size
                parts = [
                    torch.stack([x[:, -block.shape[1] :] for x in output.memory.part("spans")])
                    for block, output in zip(
                        tokens.split(size, 1), self.blocks(tokens, compact=False), strict=True
                    )
                ]
        finally:
            self.train(was_training)
        return torch.cat(parts, 2)

    def step(self, memory: Memory) -> Step:
        """Return what reads one token of each stream at a time: few operations, and no copy of the memory."""
        return SpanStep(self, memory)


def _pick(x: Tensor, index: Tensor) -> Tensor:
    """Return the slots `index`, (b, m), of x, (b, n, ...)."""
    return x.take_along_dim(index if x.ndim == 2 else index[..., None], 1)
