"""Commands that read a list and keep what was read: show, read, unread, move, note, questions, topics, tags, check."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studiolo.errors import UsageError

from .entries import (
    bold,
    called,
    count,
    documents_of,
    find_entries,
    find_one,
    fold,
    place,
    plain,
    root_of,
    short,
)


if TYPE_CHECKING:
    from studiolo.claims import Answer, Paper
    from studiolo.library import Kept
    from studiolo.lists import Document, Edit, Entry, Question, State


app = typer.Typer()
PANEL = "Read"
STATE_SIGNS = {"to read": "·", "reading": "◐", "read": "✓", None: " "}

ListPath = Annotated[Path, typer.Argument(metavar="LIST", help="The Markdown list.")]
SomeLists = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[LIST]…", help="Markdown lists; without any, those of this library."),
]
KeyText = Annotated[
    str, typer.Argument(metavar="KEY", help="A key, an address, or the name or title on the list.")
]
OneList = Annotated[
    Path | None, typer.Option("--list", help="Look on this list only; else on all of this library.")
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


@app.command(rich_help_panel=PANEL)
def show(
    path: ListPath,
    state: Annotated[
        str | None, typer.Option("--state", help="Only what is: to read, reading or read.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is on a list, in the order of the file: sections, titles, years, keys, notes and questions.

    · is to read, ◐ is being read, ✓ was read; ? is an open question.

    Example:  studiolo show lists/recent-ml-research.md
    """
    from studiolo.library import library_root, load_kept, state_of
    from studiolo.lists import STATES, Document

    if state is not None and state not in STATES:
        raise UsageError(f"{state!r} is no reading state. Choose one of: {', '.join(STATES)}.")
    document = Document.load(path)
    kept = load_kept(library_root(path))
    entries = [(entry, *state_of(entry, kept)) for entry in document.entries]
    entries = [row for row in entries if state is None or row[1] == state]
    if as_json:
        print(json.dumps(_as_json(path, document, entries), ensure_ascii=False, indent=2))
        return
    section: tuple[str, ...] = ()
    for entry, now, _ in entries:
        if entry.section != section:
            section = entry.section
            print(f"\n{bold(plain(' › '.join(section)))}")
        print(_line(entry, now))
        for question in entry.questions:
            if question.answer is None:
                print(f"      ? {plain(question.text)}")
    questions = sum(q.answer is None for entry, _, _ in entries for q in entry.questions)
    print(f"\n{count(len(entries), 'entry', 'entries')}, {count(questions, 'open question')}")
    if not document.writable:
        print("This file is not UTF-8: it is shown, and never written.")


def _line(entry: Entry, now: str | None) -> str:
    title = plain(entry.title) or "(no title)"
    if entry.name and not title.startswith(entry.name):
        title = f"{plain(entry.name)}: {title}"
    if len(title) > 100:
        title = title[:99] + "…"
    year = f" ({entry.year})" if entry.year else ""
    keys = [str(key) for key in entry.keys if key.kind != "url"] or [
        str(key) for key in entry.keys[:1]
    ]
    notes = f"  {count(len(entry.notes), 'note')}" if entry.notes else ""
    return f"  {STATE_SIGNS[now]} {title}{year}  {plain(' '.join(keys[:4]))}{notes}".rstrip()


def _as_json(
    path: Path, document: Document, entries: list[tuple[Entry, str | None, str]]
) -> dict[str, Any]:
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
                "section": list(entry.section),
                "tags": list(entry.tags),
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
    started: Annotated[bool, typer.Option("--started", help="Begun, not finished.")] = False,
    path: OneList = None,
) -> None:
    """Say that you have read something.

    Where the list itself shows it (below "# To Review" and "# Read", in check boxes, with ✅, in a column "Read?"),
    that place of the list is edited and nothing else; else `.studiolo/reading.jsonl` keeps it. Title, authors, date and
    abstract are kept there too, so that a dead link loses nothing.

    Example:  studiolo read arxiv:2105.03824
    """
    _set_state(key, "reading" if started else "read", path)


@app.command(rich_help_panel=PANEL)
def unread(key: KeyText, path: OneList = None) -> None:
    """Say that you have not read something after all.

    Example:  studiolo unread arxiv:2105.03824
    """
    _set_state(key, "to read", path)


