"""How long does a very long list take, and how does our parser compare? `python bench/lists.py [--entries 400000]`.

Makes a list (38 MB with 400,000 entries), runs `studiolo show` and `studiolo check` on it as whole processes, and reads
10 MB of it in turns with markdown-it-py, which finds the same blocks and links but no entries, titles or keys.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


ENTRIES = 400_000
PARSED_BYTES = 10_000_000
PAIRS = 3
NOUNS = [
    "attention",
    "memory",
    "gradients",
    "pruning",
    "kernels",
    "diffusion",
    "tokens",
    "graphs",
    "priors",
    "rewards",
    "depth",
    "width",
    "noise",
    "labels",
    "scale",
]
FAMILIES = [
    "Moreau",
    "Okafor",
    "Lindqvist",
    "Tanaka",
    "Almeida",
    "Novak",
    "Haddad",
    "Brandt",
    "Castillo",
    "Petrov",
]


def make_list(entries: int, seed: int = 0) -> bytes:
    """Return a list with so many entries under headings, in the forms that people write, some with notes and questions."""
    draw = random.Random(seed)
    out = ["# Papers\n"]
    for i in range(entries):
        if i % 2000 == 0:
            out.append(f"\n## Topic {i // 2000}\n")
        if i % 100 == 0:
            out.append(f"\n### {draw.choice(NOUNS).title()} {i // 100}\n\n")
        noun, other = draw.choice(NOUNS), draw.choice(NOUNS)
        arxiv = f"{draw.randint(15, 24)}{draw.randint(1, 12):02d}.{draw.randint(1, 99999):05d}"
        year = draw.randint(2015, 2024)
        form = i % 10
        if form < 4:
            out.append(f"- [On {noun} and {other}](https://arxiv.org/abs/{arxiv}) - {year}\n")
        elif form < 6:
            out.append(
                f'- Net{i} - ["{noun.title()} without {other}" - {year} - A. {draw.choice(FAMILIES)}, '
                f"B. {draw.choice(FAMILIES)}](https://arxiv.org/pdf/{arxiv}.pdf)\n"
            )
        elif form < 8:
            out.append(f"- **{noun.title()}{i}**: https://github.com/owner{i % 977}/{noun}{i}\n")
        elif form < 9:
            out.append(
                f"- [{other.title()}, explained](https://blog{i % 97}.example.org/{year}/{noun}-{i}/)\n"
            )
        else:
            out.append(f"- Read *again* what {noun} {i} says of `{other}`\n")
        if i % 3 == 0:
            out.append(f"  - compare *{other}* with what is said of {noun} at small scale\n")
        if i % 1000 == 7:
            out.append(f"  - Q: does {noun} need {other}?\n  - A: only at first\n")
    return "".join(out).encode()


def run(command: list[str]) -> tuple[float, float]:
    """Run a process; return its CPU time in s and the most memory it held in MB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def cpu_s(function: Callable[[], object]) -> float:
    """Return the CPU time in s of one call."""
    begin = time.process_time()
    function()
    return time.process_time() - begin


def compare_parsers(data: bytes) -> tuple[list[float], list[float]]:
    """Return the CPU times in s of our parser and of markdown-it-py, in pairs that take turns at going first."""
    from markdown_it import MarkdownIt

    from studiolo.keys.address import _look_up
    from studiolo.lists import Document

    text = data.decode()

    def ours() -> object:
        _look_up.cache_clear()
        return [entry.keys for entry in Document(data).entries]

    def theirs() -> object:
        return MarkdownIt("commonmark").enable("table").parse(text)

    a_s, b_s = [], []
    for pair in range(PAIRS):
        for name in ("ab", "ba")[pair % 2]:
            (a_s if name == "a" else b_s).append(cpu_s(ours if name == "a" else theirs))
    return a_s, b_s


def main() -> None:
    """Print CPU times, memory and the ratio of the two parsers."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--entries", type=int, default=ENTRIES)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--only", choices=("show", "check", "parse"))
    given = options.parse_args()
    data = make_list(given.entries)
    print(f"{given.entries:,} entries, {len(data) / 1e6:.1f} MB; load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.md"
        path.write_bytes(data)
        for command in ("show", "check"):
            if given.only in (None, command):
                runs = [
                    run([sys.executable, "-m", "studiolo", command, str(path)])
                    for _ in range(given.repeats)
                ]
                print(
                    f"studiolo {command}: {min(s for s, _ in runs):.1f} CPU-s (least of {len(runs)}), "
                    f"{max(mb for _, mb in runs):.0f} MB"
                )
    if given.only in (None, "parse"):
        a_s, b_s = compare_parsers(data[:PARSED_BYTES])
        ratio = statistics.median(a / b for a, b in zip(a_s, b_s, strict=True))
        print(
            f"parse of {min(len(data), PARSED_BYTES) / 1e6:.0f} MB: ours {min(a_s):.2f} CPU-s, markdown-it-py {min(b_s):.2f}; ratio {ratio:.2f} (median of {PAIRS} pairs)"
        )


if __name__ == "__main__":
    main()
