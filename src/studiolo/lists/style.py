"""How a list writes an item, learnt from one that stands there, to write the next in the same way."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .authors import split_authors
from .blocks import Block
from .entry import Entry
from .heads import is_label
from .links import Run, find_links
from .words import plain_words


@dataclass(frozen=True, slots=True)
class Item:
    """Something to put on a list. The list's own style decides which of these are written there."""

    title: str
    url: str
    name: str | None = None
    authors: tuple[str, ...] = ()
    year: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Style:
    """The order in which an item says things.

    Attributes:
        before, inside, after: what stands before the link, in its text and behind it: name, title, year,
            authors.
        link: inline (its text carries the title), label (its text is `label`) or bare.
        quoted, bold: whether the title is in quotation marks, whether it is bold.
        year: how a year is written: `{}` or `({})`.
        separator: between two things.
    """

    before: tuple[str, ...] = ()
    inside: tuple[str, ...] = ("title",)
    after: tuple[str, ...] = ()
    link: str = "inline"
    label: str = ""
    quoted: bool = False
    bold: bool = False
    year: str = "{}"
    separator: str = " - "

    def says(self, item: Item) -> int:
        """Return how much of `item` this style has a place for."""
        known = {"title": item.title, "name": item.name, "authors": item.authors, "year": item.year}
        return sum(bool(known[role]) for role in {*self.before, *self.inside, *self.after})

    def write(self, item: Item) -> str:
        """Return the text of `item` in this style."""
        if self.link == "bare" and not self.before and not self.after:
            return item.url
        before = self._join(self.before, item)
        after = self._join(self.after, item)
        if self.link == "bare":
            return self.separator.join(piece for piece in (before, after, item.url) if piece)
        if self.link == "label":
            words = self.separator.join(piece for piece in (before, after) if piece)
            return f"{words} [{self.label}]({_destination(item.url)})"
        link = f"[{self._join(self.inside, item) or escape(item.title)}]({_destination(item.url)})"
        if self.bold:
            link = f"**{link}**"
        dated = self.year != "{}" and item.year
        lead = " " if dated and self.before[-1:] == ("year",) else self.separator
        trail = " " if dated and self.after[:1] == ("year",) else self.separator
        return (f"{before}{lead}" if before else "") + link + (f"{trail}{after}" if after else "")

    def _join(self, roles: tuple[str, ...], item: Item) -> str:
        pieces: list[str] = []
        for role in roles:
            if role == "title":
                title = item.title.replace('"', "'") if self.quoted else item.title
                words = f'"{escape(title)}"' if self.quoted else escape(title)
                pieces.append(f"**{words}**" if self.bold and self.link != "inline" else words)
            elif role == "year" and item.year:
                pieces.append(self.year.format(item.year))
            elif role == "authors" and item.authors:
                pieces.append(escape(", ".join(item.authors)))
            elif role == "name" and item.name:
                pieces.append(escape(item.name))
        if self.year != "{}" and len(pieces) > 1 and roles[0] == "year":
            pieces[:2] = [" ".join(pieces[:2])]
        return self.separator.join(pieces)


def escape(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, on one line."""
    text = " ".join(text.split())
    text = re.sub(r"([\\`*\[\]<])", r"\\\1", text)
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
    text = re.sub(r"&(?=#?\w{1,31};)", r"\\&", text)
    return re.sub(
        r"^(?:([#+>-])|(\d{1,9})([.)]))(?=\s|$)",
        lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\{m[3]}",
        text,
    )


def _destination(url: str) -> str:
    url = re.sub(r"[\s<>]", lambda m: f"%{ord(m[0]):02X}", url.strip())
    depth = 0
    for char in url:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            break
    return f"<{url}>" if depth else url.replace("\\", "%5C")


_SPLIT = re.compile(r"\s+[-–—|]\s+|^\s*[-–—|,:]\s+|\s+[-–—|:]\s*$|:\s+$")
_YEAR = re.compile(r"[(\[]?(?:19|20)\d\d(?:[-./]\d\d?)?[)\]]?")


def head_of(item: Block) -> Block | None:
    """Return the block that an item's own text is."""
    first = item.children[0] if item.children else None
    return first if first is not None and first.kind in ("paragraph", "heading") else None


def learn(data: bytes, entry: Entry, item: Block) -> Style | None:
    """Return the style in which `entry`, the item `item` of `data`, is written, or None if it has none."""
    head = head_of(item)
    if head is None:
        return None
    run = Run(data, head.content)
    pieces = [
        piece for piece in find_links(run.data, {}) if piece.kind in ("inline", "bare", "auto")
    ]
    if not pieces or not entry.title:
        return None
    shown = {piece.start: plain_words(run.data[slice(*piece.text)]) for piece in pieces}
    main = next(
        (p for p in pieces if p.kind == "inline" and entry.title in shown[p.start]), pieces[0]
    )
    before, bold_before = _roles(run.data[: main.start], entry)
    after, _ = _roles(run.data[main.end :], entry)
    text = run.data.decode("utf-8", "replace")
    separator = next((s for s in (" - ", " – ", " — ", " | ") if s in text), " - ")
    quoted = f'"{entry.title}"' in text or f'"{entry.title}."' in text
    year = "({})" if re.search(r"\((?:19|20)\d\d", text) and "year" in before + after else "{}"
    if main.kind != "inline":
        return Style(before, (), after, "bare", quoted=quoted, year=year, separator=separator)
    if is_label(shown[main.start]):
        if "title" not in before + after:
            return None
        return Style(
            before, (), after, "label", shown[main.start], quoted, bold_before, year, separator
        )
    inside, _ = _roles(run.data[slice(*main.text)], entry)
    bold = run.data[: main.start].rstrip().endswith(b"**")
    return Style(before, inside or ("title",), after, "inline", "", quoted, bold, year, separator)


def _roles(data: bytes, entry: Entry) -> tuple[tuple[str, ...], bool]:
    """Return what the stretches of a text say, in order, and whether the title is bold in it."""
    roles: list[str] = []
    text = data.decode("utf-8", "replace")
    bold = f"**{entry.title}" in text
    for piece in _SPLIT.split(text):
        words = plain_words(piece.encode()).strip("*~ ")
        if dated := re.match(r"[(\[](?:19|20)\d\d[^()\[\]]{0,6}[)\]]\s*", words):
            roles.append("year")
            words = words[dated.end() :]
        if not words:
            continue
        if entry.title and entry.title in words:
            roles.append("title")
        elif _YEAR.fullmatch(words):
            roles.append("year")
        elif entry.name and words == entry.name:
            roles.append("name")
        elif entry.authors and split_authors(words) == entry.authors:
            roles.append("authors")
    return tuple(dict.fromkeys(roles)), bold
