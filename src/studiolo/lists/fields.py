"""What is said of a work field by field: `**Title:** Its Title`, `**Authors:** Some, Other`, `Year: 2019`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from .links import Piece
from .places import some


TITLED = re.compile(r"(?:title|标题|论文标题|题目)\s?[:：]\s*(?=\S)", re.IGNORECASE)
FIELD = re.compile(
    r"((?:first |last )?authors?(?:\(s\)|/\w+)?|by|作者|year(?: of publication)?|(?:[a-z]{5,12} )?date|published(?: (?:in|at))?|publisher|publication|venue|conference|journal|发表时间|日期|年份)"
    r"\s?[:：]\s*(?=\S)(.+)",
    re.IGNORECASE | re.DOTALL,
)
_TITLE_FIRST = re.compile(
    rb"[\s*_#+-]{0,8}(?:\d{1,3}[.)]\s)?[*_]{0,3}(?:paper )?title[*_]{0,3}\s?:", re.I
)
# at the beginning of a line, or emphasised
_BEGINS = re.compile(
    rb"(?:(?:^|\n|<br\s?/?>)[ \t*_]*|(?<=\s)(?:\*\*|__|\*|_))"
    rb"(?:(?:paper )?title|(?:first |last )?authors?(?:\(s\))?|year|(?:[a-z]{5,12} )?date|published(?: (?:in|at))?|publication|venue|conference|journal"
    rb"|(?:paper |code |project )?(?:link|url|page)s?|paper|pdf|arxiv|doi|code|github|abstract|summary|tl;?dr|notes?|tags?|keywords?|topics?)"
    rb"[*_]{0,3}\s?:[*_]{0,3}",
    re.IGNORECASE,
)

_MOST = 30  # fields, and links among them

Said = tuple[bytes, list[Piece]]


def fields_of(data: bytes, pieces: Sequence[Piece]) -> list[Said]:
    """Return the fields of a head that says all of its work field by field, the title first; [] if it does not."""
    first = _TITLE_FIRST.match(data) if b"itle" in data[:40] else None
    if first is None:
        return []
    links = [(piece.start, piece.end) for piece in pieces]
    begins = [
        found.start()
        for found in some(_BEGINS.finditer(data, first.end()), _MOST)
        if not any(start < found.start() < end for start, end in links[:_MOST])
    ]
    stretches = zip([0, *begins], [*begins, len(data)], strict=True)
    return [_stretch(data, pieces, start, end) for start, end in stretches]


def _stretch(data: bytes, pieces: Sequence[Piece], start: int, end: int) -> Said:
    """Return a stretch of a text and the links in it."""
    inner = [
        replace(
            piece,
            start=piece.start - start,
            end=piece.end - start,
            text=(piece.text[0] - start, piece.text[1] - start),
        )
        for piece in pieces
        if start <= piece.start and piece.end <= end
    ]
    return data[start:end], inner


def without_title(data: bytes, pieces: Sequence[Piece]) -> Said:
    """Return the field of a title without the word `Title:`."""
    label = _TITLE_FIRST.match(data)
    at = label.end() if label else 0
    at += len(data[at:]) - len(data[at:].lstrip(b"*_ "))
    return _stretch(data, pieces, at, len(data))
