"""What every density of the family offers: `log_prob`, `conditionals`, `sample` and `fit`, with values missing or not."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, distributions, nn

from studiolo.train import History

from .fitting import fit
from .laws import Bernoulli, Law


Rows = Tensor | np.ndarray | Sequence[Any]
Order = Rows  # whole numbers


class Density(nn.Module, ABC):
    """A tractable density over D dimensions, one conditional after the other in some order.

    Everywhere x is (rows, D), a tensor, an array or lists; `observed` is (rows, D) or (D,), True where a value is
    known, default everywhere. What it hides is not read and may be nan: a value is missing only by `observed`.

    A subclass sets `dim`, `law` and the output bias `b`. Where its loss is random, `valid_draws` says how often it is
    drawn for a row of the validation part.
    """

    valid_draws = 1
    law: Law
    dim: int
    b: nn.Parameter

    @abstractmethod
    def log_prob(
        self, x: Rows, observed: Rows | None = None, order: Order | None = None
    ) -> Float[Tensor, "b"]:
        """Return log p of what is observed of each row, nats; what is missing is integrated out."""

    @abstractmethod
    def conditionals(
        self, x: Rows, observed: Rows | None = None, order: Order | None = None
    ) -> distributions.Distribution:
        """Return the law of every dimension, (rows, D), given what is observed of those that the order puts before."""

    @torch.no_grad()
    def sample(
        self,
        num: int,
        *,
        given: Rows | None = None,
        observed: Rows | None = None,
        order: Order | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "num d"]:
        """Draw rows that keep what is given.

        Args:
            given: (D,) or (num, D), read where `observed` is True. In a fixed order these are its first dimensions; an
                orderless model takes any, in each row others.
            order: of an orderless model, in which the other dimensions are drawn; default random. Of several, (K, D),
                each row takes one.
            generator: on the model's device.

        Raises:
            ValueError: only one of `given` and `observed`; shapes; not a permutation, or not the model's own; a
                dimension to be drawn before one that is given.
        """
        x, seen = self._as_given(num, given, observed)
        return self._draw(x, seen, order, generator)

    @abstractmethod
    def _draw(
        self, x: Tensor, seen: Tensor, order: Order | None, generator: torch.Generator | None
    ) -> Tensor:
        """Return x, which may be written to, with values drawn where `seen` is False."""

    @property
    def _rank(self) -> Int[Tensor, "d"] | None:
        """The place of each dimension in the order that is built in."""
        return None

    def loss(
        self,
        x: Rows,
        observed: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Return the training loss of a batch: nats per row, an unbiased estimate of -log p."""
        return -self.log_prob(x, observed).mean()

    @torch.no_grad()
    def set_marginals(self, x: Rows, observed: Rows | None = None) -> None:
        """Set `b` so that, weights aside, every dimension follows what it does in the columns of `x` by itself."""
        x, seen = self._as_data(x, observed)
        self.b.copy_(self.law.start(x, torch.ones_like(x) if seen is None else seen.to(x)))

    def fit(
        self,
        x: Rows,
        valid: Rows,
        *,
        observed: Rows | None = None,
        valid_observed: Rows | None = None,
        epochs: int = 100,
        batch_size: int = 100,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.0,
        patience: int = 7,
        seed: int = 0,
        progress: Callable[[int, float], None] | None = None,
        checkpoint: Path | None = None,
    ) -> History:
        """Train with Adam; keep the parameters of the best epoch on `valid`.

        A new model, whose `b` is all 0, starts from the marginals of `x`; any other goes on from where it is. After
        `patience` epochs without gain on `valid` the learning rate falls to 0.3 of itself; when that would happen a
        third time, or after `epochs`, the fit ends.

        Args:
            seed: of the order of the rows and, in an orderless model, of the masks.
            progress: called after every epoch with its number, from 1, and the loss on `valid`, nats per row.
            checkpoint: a file, written after every epoch; if it is there the fit goes on from it.

        Returns:
            losses for every update, and (update, CPU seconds, loss on `valid`) for every epoch; nats per row.

        Raises:
            ValueError: x or valid has no rows; epochs, batch_size, patience or learning_rate is not positive.
        """
        positive = {"epochs": epochs, "batch_size": batch_size, "patience": patience}
        for name, value in {**positive, "learning_rate": learning_rate}.items():
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; it must be above 0.")
        data, seen = self._as_data(x, observed)
        held_out, valid_seen = self._as_data(valid, valid_observed)
        for name, rows in (("x", data), ("valid", held_out)):
            if not len(rows):
                raise ValueError(
                    f"{name} has no rows; fit needs rows to learn from and others to stop by."
                )
        if not self.b.any():
            self.set_marginals(data, seen)
        return fit(
            self,
            data,
            held_out,
            seen,
            valid_seen,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            patience=patience,
            seed=seed,
            progress=progress,
            checkpoint=checkpoint,
        )

    def _as_data(self, x: Rows, observed: Rows | None = None) -> tuple[Tensor, Tensor | None]:
        """Return x in the model's type and on its device, 0 where it is missing, and a mask of its shape."""
        x = torch.as_tensor(x, device=self.b.device)
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"The model is over (rows, {self.dim}); x is {tuple(x.shape)}.")
        if observed is None:
            _check(x.detach(), None, None, self.law.binary)
            return x.to(self.b.dtype), None
        seen = torch.as_tensor(observed, device=self.b.device)
        if seen.dtype != torch.bool or seen.shape not in (x.shape, x.shape[1:]):
            raise ValueError(
                f"observed is {seen.dtype} {tuple(seen.shape)}; needed is a bool {tuple(x.shape)} or ({self.dim},)."
            )
        seen = seen.expand_as(x)
        _check(x.detach(), seen, self._rank, self.law.binary)
        return x.to(self.b.dtype).where(seen, 0), seen

    def _as_given(
        self,
        num: int,
        given: Rows | None,
        observed: Rows | None,
    ) -> tuple[Tensor, Tensor]:
        """Return (num, D) values, 0 where they are to be drawn, and where they are known."""
        if num < 0:
            raise ValueError(f"num is {num}; it must be 0 or more.")
        if (given is None) != (observed is None):
            raise ValueError(
                "`given` holds values and `observed` says which count: pass both, for example observed=~given.isnan()."
            )
        if given is None:
            x = torch.zeros(num, self.dim, device=self.b.device, dtype=self.b.dtype)
            return x, torch.zeros_like(x, dtype=torch.bool)
        values = torch.atleast_2d(torch.as_tensor(given, device=self.b.device))
        if values.shape not in ((1, self.dim), (num, self.dim)):
            raise ValueError(
                f"given is {tuple(values.shape)}; needed is ({self.dim},) or ({num}, {self.dim}), with `observed` "
                "where a value counts."
            )
        x, seen = self._as_data(values.expand(num, -1), observed)
        assert seen is not None
        return x.clone(), seen


