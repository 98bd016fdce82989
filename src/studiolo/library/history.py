"""What was changed, so that it can be taken back, the last first: `.studiolo/history.jsonl`.

The order of the changes is the order of the lines. A change is written down before it is made, and taking one back adds
a line that says so: the file only grows, and after a crash the lists tell what was made. A line may also say on which
day keys were first seen on a list, where nothing else knows it.

Libraries of before kept two journals, `edits.jsonl` and `undo.jsonl`. What can still be taken back in them becomes the
first lines of this one, in the order of their times.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

from studiolo.errors import FileError, ListError, StaleEdit, StudioloError, UsageError
from studiolo.files import append_lines, load_json_lines, load_records, save_bytes
from studiolo.keys import Key
from studiolo.lists import Document, Edit, Entry, apply_edits, edited, inverse

from .cite_keys import load_cite_keys, save_names
from .edges import Edge, edge_from, edge_record, said_by_reader, save_edges
from .folder import Library
from .inbox import Inbox
from .plan import Naming, Plan, difference
from .reading import Kept, kept_from, load_kept, merged, restore_kept, save_kept
from .rewriting import (
    Rewritten,
    bytes_of,
    digest_of,
    rewrite,
    rewritten,
    text_of,
    written_back,
)
from .waiting import passed_names, refused_names, save_passed, save_refused


_OLD_JOURNALS = ("edits.jsonl", "undo.jsonl")


@dataclass(frozen=True, slots=True)
class Change:
    """One change that was made, or begun.

    Attributes:
        id: what the line that takes it back calls it.
        what: in words, for example `read FNet`.
        at: when, ISO 8601, UTC; shown, never compared.
        list: the list as seen from the library; empty where none was written.
        edits: what was done to it.
        before, after: SHA-256 of the list, or its beginning; `before` is empty where it is not known.
        kept_before, kept_after: what is kept beside the lists of the keys concerned; `kept_after` is empty where it is
            not known.
        passed: names of pending things that were passed over.
        refused: keys that the reader said no to.
        related: what the reader said of two keys, each with what was said of them before.
        named: cite keys that the reader chose.
        pages: what was done to further files.
    """

    id: str
    what: str
    at: str
    list: str = ""
    edits: tuple[Edit, ...] = ()
    before: str = ""
    after: str = ""
    kept_before: Mapping[Key, Kept | None] = field(default_factory=dict)
    kept_after: Mapping[Key, Kept | None] = field(default_factory=dict)
    passed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    related: tuple[tuple[Edge, Edge | None], ...] = ()
    named: tuple[Naming, ...] = ()
    pages: tuple[Rewritten, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return it as plain JSON values, empty ones left out."""
        record: dict[str, Any] = {
            name: value
            for name in ("id", "what", "at", "list", "before", "after")
            if (value := getattr(self, name))
        }
        if self.edits:
            record["edits"] = [[e.start, text_of(e.old), text_of(e.new)] for e in self.edits]
        if self.pages:
            record["pages"] = [page.to_record() for page in self.pages]
        for name in ("kept_before", "kept_after"):
            if kept := getattr(self, name):
                record[name] = {str(k): one.to_record() if one else None for k, one in kept.items()}
        for name in ("passed", "refused"):
            if names := getattr(self, name):
                record[name] = list(names)
        if self.named:
            record["named"] = [list(naming) for naming in self.named]
        if self.related:
            record["related"] = [
                [edge_record(edge), edge_record(before) if before else None]
                for edge, before in self.related
            ]
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Change:
        """Return what `to_record` wrote.

        Raises:
            UsageError, KeyError, TypeError, ValueError, AttributeError: the record is not one of ours.
        """
        return cls(
            **{
                name: str(record.get(name, ""))
                for name in ("id", "what", "at", "list", "before", "after")
            },
            edits=tuple(
                Edit(int(start), bytes_of(old), bytes_of(new))
                for start, old, new in record.get("edits", ())
            ),
            kept_before=_kept(record.get("kept_before", {})),
            kept_after=_kept(record.get("kept_after", {})),
            passed=tuple(map(str, record.get("passed", ()))),
            refused=tuple(map(str, record.get("refused", ()))),
            related=tuple(
                (edge_from(edge), edge_from(before) if before else None)
                for edge, before in record.get("related", ())
            ),
            named=tuple(Naming(*map(str, naming)) for naming in record.get("named", ())),
            pages=tuple(map(Rewritten.from_record, record.get("pages", ()))),
        )


