"""The experiments behind the claims: the bound of weight decay, small networks on digits, residual ones on Fashion-MNIST."""

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studiolo.data import digits, fashion_mnist, tinyshakespeare
from studiolo.runs import Outcome
from studiolo.train import role_seeds

from .attention import FactorizedMultiheadAttention
from .calibrate import input_moments
from .candidates import find_candidates
from .convert import choose_ranks, collapse, factorize, factorize_with, paper_ranks
from .decay import factor_pairs
from .inits import spectral_init
from .model import FactorizedLayer
from .networks import CharacterModel, ResNet
from .substitute import substitute
from .training import ARMS, Arm, Recipe, accuracy, text_loss, train_images, train_text


FACTORIZED = ("plain", "fd", "si", "si_fd")


def bound(
    *, seed: int, init: str = "spectral", m: int = 384, n: int = 192, rank: int = 32
) -> Outcome:
    """Draw one weight, in float64, and factorize it.

    Values:
        bound_over_nuclear: (‖U‖² + ‖V‖²)/2 over the nuclear norm of U Vᵀ, at least 1.
    """
    seeds = role_seeds(seed)
    generator = torch.Generator().manual_seed(seeds.init)
    weight = torch.randn(m, n, generator=generator, dtype=torch.float64) * (2 / n) ** 0.5
    factors = Arm(init, "weight").factors(seeds.init)
    return Outcome({"bound_over_nuclear": _bound_over_nuclear(*factors(weight, rank))})


