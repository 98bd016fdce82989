"""Title, short name, authors and year, in the many forms that people write them.

The seed list alone has five: `["Title" - year - authors -](url)`, `Name - title - year - url`,
`[Title](url) - year`, a bare address, and `Name - year - ["Title" - year - authors](url)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from carrel.lists.hosts import Mention, find_mention
from carrel.lists.inline import Piece
from carrel.lists.keys import words
from carrel.lists.text import drop_images, plain, strip_marks


@dataclass(frozen=True, slots=True)
class Naming:
    """What an item calls its work."""

    title: str
    name: str | None = None
    authors: tuple[str, ...] = ()
    year: int | None = None


@dataclass(slots=True)
class _Part:
    """A stretch of a head between two separators."""

    text: str
    link: Mention | None = None
    is_link: bool = False
    aside: bool = False  # a link in brackets of its own: ([pdf](…))
    bold: bool = False


LABELS = words(
    """
    abs abstract acl acm arxiv author's blog blogpost blog-post book bib bibtex bilibili card cite
    citation code codes colab data dataset datasets demo demos doc docs download github gitlab hf
    home homepage html http huggingface hugging-face ieee implementation intro keras issue link
    links log logs medium model models neurips news notebook notes openreview official overview
    page paper papers pdf poster post pr preprint presentation project project-page ps pytorch
    reddit repo repository review site slides source springer stars summary supplement
    supplementary talk tensorflow thread tutorial twitter url video videos web webpage website
    weights wiki wikipedia writeup x youtube here this 论文 代码 项目 链接 主页
    """
)
_SEPARATOR = re.compile(r"(?:(?<=\s)|^)[-–—|·•‖/:]+(?=\s|$)|(?:\s--\s)|\u0000")
_YEAR_PART = re.compile(
    r"[(\[]?\s*((?:19|20)\d\d)(?:[-./年]\s?(?:0?[1-9]|1[0-2])月?(?:[-./]\d\d?)?)?\s*[)\]]?[.,:]?"
)
_LEAD_DATE = re.compile(
    r"[(\[]?((?:19|20)\d\d)(?:[-./](?:0[1-9]|1[0-2])(?:[-./]\d\d)?)?[)\]]?[:.,]?\s+(?=\S)|[(\[]((?:19|20)\d\d)[)\]]\s*"
)
_YEAR_IN_PARENS = re.compile(r"[(\[]([^()\[\]]{0,60})[)\]]")
_YEAR = re.compile(r"(?<![\d.:/-])((?:19|20)\d\d)(?![\d:/]|\.\d)")
_SHORT_YEAR = re.compile(r"(?:[A-Z][A-Za-z]{2,9})\s?['’](\d\d)(?!\d)")
_QUOTED = re.compile(r"[\"“„«‘]([^\"“”„«»\x00]{3,400})[\"”»’]")
_NUMBERING = re.compile(r"^(?:\[\d{1,4}\]|\(\d{1,4}\)|#\d{1,4}[.:]?|\d{1,4}[.)])\s+")
_DECORATION = re.compile(
    "^(?:\\[[ xX/~-]\\]\\s+|[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f\u200d\u200e\u200f\u2190-\u21ff\u23e9-\u23fa]+\\s*|:[a-z0-9_+-]{2,40}:\\s*)+"
)
_SHORTCODE = re.compile(r":[a-z0-9_+-]{2,40}:|[\u2600-\u27bf\u2b50\U0001f300-\U0001faff\ufe0f]")
_ORGANISATION = re.compile(
    r"\b(?:AI|Research|University|Institute|Labs?|Laborator(?:y|ies)|Inc|Google|Facebook|Meta|OpenAI|DeepMind|Microsoft|Nvidia|NVIDIA|"
    r"Amazon|Apple|Baidu|Tencent|Alibaba|IBM|Stanford|MIT|Berkeley|CMU|Oxford|Cambridge|College|School|Center|Centre|Group|Team|"
    r"Learning|Networks?|Models?|Neural|Deep|Conference|Journal|Proceedings|Transactions|Press|Workshop|Blog|Tutorial|Overview|Course|The|"
    r"Data|Science|Machine|Paper|Code|Page|Press|Theory|Introduction|Analysis|Methods?|Systems?)\b"
)
_PERSON = re.compile(
    r"(?:(?:[A-ZÀ-ÞĀ-Ž][\w'’.-]*|[A-Z]\.)\s+){0,3}(?:(?:de|da|del|della|der|den|di|dos|du|el|la|le|ten|ter|van|von|bin|al|zu|af|y|e)\s+){0,3}"
    r"[A-ZÀ-ÞĀ-Ž][\w'’-]*\.?(?:\s+(?:Jr|Sr|II|III)\.?)?"
)


_BY = re.compile(r"(?:by|authors?:?)\s+", re.IGNORECASE)
_NO_PERSON = re.compile(r"[?!=<>@#|\"“{}\[\]()]|\d")
_AND_OTHERS = re.compile(
    r"[\s,]*(?:\band\s+others\b|\bet\.?\s+al\b\.?|等|\.\.\.|…).*$", re.IGNORECASE | re.DOTALL
)
_AND = re.compile(r"\s+(?:and|und|et)\s+|\s*[&;]\s*|\s*,\s*and\s+")
_INITIALS = re.compile(r"(?:[A-Z]\.?[ -]?){1,4}")


def split_authors(text: str) -> tuple[str, ...]:
    """Return the people that `text` lists, or () if it does not read like a list of people."""
    text = text.strip().strip(".,;:- ")
    if by := _BY.match(text):
        text = text[by.end() :]
    if not text or len(text) > 4000 or _NO_PERSON.search(text) or _ORGANISATION.search(text):
        return ()
    text, others = _AND_OTHERS.subn("", text)
    people = [
        " ".join(person.split()) for person in _AND.sub(", ", text).split(",") if person.strip()
    ]
    if not people or not all(_PERSON.fullmatch(person) for person in people):
        return ()
    if (
        len(people) > 1
        and len(people) % 2 == 0
        and all(_INITIALS.fullmatch(p) for p in people[1::2])
    ):
        return tuple(
            f"{given} {family}" for family, given in zip(people[::2], people[1::2], strict=True)
        )
    if not others and sum(" " in person for person in people) * 2 < len(people):
        return ()  # one word each: not clearly people
    return tuple(people)


def title_from_url(url: str) -> str:
    """Return the best words that an address itself gives."""
    mention = find_mention(url)
    if mention and mention.key.kind == "github":
        inner = re.sub(r"^(?:tree|blob)/[^/]+/?", "", mention.path or "")
        owner_name = "/".join(
            [p for p in urlsplit(url if "://" in url else f"https://{url}").path.split("/") if p][
                :2
            ]
        )
        shown = owner_name if owner_name.lower() == mention.key.value else mention.key.value
        return f"{shown}: {inner}" if inner else shown
    if mention and mention.key.kind != "url":
        return str(mention.key)
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
    except ValueError:
        return url
    pieces = [piece for piece in unquote(parts.path).split("/") if piece]
    host = (parts.hostname or "").removeprefix("www.")
    if not pieces:
        return host or url
    stem = re.sub(
        r"\.(?:pdf|html?|md|php|aspx?|txt|ps|ipynb)$", "", pieces[-1], flags=re.IGNORECASE
    )
    if (
        stem.lower() in ("index", "home", "main", "paper", "full", "abstract", "pdf")
        and len(pieces) > 1
    ):
        stem = pieces[-2]
    words = " ".join(re.split(r"[-_+\s]+", stem)).strip()
    if re.search(r"[^\W\d_]{3,}", words) and not re.fullmatch(r"[0-9a-fA-F ]{12,}", words):
        return words
    return url


def is_label(text: str) -> bool:
    """Whether a link's text only says what kind of thing it leads to: `[pdf]`, `code`, `here`."""
    words = re.sub(r"[\[\](){}:.,!*_`\"'“”]", " ", text).lower().split()
    if not words:
        return True
    if len(words) <= 4 and all(
        w in LABELS or re.fullmatch(r"\d{1,3}|&|\+|and|the|v\d+", w) for w in words
    ):
        return True
    return (
        re.fullmatch(
            r"(?:arxiv:?\s*)?(?:\d{4}\.\d{4,5}|[a-z-]+/\d{7})(?:v\d+)?", text.strip(), re.I
        )
        is not None
    )


