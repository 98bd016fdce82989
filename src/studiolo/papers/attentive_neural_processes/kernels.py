"""Attention and kernel methods as one function: what a query gathers is Σ w_i v_i, with weights from a kernel.

Legend: n keys and values, m queries, d coordinates of a key, v of a value. For a kernel K(q, k) = exp(score(q, k)):

| normalise | weights of a query | with a Gaussian kernel |
| --- | --- | --- |
| "sum" | K(q, k_i) / Σ_j K(q, k_j) | Nadaraya-Watson regression; attention is this with another kernel |
| "solve" | K(q, k) (K(k, k) + noise² I)⁻¹ | the posterior mean of a Gaussian process |
| "none" | bounded, each by itself, never compared with the others | a sum of bumps |
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .layers import full_precision


class Kernel(NamedTuple):
    """A kernel by its logarithm.

    Attributes:
        score: (query, key, scale) to log K, (..., m, n).
        bounded: log K to the weights under normalise="none".
    """

    score: Callable[[Tensor, Tensor, float], Tensor]
    bounded: Callable[[Tensor], Tensor] = torch.exp


def _nothing(query: Tensor, key: Tensor, scale: float) -> Tensor:
    return (query[..., :, None, :0] * key[..., None, :, :0]).sum(-1)


def _city_block(query: Tensor, key: Tensor, scale: float) -> Tensor:
    # torch.cdist with p = 1 has neither half precision nor second derivatives
    query, key = _at_least_float(query), _at_least_float(key)
    return -(query[..., :, None, :] - key[..., None, :, :]).abs().sum(-1) / scale


def _squared(query: Tensor, key: Tensor, scale: float) -> Tensor:
    # differences where they are few: |q|² + |k|² - 2 q·k cancels where points are close
    query, key = _at_least_float(query) / scale, _at_least_float(key) / scale
    if query.shape[-1] <= 4:
        return -(query[..., :, None, :] - key[..., None, :, :]).square().sum(-1) / 2
    lengths = query.square().sum(-1)[..., :, None] + key.square().sum(-1)[..., None, :]
    with full_precision(query.device):  # what is left of the lengths is small
        return (query @ key.mT - lengths / 2).clamp(max=0)


def _dot(query: Tensor, key: Tensor, scale: float) -> Tensor:
    return query @ key.mT * (scale / query.shape[-1] ** 0.5)


def _l2(query: Tensor, key: Tensor, scale: float) -> Tensor:
    return _squared(query, key, 1.0) * (2 * scale / query.shape[-1] ** 0.5)


KERNELS: dict[str, Kernel] = {
    "uniform": Kernel(_nothing),
    "laplace": Kernel(_city_block, lambda score: 1 + score.tanh()),
    "gaussian": Kernel(_squared),
    "dot": Kernel(_dot, torch.sigmoid),
    "l2": Kernel(_l2),
}


def kernel_attention(
    query: Float[Tensor, "*#b m d"],
    key: Float[Tensor, "*#b n d"],
    value: Float[Tensor, "*#b n v"],
    *,
    kernel: str | Kernel = "dot",
    normalise: str = "sum",
    scale: float = 1.0,
    noise: float = 0.0,
    mask: Tensor | None = None,
) -> Float[Tensor, "*out m v"]:
    """Return Σ w_i v_i for each query, with the weights of the module's table.

    Args:
        kernel: a `Kernel`, or a name; its logarithm is
            "uniform": 0; "laplace": -|q - k|₁ / scale; "gaussian": -|q - k|² / 2 scale²;
            "dot": scale · q·k / √d; "l2": -scale · |q - k|² / √d.
        normalise: "sum", "solve" or "none"; the last takes 1 + tanh(log K) for "laplace", the
            logistic function of log K for "dot", K itself for the others.
        scale: of the kernel: a length for "laplace" and "gaussian", a factor for "dot" and "l2".
        noise: standard deviation of a value over that of the function, for "solve" alone.
        mask: bool, True for keys that exist, broadcast to (..., n). Values of others may hold
            anything finite. A query with no key gathers zeros.

    Raises:
        ValueError: another name; lists those known.

    Example:
        >>> x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[10.0], [20.0]])
        >>> kernel_attention(torch.tensor([[0.5]]), x, y, kernel="gaussian", scale=0.3)
        tensor([[15.]])
    """
    chosen = _known(kernel)
    score = chosen.score(query, key, scale)
    if normalise == "solve":
        return _solved(score, chosen.score(key, key, scale), value, noise, mask)
    if mask is not None:
        hidden = ~mask[..., None, :]
    if normalise == "none":
        weights = chosen.bounded(score)
        return (weights if mask is None else weights.masked_fill(hidden, 0)).to(value.dtype) @ value
    if normalise != "sum":
        raise ValueError(f"normalise is {normalise!r}; known are 'sum', 'solve' and 'none'.")
    if mask is None:
        return score.softmax(-1).to(value.dtype) @ value
    # a softmax over nothing is NaN, and so is its gradient: empty rows look at all, then count as 0
    empty = ~mask.any(-1)[..., None, None]
    weights = score.masked_fill(hidden & ~empty, -torch.inf).softmax(-1)
    return (weights.to(value.dtype) @ value).masked_fill(empty, 0)


def _known(kernel: str | Kernel) -> Kernel:
    if isinstance(kernel, Kernel):
        return kernel
    if kernel not in KERNELS:
        raise ValueError(f"kernel is {kernel!r}; known are {', '.join(KERNELS)}.")
    return KERNELS[kernel]


def _solved(
    across: Tensor, within: Tensor, value: Tensor, noise: float, mask: Tensor | None
) -> Tensor:
    """Return K_qk (K_kk + noise² I)⁻¹ v in float64; a key that is not there is correlated with nothing."""
    across, within, v = across.double().exp(), within.double().exp(), value.double()
    identity = torch.eye(within.shape[-1], dtype=within.dtype, device=within.device)
    if mask is not None:
        across = across.masked_fill(~mask[..., None, :], 0)
        both = mask[..., None, :] & mask[..., :, None]
        within = torch.where(both, within, identity)
        v = v.masked_fill(~mask[..., None], 0)
    factor = torch.linalg.cholesky(within + noise**2 * identity)
    return (across @ torch.cholesky_solve(v, factor)).to(value.dtype)


def _at_least_float(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