def train_digits(
    *,
    seed: int,
    inits: Sequence[str] = ("kaiming", "spectral"),
    decays: Sequence[str] = ("weight", "frobenius"),
    coefficient: float = 2e-3,
    arms: Sequence[str] = (*FACTORIZED, "dense"),
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
    known = {
        "plain": Arm(inits[0], decays[0]),
        "fd": Arm(inits[0], decays[1]),
        "si": Arm(inits[1], decays[0], draw=1),
        "si_fd": Arm(inits[1], decays[1], draw=1),
        "dense": Arm(None, decays[0]),
    }
    seeds = role_seeds(seed)
    images, labels = _shuffled_digits(seeds.data)
    recipe = Recipe(epochs, coefficient=coefficient)

    def network(arm: Arm) -> nn.Module:
        torch.manual_seed(seeds.init)
        net = _digits_network()
        if arm.init is None:
            return net
        ranks = dict.fromkeys(("3", "6", "9"), rank)
        return factorize_with(net, ranks, unfolding="spatial", init=arm.factors(seeds.init))

    runs = {
        name: _run(
            network(known[name]),
            (images[:num_train], labels[:num_train]),
            (images[num_train:], labels[num_train:]),
            decay=known[name].decay,
            recipe=recipe,
            seed=seeds.batches,
        )
        for name in arms
    }
    curves = {
        f"step_{name}": np.array(run.inverse_squares)
        for name, run in runs.items()
        if name != "dense"
    }
    return Outcome(_compared(runs), {"epoch": np.arange(1, epochs + 1), **curves})


def train_fashion(
    *,
    seed: int,
    arms: Sequence[str] = tuple(ARMS),
    epochs: int = 8,
    width: int = 16,
    rank_scale: float = 1 / 9,
    coefficient: float = 5e-4,
    num_train: int = 20_000,
) -> Outcome:
    """Train ResNet-8 on Fashion-MNIST at half its resolution: the paper's two by two, two draws of it, a dense one.

    All convolutions but the first are factorized at the ranks of the published code; at 1/9 and width 16 that leaves
    27 % of the parameters. Images are shifted and mirrored. The 10,000 test images are tested on.

    Values: as `train_digits`, and
        again_points: acc_plain_again − acc_plain.
        interaction_again_points: (acc_fd_again − acc_plain_again) − (acc_fd − acc_plain).
    """
    seeds = role_seeds(seed)
    seen, unseen = _fashion(seeds.data, num_train)
    recipe = Recipe(epochs, batch=100, coefficient=coefficient, augment=True)

    def network(arm: Arm) -> nn.Module:
        net = _resnet(seeds.init, width)
        if arm.init is None:
            return net
        ranks = paper_ranks(net, rank_scale)
        return factorize_with(net, ranks, unfolding="spatial", init=arm.factors(seeds.init))

    runs = {
        name: _run(
            network(ARMS[name]),
            seen,
            unseen,
            decay=ARMS[name].decay,
            recipe=recipe,
            seed=seeds.batches,
        )
        for name in arms
    }
    values = _compared(runs)
    if set(ARMS) <= set(runs):
        acc = {name: run.accuracy for name, run in runs.items()}
        values["again_points"] = acc["plain_again"] - acc["plain"]
        again = acc["fd_again"] - acc["plain_again"]
        values["interaction_again_points"] = again - (acc["fd"] - acc["plain"])
    return Outcome(values)


def equal_budget(
    *,
    seed: int,
    methods: Sequence[str] = ("low-rank", "tensor-train", "tucker", "hashed"),
    budget: float = 0.13,
    epochs: int = 8,
    width: int = 16,
    coefficient: float = 5e-4,
    num_train: int = 20_000,
) -> Outcome:
    """Train ResNet-8 on Fashion-MNIST with each substitute at one budget, from its spectral start, under its Frobenius decay.

    The first method is trained once more from another draw.

    Values:
        acc_low_rank, acc_tensor_train, ...: in percentage points.   share_...: parameters over the dense network's.
        lead_points: the first method's accuracy less that of the best other.
        lead_again_points: the first method, drawn anew, less the first.
    """
    seeds = role_seeds(seed)
    seen, unseen = _fashion(seeds.data, num_train)
    recipe = Recipe(epochs, batch=100, coefficient=coefficient, augment=True)

    def trained(method: str, draw: int) -> tuple[float, float]:
        net = _resnet(seeds.init + draw, width)
        small = substitute(net, method, budget)
        run = _run(small, seen, unseen, decay="frobenius", recipe=recipe, seed=seeds.batches)
        return run.accuracy, _count(small) / _count(net)

    values: dict[str, float] = {}
    for method in methods:
        name = method.replace("-", "_")
        values[f"acc_{name}"], values[f"share_{name}"] = trained(method, 0)
    first, *others = (values[f"acc_{m.replace('-', '_')}"] for m in methods)
    values["lead_points"] = first - max(others)
    values["lead_again_points"] = trained(methods[0], 1)[0] - first
    return Outcome(values)


def overcomplete(
    *,
    seed: int,
    epochs: int = 8,
    width: int = 16,
    rank_scale: float = 1.0,
    coefficient: float = 5e-4,
    num_train: int = 20_000,
) -> Outcome:
    """Train ResNet-8 on Fashion-MNIST dense, and with three over-complete factors for each convolution, which collapse to it.

    Values (accuracies in percentage points):
        acc_dense, acc_dense_again (another draw), acc_wide (Frobenius decay), acc_wide_wd (weight decay of the factors).
        wide_points, wide_wd_points, dense_again_points: less acc_dense.
        collapsed_difference: largest difference of an answer's score after collapse, relative to the largest score.
    """
    seeds = role_seeds(seed)
    seen, unseen = _fashion(seeds.data, num_train)
    recipe = Recipe(epochs, batch=100, coefficient=coefficient, augment=True)
    values: dict[str, float] = {}
    for name, draw, decay in (
        ("dense", 0, "weight"),
        ("dense_again", 1, "weight"),
        ("wide", 0, "frobenius"),
        ("wide_wd", 0, "weight"),
    ):
        net: nn.Module = _resnet(seeds.init + draw, width)
        if name.startswith("wide"):
            ranks = paper_ranks(net, rank_scale)
            net = factorize_with(net, ranks, unfolding="spatial", deep=True)
        run = _run(net, seen, unseen, decay=decay, recipe=recipe, seed=seeds.batches)
        values[f"acc_{name}"] = run.accuracy
        if name == "wide":
            with torch.no_grad():
                scores, same = net(unseen[0][:200]), collapse(net)(unseen[0][:200])
            values["collapsed_difference"] = float((scores - same).abs().max() / scores.abs().max())
    for name in ("wide", "wide_wd", "dense_again"):
        values[f"{name}_points"] = values[f"acc_{name}"] - values["acc_dense"]
    return Outcome(values)


def compress(
    *,
    seed: int,
    budget: float = 0.5,
    data: str = "fashion_mnist",
    epochs: int = 8,
    width: int = 16,
    num_train: int = 20_000,
    calibrate: int = 500,
) -> Outcome:
    """Train ResNet-8 dense, then factorize it without training: by its weights, by what its layers see, and by that mixed up.

    Mixed up are the inputs of each layer: second moments of the same size, but each of another input.

    Args:
        data: fashion_mnist, or digits.
        calibrate: how many of the training images calibrate.

    Values (accuracies in percentage points):
        acc_dense, acc_plain, acc_calibrated, acc_mixed.
        calibrated_points, mixed_points: less acc_plain.
    """
    seeds = role_seeds(seed)
    if data == "digits":
        images, labels = _shuffled_digits(seeds.data)
        seen = images[:num_train], labels[:num_train]
        unseen = images[num_train:], labels[num_train:]
    else:
        seen, unseen = _fashion(seeds.data, num_train)
    recipe = Recipe(epochs, batch=100, coefficient=5e-4, augment=data != "digits")
    net = _resnet(seeds.init, width)
    train_images(net, *seen, decay="weight", recipe=recipe, seed=seeds.batches)
    generator = torch.Generator().manual_seed(seeds.batches + 1)
    some = seen[0][:calibrate].split(100)
    nets: dict[str, Callable[[], nn.Module]] = {
        "dense": lambda: net,
        "plain": lambda: factorize(net, budget),
        "calibrated": lambda: factorize(net, budget, data=some),
        "mixed": lambda: _calibrated_on_mixed(net, budget, some, generator),
    }
    values = {f"acc_{name}": accuracy(made(), *unseen) for name, made in nets.items()}
    for name in ("calibrated", "mixed"):
        values[f"{name}_points"] = values[f"acc_{name}"] - values["acc_plain"]
    return Outcome(values)


def characters(
    *,
    seed: int,
    rank: int = 8,
    updates: int = 600,
    coefficient: float = 0.1,
    size: int = 64,
) -> Outcome:
    """Train a character model on tinyshakespeare whose attention has forms of half the rank of its heads.

    Values (nats a character on the last tenth of the text; differences below 0 are gains):
        loss_dense; loss_drawn and loss_drawn_again: the maps drawn at their size, weight decay; loss_si: from the SVD
        of drawn heads of full size, weight decay; loss_si_fd: the same, Frobenius decay of the forms.
        si_nats, si_fd_nats, again_nats: less loss_drawn.   fd_nats: loss_si_fd − loss_si.
    """
    seeds = role_seeds(seed)
    text = torch.frombuffer(bytearray(tinyshakespeare()), dtype=torch.uint8).long()
    train_part, test_part = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]
    held_out = test_part[: 65 * 200].reshape(200, 65)
    values: dict[str, float] = {}
    for name, decay in (
        ("dense", "weight"),
        ("drawn", "weight"),
        ("drawn_again", "weight"),
        ("si", "weight"),
        ("si_fd", "frobenius"),
    ):
        torch.manual_seed(seeds.init)
        net: nn.Module = CharacterModel(size)
        if name != "dense":
            blocks = [f"blocks.{b}.self_attn" for b in range(2)]
            net = factorize_with(net, dict.fromkeys(blocks, rank))
        if name.startswith("drawn"):
            torch.manual_seed(seeds.init + 1 + name.endswith("again"))
            _draw_forms(net)
        train_text(
            net,
            train_part,
            decay=decay,
            coefficient=coefficient,
            updates=updates,
            seed=seeds.batches,
        )
        with torch.no_grad():
            values[f"loss_{name}"] = text_loss(net, held_out).item()
    for name in ("si", "si_fd"):
        values[f"{name}_nats"] = values[f"loss_{name}"] - values["loss_drawn"]
    values["again_nats"] = values["loss_drawn_again"] - values["loss_drawn"]
    values["fd_nats"] = values["loss_si_fd"] - values["loss_si"]
    return Outcome(values)


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


