"""First values of the two factors of a matrix: free functions `init(weight, rank) -> (U, V)`."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


Init = Callable[[Tensor, int], tuple[Tensor, Tensor]]
"""Maps a matrix (m, n) and a rank r to U (m, r) and V (n, r), which stand for U Vᵀ."""


@torch.no_grad()
def spectral_init(
    weight: Float[Tensor, "..."],
    rank: int,
    *,
    iterations: int | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return U = A √S and V = B √S of the `rank` largest singular values in weight = A S Bᵀ.

    U Vᵀ is the closest matrix of that rank, and (‖U‖² + ‖V‖²)/2 is its nuclear norm.

    Args:
        weight: (m, n), freshly drawn or trained.
        rank: from 1; beyond min(m, n) U repeats its columns beside zeros in V, so that the product stays the
            weight and every further column of V has a gradient at once, of U after one step.
        iterations: None takes an exact SVD, O(m n min(m, n)). A number takes a randomised one with so many power
            iterations, O(m n rank): 2 to 4 are usual, more where singular values fall slowly.
        generator: draws of the randomised SVD.

    Returns:
        (m, rank) and (n, rank), in the weight's precision; the work is in float32 at least.

    Raises:
        ValueError: the weight is no matrix, or the rank is below 1.

    Source: https://arxiv.org/abs/2105.01029, section 3; Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1.
    Differs: the published code fills both factors with zeros beyond min(m, n): those columns stay zero for ever.
    """
    _check(weight, rank)
    matrix = weight.to(torch.promote_types(weight.dtype, torch.float32))
    useful = min(rank, *weight.shape)
    if iterations is None:
        a, s, b_t = torch.linalg.svd(matrix, full_matrices=False)
    else:
        a, s, b_t = _randomised_svd(matrix, useful, iterations, generator)
    root = s[:useful].sqrt()
    u, v = a[:, :useful] * root, b_t[:useful].mT * root
    if rank > useful:
        further = torch.arange(rank - useful, device=u.device) % useful
        u = torch.cat([u, u[:, further]], 1)
        v = torch.cat([v, v.new_zeros(v.shape[0], rank - useful)], 1)
    return u.to(weight.dtype), v.to(weight.dtype)


def _randomised_svd(
    matrix: Tensor, rank: int, iterations: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor]:
    width = min(rank + 10, *matrix.shape)  # ten directions more than asked for, as is usual
    start = torch.randn(
        matrix.shape[1], width, generator=generator, dtype=matrix.dtype, device=matrix.device
    )
    basis = torch.linalg.qr(matrix @ start).Q
    for _ in range(iterations):
        basis = torch.linalg.qr(matrix @ torch.linalg.qr(matrix.mT @ basis).Q).Q
    a, s, b_t = torch.linalg.svd(basis.mT @ matrix, full_matrices=False)
    return basis @ a, s, b_t


@torch.no_grad()
def kaiming_init(
    weight: Float[Tensor, "..."], rank: int, *, generator: torch.Generator | None = None
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Draw each factor as if it were a layer of its own: U from N(0, 2/rank), V from N(0, 2/n).

    What the paper calls regular: the weight's values are not looked at, only its shape (m, n), precision and
    device. An entry of U Vᵀ has variance 4/n, twice that of the dense layer.

    Raises:
        ValueError: the weight is no matrix, or the rank is below 1.
    """
    _check(weight, rank)

    def draw(size: int, std: float) -> Tensor:
        values = torch.randn(
            size, rank, generator=generator, dtype=weight.dtype, device=weight.device
        )
        return values * std

    m, n = weight.shape
    return draw(m, (2 / rank) ** 0.5), draw(n, (2 / n) ** 0.5)


def _check(weight: Tensor, rank: int) -> None:
    if weight.dim() != 2:
        raise ValueError(
            f"The weight is {tuple(weight.shape)}; unfold it into a matrix first, "
            "as FactorizedConv2d does."
        )
    if rank < 1:
        raise ValueError(f"The rank is {rank}; it must be 1 or more.")
