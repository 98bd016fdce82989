"""DeepNADE: one network for every order, trained on random masks; its mixture over orders is EoNADE.

Letters of the paper: m the mask, 1 where a dimension is observed; |m| their number. Section 3.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .model import BinaryDensity, check_activation, check_order, log_bernoulli


_ACTIVATIONS = {"sigmoid": torch.sigmoid, "relu": torch.relu}


class DeepNADE(BinaryDensity):
    """Predicts any dimensions from any others: h⁰ = (m x, m), h^l = act(W^l h^{l-1} + c^l), logits = V h^L + b.

    Args:
        dim: D, number of binary dimensions.
        hidden: widths of the hidden layers, or one width.
        activation: "relu" (the authors' choice) or "sigmoid".
        mask_input: feed m too, without which an observed 0 and a hidden value look alike.
        generator: draws the weights, uniform within ±1/√fan-in; default torch's own.

    Raises:
        ValueError: an unknown activation; no hidden layer.

    Source: https://arxiv.org/abs/1605.02226, section 3.

    Example:
        >>> model = DeepNADE(4, (8, 8))
        >>> model.log_prob(torch.tensor([[0, 1, 1, 0]]), [[0, 1, 2, 3], [3, 2, 1, 0]]).shape
        torch.Size([1])
    """

    valid_draws = 8

    def __init__(
        self,
        dim: int,
        hidden: int | Sequence[int],
        activation: str = "relu",
        *,
        mask_input: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_activation(activation)
        widths = (hidden,) if isinstance(hidden, int) else tuple(hidden)
        if not widths:
            raise ValueError("DeepNADE needs a hidden layer: give a width, or several.")
        self.dim, self.hidden, self.activation = dim, widths, activation
        self.mask_input = mask_input
        fan_in = (2 * dim if mask_input else dim, *widths)

        def uniform(out: int, size: int) -> nn.Parameter:
            bound = 1 / math.sqrt(size)
            return nn.Parameter(torch.empty(out, size).uniform_(-bound, bound, generator=generator))

        self.W = nn.ParameterList(
            uniform(width, size) for width, size in zip(widths, fan_in[:-1], strict=True)
        )
        self.c = nn.ParameterList(torch.zeros(width) for width in widths)
        self.V = uniform(dim, fan_in[-1])
        self.b = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor, observed: Bool[Tensor, "..."]) -> Float[Tensor, "b d"]:
        """Return the logit of p(x_i = 1 | the observed) for every i; those of observed i mean nothing.

        Args:
            x: (rows, D); what `observed` hides is not read.
            observed: (rows, D) or (D,), True where a value may be used.

        Raises:
            ValueError: x is not (rows, D) of 0 and 1, or `observed` does not fit it.
        """
        x = self._as_data(x)
        m = self._as_mask(observed, x).to(x.dtype)
        a = nn.functional.linear(self._seen(x, m), self.W[0], self.c[0])
        return nn.functional.linear(self._tail(a), self.V, self.b)

    def _seen(self, x: Tensor, m: Tensor) -> Tensor:
        """Return the network's input, h⁰."""
        return torch.cat((m * x, m), 1) if self.mask_input else m * x

    def _tail(self, a: Tensor) -> Tensor:
        """Return the last hidden layer, from the first one's input `a` to its activation."""
        act = _ACTIVATIONS[self.activation]
        h = act(a).to(self.V.dtype)
        for W, c in zip(self.W[1:], self.c[1:], strict=True):
            h = act(nn.functional.linear(h, W, c))
        return h

    def nll_estimate(self, x: Tensor, observed: Bool[Tensor, "..."]) -> Float[Tensor, "b"]:
        """Return D / (D - |m|) Σ -log p(x_i | the observed), over hidden i: nats.

        Its mean over masks (|m| uniform on 0..D-1, then a uniform subset of that size) is the mean of -log p(x | o)
        over all orders o.

        Raises:
            ValueError: a row has every dimension observed.

        Source: section 3, where the weight is written D / (D - d + 1) with |m| = d - 1.
        """
        x = self._as_data(x)
        hidden = ~self._as_mask(observed, x)
        count = hidden.sum(1)
        if (count == 0).any():
            row = int((count == 0).nonzero()[0])
            raise ValueError(
                f"Row {row} has all {self.dim} dimensions observed; hide at least one."
            )
        nll = -log_bernoulli(x, self(x, observed))
        return torch.where(hidden, nll, 0).sum(1) * self.dim / count

    def draw_masks(
        self, num: int, *, generator: torch.Generator | None = None
    ) -> Bool[Tensor, "num d"]:
        """Draw what is observed, row by row: a number uniform on 0..D-1, then a uniform subset of that size."""
        device = self.b.device
        count = torch.randint(self.dim, (num, 1), generator=generator, device=device)
        noise = torch.rand(num, self.dim, generator=generator, device=device)
        return noise.argsort(1).argsort(1) < count

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Float[Tensor, ""]:
        """Return the mean of `nll_estimate` over the rows, one random mask each."""
        return self.nll_estimate(x, self.draw_masks(len(x), generator=generator)).mean()

    def log_prob(
        self, x: Tensor, orders: Sequence[Sequence[int]] | Sequence[int] | Tensor | None = None
    ) -> Float[Tensor, "b"]:
        """Return log p(x | o) for one order, or the log of the mean of p(x | o) over several: EoNADE.

        The first layer is updated in place of being recomputed: O(D (H + L H²)) per row and order.

        Args:
            orders: (D,) or (K, D); default 0, 1, ..., D-1.

        Raises:
            ValueError: x is not (rows, D) of 0 and 1; an order is not a permutation.
        """
        x = self._as_data(x)
        listed = torch.arange(self.dim) if orders is None else torch.as_tensor(orders)
        along = [
            self._log_prob_along(x, check_order(order, self.dim))
            for order in torch.atleast_2d(listed)
        ]
        return torch.stack(along).logsumexp(0) - math.log(len(along))

    def _log_prob_along(self, x: Tensor, order: Int[Tensor, "d"]) -> Float[Tensor, "b"]:
        a = self._start(len(x))
        total = a.new_zeros(len(x))
        for i in order.tolist():
            logit = self._tail(a) @ self.V[i] + self.b[i]
            total = total + log_bernoulli(x[:, i], logit)
            a = self._observe(a, i, x[:, i])
        return total

    def _start(self, num: int) -> Tensor:
        """Return the first layer's input before anything is seen, in at least float32: sums of D terms follow."""
        wide = torch.promote_types(self.V.dtype, torch.float32)
        return self.c[0].to(wide).expand(num, -1)

    def _observe(self, a: Tensor, i: int, value: Tensor) -> Tensor:
        """Return the first layer's input after dimension i has taken `value` (rows,)."""
        a = a + torch.outer(value, self.W[0][:, i])
        return a + self.W[0][:, self.dim + i] if self.mask_input else a

    @torch.no_grad()
    def sample(
        self,
        num: int,
        *,
        given: Tensor | None = None,
        observed: Bool[Tensor, "..."] | None = None,
        order: Sequence[int] | Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "num d"]:
        """Draw rows, of which any part may be given.

        Args:
            given: (D,) or (num, D), read where `observed` is True.
            observed: (D,), the dimensions that every draw keeps; default none.
            order: in which the hidden dimensions are drawn; default random.
            generator: on the model's device.

        Raises:
            ValueError: only one of `given` and `observed`; shapes that do not fit; not a permutation.
        """
        if (given is None) != (observed is None):
            raise ValueError("`given` holds values and `observed` says which count: pass both.")
        if order is None:
            order = torch.randperm(self.dim, generator=generator, device=self.b.device)
        m = torch.zeros(self.dim, dtype=torch.bool) if observed is None else observed.cpu()
        if m.shape != (self.dim,):
            raise ValueError(f"observed is {tuple(m.shape)}; needed is ({self.dim},).")
        values = torch.zeros(num, self.dim) if given is None else torch.atleast_2d(given)
        x = self._as_data(torch.where(m.to(values.device), values, 0)).expand(num, -1).clone()
        a = self._start(num)
        for i in m.nonzero().flatten().tolist():
            a = self._observe(a, i, x[:, i])
        for i in check_order(order, self.dim).tolist():
            if m[i]:
                continue
            p = torch.sigmoid(self._tail(a) @ self.V[i] + self.b[i])
            x[:, i] = torch.rand(num, generator=generator, device=x.device) < p
            a = self._observe(a, i, x[:, i])
        return x

    def _as_mask(self, observed: Tensor, x: Tensor) -> Tensor:
        if observed.dtype != torch.bool or observed.shape not in (x.shape, x.shape[1:]):
            raise ValueError(
                f"observed is {observed.dtype} {tuple(observed.shape)}; needed is a bool {tuple(x.shape)} or "
                f"({self.dim},)."
            )
        return observed.to(x.device).expand_as(x)

    def extra_repr(self) -> str:
        """Return what `repr(model)` shows."""
        return f"dim={self.dim}, hidden={self.hidden}, activation={self.activation!r}, mask_input={self.mask_input}"
