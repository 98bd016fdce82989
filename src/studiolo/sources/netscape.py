"""Netscape bookmark HTML: what Chrome, Edge, Firefox, Safari, Internet Explorer, Pinboard, Shaarli, linkding and Delicious export.

There is no grammar, only habits: `<DT>`, `<DD>` and `<p>` never close, a folder's name stands before the `<DL>` that it names,
its description between the two, Safari leaves the outer `<DL>` away, old files have no `<DL>` at all. So this reads tags in the
order in which they come and keeps a stack of folders. One megabyte is in memory at a time.

Format: https://learn.microsoft.com/en-us/previous-versions/windows/internet-explorer/ie-developer/platform-apis/aa753582(v=vs.85)
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from typing import BinaryIO

from .dates import iso
from .guard import WINDOWS, Counted, one_line, page_of
from .saved import Reading, SavedFolder, SavedItem, Skipped
from .states import state_of


CHUNK = 1024**2  # bytes read at a time; also how far ahead a tag may reach
NOTE_CHARS = 1024**2
MAX_DEPTH = 64

# Quotes count only after "=", so a stray apostrophe hides nothing; a quoted value ends at its quote but never reaches into
# the next bookmark; "<" ends a broken tag; every repeat is possessive, so that no input makes the engine step back.
_NEXT = r"<(?!/?(?:a|dt|dd|dl|h3)\b)"
_TAG = re.compile(
    r"<(?:!--|(/?[A-Za-z][A-Za-z0-9]*+)((?:[^<>=]++|=\s*+(?:"
    rf"\"[^\"<]*+(?:{_NEXT}[^\"<]*+)*+\"|'[^'<]*+(?:{_NEXT}[^'<]*+)*+')?+)*+)>)",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"([^\s=\"'/]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s]++)))?+")
# linkding writes quotes in tags as they are: TAGS="a,"b",c"
_LOOSE_QUOTE = re.compile(r"(?i)tags\s*=\s*\"[^\"]*\"[^\s/>]")
_LOOSE_TAGS = re.compile(r"(?i)\btags\s*=\s*\"(.*?)\"(?=\s+[a-z_-]+\s*=|\s*/?$)", re.DOTALL)
_KNOWN = frozenset(
    {
        "href",
        "add_date",
        "last_modified",
        "last_visit",
        "private",
        "toread",
        "time_added",
        "tags",
        "description",
    }
)
_BROKEN = re.compile(r"<(?:a|h3)\s", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)

_STRUCTURE = frozenset(
    {
        "dt",
        "dd",
        "dl",
        "/dl",
        "a",
        "/a",
        "h3",
        "/h3",
        "hr",
        "h1",
        "/h1",
        "ul",
        "ol",
        "title",
        "/html",
    }
)


def unescape(text: str) -> str:
    """Return text with its entities resolved, but only those closed by ';': `?a=1&copy=2` is an address, not a ©."""
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text) if "&" in text else text


def split_tags(text: str, *, firefox: bool) -> tuple[str, ...]:
    """Return the tags of a TAGS attribute.

    Commas separate where there is one. Else blanks do (Shaarli, old Delicious), except in Firefox's exports, which always
    write commas: there a lone `machine learning` is one tag.
    """
    parts = text.split(",") if "," in text or firefox else text.split()
    return tuple(dict.fromkeys(tag for part in parts if (tag := " ".join(part.split()))))


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        name = name.lower()
        if name not in {"icon", "icon_uri"} and name not in found:
            found[name] = unescape(double or single or bare.strip("\"'"))
    if "tags" in found and (at := text.upper().find("TAGS")) >= 0 and _LOOSE_QUOTE.match(text, at):
        whole = _LOOSE_TAGS.match(text, at)
        if whole is None:
            return found
        found = {name: value for name, value in found.items() if name in _KNOWN}
        found["tags"] = unescape(whole[1])
    return found


def _decoder(first: bytes) -> codecs.IncrementalDecoder:
    encoding = "utf-8-sig"
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif not first.startswith(codecs.BOM_UTF8) and (named := _CHARSET.search(first[:4096])):
        try:
            info = codecs.lookup(named[1].decode("ascii"))
        except LookupError:
            info = codecs.lookup("utf-8")
        if info.name != "utf-8" and info._is_text_encoding and not info.name.startswith("utf-16"):
            encoding = info.name
    return codecs.getincrementaldecoder(encoding)(WINDOWS if encoding == "utf-8-sig" else "replace")


def _tokens(stream: BinaryIO | Counted) -> Iterator[tuple[int, str, str, str]]:
    """Yield (line, text before the tag, tag name, its attributes); the last has no tag name, a broken link or folder has `!`."""
    chunk = stream.read(CHUNK)
    decoder = _decoder(chunk)
    buffer, at, line = "", 0, 1
    words: list[str] = []  # the text since the last tag
    room = NOTE_CHARS

    def keep(text: str) -> None:
        nonlocal room
        if room > 0 and text:
            words.append(text[:room])
            room -= len(text)

    def take() -> str:
        nonlocal room
        text = "".join(words)
        words.clear()
        room = NOTE_CHARS
        return text

    ended = in_comment = False
    while not ended:
        ended = not chunk
        buffer = buffer[at:] + decoder.decode(chunk, final=ended)
        at = 0
        # A tag is read only when a whole chunk follows it: a quoted value is then complete or too long to be one.
        safe = len(buffer) if ended else len(buffer) - CHUNK
        while at < safe:
            if in_comment:
                end = buffer.find("-->", at)
                in_comment = not 0 <= end < safe
                stop = safe if in_comment else end + 3
                line += buffer.count("\n", at, stop)
                at = stop
                continue
            start = buffer.find("<", at, safe)
            stop = safe if start < 0 else start
            piece = buffer[at:stop]
            line += piece.count("\n")
            keep(piece)
            at = stop
            if start < 0:
                break
            tag = _TAG.match(buffer, start)
            if tag is None:
                if _BROKEN.match(buffer, start):
                    yield line, take(), "!", ""
                keep("<")
                at = start + 1
                continue
            at = tag.end()
            if tag[1] is None:
                in_comment = True
                continue
            name = tag[1].lower()
            if name in _STRUCTURE:
                yield line, take(), name, tag[2]
            elif name in {"br", "/p"}:
                keep("\n")
            elif name != "p":
                keep(tag[0])  # somebody's words, not structure
            line += tag[0].count("\n")
        if not ended:
            chunk = stream.read(CHUNK)
    yield line, take(), "", ""


# markup that a page's title or a note may carry; any other tag is somebody's words: `Editing in a <textarea>`
_INLINE = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|cite|code|div|em|font|h[1-6]|i|img|iframe|kbd|li|mark|object|ol|p|pre|q|s|script|small|span|strike|strong|style|sub|svg|sup|tt|u|ul|wbr)"
    r"(?=[\s/>])[^<>]{0,2000}>",
    re.IGNORECASE,
)
_BREAK = re.compile(
    r"</?(?:p|br|div|li|blockquote|ul|ol|h[1-6]|pre)(?=[\s/>])[^<>]{0,200}>", re.IGNORECASE
)


def _title(text: str) -> str:
    """Return a title's words: markup left away, entities resolved, on one line."""
    return one_line(unescape(_INLINE.sub("", text) if "<" in text else text))


