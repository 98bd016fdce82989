"""Times that a busy machine does not decide: paired, interleaved, in CPU time.

On a shared machine the wall clock of a long step is hit by pre-emption and that of a short one is not, so their
ratio is biased and interleaving alone does not cure it. Hence CPU time of this process (CUDA events on a GPU), in
A B B A order, and the median of the ratios of neighbours.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal


Device = Literal["cpu", "cuda"]

BUSY_BELOW = 0.8  # median CPU time / wall time under which a CPU measurement was disturbed


@dataclass(frozen=True, slots=True)
class Pairs:
    """Interleaved timings of two functions; element i of every list belongs to pair i.

    Attributes:
        a_s, b_s: seconds of CPU time (device time on a GPU).
        wall_a_s, wall_b_s: seconds on the wall.
        load: the machine's load average when the measurement ended.
    """

    a_s: list[float]
    b_s: list[float]
    wall_a_s: list[float]
    wall_b_s: list[float]
    load: float
    device: Device = "cpu"

    @property
    def ratio(self) -> float:
        """Median over pairs of the time of `a` over the time of `b`."""
        return median(a / b for a, b in zip(self.a_s, self.b_s, strict=True))

    @property
    def cpu_share(self) -> float:
        """Median over all timings of CPU time / wall time: 1 on an idle machine with one thread."""
        cpu, wall = self.a_s + self.b_s, self.wall_a_s + self.wall_b_s
        return median(c / w for c, w in zip(cpu, wall, strict=True))

    @property
    def busy(self) -> bool:
        """True if other processes took so much of the CPU that the record must say so."""
        return self.device == "cpu" and self.cpu_share < BUSY_BELOW


def abba(
    a: Callable[[], object],
    b: Callable[[], object],
    *,
    pairs: int = 20,
    warmup: int = 2,
    device: Device = "cpu",
) -> Pairs:
    """Time two functions in the order A B B A A B ..., so that a drift hits both alike.

    Args:
        pairs: how many timings of each; 20 or more for a claim.
        warmup: untimed calls of each beforehand.
        device: "cuda" times with CUDA events on the current stream.

    Raises:
        ValueError: `pairs` is below 1.

    Example:
        >>> abba(lambda: sum(range(20_000)), lambda: sum(range(10_000)), pairs=4).ratio > 1
        True
    """
    if pairs < 1:
        raise ValueError(f"abba needs at least one pair, not {pairs}.")
    clock = _cuda_clock if device == "cuda" else _cpu_clock
    for _ in range(warmup):
        a()
        b()
    times: dict[str, list[tuple[float, float]]] = {"a": [], "b": []}
    for pair in range(pairs):
        order = (("a", a), ("b", b)) if pair % 2 == 0 else (("b", b), ("a", a))
        for name, function in order:
            times[name].append(clock(function))
    return Pairs(
        a_s=[t for t, _ in times["a"]],
        b_s=[t for t, _ in times["b"]],
        wall_a_s=[w for _, w in times["a"]],
        wall_b_s=[w for _, w in times["b"]],
        load=os.getloadavg()[0],
        device=device,
    )


def _cpu_clock(function: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.process_time() - cpu, time.perf_counter() - wall


def _cuda_clock(function: Callable[[], object]) -> tuple[float, float]:
    import torch

    event: Any = torch.cuda.Event  # untyped in torch
    start, end = event(enable_timing=True), event(enable_timing=True)
    wall = time.perf_counter()
    start.record()
    function()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1000, time.perf_counter() - wall
