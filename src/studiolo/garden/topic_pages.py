"""The pages of topics: found or made by name, and what on the lists names them, gathered with links back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from studiolo.errors import UsageError
from studiolo.files import load_bytes
from studiolo.keys import Key
from studiolo.library import PAGES, Kept, Library, Page, Plan, called, load_kept, state_of
from studiolo.lists import (
    Document,
    Entry,
    Link,
    anchor_of,
    apply_edits,
    edited,
    escape,
    part_of,
    write_part,
)

from .catalogue import is_page, title_of
from .linking import relative_link, shown, target_of
from .topics import Named, Spot, folded, linked_page, named_in, names_of


TOPIC = "topic"  # what the part is called
_LONGEST = 60  # letters of a file's name


@dataclass(frozen=True, slots=True)
class Missing:
    """A link to a page of a topic that is not there.

    Attributes:
        page: where it leads, as seen from the library.
        title: what the link calls it.
        spot: where it stands.
    """

    page: str
    title: str
    spot: Spot


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: its page, what names it, and what would be written there.

    Attributes:
        name: of the page, as seen from the library.
        is_new: whether the page is not there yet.
        is_unmarked: whether a person wrote the page and it has no place for what names the topic.
        plan: None where nothing changes.
    """

    name: str
    title: str
    named: Named
    is_new: bool
    is_unmarked: bool
    plan: Plan | None


def load_topic_pages(library: Library) -> dict[str, Document]:
    """Return the pages of topics that are there, by their names as seen from the library."""
    folder = library.folder / "topics"
    return {
        library.relative(path): document
        for path, document in library.documents.items()
        if folder in path.parents and path.stem.casefold() not in PAGES
    }


def missing_topics(library: Library) -> list[Missing]:
    """Return the links to pages of topics that are not there, the first to each, in the order of pages and lines."""
    found: dict[str, Missing] = {}
    for path, document in library.documents.items():
        page = library.relative(path)
        for link in document.links:
            target = linked_page(page, link)
            if not re.fullmatch(r"topics/[^\0]+\.(?:md|markdown)", target, re.IGNORECASE):
                continue
            if target not in found and not (library.folder / target).exists():
                found[target] = Missing(target, _title(target, link), Spot(page, link.line))
    return list(found.values())


def _title(page: str, link: Link) -> str:
    words = " ".join(link.text.split())
    return words if words and "://" not in words else _words_of(page)


def _words_of(page: str) -> str:
    words = re.sub(r"[-_\s]+", " ", PurePosixPath(page).stem).strip()
    return words[:1].upper() + words[1:]


def open_topic(library: Library, name: str, *, into_unmarked: bool = False) -> Topic:
    """Return a topic by its title, its file or a link to it, and plan to make its page or to write what names it there.

    Args:
        into_unmarked: put the marks at the end of a page that has none.

    Raises:
        UsageError: the name has no letters, means several pages, or the page cannot be written.
        ListError: the page has a mark that nothing closes, or is not UTF-8.
    """
    page, title = _meant(library, name)
    path = library.inside(page)
    before = load_bytes(path)
    is_new = before is None
    document = Document(before or f"# {escape(title)}\n\n".encode(), path)
    if not is_new:
        title = title_of(document, path)
    documents = {p: d for p, d in library.documents.items() if is_page(library, p, d)}
    [named] = named_in(library, documents, {page: names_of(title, page)}).values()
    if not is_new and part_of(document, TOPIC) is None and not into_unmarked:
        return Topic(page, title, named, False, True, None)
    text = gathered(library, page, named)
    edits = write_part(document, TOPIC, text)
    if part_of(Document(apply_edits(document.data, edits), path), TOPIC) is None:
        raise UsageError(
            f"{path} ends inside a fence or a comment, so nothing can be put there. Close it, or write these two lines where "
            f"it is to go: <!-- studiolo:{TOPIC} --> and <!-- /studiolo:{TOPIC} -->"
        )
    after = edited(document, edits)
    plan = None
    if after.data != before:
        plan = Plan(f"topic {title}", pages=(Page(path, before, after.data),))
    return Topic(page, title, named, is_new, False, plan)


def _meant(library: Library, name: str) -> tuple[str, str]:
    """Return the page that a name means, there or to be made, and what it is called."""
    wanted = folded(PurePosixPath(name).stem if name.casefold().endswith(".md") else name)
    if not wanted:
        raise UsageError(f"{name!r} has no letters to call a page by. Give the topic a name.")
    pages = load_topic_pages(library)
    called_so = {
        page: names_of(title_of(document, Path(page)), page) for page, document in pages.items()
    }
    found = [page for page, names in called_so.items() if wanted in names]
    found = found or [
        page for page, names in called_so.items() if any(one.startswith(wanted) for one in names)
    ]
    if len(found) > 1:
        raise UsageError(f"{name!r} may mean one of: {', '.join(found)}. Give more of the name.")
    if found:
        return found[0], ""
    for missing in missing_topics(library):
        if wanted in names_of(missing.title, missing.page):
            return missing.page, missing.title
    title = " ".join(name.removesuffix(".md").split())
    stem = re.sub(r"[^\w]+", "-", wanted, flags=re.ASCII if wanted.isascii() else 0)[:_LONGEST]
    return f"topics/{stem.strip('-')}.md", title if " " in title or "-" not in title else _words_of(
        title
    )


def gathered(library: Library, page: str, named: Named) -> str:
    """Return what names a topic as the lines of its page, with links back."""
    kept = load_kept(library.folder)
    documents = {library.relative(path): document for path, document in library.documents.items()}

    def back(spot: Spot, section: tuple[str, ...] = ()) -> str:
        document = documents[spot.page]
        anchor = anchor_of(section[-1]) if section else ""
        unique = [anchor_of(heading.text) for heading in document.headings].count(anchor) == 1
        link = relative_link(page, spot.page) + (f"#{anchor}" if anchor and unique else "")
        return f"[{shown(title_of(document, Path(spot.page)))}]({link})"

    parts = []
    if named.entries:
        lines = [
            f"* {_entry(entry, kept)} in {back(spot, entry.section)}"
            for spot, entry in named.entries
        ]
        parts.append("\n".join(["**Entries**", "", *lines]))
    if named.notes:
        lines = [
            f"* {shown(text)} (on {shown(called(entry))}, {back(spot, entry.section)})"
            for spot, text, entry in named.notes
        ]
        parts.append("\n".join(["**Notes**", "", *lines]))
    if named.questions:
        lines = []
        for spot, question in named.questions:
            lines.append(f"* {shown(question.text)} ({back(spot)})")
            if question.answer is not None:
                lines.append(f"  * {shown(question.answer)}")
        parts.append("\n".join(["**Questions**", "", *lines]))
    if named.pages:
        lines = [f"* {back(Spot(name, 1))}" for name in named.pages]
        parts.append("\n".join(["**Pages**", "", *lines]))
    return "\n\n".join(parts) or "Nothing names this topic yet."


def _entry(entry: Entry, kept: Mapping[Key, Kept]) -> str:
    title = shown(entry.title) or "(no title)"
    url = next((k.url for k in entry.links if k.mention and k.mention.key == entry.key), "")
    state = state_of(entry, kept)[0]
    return (f"[{title}]({target_of(url)})" if url else title) + (f", {state}," if state else "")
