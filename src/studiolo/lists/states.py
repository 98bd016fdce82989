"""How a list itself shows what was read: check boxes, a column, marks, headings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from .elements import State
from .leads import KEYWORD


TO_READ: Final = "to read"
READING: Final = "reading"
READ: Final = "read"
BOX = re.compile(rb"\[([ xX/~-])\](?=[ \t])")
BOX_STATES: dict[str, State] = {
    " ": TO_READ,
    "x": READ,
    "X": READ,
    "/": READING,
    "~": READING,
}  # [-] is Obsidian's for cancelled, which is none of these
STATE_BOXES: dict[State, bytes] = {TO_READ: b" ", READ: b"x", READING: b"/"}
READ_MARKS = ("✅", "✔️", "✔", "☑️", "☑")
READING_MARKS = ("⏳", "📖", "👀", "🔄")
_ANY = "|".join((*READ_MARKS, *READING_MARKS))
_AROUND = "[\\s*_~|\u2600-\u2704\u2706-\u2713\u2715-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f-]*"  # other pictures
_MARK = re.compile(_ANY)
_MARK_FIRST = re.compile(f"{_AROUND}?({_ANY})")
_MARK_LAST = re.compile(f"({_ANY})\ufe0f?[\\s*_~|.]*$")
KEYWORDS: dict[State, bytes] = {TO_READ: b"TODO", READING: b"DOING", READ: b"DONE"}
KEYWORD_IN = re.compile(rb"TODO|LATER|WAITING|DOING|NOW|STARTED|IN-PROGRESS|DONE")
_HEADINGS: dict[State, str] = {
    TO_READ: "to review|to read|to be read|tbr|reading list|unread|queue|backlog|todo|to do|want to read|must read|up next|next up|read later|later|待读",
    READING: "reading|currently reading|now reading|in progress|started|在读",
    READ: "read|already read|have read|papers read|read papers|done|finished|reviewed|completed|archive|已读",
}
_BY_HEADING = {text: state for state, texts in _HEADINGS.items() for text in texts.split("|")}
_CELL_READ = re.compile(
    r"(?:y|yes|x|read|done|true|finished|reviewed|1|100 ?%|✓|\[x\])[.!]?", re.IGNORECASE
)
_CELL_READING = re.compile(
    r"(?:reading|in progress|started|partly|partially|half|wip|skimmed|\[/\])", re.IGNORECASE
)
_CELL_UNREAD = re.compile(
    r"(?:n|no|-|–|—|unread|to ?read|to review|todo|to do|false|0|0 ?%|not yet|✗|✘|\[ ?\])?",
    re.IGNORECASE,
)
_CELLS: dict[State, re.Pattern[str]] = {
    READ: _CELL_READ,
    READING: _CELL_READING,
    TO_READ: _CELL_UNREAD,
}


def state_of_heading(text: str) -> State | None:
    """Return the state that a heading such as "# To Review" gives to what stands below it."""
    words = re.sub(r"[^\w\s]|_", " ", text.replace("-", " ")).lower().split()
    return _BY_HEADING.get(" ".join(words))


def are_states(headings: Iterable[str]) -> bool:
    """Whether headings of a list may show states: several that say Reading alone are of what belongs to a lecture or week."""
    states = [state for text in headings if (state := state_of_heading(text))]
    return states.count(READING) < 2 or not {READ, TO_READ}.isdisjoint(states)


@lru_cache(maxsize=1024)
def state_of_section(section: tuple[str, ...]) -> State | None:
    """Return the state that the innermost of the headings gives, if one does."""
    return next((state for text in reversed(section) if (state := state_of_heading(text))), None)


def state_of_mark(text: str) -> State | None:
    """Return the state that a mark (✅, ⏳ …) at either end of `text` gives; within a sentence it is a picture."""
    if not _MARK.search(text):
        return None
    match = _MARK_FIRST.match(text) or _MARK_LAST.search(text[-20:])
    if match is None:
        return None
    return READ if match[1] in READ_MARKS else READING


def state_of_keyword(text: str) -> State | None:
    """Return the state that a keyword at the head of `text` gives: TODO, DOING, DONE."""
    match = KEYWORD.match(text)
    if match is None:
        return None
    return TO_READ if match[1] else READING if match[2] else READ


def state_of_cell(text: str) -> State | None:
    """Return the state that a cell of such a column gives; an empty one is unread, others may say nothing."""
    text = text.strip()
    if mark := state_of_mark(text):
        return mark
    if "❌" in text or "⬜" in text:
        return TO_READ
    for state, pattern in _CELLS.items():
        if pattern.fullmatch(text):
            return state
    return None
