"""The rows that NADE's family is fitted to: sets of 0 and 1, images of 0 and 1, and UCI tables of real values."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from studiolo.data import binary_set, digits, mnist, table


_BINARISATION = 1605  # of MNIST: the authors' own draw is not to be had


class Split(NamedTuple):
    """What a model learns from, what its fit stops by, and what it is judged by."""

    train: Float[Tensor, "n d"]
    valid: Float[Tensor, "v d"]
    test: Float[Tensor, "t d"]


def binary_rows(data: str, seed: int, *, shuffle_columns: bool = False) -> Split:
    """Return 0 and 1: a set of `studiolo.data.binary_set` in its own parts, "mnist" or "digits".

    Of MNIST the last 10,000 training images are for validation, and each pixel is 1 with the probability of its grey:
    one draw, the same for every seed. The 1,797 digits are shuffled by the seed and cut at grey 8 of 16; 250 are for
    validation, 250 for the test.

    Args:
        shuffle_columns: shuffle every column by itself, so that nothing is left to learn but marginals.
    """
    generator = torch.Generator().manual_seed(seed)
    if data == "digits":
        images = torch.from_numpy(digits()[0]).flatten(1)
        rows = (images >= 0.5)[torch.randperm(len(images), generator=generator)]
        sizes = [len(rows) - 500, 250, 250]
    elif data == "mnist":
        sets = mnist()
        grey = np.concatenate([sets["train_images"], sets["test_images"]])
        fixed = torch.Generator().manual_seed(_BINARISATION)
        rows = torch.rand(grey.shape, generator=fixed) * 255 < torch.from_numpy(grey)
        rows, sizes = rows.flatten(1), [50_000, 10_000, 10_000]
    else:
        parts = [torch.from_numpy(part) for part in binary_set(data).values()]
        rows, sizes = torch.cat(parts), [len(part) for part in parts]
    if shuffle_columns:
        rows = rows.gather(0, torch.rand(rows.shape, generator=generator).argsort(0))
    return Split(*rows.float().split(sizes))


def real_rows(data: str, seed: int, fold: int = 0) -> Split:
    """Return a UCI table with the `fold`-th tenth of its shuffled rows for the test and the next one for validation.

    Columns have mean 0 and deviation 1 over what is not tested.

    The target goes, and of each pair of columns with a correlation above .98 the first; of parkinsons subject, age and
    sex, of ionosphere the first two columns. This is the authors' preparation as far as it is known: it leaves their
    11, 15 and 32 columns, and one Gaussian needs what they publish.
    """
    rows = table(data)
    rows = {"ionosphere": rows[:, 2:34], "parkinsons": rows[:, 3:]}.get(data, rows[:, :11])
    correlated = np.tril(np.abs(np.corrcoef(rows.T)), -1) > 0.98
    rows = rows[:, ~correlated.any(0)]
    shuffled = rows[np.random.default_rng(seed).permutation(len(rows))]
    tenth = len(rows) // 10
    test, rest = np.split(np.roll(shuffled, -fold * tenth, 0), [tenth])
    scale = [torch.from_numpy((part - rest.mean(0)) / rest.std(0)).float() for part in (test, rest)]
    return Split(scale[1][tenth:], scale[1][:tenth], scale[0])
