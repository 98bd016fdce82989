"""Neural processes with and without attention: a context in, distributions at targets out.

Legend: b tasks, n points, c of them in front that may be context, m targets, x and y coordinates of a
point, s samples of z, w width.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import CrossAttention, SelfAttention, attention_named
from .gaussian import Gaussian
from .layers import Mlp, masked_mean, precise_linear


class Encoder(nn.Module):
    """What is known of each point (x, y): a network, then layers in which points attend to each other."""

    def __init__(self, point_dim: int, width: int, num_layers: int, num_heads: int) -> None:
        super().__init__()
        self.mlp = Mlp([point_dim, width, width, width, width])
        self.attention = nn.ModuleList(SelfAttention(width, num_heads) for _ in range(num_layers))

    def hidden(self, points: Float[Tensor, "b n p"], mask: Tensor | None) -> Tensor:
        """Return (b, n, w) before the last layer; only points of `mask`, bool (b, n), are attended to."""
        hidden = self.mlp.hidden(points)
        for layer in self.attention:
            hidden = layer(hidden, mask)
        return hidden

    def forward(self, points: Float[Tensor, "b n p"], mask: Tensor | None) -> Tensor:
        """Return r, (b, n, w)."""
        return self.mlp.last(self.hidden(points, mask))


class LatentEncoder(nn.Module):
    """q(z | points): each point encoded, their mean through another network."""

    def __init__(
        self, point_dim: int, width: int, latent_dim: int, num_layers: int, num_heads: int
    ) -> None:
        super().__init__()
        hidden = (width + latent_dim) // 2
        self.encoder = Encoder(point_dim, width, num_layers, num_heads)
        self.hidden = nn.Linear(width, hidden)
        self.head = nn.Linear(hidden, 2 * latent_dim)

    def forward(self, points: Tensor, *masks: Tensor | None) -> list[Gaussian]:
        """Return q(z | points of the mask), (b, z), for each mask, bool (b, n) or None for all points.

        Points are encoded once for all masks unless they attend to each other.
        """
        if self.encoder.attention:
            return [self._of(self.encoder.hidden(points, mask), mask) for mask in masks]
        hidden = self.encoder.hidden(points, None)
        return [self._of(hidden, mask) for mask in masks]

    def _of(self, hidden: Tensor, mask: Tensor | None) -> Gaussian:
        mean, some = masked_mean(hidden, mask)
        s = self.encoder.mlp.last(mean).masked_fill(
            ~some, 0
        )  # the last layer commutes with the mean
        mean, raw = _at_least_float(self.head(self.hidden(s).relu_())).chunk(2, -1)
        return Gaussian(mean, 0.1 + 0.9 * raw.sigmoid())


class Decoder(nn.Module):
    """p(y | x, r, z): a network over [x, r, z], normal with a standard deviation above `min_std`.

    The first layer's matrix is applied to x, r and z apart: z, and r under uniform attention, are
    the same for all targets of a task and are multiplied once, not once a target.
    """

    def __init__(self, sizes: tuple[int, int, int], y_dim: int, width: int, min_std: float) -> None:
        super().__init__()
        self.sizes, self.min_std = sizes, min_std  # sizes of x, r and z
        self.first = nn.Linear(sum(sizes), width)
        self.second = nn.Linear(width, width)
        self.head = nn.Linear(width, 2 * y_dim)

    def forward(self, x: Tensor, r: Tensor | None, z: Tensor | None) -> Gaussian:
        """Return p(y | x, r, z), (s, b, m, y), for x (b or 1, m, x), r (b, m or 1, w) and z (s, b, z)."""
        of_x, of_r, of_z = self.first.weight.split(self.sizes, 1)
        hidden = precise_linear(x, of_x, self.first.bias)[None]
        if r is not None:
            hidden = hidden + F.linear(r, of_r)
        if z is not None:
            hidden = hidden + F.linear(z.to(of_z.dtype), of_z)[:, :, None]
        hidden = self.second(hidden.relu_()).relu_()  # in place: sums and products are not kept
        mean, raw = _at_least_float(self.head(hidden)).chunk(2, -1)
        return Gaussian(mean, self.min_std + (1 - self.min_std) * F.softplus(raw))


class Elbo(NamedTuple):
    """The two parts of the bound on log p(y_T | x_T, context)."""

    log_prob: Tensor
    """(b, n): log p(y_i | x_i, r_i, z) summed over coordinates, with one z ~ q(z | all points); 0 for padding."""
    kl: Tensor
    """(b,): KL(q(z | all points) || q(z | context)); zeros without a latent path."""
    num_points: Tensor
    """(b,): points that exist."""

    @property
    def loss(self) -> Tensor:
        """Mean over tasks of -(bound / number of points), to be minimised; 0 for a batch of no tasks."""
        each = (self.kl - self.log_prob.sum(1)) / self.num_points.clamp(min=1)
        return each.sum() / max(1, len(each))


class NeuralProcess(nn.Module):
    """A distribution over functions given some of their points, learned from other functions.

    Args:
        x_dim, y_dim: coordinates of a location and of an observation.
        width: of r, z and every layer.
        attention: how a target gathers from the context: "uniform" (a plain neural process),
            "laplace", "gaussian", "dot_product", "l2", "multihead", or a `CrossAttention` of your own.
            None leaves the deterministic path out.
        num_heads: heads of "multihead" and of self-attention.
        self_attention: layers in which points attend to each other while they are encoded, in both paths.
        latent: False leaves z out (a conditional neural process).
        min_std: least standard deviation of an observation; no density exceeds that of N(0, min_std²).

    Raises:
        ValueError: neither path is left; heads that do not divide the width; `min_std` outside (0, 1).

    Example:
        >>> model = NeuralProcess(attention="multihead", width=32)
        >>> x = torch.linspace(-1, 1, 20)[None, :, None]
        >>> model(x[:, :5], x[:, :5].sin(), x, num_samples=3).mean.shape
        torch.Size([3, 1, 20, 1])

    Source: https://arxiv.org/abs/1901.05761, section 3, with the layers of the published notebook.
    Differs: each task of a batch may have its own number of context points, none included.
    """

    def __init__(
        self,
        x_dim: int = 1,
        y_dim: int = 1,
        *,
        width: int = 128,
        attention: str | CrossAttention | None = "multihead",
        num_heads: int = 8,
        self_attention: int = 0,
        latent: bool = True,
        min_std: float = 0.1,
    ) -> None:
        super().__init__()
        if attention is None and not latent:
            raise ValueError(
                "attention is None and latent is False: nothing of the context is left."
            )
        if not 0 < min_std < 1:
            raise ValueError(f"min_std is {min_std:g}; it must lie between 0 and 1.")
        if isinstance(attention, str):
            attention = attention_named(attention, x_dim=x_dim, width=width, num_heads=num_heads)
        self.attention = attention
        sizes = x_dim + y_dim, width
        layers = self_attention, num_heads
        self.encoder = None if attention is None else Encoder(*sizes, *layers)
        self.latent_encoder = LatentEncoder(*sizes, width, *layers) if latent else None
        self.decoder = Decoder(
            (x_dim, width if self.encoder else 0, width if latent else 0), y_dim, width, min_std
        )

    def forward(
        self,
        x_context: Float[Tensor, "..."],
        y_context: Float[Tensor, "..."],
        x_target: Float[Tensor, "..."],
        context_mask: Tensor | None = None,
        *,
        num_samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> Gaussian:
        """Return p(y | x_target, z, context), one row a sample of z ~ q(z | context).

        Args:
            x_context, y_context: (b, n, x) and (b, n, y); n may be 0.
            x_target: (b, m, x), or (1, m, x) for targets that all tasks share, whose features are then
                computed once.
            context_mask: bool (b, n), True for context points, False for padding, which may hold
                anything. None: all are context.
            num_samples: s; without a latent path one row stands for all.

        Returns:
            mean and standard deviation, (s, b, m, y). Targets are independent given z.

        Raises:
            ValueError: shapes that do not fit; says them.
        """
        _check_points(x_context, y_context, "context")
        _check_mask(x_context, context_mask, "context's mask")
        b, _, x_dim = x_context.shape
        if x_target.ndim != 3 or x_target.shape[2] != x_dim or len(x_target) not in (b, 1):
            raise ValueError(
                f"x_target is {tuple(x_target.shape)}, but a context of {tuple(x_context.shape)} "
                f"needs ({b} or 1, targets, {x_dim})."
            )
        x_context, y_context = _without_padding(x_context, y_context, context_mask)
        points = torch.cat([x_context, y_context], -1)
        r = z = None
        if self.attention is not None and self.encoder is not None:
            r = self.attention(
                x_context, self.encoder(points, context_mask), x_target, context_mask
            )
        if self.latent_encoder is not None:
            (prior,) = self.latent_encoder(points, context_mask)
            z = prior.sample(num_samples, generator=generator)
        return self.decoder(x_target, r, z)

    def elbo(
        self,
        x: Float[Tensor, "..."],
        y: Float[Tensor, "..."],
        is_context: Tensor,
        *,
        mask: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Elbo:
        """Return the training bound, the points of a task being its targets, some of them its context.

        Every point is encoded once in each path; the context is a mask over the same encodings.

        Args:
            x, y: (b, n, x) and (b, n, y).
            is_context: bool (b, n); or (b, c) with c below n where no point after the first c is
                context, which saves encoding them.
            mask: bool (b, n), True for points that exist; padding may hold anything. None: all exist.

        Raises:
            ValueError: shapes that do not fit; says them.
        """
        _check_points(x, y, "task")
        _check_mask(x[:, : is_context.shape[-1]], is_context, "task's is_context")
        _check_mask(x, mask, "task's mask")
        x, y = _without_padding(x, y, mask)
        c = is_context.shape[1]
        if mask is not None:
            is_context = is_context & mask[:, :c]
        points = torch.cat([x, y], -1)
        r, z, kl = None, None, x.new_zeros(len(x))
        if self.attention is not None and self.encoder is not None:
            r = self.attention(None, self.encoder(points[:, :c], is_context), x, is_context)
        if self.latent_encoder is not None:
            given = F.pad(is_context, (0, x.shape[1] - c))
            posterior, prior = self.latent_encoder(points, mask, given)
            z = posterior.sample(1, generator=generator)
            kl = posterior.kl(prior).sum(-1)
        log_prob = self.decoder(x, r, z).log_prob(y).sum(-1)[0]
        if mask is None:
            return Elbo(log_prob, kl, torch.full_like(kl, x.shape[1]))
        return Elbo(log_prob.masked_fill(~mask, 0), kl, mask.sum(-1))


def log_likelihood(prediction: Gaussian, y: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return log p(y_T | x_T, context), (b,), all targets of a task together, z integrated out.

    It is the logarithm of a mean over the prediction's samples, hence too low on average, the less so
    the more samples there are.

    Args:
        prediction: what a model returned for the targets, (s, b, m, y).
        y: (b, m, y).
        mask: bool (b, m), True for targets that count; None: all.
    """
    if mask is not None:
        y = y.masked_fill(~mask[..., None], 0)  # NaN would come back through the gradient
    each = prediction.log_prob(y).sum(-1)
    if mask is not None:
        each = each.masked_fill(~mask, 0)
    return each.sum(-1).logsumexp(0) - math.log(len(each))


def _at_least_float(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _without_padding(x: Tensor, y: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return points whose padding is zero: NaN there would come through any weight of zero."""
    if mask is None:
        return x, y
    padding = ~mask[..., None]
    return x.masked_fill(padding, 0), y.masked_fill(padding, 0)


def _check_points(x: Tensor, y: Tensor, name: str) -> None:
    if x.ndim != 3 or y.ndim != 3 or x.shape[:2] != y.shape[:2]:
        raise ValueError(
            f"The {name}'s x is {tuple(x.shape)} and its y {tuple(y.shape)}; "
            "they must be (tasks, points, coordinates) of the same tasks and points."
        )


def _check_mask(x: Tensor, mask: Tensor | None, name: str) -> None:
    if mask is not None and (mask.dtype != torch.bool or mask.shape != x.shape[:2]):
        raise ValueError(
            f"The {name} is {mask.dtype} {tuple(mask.shape)}; "
            f"for points {tuple(x.shape)} it must be bool {tuple(x.shape[:2])}."
        )
