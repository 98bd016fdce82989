"""The clock of the benches of a GPU: CUDA events around each call."""

from collections.abc import Callable
from statistics import median

import torch


def milliseconds(function: Callable[[], None], times: int = 10) -> float:
    """Return the median of so many calls, after three; 0 on a CPU, where one is tried."""
    if not torch.cuda.is_available():
        function()
        return 0.0
    for _ in range(3):
        function()
    taken = []
    for _ in range(times):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        function()
        end.record()
        end.synchronize()
        taken.append(start.elapsed_time(end))
    return median(taken)
