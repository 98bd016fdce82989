"""Worker processes: a fresh, killable one for each seed, from a fork server that has imported the heavy packages.

The seam is `submit(task) -> Future[Result]`: an executor for another cluster has the same shape.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.process import BaseProcess
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self, get_args

from studiolo.errors import RunError

from .machine import Machine, Place
from .records import Status
from .worker import Result, Task, Waiting, main


if TYPE_CHECKING:
    import psutil


# A fresh process pays more than a second for the first use of these; a fork inherits them. Never `studiolo.nn` or a
# paper: the server would run stale code under a fresh fingerprint.
PRELOAD_ALWAYS = ("studiolo.runs.worker", "studiolo.runs.preload", "numpy")
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
FROM_OUTSIDE = {
    signal.SIGKILL,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGINT,
}  # sent by the machine or its reader
NOBODY_KNOWS = 255  # the exit code of a worker whose fork server cannot be asked any more
GRACE_S = 2.0  # in which a fork server that was killed is gone
POLL_S = 0.1  # how often memory and the kill switch are looked at
KEPT_OUTPUT_BYTES = 4096  # of what a worker prints
LARGEST_RESULT = 2**31 - 1  # bytes
LONGEST_WORDS = 300  # characters of its last line that are told

_starting = threading.Lock()  # `__main__` and the environment are changed while a process starts


class Executor(ABC):
    """Whatever can run tasks somewhere. In a `with`, it is left when what was submitted has ended."""

    @abstractmethod
    def submit(self, task: Task) -> Future[Result]:
        """Start `task` as soon as there is room; the future never raises for what the experiment does."""

    @abstractmethod
    def kill(self) -> None:
        """Kill what runs and drop what waits: those futures give `interrupted`. A signal handler may call it."""

    @abstractmethod
    def close(self) -> None:
        """Wait for what was submitted, and take nothing more."""

    def waits_for_timing(self) -> bool:
        """True while a task waits until another run has timed something; on other machines nobody knows."""
        return False

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
        self.close()


@dataclass(frozen=True, slots=True)
class Engine:
    """What runs seeds, and where.

    Attributes:
        says: what it found there, in a sentence; empty for this machine.
        jobs: how many seeds it can run at a time.
        executor: makes the executor from (seeds at a time, whether torch is needed).
    """

    place: Place
    jobs: int
    executor: Callable[[int, bool], Executor]
    says: str = ""


class LocalExecutor(Executor):
    """Runs up to `jobs` tasks at a time on this machine, each in a process of its own.

    Args:
        jobs: processes at a time.
        torch: preload torch, for experiments that import it.

    Raises:
        RunError: psutil is not installed, by which workers are ended.
    """

    def __init__(self, jobs: int, *, torch: bool) -> None:
        if find_spec("psutil") is None:
            raise RunError("psutil is not installed. To install: pip install 'studiolo[run]'")
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            [*PRELOAD_ALWAYS, *(PRELOAD_WITH_TORCH if torch else ())]
        )
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="seed")
        self._killed = threading.Event()
        self._waiting: set[int] = set()  # workers that wait for the timing lock

    def submit(self, task: Task) -> Future[Result]:
        """Start `task` as soon as one of the `jobs` places is free."""
        return self._threads.submit(self._attempt, task)

    def kill(self) -> None:
        """Kill every worker with its process group; tasks that wait end as `interrupted` too."""
        self._killed.set()

    def waits_for_timing(self) -> bool:
        """True while a worker waits until another run has timed something."""
        return bool(self._waiting)

    def close(self) -> None:
        """Wait for the tasks, those that wait for a place included."""
        self._threads.shutdown(wait=True, cancel_futures=False)

    def _attempt(self, task: Task) -> Result:
        if self._killed.is_set():
            return Result(status="interrupted", why="stopped before it began")
        receiving, sending = self._context.Pipe(duplex=False)
        reading, writing = self._context.Pipe(duplex=False)
        output = _Output(reading)
        process = self._context.Process(target=main, args=(task, sending, writing), daemon=False)
        try:
            with _starting, _hidden_main(), _one_thread(), _no_ctrl_c():
                process.start()
                server = _server_pid()
        except (OSError, EOFError) as error:  # the fork server died while it was asked
            receiving.close()
            reading.close()
            return Result(status="interrupted", why=f"{DIED} before it began: {error}")
        finally:
            sending.close()
            writing.close()
        pid = process.pid or 0
        try:
            return self._wait(task, process, server, receiving, output)
        finally:
            self._waiting.discard(pid)
            _kill_tree(pid)
            process.join()
            process.close()
            receiving.close()
            reading.close()

    def _wait(
        self,
        task: Task,
        process: BaseProcess,
        server: int,
        receiving: connection.Connection,
        output: _Output,
    ) -> Result:
        """Wait for the worker's result, its end, its deadline, its memory limit, or the kill switch."""
        pid, sentinel = process.pid or 0, process.sentinel
        started = time.monotonic()
        while True:
            left_s = task.timeout_s - (time.monotonic() - started)
            ready = connection.wait(
                [receiving, sentinel, *output.open], timeout=min(POLL_S, max(0.0, left_s))
            )
            output.read()
            if pid in self._waiting:
                started = time.monotonic()  # waiting for others is not the experiment's time
            elapsed = time.monotonic() - started
            if receiving in ready or receiving.poll():
                try:
                    sent = _received(receiving, pid, left_s)
                except (EOFError, OSError):  # it is gone, or about to be
                    return _ended(process, server, output, elapsed)
                if isinstance(sent, Result):
                    return sent
                (self._waiting.discard if sent.over else self._waiting.add)(pid)
                continue
            if sentinel in ready:  # it ended without a word
                return _ended(process, server, output, elapsed)
            if self._killed.is_set():
                return Result(status="interrupted", why="stopped", wall_s=elapsed)
            if elapsed >= task.timeout_s:
                return Result(
                    status="timeout", why=f"no result after {task.timeout_s:g} s", wall_s=elapsed
                )
            used = 0 if task.memory_bytes is None else _resident_bytes(pid)
            if task.memory_bytes is not None and used > task.memory_bytes:
                why = f"used {used / 2**30:.1f} GiB of {task.memory_bytes / 2**30:.1f} GiB allowed"
                return Result(status="killed", why=why, wall_s=elapsed, peak_mem_bytes=used)


