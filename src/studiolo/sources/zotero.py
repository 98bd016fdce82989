"""Reference managers: RIS, EndNote's tags, CSL-JSON, Zotero's and Better BibTeX's JSON, Zotero's CSV, BibTeX; the content says which.

RIS is read here and not by rispy: the format is one tag a line, and we need the line of each record, records that break off, any
encoding and unknown tags to be reported or kept, where a strict reader stops at the first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studiolo.errors import SourceError

from .bibtex import BIB_START, addresses_of, parse_bibtex
from .columns import ZOTERO_TYPES, first_line, looks_like_csv, parse_columns
from .dates import iso
from .guard import (
    WINDOWS,
    Counted,
    OnBytes,
    Recoded,
    bounded_lines,
    one_line,
    open_source,
    parse_json,
    read_whole,
    text_of,
    utf16_of,
)
from .netscape import words_of
from .saved import Reading, SavedItem, SavedLink, Skipped
from .states import state_of


SOURCE = "zotero"
BIB_BYTES = 16 * 1024**2
RIS_START = re.compile(r"^[ \t]*TY {1,2}- ?[A-Z]", re.MULTILINE)
ENDNOTE_START = re.compile(r"\A\s*%0 +[A-Z]")
_ENDNOTE_LINE = re.compile(r"%([0-9A-Z@]) +(.*)")
# what EndNote's tags are called in RIS; others are kept under their own names
_ENDNOTE_TAGS = {
    "0": "TY", "T": "TI", "A": "AU", "D": "PY", "J": "T2", "B": "BT", "R": "DO", "U": "UR", "K": "KW", "X": "AB", "Z": "N1",
    "V": "VL", "N": "IS", "P": "SP", "I": "PB", "@": "SN", "E": "ED", "F": "ID",
}  # fmt: skip
_ENDNOTE_TYPES = {
    "journal article": "JOUR", "electronic article": "EJOUR", "conference paper": "CPAPER", "conference proceedings": "CONF",
    "book": "BOOK", "edited book": "EDBOOK", "book section": "CHAP", "thesis": "THES", "report": "RPRT", "manuscript": "MANSCPT",
    "unpublished work": "UNPB", "magazine article": "MGZN", "newspaper article": "NEWS",
}  # fmt: skip
_RIS_LINE = re.compile(r"([A-Z][A-Z0-9]) {1,2}- ?(.*)")
CSL_TYPES = {
    "article-journal": "article", "article-magazine": "article", "article-newspaper": "article", "paper-conference": "inproceedings",
    "chapter": "incollection", "entry-encyclopedia": "incollection", "book": "book", "thesis": "phdthesis", "report": "techreport",
    "manuscript": "unpublished", "article": "misc", "webpage": "misc", "post-weblog": "misc", "post": "misc", "software": "misc",
    "dataset": "misc", "speech": "misc", "patent": "misc", "preprint": "misc", "document": "misc",
}  # fmt: skip
_RIS_TYPES = {
    "JOUR": "article", "JFULL": "article", "MGZN": "article", "NEWS": "article", "EJOUR": "article", "INPR": "article",
    "CONF": "inproceedings", "CPAPER": "inproceedings", "CHAP": "incollection", "ECHAP": "incollection", "BOOK": "book",
    "EDBOOK": "book", "EBOOK": "book", "THES": "phdthesis", "RPRT": "techreport", "UNPB": "unpublished", "MANSCPT": "unpublished",
}  # fmt: skip
# tags whose values have a place of their own; further values of them, and all other tags, are kept under their names
_RIS_ROLES = {
    "title": ("TI", "T1", "CT"), "authors": ("AU", "A1"), "venue": ("JF", "T2", "BT", "JO", "JA", "J1", "J2"), "year": ("PY", "Y1", "DA"),
    "doi": ("DO",), "url": ("UR", "LK", "L1", "L2"), "tags": ("KW",), "note": ("N1", "RN"), "about": ("AB", "N2"), "key": ("ID",),
}  # fmt: skip
_RIS_NAMES = {"VL": "volume", "IS": "number", "PB": "publisher", "SN": "isbn", "ED": "editor", "A2": "editor"}  # fmt: skip
# fields that are kept as they are
_ZOTERO_KEPT = (
    "volume", "issue", "pages", "publisher", "series", "language", "date", "repository", "archiveID", "accessDate", "extra",
    "shortTitle", "place", "edition", "number", "ISBN", "ISSN",
)  # fmt: skip
_CSL_KEPT = (
    "volume", "issue", "page", "publisher", "collection-title", "event-title", "language", "number", "archive", "note",
    "edition", "publisher-place", "ISBN", "ISSN",
)  # fmt: skip


def load_zotero(path: Path, on_bytes: OnBytes | None = None) -> Reading:
    """Yield the references of an export in any of the formats.

    Raises:
        SourceError: it is none of them.
    """
    name = path.name
    with open_source(path) as stream:
        head = stream.read(65_536)
        encoding = utf16_of(head)
        text = head.decode(encoding or "utf-8", "replace").removeprefix("\ufeff")
        stream.seek(0)
        counted = Counted(stream, on_bytes)
        recoded = Recoded(counted, encoding) if encoding else counted
        if not text.strip():
            return
        if RIS_START.search(text) or ENDNOTE_START.match(text):
            yield from parse_ris(recoded, name)
        elif text.lstrip()[:1] in ("[", "{"):
            yield from parse_references(parse_json(read_whole(path, on_bytes), name), name)
        elif BIB_START.search(head):
            yield from parse_bibtex(read_whole(path, on_bytes, BIB_BYTES), name, SOURCE)
        elif looks_like_csv(first_line(head, encoding)):
            yield from parse_columns(recoded, name, SOURCE)
        else:
            raise SourceError(
                f"{path} is neither RIS, nor EndNote's tags, nor CSL-JSON, nor Zotero's CSV, nor BibTeX: it starts with {head[:24]!r}. "
                "How to export: `studiolo collect zotero --help`."
            )


def _as_ris(line: str) -> str:
    """Return a line of EndNote's tags as one of RIS; any other as it is."""
    found = _ENDNOTE_LINE.fullmatch(line)
    if found is None:
        return line
    tag, value = found[1], found[2].strip()
    if tag == "0":
        value = _ENDNOTE_TYPES.get(value.lower(), "GEN")
    return f"{_ENDNOTE_TAGS.get(tag, f'X{tag}')}  - {value}"


