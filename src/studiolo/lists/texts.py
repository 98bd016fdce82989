"""The text of one block or cell, and what it says as a whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

from studiolo.keys import Key

from .elements import Link
from .labels import is_label
from .links import Piece, Run
from .words import plain_with_links, plain_words


_TAG = re.compile(rb"</?[a-zA-Z][^<>]{0,500}>")
_WORD_BYTE = re.compile(rb"\w|[\x80-\xff]")


@dataclass(slots=True)
class Text:
    """The text of one block (or cell) and the links in it; `line` is where it begins."""

    run: Run
    pieces: list[Piece]
    line: int
    _links: tuple[Link, ...] | None = None

    @property
    def links(self) -> tuple[Link, ...]:
        """Its links as they stand in the list, without images; made when they are first asked for."""
        if self._links is None:
            self._links = tuple(self._link(p) for p in self.pieces if p.kind != "image")
        return self._links

    @property
    def images(self) -> tuple[Link, ...]:
        """Its images as they stand in the list."""
        return tuple(self._link(piece) for piece in self.pieces if piece.kind == "image")

    def _link(self, piece: Piece) -> Link:
        run = self.run
        shown = run.data[slice(*piece.text)].decode("utf-8", "replace")
        return Link(
            piece.url if piece.kind == "bare" else " ".join(shown.split()),
            piece.url,
            piece.mention if piece.kind != "wiki" else None,
            self.line + run.line(piece.start),
            run.span(piece.start, piece.end),
            "wiki" if run.data.startswith(b"![[", piece.start) else piece.kind,
        )

    def words(self) -> str:
        """Return its words, links replaced by their texts."""
        return plain_with_links(self.run.data, self.pieces)

    def words_alone(self) -> str:
        """Return its words outside of links."""
        out, at = [], 0
        for piece in self.pieces:
            out.append(self.run.data[at : piece.start])
            at = max(at, piece.end)
        return plain_words(b" ".join([*out, self.run.data[at:]])).rstrip("[]()|, ")

    def linked_keys(self) -> list[Key]:
        """Return what its links point at, in their order."""
        return [
            mention.key
            for piece in self.pieces
            if piece.kind not in ("image", "wiki") and (mention := piece.mention)
        ]

    def links_paper(self) -> bool:
        """Whether one of its links names a paper."""
        for piece in self.pieces:
            if (
                piece.kind not in ("image", "wiki")
                and (mention := piece.mention)
                and mention.key.names_paper
            ):
                return True
        return False

    def shown(self) -> list[str]:
        """Return what its links show."""
        return [
            self.run.data[slice(*piece.text)].decode("utf-8", "replace")
            for piece in self.pieces
            if piece.kind != "image"
        ]

    def only_links(self) -> bool:
        """Whether it is nothing but links without words of their own."""
        if not self.pieces:
            return False
        at = 0
        for piece in self.pieces:
            if piece.start >= at:
                if _WORD_BYTE.search(_TAG.sub(b"", self.run.data[at : piece.start])):
                    return False
                at = piece.end
            inner = _TAG.sub(b"", self.run.data[slice(*piece.text)]).decode("utf-8", "replace")
            if piece.kind not in ("bare", "auto", "image") and not is_label(inner):
                return False
        return _WORD_BYTE.search(_TAG.sub(b"", self.run.data[at:])) is None
