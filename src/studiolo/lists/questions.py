"""Which lines ask something."""

from __future__ import annotations

import re


_QUESTION = re.compile(r"(?:Q(\d{0,3})|(?P<word>Question))\s?[:.]\s*(?=\S)", re.IGNORECASE)
# what follows a bare `Q:` if it asks: a question mark, a word that asks, a sentence. Else Q is a symbol, defined
_ASKS = re.compile(
    r"(?:how|what|why|when|which|who|whose|where|can|could|do|does|did|is|are|was|should|would|will|has|have)\b"
    r"|[^?？]*[?？]|\S+\s.*\.$",
    re.IGNORECASE | re.DOTALL,
)


def asked_in(words: str, written: bytes = b"") -> str | None:
    """Return what a line asks that begins with `Q:`; as code, or before a term, that is a symbol."""
    match = _QUESTION.match(words)
    if match is None or written.startswith(b"`"):
        return None
    rest = words[match.end() :]
    return rest if match[1] or match["word"] or _ASKS.match(rest) else None
