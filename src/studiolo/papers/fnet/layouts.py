"""Which mixer each block has, by name."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from studiolo.nn import Lengths, SelfAttention

from .mixing import FourierMixing, HartleyMixing, MatrixMixing, NoMixing


MIXINGS = ("fourier", "hartley", "attention", "linear", "random", "none")
LAYOUTS = ("top", "bottom", "middle", "mixed")


class Attention(SelfAttention):
    """`SelfAttention` that takes lengths as a tensor into a compiled graph."""

    def _mask(self, b: int, l: int, lengths: Lengths, device: torch.device) -> Tensor | None:
        if isinstance(lengths, Tensor) and torch.compiler.is_compiling():
            return (torch.arange(l, device=device) < lengths[:, None])[:, None, None, :]
        return super()._mask(b, l, lengths, device)

    def forward(self, x: Float[Tensor, "b l d"], lengths: Lengths = None) -> Float[Tensor, "b l d"]:
        """Return attention of every token over its own row, padding never looked at."""
        return super().forward(x, lengths) if len(x) else x


def make_mixer(
    name: str, *, width: int, num_tokens: int, num_heads: int, std: float = 0.02, fused: bool = True
) -> nn.Module:
    """Return one mixer: fourier, hartley, attention, linear, random or none.

    Args:
        num_tokens: the longest row, for the matrices.
        std: of attention's weights at the start; its biases start at zero.

    Raises:
        ValueError: another name; lists these.
    """
    kinds: dict[str, Callable[[], nn.Module]] = {
        "fourier": FourierMixing,
        "hartley": HartleyMixing,
        "attention": lambda: Attention(width, num_heads, fused=fused),
        "linear": lambda: MatrixMixing(num_tokens, width),
        "random": lambda: MatrixMixing(num_tokens, width, learned=False),
        "none": NoMixing,
    }
    if name not in kinds:
        raise ValueError(f"There is no mixer {name!r}: choose one of {', '.join(kinds)}.")
    made = kinds[name]()
    for module in made.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=std)
            nn.init.zeros_(module.bias)
    return made


def attention_layers(layout: str, depth: int, count: int) -> frozenset[int]:
    """Return which of `depth` blocks attend: the last `count` ("top"), the first, the middle, or spread evenly.

    Raises:
        ValueError: another layout, or more attention than blocks.

    Source: https://arxiv.org/abs/2105.03824, section 4.3; the hybrid of the paper is "top" with 2.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"There is no layout {layout!r}: choose one of {', '.join(LAYOUTS)}.")
    if not 0 <= count <= depth:
        raise ValueError(f"{count} of {depth} blocks cannot attend: choose 0 to {depth}.")
    starts = {"top": depth - count, "bottom": 0, "middle": (depth - count) // 2}
    if layout == "mixed":
        return frozenset((i + 1) * depth // count - 1 for i in range(count))
    return frozenset(range(starts[layout], starts[layout] + count))
