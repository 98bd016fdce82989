"""What callers hand over: numbers of any kind in, float64 or one sentence out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike


Array = np.ndarray
LARGEST = 1e50  # its fourth power is finite
Numbers = ArrayLike | int | float  # numpy arrays, lists, torch tensors on any device


def float64(name: str, values: Any) -> Float64[Array, "..."]:
    """The values in float64; a tensor leaves its graph and its device.

    Raises:
        ValueError: they are not numbers; says what they are.
    """
    try:
        if hasattr(values, "detach"):
            if values.is_complex():
                raise TypeError(f"numbers of type {values.dtype}")
            values = values.detach().cpu().double()
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"numbers of type {array.dtype}")
        return np.asarray(array, dtype=np.float64)
    # NotImplementedError: a torch tensor on the device `meta`, which has no numbers
    except (TypeError, ValueError, OverflowError, NotImplementedError) as error:
        raise ValueError(f"{name} must be real numbers in a regular shape: {error}.") from error


def finite(name: str, values: Any) -> Float64[Array, "..."]:
    """The values in float64, none of them NaN or infinite, or so large that sums of squares are."""
    array = float64(name, values)
    largest = magnitude(array)
    if not np.isfinite(largest):
        raise ValueError(f"{name} holds a value that is not finite; drop its row first.")
    if largest > LARGEST**3:
        raise ValueError(f"{name} holds {largest:.3g}, whose square overflows; rescale it.")
    return array


def magnitude(array: Float64[Array, "..."]) -> float:
    """The largest absolute value, NaN if there is one, 0 of nothing; no temporary array."""
    return float(max(array.max(initial=0.0), -array.min(initial=0.0)))


def scalar(name: str, value: Any) -> float:
    """One number; NaN passes, since no comparison that a caller makes with it is true."""
    array = float64(name, value)
    if array.ndim:
        raise ValueError(f"{name} has shape {array.shape}, but it must be one number.")
    return float(array)


def count(name: str, value: Any, least: int) -> int:
    """One whole number from `least` on."""
    number = scalar(name, value)
    if not (number >= least and number.is_integer()):
        raise ValueError(f"{name} is {number:g}, but it must be a whole number from {least} on.")
    return int(number)


def penalty_above_0(value: Any, instead: str) -> float:
    """A ridge penalty; infinity, which leaves every coefficient at 0, is one."""
    penalty = scalar("penalty", value)
    if not penalty > 0:
        raise ValueError(
            f"penalty is {penalty:g}, but ridge needs one above 0; without a penalty call {instead}."
        )
    return penalty


def setting(d: Any, sigma: Any, beta_norm: Any) -> tuple[int, float, float]:
    """Number of features, standard deviation of the noise and length of the coefficients."""
    d, sigma, beta_norm = count("d", d, 1), scalar("sigma", sigma), scalar("beta_norm", beta_norm)
    for name, value in (("sigma", sigma), ("beta_norm", beta_norm)):
        if not 0 <= value <= LARGEST:
            raise ValueError(f"{name} is {value:g}, but it must be between 0 and {LARGEST:g}.")
    return d, sigma, beta_norm


def sizes(n: Any, name: str = "n") -> Float64[Array, "..."]:
    """Numbers of samples, or samples per feature, of any shape."""
    array = float64(name, n)
    wrong = array[~((array >= 0) & (array < np.inf))]
    if wrong.size:
        raise ValueError(f"{name} is {wrong.flat[0]:g}, but it must be finite and not negative.")
    return array


def sample(X: Numbers, y: Numbers, beta: Numbers | None = None) -> tuple[Array, Array, Array]:
    """X (N, d), y (N,) and beta (d,), 0 if not given: finite, of shapes that fit, with d >= 1."""
    X, y = rows(X), finite("y", y)
    if y.shape != X.shape[:1]:
        raise ValueError(f"y has shape {y.shape}, but X of shape {X.shape} needs {X.shape[:1]}.")
    beta = np.zeros(X.shape[1]) if beta is None else coefficients(beta, X.shape)
    return X, y, beta


def rows(X: Numbers) -> Float64[Array, "N d"]:
    """Features (N, d), finite, with d >= 1."""
    array = float64("X", X)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"X has shape {array.shape}, but it must be (rows, features).")
    return finite("X", array)


def coefficients(beta: Numbers, shape: Sequence[int]) -> Float64[Array, "d"]:
    """True coefficients (d,) of features X of that shape, (N, d)."""
    array = finite("beta", beta)
    if array.shape != (shape[1],):
        raise ValueError(
            f"beta has shape {array.shape}, but X of shape {tuple(shape)} needs {(shape[1],)}."
        )
    return array
