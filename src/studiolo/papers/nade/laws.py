"""What one dimension follows given others, from a network's outputs: a Bernoulli, or a mixture of real values."""

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, distributions


Kind = Literal["gaussian", "laplace"]


class Law(ABC):
    """The law of a dimension.

    Attributes:
        width: outputs of the network for a dimension.
        binary: whether its values are 0 and 1.
    """

    width: int
    binary: bool

    @abstractmethod
    def distribution(self, z: Tensor) -> distributions.Distribution:
        """Return the laws for outputs z: (...) where `width` is 1, else (..., width)."""

    @abstractmethod
    def log_prob(self, z: Tensor, x: Tensor) -> Tensor:
        """Return log p(x) elementwise, nats; outputs of 16 bits are widened."""

    @abstractmethod
    def draw(self, z: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draw a value for each law."""

    @abstractmethod
    def start(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the (D width,) biases to begin with, from rows x of which `weight` counts 1 and the rest 0."""


def _wide(z: Tensor) -> Tensor:
    return z.to(torch.promote_types(z.dtype, torch.float32))


class Bernoulli(Law):
    """0 and 1, by the logit of p(x = 1). No probability is clipped."""

    width, binary = 1, True

    def distribution(self, z: Tensor) -> distributions.Distribution:
        """Return Bernoullis."""
        return distributions.Bernoulli(logits=_wide(z), validate_args=False)

    def log_prob(self, z: Tensor, x: Tensor) -> Tensor:
        """Return log p(x) elementwise."""
        return torch.nn.functional.logsigmoid((2 * x - 1) * _wide(z))

    def draw(self, z: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draw 0 and 1."""
        u = torch.rand(z.shape, generator=generator, device=z.device)
        return (u < _wide(z).sigmoid()).to(z.dtype)

    def start(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the logits of the column means, each column with one more 0 and one more 1."""
        ones, rows = (t.sum(0, dtype=torch.float64) for t in (x * weight, weight))
        return ((ones + 1) / (rows + 2)).logit()


class Mixture(Law):
    """A mixture of Gaussians or of Laplace laws: outputs are the logits of the weights, the means, the log scales.

    Args:
        components: C of them.
        kind: "gaussian" or "laplace".
        scaled_means: multiply the gradient of every mean by its scale, as the paper does for Gaussians.
    """

    binary = False

    def __init__(
        self, components: int, kind: Kind = "gaussian", *, scaled_means: bool = False
    ) -> None:
        if components < 1:
            raise ValueError(f"A mixture needs a component or more, not {components}.")
        if kind not in ("gaussian", "laplace"):
            raise ValueError(f"kind is 'gaussian' or 'laplace', not {kind!r}.")
        self.components, self.kind, self.scaled_means = components, kind, scaled_means
        self.width = 3 * components

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weights, mean, log_scale = _wide(z).unflatten(-1, (3, self.components)).unbind(-2)
        scale = log_scale.exp()
        if self.scaled_means:
            mean = mean.detach() + scale.detach() * (mean - mean.detach())
        return weights, mean, scale

    def distribution(self, z: Tensor) -> distributions.Distribution:
        """Return mixtures."""
        weights, mean, scale = self._parts(z)
        law = distributions.Normal if self.kind == "gaussian" else distributions.Laplace
        return distributions.MixtureSameFamily(
            distributions.Categorical(logits=weights, validate_args=False),
            law(mean, scale, validate_args=False),
            validate_args=False,
        )

    def log_prob(self, z: Tensor, x: Tensor) -> Tensor:
        """Return the log density elementwise."""
        weights, mean, scale = self._parts(z)
        r = (x.unsqueeze(-1) - mean) / scale
        if self.kind == "gaussian":
            log_p = -0.5 * r * r - scale.log() - 0.5 * math.log(2 * math.pi)
        else:
            log_p = -r.abs() - scale.log() - math.log(2)
        return (weights.log_softmax(-1) + log_p).logsumexp(-1)

    def draw(self, z: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draw a component, then a value."""
        weights, mean, scale = self._parts(z)
        u = torch.rand(z.shape[:-1], generator=generator, device=z.device).unsqueeze(-1)
        which = (weights.softmax(-1).cumsum(-1)[..., :-1] < u).sum(-1, keepdim=True)
        mean, scale = (t.gather(-1, which).squeeze(-1) for t in (mean, scale))
        if self.kind == "gaussian":
            noise = torch.randn(mean.shape, generator=generator, device=z.device)
        else:
            tail = torch.rand(mean.shape, generator=generator, device=z.device) - 0.5
            noise = -tail.sign() * torch.log1p(-2 * tail.abs())
        return (mean + scale * noise).to(z.dtype)

    def start(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return means evenly over the range of each column, scales of their spacing, equal weights."""
        seen = weight > 0
        low = x.where(seen, math.inf).amin(0)
        high = x.where(seen, -math.inf).amax(0)
        low, high = (t.where(t.isfinite(), 0).unsqueeze(1) for t in (low, high))
        spacing = ((high - low) / (self.components + 1)).clamp_min(1e-3)
        mean = low + spacing * torch.arange(1, self.components + 1, device=x.device)
        return torch.cat((torch.zeros_like(mean), mean, spacing.log().expand_as(mean)), 1).flatten()
