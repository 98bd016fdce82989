"""ConvNADE: an orderless density over images, whose network is convolutions there and back."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .density import BERNOULLI, check_size
from .orderless import Orderless


class ConvNADE(Orderless):
    """Predicts hidden pixels from observed ones: kernels that shrink the image, mirrored by kernels that grow it.

    Rows are images of `height` x `width` pixels, flattened. A sum along an order takes a pass for every pixel.

    Args:
        height, width: of the images.
        kernels: sizes of the shrinking convolutions; the growing ones mirror them.
        channels: of every hidden layer.
        mask_input: feed the mask as a second channel.

    Raises:
        ValueError: the kernels shrink the image to nothing.

    Source: https://arxiv.org/abs/1605.02226, section 3.4.

    Example:
        >>> model = ConvNADE(8, 8, kernels=(3, 3), channels=4)
        >>> model(torch.zeros(2, 64), torch.zeros(64, dtype=torch.bool)).shape
        torch.Size([2, 64])
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        kernels: Sequence[int] = (8, 4, 6, 7),
        channels: int = 64,
        mask_input: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.height, self.width = check_size("height", height), check_size("width", width)
        self.dim, self.law, self.mask_input = height * width, BERNOULLI, mask_input
        self.widest = channels * self.dim
        left = min(height, width) - sum(kernel - 1 for kernel in kernels)
        if not kernels or left < 1:
            raise ValueError(
                f"Kernels {tuple(kernels)} leave {left} pixels of {height} x {width}; at least one must be left."
            )
        options: dict[str, Any] = {"device": device, "dtype": dtype}
        layers: list[nn.Module] = []
        into = 2 if mask_input else 1
        for kernel in kernels:
            layers += [nn.Conv2d(into, channels, kernel, **options), nn.ReLU()]
            into = channels
        for kernel in reversed(kernels[1:]):
            layers += [nn.ConvTranspose2d(channels, channels, kernel, **options), nn.ReLU()]
        layers.append(nn.ConvTranspose2d(channels, 1, kernels[0], bias=False, **options))
        self.network = nn.Sequential(*layers)
        self.b = nn.Parameter(torch.zeros(self.dim, **options))

    def _predict(self, x: Tensor, m: Tensor) -> Tensor:
        channels = (m * x, m) if self.mask_input else (m * x,)
        image = torch.stack(channels, 1).unflatten(2, (self.height, self.width))
        return self.network(image).flatten(1) + self.b
