"""Commands that read a list and keep what was read: show, read, unread, move, note, questions, check."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studiolo.errors import UsageError

from .asking import confirm
from .console import Styled, counted, say, say_json, say_lines
from .options import AsJson, LibraryOption, ListWord, TagOption, in_turn


if TYPE_CHECKING:
    from studiolo.claims import Answer, Paper
    from studiolo.keys import Key
    from studiolo.library import Kept, Library, Listed, Plan
    from studiolo.lists import Document, Entry, Question, State


app = typer.Typer()
PANEL = "Read"
STATE_SIGNS = {"to read": "·", "reading": "◐", "read": "✓", None: " "}

SomeLists = Annotated[
    list[str] | None,
    typer.Argument(metavar="LIST", help="Lists, by path or name; default: those of this library."),
]
KeyText = Annotated[
    str, typer.Argument(metavar="KEY", help="A key, an address, or the name or title on the list.")
]
OneList = Annotated[
    str | None,
    typer.Option(
        "--list",
        metavar="LIST",
        help="Only this list, by path or name; default: all lists of this library.",
    ),
]
Below = Annotated[
    bool | None,
    typer.Option(
        "--below/--beside",
        help="What a table has no column for: below the table, or kept in .studiolo/; default: you are asked, else beside.",
    ),
]


@app.command(rich_help_panel=PANEL)
def show(
    name: ListWord = "",
    state: Annotated[
        str | None,
        typer.Option("--state", help="Only entries in this state: to read, reading or read."),
    ] = None,
    tag: TagOption = None,
    library: LibraryOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what is on a list, in the order of the file: sections, titles, years, keys, notes and questions.

    · to read, ◐ reading, ✓ read; ? marks an open question. Without a name it shows the main list: the one that `list = "…"` in
    .studiolo/config.toml names, else the largest.

    \b
    Examples:
      studiolo show lists/recent-ml-research.md
      studiolo show recent-ml-research --state "to read" --tag nlp
    """
    from studiolo.collector import collector_paused
    from studiolo.library import Library, find_list
    from studiolo.lists import STATES

    if state is not None and state not in STATES:
        raise UsageError(f"{state!r} is not a reading state. Choose one of: {', '.join(STATES)}.")
    path = find_list(Library.find(library), name)
    home = Library.find(library, near=path)
    with collector_paused():
        _show(home, path, state, tag or (), as_json=as_json)


def _show(
    home: Library, path: Path, state: str | None, tags: Sequence[str], *, as_json: bool
) -> None:
    from studiolo.library import load_kept, state_of
    from studiolo.lists import Document, said_outside

    document = Document.load(path)
    kept = load_kept(home.folder)
    entries = document.entries if as_json else document.each_entry()
    known = ((entry, *state_of(entry, kept)) for entry in entries)
    is_wanted = _having(home, kept, tags) if tags else None
    shown = (
        row
        for row in known
        if (state is None or row[1] == state) and (is_wanted is None or is_wanted(row[0]))
    )
    if as_json:
        say_json(_as_json(path, document, list(shown), kept))
        return
    number = questions = 0
    for section, rows in groupby(shown, key=lambda row: row[0].section):
        if section:
            say()
            say(" › ".join(section), style="bold")
        lines = []
        for entry, now, _ in rows:
            unanswered = [f"      ? {q.text}" for q in entry.questions if q.answer is None]
            lines += [_line(entry, now), *unanswered]
            number, questions = number + 1, questions + len(unanswered)
        say_lines(lines)
    if (tags or state) and not number:
        wanted = [f"is marked as {state}"] if state else []
        wanted += [f"has the tag {' and '.join(tags)}"] if tags else []
        seen = "studiolo tags" if tags else f"studiolo show {shlex.quote(str(path))}"
        say(f"No entry of {path} {' and '.join(wanted)}. To see what there is: {seen}")
        return
    say()
    say(f"{counted(number, 'entry', 'entries')}, {counted(questions, 'open question')}")
    if outside := document.links_outside:
        say(said_outside(outside))
    if not document.writable:
        say("This file is not UTF-8: it can be shown, but is never written.")


def _having(
    home: Library, kept: Mapping[Key, Kept], tags: Sequence[str]
) -> Callable[[Entry], bool]:
    """Return what says whether an entry has all of some tags, however they are spelled."""
    from studiolo.library import load_vocabulary, tags_of

    has_tags = load_vocabulary(home).having(tags)
    return lambda entry: has_tags(tags_of(entry, kept))


