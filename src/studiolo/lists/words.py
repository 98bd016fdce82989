"""From marked-up text to plain words."""

from __future__ import annotations

import re
from unicodedata import normalize

from .links import Piece, resolve_entities


_BOLD = re.compile(r"(\*{2,4}|__|~~)(?=\S)((?:(?!\1).)+?)(?<=\S)\1", re.DOTALL)
# these begin with the characters that all of their cases begin with, which `re` skips to fast
_EMPHASIS = re.compile(
    r"[*_](?:(?<=\*)(?=[^\s*])([^*]*)(?<=\S)\*|(?<=_)(?<!\w_)(?=[^\s_])([^_]*)(?<=\S)_(?!\w))"
)
_CODE = re.compile(r"(`(?<!``)`*+)([^`]+)\1(?!`)")
_BREAKS = re.compile(
    r"</?(?:br|center|details|div|img|li|ol|p|summary|ul)(?:\s[^<>]{0,1000})?/?>", re.IGNORECASE
)
_TAGS = re.compile(
    r"</?(?:a|abbr|b|big|code|del|em|font|i|ins|kbd|mark|s|small|span|strong|sub|sup|u)(?:\s[^<>]{0,1000})?/?>",
    re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_ACCENTS = dict(zip("\"'`^~", "\u0308\u0301\u0300\u0302\u0303", strict=True))
_ACCENTED = re.compile(r"\{\\?([\"'`^~])\{?([A-Za-z])\}?\}")  # of LaTeX: H{\"u}tter
_ESCAPE_MARK = "\ue0ff"  # stands for an escaped character while emphasis is taken off


def plain_words(text: bytes) -> str:
    """Return the words of `text`, which holds no links: emphasis, code marks, tags and escapes taken off."""
    return " ".join(strip_marks(text).split())


def strip_marks(text: bytes) -> str:
    """Return `text` as `plain_words` does, with its spaces and newlines as they are."""
    words = text.decode("utf-8", "replace")
    if "<" in words:
        words = drop_comments(words)
        words = _TAGS.sub("", _BREAKS.sub(" ", words))
    kept: list[str] = []
    if "\\" in words:
        kept = _ESCAPED.findall(words)
        words = _ESCAPED.sub(_ESCAPE_MARK, words)
    if "`" in words:
        words = _CODE.sub(_inner, words)
    if "*" in words or "_" in words or "~" in words:
        if "**" in words or "__" in words or "~~" in words:
            words = _BOLD.sub(_inner, words)
        words = _EMPHASIS.sub(_stressed, words)
    if "&" in words:
        words = resolve_entities(words)
    if kept:
        kept.reverse()
        words = re.sub(_ESCAPE_MARK, lambda m: kept.pop() if kept else m[0], words)
    if "{" in words:
        words = _ACCENTED.sub(_accented, words)
    return words


def _accented(match: re.Match[str]) -> str:
    return normalize("NFC", match[2] + _ACCENTS[match[1]])


def _inner(match: re.Match[str]) -> str:
    return match[2]


def _stressed(match: re.Match[str]) -> str:
    return match[1] or match[2] or ""


def drop_comments(words: str) -> str:
    """Return `words` without `<!-- … -->`; one that never ends stays."""
    out, at = [], 0
    while (start := words.find("<!--", at)) >= 0 and (end := words.find("-->", start + 2)) >= 0:
        out.append(words[at:start])
        at = end + 3
    return "".join(out) + words[at:]


def plain_with_links(
    data: bytes, pieces: list[Piece], start: int = 0, end: int | None = None
) -> str:
    """Return the words of `data[start:end]`, each link replaced by its text and images left out."""
    end = len(data) if end is None else end
    if not pieces:
        return plain_words(data[start:end])
    out: list[bytes] = []
    at = start
    for piece in pieces:
        if piece.start < at or piece.end > end:
            continue
        out.append(data[at : piece.start])
        if piece.kind != "image":
            inner = data[slice(*piece.text)]
            out.append(drop_images(inner) if b"![" in inner else inner)
        at = piece.end
    out.append(data[at:end])
    return plain_words(b"".join(out))


_IMAGE = re.compile(rb"!\[[^\[\]]{0,500}\](?:\([^()\n]{0,2000}\)|\[[^\[\]]{0,500}\])?")


def drop_images(text: bytes) -> bytes:
    """Return `text` without the images in it."""
    return _IMAGE.sub(b"", text)
