"""NADE with a fixed order of the dimensions, and what it shares with the deep, orderless one.

Letters of the paper: x (D,) binary; V (D, H), b (D,) output; W (H, D), c (H,) hidden; o the order.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from studiolo.train import Budget, History, train

from .recurrence import ACTIVATIONS, nade_logits


_LESS = 0.3  # factor on the learning rate when the validation part stops gaining
_CUTS = 2  # how often that happens before the fit ends


class BinaryDensity(nn.Module, ABC):
    """A tractable density over {0, 1}^D: what `fit` needs of a model.

    A subclass sets `dim` and the output bias `b` (D,), and defines `loss` and `log_prob`. Where the loss is random,
    `valid_draws` says how often it is drawn for a row of the validation part.
    """

    valid_draws = 1
    dim: int
    b: nn.Parameter

    @abstractmethod
    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Float[Tensor, ""]:
        """Return the training loss of a batch: nats per row, an unbiased estimate of -log p."""

    @abstractmethod
    def log_prob(self, x: Tensor) -> Float[Tensor, "b"]:
        """Return log p(x) in nats."""

    @torch.no_grad()
    def set_marginals(self, x: Tensor) -> None:
        """Set `b` to the logits of the column means of `x`, each column with one more 0 and one more 1."""
        ones = self._as_data(x).sum(0, dtype=torch.float64)
        mean = (ones + 1) / (len(x) + 2)
        self.b.copy_(mean.logit())

    def fit(
        self,
        x: Tensor,
        valid: Tensor,
        *,
        epochs: int = 100,
        batch_size: int = 100,
        learning_rate: float = 2e-3,
        patience: int = 7,
        seed: int = 0,
    ) -> History:
        """Train with Adam from the marginals of `x`; keep the parameters of the best epoch on `valid`.

        After `patience` epochs without gain on `valid` the learning rate falls to 0.3 of itself; when that would
        happen a third time, or after `epochs`, the fit ends.

        Args:
            x, valid: (rows, D) of 0 and 1.
            seed: of the order of the rows and, in an orderless model, of the masks.

        Returns:
            losses for every update, and (update, CPU seconds, loss on `valid`) for every epoch; nats per row.
        """
        x, valid = self._as_data(x), self._as_data(valid)
        self.set_marginals(x)
        generator = torch.Generator(x.device).manual_seed(seed)
        optimizer = torch.optim.Adam(self.parameters(), lr=learning_rate)
        best = _BestEpoch(self, valid.repeat(self.valid_draws, 1), optimizer, patience, seed)
        steps_per_epoch = -(-len(x) // batch_size)

        def batches() -> Iterator[Tensor]:
            while not best.done:
                for rows in torch.randperm(len(x), generator=generator, device=x.device).split(
                    batch_size
                ):
                    yield x[rows]

        history = train(
            self,
            lambda model, batch: model.loss(batch, generator),
            batches(),
            optimizer=optimizer,
            budget=Budget(steps=epochs * steps_per_epoch),
            evaluate=lambda _: best.update(),
            every=steps_per_epoch,
        )
        self.load_state_dict(best.state)
        return history

    def _as_data(self, x: Tensor) -> Tensor:
        """Return x in the model's type and on its device, or say what is wrong with it."""
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"The model is over (rows, {self.dim}); x is {tuple(x.shape)}.")
        if x.dtype != torch.bool and (wrong := (x != 0) & (x != 1)).any():
            row, column = wrong.nonzero()[0].tolist()
            raise ValueError(
                f"The model is over 0 and 1; x[{row}, {column}] is {x[row, column].item():g}. Binarise x first, for "
                "example (x >= 0.5)."
            )
        return x.to(self.b)


class _BestEpoch:
    """Watches the loss on `valid`: remembers the best parameters, cuts the learning rate, says when to stop."""

    def __init__(
        self,
        model: BinaryDensity,
        valid: Tensor,
        optimizer: torch.optim.Optimizer,
        patience: int,
        seed: int,
    ) -> None:
        self.model, self.valid, self.optimizer = model, valid, optimizer
        self.patience, self.seed = patience, seed
        self.loss, self.state = float("inf"), copy.deepcopy(model.state_dict())
        self.waited, self.cuts, self.done = 0, 0, False

    def update(self) -> float:
        masks = torch.Generator(self.valid.device).manual_seed(self.seed)  # the same every epoch
        loss = self.model.loss(self.valid, masks).item()
        if loss < self.loss:
            self.loss, self.state = loss, copy.deepcopy(self.model.state_dict())
            self.waited = 0
            return loss
        self.waited += 1
        if self.waited == self.patience:
            self.waited, self.cuts = 0, self.cuts + 1
            self.done = self.cuts > _CUTS
            for group in self.optimizer.param_groups:
                group["lr"] *= _LESS
        return loss


