"""Works outside of items and tables: paragraphs and HTML that are lists by their shape.

A paragraph, or each of its lines, is a work if it opens with a title, or with the people, number, venue or short name of
one, and holds its link; prose that links a paper is none. In HTML an `<li>`, `<tr>`, `<dt>` or `<p>` of that shape is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from .authors import names_one, names_people, people_before, split_authors
from .blocks import Block
from .citations import QUOTED
from .dates import is_venue, year_said
from .elements import Span
from .heads import Part, cut
from .labels import is_label
from .texts import Text
from .title_place import is_lead, title_in, title_part
from .titles import Naming, read_naming
from .words import drop_images


Reading = Callable[[list[Span], int], Text]

_LONG = 4000  # bytes; a longer paragraph is prose
_WORDS = 40  # in a title
LABELLED = re.compile(r"[^\W\d][\w ./-]{0,24}?\s?[:：]")
_EMPHASISED = re.compile(
    rb"(?:\*\*|__|<b>|\xe3\x80\x8a).+(?:\*\*|__|</b>|\xe3\x80\x8b)[.\s]*$", re.DOTALL
)
_PROSE = re.compile(
    r"(?:This|These|We|Our|See|Check|Please|Note|Follow|Here (?:is|are)|It is|In this|Based on|(?:The )?[Cc]ode (?:for|of)|For (?:more|the)|If you)\b"
)
_RUNS_ON = re.compile(r"(?!\W*by\s+[^\Wa-z_])[\s,;]*[^\W\dA-Z_]\w*(?:\s+\S+){3}")
_PAPER_LABELS = frozenset(("paper", "pdf", "arxiv", "preprint", "abs", "论文"))
_AUTHOR_FIELD = re.compile(r"(?:first |last )?authors?(?:\(s\))?\s?[:：]|作者[:：]", re.IGNORECASE)
_TAG = re.compile(rb"<(/?)(li|tr|dt|p|ul|ol|table|tbody|dl|div)(?=[\s>/])[^<>]{0,500}>", re.I)
_CELL = re.compile(rb"<td(?=[\s>/])[^<>]{0,500}>", re.I)


def works_in(block: Block, text: Text, read: Reading) -> list[Block]:
    """Return the works that the paragraph `block` lists: itself, its lines, or none.

    Args:
        text: that of the paragraph.
        read: reads some of its lines.
    """
    if not text.pieces or len(text.run.data) > _LONG * len(block.content) or not _links_work(text):
        return []
    lines = block.content
    links = {text.run.line(piece.start) for piece in text.pieces if piece.kind != "image"}
    linking = [i for i in sorted(links) if _links_work(read([lines[i]], block.line + i))]
    if len(linking) > 1:
        begins = linking if linking[0] == 0 else []
        ends = [0, *(i + 1 for i in linking[:-1])]
        for starts in filter(None, (begins, ends)):
            groups = [
                _lines(block, i, j) for i, j in zip(starts, [*starts[1:], len(lines)], strict=True)
            ]
            if all(is_work(read(group.content, group.line)) for group in groups):
                return groups
    return [block] if is_work(text) else []


def _lines(block: Block, start: int, end: int) -> Block:
    """Return some lines of a paragraph as a block of their own."""
    lines = block.content
    stop = lines[end][0] if end < len(lines) else block.end
    begin = lines[start][0] if start else block.start
    return replace(
        block, start=begin, end=stop, line=block.line + start, content=lines[start:end], children=[]
    )


def title_and_items(title: Block, items: Sequence[Block]) -> Block:
    """Return a paragraph and the items below it as one block."""
    return replace(title, kind="fields", end=items[-1].end, children=[])


def is_work(text: Text) -> bool:
    """Whether a text is shaped as one work of a list, not as prose."""
    parts = cut(text.run.data, text.pieces)
    at = title_part(parts)
    if at is None:
        return text.links_paper() and text.only_links()
    title, before, behind = parts[at], parts[:at], parts[at + 1 :]
    if not all(is_lead(part) or people_before(part.text) for part in before):
        return False
    if title.is_link and (title.aside or title.runs_on or not title.is_paper):
        return False
    if not title.is_link and not _leads_to(title, behind):
        return False
    first = next((part for part in behind if part.text), None)
    if first is not None and not first.is_link and not first.lead and _RUNS_ON.match(first.text):
        return False
    return len(title_in(title)[0].split()) <= _WORDS


def _leads_to(title: Part, behind: Sequence[Part]) -> bool:
    """Whether words, not a link, are a title whose link stands behind them."""
    shown = title.bold or title.italic or QUOTED.search(title.text) is not None
    if not shown and (title.text[0].islower() or _PROSE.match(title.text)):
        return False
    for i, part in enumerate(behind):
        if part.is_link and (part.aside or not part.text or is_label(part.text) or part.is_paper):
            goes_on = any(not later.is_link and _RUNS_ON.match(later.text) for later in behind[i:])
            return part.aside or not (part.runs_on and goes_on)
    return False


def _links_work(text: Text) -> bool:
    if text.links_paper():
        return True
    shown = (text.run.data[slice(*piece.text)] for piece in text.pieces if piece.kind != "image")
    return any(
        words.decode("utf-8", "replace").strip("[]()*` ").lower() in _PAPER_LABELS
        for words in shown
    )


def is_title(text: Text) -> bool:
    """Whether a paragraph is nothing but a title, shown as one, or a citation."""
    data = drop_images(text.run.data).strip()
    words = text.words()
    if text.links_paper():
        return False
    if len(words.split()) <= _WORDS and (
        _EMPHASISED.match(data)
        or not (
            any(piece.kind != "image" for piece in text.pieces)
            or words.endswith((":", "：", "."))
            or len(words.split()) < 3
        )
    ):
        return True
    naming = read_naming(text.run.data, text.pieces)
    return bool(naming.authors) and naming.year is not None and len(naming.title.split()) <= _WORDS


def are_fields(texts: Sequence[Text]) -> bool:
    """Whether items say things of the title above them, `arXiv: address`, and have no titles of their own."""
    if all(text.only_links() for text in texts) and any(text.links_paper() for text in texts):
        return True
    first, *others = texts
    if first.only_links() and first.links_paper():
        own = [text.only_links() for text in others if text.links_paper()]
        return all(own)
    fields = sum(LABELLED.match(text.words()) is not None for text in texts)
    papers = [text for text in texts if text.links_paper()]
    return 2 * fields >= len(texts) and bool(papers) and all(map(says_where, papers))


def says_where(text: Text) -> bool:
    """Whether a text is nothing but labels and their links: `Download: [PDF](…)`."""
    return all(
        is_label(part.text) or part.text.endswith((":", "："))
        for part in cut(text.run.data, text.pieces)
    )


_SENTENCE = re.compile(r"\.(?<=[^\W\d_]{2}\.)\s+")


def says_when(text: Text) -> bool:
    """Whether words around labels and addresses only say where and when: `[CoRL 2024] address`."""
    return all(
        is_label(part.text)
        if part.is_link
        else year_said(part.text, aside=True) or is_venue(part.text)
        for part in cut(text.run.data, text.pieces)
    )


def whose(text: Text) -> Naming | None:
    """Return whose work its links lead to and when it appeared, if a text says that and not what it is called."""
    if not text.links_paper():
        return None
    if field := _AUTHOR_FIELD.match(words := text.words()):
        return Naming("", None, split_authors(re.split("[;；]", words[field.end() :])[0]))
    authors: tuple[str, ...] = ()
    year: int | None = None
    for part in cut(text.run.data, text.pieces):
        if part.is_link:
            if not (part.aside or is_label(part.text)):
                return None
            continue
        for piece in _SENTENCE.split(part.text.strip(" .")):
            if names_people(piece) or (part.italic and names_one(piece)):
                authors = authors or split_authors(piece)
            elif stated := year_said(piece, aside=True):
                year = year or stated
            elif not (is_venue(piece) or is_label(piece)):
                return None
    return Naming("", None, authors, year) if authors else None


def works_in_html(data: bytes, block: Block, read: Reading) -> Iterator[Block]:
    """Yield the rows, items and paragraphs of an HTML block that are works; `read` gives their text."""
    for start, end, line in _html_parts(data, block):
        cells = [match.start() for match in _CELL.finditer(data, start, end)]
        whole = _html(block, data, start, end, line)
        papers = {piece.mention.key for piece in read(whole.content, line).pieces if piece.mention and piece.mention.key.names_paper}  # fmt: skip
        if not papers:
            continue
        if len(papers) > 1 and len(cells) > 1:  # a grid with a work in each cell
            ends = [*cells[1:], end]
            each = [
                _html(block, data, a, b, line + data.count(b"\n", start, a))
                for a, b in zip(cells, ends, strict=True)
            ]
            named = [cell for cell in each if _named(read(cell.content, cell.line))]
            if len(named) > 1:
                yield from named
                continue
        text = read(whole.content, line)
        if _named(text) and (data[start : start + 2].lower() != b"<p" or is_work(text)):
            yield whole


def _named(text: Text) -> bool:
    return text.links_paper() and title_part(cut(text.run.data, text.pieces)) is not None


def _html_parts(data: bytes, block: Block) -> Iterator[tuple[int, int, int]]:
    """Yield where each innermost `<li>`, `<tr>`, `<dt>` and `<p>` begins and ends, and its line."""
    opened: int | None = None
    kind = b""
    line, counted = block.line, block.start
    for match in _TAG.finditer(data, block.start, block.end):
        name = match[2].lower()
        inner = kind == b"tr" and name in (b"p", b"ul", b"ol", b"li", b"div", b"dl", b"dt")
        inner = inner or (kind in (b"li", b"dt") and name in (b"p", b"div"))
        if inner:
            continue
        if opened is not None:
            line, counted = line + data.count(b"\n", counted, opened), opened
            yield opened, match.start(), line
            opened, kind = None, b""
        if not match[1] and name in (b"li", b"tr", b"dt", b"p"):
            opened, kind = match.start(), name
    if opened is not None:
        yield opened, block.end, line + data.count(b"\n", counted, opened)


def _html(block: Block, data: bytes, start: int, end: int, line: int) -> Block:
    """Return a stretch of an HTML block as a block of its own."""
    content: list[Span] = []
    at = start
    while at < end:
        stop = data.find(b"\n", at, end)
        stop = end if stop < 0 else stop
        content.append((at, stop))
        at = stop + 1
    return replace(
        block, kind="html", start=start, end=end, line=line, content=content, children=[]
    )
