"""Which source reads a file: by what is inside it, never by its name alone."""

from __future__ import annotations

import re
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

from studiolo.errors import SourceError
from studiolo.files import kind_at
from studiolo.lists import Document

from .bibtex import BIB_START
from .columns import column_of, first_line, looks_like_csv
from .firefox import LZ4_MAGIC, SQLITE_MAGIC
from .guard import open_source, utf16_of
from .places import Detected
from .services import SERVICES
from .table import MARKDOWN
from .zotero import CSL_TYPES, ENDNOTE_START, RIS_START


HEAD_BYTES = 256 * 1024
_COMMENTS = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:[ \t]*(?:%[^\n]*)?\r?\n)+")
_FEED = re.compile(
    r"(?is)(?:<\?xml[^>]*\?>|<\?xml-stylesheet[^>]*\?>|<!--.*?-->|<!DOCTYPE\s+rss[^>]*>|\s)*<(?:rss|feed|rdf:RDF)\b"
)
_FIELD = re.compile(r'"([A-Za-z_][\w-]{0,40})"\s*:')
_REFERENCES_IN_XML = re.compile(
    r"<(rdf:RDF)\b(?![^>]*purl\.org/rss/)|<xml>\s*<records>"
)  # RSS 1.0 is a feed
_ADDRESSED = re.compile(
    r"\s*(?:https?://|www\.|(?:doi:\s*)?10\.\d{4}|\w+\.(?:org|com|net)/|arxiv:)", re.IGNORECASE
)
_CSL = re.compile(rf'"type"\s*:\s*"(?:{"|".join(map(re.escape, CSL_TYPES))})"')


def kind_of(path: Path) -> Detected:
    """Return which source reads a file or folder, why, and which others could.

    Raises:
        SourceError: there is no such file, it cannot be read, or nothing in it can be collected.
    """
    if kind_at(path) == "folder":
        return _folder(path)
    with open_source(path) as stream:
        head = stream.read(HEAD_BYTES)
    if head.startswith(b"%PDF-"):
        return Detected("pdfs", "a PDF file")
    if head.startswith(SQLITE_MAGIC):
        return _sqlite(path)
    if head.startswith(b"PK"):
        return _zip(path)
    if head.startswith(LZ4_MAGIC):
        return Detected("bookmarks", "a packed backup of Firefox")
    if head.startswith(b"bplist") or b"<plist" in head[:1000]:
        return Detected("bookmarks", "Safari's Bookmarks.plist")
    encoding = utf16_of(head)
    text = head.decode(encoding or "utf-8", "replace").removeprefix("\ufeff").lstrip()
    if not text:
        return Detected("urls", "an empty file")
    if text[:1] in ("{", "[") and (found := _json(text)):
        return found
    if text.startswith("<") and (found_xml := _REFERENCES_IN_XML.search(text[:5000])):
        raise SourceError(
            f"{path} is {'RDF' if found_xml[1] else 'EndNote XML'}, which Studiolo does not read. "
            "Export the same library as RIS or BibTeX, and collect that file."
        )
    if _FEED.match(text):
        return Detected("feed", "a feed in RSS or Atom", ("urls",))
    if RIS_START.search(text) and not text.startswith("<"):
        return Detected("zotero", "references in RIS")
    if ENDNOTE_START.match(text):
        return Detected("zotero", "references in EndNote's tags")
    if path.suffix.lower() in (".bib", ".bibtex") or BIB_START.match(_COMMENTS.sub(b"", head)):
        return Detected("zotero", "references in BibTeX", ("urls",))
    if re.match(
        r"(?is)<!doctype netscape|<(?:!--.*?-->\s*<)?(?:html|!doctype html|meta|title|h1|dl|ul|dt)\b",
        text,
    ):
        return Detected("bookmarks", "bookmarks in HTML")
    line = first_line(head, encoding)
    columns = [" ".join(name.strip(' "').split()).casefold() for name in re.split(r"[,;\t]", line)]
    if {"id", "permalink"} <= set(columns):
        return Detected("reddit", "a table of Reddit's archive")
    if "item type" in columns and "publication year" in columns:
        return Detected("zotero", "Zotero's CSV", ("bookmarks",))
    if path.suffix.lower() not in MARKDOWN and looks_like_csv(line):
        names = [name for name in columns if column_of(name) in ("url", "doi", "arxiv")]
        return Detected("bookmarks", f"a CSV file with a column called {names[0]}", ("urls",))
    if path.suffix.lower() in MARKDOWN and (found := _markdown(head)):
        return found
    if b"\0" in head and not encoding:
        raise SourceError(
            f"{path} is not a file that can be collected: it is not text, and no export that Studiolo knows. "
            "What can be: studiolo collect --help"
        )
    return Detected("urls", "a text, of which every address, arXiv id and DOI is taken")


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _folder(path: Path) -> Detected:
    if (path / ".obsidian").is_dir():
        return Detected("notes", "a vault of Obsidian", ("table", "pdfs"))
    if (path / "logseq").is_dir():
        return Detected("notes", "a graph of Logseq", ("table", "pdfs"))
    if any(path.glob("metadata_*_to_*.json")):
        return Detected("bookmarks", "Omnivore's export, unpacked", ("notes",))
    pdfs = notes = 0
    for number, file in enumerate(path.rglob("*")):
        if number > 20_000:
            break
        suffix = file.suffix.lower()
        pdfs += suffix == ".pdf"
        notes += suffix in MARKDOWN
    if pdfs > notes:
        return Detected(
            "pdfs", f"a folder with {_many(pdfs, 'PDF file')}", ("notes",) if notes else ()
        )
    if notes:
        return Detected(
            "notes",
            f"a folder with {_many(notes, 'note')} in Markdown",
            ("table", "pdfs") if pdfs else ("table",),
        )
    raise SourceError(
        f"{path} holds neither notes in Markdown nor PDF files. Name the export inside it."
    )


