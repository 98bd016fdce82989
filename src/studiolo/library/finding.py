"""The library and its pools as rows of text, and the two indexes of them in `.studiolo/cache/find/`.

`library` holds what is on the lists, in the inbox and kept beside the lists; `pool` holds what was fetched to suggest from.
Each is built anew whenever something that it was made from has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import studiolo
from studiolo.errors import FileError, UsageError
from studiolo.keys import Key, address_of, find_key
from studiolo.lists import Block, Document, Entry, find_links, plain_with_links

from .facts import facts_path
from .folder import Library
from .inbox import inbox_path
from .pools import followed_lists, pool_rows, pool_stamp
from .reading import Kept, kept_path, load_kept, state_of, tags_of
from .vocabulary import load_vocabulary
from .waiting import Waiting, load_waiting


if TYPE_CHECKING:
    from studiolo.index import Found, Index, Row
    from studiolo.metadata import Facts


_ADDRESS = re.compile(r"https?://\S+")  # says nothing that its link's key does not
_ROWS = 2  # one more whenever `library_rows` makes other rows of the same files
_NO_PROSE = frozenset({"heading", "rule", "comment", "definition", "front"})


def library_rows(library: Library, can_run: Callable[[], Iterable[str]] = tuple) -> Iterator[Row]:
    """Yield the rows of everything that a reader may look for in the library, entries of lists first.

    A row has the tags that are written and all that mean the same. An entry is called by its key; where that was a row already, or there is none, by its place (`lists/a.md:12`).

    Args:
        can_run: returns the keys of papers whose claims can be run: `has:claims`. Asked only if rows are needed.
    """
    vocabulary = load_vocabulary(library)
    for row in _rows(library, can_run):
        yield replace(row, tags=vocabulary.all_alike(row.tags)) if row.tags else row


def _rows(library: Library, can_run: Callable[[], Iterable[str]]) -> Iterator[Row]:
    from studiolo.index import Row

    waiting = load_waiting(library)
    kept = load_kept(library.folder)
    runnable = frozenset(can_run())
    seen: set[str] = set()
    listed: set[Key] = set()
    for path, document in library.documents.items():
        name = library.relative(path)
        for entry in document.entries:
            row = entry_row(entry, name, waiting, kept, runnable)
            if row.key in seen:
                row = _renamed(row, row.place)
            seen.add(row.key)
            listed.update(entry.keys)
            yield row
        if (page := _page_row(document, name)) is not None:
            yield page
    yield from _inbox_rows(waiting)
    for key, one in kept.items():
        if key not in listed:  # it was on a list once
            yield Row(
                key=str(key), title=one.title, authors=one.authors, abstract=one.abstract, notes=" ".join(one.notes),
                state=one.state or "", source="reading", date=one.published or str(one.year or ""),
                place=".studiolo/reading.jsonl", url=one.url or _address(key),
            )  # fmt: skip


def _renamed(row: Row, key: str) -> Row:
    return replace(row, key=key)


def entry_row(
    entry: Entry,
    name: str,
    waiting: Waiting,
    kept: Mapping[Key, Kept],
    can_run: frozenset[str] = frozenset(),
) -> Row:
    """Return an entry as a row: what the list says, what the reader noted, and what services said.

    Args:
        name: of its list, as seen from the library.
    """
    from studiolo.index import Row

    works = [key for own in entry.keys for key in (own, *sorted(waiting.works.keys(own)))]
    own = [key for key in works if entry.key in waiting.works.keys(key)] if entry.key else []
    known = _known(own, waiting.facts)
    beside = [kept[key] for key in dict.fromkeys(works) if key in kept]
    questions = [q.text + (f" {q.answer}" if q.answer else "") for q in entry.questions]
    notes = [_ADDRESS.sub("", note.text).rstrip(" :") for note in entry.notes]
    notes += [text for one in beside for text in one.notes]
    return Row(
        key=str(entry.key) if entry.key else f"{name}:{entry.line}",
        title=_titled(entry.name, entry.title or known.title, known.title),
        authors=known.authors or entry.authors,
        abstract=known.abstract or next((one.abstract for one in beside if one.abstract), ""),
        notes=" · ".join(dict.fromkeys(filter(None, [*notes, *questions]))),
        section=entry.section,
        list=name,
        tags=tags_of(entry, kept),
        state=state_of(entry, kept)[0] or "",
        source="list",
        has=tuple(things_of(entry, frozenset(map(str, works)) & can_run)),
        keys=tuple(map(str, dict.fromkeys((*works, *entry.mentioned)))),
        categories=known.categories,
        date=known.published or str(known.year or entry.year or "") or (entry.key.month if entry.key else ""),
        place=f"{name}:{entry.line}",
        url=next((link.url.strip() for link in entry.links if link.mention), "") or (_address(entry.key) if entry.key else ""),
    )  # fmt: skip


def _titled(name: str | None, title: str, known: str) -> str:
    """Return a title with the entry's short name before it; where the list has no title of its own, the known one."""
    if "://" in title and known:
        title = known
    return f"{name}: {title}" if name and not title.startswith(name) else title


