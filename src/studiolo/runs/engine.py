"""Where the seeds of a run are measured: on this machine, or where an engine for clusters puts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from studiolo.claims import Paper
from studiolo.errors import UsageError

from .executor import Engine, LocalExecutor
from .machine import this_place


@contextmanager
def start_engine(on: str | None, papers: Sequence[Paper], library: Path) -> Iterator[Engine]:
    """Give the engine of a name, and leave its cluster at the end.

    Args:
        on: None for this machine; "ray" or "ray:ADDRESS"; "slurm" or "slurm:PARTITION".
        papers: whose code has to be there. library: a folder that all machines of SLURM can read and write.

    Raises:
        UsageError: there is no such engine.
        RunError: it is not installed, or its cluster cannot be reached.
    """
    name, _, where = (on or "").partition(":")
    if on is None:
        place = this_place()
        yield Engine(place, place.processes, lambda jobs, torch: LocalExecutor(jobs, torch=torch))
    elif name == "ray":
        from .on_ray import join_cluster

        with join_cluster(where, papers) as engine:
            yield engine
    elif name == "slurm":
        from .on_slurm import ask_slurm

        with ask_slurm(where, papers, library) as engine:
            yield engine
    else:
        raise UsageError(f"--on {on}: write ray, ray:ADDRESS, slurm or slurm:PARTITION.")
