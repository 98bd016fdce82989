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
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from studiolo.keys import Key, address_of, why_not_a_page
from studiolo.lists import Document
from studiolo.metadata import Facts

from .edges import key_at
from .facts import load_facts
from .folder import Library
from .waiting import Waiting


@dataclass(frozen=True, slots=True)
class Reference:
    """One line of an export."""

    key: Key | None
    url: str
    title: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str = ""
    section: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    saved_at: str = ""
    state: str = ""
    keys: tuple[Key, ...] = ()
    category: str = ""
    abstract: str = ""
    place: str = ""

    def key_of(self, kind: str) -> str:
        """Return the value of its key of a kind, or ''."""
        return next((key.value for key in self.keys if key.kind == kind), "")


def references_in_document(
    document: Document, name: str, facts: Mapping[Key, Facts]
) -> list[Reference]:
    """Return the entries of a list, completed by what is known of them; what the list itself says stands."""
    found = []
    for entry in document.entries:
        known = facts.get(entry.key) if entry.key else None
        link = next(
            (link.url for link in entry.links if link.mention and link.mention.key == entry.key), ""
        )
        found.append(
            Reference(
                key=entry.key,
                url=_address(entry.key, link),
                title=entry.title or (known.title if known else ""),
                authors=(known.authors if known else ()) or entry.authors,
                year=entry.year or (known.year if known else None),
                venue=known.venue if known else "",
                section=entry.section,
                tags=entry.tags,
                notes=tuple(note.text for note in entry.notes),
                state=entry.state or "",
                keys=tuple(dict.fromkeys((*entry.keys, *(known.same if known else ())))),
                category=known.categories[0] if known and known.categories else "",
                abstract=known.abstract if known else "",
                place=f"{name}:{entry.line}",
            )
        )
    return found


def references_in_library(library: Library) -> list[Reference]:
    """Return the works of all lists, a work that stands twice once."""
    facts = load_facts(library)
    seen: set[Key] = set()
    found = []
    for path, document in library.documents.items():
        for work in references_in_document(document, library.relative(path), facts):
            if work.key is None or work.key not in seen:
                found.append(work)
            if work.key:
                seen.add(work.key)
    return found


def references_in_inbox(view: Waiting) -> list[Reference]:
    """Return what waits in the inbox."""
    found = []
    for pending in view.pending:
        known = view.facts.get(pending.key) if pending.key else None
        keys = [key for item in pending.items if (key := key_at(item.url))]
        folder = next((item.folder for item in pending.items if item.folder), ())
        found.append(
            Reference(
                key=pending.key,
                url=_address(pending.key, pending.items[0].url),
                title=pending.title,
                authors=known.authors if known else (),
                year=known.year if known else None,
                venue=known.venue if known else "",
                section=folder,
                tags=pending.tags,
                notes=pending.notes,
                saved_at=pending.saved_at,
                state="inbox",
                keys=tuple(dict.fromkeys((*([pending.key] if pending.key else []), *keys))),
                category=known.categories[0] if known and known.categories else "",
                abstract=known.abstract if known else "",
                place=pending.items[0].place,
            )
        )
    return found


def _address(key: Key | None, link: str) -> str:
    return (
        address_of(key)
        if key is not None and key.kind in {"arxiv", "doi", "github"}
        else link.strip()
    )


def _family(author: str) -> tuple[str, str]:
    """Return (family, given) of a name written either way round."""
    if "," in author:
        family, _, given = author.partition(",")
        return family.strip(), given.strip()
    parts = author.split()
    at = len(parts) - 1
    while at > 0 and parts[at - 1][:1].islower():  # van der Maaten, de Freitas
        at -= 1
    return " ".join(parts[at:]), " ".join(parts[:at])


def _flat(text: str) -> str:
    """Return text on one line without control characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _visible(text: str) -> str:
    """Return text of several lines without what a terminal that shows the file would obey."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text)


_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",  # BibTeX counts \{ as a brace that opens
    "}": r"\textbraceright{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in _flat(text))


def _bibtex_title(text: str) -> str:
    """Return a title in which words with capitals inside (FNet, BERT) are kept from being put in small letters."""
    return " ".join(
        f"{{{_latex(word)}}}" if re.search(r"(?<!^)[A-Z]", word) else _latex(word)
        for word in _flat(text).split()
    )


def _ascii(text: str) -> str:
    return re.sub(
        r"[^a-z0-9]",
        "",
        unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower(),
    )