def read_naming(data: bytes, pieces: list[Piece]) -> Naming:
    """Read what the head of an item, `data` with the links `pieces`, calls its work."""
    parts = _parts(data, pieces)
    found = _find_title(parts)
    if found is None:
        return Naming(_title_of_links(parts, pieces), year=_year(parts))
    index, title, before, behind = found
    rest = [part for part in parts[index + 1 :] if not part.is_link or not is_label(part.text)]
    year = _year([_Part(before), _Part(behind), *parts[:index], *rest])
    quoted = _QUOTED.search(data.decode("utf-8", "replace")) is not None
    cites = (
        year is not None or quoted or any(part.link and part.link.key.names_paper for part in parts)
    )
    if not cites and not any(part.is_link for part in parts):
        title = " - ".join(part.text for part in parts)  # a thought, not a citation
        return Naming(title, year=None)
    name, authors = _name(parts[:index], before)
    if cites:
        for text in (behind, *(part.text for part in rest)):
            authors = authors or _authors_in(text)
    return Naming(title, name, authors if cites else (), year)


def _title_of_links(parts: list[_Part], pieces: list[Piece]) -> str:
    """Return the title of a head that is nothing but links: a label says less than an address."""
    links = [piece for piece in pieces if piece.kind != "image"]
    bare = next((piece.url for piece in links if piece.kind in ("bare", "auto")), None)
    url = bare or next((piece.url for piece in links if find_mention(piece.url)), None)
    if url is not None:
        return title_from_url(url)
    label = next((part.text for part in parts if part.text), None)
    return label or next((piece.url for piece in links), "")