def parse_ris(stream: Counted | Recoded, name: str) -> Reading:
    """Yield the records of RIS, from `TY` to `ER`, or of EndNote's tags, from `%0` to the next."""
    record: dict[str, list[str]] = {}
    last, start = "", 0
    for number, line in bounded_lines(stream):
        if line is None:
            yield Skipped(f"{name}:{number}", "a line that is too long")
            continue
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", WINDOWS).strip()
        found = _RIS_LINE.fullmatch(text) or _RIS_LINE.fullmatch(_as_ris(text))
        if found is None:
            if text and last and record:  # a value that goes on
                record[last][-1] = f"{record[last][-1]}\n{text}".strip()
            continue
        tag, value = found[1], found[2].strip()
        if tag == "TY":
            if record:
                yield _ris_item(record, f"{name}:{start}")
            record, start, last = {"TY": [value]}, number, "TY"
        elif tag == "ER":
            if record:
                yield _ris_item(record, f"{name}:{start}")
            record, last = {}, ""
        elif record:
            record.setdefault(tag, []).append(value)
            last = tag
        else:
            yield Skipped(f"{name}:{number}", f"a line outside of a record: {one_line(text, 60)}")
    if record:
        yield _ris_item(record, f"{name}:{start}")


def _ris_item(record: Mapping[str, list[str]], place: str) -> SavedItem | Skipped:
    left = {tag: [value for value in values if value] for tag, values in record.items()}

    def take(role: str) -> list[str]:
        return [value for tag in _RIS_ROLES[role] for value in left.pop(tag, ())]

    titles, venues, years = take("title"), take("venue"), take("year")
    links = [part for value in take("url") for part in re.split(r";(?=https?://)|\s+", value)]
    titles += venues[:1] if not titles else []
    fields = {
        "doi": " ".join(take("doi")),
        "url": " ".join(links),
        "isbn": " ".join(left.get("SN", ())),
    }
    fields |= {
        "journal": venues[0] if venues else "",
        "note": " ".join(left.get("M1", []) + left.get("M2", []) + left.get("AN", [])),
    }
    year = next(
        (match[0] for value in years if (match := re.search(r"\b(?:1[5-9]|20)\d\d\b", value))), ""
    )
    if pages := [*left.pop("SP", []), *left.pop("EP", [])]:
        left["pages"] = ["–".join(pages)]
    if short := [one for one in venues[1:] if one not in venues[:1]]:
        left["shortjournal"] = short[:1]
    if day := next((found for value in years if (found := _ris_day(value))), ""):
        left["date"] = [day]
    if re.fullmatch(r"\d{4}-?\d{3}[\dXx]", fields["isbn"]):
        left["issn"] = left.pop("SN")
    key = next(iter(take("key")), "")
    tags = [tag for value in take("tags") for tag in value.split("\n")]
    kind = next(iter(left.pop("TY", ())), "").upper()
    return _reference(
        fields,
        place,
        title=titles[0] if titles else "",
        note="\n".join(words_of(note) for note in take("note")),
        about="\n".join(take("about")),
        tags=tags,
        authors=[one_line(name, 300).strip(", ") for name in take("authors")],
        year=int(year) if year else None,
        venue=venues[0] if venues else "",
        entry_type=_RIS_TYPES.get(kind, "misc"),
        cite_key="" if key.isdigit() else key,
        extra={
            _RIS_NAMES.get(tag, tag.lower()): (" and " if tag in ("ED", "A2") else "; ").join(
                values
            )
            for tag, values in left.items()
        },
    )


