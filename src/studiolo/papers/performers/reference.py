"""The paper's equations, slow and plain, in its letters. Everything is for one head: Q (L, d).

L length, d head dimension, m draws of w, x = q/d^¼, y = k/d^¼, z = x + y, Δ = x − y, SM = exp(x·y).
Source: https://arxiv.org/abs/2009.14794.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def softmax_attention(
    Q: Float[Tensor, "t d"],
    K: Float[Tensor, "s d"],
    V: Float[Tensor, "s v"],
    causal: bool = False,
) -> Float[Tensor, "t v"]:
    """Return D⁻¹ A V with A = exp(Q Kᵀ/√d), equations (1) and (2). Holds A: O(L²) memory."""
    A = torch.exp(Q @ K.T / math.sqrt(Q.shape[1]))
    if causal:
        A = A.tril()
    return (A @ V) / A.sum(1, keepdim=True)


def phi_pos(x: Float[Tensor, "d"], W: Float[Tensor, "m d"]) -> Float[Tensor, "m"]:
    """Return exp(−|x|²/2)/√m [exp(w_r·x)], Lemma 1."""
    h = torch.exp(-(x @ x) / 2)
    return torch.stack([h / math.sqrt(len(W)) * torch.exp(w @ x) for w in W])


def phi_hyp(x: Float[Tensor, "d"], W: Float[Tensor, "m d"]) -> Float[Tensor, "n"]:
    """Return exp(−|x|²/2)/√(2m) [exp(w_r·x), exp(−w_r·x)], Lemma 1."""
    h = torch.exp(-(x @ x) / 2) / math.sqrt(2 * len(W))
    return torch.stack([h * torch.exp(w @ x) for w in W] + [h * torch.exp(-(w @ x)) for w in W])


def phi_trig(x: Float[Tensor, "d"], W: Float[Tensor, "m d"]) -> Float[Tensor, "n"]:
    """Return exp(+|x|²/2)/√m [sin(w_r·x), cos(w_r·x)], equation (6)."""
    h = torch.exp(x @ x / 2) / math.sqrt(len(W))
    return torch.stack([h * torch.sin(w @ x) for w in W] + [h * torch.cos(w @ x) for w in W])


def phi_relu(x: Float[Tensor, "d"], W: Float[Tensor, "m d"]) -> Float[Tensor, "m"]:
    """Return [max(w_r·x, 0) + 0.001], the generalised attention of section 2.2 with f = ReLU, h = 1."""
    return torch.stack([torch.clamp(w @ x, min=0) + 0.001 for w in W])


def phi_elu(x: Float[Tensor, "d"], W: Float[Tensor, "m d"]) -> Float[Tensor, "m"]:
    """Return [elu(w_r·x) + 1]: u + 1 where u = w_r·x is positive, else exp(u)."""
    return torch.stack([w @ x + 1 if w @ x > 0 else torch.exp(w @ x) for w in W])


def phi_learned(x: Float[Tensor, "d"], W: Float[Tensor, "m d"]) -> Float[Tensor, "n"]:
    """Return [exp(w_r·x), exp(−w_r·x)], the feature map of Hedgehog (arXiv 2402.04347, equation 3)."""
    return torch.stack([torch.exp(w @ x) for w in W] + [torch.exp(-(w @ x)) for w in W])


def favor_attention(
    Qp: Float[Tensor, "t f"],
    Kp: Float[Tensor, "s f"],
    V: Float[Tensor, "s v"],
    causal: bool = False,
    seen: Bool[Tensor, "s"] | None = None,
) -> Float[Tensor, "t v"]:
    """Return D̂⁻¹ Q' (K'ᵀ V), equation (4), with Â = Q' K'ᵀ written out; `seen` removes columns of Â."""
    A = Qp @ Kp.T
    if causal:
        A = A.tril()
    if seen is not None:
        A = A * seen
    D = A.sum(1, keepdim=True)
    return torch.where(D == 0, 0, (A @ V) / D)


def favor_attention_by_prefix_sums(
    Qp: Float[Tensor, "t f"], Kp: Float[Tensor, "t f"], V: Float[Tensor, "t v"]
) -> Float[Tensor, "t v"]:
    """Return causal FAVOR as algorithm 1 and equation (11) have it: token by token, C = [V 1]."""
    C = torch.cat([V, torch.ones_like(V[:, :1])], 1)
    G = torch.zeros(Kp.shape[1], C.shape[1], dtype=V.dtype)
    rows = []
    for Q_i, K_i, C_i in zip(Qp, Kp, C, strict=True):
        G = G + torch.outer(K_i, C_i)
        buf = Q_i @ G
        rows.append(buf[:-1] / buf[-1])
    return torch.stack(rows)


def favor_attention_with_exact_chunks(
    Q: Float[Tensor, "t d"],
    K: Float[Tensor, "t d"],
    V: Float[Tensor, "t v"],
    Qp: Float[Tensor, "t f"],
    Kp: Float[Tensor, "t f"],
    C: int,
) -> Float[Tensor, "t v"]:
    """Return causal attention with weights exp(q·k/√d) inside a chunk of C keys and the one before, else Q'·K'."""
    rows = []
    for i in range(len(Q)):
        weights = [
            torch.exp(Q[i] @ K[j] / math.sqrt(Q.shape[1]))
            if i // C - j // C <= 1
            else Qp[i] @ Kp[j]
            for j in range(i + 1)
        ]
        A_i = torch.stack(weights)
        rows.append(A_i @ V[: i + 1] / A_i.sum())
    return torch.stack(rows)


def rotate(x: Float[Tensor, "d"], position: int, base: float = 10_000.0) -> Float[Tensor, "d"]:
    """Return x with (x_i, x_{i + d/2}) turned by position · base^(−2i/d) radians."""
    half = len(x) // 2
    out = x.clone()
    for i in range(half):
        angle = position * base ** (-2 * i / len(x))
        out[i] = x[i] * math.cos(angle) - x[i + half] * math.sin(angle)
        out[i + half] = x[i + half] * math.cos(angle) + x[i] * math.sin(angle)
    return out


def gram_schmidt(A: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    """Return the rows of A made orthonormal one after the other, section 2.4. No sign is free here."""
    rows: list[Tensor] = []
    for a in A:
        for q in rows:
            a = a - (a @ q) * q
        rows.append(a / a.norm())
    return torch.stack(rows)


def mse_trig(x: Tensor, y: Tensor, m: int) -> float:
    """Return the variance of the trigonometric estimate of SM with m independent draws, Lemma 2."""
    z, delta, SM = _pair(x, y)
    return math.exp(z) * SM**-2 * (1 - math.exp(-delta)) ** 2 / (2 * m)


def mse_pos(x: Tensor, y: Tensor, m: int) -> float:
    """Return the variance of the positive estimate of SM with m independent draws, Lemma 2."""
    z, _, SM = _pair(x, y)
    return math.exp(z) * SM**2 * (1 - math.exp(-z)) / m


def mse_hyp(x: Tensor, y: Tensor, m: int) -> float:
    """Return the variance of the hyperbolic estimate of SM with m draws (2m features), Lemma 2."""
    z, _, _ = _pair(x, y)
    return (1 - math.exp(-z)) / 2 * mse_pos(x, y, m)


def smreg(x: Tensor, y: Tensor) -> float:
    """Return SMREG: the mean of the positive estimate with w uniform on the sphere of radius √d, Theorem 1.

    exp(−(|x|² + |y|²)/2) Σ_k E[(w·z)^2k]/(2k)!, where E[(w·z)^2k] = (d|z|²)^k (2k − 1)!!/(d(d + 2)...(d + 2k − 2)).
    """
    d = len(x)
    z, _, _ = _pair(x, y)
    term, total = 1.0, 1.0
    for k in range(1, 1000):
        term *= d * z / 2 / k / (d + 2 * k - 2)
        total += term
    return math.exp(-float(x @ x + y @ y) / 2) * total


def mse_ort_bound(x: Tensor, y: Tensor, m: int) -> float:
    """Return the bound of Theorem 2 on the positive estimate's error with m <= d orthogonal draws."""
    d = len(x)
    _, _, SM = _pair(x, y)
    gap = SM - math.exp(-float(x @ x + y @ y) / 2)
    return mse_pos(x, y, m) - 2 * (m - 1) / (m * (d + 2)) * gap**2


def _pair(x: Tensor, y: Tensor) -> tuple[float, float, float]:  # |z|², |Δ|², SM
    z, delta = x + y, x - y
    return float(z @ z), float(delta @ delta), math.exp(float(x @ y))
