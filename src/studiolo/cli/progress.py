"""Progress of a run: a live bar for somebody who watches, plain lines for a log, JSON for a program."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from studiolo.claims import Word, outcome_of_check

from .console import err


if TYPE_CHECKING:
    from rich.progress import TaskID

    from studiolo.runs import Event

PLAIN_EVERY_S = 5.0  # a log gets a line at most this often, beside the verdicts
STYLES: dict[str, str] = {
    Word.HOLDS: "green",
    Word.DIRECTION: "yellow",
    Word.DOES_NOT_HOLD: "magenta",
    Word.ERROR: "red",
}


@contextmanager
def progress(*, as_json: bool) -> Iterator[Callable[[Event], None]]:
    """Give a function that shows events as they come."""
    if as_json:
        yield _tell_json
    elif err().is_terminal:
        with _live() as tell:
            yield tell
    else:
        yield _Plain().tell


def verdict_line(event: Any) -> str:
    """Return `paper claim: verdict (scale)` for a ClaimJudged event."""
    said = str(event.verdict)
    if event.claim.by == "code":
        said = said.replace(event.verdict.word, outcome_of_check(event.verdict), 1)
    verdict = f"{said} [{event.claim.scale.kind or 'check'}]"
    note = f", {event.verdict.note}" if event.verdict.note else ""
    return f"{event.paper.slug} {event.claim.id}: {verdict}{note}"


def duration(seconds: float) -> str:
    """Return `12 s` or `3 min 20 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class _Plain:
    """Lines for a log: the plan, every verdict, and a sign of life."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def tell(self, event: Event) -> None:
        from studiolo import runs

        line = None
        match event:
            case runs.SeedFinished() if time.monotonic() - self.last > PLAIN_EVERY_S:
                line = f"{event.done} of {event.total} seeds, about {duration(event.left_s)} left"
            case runs.Planned() | runs.ClaimJudged() | runs.ClaimLeft() | runs.Stopping():
                line = _sentence(event)
            case runs.WaitsForTiming():
                line = _sentence(event)
        if line is not None:
            self.last = time.monotonic()
            print(line, file=sys.stderr, flush=True)


@contextmanager
def _live() -> Iterator[Callable[[Event], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    from studiolo import runs

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
        console=err(),
    )
    task: TaskID | None = None

    def tell(event: Event) -> None:
        nonlocal task
        match event:
            case runs.Planned():
                bar.console.print(_sentence(event), markup=False)
                task = bar.add_task("starting", total=len(event.plan.seeds), left="")
            case runs.SeedStarted() if task is not None:
                bar.update(task, description=f"{event.seed.paper.slug} {event.seed.experiment.run}")
            case runs.SeedFinished() if task is not None:
                left = f"about {duration(event.left_s)} left"
                bar.update(task, completed=event.done, total=event.total, left=left)
            case runs.ClaimJudged():
                style = STYLES.get(event.verdict.word, "dim")
                bar.console.print(verdict_line(event), style=style, markup=False)
            case runs.ClaimLeft() | runs.Stopping() | runs.WaitsForTiming():
                bar.console.print(_sentence(event), style="dim", markup=False)

    with bar:
        yield tell


def _sentence(event: Event) -> str:
    from studiolo import runs

    match event:
        case runs.Planned(plan, jobs, budget_s):
            if not plan.bundles:
                return "Nothing left to measure here."
            claims = {(s.paper.slug, name) for s in plan.seeds for name in s.rules}
            time_s = plan.cost_s / jobs
            limit = "" if budget_s is None else f"; the budget is {duration(budget_s)}"
            return (
                f"{len(plan.seeds)} seeds for {len(claims)} claims, {jobs} at a time: "
                f"about {duration(time_s)}{limit}."
            )
        case runs.ClaimJudged():
            return verdict_line(event)
        case runs.ClaimLeft(left):
            return f"{left.paper.slug} {left.name}: left for another run ({left.why})"
        case runs.Stopping(in_flight):
            return f"Stopping: {in_flight} seeds in flight are finished first; Ctrl-C again kills them."
        case runs.WaitsForTiming():
            return "Another run on this machine is timing something; waiting for it."
    return ""


def _tell_json(event: Event) -> None:
    from studiolo import runs

    fields: dict[str, Any] = {}
    match event:
        case runs.Planned(plan, jobs, budget_s):
            fields = {"seeds": len(plan.seeds), "jobs": jobs, "cost_s": round(plan.cost_s, 1)}
            fields["budget_s"] = budget_s
        case runs.SeedStarted(seed):
            fields = {"paper": seed.paper.slug, "run": seed.experiment.run, "index": seed.index}
        case runs.SeedFinished(record=record, done=done, total=total, left_s=left_s):
            fields = {"record": json.loads(record.to_json()), "done": done, "total": total}
            fields["left_s"] = round(left_s, 1)
        case runs.ClaimJudged(paper, claim, verdict):
            fields = {"paper": paper.slug, "claim": claim.id, "scale": claim.scale.kind}
            fields["verdict"] = asdict(verdict)
        case runs.ClaimLeft(left):
            fields = {"paper": left.paper.slug, "claim": left.name, "why": left.why}
        case runs.Stopping(in_flight):
            fields = {"in_flight": in_flight}
        case runs.Finished(done, stopped):
            fields = {"done": done, "stopped": stopped}
    print(json.dumps({"event": type(event).__name__, **fields}, allow_nan=False), flush=True)
