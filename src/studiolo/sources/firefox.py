"""Firefox: `bookmarkbackups/*.jsonlz4`, the JSON of "Backup…", and `places.sqlite`, also while Firefox runs."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from studiolo.errors import SourceError

from .dates import iso
from .guard import WHOLE_FILE_BYTES, one_line, page_of, text_of
from .netscape import MAX_DEPTH, split_tags
from .saved import Reading, SavedFolder, SavedItem, Skipped


LZ4_MAGIC = b"mozLz40\0"
SQLITE_MAGIC = b"SQLite format 3\0"
_BOOKMARK, _FOLDER, _SEPARATOR = 1, 2, 3
_ROOT_NAMES = {
    "menu________": "Bookmarks Menu",
    "toolbar_____": "Bookmarks Toolbar",
    "unfiled_____": "Other Bookmarks",
    "mobile______": "Mobile Bookmarks",
    "root________": "",
    "tags________": "",
}


def unpack_jsonlz4(data: bytes, name: str) -> bytes:
    """Return the JSON inside Mozilla's LZ4 file: 8 magic bytes, the size (uint32, little endian), one raw block.

    A block cannot grow more than 255-fold, so a size beyond that is refused before anything is unpacked.
    """
    import lz4.block  # here, so that other sources start without it

    if not data.startswith(LZ4_MAGIC) or len(data) < 12:
        raise SourceError(
            f"{name} does not start with mozLz40, so it is not a jsonlz4 file of Firefox."
        )
    size = int.from_bytes(data[8:12], "little")
    if size > WHOLE_FILE_BYTES or size > 255 * len(data):
        raise SourceError(
            f"{name} says that its {len(data):,} bytes unpack to {size:,}; that is not a backup of bookmarks. Nothing was unpacked."
        )
    try:
        unpacked: bytes = lz4.block.decompress(data[8:])
    except lz4.block.LZ4BlockError as problem:
        raise SourceError(
            f"{name} is damaged: {problem}. Use another file from bookmarkbackups/."
        ) from problem
    return unpacked


def parse_firefox_json(root: Any, name: str, source: str = "bookmarks") -> Reading:
    """Yield the links and folders of Firefox's JSON tree; dates are microseconds since 1970."""
    if not isinstance(root, Mapping) or not isinstance(root.get("children", []), list):
        raise SourceError(f"{name} is not a tree of Firefox bookmarks.")
    number = 0
    waiting: list[tuple[Any, tuple[str, ...]]] = [(root, ())]
    while waiting:
        node, path = waiting.pop()
        number += 1
        place = f"{name}, item {number}"
        if not isinstance(node, Mapping):
            yield Skipped(place, f"not a bookmark but {type(node).__name__}")
            continue
        title = one_line(text_of(node.get("title")))
        children = node.get("children")
        added, modified = iso(_number(node, "dateAdded")), iso(_number(node, "lastModified"))
        if isinstance(children, list) or node.get("typeCode") == _FOLDER:
            if guid := text_of(node.get("guid")):
                title = _ROOT_NAMES.get(guid, title)
            if title and len(path) < MAX_DEPTH:
                path = (*path, title)
                yield SavedFolder(source, path, _description(node), added, modified, place)
            if isinstance(children, list):
                waiting.extend((child, path) for child in reversed(children))
            continue
        url, why = page_of(text_of(node.get("uri"), 100_000))
        if not url and node.get("typeCode") != _BOOKMARK:
            continue  # a separator
        if why:
            yield Skipped(place, f"{why}: {title or url[:60]}")
            continue
        tags = split_tags(text_of(node.get("tags")), firefox=True)
        extra = {"last_modified": modified} if modified else {}
        for field in ("keyword", "postData"):
            if value := text_of(node.get(field), 1000):
                extra[field.lower()] = value
        yield SavedItem(
            source, url, title, _description(node), "", path, tags, added, "", (), extra, place
        )


def _number(node: Mapping[str, Any], field: str) -> int | None:
    value = node.get(field)
    return value if isinstance(value, int) else None


