"""Writing the report: the page, and badges beside it."""

from __future__ import annotations

import os
from pathlib import Path

from studiolo.lists import Document

from .html import render_html
from .pictures import badge
from .view import View, load_view


def write_report(document: Document, library: Path, *, live: bool = True) -> Path:
    """Write the page of a list to `library`/.studiolo/report/<list>.html, badges beside it; return its absolute path.

    Args:
        live: with figures that answer to the mouse; without, the page has no script at all.
    """
    view = load_view(document, library)
    name = document.path.stem if document.path else "list"
    page = (library / ".studiolo" / "report" / f"{name}.html").resolve()
    page.parent.mkdir(parents=True, exist_ok=True)
    _write(page, render_html(view, live=live))
    _write_badges(view, page.parent / "badges")
    return page


def _write_badges(view: View, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for slug, paper in view.papers.items():
        summary = ", ".join(f"{n} {word}" for word, n in paper.counts.items()) or "no claims"
        _write(folder / f"{slug}.svg", badge(slug.replace("_", " "), summary))
        for claim in paper.claims:
            text = badge(claim.id, paper.verdicts[claim.id], claim.scale.kind)
            _write(folder / f"{slug}-{claim.id}.svg", text)


def _write(path: Path, text: str) -> None:
    """Write a whole file or nothing."""
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
