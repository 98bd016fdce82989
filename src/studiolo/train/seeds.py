"""Independent seeds for the parts of an experiment that draw at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class RoleSeeds:
    """One seed for each part that draws: arms of a comparison share `data`, and `init` only where that is meant."""

    data: int
    init: int
    batches: int


def role_seeds(seed: int) -> RoleSeeds:
    """Derive independent 63-bit seeds from one seed.

    Example:
        >>> role_seeds(0) == role_seeds(0), role_seeds(0).data == role_seeds(1).data
        (True, False)
    """
    children = np.random.SeedSequence(seed).spawn(3)
    return RoleSeeds(
        *(int(child.generate_state(1, np.uint64)[0] >> np.uint64(1)) for child in children)
    )
