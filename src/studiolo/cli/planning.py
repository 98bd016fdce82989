"""The command `plan`: what a run would measure, what that takes, and what cannot be tested there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import counted, say, say_json
from .options import AsJson, ListPath
from .progress import about
from .running import PANEL, OnlyOption, ScaleOption, check_scales, load_chosen


if TYPE_CHECKING:
    from collections.abc import Iterable

    from studiolo.runs import Engine, Expected, Forecast, LeftOut

app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def plan(
    path: ListPath = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="For a cluster: ray, ray:ADDRESS, slurm or slurm:PARTITION; default: this machine.",
        ),
    ] = None,
    scale: ScaleOption = None,
    only: OnlyOption = None,
    library: Annotated[
        Path | None,
        typer.Option(
            "--library", "-l", help="Where the records are; default: the list's own library."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run would measure, what that takes, and what cannot be tested there and why. Measures nothing.

    Seconds and memory are what such seeds took before, on that machine or, where it has not measured any, on another.

    Examples:

      studiolo plan lists/recent-ml-research.md

      studiolo plan lists/recent-ml-research.md --on ray:10.0.0.1:6379
    """
    check_scales(scale or ())

    from studiolo import runs

    chosen = load_chosen(path, library, only)
    with runs.start_engine(on, chosen.papers, chosen.home) as engine:
        found = runs.forecast(chosen.papers, chosen.home, engine.place, scales=scale or ())
    if as_json:
        say_json(_as_json(engine, found))
        return
    say(chosen.view.readiness)
    _show(engine, found)


def _show(engine: Engine, found: Forecast) -> None:
    """Print one line for each claim, paper by paper in the order of the run, what cannot be tested, and the sums."""

    place = engine.place
    say(f"{place.machine} ({place.environment}), {counted(engine.jobs, 'seed')} at a time")
    by_paper: dict[str, list[Expected]] = defaultdict(list)
    for one in found.expected:
        by_paper[one.bundle.paper.title].append(one)
    for title, expected in by_paper.items():
        say("")
        say(title, style="bold")
        for one in expected:
            say(f"  {one.bundle.name}: {', '.join(_costs(one))}")
    for why, names in _by_reason(found.left_out).items():
        say("")
        say(f"Left out, {why} ({len(names)}):", style="bold")
        for name in names:
            say(f"  {name}")
    say("")
    if not found.seeds:
        say("Nothing is left to measure there.")
        return
    unmeasured = sum(one.unmeasured for one in found.expected)
    were = "was never measured, and counts" if unmeasured == 1 else "were never measured, and count"
    guess = f"; {unmeasured} of them {were} as 5 s each" if unmeasured else ""
    say(
        f"{counted(found.seeds, 'seed')}: {about(found.cost_s)} of one worker, "
        f"{about(found.wall_s(engine.jobs))} on the clock{guess}."
    )


def _costs(one: Expected) -> Iterable[str]:
    yield counted(len(one.bundle.seeds), "seed")
    yield about(one.bundle.cost_s) + (" at a guess" if one.unmeasured else "")
    if one.memory_bytes is not None:
        yield f"{one.memory_bytes / 2**20:.0f} MiB"
    if one.gpus:
        yield "1 GPU a seed"
    if one.processes > 1:
        yield f"{one.processes} processes a seed"
    if one.bundle.alone_s:
        yield "timed alone"


def _by_reason(left_out: Iterable[LeftOut]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for left in left_out:
        reasons[left.why].append(f"{left.paper.slug} {left.name}")
    return reasons


def _as_json(engine: Engine, found: Forecast) -> dict[str, object]:
    place = engine.place
    return {
        "place": {
            "machine": place.machine.slug,
            **asdict(place.machine),
            "environment": place.environment,
            "processes": place.processes,
            "jobs": engine.jobs,
        },
        "seeds": found.seeds,
        "cost_s": round(found.cost_s, 1),
        "wall_s": round(found.wall_s(engine.jobs), 1),
        "tasks": [
            {
                "paper": one.bundle.paper.slug,
                "name": one.bundle.name,
                "seeds": len(one.bundle.seeds),
                "unmeasured": one.unmeasured,
                "cost_s": round(one.bundle.cost_s, 1),
                "alone_s": round(one.bundle.alone_s, 1),
                "memory_bytes": one.memory_bytes,
                "gpus": one.gpus,
                "processes": one.processes,
            }
            for one in found.expected
        ],
        "left_out": [
            {"paper": left.paper.slug, "name": left.name, "why": left.why}
            for left in found.left_out
        ],
    }