def headings_made(library: Library, document: Document) -> set[bytes]:
    """Return the headings that marking something as read, begun or unread made on a list, as they were written."""
    if document.path is None:
        return set()
    name = library.relative(document.path)
    added = (
        Document(edit.new)
        for change in load_changes(library)
        if change.list == name and change.what.startswith(("read ", "started ", "unread "))
        for edit in change.edits
    )
    return {
        text.data[section.start : section.body].strip()
        for text in added
        for section in text.sections
        if section.path
    }


def history_path(library: Library) -> Path:
    """Return the journal of changes."""
    return library.state / "history.jsonl"


def load_changes(library: Library) -> list[Change]:
    """Return the changes that can be taken back, oldest first; lines that are not ours are passed over."""
    lines = list(load_records(history_path(library), _line))
    changes: dict[str, Change] = {}
    if not _read_old_journals(record for record, _ in lines):
        changes = {change.id: change for change in _old_changes(library)}
    for _, change in lines:
        if change:
            changes.setdefault(change.id, change)
    undone = {str(record["undone"]) for record, _ in lines if "undone" in record}
    return [change for change in changes.values() if change.id not in undone]


def _line(record: dict[str, Any]) -> tuple[dict[str, Any], Change | None]:
    """Return a line of a journal and the change in it; a line that takes one back has none."""
    return record, Change.from_record(record) if record.get("id") else None


def load_seen(library: Library) -> dict[Key, str]:
    """Return the day on which a key was first seen on a list, ISO 8601, of those that were remembered."""

    def seen_in(record: dict[str, Any]) -> dict[Key, str]:
        seen = record.get("seen", {})
        return {Key.parse(key): date.fromisoformat(day).isoformat() for key, day in seen.items()}

    days: dict[Key, str] = {}
    for seen in load_records(history_path(library), seen_in):
        for key, day in seen.items():
            days[key] = min(day, days.get(key, day))
    return days


def save_seen(library: Library, days: Mapping[Key, str]) -> None:
    """Remember on which day keys were first seen on a list; what is remembered already stays.

    Raises:
        FileError: the journal cannot be written.
    """
    known = load_seen(library)
    new = {str(key): day for key, day in sorted(days.items()) if key not in known}
    if new:
        library.prepare()
        _append(library, {"seen": new})


def carry_out(library: Library, plan: Plan) -> Change:
    """Make a plan: first into the journal, then the list, whole or not at all, then what is kept beside it.

    Raises:
        StaleEdit: the list was changed since it was read; nothing is written.
        FileError: a file cannot be written; or the list lies outside of the library.
        ListError: the list was not read from a file.
    """
    before, after, path = plan.before, plan.after, plan.path
    if plan.edits and (path is None or before is None or after is None):
        raise ListError("This list was not read from a file, so it cannot be written.")
    if path and not library.holds(path):
        raise FileError(
            f"{path} lies outside of the library {library.folder}. Give the library it belongs to."
        )
    library.prepare()
    kept = load_kept(library.folder) if plan.keeping else {}
    keeping = merged(kept, plan.keeping)
    change = Change(
        secrets.token_hex(8),
        plan.what,
        datetime.now(UTC).isoformat(timespec="seconds"),
        library.relative(path) if path else "",
        plan.edits,
        digest_of(before.data) if before and path else "",
        digest_of(after.data) if after and path else "",
        {key: kept.get(key) for key in keeping},
        keeping,
        plan.passing,
        plan.refusing,
        tuple((edge, said_by_reader(library, edge.a, edge.b)) for edge in plan.relating),
        plan.naming,
        tuple(rewritten(library, page) for page in plan.pages),
    )
    _append(library, change.to_record())
    try:
        with rewrite(plan.pages):
            if path and before and after:
                save_bytes(path, after.data, before.data)
    except StudioloError:
        with contextlib.suppress(FileError):  # the list itself shows that it was not made
            _append(library, {"undone": change.id})
        raise
    if plan.keeping:
        save_kept(library.folder, plan.keeping)
    if plan.passing:
        save_passed(library, plan.passing)
    if plan.refusing:
        save_refused(library, plan.refusing)
    if plan.collecting:
        Inbox(library).collect(plan.collecting)
    if plan.relating:
        save_edges(library, plan.relating)
    if plan.naming:
        save_names(library, plan.naming)
    library.forget()
    return change


