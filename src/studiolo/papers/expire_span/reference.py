"""Expire-Span slowly, equation by equation, in the paper's letters. Nothing is ever deleted.

```
B batch   K heads   D head size   H = K D   M block   L longest span   R ramp
h_i   memory i (a layer's input)          e_i    its span
t - i its age at query t                  r_ti   what is left of it
m_ti  its weight                          a_ti   attention, a'_ti after masking
```

Source: https://arxiv.org/abs/2105.06548, section 3.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


EPS = 1e-8  # in the denominator of a'


def span(
    h: Float[Tensor, "B n H"], w: Float[Tensor, "H"], b: Float[Tensor, ""], L: int
) -> Float[Tensor, "B n"]:
    """Return e_i = L σ(w·h_i + b)."""
    return L * torch.sigmoid((h * w).sum(-1) + b)


def remaining(e: Float[Tensor, "B"], age: Int[Tensor, "B"]) -> Float[Tensor, "B"]:
    """Return r_ti = e_i - (t - i) for one memory of every row."""
    return e - age


def weight(r: Float[Tensor, "B"], R: int) -> Float[Tensor, "B"]:
    """Return m_ti = max(0, min(1, 1 + r_ti / R))."""
    return torch.clamp(1 + r / R, 0, 1)


def attend(
    q: Float[Tensor, "B K t D"],
    k: Float[Tensor, "B K s D"],
    v: Float[Tensor, "B K s D"],
    e: Float[Tensor, "B s"],
    age: Int[Tensor, "B s"],
    pe: Float[Tensor, "D M"],
    R: int,
    eps: float = EPS,
) -> tuple[Float[Tensor, "B K t D"], Float[Tensor, "B"], Int[Tensor, "B t"]]:
    """Return a'v, the sum of r_ti on the ramp (0 < m < 1), and |C_t|, one pair (t, i) at a time.

    Args:
        age: age of every memory at the first query; query number j sees it j steps older. A memory
            of age below 1 is the token itself or later, and is not attended to.
        pe: column M - d is the position of distance d; farther memories have none.
        eps: what the paper adds to the denominator. 0 gives the limit that `model.py` computes.
    """
    T, D = q.shape[2:]
    M = pe.shape[1]
    on_ramp = q.new_zeros(len(q))
    rows, sizes = [], []
    for j in range(T):
        scores, masks = [], []
        for i in range(k.shape[2]):
            d = age[:, i] + j
            r = remaining(e[:, i], d)
            m = torch.where(d >= 1, weight(r, R), 0)
            on_ramp = on_ramp + torch.where((m > 0) & (m < 1), r, 0)
            near = (d >= 1) & (d <= M)
            p = pe[:, torch.where(near, M - d, 0)].T  # (B, D)
            s = (q[:, :, j] * k[:, :, i]).sum(-1)
            s = s + torch.where(near[:, None], (q[:, :, j] * p[:, None]).sum(-1), 0)
            scores.append(s / D**0.5)
            masks.append(m)
        m = torch.stack(masks, -1)[:, None]  # (B, 1, s)
        # exp(s) for a softmax over C_t alone, shifted by its maximum
        s = torch.stack(scores, -1).masked_fill(m == 0, -torch.inf)
        a = torch.exp(s - s.amax(-1, keepdim=True).clamp(min=-1e30))
        total = a.sum(-1, keepdim=True)
        a = a / torch.where(total > 0, total, 1)
        masked = (a * m).sum(-1, keepdim=True)
        a = a * m / torch.where(masked > 0, masked + eps, 1)
        rows.append((a[..., None] * v).sum(-2))
        sizes.append((m[:, 0] > 0).sum(-1))
    return torch.stack(rows, 2), on_ramp, torch.stack(sizes, -1)


def block(
    parameters: Mapping[str, Tensor],
    x: Int[Tensor, "B t"],
    memory: list[Float[Tensor, "B n H"]],
    *,
    K: int,
    L: int,
    R: int,
    alpha: float,
    pre_norm: bool = True,
    pre_div: float = 1.0,
    u: float = 1.0,
    eps: float = EPS,
) -> tuple[Float[Tensor, "B t V"], list[Tensor], Float[Tensor, "B"], Float[Tensor, "N"]]:
    """Return logits, the memories of every layer, α/(R t) Σ r on the ramp, and mean |C_t| by layer.

    The memory of a layer is every input it ever had, oldest first, so that its last one has age 1.

    Args:
        parameters: `dict(model.named_parameters())` of an `ExpireSpanTransformer`.
        memory: one tensor a layer; `[zeros(B, M, H)] * layers` before the first block.
        u: the draw that shortens spans in training, e_i <- min(e_i, u L).
    """
    p = parameters
    B, T = x.shape
    h = p["embedding.weight"][x]
    following, losses, sizes = [], [], []
    for layer, old in enumerate(memory):
        name = f"layers.{layer}."
        c = torch.cat([old, h], 1)
        n = norm(p, name + "norm1", c) if pre_norm else c
        e = span(n / pre_div, p[name + "span.weight"], p[name + "span.bias"], L)
        e = e.clamp(max=u * L)
        age = torch.arange(old.shape[1], -T, -1).expand(B, -1)
        q, k, v = (
            heads(y @ p[name + f"attention.{part}.weight"].T, K)
            for part, y in (("query", n[:, -T:]), ("key", n), ("value", n))
        )
        y, on_ramp, size = attend(q, k, v, e, age, p["key_pe"], R, eps)
        y = y.transpose(1, 2).reshape(B, T, -1) @ p[name + "attention.out.weight"].T
        following.append(c.detach())
        h = h + y
        if not pre_norm:
            h = norm(p, name + "norm1", h)
        z = norm(p, name + "norm2", h) if pre_norm else h
        z = F.relu(z @ p[name + "expand.weight"].T + p[name + "expand.bias"])
        h = h + z @ p[name + "contract.weight"].T + p[name + "contract.bias"]
        if not pre_norm:
            h = norm(p, name + "norm2", h)
        losses.append(alpha / (R * T) * on_ramp)
        sizes.append(size.to(h.dtype).mean())
    if pre_norm:
        h = norm(p, "norm", h)
    logits = h @ p["readout.weight"].T + p["readout.bias"]
    return logits, following, torch.stack(losses).sum(0), torch.stack(sizes)


def norm(p: Mapping[str, Tensor], name: str, h: Tensor) -> Tensor:
    """Layer normalisation with the parameters called `name`."""
    return F.layer_norm(h, h.shape[-1:], p[name + ".weight"], p[name + ".bias"])


def heads(y: Float[Tensor, "B n H"], K: int) -> Float[Tensor, "B K n D"]:
    """Split H into K heads."""
    return y.unflatten(-1, (K, -1)).transpose(1, 2)
