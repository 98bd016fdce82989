"""Records: one JSON line for each finished seed, appended so that a kill loses nothing that was finished."""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from studiolo.errors import RunError


Status = Literal["ok", "error", "timeout", "killed", "needs"]

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One seed of one experiment on one machine.

    Attributes:
        paper: the folder's name. run: the experiment. index: which seed, counted from 0. seed: what it was handed.
        values: named numbers. arrays: the file of the named arrays, beside the records. files: name -> file.
        status: how it ended; why: the reason, where it is not "ok".
        fingerprint: hash of all that the result depends on.
        rules: claim -> hash of the rule that was to judge this seed when it ran.
        commit: of the repository that the code came from; dirty: it had uncommitted changes.
        wall_s, cpu_s: seconds of the function itself. load: average when it ended. peak_mem_bytes: of the process.
    """

    paper: str
    run: str
    config: Mapping[str, Any]
    series: int
    index: int
    seed: int
    status: Status
    why: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    arrays: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str
    rules: Mapping[str, str] = field(default_factory=dict)
    machine: str
    environment: str
    commit: str | None = None
    dirty: bool = False
    started: str
    wall_s: float
    cpu_s: float
    load: float
    peak_mem_bytes: int

    @property
    def busy(self) -> bool:
        """True if the process got less than 80 % of a core while it measured."""
        return self.wall_s > 0.5 and self.cpu_s < 0.8 * self.wall_s

    def to_json(self) -> str:
        """Return the record as one line of JSON with sorted keys; numbers that are not finite as strings."""
        fields = {"v": FORMAT} | asdict(self)
        fields["values"] = {name: _plain(value) for name, value in self.values.items()}
        for name in ("wall_s", "cpu_s", "load"):
            fields[name] = round(fields[name], 4)
        return json.dumps(fields, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Read a line that `to_json` wrote.

        Raises:
            ValueError, TypeError, KeyError: it is not such a line.
        """
        fields = json.loads(line)
        if fields.pop("v") != FORMAT:
            raise ValueError(f"This record has another format than {FORMAT}.")
        fields["values"] = {name: float(value) for name, value in fields["values"].items()}
        return cls(**fields)


def load_records(path: Path) -> list[Record]:
    """Read the records of a file, oldest first; a missing file has none, a torn last line is left out.

    Raises:
        RunError: a line before the last cannot be read; names the line.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"Cannot read the records in {path}: {error}.") from error
    complete, _, _torn = content.rpartition(b"\n")
    records = []
    for number, line in enumerate(complete.split(b"\n") if complete else [], start=1):
        try:
            records.append(Record.from_json(line.decode()))
        except (ValueError, TypeError, KeyError) as error:
            raise RunError(
                f"{path}:{number} is not a record ({error}). Remove that line; no other line depends on it."
            ) from error
    return records


def append_record(path: Path, record: Record) -> None:
    """Append one line, first cutting a torn last line, under a lock of the file; on return it is on the disk.

    Raises:
        RunError: the disk is full or the folder cannot be written.
    """
    line = record.to_json().encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            end = _end_of_last_line(file.fileno())
            os.ftruncate(file.fileno(), end)
            if os.write(file.fileno(), line) != len(line):
                os.ftruncate(file.fileno(), end)
                raise OSError("the disk is full")
            os.fsync(file.fileno())
    except OSError as error:
        raise RunError(
            f"Cannot write the record of {record.run}, seed {record.index}, to {path}: {error}. "
            "Earlier records are kept; free some space or choose another library, and run again."
        ) from error


def _end_of_last_line(descriptor: int) -> int:
    """Return the offset behind the last newline: where the next record belongs."""
    end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - 4096)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _plain(value: float) -> float | str:
    """Return a JSON number, or "nan", "inf", "-inf", which JSON lacks and `float` reads."""
    return value if math.isfinite(value) else str(value)


def record_files(folder: Path) -> Iterator[Path]:
    """Yield the record files of a results folder in the order of their names."""
    yield from sorted(folder.glob("*.jsonl"))
