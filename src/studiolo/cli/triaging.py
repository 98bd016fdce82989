"""The conversation of `studiolo triage`: one work at a time, one letter an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from studiolo.errors import StudioloError, UsageError

from .asking import ask, ask_letter, ask_line
from .console import counted, say
from .diff import show_diff
from .options import from_source


if TYPE_CHECKING:
    from studiolo.library import Change, Draft, Library, Pending, Plan, Waiting
    from studiolo.lists import Document, State

HELP = """\
  y  write it as shown            s  another section: its number or name, or +Name for a new one
  p  pass it over: never again    n  next, decide another time
  t  change the title             a  change the note
  #  change the tags              r  to read, reading or read
  d  these are different works    u  undo the last step
  q  stop; nothing is lost        ?  this help
"""
_LETTERS = "y/s/p/n/t/a/#/r/d/u/q/?"
_NEXT_STATE: dict[State | None, State | None] = {None: "reading", "reading": "read", "read": None}


@dataclass(frozen=True)
class _Step:
    """A step that can be taken back: at which thing, what was done, and what was changed of it before."""

    did: Literal["written", "passed", "kept apart", "next", "edited"]
    name: str
    draft: Draft
    change: Change | None = None


def triage_inbox(
    library: Library,
    path: Path | None,
    *,
    everything: bool,
    source: str,
    tags: Sequence[str] = (),
) -> None:
    """Ask about each waiting work until the inbox is empty or the reader stops.

    Raises:
        UsageError: nothing is from that source; or there is no list and the reader wants none made.
    """
    from studiolo.library import load_waiting

    def chosen(inbox: Waiting) -> list[Pending]:
        has_tags = inbox.vocabulary.having(tags)
        return [
            pending
            for pending in from_source(inbox, source)
            if (everything or pending.is_paper) and has_tags(pending.tags)
        ]

    inbox = load_waiting(library)
    waiting = chosen(inbox)
    if not waiting:
        others = sum(not pending.is_paper for pending in inbox.pending)
        tail = f", but {counted(others, 'other page')}: studiolo triage --all" if others else ""
        say(f"No paper is waiting{tail if not everything and not tags else ''}.")
        return
    if path is None and library.main_list() is None:
        path = _first_list(library)
    say(f"{len(waiting):,} to decide. ? explains the letters; q stops without losing anything.")
    if untitled := sum(not pending.has_title for pending in waiting):
        say(
            f"{untitled:,} without a title of their own: `studiolo lookup` asks arXiv for them, a hundred at a time."
        )
    _Session(library, path, inbox, chosen).talk()


def _first_list(library: Library) -> Path:
    from studiolo.library import save_new_list

    say(f"There is no list in {library.folder.resolve()} yet.")
    if ask_letter("Create reading-list.md with a section “To Review”? [y/n] ") != "y":
        raise UsageError(
            "Triage needs a list. Name one with --list, or create one with `studiolo init`."
        )
    return save_new_list(library)


class _Session:
    """One run of triage: what is to be decided, and the steps that can be taken back."""

    def __init__(
        self,
        library: Library,
        path: Path | None,
        waiting: Waiting,
        chosen: Callable[[Waiting], list[Pending]],
    ) -> None:
        from studiolo.library import load_drafts

        self.library = library
        self.path = path
        self.waiting = waiting
        self.drafts = load_drafts(library)
        self.chosen = chosen
        self.things = {pending.name: pending for pending in chosen(waiting)}
        self.order = sorted(self.things, key=lambda name: self._draft(name).later)
        self.steps: list[_Step] = []
        self.at = 0

    def talk(self) -> None:
        """Ask until all is decided or the reader stops, and say what was done."""
        try:
            while self.at < len(self.order):
                name = self.order[self.at]
                if name not in self.things:
                    self.at += 1  # it became a part of another thing
                elif not self._decide(self.things[name]):
                    break
        finally:
            did = [step.did for step in self.steps]
            left = sum(name in self.things for name in self.order[self.at :]) + did.count("next")
            say(
                f"Written {did.count('written'):,}, passed over {did.count('passed'):,}, left {left:,}. "
                "Undo a step at any time: studiolo undo"
            )

    def _draft(self, name: str) -> Draft:
        from studiolo.library import Draft

        return self.drafts.get(name) or Draft(name)

    def _decide(self, pending: Pending) -> bool:
        """Ask about one thing until the reader goes to another; False to stop."""
        _show(pending, self.waiting, f"{self.at + 1}/{len(self.order)}")
        while True:
            draft = self._draft(pending.name)
            document = self._document()
            plan = self._plan(pending, draft, document)
            letters = _LETTERS if plan else _LETTERS[2:]
            answer = ask_letter(f"  [{letters}] ")
            letter, rest = answer[:1].lower(), answer[1:].strip()
            if letter == "q":
                return False
            if letter == "y" and plan is not None:
                return self._made("written", draft, plan)
            if letter == "p":
                from studiolo.library import desk

                return self._made("passed", draft, desk.pass_over(pending))
            if letter in {"n", ""}:
                self.steps.append(_Step("next", pending.name, draft))
                self._keep(replace(draft, later=True))
                self.at += 1
                return True
            if letter == "u":
                if self._undo(pending):
                    return True
            elif letter == "d":
                if self._keep_apart(pending, draft):
                    return True
            elif letter in {"s", "t", "#", "a", "r"}:
                changed = self._changed(letter, rest, draft, pending, document)
                if changed != draft:
                    self.steps.append(_Step("edited", pending.name, draft))
                    self._keep(changed)
            else:
                for line in HELP.splitlines():
                    say(line)

    def _document(self) -> Document:
        from studiolo.lists import Document

        chosen = self.path or self.library.main_list()
        assert chosen is not None
        return Document.load(chosen)

    def _plan(self, pending: Pending, draft: Draft, document: Document) -> Plan | None:
        """Show where a thing would go, and the exact change; None where it cannot go there."""
        from studiolo.library import Proposal, desk, plan_draft

        places = desk.proposals(self.waiting, draft.applied(pending), document)
        if draft.section:
            places = [Proposal(draft.section, "your choice", 1.0), *places]
        if not places and not draft.new_section:
            say("  ", desk.no_headings(document), style="red")
            return None
        place = places[0] if places else Proposal((), "", 1.0)
        try:
            plan = plan_draft(self.library, self.waiting, pending, document, place, draft)
        except StudioloError as problem:
            say(f"  {problem}", style="red")
            return None
        reason = plan.reason or ("a new section" if draft.new_section else "")
        say("  → ", ": ".join(filter(None, (" > ".join(plan.section), reason))))
        show_diff(plan)
        beside = dict.fromkeys(tag for kept in plan.keeping for tag in kept.tags or ())
        told = [f"tags kept beside the list: {', '.join(beside)}" if beside else ""]
        told += [f"as {draft.state}" if draft.state else ""]
        if any(told):
            say("  ", "; ".join(filter(None, told)), style="dim")
        return plan

    def _made(self, did: Literal["written", "passed"], draft: Draft, plan: Plan) -> bool:
        from studiolo.library import carry_out

        try:
            change = carry_out(self.library, plan)
        except StudioloError as problem:
            say(f"  {problem}", style="red")
            return True  # the same thing again, with the list as it is now
        self.steps.append(_Step(did, draft.name, draft, change))
        self.at += 1
        return True

    def _keep(self, draft: Draft) -> None:
        from studiolo.library import save_draft

        self.drafts[draft.name] = draft
        save_draft(self.library, draft)

    def _undo(self, pending: Pending) -> bool:
        """Take the last step of this session back, and nothing else; True where that leads to another thing."""
        from studiolo.library import undo

        if not self.steps:
            say("  Nothing was done in this session yet. What was done before: studiolo undo")
            return False
        step = self.steps[-1]
        if step.change is not None:
            try:
                change = undo(self.library, step.change)
            except StudioloError as problem:
                say(f"  {problem}", style="red")
                return False
            say(f"  taken back: {change.what}")
            if step.did == "kept apart":
                self._look_again()
        self.steps.pop()
        if self._draft(step.name) != step.draft:
            self._keep(step.draft)
        self.at = self.order.index(step.name)
        return step.did != "edited" or step.name != pending.name

    def _look_again(self) -> None:
        """Read the inbox again, after what belongs together has changed; the order of what was there stays."""
        from studiolo.library import load_waiting

        self.waiting = load_waiting(self.library)
        asked = {one.name: one for one in self.chosen(self.waiting)}
        self.things = {
            one.name: one for one in self.waiting.pending if one.name in self.order
        } | asked
        self.order += [name for name in asked if name not in self.order]

    def _keep_apart(self, pending: Pending, draft: Draft) -> bool:
        """Remember that something in this group is not about this paper."""
        from studiolo.keys import find_mention
        from studiolo.library import carry_out, keep_apart

        others = [
            mention.key
            for item in pending.items
            if (mention := find_mention(item.url)) and mention.key != pending.key
        ]
        others = list(dict.fromkeys(others))
        if pending.key is None or not others:
            say("  there is only one thing here.")
            return False
        if len(others) > 1:
            for number, key in enumerate(others, 1):
                say(f"  {number:3} {key}")
            typed = ask(f"  which is not {pending.key}? ")
        else:
            typed = "1"
        if not (typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(others)):
            say(f"  {typed!r} is not one of these numbers.")
            return False
        other = others[int(typed) - 1]
        change = carry_out(self.library, keep_apart(other, pending.key))
        self.steps.append(_Step("kept apart", pending.name, draft, change))
        say(f"  remembered: {other} is not {pending.key}.")
        self._look_again()
        alone = self.waiting.find(str(other))
        if alone and alone.name not in self.things:
            say(f"  {other} waits by itself, among the other pages: studiolo triage --all")
        return True

    def _changed(
        self, letter: str, typed: str, draft: Draft, pending: Pending, document: Document
    ) -> Draft:
        """Return the draft with what the reader wants changed."""
        now = draft.applied(pending)
        if letter == "r":
            return replace(draft, state=_NEXT_STATE.get(draft.state))
        if letter == "s":
            place = _choose(document, typed)
            if isinstance(place, str):
                return replace(draft, section=None, new_section=place)
            return replace(draft, section=place, new_section="") if place else draft
        notes = [line for note in now.notes for line in note.splitlines() if line.strip()]
        asked, before = {
            "t": ("title", now.title),
            "#": ("tags, with commas", ", ".join(now.tags)),
            "a": (
                "note" if len(notes) < 2 else "one more note",
                notes[0] if len(notes) == 1 else "",
            ),
        }[letter]
        line = typed or ask_line(f"  {asked}: ", before)
        if line is None:
            return draft
        if letter == "t":
            return replace(draft, title=line) if line and line != now.title else draft
        if letter == "#":
            tags = [tag.strip().lstrip("#") for tag in line.replace(" #", ",#").split(",")]
            return replace(draft, tags=tuple(dict.fromkeys(filter(None, tags))))
        return replace(draft, note="\n".join([*notes, line] if len(notes) > 1 else [line]))


def _choose(document: Document, typed: str) -> tuple[str, ...] | str | None:
    """Let the reader pick a section by its number or name; the text behind a + is the name of a new one."""
    from studiolo.library import sections_of
    from studiolo.lists import find_section

    sections = sections_of(document)
    if not typed:
        for number, section in enumerate(sections, 1):
            say(f"  {number:3} {section}")
        typed = ask_line("  section (number, name, or +Name for a new one): ") or ""
    if not typed:
        return None
    if typed.startswith("+"):
        return typed[1:].strip()
    if not (typed.isascii() and typed.isdigit()):
        try:
            return find_section(document, typed, prefer="to read").path
        except UsageError as problem:
            say(f"  {problem}", style="red")
            return None
    if 1 <= int(typed) <= len(sections):
        return sections[int(typed) - 1].path
    say(f"  {typed!r} is not the number of a section; there are {len(sections)}.")
    return None


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
