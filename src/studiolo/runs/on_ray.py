"""Seeds on a Ray cluster. Ray finds room for them, gives out accelerators, sends the code, and says when a worker is lost.

Each seed is a Ray task that starts a fresh process beside it, as a local run does.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import Any

from studiolo.claims import Paper
from studiolo.errors import RunError

from .afar import packed, place_here, run_packed
from .executor import Engine, Executor
from .machine import Place
from .worker import Result, Task


NODE_ID = "ray.io/node-id"
PASSED_ON = ("STUDIOLO_DATA",)  # what the nodes are told of the driver's environment
ANSWERS_S = 10.0
LONGEST_REASON = 300  # characters


@contextmanager
def join_cluster(address: str, papers: Sequence[Paper]) -> Iterator[Engine]:
    """Start Ray on this machine or join a cluster, as `ray.init` does with that address, and leave it at the end.

    All seeds of a run go to machines of one kind: those with a GPU before others, then those with most cores.

    Raises:
        RunError: Ray is not installed, cannot be reached, or its machines cannot run this code.
    """
    if address.startswith("ray://"):
        raise RunError(
            f"{address} is an address for Ray's client. Start the run on a machine of the cluster, with --on ray."
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    try:
        import ray
    except ImportError as error:
        raise RunError(
            "Ray is not installed. To install it: pip install 'studiolo[cluster]'"
        ) from error
    _refuse_nobody(address)
    with packed(paper.folder for paper in papers) as folder:
        sent = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        try:
            ray.init(
                address=address or None,
                runtime_env={"working_dir": str(folder), "env_vars": sent},
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=False,
            )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise RunError(f"Ray {_at(address)} cannot be used: {_first_line(error)}") from error
    _quieten()
    try:
        kinds = _kinds()
        if not kinds:
            raise RunError(f"Ray {_at(address)} has no machine with a CPU for seeds.")
        (machine, environment), nodes = max(
            kinds.items(), key=lambda one: (one[0][0].gpu is not None, sum(one[1].values()))
        )
        least = int(min(nodes.values()))
        place = Place(machine, environment, least)
        jobs = int(sum(nodes.values()))
        says = f"Ray: {len(nodes)} × {machine} ({environment}), {jobs} seeds at a time."
        if len(kinds) > 1:
            says += f" Machines of other kinds: {sum(map(len, kinds.values())) - len(nodes)}, which this run leaves alone."
        only = list(nodes) if len(kinds) > 1 else []
        yield Engine(place, jobs, lambda jobs, torch: RayExecutor(least, only, torch=torch), says)
    finally:
        ray.shutdown()


def _refuse_nobody(address: str) -> None:
    """Refuse an address where nobody answers, for which Ray itself would wait many minutes.

    Raises:
        RunError: nobody answers there.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWERS_S).close()
    except (OSError, OverflowError) as error:
        raise RunError(f"Ray {_at(address)} cannot be used: nobody answers ({error}).") from error


def _quieten() -> None:
    """Keep Ray from printing: what it says of a lost node is not a line of ours, and would spoil the lines of --json."""
    import ray._private.worker as private

    private.print_to_stdstream = lambda *args, **kwargs: None


