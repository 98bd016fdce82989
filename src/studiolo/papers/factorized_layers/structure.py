"""What every layer has whose weight is computed from fewer numbers than it has entries."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn


class StructuredWeights(nn.Module, ABC):
    """Parameters that a weight is computed from. Frobenius decay and the parameter groups find them by this type."""

    @abstractmethod
    def squared_norm(self) -> Float[Tensor, ""]:
        """Return the squared Frobenius norm of the weight that is stood for, in float32 at least, with a gradient."""

    def structured(self) -> list[nn.Parameter]:
        """Return the parameters that the weight is computed from: all but biases."""
        return [p for name, p in self.named_parameters() if name.rpartition(".")[2] != "bias"]

    @torch.enable_grad()
    def decay_gradients(self) -> list[Tensor]:
        """Return the gradients of half the squared norm, one for each of `structured()`, in float32 at least."""
        parameters = self.structured()
        copies = {id(p): widened(p.detach()).requires_grad_() for p in parameters}
        names = {name: copies[id(p)] for name, p in self.named_parameters() if id(p) in copies}
        with torch.autocast(parameters[0].device.type, enabled=False):
            half = _squared_norm_with(self, names) / 2
        return list(torch.autograd.grad(half, [copies[id(p)] for p in parameters]))


class StructuredLayer(StructuredWeights):
    """A layer that stands for a dense one, with its weight computed from factors, cores or shared numbers."""

    @abstractmethod
    def to_dense(self) -> nn.Module:
        """Return torch's own layer of the same function, with parameters of its own."""


class _Norm(nn.Module):
    """The squared norm as a forward pass, so that torch can call it with other parameters."""

    def __init__(self, layer: StructuredWeights) -> None:
        super().__init__()
        self.layer = layer

    def forward(self) -> Tensor:
        return self.layer.squared_norm()


def _squared_norm_with(layer: StructuredWeights, values: dict[str, Tensor]) -> Tensor:
    under = {f"layer.{name}": value for name, value in values.items()}
    found: Tensor = torch.func.functional_call(_Norm(layer), under, ())
    return found


def widened(values: Tensor) -> Tensor:
    """Return the values in float32 where they are narrower, else as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
