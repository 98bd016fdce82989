"""Operations and bytes: exact, and the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


def flops(function: Callable[[], object]) -> int:
    """Return the floating-point operations of one call, as torch counts them (a multiply-add is two).

    Only matrix products, convolutions and attention count; element-wise work and FFTs do not.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        function()
    return int(counter.get_total_flops())


def peak_tensor_bytes(function: Callable[[], object]) -> int:
    """Return the most bytes of CPU tensors alive at once during one call, beyond those alive before it.

    Read from the allocator events of torch's profiler: exact and repeatable, where the resident size of the process
    is neither.
    """
    import torch
    from torch.profiler import ProfilerActivity, profile

    torch.empty(1)  # the allocator exists before the profiler looks
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as prof:
        result = function()
    del result
    alive = peak = 0
    for event in sorted(
        (e for e in prof.profiler.kineto_results.events() if e.name() == "[memory]"),
        key=lambda e: e.start_ns(),
    ):
        alive += event.nbytes()
        peak = max(peak, alive)
    return peak


def top_octave_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return log2(cost(2n) / cost(n)) at the largest doubling: the local exponent, free of the overhead of small n.

    Args:
        sizes: increasing; the last must be twice the one before it.
        costs: seconds, bytes or operations, one for each size, positive.

    Raises:
        ValueError: fewer than two sizes, or no doubling at the end.

    Example:
        >>> top_octave_exponent([256, 512, 1024], [5.0, 8.0, 32.0])
        2.0
    """
    if len(sizes) < 2 or len(sizes) != len(costs):
        raise ValueError(
            f"Need two or more sizes and as many costs, not {len(sizes)} and {len(costs)}."
        )
    if sizes[-1] != 2 * sizes[-2]:
        raise ValueError(
            f"The last size must double the one before it, not {sizes[-2]} -> {sizes[-1]}."
        )
    return math.log2(costs[-1] / costs[-2])
