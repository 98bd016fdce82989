"""Title, short name, authors and year, in the many forms that people write them.

The seed list alone has five: `["Title" - year - authors -](url)`, `Name - title - year - url`,
`[Title](url) - year`, a bare address, and `Name - year - ["Title" - year - authors](url)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from studiolo.keys import Mention, find_mention

from .authors import split_authors
from .links import Piece
from .words import drop_images, plain_words, strip_marks


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
    runs_on: bool = False  # a link within a sentence: see [this](…)
    bold: bool = False


LABELS = frozenset({
    "abs", "abstract", "acl", "acm", "arxiv", "author's", "blog", "blogpost", "blog-post", "book", "bib", "bibtex",
    "bilibili", "card", "cite", "citation", "code", "codes", "colab", "data", "dataset", "datasets", "demo", "demos",
    "doc", "docs", "download", "github", "gitlab", "hf", "home", "homepage", "html", "http", "huggingface",
    "hugging-face", "ieee", "implementation", "intro", "keras", "issue", "link", "links", "log", "logs", "medium",
    "model", "models", "neurips", "news", "notebook", "notes", "openreview", "official", "overview", "page", "paper",
    "papers", "pdf", "poster", "post", "pr", "preprint", "presentation", "project", "project-page", "ps", "pytorch",
    "reddit", "repo", "repository", "review", "site", "slides", "source", "springer", "stars", "summary",
    "supplement", "supplementary", "talk", "tensorflow", "thread", "tutorial", "twitter", "url", "video", "videos",
    "web", "webpage", "website", "weights", "wiki", "wikipedia", "writeup", "x", "youtube", "here", "this", "论文",
    "代码", "项目", "链接", "主页",
})  # fmt: skip
_SEPARATOR = re.compile(r"(?:(?<=\s)|^)[-–—|·•‖/:]+(?=\s|$)|(?:\s--\s)|\u0000")
_SEPARATES = re.compile(r"[-–—|·•‖/:\u0000]")
_YEAR_PART = re.compile(
    r"[(\[]?\s*((?:19|20)\d\d)(?:[-./年]\s?(?:0?[1-9]|1[0-2])月?(?:[-./]\d\d?)?)?\s*[)\]]?[.,:]?"
)
_VENUE_YEAR = re.compile(
    r"[(\[]?(?:((?:19|20)\d\d)[- ]?[A-Z][A-Za-z-]{1,11}|[A-Z][A-Za-z-]{1,11}[- ]?((?:19|20)\d\d))[)\]]?[.,:]?"
)
_LEAD_DATE = re.compile(
    r"[(\[](?:[A-Z][\w.'’&-]{1,14}\s){1,3}((?:19|20)\d\d)[)\]]\s*|[(\[]?((?:19|20)\d\d)(?:[-./](?:0[1-9]|1[0-2])(?:[-./]\d\d)?)?[)\]]?[:.,]?\s+(?=\S)|[(\[]((?:19|20)\d\d)[)\]]\s*"
)
_YEAR_IN_PARENS = re.compile(r"[(\[]([^()\[\]]{0,60})[)\]]")
_YEAR = re.compile(r"(?<![\d.:/-])((?:19|20)\d\d)(?![\d:/]|\.\d)")
_SHORT_YEAR = re.compile(r"(?:[A-Z][A-Za-z]{2,9})\s?['’](\d\d)(?!\d)")
_QUOTED = re.compile(r"[\"“„«‘]([^\"“”„«»\x00]{3,400})[\"”»’]")
_NUMBERING = re.compile(
    r"^(?:\[(?!(?:19|20)\d\d\])\d{1,4}\]|\((?!(?:19|20)\d\d\))\d{1,4}\)|#\d{1,4}[.:]?)\s+"
)
_DECORATION = re.compile(
    "^(?:\\[[ xX/~-]\\]\\s+|[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f\u200d\u200e\u200f\u2190-\u21ff\u23e9-\u23fa]+\\s*|:[a-z0-9_+-]{2,40}:\\s*)+"
)
_HASHTAGS = re.compile(r"(?:(?<=\s)|^)#[^\W\d][\w/-]{0,60}(?=\s|$)")
_AND_MORE = re.compile(r"[^\W\d_][^.!?;]{2,40}\set al\b")
_CITED = re.compile(r"([^()]{3,300}?),?\s*\(((?:19|20)\d\d)[a-z]?\)[.,:]?\s+(?=\S)")
_IN_PARENS_AT_END = re.compile(
    r"\s*\(((?:[A-Z][\w .,'’&-]{0,40}\s*)?'?(?:(?:19|20)\d\d|\d\d))\)$|,\s*((?:19|20)\d\d)$"
)


_SMALL_WORD = re.compile(r"\d{1,3}|&|\+|and|the|v\d+")
_MARKS = str.maketrans(dict.fromkeys("[](){}:.,!*_`\"'“”", " "))
_ADDRESS = re.compile(r"https?://|www\.")
_LETTER = re.compile(r"[^\W_]")
_TWO_DIGITS = re.compile(r"\d\d")
_NUMBER = re.compile(r"\[?\d{1,4}\]?[.)]?")
_ENDS = re.compile(r"\s*(?:$|[-–—|,.(])")
_DASH = re.compile(r"\s[-–—|](?:\s|$)")
_STOP = re.compile(r"[^\W\d_]{2}\.$")
_YEAR_AT_END = re.compile(r"(?<![\s,(])[\s,(]*+(?:19|20)\d\d[a-z]?\)?[.,:]?\s*$")
_ET_AL = re.compile(r"\bet al\b", re.IGNORECASE)
_PEOPLE_ENDS = re.compile(r"\s[-–—|·]\s|^\s*[-–—|·,]\s|\s[-–—]$|\(|\)|;\s")
_YEAR_BEHIND = re.compile(r"(?<![,\s])[,\s]*+\b(?:19|20)\d\d\b[\s.,]*+$|(?<![\s.,])[\s.,]++$")
_BARE_ID = re.compile(r"(?:arxiv:?\s*)?(?:\d{4}\.\d{4,5}|[a-z-]+/\d{7})(?:v\d+)?", re.IGNORECASE)
_DASHES = re.compile(r"\s[-–—|]\s|^\s*[-–—|,]\s*")
_SENTENCE_END = re.compile(r"[.?!](?<=[^\W_]{2}[.?!])\s+(?=[A-Z])")
_LONGEST = 4000  # characters of a name or a list of people


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
    words = text.translate(_MARKS).lower().split()
    if not words:
        return True
    if len(words) <= 4 and all(w in LABELS or _SMALL_WORD.fullmatch(w) for w in words):
        return True
    return len(words) <= 3 and len(text) < 60 and _BARE_ID.fullmatch(text.strip()) is not None


def read_naming(data: bytes, pieces: list[Piece]) -> Naming:
    """Read what the head of an item, `data` with the links `pieces`, calls its work."""
    parts = _parts(data, pieces)
    found = _find_title(parts)
    if found is None:
        return Naming(_title_of_links(parts, pieces), year=_year(parts))
    index, title, before, behind = found
    rest = [part for part in parts[index + 1 :] if not part.is_link or not is_label(part.text)]
    said = [_Part(text) for text in (before, behind) if text]
    year = _year([*said, *parts[:index], *rest])
    cites = (
        year is not None
        or any(part.link and part.link.key.names_paper for part in parts)
        or _QUOTED.search(data.decode("utf-8", "replace")) is not None
    )
    if not cites and not any(part.is_link for part in parts):
        return Naming(" - ".join(part.text for part in parts))  # a thought, not a citation
    if not cites and not parts[index].is_link and any(part.runs_on for part in parts):
        return Naming(" ".join(part.text for part in parts if part.text))
    name, authors = _name(parts[:index], before)
    if cites:
        for text in (behind, *(part.text for part in rest)):
            authors = authors or _authors_in(text)
    return Naming(title, name, authors if cites else (), year)


def _title_of_links(parts: list[_Part], pieces: list[Piece]) -> str:
    """Return the title of a head that is nothing but links: a label says less than an address."""
    links = [piece for piece in pieces if piece.kind != "image"]
    bare = next((piece.url for piece in links if piece.kind in ("bare", "auto")), None)
    url = bare or next((piece.url for piece in links if piece.mention), None)
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
        if piece.start > at:
            _add_text(parts, data[at : piece.start])
        if piece.kind != "image":
            inner = data[slice(*piece.text)]
            words = plain_words(drop_images(inner) if b"![" in inner else inner)
            if (
                piece.kind in ("bare", "auto")
                or (words == piece.url and piece.kind != "wiki")
                or _ADDRESS.match(words)
            ):
                parts.append(_Part("", piece.mention, True))
            else:
                lead = data[at : piece.start].rstrip()[-1:]
                aside = lead in (b"[", b"(") and data[piece.end : piece.end + 1] in (b"]", b")")
                parts.append(_Part(words, piece.mention, True, aside, runs_on=lead.isalnum()))
        at = piece.end
    if end > at:
        _add_text(parts, data[at:end])
    return parts


_BOLD_OUTSIDE = re.compile(rb"(\*\*|__)(?=\S)((?:(?!\1).)+?)(?<=\S)\1", re.DOTALL)
_HARD_BREAK = re.compile(rb"(?<! ) {2,}+\n|\\\n|<br\s{0,3}/?>", re.IGNORECASE)


def _add_text(parts: list[_Part], data: bytes) -> None:
    if b"\n" in data or b"<" in data:
        data = _HARD_BREAK.sub(b" \x00 ", data)
    at = 0
    if b"**" in data or b"__" in data:
        for match in _BOLD_OUTSIDE.finditer(data):
            _add_words(parts, data[at : match.start()])
            words = plain_words(match[2])
            if words:
                parts.append(_Part(words, bold=True))
            at = match.end()
    _add_words(parts, data[at:])


def _add_words(parts: list[_Part], data: bytes) -> None:
    words = strip_marks(data)
    if not parts:
        words = words.lstrip()
        for lead in (_DECORATION, _NUMBERING):
            if match := lead.match(words):
                words = words[match.end() :]
    if "#" in words:
        words = _HASHTAGS.sub("", words)
    if not _LETTER.search(words):
        return
    for text in _SEPARATOR.split(words) if _SEPARATES.search(words) else (words,):
        text = " ".join(text.split()).strip("*~ ").removesuffix("[").removesuffix("(").rstrip()
        if text and _LETTER.search(text):
            parts.append(_Part(text))


def _find_title(parts: list[_Part]) -> tuple[int, str, str, str] | None:
    """Return (part, title, the words before it, the words behind it) within that part."""
    opening: int | None = None
    opens = True  # nothing but a year, a name or labels so far
    for i, part in enumerate(parts):
        if part.is_link and part.text and not is_label(part.text) and not _year_part(part.text):
            if part.link is not None and part.link.key.names_paper:
                return i, *_split_title(part.text)
            if opens and opening is None and not part.runs_on:
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
        if part.bold and not _NUMBER.fullmatch(part.text) and not is_label(part.text):
            return i, *_split_title(part.text)
    texts = [
        (i, part.text)
        for i, part in enumerate(parts)
        if not part.is_link and not _year_part(part.text) and not is_label(part.text)
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
    title, before, behind = _split_title(first[1])
    if (cited := _CITED.match(title)) and split_authors(cited[1]):
        rest = title[cited.end() :]
        stop = _SENTENCE_END.search(rest)
        cut = stop.start() + (rest[stop.start()] != ".") if stop else len(rest)
        return first[0], _without_stop(rest[:cut]), cited[0], rest[cut:]
    for stop in _SENTENCE_END.finditer(title[:2000]):
        if len(split_authors(title[stop.end() :])) > 1 or _AND_MORE.match(title, stop.end()):
            cut = stop.start() + (title[stop.start()] != ".")
            return first[0], title[:cut], before, title[stop.end() :] + " " + behind
    return first[0], title, before, behind


def _split_title(text: str) -> tuple[str, str, str]:
    """Split what a link shows into (title, before, behind): `"Title" - 2019 - Someone -`."""
    text = text.strip()
    if quoted := _QUOTED.search(text):
        lead = text[: quoted.start()]
        if (not lead and _ENDS.match(text, quoted.end())) or split_authors(lead):
            return quoted[1].strip().rstrip(".,;"), lead, text[quoted.end() :]
    before = ""
    if date := _LEAD_DATE.match(text):
        before, text = date[0], text[date.end() :].lstrip("-–—: ")
    dashes = list(_DASH.finditer(text))
    ends = [*(dash.start() for dash in dashes[1:]), len(text)]
    for dash, end in zip(dashes, ends, strict=False):
        piece = text[dash.end() : end].strip()
        listed = "," in piece or len(dashes) > 1
        if piece and (_year_part(piece) or (listed and split_authors(piece))):
            return text[: dash.start()].strip(), before, text[dash.end() :]
    title = text[: dashes[-1].start()] if dashes and dashes[-1].end() == len(text) else text
    behind = ""
    if (
        (title.endswith(")") or title[-1:].isdigit())  # the search is slow
        and (year := _IN_PARENS_AT_END.search(title))
        and year.start() >= 8
    ):
        title, behind = title[: year.start()], year[1] or year[2]
    if (
        len(title) > 2
        and title[0] in '"“'
        and title[-1] in '"”'
        and not _QUOTED.search(title[1:-1])
    ):
        title = title[1:-1].strip()
    elif title[:1] in ('"', "“") and sum(title.count(mark) for mark in '"“”') == 1:
        title = title[1:].strip()  # a quotation that was never closed
    return _without_stop(title), before, behind


def _without_stop(title: str) -> str:
    """Return `title` without the punctuation that sets it off from what follows."""
    title = title.rstrip(" ,:")
    if not title.endswith(".") or title.endswith("etc."):
        return title
    return title[:-1] if _STOP.search(title[-3:]) else title


def _year_part(text: str) -> int | None:
    """Return the year if a stretch is nothing but one: 2019, (2019-05), NeurIPS 2019, 2019-NIPS."""
    text = text.strip(" -–—,;")
    if not 4 <= len(text) <= 30 or not _TWO_DIGITS.search(text):
        return None
    if match := _YEAR_PART.fullmatch(text):
        return int(match[1])
    if match := _VENUE_YEAR.fullmatch(text):
        return int(match[1] or match[2])
    return None


def _is_lead(part: _Part) -> bool:
    """Whether a part may stand before a title: a year, a short name, a number, a label."""
    if part.is_link:
        return part.text != "" and is_label(part.text)
    return _year_part(part.text) is not None or part.bold or _is_name(part.text)


def _is_name(text: str) -> bool:
    return len(text) <= 60 and len(text.split()) <= 6 and not text.endswith((".", "?", "!"))


def _name(parts: list[_Part], before: str) -> tuple[str | None, tuple[str, ...]]:
    name: str | None = None
    authors: tuple[str, ...] = ()
    texts = [part.text for part in parts if not (part.is_link and is_label(part.text))]
    if before:
        texts.append(before)
    for text in texts:
        text = text.strip().rstrip('"“ ')
        if text[:1] in "[(" and text[-1:] in ")]":
            text = text[1:-1].strip()
        if not text or len(text) > _LONGEST or _year_part(text) or _NUMBER.fullmatch(text):
            continue
        people = split_authors(_YEAR_AT_END.sub("", text)) if " " in text else ()
        if people and (len(people) > 1 or _ET_AL.search(text)):
            authors = people
            continue
        match = _LEAD_DATE.match(text + " ")
        if match:
            text = text[match.end() :]
        text = text.strip(" :,;-–—")
        if text and _is_name(text) and re.search(r"\w", text):
            name = text
    return name, authors


def _authors_in(text: str) -> tuple[str, ...]:
    if " " not in text or len(text) > _LONGEST:
        return ()
    for piece in _PEOPLE_ENDS.split(text):
        piece = _YEAR_BEHIND.sub("", piece.strip())
        if people := split_authors(piece):
            return people
    return ()


def _year(parts: list[_Part]) -> int | None:
    parts = [part for part in parts if _TWO_DIGITS.search(part.text)]
    for part in parts:
        if year := _year_part(part.text):
            return year
    for part in parts:
        for piece in _DASHES.split(part.text):
            if year := _year_part(piece):
                return year
        if match := _LEAD_DATE.match(part.text + " "):
            return int(match[1] or match[2] or match[3])
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
