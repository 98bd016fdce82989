"""What people hand in, read as answers or scores: numpy, torch, lists, tables; and answers turned into codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import AuditError


Array = NDArray[Any]
Outputs = Any  # an array, or the rows of one that may lie on the disk
NO_ANSWER = -1
MISSING = frozenset({"", "nan", "NaN", "None", "null"})
LARGEST_TABLE = 10_000_000


@dataclass(frozen=True, slots=True)
class Model:
    """What one model said about every example.

    Attributes:
        output: answers, (examples,), or scores of the classes, (examples, classes).
        classes: what the columns of the scores are called; None: their numbers.
        scores: (examples, classes), beside answers that are not simply the best of them.
        right: whether each answer is right, where somebody else has judged it; NaN where not.
        name: for messages.
    """

    output: Outputs
    classes: tuple[str, ...] | None = None
    scores: Outputs | None = None
    right: Array | None = None
    name: str = ""

    def __len__(self) -> int:
        return len(self.output)


@dataclass(frozen=True, slots=True)
class Side:
    """The models of one side and what lies beside their answers.

    Attributes:
        ids: what the examples are called; None: only their order is known.
        label: right answers. columns: whatever else is known of each example.
        notes: sentences about what was left out in reading.
    """

    models: tuple[Model, ...]
    name: str = ""
    ids: tuple[str, ...] | None = None
    label: Array | None = None
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.models[0])


def as_array(value: Any) -> Array:
    """Return numpy's view of an array of any framework; a tensor leaves its device, bfloat16 becomes float32."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value
        return value.numpy()
    if isinstance(value, np.ndarray):
        return value
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise AuditError(f"These values do not form an array: {error}.") from None
    if array.dtype.kind in "US" and not isinstance(value, np.ndarray) and _mixed(value):
        array = np.asarray(value, object)  # numpy would write None and 1 as text
    return array


def _mixed(value: Any) -> bool:
    return isinstance(value, list | tuple) and not all(isinstance(v, str) for v in value)


def side_of(value: Any, name: str, n: int | None = None) -> Side:
    """Read one side from arrays, a list or mapping of arrays, or what a text-classification pipeline returned.

    Args:
        name: of the side, for messages. n: how many examples there are, where that is known.

    Raises:
        AuditError: it is neither answers nor scores; says what it looks like.
    """
    if isinstance(value, Side):
        return value
    if isinstance(value, Mapping):
        parts: list[tuple[str, Any]] = list(value.items())
        return Side(tuple(m for key, v in parts for m in _models(v, f"{name} {key}", n)), name)
    if isinstance(value, list | tuple) and value:
        if is_pipeline(value):
            return Side((_pipeline(value, name),), name)
        if all(hasattr(v, "shape") and getattr(v, "ndim", 0) for v in value):
            return Side(
                tuple(m for k, v in enumerate(value, 1) for m in _models(v, f"{name} {k}", n)), name
            )
    return Side(_models(value, name, n), name)


def _models(value: Any, name: str, n: int | None) -> tuple[Model, ...]:
    array = as_array(value)
    shape, numeric = array.shape, array.dtype.kind == "f"
    if array.size == 0:
        raise AuditError(f"{name} is empty, {_shape(shape)}: there is nothing to compare.")
    if array.ndim == 1:
        return (Model(array, name=name),)
    if (
        array.ndim == 2
        and numeric
        and n is not None
        and shape[1] == n != shape[0]
        and _whole(array)
    ):
        numeric = False  # answers that were saved as floats, one row a model
    if array.ndim == 2 and numeric:
        return (Model(_checked_scores(array, name), name=name),)
    if array.ndim == 2:
        if n is not None and shape[0] == n != shape[1]:
            raise AuditError(
                f"{name} is {_shape(shape)} and there are {n} examples: several models are (models, examples), so "
                "transpose it. Rows that mark several classes at once (multi-label) cannot be audited: audit one "
                "label at a time."
            )
        return tuple(Model(row, name=f"{name} {k}") for k, row in enumerate(array, 1))
    if array.ndim == 3 and numeric:
        return tuple(
            Model(_checked_scores(a, name), name=f"{name} {k}") for k, a in enumerate(array, 1)
        )
    raise AuditError(
        f"{name} is {_shape(shape)} of {array.dtype}: give answers, (examples,) or (models, examples), or scores, "
        "(examples, classes) or (models, examples, classes)."
    )


def _checked_scores(array: Array, name: str) -> Array:
    if array.shape[1] < 2:
        raise AuditError(
            f"{name} has one column of scores: give a column for each class, for two classes p and 1 - p."
        )
    return array


