"""What is measured of arXiv 1605.02226; every function is one seed. Nats are per row, natural logarithm."""

import math
import time
import warnings
from collections.abc import Sequence
from itertools import permutations, product
from typing import Literal

import torch
from torch import Tensor

from studiolo.runs import Outcome
from studiolo.train import role_seeds

from .deep import DeepNADE, EoNADE
from .density import BERNOULLI
from .inputs import Split, binary_rows, real_rows
from .masked import FVBN, MADE
from .mixtures import BernoulliMixture
from .model import NADE
from .published import PUBLISHED, gaussian, log_prob
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
    train, valid, test = binary_rows(data, seeds.data, shuffle_columns=shuffle_columns)
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
    train, valid, test = binary_rows("digits", seeds.data)
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
    patience: int = 7,
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
    train, valid, test = binary_rows("digits", seeds.data)
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
        model.fit(
            train,
            valid,
            epochs=epochs,
            learning_rate=learning_rate,
            patience=patience,
            seed=seeds.batches,
        )
        with torch.no_grad():
            log_p = torch.stack([model.log_prob(test, order=order) for order in drawn])
        curves[name] = [-(log_p[:k].logsumexp(0) - math.log(k)).mean().item() for k in numbers]
        single[name] = -log_p.mean().item()
    fixed = NADE(dim, hidden, order=drawn[0], generator=generator)
    fixed.fit(
        train, valid, epochs=epochs, learning_rate=5e-3, patience=patience, seed=seeds.batches
    )
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
    model: Literal["made", "eonade"] = "made",
    hidden: Sequence[int] = (),
    epochs: int = 300,
    learning_rate: float = 3e-3,
    patience: int = 7,
    num_orders: int = 16,
) -> Outcome:
    """Fit a neighbour of NADE: MADE in one random order, without hidden layers a belief net; or a mixture of orders.

    Returns:
        nats: mean -log p of the test rows.
    """
    seeds = role_seeds(seed)
    train, valid, test = binary_rows(data, seeds.data)
    generator = torch.Generator().manual_seed(seeds.init)
    dim = train.shape[1]
    density: MADE | EoNADE
    if model == "made":
        order = torch.randperm(dim, generator=generator)
        density = MADE(dim, hidden, order=order, generator=generator)
    else:
        density = EoNADE(dim, hidden, num_orders=num_orders, generator=generator)
    density.fit(
        train,
        valid,
        epochs=epochs,
        learning_rate=learning_rate,
        patience=patience,
        seed=seeds.batches,
    )
    return Outcome({"nats": -log_prob(density, test).mean().item()})


def pixels(
    *,
    seed: int,
    data: str = "mnist",
    hidden: int = 500,
    epochs: int = 40,
    learning_rate: float = 1e-3,
    train_rows: int | None = None,
) -> Outcome:
    """Fit NADE to images in one random order and look at it after every epoch.

    Returns:
        nade_nats, bernoulli_nats: mean -log p of the test images; independent pixels.
        epochs, cpu_s, valid_nats, published_nats: a value for each epoch; the last is the paper's.
    """
    seeds = role_seeds(seed)
    train, valid, test = binary_rows(data, seeds.data)
    train = train[:train_rows]
    generator = torch.Generator().manual_seed(seeds.init)
    order = torch.randperm(train.shape[1], generator=generator)
    model = NADE(len(order), hidden, order=order, generator=generator)
    history = model.fit(
        train, valid, epochs=epochs, learning_rate=learning_rate, seed=seeds.batches
    )
    _, cpu_s, valid_nats = zip(*history.evaluations, strict=True)
    alone = BernoulliMixture.fit(train, valid, components=(1,), generator=generator)
    nade = -log_prob(model, test).mean().item()
    return Outcome(
        {"nade_nats": nade, "bernoulli_nats": -alone.log_prob(test).mean().item()},
        {
            "epochs": list(range(1, len(cpu_s) + 1)),
            "cpu_s": list(cpu_s),
            "valid_nats": list(valid_nats),
            "published_nats": [PUBLISHED["mnist"]["nade"]] * len(cpu_s),
        },
    )


