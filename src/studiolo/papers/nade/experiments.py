"""What is measured of arXiv 1605.02226; every function is one seed. Nats are per row, natural logarithm."""

import math
import warnings
from collections.abc import Sequence
from itertools import permutations, product
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from studiolo.data import binary_set, digits, table
from studiolo.runs import Outcome
from studiolo.train import role_seeds

from .deep import DeepNADE
from .density import BERNOULLI
from .masked import MADE
from .mixtures import BernoulliMixture
from .model import NADE
from .real import RNADE


_TEST_MASKS = 16  # a test row


def enumeration(
    *,
    seed: int,
    model: Literal["nade", "deep", "mixture"] = "nade",
    dim: int = 8,
    hidden: int = 6,
    peek: bool = False,
) -> Outcome:
    """Sum p(x) over all 2^D vectors, in float64, with weights ~ N(0, 1) and random orders.

    Args:
        model: "mixture" is the deep model's mixture over 8 orders, EoNADE.
        peek: the control, for "nade"; x_d is added to the state before its own conditional is read.

    Returns:
        abs_log_total: |ln Σ p(x)|, 0 for a distribution.
    """
    generator = torch.Generator().manual_seed(role_seeds(seed).init)
    x = torch.tensor(list(product((0.0, 1.0), repeat=dim)), dtype=torch.float64)
    orders = torch.stack([torch.randperm(dim, generator=generator) for _ in range(8)])
    o = orders[0]
    density = NADE(dim, hidden, order=o) if model == "nade" else DeepNADE(dim, (hidden, hidden))
    density.double()
    with torch.no_grad():
        for parameter in density.parameters():
            parameter.normal_(generator=generator)
        if isinstance(density, DeepNADE):
            log_p = density.log_prob(x, order=orders if model == "mixture" else o)
        elif peek:
            a = density.c + torch.cumsum(x[:, o, None] * density.W.t()[o], 1)  # with x_d itself
            logits = (density.V[o] * torch.sigmoid(a)).sum(2) + density.b[o]
            log_p = BERNOULLI.log_prob(logits, x[:, o]).sum(1)
        else:
            log_p = density.log_prob(x)
    return Outcome({"abs_log_total": abs(log_p.logsumexp(0).item())})


def order_agnostic(
    *, seed: int, dim: int = 6, hidden: int = 7, observed_offset: int = 0
) -> Outcome:
    """Compare the exact mean of the training loss over masks with the mean of -log p(x | o) over all D! orders.

    Args:
        observed_offset: the control; 1 weights by D / (D - |m| + 1), as the authors' convolutional code does.

    Returns:
        relative_bias: |mean over masks / mean over orders - 1|, the largest of 4 random rows, float64.
    """
    seeds = role_seeds(seed)
    model = DeepNADE(
        dim, (hidden, hidden), generator=torch.Generator().manual_seed(seeds.init)
    ).double()
    x = torch.rand(4, dim, generator=torch.Generator().manual_seed(seeds.data)) < 0.5
    masks = torch.tensor(list(product((False, True), repeat=dim)))[:-1]  # all but the full one
    over_masks = torch.zeros(4, dtype=torch.float64)
    with torch.no_grad():
        for m in masks:
            left = dim - int(m.sum())
            share = 1 / (dim * math.comb(dim, left))
            weight = left / (left + observed_offset)
            over_masks += share * weight * model.nll_estimate(x, m)
        orders = torch.tensor(list(permutations(range(dim))))
        over_orders = -torch.stack([model.log_prob(x, order=order) for order in orders]).mean(0)
    return Outcome({"relative_bias": (over_masks / over_orders - 1).abs().max().item()})


def density(
    *,
    seed: int,
    data: str = "digits",
    hidden: int = 100,
    epochs: int = 40,
    learning_rate: float = 1e-2,
    patience: int = 7,
    train_rows: int | None = None,
    shuffle_columns: bool = False,
) -> Outcome:
    """Fit NADE in one random order and a mixture of Bernoullis, each as the validation part likes it best.

    Args:
        data: "digits", or a set of `studiolo.data.binary_set`.
        train_rows: use only the first so many.
        shuffle_columns: the control; every column is shuffled by itself, so that nothing is left to learn.

    Returns:
        nade_nats, bernoulli_nats, mixture_nats: mean -log p of the test rows.
        gain_nats, gain_over_mixture_nats: what NADE needs less.
    """
    seeds = role_seeds(seed)
    train, valid, test = _split(data, seeds.data, shuffle_columns)
    train = train[:train_rows]
    generator = torch.Generator().manual_seed(seeds.init)
    order = torch.randperm(train.shape[1], generator=generator)
    model = NADE(len(order), hidden, order=order, generator=generator)
    model.fit(
        train,
        valid,
        epochs=epochs,
        learning_rate=learning_rate,
        patience=patience,
        seed=seeds.batches,
    )
    with torch.no_grad():
        nade = model.loss(test).item()
    alone = BernoulliMixture.fit(train, valid, components=(1,), generator=generator)
    mixed = BernoulliMixture.fit(train, valid, generator=generator)
    bernoulli, mixture = (-law.log_prob(test).mean().item() for law in (alone, mixed))
    return Outcome(
        {
            "nade_nats": nade,
            "bernoulli_nats": bernoulli,
            "mixture_nats": mixture,
            "gain_nats": bernoulli - nade,
            "gain_over_mixture_nats": mixture - nade,
        }
    )


