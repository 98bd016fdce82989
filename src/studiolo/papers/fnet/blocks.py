"""The block of an FNet: `studiolo.nn`'s, with mixing, residual and norm as one program where that is faster."""

import importlib
from typing import Any

from jaxtyping import Float
from torch import Tensor

from studiolo.nn import Lengths
from studiolo.nn.transformer import Block

from .mixing import FourierMixing


class FNetBlock(Block):
    """A mixer, then a feed-forward net, each with a residual and a layer normalisation."""

    def forward(self, x: Float[Tensor, "b l d"], lengths: Lengths = None) -> Float[Tensor, "b l d"]:
        """Return LN(z + FF(z)) of z = LN(x + mixer(x)); with `norm_first` LN goes inside."""
        if self.norm_first:
            wide = x + self.mixer(self.mixer_norm(x), lengths)
            return (wide + self.dropout(self.feed_forward(self.output_norm(wide)))).to(x.dtype)
        z = self._mixed(x, lengths)
        return self.output_norm(z + self.dropout(self.feed_forward(z)))

    def _mixed(self, x: Tensor, lengths: Lengths) -> Tensor:
        if x.is_cuda and lengths is None and isinstance(self.mixer, FourierMixing):
            gpu, program = _gpu(), self.mixer.program
            if gpu.possible(x) if program == "matmul" else program == "auto" and gpu.serves(x):
                norm = self.mixer_norm
                mixed: Tensor = gpu.mix_add_norm(x, norm.weight, norm.bias, norm.eps)
                return mixed
        return self.mixer_norm(x + self.mixer(x, lengths))


def _gpu() -> Any:
    """Return the programs for GPUs: a record made on a CPU does not depend on what only CUDA tensors reach."""
    return importlib.import_module(".gpu", __package__)
