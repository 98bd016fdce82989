"""What the experiment measures that needs a GPU: the time of our Triton programs beside torch's flash attention, in bfloat16."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from studiolo.measure import abba
from studiolo.train import RoleSeeds

from .features import RandomFeatures


def beside_flash_attention(
    seeds: RoleSeeds, length: int, heads: int, pairs: int, device: str
) -> dict[str, float]:
    """Return how FAVOR+ with 256 features compares with torch's flash attention; causal, heads of 64.

    Values: `speed_ratio` and `training_speed_ratio`, the time of flash attention over ours, without and with the
    gradients of queries, keys and values; `exponent` and `exponent_of_fused` of the time without gradients over the
    doubling to `length`, 1 for linear and 2 for quadratic; medians of milliseconds of device time.
    """
    on = torch.device(device)
    values = {}
    for training, name in ((False, ""), (True, "training_")):
        calls = [
            _Call(method, length, heads, training, seeds.data, on) for method in ("fused", "favor")
        ]
        times = abba(*calls, pairs=pairs, device=on.type)  # type: ignore[arg-type]
        values[f"{name}speed_ratio"] = times.ratio
        values[f"{name}fused_ms"] = 1e3 * float(np.median(times.a_s))
        values[f"{name}favor_ms"] = 1e3 * float(np.median(times.b_s))
    for method, name in (("favor", "exponent"), ("fused", "exponent_of_fused")):
        calls = [_Call(method, n, heads, False, seeds.data, on) for n in (length, length // 2)]
        times = abba(*calls, pairs=pairs, device=on.type)  # type: ignore[arg-type]
        values[name] = math.log2(times.ratio)
    return values


class _Call:
    """One causal attention on inputs of its own, with or without their gradients; small ones on a CPU."""

    def __init__(
        self, method: str, length: int, heads: int, training: bool, seed: int, on: torch.device
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        width, num_features = (64, 256) if on.type == "cuda" else (16, 16)
        self.features = RandomFeatures(width, num_features, generator=generator).to(on)
        kind = torch.bfloat16 if on.type == "cuda" else torch.float32
        torch.manual_seed(seed)
        self.inputs = [
            (torch.randn(1, heads, length, width, device=on) * size).to(kind)
            for size in (0.5, 0.5, 1.0)
        ]
        self.upstream = torch.randn_like(self.inputs[2])
        for x in self.inputs:
            x.requires_grad_(training)
        self.attention = {"favor": self._favor, "fused": self._fused}[method]

    def __call__(self) -> object:
        out = self.attention(*self.inputs)
        if not out.requires_grad:
            return out
        return torch.autograd.grad(out, self.inputs, self.upstream)

    def _favor(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        from . import gpu

        return gpu.favor_attention(q, k, v, features=self.features, causal=True)

    def _fused(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION if q.is_cuda else SDPBackend.MATH):
            return scaled_dot_product_attention(q, k, v, is_causal=True)
