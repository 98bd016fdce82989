"""What figures show: one curve through every method of the view, and images in pieces."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from .images import complete, upscale
from .kernels import kernel_attention
from .model import NeuralProcess
from .processes import GaussianProcess


SHOWN_SCALE = 0.4  # length scale of the curve in the figure
SHOWN_CONTEXT = 10


def shown_task() -> tuple[Tensor, Tensor, Tensor]:
    """Return x (1, 101, 1), a curve and the indices of its context: the first draw of generator 0."""
    generator = torch.Generator().manual_seed(0)
    x = torch.linspace(-2, 2, 101)[None, :, None]
    process = GaussianProcess(torch.tensor([SHOWN_SCALE]), torch.ones(1))
    y = process.sample(x, generator=generator)
    context = torch.randperm(25, generator=generator)[:SHOWN_CONTEXT] * 4 + 2
    return x, y, context.sort().values


def shown_curves() -> dict[str, np.ndarray]:
    """Return the shown task and what kernels alone make of it: one function, two ways to normalise."""
    x, truth, context = shown_task()
    given = x, x[:, context], truth[:, context]
    kernel = partial(kernel_attention, *given, kernel="gaussian", scale=SHOWN_SCALE)
    curves = {
        "x": x,
        "truth": truth,
        "kernel_regression": kernel(),
        "gp": kernel(normalise="solve", noise=0.02),
    }
    dashes = np.full(x.shape[1], np.nan)
    for index in context.tolist():
        dashes[index - 1 : index + 2] = truth[0, index, 0]
    return {name: curve[0, :, 0].numpy() for name, curve in curves.items()} | {"context": dashes}


def shown_by(model: NeuralProcess, arm: str, seed: int) -> dict[str, np.ndarray]:
    """Return what a model says of the shown curve, as `mean_<arm>`."""
    x, truth, context = shown_task()
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        shown = model(x[:, context], truth[:, context], x, num_samples=64, generator=noise)
    return {f"mean_{arm}": shown.mean.mean(0)[0, :, 0].numpy()}


SHOWN_SIDE = 56  # pixels a side of a picture: whole multiples of 8 and of 28


def gallery(
    models: dict[str, NeuralProcess], images: Tensor, seed: int
) -> tuple[np.ndarray, list[str]]:
    """Return pictures and captions: two images, each with three kinds of context, and what models make of it."""
    h, w = images.shape[1:]
    draw = torch.Generator().manual_seed(seed)
    scattered = torch.rand(h, w, generator=draw) < 0.25
    upper = torch.arange(h)[:, None].expand(h, w) < h // 2
    pictures, captions = [], []

    def show(picture: Tensor, caption: str) -> None:
        by = SHOWN_SIDE // picture.shape[0]
        pictures.append(picture.clamp(0, 1).repeat_interleave(by, 0).repeat_interleave(by, 1))
        captions.append(caption)

    named = {"neural process": models["uniform"], "attentive": models["multihead"]}
    for image in images:
        show(image, "the image")
        for mask, caption in ((scattered, "a quarter of it"), (upper, "its upper half")):
            show(torch.where(mask, image, 0.5), caption)
            for name, model in named.items():
                found = complete(model, image[None], mask, num_samples=8, generator=draw)
                show(found.mean[0], name)
        for name, model in named.items():
            large = upscale(
                model, image[None], (SHOWN_SIDE, SHOWN_SIDE), num_samples=8, generator=draw
            )
            show(large.mean[0], f"{name}, {SHOWN_SIDE // h} times the size")
    levels = (
        torch.stack(pictures) * 255
    ).round() / 255  # a screen shows no more, and records stay small
    return levels.numpy(), captions
