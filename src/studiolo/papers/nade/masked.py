"""Neighbours of NADE with a network masked by the order in place of the recursion: MADE, and FVBN with no hidden layer."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .density import BERNOULLI, FixedOrder, Order, check_activation, check_size, uniform_parameter
from .recurrence import ACTIVATIONS


class MADE(FixedOrder):
    """An ordinary network over 0 and 1 in which every path from x_j to the logit of x_d has j before d.

    Args:
        dim: D. hidden: widths of the hidden layers, or one width; () makes it a fully visible belief net.
        activation: "relu" or "sigmoid".
        order: the dimensions in the order in which they are predicted; default 0, 1, ..., D-1.
        generator: draws the weights, uniform within ±1/√fan-in, and what each hidden unit may see.

    Source: https://arxiv.org/abs/1502.03509
    """

    def __init__(
        self,
        dim: int,
        hidden: int | Sequence[int],
        activation: str = "relu",
        *,
        order: Order | None = None,
        generator: torch.Generator | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(dim, order, BERNOULLI, device)
        widths = (hidden,) if isinstance(hidden, int) else tuple(hidden)
        self.hidden = tuple(check_size("hidden", width) for width in widths)
        self.activation = check_activation(activation, tuple(ACTIVATIONS))
        degrees = [self.inverse.cpu()]  # a unit sees dimensions of a rank up to its degree
        for width in widths:
            degrees.append(torch.randint(max(1, dim - 1), (width,), generator=generator))
        self.W = nn.ParameterList()
        self.c = nn.ParameterList(
            torch.zeros(width, device=device, dtype=dtype) for width in widths
        )
        for layer, (into, out) in enumerate(zip(degrees, [*degrees[1:], degrees[0]], strict=True)):
            last = layer == len(widths)
            allowed = out[:, None] > into if last else out[:, None] >= into
            self.register_buffer(f"mask{layer}", allowed.to(device), persistent=True)
            self.W.append(
                uniform_parameter(len(out), len(into), generator, device=device, dtype=dtype)
            )
        self.b = nn.Parameter(torch.zeros(dim, device=device, dtype=dtype))

    def _outputs(self, x: Tensor) -> Float[Tensor, "b d"]:
        h = x
        for layer, (W, c) in enumerate(zip(self.W, [*self.c, self.b], strict=True)):
            h = nn.functional.linear(h, W * self.get_buffer(f"mask{layer}"), c)
            if layer < len(self.c):
                h = ACTIVATIONS[self.activation](h)
        return h


class FVBN(MADE):
    """A fully visible belief net: the logit of each dimension is linear in those before it.

    Source: the paper's FVSBN.
    """

    def __init__(self, dim: int, **options: Any) -> None:
        super().__init__(dim, (), **options)