def _kinds() -> Mapping[tuple[Any, str], dict[str, float]]:
    """Return the CPUs of the cluster's nodes, by kind of machine and environment, then node."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    probe = ray.remote(num_cpus=0, max_retries=0)(place_here)
    cpus = {n["NodeID"]: n["Resources"].get("CPU", 0.0) for n in ray.nodes() if n["Alive"]}
    asked = {
        node: probe.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))
        for node, count in cpus.items()
        if count >= 1
    }
    refs = {node: task.remote() for node, task in asked.items()}
    kinds: dict[tuple[Any, str], dict[str, float]] = defaultdict(dict)
    for node, ref in refs.items():
        try:
            place = ray.get(ref)
        except ray.exceptions.RayError as error:
            if _is_ours(error):
                raise RunError(f"A machine cannot run this: {_first_line(error)}") from error
            continue  # it left meanwhile
        kinds[place.machine, place.environment][node] = cpus[node]
    return kinds


class RayExecutor(Executor):
    """Runs tasks on the Ray cluster that this process has joined.

    Args:
        node_cpus: CPUs of a node, all of which a timing experiment takes. nodes: ids of those to use; empty for all.
        torch: preload torch, for experiments that import it.
    """

    def __init__(self, node_cpus: int, nodes: Sequence[str], *, torch: bool) -> None:
        import ray

        # else Ray would end a worker after each task that has a GPU, and its fork server with it
        self._run = ray.remote(max_retries=0, max_calls=0)(run_on_node)
        self._node_cpus = node_cpus
        self._where = {"label_selector": {NODE_ID: f"in({','.join(nodes)})"}} if nodes else {}
        self._torch = torch
        self._killed = threading.Event()
        self._running: dict[Future[Result], Any] = {}
        threading.Thread(target=self._cancel_when_killed, daemon=True).start()

    def submit(self, task: Task) -> Future[Result]:
        """Hand `task` to Ray, which starts it as soon as a node has room for it."""
        future: Future[Result] = Future()
        run = self._run.options(
            num_cpus=self._node_cpus if task.timing else task.processes,
            num_gpus=task.gpus,
            **self._where,
        )
        ref = run.remote(task, self._torch)
        self._running[future] = ref
        ref.future().add_done_callback(lambda done: self._finish(future, done))
        if self._killed.is_set():
            self._cancel(future)
        return future

    def kill(self) -> None:
        """Let Ray kill every task; a signal handler may call it, so another thread does it."""
        self._killed.set()

    def close(self) -> None:
        """Wait for the tasks, and end the thread."""
        wait(list(self._running))
        self.kill()  # ends the thread

    def _cancel_when_killed(self) -> None:
        self._killed.wait()
        for future in list(self._running):
            self._cancel(future)

    def _cancel(self, future: Future[Result]) -> None:
        import ray

        with suppress(Exception):  # Ray may be gone
            ray.cancel(self._running[future], force=True)
        self._give(future, Result(status="interrupted", why="stopped"))

    def _finish(self, future: Future[Result], done: Future[Any]) -> None:
        """Hand on what Ray says of a task: a result, or that it was lost, which is nobody's outcome."""
        error = done.exception()
        if error is None:
            self._give(future, done.result())
        elif _is_ours(error):
            with suppress(Exception):
                future.set_exception(RunError(f"Ray cannot run this: {_first_line(error)}"))
        else:
            why = f"{type(error).__name__}: {_first_line(error)}"
            self._give(future, Result(status="interrupted", why=why))

    def _give(self, future: Future[Result], result: Result) -> None:
        with suppress(Exception):  # whoever comes second
            future.set_result(result)
        self._running.pop(future, None)  # last: `close` waits for those that are in it


def run_on_node(task: Task, torch: bool) -> Result:
    """Run a task on a node, with the accelerators that Ray gave it; Ray calls it there."""
    from dataclasses import replace

    visible = os.environ.get("CUDA_VISIBLE_DEVICES") if task.gpus else None
    return run_packed(replace(task, visible_gpus=visible), torch)


def _is_ours(error: BaseException) -> bool:
    """Whether code of ours failed there, or could not be sent: trying again would not help."""
    import ray

    return isinstance(error, ray.exceptions.RayTaskError | ray.exceptions.RuntimeEnvSetupError)


def _at(address: str) -> str:
    return f"at {address}" if address else "on this machine"


def _first_line(error: BaseException) -> str:
    """Return what is worth telling of Ray's errors: the last line of a traceback, the first of any other text."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()] or ["no reason"]
    line = lines[-1] if _is_ours(error) else lines[0]
    return line.strip()[:LONGEST_REASON]
