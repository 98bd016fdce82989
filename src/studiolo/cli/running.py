"""Commands that measure: run, doctor, fetch-data, keep-records, check-papers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from studiolo.errors import FileError, PaperError, RunError, StudioloError, UsageError

from .console import Styled, counted, say, say_event
from .options import LibraryOption, ListPath, home_of, named_list
from .progress import downloading, progress, working
from .start import EXAMPLE_LIBRARY, example_list
from .verdicts import show_counts, show_left, show_next, show_verdicts


if TYPE_CHECKING:
    from studiolo.claims import Paper
    from studiolo.report import View
    from studiolo.runs import Evidence, LeftOut, Replayed

T = TypeVar("T")

app = typer.Typer()
PANEL = "Run"
SECONDS = {"s": 1, "m": 60, "h": 3600}
ScaleOption = Annotated[
    list[str] | None, typer.Option(help="Only claims at this scale: toy, reduced or paper.")
]
OnlyOption = Annotated[list[str] | None, typer.Option(help="Only this paper folder.")]
LONGEST_S = 365 * 86400.0  # a longer budget does not limit it


def seconds(text: str) -> float:
    """Read a duration such as 90s, 4m, 1.5h, or plain seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if found is None:
        raise UsageError(f"{text!r} is not a duration. Write 90s, 4m or 1.5h.")
    return min(float(found[1]) * SECONDS[found[2] or "s"], LONGEST_S)


