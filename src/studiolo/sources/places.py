"""The places where people save things, one row each, for commands, pages and documentation.

No parser is imported for it: a `Source` names its functions and imports them when one is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
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
        services: what people may call it instead, in small letters.
    """

    name: str
    what: str
    how: str
    examples: tuple[str, ...]
    loader: str
    fetcher: str = ""
    services: tuple[str, ...] = ()

    @property
    def load(self) -> Callable[..., Reading]:
        """The function that reads a file."""
        return _function(self.loader)

    @property
    def fetch(self) -> Callable[..., Reading]:
        """The function that reads what is not a file."""
        return _function(self.fetcher)


@dataclass(frozen=True, slots=True)
class Detected:
    """Which source reads a file.

    Attributes:
        source: its name.
        why: what the file is, as a noun.
        others: sources that could read it too.
    """

    source: str
    why: str
    others: tuple[str, ...] = ()


def detect(path: Path) -> Detected:
    """Return which source reads a file or folder, by what is inside it.

    Raises:
        SourceError: there is no such file, or nothing in it can be collected.
    """
    detected: Detected = import_module(".kinds", __package__).kind_of(path)
    return detected


def source_called(name: str) -> Source | None:
    """Return the source that reads the exports of a service: `pocket` is read as bookmarks."""
    name = name.casefold().replace("_", "-")
    return next(
        (source for source in SOURCES.values() if name == source.name or name in source.services),
        None,
    )


def _function(place: str) -> Callable[..., Reading]:
    module, _, name = place.partition(":")
    function: Callable[..., Reading] = getattr(import_module(f".{module}", __package__), name)
    return function


