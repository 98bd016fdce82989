"""What do a million bookmarks and a list of 100,000 entries cost, and how does it grow? `python bench/scale.py`.

Makes a browser's file of bookmarks and a long list, and collects, shows, searches, reports and serves them as whole
processes, at half of the size and at the whole: a step that is linear takes twice as long, one that is quadratic four
times. CPU time and the most memory of each process. `--bookmarks 0` or `--entries 0` leaves a part out.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from lists import make_list, run


BOOKMARKS = 1_000_000
ENTRIES = 100_000
Cost = tuple[float, float]  # CPU time in s, memory in MB


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


def serve(home: Path) -> tuple[float, float]:
    """Ask a server for three pages, twice each; return its CPU time in s and the most memory it held in MB."""
    command = [sys.executable, "-m", "studiolo", "serve", str(home), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        address = next(
            found[0] for line in server.stdout if (found := re.search(r"http://\S+\d", line))
        )
        for page in ("/", "/list/lists/long.md", "/find?q=memory+pruning") * 2:
            with urllib.request.urlopen(address + page) as answer:
                answer.read()
        server.send_signal(signal.SIGINT)
        _, _, used = os.wait4(server.pid, 0)
        server.returncode = 0
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def steps_of_bookmarks(number: int, home: Path) -> Iterator[tuple[str, Cost]]:
    """Yield what collecting and showing so many bookmarks costs."""
    saved = home.parent / "bookmarks.html"
    with saved.open("w") as file:
        file.writelines(bookmarks(number))
    yield "collect", command(home, "collect", "bookmarks", str(saved))
    yield "collect again", command(home, "collect", "bookmarks", str(saved))
    yield "inbox", command(home, "inbox")


def steps_of_entries(number: int, home: Path) -> Iterator[tuple[str, Cost]]:
    """Yield what finding, reporting and serving a list of so many entries costs."""
    path = home / "lists" / "long.md"
    path.write_bytes(make_list(number))
    yield "find, the first time", command(home, "find", "memory", "pruning")
    yield "find", command(home, "find", "memory", "pruning")
    yield "report", run([sys.executable, "-m", "studiolo", "report", str(path)])
    yield "serve six pages", serve(home)


def command(home: Path, *words: str) -> Cost:
    """Run a command on a library."""
    return run([sys.executable, "-m", "studiolo", *words, "--library", str(home)])


def main() -> None:
    """Print CPU-seconds and megabytes of each step at half of the size and the whole, and how it grows."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bookmarks", type=int, default=BOOKMARKS)
    options.add_argument("--entries", type=int, default=ENTRIES)
    given = options.parse_args()
    for what, number, steps in (
        ("bookmarks", given.bookmarks, steps_of_bookmarks),
        ("entries", given.entries, steps_of_entries),
    ):
        spent: dict[str, list[Cost]] = {}
        for part in (2, 1) if number else ():
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder) / "library"
                run([sys.executable, "-m", "studiolo", "init", str(home)])
                for step, cost in steps(number // part, home):
                    spent.setdefault(step, []).append(cost)
        if spent:
            print(f"{number:,} {what}; load {os.getloadavg()[0]:.1f}")
        for step, ((half_s, _), (whole_s, mb)) in spent.items():
            print(
                f"{step}: {whole_s:.1f} CPU-s, {mb:.0f} MB; {whole_s / half_s:.2f} times that of half"
            )


if __name__ == "__main__":
    main()
