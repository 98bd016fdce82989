"""What can be put on a list, and how words are written so that Markdown shows them as they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .blocks import Block
from .scanner import scan


@dataclass(frozen=True, slots=True)
class Item:
    """Something to put on a list. The list's own style decides which of these are written there.

    Attributes:
        notes: each one line of Markdown.
    """

    title: str
    url: str
    name: str | None = None
    authors: tuple[str, ...] = ()
    year: int | None = None
    notes: tuple[str, ...] = ()


_COMMENT = re.compile(r"(?<!\\)<(?=!--)")


def escape(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, on one line."""
    text = " ".join(text.split())
    text = re.sub(r"([\\`*\[\]<])", r"\\\1", text)
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
    text = re.sub(r"&(?=#?\w{1,31};)", r"\\&", text)
    text = re.sub(
        r"\\<(?=[a-zA-Z/!?])", "&lt;", text
    )  # a backslash before a tag would hide it from some readers
    return escape_start(text)


_MAY_BEGIN_BLOCK = re.compile(r"[^\w\s]|\d|_")


def escape_start(text: str) -> str:
    """Return one line of Markdown so that it is all of a paragraph: no heading, item, fence, rule, table or comment."""
    text = _COMMENT.sub("&lt;", text)
    if not _MAY_BEGIN_BLOCK.match(text):
        return text
    number = re.match(r"\d{1,9}(?=[.)])", text)
    at = number.end() if number else 0
    escaped = f"&lt;{text[1:]}" if text[0] == "<" else f"{text[:at]}\\{text[at:]}"
    for line in (text, escaped):
        (item,) = scan(b"* " + line.encode("utf-8", "replace")).children
        if [block.kind for block in item.children] == ["paragraph"] and item.children[0].content:
            break
    return line


def note_lines(text: str) -> list[str]:
    """Return the notes that a text of one or more lines is: paragraphs and items one each, their lines joined."""
    notes: list[list[str]] = [[]]
    for line in text.splitlines():
        words = " ".join(line.split())
        item = re.match(r"(?:[-*+•]|\d{1,9}[.)])\s+(?=\S)", words)
        if not words or (item and len(text.strip().splitlines()) > 1):
            notes.append([])
        if words:
            notes[-1].append(words[item.end() :] if item and not notes[-1] and notes[1:] else words)
    return [" ".join(lines) for lines in notes if lines]


def address(url: str) -> str:
    """Return an address without what would end it: spaces, angle brackets and backslashes are percent-encoded."""
    return re.sub(r"[\s<>\\]", lambda m: f"%{ord(m[0]):02X}", url.strip())


def destination(url: str) -> str:
    """Return an address as it stands in the parentheses of a link."""
    url = address(url)
    depth = 0
    for char in url:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            break
    return f"<{url}>" if depth else url


def head_of(item: Block) -> Block | None:
    """Return the block that an item's own text is."""
    first = item.children[0] if item.children else None
    return first if first is not None and first.kind in ("paragraph", "heading") else None
