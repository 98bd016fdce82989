"""Tags of entries and of whole lists: what giving and taking them would change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from studiolo.errors import ListError, UsageError
from studiolo.files import load_bytes
from studiolo.lists import Document, edited, folded_tag, rename_tag, retag, retag_list

from .entries import Listed, called
from .folder import Library
from .plan import Page, Plan
from .reading import Kept, kept_path, load_kept, tags_of
from .vocabulary import load_vocabulary, vocabulary_path, with_synonym


def tag(
    library: Library, listed: Listed, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> Plan | None:
    """Plan to give an entry tags and take some away: where the list's entries show tags, there; else beside the list.

    Returns None where it has them, and nothing is taken away.

    Raises:
        UsageError: a tag to take away is not its own; a tag cannot be written so; or there is nowhere to keep one.
        ListError: the list cannot be edited so.
    """
    document, entry = listed
    kept = load_kept(library.folder)
    have = tags_of(entry, kept)
    name_of = load_vocabulary(library).name
    names = set(map(name_of, have))
    for one in remove:
        if name_of(one) not in names:
            raise UsageError(
                f"{one!r} is not a tag of {called(entry)}. It has: {', '.join(have) or 'none'}."
            )
    added: dict[str, str] = {}
    for one in add:
        added.setdefault(name_of(one), one)
    new = [one for name, one in added.items() if name not in names]
    if not new and not remove:
        return None
    gone = set(map(name_of, remove))
    off_list = [one for one in entry.tags if name_of(one) in gone]
    shown = {one.casefold() for one in entry.tags}
    try:
        edits = retag(document, entry, new, off_list)
        beside = [] if edits is not None else new
        if edits is None:
            edits = retag(document, entry, (), off_list) or ()
    except ListError:
        if off_list or entry.key is None:
            raise
        edits, beside = (), new  # a paragraph is not edited
    old = [one for one in have if one.casefold() not in shown]
    tags = [*(one for one in old if name_of(one) not in gone), *beside]
    keeping: tuple[Kept, ...] = ()
    if tags != old:
        key = next((key for key in (entry.key, *entry.keys) if key in kept), entry.key)
        if key is None:
            raise UsageError(
                f"{called(entry)} has no link, and the list shows no tags. Give the entry a link."
            )
        keeping = (Kept(key, tags=tuple(tags)),)
    after = edited(document, edits, touched=[entry]) if edits else document
    _check(document, after, listed, [*new, *off_list] if not beside else off_list, off_list)
    words = " ".join([*(f"+{one}" for one in new), *(f"-{o}" for o in have if name_of(o) in gone)])
    where = [str(document.path)] if edits else []
    where += [str(kept_path(library.folder))] if keeping else []
    return Plan(
        f"tags {words} of {called(entry)}",
        document,
        after,
        edits,
        keeping,
        done=f"{called(entry)}: {words} ({', '.join(where)})",
    )


def _check(
    before: Document, after: Document, listed: Listed, written: Sequence[str], gone: Sequence[str]
) -> None:
    """Refuse an edit after which the entry reads otherwise, but for its tags."""
    entry = listed.entry
    number = before.entries.index(entry)
    now = after.entries[number]
    have = {one.casefold() for one in now.tags}
    wrong = {one.casefold() for one in gone} & have or {
        one.casefold() for one in written if one not in gone
    } - have
    if wrong or (now.title, now.keys, now.year, now.authors, now.section) != (
        entry.title,
        entry.keys,
        entry.year,
        entry.authors,
        entry.section,
    ):
        raise ListError(
            f"The tags of {called(entry)} (line {entry.line}) cannot be changed without changing what the list says. "
            "Edit it by hand."
        )


def tag_list(
    library: Library, document: Document, add: Sequence[str], remove: Sequence[str]
) -> Plan | None:
    """Plan to change the tags of a whole list, in its `<!-- TAGS` comment or front matter; None where nothing changes.

    Raises:
        UsageError: a tag to take away is not there, or a tag cannot be written so.
        ListError: the list cannot be edited so.
    """
    edits = retag_list(document, add, remove, load_vocabulary(library).name)
    if not edits:
        return None
    words = " ".join([*(f"+{one}" for one in add), *(f"-{one}" for one in remove)])
    return Plan(
        f"tags {words} of {document.path}",
        document,
        edited(document, edits),
        edits,
        done=f"{document.path}: {words}",
    )


class Merging(NamedTuple):
    """What making two tags one would change.

    Attributes:
        plan: None where nothing changes.
        left: why some pages cannot be edited, one sentence each; the synonym covers them.
    """

    plan: Plan | None
    left: tuple[str, ...]


def merge_tags(library: Library, old: str, new: str) -> Merging:
    """Plan to call a tag something else on every page and in what is kept beside them, and to remember it as a synonym.

    Raises:
        UsageError: both are the same, or one is empty.
        FileError: the synonyms cannot be read.
    """
    if not old or not new or old == new:
        raise UsageError("Name two tags, the old one first: studiolo tags --merge nlp language")
    pages: list[Page] = []
    left: list[str] = []
    for path, document in library.documents.items():
        try:
            after = rename_tag(document, old, new)
        except (ListError, UsageError) as problem:
            left.append(f"{library.relative(path)}: {problem}")
            continue
        if after.data != document.data:
            pages.append(Page(path, document.data, after.data))
    keeping = []
    for key, kept in load_kept(library.folder).items():
        tags = [new if folded_tag(tag) == folded_tag(old) else tag for tag in kept.tags or ()]
        if kept.tags and tuple(tags) != kept.tags:
            keeping.append(Kept(key, tags=tuple(dict.fromkeys(tags))))
    path, vocabulary = vocabulary_path(library), load_vocabulary(library)
    before = load_bytes(path)
    after_ = before
    if vocabulary.meant(new) != new:
        after_ = with_synonym(after_, new, new)  # it meant something else until now
    if vocabulary.meant(old) != new and (folded_tag(old) != folded_tag(new) or vocabulary.synonyms):
        after_ = with_synonym(after_, old, new)
    if after_ is not None and after_ != before:
        pages.append(Page(path, before, after_))
    if not pages and not keeping:
        return Merging(None, tuple(left))
    what = f"merge the tag {old} into {new}"
    return Merging(Plan(what, keeping=tuple(keeping), pages=tuple(pages)), tuple(left))
