"""Feedback Transformer: one memory for each token, a mixture of all its layers, which every layer sees.

Source: https://arxiv.org/abs/2002.09402, section 3.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import relative_scores
from .memory import Memory
from .model import BlockOutput, Layer, MemoryConfig, MemoryTransformer


@dataclass(frozen=True, kw_only=True)
class FeedbackConfig(MemoryConfig):
    """Sizes of a `FeedbackTransformer`.

    Attributes:
        window: memories a query sees; each distance has a position unless `positions` says otherwise.
    """

    window: int = 32

    @property
    def num_positions(self) -> int:
        """Distances that have a learned position."""
        return self.window if self.positions is None else self.positions


class FeedbackTransformer(MemoryTransformer):
    """A lower layer sees what higher layers made of the past, so tokens are read one after another.

    The memory of a token is Σ softmax(w)_l x^l over its embedding and the outputs of all layers; keys
    and values of it are shared by all layers. Gradients go back through the tokens of a block.

    Example:
        ```python
        model = FeedbackTransformer(FeedbackConfig(vocab_size=256, window=64))
        ```
    """

    config: FeedbackConfig

    def __init__(self, config: FeedbackConfig) -> None:
        super().__init__(config, lambda _: Layer(config, parts=("query", "out")), config.window)
        self.layer_weight = nn.Parameter(torch.zeros(config.num_layers + 1))  # w
        self.memory_norm = nn.LayerNorm(config.d_model) if config.pre_norm else nn.Identity()
        self.key = nn.Linear(config.d_model, config.d_model, bias=False)
        self.value = nn.Linear(config.d_model, config.d_model, bias=False)

    @property
    def memory_layers(self) -> int:
        """One: all layers share it."""
        return 1

    def initial_memory(self, batch: int, length: int | None = None) -> Memory:
        """Return `length` zero vectors, attended to as if they had been tokens."""
        length = self.initial_length if length is None else length
        hidden = self.embedding.weight.new_zeros(batch, length, self.config.d_model)
        ages = torch.arange(length, 0, -1, device=hidden.device).expand(batch, -1)
        return Memory(({"hidden": hidden, "ages": ages},))

    def read(self, tokens: Int[Tensor, "b t"], memory: Memory) -> BlockOutput:
        """Return the output of one block, read token by token, with everything kept."""
        [past] = memory.layers
        batch, length = tokens.shape
        if "keys" in past:
            keys, values = past["keys"], past["values"]
        else:
            keys, values = self._keys_and_values(past["hidden"])
        share = self.layer_weight.softmax(0)
        outputs, mixtures = [], []
        for x in self.embedding(tokens).split(1, 1):
            states = [x]
            for layer in self.stack:
                states.append(self._layer(layer, states[-1], keys, values))
            mixtures.append((torch.stack(states, -1) * share).sum(-1))
            outputs.append(states[-1])
            new = self._keys_and_values(mixtures[-1])
            keys, values = (
                torch.cat([old, one], 1) for old, one in zip((keys, values), new, strict=True)
            )
        born = torch.arange(0, -length, -1, device=tokens.device).expand(batch, -1)
        stored = {"keys": keys, "values": values}
        if self.learns:
            stored = {"hidden": torch.cat([past["hidden"], *mixtures], 1).detach()}
        stored["ages"] = torch.cat([past["ages"], born], 1) + length
        seen = torch.arange(length, device=tokens.device) + past["ages"].shape[1]
        return BlockOutput(
            self.logits(torch.cat(outputs, 1)),
            Memory((stored,)),
            keys.new_zeros(batch),
            seen.clamp(max=self.config.window).mean(dtype=torch.float32)[None],
        )

    def forget(self, memory: Memory) -> Memory:
        """Return the last `window` memories."""
        return memory.map(lambda x: x[:, -self.config.window :])

    def _keys_and_values(self, mixture: Tensor) -> tuple[Tensor, Tensor]:
        inputs = self.memory_norm(mixture)
        return self.key(inputs), self.value(inputs)

    def _layer(self, layer: Layer, x: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        heads, window = layer.attention.heads, self.config.window
        q = heads(layer.attention.query(layer.inputs(x)))
        k, v = heads(keys[:, -window:]), heads(values[:, -window:])
        if not k.shape[2]:
            return layer.finish(x, torch.zeros_like(q))
        bias = relative_scores(q, self.key_pe, k.shape[2])[..., :-1]  # not itself
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=layer.dropout_p)
        return layer.finish(x, mixed)
