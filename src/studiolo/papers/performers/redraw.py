"""When w is drawn anew in training (section 4.2)."""

from typing import Any

import torch
from torch import nn

from .features import RandomFeatures


class RedrawSchedule:
    """Draws every `RandomFeatures` of a model anew after each `every` steps: call `step` after the optimizer's.

    A `FavorState` knows its draw. One that was begun before a redraw is refused afterwards, and so is
    the gradient of an output that was made before: redraw between updates, and begin again with `FavorState()`.

    Args:
        model: any module that holds feature maps.
        every: steps between two draws.
        generator: source of the draws; None is torch's global one.

    Raises:
        ValueError: `every` below 1.

    Example:
        >>> features = RandomFeatures(4, 8)
        >>> schedule = RedrawSchedule(features, every=2)
        >>> print(*(schedule.step() for _ in range(4)))
        False True False True
    """

    def __init__(
        self, model: nn.Module, every: int = 1000, *, generator: torch.Generator | None = None
    ) -> None:
        if every < 1:
            raise ValueError(f"every is {every}; it must be 1 step or more.")
        self.model, self.every, self.generator, self.steps = model, every, generator, 0

    def step(self) -> bool:
        """Count one step; return whether w was drawn anew."""
        self.steps += 1
        due = self.steps % self.every == 0
        if due:
            for module in self.model.modules():
                if isinstance(module, RandomFeatures):
                    module.redraw_(self.generator)
        return due

    def state_dict(self) -> dict[str, Any]:
        """Return what training needs to go on: w itself is in the model's."""
        drawn = None if self.generator is None else self.generator.get_state()
        return {"steps": self.steps, "generator": drawn}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.steps = state["steps"]
        if self.generator is not None and state["generator"] is not None:
            self.generator.set_state(state["generator"])
