"""Reading `paper.toml`: every field checked, every error with file, table, field, what was found and what is allowed."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from studiolo.errors import FileError, PaperError
from studiolo.files import load_bytes

from .paper import (
    EXACT_SEEDS,
    MOST_SEEDS,
    SCALES,
    Answer,
    Axis,
    By,
    Ceiling,
    Claim,
    Figure,
    Paper,
    Point,
    Scale,
    Series,
)
from .region import Region
from .statistics import STATISTICS
from .table import Table, shown


P = ParamSpec("P")
T = TypeVar("T")

SOURCES = ("read", "recalled")
BY = ("paper", "us")  # of a [[claim]]; a [[check]] is by our code
FAILURES = ("error", "outside")
FIGURE_KINDS = ("lines", "points", "heatmap", "gallery", "bars")
AXIS_SCALES = ("linear", "log")
ROLES = ("measured", "theory", "baseline")
DEFAULT_SEEDS = {"median": 8, "share": 8, "exact": EXACT_SEEDS}
MOST_DEPTH = 16  # of lists and tables in a config
LARGEST_WHOLE = 2**63
LONGEST_S = 7 * 24 * 3600.0
NEED = re.compile(r"cuda|quiet|data:[A-Za-z0-9_-]+|world:([2-9]|[1-9][0-9]+)")
NEEDS = '"cuda", "quiet", "data:NAME" or "world:N" with N processes from 2 on'
SETS = (
    "arxiv_ml", "enwiki_sample", "fairness", "fashion_mnist", "kodak_gray", "mnist", "nade_binary", "protein",
    "tinyshakespeare", "uci_regression", "uci_sentiment_sentences", "wikitext2_valid_test",
)  # fmt: skip
SCALE = "a table with kind, paper and here"
REGION = "a table such as { at_least = 1.5 }"
KEY = re.compile(r"[a-z]+:\S+")
KEYS = 'kind:value, such as "arxiv:1912.07242"'
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

PAPER_FIELDS = (
    "key", "also", "version", "title", "authors", "year", "data", "claim", "check", "figure", "answer",
)  # fmt: skip
MEASURES = (
    "run", "config", "metric", "region", "weaker", "statistic", "tolerance", "seeds", "failure",
    "series", "timeout_s", "timing",
)  # fmt: skip
CHECK_FIELDS = (
    "id", "was", "reworded", "says", "why", "controls", "needs", "all_of", "like", *MEASURES,
)  # fmt: skip
CLAIM_FIELDS = (*CHECK_FIELDS, "by", "where", "source", "scale", "against", "states", "ceiling")
FIELDS = {"claim": CLAIM_FIELDS, "check": CHECK_FIELDS}
ITS_OWN = ("id", "was", "reworded")  # what a claim does not hand on through `like`
PAPERS_OWN = ("where", "source", "states")  # neither a control nor a question of ours inherits it
FIGURE_FIELDS = (
    "id", "title", "description", "run", "config", "kind", "x", "y", "z", "series", "points",
    "images", "captions",
)  # fmt: skip


def load_paper(folder: Path) -> Paper:
    """Read a paper folder's `paper.toml`.

    Raises:
        PaperError: there is no such file, or it is not TOML, or tables are wrong: one line for every wrong table, each
            with file, table, field, what was found and what is allowed.
    """
    path = Path(folder) / "paper.toml"
    try:
        data = load_bytes(path)
        if data is None:
            raise FileError(f"{path} is not there.")
        document = tomllib.loads(data.decode())
    except FileError as error:
        raise PaperError(
            f"{error} A paper folder holds a paper.toml; start one with `studiolo new-paper`."
        ) from error
    except UnicodeDecodeError as error:
        raise PaperError(
            f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8."
        ) from error
    except (ValueError, RecursionError) as error:  # whole numbers of 5,000 digits, lists in lists
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
    given = attempt(_claim_tables, top)
    tables = given or {}
    controls = {id for table in tables.values() for id in table.fields.get("controls", [])}
    made = {
        id: claim
        for id, table in tables.items()
        if (claim := attempt(_claim, table, id in controls))
    }
    own = paper.data if paper else ()
    for claim in made.values():
        attempt(_check_sets, claim, tables[claim.id], own)
    for claim in made.values():
        attempt(_check_names, claim, tables, made, controls)
    figures: dict[str, Figure] = {}
    for table in attempt(top.tables, "figure") or []:
        if figure := attempt(_figure, table, figures):
            figures[figure.id] = figure
    answers = [
        attempt(_answer, table, tables)
        for table in attempt(top.tables, "answer") or []
        if given is not None  # else every id in them would look wrong
    ]
    if problems or paper is None:
        raise PaperError("\n".join(_told_once(problems, tables)))
    return replace(
        paper,
        claims=tuple(_scaled(claim, made) for claim in made.values()),
        figures=tuple(figures.values()),
        answers=tuple(answer for answer in answers if answer),
    )


def _told_once(problems: Sequence[str], tables: Mapping[str, Table]) -> list[str]:
    """Leave out what a claim only inherits: its model makes the same mistake, and one change mends both."""
    models = {
        table.name: tables[table.fields["like"]].name
        for table in tables.values()
        if "like" in table.fields
    }
    found = [problem.partition("; allowed: ")[0] for problem in problems]
    told = set(found)

    def is_inherited(said: str) -> bool:
        heir = re.search(r"\[\[\w+\]\] [^,]+", said)
        model = models.get(heir[0]) if heir else None
        return heir is not None and model is not None and said.replace(heir[0], model, 1) in told

    return [
        problem for problem, said in zip(problems, found, strict=True) if not is_inherited(said)
    ]


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
    """The tables of claims and checks by id, with everything that they inherit through `like` filled in."""
    given: dict[str, Table] = {}
    for kind, fields in FIELDS.items():
        for table in top.tables(kind):
            id = table.text("id", what="a name in-kebab-case")
            if not NAME.fullmatch(id):
                raise table.error("id", shown(id), "a name in-kebab-case")
            if id in given:
                raise table.error("id", f'"{id}" twice', "a name of its own for every claim")
            given[id] = Table(table.path, f"[[{kind}]] {id}", table.fields)
            given[id].only(fields)
    controls = {id for table in given.values() for id in table.texts("controls", "a list of ids")}
    made: dict[str, Table] = {}
    for id in given:
        _inherit(id, given, controls, made)
    return {id: made[id] for id in given}


def _inherit(
    id: str, given: Mapping[str, Table], controls: set[str], made: dict[str, Table]
) -> None:
    """Put into `made` the table with its model's fields under its own; `config` and `scale` merge key by key.

    What the paper alone says (place, source, number) a control and a question of ours do not inherit; a control inherits
    no controls either, which would make it its own. A check that is like a claim takes the fields that a check has.
    """
    heirs: list[str] = []  # from `id` to the first that inherits nothing more
    while id not in made:
        table = given[id]
        if "like" not in table.fields:
            made[id] = table
            break
        heirs.append(id)
        like = table.text("like")
        if like not in given or like in heirs:
            others = _listed(other for other in given if other not in heirs) or "no other claim"
            if like not in given:
                raise table.error("like", shown(like), f"the id of another claim: {others}")
            raise table.error("like", f"a circle, {' -> '.join((*heirs, like)[-12:])}", others)
        id = like
    for heir in reversed(heirs):
        made[heir] = _merged(given[heir], made[given[heir].text("like")], heir in controls)


def _merged(table: Table, model: Table, is_control: bool) -> Table:
    own = dict(table.fields)
    allowed = CHECK_FIELDS if _is_check(table) else CLAIM_FIELDS
    dropped = ITS_OWN + (PAPERS_OWN if is_control or own.get("by") == "us" else ())
    dropped += ("controls", "ceiling") if is_control else ()
    dropped += ("tolerance",) if own.get("statistic", "exact") != "exact" else ()
    inherited = {k: v for k, v in model.fields.items() if k in allowed and k not in dropped}
    for field in ("config", "scale"):
        if field in own and field in inherited:
            own[field] = {**model.table(field).fields, **table.table(field).fields}
    return Table(table.path, table.name, {**inherited, **own})


def _listed(ids: Iterable[str], most: int = 24) -> str:
    first = list(islice(ids, most + 1))
    return ", ".join(first if len(first) <= most else [*first[:most], "..."])


def _is_check(table: Table) -> bool:
    return table.name.startswith("[[check]]")


def _claim(table: Table, is_control: bool) -> Claim:
    all_of = table.texts("all_of", "a list of at least two ids")
    by = cast("By", "code" if _is_check(table) else table.word("by", BY, "paper"))
    must = None if by == "paper" and not is_control else ""  # of what a sentence of the paper has
    source = "" if must == "" and "source" not in table.fields else table.word("source", SOURCES)
    claim = Claim(
        id=table.text("id"),
        says=table.text("says"),
        where=table.text("where", must),
        source=source,
        scale=_scale(table),
        by=by,
        states=table.number("states") if "states" in table.fields else None,
        ceiling=_ceiling(table) if "ceiling" in table.fields else None,
        why=table.text("why", ""),
        controls=table.texts("controls", "a list of ids"),
        against=table.text("against", ""),
        needs=table.matching("needs", NEED, "a list of " + NEEDS),
        all_of=all_of,
        like=table.text("like", ""),
        was=table.matching("was", NAME, "a list of ids that this claim had before"),
        reworded=table.text("reworded", ""),
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
    statistic = table.word("statistic", tuple(STATISTICS), "exact" if by == "code" else "median")
    seeds = table.whole("seeds", 1, DEFAULT_SEEDS[statistic], MOST_SEEDS)
    tolerance = table.number("tolerance", 0.0)
    if statistic == "exact":
        if seeds > EXACT_SEEDS:
            raise table.error("seeds", seeds, "1, since an exact claim has one value")
        seeds = EXACT_SEEDS
    elif "tolerance" in table.fields:
        raise table.error("tolerance", f"it beside {statistic}", "it for exact claims alone")
    if not 0 <= tolerance < math.inf:
        raise table.error("tolerance", f"{tolerance:g}", "a finite number from 0 on")
    timeout_s = table.number("timeout_s", 120.0)
    if not 0 < timeout_s <= LONGEST_S:
        allowed = "a number of seconds above 0" + (", at most a week" if timeout_s > 0 else "")
        raise table.error("timeout_s", f"{timeout_s:g}", allowed)
    return replace(
        claim,
        run=_function_name(table),
        config=_config(table),
        metric=table.text("metric", what="a name in Outcome.values"),
        region=_region(table, "region"),
        weaker=_region(table, "weaker") if table.table("weaker").fields else None,
        statistic=statistic,
        tolerance=tolerance,
        seeds=seeds,
        failure=table.word("failure", FAILURES, "error"),
        series=table.whole("series", 0, 0),
        timeout_s=timeout_s,
        timing=table.take("timing", bool, "true or false", False),
    )


def _function_name(table: Table) -> str:
    what = "the name of a function in experiments.py"
    run = table.text("run", what=what)
    if not run.isidentifier():
        raise table.error("run", shown(run), what)
    return run


def _config(table: Table) -> dict[str, Any]:
    """The experiment's arguments: texts, whole and finite numbers, true and false, lists and tables of these."""
    config = table.table("config")
    for name, value in config.fields.items():
        if (wrong := _not_plain(value)) is not None:
            raise config.error(
                name, wrong, "texts, finite numbers, true, false, and lists and tables of these"
            )
    return dict(config.fields)


