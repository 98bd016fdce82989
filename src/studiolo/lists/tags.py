"""Tags, wherever a list writes them: in words, in comments, in front matter, on badges."""

from __future__ import annotations

import re
from urllib.parse import unquote

from .labels import is_label
from .texts import Text


HASHTAG = re.compile(r"(?<![\w/&#])#([^\W\d][\w/-]{0,60})")
_CODE_TAG = re.compile(rb"`([a-z][a-z0-9_+./-]{0,40})`")
_TRAILING_CODE = re.compile(rb"(?<=[^\s])[ \t]+(?:`[a-z][a-z0-9_+./-]{0,40}`[ \t,]*)+$")
_LABELS = re.compile(
    rb"(?:labels?|tags?|keywords)[ \t]*:[ \t]*([^\n]*?)[ \t\r]*(?:\n|$)", re.IGNORECASE
)
LONGEST_TAG = 80  # letters; longer is a sentence
_BADGE = re.compile(r"https?://img\.shields\.io/badge/tag-(.+)-[^-]+$", re.IGNORECASE)


def folded_tag(tag: str) -> str:
    """Return what is the same of all spellings of a tag: neither capitals nor blanks, `_` and `-` tell tags apart."""
    return re.sub(r"[\s_-]+", "-", tag.casefold())


def hashtags(text: Text) -> list[str]:
    """Return the `#tags` among the words of a text, not those inside its links."""
    data, at, tags = text.run.data, 0, []
    if b"#" not in data:
        return []
    for piece in [*text.pieces, None]:
        end = piece.start if piece else len(data)
        if end >= at:
            tags += HASHTAG.findall(data[at:end].decode("utf-8", "replace"))
            at = piece.end if piece else end
    return tags


def trailing_code(line: bytes) -> list[tuple[str, tuple[int, int]]]:
    """Return the tags that a line ends with as `` `tag` ``, in small letters, and where they stand in it."""
    end = _TRAILING_CODE.search(line) if line.rstrip(b" \t,").endswith(b"`") else None
    if end is None:
        return []
    spans = [(match[1].decode(), match.span()) for match in _CODE_TAG.finditer(line, end.start())]
    return [(tag, span) for tag, span in spans if not is_label(tag)]


def badge_tag(url: str) -> str | None:
    """Return the tag that the picture of a badge `tag-…` shows, if it is one."""
    badge = _BADGE.match(url)
    if badge is None:
        return None
    name = unquote(badge[1]).replace("--", "\0").replace("__", "\1").replace("_", " ")
    return name.replace("\0", "-").replace("\1", "_")


def labels_line(line: bytes) -> tuple[list[str], tuple[int, int]] | None:
    """Return the tags of a line such as `labels: llm, public_good` and where they stand in it; None where it is none."""
    match = _LABELS.match(line)
    if match is None:
        return None
    text = match[1].decode("utf-8", "replace")
    tags = HASHTAG.findall(text) if text.startswith("#") else split_tags(text.replace("`", ""))
    return (tags, match.span(1)) if all(len(tag) <= LONGEST_TAG for tag in tags) else None


def split_tags(text: str) -> list[str]:
    """Return the tags of a list with commas, semicolons or one a line, without bullets and `#`."""
    pieces = re.split(r"[,;\n]", text)
    return [tag for piece in pieces if (tag := " ".join(piece.strip().lstrip("-*+# \t").split()))]


def front_tags(text: str) -> list[str]:
    """Return the `tags` of YAML or TOML front matter: a line, a bracketed list, or one `- tag` a line."""
    match = re.search(
        r"^tags[ \t]*[:=][ \t]*(.*)((?:\n[ \t]*-[ \t]+.*)*)", text, re.MULTILINE | re.IGNORECASE
    )
    if match is None:
        return []
    line = match[1].strip().strip("[]") + match[2]
    return [
        tag.strip("\"' \t") for tag in split_tags(line.replace("\n", ",")) if tag.strip("\"' \t")
    ]
