"""Equations of arXiv 1605.02226, one datum at a time, in the paper's letters. Slow on purpose.

x (D,) of 0 and 1; V (D, H), b (D,), W (H, D), c (H,); o: the order, a sequence of 0-based dimensions; m (D,) the 0/1
mask of what is observed. For the deep model W, c are lists, one element a hidden layer.
"""

import math
from collections.abc import Callable, Sequence
from itertools import permutations

import torch
from torch import Tensor


def sigm(t: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-t))."""
    return 1 / (1 + torch.exp(-t))


def relu(t: Tensor) -> Tensor:
    """Return max(t, 0)."""
    return t * (t > 0)


def log_bernoulli(x: Tensor, p: Tensor) -> Tensor:
    """Return log p for x = 1 and log(1 - p) for x = 0."""
    return x * torch.log(p) + (1 - x) * torch.log(1 - p)


def log_p(
    x: Tensor,
    V: Tensor,
    b: Tensor,
    W: Tensor,
    c: Tensor,
    o: Sequence[int],
    act: Callable[[Tensor], Tensor] = sigm,
) -> Tensor:
    """Return log p(x): the product rule, each h_d from its own matrix product, O(D^2 H)."""
    total = torch.zeros((), dtype=V.dtype)
    for d, o_d in enumerate(o):
        before = list(o[:d])
        h_d = act(W[:, before] @ x[before] + c)
        total = total + log_bernoulli(x[o_d], sigm(V[o_d] @ h_d + b[o_d]))
    return total


def algorithm_1(
    x: Tensor, V: Tensor, b: Tensor, W: Tensor, c: Tensor, o: Sequence[int]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return log p(x) and the gradients of -log p(x), by the paper's recursion forth and back, O(DH)."""
    log_p_x = torch.zeros((), dtype=V.dtype)
    a, h, p = [c], [], []
    for o_d in o:
        h.append(sigm(a[-1]))
        p.append(sigm(V[o_d] @ h[-1] + b[o_d]))
        log_p_x = log_p_x + log_bernoulli(x[o_d], p[-1])
        a.append(a[-1] + W[:, o_d] * x[o_d])
    d_V, d_b, d_W, d_c = (torch.zeros_like(parameter) for parameter in (V, b, W, c))
    d_a = torch.zeros_like(c)
    for o_d, h_d, p_d in zip(reversed(o), reversed(h), reversed(p), strict=True):
        e = p_d - x[o_d]
        d_b[o_d] = e
        d_V[o_d] = e * h_d
        d_W[:, o_d] = x[o_d] * d_a
        d_h = e * V[o_d]
        d_c = d_c + d_h * h_d * (1 - h_d)
        d_a = d_a + d_h * h_d * (1 - h_d)
    return log_p_x, {"V": d_V, "b": d_b, "W": d_W, "c": d_c}


def deep_logits(
    x: Tensor,
    m: Tensor,
    V: Tensor,
    b: Tensor,
    W: Sequence[Tensor],
    c: Sequence[Tensor],
    act: Callable[[Tensor], Tensor] = relu,
) -> Tensor:
    """Return the (D,) logits given what m shows; W[0] has D columns (x hidden by m) or 2 D (and m itself)."""
    h = m * x if W[0].shape[1] == len(x) else torch.cat((m * x, m))
    for W_l, c_l in zip(W, c, strict=True):
        h = act(W_l @ h + c_l)
    return V @ h + b


def deep_log_p(
    x: Tensor,
    o: Sequence[int],
    V: Tensor,
    b: Tensor,
    W: Sequence[Tensor],
    c: Sequence[Tensor],
    act: Callable[[Tensor], Tensor] = relu,
) -> Tensor:
    """Return log p(x | o), one whole pass of the network for every dimension."""
    total = torch.zeros((), dtype=V.dtype)
    for d, o_d in enumerate(o):
        m = torch.zeros_like(x)
        m[list(o[:d])] = 1
        total = total + log_bernoulli(x[o_d], sigm(deep_logits(x, m, V, b, W, c, act)[o_d]))
    return total


def mixture_log_p(
    x: Tensor,
    orders: Sequence[Sequence[int]],
    V: Tensor,
    b: Tensor,
    W: Sequence[Tensor],
    c: Sequence[Tensor],
) -> Tensor:
    """Return log of the mean over `orders` of p(x | o): EoNADE."""
    return torch.log(sum(torch.exp(deep_log_p(x, o, V, b, W, c)) for o in orders) / len(orders))  # type: ignore[arg-type]


def J_hat(
    x: Tensor, m: Tensor, V: Tensor, b: Tensor, W: Sequence[Tensor], c: Sequence[Tensor]
) -> Tensor:
    """Return D / (D - |m|) times the sum over hidden i of -log p(x_i | what m shows); |m| of m are 1."""
    D = len(x)
    nll = -log_bernoulli(x, sigm(deep_logits(x, m, V, b, W, c)))
    return D / (D - m.sum()) * ((1 - m) * nll).sum()


def J(x: Tensor, V: Tensor, b: Tensor, W: Sequence[Tensor], c: Sequence[Tensor]) -> Tensor:
    """Return the mean of -log p(x | o) over all D! orders, which J_hat estimates."""
    total = sum(deep_log_p(x, o, V, b, W, c) for o in permutations(range(len(x))))
    return -total / math.factorial(len(x))  # type: ignore[return-value]


def rnade_log_p(
    x: Tensor,
    V: Tensor,
    b: Tensor,
    W: Tensor,
    c: Tensor,
    rho: Tensor,
    o: Sequence[int],
    kind: str = "gaussian",
) -> Tensor:
    """Return log p(x) of RNADE; V (D, 3 C, H), b (D, 3 C): logits of weights, means, log scales of C components."""
    total = torch.zeros((), dtype=V.dtype)
    for d, o_d in enumerate(o):
        before = list(o[:d])
        h_d = relu(rho[d] * (W[:, before] @ x[before] + c))
        z_pi, mu, z_sigma = (V[o_d] @ h_d + b[o_d]).chunk(3)
        pi, sigma = torch.exp(z_pi) / torch.exp(z_pi).sum(), torch.exp(z_sigma)
        if kind == "gaussian":
            p = torch.exp(-((x[o_d] - mu) ** 2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
        else:
            p = torch.exp(-(x[o_d] - mu).abs() / sigma) / (2 * sigma)
        total = total + torch.log((pi * p).sum())
    return total
