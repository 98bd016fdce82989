"""The command that says what was read when: log."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from .console import Styled, counted, say, say_json
from .options import AsJson, LibraryOption
from .reading import PANEL, STATE_SIGNS


app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def log(
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="DATE",
            help="From then on: 2026, 2026-11, 30d; today, week, month or year.",
        ),
    ] = "",
    library: LibraryOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what you read and began, and when, the newest first.

    The days are those on which `studiolo read` or `triage` marked it, or an earlier day that is kept in `.studiolo/reading.jsonl`.

    \b
    Examples:
      studiolo log
      studiolo log --since month
      studiolo log --since 2026-01 --json
    """
    from studiolo.library import Library, load_log

    day = _first_day(since, datetime.now(UTC).date()) if since else ""
    rows, undated = load_log(Library.find(library), since=day)
    if as_json:
        say_json(
            [
                {
                    "day": row.day,
                    "state": row.state,
                    "key": str(row.key),
                    "title": row.title,
                    "place": row.place or None,
                }
                for row in rows
            ]
        )
        return
    for row in rows:
        sign = STATE_SIGNS[row.state]
        say(f"{row.day}  {sign} ", Styled(row.title, "bold"), Styled(f"  {row.key}", "dim"))
    read = sum(row.state == "read" for row in rows)
    begun = sum(row.state == "reading" for row in rows)
    tail = f" since {day}" if day else ""
    say(f"{read:,} read, {begun:,} started{tail}.")
    if undated and not day:
        more = counted(undated, "more entry is", "more entries are")
        say(f"{more} marked as read on your lists, on a day that is not known.")


def _first_day(word: str, today: date) -> str:
    """Return the day that `--since` means, ISO 8601."""
    from studiolo.metadata import day_of

    first = {
        "today": today,
        "week": today - timedelta(days=today.weekday()),
        "month": today.replace(day=1),
        "year": today.replace(month=1, day=1),
    }.get(word)
    return first.isoformat() if first else day_of(word)
