"""The text of an item with places for what it says, learnt from one that stands in a list.

Marks, brackets, labels and separators stay as their author wrote them; words that say something of that one work
(a venue, a description, a link to its code) are left out together with the brackets around them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from studiolo.keys import find_mention

from .style import Item, address, destination, escape
from .words import plain_words


Role = Literal["number", "title", "name", "authors", "year", "venue", "url"]
NUMBER = "\ue010"  # stands in a text for the number of an item, until its neighbours are counted


@dataclass(slots=True)
class Slot:
    """A place for one thing that an item says."""

    role: Role
    lead: str = ""  # what belongs before it: by
    joint: str = ", "  # between authors, and before the last
    last: str = ", "
    shown: int = 0  # how many authors stand before `others`
    turned: int = 0  # how many of them have their family name first: Doe, Jane
    others: str = ""  # et al.


@dataclass(slots=True)
class Words:
    """Words of that one work, which are left out, or what separates."""

    kind: Literal["sep", "word"]
    text: str


@dataclass(slots=True)
class Group:
    """What stands in brackets, quotation marks, emphasis, tags or a link; it goes where nothing in it is said."""

    opened: str
    closed: str = ""
    inner: list[Node] = field(default_factory=list)
    link: Literal["main", "also"] | None = None
    label: str = ""  # what a link shows that names nothing
    key: str = ""  # value of the key that a further link to the same paper has


Node = Slot | Words | Group


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
        manner: that with several people.
        core: how the title and the link stand in it.
    """

    nodes: list[Node]
    roles: tuple[Role, ...]
    below: tuple[tuple[str, Template], ...] = ()
    indent: str = "\n"
    number: int | None = None
    width: int = 0
    shape: str = ""
    manner: str = ""
    core: str = ""

    def __post_init__(self) -> None:
        self.roles = (*self.roles, *(role for _, more in self.below for role in more.roles))
        self.shape = self.write(_SHAPE, SHAPE_URL)
        self.manner = self.write(
            replace(_SHAPE, authors=("Ann One", "Bo Two", "Cy Three")), SHAPE_URL
        )
        bare = replace(_SHAPE, authors=(), year=None, name=None)
        self.core = self.write(bare, SHAPE_URL)

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

    def without(self, role: Role) -> Template:
        """Return this template without the places of a role."""
        below = tuple((lead, more.without(role)) for lead, more in self.below)
        roles = tuple(one for one in self.roles if one != role)
        return replace(self, nodes=_without(self.nodes, role), roles=roles, below=below)

    def unturned(self) -> Template:
        """Return this template with given names first."""
        below = tuple((lead, more.unturned()) for lead, more in self.below)
        return replace(self, nodes=_unturned(self.nodes), below=below)

    @property
    def bare(self) -> bool:
        """Whether it is an address and nothing else."""
        return self.shape.strip("<>") == SHAPE_URL

    @property
    def link_says_name(self) -> bool:
        """Whether its link shows the short name, so that the title takes its place where there is none."""
        links = [
            node for node in walk(self.nodes) if isinstance(node, Group) and node.link == "main"
        ]
        inside = {n.role for link in links for n in walk(link.inner) if isinstance(n, Slot)}
        return "name" in inside and "title" not in inside

    def says(self, item: Item) -> int:
        """Return how much of `item` this has a place for."""
        known = {"title": item.title, "name": item.name, "authors": item.authors, "year": item.year}
        return sum(bool(known.get(role)) for role in self.roles)


def _without(nodes: Sequence[Node], role: Role) -> list[Node]:
    return [
        Words("word", "")
        if isinstance(node, Slot) and node.role == role
        else replace(node, inner=_without(node.inner, role))
        if isinstance(node, Group)
        else node
        for node in nodes
    ]


def _unturned(nodes: Sequence[Node]) -> list[Node]:
    return [
        replace(node, turned=0)
        if isinstance(node, Slot)
        else replace(node, inner=_unturned(node.inner))
        if isinstance(node, Group)
        else node
        for node in nodes
    ]


