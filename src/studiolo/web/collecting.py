"""Collecting from the page: files that are dropped, text that is pasted, and the page that a bookmarklet sends."""

from __future__ import annotations

import io
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from studiolo.errors import StudioloError, UsageError
from studiolo.keys import find_key
from studiolo.library import Collected, Inbox, Library
from studiolo.sources import SOURCES, SavedItem, detect

from .room import go, page, room_of, says, sorry


LONGEST_NAME = 80  # letters of a file's name
WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Took:
    """What came of one file or text: how it was read and counted, or why it was not."""

    name: str
    how: str = ""
    counts: Collected | None = None
    why: str = ""


def show(request: Request) -> Response:
    """Show where to drop and paste."""
    return page(
        request, "collect.html.j2", took=[], sources=SOURCES, bookmarklet=_bookmarklet(request)
    )


def _bookmarklet(request: Request) -> str:
    """Return a bookmark that sends the page one is on here, where one confirms."""
    return (
        f"javascript:void(location.href='http://{request.url.netloc}/save?url='+encodeURIComponent(location.href)"
        "+'&title='+encodeURIComponent(document.title))"
    )


def collect(request: Request, form: FormData) -> Response:
    """Take in files and text; one that cannot be read does not keep the others away."""
    shelf = room_of(request).shelf
    took: list[Took] = []
    with shelf.writing:
        library = Library(shelf.folder)
        for value in form.getlist("files"):
            if isinstance(value, UploadFile) and value.filename:
                took.append(_file(library, value))
        text = form.get("text")
        if isinstance(text, str) and text.strip():
            took.append(_text(library, text))
    shelf.moment(fresh=True)
    return page(
        request, "collect.html.j2", took=took, sources=SOURCES, bookmarklet=_bookmarklet(request),
        why="" if took else "There was neither a file nor text.",
    )  # fmt: skip


def _file(library: Library, upload: UploadFile) -> Took:
    name = PurePath((upload.filename or "").replace("\\", "/")).name[-LONGEST_NAME:]
    safe = re.sub(r"[^\w.-]+", "-", name).lstrip(".-") or "file"
    with tempfile.TemporaryDirectory(prefix="studiolo-") as folder:
        path = Path(folder, safe)
        path.write_bytes(upload.file.read())
        try:
            found = detect(path)
            reading = SOURCES[found.source].load(path)
            counts = Inbox(library).collect(reading, source=found.source)
        except StudioloError as error:
            return Took(name, why=says(error).replace(str(path), name).replace(folder, ""))
    return Took(name, f"{found.why}, read as {found.source}", counts)


def _text(library: Library, text: str) -> Took:
    try:
        reading = SOURCES["urls"].fetch(io.BytesIO(text.encode("utf-8", "replace")), "pasted")
        return Took("what was pasted", "addresses, ids and BibTeX", Inbox(library).collect(reading, source="urls"))  # fmt: skip
    except StudioloError as error:
        return Took("what was pasted", why=says(error))


def ask_to_save(request: Request) -> Response:
    """Show what would be saved of the page that somebody came from; nothing is written."""
    url, title = request.query_params.get("url", ""), request.query_params.get("title", "")
    if not url.strip():
        return page(
            request, "collect.html.j2", took=[], sources=SOURCES, bookmarklet=_bookmarklet(request)
        )
    moment = room_of(request).shelf.moment()
    url = _web(url)
    key = find_key(url)
    places = {p: None for k in moment.sayings.keys(key) for p in moment.places.own.get(k, ())}
    listed = [(name, moment.document(name).entries[number]) for name, number in places]
    return page(
        request, "save.html.j2", moment=moment, url=url, title=_one_line(title), key=key, listed=listed,
        pending=moment.waiting.find(str(key)),
    )  # fmt: skip


def save(request: Request, form: FormData) -> Response:
    """Take the page into the inbox."""
    try:
        url = _web(str(form.get("url", "")))
        key = find_key(url)
    except UsageError as error:
        return sorry(request, 422, says(error))
    shelf = room_of(request).shelf
    note = str(form.get("note", "")).strip()
    item = SavedItem(
        "web", url, _one_line(str(form.get("title", ""))), note,
        saved_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )  # fmt: skip
    with shelf.writing:
        Inbox(Library(shelf.folder)).collect([item], source="web")
    moment = shelf.moment(fresh=True)
    pending = moment.waiting.find(str(key))
    return go("/change/add", key=pending.name) if pending else go(f"/paper/{key}")


def _web(url: str) -> str:
    url = url.strip()
    if not url.startswith(WEB) or len(url) > 2_000 or not url.isprintable():
        raise UsageError("Only the address of a web page can be saved here: http:// or https://.")
    return url


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]
