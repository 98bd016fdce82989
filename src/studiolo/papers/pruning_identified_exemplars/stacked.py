"""Layers of many networks side by side: the first axis of every parameter and buffer is the member's."""

import importlib
import math
from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .pruning import magnitude_mask, round_to_bits


def _gpu() -> ModuleType:
    """What only CUDA tensors reach: a record made on the CPU does not depend on it."""
    return importlib.import_module(".gpu", __package__)


class StackedLayer(nn.Module):
    """What the layers with weights have in common.

    Attributes:
        weight: (K, ...).
        mask: as `weight`, 1 where a weight counts and 0 where it is pruned. A pruned weight gets no gradient.
        activation_bits: (K,), to how many bits each member rounds its input, 0: not at all. A buffer, so that it goes
            wherever the weights go.
        summed: the axes of `weight` that one output unit sums over.
    """

    weight: nn.Parameter
    mask: Tensor
    activation_bits: Tensor
    summed: tuple[int, ...]

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))
        self.register_buffer("mask", torch.ones(shape))
        self.register_buffer("activation_bits", torch.zeros(shape[0], dtype=torch.int64))
        self._asked: tuple[Tensor | None, int | None, list[int]] = (None, None, [])

    @torch.no_grad()
    def draw_(self, k: int, generator: torch.Generator) -> None:
        """Draw the parameters of member k as torch's layer of this kind draws them."""
        fan_in = math.prod(self.weight.shape[axis] for axis in self.summed)
        for parameter in self._drawn():
            parameter[k].uniform_(
                -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in), generator=generator
            )

    def _drawn(self) -> tuple[nn.Parameter, ...]:
        return (self.weight,)

    @torch.no_grad()
    def prune_(self, sparsity: Float[Tensor, "k"]) -> None:
        """Renew the mask from the weights as they are now."""
        self.mask.copy_(magnitude_mask(self.weight, sparsity))

    @torch.no_grad()
    def quantize_(self, bits: int, *, activations: bool) -> None:
        """Round the weights, with a scale for each output unit of each member, and from now on the inputs."""
        self.weight.copy_(round_to_bits(self.weight * self.mask, bits, self.summed))
        self.activation_bits.fill_(bits if activations else 0)

    def _numbers_of_bits(self) -> list[int]:
        """To how many bits some member rounds, asked of the buffer once after each change: on a GPU that is a wait."""
        bits = self.activation_bits
        version = None if bits.is_inference() else bits._version
        asked, then, found = self._asked
        if asked is not bits or version is None or then != version:
            found = [number for number in bits.unique().tolist() if number]
            self._asked = (bits, version, found)
        return found

    def _rounded(self, x: Float[Tensor, "k ..."]) -> Float[Tensor, "k ..."]:
        """The inputs of every member, rounded where it rounds them, with a scale for each example."""
        axes = tuple(range(2, x.ndim))
        for number in self._numbers_of_bits():
            those = (self.activation_bits == number).view(-1, *[1] * (x.ndim - 1))
            x = torch.where(those, round_to_bits(x, number, axes), x)
        return x


class StackedLinear(StackedLayer):
    """K linear layers: member k computes x_k (weight_k · mask_k) + bias_k; weight (K, in, out), bias (K, out)."""

    summed = (1,)

    def __init__(self, members: int, in_features: int, out_features: int) -> None:
        super().__init__(members, in_features, out_features)
        self.bias = nn.Parameter(torch.zeros(members, out_features))

    def _drawn(self) -> tuple[nn.Parameter, ...]:
        return self.weight, self.bias

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "k b out"]:
        """Map x, (b, in) for all members or (K, b, in) for each its own, to (K, b, out)."""
        if x.ndim == 2:
            x = x.expand(len(self.weight), *x.shape)
        return torch.baddbmm(self.bias[:, None], self._rounded(x), self.weight * self.mask)


class StackedConvNorm(StackedLayer):
    """K convolutions of 3 by 3 with zeros around, each followed by a batch norm of its own.

    Rounding a kernel before the norm is rounding after folding the norm into it: one scale for each channel is in both.

    Attributes:
        weight: (K, out, in, 3, 3). gain, shift, running_mean, running_var: (K, out).
    """

    summed = (2, 3, 4)
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, members: int, in_channels: int, out_channels: int) -> None:
        super().__init__(members, out_channels, in_channels, 3, 3)
        self.gain = nn.Parameter(torch.ones(members, out_channels))
        self.shift = nn.Parameter(torch.zeros(members, out_channels))
        self.register_buffer("running_mean", torch.zeros(members, out_channels))
        self.register_buffer("running_var", torch.ones(members, out_channels))

    def forward(self, x: Float[Tensor, "b ..."]) -> Float[Tensor, "b kout h w"]:
        """Map (b, in, h, w) for all members or (b, K in, h, w), channels by member, to (b, K out, h, w)."""
        members, _, channels = self.weight.shape[:3]
        shared = x.shape[1] == channels
        if self._numbers_of_bits():
            own = x.unflatten(1, (-1, channels)).transpose(0, 1)
            own = self._rounded(own.expand(members, *own.shape[1:]))
            x, shared = own.transpose(0, 1).flatten(1, 2), members == 1
        kernels = self.weight * self.mask
        if x.is_cuda and (gpu := _gpu()).serves(x):
            x = gpu.convolve(x, kernels)
        else:
            x = F.conv2d(x, kernels.flatten(0, 1), padding=1, groups=1 if shared else members)
        # norms are per channel, and no two members share one
        return F.batch_norm(
            x,
            self.running_mean.view(-1),
            self.running_var.view(-1),
            self.gain.flatten(),
            self.shift.flatten(),
            self.training,
        )
