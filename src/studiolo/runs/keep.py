"""Keeping records in a paper folder: what this machine measured becomes a reference machine's column elsewhere."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from studiolo.claims import Paper

from .evidence import experiment_of_figure, load_evidence


def save_reference(paper: Paper, library: Path) -> Path | None:
    """Copy the records that speak, and the arrays that figures need, into the paper folder's `results/`.

    Replaces what this machine kept there before. Returns the file of records, or None if there is none to keep.
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
    folder.mkdir(exist_ok=True)
    target = folder / f"{evidence.machine}.jsonl"
    lines = []
    for record in evidence.current.values():
        kept = record.arrays if record.arrays in drawn else None
        if kept is not None:
            shutil.copyfile(evidence.folder / kept, folder / kept)
        lines.append(replace(record, arrays=kept, files={}).to_json())
    target.write_text("\n".join(lines) + "\n")
    return target
