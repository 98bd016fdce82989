"""The same run on a Ray cluster of two nodes on this machine."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest

from studiolo.runs.records import LEDGER

from .chaos import key, make_library, records_of, start, verdicts


ray = pytest.importorskip("ray", reason="needs ray: pip install 'studiolo[cluster]'")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes with one CPU each; a test may kill the second, and then adds another."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=node)
    made.spare = made.add_node(num_cpus=1)
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
    expected = verdicts(make_library(tmp_path / "here", seed_s=0.3))
    path = make_library(tmp_path / "there", seed_s=0.3)
    process = run_on(cluster, path)
    seen = events_until(process, 12)
    time.sleep(0.15)
    lose(cluster)
    t = time.monotonic()
    output, errors = process.communicate(timeout=300)
    print("done", time.monotonic() - t)
    seen += [json.loads(line) for line in output.splitlines()]
    assert seen[-1]["event"] == "report", errors
    begun = attempts(path)
    print(Counter(begun.values()))
    ledger = path.parent / ".studiolo" / "results" / "chaos" / LEDGER
    print([json.loads(x) for x in ledger.read_text().splitlines() if "interrupted" in x])
    assert len(begun) == len(records_of(path.parent)) == 54
    assert 1 <= sum(begun.values()) - 54 <= 2
    assert verdicts(path) == expected
    cluster.spare = cluster.add_node(num_cpus=1)
