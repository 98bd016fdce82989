"""Training: Adam on the bound, with a step size that falls linearly."""

import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from studiolo.train import Budget, History, train

from .model import NeuralProcess
from .tasks import Tasks


LAST_RATE = 0.02  # of the first, at the end


def loss_of(
    model: NeuralProcess, tasks: Tasks, *, generator: torch.Generator | None = None
) -> Tensor:
    """Return the loss of some tasks, points that are never given not encoded as context."""
    given = tasks.is_context[:, : tasks.reach]
    return model.elbo(tasks.x, tasks.y, given, mask=tasks.mask, generator=generator).loss


def fit(
    model: NeuralProcess,
    batches: Iterable[Tasks],
    *,
    steps: int,
    learning_rate: float = 1e-3,
    evaluate: Callable[[NeuralProcess], float] | None = None,
    every: int = 0,
    progress: Callable[[int, float], None] | None = None,
    clip_norm: float | None = None,
    generator: torch.Generator | None = None,
    cuda_graph: bool = False,
) -> History:
    """Train the model in place for `steps` batches, or until they end.

    Args:
        learning_rate: of the first step; the last has a fiftieth of it.
        evaluate: called every `every` steps and at the end, in eval mode without gradients.
        progress: called after each step's forward pass with its number, from 1, and its loss.
        clip_norm: largest norm of the whole gradient.
        generator: for z, on the model's device.
        cuda_graph: replay one recorded step (`gpu.fit`): for a model on a CUDA device and batches of one
            shape, z from the device's own generator, no `progress` and no `clip_norm`.

    Returns:
        all losses, and (step, CPU seconds, value) of each evaluation.

    Raises:
        RunError: a loss is not finite.
        ValueError: `cuda_graph` beside an argument that it cannot serve.
    """
    if cuda_graph:
        if progress or clip_norm or generator:
            raise ValueError(
                "cuda_graph goes without progress, clip_norm and generator; leave them out."
            )
        found: History = _gpu().fit(
            model, batches, steps=steps, learning_rate=learning_rate, evaluate=evaluate, every=every
        )
        return found
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, LAST_RATE, steps)
    done = 0

    def scheduled() -> Iterator[Tasks]:
        for tasks in batches:
            yield tasks
            schedule.step()  # the caller has made its update by now

    def loss(model: NeuralProcess, tasks: Tasks) -> Tensor:
        nonlocal done
        done += 1
        value = loss_of(model, tasks, generator=generator)
        if progress is not None:
            progress(done, value.item())
        return value

    return train(
        model, loss, scheduled(), optimizer=optimizer, budget=Budget(steps=steps),
        evaluate=evaluate, every=every, clip_norm=clip_norm,
    )  # fmt: skip


def _gpu() -> Any:
    """A record made on the CPU does not depend on what only a CUDA device reaches."""
    return importlib.import_module(".gpu", __package__)
