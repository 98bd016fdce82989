"""A library: a folder with Markdown lists, and Studiolo's facts about it in `.studiolo/`.

| in `.studiolo/` | holds | written |
| --- | --- | --- |
| `config.toml` | the default list, and what is not a list; see `config` | by hand |
| `tags.toml` | which tags mean the same; see `vocabulary` | by hand, and by `tags --merge` |
| `inbox.jsonl` | what was collected: items, folders, and where a source's last reading ended | grows |
| `edges.jsonl` | what metadata services and the reader say of identity | grows |
| `cite-keys.jsonl` | what an export called each work, and what the reader chose to call it | grows |
| `metadata.jsonl` | title, authors, year and abstract of works | grows |
| `triage.jsonl` | what was passed over | grows |
| `sources.jsonl` | what was collected from where, for `studiolo sync` | grows |
| `drafts.jsonl` | what was changed of pending things before they were decided | grows |
| `follows.jsonl` | which lists of other people are followed | grows |
| `history.jsonl` | what was changed, so that it can be taken back; since when entries are there that git does not date | grows |
| `reading.jsonl` | reading states, dates and notes that the lists have no place for, one line a key, sorted | rewritten |
| `pools/` | fetched papers and lists to suggest from; git-ignored, can be fetched again | grows |
| `results/` | the records of what was measured here | grows |
| `report/` | the last reports; git-ignored | rewritten |
| `cache/` | answers of services, pictures; git-ignored, may be deleted | rewritten |

Libraries of before may also hold `edits.jsonl` and `undo.jsonl`: they are read once, into `history.jsonl`.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path, PurePosixPath

from studiolo.errors import FileError, UsageError
from studiolo.files import STATE, kind_at, load_bytes, save_bytes
from studiolo.lists import Document, find_section

from .adopt import adopt_old_state, has_state
from .config import Config, load_config


_NO_LISTS = frozenset({"papers", "node_modules", "__pycache__", "build", "dist", "site-packages"})
PAGES = frozenset({"readme", "changelog", "contributing", "license", "code_of_conduct", "security"})
_GIT_FILES = {
    ".gitignore": b"cache/\npools/\nreport/\n*.tmp\n*.partial\n",
    # Both sides' lines of a file that grows; a file that is rewritten is merged line by line instead.
    ".gitattributes": b"*.jsonl merge=union\nreading.jsonl merge\n",
}
_OLD_GIT_FILES = {
    ".gitignore": b"cache/\nreport/\n*.tmp\n*.partial\n",
    ".gitattributes": b"*.jsonl merge=union\n",
}


class Library:
    """The reader's folder. Making the object writes nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def find(cls, folder: Path | None = None, *, near: Path | None = None) -> Library:
        """Return the library that is meant: `folder`, else the one that a list or folder belongs to.

        That is the nearest folder at or above it with `.studiolo/`; else its own folder, or the one above where that is
        called `lists`. Symbolic links are not followed: a list belongs to where it is seen.

        Args:
            folder: the library as the reader names it.
            near: a list, or a folder; the current folder where None.

        Raises:
            UsageError: `folder` is not a folder.
        """
        if folder is not None:
            if kind_at(folder) != "folder":
                raise UsageError(
                    f"There is no folder {folder}. Create it first, or give another one with --library."
                )
            adopt_old_state(folder)
            return cls(folder)
        place = Path(os.path.abspath(near or Path.cwd()))  # noqa: PTH100  (resolve would follow links)
        if kind_at(place) != "folder":
            place = place.parent
        for ancestor in (place, *place.parents):
            if has_state(ancestor):
                adopt_old_state(ancestor)
                return cls(ancestor)
        return cls(place.parent if place.name == "lists" else place)

    @property
    def state(self) -> Path:
        """Where Studiolo keeps its facts."""
        return self.folder / STATE

    @property
    def may_keep(self) -> bool:
        """Whether it is, or looks like, a library: to look for something in a home folder does not make one of it."""
        return "folder" in (kind_at(self.state), kind_at(self.folder / "lists"))

    @property
    def cache(self) -> Path:
        """Where answers of services are kept; may be deleted."""
        return self.state / "cache"

    def prepare(self) -> None:
        """Make `.studiolo/`, if it is not there, with what git should ignore in it and how git should merge it.

        Raises:
            FileError: it cannot be made.
        """
        for name, text in _GIT_FILES.items():
            path = self.state / name
            is_file = os.path.isfile(path)  # noqa: PTH113  (Path's raises where a folder is closed)
            found = load_bytes(path) if is_file or not os.path.lexists(path) else b""
            if found is None or found == _OLD_GIT_FILES[name]:
                save_bytes(path, text)

    def list_paths(self) -> list[Path]:
        """Return the Markdown files of the library, sorted, without what `config.toml` ignores.

        Hidden, build and `papers/` folders are left out, and so are the pages of tags that Studiolo writes. A folder without `.studiolo/` may hold anything, so of its folders
        only `lists/` and `topics/` are looked into.
        """
        found: list[Path] = []
        config = self.config
        is_library = self.state.is_dir()
        for folder, names, files in os.walk(self.folder):
            names[:] = [
                n
                for n in names
                if (not n.startswith(".") and n not in _NO_LISTS)
                and (is_library or (Path(folder) == self.folder and n in ("lists", "topics")))
            ]
            found += [
                Path(folder, name)
                for name in files
                if name.lower().endswith((".md", ".markdown"))
                and not name.startswith(".")
                and os.path.isfile(Path(folder, name))  # noqa: PTH113  (not a pipe, not a link to nowhere)
            ]
        if config.ignore:
            found = [p for p in found if not config.ignores(p.relative_to(self.folder).as_posix())]
        return sorted(path for path in found if not self._is_tag_page(path))

    def _is_tag_page(self, path: Path) -> bool:
        """Whether a file is the page of a tag, of which nothing but its first line may be the reader's."""
        if path.parent != self.folder / "tags":
            return False
        try:
            with path.open("rb") as file:
                return file.read(400).partition(b"\n\n")[2].startswith(b"<!-- studiolo:tag")
        except OSError:
            return False  # whoever reads it says why not

    @cached_property
    def config(self) -> Config:
        """What the reader set for it."""
        return load_config(self.state / "config.toml")

    @cached_property
    def documents(self) -> dict[Path, Document]:
        """The lists, read once; `forget` what was read where they have changed."""
        return {path: Document.load(path) for path in self.list_paths()}

    @cached_property
    def lists(self) -> dict[Path, Document]:
        """Those of the Markdown files that say what the reader reads: no topic pages, and no README about something else.

        A README is a list where most of what it links are papers, and no other list has papers or it has ten and more.
        """
        named = self.config.list

        def parts(path: Path) -> tuple[str, ...]:
            return path.relative_to(self.folder).parts

        pages = {path for path in self.documents if path.stem.casefold() in PAGES}
        found = {
            path: document
            for path, document in self.documents.items()
            if path not in pages and (parts(path)[0] != "topics" or len(parts(path)) == 1)
        }
        need = 10 if any(_num_papers(document)[0] for document in found.values()) else 1
        if not any(parts(path)[0] == "lists" and len(parts(path)) > 1 for path in found):
            for path in pages:
                papers, others = _num_papers(self.documents[path])
                if papers >= max(need, others):
                    found[path] = self.documents[path]
        if named and (path := self.folder / named) in self.documents:
            found[path] = self.documents[path]
        return dict(sorted(found.items()))

    def forget(self) -> None:
        """Read the lists again when they are next asked for."""
        self.__dict__.pop("documents", None)
        self.__dict__.pop("lists", None)

    def again(self) -> Library:
        """Return the library as it is now; a list with the same bytes as before keeps what was found in it."""
        now = Library(self.folder)
        now.documents  # noqa: B018  (read while those of before are in use)
        return now

    def relative(self, path: Path) -> str:
        """Return a list's name as shown to the reader and kept in `.studiolo/`; of one outside, its path."""
        return self._name_of(path) or str(path)

    def holds(self, path: Path) -> bool:
        """Whether a list lies in the library, be it as a symbolic link to another place."""
        return self._name_of(path) is not None

    def _name_of(self, path: Path) -> str | None:
        absolute, folder = (Path(os.path.abspath(p)) for p in (path, self.folder))  # noqa: PTH100
        if absolute.is_relative_to(folder):
            return absolute.relative_to(folder).as_posix()
        absolute, folder = absolute.resolve(), folder.resolve()
        return absolute.relative_to(folder).as_posix() if absolute.is_relative_to(folder) else None

    def inside(self, name: str) -> Path:
        """Return the path of a list that our own files name; they may be a stranger's work.

        Raises:
            FileError: it leads out of the library.
        """
        path = self.folder / name
        parts = PurePosixPath(name)
        if (
            not name
            or "\0" in name
            or parts.is_absolute()
            or ".." in parts.parts
            or not path.resolve().is_relative_to(self.folder.resolve())
        ):
            raise FileError(
                f"{name!r} in {self.state} leads out of the library {self.folder}, so it is not touched. Use your editor."
            )
        return path

    def main_list(self) -> Path | None:
        """Return the list that new entries go to when none is named, or None in a library without lists.

        It is the one that `config.toml` names. Else those in `lists/` come first; among them the one with most papers.

        Raises:
            FileError: `config.toml` names a list that is not there.
        """
        if name := self.config.list:
            path = self.inside(name)
            if not path.is_file():
                raise FileError(
                    f"{self.state / 'config.toml'} names the list {name!r}, which is not there. Correct the line."
                )
            return path

        def rank(path: Path) -> tuple[bool, int, int, int, str]:
            parts = path.relative_to(self.folder).parts
            document = self.lists[path]
            papers, _ = _num_papers(document)
            in_lists = parts[0] == "lists" and len(parts) > 1
            return in_lists, papers, len(document.entries), -len(parts), str(path)

        return max(self.lists, key=rank, default=None)

    def list_with_section(self, section: str) -> Path | None:
        """Return the list that has a section of this name: the main one if it does, else the only other one, else None."""
        having = []
        for path, document in self.documents.items():
            try:
                find_section(document, section, prefer="to read")
            except UsageError:
                continue
            having.append(path)
        main = self.main_list()
        return main if main in having else having[0] if len(having) == 1 else None


def _num_papers(document: Document) -> tuple[int, int]:
    """Return how many entries of a list name papers, and how many link something else."""
    papers = sum(any(key.names_paper for key in entry.keys) for entry in document.entries)
    return papers, sum(bool(entry.keys) for entry in document.entries) - papers


def save_new_list(library: Library, name: str = "reading-list.md") -> Path:
    """Write the first list of a library and return its path.

    Raises:
        StaleEdit: there is such a file.
    """
    path = library.folder / name
    save_bytes(path, b"# Reading list\n\n## To Review\n", None)
    library.forget()
    return path
