"""Expire-Span, the one to use: every memory gets a learned span and is deleted when it has run out.

The masked and renormalised attention a·m / Σ a·m equals softmax(s + log m), so a fused kernel with
an additive bias computes it; a memory with m = 0 has no weight and no gradient now or later, so it
is deleted for good, and nothing changes. A Transformer-XL window of W is the same model with every
span fixed at W and a ramp of 1.

```
b batch   k heads   d head size   h = k d   t new tokens   n memories   s = n + t
```

Source: https://arxiv.org/abs/2105.06548, section 3.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class ExpireSpanConfig:
    """Sizes and settings of an `ExpireSpanTransformer`.

    Attributes:
        block_size: tokens a step (M); positions are known for this many steps back.
        max_span: the longest span a memory can have (L), in tokens.
        ramp: tokens over which an expiring memory fades out (R).
        span_weight: weight of the spans in the loss (α), per token of memory.
        initial_span: span of every memory before training, as a share of `max_span`.
        span_divisor: divides the input of the span predictor; with spans beyond some thousand tokens
            a value such as 64 keeps them from jumping at every update.
        shorten_spans: in training, cap the spans of a block at u · max_span, u ~ U(0, 1).
        dropout: probability, on attention weights and hidden units of the feed-forward layer.
        drop_multiple: memories are deleted in multiples of this many.

    Raises:
        ValueError: a size or a share makes no sense; says which, and its value.
    """

    vocab_size: int
    d_model: int = 64
    num_heads: int = 2
    num_layers: int = 2
    d_ff: int = 128
    block_size: int = 32
    max_span: int = 256
    ramp: int = 16
    span_weight: float = 1e-5
    initial_span: float = 0.1
    span_divisor: float = 1.0
    shorten_spans: bool = False
    pre_norm: bool = True
    dropout: float = 0.0
    drop_multiple: int = 1

    def __post_init__(self) -> None:
        if self.d_model % self.num_heads:
            raise ValueError(
                f"d_model = {self.d_model} cannot be split into {self.num_heads} heads: "
                "choose a multiple."
            )
        if not 0 < self.initial_span < 1:
            raise ValueError(
                f"initial_span = {self.initial_span} is a share of max_span strictly between 0 and 1."
            )
        for name in ("block_size", "max_span", "ramp", "drop_multiple"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least 1.")


@dataclass(frozen=True)
class Memory:
    """What a stream of blocks remembers, layer by layer: past layer inputs and their ages.

    Attributes:
        hidden: (b, n, h) a layer, oldest first, detached; n differs between layers.
        ages: (b, n) a layer, in tokens, as the next token will see them: the last token is 1.
    """

    hidden: tuple[Float[Tensor, "b _ h"], ...]
    ages: tuple[Int[Tensor, "b _"], ...]

    @property
    def sizes(self) -> list[int]:
        """Memories held by every layer, deleted ones not counted."""
        return [hidden.shape[1] for hidden in self.hidden]


@dataclass(frozen=True)
class BlockOutput:
    """What one block of tokens gives.

    Attributes:
        logits: (b, t, vocabulary).
        memory: to be passed to the next block.
        span_loss: (b,), to be added to the loss. Its gradient is that of α · mean span; its value
            means nothing (it is negative), because only memories on the ramp take part.
        memory_size: (layers,), how many memories a query could see, on average: the paper's |C_t|.
        spans: (b, s) a layer, what the predictor gave to memories and new tokens, detached.
    """

    logits: Float[Tensor, "b t v"]
    memory: Memory
    span_loss: Float[Tensor, "b"]
    memory_size: Float[Tensor, "layers"]
    spans: tuple[Float[Tensor, "b _"], ...]


def memory_weight(
    spans: Float[Tensor, "b s"], ages: Int[Tensor, "b t s"], ramp: int
) -> Float[Tensor, "b t s"]:
    """Return m = clamp(1 + (span - age) / ramp, 0, 1), and 0 where the age is below 1.

    Ages are subtracted in at least 32 bits: bfloat16 has no odd integer above 256.
    """
    remaining = spans.to(_span_dtype(spans.dtype))[:, None] - ages
    return torch.clamp(1 + remaining / ramp, 0, 1).where(ages >= 1, 0)


def expire_span_attention(
    q: Float[Tensor, "b k t d"],
    k: Float[Tensor, "b k s d"],
    v: Float[Tensor, "b k s d"],
    weight: Float[Tensor, "b t s"],
    bias: Float[Tensor, "b k t s"] | None = None,
    dropout_p: float = 0.0,
) -> Float[Tensor, "b k t d"]:
    """Return softmax(q kᵀ / √d + bias + log weight) v: attention, masked and renormalised.

    A query that can see nothing gets zeros, and passes no gradient.

    Args:
        weight: m of `memory_weight`; 0 hides a memory, between 0 and 1 it fades.
        bias: added to the scores, for positions.

    Source: https://arxiv.org/abs/2105.06548, equation (6) and the sentence after it.
    Differs: the paper adds 1e-8 to the denominator, which moves the result by as much.
    """
    seen = weight > 0
    # the inner `where` keeps the gradient of log at 0 from becoming 0 · ∞
    scores = weight.where(seen, 1).log().where(seen, -torch.inf)[:, None].to(q.dtype)
    if bias is not None:
        scores = scores + bias
    return F.scaled_dot_product_attention(q, k, v, attn_mask=scores, dropout_p=dropout_p)


def relative_scores(
    q: Float[Tensor, "b k t d"], positions: Float[Tensor, "d m"], num_memories: int
) -> Float[Tensor, "b k t s"]:
    """Return q · positions[distance] / √d for distances 1..m and 0 beyond, aligned with the keys.

    Keys are `num_memories` memories, of which the last m are the last m tokens without a gap, and
    then the t tokens of the queries.
    """
    length, block = q.shape[-2], positions.shape[1]
    by_distance = q @ positions * q.shape[-1] ** -0.5  # (b, k, t, m), distance m first
    # row j has to move j to the right: pad each row by one more than the block, then re-cut the rows
    padded = F.pad(by_distance, (0, length + 1)).flatten(-2)
    near = padded[..., : length * (block + length)].unflatten(-1, (length, block + length))
    return F.pad(near, (num_memories - block, 0))  # a negative pad cuts


class ExpireSpan(nn.Module):
    """Predict for every memory how many tokens it is worth keeping: L σ(w·h + b).

    Spans are at least 32-bit floats whatever the input is, autocast included.
    """

    def __init__(self, d_model: int, max_span: int, initial: float, divisor: float = 1.0) -> None:
        super().__init__()
        self.max_span = max_span
        self.divisor = divisor
        self.weight = nn.Parameter(torch.zeros(d_model))
        self.bias = nn.Parameter(torch.logit(torch.tensor(initial, dtype=torch.float64)).float())

    def forward(self, hidden: Float[Tensor, "b n h"]) -> Float[Tensor, "b n"]:
        """Return the spans of `hidden`, in tokens."""
        dtype = _span_dtype(hidden.dtype)
        with torch.autocast(hidden.device.type, enabled=False):
            score = hidden.to(dtype) / self.divisor @ self.weight.to(dtype)
            return self.max_span * torch.sigmoid(score + self.bias.to(dtype))


class FixedSpan(nn.Module):
    """Give every memory the same span: with a ramp of 1, the sliding window of Transformer-XL."""

    def __init__(self, span: int) -> None:
        super().__init__()
        self.span = span

    def forward(self, hidden: Float[Tensor, "b n h"]) -> Float[Tensor, "b n"]:
        """Return `span` for every memory."""
        return hidden.new_full(hidden.shape[:2], self.span, dtype=_span_dtype(hidden.dtype))


class _Attention(nn.Module):
    """The four projections of multi-head attention."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (
            nn.Linear(d_model, d_model, bias=False) for _ in range(4)
        )


