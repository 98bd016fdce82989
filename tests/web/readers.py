"""Many readers at once: a library of thousands of entries, a server of its own, and what it took."""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import psutil


WORDS = ["attention", "kernel", "fourier", "sparse", "causal", "inference", "transformer", "memory", "gradient", "descent", "bayesian", "graph", "neural", "network", "representation", "learning", "optimal", "transport", "diffusion", "score", "matching", "energy", "contrastive", "language", "vision", "speech", "robotics", "policy", "reward", "bandit"]  # fmt: skip


def title(rng):
    return " ".join(rng.choice(WORDS) for _ in range(7)).capitalize()


def make_library(folder, *, entries=5_000, pool=50_000, seed=0):
    """Write a library with a list of many entries and a pool of many papers."""
    rng = random.Random(seed)
    (folder / ".studiolo" / "pools").mkdir(parents=True)
    lines = ["# A long list\n"]
    for n in range(entries):
        if n % 100 == 0:
            lines.append(f"\n## Section {n // 100}\n\n")
        lines.append(
            f'* ["{title(rng)}" - {2010 + n % 15} - Ada Lovelace, Alan Turing -]'
            f"(https://arxiv.org/abs/{2001 + n % 12:04}.{n:05})\n  * https://github.com/someone/repo{n}\n"
            f"  * a note about {rng.choice(WORDS)} and {rng.choice(WORDS)}, {n}\n"
        )
        if n % 7 == 0:
            lines.append(f"  * Q: could this be used for {rng.choice(WORDS)}?\n")
    (folder / "list.md").write_text("".join(lines))
    with (folder / ".studiolo" / "pools" / "many.jsonl").open("w") as file:
        for n in range(pool):
            abstract = " ".join(rng.choice(WORDS) for _ in range(120))
            record = {"key": f"arxiv:{2101 + n % 12:04}.{n:05}", "title": title(rng), "authors": ["A. Person"],
                      "abstract": abstract, "published": "2021-01-01"}  # fmt: skip
            file.write(json.dumps(record) + "\n")
    return folder


class Server:
    """`studiolo serve` in a process of its own, on a port that was free."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "studiolo", "serve", str(folder), "--port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line + self.process.stderr.read()
        self.address = found[0]

    def memory(self):
        """Return the resident bytes of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def cpu_s(self):
        """Return the CPU-seconds that the process took until now."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def kill(self):
        """End it as a power cut does."""
        self.process.kill()
        self.close()

    def end(self):
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(15)
        self.close()

    def close(self):
        self.process.wait(15)
        self.process.stdout.close()
        self.process.stderr.close()


async def read(address, *, readers, seconds, think_s, seed=0):
    """Let many readers look at pages, with some seconds of thought between; return times and what went wrong."""
    rng = random.Random(seed)
    times, wrong = [], []
    end = time.monotonic() + seconds
    limits = httpx2.Limits(max_connections=readers, max_keepalive_connections=readers)
    async with httpx2.AsyncClient(base_url=address, limits=limits, timeout=30) as client:

        async def one():
            await asyncio.sleep(rng.random() * think_s)
            while time.monotonic() < end:
                place = rng.choice(
                    ["/list/list.md", f"/list/list.md?page={rng.randint(1, 50)}", f"/find?q={rng.choice(WORDS)}+{rng.choice(WORDS)[:4]}",
                     f"/list/list.md?words={rng.choice(WORDS)}", f"/paper/arxiv:{2001 + (n := rng.randrange(5000)) % 12:04}.{n:05}", "/now"]
                )  # fmt: skip
                start = time.perf_counter()
                try:
                    answer = await client.get(place)
                    if answer.status_code != 200:
                        wrong.append((place, answer.status_code))
                except httpx2.HTTPError as error:
                    wrong.append((place, repr(error)))
                times.append((time.perf_counter() - start, place))
                await asyncio.sleep(rng.uniform(0.5, 1.5) * think_s)

        await asyncio.gather(*(one() for _ in range(readers)))
    return sorted(times), wrong
