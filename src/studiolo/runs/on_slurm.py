"""Seeds as jobs of SLURM, through submitit: one job a seed. SLURM finds room for them and says when one is lost."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from studiolo.claims import Paper
from studiolo.errors import RunError

from .afar import place_here, run_here
from .evidence import experiment_of
from .executor import Engine, Executor
from .machine import Place
from .worker import Result, Task


JOBS = 32  # in the queue at a time, unless somebody says how many
STARTING_MIN = 10  # beyond a seed's own limit: Python, torch, a slow disk
PROBE_S = 60
POLL_S = 0.5
LONGEST_REASON = 300  # characters


@contextmanager
def ask_slurm(
    partition: str, papers: Sequence[Paper], library: Path, *, cluster: str = "slurm"
) -> Iterator[Engine]:
    """Ask one job what machine it gets, and give the engine that sends seeds after it.

    What sbatch wants to know besides (account, constraint, memory), it reads from its own variables, SBATCH_ACCOUNT and
    the like. A job may use as many cores as the largest experiment of `papers` asks for, so that all are of one kind.

    Args:
        partition: empty for the default one. library: takes the jobs' files; all machines must see it at this path.
        cluster: "local" for processes here, as a test wants them.

    Raises:
        RunError: submitit is not installed, there is no SLURM, or the job failed.
    """
    try:
        import submitit
    except ImportError as error:
        raise RunError(
            "submitit is not installed. To install it: pip install 'studiolo[cluster]'"
        ) from error
    needed = [experiment_of(c).processes for p in papers for c in p.claims if not c.all_of]
    cores = max(needed, default=1)
    try:
        queue = submitit.AutoExecutor(library / ".studiolo" / "cache" / "slurm", cluster=cluster)
    except RuntimeError as error:
        raise RunError(f"SLURM cannot be used here: {error}") from error
    queue.update_parameters(name="studiolo", nodes=1, tasks_per_node=1, cpus_per_task=cores)
    if partition:
        queue.update_parameters(slurm_partition=partition)
    place = _probed(queue, cores)
    says = f"SLURM: {place.machine} ({place.environment}) for each seed."
    yield Engine(place, JOBS, lambda jobs, torch: SlurmExecutor(queue, cores, torch=torch), says)


def _probed(queue: Any, cores: int) -> Place:
    """Wait for a job that says where it ran."""
    try:
        queue.update_parameters(timeout_min=math.ceil(PROBE_S / 60) + STARTING_MIN)
        place = queue.submit(place_in_job, cores).result()
    except Exception as error:
        raise RunError(f"SLURM ran no job for this: {_last_line(error)}") from error
    assert isinstance(place, Place)
    return place


class SlurmExecutor(Executor):
    """Runs each task as a job of its own.

    Args:
        queue: submitit's executor. cores: of a job. torch: preload torch, for experiments that import it.
    """

    def __init__(self, queue: Any, cores: int, *, torch: bool) -> None:
        self._queue = queue
        self._cores = cores
        self._torch = torch
        self._killed = threading.Event()
        self._over = threading.Event()
        self._running: dict[Future[Result], Any] = {}
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def submit(self, task: Task) -> Future[Result]:
        """Hand `task` to SLURM, which starts it when it has room.

        Raises:
            RunError: SLURM does not take it; says why.
        """
        self._queue.update_parameters(
            timeout_min=math.ceil(task.timeout_s / 60) + STARTING_MIN,
            gpus_per_node=task.gpus,
            slurm_exclusive=task.timing or None,
        )
        try:
            job = self._queue.submit(run_in_job, task, self._torch, self._cores)
        except Exception as error:
            raise RunError(f"SLURM does not take a seed: {_last_line(error)}") from error
        future: Future[Result] = Future()
        self._running[future] = job
        return future

    def kill(self) -> None:
        """Cancel every job; the watching thread does it, since a signal handler may call this."""
        self._killed.set()

    def close(self) -> None:
        """Wait for the jobs, and end the thread."""
        wait(list(self._running))
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        """Hand on what the jobs gave, until the run is over."""
        while not self._over.is_set():
            for future, job in list(self._running.items()):
                if self._killed.is_set():
                    with suppress(Exception):  # it may be over
                        job.cancel(check=False)
                    self._give(future, Result(status="interrupted", why="stopped"))
                elif job.done():
                    self._give(future, _outcome(job))
            time.sleep(POLL_S)

    def _give(self, future: Future[Result], result: Result) -> None:
        future.set_result(result)
        del self._running[future]  # last: `close` waits for those that are in it


def place_in_job(cores: int) -> Place:
    """Say what this machine is, with so many cores; SLURM calls it there."""
    _use(cores)
    return place_here()


def run_in_job(task: Task, torch: bool, cores: int) -> Result:
    """Run a task with so many cores; SLURM calls it there."""
    _use(cores)
    return run_here(task, torch)


def _use(cores: int) -> None:
    """Keep to so many cores, however many SLURM allows: else two jobs would call themselves two kinds of machine."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def _outcome(job: Any) -> Result:
    """Return the result of a job that is over; one that gave none was ended by somebody else."""
    try:
        result = job.result()
    except Exception as error:  # noqa: BLE001 - submitit's, or what cannot be read
        return Result(status="interrupted", why=f"SLURM: {_last_line(error)}")
    if isinstance(result, Result):
        return result
    return Result(status="interrupted", why="SLURM: the job gave something else")


def _last_line(error: BaseException) -> str:
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip(" -")]
    first = next((line for line in lines if "has not produced" in line), None)
    return (first or (lines[-1] if lines else type(error).__name__))[:LONGEST_REASON]
