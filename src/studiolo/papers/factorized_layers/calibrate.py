"""What goes into the layers of a model: second moments of their inputs, from a few batches of data."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import Moments
from .candidates import AttentionCandidate, Candidate


@torch.no_grad()
def input_moments(
    model: nn.Module, candidates: Mapping[str, Candidate], data: Iterable[Any]
) -> dict[str, Moments]:
    """Return E x xᵀ of the inputs of each candidate, over all positions, by name and by which input.

    The model is run in evaluation mode and left as it was. For a convolution x is the patch that meets V: (i, k, l) for the
    channel unfolding, one row of it, (i, l), for the spatial one, whose other rows are taken as independent. Embeddings have
    no inputs to weigh; they are left out.

    Args:
        data: batches: tensors, tuples whose first entry is the input, or dicts of keyword arguments.

    Raises:
        ValueError: there is no batch, or a layer was never called.
    """
    sums: dict[str, Moments] = {}
    counts: dict[tuple[str, str], int] = {}

    def add(name: str, which: str, x: Tensor) -> None:
        x = x.reshape(-1, x.shape[-1]).float()
        moments = sums.setdefault(name, {})
        moments[which] = moments.get(which, 0) + (x.mT @ x).double()
        counts[name, which] = counts.get((name, which), 0) + len(x)

    handles = []
    for name, candidate in candidates.items():
        layer: Any = candidate.layer
        if isinstance(candidate, AttentionCandidate):
            if isinstance(layer, nn.MultiheadAttention):
                see = partial(_see_attention, partial(add, name))
                handles.append(layer.register_forward_pre_hook(see, with_kwargs=True))
            else:
                for which in ("query", "key", "value"):
                    see_map = partial(_see, lambda x: _with_one(x), partial(add, name, which))
                    handles.append(getattr(layer.self, which).register_forward_pre_hook(see_map))
        elif not isinstance(layer, nn.Embedding):
            rows = partial(_patches, candidate) if isinstance(layer, nn.Conv2d) else _as_is
            handles.append(
                layer.register_forward_pre_hook(partial(_see, rows, partial(add, name, "input")))
            )
    modes = {id(m): m.training for m in model.modules()}
    try:
        model.eval()
        batches = 0
        for batch in data:
            call(model, batch)
            batches += 1
    finally:
        for handle in handles:
            handle.remove()
        for module in model.modules():
            module.training = modes[id(module)]
    if not batches:
        raise ValueError("The data for calibration holds no batch.")
    looked_at = [n for n, c in candidates.items() if not isinstance(c.layer, nn.Embedding)]
    if missing := [name for name in looked_at if name not in sums]:
        raise ValueError(
            f"{', '.join(missing)} was never called with the data for calibration; name it in keep."
        )
    return {
        name: {which: total / counts[name, which] for which, total in moments.items()}
        for name, moments in sums.items()
    }


def call(model: nn.Module, batch: Any) -> Any:
    """Call a model with a batch: a tensor, a tuple or list whose first entry is the input, or a mapping of arguments."""
    like = next(model.parameters())
    if isinstance(batch, Mapping):
        return model(**{k: _moved(v, like) for k, v in batch.items()})
    if isinstance(batch, tuple | list):
        if not batch:
            raise ValueError("A batch of the data is empty.")
        batch = batch[0]
    if not isinstance(batch, Tensor):
        raise ValueError(
            f"A batch is a {type(batch).__name__}; give tensors, tuples whose first entry is the input, or dicts."
        )
    return model(_moved(batch, like))


def _moved(value: Any, like: Tensor) -> Any:
    return value.to(like.device) if isinstance(value, Tensor) else value


def _see(rows: Any, add: Any, _: nn.Module, args: tuple[Any, ...]) -> None:
    add(rows(args[0]))


def _see_attention(add: Any, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    given = dict(zip(("query", "key", "value"), args, strict=False)) | kwargs
    for which in ("query", "key", "value"):
        add(which, _with_one(given[which]))


def _as_is(x: Tensor) -> Tensor:
    return x


def _with_one(x: Tensor) -> Tensor:
    return F.pad(x, (0, 1), value=1.0)


def _patches(candidate: Candidate, x: Tensor) -> Tensor:
    """Return the patches of a convolution's input as rows, (i k l) or (i l) numbers each."""
    conv: Any = candidate.layer
    x = x if x.dim() == 4 else x[None]
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    left, right, top, bottom = conv._reversed_padding_repeated_twice
    (k, l), (down, across), (dy, dx) = conv.kernel_size, conv.stride, conv.dilation
    if candidate.unfolding == "spatial":
        x = F.pad(x, (left, right, 0, 0), mode=mode)
        found = F.unfold(x, (1, l), (1, dx), 0, (1, across))
    else:
        x = F.pad(x, (left, right, top, bottom), mode=mode)
        found = F.unfold(x, (k, l), (dy, dx), 0, (down, across))
    return found.mT  # (b, positions, i k l)
