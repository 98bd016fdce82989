"""How tags are written: as the list's entries show theirs, and into the comment or front matter of a whole list."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from studiolo.errors import ListError, UsageError

from .blocks import Block
from .document import Document
from .edits import Edit, line_at
from .entry import Entry
from .operations import refuse_quoted
from .parse import TAG_LINK, TAGS_COMMENT, lead_of
from .rows import cell_of, fill
from .style import head_of
from .tags import HASHTAG, folded_tag, labels_line, split_tags, trailing_code


_FRONT = re.compile(
    rb"^(tags[ \t]*[:=][ \t]*)(\[?)([^\n\]]*)(\]?)[ \t]*$", re.MULTILINE | re.IGNORECASE
)


class TagAt(NamedTuple):
    """A tag as it stands in a list: `#nlp`, `` `nlp` ``, `[nlp](tags/nlp.md)`, or a part of a cell."""

    start: int
    end: int
    tag: str
    kind: str  # hash, code, link or cell


def retag(
    doc: Document, entry: Entry, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> tuple[Edit, ...] | None:
    """Return the edits that give `entry` tags and take tags from it, as entries of the list show them.

    Args:
        remove: what the list shows of these; others are not its own.

    Returns:
        None where tags are to be added and no entry shows any, or only in a place that this one lacks.

    Raises:
        UsageError: a tag cannot be written so.
        ListError: the entry stands in a quotation.
    """
    block = doc.block_of(entry)
    column = cell_of(doc, block, "tags") if block.kind == "row" else None
    if block.kind != "row":
        refuse_quoted(doc, entry, block)
    tokens = list(_tokens(doc, entry, block, column))
    gone = {tag.casefold() for tag in remove}
    cuts = [token for token in tokens if token.tag.casefold() in gone]
    stay = [token for token in tokens if token not in cuts]
    edits = list(cut_tags(doc, cuts, stay))
    if add:
        apart = tokens if column else _apart(doc, block, tokens)
        own = [token for token in stay or tokens if token in apart]
        added = _added(doc, block, own, add, column)
        if added is None:
            return None
        edits = _joined(doc, edits, added)
    return tuple(edits)


def retag_list(
    doc: Document,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    name_of: Callable[[str], str] = folded_tag,
) -> tuple[Edit, ...]:
    """Return the edits of the tags of a whole list: in its `<!-- TAGS` comment, else its front matter, else its line of labels,
    else in a new comment.

    Args:
        name_of: says what is the same of tags that mean the same.

    Raises:
        UsageError: a tag to take away stands in none of them; or a tag cannot be written there.
    """
    for tag in add:
        _refuse(tag, ",;\n", "the comment of tags")
        if "--" in tag or ">" in tag:
            raise UsageError(f"{tag!r} would end the comment of tags. Choose another name.")
    gone = set(map(name_of, remove))
    data = doc.data
    place = _comment(doc) or _front(doc) or _labels(doc)
    if place is None:
        if remove:
            raise UsageError(
                f"{doc.path or 'The list'} has no comment of tags, so {remove[0]!r} is not in it."
            )
        text = doc.newline.join([b"<!-- TAGS", *(tag.encode() for tag in add), b"-->"])
        gap = b"" if not data or data.endswith((b"\n\n", b"\n\r\n")) else doc.newline
        return (line_at(doc, len(data), text, gap=gap),)
    start, end = place
    have = split_tags(data[start:end].decode())
    for tag in remove:
        if name_of(tag) not in map(name_of, have):
            raise UsageError(
                f"{tag!r} is not a tag of {doc.path or 'the list'}. It has: {', '.join(have) or 'none'}."
            )
    new = [one for one in have if name_of(one) not in gone]
    for tag in add:
        if name_of(tag) not in map(name_of, new):
            new.append(tag)
    old = data[start:end]
    return () if new == have else (Edit(start, old, _like(old, new, doc.newline)),)


def _like(old: bytes, tags: Sequence[str], newline: bytes) -> bytes:
    """Return tags written as those of `old`: one a line with its bullets, or in one line with commas."""
    names = [tag.encode() for tag in tags]
    if b"\n" not in old:
        lead = old[: len(old) - len(old.lstrip())]
        tail = old[len(old.rstrip()) :] if old.strip() else b" "
        return lead + (b"; " if b";" in old else b", ").join(names) + tail
    first = re.search(rb"\n([ \t]*(?:[-*+][ \t]+)?#?)[^\s#*+-][^,;\n]*,", old)
    if first:  # several a line
        return newline + first[1] + b", ".join(names) + newline
    bullet = re.search(rb"\n([ \t]*(?:[-*+][ \t]+)?#?)\w", old)
    return newline + b"".join((bullet[1] if bullet else b"") + name + newline for name in names)


def _comment(doc: Document) -> tuple[int, int] | None:
    for block in doc.blocks:
        if block.kind == "comment" and (
            found := TAGS_COMMENT.match(doc.data, block.content[0][0], block.end)
        ):
            return found.span(1)
    return None


def _labels(doc: Document) -> tuple[int, int] | None:
    block = lead_of(doc.root)
    if block is None:
        return None
    start = block.content[0][0]
    found = labels_line(doc.data[start : block.end])
    if found is None:
        return None
    begin, end = found[1]
    if b"#" in doc.data[start + begin : start + end]:
        return None  # words with #, which a comment adds to
    return start + begin, start + end


def _front(doc: Document) -> tuple[int, int] | None:
    for block in doc.blocks:
        if (
            block.kind == "front"
            and (found := _FRONT.search(doc.data, block.start, block.end))
            and found[3].strip()
        ):
            if found[1].rstrip().endswith(b"=") or b'"' in found[3] or b"'" in found[3]:
                raise ListError(
                    f"The tags of {doc.path or 'the list'} are quoted in its front matter. Edit them by hand."
                )
            return found.span(3)
    return None


def tags_at(doc: Document, entry: Entry) -> Iterator[TagAt]:
    """Yield where the tags of an entry stand, in their order, without those of entries nested in it."""
    block = doc.block_of(entry)
    return _tokens(doc, entry, block, cell_of(doc, block, "tags") if block.kind == "row" else None)


def _tokens(
    doc: Document, entry: Entry, block: Block, column: tuple[int, int, int] | None
) -> Iterator[TagAt]:
    """Yield the tags that stand in an entry, in their order, without those of entries nested in it."""
    data = doc.data
    links = [
        (link.span, TAG_LINK.search(link.url) if link.mention is None else None, link)
        for link in entry.links
    ]
    nested = [e.span for e in doc.entries if block.start < e.span[0] < block.end]
    taken = [*(span for span, _, _ in links), *nested]

    def is_free(at: int) -> bool:
        return not any(start <= at < end for start, end in taken)

    found = [TagAt(*span, tag[1], "link") for span, tag, _ in links if tag]
    text = data[block.start : block.end].decode()
    at = [block.start]
    for match in HASHTAG.finditer(text):
        start = block.start + len(text[: match.start()].encode())
        if is_free(start):
            end = start + len(match[0].encode())
            if data[start - 1 : start] == data[end : end + 1] == b"`":
                start, end = start - 1, end + 1
            found.append(TagAt(start, end, match[1], "hash"))
    head = head_of(block)
    if head is not None and head.content:
        begin, end = head.content[-1]
        for tag, (a, b) in trailing_code(data[begin:end]):
            if is_free(begin + a) and not any(one.start == begin + a for one in found):
                found.append(TagAt(begin + a, begin + b, tag, "code"))
    if column is not None:
        at[0] = column[0]
        cell = data[column[0] : column[1]]
        if b"#" not in cell and not any(column[0] <= one.start < column[1] for one in found):
            for match_ in re.finditer(rb"[^,;]+", cell):
                inner = match_[0].strip()
                start = column[0] + match_.start() + match_[0].index(inner) if inner else 0
                if inner:
                    found.append(
                        TagAt(start, start + len(inner), inner.decode().strip("`*_"), "cell")
                    )
    yield from sorted(found, key=lambda token: token.start)


def cut_tags(doc: Document, cuts: Sequence[TagAt], stay: Sequence[TagAt]) -> Iterator[Edit]:
    """Yield edits that take tags out, each with the blank or comma that sets it apart; a line of nothing else goes whole."""
    data = doc.data
    left: list[tuple[int, int]] = []
    for token in cuts:
        before = re.search(rb"[ \t]*[,;]?[ \t]*$", data[max(0, token.start - 20) : token.start])
        after = re.match(rb"[ \t]*[,;]?[ \t]*", data[token.end : token.end + 20])
        lead = len(before[0]) if before else 0
        line_start = data.rfind(b"\n", 0, token.start) + 1
        first_in_line = not data[line_start : token.start - lead].strip(b" \t*+->|")
        first_in_cell = (
            token.kind == "cell" and data[token.start - lead - 1 : token.start - lead] == b"|"
        )
        if first_in_line or first_in_cell:
            tail = after[0] if after and token.end + len(after[0]) < len(data) else b""
            if first_in_cell and data[token.end + len(tail) : token.end + len(tail) + 1] == b"|":
                tail = b""
            left.append((token.start, token.end + len(tail)))
        else:
            left.append((token.start - lead, token.end))
    kept_lines = {data.count(b"\n", 0, token.start) for token in stay}
    at = 0
    for start, end in _merged(left):
        line_start = data.rfind(b"\n", 0, start) + 1
        line_end = data.find(b"\n", end) + 1 or len(data)
        rest = data[line_start:line_end]
        for a, b in reversed(_merged(left)):
            if line_start <= a and b <= line_end:
                rest = rest[: a - line_start] + rest[b - line_start :]
        alone = re.fullmatch(rb"[ \t]+(?:[-*+][ \t]*)?(?:\w+:)?\s*", rest)
        if alone and data.count(b"\n", 0, start) not in kept_lines:
            start, end = line_start, line_end
        if start >= at:
            yield Edit(start, data[start:end], b"")
            at = end


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order, those that touch as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            first, last = merged.pop()
            start, end = first, max(last, end)
        merged.append((start, end))
    return merged


def _added(
    doc: Document,
    block: Block,
    own: Sequence[TagAt],
    add: Sequence[str],
    column: tuple[int, int, int] | None,
) -> Edit | None:
    """Return the edit that writes tags behind those of the entry, or where other entries have theirs."""
    data = doc.data
    in_cell = [token for token in own if column and column[0] <= token.start < column[1]]
    own = in_cell or ([] if column else own)
    if own:
        sample, at = own[-1], own[-1].end
        gap = data[own[-2].end : own[-1].start] if len(own) > 1 else b""
        gap = (
            gap
            if gap.strip(b" \t") in (b"", b",", b";") and gap
            else b", "
            if sample.kind == "cell"
            else b" "
        )
        if not column and sample.kind != "link" and gap.strip():
            gap = b" "
        return Edit(at, b"", b"".join(gap + tag_like(doc, sample, tag) for tag in add))
    if column is not None:
        return _in_column(doc, block, add, column)
    example = _example(doc, block.kind)
    if example is None:
        return None
    other, sample = example
    words = b" ".join(tag_like(doc, sample, tag) for tag in add)
    head = head_of(other)
    if block.kind == "row" or head is None or head_of(block) is None:
        return None
    if sample.start < head.content[-1][1]:  # in the line of the title
        mine = head_of(block)
        assert mine is not None
        start, end = mine.content[-1]
        return Edit(start + len(data[start:end].rstrip()), b"", b" " + words)
    lead = data[data.rfind(b"\n", 0, sample.start) + 1 : sample.start]
    lead = re.split(rb"[#`\[]", lead)[0]
    if block.width != other.width:
        return None
    return line_at(doc, block.end, lead + words)


def _in_column(doc: Document, row: Block, add: Sequence[str], column: tuple[int, int, int]) -> Edit:
    data = doc.data
    start, end, number = column
    others = [
        data[slice(*other.content[number])]
        for other in (row.parent.children[1:] if row.parent else [])
        if other is not row and number < len(other.content)
    ]
    filled = [cell for cell in others if cell.strip()]
    hashed = any(cell.lstrip().startswith(b"#") for cell in filled)
    code = any(cell.lstrip().startswith(b"`") for cell in filled)
    for tag in add:
        _refuse(tag, ",;|\n", "a column of tags")
    names = [
        b"#" + tag.encode() if hashed else b"`%s`" % tag.encode() if code else tag.encode()
        for tag in add
    ]
    sep = b" " if hashed else b"; " if any(b";" in cell for cell in filled) else b", "
    text = sep.join(names)
    return Edit(end, b"", sep + text) if start < end else fill(doc, start, end, text)


def _example(doc: Document, kind: str) -> tuple[Block, TagAt] | None:
    """Return the last tag of an entry that shows some as most of them do."""
    found: list[tuple[Block, TagAt]] = []
    for entry in reversed(doc.entries):
        if entry.tags:
            block = doc.block_of(entry)
            if block.kind == kind and (
                tokens := _apart(doc, block, list(_tokens(doc, entry, block, None)))
            ):
                found.append((block, tokens[-1]))
    if not found:
        return None
    [(most, _)] = Counter(token.kind for _, token in found).most_common(1)
    return next(one for one in found if one[1].kind == most)


def _apart(doc: Document, block: Block, tokens: Sequence[TagAt]) -> list[TagAt]:
    """Return the tags in the line of the title and those on lines of nothing else; `see #nlp` in a note says no tag's place."""
    head = head_of(block)
    end = head.content[-1][1] if head is not None and head.content else block.start
    lines: dict[int, list[TagAt]] = {}
    for token in tokens:
        lines.setdefault(doc.data.rfind(b"\n", 0, token.start) + 1, []).append(token)
    return [
        token
        for start, some in lines.items()
        for token in some
        if token.start < end or _LINE_OF_TAGS.fullmatch(_without(doc, start, some))
    ]


