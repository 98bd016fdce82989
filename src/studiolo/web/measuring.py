"""Measuring from the page: `studiolo run` in a process of its own, whose events every tab can follow.

The server stays small and answers while a paper's code runs elsewhere; a page that is loaded again finds the run as it is.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studiolo.errors import UsageError
from studiolo.report import counted


BUDGETS = ("1m", "5m", "30m", "")
LAST_LINES = 8  # of what the run said on standard error
PATIENCE_S = 10.0  # for a run to end when the server does


class Job:
    """One run of one paper, going on or over."""

    def __init__(self, slug: str, command: Sequence[str], folder: Path) -> None:
        self.slug = slug
        self.done = self.total = 0
        self.says = "Reading what was measured before."
        self.verdicts: list[tuple[str, str]] = []
        self.version = 0  # grows with everything that a page shows
        self.stopping = False
        self._errors: deque[str] = deque(maxlen=LAST_LINES)
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace", start_new_session=True,
        )  # fmt: skip
        self._threads = [
            threading.Thread(target=self._read_events, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._ended = threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return not self._ended.is_set()

    def stop(self) -> None:
        """End it as Ctrl-C does: seeds in flight are finished; the second time they are killed."""
        self.stopping = True
        self.says = "Stopping after the seeds in flight. Stop again to kill them."
        self.version += 1
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        if not self._ended.wait(PATIENCE_S):
            self.process.kill()

    def wait(self, seconds: float) -> bool:
        """Wait until it is over, and say whether it is."""
        return self._ended.wait(seconds)

    def progress(self) -> dict[str, Any]:
        """Return what a page shows of it."""
        return {"done": self.done, "total": self.total, "says": self.says}

    def _read_events(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                    self._take(json.loads(line))
                    self.version += 1

    def _take(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "Planned":
                self.total = int(event["seeds"])
                self.says = f"{counted(self.total, 'seed')}, about {float(event['cost_s']):.0f} CPU-seconds."
                if not self.total:
                    self.says = "Nothing is left to measure here."
            case "SeedFinished":
                self.done, self.total = int(event["done"]), int(event["total"])
                left = f", about {float(event['left_s']):.0f} s left" if not self.stopping else ""
                self.says = f"{self.done} of {counted(self.total, 'seed')}{left}."
            case "ClaimJudged":
                self.verdicts.append((str(event["claim"]), str(event["verdict"]["word"])))
            case "WaitsForTiming":
                self.says = "Another run on this machine is timing something; waiting for it."
            case "Finished":
                stopped = (
                    " It was stopped; the next run goes on from here." if event["stopped"] else ""
                )
                self.says = f"Measured {counted(int(event['done']), 'seed')}.{stopped}"

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                if line.strip():
                    self._errors.append(line.strip().removeprefix("studiolo: "))

    def _wait(self) -> None:
        code = self.process.wait()
        for thread in self._threads:
            thread.join()
        if code not in (0, 130, -signal.SIGINT, -signal.SIGTERM):
            self.says = " ".join(self._errors) or f"The run ended with code {code}."
        self._ended.set()
        self.version += 1


class Measuring:
    """The runs of one server: one at a time, the last of each paper remembered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    @property
    def current(self) -> Job | None:
        """The run that goes on."""
        return next((job for job in self._jobs.values() if job.running), None)

    def of(self, slug: str) -> Job | None:
        """Return the last run of a paper."""
        return self._jobs.get(slug)

    def start(self, slug: str, path: Path, budget: str = "") -> Job:
        """Begin to measure what is missing of a paper that stands on the list at `path`.

        Raises:
            UsageError: another run goes on.
        """
        with self._lock:
            if self.current is not None:
                raise UsageError(
                    f"{self.current.slug} is being measured. Wait for its end, or stop it."
                )
            job = Job(slug, self.command(slug, path, budget), self.folder)
            self._jobs[slug] = job
            return job

    def command(self, slug: str, path: Path, budget: str) -> list[str]:
        """Return the command that measures."""
        words = [sys.executable, "-m", "studiolo", "run", str(path.resolve())]
        words += ["--only", slug, "--library", str(self.folder), "--json"]
        return [*words, "--budget", budget] if budget else words

    def end(self) -> None:
        """End what goes on: the server does."""
        for job in self._jobs.values():
            if job.running:
                job.end()
