import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studiolo.errors import FileError, RunError
from studiolo.runs import (
    Machine,
    load_evidence,
    load_machine,
    paper_folders,
    this_environment,
    this_machine,
)
from studiolo.runs.evidence import results_folder
from studiolo.runs.fingerprint import code_of, fingerprint
from studiolo.runs.machine import _gpu, save_machine
from studiolo.runs.records import Record, append_record, load_records, record_files, save_content
from tests.pace import on_this_machine

from .conftest import claim


MANY = [claim(f"claim-{n}", config=f"{{ n = {n} }}", seeds=18) for n in range(100)]


def record(index=0, **changes):
    fields = {
        "paper": "tiny", "run": "f", "config": {"n": 1}, "series": 0, "index": index, "seed": 7,
        "status": "ok", "values": {"x": 1.5}, "fingerprint": "ab", "machine": "m",
        "environment": "e", "started": "2026-01-01T00:00:00Z", "wall_s": 1.0, "cpu_s": 0.9,
        "load": 0.1, "peak_mem_bytes": 1,
    }  # fmt: skip
    return Record(**(fields | changes))


def test_record_comes_back_as_it_was(tmp_path):
    path = tmp_path / "a" / "m.jsonl"
    append_record(path, record(0))
    append_record(path, record(1, status="error", why="because"))
    assert load_records(path) == [record(0), record(1, status="error", why="because")]


def test_numbers_that_are_not_finite_survive_as_strict_json(tmp_path):
    path = tmp_path / "m.jsonl"
    append_record(path, record(values={"a": math.inf, "b": math.nan}))
    assert json.loads(path.read_text(), parse_constant=pytest.fail)
    values = load_records(path)[0].values
    assert values["a"] == math.inf
    assert math.isnan(values["b"])


def test_torn_last_line_is_left_out_and_cut_by_the_next_record(tmp_path):
    path = tmp_path / "m.jsonl"
    append_record(path, record(0))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"half": ')
    assert load_records(path) == [record(0)]
    append_record(path, record(1))
    assert load_records(path) == [record(0), record(1)]


def test_broken_line_in_the_middle_is_said_passed_over_and_kept(tmp_path, caplog):
    path = tmp_path / "m.jsonl"
    append_record(path, record(0))
    path.write_bytes(b"nonsense\n" + path.read_bytes())
    assert load_records(path) == [record(0)]
    append_record(path, record(1))
    assert load_records(path) == [record(0), record(1)]
    assert path.read_bytes().startswith(b"nonsense\n")
    assert caplog.messages == [f"{path}:1 is not a record. It was passed over and kept."]


def test_last_record_without_its_newline_counts_and_gets_it(tmp_path):
    path = tmp_path / "m.jsonl"
    append_record(path, record(0))
    path.write_bytes(path.read_bytes().rstrip())
    assert load_records(path) == [record(0)]
    append_record(path, record(1))
    assert load_records(path) == [record(0), record(1)]


DAMAGES: tuple[dict[str, Any], ...] = (
    {"values": []}, {"values": {"x": None}}, {"wall_s": None}, {"config": 3}, {"index": "1"},
    {"arrays": "../x.npz"}, {"files": {"a": "../x"}}, {"wall_s": 1e999}, {"config": {"a": 1e999}},
    {"why": 1}, {"dirty": 1}, {"rules": {"a": 1}}, {"v": "1"}, {"run": 1}, {"odd": 1}, {"rules": None}, {"arrays": 1}, {"values": {"x": 10**400}},
)  # fmt: skip
DAMAGED_LINES = ["1", "null", "[]", '"text"', "{}", "[" * 100_000, '{"v": 1}']
DAMAGED_LINES += [json.dumps(json.loads(record(0).to_json()) | damage) for damage in DAMAGES]


@pytest.mark.parametrize("line", DAMAGED_LINES, ids=range(len(DAMAGED_LINES)))
def test_damaged_line_blocks_no_other(tmp_path, line, caplog):
    path = tmp_path / "m.jsonl"
    path.write_text(f"{record(0).to_json()}\n{line}\n{record(1).to_json()}\n")
    assert load_records(path) == [record(0), record(1)]
    assert caplog.messages == [f"{path}:2 is not a record. It was passed over and kept."]