_LINE_OF_TAGS = re.compile(
    r"\s*(?:(?:[-*+>]|\d+[.)])\s+)*(?:[*_]*\w[\w ]*[*_]*[:：][*_]*)?[\s,;·]*"
)


def _without(doc: Document, start: int, tokens: Sequence[TagAt]) -> str:
    """Return the line that begins at `start` without some tags on it."""
    data = doc.data
    rest = b""
    for token in tokens:
        rest += data[start : token.start]
        start = token.end
    return (rest + data[start:].partition(b"\n")[0]).decode()


def tag_like(doc: Document, sample: TagAt, tag: str) -> bytes:
    """Return a tag as `sample` is written."""
    if sample.kind == "hash" and not HASHTAG.fullmatch(f"#{tag}"):
        better = re.sub(r"[^\w/-]+", "-", tag).strip("-") or "tag"
        raise UsageError(
            f"{tag!r} cannot be written as a #tag. Use letters, digits, - and /: {better}"
        )
    _refuse(tag, ",;|`[]()\n", "the tags of this list")
    if sample.kind == "code" and not re.fullmatch(r"[a-z][a-z0-9_+./-]*", tag):
        raise UsageError(
            f"{tag!r} would not be read as a tag again: this list writes `tag`, small letters and no spaces."
        )
    text = doc.data[sample.start : sample.end]
    return text.replace(sample.tag.encode(), tag.encode())


def _refuse(tag: str, letters: str, where: str) -> None:
    if bad := next((letter for letter in letters if letter in tag), None):
        raise UsageError(f"{tag!r} cannot stand in {where}: it holds {bad!r}. Choose another name.")


def _joined(doc: Document, cuts: list[Edit], added: Edit) -> list[Edit]:
    """Return edits that do not touch: an addition that falls into a cut becomes a part of it."""
    for number, cut in enumerate(cuts):
        if cut.start <= added.start <= cut.end and cut.old:
            return [*cuts[:number], Edit(cut.start, cut.old, added.new), *cuts[number + 1 :]]
    return [*cuts, added]
