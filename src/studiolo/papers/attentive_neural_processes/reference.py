"""Attentive neural processes for one task, equation by equation, in the paper's letters.

Legend: x_C, y_C the context, x_T, y_T the targets (the context among them), x_* one target;
r_i, s_i encodings of point i in the deterministic and the latent path; w_i the weight of r_i.
A network is a list of (W, b), applied as W h + b with ReLU between them.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


Network = Sequence[tuple[Tensor, Tensor]]
Points = Tensor | Sequence[Tensor]  # one row a point


def mlp(layers: Network, h: Tensor) -> Tensor:
    """Return the network's value at one point."""
    for W, b in layers[:-1]:
        h = torch.relu(W @ h + b)
    W, b = layers[-1]
    return W @ h + b


def uniform(k: Points, v: Points, q: Tensor) -> Tensor:
    """Return the mean of the values, table of section 3."""
    return sum(v, torch.zeros_like(v[0])) / len(v)


def laplace(k: Points, v: Points, q: Tensor, l: float = 1.0, *, normalise: bool = True) -> Tensor:
    """Return Σ w_i v_i with w_i ∝ exp(-|q - k_i|₁ / l)."""
    score = [-(q - k_i).abs().sum() / l for k_i in k]
    if normalise:
        return _normalised(score, v)
    return sum((1 + torch.tanh(s)) * v_i for s, v_i in zip(score, v, strict=True))


def dot_product(k: Points, v: Points, q: Tensor, *, normalise: bool = True) -> Tensor:
    """Return Σ w_i v_i with w_i ∝ exp(q·k_i / √d_k)."""
    score = [q @ k_i / math.sqrt(len(q)) for k_i in k]
    if normalise:
        return _normalised(score, v)
    return sum(torch.sigmoid(s) * v_i for s, v_i in zip(score, v, strict=True))


def gaussian(k: Points, v: Points, q: Tensor, l: float = 1.0, *, normalise: bool = True) -> Tensor:
    """Return Σ w_i v_i with w_i ∝ exp(-|q - k_i|² / 2 l²)."""
    score = [-((q - k_i) ** 2).sum() / (2 * l**2) for k_i in k]
    if normalise:
        return _normalised(score, v)
    return sum(torch.exp(s) * v_i for s, v_i in zip(score, v, strict=True))


def l2(k: Points, v: Points, q: Tensor, *, normalise: bool = True) -> Tensor:
    """Return Σ w_i v_i with w_i ∝ exp(-|q - k_i|² / √d_k)."""
    return gaussian(k, v, q, math.sqrt(math.sqrt(len(q)) / 2), normalise=normalise)


def multihead(
    k: Points, v: Points, q: Tensor, W_q: Tensor, W_k: Tensor, W_v: Tensor, W_o: Tensor, H: int
) -> Tensor:
    """Return the sum over heads of W_o's part of each head's dot-product attention."""
    size = len(v[0]) // H
    out = torch.zeros_like(v[0])
    for h in range(H):
        rows = slice(h * size, (h + 1) * size)
        keys = torch.stack([W_k[rows] @ k_i for k_i in k])
        values = torch.stack([W_v[rows] @ v_i for v_i in v])
        out = out + W_o[:, rows] @ dot_product(keys, values, W_q[rows] @ q)
    return out


def self_attention(
    r: Points, norm: tuple[Tensor, Tensor], W: Tensor, W_o: Tensor, H: int
) -> list[Tensor]:
    """Return r_i + multihead over the normalised r, W the maps of q, k and v one below the other."""
    w, b = norm
    n = [(r_i - r_i.mean()) / torch.sqrt(r_i.var(correction=0) + 1e-5) * w + b for r_i in r]
    W_q, W_k, W_v = W.chunk(3)
    return [
        r_i + multihead(n, n, n_i, W_q, W_k, W_v, W_o, H) for r_i, n_i in zip(r, n, strict=True)
    ]


def l2_self_attention(X: Points, W_Q: Tensor, W_V: Tensor, W_O: Tensor) -> list[Tensor]:
    """Return P X A W_V for each head, side by side, times W_O; arXiv 2006.04710, equation (12)."""
    rows = []
    for x in X:
        heads = []
        for Q, V in zip(W_Q, W_V, strict=True):
            A = Q @ Q.T / math.sqrt(Q.shape[1])
            PX = l2([x_j @ Q for x_j in X], X, x @ Q)
            heads.append(PX @ A @ V)
        rows.append(W_O @ torch.cat(heads))
    return rows


def q_z(s: Points, hidden: Network, parameters: Network) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of q(z | s), s the mean of the s_i."""
    s_C = sum(s, torch.zeros_like(s[0])) / len(s)
    mu, raw = mlp(parameters, torch.relu(mlp(hidden, s_C))).chunk(2)
    return mu, 0.1 + 0.9 * torch.sigmoid(raw)


def p_y(layers: Network, x: Tensor, r: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of p(y_* | x_*, r_*, z)."""
    mu, raw = mlp(layers, torch.cat([x, r, z])).chunk(2)
    return mu, 0.1 + 0.9 * torch.log(1 + torch.exp(raw))


def log_normal(y: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """Return Σ log N(y; μ, σ²) over coordinates."""
    return torch.log(
        torch.exp(-(((y - mu) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
    ).sum()


def kl(q: tuple[Tensor, Tensor], p: tuple[Tensor, Tensor]) -> Tensor:
    """Return KL(q || p) of two normal distributions with independent coordinates."""
    (mu_q, sigma_q), (mu_p, sigma_p) = q, p
    each = torch.log(sigma_p / sigma_q) + (sigma_q**2 + (mu_q - mu_p) ** 2) / (2 * sigma_p**2)
    return (each - 0.5).sum()


def loss(log_p: Sequence[Tensor], q_T: tuple[Tensor, Tensor], q_C: tuple[Tensor, Tensor]) -> Tensor:
    """Return minus the bound of equation (3) over the number of targets."""
    return -(sum(log_p) - kl(q_T, q_C)) / len(log_p)


def gp_posterior(
    x_C: Tensor, y_C: Tensor, x: Tensor, length_scale: float, output_scale: float, noise: float
) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of an observation at x: K_*C (K_CC + s² I)⁻¹ y, slide 13."""

    def K(a: Tensor, b: Tensor) -> Tensor:
        return output_scale**2 * torch.exp(-((a - b) ** 2).sum() / (2 * length_scale**2))

    K_CC = torch.stack([torch.stack([K(a, b) for b in x_C]) for a in x_C])
    K_C = torch.stack([K(x, a) for a in x_C])
    inverse = torch.linalg.inv(K_CC + noise**2 * torch.eye(len(x_C), dtype=x.dtype))
    return K_C @ inverse @ y_C, torch.sqrt(K(x, x) - K_C @ inverse @ K_C + noise**2)


def nadaraya_watson(x_C: Tensor, y_C: Tensor, x: Tensor, length_scale: float) -> Tensor:
    """Return the mean of y_C weighted by a Gaussian kernel."""
    weight = [torch.exp(-((x - a) ** 2).sum() / (2 * length_scale**2)) for a in x_C]
    return sum(w * y for w, y in zip(weight, y_C, strict=True)) / sum(weight)


def _normalised(score: Sequence[Tensor], v: Points) -> Tensor:
    w = [torch.exp(s) for s in score]
    return sum(w_i * v_i for w_i, v_i in zip(w, v, strict=True)) / sum(w)