def _description(node: Mapping[str, Any]) -> str:
    notes = node.get("annos")
    for note in notes if isinstance(notes, list) else ():
        if isinstance(note, Mapping) and note.get("name") == "bookmarkProperties/description":
            return text_of(note.get("value")).strip()
    return ""


def load_places(path: Path, name: str, source: str = "bookmarks") -> Reading:
    """Yield the links and folders of `places.sqlite`, read from a copy so that a running Firefox is not disturbed.

    The write-ahead log is copied too: what was saved a minute ago stands there. Tags are folders below the root
    `tags________` whose children repeat the page, so they are joined to the page and not read as bookmarks.
    """
    with tempfile.TemporaryDirectory(prefix="studiolo-") as folder:
        copy = Path(folder) / "places.sqlite"
        try:
            shutil.copyfile(path, copy)
            wal = path.with_name(path.name + "-wal")
            if wal.exists():
                shutil.copyfile(wal, copy.with_name("places.sqlite-wal"))
        except OSError as problem:
            raise SourceError(
                f"{path} cannot be copied for reading: {problem.strerror}."
            ) from problem
        with closing(sqlite3.connect(copy)) as database:
            try:
                yield from _read_places(database, name, source)
            except (
                sqlite3.Error,
                UnicodeDecodeError,
            ) as problem:  # also of a damaged error message
                raise SourceError(
                    f"{path} cannot be read as Firefox's places.sqlite: {problem}."
                ) from problem


def _read_places(database: sqlite3.Connection, name: str, source: str) -> Reading:
    database.execute("PRAGMA trusted_schema = OFF")
    database.text_factory = lambda data: data.decode("utf-8", "replace")
    folders: dict[int, tuple[int, str, str]] = {}
    for number, parent, title, guid in database.execute(
        "SELECT id, parent, title, guid FROM moz_bookmarks WHERE type = ?", (_FOLDER,)
    ):
        label = _ROOT_NAMES.get(str(guid), one_line(str(title or "")))
        folders[number] = (parent or 0, label, str(guid))

    paths: dict[int, tuple[str, ...]] = {}
    tag_folders: dict[int, str] = {}
    for number, (parent, label, _) in folders.items():
        if folders.get(parent, (0, "", ""))[2] == "tags________":
            tag_folders[number] = label
        names: list[str] = []
        at, steps = number, 0
        while at in folders and steps < MAX_DEPTH:  # a damaged file may hold a circle
            if folders[at][1]:
                names.append(folders[at][1])
            at, steps = folders[at][0], steps + 1
        paths[number] = tuple(reversed(names))

    tags: dict[int, list[str]] = {}
    for page, parent in database.execute(
        "SELECT fk, parent FROM moz_bookmarks WHERE type = ?", (_BOOKMARK,)
    ):
        if parent in tag_folders:
            tags.setdefault(page, []).append(tag_folders[parent])

    columns = {row[1] for row in database.execute("PRAGMA table_info(moz_places)")}
    described = "p.description" if "description" in columns else "NULL"
    rows = database.execute(
        f"SELECT b.id, b.type, b.parent, b.title, b.dateAdded, b.lastModified, b.fk, p.url, p.title, {described}"
        " FROM moz_bookmarks b LEFT JOIN moz_places p ON p.id = b.fk ORDER BY b.parent, b.position"
    )
    for number, kind, parent, title, added, modified, page, url, page_title, about in rows:
        place = f"{name}, bookmark {number}"
        if kind == _FOLDER:
            if paths.get(number) and number not in tag_folders:
                yield SavedFolder(source, paths[number], "", iso(added), iso(modified), place)
            continue
        if kind == _SEPARATOR or parent in tag_folders:
            continue
        label = one_line(str(title or page_title or ""))
        address, why = page_of(str(url or ""))
        if why:
            yield Skipped(place, f"{why}: {label or str(url)[:60]}")
            continue
        yield SavedItem(
            source=source,
            url=address,
            title=label,
            about=str(about or "").strip(),
            folder=paths.get(parent, ()),
            tags=tuple(dict.fromkeys(tags.get(page, ()))),
            saved_at=iso(added),
            extra={"last_modified": moment} if (moment := iso(modified)) else {},
            place=place,
        )
