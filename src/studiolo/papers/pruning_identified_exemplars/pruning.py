"""What compressing takes away: when weights go and which, and what rounding leaves of them."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Schedule:
    """When weights go: `updates` + 1 cuts, evenly from `begin` to `end`, as shares of all training steps."""

    begin: float = 0.1
    end: float = 0.7
    updates: int = 20

    def __post_init__(self) -> None:
        if not 0 <= self.begin < self.end <= 1 or self.updates < 1:
            raise ValueError(
                f"Pruning from {self.begin:g} to {self.end:g} of training in {self.updates} updates: "
                "take 0 <= begin < end <= 1 and at least one update."
            )

    def cuts(self, steps: int) -> dict[int, float]:
        """Map training steps (after which the masks are renewed) to the share of the final sparsity.

        The share is 1 - (1 - i / updates)^3: fast while weights are redundant, slow towards the end. Where several
        cuts fall on one step the last stands.

        Source: https://arxiv.org/abs/1710.01878, equation (1), with an initial sparsity of 0.
        """
        span = self.end - self.begin
        return {
            max(1, round((self.begin + span * i / self.updates) * steps)): (
                1 - (1 - i / self.updates) ** 3
            )
            for i in range(self.updates + 1)
        }


def magnitude_mask(
    weight: Float[Tensor, "k ..."], sparsity: Float[Tensor, "k"]
) -> Bool[Tensor, "k ..."]:
    """Return True for the weights that stay: in every member the round(sparsity · size) smallest go.

    Of equal magnitudes the first in memory go, so the number is exact; a threshold would take all of them or none.
    """
    flat = weight.detach().abs().flatten(1)
    removed = (sparsity.double() * flat.shape[1]).round().long()
    numbers = [number for number in removed.unique().tolist() if number]
    removed = removed.to(flat.device)
    last = flat.new_full((len(flat), 1), -1)  # the largest magnitude that goes; below all of them
    for number in numbers:  # a selection is four times faster than a sort
        rows = removed == number
        last[rows] = flat[rows].kthvalue(number, dim=1, keepdim=True).values
    equal = flat == last
    of_equal = removed[:, None] - (flat < last).sum(1, keepdim=True)  # how many of the equals go
    return ((flat > last) | (equal & (equal.cumsum(1) > of_equal))).view_as(weight)


def round_to_bits(
    x: Float[Tensor, "..."], bits: int, dim: int | tuple[int, ...]
) -> Float[Tensor, "..."]:
    """Round to multiples of max|x| / (2^(bits - 1) - 1), the maximum taken along `dim`; zeros stay zero.

    Raises:
        ValueError: fewer than 2 bits.
    """
    if bits < 2:
        raise ValueError(f"{bits} bits leave no level beside 0; take 2 or more.")
    scale = x.abs().amax(dim, keepdim=True) / (2 ** (bits - 1) - 1)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (x / scale).round() * scale
