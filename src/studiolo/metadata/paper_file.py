"""Papers in a file that somebody has already: arXiv's dump, JSON lines, JSON, CSL-JSON, BibTeX; packed or not.

Lines are read as a stream, so that a dump of millions of papers takes no more memory than one of a hundred.
"""

from __future__ import annotations

import bz2
import email.utils
import gzip
import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from studiolo.errors import SourceError, StudioloError
from studiolo.keys import Key, find_mention, make_key
from studiolo.sources import (
    SOURCES,
    Counted,
    SavedItem,
    bounded_lines,
    one_line,
    open_source,
    spoken_name,
    text_of,
)

from .facts import Facts


_FIRST_BYTES = 1_000_001  # of the first line, which tells records on lines from one document
WHOLE_BYTES = 256 * 1024**2  # of JSON that is not one record a line
_PACKED = (EOFError, OSError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError)  # fmt: skip
_NAMES = {
    "title": ("title", "name", "paper_title"),
    "authors": ("authors_parsed", "authors", "author", "creators"),
    "abstract": ("abstract", "summary", "description", "abstractNote"),
    "categories": ("categories", "category", "subjects", "primary_category"),
    "date": ("created", "published", "publication_date", "publicationDate", "issued", "submitted", "date", "year", "update_date"),
    "venue": ("journal-ref", "journal_ref", "venue", "journal", "container-title", "booktitle"),
}  # fmt: skip
_OF_KIND = {
    "arxiv": ("arxiv_id", "arxivId", "arxiv", "ArXiv", "eprint", "id", "paper_id", "number"),
    "doi": ("doi", "DOI"),
    "openreview": ("openreview", "forum"),
    "acl": ("acl_id", "ACL"),
}
_PREFIX = re.compile(r"(?i)(?:arxiv:\s*|https?://(?:dx\.)?doi\.org/|doi:\s*)")
_ADDRESSES = ("url", "URL", "link", "pdf_url", "pdf", "paper_url", "id")

OnBytes = Callable[[int], object]


def load_papers(path: Path, on_bytes: OnBytes | None = None) -> Iterator[Facts | str]:
    """Yield the papers of a file, and for each row that is none the reason.

    Fields are known by their usual names (title, authors, abstract, categories, created, doi, url …).

    Raises:
        SourceError: there is no such file, it is damaged, or in none of the formats.
    """
    if path.suffix.lower() in {".bib", ".bibtex"}:
        yield from _bibtex(path, on_bytes)
        return
    name = path.name
    with ExitStack() as stack:
        stream = stack.enter_context(open_source(path))
        try:
            unpacked = _unpacked(cast(BinaryIO, _Readable(stream, on_bytes)), stream, stack, name)
            yield from _json(unpacked, name)
        except _PACKED as problem:
            raise SourceError(
                f"{name} cannot be unpacked ({str(problem) or type(problem).__name__}). Was the download cut short? "
                "What was read before is kept."
            ) from problem


class _Readable(Counted):
    """What the unpacking libraries want of a file."""

    def __init__(self, stream: BinaryIO, on_bytes: OnBytes | None) -> None:
        super().__init__(stream, on_bytes)
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable


def _unpacked(counted: BinaryIO, stream: BinaryIO, stack: ExitStack, name: str) -> BinaryIO:
    head = stream.read(6)
    stream.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=counted))
    if head.startswith(b"\xfd7zXZ"):
        return cast(BinaryIO, lzma.LZMAFile(counted))
    if head.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(counted))
    if head.startswith(b"PK\x03\x04"):
        archive = stack.enter_context(zipfile.ZipFile(counted))
        inside = [
            one
            for one in archive.infolist()
            if one.filename.lower().endswith((".json", ".jsonl", ".ndjson"))
        ]
        if len(inside) != 1:
            raise SourceError(
                f"{name} holds {len(inside)} JSON files; one is needed. Unpack it and name the file."
            )
        return cast(BinaryIO, stack.enter_context(archive.open(inside[0])))
    return counted


