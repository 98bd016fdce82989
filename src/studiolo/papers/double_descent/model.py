"""Every fit along a growing sample from one factorisation: minimum-norm least squares and ridge.

A sample that grows row by row has a fit after each row. Refitting at every n costs O(N d^3);
here one QR of the first d rows gives every fit with n <= d as a running sum, and one Cholesky
factor of the innovations gives every later one, O(N d^2) in all, in matrix products throughout.

Everything is computed in float64 whatever the input: near n = d the condition number of the
features is about d, and it is squared on the way.
"""

import numpy as np
from jaxtyping import Float, Float64
from scipy.linalg import blas, cholesky, lapack, qr, solve_triangular


Array = np.ndarray


def risk_curve(
    X: Float[Array, "..."], y: Float[Array, "..."], beta: Float[Array, "..."]
) -> Float64[Array, "sizes"]:
    """Return ||estimate - beta||^2 of the minimum-norm fit to the first n rows, for n = 0, ..., N.

    Args:
        X: (N, d) features. Each of the first min(N, d) rows must be new, that is, outside the
            span of the rows before it.
        y: (N,) targets.
        beta: (d,) the true coefficients.

    Returns:
        (N + 1,) excess risks under isotropic test features; entry n belongs to n rows.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, or a row among the first
            d in the span of those before it; says which.
    """
    X, y, beta = checked_sample(X, y, beta)
    noise = y - X @ beta
    num_rows, d = X.shape
    k = min(num_rows, d)
    # The last column becomes beta in the basis that the rows build one by one.
    R = _triangle(X[:k], beta)
    _refuse_dependent_rows(R, X)
    seen = np.zeros(d)
    seen[: min(k + 1, d)] = R[: min(k + 1, d), k]
    gained = solve_triangular(R[:k, :k], noise[:k], trans="T", check_finite=False)
    missing = np.cumsum(seen[::-1] ** 2)[::-1]  # entry n: what n rows cannot see of beta
    risks = np.zeros(num_rows + 1)
    risks[:d] += missing[: num_rows + 1]
    risks[1 : k + 1] += np.cumsum(gained**2)
    if num_rows > d:
        errors = _fits_from_anchor(X, noise)
        risks[d + 1 :] = np.einsum("nd,nd->n", errors, errors)
    return risks


def min_norm_path(X: Float[Array, "..."], y: Float[Array, "..."]) -> Float64[Array, "sizes d"]:
    """Return the minimum-norm least-squares fit to the first n rows, for n = 0, ..., N.

    Args:
        X: (N, d) features; as in `risk_curve`, the first min(N, d) rows must be new.
        y: (N,) targets.

    Returns:
        (N + 1, d); row n equals pinv(X[:n]) @ y[:n].

    Raises:
        ValueError: as in `risk_curve`.
    """
    X, y, _ = checked_sample(X, y)
    num_rows, d = X.shape
    k = min(num_rows, d)
    Q, R = qr(X[:k].T, mode="economic", check_finite=False)
    _refuse_dependent_rows(R, X)
    coordinates = solve_triangular(R, y[:k], trans="T", check_finite=False)
    path = np.zeros((num_rows + 1, d))
    np.cumsum(Q.T * coordinates[:, None], axis=0, out=path[1 : k + 1])
    if num_rows > d:
        path[d + 1 :] = _fits_from_anchor(X, y)
    return path


def ridge_path(
    X: Float[Array, "..."], y: Float[Array, "..."], penalty: float
) -> Float64[Array, "sizes d"]:
    """Return argmin ||y - X b||^2 + penalty ||b||^2 on the first n rows, for n = 0, ..., N.

    Args:
        X: (N, d) features, any rank.
        y: (N,) targets.
        penalty: above 0, the same for every n.

    Returns:
        (N + 1, d).

    Raises:
        ValueError: as in `risk_curve`, or a penalty that is not positive.
    """
    X, y, _ = checked_sample(X, y)
    if not penalty > 0:
        raise ValueError(
            f"penalty is {penalty}, but ridge needs one above 0; "
            "without a penalty call min_norm_path."
        )
    d = X.shape[1]
    # A penalty is d rows sqrt(penalty) I with targets 0 that came first.
    prior = np.diag(np.append(np.full(d, np.sqrt(penalty)), 0.0))
    path = np.zeros((len(X) + 1, d))
    _absorb(prior, X, y, out=path[1:])
    return path


def ridge_risk_curve(
    X: Float[Array, "..."], y: Float[Array, "..."], beta: Float[Array, "..."], penalty: float
) -> Float64[Array, "sizes"]:
    """Return ||estimate - beta||^2 of `ridge_path`, (N + 1,)."""
    X, y, beta = checked_sample(X, y, beta)
    errors = ridge_path(X, y, penalty) - beta
    return np.einsum("nd,nd->n", errors, errors)


