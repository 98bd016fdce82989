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
from urllib.parse import unquote, urlsplit

from studiolo.keys import find_mention

from .authors import (
    family_names,
    names_one,
    names_people,
    only_people,
    people_before,
    split_authors,
)
from .citations import (
    cite,
    families_first,
    quoted_title,
    whose_and_when,
    without_place,
    without_stop,
    without_when,
)
from .dates import MAYBE_DATE, PUBLISHED, YEAR, full_year, is_venue, year_said
from .habits import Habits
from .heads import HASHTAGS, NUMBER, QUOTED, Part, cut, is_label, without_leads
from .links import Piece
from .plain import read_plain, read_thought
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
_YEAR_AT_END = re.compile(r"(?:19|20)\d\d[a-z]?[)\]]?$")
_YEAR_LEADS = re.compile(r"(?<=^\()((?:19|20)\d\d), ([^()]{3,120})(?=\)$)")  # (2012, Someone)
_BY_AT_END = re.compile(r"(?:^|,) by ([A-Z][^,;:()]{3,60}(?:, [A-Z][^,;:()]{3,60})*)\.?$")
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
    parts = cut(data, pieces)
    if habits is not None:
        parts = habits.read(parts)
    at = title_part(parts)
    if at is None:
        return Naming(_title_of_links(parts, pieces), year=_year(parts))
    title, before, behind = title_in(parts[at])
    said = [
        None if _only_leads_on(part) and not year_said(part.text, aside=True) else part
        for part in parts
    ]
    leads, rest = list(filter(None, said[:at])), list(filter(None, said[at + 1 :]))
    if (
        parts[at].runs_on
        and leads
        and not _is_short(leads[-1].text, 2)
        and not leads[-1].text[0].isdigit()
        and not year_said(leads[-1].text)
    ):
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
    authors = authors or _authors_in(behind)
    first = next(
        (
            p
            for p in rest
            if not (p.is_link or p.role in ("when", "label"))
            and not (len(p.text) < 24 and year_said(p.text) and not _YEAR_LEADS.search(p.text))
        ),
        None,
    )
    for part in rest:
        if authors:
            break
        alone = (part is first or part.is_link) and part.lead != "/" and not part.code
        if part.role:
            authors = split_authors(part.text, surely=True) if part.role == "who" else ()
        elif not part.runs_on and (alone or names_people(part.text)):
            authors = _authors_in(part.text)
    return Naming(title, name, authors, year)


