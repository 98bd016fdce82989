"""Predictions on the disk: `.npy`, `.npz`, `.csv`, `.tsv`, `.jsonl`, `.json`, sample logs, and folders of them.

`FILE:NAME,NAME` chooses columns or arrays of a file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studiolo.files import kind_at

from . import logs
from .errors import AuditError
from .join import one_side
from .text import json_lines, load_json, open_text
from .values import Model, Side, as_array, as_label, is_pipeline, parsed, side_of


Array = NDArray[Any]
ID = ("id", "ids", "doc_id", "example_id", "sample_id", "idx")
LABEL = ("label", "labels", "target", "targets", "truth", "y_true", "gold", "y")
ANSWERS = ("prediction", "pred", "answer", "output", "model", "y_pred")
SCORES = ("logit", "prob", "score", "log_prob", "p_")
SUFFIXES = (".npy", ".npz", ".csv", ".tsv", ".jsonl", ".json", ".jsonl.gz", ".json.gz", ".eval")


def load_side(where: str | Path, name: str, *, metric: str = "", filter_: str = "") -> Side:
    """Read one side from a file, a file with chosen columns (`FILE:NAME,NAME`), or a folder.

    Args:
        name: of the side, for messages.
        metric: of sample logs, by which an answer is right; by default `acc`, `exact_match`, or the first that is 0 or 1.
        filter_: of sample logs of lm-evaluation-harness; by default the first.

    Raises:
        AuditError: it cannot be read as predictions; says why.
    """
    path, chosen = _split(where)
    if kind_at(path) == "folder":
        side = _load_folder(path, name, metric, filter_)
    else:
        side = _load_file(path, chosen, name, metric, filter_)
    if not side.models:
        columns = ", ".join(side.columns) or "none"
        raise AuditError(
            f"{path} has no column of predictions that can be told from the others ({columns}): name them, "
            f"as in {path.name}:COLUMN."
        )
    return replace(side, name=name)


def with_label(side: Side, where: str) -> Side:
    """Return a side with right answers: a column that it holds, or a file with one value an example."""
    if where in side.columns:
        return replace(side, label=as_label(parsed(side.columns[where]), where))
    table = _table(where, side)
    values = table.label
    if values is None:
        found = {k: v for k, v in table.columns.items() if k not in ID}
        if len(found) != 1:
            raise AuditError(
                f"{where} has no column called label, and {len(found)} others: name one, as in {where}:COLUMN."
            )
        values = as_label(parsed(next(iter(found.values()))), where)
    picked = _beside(values.tolist(), table, side, where)
    return replace(side, label=as_label(parsed(picked), where))


def with_columns(side: Side, where: str) -> tuple[Side, list[str]]:
    """Return a side with more columns, and their names: those it holds (`a,b`), or those of a file."""
    names = [n.strip() for n in where.split(",")]
    if all(n in side.columns for n in names):
        return side, names
    path, _ = _split(where)
    if not kind_at(path):
        missing = next(n for n in names if n not in side.columns)
        raise AuditError(
            f"There is neither a column nor a file called {missing!r}; columns are: {', '.join(side.columns) or 'none'}."
        )
    table = _table(where, side)
    columns = dict(table.columns)
    if not columns and table.label is not None:
        columns.setdefault(path.stem, table.label.tolist())
    added = {n: _beside(v, table, side, where) for n, v in columns.items()}
    return replace(side, columns={**side.columns, **added}), list(added)


def _table(where: str, side: Side) -> Side:
    """Read a file of columns: everything that a side would take for predictions is a column here."""
    path, chosen = _split(where)
    suffix = _suffix(path)
    if kind_at(path) != "file":
        raise AuditError(
            f"There is neither a file nor a column called {where!r}; columns are: {', '.join(side.columns) or 'none'}."
        )
    if suffix == ".npy":
        return Side((), label=as_label(_load_npy(path), str(path)), columns={})
    if suffix == ".npz":
        columns: dict[str, Sequence[Any]] = {k: v.tolist() for k, v in _load_npz(path).items()}
    elif suffix in (".csv", ".tsv"):
        columns = dict(_load_csv(path))
    else:
        columns = _columns_of(_rows(path))
    ids = next((columns.pop(n) for n in ID if n in columns), None)
    if chosen:
        columns = {n: _named(columns, n, path) for n in chosen}
    label = None
    if not chosen and (found := next((n for n in LABEL if n in columns), None)):
        label = as_label(parsed(columns[found]), found)
    elif len(columns) == 1:
        [(found, values)] = columns.items()
        label = as_label(parsed(values), found)
    return Side((), ids=None if ids is None else tuple(map(str, ids)), label=label, columns=columns)


def _beside(values: Sequence[Any], table: Side, side: Side, where: str) -> list[Any]:
    """Return the values of a table in the order of a side, by id where both have ids."""
    if table.ids is not None and side.ids is not None:
        place = dict(zip(table.ids, values, strict=True))
        if not any(name in place for name in side.ids):
            raise AuditError(
                f"{where} and {side.name} share no id: {table.ids[0]!r} there, {side.ids[0]!r} here."
            )
        return [place.get(name) for name in side.ids]
    if len(values) != len(side):
        raise AuditError(
            f"{where} has {len(values):,} values and {side.name} {len(side):,} examples: give ids on both, or the same "
            "examples in the same order."
        )
    return list(values)


def _split(where: str | Path) -> tuple[Path, list[str]]:
    text = str(where)
    if kind_at(Path(text)) or ":" not in text:
        return Path(text), []
    path, _, names = text.rpartition(":")
    return Path(path), [n.strip() for n in names.split(",") if n.strip()]


def _suffix(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes]
    return "".join(suffixes[-2:]) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def _load_folder(folder: Path, name: str, metric: str, filter_: str) -> Side:
    side = logs.load_folder(folder, name, metric=metric, filter_=filter_)
    if side is not None:
        return side
    files = sorted(p for p in folder.iterdir() if p.is_file() and _suffix(p) in SUFFIXES)
    if not files:
        raise AuditError(
            f"{folder} holds no predictions: give sample logs (samples_*.jsonl, *.eval) or a file a model "
            f"({', '.join(SUFFIXES[:6])})."
        )
    return one_side([_load_file(p, [], f"{name} {p.stem}", metric, filter_) for p in files], name)


def _load_file(path: Path, chosen: Sequence[str], name: str, metric: str, filter_: str) -> Side:
    if kind_at(path) != "file":
        raise AuditError(f"{path} does not exist. Give a file of predictions or a folder of them.")
    suffix = _suffix(path)
    if suffix == ".npy":
        return side_of(_load_npy(path), name)
    if suffix == ".npz":
        return _from_arrays(_load_npz(path), chosen, name, path)
    if suffix in (".csv", ".tsv"):
        return _from_columns(_load_csv(path), chosen, name, path)
    if suffix == ".eval":
        return logs.load_inspect(path, name, metric=metric)
    if suffix in (".jsonl", ".json", ".jsonl.gz", ".json.gz"):
        if suffix.startswith(".json") and not suffix.startswith(".jsonl"):
            content = load_json(path)
            if isinstance(content, dict) and "samples" in content:
                return logs.load_inspect(path, name, metric=metric)
            if not isinstance(content, list):
                raise AuditError(f"{path} is JSON but no list of examples and no Inspect log.")
            if (content and not isinstance(content[0], dict)) or is_pipeline(content):
                return side_of(content, name)
        rows = list(_rows(path))
        if rows and logs.is_lm_eval(rows[0]):
            return logs.load_lm_eval([path], name, metric=metric, filter_=filter_)
        return _from_rows(rows, chosen, name, path)
    raise AuditError(f"{path} is none of {', '.join(SUFFIXES)}.")


def _load_npy(path: Path) -> Array:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise AuditError(
            f"{path} cannot be read as an array: {error}. Arrays of Python objects are not opened; save numbers or text."
        ) from None


def _load_npz(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as content:
            return {key: content[key] for key in content.files}
    except (ValueError, OSError, EOFError) as error:
        raise AuditError(f"{path} cannot be read as arrays: {error}.") from None


def _from_arrays(arrays: dict[str, Array], chosen: Sequence[str], name: str, path: Path) -> Side:
    arrays = dict(arrays)
    ids = next((arrays.pop(n) for n in ID if n in arrays), None)
    beside = dict(arrays)  # right answers too, which --labels may name
    label = next((arrays.pop(n) for n in LABEL if n in arrays and n not in chosen), None)
    wanted = (
        list(chosen)
        or [n for n in arrays if n.lower().startswith(ANSWERS + SCORES)]
        or [n for n, a in arrays.items() if a.ndim > 1]
        or (list(arrays) if len(arrays) == 1 else [])
    )
    n = None if label is None else len(label)
    models = tuple(
        replace(m, name=f"{name} {key}")
        for key in wanted
        for m in side_of(_named(arrays, key, path), f"{name} {key}", n).models
    )
    columns = {k: a.tolist() for k, a in beside.items() if k not in wanted and a.ndim == 1}
    return Side(
        models,
        name,
        None if ids is None else tuple(map(str, ids.tolist())),
        None if label is None else as_label(label, f"{name} labels"),
        columns,
    )


def _load_csv(path: Path) -> dict[str, Sequence[str]]:
    with open_text(path) as file:
        try:
            rows = list(csv.reader(file, delimiter="\t" if _suffix(path) == ".tsv" else ","))
        except csv.Error as error:
            raise AuditError(
                f"{path} cannot be read as a table: {error}. JSON lines can."
            ) from None
    rows = [row for row in rows if row]
    if not rows:
        raise AuditError(f"{path} is empty.")
    width = len(rows[0])
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise AuditError(
                f"Row {number} of {path} has {len(row)} cells and the first has {width}."
            )
    if all(_is_number(cell) for cell in rows[0]):  # no header
        names, body = [f"model {k}" for k in range(1, width + 1)], rows
    else:
        names, body = rows[0], rows[1:]
    if len(set(names)) < len(names):
        raise AuditError(f"{path} has two columns of one name: {', '.join(names)}.")
    if not body:
        raise AuditError(f"{path} has a header and no row.")
    return dict(zip(names, zip(*body, strict=True), strict=True))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _from_columns(
    columns: Mapping[str, Sequence[Any]], chosen: Sequence[str], name: str, path: Path
) -> Side:
    rest = dict(columns)
    ids = next((rest.pop(n) for n in ID if n in rest and n not in chosen), None)
    beside = dict(rest)  # right answers too, which --labels may name
    label = next((rest.pop(n) for n in LABEL if n in rest and n not in chosen), None)
    wanted = list(chosen) or [n for n in rest if n.lower().startswith(ANSWERS)]
    scored = (
        [n for n in (chosen or rest) if n.lower().startswith(SCORES)]
        if not wanted or chosen
        else []
    )
    if not wanted and not scored and len(rest) == 1:
        wanted = list(rest)
    models: tuple[Model, ...]
    if len(scored) > 1 and set(wanted) <= set(scored):
        table = np.stack([_numbers(_named(columns, n, path), n, path) for n in scored], 1)
        names = tuple(_class_name(n) for n in scored)
        numbered = names == tuple(str(i) for i in range(len(names)))
        models = (Model(table, None if numbered else names, name=name),)
        wanted = scored
    else:
        models = tuple(Model(parsed(_named(columns, n, path)), name=f"{name} {n}") for n in wanted)
    return Side(
        models,
        name,
        None if ids is None else tuple(map(str, ids)),
        None if label is None else as_label(parsed(label), f"{name} labels"),
        {k: v for k, v in beside.items() if k not in wanted},
    )


def _numbers(cells: Sequence[Any], column: str, path: Path) -> Array:
    array = parsed(cells)
    if array.dtype.kind == "O":
        raise AuditError(f"The column {column!r} of {path} holds text where scores are expected.")
    return array.astype(float)


def _class_name(column: str) -> str:
    """Return the class that a column of scores is about: prob_cat, logit 3."""
    for prefix in sorted((*SCORES, "probability", "logits", "scores"), key=len, reverse=True):
        if column.lower().startswith(prefix):
            return column[len(prefix) :].strip(" _:-") or column
    return column


def _named(columns: Mapping[str, Any], column: str, path: Path) -> Any:
    if column not in columns:
        raise AuditError(f"{path} has no {column!r}; there are: {', '.join(columns)}.")
    return columns[column]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if _suffix(path) in (".json", ".json.gz"):
        rows = load_json(path)
        yield from rows if isinstance(rows, list) else [rows]
        return
    yield from json_lines(path)


def _columns_of(rows: Iterator[dict[str, Any]]) -> dict[str, Sequence[Any]]:
    table = list(rows)
    names = dict.fromkeys(key for row in table for key in row)
    return {name: [row.get(name) for row in table] for name in names}


def _from_rows(
    rows: Sequence[dict[str, Any]], chosen: Sequence[str], name: str, path: Path
) -> Side:
    """Read lines with a prediction, a list of predictions (several models), or a list of scores."""
    if not rows:
        raise AuditError(f"{path} holds no example.")
    columns = _columns_of(iter(rows))
    nested = [n for n in columns if any(isinstance(v, list | dict) for v in columns[n])]
    wanted = [
        n for n in (chosen or nested) if n in nested and n.lower().startswith(SCORES + ANSWERS)
    ]
    if chosen:
        wanted = [n for n in chosen if n in nested]
    if not wanted:
        flat = {n: v for n, v in columns.items() if n not in nested}
        return _from_columns(flat, chosen, name, path)
    side = _from_columns(
        {n: v for n, v in columns.items() if n not in nested} or {"": []}, [], name, path
    )
    models = tuple(m for n in wanted for m in _from_lists(columns[n], n, name, path))
    return replace(side, models=models)


def _from_lists(values: Sequence[Any], column: str, name: str, path: Path) -> tuple[Model, ...]:
    mappings = all(isinstance(v, dict) for v in values)
    classes = tuple(sorted({k for v in values for k in v})) if mappings else None
    rows = [[v.get(c) for c in classes] for v in values] if classes else values
    widths = {len(v) if isinstance(v, list) else -1 for v in rows}
    if len(widths) > 1 or -1 in widths:
        raise AuditError(f"The lists {column!r} of {path} differ in length: {sorted(widths)}.")
    array = as_array(rows)
    if array.dtype.kind == "O":
        array = parsed_table(array)
    if column.lower().startswith(SCORES) or classes:
        return (Model(array.astype(float), classes, name=name),)
    return tuple(
        Model(parsed(array[:, k].tolist()), name=f"{name} {k + 1}") for k in range(array.shape[1])
    )


def parsed_table(array: Array) -> Array:
    """Return a table of numbers in which None is NaN; text stays text."""
    try:
        return array.astype(float)
    except (TypeError, ValueError):
        return array
