"""Regression tasks: points of functions, of which some are given and all are to be predicted.

Legend: b tasks, n points, x and y coordinates of a point.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .processes import GaussianProcess


Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tasks:
    """Some tasks side by side.

    Attributes:
        x: (b, n, x); y: (b, n, y).
        is_context: bool (b, n), True for the points that are given.
        mask: bool (b, n), True for points that exist; None: all do.
        process: where the functions were drawn from, if from a Gaussian process.
        reach: no point after the first `reach` is given in any task, which saves encoding them;
            None: nothing is known.
    """

    x: Tensor
    y: Tensor
    is_context: Tensor
    mask: Tensor | None = None
    process: GaussianProcess | None = None
    reach: int | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: int | slice | Tensor) -> "Tasks":
        """Return some of the tasks; one number gives one task, still with its axis."""
        if isinstance(rows, int):
            index = range(len(self))[rows]  # an IndexError past the end, so that `for` ends
            rows = slice(index, index + 1)
        return Tasks(
            self.x[rows],
            self.y[rows],
            self.is_context[rows],
            None if self.mask is None else self.mask[rows],
            None if self.process is None else self.process[rows],
            self.reach,
        )

    def batches(self, size: int) -> Iterator["Tasks"]:
        """Yield the tasks in order, `size` at a time; the last may be fewer."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    @property
    def is_new(self) -> Tensor:
        """Points that exist and are not given, bool (b, n)."""
        return ~self.is_context if self.mask is None else self.mask & ~self.is_context


def padded_tasks(x: Sequence[Tensor], y: Sequence[Tensor], is_context: Sequence[Tensor]) -> Tasks:
    """Put tasks of different lengths side by side.

    Args:
        x, y, is_context: for each task (n, x), (n, y) and bool (n,); n is its own.

    Raises:
        ValueError: a task whose parts differ in length; says which and how.
    """
    for index, lengths in enumerate(
        zip(map(len, x), map(len, y), map(len, is_context), strict=True)
    ):
        if len(set(lengths)) > 1:
            raise ValueError(
                f"Task {index} has {lengths[0]} rows of x, {lengths[1]} of y and {lengths[2]} of "
                "is_context; each point needs one of each."
            )
    pad = torch.nn.utils.rnn.pad_sequence
    mask = pad([torch.ones_like(given) for given in is_context], batch_first=True)
    return Tasks(
        pad(list(x), batch_first=True),
        pad(list(y), batch_first=True),
        pad(list(is_context), batch_first=True),
        mask,
    )


def gp_tasks(
    num_tasks: int,
    *,
    kernel: str = "squared_exponential",
    num_points: int = 50,
    num_context: tuple[int, int] = (3, 49),
    x_range: Range = (-2.0, 2.0),
    length_scale: Range = (0.1, 0.6),
    output_scale: Range = (0.1, 1.0),
    noise: float = 0.02,
    x_dim: int = 1,
    y_dim: int = 1,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Tasks:
    """Draw tasks from Gaussian processes whose kernels differ from task to task.

    Args:
        kernel, noise: as in `GaussianProcess`.
        num_context: fewest and most given points; each task has its own number, and they stand first.
        x_range, length_scale, output_scale: ends of uniform distributions.
        device: where everything is drawn, by default that of the generator.

    Raises:
        ValueError: more context than points; says both. Another kernel; lists those known.

    Source: https://arxiv.org/abs/1901.05761, section 4.1, with the numbers of the published notebook.
    """
    draw = _Draw(generator, device)
    process = GaussianProcess(
        draw.uniform(length_scale, num_tasks), draw.uniform(output_scale, num_tasks), noise, kernel
    )
    x = draw.uniform(x_range, num_tasks, num_points, x_dim)
    y = process.sample(x, y_dim=y_dim, generator=generator)
    given = draw.given(num_context, num_tasks, num_points)
    return Tasks(x, y, given, process=process, reach=num_context[1])


def sawtooth_tasks(
    num_tasks: int,
    *,
    num_points: int = 50,
    num_context: tuple[int, int] = (3, 49),
    x_range: Range = (-2.0, 2.0),
    frequency: Range = (0.5, 2.0),
    noise: float = 0.02,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Tasks:
    """Draw tasks that no Gaussian process describes: saws from -1/2 to 1/2, half of them falling.

    Args:
        frequency: ends of the uniform distribution of teeth in a unit of x; the phase is uniform.
        num_context, x_range, noise, device: as in `gp_tasks`.

    Raises:
        ValueError: more context than points; says both.
    """
    draw = _Draw(generator, device)
    x = draw.uniform(x_range, num_tasks, num_points, 1)
    teeth = draw.uniform(frequency, num_tasks, 1, 1) * x + draw.uniform((0.0, 1.0), num_tasks, 1, 1)
    sign = 1 - 2 * draw.whole(0, 1, num_tasks, 1, 1)
    y = sign * (teeth % 1 - 0.5)
    y = y + noise * torch.randn(y.shape, generator=generator, device=y.device)
    return Tasks(x, y, draw.given(num_context, num_tasks, num_points), reach=num_context[1])


class _Draw:
    """Uniform numbers and contexts from one generator on one device."""

    def __init__(
        self, generator: torch.Generator | None, device: torch.device | str | None
    ) -> None:
        self.generator = generator
        self.device = device or ("cpu" if generator is None else generator.device)

    def uniform(self, ends: Range, *shape: int) -> Tensor:
        low, high = ends
        return low + (high - low) * torch.rand(*shape, generator=self.generator, device=self.device)

    def whole(self, low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high + 1, shape, generator=self.generator, device=self.device)

    def given(self, num_context: tuple[int, int], num_tasks: int, num_points: int) -> Tensor:
        """Return is_context (b, n): the first points of each task, as many as it happens to have."""
        fewest, most = num_context
        if not 0 <= fewest <= most <= num_points:
            raise ValueError(
                f"num_context is ({fewest}, {most}), but it must be fewest and most of {num_points} points."
            )
        count = self.whole(fewest, most, num_tasks, 1)
        return torch.arange(num_points, device=self.device) < count
