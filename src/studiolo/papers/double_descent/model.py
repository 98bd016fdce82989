"""Every fit along a growing sample from one factorisation: minimum-norm least squares and ridge.

A sample that grows row by row has a fit after each row. Refitting at every n costs O(N d^3);
here one QR of the first d rows gives every fit with n <= d as a running sum, and one Cholesky
factor of the innovations gives every later one, O(N d^2) in all, in matrix products throughout.
Where a row lies in the span of earlier ones (a repeated row, a duplicated column) running sums do
not exist; then the rows are taken one by one, still O(N d^2) in all.

Everything is computed in float64 whatever the input: near n = d the condition number of the
features is about d, and it is squared on the way. A row whose distance from the span of those
before it is less than 16 d roundings of its largest entry counts as in it.
"""

import numpy as np
from jaxtyping import Float64
from scipy.linalg import blas, cholesky, lapack, qr, solve_triangular

from .inputs import Array, Numbers, magnitude, penalty_above_0, sample


UNCHECKED = {"check_finite": False}  # `sample` has looked at all values
LONG = 1e4  # a whitened row longer than this would lose half its digits when it is squared
SMALL = 1e-7  # a penalty row this short beside the features keeps nine digits of the fit


def risk_curve(X: Numbers, y: Numbers, beta: Numbers) -> Float64[Array, "sizes"]:
    """Return ||estimate - beta||^2 of the minimum-norm fit to the first n rows, for n = 0, ..., N.

    Args:
        X: (N, d) features, any rank; fastest where the first min(N, d) rows are independent.
        y: (N,) targets.
        beta: (d,) the true coefficients.

    Returns:
        (N + 1,) excess risks under isotropic test features; entry n belongs to n rows.

    Raises:
        ValueError: shapes that do not fit, or values that are not finite real numbers; says which.
    """
    X, y, beta = sample(X, y, beta)
    noise = y - X @ beta
    num_rows, d = X.shape
    k = min(num_rows, d)
    # The last column becomes beta in the basis that the rows build one by one.
    R = _triangle(X[:k], beta)
    if not _are_independent(R, X):
        errors = _fits_row_by_row(X, y) - beta
        return np.einsum("nd,nd->n", errors, errors)
    seen = np.zeros(d)
    seen[: min(k + 1, d)] = R[: min(k + 1, d), k]
    gained = solve_triangular(R[:k, :k], noise[:k], trans="T", **UNCHECKED)
    missing = np.cumsum(seen[::-1] ** 2)[::-1]  # entry n: what n rows cannot see of beta
    risks = np.zeros(num_rows + 1)
    risks[:d] += missing[: num_rows + 1]
    with np.errstate(over="ignore"):  # features below 1e-150 have fits whose risk is infinite
        risks[1 : k + 1] += np.cumsum(gained**2)
    if num_rows > d:
        errors = _fits_from_anchor(X, noise)
        risks[d + 1 :] = np.einsum("nd,nd->n", errors, errors)
    return risks


def min_norm_path(X: Numbers, y: Numbers) -> Float64[Array, "sizes d"]:
    """Return the minimum-norm least-squares fit to the first n rows, for n = 0, ..., N.

    Args:
        X: (N, d) features, any rank, as in `risk_curve`.
        y: (N,) targets.

    Returns:
        (N + 1, d); row n equals pinv(X[:n]) @ y[:n].

    Raises:
        ValueError: as in `risk_curve`.
    """
    X, y, _ = sample(X, y)
    num_rows, d = X.shape
    k = min(num_rows, d)
    Q, R = qr(X[:k].T, mode="economic", **UNCHECKED)
    if not _are_independent(R, X):
        return _fits_row_by_row(X, y)
    coordinates = solve_triangular(R, y[:k], trans="T", **UNCHECKED)
    path = np.zeros((num_rows + 1, d))
    np.cumsum(Q.T * coordinates[:, None], axis=0, out=path[1 : k + 1])
    if num_rows > d:
        path[d + 1 :] = _fits_from_anchor(X, y)
    return path


