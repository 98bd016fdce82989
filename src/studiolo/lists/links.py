"""Links in a run of text: every way that people write one, in one pass.

Inline links, reference links, wikilinks, `<…>`, bare addresses, `arXiv:…`, `doi:…` and `<a href>`; code is
left out. Work is linear: unmatched brackets, backticks and angle brackets cost what they are long.

Source: https://spec.commonmark.org/0.31.2/#links, https://github.github.com/gfm/#autolinks-extension-
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Literal

from studiolo.keys import Mention, find_mention


@dataclass(slots=True)
class Piece:
    """A link (or image) found in a text; offsets count in that text.

    Attributes:
        kind: inline, reference, wiki, auto (`<…>`), bare, html or image.
        text: where its text lies (the address itself where there is no other).
        url: the address, unescaped.
    """

    kind: str
    start: int
    end: int
    text: tuple[int, int]
    url: str
    _mention: Mention | Literal[False] | None = False  # not looked for yet

    @property
    def mention(self) -> Mention | None:
        """What the address points at; None where it is not a web address."""
        if self._mention is False:
            self._mention = find_mention(self.url.replace(" ", "%20"))  # <a b.pdf> means one file
        return self._mention


_AT_START = (0,)


class Run:
    """The text of one block: its lines joined by newlines, each byte knowing where it came from."""

    __slots__ = ("_at", "_from", "data")

    def __init__(self, source: bytes, content: list[tuple[int, int]]) -> None:
        if len(content) == 1:  # as most are
            start, end = content[0]
            self.data = source[start:end]
            self._from: tuple[int, ...] = (start,)
            self._at: tuple[int, ...] = _AT_START
            return
        self.data = b"\n".join([source[start:end] for start, end in content])
        self._from = tuple([start for start, _ in content])
        ends = accumulate(end - start + 1 for start, end in content)
        self._at = (0, *islice(ends, len(content) - 1))

    def place(self, offset: int) -> int:
        """Return the byte of the document that `offset` is."""
        i = bisect_right(self._at, offset) - 1
        return self._from[i] + offset - self._at[i]

    def line(self, offset: int) -> int:
        """Return which line of the text `offset` is on, from 0."""
        if len(self._at) == 1:
            return 0
        return bisect_right(self._at, offset) - 1

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the bytes of the document that `start` to `end` are."""
        if len(self._at) == 1:
            return self._from[0] + start, self._from[0] + end
        return (
            (self.place(start), self.place(end - 1) + 1)
            if end > start
            else (self.place(start),) * 2
        )


