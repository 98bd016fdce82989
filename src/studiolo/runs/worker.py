"""Inside a worker process: run one seed of one experiment and send what came out.

A worker is fresh for each seed, leads its own process group, and dies with its driver. It writes no file.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import io
import os
import random
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.machinery import FileFinder, SourceFileLoader
from multiprocessing import connection, forkserver, parent_process, resource_tracker
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NoReturn

from studiolo.errors import NeedsData, RunError

from .fingerprint import reached_by
from .machine import Machine, this_environment, this_machine
from .outcome import Outcome
from .records import Status
from .timing_lock import hold_timing_lock


BUILT_IN = Path(__file__).parents[1] / "papers"
READERS_PAPERS = (
    "studiolo_readers_papers"  # the package under which a library's own papers are imported
)
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LONGEST_NAME = 200  # characters of a value's, an array's or a file's
LONGEST_WHY = 1000  # characters of an exception that a record keeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One seed to run: a place and a name, never a pickled function.

    Attributes:
        folder: the paper folder, where the worker finds it too. run: the function in its experiments.py.
        code: digest of the code that the experiment is to reach; a worker that finds another one runs nothing. Empty
            where nobody knows it.
        timing: it needs the machine to itself: it waits until nothing else is timed there.
        gpus, processes: what it needs at a time, for an engine that gives them out.
        visible_gpus: the accelerators that an engine gave it, as CUDA_VISIBLE_DEVICES names them; None for all there are.
    """

    folder: Path
    run: str
    config: Mapping[str, Any]
    seed: int
    timeout_s: float
    code: str = ""
    timing: bool = False
    memory_bytes: int | None = None
    gpus: int = 0
    processes: int = 1
    visible_gpus: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a task ended, where, and what it gave.

    Attributes:
        status: as in a record; or "interrupted" by somebody else, or "changed" for code that is not what was planned:
            neither is an outcome, and the seed is run again.
        arrays: the named arrays as a NumPy archive. files: name -> content.
        machine, environment: of the worker, which may not be the driver's.
    """

    status: Status | Literal["interrupted", "changed"]
    why: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    arrays: bytes | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    machine: Machine = field(default_factory=this_machine)
    environment: str = field(default_factory=this_environment)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    load: float = 0.0
    peak_mem_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Sent before a result: the worker waits until another run has timed something; `over` when it no longer does."""

    over: bool


def main(task: Task, results: connection.Connection, output: connection.Connection) -> None:
    """Run `task` and send one `Result`; the entry point of every worker process.

    It then waits to be killed, so that its driver still finds all the processes that it started.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what Ctrl-C means
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.setsid()
    _die_with_the_driver()
    _leave_the_fork_server()
    _redirect_output(output)
    if task.visible_gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = task.visible_gpus
    if task.timing:
        hold_timing_lock(lambda over: results.send(Waiting(over)))
    results.send(_checked(task))
    while True:
        signal.pause()


def _leave_the_fork_server() -> None:
    """Close what leads to the fork server and its tracker, which a stray write would end; an experiment starts its own."""
    server: Any = forkserver._forkserver
    tracker: Any = resource_tracker._resource_tracker
    for place in (server._forkserver_alive_fd, tracker._fd):
        if place is not None:
            os.close(place)
    server._forkserver_alive_fd = server._forkserver_address = tracker._fd = None


def _checked(task: Task) -> Result:
    """Run a task, and give its result only if the code was the planned one from before it was loaded to the end."""
    if not task.code:
        return _run(task)
    code = reached_by(task.folder, task.run)
    if code.digest != task.code:
        return Result(status="changed", why="its code changed before it ran")
    result = _run(task)
    if changed := code.changed_files():
        names = ", ".join(path.name for path in changed)
        return Result(status="changed", why=f"{names} changed while it ran")
    return result


def _run(task: Task) -> Result:
    started, cpu = time.perf_counter(), time.process_time()
    try:
        function = load_experiment(task.folder, task.run)
        _seed_everything(task.seed)
        started, cpu = time.perf_counter(), time.process_time()
        outcome = function(seed=task.seed, **task.config)
        wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        return _result_of(outcome, task, wall_s, cpu_s)
    except NeedsData as error:
        return Result(status="needs", why=f"needs data {error.name}")
    except BaseException as error:  # noqa: BLE001 - whatever a stranger's experiment raises belongs in its record
        traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        return Result(
            status="error",
            why=_reason(error),
            wall_s=time.perf_counter() - started,
            cpu_s=time.process_time() - cpu,
        )


def _reason(error: BaseException) -> str:
    """Say what was raised and where, in one bounded line of text."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    try:
        says = str(error)
    except BaseException as other:  # noqa: BLE001 - so may its text
        says = f"its text cannot be had: it raises {type(other).__name__}"
    says = says.encode("utf-8", "replace").decode()
    if len(says) > LONGEST_WHY:
        says = f"{says[:LONGEST_WHY]}... ({len(says)} characters)"
    if isinstance(error, RunError) and last.filename == __file__:
        return says  # a sentence of ours
    return f"{type(error).__name__}: {says} ({Path(last.filename).name}:{last.lineno})"


