"""A seed on another machine: what travels there, and what an engine calls there for each seed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from .executor import LocalExecutor
from .fingerprint import PACKAGE_ROOT
from .machine import Place, this_place
from .worker import BUILT_IN, Result, Task


READERS = "readers"  # beside the package that travelled: the papers of a library
STAYS = (
    "results",
    "example",
    "__pycache__",
    ".*",
)  # what no experiment reaches; .gitignore would hide more


@contextmanager
def packed(folders: Iterable[Path]) -> Iterator[Path]:
    """Give a folder with this package and the library's own paper folders, for an engine that sends folders."""
    with tempfile.TemporaryDirectory(prefix="studiolo-afar-") as root:
        travels = {"studiolo": PACKAGE_ROOT} | {
            f"{READERS}/{folder.name}": folder for folder in folders if folder.parent != BUILT_IN
        }
        for name, folder in travels.items():
            shutil.copytree(folder, Path(root, name), ignore=shutil.ignore_patterns(*STAYS))
        yield Path(root)


def run_packed(task: Task, torch: bool) -> Result:
    """Run a task whose paper folder travelled in the folder that `packed` made, which holds this package too."""
    own = PACKAGE_ROOT.parent / READERS / task.folder.name
    folder = own if own.is_dir() else BUILT_IN / task.folder.name
    return run_here(replace(task, folder=folder), torch)


def run_here(task: Task, torch: bool) -> Result:
    """Run a task in a fresh process of this machine, as a local run does; one task at a time."""
    return _executor(torch).submit(task).result()


def place_here() -> Place:
    """Say what this machine is; an engine calls it there."""
    return this_place()


@cache
def _executor(torch: bool) -> LocalExecutor:
    """Keep one fork server for all the seeds that an engine's process runs one after the other."""
    return LocalExecutor(1, torch=torch)