class NADE(BinaryDensity):
    """p(x) = Π_d sigm(V_{o_d} h_d + b_{o_d}) with h_d = act(W_{., o_<d} x_{o_<d} + c), equations (1) to (3).

    Forward and backward run in place in O(BH) memory (`recurrence.py`).

    Args:
        dim: D, number of binary dimensions.
        hidden: H, number of hidden units; one layer, shared by all conditionals.
        activation: "sigmoid" (the paper's equations) or "relu" (the authors' code).
        order: the dimensions in the order o in which they are predicted; default 0, 1, ..., D-1.
        generator: draws W and V ~ N(0, 0.01²); default torch's own.

    Raises:
        ValueError: an unknown activation; an order that is not a permutation.

    Source: https://arxiv.org/abs/1605.02226, section 2.

    Example:
        >>> model = NADE(3, 2)
        >>> model.log_prob(torch.tensor([[0, 1, 1]])).shape
        torch.Size([1])
    """

    inverse: Int[Tensor, "d"] | None
    order: Int[Tensor, "d"] | None

    def __init__(
        self,
        dim: int,
        hidden: int,
        activation: str = "sigmoid",
        *,
        order: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_activation(activation)
        self.dim, self.hidden, self.activation = dim, hidden, activation
        self.V = nn.Parameter(torch.empty(dim, hidden).normal_(0, 0.01, generator=generator))
        self.b = nn.Parameter(torch.zeros(dim))
        self.W = nn.Parameter(torch.empty(hidden, dim).normal_(0, 0.01, generator=generator))
        self.c = nn.Parameter(torch.zeros(hidden))
        o = None if order is None else check_order(order, dim)
        self.register_buffer("order", o)
        self.register_buffer("inverse", None if o is None else o.argsort())

    def forward(self, x: Tensor) -> Float[Tensor, "b d"]:
        """Return the logit of p(x_d = 1 | what the order puts before d), column d for dimension d.

        Raises:
            ValueError: x is not (rows, D) of 0 and 1; says shape or value.
        """
        x = self._as_data(x)
        if self.order is None or self.inverse is None:
            return nade_logits(x, self.V, self.b, self.W, self.c, activation=self.activation)
        o = self.order
        ordered = nade_logits(
            x[:, o], self.V[o], self.b[o], self.W[:, o], self.c, activation=self.activation
        )
        return ordered[:, self.inverse]

    def log_prob(self, x: Tensor) -> Float[Tensor, "b"]:
        """Return log p(x) in nats, for rows of 0 and 1.

        Raises:
            ValueError: x is not (rows, D) of 0 and 1; says shape or value.
        """
        return log_bernoulli(self._as_data(x), self(x)).sum(1)

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Float[Tensor, ""]:
        """Return the mean of -log p over the rows; `generator` is not used."""
        return -self.log_prob(x).mean()

    @torch.no_grad()
    def sample(
        self,
        num: int,
        *,
        given: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "num d"]:
        """Draw rows, O(DH) each.

        Args:
            given: (k,) or (num, k) values of the first k dimensions in the model's order, which every draw keeps.
            generator: on the model's device.

        Raises:
            ValueError: `given` has more than D values or another number of rows; says its shape.
        """
        dtype = torch.promote_types(self.b.dtype, torch.float32)
        V, b, W, c = (p.to(dtype) for p in (self.V, self.b, self.W, self.c))
        o = torch.arange(self.dim, device=b.device) if self.order is None else self.order
        V, b, W = V[o], b[o], W[:, o].t().contiguous()
        known = torch.zeros(num, 0) if given is None else torch.atleast_2d(given)
        if known.ndim != 2 or known.shape[0] not in (1, num) or known.shape[1] > self.dim:
            raise ValueError(
                f"given is {tuple(known.shape)}; needed are (k,) or ({num}, k) values with k up to {self.dim}."
            )
        k = known.shape[1]
        drawn = b.new_empty(self.dim, num)  # in the order o, a row is a step
        drawn[:k] = known.to(drawn).t()
        a = c.expand(num, -1) + drawn[:k].t() @ W[:k]
        h = torch.empty_like(a)
        # x = 1 iff u < p iff logit(u) < logit(p): no sigmoid of the output
        threshold = torch.rand(self.dim, num, generator=generator, device=b.device, dtype=dtype)
        threshold.logit_().sub_(b[:, None])
        for d in range(k, self.dim):
            ACTIVATIONS[self.activation].value(a, out=h)
            drawn[d] = torch.mv(h, V[d]) > threshold[d]
            a.addr_(drawn[d], W[d])
        return drawn[o.argsort()].t()

    def extra_repr(self) -> str:
        """Return what `repr(model)` shows."""
        return f"dim={self.dim}, hidden={self.hidden}, activation={self.activation!r}"


def log_bernoulli(
    x: Float[Tensor, "*shape"], logits: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Return log p(x) elementwise, for x of 0 and 1: no p is clipped, and logits of 16 bits are widened."""
    wide = torch.promote_types(logits.dtype, torch.float32)
    return nn.functional.logsigmoid((2 * x - 1) * logits.to(wide))


def check_activation(name: str) -> None:
    """Raise ValueError, with what is allowed, for an unknown activation."""
    if name not in ACTIVATIONS:
        raise ValueError(f"activation is one of {sorted(ACTIVATIONS)}, not {name!r}.")


def check_order(order: Sequence[int] | Tensor, dim: int) -> Int[Tensor, "d"]:
    """Return `order` as a tensor, or raise ValueError if it is not a permutation of 0..dim-1."""
    o = torch.as_tensor(order, dtype=torch.int64)
    if o.shape != (dim,) or not torch.equal(o.sort().values.cpu(), torch.arange(dim)):
        raise ValueError(f"An order holds each of 0 to {dim - 1} once; this one is {o.tolist()}.")
    return o