_SHAPE = Item("\ue001", "", "\ue002", ("\ue003",), 1111)
SHAPE_URL = "\ue004"


def walk(nodes: Sequence[Node]) -> Iterator[Node]:
    """Yield nodes and those in them."""
    for node in nodes:
        yield node
        if isinstance(node, Group):
            yield from walk(node.inner)


def _join(nodes: Sequence[Node], item: Item, url: str, *, whole: bool = True) -> str:
    """Return the text of nodes; between two that say something stands what stood there.

    Args:
        whole: whether they are all there is, and not what stands in brackets or emphasis.
    """
    out = ""
    run: list[str | None] = []  # separators, None for words that were left out
    told = False  # whether words were left out since, and not links and brackets alone
    for node in nodes:
        if isinstance(node, Words) and node.kind == "sep":
            run.append(node.text)
            continue
        said = None if isinstance(node, Words) else _said(node, item, url)
        if said is None:
            run.append(None)
            told |= isinstance(node, Words) and node.text[:1] not in ("", "[", "<", "!")
            continue
        between = _between(run, out, said)
        mark = between.lstrip()[:1]
        if (mark == "." and _STOPS.search(out)) or (mark == "," and _COMMA.search(out)):
            between = between.lstrip()[1:]  # the title has its own
        out += between + said
        run, told = [], False
    end = _ending(run, whole=whole, told=told) if out else ""
    return out + ("" if end.startswith(".") and _STOPS.search(out) else end)


_SENTENCE = re.compile(r"[.!?][*_\"”’]*$")
_STOPS = re.compile(r"\.[*_\"”]*$")
_COMMA = re.compile(r",[*_\"”]*$")


def _between(run: Sequence[str | None], before: str, said: str) -> str:
    if None not in run:
        return "".join(text for text in run if text)
    if not before:
        return ""
    first, last = run[0], run[-1]
    texts = [text for text in run if text is not None]
    broken = next((text for text in texts if "\n" in text or "<br" in text.lower()), None)
    if broken is not None:
        return broken
    if said[0] in "[(（【\\" and last:
        return last
    if first and (first.strip() or _SENTENCE.search(before)):
        return first
    if last and re.match(r"\.[,;:]", last):
        return last[1:]  # the full stop is that of what was left out: et al.
    return last or first or (" " if texts else "")


def _ending(run: Sequence[str | None], *, whole: bool, told: bool) -> str:
    text = "".join(piece for piece in run if piece).rstrip()
    if None in run:
        first, last = run[0] or "", run[-1] or ""
        stops = last.strip() == "." and (not whole or first[:1] == "." or not told)
        return "." if stops else ""
    return re.sub(r"[\s\-–—|·/,:]+$" if whole else r"[\s\-–—|·/]+$", "", text)


def _said(node: Slot | Group | Words, item: Item, url: str) -> str | None:
    if isinstance(node, Words):
        return None
    if isinstance(node, Slot):
        return _filled(node, item, url)
    if node.link == "also":
        return _also(node, url)
    inner = _join(node.inner, item, url, whole=False)
    if node.link == "main":
        text = inner or _label(node, url)
        if node.closed:  # a tag
            return node.opened.replace(SHAPE_URL, html.escape(address(url))) + text + node.closed
        return f"{node.opened}{text}]({destination(url)})"
    return f"{node.opened}{inner}{node.closed}" if inner else None


def _filled(slot: Slot, item: Item, url: str) -> str | None:
    if slot.role == "number":
        return slot.lead
    if slot.role == "url":
        if slot.lead.endswith(":") and url != SHAPE_URL:
            return _as_id(slot.lead, url) or url
        return f"<{url}>" if slot.lead == "<" else url
    if slot.role == "title":
        return escape(item.title) if item.title else None
    if slot.role == "name":
        return escape(item.name) if item.name else None
    if slot.role == "year":
        return str(item.year) if item.year else None
    if slot.role == "venue":
        return slot.lead if _key_kind(url) == "arxiv" else None
    if not item.authors:
        return None
    turned = len(item.authors) if 0 < slot.turned == slot.shown > 1 else slot.turned
    people = [escape(_turned(p) if i < turned else p) for i, p in enumerate(item.authors)]
    others = ""
    if slot.others and len(people) > slot.shown:
        people, others = people[: slot.shown], slot.others
    if url == SHAPE_URL:
        others = slot.others
    text = slot.joint.join(people[:-1])
    if text:
        text += (slot.joint if others else slot.last) + people[-1]
    else:
        text = people[-1]
    return slot.lead + text + others


