"""The paper's definitions, one network and one image at a time, in its letters.

t is the level of compression (0: none), K the number of models at a level, y^M the modal label. W, b, M are lists
with one weight matrix (in, out), bias and mask for each layer.
Sources: https://arxiv.org/abs/1911.05248, sections 2 and 3; https://arxiv.org/abs/1710.01878 for the schedule.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def network(x: Tensor, W: Sequence[Tensor], b: Sequence[Tensor], M: Sequence[Tensor]) -> Tensor:
    """Logits of one multilayer perceptron with ReLU whose weights are W * M."""
    for i in range(len(W)):
        x = x @ (W[i] * M[i]) + b[i]
        if i < len(W) - 1:
            x = torch.relu(x)
    return x


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Mean over the batch of -log softmax(logits)_y."""
    losses = [row.logsumexp(0) - row[int(c)] for row, c in zip(logits, y, strict=True)]
    return torch.stack(losses).mean()


def sparsity_at(t: float, s_f: float, t_0: float, span: float) -> float:
    """s_t = s_f + (0 - s_f)(1 - (t - t_0) / span)^3, equation (1) of 1710.01878 with s_i = 0."""
    return s_f + (0 - s_f) * (1 - (t - t_0) / span) ** 3


def magnitude_mask(W: Tensor, s: float) -> Tensor:
    """1 for what stays when the round(s · size) weights smallest in magnitude go, the earlier of equals first."""
    magnitudes = W.detach().abs().flatten().tolist()
    order = sorted(range(len(magnitudes)), key=lambda i: (magnitudes[i], i))
    mask = torch.ones(len(magnitudes), dtype=W.dtype)
    for i in order[: round(s * len(magnitudes))]:
        mask[i] = 0
    return mask.view_as(W)


def nesterov_step(
    w: Tensor, g: Tensor, v: Tensor, eta: float, mu: float, decay: float
) -> tuple[Tensor, Tensor]:
    """v <- mu v + g', w <- w - eta (g' + mu v) with g' = g + decay w; returns w and v."""
    g = g + decay * w
    v = mu * v + g
    return w - eta * (g + mu * v), v


def learning_rate(step: int, steps: int, eta: float) -> float:
    """From eta at step 0 to 0 at the last, along a cosine."""
    return eta * (1 + math.cos(math.pi * step / steps)) / 2


def modal_set(labels: Sequence[int]) -> set[int]:
    """The labels that most of the K models give to one image."""
    counts = {c: list(labels).count(c) for c in labels}
    return {c for c, count in counts.items() if count == max(counts.values())}


def pie(labels_0: Sequence[int], labels_t: Sequence[int], ties: str) -> bool:
    """y^M_0 != y^M_t for one image; with "shared" ties no label may be modal in both."""
    if ties == "highest":
        return max(modal_set(labels_0)) != max(modal_set(labels_t))
    return not modal_set(labels_0) & modal_set(labels_t)


def taxicab(labels_0: Sequence[int], labels_t: Sequence[int]) -> float:
    """sum_c |p_0(c) - p_t(c)| for one image, p the share of models that give label c."""
    p_0 = {c: list(labels_0).count(c) / len(labels_0) for c in labels_0}
    p_t = {c: list(labels_t).count(c) / len(labels_t) for c in labels_t}
    return sum(abs(p_0.get(c, 0) - p_t.get(c, 0)) for c in p_0.keys() | p_t.keys())
