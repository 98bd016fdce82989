"""Every memory slowly, equation by equation, in the papers' letters. Nothing is ever deleted or cached.

```
B batch   K heads   D head size   H = K D   M block   L longest span   R ramp
h_i   memory i (a layer's input)          e_i    its span
t - i its age at query t                  r_ti   what is left of it
m_ti  its weight                          a_ti   attention, a'_ti after masking
```

Sources: Expire-Span https://arxiv.org/abs/2105.06548, section 3; Transformer-XL 1901.02860; Adaptive-Span
1905.07799, section 2; Compressive 1911.05507, section 3; Feedback 2002.09402, section 3; Staircase
2106.04279, section 3.
"""

from collections.abc import Callable, Mapping

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


def remaining(e: Float[Tensor, "B #K"], age: Int[Tensor, "B 1"]) -> Float[Tensor, "B #K"]:
    """Return r_ti = e_i - (t - i) for one memory of every row."""
    return e - age


def weight(r: Float[Tensor, "B #K"], R: int) -> Float[Tensor, "B #K"]:
    """Return m_ti = max(0, min(1, 1 + r_ti / R))."""
    return torch.clamp(1 + r / R, 0, 1)


def attend(
    q: Float[Tensor, "B K t D"],
    k: Float[Tensor, "B K s D"],
    v: Float[Tensor, "B K s V"],
    e: Float[Tensor, "B #K s"],
    age: Int[Tensor, "B s"],
    pe: Float[Tensor, "D M"],
    R: int,
    eps: float = EPS,
) -> tuple[Float[Tensor, "B K t V"], Float[Tensor, "B"], Float[Tensor, "B t"]]:
    """Return a'v, the sum of r_ti on the ramp (0 < m < 1), and |C_t|, one pair (t, i) at a time.

    Sums and sizes are means over heads where each has its own span, as in Adaptive-Span.

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
            r = remaining(e[:, :, i], d[:, None])
            m = torch.where(d[:, None] >= 1, weight(r, R), 0)
            on_ramp = on_ramp + torch.where((m > 0) & (m < 1), r, 0).mean(1)
            near = (d >= 1) & (d <= M)
            p = pe[:, torch.where(near, M - d, 0)].T  # (B, D)
            s = (q[:, :, j] * k[:, :, i]).sum(-1)
            s = s + torch.where(near[:, None], (q[:, :, j] * p[:, None]).sum(-1), 0)
            scores.append(s / D**0.5)
            masks.append(m)
        m = torch.stack(masks, -1)  # (B, 1 or K, s)
        # exp(s) for a softmax over C_t alone, shifted by its maximum
        s = torch.stack(scores, -1).masked_fill(m == 0, -torch.inf)
        a = torch.exp(s - s.amax(-1, keepdim=True).clamp(min=-1e30))
        total = a.sum(-1, keepdim=True)
        a = a / torch.where(total > 0, total, 1)
        masked = (a * m).sum(-1, keepdim=True)
        a = a * m / torch.where(masked > 0, masked + eps, 1)
        rows.append((a[..., None] * v).sum(-2))
        sizes.append((m > 0).sum(-1, dtype=q.dtype).mean(1))
    return torch.stack(rows, 2), on_ramp, torch.stack(sizes, -1)


Span = Callable[[str, Tensor], Tensor]


def expire(p: Mapping[str, Tensor], L: int, pre_div: float = 1.0, u: float = 1.0) -> Span:
    """Return what gives the spans of a layer: e_i = min(L σ(w·h_i / pre_div + b), u L)."""

    def spans(layer: str, n: Tensor) -> Tensor:
        e = span(n / pre_div, p[layer + "span.weight"], p[layer + "span.bias"], L)
        return e.clamp(max=u * L)[:, None]

    return spans


def window(W: int) -> Span:
    """Return what gives every memory the span W; with R = 1 that is the window of Transformer-XL."""
    return lambda layer, n: n.new_full((len(n), 1, n.shape[1]), float(W))


def adaptive(p: Mapping[str, Tensor], S: int) -> Span:
    """Return what gives every memory the span z = S · share of the head that looks."""
    return lambda layer, n: (S * p[layer + "span.share"])[None, :, None].expand(
        *n.shape[:1], -1, n.shape[1]
    )


def block(
    parameters: Mapping[str, Tensor],
    x: Int[Tensor, "B t"],
    memory: list[Float[Tensor, "B n H"]],
    spans: Span,
    *,
    K: int,
    R: int,
    pre_norm: bool = True,
    eps: float = EPS,
    attention: Callable[..., tuple[Tensor, Tensor, Tensor]] = attend,
) -> tuple[Float[Tensor, "B t V"], list[Tensor], Float[Tensor, "B"], Float[Tensor, "N"]]:
    """Return logits, the memories of every layer, Σ r on the ramp of all layers, and mean |C_t| by layer.

    The memory of a layer is every input it ever had, oldest first, so that its last one has age 1. The
    span loss of Expire-Span is α / (R t) times the sum; that of Adaptive-Span λ / K · Σ z.

    Args:
        parameters: `dict(model.named_parameters())` of a `SpanTransformer`.
        memory: one tensor a layer; zeros before the first block.
        attention: `attend`, or `dense_attend` for sizes at which its loops are too slow.
    """
    p = parameters
    B, T = x.shape
    h = p["embedding.weight"][x]
    following, on_ramps, sizes = [], [], []
    for layer, old in enumerate(memory):
        name = f"layers.{layer}."
        c = torch.cat([old, h], 1)
        n = norm(p, name + "norm1", c) if pre_norm else c
        e = spans(name, n)
        age = torch.arange(old.shape[1], -T, -1).expand(B, -1)
        q, k, v = projections(p, name, n[:, -T:], n, K)
        y, on_ramp, size = attention(q, k, v, e, age, p["key_pe"], R, eps)
        following.append(c.detach())
        h = rest(p, name, h, y, pre_norm)
        on_ramps.append(on_ramp)
        sizes.append(size.mean())
    return readout(p, h, pre_norm), following, torch.stack(on_ramps).sum(0), torch.stack(sizes)


def dense_attend(
    q: Float[Tensor, "B K t D"],
    k: Float[Tensor, "B K s D"],
    v: Float[Tensor, "B K s D"],
    e: Float[Tensor, "B #K s"],
    age: Int[Tensor, "B s"],
    pe: Float[Tensor, "D M"],
    R: int,
    eps: float = EPS,
) -> tuple[Float[Tensor, "B K t D"], Float[Tensor, "B"], Float[Tensor, "B t"]]:
    """Return what `attend` returns, all pairs at once: the published form as one would write it down.

    This is what `model.py` is timed against.
    """
    T, M = q.shape[2], pe.shape[1]
    d = age[:, None] + torch.arange(T)[:, None]  # (B, t, s)
    r = e[:, :, None] - d[:, None]
    m = torch.where(d[:, None] >= 1, torch.clamp(1 + r / R, 0, 1), 0)
    on_ramp = torch.where((m > 0) & (m < 1), r, 0).sum((2, 3)).mean(1)
    near = (d >= 1) & (d <= M)
    at = torch.where(near, M - d, 0)[:, None].expand(-1, q.shape[1], -1, -1)
    s = q @ k.transpose(-1, -2) + torch.where(near[:, None], (q @ pe).gather(-1, at), 0)
    a = torch.softmax((s / q.shape[-1] ** 0.5).masked_fill(m == 0, -torch.inf), -1)
    a = a * m
    a = a / (a.sum(-1, keepdim=True) + eps)
    return a @ v, on_ramp, (m > 0).sum(-1, dtype=q.dtype).mean(1)


def projections(
    p: Mapping[str, Tensor], layer: str, queries: Tensor, memories: Tensor, K: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, keys and values, each (B, K, n, D)."""
    q, k, v = (
        heads(y @ p[layer + f"attention.{part}.weight"].T, K)
        for part, y in (("query", queries), ("key", memories), ("value", memories))
    )
    return q, k, v