def images_on_a_gpu(
    *,
    seed: int,
    data: str = "mnist",
    hidden: int = 500,
    epochs: int = 30,
    learning_rate: float = 2e-3,
    patience: int = 2,
    net_epochs: int = 10,
    train_rows: int | None = None,
    device: str = "cuda",
) -> Outcome:
    """Fit NADE to images in one random order by the programs of `gpu.py`, and a belief net beside it.

    Returns:
        nade_nats, belief_net_nats: mean -log p of the test images.
        train_wall_s: of NADE.
        epochs, valid_nats, published_nats: a value for each epoch of NADE.
    """
    from .gpu import GraphedNADE

    seeds = role_seeds(seed)
    generator = torch.Generator().manual_seed(seeds.init)
    parts = binary_rows(data, seeds.data)
    order = torch.randperm(parts.train.shape[1], generator=generator)
    # columns once, and not parameters at every step
    train, valid, test = (part[:, order].to(device) for part in parts)
    train = train[:train_rows]
    model = GraphedNADE(len(order), hidden, generator=generator).to(device)
    net = FVBN(len(order), generator=generator).to(device)
    started = time.monotonic()
    history = model.fit(
        train,
        valid,
        epochs=epochs,
        learning_rate=learning_rate,
        patience=patience,
        seed=seeds.batches,
    )
    train_wall_s = time.monotonic() - started
    nade = -log_prob(model, test).mean().item()
    net.fit(train, valid, epochs=net_epochs, learning_rate=learning_rate, seed=seeds.batches)
    valid_nats = [nats for _, _, nats in history.evaluations]
    return Outcome(
        {
            "nade_nats": nade,
            "belief_net_nats": -log_prob(net, test).mean().item(),
            "train_wall_s": train_wall_s,
        },
        {
            "epochs": list(range(1, len(valid_nats) + 1)),
            "valid_nats": valid_nats,
            "published_nats": [PUBLISHED["mnist"]["nade"]] * len(valid_nats),
        },
    )


def missing_values(
    *,
    seed: int,
    data: str = "digits",
    missing: float = 0.3,
    shuffle_columns: bool = False,
    hidden: Sequence[int] = (256, 256),
    epochs: int = 200,
    learning_rate: float = 2e-3,
    train_rows: int | None = None,
) -> Outcome:
    """Hide cells at random, of every row, and fill them in: DeepNADE beside k nearest neighbours and column means.

    All learn from the rows with holes; the number of neighbours is the best of 5, 10, 20, 40 and 80 on the validation rows.

    Args:
        missing: share of the cells.
        shuffle_columns: the control; nothing is left to fill in from.

    Returns:
        nade_error, neighbours_error, means_error: mean squared error of the hidden cells of the test rows.
        ratio_to_neighbours: nade_error / neighbours_error.
    """
    from sklearn.impute import KNNImputer

    seeds = role_seeds(seed)
    parts = binary_rows(data, seeds.data, shuffle_columns=shuffle_columns)
    parts = Split(parts.train[:train_rows], parts.valid, parts.test)
    generator = torch.Generator().manual_seed(seeds.init)
    seen = Split(*(torch.rand(part.shape, generator=generator) >= missing for part in parts))
    holes = Split(*(part.where(known, torch.nan) for part, known in zip(parts, seen, strict=True)))
    model = DeepNADE(parts.train.shape[1], hidden, generator=generator)
    model.fit(
        holes.train,
        holes.valid,
        observed=seen.train,
        valid_observed=seen.valid,
        epochs=epochs,
        learning_rate=learning_rate,
        seed=seeds.batches,
    )

    def error(filled: Tensor, rows: Tensor, known: Tensor) -> float:
        return (filled - rows)[~known].square().mean().item()

    def neighbours(k: int, known: Tensor) -> Tensor:
        imputer = KNNImputer(n_neighbors=k, keep_empty_features=True).fit(holes.train.numpy())
        return torch.from_numpy(imputer.transform(known.numpy())).float()

    best = min(
        (5, 10, 20, 40, 80),
        key=lambda k: error(neighbours(k, holes.valid), parts.valid, seen.valid),
    )
    with torch.no_grad():
        filled = model(holes.test, seen.test).sigmoid()
    errors = {
        "nade_error": error(filled, parts.test, seen.test),
        "neighbours_error": error(neighbours(best, holes.test), parts.test, seen.test),
        "means_error": error(holes.train.nanmean(0).expand_as(parts.test), parts.test, seen.test),
    }
    ratio = errors["nade_error"] / errors["neighbours_error"]
    return Outcome({**errors, "ratio_to_neighbours": ratio})


