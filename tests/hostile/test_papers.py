"""A list that names hostile paper folders beside a good one: it is run and reported, and the good one holds."""

import json
import os
import subprocess
import sys

import psutil
import pytest

from .papers import FOLDERS, make_library
from .states import snapshot


# What kills itself looks like what somebody killed: it is tried again, and is no outcome.
ENDED_FROM_OUTSIDE = ("body_kills_itself", "body_kills_its_group")
NOT_HERE = ("toml_needs_odd",)  # needs what no machine has
NOT_A_PAPER = ("place_no_toml", "place_paper_is_a_loop")  # there is no paper.toml to be seen
QUICK = sorted(FOLDERS)[:: len(FOLDERS) // 12]


def studiolo(state_home, *arguments):
    environment = {"XDG_STATE_HOME": str(state_home), "XDG_CACHE_HOME": str(state_home)}
    return subprocess.run(
        [sys.executable, "-m", "studiolo", *map(str, arguments)],
        env=os.environ | environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, errors="replace", timeout=900, check=False,
    )  # fmt: skip


def assert_is_said(done, codes=(0,)):
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said[-3000:]
    assert done.returncode in codes, said[-3000:]
    assert "\x1b" not in said
    assert len(said) < 500_000


def is_ours(process, state_home):
    return (process.info["environ"] or {}).get("XDG_STATE_HOME") == str(state_home)


def assert_the_good_one_is_reported(folder, state_home, names):
    path = make_library(folder, names)
    outside = snapshot(folder / "outside")
    lists = path.read_bytes()

    assert_is_said(done := studiolo(state_home, "run", path, "--verbose", "--budget", "20m"))
    assert "good x-is-large" in done.stdout
    said = done.stdout + done.stderr
    slugs = [name.replace("-", "_") for name in names]
    page = (folder / "library" / ".studiolo" / "report" / "list.html").read_text()
    for slug in slugs:
        assert slug in NOT_A_PAPER or slug in said or f'id="{slug}' in page, slug
    for slug in [*slugs, "good"]:
        if f'id="{slug}-x-is-large"' in page:
            assert_all_seeds_are_recorded(folder / "library", slug)
    # Known by their environment: other runs of the machine have fork servers too.
    left = [p for p in psutil.process_iter(["cmdline", "environ"]) if is_ours(p, state_home)]
    assert not [p for p in left if "forkserver" in " ".join(p.info["cmdline"] or ())]

    again = studiolo(state_home, "run", path, "--json")
    assert_is_said(again)
    assert all(isinstance(json.loads(line), dict) for line in again.stdout.splitlines())
    assert_is_said(studiolo(state_home, "report", path))
    assert_is_said(studiolo(state_home, "report", path, "--format", "md"))
    assert_is_said(studiolo(state_home, "report", path, "--format", "json"))
    assert_is_said(studiolo(state_home, "keep-records", path), (0, 1))
    assert_is_said(studiolo(state_home, "check-papers", folder / "library"), (0, 1))
    assert_is_said(studiolo(state_home, "doctor", folder / "library"))
    assert_is_said(studiolo(state_home, "questions", path))
    assert snapshot(folder / "outside") == outside
    assert path.read_bytes() == lists


def assert_all_seeds_are_recorded(library, slug):
    folder = library / ".studiolo" / "results" / slug
    records = [
        json.loads(line)
        for file in folder.glob("*.jsonl")
        if file.name != "ledger.jsonl"
        for line in file.read_text().splitlines()
    ]
    excused = (*ENDED_FROM_OUTSIDE, *NOT_HERE)
    assert 0 in {record["index"] for record in records} or slug in excused, slug


def test_dozen_hostile_folders_keep_no_other_paper_from_its_verdict(tmp_path, tmp_path_factory):
    assert_the_good_one_is_reported(tmp_path, tmp_path_factory.mktemp("home"), QUICK)


@pytest.mark.soak
def test_hundred_hostile_folders_keep_no_other_paper_from_its_verdict(tmp_path, tmp_path_factory):
    assert len(FOLDERS) >= 100
    assert_the_good_one_is_reported(tmp_path, tmp_path_factory.mktemp("home"), list(FOLDERS))
