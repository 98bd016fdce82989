"""Topics: what on the lists names one, and where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from studiolo.library import Library, load_vocabulary
from studiolo.lists import Document, Entry, Link, Question, outside_parts


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something stands: the page as seen from the library, and the line."""

    page: str
    line: int

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Named:
    """What names a topic, in the order of pages and lines.

    Attributes:
        entries: those that link to its page, or whose own words or tags name it.
        notes: the words of notes below entries that name it, each with the entry it is on.
        questions: those that name it, or stand below an entry that does.
        pages: names of pages outside of whose entries it is named.
    """

    entries: tuple[tuple[Spot, Entry], ...] = ()
    notes: tuple[tuple[Spot, str, Entry], ...] = ()
    questions: tuple[tuple[Spot, Question], ...] = ()
    pages: tuple[str, ...] = ()


def names_of(title: str, page: str) -> tuple[str, ...]:
    """Return what a topic is called, as `folded` text: by its title, and by its file."""
    stem = PurePosixPath(page).stem
    return tuple(dict.fromkeys(name for name in (folded(title), folded(stem)) if name))


def folded(text: str) -> str:
    """Return the letters and digits of a text in small letters, words parted by single blanks."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def named_in(
    library: Library, documents: Mapping[Path, Document], topics: Mapping[str, tuple[str, ...]]
) -> dict[str, Named]:
    """Return what names each topic on pages; its own page does not.

    Args:
        topics: what each is called, as `names_of` says it, by its page as seen from the library.
    """
    entries: dict[str, list[tuple[Spot, Entry]]] = {name: [] for name in topics}
    notes: dict[str, list[tuple[Spot, str, Entry]]] = {name: [] for name in topics}
    questions: dict[str, list[tuple[Spot, Question]]] = {name: [] for name in topics}
    pages: dict[str, list[str]] = {name: [] for name in topics}
    alike = load_vocabulary(library).all_alike
    for path, document in documents.items():
        page = library.relative(path)
        by_hand = outside_parts(document)
        tags = {tag for entry in document.entries for tag in entry.tags}
        text = _padded(" ".join([by_hand.decode("utf-8", "replace"), *alike(sorted(tags))]))
        links = {link.span: linked_page(page, link) for link in document.links}
        linked = set(links.values())
        for topic, called in topics.items():
            if page == topic or (topic not in linked and not _is_in(called, text)):
                continue
            asked: dict[int, Question] = {}
            outside = by_hand
            for entry in document.entries:
                own = topic in {links.get(link.span) for link in entry.links}
                own = own or _is_in(called, _padded(f"{entry.title} {' '.join(alike(entry.tags))}"))
                speaking = [note for note in entry.notes if _is_in(called, _padded(note.text))]
                own = own or bool(speaking)
                if not own:
                    continue
                outside = outside.replace(entry.text.encode("utf-8", "replace"), b"", 1)
                entries[topic].append((Spot(page, entry.line), entry))
                notes[topic] += [(Spot(page, note.line), note.text, entry) for note in speaking]
                asked |= {question.line: question for question in entry.questions}
            for question in document.questions:
                if _is_in(called, _padded(question.text)):
                    asked[question.line] = question
            questions[topic] += [(Spot(page, line), asked[line]) for line in sorted(asked)]
            if outside is by_hand or _is_in(called, _padded(outside.decode("utf-8", "replace"))):
                pages[topic].append(page)
    return {
        topic: Named(
            tuple(entries[topic]), tuple(notes[topic]), tuple(questions[topic]), tuple(pages[topic])
        )
        for topic in topics
    }


def linked_page(page: str, link: Link) -> str:
    """Return the page that a relative link of a page leads to, as seen from the library; empty where it is none."""
    if link.mention is not None or not link.url or link.kind == "wiki":
        return ""
    target = unquote(link.url.partition("#")[0].partition("?")[0])
    if (
        not target
        or target.startswith("/")
        or "\0" in target
        or re.match(r"[a-z][a-z0-9+.-]*:", target)
    ):
        return ""
    parts: list[str] = list(PurePosixPath(page).parent.parts)
    for part in PurePosixPath(target).parts:
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _padded(text: str) -> str:
    return f" {folded(text)} "


def _is_in(called: tuple[str, ...], padded: str) -> bool:
    return any(f" {name} " in padded for name in called)
