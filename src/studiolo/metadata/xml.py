"""XML of services: whole or refused, and never with a document type, whose entities can be made to explode."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from studiolo.errors import NetworkError


# XML cannot hold these; abstracts do now and then, and one of them should not spoil a page of a thousand papers
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def parse_xml(body: bytes, tag: str, what: str) -> ET.Element:
    """Return the root of an answer of arXiv, read as UTF-8 whatever it says of itself.

    Args:
        tag: of the root, with its namespace.
        what: what the answer should be, for errors.

    Raises:
        NetworkError: it is not complete, something else, or declares a document type.
    """
    if re.search(rb"<!(?:DOCTYPE|ENTITY)", body, re.IGNORECASE) or b"\0" in body[:200]:
        raise NetworkError("arXiv's answer declares a document type; it was not read")
    text = _ILLEGAL.sub("\ufffd", body.decode("utf-8", "replace"))
    try:
        root = ET.fromstring(text.encode(), ET.XMLParser(encoding="utf-8"))
    except ET.ParseError as problem:
        raise NetworkError(
            f"arXiv's answer is not a complete {what} ({problem}; it starts with {' '.join(text[:80].split())!r})"
        ) from problem
    if root.tag != tag:
        raise NetworkError(f"arXiv's answer is not a {what} but {root.tag[:60]!r}")
    return root


def words_of(text: str | None) -> str:
    """Return the text of an element on one line."""
    return " ".join((text or "").split())[:20_000]
