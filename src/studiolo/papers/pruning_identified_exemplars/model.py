"""Populations: many small networks trained side by side as one stack of tensors.

A member's initial weights and the order of its batches are drawn from its own seed alone, so a member of a stack is the
network that would have been trained by itself, whatever it was stacked with.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, SupportsFloat

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor, nn
from torch.nn import functional as F

from studiolo.train import Budget, train

from .pruning import Schedule
from .stacked import StackedConvNorm, StackedLayer, StackedLinear


CACHE_BYTES = 16 * 2**20  # activations of one layer beyond which stacking members no longer pays


class Population(nn.Module):
    """K networks with ReLU, each initialised from its own generator as torch's layers initialise.

    Args:
        sizes: of the input (a number, or the shape of an image: channels first, or none), of the hidden layers, and the
            number of classes.
        generators: one per member.
        channels: of convolutions before the linear layers: 3 by 3, batch norm, ReLU, the maximum of 2 by 2.

    Raises:
        ValueError: no member, no layer, or convolutions of what is not an image or too small; says which.
    """

    def __init__(
        self,
        sizes: Sequence[int | Sequence[int]],
        generators: Sequence[torch.Generator],
        channels: Sequence[int] = (),
    ) -> None:
        super().__init__()
        members = len(generators)
        if len(sizes) < 2 or not members:
            raise ValueError(
                f"{members} members with layer sizes {list(sizes)}: give an input size, a number of classes, hidden "
                "sizes between them as you like, and at least one member."
            )
        first, *widths = sizes
        self.shape = (first,) if isinstance(first, int) else tuple(first)
        self.widths = tuple(int(width) for width in widths)  # type: ignore[arg-type]
        self.channels = tuple(channels)
        inputs = math.prod(self.shape)
        if channels:
            _, high, wide = shape = _as_picture(self.shape)
            halvings = 2 ** len(channels)
            if min(high, wide) < halvings:
                raise ValueError(
                    f"Images of {high} by {wide} are halved {len(channels)} times: give fewer channels, or larger images."
                )
            inputs = channels[-1] * (high // halvings) * (wide // halvings)
            ins = (shape[0], *channels)
        self.convolutions = nn.ModuleList(
            StackedConvNorm(members, a, b) for a, b in pairwise(ins if channels else ())
        )
        self.layers = nn.ModuleList(
            StackedLinear(members, a, b) for a, b in pairwise((inputs, *self.widths))
        )
        for k, generator in enumerate(generators):
            for layer in self.stack():
                layer.draw_(k, generator)

    def stack(self) -> list[StackedLayer]:
        """The layers with weights, from the input on."""
        return [*self.convolutions, *self.layers]

    def __len__(self) -> int:
        """How many members there are."""
        return len(self.stack()[0].weight)

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "k b classes"]:
        """Map x, (b, *shape) for all members or (K, b, *shape) for each its own, to logits (K, b, classes).

        Raises:
            ValueError: x has another shape; says both.
        """
        members, rank = len(self), len(self.shape)
        own = x.ndim == rank + 2
        if x.shape[x.ndim - rank :] != self.shape or not (
            x.ndim == rank + 1 or (own and len(x) == members)
        ):
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(
                f"x is {tuple(x.shape)}; {members} members with inputs ({wanted}) take (batch, {wanted}) or "
                f"({members}, batch, {wanted})."
            )
        if self.channels:
            x = x.reshape(*x.shape[: x.ndim - rank], *_as_picture(self.shape))
            if own:
                x = x.transpose(0, 1).flatten(1, 2)
            for convolution in self.convolutions:
                x = F.max_pool2d(F.relu(convolution(x)), 2)
            x = x.unflatten(1, (members, -1)).transpose(0, 1)
            rank, own = 3, True
        x = x.flatten(x.ndim - rank)
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)

    @torch.no_grad()
    def predict(self, x: Float[Tensor, "..."], batch_size: int = 500) -> Int[Tensor, "k b"]:
        """Return the label each member gives to each row, (K, b), in evaluation mode."""
        training = self.training
        self.eval()
        rows = x.split(batch_size, dim=max(x.ndim - len(self.shape) - 1, 0))
        labels = torch.cat([self(part).argmax(2) for part in rows], 1)
        self.train(training)
        return labels

    def sparsity(self) -> Float[Tensor, "k"]:
        """Return the share of weights (biases and norms apart) that each member has lost."""
        return 1 - torch.cat([layer.mask.flatten(1) for layer in self.stack()], 1).mean(1)

    def prune_(self, sparsity: Float[Tensor, "k"]) -> None:
        """Renew the masks of every layer from its weights as they are now; biases and norms stay.

        A masked weight keeps its value: when its rivals have become smaller it comes back.
        """
        for layer in self.stack():
            layer.prune_(sparsity)

    def quantize(self, bits: int = 8, *, activations: bool = True) -> "Population":
        """Return a copy with weights of `bits` bits, one symmetric scale for each output unit of each member.

        Args:
            activations: also round the input of every layer to `bits` bits, one symmetric scale for each example,
                taken when it comes ("dynamic range").

        Raises:
            ValueError: fewer than 2 bits, which leave no level beside 0.
        """
        quantized = copy.deepcopy(self)
        for layer in quantized.stack():
            layer.quantize_(bits, activations=activations)
        return quantized

    def select(self, members: Sequence[int]) -> "Population":
        """Return a copy with some of the members, in the order given."""
        state = {name: value[list(members)] for name, value in self.state_dict().items()}
        return self._with(state)

    @classmethod
    def cat(cls, populations: Sequence["Population"]) -> "Population":
        """Join populations of one architecture into one, in order; each member stays as rounded and pruned as it is.

        Raises:
            ValueError: no population, or architectures that differ; says which.
        """
        kinds = list(dict.fromkeys((p.shape, p.channels, p.widths) for p in populations))
        if len(kinds) != 1:
            raise ValueError(
                "No population to join; give one at least."
                if not kinds
                else f"Populations of different architectures do not join: (input, channels, widths) are {kinds}."
            )
        states = [population.state_dict() for population in populations]
        return populations[0]._with(
            {name: torch.cat([s[name] for s in states]) for name in states[0]}
        )

    def _with(self, state: dict[str, Tensor]) -> "Population":
        """A population of this architecture, precision and mode with other members."""
        first = self.layers[0].weight
        members = len(next(iter(state.values())))
        fresh = type(self)([self.shape, *self.widths], [torch.Generator()] * members, self.channels)
        fresh.to(first).train(self.training)  # type: ignore[arg-type]
        fresh.load_state_dict(state)
        return fresh


def _as_picture(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(channels, height, width) of an image; one channel where none is named."""
    if len(shape) not in (2, 3):
        raise ValueError(
            f"Convolutions of inputs {shape}: give the shape of an image, (height, width) or (channels, height, width)."
        )
    channels, high, wide = (1, *shape)[-3:]
    return channels, high, wide


