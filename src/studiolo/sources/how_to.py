"""How to get each export, in words for `--help` and the documentation. No parser is imported for it."""

from __future__ import annotations

from collections.abc import Mapping


HOW_TO_EXPORT: Mapping[str, str] = {
    "bookmarks": """\
Chrome, Edge: Bookmark manager > three dots > Export bookmarks.
  Or the file itself: ~/.config/google-chrome/Default/Bookmarks (Linux),
  ~/Library/Application Support/Google/Chrome/Default/Bookmarks (macOS).
Firefox: Manage bookmarks > Import and Backup > Export to HTML, or Backup.
  Or, also while Firefox runs, from the profile folder (about:support):
  places.sqlite, or the newest bookmarkbackups/*.jsonlz4.
Safari: File > Export > Bookmarks. Or ~/Library/Safari/Bookmarks.plist,
  which also holds the dates of the Reading List.
Pinboard: Settings > Backup, HTML or JSON.  linkding: Settings > Export.
Shaarli: Tools > Export.  Raindrop, Pocket, Instapaper: HTML or CSV.""",
    "github-stars": """\
Your login is enough: stars are public, and 6,000 of them need no key.
With a token in GITHUB_TOKEN (any, no scope) more, and star lists: --lists.
From a file: the github_stars.json of dmarx/stars, or what this writes:
  gh api --paginate user/starred \\
    -H 'Accept: application/vnd.github.star+json' > stars.json""",
    "reddit": """\
https://www.reddit.com/settings/data-request, "full time at Reddit": after
  some days a link to a ZIP arrives. Give the ZIP, or its saved_posts.csv.
  It holds no titles and dates; what the link itself tells is kept.
A listing saved as JSON holds both: https://www.reddit.com/user/YOU/saved.json
  while logged in, page by page.
With an API key of old (Reddit gives out no new ones): pip install praw, fill
  praw.ini, and name its section with --praw.""",
    "table": """\
A file, a folder (a clone: every .md below it), a gist's address, a file on
GitHub, or the address of raw Markdown. A row needs a web address. Columns
called title/paper/name, date/added, tags/topic, notes/comment/summary are
understood; the others are kept under their own names.""",
    "arxiv-sanity": """\
arxiv-sanity-lite keeps your tags in data/dict.db beside its code.
The first arxiv-sanity (arxiv-sanity-preserver) kept libraries in as.db.""",
    "urls": """\
A file (one address a line, OneTab's export, an e-mail, anything), a pipe, or
typed in place. BibTeX: eprint, doi or url of every entry; keywords become
tags, the note stays the note. Clipboard: pbpaste | studiolo collect urls -
(xclip -o, wl-paste, Get-Clipboard elsewhere).""",
}