def _known(keys: Iterable[Key], facts: Mapping[Key, Facts]) -> Facts:
    """Return what services say of the first of several keys that they say most of."""
    from studiolo.metadata import Facts

    found = [facts[key] for key in dict.fromkeys(keys) if key in facts]
    return max(found, key=lambda known: bool(known.abstract), default=Facts(Key("url", "")))


def things_of(entry: Entry, can_run: frozenset[str]) -> Iterator[str]:
    """Yield what hangs on an entry: `question`, `code`, `talk`, and `claims` where any of `can_run` is there."""
    kinds = {key.kind for key in entry.keys}
    if entry.questions:
        yield "question"
    if "github" in kinds:
        yield "code"
    if "youtube" in kinds:
        yield "talk"
    if can_run:
        yield "claims"


def _page_row(document: Document, name: str) -> Row | None:
    """Return what a page says outside of its entries, or None where that is nothing but headings."""
    from studiolo.index import Row

    at = [entry.span[0] for entry in document.entries]
    text = " ".join(filter(None, (_prose(document, block, at) for block in document.blocks)))
    if not text and not document.tags:
        return None
    return Row(
        key=name, title=title_of_page(document, name), notes=text, section=tuple(h.text for h in document.headings[1:]), list=name,
        tags=document.tags, source="topic" if name.startswith("topics/") else "page", place=f"{name}:1",
    )  # fmt: skip


def title_of_page(document: Document, name: str) -> str:
    """Return what to call a list or page: its first heading where that is a title, else its file."""
    first = next((one.text.strip() for one in document.headings if one.level == 1), "")
    return first if first and "://" not in first else Path(name).stem


def _prose(document: Document, block: Block, entries: list[int]) -> str:
    following = bisect_left(entries, block.start)
    has_entry = following < len(entries) and entries[following] < block.end
    if has_entry or block.kind in _NO_PROSE:
        return ""
    data = document.data[block.start : block.end]
    return " ".join(_ADDRESS.sub("", plain_with_links(data, find_links(data, {}))).split())


def _inbox_rows(waiting: Waiting) -> Iterator[Row]:
    from studiolo.index import Row
    from studiolo.metadata import Facts

    for pending in waiting.pending:
        known = waiting.facts.get(pending.key) if pending.key else None
        known = known or Facts(Key("url", ""))
        yield Row(
            key=pending.name,
            title=pending.title,
            authors=known.authors,
            abstract=known.abstract or " ".join(dict.fromkeys(item.about for item in pending.items if item.about)),
            notes=" · ".join(" ".join(note.split()) for note in pending.notes),
            section=tuple(pending.folders),
            tags=pending.tags,
            state="inbox",
            source=" ".join(pending.sources),
            has=("code",) if any("github.com/" in item.url for item in pending.items) else (),
            keys=tuple(map(str, (*pending.keys, *pending.others))),
            categories=known.categories,
            date=known.published or str(known.year or ""),
            place="inbox",
            url=_address(pending.key) if pending.key else pending.items[0].url,
        )  # fmt: skip


def _address(key: Key) -> str:
    address = address_of(key)
    return address if "://" in address else f"https://{address}" if key.kind == "url" else ""


# the indexes


