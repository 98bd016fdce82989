"""Attention beside Fourier mixing: how a trained FNet becomes a hybrid without changing what it computes."""

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from studiolo.nn import Lengths, SelfAttention

from .layouts import make_mixer
from .mixing import FourierMixing, fourier_mix
from .model import FNetModel


class FourierWithAttention(nn.Module):
    """Re(F_seq F_hid x) + sqrt(l d / 2) attention(x), a mixer that starts as Fourier mixing alone.

    The output layer of `attention` is set to zero, so that nothing changes until it is trained. Without
    the factor attention would stay invisible beside a transform that is as many times as large as `x`.
    """

    def __init__(self, attention: SelfAttention) -> None:
        super().__init__()
        self.attention = attention
        nn.init.zeros_(attention.output.weight)
        nn.init.zeros_(attention.output.bias)

    def forward(self, x: Float[Tensor, "b l d"], lengths: Lengths = None) -> Float[Tensor, "b l d"]:
        """Return the sum; padding is not read."""
        l, d = x.shape[-2:]
        return fourier_mix(x, lengths) + math.sqrt(l * d / 2) * self.attention(x, lengths)


def grow(
    model: nn.Module, layers: Sequence[int], *, num_heads: int | None = None
) -> list[nn.Parameter]:
    """Put attention beside Fourier mixing in some blocks of an FNet, in place; it still computes the same.

    Args:
        model: an `FNetModel`, or a model that has one, such as a head.
        layers: numbers of the blocks, negative ones from the end: (-2, -1) makes the paper's hybrid.
        num_heads: one for 64 features by default.

    Returns:
        The parameters that are new, for an optimizer.

    Raises:
        ValueError: a block that does not mix by Fourier transform alone; says which.
    """
    fnet = _encoder_of(model)
    config, blocks = fnet.config, fnet.encoder.blocks
    chosen = [blocks[layer] for layer in layers]
    for layer, block in zip(layers, chosen, strict=True):
        if not isinstance(block.mixer, FourierMixing):
            raise ValueError(
                f"Block {layer} mixes by {type(block.mixer).__name__}: only Fourier mixing can get "
                "attention beside it."
            )
    new: list[nn.Parameter] = []
    like = next(fnet.parameters())
    for block in chosen:
        attention = make_mixer(
            "attention",
            width=config.hidden_size,
            num_tokens=config.max_position_embeddings,
            num_heads=num_heads or config.num_attention_heads or max(1, config.hidden_size // 64),
            std=config.initializer_range,
        )
        assert isinstance(attention, SelfAttention)
        block.mixer = FourierWithAttention(attention).to(like.device, like.dtype)
        new += block.mixer.parameters()
    return new


def shrink(model: nn.Module) -> list[int]:
    """Take attention that `grow` put there away again, in place.

    What it has learned is lost: right after `grow` nothing changes.

    Returns:
        The numbers of the blocks that were changed.
    """
    changed = []
    for layer, block in enumerate(_encoder_of(model).encoder.blocks):
        if isinstance(block.mixer, FourierWithAttention):
            block.mixer = FourierMixing()
            changed.append(layer)
    return changed


def _encoder_of(model: nn.Module) -> FNetModel:
    for module in model.modules():
        if isinstance(module, FNetModel):
            return module
    raise ValueError(f"{type(model).__name__} has no FNetModel in it.")
