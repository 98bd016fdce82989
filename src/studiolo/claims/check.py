"""What is wrong with a paper's claims before anything runs: claims that cannot be decided, or that say too little."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator

from studiolo.errors import FileError, PaperError
from studiolo.files import load_bytes

from .paper import MOST_SEEDS, Claim, Figure, Paper
from .region import Region
from .statistics import can_decide, order


NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?")
UNITS = {  # by the last word of a metric's name: how a sentence writes the unit behind a number
    "nats": r"\s+nats?\b",
    "bits": r"\s+bits?\b",
    "percent": r"\s*(?:%|percent\b|per cent\b)",
}
SPEEDS = {"speedup", "speed", "faster"}
COSTS = {"time", "cost", "flops", "operations", "bytes", "memory", "steps", "step", "seconds"}
RATIOS = {"ratio", "share", "over"}
DIRECTIONS = re.compile(
    r"\b(at (least|most)|(more|less|fewer|larger|smaller|no (more|less|fewer)) than|above|below|over|under|up to"
    r"|beyond|exceeds?|within|no (more|less|fewer|worse|better))\b"
)


def check_paper(paper: Paper) -> list[str]:
    """Return what is wrong, one sentence with the next step for each, all beginning with where it stands.

    A paper that `load_paper` reads has the right fields. This asks whether its claims can be decided and mean
    something: enough seeds, a smallest effect of interest, a weaker region that is weaker, controls, and experiments
    that exist and take what the claims hand them (read from experiments.py as text, never imported).
    """
    problems = [f"{paper.slug}, {problem}" for problem in _of_paper(paper)]
    functions = None
    try:
        functions = _functions(paper)
    except PaperError as error:
        problems.append(str(error))
    found = {claim.id: [*_of_one(claim, paper, functions)] for claim in paper.claims}
    for claim in paper.claims:
        kind = "check" if claim.by == "code" else "claim"
        inherited = found.get(claim.like, [])  # one change mends both
        problems += [
            f"{paper.slug}, {kind} {claim.id}: {problem}"
            for problem in found[claim.id]
            if problem not in inherited
        ]
    for figure in paper.figures:
        if functions is not None:
            problems += [
                f"{paper.slug}, figure {figure.id}: {problem}"
                for problem in _of_experiment(figure, functions)
            ]
    return problems


def _of_one(
    claim: Claim, paper: Paper, functions: dict[str, ast.FunctionDef | None] | None
) -> Iterator[str]:
    yield from _of_claim(claim, paper)
    if claim.by != "code":
        yield from _of_words(claim, claim.id in paper.controls)
    if functions is not None and not claim.all_of:
        yield from _of_experiment(claim, functions)


def seeds_that_decide(statistic: str, region: Region, least: int = 1) -> int | None:
    """Return the smallest useful number of seeds from `least` on with which a claim can both hold and not hold.

    For the median these are 5, 8, 11, 13, 16, 18, ...: a number between two of them decides less often than the lower
    one. None where no number that may be asked for can decide.
    """
    for n in range(least, MOST_SEEDS + 1):
        if all(can_decide(statistic, n, region)) and (
            statistic != "median" or order(n) > order(n - 1)
        ):
            return n
    return None


def _of_paper(paper: Paper) -> Iterator[str]:
    if paper.key.startswith("arxiv:") and not paper.version:
        yield 'paper.toml: no version. Claims differ between versions; say which was read, version = "v1".'
    if not paper.papers_claims:
        yield "paper.toml: no [[claim]]. Say what the paper says, as a region of values that agree."
    elif not paper.controls:
        yield (
            "paper.toml: no claim names a control. Add a claim that must not hold (the effect switched off) and "
            "name it, controls = [...]."
        )


def _of_claim(claim: Claim, paper: Paper) -> Iterator[str]:
    if claim.like and claim.says == paper.claim(claim.like).says:
        yield f"says the same as {claim.like!r}, from which it inherits. Say how it differs."
    for name in claim.controls:
        control = paper.claim(name)
        if not claim.all_of and _measured(control) == _measured(claim):
            yield f"its control {name!r} measures exactly the same. Switch the effect off in its config."
    if claim.region is None:
        return
    is_number = claim.statistic == "exact" and claim.region.low == claim.region.high
    if not claim.why and not is_number:  # the paper's own number is its own reason
        yield f"no why. Say why {claim.region} is the smallest effect of interest."
    yield from _of_seeds(claim, claim.region)
    yield from _of_size(claim, claim.region)
    if claim.weaker and not claim.weaker.covers(claim.region):
        yield f"weaker ({claim.weaker}) does not contain all of region ({claim.region}). Widen it."


def _of_words(claim: Claim, is_control: bool) -> Iterator[str]:
    """What a sentence says of its place, its scale, its number and its ceiling, against the region."""
    yield from _of_place(claim, is_control)
    if is_control:
        return
    yield from _of_scale(claim)
    if claim.region is None:
        return
    yield from _of_number(claim, claim.region)
    if is_efficiency(claim) and claim.ceiling is None:
        yield (
            "no ceiling. Say how much can be reached at the size that is run and from which count of operations or "
            'bytes, ceiling = { value = 1.53, why = ".." }, or the reason alone.'
        )
    if claim.ceiling and claim.ceiling.value is not None:
        yield from _of_ceiling(claim.ceiling.value, claim.region)


def _of_place(claim: Claim, is_control: bool) -> Iterator[str]:
    where = claim.where.casefold().strip(" .")
    if claim.by == "paper" and not is_control and where.startswith("no place"):
        yield f'where is {claim.where!r}. What the paper does not say is a question of ours: by = "us".'
    elif claim.source == "read" and (not where or where in ("no place", "no place in the paper")):
        yield 'source = "read" without a place. Say where it was read, or leave the source out.'


def _of_scale(claim: Claim) -> Iterator[str]:
    """The paper's scale is its size, in numbers; a statement for every size is measured at all of them or is reduced."""
    size = claim.scale
    if size.kind != "paper":
        return
    everywhere = re.search(r"\b(any|every|all)\b", size.paper.casefold())
    if everywhere and not re.search(r"\b(any|every|all)\b", size.here.casefold()):
        yield (
            f'scale is "paper", but the paper means {size.paper!r} and here it is {size.here!r}. '
            'Write kind = "reduced" or "toy", or check every case and say so.'
        )
    elif not everywhere and not re.search(r"\d", size.paper):
        yield (
            f'scale is "paper", but {size.paper!r} states no size. Write the paper\'s size in numbers, '
            'or kind = "reduced".'
        )


