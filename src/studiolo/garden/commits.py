"""When a person last changed a page, from git: a rename, new tags, another title or a robot's commit is not a change.

Only what git keeps is read: nothing of a repository's settings is run, and its index is not refreshed.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

from studiolo.errors import FileError
from studiolo.files import load_bytes

from .page_text import text_of_page


# Names and addresses under which programs commit.
_ROBOT = re.compile(
    r"\[bot\]|^(?:github[ -]?actions?|gitlab[ -]?ci|renovate|dependabot)\b|^actions?@github\.com$"
    r"|\.internal\.cloudapp\.net$",  # a runner of GitHub that was given no name
    re.IGNORECASE,
)
_QUIET = (
    "-c",
    "core.fsmonitor=false",
    "-c",
    "log.showSignature=false",
    "-c",
    "core.quotePath=false",
)
_LONGEST_S = 300
MARKDOWN = ("*.md", "*.markdown", "*.MD", ":(exclude)tags/")  # what git is asked about


def is_robot(name: str, email: str) -> bool:
    """Whether a commit is a program's, by its author."""
    return bool(_ROBOT.search(name) or _ROBOT.search(email))


def last_changes(folder: Path, paths: Sequence[Path]) -> dict[Path, str]:
    """Return the day on which a person last changed each page, ISO 8601, as their own clock had it.

    Where a page is not in git, or was changed since the last commit, that is the day of its file. A page that only
    programs committed has the day of its first commit.

    Raises:
        FileError: the repository is a shallow clone, so git does not know; or git takes too long.
    """
    dates = {path: day_of_file(path) for path in paths}
    git = Git(folder)
    try:
        if not git.answers():
            return dates
        names = {path.relative_to(folder).as_posix(): path for path in paths}
        committed = _committed(git, names.keys())
        changed = set(
            git.lines(
                "diff", "HEAD", "--name-only", "-z", "--relative", "--no-ext-diff", "--", *MARKDOWN
            )
        )
        for name, day in committed.items():
            path = names[name]
            if name not in changed or text_of_page(git.blob(f"HEAD:./{name}")) == text_of_page(
                load_bytes(path) or b""
            ):
                dates[path] = day
    finally:
        git.close()
    return dates


def days_of_lines(folder: Path, path: Path, lines: Sequence[int]) -> dict[int, str]:
    """Return the day on which each line of a page was written last, as its author's clock had it.

    Where git does not know, or the line was written since the last commit, that is the day of the file.

    Raises:
        FileError: as `last_changes`.
    """
    return {**dict.fromkeys(lines, day_of_file(path)), **committed_days(folder, path, lines)}


def committed_days(folder: Path, path: Path, lines: Sequence[int]) -> dict[int, str]:
    """Return the day of the commit that wrote each line of a page last; those that no commit has are left out.

    Raises:
        FileError: as `last_changes`.
    """
    days: dict[int, str] = {}
    git = Git(folder)
    if not lines or not git.answers():
        return days
    stretches = [f"-L{line},{line}" for line in lines]
    name = path.relative_to(folder).as_posix()
    try:
        text = git.text("blame", "--line-porcelain", *stretches, "--", name)
    except FileError:
        return days  # git does not have this page
    for part in re.split(r"(?m)^(?=[0-9a-f]{40} \d+ \d+)", text):
        head = re.match(r"([0-9a-f]{40}) \d+ (\d+)", part)
        found = re.search(r"(?m)^author-time (\d+)\nauthor-tz ([+-])(\d\d)(\d\d)$", part)
        if head and found and head[1].strip("0"):
            shift = int(found[3]) * 3600 + int(found[4]) * 60
            seconds = int(found[1]) + (shift if found[2] == "+" else -shift)
            days[int(head[2])] = datetime.fromtimestamp(seconds, UTC).date().isoformat()
    return days


