"""What a report says, before any format: the list joined with verdicts, figures and their honesty.

HTML, Markdown and JSON are three ways to write this down.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from studiolo.claims import (
    Answer,
    Claim,
    Figure,
    Histories,
    Paper,
    Verdict,
    Word,
    expected_wrong_holds,
)
from studiolo.errors import PaperError, StudioloError
from studiolo.index import Suggestion
from studiolo.keys import Key
from studiolo.library import (
    Kept,
    Library,
    Works,
    load_kept,
    load_same,
    state_of,
    suggest_for_empty,
)
from studiolo.lists import Document, Entry
from studiolo.runs import (
    NO_HISTORY,
    Evidence,
    Ledger,
    Machine,
    Record,
    discover,
    experiment_of,
    experiment_of_figure,
    load_evidence,
    load_ledger,
    load_library_evidence,
    load_reference_evidence,
    machine_name,
    this_environment,
    this_machine,
)

from .rows import Row, answers_to, join, papers_on, readiness


FIRST_CLAIMS = 6  # of a paper's claims that stand open at its head
LONG = 60  # entries
UNTRIED = (Word.NOT_RUN, Word.NOT_TESTABLE)
DECIDED = (Word.HOLDS, Word.DIRECTION, Word.DOES_NOT_HOLD, Word.INCONCLUSIVE)

Tally = list[tuple[Word, int]]


@dataclass(frozen=True)
class PaperView:
    """One paper with what this machine and others measured, in this library or in the paper folder."""

    paper: Paper
    evidence: Evidence
    reference: Sequence[Evidence]
    ledger: Ledger

    @cached_property
    def verdicts(self) -> dict[str, Verdict]:
        """This machine's verdicts by claim id, each with the marks of what was tried."""
        return self.ledger.verdicts(self.evidence, self.histories)

    @cached_property
    def histories(self) -> Histories:
        """What was tried for each claim."""
        return self.ledger.histories(self.evidence)

    def marks(self, claim: Claim) -> str:
        """What was tried for a claim, as it stands beside its verdict; empty where nobody changed anything."""
        if self.verdicts[claim.id].word is Word.NOT_RUN:
            return ""
        return "; ".join(self.histories.of(claim.id).marks)

    @cached_property
    def elsewhere(self) -> dict[str, dict[str, Verdict]]:
        """Reference machines' verdicts by machine, then claim id; only machines with records of the present code."""
        return {s.machine: s.verdicts() for s in self.reference if s.current}

    @cached_property
    def machine_names(self) -> dict[str, str]:
        """The reference machines of `elsewhere` as one says them."""
        return {s.machine: machine_name(s.folder, s.machine) for s in self.reference if s.current}

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """What the paper says; the only claims that are counted."""
        return self.paper.papers_claims

    @cached_property
    def questions(self) -> tuple[Claim, ...]:
        """What we ask beyond the paper."""
        return self.paper.our_questions

    @cached_property
    def checks(self) -> tuple[Claim, ...]:
        """What is true of our code by construction."""
        return self.paper.checks

    @cached_property
    def controls(self) -> tuple[Claim, ...]:
        """The claims in which the effect must be absent."""
        return tuple(self.paper.claim(id) for id in self.paper.controls)

    @property
    def claims_by_news(self) -> list[Claim]:
        """The paper's claims, those that were measured first."""
        return sorted(self.claims, key=lambda claim: self.verdicts[claim.id].word is Word.NOT_RUN)

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
    def counts(self) -> Counter[Word]:
        """How many of the paper's claims have each verdict."""
        return Counter(self.verdicts[claim.id].word for claim in self.claims)

    @property
    def is_measured(self) -> bool:
        """True if any of the paper's claims was tried here."""
        return any(self.counts[word] for word in Word if word not in UNTRIED)

    @property
    def tally(self) -> Tally:
        """The same, the best first."""
        return tally(self.counts)

    def tally_on(self, machine: str) -> Tally:
        """How many of the paper's claims a reference machine decided, by verdict."""
        verdicts = self.elsewhere[machine]
        counts = Counter(verdicts[claim.id].word for claim in self.claims)
        return [(word, counts[word]) for word in DECIDED if counts[word]]

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


