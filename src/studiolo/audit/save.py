"""An audit as JSON and as a CSV of its examples."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .result import Accuracy, Audit, Flips, Parts


FORMAT = 1


def audit_json(audit: Audit) -> str:
    """Return everything but the examples as JSON. What is not known is null; shares are between 0 and 1."""
    pies = audit.pies
    content = {
        "format": FORMAT,
        "about": audit.about,
        "models": dict(zip(("before", "after", "null"), audit.models, strict=True)),
        "paired": audit.paired,
        "level": audit.level,
        "examples": audit.n,
        "known": audit.known,
        "flips": _flips(audit.flips),
        "floor": audit.floor,
        "floor_flips": audit.floor_flips and _flips(audit.floor_flips),
        "accuracy": audit.accuracy and _accuracy(audit.accuracy),
        "floor_accuracy": audit.floor_accuracy and _accuracy(audit.floor_accuracy),
        "divergence": audit.divergence
        and {name: getattr(audit.divergence, name) for name in ("mean", "low", "high", "floor")},
        "pies": {
            "count": int(audit.examples.pie.sum()),
            **{name: getattr(pies, name) for name in ("share", "size", "at_size", "floor")},
        },
        "forgotten": audit.forgotten,
        "gained": audit.gained,
        "floor_findings": audit.floor_findings,
        "classes": audit.classes and _parts(audit.classes, audit.level),
        "groups": {name: _parts(parts, audit.level) for name, parts in audit.groups.items()},
        "notes": list(audit.notes),
    }
    return json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)


def _flips(flips: Flips) -> dict[str, float]:
    names = ("agreement", "right_to_wrong", "wrong_to_right", "wrong_to_wrong", "unknown")
    return {name: getattr(flips, name) for name in names}


def _accuracy(accuracy: Accuracy) -> dict[str, Any]:
    names = ("before", "after", "change", "low", "high", "p", "test")
    return {name: getattr(accuracy, name) for name in names}


def _parts(parts: Parts, level: float) -> dict[str, Any]:
    numbers = (
        "size", "before", "after", "change", "relative", "low", "high", "effect",
        "statistic", "freedom", "p", "q", "flips", "null_relative",
    )  # fmt: skip
    rows = []
    for i, name in enumerate(parts.names):
        row: dict[str, Any] = {"name": name}
        for number in numbers:
            values = getattr(parts, number)
            row[number] = None if values is None else values[i]
        rows.append(row)
    return {
        "test": parts.test,
        "lost": int(parts.lost(level).sum()),
        "gained": int(parts.gained(level).sum()),
        "null_findings": parts.null_findings,
        "parts": rows,
    }


def _plain(value: Any) -> Any:
    """Return what JSON can say: no arrays, and null in place of NaN and infinity."""
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def examples_csv(audit: Audit) -> str:
    """Return one row per example: answers, votes, scores and q, and the columns that were kept to be shown."""
    ex = audit.examples
    unknown = [""] * audit.n
    columns: dict[str, Sequence[Any]] = {
        "id": ex.ids,
        "label": unknown
        if ex.label is None
        else [audit.answers[c] if c >= 0 else "" for c in ex.label.tolist()],
        "before": [audit.answers[c] if c >= 0 else "" for c in ex.answer_before.tolist()],
        "after": [audit.answers[c] if c >= 0 else "" for c in ex.answer_after.tolist()],
        "right_before": ex.right_before.tolist(),
        "right_after": ex.right_after.tolist(),
        "votes_before": ex.votes_before.tolist(),
        "votes_after": ex.votes_after.tolist(),
        "pie": ex.pie.astype(int).tolist(),
        "score": ex.score.tolist(),
        "p": ex.p.tolist(),
        "q": ex.q.tolist(),
    }
    for name, values in (
        ("divergence", ex.divergence),
        ("margin_before", ex.margin_before),
        ("margin_after", ex.margin_after),
    ):
        if values is not None:
            columns[name] = values.tolist()
    columns |= {name: values for name, values in audit.columns.items() if name not in columns}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(
        [
            f"{cell:.6g}"
            if isinstance(cell, float) and cell == cell
            else ""
            if cell != cell
            else cell
            for cell in row
        ]
        for row in zip(*columns.values(), strict=True)
    )
    return file.getvalue()
