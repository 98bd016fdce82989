"""Small networks that keep the precision of locations, and means over what exists."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which autocast is off."""
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def precise_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Apply a linear layer in the wider precision of `x` and `weight`; return it in that of `weight`.

    In bfloat16 two locations near 2 are at least 0.008 apart, which is no longer small against a
    length scale of 0.1: a model in half precision takes its locations in float32.
    """
    wide = torch.promote_types(x.dtype, weight.dtype)
    with full_precision(x.device):
        out = F.linear(x.to(wide), weight.to(wide), None if bias is None else bias.to(wide))
    return out.to(weight.dtype)


class Mlp(nn.Sequential):
    """Linear layers of the given sizes with ReLU between them; the first keeps its input's precision."""

    def __init__(self, sizes: Sequence[int]) -> None:
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU(inplace=True)]
        super().__init__(*layers[:-1])

    def hidden(self, x: Float[Tensor, "*rows i"]) -> Float[Tensor, "*rows h"]:
        """Apply all layers but the last to the last axis."""
        first, *others = list(self)[:-1]
        assert isinstance(first, nn.Linear)
        out = precise_linear(x, first.weight, first.bias)
        for layer in others:
            out = layer(out)
        return out

    @property
    def last(self) -> nn.Linear:
        """The last layer."""
        layer = self[-1]
        assert isinstance(layer, nn.Linear)
        return layer

    def forward(self, x: Float[Tensor, "*rows i"]) -> Float[Tensor, "*rows o"]:
        """Apply all layers to the last axis."""
        return self.last(self.hidden(x))


def folded(first: nn.Linear, then: nn.Linear) -> tuple[Tensor, Tensor]:
    """Return weight and bias of `then` after `first`, for more rows than they have columns."""
    with full_precision(first.weight.device):
        return then.weight @ first.weight, then.weight @ first.bias


def masked_mean(
    values: Float[Tensor, "b n w"], mask: Tensor | None
) -> tuple[Float[Tensor, "b w"], Tensor]:
    """Return the mean over the points that `mask`, bool (b, n), lets through, and whether there are any.

    Where there are none, bool (b, 1) is False and the mean is zeros.
    """
    if mask is None:
        n = values.shape[1]
        any_points = torch.full((len(values), 1), n > 0, device=values.device)
        return values.sum(1) / max(1, n), any_points
    count = mask.sum(-1, keepdim=True)
    total = (mask.to(values.dtype)[:, None] @ values)[:, 0]
    return total / count.clamp(min=1), count > 0
