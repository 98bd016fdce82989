"""Commands that gather what was saved elsewhere: collect, and one command below it for each source."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from studiolo.files import kind_at
from studiolo.sources import SOURCES, detect, source_called

from .console import counted, err, say
from .options import PANEL, LibraryOption, Offline, make_client


if TYPE_CHECKING:
    from studiolo.library import Collected, Library, Place
    from studiolo.sources import Reading


class _Sources(typer.core.TyperGroup):
    """The sources; what is none of them is taken as a file of any kind."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words = [word for word in args if not word.startswith("-")]
        alone = len(args) == len(words) == 1 and kind_at(Path(args[0]))  # a folder called `notes`
        is_source = bool(words) and words[0] in self.commands and not alone
        if words and not is_source and args[0] not in ("-h", "--help"):
            args = ["file", *args]
        return super().parse_args(ctx, args)


app = typer.Typer()
collect = typer.Typer(
    cls=_Sources,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""\
Collect what you saved elsewhere into the inbox. Nothing is lost, and reading the same export twice adds nothing.

`studiolo collect FILE` finds out what a file or folder is, and says what it took it for and what else would read it.
Each source below says with --help where its export is found. What was read is counted: read = new + known + skipped,
and --skipped gives the reason of each. Then: studiolo inbox, and studiolo triage.""",
)
app.add_typer(collect, name="collect", rich_help_panel=PANEL)

DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only count; write nothing.")]
Verbose = Annotated[
    bool, typer.Option("--skipped", help="List everything that was skipped, with the reason.")
]
OnBytes = Callable[[int], object]


def help_of(name: str) -> str:
    """Return what a source is, how to get its export, and examples; after a backspace typer keeps line breaks."""
    source = SOURCES[name]
    how = source.how.replace("[", "\\[")  # no markup of rich: studiolo[pdf]
    shown = "\n".join(f"  {example}" for example in source.examples)
    return f"{source.what}\n\n\b\nHow to get the export:\n{how}\n\n\b\nExamples:\n{shown}"


@contextmanager
def progress(path: Path, label: str) -> Iterator[OnBytes]:
    """Show how much of a file was read, where somebody watches and the file is large enough to wait for."""
    size = path.stat().st_size if kind_at(path) == "file" else 0
    console = err()
    if not console.is_terminal or size < 1_000_000:
        yield lambda count: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task(label, total=size)
        yield lambda count: progress.advance(task, count)


@dataclass(frozen=True)
class Run:
    """One run of a command: from which source, into which library, and how much to write and say."""

    source: str
    folder: Path | None
    dry_run: bool
    list_skipped: bool

    @cached_property
    def library(self) -> Library:
        """The library that it goes into."""
        from studiolo.library import Library

        return Library.find(self.folder)

    def read(self, path: Path, **options: str | bool) -> None:
        """Take in what a file holds, and remember it for `studiolo sync`."""
        from studiolo.library import place_of_file

        load = SOURCES[self.source].load
        with progress(path, self.source) as on_bytes:
            reading = load(path, on_bytes=on_bytes, **options)
            place = place_of_file(self.library, self.source, path, options)
            counts = self.take_in(reading, place=place)
        if not counts.read:
            say(
                f"{path} holds nothing that {self.source} reads. What it reads: studiolo collect {self.source} --help"
            )

    def take_in(self, reading: Reading, *, place: Place | None = None) -> Collected:
        """Take in what a source says, and return how much it was; `place` is where it can be read again."""
        from studiolo.library import Inbox, save_place

        inbox = Inbox(self.library)
        is_new = not self.library.state.is_dir()
        of = place.where if place and place.how == "login" else ""
        counts = inbox.collect(reading, source=self.source, of=of, dry_run=self.dry_run)
        # A page or file without anything that is ours was a mistake; a feed, a login, a repository may be empty today.
        is_wrong = place and place.how in ("file", "page") and place.source != "feed"
        gave = counts.new or counts.known or not is_wrong
        kept = self.dry_run or not place or not gave or save_place(self.library, place)
        if is_new and self.library.state.is_dir():
            made = self.library.state.resolve()
            say(f"There was no library here, so one was made: {made}", to_err=True)
        _report(counts, dry_run=self.dry_run, list_skipped=self.list_skipped)
        if not kept:
            say(
                "The address carries a secret, so `studiolo sync` does not remember it.",
                to_err=True,
            )
        return counts


def _report(counts: Collected, *, dry_run: bool, list_skipped: bool) -> None:
    changed = (
        f" ({counts.changed} of them say something new, which was kept)" if counts.changed else ""
    )
    say(
        f"read {counts.read:,} = new {counts.new:,} + known {counts.known:,}{changed} + skipped {counts.num_skipped:,}"
    )
    if counts.folders:
        say(f"in {counted(counts.folders, 'folder')}")
    shown = counts.skipped if list_skipped else counts.skipped[:5]
    for skipped in shown:
        say(f"  skipped {skipped}")
    if counts.num_skipped > len(shown):
        say(
            f"  … and {counts.num_skipped - len(shown):,} more{'' if list_skipped else ' (list them with --skipped)'}"
        )
    if dry_run:
        say("Nothing was written (--dry-run).")
    elif counts.new:
        say("Next: studiolo inbox")


_FILE_HELP = """\
Any file or folder: finds out which source reads it, and says so. `studiolo collect FILE` is the same.

\b
Examples:
  studiolo collect ~/Downloads/bookmarks.html
  studiolo collect library.ris ~/Vault stars.json --dry-run"""


@collect.command("file", help=_FILE_HELP)
def any_file(
    paths: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Exports, notes, or folders of them.")
    ],
    library: LibraryOption = None,
    dry_run: DryRun = False,
    skipped: Verbose = False,
) -> None:
    """Find out what each file is, and read it."""
    from studiolo.errors import UsageError

    found = []
    for word in paths:
        path = Path(word).expanduser()
        if not kind_at(path):
            raise UsageError(_no_file(word, paths))
        found.append((path, detect(path)))
    for path, detected in found:
        say(f"{path}: {detected.why}, read as `studiolo collect {detected.source}` does")
        if detected.others:
            say(
                f"  another reading: {', '.join(f'studiolo collect {name}' for name in detected.others)}"
            )
        Run(detected.source, library, dry_run, skipped).read(path)


def _no_file(word: str, words: list[str]) -> str:
    """Return what to do with a word that is neither a file nor a source."""
    rest = " ".join(words[1:]) or "FILE"
    if word == words[0] and (source := source_called(word)):
        return f"{word} is read by `studiolo collect {source.name} {rest}`; how to get the export: studiolo collect {source.name} --help"
    if word.startswith(("http://", "https://", "arxiv:", "doi:")) or word == "-":
        return f"{word} is not a file. For addresses and pipes: studiolo collect urls {word}"
    return f"There is neither a file nor a source called {word}. The sources are {', '.join(SOURCES)}; how to get an export: studiolo collect SOURCE --help"


def github_api() -> dict[str, str]:
    """Return where GitHub's API is, if that is not its own address."""
    api = os.environ.get("STUDIOLO_GITHUB_API")
    return {"api": api} if api else {}


@collect.command("bookmarks", help=help_of("bookmarks"))
def bookmarks(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="The export, or the browser's own file.")
    ],
    library: LibraryOption = None,
    dry_run: DryRun = False,
    skipped: Verbose = False,
) -> None:
    """Read a bookmark file of any kind."""
    Run("bookmarks", library, dry_run, skipped).read(path)


