"""`audit`: whatever was handed in becomes one table of the same examples, and that is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .comparison import DRAWS, Material, compare
from .errors import AuditError
from .join import joined
from .models import ask_all, models_in
from .result import Audit
from .scores import BLOCK, Reducer
from .values import Side, as_array, as_label, encode, parsed, side_of


Array = NDArray[Any]
MOST_GROUPS = 1000


def audit(
    before: Any,
    after: Any,
    labels: Any = None,
    *,
    null: Any = None,
    groups: Any = None,
    classes: Sequence[str] | None = None,
    ids: Sequence[Any] | None = None,
    show: Mapping[str, Sequence[Any]] | Sequence[str] = (),
    data: Any = None,
    paired: bool = False,
    level: float = 0.05,
    draws: int = DRAWS,
    seed: int = 0,
) -> Audit:
    """Compare the answers of one model or several with those of one or several others, on the same examples.

    Args:
        before, after: answers, (examples,) or (models, examples), as whole numbers or text; or scores (logits or
            chances), (examples, classes) or (models, examples, classes); or a list or mapping of such; or what
            `load_side` read; or, with `data`, models: callables, scikit-learn estimators, torch modules. Arrays may be
            numpy's, torch's or lists. No answer is a negative number, NaN, None or an empty text: it is never right, and
            two of them agree. A score that is NaN is not an answer.
        labels: right answers, or the column that holds them. Negative, NaN, None or empty: not known; such an example
            takes part in what flips and in nothing about right and wrong.
        null: a second population that should equal the first: what chance, or training again, does. As `before`.
        groups: a column's name to a value per example; one sequence of values; or names of columns that the sides hold.
        classes: what the whole numbers 0, 1, ... are called.
        ids: what the examples are called. Sides that were read with ids are joined by them.
        show: more columns to keep for the page, as `groups`.
        data: inputs for models: an array, or batches (inputs, or pairs of inputs and labels), read once.
        paired: model k after was made from model k before (pruned, quantised): members are compared in pairs. Models of
            one side are otherwise taken to be independent, and so are those of different sides.
        level: of the false discovery rate, and of what intervals leave out.

    Raises:
        AuditError: what was given cannot be audited; says what it is and what to give.
    """
    if not 0 < level < 1:
        raise AuditError(f"level is {level}: it is a share between 0 and 1, 0.05 by custom.")
    sides, reducer, labels = _asked(before, after, null, labels, ids, data)
    if paired and reducer.k0 != reducer.k1:
        raise AuditError(
            f"{reducer.k0} model{'s' * (reducer.k0 != 1)} before and {reducer.k1} after: paired ones are as many. Leave `paired` out, or "
            "match them."
        )
    given = [np.concatenate(parts) for parts in reducer.answers]
    n = len(given[0])
    label = _label(labels, sides, n)
    codes, names = encode([*given, *([] if label is None else [label])], classes)
    columns = _columns(sides)
    in_groups = _chosen(groups, columns, "group")
    to_show = _chosen(show, columns, "shown")
    material = Material(
        *_apart(np.stack(codes[: len(given)]), reducer),
        label=None if label is None else codes[-1],
        answers=names,
        groups={name: _groups(values, name, n) for name, values in in_groups.items()},
        ids=_ids(sides, ids, n),
        scores=reducer.scores(),
        columns={c: [_shown(v) for v in _sized(values, c, n)] for c, values in to_show.items()},
        notes=_notes(sides, reducer),
    )
    material = _judged(material, sides, reducer)
    return compare(material, paired=paired, level=level, draws=draws, seed=seed)


def _asked(
    before: Any, after: Any, null: Any, labels: Any, ids: Sequence[Any] | None, data: Any
) -> tuple[list[Side], Reducer, Any]:
    """Return the sides, what their models answered, and the right answers, which may come with `data`."""
    models = [models_in(side) if side is not None else [] for side in (before, after, null)]
    if models[0] is not None and models[1] is not None and models[2] is not None:
        if data is None:
            raise AuditError(
                "before and after are models: give `data` too, what they are to be asked about."
            )
        reducer, found = ask_all([side for side in models if side is not None], data)
        sides = [Side((), name="before"), Side((), name="after")]
        return sides, reducer, found if labels is None else labels
    n = _length(labels, ids)
    sides = [side_of(before, "before", n), side_of(after, "after", n)]
    if null is not None:
        sides.append(side_of(null, "null", n))
    sides = joined(_named(sides, ids))
    return sides, _reduced(sides), labels


def _apart(rows: Array, reducer: Reducer) -> tuple[Array, Array, Array | None]:
    """Return the rows of the models before, of those after and of the null, None where there is none."""
    first, last = reducer.k0, reducer.k0 + reducer.k1
    return rows[:first], rows[first:last], rows[last:] if reducer.k2 else None


def _judged(material: Material, sides: Sequence[Side], reducer: Reducer) -> Material:
    """Add which answers are right, where every model's file said so itself."""
    rights = [model.right for side in sides for model in side.models]
    if not rights or any(right is None for right in rights):
        return material
    table = np.stack([np.asarray(right, float) for right in rights])
    before, after, null = _apart(table > 0.5, reducer)
    known = ~np.isnan(table).any(0)
    return replace(material, right_before=before, right_after=after, right_null=null, known=known)


def _length(labels: Any, ids: Sequence[Any] | None) -> int | None:
    if labels is not None and not isinstance(labels, str):
        return len(as_array(labels))
    return None if ids is None else len(ids)


