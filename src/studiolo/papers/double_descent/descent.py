"""Gradient descent on least squares over its whole time axis, from one decomposition.

Gradient descent starts at 0 on ||y - X b||^2 / (2 n). Along each right singular vector of X it
learns at a speed of its own, so any number of steps costs the same as one. Its limit is the
minimum-norm fit; stopping before the limit is what keeps the noise out.

A step size per feature serves problems with features of several scales: features s_j x_j with
step size eta behave, in the coefficients divided by s_j, as features x_j with step sizes
eta s_j^2. So test features are standardised here, and the excess risk is always ||error||^2.

Source: https://arxiv.org/abs/1912.07242v1, section 1, for the limit; the path over time is
textbook algebra, as in Heckel and Yilmaz, https://arxiv.org/abs/2007.10099.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from .inputs import Array, Numbers, coefficients, finite, float64, rows, setting
from .theory import Risk


class Stop(NamedTuple):
    """A moment to stop: after `steps` steps, at excess risk `risk`."""

    steps: int
    risk: float


class GradientDescent:
    """Gradient descent from 0 on the rows X, at every number of steps at once.

    Attributes:
        speeds: (rank,) share of what is left that one step learns along each direction; above 1
            it overshoots.

    Example:
        >>> X, y = np.array([[2.0]]), np.array([2.0])
        >>> GradientDescent(X, step_size=0.125).estimates(y, [0, 1, np.inf]).ravel().tolist()
        [0.0, 0.5, 1.0]
    """

    def __init__(self, X: Numbers, step_size: Numbers | None = None) -> None:
        """Decompose the rows.

        Args:
            X: (n, d) features, any rank.
            step_size: one number, or (d,) one per feature; without it, one over the largest
                eigenvalue of X'X / n. With one per feature the limit is, of all least-squares
                fits, the one that is smallest in sum(b_j^2 / step_size_j).

        Raises:
            ValueError: X is not a finite (n, d), or the step size is of the wrong shape, not
                positive, or so large that gradient descent diverges; says by how much.
        """
        X = rows(X)
        n, d = X.shape
        roots = np.ones(d) if step_size is None else np.sqrt(_sizes(step_size, d))
        left, spread, right = np.linalg.svd(X * roots / np.sqrt(max(n, 1)), full_matrices=False)
        largest = float(spread.max(initial=0.0))
        if step_size is None and largest > 0:
            roots, spread, largest = roots / largest, spread / largest, 1.0
        if largest**2 >= 2:
            raise ValueError(
                f"The step size is {largest**2 / 2:.3g} times too large: gradient descent diverges. "
                "Divide it by more than that."
            )
        seen = spread > max(n, d) * np.finfo(np.float64).eps * largest
        self.speeds = spread[seen] ** 2  # (rank,)
        self._left = left[:, seen] / np.sqrt(max(n, 1))  # (n, rank)
        self._directions = right[seen] * roots  # (rank, d)
        self._duals = right[seen] / roots  # (rank, d): duals @ b are b's coordinates

    def estimates(self, y: Numbers, steps: Numbers) -> Float64[Array, "times d"]:
        """Return the coefficients after each of these numbers of steps.

        Args:
            y: (n,) targets.
            steps: (times,) whole numbers; infinity is the limit, the minimum-norm fit.

        Raises:
            ValueError: y or steps of the wrong shape, y not finite, or a number of steps that is
                not whole.
        """
        y = finite("y", y)
        if y.shape != self._left.shape[:1]:
            raise ValueError(f"y has shape {y.shape}, but X needs {self._left.shape[:1]}.")
        _, learned = self._progress(steps)
        return (learned * (self._left.T @ y) / np.sqrt(self.speeds)) @ self._directions

    def risk(self, beta: Numbers, steps: Numbers, *, sigma: float) -> Risk:
        """Return the excess risk after each number of steps, given X and in mean over the noise.

        Args:
            beta: (d,) true coefficients.
            steps: (times,) as in `estimates`.
            sigma: standard deviation of the noise.

        Returns:
            (times,) each. Bias and variance are over the noise alone: what the rows cannot see
            of beta counts as bias.

        Raises:
            ValueError: beta or steps of the wrong shape, a number of steps that is not whole, or a
                beta or sigma that is not finite.
        """
        n, d = len(self._left), self._directions.shape[1]
        beta = coefficients(beta, (n, d))
        _, sigma, _ = setting(d, sigma, 0.0)
        left, learned = self._progress(steps)
        coordinates = self._duals @ beta
        unseen = beta - coordinates @ self._directions
        errors = unseen + (left * coordinates) @ self._directions
        bias2 = np.einsum("td,td->t", errors, errors)
        noise = sigma**2 / max(n, 1) * np.sum(self._directions**2, axis=1) / self.speeds
        variance = learned**2 @ noise
        return Risk(bias2, variance, bias2 + variance)

    def best_stop(self, beta: Numbers, *, sigma: float) -> Stop:
        """Return when the risk is least, and that risk.

        It knows beta and sigma, as ridge with the best penalty does: a bound for whoever stops by
        held-out data. A dip narrower than 4 % of the number of steps can be missed.

        Raises:
            ValueError: beta is not (d,), or it or sigma is not finite.
        """
        horizon = 40 / self.speeds.min() if self.speeds.size else 0.0  # e^-40 is left then
        steps = np.append(0, np.geomspace(1, 1 + horizon, 2 + int(25 * np.log1p(horizon))))
        for _ in range(2):  # the grid, then every step (or 1000 of them) around its best point
            steps = np.unique(np.floor(steps))
            risks = self.risk(beta, steps, sigma=sigma).excess
            best = int(np.argmin(risks))
            stop = Stop(int(steps[best]), float(risks[best]))
            ends = steps[max(best - 1, 0)], steps[min(best + 1, len(steps) - 1)]
            steps = np.append(np.linspace(*ends, 1001), stop.steps)
        return stop

    def _progress(
        self, steps: Numbers
    ) -> tuple[Float64[Array, "times rank"], Float64[Array, "times rank"]]:
        """What is left of each direction after so many steps, and what is learned of it."""
        steps = float64("steps", steps)
        if steps.ndim != 1 or not np.all((steps >= 0) & (steps == np.floor(steps))):
            raise ValueError(
                f"steps are {steps}, but they must be a row of whole numbers, 0 or more."
            )
        steps = steps[:, None]
        slow = np.minimum(self.speeds, 0.5)
        log_left = steps * np.log1p(-slow)  # speeds below the rounding of 1 count too
        fast = np.power(1 - self.speeds, steps)
        left = np.where(self.speeds <= 0.5, np.exp(log_left), fast)
        learned = np.where(self.speeds <= 0.5, -np.expm1(log_left), 1 - fast)
        return left, learned


def _sizes(step_size: Numbers, d: int) -> Float64[Array, "d"]:
    sizes = float64("step_size", step_size)
    if sizes.shape not in ((), (d,)):
        raise ValueError(f"step_size has shape {sizes.shape}, but it must be one number or {(d,)}.")
    if not np.all((sizes > 0) & (sizes < np.inf)):
        raise ValueError(f"step_size is {sizes.min():g}, but it must be finite and above 0.")
    return np.broadcast_to(sizes, (d,))
