"""The same run on a Ray cluster of two nodes on this machine."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import psutil
import pytest

from studiolo.runs.on_ray import join_cluster
from studiolo.runs.records import LEDGER
from studiolo.runs.worker import Task

from .chaos import key, make_library, records_of, verdicts


ray = pytest.importorskip("ray", reason="needs ray: pip install 'studiolo[cluster]'")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes with a CPU and what it takes for a GPU each; a test may kill the second, and adds another."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "120"}
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "num_gpus": 1, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=node)
    made.spare = made.add_node(num_cpus=1, num_gpus=1)
    yield made
    made.shutdown()


def run_on(cluster, path, *more):
    command = [sys.executable, "-m", "studiolo", "run", str(path), "--json"]
    return subprocess.Popen(
        [*command, "--on", f"ray:{cluster.address}", *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def events_until(process, count, event="SeedFinished"):
    seen = []
    for line in process.stdout:
        seen.append(json.loads(line))
        if sum(e["event"] == event for e in seen) == count:
            return seen
    raise AssertionError(process.stderr.read())


def attempts(path):
    """Count how often each seed was begun."""
    lines = (path.parent / ".studiolo" / "results" / "chaos" / LEDGER).read_text().splitlines()
    begun = [line["attempt"] for line in map(json.loads, lines) if "attempt" in line]
    return Counter((a["config"]["n"], a["index"]) for a in begun)


def lose(cluster):
    """Kill all that runs on the second node at once, as when a machine loses its power."""
    raylet = psutil.Process(cluster.spare.all_processes["raylet"][0].process.pid)
    for process in [raylet, *raylet.children(recursive=True)]:
        process.kill()
    cluster.remove_node(cluster.spare, allow_graceful=False)


def test_a_node_that_is_lost_costs_its_seed_in_flight_and_nothing_else(cluster, tmp_path):
    expected = verdicts(make_library(tmp_path / "here", seed_s=0.6))
    path = make_library(tmp_path / "there", seed_s=0.6)
    process = run_on(cluster, path)
    seen = events_until(process, 12)
    time.sleep(0.3)  # so that each node is within a seed, also on a machine that starts them slowly
    lose(cluster)
    output, errors = rest_of(process)
    cluster.spare = cluster.add_node(num_cpus=1, num_gpus=1)
    seen += [json.loads(line) for line in output.splitlines()]
    assert seen[-1]["event"] == "report", errors
    begun = attempts(path)
    assert len(begun) == len(records_of(path.parent)) == 54
    assert 1 <= sum(begun.values()) - 54 <= 2
    assert verdicts(path) == expected


def rest_of(process):
    """Return what a run still says; `communicate` would lose what reading line by line has buffered."""
    with process:
        return process.stdout.read(), process.stderr.read()


def finish(processes):
    """Wait for runs that must reach their ends; return their events."""
    told = []
    for process in processes:
        output, errors = rest_of(process)
        told.append([json.loads(line) for line in output.splitlines()])
        assert told[-1][-1]["event"] == "report", errors
    return told


def test_kill_9_and_ctrl_c_of_two_drivers_on_one_cluster_lose_nothing(cluster, tmp_path):
    expected = verdicts(make_library(tmp_path / "here", seed_s=0.2))
    paths = [make_library(tmp_path / name, seed_s=0.2) for name in ("killed", "stopped")]
    killed, stopped = (run_on(cluster, path) for path in paths)
    seen = events_until(killed, 5) + events_until(stopped, 5)
    os.killpg(killed.pid, signal.SIGKILL)
    os.killpg(stopped.pid, signal.SIGINT)  # as a terminal does
    killed.communicate()
    [events] = finish([stopped])
    ended = next(e for e in events if e["event"] == "Finished")
    assert ended["stopped"]
    finished = [e["record"] for e in [*seen, *events] if e["event"] == "SeedFinished"]
    kept = [r for path in paths for r in records_of(path.parent)]
    assert {(r["started"], *key(r)) for r in finished} <= {(r["started"], *key(r)) for r in kept}
    finish([run_on(cluster, path) for path in paths])
    assert [verdicts(path) for path in paths] == [expected, expected]
    assert sum(attempts(paths[1]).values()) == 54  # Ctrl-C let them finish


def test_five_hundred_seeds_of_no_work_are_spread_without_loss(cluster, tmp_path):
    path = make_library(tmp_path / "many", seed_s=0, claims=28)
    begun, took_s = {}, []
    with run_on(cluster, path) as process:
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "SeedStarted":
                begun[event["index"]] = time.monotonic()  # of one claim after the other
            elif event["event"] == "SeedFinished":
                record = event["record"]
                took_s.append(time.monotonic() - begun[record["index"]] - record["wall_s"])
        assert event["event"] == "report", process.stderr.read()
    median_s, load = statistics.median(took_s), os.getloadavg()[0]
    print(f"{median_s:.3f} s for each seed, load {load:.1f}")
    assert median_s < 0.15 or load > 2 * (os.cpu_count() or 1)  # others' work is not Ray's
    assert len(records_of(path.parent)) == 504
    assert set(attempts(path).values()) == {1}


def test_seed_that_needs_a_gpu_sees_the_one_that_ray_gave_it(cluster, make_paper, library):
    paper = make_paper(
        """
        import os


        def f(*, seed):
            return Outcome({"x": float(os.environ.get("CUDA_VISIBLE_DEVICES") or -1)})
        """
    )
    task = Task(folder=paper.folder, run="f", config={}, seed=1, timeout_s=60)
    with join_cluster(cluster.address, [paper]) as engine, engine.executor(2, False) as executor:
        seen = [executor.submit(replace(task, gpus=gpus)).result() for gpus in (1, 0)]
    assert [result.values for result in seen] == [{"x": 0.0}, {"x": -1.0}]
    assert (engine.jobs, engine.place.processes) == (2, 1)
