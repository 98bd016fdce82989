"""Commands that gather what was saved elsewhere: collect, and one command below it for each source."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studiolo.sources.how_to import HOW_TO_EXPORT

from .console import clean, counted, err, out
from .options import PANEL, LibraryOption, Offline, make_client


if TYPE_CHECKING:
    from studiolo.library import Collected, Library
    from studiolo.sources import Reading

app = typer.Typer()
collect = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Gather what you saved elsewhere into the inbox: nothing is lost, and reading the same export twice adds nothing.",
)
app.add_typer(collect, name="collect", rich_help_panel=PANEL)

DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Count only; write nothing.")]
Verbose = Annotated[
    bool, typer.Option("--skipped", help="List everything that was skipped, and why.")
]
OnBytes = Callable[[int], object]


_WHAT = {
    "bookmarks": (
        "Bookmarks of every browser and bookmarking service; folders, dates, tags and notes are kept.",
        "studiolo collect bookmarks ~/Downloads/bookmarks.html",
        "studiolo collect bookmarks ~/.mozilla/firefox/*.default-release/places.sqlite",
    ),
    "github-stars": (
        "GitHub stars with their dates, and the papers behind the repositories.",
        "studiolo collect github-stars dmarx",
        "studiolo collect github-stars stars.json",
    ),
    "reddit": (
        "Saved posts and comments of Reddit.",
        "studiolo collect reddit ~/Downloads/export_you_20260101.zip",
    ),
    "table": (
        "The rows of Markdown tables, in a file, a folder or a gist.",
        "studiolo collect table https://gist.github.com/you/0123456789abcdef0123456789abcdef",
        "studiolo collect table ~/gists/papers.md",
    ),
    "arxiv-sanity": (
        "Your library of an arxiv-sanity site; its pickles are read without running anything in them.",
        "studiolo collect arxiv-sanity ~/arxiv-sanity-lite/data/dict.db",
    ),
    "urls": (
        "Addresses, arXiv ids and BibTeX, pasted in any mess.",
        "studiolo collect urls 2105.03824 https://openreview.net/forum?id=lyoOWX0e0O",
        "pbpaste | studiolo collect urls -",
        "studiolo collect urls references.bib",
    ),
}


def _source_help(name: str) -> str:
    """Return what a source is, how to get its export, and examples; after a backspace typer keeps line breaks."""
    what, *examples = _WHAT[name]
    shown = "\n".join(f"  {example}" for example in examples)
    return f"{what}\n\n\b\nHow to get the export:\n{HOW_TO_EXPORT[name]}\n\n\b\nExamples:\n{shown}"


@contextmanager
def _progress(path: Path | None, label: str) -> Iterator[OnBytes]:
    """Show how much of a file was read, where somebody watches and the file is large enough to wait for."""
    size = path.stat().st_size if path is not None and path.is_file() else 0
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


def _take_in(
    source: str,
    folder: Path | None,
    reading: Callable[[OnBytes], Reading],
    *,
    path: Path | None = None,
    of: str = "",
    dry_run: bool = False,
    list_skipped: bool = False,
    library: Library | None = None,
) -> Collected:
    from studiolo.library import Inbox, Library

    library = library or Library.find(folder)
    with _progress(path, source) as on_bytes:
        counts = Inbox(library).collect(reading(on_bytes), source=source, of=of, dry_run=dry_run)
    _report(counts, dry_run=dry_run, list_skipped=list_skipped)
    return counts


def _report(counts: Collected, *, dry_run: bool, list_skipped: bool) -> None:
    console = out()
    changed = (
        f" ({counts.changed} of them say something new, which was kept)" if counts.changed else ""
    )
    console.print(
        f"read {counts.read:,} = new {counts.new:,} + known {counts.known:,}{changed} + skipped {counts.num_skipped:,}",
        markup=False,
    )
    if counts.folders:
        console.print(f"in {counted(counts.folders, 'folder')}", markup=False)
    shown = counts.skipped if list_skipped else counts.skipped[:5]
    for skipped in shown:
        console.print(f"  skipped {clean(str(skipped))}", markup=False)
    if counts.num_skipped > len(shown):
        console.print(
            f"  … and {counts.num_skipped - len(shown):,} more{'' if list_skipped else ' (--skipped lists them)'}",
            markup=False,
        )
    if dry_run:
        console.print("Nothing was written (--dry-run).")
    elif counts.new:
        console.print("Next: studiolo inbox")


@collect.command("bookmarks", help=_source_help("bookmarks"))
def bookmarks(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="The export, or the browser's own file.")
    ],
    library: LibraryOption = None,
    dry_run: DryRun = False,
    skipped: Verbose = False,
) -> None:
    """Read a bookmark file of any kind."""
    from studiolo.sources.bookmarks import load_bookmarks

    _take_in(
        "bookmarks",
        library,
        lambda on_bytes: load_bookmarks(path, on_bytes),
        path=path,
        dry_run=dry_run,
        list_skipped=skipped,
    )


@collect.command("github-stars", help=_source_help("github-stars"))
def github_stars(
    who: Annotated[
        str, typer.Argument(metavar="LOGIN|FILE", help="A GitHub login, or a JSON file of stars.")
    ],
    library: LibraryOption = None,
    lists: Annotated[
        bool, typer.Option("--lists", help="Star lists too, as tags (needs GITHUB_TOKEN).")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Read to the end even if the newest are known.")
    ] = False,
    dry_run: DryRun = False,
    skipped: Verbose = False,
    offline: Offline = False,
) -> None:
    """Read stars from GitHub or from a file."""
    from studiolo.library import Inbox, Library
    from studiolo.sources.github import API, fetch_stars, load_stars

    found = Library.find(library)
    path = Path(who).expanduser()
    if path.exists() or who.endswith(".json"):
        _take_in(
            "github-stars",
            None,
            lambda on_bytes: load_stars(path, on_bytes),
            path=path,
            dry_run=dry_run,
            list_skipped=skipped,
            library=found,
        )
        return
    inbox = Inbox(found)
    with make_client(found, offline=offline) as client:
        reading = fetch_stars(
            client,
            who,
            token=os.environ.get("GITHUB_TOKEN", ""),
            is_known=inbox.knows,
            everything=everything or not inbox.was_read_to_the_end("github-stars", who),
            with_lists=lists,
            api=os.environ.get("STUDIOLO_GITHUB_API", API),
        )
        _take_in(
            "github-stars",
            None,
            lambda _: reading,
            of=who,
            dry_run=dry_run,
            list_skipped=skipped,
            library=found,
        )


@collect.command("reddit", help=_source_help("reddit"))
def reddit(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The ZIP, a CSV of it, or a listing in JSON."),
    ] = None,
    library: LibraryOption = None,
    praw: Annotated[
        str,
        typer.Option(
            "--praw", metavar="SECTION", help="Ask Reddit with the key in this section of praw.ini."
        ),
    ] = "",
    dry_run: DryRun = False,
    skipped: Verbose = False,
) -> None:
    """Read saved posts and comments."""
    from studiolo.errors import UsageError
    from studiolo.sources.reddit import fetch_with_praw, load_reddit

    if (path is None) == (not praw):
        raise UsageError(
            "Give a file, or --praw with a section of praw.ini. How to get the file: studiolo collect reddit --help"
        )

    def reading(on_bytes: OnBytes) -> Reading:
        return fetch_with_praw(praw) if path is None else load_reddit(path, on_bytes)

    _take_in("reddit", library, reading, path=path, dry_run=dry_run, list_skipped=skipped)


@collect.command("table", help=_source_help("table"))
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
    from studiolo.library import Library
    from studiolo.sources.github import API
    from studiolo.sources.table import fetch_tables, load_tables

    found = Library.find(library)
    if where.startswith(("http://", "https://")):
        with make_client(found, offline=offline) as client:
            reading = fetch_tables(client, where, os.environ.get("STUDIOLO_GITHUB_API", API))
            _take_in(
                "table",
                None,
                lambda _: reading,
                dry_run=dry_run,
                list_skipped=skipped,
                library=found,
            )
        return
    path = Path(where).expanduser()
    _take_in(
        "table",
        None,
        lambda on_bytes: load_tables(path, on_bytes),
        path=path,
        dry_run=dry_run,
        list_skipped=skipped,
        library=found,
    )


@collect.command("arxiv-sanity", help=_source_help("arxiv-sanity"))
def arxiv_sanity(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="dict.db of arxiv-sanity-lite, or as.db of the first site."
        ),
    ],
    user: Annotated[
        str, typer.Option("--user", help="Whose papers, where the file holds several people.")
    ] = "",
    library: LibraryOption = None,
    dry_run: DryRun = False,
    skipped: Verbose = False,
) -> None:
    """Read a library of arxiv-sanity."""
    from studiolo.sources.arxiv_sanity import load_arxiv_sanity

    _take_in(
        "arxiv-sanity",
        library,
        lambda on_bytes: load_arxiv_sanity(path, user, on_bytes),
        path=path,
        dry_run=dry_run,
        list_skipped=skipped,
    )


@collect.command("urls", help=_source_help("urls"))
def urls(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|-|TEXT...",
            help="A file, - for a pipe, or addresses and ids typed in place.",
        ),
    ],
    library: LibraryOption = None,
    dry_run: DryRun = False,
    skipped: Verbose = False,
) -> None:
    """Read addresses, ids and BibTeX from anywhere."""
    import io

    from studiolo.sources.urls import load_urls, parse_stream

    path = Path(what[0]).expanduser() if len(what) == 1 else None
    if what == ["-"]:
        _take_in(
            "urls",
            library,
            lambda _: parse_stream(sys.stdin.buffer),
            dry_run=dry_run,
            list_skipped=skipped,
        )
    elif path is not None and (
        path.exists() or path.suffix in {".txt", ".bib", ".md", ".html", ".csv"}
    ):
        _take_in(
            "urls",
            library,
            lambda on_bytes: load_urls(path, on_bytes),
            path=path,
            dry_run=dry_run,
            list_skipped=skipped,
        )
    else:
        typed = io.BytesIO("\n".join(what).encode("utf-8", "replace"))
        _take_in(
            "urls",
            library,
            lambda _: parse_stream(typed, "typed"),
            dry_run=dry_run,
            list_skipped=skipped,
        )