@collect.command("github-stars", help=help_of("github-stars"))
def github_stars(
    who: Annotated[
        str, typer.Argument(metavar="LOGIN|FILE", help="A GitHub login, or a JSON file of stars.")
    ],
    library: LibraryOption = None,
    lists: Annotated[
        bool, typer.Option("--lists", help="Also read star lists, as tags (needs GITHUB_TOKEN).")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Read to the end even if the newest stars are known.")
    ] = False,
    dry_run: DryRun = False,
    skipped: Verbose = False,
    offline: Offline = False,
) -> None:
    """Read stars from GitHub or from a file."""
    from studiolo.library import Inbox, Place

    run = Run("github-stars", library, dry_run, skipped)
    path = Path(who).expanduser()
    if kind_at(path) or who.endswith(".json"):
        run.read(path)
        return
    inbox = Inbox(run.library)
    with make_client(run.library, offline=offline) as client:
        reading = SOURCES[run.source].fetch(
            client,
            who,
            token=os.environ.get("GITHUB_TOKEN", ""),
            is_known=inbox.knows,
            everything=everything or not inbox.was_read_to_the_end(run.source, who),
            with_lists=lists,
            **github_api(),
        )
        run.take_in(
            reading, place=Place(run.source, "login", who, {"lists": True} if lists else {})
        )


