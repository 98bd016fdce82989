"""NADE: binary vectors in a fixed order, all conditionals from one hidden layer that grows by a column a step.

Letters of the paper: x (D,) binary; V (D, H), b (D,) output; W (H, D), c (H,) hidden; o the order.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .density import BERNOULLI, FixedOrder, Order, check_activation, check_size, normal_parameter
from .recurrence import ACTIVATIONS, nade_logits


class NADE(FixedOrder):
    """p(x) = Π_d sigm(V_{o_d} h_d + b_{o_d}) with h_d = act(W_{., o_<d} x_{o_<d} + c), equations (1) to (3).

    Forward and backward take O(BDH) steps and hold no tensor of that size (`recurrence.py`).

    Args:
        dim: D, number of binary dimensions.
        hidden: H, number of hidden units; one layer, shared by all conditionals.
        activation: "sigmoid" (the paper's equations) or "relu" (the authors' code).
        order: the dimensions in the order o in which they are predicted; default 0, 1, ..., D-1.
        generator: draws W and V ~ N(0, 0.01²); default torch's own.

    Raises:
        ValueError: an unknown activation; an order that is not a permutation; a size below 1.

    Source: https://arxiv.org/abs/1605.02226, section 2.

    Example:
        >>> model = NADE(3, 2)
        >>> model.log_prob([[0, 1, 1]]).shape
        torch.Size([1])
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        activation: str = "sigmoid",
        *,
        order: Order | None = None,
        generator: torch.Generator | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(dim, order, BERNOULLI, device)
        self.hidden = check_size("hidden", hidden)
        self.activation = check_activation(activation, tuple(ACTIVATIONS))

        factory = {"device": device, "dtype": dtype}
        self.V = normal_parameter((dim, hidden), generator, **factory)
        self.b = nn.Parameter(torch.zeros(dim, **factory))
        self.W = normal_parameter((hidden, dim), generator, **factory)
        self.c = nn.Parameter(torch.zeros(hidden, **factory))

    def _outputs(self, x: Tensor) -> Float[Tensor, "b d"]:
        if self.is_natural:
            return nade_logits(x, self.V, self.b, self.W, self.c, activation=self.activation)
        o = self.order
        ordered = nade_logits(
            x[:, o], self.V[o], self.b[o], self.W[:, o], self.c, activation=self.activation
        )
        return ordered[:, self.inverse]

    def _draw(
        self, x: Tensor, seen: Tensor, order: Order | None, generator: torch.Generator | None
    ) -> Float[Tensor, "b d"]:
        self._check_own(order)
        dtype = torch.promote_types(self.b.dtype, torch.float32)
        o = self.order
        V, b, W = (p[o].to(dtype) for p in (self.V, self.b, self.W.t()))
        columns, known = x[:, o].t().to(dtype).contiguous(), seen[:, o].t()  # a row is a step
        k = int(known.all(1).sum())  # known to every row
        a = self.c.to(dtype) + columns[:k].t() @ W[:k]
        # x = 1 iff u < p iff logit(u) < logit(p): no sigmoid of the output
        threshold = torch.rand(self.dim, len(x), generator=generator, device=b.device, dtype=dtype)
        threshold.logit_().sub_(b[:, None])
        for d in range(k, self.dim):
            drawn = torch.mv(ACTIVATIONS[self.activation](a), V[d]) > threshold[d]
            columns[d] = torch.where(known[d], columns[d], drawn)
            a.addr_(columns[d], W[d])
        return columns[self.inverse].t().to(self.b.dtype)

    def extra_repr(self) -> str:
        """Return what `repr(model)` shows."""
        return f"dim={self.dim}, hidden={self.hidden}, activation={self.activation!r}"
