"""Commands that measure: run, doctor, fetch-data, keep-records, check-papers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studiolo.errors import PaperError, RunError, UsageError

from .console import err, out
from .options import home_of
from .progress import progress


if TYPE_CHECKING:
    from studiolo.claims import Paper
    from studiolo.runs import Replayed

app = typer.Typer()
PANEL = "Run"
SECONDS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """Read a duration such as 90s, 4m, 1.5h, or plain seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if found is None:
        raise UsageError(f"{text!r} is no duration. Write 90s, 4m or 1.5h.")
    return float(found[1]) * SECONDS[found[2] or "s"]


@app.command(rich_help_panel=PANEL)
def run(
    path: Annotated[Path, typer.Argument(metavar="LIST", help="The Markdown list.")],
    budget: Annotated[
        str | None,
        typer.Option(help="Time on the clock, such as 90s or 4m; the rest is for the next run."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Seeds at a time; default: one per core.")
    ] = None,
    scale: Annotated[
        list[str] | None, typer.Option(help="Only claims at this scale: toy, reduced or paper.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this paper folder.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Again what timed out.")] = False,
    memory: Annotated[
        str | None, typer.Option(help="Kill a seed that uses more, such as 800MiB or 4GiB.")
    ] = None,
    replay: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Measure nothing new: run N finished seeds again, compare bit by bit."
        ),
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option(
            "--library", "-l", help="Where records and report go; default: the list's own."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per event.")] = False,
) -> None:
    """Re-measure what the papers of a list claim, on this machine, and write the report.

    What was measured before, with the same code, is not measured again. Ctrl-C once finishes the seeds in flight,
    twice kills them; either way the next run goes on from there.

    Examples:

      studiolo run lists/recent-ml-research.md

      studiolo run lists/recent-ml-research.md --only nade --budget 90s
    """
    from studiolo import runs
    from studiolo.library import Library, load_same
    from studiolo.lists import Document
    from studiolo.report import load_view, write_report
    from studiolo.report.join import join, papers_on, readiness

    document = Document.load(path)
    home = home_of(path, library)
    problems: list[PaperError] = []
    found = runs.discover(home, problems=problems)
    rows = join(document, found, load_same(Library(home)))
    for problem in problems:
        err().print(f"Left out: {problem}", markup=False)
    papers = papers_on(rows)
    if only:
        papers = _only(papers, only)
    if not as_json:
        out().print(readiness(rows), markup=False)
    _require_packages(papers)
    _announce(papers, home)
    if replay is not None:
        _replay(papers, home, replay)
        return
    with progress(as_json=as_json) as on_event:
        runs.run(
            papers,
            home,
            jobs=jobs,
            budget_s=None if budget is None else seconds(budget),
            scales=scale or (),
            retry=retry,
            memory_bytes=None if memory is None else _bytes(memory),
            tell=on_event,
        )
    report = write_report(load_view(document, home, found, problems))
    if as_json:
        print(json.dumps({"event": "report", "path": str(report)}))
    else:
        print(report)


@app.command(rich_help_panel=PANEL)
def doctor(
    library: Annotated[Path, typer.Argument(help="A library whose papers/ count too.")] = Path(),
) -> None:
    """Say what this machine can measure, what it cannot, and what would have to change.

    Example:  studiolo doctor
    """
    from .doctor import diagnose

    console = out()
    for finding in diagnose(library):
        mark, style = ("ok", "green") if finding.fine else ("--", "yellow")
        console.print(f"[{style}]{mark}[/]  ", end="")
        console.print(f"{finding.what}: {finding.says}", markup=False)


@app.command("fetch-data", rich_help_panel=PANEL)
def fetch_data(
    name: Annotated[
        str, typer.Argument(metavar="SET", help="mnist, fashion_mnist or tinyshakespeare.")
    ],
) -> None:
    """Download a data set from its canonical address, once, checked against its checksum.

    Other sets are read from the folder that the environment variable STUDIOLO_DATA names.

    Example:  studiolo fetch-data mnist
    """
    code = (
        "import sys; from studiolo.data import fetch_set; print(*fetch_set(sys.argv[1]), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, name],
        capture_output=True,
        text=True,
        check=False,
    )  # in a process of its own: the commands load nothing that papers need
    if done.returncode:
        raise RunError(
            done.stderr.strip().splitlines()[-1].removeprefix("studiolo.errors.RunError: ")
        )
    print(done.stdout, end="")


@app.command("keep-records", rich_help_panel=PANEL)
def keep_records(
    path: Annotated[Path, typer.Argument(metavar="LIST", help="The Markdown list.")],
    only: Annotated[list[str] | None, typer.Option(help="Only this paper folder.")] = None,
) -> None:
    """Keep what this machine measured in the paper folders, for others to see beside their own results.

    For those who maintain a paper folder. On any other machine the records are a column of their own in the report,
    and never evidence.

    Example:  studiolo keep-records lists/recent-ml-research.md
    """
    from studiolo import runs
    from studiolo.library import Library, load_same
    from studiolo.lists import Document
    from studiolo.report.join import join, papers_on

    home = Library.find(near=path)
    library = home.folder
    papers = papers_on(join(Document.load(path), runs.discover(library), load_same(home)))
    for paper in _only(papers, only) if only else papers:
        kept = runs.save_reference(paper, library)
        out().print(f"{paper.slug}: {kept or 'nothing is recorded'}", markup=False)


@app.command("check-papers", rich_help_panel=PANEL)
def check_papers(
    library: Annotated[
        Path, typer.Argument(help="A library whose papers/ are checked too.")
    ] = Path(),
) -> None:
    """Check every paper.toml: its form, and whether each claim can be decided at all.

    Example:  studiolo check-papers
    """
    from studiolo import runs
    from studiolo.claims import check_paper, load_paper

    count = wrong = 0
    for folder in runs.paper_folders(library):
        count += 1
        try:
            complaints = [str(problem) for problem in check_paper(load_paper(folder))]
        except PaperError as error:
            complaints = [str(error)]
        wrong += bool(complaints)
        for complaint in complaints:
            err().print(complaint, markup=False)
    out().print(f"{count} paper folders, {wrong} with problems.")
    if wrong:
        raise typer.Exit(1)


def _replay(papers: Sequence[Paper], library: Path, count: int) -> None:
    from studiolo import runs

    console = out()
    replayed = runs.replay(
        papers, library, count, tell=lambda r: console.print(_replay_line(r), markup=False)
    )
    same = sum(not r.differs for r in replayed)
    console.print(f"{same} of {len(replayed)} seeds gave the same bits again.")
    if same < len(replayed):
        raise typer.Exit(1)


def _replay_line(replayed: Replayed) -> str:
    record = replayed.record
    verdict = f"differs in {', '.join(replayed.differs)}" if replayed.differs else "same bits"
    return f"{record.paper} {record.run} seed {record.index}: {verdict}"


def _bytes(text: str) -> int:
    """Read an amount of memory such as 800MiB or 4GiB."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG])i?B", text.strip(), re.IGNORECASE)
    if found is None:
        raise UsageError(f"{text!r} is no amount of memory. Write 800MiB or 4GiB.")
    return int(float(found[1]) * 2.0 ** {"K": 10, "M": 20, "G": 30}[found[2].upper()])


def _only(papers: Sequence[Paper], names: Sequence[str]) -> list[Paper]:
    there = {paper.slug: paper for paper in papers}
    for name in names:
        if name not in there:
            raise UsageError(
                f"No paper folder {name!r} on this list; there are {', '.join(there) or 'none'}."
            )
    return [there[name] for name in names]


def _require_packages(papers: Sequence[Paper]) -> None:
    """Say beforehand which packages are missing: else every seed would end in the same error."""
    from studiolo.runs.fingerprint import code_of

    wanted = {name for paper in papers for name in code_of(paper.folder).imports}
    missing = sorted(name for name in wanted if find_spec(name) is None)
    if missing:
        raise RunError(
            f"These papers need {', '.join(missing)}, which is not installed. Get all of it: pip install 'studiolo[run]'"
        )


def _announce(papers: Sequence[Paper], library: Path) -> None:
    """Before a library's own code runs for the first time, say so; remember which code was announced."""
    from studiolo import runs
    from studiolo.runs.fingerprint import code_of

    seen_file = library / ".studiolo" / "announced.txt"
    seen = set(seen_file.read_text().splitlines()) if seen_file.exists() else set()
    new = []
    for paper in papers:
        line = f"{paper.slug} {code_of(paper.folder).digest}"
        if runs.is_readers_own(paper) and line not in seen:
            err().print(
                f"Note: {paper.folder} is this library's own code and now runs on your machine "
                "for the first time in this form.",
                markup=False,
            )
            new.append(line)
    if new:
        seen_file.parent.mkdir(parents=True, exist_ok=True)
        seen_file.write_text("".join(f"{line}\n" for line in sorted(seen | set(new))))
