"""What a bibliography calls each work. A name that was given once stays: a text that cites it must not cite another paper.

They are kept in `.studiolo/cite-keys.jsonl`, one line for each name that was given, in the order in which they were. Of two
lines that want one name, as a merge of two branches may bring them together, the first has it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studiolo.errors import UsageError
from studiolo.files import SPOILT, load_records, record_in, update_bytes
from studiolo.keys import Key

from .folder import Library
from .plan import Naming, Plan
from .references import Reference, family_and_given


_NAME = re.compile(r"[^\s\"#%'(),={}~\\@\x00-\x1f\x7f]{1,200}")


@dataclass(slots=True)
class CiteKeys:
    """The names that were given.

    Attributes:
        of: the name of each work, by its identity (`arxiv:2105.03824`, or an address).
        owner: whose each name is or was, in small letters: BibTeX does not tell capitals apart.
    """

    of: dict[str, str] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    chosen: set[str] = field(default_factory=set)

    def give(self, identity: str, name: str, *, by_reader: bool = False) -> bool:
        """Give a work a name, and say whether it has it now: another work's name and a name that is kept already stay."""
        if self.owner.setdefault(name.casefold(), identity) != identity:
            return False
        if by_reader or identity not in self.of:
            self.of[identity] = name
        if by_reader:
            self.chosen.add(identity)
        return self.of[identity] == name

    def take_back(self, identity: str, name: str, before: str) -> None:
        """Give a work the name that it had before the reader chose one, which is free again."""
        if self.of.get(identity) != name:
            return
        del self.owner[name.casefold()]
        del self.of[identity]
        self.chosen.discard(identity)
        if before:
            self.give(identity, before)


def cite_keys_path(library: Library) -> Path:
    """Return the file of names that were given."""
    return library.state / "cite-keys.jsonl"


def load_cite_keys(library: Library) -> CiteKeys:
    """Return the names that were given."""
    names = CiteKeys()
    for record in load_records(cite_keys_path(library), _given):
        _take(names, record)
    return names


def _given(record: Mapping[str, Any]) -> Mapping[str, Any]:
    identity, name, before = record["work"], record["name"], record.get("back", "")
    for text in (name, *([before] if before else ())):
        if not isinstance(identity, str) or not isinstance(text, str) or not _NAME.fullmatch(text):
            raise TypeError("what should be a name is not")
    return record


def _take(names: CiteKeys, record: Mapping[str, Any]) -> None:
    if "back" in record:
        names.take_back(record["work"], record["name"], record["back"] or "")
    else:
        names.give(record["work"], record["name"], by_reader=record.get("by") == "reader")


def with_cite_keys(works: Sequence[Reference], names: CiteKeys) -> list[Reference]:
    """Return the works with their names, and keep them in `names`: what was given before, else what a bibliography called
    them, else one made of author, year and title. Letters tell doubles apart in the order of their identities.
    """
    identities = [_identity(work, names) for work in works]
    order = sorted(range(len(works)), key=lambda i: (identities[i], i))
    for i in order:
        wish = works[i].cite_key
        if identities[i] not in names.of and wish and _NAME.fullmatch(wish):
            names.give(identities[i], wish)
    tried: dict[str, int] = {}
    for i in order:
        if identities[i] in names.of:
            continue
        stem = _stem(works[i])
        count = tried.get(stem, 0)
        while not names.give(identities[i], stem + (_letters(count - 1) if count else "")):
            count += 1
        tried[stem] = count + 1
    return [
        replace(work, cite_key=names.of[identity])
        for work, identity in zip(works, identities, strict=True)
    ]


def keep_cite_keys(library: Library, works: Sequence[Reference]) -> list[Reference]:
    """Return the works with their names; those that are new are kept from now on.

    Raises:
        FileError: they cannot be kept.
    """
    library.prepare()
    named: list[Reference] = []

    def change(data: bytes | None) -> bytes:
        names = _read(data)
        before = set(names.of)
        named[:] = with_cite_keys(works, names)
        new = {identity: name for identity, name in names.of.items() if identity not in before}
        return _joined(data, ({"work": identity, "name": name} for identity, name in new.items()))

    update_bytes(cite_keys_path(library), change)
    return named