def _of_number(claim: Claim, region: Region) -> Iterator[str]:
    """The number that the sentence gives must agree, and a region around it is what a bare number asks for."""
    if claim.states is None:
        unit = UNITS.get(claim.metric.rpartition("_")[2])
        numbers = re.findall(NUMBER.pattern + unit, claim.says) if unit else []
        if len(numbers) == 1:
            yield (
                f"says {numbers[0].strip()!r}, the unit of {claim.metric}. Write the number into states, so that the "
                "region is held against it."
            )
        return
    shown = f"{claim.states:g}"
    if not _stands_in(claim.states, claim.says):
        yield f"states {shown}, which does not stand in says. Say the number, or leave states out."
    if not region.contains(claim.states):
        yield f"states {shown}, but region ({region}) excludes it. Move the region."
    elif len(region.numbers) == 1 and not DIRECTIONS.search(claim.says.casefold()):
        side = "below" if region.kind in ("at_most", "below") else "above"
        yield (
            f"states {shown}, but region ({region}) agrees with everything {side} it as well. Write a region around "
            f"{shown} (between, within), or say in which direction."
        )


def _stands_in(number: float, says: str) -> bool:
    for found in NUMBER.finditer(says):
        value = float(found[0].replace(",", ""))
        if says[found.end() :].lstrip().startswith("%") and math.isclose(number, value / 100):
            return True
        if math.isclose(number, value):
            return True
    return False


def is_efficiency(claim: Claim) -> bool:
    """Whether a claim is about a speed or a ratio of costs: it is timed, or its metric's name says so."""
    words = set(claim.metric.replace("speed_up", "speedup").split("_"))
    return claim.timing or bool(SPEEDS & words) or bool(COSTS & words and RATIOS & words)