def _fits_from_anchor(X: Float64[Array, "N d"], y: Float64[Array, "N"]) -> Float64[Array, "m d"]:
    """Least-squares fits to the first n rows for n = d + 1, ..., N, where N > d.

    n = d + 1 is solved by itself and the later ones start from n = d + 2: near n = d the smallest
    singular value can be tiny, and what it loses would be carried along to every later n.
    """
    d = X.shape[1]
    fits = np.empty((len(X) - d, d))
    triangle = _triangle(X[: d + 1].T, y[: d + 1])
    fits[0] = _solve(triangle)
    if len(fits) > 1:
        triangle = _append(triangle, X[d + 1 : d + 2], y[d + 1 : d + 2])
        fits[1] = _solve(triangle)
        _absorb(triangle, X[d + 2 :], y[d + 2 :], out=fits[2:])
    return fits


# A triangle stands for the rows [X | y] seen so far: the factor R of their QR decomposition,
# (d + 1, d + 1), on which least squares is least squares on them. What is below its diagonal is
# left over from the decomposition and never read. Arrays are overwritten where they can be: at
# d = 200 the page faults of fresh memory cost more than half as much time as the arithmetic.


def _triangle(columns: Float64[Array, "b a"], last: Float64[Array, "a"]) -> Float64[Array, "a c"]:
    """R of the QR decomposition of the matrix with these columns and this last one."""
    A = np.vstack([columns, last]).T
    return lapack.dgeqrt(min(32, *A.shape), A, overwrite_a=1)[0]


def _append(
    triangle: Float64[Array, "a a"], X: Float64[Array, "m d"], y: Float64[Array, "m"]
) -> Float64[Array, "a a"]:
    """The triangle with more rows seen, in place of the old one."""
    rows = np.vstack([X.T, y]).T
    block = min(32, len(triangle))
    return lapack.dtpqrt(0, block, triangle, rows, overwrite_a=1, overwrite_b=1)[0]


def _solve(triangle: Float64[Array, "a a"]) -> Float64[Array, "d"]:
    return solve_triangular(triangle[:-1, :-1], triangle[:-1, -1], check_finite=False)


def _absorb(
    triangle: Float64[Array, "a a"],
    X: Float64[Array, "m d"],
    y: Float64[Array, "m"],
    out: Float64[Array, "m d"],
) -> None:
    """Write the least-squares fits after each further row.

    Recursive least squares in blocks: the Cholesky factor of the innovations' covariance whitens
    all of a block at once, and the fits are a running sum.
    """
    size = max(X.shape[1], 64)  # rows; so work and memory grow with their number, not its square
    for first in range(0, len(X), size):
        block = slice(first, first + size)
        R, fit = triangle[:-1, :-1], _solve(triangle)
        XR = blas.dtrsm(1.0, R, X[block], side=1)  # X R^-1, (m, d)
        S = XR @ XR.T
        S.flat[:: len(S) + 1] += 1
        L = cholesky(S.T, lower=True, overwrite_a=True, check_finite=False)
        innovations = y[block] - X[block] @ fit
        innovations = solve_triangular(L, innovations, lower=True, check_finite=False)
        gains = blas.dtrsm(1.0, R, XR, side=1, trans_a=1, overwrite_b=1)  # X (R'R)^-1
        gains = blas.dtrsm(1.0, L, gains, lower=1, overwrite_b=1)
        gains *= innovations[:, None]
        np.cumsum(gains, axis=0, out=out[block])
        out[block] += fit
        if first + size < len(X):
            triangle = _append(triangle, X[block], y[block])


def checked_sample(
    X: Float[Array, "..."], y: Float[Array, "..."], beta: Float[Array, "..."] | None = None
) -> tuple[Float64[Array, "N d"], Float64[Array, "N"], Float64[Array, "d"]]:
    """The inputs in float64, or a sentence that says what is wrong with them."""
    X = np.asarray(X, dtype=np.float64)
    y = np.asarray(y, dtype=np.float64)
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(f"X has shape {X.shape}, but it must be (rows, features).")
    if y.shape != X.shape[:1]:
        raise ValueError(f"y has shape {y.shape}, but X of shape {X.shape} needs {X.shape[:1]}.")
    beta = np.zeros(X.shape[1]) if beta is None else np.asarray(beta, dtype=np.float64)
    if beta.shape != X.shape[1:]:
        raise ValueError(
            f"beta has shape {beta.shape}, but X of shape {X.shape} needs {X.shape[1:]}."
        )
    for name, values in (("X", X), ("y", y), ("beta", beta)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds a value that is not finite; drop its row first.")
    return X, y, beta


def _refuse_dependent_rows(R: Float64[Array, "k m"], X: Float64[Array, "N d"]) -> None:
    """Raise if one of the first rows lies in the span of those before it: R_ii is its distance."""
    k = min(X.shape)
    distances = np.abs(np.diagonal(R)[:k])
    lengths = np.linalg.norm(X[:k], axis=1)
    (old,) = np.nonzero(distances <= 16 * X.shape[1] * np.finfo(np.float64).eps * lengths)
    if old.size:
        raise ValueError(
            f"Row {old[0]} lies in the span of the rows before it (counted from 0), so the "
            "running sums do not exist. Drop it, move it behind the first "
            f"{X.shape[1]} rows, or refit at every n (reference.py)."
        )
