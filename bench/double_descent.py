"""The whole risk curve against the ways to refit at every n: `python bench/double_descent.py`.

Prints one Markdown table. Times are CPU time of one thread; a ratio is the median over runs that
alternate with ours, with its order-statistic interval (5 % per tail), of this process alone. Takes
about five minutes; with --every-n the accuracy is taken at every n, which takes about six more.
"""

import argparse
import os
import time


os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.linalg import blas, solve

from studiolo.claims import statistic
from studiolo.measure import abba
from studiolo.papers.double_descent import risk_curve, sample_risk_curves


Array = np.ndarray
Fit = Callable[[Array, Array, int], Array]
SIGMA = 0.1


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every-n", action="store_true", help="compare with lstsq at every n")
    every_n = parser.parse_args().every_n
    print("| what | against | ours | theirs | theirs / ours | bar |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows(every_n):
        print("| " + " | ".join(row) + " |", flush=True)


def rows(every_n: bool) -> Iterator[tuple[str, ...]]:
    """The table, row by row."""
    sample = draw(200, seed=0)
    for name, peer, pairs, bar in (
        ("Gram matrix solved at every n", every(gram), 20, "20"),
        ("running Gram matrix, Cholesky at every n", running_gram, 20, ""),
        ("recursive least squares", recursive, 20, "2"),
        ("`lstsq` at every n", every(lstsq), 5, ""),
    ):
        yield raced("d = 200, n <= 400", name, sample, peer, pairs, bar)
    X, y, beta = sample
    X = X.copy()
    X[:, 5] = X[:, 2]  # no running sums: the rows are taken one by one
    yield raced(
        "d = 200, n <= 400, a column twice", "`lstsq` at every n", (X, y, beta), every(lstsq), 5, ""
    )
    sample = draw(1000, seed=0)
    for name, fit, bar in (
        ("Gram matrix solved at every n", gram, "60"),
        ("`lstsq` at every n", lstsq, ""),
    ):
        yield estimated("d = 1000, n <= 2000", name, sample, fit, bar)
    for name, peer in (
        ("running Gram matrix, Cholesky at every n", running_gram),
        ("recursive least squares", recursive),
    ):
        yield raced("d = 1000, n <= 2000", name, sample, peer, 5, "")
    begin = time.process_time()
    for seed in range(50):
        X, y, beta = draw(1000, seed)
        risk_curve(X, y, beta)
    figure_s = time.process_time() - begin
    yield (
        "the paper's figure: 50 trials, d = 1000, draws included",
        "",
        f"{figure_s:.1f} s",
        "",
        "",
        "25 s",
    )
    begin = time.process_time()
    rng = np.random.default_rng(0)
    sample_risk_curves(2000, 1000, sigma=SIGMA, beta_norm=1.0, trials=50, rng=rng)
    law_s = time.process_time() - begin
    yield ("50 curves in law, d = 1000, n <= 2000", "", f"{law_s:.3f} s", "", "", "1 s")
    yield accuracy(every_n)


def raced(
    what: str,
    name: str,
    sample: tuple[Array, Array, Array],
    peer: Callable[..., Any],
    pairs: int,
    bar: str,
) -> tuple[str, ...]:
    """Both run whole, in turns."""
    times = abba(lambda: peer(*sample), lambda: risk_curve(*sample), pairs=pairs, warmup=1)
    theirs, ours = np.array(times.a_s), np.array(times.b_s)
    return compared(what, name, ours, theirs, bar)


def estimated(
    what: str, name: str, sample: tuple[Array, Array, Array], fit: Fit, bar: str
) -> tuple[str, ...]:
    """Ours runs whole; theirs is timed at 25 sizes and integrated over n by trapezoids."""
    X, y, beta = sample
    num_rows = len(X)
    sizes = np.unique(np.linspace(1, num_rows, 25).round().astype(int))
    ours, theirs = [], []
    for _ in range(5):
        begin = time.process_time()
        risk_curve(X, y, beta)
        ours.append(time.process_time() - begin)
        seconds = []
        for n in sizes:
            begin = time.process_time()
            fit(X, y, n)
            seconds.append(time.process_time() - begin)
        theirs.append(np.trapezoid(seconds, sizes))
    return compared(
        what, f"{name}, trapezoid over 25 timed n", np.array(ours), np.array(theirs), bar
    )


def compared(what: str, name: str, ours: Array, theirs: Array, bar: str) -> tuple[str, ...]:
    """A row with the two times and the interval of their ratio."""
    ratio = statistic("median")(list(theirs / ours))
    return (
        what,
        name,
        f"{1000 * np.median(ours):.3g} ms",
        f"{np.median(theirs):.3g} s",
        f"{ratio.estimate:.3g} ({ratio.low:.3g} to {ratio.high:.3g})",
        bar,
    )


def accuracy(every_n: bool) -> tuple[str, ...]:
    """The largest relative deviation from `lstsq` over 300 samples, where |n - d| >= 2."""
    d = 200
    n = np.arange(1, 2 * d + 1)
    n = n[(np.abs(n - d) >= 2) & (every_n | (n % 10 == 0) | (np.abs(n - d) <= 12))]
    worst = 0.0
    for seed in range(300):
        X, y, beta = draw(d, seed)
        theirs = np.array([np.sum((lstsq(X, y, size) - beta) ** 2) for size in n])
        worst = max(worst, float(np.max(np.abs(risk_curve(X, y, beta)[n] / theirs - 1))))
    what = f"largest relative deviation, d = 200, 300 seeds, {len(n)} sizes each"
    return (what, "`lstsq`", f"{worst:.1e}", "", "", "1e-09")


def draw(d: int, seed: int) -> tuple[Array, Array, Array]:
    """X (2 d, d), y and beta of the paper's setting, with noise 0.1 and a signal of length 1."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2 * d, d))
    beta = rng.standard_normal(d)
    beta /= np.linalg.norm(beta)
    return X, X @ beta + SIGMA * rng.standard_normal(2 * d), beta


def every(fit: Fit) -> Callable[[Array, Array, Array], Array]:
    """The curve from one fit per n."""

    def curve(X: Array, y: Array, beta: Array) -> Array:
        fits = [fit(X, y, n) for n in range(1, len(X) + 1)]
        return np.array([np.sum((b - beta) ** 2) for b in fits])

    return curve


def lstsq(X: Array, y: Array, n: int) -> Array:
    """The minimum-norm fit from a singular value decomposition."""
    fit: Array = np.linalg.lstsq(X[:n], y[:n], rcond=None)[0]
    return fit


def gram(X: Array, y: Array, n: int) -> Array:
    """The smaller of X X' and X' X, formed and solved."""
    X, y = X[:n], y[:n]
    if n <= X.shape[1]:
        return X.T @ np.linalg.solve(X @ X.T, y)
    return np.linalg.solve(X.T @ X, X.T @ y)


def running_gram(X: Array, y: Array, beta: Array) -> Array:
    """The strongest refit per n: the Gram matrix is kept, and solved as positive definite."""
    N, d = X.shape
    first = X[:d]
    outer = first @ first.T
    risks = np.empty(N)
    for n in range(1, d + 1):
        b = first[:n].T @ solve(outer[:n, :n], y[:n], assume_a="pos", check_finite=False)
        risks[n - 1] = np.sum((b - beta) ** 2)
    inner = np.asfortranarray(first.T @ first)
    target = first.T @ y[:d]
    for n in range(d + 1, N + 1):
        x = X[n - 1]
        inner = blas.dger(1.0, x, x, a=inner, overwrite_a=1)
        target += y[n - 1] * x
        b = solve(inner, target, assume_a="pos", check_finite=False)
        risks[n - 1] = np.sum((b - beta) ** 2)
    return risks


def recursive(X: Array, y: Array, beta: Array) -> Array:
    """Gram-Schmidt twice up to n = d, recursive least squares after, all in place."""
    N, d = X.shape
    risks = np.empty(N)
    Q = np.empty((d, d))
    b = np.zeros(d)
    for n in range(min(N, d)):
        x, seen = X[n], Q[:n]
        r = x - (seen @ x) @ seen
        r -= (seen @ r) @ seen
        length2 = r @ r
        b += (y[n] - x @ b) / length2 * r
        Q[n] = r / np.sqrt(length2)
        risks[n] = np.sum((b - beta) ** 2)
    P = np.asfortranarray(np.linalg.inv(X[:d].T @ X[:d]))
    for n in range(d, N):
        x = X[n]
        k = P @ x
        c = 1 + x @ k
        b += (y[n] - x @ b) / c * k
        P = blas.dger(-1 / c, k, k, a=P, overwrite_a=1)
        risks[n] = np.sum((b - beta) ** 2)
    return risks


if __name__ == "__main__":
    main()
