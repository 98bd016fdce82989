"""Where the curves of Figure 3 cross, and how near the lower one comes to attention that only returns its values."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from studiolo.measure import abba
from studiolo.train import RoleSeeds

from .features import RandomFeatures
from .model import favor_attention


Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def crossing(
    seeds: RoleSeeds, num_features: int, lengths: Sequence[int], pairs: int
) -> dict[str, float]:
    """Return the length from which causal FAVOR+ is faster than fused attention, and the ratio at each length.

    `crossing` is interpolated on logarithms between the two lengths beside it, and prolonged beyond the outer ones.
    """
    favor = _favor(num_features, seeds.init)
    logs = []
    for length in lengths:
        inputs = _inputs(1, length, seeds.data)
        fused, ours = partial(_fused, *inputs), partial(favor, *inputs)
        logs.append(math.log(abba(fused, ours, pairs=pairs).ratio))
    later = next((i for i, log in enumerate(logs) if log > 0), len(logs) - 1)
    at = slice(max(later, 1) - 1, max(later, 1) + 1)
    (x, y), (low, high) = np.log(lengths[at]), logs[at]
    values = {f"speed_ratio_{n}": math.exp(log) for n, log in zip(lengths, logs, strict=True)}
    return {"crossing": math.exp(x - low * (y - x) / max(high - low, 1e-3)), **values}


def over_identity(
    seeds: RoleSeeds, method: str, length: int, num_heads: int, pairs: int
) -> dict[str, float]:
    """Return the time of a layer over that of one whose attention returns the values; four times as wide inside."""
    width = 64 * num_heads
    torch.manual_seed(seeds.init)
    into, out = nn.Linear(width, 3 * width), nn.Linear(width, width)
    inner = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
    norms = nn.LayerNorm(width), nn.LayerNorm(width)
    x = torch.randn(1, length, width, generator=torch.Generator().manual_seed(seeds.data))
    attentions: dict[str, Attention] = {
        "favor": _favor(256, seeds.init),
        "fused softmax": _fused,
        "identity": lambda q, k, v: v,
    }

    @torch.no_grad()
    def layer(attention: Attention) -> Tensor:
        q, k, v = into(x).view(1, length, 3, num_heads, 64).permute(2, 0, 3, 1, 4)
        y = norms[0](x + out(attention(q, k, v).transpose(1, 2).flatten(2)))
        return norms[1](y + inner(y))

    ours, identity = attentions[method], attentions["identity"]
    times = abba(lambda: layer(ours), lambda: layer(identity), pairs=pairs)
    return {"time_ratio": times.ratio, "identity_s": float(np.median(times.b_s))}


def _inputs(num_heads: int, length: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 1, num_heads, length, 64, generator=generator) * 0.5


def _favor(num_features: int, seed: int) -> Attention:
    features = RandomFeatures(64, num_features, generator=torch.Generator().manual_seed(seed))
    return lambda q, k, v: favor_attention(q, k, v, features=features, causal=True)


def _fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return scaled_dot_product_attention(q, k, v, is_causal=True)