def _not_plain(value: object, depth: int = 1) -> str | None:
    """What in a value of a config no record could hold, or None."""
    if isinstance(value, (list, dict)):
        if depth > MOST_DEPTH:
            return f"lists and tables more than {MOST_DEPTH} deep"
        parts = value.values() if isinstance(value, dict) else value
        return next(filter(None, (_not_plain(part, depth + 1) for part in parts)), None)
    if isinstance(value, float) and not math.isfinite(value):
        return shown(value)
    if isinstance(value, int) and abs(value) >= LARGEST_WHOLE:
        return f"a whole number of {len(str(abs(value)))} digits"
    return None if isinstance(value, (str, bool, int, float)) else shown(value)


def _ceiling(table: Table) -> Ceiling:
    """A number, a text with its reason, or a table with both."""
    given = table.fields["ceiling"]
    if isinstance(given, str):
        return Ceiling(None, table.text("ceiling"))
    if isinstance(given, dict):
        both = table.table("ceiling")
        both.only(("value", "why"))
        return Ceiling(both.number("value"), both.text("why"))
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise table.error(
            "ceiling", shown(given), "a number, a text, or a table with value and why"
        )
    return Ceiling(table.number("ceiling"))


def _region(table: Table, field: str) -> Region:
    try:
        return Region.parse(table.table(field, REGION).fields)
    except ValueError as error:
        raise PaperError(f"{table.place(field)}: {error}.") from error


