"""The training loop: a model, a loss, batches and a budget."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch

from studiolo.errors import RunError


Batch = TypeVar("Batch")
Model = TypeVar("Model", bound=torch.nn.Module)


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop: after `steps` updates, after `cpu_s` seconds of CPU time of this process, or at the first of both."""

    steps: int | None = None
    cpu_s: float | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.cpu_s is None:
            raise ValueError(
                "A budget needs steps or cpu_s; without either, training would not end."
            )


@dataclass(slots=True)
class History:
    """What happened: `losses[i]` is the loss of update i, `evaluations` holds (step, cpu_s, value)."""

    losses: list[float] = field(default_factory=list)
    evaluations: list[tuple[int, float, float]] = field(default_factory=list)
    cpu_s: float = 0.0

    @property
    def steps(self) -> int:
        """How many updates were made."""
        return len(self.losses)


def train(
    model: Model,
    loss: Callable[[Model, Batch], torch.Tensor],
    batches: Iterator[Batch],
    *,
    optimizer: torch.optim.Optimizer,
    budget: Budget,
    evaluate: Callable[[Model], float] | None = None,
    every: int = 0,
    clip_norm: float | None = None,
    checkpoint: Path | None = None,
) -> History:
    """Update `model` until the budget is spent or the batches end; evaluation does not count against `cpu_s`.

    Args:
        loss: maps the model and a batch to a scalar.
        evaluate: called every `every` updates and at the end, in eval mode without gradients.
        clip_norm: largest norm of the whole gradient.
        checkpoint: a file; if it exists training goes on from it (the caller's `batches` then starts anew and the
            batches already used are skipped: they need a generator of their own, since torch's global one goes on from
            the file), and it is written, atomically, every `every` updates and at the end.

    Raises:
        RunError: a loss is not finite; says which update.
    """
    history = History()
    if checkpoint is not None and checkpoint.exists():
        _load(checkpoint, model, optimizer, history)
        for _ in range(history.steps):
            next(batches)
    model.train()
    start = time.process_time() - history.cpu_s
    while not _spent(budget, history, time.process_time() - start):
        batch = next(batches, None)
        if batch is None:
            break
        optimizer.zero_grad(set_to_none=True)
        value = loss(model, batch)
        value.backward()
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        history.losses.append(value.item())
        if not math.isfinite(history.losses[-1]):
            raise RunError(
                f"The loss is {history.losses[-1]} at update {history.steps}: training diverged."
            )
        history.cpu_s = time.process_time() - start
        if every and history.steps % every == 0:
            pause = time.process_time()
            _evaluate(model, evaluate, history)
            _save(checkpoint, model, optimizer, history)
            start += time.process_time() - pause
    if not (every and history.steps and history.steps % every == 0):
        _evaluate(model, evaluate, history)
        _save(checkpoint, model, optimizer, history)
    model.eval()
    return history


def _spent(budget: Budget, history: History, cpu_s: float) -> bool:
    if budget.steps is not None and history.steps >= budget.steps:
        return True
    return budget.cpu_s is not None and cpu_s >= budget.cpu_s


def _evaluate(model: Model, evaluate: Callable[[Model], float] | None, history: History) -> None:
    if evaluate is None:
        return
    model.eval()
    with torch.no_grad():
        history.evaluations.append((history.steps, history.cpu_s, float(evaluate(model))))
    model.train()


def _save(
    checkpoint: Path | None,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    history: History,
) -> None:
    if checkpoint is None:
        return
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "losses": history.losses,
        "evaluations": history.evaluations,
        "cpu_s": history.cpu_s,
        "rng": torch.get_rng_state(),
    }
    temporary = checkpoint.with_suffix(".partial")
    torch.save(state, temporary)
    temporary.replace(checkpoint)


def _load(
    checkpoint: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, history: History
) -> None:
    state = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    history.losses = list(state["losses"])
    history.evaluations = [(int(s), float(c), float(v)) for s, c, v in state["evaluations"]]
    history.cpu_s = float(state["cpu_s"])
    torch.set_rng_state(state["rng"])
