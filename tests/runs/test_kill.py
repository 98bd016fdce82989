"""What Ctrl-C and kill -9 do to a run."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from .chaos import VICTIMS, chaos, make_library, records_of, start


def test_kill_9_of_driver_worker_or_fork_server_loses_nothing():
    killed = chaos(3, seed=3)
    assert {kind: killed[kind] for kind in VICTIMS} == dict.fromkeys(VICTIMS, 1)


@pytest.mark.soak
def test_two_hundred_rounds_of_random_kills_give_equal_verdicts():
    killed = chaos(200, seed=4)
    assert sum(killed.values()) - killed.get("nothing", 0) == 200


def read_until(process, event):
    for line in process.stdout:
        if json.loads(line)["event"] == event:
            return
    raise AssertionError(f"the run ended before {event}")


def test_ctrl_c_once_finishes_what_is_in_flight(tmp_path):
    process = start(
        make_library(tmp_path / "library", seed_s=1.0)
    )  # 27 s for who is slow to signal
    read_until(process, "SeedFinished")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    events = [json.loads(line) for line in output.splitlines()]
    stopping = next(e for e in events if e["event"] == "Stopping")
    assert any(
        e == {"event": "Finished", "done": e["done"], "stopped": True}
        for e in events
        if e["event"] == "Finished"
    )
    after = events[events.index(stopping) :]
    assert sum(e["event"] == "SeedStarted" for e in after) == 0
    assert sum(e["event"] == "SeedFinished" for e in after) == stopping["in_flight"]
    assert 0 < len(records_of(tmp_path / "library")) < 54


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT], ids=["terminate", "ctrl-c twice"]
)
def test_second_ctrl_c_and_termination_kill_at_once(tmp_path, number):
    path = make_library(tmp_path / "library", seed_s=600)
    process = start(path)
    read_until(process, "SeedStarted")
    time.sleep(1.0)
    family = psutil.Process(process.pid).children(recursive=True)
    started = time.monotonic()
    process.send_signal(number)
    if number == signal.SIGINT:
        read_until(process, "Stopping")
        process.send_signal(number)
    process.communicate(timeout=60)
    assert time.monotonic() - started < 60  # of the 600 that a seed sleeps
    _, alive = psutil.wait_procs(family, timeout=30)
    assert [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert records_of(path.parent) == []


@pytest.mark.parametrize("after_s", [0.1, 0.3, 0.5, 0.9])
def test_ctrl_c_before_the_first_seed_is_no_traceback(tmp_path, after_s):
    path = make_library(tmp_path / "library")
    code = "from studiolo.cli import main; print(flush=True); main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    process.stdout.readline()
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the fork server gets it too
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors


def test_termination_does_not_say_that_seeds_are_finished(tmp_path):
    process = start(make_library(tmp_path / "library", seed_s=1.0))
    read_until(process, "SeedStarted")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    events = [json.loads(line)["event"] for line in output.splitlines()]
    assert "Stopping" not in events
    assert "Finished" in events


def test_two_runs_at_once_share_a_library(tmp_path):
    path = make_library(tmp_path / "library", claims=1)
    first, second = start(path), start(path)
    for process in (first, second):
        output, _ = process.communicate(timeout=120)
        assert json.loads(output.splitlines()[-1])["event"] == "report"
    values = {}
    for record in records_of(path.parent):
        place = (record["config"]["n"], record["index"])
        assert values.setdefault(place, record["values"]) == record["values"]
    assert len(values) == 18


def test_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    path = make_library(tmp_path / "library")
    (path.parent / ".studiolo" / "results").symlink_to(
        "/proc/self"
    )  # root writes everywhere but there
    command = [sys.executable, "-m", "studiolo", "run", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "by a symbolic link, so it is not written" in done.stderr
    assert "Traceback" not in done.stderr