# It begins with a class of characters, in both cases, since that is what `re` skips to fast.
_SPECIAL = re.compile(
    rb"[\\`<!\[\]hHfFwWaAdD](?:(?<=\\)[!-/:-@\[-`{-~]|(?<=`)`*+|(?<=[<\[\]])|(?<=!)\[|(?<![a-zA-Z0-9].)(?:"
    rb"(?<=[hH])[tT][tT][pP][sS]?://|(?<=[fF])[tT][pP]://|(?<=[wW])[wW][wW]\.(?=[a-zA-Z0-9])"
    rb"|(?<=[aA])[rR][xX][iI][vV]:[ ]?(?=[a-zA-Z0-9])|(?<=[dD])[oO][iI]:[ ]?(?=10\.)))"
)
_OPENS, _COLON, _ANGLE, _DOT = b"[:<."  # each way to write a link has one of these
# the link that most are, which needs no counting of brackets; and alone between words that can hold no other
_PLAIN = re.compile(rb"\[([^\[\]\\`<]*+)\]\(([^()\\\x00-\x20<]++)\)")
_ALONE = re.compile(rb"[^\\`<!\[\]:.]*+" + _PLAIN.pattern + rb"[^\\`<!\[\]:.]*+")
# an address that ends the text, with nothing in it that could be cut off
_PLAIN_BARE = re.compile(rb"https?://[A-Za-z0-9](?:[A-Za-z0-9./_-]*[A-Za-z0-9/])?+\Z")
_AUTO = re.compile(rb"<([a-z][a-z0-9+.-]{1,31}:[^\s<>\x00-\x1f]*)>", re.IGNORECASE)
_MAIL = re.compile(rb"<[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w.-]{1,255}>", re.ASCII)
_TAG = re.compile(
    rb"<(?:/?[a-z][a-z0-9-]*(?:\s+[a-z_:][\w.:-]*(?:\s*=\s*(?:[^\s\"'=<>`]+|'[^']*'|\"[^\"]*\"))?)*\s*/?>)",
    re.IGNORECASE | re.DOTALL,
)
_TAG_LENGTH = 2000  # a longer tag is text
_HREF = re.compile(rb"\shref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'=<>`]+))", re.IGNORECASE)
_ANCHOR_END = re.compile(rb"</a\s{0,9}>", re.IGNORECASE)
_WIKI = re.compile(rb"\[\[([^\[\]\n|]{1,500})(?:\|([^\[\]\n]{0,500}))?\]\](?![(\[])")
_URL = re.compile(rb"[^\s<>`\x00-\x1f\"]+")
_WIDE_END = re.compile(
    "|".join("（）「」『』【】《》，。；：、！？“”‘’…\u3000\u200b\u200e\u200f\u00a0").encode()
)
_ARXIV_TEXT = re.compile(
    rb"arxiv:[ ]?(?:\d{4}\.\d{4,5}|[a-z]+(?:-[a-z]+)?(?:\.[a-z]{2})?/\d{7})(?:v\d+)?(?!\d)",
    re.IGNORECASE,
)
_DOI_TEXT = re.compile(rb"doi:[ ]?10\.\d{4,9}/[^\s<>\"`]+", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|\w{2,31});", re.ASCII)
_ESCAPE_OR_ENTITY = re.compile(r"\\([!-/:-@\[-`{-~])|" + _ENTITY.pattern, re.ASCII)
_TITLE = re.compile(rb"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\((?:[^()\\]|\\.)*\)", re.DOTALL)
_MAX_PARENS = 32
_GAP = re.compile(rb"[ \t\n]*")
_GAPS = (b" ", b"\t", b"\n")
_IN_ANGLES = re.compile(rb"<((?:[^<>\n\\]|\\.)*)>")
_SECOND_LABEL = re.compile(rb"\[((?:[^\[\]\\]|\\.){0,999})\]", re.DOTALL)


def fold_label(label: bytes) -> str:
    """Return the form in which labels of references are compared."""
    return " ".join(label.decode("utf-8", "replace").split()).casefold()


def unescape(text: bytes) -> str:
    """Return `text` with backslash escapes and entities resolved."""
    plain = text.decode("utf-8", "replace")
    if "\\" in plain or "&" in plain:
        plain = _ESCAPE_OR_ENTITY.sub(lambda m: m[1] or html.unescape(m[0]), plain)
    return plain


def resolve_entities(text: str) -> str:
    """Return `text` with entities such as `&amp;` resolved; without its semicolon it is none."""
    return _ENTITY.sub(lambda m: html.unescape(m[0]), text)


def find_links(text: bytes, definitions: Mapping[str, str]) -> list[Piece]:
    """Return the links and images of `text` in order; a link inside a link text is not one."""
    if _OPENS in text:
        if alone := _ALONE.fullmatch(text):
            return [_plain_piece(alone)]
    elif _COLON not in text and _ANGLE not in text and _DOT not in text:
        return []
    first = _SPECIAL.search(text)
    if first is None:
        return []
    start = first.start()
    if bare := _PLAIN_BARE.match(text, start):
        end = len(text)
        return [Piece("bare", start, end, (start, end), bare[0].decode())]
    if (plain := _PLAIN.match(text, start)) and not _SPECIAL.search(text, plain.end()):
        return [_plain_piece(plain)]
    return _Scan(text, definitions).run()


def _plain_piece(match: re.Match[bytes]) -> Piece:
    inner = match.span(1)
    return Piece("inline", inner[0] - 1, match.end(2) + 1, inner, unescape(match[2]))


