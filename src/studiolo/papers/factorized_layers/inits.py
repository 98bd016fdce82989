"""First values of the two factors of a matrix: free functions `init(weight, rank) -> (U, V)`."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .structure import widened


Init = Callable[[Tensor, int], tuple[Tensor, Tensor]]
"""Maps a matrix (m, n) and a rank r to U (m, r) and V (n, r), which stand for U Vᵀ."""

RANDOMISED_FROM = 256
"""Smaller matrices take an exact SVD, as do ranks beyond a quarter of the smaller side."""
TOLERANCE = 0.005
"""Share of the squared error that the last iteration of the automatic SVD, or all further ones, may gain."""


@torch.no_grad()
def spectral_init(
    weight: Float[Tensor, "..."],
    rank: int,
    *,
    iterations: int | Literal["auto"] | None = "auto",
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return U = A √S and V = B √S of the `rank` largest singular values in weight = A S Bᵀ.

    U Vᵀ is the closest matrix of that rank, and (‖U‖² + ‖V‖²)/2 is its nuclear norm.

    Args:
        weight: (..., m, n), freshly drawn or trained; leading dimensions are a batch, such as attention heads.
        rank: from 1; beyond min(m, n) the factors are rotated to more columns, U Q and V Q with Q Qᵀ = I: the
            product and the bound stay what they are, and every column has a gradient at once.
        iterations: None takes an exact SVD, O(m n min(m, n)). A number takes a randomised one with so many power
            iterations, O(m n rank). "auto" takes a randomised one for large matrices of low rank, adds iterations
            until they gain nothing any more, and falls back to the exact one if that takes too many.
        generator: draws of the randomised SVD; without one they are the same at every call.

    Returns:
        (..., m, rank) and (..., n, rank), in the weight's precision; the work is in float32 at least.

    Raises:
        ValueError: the weight has fewer than two dimensions, or the rank is below 1.

    Source: https://arxiv.org/abs/2105.01029, section 3; Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1.
    Differs: the published code fills both factors with zeros beyond min(m, n): those columns stay zero for ever.
    """
    if weight.dim() < 2:
        raise ValueError(f"The weight is {tuple(weight.shape)}; unfold it into a matrix first.")
    _check_rank(rank)
    a, s, b = _leading(widened(weight), rank, iterations, generator)
    u, v = _spread(a * s.sqrt()[..., None, :], b * s.sqrt()[..., None, :], rank)
    return u.to(weight.dtype), v.to(weight.dtype)