def real_values(
    *,
    seed: int,
    data: str = "red_wine",
    kind: Literal["gaussian", "laplace"] = "gaussian",
    hidden: int = 50,
    components: int = 10,
    activation: str = "relu",
    epochs: int = 200,
    learning_rate: float = 5e-3,
    weight_decay: float = 0.0,
    patience: int = 7,
    folds: int = 1,
) -> Outcome:
    """Fit RNADE, one Gaussian and mixtures of Gaussians to a UCI table, and take the mean over folds.

    Args:
        folds: of the ten that a shuffle of the rows gives, tested one after the other; the paper has all ten.

    Returns:
        rnade_nats, gaussian_nats, mixture_nats: mean -log p of the test rows; the mixture's size, 1 to 16, and the
            addition to its covariances are chosen on the validation rows.
    """
    seeds = role_seeds(seed)
    generator = torch.Generator().manual_seed(seeds.init)
    nats: dict[str, list[float]] = {"rnade_nats": [], "gaussian_nats": [], "mixture_nats": []}
    for fold in range(folds):
        train, valid, test = parts = real_rows(data, seeds.data, fold)
        order = torch.randperm(train.shape[1], generator=generator)
        model = RNADE(
            len(order), hidden, components, kind, activation, order=order, generator=generator
        )
        model.fit(
            train,
            valid,
            epochs=epochs,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            patience=patience,
            seed=seeds.batches,
        )
        nats["rnade_nats"].append(-log_prob(model, test).mean().item())
        nats["gaussian_nats"].append(-log_prob(gaussian(parts), test).mean().item())
        nats["mixture_nats"].append(_gaussian_mixture_nats(parts, seeds.init))
    return Outcome({name: sum(values) / folds for name, values in nats.items()})


def one_gaussian(
    *, seed: int, data: str = "red_wine", folds: int = 10, diagonal: bool = False
) -> Outcome:
    """Fit one Gaussian to a UCI table, fold by fold: a check of data, folds and scaling before anything is trained.

    Args:
        diagonal: the control; no covariances.

    Returns:
        nats: mean -log p of the test rows.
    """
    nats = 0.0
    for fold in range(folds):
        parts = real_rows(data, role_seeds(seed).data, fold)
        law = gaussian(parts)
        if diagonal:
            law = type(law)(law.mean, law.covariance_matrix.diagonal().diag())
        nats -= log_prob(law, parts.test).mean().item() / folds
    return Outcome({"nats": nats})


def _gaussian_mixture_nats(rows: Split, seed: int) -> float:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    mixtures = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the validation rows judge
        for size, added in product((1, 2, 4, 8, 16), (1e-2, 1e-1)):
            mixture = GaussianMixture(size, reg_covar=added, max_iter=30, random_state=seed % 2**32)
            mixtures.append(mixture.fit(rows.train.numpy()))
    best = max(mixtures, key=lambda mixture: mixture.score(rows.valid.numpy()))
    return -float(best.score(rows.test.numpy()))


class _MasksOfOthers(DeepNADE):
    """A DeepNADE that is told what another row of the batch shows; its own values are hidden as ever."""

    def _seen(self, x: Tensor, m: Tensor) -> Tensor:
        return torch.cat((m * x, m.roll(1, 0)), 1)