def _sqlite(path: Path) -> Detected:
    try:
        with closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        ) as base:
            tables = {
                str(row[0])
                for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
    except sqlite3.Error as problem:
        raise SourceError(f"{path} is a damaged database: {problem}.") from problem
    if "moz_bookmarks" in tables:
        return Detected("bookmarks", "Firefox's places.sqlite")
    if tables & {"tags", "library", "user"}:
        return Detected("arxiv-sanity", "a library of arxiv-sanity")
    raise SourceError(
        f"{path} is a database, but neither Firefox's places.sqlite nor a library of arxiv-sanity: "
        f"its tables are {', '.join(sorted(tables)[:6]) or 'none'}."
    )


def _zip(path: Path) -> Detected:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [
                name.replace("\\", "/").rsplit("/", 1)[-1].lower() for name in archive.namelist()
            ]
    # NotImplementedError: a ZIP that needs a newer version of the format than zipfile reads
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as problem:
        raise SourceError(
            f"{path} cannot be unpacked: {problem}. Was the download cut short?"
        ) from problem
    if {"saved_posts.csv", "saved_comments.csv"} & set(names):
        return Detected("reddit", "Reddit's archive")
    if any(name.endswith(".json") for name in names):
        return Detected("bookmarks", "a ZIP of lists in JSON, as Omnivore writes it")
    raise SourceError(
        f"{path} is a ZIP of {_many(len(names), 'file')}, and none of them is an export that Studiolo knows. Unpack it, and name the file."
    )


def _json(text: str) -> Detected | None:
    names = set(_FIELD.findall(text))
    if {"kind", "data", "children"} <= names and "Listing" in text[:5000]:
        return Detected("reddit", "a listing of Reddit in JSON")
    if (
        "starred_at" in names
        or {"full_name", "stargazers_count"} <= names
        or {"repositories", "metadata"} <= names
    ):
        return Detected("github-stars", "stars of GitHub in JSON")
    if "jsonfeed.org/version" in text[:5000]:
        return Detected("feed", "a JSON Feed", ("urls",))
    if {"number", "title", "labels"} <= names or {"iid", "web_url", "labels"} <= names:
        return Detected("github-issues", "issues in JSON", ("urls",))
    if "itemType" in names or (
        _CSL.search(text) and names & {"DOI", "issued", "container-title", "author"}
    ):
        return Detected("zotero", "references in JSON")
    if names:
        service = next((one.name for one in SERVICES if names.issuperset(one.marks)), "")
        service = service or ("linkwarden" if {"collections", "links", "parentId"} <= names else "")
        of = f" of {service}" if service else ""
        return Detected("bookmarks", f"bookmarks{of} in JSON", ("urls",))
    return (
        Detected("bookmarks", "a list in JSON", ("urls",))
        if re.match(r'\[\s*"https?:', text)
        else None
    )


def _are_works(document: Document, works: int) -> bool:
    """Whether paragraphs are a list of works: one for each line with an address, and not addresses one below the other."""
    lines = [line for line in document.data.decode("utf-8", "replace").splitlines() if line.strip()]
    addressed = sum(bool(_ADDRESSED.search(line)) for line in lines)
    pasted = sum(bool(_ADDRESSED.match(line)) for line in lines)
    return works > 2 and works >= addressed and pasted * 2 < works


def _markdown(head: bytes) -> Detected | None:
    document = Document(head[: head.rfind(b"\n") + 1] if len(head) == HEAD_BYTES else head)
    kinds = [block.kind for block in document.item_blocks]
    rows, paragraphs = kinds.count("row"), kinds.count("paragraph")
    items = len(kinds) - rows - paragraphs
    if not rows and not items and _are_works(document, paragraphs):
        items = paragraphs
    if rows and not items:
        return Detected(
            "table", f"a Markdown file with a table of {_many(rows, 'row')}", ("notes", "urls")
        )
    if items:
        return Detected(
            "notes",
            f"a Markdown file with a list of {_many(items, 'item')}",
            ("table", "urls") if rows else ("urls",),
        )
    return None