def _leading(
    matrix: Tensor,
    rank: int,
    iterations: int | Literal["auto"] | None,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the leading singular vectors (..., m, r), values (..., r) and vectors (..., n, r)."""
    full = min(matrix.shape[-2:])
    useful = min(rank, full)
    if iterations == "auto" and (full < RANDOMISED_FROM or 4 * useful > full or matrix.dim() > 2):
        iterations = None
    found = None
    if iterations is not None:
        found = _randomised_svd(matrix, useful, iterations, generator)
    if found is None:
        found = torch.linalg.svd(matrix, full_matrices=False)
    a, s, b_t = found
    return a[..., :useful], s[..., :useful], b_t[..., :useful, :].mT


def _randomised_svd(
    matrix: Tensor,
    rank: int,
    iterations: int | Literal["auto"],
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor, Tensor] | None:
    """Return a truncated SVD, or None where "auto" cannot make sure of its error in ten iterations."""
    # more directions than asked for: ten, as is usual, or a quarter, with which fewer iterations do
    width = min(rank + (max(10, rank // 4) if iterations == "auto" else 10), *matrix.shape)
    if generator is None:
        generator = torch.Generator(matrix.device).manual_seed(0)
    start = torch.randn(
        matrix.shape[1], width, generator=generator, dtype=matrix.dtype, device=matrix.device
    )
    basis = torch.linalg.qr(matrix @ start).Q
    if iterations != "auto":
        for _ in range(iterations):
            basis = torch.linalg.qr(matrix @ torch.linalg.qr(matrix.mT @ basis).Q).Q
        a, s, b_t = torch.linalg.svd(basis.mT @ matrix, full_matrices=False)
        return basis @ a, s, b_t
    total = matrix.double().square().sum().item()
    errors: list[
        float
    ] = []  # squared; they fall with every iteration, in the end by a constant factor
    for _ in range(10):
        across = matrix.mT @ basis  # (n, width)
        held = torch.linalg.eigvalsh((across.mT @ across).double())[-rank:].sum().item()
        errors.append(total - held)
        if _has_settled(errors, total):
            a, s, b_t = torch.linalg.svd(across.mT, full_matrices=False)
            return basis @ a, s, b_t
        basis = torch.linalg.qr(matrix @ torch.linalg.qr(across).Q).Q
    return None


def _has_settled(errors: list[float], total: float) -> bool:
    """Whether what further iterations can be expected to gain, a geometric series, is a trifle of the error."""
    if errors[-1] <= 1e-7 * total:
        return True
    if len(errors) < 3:
        return False
    before, gain = errors[-3] - errors[-2], errors[-2] - errors[-1]
    if gain <= 1e-7 * total:
        return True
    ratio = gain / before if before > 0 else 1.0
    return ratio < 1 and max(gain, gain * ratio / (1 - ratio)) <= TOLERANCE * errors[-1]


def _spread(u: Tensor, v: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Rotate both factors to `rank` columns: Q holds rows of the cosine basis, whose first row has no zero."""
    useful = u.shape[-1]
    if rank == useful:
        return u.contiguous(), v.contiguous()
    place = torch.arange(rank, dtype=torch.float64, device=u.device)
    rows = torch.arange(useful, dtype=torch.float64, device=u.device)
    q = torch.cos(math.pi / rank * rows[:, None] * (place + 0.5)) * (2 / rank) ** 0.5
    q[0] /= 2**0.5
    q = q.to(u.dtype)
    return u @ q, v @ q


@torch.no_grad()
def spectral_init_of_product(
    left: Float[Tensor, "..."], right: Float[Tensor, "..."], rank: int
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return the spectral factors of left rightᵀ, never formed: an attention head's QᵀK or O V, or factors to balance.

    Args:
        left: (..., m, s).
        right: (..., n, s); leading dimensions are a batch. O((m + n) s²).
        rank: from 1; beyond s the factors are rotated to more columns.

    Returns:
        (..., m, rank) and (..., n, rank), in the precision of `left`.
    """
    _check_rank(rank)
    dtype = left.dtype
    (q_left, r_left), (q_right, r_right) = (torch.linalg.qr(widened(x)) for x in (left, right))
    u, v = spectral_init(
        r_left @ r_right.mT, min(rank, *r_left.shape[-2:-1], *r_right.shape[-2:-1])
    )
    u, v = _spread(q_left @ u, q_right @ v, rank)
    return u.to(dtype), v.to(dtype)


@torch.no_grad()
def whitened_init(
    weight: Float[Tensor, "m n"], rank: int, *, moment: Float[Tensor, "n n"]
) -> tuple[Float[Tensor, "m r"], Float[Tensor, "n r"]]:
    """Return the factors whose *outputs* are closest: U Vᵀ minimises E‖(W − U Vᵀ) x‖² where E x xᵀ is the moment.

    With the moment C = L Lᵀ they are the SVD of W L, with Lᵀ undone on the right, and then balanced. A millionth of
    its mean is added to the diagonal of C, for directions that the data never take.

    Raises:
        ValueError: the moment is not (n, n), or the rank is below 1.

    Source: the whitening of SVD-LLM, https://arxiv.org/abs/2403.07378.
    """
    n = weight.shape[1]
    if moment.shape != (n, n):
        raise ValueError(f"The moment is {tuple(moment.shape)}; the weight takes {n} inputs.")
    root = root_of_moment(moment)
    a, b = spectral_init(weight.double() @ root, rank)
    right = torch.linalg.solve_triangular(root.mT, b, upper=True)
    return tuple(x.to(weight.dtype) for x in spectral_init_of_product(a, right, rank))  # type: ignore[return-value]


def root_of_moment(moment: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """Return a lower triangular L with L Lᵀ the moment plus a millionth of its mean diagonal, in float64."""
    moment = moment.double()
    ridge = 1e-6 * moment.diagonal().mean().clamp_min(torch.finfo(torch.float64).tiny)
    return torch.linalg.cholesky(moment + ridge * torch.eye(len(moment), device=moment.device))


@torch.no_grad()
def spectral_draw(
    m: int,
    n: int,
    rank: int,
    *,
    std: float,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "m r"], Float[Tensor, "n r"]]:
    """Draw what `spectral_init` would give for a fresh (m, n) matrix of independent entries, without an SVD.

    The singular vectors of such a matrix point anywhere, independently of its singular values, and these lie at the
    quantiles of the law of Marchenko and Pastur. O((m + n) rank²).

    Args:
        std: of an entry of the matrix.
    """
    _check_rank(rank)
    dtype = dtype or torch.get_default_dtype()
    useful = min(rank, m, n)
    values = std * max(m, n) ** 0.5 * _marchenko_pastur(min(m, n) / max(m, n), min(m, n), useful)
    root = values.sqrt().to(
        device if device is not None else "cpu", torch.promote_types(dtype, torch.float32)
    )

    def directions(size: int) -> Tensor:
        drawn = torch.randn(size, useful, generator=generator, device=device, dtype=root.dtype)
        q, r = torch.linalg.qr(drawn)
        return q * r.diagonal().sign() * root  # the signs make the directions uniform

    u, v = _spread(directions(m), directions(n), rank)
    return u.to(dtype), v.to(dtype)


def _marchenko_pastur(ratio: float, count: int, leading: int) -> Tensor:
    """Return the `leading` largest of `count` quantiles of a random matrix's singular values over √(longer side)."""
    angle = torch.linspace(0, math.pi, 4097, dtype=torch.float64)
    squares = (1 + ratio - 2 * ratio**0.5 * angle.cos()).clamp_min(
        1e-300
    )  # from the smallest to the largest
    density = 2 * angle.sin().square() / (math.pi * squares)
    density[squares < 1e-12] = 2 / math.pi  # sin² x / (4 sin² x/2) at 0, times two
    mass = torch.cumulative_trapezoid(density, angle)
    places = 1 - (torch.arange(leading, dtype=torch.float64) + 0.5) / count
    index = torch.searchsorted(mass / mass[-1], places).clamp_max(len(mass) - 1)
    return squares[index + 1].sqrt()


@torch.no_grad()
def kaiming_init(
    weight: Float[Tensor, "..."], rank: int, *, generator: torch.Generator | None = None
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Draw each factor as if it were a layer of its own: U from N(0, 2/rank), V from N(0, 2/n).

    What the paper calls regular: the weight's values are not looked at, only its shape (m, n), precision and
    device. An entry of U Vᵀ has variance 4/n, twice that of the dense layer.

    Raises:
        ValueError: the weight is not a matrix, or the rank is below 1.
    """
    if weight.dim() != 2:
        raise ValueError(
            f"The weight is {tuple(weight.shape)}; unfold it into a matrix first, "
            "as FactorizedConv2d does."
        )
    _check_rank(rank)

    def draw(size: int, std: float) -> Tensor:
        values = torch.randn(
            size, rank, generator=generator, dtype=weight.dtype, device=weight.device
        )
        return values * std

    m, n = weight.shape
    return draw(m, (2 / rank) ** 0.5), draw(n, (2 / n) ** 0.5)


def _check_rank(rank: int) -> None:
    if rank < 1:
        raise ValueError(f"The rank is {rank}; it must be 1 or more.")