def destination(text: bytes, at: int) -> tuple[str, int] | None:
    """Read `(address "title")` at `at`, the opening parenthesis; return the address and where it ends."""
    pos = _gap(text, at + 1)
    if text[pos : pos + 1] == b"<":
        match = _IN_ANGLES.match(text, pos)
        if match is None:
            return None
        url, pos = match[1], match.end()
    else:
        end = _balanced(text, pos)
        if end is None:
            return None
        url, pos = text[pos:end], end
    after = _gap(text, pos)
    if after > pos and (title := _TITLE.match(text, after)):
        after = _gap(text, title.end())
    if text[after : after + 1] != b")":
        return None
    return unescape(url), after + 1


_PAREN_OR_END = re.compile(rb"[()\\\s\x00-\x1f]")


def _balanced(text: bytes, pos: int) -> int | None:
    """Return where an address with balanced parentheses ends, or None if it never does."""
    depth = 0
    while match := _PAREN_OR_END.search(text, pos):
        char = text[match.start()]
        if char == 92:  # a backslash
            pos = match.start() + 2
        elif char == 40:
            depth += 1
            if depth > _MAX_PARENS:
                return None
            pos = match.end()
        elif char == 41 and depth:
            depth -= 1
            pos = match.end()
        else:
            return match.start() if depth == 0 else None
    return None


def _gap(text: bytes, pos: int) -> int:
    if text[pos : pos + 1] not in _GAPS:
        return pos
    match = _GAP.match(text, pos)
    return match.end() if match else pos


@dataclass(slots=True)
class _Bracket:
    start: int
    inner: int
    image: bool
    found: int  # how many pieces there were before it
    holds_bracket: bool = False


