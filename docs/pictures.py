"""Draw the pictures of the README from what commands print: python docs/pictures.py

The one of the list takes a second; the one of the papers measures for half a minute.
"""

from __future__ import annotations

import html
import os
import subprocess
import sys
import tempfile
from pathlib import Path


HERE = Path(__file__).parent
COLUMNS = 96
LINE, CHARACTER, EDGE = 20, 8.4, 18  # pixels
NO_BREAK = "\N{NO-BREAK SPACE}"
STYLE = (
    ("bold", "#f3efe6", ("Initialization", "Rethinking", "To Review", "$ ")),
    ("", "#6fcf97", ("    holds", "    passes", "  ✓")),
    ("", "#e3c04f", ("      ? ",)),
    ("", "#a3acb7", ("Left for",)),
)
LIST = ("show recent-ml-research", "find fourier has:question")
RUN = ("run --example --only performers --only factorized_layers --budget 40s",)


def terminal(lines: list[str], title: str) -> str:
    """Return an SVG that shows lines as a terminal does; longer ones end in an ellipsis."""
    shown = [line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…" for line in lines]
    width, height = round(COLUMNS * CHARACTER + 2 * EDGE), LINE * len(shown) + 2 * EDGE
    rows = "\n".join(
        f'<text x="{EDGE + CHARACTER * (len(line) - len(line.lstrip())):g}" y="{EDGE + LINE * number + 14}" '
        f'fill="{colour}"{weight}>{html.escape(line.lstrip()).replace("  ", NO_BREAK * 2)}</text>'
        for number, line in enumerate(shown)
        for weight, colour in [_look(line)]
        if line
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'font-family="ui-monospace, SFMono-Regular, Menlo, DejaVu Sans Mono, monospace" font-size="14">\n'
        f"<title>{html.escape(title)}</title>\n"
        f'<rect width="100%" height="100%" rx="10" fill="#1c2026"/>\n{rows}\n</svg>\n'
    )


def _look(line: str) -> tuple[str, str]:
    for weight, colour, beginnings in STYLE:
        if line.startswith(beginnings):
            return (' font-weight="bold"' if weight else ""), colour
    return "", "#dcdfe4"


def printed(commands: tuple[str, ...], folder: Path) -> list[str]:
    """Run commands in a folder and return what a reader sees there."""
    lines: list[str] = []
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "studiolo", *command.split()],
            cwd=folder, capture_output=True, text=True, check=True,
            env=os.environ | {"COLUMNS": str(COLUMNS), "NO_COLOR": "1"},
        )  # fmt: skip
        lines += [f"$ studiolo {command}", *done.stdout.rstrip().splitlines(), ""]
    return lines[:-1]


def list_picture() -> str:
    """Return the picture of the list: what is on it, and something found again."""
    with tempfile.TemporaryDirectory() as folder:
        init = [sys.executable, "-m", "studiolo", "init", folder]
        subprocess.run(init, check=True, capture_output=True)
        lines = printed(LIST, Path(folder))
    return terminal(lines, "What is on the list to try, and a search in it")


def run_picture() -> str:
    """Return the picture of the papers: verdicts that were measured while it was made."""
    with tempfile.TemporaryDirectory() as folder:
        lines = printed(RUN, Path(folder))
    end = next(number for number, line in enumerate(lines) if line.startswith("Next:"))
    return terminal(lines[:end], "Verdicts on two papers after half a minute")


if __name__ == "__main__":
    for name, draw in (("list.svg", list_picture), ("run.svg", run_picture)):
        (HERE / name).write_text(draw())
        print(HERE / name)