def plan_undo(library: Library) -> tuple[Change, Plan]:
    """Return the change that `undo` would take back, and what that does to its list and pages; nothing is written.

    Raises:
        UsageError: there is nothing to undo.
        StaleEdit: what was written is not there any more as it was.
    """
    for change in reversed(load_changes(library)):
        written = _list_without(library, change) if change.edits else None
        pages = tuple(written_back(library, change.pages, change.what))
        kept = _kept_without(library, change)
        if written is None and not pages and not kept and not _still_said(library, change):
            continue  # it was never made
        if written is None:
            return change, Plan(change.what, pages=pages)
        path, document, new = written
        edit = difference(document.data, new)
        edits = (edit,) if edit else ()
        return change, Plan(change.what, document, Document(new, path), edits, pages=pages)
    raise UsageError(f"There is nothing to undo in {library.folder}.")


def _still_said(library: Library, change: Change) -> bool:
    """Whether anything else that a change said still stands: passed over, refused, related, named."""
    names = load_cite_keys(library).of if change.named else {}
    return (
        not passed_names(library).isdisjoint(change.passed)
        or not refused_names(library).isdisjoint(change.refused)
        or any(said_by_reader(library, e.a, e.b) == e for e, _ in change.related)
        or any(names.get(naming.work) == naming.name for naming in change.named)
    )


def undo(library: Library, only: Change | None = None) -> Change:
    """Take the last change back and return it.

    What was written elsewhere on the list since stays. If what was written was edited, or something was written below
    it, nothing is changed: no note of the reader's may end up below another paper.

    Args:
        only: take back this change, and nothing where another was made since.

    Raises:
        UsageError: there is nothing to undo; or `only` is not the last change.
        StaleEdit: what was written is not there any more as it was; nothing is changed.
        FileError: the journal names a list outside of the library.
    """
    for change in reversed(load_changes(library)):
        if only and change.id != only.id:
            raise UsageError(
                f"“{change.what}” was done after “{only.what}”. Take it back first: studiolo undo"
            )
        was_made = _take_back(library, change)
        _append(library, {"undone": change.id})
        if was_made:
            library.forget()
            return change
    raise UsageError(f"There is nothing to undo in {library.folder}.")


def _take_back(library: Library, change: Change) -> bool:
    """Take a change back; False where there is nothing of it: it was never made, because the process died before."""
    written = _list_without(library, change) if change.edits else None
    pages = written_back(library, change.pages, change.what)
    kept = _kept_without(library, change)
    passed = [name for name in change.passed if name in passed_names(library)]
    refused = [name for name in change.refused if name in refused_names(library)]
    said = [(e, before) for e, before in change.related if said_by_reader(library, e.a, e.b) == e]
    names = load_cite_keys(library).of if change.named else {}
    named = [naming for naming in change.named if names.get(naming.work) == naming.name]
    with rewrite(pages):
        if written:
            path, document, new = written
            save_bytes(path, new, document.data)
    if named:
        save_names(library, named, back=True)
    if kept:
        restore_kept(library.folder, kept)
    if passed:
        save_passed(library, passed, back=True)
    if refused:
        save_refused(library, refused, back=True)
    if said:
        save_edges(
            library,
            [before for _, before in said if before],
            forgotten=[edge for edge, before in said if not before],
        )
    return bool(written or pages or kept or passed or refused or said or named)


def _list_without(library: Library, change: Change) -> tuple[Path, Document, bytes] | None:
    """Return the list and its bytes without the change; None where the list is as it was before."""
    path = library.inside(change.list)
    document = Document.load(path)
    digest = digest_of(document.data)
    if change.after and digest.startswith(change.after):
        return path, document, apply_edits(document.data, inverse(change.edits))
    if change.before and digest.startswith(change.before):
        return None
    new = _without_lines(document, change.edits)
    if new is None:
        raise StaleEdit(
            f"{path} was edited where Studiolo had written, so “{change.what}” cannot be taken back alone. "
            "Nothing was changed: use your editor or git."
        )
    return path, document, new


