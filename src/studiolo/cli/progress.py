"""Progress: a live display for somebody who watches, plain lines for a log, JSON for a program."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .console import QUIET_S, begin_quiet, clean, counted, end_quiet, err, say, say_event


if TYPE_CHECKING:
    from rich.console import Group, RenderableType

    from studiolo.runs import Event, SeedToRun

PLAIN_EVERY_S = 10.0  # a log gets a sign of life at most this often, after the first
STYLES = {
    "holds": "green",
    "holds in direction only": "yellow",
    "does not hold": "cyan",
    "error": "red",
}


@contextmanager
def progress(*, as_json: bool) -> Iterator[Callable[[Event], None]]:
    """Give a function that shows the events of a run as they come."""
    if as_json:
        yield _tell_json
    elif _is_watched():
        with _live() as tell:
            yield tell
    else:
        yield _Plain().tell


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say what is being done, such as "Writing the report": at once to somebody who watches, in a log after a while."""
    if _is_watched():
        from rich.text import Text

        with err().status(Text(clean(f"{what} ..."))):
            yield
        return
    begin_quiet(what)
    try:
        yield
    finally:
        end_quiet()


@contextmanager
def downloading() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows how many bytes of a file are here: as a bar to somebody who watches, else in a line now and then."""
    if not _is_watched():
        end_quiet()
        next_line = time.monotonic() + QUIET_S

        def tell(file: str, done: int, size: int) -> None:
            nonlocal next_line
            if time.monotonic() > next_line:
                next_line = time.monotonic() + PLAIN_EVERY_S
                say(f"{file}: {done / 1e6:.1f} of {size / 1e6:.1f} MB", to_err=True)

        yield tell
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=err(), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def draw(file: str, done: int, size: int) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(clean(file), total=size)
            bars.update(tasks[file], completed=done)

        yield draw


def about(seconds: float) -> str:
    """Return `about 12 s`, or `less than a second`."""
    return f"about {duration(seconds)}" if seconds >= 0.5 else "less than a second"


def duration(seconds: float) -> str:
    """Return `12 s`, `3 min 20 s` or `2 h 5 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else rest, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def _is_watched() -> bool:
    console = err()
    return console.is_terminal and not console.is_dumb_terminal


class _State:
    """What a run is doing: what runs, of what, how long left."""

    def __init__(self) -> None:
        self.done = self.total = self.judged = 0
        self.deadline = float("inf")
        self.ends: float | None = (
            None  # when the last seed will be done, by the clock of time.monotonic
        )
        self.running: dict[object, str] = {}  # seed: what it is measured for
        self.latest = ("", "")  # the last verdict's word and the claim it is about

    def take(self, event: Event) -> None:
        from studiolo import runs

        now = time.monotonic()
        match event:
            case runs.Planned(plan, jobs, budget_s):
                self.total = len(plan.seeds)
                self.deadline = now + budget_s if budget_s is not None else self.deadline
                self.ends = now + plan.wall_s(jobs)
            case runs.SeedStarted(seed):
                self.running[_id_of(seed)] = _sentence_of(seed)  # again, if it was interrupted
            case runs.SeedFinished(seed):
                self.running.pop(_id_of(seed), None)
                self.done, self.total = event.done, event.total
                self.ends = now + event.left_s
            case runs.ClaimJudged(paper, claim, verdict) if claim.id not in paper.controls:
                self.judged += 1
                self.latest = (verdict.word, _one_line(claim.says))

    def how_far(self) -> str:
        """Return `12 of 80 seeds, 3 verdicts, about 40 s left`."""
        parts = [f"{self.done} of {counted(self.total, 'seed')}", counted(self.judged, "verdict")]
        if self.ends is not None:
            left_s = min(self.ends, self.deadline) - time.monotonic()
            parts.append(f"{about(left_s)} left")
        return ", ".join(parts)

    def what(self) -> str:
        """Return what is being measured at this moment."""
        return " | ".join(dict.fromkeys(self.running.values())) or "starting"


class _Plain:
    """Lines for a log: the plan, and a sign of life."""

    def __init__(self) -> None:
        end_quiet()
        self.next = time.monotonic() + QUIET_S
        self.state = _State()

    def tell(self, event: Event) -> None:
        from studiolo import runs

        self.state.take(event)
        match event:
            case runs.Planned() | runs.Stopping() | runs.WaitsForTiming() | runs.Warned():
                say(_sentence(event), to_err=True)
            case runs.SeedStarted() if time.monotonic() > self.next:
                self.next = time.monotonic() + PLAIN_EVERY_S
                say(f"{self.state.how_far()}: {self.state.what()}", to_err=True)


@contextmanager
def _live() -> Iterator[Callable[[Event], None]]:
    from rich.live import Live

    from studiolo import runs

    display = _Display()
    console = err()
    with Live(get_renderable=display.show, console=console, transient=True, refresh_per_second=5):

        def tell(event: Event) -> None:
            display.state.take(event)
            match event:
                case runs.Planned() | runs.Stopping() | runs.WaitsForTiming() | runs.Warned():
                    console.print(
                        clean(_sentence(event)), style="dim", markup=False, soft_wrap=False
                    )

        yield tell


class _Display:
    """Three lines that are drawn again while a run goes on, and vanish at its end."""

    def __init__(self) -> None:
        from rich.spinner import Spinner

        self.state = _State()
        self.spinner = Spinner("dots")

    def show(self) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        def line(text: str, style: str = "") -> Text:
            return Text(text, style=style, no_wrap=True, overflow="ellipsis")

        state = self.state
        top = Table.grid(padding=(0, 1))
        top.add_row(
            self.spinner,
            ProgressBar(total=max(state.total, 1), completed=state.done, width=16),
            line(state.how_far()),
        )
        lines: list[RenderableType] = [top, line(f"  now:  {state.what()}", "dim")]
        word, says = state.latest
        if word:
            lines.append(line(f"  last: {word}: {says}", STYLES.get(word, "dim")))
        return Group(*lines)


def _id_of(seed: SeedToRun) -> object:
    return seed.paper.slug, seed.experiment.key(seed.index)


def _sentence_of(seed: SeedToRun) -> str:
    """Return what a seed is measured for: the first claim that needs it, itself or for its control; or the figure."""
    paper = seed.paper
    for claim in paper.claims:
        if claim.id not in paper.controls and not seed.rules.keys().isdisjoint(
            {claim.id, *claim.controls}
        ):
            return _one_line(claim.says)
    titles = (f.title for f in paper.figures if f.run == seed.experiment.run)
    return _one_line(next(titles, seed.experiment.run))


def _one_line(text: str) -> str:
    return clean(" ".join(text.split()))


def _sentence(event: Event) -> str:
    from studiolo import runs

    match event:
        case runs.Planned(plan, jobs, budget_s):
            if not plan.bundles:
                return "Nothing is left to measure here."
            claims = {(s.paper.slug, name) for s in plan.seeds for name in s.rules}
            limit = "" if budget_s is None else f"; the budget is {duration(budget_s)}"
            return (
                f"{counted(len(plan.seeds), 'seed')} for {counted(len(claims), 'claim')} and controls, {jobs} at a time: "
                f"{about(plan.wall_s(jobs))}{limit}."
            )
        case runs.Stopping(in_flight=0):
            return "Stopping; no seed is in flight."
        case runs.Stopping(in_flight, killed):
            seeds = counted(in_flight, "seed")
            if killed:
                return f"Stopping at once: {seeds} in flight {'is' if in_flight == 1 else 'are'} killed."
            return f"Stopping after {seeds} in flight; Ctrl-C again kills {'it' if in_flight == 1 else 'them'}."
        case runs.Warned(says):
            return clean(says)
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
            if verdict.interval is not None:  # with seeds that failed it may have no end
                ends = fields["verdict"]["interval"]
                fields["verdict"]["interval"] = {
                    name: value if math.isfinite(value) else str(value)
                    for name, value in ends.items()
                }
        case runs.ClaimLeft(left):
            fields = {"paper": left.paper.slug, "claim": left.name, "why": left.why}
        case runs.Stopping(killed=True):
            return  # to a program it means that seeds in flight are finished
        case runs.Stopping(in_flight):
            fields = {"in_flight": in_flight}
        case runs.Warned(says):
            fields = {"says": says}
        case runs.Finished(done, stopped):
            fields = {"done": done, "stopped": stopped}
    say_event({"event": type(event).__name__, **fields})
