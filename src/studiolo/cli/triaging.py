"""The conversation of `studiolo triage`: one work at a time, one letter an answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .console import out
from .inbox import show_diff
from .options import counted, printable


if TYPE_CHECKING:
    from rich.console import Console

    from studiolo.library import Library, Pending, Plan, Proposal, Waiting
    from studiolo.lists import Document

HELP = """\
  y  write it as shown            s  another section (a number from the list)
  p  pass over: never show again  n  next, decide another time
  d  these are different works    u  undo the last step
  q  stop                         ?  this help
"""


def triage_inbox(library: Library, path: Path | None, *, everything: bool, source: str) -> None:
    """Ask about each waiting work until the inbox is empty or the reader stops.

    Raises:
        UsageError: there is no list and the reader wants none made.
    """
    from studiolo.library import load_waiting

    console = out()
    view = load_waiting(library)
    waiting = [
        pending
        for pending in view.pending
        if (everything or pending.is_paper) and (not source or source in pending.sources)
    ]
    if not waiting:
        others = len(view.pending)
        tail = f", but {counted(others, 'other page')}: studiolo triage --all" if others else ""
        console.print(f"No paper waits{tail}.", markup=False)
        return
    if path is None and library.main_list() is None:
        path = _first_list(library, console)
    console.print(
        f"{len(waiting):,} to decide. ? explains the letters; q stops, and nothing is lost.",
        markup=False,
    )
    if untitled := sum(not pending.has_title for pending in waiting):
        console.print(
            f"{untitled:,} without a title of their own: `studiolo lookup` asks arXiv for them, a hundred at a time.",
            markup=False,
        )
    steps: list[tuple[str, int]] = []
    at = 0
    while at < len(waiting):
        answer = _decide(library, path, view, waiting[at], f"{at + 1}/{len(waiting)}", console)
        if answer == "quit":
            break
        if answer == "undone":
            at = steps.pop()[1] if steps else at
            continue
        if answer != "next":
            steps.append((answer, at))
        at += 1
    counts = {word: sum(answer == word for answer, _ in steps) for word in ("written", "passed")}
    console.print(
        f"Written {counts['written']:,}, passed over {counts['passed']:,}. Take a step back at any time: studiolo undo",
        markup=False,
    )


def _first_list(library: Library, console: Console) -> Path:
    from studiolo.errors import UsageError
    from studiolo.library import new_list

    console.print(f"There is no list in {library.folder.resolve()} yet.", markup=False)
    if _ask("Make reading-list.md with a section “To Review”? [y/n] ") != "y":
        raise UsageError(
            "Triage needs a list. Name one with --list, or make one with `studiolo init`."
        )
    return new_list(library)


def _ask(prompt: str) -> str:
    """Return the reader's answer in small letters; the end of the input is q."""
    try:
        return input(prompt).strip().lower()
    except EOFError:
        return "q"


def _show(pending: Pending, view: Waiting, number: str, console: Console) -> None:
    from rich.text import Text

    console.print()
    console.print(Text(f"{number}  {printable(pending.title)}", style="bold"))
    known = view.facts.get(pending.key) if pending.key else None
    if known and known.authors:
        shown = ", ".join(known.authors[:4]) + (" and others" if len(known.authors) > 4 else "")
        console.print(
            f"  {printable(shown)}{f' - {known.year}' if known.year else ''}", markup=False
        )
    console.print(f"  {pending.key or pending.items[0].url}", markup=False)
    for item in pending.items[:6]:
        folder = f" in {' / '.join(item.folder)}" if item.folder else ""
        tags = f" #{' #'.join(item.tags[:6])}" if item.tags else ""
        date = f" on {item.saved_at[:10]}" if item.saved_at else ""
        console.print(
            printable(f"  saved{date} ({item.source}{folder}){tags}  {item.url}"),
            style="dim",
            markup=False,
        )
        if item.note:
            console.print(printable(f"    your note: {item.note[:300]}"), markup=False)
    if len(pending.items) > 6:
        console.print(f"  … and {len(pending.items) - 6} more times", style="dim", markup=False)
    for key in pending.papers:
        known = view.facts.get(key)
        console.print(f"  about {key}{f' {known.title}' if known else ''}", markup=False)
    for edge in view.works.edges_of(pending.key) if pending.key else []:
        if edge.grade == "maybe":
            console.print(printable(f"  {edge}"), style="yellow", markup=False)