def _ris_day(value: str) -> str:
    """Return a date of RIS (2020/05/12/) as 2020-05-12 or 2020-05; '' where it is no more than a year."""
    found = re.match(r"(\d{4})[/-](\d\d)(?:[/-](\d\d))?(?!\d)", value)
    return "-".join(part for part in found.groups() if part) if found else ""


def parse_references(document: Any, name: str) -> Reading:
    """Yield the references of CSL-JSON, of Zotero's API or of Better BibTeX."""
    items = (
        document.get("items", document.get("references"))
        if isinstance(document, Mapping)
        else document
    )
    if isinstance(document, Mapping) and items is None:
        items = [document]
    if not isinstance(items, list):
        raise SourceError(f"{name} is JSON, but holds no list of references.")
    folders = _collections(document.get("collections")) if isinstance(document, Mapping) else {}
    for number, item in enumerate(items, 1):
        place = f"{name}, item {number}"
        inner = item.get("data") if isinstance(item, Mapping) else None
        item = {**item, **inner} if isinstance(inner, Mapping) else item
        if not isinstance(item, Mapping):
            yield Skipped(place, f"not a reference but {type(item).__name__}")
        elif item.get("itemType") in ("attachment", "note", "annotation"):
            continue  # they belong to an item, and are not saved things
        elif "itemType" in item:
            yield _zotero_item(item, place, folders)
        else:
            yield _csl_item(item, place)


def _collections(value: Any) -> dict[Any, tuple[str, ...]]:
    """Return the folder of each item by its number or key."""
    if not isinstance(value, Mapping):
        return {}
    found: dict[Any, tuple[str, ...]] = {}
    for one in value.values():
        if not isinstance(one, Mapping):
            continue
        path: list[str] = []
        above: Any = one
        while isinstance(above, Mapping) and len(path) < 32:
            path.insert(0, one_line(text_of(above.get("name")), 300))
            above = value.get(above.get("parent")) if above.get("parent") else None
        members = one.get("items")
        for member in members if isinstance(members, list) else ():
            if isinstance(member, int | str):
                found.setdefault(member, tuple(part for part in path if part))
    return found