def _run(
    net: nn.Module,
    seen: tuple[Tensor, Tensor],
    unseen: tuple[Tensor, Tensor],
    *,
    decay: str,
    recipe: Recipe,
    seed: int,
) -> _Run:
    """Train and test one network, and watch its factors."""
    run = _Run()
    layers = [m for m in net.modules() if isinstance(m, FactorizedLayer)]
    watch = partial(_watch, layers, run, recipe.epochs)
    train_images(net, *seen, decay=decay, recipe=recipe, seed=seed, watch=watch)
    run.accuracy = accuracy(net, *unseen)
    run.bound = _geometric_mean(_bound_over_nuclear(*pair) for pair in factor_pairs(net))
    return run


def _watch(
    layers: Sequence[FactorizedLayer],
    run: _Run,
    epochs: int,
    optimizer: torch.optim.Optimizer,
    per_epoch: int,
) -> None:
    """Record norms after each epoch, and by what angle updates turn the weights in the last one before the step size falls."""
    last = epochs * per_epoch // 2
    first, step = last - per_epoch, 0
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
            pairs = zip(before, weights(), strict=True)
            cosines = [F.cosine_similarity(a, b, dim=0) for a, b in pairs]
            run.turns.append(_geometric_mean(c.clamp(-1, 1).arccos() for c in cosines))
        if step % per_epoch == 0:
            run.inverse_squares.append(_geometric_mean(1 / w.square().sum() for w in weights()))

    optimizer.register_step_pre_hook(look)
    optimizer.register_step_post_hook(compare)