class _Layer(nn.Module):
    def __init__(self, config: ExpireSpanConfig, span: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.norm1 = nn.LayerNorm(config.d_model)
        self.span = span
        self.attention = _Attention(config.d_model)
        self.norm2 = nn.LayerNorm(config.d_model)
        self.expand = nn.Linear(config.d_model, config.d_ff)
        self.contract = nn.Linear(config.d_ff, config.d_model)

    def forward(
        self,
        hidden: Float[Tensor, "b t h"],
        past: Float[Tensor, "b n h"],
        ages: Int[Tensor, "b s"],
        positions: Float[Tensor, "d m"],
        longest: Tensor | None,
    ) -> tuple[
        Float[Tensor, "b t h"],
        Float[Tensor, "b s"],
        Float[Tensor, "b t s"],
    ]:
        """Return the layer's output, the spans, and the weights m.

        Args:
            ages: of memories and new tokens, as the first new token sees them.
            longest: cap on the spans of this block; the spans returned are not capped.
        """
        config = self.config
        length = hidden.shape[1]
        keys = torch.cat([past, hidden], 1)
        if config.pre_norm:
            keys = self.norm1(keys)
        spans = self.span(keys)
        capped = spans if longest is None else spans.minimum(longest)
        query_ages = ages[:, None] + torch.arange(length, device=ages.device)[:, None]
        weight = memory_weight(capped, query_ages, config.ramp)
        q, k, v = (
            part(x).unflatten(-1, (config.num_heads, -1)).transpose(1, 2)
            for part, x in (
                (self.attention.query, keys[:, -length:]),
                (self.attention.key, keys),
                (self.attention.value, keys),
            )
        )
        dropout_p = config.dropout if self.training else 0.0
        bias = relative_scores(q, positions, past.shape[1])
        mixed = expire_span_attention(q, k, v, weight, bias, dropout_p)
        hidden = hidden + self.attention.out(mixed.transpose(1, 2).flatten(-2))
        if not config.pre_norm:
            hidden = self.norm1(hidden)
        inner = F.relu(self.expand(self.norm2(hidden) if config.pre_norm else hidden))
        hidden = hidden + self.contract(F.dropout(inner, config.dropout, self.training))
        if not config.pre_norm:
            hidden = self.norm2(hidden)
        return hidden, spans, weight


class _BlockTransformer(nn.Module):
    """A Transformer that reads a stream block by block and keeps what its spans allow."""

    def __init__(self, config: ExpireSpanConfig, make_span: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        head_size = config.d_model // config.num_heads
        # one tensor for all layers and heads; column m - distance
        self.key_pe = nn.Parameter(torch.randn(head_size, config.block_size) * 0.02)
        self.layers = nn.ModuleList(_Layer(config, make_span()) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.d_model) if config.pre_norm else nn.Identity()
        self.readout = nn.Linear(config.d_model, config.vocab_size)

    def initial_memory(self, batch: int, length: int | None = None) -> Memory:
        """Return `length` zero vectors a layer, attended to as if they had been tokens.

        Args:
            length: `block_size` by default, as published. 0 starts with nothing at all.
        """
        if length is None:
            length = self.config.block_size
        weight = self.embedding.weight
        ages = torch.arange(length, 0, -1, device=weight.device).expand(batch, -1)
        hidden = weight.new_zeros(batch, length, self.config.d_model)
        return Memory((hidden,) * len(self.layers), (ages,) * len(self.layers))

    def forward(
        self, tokens: Int[Tensor, "..."], memory: Memory | None = None, *, compact: bool = True
    ) -> BlockOutput:
        """Read one block.

        Args:
            tokens: (b, t), 1 <= t <= block_size.
            memory: what the block before gave; `initial_memory` at the start of a stream.
            compact: delete the memories that no later query can see. This changes no output and no
                gradient at these parameters; an optimizer's step between blocks may lengthen a span
                again, and then only a kept memory can return.

        Raises:
            ValueError: tokens are not one block, or the memory is of another batch; says both sizes.
        """
        config = self.config
        if tokens.ndim != 2 or not 1 <= tokens.shape[1] <= config.block_size:
            raise ValueError(
                f"tokens have the shape {tuple(tokens.shape)}; one block is (batch, 1 to "
                f"{config.block_size}). Longer streams go through `blocks`."
            )
        batch, length = tokens.shape
        if memory is None:
            memory = self.initial_memory(batch)
        if memory.hidden[0].shape[0] != batch:
            raise ValueError(
                f"The memory is of {memory.hidden[0].shape[0]} streams and the tokens are of {batch}: "
                "start anew with memory=None."
            )
        hidden = self.embedding(tokens)
        longest = None
        if self.training and config.shorten_spans:
            longest = config.max_span * torch.rand((), device=tokens.device)
        new_ages = torch.arange(0, -length, -1, device=tokens.device).expand(batch, -1)
        kept, ages, spans, losses, sizes = [], [], [], [], []
        for layer, past, past_ages in zip(self.layers, memory.hidden, memory.ages, strict=True):
            kept.append(torch.cat([past, hidden], 1).detach())
            ages.append(torch.cat([past_ages, new_ages], 1))
            hidden, span, weight = layer(hidden, past, ages[-1], self.key_pe, longest)
            spans.append(span.detach())
            # r = (m - 1) · ramp on the ramp, so α / (ramp · t) Σ r is α / t Σ (m - 1)
            on_ramp = (weight > 0) & (weight < 1)
            losses.append((weight - 1).where(on_ramp, 0).sum((1, 2)))
            sizes.append((weight > 0).sum(-1).mean(dtype=torch.float32))
        following = Memory(tuple(kept), tuple(age + length for age in ages))
        return BlockOutput(
            logits=self.readout(self.norm(hidden)),
            memory=self._compacted(following, spans) if compact else following,
            span_loss=config.span_weight / length * torch.stack(losses).sum(0),
            memory_size=torch.stack(sizes),
            spans=tuple(spans),
        )

    def blocks(self, tokens: Int[Tensor, "b t"], *, compact: bool = True) -> Iterator[BlockOutput]:
        """Yield the output of every block of a stream, from an initial memory on."""
        memory = None
        for block in tokens.split(self.config.block_size, dim=1):
            output = self(block, memory, compact=compact)
            memory = output.memory
            yield output

    def _compacted(self, memory: Memory, spans: list[Float[Tensor, "b _"]]) -> Memory:
        """Delete what the next query and all later ones weigh 0; rows delete equally many.

        The last `block_size` tokens stay, because positions need them without a gap.
        """
        config = self.config
        left = [
            (span + config.ramp - age).where(age > config.block_size, torch.inf)
            for span, age in zip(spans, memory.ages, strict=True)
        ]
        expired = torch.stack([(one <= 0).sum(1).amin() for one in left])
        hidden, ages = list(memory.hidden), list(memory.ages)
        for layer, count in enumerate(expired.tolist()):  # the only wait for the device in a block
            drop = count - count % config.drop_multiple
            if drop:
                stay = left[layer].argsort(1)[:, drop:].sort(1).values
                ages[layer] = ages[layer].gather(1, stay)
                hidden[layer] = hidden[layer].take_along_dim(stay[..., None], 1)
        return Memory(tuple(hidden), tuple(ages))


class ExpireSpanTransformer(_BlockTransformer):
    """A language model whose memories expire, each after a span predicted from its content.

    Example:
        ```python
        model = ExpireSpanTransformer(ExpireSpanConfig(vocab_size=256, max_span=4096))
        for output in model.blocks(tokens):
            ...
        ```

    Source: https://arxiv.org/abs/2105.06548, section 3.
    """

    def __init__(self, config: ExpireSpanConfig) -> None:
        super().__init__(
            config,
            lambda: ExpireSpan(
                config.d_model, config.max_span, config.initial_span, config.span_divisor
            ),
        )


class TransformerXL(_BlockTransformer):
    """The sibling without spans: every query sees the `window` tokens before it and no more.

    Args:
        window: memories a query sees; takes the place of `max_span`, and the ramp is 1.

    Source: https://arxiv.org/abs/1901.02860, with learned relative positions of the keys.
    """

    def __init__(self, config: ExpireSpanConfig, window: int) -> None:
        config = replace(config, max_span=window, ramp=1, shorten_spans=False)
        super().__init__(config, lambda: FixedSpan(window))


def _span_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
