"""Bytes as a stream: pieces to train on, and bits a byte of what was held out."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from .model import BlockOutput, MemoryTransformer


def as_tokens(text: bytes) -> Int[Tensor, "n"]:
    """Return the bytes as numbers below 256."""
    return torch.frombuffer(bytearray(text), dtype=torch.uint8).long()


def pieces(
    tokens: Int[Tensor, "n"], batch: int, length: int, generator: torch.Generator
) -> Iterator[Int[Tensor, "b t"]]:
    """Yield batches of pieces of a text, from places drawn at random, without end.

    Raises:
        ValueError: the text is shorter than a piece; says both lengths.
    """
    if len(tokens) < length:
        raise ValueError(
            f"A text of {len(tokens)} bytes has no piece of {length}: shorten `length`."
        )
    while True:
        starts = torch.randint(len(tokens) - length + 1, (batch, 1), generator=generator)
        yield tokens[starts + torch.arange(length)]


def read(
    model: MemoryTransformer, tokens: Int[Tensor, "b t"]
) -> Iterator[tuple[BlockOutput, Tensor]]:
    """Yield the output of every block of a text, and the mean loss in nats of the bytes that come next."""
    size = model.config.block_size
    following = tokens[:, 1:].split(size, 1)
    for output, wanted in zip(model.blocks(tokens[:, :-1]), following, strict=True):
        yield output, F.cross_entropy(output.logits.flatten(0, 1), wanted.flatten())


def bits_per_byte(
    model: MemoryTransformer, tokens: Int[Tensor, "b t"], warm_up: int = 0
) -> tuple[float, float]:
    """Return bits a byte of some texts, and how many memories a query saw, on average over layers.

    Args:
        warm_up: blocks at the start of each text that are read and not counted.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad():
        results = [(loss.item(), o.memory_size.mean().item()) for o, loss in read(model, tokens)]
    model.train(was_training)
    losses, sizes = zip(*results[warm_up:], strict=True)
    # the last block may be shorter: it counts as the others, which the choice of lengths avoids
    return sum(losses) / len(losses) / math.log(2), sum(sizes) / len(sizes)


class Curve(NamedTuple):
    """A trained model, with bits at every evaluation, the CPU time until each, and memories seen in the end."""

    model: MemoryTransformer
    bits: list[float]
    times: list[float]
    memory: float


def gain_in_equal_time(theirs: Curve, ours: Curve) -> float:
    """Return how many bits more `theirs` needs when the faster of the two has made all its updates."""
    end = min(theirs.times[-1], ours.times[-1])
    at_end = [float(np.interp(end, one.times, one.bits)) for one in (theirs, ours)]
    return at_end[0] - at_end[1]
