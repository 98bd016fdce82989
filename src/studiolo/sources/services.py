"""JSON of read-later and bookmarking services: one row of names each, and a reading of any other list of addresses.

A service is known by the fields that only it writes. What no row knows is read by the usual names (`url`, `title`, `tags`, …), so
that a new version, or a service that nobody has told us of, loses nothing.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from studiolo.errors import SourceError
from studiolo.keys import address_of, make_key
from studiolo.lists import State, find_links

from .dates import iso
from .guard import OnBytes, one_line, page_of, parse_json, read_whole, text_of
from .netscape import words_of
from .saved import Reading, SavedItem, Skipped
from .states import state_of, state_of_progress


ZIP_BYTES = 256 * 1024**2  # unpacked


@dataclass(frozen=True, slots=True)
class Service:
    """How a service calls things.

    Attributes:
        name: of the service.
        marks: fields that its items have and others have not.
        title, note, about, saved, tags: the names of fields, the first that says something is taken; `a.b` goes inside.
        archived, unread, progress: fields that say whether it was read.
    """

    name: str
    marks: tuple[str, ...]
    url: tuple[str, ...] = (
        "url",
        "href",
        "link",
        "uri",
        "content.url",
        "source_url",
        "given_url",
        "resolved_url",
        "address",
    )
    title: tuple[str, ...] = (
        "title",
        "name",
        "content.title",
        "resolved_title",
        "given_title",
        "website_title",
    )
    note: tuple[str, ...] = ("note", "notes", "comment", "annotation")
    about: tuple[str, ...] = (
        "description",
        "excerpt",
        "summary",
        "abstract",
        "content.description",
        "website_description",
    )
    saved: tuple[str, ...] = (
        "savedAt",
        "saved_at",
        "created_at",
        "createdAt",
        "date_added",
        "time_added",
        "created",
        "date",
        "time",
        "dateAdded",
        "timestamp",
    )
    tags: tuple[str, ...] = ("tags", "labels", "tag_names", "document_tags")
    archived: tuple[str, ...] = ("is_archived", "archived", "isArchived")
    unread: tuple[str, ...] = ("unread", "toread", "to_read")
    progress: tuple[str, ...] = ("readingProgress", "reading_progress", "readingProgressPercent")
    read: tuple[str, ...] = ("archived_at", "read_at", "readAt", "finished_at", "completed_at")


GENERAL = Service("a list of bookmarks", ())
SERVICES = (
    Service("wallabag", ("is_archived", "is_starred", "domain_name")),
    Service("karakeep", ("createdAt", "content", "archived")),
    Service("Omnivore", ("slug", "savedAt", "state")),
    Service("linkding", ("tag_names", "unread")),
    Service("Raindrop", ("link", "excerpt", "collection"), title=("title",)),
    Service("Readwise Reader", ("source_url", "category", "location"), url=("source_url", "url")),
    Service("Pocket", ("resolved_id", "item_id")),
)
_STATEFUL = {"wallabag", "karakeep", "Omnivore", "Readwise Reader", "Pocket"}


def service_of(post: Mapping[str, Any]) -> Service:
    """Return the service that an item looks like, `GENERAL` where it is none that we know."""
    return next((one for one in SERVICES if all(mark in post for mark in one.marks)), GENERAL)


def posts_of(document: Any) -> tuple[Sequence[Any], Mapping[int, tuple[str, ...]]] | None:
    """Return the items of a document and the folders of those that lie in one, by their place; None if it holds no list of items."""
    if isinstance(document, Mapping) and isinstance(document.get("collections"), list):
        return _linkwarden(document["collections"])
    if isinstance(document, Mapping):
        for name in (
            "bookmarks",
            "results",
            "items",
            "links",
            "articles",
            "list",
            "data",
            "_embedded",
            "response",
        ):
            inner = document.get(name)
            if isinstance(inner, Mapping) and name == "list":  # Pocket's API: by id
                inner = list(inner.values())
            if isinstance(inner, Mapping) and (found := posts_of(inner)):
                return found
            if (
                isinstance(inner, list)
                and inner
                and any(isinstance(one, Mapping) for one in inner[:20])
            ):
                return inner, {}
        return None
    return (document, {}) if isinstance(document, list) else None


def _linkwarden(collections: Sequence[Any]) -> tuple[list[Any], dict[int, tuple[str, ...]]] | None:
    """Return the links of collections, which name their parents by number."""
    named = {one.get("id"): one for one in collections if isinstance(one, Mapping)}
    posts: list[Any] = []
    folders: dict[int, tuple[str, ...]] = {}
    for one in named.values():
        if not isinstance(one.get("links"), list):
            continue
        path: list[str] = []
        above: Any = one
        while isinstance(above, Mapping) and len(path) < 32:
            path.insert(0, one_line(text_of(above.get("name")), 300))
            above = named.get(above.get("parentId")) if above.get("parentId") is not None else None
        for link in one["links"]:
            folders[len(posts)] = tuple(name for name in path if name)
            posts.append(link)
    return (
        (posts, folders)
        if any(isinstance(one.get("links"), list) for one in named.values())
        else None
    )


def parse_posts(
    posts: Sequence[Any],
    name: str,
    folders: Mapping[int, tuple[str, ...]] | None = None,
    source: str = "bookmarks",
) -> Reading:
    """Yield the items of a list of objects, each with every field that says something."""
    for number, post in enumerate(posts, 1):
        place = f"{name}, item {number}"
        if isinstance(post, str):
            post = {"url": post}
        if not isinstance(post, Mapping):
            yield Skipped(place, f"not a bookmark but {type(post).__name__}")
            continue
        yield _post(post, place, (folders or {}).get(number - 1, ()), source)


def _post(
    post: Mapping[str, Any], place: str, folder: tuple[str, ...], source: str
) -> SavedItem | Skipped:
    service = service_of(post)
    used: set[str] = set()

    def first(names: tuple[str, ...], limit: int = 1_000_000) -> str:
        for name in names:
            if text := text_of(_at(post, name), limit).strip():
                used.add(name.partition(".")[0])
                return text
        return ""

    url, why = page_of(first(service.url, 100_000))
    title = one_line(first(service.title))
    text = text_of(_at(post, "content.text"), 100_000)
    if why and (found := _in_content(text, text_of(_at(post, "content.fileName")))):
        url, why = found, None
    if why:
        kind = text_of(_at(post, "content.type"))
        why = f"a note without an address ({kind})" if kind in ("text", "asset") else why
        label = title or one_line(text, 60)
        return Skipped(place, f"{why}: {label}" if label else why)
    saved, read = first(service.saved), first(service.read)
    notes = [
        words_of(first(service.note)),
        "" if text.strip() == url else text,
        *_annotations(post),
    ]
    used |= {"annotations", "highlights", "content"}
    tags = _tags(next((post[name] for name in service.tags if post.get(name)), ()))
    used |= set(service.tags)
    folder, about = folder or _folder(post), words_of(first(service.about))
    extra = {
        str(field)[:100].lower(): value
        for field, given in post.items()
        if field not in used
        and field not in _NOISE
        and (value := text_of(given, 10_000).strip())
        and value not in ("0", "false", "False")
    }
    return SavedItem(
        source=source,
        url=url,
        title="" if title == url else title,
        note="\n".join(note for note in notes if note),
        about=about,
        folder=folder,
        tags=tags,
        saved_at=iso(saved),
        extra=extra | ({"date": saved} if saved and not iso(saved) else {}),
        place=place,
        authors=_people(post),
        state=_state(post, service),
        read_at=iso(read),
    )


def _in_content(text: str, file: str) -> str:
    """Return the first address in a note of a service, or that of a file that is named by an arXiv id; else ''."""
    for piece in find_links(text.encode("utf-8", "replace"), {}):
        if piece.url.startswith("http"):
            return piece.url
    arxiv = make_key("arxiv", re.sub(r"(?i)(?:v\d+)?\.pdf$", "", file.strip()))
    return address_of(arxiv) if arxiv else ""


# what a service keeps for itself
_NOISE = frozenset({
    "id", "_id", "user_id", "user_name", "user_email", "uid", "hashed_url", "hashed_given_url", "mimetype", "language", "reading_time",
    "domain_name", "preview_picture", "thumbnail", "image", "image_url", "favicon", "favicon_url", "preview_image_url", "slug", "is_public",
    "html", "textContent", "text_content", "updated_at", "updatedAt", "http_status", "headers", "word_count", "collectionId", "sort_id",
})  # fmt: skip


def _at(post: Mapping[str, Any], name: str) -> Any:
    value: Any = post
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _folder(post: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the collection or the lists that an item says it is in."""
    for name in ("collection", "folder", "lists"):
        value = post.get(name)
        values = value if isinstance(value, list) else [value]
        names = [
            one_line(
                text_of(one.get("title") or one.get("name"))
                if isinstance(one, Mapping)
                else text_of(one),
                300,
            )
            for one in values
        ]
        if any(names):
            return tuple(part for text in names if text for part in text.split("/") if part)
    return ()