def mask_input(
    *,
    seed: int,
    masks: Literal["own", "others"] = "own",
    hidden: int = 100,
    epochs: int = 120,
    learning_rate: float = 2e-3,
    train_rows: int | None = None,
) -> Outcome:
    """Train a one-layer DeepNADE on digits without and with the mask as input, from equal seeds.

    Args:
        masks: "others" is the control; the network is fed the mask of another row, as many inputs without the news.

    Returns:
        no_mask_nats, mask_nats: mean over test rows, orders and steps, estimated with 16 masks a row, equal for both.
        gain_nats: what the mask saves.
    """
    seeds = role_seeds(seed)
    train, valid, test = _split("digits", seeds.data)
    test = test.repeat(_TEST_MASKS, 1)
    nats = {}
    for name, kind, fed in (
        ("no_mask_nats", DeepNADE, False),
        ("mask_nats", DeepNADE if masks == "own" else _MasksOfOthers, True),
    ):
        generator = torch.Generator().manual_seed(seeds.init)
        model = kind(train.shape[1], hidden, mask_input=fed, generator=generator)
        model.fit(
            train[:train_rows],
            valid,
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seeds.batches,
        )
        with torch.no_grad():
            nats[name] = model.loss(test, None, torch.Generator().manual_seed(seeds.batches)).item()
    return Outcome({**nats, "gain_nats": nats["no_mask_nats"] - nats["mask_nats"]})


def orders(
    *,
    seed: int,
    hidden: int = 100,
    epochs: int = 200,
    learning_rate: float = 2e-3,
    numbers: Sequence[int] = (1, 2, 4, 8, 16),
    train_rows: int | None = None,
) -> Outcome:
    """Evaluate mixtures over more and more random orders on digits: EoNADE of one and of two hidden layers, beside NADE.

    Returns:
        one_layer_nats, two_layers_nats: a value for each number of orders; the orders of a smaller mixture are in the
            larger. fixed_nats: NADE in one order, trained for it, repeated for each number.
        one_order_nats, mixture_nats, fixed_order_nats: one hidden layer in the mean of single orders and in the largest
            mixture; NADE.
        mixture_gain_nats, one_order_gain_nats: what the first two need less than NADE in its one order.
        depth_gain_nats, width_gain_nats: what two hidden layers, or one of twice the units, need less than one, in the
            mean of single orders.
    """
    seeds = role_seeds(seed)
    train, valid, test = _split("digits", seeds.data)
    train = train[:train_rows]
    dim = train.shape[1]
    generator = torch.Generator().manual_seed(seeds.init)
    drawn = torch.stack([torch.randperm(dim, generator=generator) for _ in range(max(numbers))])
    curves, single = {}, {}
    for name, layers in (
        ("one_layer_nats", (hidden,)),
        ("two_layers_nats", (hidden, hidden)),
        ("wide_layer_nats", (2 * hidden,)),
    ):
        model = DeepNADE(dim, layers, generator=generator)
        model.fit(train, valid, epochs=epochs, learning_rate=learning_rate, seed=seeds.batches)
        with torch.no_grad():
            log_p = torch.stack([model.log_prob(test, order=order) for order in drawn])
        curves[name] = [-(log_p[:k].logsumexp(0) - math.log(k)).mean().item() for k in numbers]
        single[name] = -log_p.mean().item()
    fixed = NADE(dim, hidden, order=drawn[0], generator=generator)
    fixed.fit(train, valid, epochs=epochs, learning_rate=5e-3, seed=seeds.batches)
    with torch.no_grad():
        fixed_nats = fixed.loss(test).item()
    mixture = curves["one_layer_nats"][-1]
    return Outcome(
        {
            "one_order_nats": single["one_layer_nats"],
            "mixture_nats": mixture,
            "fixed_order_nats": fixed_nats,
            "mixture_gain_nats": fixed_nats - mixture,
            "one_order_gain_nats": fixed_nats - single["one_layer_nats"],
            "depth_gain_nats": single["one_layer_nats"] - single["two_layers_nats"],
            "width_gain_nats": single["one_layer_nats"] - single["wide_layer_nats"],
        },
        {"orders": list(numbers), **curves, "fixed_nats": [fixed_nats] * len(numbers)},
    )


