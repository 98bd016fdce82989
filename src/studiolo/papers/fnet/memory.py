"""What a training step holds in memory, by the length of its rows."""

from collections.abc import Callable, Sequence

import torch

from studiolo.measure import peak_tensor_bytes
from studiolo.nn import Transformer

from .layouts import make_mixer


def peak_bytes(
    name: str, lengths: Sequence[int], *, width: int, depth: int, num_heads: int, num_tokens: int
) -> list[float]:
    """Return the peak bytes of a forward and backward pass at each length, `num_tokens` tokens a batch.

    The gradients of inputs and parameters count, inputs and parameters do not.

    Args:
        name: a mixer of `make_mixer`; "unfused" is attention that writes its weights out.
    """

    def step(length: int) -> Callable[[], None]:
        def mixer(_: int) -> torch.nn.Module:
            return make_mixer(
                "attention" if name == "unfused" else name,
                width=width,
                num_tokens=length,
                num_heads=num_heads,
                fused=name != "unfused",
            )

        model = Transformer(width, depth, mixer)
        x = torch.randn(num_tokens // length, length, width, requires_grad=True)
        return lambda: model(x).sum().backward()

    return [float(peak_tensor_bytes(step(length))) for length in lengths]
