"""Reading `paper.toml`: every field checked, every error with file, table, field, what was found and what is allowed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from studiolo.errors import PaperError

from .paper import SCALES, Answer, Axis, Claim, Figure, Paper, Point, Scale, Series
from .region import Region
from .statistics import STATISTICS
from .table import Table, shown


P = ParamSpec("P")
T = TypeVar("T")

SOURCES = ("read", "recalled")
FAILURES = ("error", "outside")
FIGURE_KINDS = ("lines", "points", "heatmap", "gallery", "bars")
AXIS_SCALES = ("linear", "log")
ROLES = ("measured", "theory", "baseline")
DEFAULT_SEEDS = {"median": 8, "share": 8, "exact": 1}
NEED = re.compile(r"cuda|quiet|data:[A-Za-z0-9_-]+|world:([2-9]|[1-9][0-9]+)")
NEEDS = '"cuda", "quiet", "data:NAME" or "world:N" with N processes from 2 on'
KEY = re.compile(r"[a-z]+:\S+")
KEYS = 'kind:value, such as "arxiv:1912.07242"'
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

PAPER_FIELDS = (
    "key", "also", "version", "title", "authors", "year", "data", "claim", "figure", "answer",
)  # fmt: skip
MEASURES = (
    "run", "config", "metric", "region", "weaker", "statistic", "seeds", "failure", "series",
    "timeout_s", "timing",
)  # fmt: skip
CLAIM_FIELDS = (
    "id", "says", "where", "source", "why", "scale", "controls", "against", "needs", "all_of",
    "like", *MEASURES,
)  # fmt: skip
FIGURE_FIELDS = (
    "id", "title", "description", "run", "config", "kind", "x", "y", "z", "series", "points",
    "images", "captions",
)  # fmt: skip


def load_paper(folder: Path) -> Paper:
    """Read a paper folder's `paper.toml`.

    Raises:
        PaperError: there is no such file, or it is no TOML, or tables are wrong: one line for every wrong table, each
            with file, table, field, what was found and what is allowed.
    """
    path = Path(folder) / "paper.toml"
    try:
        document = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise PaperError(
            f"{path}: cannot be read ({error.strerror}). A paper folder holds a paper.toml; "
            "start one with `studiolo new-paper`."
        ) from error
    except UnicodeDecodeError as error:
        raise PaperError(
            f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise PaperError(f"{path}: not TOML: {error}.") from error
    top = Table(path, "", document)
    problems: list[str] = []

    def attempt(make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return make(*args, **kwargs)
        except PaperError as error:
            problems.append(str(error))
            return None

    paper = attempt(_head, top)
    tables = attempt(_claim_tables, top)
    made = {id: claim for id, table in (tables or {}).items() if (claim := attempt(_claim, table))}
    for claim in made.values():
        attempt(_check_names, claim, tables or {}, made)
    figures: dict[str, Figure] = {}
    for table in attempt(top.tables, "figure") or []:
        if figure := attempt(_figure, table, figures):
            figures[figure.id] = figure
    answers = [
        attempt(_answer, table, tables)
        for table in attempt(top.tables, "answer") or []
        if tables is not None  # else every id in them would look wrong
    ]
    if problems or paper is None:
        raise PaperError("\n".join(problems))
    return replace(
        paper,
        claims=tuple(_scaled(claim, made) for claim in made.values()),
        figures=tuple(figures.values()),
        answers=tuple(answer for answer in answers if answer),
    )


def _head(top: Table) -> Paper:
    top.only(PAPER_FIELDS)
    key = top.text("key", what=KEYS)
    if not KEY.fullmatch(key):
        raise top.error("key", shown(key), KEYS)
    if re.fullmatch(r"arxiv:.*v\d+", key):
        raise top.error("key", shown(key), 'a key without version; write it as version = "v1"')
    authors = top.texts("authors")
    if not authors:
        raise top.error("authors", "nobody", "a list of names")
    return Paper(
        folder=top.path.parent.resolve(),
        key=key,
        also=top.matching("also", KEY, "a list of keys, " + KEYS),
        version=top.text("version", ""),
        title=top.text("title"),
        authors=authors,
        year=top.whole("year", least=1900),
        data=top.texts("data"),
    )


def _claim_tables(top: Table) -> dict[str, Table]:
    """The claims' tables by id, with everything that they inherit through `like` filled in."""
    given: dict[str, Table] = {}
    for table in top.tables("claim"):
        id = table.text("id", what="a name in-kebab-case")
        if not NAME.fullmatch(id):
            raise table.error("id", shown(id), "a name in-kebab-case")
        if id in given:
            raise table.error("id", f'"{id}" twice', "a name of its own for every claim")
        given[id] = Table(table.path, f"[[claim]] {id}", table.fields)
    controls = {id for table in given.values() for id in table.texts("controls", "a list of ids")}
    return {id: _inherited(table, given, controls, ()) for id, table in given.items()}