def rest(
    p: Mapping[str, Tensor],
    layer: str,
    h: Float[Tensor, "B t H"],
    y: Float[Tensor, "B K t D"],
    pre_norm: bool,
) -> Float[Tensor, "B t H"]:
    """Return the layer's output: residuals, feed-forward net and norms."""
    h = h + y.transpose(1, 2).flatten(2) @ p[layer + "attention.out.weight"].T
    if not pre_norm:
        h = norm(p, layer + "norm1", h)
    z = norm(p, layer + "norm2", h) if pre_norm else h
    z = F.relu(z @ p[layer + "expand.weight"].T + p[layer + "expand.bias"])
    h = h + z @ p[layer + "contract.weight"].T + p[layer + "contract.bias"]
    return h if pre_norm else norm(p, layer + "norm2", h)


def readout(p: Mapping[str, Tensor], h: Tensor, pre_norm: bool) -> Tensor:
    """Return the logits."""
    h = norm(p, "norm", h) if pre_norm else h
    return h @ p["readout.weight"].T + p["readout.bias"]


def norm(p: Mapping[str, Tensor], name: str, h: Tensor) -> Tensor:
    """Layer normalisation with the parameters called `name`."""
    return F.layer_norm(h, h.shape[-1:], p[name + ".weight"], p[name + ".bias"])


