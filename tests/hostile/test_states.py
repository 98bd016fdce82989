"""A stranger's `.studiolo`, or one that was spoilt: every command works or says in a sentence why not."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from .commands import run_all
from .states import AT_LAST, COMMANDS, DAMAGES, GOOD, for_nobody, make_library, snapshot


NOBODY = 65534
DOZEN = sorted(DAMAGES)[:: len(DAMAGES) // 12]
# a folder that is nothing, a file that nobody may open, lines of other types, a change that leads out
QUICK = ["state-is-a-file", "inbox-is-no-permission", "reading-types", "history-paths"]


@pytest.fixture
def place():
    """A folder that every user may enter, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="studiolo-hostile-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def prepared(place, names, commands):
    """Make the damaged libraries; return the jobs, and what lies outside of each before."""
    jobs, before = [], {}
    for name in names:
        folder = place / name
        library = make_library(folder)
        uid = NOBODY if name in for_nobody and os.geteuid() == 0 else 0
        if uid:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, uid, uid)
        DAMAGES[name](library)
        jobs.append({"cwd": str(library), "commands": commands, "uid": uid})
        before[name] = snapshot(folder / "outside"), kept_lines(library)
    return jobs, before


def kept_lines(library):
    """The good line of each file that only grows, where it can be read: none may be lost."""
    found = {}
    for name, good in GOOD.items():
        path = library / ".studiolo" / name
        if name != "reading.jsonl" and path.is_file():
            lines = set(path.read_bytes().splitlines()) if path.stat().st_size < 10**8 else set()
            if json.dumps(good).encode() in lines:
                found[name] = json.dumps(good).encode()
    return found


def faults(name, folder, answers, before):
    """Yield what is wrong with what the commands did."""
    for answer in answers:
        said = answer["out"] + answer["err"]
        if "Traceback" in said or answer["code"] not in (0, 1, 2):
            yield f"{name}: {answer['command']} ended with {answer['code']}: {said[-1500:]}"
        elif answer["code"] and not said.strip():
            yield f"{name}: {answer['command']} says nothing"
        elif "\x1b" in said:
            yield f"{name}: {answer['command']} lets an escape through"
    outside, lines = before
    if snapshot(folder / "outside") != outside:
        yield f"{name}: something outside was written"
    for file, line in lines.items():
        path = folder / "library" / ".studiolo" / file
        if line not in path.read_bytes().splitlines():
            yield f"{name}: {file} lost its good line"


def assert_nothing_ends(place, names, commands):
    jobs, before = prepared(place, names, commands)
    (place / "home").mkdir()
    (place / "home").chmod(0o777)
    answers = run_all(jobs, place / "home")
    assert len(answers) == len(names)
    found = [
        fault
        for name, its in zip(names, answers, strict=True)
        for fault in faults(name, place / name, its, before[name])
    ]
    assert not found, "\n\n".join(found[:8])


def test_four_damaged_states_end_no_command(place):
    assert_nothing_ends(place, QUICK, COMMANDS[:-5])


@pytest.mark.slow
def test_dozen_damaged_states_end_no_command(place):
    assert_nothing_ends(place, DOZEN, COMMANDS)


@pytest.mark.soak
def test_every_damaged_state_ends_no_command(place):
    assert len(DAMAGES) >= 100
    assert_nothing_ends(place, list(DAMAGES), COMMANDS + AT_LAST)
