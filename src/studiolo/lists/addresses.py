"""The words of an address, for a link that has no others."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from studiolo.keys import find_mention


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