def _zotero_item(
    item: Mapping[str, Any], place: str, folders: Mapping[Any, tuple[str, ...]]
) -> SavedItem | Skipped:
    def field(*names: str) -> str:
        return next((text for name in names if (text := text_of(item.get(name)).strip())), "")

    extra_lines = _extra_lines(field("extra"))
    notes = (words_of(note) for note in _texts(item, "notes", "note"))
    venue = field("publicationTitle", "proceedingsTitle", "bookTitle", "conferenceName")
    year = re.search(r"\b(?:1[5-9]|20)\d\d\b", field("date", "year"))
    idents = [item.get(name) for name in ("itemID", "key", "itemKey")]
    fields = {
        "doi": field("DOI") or extra_lines.get("doi", ""), "url": field("url"), "isbn": field("ISBN"), "journal": venue,
        "number": field("archiveID", "number", "reportNumber"), "note": field("extra"),
    }  # fmt: skip
    return _reference(
        fields,
        place,
        title=field("title", "caseName", "subject"),
        note="\n".join(note for note in notes if note),
        about=field("abstractNote"),
        tags=_texts(item, "tags", "tag"),
        authors=_zotero_people(item, "author", "presenter", "contributor", "programmer"),
        year=int(year[0]) if year else None,
        venue=venue,
        entry_type=ZOTERO_TYPES.get(field("itemType").casefold(), "misc"),
        cite_key=field("citationKey", "citekey") or extra_lines.get("citation key", ""),
        extra={name.lower(): field(name) for name in _ZOTERO_KEPT}
        | {"editor": " and ".join(_zotero_people(item, "editor"))},
        folder=next(
            (folders[one] for one in idents if isinstance(one, int | str) and one in folders), ()
        ),
        saved_at=iso(field("dateAdded")),
        native=field("key", "itemKey"),
        state=state_of(extra_lines.get("read_status", "")),
        read_at=iso(extra_lines.get("read_status_date", "")),
    )


def _texts(item: Mapping[str, Any], field: str, inside: str) -> list[str]:
    """Return the texts of a list, each as such or in a table."""
    parts = _list(item.get(field))
    return [text_of(part.get(inside) if isinstance(part, Mapping) else part) for part in parts]


def _zotero_people(item: Mapping[str, Any], *kinds: str) -> list[str]:
    found = []
    for one in _list(item.get("creators")):
        if isinstance(one, Mapping) and one.get("creatorType", "author") in kinds:
            parts = ("lastName", "firstName", "name")
            family, given, whole = (one_line(text_of(one.get(part)), 300) for part in parts)
            found.append(_person(family, given, whole))
    return found


def _person(family: str, given: str, whole: str) -> str:
    """Return a name as BibTeX writes it; one that has no parts in braces."""
    if family:
        return f"{family}, {given}" if given else family
    return f"{{{whole}}}" if " " in whole else whole


