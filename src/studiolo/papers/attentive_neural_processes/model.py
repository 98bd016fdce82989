"""Neural processes with and without attention: a context in, distributions at targets out.

Legend: b tasks, n context points, m targets, x and y coordinates of a point, s samples of z.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import CrossAttention, Mlp, attention_named, full_precision, masked_mean
from .gaussian import Gaussian


class LatentEncoder(nn.Module):
    """q(z | points): each point through a network, their mean through another.

    `points` and `forward` are apart, so that the context's distribution and that of all points share
    the first network's work.
    """

    def __init__(self, point_dim: int, width: int, latent_dim: int) -> None:
        super().__init__()
        hidden = (width + latent_dim) // 2
        self.points = Mlp([point_dim, width, width, width, width])
        self.hidden = nn.Linear(width, hidden)
        self.parameters_of_z = nn.Linear(hidden, 2 * latent_dim)

    def forward(self, s: Float[Tensor, "b n w"], mask: Tensor | None = None) -> Gaussian:
        """Return q(z | s), (b, z), for encoded points `s` and a bool mask (b, n) of those that count."""
        hidden = self.hidden(masked_mean(s, mask)).relu()
        mean, raw = _at_least_float(self.parameters_of_z(hidden)).chunk(2, -1)
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
        self.parameters_of_y = nn.Linear(width, 2 * y_dim)

    def forward(self, x: Tensor, r: Tensor | None, z: Tensor | None) -> Gaussian:
        """Return p(y | x, r, z), (s, b, m, y), for x (b, m, x), r (b, m or 1, w) and z (s, b, z)."""
        of_x, of_r, of_z = self.first.weight.split(self.sizes, 1)
        with full_precision(x.device):  # locations keep theirs
            hidden = F.linear(x, of_x, self.first.bias)[None]
        if r is not None:
            hidden = hidden + F.linear(r, of_r)
        if z is not None:
            hidden = hidden + F.linear(z, of_z)[:, :, None]
        hidden = self.second(hidden.relu()).relu()
        mean, raw = _at_least_float(self.parameters_of_y(hidden)).chunk(2, -1)
        return Gaussian(mean, self.min_std + (1 - self.min_std) * F.softplus(raw))


class Elbo(NamedTuple):
    """The two parts of the bound on log p(y_T | x_T, context)."""

    log_prob: Tensor
    """(b, n): log p(y_i | x_i, r_i, z) summed over coordinates, with one z ~ q(z | all points)."""
    kl: Tensor
    """(b,): KL(q(z | all points) || q(z | context)); zeros without a latent path."""

    @property
    def loss(self) -> Tensor:
        """Mean over tasks of -(bound / number of points), to be minimised."""
        return (self.kl / self.log_prob.shape[1] - self.log_prob.mean(1)).mean()


class NeuralProcess(nn.Module):
    """A distribution over functions given some of their points, learned from other functions.

    Args:
        x_dim, y_dim: coordinates of a location and of an observation.
        width: of r, z and every layer.
        attention: how a target gathers from the context: "uniform" (a plain neural process),
            "laplace", "dot_product", "multihead", or a `CrossAttention` of your own. None leaves the
            deterministic path out.
        num_heads: heads of "multihead".
        latent: False leaves z out (a conditional neural process).
        min_std: least standard deviation of an observation; no density exceeds that of N(0, min_std²).

    Raises:
        ValueError: neither path is left.

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
        latent: bool = True,
        min_std: float = 0.1,
    ) -> None:
        super().__init__()
        if attention is None and not latent:
            raise ValueError(
                "attention is None and latent is False: nothing of the context is left."
            )
        if isinstance(attention, str):
            attention = attention_named(attention, x_dim=x_dim, width=width, num_heads=num_heads)
        self.attention = attention
        point = x_dim + y_dim
        self.encoder = None if attention is None else Mlp([point, width, width, width, width])
        self.latent_encoder = LatentEncoder(point, width, width) if latent else None
        sizes = (x_dim, width if self.encoder else 0, width if latent else 0)
        self.decoder = Decoder(sizes, y_dim, width, min_std)

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
            x_context, y_context, x_target: (b, n, x), (b, n, y) and (b, m, x); n may be 0.
            context_mask: bool (b, n), True for context points, False for padding, which may hold
                anything. None: all are context.
            num_samples: s; without a latent path one row stands for all.

        Returns:
            mean and standard deviation, (s, b, m, y). Targets are independent given z.

        Raises:
            ValueError: shapes that do not fit; says them.
        """
        _check_points(x_context, y_context, context_mask, "context")
        if x_target.ndim != 3 or x_target.shape[::2] != x_context.shape[::2]:
            raise ValueError(
                f"x_target is {tuple(x_target.shape)}, but a context of {tuple(x_context.shape)} "
                f"needs ({x_context.shape[0]}, targets, {x_context.shape[2]})."
            )
        x_context, y_context = _without_padding(x_context, y_context, context_mask)
        points = torch.cat([x_context, y_context], -1)
        r = self._gathered(x_context, points, x_target, context_mask)
        z = None
        if self.latent_encoder is not None:
            prior = self.latent_encoder(self.latent_encoder.points(points), context_mask)
            z = prior.sample(num_samples, generator=generator)
        return self.decoder(x_target, r, z)

    def elbo(
        self,
        x: Float[Tensor, "..."],
        y: Float[Tensor, "..."],
        is_context: Tensor,
        *,
        generator: torch.Generator | None = None,
    ) -> Elbo:
        """Return the training bound, the points of a task being its targets, some of them its context.

        Every point is encoded once: the context is a mask over the same encodings.

        Args:
            x, y: (b, n, x) and (b, n, y).
            is_context: bool (b, n).

        Raises:
            ValueError: shapes that do not fit; says them.
        """
        _check_points(x, y, is_context, "task")
        points = torch.cat([x, y], -1)
        r = self._gathered(x, points, x, is_context)
        if self.latent_encoder is None:
            prediction, kl = self.decoder(x, r, None), x.new_zeros(len(x))
        else:
            s = self.latent_encoder.points(points)
            posterior, prior = self.latent_encoder(s), self.latent_encoder(s, is_context)
            z = posterior.sample(1, generator=generator)
            prediction, kl = self.decoder(x, r, z), posterior.kl(prior).sum(-1)
        return Elbo(prediction.log_prob(y).sum(-1)[0], kl)

    def _gathered(
        self, x_context: Tensor, points: Tensor, x_target: Tensor, mask: Tensor | None
    ) -> Tensor | None:
        if self.attention is None or self.encoder is None:
            return None
        return self.attention(x_context, self.encoder(points), x_target, mask)


def log_likelihood(prediction: Gaussian, y: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return log p(y_T | x_T, context), (b,), all targets of a task together, z integrated out.

    It is the logarithm of a mean over the prediction's samples, hence too low on average, the less so
    the more samples there are.

    Args:
        prediction: what a model returned for the targets, (s, b, m, y).
        y: (b, m, y).
        mask: bool (b, m), True for targets that count; None: all.
    """
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


def _check_points(x: Tensor, y: Tensor, mask: Tensor | None, name: str) -> None:
    if x.ndim != 3 or y.ndim != 3 or x.shape[:2] != y.shape[:2]:
        raise ValueError(
            f"The {name}'s x is {tuple(x.shape)} and its y {tuple(y.shape)}; "
            "they must be (tasks, points, coordinates) of the same tasks and points."
        )
    if mask is not None and (mask.dtype != torch.bool or mask.shape != x.shape[:2]):
        raise ValueError(
            f"The {name}'s mask is {mask.dtype} {tuple(mask.shape)}; "
            f"for points {tuple(x.shape)} it must be bool {tuple(x.shape[:2])}."
        )