@dataclass(frozen=True, slots=True)
class Recipe:
    """How every member trains: SGD with Nesterov momentum, the learning rate falling to 0 along a cosine."""

    hidden: tuple[int, ...] = (32, 32)
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    pruning: Schedule = field(default_factory=Schedule)
    channels: tuple[int, ...] = ()


def train_population(
    images: Float[Tensor, "n ..."],
    labels: Integer[Tensor, "..."],
    *,
    seeds: Sequence[int],
    sparsity: SupportsFloat | Sequence[SupportsFloat] = 0.0,
    classes: int | None = None,
    recipe: Recipe | None = None,
    chunk: int | None = None,
) -> Population:
    """Train one network per seed, all at once, each pruned gradually to its own sparsity.

    Args:
        images, labels: (n, *shape) and (n,): rows of a table, or images of any shape.
        sparsity: the share of weights that each layer loses; one for all members or one for each.
        classes: how many; by default the largest label + 1.
        chunk: how many members train at a time; by default as many as keep a layer's activations in the cache. It
            changes the speed and, rounding and what grows from it apart, not the result.

    Raises:
        ValueError: no seed, a sparsity outside [0, 1), as many sparsities as neither 1 nor the seeds, no images, a label
            that is not a class, or no whole batch to learn from.
        RunError: the loss of a member is not finite.
    """
    recipe = recipe or Recipe()
    given = np.asarray(sparsity, np.float64)  # numbers of any kind
    levels: list[float] = given.ravel().tolist() * (1 if given.ndim else len(seeds))
    if not len(seeds):
        raise ValueError("No seed, so no member to train; give one seed for each network.")
    if len(levels) != len(seeds) or not all(0 <= level < 1 for level in levels):
        raise ValueError(
            f"Sparsities {levels} for {len(seeds)} members: give one number in [0, 1), or one for each member."
        )
    if not len(images) or images.ndim < 2 or tuple(labels.shape) != (len(images),):
        raise ValueError(
            f"{len(images)} images of shape {tuple(images.shape[1:])} and labels {tuple(labels.shape)}: training needs a "
            "label for each image, and one at least."
        )
    labels = labels.long()
    classes = int(labels.max()) + 1 if classes is None else classes
    if not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(
            f"Labels from {int(labels.min())} to {int(labels.max())} for {classes} classes: they are 0 to "
            f"{classes - 1}, and an image without one cannot train."
        )
    if recipe.epochs < 1 or recipe.batch_size < 1:
        raise ValueError(
            f"{recipe.epochs} epochs of batches of {recipe.batch_size}: take one at least of both."
        )
    sizes: list[int | Sequence[int]] = [tuple(images.shape[1:]), *recipe.hidden, classes]
    chunk = chunk or _chunk(images, recipe)
    parts = [
        _train_stack(images, labels, seeds[i : i + chunk], levels[i : i + chunk], sizes, recipe)
        for i in range(0, len(seeds), chunk)
    ]
    return parts[0] if len(parts) == 1 else Population.cat(parts)


