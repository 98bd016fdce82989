"""Inside a worker process: run one seed of one experiment and send what came out.

A worker is fresh for each seed, leads its own process group, and dies with its driver.
"""

from __future__ import annotations

import ctypes
import hashlib
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
from multiprocessing import connection, parent_process
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from studiolo.errors import NeedsData, RunError

from .outcome import Outcome
from .records import Status


BUILT_IN = Path(__file__).parents[1] / "papers"
READERS_PAPERS = (
    "studiolo_readers_papers"  # the package under which a library's own papers are imported
)
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One seed to run: a place and a name, never a pickled function.

    Attributes:
        folder: the paper folder. run: the function in its experiments.py.
        keep: the folder for arrays and files.
        log: where standard output and error of the worker go.
    """

    folder: Path
    run: str
    config: Mapping[str, Any]
    seed: int
    keep: Path
    log: Path
    timeout_s: float
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a task ended; the fields are those of a record. "unsaved": its arrays could not be written."""

    status: Status | Literal["unsaved"]
    why: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    arrays: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    load: float = 0.0
    peak_mem_bytes: int = 0


def main(task: Task, results: connection.Connection) -> None:
    """Run `task` and send one `Result`; the entry point of every worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what Ctrl-C means
    os.setsid()
    _die_with_the_driver()
    _redirect_output(task.log)
    started, cpu = time.perf_counter(), time.process_time()
    try:
        function = load_experiment(task.folder, task.run)
        _seed_everything(task.seed)
        started, cpu = time.perf_counter(), time.process_time()
        outcome = function(seed=task.seed, **task.config)
        wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        result = _result_of(outcome, task, wall_s, cpu_s)
    except _Unsaved as error:
        result = Result(status="unsaved", why=str(error))
    except NeedsData as error:
        result = Result(status="needs", why=f"needs data {error.name}")
    except BaseException as error:  # noqa: BLE001 - whatever a stranger's experiment raises belongs in its record
        traceback.print_exc()
        last = traceback.extract_tb(error.__traceback__)[-1]
        result = Result(
            status="error",
            why=f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})",
            wall_s=time.perf_counter() - started,
            cpu_s=time.process_time() - cpu,
        )
    sys.stdout.flush()
    sys.stderr.flush()
    results.send(result)
    results.close()
    os._exit(
        0
    )  # skip torch's and the interpreter's tear-down: everything worth keeping has been sent


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


def _import_paper(folder: Path, module: str) -> ModuleType:
    """Import a module of a paper folder: `studiolo.papers.<slug>`, or a package of its own for a reader's folder."""
    if folder.parent == BUILT_IN:
        return importlib.import_module(f"studiolo.papers.{folder.name}.{module}")
    sys.modules.setdefault(READERS_PAPERS, ModuleType(READERS_PAPERS))
    name = f"{READERS_PAPERS}.{folder.name}"
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None or not (folder / "__init__.py").is_file():
        raise RunError(f"{folder} is no package: it lacks an __init__.py.")
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
        values={name: float(value) for name, value in outcome.values.items()},
        arrays=_save_arrays(task.keep, outcome.arrays),
        files={
            name: _save_bytes(task.keep, content, Path(name).suffix)
            for name, content in outcome.files.items()
        },
        wall_s=wall_s,
        cpu_s=cpu_s,
        load=os.getloadavg()[0],
        peak_mem_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def _save_arrays(keep: Path, arrays: Mapping[str, Any]) -> str | None:
    if not arrays:
        return None
    import numpy as np

    buffer = io.BytesIO()
    plain: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez_compressed(buffer, **plain)
    return _save_bytes(keep, buffer.getvalue(), ".npz")


def _save_bytes(keep: Path, content: bytes, suffix: str) -> str:
    """Write `content` under its hash, whole or not at all, and return the file's name."""
    name = hashlib.sha256(content).hexdigest()[:16] + suffix
    if not (keep / name).exists():
        partial = keep / f"{name}.{os.getpid()}.partial"
        try:
            keep.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(keep / name)
        except OSError as error:
            raise _Unsaved(
                f"Cannot write {len(content)} bytes of arrays to {keep}: {error}."
            ) from error
    return name


class _Unsaved(Exception):
    """What came out could not be written: no fault of the experiment."""


def _seed_everything(seed: int) -> None:
    """Seed the global generators, for code that an experiment calls and cannot seed itself."""
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed % 2**32)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True, warn_only=True)


def _redirect_output(log: Path) -> None:
    """Send standard output and error, those of C libraries included, to a file."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - a descriptor, open to the end
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115


def _die_with_the_driver() -> None:
    """Kill this whole process group when the driver or the fork server ends, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # the fork server is the parent
    driver = parent_process()
    assert driver is not None

    def watch() -> None:
        connection.wait([driver.sentinel])
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="die-with-the-driver", daemon=True).start()
