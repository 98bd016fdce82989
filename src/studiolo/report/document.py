"""The report as JSON and as Markdown that fits into a README."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from studiolo.claims import Claim, History, Verdict, outcome_of_check

from .view import PaperView, View


def report_json(view: View) -> str:
    """Return everything the report says, figures aside, as JSON."""
    rows = [
        {
            "line": row.entry.line,
            "title": row.entry.title,
            "keys": list(map(str, row.entry.keys)),
            "section": row.entry.section,
            "state": view.state(row.entry),
            "questions": [q.text for q in row.entry.questions],
            "paper": row.paper.slug if row.paper else None,
        }
        for row in view.rows
    ]
    papers = {slug: _paper(paper) for slug, paper in view.papers.items()}
    honesty = view.honesty
    return json.dumps(
        {
            "title": view.title,
            "machine": str(view.machine),
            "environment": view.environment,
            "made": view.made,
            "entries": rows,
            "papers": papers,
            "honesty": {name: getattr(honesty, name) for name in honesty.__dataclass_fields__},
        },
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )


def report_markdown(view: View) -> str:
    """Return the verdicts as Markdown: one table per paper, for a README."""
    return "\n".join(_markdown(view)) + "\n"


def _markdown(view: View) -> Iterator[str]:
    yield f"# {_plain(view.title)}"
    yield ""
    can_run, begin, key = view.readiness.partition("studiolo new-paper ")
    can_run += f"`{begin}{key}`." if begin else ""
    yield f"{can_run} Measured on {view.machine} ({view.environment}), {view.made}."
    yield ""
    yield " ".join(filter(None, [_tallied(view), view.counted_apart]))
    for paper in view.papers.values():
        yield ""
        yield f"## {_plain(paper.paper.title)} ({paper.paper.year})"
        yield from _claims_table("", paper, paper.claims)
        yield from _claims_table("What we ask beyond the paper:", paper, paper.questions)
        yield from _checks_table(paper)
        yield from _claims_table(
            "Controls, in which the effect must be absent:", paper, paper.controls
        )
    yield ""
    yield str(view.honesty)
    changed = [(slug, f"{id}: {what}") for slug, id, what in view.honesty.rules]
    for slug, says in (*changed, *view.honesty.folders):
        yield ""
        yield _plain(f"{slug}: {says}.")


def _tallied(view: View) -> str:
    """The count of verdicts on what the papers say, as one sentence."""
    counts = ", ".join(word.of(n) for word, n in view.tally)
    return f"What the papers say: {counts}." if counts else ""


def _claims_table(heading: str, paper: PaperView, claims: Sequence[Claim]) -> Iterator[str]:
    if not claims:
        return
    yield ""
    if heading:
        yield heading
        yield ""
    yield "| claim | place | agrees if | measured | verdict | scale |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for claim in claims:
        verdict = paper.verdicts[claim.id]
        yield _row(
            claim.says,
            claim.where,
            f"{claim.metric} {claim.region}" if claim.region else "all parts hold",
            _measured(verdict),
            f"{verdict}{f', {verdict.note}' if verdict.note else ''}",
            claim.scale.kind,
        )


def _checks_table(paper: PaperView) -> Iterator[str]:
    if not paper.checks:
        return
    yield from (
        "",
        "Checks of our code:",
        "",
        "| check | measured | outcome |",
        "| --- | --- | --- |",
    )
    for check in paper.checks:
        verdict = paper.verdicts[check.id]
        yield _row(check.says, _measured(verdict), outcome_of_check(verdict))


def _measured(verdict: Verdict) -> str:
    return str(verdict.interval) if verdict.interval else "–"


def _row(*cells: str) -> str:
    return "| " + " | ".join(map(_plain, cells)) + " |"


def _paper(paper: PaperView) -> dict[str, Any]:
    return {
        "key": paper.paper.key,
        "version": paper.paper.version,
        "title": paper.paper.title,
        "cost_s": round(paper.cost_s, 1),
        "claims": [_claim(paper, c, control=False) for c in (*paper.claims, *paper.questions)],
        "controls": [_claim(paper, c, control=True) for c in paper.controls],
        "checks": [_claim(paper, c, control=False) for c in paper.checks],
    }


def _claim(paper: PaperView, claim: Claim, *, control: bool) -> dict[str, Any]:
    verdict = paper.verdicts[claim.id]
    return {
        "id": claim.id,
        "by": claim.by,
        "says": claim.says,
        "where": claim.where,
        "control": control,
        "region": str(claim.region) if claim.region else None,
        "metric": claim.metric or None,
        "scale": claim.scale.kind,
        "against": claim.against or None,
        **_verdict(verdict, paper.histories.of(claim.id)),
        "elsewhere": {m: str(v[claim.id]) for m, v in paper.elsewhere.items()},
    }


def _verdict(verdict: Verdict, history: History) -> dict[str, Any]:
    interval = verdict.interval
    return {
        "verdict": verdict.word,
        "why": verdict.why or None,
        "note": verdict.note or None,
        "tried": history.tried,
        "marks": list(history.marks),
        "seeds": [verdict.n, verdict.of],
        "interval": interval
        and [_json(x) for x in (interval.estimate, interval.low, interval.high)],
    }


def _json(value: float) -> float | str:
    """JSON has no infinity: say it as text."""
    return value if math.isfinite(value) else str(value)


def _plain(text: str) -> str:
    """Return text that stays in its table cell and starts no HTML."""
    text = " ".join(text.split())
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