def _compared(runs: dict[str, _Run]) -> dict[str, float]:
    """Return accuracies, bounds and the differences between the arms that were trained."""
    values = {f"acc_{name}": run.accuracy for name, run in runs.items()}
    values |= {f"bound_{name}": run.bound for name, run in runs.items() if name != "dense"}
    if {"si", "si_fd"} <= set(runs):
        si, si_fd = runs["si"], runs["si_fd"]
        last = max(len(si.inverse_squares) // 2, 1) - 1
        values["step_gain"] = si_fd.inverse_squares[last] / si.inverse_squares[last]
        values["turn_gain"] = si_fd.turn / si.turn
    if set(FACTORIZED) <= set(runs):
        plain, fd, si_only, both = (runs[name].accuracy for name in FACTORIZED)
        values["init_points"] = si_only - plain
        values["gain_points"] = both - plain
        values["interaction_points"] = (both - si_only) - (fd - plain)
    return values


def _digits_network(width: int = 16) -> nn.Sequential:
    """Map (b, 1, 8, 8) images to 10 scores."""
    layers: list[nn.Module] = []
    for channels, stride in ((1, 1), (width, 2), (width, 1), (width, 2)):
        conv = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * width, 10))


def _resnet(seed: int, width: int) -> ResNet:
    torch.manual_seed(seed)
    return ResNet(8, width, channels=1)


def _calibrated_on_mixed(
    net: nn.Module, budget: float, data: Sequence[Tensor], generator: torch.Generator
) -> nn.Module:
    """Return the network that calibration gives if each layer's inputs change places among themselves."""
    ranks, found = choose_ranks(net, budget), find_candidates(net).candidates
    chosen = {name: found[name] for name in ranks}
    made: dict[int, Any] = {}
    for name, moments in input_moments(net, chosen, data).items():
        order = torch.randperm(len(moments["input"]), generator=generator)
        mixed = {"input": moments["input"][order][:, order]}
        layer = chosen[name].build(ranks[name], False, spectral_init, mixed)
        made[id(chosen[name].layer)] = layer
    return copy.deepcopy(net, made)


def _draw_forms(net: nn.Module) -> None:
    """Draw the maps of factorized attention at their own size, as torch draws those of full size."""
    for module in net.modules():
        if isinstance(module, FactorizedMultiheadAttention):
            for weight in module.structured():
                nn.init.xavier_uniform_(weight)
            for name, parameter in module.named_parameters():
                if name.endswith("bias"):
                    nn.init.zeros_(parameter)


def _shuffled_digits(seed: int) -> tuple[Tensor, Tensor]:
    """Return images (1797, 1, 8, 8) and labels, neighbours torn apart."""
    images, labels = digits()
    order = np.random.default_rng(seed).permutation(len(labels))
    pixels = torch.from_numpy(images[order]).float()
    return pixels[:, None], torch.from_numpy(labels[order])


def _fashion(seed: int, num_train: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return training and test images (n, 1, 14, 14), centred and scaled, with their labels; training ones drawn."""
    sets = fashion_mnist()
    chosen = np.random.default_rng(seed).permutation(len(sets["train_labels"]))[:num_train]

    def ready(images: Any, labels: Any) -> tuple[Tensor, Tensor]:
        pixels = F.avg_pool2d(torch.tensor(images).float()[:, None] / 255, 2)
        return (pixels - 0.286) / 0.32, torch.tensor(labels).long()

    return (
        ready(sets["train_images"][chosen], sets["train_labels"][chosen]),
        ready(sets["test_images"], sets["test_labels"]),
    )


def _bound_over_nuclear(u: Tensor, v: Tensor) -> float:
    u, v = u.detach().double(), v.detach().double()
    nuclear = torch.linalg.svdvals(u @ v.mT).sum()
    return float((u.square().sum() + v.square().sum()) / 2 / nuclear)


def _geometric_mean(values: Iterable[Tensor] | Iterable[float]) -> float:
    logs = [math.log(float(value)) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def _count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())
