"""RNADE: real values in a fixed order, each from a mixture of Gaussians or of Laplace laws."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .density import FixedOrder, Order, check_activation, check_size, normal_parameter
from .laws import Kind, Mixture
from .recurrence import ACTIVATIONS


class RNADE(FixedOrder):
    """p(x) = Π_d mixture(x_{o_d}; V_{o_d} h_d + b_{o_d}) with h_d = act(ρ_d (W_{., o_<d} x_{o_<d} + c)).

    All conditionals at once, O(B D H) memory: D is small where values are real. ρ_d starts at 1 / (d + 1), so that a
    late state is not larger than an early one, and is learned.

    Args:
        dim: D, number of dimensions; scale each to mean 0 and deviation 1 first.
        hidden: H.
        components: of a dimension's mixture.
        kind: "gaussian" or "laplace".
        scaled_means: multiply the gradient of every mean by its scale, as the paper does for Gaussians.
        order: the dimensions in the order o in which they are predicted; default 0, 1, ..., D-1.
        generator: draws V and W ~ N(0, 0.01²).

    Source: https://arxiv.org/abs/1605.02226, section 2.3.

    Example:
        >>> model = RNADE(3, 8, components=2)
        >>> model.conditionals([[0.3, -1.0, 2.0]]).mean.shape
        torch.Size([1, 3])
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        components: int = 10,
        kind: Kind = "gaussian",
        activation: str = "relu",
        *,
        scaled_means: bool = False,
        order: Order | None = None,
        generator: torch.Generator | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        law = Mixture(components, kind, scaled_means=scaled_means)
        super().__init__(dim, order, law, device)
        self.hidden = check_size("hidden", hidden)
        self.activation = check_activation(activation, tuple(ACTIVATIONS))

        factory = {"device": device, "dtype": dtype}
        self.V = normal_parameter((dim, law.width, hidden), generator, **factory)
        self.b = nn.Parameter(torch.zeros(dim * law.width, **factory))
        self.W = normal_parameter((hidden, dim), generator, **factory)
        self.c = nn.Parameter(torch.zeros(hidden, **factory))
        steps = torch.arange(1, dim + 1, device=device, dtype=self.b.dtype)
        self.rho = nn.Parameter(1 / steps)  # in the model's order

    def _outputs(self, x: Tensor) -> Float[Tensor, "b d w"]:
        o, V = self.order, self.V
        read = x[:, o[:-1]].unsqueeze(2) * self.W.t()[o[:-1]]  # (B, D - 1, H)
        a = self.c + nn.functional.pad(read.cumsum(1), (0, 0, 1, 0))  # strictly before
        h = ACTIVATIONS[self.activation](self.rho[:, None] * a)[:, self.inverse]
        return torch.einsum("bdh,dwh->bdw", h, V) + self.b.view(V.shape[:2])

    def extra_repr(self) -> str:
        """Return what `repr(model)` shows."""
        law = self.law
        assert isinstance(law, Mixture)
        return (
            f"dim={self.dim}, hidden={self.hidden}, components={law.components}, kind={law.kind!r}"
        )
