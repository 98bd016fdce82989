"""What `plan` says before anything runs."""

import json

import pytest

from studiolo.claims import load_paper
from studiolo.runs import load_reference_evidence, this_machine
from tests.runs.chaos import CLAIM, make_library

from .commands import run
from .schemas import kept_by


@pytest.fixture
def path(tmp_path):
    """A list with a paper of three claims: another machine measured a seed of one; one needs more processes than there are."""
    path = make_library(tmp_path / "library", claims=2)
    folder = path.parent / "papers" / "chaos"
    wants = 'needs = ["world:5000"]\nscale ='
    with (folder / "paper.toml").open("a") as file:
        file.write(CLAIM.format(n=2).replace("scale =", wants))
    (folder / "results").mkdir()
    record = {
        "v": 1, "paper": "chaos", "run": "f", "config": {"n": 0}, "series": 0, "index": 0, "seed": 1, "status": "ok",
        "fingerprint": "of other code", "machine": "m", "environment": "e", "started": "2026-01-01T00:00:00Z",
        "arrays": None, "commit": None, "wall_s": 2.0, "cpu_s": 2.0, "load": 1.0, "peak_mem_bytes": 300 << 20,
    }  # fmt: skip
    (folder / "results" / "m.jsonl").write_text(json.dumps(record) + "\n")
    assert len(load_reference_evidence(load_paper(folder))[0].records) == 1
    return path


def test_plan_tells_costs_of_any_machine_and_what_cannot_be_tested(path):
    shown = run("plan", path)
    assert shown.startswith("1 of 1 entry can run.\n")
    assert "claim-0: 18 seeds, about 36 s, 300 MiB" in shown
    assert "claim-1: 18 seeds, about 1 min 30 s at a guess" in shown
    assert "Left out, needs 5000 processes at a time (1):\n  chaos claim-2" in shown
    assert "36 seeds: about 2 min 6 s of one worker" in shown
    assert "18 of them were never measured, and count as 5 s each" in shown
    assert not (path.parent / ".studiolo" / "results").exists()


def test_plan_as_json_keeps_to_its_schema(path):
    found = kept_by("plan", run("plan", path, "--json"))
    assert (found["seeds"], found["cost_s"]) == (36, 126.0)
    assert found["place"]["machine"] == this_machine().slug
    assert [task["memory_bytes"] for task in found["tasks"]] == [300 << 20, None]
    assert found["left_out"][0]["why"] == "needs 5000 processes at a time"