def _parts(data: bytes, pieces: list[Piece]) -> list[_Part]:
    parts: list[_Part] = []
    at = 0
    end = len(data)
    for piece in pieces:
        if piece.start < at:
            continue
        _add_text(parts, data[at : piece.start])
        if piece.kind != "image":
            inner = data[slice(*piece.text)]
            words = plain(drop_images(inner) if b"![" in inner else inner)
            if (
                piece.kind in ("bare", "auto")
                or words == piece.url
                or re.match(r"https?://|www\.", words)
            ):
                parts.append(_Part("", find_mention(piece.url), True))
            else:
                aside = data[at : piece.start].rstrip()[-1:] in (b"[", b"(") and data[
                    piece.end : piece.end + 1
                ] in (b"]", b")")
                parts.append(_Part(words, find_mention(piece.url), True, aside))
        at = piece.end
    _add_text(parts, data[at:end])
    return parts


_BOLD_OUTSIDE = re.compile(rb"(\*\*|__)(?=\S)((?:(?!\1).)+?)(?<=\S)\1", re.DOTALL)
_HARD_BREAK = re.compile(rb" {2,}\n|\\\n|<br\s{0,3}/?>", re.IGNORECASE)


def _add_text(parts: list[_Part], data: bytes) -> None:
    data = _HARD_BREAK.sub(b" \x00 ", data)
    at = 0
    for match in _BOLD_OUTSIDE.finditer(data):
        _add_words(parts, data[at : match.start()])
        words = plain(match[2])
        if words:
            parts.append(_Part(words, bold=True))
        at = match.end()
    _add_words(parts, data[at:])


def _add_words(parts: list[_Part], data: bytes) -> None:
    words = strip_marks(data)
    if not parts:
        words = _DECORATION.sub("", words.lstrip())
        words = _NUMBERING.sub("", words)
    for text in _SEPARATOR.split(words):
        text = " ".join(text.split()).strip("*_~ ").removesuffix("[").removesuffix("(").rstrip()
        if text and re.search(r"\w", text):
            parts.append(_Part(text))


def _find_title(parts: list[_Part]) -> tuple[int, str, str, str] | None:
    """Return (part, title, the words before it, the words behind it) within that part."""
    opening: int | None = None
    opens = True  # nothing but a year, a name or labels so far
    for i, part in enumerate(parts):
        if (
            part.is_link
            and part.text
            and not is_label(part.text)
            and not _YEAR_PART.fullmatch(part.text)
        ):
            if part.link is not None and part.link.key.names_paper:
                return i, *_split_title(part.text)
            if opens and opening is None:
                opening = i
        opens = opens and _is_lead(part)
    if opening is not None:
        return opening, *_split_title(parts[opening].text)
    for i, part in enumerate(parts):
        if not part.is_link and (quoted := _QUOTED.search(part.text)) and " " in quoted[1].strip():
            title = quoted[1].strip().rstrip(".,;")
            return i, title, part.text[: quoted.start()], part.text[quoted.end() :]
    # a quotation may hold emphasis or be split by it: **"Title."**
    for i, part in enumerate(parts):
        if (
            part.bold
            and not re.fullmatch(r"\[?\d{1,4}\]?[.)]?", part.text)
            and not is_label(part.text)
        ):
            return i, *_split_title(part.text)
    texts = [
        (i, part.text)
        for i, part in enumerate(parts)
        if not part.is_link and not _YEAR_PART.fullmatch(part.text) and not is_label(part.text)
    ]
    if not texts:
        return None
    first = texts[0]
    if (
        len(texts) > 1
        and _is_name(first[1])
        and len(texts[1][1]) > len(first[1])
        and " " in texts[1][1]
        and not split_authors(texts[1][1])
    ):
        first = texts[1]
    return first[0], *_split_title(first[1])