@app.command(rich_help_panel=PANEL)
def move(
    key: KeyText,
    section: Annotated[
        str, typer.Argument(help="A heading of the list, or a path: “To Review > Transformers”.")
    ],
    path: OneList = None,
) -> None:
    """Move an entry to the end of another section of its list, its bytes as they are.

    Example:  studiolo move FNet "Causal Inference"
    """
    from studiolo.lists import move as move_entry

    document, entry = find_one(key, path)
    edits = move_entry(document, entry, section)
    if not edits:
        print(f"{called(entry)} is there already.")
        return
    _write(document, entry, edits, f"move {called(entry)} to {section}")
    print(f"{called(entry)} moved to {section} in {document.path}")


@app.command(rich_help_panel=PANEL)
def note(
    key: KeyText,
    text: Annotated[str, typer.Argument(help="What you want to remember.")],
    path: OneList = None,
) -> None:
    """Write a note below an entry, as the list's other notes are written.

    Example:  studiolo note FNet "compare with Hartley"
    """
    from studiolo.errors import ListError
    from studiolo.library import Kept, save_change
    from studiolo.lists import annotate

    document, entry = find_one(key, path)
    if not " ".join(text.split()):
        raise UsageError("The note is empty. Write what you want to remember.")
    try:
        edits = annotate(document, entry, text)
    except ListError as error:
        if entry.key is None:
            raise
        root = root_of(document)
        kept = Kept(entry.key, notes=(" ".join(text.split()),))
        save_change(
            root, document, (), document, f"note on {called(entry)}", [kept, *_kept(root, entry)]
        )
        print(f"{error} Kept in {root / '.studiolo' / 'reading.jsonl'}.")
        return
    _write(document, entry, edits, f"note on {called(entry)}")
    print(f"Noted below {called(entry)} in {document.path}")


def _set_state(text: str, state: State, path: Path | None) -> None:
    from datetime import UTC, datetime

    from studiolo.library import Kept, save_change
    from studiolo.lists import edited, mark

    day = datetime.now(UTC).date().isoformat()
    what = {"read": "read", "reading": "started", "to read": "unread"}[state]
    for document, entry in find_entries(text, path):
        root = root_of(document)
        edits = mark(document, entry, state)
        keeping = list(_kept(root, entry))
        if entry.key is not None:
            keeping.append(Kept(entry.key, state=state, since=day))
        elif edits is None:
            raise UsageError(
                f"{called(entry)} has no link, and the list has no place that shows what was read. Give it a link."
            )
        new = edited(document, edits, touched=[entry]) if edits else document
        save_change(root, document, edits or (), new, f"{what} {called(entry)}", keeping)
        if edits is None:
            where = root / ".studiolo" / "reading.jsonl"
        else:
            where = document.path or root
        print(f"{STATE_SIGNS[state]} {called(entry)}: {state} ({where})")


def _kept(root: Path, entry: Entry) -> Iterator[Kept]:
    """Yield what is worth holding on to: what the list says, and what metadata services said before."""
    from studiolo.library import Kept, Library, kept_of, load_facts

    if entry.key is None:
        return
    facts = load_facts(Library(root)).get(entry.key)
    if facts is not None:
        yield Kept(
            entry.key,
            title=facts.title,
            authors=facts.authors,
            year=facts.year,
            published=facts.published,
            abstract=facts.abstract,
        )
    own = kept_of(entry)
    if own is not None:
        yield own if facts is None else Kept(entry.key, url=own.url)


def _write(document: Document, entry: Entry, edits: tuple[Edit, ...], what: str) -> None:
    from studiolo.library import save_change
    from studiolo.lists import edited

    root = root_of(document)
    new = edited(document, edits, touched=[entry])
    save_change(root, document, edits, new, what, list(_kept(root, entry)))


