"""The conversation of `studiolo triage`: one work at a time, one letter an answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .console import clean, counted, say
from .diff import show_diff


if TYPE_CHECKING:
    from studiolo.library import Library, Pending, Plan, Proposal, Waiting
    from studiolo.lists import Document

HELP = """\
  y  write it as shown            s  another section (a number from the list)
  p  drop it: never show again    n  next, decide another time
  d  these are different works    u  undo the last step
  q  stop                         ?  this help
"""


def triage_inbox(library: Library, path: Path | None, *, everything: bool, source: str) -> None:
    """Ask about each waiting work until the inbox is empty or the reader stops.

    Raises:
        UsageError: there is no list and the reader wants none made.
    """
    from studiolo.library import load_waiting

    inbox = load_waiting(library)
    waiting = [
        pending
        for pending in inbox.pending
        if (everything or pending.is_paper) and (not source or source in pending.sources)
    ]
    if not waiting:
        others = len(inbox.pending)
        tail = f", but {counted(others, 'other page')}: studiolo triage --all" if others else ""
        say(f"No paper is waiting{tail}.")
        return
    if path is None and library.main_list() is None:
        path = _first_list(library)
    say(f"{len(waiting):,} to decide. ? explains the letters; q stops without losing anything.")
    if untitled := sum(not pending.has_title for pending in waiting):
        say(
            f"{untitled:,} without a title of their own: `studiolo lookup` asks arXiv for them, a hundred at a time."
        )
    steps: list[tuple[str, int]] = []
    at = 0
    while at < len(waiting):
        answer = _decide(library, path, inbox, waiting[at], f"{at + 1}/{len(waiting)}")
        if answer == "quit":
            break
        if answer == "undone":
            at = steps.pop()[1] if steps else at
            continue
        if answer != "next":
            steps.append((answer, at))
        at += 1
    counts = {word: sum(answer == word for answer, _ in steps) for word in ("written", "passed")}
    say(
        f"Written {counts['written']:,}, passed over {counts['passed']:,}. Undo a step at any time: studiolo undo"
    )


def _first_list(library: Library) -> Path:
    from studiolo.errors import UsageError
    from studiolo.library import save_new_list

    say(f"There is no list in {library.folder.resolve()} yet.")
    if _ask("Create reading-list.md with a section “To Review”? [y/n] ") != "y":
        raise UsageError(
            "Triage needs a list. Name one with --list, or create one with `studiolo init`."
        )
    return save_new_list(library)


def _ask(prompt: str) -> str:
    """Return the reader's answer in small letters; the end of the input is q."""
    try:
        return input(clean(prompt)).strip().lower()
    except EOFError:
        return "q"


def _show(pending: Pending, waiting: Waiting, number: str) -> None:
    say()
    say(f"{number}  {pending.title}", style="bold")
    known = waiting.facts.get(pending.key) if pending.key else None
    if known and known.authors:
        shown = ", ".join(known.authors[:4]) + (" and others" if len(known.authors) > 4 else "")
        say(f"  {shown}{f' - {known.year}' if known.year else ''}")
    say(f"  {pending.key or pending.items[0].url}")
    for item in pending.items[:6]:
        folder = f" in {' / '.join(item.folder)}" if item.folder else ""
        tags = f" #{' #'.join(item.tags[:6])}" if item.tags else ""
        date = f" on {item.saved_at[:10]}" if item.saved_at else ""
        say(f"  saved{date} ({item.source}{folder}){tags}  {item.url}", style="dim")
        if item.note:
            say(f"    your note: {item.note[:300]}")
    if len(pending.items) > 6:
        say(f"  … and {len(pending.items) - 6} more times", style="dim")
    for key in pending.papers:
        known = waiting.facts.get(key)
        say(f"  about {key}{f' {known.title}' if known else ''}")
    for edge in waiting.works.edges_of(pending.key) if pending.key else []:
        if edge.grade == "maybe":
            say(f"  {edge}", style="yellow")


def _decide(
    library: Library, path: Path | None, waiting: Waiting, pending: Pending, number: str
) -> str:
    from studiolo.errors import StudioloError
    from studiolo.library import carry_out, desk, undo
    from studiolo.lists import Document

    _show(pending, waiting, number)
    chosen = path or library.main_list()
    assert chosen is not None
    document = Document.load(chosen)
    places = desk.proposals(waiting, pending, document)
    while True:
        plan: Plan | None = None
        if not places:
            say("  ", desk.no_headings(document), style="red")
        else:
            try:
                plan = desk.put(library, waiting, pending, document, places[0])
            except StudioloError as problem:
                say(f"  {problem}", style="red")
            else:
                where = f"{' > '.join(plan.section)}: " if plan.section else ""
                say(f"  → {where}{plan.reason}")
                show_diff(plan)
        answer = _ask("  [y/s/p/n/d/u/q/?] " if plan else "  [s/p/n/d/u/q/?] ")
        if answer == "y" and plan is not None:
            carry_out(library, plan)
            return "written"
        if answer == "p":
            carry_out(library, desk.pass_over(pending))
            return "passed"
        if answer in {"n", ""}:
            return "next"
        if answer == "q":
            return "quit"
        if answer == "u":
            try:
                say(f"  taken back: {undo(library).what}")
            except StudioloError as problem:
                say(f"  {problem}", style="red")
                continue
            return "undone"
        if answer == "d":
            if _keep_apart(library, pending):
                return "next"
        elif answer.startswith("s"):
            places = [*_choose(document, answer[1:].strip()), *places]
        else:
            for line in HELP.splitlines():
                say(line)


def _choose(document: Document, typed: str) -> list[Proposal]:
    """Let the reader pick a section by its number; the choice comes first from then on."""
    from studiolo.library import Proposal, sections_of

    sections = sections_of(document)
    if not typed:
        for number, section in enumerate(sections, 1):
            say(f"  {number:3} {section}")
        typed = _ask("  section number: ")
    if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(sections):
        return [Proposal(sections[int(typed) - 1], "your choice", 1.0)]
    say(f"  {typed!r} is not the number of a section; there are {len(sections)}.")
    return []


def _keep_apart(library: Library, pending: Pending) -> bool:
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
        say("  there is only one thing here.")
        return False
    for number, key in enumerate(others, 1):
        say(f"  {number:3} {key}")
    typed = _ask(f"  which is not {pending.key}? ") if len(others) > 1 else "1"
    if not (typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(others)):
        return False
    save_edges(
        library,
        [Edge(others[int(typed) - 1], pending.key, "different", "the reader says so", READER)],
    )
    say(f"  remembered: {others[int(typed) - 1]} is not {pending.key}.")
    return True