@dataclass(frozen=True, slots=True)
class Honesty:
    """What a reader must know before believing the verdicts. Counts are of the papers' claims alone.

    Attributes:
        wrong_holds: at most so many wrong "holds" are expected among the claims that were decided.
        holds, decided: how many hold, and of how many all seeds came.
        rules: (paper, claim, what was tried before today's rule and how it came out) where there is a mark.
        folders: (paper, sentence): claims that were deleted, rules without a history, other code with other verdicts.
        busy, dirty: records measured on a busy machine; from uncommitted code. total: of all records.
        recalled: (paper, claim) whose figure nobody read in the paper.
        not_testable: (paper, claim, why).
        unshown: (paper, claim) that were decided without their control being shown.
    """

    wrong_holds: float
    holds: int
    decided: int
    rules: list[tuple[str, str, str]]
    folders: list[tuple[str, str]]
    busy: int
    dirty: int
    total: int
    recalled: list[tuple[str, str]]
    not_testable: list[tuple[str, str, str]]
    unshown: list[tuple[str, str]]

    def __str__(self) -> str:
        if not self.decided:
            return "No claim was decided."
        were, hold = ("was" if self.decided == 1 else "were"), Word.HOLDS.of(self.holds)
        return (
            f"Of the {counted(self.decided, 'claim')} that {were} decided, {hold}, and at most "
            f"{self.wrong_holds:.1f} are expected to be wrongly said to hold. This is only an error rate over seeds of this "
            "code on this machine."
        )


