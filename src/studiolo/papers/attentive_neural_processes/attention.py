"""Ways to gather what a context says about a target: from the plain mean to multi-head attention.

Legend: b tasks, n context points, m targets, x coordinates of a location, w width of `r`.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .kernels import Kernel, kernel_attention
from .layers import Mlp, folded


class CrossAttention(nn.Module, ABC):
    """What every target gathers from the context. Subclasses say how in `gather`."""

    def forward(
        self,
        x_context: Float[Tensor, "_ n x"] | None,
        r: Float[Tensor, "b n w"],
        x_target: Float[Tensor, "_ m x"],
        context_mask: Tensor | None = None,
    ) -> Float[Tensor, "b _ w"]:
        """Return what each target gathers, (b, m, w); (b, 1, w) where all gather the same.

        Args:
            x_context: (b, n, x), or None where the context is the first n points of `x_target`,
                whose features then serve as keys too.
            r: what is known of each context point.
            x_target: (b, m, x), or (1, m, x) for targets that all tasks share.
            context_mask: bool (b, n), True for points that exist. A task without any gathers zeros.
        """
        n = r.shape[1]
        if not n:
            return torch.zeros_like(r).sum(1, keepdim=True)
        query = self.features(x_target)
        key = query[:, :n] if x_context is None else self.features(x_context)
        if context_mask is None:
            return self.gather(query, key, r, None)
        empty = ~context_mask.any(-1, keepdim=True)
        # a softmax over nothing is NaN, and so is its gradient: empty tasks look at padding instead
        gathered = self.gather(query, key, r, context_mask | empty)
        return gathered.masked_fill(empty[..., None], 0)

    def features(self, x: Tensor) -> Tensor:
        """Return what of a location is compared; by default the location."""
        return x

    @abstractmethod
    def gather(self, query: Tensor, key: Tensor, r: Tensor, mask: Tensor | None) -> Tensor:
        """Return what each target gathers where every task has a point.

        `query` and `key` are features, in front b or, where tasks share them, 1.
        """


class UniformAttention(CrossAttention):
    """The plain mean, which makes an attentive neural process a neural process."""

    def gather(self, query: Tensor, key: Tensor, r: Tensor, mask: Tensor | None) -> Tensor:
        """Return the mean of r, once for all targets."""
        return kernel_attention(r[:, :1], r, r, kernel="uniform", mask=mask)


class KernelAttention(CrossAttention):
    """Weights from a fixed kernel on locations: kernel regression with values r.

    Args:
        kernel, scale, normalise: as in `kernel_attention`. With "none" and "laplace" a point's weight
            is 1 + tanh(-|x - x'|₁ / scale), whatever the others are.
        noise: for normalise="solve", where r is interpolated as a Gaussian process would.
    """

    def __init__(
        self,
        kernel: str | Kernel = "laplace",
        scale: float = 1.0,
        *,
        normalise: str = "sum",
        noise: float = 0.1,
    ) -> None:
        super().__init__()
        self.kernel, self.scale, self.normalise, self.noise = kernel, scale, normalise, noise

    def gather(self, query: Tensor, key: Tensor, r: Tensor, mask: Tensor | None) -> Tensor:
        """Return the weighted sum of r for each target."""
        return kernel_attention(
            query, key, r, kernel=self.kernel, scale=self.scale, normalise=self.normalise,
            noise=self.noise, mask=mask,
        )  # fmt: skip


class DotProductAttention(KernelAttention):
    """Weights from a kernel on learned features f(x): softmax(f(x)·f(x') / √w) by default.

    Args:
        x_dim: coordinates of x.
        width: of f, which targets and context share.
        kernel: "dot", or "l2" for exp(-|f(x) - f(x')|² / √w).
        normalise: as in `kernel_attention`; "none" takes the logistic function of the score.
    """

    def __init__(
        self, x_dim: int, width: int, *, kernel: str = "dot", normalise: str = "sum"
    ) -> None:
        super().__init__(kernel, normalise=normalise)
        self.embed = Mlp([x_dim, width, width])

    def features(self, x: Tensor) -> Tensor:
        """Return f(x)."""
        return self.embed(x)


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
        check_heads(width, num_heads)
        self.num_heads = num_heads
        self.embed = Mlp([x_dim, width, width])
        self.query, self.key, self.value, self.output = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )

    def features(self, x: Tensor) -> Tensor:
        """Return f(x) before its last layer, which `gather` multiplies into the maps that follow it."""
        return self.embed.hidden(x)

    def gather(self, query: Tensor, key: Tensor, r: Tensor, mask: Tensor | None) -> Tensor:
        """Return what all heads gather for each target."""
        q = F.linear(query, *folded(self.embed.last, self.query))
        k = F.linear(key, *folded(self.embed.last, self.key))
        return self.output(attend_in_heads(q, k, self.value(r), self.num_heads, mask))


class SelfAttention(nn.Module):
    """What context points gather from each other, added to what they are: x + heads(norm(x)).

    Raises:
        ValueError: `num_heads` does not divide `width`; says both.
    """

    def __init__(self, width: int, num_heads: int = 8) -> None:
        super().__init__()
        check_heads(width, num_heads)
        self.num_heads = num_heads
        self.norm = nn.LayerNorm(width)
        self.maps = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, r: Float[Tensor, "b n w"], mask: Tensor | None) -> Float[Tensor, "b n w"]:
        """Return r with what each point gathers; `mask`, bool (b, n), is True for points that exist."""
        if mask is not None:
            mask = mask | ~mask.any(-1, keepdim=True)  # where no point exists nobody looks
        q, k, v = self.maps(self.norm(r)).chunk(3, -1)
        return r + self.output(attend_in_heads(q, k, v, self.num_heads, mask))


def attend_in_heads(
    q: Float[Tensor, "_ m w"],
    k: Float[Tensor, "_ n w"],
    v: Float[Tensor, "b n w"],
    num_heads: int,
    mask: Tensor | None = None,
) -> Float[Tensor, "b m w"]:
    """Return `kernel_attention` with dot products, each head on its own part of the width.

    It is the framework's fused operation, which keeps no weights.
    """
    q, k, v = (
        part.expand(len(v), -1, -1).unflatten(-1, (num_heads, -1)).transpose(1, 2)
        for part in (q, k, v)
    )
    seen = None if mask is None else mask[:, None, None]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(1, 2).flatten(2)


def check_heads(width: int, num_heads: int) -> None:
    """Refuse heads that do not divide the width."""
    if num_heads < 1 or width % num_heads:
        raise ValueError(f"{num_heads} heads cannot share a width of {width} evenly.")


ATTENTIONS = ("uniform", "laplace", "gaussian", "dot_product", "l2", "multihead")


def attention_named(name: str, *, x_dim: int, width: int, num_heads: int = 8) -> CrossAttention:
    """Return the attention of that name with its usual settings.

    Raises:
        ValueError: another name; lists those known.
    """
    match name:
        case "uniform":
            return UniformAttention()
        case "laplace" | "gaussian":
            return KernelAttention(name)
        case "dot_product":
            return DotProductAttention(x_dim, width)
        case "l2":
            return DotProductAttention(x_dim, width, kernel="l2")
        case "multihead":
            return MultiheadAttention(x_dim, width, num_heads)
    raise ValueError(f"attention is {name!r}; known are {', '.join(ATTENTIONS)}.")
