"""Words that only say where and when a work appeared, or whose it is: `NeurIPS 2019.`, `IEEE Access, 2020`, `Someone et al. (2004)`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar

from .authors import family_names, names_people, people_before, split_authors
from .dates import MAYBE_DATE, PUBLISHED, is_venue, year_said
from .leads import without_leads


T = TypeVar("T")

_LEAD = re.compile(
    r"[\[(（【{]([^\[\]()（）【】{}]{1,60})[\])）】}]\s*[:：.,-]?\s*|([^\W\d_][\w'’&/-]*(?:\s[\w'’&/.-]+){0,4}?|(?:19|20)\d\d[\w./-]*)\s?[:：,.]\s+"
    r"|((?:19|20)\d\d(?:[./-]\d\d?){0,2})[:.,]?\s+"
)
_YEAR_NEXT = re.compile(r"(?:19|20)\d\d\b")
_DATED_VENUE = re.compile(r"[A-Za-z]+ (?:19|20)\d\d(?!\d)")
VOLUME = re.compile(  # Geophys. J. Int. 148 (2002) 320
    r"[A-Z][\w&'.]*(?: (?:of|and|the|in|[A-Z][\w&'.]*)){0,8},? \d{1,4}(?: ?\(\d+\))?,? \((?:19|20)\d\d\)"
)
_NAMED = re.compile(
    r"[A-Z][a-z]+(?:\s(?:of|on|in|and|for|the|&|[A-Z][a-z]+)){0,7}|[A-Z][\w-]*[A-Z][\w-]*(?: [A-Z][\w-]*)?"
)
JOURNAL = re.compile(  # Journal of Its Field, Vol. 4
    r"(?:[A-Z][\w.]* ){0,3}(?:Journal|Proceedings|Transactions|Annals|Proc\.|Trans\.) (?:of|on|in) (?:the )?[A-Z][^:?!]*\d"
)
_YEAR_LAST = re.compile(r"(?:19|20)\d\d[a-z]?[)\]]?$")
STOP = re.compile(  # of a sentence, with another behind it
    r"[.?!](?:(?<=[^\W_]{2}[.?!])|(?<=[)\]\"”'’][.?!]))\s+(?=[^\W\da-z_]|\d{4}|\(|[Ii]n |ar[Xx]iv|[a-z]+,? (?:19|20)\d\d\W*$)"
)
COMMA = re.compile(r",\s+")
YEAR_AT_END = re.compile(r"[\s,(]*(?:19|20)\d\d[a-z]?\)?[.,:]?\s*$")


def without_when(text: str) -> tuple[str, list[str]]:
    """Return words without what says when and where before them, and that."""
    said: list[str] = []
    while (lead := _LEAD.match(text)) and lead.end() < len(text):
        inside = next(group for group in lead.groups() if group)
        dated = _YEAR_NEXT.match(text, lead.end()) is not None
        aside = lead[1] is not None or ("," in lead[0] and is_venue(inside.split()[0]))
        if not year_said(inside, aside=aside) and not ((lead[1] or dated) and is_venue(inside)):
            break
        if people_before(inside):
            break
        said.append(inside)
        text = without_leads(text[lead.end() :].lstrip("-–—: "), escaped=True)
    return text, said


def whose_and_when(text: str) -> tuple[tuple[str, ...], int] | None:
    """Return the people and the year of `Someone et al. ECCV 2016`, if a text says nothing else."""
    words = text.split()
    if not 2 < len(words) < 16 or not MAYBE_DATE.search(words[-1]):
        return None
    for at in range(len(words) - 1, max(0, len(words) - 5), -1):
        year = year_said(" ".join(words[at:]), aside=True)
        said = " ".join(words[:at]).rstrip(",")
        if year and at == 2 and "," in said:
            return None  # Family, Given or Family, Family
        families = family_names(said) if " et al" not in said else ()
        if year and (people := families or people_before(f"{said}, {year}")):
            return people, year
    return None


def only_cites(text: str) -> bool:
    """Whether words only say whose work it is, and when: `Someone et al. (2004)`."""
    said = text.strip("[] ")
    if whose_and_when(said):
        return True
    if said.rstrip(".").endswith("et al"):
        return bool(split_authors(said))
    return said[-1:] in "0123456789)]" and bool(_YEAR_LAST.search(said) and people_before(said))


def ends_placed(text: str) -> bool:
    """Whether a title goes on to a venue behind a comma, and not behind a full stop."""
    if any(published(text[end.end() :]) for end in some(STOP.finditer(text), 10)):
        return False
    return any(placed(text[comma.end() :]) for comma in some(COMMA.finditer(text), 20))


def ends_published(text: str) -> bool:
    """Whether a sentence is followed by one that only says where and when."""
    ends = (*some(STOP.finditer(text), 10), *some(COMMA.finditer(text), 10))
    return any(published(text[end.end() :]) for end in ends)


def published(text: str) -> bool:
    """Whether `text` only says where and when: `NeurIPS 2019.`, `may 2016`."""
    return year_said(text) is not None or is_venue(text.rstrip("."))


def placed(text: str) -> bool:
    """Whether words behind a comma only say where and when: `IEEE Access, 2020`, `Neural Computation, 1997`."""
    text = text.rstrip(" .;/")
    if JOURNAL.match(text):
        return True
    first, *rest = COMMA.split(text)
    if _DATED_VENUE.match(first) and is_venue(first.split()[0]) and len(first.split()) <= 6:
        return True
    if not (
        first[:1].isupper() or first[:1].isdigit() or first.startswith(("in ", "arxiv", "arXiv"))
    ):
        return published(text)
    if is_venue(first) or PUBLISHED.search(first):
        return year_said(text, aside=True) is not None or is_venue(text)
    if ": " in first or ". " in first:
        return False
    if year_said(first, aside=True):
        return not rest or year_said(text) is not None
    return (
        len(rest) == 1
        and _NAMED.fullmatch(first) is not None
        and rest[0].isdigit()
        and year_said(rest[0]) is not None
    )


def without_place(text: str) -> str:
    """Return words without the venue and year that stand behind a comma."""
    commas = some(COMMA.finditer(text), 60)
    return next((text[: comma.start()] for comma in commas if placed(text[comma.end() :])), "")


def families_first(text: str) -> tuple[str, ...]:
    """Return the people of `Someone & Other. SIGGRAPH 2002.`"""
    stop = text.find(". ")
    return family_names(text[:stop]) if stop > 0 and placed(text[stop + 2 :]) else ()


def people_and_year(text: str) -> bool:
    """Whether `text` says `Someone et al., 2004`, whatever people these are."""
    return "et al" in text and names_people(YEAR_AT_END.sub("", text).rstrip(", "))


def some(found: Iterator[T], number: int) -> Iterator[T]:
    """Yield the first `number` of what was found: more in one text is not a citation."""
    for _, match in zip(range(number), found, strict=False):
        yield match
