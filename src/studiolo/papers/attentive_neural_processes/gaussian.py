"""Gaussians, the Gaussian process that tasks are drawn from, and kernel regression.

Legend: b tasks, n context points, m target points, x and y coordinates of a point.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


Range = tuple[float, float]


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


@dataclass(frozen=True, slots=True)
class GaussianProcess:
    """Functions with a squared-exponential kernel, one kernel a task, observed with noise.

    Attributes:
        length_scale: (b,), distance over which a function changes.
        output_scale: (b,), standard deviation of a function's values.
        noise: standard deviation of an observation around its function.

    The arithmetic is in float64 whatever the inputs are; results come in the dtype of `x`.
    """

    length_scale: Tensor
    output_scale: Tensor
    noise: float = 0.02

    def covariance(
        self, x1: Float[Tensor, "b n x"], x2: Float[Tensor, "b m x"]
    ) -> Float[Tensor, "b n m"]:
        """Return output_scale² exp(-|x1 - x2|² / 2 length_scale²), noise left out, in float64."""
        scale = self.length_scale.double()[:, None, None]
        # differences, not |x1|² + |x2|² - 2 x1·x2, which cancels where points are close
        distance = torch.cdist(
            x1.double() / scale, x2.double() / scale, compute_mode="donot_use_mm_for_euclid_dist"
        )
        return self.output_scale.double()[:, None, None] ** 2 * (-distance.square() / 2).exp()

    def sample(
        self,
        x: Float[Tensor, "b n x"],
        *,
        y_dim: int = 1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b n y"]:
        """Return noisy observations at `x` of one function a task; coordinates of y are independent."""
        covariance = self.covariance(x, x)
        covariance.diagonal(dim1=1, dim2=2).add_(self.noise**2)
        draw = torch.randn(
            *x.shape[:2], y_dim, generator=generator, dtype=torch.float64, device=x.device
        )
        return (torch.linalg.cholesky(covariance) @ draw).to(x.dtype)

    def posterior(
        self,
        x_context: Float[Tensor, "b n x"],
        y_context: Float[Tensor, "b n y"],
        x_target: Float[Tensor, "b m x"],
        context_mask: Bool[Tensor, "b n"] | None = None,
    ) -> Gaussian:
        """Return the distribution of new observations, each by itself, given the context.

        Args:
            context_mask: True for points that were seen; None: all. A task that has seen none
                gets its prior.

        Returns:
            mean K_*C (K_CC + noise²)⁻¹ y, and the standard deviation with the noise, (b, m, y).
        """
        y = y_context.double()
        within, across = self.covariance(x_context, x_context), self.covariance(x_target, x_context)
        if context_mask is not None:
            # an unseen point becomes one of mean 0 that is correlated with nothing
            unseen = ~context_mask
            y = y.masked_fill(unseen[..., None], 0)
            within = within.masked_fill(unseen[:, None, :] | unseen[:, :, None], 0)
            within.diagonal(dim1=1, dim2=2).masked_fill_(unseen, 1)
            across = across.masked_fill(unseen[:, None, :], 0)
        within.diagonal(dim1=1, dim2=2).add_(self.noise**2)
        factor = torch.linalg.cholesky(within)
        mean = across @ torch.cholesky_solve(y, factor)
        explained = torch.linalg.solve_triangular(factor, across.mT, upper=False).square().sum(1)
        variance = self.output_scale.double()[:, None] ** 2 - explained
        std = (variance.clamp(min=0) + self.noise**2).sqrt()[..., None].expand_as(mean)
        return Gaussian(mean.to(x_target.dtype), std.to(x_target.dtype))


def kernel_regression(
    x_context: Float[Tensor, "b n x"],
    y_context: Float[Tensor, "b n y"],
    x_target: Float[Tensor, "b m x"],
    *,
    length_scale: float,
) -> Float[Tensor, "b m y"]:
    """Return the Nadaraya-Watson mean, weights exp(-|x - x'|² / 2 length_scale²) normalised to sum 1.

    It is attention whose values are y itself. The mean of a Gaussian process starts from the same
    kernel but takes what context points share out of their weights.
    """
    distance = torch.cdist(
        x_target / length_scale,
        x_context / length_scale,
        compute_mode="donot_use_mm_for_euclid_dist",
    )
    return (-distance.square() / 2).softmax(-1) @ y_context


@dataclass(frozen=True, slots=True)
class Tasks:
    """Regression tasks: points of functions, of which some are given and all are to be predicted.

    Attributes:
        x: (b, n, x).
        y: (b, n, y).
        is_context: (b, n), True for the points that are given.
        process: where the functions were drawn from.
    """

    x: Tensor
    y: Tensor
    is_context: Tensor
    process: GaussianProcess

    def __getitem__(self, rows: slice) -> "Tasks":
        """Return some of the tasks."""
        process = GaussianProcess(
            self.process.length_scale[rows], self.process.output_scale[rows], self.process.noise
        )
        return Tasks(self.x[rows], self.y[rows], self.is_context[rows], process)


def gp_tasks(
    num_tasks: int,
    *,
    num_points: int = 50,
    num_context: tuple[int, int] = (3, 49),
    x_range: Range = (-2.0, 2.0),
    length_scale: Range = (0.1, 0.6),
    output_scale: Range = (0.1, 1.0),
    noise: float = 0.02,
    x_dim: int = 1,
    y_dim: int = 1,
    generator: torch.Generator | None = None,
) -> Tasks:
    """Draw tasks from Gaussian processes whose kernels differ from task to task.

    Args:
        num_context: fewest and most given points; each task has its own number, and they stand first.
        x_range, length_scale, output_scale: ends of uniform distributions.

    Raises:
        ValueError: more context than points; says both.

    Source: https://arxiv.org/abs/1901.05761, section 4.1, with the numbers of the published notebook.
    """
    fewest, most = num_context
    if not 0 <= fewest <= most <= num_points:
        raise ValueError(
            f"num_context is ({fewest}, {most}), but it must be fewest and most of {num_points} points."
        )

    def uniform(ends: Range, *shape: int) -> Tensor:
        low, high = ends
        return low + (high - low) * torch.rand(*shape, generator=generator)

    process = GaussianProcess(
        uniform(length_scale, num_tasks), uniform(output_scale, num_tasks), noise
    )
    x = uniform(x_range, num_tasks, num_points, x_dim)
    y = process.sample(x, y_dim=y_dim, generator=generator)
    given = torch.randint(fewest, most + 1, (num_tasks, 1), generator=generator)
    return Tasks(x, y, torch.arange(num_points) < given, process)
