"""How the measured networks are trained: one recipe for images, one for text."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from studiolo.train import Budget, train

from .decay import attach_frobenius_decay, parameter_groups
from .inits import Init, kaiming_init, spectral_init


@dataclass(frozen=True)
class Recipe:
    """SGD with momentum .9 behind batches of images.

    Attributes:
        epochs: over the training images.
        batch: images.
        lr: the step size, which falls tenfold after half and after three quarters of the updates.
        coefficient: of the decay of all parameters.
        augment: with every image shifted by up to two pixels and mirrored half the time, anew in each epoch.
    """

    epochs: int
    batch: int = 50
    lr: float = 0.1
    coefficient: float = 2e-3
    augment: bool = False


@dataclass(frozen=True)
class Arm:
    """How the factors of a network start and decay; without an init it is dense.

    Attributes:
        init: kaiming or spectral.
        decay: weight or frobenius.
        draw: which draw of the factors.
    """

    init: str | None
    decay: str
    draw: int = 0

    def __post_init__(self) -> None:
        if self.init not in (None, "kaiming", "spectral"):
            raise ValueError(f"init is {self.init!r}; known are spectral and kaiming.")
        if self.decay not in ("weight", "frobenius"):
            raise ValueError(f"decay is {self.decay!r}; known are weight and frobenius.")

    def factors(self, seed: int) -> Init:
        """Return the init, with draws of its own."""
        if self.init == "spectral":
            return spectral_init
        generator = torch.Generator().manual_seed(seed + 1 + self.draw)
        return partial(kaiming_init, generator=generator)


ARMS = {
    "plain": Arm("kaiming", "weight"),
    "fd": Arm("kaiming", "frobenius"),
    "si": Arm("spectral", "weight"),
    "si_fd": Arm("spectral", "frobenius"),
    "plain_again": Arm("kaiming", "weight", draw=1),
    "fd_again": Arm("kaiming", "frobenius", draw=1),
    "dense": Arm(None, "weight"),
}
"""The paper's two by two, two of them drawn once more, and the dense network."""


def optimizer_for(
    net: nn.Module, decay: str, coefficient: float, lr: float
) -> torch.optim.Optimizer:
    """Return SGD under which structured parameters decay by their norms, or their product by its own."""
    groups = parameter_groups(net, weight_decay=coefficient)
    if decay == "weight":
        groups[1]["weight_decay"] = coefficient
    optimizer = torch.optim.SGD([g for g in groups if g["params"]], lr=lr, momentum=0.9)
    if decay == "frobenius":
        attach_frobenius_decay(optimizer, net, coefficient)
    return optimizer


def train_images(
    net: nn.Module,
    images: Float[Tensor, "n c h w"],
    labels: Int[Tensor, "n"],
    *,
    decay: str,
    recipe: Recipe,
    seed: int,
    watch: Callable[[torch.optim.Optimizer, int], None] | None = None,
) -> None:
    """Train a classifier in place.

    Args:
        decay: weight or frobenius, of the structured parameters.
        seed: of the order of the images.
        watch: called with the optimizer and the updates of an epoch before training, to hang hooks on it.
    """
    optimizer = optimizer_for(net, decay, recipe.coefficient, recipe.lr)
    per_epoch = len(labels) // recipe.batch
    updates = recipe.epochs * per_epoch
    falls = [updates // 2, updates * 3 // 4]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, falls, 0.1)
    optimizer.register_step_post_hook(lambda *_: schedule.step())
    if watch is not None:
        watch(optimizer, per_epoch)
    generator = torch.Generator().manual_seed(seed)

    def loss(model: nn.Module, chosen: Tensor) -> Tensor:
        x = images[chosen]
        return cross_entropy(model(_moved(x, generator) if recipe.augment else x), labels[chosen])

    order = _batches(generator, len(labels), recipe)
    train(net, loss, order, optimizer=optimizer, budget=Budget(steps=updates))


@torch.no_grad()
def accuracy(net: nn.Module, images: Float[Tensor, "n c h w"], labels: Int[Tensor, "n"]) -> float:
    """Return how many answers are right, in percentage points."""
    net.eval()
    right = [
        (net(x).argmax(1) == y).sum().item()
        for x, y in zip(images.split(1000), labels.split(1000), strict=True)
    ]
    return 100 * sum(right) / len(labels)


def train_text(
    net: nn.Module,
    text: Int[Tensor, "n"],
    *,
    decay: str,
    coefficient: float,
    updates: int,
    seed: int,
    length: int = 64,
    batch: int = 32,
) -> None:
    """Train a character model in place: Adam at 3e-3 with a cosine to zero, decay decoupled, clipped at 1."""
    groups = parameter_groups(net, weight_decay=coefficient)
    if decay == "weight":
        groups[1]["weight_decay"] = coefficient
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=3e-3)
    if decay == "frobenius":
        attach_frobenius_decay(optimizer, net, coefficient, decoupled=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    optimizer.register_step_post_hook(lambda *_: schedule.step())
    generator = torch.Generator().manual_seed(seed)

    def batches() -> Iterator[Tensor]:
        while True:
            starts = torch.randint(len(text) - length - 1, (batch, 1), generator=generator)
            yield text[starts + torch.arange(length + 1)]

    budget = Budget(steps=updates)
    train(net, text_loss, batches(), optimizer=optimizer, budget=budget, clip_norm=1.0)


def text_loss(net: nn.Module, text: Int[Tensor, "b t"]) -> Float[Tensor, ""]:
    """Return the mean surprise at the next character in nats."""
    return cross_entropy(net(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())


def _batches(generator: torch.Generator, count: int, recipe: Recipe) -> Iterator[Tensor]:
    for _ in range(recipe.epochs):
        order = torch.randperm(count, generator=generator)
        yield from order[: count // recipe.batch * recipe.batch].split(recipe.batch)


def _moved(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return a batch in which every image is shifted by up to two pixels, and half of them are mirrored."""
    b, _, h, w = x.shape
    wide = nn.functional.pad(x, (2, 2, 2, 2))
    down, across = torch.randint(0, 5, (2, b, 1), generator=generator)
    columns = across + torch.arange(w)
    mirrored = torch.rand(b, 1, generator=generator) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    rows = down + torch.arange(h)
    which = torch.arange(b)[:, None, None]
    return wide[which, :, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)
