"""Reddit's saved posts and comments: the data-request archive, a saved listing, and praw for people who hold a key.

The archive (a flat ZIP of CSV files) holds `id,permalink` and nothing else: no title, date or target. The title is read from
the permalink's slug. A listing is the body of `GET /user/NAME/saved?raw_json=1`, saved from the browser or by another tool.
Since November 2025 Reddit gives out no keys to new personal scripts, so the archive is the way for nearly everybody.
"""

from __future__ import annotations

import csv
import importlib
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import unquote

from studiolo.errors import SourceError, UsageError

from .dates import iso
from .guard import (
    WINDOWS,
    Counted,
    OnBytes,
    bounded_lines,
    one_line,
    open_source,
    parse_json,
    read_whole,
    text_of,
)
from .saved import Reading, SavedItem, SavedLink, Skipped


SOURCE = "reddit"
CSV_BYTES = 64 * 1024**2  # unpacked; a million saved posts are about 100 bytes each
_POST = re.compile(
    r"/comments/([a-z0-9]{1,13})(?:/([^/?#]*))?(?:/([a-z0-9]{1,13}))?", re.IGNORECASE
)
_SAVED = {"saved_posts.csv": "t3", "saved_comments.csv": "t1"}


def load_reddit(path: Path, on_bytes: OnBytes | None = None) -> Reading:
    """Yield the saved things of a ZIP, a CSV of it, or a listing in JSON."""
    name = path.name
    with open_source(path) as stream:
        head = stream.read(2048)
        stream.seek(0)
        if head.startswith(b"PK"):
            yield from _read_zip(path, name, on_bytes)
        elif head.lstrip()[:1] in (b"{", b"["):
            yield from parse_listing(parse_json(read_whole(path, on_bytes), name), name)
        else:
            kind = "t1" if "comment" in name.lower() else "t3"
            yield from parse_csv(Counted(stream, on_bytes), name, kind)


def _read_zip(path: Path, name: str, on_bytes: OnBytes | None) -> Reading:
    """Read two members by name; nothing is unpacked to disk, so no member's path matters."""
    found = 0
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                file_name = PurePosixPath(member.filename.replace("\\", "/")).name.lower()
                if file_name not in _SAVED:
                    continue
                found += 1
                if member.file_size > CSV_BYTES:
                    raise SourceError(
                        f"{name}: {file_name} says that it unpacks to {member.file_size:,} bytes, more than {CSV_BYTES:,}. "
                        "That is not a list of saved posts."
                    )
                if member.flag_bits & 1:
                    raise SourceError(f"{name} is encrypted. Unpack it and give saved_posts.csv.")
                with archive.open(member) as stream:
                    yield from parse_csv(
                        _Capped(stream, f"{name}: {file_name}"),
                        f"{name}/{file_name}",
                        _SAVED[file_name],
                    )
            if on_bytes:
                on_bytes(path.stat().st_size)
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,  # what zipfile raises for a compression it does not know
        EOFError,
        OSError,
        ValueError,  # a member's name; a directory that points outside of the file
        zlib.error,
        lzma.LZMAError,
    ) as problem:
        raise SourceError(
            f"{name} cannot be unpacked: {problem}. Was the download cut short?"
        ) from problem
    if not found:
        raise SourceError(
            f"{name} holds neither saved_posts.csv nor saved_comments.csv, so it is not Reddit's archive."
        )


class _Capped:
    """A stream that refuses to give more than `CSV_BYTES`, whatever the archive's directory said."""

    def __init__(self, stream: Any, name: str) -> None:
        self._stream = stream
        self._name = name
        self._left = CSV_BYTES

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._stream.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise SourceError(
                f"{self._name} unpacks to more than {CSV_BYTES:,} bytes. That is not a list of saved posts."
            )
        return line


def parse_csv(stream: BinaryIO | Counted | _Capped, name: str, kind: str) -> Reading:
    """Yield the rows of `id,permalink`; `kind` is t3 for posts and t1 for comments."""
    header: list[str] | None = None
    for number, line in bounded_lines(stream, 65_536):  # type: ignore[arg-type]
        place = f"{name}:{number}"
        if line is None:
            yield Skipped(place, "a line longer than 65,536 bytes")
            continue
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", WINDOWS).strip("\r\n")
        if not text.strip():
            continue
        try:
            row = next(csv.reader(io.StringIO(text.replace("\0", ""))))
        except (csv.Error, StopIteration) as problem:
            yield Skipped(place, f"not a row of CSV ({problem})")
            continue
        if header is None:
            header = [cell.strip().lower() for cell in row]
            if "permalink" not in header:
                raise SourceError(
                    f"{place}: the first line has no column `permalink` (it has {', '.join(header)[:80]}), so this is not "
                    "saved_posts.csv or saved_comments.csv."
                )
            continue
        cells = dict(zip(header, row, strict=False))
        yield _from_permalink(
            cells.get("permalink", "").strip(), cells.get("id", "").strip(), kind, place
        )


