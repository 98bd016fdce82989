"""What is measured of arXiv 1605.02226; every function is one seed. Nats are per row, natural logarithm."""

from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from studiolo.data import binary_set, digits
from studiolo.runs import Outcome
from studiolo.train import role_seeds

from .mixtures import BernoulliMixture
from .model import NADE


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
