"""A list in the order of its file: headings, prose between them, entries; cut into pages by entries."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

from studiolo.library import Line
from studiolo.lists import Document, Section


PAGE = 100  # entries
_NO_PROSE = frozenset({"comment", "definition", "front", "heading"})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a list: a heading, prose, or an entry.

    Attributes:
        section: of a heading. prose: HTML. line: of an entry, and `row` its number among the entries of the list.
        above: how many of the entries that are shown come before it.
        empty: whether a heading has neither entries nor sections below it.
    """

    above: int
    section: Section | None = None
    prose: Markup | None = None
    line: Line | None = None
    row: int = -1
    empty: bool = False


@dataclass(frozen=True, slots=True)
class OutlineItem:
    """A heading in the outline: its name, depth and anchor, on which page it is, and how many entries are in it and below."""

    name: str
    depth: int
    anchor: str
    page: int
    count: int


def parts_of(document: Document, lines: Sequence[Line]) -> list[Part]:
    """Return the parts of a list.

    Args:
        lines: of all its entries.
    """
    starts = [line.entry.span[0] for line in lines]
    parts: list[Part] = []
    count = 0
    full = {document.section_of(line.entry) for line in lines}
    outer = _outer(document)
    title = title_of(document)
    for section in document.sections:
        if section.path and section is not title:
            has_more = (
                section in full
                or section in outer
                or any(block.kind not in _NO_PROSE for block in section.blocks)
            )
            parts.append(Part(count, section=section, empty=not has_more))
        pending: list[tuple[int, int]] = []
        for block in section.blocks:
            first, last = bisect_left(starts, block.start), bisect_left(starts, block.end)
            if first == last:
                if block.kind not in _NO_PROSE:
                    pending.append((block.start, block.end))
                continue
            if block.kind == "item" and starts[first] != block.start:
                pending.append((block.start, starts[first]))  # a label above nested entries
            parts += _prose(document, pending, count)
            pending = []
            for number in range(first, last):
                parts.append(Part(count, line=lines[number], row=number))
                count += 1
        parts += _prose(document, pending, count)
    return parts


def chosen_parts(document: Document, lines: Sequence[Line], shown: Iterable[int]) -> list[Part]:
    """Return the entries with these numbers, in order, below the headings that hold them; no prose.

    Args:
        lines: of all its entries.
    """
    parts: list[Part] = []
    title, at = title_of(document), None
    for count, number in enumerate(shown):
        section = document.section_of(lines[number].entry)
        if section is not at and section.path and section is not title:
            parts.append(Part(count, section=section))
        at = section
        parts.append(Part(count, line=lines[number], row=number))
    return parts


def title_of(document: Document) -> Section | None:
    """Return the section that is the list's own title: the first, of the first level, without entries of its own."""
    named = [section for section in document.sections if section.path]
    first = next(iter(named), None)
    if first is None or first.level != 1:
        return None
    holds = any(document.section_of(entry) is first for entry in document.entries[:1])
    return None if holds and len(named) > 1 else first


def _outer(document: Document) -> set[Section | None]:
    return {section.above for section in document.sections}


def _prose(document: Document, spans: list[tuple[int, int]], above: int) -> Iterator[Part]:
    """Yield what blocks without entries say, those that stand together as one."""
    if spans:
        text = document.data[spans[0][0] : spans[-1][1]].decode("utf-8", "replace")
        html = prose(text)
        if html.strip():
            yield Part(above, prose=html)


def prose(text: str) -> Markup:
    """Return Markdown as HTML without any of its own HTML, images, styles, or addresses that act."""
    markdown = _markdown()
    env: EnvType = {}
    tokens = markdown.parse(text, env)
    for token in tokens:
        if style := token.attrs.pop(
            "style", None
        ):  # of a table's cell; the policy allows no style here
            token.attrs["class"] = str(style).rpartition(":")[2]
    return Markup(markdown.renderer.render(tokens, markdown.options, env))


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("js-default", {"html": False})
    markdown.add_render_rule("image", _alternative)
    return markdown


def _alternative(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType
) -> str:
    """Return what an image says instead of itself: a picture from elsewhere would tell others what is read here."""
    return str(Markup.escape(renderer.renderInlineAsText(tokens[at].children, options, env)))


def page_of(part: Part, num_pages: int) -> int:
    """Return the page that a part is on, from 1."""
    return min(part.above // PAGE + 1, num_pages)


def pages_of(parts: Sequence[Part]) -> int:
    """Return how many pages there are."""
    return max(1, -(-sum(part.line is not None for part in parts) // PAGE))


def anchor_of(section: Section) -> str:
    """Return what a heading is called in an address."""
    return f"s{section.line}"


def outline_of(parts: Sequence[Part]) -> list[OutlineItem]:
    """Return the headings of a list that are shown, with the number of entries in each and in those below it."""
    pages = pages_of(parts)
    total = sum(part.line is not None for part in parts)
    headings = [(part, part.section) for part in parts if part.section is not None]
    least = min((section.level for _, section in headings), default=1)
    items = []
    for number, (part, section) in enumerate(headings):
        after = headings[number + 1 :]
        end = next((p.above for p, other in after if other.level <= section.level), total)
        depth = min(section.level - least, 3)
        page = page_of(part, pages)
        items.append(
            OutlineItem(section.path[-1], depth, anchor_of(section), page, end - part.above)
        )
    return items
