"""Experiments that need a GPU: how much faster a stack of networks trains there than one after the other."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studiolo.measure import abba
from studiolo.runs import Outcome
from studiolo.train import role_seeds

from . import gpu
from .model import Population


def stack_on_gpu(
    *,
    seed: int,
    device: str = "cuda",
    members: int = 32,
    batch: int = 128,
    channels: Sequence[int] = (16, 32),
    side: int = 28,
    pairs: int = 20,
) -> Outcome:
    """Time a training step of a stack of convolutional networks beside a loop over as many networks.

    The stack convolves by the program that is fastest in a trial beforehand. Float32, without tensor cores, SGD with
    Nesterov momentum for both.

    Returns:
        `speedup`, time of the loop over that of the stack; `speedup_of_one`, the same with a single network.
    """
    # all of gpu.py counts as reached: CUDA tensors find it by a name that a fingerprint does not follow
    assert "convolve" in vars(gpu)
    # this times and compares no bits; asked for determinism, torch also fills what it allocates
    torch.use_deterministic_algorithms(False)
    seeds = role_seeds(seed)
    torch.manual_seed(seeds.init)
    generator = torch.Generator().manual_seed(seeds.data)
    images = torch.rand(members, batch, side, side, generator=generator).to(device)
    labels = torch.randint(10, (members, batch), generator=generator).to(device)
    return Outcome(
        {
            "speedup": _speedup(images, labels, channels, pairs),
            "speedup_of_one": _speedup(images[:1], labels[:1], channels, pairs),
        }
    )


def _speedup(images: Tensor, labels: Tensor, channels: Sequence[int], pairs: int) -> float:
    loop = one_by_one(images, labels, channels)
    stacks = [_stacked(images, labels, channels, name) for name in gpu.PROGRAMS]
    device = "cuda" if images.is_cuda else "cpu"
    trials = [abba(loop, stack, pairs=3, warmup=3, device=device).ratio for stack in stacks]  # type: ignore[arg-type]
    fastest = stacks[trials.index(max(trials))]
    return abba(loop, fastest, pairs=pairs, warmup=3, device=device).ratio  # type: ignore[arg-type]


def _stacked(
    images: Tensor, labels: Tensor, channels: Sequence[int], name: str
) -> Callable[[], None]:
    generators = [torch.Generator().manual_seed(k) for k in range(len(images))]
    population = Population([images.shape[2:], 10], generators, channels).to(images)
    optimizer = sgd(population)

    def step() -> None:
        optimizer.zero_grad()
        with gpu.program(name):
            logits = population(images)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        (loss / labels.shape[1]).backward()
        optimizer.step()

    return step


def one_by_one(images: Tensor, labels: Tensor, channels: Sequence[int]) -> Callable[[], None]:
    """Return a training step of one network after the other, on as many batches."""
    networks = []
    for _ in images:
        layers: list[nn.Module] = []
        for a, b in pairwise((1, *channels)):
            layers += [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b)]
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
        pixels = channels[-1] * (images.shape[-1] // 2 ** len(channels)) ** 2
        networks.append(nn.Sequential(*layers, nn.Flatten(), nn.Linear(pixels, 10)).to(images))
    optimizers = [sgd(network) for network in networks]

    def step() -> None:
        for network, optimizer, x, y in zip(networks, optimizers, images, labels, strict=True):
            optimizer.zero_grad()
            F.cross_entropy(network(x[:, None]), y).backward()
            optimizer.step()

    return step


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser of all programs."""
    return torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True, fused=True
    )