def _json(stream: BinaryIO, name: str) -> Iterator[Facts | str]:
    before, first = 0, stream.readline(_FIRST_BYTES)
    while first and not first.strip():
        before, first = before + 1, stream.readline(_FIRST_BYTES)
    if not _starts_a_row(first):  # one document, which may be one long line
        if not first:
            raise SourceError(f"{name} is empty.")
        if not first.lstrip(b"\xef\xbb\xbf \t").startswith((b"[", b"{")):
            raise SourceError(
                f"{name} is neither JSON nor BibTeX. Give arXiv's dump, JSON lines, CSL-JSON or a .bib file."
            )
        yield from _document(first + stream.read(WHOLE_BYTES + 1), name)
        return
    yield _row(first, f"{name}:{before + 1}")
    for number, line in bounded_lines(stream):
        number += before + 1
        if line is None:
            yield f"{name}:{number}: a line longer than a million bytes"
        elif line.strip():
            yield _row(line, f"{name}:{number}")


def _starts_a_row(line: bytes) -> bool:
    """Whether a line is a whole record; else the file is one JSON document."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _document(data: bytes, name: str) -> Iterator[Facts | str]:
    if len(data) > WHOLE_BYTES:
        raise SourceError(
            f"{name} holds more than {WHOLE_BYTES:,} bytes in one JSON document. Give JSON lines: one record a line."
        )
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise SourceError(
            f"{name} is not JSON ({problem}). Was the download cut short?"
        ) from problem
    if isinstance(found, dict):
        found = next((one for one in found.values() if isinstance(one, list)), [found])
    for number, record in enumerate(found, 1):
        yield _facts(record, f"{name}, item {number}")


def _row(line: bytes, place: str) -> Facts | str:
    try:
        return _facts(json.loads(line), place)
    except (ValueError, RecursionError):
        return f"{place}: not JSON"


def _facts(record: Any, place: str) -> Facts | str:
    if not isinstance(record, Mapping):
        return f"{place}: not a record but {type(record).__name__}"
    keys = _keys(record)
    title = one_line(text_of(_first(record, "title")), 2000)
    if not keys or not title:
        lacking = "arXiv id, DOI or address" if not keys else "title"
        return f"{place}: no {lacking}{f': {title[:60]}' if title else ''}"
    categories = _first(record, "categories")
    if isinstance(categories, str):
        categories = re.split(
            r"[,;\s]+" if re.match(r"[a-z-]+(?:\.[A-Za-z-]+)?(?:[,;\s]|$)", categories) else "[,;]",
            categories,
        )
    published = _date(record, keys[0])
    return Facts(
        key=keys[0],
        title=title,
        authors=_authors(_first(record, "authors")),
        year=int(published[:4]) if published else None,
        published=published,
        venue=one_line(text_of(_first(record, "venue")), 500),
        abstract=one_line(text_of(_first(record, "abstract")), 20_000),
        categories=tuple(dict.fromkeys(one_line(text_of(one), 60) for one in _list(categories) if text_of(one).strip())),
        same=tuple(keys[1:]),
    )  # fmt: skip


def _first(record: Mapping[str, Any], role: str) -> Any:
    return next((value for name in _NAMES[role] if (value := record.get(name))), None)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _keys(record: Mapping[str, Any]) -> list[Key]:
    """Return what a record says it is, the strongest identity first."""
    others = record.get("externalIds")
    named = {**others, **record} if isinstance(others, Mapping) else record
    found: list[Key] = []
    if "key" in named:
        with suppress(StudioloError):
            found.append(Key.parse(text_of(named["key"], 500)))
    for kind, names in _OF_KIND.items():
        for name in names:
            text = text_of(named[name], 500).strip() if named.get(name) else ""
            if kind in ("arxiv", "doi"):
                text = text[prefix.end() :] if (prefix := _PREFIX.match(text)) else text
            if text and (
                key := make_key(kind, _without_version(text) if kind == "arxiv" else text)
            ):
                found.append(key)
    for name in _ADDRESSES:
        address = text_of(record[name], 2000) if record.get(name) else ""
        if "://" in address and (mention := find_mention(address)):
            found.append(mention.key)
    papers = [key for key in dict.fromkeys(found) if key.names_paper]
    return papers or list(dict.fromkeys(found))[:1]


def _without_version(text: str) -> str:
    return re.sub(r"v\d{1,3}$", "", text)


def _authors(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        # "A, B and C" (affiliations in brackets) as arXiv writes it, or BibTeX's "A and B"
        bare = re.sub(r"\([^()]*\)", "", value)
        bibtex = (
            " and " in bare
            and bare.count(",") <= bare.count(" and ") + 1
            and not re.search(r", and |,[^,]*,", bare)
        )
        parts = re.split(r"\s+and\s+" if bibtex else r"\s*,\s*(?:and\s+)?|\s+and\s+|\s*;\s*", bare)
        return tuple(name for part in parts if (name := one_line(part, 200)))
    names = (_author(one) for one in _list(value))
    return tuple(name for name in names if name)


def _author(value: Any) -> str:
    if isinstance(value, Mapping):
        given = value.get("given") or value.get("forenames") or value.get("firstName")
        family = value.get("family") or value.get("keyname") or value.get("lastName")
        parts: Iterable[Any] = (
            (given, family) if family else (value.get("name") or value.get("literal"),)
        )
    elif isinstance(value, list):  # authors_parsed: family, given, suffix
        parts = (*value[1:2], *value[:1], *value[2:3])
    else:
        parts = (value,)
    return one_line(" ".join(map(text_of, parts)), 200)


def _date(record: Mapping[str, Any], key: Key) -> str:
    """Return when a paper appeared as far as the record says it, `2021-05-09`, `2021-05` or `2021`."""
    versions = _list(record.get("versions"))
    if versions and isinstance(versions[0], Mapping):
        try:
            return (
                email.utils.parsedate_to_datetime(text_of(versions[0].get("created")))
                .date()
                .isoformat()
            )
        except (ValueError, TypeError, OverflowError):
            pass
    for name in _NAMES["date"]:
        value = record.get(name)
        if isinstance(value, Mapping):  # CSL: {"date-parts": [[2021, 5, 9]]}
            parts = _list(next(iter(_list(value.get("date-parts"))), []))
            numbers = [text_of(part) for part in parts[:3]]
            value = (
                "-".join([numbers[0], *(number.zfill(2) for number in numbers[1:])])
                if numbers
                else value.get("raw")
            )
        found = re.match(r"(?:19|20)\d\d(?:-[01]\d(?:-[0-3]\d)?)?(?!\d)", text_of(value).strip())
        if found and name != "update_date":
            return found[0]
    if key.kind == "arxiv" and (digits := re.search(r"(\d\d)(\d\d)", key.value)):
        century = "19" if int(digits[1]) > 90 else "20"
        return f"{century}{digits[1]}-{digits[2]}"
    return ""


def _bibtex(path: Path, on_bytes: OnBytes | None) -> Iterator[Facts | str]:
    for item in SOURCES["urls"].load(path, on_bytes=on_bytes):
        if not isinstance(item, SavedItem):
            yield str(item)
            continue
        fields = {"year": str(item.year or ""), **item.extra}
        addresses = [item.url, *(link.url for link in item.links)]
        keys = dict.fromkeys(mention.key for url in addresses if (mention := find_mention(url)))
        first, *same = [key for key in keys if key.names_paper] or list(keys)
        published = _date(fields, first)
        yield Facts(
            key=first,
            title=item.title,
            authors=tuple(one_line(spoken_name(name), 200) for name in item.authors),
            year=int(published[:4]) if published else None,
            published=published,
            venue=one_line(item.venue, 500),
            abstract=one_line(fields.get("abstract", ""), 20_000),
            categories=item.tags,
            same=tuple(same),
        )
