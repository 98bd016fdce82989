"""The networks that are measured: residual ones, and a small character model."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


class Shortcut(nn.Module):
    """The parameterless shortcut of He et al., option A: every second pixel, and channels of zeros."""

    def __init__(self, more: int, stride: int) -> None:
        super().__init__()
        self.more, self.stride = more, stride

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o p q"]:
        """Return the reduced and widened input."""
        left = self.more // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, left, self.more - left))


class Block(nn.Module):
    """Two convolutions with batch normalization, around which the input is added."""

    def __init__(self, i: int, o: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.shortcut = nn.Identity() if i == o and stride == 1 else Shortcut(o - i, stride)

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o p q"]:
        """Map i channels to o."""
        inner = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(inner + self.shortcut(x))


class ResNet(nn.Module):
    """The residual network of He et al. for small images: three stages, each half as high and twice as wide.

    Args:
        depth: 6 n + 2; 20, 32 and 110 in the paper, 8 here.
        width: channels of the first stage; 16, and 32 for the paper's ResNet-32x2.
        channels: of the images.

    Source: https://arxiv.org/abs/1512.03385, section 4.2.
    """

    def __init__(
        self, depth: int = 8, width: int = 16, *, channels: int = 3, classes: int = 10
    ) -> None:
        super().__init__()
        if depth % 6 != 2:
            raise ValueError(f"The depth is {depth}; it must be 6 n + 2.")
        self.conv = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        blocks, i = [], width
        for stage in range(3):
            o = width * 2**stage
            for n in range(depth // 6):
                blocks.append(Block(i, o, 2 if stage and not n else 1))
                i = o
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(i, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return scores."""
        x = torch.relu(self.bn(self.conv(x)))
        return self.fc(self.blocks(x).mean((-2, -1)))


class WideBlock(nn.Module):
    """Batch normalization before each of two convolutions."""

    def __init__(self, i: int, o: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(i)
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.shortcut = None if i == o else nn.Conv2d(i, o, 1, stride, bias=False)

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o p q"]:
        """Map i channels to o."""
        ready = torch.relu(self.bn1(x))
        inner = self.conv2(torch.relu(self.bn2(self.conv1(ready))))
        return inner + (x if self.shortcut is None else self.shortcut(ready))


class WideResNet(nn.Module):
    """WRN-depth-width for images of 32 × 32.

    Source: https://arxiv.org/abs/1605.07146.
    """

    def __init__(self, depth: int = 28, width: int = 10, *, classes: int = 10) -> None:
        super().__init__()
        sizes = [16 * width, 32 * width, 64 * width]
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        blocks, i = [], 16
        for stage, o in enumerate(sizes):
            for n in range((depth - 4) // 6):
                blocks.append(WideBlock(i, o, 2 if stage and not n else 1))
                i = o
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(i)
        self.fc = nn.Linear(i, classes)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k"]:
        """Return scores."""
        x = torch.relu(self.bn(self.blocks(self.conv(x))))
        return self.fc(x.mean((-2, -1)))


class CharacterModel(nn.Module):
    """Predict the next of 256 bytes: a transformer that normalizes first and sees the past alone.

    Args:
        size: of a vector.
        heads: of attention.
        layers: blocks of attention and a map through 4 · size.
        length: of the longest text.
    """

    hidden: Tensor

    def __init__(self, size: int = 64, heads: int = 4, layers: int = 2, length: int = 64) -> None:
        super().__init__()
        self.embed = nn.Embedding(256, size)
        self.place = nn.Parameter(torch.randn(length, size) * 0.02)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                size, heads, 4 * size, 0.0, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(size)
        self.head = nn.Linear(size, 256)
        past = torch.ones(length, length, dtype=torch.bool).triu(1)
        self.register_buffer("hidden", past, persistent=False)

    def forward(self, text: Int[Tensor, "b t"]) -> Float[Tensor, "b t 256"]:
        """Return the scores of what follows each character."""
        t = text.shape[1]
        x = self.embed(text) + self.place[:t]
        for block in self.blocks:
            x = block(x, src_mask=self.hidden[:t, :t], is_causal=False)
        return self.head(self.norm(x))
