"""Convolutions of a stack of networks as matrix products, for CUDA, where grouped convolutions are slow.

Imported only when a CUDA tensor asks, or by name.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def grouped(x: Float[Tensor, "b c h w"], kernels: Float[Tensor, "k out i 3 3"]) -> Tensor:
    """One convolution with a group for each member: what CPU tensors take."""
    members, _, channels = kernels.shape[:3]
    groups = 1 if x.shape[1] == channels else members
    return F.conv2d(x, kernels.flatten(0, 1), padding=1, groups=groups)


def channels_last(x: Float[Tensor, "b c h w"], kernels: Float[Tensor, "k out i 3 3"]) -> Tensor:
    """The same with the channels of a pixel side by side in memory."""
    return grouped(x.contiguous(memory_format=torch.channels_last), kernels)


def columns(x: Float[Tensor, "b c h w"], kernels: Float[Tensor, "k out i 3 3"]) -> Tensor:
    """A product for each member and image: weights times the columns of all patches."""
    return _of_columns(x, kernels, lambda w, patches: w[None] @ patches)


def members(x: Float[Tensor, "b c h w"], kernels: Float[Tensor, "k out i 3 3"]) -> Tensor:
    """A product for each member: weights times the columns of all patches of all images."""

    def product(w: Tensor, patches: Tensor) -> Tensor:
        images, _, size, pixels = patches.shape
        side_by_side = patches.permute(1, 2, 0, 3).reshape(-1, size, images * pixels)
        return (w @ side_by_side).unflatten(2, (images, pixels)).permute(2, 0, 1, 3)

    return _of_columns(x, kernels, product)


def _of_columns(x: Tensor, kernels: Tensor, product: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Cut x into patches, multiply, and put the channels of all members after each other again."""
    stack, _, channels = kernels.shape[:3]
    if x.shape[1] == channels and stack > 1:  # the same images for all: one convolution
        return F.conv2d(x, kernels.flatten(0, 1), padding=1)
    patches = F.unfold(x, 3, padding=1).unflatten(1, (stack, channels * 9))
    found = product(kernels.flatten(2), patches)
    return found.reshape(len(x), -1, *x.shape[2:])


PROGRAMS = {one.__name__: one for one in (grouped, channels_last, columns, members)}
_programs = ["grouped"]  # what CUDA tensors take; the last one counts


@contextmanager
def program(name: str) -> Iterator[None]:
    """Let stacks on CUDA convolve by one of `PROGRAMS` inside.

    Raises:
        ValueError: there is no such program; lists them.
    """
    if name not in PROGRAMS:
        raise ValueError(f"There is no program {name!r}: choose one of {', '.join(PROGRAMS)}.")
    _programs.append(name)
    try:
        yield
    finally:
        _programs.pop()


def serves(x: Tensor) -> bool:
    """Whether `convolve` is to compute this."""
    return _programs[-1] != "grouped"


def convolve(x: Float[Tensor, "b c h w"], kernels: Float[Tensor, "k out i 3 3"]) -> Tensor:
    """Convolve images, (b, i, h, w) for all members or (b, k i, h, w), with zeros around: (b, k out, h, w)."""
    return PROGRAMS[_programs[-1]](x, kernels)