def _split_title(text: str) -> tuple[str, str, str]:
    """Split what a link shows into (title, before, behind): `"Title" - 2019 - Someone -`."""
    text = text.strip()
    if (quoted := _QUOTED.match(text)) and re.match(r"\s*(?:$|[-–—|,.(])", text[quoted.end() :]):
        return quoted[1].strip().rstrip(".,;"), "", text[quoted.end() :]
    if (quoted := _QUOTED.search(text)) and (split_authors(text[: quoted.start()])):
        return quoted[1].strip().rstrip(".,;"), text[: quoted.start()], text[quoted.end() :]
    before = ""
    if date := _LEAD_DATE.match(text):
        before, text = date[0], text[date.end() :].lstrip("-–—: ")
    pieces = [piece.strip() for piece in re.split(r"\s[-–—|]\s|\s[-–—|]$", text)]
    kept = [pieces[0]]
    for i, piece in enumerate(pieces[1:], 1):
        if not piece:
            continue
        if _YEAR_PART.fullmatch(piece) or (
            split_authors(piece) and i >= 1 and ("," in piece or len(pieces) > 2)
        ):
            return " - ".join(kept), before, " - ".join(pieces[i:])
        kept.append(piece)
    title = " - ".join(piece for piece in kept if piece)
    if match := re.match(
        r"(.{8,}?)\s*\(((?:[A-Z][\w .,'’&-]{0,40}\s*)?'?(?:(?:19|20)\d\d|\d\d))\)$", title
    ):
        return match[1], before, match[2]
    return title.strip('"“”').strip() or title, before, ""


def _is_lead(part: _Part) -> bool:
    """Whether a part may stand before a title: a year, a short name, a number, a label."""
    if part.is_link:
        return part.text != "" and is_label(part.text)
    return bool(_YEAR_PART.fullmatch(part.text)) or part.bold or _is_name(part.text)


def _is_name(text: str) -> bool:
    return len(text) <= 60 and len(text.split()) <= 6 and not text.endswith((".", "?", "!"))


def _name(parts: list[_Part], before: str) -> tuple[str | None, tuple[str, ...]]:
    name: str | None = None
    authors: tuple[str, ...] = ()
    for text in (
        *(part.text for part in parts if not (part.is_link and is_label(part.text))),
        before,
    ):
        text = re.sub(r"^\[?\d{1,4}\]?[.)]?$", "", text.strip().rstrip('"“ '))
        if not text or _YEAR_PART.fullmatch(text):
            continue
        people = split_authors(text)
        if people and (len(people) > 1 or re.search(r"(?i)\bet al\b", text)):
            authors = people
            continue
        match = _LEAD_DATE.match(text + " ")
        if match:
            text = text[match.end() :]
        text = text.strip(" :,;-–—")
        if text.startswith("(") and text.endswith(")"):
            text = text[1:-1].strip()
        if text and _is_name(text) and re.search(r"\w", text):
            name = text
    return name, authors


def _authors_in(text: str) -> tuple[str, ...]:
    for piece in re.split(r"\s[-–—|·]\s|^\s*[-–—|·,]\s|\s[-–—]$|\(|\)|;\s", text):
        piece = re.sub(r"[,\s]*(?:\b(?:19|20)\d\d\b)?[\s.,]*$", "", piece.strip())
        if people := split_authors(piece):
            return people
    return ()


def _year(parts: list[_Part]) -> int | None:
    for part in parts:
        if match := _YEAR_PART.fullmatch(part.text.strip(" -–—,;")):
            return int(match[1])
    for part in parts:
        for piece in re.split(r"\s[-–—|]\s|^\s*[-–—|,]\s*", part.text):
            if match := _YEAR_PART.fullmatch(piece.strip(" -–—,;")):
                return int(match[1])
        if match := _LEAD_DATE.match(part.text + " "):
            return int(match[1] or match[2])
    for part in parts:
        for parens in _YEAR_IN_PARENS.finditer(part.text):
            if match := _YEAR.search(parens[1]) or None:
                return int(match[1])
            if short := _SHORT_YEAR.search(parens[1]):
                return _full_year(int(short[1]))
    for part in parts:
        if not part.is_link and len(part.text) <= 80:
            if match := _YEAR.search(part.text):
                return int(match[1])
            if short := _SHORT_YEAR.search(part.text):
                return _full_year(int(short[1]))
    return None


def _full_year(short: int) -> int:
    return 2000 + short if short < 60 else 1900 + short
