"""Populations: many small networks trained side by side as one stack of tensors.

A member's initial weights and the order of its batches are drawn from its own seed alone, so a member of a stack is the
network that would have been trained by itself, whatever it was stacked with.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from studiolo.train import Budget, train

from .pruning import Schedule, magnitude_mask, round_to_bits


CACHE_BYTES = 16 * 2**20  # activations of one layer beyond which stacking members no longer pays


class StackedLinear(nn.Module):
    """K linear layers side by side: member k computes x_k (weight_k · mask_k) + bias_k.

    Attributes:
        weight: (K, in, out). bias: (K, out).
        mask: (K, in, out), 1 where a weight counts and 0 where it is pruned. A pruned weight gets no gradient.
        activation_bits: rounds the input to so many bits; None leaves it.
    """

    mask: Tensor

    def __init__(self, members: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(members, in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(members, out_features))
        self.register_buffer("mask", torch.ones(members, in_features, out_features))
        self.activation_bits: int | None = None

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "k b out"]:
        """Map x, (b, in) for all members or (K, b, in) for each its own, to (K, b, out)."""
        if self.activation_bits is not None:
            x = round_to_bits(x, self.activation_bits, dim=-1)
        if x.ndim == 2:
            x = x.expand(len(self.weight), *x.shape)
        return torch.baddbmm(self.bias[:, None], x, self.weight * self.mask)


class Population(nn.Module):
    """K multilayer perceptrons with ReLU, each initialised from its own generator as `torch.nn.Linear` initialises.

    Args:
        sizes: input size, hidden sizes, number of classes.
        generators: one per member.

    Raises:
        ValueError: fewer than two sizes, or no generators.
    """

    layers: Sequence[StackedLinear]

    def __init__(self, sizes: Sequence[int], generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        if len(sizes) < 2 or not generators:
            raise ValueError(
                f"A population of {len(generators)} members with layer sizes {list(sizes)}: it needs at least one "
                "member, an input size and a number of classes."
            )
        self.layers = nn.ModuleList(  # type: ignore[assignment] # a list that registers its modules
            StackedLinear(len(generators), a, b) for a, b in pairwise(sizes)
        )
        with torch.no_grad():
            for k, generator in enumerate(generators):
                for layer in self.layers:
                    bound = 1 / math.sqrt(layer.weight.shape[1])
                    layer.weight[k].uniform_(-bound, bound, generator=generator)
                    layer.bias[k].uniform_(-bound, bound, generator=generator)

    def __len__(self) -> int:
        """How many members there are."""
        return len(self.layers[0].weight)

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "k b classes"]:
        """Map x, (b, in) for all members or (K, b, in) for each its own, to logits (K, b, classes).

        Raises:
            ValueError: x has another shape; says both.
        """
        members, wanted = len(self), self.layers[0].weight.shape[1]
        if x.shape[-1] != wanted or x.ndim not in (2, 3) or (x.ndim == 3 and len(x) != members):
            raise ValueError(
                f"x is {tuple(x.shape)}; {members} members with {wanted} inputs take (batch, {wanted}) or "
                f"({members}, batch, {wanted})."
            )
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)

    @torch.no_grad()
    def predict(self, x: Float[Tensor, "..."]) -> Int[Tensor, "k b"]:
        """Return the label each member gives to each row, (K, b)."""
        return self(x).argmax(2)

    def sparsity(self) -> Float[Tensor, "k"]:
        """Return the share of weights (biases apart) that each member has lost."""
        masks = torch.cat([layer.mask.flatten(1) for layer in self.layers], 1)
        return 1 - masks.mean(1)

    @torch.no_grad()
    def prune_(self, sparsity: Float[Tensor, "k"]) -> None:
        """Renew the masks of every layer from its weights as they are now; biases stay.

        A masked weight keeps its value: when its rivals have become smaller it comes back.
        """
        for layer in self.layers:
            layer.mask.copy_(magnitude_mask(layer.weight, sparsity))

    @torch.no_grad()
    def quantize(self, bits: int = 8, *, activations: bool = True) -> "Population":
        """Return a copy with weights of `bits` bits, one symmetric scale for each output unit of each member.

        Args:
            activations: also round the input of every layer to `bits` bits, one symmetric scale for each row of the
                batch, taken when it comes ("dynamic range").

        Raises:
            ValueError: fewer than 2 bits, which leave no level beside 0.
        """
        quantized = copy.deepcopy(self)
        for layer in quantized.layers:
            layer.weight.copy_(round_to_bits(layer.weight * layer.mask, bits, dim=1))
            layer.activation_bits = bits if activations else None
        return quantized

    @classmethod
    def cat(cls, populations: Sequence["Population"]) -> "Population":
        """Join populations of one architecture into one, in order."""
        layers = populations[0].layers
        sizes = [layer.weight.shape[1] for layer in layers] + [layers[-1].weight.shape[2]]
        members = sum(len(population) for population in populations)
        joined = cls(sizes, [torch.Generator()] * members).to(layers[0].weight)
        states = [population.state_dict() for population in populations]
        joined.load_state_dict({name: torch.cat([s[name] for s in states]) for name in states[0]})
        return joined


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


def train_population(
    images: Float[Tensor, "n d"],
    labels: Int[Tensor, "..."],
    *,
    seeds: Sequence[int],
    sparsity: float | Sequence[float] = 0.0,
    classes: int | None = None,
    recipe: Recipe | None = None,
    chunk: int | None = None,
) -> Population:
    """Train one network per seed, all at once, each pruned gradually to its own sparsity.

    Args:
        images, labels: (n, inputs) and (n,).
        sparsity: the share of weights that each layer loses; one for all members or one for each.
        classes: how many; by default the largest label + 1.
        chunk: how many members train at a time; by default as many as keep a layer's activations in the cache. It
            changes the speed and, rounding and what grows from it apart, not the result.

    Raises:
        ValueError: a sparsity outside [0, 1), as many sparsities as neither 1 nor the seeds, or no images.
        RunError: the loss of a member is not finite.
    """
    recipe = recipe or Recipe()
    levels = [sparsity] * len(seeds) if isinstance(sparsity, float) else list(sparsity)
    if len(levels) != len(seeds) or not all(0 <= level < 1 for level in levels):
        raise ValueError(
            f"Sparsities {levels} for {len(seeds)} members: give one number in [0, 1), or one for each member."
        )
    if not len(images) or len(images) != len(labels):
        raise ValueError(
            f"{len(images)} images and {len(labels)} labels; training needs a label for each image, and one at least."
        )
    classes = classes or int(labels.max()) + 1
    sizes = [images.shape[1], *recipe.hidden, classes]
    chunk = chunk or max(1, CACHE_BYTES // (recipe.batch_size * max(sizes) * images.element_size()))
    parts = [
        _train_stack(images, labels, seeds[i : i + chunk], levels[i : i + chunk], sizes, recipe)
        for i in range(0, len(seeds), chunk)
    ]
    return parts[0] if len(parts) == 1 else Population.cat(parts)


def _train_stack(
    images: Tensor,
    labels: Tensor,
    seeds: Sequence[int],
    levels: Sequence[float],
    sizes: Sequence[int],
    recipe: Recipe,
) -> Population:
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    population = Population(sizes, generators).to(images)
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
    """Yield (K, b, d) and (K, b); every member has its own order, and drops the rest that fills no batch."""
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