@app.command(rich_help_panel=PANEL)
def run(
    path: ListPath = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Time limit, such as 90s or 4m; the rest is left for the next run."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Seeds to run at a time; default: one per core.")
    ] = None,
    scale: ScaleOption = None,
    needs: Annotated[
        list[str] | None,
        typer.Option(help="Only claims that need this: cuda, quiet, data:NAME or world:N."),
    ] = None,
    only: OnlyOption = None,
    retry: Annotated[
        bool,
        typer.Option("--retry", help="Repeat seeds that timed out, where timeout_s is longer now."),
    ] = False,
    memory: Annotated[
        str | None, typer.Option(help="Kill a seed that uses more, such as 800MiB or 4GiB.")
    ] = None,
    replay: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Measure nothing new: run N finished seeds again and compare bit by bit.",
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="Run seeds on a cluster: ray, ray:ADDRESS, slurm or slurm:PARTITION; default: on this machine.",
        ),
    ] = None,
    example: Annotated[
        bool,
        typer.Option(
            "--example", help=f"Run the list that comes with Studiolo, in {EXAMPLE_LIBRARY}/."
        ),
    ] = False,
    library: Annotated[
        Path | None,
        typer.Option(
            "--library", "-l", help="Where records and report go; default: the list's own library."
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the id of every claim.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per event.")] = False,
) -> None:
    """Re-measure what the papers of a list claim, on this machine, and write the report.

    What was measured before with the same code is not measured again. Ctrl-C lets the seeds in flight finish, a second
    Ctrl-C kills them; either way the next run goes on from there.

    Examples:

      studiolo run --example --budget 30s

      studiolo run lists/recent-ml-research.md

      studiolo run lists/recent-ml-research.md --only nade --budget 90s

      studiolo run lists/recent-ml-research.md --on ray:10.0.0.1:6379
    """
    budget_s = None if budget is None else seconds(budget)
    memory_bytes = None if memory is None else _bytes(memory)
    _check_numbers(jobs, replay)
    if replay is not None:
        _refuse_beside_replay(
            budget=budget, jobs=jobs, scale=scale, needs=needs, retry=retry, memory=memory, on=on, json=as_json
        )  # fmt: skip
    check_scales(scale or ())
    if example:
        if path is not None or library is not None:
            raise UsageError("--example brings its own list and library. Leave the others out.")
        path = example_list()
    chosen = load_chosen(path, library, only)
    _check_needs(needs or (), chosen.papers)
    if not as_json:
        say(chosen.view.readiness)
    papers, lacking = _with_packages(chosen.papers)
    _announce(papers)
    if replay is not None:
        _replay(papers, chosen.home, replay)
    else:
        _measure(
            chosen, papers, on, jobs, as_json=as_json, ids=verbose, budget_s=budget_s, retry=retry,
            memory_bytes=memory_bytes, scales=scale or (), needs=needs or (),
        )  # fmt: skip
    if lacking:
        raise RunError(lacking)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A list, the library that keeps its records, and those of its papers that are meant."""

    path: Path
    home: Path
    view: View
    papers: list[Paper]


def load_chosen(path: Path | None, library: Path | None, only: Sequence[str] | None) -> Chosen:
    """Read a list and what was measured for it, and say which of its paper folders cannot be read."""
    from studiolo.lists import Document
    from studiolo.report import load_view

    path = named_list(path, library)
    document, home = Document.load(path), home_of(path, library)
    with working("Reading the list and what was measured before"):
        view = load_view(document, home)
    for problem in view.problems:
        say(f"Left out: {problem}", to_err=True)
    for line in _not_listed(view, only):
        say(line, to_err=True)
    chosen = only_of(view.papers, only) if only else view.papers
    return Chosen(path, home, view, [one.paper for one in chosen.values()])


def _not_listed(view: View, only: Sequence[str] | None) -> Iterator[str]:
    """Say which papers of the library, or of those asked for, are not on the list: where nothing else would say why."""
    from studiolo.runs import discover, is_readers_own

    if view.papers and not set(only or ()) - view.papers.keys():
        return
    for paper in discover(view.library, problems=[]):
        if paper.slug not in view.papers and (
            paper.slug in only if only else is_readers_own(paper)
        ):
            yield f"{paper.slug} is about {paper.key}, which is not on this list."


def _measure(
    chosen: Chosen,
    papers: Sequence[Paper],
    on: str | None,
    jobs: int | None,
    *,
    as_json: bool,
    ids: bool,
    **asked: Any,
) -> None:
    """Run what is asked for, write the report, and say how everything came out and what is left."""
    from studiolo import report, runs

    why_left: dict[tuple[str, str], str] = {}
    with runs.start_engine(on, papers, chosen.home) as engine, progress(as_json=as_json) as show:
        if engine.says:
            say(engine.says, to_err=True)

        def tell(event: runs.Event) -> None:
            if isinstance(event, runs.ClaimLeft):
                why_left.update(_reasons(event.left))
            show(event)

        jobs = jobs or engine.jobs
        evidence = runs.run(
            papers, chosen.home, jobs=jobs, tell=tell, place=engine.place, executor=engine.executor, **asked
        )  # fmt: skip
    view = chosen.view.with_evidence(evidence)
    if asked["retry"]:
        _say_kept(evidence)
    with working("Writing the report"):
        page = report.write_report(
            view if on is None else report.load_view(view.document, chosen.home)
        )
    if as_json:
        say_event({"event": "report", "path": str(page)})
        return
    measured = [view.papers[paper.slug] for paper in papers]
    known = {one.paper.slug: [one.evidence, *one.reference] for one in measured}
    rest = runs.plan_next(known, scales=asked["scales"], needs=asked["needs"])
    show_verdicts(measured, ids=ids)
    show_left(measured, why_left)
    show_counts(measured)
    show_next(rest, jobs, chosen.path)
    say(page)


@app.command(rich_help_panel=PANEL)
def doctor(
    library: Annotated[Path, typer.Argument(help="A library whose papers/ are included.")] = Path(),
) -> None:
    """Show what this machine can and cannot measure, and what would have to change.

    Example:  studiolo doctor
    """
    from .doctor import diagnose

    for finding in diagnose(library):
        mark = Styled("ok", "green") if finding.fine else Styled("--", "yellow")
        say(mark, f"  {finding.what}: {finding.says}")


@app.command("fetch-data", rich_help_panel=PANEL)
def fetch_data(
    names: Annotated[
        list[str],
        typer.Argument(metavar="SET...", help="mnist, fashion_mnist or tinyshakespeare."),
    ],
) -> None:
    """Download data sets once, each from its canonical address, and check their checksums.

    What stopped half-way goes on where it stopped. Other sets are read from the folder that the environment variable
    STUDIOLO_DATA names; `studiolo doctor` says which claims a set would unlock.

    Example:  studiolo fetch-data mnist
    """
    for name in names:
        with downloading() as show:
            paths = _fetch_apart(name, show)
        for path in paths:
            say(path)


def _fetch_apart(name: str, show: Callable[[str, int, int], None]) -> list[str]:
    """Fetch a set in a process of its own: commands load nothing that papers need."""
    code = (
        "import json, sys; from studiolo.data import fetch_set; say = lambda x: print(json.dumps(x), flush=True); "
        "say(list(map(str, fetch_set(sys.argv[1], lambda *step: say(step)))))"
    )
    last: list[Any] = []
    with subprocess.Popen(
        [sys.executable, "-c", code, name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            for line in child.stdout:
                last = json.loads(line)
                if len(last) == 3 and isinstance(last[1], int):
                    show(*last)
            errors = child.stderr.read()
            child.wait()
        except BaseException:
            child.kill()
            raise
    if child.returncode:
        raise RunError(re.sub(r"^[\w.]*Error: ", "", errors.strip().splitlines()[-1]))
    return last


@app.command("keep-records", rich_help_panel=PANEL)
def keep_records(
    path: Annotated[Path, typer.Argument(metavar="LIST", help="The Markdown list.")],
    only: OnlyOption = None,
    library: LibraryOption = None,
) -> None:
    """Save this machine's records in the paper folders, so that others see them beside their own results.

    This is for people who maintain a paper folder. On other machines these records are a separate column in the
    report; they never count as evidence.

    Example:  studiolo keep-records lists/recent-ml-research.md
    """
    from studiolo import runs
    from studiolo.library import Library, load_same
    from studiolo.lists import Document
    from studiolo.report import join, papers_on

    path = named_list(path, library)
    home = Library.find(library, near=path)
    problems: list[PaperError] = []
    rows = join(Document.load(path), runs.discover(home.folder, problems=problems), load_same(home))
    for problem in problems:
        say(f"Left out: {problem}", to_err=True)
    papers = {paper.slug: paper for paper in papers_on(rows)}
    failed = False
    for paper in (only_of(papers, only) if only else papers).values():
        try:
            kept = runs.save_reference(paper, home.folder)
        except StudioloError as error:  # the others' records are kept all the same
            say(f"{paper.slug}: {error}", to_err=True)
            failed = True
        else:
            say(f"{paper.slug}: {kept or 'nothing is recorded'}")
    if failed:
        raise typer.Exit(1)


@app.command("check-papers", rich_help_panel=PANEL)
def check_papers(
    library: Annotated[Path, typer.Argument(help="A library whose papers/ are included.")] = Path(),
) -> None:
    """Check every paper.toml: is it well-formed, and can each claim be decided at all?

    Example:  studiolo check-papers
    """
    from studiolo import runs
    from studiolo.claims import check_paper, load_paper

    count = wrong = 0
    for folder in runs.paper_folders(library):
        count += 1
        try:
            paper = load_paper(folder)
            complaints = [str(problem) for problem in check_paper(paper)]
            complaints += [f"{paper.slug}, paper.toml: {line}" for line in _of_head(paper)]
            said = _of_package(folder, runs.code_of(folder).imports)
            complaints += [f"{folder}: {complaint}" for complaint in said]
        except PaperError as error:
            complaints = [str(error)]
        wrong += bool(complaints)
        for complaint in complaints:
            for line in complaint.splitlines():
                say(line, to_err=True)
    say(f"{counted(count, 'paper folder')}, {wrong} with problems.")
    if wrong:
        raise typer.Exit(1)


def _of_head(paper: Paper) -> Iterator[str]:
    """Yield what keeps lists from finding a paper, and what `new-paper` did not know."""
    from studiolo.keys import find_key

    try:
        found = str(find_key(paper.key))
    except UsageError as error:
        yield str(error)
    else:
        if found != paper.key:
            yield f"key {paper.key!r} is on no list, where the paper is {found!r}. Write that."
    if paper.key.startswith("url:https://example.org/"):
        yield f'key {paper.key!r} is of nothing. Write the paper\'s, such as "arxiv:2105.03824".'
    if paper.authors == ("unknown",):
        yield "authors are unknown. Name them, and check the year."


def _of_package(folder: Path, imports: Collection[str]) -> Iterator[str]:
    """Yield what keeps a paper folder from being a package that imports its own files as its own."""
    if not (folder / "__init__.py").is_file():
        yield "it is not a package: it has no __init__.py."
    stems = (path.stem for path in folder.glob("*.py") if path.stem.isidentifier())
    files = {stem for stem in stems if find_spec(stem) is None}
    for name in sorted({folder.name, *files} & set(imports)):
        yield (
            f"it imports itself as {name}, and what is imported so does not count as its code. "
            "Write from .model import ... in its files."
        )


def _replay(papers: Sequence[Paper], library: Path, count: int) -> None:
    from studiolo import runs

    with working(f"Running up to {counted(count, 'finished seed')} again"):
        replayed = runs.replay(papers, library, count, tell=lambda r: say(_replay_line(r)))
    same = sum(not r.differs for r in replayed)
    say(f"{same} of {counted(len(replayed), 'seed')} gave the same bits again.")
    if same < len(replayed):
        raise typer.Exit(1)


def _replay_line(replayed: Replayed) -> str:
    record = replayed.record
    verdict = f"differs in {', '.join(replayed.differs)}" if replayed.differs else "same bits"
    config = ", ".join(f"{name}={value!r}" for name, value in record.config.items())
    return f"{record.paper} {record.run}({config}) seed {record.index}: {verdict}"


def _bytes(text: str) -> int:
    """Read an amount of memory such as 800MiB or 4GiB."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG])i?B", text.strip(), re.IGNORECASE)
    if found is None:
        raise UsageError(f"{text!r} is not an amount of memory. Write 800MiB or 4GiB.")
    return int(float(found[1]) * 2.0 ** {"K": 10, "M": 20, "G": 30}[found[2].upper()])


