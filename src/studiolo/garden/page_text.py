"""The words of a page: without its title, its tags and what Studiolo writes in it."""

from __future__ import annotations

import re


_TITLE = re.compile(rb"\A\s*(?:#[^\n#][^\n]*|[^\n]+\n=+[ \t\r]*)(?:\n|\Z)")
_FRONT = re.compile(rb"\A---[ \t\r]*\n(.*?)\n(?:---|\.\.\.)[ \t\r]*(?:\n|\Z)", re.DOTALL)
_OF_FRONT = re.compile(
    rb"^(?:tags|title|labels|keywords)[ \t]*:[^\n]*(?:\n[ \t]*-[ \t][^\n]*)*\n?",
    re.MULTILINE | re.IGNORECASE,
)
_NO_TEXT = re.compile(
    rb"<!--[ \t]*studiolo:(\w+)[^\n]*-->.*?<!--[ \t]*/studiolo:\1[ \t]*-->"
    rb"|<!--\s*TAGS?\b.*?-->"
    rb"|^(?:labels?|tags?|keywords)[ \t]*:[^\n]*$"
    rb"|^[ \t]*(?:\[?!\[[^\]\n]*\]\([^)\n]*\)(?:\]\([^)\n]*\))?[ \t]*)+\r?$"
    rb"|^[ \t]*(?:#[^\W\d][\w/-]*[ \t]*)+\r?$",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)


def text_of_page(data: bytes) -> bytes:
    """Return the words of a page: front matter's title and tags, the page's title, labels, comments of tags, badges and our
    parts left out, and blank lines too."""
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    front = _FRONT.match(data)
    head = b""
    if front:
        head, data = _OF_FRONT.sub(b"", front[1] + b"\n"), data[front.end() :]
    data = _NO_TEXT.sub(b"", _TITLE.sub(b"", data, count=1))
    return b"\n".join(line.rstrip() for line in (head + data).split(b"\n") if line.strip())
