"""The norm of a product of factors and its gradients, with the product never formed."""

import torch
from jaxtyping import Float
from torch import Tensor

from .structure import widened


def squared_norm(
    u: Float[Tensor, "..."], v: Float[Tensor, "..."], middle: Float[Tensor, "..."] | None = None
) -> Float[Tensor, "..."]:
    """Return ‖u vᵀ‖²_F = Σ (uᵀu)∘(vᵀv) in O(r² (m + n)), where forming the product takes O(m n r).

    Where r (m + n) > m n the product is the cheaper of the two, and is formed.

    Args:
        u: (..., m, r).
        v: (..., n, r); leading dimensions are a batch, such as the heads of an attention layer.
        middle: (..., r, r); then it is ‖u middle vᵀ‖².

    Returns:
        (...), in float32 at least.
    """
    with torch.autocast(u.device.type, enabled=False):
        u, v = widened(u), widened(v)
        if middle is not None:
            v = v @ widened(middle).mT
        if product_is_cheaper(u, v):
            return (u @ v.mT).square().sum((-2, -1))
        return ((u.mT @ u) * (v.mT @ v)).sum((-2, -1))


def frobenius_gradients(
    u: Float[Tensor, "..."], v: Float[Tensor, "..."], middle: Float[Tensor, "..."] | None = None
) -> tuple[Tensor, ...]:
    """Return u (vᵀv) and v (uᵀu), the gradients of ½ ‖u vᵀ‖²_F, in O(r² (m + n)) and in float32 at least.

    Args:
        u: (..., m, r).
        v: (..., n, r).
        middle: (..., r, r); then the gradients of ½ ‖u middle vᵀ‖², its own as the third.
    """
    with torch.autocast(u.device.type, enabled=False):
        u, v = widened(u), widened(v)
        if middle is not None:
            middle = widened(middle)
            gram_u, gram_v = u.mT @ u, v.mT @ v
            across = gram_u @ middle
            return u @ (middle @ gram_v @ middle.mT), v @ (middle.mT @ across), across @ gram_v
        if product_is_cheaper(u, v):
            product = u @ v.mT
            return product @ v, product.mT @ u
        return u @ (v.mT @ v), v @ (u.mT @ u)


def product_is_cheaper(u: Tensor, v: Tensor) -> bool:
    """Whether the product (m, n) has fewer entries than the factors (m, r) and (n, r)."""
    m, n, r = u.shape[-2], v.shape[-2], u.shape[-1]
    return r * (m + n) > m * n
