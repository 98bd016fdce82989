"""Fourier mixing as real matrix products on a folded plane.

Legend: b rows, l tokens, d features; h = l // 2 + 1 and w = d // 2 + 1, the folded axes.

With C and S the cosines and sines of an axis, y = C x C - S x S. A cosine is even and a sine odd, so the
products need the part of `x` that is even along both axes, and the part that is odd along both, a quarter of
the plane each; what they give is unfolded by the same symmetry. That is l d (l + d) / 2 operations a row, a
sixteenth of two complex products.
"""

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor


def folded_mix(x: Float[Tensor, "*rows l d"]) -> Float[Tensor, "*rows l d"]:
    """Return Re(F_seq F_hid x) by real matrix products, in the precision of `x`."""
    l, d = x.shape[-2:]
    even, odd = fold(x)
    cos_l, sin_l = waves(l, l // 2 + 1, x.dtype, x.device)
    cos_d, sin_d = waves(d, d // 2 + 1, x.dtype, x.device)
    return unfold(cos_l @ (even @ cos_d), sin_l @ (odd @ sin_d), l, d)


def fold(
    x: Float[Tensor, "*rows l d"],
) -> tuple[Float[Tensor, "*rows h w"], Float[Tensor, "*rows h w"]]:
    """Return what is even and what is odd along both axes, each point beside its mirror once."""
    l, d = x.shape[-2:]
    n, j = (torch.arange(size // 2 + 1, device=x.device) for size in (l, d))
    back_n, back_j = -n % l, -j % d
    near, far = x[..., n, :], x[..., back_n, :]
    even, odd = near + far, near - far
    even, odd = even[..., j] + even[..., back_j], odd[..., j] - odd[..., back_j]
    once_n, once_j = (0.5 * (a == b) for a, b in ((n, back_n), (j, back_j)))
    return even * ((1 - once_n)[:, None] * (1 - once_j)).to(x.dtype), odd


def unfold(
    even: Float[Tensor, "*rows h w"], odd: Float[Tensor, "*rows h w"], l: int, d: int
) -> Float[Tensor, "*rows l d"]:
    """Return even - odd in the quarter that they cover, and its mirror images elsewhere."""
    k, j = (torch.arange(size, device=even.device) for size in (l, d))
    rows, columns = torch.minimum(k, l - k), torch.minimum(j, d - j)
    sign = torch.where((k > l // 2)[:, None] == (j > d // 2), 1.0, -1.0).to(even.dtype)
    return even[..., rows, :][..., columns] - sign * odd[..., rows, :][..., columns]


@lru_cache(maxsize=32)
def waves(
    n: int, size: int, dtype: torch.dtype, device: torch.device
) -> tuple[Float[Tensor, "size size"], Float[Tensor, "size size"]]:
    """Return the cosines and sines of 2 pi i k / n for i, k up to n / 2, filled up to `size` with zeros."""
    half = n // 2 + 1
    i = torch.arange(half, device=device)
    angles = (i[:, None] * i % n).double() * (2 * math.pi / n)
    cos, sin = (torch.zeros(size, size, dtype=dtype, device=device) for _ in range(2))
    cos[:half, :half], sin[:half, :half] = angles.cos().to(dtype), angles.sin().to(dtype)
    return cos, sin
