"""The library's own pages: contents in README.md, a page for each tag, and the table of topics.

All of it lies between two marks (`lists/parts.py`), is made from the lists and git alone, and so is the same each time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from studiolo.errors import UsageError
from studiolo.files import load_bytes
from studiolo.library import Library, Page, Plan
from studiolo.lists import Document, apply_edits, edited, escape, outside_parts, part_of, write_part

from .catalogue import SORTS, Catalogue, Kind, PageFacts, Sort
from .linking import relative_link, shown, target_of
from .tag_files import tag_files
from .topic_pages import TOPIC, gathered


CONTENTS, TOPICS, TAG = "contents", "topics", "tag"  # what the parts are called
_MADE_TAG_PAGE = re.compile(rb"\A(?:# Pages tagged [^\n]*)?\s*\Z")
_Column = tuple[str, str, Callable[[PageFacts], str]]  # heading, alignment, cell
_KINDS: tuple[tuple[Kind, str], ...] = (("list", "List"), ("topic", "Topic"), ("note", "Note"))


@dataclass
class Tending:
    """What tending the library's own pages would change.

    Attributes:
        plan: None where nothing changes.
        unmarked: pages that a person wrote and that have no place for what would go there; they stay as they are.
    """

    plan: Plan | None
    unmarked: list[Path] = field(default_factory=list)


def plan_contents(
    library: Library, catalogue: Catalogue, *, sort: str = "", into_unmarked: bool = False
) -> Tending:
    """Plan to write the contents, the pages of tags and the table of topics.

    Args:
        sort: what the contents are sorted by, one of `SORTS`; empty: as they were, at first by the last change.
        into_unmarked: put the marks at the end of pages that have none: README.md, and what else a person wrote where
            one of these goes.

    Raises:
        UsageError: there is no such order.
        ListError: a page has a mark that nothing closes, or is not UTF-8.
        FileError: a page cannot be read.
    """
    files = tag_files(catalogue.tags, _names_in(library.folder / "tags"))
    writer = _Writer(library, into_unmarked)
    readme = _readme(library)
    by = _order(readme, sort)
    tables = _tables(catalogue, by, "README.md", files)
    tags = ", ".join(
        f"[{shown(tag)}]({relative_link('README.md', f'tags/{files[tag]}')}) {count}"
        for tag, count in catalogue.tags.items()
    )
    writer.write(
        readme.path or library.folder / "README.md",
        CONTENTS,
        "\n\n".join([*tables, *([f"Tags: {tags}"] if tags else [])]) or "No lists or notes yet.",
        {"sort": by},
        heading=f"# {escape(library.folder.resolve().name)}",
        is_ours=False,
    )
    for tag, name in files.items():
        path = library.folder / "tags" / name
        text = "\n\n".join(_of_tag(catalogue, tag, by, f"tags/{name}", files))
        writer.write(path, TAG, text, {}, heading=f"# Pages tagged {shown(tag)}")
    for path in _vanished(library, files.values()):
        writer.clear(path)
    if any(page.kind == "topic" for page in catalogue.pages):
        path = library.folder / "topics" / "README.md"
        writer.write(path, TOPICS, _topics(catalogue, by), {}, heading="# Topics")
        for page, named in catalogue.named.items():
            if part_of(library.documents[library.folder / page], TOPIC):
                writer.write(
                    library.folder / page, TOPIC, gathered(library, page, named), {}, heading=""
                )
    plan = Plan("contents", pages=tuple(writer.pages)) if writer.pages else None
    return Tending(plan, writer.unmarked)


def _readme(library: Library) -> Document:
    name = next((n for n in _names_in(library.folder) if n.casefold() == "readme.md"), "README.md")
    path = library.folder / name
    return Document(load_bytes(path) or b"", path)


def _names_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []  # noqa: PTH208  (names are wanted)


def _order(readme: Document, sort: str) -> Sort:
    part = part_of(readme, CONTENTS)
    wanted = sort or (part.options.get("sort", "") if part else "") or "changed"
    for known in SORTS:
        if wanted == known:
            return known
    where = "" if sort or not part else f"{readme.path}:{part.line}: "
    raise UsageError(
        f"{where}{wanted!r} is not an order of the contents. Choose one of: {', '.join(SORTS)}."
    )


class _Writer:
    """Collects the pages that change."""

    def __init__(self, library: Library, into_unmarked: bool) -> None:
        self._library = library
        self._into_unmarked = into_unmarked
        self.pages: list[Page] = []
        self.unmarked: list[Path] = []

    def write(
        self,
        path: Path,
        name: str,
        text: str,
        options: Mapping[str, str],
        *,
        heading: str,
        is_ours: bool = True,
    ) -> None:
        """Write the part of a page; where there is none, make the page, or leave what a person wrote as it is.

        Args:
            is_ours: whether such a page may be made unasked.
        """
        before = load_bytes(path)
        document = Document(before or b"", path)
        if (before or not is_ours) and not part_of(document, name) and not self._into_unmarked:
            self.unmarked.append(path)
            return
        if not before:
            document = Document(f"{heading}\n\n".encode(), path)
        edits = write_part(document, name, text, options)
        if not part_of(Document(apply_edits(document.data, edits), path), name):
            raise UsageError(
                f"{path} ends inside a fence or a comment, so nothing can be put there. Close it, or write these two lines "
                f"where it is to go: <!-- studiolo:{name} --> and <!-- /studiolo:{name} -->"
            )
        after = edited(document, edits)
        if after.data != before:
            self.pages.append(Page(path, before, after.data))

    def clear(self, path: Path) -> None:
        """Take the page of a tag that nothing has any more away; what a person wrote on it stays."""
        before = load_bytes(path) or b""
        document = Document(before, path)
        if _MADE_TAG_PAGE.match(outside_parts(document)):
            self.pages.append(Page(path, before, None))
            return
        after = edited(document, write_part(document, TAG, "No page has this tag any more."))
        if after.data != before:
            self.pages.append(Page(path, before, after.data))


def _vanished(library: Library, names: Iterable[str]) -> list[Path]:
    folder, present = library.folder / "tags", set(names)
    return [
        folder / name
        for name in _names_in(folder)
        if name.endswith(".md")
        and name not in present
        and (data := load_bytes(folder / name))
        and part_of(Document(data, folder / name), TAG)
    ]


# tables


def _tables(
    catalogue: Catalogue, by: Sort, page: str, files: Mapping[str, str], tag: str = ""
) -> list[str]:
    """Return the tables of lists, topics and notes, those that have rows."""
    return [
        _table(rows, what, page, files)
        for kind, what in _KINDS
        if (rows := catalogue.sorted_pages(kind, by, tag))
    ]


def _table(rows: Sequence[PageFacts], what: str, page: str, files: Mapping[str, str]) -> str:
    """Return a table; columns in which no row has anything are left out."""

    def link(row: PageFacts) -> str:
        return f"[{shown(row.title)}]({relative_link(page, row.name)})"

    def tags(row: PageFacts) -> str:
        return " ".join(
            f"[{shown(tag)}]({relative_link(page, f'tags/{files[tag]}')})" for tag in row.tags
        )

    def claims(row: PageFacts) -> str:
        return f"{row.claims[0]} of {row.claims[1]}" if row.claims else ""

    columns: list[_Column] = [
        ("Changed", ":---", lambda row: row.changed),
        (what, ":---", link),
        ("Entries", "---:", lambda row: _count(row.entries)),
        ("Read", "---:", lambda row: _count(row.read)),
        ("Open questions", "---:", lambda row: _count(row.questions)),
        ("Claims that hold", "---:", claims),
        ("Words", "---:", lambda row: _count(row.words)),
        ("Tags", ":---", tags),
    ]
    return _markdown(columns, rows)


def _topics(catalogue: Catalogue, by: Sort) -> str:
    """Return the table of topics: what names each."""
    page = "topics/README.md"

    def named(what: str) -> Callable[[PageFacts], str]:
        return lambda row: _count(len(getattr(catalogue.named[row.name], what)))

    columns: list[_Column] = [
        ("Changed", ":---", lambda row: row.changed),
        ("Topic", ":---", lambda row: f"[{shown(row.title)}]({relative_link(page, row.name)})"),
        ("Entries", "---:", named("entries")),
        ("Notes", "---:", named("notes")),
        ("Questions", "---:", named("questions")),
        ("Words", "---:", lambda row: _count(row.words)),
    ]
    return _markdown(columns, catalogue.sorted_pages("topic", by))


def _of_tag(
    catalogue: Catalogue, tag: str, by: Sort, page: str, files: Mapping[str, str]
) -> list[str]:
    """Return what the page of a tag shows: tables of its pages, and the entries that have it."""
    tables = _tables(catalogue, by, page, files, tag)
    titles = {facts.name: facts.title for facts in catalogue.pages}
    lines = []
    for entry in catalogue.tagged.get(tag, ()):
        title = shown(entry.title) or "(no title)"
        named = f"[{title}]({target_of(entry.url)})" if entry.url else title
        lines.append(
            f"* {named} in [{shown(titles[entry.page])}]({relative_link(page, entry.page)})"
        )
    return [*tables, *(["\n".join(lines)] if lines else [])]


def _markdown(columns: Sequence[_Column], rows: Sequence[PageFacts]) -> str:
    cells = [[cell(row) for _, _, cell in columns] for row in rows]
    kept = [n for n in range(len(columns)) if any(row[n] for row in cells)]
    lines = [[columns[n][0] for n in kept], [columns[n][1] for n in kept]]
    lines += [[row[n] for n in kept] for row in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _count(number: int) -> str:
    return str(number) if number else ""
