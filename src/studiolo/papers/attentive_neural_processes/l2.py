"""Self-attention by distance, whose output cannot move faster than a bound says.

Dot-product attention has no such bound: put one point at the origin and move the others away, and the
Jacobian grows without end. The score -|q - k|² with one map for queries and keys bounds it.

Legend: b sequences, n points, D `embed_dim`, H `num_heads`.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .attention import check_heads
from .kernels import kernel_attention


class L2Attention(nn.Module):
    """Self-attention with weights exp(-|W_Qᵀ x_i - W_Qᵀ x_j|² / √(D/H)) and values of tied maps.

    Args:
        embed_dim: D, of the input and the output.
        num_heads: H; must divide `embed_dim`.

    Raises:
        ValueError: `num_heads` does not divide `embed_dim`; says both.

    Example:
        >>> attention = L2Attention(8, 2)
        >>> attention(torch.randn(1, 5, 8)).shape, attention.lipschitz_bound(5) > 0
        (torch.Size([1, 5, 8]), True)

    Source: https://arxiv.org/abs/2006.04710, section 3.2: f(X) = P X A with A = W_Q W_Qᵀ / √(D/H), then
    W_V for each head, and W_O.
    """

    def __init__(self, embed_dim: int, num_heads: int = 1) -> None:
        super().__init__()
        check_heads(embed_dim, num_heads)
        self.num_heads = num_heads
        size = embed_dim // num_heads
        self.query, self.value = (  # W_Q and W_V of each head: (H, D, D / H)
            nn.Parameter(torch.randn(num_heads, embed_dim, size) / math.sqrt(embed_dim))
            for _ in range(2)
        )
        self.output = nn.Linear(embed_dim, embed_dim, bias=False)

    def forward(
        self, x: Float[Tensor, "b n D"], mask: Tensor | None = None
    ) -> Float[Tensor, "b n D"]:
        """Return what each point gathers; `mask`, bool (b, n), is True for points that exist."""
        at = x[:, None] @ self.query  # (b, H, n, D / H)
        values = at @ (self.query.mT @ self.value) / math.sqrt(at.shape[-1])  # X A W_V
        seen = None if mask is None else mask[:, None]
        gathered = kernel_attention(at, at, values, kernel="l2", mask=seen)
        return self.output(gathered.transpose(1, 2).flatten(2))

    @torch.no_grad()
    def lipschitz_bound(self, num_points: int, norm: Literal["inf", "2"] = "inf") -> float:
        """Return L with |f(X) - f(X')| <= L |X - X'| for all X, X' of `num_points` points, over all entries.

        Args:
            norm: "inf", the largest entry, or "2", the root of the sum of squares.

        Source: theorem 3.2. In the norm "2" W_Q counts twice, as scaling it by s and X by 1 / s shows.
        """
        root = math.sqrt(self.query.shape[-1])
        phi = inverse_phi(num_points - 1.0)
        q, v, out = self.query.double(), self.value.double(), self.output.weight.double()
        if norm == "inf":  # the norm of a matrix is then its largest sum over a row
            of_q = _rows(q).amax() * _rows(q.mT).amax()
            return (4 * phi + 1 / root) * float(_rows(out) * of_q * _rows(v.mT).amax())
        heads = (_spectral(q) ** 4 * _spectral(v) ** 2).sum().sqrt()
        return (math.sqrt(num_points) / root) * (4 * phi + 1) * float(heads * _spectral(out))


def inverse_phi(value: float) -> float:
    """Return x >= 0 with x e^(x + 1) = `value`, by Newton's method on its logarithm.

    Example:
        >>> round(inverse_phi(1.0), 4)
        0.2785
    """
    if value <= 0:
        return 0.0
    x = math.log1p(value / math.e)  # above the root
    for _ in range(50):
        x -= (x - value * math.exp(-x - 1)) / (1 + value * math.exp(-x - 1))
    return x


def jacobian_norm(jacobian: Float[Tensor, "n D n D"]) -> Tensor:
    """Return the norm of a map's Jacobian for the largest entry: its largest sum of a row's magnitudes."""
    return jacobian.abs().flatten(2).sum(-1).amax()


def _rows(matrix: Tensor) -> Tensor:
    return matrix.abs().sum(-1).amax(-1)


def _spectral(matrix: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(matrix, 2)
