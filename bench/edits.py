"""Does an edit change what it is meant to, and nothing else? `python bench/edits.py FOLDER [--number 1000] [--seed 0]`

Draws an entry of a Markdown list and an action (read, reading, unread, a note, a tag and its removal, a move, a removal),
carries it out as the commands do, and looks at the file again, by its lines and not by what the edit says of itself:
lines that are not the entry's are where they were; the entry reads as before, but for what was to change; all others read as
before; and `undo` gives the bytes back. Each repository (`repository__file.md`) counts the same.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections import Counter, defaultdict
from functools import lru_cache
from pathlib import Path

from studiolo.errors import StudioloError
from studiolo.library import Library, Listed, carry_out, desk, load_kept, state_of, tags_of, undo
from studiolo.library.tagging import tag
from studiolo.lists import Document, Entry


ACTIONS = ("read", "reading", "to read", "note", "+tag", "-tag", "move", "remove")
NOTES = ["compare with Hartley", "# not a heading", "1. not a number", "- dash", "see [this](https://a.org/x)", "Q: why?",
         "<!-- hidden", "a | b", "two\n\nnotes", "> quoted", "**bold** and `code`", "---", "[a]: https://b.org"]  # fmt: skip


def facts(entry: Entry) -> tuple[object, ...]:
    """Return what an entry says but for its state, tags and notes."""
    return entry.title, entry.name, entry.authors, entry.year, entry.key


def everything(entry: Entry) -> tuple[object, ...]:
    """Return all that an entry says."""
    links = tuple(link.url for link in entry.links)
    notes = tuple(note.text for note in entry.notes)
    asked = tuple((q.text, q.answer) for q in entry.questions)
    return (*facts(entry), links, notes, asked, entry.tags, entry.state, entry.section)


def plan_of(library: Library, listed: Listed, action: str, draw: random.Random):
    """Return the plan of an action, None where there is nothing to do."""
    if action == "note":
        return desk.note(library, listed, draw.choice(NOTES))
    if action == "+tag":
        return tag(library, listed, add=["sparse"])
    if action == "-tag":
        tags = tags_of(listed.entry, load_kept(library.folder))
        return tag(library, listed, remove=[draw.choice(tags)]) if tags else None
    if action == "move":
        places = [s for s in listed.document.sections if s.path and (s.items or s.table)]
        return desk.move(library, listed, " > ".join(draw.choice(places).path)) if places else None
    if action == "remove":
        return desk.remove(library, listed)
    return desk.mark(library, listed, action)


def what_is_wrong(library: Library, listed: Listed, plan, action: str) -> str | None:
    """Return what an action that was carried out did wrong, None if nothing."""
    before, entry = listed
    path = before.path
    after = Document.load(path)
    block = before.block_of(entry)
    kept = load_kept(library.folder)
    start, end = block.line - 1, block.line - 1 + entry.text.rstrip("\n").count("\n") + 1
    if after.data == before.data:
        if not plan.keeping and action != "move":
            return "nothing changed and nothing is kept"
    elif wrong := _lines(before, after, start, end, action):
        return wrong
    inside = [e for e in before.entries if block.start < e.span[0] < block.end]
    old = Counter(everything(e) for e in before.entries if e is not entry and e not in inside)
    new = Counter(map(everything, after.entries))
    if old - new:
        return f"another entry changed: {next(iter(old - new))[0]!r}"
    mine = list((new - old).elements())
    if action == "remove":
        return "entries are left" if mine else None
    if len(after.entries) != len(before.entries):
        return f"{len(before.entries)} entries became {len(after.entries)}"
    left = action == "move" and any(one.notes for one in plan.keeping)  # cells without a column
    same = [
        e
        for e in after.entries
        if facts(e) == facts(entry) or (left and (e.title, e.key) == (entry.title, entry.key))
    ]
    if not same:
        return f"it reads otherwise: {mine[:1]}"
    if action in ("read", "reading", "to read"):
        states = {state_of(e, kept)[0] for e in same}
        if action not in states and not (action == "to read" and None in states):
            return f"its state is {states}"
    if action == "+tag" and not any("sparse" in tags_of(e, kept) for e in same):
        return "it has no such tag"
    if action == "note" and not plan.keeping and after.data == before.data:
        return "no note"
    return None


def _lines(before: Document, after: Document, start: int, end: int, action: str) -> str | None:
    """Return which line changed that should not have: all but the entry's own stay, in their order."""
    old = [line.strip() for line in before.data.splitlines()]
    new = [line.strip() for line in after.data.splitlines() if line.strip()]
    left: list[bytes] = []
    others = [line for line in (*old[:start], *old[end:]) if line]
    at = 0
    for line in others:
        while at < len(new) and new[at] != line:
            left.append(new[at])
            at += 1
        if at == len(new):
            return f"a line went: {line!r}"
        at += 1
    left += new[at:]
    own = [line for line in old[start:end] if line]
    if action == "remove" and left:
        return f"a line came: {left[0]!r}"
    if action == "move" and len(left) != len(own):
        return f"{len(own)} lines became {len(left)}"
    if action in ("+tag", "-tag", "read", "reading", "to read") and len(left) > len(own) + 3:
        return f"{len(own)} lines became {len(left)}"
    return None


