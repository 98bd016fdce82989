"""Ways to gather what a context says about a target: from the plain mean to multi-head attention.

Legend: b tasks, n context points, m targets, x coordinates of a location, w width of `r`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which autocast is off."""
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


class Mlp(nn.Sequential):
    """Linear layers of the given sizes with ReLU between them.

    The first layer keeps the precision of its weights under autocast: in bfloat16 two locations near
    2 are at least 0.008 apart, which is no longer small against a length scale of 0.1.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        super().__init__(*layers[:-1])

    def forward(self, x: Float[Tensor, "*rows i"]) -> Float[Tensor, "*rows o"]:
        """Apply all layers to the last axis."""
        first, *others = self
        with full_precision(x.device):
            hidden = first(x)
        for layer in others:
            hidden = layer(hidden)
        return hidden


def masked_mean(values: Float[Tensor, "b n w"], mask: Tensor | None) -> Float[Tensor, "b w"]:
    """Return the mean over the points that `mask`, bool (b, n), lets through; zeros if it is none."""
    if mask is None:
        return values.sum(1) / max(1, values.shape[1])
    total = (mask.to(values.dtype)[:, None] @ values)[:, 0]
    return total / mask.sum(-1, keepdim=True).clamp(min=1)


class CrossAttention(nn.Module, ABC):
    """What every target gathers from the context. Subclasses say how in `attend`."""

    def forward(
        self,
        x_context: Float[Tensor, "b n x"],
        r: Float[Tensor, "b n w"],
        x_target: Float[Tensor, "b m x"],
        context_mask: Tensor | None = None,
    ) -> Float[Tensor, "b _ w"]:
        """Return what each target gathers, (b, m, w); (b, 1, w) where all gather the same.

        Args:
            r: what is known of each context point.
            context_mask: bool (b, n), True for points that exist. A task without any gathers zeros.
        """
        if not r.shape[1]:
            return torch.zeros_like(r).sum(1, keepdim=True)
        if context_mask is None:
            return self.attend(x_context, r, x_target, None)
        empty = ~context_mask.any(-1, keepdim=True)
        # a softmax over nothing is NaN, and so is its gradient: empty tasks look at padding instead
        gathered = self.attend(x_context, r, x_target, context_mask | empty)
        return gathered.masked_fill(empty[..., None], 0)

    @abstractmethod
    def attend(self, x_context: Tensor, r: Tensor, x_target: Tensor, mask: Tensor | None) -> Tensor:
        """Return the same where every task has a point; `x_target is x_context` may be used."""


class UniformAttention(CrossAttention):
    """The plain mean, which makes an attentive neural process a neural process."""

    def attend(self, x_context: Tensor, r: Tensor, x_target: Tensor, mask: Tensor | None) -> Tensor:
        """Return the mean of r, once for all targets."""
        return masked_mean(r, mask)[:, None]


class LaplaceAttention(CrossAttention):
    """Weights exp(-|x - x'|₁ / scale) over their sum: kernel regression with values r.

    Args:
        scale: distance over which a weight falls to 1/e.
        normalize: False takes the weights 1 + tanh(-|x - x'|₁ / scale) as they are.
    """

    def __init__(self, scale: float = 1.0, *, normalize: bool = True) -> None:
        super().__init__()
        self.scale, self.normalize = scale, normalize

    def attend(self, x_context: Tensor, r: Tensor, x_target: Tensor, mask: Tensor | None) -> Tensor:
        """Return the weighted sum of r for each target."""
        score = -torch.cdist(x_target, x_context, p=1) / self.scale
        weights = _softmax(score, mask) if self.normalize else _masked(1 + score.tanh(), mask)
        return weights.to(r.dtype) @ r


class DotProductAttention(CrossAttention):
    """Weights softmax(f(x)·f(x') / √w) with one learned f for targets and context.

    Args:
        x_dim: coordinates of x.
        width: of f.
        normalize: False takes the weights sigmoid(f(x)·f(x') / √w) as they are.
    """

    def __init__(self, x_dim: int, width: int, *, normalize: bool = True) -> None:
        super().__init__()
        self.normalize = normalize
        self.embed = Mlp([x_dim, width, width])

    def attend(self, x_context: Tensor, r: Tensor, x_target: Tensor, mask: Tensor | None) -> Tensor:
        """Return the weighted sum of r for each target."""
        key = self.embed(x_context)
        query = key if x_target is x_context else self.embed(x_target)
        score = query @ key.mT * key.shape[-1] ** -0.5
        weights = _softmax(score, mask) if self.normalize else _masked(score.sigmoid(), mask)
        return weights.to(r.dtype) @ r


class MultiheadAttention(CrossAttention):
    """Heads of dot-product attention over linear maps of f(x), f(x') and r, then a linear map.

    Args:
        x_dim: coordinates of x.
        width: of r, of f and of what is returned.
        num_heads: heads; must divide `width`.

    Raises:
        ValueError: `num_heads` does not divide `width`; says both.
    """

    def __init__(self, x_dim: int, width: int, num_heads: int = 8) -> None:
        super().__init__()
        if num_heads < 1 or width % num_heads:
            raise ValueError(f"{num_heads} heads cannot share a width of {width} evenly.")
        self.num_heads = num_heads
        self.embed = Mlp([x_dim, width, width])
        self.query, self.key, self.value, self.output = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )

    def attend(self, x_context: Tensor, r: Tensor, x_target: Tensor, mask: Tensor | None) -> Tensor:
        """Return what all heads gather for each target."""
        key = self.embed(x_context)
        query = key if x_target is x_context else self.embed(x_target)
        q, k, v = (
            part.unflatten(-1, (self.num_heads, -1)).transpose(
                1, 2
            )  # (b, heads, points, w / heads)
            for part in (self.query(query), self.key(key), self.value(r))
        )
        seen = None if mask is None else mask[:, None, None]
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return self.output(mixed.transpose(1, 2).flatten(2))


def _softmax(score: Tensor, mask: Tensor | None) -> Tensor:
    if mask is not None:
        score = score.masked_fill(~mask[:, None], -torch.inf)
    return score.softmax(-1)


def _masked(weights: Tensor, mask: Tensor | None) -> Tensor:
    return weights if mask is None else weights.masked_fill(~mask[:, None], 0)


ATTENTIONS = ("uniform", "laplace", "dot_product", "multihead")


def attention_named(name: str, *, x_dim: int, width: int, num_heads: int = 8) -> CrossAttention:
    """Return the attention of that name with its usual settings.

    Raises:
        ValueError: another name; lists those known.
    """
    match name:
        case "uniform":
            return UniformAttention()
        case "laplace":
            return LaplaceAttention()
        case "dot_product":
            return DotProductAttention(x_dim, width)
        case "multihead":
            return MultiheadAttention(x_dim, width, num_heads)
    raise ValueError(f"attention is {name!r}; known are {', '.join(ATTENTIONS)}.")
