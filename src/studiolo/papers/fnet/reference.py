"""FNet equation by equation, in the paper's letters, slow and obvious.

Legend: N a length, n and k positions; x (L, d) one row: L tokens of d features; F_h, F_seq the
transforms along features and tokens; A mixing matrices. One row at a time, any float type.
"""

import math
import re

import torch
from jaxtyping import Complex, Float
from torch import Tensor


def dft(x: Float[Tensor, " N"] | Complex[Tensor, " N"]) -> Complex[Tensor, " N"]:
    """Return X_k = sum_n x_n exp(-2 pi i n k / N), equation (1), by its double sum."""
    N = len(x)
    X = []
    for k in range(N):
        n = torch.arange(N, dtype=torch.float64)
        angle = (-2 * math.pi * n * k / N).to(x.real.dtype)
        X.append((x * torch.polar(torch.ones_like(angle), angle)).sum())
    return torch.stack(X)


def fourier_sublayer(x: Float[Tensor, "L d"]) -> Float[Tensor, "L d"]:
    """Return y = Re(F_seq(F_h(x))), equation (3)."""
    F_h = torch.stack([dft(token) for token in x])
    F_seq = torch.stack([dft(feature) for feature in F_h.T]).T
    return F_seq.real


def matrix_sublayer(
    x: Float[Tensor, "L d"], A_seq: Float[Tensor, "L L"], A_h: Float[Tensor, "d d"]
) -> Float[Tensor, "L d"]:
    """Return A_seq x A_h, the "Linear" (learned) and "Random" (frozen) baselines."""
    return torch.einsum("kn,nj,ji->ki", A_seq, x, A_h)


def attention_sublayer(
    q: Float[Tensor, "L c"], k: Float[Tensor, "L c"], v: Float[Tensor, "L c"]
) -> Float[Tensor, "L c"]:
    """Return one head of attention, softmax(q kᵀ / sqrt(c)) v, query by query."""
    rows = []
    for query in q:
        weights = torch.exp(k @ query / math.sqrt(len(query)))
        rows.append((weights[:, None] * v).sum(0) / weights.sum())
    return torch.stack(rows)


def layer_norm(
    x: Float[Tensor, "L d"], scale: Float[Tensor, " d"], bias: Float[Tensor, " d"], eps: float
) -> Float[Tensor, "L d"]:
    """Return (x - mean) / sqrt(variance + eps) * scale + bias, token by token."""
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred**2).mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + eps) * scale + bias


def gelu(x: Tensor) -> Tensor:
    """Return the tanh approximation x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x³)))."""
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def fnet_block(
    x: Float[Tensor, "L d"], w: dict[str, Tensor], eps: float = 1e-12
) -> Float[Tensor, "L d"]:
    """Return one encoder block (Figure 1): LN(z + W2 gelu(W1 z + b1) + b2), z = LN(x + mix(x)).

    Args:
        w: "W1" (h, d), "b1", "W2" (d, h), "b2" and "scale1", "bias1", "scale2", "bias2" of the
            layer normalisations.
    """
    z = layer_norm(x + fourier_sublayer(x), w["scale1"], w["bias1"], eps)
    ff = gelu(z @ w["W1"].T + w["b1"]) @ w["W2"].T + w["b2"]
    return layer_norm(z + ff, w["scale2"], w["bias2"], eps)


def listops_value(text: str) -> int:
    """Return the value of "[ MAX 2 9 [ MIN 4 7 ] 0 ]", its innermost list replaced until a digit is left."""
    while "[" in text:
        innermost = re.search(r"\[ ([A-Z]+) ([\d ]+) \]", text)
        assert innermost is not None
        x = sorted(int(digit) for digit in innermost[2].split())
        value = {
            "MIN": x[0],
            "MAX": x[-1],
            "MED": math.floor((x[(len(x) - 1) // 2] + x[len(x) // 2]) / 2),
            "SM": sum(x) % 10,
        }[innermost[1]]
        text = text.replace(innermost[0], str(value))
    return int(text)