def _tags(value: Any) -> tuple[str, ...]:
    """Return tags however they are written: words, objects with a name or label, an object of tags, or one text."""
    if isinstance(value, str):
        parts: Sequence[Any] = value.split(",") if "," in value else value.split()
    elif isinstance(value, Mapping):
        parts = list(value)
    else:
        parts = value if isinstance(value, list) else []
    texts = (
        text_of(one.get("name") or one.get("label") or one.get("title") or one.get("tag"))
        if isinstance(one, Mapping)
        else text_of(one)
        for one in parts
    )
    return tuple(dict.fromkeys(tag for text in texts if (tag := " ".join(text.split()))))


def _annotations(post: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the reader marked and wrote in the text."""
    for name in ("annotations", "highlights"):
        for one in post.get(name) if isinstance(post.get(name), list) else ():  # type: ignore[union-attr]
            if isinstance(one, Mapping):
                quote = one_line(
                    text_of(one.get("quote") or (one.get("text") if name == "highlights" else "")),
                    5000,
                )
                words = text_of(
                    (one.get("text") if name == "annotations" else "")
                    or one.get("note")
                    or one.get("annotation")
                ).strip()
                if text := " ".join(
                    part for part in (f"“{quote}”" if quote else "", words) if part
                ):
                    yield text


def _people(post: Mapping[str, Any]) -> tuple[str, ...]:
    value = post.get("published_by") or post.get("author") or post.get("authors")
    values = value if isinstance(value, list) else [value]
    names = (
        one_line(text_of(one.get("name") if isinstance(one, Mapping) else one), 300)
        for one in values
    )
    return tuple(name for name in names if name)


def _state(post: Mapping[str, Any], service: Service) -> State | None:
    def flag(names: tuple[str, ...]) -> bool | None:
        for name in names:
            if name in post:
                return str(post[name]).strip().casefold() in {"1", "true", "yes"}
        return None

    unread, archived = flag(service.unread), flag(service.archived)
    if unread:
        return "to read"
    share = next(
        (float(post[name]) for name in service.progress if isinstance(post.get(name), int | float)),
        None,
    )
    if share is not None and share > 1:
        share /= 100
    word = text_of(post.get("state") or post.get("location") or post.get("status"))
    if service.name == "Pocket":
        return {"0": "to read", "1": "read"}.get(word)  # type: ignore[return-value]
    if service.name in _STATEFUL or share is not None:
        return state_of_progress(share, archived is True or state_of(word) == "read")
    if archived:
        return "read"
    return state_of(word)


def load_omnivore(path: Path, on_bytes: OnBytes | None = None) -> Reading:
    """Yield the items of Omnivore's ZIP: `metadata_0_to_20.json` and its like; nothing is unpacked to disk."""
    name, found = path.name, 0
    data = read_whole(path, on_bytes)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            marked = _marked(archive)
            for member in archive.infolist():
                inner = PurePosixPath(member.filename.replace("\\", "/")).name
                if not inner.endswith(".json"):
                    continue
                if member.file_size > ZIP_BYTES:
                    raise SourceError(
                        f"{name}: {inner} unpacks to {member.file_size:,} bytes, more than {ZIP_BYTES:,}."
                    )
                with archive.open(member) as stream:
                    text = stream.read(ZIP_BYTES + 1)
                document = posts_of(parse_json(text, f"{name}/{inner}"))
                if document:
                    found += 1
                    posts = [_with_marked(post, marked) for post in document[0]]
                    yield from parse_posts(posts, f"{name}/{inner}", document[1])
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,  # what zipfile raises for a compression that it does not know
        RuntimeError,
        ValueError,  # a directory that points outside of the file
        EOFError,
        OSError,
        zlib.error,
    ) as problem:
        raise SourceError(
            f"{name} cannot be unpacked: {problem}. Was the download cut short?"
        ) from problem
    if not found:
        raise SourceError(f"{name} holds no list of bookmarks in JSON.")