def _chunk(images: Tensor, recipe: Recipe) -> int:
    """How many members keep their widest activations in the cache."""
    widest = max(math.prod(images.shape[1:]), *recipe.hidden, 1)
    if recipe.channels:
        area = math.prod(images.shape[-2:])
        widest = max(widest, *(c * area // 4**i for i, c in enumerate(recipe.channels)))
    return max(1, CACHE_BYTES // (recipe.batch_size * widest * images.element_size()))


def _train_stack(
    images: Tensor,
    labels: Tensor,
    seeds: Sequence[int],
    levels: Sequence[float],
    sizes: Sequence[int | Sequence[int]],
    recipe: Recipe,
) -> Population:
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    population = Population(sizes, generators, recipe.channels).to(images)
    batch_size = min(recipe.batch_size, len(images))
    steps = recipe.epochs * (len(images) // batch_size)
    optimizer = torch.optim.SGD(
        population.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
        fused=True,
    )
    optimizer.register_step_post_hook(_after_step(population, levels, steps, recipe))
    train(
        population,
        _summed_loss,
        _batches(images, labels, generators, recipe.epochs, batch_size),
        optimizer=optimizer,
        budget=Budget(steps=steps),
    )
    return population


def _summed_loss(population: Population, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The sum over members of each one's mean cross-entropy, so that each gets the gradient of its own."""
    images, labels = batch
    logits = population(images)
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    return loss / labels.shape[1]


def _batches(
    images: Tensor,
    labels: Tensor,
    generators: Sequence[torch.Generator],
    epochs: int,
    batch_size: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (K, b, *shape) and (K, b); every member has its own order, and drops the rest that fills no batch."""
    for _ in range(epochs):
        orders = torch.stack([torch.randperm(len(images), generator=g) for g in generators])
        for rows in orders.split(batch_size, dim=1):
            if rows.shape[1] == batch_size:
                yield images[rows], labels[rows]


def _after_step(
    population: Population, levels: Sequence[float], steps: int, recipe: Recipe
) -> Callable[[torch.optim.Optimizer, Any, Any], None]:
    """Renew masks where the schedule says so, and lower the learning rate."""
    final = torch.tensor(levels)
    cuts = recipe.pruning.cuts(steps) if max(levels) > 0 else {}
    step = 0

    def hook(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        nonlocal step
        step += 1
        if step in cuts:
            population.prune_(cuts[step] * final)
        rate = recipe.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
        for group in optimizer.param_groups:
            group["lr"] = rate

    return hook
