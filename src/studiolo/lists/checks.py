"""What is wrong with a list, each with the place and what to do.

| check | level | says |
| --- | --- | --- |
| `broken-link` | error | a link that Markdown does not see, or that leads nowhere |
| `dead-link` | error | a relative link to a file that is not there |
| `not-utf8` | error | the bytes are not UTF-8, so the list can only be shown |
| `merge` | error | both sides of a merge that git could not make, so the list can only be shown |
| `dead-anchor` | warning | a link to a heading that is not there |
| `twice` | warning | one paper on two places |
| `empty-section` | warning | a heading with nothing below it |
| `unknown-host` | warning | a host of which Studiolo cannot tell what is one paper |
| `not-read` | warning | links to papers that stand in no entry |
| `unanswered-question` | warning | a `Q:` without an `A:` |
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from studiolo.collector import collector_paused
from studiolo.keys import Key, host_of, knows_host

from .document import Document
from .drafts import Draft, Part
from .edits import merged_at
from .elements import Heading, Link, Question
from .entry import Entry
from .links import fold_label
from .parse import Reader
from .parts import PART_NEXT
from .sections import Section
from .texts import Text


ERROR, WARNING = "error", "warning"
CHECKS = {
    "broken-link": ERROR,
    "dead-link": ERROR,
    "not-utf8": ERROR,
    "merge": ERROR,
    "dead-anchor": WARNING,
    "twice": WARNING,
    "empty-section": WARNING,
    "unknown-host": WARNING,
    "not-read": WARNING,
    "unanswered-question": WARNING,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where, what, and what to do about it."""

    check: str
    path: str
    line: int
    says: str
    do: str

    @property
    def level(self) -> str:
        """error or warning."""
        return CHECKS[self.check]

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.check}: {self.says} {self.do}"


_TOPIC = re.compile(r"(?:^|/)topics/[^/]+\.(?:md|markdown)$", re.IGNORECASE)
Answered = Callable[[Entry | None, Question], bool]


def check(docs: Sequence[Document], *, answered: Answered | None = None) -> list[Fault]:
    """Return what is wrong with `docs`, sorted by place; papers are compared across all of them.

    Args:
        answered: says whether something outside of the lists answers a question.
    """
    with collector_paused():
        return _check(docs, answered)


def _check(docs: Sequence[Document], answered: Answered | None) -> list[Fault]:
    found: list[Fault] = []
    first: dict[tuple[Key, str | None], tuple[str, int]] = {}
    for doc in docs:
        name = str(doc.path or "<list>")
        if not doc.writable:
            found.append(
                Fault(
                    "not-utf8",
                    name,
                    1,
                    "The file is not UTF-8.",
                    "Convert it, for example with iconv.",
                )
            )
        if line := merged_at(doc.data):
            found.append(
                Fault(
                    "merge",
                    name,
                    line,
                    "Both sides of a merge that git could not make.",
                    "Keep what you want of the two, and delete the lines that begin with <<<<<<<, ======= and >>>>>>>.",
                )
            )
        reader = Reader(doc.data, doc.root)
        hosts: dict[str, tuple[int, int]] = {}
        owners: dict[int, Draft] = {}
        anchors: list[tuple[str, int]] = []
        files: dict[str, bool] = {}
        outside: list[Link] = []
        empty: Section | None = (
            None  # a section with nothing of its own, whose next may be a part of it
        )
        for part in reader.parts():
            if empty is not None and part.section.level <= empty.level:
                found.append(_empty_section(empty, name))
            empty = part.section if _is_empty(part, doc.data) else None
            found += _broken_links(part, reader.definitions, name)
            found += _dead_links(part, doc.path, files, anchors, name)
            found += _twice(part, first, name)
            _count_hosts(part, hosts)
            outside += part.outside
            owners |= {question.line: d for d in part.drafts for question in d.questions}
        if empty is not None:
            found.append(_empty_section(empty, name))
        found += _dead_anchors(anchors, reader.headings, doc.data, name)
        found += _unknown_hosts(hosts, name)
        if outside:
            found.append(_not_read(outside, name))
        for question in reader.questions:
            draft = owners.get(question.line)
            if question.answer is None and not (
                answered and answered(reader.entry(draft) if draft else None, question)
            ):
                found.append(_open_question(question, name))
    order = {str(doc.path or "<list>"): i for i, doc in enumerate(docs)}
    return sorted(found, key=lambda f: (order[f.path], f.line, f.check, f.says))


