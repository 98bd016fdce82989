"""Commands that fill what suggestions come from: fetch-pool, follow, unfollow."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import INTERRUPTED, counted, say
from .options import LibraryOption, Offline, make_client


if TYPE_CHECKING:
    from studiolo.library import Library
    from studiolo.metadata import Counts, Pool

app = typer.Typer()
PANEL = "Find"
_SAY_EVERY_S = 5.0


@app.command("fetch-pool", rich_help_panel=PANEL)
def fetch_pool(
    what: Annotated[
        str,
        typer.Argument(metavar="[CATEGORY|FILE]", help="An arXiv category, or a file of papers."),
    ] = "",
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="DATE", help="Only papers from then on: 2024, 2024-05, 30d."
        ),
    ] = "",
    until: Annotated[
        str,
        typer.Option("--until", metavar="DATE", help="Only what arXiv changed up to this day."),
    ] = "",
    category: Annotated[
        list[str] | None,
        typer.Option(
            "--category", "-c", help="Of a file: only papers of this category; repeatable."
        ),
    ] = None,
    api: Annotated[
        bool,
        typer.Option("--api", help="Ask arXiv's API instead: quicker for a small category."),
    ] = False,
    library: LibraryOption = None,
    offline: Offline = False,
) -> None:
    """Fetch papers to suggest from: an arXiv category, or a file (arXiv's dump, JSON lines, CSL-JSON, BibTeX).

    The first call fetches everything, which takes hours for a large category; later calls fetch what is new. Ctrl-C or a
    lost network loses nothing: the same command goes on. Without an argument it lists the pools.

    \b
    Examples:
      studiolo fetch-pool cs.LG --since 2024
      studiolo fetch-pool stat.ME --api
      studiolo fetch-pool arxiv-metadata-oai-snapshot.json.zip -c cs.LG -c stat.ML --since 2020
      studiolo fetch-pool references.bib
    """
    from studiolo.errors import UsageError
    from studiolo.files import kind_at
    from studiolo.library import Library, pools_folder
    from studiolo.metadata import Pool, check_category, day_of

    home = Library.find(library)
    first = day_of(since) if since else ""
    last = day_of(until) if until else ""
    path = Path(what).expanduser()
    if not what:
        _list_pools(home)
        return
    if kind_at(path) == "file" or (
        path.suffix and ("/" in what or path.suffix.lower() in _OF_FILES)
    ):
        if api or last:
            raise UsageError(
                "--api and --until are about arXiv's servers; a file takes --since and --category."
            )
        _fill(home, path, category or [], first)
    elif category:
        raise UsageError(
            "--category is for files; fetch a category by its name: studiolo fetch-pool cs.LG"
        )
    else:
        pool = Pool(pools_folder(home), check_category(what))
        if offline:
            _say_offline(pool)
        else:
            _fetch(home, pool, first, last, api=api)


_OF_FILES = {".json", ".jsonl", ".ndjson", ".gz", ".xz", ".bz2", ".zip", ".bib", ".bibtex"}


def _fill(home: Library, path: Path, categories: list[str], since: str) -> None:
    from studiolo.library import pools_folder
    from studiolo.metadata import Pool, fill_from, load_papers

    home.prepare()
    pool = Pool(pools_folder(home), path.name)
    papers = load_papers(path)
    with _kept_on_ctrl_c(pool):
        counts = fill_from(
            pool, papers, categories=categories, since=since, on_page=_Progress().show
        )
    _report(pool, counts)


def _fetch(home: Library, pool: Pool, since: str, until: str, *, api: bool) -> None:
    from studiolo.metadata import fetch_category

    home.prepare()
    with make_client(home) as client, _kept_on_ctrl_c(pool):
        counts = fetch_category(
            pool, pool.name, client, since=since, until=until, by_api=api,
            on_page=_Progress().show, on_note=lambda text: say(text, to_err=True),
        )  # fmt: skip
    _report(pool, counts)
    if not counts.read and not pool.path.exists():
        say(
            "arXiv lists nothing there. See https://arxiv.org/category_taxonomy for the categories."
        )


@contextmanager
def _kept_on_ctrl_c(pool: Pool) -> Iterator[None]:
    """Say what is kept where the reader stops a fetch."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"Stopped. {_line(pool)}", to_err=True)
        raise typer.Exit(INTERRUPTED) from None


class _Progress:
    """Says on standard error how far a fetch is: each page on a terminal, every five seconds in a log."""

    def __init__(self) -> None:
        self._said = 0.0

    def show(self, counts: Counts) -> None:
        """Say it, unless it was said just now."""
        now = time.monotonic()
        if not counts.read or now - self._said < (0.2 if sys.stderr.isatty() else _SAY_EVERY_S):
            return
        self._said = now
        of = f" of {counts.total:,}" if counts.total else ""
        say(f"read {counts.read:,}{of}, new {counts.new:,}", to_err=True)


def _report(pool: Pool, counts: Counts) -> None:
    say(
        f"read {counts.read:,} = new {counts.new:,} + changed {counts.changed:,} + known {counts.known:,} + gone {counts.gone:,}"
        f" + left out {counts.left_out:,} + skipped {counts.skipped:,}"
    )
    for why in counts.why:
        say(f"  skipped {why}")
    if counts.skipped > len(counts.why):
        say(f"  … and {counts.skipped - len(counts.why):,} more")
    say(_line(pool))


def _line(pool: Pool) -> str:
    state = pool.load_state()
    papers = counted(state.get("count", 0), "paper")
    since = f" since {state['since']}" if state.get("since") else ""
    if state.get("going"):
        how_far = "not complete: the same command goes on"
    else:
        how_far = f"fetched up to {state['done']}" if state.get("done") else "state unknown"
    return f"{pool.name}: {papers}{since}, {how_far}"


def _list_pools(home: Library) -> None:
    from studiolo.library import pools_of

    pools = pools_of(home)
    for pool in pools:
        say(_line(pool))
    if not pools:
        say("There is no pool yet. Start one with: studiolo fetch-pool cs.LG --since 2024")


def _say_offline(pool: Pool) -> None:
    from studiolo.errors import NetworkError

    if not pool.path.exists():
        raise NetworkError(
            f"Offline, and nothing of {pool.name} has been fetched yet. Run the command again when you are online."
        )
    say(_line(pool))


@app.command("follow", rich_help_panel=PANEL)
def follow_command(
    what: Annotated[
        str,
        typer.Argument(metavar="[github:OWNER/NAME|DIR]", help="A repository, or a folder."),
    ] = "",
    update: Annotated[
        bool, typer.Option("--update", help="Fetch what is new in all repositories you follow.")
    ] = False,
    library: LibraryOption = None,
    offline: Offline = False,
) -> None:
    """Follow somebody's Markdown lists: suggestions then come from them too, and say "on 3 lists you follow".

    A repository's Markdown files are fetched once; --update, or following it again, fetches what has changed. A folder,
    such as a clone, is read where it lies. Without an argument the lists that you follow are shown.

    \b
    Examples:
      studiolo follow github:terryum/awesome-deep-learning-papers
      studiolo follow ~/clones/papers-we-love
      studiolo follow --update
    """
    from studiolo.errors import NetworkError
    from studiolo.library import (
        Library,
        fetch_followed,
        find_target,
        follow,
        load_followed,
        load_rows,
    )

    home = Library.find(library)
    chosen = [find_target(home, what)] if what else load_followed(home) if update else []
    with make_client(home, offline=offline) as client:
        failed: list[NetworkError] = []
        for one in chosen:
            if one.kept and not (offline and one.kept.exists()):
                try:
                    fetch_followed(
                        one,
                        client,
                        token=os.environ.get("GITHUB_TOKEN", ""),
                        on_file=_per_file(one.name),
                    )
                except NetworkError as problem:
                    say(f"{one.name}: {problem}", to_err=True)
                    failed.append(problem)
                    continue
            if what:
                follow(home, one)
    if failed and what:
        raise failed[0]
    every = load_followed(home)
    for one in chosen if what else every:
        rows = load_rows(home, one)
        day = f", fetched {one.fetched_at()}" if one.fetched_at() else ""
        gone = "" if one.stamp() else "; nothing is there any more"
        say(f"{one.target}: {counted(len(rows), 'paper')}{day}{gone}")
    if not every:
        say("You follow no list yet. Follow one with: studiolo follow github:OWNER/NAME")
    if failed:
        raise typer.Exit(1)


def _per_file(name: str) -> Callable[[int, int], None]:
    progress = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal progress
        if time.monotonic() - progress > _SAY_EVERY_S:
            progress = time.monotonic()
            say(f"{name}: {done:,} of {total:,} files", to_err=True)

    return show


@app.command("unfollow", rich_help_panel=PANEL)
def unfollow_command(
    what: Annotated[
        str, typer.Argument(metavar="github:OWNER/NAME|DIR", help="As `studiolo follow` shows it.")
    ],
    library: LibraryOption = None,
) -> None:
    """Follow a list no longer, and delete what was fetched of it. A folder of yours is not touched.

    \b
    Example:
      studiolo unfollow github:terryum/awesome-deep-learning-papers
    """
    from studiolo.library import Library, unfollow

    one = unfollow(Library.find(library), what)
    say(f"No longer following {one.target}.")