def _of_ceiling(ceiling: float, region: Region) -> Iterator[str]:
    least = region.kind in ("at_most", "below")
    if region.contains(ceiling) or (ceiling < region.low if least else ceiling > region.high):
        return
    yield (
        f"its ceiling is {ceiling:g}, so region ({region}) cannot be reached at the size that is run. Run a size at "
        "which it can, or move the region."
    )


def _measured(claim: Claim) -> tuple[object, ...]:
    return claim.run, dict(claim.config), claim.metric, claim.region, claim.statistic


def _of_seeds(claim: Claim, region: Region) -> Iterator[str]:
    holds, fails = can_decide(claim.statistic, claim.seeds, region)
    if claim.statistic == "median":
        enough = seeds_that_decide("median", region, claim.seeds)
        if not holds:
            yield f"seeds = {claim.seeds} cannot decide a median. Ask for {enough} or more."
        elif enough != claim.seeds:
            fewer = next(n for n in range(claim.seeds - 1, 0, -1) if order(n) > order(n - 1))
            or_more = f", or for {enough}" if enough else ""
            yield (
                f"seeds = {claim.seeds} decides a median less often than fewer seeds do. Ask for {fewer}{or_more}."
            )
    elif not (holds and fails):
        enough = seeds_that_decide(claim.statistic, region, claim.seeds)
        cannot = "hold" if not holds else "not hold"
        next_step = (
            f"Ask for {enough}."
            if enough
            else f"No number up to {MOST_SEEDS} can; change the region."
        )
        yield (
            f"with seeds = {claim.seeds} no outcome could make a {claim.statistic} of {region} {cannot}. {next_step}"
        )


def _of_size(claim: Claim, region: Region) -> Iterator[str]:
    """Regions that begin where there is no effect at all: no control can ever be ruled out of them."""
    if claim.statistic != "median" or region.kind in ("between", "within"):
        return
    edge = region.numbers[0]
    is_ratio = {"ratio", "speedup"} & set(claim.metric.replace("speed_up", "speedup").split("_"))
    if edge == 0 or (edge == 1 and is_ratio) or (claim.weaker and edge in claim.weaker.numbers):
        yield (
            f"region ({region}) has no smallest effect of interest, only a direction. Move its edge to the smallest "
            f"effect that matters and keep the direction as weaker; write between = [{edge:g}, {edge:g}] if exactly "
            "that value is meant."
        )


def _functions(paper: Paper) -> dict[str, ast.FunctionDef | None]:
    """The top-level functions of experiments.py by name; None for names that are imported there."""
    path = paper.folder / "experiments.py"
    try:
        data = load_bytes(path)
        if data is None:
            raise PaperError(f"{path}: there is no such file. Claims need it.")
        module = ast.parse(data, path.name)
    except FileError as error:
        raise PaperError(f"{error} Claims need it.") from error
    except (
        RecursionError,
        MemoryError,
    ) as error:  # which of them, and its words, differ between Pythons
        raise PaperError(f"{path}: not Python: nested too deeply.") from error
    except (SyntaxError, ValueError) as error:
        raise PaperError(f"{path}: not Python: {error}.") from error
    functions: dict[str, ast.FunctionDef | None] = {}
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            functions[node.name] = node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            functions |= dict.fromkeys(alias.asname or alias.name for alias in node.names)
    return functions


def _of_experiment(
    what: Claim | Figure, functions: dict[str, ast.FunctionDef | None]
) -> Iterator[str]:
    if what.run not in functions:
        public = [name for name, node in functions.items() if node and not name.startswith("_")]
        yield (
            f"run = {what.run!r} is not a function of experiments.py. There are: "
            f"{', '.join(public) or 'none'}."
        )
        return
    function = functions[what.run]
    if function is None:
        return
    arguments = function.args
    names = [a.arg for a in (*arguments.args, *arguments.kwonlyargs)]
    if "seed" not in [a.arg for a in arguments.kwonlyargs]:
        yield f"the experiment {what.run} takes no keyword-only seed. Start it with `def {what.run}(*, seed: int, ...)`."
    unknown = [name for name in what.config if name not in names]
    if unknown and arguments.kwarg is None:
        known = ", ".join(name for name in names if name != "seed") or "nothing but seed"
        yield f"config names {unknown[0]!r}, which {what.run} does not take. It takes {known}."