def _inherited(
    table: Table, given: Mapping[str, Table], controls: set[str], heirs: tuple[str, ...]
) -> Table:
    """The table with its model's fields under its own; `config` and `scale` merge key by key.

    A control inherits no controls: it would end up as its own.
    """
    table.only(CLAIM_FIELDS)
    own = dict(table.fields)
    if "like" not in own:
        return table
    like, heirs = table.text("like"), (*heirs, str(own["id"]))
    others = ", ".join(id for id in given if id not in heirs) or "no other claim"
    if like not in given:
        raise table.error("like", shown(like), f"the id of another claim: {others}")
    if like in heirs:
        raise table.error("like", f"a circle, {' -> '.join((*heirs, like))}", others)
    merged = dict(_inherited(given[like], given, controls, heirs).fields)
    if own["id"] in controls:
        merged.pop("controls", None)
    for field in ("config", "scale"):
        if field in own and field in merged:
            own[field] = {**merged[field], **table.table(field).fields}
    return Table(table.path, table.name, {**merged, **own})


def _claim(table: Table) -> Claim:
    all_of = table.texts("all_of", "a list of at least two ids")
    source = table.word("source", SOURCES)
    claim = Claim(
        id=table.text("id"),
        says=table.text("says"),
        where=table.text("where"),
        source=source,
        scale=_scale(table),
        why=table.text("why", ""),
        controls=table.texts("controls", "a list of ids"),
        against=table.text("against", ""),
        needs=table.matching("needs", NEED, "a list of " + NEEDS),
        all_of=all_of,
        like=table.text("like", ""),
    )
    if all_of:
        if len(all_of) < 2:
            raise table.error("all_of", shown(list(all_of)), "a list of at least two ids")
        for field in MEASURES:
            if field in table.fields:
                raise table.error(
                    field, "it beside all_of", "all_of alone, or a claim that measures"
                )
        return claim
    statistic = table.word("statistic", tuple(STATISTICS), "median")
    seeds = table.whole("seeds", 1, DEFAULT_SEEDS[statistic])
    if statistic == "exact" and seeds != 1:
        raise table.error("seeds", seeds, "1, since an exact claim has one value")
    timeout_s = table.number("timeout_s", 120.0)
    if timeout_s <= 0:
        raise table.error("timeout_s", f"{timeout_s:g}", "a number of seconds above 0")
    return replace(
        claim,
        run=table.text("run", what="the name of a function in experiments.py"),
        config=dict(table.table("config").fields),
        metric=table.text("metric", what="a name in Outcome.values"),
        region=_region(table, "region"),
        weaker=_region(table, "weaker") if table.table("weaker").fields else None,
        statistic=statistic,
        seeds=seeds,
        failure=table.word("failure", FAILURES, "error"),
        series=table.whole("series", 0, 0),
        timeout_s=timeout_s,
        timing=table.take("timing", bool, "true or false", False),
    )


def _region(table: Table, field: str) -> Region:
    try:
        return Region.parse(table.table(field).fields)
    except ValueError as error:
        raise PaperError(f"{table.place(field)}: {error}.") from error


def _scale(table: Table) -> Scale:
    """The claim's scale. A claim that joins others may leave it to its parts (`_scaled`)."""
    if "scale" not in table.fields and "all_of" in table.fields:
        return Scale("", "", "")
    if "scale" not in table.fields:
        raise table.error("scale", "nothing", "a table with kind, paper and here")
    scale = table.table("scale")
    scale.only(("kind", "paper", "here"))
    return Scale(scale.word("kind", SCALES), scale.text("paper"), scale.text("here"))


def _scaled(claim: Claim, made: Mapping[str, Claim]) -> Claim:
    """A joined claim without a scale of its own gets that of its smallest part."""
    if claim.scale.kind:
        return claim
    parts = [made[id].scale for id in claim.all_of]
    return replace(claim, scale=min(parts, key=lambda scale: SCALES.index(scale.kind)))