def day_of_file(path: Path) -> str:
    """Return the day on which a file was written last; empty where there is none."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime).astimezone().date().isoformat()
    except (OSError, ValueError, OverflowError):
        return ""


def _committed(git: Git, names: Iterable[str]) -> dict[str, str]:
    """Return the day of the last commit of a person to each page that git knows, renames followed."""
    wanted = {name: name for name in names}  # what a page was called then: what it is called now
    found: dict[str, str] = {}
    first: dict[str, str] = {}
    for commit in _commits(git):
        robot = is_robot(commit.name, commit.email)
        renamed: dict[str, str] = {}
        for change in commit.changes:
            page = wanted.get(change.name)
            if page is None:
                continue
            first[page] = commit.day
            if not robot and page not in found and _is_of_text(git, change):
                found[page] = commit.day
            if change.was:
                renamed[change.was] = page
            if change.was or change.is_new:
                del wanted[change.name]
        wanted.update(renamed)
        if not wanted:
            break
    return {**first, **found}


def _is_of_text(git: Git, change: _Change) -> bool:
    if change.is_new:
        return True
    if change.before == change.after:
        return False
    return text_of_page(git.blob(change.before)) != text_of_page(git.blob(change.after))


@dataclass(slots=True)
class _Change:
    """What a commit did to a page; `before` and `after` name its contents."""

    name: str
    before: str
    after: str
    was: str = ""
    is_new: bool = False


@dataclass(slots=True)
class _Commit:
    name: str
    email: str
    day: str
    changes: list[_Change] = field(default_factory=list)


def _commits(git: Git) -> Iterator[_Commit]:
    """Yield the commits that touched pages, children before their parents, otherwise the newest first."""
    asked = (
        "--date-order",
        "--date=short",
        "--format=%x01%x00%an%x00%ae%x00%ad%x00",
        "--no-ext-diff",
    )
    shown = ("-z", "--raw", "--no-abbrev", "-M", "-l5000", "--relative")
    tokens = git.lines("log", *asked, *shown, "HEAD", "--", *MARKDOWN)
    commit: _Commit | None = None
    for token in tokens:
        token = token.lstrip("\n")
        if token == "\x01":
            if commit:
                yield commit
            commit = _Commit(next(tokens, ""), next(tokens, ""), next(tokens, ""))
        elif token.startswith(":") and commit:
            _, _, before, after, status = token.split(" ", 4)
            name = next(tokens, "")
            if status[:1] in "RC":
                commit.changes.append(_Change(next(tokens, ""), before, after, was=name))
            elif status[:1] != "D":
                commit.changes.append(_Change(name, before, after, is_new=status[:1] == "A"))
    if commit:
        yield commit


class Git:
    """Asks git about the repository that a folder lies in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blobs: subprocess.Popen[bytes] | None = None

    def answers(self) -> bool:
        """Whether there is git, a repository and a commit in it.

        Raises:
            FileError: it is a shallow clone.
        """
        try:
            said = self._run("rev-parse", "--is-shallow-repository", "HEAD").decode().split()
        except (OSError, subprocess.CalledProcessError):
            return False
        if said[:1] == ["true"]:
            raise FileError(
                f"{self._folder} is a shallow clone, so git cannot say when its pages were changed. Fetch the whole history: "
                "git fetch --unshallow; in a GitHub Action, fetch-depth: 0 for actions/checkout."
            )
        return True

    def lines(self, *words: str) -> Iterator[str]:
        """Yield what a command prints, cut at each NUL."""
        yield from self.text(*words).split("\0")

    def text(self, *words: str) -> str:
        """Return what a command prints.

        Raises:
            FileError: it failed.
        """
        try:
            return self._run(*words).decode("utf-8", "surrogateescape")
        except (OSError, subprocess.CalledProcessError) as error:
            raise FileError(f"git {words[0]} failed in {self._folder}: {error}.") from error

    def stream(self, *words: str) -> Iterator[bytes]:
        """Yield the lines that a command prints, while it prints them.

        Raises:
            FileError: it failed, or takes too long.
        """
        ends = time.monotonic() + _LONGEST_S
        with subprocess.Popen(
            self._words(*words),
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            env=_environment(),
        ) as process:
            try:
                for line in cast(IO[bytes], process.stdout):
                    yield line
                    if time.monotonic() > ends:
                        raise self._too_long(words[0])
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise FileError(f"git {words[0]} failed in {self._folder}: exit {process.returncode}.")

    def _too_long(self, word: str) -> FileError:
        return FileError(f"git {word} took more than {_LONGEST_S} s in {self._folder}.")

    def blob(self, name: str) -> bytes:
        """Return the contents of a file by their id, or `HEAD:./path`; empty where there are none."""
        if "\n" in name:
            return b""
        if self._blobs is None:
            self._blobs = subprocess.Popen(
                self._words("cat-file", "--batch"),
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )
        asking, answering = cast(IO[bytes], self._blobs.stdin), cast(IO[bytes], self._blobs.stdout)
        asking.write(name.encode("utf-8", "surrogateescape") + b"\n")
        asking.flush()
        head = answering.readline().split()
        if len(head) != 3 or head[1] != b"blob":
            return (
                b""
                if head[-1:] in ([b"missing"], [b"ambiguous"])
                else answering.read(int(head[2]) + 1)
            )
        return answering.read(int(head[2]) + 1)[:-1]

    def close(self) -> None:
        """End what was started."""
        if self._blobs:
            self._blobs.communicate()

    def _run(self, *words: str) -> bytes:
        try:
            done = subprocess.run(
                self._words(*words),
                cwd=self._folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                stdin=subprocess.DEVNULL,
                check=True,
                timeout=_LONGEST_S,
                env=_environment(),
            )
        except subprocess.TimeoutExpired as error:
            raise self._too_long(words[0]) from error
        return done.stdout

    @staticmethod
    def _words(*words: str) -> list[str]:
        return ["git", *_QUIET, *words]


def _environment() -> dict[str, str]:
    return {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1"}