def load_omnivore_folder(path: Path, on_bytes: OnBytes | None = None) -> Reading:
    """Yield the items of Omnivore's ZIP that somebody unpacked.

    Raises:
        SourceError: the folder holds none of its files.
    """
    files = sorted(path.glob("metadata_*_to_*.json"))
    if not files:
        raise SourceError(f"{path} is a folder, not a file. Name the exported file inside it.")
    marked = {
        file.stem: file.read_text("utf-8", "replace")[:100_000]
        for file in sorted(path.glob("highlights/*.md"))
    }
    for file in files:
        name = f"{path.name}/{file.name}"
        document = posts_of(parse_json(read_whole(file, on_bytes), name))
        for post in document[0] if document else ():
            yield from parse_posts([_with_marked(post, marked)], name)


def _marked(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return what the reader marked in each page, by the last part of its address: `highlights/SLUG.md`."""
    found = {}
    for member in archive.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.parent.name == "highlights" and path.suffix == ".md" and member.file_size < 100_000:
            with archive.open(member) as stream:
                found[path.stem] = stream.read(100_000).decode("utf-8", "replace")
    return found


def _with_marked(post: Any, marked: Mapping[str, str]) -> Any:
    text = marked.get(text_of(post.get("slug")), "").strip() if isinstance(post, Mapping) else ""
    return {**post, "annotations": [{"text": text}]} if text and not post.get("note") else post
