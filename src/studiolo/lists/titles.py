"""Title, short name, authors and year, in the many forms that people write them.

The seed list alone has five: `["Title" - year - authors -](url)`, `Name - title - year - url`,
`[Title](url) - year`, a bare address, and `Name - year - ["Title" - year - authors](url)`.

The head of an item is cut into parts, at links, separators, emphasis and brackets. One of them holds the title; what
stands before and behind it is searched for a name, a year and people. Where a part is running words, `citations` cuts it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from studiolo.keys import find_mention

from .authors import names_one, names_people, people_before, split_authors
from .citations import QUOTED, cite
from .dates import MAYBE_DATE, YEAR, full_year, is_venue, year_said
from .heads import HASHTAGS, NUMBER, Part, cut, is_label, without_leads
from .links import Piece
from .plain import is_thought, read_plain
from .words import plain_with_links


@dataclass(frozen=True, slots=True)
class Naming:
    """What an item calls its work."""

    title: str
    name: str | None = None
    authors: tuple[str, ...] = ()
    year: int | None = None


_PEOPLE_ENDS = re.compile(r"\s[-–—|·]\s|^\s*[-–—|·,]\s|\s[-–—]$|[(（]|[)）]|;\s")
_YEAR_BEHIND = re.compile(r"(?<![,\s])[,\s]*+\b(?:19|20)\d\d\b[\s.,]*+$|(?<![\s.,])[\s.,]++$")
_YEAR_IN_PARENS = re.compile(r"[(\[（【]([^()\[\]（）【】]{0,80})[)\]）】]")
_DASHES = re.compile(r"\s[-–—|]\s|^\s*[-–—|,]\s*|[.;]\s|\n")
_YEAR_LAST = re.compile(r",\s?((?:19|20)\d\d)\s*[.,;)]*$")
_NEAR = 160  # characters of a remark in which a year is the work's
_LONGEST = 4000  # characters of a name or a list of people


def title_from_url(url: str) -> str:
    """Return the best words that an address itself gives."""
    mention = find_mention(url)
    if mention and mention.key.kind == "github":
        inner = re.sub(r"^(?:tree|blob)/[^/]+/?", "", mention.path or "")
        owner_name = "/".join(
            [p for p in urlsplit(url if "://" in url else f"https://{url}").path.split("/") if p][
                :2
            ]
        )
        shown = owner_name if owner_name.lower() == mention.key.value else mention.key.value
        return f"{shown}: {inner}" if inner else shown
    if mention and mention.key.kind != "url":
        return str(mention.key)
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
    except ValueError:
        return url
    pieces = [piece for piece in unquote(parts.path).split("/") if piece]
    host = (parts.hostname or "").removeprefix("www.")
    if not pieces:
        return host or url
    stem = re.sub(
        r"\.(?:pdf|html?|md|php|aspx?|txt|ps|ipynb)$", "", pieces[-1], flags=re.IGNORECASE
    )
    if (
        stem.lower() in ("index", "home", "main", "paper", "full", "abstract", "pdf")
        and len(pieces) > 1
    ):
        stem = pieces[-2]
    words = " ".join(re.split(r"[-_+\s]+", stem)).strip()
    if re.search(r"[^\W\d_]{3,}", words) and not re.fullmatch(r"[0-9a-fA-F ]{12,}", words):
        return words
    return url


# When a task was done, is due, scheduled …: Obsidian's marks, which say nothing of when a work appeared.
_TASK_DATE = re.compile(
    rb"((?:%s)(?:\xef\xb8\x8f)?\s*)\d{4}-\d\d-\d\d" % "|".join("📅⏳🛫✅➕❌🏁").encode()
)


def read_naming(data: bytes, pieces: list[Piece], *, cites: bool = False) -> Naming:
    """Read what the head of an item, `data` with the links `pieces`, calls its work.

    Args:
        cites: something beside the head says that it names a work, such as a link to a paper below it.
    """
    if plain := read_plain(data, pieces):
        return Naming(*plain)
    if not cites and not pieces and is_thought(data):
        return Naming(_as_it_is(data, pieces))
    return read_by_rules(data, pieces, cites=cites)


def read_by_rules(data: bytes, pieces: list[Piece], *, cites: bool) -> Naming:
    """Read any head as `read_naming` does."""
    if b"\xe2" in data or b"\xf0" in data:
        data = _TASK_DATE.sub(rb"\1          ", data)  # as long as it was
    parts = cut(data, pieces)
    at = title_part(parts)
    if at is None:
        return Naming(_title_of_links(parts, pieces), year=_year(parts))
    title, before, behind = title_in(parts[at])
    rest = [
        part
        for part in parts[at + 1 :]
        if not (
            part.is_link
            and (part.aside or is_label(part.text))
            and not year_said(part.text, aside=True)
        )
    ]
    leads = [
        part for part in parts[:at] if not (part.is_link and (part.aside or is_label(part.text)))
    ]
    if parts[at].runs_on and leads and not _is_short(leads[-1].text, 2):
        leads.pop()  # See how well [it](…) does
    year = _year([*(Part(text) for text in (before, behind) if text), *leads, *rest])
    cites = (
        cites
        or year is not None
        or any(part.is_paper for part in parts)
        or (
            (b'"' in data or b"\xe2\x80" in data)
            and QUOTED.search(data.decode("utf-8", "replace")) is not None
        )
    )
    if not cites and not parts[at].is_link and all(part.runs_on for part in parts if part.is_link):
        return Naming(_as_it_is(data, pieces))  # a thought, not a citation
    name, authors = _name(leads, before)
    if name and name.casefold() == title.casefold():
        name = None
    for text in (
        behind,
        *(p.text for p in rest if not p.runs_on and not (p.code and not names_people(p.text))),
    ):
        authors = authors or _authors_in(text)
    return Naming(title, name, authors, year)


def _as_it_is(data: bytes, pieces: list[Piece]) -> str:
    words = without_leads(plain_with_links(data, pieces))
    return " ".join(HASHTAGS.sub("", words).split()).strip("*~ ")


def _title_of_links(parts: list[Part], pieces: list[Piece]) -> str:
    """Return the title of a head that is nothing but links: a label says less than an address."""
    links = [piece for piece in pieces if piece.kind != "image"]
    bare = next((piece.url for piece in links if piece.kind in ("bare", "auto")), None)
    url = bare or next((piece.url for piece in links if piece.mention), None)
    if url is not None:
        return title_from_url(url)
    label = next((part.text for part in parts if part.text), None)
    return label or next((piece.url for piece in links), "")


def title_part(parts: list[Part]) -> int | None:
    """Return which part holds the title."""

    def says(part: Part) -> bool:
        return (
            bool(part.text)
            and not is_label(part.text)
            and not year_said(part.text, aside=part.aside or part.lead == "[")
        )

    worded = [i for i, part in enumerate(parts) if says(part)]
    opening = None
    for i in worded:
        part = parts[i]
        if part.is_link and not part.aside and not _by(parts, i):
            if part.is_paper and not (part.runs_on and opening is not None):
                return i
            if opening is None and not part.runs_on and all(map(is_lead, parts[:i])):
                opening = i
    quoted = [i for i in worded if not parts[i].is_link and _quotes(parts[i].text)]
    if opening is not None:
        named = _is_short(parts[opening].text) and quoted and quoted[0] > opening
        return quoted[0] if named else opening
    texts = [i for i in worded if not parts[i].is_link and not NUMBER.fullmatch(parts[i].text)]
    if quoted:
        return quoted[0]
    plain = [i for i in texts if parts[i].lead != "["]
    for i in plain:
        if parts[i].bold:
            behind = next((j for j in plain if j > i and not parts[j].italic), None)
            if (
                behind is not None
                and (not parts[behind].lead or _names_next(parts[i], parts[behind]))
                and _is_name(parts[i].text)
                and _begins_title(parts[behind].text, parts[i].text)
            ):
                return behind
            return i
    for i in plain:
        before = " ".join(part.text for part in parts[:i]) if parts[i].italic else ""
        named = _is_short(before, 6) and len(parts[i].text.split()) > 3
        if parts[i].italic and before and (named or names_people(before)):
            return i
    if plain:
        first, *others = plain
        if (
            others
            and _is_short(parts[first].text)
            and parts[others[0]].lead
            and not parts[others[0]].italic
            and _begins_title(parts[others[0]].text, parts[first].text)
        ):
            return others[0]
        if (
            others
            and _is_short(parts[first].text)
            and people_before(cite(parts[others[0]].text)[1])
        ):
            return others[0]  # Topic - Someone and Other, Title
        return first
    return (
        next((i for i in worded if not _by(parts, i)), None)
        if texts or any(parts[i].is_link for i in worded)
        else None
    )


def _quotes(text: str) -> bool:
    """Whether words quote a title: more than a word of it."""
    quoted = QUOTED.search(text)
    return quoted is not None and " " in quoted[1].strip()


def _by(parts: list[Part], i: int) -> bool:
    """Whether a link names the people of what stands before it: … by [Someone](…)."""
    return i > 0 and re.search(r"\bby$", parts[i - 1].text) is not None


def _names_next(part: Part, behind: Part) -> bool:
    """Whether `**Name** - Its Title` is written, not `**Title** - a remark.`"""
    text = behind.text
    return _is_short(part.text, 2) and not text.endswith(".") and len(text.split()) <= 18


def _begins_title(text: str, name: str) -> bool:
    """Whether words behind a name are the title, not a remark about it or its authors."""
    return (
        len(text) > len(name)
        and " " in text
        and not text[0].islower()
        and not split_authors(text)
        and not re.match(r"(?:This|We|It|They|The authors|A paper|Our|See|Also|Used|Uses)\b", text)
    )


def title_in(part: Part) -> tuple[str, str, str]:
    """Return the title in a part, and the words before and behind it."""
    quoted = QUOTED.search(part.text) if not part.is_link else None
    if quoted and " " in quoted[1].strip():
        return (
            quoted[1].strip().rstrip(".,;"),
            part.text[: quoted.start()],
            part.text[quoted.end() :],
        )
    return cite(part.text)


def is_lead(part: Part) -> bool:
    """Whether a part may stand before a title: a year, a short name, a number, a label."""
    if part.is_link:
        return part.text == "" or is_label(part.text)
    return (
        not part.text
        or (part.bold and _is_short(part.text))
        or part.lead == "["
        or year_said(part.text) is not None
        or _is_name(part.text)
    )


def _is_name(text: str) -> bool:
    return len(text) <= 60 and len(text.split()) <= 6 and not text.endswith((".", "?", "!"))


def _is_short(text: str, words: int = 4) -> bool:
    return _is_name(text) and len(text.split()) <= words and (text.isascii() or len(text) <= 12)


def _name(parts: Sequence[Part], before: str) -> tuple[str | None, tuple[str, ...]]:
    name: str | None = None
    authors: tuple[str, ...] = ()
    for part in (*parts, Part(before, "[")):
        text = part.text.strip().rstrip('"“ ')
        if not text or len(text) > _LONGEST or NUMBER.fullmatch(text):
            continue
        alone = part.text.rstrip()[-1:] in (",", ".") and names_one(text.rstrip(" .,"))
        if people := people_before(text) or ((text.rstrip(" .,"),) if alone else ()):
            authors = people
            continue
        if year_said(text, aside=part.lead == "[") or is_venue(text):
            continue
        text = cite(text)[0].strip(" :,;-–—").removesuffix(" from").removesuffix(" in")
        if text and _is_name(text) and re.search(r"\w", text) and not is_label(text):
            name = text
    return name, authors


def _authors_in(text: str) -> tuple[str, ...]:
    """Return the people in words behind a title; one alone only where the words begin with them."""
    if " " not in text or len(text) > _LONGEST:
        return ()
    pieces = [_YEAR_BEHIND.sub("", piece.strip()) for piece in _PEOPLE_ENDS.split(text)]
    for i, piece in enumerate(filter(None, pieces)):
        if (people := split_authors(piece)) and (i == 0 or names_people(piece)):
            return people
    return ()


def year_in(text: str) -> int | None:
    """Return the year that a line below a title says."""
    return _year([Part(text)])


def _year(parts: Sequence[Part]) -> int | None:
    """Return the year that the parts say, the surest way of saying it first."""
    parts = [part for part in parts if MAYBE_DATE.search(part.text)]
    for part in parts:
        if year := year_said(part.text, aside=part.aside or part.lead == "["):
            return year
    for part in parts:
        for piece in _DASHES.split(part.text[:_LONGEST]):
            if year := year_said(piece):
                return year
        if last := _YEAR_LAST.search(part.text[-40:]):
            return int(last[1])
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
