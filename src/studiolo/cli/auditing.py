"""Commands that judge other people's models: audit."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studiolo.errors import UsageError

from .console import counted, say, say_file


if TYPE_CHECKING:
    from studiolo.audit import Audit, Parts, Side


app = typer.Typer()
FAILED = 3  # a condition of --fail-if was met
ROWS = 8  # classes or groups that the terminal shows


@app.command(rich_help_panel="Look")
def audit(
    before: Annotated[
        str,
        typer.Argument(
            metavar="BEFORE",
            help="Predictions of the model before: a .npy, .npz, .csv or .jsonl, sample logs of lm-evaluation-harness "
            "or Inspect, or a folder; FILE:COLUMN,COLUMN chooses columns.",
        ),
    ],
    after: Annotated[
        str, typer.Argument(metavar="AFTER", help="The same of the model that replaces it.")
    ],
    labels: Annotated[
        str | None,
        typer.Option("--labels", help="Right answers: a column of the predictions, or a file."),
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option("--groups", help="Groups: columns (sex,race), or a file with them."),
    ] = None,
    null: Annotated[
        str | None,
        typer.Option(
            "--null", help="Predictions of models that should equal those before: the noise floor."
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option("--classes", help="Names of the classes 0, 1, ...: a,b,c or a file of lines."),
    ] = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="Model k after was made from model k before.")
    ] = False,
    metric: Annotated[
        str, typer.Option("--metric", help="Of sample logs: the metric that says right or wrong.")
    ] = "",
    filter_: Annotated[
        str, typer.Option("--filter", help="Of sample logs: the filter whose answers count.")
    ] = "",
    level: Annotated[
        float, typer.Option("--level", help="False discovery rate of what is called a finding.")
    ] = 0.05,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if",
            help="A loss that is too much, as 'class_loss > 2 points at q < 0.05'; also group_loss, accuracy_loss, "
            "flips. If it is met the exit code is 3.",
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--page", metavar="FILE", help="Write a page with charts and gallery."),
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a row for each example.")
    ] = None,
    show: Annotated[
        list[str] | None,
        typer.Option(
            "--show", help="Columns, or a file of them, that the page shows of an example."
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures", help="Pictures of the examples: an array (.npy), or a folder of ID.png."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
) -> None:
    """Say what a smaller, pruned, quantised or retrained model got wrong that the one before got right.

    Which answers flipped, which classes and groups lost more than the rest, and which examples, each beside what
    training again does by itself: give --null for that. Nothing is trained and nothing is sent anywhere.

    Examples:

      studiolo audit dense.npy pruned.npy --labels labels.npy --page audit.html

      studiolo audit fp16-logs/ int4-logs/ --null fp16-again/ --groups subject --fail-if "group_loss > 2 points at q < 0.05"
    """
    _require_packages()
    from studiolo import audit as audits

    conditions = [audits.Condition.parse(text) for text in fail_if or ()]

    def side(where: str, name: str) -> Side:
        return audits.load_side(where, name, metric=metric, filter_=filter_)

    one, other = side(before, "before"), side(after, "after")
    if labels is not None:
        one = audits.with_label(one, labels)
    one, names = _with_columns(one, groups)
    one, shown = _with_columns(one, show)
    found = audits.audit(
        one,
        other,
        null=None if null is None else side(null, "null"),
        groups=names or None,
        show=shown or [name for name in ("prompt", "target") if name in one.columns],
        classes=_class_names(classes),
        paired=paired,
        level=level,
    )
    if table is not None:
        _save(table, audits.examples_csv(found))
    if page is not None or open_it:
        page = page or Path("audit.html")
        _save_page(page, found, f"{Path(before).name} against {Path(after).name}", pictures)
        if open_it:
            typer.launch(page.resolve().as_uri())
    if as_json:
        say_file(audits.audit_json(found) + "\n")
    else:
        for line in [*_lines(found), *([page] if page else [])]:
            say(line)
    failures = [line for condition in conditions for line in condition.failures(found)]
    for line in failures:
        say(f"studiolo: too much: {line}.", to_err=True)
    if failures:
        raise typer.Exit(FAILED)


def _require_packages() -> None:
    if missing := [name for name in ("numpy", "scipy") if find_spec(name) is None]:
        raise UsageError(
            f"An audit needs {' and '.join(missing)}, which is not installed: pip install {' '.join(missing)}"
        )


def _with_columns(side: Side, wanted: list[str] | None) -> tuple[Side, list[str]]:
    """Return a side with more columns, each wanted by its name or as a file of them, and what they are called."""
    from studiolo.audit import with_columns

    names: list[str] = []
    for where in wanted or ():
        side, found = with_columns(side, where)
        names += found
    return side, names


def _save_page(path: Path, audit: Audit, title: str, pictures: Path | None) -> None:
    from studiolo.report import render_audit

    _save(path, render_audit(audit, title=title, pictures=pictures))


def _save(path: Path, text: str) -> None:
    from studiolo.files import save_bytes

    save_bytes(path, text.encode())


def _class_names(text: str | None) -> list[str] | None:
    from studiolo.files import kind_at, load_bytes

    if text is None:
        return None
    lines = text.split(",")
    if kind_at(Path(text)) == "file":
        try:
            lines = (load_bytes(Path(text)) or b"").decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise UsageError(f"{text} cannot be read as text: {error}.") from None
    return [line.strip() for line in lines if line.strip()]


def _lines(audit: Audit) -> Iterator[str]:
    """The audit in words, from the headline to the parts."""
    k0, k1, k2 = audit.models
    null = f", {k2} beside" if k2 else ""
    yield f"{counted(audit.n, 'example')}, {counted(k0, 'model')} before, {k1} after{null}."
    yield audit.about
    yield ""
    flips = audit.flips
    floor = f" (floor {_percent(audit.floor_flips.share)})" if audit.floor_flips else ""
    kinds = (
        f": {_percent(flips.right_to_wrong)} right to wrong, {_percent(flips.wrong_to_right)} wrong to right, "
        f"{_percent(flips.wrong_to_wrong)} from one wrong answer to another"
        if audit.known
        else ""
    )
    yield f"Flipped answers: {_percent(flips.share)}{floor}{kinds}."
    if audit.accuracy is not None:
        a = audit.accuracy
        yield (
            f"Accuracy: {_percent(a.before)} before, {_percent(a.after)} after, {100 * a.change:+.2f} points "
            f"({100 * a.low:+.2f} to {100 * a.high:+.2f}), p = {a.p:.2g} by {a.test}."
        )
    if audit.divergence is not None:
        d = audit.divergence
        floor = f" (floor {d.floor:.4g})" if d.floor is not None else ""
        yield f"Divergence of the scores: {d.mean:.4g} nats ({d.low:.4g} to {d.high:.4g}){floor}."
    if max(k0, k1) > 1:
        pies = audit.pies
        floor = (
            f"; {_percent(pies.at_size or 0)} with {pies.size} models a side, floor {_percent(pies.floor)}"
            if pies.floor is not None
            else ""
        )
        yield f"Examples whose modal answer changed: {int(audit.examples.pie.sum()):,} ({_percent(pies.share)}{floor})."
    if audit.forgotten is not None:
        floor = f" (floor {audit.floor_findings:,})" if audit.floor_findings is not None else ""
        yield (
            f"Examples got right by fewer models at q <= {audit.level:g}: {audit.forgotten:,}; by more: "
            f"{audit.gained:,}{floor}."
        )
    families = ([("class", audit.classes)] if audit.classes else []) + list(audit.groups.items())
    for name, parts in families:
        yield ""
        yield from _part_lines(name, parts, audit.level)
    for note in audit.notes:
        yield f"Note: {note}"


def _part_lines(name: str, parts: Parts, level: float) -> Iterator[str]:
    lost, gained = int(parts.lost(level).sum()), int(parts.gained(level).sum())
    floor = "" if parts.null_findings is None else f" (floor {parts.null_findings})"
    yield (
        f"By {name}: {lost} of {len(parts.names)} lost more than the rest and {gained} less, at q <= {level:g}{floor}; "
        f"{parts.test}."
    )
    known = [i for i in range(len(parts.names)) if parts.relative[i] == parts.relative[i]]
    worst = sorted(known, key=lambda i: float(parts.relative[i]))
    kept = worst if len(worst) <= ROWS else [*worst[: ROWS // 2], *worst[-ROWS // 2 :]]
    width = max((len(parts.names[i][:30]) for i in kept), default=0)
    for i in kept:
        yield (
            f"  {parts.names[i][:30]:<{width}}  {100 * parts.relative[i]:+7.2f} points against all "
            f"({100 * parts.low[i]:+.2f} to {100 * parts.high[i]:+.2f})  q {parts.q[i]:.2g}  n {parts.size[i]:,}"
        )


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