@app.command(rich_help_panel=PANEL)
def questions(
    paths: SomeLists = None,
    everything: Annotated[bool, typer.Option("--all", help="Answered ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List every open "Q:" of your lists, with what answers it.

    A question is answered on the list by an "A:" below it; papers that can run may answer it with their claims.

    Example:  studiolo questions lists/recent-ml-research.md
    """
    rows = [
        (document, entry, question, _answers(entry, question, papers))
        for document in documents_of(paths)
        for papers in [_papers(document)]
        for entry, question in _questions(document)
        if everything or question.answer is None
    ]
    if as_json:
        print(json.dumps([_question_json(*row) for row in rows], ensure_ascii=False, indent=2))
        return
    for document, entry, question, answers in rows:
        print(f"{document.path}:{question.line}  {bold(plain(question.text))}")
        if entry is not None:
            print(f"  on {called(entry)}  {plain(str(entry.key or ''))}".rstrip())
        if question.answer is not None:
            print(f"  A: {plain(question.answer)}")
        for paper, answer in answers:
            print(f"  {paper.slug} says: {plain(answer.says)}")
            print(f"    rests on: {', '.join(answer.claims)}")
    print(count(len(rows), "question" if everything else "open question"))


def _questions(document: Document) -> Iterator[tuple[Entry | None, Question]]:
    owners = {question.line: entry for entry in document.entries for question in entry.questions}
    for question in document.questions:
        yield owners.get(question.line), question


def _papers(document: Document) -> list[Paper]:
    from studiolo import runs

    return runs.discover(root_of(document), problems=[])


def _answers(
    entry: Entry | None, question: Question, papers: list[Paper]
) -> list[tuple[Paper, Answer]]:
    """Return what papers say to a question that stands below one of the works they answer."""
    keys = {str(key) for key in entry.keys} if entry else set()
    return [
        (paper, answer)
        for paper in papers
        for answer in paper.answers
        if answer.work in keys and fold(answer.question) == fold(question.text)
    ]


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
def topics(as_json: AsJson = False) -> None:
    """List the pages in `topics/` of this library, with the entries that link to each.

    Example:  studiolo topics
    """
    from studiolo.library import library_root, list_paths
    from studiolo.lists import Document

    root = library_root(Path.cwd() / "list.md")
    pages = {
        path.resolve(): Document.load(path) for path in sorted((root / "topics").rglob("*.md"))
    }
    if not pages:
        raise UsageError(
            f"There is no page in {root / 'topics'}. Write one, and link to it from an entry."
        )
    linked: dict[Path, list[tuple[Document, Entry]]] = defaultdict(list)
    for path in list_paths(root):
        document = Document.load(short(path))
        for entry in document.entries:
            targets = {
                (path.parent / link.url.partition("#")[0]).resolve()
                for link in entry.links
                if link.mention is None and link.url and "\0" not in link.url
            }
            for target in targets & pages.keys():
                linked[target].append((document, entry))
    rows = [
        (path, page.headings[0].text if page.headings else path.stem, linked[path])
        for path, page in pages.items()
    ]
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "path": str(short(path)),
                        "title": title,
                        "entries": [str(e.key or e.title) for _, e in found],
                    }
                    for path, title, found in rows
                ],
                ensure_ascii=False,
                indent=2,
            )
        )
        return
    for path, title, found in rows:
        print(f"{bold(plain(title))}  {short(path)}  {count(len(found), 'entry', 'entries')}")
        for row in found:
            print(f"  {place(row)}")


@app.command(rich_help_panel=PANEL)
def tags(paths: SomeLists = None, as_json: AsJson = False) -> None:
    """List the tags of your lists with how many entries carry each; those of whole lists are marked.

    Tags are `#words` and links to tags/… in an entry, a column of tags, the `<!-- TAGS` comment, front matter and
    tag badges.

    Example:  studiolo tags
    """
    documents = documents_of(paths)
    carried: dict[str, list[Entry]] = defaultdict(list)
    whole: dict[str, list[str]] = defaultdict(list)
    for document in documents:
        for entry in document.entries:
            for tag in entry.tags:
                carried[tag].append(entry)
        for tag in document.tags:
            whole[tag].append(str(document.path))
    names = sorted({*carried, *whole}, key=lambda tag: (-len(carried[tag]), tag.casefold()))
    if as_json:
        rows = [
            {
                "tag": tag,
                "entries": [str(e.key or e.title) for e in carried[tag]],
                "lists": whole[tag],
            }
            for tag in names
        ]
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for tag in names:
        of_lists = f"  of {', '.join(whole[tag])}" if whole[tag] else ""
        print(f"{len(carried[tag]):5}  {plain(tag)}{of_lists}")
    print(count(len(names), "tag"))


@app.command(rich_help_panel=PANEL)
def check(
    paths: SomeLists = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check lists: broken links, papers that stand twice, dead relative links, empty sections and more.

    Each line says where (file:line), which check, what is wrong and what to do. The exit code is 1 if there is an
    error, with --strict if there is anything at all.

    Example:  studiolo check lists/recent-ml-research.md
    """
    from studiolo.lists import check as check_lists

    documents = documents_of(paths)
    papers = cache(lambda: _papers(documents[0]))  # asked for at the first open question
    found = check_lists(
        documents, answered=lambda entry, question: bool(_answers(entry, question, papers()))
    )
    errors = sum(finding.level == "error" for finding in found)
    if as_json:
        print(
            json.dumps(
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
                ],
                ensure_ascii=False,
                indent=2,
            )
        )
    else:
        for finding in found:
            print(plain(str(finding)))
        print(f"{count(errors, 'error')}, {count(len(found) - errors, 'warning')}")
    if errors or (strict and found):
        raise typer.Exit(1)