class FixedOrder(Density):
    """A density whose one order is built in. A missing value must come after all that are observed."""

    order: Int[Tensor, "d"]
    inverse: Int[Tensor, "d"]

    def __init__(self, dim: int, order: Order | None, law: Law, device: Any = None) -> None:
        super().__init__()
        self.dim, self.law = check_size("dim", dim), law
        o = torch.arange(dim) if order is None else check_order(order, dim)
        self.is_natural = order is None
        for name, value in (("order", o), ("inverse", o.argsort())):
            self.register_buffer(name, value.to(device), persistent=not self.is_natural)

    @abstractmethod
    def _outputs(self, x: Tensor) -> Tensor:
        """Return the outputs of every dimension, column d for dimension d, each from those before it."""

    def forward(self, x: Rows) -> Tensor:
        """Return the outputs of each dimension's law given those before it; for 0 and 1 the logit of p(x_d = 1).

        Raises:
            ValueError: x is not (rows, D) of what the model is over; says shape or value.
        """
        return self._outputs(self._as_data(x)[0])

    def log_prob(
        self, x: Rows, observed: Rows | None = None, order: Order | None = None
    ) -> Float[Tensor, "b"]:
        """Return log p in nats of each row, or of what is observed of it.

        Raises:
            ValueError: shape or value of x; a value is missing before one that is observed; another order.
        """
        self._check_own(order)
        x, seen = self._as_data(x, observed)
        log_p = self.law.log_prob(self._outputs(x), x)
        return (log_p if seen is None else log_p.where(seen, 0)).sum(1)

    def conditionals(
        self, x: Rows, observed: Rows | None = None, order: Order | None = None
    ) -> distributions.Distribution:
        """Return p(x_d | those before it) for every d, nan after a missing value."""
        self._check_own(order)
        x, seen = self._as_data(x, observed)
        z = self._outputs(x)
        if seen is not None:
            first = torch.where(seen, self.dim, self.inverse).amin(1, keepdim=True)
            unknown = self.inverse > first
            z = z.masked_fill(unknown if self.law.width == 1 else unknown.unsqueeze(-1), math.nan)
        return self.law.distribution(z)

    def _draw(
        self, x: Tensor, seen: Tensor, order: Order | None, generator: torch.Generator | None
    ) -> Tensor:
        self._check_own(order)
        for i in self.order.tolist():  # one pass of the model each
            if not seen[:, i].all():
                drawn = self.law.draw(self._outputs(x)[:, i], generator)
                x[:, i] = torch.where(seen[:, i], x[:, i], drawn)
        return x

    @property
    def _rank(self) -> Int[Tensor, "d"]:
        return self.inverse

    def _check_own(self, order: Order | None) -> None:
        if order is not None and not torch.equal(check_order(order, self.dim), self.order.cpu()):
            raise ValueError(
                f"This model predicts in the order {self.order.tolist()} alone; DeepNADE takes any order."
            )


