"""Writing the report: the page, and badges beside it."""

from __future__ import annotations

import hashlib
import html
import re
from pathlib import Path

from studiolo.claims import outcome_of_check
from studiolo.files import update_bytes

from .feed import FEED_FILE
from .html import render_html, render_site
from .pictures import badge
from .view import View


LIST_OF_PAGE = re.compile(r'<meta name="list" content="([^"]*)">')


def write_report(view: View, to: Path | None = None, *, live: bool = True) -> Path:
    """Write the page of a list and, beside it, badges for a README; return its path.

    Args:
        to: the page; default: `view.library`/.studiolo/report/<list>.html. Where the page of another list has that
            name already, a part of this list's own address is added to it.
        live: with figures that respond to the mouse; without, the page has no script at all.

    Raises:
        FileError: the page cannot be written; says why.
    """
    page = to or _page_path(view, "{}.html")
    _save(page, render_html(view, live=live))
    _save_badges(view, page.parent / "badges")
    return page


def write_site(view: View, to: Path | None = None, *, live: bool = True) -> Path:
    """Write an index, a page for each paper and badges into a folder whose other files stay; return the index.

    The index names the feed that `studiolo export atom` wrote beside it, if it did.

    Args:
        to: the folder; default: `view.library`/.studiolo/report/<list>.
        live: with figures that respond to the mouse; without, no page has a script.

    Raises:
        FileError: a page cannot be written; says why.
    """
    index = to / "index.html" if to else _page_path(view, "{}/index.html")
    feed = FEED_FILE if index.with_name(FEED_FILE).is_file() else ""
    for name, text in render_site(view, live=live, feed=feed).items():
        _save(index.with_name(name), text)
    _save_badges(view, index.with_name("badges"))
    return index


def note_seen(view: View) -> list[str]:
    """Write down which verdicts a report shows under which rules, and return what could not be written where."""
    complaints = [
        says
        for paper in view.papers.values()
        for says in paper.ledger.note(paper.evidence, found=True)
    ]
    return list(dict.fromkeys(complaints))


def _page_path(view: View, pattern: str) -> Path:
    """Return where the page of a list goes: `pattern` with its name, and with a part of its address where that is taken."""
    folder = view.library.resolve() / ".studiolo" / "report"
    path = view.document.path
    if path is None:
        return folder / pattern.format("list")
    page = folder / pattern.format(path.stem)
    other = _list_of(page, view.library)
    if other is None or other == path.resolve() or not other.exists():
        return page
    digest = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return folder / pattern.format(f"{path.stem}-{digest[:8]}")


def _list_of(page: Path, library: Path) -> Path | None:
    """The list that a page was made from, where it is a page that says so."""
    try:
        with page.open(encoding="utf-8", errors="replace") as file:
            found = LIST_OF_PAGE.search(file.read(4096))
    except OSError:
        return None
    return (library / html.unescape(found[1])).resolve() if found and found[1] else None


def _save_badges(view: View, folder: Path) -> None:
    for slug, paper in view.papers.items():
        summary = ", ".join(word.of(n) for word, n in paper.tally) or "no claims"
        _save(folder / f"{slug}.svg", badge(slug.replace("_", " "), summary))
        for claim in (*paper.claims, *paper.questions):
            word = ", ".join(filter(None, [paper.verdicts[claim.id].word, paper.marks(claim)]))
            text = badge(claim.id, word, claim.scale.kind)
            _save(folder / f"{slug}-{claim.id}.svg", text)
        for check in paper.checks:
            word = outcome_of_check(paper.verdicts[check.id])
            word = ", ".join(filter(None, [word, paper.marks(check)]))
            text = badge(check.id, word, "check")
            _save(folder / f"{slug}-{check.id}.svg", text)


def _save(path: Path, text: str) -> None:
    """Write a whole file or nothing; a file that holds this already stays."""
    data = text.encode("utf-8", "replace")
    update_bytes(path, lambda _: data)
