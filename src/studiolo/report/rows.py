"""Where the two wings meet: the entries of a list beside the papers that can run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from shlex import quote

from studiolo.claims import Answer, Paper
from studiolo.library import Works
from studiolo.lists import Document, Entry


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of a list and, where there is a folder for it, its paper."""

    entry: Entry
    paper: Paper | None

    @property
    def code_linked(self) -> bool:
        """True if the entry links a repository."""
        return any(key.kind == "github" for key in self.entry.keys)


def join(document: Document, papers: Sequence[Paper], works: Works | None = None) -> list[Row]:
    """Pair every entry with the paper that is one of its works, in file order.

    Args:
        works: which keys are one work; where None, each key is one of its own.
    """
    by_key = {key: paper for paper in papers for key in (paper.key, *paper.also)}
    return [
        Row(entry, next((by_key[k] for k in keys_of(entry, works) if k in by_key), None))
        for entry in document.entries
    ]


def keys_of(entry: Entry, works: Works | None = None) -> list[str]:
    """Return the keys of an entry, its own first, then the others of their works."""
    own = [str(key) for key in entry.keys]
    if works is None:
        return own
    every = (works.keys(key) for key in entry.keys)
    others = (str(other) for work in every if len(work) > 1 for other in sorted(work))
    return list(dict.fromkeys((*own, *others)))


def answers_to(
    entry: Entry, question: str, papers: Iterable[Paper], works: Works | None = None
) -> list[tuple[Paper, Answer]]:
    """Return what papers answer to a question that stands below a work of theirs; only letters and digits are compared."""
    keys = set(keys_of(entry, works))
    asked = _letters(question)
    return [
        (paper, answer)
        for paper in papers
        for answer in paper.answers
        if answer.work in keys and _letters(answer.question) == asked
    ]


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def papers_on(rows: Sequence[Row]) -> list[Paper]:
    """Return the papers that the list names and that can run, each once, in the order of the list."""
    return list({row.paper.slug: row.paper for row in rows if row.paper is not None}.values())


def readiness(rows: Sequence[Row]) -> str:
    """Say how much of a list can run, and how to start on the rest."""
    runnable = sum(row.paper is not None for row in rows)
    ready = f"{runnable:,} of {len(rows):,} {'entry' if len(rows) == 1 else 'entries'} can run"
    if runnable == len(rows):
        return f"{ready}."
    rest = [row for row in rows if row.paper is None]
    linked = sum(row.code_linked for row in rest)
    papers = [row.entry.key for row in rest if row.entry.key and row.entry.key.names_paper]
    parts = [ready]
    if linked:
        parts.append(f"code is linked for {linked:,} of the others")
    if papers:
        parts.append(f"start one with: studiolo new-paper {quote(str(papers[0]))}")
        return "; ".join(parts)  # a full stop would become a part of the command
    return "; ".join(parts) + "."
