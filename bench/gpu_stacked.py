"""Populations of CNNs, stacked, beside one network after the other, on a GPU: `make gpu`.

Floors of one step of 32 networks, 1-16-32 channels, 28 x 28, batch 128, float32: 25 GFLOP forward and backward, 0.5 ms
at 50 TFLOP/s; activations of 0.2 and 0.1 GB, read or written some dozen times, 3.6 GB, 1.2 ms at 3 TB/s. One network
is some 60 launches a step, 0.5 ms and more whatever it computes: a loop over 32 takes 16 ms at least.

Measured on an H100: README of the paper.
"""

from collections.abc import Callable, Iterator

import torch
from events import milliseconds
from torch.nn import functional as F

from studiolo.papers.pruning_identified_exemplars import Population, gpu
from studiolo.papers.pruning_identified_exemplars.on_gpu import one_by_one, sgd


CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
MEMBERS, BATCH, CHANNELS, SIDE = (32, 128, (16, 32), 28) if CUDA else (2, 4, (2, 3), 8)


def rows() -> Iterator[tuple[str, float | str, str]]:
    """Yield what, milliseconds or text, and the bar."""
    images = torch.rand(MEMBERS, BATCH, SIDE, SIDE, device=DEVICE)
    labels = torch.randint(10, (MEMBERS, BATCH), device=DEVICE)
    loop = milliseconds(one_by_one(images, labels, CHANNELS))
    yield f"step of {MEMBERS} networks one by one", loop, ""
    for tf32 in (False, True):
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
        for name in gpu.PROGRAMS:
            for captured in (False, True):
                step = stacked(images, labels, name)
                taken = milliseconds(graph(step) if captured else step)
                what = f"stacked, {name}{', tf32' * tf32}{', graph' * captured}"
                yield what, taken, ""
                yield "one by one over it", f"{loop / max(taken, 1e-9):.1f}", "8"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    if CUDA:
        one = one_by_one(images[:1], labels[:1], CHANNELS)
        yield "step of one of them", milliseconds(one), ""
        yield "one of them, in a graph", milliseconds(graph(one)), ""


def stacked(images: torch.Tensor, labels: torch.Tensor, name: str) -> Callable[[], None]:
    """Return a training step of all at once."""
    generators = [torch.Generator().manual_seed(k) for k in range(MEMBERS)]
    population = Population([(SIDE, SIDE), 10], generators, CHANNELS).to(DEVICE)
    optimizer = sgd(population)

    def step() -> None:
        optimizer.zero_grad()
        with gpu.program(name):
            logits = population(images)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        (loss / labels.shape[1]).backward()
        optimizer.step()

    return step


def graph(step: Callable[[], None]) -> Callable[[], None]:
    """Capture a step in a CUDA graph."""
    if not CUDA:
        return step
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        step()
    return captured.replay
