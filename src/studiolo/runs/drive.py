"""Drive a run: seeds to workers, results to records, records to verdicts, and everything that happens to the caller.

A run can be killed at any point: what has been recorded is on the disk, and the next run goes on from there.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import FrameType

from studiolo.claims import Claim, Histories, Paper, Verdict

from .evidence import (
    Evidence,
    SeedKey,
    Setting,
    experiment_of,
    load_evidence,
    load_reference_evidence,
    typical_wall_s,
)
from .executor import Executor, LocalExecutor
from .fingerprint import fingerprint, seed_of
from .ledger import Ledger, load_ledger
from .machine import Place, save_machine, this_place
from .plan import UNKNOWN_SEED_S, LeftOut, Plan, SeedToRun, bundles_of, plan
from .records import Record, Status, append_record, save_content
from .worker import Result, Task


# After so long a seed that somebody else ended begins again; what ends it, such as a machine short of memory, may last.
WAITS_S = (1.0, 30.0)
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Planned:
    """The run begins."""

    plan: Plan
    jobs: int
    budget_s: float | None


@dataclass(frozen=True, slots=True)
class SeedStarted:
    """A seed went to a worker."""

    seed: SeedToRun


@dataclass(frozen=True, slots=True)
class SeedFinished:
    """A seed is on the disk; about `left_s` seconds remain for the others."""

    seed: SeedToRun
    record: Record
    done: int
    total: int
    left_s: float


@dataclass(frozen=True, slots=True)
class ClaimJudged:
    """The last seed that a claim waited for is there."""

    paper: Paper
    claim: Claim
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ClaimLeft:
    """A claim will have no verdict from this run; `left.why` says why."""

    left: LeftOut


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that the reader should know and that does not end the run."""

    says: str


@dataclass(frozen=True, slots=True)
class WaitsForTiming:
    """Another run on this machine is timing something; ours waits, so that neither disturbs the other."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """Somebody pressed Ctrl-C: seeds in flight are finished, no other begins; a second Ctrl-C kills them.

    A termination signal kills them at once: then `killed` is true.
    """

    in_flight: int
    killed: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over; `stopped` if somebody ended it early."""

    done: int
    stopped: bool


Event = (
    Planned
    | SeedStarted
    | SeedFinished
    | ClaimJudged
    | ClaimLeft
    | Warned
    | WaitsForTiming
    | Stopping
    | Finished
)


def run(
    papers: Sequence[Paper],
    library: Path,
    *,
    jobs: int | None = None,
    budget_s: float | None = None,
    scales: Sequence[str] = (),
    needs: Sequence[str] = (),
    retry: bool = False,
    memory_bytes: int | None = None,
    tell: Callable[[Event], None] = lambda event: None,
    place: Place | None = None,
    executor: Callable[[int, bool], Executor] | None = None,
) -> list[Evidence]:
    """Run what the papers' claims still need at a place, and return what is then known of it.

    Args:
        library: the folder whose `.studiolo/` takes the records.
        jobs: seeds at a time; default: one for each usable core.
        budget_s: seconds on the wall; claims that do not fit are left for the next run.
        scales: only claims at these scales; empty for all.
        needs: only claims that need all of this, such as "cuda"; empty for all.
        retry: run seeds again that ended in a timeout, where the claim's limit is longer now.
        memory_bytes: a worker that uses more is killed.
        tell: is called with every event, in this thread.
        place: where `executor` measures; default: this machine.
        executor: makes the executor from (jobs, whether torch is needed); default: processes on this machine.

    Raises:
        RunError: records cannot be read.
        FileError: records cannot be written.
    """
    place = place or this_place()
    jobs = jobs or place.machine.cores
    evidence = {paper.slug: load_evidence(paper, library, place) for paper in papers}
    typical = {
        slug: dict(typical_wall_s([source, *load_reference_evidence(source.paper)]))
        for slug, source in evidence.items()
    }
    ledgers = {paper.slug: load_ledger(paper, library) for paper in papers}
    chosen = plan(list(evidence.values()), typical, scales=scales, needs=needs, retry=retry)
    tell(Planned(chosen, jobs, budget_s))
    for left in chosen.left_out:
        tell(ClaimLeft(left))
    drive = _Drive(chosen, evidence, ledgers, typical, place, jobs, budget_s, memory_bytes, tell)
    for slug, source in evidence.items():
        drive.warn(ledgers[slug].note(source, found=True))
    if chosen.bundles:
        torch = any("torch" in evidence[s.paper.slug].code.imports for s in chosen.seeds)
        with (executor or _local)(jobs, torch) as workers, _interrupts(drive, workers):
            drive.all_seeds(workers)
    tell(Finished(drive.done, drive.stopping))
    return [load_evidence(paper, library, place) for paper in papers]  # another run may have added