def _line(entry: Entry, now: str | None) -> str:
    title = entry.title or "(no title)"
    if entry.name and not title.startswith(entry.name):
        title = f"{entry.name}: {title}"
    if len(title) > 100:
        title = title[:99] + "…"
    year = f" ({entry.year})" if entry.year else ""
    keys = [str(key) for key in entry.keys if key.kind != "url"] or [
        str(key) for key in entry.keys[:1]
    ]
    notes = f"  {counted(len(entry.notes), 'note')}" if entry.notes else ""
    return f"  {STATE_SIGNS[now]} {title}{year}  {' '.join(keys[:4])}{notes}".rstrip()


def _as_json(
    path: Path,
    document: Document,
    entries: list[tuple[Entry, str | None, str]],
    kept: Mapping[Key, Kept],
) -> dict[str, Any]:
    from studiolo.library import tags_of

    return {
        "path": str(path),
        "writable": document.writable,
        "tags": list(document.tags),
        "entries": [
            {
                "line": entry.line,
                "title": entry.title,
                "name": entry.name,
                "authors": list(entry.authors),
                "year": entry.year,
                "state": now,
                "since": since or None,
                "key": str(entry.key) if entry.key else None,
                "keys": [str(key) for key in entry.keys],
                "mentioned": [str(key) for key in entry.mentioned],
                "section": list(entry.section),
                "tags": list(tags_of(entry, kept)),
                "notes": [note.text for note in entry.notes],
                "questions": [
                    {"text": q.text, "line": q.line, "answer": q.answer} for q in entry.questions
                ],
            }
            for entry, now, since in entries
        ],
    }


@app.command(rich_help_panel=PANEL)
def read(
    key: KeyText,
    started: Annotated[bool, typer.Option("--started", help="Started, not finished.")] = False,
    path: OneList = None,
    library: LibraryOption = None,
) -> None:
    """Mark an entry as read. `studiolo undo` takes it back.

    If the list itself shows reading states (headings "# To Review" and "# Read", check boxes, ✅, a column "Read?"), only
    that place in the list is edited; otherwise the state is kept in `.studiolo/reading.jsonl`. Title, authors, date and
    abstract are kept there too, so that nothing is lost when a link dies.

    \b
    Examples:
      studiolo read arxiv:2105.03824
      studiolo read FNet --started
    """
    _set_state(key, "reading" if started else "read", path, library)


@app.command(rich_help_panel=PANEL)
def unread(key: KeyText, path: OneList = None, library: LibraryOption = None) -> None:
    """Mark an entry as not read after all.

    Example:  studiolo unread arxiv:2105.03824
    """
    _set_state(key, "to read", path, library)


@app.command(rich_help_panel=PANEL)
def move(
    key: KeyText,
    section: Annotated[
        str, typer.Argument(help="A heading of the list, or a path: “To Review > Transformers”.")
    ],
    path: OneList = None,
    library: LibraryOption = None,
    below: Below = None,
) -> None:
    """Move an entry to the end of another section of its list, word for word, with the marker of its new neighbours.

    Example:  studiolo move FNet "Causal Inference"
    """
    from studiolo.library import called, desk

    with in_turn(library, path):
        home, listed = one_entry(key, path, library)
        plan = desk.move(home, listed, section)
        if plan and plan.keeping[:1] and plan.keeping[0].notes and _goes_below(below):
            plan = desk.move(home, listed, section, below=True)
        if plan is None:
            say(f"{called(listed.entry)} is already there.")
        else:
            make(home, plan)


@app.command(rich_help_panel=PANEL)
def note(
    key: KeyText,
    text: Annotated[str, typer.Argument(help="What you want to remember.")],
    path: OneList = None,
    library: LibraryOption = None,
    below: Below = None,
) -> None:
    """Write a note below an entry, in the style of the list's other notes.

    Example:  studiolo note FNet "compare with Hartley"
    """
    from studiolo.library import desk

    with in_turn(library, path):
        home, listed = one_entry(key, path, library)
        plan = desk.note(home, listed, text)
        if not plan.edits and _is_row(listed) and _goes_below(below):
            plan = desk.note(home, listed, text, below=True)
        make(home, plan)


def _is_row(listed: Listed) -> bool:
    return listed.document.block_of(listed.entry).kind == "row"


def _goes_below(below: bool | None) -> bool:
    """Whether what a table has no column for goes below it: as was said, else as the reader answers, else not."""
    if below is None and sys.stdin.isatty() and sys.stdout.isatty():
        return confirm(
            "The table has no column for this. Write it below the table, not beside the list?"
        )
    return bool(below)


def one_entry(word: str, path: str | None, library: Path | None) -> tuple[Library, Listed]:
    """Return the one entry that a word means, and the library that keeps what is known of it."""
    from studiolo.library import find_entry

    listed = find_entry(word, _lists(path, library))
    return _home(listed, library), listed


