"""{title}: the implementation to use."""

import numpy as np
from numpy.typing import NDArray


def mean_of(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the last axis, equation (1).

    Args:
        draws: (..., n), n at least 1.

    Raises:
        ValueError: n is 0.

    Source: {key}, section 1.
    """
    if draws.shape[-1] == 0:
        raise ValueError("The mean of no draws is undefined; give at least one.")
    return np.asarray(draws.mean(axis=-1))