def load_experiment(folder: Path, run: str) -> Callable[..., Outcome]:
    """Import a paper's experiments and return one of them.

    Raises:
        RunError: there is no such function; lists those that are there.
    """
    module = _import_paper(folder, "experiments")
    function = getattr(module, run, None)
    if not callable(function):
        there = [
            name
            for name, value in vars(module).items()
            if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
        ]
        raise RunError(
            f"{folder}/experiments.py has no experiment {run!r}; it has {', '.join(there)}."
        )
    return function  # type: ignore[no-any-return]


class _Source(SourceFileLoader):
    """Runs what a file says now: bytecode does not tell two edits of equal length within a second apart."""

    def path_stats(self, path: str) -> NoReturn:
        """Say that no time is known, so that no bytecode is read or kept."""
        raise OSError(path)


def _import_paper(folder: Path, module: str) -> ModuleType:
    """Import a module of a paper folder: `studiolo.papers.<slug>`, or a package of its own for a reader's folder."""
    if folder.parent == BUILT_IN:
        return importlib.import_module(f"studiolo.papers.{folder.name}.{module}")
    sys.modules.setdefault(READERS_PAPERS, ModuleType(READERS_PAPERS))
    name = f"{READERS_PAPERS}.{folder.name}"
    first = folder / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        name, first, loader=_Source(name, str(first)), submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None or not first.is_file():
        raise RunError(f"{folder} is not a package: it has no __init__.py.")
    sys.path_importer_cache[str(folder)] = FileFinder(str(folder), (_Source, [".py"]))
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return importlib.import_module(f"{name}.{module}")


def _result_of(outcome: object, task: Task, wall_s: float, cpu_s: float) -> Result:
    if not isinstance(outcome, Outcome):
        raise RunError(
            f"The experiment {task.run!r} returned {type(outcome).__name__}; it must return a studiolo.runs.Outcome."
        )
    return Result(
        status="ok",
        values={
            _name(name, "value"): _number(name, value) for name, value in outcome.values.items()
        },
        arrays=_packed(outcome.arrays),
        files={_name(name, "file"): bytes(data) for name, data in outcome.files.items()},
        wall_s=wall_s,
        cpu_s=cpu_s,
        load=os.getloadavg()[0],
        peak_mem_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def _name(name: object, kind: str) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise RunError(
            f"A {kind} is named {name!r:.80}; a name is printable text of 1 to {LONGEST_NAME} characters."
        )
    return str(name)


def _number(name: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise RunError(f"The value {name!r} is {value!r:.80}, which is not a number.") from error


def _packed(arrays: Mapping[str, Any]) -> bytes | None:
    """Return named arrays as a NumPy archive; the same arrays give the same bytes."""
    if not arrays:
        return None
    import numpy as np

    buffer = io.BytesIO()
    plain: dict[str, Any] = {_name(name, "array"): _array(name, a) for name, a in arrays.items()}
    np.savez_compressed(buffer, **plain)
    return buffer.getvalue()


def _array(name: str, given: object) -> Any:
    """Return an array that a report can read: one of Python objects would be a pickle, which nobody loads."""
    import numpy as np

    try:
        array = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise RunError(f"The array {name!r} is not an array: {error}") from error
    if array.dtype.hasobject:
        raise RunError(f"The array {name!r} holds Python objects; it must hold numbers or texts.")
    return array


def _seed_everything(seed: int) -> None:
    """Seed the global generators, for code that an experiment calls and cannot seed itself."""
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed % 2**32)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True, warn_only=True)


def _redirect_output(output: connection.Connection) -> None:
    """Send standard output and error, those of C libraries included, to the driver."""
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - a descriptor, open to the end
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115


def _die_with_the_driver() -> None:
    """Kill this whole process group when the driver or the fork server ends, however it ends."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # the fork server is the parent
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)  # grandchildren that lose their parent stay ours
    driver = parent_process()
    assert driver is not None

    def watch() -> None:
        connection.wait([driver.sentinel])
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="die-with-the-driver", daemon=True).start()
