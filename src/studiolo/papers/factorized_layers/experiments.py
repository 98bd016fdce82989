"""The experiments behind the claims: the bound of weight decay, and small networks on digits."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy

from studiolo.data import digits
from studiolo.runs import Outcome
from studiolo.train import Budget, role_seeds, train

from .convert import factorize_with
from .decay import attach_frobenius_decay, factor_pairs, parameter_groups
from .inits import Init, kaiming_init, spectral_init
from .model import FactorizedLayer


BATCH = 50
ARMS = ("plain", "fd", "si", "si_fd", "dense")


def bound(
    *, seed: int, init: str = "spectral", m: int = 384, n: int = 192, rank: int = 32
) -> Outcome:
    """Draw one weight, in float64, and factorize it.

    Values:
        bound_over_nuclear: (‖U‖² + ‖V‖²)/2 over the nuclear norm of U Vᵀ, at least 1.
    """
    generator = torch.Generator().manual_seed(role_seeds(seed).init)
    weight = torch.randn(m, n, generator=generator, dtype=torch.float64) * (2 / n) ** 0.5
    return Outcome(
        {"bound_over_nuclear": _bound_over_nuclear(*_init(init, generator)(weight, rank))}
    )


def train_digits(
    *,
    seed: int,
    inits: Sequence[str] = ("kaiming", "spectral"),
    decays: Sequence[str] = ("weight", "frobenius"),
    coefficient: float = 2e-3,
    arms: Sequence[str] = ARMS,
    epochs: int = 8,
    rank: int = 4,
    num_train: int = 1000,
) -> Outcome:
    """Train networks of one shape on digits: two inits by two decays of the factors, and a dense one.

    A network has four convolutions of 16 channels with batch normalization, of which the last three are
    factorized. SGD with momentum 0.9 at step size 0.1, which falls tenfold after half and after three quarters
    of the epochs. All are tested on the digits that are not trained on.

    Args:
        inits: spectral or kaiming; the first for plain and fd, the second, drawn anew, for si and si_fd.
        decays: weight or frobenius; the first for plain and si, the second for fd and si_fd.
        coefficient: of the decay of the factors and of all other parameters.
        arms: which of plain, fd, si, si_fd and dense to train.

    Values (accuracies in percentage points; ratios are geometric means over layers; those of the arms trained):
        acc_plain, acc_fd, ...: on the test digits.
        bound_plain, ...: (‖U‖² + ‖V‖²)/2 over the nuclear norm at the end.
        init_points: acc_si − acc_plain.   gain_points: acc_si_fd − acc_plain.
        interaction_points: (acc_si_fd − acc_si) − (acc_fd − acc_plain).
        step_gain: effective step size η/‖U Vᵀ‖² of si_fd over that of si, when the step size first falls.
        turn_gain: the same ratio of the angles by which an update turns U Vᵀ, mean over the epoch before.
    """
    runs = {}
    for name in arms:
        part = {"plain": (0, 0), "fd": (0, 1), "si": (1, 0), "si_fd": (1, 1), "dense": None}[name]
        init = None if part is None else (inits[part[0]], part[0])
        decay = decays[0 if part is None else part[1]]
        runs[name] = _train(seed, init, decay, coefficient, epochs, rank, num_train)
    values = {f"acc_{name}": run.accuracy for name, run in runs.items()}
    factorized = {name: run for name, run in runs.items() if name != "dense"}
    values |= {f"bound_{name}": run.bound for name, run in factorized.items()}
    if {"si", "si_fd"} <= set(runs):
        last = max(epochs // 2, 1) - 1
        si, si_fd = runs["si"], runs["si_fd"]
        values["step_gain"] = si_fd.inverse_squares[last] / si.inverse_squares[last]
        values["turn_gain"] = si_fd.turn / si.turn
    if set(factorized) == {"plain", "fd", "si", "si_fd"}:
        plain, fd, si_only, both = (
            values[f"acc_{name}"] for name in ("plain", "fd", "si", "si_fd")
        )
        values["init_points"] = si_only - plain
        values["gain_points"] = both - plain
        values["interaction_points"] = (both - si_only) - (fd - plain)
    curves = {f"step_{name}": np.array(run.inverse_squares) for name, run in factorized.items()}
    return Outcome(values, {"epoch": np.arange(1, epochs + 1), **curves})


@dataclass
class _Run:
    """What one training gave; `inverse_squares[e]` is 1/‖U Vᵀ‖² after epoch e + 1."""

    accuracy: float = 0.0
    bound: float = 0.0
    turns: list[float] = field(default_factory=list)
    inverse_squares: list[float] = field(default_factory=list)

    @property
    def turn(self) -> float:
        """Mean angle of an update in rad."""
        return sum(self.turns) / len(self.turns)


def _network(width: int = 16) -> nn.Sequential:
    """Map (b, 1, 8, 8) images to 10 scores."""
    layers: list[nn.Module] = []
    for channels, stride in ((1, 1), (width, 2), (width, 1), (width, 2)):
        conv = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * width, 10))


def _train(
    seed: int,
    init: tuple[str, int] | None,
    decay: str,
    coefficient: float,
    epochs: int,
    rank: int,
    num_train: int,
) -> _Run:
    """Train and test one network; without an init it stays dense."""
    if decay not in ("weight", "frobenius"):
        raise ValueError(f"decay is {decay!r}; known are weight and frobenius.")
    seeds = role_seeds(seed)
    images, labels = _shuffled_digits(seeds.data)
    torch.manual_seed(seeds.init)
    net: nn.Module = _network()
    if init is not None:
        generator = torch.Generator().manual_seed(seeds.init + 1 + init[1])
        ranks = dict.fromkeys(("3", "6", "9"), rank)
        net = factorize_with(net, ranks, unfolding="spatial", init=_init(init[0], generator))

    groups = parameter_groups(net, weight_decay=coefficient)
    if decay == "weight":
        groups[1]["weight_decay"] = coefficient
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    if decay == "frobenius":
        attach_frobenius_decay(optimizer, net, coefficient)
    per_epoch = num_train // BATCH
    falls = [epochs * per_epoch // 2, epochs * per_epoch * 3 // 4]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, falls, 0.1)
    optimizer.register_step_post_hook(lambda *_: schedule.step())

    run = _Run()
    layers = [m for m in net.modules() if isinstance(m, FactorizedLayer)]
    _record_turns(optimizer, layers, run.turns, falls[0] - per_epoch, falls[0])

    def look(_: nn.Module) -> float:
        run.inverse_squares.append(_geometric_mean(1 / m.weight.square().sum() for m in layers))
        return 0.0

    train(
        net,
        lambda model, batch: cross_entropy(model(images[batch]), labels[batch]),
        _batches(seeds.batches, num_train, epochs),
        optimizer=optimizer,
        budget=Budget(steps=epochs * per_epoch),
        evaluate=look,
        every=per_epoch,
    )
    with torch.no_grad():
        right = net(images[num_train:]).argmax(1) == labels[num_train:]
        run.accuracy = 100 * right.double().mean().item()
        run.bound = _geometric_mean(_bound_over_nuclear(*pair) for pair in factor_pairs(net))
    return run


def _record_turns(
    optimizer: torch.optim.Optimizer,
    layers: Sequence[FactorizedLayer],
    turns: list[float],
    first: int,
    last: int,
) -> None:
    """Append the mean angle by which updates first to last turn the layers' weights, one by one."""
    step = 0
    before: list[Tensor] = []

    @torch.no_grad()
    def weights() -> list[Tensor]:
        return [layer.weight.double().flatten() for layer in layers]

    def look(*_: Any) -> None:
        before[:] = weights() if first <= step < last else []

    def compare(*_: Any) -> None:
        nonlocal step
        step += 1
        if before:
            cosines = [
                cosine_similarity(a, b, dim=0) for a, b in zip(before, weights(), strict=True)
            ]
            turns.append(_geometric_mean(c.clamp(-1, 1).arccos() for c in cosines))

    optimizer.register_step_pre_hook(look)
    optimizer.register_step_post_hook(compare)


def _batches(seed: int, num_train: int, epochs: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        order = torch.randperm(num_train, generator=generator)
        yield from order[: num_train // BATCH * BATCH].split(BATCH)


def _shuffled_digits(seed: int) -> tuple[Tensor, Tensor]:
    """Return images (1797, 1, 8, 8) and labels, neighbours torn apart."""
    images, labels = digits()
    order = np.random.default_rng(seed).permutation(len(labels))
    pixels = torch.from_numpy(images[order]).float()
    return pixels[:, None], torch.from_numpy(labels[order])


def _init(name: str, generator: torch.Generator) -> Init:
    match name:
        case "spectral":
            return spectral_init
        case "kaiming":
            return partial(kaiming_init, generator=generator)
    raise ValueError(f"init is {name!r}; known are spectral and kaiming.")


def _bound_over_nuclear(u: Tensor, v: Tensor) -> float:
    u, v = u.detach().double(), v.detach().double()
    nuclear = torch.linalg.svdvals(u @ v.mT).sum()
    return float((u.square().sum() + v.square().sum()) / 2 / nuclear)


def _geometric_mean(values: Iterator[Tensor] | Iterator[float]) -> float:
    logs = [math.log(float(value)) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan
