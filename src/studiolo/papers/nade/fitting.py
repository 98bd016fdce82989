"""Fitting a density: Adam, the best epoch on a validation part, a checkpoint to go on from."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from studiolo.train import Budget, History, train


if TYPE_CHECKING:
    from . import Density

_LESS = 0.3  # factor on the learning rate when the validation part stops gaining
_CUTS = 2  # how often that happens before the fit ends


def fit(
    model: "Density",
    x: Tensor,
    valid: Tensor,
    observed: Tensor | None,
    valid_observed: Tensor | None,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    patience: int,
    seed: int,
    progress: Callable[[int, float], None] | None,
    checkpoint: Path | None,
) -> History:
    """Train `model` as `Density.fit` says; x and what is observed of it are checked already."""
    draws = torch.Generator(x.device).manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, weight_decay=weight_decay)
    best = _BestEpoch(model, optimizer, patience)
    repeats = model.valid_draws
    valid = valid.repeat(repeats, 1)
    known = None if valid_observed is None else valid_observed.repeat(repeats, 1)

    def batches() -> Iterator[tuple[Tensor, int]]:
        for epoch in range(epochs):
            if best.done and epoch >= best.epoch:  # a checkpoint has more epochs than were drawn
                return
            for rows in torch.randperm(len(x), generator=draws, device=x.device).split(batch_size):
                step = torch.randint(2**31, (), generator=draws, device=x.device)
                yield rows, int(step)

    def loss(best: _BestEpoch, batch: tuple[Tensor, int]) -> Tensor:
        rows, step = batch
        masks = torch.Generator(x.device).manual_seed(step)
        return best.model.loss(x[rows], None if observed is None else observed[rows], masks)

    def evaluate(best: _BestEpoch) -> float:
        masks = torch.Generator(x.device).manual_seed(seed)  # the same every epoch
        value = best.model.loss(valid, known, masks).item()
        best.update(value)
        if progress is not None:
            progress(int(best.epoch), value)
        return value

    steps = -(-len(x) // batch_size)
    history = train(
        best,
        loss,
        batches(),
        optimizer=optimizer,
        budget=Budget(steps=epochs * steps),
        evaluate=evaluate,
        every=steps,
        checkpoint=checkpoint,
    )
    model.load_state_dict(best.best.state_dict())
    return history


class _BestEpoch(nn.Module):
    """The model and its best epoch so far; a module, so that a checkpoint holds all of it."""

    waited: Tensor
    cuts: Tensor
    epoch: Tensor
    value: Tensor

    def __init__(self, model: "Density", optimizer: torch.optim.Optimizer, patience: int) -> None:
        super().__init__()
        self.model, self.best = model, copy.deepcopy(model)
        self.optimizer, self.patience = optimizer, patience
        for name in ("waited", "cuts", "epoch"):
            self.register_buffer(name, torch.tensor(0))
        self.register_buffer("value", torch.tensor(float("inf"), dtype=torch.float64))

    @property
    def done(self) -> bool:
        return bool(self.cuts > _CUTS)

    def update(self, value: float) -> None:
        self.epoch += 1
        if value < self.value:
            self.best.load_state_dict(self.model.state_dict())
            self.value.fill_(value)
            self.waited.zero_()
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.waited.zero_()
            self.cuts += 1
            for group in self.optimizer.param_groups:
                group["lr"] *= _LESS