@contextlib.contextmanager
def library_index(
    library: Library,
    can_run: Callable[[], Iterable[str]] = tuple,
    says: list[str] | None = None,
) -> Iterator[Index]:
    """Give the index of the library as it is at this moment; sentences for the reader are added to `says`."""
    with _opened(
        library,
        "library",
        lambda: library_rows(library, can_run),
        lambda: _stamp_of_library(library),
        says,
    ) as index:
        yield index


@dataclass(frozen=True, slots=True)
class Pool:
    """What there is to suggest from: the index, and the keys of each list that the reader follows."""

    index: Index
    lists: Mapping[str, frozenset[str]]


@contextlib.contextmanager
def open_pool(library: Library, says: list[str] | None = None) -> Iterator[Pool | None]:
    """Give the pools and followed lists of the library, or None where there is nothing in them."""
    if next(pool_rows(library), None) is None:
        yield None
        return
    with _opened(
        library, "pool", lambda: pool_rows(library), lambda: pool_stamp(library), says
    ) as index:
        yield Pool(index, followed_lists(library))


@contextlib.contextmanager
def _opened(
    library: Library,
    name: str,
    rows: Callable[[], Iterable[Row]],
    stamp: Callable[[], str],
    says: list[str] | None,
) -> Iterator[Index]:
    from studiolo.index import Index, load_or_build

    try:
        if not library.may_keep:
            raise FileError(f"{library.folder} is not a library.")
        library.prepare()
        index, sentence = load_or_build(library.cache / "find" / name, rows, stamp=stamp())
    except FileError:  # a library to read only: the index goes when the command ends
        index, sentence = Index.build(rows()), ""
    if says is not None and sentence:
        says.append(sentence)
    with index:
        yield index


def _stamp_of_library(library: Library) -> str:
    """Return what the library's rows are made of: the bytes of its lists, so that no edit is missed, and its own files."""
    stamp = hashlib.sha256(f"{studiolo.__version__} {_ROWS}".encode())
    state = [library.state / name for name in ("triage.jsonl", "edges.jsonl", "tags.toml")]
    state += [inbox_path(library), facts_path(library), kept_path(library.folder)]
    for path in (*state, *sorted((library.folder / "papers").glob("*/paper.toml"))):
        with contextlib.suppress(FileNotFoundError):
            about = path.stat()
            stamp.update(
                f"{path.name}/{about.st_size}/{about.st_mtime_ns}/{about.st_ino}\0".encode()
            )
    for path in library.list_paths():
        stamp.update(f"{library.relative(path)}\0".encode("utf-8", "surrogateescape"))
        with contextlib.suppress(OSError):  # it is said where the list is read
            stamp.update(hashlib.sha256(path.read_bytes()).digest())
    return stamp.hexdigest()


def find(
    library: Library, query: str, *, limit: int = 20, can_run: Callable[[], Iterable[str]] = tuple
) -> tuple[Found, list[str]]:
    """Return what is found in the library as it is at this moment, and sentences for the reader.

    Args:
        query: see `Index.search`.
        can_run: returns the keys of papers whose claims can be run.

    Raises:
        UsageError: a field has no value, or `year:` is not followed by a year.
    """
    says: list[str] = []
    with library_index(library, can_run, says) as index:
        found = find_in(index, query, limit)
    return found, [*says, *found.says]


def find_in(index: Index, query: str, limit: int) -> Found:
    """Search the index of a library. An address, id or key finds what has it, in whatever spelling; matches are marked.

    Raises:
        UsageError: as `find`.
    """
    named: list[Key] = []

    def field_of(word: re.Match[str]) -> str:
        try:
            key = find_key(word[0])
        except UsageError:
            return word[0]
        named.append(key)
        return f'key:"{key}"'

    # words in quotes, left out, or in fields stay as they are
    found = index.search(_MAY_NAME.sub(field_of, query), limit=limit)
    if named and not found.hits:
        found = index.search(query, limit=limit)
        if not found.hits:
            says = f"Nothing here has {named[0]}. To put it on a list: studiolo add {named[0]}"
            found = replace(found, says=(says,))
    return found.with_marks()


_MAY_NAME = re.compile(r"""(?<!\S)(?=\S*[/:.])[^\s"'-][^\s"]*(?!\S)""")
