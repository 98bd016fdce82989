"""Which of the papers that an entry links it is, and which it only mentions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from studiolo.keys import Key

from .labels import is_label
from .links import Piece
from .texts import Text
from .words import plain_words


# What a link to the paper itself is called. `[talk]` and `[code]` are labels too, and say that it is something else.
_PAPERS_OWN = frozenset({
    "abs", "abstract", "acl", "acm", "alphaxiv", "arxiv", "article", "biorxiv", "doi", "download", "full", "here", "hf", "html",
    "http", "huggingface", "ieee", "jmlr", "link", "links", "nature", "neurips", "nips", "iclr", "icml", "official", "openreview",
    "page", "paper", "papers", "pdf", "pmlr", "preprint", "proceedings", "ps", "published", "source", "springer", "text", "this",
    "url", "version", "web", "website", "论文", "链接", "论文链接", "论文地址",
})  # fmt: skip
_SMALL = re.compile(r"\d{1,4}|&|\+|and|the|v\d+")
_WORD = re.compile(r"[^\W_]+")
_BARE_ID = re.compile(
    r"(?:arxiv:?\s*)?(?:\d{4}\.\d{4,5}|[a-z-]+/\d{7})(?:v\d+)?|(?:doi:?\s*)?10\.\d{4,9}/\S+",
    re.IGNORECASE,
)
_LAST_WORD = re.compile(r"(?<![^\W_])([^\W_]+)[\s\[({<*_\"“']*([:.]?)[\s\[({<*_\"“']*$")
_POINTS_ELSEWHERE = frozenset(
    {"cf", "see", "vs", "also", "eg", "ie", "ibid", "compare", "related", "from"}
)


def mentioned(own: Sequence[Text], below: Sequence[Text]) -> frozenset[Key]:
    """Return the papers that an entry only mentions; all others that it links are its own.

    Its own are the first paper of its own line, further ones there that are labelled as the paper's or stand beside it
    like a second address, and links below that are labelled so and stand alone. Where its own line names no paper, the
    first link below that stands alone or is labelled so is its own.

    Args:
        own: the text of its own line, or the cells of its row that are not notes.
        below: the texts nested in it, and cells of notes.
    """
    ours: dict[Key, None] = {}
    others: dict[Key, None] = {}
    for text in own:
        for piece, key, before in _papers(text):
            is_own = not ours or is_paper_label(_shown(text, piece)) or _beside(before)
            (ours if is_own else others)[key] = None
    for text in below:
        words = _words_around(text)
        for piece, key, _ in _papers(text):
            labelled = is_paper_label(_shown(text, piece))
            if ours:
                is_own = is_paper_label(words) or (labelled and not _says_more(words))
            else:
                is_own = labelled or not _says_more(words)
            (ours if is_own else others)[key] = None
    return frozenset(key for key in others if key not in ours)


def is_paper_label(text: str) -> bool:
    """Whether a link's text only says that it leads to the paper: `pdf`, `arXiv`, an id."""
    if _BARE_ID.fullmatch(text.strip(" []().")):
        return True
    words = _WORD.findall(text.casefold())
    return (
        0 < len(words) <= 4
        and any(word in _PAPERS_OWN for word in words)
        and all(word in _PAPERS_OWN or _SMALL.fullmatch(word) for word in words)
    )


def _papers(text: Text) -> Iterator[tuple[Piece, Key, str]]:
    """Yield the links of a text that name papers, with the words between each and the link before it."""
    data, at = text.run.data, 0
    for piece in text.pieces:
        if (
            piece.kind not in ("image", "wiki")
            and piece.mention is not None
            and piece.mention.key.names_paper
        ):
            yield piece, piece.mention.key, data[at : piece.start].decode("utf-8", "replace")
        at = max(at, piece.end)


def _shown(text: Text, piece: Piece) -> str:
    """Return the words that a link shows; none for an address that stands as it is."""
    if piece.kind in ("bare", "auto"):
        return ""
    return plain_words(text.run.data[slice(*piece.text)])


def _beside(before: str) -> bool:
    """Whether a link that follows `before` stands like a second address, and is not part of a sentence."""
    if not _WORD.search(before):
        return True
    found = _LAST_WORD.search(before)
    if found is None:
        return True  # other punctuation sets it off
    word, mark = found[1].casefold(), found[2]
    if word in _POINTS_ELSEWHERE:
        return False
    if word in _PAPERS_OWN:
        return True
    return mark == "." or (word in {"and", "or"} and len(_WORD.findall(before)) == 1)


def _words_around(text: Text) -> str:
    """Return the words of a text that are not in its links."""
    data, at, outside = text.run.data, 0, []
    for piece in text.pieces:
        outside.append(data[at : piece.start])
        at = max(at, piece.end)
    return plain_words(b" ".join([*outside, data[at:]]))


def _says_more(words: str) -> bool:
    """Whether the words around links are more than labels."""
    said = _WORD.findall(words.casefold())
    return bool(said) and (not is_label(words) or not _POINTS_ELSEWHERE.isdisjoint(said))
