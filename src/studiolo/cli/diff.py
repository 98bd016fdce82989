"""How a plan is shown: exactly the lines that it would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .console import say


if TYPE_CHECKING:
    from studiolo.library import Plan


def show_diff(plan: Plan) -> None:
    """Print exactly what a plan would change."""
    for line in plan.diff():
        style = {"+": "green", "-": "red", "@": "dim"}.get(line[:1], "")
        say(f"  {line}", style=style)
