"""The text of an item with places for what it says, learnt from one that stands in a list.

Marks, brackets, labels and separators stay as their author wrote them; words that say something of that one work
(a venue, a description, a link to its code) are left out together with the brackets around them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from studiolo.keys import find_mention

from .blocks import Block
from .entry import Entry
from .links import Piece, Run, find_links
from .states import BOX
from .style import Item, destination, escape, head_of
from .titles import is_label, title_from_url
from .words import plain_words


Role = Literal["number", "title", "name", "authors", "year", "venue", "url"]
LONGEST = 4000  # bytes of a text that is learnt from

_PAIRS = {
    "(": ")", "[": "]", "{": "}", "“": "”", "«": "»", "（": "）", "【": "】", "《": "》", "「": "」", "『": "』", "\\[": "]",
    "\\(": ")",
}  # fmt: skip
_CLOSES = {*_PAIRS.values(), "\\]", "\\)"}
_TOKEN = re.compile(
    r"""(?P<tag><!--.*?-->|</?[a-zA-Z][^<>]{0,500}>)
    |(?P<escaped>\\[\[\]()])
    |(?P<bracket>[()\[\]{}“”«»（）【】《》「」『』])
    |(?P<toggle>\*{1,3}|~~|`+|"|(?<![^\W_])_{1,3}|_{1,3}(?![^\W_]))
    |(?P<sep>(?:\s|\\(?=\n)|[,.;:!?，。；：、|·•/‖–—-](?!\w)|(?<!\w)[-–—|·•/‖](?=\s))+)
    |(?P<word>(?:\\.|[^\s()\[\]{}“”«»（）【】《》「」『』*`"<\\,.;:!?，。；：、]|(?<=\w)[,.:/!?;](?=\w))+)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_DATE = (
    r"(?:\d{{1,2}}[-./]){{1,2}}{0}(?!\d)|(?:(?:\d{{1,2}}\s)?[A-Z][a-z]{{2,8}}\.?,?\s(?:\d{{1,2}},?\s)?)?(?<![\d.]){0}"
    r"(?:[-./年]\d{{1,2}}月?(?!\d)(?:[-./]?\d{{1,2}}日?(?!\d))?)?(?!\d)"
)
_MONTH = re.compile(r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|\d", re.IGNORECASE)
NUMBERED = re.compile(r"[(\[#]{0,2}(?!(?:19|20)\d\d\b)(\d{1,4})(?:[)\].:]{1,2}\s+(?=\S)|\s*$)")
NUMBER = "\ue010"  # stands in a text for the number of an item, until its neighbours are counted
_ARXIV = re.compile(r"(?<![\w./:])arXiv(?:\s+preprint)?(?![\w:./-]*\w)", re.IGNORECASE)
_BY_BEFORE = re.compile(r"(?<!\w)(?:by|authors?\s?[:：]|作者\s?[:：])\s*$", re.IGNORECASE)
_ET_AL = re.compile(
    r"(?:\s?\([^()]{0,80}\))?((?:\s*,)?\s*(?:\band others\b|\bet\.? al\b\.?|等|\.\.\.|…))",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Slot:
    role: Role
    lead: str = ""  # what belongs before it: by, arXiv
    joint: str = ", "  # between authors, and before the last
    last: str = ", "
    shown: int = 0  # how many authors stand before `others`
    others: str = ""  # et al.


@dataclass(slots=True)
class _Text:
    kind: Literal["sep", "word", "label"]
    text: str


@dataclass(slots=True)
class _Group:
    opened: str
    closed: str = ""
    inner: list[_Node] = field(default_factory=list)
    link: Literal["main", "also"] | None = None
    label: str = ""  # what a link shows that names nothing
    key: str = ""  # value of the key that a further link to the same paper has


_Node = _Slot | _Text | _Group


@dataclass(slots=True)
class Template:
    """A text with places.

    Attributes:
        roles: what it says, in order.
        below: further paragraphs and items that say something of the work, each with what stands before it: newlines,
            indent and marker.
        indent: newline and indent of its second line.
        number: the number that its words begin with.
        width: of the marker before it and its spaces.
        shape: the text with its places unfilled: two that look alike have one shape.
        core: how the title and the link stand in it.
    """

    nodes: list[_Node]
    roles: tuple[Role, ...]
    below: tuple[tuple[str, Template], ...] = ()
    indent: str = "\n"
    number: int | None = None
    width: int = 0
    shape: str = ""
    core: str = ""

    def __post_init__(self) -> None:
        self.roles = (*self.roles, *(role for _, more in self.below for role in more.roles))
        self.shape = self.write(_SHAPE, _SHAPE_URL)
        bare = replace(_SHAPE, authors=(), year=None, name=None)
        self.core = self.write(bare, _SHAPE_URL)

    def write(self, item: Item, url: str | None = None) -> str:
        """Return the text of `item`, on as many lines as the template has."""
        url = item.url if url is None else url
        if not item.name and self.link_says_name:
            item = replace(item, name=item.title, title="")
        text = _join(self.nodes, item, url).strip().replace("\n", self.indent)
        for lead, more in self.below:
            if said := more.write(item, url):
                text += lead + said
        return text

    @property
    def link_says_name(self) -> bool:
        """Whether its link shows the short name, so that the title takes its place where there is none."""
        links = [
            node for node in _walk(self.nodes) if isinstance(node, _Group) and node.link == "main"
        ]
        inside = {n.role for link in links for n in _walk(link.inner) if isinstance(n, _Slot)}
        return "name" in inside and "title" not in inside

    def says(self, item: Item) -> int:
        """Return how much of `item` this has a place for."""
        known = {"title": item.title, "name": item.name, "authors": item.authors, "year": item.year}
        return sum(bool(known.get(role)) for role in self.roles)


_SHAPE = Item("\ue001", "", "\ue002", ("\ue003",), 1111)
_SHAPE_URL = "\ue004"


def _walk(nodes: Sequence[_Node]) -> Iterator[_Node]:
    for node in nodes:
        yield node
        if isinstance(node, _Group):
            yield from _walk(node.inner)


def learn_item(data: bytes, block: Block, entry: Entry) -> Template | None:
    """Return the template that an item of a list is an instance of, with the lines below it that name its people or link it."""
    head = head_of(block)
    if head is None or _names_nothing(entry):
        return None
    text = Run(data, head.content).data
    if box := BOX.match(text):
        text = text[box.end() :].lstrip()
    own = learn(text, entry, whole=len(block.children) == 1)
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
        more = learn(Run(data, words.content).data, entry, whole=False)
        lead = data[at : words.content[0][0]].decode("utf-8", "replace").replace("\r", "")
        at = words.content[-1][1]
        if more is None or not lead.startswith("\n"):
            continue
        said = {*own.roles, *(role for _, one in below for role in one.roles)}
        if {"authors", "url"} & (set(more.roles) - said) and not (
            said & set(more.roles) - {"venue"}
        ):
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


def _names_nothing(entry: Entry) -> bool:
    title = entry.title.rstrip(" :：")
    return not title or title != entry.title or (is_label(title) and title.isalpha())


def learn(
    data: bytes, entry: Entry, labels: Iterable[str] = (), *, whole: bool = True
) -> Template | None:
    """Return the template that `data`, one text of `entry`, is an instance of; None where it has no place for anything.

    Args:
        labels: words such as `Paper:` that stand before a place and stay.
        whole: whether there is no more text that says something of the entry.
    """
    if len(data) > LONGEST:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    pieces = find_links(data, {})
    links = [_as_text(data, piece) for piece in pieces]
    main = _main(links, text, entry)
    slots = _places(text, entry, links, main)
    if main is None and not slots:
        return None
    if whole and main is not None and not slots and text.strip(" <>") != main.piece.url:
        return None  # a link whose words say nothing
    nodes = _tree(_tokens(text, links, main, slots, entry, frozenset(labels)))
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
) -> list[tuple[int, int, _Slot]]:
    """Return where a text says what of its entry, in order, none inside another."""
    found: list[tuple[int, int, _Slot]] = []
    if number := NUMBERED.match(text):
        shown = number[0].rstrip()
        found.append((0, len(shown), _Slot("number", lead=shown.replace(number[1], NUMBER, 1))))
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
            found.append((at + title.start(), at + title.end(), _Slot("title")))
    at = 0
    while title is None and (match := _find_title(text[at:], entry.title)):
        start, end = at + match.start(), at + match.end()
        if free(start, end):
            found.append((start, end, _Slot("title")))
            break
        at += match.start() + 1
    if entry.name:
        for match in re.finditer(rf"(?<!\w){re.escape(entry.name)}(?!\w)", text):
            if free(*match.span()):
                found.append((*match.span(), _Slot("name")))
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
                found.append((start, end, _Slot("year")))
                break
    for match in _ARXIV.finditer(text):
        if free(*match.span()):
            found.append((*match.span(), _Slot("venue", lead=match[0])))
    return sorted(found, key=lambda place: place[0])


def _find_authors(text: str, authors: tuple[str, ...]) -> tuple[int, int, _Slot] | None:
    spans: list[tuple[int, int]] = []
    at = 0
    for person in authors:
        *given, family = person.split()
        first = " ".join(given)
        forms = "|".join(
            re.escape(form).replace(r"\ ", r"\s+")
            for form in (person, f"{family}, {first}", f"{first} {family}")
        )
        match = re.compile(rf"(?<!\w)(?:{forms})(?!\w)\.?").search(text, at)
        if match is None:
            return None
        end = match.end()
        if text[end - 1] == "." and text[end - 2 : end - 1].islower():
            end -= 1  # a full stop, not an initial's
        spans.append((match.start(), end))
        at = end
    slot = _Slot("authors", shown=len(spans))
    joints = [text[a:b] for (_, a), (b, _) in pairwise(spans)]
    if joints:
        slot.joint, slot.last = joints[0], joints[-1]
        if len(joints) == 1 and re.search(r"and|&", slot.last):
            slot.joint = ", "
    start, end = spans[0][0], spans[-1][1]
    if others := _ET_AL.match(text, end):
        slot.others = others[1]
        end = others.end()
    if by := _BY_BEFORE.search(text[:start]):
        slot.lead, start = by[0], by.start()
    return start, end, slot


@dataclass(slots=True)
class _Mark:
    """A bracket, an emphasis mark or a tag on its way into a tree."""

    text: str
    kind: str
    opens: bool
    closes: bool


def _tokens(
    text: str,
    links: Sequence[_Link],
    main: _Link | None,
    slots: Sequence[tuple[int, int, _Slot]],
    entry: Entry,
    labels: frozenset[str],
) -> list[_Node | _Mark]:
    out: list[_Node | _Mark] = []
    at = 0
    stops: list[tuple[int, int, _Slot | _Link]] = sorted(
        [
            *((start, end, slot) for start, end, slot in slots),
            *((x.start, x.end, x) for x in links),
        ],
        key=lambda stop: (stop[0], -stop[1]),
    )
    for start, end, what in stops:
        if start < at:
            continue
        out += _plain_tokens(text, at, start, labels)
        at = end
        if isinstance(what, _Slot):
            out.append(what)
        elif what is main:
            out.append(_main_node(text, what, slots))
        elif (key := _same_arxiv(what, entry)) is not None and main is not None:
            shown = text[slice(*what.inner)]
            group = _Group("[", f"]({what.piece.url})", [], "also", shown, key)
            out.append(group if is_label(plain_words(shown.encode())) else _Text("word", ""))
        else:
            if what.kind == "html" and text.startswith("</a>", end):
                at = end + 4
            out.append(_Text("word", text[start:end]))
    out += _plain_tokens(text, at, len(text), labels)
    return out


def _same_arxiv(link: _Link, entry: Entry) -> str | None:
    mention = link.piece.mention
    if link.kind != "inline" or mention is None or mention.key != entry.key:
        return None
    return mention.key.value if mention.key.kind == "arxiv" else None


def _main_node(text: str, link: _Link, slots: Sequence[tuple[int, int, _Slot]]) -> _Node:
    if link.kind in ("bare", "auto"):
        return _Slot("url", lead="<" if link.kind == "auto" else "")
    start, end = link.inner
    inside = [slot for slot in slots if start <= slot[0] and slot[1] <= end]
    if all(slot.role == "venue" for _, _, slot in inside):
        inside = []
    key = link.piece.mention.key.value if link.piece.mention else ""
    group = _Group("[", "", [], "main", text[start:end], key)
    tokens: list[_Node | _Mark] = []
    at = start
    for a, b, slot in inside:
        tokens += _plain_tokens(text, at, a, frozenset())
        tokens.append(slot)
        at = b
    if inside:
        tokens += _plain_tokens(text, at, end, frozenset())
        group.inner = _tree(tokens)
    return group


def _plain_tokens(text: str, start: int, end: int, labels: frozenset[str]) -> list[_Node | _Mark]:
    out: list[_Node | _Mark] = []
    for match in _TOKEN.finditer(text, start, end):
        kind, words = match.lastgroup, match[0]
        if kind == "sep":
            out.append(_Text("sep", words))
        elif kind == "tag":
            if re.match(r"<br", words, re.IGNORECASE):
                out.append(_Text("sep", words))
            elif words.startswith("<!") or re.match(r"<(?:img|a)\b", words, re.IGNORECASE):
                out.append(_Text("word", words))
            else:
                name = re.sub(r"[</>]|\s.*", "", words).lower()
                out.append(_Mark(words, f"<{name}>", words[1] != "/", words[1] == "/"))
        elif kind in ("bracket", "escaped"):
            closes = words in _CLOSES
            out.append(_Mark(words, words.lstrip("\\"), not closes, closes))
        elif kind == "toggle":
            before, after = text[: match.start()][-1:], text[match.end() :][:1]
            opens = bool(after.strip()) and (not before.isalnum() or words[0] in "*`")
            closes = bool(before.strip())
            out.append(_Mark(words, words, opens, closes))
        elif words in labels or (out and f"{_last_word(out)} {words}" in labels):
            out.append(_Text("label", words))
        else:
            out.append(_Text("word", words))
    return out


def _last_word(out: Sequence[_Node | _Mark]) -> str:
    words = [node.text for node in out[-2:] if isinstance(node, _Text) and node.kind != "sep"]
    return words[-1] if words else ""


def _tree(tokens: Sequence[_Node | _Mark]) -> list[_Node]:
    """Return the tokens with what stands in brackets or emphasis as groups; marks without their other half are words."""
    stack: list[tuple[_Mark | None, list[_Node]]] = [(None, [])]
    for token in tokens:
        if not isinstance(token, _Mark):
            stack[-1][1].append(token)
            continue
        if token.closes:
            depth = next(
                (
                    i
                    for i in range(len(stack) - 1, 0, -1)
                    if (mark := stack[i][0]) is not None and _match(mark, token)
                ),
                None,
            )
            if depth is not None:
                while len(stack) - 1 > depth:
                    _, inner = stack.pop()
                    stack[-1][1].extend([_Text("word", ""), *inner])
                opener, inner = stack.pop()
                assert opener is not None
                stack[-1][1].append(_Group(opener.text, token.text, inner))
                continue
        if token.opens:
            stack.append((token, []))
        else:
            stack[-1][1].append(_Text("word", token.text))
    while len(stack) > 1:
        _, inner = stack.pop()
        stack[-1][1].extend([_Text("word", ""), *inner])
    return stack[0][1]


def _match(opener: _Mark, closer: _Mark) -> bool:
    if opener.kind in _PAIRS:
        return _PAIRS[opener.kind] == closer.kind
    return opener.kind == closer.kind


def _join(nodes: Sequence[_Node], item: Item, url: str) -> str:
    """Return the text of nodes; between two that say something stands what stood there."""
    out = ""
    run: list[str | None] = []  # separators, None for words that were left out
    label = ""
    for node in nodes:
        if isinstance(node, _Text) and node.kind == "sep":
            if label:
                label += node.text
            else:
                run.append(node.text)
            continue
        if isinstance(node, _Text) and node.kind == "label":
            label += node.text
            continue
        said = None if isinstance(node, _Text) else _said(node, item, url)
        if said is None:
            run.append(None)
            label = ""
            continue
        out += _between(run, bool(out), said) + label + said
        run, label = [], ""
    return out + _ending(run)


def _between(run: Sequence[str | None], follows: bool, said: str) -> str:
    if None not in run:
        return "".join(text for text in run if text)
    if not follows:
        return ""
    first, last = run[0], run[-1]
    texts = [text for text in run if text is not None]
    broken = next((text for text in texts if "\n" in text or "<br" in text.lower()), None)
    if broken is not None:
        return broken
    if said[0] in "[(（【\\" and last:
        return last
    if first and first.strip():
        return first
    return last or first or (" " if texts else "")


def _ending(run: Sequence[str | None]) -> str:
    text = "".join(piece for piece in run if piece).rstrip()
    if None in run:
        first, last = run[0] or "", run[-1] or ""
        return "." if first.startswith(".") and last.strip() == "." else ""
    return re.sub(r"[\s\-–—|:,·/]+$", "", text)


def _said(node: _Slot | _Group | _Text, item: Item, url: str) -> str | None:
    if isinstance(node, _Text):
        return None
    if isinstance(node, _Slot):
        return _filled(node, item, url)
    if node.link == "also":
        return _also(node, url)
    inner = _join(node.inner, item, url)
    if node.link == "main":
        text = inner or _label(node, url)
        return f"{node.opened}{text}]({destination(url)})"
    return f"{node.opened}{inner}{node.closed}" if inner else None


def _filled(slot: _Slot, item: Item, url: str) -> str | None:
    if slot.role == "number":
        return slot.lead
    if slot.role == "url":
        return f"<{url}>" if slot.lead else url
    if slot.role == "title":
        return escape(item.title) if item.title else None
    if slot.role == "name":
        return escape(item.name) if item.name else None
    if slot.role == "year":
        return str(item.year) if item.year else None
    if slot.role == "venue":
        return slot.lead if url == _SHAPE_URL or _key_kind(url) == "arxiv" else None
    if not item.authors:
        return None
    people = [escape(person) for person in item.authors]
    others = ""
    if slot.others and len(people) > slot.shown:
        people, others = people[: slot.shown], slot.others
    if url == _SHAPE_URL:
        others = slot.others
    text = slot.joint.join(people[:-1])
    if text:
        text += (slot.joint if others else slot.last) + people[-1]
    else:
        text = people[-1]
    return slot.lead + text + others


def _key_kind(url: str) -> str:
    mention = find_mention(url)
    return mention.key.kind if mention else ""


_KINDS = {
    "arxiv": "arxiv", "openreview": "openreview", "doi": "doi", "acl": "acl", "github": "github", "youtube": "youtube",
}  # fmt: skip
_VAGUE = frozenset(
    {
        "paper",
        "pdf",
        "link",
        "url",
        "abs",
        "abstract",
        "preprint",
        "here",
        "this",
        "论文",
        "链接",
        "html",
    }
)


def _label(node: _Group, url: str) -> str:
    """Return the label of a link: as it is where it fits the address, else `paper` in its capitals."""
    if url == _SHAPE_URL:
        return node.label
    words = plain_words(node.label.encode()).casefold()
    if "://" in words or words.startswith("www."):
        return url
    kind = _key_kind(url)
    old = node.key
    new = (find_mention(url) or _NOTHING).key.value if kind else ""
    if old and old in node.label and kind == "arxiv":
        return node.label.replace(old, new)
    if re.search(r"\d", words):
        words = re.sub(r"[^\w\s]|\d", " ", words).strip()
    elif words in _VAGUE or not any(word in words for word in _KINDS):
        return node.label
    if any(word in words and kind == meant for word, meant in _KINDS.items()) and not re.search(
        r"\d", node.label
    ):
        return node.label
    lettered = re.search(r"[^\W\d_]+[\w\s.:'-]*", node.label)
    plain = "Paper" if lettered and lettered[0][0].isupper() else "paper"
    return node.label.replace(lettered[0], plain, 1) if lettered else plain


@dataclass(frozen=True)
class _Key:
    value: str = ""


@dataclass(frozen=True)
class _Nothing:
    key: _Key = _Key()


_NOTHING = _Nothing()


def _also(node: _Group, url: str) -> str | None:
    """Return a further link to the same paper, where the address of the new one can be made of its id."""
    if url == _SHAPE_URL:
        return f"[{node.label}](\ue005)"
    mention = find_mention(url)
    if mention is None or mention.key.kind != "arxiv":
        return None
    old = node.closed[2:-1]
    new = re.sub(re.escape(node.key) + r"(?:v\d+)?", mention.key.value, old)
    return f"[{node.label}]({new})" if new != old else None


def bare_title(item: Item) -> str:
    """Return the title that an item has whose text is its address alone."""
    return title_from_url(item.url)