@collect.command("reddit", help=help_of("reddit"))
def reddit(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The ZIP, a CSV of it, or a listing in JSON."),
    ] = None,
    library: LibraryOption = None,
    praw: Annotated[
        str,
        typer.Option(
            "--praw",
            metavar="SECTION",
            help="Ask Reddit, using the API key in this section of praw.ini.",
        ),
    ] = "",
    dry_run: DryRun = False,
    skipped: Verbose = False,
) -> None:
    """Read saved posts and comments."""
    from studiolo.errors import UsageError
    from studiolo.library import Place

    run = Run("reddit", library, dry_run, skipped)
    if path is not None and not praw:
        run.read(path)
    elif praw and path is None:
        place = Place(run.source, "section", praw)
        run.take_in(SOURCES[run.source].fetch(praw), place=place)
    else:
        raise UsageError(
            "Give a file, or --praw with a section of praw.ini. How to get the file: studiolo collect reddit --help"
        )


@collect.command("table", help=help_of("table"))
def table(
    where: Annotated[
        str,
        typer.Argument(
            metavar="FILE|DIR|URL", help="A Markdown file, a folder of them, or a gist."
        ),
    ],
    library: LibraryOption = None,
    dry_run: DryRun = False,
    skipped: Verbose = False,
    offline: Offline = False,
) -> None:
    """Read the rows of Markdown tables."""
    from studiolo.library import Place

    run = Run("table", library, dry_run, skipped)
    if where.startswith(("http://", "https://")):
        with make_client(run.library, offline=offline) as client:
            reading = SOURCES[run.source].fetch(client, where, **github_api())
            run.take_in(reading, place=Place(run.source, "page", where))
    else:
        run.read(Path(where).expanduser())


@collect.command("notes", help=help_of("notes"))
def notes(
    path: Annotated[
        Path, typer.Argument(metavar="FILE|DIR", help="A Markdown file, a vault or a graph.")
    ],
    library: LibraryOption = None,
    dry_run: DryRun = False,
    skipped: Verbose = False,
) -> None:
    """Read the lists and notes of Markdown files."""
    Run("notes", library, dry_run, skipped).read(path.expanduser())


@collect.command("zotero", help=help_of("zotero"))
def zotero(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="The export: RIS, JSON, CSV or BibTeX.")
    ],
    library: LibraryOption = None,
    dry_run: DryRun = False,
    skipped: Verbose = False,
) -> None:
    """Read the references of a reference manager."""
    Run("zotero", library, dry_run, skipped).read(path.expanduser())


@collect.command("pdfs", help=help_of("pdfs"))
def pdfs(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of PDF files, or one.")],
    library: LibraryOption = None,
    dry_run: DryRun = False,
    skipped: Verbose = False,
) -> None:
    """Read a folder of PDF files."""
    Run("pdfs", library, dry_run, skipped).read(path.expanduser())


@collect.command("arxiv-sanity", help=help_of("arxiv-sanity"))
def arxiv_sanity(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="dict.db of arxiv-sanity-lite, or as.db of the original site."
        ),
    ],
    user: Annotated[
        str, typer.Option("--user", help="Whose papers, if the file has several users.")
    ] = "",
    library: LibraryOption = None,
    dry_run: DryRun = False,
    skipped: Verbose = False,
) -> None:
    """Read a library of arxiv-sanity."""
    Run("arxiv-sanity", library, dry_run, skipped).read(path, user=user)


@collect.command("urls", help=help_of("urls"))
def urls(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|-|TEXT...",
            help="A file, - for a pipe, or addresses and ids.",
        ),
    ],
    library: LibraryOption = None,
    dry_run: DryRun = False,
    skipped: Verbose = False,
) -> None:
    """Read addresses, ids and BibTeX from anywhere."""
    import io

    run = Run("urls", library, dry_run, skipped)
    path = Path(what[0]).expanduser()
    if what == ["-"]:
        run.take_in(SOURCES[run.source].fetch(sys.stdin.buffer))
    elif len(what) == 1 and (
        kind_at(path) or path.suffix in {".txt", ".bib", ".md", ".html", ".csv"}
    ):
        run.read(path)
    else:
        typed = io.BytesIO("\n".join(what).encode("utf-8", "replace"))
        run.take_in(SOURCES[run.source].fetch(typed, "typed"))