SOURCES: Mapping[str, Source] = {
    source.name: source
    for source in (
        Source(
            name="bookmarks",
            what="Bookmarks from any browser, bookmarking or read-later service; folders, dates, tags, notes and what was read are kept.",
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
Shaarli: Tools > Export.  Raindrop, Instapaper: HTML or CSV.
wallabag: All > Export > JSON.  karakeep: Settings > Import / Export.
linkwarden: Settings > Account > Export data.  Readwise Reader: Account >
  Export > CSV.  Pocket, Omnivore (both closed): the HTML, CSV or ZIP you have.""",
            examples=(
                "studiolo collect bookmarks ~/Downloads/bookmarks.html",
                "studiolo collect bookmarks ~/.mozilla/firefox/*.default-release/places.sqlite",
            ),
            loader="bookmarks:load_bookmarks",
            services=(
                *(
                    "chrome",
                    "edge",
                    "brave",
                    "vivaldi",
                    "firefox",
                    "safari",
                    "pinboard",
                    "linkding",
                    "shaarli",
                    "delicious",
                ),
                *(
                    "raindrop",
                    "pocket",
                    "instapaper",
                    "wallabag",
                    "karakeep",
                    "hoarder",
                    "linkwarden",
                    "omnivore",
                    "readwise",
                ),
            ),
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
            services=("github", "stars"),
        ),
        Source(
            name="reddit",
            what="Saved posts and comments on Reddit.",
            how="""\
https://www.reddit.com/settings/data-request, "full time at Reddit": after
  some days a link to a ZIP arrives. Give the ZIP, or its saved_posts.csv.
  It has no titles and dates; what the link itself says is kept.
A listing saved as JSON has both: while logged in, page by page,
  https://www.reddit.com/user/YOU/saved.json?limit=100&raw_json=1
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
GitHub, or the address of raw Markdown. A row needs an address, an arXiv id
or a DOI. Columns called title/paper/name, date/added, tags/topic,
notes/comment/summary are understood; the others are kept under their names.""",
            examples=(
                "studiolo collect table https://gist.github.com/you/0123456789abcdef0123456789abcdef",
                "studiolo collect table ~/gists/papers.md",
            ),
            loader="table:load_tables",
            fetcher="table:fetch_tables",
        ),
        Source(
            name="notes",
            what="An Obsidian vault, a Logseq graph, or any Markdown list: each item with its sections, title, tags, state and notes.",
            how="""\
The folder of the vault or graph, or one Markdown file. Tasks ([x], TODO,
DONE) give the state, their dates (done, due, scheduled, created) are kept,
folders and headings are folders, nested lines are notes. A note whose front
matter or properties have url, doi or arxiv is an item itself, and a task
that only links to it ([[Note]]) says its state. Templates are left out.""",
            examples=(
                "studiolo collect notes ~/Documents/Vault",
                "studiolo collect notes ~/lists/to-read.md",
            ),
            loader="notes:load_notes",
            services=("obsidian", "logseq", "markdown", "list", "vault"),
        ),
        Source(
            name="zotero",
            what="References of Zotero, Mendeley, EndNote, JabRef or Paperpile: RIS, CSL-JSON, CSV, BibTeX, Better BibTeX.",
            how="""\
Zotero: File > Export Library, in any of RIS, CSL JSON, CSV, BibTeX, or
  Better BibTeX (as JSON it has collections and notes too).
Mendeley, EndNote, Paperpile, JabRef: export as RIS or BibTeX.
Authors, year, venue, type, cite key, tags, notes and dates are kept. An
entry needs a DOI, an arXiv id, an address or an ISBN.""",
            examples=(
                "studiolo collect zotero ~/Downloads/My\\ Library.ris",
                "studiolo collect zotero library.json",
            ),
            loader="zotero:load_zotero",
            services=(
                "mendeley",
                "endnote",
                "jabref",
                "paperpile",
                "bibtex",
                "ris",
                "csl",
                "references",
            ),
        ),
        Source(
            name="pdfs",
            what="A folder of PDF files, named by arXiv id or DOI, or read for the id on their first page.",
            how="""\
The folder. 1706.03762v2.pdf, hep-th_9711200.pdf, 10.1038_nature14539.pdf
and N19-1423.pdf say what they are. For others the first page is read, if
pypdf is there: pip install 'studiolo[pdf]'. Nothing is copied or moved.""",
            examples=("studiolo collect pdfs ~/Papers",),
            loader="pdfs:load_pdfs",
            services=("pdf", "papers"),
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
            what="Addresses, arXiv ids, DOIs and BibTeX in any text.",
            how="""\
A file (one address a line, OneTab's export, an e-mail, anything), a pipe, or
typed in place, with https or without. The words of a line stay beside its
addresses. BibTeX is read as by zotero. Clipboard:
pbpaste | studiolo collect urls - (elsewhere xclip -o, wl-paste, Get-Clipboard)""",
            examples=(
                "studiolo collect urls 2105.03824 'https://openreview.net/forum?id=lyoOWX0e0O'",
                "pbpaste | studiolo collect urls -",
                "studiolo collect urls references.bib",
            ),
            loader="urls:load_urls",
            fetcher="urls:parse_stream",
        ),
        Source(
            name="github-issues",
            what="Issues of GitHub, GitLab or Gitea (Codeberg, Forgejo): a phone and a form are enough to save a paper.",
            how="""\
OWNER/REPO on GitHub, or the address of a project. `studiolo init --github`
writes a form "To read" for issues. A private project, and --close, need a
token: GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN (scope: read and write
issues). The last two go to gitlab.com and codeberg.org, or to the host in
STUDIOLO_GITLAB or STUDIOLO_GITEA. From a file:
  gh issue list --label to-read --json \\
    number,title,body,url,labels,comments,createdAt,author > issues.json""",
            examples=(
                "studiolo collect github-issues you/reading --label to-read",
                "studiolo collect github-issues https://codeberg.org/you/reading --close",
                "studiolo collect github-issues issues.json",
            ),
            loader="issues:load_issues",
            fetcher="issues:fetch_issues",
            services=("issues", "gitlab", "gitea", "codeberg", "forgejo"),
        ),
        Source(
            name="feed",
            what="A feed: RSS, Atom or JSON Feed, listings of arXiv among them.",
            how="""\
The address of the feed, or a file. arXiv has one for every category:
https://rss.arxiv.org/rss/cs.LG; new versions of older papers are skipped.
`studiolo sync` reads it again, and takes in only what is new.""",
            examples=(
                "studiolo collect feed https://rss.arxiv.org/atom/cs.LG",
                "studiolo collect feed saved.xml",
            ),
            loader="feeds:load_feed",
            fetcher="feeds:fetch_feed",
            services=("rss", "atom", "feeds", "json-feed", "arxiv"),
        ),
    )
}
