"""Independent normal distributions: what a neural process predicts and what its latent is drawn from."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Gaussian(NamedTuple):
    """Independent normal distributions, one for each element."""

    mean: Tensor
    std: Tensor

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log N(value; mean, std²) of each element, in float32 at least."""
        mean, std = (part.to(torch.promote_types(part.dtype, torch.float32)) for part in self)
        return -((value - mean) / std).square() / 2 - std.log() - math.log(2 * math.pi) / 2

    def kl(self, other: "Gaussian") -> Tensor:
        """Return KL(self || other) of each element."""
        ratio = self.std / other.std
        shift = (self.mean - other.mean) / other.std
        return (ratio.square() + shift.square() - 1) / 2 - ratio.log()

    def sample(self, num_samples: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Return draws in front, (num_samples, ...); gradients reach mean and std."""
        shape = (num_samples, *self.mean.shape)
        noise = torch.randn(
            shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device
        )
        return self.mean + self.std * noise
