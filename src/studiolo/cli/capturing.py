"""Commands that capture from a phone and from feeds: collect github-issues, collect feed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studiolo.files import kind_at
from studiolo.sources import SOURCES

from .collecting import DryRun, Run, Verbose, collect, github_api, help_of
from .console import counted, say
from .options import LibraryOption, Offline, make_client


if TYPE_CHECKING:
    from studiolo.library import Library
    from studiolo.net import Client
    from studiolo.sources import Issue, Reading, Repository


@collect.command("github-issues", help=help_of("github-issues"))
def github_issues(
    where: Annotated[
        str,
        typer.Argument(
            metavar="OWNER/REPO|URL|FILE", help="A repository, or a JSON file of issues."
        ),
    ],
    library: LibraryOption = None,
    label: Annotated[
        str, typer.Option("--label", metavar="LABEL", help="Only issues that have this label.")
    ] = "",
    kind: Annotated[
        str,
        typer.Option("--kind", help="github, gitlab or gitea, where the address does not tell."),
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Closed issues, too.")] = False,
    close: Annotated[
        bool,
        typer.Option(
            "--close", help="Say in a comment where each issue went, and close it (needs a token)."
        ),
    ] = False,
    dry_run: DryRun = False,
    skipped: Verbose = False,
    offline: Offline = False,
) -> None:
    """Read issues from a site or from a file."""
    from studiolo.errors import UsageError
    from studiolo.library import Place

    run = Run("github-issues", library, dry_run, skipped)
    path = Path(where).expanduser()
    if kind_at(path) == "file" or where.endswith(".json"):
        if close:
            raise UsageError("A file has no issues to close. Give OWNER/REPO with --close.")
        run.read(path, **({"label": label} if label else {}))
        return
    options: dict[str, str | bool] = {
        name: value
        for name, value in (("label", label), ("kind", kind), ("all", everything))
        if value
    }
    with make_client(run.library, offline=offline) as client:
        read = IssuesRead(client, where, options, needs_token=close)
        run.take_in(read.reading, place=Place(run.source, "repository", where, options))
        if close:
            read.close(run.library, dry_run=dry_run)


class IssuesRead:
    """A reading of the issues of a repository, and what of them can be closed afterwards.

    Args:
        options: label, kind and all, as `studiolo sync` remembers them.
        needs_token: refuse to begin without one.
    """

    def __init__(
        self,
        client: Client,
        where: str,
        options: Mapping[str, str | bool],
        *,
        needs_token: bool = False,
    ) -> None:
        from studiolo.errors import UsageError
        from studiolo.sources import TOKENS, repository_at

        self._client = client
        self._issues: list[Issue] = []
        self._repository = repository_at(where, kind=str(options.get("kind", "")), **github_api())
        self._token = _token_for(self._repository)
        if needs_token and not self._token:
            raise UsageError(
                f"--close needs a token that may write issues: put it into {TOKENS[self._repository.kind]}."
            )
        self.reading: Reading = SOURCES["github-issues"].fetch(
            client,
            self._repository,
            label=str(options.get("label", "")),
            everything=bool(options.get("all")),
            token=self._token,
            on_issue=self._issues.append,
        )

    def close(self, library: Library, *, dry_run: bool) -> None:
        """Name in a comment where each issue went, and close it."""
        from studiolo.keys import find_mention
        from studiolo.sources import close_issue

        if dry_run:
            say(f"Would close {counted(len(self._issues), 'issue')}.")
            return
        for issue in self._issues:
            mention = find_mention(issue.item.url)
            name = (
                mention.key
                if mention and issue.item.url != issue.item.extra.get("issue")
                else "a note"
            )
            where = f"as {name} into the inbox of {library.folder.resolve().name}."
            close_issue(self._client, self._repository, issue, where, token=self._token)
        say(
            f"{counted(len(self._issues), 'issue')} closed, each with a comment that names where it went."
        )


def _token_for(repository: Repository) -> str:
    """Return the token for a site; it goes to the site's own host, or to the one that the reader's environment names.

    An address in a stranger's library must not get it.
    """
    if repository.kind == "github":
        own = os.environ.get("STUDIOLO_GITHUB_API", "https://api.github.com")
        return os.environ.get("GITHUB_TOKEN", "") if repository.api == own else ""
    usual = {"gitlab": "https://gitlab.com", "gitea": "https://codeberg.org"}[repository.kind]
    own = os.environ.get(f"STUDIOLO_{repository.kind.upper()}", usual).rstrip("/")
    name = f"{repository.kind.upper()}_TOKEN"
    return os.environ.get(name, "") if repository.api.startswith(f"{own}/") else ""


@collect.command("feed", help=help_of("feed"))
def feed(
    where: Annotated[
        str, typer.Argument(metavar="URL|FILE", help="The address of a feed, or a file.")
    ],
    library: LibraryOption = None,
    dry_run: DryRun = False,
    skipped: Verbose = False,
    offline: Offline = False,
) -> None:
    """Read the entries of a feed."""
    from studiolo.library import Place

    run = Run("feed", library, dry_run, skipped)
    if where.startswith(("http://", "https://")):
        with make_client(run.library, offline=offline) as client:
            reading = SOURCES[run.source].fetch(client, where)
            run.take_in(reading, place=Place(run.source, "page", where))
    else:
        run.read(Path(where).expanduser())
