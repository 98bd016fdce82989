"""One Transformer encoder whose token mixer is an argument.

Legend: b rows of a batch, l tokens of a row, d width of a token, h heads.

A mixer is a module called as `mixer(x, lengths)`; it returns what is added to `x`, in the same
shape. It may answer half precision in float32 (see `LayerNorm`). Rows may be ragged: row i has
`lengths[i]` tokens, the rest is padding that changes nothing. It must be finite: `SelfAttention`
gives it a weight of zero.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F


Lengths = Sequence[int] | Tensor | None
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
}


def row_lengths(lengths: Lengths, num_rows: int, num_tokens: int) -> tuple[int, ...] | None:
    """Return the lengths as numbers, or None where every row is full (a tensor is copied to CPU).

    Raises:
        ValueError: not one length a row, or a length outside 0..num_tokens; names the row.
    """
    if lengths is None:
        return None
    given = lengths.tolist() if isinstance(lengths, Tensor) else lengths
    numbers = tuple(int(n) for n in given)
    if len(numbers) != num_rows:
        raise ValueError(f"{len(numbers)} lengths for {num_rows} rows: give one length a row.")
    for row, n in enumerate(numbers):
        if not 0 <= n <= num_tokens:
            raise ValueError(
                f"lengths[{row}] is {n}, but a row holds 0 to {num_tokens} tokens: "
                "pad the batch to its longest row."
            )
    return None if all(n == num_tokens for n in numbers) else numbers


def token_mask(
    lengths: Sequence[int], num_tokens: int, device: torch.device
) -> Bool[Tensor, "b l"]:
    """Return True where row i has a token, that is at positions below `lengths[i]`."""
    ends = torch.tensor(lengths, device=device)
    return torch.arange(num_tokens, device=device) < ends[:, None]


class LayerNorm(nn.LayerNorm):
    """Layer normalisation that takes float32 into a half-precision model and returns half.

    A mixer's result can dwarf the residual it is added to (443 times for Fourier mixing at 512 x
    768), so the sum must reach the normalisation before it is rounded.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis of `x`, in the wider of the two precisions."""
        if x.dtype == self.weight.dtype or torch.is_autocast_enabled(x.device.type):
            return super().forward(x)
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return F.layer_norm(x, self.normalized_shape, weight, bias, self.eps).to(self.weight.dtype)


class SelfAttention(nn.Module):
    """Multi-head self-attention with biases, the mixer of the original Transformer.

    Args:
        width: d, a multiple of `num_heads`.
        fused: True calls `scaled_dot_product_attention`; False writes the l x l weights out, as
            implementations did before 2022. Both are the same function.
        causal: a token sees itself and what is before it.

    Raises:
        ValueError: `num_heads` does not divide `width`.

    Source: https://arxiv.org/abs/1706.03762, section 3.2.
    Differs: a row of length 0 gives the output bias, not NaN.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        *,
        dropout: float = 0.0,
        fused: bool = True,
        causal: bool = False,
    ) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(
                f"{num_heads} heads do not divide a width of {width}: choose a divisor of it."
            )
        self.num_heads, self.dropout, self.fused, self.causal = num_heads, dropout, fused, causal
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b l d"], lengths: Lengths = None) -> Float[Tensor, "b l d"]:
        """Return attention of every token over its own row; padding, which must be finite, has no weight."""
        b, l, d = x.shape
        qkv = self.query_key_value(x).view(b, l, 3, self.num_heads, d // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # 3 x (b, h, l, d / h)
        mixed = self._attend(q, k, v, self._mask(b, l, lengths, x.device))
        return self.output(mixed.transpose(1, 2).reshape(b, l, d))

    def _mask(self, b: int, l: int, lengths: Lengths, device: torch.device) -> Tensor | None:
        """Return True where a query may look, (b or 1, 1, l or 1, l); None if it may everywhere."""
        ends = row_lengths(lengths, b, l)
        mask = None if ends is None else token_mask(ends, l, device)[:, None, None, :]
        if self.causal and (mask is not None or not self.fused):
            before = torch.ones(l, l, dtype=torch.bool, device=device).tril()
            mask = before[None, None] if mask is None else mask & before
        return mask

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        if self.fused:
            causal = self.causal and mask is None
            return F.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal=causal)
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        if mask is not None:
            # the lowest finite score, then zero: a query that may look nowhere gives 0, not NaN
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        if mask is not None:
            weights = weights.masked_fill(~mask, 0.0)
        return F.dropout(weights, dropout) @ v


class FeedForward(nn.Module):
    """Two layers on every token alone: W2 f(W1 x + b1) + b2."""

    def __init__(self, width: int, hidden: int, activation: str = "gelu") -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"There is no activation {activation!r}: choose one of {', '.join(ACTIVATIONS)}."
            )
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.activation = activation

    def forward(self, x: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows d"]:
        """Apply both layers to the last axis."""
        return self.down(ACTIVATIONS[self.activation](self.up(x)))


class Block(nn.Module):
    """A mixer, then a feed-forward net, each with a residual and a layer normalisation."""

    def __init__(
        self,
        mixer: nn.Module,
        width: int,
        hidden: int,
        *,
        activation: str = "gelu",
        dropout: float = 0.0,
        norm_eps: float = 1e-5,
        norm_first: bool = False,
    ) -> None:
        super().__init__()
        self.mixer = mixer
        self.mixer_norm = LayerNorm(width, eps=norm_eps)
        self.feed_forward = FeedForward(width, hidden, activation)
        self.output_norm = LayerNorm(width, eps=norm_eps)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(self, x: Float[Tensor, "b l d"], lengths: Lengths = None) -> Float[Tensor, "b l d"]:
        """Return LN(z + FF(z)) of z = LN(x + mixer(x)); with `norm_first` LN goes inside."""
        if self.norm_first:
            x = (x + self.mixer(self.mixer_norm(x), lengths)).to(x.dtype)
            return x + self.dropout(self.feed_forward(self.output_norm(x)))
        z = self.mixer_norm(x + self.mixer(x, lengths))
        return self.output_norm(z + self.dropout(self.feed_forward(z)))


class Transformer(nn.Module):
    """A stack of blocks: `Transformer(256, 4, mixer=lambda layer: SelfAttention(256, 4))`.

    Args:
        width: d, features of a token.
        depth: number of blocks.
        mixer: gives the mixer of block 0 .. depth - 1; different blocks may mix differently.
        hidden: width inside the feed-forward net; four times `width` unless told.
        dropout: share of feed-forward outputs dropped in training. Mixers drop for themselves.
        norm_first: normalise before mixer and feed-forward net, not after. The stack then ends
            without a normalisation: add one if you need it.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        mixer: Callable[[int], nn.Module],
        *,
        hidden: int | None = None,
        activation: str = "gelu",
        dropout: float = 0.0,
        norm_eps: float = 1e-5,
        norm_first: bool = False,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(
                mixer(layer),
                width,
                4 * width if hidden is None else hidden,
                activation=activation,
                dropout=dropout,
                norm_eps=norm_eps,
                norm_first=norm_first,
            )
            for layer in range(depth)
        )

    def forward(self, x: Float[Tensor, "b l d"], lengths: Lengths = None) -> Float[Tensor, "b l d"]:
        """Run every block on rows of `lengths` tokens."""
        for block in self.blocks:
            x = block(x, lengths)
        return x
