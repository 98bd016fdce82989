"""Commands that set things up: init, new-paper."""

from __future__ import annotations

import shutil
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from studiolo.errors import FileError, UsageError

from .console import say
from .scaffold import new_paper_folder


if TYPE_CHECKING:
    from studiolo.library import Library

app = typer.Typer()
PANEL = "Start"
EXAMPLE = Path(__file__).parents[1] / "example"
EXAMPLE_LIBRARY = "studiolo-example"
CHECKLIST = (
    ("paper.toml", "what the paper says, in your own words, with its place and a region of values that agree."),
    ("reference.py", "the equations one by one, in the paper's letters, slow and obvious."),
    ("test_paper.py", "a number worked out by hand; then model and reference agree, gradients too."),
    ("model.py", "the implementation that somebody would import."),
    ("experiments.py", "f(*, seed, **config) -> Outcome, for each claim and its control."),
    ("run", "put the paper on a list, then: studiolo run LIST. What does not hold is a result."),
    ("README.md", "last, from the records: what happened, and what it does not show."),
)  # fmt: skip


def example_list() -> Path:
    """Return the list of the library to try, which is made in this folder where it is not there yet.

    Raises:
        FileError: it cannot be made.
    """
    from studiolo.library import Library

    folder = Path(EXAMPLE_LIBRARY)
    if not folder.exists():
        _copy_example(folder)
        Library(folder).prepare()
    return folder / "lists" / "recent-ml-research.md"


def _copy_example(folder: Path) -> None:
    try:
        for part in ("lists", "topics"):
            shutil.copytree(EXAMPLE / part, folder / part)
    except OSError as error:
        raise FileError(f"{folder} cannot be made: {error.strerror}.") from error


@app.command(rich_help_panel=PANEL)
def init(
    folder: Annotated[Path, typer.Argument(help="Folder to create the library in.")] = Path(),
    empty: Annotated[bool, typer.Option("--empty", help="Leave out the list to try.")] = False,
    github: Annotated[
        bool,
        typer.Option(
            "--github",
            help="Also write a workflow for GitHub (check, contents, report on Pages) and a form for issues.",
        ),
    ] = False,
) -> None:
    """Create a library: a folder with your lists, and `.studiolo/` for what Studiolo knows about them.

    A folder that already has Markdown lists only gets a `.studiolo/`; the lists are not touched. Otherwise a reading
    list to try is added. Running this again changes nothing.

    With --github the library tends itself once it is on GitHub: .github/workflows/studiolo.yml checks every push, writes the
    contents and puts the report and a feed on Pages; its parts are pinned by commit, and each job has only the permissions it
    needs. With the form "To read" for issues, a phone is enough to save a paper: studiolo collect github-issues. Files that
    are there already stay as they are.

    \b
    Examples:
      studiolo init my-library
      studiolo init my-library --github
    """
    from studiolo.library import Library

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        places = (folder, *folder.parents)
        file = next((one for one in places if one.exists() and not one.is_dir()), folder)
        raise UsageError(
            f"{file} is a file, and a library is a folder. To make one of the folder of a list: studiolo init {quote(str(file.parent))}"
        ) from error
    except OSError as error:
        raise FileError(f"{folder} cannot be made: {error.strerror}.") from error
    home = Library.find(folder)
    known = home.state.exists()
    home.prepare()
    if not empty and not any((*folder.glob("*.md"), *folder.glob("lists/*.md"))):
        _copy_example(folder)
    say(f"{'Already a library' if known else 'A library'}: {folder.resolve()}")
    for path in home.lists:
        say(f"  list {path}")
    if github:
        _write_for_github(home)
    if main := home.main_list():
        say(f"Next: studiolo show {main}")


def _write_for_github(home: Library) -> None:
    """Write the workflow and the form for issues, where they are not there yet.

    Raises:
        UsageError: the library lies below the top of a repository, where GitHub does not look for them.
    """
    import studiolo
    from studiolo.errors import UsageError
    from studiolo.files import save_bytes

    folder = home.folder.resolve()
    top = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)
    if top != folder:
        raise UsageError(
            f"{folder} lies below {top}, the top of its repository, and GitHub looks for workflows only there. Make the "
            "library a repository of its own."
        )
    main = home.main_list()
    name = home.relative(main) if main else "README.md"
    if "${{" in name or not name.isprintable():
        raise UsageError(f"{name!r} cannot stand in a workflow. Give the list another name.")
    named = {b"@VERSION@": studiolo.__version__, b"@LIST@": name}
    for file, place in (("studiolo.yml", "workflows"), ("to-read.yml", "ISSUE_TEMPLATE")):
        path = home.folder / ".github" / place / file
        if path.exists():
            say(f"  {path} stays as it is")
            continue
        text = (EXAMPLE / "github" / file).read_bytes()
        for mark, words in named.items():
            text = text.replace(mark, words.replace("\\", "\\\\").replace('"', '\\"').encode())
        save_bytes(path, text, None)
        say(f"  new: {path}")
    say("For the contents in README.md, once: studiolo contents --write --yes")


@app.command("new-paper", rich_help_panel=PANEL)
def new_paper(
    name: Annotated[
        str,
        typer.Argument(
            metavar="SLUG|KEY", help="A name for the folder, or a key: arxiv:2105.03824."
        ),
    ],
    library: Annotated[
        Path, typer.Option("--library", help="The library whose papers/ the folder goes into.")
    ] = Path(),
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no server; use only what is already known.")
    ] = False,
) -> None:
    """Start a paper folder that passes its own tests, to be filled in from top to bottom.

    Given a key, it fills in title, authors, year and version from what is known about the paper, from your lists, or from
    arXiv and similar services.

    Example:  studiolo new-paper arxiv:2105.03824
    """
    from studiolo.runs import paper_folders

    folder = new_paper_folder(name, library, offline=offline)
    say(f"A paper folder: {folder}")
    if folder.name in {other.name for other in paper_folders()}:
        say(f"It comes before Studiolo's own {folder.name}: your lists now mean this one.")
    for path in sorted(folder.iterdir()):
        say(f"  {path.name}")
    say()
    say("It passes its own tests. To make it the paper's:")
    for number, (name, what) in enumerate(CHECKLIST, start=1):
        say(f"  {number}. {name}: {what}")
    say(f"After each step: python -m pytest {quote(str(folder))} && studiolo check-papers")
    say("How one paper went through this, step by step: docs/adding-a-paper.md")
