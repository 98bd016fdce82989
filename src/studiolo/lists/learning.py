"""Templates learnt from the items and cells of a list: where they say what of their entry."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .blocks import Block
from .dates import year_said
from .entry import Entry
from .labels import is_label
from .links import Piece, Run, find_links
from .marks import Mark, plain_tokens, tree
from .states import BOX
from .style import head_of
from .template import NUMBER, SHAPE_URL, Group, Node, Slot, Template, Words, given_and_family
from .words import plain_words


LONGEST = 4000  # bytes of a text that is learnt from
_NO_DEFINITIONS: Mapping[str, str] = {}

_DATE = (
    r"(?:\d{{1,2}}[-./]){{1,2}}{0}(?!\d)|(?:(?:\d{{1,2}}\s)?[A-Z][a-z]{{2,8}}\.?,?\s(?:\d{{1,2}},?\s)?)?(?<![\d.]){0}"
    r"(?:[-./年]\d{{1,2}}月?(?!\d)(?:[-./]?\d{{1,2}}日?(?!\d))?)?(?!\d|\.\d{{3}})"
)
_MONTH = re.compile(r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|\d", re.IGNORECASE)
NUMBERED = re.compile(
    r"[(\[#]{0,2}(?!(?:19|20)\d\d\b|[12]\d(?:0[1-9]|1[0-2])\])(\d{1,4})(?:[)\].:]{1,2}\s+(?=\S)|\s*$)"
)
_ARXIV = re.compile(r"(?<![\w./:])arXiv(?:\s+preprint)?(?![\w:./-]*\w)", re.IGNORECASE)
_BY_BEFORE = re.compile(
    r"(?<!\w)(?:by|authors?\s?[:：]|作者\s?[:：]|([*_]{1,2})authors?(?:[:：]\1|\1\s?[:：]))\s*$",
    re.IGNORECASE,
)
_FOOTNOTE = re.compile(r"^[*†‡§¶♯#\d¹²³⁰-⁹\\]+|\s?\([^()]*\)")  # behind a name
_ET_AL = re.compile(
    r"(?:\s?\([^()]{0,80}\))?((?:\s*,)?\s*(?:\band others\b|\bet\.? al\b\.?|等|\.\.\.|…))",
    re.IGNORECASE,
)


def learn_item(
    data: bytes, block: Block, entry: Entry, definitions: Mapping[str, str]
) -> Template | None:
    """Return the template that an item of a list is an instance of, with the lines below it that name its people or link it.

    Args:
        definitions: of the addresses of its links, `[paper][7]`.
    """
    head = head_of(block)
    if head is None or _names_nothing(entry):
        return None
    text = Run(data, head.content).data
    if box := BOX.match(text):
        text = text[box.end() :].lstrip()
    own = learn(text, entry, whole=len(block.children) == 1, definitions=definitions)
    if own is None:
        return None
    indent = data[block.start : block.marker_at].decode("utf-8", "replace")
    below: list[tuple[str, Template]] = []
    at = head.content[-1][1]
    for child in block.children[1:]:
        words = (
            child if child.kind == "paragraph" else head_of(child) if child.kind == "item" else None
        )
        if words is None or len(child.children) > 1 or len(below) > 3:
            break
        said = {*own.roles, *(role for _, one in below for role in one.roles)}
        more = learn(
            Run(data, words.content).data,
            entry,
            whole=False,
            but=said - {"url"},
            definitions=definitions,
        )
        lead = data[at : words.content[0][0]].decode("utf-8", "replace").replace("\r", "")
        at = words.content[-1][1]
        if more is None or not lead.startswith("\n"):
            continue
        new = set(more.roles) - said
        when = new == {"year"} and _says_when(Run(data, words.content).data)
        if (when or {"authors", "url"} & new) and "url" not in said & set(more.roles):
            below.append((lead.replace(f"\n{indent}", "\n") if indent else lead, more))
    second = head.content[1:2]
    between = data[head.content[0][1] : second[0][0]] if second else b"\n"
    between = between.replace(b"\r", b"")
    return Template(
        own.nodes,
        own.roles,
        tuple(below),
        between.decode("utf-8", "replace").replace(f"\n{indent}", "\n"),
        own.number,
        block.text_at - block.marker_at,
    )


def _says_when(text: bytes) -> bool:
    words = re.sub(r"^(?:year|date|published|venue)\s?[:：]\s*", "", plain_words(text), flags=re.I)
    return year_said(words) is not None


def _names_nothing(entry: Entry) -> bool:
    title = entry.title.rstrip(" :：")
    return not title or title != entry.title or (is_label(title) and title.isalpha())


def learn(
    data: bytes,
    entry: Entry,
    *,
    whole: bool = True,
    but: Collection[str] = (),
    definitions: Mapping[str, str] = _NO_DEFINITIONS,
) -> Template | None:
    """Return the template that `data`, one text of `entry`, is an instance of; None where it has no place for anything.

    Args:
        whole: whether there is no more text that says something of the entry.
        but: what other texts of it say already, for which there is no second place.
    """
    if len(data) > LONGEST:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    pieces = find_links(data, definitions)
    links = [_as_text(data, piece) for piece in pieces]
    main = _main(links, text, entry)
    slots = [place for place in _places(text, entry, links, main) if place[2].role not in but]
    if main is None and not slots:
        return None
    if whole and main is not None and not slots and text.strip(" <>") != main.piece.url:
        return None  # a link whose words say nothing
    nodes = tree(_tokens(text, links, main, slots, entry))
    roles = tuple(dict.fromkeys(role for _, _, slot in slots for role in (slot.role,)))
    number = NUMBERED.match(text)
    return Template(
        nodes, (*roles, *(("url",) if main else ())), number=int(number[1]) if number else None
    )


@dataclass(slots=True)
class _Link:
    kind: str
    start: int
    end: int
    inner: tuple[int, int]
    piece: Piece


def _as_text(data: bytes, piece: Piece) -> _Link:
    def at(offset: int) -> int:
        return len(data[:offset].decode())

    start, end = piece.text
    return _Link(piece.kind, at(piece.start), at(piece.end), (at(start), at(end)), piece)


def _main(links: Sequence[_Link], text: str, entry: Entry) -> _Link | None:
    """Return the link that leads to the work: the one to its key whose words are its title, else the first to it."""
    usable = [
        link for link in links if link.kind in ("inline", "bare", "auto", "html", "reference")
    ]
    to_it = [x for x in usable if x.piece.mention and x.piece.mention.key == entry.key]
    titled = [x for x in usable if _find_title(text[slice(*x.inner)], entry.title)]
    both = [x for x in to_it if x in titled]
    if both or to_it:
        return (both or to_it)[0]
    return titled[0] if titled and entry.key is None else None


def _find_title(text: str, title: str) -> re.Match[str] | None:
    if not title or len(title) > 1000:
        return None
    parts: list[str] = []
    for char in title.strip(")]}.,:; 《》【】"):
        if char.isspace():
            parts.append(r"[\s*_`]+")
        elif char == "&":
            parts.append("&(?:amp;)?")
        elif char in "<>":
            parts.append("(?:<|&lt;)" if char == "<" else "(?:>|&gt;)")
        elif char.isalnum():
            parts.append(char)
        else:
            parts.append(r"\\?" + re.escape(char))
        if not char.isspace():
            parts.append(r"[*_`~]{0,3}")
    return re.search("".join(parts[:-1]), text)


def _places(
    text: str, entry: Entry, links: Sequence[_Link], main: _Link | None
) -> list[tuple[int, int, Slot]]:
    """Return where a text says what of its entry, in order, none inside another."""
    found: list[tuple[int, int, Slot]] = []
    if number := NUMBERED.match(text):
        shown = number[0].rstrip()
        found.append((0, len(shown), Slot("number", lead=shown.replace(number[1], NUMBER, 1))))
    hidden = [
        (x.start, x.end) if x is not main else (x.inner[1], x.end)
        for x in links
        if x is not main or x.kind == "inline" or x.kind == "reference"
    ]
    if main is not None and main.kind in ("bare", "auto"):
        hidden.append((main.start, main.end))
    if main is not None and main.kind == "html":
        hidden.append((main.start, main.inner[0]))

    def free(start: int, end: int) -> bool:
        taken = [*hidden, *((a, b) for a, b, _ in found)]
        return all(end <= a or start >= b for a, b in taken)

    title = None
    if main is not None and main.kind not in ("bare", "auto"):
        title = _find_title(text[: main.inner[1]][main.inner[0] :], entry.title)
        if title is not None:
            at = main.inner[0]
            found.append((at + title.start(), at + title.end(), Slot("title")))
    if entry.name and entry.title in entry.name and (whole := _find_title(text, entry.name)):
        found.append((*whole.span(), Slot("name")))
    at = 0
    while title is None and (match := _find_title(text[at:], entry.title)):
        start, end = at + match.start(), at + match.end()
        within = any(x.inner[0] <= start and end <= x.inner[1] for x in links)
        if free(start, end) or (within and main is None):
            found.append((start, end, Slot("title")))
            break
        at += match.start() + 1
    if entry.name and not any(slot.role == "name" for _, _, slot in found):
        for match in re.finditer(rf"(?<![^\W_]){re.escape(entry.name)}(?![^\W_])", text):
            if free(*match.span()):
                found.append((*match.span(), Slot("name")))
                break
    if entry.authors and (place := _find_authors(text, entry.authors)) and free(*place[:2]):
        found.append(place)
    if entry.year:
        short = rf"['’]\s?{entry.year % 100:02d}(?!\d)"
        for match in re.finditer(f"{_DATE.format(entry.year)}|{short}", text):
            start, end = match.span()
            lead = match[0].partition(str(entry.year))[0] if start + 3 < end else ""
            if lead and not _MONTH.match(lead):
                start += len(lead)  # a venue, not a month
            if free(start, end):
                found.append((start, end, Slot("year")))
                break
    for match in _ARXIV.finditer(text):
        if free(*match.span()):
            found.append((*match.span(), Slot("venue", lead=match[0])))
    return sorted(found, key=lambda place: place[0])


def _find_authors(text: str, authors: tuple[str, ...]) -> tuple[int, int, Slot] | None:
    spans: list[tuple[int, int]] = []
    turned = 0
    undotted = not any("." in person for person in authors)  # Doe J, Moe K.
    at = 0
    for person in authors:
        given, family = given_and_family(person)
        forms = [f"(?P<turned>{_spelled(family)},\\s+{_spelled(given)})"] if given else []
        names = "|".join([*forms, _spelled(person)])
        match = re.compile(rf"(?<![^\W_])(?:{names})(?![^\W_])\.?").search(text, at)
        if match is None:
            return None
        turned += turned == len(spans) and bool(given) and match["turned"] is not None
        end = match.end()
        if text[end - 1] == "." and (undotted or text[end - 2 : end - 1].islower()):
            end -= 1  # a full stop, not an initial's
        spans.append((match.start(), end))
        at = end
    slot = Slot("authors", shown=len(spans), turned=turned)
    joints = [_FOOTNOTE.sub("", text[a:b]) for (_, a), (b, _) in pairwise(spans)]
    if joints:
        slot.joint, slot.last = joints[0], joints[-1]
        if len(joints) == 1 and re.search(r"and|&", slot.last) and turned < len(spans):
            slot.joint = ", "
    start, end = spans[0][0], spans[-1][1]
    if others := _ET_AL.match(text, end):
        slot.others = others[1]
        end = others.end()
    if by := _BY_BEFORE.search(text[:start]):
        slot.lead, start = by[0], by.start()
    return start, end, slot


def _spelled(name: str) -> str:
    return re.escape(name).replace(r"\ ", r"\s+")


def _tokens(
    text: str,
    links: Sequence[_Link],
    main: _Link | None,
    slots: Sequence[tuple[int, int, Slot]],
    entry: Entry,
) -> list[Node | Mark]:
    out: list[Node | Mark] = []
    at = 0
    stops: list[tuple[int, int, Slot | _Link]] = sorted(
        [
            *((start, end, slot) for start, end, slot in slots),
            *((x.start, x.end, x) for x in links),
        ],
        key=lambda stop: (stop[0], -stop[1]),
    )
    for start, end, what in stops:
        if start < at:
            continue
        out += plain_tokens(text, at, start)
        at = end
        if isinstance(what, Slot):
            out.append(what)
        elif what is main:
            node = _main_node(text, what, slots)
            out.append(node)
            if isinstance(node, Group) and node.closed == "</a>" and text.startswith("</a>", end):
                at = end + len("</a>")
        elif (key := _same_arxiv(what, entry)) is not None and main is not None:
            shown = text[slice(*what.inner)]
            group = Group("[", f"]({what.piece.url})", [], "also", shown, key)
            if what.kind == "bare":
                group = Group(_id_lead(shown), "", [], "also", "", key)
            labelled = what.kind == "bare" or is_label(plain_words(shown.encode()))
            out.append(group if labelled else Words("word", ""))
        elif inside := [slot for slot in slots if start < slot[0] and slot[1] < end]:
            out += _around(text, what.inner, inside)  # it leads elsewhere; its words are wanted
        else:
            if what.kind == "html" and text.startswith("</a>", end):
                at = end + 4
            out.append(Words("word", text[start:end]))
    out += plain_tokens(text, at, len(text))
    return out


def _id_lead(text: str) -> str:
    """Return what stands before an id that is written for an address: arXiv:"""
    lead = re.match(r"arxiv:\s?", text, re.IGNORECASE)
    return lead[0] if lead else ""


def _same_arxiv(link: _Link, entry: Entry) -> str | None:
    mention = link.piece.mention
    if mention is None or mention.key != entry.key:
        return None
    if link.kind != "inline" and not (link.kind == "bare" and _id_lead(link.piece.url)):
        return None
    return mention.key.value if mention.key.kind == "arxiv" else None


def _main_node(text: str, link: _Link, slots: Sequence[tuple[int, int, Slot]]) -> Node:
    if link.kind in ("bare", "auto"):
        lead = "<" if link.kind == "auto" else _id_lead(text[link.start : link.end])
        return Slot("url", lead=lead)
    start, end = link.inner
    inside = [slot for slot in slots if start <= slot[0] and slot[1] <= end]
    if all(slot.role == "venue" for _, _, slot in inside):
        inside = []
    key = link.piece.mention.key.value if link.piece.mention else ""
    group = Group("[", "", [], "main", text[start:end], key)
    if link.kind == "html":
        tag = text[link.start : start]
        if tag.count(link.piece.url) == 1 and "<img" not in text[start:end]:
            group.opened, group.closed = tag.replace(link.piece.url, SHAPE_URL), "</a>"
    if inside:
        group.inner = tree(_around(text, link.inner, inside))
    return group


def _around(
    text: str, span: tuple[int, int], slots: Sequence[tuple[int, int, Slot]]
) -> list[Node | Mark]:
    """Return a stretch of text as tokens, with slots where they are."""
    tokens: list[Node | Mark] = []
    at, end = span
    for a, b, slot in slots:
        tokens += plain_tokens(text, at, a)
        tokens.append(slot)
        at = b
    return tokens + plain_tokens(text, at, end)