def _named(sides: Sequence[Side], ids: Sequence[Any] | None) -> list[Side]:
    if ids is None:
        return list(sides)
    texts = tuple(map(str, ids))
    return [side if side.ids is not None else replace(side, ids=texts) for side in sides]


def _reduced(sides: Sequence[Side]) -> Reducer:
    """Read all outputs once, a block of examples at a time."""
    models = [model for side in sides for model in side.models]
    counts = (
        len(sides[0].models),
        len(sides[1].models),
        len(sides[2].models) if len(sides) > 2 else 0,
    )
    reducer = Reducer(counts, [m.classes for m in models], [m.name or "a side" for m in models])
    n = len(sides[0])
    tables = [t for m in models for t in (m.output, m.scores) if t is not None and t.ndim == 2]
    block = max(1, BLOCK // max(t.shape[1] for t in tables)) if tables else max(n, 1)
    for start in range(0, n, block):
        rows = slice(start, start + block)
        reducer.add(
            [np.asarray(m.output[rows]) for m in models],
            [None if m.scores is None else np.asarray(m.scores[rows]) for m in models],
        )
    return reducer


def _label(labels: Any, sides: Sequence[Side], n: int) -> Array | None:
    if isinstance(labels, str):
        columns = _columns(sides)
        if labels not in columns:
            raise AuditError(f"No column is called {labels!r}; there are: {_list(columns)}.")
        return as_label(parsed(columns[labels]), labels)
    if labels is not None:
        return _sized_array(as_label(labels), "labels", n)
    found = [(side.name, side.label) for side in sides if side.label is not None]
    if not found:
        return None
    first_name, first = found[0]
    for name, other in found[1:]:
        [one, two], _ = encode([as_label(first), as_label(other)])
        different = np.flatnonzero(one != two)
        if len(different):
            at = int(different[0])
            called = sides[0].ids[at] if sides[0].ids is not None else f"number {at + 1}"
            raise AuditError(
                f"{len(different):,} of {len(one):,} examples have another right answer in {name} than in {first_name}, the first is "
                f"{called} ({first[at]} and {other[at]}): these are not the same examples."
            )
    return as_label(first)


def _columns(sides: Sequence[Side]) -> dict[str, Sequence[Any]]:
    columns: dict[str, Sequence[Any]] = {}
    for side in sides:
        for name, values in side.columns.items():
            columns.setdefault(name, values)
    return columns


def _chosen(
    wanted: Any, columns: Mapping[str, Sequence[Any]], what: str
) -> dict[str, Sequence[Any]]:
    """Return columns by name: given as such, as one sequence of values, or as names of columns that are there."""
    if wanted is None:
        return {}
    if isinstance(wanted, Mapping):
        return dict(wanted)
    if isinstance(wanted, str):
        wanted = [wanted]
    names = list(wanted) if isinstance(wanted, list | tuple) else None
    if names is not None and all(isinstance(name, str) for name in names) and columns:
        missing = [name for name in names if name not in columns]
        if missing:
            raise AuditError(f"No column is called {missing[0]!r}; there are: {_list(columns)}.")
        return {name: columns[name] for name in names}
    return {what: wanted} if len(wanted) else {}


def _list(names: Any) -> str:
    return ", ".join(map(str, names)) or "none"


def _groups(values: Any, name: str, n: int) -> tuple[NDArray[np.int32], list[str]]:
    array = _sized(values, name, n)
    if array.ndim != 1:
        raise AuditError(f"The groups {name!r} are {array.shape}: one value an example is needed.")
    if array.dtype.kind == "b":
        array = array.astype(object)
    if array.dtype.kind == "f" and not np.isnan(array).all():
        array = np.asarray([None if np.isnan(v) else f"{v:g}" for v in array], object)
    [codes], names = encode([_negatives_as_text(as_label(array, name))])
    found = int((np.bincount(codes[codes >= 0], minlength=1) > 0).sum())
    if found > MOST_GROUPS or (found > 20 and found > n / 2):
        raise AuditError(
            f"{name!r} has {found:,} different values at {n:,} examples: that is not a group. Cut it into a few ranges."
        )
    return codes, names


def _negatives_as_text(array: Array) -> Array:
    """A group may well be called -1, and is not worth a table as long as its largest number."""
    if array.dtype.kind == "i" and len(array) and (array.min() < 0 or array.max() > MOST_GROUPS):
        return np.asarray([str(v) for v in array.tolist()], object)
    return array


def _sized(values: Any, name: str, n: int) -> Array:
    return _sized_array(as_array(values), f"The column {name!r}", n)


def _sized_array(array: Array, name: str, n: int) -> Array:
    if len(array) != n:
        raise AuditError(f"{name} has {len(array):,} values and there are {n:,} examples.")
    return array


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


def _ids(sides: Sequence[Side], ids: Sequence[Any] | None, n: int) -> tuple[str, ...]:
    if sides[0].ids is not None:
        return sides[0].ids
    if ids is not None:
        return tuple(map(str, _sized(ids, "ids", n).tolist()))
    return tuple(map(str, range(n)))


def _notes(sides: Sequence[Side], reducer: Reducer) -> tuple[str, ...]:
    notes = [note for side in sides for note in side.notes]
    if reducer.why_not and reducer.some:
        notes.append(f"No divergence: {reducer.why_not}.")
    silent = sum(
        int(sum(1 for v in part if v is None) if part.dtype.kind == "O" else (part < 0).sum())
        for parts in reducer.answers
        for part in parts
    )
    if silent:
        notes.append(
            f"{silent:,} {'answer is' if silent == 1 else 'answers are'} missing. A missing answer is never right, and two of them agree."
        )
    return tuple(dict.fromkeys(notes))