class _Scan:
    def __init__(self, text: bytes, definitions: Mapping[str, str]) -> None:
        self.text = text
        self.definitions = definitions
        self.pieces: list[Piece] = []
        self.brackets: list[_Bracket] = []
        self.inactive = 0  # brackets below this one can be no link: one lies inside
        self.ticks: dict[int, list[int]] | None = None
        self.last_angle = text.rfind(b">")
        self.last_close = text.rfind(b")")
        self.anchor_end = 0  # of the last <a href>
        self.last_comment_end = text.rfind(b"-->")

    def run(self) -> list[Piece]:
        text, pos = self.text, 0
        while match := _SPECIAL.search(text, pos):
            start, pos = match.span()
            char = text[start]
            if char == 92:
                continue
            if char == 96:
                pos = self._code_end(start, pos)
            elif char == 60:
                pos = self._angle(start)
            elif char == 91 and not self.brackets and (plain := _PLAIN.match(text, start)):
                self.pieces.append(_plain_piece(plain))
                pos = plain.end()
            elif char in b"![":
                pos = self._open(start, pos)
            elif char == 93:
                pos = self._close(start)
            else:
                pos = self._bare(start, pos)
        if len(self.pieces) > 1:
            self.pieces.sort(key=lambda piece: piece.start)
        return self.pieces

    def _code_end(self, start: int, end: int) -> int:
        """Return where the code span that begins with the backticks at `start` ends, else their own end."""
        if self.ticks is None:
            self.ticks = {}
            for run in re.finditer(rb"`+", self.text):
                self.ticks.setdefault(run.end() - run.start(), []).append(run.start())
        places = self.ticks.get(end - start, [])
        i = bisect_right(places, start)
        return places[i] + end - start if i < len(places) else end

    def _angle(self, start: int) -> int:
        text = self.text
        if start > self.last_angle:
            return start + 1
        if match := _AUTO.match(text, start):
            url = match[1].decode("utf-8", "replace")
            self.pieces.append(Piece("auto", start, match.end(), match.span(1), url))
            return match.end()
        if match := _MAIL.match(text, start):
            return match.end()
        if text.startswith(b"<!--", start) and start + 2 <= self.last_comment_end:
            return text.find(b"-->", start + 2) + 3
        match = _TAG.match(text, start, start + _TAG_LENGTH)
        if match is None:
            return start + 1
        if text[start + 1 : start + 2].lower() == b"a" and (href := _HREF.search(match[0])):
            close = _ANCHOR_END.search(text, match.end(), match.end() + _TAG_LENGTH)
            inner = (match.end(), close.start() if close else match.end())
            url = unescape(href[1] or href[2] or href[3] or b"").strip()
            self.pieces.append(Piece("html", start, inner[1], inner, url))
            self.anchor_end = inner[1]
        return match.end()

    def _open(self, start: int, end: int) -> int:
        text = self.text
        if text[end : end + 1] == b"[" and (match := _WIKI.match(text, end - 1)):
            target = unescape(match[1]).strip().rstrip("\\")
            if target not in ("x", "X") and not (
                self.definitions and fold_label(match[1]) in self.definitions
            ):
                kind = "image" if text[start] == 33 else "wiki"
                inner = match.span(2) if match[2] else match.span(1)
                self.pieces.append(Piece(kind, start, match.end(), inner, target))
                return match.end()
        if self.brackets:
            self.brackets[-1].holds_bracket = True
        self.brackets.append(_Bracket(start, end, text[start] == 33, len(self.pieces)))
        return end

    def _close(self, at: int) -> int:
        if not self.brackets:
            return at + 1
        bracket = self.brackets.pop()
        active = bracket.image or len(self.brackets) >= self.inactive
        self.inactive = min(self.inactive, len(self.brackets))
        found = self._target(bracket, at) if active else None
        if found is None:
            return at + 1
        kind, url, end = found
        if bracket.image:
            kind = "image"
        else:
            del_from = bracket.found
            self.pieces[del_from:] = [
                piece for piece in self.pieces[del_from:] if piece.kind == "image"
            ]
            self.inactive = len(self.brackets)
        self.pieces.append(Piece(kind, bracket.start, end, (bracket.inner, at), url))
        return end

    def _target(self, bracket: _Bracket, at: int) -> tuple[str, str, int] | None:
        text, after = self.text, at + 1
        next_char = text[after : after + 1]
        if next_char == b"(" and after < self.last_close and (found := destination(text, after)):
            return "inline", found[0], found[1]
        if not self.definitions:
            return None
        end = after
        label = (
            text[bracket.inner : at]
            if at - bracket.inner < 1000 and not bracket.holds_bracket
            else b""
        )
        if next_char == b"[":
            match = _SECOND_LABEL.match(text, after)
            if match:
                end = match.end()
                label = match[1] if match[1].strip() else label
        url = self.definitions.get(fold_label(label)) if label.strip() else None
        return ("reference", url, end) if url is not None else None

    def _bare(self, start: int, end: int) -> int:
        text = self.text
        lead = text[start : start + 1].lower()
        if lead == b"a" or (lead == b"d"):
            match = (_ARXIV_TEXT if lead == b"a" else _DOI_TEXT).match(text, start)
            if match is None:
                return end
            stop = start + len(_trim_url(match[0]))
        else:
            match = _URL.match(text, end)
            if match is None or not (
                text[end : end + 1].isalnum() or text[end] >= 128 or lead == b"w"
            ):
                return end
            stop = start + len(_trim_url(text[start : match.end()]))
            if stop <= end:
                return end
        url = text[start:stop].decode("utf-8", "replace")
        self.pieces.append(
            Piece(
                "bare",
                start,
                stop,
                (start, stop),
                unescape(text[start:stop]) if "&" in url else url,
            )
        )
        return stop


_BRACKET = re.compile(rb"[()\[\]{}]")
_CLOSING = {40: 41, 91: 93, 123: 125}


def _trim_url(url: bytes) -> bytes:
    """Cut what follows a bare address in prose: punctuation, a bracket that it did not open."""
    if wide := _WIDE_END.search(url):
        url = url[: wide.start()]
    depth = {41: 0, 93: 0, 125: 0}
    for match in _BRACKET.finditer(url):
        char = url[match.start()]
        if char in _CLOSING:
            depth[_CLOSING[char]] += 1
        elif depth[char]:
            depth[char] -= 1
        else:
            url = url[: match.start()]
            break
    end = len(url)
    while end:
        char = url[end - 1]
        if char == 59 and (
            entity := re.search(rb"&[a-z0-9]{1,31};$", url[max(0, end - 34) : end], re.I)
        ):
            end -= len(entity[0]) - 1
        elif char not in b"?!.,:*_~'\"\\;|":
            break
        end -= 1
    return url[:end]