def _ended(process: BaseProcess, server: int, output: _Output, wall_s: float) -> Result:
    """Say how a worker ended that gave no result: interrupted from outside, or by what it did itself."""
    process.join(timeout=5)
    code = process.exitcode
    if code is not None and -code in FROM_OUTSIDE:
        why = f"{signal.Signals(-code).name} from outside"
        return Result(status="interrupted", why=why, wall_s=wall_s)
    if code in (None, NOBODY_KNOWS) and _ends(server):
        return Result(status="interrupted", why="the fork server ended", wall_s=wall_s)
    return Result(status="killed", why=output.last_words(), wall_s=wall_s)


def _server_pid() -> int:
    """Return the process that workers are forked from; 0 if there is none."""
    return getattr(forkserver._forkserver, "_forkserver_pid", None) or 0


def _ends(pid: int) -> bool:
    """Whether a process is gone or about to go: what it had open closes a moment before it ends."""
    import psutil

    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline:
        try:
            if not _is_alive(psutil.Process(pid)):
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def _received(receiving: connection.Connection, pid: int, left_s: float) -> Result | Waiting:
    """Return what a worker sent; an error, if it sent anything else, since a stranger's code holds the other end.

    Raises:
        EOFError, OSError: it is gone.
    """
    late = threading.Timer(max(left_s, 1.0), _kill_tree, (pid,))  # else half a message is for ever
    late.start()
    try:
        sent = pickle.loads(receiving.recv_bytes(LARGEST_RESULT))
    except (EOFError, OSError):
        if late.is_alive():
            raise
        return Result(status="error", why="the worker sent half a message")
    except Exception:  # noqa: BLE001  (bytes that are not a pickle may raise anything)
        return Result(status="error", why="the worker sent something that is not a result")
    finally:
        late.cancel()
    if isinstance(sent, Waiting) or (isinstance(sent, Result) and _is_well_typed(sent)):
        return sent
    return Result(status="error", why="the worker sent something that is not a result")


def _is_well_typed(result: Any) -> bool:
    """Whether every field of a result can be written down."""
    numbers = (result.wall_s, result.cpu_s, result.load, result.peak_mem_bytes)
    return (
        result.status in (*get_args(Status), "changed")
        and isinstance(result.why, str)
        and isinstance(result.arrays, bytes | None)
        and all(isinstance(n, str) and isinstance(v, float) for n, v in result.values.items())
        and all(isinstance(n, str) and isinstance(v, bytes) for n, v in result.files.items())
        and all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
        and isinstance(result.machine, Machine)
        and isinstance(result.environment, str)
    )


class _Output:
    """The end of what a worker prints; all of it is read, so that a worker never waits for us."""

    def __init__(self, reading: connection.Connection) -> None:
        os.set_blocking(reading.fileno(), False)
        self.open = [reading]  # empty when nobody can write any more
        self._end = b""

    def read(self) -> None:
        """Take what is there, up to a megabyte."""
        for _ in range(16):
            try:
                data = os.read(self.open[0].fileno(), 65_536) if self.open else b""
            except BlockingIOError:
                return
            if not data:
                self.open = []
                return
            self._end = (self._end + data)[-KEPT_OUTPUT_BYTES:]

    def last_words(self) -> str:
        """Say that a worker died, with the last line it printed."""
        self.read()
        lines = self._end.decode(errors="replace").strip().splitlines()
        return DIED + (f" after printing {lines[-1][-LONGEST_WORDS:]!r}" if lines else "")


def _kill_tree(pid: int) -> None:
    """Kill a worker and all that it started, what left its process group included."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        worker = psutil.Process(pid)
        for _ in range(20):  # they may start others meanwhile
            children = [c for c in worker.children(recursive=True) if _is_alive(c)]
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            if not children:
                break
            time.sleep(0.01)
    with suppress(ProcessLookupError):  # gone already, or killed before it led a group
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _is_alive(process: psutil.Process) -> bool:
    import psutil

    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _resident_bytes(pid: int) -> int:
    """Return the memory that a worker holds, and what its children hold beside what they share."""
    import psutil

    total = 0
    with suppress(psutil.Error):
        worker = psutil.Process(pid)
        total = worker.memory_info().rss
        for child in worker.children(recursive=True):
            with suppress(psutil.Error):
                total += child.memory_full_info().uss
    return total


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
def _no_ctrl_c() -> Iterator[None]:
    """Keep Ctrl-C from the process that starts, while it is not yet able to ignore it."""
    resource_tracker.ensure_running()  # first: where it starts with the fork server, it unblocks the signal again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
