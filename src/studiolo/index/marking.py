"""Which words of a text a search has found."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from .query import JOINT, TOKENIZE, Query, fts, jointed
from .titles import CLOSE, MARKED, OPEN
from .words import says_nothing


APART = "\x1f"  # between the names of a row
Marks = tuple[tuple[int, int], ...]  # (start, end) of each match in a text


def sought_by(query: Query) -> tuple[str, ...]:
    """Return what a reader would mark in a text: the telling words, in whatever column they were looked for."""
    words = [word for word in query.words if not says_nothing(word.text)] or query.words
    expressions = [
        fts(replace(word, column=""), as_prefix=query.ends_open and word is query.words[-1])
        for word in (*words, *query.needed)
        if word.column != "section"
    ]
    return tuple(dict.fromkeys(expressions))


def marks_in(texts: Sequence[str], sought: Sequence[str]) -> list[Marks]:
    """Return where the matches in some texts, composed, are: an index of these alone, which reads words as that of the rows does."""
    if not sought:
        return [()] * len(texts)
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute(f"CREATE VIRTUAL TABLE shown USING fts5 (text, tokenize={TOKENIZE})")
        database.executemany(
            "INSERT INTO shown (rowid, text) VALUES (?, ?)",
            ((number, jointed(text)) for number, text in enumerate(texts)),
        )
        rows = database.execute(
            f"SELECT rowid, highlight(shown, 0, '{OPEN}', '{CLOSE}') FROM shown WHERE shown MATCH ?",
            (" OR ".join(sought),),
        )
        found = {number: marked(text)[1] for number, text in rows}
    return [found.get(number, ()) for number in range(len(texts))]


def marked(snippet: str) -> tuple[str, Marks]:
    """Return a snippet without its marks, and where they stood; matches that touch become one."""
    snippet = snippet.replace(JOINT, "").replace(APART, ", ").replace(CLOSE + OPEN, "")
    text, marks = "", []
    for piece in MARKED.split(snippet):
        if piece.startswith(OPEN):
            piece = piece.strip(OPEN + CLOSE)
            marks.append((len(text), len(text) + len(piece)))
        text += piece
    return text, tuple(marks)