def _check_numbers(jobs: int | None, replay: int | None) -> None:
    if jobs is not None and jobs < 1:
        raise UsageError(
            f"--jobs {jobs} would run nothing. Give the number of seeds at a time, from 1."
        )
    if replay is not None and replay < 1:
        raise UsageError(
            f"--replay {replay} would compare nothing. Give a number of seeds, from 1."
        )


def _refuse_beside_replay(**others: object) -> None:
    """Refuse options that mean nothing to a comparison, which runs one seed after the other here."""
    if given := [f"--{name}" for name, value in others.items() if value]:
        raise UsageError(
            f"--replay runs finished seeds again, one by one on this machine. Leave out {', '.join(given)}."
        )


def check_scales(scales: Sequence[str]) -> None:
    """Refuse what is not a scale, with a sentence."""
    from studiolo.claims import SCALES

    for scale in scales:
        if scale not in SCALES:
            raise UsageError(f"{scale!r} is not a scale. Choose from {', '.join(SCALES)}.")


def _check_needs(needs: Sequence[str], papers: Sequence[Paper]) -> None:
    from studiolo.claims import NEED, NEEDS, SETS

    known = {f"data:{name}" for name in SETS}
    known |= {need for paper in papers for claim in paper.claims for need in claim.needs}
    for need in needs:
        if NEED.fullmatch(need) is None:
            raise UsageError(f"{need!r} is not a need. Write {NEEDS}.")
        if need.startswith("data:") and need not in known:
            sets = sorted(name for name in known if name.startswith("data:"))
            raise UsageError(
                f"No claim here needs {need!r}, and there is no such data set. There are: {', '.join(sets)}."
            )


