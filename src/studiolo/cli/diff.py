"""How a plan is shown: exactly the lines that it would change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .console import counted, say


if TYPE_CHECKING:
    from studiolo.library import Library, Page, Plan

SHOWN_LINES = 60  # of the diff of one page
SHOWN_PAGES = 12  # of those that are made, or taken away


def show_diff(plan: Plan) -> None:
    """Print exactly what a plan would change."""
    _show_lines(plan.diff())


def show_pages(home: Library, pages: Sequence[Page]) -> None:
    """Print what would change in each of several pages, and the names of those that are made or taken away."""
    made = [page for page in pages if page.before is None]
    gone = [page for page in pages if page.after is None]
    for page in pages:
        if page in made or page in gone:
            continue
        lines = page.diff()
        say(home.relative(page.path), style="bold")
        _show_lines(lines[:SHOWN_LINES])
        if len(lines) > SHOWN_LINES:
            say(f"  … and {counted(len(lines) - SHOWN_LINES, 'more line', 'more lines')}")
    for what, some in (("new", made), ("gone", gone)):
        for page in some[:SHOWN_PAGES]:
            size = (page.after or page.before or b"").count(b"\n")
            say(f"{what}: {home.relative(page.path)} ({counted(size, 'line')})")
        if len(some) > SHOWN_PAGES:
            say(f"{what}: … and {counted(len(some) - SHOWN_PAGES, 'more page', 'more pages')}")


def _show_lines(lines: Iterable[str]) -> None:
    for line in lines:
        style = {"+": "green", "-": "red", "@": "dim"}.get(line[:1], "")
        say(f"  {line}", style=style)
