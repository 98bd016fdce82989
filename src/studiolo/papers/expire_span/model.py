"""One Transformer for every memory: it reads a stream block by block and hands its memory back.

`output = model(tokens, memory)`, then `output.memory` goes into the next call. Siblings differ in what a
layer keeps; attention, positions, feed-forward nets, generation and checks are here once.

Source: https://arxiv.org/abs/2105.06548, section 3; each sibling names its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from .generation import Step, sample_stream
from .memory import Memory


@dataclass(frozen=True, kw_only=True)
class MemoryConfig:
    """Sizes that all models here share.

    Attributes:
        block_size: most tokens a step (M).
        positions: distances that have a learned position; farther memories have none. By default every
            distance of a window, and `block_size` where memories are chosen.
        pre_norm: normalise before attention and feed-forward net, not after.
        dropout: probability, on attention weights and hidden units of the feed-forward layer.

    Raises:
        ValueError: a size or a share makes no sense; says which, and its value.
    """

    vocab_size: int
    d_model: int = 64
    num_heads: int = 2
    num_layers: int = 2
    d_ff: int = 128
    block_size: int = 32
    positions: int | None = None
    pre_norm: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            # every whole number here is a size
            if isinstance(value, int) and not isinstance(value, bool) and value < 1:
                raise ValueError(f"{field.name} = {value}: must be at least 1.")
        if self.d_model % self.num_heads:
            raise ValueError(
                f"d_model = {self.d_model} cannot be split into {self.num_heads} heads: "
                "choose a multiple."
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout = {self.dropout} is a probability from 0 to below 1.")

    @property
    def num_positions(self) -> int:
        """Distances that have a learned position."""
        return self.block_size if self.positions is None else self.positions


@dataclass(frozen=True)
class BlockOutput:
    """What one block of tokens gives.

    Attributes:
        logits: (b, t, vocabulary).
        memory: to be passed to the next block.
        aux_loss: (b,), to be added to the loss: the price of spans, or what teaches a compression.
            That of Expire-Span has the gradient of α · mean span, and its value means nothing (it is
            negative), because only memories on the ramp take part. 0 where a memory learns nothing.
        memory_size: (layers,), how many memories a query could see, on average: the paper's |C_t|.
    """

    logits: Float[Tensor, "b t v"]
    memory: Memory
    aux_loss: Float[Tensor, "b"]
    memory_size: Float[Tensor, "layers"]


class Attention(nn.Module):
    """The projections of multi-head attention, without biases; a model may have only some of them."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    out: nn.Linear

    def __init__(self, d_model: int, num_heads: int, parts: tuple[str, ...]) -> None:
        super().__init__()
        self.num_heads = num_heads
        for part in parts:
            setattr(self, part, nn.Linear(d_model, d_model, bias=False))

    def heads(self, x: Float[Tensor, "b n h"]) -> Float[Tensor, "b k n d"]:
        """Split the width into heads."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class Layer(nn.Module):
    """Norms, projections and feed-forward net of one layer; what attends to what is up to the model."""

    span: nn.Module
    compression: nn.Conv1d

    def __init__(
        self,
        config: MemoryConfig,
        span: nn.Module | None = None,
        parts: tuple[str, ...] = ("query", "key", "value", "out"),
    ) -> None:
        super().__init__()
        self.pre_norm, self.dropout = config.pre_norm, config.dropout
        self.norm1 = nn.LayerNorm(config.d_model)
        if span is not None:
            self.span = span
        self.attention = Attention(config.d_model, config.num_heads, parts)
        self.norm2 = nn.LayerNorm(config.d_model)
        self.expand = nn.Linear(config.d_model, config.d_ff)
        self.contract = nn.Linear(config.d_ff, config.d_model)

    @property
    def dropout_p(self) -> float:
        """Probability of dropout now."""
        return self.dropout if self.training else 0.0

    def inputs(self, hidden: Float[Tensor, "b n h"]) -> Float[Tensor, "b n h"]:
        """Return what attention reads of the layer's inputs."""
        return self.norm1(hidden) if self.pre_norm else hidden

    def keys_and_values(self, inputs: Float[Tensor, "b n h"]) -> tuple[Tensor, Tensor]:
        """Return keys and values, (b, n, h), of what `inputs` gave."""
        return self.attention.key(inputs), self.attention.value(inputs)

    def finish(
        self, hidden: Float[Tensor, "b t h"], mixed: Float[Tensor, "b k t d"]
    ) -> Float[Tensor, "b t h"]:
        """Return the layer's output from its input and what attention gave."""
        hidden = hidden + self.attention.out(mixed.transpose(1, 2).flatten(-2))
        if not self.pre_norm:
            hidden = self.norm1(hidden)
        inner = F.relu(self.expand(self.norm2(hidden) if self.pre_norm else hidden))
        hidden = hidden + self.contract(F.dropout(inner, self.dropout, self.training))
        return hidden if self.pre_norm else self.norm2(hidden)