def _scale(table: Table) -> Scale:
    """The claim's scale; a check has none. A claim that joins others may leave it to its parts (`_scaled`)."""
    if _is_check(table) or ("scale" not in table.fields and "all_of" in table.fields):
        return Scale("", "", "")
    if "scale" not in table.fields:
        raise table.error("scale", "nothing", SCALE)
    scale = table.table("scale", SCALE)
    scale.only(("kind", "paper", "here"))
    return Scale(scale.word("kind", SCALES), scale.text("paper"), scale.text("here"))


def _scaled(claim: Claim, made: Mapping[str, Claim]) -> Claim:
    """A joined claim without a scale of its own gets that of its smallest part."""
    if claim.scale.kind or claim.by == "code":
        return claim
    parts = [made[id].scale for id in claim.all_of]
    return replace(claim, scale=min(parts, key=lambda scale: SCALES.index(scale.kind)))


def _check_names(
    claim: Claim, tables: Mapping[str, Table], made: Mapping[str, Claim], controls: Collection[str]
) -> None:
    """Refuse ids that no claim has, parts and controls that do not measure, and checks as parts of a claim."""
    table = tables[claim.id]
    for field, names in (("controls", claim.controls), ("all_of", claim.all_of)):
        for name in names:
            if name not in tables or name == claim.id:
                others = _listed(id for id in tables if id != claim.id) or "none"
                raise table.error(field, shown(name), f"ids of other claims: {others}")
            if name in made and made[name].all_of:
                raise table.error(
                    field, f'"{name}", which has all_of itself', "claims that measure"
                )
    for name in claim.was:
        if name in tables or any(
            name in other.was for other in made.values() if other is not claim
        ):
            raise table.error("was", shown(name), "ids that no claim has now, each named once")
    if claim.id in controls and claim.controls:
        raise table.error(
            "controls", shown(list(claim.controls)), "nothing, since this claim is a control itself"
        )
    checks = [name for name in claim.all_of if _is_check(tables[name]) and claim.by != "code"]
    if checks:
        raise table.error("all_of", f'the check "{checks[0]}"', "claims, which a check is not")
    parts = [name for name in claim.all_of if name in controls]
    if parts:
        raise table.error("all_of", f'the control "{parts[0]}"', "claims that are to hold")


def _check_sets(claim: Claim, table: Table, data: Sequence[str]) -> None:
    """Refuse a data set that nobody knows: Studiolo has none of that name, and the paper's `data` names none."""
    for name in (need.removeprefix("data:") for need in claim.needs if need.startswith("data:")):
        is_own = any(re.search(rf"(?<![\w-]){name}(?![\w-])", given) for given in data)
        if name not in SETS and not is_own:
            near = difflib.get_close_matches(name, SETS, n=1)
            hint = f" (did you mean data:{near[0]}?)" if near else ""
            allowed = f"data: with {', '.join(SETS)}, or with a set of your own that stands in the paper's data"
            raise table.error("needs", f'"data:{name}"{hint}', allowed)


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
        run=_function_name(table),
        kind=kind,
        config=_config(table),
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
            raise table.error("claims", shown(id), "ids of claims: " + _listed(tables))
    return Answer(work, table.text("question"), table.text("says"), claims)