def only_of(papers: Mapping[str, T], names: Sequence[str]) -> dict[str, T]:
    """Return the papers of the folders asked for, in the order of the list."""
    for name in names:
        if name not in papers:
            there = ", ".join(papers) or "none"
            raise UsageError(
                f"There is no paper folder {name!r} that can run for this list. There are: {there}."
            )
    return {slug: paper for slug, paper in papers.items() if slug in names}


def _say_kept(evidence: Sequence[Evidence]) -> None:
    """Say which timeouts stay, since another try under the same limit would be another draw."""
    from studiolo import runs

    for source in evidence:
        if kept := runs.kept_timeouts(source):
            say(
                f"{source.paper.slug}: --retry repeats no seed of {', '.join(kept)}, which took too long: timeout_s is "
                "what it was. A longer one is a new rule, which is counted.",
                to_err=True,
            )


def _reasons(left: LeftOut) -> dict[tuple[str, str], str]:
    """Return why a claim was left out, for its parts and controls too."""
    from studiolo.runs import bundles_of

    claims = next((c for c in bundles_of(left.paper) if c[0].id == left.name), ())
    return {(left.paper.slug, claim.id): left.why for claim in claims}


FASTER = frozenset({"numba"})  # of the extra `fast`: without them everything runs
GPU_ONLY = frozenset({"triton"})  # imported only on a GPU; torch for CUDA brings it
READERS = frozenset({"transformers"})  # imported only where a reader's own model comes from there


