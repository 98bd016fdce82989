"""Attention beside Fourier mixing: how a trained FNet becomes a hybrid without changing what it computes."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from studiolo.nn import Lengths, SelfAttention

from .mixing import fourier_mix


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
