"""Gaussian processes that curves are drawn from, and whose posterior is the best that can be known.

Legend: b tasks, n context points, m target points, x and y coordinates of a point.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .gaussian import Gaussian


def _periodic(x1: Tensor, x2: Tensor) -> Tensor:
    """The squared exponential of points on circles of circumference π/2 length scales, one a coordinate."""
    difference = x1[..., :, None, :] - x2[..., None, :, :]
    return (-2 * (2 * difference).sin().square().sum(-1)).exp()


def _of_distance(correlation: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def kernel(x1: Tensor, x2: Tensor) -> Tensor:
        # differences, not |x1|² + |x2|² - 2 x1·x2, which cancels where points are close
        return correlation(torch.cdist(x1, x2, compute_mode="donot_use_mm_for_euclid_dist"))

    return kernel


# correlation of two locations in units of the length scale
COVARIANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squared_exponential": _of_distance(lambda d: (-d.square() / 2).exp()),
    "matern_12": _of_distance(lambda d: (-d).exp()),
    "matern_32": _of_distance(lambda d: (1 + math.sqrt(3) * d) * (-math.sqrt(3) * d).exp()),
    "matern_52": _of_distance(
        lambda d: (1 + math.sqrt(5) * d + 5 / 3 * d.square()) * (-math.sqrt(5) * d).exp()
    ),
    "periodic": _periodic,
}


@dataclass(frozen=True, slots=True)
class GaussianProcess:
    """Functions with kernels of one family, one kernel a task, observed with noise.

    Attributes:
        length_scale: (b,), distance over which a function changes.
        output_scale: (b,), standard deviation of a function's values.
        noise: standard deviation of an observation around its function.
        kernel: "squared_exponential", "matern_12", "matern_32", "matern_52" or "periodic"; the last
            repeats every π/2 length scales.

    The arithmetic is in float64 whatever the inputs are; results come in the dtype of `x`.
    """

    length_scale: Tensor
    output_scale: Tensor
    noise: float = 0.02
    kernel: str = "squared_exponential"

    def __post_init__(self) -> None:
        if self.kernel not in COVARIANCES:
            raise ValueError(f"kernel is {self.kernel!r}; known are {', '.join(COVARIANCES)}.")

    def __getitem__(self, rows: slice | Tensor) -> "GaussianProcess":
        """Return the processes of some of the tasks."""
        return replace(
            self, length_scale=self.length_scale[rows], output_scale=self.output_scale[rows]
        )

    def covariance(
        self, x1: Float[Tensor, "_ n x"], x2: Float[Tensor, "_ m x"]
    ) -> Float[Tensor, "b n m"]:
        """Return output_scale² times the correlation of the locations, noise left out, in float64."""
        scale = self.length_scale.double()[:, None, None]
        correlation = COVARIANCES[self.kernel](x1.double() / scale, x2.double() / scale)
        return self.output_scale.double()[:, None, None] ** 2 * correlation

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
