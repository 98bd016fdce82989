"""The report as JSON and as Markdown that fits into a README."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from studiolo.claims import Claim, Verdict

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
    yield f"{view.readiness} Measured on {view.machine} ({view.environment}), {view.made}."
    for paper in view.papers.values():
        yield ""
        yield f"## {_plain(paper.paper.title)} ({paper.paper.year})"
        yield ""
        yield "| claim | place | agrees if | measured | verdict | scale |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for claim in (*paper.claims, *paper.controls):
            verdict = paper.verdicts[claim.id]
            cells = [
                claim.says,
                claim.where,
                f"{claim.metric} {claim.region}" if claim.region else "all parts hold",
                str(verdict.interval) if verdict.interval else "–",
                f"{verdict}{f', {verdict.note}' if verdict.note else ''}",
                claim.scale.kind,
            ]
            yield "| " + " | ".join(map(_plain, cells)) + " |"
    yield ""
    honesty = view.honesty
    yield (
        f"At most {honesty.wrong_holds:.1f} of the {honesty.holds} claims that hold are expected to be wrongly "
        "said to hold, over seeds of this code on this machine."
    )


def _paper(paper: PaperView) -> dict[str, Any]:
    return {
        "key": paper.paper.key,
        "version": paper.paper.version,
        "title": paper.paper.title,
        "cost_s": round(paper.cost_s, 1),
        "claims": [_claim(paper, claim, control=False) for claim in paper.claims],
        "controls": [_claim(paper, claim, control=True) for claim in paper.controls],
    }


def _claim(paper: PaperView, claim: Claim, *, control: bool) -> dict[str, Any]:
    verdict = paper.verdicts[claim.id]
    return {
        "id": claim.id,
        "says": claim.says,
        "where": claim.where,
        "control": control,
        "region": str(claim.region) if claim.region else None,
        "metric": claim.metric or None,
        "scale": claim.scale.kind,
        "against": claim.against or None,
        **_verdict(verdict),
        "elsewhere": {m: str(v[claim.id]) for m, v in paper.elsewhere.items()},
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    interval = verdict.interval
    return {
        "verdict": verdict.word,
        "why": verdict.why or None,
        "note": verdict.note or None,
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
