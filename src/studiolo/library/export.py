"""Out again: BibTeX, CSL-JSON, RIS, Netscape HTML, JSON and CSV. Each is text made from the same records.

Titles come from the world, so each format neutralises what would be code in it: markup in HTML, commands in LaTeX, line breaks
in RIS, formulas in spreadsheets.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from studiolo.keys import why_not_a_page
from studiolo.lists import destination, escape
from studiolo.sources import BRACES, OTHERS, PEOPLE, split_people, spoken_name

from .cite_keys import CiteKeys, with_cite_keys
from .kinds import BIBTEX, CSL, RIS
from .latex import keeping_braces, keeping_capitals, to_latex
from .references import Reference, family_and_given


def _flat(text: str) -> str:
    """Return text on one line without control characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _visible(text: str) -> str:
    """Return text of several lines without what a terminal that shows the file would obey."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text)


_FIELD = re.compile(r"[a-z][a-z0-9_-]{0,60}")
_MONTHS = tuple("jan feb mar apr may jun jul aug sep oct nov dec".split())  # noqa: SIM905
_IN_BOOK = frozenset({"inproceedings", "conference", "incollection", "inbook", "inreference", "proceedings"})  # fmt: skip
_WITH_SPELLING = {"primaryclass": "primaryClass"}  # as arXiv writes it


def _verbatim(text: str) -> str:
    """Return an address or an id as it stands in BibTeX: what would end its field is percent-encoded."""
    return text.translate({ord(letter): f"%{ord(letter):02X}" for letter in '{}\\" '})


def _venue_field(work: Reference, entry_type: str) -> str:
    if entry_type in _IN_BOOK:
        return "booktitle"
    if "thesis" in entry_type:
        return "school"
    if entry_type in ("techreport", "report"):
        return "institution"
    if entry_type == "article" or work.entry_type:
        return "journal"
    return "howpublished"


def _bibtex_title(work: Reference) -> str:
    """Return the title with the braces that a bibliography gave it, if it is still called so."""
    title, braced = _flat(work.title), _flat(work.fields.get(BRACES, ""))
    if braced and re.sub("[{}]", "", braced) == title:
        return keeping_braces(braced)
    return keeping_capitals(title)


def _bibtex_author(author: str) -> str:
    if author.startswith("{") and author.endswith("}"):
        return f"{{{to_latex(_flat(author[1:-1]))}}}"
    author = _flat(author)
    return f"{{{to_latex(author)}}}" if re.search(r"\band\b", author, re.I) else to_latex(author)


def to_bibtex(works: Sequence[Reference]) -> str:
    """Return BibTeX: what a bibliography said of a work as it said it, in letters that every BibTeX reads."""
    blocks = []
    for work in named(works):
        entry_type = work.entry_type.casefold()
        if not re.fullmatch(r"[a-z]{1,40}", entry_type) or entry_type in _NO_ENTRIES:
            entry_type = BIBTEX[work.kind]
        fields = {"title": _bibtex_title(work)}
        if work.authors:
            others = work.fields.get(OTHERS) == str(len(work.authors))
            people = [*map(_bibtex_author, work.authors), *(["others"] if others else [])]
            fields["author"] = " and ".join(people)
        if work.year:
            fields["year"] = str(work.year)
        if work.venue and not (work.eprint and not work.entry_type and work.kind == "preprint"):
            fields[_venue_field(work, entry_type)] = to_latex(_flat(work.venue))
        for name, value in work.fields.items():
            if name not in fields and _FIELD.fullmatch(name):
                if name in PEOPLE:
                    fields[name] = " and ".join(map(_bibtex_author, split_people(value)))
                    continue
                is_address = "://" in value and " " not in value.strip()
                fields[_WITH_SPELLING.get(name, name)] = (
                    _verbatim(_flat(value)) if is_address else to_latex(_flat(value))
                )
        if work.eprint:
            fields["eprint"] = _verbatim(work.eprint)
            if "eprinttype" not in fields:
                fields["archivePrefix"] = "arXiv"
            if work.category:
                fields.setdefault("primaryClass", to_latex(_flat(work.category)))
        if work.doi:
            fields["doi"] = _verbatim(work.doi)
        if work.page:
            fields["url"] = _verbatim(work.page)
        if work.tags:
            fields["keywords"] = ", ".join(
                to_latex(_flat(tag).replace(",", " ")) for tag in work.tags
            )
        if work.notes:
            fields["note"] = to_latex(_flat("; ".join(work.notes)))
        lines = ",\n".join(
            f"  {name} = {value if name == 'month' and value in _MONTHS else f'{{{value}}}'}"
            for name, value in fields.items()
            if value
        )
        blocks.append(f"@{entry_type}{{{work.cite_key},\n{lines}\n}}\n")
    return "\n".join(blocks)


_NO_ENTRIES = frozenset({"comment", "string", "preamble"})


def named(works: Sequence[Reference]) -> Sequence[Reference]:
    """Return works that all have a cite key; those that lack one get one that nothing keeps."""
    return works if all(work.cite_key for work in works) else with_cite_keys(works, CiteKeys())


_CSL_FIELDS = {
    "volume": "volume",
    "number": "issue",
    "pages": "page",
    "publisher": "publisher",
    "school": "publisher",
    "institution": "publisher",
    "address": "publisher-place",
    "edition": "edition",
    "isbn": "ISBN",
    "issn": "ISSN",
    "series": "collection-title",
    "language": "language",
    "eventtitle": "event-title",
}


def _numbers(date: str) -> list[int]:
    """Return year, month and day of `2020-05-12`, as far as they are said."""
    found = re.match(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?(?!\d)", date)
    return [int(part) for part in found.groups() if part] if found else []


def _issued(work: Reference) -> list[int]:
    """Return year, month and day in which a work appeared, as far as its sources say them."""
    said = _numbers(work.fields.get("date", ""))
    if work.year is None or said[:1] == [work.year]:
        return said if work.year else []
    month = work.fields.get("month", "").strip().casefold()
    number = _MONTHS.index(month[:3]) + 1 if month[:3] in _MONTHS else 0
    return [work.year, number] if number else [work.year]


def _csl_name(author: str) -> dict[str, str]:
    family, given = family_and_given(author)
    if author.startswith("{"):
        return {"literal": family}
    family, _, suffix = family.partition(", ")
    return {
        "family": family,
        **({"given": given} if given else {}),
        **({"suffix": suffix} if suffix else {}),
    }


def to_csl(works: Sequence[Reference]) -> str:
    """Return CSL-JSON, which Zotero and pandoc read."""
    items = []
    for work in named(works):
        kind = work.kind
        item: dict[str, object] = {
            "id": work.cite_key,
            "type": CSL[kind],
            "title": _flat(work.title),
        }
        if work.authors:
            item["author"] = [_csl_name(_flat(author)) for author in work.authors]
        if editors := split_people(_flat(work.fields.get("editor", ""))):
            item["editor"] = [_csl_name(name) for name in editors]
        if issued := _issued(work):
            item["issued"] = {"date-parts": [issued]}
        if accessed := _numbers(work.fields.get("urldate", "")):
            item["accessed"] = {"date-parts": [accessed]}
        if work.venue:
            item["publisher" if kind in ("thesis", "report", "preprint") else "container-title"] = (
                _flat(work.venue)
            )
        for name, csl in _CSL_FIELDS.items():
            if value := _flat(work.fields.get(name, "")):
                item.setdefault(csl, value)
        if kind == "thesis":
            item["genre"] = (
                "Master's thesis" if work.entry_type == "mastersthesis" else "PhD thesis"
            )
        if work.doi:
            item["DOI"] = work.doi
        if work.eprint:
            item["number"] = f"arXiv:{work.eprint}"
            if kind == "preprint":
                item.setdefault("publisher", "arXiv")
        if work.abstract:
            item["abstract"] = work.abstract
        if work.tags:
            item["keyword"] = ", ".join(work.tags)
        if work.notes:
            item["note"] = "; ".join(work.notes)
        if work.url:
            item["URL"] = work.url
        items.append(item)
    return json.dumps(items, ensure_ascii=False, indent=2) + "\n"


_RIS_FIELDS = {"volume": "VL", "number": "IS", "publisher": "PB", "school": "PB", "institution": "PB", "address": "CY", "isbn": "SN", "issn": "SN", "edition": "ET", "language": "LA", "series": "T3", "shortjournal": "J2"}  # fmt: skip


def to_ris(works: Sequence[Reference]) -> str:
    """Return RIS: two blanks after each tag, CRLF at each end."""
    lines: list[tuple[str, str]] = []
    for work in named(works):
        lines += [("TY", RIS[work.kind]), ("ID", work.cite_key), ("TI", work.title)]
        lines += [
            ("AU", ", ".join(part for part in family_and_given(author) if part))
            for author in work.authors
        ]
        lines += [("PY", str(work.year))] if work.year else []
        if len(issued := _issued(work)) > 1:
            lines.append(
                ("DA", "/".join(f"{part:02}" for part in issued) + "/" * (4 - len(issued)))
            )
        lines += [("T2", work.venue)] if work.venue else []
        editors = split_people(_flat(work.fields.get("editor", "")))
        lines += [("A2", ", ".join(filter(None, family_and_given(one)))) for one in editors]
        if day := _numbers(work.fields.get("urldate", "")):
            lines.append(("Y2", "/".join(f"{part:02}" for part in day) + "/" * (4 - len(day))))
        said: set[str] = set()
        for name, tag in _RIS_FIELDS.items():
            if (value := work.fields.get(name, "")) and tag not in said:
                said.add(tag)
                lines.append((tag, value))
        first, _, last = re.sub(r"\s*[-–—]+\s*", "–", work.fields.get("pages", "")).partition("–")
        lines += [("SP", first)] if first else []
        lines += [("EP", last)] if last else []
        lines += [("AB", work.abstract)] if work.abstract else []
        lines += [("DO", work.doi)] if work.doi else []
        lines += [("M1", f"arXiv:{work.eprint}")] if work.eprint else []
        lines += [("KW", tag) for tag in work.tags]
        lines += [("N1", note) for note in work.notes]
        lines += [("UR", work.url)] if work.url else []
        lines += [("ER", ""), ("", "")]
    return "".join(f"{tag}  - {_flat(value)}\r\n" if tag else "\r\n" for tag, value in lines)


def to_html(works: Sequence[Reference]) -> str:
    """Return bookmarks that every browser imports; sections are folders."""
    out = [
        "<!DOCTYPE NETSCAPE-Bookmark-file-1>\n",
        '<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">\n',
        "<TITLE>Bookmarks</TITLE>\n<H1>Bookmarks</H1>\n<DL><p>\n",
    ]
    path: tuple[str, ...] = ()
    for work in sorted(works, key=_by_first_place(works)):
        if not work.url or why_not_a_page(work.url):
            continue
        shared = 0
        while shared < min(len(path), len(work.section)) and path[shared] == work.section[shared]:
            shared += 1
        for depth in range(len(path), shared, -1):
            out.append(f"{'    ' * depth}</DL><p>\n")
        for depth in range(shared, len(work.section)):
            name = html.escape(_flat(work.section[depth]))
            out.append(
                f"{'    ' * (depth + 1)}<DT><H3>{name}</H3>\n{'    ' * (depth + 1)}<DL><p>\n"
            )
        path = work.section
        indent = "    " * (len(path) + 1)
        dates = f' ADD_DATE="{_seconds(work.saved_at)}"' if work.saved_at else ""
        tags = (
            f' TAGS="{html.escape(",".join(_flat(tag).replace(",", " ") for tag in work.tags))}"'
            if work.tags
            else ""
        )
        title = html.escape(_flat(work.title) or work.url)
        out.append(f'{indent}<DT><A HREF="{html.escape(work.url)}"{dates}{tags}>{title}</A>\n')
        if work.notes:
            words = html.escape(_visible("\n".join(work.notes)))
            out.append(f"{indent}<DD>{words}\n")
    for depth in range(len(path), 0, -1):
        out.append(f"{'    ' * depth}</DL><p>\n")
    out.append("</DL><p>\n")
    return "".join(out)


def _by_first_place(works: Sequence[Reference]) -> Callable[[Reference], tuple[int, ...]]:
    """Return a sorting key that brings equal sections together, each folder where it first appears."""
    first: dict[tuple[str, ...], int] = {}
    for work in works:
        for depth in range(len(work.section) + 1):
            first.setdefault(work.section[:depth], len(first))
    # A folder's own links come before its subfolders: -1 sorts first.
    return lambda work: (
        *(first[work.section[: depth + 1]] for depth in range(len(work.section))),
        -1,
    )


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def _plain(work: Reference) -> dict[str, object]:
    return {
        "key": str(work.key) if work.key else None,
        "url": work.url,
        "title": work.title,
        "authors": [spoken_name(author) for author in work.authors],
        "year": work.year,
        "venue": work.venue,
        "section": list(work.section),
        "tags": list(work.tags),
        "notes": list(work.notes),
        "state": work.state,
        "saved_at": work.saved_at,
        "keys": [str(key) for key in work.keys],
        "place": work.place,
        "type": work.kind,
        "cite_key": work.cite_key,
    }


def to_json(works: Sequence[Reference]) -> str:
    """Return everything as JSON."""
    return json.dumps([_plain(work) for work in named(works)], ensure_ascii=False, indent=2) + "\n"


def to_markdown(works: Sequence[Reference]) -> str:
    """Return a list as readers of this library keep them: headings, an item a work, its notes below it."""
    out: list[str] = []
    path: tuple[str, ...] = ()
    for work in sorted(works, key=_by_first_place(works)):
        shared = 0
        while shared < min(len(path), len(work.section)) and path[shared] == work.section[shared]:
            shared += 1
        for depth in range(shared, len(work.section)):
            out.append(f"\n{'#' * min(depth + 1, 6)} {_shown(work.section[depth])}\n")
        if not out or len(work.section) > shared or path != work.section:
            out.append("")
        path = work.section
        title = _shown(work.title or work.url)
        if work.url and not why_not_a_page(work.url):
            title = f"[{title}]({destination(_flat(work.url))})"
        tags = (f"#{tag}" for tag in work.tags if _HASHTAG.fullmatch(tag))
        people = ", ".join(map(_shown, work.authors))
        said = " - ".join(filter(None, (title, people, str(work.year or ""))))
        out.append(" ".join((f"* {said}", *tags)))
        out += [f"  * {_shown(note)}" for note in work.notes if note.strip()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join((*out, "")).lstrip("\n"))


_HASHTAG = re.compile(r"[^\W\d][\w/-]*")


def _shown(text: str) -> str:
    return escape(_flat(text))


def _cell(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    text = (
        " / ".join(map(str, value))
        if isinstance(value, list)
        else ""
        if value is None
        else str(value)
    )
    text = _visible(text)
    return f"'{text}" if text.lstrip(" ")[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"} else text


def to_csv(works: Sequence[Reference]) -> str:
    """Return a table for spreadsheets; cells that could be formulas begin with an apostrophe."""
    out = io.StringIO()
    rows = [_plain(work) for work in named(works)]
    writer = csv.writer(out)
    writer.writerow(_plain(Reference(None, "", "")).keys())
    for row in rows:
        writer.writerow([_cell(value) for value in row.values()])
    return out.getvalue()


FORMATS: Mapping[str, Callable[[Sequence[Reference]], str]] = {
    "bibtex": to_bibtex,
    "csl": to_csl,
    "ris": to_ris,
    "html": to_html,
    "json": to_json,
    "csv": to_csv,
    "markdown": to_markdown,
}
