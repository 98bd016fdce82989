"""Records: one JSON line for each finished seed, appended so that a kill loses nothing that was finished."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from studiolo.files import FORMAT, append_lines, load_records as load_lines_as, save_bytes


Status = Literal["ok", "error", "timeout", "killed", "needs"]


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
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Read the fields of a line that `to_json` wrote; it may be spoilt, or a stranger's work.

        Raises:
            ValueError: it is not such a line; says what is wrong with it.
        """
        own = {**_OPTIONAL, **fields}
        try:
            if own.pop("v") != FORMAT:
                raise ValueError(f"its format is {fields['v']!r:.40}")
            for name, kind in _KINDS.items():
                if not isinstance(own.get(name), kind):
                    raise TypeError(f"{name} is {own.get(name)!r:.40}")
            own["values"] = {name: float(value) for name, value in own["values"].items()}
            _check(own)
            return cls(**own)
        except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(str(error)) from error


_OPTIONAL: dict[str, Any] = {
    "why": "",
    "dirty": False,
    "files": {},
    "values": {},
    "rules": {},
}  # what a line may lack
_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("paper", "run", "status", "fingerprint", "machine", "environment"), str),
    **dict.fromkeys(("why", "started"), str),
    **dict.fromkeys(("series", "index", "seed", "peak_mem_bytes"), int),
    **dict.fromkeys(("config", "values", "files", "rules"), dict),
    **dict.fromkeys(("wall_s", "cpu_s", "load"), (int, float)),
    **dict.fromkeys(("arrays", "commit"), (str, type(None))),
    "dirty": bool,
}


def _check(fields: Mapping[str, Any]) -> None:
    """Refuse what has the right type and would still lead astray.

    Raises:
        ValueError: a number is not finite, a file is not beside the records, or a rule is not text.
    """
    for name in ("wall_s", "cpu_s", "load"):
        if not math.isfinite(fields[name]):
            raise ValueError(f"{name} is {fields[name]}")
    for name in (fields.get("arrays"), *fields["files"].values()):
        if name is not None and not (isinstance(name, str) and _is_beside(name)):
            raise ValueError(f"{name!r:.40} is not a file beside it")
    if not all(isinstance(rule, str) for rule in fields["rules"].values()):
        raise ValueError("a rule is not text")
    json.dumps(fields["config"], allow_nan=False)


def _is_beside(name: str) -> bool:
    return name not in ("", ".", "..") and not set(name) & set("/\\\0")


def load_records(path: Path) -> list[Record]:
    """Read the records of a file, oldest first; a missing file has none.

    A line that is not a record is passed over and kept, and that is said with its file and line; see `studiolo.files`.

    Raises:
        FileError: the file cannot be read.
    """
    return list(load_lines_as(path, Record.from_fields))


def append_record(path: Path, record: Record) -> None:
    """Append one line; on return it is on the disk.

    Raises:
        FileError: the disk is full or the folder cannot be written.
    """
    append_lines(path, [record.to_json().encode()])


def save_content(folder: Path, content: bytes, suffix: str) -> str:
    """Save arrays or a file of a record in `folder` under a hash of the content, and return the name.

    Raises:
        FileError: the disk is full or the folder cannot be written.
    """
    name = content_name(content, suffix)
    if not (folder / name).exists():
        save_bytes(folder / name, content)
    return name


def content_name(content: bytes, suffix: str) -> str:
    """Return the name under which `save_content` saves; a suffix that is not short and plain is left out."""
    plain = suffix if re.fullmatch(r"\.[A-Za-z0-9_-]{1,16}", suffix) else ""
    return hashlib.sha256(content).hexdigest()[:16] + plain


def _plain(value: float) -> float | str:
    """Return a JSON number, or "nan", "inf", "-inf", which JSON lacks and `float` reads."""
    return value if math.isfinite(value) else str(value)


LEDGER = "ledger.jsonl"  # beside the records; see `ledger`


def record_files(folder: Path) -> Iterator[Path]:
    """Yield the record files of a results folder in the order of their names."""
    yield from sorted(path for path in folder.glob("*.jsonl") if path.name != LEDGER)
