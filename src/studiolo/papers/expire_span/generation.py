"""Writing token by token: what draws the next token, and what reads it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .memory import Memory


if TYPE_CHECKING:
    from .protocols import MemoryTransformer


class Step:
    """Reads a stream token by token through the model's own `forward`."""

    def __init__(self, model: MemoryTransformer, memory: Memory) -> None:
        self.model, self._memory = model, memory

    def __call__(self, tokens: Int[Tensor, b]) -> Float[Tensor, "b v"]:
        """Read one token of every stream and return the logits of the next."""
        output = self.model(tokens[:, None], self._memory)
        self._memory = output.memory
        return output.logits[:, -1]

    def memory(self) -> Memory:
        """Return the memory of everything read."""
        return self._memory


def sample_stream(
    model: MemoryTransformer,
    prompt: Tensor,
    length: int,
    memory: Memory | None,
    temperature: float,
    top_k: int | None,
    generator: torch.Generator | None,
) -> Generator[Tensor, None, Memory]:
    """Yield tokens that continue `prompt`; see `MemoryTransformer.generate`."""
    with torch.no_grad():
        *_, output = model.blocks(prompt, memory)
        step, logits = model.step(output.memory), output.logits[:, -1]
    for number in range(length):
        with torch.no_grad():
            tokens = draw(logits, temperature, top_k, generator)
        yield tokens
        if number + 1 < length:
            with torch.no_grad():
                logits = step(tokens)
    return step.memory()


def draw(
    logits: Float[Tensor, "b v"],
    temperature: float,
    top_k: int | None,
    generator: torch.Generator | None,
) -> Int[Tensor, b]:
    """Draw a token of every row."""
    if temperature == 0:
        return logits.argmax(-1)
    if top_k is not None and top_k < logits.shape[-1]:
        least = logits.topk(top_k).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    # torch.multinomial does the same with eight times the operations
    logits = logits.float() if temperature == 1 else logits.float() / temperature
    up_to = logits.softmax(-1).cumsum(-1)
    at = torch.rand(len(logits), 1, generator=generator, device=logits.device) * up_to[:, -1:]
    return torch.searchsorted(up_to, at, right=True)[:, 0].clamp_(max=logits.shape[-1] - 1)
