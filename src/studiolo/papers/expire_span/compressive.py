"""Compressive Transformer: what leaves the window is compressed, not forgotten, until it leaves that too.

Source: https://arxiv.org/abs/1911.05507, section 3.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import attend_by_span, relative_scores, span_dtype
from .memory import Memory
from .model import BlockOutput, Layer, MemoryConfig, MemoryTransformer


Compression = Literal["mean", "max", "convolution", "most-used"]


@dataclass(frozen=True, kw_only=True)
class CompressiveConfig(MemoryConfig):
    """Sizes of a `CompressiveTransformer`.

    Attributes:
        window: recent memories, kept as they are (n_m).
        compressed: slots for what has left the window (n_cm); the oldest are forgotten.
        rate: memories that become one slot (c), a divisor of `block_size` and of `compressed`.
        compression: the mean or the maximum of `rate` neighbours, a learned convolution over them, or
            the most used of a block, by the attention that each got on average.
    """

    window: int = 64
    compressed: int = 32
    rate: int = 4
    compression: Compression = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block_size % self.rate:
            raise ValueError(
                f"A block of {self.block_size} is not a multiple of rate = {self.rate}, so it cannot "
                "be compressed whole: choose a divisor."
            )
        if self.compression not in ("mean", "max", "convolution", "most-used"):
            raise ValueError(
                f"There is no compression {self.compression!r}: choose mean, max, convolution or most-used."
            )

    @property
    def num_positions(self) -> int:
        """Distances that have a position, in slots: all of them, unless told."""
        if self.positions is not None:
            return self.positions
        return self.compressed + self.window + self.block_size


class CompressiveTransformer(MemoryTransformer):
    """A window of recent memories, and before it a window of compressed ones; a query sees both whole.

    A block is compressed when the window overflows by a block, so that reading token by token and block
    by block are the same function. The convolution learns only from `aux_loss`, the change in what
    the block's queries read from the memories when these are compressed; nothing else learns from that.

    Example:
        ```python
        model = CompressiveTransformer(CompressiveConfig(vocab_size=256, compression="max"))
        ```
    """

    config: CompressiveConfig

    def __init__(self, config: CompressiveConfig) -> None:
        def layer(_: int) -> Layer:
            made = Layer(config)
            if config.compression == "convolution":
                made.compression = nn.Conv1d(
                    config.d_model, config.d_model, config.rate, stride=config.rate
                )
            return made

        super().__init__(config, layer, config.compressed + config.window)

    def initial_memory(self, batch: int, length: int | None = None) -> Memory:
        """Return zero vectors in the window and in the compressed slots, attended to as if they were tokens.

        Args:
            length: of both together; the last `window` of them are not compressed.
        """
        length = self.initial_length if length is None else length
        hidden = self.embedding.weight.new_zeros(batch, length, self.config.d_model)
        ages = torch.arange(length, 0, -1, device=hidden.device).expand(batch, -1)
        # as long as the window alone, so that it tells which slots are compressed
        recent = min(length, self.config.window)
        usage = hidden.new_zeros(batch, recent, dtype=span_dtype(hidden.dtype))
        one = {"hidden": hidden, "usage": usage, "ages": ages}
        return Memory((one,) * len(self.layers))

    def read(self, tokens: Int[Tensor, "b t"], memory: Memory) -> BlockOutput:
        """Return the output of one block, and the memory with a block compressed where the window overflows."""
        batch, length = tokens.shape
        hidden = self.embedding(tokens)
        kept, losses = [], []
        for layer, past in zip(self.stack, memory.layers, strict=True):
            everything = torch.cat([past["hidden"], hidden], 1)
            inputs = layer.inputs(everything if self.learns else hidden)
            queries = inputs[:, -length:]
            keys, values = layer.keys_and_values(inputs)
            if not self.learns:
                old = self._old_keys_and_values(layer, past)
                keys, values = (torch.cat(x, 1) for x in zip(old, (keys, values), strict=True))
            q, k, v = map(layer.attention.heads, (layer.attention.query(queries), keys, values))
            slots = k.shape[2]
            distance = torch.arange(slots - length, -length, -1, device=tokens.device)
            distance = distance.expand(batch, -1)
            span = hidden.new_full((1, 1, 1), slots, dtype=span_dtype(hidden.dtype))
            mixed, _, _ = attend_by_span(
                q, k, v, span, distance, self.key_pe, 1, dropout_p=layer.dropout_p
            )
            usage = F.pad(past["usage"], (0, length))
            if self.config.compression == "most-used":
                usage = usage + self._attention_got(q, k)[:, -usage.shape[1] :]
            stored = {"hidden": everything.detach(), "usage": usage}
            if not self.learns:
                stored |= {"keys": keys, "values": values}
            born = torch.arange(0, -length, -1, device=tokens.device).expand(batch, -1)
            stored["ages"] = torch.cat([past["ages"], born], 1) + length
            stored, loss = self._compress(layer, stored, hidden)
            hidden = layer.finish(hidden, mixed)
            kept.append(stored)
            losses.append(loss)
        seen = float(memory.sizes[0]) + (length - 1) / 2
        sizes = torch.full((len(kept),), seen, device=tokens.device)
        return BlockOutput(
            self.logits(hidden),
            Memory(tuple(kept)),
            torch.stack(losses).sum(0),
            sizes,
        )

    def _old_keys_and_values(self, layer: Layer, past: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        if "keys" in past:
            return past["keys"], past["values"]
        return layer.keys_and_values(layer.inputs(past["hidden"]))

    def _attention_got(self, q: Tensor, k: Tensor) -> Float[Tensor, "b s"]:
        """Return the attention that each slot got, summed over queries, mean over heads."""
        with torch.no_grad():
            length, slots = q.shape[2], k.shape[2]
            scores = q @ k.mT * q.shape[-1] ** -0.5
            scores = scores + relative_scores(q, self.key_pe, slots - length)
            later = torch.ones(length, slots, dtype=torch.bool, device=q.device).triu(
                slots - length
            )
            share = scores.masked_fill(later, -torch.inf).softmax(-1).nan_to_num(0)
            return share.to(span_dtype(share.dtype)).sum(2).mean(1)

    def _compress(
        self, layer: Layer, stored: dict[str, Tensor], queries: Float[Tensor, "b t h"]
    ) -> tuple[dict[str, Tensor], Float[Tensor, "b"]]:
        """Return a layer's memory with the oldest block of the window compressed, if it overflows by one."""
        config = self.config
        nothing = queries.new_zeros(len(queries))
        recent = stored["usage"].shape[1]
        if recent < config.window + config.block_size:
            return stored, nothing
        compressed = stored["ages"].shape[1] - recent  # these slots come first
        block = slice(compressed, compressed + config.block_size)
        old = stored["hidden"][:, block]
        groups = config.block_size // config.rate
        ages, loss = stored["ages"][:, block], nothing
        if config.compression == "most-used":
            got = stored["usage"][:, : config.block_size] / (ages - 1).clamp(min=1)
            best = got.argsort(dim=1, descending=True, stable=True)[:, :groups].sort(1).values
            new, ages = old.take_along_dim(best[..., None], 1), ages.gather(1, best)
        else:
            new, ages = self._pooled(layer, old), ages[:, config.rate - 1 :: config.rate]
            if config.compression == "convolution" and self.learns:
                loss = self._reconstruction(layer, queries.detach(), old, new)
        fresh = {"hidden": new.detach(), "ages": ages}
        if "keys" in stored:
            fresh["keys"], fresh["values"] = layer.keys_and_values(layer.inputs(new))
        following = {"usage": stored["usage"][:, config.block_size :]}
        for name, x in fresh.items():
            slots = torch.cat([stored[name][:, :compressed], x], 1)[:, -config.compressed :]
            following[name] = torch.cat([slots, stored[name][:, block.stop :]], 1)
        # `hidden` first: it is what `Memory.sizes` counts
        return {name: following[name] for name in stored}, loss

    def _pooled(self, layer: Layer, old: Float[Tensor, "b n h"]) -> Float[Tensor, "b groups h"]:
        if self.config.compression == "convolution":
            return layer.compression(old.mT).mT
        groups = old.unflatten(1, (-1, self.config.rate))
        return groups.mean(2) if self.config.compression == "mean" else groups.amax(2)

    def _reconstruction(
        self, layer: Layer, queries: Tensor, old: Tensor, new: Tensor
    ) -> Float[Tensor, "b"]:
        """Return how far attention over the compressed memories is from attention over the old ones.

        Content alone counts, and the gradient reaches the compression alone.
        """
        parts = layer.attention
        weights = [part.weight.detach() for part in (parts.query, parts.key, parts.value)]
        norm = layer.norm1

        def attention(memories: Tensor) -> Tensor:
            x, y = queries, memories
            if layer.pre_norm:
                scale, shift = norm.weight.detach(), norm.bias.detach()
                x, y = (F.layer_norm(z, z.shape[-1:], scale, shift, norm.eps) for z in (x, y))
            q, k, v = (parts.heads(z @ w.T) for z, w in zip((x, y, y), weights, strict=True))
            return (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1) @ v

        change = attention(old) - attention(new)
        return torch.linalg.vector_norm(change, dim=(1, 2, 3))
