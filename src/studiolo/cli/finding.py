"""Commands that find what one has and suggest what to read: find, open, similar, suggest, not-for-me."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studiolo.errors import FileError, UsageError

from .console import Styled, counted, say, say_json
from .options import AsJson, LibraryOption, LongLibraryOption, list_path


if TYPE_CHECKING:
    from studiolo.index import Hit, Suggestion
    from studiolo.library import Library, Wanted

app = typer.Typer()
PANEL = "Find"
SHOWN_REASONS = 3

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many to show.")]
SomeList = Annotated[
    str | None, typer.Option("--list", metavar="LIST", help="Only this list, by its path or name.")
]


# a query may begin with "-word", so there are no short options here
@app.command(
    rich_help_panel=PANEL,
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
def find(
    query: Annotated[
        list[str],
        typer.Argument(metavar="QUERY...", help='Words, "phrases", -words and fields.'),
    ],
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to show.")] = 10,
    as_json: AsJson = False,
    library: LongLibraryOption = None,
) -> None:
    """Find what you have: on lists, topic pages and in the inbox; titles, authors, abstracts, notes and questions.

    Words are found in any inflection, with or without accents; the last one may be half typed, and a typing error is
    corrected and said. A - before a word or field leaves out what has it. An address, id or DOI finds what has it.

    Fields: author:, title:, section:, note:, year:2021, year:2019..2021, tag:, state:to-read, source:, list:, key:,
    has:question, has:code, has:talk, has:claims.

    \b
    Examples:
      studiolo find random features
      studiolo find attention year:2020.. has:question
      studiolo find state:to-read -tag:theory
    """
    from studiolo import library as rooms

    if strange := [word for word in query if re.match("--|-[A-Za-z]$", word)]:
        raise UsageError(
            f"There is no option {strange[0]}. A - before a word leaves out what has it, so options are long here: studiolo find --help"
        )
    home = rooms.Library.find(library)
    found, says = rooms.find(home, _as_meant(query), limit=limit, can_run=lambda: _can_run(home))
    if not found.hits and _as_meant(query) != " ".join(query):
        found, says = rooms.find(home, " ".join(query), limit=limit, can_run=lambda: _can_run(home))
    if as_json:
        say_json({"says": says, "corrected": dict(found.corrected), "hits": [_hit_json(h) for h in found.hits]})  # fmt: skip
    else:
        for sentence in says:
            say(sentence, to_err=True)
        if found.corrected:
            as_typed = " ".join(query)
            for typed, _ in found.corrected:
                as_typed = re.sub(
                    rf"(?<![\w\"]){re.escape(typed)}(?![\w\"])", f'"{typed}"', as_typed
                )
            say(f"To search for it as typed: studiolo find {shlex.quote(as_typed)}", to_err=True)
        for number, hit in enumerate(found.hits, 1):
            _say_thing(number, hit)
            if hit.snippet:
                _say_wrapped(_INDENT, *_marked(hit))
        if not found.hits:
            say("Nothing was found.")
    _remember(home, found.hits)


def _as_meant(query: Sequence[str]) -> str:
    """Return the words as one search, with the quotes that a shell took from `author:"Ada Lovelace"`.

    A word that has quotes or two fields is a whole search in the shell's quotes, and stays as it is.
    """
    return " ".join(
        word if '"' in word or _TWO_FIELDS.search(word) else _UNQUOTED.sub(r'\1"\2"', word)
        for word in query
    )


_TWO_FIELDS = re.compile(r"\w:.*\s-?[a-z]+:[^\s/]")
_UNQUOTED = re.compile(r"""(-?\w+:)([^"/]*[^\s"/]\s[^"]*)""")


def _can_run(library: Library) -> frozenset[str]:
    """Return the keys of the papers whose claims can be run."""
    from studiolo import runs

    papers = runs.discover(library.folder, problems=[])
    return frozenset(key for paper in papers for key in (paper.key, *paper.also))


def _marked(hit: Hit) -> list[str | Styled]:
    parts: list[str | Styled] = []
    at = 0
    for start, end in hit.marks:
        parts += [hit.snippet[at:start], Styled(hit.snippet[start:end], "bold")]
        at = end
    return [*parts, hit.snippet[at:]]


def _say_thing(number: int, one: Hit | Suggestion) -> None:
    year = f" ({one.date[:4]})" if one.date[:4].isdecimal() else ""
    key = "" if one.place.startswith(one.key) else f"  {one.key}"
    place = f"  {one.place}" if one.place else ""
    _say_wrapped(
        f"{number:3}  ", Styled(one.title or one.key, "bold"), year, Styled(f"{key}{place}", "dim")
    )


_INDENT = " " * 6


def _say_wrapped(first: str, *parts: str | Styled) -> None:
    """Print one line; on a terminal as many as it takes, broken between words, for a pipe always one."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for line in wrapped(width, first, parts) if width else [[first, *parts]]:
        say(*line)


def wrapped(width: int, first: str, parts: Iterable[str | Styled]) -> list[list[str | Styled]]:
    """Return parts as lines of at most `width` columns, where words allow: the first begins with `first`, others are indented."""
    from rich.cells import cell_len

    # words in pieces of one style, since a mark may end inside of one; and blanks between them
    words: list[list[Styled]] = [[]]
    for part in parts:
        text, style = part if isinstance(part, Styled) else (part, "")
        for piece in _PIECE.findall(text):
            if words[-1] and piece.isspace() != words[-1][0].text.isspace():
                words.append([])
            words[-1].append(Styled(piece, style))
    lines: list[list[str | Styled]] = [[first]]
    used = cell_len(first)
    blanks: list[Styled] = []
    for word in filter(None, words):
        if word[0].text.isspace():
            blanks = word
            continue
        gap, size = (sum(cell_len(piece.text) for piece in some) for some in (blanks, word))
        if blanks and used + gap + size > width:
            lines.append([_INDENT])
            used, blanks, gap = len(_INDENT), [], 0
        lines[-1] += [piece if piece.style else piece.text for piece in (*blanks, *word)]
        used, blanks = used + gap + size, []
    return lines


_PIECE = re.compile(r"\s+|\S+")


@app.command("open", rich_help_panel=PANEL)
def open_(
    what: Annotated[
        str,
        typer.Argument(
            metavar="N|KEY",
            help="A number of the last result, a key, or a name or title on a list.",
        ),
    ],
    only_print: Annotated[
        bool, typer.Option("--print", "-p", help="Only print the address.")
    ] = False,
    library: LibraryOption = None,
) -> None:
    """Open something in the browser: a number of the last `find`, `similar` or `suggest`, or a key.

    Without a browser the address is printed.

    \b
    Examples:
      studiolo open 1
      studiolo open arxiv:2105.03824
      studiolo open FNet --print
    """
    from studiolo.library import Library

    home = Library.find(library)
    url = _address_of_number(home, int(what)) if what.isdecimal() else _address_of(home, what)
    say(url)
    if not only_print and _has_browser():
        typer.launch(url)


def _address_of_number(library: Library, number: int) -> str:
    one = _of_last(library, number)
    if not one["url"].startswith(("http://", "https://")):
        raise UsageError(f"“{one['title']}” has no web address. It stands in {one['place']}.")
    return one["url"]


def _address_of(library: Library, word: str) -> str:
    from studiolo.keys import address_of, find_key
    from studiolo.library import find_entries

    try:
        listed = find_entries(word, list(library.documents.values()))[0]
    except UsageError:
        url = word if word.startswith(("http://", "https://")) else address_of(find_key(word))
    else:
        urls = [link.url.strip() for link in listed.entry.links if link.mention]
        url = urls[0] if urls else ""
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{word!r} has no web address.")
    return url


def _has_browser() -> bool:
    import webbrowser

    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


@app.command(rich_help_panel=PANEL)
def similar(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="A key, an address, or a name or title on a list.")
    ],
    limit: Limit = 10,
    as_json: AsJson = False,
    library: LibraryOption = None,
) -> None:
    """Show what is like one paper: first what you have, then what was fetched, each with the words they share.

    Example:  studiolo similar FNet
    """
    from studiolo.library import Library, Suggester

    home = Library.find(library)
    here, there = Suggester(home).similar(key, limit=limit)
    if as_json:
        say_json({"says": here.says, "yours": [_suggestion_json(s) for s in here.suggestions], "others": [_suggestion_json(s) for s in there.suggestions]})  # fmt: skip
    else:
        for sentence in here.says:
            say(sentence, to_err=True)
        say("What you have:" if here.suggestions else "You have nothing like it.")
        _say_suggestions(here.suggestions)
        if there.suggestions:
            say("What was fetched:")
        _say_suggestions(there.suggestions, len(here.suggestions))
    _remember(home, [*here.suggestions, *there.suggestions])


@app.command(rich_help_panel=PANEL)
def suggest(
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY...]",
            help="Suggest what belongs beside these; default: beside all entries.",
        ),
    ] = None,
    section: Annotated[
        str,
        typer.Option(
            "--section",
            "-s",
            help="Beside the entries of this section; by its headings alone where it is empty.",
        ),
    ] = "",
    tag: Annotated[str, typer.Option("--tag", help="Beside the entries with this tag.")] = "",
    path: SomeList = None,
    since: Annotated[
        str,
        typer.Option("--since", help="Only what appeared since: 30d, 8w, 6m, 1y, or 2024-05-01."),
    ] = "",
    unread: Annotated[
        bool, typer.Option("--unread", help="Which of your own unread entries to read next.")
    ] = False,
    limit: Limit = 10,
    as_json: AsJson = False,
    library: LibraryOption = None,
) -> None:
    """Suggest what to read, from what was fetched and the lists you follow, with the words that made it so.

    What you have, passed over or said no to is never suggested. Percentages are shares of the score. Nothing is written.

    \b
    Examples:
      studiolo suggest --section "Causal Inference"
      studiolo suggest arxiv:2105.03824 --since 30d
      studiolo suggest --unread
    """
    from studiolo.library import Library, Suggester
    from studiolo.metadata import day_of

    if sum(map(bool, (keys, section, tag))) > 1:
        raise UsageError("Give keys, --section or --tag, one of them.")
    day = day_of(since) if since else ""
    if unread and day:
        raise UsageError(
            "--since looks at what was fetched, --unread at your lists. Give one of them."
        )
    home = Library.find(library)
    wanted = _wanted(home, keys or [], section, tag, list_path(home, path))
    suggester = Suggester(home)
    found = (
        suggester.next_unread(wanted, limit=limit)
        if unread
        else suggester.suggest(wanted, since=day, limit=limit)
    )
    if as_json:
        say_json({"says": found.says, "suggestions": [_suggestion_json(s) for s in found.suggestions]})  # fmt: skip
    else:
        for sentence in found.says:
            say(sentence, to_err=True)
        _say_suggestions(found.suggestions)
        if not found.suggestions and not found.says:
            say("Nothing that was fetched belongs there." if not unread else "Nothing is unread.")
    _remember(home, found.suggestions)


def _wanted(
    library: Library, keys: Sequence[str], section: str, tag: str, path: Path | None
) -> Wanted:
    from studiolo import library as rooms

    if section:
        return rooms.wanted_by_section(library, section, path)
    if tag:
        return rooms.wanted_by_tag(library, tag, path)
    if keys:
        return rooms.wanted_by_words(library, keys, path)
    return rooms.wanted_by_list(library, path)


def _say_suggestions(suggestions: Iterable[Suggestion], first: int = 0) -> None:
    for number, one in enumerate(suggestions, first + 1):
        _say_thing(number, one)
        why = _because(one)
        if why:
            _say_wrapped(_INDENT, why)


def _because(one: Suggestion) -> str:
    """Return why something is suggested, in words with their shares; authors and categories apart."""
    parts = [", ".join(f"{r.term} {_share(r.share)}" for r in one.shown(SHOWN_REASONS))]
    for kind, before in (("author", "by "), ("category", "in ")):
        found = one.named(kind)
        parts.append(
            before + ", ".join(f"{r.term} {_share(r.share)}" for r in found) if found else ""
        )
    if one.lists:
        parts.append(f"on {counted(len(one.lists), 'list')} you follow: {', '.join(one.lists[:3])}")
    return "; ".join(filter(None, parts))


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "<1%"


@app.command("not-for-me", rich_help_panel=PANEL)
def not_for_me(
    what: Annotated[
        str,
        typer.Argument(metavar="N|KEY", help="A number of the last result, a key or an address."),
    ],
    library: LibraryOption = None,
) -> None:
    """Never suggest a paper again, and less of what is like it. `studiolo undo` takes it back.

    \b
    Examples:
      studiolo not-for-me 3
      studiolo not-for-me arxiv:2105.03824
    """
    from studiolo.keys import find_key
    from studiolo.library import Library, carry_out, desk

    home = Library.find(library)
    title = ""
    if what.isdecimal():
        one = _of_last(home, int(what))
        what, title = one["key"], one["title"]
    key = find_key(what)
    plan = desk.say_no(home, key, title)
    if plan is None:
        say(f"You said no to {title or key} before.")
    else:
        carry_out(home, plan)
        say(plan.done)


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        **_thing_json(hit),
        "snippet": hit.snippet,
        "marks": [list(mark) for mark in hit.marks],
        "has": hit.has,
    }


def _suggestion_json(one: Suggestion) -> dict[str, Any]:
    reasons = [
        {"kind": r.kind, "term": r.term, "share": round(r.share, 4)} for r in one.reasons[:20]
    ]
    return {**_thing_json(one), "reasons": reasons, "lists": list(one.lists)}


def _thing_json(one: Hit | Suggestion) -> dict[str, Any]:
    return {
        "key": one.key,
        "title": one.title,
        "authors": list(one.authors),
        "date": one.date or None,
        "place": one.place or None,
        "url": one.url or None,
        "score": round(one.score, 6),
    }


def _remember(library: Library, things: Iterable[Hit | Suggestion]) -> None:
    """Keep what was shown, for `open N`."""
    from studiolo.files import save_bytes
    from studiolo.keys import address_of, find_key

    rows = []
    for one in things:
        url = one.url
        if not url:
            with contextlib.suppress(UsageError):
                url = address_of(find_key(one.key))
        rows.append({"key": one.key, "title": one.title, "url": url, "place": one.place})
    if not library.may_keep:
        return
    with contextlib.suppress(FileError):  # a library to read only
        save_bytes(library.cache / "find" / "last.json", json.dumps(rows).encode())


def _of_last(library: Library, number: int) -> dict[str, str]:
    last = _last(library)
    if 1 <= number <= len(last):
        return last[number - 1]
    if not last:
        raise UsageError(f"The last result is empty, so there is no number {number}. Search first: studiolo find WORD")  # fmt: skip
    raise UsageError(f"The last result has {counted(len(last), 'line')}, so there is no number {number}. Search again: studiolo find WORD")  # fmt: skip


def _last(library: Library) -> list[dict[str, str]]:
    try:
        rows = json.loads((library.cache / "find" / "last.json").read_bytes())
        return [{name: str(row[name]) for name in ("key", "title", "url", "place")} for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        return []
