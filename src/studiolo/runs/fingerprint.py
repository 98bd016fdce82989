"""What a result depends on, as a hash: code by its syntax trees, never by importing it.

From an experiment, names are followed to their definitions (see `reach`); what nobody reaches does not count, wherever
it stands. Comments, docstrings and layout do not count either. The hash is the same in every version of Python.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studiolo.collector import collector_paused

from .reach import Reach, Source, State, state_of


PACKAGE_ROOT = Path(__file__).parents[1]  # the folder of the package `studiolo`


@dataclass(frozen=True, slots=True)
class Code:
    """What the experiments of a paper folder reach.

    Attributes:
        digest: 16 hex digits over all that experiments.py reaches.
        digests: the same over what one function of it reaches.
        imports: top-level names of the other packages that running it imports, such as {"torch", "numpy"}.
        problem: why experiments.py is not Python, or empty.
    """

    digest: str
    digests: Mapping[str, str]
    imports: frozenset[str]
    problem: str = ""

    def of(self, run: str) -> str:
        """Return the digest of what one function reaches; of one that experiments.py does not define that of all."""
        return self.digests.get(run, self.digest)


@dataclass(frozen=True, slots=True)
class Reached:
    """What one experiment reaches: the digest of it, and the files that were read, as they were then."""

    digest: str
    files: Mapping[Path, State]

    def changed_files(self) -> list[Path]:
        """Return the files that were written to since, whatever they hold now."""
        return [path for path, state in self.files.items() if state_of(path) != state]


def code_of(folder: Path) -> Code:
    """Return the code reached from `folder`/experiments.py: the paper's own files and `studiolo` modules.

    A file that is not Python counts by its bytes; running it then says what is wrong with it.
    """
    source = Source(folder, PACKAGE_ROOT)
    everything, digests = Reach(source), {}
    with collector_paused():
        module = source.file(folder / "experiments.py")
        if module is not None:
            for name in module.defined:
                reach = Reach(source)
                reach.name(module, name)
                digests[name] = reach.digest
            everything.whole(module)
    imports = frozenset(everything.packages)
    problem = module.problem if module else ""
    return Code(everything.digest, digests, imports, problem)


def reached_by(folder: Path, run: str) -> Reached:
    """Return what one experiment of a paper folder reaches; its digest is that of `code_of` for it."""
    source = Source(folder, PACKAGE_ROOT)
    reach = Reach(source)
    module = source.file(folder / "experiments.py")
    if module is not None:
        if run in module.defined:
            reach.name(module, run)
        else:
            reach.whole(module)
    return Reached(reach.digest, dict(reach.files))


def fingerprint(code: Code, run: str, config: Mapping[str, Any], series: int, index: int) -> str:
    """Return 16 hex digits over what the experiment reaches, its name, config and series, and the seed's index."""
    return _hash([code.of(run), run, config, series, index])[:16]


def seed_of(key: str, run: str, config: Mapping[str, Any], series: int, index: int) -> int:
    """Return the seed handed to an experiment, below 2**31: the same on every machine and for every version of the code."""
    return int(_hash([key, run, config, series, index])[:8], 16) >> 1


def canonical(config: Mapping[str, Any]) -> str:
    """Return a config as JSON with sorted keys, so that equal configs are equal strings."""
    return json.dumps(config, sort_keys=True, separators=(",", ":"))


def digest_of(digests: list[str]) -> str:
    """Return 16 hex digits over several digests."""
    return _hash(digests)[:16]


def _hash(parts: list[Any]) -> str:
    return hashlib.sha256(canonical({"parts": parts}).encode()).hexdigest()
