"""The places where people save things, one row each, for commands, pages and documentation.

No parser is imported for it: a `Source` names its functions and imports them when one is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from .saved import Reading


@dataclass(frozen=True, slots=True)
class Source:
    """A place where people save things.

    Attributes:
        name: of the command that collects from it, and of the source in the inbox.
        what: one line on what is read.
        how: how to get the export, in lines short enough for a terminal.
        examples: command lines.
        loader: `module:function` below `studiolo.sources` that reads a file: `(path, …, on_bytes=…) -> Reading`.
        fetcher: the same for what is not a file (a login, an address, a pipe); empty where there is no such thing.
    """

    name: str
    what: str
    how: str
    examples: tuple[str, ...]
    loader: str
    fetcher: str = ""

    @property
    def load(self) -> Callable[..., Reading]:
        """The function that reads a file."""
        return _function(self.loader)

    @property
    def fetch(self) -> Callable[..., Reading]:
        """The function that reads what is not a file."""
        return _function(self.fetcher)


def _function(place: str) -> Callable[..., Reading]:
    module, _, name = place.partition(":")
    function: Callable[..., Reading] = getattr(import_module(f".{module}", __package__), name)
    return function


SOURCES: Mapping[str, Source] = {
    source.name: source
    for source in (
        Source(
            name="bookmarks",
            what="Bookmarks from any browser or bookmarking service; folders, dates, tags and notes are kept.",
            how="""\
Chrome, Edge: Bookmark manager > three dots > Export bookmarks.
  Or the file itself: ~/.config/google-chrome/Default/Bookmarks (Linux),
  ~/Library/Application Support/Google/Chrome/Default/Bookmarks (macOS).
Firefox: Manage bookmarks > Import and Backup > Export to HTML, or Backup.
  Or, also while Firefox runs, from the profile folder (about:support):
  places.sqlite, or the newest bookmarkbackups/*.jsonlz4.
Safari: File > Export > Bookmarks. Or ~/Library/Safari/Bookmarks.plist,
  which also has the dates of the Reading List.
Pinboard: Settings > Backup, HTML or JSON.  linkding: Settings > Export.
Shaarli: Tools > Export.  Raindrop, Pocket, Instapaper: HTML or CSV.""",
            examples=(
                "studiolo collect bookmarks ~/Downloads/bookmarks.html",
                "studiolo collect bookmarks ~/.mozilla/firefox/*.default-release/places.sqlite",
            ),
            loader="bookmarks:load_bookmarks",
        ),
        Source(
            name="github-stars",
            what="GitHub stars with their dates, and the papers behind the repositories.",
            how="""\
Your login is enough: stars are public, and 6,000 of them need no key.
With a token in GITHUB_TOKEN (no scope needed): more, and star lists (--lists).
From a file: the github_stars.json of dmarx/stars, or what this writes:
  gh api --paginate user/starred \\
    -H 'Accept: application/vnd.github.star+json' > stars.json""",
            examples=(
                "studiolo collect github-stars dmarx",
                "studiolo collect github-stars stars.json",
            ),
            loader="github:load_stars",
            fetcher="github:fetch_stars",
        ),
        Source(
            name="reddit",
            what="Saved posts and comments on Reddit.",
            how="""\
https://www.reddit.com/settings/data-request, "full time at Reddit": after
  some days a link to a ZIP arrives. Give the ZIP, or its saved_posts.csv.
  It has no titles and dates; what the link itself says is kept.
A listing saved as JSON has both: https://www.reddit.com/user/YOU/saved.json
  while logged in, page by page.
With an old API key (Reddit issues no new ones): pip install praw, fill
  praw.ini, and name its section with --praw.""",
            examples=("studiolo collect reddit ~/Downloads/export_you_20260101.zip",),
            loader="reddit:load_reddit",
            fetcher="reddit:fetch_with_praw",
        ),
        Source(
            name="table",
            what="Rows of Markdown tables in a file, a folder or a gist.",
            how="""\
A file, a folder (a clone: every .md below it), a gist's address, a file on
GitHub, or the address of raw Markdown. A row needs a web address. Columns
called title/paper/name, date/added, tags/topic, notes/comment/summary are
understood; the others are kept under their own names.""",
            examples=(
                "studiolo collect table https://gist.github.com/you/0123456789abcdef0123456789abcdef",
                "studiolo collect table ~/gists/papers.md",
            ),
            loader="table:load_tables",
            fetcher="table:fetch_tables",
        ),
        Source(
            name="arxiv-sanity",
            what="Your library on an arxiv-sanity site; its pickles are read without running anything in them.",
            how="""\
arxiv-sanity-lite keeps your tags in data/dict.db beside its code.
The first arxiv-sanity (arxiv-sanity-preserver) kept libraries in as.db.""",
            examples=("studiolo collect arxiv-sanity ~/arxiv-sanity-lite/data/dict.db",),
            loader="arxiv_sanity:load_arxiv_sanity",
        ),
        Source(
            name="urls",
            what="Addresses, arXiv ids and BibTeX in any text.",
            how="""\
A file (one address a line, OneTab's export, an e-mail, anything), a pipe, or
typed in place. BibTeX: eprint, doi or url of every entry; keywords become
tags, the note stays the note. Clipboard: pbpaste | studiolo collect urls -
(xclip -o, wl-paste, Get-Clipboard elsewhere).""",
            examples=(
                "studiolo collect urls 2105.03824 'https://openreview.net/forum?id=lyoOWX0e0O'",
                "pbpaste | studiolo collect urls -",
                "studiolo collect urls references.bib",
            ),
            loader="urls:load_urls",
            fetcher="urls:parse_stream",
        ),
    )
}