def _check_names(claim: Claim, tables: Mapping[str, Table], made: Mapping[str, Claim]) -> None:
    """Refuse ids that no claim has, and parts and controls that are not claims that measure."""
    table = tables[claim.id]
    controls = {name for other in made.values() for name in other.controls}
    for field, names in (("controls", claim.controls), ("all_of", claim.all_of)):
        for name in names:
            if name not in tables or name == claim.id:
                others = ", ".join(id for id in tables if id != claim.id) or "none"
                raise table.error(field, shown(name), f"ids of other claims: {others}")
            if name in made and made[name].all_of:
                raise table.error(
                    field, f'"{name}", which has all_of itself', "claims that measure"
                )
    if claim.id in controls and claim.controls:
        raise table.error(
            "controls", shown(list(claim.controls)), "nothing, since this claim is a control itself"
        )
    parts = [name for name in claim.all_of if name in controls]
    if parts:
        raise table.error("all_of", f'the control "{parts[0]}"', "claims that are to hold")


def _figure(table: Table, earlier: Collection[str]) -> Figure:
    table.only(FIGURE_FIELDS)
    kind = table.word("kind", FIGURE_KINDS)
    id = table.text("id")
    if id in earlier:
        raise table.error("id", f'"{id}" twice', "a name of its own for every figure")
    table = Table(table.path, f"[[figure]] {id}", table.fields)
    figure = Figure(
        id=id,
        title=table.text("title"),
        description=table.text("description", what="one sentence for readers who cannot see it"),
        run=table.text("run", what="the name of a function in experiments.py"),
        kind=kind,
        config=dict(table.table("config").fields),
        x=_axis(table, "x", array=kind in ("lines", "points", "heatmap"), labels=kind == "bars"),
        y=_axis(table, "y", array=kind == "heatmap"),
        z=_axis(table, "z", array=kind == "heatmap"),
        series=tuple(_series(one, kind) for one in table.tables("series")),
        points=tuple(_point(one) for one in table.tables("points")),
        images=_array(table, "images", kind == "gallery"),
        captions=_array(table, "captions"),
    )
    if kind in ("lines", "points", "bars") and not figure.series:
        raise table.error("series", "nothing", f"at least one table, since the kind is {kind}")
    for one in figure.series:
        if kind == "bars" and len(one.values) != len(figure.x.labels):
            found = f"{len(one.values)} values in {shown(one.label)}"
            raise table.error("series", found, f"one for each of {len(figure.x.labels)} x labels")
    return figure


def _axis(table: Table, field: str, array: bool = False, labels: bool = False) -> Axis:
    axis = table.table(field)
    axis.only(("array", "label", "scale", "labels"))
    made = Axis(
        label=axis.text("label", ""),
        array=axis.text("array", "", "a name in Outcome.arrays"),
        scale=axis.word("scale", AXIS_SCALES, "linear"),
        labels=axis.texts("labels"),
    )
    if array and not made.array:
        raise axis.error("array", "nothing", "a name in Outcome.arrays")
    if labels and not made.labels:
        raise axis.error("labels", "nothing", "a list with the text under every bar")
    return made


def _series(table: Table, kind: str) -> Series:
    table.only(("array", "values", "label", "role"))
    if kind == "bars":
        values = table.texts("values")
        if not values:
            raise table.error("values", "nothing", "names in Outcome.values, one per x label")
    return Series(
        label=table.text("label"),
        array=table.text("array", "" if kind == "bars" else None, "a name in Outcome.arrays"),
        values=table.texts("values"),
        role=table.word("role", ROLES, "measured"),
    )


def _point(table: Table) -> Point:
    table.only(("x", "y", "label"))
    return Point(table.number("x"), table.number("y"), table.text("label", ""))


def _array(table: Table, field: str, required: bool = False) -> str:
    one = table.table(field)
    one.only(("array",))
    return one.text("array", None if required else "", "a name in Outcome.arrays")


def _answer(table: Table, tables: Mapping[str, Any]) -> Answer:
    table.only(("work", "question", "says", "claims"))
    work = table.text("work", what=KEYS)
    if not KEY.fullmatch(work):
        raise table.error("work", shown(work), KEYS)
    claims = table.texts("claims", "a list of ids")
    if not claims:
        raise table.error("claims", "nothing", "ids of the claims that the answer rests on")
    for id in claims:
        if id not in tables:
            raise table.error("claims", shown(id), "ids of claims: " + ", ".join(tables))
    return Answer(work, table.text("question"), table.text("says"), claims)