def test_record_of_a_newer_format_asks_for_an_update(tmp_path, caplog):
    path = tmp_path / "m.jsonl"
    path.write_text(record(0).to_json().replace('"v": 1', '"v": 2') + "\n")
    assert load_records(path) == []
    assert "m.jsonl:1 was written in format 2; this Studiolo reads 1. Update:" in caplog.text


@pytest.mark.parametrize(
    ("suffix", "kept"), [(".npz", ".npz"), (".a b", ""), ("." + "x" * 300, "")]
)
def test_content_is_named_by_its_hash_and_a_plain_suffix(tmp_path, suffix, kept):
    name = save_content(tmp_path / "new", b"hello", suffix)
    assert name == "2cf24dba5fb0a30e" + kept
    assert (tmp_path / "new" / name).read_bytes() == b"hello"
    assert save_content(tmp_path / "new", b"hello", suffix) == name
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_machine_comes_back_and_another_under_its_name_is_refused(tmp_path):
    machine = Machine("AMD EPYC", 2, 24, None)
    save_machine(tmp_path, machine)
    path = tmp_path / f"{machine.slug}.json"
    assert load_machine(path) == machine
    path.write_text(path.read_text().replace("24", "48"))
    with pytest.raises(
        RunError, match=r"describes another machine, AMD EPYC, 2 cores, 48 GiB: its"
    ):
        load_machine(path)
    path.write_text("[]")
    with pytest.raises(RunError, match="does not say what the machine is"):
        load_machine(path)


def test_graphics_driver_and_memory_are_described_and_leave_the_name_as_it_is(tmp_path):
    plain = Machine("AMD EPYC", 2, 24, "NVIDIA H100")
    save_machine(tmp_path, replace(plain, gpu_gib=80, driver="580.1"))
    save_machine(tmp_path, newer := replace(plain, gpu_gib=80, driver="590.1"))
    assert load_machine(tmp_path / f"{plain.slug}.json") == newer
    assert newer.slug == plain.slug
    save_machine(tmp_path / "cpu", cpu := Machine("AMD EPYC", 2, 24, None))
    kept = json.loads((tmp_path / "cpu" / f"{cpu.slug}.json").read_text())
    assert list(kept) == ["cpu", "cores", "ram_gib", "gpu"]


@pytest.mark.parametrize(
    ("listing", "found"),
    [
        ("NVIDIA H100 80GB HBM3, 81559, 580.159.04", ("NVIDIA H100 80GB HBM3", 80, "580.159.04")),
        ("No devices were found", None),
    ],
)
def test_graphics_card_is_what_its_driver_says(tmp_path, monkeypatch, listing, found):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho '{listing}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert _gpu() == found


def test_committed_machines_are_described():
    records = [path for folder in paper_folders() for path in record_files(folder / "results")]
    assert records
    for path in records:
        assert load_machine(path.with_suffix(".json")).slug == path.stem


def test_full_disk_loses_nothing_and_says_so():
    with pytest.raises(FileError, match="/dev/full cannot be written: No space left on device"):
        append_record(Path("/dev/full"), record(0))


def test_missing_file_has_no_records(tmp_path):
    assert load_records(tmp_path / "none.jsonl") == []


def test_ten_thousand_records_load_and_judge_in_a_second(make_paper, library):
    paper = make_paper("def f(*, seed, **config):\n    return Outcome({'x': 1.0})\n", *MANY)
    code = code_of(paper.folder)
    folder = results_folder(library, paper)
    folder.mkdir(parents=True)
    machine, environment = this_machine().slug, this_environment()
    lines = [
        record(
            index,
            paper="tiny",
            config={"n": n},
            values={"x": 1.0 + index / 100},
            fingerprint=fingerprint(code, "f", {"n": n}, 0, index),
            machine=machine,
            environment=environment,
            rules={f"claim-{n}": paper.claim(f"claim-{n}").rule},
        ).to_json()
        for n in range(len(MANY))
        for index in range(100)
    ]
    assert len(lines) == 10_000
    (folder / f"{machine}.jsonl").write_text("\n".join(lines) + "\n")
    started = time.process_time()
    verdicts = load_evidence(paper, library).verdicts()
    assert time.process_time() - started < on_this_machine(1.0)
    assert {str(v) for v in verdicts.values()} == {"holds"}