def words_of(text: str) -> str:
    """Return the words of a note in HTML, line by line: markup left away, entities resolved.

    >>> words_of("<p>first &amp; <b>last</b></p><p>then</p>")
    'first & last\\nthen'
    """
    if "<" in text:
        text = _INLINE.sub("", _BREAK.sub("\0", text))
        if "\0" in text:
            text = "\n".join(part for line in text.split("\0") if (part := line.strip()))
    return unescape(text).strip()


class _Folders:
    """The stack of open folders."""

    def __init__(self) -> None:
        self.stack: list[str | None] = []
        self.path: tuple[str, ...] = ()

    def open(self, name: str | None) -> None:
        self.stack.append(name if len(self.path) < MAX_DEPTH else None)
        self.path = tuple(name for name in self.stack if name) if name else self.path

    def close(self) -> None:
        if self.stack and self.stack.pop():
            self.path = self.path[:-1]


def parse_netscape(stream: BinaryIO | Counted, name: str, source: str = "bookmarks") -> Reading:
    """Yield every link and folder of a bookmark file; what is not a page is skipped with a reason.

    Args:
        stream: the file's bytes; UTF-8 unless a byte order mark or its META says otherwise.
        name: the file's name for places.
    """
    reader = _Reader(name, source)
    for line, text, tag, raw in _tokens(stream):
        if why := reader.text(text):
            yield Skipped(f"{name}:{line}", why)
        yield from reader.tag(line, tag, raw)


