"""What a model remembers between blocks: a value that is passed in and handed back, never changed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor


EXACT = ("spans", "ages", "usage")  # tokens and counts: a cast to half precision would move them


@dataclass(frozen=True, eq=False)
class Memory:
    """The memories of a batch of streams, layer by layer.

    `memory[2]`, `memory[1:3]` and `memory[order]` choose streams, `memory.to("cuda")` moves them, and
    `torch.save` and `torch.load` store them with their default settings.

    Attributes:
        layers: tensors by name, each (streams, memories, ...), oldest memory first. `hidden` are layer
            inputs without gradient, from which training computes keys and values anew; inference holds
            `keys` and `values` in their place. `ages` are in tokens as the next token will see them, so
            that the last token is 1; `spans` are how long each memory was to be kept.
    """

    layers: tuple[dict[str, Tensor], ...]

    def __len__(self) -> int:
        """Return the number of streams."""
        return next(iter(self.layers[0].values())).shape[0]

    def __getitem__(self, streams: int | slice | list[int] | Tensor) -> "Memory":
        """Return the memory of some streams, in that order; a number gives a batch of one.

        Raises:
            IndexError: there is no such stream; says how many there are.
        """
        if isinstance(streams, slice):
            return self.map(lambda tensor: tensor[streams])
        index = torch.as_tensor(streams)
        if index.dtype == torch.bool:
            index = index.nonzero().flatten()
        index = index.reshape(-1)
        outside = [i for i in index.tolist() if not -len(self) <= i < len(self)]
        if outside:
            raise IndexError(f"There is no stream {outside[0]}: the memory is of {len(self)}.")
        return self.map(lambda tensor: tensor[index.long().to(tensor.device)])

    def reorder(self, streams: list[int] | Tensor) -> "Memory":
        """Return the memory of `streams`, as beam search asks for it: stream i of the result was `streams[i]`."""
        return self[streams]

    def map(self, function: Callable[[Tensor], Tensor]) -> "Memory":
        """Return the memory with `function` applied to every tensor."""
        return replace(
            self,
            layers=tuple({name: function(x) for name, x in one.items()} for one in self.layers),
        )

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Memory":
        """Return the memory on `device`; `dtype` converts all but spans and ages, which stay exact."""

        def move(name: str, x: Tensor) -> Tensor:
            return x.to(device=device, dtype=x.dtype if name in EXACT else dtype or x.dtype)

        return replace(
            self,
            layers=tuple({name: move(name, x) for name, x in one.items()} for one in self.layers),
        )

    def detach(self) -> "Memory":
        """Return the memory without gradients."""
        return self.map(torch.Tensor.detach)

    def clone(self) -> "Memory":
        """Return a copy that shares nothing."""
        return self.map(torch.Tensor.clone)

    def part(self, name: str) -> tuple[Tensor, ...]:
        """Return the tensor called `name` of every layer, such as `ages`."""
        return tuple(layer[name] for layer in self.layers)

    @property
    def sizes(self) -> list[int]:
        """Memories held by every layer; deleted ones are not counted."""
        return [next(iter(layer.values())).shape[1] for layer in self.layers]

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(x.nbytes for layer in self.layers for x in layer.values())


# torch.load reads only classes that it was told of
torch.serialization.add_safe_globals([Memory])