def _extra_lines(text: str) -> dict[str, str]:
    """Return the `Name: value` lines that people and plugins write into Zotero's Extra."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip().casefold(): value.strip() for name, colon, value in pairs if colon}


def _csl_item(item: Mapping[str, Any], place: str) -> SavedItem | Skipped:
    def field(name: str) -> str:
        return text_of(item.get(name)).strip()

    issued, accessed = _csl_date(item.get("issued")), _csl_date(item.get("accessed"))
    extra_lines = _extra_lines(field("note"))
    ident = field("id")
    zotero = re.search(r"zotero\.org/.+/items/([A-Z0-9]{8})$", ident)
    fields = {
        "doi": field("DOI"), "url": field("URL"), "isbn": field("ISBN"), "journal": field("container-title") or field("archive") or field("publisher"),
        "number": field("number") or field("archive_location"), "note": field("note"),
    }  # fmt: skip
    keyword = field("keyword")
    return _reference(
        fields,
        place,
        title=field("title"),
        note=words_of(field("annote")),
        about=field("abstract"),
        tags=re.split("[;,]", keyword)
        if keyword
        else [text_of(one) for one in _list(item.get("keyword"))],
        authors=_csl_people(item.get("author")),
        year=int(issued[:4]) if re.match(r"\d{4}", issued) else None,
        venue=field("container-title"),
        entry_type=CSL_TYPES.get(field("type"), "misc"),
        cite_key=field("citation-key")
        or field("citekey")
        or extra_lines.get("citation key", "")
        or ("" if re.search(r"[:/]|^\d+$", ident) else ident),
        extra={name.lower(): field(name) for name in _CSL_KEPT}
        | {"editor": " and ".join(_csl_people(item.get("editor")))}
        | ({"urldate": accessed} if len(accessed) == 10 else {})
        | ({"date": issued} if len(issued) > 4 else {}),
        saved_at=iso(accessed) if len(accessed) == 10 else None,
        native=zotero[1] if zotero else "",
        state=state_of(extra_lines.get("read_status", "")),
        read_at=iso(extra_lines.get("read_status_date", "")),
    )


def _csl_people(value: Any) -> list[str]:
    found = []
    for one in _list(value):
        if isinstance(one, Mapping):
            family, given, literal, particle, suffix = (
                one_line(text_of(one.get(part)), 300)
                for part in ("family", "given", "literal", "non-dropping-particle", "suffix")
            )
            particle = particle or one_line(text_of(one.get("dropping-particle")), 60)
            family = f"{particle} {family}".strip()
            suffix = f", {suffix}" if suffix and given else ""
            found.append(_person(f"{family}{suffix}" if family else "", given, literal))
    return found


def _csl_date(value: Any) -> str:
    """Return a date of CSL as 2017, 2017-06 or 2017-06-12."""
    if not isinstance(value, Mapping):
        return ""
    parts = next(iter(_list(value.get("date-parts"))), None)
    if isinstance(parts, list) and parts:
        numbers = [text_of(part) for part in parts[:3] if text_of(part).isdigit()]
        return "-".join(number.zfill(2 if at else 4) for at, number in enumerate(numbers))
    found = re.search(
        r"\d{4}(?:-\d\d(?:-\d\d)?)?", text_of(value.get("raw")) or text_of(value.get("literal"))
    )
    return found[0] if found else ""


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _reference(
    fields: dict[str, str],
    place: str,
    *,
    title: str,
    tags: Sequence[str],
    extra: Mapping[str, str],
    authors: Sequence[str],
    venue: str,
    cite_key: str,
    **others: Any,
) -> SavedItem | Skipped:
    """Return a reference as a saved thing; what names no address is skipped with its title."""
    title = one_line(words_of(title))
    addresses = addresses_of(fields)
    if not addresses:
        return Skipped(place, f"no DOI, arXiv id, address or ISBN: {title[:80] or '(no title)'}")
    return SavedItem(
        source=SOURCE,
        url=addresses[0],
        title=title,
        tags=tuple(dict.fromkeys(tag for text in tags if (tag := " ".join(text.split())))),
        links=tuple(SavedLink("same", url) for url in addresses[1:]),
        extra={name[:100]: value[:10_000] for name, value in extra.items() if value},
        place=place,
        authors=tuple(name for name in authors if name),
        venue=one_line(venue),
        cite_key=one_line(cite_key, 200),
        **others,
    )


def looks_like_references(document: Any) -> bool:
    """Return whether JSON is CSL-JSON, Zotero's or Better BibTeX's."""
    items = document.get("items") if isinstance(document, Mapping) else document
    return any(_is_reference(item) for item in _list(items)[:20])


def _is_reference(item: Any) -> bool:
    if not isinstance(item, Mapping):
        return False
    if "itemType" in item or (isinstance(item.get("data"), Mapping) and "itemType" in item["data"]):
        return True
    return item.get("type") in CSL_TYPES and not item.keys().isdisjoint(
        {"issued", "author", "DOI", "container-title", "id"}
    )
