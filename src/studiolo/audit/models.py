"""Models themselves, where their answers are not saved yet: anything that can be called, or that has `predict`.

Nothing is imported for them: a torch module is known by its `parameters`, a scikit-learn estimator by its `predict`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import AuditError
from .scores import Reducer
from .values import as_array


Array = NDArray[Any]
ROWS = 1024  # of data that is one array, a batch


def is_model(value: Any) -> bool:
    """Return whether something answers when asked, instead of being the answers."""
    return hasattr(value, "predict") or callable(value)


def models_in(value: Any) -> list[Any] | None:
    """Return the models of one side; None if these are saved answers."""
    if is_model(value):
        return [value]
    if isinstance(value, list | tuple) and value and all(map(is_model, value)):
        return list(value)
    return None


def ask_all(sides: Sequence[Sequence[Any]], data: Any) -> tuple[Reducer, Array | None]:
    """Ask every model about every batch of the data, which is read once; return what they said and the labels in it.

    Args:
        sides: models before, after and of a second population.
        data: an array, or batches: inputs, (inputs, labels), or a mapping with "labels" for a transformers model.
    """
    models = [model for side in sides for model in side]
    names = [
        f"{name} {k}"
        for name, side in zip(("before", "after", "null"), sides, strict=True)
        for k in range(1, len(side) + 1)
    ]
    counts = (len(sides[0]), len(sides[1]), len(sides[2]))
    reducer = Reducer(counts, [_classes(model) for model in models], names)
    labels: list[Array] = []
    with ExitStack() as stack:
        asked = [stack.enter_context(_asking(model)) for model in models]
        for inputs, label in _batches(data):
            reducer.add([ask(inputs) for ask in asked])
            if label is not None:
                labels.append(as_array(label))
    if not reducer.answers[0]:
        raise AuditError("The data holds no batch: there is nothing to ask the models about.")
    return reducer, np.concatenate(labels) if labels else None


def _batches(data: Any) -> Iterator[tuple[Any, Any]]:
    if hasattr(data, "shape"):
        rows = data.iloc if hasattr(data, "iloc") else data
        for start in range(0, len(data), ROWS):
            yield rows[start : start + ROWS], None
        return
    for batch in data:
        if isinstance(batch, Mapping):
            yield {k: v for k, v in batch.items() if k != "labels"}, batch.get("labels")
        elif _is_pair(batch):
            yield batch[0], batch[1]
        else:
            yield batch, None


def _is_pair(batch: Any) -> bool:
    """Return whether a batch is inputs and labels, as a loader gives them, and not two inputs."""
    return (isinstance(batch, tuple) and len(batch) == 2) or (
        isinstance(batch, list)
        and len(batch) == 2
        and all(hasattr(part, "shape") for part in batch)
    )


def _classes(model: Any) -> tuple[str, ...] | None:
    found = getattr(model, "classes_", None)
    if found is None or not hasattr(model, "predict_proba"):
        return None
    return tuple(str(name) for name in found)


def _asking(model: Any) -> AbstractContextManager[Callable[[Any], Array]]:
    if hasattr(model, "predict") and not hasattr(model, "parameters"):
        return nullcontext(lambda x: as_array(getattr(model, "predict_proba", model.predict)(x)))
    if hasattr(model, "parameters") and hasattr(model, "eval"):
        return _Module(model)
    return nullcontext(lambda x: _output(model(**x) if isinstance(x, Mapping) else model(x)))


class _Module:
    """A torch module while it is asked: evaluating, without gradients, on its own device; afterwards as it was."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def __enter__(self) -> Callable[[Any], Array]:
        self.training = [(part, part.training) for part in self.module.modules()]
        self.module.eval()
        return self.ask

    def __exit__(self, *_: object) -> None:
        for part, training in self.training:
            part.training = training

    def ask(self, inputs: Any) -> Array:
        torch = sys.modules["torch"]  # whoever has a module has it
        first = next(iter(self.module.parameters()), None)
        device = None if first is None else first.device

        def placed(x: Any) -> Any:
            x = torch.from_numpy(x) if isinstance(x, np.ndarray) else x
            return x.to(device) if device is not None and hasattr(x, "to") else x

        with torch.inference_mode():
            if isinstance(inputs, Mapping):
                return _output(self.module(**{k: placed(v) for k, v in inputs.items()}))
            return _output(self.module(placed(inputs)))


def _output(value: Any) -> Array:
    value = getattr(value, "logits", value)
    return as_array(value[0] if isinstance(value, tuple) else value)
