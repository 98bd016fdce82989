"""The heads that most items of long lists have, read at once: `[Title](address) - 2019`, `Name - ["Title" - 2019 - People](address)`, `**Name**: address`.

Nothing here is a rule of its own. Such a head is cut where `heads` would cut it and its title is where `titles` would find
it, whatever the words are; what the words say is asked of the same functions, and where they say more than the form
shows, the head is left to `titles`. `tests/lists/test_plain.py` compares the two.
"""

from __future__ import annotations

import re

from .authors import split_authors
from .citations import cite
from .dates import MAYBE_DATE, VENUES, year_said
from .labels import LABELS, SMALL_WORDS, is_label
from .leads import KEYWORD
from .links import Piece
from .words import plain_words


# (title, name, people as they are written, year)
Plain = tuple[str, str | None, str, int | None]

_YEAR = r"((?:19|20)\d\d)"
_NAME = r"([A-Z][A-Za-z]*(?:-?(?!(?:19|20)\d\d)\d)*+)"  # no year is in it
_CHAR = r"[^\[\]<>\\`*_~&\x00-\x20\x7f]"  # no markup
_TITLE = rf"([A-Za-z\d]{_CHAR}*+(?: {_CHAR}++)*+)"
_WORDS = r"([A-Za-z][A-Za-z\d'-]*+(?: [A-Za-z\d][A-Za-z\d'-]*+)*+)"
_PEOPLE = r"([A-Z][A-Za-z'-]*+(?:\.?,? [A-Za-z][A-Za-z'-]*+)*+)"
_LINKED = re.compile(
    rf"(?:{_NAME} - )?+\[(?:(?!https?:|www\.){_TITLE}|\"(?=[^\"]{{3}}){_WORDS}\" - {_YEAR} - {_PEOPLE})\]\([^\s()<\\]++\)(?: - (?:{_PEOPLE}, )?+{_YEAR})?+",
    re.ASCII,
)
_NAMED = re.compile(_NAME, re.ASCII)
_BOLD = re.compile(rf"\*\*{_WORDS}\*\*: (?=https?://\S++$)", re.ASCII)
_THOUGHT = re.compile(r"[A-Za-z\d ,.;'*`?!+-]+")
_LETTERS = re.compile(r"[A-Za-z]++(?: [A-Za-z]++)*+")
_LISTED = re.compile(r"[A-Za-z]++(?: [A-Za-z]++)*+((?:, [a-z]++(?: [a-z]++)*+)++)")
_NO_NAMES = LABELS.union(
    SMALL_WORDS, ["todo", "later", "waiting", "doing", "now", "started", "done"]
)
_LONGEST = 400  # characters: fewer than any rule reads of a head


def read_plain(data: bytes, pieces: list[Piece]) -> Plain | None:
    """Return what a head of these forms says, or None for `titles` to read it."""
    if len(pieces) != 1 or len(data) > _LONGEST or not data.isascii():
        return None
    head, piece = data.decode(), pieces[0]
    if piece.kind == "inline" and (match := _LINKED.fullmatch(head)):
        name, title, quoted, year, people, people_behind, year_behind = match.groups()
        if name and not _is_name(name):
            return None
        if (year_behind and quoted) or (title and (title == piece.url or not _is_title(title))):
            return None
        title, people, year = title or quoted, people or people_behind, year or year_behind
        if name and name.casefold() == title.casefold():
            name = None
        if people_behind and not split_authors(people):
            return None
        return title, name, people or "", int(year) if year else None
    if piece.kind == "bare" and (match := _BOLD.match(head)):
        title = match[1]
        whole = (piece.start, piece.end) == (match.end(), len(head))
        named = _NAMED.fullmatch(title) is not None and _is_name(title)
        if whole and (named or (_is_title(title) and not KEYWORD.match(title))):
            return title, None, "", None
    return None


def _is_name(word: str) -> bool:
    """Whether a word of the form of a name is not a label, venue, year or keyword."""
    return word.rstrip("-0123456789").lower() not in _NO_NAMES


def _is_title(text: str) -> bool:
    """Whether `text` is a title as it stands."""
    if is_label(text) or text[-1] in ")]" or " by " in text:
        return False  # the habits of a list may say more
    if _LETTERS.fullmatch(text):
        return True  # no year, and nothing that a style of `cite` looks for
    if (listed := _LISTED.fullmatch(text)) and VENUES.isdisjoint(re.findall("[a-z]+", listed[1])):
        return True  # in small letters stand neither people nor, but for these, where it appeared
    return not year_said(text) and cite(text) == (text, "", "")


def read_thought(data: bytes) -> str | None:
    """Return a head without links that is a sentence: no quotation, no year, and more than labels and numbers; else None."""
    if len(data) > _LONGEST or not data.isascii() or b"**" in data:
        return None
    head = data.decode()
    if (
        _THOUGHT.fullmatch(head)
        and not MAYBE_DATE.search(head)
        and any(word.isalpha() and word.islower() and not is_label(word) for word in head.split())
    ):
        words = plain_words(data)
        if words[:1].isalpha() and not KEYWORD.match(words):
            return words.strip("* ")
    return None
