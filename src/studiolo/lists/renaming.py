"""A tag is called something else wherever a page writes it: on entries, in comments, front matter, labels, words and badges."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, unquote

from studiolo.errors import ListError, UsageError

from .blocks import Block
from .document import Document
from .edits import Edit, edited
from .elements import Span
from .entry import Entry
from .parse import TAG_LINK, TAGS_COMMENT, lead_of
from .tagging import cut_tags, tag_like, tags_at
from .tags import HASHTAG, badge_tag, folded_tag, labels_line


_FRONT_TAGS = re.compile(
    rb"^tags[ \t]*[:=][ \t]*([^\n]*(?:\n[ \t]*-[ \t]+[^\n]*)*)", re.MULTILINE | re.IGNORECASE
)
_PIECE = re.compile(rb"[^,;\n\[\]]+")
_AROUND = b" \t\r\"'`#*+-"  # of a tag in a list of them
_QUOTES = (b'"', b"'", b"`")
_BADGE_NAME = re.compile(r"(?<=/badge/tag-)(.+)(?=-[^-/]+$)", re.IGNORECASE)


def rename_tag(doc: Document, old: str, new: str) -> Document:
    """Return a document in which everything that has the tag `old`, however it is spelled, has the tag `new` instead, once.

    Raises:
        UsageError: `new` cannot be written where `old` stands.
        ListError: some place cannot be edited so; says what to do.
    """
    edits: dict[int, Edit] = {}
    touched: list[Entry] = []
    for entry in doc.entries:
        mine = list(_on_entry(doc, entry, old, new))
        if mine:
            touched.append(entry)
            edits |= {edit.start: edit for edit in mine}
    for edit in _of_page(doc, old, new):
        if not any(edit.start < one.end and one.start < edit.end for one in edits.values()):
            edits[edit.start] = edit
    if not edits:
        return doc
    after = edited(doc, list(edits.values()), touched=touched)
    wrong = _renamed(doc.tags, old, new) != _renamed(after.tags, old, new) or _has(
        after.tags, old, new
    )
    for before, now in zip(doc.entries, after.entries, strict=True):
        wrong = wrong or _has(now.tags, old, new)
        wrong = wrong or _renamed(before.tags, old, new) != _renamed(now.tags, old, new)
    if wrong:
        raise ListError(
            f"{doc.path or 'The page'} writes {old!r} where it cannot be renamed exactly. Edit it by hand."
        )
    return after


def _is(tag: str, old: str, new: str) -> bool:
    return folded_tag(tag) == folded_tag(old) and tag != new


def _has(tags: tuple[str, ...], old: str, new: str) -> bool:
    return any(_is(tag, old, new) for tag in tags)


def _renamed(tags: tuple[str, ...], old: str, new: str) -> set[str]:
    return {folded_tag(new if folded_tag(tag) == folded_tag(old) else tag) for tag in tags}


def _on_entry(doc: Document, entry: Entry, old: str, new: str) -> Iterator[Edit]:
    if not _has(entry.tags, old, new):
        return
    tokens = list(tags_at(doc, entry))
    there = any(token.tag == new for token in tokens)
    for token in tokens:
        if not _is(token.tag, old, new):
            continue
        if there:
            stay = [one for one in tokens if one is not token]
            yield from cut_tags(doc, [token], stay)
        else:
            was = doc.data[token.start : token.end]
            yield Edit(token.start, was, tag_like(doc, token, new))
        there = True


def _of_page(doc: Document, old: str, new: str) -> Iterator[Edit]:
    """Yield the edits of the tags of a whole page."""
    data, lead = doc.data, lead_of(doc.root)
    for block in doc.blocks:
        if block.kind == "comment":
            if match := TAGS_COMMENT.match(data, block.content[0][0], block.end):
                yield from _in_names(doc, match.span(1), old, new)
        elif block.kind == "front":
            if found := _FRONT_TAGS.search(data, block.start, block.end):
                yield from _in_names(doc, found.span(1), old, new)
        elif block is lead and (labels := _labels(doc, block)):
            if data[labels[0] : labels[1]].startswith(b"#"):
                yield from _hashtags(doc, labels, old, new)
            else:
                yield from _in_names(doc, labels, old, new)
        elif block.kind in ("paragraph", "quote"):
            yield from _hashtags(doc, (block.start, block.end), old, new)
    yield from _badges(doc, old, new)


def _labels(doc: Document, block: Block) -> Span | None:
    start = block.content[0][0]
    found = labels_line(doc.data[start : block.end])
    return (start + found[1][0], start + found[1][1]) if found else None


class _Name(NamedTuple):
    """A tag in a list of names: where it stands, with the quotation marks around it, and what it says."""

    start: int
    end: int
    outer: Span
    tag: str


def _in_names(doc: Document, span: Span, old: str, new: str) -> Iterator[Edit]:
    """Yield the edits in a stretch of names, with commas or one a line."""
    data = doc.data
    names: list[_Name] = []
    for match in _PIECE.finditer(data, *span):
        words = match[0].strip(_AROUND)
        if words:
            start = match.start() + match[0].index(words)
            end = start + len(words)
            quoted = (
                data[start - 1 : start] == data[end : end + 1] and data[end : end + 1] in _QUOTES
            )
            tag = " ".join(words.decode("utf-8", "replace").split())
            names.append(_Name(start, end, (start - quoted, end + quoted), tag))
    there = any(name.tag == new for name in names)
    for number, name in enumerate(names):
        if not _is(name.tag, old, new):
            continue
        if not there:
            if bad := next((letter for letter in ",;\n[]\"'" if letter in new), None):
                raise UsageError(f"{new!r} cannot stand in a list of tags: it holds {bad!r}.")
            yield Edit(name.start, data[name.start : name.end], new.encode())
        else:
            start, end = _with_comma(data, span, names, number)
            yield Edit(start, data[start:end], b"")
        there = True


def _with_comma(data: bytes, span: Span, names: list[_Name], number: int) -> Span:
    """Return what to take out with a name: its line, or the comma before or behind it."""
    start, end = names[number].outer
    line_start = data.rfind(b"\n", 0, start) + 1
    line_end = data.find(b"\n", end) + 1 or len(data)
    alone = not data[line_start:start].strip(_AROUND) and not data[end:line_end].strip()
    if alone and span[0] <= line_start:
        return line_start, line_end
    if number and line_start <= names[number - 1].end:
        return names[number - 1].outer[1], end
    return start, names[number + 1].outer[0] if number + 1 < len(names) else end


def _hashtags(doc: Document, span: Span, old: str, new: str) -> Iterator[Edit]:
    text = doc.data[slice(*span)].decode("utf-8", "surrogateescape")
    links = [link.span for link in doc.links]
    entries = [entry.span for entry in doc.entries]
    for match in HASHTAG.finditer(text):
        start = span[0] + len(text[: match.start()].encode("utf-8", "surrogateescape"))
        taken = any(a <= start < b for a, b in (*links, *entries))
        if taken or not _is(match[1], old, new):
            continue
        if not HASHTAG.fullmatch(f"#{new}"):
            raise UsageError(f"{new!r} cannot be written as a #tag. Use letters, digits, - and /.")
        yield Edit(start, match[0].encode(), f"#{new}".encode())


def _badges(doc: Document, old: str, new: str) -> Iterator[Edit]:
    """Yield the edits of the badges of a tag, and of the links to its page around them."""
    data = doc.data
    shown = quote(new.replace("-", "--").replace("_", "__").replace(" ", "_"), safe="")
    for image in doc.images:
        tag = badge_tag(image.url)
        if tag is None or not _is(tag, old, new):
            continue
        at = data.find(image.url.encode(), *image.span)
        if at < 0:
            continue
        url = _BADGE_NAME.sub(lambda _: shown, image.url)
        yield Edit(at, image.url.encode(), url.encode())
    for link in doc.links:
        found = TAG_LINK.search(link.url) if link.mention is None else None
        around = any(link.span[0] <= image.span[0] < link.span[1] for image in doc.images)
        if found is None or not around or folded_tag(unquote(found[1])) != folded_tag(old):
            continue
        at = data.find(b"(" + link.url.encode(), *link.span) + 1
        if at > 0:
            start = at + len(link.url[: found.start(1)].encode())
            yield Edit(start, found[1].encode(), quote(new, safe="").encode())
