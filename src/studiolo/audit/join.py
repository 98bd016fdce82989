"""The same examples on all sides, in the same order: joined by their ids, or taken as they come where there are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import AuditError
from .values import Side


Array = NDArray[Any]


def joined(sides: Sequence[Side]) -> list[Side]:
    """Return the sides with the same examples in the same order, joined by their ids where they have any."""
    for side in sides:
        for model in side.models:
            if len(model) != len(side):
                raise AuditError(
                    f"{model.name or side.name} answers {len(model):,} examples and the first of {side.name} "
                    f"{len(side):,}: models of one side answer the same examples."
                )
    with_ids = [side for side in sides if side.ids is not None]
    if len(with_ids) < len(sides):
        if with_ids and len({len(side) for side in sides}) > 1:
            bare = next(side for side in sides if side.ids is None)
            raise AuditError(
                f"{with_ids[0].name} has ids and {bare.name} has none, and they differ in length: give both ids, so "
                "that the same examples are compared."
            )
        for side in sides[1:]:
            if len(side) != len(sides[0]):
                raise AuditError(
                    f"{sides[0].name} has {len(sides[0]):,} examples and {side.name} {len(side):,}: without ids they "
                    "must be the same examples in the same order."
                )
        return list(sides)
    for side in sides:
        assert side.ids is not None
        if len(set(side.ids)) < len(side.ids):
            twice, times = Counter(side.ids).most_common(1)[0]
            raise AuditError(
                f"{side.name} names the example {twice!r} {times} times: an id is needed that occurs once."
            )
    first = sides[0].ids
    assert first is not None
    if all(side.ids == first for side in sides):
        return list(sides)
    common = set(first).intersection(*(side.ids or () for side in sides[1:]))
    if not common:
        other = next(side.ids[0] for side in sides[1:] if side.ids)
        raise AuditError(
            f"No example is on all sides: ids before look like {first[0]!r}, and like {other!r} on another side."
        )
    order = [name for name in first if name in common]
    return [_taken(side, order) for side in sides]


def _taken(side: Side, order: Sequence[str]) -> Side:
    assert side.ids is not None
    place = {name: i for i, name in enumerate(side.ids)}
    rows = np.asarray([place[name] for name in order])
    left = len(side.ids) - len(order)
    notes = side.notes
    if left:
        wanted = set(order)
        were = "is not on every side and was" if left == 1 else "are not on every side and were"
        some = [name for name in side.ids if name not in wanted][:3]
        notes += (
            f"{left:,} of {len(side.ids):,} examples of {side.name} {were} left out "
            f"({', '.join(some)}{', ...' if left > 3 else ''}).",
        )
    return replace(
        side,
        models=tuple(
            replace(
                m,
                output=_Rows(m.output, rows),
                scores=None if m.scores is None else _Rows(m.scores, rows),
                right=None if m.right is None else m.right[rows],
            )
            for m in side.models
        ),
        ids=tuple(order),
        label=None if side.label is None else side.label[rows],
        columns={name: [values[i] for i in rows] for name, values in side.columns.items()},
        notes=notes,
    )


class _Rows:
    """Some rows of an array that may lie on the disk; they are read when they are asked for."""

    def __init__(self, array: Array, rows: Array) -> None:
        self.array, self.rows = array, rows
        self.ndim, self.shape = array.ndim, (len(rows), *array.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: slice) -> Array:
        return self.array[self.rows[at]]


def one_side(members: Sequence[Side], name: str) -> Side:
    """Return several sides as the models of one, joined by their ids."""
    same = joined(members)
    labels = [m.label for m in same if m.label is not None]
    return Side(
        tuple(model for m in same for model in m.models),
        name,
        same[0].ids,
        labels[0] if labels else None,
        {k: v for m in reversed(same) for k, v in m.columns.items()},
        tuple(dict.fromkeys(note for m in same for note in m.notes)),
    )
