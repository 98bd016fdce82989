"""What to try next where a search found too little."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

from .query import FIELDS, JOINT, Query, fts
from .words import fold, tokens


_TOLD = 8  # values of a field that are named where none was found


def with_whole_lists(database: sqlite3.Connection, query: Query) -> Query:
    """Return a search whose `list:` is the whole value, where it was the name of one file (`mine` for `lists/mine.md`)."""
    if not any(name == "list" for name, *_ in query.facets):
        return query
    there = _values(database, "list")
    facets = []
    for name, value, wanted in query.facets:
        if name == "list" and value not in there:
            same = [one for one in there if value in (PurePath(one).name, PurePath(one).stem)]
            value = same[0] if len(same) == 1 else value
        facets.append((name, value, wanted))
    return replace(query, facets=tuple(facets))


def _values(database: sqlite3.Connection, field: str) -> list[str]:
    """Return the values of a field, the most frequent first."""
    sql = "SELECT value FROM facets WHERE name = ? GROUP BY value ORDER BY count(*) DESC, value"
    return [value for (value,) in database.execute(sql, (field,))]


def hints(database: sqlite3.Connection, query: Query, has_some: bool) -> Iterator[str]:
    """Yield what to try next, where not every word was found: sentences for the reader."""
    for name in dict.fromkeys(query.strange):
        fields = " ".join(f"{one}:" for one in FIELDS)
        yield f"“{name}:” is not a field, so it was searched as a word. Fields: {fields}."
    if has_some:
        return
    for name, value, wanted in dict.fromkeys(query.facets):
        if not wanted or name == "key" or value in (there := _values(database, name)):
            continue
        known = ", ".join(there[:_TOLD]) + (", …" if len(there) > _TOLD else "")
        yield f"Nothing here has {name}:{value}. " + (f"There are: {known}." if known else f"Nothing has any {name}.")  # fmt: skip
    for word in query.words:
        if word.is_phrase and len(tokens(fold(word.text))) > 1 and not is_there(database, fts(word)):  # fmt: skip
            yield f"The phrase “{word.text.replace(JOINT, '')}” stands nowhere. Without its quotes, its words are searched one by one."


def is_there(database: sqlite3.Connection, expression: str) -> bool:
    """Return whether any row matches."""
    return bool(
        database.execute("SELECT 1 FROM fts WHERE fts MATCH ? LIMIT 1", (expression,)).fetchone()
    )
