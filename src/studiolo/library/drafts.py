"""What the reader changed of a pending thing before deciding about it: `.studiolo/drafts.jsonl`, the last line of a thing counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from studiolo.files import append_json_lines, load_records
from studiolo.lists import STATES, Document, State

from . import desk
from .entries import Listed
from .folder import Library
from .items import item_of
from .placing import Proposal
from .plan import Plan, difference, joined
from .putting import plan_section
from .tagging import tag
from .waiting import Pending, Waiting


@dataclass(frozen=True, slots=True)
class Draft:
    """What was changed of one pending thing; None where nothing was.

    Attributes:
        name: of the pending thing.
        note: instead of the notes that came with it; one line a note.
        section: path of the section that it goes to.
        new_section: name of a section that is made for it.
        later: whether the reader left it for another time.
    """

    name: str
    title: str | None = None
    tags: tuple[str, ...] | None = None
    note: str | None = None
    state: State | None = None
    section: tuple[str, ...] | None = None
    new_section: str = ""
    later: bool = False

    def applied(self, pending: Pending) -> Pending:
        """Return the pending thing as it was changed."""
        items = list(pending.items)
        if self.tags is not None:
            items = [replace(one, tags=() if n else self.tags) for n, one in enumerate(items)]
        if self.note is not None:
            items = [replace(one, note="" if n else self.note) for n, one in enumerate(items)]
        if self.state is not None:
            items = [replace(one, state=self.state) for one in items]
        return replace(pending, title=self.title or pending.title, items=items)


def plan_draft(
    library: Library,
    waiting: Waiting,
    pending: Pending,
    document: Document,
    proposal: Proposal,
    draft: Draft,
) -> Plan:
    """Plan to put a changed thing on a list, with its tags and state, as one change that is taken back as a whole.

    Raises:
        UsageError: there is no such section; a tag cannot be written.
        ListError: the list cannot be edited so.
    """
    changed = draft.applied(pending)
    if draft.new_section:
        item = item_of(changed, waiting)
        plan = plan_section(library, changed, document, item, draft.new_section)
    else:
        plan = desk.put(library, waiting, changed, document, proposal)
    if draft.tags and (listed := _new_entry(plan)):
        missing = [one for one in draft.tags if one not in listed.entry.tags]
        tagged = tag(library, listed, missing) if missing else None
        plan = joined(plan, tagged) if tagged else plan
    if draft.state in ("reading", "read") and (listed := _new_entry(plan)):
        plan = joined(plan, desk.mark(library, listed, draft.state))
        moved = _new_entry(plan)
        if moved and moved.entry.section != listed.entry.section:
            plan = replace(plan, section=moved.entry.section)
    return plan


def _new_entry(plan: Plan) -> Listed | None:
    """Return the entry that a plan adds, None where it adds something below one."""
    if plan.before is None or plan.after is None:
        return None
    if len(plan.after.entries) != len(plan.before.entries) + 1:
        return None
    edit = difference(plan.before.data, plan.after.data)
    assert edit is not None
    end = edit.start + len(edit.new)
    found = [entry for entry in plan.after.entries if edit.start <= entry.span[0] < end]
    return Listed(plan.after, found[0]) if len(found) == 1 else None


def load_drafts(library: Library) -> dict[str, Draft]:
    """Return the drafts by the names of their things; lines that are not ours are passed over."""
    return {
        draft.name: draft for draft in load_records(library.state / "drafts.jsonl", _draft_from)
    }


def save_draft(library: Library, draft: Draft) -> None:
    """Keep what was changed of a thing.

    Raises:
        FileError: it cannot be written.
    """
    library.prepare()
    record = {
        name: value
        for name, value in asdict(draft).items()
        if value not in (None, False) and (value or name not in ("new_section", "title"))
    }
    append_json_lines(library.state / "drafts.jsonl", [record])


def _draft_from(record: Mapping[str, Any]) -> Draft:
    state = record.get("state")
    tags, section = (
        tuple(map(str, record[name])) if name in record else None for name in ("tags", "section")
    )
    return Draft(
        str(record["name"]),
        None if record.get("title") is None else str(record["title"]),
        tags,
        None if record.get("note") is None else str(record["note"]),
        state if state in STATES else None,
        section,
        str(record.get("new_section", "")),
        bool(record.get("later")),
    )
