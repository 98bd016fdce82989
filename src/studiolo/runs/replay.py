"""Run finished seeds again and compare: the same code and seed on the same machine must give the same bits."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from studiolo.claims import Paper

from .evidence import experiment_of, load_evidence
from .executor import LocalExecutor
from .records import Record
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

    Timing experiments are left out: their values are meant to differ.
    """
    chosen: list[tuple[Paper, Record, float]] = []
    for paper in papers:
        evidence = load_evidence(paper, library)
        experiments = {
            experiment_of(c).key(0): experiment_of(c) for c in paper.claims if not c.all_of
        }
        for experiment in experiments.values():
            records = [r for r in evidence.records_of(experiment) if r.status == "ok"]
            if not experiment.timing:
                chosen += [(paper, r, experiment.timeout_s) for r in records]
    chosen.sort(key=lambda item: item[1].index)
    replayed = []
    with (
        tempfile.TemporaryDirectory(prefix="studiolo-") as keep,
        LocalExecutor(1, torch=True) as here,
    ):
        for paper, record, timeout_s in chosen[:count]:
            task = Task(
                folder=paper.folder,
                run=record.run,
                config=record.config,
                seed=record.seed,
                keep=Path(keep),
                log=Path(keep) / "log",
                timeout_s=timeout_s,
            )
            result = here.submit(task).result()
            replayed.append(Replayed(record, result, _differences(record, result)))
            tell(replayed[-1])
    return replayed


def _differences(record: Record, result: Result) -> tuple[str, ...]:
    if result.status != "ok":
        return (f"{result.status}: {result.why}",)
    differs = [
        name
        for name in sorted({*record.values, *result.values})
        if repr(record.values.get(name)) != repr(result.values.get(name))
    ]
    if record.arrays != result.arrays:
        differs.append("arrays")
    return (*differs, *(n for n in record.files if record.files[n] != result.files.get(n)))
