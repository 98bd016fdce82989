"""What densities share that take any order: training on random masks, sums along orders, mixtures over them (EoNADE).

Letters of the paper: m the mask, 1 where a dimension is observed; |m| their number; K orders. Sections 3 and 4.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, distributions

from .density import Density, Order, Rows, check_order


_VALUES = 2_000_000  # of K B H at once, in a sum along orders


class Orderless(Density):
    """A density that predicts any dimensions from any others, and so along any order."""

    valid_draws = 8
    widest: int  # of its layers

    @abstractmethod
    def _predict(self, x: Tensor, m: Tensor) -> Tensor:
        """Return the outputs of every dimension from x where m is 1."""

    def forward(self, x: Rows, observed: Rows) -> Tensor:
        """Return the outputs of each dimension's law given what is observed; those of observed ones mean nothing.

        Args:
            x: (rows, D); what `observed` hides is not read.
            observed: (rows, D) or (D,), True where a value may be used.

        Raises:
            ValueError: x is not (rows, D) of what the model is over, or `observed` does not fit it.
        """
        x, seen = self._as_data(x, observed)
        assert seen is not None
        return self._predict(x, seen.to(x))

    def nll_estimate(
        self, x: Rows, observed: Rows, known: Rows | None = None
    ) -> Float[Tensor, "b"]:
        """Return D / (D - |m|) Σ -log p(x_i | the observed), over hidden i: nats.

        Its mean over masks (|m| uniform on 0..D-1, then a uniform subset of that size) is the mean of -log p(x | o)
        over all orders o. Where values are missing, D and the sum are those of the dimensions that are known.

        Args:
            known: (rows, D) or (D,), False where x is missing; default everything is known.

        Raises:
            ValueError: a row has every known dimension observed.

        Source: section 3, where the weight is written D / (D - d + 1) with |m| = d - 1.
        """
        x, here = self._as_data(
            x, torch.ones(self.dim, dtype=torch.bool) if known is None else known
        )
        _, seen = self._as_data(x, observed)
        assert here is not None
        assert seen is not None
        hidden = here & ~seen
        count = hidden.sum(1)
        if (count == 0).any():
            row = int((count == 0).nonzero()[0])
            raise ValueError(
                f"Row {row} has all {int(here[row].sum())} dimensions observed; hide at least one."
            )
        m = (here & seen).to(x)
        nll = -self.law.log_prob(self._predict(x, m), x)
        return torch.where(hidden, nll, 0).sum(1) * here.sum(1) / count

    def draw_masks(
        self, num: int, *, known: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Bool[Tensor, "num d"]:
        """Draw what is observed, row by row: a number uniform on 0..D-1, then a uniform subset of that size.

        Args:
            known: (num, D), False where values are missing; D is then the number of the others, from which it draws.
        """
        device = self.b.device
        noise = torch.rand(num, self.dim, generator=generator, device=device)
        share = torch.rand(num, 1, generator=generator, device=device)
        if known is None:
            return noise.argsort(1).argsort(1) < (share * self.dim).long()
        rank = noise.masked_fill(~known, 2).argsort(1).argsort(1)
        return rank < (share * known.sum(1, keepdim=True)).long()

    def loss(
        self, x: Rows, observed: Rows | None = None, generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        """Return the mean of `nll_estimate` over the rows, one random mask each; empty rows cost nothing."""
        x, known = self._as_data(x, observed)
        if known is not None:
            some = known.any(1)
            if not some.any():
                return self.b.sum() * 0
            x, known = x[some], known[some]
        masks = self.draw_masks(len(x), known=known, generator=generator)
        return self.nll_estimate(x, masks, known).mean()

    def log_prob(
        self, x: Rows, observed: Rows | None = None, order: Order | None = None
    ) -> Float[Tensor, "b"]:
        """Return log p(x | o), or for K orders the log of the mean of p(x | o) over them: EoNADE.

        Args:
            observed: False where values are missing: they are left out, which no order minds.
            order: (D,) or (K, D); default 0, 1, ..., D-1.

        Raises:
            ValueError: x is not (rows, D) of what the model is over; an order is not a permutation.
        """
        x, seen = self._as_data(x, observed)
        orders = self._orders(order)
        step = max(1, _VALUES // max(1, len(x) * self.widest))
        along = torch.cat([self._log_prob_along(x, seen, o) for o in orders.split(step)])
        return along.logsumexp(0) - math.log(len(along))

    def _log_prob_along(self, x: Tensor, seen: Tensor | None, orders: Tensor) -> Tensor:
        total: Tensor | float = 0.0
        for i, z in self._walk(x, orders, None, seen):
            log_p = self.law.log_prob(z, x.t()[i])  # (K, B)
            total = total + (log_p if seen is None else log_p.where(seen.t()[i], 0))
        assert isinstance(total, Tensor)
        return total

    def conditionals(
        self, x: Rows, observed: Rows | None = None, order: Order | None = None
    ) -> distributions.Distribution:
        """Return p(x_i | what is observed of those before it) for every i, along one order."""
        x, seen = self._as_data(x, observed)
        orders = self._orders(order)
        if len(orders) > 1:
            raise ValueError(f"conditionals follow one order, not {len(orders)}.")
        outputs = [z[0] for _, z in self._walk(x, orders, None, seen)]
        return self.law.distribution(torch.stack(outputs, 1)[:, orders[0].argsort()])

    def _draw(
        self, x: Tensor, seen: Tensor, order: Order | None, generator: torch.Generator | None
    ) -> Tensor:
        orders = self._sample_orders(order, generator)
        which = torch.randint(len(orders), (len(x),), generator=generator, device=x.device)
        for k, o in enumerate(orders):
            rows = (which == k).nonzero().flatten()
            part, known = x[rows], seen[rows]
            for i, z in self._walk(part, o[None], known, ~known):
                drawn = self.law.draw(z[0], generator)
                part[:, i[0]] = torch.where(known[:, i[0]], part[:, i[0]], drawn)
            x[rows] = part
        return x

    def _walk(
        self, x: Tensor, orders: Int[Tensor, "k d"], given: Tensor | None, used: Tensor | None
    ) -> Iterator[tuple[Int[Tensor, "k"], Tensor]]:
        """Go along K orders at once: yield the next dimensions i (K,) and their outputs (K, B) or (K, B, width).

        Each dimension is read from x after it was yielded, so that a sampler can write it.

        Args:
            given: (B, D) what is seen from the beginning; default nothing.
            used: (B, D) what is added when its turn comes; default everything.
        """
        start = torch.zeros_like(x) if given is None else given.to(x)
        m = start.expand(len(orders), *x.shape).clone()
        for i in orders.t():
            z = self._predict(x.repeat(len(orders), 1), m.flatten(0, 1))
            z = z.unflatten(0, m.shape[:2])
            yield i, torch.stack([z_k[:, i_k] for z_k, i_k in zip(z, i, strict=True)])
            for k, i_k in enumerate(i.tolist()):
                m[k, :, i_k] = 1 if used is None else m[k, :, i_k] + used[:, i_k]

    def _orders(self, order: Order | None) -> Int[Tensor, "k d"]:
        if order is None:
            return torch.arange(self.dim, device=self.b.device)[None]
        checked = [check_order(o, self.dim) for o in torch.atleast_2d(torch.as_tensor(order))]
        return torch.stack(checked).to(self.b.device)

    def _sample_orders(
        self, order: Order | None, generator: torch.Generator | None
    ) -> Int[Tensor, "k d"]:
        if order is not None:
            return self._orders(order)
        return torch.randperm(self.dim, generator=generator, device=self.b.device)[None]