def _from_permalink(permalink: str, given: str, kind: str, place: str) -> SavedItem | Skipped:
    found = _POST.search(permalink)
    if found is None:
        return Skipped(place, f"no permalink of a post: {permalink[:80] or 'nothing'}")
    post, slug, comment = found[1].lower(), found[2] or "", (found[3] or "").lower()
    number = given.lower() or (comment if kind == "t1" else post)
    if not re.fullmatch(r"[a-z0-9]{1,13}", number):
        return Skipped(place, f"no id of a post: {given[:40]}")
    words = one_line(re.sub(r"[_-]+", " ", unquote(slug)))
    community = re.search(r"/r/([A-Za-z0-9_]{1,30})/", permalink)
    if community and community[1].casefold() == "machinelearning" and re.match(r"[rdpn] ", words):
        words = f"[{words[0].upper()}] {words[2:]}"  # its posts begin with [R], [D], [P] or [N]
    title = f"{words[:1].upper()}{words[1:]}"
    address = _absolute(permalink)
    links = (SavedLink("post", f"https://www.reddit.com/comments/{post}"),) if kind == "t1" else ()
    return SavedItem(
        source=SOURCE,
        url=address,
        title=f"Comment on: {title}" if kind == "t1" and title else title,
        folder=(f"r/{community[1]}",) if community else (),
        native=f"{kind}_{number}",
        links=links,
        place=place,
    )


def _absolute(address: str) -> str:
    """Return an address of Reddit with its host, which listings leave away."""
    return address if "://" in address else f"https://www.reddit.com/{address.lstrip('/')}"


def parse_listing(document: Any, name: str) -> Reading:
    """Yield the children of a listing, or of a list of listings; posts are t3 and comments t1."""
    listings = document if isinstance(document, list) else [document]
    number = 0
    for listing in listings:
        data = listing.get("data") if isinstance(listing, Mapping) else None
        children = data.get("children") if isinstance(data, Mapping) else None
        if not isinstance(children, list):
            raise SourceError(f"{name} is JSON, but not a listing of Reddit (no data.children).")
        for child in children:
            number += 1
            place = f"{name}, item {number}"
            thing = child.get("data") if isinstance(child, Mapping) else None
            kind = child.get("kind") if isinstance(child, Mapping) else None
            if kind not in ("t1", "t3") or not isinstance(thing, Mapping):
                yield Skipped(
                    place, f"neither a post nor a comment but {kind or type(child).__name__}"
                )
            else:
                yield _from_thing(thing, str(kind), place)


def _from_thing(thing: Mapping[str, Any], kind: str, place: str) -> SavedItem | Skipped:
    def field(name: str) -> str:
        """Return a field's text; without `raw_json=1` Reddit writes &, < and > as entities."""
        text = text_of(thing.get(name))
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

    number = field("id").lower()
    if not re.fullmatch(r"[a-z0-9]{1,13}", number):
        return Skipped(place, f"no id of a post: {number[:40]}")
    post = field("link_id").lower().removeprefix("t3_") if kind == "t1" else number
    permalink = field("permalink")
    if permalink:
        address = _absolute(permalink)
    else:  # comments of 2016 have none
        address = f"https://www.reddit.com/comments/{post}" + (
            f"/_/{number}" if kind == "t1" else ""
        )
    target = (
        field("url") if kind == "t3" and thing.get("is_self") is not True else field("link_url")
    )
    body = field("selftext" if kind == "t3" else "body").strip()
    links = []
    if target and not _POST.search(target):
        links.append(SavedLink("target", _absolute(target)))
    if kind == "t1" and post:
        links.append(SavedLink("post", f"https://www.reddit.com/comments/{post}"))
    title = one_line(field("title") or field("link_title"))
    created = thing.get("created_utc")
    community = one_line(field("subreddit"), 60)
    extra = {"author": author} if (author := one_line(field("author"), 100)) else {}
    return SavedItem(
        source=SOURCE,
        url=address,
        title=f"Comment on: {title}" if kind == "t1" and title else title,
        about=body,
        folder=(f"r/{community}",) if community else (),
        saved_at=iso(created) if isinstance(created, int | float) else None,
        native=f"{kind}_{number}",
        links=tuple(dict.fromkeys(links)),
        extra={
            **extra,
            "date_of": "post",
        },  # Reddit tells when it was written, never when it was saved
        place=place,
    )


def fetch_with_praw(section: str, praw: Any = None) -> Iterator[SavedItem | Skipped]:
    """Yield the saved things of the account in `praw.ini`'s section; at most 1,000, which is Reddit's own limit.

    Args:
        praw: the module, for tests; imported where None.

    Raises:
        UsageError: praw is not installed.
    """
    if praw is None:
        try:
            praw = importlib.import_module("praw")
        except ImportError:
            raise UsageError(
                "praw is not installed: `pip install praw`, and a Reddit API key is needed too."
            ) from None
    things: Iterable[Any] = praw.Reddit(section).user.me().saved(limit=None)
    for number, thing in enumerate(things, 1):
        fields = {name: _plain(getattr(thing, name, None)) for name in _PRAW_FIELDS}
        kind = "t3" if fields["title"] else "t1"
        yield _from_thing(fields, kind, f"reddit.com, item {number}")


_PRAW_FIELDS = (
    *(
        "id",
        "title",
        "permalink",
        "url",
        "is_self",
        "selftext",
        "subreddit",
        "created_utc",
        "author",
    ),
    *("link_id", "link_title", "link_url", "body"),
)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else str(value)
