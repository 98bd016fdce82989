"""What the networks see: digits, clothes and people, as arrays, and what is done to pictures of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from studiolo.data import digits, fairness, fashion_mnist, mnist


Array = np.ndarray
IMAGES = {"mnist": mnist, "fashion_mnist": fashion_mnist}
NUMBERS = (0, 4, 10, 11, 12)  # of the columns of Adult: age, years of education, gain, loss, hours
AMOUNTS = (10, 11)  # dollars, of which logarithms are taken
WEIGHT, SEX, INCOME = 2, 9, 14


@dataclass(frozen=True, slots=True)
class Split:
    """Examples to train on and to test with; labels are (n,)."""

    train_x: Float[Array, "n ..."]
    train_y: Int[Array, "n"]
    test_x: Float[Array, "m ..."]
    test_y: Int[Array, "m"]


def pictures(data: str, num_train: int | None, seed: int) -> Split:
    """Return pictures (n, side, side) in [0, 1], `num_train` of them drawn to train with; None: all of the train split.

    Args:
        data: "digits" (8 by 8; what does not train, tests), "fashion_mnist" or "mnist" (14 by 14, the mean of 2 by 2
            pixels; the test split tests).
    """
    rng = np.random.default_rng(seed)
    if data == "digits":
        x, y = digits()
        order = rng.permutation(len(y))
        train, test = order[:num_train], order[num_train:]
        return Split(x[train], y[train], x[test], y[test])
    if data not in IMAGES:
        raise ValueError(f"data is {data!r}; known are digits, mnist and fashion_mnist.")
    sets = IMAGES[data]()
    train = rng.permutation(len(sets["train_labels"]))[:num_train]
    return Split(
        pooled(sets["train_images"][train]),
        sets["train_labels"][train].astype(np.int64),
        pooled(sets["test_images"]),
        sets["test_labels"].astype(np.int64),
    )


def pooled(images: Array) -> Float[Array, "n 14 14"]:
    """Mean of 2 by 2 pixels, from bytes to [0, 1]: (n, 28, 28) to (n, 14, 14)."""
    return images.reshape(len(images), 14, 2, 14, 2).mean((2, 4)) / 255


def thinned(labels: Int[Array, "n"], counts: Int[Array, "c"], seed: int) -> Int[Array, "m"]:
    """Return the places of `counts[c]` examples of each class c, drawn at random."""
    order = np.random.default_rng(seed).permutation(len(labels))
    return np.concatenate([order[labels[order] == c][:count] for c, count in enumerate(counts)])


def corrupted(images: Float[Array, "n h w"], kind: str, seed: int) -> Float[Array, "n h w"]:
    """Return pictures with noise (Gaussian, 0.15), blur (1 2 1 in both directions), contrast (0.6 of it) or brightness
    (0.15 more); what leaves [0, 1] is cut."""
    if kind == "noise":
        changed = images + 0.15 * np.random.default_rng(seed).standard_normal(images.shape)
    elif kind == "blur":
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
        rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
        changed = (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4
    elif kind == "contrast":
        mean = images.mean((1, 2), keepdims=True)
        changed = mean + 0.6 * (images - mean)
    elif kind == "brightness":
        changed = images + 0.15
    else:
        raise ValueError(f"kind is {kind!r}; known are noise, blur, contrast and brightness.")
    return changed.clip(0, 1)


def people() -> tuple[Split, Array]:
    """Return UCI Adult as numbers, whether somebody earns more than 50,000 dollars (1) or not, and the sex of the tested.

    Numbers are standardised, money after a logarithm; words become a column each. The census weight is left out.
    """
    rows = {"train": np.array(fairness("adult-train")), "test": np.array(fairness("adult-test"))}
    columns: dict[str, list[Array]] = {"train": [], "test": []}
    for place in range(INCOME):
        if place == WEIGHT:
            continue
        names = np.unique(rows["train"][:, place])
        train = rows["train"][:, place].astype(float) if place in NUMBERS else None
        for part in ("train", "test"):
            column = rows[part][:, place]
            if train is None:
                columns[part].append(column[:, None] == names)
                continue
            numbers, standard = column.astype(float), train
            if place in AMOUNTS:
                numbers, standard = np.log1p(numbers), np.log1p(train)
            columns[part].append(((numbers - standard.mean()) / (standard.std() or 1.0))[:, None])
    x = {part: np.concatenate(found, 1).astype(np.float32) for part, found in columns.items()}
    y = {
        part: np.char.startswith(found[:, INCOME], ">50K").astype(np.int64)
        for part, found in rows.items()
    }
    return Split(x["train"], y["train"], x["test"], y["test"]), rows["test"][:, SEX]
