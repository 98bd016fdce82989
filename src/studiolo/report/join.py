"""Where the two wings meet: the entries of a list beside the papers that can run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

from studiolo.claims import Paper
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


def join(document: Document, papers: Sequence[Paper]) -> list[Row]:
    """Pair every entry with the paper that has one of its keys, in file order."""
    by_key = {key: paper for paper in papers for key in (paper.key, *paper.also)}
    return [
        Row(entry, next((by_key[k] for k in map(str, entry.keys) if k in by_key), None))
        for entry in document.entries
    ]


def papers_on(rows: Sequence[Row]) -> list[Paper]:
    """Return the papers that the list names and that can run, each once, in the order of the list."""
    return list({row.paper.slug: row.paper for row in rows if row.paper is not None}.values())


def readiness(rows: Sequence[Row]) -> str:
    """Say how much of a list can run, and how to start on the rest."""
    runnable = sum(row.paper is not None for row in rows)
    if runnable == len(rows):
        return f"{runnable} of {len(rows)} entries can run."
    linked = sum(row.paper is None and row.code_linked for row in rows)
    start = next((row.entry.key for row in rows if row.paper is None and row.entry.key), None)
    sentence = f"{runnable} of {len(rows)} {'entry' if len(rows) == 1 else 'entries'} can run; "
    sentence += f"code is linked for {linked} of the others"
    return sentence + (
        f"; start one with: studiolo new-paper {quote(str(start))}" if start else "."
    )