def _local(jobs: int, torch: bool) -> LocalExecutor:
    return LocalExecutor(jobs, torch=torch)


class _Drive:
    """The state of one run."""

    def __init__(
        self,
        chosen: Plan,
        evidence: dict[str, Evidence],
        ledgers: dict[str, Ledger],
        typical: dict[str, dict[Setting, float]],
        place: Place,
        jobs: int,
        budget_s: float | None,
        memory_bytes: int | None,
        tell: Callable[[Event], None],
    ) -> None:
        self.bundles = deque(chosen.bundles)
        self.evidence = evidence
        self.ledgers = ledgers
        self.typical = typical
        self.place = place
        self.jobs = jobs
        self.deadline = None if budget_s is None else time.monotonic() + budget_s
        self.memory_bytes = memory_bytes
        self.tell = tell
        self.total = len(chosen.seeds)
        self.done = 0
        self.stopping = self.killed = self.told_stopping = self.told_waiting = False
        self.in_flight: dict[Future[Result], tuple[SeedToRun, str]] = {}
        self.again: list[
            tuple[float, SeedToRun]
        ] = []  # interrupted from outside, and when they are due
        self.attempts: Counter[tuple[str, SeedKey]] = Counter()
        self.changed: set[str] = set()  # papers whose code is not what was planned
        self.warned: set[str] = set()
        self.bundles_by_paper: dict[str, list[tuple[Claim, ...]]] = {}
        self.histories: dict[str, Histories] = {}

    def warn(self, complaints: Iterable[str]) -> None:
        """Tell each complaint once."""
        for says in complaints:
            if says not in self.warned:
                self.warned.add(says)
                self.tell(Warned(says))

    def all_seeds(self, workers: Executor) -> None:
        """Keep `jobs` seeds in flight until there is none left."""
        queue = self._seeds_within_budget()
        upcoming = self._next(queue)
        while upcoming is not None or self.in_flight or self.again:
            while upcoming is not None and self._has_room(upcoming) and not self.stopping:
                self._submit(workers, upcoming)
                if upcoming.experiment.timing:
                    self._collect(workers)
                upcoming = self._next(queue)
            if self.stopping:
                self._tell_stopping()
                upcoming = None
                self.again.clear()
            self._collect(workers)
            if upcoming is None and not self.stopping:
                upcoming = self._next(queue)

    def _next(self, queue: Iterator[SeedToRun]) -> SeedToRun | None:
        """Return what was interrupted and is due, then what was planned; no more of a paper whose code has changed."""
        while True:
            seed = self.again.pop(0)[1] if self._is_due() else next(queue, None)
            if seed is None or seed.paper.slug not in self.changed:
                return seed
            self.total -= 1

    def _is_due(self) -> bool:
        """Whether an interrupted seed has waited long enough."""
        return bool(self.again) and self.again[0][0] <= time.monotonic()

    def _has_room(self, seed: SeedToRun) -> bool:
        """A timing experiment needs the run to itself; one of many processes the place of as many others."""
        others = [other.experiment for other, _ in self.in_flight.values()]
        if not others or any(one.timing for one in (seed.experiment, *others)):
            return not others
        return sum(other.processes for other in others) + seed.experiment.processes <= self.jobs

    def _seeds_within_budget(self) -> Iterator[SeedToRun]:
        while self.bundles:
            bundle = self.bundles[0]
            waiting = deque(bundle.seeds)
            while waiting:
                if self._too_late(waiting):
                    self.total -= len(waiting)
                    why = "the budget was spent"
                    self.tell(ClaimLeft(LeftOut(bundle.paper, bundle.name, why)))
                    break
                yield waiting.popleft()
            self.bundles.popleft()

    def _too_late(self, waiting: Sequence[SeedToRun]) -> bool:
        """True if what remains of a bundle would end after the deadline, by what its seeds cost so far.

        Of an experiment that was never measured only the first seed counts: it will tell what the others cost.
        """
        if self.deadline is None:
            return False
        first = {seed.experiment.setting: seed for seed in reversed(waiting)}
        sure = [s for s in waiting if self._known_s(s) is not None or s in first.values()]
        return time.monotonic() + self._cost_s(sure) > self.deadline

    def _cost_s(self, seeds: Sequence[SeedToRun]) -> float:
        """Estimate the seconds on the wall that `seeds` take."""
        costs = ((self._known_s(s), 1 if s.experiment.timing else self.jobs) for s in seeds)
        return sum((UNKNOWN_SEED_S if cost is None else cost) / share for cost, share in costs)

    def _known_s(self, seed: SeedToRun) -> float | None:
        """Return what a seed of the same experiment took, if any was measured."""
        return self.typical[seed.paper.slug].get(seed.experiment.setting)

    def _submit(self, workers: Executor, seed: SeedToRun) -> None:
        wanted = seed.experiment
        source = self.evidence[seed.paper.slug]
        task = Task(
            folder=seed.paper.folder,
            run=wanted.run,
            config=wanted.config,
            seed=seed_of(seed.paper.key, wanted.run, wanted.config, wanted.series, seed.index),
            timeout_s=wanted.timeout_s,
            code=source.code.of(wanted.run),
            timing=wanted.timing,
            memory_bytes=self.memory_bytes,
            gpus=wanted.gpus,
            processes=wanted.processes,
        )
        key = wanted.key(seed.index)
        self.attempts[seed.paper.slug, key] += 1
        self.ledgers[seed.paper.slug].begin(key, task, self._fingerprint(seed))
        started = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self.in_flight[workers.submit(task)] = (seed, started)
        self.tell(SeedStarted(seed))

    def _collect(self, workers: Executor) -> None:
        """Wait until a seed is there, or an interrupted one can begin again, and record all that are there."""
        finished: set[Future[Result]] = set()
        if not self.in_flight:
            time.sleep(POLL_S)
        while self.in_flight and not finished:
            finished, _ = wait(self.in_flight, timeout=POLL_S, return_when=FIRST_COMPLETED)
            if self.stopping:
                self._tell_stopping()
            if workers.waits_for_timing() != self.told_waiting:
                self.told_waiting = not self.told_waiting
                if self.told_waiting:
                    self.tell(WaitsForTiming())
            if self._is_due() and self._has_room(self.again[0][1]):
                break
        for future in finished:
            seed, started = self.in_flight.pop(future)
            result = future.result()
            if result.status == "interrupted":
                self._interrupted(seed, result.why)
            elif result.status == "changed":
                self._changed(seed, result.why)
            else:
                self._record(seed, started, result, result.status)

    def _tell_stopping(self) -> None:
        if not self.told_stopping:
            self.told_stopping = True
            self.tell(Stopping(len(self.in_flight), self.killed))

    def _interrupted(self, seed: SeedToRun, why: str) -> None:
        """Let a seed that somebody else ended run again after a while, the same seed of the same code, up to a limit."""
        key = seed.experiment.key(seed.index)
        self.ledgers[seed.paper.slug].interrupt(key, self._fingerprint(seed), why)
        if self.stopping:
            return
        attempts = self.attempts[seed.paper.slug, key]
        if attempts <= len(WAITS_S):
            due = time.monotonic() + WAITS_S[attempts - 1]
            if self.deadline is None or due < self.deadline:
                self.again.append((due, seed))
                self.again.sort(key=lambda one: one[0])
                return
        self.total -= 1
        times = f"{attempts} time{'s' if attempts > 1 else ''}"
        left = f"seed {seed.index} of {seed.experiment.run} was ended {times} ({why})"
        for name in seed.rules:
            self.tell(ClaimLeft(LeftOut(seed.paper, name, left)))

    def _changed(self, seed: SeedToRun, why: str) -> None:
        """Leave the rest of a paper whose code is not what was planned; nothing of this seed is recorded."""
        self.total -= 1
        self.changed.add(seed.paper.slug)
        self.warn([f"{seed.paper.slug}: {why}: the seed is not recorded. Run again."])
        for name in seed.rules:
            self.tell(ClaimLeft(LeftOut(seed.paper, name, why)))

    def _fingerprint(self, seed: SeedToRun) -> str:
        wanted, code = seed.experiment, self.evidence[seed.paper.slug].code
        return fingerprint(code, wanted.run, wanted.config, wanted.series, seed.index)

    def _record(self, seed: SeedToRun, started: str, result: Result, status: Status) -> None:
        source = self.evidence[seed.paper.slug]
        wanted = seed.experiment
        commit, dirty = _commit(seed.paper.folder)
        record = Record(
            paper=seed.paper.slug,
            run=wanted.run,
            config=wanted.config,
            series=wanted.series,
            index=seed.index,
            seed=seed_of(seed.paper.key, wanted.run, wanted.config, wanted.series, seed.index),
            status=status,
            why=result.why,
            values=result.values,
            arrays=None
            if result.arrays is None
            else save_content(source.folder, result.arrays, ".npz"),
            files={
                name: save_content(source.folder, content, Path(name).suffix)
                for name, content in result.files.items()
            },
            fingerprint=self._fingerprint(seed),
            rules=seed.rules,
            machine=result.machine.slug,
            environment=result.environment,
            commit=commit,
            dirty=dirty,
            started=started,
            wall_s=result.wall_s,
            cpu_s=result.cpu_s,
            load=result.load,
            peak_mem_bytes=result.peak_mem_bytes,
        )
        save_machine(source.folder, result.machine)
        folder, source = source.folder, self._with_record(source, record)
        bundles, ids = self._touched(seed)
        # before anybody can see the value
        self.warn(self.ledgers[seed.paper.slug].note(source.only(ids)))
        append_record(folder / f"{record.machine}.jsonl", record)
        self.evidence[seed.paper.slug] = source
        self.done += 1
        self.typical[seed.paper.slug].setdefault(wanted.setting, result.wall_s)
        waiting = [s for bundle in self.bundles for s in bundle.seeds]
        left_s = self._cost_s(waiting[max(0, len(waiting) - self.total + self.done) :])
        self.tell(SeedFinished(seed, record, self.done, self.total, left_s))
        self._tell_verdicts(source.only(ids), bundles)

    def _with_record(self, source: Evidence, record: Record) -> Evidence:
        """Return the evidence with one more record; one that was measured somewhere else stands apart, and is told."""
        if (record.machine, record.environment) == (self.place.machine.slug, self.place.environment):  # fmt: skip
            return source.with_record(record)
        where = f"{record.machine} ({record.environment})"
        self.warn([f"Some seeds ran on {where}: they are recorded there, and do not count here."])
        return source

    def _touched(self, seed: SeedToRun) -> tuple[list[tuple[Claim, ...]], set[str]]:
        """Return the bundles of claims that a seed speaks for, and the ids of all that is in them."""
        slug = seed.paper.slug
        if slug not in self.bundles_by_paper:
            self.bundles_by_paper[slug] = bundles_of(seed.paper)
        bundles = [
            claims
            for claims in self.bundles_by_paper[slug]
            if any(claim.id in seed.rules for claim in claims)
        ]
        return bundles, {claim.id for claims in bundles for claim in claims}

    def _tell_verdicts(self, source: Evidence, bundles: Sequence[tuple[Claim, ...]]) -> None:
        """Tell the verdicts of bundles whose last seed came, controls and parts included."""
        complete = {
            claim.id: claim.all_of or len(source.records_of(experiment_of(claim))) >= claim.seeds
            for claim in source.paper.claims
        }
        finished = [claims for claims in bundles if all(complete[claim.id] for claim in claims)]
        if not finished:
            return
        slug = source.paper.slug
        if slug not in self.histories:  # what this run adds is today's rule, which counts already
            self.histories[slug] = self.ledgers[slug].histories(self.evidence[slug])
        verdicts = self.ledgers[slug].verdicts(source, self.histories[slug])
        for claims in finished:
            for claim in claims:
                self.tell(ClaimJudged(self.evidence[slug].paper, claim, verdicts[claim.id]))


@contextmanager
def _interrupts(drive: _Drive, workers: Executor) -> Iterator[None]:
    """Ctrl-C once: no further seed begins. Twice, or a termination signal: what runs is killed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        if drive.stopping or number == signal.SIGTERM:
            drive.killed = True
            workers.kill()
        drive.stopping = True  # the drive tells it: a print here could interrupt another

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@cache
def _commit(folder: Path) -> tuple[str | None, bool]:
    """Return the commit of the repository that holds `folder`, and whether the folder differs from it."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD"), bool(git("status", "--porcelain", "--", "."))
    except (OSError, subprocess.SubprocessError):
        return None, False