def cite_keys(works: Sequence[Reference]) -> list[str]:
    """Return a key for each work, `leethorp2021fnet`; letters tell doubles apart in the order of their identities, so that a list
    put into another order keeps its keys.
    """
    stems = []
    for work in works:
        name = _ascii(_family(work.authors[0])[0]) if work.authors else "anon"
        words = [_ascii(word) for word in work.title.split()]
        word = next(
            (
                word
                for word in words
                if len(word) > 3
                or (word and not word.isdigit() and word not in {"a", "an", "the", "on"})
            ),
            "untitled",
        )
        stems.append(f"{name or 'anon'}{work.year or ''}{word[:30]}")
    order = sorted(range(len(works)), key=lambda i: (stems[i], str(works[i].key), works[i].url, i))
    keys = [""] * len(works)
    before, count = "", 0
    for i in order:
        count = count + 1 if stems[i] == before else 0
        before = stems[i]
        keys[i] = stems[i] + (_letters(count) if count else "")
    return keys


def _letters(number: int) -> str:
    text = ""
    while number >= 0:
        text = chr(ord("a") + number % 26) + text
        number = number // 26 - 1
    return text


def to_bibtex(works: Sequence[Reference]) -> str:
    """Return BibTeX; preprints as @misc with eprint, published works as @article."""
    blocks = []
    for work, cite in zip(works, cite_keys(works), strict=True):
        arxiv, doi = work.key_of("arxiv"), work.key_of("doi")
        fields = {"title": _bibtex_title(work.title)}
        if work.authors:
            fields["author"] = " and ".join(_latex(author) for author in work.authors)
        if work.year:
            fields["year"] = str(work.year)
        if work.venue:
            fields["journal"] = _latex(work.venue)
        if arxiv:
            fields |= {"eprint": arxiv, "archivePrefix": "arXiv"}
            if work.category:
                fields["primaryClass"] = _latex(work.category)
        if doi:
            fields["doi"] = _latex(doi)
        if work.url:
            fields["url"] = work.url.translate(
                {ord(letter): f"%{ord(letter):02X}" for letter in '{}\\" '}
            )
        if work.tags:
            fields["keywords"] = ", ".join(_latex(tag) for tag in work.tags)
        if work.notes:
            fields["note"] = _latex("; ".join(work.notes))
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
        blocks.append(f"@{'article' if work.venue else 'misc'}{{{cite},\n{lines}\n}}\n")
    return "\n".join(blocks)


def to_csl(works: Sequence[Reference]) -> str:
    """Return CSL-JSON, which Zotero and pandoc read."""
    items = []
    for work, cite in zip(works, cite_keys(works), strict=True):
        item: dict[str, object] = {
            "id": cite,
            "type": "article-journal" if work.venue else "article",
            "title": _flat(work.title),
        }
        if work.authors:
            item["author"] = [
                {"family": family, **({"given": given} if given else {})}
                for family, given in map(_family, work.authors)
            ]
        if work.year:
            item["issued"] = {"date-parts": [[work.year]]}
        if work.venue:
            item["container-title"] = work.venue
        if doi := work.key_of("doi"):
            item["DOI"] = doi
        if arxiv := work.key_of("arxiv"):
            item["number"] = f"arXiv:{arxiv}"
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


def to_ris(works: Sequence[Reference]) -> str:
    """Return RIS: two blanks after each tag, CRLF at each end."""
    lines = []
    for work in works:
        lines.append(("TY", "JOUR" if work.venue else "RPRT"))
        lines.append(("TI", work.title))
        lines += [
            ("AU", ", ".join(part for part in _family(author) if part)) for author in work.authors
        ]
        lines += [("PY", str(work.year))] if work.year else []
        lines += [("T2", work.venue)] if work.venue else []
        lines += [("AB", work.abstract)] if work.abstract else []
        lines += [("DO", doi)] if (doi := work.key_of("doi")) else []
        lines += [("M1", f"arXiv:{arxiv}")] if (arxiv := work.key_of("arxiv")) else []
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
        "authors": list(work.authors),
        "year": work.year,
        "venue": work.venue,
        "section": list(work.section),
        "tags": list(work.tags),
        "notes": list(work.notes),
        "state": work.state,
        "saved_at": work.saved_at,
        "keys": [str(key) for key in work.keys],
        "place": work.place,
    }


def to_json(works: Sequence[Reference]) -> str:
    """Return everything as JSON."""
    return json.dumps([_plain(work) for work in works], ensure_ascii=False, indent=2) + "\n"


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
    rows = [_plain(work) for work in works]
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
}


def in_section(works: Iterable[Reference], section: str) -> list[Reference]:
    """Return the works below a heading of this name (or this beginning of a path), small and capital letters alike."""
    wanted = section.casefold().strip()
    return [work for work in works if any(part.casefold() == wanted for part in work.section)]
