"""The block of an FNet: `studiolo.nn`'s, with mixing, residual and norm as one program where that is faster."""

import importlib
from typing import Any

from torch import Tensor

from studiolo.nn import Lengths
from studiolo.nn.transformer import Block

from .mixing import FourierMixing
from .ragged import Packing, mix_packed


class FNetBlock(Block):
    """A mixer, then a feed-forward net, each with a residual and a layer normalisation."""

    def forward(self, x: Tensor, lengths: Lengths = None, packing: Packing | None = None) -> Tensor:
        """Return LN(z + FF(z)) of z = LN(x + mixer(x)); with `norm_first` LN goes inside.

        Args:
            x: (b, l, d), or (t, d) with `packing`.
        """
        if self.norm_first:
            # the sum stays in the mixer's precision until it is normalised
            wide = x + self._mixing(self.mixer_norm(x), lengths, packing)
            return (wide + self.dropout(self.feed_forward(self.output_norm(wide)))).to(x.dtype)
        z = self._normed(x, lengths, packing)
        return self.output_norm(z + self.dropout(self.feed_forward(z)))

    def _mixing(self, x: Tensor, lengths: Lengths, packing: Packing | None) -> Tensor:
        if packing is not None:
            return mix_packed(self.mixer, x, packing)
        mixed: Tensor = self.mixer(x, lengths)
        return mixed

    def _normed(self, x: Tensor, lengths: Lengths, packing: Packing | None) -> Tensor:
        if (
            x.is_cuda
            and lengths is None
            and packing is None
            and isinstance(self.mixer, FourierMixing)
        ):
            gpu, program, norm = _gpu(), self.mixer.program, self.mixer_norm
            if gpu.possible(x) if program == "matmul" else program == "auto" and gpu.serves(x):
                mixed: Tensor = gpu.mix_add_norm(x, norm.weight, norm.bias, norm.eps)
                return mixed
        return self.mixer_norm(x + self._mixing(x, lengths, packing))


def _gpu() -> Any:
    """Return the programs for GPUs: a record made on a CPU does not depend on what only CUDA tensors reach."""
    return importlib.import_module(".gpu", __package__)
