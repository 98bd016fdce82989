"""Keeping records in a paper folder: what this machine measured becomes a reference machine's column elsewhere."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from studiolo.claims import Paper
from studiolo.errors import FileError
from studiolo.files import load_bytes, refuse_to_leave, save_bytes

from .evidence import Evidence, experiment_of_figure, load_evidence
from .ledger import load_ledger, save_ledger, seen_in
from .machine import save_machine, this_machine
from .records import load_records, record_files, save_content


def save_reference(paper: Paper, library: Path) -> Path | None:
    """Copy the records that speak, and the arrays that figures need, into the paper folder's `results/`.

    Replaces what this machine kept there before; `<machine>.json` beside it says what the machine is. The ledger, all that
    is known of how the claims came to their rules, goes with them and is only added to. Returns the file of records, or
    None if there is none to keep.

    Raises:
        FileError: the folder cannot be written; says why.
    """
    evidence = load_evidence(paper, library)
    if not evidence.current:
        return None
    drawn = {
        record.arrays
        for figure in paper.figures
        for record in evidence.records_of(experiment_of_figure(paper, figure))
    }
    never_drawn = _pictures_never_drawn(evidence)
    folder = paper.folder / "results"
    refuse_to_leave(folder, paper.folder)
    lines = []
    for record in evidence.current.values():
        kept = record.arrays if record.arrays in drawn else None
        if kept is not None:
            data = load_bytes(evidence.folder / kept)
            if data is None:
                raise FileError(
                    f"{evidence.folder / kept}, which a figure of {paper.slug} needs, is gone. Nothing was kept: run again."
                )
            kept = save_content(folder, _without(data, never_drawn[kept]), Path(kept).suffix)
        lines.append(replace(record, arrays=kept, files={}).to_json())
    save_machine(folder, this_machine())
    target = folder / f"{evidence.machine}.jsonl"
    before = {record.arrays for record in load_records(target)}
    save_bytes(target, "".join(f"{line}\n" for line in lines).encode())
    said = b"".join(load_bytes(path) or b"" for path in record_files(folder))
    for name in before:
        if name and name.encode() not in said:
            (folder / name).unlink(missing_ok=True)
    save_ledger(paper, [*load_ledger(paper, library).lines, *seen_in(evidence)])
    return target


def _pictures_never_drawn(evidence: Evidence) -> dict[str, set[str]]:
    """Return by file of arrays the pictures in it that no figure shows: a gallery is drawn from its first seed."""
    found: dict[str, set[str]] = defaultdict(set)
    for figure in evidence.paper.figures:
        records = evidence.records_of(experiment_of_figure(evidence.paper, figure))
        first, *others = [r.arrays for r in records if r.arrays and r.status == "ok"] or [""]
        for arrays in others:
            if figure.images and arrays != first:
                found[arrays] |= {figure.images, figure.captions}
    return found


def _without(data: bytes, names: set[str]) -> bytes:
    """Return a file of arrays without some of them; one that cannot be read as it is, for a report to say so."""
    if not names:
        return data
    import numpy as np

    try:
        with np.load(io.BytesIO(data)) as archive:
            left = {name: archive[name] for name in archive.files if name not in names}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error):
        return data
    smaller = io.BytesIO()
    np.savez_compressed(smaller, **left)
    return smaller.getvalue()
