"""Bookmarks of every browser and bookmarking service: looks at the first bytes and picks the parser."""

from __future__ import annotations

from pathlib import Path

from studiolo.errors import SourceError
from studiolo.files import kind_at

from .chrome import parse_chrome
from .columns import first_line, looks_like_csv, parse_columns
from .firefox import LZ4_MAGIC, SQLITE_MAGIC, load_places, parse_firefox_json, unpack_jsonlz4
from .guard import Counted, OnBytes, Recoded, open_source, parse_json, read_whole, utf16_of
from .netscape import parse_netscape
from .pinboard import parse_pinboard
from .safari import parse_safari
from .saved import Reading
from .services import load_omnivore, load_omnivore_folder, parse_posts, posts_of


def load_bookmarks(path: Path, on_bytes: OnBytes | None = None) -> Reading:
    """Yield what a bookmark file of any known kind holds.

    Raises:
        SourceError: the file is of no known kind, damaged or too large; says which, and how to export.
    """
    name = path.name
    if kind_at(path) == "folder":
        yield from load_omnivore_folder(path, on_bytes)
        return
    with open_source(path) as stream:
        head = stream.read(4096)
        if head.startswith(SQLITE_MAGIC):
            yield from load_places(path, name)
            return
        start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
        if encoding := utf16_of(head):
            start = head.decode(encoding, "replace").lstrip().lower().encode()
        if head.startswith(b"PK"):
            yield from load_omnivore(path, on_bytes)
            return
        if not start:
            return  # an empty file holds nothing, which is not a fault
        if head.startswith(LZ4_MAGIC):
            unpacked = unpack_jsonlz4(read_whole(path, on_bytes), name)
            yield from parse_firefox_json(parse_json(unpacked, name), name)
        elif head.startswith(b"bplist") or start.startswith(b"<?xml") or b"<plist" in start[:400]:
            yield from parse_safari(read_whole(path, on_bytes), name)
        elif start[:1] in (b"{", b"["):
            yield from _parse_json(read_whole(path, on_bytes), name)
        elif start[:1] == b"<" or b"<dt" in start or b"<a " in start:
            stream.seek(0)
            yield from parse_netscape(Counted(stream, on_bytes), name)
        elif looks_like_csv(first_line(head, encoding)):
            stream.seek(0)
            counted = Counted(stream, on_bytes)
            yield from parse_columns(Recoded(counted, encoding) if encoding else counted, name)
        else:
            raise SourceError(
                f"{path} is not a bookmark file that Studiolo knows: it starts with {head[:24]!r}. "
                "For a plain list of addresses use `studiolo collect urls`; how to export: `studiolo collect bookmarks --help`."
            )


def _parse_json(data: bytes, name: str) -> Reading:
    document = parse_json(data, name)
    if isinstance(document, dict) and "roots" in document:
        return parse_chrome(document, name)
    if isinstance(document, dict) and (
        "children" in document or "typeCode" in document or "dateAdded" in document
    ):
        return parse_firefox_json(document, name)
    if isinstance(document, list) and any(
        isinstance(post, dict) and "href" in post and "extended" in post for post in document[:20]
    ):
        return parse_pinboard(document, name)
    if found := posts_of(document):
        return parse_posts(found[0], name, found[1])
    raise SourceError(
        f"{name} is JSON, but neither Chrome's Bookmarks, nor a Firefox backup, nor a list of bookmarks of a service: "
        f"its fields are {', '.join(sorted(map(str, document))[:6]) if isinstance(document, dict) and document else 'none'}."
    )