class MemoryTransformer(nn.Module, ABC):
    """What all siblings share: embedding, positions, layers, readout, blocks, generation and checks."""

    config: MemoryConfig
    initial_length: int  # zero vectors that a stream starts with, as published

    def __init__(
        self, config: MemoryConfig, make_layer: Callable[[int], Layer], initial_length: int
    ) -> None:
        super().__init__()
        self.config = config
        self.initial_length = initial_length
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        head_size = config.d_model // config.num_heads
        # one tensor for all layers and heads; column positions - distance
        self.key_pe = nn.Parameter(torch.randn(head_size, config.num_positions) * 0.02)
        self.layers = nn.ModuleList(make_layer(layer) for layer in range(config.num_layers))
        self.norm = nn.LayerNorm(config.d_model) if config.pre_norm else nn.Identity()
        self.readout = nn.Linear(config.d_model, config.vocab_size)

    @abstractmethod
    def initial_memory(self, batch: int, length: int | None = None) -> Memory:
        """Return `length` zero vectors a layer, attended to as if they had been tokens.

        Args:
            length: as published by default. 0 starts with nothing at all.
        """

    @abstractmethod
    def read(self, tokens: Int[Tensor, "b t"], memory: Memory) -> BlockOutput:
        """Return the output of one block with everything kept; `forward` checks and forgets."""

    def forget(self, memory: Memory) -> Memory:
        """Return the memory without what no later token can see."""
        return memory

    def forward(
        self, tokens: Int[Tensor, "..."], memory: Memory | None = None, *, compact: bool = True
    ) -> BlockOutput:
        """Read one block.

        Args:
            tokens: (b, t), 1 <= t <= block_size.
            memory: what the block before gave; `initial_memory` at the start of a stream.
            compact: delete the memories that no later query can see. This changes no output and no
                gradient at these parameters; an optimizer's step between blocks may lengthen a span
                again, and then only a kept memory can return. `forget(output.memory)` deletes later.

        Raises:
            ValueError: tokens are not one block, or the memory is of another batch, another depth, another
                width, or of inference while gradients are wanted; says what was found.
        """
        if tokens.ndim != 2 or not 1 <= tokens.shape[1] <= self.config.block_size:
            raise ValueError(
                f"tokens have the shape {tuple(tokens.shape)}; one block is (batch, 1 to "
                f"{self.config.block_size}). Longer streams go through `blocks`."
            )
        if memory is None:
            memory = self.initial_memory(tokens.shape[0])
        self._check(memory, tokens.shape[0])
        output = self.read(tokens, memory)
        if not compact:
            return output
        return BlockOutput(
            output.logits, self.forget(output.memory), output.aux_loss, output.memory_size
        )

    def blocks(
        self, tokens: Int[Tensor, "b t"], memory: Memory | None = None, *, compact: bool = True
    ) -> Iterator[BlockOutput]:
        """Yield the output of every block of a stream, from `memory` or an initial one on."""
        for block in tokens.split(self.config.block_size, dim=1):
            output = self(block, memory, compact=compact)
            memory = output.memory
            yield output

    def generate(
        self,
        prompt: Int[Tensor, "b t"],
        length: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
        memory: Memory | None = None,
    ) -> Iterator[Int[Tensor, "b"]]:
        """Yield `length` tokens that continue `prompt`, one of each stream at a time.

        What is remembered stays as small as the memory is, so a stream may be as long as one likes. In
        the end the iterator returns the memory of all but the last token: `memory = yield from ...`.

        Args:
            prompt: at least one token.
            temperature: divides the logits; 0 takes the likeliest token.
            top_k: draw from the k likeliest alone.
            memory: of what came before the prompt.

        Raises:
            ValueError: the prompt is empty, the model is in training mode, or a setting makes no sense.
        """
        if prompt.ndim != 2 or not prompt.shape[1]:
            raise ValueError(
                f"The prompt has the shape {tuple(prompt.shape)}: give (streams, tokens) with at "
                "least one token, such as a newline."
            )
        if temperature < 0 or (top_k is not None and top_k < 1):
            raise ValueError(
                f"temperature = {temperature} must be 0 or more, and top_k = {top_k} at least 1."
            )
        if self.training:
            raise ValueError(
                "The model is in training mode, with dropout and noise: call model.eval() before it writes."
            )
        return sample_stream(self, prompt, length, memory, temperature, top_k, generator)

    def step(self, memory: Memory) -> Step:
        """Return what reads one token a stream at a time, starting from `memory`."""
        return Step(self, memory)

    def logits(self, hidden: Float[Tensor, "b t h"]) -> Float[Tensor, "b t v"]:
        """Return the logits of what the last layer gave."""
        return self.readout(self.norm(hidden))

    def _check(self, memory: Memory, batch: int) -> None:
        if len(memory.layers) != self.memory_layers:
            raise ValueError(
                f"The memory is of {len(memory.layers)} layers and the model's of "
                f"{self.memory_layers}: it belongs to another model."
            )
        held = memory.layers[0]
        width = held["hidden" if "hidden" in held else "keys"].shape[-1]
        if width != self.memory_width:
            raise ValueError(
                f"The memory is of width {width} and the model's of {self.memory_width}: it belongs to "
                "another model."
            )
        if len(memory) != batch:
            raise ValueError(
                f"The memory is of {len(memory)} streams and the tokens are of {batch}: "
                "start anew with memory=None, or choose streams with memory[...]."
            )
        if self.learns and "hidden" not in memory.layers[0]:
            raise ValueError(
                "The memory holds keys and values of inference, through which no weight can learn: "
                "read the stream again in training mode, or under torch.no_grad() in eval mode."
            )

    @property
    def stack(self) -> list[Layer]:
        """The layers, from the first."""
        return cast(list[Layer], list(self.layers))

    @property
    def memory_layers(self) -> int:
        """How many layers a memory of this model has."""
        return len(self.layers)

    @property
    def memory_width(self) -> int:
        """How many numbers a layer keeps of a token."""
        return self.config.d_model

    @property
    def learns(self) -> bool:
        """Whether keys and values are to be computed anew in every block."""
        return self.training or torch.is_grad_enabled()