@dataclass(frozen=True, slots=True)
class SectionView:
    """A heading of the list, outermost first, with the rows under it; it may be empty."""

    path: tuple[str, ...]
    line: int
    level: int
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class View:
    """Everything that a report of one list says.

    `papers` holds those of the list whose folders can be read; `problems` says why others cannot. `suggestions` are for
    sections that hold nothing, by the line of their heading: never written, and only there if something was fetched.
    """

    document: Document
    library: Path
    rows: list[Row]
    beside: Mapping[Key, Kept]
    papers: dict[str, PaperView]
    problems: list[PaperError]
    machine: Machine
    environment: str
    made: str
    works: Works | None = None
    suggestions: Mapping[int, Sequence[Suggestion]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The list's first heading that is not an address, else its file name."""
        for heading in self.document.headings:
            if "://" not in heading.text:
                return heading.text
        return self.document.path.stem if self.document.path else "Reading list"

    def with_evidence(self, evidence: Iterable[Evidence]) -> View:
        """Return the same list with newer evidence of this machine for some of its papers."""
        newer = {
            e.paper.slug: replace(
                self.papers[e.paper.slug],
                evidence=e,
                ledger=load_ledger(e.paper, self.library),
            )
            for e in evidence
        }
        return replace(self, papers={**self.papers, **newer}, made=now())

    @cached_property
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
    def is_long(self) -> bool:
        """True if one scans the list more than one reads it: each entry is a line, and its notes are folded."""
        return len(self.rows) > LONG

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
        papers = [view.paper for view in self.papers.values()]
        for paper, answer in answers_to(entry, question, papers, self.works):
            yield self.papers[paper.slug], answer

    @cached_property
    def tally(self) -> Tally:
        """Verdicts on what the papers say, over all of them, the best first."""
        return tally(sum((view.counts for view in self.papers.values()), Counter()))

    @cached_property
    def counted_apart(self) -> str:
        """How our own questions and the checks of our code came out, in words; empty where there are none."""
        questions = [v.verdicts[c.id] for v in self.papers.values() for c in v.questions]
        checks = [v.verdicts[c.id] for v in self.papers.values() for c in v.checks]
        parts = [
            *_apart(questions, "question", "of our own", "holds", "hold"),
            *_apart(checks, "check", "of our code", "passes", "pass"),
        ]
        return f"Counted apart: {', '.join(parts)}." if parts else ""

    @property
    def machine_names(self) -> dict[str, str]:
        """Reference machines that know any of the papers, as one says them."""
        return dict(item for view in self.papers.values() for item in view.machine_names.items())

    @cached_property
    def honesty(self) -> Honesty:
        """What a reader must know before believing the verdicts."""
        claims = [(v, c, v.verdicts[c.id]) for v in self.papers.values() for c in v.claims]
        ours = [(v, c, v.verdicts[c.id]) for v in self.papers.values() for c in v.questions]
        records = [r for view in self.papers.values() for r in view.evidence.current.values()]
        decided = [
            (verdict, v.histories.of(c.id).draws) for v, c, verdict in claims if verdict.decided
        ]
        return Honesty(
            wrong_holds=expected_wrong_holds(decided),
            holds=sum(verdict.word is Word.HOLDS for verdict, _ in decided),
            decided=len(decided),
            rules=[
                (v.paper.slug, c.id, what) for v, c, _ in (*claims, *ours) if (what := _tried(v, c))
            ],
            folders=[item for v in self.papers.values() for item in _of_folder(v)],
            busy=sum(record.busy for record in records),
            dirty=sum(record.dirty for record in records),
            total=len(records),
            recalled=[(v.paper.slug, c.id) for v, c, _ in claims if c.source == "recalled"],
            not_testable=[
                (v.paper.slug, c.id, d.why)
                for v, c, d in (*claims, *ours)
                if d.word is Word.NOT_TESTABLE
            ],
            unshown=[
                (v.paper.slug, c.id)
                for v, c, d in (*claims, *ours)
                if "control not shown" in d.note
            ],
        )


def load_view(
    document: Document,
    library: Path,
    papers: Sequence[Paper] | None = None,
    problems: Iterable[PaperError] = (),
) -> View:
    """Join a list with the papers that can run and their records.

    Args:
        papers, problems: what `discover` found in `library`, where the caller has asked it already.
    """
    wrong = list(problems)
    if papers is None:
        papers = discover(library, problems=wrong)
    works = load_same(Library(library))
    rows = join(document, papers, works)
    views = {}
    for paper in papers_on(rows):
        try:
            views[paper.slug] = load_paper(paper, library)
        except PaperError as error:
            wrong.append(error)
    return View(
        document=document,
        library=library,
        rows=rows,
        beside=load_kept(library),
        papers=views,
        problems=wrong,
        machine=this_machine(),
        environment=this_environment(),
        made=now(),
        works=works,
        suggestions=suggest_for_empty(Library(library), document),
    )


def now() -> str:
    """Return the time as a page says it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def tally(counts: Counter[Word]) -> Tally:
    """Each verdict that was given with its number, in the order of `Word`."""
    return [(word, counts[word]) for word in Word if counts[word]]


def load_paper(paper: Paper, library: Path) -> PaperView:
    """Load what is known of a paper; one folder that cannot be read is one line of the report.

    Raises:
        PaperError: its code is not Python, or its records cannot be read; says which folder and why.
    """
    try:
        evidence = load_evidence(paper, library)
        if evidence.code.problem:
            raise PaperError(
                f"{paper.folder / 'experiments.py'} is not Python: {evidence.code.problem}."
            )
        others = [e for e in load_library_evidence(paper, library) if e.machine != evidence.machine]
        known = sorted([*load_reference_evidence(paper), *others], key=lambda e: len(e.current))
        reference = list({e.machine: e for e in known}.values())[::-1]  # who knows most first
        return PaperView(paper, evidence, reference, load_ledger(paper, library))
    except PaperError:
        raise
    except (StudioloError, OSError) as error:
        raise PaperError(f"{paper.folder} cannot be read: {str(error).rstrip('.')}.") from error


def _tried(view: PaperView, claim: Claim) -> str:
    """What was tried for a claim, and how each of its other rules came out."""
    earlier = view.histories.of(claim.id).earlier
    return ". Before: ".join(filter(None, [view.marks(claim), "; ".join(map(str, earlier))]))


def _of_folder(view: PaperView) -> Iterator[tuple[str, str]]:
    """What the rules of a whole paper folder have behind them."""
    slug = view.paper.slug
    kept = [e for e in view.reference if e.folder.is_relative_to(view.paper.folder)]
    if not view.ledger.has_history(view.evidence, kept):
        yield slug, NO_HISTORY
    yield from ((slug, sentence) for sentence in view.histories.deleted)
    for id, history in view.histories.claims.items():
        if history.other_code:
            yield (
                slug,
                f"{id} came out differently with other versions: {', '.join(history.other_code)}",
            )


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 entry`, `2,000 papers`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def share_of(part: int, whole: int, noun: str, verb: str, verbs: str) -> str:
    """Return a part of what is counted with its verb: `1 of 2 claims holds`, `0 of 2 claims hold`, `0 of 1 claim holds`."""
    return f"{part:,} of {counted(whole, noun)} {verb if 1 in (part, whole) else verbs}"


def _apart(
    verdicts: Sequence[Verdict], noun: str, whose: str, verb: str, verbs: str
) -> Iterator[str]:
    run = [verdict.word for verdict in verdicts if verdict.word is not Word.NOT_RUN]
    if run:
        yield share_of(run.count(Word.HOLDS), len(run), noun, f"{whose} {verb}", f"{whose} {verbs}")
    if left := len(verdicts) - len(run):
        yield f"{counted(left, noun)} {whose} not run"