load = lru_cache(maxsize=None)(Document.load)


def main() -> None:
    """Print how many edits of each kind were right, kept beside the list, refused and wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--number", type=int, default=1000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument(
        "--marked", action="store_true", help="only lists that show reading states"
    )
    given = options.parse_args()
    files = defaultdict(list)
    for path in sorted(given.folder.glob("*.md")):
        files[path.name.split("__")[0]].append(path)
    draw = random.Random(given.seed)
    results: Counter[tuple[str, str]] = Counter()
    done = 0
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder))
        path = library.folder / "list.md"
        while done < given.number:
            source = draw.choice(files[draw.choice(sorted(files))])
            document = load(source)
            entries = [e for e in document.entries if e.key]
            if given.marked and not any(e.state for e in entries):
                files[source.name.split("__")[0]].remove(source)
                files = {name: some for name, some in files.items() if some}
                continue
            if not entries or not document.writable or len(document.data) > 300_000:
                continue
            path.write_bytes(document.data)
            shutil.rmtree(library.folder / ".studiolo", ignore_errors=True)
            document = Document(document.data, path)
            number = draw.randrange(len(entries))
            action = draw.choice(ACTIONS)
            entry = [e for e in document.entries if e.key][number]
            listed = Listed(document, entry)
            try:
                plan = plan_of(library, listed, action, draw)
            except StudioloError as error:
                results[action, "refused"] += 1
                done += 1
                if path.read_bytes() != document.data:
                    print("WROTE THOUGH IT REFUSED", source.name, entry.line, action, error)
                continue
            if plan is None:
                continue
            done += 1
            carry_out(library, plan)
            wrong = what_is_wrong(library, listed, plan, action)
            undo(library)
            if wrong is None and path.read_bytes() != document.data:
                wrong = "undo does not give the bytes back"
            elif wrong is None and load_kept(library.folder):
                left = [kept for kept in load_kept(library.folder).values() if kept.state or kept.notes or kept.tags]  # fmt: skip
                wrong = f"undo left {left[0]}" if left else None
            where = "in the list" if plan.edits else "beside it"
            results[action, "WRONG" if wrong else where] += 1
            if wrong:
                print(f"{source.name}:{entry.line} {action}: {wrong}\n  {entry.text.strip()[:200]!r}\n  {[(e.start, e.new[:120]) for e in plan.edits]}")  # fmt: skip
    for (action, result), count in sorted(results.items()):
        print(f"{action:8} {result:12} {count}")
    wrong = sum(count for (_, result), count in results.items() if result == "WRONG")
    print(f"{wrong} wrong of {done}")


if __name__ == "__main__":
    main()
