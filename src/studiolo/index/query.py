"""What a person types into a search: words, "phrases", -words, and fields such as `author:` and `year:2019..2021`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Any

from studiolo.errors import UsageError

from .words import UNSPACED


TEXT_FIELDS = {"author": "authors", "title": "title", "section": "section", "note": "notes"}
EXACT_FIELDS = ("tag", "state", "source", "has", "list", "key")
FIELDS = (*TEXT_FIELDS, "year", *EXACT_FIELDS)
_PART = re.compile(r'(-?)(?:(\w+):)?(?:"([^"]*)"?|(\S+))')
_YEARS = re.compile(r"(\d{4})|(\d{4})?\.\.(\d{4})?")
TOKENIZE = "'porter unicode61 remove_diacritics 2'"  # of FTS5's tables
MOST_PARTS = 32  # of one kind: SQLite nests conditions only so deep
JOINT = "\u200b"  # parts letters for the tokenizer and is not seen: between letters of scripts without spaces


@dataclass(frozen=True, slots=True)
class Word:
    """A word or phrase that is looked for, perhaps in one column only."""

    text: str
    column: str = ""
    is_phrase: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A search, taken apart.

    Attributes:
        words: what may be left out or mistyped: the ladder climbs over these.
        needed: words in fields: every hit has them.
        unwanted: words that no hit has.
        facets: (field, folded value, whether a hit must have it).
        years: (first, last) and whether hits lie inside, one for each `year:`.
        ends_open: the last word may be half typed.
        says: sentences for the reader.
        strange: what stands before a colon as a field would, and is none.
    """

    words: tuple[Word, ...] = ()
    needed: tuple[Word, ...] = ()
    unwanted: tuple[Word, ...] = ()
    facets: tuple[tuple[str, str, bool], ...] = ()
    years: tuple[tuple[int, int, bool], ...] = ()
    ends_open: bool = False
    says: tuple[str, ...] = field(default=())
    strange: tuple[str, ...] = ()

    def with_words(self, words: tuple[Word, ...]) -> Query:
        """Return the search with other words."""
        return replace(self, words=words)

    def only(self, words: tuple[Word, ...]) -> Query:
        """Return the search for some of its words."""
        return replace(
            self, words=words, ends_open=self.ends_open and words[-1:] == self.words[-1:]
        )


def parse_query(text: str) -> Query:
    """Take a search apart.

    Raises:
        UsageError: a `year:` is not a year or a range of years, or a field has no value.
    """
    words: list[Word] = []
    needed: list[Word] = []
    unwanted: list[Word] = []
    facets: list[tuple[str, str, bool]] = []
    years: list[tuple[int, int, bool]] = []
    ends_open = False
    says: list[str] = []
    strange: list[str] = []
    for part in _PART.finditer(text):
        minus, name, phrase, plain = part.groups()
        name = (name or "").lower()
        if not name and plain and plain.endswith(":") and plain[:-1] in FIELDS:
            name, plain = plain[:-1], ""
        if name and name not in FIELDS:
            # "arxiv:2105.03824", "https://…": a colon alone makes no field
            if name.isalpha() and not (plain or "").startswith("//"):
                strange.append(name)
            plain, name = f"{part[2]}:{plain if phrase is None else phrase}", ""
            phrase = None
        value = readable(plain if phrase is None else phrase)
        if name and not value.strip():
            raise UsageError(f"{name}: needs a value, e.g. {_EXAMPLES.get(name, name + ':word')}")
        if name == "year":
            years.append((*_years(value), not minus))
        elif name in EXACT_FIELDS:
            facets.append((name, facet(value), not minus))
        elif name == "section" and not minus and ">" in value:
            # a heading path, as it is shown: each heading of it
            needed += [Word(one, "section", True) for one in value.split(">") if has_word(one)]
        elif has_word(value):
            word = Word(value, TEXT_FIELDS.get(name, ""), phrase is not None)
            (unwanted if minus else needed if name else words).append(word)
            is_last = not minus and not name and phrase is None and part.end() == len(text)
            # "C++" and "(attention)" are whole, "attent*" is not
            ends_open = is_last and (text[-1] == "*" or unicodedata.category(text[-1])[0] in "LMN")
    parts: tuple[list[Any], ...] = (words, needed, unwanted, facets, years)
    for some, what in zip(parts, ("words", *["fields"] * 4), strict=True):
        if len(some) > MOST_PARTS:
            del some[MOST_PARTS:]
            ends_open = False
            says.append(f"Only the first {MOST_PARTS} {what} were searched.")
    return Query(
        tuple(words), tuple(needed), tuple(unwanted), tuple(facets), tuple(years), ends_open, tuple(says), tuple(strange)
    )  # fmt: skip


_EXAMPLES = {"year": "year:2021 or year:2019..2021", "author": 'author:"Ada Lovelace"'}


def _years(value: str) -> tuple[int, int]:
    match = _YEARS.fullmatch(value)
    if not match or value == "..":
        raise UsageError(
            f"{value!r} is not a year or a range of years. Write year:2021, year:2019..2021, year:2019.. or year:..2021."
        )
    if match[1]:
        return int(match[1]), int(match[1])
    first, last = int(match[2] or 0), int(match[3] or 9999)
    if first > last:
        raise UsageError(
            f"{value!r} ends before it begins, so no year is in it. Write year:{match[3]}..{match[2]}."
        )
    return first, last


def readable(text: str) -> str:
    """Return a text as it is stored for search: composed, and of runs without spaces each letter a word of its own."""
    text = text.replace("\0", " ")
    if text.isascii():
        return text
    return jointed(unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode()))


def jointed(text: str) -> str:
    """Return a composed text with a joint around each letter of runs without spaces."""
    return UNSPACED.sub(lambda run: JOINT + JOINT.join(run[0]) + JOINT, text)


def facet(value: str) -> str:
    """Return a value as `tag:`, `state:` and their like compare it: "To Read", "to-read" and "to_read" are one."""
    return re.sub(r"[\s_-]+", "-", value.replace(JOINT, "").casefold().strip())


def has_word(text: str) -> bool:
    """Return whether the tokenizer finds a word in a text."""
    return any(unicodedata.category(letter)[0] in "LN" for letter in text)


def fts(word: Word, *, as_prefix: bool = False) -> str:
    """Return a word in the language of SQLite's FTS5."""
    quoted = '"' + word.text.replace('"', '""') + '"' + ("*" if as_prefix else "")
    return f"{word.column} : {quoted}" if word.column else quoted