def _with_packages(papers: Sequence[Paper]) -> tuple[list[Paper], str]:
    """Return the papers whose packages are there, and what the others lack: each of their seeds would end in that error.

    Raises:
        RunError: all lack something.
    """
    reasons: dict[str, list[str]] = {}
    for paper in papers:
        if why := _lacks(paper):
            reasons.setdefault(why, []).append(paper.slug)
    lines = [f"{', '.join(slugs)}: {why}" for why, slugs in reasons.items()]
    left_out = {slug for slugs in reasons.values() for slug in slugs}
    able = [paper for paper in papers if paper.slug not in left_out]
    if lines and not able:
        raise RunError("\n".join(lines))
    for line in lines:
        say(f"Left out: {line}", to_err=True)
    return able, "\n".join(lines)


def _lacks(paper: Paper) -> str:
    """Return what of a paper's imports cannot be found, and what to do; empty if nothing is missing."""
    from studiolo.runs import code_of, is_readers_own

    imports = code_of(paper.folder).imports - FASTER - GPU_ONLY - READERS
    missing = sorted(name for name in imports if find_spec(name) is None)
    if complaint := next(_of_package(paper.folder, missing), ""):
        return complaint
    if not missing:
        return ""
    packages = " ".join(missing) if is_readers_own(paper) else "'studiolo[run]'"
    are = "is" if len(missing) == 1 else "are"
    return f"{', '.join(missing)} {are} not installed. To install: pip install {packages}"


def _announce(papers: Sequence[Paper]) -> None:
    """Before a library's own code runs for the first time, say so; remember in the reader's own folder what was said.

    What lies in a library may be a stranger's: it cannot say what its reader has seen.
    """
    import platformdirs

    from studiolo import runs
    from studiolo.files import append_json_lines, load_json_lines

    seen_file = Path(platformdirs.user_state_dir("studiolo")) / "announced.jsonl"
    new = [
        {"folder": str(paper.folder.resolve()), "code": runs.code_of(paper.folder).digest}
        for paper in papers
        if runs.is_readers_own(paper)
    ]
    if new:
        with suppress(FileError):  # then it is said again
            seen = list(load_json_lines(seen_file))
            new = [one for one in new if one not in seen]
    for one in new:
        say(
            f"Note: {one['folder']} is this library's own code and now runs on your machine "
            "for the first time in this form.",
            to_err=True,
        )
    with suppress(FileError):
        append_json_lines(seen_file, new)