def heads(y: Float[Tensor, "B n H"], K: int) -> Float[Tensor, "B K n D"]:
    """Split H into K heads."""
    return y.unflatten(-1, (K, -1)).transpose(1, 2)


def compressive_block(
    parameters: Mapping[str, Tensor],
    x: Int[Tensor, "B t"],
    memory: list[tuple[Tensor, Tensor, Tensor, Tensor]],
    *,
    K: int,
    c: int,
    f: str,
    pre_norm: bool = True,
) -> tuple[Float[Tensor, "B t V"], list[tuple[Tensor, Tensor, Tensor, Tensor]], Float[Tensor, "B"]]:
    """Return logits, the memories of every layer, and the attention-reconstruction loss.

    Args:
        memory: a layer's (compressed (B, n_cm, H), memory (B, n_m, H), attention that each of the latter
            got so far (B, n_m), and from how many queries (n_m)).
        c: compression rate.
        f: "mean", "max", "convolution" or "most-used".
    """
    p = parameters
    B, T = x.shape
    h = p["embedding.weight"][x]
    following, loss = [], h.new_zeros(B)
    for layer, (compressed, recent, got, times) in enumerate(memory):
        name = f"layers.{layer}."
        everything = torch.cat([compressed, recent, h], 1)
        n = norm(p, name + "norm1", everything) if pre_norm else everything
        S = n.shape[1]
        age = torch.arange(S - T, -T, -1).expand(B, -1)
        e = h.new_full((B, 1, S), float(S))
        q, k, v = projections(p, name, n[:, -T:], n, K)
        y, _, _ = attend(q, k, v, e, age, p["key_pe"], 1, 0.0)
        # attention itself is what it gives to values that are unit vectors
        a, _, _ = attend(q, k, torch.eye(S).to(v).expand(B, K, -1, -1), e, age, p["key_pe"], 1, 0.0)
        n_cm, n_m = compressed.shape[1], recent.shape[1]
        got = torch.cat([got, h.new_zeros(B, T)], 1) + a.detach().sum(2).mean(1)[:, n_cm:]
        times = torch.cat([times + T, torch.arange(T - 1, -1, -1)])
        recent = torch.cat([recent, h.detach()], 1)
        old = recent[:, :T]
        groups = old.unflatten(1, (-1, c))
        if f == "mean":
            new = groups.sum(2) / c
        elif f == "max":
            new = groups.max(2).values
        elif f == "convolution":
            w, b = p[name + "compression.weight"], p[name + "compression.bias"]  # (H, H, c)
            new = torch.stack([groups[:, :, j] @ w[:, :, j].T for j in range(c)]).sum(0) + b
            loss = loss + reconstruction(p, name, h, old, new, K, pre_norm)
        else:
            used = got[:, :T] / times[:T].clamp(min=1)
            best = torch.stack([row.topk(T // c).indices.sort().values for row in used])
            new = torch.stack([rows[at] for rows, at in zip(old, best, strict=True)])
        compressed = torch.cat([compressed, new.detach()], 1)[:, -n_cm:]
        following.append((compressed, recent[:, -n_m:], got[:, -n_m:], times[-n_m:]))
        h = rest(p, name, h, y, pre_norm)
    return readout(p, h, pre_norm), following, loss


def reconstruction(
    p: Mapping[str, Tensor], layer: str, h: Tensor, old: Tensor, new: Tensor, K: int, pre_norm: bool
) -> Float[Tensor, "B"]:
    """Return |attn(h, old) - attn(h, new)|, in which only `new` has a gradient."""
    p = {name: value.detach() for name, value in p.items()}
    outputs = []
    for m in (old, new):
        x, y = (norm(p, layer + "norm1", z) if pre_norm else z for z in (h.detach(), m))
        q, k, v = projections(p, layer, x, y, K)
        outputs.append(torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1) @ v)
    return (outputs[0] - outputs[1]).square().sum((1, 2, 3)).sqrt()


def feedback_block(
    parameters: Mapping[str, Tensor],
    x: Int[Tensor, "B t"],
    memory: Float[Tensor, "B n H"],
    *,
    K: int,
    W: int,
    pre_norm: bool = True,
) -> tuple[Float[Tensor, "B t V"], Float[Tensor, "B _ H"]]:
    """Return logits and m_1 .. m_t: m_t = Σ_l softmax(w)_l x_t^l, seen by every layer at t+1 .. t+W."""
    p = parameters
    m = list(memory.unbind(1))
    w = torch.exp(p["layer_weight"]) / torch.exp(p["layer_weight"]).sum()
    layers = len(w) - 1
    outputs = []
    for t in range(x.shape[1]):
        states = [p["embedding.weight"][x[:, t : t + 1]]]
        seen = torch.stack(m[-W:], 1)
        seen = norm(p, "memory_norm", seen) if pre_norm else seen
        k, v = (heads(seen @ p[f"{part}.weight"].T, K) for part in ("key", "value"))
        for layer in range(layers):
            name = f"layers.{layer}."
            n = norm(p, name + "norm1", states[-1]) if pre_norm else states[-1]
            q = heads(n @ p[name + "attention.query.weight"].T, K)
            s = k.shape[2]
            age = torch.arange(s, 0, -1).expand(len(x), -1)
            e = k.new_full((len(x), 1, s), float(W))
            y, _, _ = attend(q, k, v, e, age, p["key_pe"], 1, 0.0)
            states.append(rest(p, name, states[-1], y, pre_norm))
        m.append(sum((w[layer] * state for layer, state in enumerate(states)), 0 * states[0])[:, 0])
        outputs.append(states[-1])
    return readout(p, torch.cat(outputs, 1), pre_norm), torch.stack(m, 1).detach()


def staircase(
    parameters: Mapping[str, Tensor],
    x: Int[Tensor, "B t"],
    *,
    K: int,
    C: int,
    N: int,
    pre_norm: bool = True,
) -> Float[Tensor, "B t V"]:
    """Return the logits of a whole stream: a window of N chunks goes up the stairs, one chunk a step.

    At step s the Transformer runs on the states of chunks s-N+1 .. s together, and the first of them
    has then been through it N times and is read.
    """
    p = parameters
    layers = sum(name.endswith("attention.out.weight") for name in p)
    states = list(p["embedding.weight"][x].split(C, 1))
    done = []
    for s in range(len(states) + N - 1):
        window = [i for i in range(s - N + 1, s + 1) if 0 <= i < len(states)]
        h = torch.cat([states[i] for i in window], 1)
        T = h.shape[1]
        age = torch.arange(0, -T, -1).expand(len(x), -1)
        e = h.new_full((len(x), 1, T), float(T))
        for layer in range(layers):
            name = f"layers.{layer}."
            n = norm(p, name + "norm1", h) if pre_norm else h
            q, k, v = projections(p, name, n, n, K)
            y, _, _ = attend(q, k, v, e, age, p["key_pe"], 1, 0.0)
            h = rest(p, name, h, y, pre_norm)
        for i, part in zip(window, h.split([states[i].shape[1] for i in window], 1), strict=True):
            states[i] = part
        if s >= N - 1:
            done.append(states[s - N + 1])
    return readout(p, torch.cat(done, 1), pre_norm)
