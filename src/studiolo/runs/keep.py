"""Keeping records in a paper folder: what this machine measured becomes a reference machine's column elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from studiolo.claims import Paper
from studiolo.errors import FileError
from studiolo.files import load_bytes, refuse_to_leave, save_bytes

from .evidence import experiment_of_figure, load_evidence
from .ledger import load_ledger, save_ledger, seen_in
from .machine import save_machine, this_machine


def save_reference(paper: Paper, library: Path) -> Path | None:
    """Copy the records that speak, and the arrays that figures need, into the paper folder's `results/`.

    The ledger goes with them: all that is known of how the claims came to their rules. It is only added to. Replaces what this machine kept there before; `<machine>.json` beside it says what the machine is. Returns the file
    of records, or None if there is none to keep.

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
            save_bytes(folder / kept, data)
        lines.append(replace(record, arrays=kept, files={}).to_json())
    save_machine(folder, this_machine())
    target = folder / f"{evidence.machine}.jsonl"
    save_bytes(target, "".join(f"{line}\n" for line in lines).encode())
    save_ledger(paper, [*load_ledger(paper, library).lines, *seen_in(evidence)])
    return target