_PARTICLE = re.compile(
    r"(?: (?:van|von|de[nrsl]?|di|da|dos|du|la|le|ten|ter|el|al|bin|ben))+$", re.IGNORECASE
)


def given_and_family(person: str) -> tuple[str, str]:
    """Return the two parts of a name, what goes with the family name (van, de) in that."""
    given, _, family = person.rpartition(" ")
    particle = _PARTICLE.search(given)
    at = particle.start() if particle else len(given)
    return given[:at], person[at:].strip() if particle else family


def _turned(person: str) -> str:
    given, family = given_and_family(person)
    return f"{family}, {given}" if given and "," not in person else person


def _key_kind(url: str) -> str:
    mention = find_mention(url)
    return mention.key.kind if mention else ""


# labels that fit any paper, and those that fit the pages of one host
_ANY_PAPER = frozenset({
    "paper", "papers", "pdf", "link", "links", "url", "abs", "abstract", "preprint", "here", "this", "html", "text", "article",
    "manuscript", "publication", "document", "doc", "download", "read", "source",
})  # fmt: skip
_ANY_PAPER_IN = re.compile("论文|链接|原文|文章|地址|論文|논문")
_HOSTS = ("arxiv", "openreview", "doi", "acl", "github", "youtube", "pmlr", "cvf", "reddit")


_BADGE = re.compile(r"!\[([^\]]*)\]\([^()\s]*\)")


def _label(node: Group, url: str) -> str:
    """Return the label of a link: as it is where it fits the address, else `paper` in its capitals."""
    badge = _BADGE.fullmatch(node.label.strip())
    words = (badge[1] if badge else plain_words(node.label.encode())).casefold()
    if url == SHAPE_URL or not (badge or re.search(r"\w", words)):
        return node.label
    if "://" in words or words.startswith("www."):
        return url
    mention = find_mention(url)
    kind = mention.key.kind if mention else ""
    if mention and node.key and node.key in node.label and kind == "arxiv":
        return node.label.replace(node.key, mention.key.value)
    fits = (
        not _ANY_PAPER.isdisjoint(re.findall(r"[^\W\d_]+", words))
        or _ANY_PAPER_IN.search(words) is not None
        or (kind in _HOSTS and kind in words)
    )
    if fits and not re.search(r"\d", words):
        return node.label
    if badge:
        return "paper"
    lettered = re.search(r"[^\W\d_]+[\w\s.:'-]*", node.label) or re.search(
        r"\w+[\w.:/-]*", node.label
    )
    plain = "Paper" if lettered and lettered[0][0].isupper() else "paper"
    return node.label.replace(lettered[0], plain, 1) if lettered else plain


def _as_id(lead: str, url: str) -> str | None:
    """Return what names a paper by its id, `arXiv:1706.03762`."""
    mention = find_mention(url)
    return lead + mention.key.value if mention and mention.key.kind == "arxiv" else None


def _also(node: Group, url: str) -> str | None:
    """Return a further link to the same paper, where the address of the new one can be made of its id."""
    if not node.closed:
        return _as_id(node.opened, url) if url != SHAPE_URL else node.opened
    if url == SHAPE_URL:
        return f"[{node.label}](\ue005)"
    mention = find_mention(url)
    if mention is None or mention.key.kind != "arxiv":
        return None
    old = node.closed[2:-1]
    new = re.sub(re.escape(node.key) + r"(?:v\d+)?", mention.key.value, old)
    return f"[{node.label}]({new})" if new != old else None