def plan_cite_key(library: Library, keys: Sequence[Key], name: str) -> Plan | None:
    """Plan to call a work by a name that the reader chose; None where it is called so.

    Args:
        keys: all keys of the work, the first its own.

    Raises:
        UsageError: another work has the name, or had it; or BibTeX could not read it.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a cite key. Use letters, digits and - _ : . / + without spaces, for example lee2021fnet."
        )
    names = load_cite_keys(library)
    work = next((str(key) for key in keys if str(key) in names.of), str(keys[0]))
    _refuse_taken(names, work, name)
    if names.of.get(work) == name and work in names.chosen:
        return None
    return Plan(
        f"cite key {name} of {work}",
        naming=(Naming(work, name, names.of.get(work, "")),),
        done=f"{keys[0]} is called {name} in every export from now on.",
    )


def save_names(library: Library, naming: Iterable[Naming], *, back: bool = False) -> None:
    """Keep what the reader chose, or take it back.

    Raises:
        UsageError: another work has a name meanwhile.
        FileError: it cannot be kept.
    """
    library.prepare()
    day = datetime.now(UTC).date().isoformat()

    def change(data: bytes | None) -> bytes:
        names = _read(data)
        records = []
        for work, name, before in naming:
            record: dict[str, Any] = {"work": work, "name": name, "by": "reader", "on": day}
            if back:
                record["back"] = before
            else:
                _refuse_taken(names, work, name)
            records.append(record)
        return _joined(data, records)

    update_bytes(cite_keys_path(library), change)


def _refuse_taken(names: CiteKeys, work: str, name: str) -> None:
    owner = names.owner.get(name.casefold(), work)
    if owner != work:
        has = "is" if names.of.get(owner, "").casefold() == name.casefold() else "was"
        raise UsageError(f"{name!r} {has} the cite key of {owner}. Choose another.")


def cite_key_of(names: CiteKeys, keys: Iterable[Key]) -> str:
    """Return the name that a work of these keys was given, or ''."""
    return next((names.of[str(key)] for key in keys if str(key) in names.of), "")


def _read(data: bytes | None) -> CiteKeys:
    names = CiteKeys()
    for line in (data or b"").splitlines():
        try:
            _take(names, _given(record_in(line) or {}))
        except SPOILT:
            continue
    return names


def _joined(data: bytes | None, records: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the lines of the file with records behind them."""
    old = data or b""
    if old and not old.endswith(b"\n"):
        old += b"\n"
    return old + b"".join(
        json.dumps(record, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        for record in records
    )


def _identity(work: Reference, names: CiteKeys) -> str:
    """Return what a name is kept for: the key under which the work has one already, else its own."""
    papers = (
        [key for key in work.keys if key.names_paper] if work.key and work.key.names_paper else []
    )
    keys = [str(key) for key in (work.key, *papers) if key]
    return next(
        (key for key in keys if key in names.of), keys[0] if keys else work.url or work.title
    )


def _stem(work: Reference) -> str:
    """Return author, year and the first telling word of the title: `leethorp2021fnet`."""
    name = _ascii(family_and_given(work.authors[0])[0]) if work.authors else ""
    words = [_ascii(word) for word in work.title.split()]
    word = next(
        (
            word
            for word in words
            if len(word) > 3
            or (word and not word.isdigit() and word not in {"a", "an", "the", "on"})
        ),
        "untitled",
    )
    return f"{name or 'anon'}{work.year or ''}{word[:30]}"


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS)).encode("ascii", "ignore")
    return re.sub(r"[^a-z0-9]", "", plain.decode().lower())


_LETTERS = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})  # fmt: skip


def _letters(number: int) -> str:
    text = ""
    while number >= 0:
        text = chr(ord("a") + number % 26) + text
        number = number // 26 - 1
    return text
