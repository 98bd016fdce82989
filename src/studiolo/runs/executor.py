"""Worker processes: a fresh, killable one for each seed, from a fork server that has imported the heavy packages.

The seam is `submit(task) -> Future[Result]`: an executor for another cluster has the same shape.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import connection
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Protocol, Self

from .worker import Result, Task, main


# A fresh process pays more than a second for the first use of these; a fork inherits them. Never `studiolo.nn` or a
# paper: the server would run stale code under a fresh fingerprint.
PRELOAD_ALWAYS = ("studiolo.runs.worker", "numpy")
PRELOAD_WITH_TORCH = (
    "torch",
    "torch._dynamo",
    "torch.utils.flop_counter",
    "jaxtyping",
    "scipy.linalg",
)
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
DIED = "the worker process died"
POLL_S = 0.1  # how often memory and the kill switch are looked at

_starting = threading.Lock()  # `__main__` and the environment are changed while a process starts


class Executor(Protocol):
    """Whatever can run tasks somewhere else."""

    def submit(self, task: Task) -> Future[Result]:
        """Start `task` as soon as there is room; the future never raises for what the experiment does."""
        ...

    def kill(self) -> None:
        """Kill what runs and drop what waits: those futures give `killed`."""
        ...

    def __enter__(self) -> Self:
        """Begin to use it."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what was submitted; kill it if an error is on its way."""
        ...


class LocalExecutor:
    """Runs up to `jobs` tasks at a time on this machine, each in a process of its own.

    Args:
        jobs: processes at a time.
        torch: preload torch, for experiments that import it.
    """

    def __init__(self, jobs: int, *, torch: bool) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            [*PRELOAD_ALWAYS, *(PRELOAD_WITH_TORCH if torch else ())]
        )
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="seed")
        self._killed = threading.Event()

    def submit(self, task: Task) -> Future[Result]:
        """Start `task` as soon as one of the `jobs` places is free."""
        return self._threads.submit(self._run, task)

    def kill(self) -> None:
        """Kill every worker with its process group; tasks that wait end as `killed` too."""
        self._killed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.kill()
        self._threads.shutdown(wait=True, cancel_futures=False)

    def _run(self, task: Task) -> Result:
        """Run a task; once more if its worker, or the fork server, was killed by somebody else."""
        result = self._attempt(task)
        if result.status == "killed" and result.why.startswith(DIED) and not self._killed.is_set():
            result = self._attempt(task)
        return result

    def _attempt(self, task: Task) -> Result:
        if self._killed.is_set():
            return Result(status="killed", why="stopped before it began")
        receiving, sending = self._context.Pipe(duplex=False)
        process = self._context.Process(target=main, args=(task, sending), daemon=False)
        try:
            with _starting, _hidden_main(), _one_thread():
                process.start()
        except (OSError, EOFError) as error:  # the fork server died while it was asked
            receiving.close()
            return Result(status="killed", why=f"{DIED} before it began: {error}")
        finally:
            sending.close()
        pid = process.pid or 0
        try:
            return self._wait(task, pid, process.sentinel, receiving, time.monotonic())
        finally:
            _kill_group(pid)
            process.join()
            process.close()
            receiving.close()

    def _wait(
        self, task: Task, pid: int, sentinel: int, receiving: connection.Connection, started: float
    ) -> Result:
        """Wait for the worker's result, its end, its deadline, its memory limit, or the kill switch."""
        while True:
            elapsed = time.monotonic() - started
            ready = connection.wait(
                [receiving, sentinel], timeout=min(POLL_S, max(0.0, task.timeout_s - elapsed))
            )
            elapsed = time.monotonic() - started
            if receiving in ready or receiving.poll():
                try:
                    result: Result = receiving.recv()
                except (EOFError, OSError):
                    return Result(status="killed", why=_last_words(task.log), wall_s=elapsed)
                return result
            if ready:  # the sentinel alone: it ended without a word
                return Result(status="killed", why=_last_words(task.log), wall_s=elapsed)
            if self._killed.is_set():
                return Result(status="killed", why="stopped", wall_s=elapsed)
            if elapsed >= task.timeout_s:
                return Result(
                    status="timeout", why=f"no result after {task.timeout_s:g} s", wall_s=elapsed
                )
            used = _resident_bytes(pid)
            if task.memory_bytes is not None and used > task.memory_bytes:
                why = f"used {used / 2**30:.1f} GiB of {task.memory_bytes / 2**30:.1f} GiB allowed"
                return Result(status="killed", why=why, wall_s=elapsed, peak_mem_bytes=used)


def _last_words(log: Path) -> str:
    """Say that a worker died, with the last line it printed."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return DIED + (f" after printing {lines[-1]!r}" if lines else "")


def _kill_group(pid: int) -> None:
    """Kill a worker and all that it started."""
    with suppress(ProcessLookupError):  # gone already, or killed before it led a group
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Hide `__main__`, which every worker would otherwise run again: 0.3 s a seed, and a fork bomb from a script."""
    main_module = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main_module


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let the fork server, if it starts now, and all its workers compute with one thread."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
