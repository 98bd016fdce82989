"""Figures from records: Vega-Lite specifications with the table of what they show. No paper is imported."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studiolo.claims import Axis, Figure, Interval, Series, statistic
from studiolo.runs import Record

from .theme import CONFIG, INK, MEASURED, SOFT


MAX_POINTS = 240  # of a drawn curve; its extremes are kept
MAX_CELLS = (56, 36)  # of a drawn heat map, x and y
MAX_ROWS = 24  # of the data table under a figure
WIDTH, HEIGHT = 640, 320
_LEGEND = {
    "orient": "top",
    "symbolType": "stroke",
    "symbolSize": 400,
    "columns": 2,
    "labelLimit": 0,
}

Arrays = dict[str, Any]
Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure ready for a page.

    Attributes:
        spec: Vega-Lite with placeholder colours (`theme`), or None for a gallery.
        images: (picture, caption) of a gallery; pictures are rows of grey levels 0 to 1.
        columns, rows: the data table; `omitted` rows were left out to keep it readable.
        seeds: how many seeds it rests on. machine: where they were measured.
    """

    figure: Figure
    seeds: int
    machine: str
    here: bool
    spec: Spec | None = None
    images: Sequence[tuple[Any, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default_factory=list)
    omitted: int = 0


def draw(
    figure: Figure, records: Sequence[Record], folder: Path, *, machine: str, here: bool
) -> Drawn | None:
    """Draw a figure from the records of its experiment; None where they hold nothing of it.

    Args:
        folder: where the records' arrays lie.
        machine, here: where the records come from, and whether that is this machine.

    Raises:
        ValueError: the arrays cannot be such a figure; says which and why.
    """
    arrays = list(_arrays(records, folder))
    match figure.kind:
        case "lines" | "points":
            parts = _curves(figure, arrays)
        case "heatmap":
            parts = _heatmap(figure, arrays)
        case "bars":
            parts = _bars(figure, records)
        case "gallery":
            parts = _gallery(figure, arrays)
        case _:
            parts = {}
    if not parts:
        return None
    return Drawn(figure=figure, seeds=len(records), machine=machine, here=here, **parts)


def _arrays(records: Sequence[Record], folder: Path) -> Iterator[Arrays]:
    import numpy as np

    for record in records:
        if record.arrays and (path := folder / record.arrays).is_file():
            try:
                with path.open("rb") as file, np.load(file) as archive:
                    yield {name: archive[name] for name in archive.files}
            except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
                raise ValueError(f"{path.name} is damaged ({error})") from error


def _numbers(arrays: Arrays, name: str, ndim: int = 1, *, size: int | None = None) -> Any:
    """One array of the outcome as numbers, if it is what the figure needs."""
    import numpy as np

    found = np.asarray(arrays[name])
    if found.dtype.kind not in "biuf":
        raise ValueError(f"the array {name!r} holds {found.dtype}, not numbers")
    if found.ndim != ndim or 0 in found.shape:
        kind = {1: "a row", 2: "a table", 3: "a row of pictures"}[ndim]
        raise ValueError(f"the array {name!r} has the shape {found.shape}, not that of {kind}")
    if size is not None and len(found) != size:
        raise ValueError(f"the array {name!r} has {len(found)} values where x has {size}")
    return found.astype(float)


def _places(arrays: Arrays, axis: Axis) -> Any:
    """The places along an axis: finite, and positive where the axis is logarithmic."""
    import numpy as np

    found = _numbers(arrays, axis.array)
    if not np.isfinite(found).all():
        raise ValueError(f"the array {axis.array!r} holds places that are not finite")
    if axis.scale == "log" and (found <= 0).any():
        raise ValueError(f"the array {axis.array!r} goes down to {found.min():g} on a log axis")
    return found


def _curves(figure: Figure, arrays: Sequence[Arrays]) -> dict[str, Any]:
    arrays = [a for a in arrays if figure.x.array in a]
    series = [s for s in figure.series if any(s.array in a for a in arrays)]
    if not series:
        return {}
    x = [float(v) for v in _places(arrays[0], figure.x)]
    measured = {
        s.label: [_numbers(a, s.array, size=len(x)) for a in arrays if s.array in a] for s in series
    }
    curves = {
        label: [_median([row[i] for row in rows]) for i in range(len(x))]
        for label, rows in measured.items()
    }
    shown = _thinned([[m.estimate for m in curve] for curve in curves.values()])
    values: list[Spec] = [
        {"x": x[i], "series": label, **_point(curve[i], figure)}
        for label, curve in curves.items()
        for i in shown
    ]
    if figure.kind == "points":
        dot = {"type": "point", "filled": True, "size": 55}
        layers = [_error_bars(), {"mark": dot, "encoding": {"color": _colour(series)}}]
    else:
        layers = [_band(series), _line(series)]
    if all(v["low"] is None for v in values):
        layers = layers[1:]
    spec = _base(figure) | {
        "data": {"values": values},
        "encoding": {
            "x": _axis(figure.x, "x", x),
            "y": _axis(figure.y, "y", [v["y"] for v in values]),
            "tooltip": _tooltip(figure),
        },
        "layer": [*layers, *_paper_points(figure)],
        "resolve": {"legend": {"color": "independent", "strokeDash": "independent"}},
    }
    rows = [
        [_number(x[i]), *(_measured(curves[s.label][i]) for s in series)]
        for i in range(0, len(x), -(-len(x) // MAX_ROWS))
    ]
    columns = [figure.x.label, *(s.label for s in series)]
    return {"spec": spec, "columns": columns, "rows": rows, "omitted": len(x) - len(rows)}


def _bars(figure: Figure, records: Sequence[Record]) -> dict[str, Any]:
    values: list[Spec] = []
    rows = []
    for series in figure.series:
        row = [series.label]
        for label, name in zip(figure.x.labels, series.values, strict=False):
            measured = [r.values[name] for r in records if name in r.values]
            if measured:
                middle = _median(measured)
                values.append({"x": label, "series": series.label, **_point(middle, figure)})
                row.append(_measured(middle))
            else:
                row.append("–")
        rows.append(row)
    if not values:
        return {}
    one = len(figure.series) == 1
    spec = _base(figure) | {
        "data": {"values": values},
        "encoding": {
            "x": {
                "field": "x",
                "type": "nominal",
                "sort": None,
                "title": figure.x.label or None,
                "axis": {"labelAngle": 0},
            },
            "y": _axis(figure.y, "y", [v["y"] for v in values]),
            "color": _colour(figure.series) | ({"legend": None} if one else {}),
            "tooltip": _tooltip(figure),
            **({} if one else {"xOffset": {"field": "series", "sort": None}}),
        },
        "layer": [
            {"mark": {"type": "bar", "opacity": 0.85}},
            *([_error_bars()] if any(v["low"] is not None for v in values) else []),
        ],
    }
    return {"spec": spec, "columns": [figure.y.label or "series", *figure.x.labels], "rows": rows}


def _heatmap(figure: Figure, arrays: Sequence[Arrays]) -> dict[str, Any]:
    import numpy as np

    wanted = (figure.x.array, figure.y.array, figure.z.array)
    arrays = [a for a in arrays if all(name in a for name in wanted)]
    if not arrays:
        return {}
    x, y = _places(arrays[0], figure.x), _places(arrays[0], figure.y)
    depths = [_numbers(a, figure.z.array, 2) for a in arrays]
    if wrong := {z.shape for z in depths} - {(len(y), len(x)), (len(x), len(y))}:
        raise ValueError(
            f"the array {figure.z.array!r} has the shape {wrong.pop()} where y has {len(y)} and x has {len(x)} values"
        )
    with np.errstate(invalid="ignore"):  # of infinities
        z = np.median([z if z.shape == (len(y), len(x)) else z.T for z in depths], axis=0)
    columns, rows = _spread(len(x), MAX_CELLS[0]), _spread(len(y), MAX_CELLS[1])
    x_edges, y_edges = _edges(x[columns], figure.x.scale), _edges(y[rows], figure.y.scale)
    values = [
        {
            "x": x_edges[i], "x2": x_edges[i + 1], "y": y_edges[j], "y2": y_edges[j + 1],
            "z": _finite(float(z[row, column]), figure.z.scale),
        }
        for i, column in enumerate(columns)
        for j, row in enumerate(rows)
    ]  # fmt: skip
    spec = _base(figure) | {
        "data": {"values": values},
        "mark": {"type": "rect", "clip": True},
        "encoding": {
            "x": _axis(figure.x, "x", x_edges) | {"scale": _scale(figure.x, tight=True)},
            "x2": {"field": "x2"},
            "y": _axis(figure.y, "y", y_edges) | {"scale": _scale(figure.y, tight=True)},
            "y2": {"field": "y2"},
            "color": {
                "field": "z",
                "type": "quantitative",
                "title": figure.z.label,
                "scale": {"type": figure.z.scale, "scheme": "viridis"},
                "legend": {"orient": "top", "gradientLength": 260},
            },
        },
    }
    few = _spread(len(x), 6)
    table = [
        [_number(float(y[r])), *(_number(float(z[r, c])) for c in few)]
        for r in _spread(len(y), MAX_ROWS)
    ]
    heads = [f"{figure.y.label} \\ {figure.x.label}", *(_number(float(x[c])) for c in few)]
    return {"spec": spec, "columns": heads, "rows": table, "omitted": len(y) - len(table)}


def _gallery(figure: Figure, arrays: Sequence[Arrays]) -> dict[str, Any]:
    """Show the pictures of the first seed: a gallery has no median."""
    found = next((a for a in arrays if figure.images in a), None)
    if found is None:
        return {}
    pictures = _numbers(found, figure.images, 3)
    captions = found.get(figure.captions, [""] * len(pictures))
    if getattr(captions, "ndim", 1) != 1:
        raise ValueError(
            f"the array {figure.captions!r} has the shape {captions.shape}, not one row"
        )
    texts = [c.decode() if isinstance(c, bytes) else str(c) for c in captions]
    rows = [[str(i + 1), text] for i, text in enumerate(texts)]
    return {
        "images": list(zip(pictures, texts, strict=False)),
        "columns": ["picture", "caption"],
        "rows": rows,
    }


def _base(figure: Figure) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": WIDTH,
        "height": HEIGHT,
        "description": figure.description,
        "config": CONFIG,
    }


def _axis(axis: Axis, name: str, values: Sequence[float | None]) -> Spec:
    """Return an axis; a logarithmic one over more than two decades is labelled at powers of ten alone."""
    spec: Spec = {"field": name, "type": "quantitative", "title": axis.label, "scale": _scale(axis)}
    positive = [v for v in values if v is not None and v > 0]
    if axis.scale == "log" and positive and max(positive) > 100 * min(positive):
        decades = range(
            math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive))) + 1
        )
        spec["axis"] = {"values": [10.0**d for d in decades], "format": "~g"}
    return spec


