"""What a report says, before any format: the list joined with verdicts, figures and their honesty.

HTML, Markdown and JSON are three ways to write this down.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from studiolo.claims import Answer, Claim, Figure, Paper, Verdict, expected_wrong_holds, rules_tried
from studiolo.errors import PaperError
from studiolo.keys import Key
from studiolo.library import Kept, load_kept, state_of
from studiolo.lists import Document, Entry
from studiolo.runs import (
    Evidence,
    Machine,
    Record,
    discover,
    load_evidence,
    load_reference_evidence,
    this_environment,
    this_machine,
)
from studiolo.runs.evidence import experiment_of, experiment_of_figure

from .join import Row, join, papers_on, readiness


@dataclass(frozen=True)
class PaperView:
    """One paper with what this machine and reference machines measured."""

    paper: Paper
    evidence: Evidence
    reference: Sequence[Evidence]

    @cached_property
    def verdicts(self) -> dict[str, Verdict]:
        """This machine's verdicts by claim id."""
        return self.evidence.verdicts()

    @cached_property
    def elsewhere(self) -> dict[str, dict[str, Verdict]]:
        """Reference machines' verdicts by machine, then claim id; only machines with records of the present code."""
        return {s.machine: s.verdicts() for s in self.reference if s.current}

    @property
    def claims(self) -> list[Claim]:
        """What the paper says: the claims that are no controls."""
        return [claim for claim in self.paper.claims if claim.id not in self.paper.controls]

    @property
    def claims_by_news(self) -> list[Claim]:
        """The same, those that were measured first."""
        return sorted(self.claims, key=lambda claim: self.verdicts[claim.id].word == "not run")

    @property
    def controls(self) -> list[Claim]:
        """The claims in which the effect must be absent."""
        return [claim for claim in self.paper.claims if claim.id in self.paper.controls]

    def records_of(self, claim: Claim) -> list[Record]:
        """The records that a claim rests on here."""
        if not claim.all_of:
            return self.evidence.records_of(experiment_of(claim))
        return [r for part in claim.all_of for r in self.records_of(self.paper.claim(part))]

    def figure_evidence(self, figure: Figure) -> tuple[Evidence, list[Record]] | None:
        """The records that a figure is drawn from: this machine's, else those of a reference machine."""
        experiment = experiment_of_figure(self.paper, figure)
        for source in (self.evidence, *self.reference):
            records = [r for r in source.records_of(experiment) if r.status == "ok"]
            if records:
                return source, records
        return None

    @property
    def counts(self) -> Counter[str]:
        """How many of the paper's claims, controls left out, have each verdict."""
        return Counter(self.verdicts[claim.id].word for claim in self.claims)

    @cached_property
    def cost_s(self) -> float:
        """CPU-seconds of the records that speak."""
        return sum(record.cpu_s for record in self.evidence.current.values())

    @property
    def older(self) -> int:
        """How many records no longer speak, because the code has changed since or they were repeated."""
        return len(self.evidence.records) - len(self.evidence.current)

    @property
    def results(self) -> Path:
        """The file of this machine's raw records."""
        return self.evidence.folder / f"{self.evidence.machine}.jsonl"


@dataclass(frozen=True)
class Honesty:
    """What a reader must know before believing the verdicts.

    Attributes:
        wrong_holds: at most so many wrong "holds" are expected among `holds` of them.
        rules: (paper, claim, number of rules tried) where more than one was.
        busy, dirty: records measured on a busy machine; from uncommitted code. total: of all records.
        recalled: (paper, claim) whose figure nobody read in the paper.
        not_testable: (paper, claim, why).
        unshown: (paper, claim) that hold without their control being shown.
    """

    wrong_holds: float
    holds: int
    rules: list[tuple[str, str, int]]
    busy: int
    dirty: int
    total: int
    recalled: list[tuple[str, str]]
    not_testable: list[tuple[str, str, str]]
    unshown: list[tuple[str, str]]


