"""What the page of a tag is called on the disk: a name that Linux, macOS and Windows all take, whatever the tag is."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable


LONGEST = 60  # letters, at most 180 bytes
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)  # of Windows


def tag_files(tags: Iterable[str], there: Iterable[str] = ()) -> dict[str, str]:
    """Return the name of the page of each tag, in the order of `tags`.

    A tag of letters, digits, `_`, `-`, `+` and `.` is its own name, and blanks become `-`. Any other letter is left out,
    and a few digits tell such tags apart; so do they where two names differ in capitals alone, as macOS and Windows do not.

    Args:
        there: names of files that are there already: one that differs in capitals alone is taken as it is.
    """
    tags = list(tags)
    known: dict[str, str] = {}
    for name in sorted(there):
        known.setdefault(name.casefold(), name)
    exact = set(known.values())
    found: dict[str, str] = {}
    taken: set[str] = set()
    for tag in sorted(tags, key=lambda tag: (_plain(tag)[0] != tag, tag)):
        stem, needs_digits = _plain(tag)
        if needs_digits or f"{stem}.md".casefold() in taken:
            stem = f"{stem}-{_digits(tag)}" if stem else f"tag-{_digits(tag)}"
        name = f"{stem}.md"
        taken.add(name.casefold())
        found[tag] = name if name in exact else known.get(name.casefold(), name)
    return {tag: found[tag] for tag in tags}


def _plain(tag: str) -> tuple[str, bool]:
    """Return what of a tag can stand in a name, and whether more than its blanks is lost."""
    text = unicodedata.normalize("NFC", tag)
    joined = re.sub(r"\s+", "-", text.strip())
    kept = "".join(letter if _may_stand(letter) else "-" for letter in joined)
    kept = re.sub(r"-{2,}", "-", kept) if kept != joined else kept
    stem = kept.strip("-. ")[:LONGEST].rstrip("-. ")
    if _DEVICE.fullmatch(stem):
        return f"tag-{stem}", True
    return stem, stem != joined or not stem


def _may_stand(letter: str) -> bool:
    return letter in "_-+." or unicodedata.category(letter)[0] in "LNM"


def _digits(tag: str) -> str:
    return hashlib.blake2b(
        tag.casefold().encode("utf-8", "surrogateescape"), digest_size=4
    ).hexdigest()
