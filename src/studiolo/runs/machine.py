"""Which machine and which environment a record comes from. No torch, no host name."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from studiolo.errors import RunError
from studiolo.files import save_bytes


@dataclass(frozen=True, slots=True)
class Machine:
    """What of a machine decides measurements.

    Attributes:
        cores: logical cores this process may use.
        ram_gib: main memory, rounded to whole GiB.
        gpu: the model's name, or None.
    """

    cpu: str
    cores: int
    ram_gib: int
    gpu: str | None

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
    """Write what a machine is to `<slug>.json`, beside its records, where that is missing.

    Raises:
        FileError: it cannot be written; says why.
    """
    path = folder / f"{machine.slug}.json"
    if not path.exists():
        save_bytes(path, json.dumps(asdict(machine), indent=2).encode() + b"\n")


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


@cache
def this_machine() -> Machine:
    """Describe the machine this process runs on."""
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=_cpu_name(),
        cores=_usable_cores(),
        ram_gib=round(pages * page_bytes / 2**30),
        gpu=_gpu_name(),
    )


def this_place() -> Place:
    """Describe where this process runs as a place to measure at."""
    machine = this_machine()
    return Place(machine, this_environment(), machine.cores)


@cache
def this_environment() -> str:
    """Return the versions that change results: Python's and torch's, such as `python 3.11, torch 2.13.0`."""
    python = f"python {sys.version_info.major}.{sys.version_info.minor}"
    try:
        return f"{python}, torch {version('torch').partition('+')[0]}"
    except PackageNotFoundError:
        return f"{python}, no torch"


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


def _gpu_name() -> str | None:
    if not Path("/proc/driver/nvidia/version").exists():
        return None
    try:
        listing = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    names = listing.split("\n")
    return names[0].strip() or None