def _scale(axis: Axis, *, tight: bool = False) -> Spec:
    """Return a scale; a logarithmic one ends where its values end, not at the next power of ten."""
    if axis.scale == "log":
        return {"type": "log", "nice": False}
    return {"type": axis.scale, "zero": False, **({"nice": False} if tight else {})}


def _colour(series: Sequence[Series]) -> Spec:
    """Measured series in colours, theory in ink, baselines in grey: the same on every page."""
    measured = iter(MEASURED * (1 + len(series) // len(MEASURED)))
    colours = [{"theory": INK, "baseline": SOFT}.get(s.role) or next(measured) for s in series]
    return {
        "field": "series",
        "type": "nominal",
        "title": None,
        "sort": None,
        "scale": {"domain": [s.label for s in series], "range": colours},
        "legend": _LEGEND,
    }


def _line(series: Sequence[Series]) -> Spec:
    """Measured lines are whole, theory is dashed, baselines are dotted: no meaning by colour alone."""
    dashes = [{"theory": [6, 4], "baseline": [2, 3]}.get(s.role, [1, 0]) for s in series]
    dash = {
        "field": "series",
        "type": "nominal",
        "sort": None,
        "title": None,
        "scale": {"domain": [s.label for s in series], "range": dashes},
        "legend": _LEGEND,
    }
    return {
        "mark": {"type": "line", "strokeWidth": 1.8, "clip": True},
        "encoding": {"color": _colour(series), "strokeDash": dash},
    }


def _band(series: Sequence[Series]) -> Spec:
    return {
        "mark": {"type": "area", "opacity": 0.2, "clip": True},
        "encoding": {
            "y": {"field": "low", "type": "quantitative"},
            "y2": {"field": "high"},
            "color": _colour(series) | {"legend": None},
        },
    }


def _error_bars() -> Spec:
    return {
        "mark": {"type": "rule", "strokeWidth": 1.5, "color": INK},
        "encoding": {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}},
    }


def _paper_points(figure: Figure) -> list[Spec]:
    """The points that the paper prints, as hollow diamonds."""
    if not figure.points:
        return []
    values = [{"x": p.x, "y": p.y, "label": p.label or "paper"} for p in figure.points]
    return [
        {
            "data": {"values": values},
            "mark": {
                "type": "point",
                "shape": "diamond",
                "size": 90,
                "strokeWidth": 2,
                "color": INK,
            },
            "encoding": {
                "color": {"value": INK},
                "tooltip": [{"field": "label"}, {"field": "x"}, {"field": "y"}],
            },
        }
    ]


def _tooltip(figure: Figure) -> list[Spec]:
    return [
        {"field": "series", "title": "series"},
        {"field": "x", "title": figure.x.label or "x"},
        {"field": "y", "title": figure.y.label or "y", "format": ".4~g", "type": "quantitative"},
    ]


def _point(measured: Interval, figure: Figure) -> dict[str, float | None]:
    """Return a median with its interval as JSON can say it; no band where the seeds give none."""
    low, high = _finite(measured.low, figure.y.scale), _finite(measured.high, figure.y.scale)
    if low is None or high is None or low == high:
        low = high = None
    return {"y": _finite(measured.estimate, figure.y.scale), "low": low, "high": high}


def _median(values: Sequence[Any]) -> Interval:
    return statistic("median")([float(v) for v in values])


def _finite(value: float, scale: str) -> float | None:
    if not math.isfinite(value) or (scale == "log" and value <= 0):
        return None
    return float(f"{value:.5g}")


def _thinned(curves: Sequence[Sequence[float]]) -> list[int]:
    """Return the indices to draw: evenly spread ones and every curve's extremes."""
    count = len(curves[0])
    keep = set(_spread(count, MAX_POINTS))
    for curve in curves:
        finite = [i for i in range(count) if math.isfinite(curve[i])]
        if finite:
            keep |= {max(finite, key=curve.__getitem__), min(finite, key=curve.__getitem__)}
    return sorted(keep)


def _spread(count: int, most: int) -> list[int]:
    """Return up to `most` indices below `count`, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


def _edges(centres: Any, scale: str) -> list[float]:
    """Return the n + 1 edges of cells around n increasing centres, in the middle by the axis' scale."""
    import numpy as np

    place = np.log(centres) if scale == "log" else np.asarray(centres, float)
    if len(place) == 1:
        place = np.array([place[0] - 0.5, place[0] + 0.5])
    middle = (place[1:] + place[:-1]) / 2
    first, last = 2 * place[0] - middle[0], 2 * place[-1] - middle[-1]
    edges = np.concatenate([[first], middle, [last]])
    return [float(f"{e:.6g}") for e in (np.exp(edges) if scale == "log" else edges)]


def _number(value: float) -> str:
    return f"{value:.4g}"


def _measured(interval: Interval) -> str:
    if (
        math.isfinite(interval.low)
        and math.isfinite(interval.high)
        and interval.low < interval.high
    ):
        return f"{_number(interval.estimate)} ({_number(interval.low)} to {_number(interval.high)})"
    return _number(interval.estimate)
