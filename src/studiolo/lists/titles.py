"""Title, short name, authors and year, in the many forms that people write them.

The seed list alone has five: `["Title" - year - authors -](url)`, `Name - title - year - url`,
`[Title](url) - year`, a bare address, and `Name - year - ["Title" - year - authors](url)`.

The head of an item is cut into parts, at links, separators, emphasis and brackets. One of them holds the title; what
stands before and behind it is searched for a name, a year and people. Where a part is running words, `citations` cuts it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .addresses import title_from_url
from .authors import (
    family_names,
    may_name,
    names_one,
    names_people,
    people_before,
    split_authors,
)
from .citations import QUOTED, cite, is_cite_key
from .dates import MAYBE_DATE, YEAR, full_year, is_venue, year_said
from .fields import FIELD, fields_of, without_title
from .habits import Habits
from .heads import Part, cut
from .labels import is_label
from .leads import HASHTAGS, NUMBER, unbracketed, without_leads
from .links import Piece
from .places import families_first, only_cites, whose_and_when, without_place, without_when
from .plain import read_plain, read_thought
from .title_place import is_name, is_short, title_in, title_part
from .words import plain_with_links


class Naming(NamedTuple):
    """What an item calls its work; its people as they are written where nothing but `split_authors` takes them apart."""

    title: str
    name: str | None = None
    people: tuple[str, ...] | str = ()
    year: int | None = None

    @property
    def authors(self) -> tuple[str, ...]:
        """Its people, one by one."""
        return split_authors(self.people) if isinstance(self.people, str) else self.people


NOTHING_SAID = Naming("")
_PEOPLE_ENDS = re.compile(r"\s[-–—|·]\s|^\s*[-–—|·,]\s|\s[-–—]$|[(（]|[)）]|;\s")
_YEAR_BEHIND = re.compile(r"(?<![,\s])[,\s]*+\b(?:19|20)\d\d\b[\s.,]*+$|(?<![\s.,])[\s.,]++$")
_YEAR_IN_PARENS = re.compile(r"[(\[（【]([^()\[\]（）【】]{0,80})[)\]）】]")
_DASHES = re.compile(r"\s[-–—|]\s|^\s*[-–—|,]\s*|[.;]\s|\n")
_IN_PARENS = re.compile(r"\(([^()]{3,120})\)")
_WHOSE = re.compile(r"[^()\[\]]{3,120}(?:\((?:19|20)\d\d[a-z]?\)|(?:19|20)\d\d[a-z]?$)[:.,]?\s*")
_YEAR_LEADS = re.compile(r"(?<=^\()((?:19|20)\d\d), ([^()]{3,120})(?=\)$)")  # (2012, Someone)
_BY_AT_END = re.compile(r"(?:^|,) by ([A-Z][^,;:()]{3,60}(?:, [A-Z][^,;:()]{3,60})*)\.?$")
_FAMILIES_FIRST = re.compile(  # Some, A. B.; Other, C.
    r"(?:[^\W\d_][\w'’ -]+, (?:[A-Z]\.[ -]?){1,4}; ?)+[^\W\d_][\w'’ -]+, (?:[A-Z]\.[ -]?){1,4}"
)
_FAMILIES = re.compile(r"(?:(?:[a-z]{2,4} ){0,2}[^\W\da-z_][\w'’-]+(?:, |$)){3,}")  # behind a year
_TWICE = re.compile(r"^([^\s:]{2,40}: )\1")  # Net: Net: Its Title
_TWO_DIGITS = re.compile(r"(?<!\d)\d\d$")  # HPDC18
_DATED_FAMILY = re.compile(
    r"([^\W\da-z_][a-zß-ÿ'’]+(?:-[^\W\da-z_]?[a-zß-ÿ]+)?),? (?:19|20)\d\d[a-z]?"
)
# of one word, as a family may be called
_JOURNALS = frozenset(
    [
        "biometrika",
        "brain",
        "chaos",
        "circulation",
        "cognition",
        "cortex",
        "diabetes",
        "ecology",
        "econometrica",
        "elife",
        "energies",
        "entropy",
        "gut",
        "heart",
        "lancet",
        "machines",
        "memory",
        "mind",
        "neuron",
        "patterns",
        "psychometrika",
        "sensors",
        "sleep",
        "stroke",
        "synthese",
        "systems",
        "technometrics",
        "water",
    ]
)
_NEAR = 160  # characters of a remark in which a year is the work's
_LONGEST = 4000  # characters of a name or a list of people


# When a task was done, is due, scheduled …: Obsidian's marks, which say nothing of when a work appeared.
_TASK_DATE = re.compile(
    rb"((?:%s)(?:\xef\xb8\x8f)?\s*)\d{4}-\d\d-\d\d" % "|".join("📅⏳🛫✅➕❌🏁").encode()
)


def read_naming(
    data: bytes, pieces: list[Piece], *, cites: bool = False, habits: Habits | None = None
) -> Naming:
    """Read what the head of an item, `data` with the links `pieces`, calls its work.

    Args:
        cites: something beside the head says that it names a work, such as a link to a paper below it.
        habits: those of its list.
    """
    if plain := read_plain(data, pieces):
        naming = Naming(*plain)
        repeated = naming.name and habits is not None and habits.repeat(naming.name)
        return naming._replace(name=None) if repeated else naming
    if not cites and not pieces and (thought := read_thought(data)):
        return Naming(thought)
    return read_by_rules(data, pieces, cites=cites, habits=habits)


def read_by_rules(
    data: bytes, pieces: list[Piece], *, cites: bool, habits: Habits | None = None
) -> Naming:
    """Read any head as `read_naming` does."""
    if b"\xe2" in data or b"\xf0" in data:
        data = _TASK_DATE.sub(rb"\1          ", data)  # as long as it was
    if fields := fields_of(data, pieces):
        return _by_fields(fields, habits)
    parts = cut(data, pieces)
    if habits is not None:
        parts = habits.read(parts)
    at = title_part(parts)
    if at is None:
        return Naming(_title_of_links(parts, pieces), year=_year(parts))
    title, before, behind = title_in(parts[at])
    leads, rest = _around(parts, at)
    year = _year([*(Part(text) for text in (before, behind) if text), *leads, *rest])
    cites = cites or year is not None or any(part.is_paper for part in parts) or _quotes(data)
    if not cites and not parts[at].is_link and all(part.runs_on for part in parts if part.is_link):
        return Naming(_as_it_is(data, pieces))  # a thought, not a citation
    name, authors = _name(leads, before)
    if name and is_cite_key(name, year):
        name = None
    if name and name.casefold().rstrip(".") == title.casefold():
        name = None
    title = _TWICE.sub(r"\1", title)
    authors = authors or _authors_in(behind) or _authors_behind(rest)
    if not authors and habits is not None:
        authors = _family_in([behind, *(part.text for part in rest)], habits)
    return Naming(title, name, authors, year)


def _by_fields(fields: Sequence[tuple[bytes, list[Piece]]], habits: Habits | None) -> Naming:
    """Read a head that says everything field by field: `**Title:** …`, `**Authors:** …`, `**Year:** …`."""
    (first, pieces), *others = fields
    titled = read_by_rules(*without_title(first, pieces), cites=True, habits=habits)
    authors, year = titled.authors, titled.year
    for data, inner in others:
        if field := FIELD.fullmatch(plain_with_links(data, inner)):
            if "author" in field[1].lower():
                authors = authors or split_authors(field[2], surely=True)
            elif found := YEAR.search(field[2]):
                year = year or int(found[1])
    return Naming(titled.title, titled.name, authors, year)


def _around(parts: Sequence[Part], at: int) -> tuple[list[Part], list[Part]]:
    """Return what stands before and behind the title, without links that only lead on."""
    says = [not _only_leads_on(part) or bool(year_said(part.text, aside=True)) for part in parts]
    leads = [part for part, said in zip(parts[:at], says, strict=False) if said]
    if (
        parts[at].runs_on
        and leads
        and not is_short(leads[-1].text, 2)
        and not leads[-1].text[0].isdigit()
        and not year_said(leads[-1].text)
    ):
        leads.pop()  # See how well [it](…) does
    return leads, [part for part, said in zip(parts[at + 1 :], says[at + 1 :], strict=True) if said]


def _quotes(data: bytes) -> bool:
    """Whether a head has a quotation in it."""
    marked = b'"' in data or b"\xe2\x80" in data
    return marked and QUOTED.search(data.decode("utf-8", "replace")) is not None


def _only_leads_on(part: Part) -> bool:
    leads = part.is_link and (part.role == "label" or part.aside or is_label(part.text))
    return leads and not only_cites(part.text)


def _as_it_is(data: bytes, pieces: list[Piece]) -> str:
    words = without_leads(plain_with_links(data, pieces))
    return re.sub(r"\s[:：]$", "", " ".join(HASHTAGS.sub("", words).split()).strip("*~ "))


def _title_of_links(parts: list[Part], pieces: list[Piece]) -> str:
    """Return the title of a head that is nothing but links: a label says less than an address."""
    links = [piece for piece in pieces if piece.kind != "image"]
    bare = next((piece.url for piece in links if piece.kind in ("bare", "auto")), None)
    url = bare or next((piece.url for piece in links if piece.mention), None)
    if url is not None:
        return title_from_url(url)
    label = next((part.text for part in parts if part.text), None)
    return label or next((piece.url for piece in links), "")


def _name(parts: Sequence[Part], before: str) -> tuple[str | None, tuple[str, ...]]:
    name: str | None = None
    authors: tuple[str, ...] = ()
    for part in (*parts, *(Part(said, "[") for said in before.split(" - "))):
        text = part.text.strip().rstrip('"“ ')
        if (
            not text
            or len(text) > _LONGEST
            or text[0] == "@"
            or NUMBER.fullmatch(text)
            or part.role in ("when", "label")
        ):
            continue
        if part.role == "who":
            authors = split_authors(text, surely=True)
            continue
        alone = part.text.rstrip()[-1:] in (",", ".") and names_one(text.rstrip(" .,"))
        families = family_names(text) if text[-1:] == "." else ()
        if people := people_before(text) or families or ((text.rstrip(" .,"),) if alone else ()):
            if name and text[0] == "," and names_one(name):  # **Someone**, Other, Title
                people, name = (name, *people), None
            authors = people
            continue
        if year_said(text, aside=part.lead == "[") or is_venue(text):
            continue
        text = cite(text)[0].strip(" :,;-–—").removesuffix(" from").removesuffix(" in")
        if text and is_name(text) and re.search(r"\w", text) and not is_label(text):
            name = name if name and part.lead == "[" else text
    return name, authors


def _authors_in(text: str) -> tuple[str, ...]:
    """Return the people in words behind a title; one alone only where the words begin with them."""
    if " " not in text or len(text) > _LONGEST:
        return ()
    text = text.lstrip(" .,;:")
    if text[:1] == "[" and names_people(listed := unbracketed(text)):
        return split_authors(listed)
    text = _YEAR_LEADS.sub(r"\2, \1", text, count=1)
    text, when = without_when(text)
    if when and _FAMILIES.fullmatch(text):
        each = text.split(", ")
        return tuple(each) if sum(map(may_name, each)) * 4 >= 3 * len(each) else ()
    if found := whose_and_when(text):
        return found[0]
    inner = _IN_PARENS.match(text)
    whose = _WHOSE.match(inner[1] if inner else text)
    if whose and only_cites(whose[0].rstrip(" :,.")):
        return people_before(whose[0].rstrip(" :,."))
    if families := _FAMILIES_FIRST.match(text):
        return split_authors(families[0])
    if not (";" in text and re.search(r",\s| and ", text)) and names_people(text):
        return split_authors(text)
    if people := families_first(text):
        return people
    by = _BY_AT_END.search(text, 0, 1000)
    if by and (people := split_authors(by[1])) and all(map(names_one, people)):
        return people
    pieces = [_YEAR_BEHIND.sub("", piece.strip("<> ")) for piece in _PEOPLE_ENDS.split(text)]
    for i, piece in enumerate(filter(None, pieces)):
        people = split_authors(piece) or split_authors(without_place(piece))
        if people and (i == 0 or names_people(piece)):
            return people
    return ()


def _authors_behind(rest: Sequence[Part]) -> tuple[str, ...]:
    """Return the people in the first part behind a title that may name some: the next, a link, or one that surely does."""
    following = (part for part in rest if not (part.is_link or part.role in ("when", "label")))
    following = (part for part in following if not _only_when(part.text))
    first = next(following, None)
    for part in rest:
        authors: tuple[str, ...] = ()
        alone = (part is first or part.is_link) and part.lead != "/" and not part.code
        if part.role:
            authors = split_authors(part.text, surely=True) if part.role == "who" else ()
        elif not part.runs_on and (alone or names_people(part.text)):
            authors = _authors_in(part.text)
        if authors:
            return authors
    return ()


def _family_in(said: Sequence[str], habits: Habits) -> tuple[str, ...]:
    """Return who alone stands in brackets with a year, where others of the list are people there: `(Someone, 2019)`."""
    dated = (_DATED_FAMILY.fullmatch(text.strip("()[] ")) for text in said)
    one = next((match[1] for match in dated if match), "")
    named = may_name(one) and one.casefold() not in _JOURNALS
    return (one,) if named and habits.dates_people else ()


def _only_when(text: str) -> bool:
    only = len(text) < 24 and year_said(text) is not None and not _YEAR_LEADS.search(text)
    whose = whose_and_when(text.strip("()[] ")) if only else None
    return only and not (whose and len(whose[0]) > 1)  # (Someone & Other 2021)


def year_in(text: str) -> int | None:
    """Return the year that a line below a title says."""
    return _year([Part(text)])


def _year(parts: Sequence[Part]) -> int | None:
    """Return the year that the parts say, the surest way of saying it first."""
    parts = [part for part in parts if MAYBE_DATE.search(part.text)]
    for part in parts:
        if year := year_said(part.text, aside=part.is_link or part.lead == "["):
            return year
        if found := whose_and_when(part.text.strip("[] ")):
            return found[1]
        if part.role == "when" and (digits := _TWO_DIGITS.search(part.text)):
            return full_year(digits[0])
    for part in parts:
        for piece in _DASHES.split(part.text[:_LONGEST]):
            if year := year_said(piece) or year_said(piece.split(",")[0]):
                return year
        last = part.text[-_NEAR:].rstrip(" .;)").rsplit(",", 1)
        alone = len(last) > 1 and not YEAR.search(last[0])
        if alone and (year := year_said(last[1], aside=True)):
            return year
    for part in parts:
        for parens in _YEAR_IN_PARENS.finditer(part.text[:_NEAR]):
            if year := year_said(parens[1], aside=True):
                return year
            if match := YEAR.search(parens[1]):
                return int(match[1])
    for part in parts:
        if not part.is_link and len(part.text) <= 80 and (match := YEAR.search(part.text)):
            return full_year(match[1])
    return None