@dataclass(frozen=True)
class SectionView:
    """A heading of the list, outermost first, with the rows under it; it may be empty."""

    path: tuple[str, ...]
    line: int
    level: int
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class View:
    """Everything that a report of one list says."""

    document: Document
    library: Path
    rows: list[Row]
    beside: Mapping[Key, Kept]
    papers: dict[str, PaperView]
    problems: list[PaperError]
    machine: Machine
    environment: str
    made: str

    @property
    def title(self) -> str:
        """The list's first heading, else its file name."""
        if self.document.headings:
            return self.document.headings[0].text
        return self.document.path.stem if self.document.path else "Reading list"

    @property
    def readiness(self) -> str:
        """How much of the list can run."""
        return readiness(self.rows)

    @cached_property
    def sections(self) -> list[SectionView]:
        """The headings that hold entries, and those that hold nothing at all, in file order."""
        headings = (s for s in self.document.sections if s.path)
        sections = [
            SectionView((), 0, 0),
            *(SectionView(s.path, s.line, s.level) for s in headings),
        ]
        lines = [section.line for section in sections]
        for row in self.rows:
            sections[bisect(lines, row.entry.line) - 1].rows.append(row)
        levels = [section.level for section in sections]
        holds_others = [b > a for a, b in pairwise([*levels, 0])]
        return [
            section
            for section, full in zip(sections, holds_others, strict=True)
            if section.rows or not (full or section.line in (0, self._title_line))
        ]

    @property
    def _title_line(self) -> int:
        return self.document.headings[0].line if self.document.headings else 0

    def kept(self, entry: Entry) -> Kept | None:
        """What the reader keeps of an entry beside the list: state and notes that the list has no place for."""
        return next((self.beside[key] for key in entry.keys if key in self.beside), None)

    def state(self, entry: Entry) -> str | None:
        """The reading state: the list's own, or what is kept beside it."""
        return state_of(entry, self.beside)[0]

    def answers(self, entry: Entry, question: str) -> Iterator[tuple[PaperView, Answer]]:
        """Yield what papers answer to a question that stands under an entry."""
        keys = set(map(str, entry.keys))
        for view in self.papers.values():
            for answer in view.paper.answers:
                if answer.work in keys and _same_question(answer.question, question):
                    yield view, answer

    @cached_property
    def counts(self) -> Counter[str]:
        """Verdicts over all papers, controls left out."""
        return sum((view.counts for view in self.papers.values()), Counter())

    @property
    def machines(self) -> list[str]:
        """Reference machines that know any of the papers."""
        return sorted({machine for view in self.papers.values() for machine in view.elsewhere})

    @cached_property
    def honesty(self) -> Honesty:
        """What a reader must know before believing the verdicts."""
        claims = [(v, c, v.verdicts[c.id]) for v in self.papers.values() for c in v.claims]
        records = [r for view in self.papers.values() for r in view.evidence.current.values()]
        held = [verdict for _, _, verdict in claims if verdict.word == "holds"]
        tried = [
            (v.paper.slug, c.id, rules_tried(c, v.evidence.rules_before(c))) for v, c, _ in claims
        ]
        return Honesty(
            wrong_holds=expected_wrong_holds(held),
            holds=len(held),
            rules=[item for item in tried if item[2] > 1],
            busy=sum(record.busy for record in records),
            dirty=sum(record.dirty for record in records),
            total=len(records),
            recalled=[(v.paper.slug, c.id) for v, c, _ in claims if c.source == "recalled"],
            not_testable=[
                (v.paper.slug, c.id, d.why) for v, c, d in claims if d.word == "not testable here"
            ],
            unshown=[(v.paper.slug, c.id) for v, c, d in claims if "control not shown" in d.note],
        )


def load_view(document: Document, library: Path) -> View:
    """Join a list with the papers that can run and their records."""
    problems: list[PaperError] = []
    rows = join(document, discover(library, problems=problems))
    return View(
        document=document,
        library=library,
        rows=rows,
        beside=load_kept(library),
        papers={
            p.slug: PaperView(p, load_evidence(p, library), load_reference_evidence(p))
            for p in papers_on(rows)
        },
        problems=problems,
        machine=this_machine(),
        environment=this_environment(),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _same_question(one: str, other: str) -> bool:
    """Compare questions by their letters alone."""
    return _letters(one) == _letters(other)


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