@torch.library.custom_op("studiolo::nade_check", mutates_args=())
def _check(x: Tensor, observed: Tensor | None, rank: Tensor | None, binary: bool) -> Tensor:
    """Refuse what is observed and neither 0 nor 1, or not finite; return nothing of interest.

    Where `rank` gives each dimension's place in an order, no value may be missing before an observed one. An operation
    of its own, because `torch.func` cannot look into its branches; compiled code leaves it out.
    """
    wrong = (x != 0) & (x != 1) if binary else ~x.isfinite()
    if observed is not None:
        wrong = wrong & observed
    if wrong.any():
        raise ValueError(_what_is_wrong(x, wrong, binary))
    if observed is not None and rank is not None:
        first = torch.where(observed, x.shape[1], rank).amin(1, keepdim=True)
        if (late := observed & (rank > first)).any():
            row, column = late.nonzero()[0].tolist()
            missing = (rank == first[row]).nonzero().item()
            raise ValueError(
                f"Row {row} lacks dimension {missing}, which this model's order puts before dimension {column}: the "
                "sum over all values of the first is out of reach. Use DeepNADE, which takes any subset."
            )
    return torch.empty(0)


@_check.register_fake
def _(x: Tensor, observed: Tensor | None, rank: Tensor | None, binary: bool) -> Tensor:
    return torch.empty(0)


@_check.register_vmap
def _(info: Any, in_dims: Sequence[int | None], *inputs: Any) -> tuple[Tensor, None]:
    for i in range(info.batch_size):
        pairs = zip(inputs, in_dims, strict=True)
        _check(*(t if dim is None else t.select(dim, i) for t, dim in pairs))
    return torch.empty(0), None


def _what_is_wrong(x: Tensor, wrong: Tensor, binary: bool) -> str:
    row, column = wrong.nonzero()[0].tolist()
    value = x[row, column].item()
    if math.isnan(value):
        return f"x[{row}, {column}] is nan. If it is missing, pass observed=~x.isnan()."
    if binary:
        return f"The model is over 0 and 1; x[{row}, {column}] is {value:g}. Binarise x first, for example (x >= 0.5)."
    return f"x[{row}, {column}] is {value:g}; values must be finite."


def check_size(name: str, value: int) -> int:
    """Return a whole number of at least 1, or raise ValueError."""
    if value != int(value) or value < 1:
        raise ValueError(f"{name} is {value}; it must be a whole number of at least 1.")
    return int(value)


def check_order(order: Order, dim: int) -> Int[Tensor, "d"]:
    """Return `order` on the CPU, or raise ValueError if it is not a permutation of 0..dim-1."""
    o = torch.as_tensor(order).cpu()
    if (
        o.shape != (dim,)
        or o.is_floating_point()
        or not torch.equal(o.sort().values, torch.arange(dim))
    ):
        raise ValueError(f"An order holds each of 0 to {dim - 1} once; this one is {o.tolist()}.")
    return o.to(torch.int64)


def normal_parameter(
    shape: Sequence[int], generator: torch.Generator | None, **factory: Any
) -> nn.Parameter:
    """Draw a parameter from N(0, 0.01²)."""
    return nn.Parameter(torch.empty(*shape, **factory).normal_(0, 0.01, generator=generator))


def uniform_parameter(
    out: int, fan_in: int, generator: torch.Generator | None, **factory: Any
) -> nn.Parameter:
    """Draw an (out, fan_in) parameter uniformly within ±1/√fan_in."""
    bound = 1 / math.sqrt(fan_in)
    return nn.Parameter(
        torch.empty(out, fan_in, **factory).uniform_(-bound, bound, generator=generator)
    )


def check_activation(name: str, known: Sequence[str]) -> str:
    """Return the name, or raise ValueError with what is allowed."""
    if name not in known:
        raise ValueError(f"activation is one of {sorted(known)}, not {name!r}.")
    return name


BERNOULLI = Bernoulli()
