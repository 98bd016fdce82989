"""The report: one HTML file with the list, its verdicts, and a section for each paper that can run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2

from carrel.claims import Claim, Paper, Verdict
from carrel.errors import PaperError
from carrel.lists import Document
from carrel.runs import (
    Evidence,
    discover,
    load_evidence,
    load_reference_evidence,
    this_environment,
    this_machine,
)
from carrel.runs.evidence import experiment_of_figure

from .figures import Drawn, draw_lines
from .join import Row, join, papers_on, readiness


TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class PaperView:
    """What the page shows of one paper."""

    paper: Paper
    evidence: Evidence
    reference: Sequence[Evidence]

    @cached_property
    def verdicts(self) -> dict[str, Verdict]:
        """This machine's verdicts by claim id."""
        return self.evidence.verdicts()

    @cached_property
    def reference_verdicts(self) -> dict[str, dict[str, Verdict]]:
        """The verdicts of the reference machines by machine, then claim id."""
        return {source.machine: source.verdicts() for source in self.reference}

    @property
    def claims(self) -> list[Claim]:
        """The claims that are no controls."""
        return [claim for claim in self.paper.claims if claim.id not in self.paper.controls]

    @property
    def controls(self) -> list[Claim]:
        """The claims in which the effect must be absent."""
        return [claim for claim in self.paper.claims if claim.id in self.paper.controls]

    @cached_property
    def figures(self) -> list[Drawn]:
        """The figures that this machine's records can draw."""
        drawn = []
        for figure in self.paper.figures:
            if figure.kind == "lines":
                records = self.evidence.records_of(experiment_of_figure(self.paper, figure))
                drawn.append(draw_lines(figure, records, self.evidence.folder))
        return [d for d in drawn if d is not None]


def write_report(document: Document, library: Path) -> Path:
    """Write the page of a list to `library`/.carrel/report/<list>.html and return its absolute path."""
    name = document.path.stem if document.path else "list"
    target = (library / ".carrel" / "report" / f"{name}.html").resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(f".{os.getpid()}.partial")
    temporary.write_text(render_page(document, library), encoding="utf-8")
    temporary.replace(target)
    return target


def render_page(document: Document, library: Path) -> str:
    """Return the page of a list as HTML."""
    problems: list[PaperError] = []
    rows = join(document, discover(library, problems=problems))
    views = {
        paper.slug: PaperView(paper, load_evidence(paper, library), load_reference_evidence(paper))
        for paper in papers_on(rows)
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        title=document.headings[0].text if document.headings else "Reading list",
        readiness=readiness(rows),
        sections=_sections(rows),
        views=views,
        problems=problems,
        machine=this_machine(),
        environment=this_environment(),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _sections(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Group the rows by section, in file order."""
    sections: list[dict[str, Any]] = []
    for row in rows:
        if not sections or sections[-1]["path"] != row.entry.section:
            sections.append({"path": row.entry.section, "rows": []})
        sections[-1]["rows"].append(row)
    return sections