def ridge_path(X: Numbers, y: Numbers, penalty: float) -> Float64[Array, "sizes d"]:
    """Return argmin ||y - X b||^2 + penalty ||b||^2 on the first n rows, for n = 0, ..., N.

    Args:
        X: (N, d) features, any rank.
        y: (N,) targets.
        penalty: above 0, the same for every n; infinity leaves every coefficient at 0.

    Returns:
        (N + 1, d).

    Raises:
        ValueError: as in `risk_curve`, or a penalty that is not positive, or so small beside the
            features that rounding would take its place.
    """
    X, y, _ = sample(X, y)
    penalty = penalty_above_0(penalty, instead="min_norm_path")
    d = X.shape[1]
    if np.isinf(penalty):
        return np.zeros((len(X) + 1, d))
    least = SMALL * np.sqrt(d) * magnitude(X)  # of the root of the penalty
    if np.sqrt(penalty) < least:
        raise ValueError(
            f"penalty is {penalty:g}, but beside features of this size rounding swallows any below "
            f"{least**2:.2g}; take a larger one, or call min_norm_path."
        )
    # A penalty is d rows sqrt(penalty) I with targets 0 that came first.
    prior = np.diag(np.append(np.full(d, np.sqrt(penalty)), 0.0))
    path = np.zeros((len(X) + 1, d))
    _absorb(prior, X, y, out=path[1:])
    return path


def ridge_risk_curve(
    X: Numbers, y: Numbers, beta: Numbers, penalty: float
) -> Float64[Array, "sizes"]:
    """Return ||estimate - beta||^2 of `ridge_path`, (N + 1,)."""
    X, y, beta = sample(X, y, beta)
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


def _fits_row_by_row(X: Float64[Array, "N d"], y: Float64[Array, "N"]) -> Float64[Array, "sizes d"]:
    """`min_norm_path` for features of any rank.

    The fit is sought in coordinates of the span of the rows so far, where it is an ordinary least
    squares fit: the triangle has a column for each direction, and a row outside the span adds one.
    """
    num_rows, d = X.shape
    path = np.zeros((num_rows + 1, d))
    basis = np.empty((min(num_rows, d), d))  # orthonormal; its first `rank` rows are the span
    triangle = np.zeros((1, 1))
    rank = 0
    for n, row in enumerate(X):
        rest = row
        coordinates = np.zeros(rank)
        for _ in range(2):  # once loses orthogonality
            part = basis[:rank] @ rest
            coordinates += part
            rest = rest - part @ basis[:rank]
        distance = np.linalg.norm(rest)
        if rank < len(basis) and distance > _rounding(d) * np.abs(row).max():
            basis[rank] = rest / distance
            coordinates = np.append(coordinates, distance)
            grown = np.zeros((rank + 2, rank + 2))
            grown[:rank, :rank] = triangle[:-1, :-1]
            grown[:rank, -1] = triangle[:-1, -1]
            triangle = grown
            rank += 1
        if rank:
            triangle = _append(triangle, coordinates[None], y[n : n + 1])
            path[n + 1] = _solve(triangle) @ basis[:rank]
    return path


def _are_independent(R: Float64[Array, "k m"], X: Float64[Array, "N d"]) -> bool:
    """Whether each of the first min(N, d) rows is outside the span of those before: R_ii is its distance."""
    k = min(X.shape)
    distances = np.abs(np.diagonal(R)[:k])
    return bool(np.all(distances > _rounding(X.shape[1]) * np.abs(X[:k]).max(axis=1, initial=0)))


def _rounding(d: int) -> float:
    return float(16 * d * np.finfo(np.float64).eps)


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
    return solve_triangular(triangle[:-1, :-1], triangle[:-1, -1], **UNCHECKED)


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
        if not magnitude(XR) <= LONG:
            for n in range(first, min(first + size, len(X))):
                triangle = _append(triangle, X[n : n + 1], y[n : n + 1])
                out[n] = _solve(triangle)
            continue
        S = XR @ XR.T
        S.flat[:: len(S) + 1] += 1
        L = cholesky(S.T, lower=True, overwrite_a=True, **UNCHECKED)
        innovations = y[block] - X[block] @ fit
        innovations = solve_triangular(L, innovations, lower=True, **UNCHECKED)
        gains = blas.dtrsm(1.0, R, XR, side=1, trans_a=1, overwrite_b=1)  # X (R'R)^-1
        gains = blas.dtrsm(1.0, L, gains, lower=1, overwrite_b=1)
        gains *= innovations[:, None]
        np.cumsum(gains, axis=0, out=out[block])
        out[block] += fit
        if first + size < len(X):
            triangle = _append(triangle, X[block], y[block])