def _shape(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(f"{n:,}" for n in shape) + ")"


def _whole(array: Array) -> bool:
    finite = array[np.isfinite(array)]
    return bool((finite == np.rint(finite)).all())


def is_pipeline(value: Sequence[Any]) -> bool:
    """Return whether a list is what a text-classification pipeline returned: labels with scores, nothing else."""
    first = value[0] if value else None
    first = first[0] if isinstance(first, list) and first else first
    return isinstance(first, Mapping) and set(first) == {"label", "score"}


def _pipeline(value: Sequence[Any], name: str) -> Model:
    """Read what transformers' text classification returns: a label each, or the scores of all labels each."""
    if isinstance(value[0], Mapping):
        return Model(np.asarray([row["label"] for row in value], object), name=name)
    classes = tuple(sorted({str(cell["label"]) for row in value for cell in row}))
    place = {label: at for at, label in enumerate(classes)}
    scores = np.zeros((len(value), len(classes)))
    for i, row in enumerate(value):
        for cell in row:
            scores[i, place[str(cell["label"])]] = cell["score"]
    return Model(_checked_scores(scores, name), classes, name=name)


def parsed(cells: Sequence[Any]) -> Array:
    """Return the cells of a table as whole numbers, as numbers, or else as text, whichever holds all of them."""
    try:
        numbers = np.asarray([math.nan if _missing(c) else float(c) for c in cells])
    except (TypeError, ValueError):
        return np.asarray([None if _missing(c) else c for c in cells] or [], object)
    finite = np.isfinite(numbers)
    if finite.all() and len(numbers) and _whole(numbers) and np.abs(numbers).max() < 2**53:
        return numbers.astype(np.int64)
    return numbers


def _missing(value: Any) -> bool:
    return value is None or value in MISSING if not isinstance(value, float) else math.isnan(value)


def as_answers(array: Array, name: str) -> Array:
    """Return answers as whole numbers (negative: none) or as text (None: none).

    Raises:
        AuditError: they are numbers that name no class.
    """
    kind = array.dtype.kind
    if kind in "biu":
        return array.astype(np.int64, copy=False)
    if kind == "f":
        known = ~np.isnan(array)
        if not _whole(array[known]) or not np.isfinite(array[known]).all():
            odd = next(v for v in array[known] if not math.isfinite(v) or v != round(v))
            raise AuditError(
                f"{name} holds {odd:g}, a number and not the name of a class: regression cannot be audited, as no "
                "answer is right or wrong. Scores need one column a class."
            )
        return np.where(known, array, NO_ANSWER).astype(np.int64)
    return np.asarray([_text(v) for v in array.tolist()], object)


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float) and value == round(value):
        value = int(value)
    text = str(value).strip()
    return None if text in MISSING else text


def as_label(value: Any, name: str = "labels") -> Array:
    """Return right answers; refuse what is not one answer an example."""
    array = as_array(value)
    if array.ndim != 1:
        raise AuditError(
            f"{name} is {_shape(array.shape)}: one right answer an example is needed. Several labels at once "
            "(multi-label) cannot be audited: audit one label at a time."
        )
    return as_answers(array, name)


def encode(
    arrays: Sequence[Array], classes: Sequence[str] | None = None
) -> tuple[list[NDArray[np.int32]], list[str]]:
    """Return the same answers as codes, -1 for none, and the text of each code.

    Whole numbers keep their value where all are such; `classes` then names them. Where some are text, a number stands for
    the class of that place in `classes`, or for its digits.

    Raises:
        AuditError: a number is beyond `classes`.
    """
    numbers = [a for a in arrays if a.dtype.kind == "i"]
    largest = max((int(a.max(initial=-1)) for a in numbers), default=-1)
    if classes is not None and largest >= len(classes):
        raise AuditError(
            f"There is an answer {largest} and only {len(classes)} classes are named, 0 to {len(classes) - 1}."
        )
    if len(numbers) == len(arrays):
        if largest < LARGEST_TABLE:
            names = list(classes) if classes is not None else [str(i) for i in range(largest + 1)]
            return [np.maximum(a, NO_ANSWER).astype(np.int32) for a in arrays], names
        values = np.unique(np.concatenate([a[a >= 0] for a in arrays]))
        return [
            np.where(a >= 0, np.searchsorted(values, a), NO_ANSWER).astype(np.int32) for a in arrays
        ], [str(v) for v in values]
    names = list(classes or ())
    place = {name: code for code, name in enumerate(names)}
    codes = []
    for array in arrays:
        texts = _as_text(array, classes)
        for value in texts:
            if value is not None and value not in place:
                place[value] = len(names)
                names.append(value)
        codes.append(
            np.fromiter((NO_ANSWER if v is None else place[v] for v in texts), np.int32, len(texts))
        )
    if classes is None:  # in order of name, not of appearance
        order = sorted(range(len(names)), key=lambda code: _natural(names[code]))
        rank = np.empty(len(names) + 1, np.int32)
        rank[order], rank[-1] = np.arange(len(names)), NO_ANSWER
        return [rank[c] for c in codes], [names[code] for code in order]
    return codes, names


def _as_text(array: Array, classes: Sequence[str] | None) -> list[str | None]:
    if array.dtype.kind != "i":
        return array.tolist()
    return [
        None if v < 0 else classes[v] if classes is not None else str(v) for v in array.tolist()
    ]


def _natural(name: str) -> tuple[int, float, str]:
    """Numbers before words, 2 before 10."""
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)
