"""Several files that are written in one step: all of them or none, and how each is taken back."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from studiolo.errors import FileError, StaleEdit, StudioloError
from studiolo.files import load_bytes, remove_file, save_bytes

from .folder import Library
from .plan import Page, difference


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What was done to a file; what was written is known by its digest, so that the journal stays small.

    Attributes:
        name: the file as seen from the library.
        start: where the bytes that differ begin.
        old: what stood there.
        length: of what stands there now.
        before, after: SHA-256 of the file; empty where there was none, or is none now.
    """

    name: str
    start: int
    old: bytes
    length: int
    before: str
    after: str

    def to_record(self) -> list[Any]:
        """Return it as plain JSON values."""
        return [self.name, self.start, text_of(self.old), self.length, self.before, self.after]

    @classmethod
    def from_record(cls, record: Sequence[Any]) -> Rewritten:
        """Return what `to_record` wrote.

        Raises:
            TypeError, ValueError, AttributeError: the record is not one of ours.
        """
        name, start, old, length, before, after = record
        return cls(str(name), int(start), bytes_of(old), int(length), str(before), str(after))


def rewritten(library: Library, page: Page) -> Rewritten:
    """Return how to take back what is done to a page.

    Raises:
        FileError: it lies outside of the library.
    """
    if not library.holds(page.path):
        raise FileError(
            f"{page.path} lies outside of the library {library.folder}, so it is not written."
        )
    name = library.relative(page.path)
    library.inside(name)
    before, after = page.before or b"", page.after or b""
    edit = difference(before, after)
    return Rewritten(
        name,
        edit.start if edit else 0,
        edit.old if edit else b"",
        len(edit.new) if edit else 0,
        digest_of(before) if page.before is not None else "",
        digest_of(after) if page.after is not None else "",
    )


@contextmanager
def rewrite(pages: Iterable[Page]) -> Iterator[None]:
    """Write pages, and put them back as they were where one of them, or what is done within, fails.

    Raises:
        StaleEdit: one has changed since it was read.
        FileError: one cannot be written.
    """
    done: list[Page] = []
    try:
        for page in pages:
            _write(page)
            done.append(page)
        yield
    except StudioloError:
        for page in reversed(done):
            with contextlib.suppress(StudioloError):  # somebody else has written it since
                _write(Page(page.path, page.after, page.before))
        raise


def written_back(library: Library, pages: Iterable[Rewritten], what: str) -> list[Page]:
    """Return the pages as they were before a change; those of which nothing was written are left out.

    Raises:
        StaleEdit: one was edited since.
        FileError: the journal names a file outside of the library.
    """
    found: list[Page] = []
    for page in pages:
        path = library.inside(page.name)
        now = load_bytes(path)
        digest = digest_of(now) if now is not None else ""
        if digest == page.before:
            continue
        if digest != page.after:
            raise StaleEdit(
                f"{path} was edited since “{what}”, so that cannot be taken back. Nothing was changed: use your editor or git."
            )
        data = now or b""
        old = data[: page.start] + page.old + data[page.start + page.length :]
        found.append(Page(path, now, old if page.before else None))
    return found


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(data).hexdigest()


def text_of(data: bytes) -> str:
    """Return bytes as text of JSON, whatever they are."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return what `text_of` was given."""
    return text.encode("utf-8", "surrogateescape")


def _write(page: Page) -> None:
    if page.after is not None:
        save_bytes(page.path, page.after, page.before)
    elif page.before is not None:
        remove_file(page.path, page.before)