_CODE = re.compile(rb"(?<!`)(`++)(?!`)([^`]+)\1(?!`)")
_BROKEN = (
    (
        re.compile(rb"\[[^\[\]\n]{1,500}\][ \t]+\((?:https?://|www\.)[^\s()]{1,2000}\)"),
        "There is a space between ] and (, so this is not a link:",
        "Remove the space.",
    ),
    (
        re.compile(rb"(?<!\])\([^()\n]{1,500}\)\[(?:https?://|www\.)[^\s\[\]]{1,2000}\]"),
        "The brackets are swapped:",
        "Write [text](address).",
    ),
    (
        re.compile(
            rb"\[[^\[\]()\n]{1,500}\((?:https?://|www\.)[^\s()\[\]]{1,2000}\)(?![^\[\n]{0,500}\])"
        ),
        "A ] is missing before the address:",
        "Write [text](address).",
    ),
    (
        re.compile(rb"(?<=\])\((?:https?://|www\.)[^\n()]{0,2000}(?:\n|$)"),
        "The ) after the address is missing:",
        "Close the parenthesis.",
    ),
    (
        re.compile(
            rb"(?<=\])\([ \t]*(?:https?://|www\.)[^\s()]{1,2000}[ \t]+[^\s\"'()][^()\n]{0,500}\)"
        ),
        "The address contains a space, so this is not a link:",
        "Write %20 for the space, or put the address in <…>.",
    ),
)
_REFERENCE = re.compile(rb"\[([^\[\]\n]{1,300})\]\[([^\[\]\n^]{1,300})\]")
_BAD_SCHEME = re.compile(
    r"https?(?!://)[:/;]|htt?ps?:/[^/]|https?:///|htp|hhttp|https?://https?:?/?/?", re.IGNORECASE
)


def _broken_links(part: Part, definitions: dict[str, str], name: str) -> Iterator[Fault]:
    for text in part.texts:
        for at, says, do in _broken_in(text, definitions):
            yield Fault("broken-link", name, text.line + text.run.line(at), says, do)
    for link in (*part.links, *part.images):
        if link.kind == "wiki":
            continue
        if not link.url.strip() and link.kind != "image":
            yield Fault(
                "broken-link",
                name,
                link.line,
                f"The link {_shown(link.text)} has no address.",
                "Write one between ( and ).",
            )
        elif _BAD_SCHEME.match(link.url):
            yield Fault(
                "broken-link",
                name,
                link.line,
                f"The address {_shown(link.url)} is misspelt.",
                "Write http:// or https://.",
            )


def _broken_in(text: Text, definitions: dict[str, str]) -> Iterator[tuple[int, str, str]]:
    data = text.run.data
    outside, at = [], 0
    for piece in text.pieces:
        outside.append(data[at : piece.start])
        at = max(at, piece.start if piece.kind in ("bare", "auto") else piece.end)
    around = b"".join([*outside, data[at:]])
    if b"(" not in around and b"[" not in around:
        return
    masked = bytearray(data)
    for match in _CODE.finditer(data):
        masked[match.start() : match.end()] = b"." * len(match[0])
    for piece in text.pieces:
        if piece.kind not in ("bare", "auto"):
            masked[piece.start : piece.end] = b"." * (piece.end - piece.start)
    view = bytes(masked)
    seen: set[int] = set()
    for pattern, says, do in _BROKEN:
        for match in pattern.finditer(view):
            if match.end() not in seen:
                seen.add(match.end())
                yield match.start(), f"{says} {_shown(match[0].decode('utf-8', 'replace'))}.", do
    if definitions:
        for match in _REFERENCE.finditer(view):
            if fold_label(match[2]) not in definitions:
                label = match[2].decode("utf-8", "replace")
                yield (
                    match.start(),
                    f"The reference [{label}] is not defined.",
                    f"Add a line [{label}]: address.",
                )


def _dead_links(
    part: Part, path: Path | None, known: dict[str, bool], anchors: list[tuple[str, int]], name: str
) -> Iterator[Fault]:
    """Yield the files that are not there; links to headings go to `anchors`, since a heading may follow."""
    folder = path.parent if path else None
    for link in (*part.links, *part.images):
        url = link.url.strip()
        if (
            link.kind in ("wiki", "bare", "auto")
            or not url
            or link.mention
            or re.match(r"[a-z][a-z0-9+.-]*:|//", url, re.I)
        ):
            continue
        target, _, anchor = url.partition("#")
        target = unquote(target.partition("?")[0])
        if not target:
            anchors.append((anchor, link.line))
        elif (
            folder is not None
            and not target.startswith("/")
            and "\0" not in target
            and len(target) < 1000
        ):
            if target not in known:
                known[target] = _exists(folder / target)
            if not known[target]:
                yield Fault(
                    "dead-link",
                    name,
                    link.line,
                    f"{target} does not exist.",
                    "Make the page of the topic (studiolo topics --make), or correct or remove the link."
                    if _TOPIC.search(target)
                    else "Write that file, or correct or remove the link.",
                )


