"""Which clock and which estimator find a known ratio on a loaded machine? `python bench/measure.py`."""

import multiprocessing
import statistics
import time

import torch

from studiolo.measure import abba


KNOWN = 3.0
REPEATS = 8


def spin() -> None:
    """Take a core."""
    while True:
        pass


def work(repeats: int):
    """Return a function that costs `repeats` matrix products."""
    a = torch.ones(160, 160)

    def function() -> None:
        for _ in range(repeats):
            a @ a

    return function


def main() -> None:
    """Print the worst relative error of each estimator over eight measurements beside three spinning processes."""
    torch.set_num_threads(1)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=spin, daemon=True) for _ in range(3)]
    for process in processes:
        process.start()
    time.sleep(1.0)
    estimates: dict[str, list[float]] = {}
    for _ in range(REPEATS):
        pairs = abba(work(90), work(30), pairs=25)
        wall = [a / b for a, b in zip(pairs.wall_a_s, pairs.wall_b_s, strict=True)]
        for name, value in {
            "CPU time, median of pair ratios (ours)": pairs.ratio,
            "CPU time, ratio of minima": min(pairs.a_s) / min(pairs.b_s),
            "wall clock, median of pair ratios": statistics.median(wall),
            "wall clock, ratio of medians": statistics.median(pairs.wall_a_s)
            / statistics.median(pairs.wall_b_s),
            "wall clock, ratio of minima": min(pairs.wall_a_s) / min(pairs.wall_b_s),
        }.items():
            estimates.setdefault(name, []).append(value)
    for process in processes:
        process.kill()
    print(f"Known ratio {KNOWN:g}, {REPEATS} measurements, 3 spinning processes beside us.\n")
    print("| estimator | median | worst relative error |\n| --- | --- | --- |")
    for name, values in estimates.items():
        worst = max(abs(v - KNOWN) / KNOWN for v in values)
        print(f"| {name} | {statistics.median(values):.2f} | {worst:.1%} |")


if __name__ == "__main__":
    main()
