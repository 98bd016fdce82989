"""Run finished seeds again and compare: the same code and seed on the same machine must give the same bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from studiolo.claims import Paper

from .evidence import (
    Experiment,
    experiment_of,
    experiment_of_figure,
    load_evidence,
    load_reference_evidence,
)
from .executor import LocalExecutor
from .machine import this_environment, this_machine
from .records import Record, content_name
from .worker import Result, Task


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded seed and what it gave this time; `differs` names the values or arrays that are not the same bits."""

    record: Record
    result: Result
    differs: tuple[str, ...]


def replay(
    papers: Sequence[Paper],
    library: Path,
    count: int,
    *,
    tell: Callable[[Replayed], None] = lambda replayed: None,
) -> list[Replayed]:
    """Run up to `count` finished seeds again, one of every experiment before a second of any; records nothing.

    Of an experiment that the library has not measured, seeds that the paper folder keeps of this machine are taken.
    Timing experiments are left out: their values are meant to differ.
    """
    chosen: list[tuple[Paper, Record, float]] = []
    for paper in papers:
        for experiment in _experiments(paper):
            records = _records_of(paper, library, experiment)
            chosen += [(paper, r, experiment.timeout_s) for r in records if r.status == "ok"]
    chosen.sort(key=lambda item: item[1].index)
    replayed = []
    with LocalExecutor(1, torch=True) as here:
        for paper, record, timeout_s in chosen[:count]:
            task = Task(
                folder=paper.folder,
                run=record.run,
                config=record.config,
                seed=record.seed,
                timeout_s=timeout_s,
            )
            result = here.submit(task).result()
            replayed.append(Replayed(record, result, _differences(record, result)))
            tell(replayed[-1])
    return replayed


def _experiments(paper: Paper) -> list[Experiment]:
    """Return what the paper's claims and figures want measured, timings apart."""
    wanted = [experiment_of(claim) for claim in paper.claims if not claim.all_of]
    wanted += [experiment_of_figure(paper, figure) for figure in paper.figures]
    largest = {e.key(0): e for e in sorted(wanted, key=lambda e: e.seeds)}
    return [experiment for experiment in largest.values() if not experiment.timing]


def _records_of(paper: Paper, library: Path, experiment: Experiment) -> list[Record]:
    """Return what a library has on record of an experiment; else what the paper folder keeps of this machine."""
    kept = (e for e in load_reference_evidence(paper) if e.machine == this_machine().slug)
    for source in (load_evidence(paper, library), *kept):
        records = source.records_of(experiment)
        if records := [r for r in records if r.environment == this_environment()]:
            return records
    return []


def _differences(record: Record, result: Result) -> tuple[str, ...]:
    if result.status != "ok":
        return (f"{result.status}: {result.why}",)
    differs = [
        name
        for name in sorted({*record.values, *result.values})
        if repr(record.values.get(name)) != repr(result.values.get(name))
    ]
    if record.arrays is not None and (
        result.arrays is None or record.arrays != content_name(result.arrays, ".npz")
    ):
        differs.append("arrays")
    files = {name: content_name(data, Path(name).suffix) for name, data in result.files.items()}
    return (*differs, *(n for n in record.files if record.files[n] != files.get(n)))
