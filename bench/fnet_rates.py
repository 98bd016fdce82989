"""Which learning rate each arm of FNet's `pretraining` gets: `python bench/fnet_rates.py --jobs 2`.

Trains every arm with a few rates and two seeds that no claim uses, for equally many updates, and prints the
held-out nats a masked letter and the best rate. Needs the text sets in STUDIOLO_DATA. With 400 updates a training
takes about 20 CPU-seconds.
"""

import os


os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import multiprocessing
from itertools import product

import torch

from studiolo.papers.fnet.pretraining import LetterModel, Training, train_in_turns
from studiolo.papers.fnet.text import masked, read_text


LOW, MIDDLE, HIGH = (5e-4, 1e-3, 2e-3), (1e-3, 2e-3, 4e-3), (2e-3, 4e-3, 8e-3)
# three each, the best of them in the middle where that was found
CANDIDATES = {
    "attention": MIDDLE,
    "short_rows": MIDDLE,
    "post_norm": MIDDLE,
    "absolute": MIDDLE,
    "fourier": MIDDLE,
    "grown": MIDDLE,
    "hybrid": HIGH,
    "linear": LOW,
    "random": LOW,
    "none": LOW,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--updates", type=int, default=400)
    parser.add_argument("--arms", nargs="+", default=list(CANDIDATES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1001, 1002])
    arguments = parser.parse_args()
    tasks = [
        (arm, rate, seed, arguments.updates)
        for arm, seed in product(arguments.arms, arguments.seeds)
        for rate in CANDIDATES[arm]
    ]
    losses: dict[tuple[str, float, int], float] = {}
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        for (arm, rate, seed), loss, cpu_s in pool.imap_unordered(held_out_loss, tasks):
            losses[arm, rate, seed] = loss
            print(f"{arm:12} {rate:.3f} {seed} {loss:.4f} nats {cpu_s:.1f} CPU-s", flush=True)
    print("| arm | mean held-out nats at each rate | best |\n| --- | --- | --- |")
    for arm in arguments.arms:
        means = {
            rate: sum(losses[arm, rate, seed] for seed in arguments.seeds) / len(arguments.seeds)
            for rate in CANDIDATES[arm]
        }
        best = min(means, key=means.__getitem__)
        cells = ", ".join(f"{rate:g}: {mean:.4f}" for rate, mean in means.items())
        print(f"| {arm} | {cells} | {best:g} |")


def held_out_loss(
    task: tuple[str, float, int, int],
) -> tuple[tuple[str, float, int], float, float]:
    """Train one arm; return its held-out loss and the CPU-seconds that it took."""
    arm, rate, seed, updates = task
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    text = read_text("wikipedia")
    generator = torch.Generator().manual_seed(seed)
    held_out = [masked(text.held_out, 64, 128, generator) for _ in range(4)]
    model = LetterModel(arm, width=64, depth=4, num_heads=2, num_tokens=128)
    training = Training(arm, model, text, 8, 128, generator, rate)
    train_in_turns([training], held_out, updates)
    return (arm, rate, seed), training.curve[-1].loss, training.cpu_s


if __name__ == "__main__":
    main()