def neighbour(
    *,
    seed: int,
    data: str = "mushrooms",
    hidden: Sequence[int] = (),
    epochs: int = 300,
    learning_rate: float = 3e-3,
) -> Outcome:
    """Fit MADE, or without hidden layers a fully visible belief net, in one random order.

    Returns:
        nats: mean -log p of the test rows.
    """
    seeds = role_seeds(seed)
    train, valid, test = _split(data, seeds.data)
    generator = torch.Generator().manual_seed(seeds.init)
    order = torch.randperm(train.shape[1], generator=generator)
    model = MADE(len(order), hidden, order=order, generator=generator)
    model.fit(train, valid, epochs=epochs, learning_rate=learning_rate, seed=seeds.batches)
    with torch.no_grad():
        return Outcome({"nats": model.loss(test).item()})


def real_values(
    *,
    seed: int,
    data: str = "red_wine",
    kind: Literal["gaussian", "laplace"] = "gaussian",
    hidden: int = 50,
    components: int = 10,
    epochs: int = 200,
    learning_rate: float = 5e-3,
    weight_decay: float = 0.0,
) -> Outcome:
    """Fit RNADE, one Gaussian and mixtures of Gaussians to a UCI table: nine rows of ten, a ninth of them for validation.

    Columns are scaled to mean 0 and deviation 1 on what is not tested, as the authors do.

    Returns:
        rnade_nats, gaussian_nats, mixture_nats: mean -log p of the test rows; the mixture's size, 1 to 16, and the
            addition to its covariances are chosen on the validation rows.
    """
    seeds = role_seeds(seed)
    train, valid, test = _table(data, seeds.data)
    generator = torch.Generator().manual_seed(seeds.init)
    order = torch.randperm(train.shape[1], generator=generator)
    model = RNADE(len(order), hidden, components, kind, order=order, generator=generator)
    model.fit(
        train,
        valid,
        epochs=epochs,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        seed=seeds.batches,
    )
    with torch.no_grad():
        rnade = model.loss(test).item()
    known = torch.cat((train, valid)).double()
    gaussian = torch.distributions.MultivariateNormal(known.mean(0), known.t().cov())
    return Outcome(
        {
            "rnade_nats": rnade,
            "gaussian_nats": -gaussian.log_prob(test.double()).mean().item(),
            "mixture_nats": _gaussian_mixture_nats(train, valid, test, seeds.init),
        }
    )


def _gaussian_mixture_nats(train: Tensor, valid: Tensor, test: Tensor, seed: int) -> float:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    mixtures = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the validation rows judge
        for size, added in product((1, 2, 4, 8, 16), (1e-2, 1e-1)):
            mixture = GaussianMixture(size, reg_covar=added, max_iter=30, random_state=seed % 2**32)
            mixtures.append(mixture.fit(train.numpy()))
    best = max(mixtures, key=lambda mixture: mixture.score(valid.numpy()))
    return -float(best.score(test.numpy()))


def _table(data: str, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return train, valid and test rows of a UCI table, without its target, scaled.

    Columns that are nearly constant and one of each pair with a correlation above .98 go, and of parkinsons subject, age
    and sex, as in the authors' preparation.
    """
    rows = table(data)
    rows = {"ionosphere": rows[:, 2:34], "parkinsons": rows[:, 3:]}.get(data, rows[:, :11])
    correlated = np.triu(np.abs(np.corrcoef(rows.T)), 1) > 0.98
    rows = rows[:, ~correlated.any(0)]
    shuffled = rows[np.random.default_rng(seed).permutation(len(rows))]
    tested, held_out = len(rows) // 10, len(rows) // 10
    rest = shuffled[tested:]
    scaled = torch.from_numpy((shuffled - rest.mean(0)) / rest.std(0)).float()
    return scaled[tested + held_out :], scaled[tested : tested + held_out], scaled[:tested]


class _MasksOfOthers(DeepNADE):
    """A DeepNADE that is told what another row of the batch shows; its own values are hidden as ever."""

    def _seen(self, x: Tensor, m: Tensor) -> Tensor:
        return torch.cat((m * x, m.roll(1, 0)), 1)


def _split(
    data: str, seed: int, shuffle_columns: bool = False
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "v d"], Float[Tensor, "t d"]]:
    """Return train, valid and test of a set: its own parts, or 1297, 250 and 250 shuffled digits (grey >= 8 of 16)."""
    generator = torch.Generator().manual_seed(seed)
    if data == "digits":
        images = torch.from_numpy(digits()[0]).flatten(1)
        ones = (images >= 0.5)[torch.randperm(len(images), generator=generator)]
        sizes = [len(ones) - 500, 250, 250]
    else:
        splits = [torch.from_numpy(part) for part in binary_set(data).values()]
        ones, sizes = torch.cat(splits), [len(part) for part in splits]
    if shuffle_columns:
        ones = ones.gather(0, torch.rand(ones.shape, generator=generator).argsort(0))
    train, valid, test = ones.float().split(sizes)
    return train, valid, test
