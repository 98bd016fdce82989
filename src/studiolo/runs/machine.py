"""Which machine and which environment a record comes from. No torch, no host name."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from studiolo.errors import RunError
from studiolo.files import load_bytes, save_bytes


@dataclass(frozen=True, slots=True)
class Machine:
    """What of a machine decides measurements.

    Attributes:
        cores: logical cores this process may use.
        ram_gib: main memory, rounded to whole GiB.
        gpu: the model's name, or None.
        gpu_gib: its memory, rounded to whole GiB. driver: the version of its driver. Neither is part of the name.
    """

    cpu: str
    cores: int
    ram_gib: int
    gpu: str | None
    gpu_gib: int | None = None
    driver: str | None = None

    @property
    def slug(self) -> str:
        """A readable file name, such as `amd-epyc-2-cores-23-gib-1f3a`; the last digits hash all fields."""
        words = [self.cpu, f"{self.cores} cores", f"{self.ram_gib} GiB", self.gpu or ""]
        readable = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
        digest = hashlib.sha256(repr((self.cpu, self.cores, self.ram_gib, self.gpu)).encode())
        return f"{readable[:60].rstrip('-')}-{digest.hexdigest()[:4]}"

    def __str__(self) -> str:
        parts = [self.cpu, f"{self.cores} cores", f"{self.ram_gib} GiB"]
        return ", ".join([*parts, self.gpu] if self.gpu else parts)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run measures. Its records alone are judged and resumed from; a claim's seeds are never of two machines.

    Attributes:
        environment: as `this_environment` says it there.
        processes: how many one seed may have at a time.
    """

    machine: Machine
    environment: str
    processes: int

    def lacks(self, needs: Iterable[str]) -> str | None:
        """Say what it lacks of what a claim needs, as far as one can say beforehand; None if nothing."""
        for need in needs:
            kind, _, count = need.partition(":")
            if need == "cuda" and self.machine.gpu is None:
                return "needs cuda"
            if kind == "world" and int(count) > self.processes:
                return f"needs {count} processes at a time"
        return None


def save_machine(folder: Path, machine: Machine) -> None:
    """Write what a machine is to `<slug>.json`, beside its records, where that is missing or was another driver's.

    Raises:
        FileError: it cannot be written; says why.
    """
    path = folder / f"{machine.slug}.json"
    fields = asdict(machine)
    for name in ("gpu_gib", "driver"):
        if fields[name] is None:
            del fields[name]
    content = json.dumps(fields, indent=2).encode() + b"\n"
    if load_bytes(path) != content:
        save_bytes(path, content)


def load_machine(path: Path) -> Machine:
    """Read what `save_machine` wrote.

    Raises:
        RunError: it is not there, or does not describe the machine that it is named after.
    """
    try:
        machine = Machine(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} does not say what the machine is: {error}.") from error
    if machine.slug != path.stem:
        raise RunError(
            f"{path} describes another machine, {machine}: its name would be {machine.slug}."
        )
    return machine


def machine_name(folder: Path, slug: str) -> str:
    """Return a machine as one says it, by what `save_machine` wrote into a folder, else by its slug."""
    try:
        return str(load_machine(folder / f"{slug}.json"))
    except RunError:
        return slug.rpartition("-")[0].replace("-", " ")


@cache
def this_machine() -> Machine:
    """Describe the machine this process runs on."""
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Machine(
        _cpu_name(), _usable_cores(), round(pages * page_bytes / 2**30), *(_gpu() or (None,))
    )


def this_place() -> Place:
    """Describe where this process runs as a place to measure at."""
    machine = this_machine()
    return Place(machine, this_environment(), machine.cores)


@cache
def this_environment() -> str:
    """Return the versions that change results: Python's and torch's, such as `python 3.11, torch 2.13.0`.

    Where there is a GPU also those of what computes there: `..., cuda 13.0, triton 3.6.0`.
    """
    found = [f"python {sys.version_info.major}.{sys.version_info.minor}"]
    torch = _version("torch")
    found.append(f"torch {torch}" if torch else "no torch")
    if this_machine().gpu is not None:
        found += [
            f"{name} {number}"
            for name, number in (("cuda", _cuda()), ("triton", _version("triton")))
            if number
        ]
    return ", ".join(found)


def _version(package: str) -> str | None:
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return None


def _cuda() -> str | None:
    """Return the version of CUDA that torch was built for, without importing torch."""
    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        return None
    said = load_bytes(Path(torch.origin).with_name("version.py")) or b""
    found = re.search(rb"^cuda\b.*= *'([\d.]+)'", said, re.MULTILINE)
    return found[1].decode() if found else None


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_name() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    name = found[1] if found else platform.processor() or platform.machine()
    return re.sub(r"\s*(\(R\)|\(TM\)|CPU|Processor|@.*|\d+-Core)", "", name).strip()


def _gpu() -> tuple[str, int, str] | None:
    """Return the first GPU's name, its memory in GiB and the version of its driver."""
    if shutil.which("nvidia-smi") is None:
        return None
    try:
        listing = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"(.+), (\d+), (\S+)", listing)
    return (found[1], round(int(found[2]) / 1024), found[3]) if found else None
