"""Since when entries stand on the lists: from the history of a repository, read once for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from studiolo.keys import Key
from studiolo.lists import find_links

from .commits import MARKDOWN, Git, is_robot


def first_days(
    folder: Path, keys: Collection[Key], is_list: Callable[[str], bool]
) -> dict[Key, str]:
    """Return the day of the commit in which each key first stood on a list, ISO 8601, as its author's clock had it.

    A key stands there with its link, so it may be in a note at first. What was on another list before is not new. Where
    a program brought a key, and a person brought it again after it had gone, the person's day counts. Keys that no
    commit brought are left out, and so are all where there is no git.

    Args:
        is_list: whether a file that is, or once was, in the repository is a list; by its name as seen from the folder.

    Raises:
        FileError: the repository is a shallow clone, or git fails.
    """
    git = Git(folder)
    if not keys or not git.answers():
        return {}
    wanted = _Wanted(keys)
    lines_with: Counter[Key] = Counter()  # how many lines of the lists have a key after a commit
    by_person: dict[Key, str] = {}
    by_robot: dict[Key, str] = {}
    for commit in _commits(git, cache(is_list)):
        here = wanted.found_in(commit.added)
        new = [key for key in dict.fromkeys(here) if lines_with[key] <= 0]
        lines_with.update(here)
        lines_with.subtract(wanted.found_in(commit.gone))
        for key in new:
            (by_robot if commit.is_robots else by_person).setdefault(key, commit.day)
    return {**by_robot, **by_person}


class _Wanted:
    """Keys that are looked for in lines."""

    def __init__(self, keys: Collection[Key]) -> None:
        self._keys = frozenset(keys)
        # the rows of a table that a program writes come again and again
        self._read: dict[bytes, frozenset[Key]] = {}

    def found_in(self, lines: list[bytes]) -> list[Key]:
        """Return those keys that lines link to, each as often as there are lines with it."""
        return [key for line in lines if b":" in line for key in self._keys_in(line)]

    def _keys_in(self, line: bytes) -> frozenset[Key]:
        found = self._read.get(line)
        if found is None:
            links = (link.mention for link in find_links(line, {}))
            found = self._keys.intersection(link.key for link in links if link)
            self._read[line] = found
        return found


@dataclass(slots=True)
class _Commit:
    """What a commit did to lists: the lines that it added and took away."""

    day: str
    is_robots: bool
    added: list[bytes] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)


def _commits(git: Git, is_list: Callable[[str], bool]) -> Iterator[_Commit]:
    """Yield the commits, parents before children."""
    asked = ("--topo-order", "--reverse", "--date=short", "--format=%x01%an%x00%ae%x00%ad")
    shown = ("-p", "-U0", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")
    named = ("--src-prefix=a/", "--dst-prefix=b/", "--relative")
    commit: _Commit | None = None
    in_head, takes = True, False  # of a file, before its first stretch; of a list
    for line in git.stream("log", *asked, *shown, *named, "HEAD", "--", *MARKDOWN):
        if line.startswith(b"\x01"):
            if commit:
                yield commit
            name, email, day = line[1:].decode("utf-8", "replace").rstrip("\n").split("\0")
            commit, in_head, takes = _Commit(day, is_robot(name, email)), True, False
        elif line.startswith(b"diff --git "):
            in_head, takes = True, False
        elif in_head:
            if line.startswith((b"--- a/", b"+++ b/")):
                takes = takes or is_list(_name_in(line[6:]))
            in_head = not line.startswith(b"@@")
        elif takes and commit and line[:1] in b"+-":
            (commit.added if line.startswith(b"+") else commit.gone).append(line[1:])
    if commit:
        yield commit


def _name_in(words: bytes) -> str:
    return words.rstrip(b"\n").removesuffix(b"\t").decode("utf-8", "surrogateescape")