def _without_lines(document: Document, edits: Iterable[Edit]) -> bytes | None:
    """Return a list that was edited since without the lines that `edits` added; None where that may hurt anything else.

    The lines must stand there as they were written, once, and nothing may have been written below them; all entries
    but theirs must read as before without them.
    """
    found: list[Edit] = []
    gone: list[Entry] = []
    around: list[Entry] = []
    data = document.data
    for edit in inverse(tuple(edits)):
        if edit.new or not edit.old.strip():
            return None  # something was replaced: its place cannot be known in another text
        if data.count(edit.old) != 1:
            return None
        start = data.index(edit.old)
        end = start + len(edit.old)
        if not _are_whole_lines(data, start, end):
            return None
        if any(
            start <= block.start < end and data[end : block.end].strip()
            for block in document.root.walk()
        ):
            return None
        found.append(Edit(start, edit.old, b""))
        gone += [entry for entry in document.entries if start <= entry.span[0] < end]
        around += [entry for entry in document.entries if entry.span[0] < start < entry.span[1]]
    try:
        return edited(document, found, touched=[*gone, *around], added=-len(gone)).data
    except ListError:
        return None


def _are_whole_lines(data: bytes, start: int, end: int) -> bool:
    """Whether a stretch is `line\\n` from where a line begins, or `\\nline` to where one ends."""
    before, text, behind = data[:start], data[start:end], data[end:]
    if text.endswith(b"\n"):
        return before.endswith(b"\n")
    newlines = (b"\n", b"\r\n")
    return text.startswith(newlines) and (not behind or behind.startswith(newlines))


def _kept_without(library: Library, change: Change) -> dict[Key, Kept | None]:
    """Return what to keep again of each key that the change changed."""
    if not change.kept_before:
        return {}
    now = load_kept(library.folder)
    back: dict[Key, Kept | None] = {}
    for key, before in change.kept_before.items():
        if now.get(key) == before:
            continue
        if change.kept_after and now.get(key) != change.kept_after.get(key):
            raise StaleEdit(
                f"What is kept of {key} was changed after “{change.what}”, so that cannot be taken back alone. "
                f"Nothing was changed: edit {library.state / 'reading.jsonl'} by hand."
            )
        back[key] = before
    return back


def _append(library: Library, *records: Mapping[str, Any]) -> None:
    """Append to the journal; the first time, what can be taken back in the old journals goes before it."""
    path = history_path(library)
    old: list[Mapping[str, Any]] = []
    there = [name for name in _OLD_JOURNALS if (library.state / name).exists()]
    if there and not _read_old_journals(load_json_lines(path)):
        old = [*(change.to_record() for change in _old_changes(library)), {"read": there}]
    # JSON escapes keep what no UTF-8 can hold: half a character in a title.
    append_lines(path, [json.dumps(record).encode() for record in (*old, *records)])


def _read_old_journals(records: Iterable[Mapping[str, Any]]) -> bool:
    return any("read" in record for record in records)


def _kept(record: Mapping[str, Any]) -> dict[Key, Kept | None]:
    return {Key.parse(key): kept_from(one) if one else None for key, one in record.items()}


def _old_changes(library: Library) -> list[Change]:
    """Return what can be taken back in the two journals of before, by their times, which are whole seconds.

    Within one second the lists decide: a command whose list is the one that the adding found came before it.
    """
    commands = list(_changes_of_commands(library))
    ordered: list[Change] = []
    for adding in _changes_of_adding(library):
        before = [
            number
            for number, command in enumerate(commands, 1)
            if command.at < adding.at
            or (
                command.at == adding.at
                and adding.before
                and command.after.startswith(adding.before)
            )
        ]
        count = max(before, default=0)
        ordered += [*commands[:count], adding]
        commands = commands[count:]
    return ordered + commands


def _changes_of_commands(library: Library) -> Iterator[Change]:
    def made_of(record: dict[str, Any]) -> Change:
        digest = str(record["digest"])
        return Change(
            f"edits-{next(numbers)}-{digest[:12]}",
            str(record["what"]),
            str(record["at"]),
            str(record["list"]) if record["edits"] else "",
            tuple(
                Edit(int(e["start"]), bytes_of(e["old"]), bytes_of(e["new"]))
                for e in record["edits"]
            ),
            after=digest,
            kept_before=_kept(record.get("kept", {})),
        )

    numbers = count()
    return load_records(library.state / "edits.jsonl", made_of)


def _changes_of_adding(library: Library) -> list[Change]:
    open_changes: dict[str, Change] = {}

    def made_of(record: dict[str, Any]) -> tuple[dict[str, Any], Change | None]:
        return _line({**record, "at": record.get("on", "")})

    for record, change in load_records(library.state / "undo.jsonl", made_of):
        if "undone" in record:
            open_changes.pop(str(record["undone"]), None)
        elif change:
            open_changes.pop(change.id, None)
            open_changes[change.id] = change
    return list(open_changes.values())