class _Reader:
    """What is open while the tags go by: folders, the header of one, a bookmark, a note."""

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source = name, source
        self.folders = _Folders()
        self.header: dict[str, str] | None = (
            None  # attributes of the H3 whose <DL> has not come yet
        )
        self.header_name = self.header_note = ""
        self.header_line = 0
        self.anchor: dict[str, str] | None = None
        self.anchor_line = 0
        self.title = self.note = ""
        self.inner: str | None = None  # the address of a link inside a note
        self.in_note = False
        self.section = self.heading = ""  # the <h1> above a plain list, as Pocket and Instapaper do
        self.where = (
            ""  # what the text before the next tag belongs to: "a", "h1", "h3", "dd" or nothing
        )

    def text(self, text: str) -> str:
        """Take the text before a tag; return what of it is too much, empty if nothing is."""
        too_much = ""
        if self.where == "a":
            self.title = _title(text)
        elif self.where == "h3":
            self.header_name = _title(text)
        elif self.where == "h1":
            self.heading = _title(text)
        elif self.where == "dd" and text:
            if self.inner is not None and self.inner not in text:
                text = f"{text} ({self.inner})"
            if self.header is not None:
                self.header_note += text
            else:
                self.note += text
            if len(self.header_note) + len(self.note) >= NOTE_CHARS:
                too_much = f"the rest of a note after {NOTE_CHARS:,} characters"
                self.header_note = self.header_note[:NOTE_CHARS]
                self.note = self.note[:NOTE_CHARS]
        self.where = ""
        return too_much

    def tag(self, line: int, tag: str, raw: str) -> Iterator[SavedItem | SavedFolder | Skipped]:
        """Take a tag; what it closes is complete."""
        if self._goes_on_with_note(tag, raw):
            self.where = "dd"
            return
        self.inner = None
        if tag in {"/a", "/h3", "/h1", "title"}:
            return
        if tag == "h1":
            self.where = "h1"
            return
        self.in_note = tag == "dd"
        if tag == "dd":
            self.where = "dd"
            return
        yield from self._bookmark()
        if tag in {"ul", "ol"} and self.heading:
            self.section, self.heading = self.heading, ""
        elif tag == "dl":
            self.section = ""
            self.folders.open(self.header_name or None)
            yield from self._folder(self.folders.path)
        elif tag in {"a", "h3"}:  # a folder without <DL>: nothing says what is inside
            yield from self._folder((*self.folders.path, self.header_name))
            if tag == "a":
                self.anchor, self.anchor_line, self.title, self.note = (
                    _attributes(raw),
                    line,
                    "",
                    "",
                )
            else:
                self.header, self.header_line = _attributes(raw), line
            self.where = tag
        elif tag == "/dl":
            self.folders.close()
        elif tag == "!":
            yield Skipped(f"{self.name}:{line}", "a bookmark or folder whose tag never ends")

    def _goes_on_with_note(self, tag: str, raw: str) -> bool:
        """Whether a tag stands inside a note: a link without a date, its end, or a list."""
        if tag == "a" and self.in_note and "add_date=" not in raw.lower():
            self.inner = _attributes(raw).get("href", "").strip()
            return True
        if tag in {"/a", "ul", "ol"} and self.in_note:
            self.note += "\n" if tag != "/a" and self.note else ""
            self.inner = None
            return True
        return False

    def _bookmark(self) -> Iterator[SavedItem | Skipped]:
        if self.anchor is not None:
            note, place = words_of(self.note), f"{self.name}:{self.anchor_line}"
            yield _item(
                self.anchor, self.title, note, self.folders.path, place, self.source, self.section
            )
            self.anchor = None

    def _folder(self, path: tuple[str, ...]) -> Iterator[SavedFolder]:
        if self.header is not None and self.header_name:
            added, modified = (
                iso(self.header.get("add_date")),
                iso(self.header.get("last_modified")),
            )
            note, place = words_of(self.header_note), f"{self.name}:{self.header_line}"
            yield SavedFolder(self.source, path, note, added, modified, place)
        self.header, self.header_name, self.header_note = None, "", ""


def _item(
    attributes: dict[str, str],
    title: str,
    note: str,
    path: tuple[str, ...],
    place: str,
    source: str,
    section: str,
) -> SavedItem | Skipped:
    url, why = page_of(attributes.pop("href", ""))
    if why:
        label = title or url[:60]
        return Skipped(place, f"{why}: {label}" if label else why)
    tags = split_tags(
        attributes.pop("tags", ""),
        firefox="last_modified" in attributes or "last_charset" in attributes,
    )
    added = attributes.pop("add_date", "") or attributes.pop("time_added", "")  # as Pocket calls it
    saved_at = iso(added)
    if added and not saved_at and added != "0":
        attributes["add_date"] = added
    for field in ("last_modified", "last_visit"):
        value = attributes.pop(field, "")
        if value and (moment := iso(value)):
            attributes[field] = moment
        elif value and value != "0":
            attributes[field] = value
    described = attributes.pop("description", "")  # Scuttle writes the note as an attribute
    state = state_of(section) if section else None
    if attributes.get("toread") in ("1", "yes", "true"):
        state = "to read"
    if section and state is None:
        path = (*path, section)
    return SavedItem(
        source=source,
        url=url,
        title=title,
        note=note or described.strip(),
        folder=path,
        tags=tags,
        saved_at=saved_at,
        extra={key[:100]: value[:10_000] for key, value in attributes.items() if value},
        place=place,
        state=state,
    )
