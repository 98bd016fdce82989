"""A paper's figure from its records: static SVG, with the table of what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carrel.claims import Figure, statistic
from carrel.runs import Record


MAX_TABLE_ROWS = 25


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure as the page shows it.

    Attributes:
        svg: the picture.
        columns, rows: its data table, thinned to a readable length; `omitted` rows are not shown.
        seeds: how many seeds it rests on.
    """

    figure: Figure
    svg: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    omitted: int
    seeds: int


def draw_lines(figure: Figure, records: Sequence[Record], folder: Path) -> Drawn | None:
    """Draw lines: the median over seeds, with the interval of the median where there are five seeds or more.

    Returns None where no record holds the figure's arrays.
    """
    arrays = [_load_arrays(folder / r.arrays) for r in records if r.arrays and r.status == "ok"]
    arrays = [a for a in arrays if figure.x.array in a]
    if not arrays:
        return None
    x = [float(v) for v in arrays[0][figure.x.array]]
    points: list[dict[str, Any]] = []
    for series in figure.series:
        curves = [a[series.array] for a in arrays if series.array in a]
        for i, x_i in enumerate(x):
            values = [float(curve[i]) for curve in curves]
            interval = statistic("median")(values)
            point = {"x": x_i, "y": interval.estimate, "series": series.label}
            point |= {"low": interval.low, "high": interval.high}
            points.append(point)
    columns = [figure.x.label, *(series.label for series in figure.series)]
    by_place = {(p["series"], p["x"]): p["y"] for p in points}
    step = -(-len(x) // MAX_TABLE_ROWS)
    rows = [
        [f"{x_i:g}", *(f"{by_place[s.label, x_i]:.4g}" for s in figure.series)] for x_i in x[::step]
    ]
    svg = _lines_svg(figure, points)
    return Drawn(figure, svg, columns, rows, len(x) - len(rows), len(arrays))


def _load_arrays(path: Path) -> dict[str, Any]:
    import numpy as np

    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def _lines_svg(figure: Figure, points: list[dict[str, Any]]) -> str:
    import math

    import altair
    import vl_convert

    alt: Any = altair  # its generated types know no runtime strings

    finite = [
        p for p in points if math.isfinite(p["y"]) and (p["y"] > 0 or figure.y.scale != "log")
    ]
    banded = [
        p
        for p in finite
        if math.isfinite(p["low"]) and math.isfinite(p["high"]) and p["low"] < p["high"]
        and (p["low"] > 0 or figure.y.scale != "log")
    ]  # fmt: skip
    x = alt.X("x:Q", title=figure.x.label, scale=alt.Scale(type=figure.x.scale, nice=False))
    y_scale = alt.Scale(type=figure.y.scale)
    color = alt.Color("series:N", title=None, sort=None, legend=alt.Legend(orient="top"))
    lines = (
        alt.Chart(alt.Data(values=finite))
        .mark_line(strokeWidth=1.8)
        .encode(x=x, y=alt.Y("y:Q", title=figure.y.label, scale=y_scale), color=color)
    )
    bands = (
        alt.Chart(alt.Data(values=banded))
        .mark_area(opacity=0.18)
        .encode(x=x, y=alt.Y("low:Q", scale=y_scale), y2="high:Q", color=color)
    )
    chart = (bands + lines).properties(width=620, height=300, description=figure.description)
    chart = chart.configure(background="transparent", font="system-ui, sans-serif").configure_view(
        stroke=None
    )
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))