def _only_leads_on(part: Part) -> bool:
    leads = part.is_link and (part.role == "label" or part.aside or is_label(part.text))
    return leads and not _cites(part.text)


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

    worded = _worded([part if not part.role else Part("") for part in parts])
    if all(parts[i].lead == "[" or parts[i].aside for i in worded):
        worded = _worded(parts)  # what remains stands beside a title
    worded = worded or [  # Its Title, IEEE Access, 2020
        i for i, part in enumerate(parts) if not part.is_link and len(part.text.split()) > 4
    ]
    people = [i for i in worded if only_people(parts[i].text)]
    if people and any(
        i not in people and " " in parts[i].text and not people_before(parts[i].text)
        for i in worded
    ):
        worded = [i for i in worded if i not in people]
    cited = [i for i in worded if parts[i].is_link and _cites(parts[i].text)]
    if any(
        i not in cited and " " in parts[i].text for i in worded
    ):  # Its Title. [Someone and Other (2004)](…)
        worded = [i for i in worded if i not in cited]
    for i in worded[:3]:
        if (parts[i].is_link or parts[i].bold) and _is_short(parts[i].text):  # [Net](…) - Net: Its
            for j in worded:
                if j > i and _is_whole(parts[i].text, parts[j]):
                    return j
    opening = None
    for i in worded:
        part = parts[i]
        if part.is_link and not part.aside and not _by(parts, i):
            if part.is_paper and not (part.runs_on and opening is not None):
                return i
            if opening is None and not part.runs_on and all(map(is_lead, parts[:i])):
                opening = i
    for i in worded:  # **Net** ([Its Long Title](…))
        part = parts[i]
        if opening is None and part.aside and part.is_paper and len(part.text.split()) > 3:
            return i
    quoted = [i for i in worded if not parts[i].is_link and quoted_title(parts[i].text)]
    if opening is not None:
        named = _is_short(parts[opening].text) and quoted and quoted[0] > opening
        return quoted[0] if named else opening
    texts = [i for i in worded if not parts[i].is_link and not NUMBER.fullmatch(parts[i].text)]
    if quoted:
        return quoted[0]
    plain = [i for i in texts if parts[i].lead != "["]
    linked = next((i for i, part in enumerate(parts) if part.is_link), len(parts))
    for i in plain:
        if i > linked > plain[0]:
            break  # A Title [pdf](…) **What it says**: …
        if parts[i].bold:
            behind = next(
                (j for j in plain if j > i and not (parts[j].italic or _is_tag(parts[j]))), None
            )
            if (
                behind is not None
                and not _remarks(parts, i, behind)
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


def _is_tag(part: Part) -> bool:
    return part.code and not part.lead


def _worded(parts: Sequence[Part]) -> list[int]:
    """Return which parts say more than a label or when."""
    worded: list[int] = []
    long = False  # a title may have been read
    for i, part in enumerate(parts):
        aside = part.aside or part.lead == "[" or (part.is_link and long)
        if part.text and not is_label(part.text) and not year_said(part.text, aside=aside):
            worded.append(i)
            long = long or len(part.text.split()) > 3
    return worded


def _is_whole(name: str, part: Part) -> bool:
    """Whether a part behind a short link is the title: it begins with the same name, or stands on a line of its own."""
    if part.text.startswith(f"{name}: "):
        return True
    own_line = part.lead == "\0" and not (part.is_link or part.italic)
    return (
        own_line
        and len(part.text.split()) > 3
        and part.text[-1] not in ".:"
        and not (names_people(part.text) or year_said(part.text, aside=True))
    )


def _remarks(parts: list[Part], bold: int, behind: int) -> bool:
    """Whether words stand behind all links of the bold ones, and so only speak of that work."""
    between = any(part.is_link for part in parts[bold:behind])
    return between and not any(part.is_link for part in parts[behind:])


def _cites(text: str) -> bool:
    """Whether words only say whose work it is, and when: `Someone et al. (2004)`."""
    said = text.strip("[] ")
    if whose_and_when(said):
        return True
    if said.rstrip(".").endswith("et al"):
        return bool(split_authors(said))
    return said[-1:] in "0123456789)]" and bool(_YEAR_AT_END.search(said) and people_before(said))


def _by(parts: list[Part], i: int) -> bool:
    """Whether a link names the people of what stands before it: … by [Someone](…)."""
    return i > 0 and re.search(r"\bby$", parts[i - 1].text) is not None


def _names_next(part: Part, behind: Part) -> bool:
    """Whether `**Name** - Its Title` is written, not `**Title** - a remark.`"""
    text = behind.text
    return _is_short(part.text, 2) and not text.endswith(".") and len(text.split()) <= 18


def _begins_title(text: str, name: str) -> bool:
    """Whether words behind a name are the title, not a remark about it or its authors."""
    if text[0] in ".,;)":  # **Name**. Its Title, not **Title**. Journal of …
        text = text.lstrip(".,;) ")
        if not _is_short(name, 2) or not text or PUBLISHED.search(text) or text.startswith("In "):
            return False
    return (
        len(text) > len(name)
        and " " in text
        and not text[0].islower()
        and not split_authors(text)
        and not people_before(without_when(text.lstrip(".,;) "))[0])
        and not re.match(r"(?:This|We|It|They|The authors|A paper|Our|See|Also|Used|Uses)\b", text)
    )


def title_in(part: Part) -> tuple[str, str, str]:
    """Return the title in a part, and the words before and behind it."""
    quoted = quoted_title(part.text) if not part.is_link else None
    if quoted:
        return (
            without_stop(quoted[1].rstrip(" .,;")),
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
        or only_people(part.text)
    )


def _is_name(text: str) -> bool:
    return len(text) <= 60 and len(text.split()) <= 6 and not text.endswith((".", "?", "!"))


def _is_short(text: str, words: int = 4) -> bool:
    return _is_name(text) and len(text.split()) <= words and (text.isascii() or len(text) <= 12)


def _name(parts: Sequence[Part], before: str) -> tuple[str | None, tuple[str, ...]]:
    name: str | None = None
    authors: tuple[str, ...] = ()
    for part in (*parts, *(Part(said, "[") for said in before.split(" - "))):
        text = part.text.strip().rstrip('"“ ')
        if (
            not text
            or len(text) > _LONGEST
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
        if text and _is_name(text) and re.search(r"\w", text) and not is_label(text):
            name = name if name and part.lead == "[" else text
    return name, authors


def _authors_in(text: str) -> tuple[str, ...]:
    """Return the people in words behind a title; one alone only where the words begin with them."""
    if " " not in text or len(text) > _LONGEST:
        return ()
    text = _YEAR_LEADS.sub(r"\2, \1", text.lstrip(" .,;:"), count=1)
    text = without_when(text)[0]
    if found := whose_and_when(text):
        return found[0]
    inner = _IN_PARENS.match(text)
    whose = _WHOSE.match(inner[1] if inner else text)
    if whose and _cites(whose[0].rstrip(" :,.")):
        return people_before(whose[0].rstrip(" :,."))
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
