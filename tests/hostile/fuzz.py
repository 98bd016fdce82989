"""Spoils good state and paper files and reads them: `python -m tests.hostile.fuzz 60 [NAME...]` for sixty seconds each."""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from studiolo.claims import check_paper, load_paper
from studiolo.errors import StudioloError
from studiolo.library import (
    Inbox,
    Library,
    carry_out,
    desk,
    find_entry,
    load_kept,
    load_lists,
    load_waiting,
    undo,
)
from studiolo.library.history import load_changes
from studiolo.runs.records import Record, append_record, load_records
from tests.sources.fuzz import spoil

from .papers import CLAIM, FIGURES, HEAD, RECORD
from .states import CHANGE, EDGE, FACTS, ITEM, KEPT, LIST, OLD_EDIT


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def read_paper(folder, data):
    (folder / "paper.toml").write_bytes(data)
    (folder / "experiments.py").write_text("def f(*, seed):\n    return None\n")
    return check_paper(load_paper(folder))


def read_records(folder, data):
    path = folder / "m.jsonl"
    path.write_bytes(data)
    found = load_records(path)
    for record in found:
        assert Record.from_fields(json.loads(record.to_json())) == record or "nan" in str(record)
    whole = data[: data.rfind(b"\n") + 1]
    append_record(path, Record.from_fields(RECORD))
    assert path.read_bytes().startswith(whole)
    return found


def _library(folder, name, data):
    library = Library(folder)
    library.state.mkdir(exist_ok=True)
    (folder / "list.md").write_text(LIST)
    for file in library.state.glob("*.jsonl"):
        file.unlink()
    (library.state / name).write_bytes(data)
    return library


def _use(library):
    for _ in range(2):
        try:
            undo(library)
        except StudioloError:
            break  # a sentence
    listed = find_entry("FNet", load_lists([library.folder / "list.md"]))
    carry_out(library, desk.mark(library, listed, "reading"))


def read_history(folder, data):
    library = _library(folder, "history.jsonl", data)
    load_changes(library)
    _use(library)
    assert (library.state / "history.jsonl").read_bytes().startswith(data[: data.rfind(b"\n") + 1])


def read_journals(folder, data):
    library = _library(folder, "edits.jsonl", data)
    (library.state / "undo.jsonl").write_bytes(data[::-1] if len(data) % 7 == 0 else data)
    _use(library)
    assert (library.state / "edits.jsonl").read_bytes() == data


def read_kept(folder, data):
    library = _library(folder, "reading.jsonl", data)
    load_kept(folder)
    _use(library)


def read_inbox(folder, data):
    library = _library(folder, "inbox.jsonl", data)
    for name in ("edges.jsonl", "metadata.jsonl", "triage.jsonl"):
        (library.state / name).write_bytes(data)
    load_waiting(library)
    Inbox(library)


OLD_ADDING = {**CHANGE, "on": "2026-01-01T00:00:00+00:00"}
SAMPLES = {
    "paper.toml": ((HEAD.format(number=1) + CLAIM + FIGURES["lines"]).encode(), read_paper),
    "records": (lines(RECORD, RECORD | {"index": 1, "config": {"n": [1, {"a": 2}]}}), read_records),
    "history": (lines(CHANGE, {"undone": "00aa"}, CHANGE | {"id": "b"}), read_history),
    "journals": (lines(OLD_EDIT, OLD_ADDING), read_journals),
    "reading": (lines(KEPT, KEPT | {"key": "arxiv:2105.03824"}), read_kept),
    "inbox": (lines(ITEM, EDGE, FACTS, {"name": "x", "decision": "pass"}), read_inbox),
}


def reads_or_refuses(folder, name, data):
    """Read data and return whether it was read; a refusal is a sentence."""
    try:
        SAMPLES[name][1](folder, data)
    except StudioloError as refusal:
        sentence = str(refusal).strip()
    else:
        return True
    assert sentence
    return False


def main(seconds, *names):
    for name in names or SAMPLES:
        rng = random.Random(name)
        end = time.monotonic() + seconds
        tried = refused = 0
        with tempfile.TemporaryDirectory() as folder:
            while time.monotonic() < end:
                data = spoil(SAMPLES[name][0], rng)
                try:
                    refused += not reads_or_refuses(Path(folder), name, data)
                except Exception:
                    print(f"{name}: failed on {data[:2000]!r}")
                    raise
                tried += 1
        print(f"| {name} | {tried:,} | {refused:,} |", flush=True)


if __name__ == "__main__":
    import logging

    logging.disable()
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0, *sys.argv[2:])
