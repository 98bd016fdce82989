"""What stands before the words of a head and is not of them: check boxes, emoji, keywords, numbers; hashtags anywhere."""

from __future__ import annotations

import re


_NUMBERING = re.compile(
    r"\[(?!(?:19|20)\d\d\])\d{1,4}\]\s*|(?:\((?!(?:19|20)\d\d\))\d{1,4}\)|#\d{1,4}[.:]?|(?!(?:19|20)\d\d)\d{1,4}[.)、]|\d{1,2}(?:\.\d{1,2}){1,3}\.?(?=\s+[A-Z]))(?:\s+|$)"
    r"|\d{1,3}[.、](?=[A-Z]\w|[\[(（【])"
)
_DECORATION = re.compile(
    "(?:\\[[ xX/~-]\\]\\s+|#{2,6}(?=\\w)|#{1,6}(?=\\[)|[*+](?=\\d{1,3}[.)]\\s)|[-–—•]\\s+|[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f\u200d\u200e\u200f\u2190-\u21ff\u23e9-\u23fa]+\\s*|:[a-z0-9_+-]{2,40}:\\s*)+"
)
# Org's and Logseq's: (to read), (reading), read
KEYWORD = re.compile(
    r"(?:(TODO|LATER|WAITING)|(DOING|NOW|STARTED|IN-PROGRESS)|DONE)(?=\s*:?\s)[ :]*"
)
SHORTCODE = re.compile(r"\s*:[a-z][a-z0-9_+-]{1,40}:(?=\s|:|$)")
HASHTAGS = re.compile(r"(?:(?<=\s)|^)#[^\W\d][\w/-]{0,60}(?=\s|$)")
NUMBER = re.compile(r"\[?\d{1,4}\]?[.)]?")


def without_leads(words: str, *, escaped: bool = False) -> str:
    """Return `words` without a check box, emoji, keyword and number before them, unless that is `escaped`."""
    words = words.lstrip()
    for lead in (_DECORATION, KEYWORD, _DECORATION, _NUMBERING, _DECORATION)[: 1 if escaped else 5]:
        if match := lead.match(words):
            words = words[match.end() :]
    return words


def unbracketed(text: str) -> str:
    """Return words without brackets that stand around all of them."""
    inner = text[1:-1]
    whole = text[:1] + text[-1:] in ("()", "[]", "（）", "【】")
    return inner.strip() if whole and not any(char in inner for char in "()[]（）【】") else text