def _decide(
    library: Library,
    path: Path | None,
    view: Waiting,
    pending: Pending,
    number: str,
    console: Console,
) -> str:
    from studiolo.errors import StudioloError
    from studiolo.library import carry_out, pass_with_undo, propose, undo
    from studiolo.lists import Document

    _show(pending, view, number, console)
    chosen = path or library.main_list()
    assert chosen is not None
    document = Document.load(chosen)
    proposals = propose(pending, document, view.facts)
    choice = 0
    while True:
        plan: Plan | None = None
        try:
            plan, reason = _plan(library, pending, view, document, proposals, choice)
            console.print(f"  → {reason}", markup=False)
            show_diff(plan)
        except StudioloError as problem:
            console.print(f"  {problem}", style="red", markup=False)
        answer = _ask("  [y/s/p/n/d/u/q/?] " if plan else "  [s/p/n/d/u/q/?] ")
        if answer == "y" and plan is not None:
            carry_out(library, plan)
            return "written"
        if answer == "p":
            pass_with_undo(library, pending)
            return "passed"
        if answer in {"n", ""}:
            return "next"
        if answer == "q":
            return "quit"
        if answer == "u":
            try:
                console.print(f"  taken back: {printable(undo(library))}", markup=False)
            except StudioloError as problem:
                console.print(f"  {problem}", style="red", markup=False)
                continue
            return "undone"
        if answer == "d":
            if _keep_apart(library, pending, console):
                return "next"
        elif answer.startswith("s"):
            choice, proposals = _choose(document, proposals, answer[1:].strip(), console)
        else:
            console.print(HELP, markup=False)


def _plan(
    library: Library,
    pending: Pending,
    view: Waiting,
    document: Document,
    proposals: list[Proposal],
    choice: int,
) -> tuple[Plan, str]:
    from studiolo.errors import UsageError
    from studiolo.library import item_of, plan_entry, plan_note

    if pending.on_list and choice == 0:
        from studiolo.lists import Document

        name, _, _ = pending.on_list.rpartition(":")
        home = Document.load(library.folder / name)
        keys = view.works.keys(pending.key) if pending.key else frozenset()
        entry = next((entry for entry in home.entries if keys & set(entry.keys)), None)
        notes = item_of(pending, view).notes
        if entry is not None and notes:
            return plan_note(
                home, entry, notes[-1], [pending.name]
            ), f"below “{entry.title}”, {pending.on_list}: its paper is there"
    if not proposals:
        raise UsageError(
            f"{document.path} has no headings. Give it one, for example `## To Review`, and come back."
        )
    proposal = proposals[max(0, choice - 1) if pending.on_list else choice]
    plan = plan_entry(document, item_of(pending, view), proposal.section, [pending.name])
    return plan, f"{proposal.section}: {proposal.reason}"


def _choose(
    document: Document, proposals: list[Proposal], typed: str, console: Console
) -> tuple[int, list[Proposal]]:
    """Let the reader pick a section by its number; the choice comes first from then on."""
    from studiolo.library import Proposal, sections_of

    sections = sections_of(document)
    if not typed:
        for number, section in enumerate(sections, 1):
            console.print(f"  {number:3} {section}", markup=False)
        typed = _ask("  section number: ")
    if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(sections):
        return 0, [Proposal(sections[int(typed) - 1], "your choice", 1.0), *proposals]
    console.print(
        f"  {typed!r} is no number of a section; there are {len(sections)}.", markup=False
    )
    return 0, proposals


def _keep_apart(library: Library, pending: Pending, console: Console) -> bool:
    """Remember that something in this group is not about this paper."""
    from studiolo.keys import find_mention
    from studiolo.library import READER, Edge, save_edges

    others = [
        mention.key
        for item in pending.items
        if (mention := find_mention(item.url)) and mention.key != pending.key
    ]
    others = list(dict.fromkeys(others))
    if pending.key is None or not others:
        console.print("  there is only one thing here.", markup=False)
        return False
    for number, key in enumerate(others, 1):
        console.print(f"  {number:3} {key}", markup=False)
    typed = _ask(f"  which is not {pending.key}? ") if len(others) > 1 else "1"
    if not (typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(others)):
        return False
    save_edges(
        library,
        [Edge(others[int(typed) - 1], pending.key, "different", "the reader says so", READER)],
    )
    console.print(f"  remembered: {others[int(typed) - 1]} is not {pending.key}.", markup=False)
    return True
