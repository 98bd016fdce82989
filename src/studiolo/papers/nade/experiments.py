"""What is measured of arXiv 1605.02226; every function is one seed. Nats are per row, natural logarithm."""

import math
from collections.abc import Callable, Sequence
from itertools import permutations, product
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from studiolo.data import binary_set, digits
from studiolo.runs import Outcome
from studiolo.train import role_seeds

from .deep import DeepNADE
from .model import NADE, log_bernoulli


_COMPONENTS = (1, 4, 8, 16, 32, 64)  # sizes of a mixture of Bernoullis; 1 is the independent ones
_EM_STEPS = 30
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
        model: "mixture" is the deep model's mixture over 8 orders.
        peek: the control, for "nade"; x_d is added to the state before its own conditional is read.

    Returns:
        abs_log_total: |ln Σ p(x)|, 0 for a distribution.
    """
    generator = torch.Generator().manual_seed(role_seeds(seed).init)
    x = torch.tensor(list(product((0.0, 1.0), repeat=dim)), dtype=torch.float64)
    orders = torch.stack([torch.randperm(dim, generator=generator) for _ in range(8)])
    o = orders[0]
    density = (
        NADE(dim, hidden, order=o.tolist()) if model == "nade" else DeepNADE(dim, (hidden, hidden))
    )
    density.double()
    with torch.no_grad():
        for parameter in density.parameters():
            parameter.normal_(generator=generator)
        if isinstance(density, DeepNADE):
            log_p = density.log_prob(x, orders if model == "mixture" else o)
        elif peek:
            a = density.c + torch.cumsum(x[:, o, None] * density.W.t()[o], 1)  # with x_d itself
            logits = (density.V[o] * torch.sigmoid(a)).sum(2) + density.b[o]
            log_p = log_bernoulli(x[:, o], logits).sum(1)
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
        over_orders = -torch.stack([model.log_prob(x, order) for order in orders]).mean(0)
    return Outcome({"relative_bias": (over_masks / over_orders - 1).abs().max().item()})


def density(
    *,
    seed: int,
    data: str = "digits",
    hidden: int = 100,
    epochs: int = 40,
    learning_rate: float = 1e-2,
    train_rows: int | None = None,
    shuffle_columns: bool = False,
) -> Outcome:
    """Fit NADE in one random order, independent Bernoullis and a mixture of Bernoullis; compare on test rows.

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
    order = torch.randperm(train.shape[1], generator=generator).tolist()
    model = NADE(len(order), hidden, order=order, generator=generator)
    model.fit(train, valid, epochs=epochs, learning_rate=learning_rate, seed=seeds.batches)
    with torch.no_grad():
        nade = model.loss(test).item()
    mixtures = [_fit_mixture(train, k, generator) for k in _COMPONENTS]
    bernoulli = mixtures[0](test)
    mixture = min(mixtures, key=lambda nats: nats(valid))(test)
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
            nats[name] = model.loss(test, torch.Generator().manual_seed(seeds.batches)).item()
    return Outcome({**nats, "gain_nats": nats["no_mask_nats"] - nats["mask_nats"]})


def ensemble(
    *,
    seed: int,
    hidden: int = 100,
    epochs: int = 120,
    orders: Sequence[int] = (1, 2, 4, 8, 16),
    train_rows: int | None = None,
) -> Outcome:
    """Evaluate mixtures over more and more random orders on digits, with and without mask input.

    Returns:
        mask_nats, no_mask_nats: a value for each number of orders; the orders of a smaller mixture are in the larger.
        fixed_nats: NADE in one order, trained for it, repeated for each number.
        gain_nats: what the largest mixture saves against the mean of its members, with mask input.
    """
    seeds = role_seeds(seed)
    train, valid, test = _split("digits", seeds.data)
    train = train[:train_rows]
    dim = train.shape[1]
    generator = torch.Generator().manual_seed(seeds.init)
    drawn = [torch.randperm(dim, generator=generator) for _ in range(max(orders))]
    curves = {}
    for name, fed in (("mask_nats", True), ("no_mask_nats", False)):
        model = DeepNADE(dim, hidden, mask_input=fed, generator=generator)
        model.fit(train, valid, epochs=epochs, seed=seeds.batches)
        with torch.no_grad():
            log_p = torch.stack([model.log_prob(test, order) for order in drawn])
        curves[name] = [-(log_p[:k].logsumexp(0) - math.log(k)).mean().item() for k in orders]
        if fed:
            gain = -log_p[: max(orders)].mean().item() - curves[name][-1]
    fixed = NADE(dim, hidden, order=drawn[0].tolist(), generator=generator)
    fixed.fit(train, valid, epochs=epochs, learning_rate=1e-2, seed=seeds.batches)
    with torch.no_grad():
        curves["fixed_nats"] = [fixed.loss(test).item()] * len(orders)
    return Outcome({"gain_nats": gain}, {"orders": list(orders), **curves})


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


def _fit_mixture(
    train: Tensor, components: int, generator: torch.Generator
) -> Callable[[Tensor], float]:
    """Fit a mixture of Bernoullis by EM, one more 0 and 1 in every cell; return its mean -log p of given rows.

    One component is independent Bernoullis.
    """
    weight = torch.rand(len(train), components, generator=generator)
    weight = weight / weight.sum(1, keepdim=True)
    for _ in range(_EM_STEPS if components > 1 else 1):
        size = weight.sum(0)
        logits = ((weight.t() @ train + 1) / (size[:, None] + 2)).logit()
        all_zeros = (size / len(train)).log() + logsigmoid(-logits).sum(1)  # log p(component, 0)
        weight = (train @ logits.t() + all_zeros).softmax(1)
    return lambda x: -(x @ logits.t() + all_zeros).logsumexp(1).mean().item()
