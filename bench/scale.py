"""What do a million bookmarks cost, and how does it grow? `python bench/scale.py [--bookmarks 1000000]`.

Makes a browser's file of bookmarks, and collects and shows them as whole processes, at half of the size and at the whole: a step that is linear takes twice as long, one that is quadratic four times. CPU time and the most memory of
each process.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lists import run


BOOKMARKS = 1_000_000


def bookmarks(number: int, seed: int = 0) -> Iterator[str]:
    """Yield the lines of a browser's file of bookmarks: papers, code, talks, posts and pages, some saved twice."""
    draw = random.Random(seed)
    yield "<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<TITLE>Bookmarks</TITLE>\n<H1>Bookmarks</H1>\n<DL><p>\n"
    for i in range(number):
        k = draw.randrange(number) if i % 20 == 0 else i
        if i % 1000 == 0:
            end = "</DL><p>\n" if i else ""
            yield f"{end}<DT><H3>Folder {i // 1000}</H3>\n<DL><p>\n"
        arxiv = f"{15 + k // 100_000 % 10}{1 + k // 1_000_000 % 12:02d}.{k % 100_000:05d}"
        url = (
            f"https://arxiv.org/abs/{arxiv}",
            f"https://arxiv.org/pdf/{arxiv}v2",
            f"https://github.com/owner{k % 977}/code{k}",
            f"https://www.youtube.com/watch?v={k:011d}",
            f"https://blog{k % 997}.example.org/posts/{k}.html?utm_source=feed",
        )[k % 5]
        yield f'<DT><A HREF="{url}" ADD_DATE="{1_500_000_000 + i}">Saved thing number {k}</A>\n'
    yield "</DL><p>\n</DL><p>\n"


def main() -> None:
    """Print CPU-seconds and megabytes of each step at half of the size and the whole, and how it grows."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bookmarks", type=int, default=BOOKMARKS)
    given = options.parse_args()
    spent: dict[str, list[tuple[float, float]]] = {}
    for part in (2, 1):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "library"
            saved = Path(folder) / "bookmarks.html"
            run([sys.executable, "-m", "studiolo", "init", str(home)])
            with saved.open("w") as file:
                file.writelines(bookmarks(given.bookmarks // part))
            steps = {
                "collect": ["collect", str(saved)],
                "collect again": ["collect", str(saved)],
                "inbox": ["inbox"],
            }
            for step, words in steps.items():
                command = [sys.executable, "-m", "studiolo", *words, "--library", str(home)]
                spent.setdefault(step, []).append(run(command))
    print(f"{given.bookmarks:,} bookmarks; load {os.getloadavg()[0]:.1f}")
    for step, ((half_s, _), (whole_s, mb)) in spent.items():
        print(
            f"{step}: {whole_s:.1f} CPU-s, {mb:.0f} MB; {whole_s / half_s:.2f} times that of half"
        )


if __name__ == "__main__":
    main()
