"""Into the list: a plan that shows every byte, the writing of exactly that, and its undoing."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studiolo.errors import StaleEdit, UsageError
from studiolo.files import append_records, load_records, save_bytes
from studiolo.keys import Key, address_of, why_not_a_page
from studiolo.lists import (
    Document,
    Edit,
    Entry,
    Item,
    Section,
    annotate,
    apply_edits,
    edited,
    escape,
    insert,
    inverse,
)

from .edges import key_at
from .folder import Library
from .history import load_changes, undo as undo_change
from .waiting import Pending, Waiting, pass_over, tidy_title


@dataclass(frozen=True, slots=True)
class Plan:
    """A change to one list that was checked and not made yet.

    Attributes:
        path: the list.
        before, after: the whole list.
        edits: what makes the one from the other.
        names: things of the inbox that it settles.
        what: in words, for the journal.
    """

    path: Path
    before: Document
    after: Document
    edits: tuple[Edit, ...]
    names: tuple[str, ...]
    what: str

    def diff(self, context: int = 2) -> list[str]:
        """Return the lines of a unified diff, without its file names."""
        old, new = (
            document.data.decode("utf-8", "replace").splitlines()
            for document in (self.before, self.after)
        )
        return list(difflib.unified_diff(old, new, lineterm="", n=context))[2:]


def item_of(pending: Pending, view: Waiting) -> Item:
    """Return what a list could say of a pending thing; the list's own form decides what of it is written.

    The reader's notes become notes, and so does each further thing about the paper (a repository, a talk).
    """
    known = view.facts.get(pending.key) if pending.key else None
    url = pending.items[0].url
    if pending.key and pending.key.kind in {"arxiv", "doi", "github", "reddit"}:
        url = address_of(pending.key)
    elif own := next((item.url for item in pending.items if key_at(item.url) == pending.key), ""):
        url = own
    notes = [escape(line) for note in pending.notes for line in _lines(note)]
    ours = view.works.keys(pending.key) if pending.key else frozenset()
    told: set[Key] = set()
    for item in pending.items:
        key = key_at(item.url)
        if key is None or key in ours or key in told or why_not_a_page(item.url):
            continue
        told.add(key)
        title = tidy_title(item.title)
        named = (
            title
            and title.casefold() not in {pending.title.casefold(), key.value}
            and "://" not in title
        )
        address = re.sub(r"[\s<>]", lambda m: f"%{ord(m[0]):02X}", item.url)
        notes.append(f"{escape(title)}: {address}" if named else address)
    name = re.match(r"([A-Za-z][\w+.-]{1,24}):\s+\S", pending.title)
    year = known.year if known else _year_of(pending.key)
    return Item(
        title=" ".join(pending.title.split()),
        url=url,
        name=name[1] if name else None,
        authors=known.authors if known else (),
        year=year,
        notes=tuple(notes),
    )


def _lines(note: str) -> list[str]:
    """Return the lines of a note, or the whole of a long one as one."""
    lines = [line.strip() for line in note.splitlines() if line.strip()]
    return lines if len(lines) <= 8 else [" ".join(lines)]


def _year_of(key: Key | None) -> int | None:
    """Return the year that an arXiv id tells: its first two digits."""
    if key is None or key.kind != "arxiv":
        return None
    digits = re.search(r"(?:^|/)(\d\d)(?:0[1-9]|1[0-2])", key.value)
    if digits is None:
        return None
    year = int(digits[1])
    return 1900 + year if year > 90 else 2000 + year


def plan_entry(
    document: Document,
    item: Item,
    section: str | tuple[str, ...] | Section,
    names: Iterable[str] = (),
) -> Plan:
    """Return the plan that puts an item at the end of a section, in its neighbours' style.

    Raises:
        UsageError: there is no such section.
        ListError: the list cannot be edited so; nothing was written.
    """
    edits = insert(document, item, section)
    after = edited(document, edits, added=1)
    assert document.path is not None
    return Plan(document.path, document, after, edits, tuple(names), f"added {item.title!r}")


def plan_note(document: Document, entry: Entry, text: str, names: Iterable[str] = ()) -> Plan:
    """Return the plan that notes something (a repository, a talk) below an entry that is on the list already.

    Raises:
        ListError: the entry cannot carry notes.
    """
    edits = annotate(document, entry, text)
    after = edited(document, edits, touched=[entry])
    assert document.path is not None
    return Plan(
        document.path, document, after, edits, tuple(names), f"noted {text!r} below {entry.title!r}"
    )


def undo_path(library: Library) -> Path:
    """Return the journal of changes."""
    return library.state / "undo.jsonl"


def carry_out(library: Library, plan: Plan) -> None:
    """Write a plan: first into the journal, then the list, whole or not at all.

    Raises:
        StaleEdit: the list was changed since it was read.
    """
    library.prepare()
    record = {
        "id": _digest(plan.after.data) + _digest(plan.before.data),
        "list": library.relative(plan.path),
        "before": _digest(plan.before.data),
        "after": _digest(plan.after.data),
        "edits": [[edit.start, edit.old.decode(), edit.new.decode()] for edit in plan.edits],
        "what": plan.what,
        "on": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    append_records(undo_path(library), [record])
    save_bytes(plan.path, plan.after.data, plan.before.data)
    library.__dict__.pop("documents", None)


def pass_with_undo(library: Library, pending: Pending) -> None:
    """Pass a thing over, so that `undo` can bring it back."""
    now = datetime.now(UTC)
    record = {
        "id": f"pass {pending.name} {now.isoformat()}",
        "passed": [pending.name],
        "what": f"passed over {pending.title!r}",
        "on": now.isoformat(timespec="seconds"),
    }
    library.prepare()
    append_records(undo_path(library), [record])
    pass_over(library, [pending.name])


def undo(library: Library) -> str:
    """Take the last change back and return what it was, whether it was made here or by a command that marks, moves or notes.

    Text that was written around it since stays; if the very lines were edited, nothing is changed.

    Raises:
        UsageError: there is nothing to undo.
        StaleEdit: what was written is not there any more as it was.
    """
    open_changes: dict[str, dict[str, Any]] = {}
    for record in load_records(undo_path(library)):
        if "undone" in record:
            open_changes.pop(str(record["undone"]), None)
        elif "id" in record:
            open_changes.pop(str(record["id"]), None)
            open_changes[str(record["id"])] = record
    root = library.folder.resolve()
    elsewhere = load_changes(root)
    for name, record in reversed(open_changes.items()):
        if elsewhere and elsewhere[-1].at > str(record.get("on", "")):
            break
        if _undo_one(library, record):
            append_records(undo_path(library), [{"undone": name}])
            return str(record.get("what", ""))
        append_records(
            undo_path(library), [{"undone": name}]
        )  # it was never made: the process died before it wrote
    if elsewhere:
        library.__dict__.pop("documents", None)
        return undo_change(root).what
    raise UsageError("There is nothing to undo.")


def _undo_one(library: Library, record: dict[str, Any]) -> bool:
    """Take a change back; False where the list shows that it was never made."""
    if "passed" in record:
        pass_over(library, record["passed"], back=True)
        return True
    path = library.folder / str(record["list"])
    document = Document.load(path)
    if _digest(document.data) == record["before"]:
        return False
    edits = inverse(
        [Edit(int(start), old.encode(), new.encode()) for start, old, new in record["edits"]]
    )
    if _digest(document.data) != record["after"]:
        edits = tuple(_moved(edit, document, path) for edit in edits)
    save_bytes(path, apply_edits(document.data, edits), document.data)
    library.__dict__.pop("documents", None)
    return True


def _moved(edit: Edit, document: Document, path: Path) -> Edit:
    """Return an edit at the place where its bytes stand now, if they stand there exactly once."""
    if not edit.old.strip() or document.data.count(edit.old) != 1:
        raise StaleEdit(
            f"{path} was edited where Studiolo had written, so the change cannot be taken back alone. Nothing was changed; "
            "use your editor or git."
        )
    return Edit(document.data.index(edit.old), edit.old, edit.new)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:24]


def new_list(library: Library, name: str = "reading-list.md") -> Path:
    """Make the first list of a library and return its path.

    Raises:
        StaleEdit: there is such a file.
    """
    path = library.folder / name
    save_bytes(path, b"# Reading list\n\n## To Review\n", None)
    library.__dict__.pop("documents", None)
    return path
