"""What an entry links besides its paper, as a reader scans it: `code owner/name`, `talk 21:37`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from markupsafe import Markup, escape

from studiolo.keys import Mention
from studiolo.lists import Entry, folded_tag


WEB = ("http://", "https://")
_ADDRESS = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]}'’”]")
_LONGEST = 48  # letters of an address that are shown


@dataclass(frozen=True, slots=True)
class Chip:
    """A link in a word or two.

    Attributes:
        kind: paper, code, talk, post, page (of the library) or link.
        text: what is shown. url: where it leads, a timestamp with it.
    """

    kind: str
    text: str
    url: str


def chips_of(entry: Entry) -> list[Chip]:
    """Return what an entry links, its paper first, each address once; links within its library stay relative.

    A link to the page of a tag is left out: the entry has that tag. A page that is called as the entry is shows its file's name.
    """
    tags = {folded_tag(tag) for tag in entry.tags}
    found: dict[str, Chip] = {}
    for link in entry.links:
        url = link.url.strip()
        if url.startswith(WEB):
            chip = _chip(url, link.mention)
        elif ":" not in url and url.partition("#")[0].casefold().endswith(".md"):
            name = url.partition("#")[0].rpartition("/")[2]
            if folded_tag(name[: -len(".md")]) in tags:
                continue
            text = _without_images(link.text)
            chip = Chip("page", name if text in ("", entry.title) else text, url)
        else:
            continue
        found.setdefault(url, chip)
    order = ("paper", "code", "talk", "post", "page", "link")
    return sorted(found.values(), key=lambda chip: order.index(chip.kind))


def _without_images(text: str) -> str:
    """Return the words of a link, for an image what it says of itself."""
    return " ".join(_IMAGE.sub(r"\1", text).split())


_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")


def _chip(url: str, mention: Mention | None) -> Chip:
    key = mention.key if mention else None
    if key is not None and (say := _SAY.get(key.kind)):
        return Chip(*say(key.value, url), url)
    if key is not None and key.names_paper:
        return Chip("paper", _HOSTS.get(key.kind) or _host(url), url)
    return Chip("link", short_address(url), url)


_HOSTS = {"acl": "ACL", "pmlr": "PMLR", "cvf": "CVF"}


def _host(url: str) -> str:
    return short_address(url).partition("/")[0]


def _talk(value: str, url: str) -> tuple[str, str]:
    seconds = _seconds(url)
    if not seconds:
        return "talk", "talk"
    hours, rest = divmod(seconds, 3600)
    minutes = f"{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
    return "talk", f"talk at {f'{hours}:' if hours else ''}{minutes}"


def _seconds(url: str) -> int:
    """Return the time that an address of a talk begins at; 0 where it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return 0
    for query in (parts.query, parts.fragment):
        fields = parse_qs(query)
        for name in ("t", "start"):
            text = fields.get(name, [""])[0]
            found = re.fullmatch(r"(?:(\d{1,3})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s?)?", text, re.ASCII)
            if found and text:
                return sum(
                    int(n or 0) * s for n, s in zip(found.groups(), (3600, 60, 1), strict=True)
                )
    return 0


_SAY: Mapping[str, Callable[[str, str], tuple[str, str]]] = {
    "arxiv": lambda value, url: ("paper", f"arXiv {value}"),
    "doi": lambda value, url: ("paper", "DOI"),
    "openreview": lambda value, url: ("paper", "OpenReview"),
    "github": lambda value, url: ("code", value),
    "youtube": _talk,
    "reddit": lambda value, url: ("post", "Reddit"),
    "x": lambda value, url: ("post", "X"),
}


def short_address(url: str) -> str:
    """Return an address without its scheme, cut where it is long."""
    text = url.partition("://")[2].removeprefix("www.").rstrip("/")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def linked_text(text: str) -> Markup:
    """Return text as HTML in which web addresses are links; everything else in it is escaped."""
    parts: list[Markup] = []
    at = 0
    for found in _ADDRESS.finditer(text):
        parts.append(escape(text[at : found.start()]))
        shown = short_address(found[0])
        parts.append(Markup('<a href="{}" rel="noreferrer">{}</a>').format(found[0], shown))
        at = found.end()
    parts.append(escape(text[at:]))
    return Markup("").join(parts)
