"""Images as functions from a pixel's place to its grey level: in-painting, halves, other resolutions.

Legend: b images, h and w their height and width, n pixels, c colours.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .model import NeuralProcess
from .predict import Prediction, predict
from .tasks import Tasks


def pixel_grid(
    height: int, width: int, *, device: torch.device | str = "cpu"
) -> Float[Tensor, "n 2"]:
    """Return the centres of the pixels of an image, row by row, the image being [-1, 1]².

    A pixel of a coarse image lies in the middle of those of a fine one that it covers.

    Example:
        >>> pixel_grid(1, 2)
        tensor([[ 0.0000, -0.5000],
                [ 0.0000,  0.5000]])
    """
    rows, columns = (
        (2 * torch.arange(size, device=device) + 1) / size - 1 for size in (height, width)
    )
    return torch.cartesian_prod(rows, columns)


def image_tasks(
    images: Float[Tensor, "b h w *c"],
    *,
    num_context: tuple[int, int],
    num_points: int | None = None,
    generator: torch.Generator | None = None,
) -> Tasks:
    """Turn images into tasks: some pixels at random are given, and all are to be predicted.

    Args:
        images: grey levels or colours from 0 to 1; y is what they are above a half.
        num_context: fewest and most given pixels; each image has its own number, and they stand first.
        num_points: pixels of each image, drawn at random, given ones among them; None: all.

    Raises:
        ValueError: more context than pixels; says both.
    """
    b, h, w = images.shape[:3]
    num_points = num_points or h * w
    fewest, most = num_context
    if not 0 <= fewest <= most <= num_points <= h * w:
        raise ValueError(
            f"num_context is ({fewest}, {most}), but it must be fewest and most of {num_points} points "
            f"out of {h * w} pixels."
        )
    device = images.device
    chosen = torch.rand(b, h * w, generator=generator, device=device).argsort(1)[:, :num_points]
    y = _pixels(images) - 0.5
    y = y.gather(1, chosen[..., None].expand(-1, -1, y.shape[2]))
    count = torch.randint(fewest, most + 1, (b, 1), generator=generator, device=device)
    given = torch.arange(num_points, device=device) < count
    return Tasks(pixel_grid(h, w, device=device)[chosen], y, given, reach=most)


def complete(
    model: NeuralProcess,
    images: Float[Tensor, "b h w *c"],
    given: Bool[Tensor, "*b h w"],
    *,
    num_samples: int = 1,
    generator: torch.Generator | None = None,
) -> Prediction:
    """Predict all pixels of images from those that are given: in-painting, a missing half.

    Args:
        images: from 0 to 1; what is not given may hold anything.
        given: bool (b, h, w), or (h, w) for all images alike.

    Returns:
        images from 0 to 1: mean and standard deviation (b, h, w, ...) and samples (s, b, h, w, ...).
    """
    b, h, w = images.shape[:3]
    given = given.expand(b, h, w).reshape(b, h * w)
    most = int(given.sum(1).max()) if b else 0
    first = (~given).to(torch.uint8).argsort(dim=1, stable=True)[:, :most]
    values = _pixels(images)
    y = values.gather(1, first[..., None].expand(-1, -1, values.shape[2])) - 0.5
    grid = pixel_grid(h, w, device=images.device).to(y.dtype)
    found = predict(
        model, grid[first], y, grid[None], given.gather(1, first),
        num_samples=num_samples, generator=generator,
    )  # fmt: skip
    return _as_images(found, images.shape[1:])


def upscale(
    model: NeuralProcess,
    images: Float[Tensor, "b h w *c"],
    size: tuple[int, int],
    *,
    num_samples: int = 1,
    generator: torch.Generator | None = None,
) -> Prediction:
    """Predict images of another size, height and width, from small ones; the model saw only places.

    Returns:
        as `complete`.
    """
    b, h, w = images.shape[:3]
    x = pixel_grid(h, w, device=images.device).to(images.dtype).expand(b, -1, -1)
    grid = pixel_grid(*size, device=images.device).to(images.dtype)
    y = _pixels(images) - 0.5
    found = predict(model, x, y, grid[None], num_samples=num_samples, generator=generator)
    return _as_images(found, (*size, *images.shape[3:]))


def shrink(images: Float[Tensor, "b h w"], factor: int) -> Float[Tensor, "b _ _"]:
    """Return the means of squares of `factor` pixels a side."""
    return torch.nn.functional.avg_pool2d(images[:, None], factor)[:, 0]


def _pixels(images: Float[Tensor, "b h w *c"]) -> Float[Tensor, "b n c"]:
    """Return the values of the pixels, row by row; there may be no images."""
    b, h, w, *colours = images.shape
    return images.reshape(b, h * w, math.prod(colours))


def _as_images(found: Prediction, shape: tuple[int, ...] | torch.Size) -> Prediction:
    mean, std, samples = (part.unflatten(-2, shape[:2]) for part in found)
    if len(shape) == 2:
        mean, std, samples = mean[..., 0], std[..., 0], samples[..., 0]
    return Prediction(mean + 0.5, std, samples + 0.5)