def make(home: Library, plan: Plan, sign: str = "") -> None:
    """Make a plan and say what was done."""
    from studiolo.library import carry_out

    carry_out(home, plan)
    say(sign, plan.done)


def _lists(path: str | None, library: Path | None) -> list[Document]:
    from studiolo.library import Library, load_lists

    return load_lists([path] if path else None, Library.find(library))


def _home(listed: Listed, library: Path | None) -> Library:
    from studiolo.library import Library

    return Library.find(library) if library else listed.library


def _set_state(word: str, state: State, path: str | None, library: Path | None) -> None:
    from studiolo.library import desk, find_entries

    with in_turn(library, path):
        for listed in find_entries(word, _lists(path, library)):
            home = _home(listed, library)
            make(home, desk.mark(home, listed, state), f"{STATE_SIGNS[state]} ")


@app.command(rich_help_panel=PANEL)
def questions(
    paths: SomeLists = None,
    everything: Annotated[bool, typer.Option("--all", help="Include answered questions.")] = False,
    library: LibraryOption = None,
    as_json: AsJson = False,
) -> None:
    """List every open "Q:" on your lists, and what answers it.

    A question is answered on the list by an "A:" below it; papers that can run may answer it with their claims.

    Example:  studiolo questions lists/recent-ml-research.md
    """
    from studiolo.library import Library, called, load_lists

    rows = [
        (document, entry, question, answered_by(entry, question))
        for document in load_lists(paths, Library.find(library))
        for answered_by in [_answering(document, library)]
        for entry, question in _questions(document)
        if everything or question.answer is None
    ]
    if as_json:
        say_json([_question_json(*row) for row in rows])
        return
    for document, entry, question, answers in rows:
        say(f"{document.path}:{question.line}  ", Styled(question.text, "bold"))
        if entry is not None:
            say(f"  on {called(entry)}  {entry.key or ''}".rstrip())
        if question.answer is not None:
            say(f"  A: {question.answer}")
        for paper, answer in answers:
            say(f"  {paper.slug} says: {answer.says}")
            say(f"    rests on: {', '.join(answer.claims)}")
    say(counted(len(rows), "question" if everything else "open question"))


def _questions(document: Document) -> Iterator[tuple[Entry | None, Question]]:
    owners = {question.line: entry for entry in document.entries for question in entry.questions}
    for question in document.questions:
        yield owners.get(question.line), question


def _answering(
    document: Document, chosen: Path | None
) -> Callable[[Entry | None, Question], list[tuple[Paper, Answer]]]:
    """Return what says which papers answer a question of a list, and how."""
    from studiolo import runs
    from studiolo.library import Library, load_same
    from studiolo.report import answers_to

    library = Library.find(chosen, near=document.path)
    papers, works = runs.discover(library.folder, problems=[]), load_same(library)
    return lambda entry, question: answers_to(entry, question.text, papers, works) if entry else []


def _question_json(
    document: Document, entry: Entry | None, question: Question, answers: list[tuple[Paper, Answer]]
) -> dict[str, Any]:
    return {
        "path": str(document.path),
        "line": question.line,
        "question": question.text,
        "entry": entry.title if entry else None,
        "key": str(entry.key) if entry and entry.key else None,
        "answer": question.answer,
        "papers": [
            {"paper": paper.slug, "says": answer.says, "claims": list(answer.claims)}
            for paper, answer in answers
        ],
    }


@app.command(rich_help_panel=PANEL)
def check(
    paths: SomeLists = None,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    library: LibraryOption = None,
    as_json: AsJson = False,
) -> None:
    """Check lists: broken links, duplicate papers, dead relative links, empty sections and more.

    Each line has the place (file:line), the check, what is wrong and what to do. The exit code is 1 if there is an error,
    with --strict also if there is a warning.

    Example:  studiolo check lists/recent-ml-research.md
    """
    from studiolo.library import Library, load_lists
    from studiolo.lists import check as check_lists

    documents = load_lists(paths, Library.find(library))
    answering = cache(
        lambda: _answering(documents[0], library)
    )  # asked for at the first open question
    found = check_lists(
        documents, answered=lambda entry, question: bool(answering()(entry, question))
    )
    errors = sum(finding.level == "error" for finding in found)
    if as_json:
        say_json(
            [
                {
                    "check": f.check,
                    "level": f.level,
                    "path": f.path,
                    "line": f.line,
                    "says": f.says,
                    "do": f.do,
                }
                for f in found
            ]
        )
    else:
        for finding in found:
            say(finding)
        say(f"{counted(errors, 'error')}, {counted(len(found) - errors, 'warning')}")
    if errors or (strict and found):
        raise typer.Exit(1)
