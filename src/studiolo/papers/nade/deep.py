"""DeepNADE: one network for every order, of 0 and 1 or of real values; EoNADE: its mixture over several orders."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from .density import BERNOULLI, Order, check_activation, check_size, uniform_parameter
from .laws import Law
from .orderless import Orderless
from .recurrence import ACTIVATIONS


class DeepNADE(Orderless):
    """Predicts any dimensions from any others: h⁰ = (m x, m), h^l = act(W^l h^{l-1} + c^l), outputs = V h^L + b.

    Args:
        dim: D, number of dimensions.
        hidden: widths of the hidden layers, or one width.
        activation: "relu" (the authors' choice) or "sigmoid".
        mask_input: feed m too, without which an observed 0 and a hidden value look alike.
        law: of a dimension given others; default Bernoulli. With `Mixture(...)` this is the deep RNADE.
        generator: draws the weights, uniform within ±1/√fan-in; default torch's own.

    Raises:
        ValueError: an unknown activation; no hidden layer; a size below 1.

    Source: https://arxiv.org/abs/1605.02226, section 3.

    Example:
        >>> model = DeepNADE(4, (8, 8))
        >>> model.log_prob([[0, 1, 1, 0]], order=[[0, 1, 2, 3], [3, 2, 1, 0]]).shape
        torch.Size([1])
    """

    def __init__(
        self,
        dim: int,
        hidden: int | Sequence[int],
        activation: str = "relu",
        *,
        mask_input: bool = True,
        law: Law = BERNOULLI,
        generator: torch.Generator | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        widths = (hidden,) if isinstance(hidden, int) else tuple(hidden)
        if not widths:
            raise ValueError("DeepNADE needs a hidden layer: give a width, or several.")
        self.dim, self.law = check_size("dim", dim), law
        self.hidden = tuple(check_size("hidden", width) for width in widths)
        self.activation = check_activation(activation, tuple(ACTIVATIONS))
        self.mask_input, self.widest = mask_input, max(widths)
        fan_in = (2 * dim if mask_input else dim, *widths)

        factory = {"device": device, "dtype": dtype}
        self.W = nn.ParameterList(
            uniform_parameter(width, size, generator, **factory)
            for width, size in zip(widths, fan_in[:-1], strict=True)
        )
        self.c = nn.ParameterList(torch.zeros(width, **factory) for width in widths)
        self.V = uniform_parameter(dim * law.width, fan_in[-1], generator, **factory)
        self.b = nn.Parameter(torch.zeros(dim * law.width, **factory))

    def _predict(self, x: Tensor, m: Tensor) -> Tensor:
        z = nn.functional.linear(
            self._tail(nn.functional.linear(self._seen(x, m), self.W[0], self.c[0])), self.V, self.b
        )
        return z if self.law.width == 1 else z.unflatten(-1, (self.dim, self.law.width))

    def _seen(self, x: Tensor, m: Tensor) -> Tensor:
        """Return the network's input, h⁰."""
        return torch.cat((m * x, m), -1) if self.mask_input else m * x

    def _tail(self, a: Tensor) -> Tensor:
        """Return the last hidden layer, from the first one's input `a`."""
        act = ACTIVATIONS[self.activation]
        h = act(a).to(self.V.dtype)
        for W, c in zip(self.W[1:], self.c[1:], strict=True):
            h = act(nn.functional.linear(h, W, c))
        return h

    def _walk(
        self, x: Tensor, orders: Int[Tensor, "k d"], given: Tensor | None, used: Tensor | None
    ) -> Iterator[tuple[Int[Tensor, "k"], Tensor]]:
        """As `Orderless._walk`; the first layer grows by a column a step: O(D (H + L H²)) a row and order."""
        wide = torch.promote_types(self.V.dtype, torch.float32)  # sums of D terms follow
        V, b = (p.unflatten(0, (self.dim, self.law.width)) for p in (self.V, self.b))
        columns = self.W[0].t().to(wide)  # (D or 2 D, H)
        a = self.c[0].to(wide).expand(len(orders), len(x), -1)
        if given is not None:
            a = a + self._seen(x, given.to(x)).to(wide) @ columns
        for i in orders.t():
            z = torch.einsum("kbh,kwh->kbw", self._tail(a), V[i]) + b[i].unsqueeze(1)
            yield i, z.squeeze(-1) if self.law.width == 1 else z
            m = torch.ones_like(x.t()[i]) if used is None else used.t()[i].to(x)
            a = a + (m * x.t()[i]).unsqueeze(-1) * columns[i].unsqueeze(1)
            if self.mask_input:
                a = a + m.unsqueeze(-1) * columns[self.dim + i].unsqueeze(1)

    def extra_repr(self) -> str:
        """Return what `repr(model)` shows."""
        return f"dim={self.dim}, hidden={self.hidden}, activation={self.activation!r}, mask_input={self.mask_input}"


class EoNADE(DeepNADE):
    """A DeepNADE whose own K orders are its default: `log_prob` is of their mixture, a sample takes one of them.

    Args:
        num_orders: K, drawn at random; more need fewer nats and more time.

    Source: https://arxiv.org/abs/1605.02226, section 4.
    """

    orders: Int[Tensor, "k d"]

    def __init__(
        self,
        dim: int,
        hidden: int | Sequence[int],
        activation: str = "relu",
        *,
        num_orders: int = 16,
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> None:
        super().__init__(dim, hidden, activation, generator=generator, **options)
        count = check_size("num_orders", num_orders)
        drawn = [torch.randperm(dim, generator=generator) for _ in range(count)]
        self.register_buffer("orders", torch.stack(drawn).to(self.b.device))

    def _orders(self, order: Order | None) -> Int[Tensor, "k d"]:
        return self.orders if order is None else super()._orders(order)

    def _sample_orders(
        self, order: Order | None, generator: torch.Generator | None
    ) -> Int[Tensor, "k d"]:
        return self._orders(order)
