"""How the rows w of a projection are drawn: independent or orthogonal, with norms of chance or all √d."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def iid_projection(
    num_draws: int, dim: int, *, generator: torch.Generator | None = None
) -> Float[Tensor, "m d"]:
    """Return m independent rows w ~ N(0, I_d)."""
    return torch.randn(num_draws, dim, generator=generator)


def orthogonal_projection(
    num_draws: int, dim: int, *, generator: torch.Generator | None = None
) -> Float[Tensor, "m d"]:
    """Return m rows, each N(0, I_d), orthogonal to each other inside every block of d rows.

    The directions are the rows of a Haar matrix, the norms are drawn apart from them (chi with d
    degrees of freedom). Blocks are independent; the last one may be cut short.

    Source: https://arxiv.org/abs/2009.14794, section 2.4 and appendix B.2; Mezzadri,
        https://arxiv.org/abs/math-ph/0609050, for the signs.
    Differs: published implementations keep LAPACK's signs. Then w_11 < 0 always, no row is N(0, I_d),
        and positive features are biased.
    """
    norms = torch.randn(num_draws, dim, generator=generator).norm(dim=1, keepdim=True)
    return norms * _orthonormal_rows(num_draws, dim, generator)


def regularized_projection(
    num_draws: int, dim: int, *, generator: torch.Generator | None = None
) -> Float[Tensor, "m d"]:
    """Return orthogonal rows of norm √d: with positive features, the kernel SMREG of theorem 1."""
    return math.sqrt(dim) * _orthonormal_rows(num_draws, dim, generator)


def regularized_iid_projection(
    num_draws: int, dim: int, *, generator: torch.Generator | None = None
) -> Float[Tensor, "m d"]:
    """Return independent rows, uniform on the sphere of radius √d: SMREG by independent draws."""
    rows = torch.randn(num_draws, dim, generator=generator)
    return math.sqrt(dim) * rows / rows.norm(dim=1, keepdim=True)


DRAWS: dict[str, Callable[..., Tensor]] = {
    "orthogonal": orthogonal_projection,
    "iid": iid_projection,
    "regularized": regularized_projection,
    "regularized_iid": regularized_iid_projection,
}


def _orthonormal_rows(num_draws: int, dim: int, generator: torch.Generator | None) -> Tensor:
    blocks = -(-num_draws // dim)
    # float64: the Gram-Schmidt of a nearly dependent float32 block is not orthogonal to 1e-6
    gaussian = torch.randn(blocks, dim, dim, generator=generator, dtype=torch.float64)
    q, r = torch.linalg.qr(gaussian)
    haar = q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)  # signs of columns, not of rows
    return haar.reshape(blocks * dim, dim)[:num_draws].to(torch.get_default_dtype())
