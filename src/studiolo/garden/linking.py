"""Words and links of the world as they stand on the pages that Studiolo writes."""

from __future__ import annotations

import re
from functools import cache
from itertools import takewhile
from pathlib import PurePosixPath
from urllib.parse import quote

from studiolo.lists import escape


@cache
def shown(text: str) -> str:
    """Return words of the world as they stand in a cell: nothing in them is markup, and no bar parts them."""
    letters = "".join(letter if letter.isprintable() else " " for letter in text)
    return escape(letters).replace("|", "\\|")


def relative_link(page: str, target: str) -> str:
    """Return a relative link from a page to another, both as seen from the library."""
    here, there = PurePosixPath(page).parent.parts, PurePosixPath(target).parts
    common = sum(1 for _ in takewhile(lambda two: two[0] == two[1], zip(here, there, strict=False)))
    relative = "/".join((*(".." for _ in here[common:]), *there[common:]))
    return quote(relative.encode("utf-8", "surrogateescape"), safe="/~")


def target_of(url: str) -> str:
    """Return an address as it stands between the parentheses of a link, in a cell too."""
    return re.sub(r"[\s<>()|\\]", lambda match: quote(match[0]), url)
