"""Libraries with invented papers and records, for tests of the report."""

from pathlib import Path

import numpy as np

from studiolo.claims import load_paper
from studiolo.runs import Record, this_environment, this_machine
from studiolo.runs.evidence import experiment_of, results_folder
from studiolo.runs.fingerprint import code_of, fingerprint
from studiolo.runs.records import append_record


HEAD = """
key = "arxiv:2001.{number:05d}"
version = "v1"
title = "{title}"
authors = ["A. Author", "B. Author"]
year = 2020
"""
CLAIM = """
[[claim]]
id = "claim-{n}"
says = "{says}"
where = "Table {n}"
source = "{source}"
run = "curve"
config = {{ n = {n} }}
metric = "ratio"
region = {{ at_least = 1.5 }}
weaker = {{ above = 1.0 }}
why = "half as much again is what one would notice"
seeds = 5
scale = {{ kind = "toy", paper = "large", here = "small" }}
controls = {controls}
"""
FIGURE = """
[[figure]]
id = "figure-{n}"
title = "Figure {n}"
description = "A curve that falls."
run = "curve"
config = {{ n = {n} }}
kind = "{kind}"
x = {{ array = "x", label = "size n", scale = "log" }}
y = {{ {y} }}
{rest}
"""
LINES = 'series = [{ array = "y", label = "measured" }, { array = "t", label = "theory", role = "theory" }]'
HEATMAP = 'z = { array = "z", label = "depth" }'
GALLERY = 'images = { array = "pictures" }\ncaptions = { array = "captions" }'


def make_paper(
    library: Path,
    slug="made_up",
    number=1,
    claims=3,
    figures=("lines",),
    says=None,
    title="A made-up paper",
):
    """Write a paper folder; its last claim is the control of the others."""
    folder = library / "papers" / slug
    folder.mkdir(parents=True)
    text = HEAD.format(number=number, title=title)
    for n in range(claims):
        last = n == claims - 1
        text += CLAIM.format(
            n=n,
            says=says or f"Sentence {n} of the paper.",
            source="recalled" if n == 1 else "read",
            controls="[]" if last else f'["claim-{claims - 1}"]',
        )
    for n, kind in enumerate(figures):
        rest = {"heatmap": HEATMAP, "gallery": GALLERY}.get(kind, LINES)
        y = (
            'array = "x", label = "y", scale = "log"'
            if kind == "heatmap"
            else 'label = "cost", scale = "log"'
        )
        text += FIGURE.format(n=n % claims, kind=kind, rest=rest, y=y).replace(
            f"figure-{n % claims}", f"figure-{n}"
        )
    (folder / "paper.toml").write_text(text)
    (folder / "__init__.py").write_text('"""Made up."""\n')
    (folder / "experiments.py").write_text("def curve(*, seed, n):\n    return None\n")
    (folder / "model.py").write_text("x = '</code><script>alert(1)</script>'\n")
    (folder / "README.md").write_text(
        "# Made up\n\n## What this does not show\n\nMuch. <b>bold</b>\n"
    )
    return load_paper(folder)


def make_records(library: Path, paper, points=200, status="ok", **changes):
    """Write five seeds for every claim; the control's ratio is 1, the others' 2."""
    folder = results_folder(library, paper)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    x = np.geomspace(1, 1000, points)
    arrays = {
        "x": x,
        "y": 1 / x + rng.random(points) / 1000,
        "t": 1 / x,
        "z": np.outer(x, x),
        "pictures": rng.random((6, 8, 8)),
        "captions": np.array([f"picture {i}" for i in range(6)]),
    }
    np.savez_compressed(folder / "arrays.npz", **arrays)
    code, machine = code_of(paper.folder), this_machine().slug
    for claim in paper.claims:
        experiment = experiment_of(claim)
        for index in range(experiment.seeds):
            ratio = (1.0 if claim.id in paper.controls else 2.0) + index / 100
            fields = {
                "paper": paper.slug, "run": "curve", "config": claim.config, "series": 0,
                "index": index, "seed": index, "status": status, "values": {"ratio": ratio},
                "arrays": "arrays.npz", "machine": machine, "environment": this_environment(),
                "fingerprint": fingerprint(code, "curve", claim.config, 0, index),
                "rules": {claim.id: claim.rule}, "started": "2026-01-01T00:00:00Z",
                "wall_s": 1.0, "cpu_s": 0.9, "load": 0.1, "peak_mem_bytes": 1,
            }  # fmt: skip
            append_record(folder / f"{machine}.jsonl", Record(**(fields | changes)))