def _exists(path: Path) -> bool:
    try:
        return path.exists() or path.with_name(path.name + ".md").exists()
    except OSError:
        return False


def _dead_anchors(
    anchors: list[tuple[str, int]], headings: list[Heading], data: bytes, name: str
) -> Iterator[Fault]:
    known = _anchors(headings, data) if anchors else set()
    for anchor, line in anchors:
        if unquote(anchor).lower().strip("-") not in known:
            yield Fault(
                "dead-anchor",
                name,
                line,
                f"There is no heading for #{anchor}.",
                "Link to a heading that exists.",
            )


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub makes of the first heading of a text."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-").strip("-")


def _anchors(headings: list[Heading], data: bytes) -> set[str]:
    """Return the anchors of a document as GitHub makes them from headings, and those given by hand."""
    found: set[str] = set()
    counts: Counter[str] = Counter()
    for heading in sorted(headings, key=lambda heading: heading.span):
        slug = anchor_of(heading.text)
        found.add(f"{slug}-{counts[slug]}" if counts[slug] else slug)
        counts[slug] += 1
    for match in re.finditer(
        rb"<[a-z][^<>]{0,300}?\s(?:id|name)\s*=\s*[\"']?([^\"'\s<>]{1,200})",
        data,
        re.IGNORECASE,
    ):
        found.add(match[1].decode("utf-8", "replace").lower().strip("-"))
    return {*found, "top", ""}


def _count_hosts(part: Part, first: dict[str, tuple[int, int]]) -> None:
    for draft in part.drafts:
        for link in draft.links:
            mention = link.mention
            if (
                mention is None
                or mention.key.kind != "url"
                or mention.key.names_paper
                or knows_host(link.url)
            ):
                continue
            if host := host_of(link.url):
                line, count = first.get(host, (link.line, 0))
                first[host] = (line, count + 1)


def _unknown_hosts(first: dict[str, tuple[int, int]], name: str) -> Iterator[Fault]:
    for host, (line, count) in first.items():
        more = f" ({count} links)" if count > 1 else ""
        yield Fault(
            "unknown-host", name, line, f"{host}{more} is not a host on which Studiolo knows papers.",
            "If it is not a paper, nothing is wrong; otherwise link the paper itself (arXiv, DOI) beside it.",
        )  # fmt: skip


def _twice(
    part: Part, first: dict[tuple[Key, str | None], tuple[str, int]], name: str
) -> Iterator[Fault]:
    for draft in part.drafts:
        key = draft.key
        if key is None:
            continue
        paths = (m.path for link in draft.links if (m := link.mention) and m.key == key)
        here = (name, draft.block.line)
        there = first.setdefault((key, next(paths, None)), here)
        if there is not here:
            where, line = there
            yield Fault(
                "twice",
                name,
                draft.block.line,
                f"{key} is also at {where}:{line}.",
                "Keep one of them, and link to it from the other place.",
            )


def _is_empty(part: Part, data: bytes) -> bool:
    section = part.section
    return (
        bool(section.path)
        and all(block.kind in ("comment", "rule") for block in section.blocks)
        and not PART_NEXT.match(data, section.body)
        and not any(link.line == section.line for link in part.links)
    )


def _empty_section(section: Section, name: str) -> Fault:
    return Fault(
        "empty-section",
        name,
        section.line,
        f"There is nothing below {section.path[-1]!r}.",
        "Add something, or remove the heading.",
    )


def _not_read(outside: Sequence[Link], name: str) -> Fault:
    return Fault(
        "not-read", name, outside[0].line, f"{said_outside(outside)}",
        "Write each as an item, with its title and its link, if it belongs to the list.",
    )  # fmt: skip


def said_outside(outside: Sequence[Link]) -> str:
    """Return the sentence that says how many links to papers are in no entry, and where."""
    lines = list(dict.fromkeys(link.line for link in outside))
    shown = ", ".join(map(str, lines[:5])) + (", …" if len(lines) > 5 else "")
    links = (
        "1 link to a paper stands" if len(outside) == 1 else f"{len(outside)} links to papers stand"
    )
    return f"{links} outside of entries (line{'s' if len(lines) > 1 else ''} {shown})."


def _open_question(question: Question, name: str) -> Fault:
    return Fault(
        "unanswered-question",
        name,
        question.line,
        f"“{_shown(question.text)}” is open.",
        "Write the answer below it, starting with A:.",
    )


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "…"
