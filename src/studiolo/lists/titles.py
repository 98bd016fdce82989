"""Title, short name, authors and year, in the many forms that people write them.

The seed list alone has five: `["Title" - year - authors -](url)`, `Name - title - year - url`,
`[Title](url) - year`, a bare address, and `Name - year - ["Title" - year - authors](url)`.

The head of an item is cut into parts, at links, separators, emphasis and brackets. One of them holds the title; what
stands before and behind it is searched for a name, a year and people. Where a part is running words, `citations` cuts it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from studiolo.keys import Mention, find_mention

from .authors import names_people, split_authors
from .citations import QUOTED, cite
from .dates import VENUES, YEAR, full_year, is_venue, year_said
from .links import Piece
from .words import drop_images, plain_with_links, plain_words, strip_marks


@dataclass(frozen=True, slots=True)
class Naming:
    """What an item calls its work."""

    title: str
    name: str | None = None
    authors: tuple[str, ...] = ()
    year: int | None = None


@dataclass(slots=True)
class _Part:
    """A stretch of a head.

    Attributes:
        lead: what sets it off from the part before: a separator, `[` for words in brackets, "" for nothing.
        aside: it is a link in brackets of its own: ([pdf](…)), [[pdf]](…).
        bold, italic, code: how it is emphasised, if all of it is.
        runs_on: it is a link within a sentence: see [this](…).
    """

    text: str
    lead: str = ""
    link: Mention | None = None
    is_link: bool = False
    aside: bool = False
    bold: bool = False
    italic: bool = False
    code: bool = False
    runs_on: bool = False

    @property
    def is_paper(self) -> bool:
        return self.link is not None and self.link.key.names_paper


LABELS = frozenset({
    "abs", "abstract", "acl", "acm", "appendix", "article", "arxiv", "author's", "blog", "blogpost", "blog-post", "book", "bib", "bibtex",
    "bilibili", "caffe", "card", "checkpoint", "checkpoints", "cite", "citation", "code", "codes", "colab", "close", "closed", "coming", "data", "dataset", "datasets", "demo", "demos",
    "doc", "docs", "download", "full", "github", "gitlab", "hf", "home", "homepage", "html", "http", "huggingface",
    "hugging-face", "ieee", "implementation", "intro", "jax", "keras", "issue", "link", "links", "log", "logs", "matlab", "medium",
    "model", "models", "neurips", "news", "notebook", "notes", "openreview", "official", "open", "overview", "page", "paper",
    "papers", "pdf", "personal", "poster", "post", "pr", "preprint", "presentation", "project", "project-page", "ps", "pwc", "pytorch",
    "reddit", "repo", "report", "repository", "review", "site", "slides", "soon", "source", "springer", "stars", "summary", "supp",
    "supplement", "supplementary", "talk", "tensorflow", "tf", "thread", "torch", "tutorial", "tweet", "twitter", "unofficial", "url", "video", "videos",
    "web", "webpage", "website", "weights", "wiki", "wikipedia", "writeup", "x", "youtube", "here", "this", "论文",
    "代码", "项目", "链接", "主页", "解读", "知乎", "下载", "原文",
}) | VENUES  # fmt: skip
_SEPARATOR = re.compile(r"((?:(?<=\s)|^)[-–—|·•‖/:]+(?=\s|$)|\s--\s|\u0000)")
_SEPARATES = re.compile(r"[-–—|·•‖/:\u0000]")
_NUMBERING = re.compile(
    r"(?:\[(?!(?:19|20)\d\d\])\d{1,4}\]|\((?!(?:19|20)\d\d\))\d{1,4}\)|#\d{1,4}[.:]?|(?!(?:19|20)\d\d)\d{1,4}[.)、])(?:\s+|$)"
)
_DECORATION = re.compile(
    "(?:\\[[ xX/~-]\\]\\s+|[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f\u200d\u200e\u200f\u2190-\u21ff\u23e9-\u23fa]+\\s*|:[a-z0-9_+-]{2,40}:\\s*)+"
)
# Org's and Logseq's: (to read), (reading), read
KEYWORD = re.compile(
    r"(?:(TODO|LATER|WAITING)|(DOING|NOW|STARTED|IN-PROGRESS)|DONE)(?=\s*:?\s+\S)[ :]*"
)
_SHORTCODE = re.compile(r"\s*:[a-z][a-z0-9_+-]{1,40}:(?=\s|:|$)")
_LEADING_BRACKET = re.compile(r"[\[(（【{]([^\[\]()（）【】{}]{1,60})[\])）】}][:：]?\s*(?=\S|$)")
_IN_BRACKETS = re.compile(r"\[([^\[\]]{2,40})\](?!\()")
_HASHTAGS = re.compile(r"(?:(?<=\s)|^)#[^\W\d][\w/-]{0,60}(?=\s|$)")
_SMALL_WORD = re.compile(r"\d{1,3}|&|\+|and|the|v\d+|in|with|for")
_MARKS = str.maketrans(dict.fromkeys("[](){}:.,!*_`\"'“”/|【】（）", " "))
_ADDRESS = re.compile(r"https?://|www\.")
_LETTER = re.compile(r"[^\W_]")
_NUMBER = re.compile(r"\[?\d{1,4}\]?[.)]?")
_PEOPLE_ENDS = re.compile(r"\s[-–—|·]\s|^\s*[-–—|·,]\s|\s[-–—]$|[(（]|[)）]|;\s")
_YEAR_BEHIND = re.compile(r"(?<![,\s])[,\s]*+\b(?:19|20)\d\d\b[\s.,]*+$|(?<![\s.,])[\s.,]++$")
_YEAR_AT_END = re.compile(r"(?<![\s,(])[\s,(]*+(?:19|20)\d\d[a-z]?\)?[.,:]?\s*$")
_YEAR_IN_PARENS = re.compile(r"[(\[（【]([^()\[\]（）【】]{0,80})[)\]）】]")
_BARE_ID = re.compile(r"(?:arxiv:?\s*)?(?:\d{4}\.\d{4,5}|[a-z-]+/\d{7})(?:v\d+)?", re.IGNORECASE)
_DASHES = re.compile(r"\s[-–—|]\s|^\s*[-–—|,]\s*|[.;]\s|\n")
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


def read_naming(data: bytes, pieces: list[Piece], *, cites: bool = False) -> Naming:
    """Read what the head of an item, `data` with the links `pieces`, calls its work.

    Args:
        cites: something beside the head says that it names a work, such as a link to a paper below it.
    """
    parts = _parts(data, pieces)
    at = _title_part(parts)
    if at is None:
        return Naming(_title_of_links(parts, pieces), year=_year(parts))
    title, before, behind = _title_in(parts[at])
    rest = [
        part
        for part in parts[at + 1 :]
        if not (
            part.is_link
            and (part.aside or is_label(part.text))
            and not year_said(part.text, aside=True)
        )
    ]
    leads = [
        part for part in parts[:at] if not (part.is_link and (part.aside or is_label(part.text)))
    ]
    if parts[at].runs_on and leads and not _is_short(leads[-1].text, 2):
        leads.pop()  # See how well [it](…) does
    year = _year([*(_Part(text) for text in (before, behind) if text), *leads, *rest])
    cites = (
        cites
        or year is not None
        or any(part.is_paper for part in parts)
        or (
            (b'"' in data or b"\xe2\x80" in data)
            and QUOTED.search(data.decode("utf-8", "replace")) is not None
        )
    )
    if not cites and not parts[at].is_link and all(part.runs_on for part in parts if part.is_link):
        return Naming(_as_it_is(data, pieces))  # a thought, not a citation
    name, authors = _name(leads, before)
    if name and name.casefold() == title.casefold():
        name = None
    for text in (behind, *(part.text for part in rest if not part.runs_on)):
        authors = authors or _authors_in(text)
    return Naming(title, name, authors, year)


def _as_it_is(data: bytes, pieces: list[Piece]) -> str:
    words = _without_leads(plain_with_links(data, pieces))
    return " ".join(_HASHTAGS.sub("", words).split()).strip("*~ ")


def _without_leads(words: str) -> str:
    """Return `words` without a check box, emoji, keyword and number before them."""
    words = words.lstrip()
    for lead in (_DECORATION, KEYWORD, _DECORATION, _NUMBERING, _DECORATION):
        if match := lead.match(words):
            words = words[match.end() :]
    return words


def _title_of_links(parts: list[_Part], pieces: list[Piece]) -> str:
    """Return the title of a head that is nothing but links: a label says less than an address."""
    links = [piece for piece in pieces if piece.kind != "image"]
    bare = next((piece.url for piece in links if piece.kind in ("bare", "auto")), None)
    url = bare or next((piece.url for piece in links if piece.mention), None)
    if url is not None:
        return title_from_url(url)
    label = next((part.text for part in parts if part.text), None)
    return label or next((piece.url for piece in links), "")


_BREAK = re.compile(
    rb"(?<! ) {2,}+\n|\\\n|<br\s{0,3}/?>|</?(?:td|th|p|li|tr|h\d)(?:\s[^<>]{0,300})?>",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(
    rb"(?P<mark>\*{2,4}|(?<!\w)__)(?=[^\s*])(?P<bold>(?:(?!(?P=mark)).)+?)(?<=\S)(?P=mark)"
    rb"|<(?P<tag>b|strong)>(?P<html>[^<]{1,2000})</(?P=tag)>"
    rb"|(?<![\w*\\])\*(?=[^\s*])(?P<italic>[^*]+)(?<=\S)\*(?![\w*])|(?<![\w\\])_(?=[^\s_])(?P<line>[^_]+)(?<=\S)_(?!\w)"
    rb"|(?<!`)`(?P<code>[^`]+)`(?!`)",
    re.DOTALL,
)
_SET_OFF_BEFORE = re.compile(rb"(?:^|[.,;:|)\]\"\x9d!?\x00-]|<br>|\xef\xbc\x8c)\s*$")
_SET_OFF_BEHIND = re.compile(rb"\s*(?:$|[.,;:|(\[\"\x00-]|<br|\xef\xbc)")


def _parts(data: bytes, pieces: list[Piece]) -> list[_Part]:
    if b"\n" in data or b"<" in data:
        masked = _BREAK.sub(lambda m: b"\x00".ljust(len(m[0]), b" "), data)
    else:
        masked = data
    parts: list[_Part] = []
    at, depth = 0, 0
    for piece in pieces:
        if piece.start < at:
            continue
        before = masked[at : piece.start]
        depth = _add_text(parts, before, depth)
        if piece.kind != "image":
            inner = data[slice(*piece.text)]
            words = plain_words(drop_images(inner) if b"![" in inner else inner)
            if (
                piece.kind in ("bare", "auto")
                or (words == piece.url and piece.kind != "wiki")
                or _ADDRESS.match(words)
            ):
                parts.append(_Part("", "", piece.mention, True, depth > 0))
            else:
                lead = before.rstrip()[-4:].decode("utf-8", "ignore")[-1:]
                aside = depth > 0 or (
                    words[:1] in ("[", "【")
                    and words[-1:] in ("]", "】")
                    and not words[1:-1].isdigit()
                )
                separator = (
                    parts[-1].lead if parts and not parts[-1].text and not parts[-1].is_link else ""
                )
                parts.append(
                    _Part(
                        words,
                        separator,
                        piece.mention,
                        True,
                        aside,
                        before.rstrip().endswith(b"**"),
                        runs_on=lead.isalnum(),
                    )
                )
        at = piece.end
    _add_text(parts, masked[at:], depth)
    return [part for part in _with_sentences(parts) if part.text or part.is_link]


def _with_sentences(parts: list[_Part]) -> list[_Part]:
    """Put links that stand within a sentence and lead to no paper back into it."""
    whole: list[_Part] = []
    joins = False
    for part in parts:
        last = whole[-1] if whole else None
        if (
            last is not None
            and not last.is_link
            and last.text
            and (
                part.runs_on
                and part.text
                and not part.is_paper
                and not part.aside
                and not is_label(part.text)
                and not year_said(part.text)
                and not last.bold
            )
        ):
            last.text, joins = f"{last.text} {part.text}", True
        elif (
            joins
            and last is not None
            and part.text
            and not part.is_link
            and not part.lead
            and not part.bold
        ):
            last.text, joins = f"{last.text} {part.text}", False
        else:
            joins = False
            whole.append(part)
    return whole


def _add_text(parts: list[_Part], data: bytes, depth: int) -> int:
    """Add the words between two links; return how many brackets are open behind them."""
    if not data.strip():
        return depth
    at = 0
    if b"*" in data or b"_" in data or b"`" in data or b"<" in data:
        for match in _EMPHASIS.finditer(data):
            bold = match["bold"] or match["html"]
            if bold is None and not (
                (
                    _SET_OFF_BEFORE.search(data, max(at, match.start() - 20), match.start())
                    and _SET_OFF_BEHIND.match(data, match.end())
                )
                or (match["code"] and match.start() == at and parts)
            ):
                continue
            depth = _add_words(parts, data[at : match.start()], depth)
            words = plain_words(bold or match["italic"] or match["line"] or match["code"])
            bracketed = words[:1] in ("[", "(", "【") and words[-1:] in ("]", ")", "】")
            if bracketed:
                words = words[1:-1].strip()
            if words and not (_NUMBER.fullmatch(words) and not parts):
                lead = (
                    "["
                    if bracketed
                    else parts.pop().lead
                    if parts and not parts[-1].text and not parts[-1].is_link
                    else ""
                )
                parts.append(
                    _Part(
                        _SHORTCODE.sub("", words) or words,
                        lead,
                        bold=bold is not None,
                        italic=bool(match["italic"] or match["line"]),
                        code=match["code"] is not None,
                    )
                )
            at = match.end()
    return _add_words(parts, data[at:], depth)


def _add_words(parts: list[_Part], data: bytes, depth: int) -> int:
    words = strip_marks(data)
    words, behind = (words.lstrip(")]）】 "), True) if depth else (words, False)
    if not parts:
        words = _without_leads(words)
    if "#" in words:
        words = _HASHTAGS.sub("", words)
    if ":" in words:
        words = _SHORTCODE.sub("", words)
    opened = sum(words.count(char) for char in "[(（【")
    closed = sum(words.count(char) for char in "])）】")
    depth = max(0, opened - closed) if not depth or behind else depth
    if "[" in words:  # [code], [closed]: labels that lost their links
        words = _IN_BRACKETS.sub(lambda m: "\0" if is_label(m[1]) else m[0], words)
    pieces = _SEPARATOR.split(words) if _SEPARATES.search(words) else [words]
    for i in range(0, len(pieces), 2):
        lead = pieces[i - 1].strip() if i else ""
        text = " ".join(pieces[i].split()).strip("*~ ")
        while not any(part.text and part.lead != "[" for part in parts) and (
            bracket := _LEADING_BRACKET.match(text)
        ):
            parts.append(_Part(bracket[1].strip(), "["))
            text = _without_leads(text[bracket.end() :])
        text = re.sub(r"[\s,;]*[\[(（【]$", "", text) if depth else text
        if not _LETTER.search(text):
            text = ""
        parts.append(_Part(text, lead or (":" if text.startswith((": ", "：")) else "")))
    return depth


def _title_part(parts: list[_Part]) -> int | None:
    """Return which part holds the title."""

    def says(part: _Part) -> bool:
        return (
            bool(part.text)
            and not is_label(part.text)
            and not year_said(part.text, aside=part.aside or part.lead == "[")
        )

    worded = [i for i, part in enumerate(parts) if says(part)]
    opening = None
    for i in worded:
        part = parts[i]
        if part.is_link and not part.aside and not _by(parts, i):
            if part.is_paper:
                return i
            if opening is None and not part.runs_on and all(map(_is_lead, parts[:i])):
                opening = i
    if opening is not None:
        return opening
    texts = [i for i in worded if not parts[i].is_link and not _NUMBER.fullmatch(parts[i].text)]
    for i in texts:
        if (quoted := QUOTED.search(parts[i].text)) and " " in quoted[1].strip():
            return i
    plain = [i for i in texts if parts[i].lead != "["]
    for i in plain:
        if parts[i].bold:
            behind = next((j for j in plain if j > i), None)
            if (
                behind is not None
                and not parts[behind].lead
                and _is_name(parts[i].text)
                and _begins_title(parts[behind].text, parts[i].text)
            ):
                return behind
            return i
    for i in plain:
        if parts[i].italic and i and names_people(" ".join(part.text for part in parts[:i])):
            return i
    if plain:
        first, *others = plain
        if (
            others
            and _is_short(parts[first].text)
            and parts[others[0]].lead
            and not parts[others[0]].italic
            and _begins_title(parts[others[0]].text, parts[first].text)
        ):
            return others[0]
        return first
    return (
        next((i for i in worded if not _by(parts, i)), None)
        if texts or any(parts[i].is_link for i in worded)
        else None
    )


def _by(parts: list[_Part], i: int) -> bool:
    """Whether a link names the people of what stands before it: … by [Someone](…)."""
    return i > 0 and re.search(r"\bby$", parts[i - 1].text) is not None


def _begins_title(text: str, name: str) -> bool:
    """Whether words behind a name are the title, not a remark about it or its authors."""
    return (
        len(text) > len(name)
        and " " in text
        and not text[0].islower()
        and not split_authors(text)
        and not re.match(r"(?:This|We|It|They|The authors|A paper|Our|See|Also|Used|Uses)\b", text)
    )


def _title_in(part: _Part) -> tuple[str, str, str]:
    """Return the title in a part, and the words before and behind it."""
    quoted = QUOTED.search(part.text) if not part.is_link else None
    if quoted and " " in quoted[1].strip():
        return (
            quoted[1].strip().rstrip(".,;"),
            part.text[: quoted.start()],
            part.text[quoted.end() :],
        )
    return cite(part.text)


def _is_lead(part: _Part) -> bool:
    """Whether a part may stand before a title: a year, a short name, a number, a label."""
    if part.is_link:
        return part.text == "" or is_label(part.text)
    return (
        not part.text
        or part.bold
        or part.lead == "["
        or year_said(part.text) is not None
        or _is_name(part.text)
    )


def _is_name(text: str) -> bool:
    return len(text) <= 60 and len(text.split()) <= 6 and not text.endswith((".", "?", "!"))


def _is_short(text: str, words: int = 4) -> bool:
    return _is_name(text) and len(text.split()) <= words and (text.isascii() or len(text) <= 12)


def _name(parts: Sequence[_Part], before: str) -> tuple[str | None, tuple[str, ...]]:
    name: str | None = None
    authors: tuple[str, ...] = ()
    for part in (*parts, _Part(before, "[")):
        text = part.text.strip().rstrip('"“ ')
        if not text or len(text) > _LONGEST or _NUMBER.fullmatch(text):
            continue
        people = _YEAR_AT_END.sub("", text)
        if " " in people and names_people(people):
            authors = split_authors(people)
            continue
        if year_said(text, aside=part.lead == "[") or is_venue(text):
            continue
        text = cite(text)[0].strip(" :,;-–—")
        if text and _is_name(text) and re.search(r"\w", text) and not is_label(text):
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


def _year(parts: Sequence[_Part]) -> int | None:
    """Return the year that the parts say, the surest way of saying it first."""
    parts = [part for part in parts if re.search(r"\d\d", part.text)]
    for part in parts:
        if year := year_said(part.text, aside=part.aside or part.lead == "["):
            return year
    for part in parts:
        for piece in _DASHES.split(part.text[:_LONGEST]):
            if year := year_said(piece):
                return year
    for part in parts:
        for parens in _YEAR_IN_PARENS.finditer(part.text):
            if year := year_said(parens[1], aside=True):
                return year
            if match := YEAR.search(parens[1]):
                return int(match[1])
    for part in parts:
        if not part.is_link and len(part.text) <= 80 and (match := YEAR.search(part.text)):
            return full_year(match[1])
    return None
