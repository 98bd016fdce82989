"""Rotary positions, before the feature map.

Rotating a query and a key keeps their norms and makes q·k depend on the distance of the two. Applied to q and k,
before φ, features stay positive and estimate the rotated kernel. Applied to φ(q) and φ(k), as RoFormer does
for linear attention (arXiv 2104.09864, section 3.3), weights may be negative, and need a sum of other weights below.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def rotate(
    x: Float[Tensor, "*batch n d"], *, start: int = 0, base: float = 10_000.0
) -> Float[Tensor, "*batch n d"]:
    """Return x with the pair (x_i, x_{i + d/2}) of row p turned by (start + p) · base^(−2i/d) radians.

    The pairs are those of Llama and GPT-NeoX.

    Raises:
        ValueError: d is odd.

    Source: https://arxiv.org/abs/2104.09864, equation (15).
    """
    d = x.shape[-1]
    if d % 2:
        raise ValueError(f"x has {d} coordinates, and rotary positions turn pairs: d must be even.")
    dtype = torch.promote_types(x.dtype, torch.float32)
    frequency = base ** (-torch.arange(0, d, 2, device=x.device, dtype=dtype) / d)
    position = torch.arange(start, start + x.shape[-2], device=x.device, dtype=dtype)
    angle = position[:, None] * frequency
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)
