"""Kill the driver, a worker or the fork server of a run at random moments, and check that nothing is lost.

`python -m tests.runs.chaos 100` makes 100 rounds and prints a summary; the test suite makes a few.
"""

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from studiolo.claims import load_paper
from studiolo.runs import load_evidence
from studiolo.runs.records import record_files


EXPERIMENTS = '''
"""For chaos."""

import time

from studiolo.runs import Outcome

SEED_S = 0.05


def f(*, seed, n=0):
    """Take a moment and return something that depends on the seed alone."""
    time.sleep(SEED_S)
    return Outcome({"x": (seed % 1000) / 1000 + n}, arrays={"a": [seed % 7, n]})
'''
PAPER = """
key = "arxiv:2001.00001"
version = "v1"
title = "Chaos"
authors = ["A. Author"]
year = 2020
"""
CLAIM = """
[[claim]]
id = "claim-{n}"
says = "A sentence."
where = "Section 1"
source = "recalled"
run = "f"
config = {{ n = {n} }}
metric = "x"
region = {{ at_least = {n} }}
why = "a reason"
seeds = 18
timeout_s = 20
scale = {{ kind = "toy", paper = "large", here = "small" }}
"""
VICTIMS = ("driver", "worker", "fork server")
CLAIMS = 2
SEEDS = 18 * CLAIMS


def make_library(folder: Path, seed_s: float = 0.05, claims: int = 3) -> Path:
    """Write a library with one list and one paper of its own, whose seeds last so long, 18 for each claim; return the list."""
    paper = folder / "papers" / "chaos"
    paper.mkdir(parents=True)
    (folder / ".studiolo").mkdir()
    (paper / "__init__.py").write_text('"""For chaos."""\n')
    (paper / "experiments.py").write_text(
        EXPERIMENTS.replace("SEED_S = 0.05", f"SEED_S = {seed_s}")
    )
    (paper / "paper.toml").write_text(PAPER + "".join(CLAIM.format(n=n) for n in range(claims)))
    (folder / "list.md").write_text("* https://arxiv.org/abs/2001.00001\n")
    return folder / "list.md"


def records_of(folder: Path) -> list[dict[str, Any]]:
    """Return the finished records; a torn last line may be there, any other must be whole."""
    records = []
    for path in record_files(folder / ".studiolo" / "results" / "chaos"):
        whole, _, _torn = path.read_bytes().rpartition(b"\n")
        records += [json.loads(line) for line in whole.split(b"\n") if line]
    return [record for record in records if record["status"] == "ok"]


def key(record: dict[str, Any]) -> tuple[int, int]:
    return (record["config"]["n"], record["index"])


def start(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "studiolo", "run", str(path), "--json", "--jobs", "2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def victim_of(driver: psutil.Process, kind: str) -> psutil.Process | None:
    """Return a process of that kind, as soon as there is one; None if the run ends before."""
    while driver.is_running() and driver.status() != psutil.STATUS_ZOMBIE:
        servers = [p for p in driver.children() if "forkserver" in " ".join(p.cmdline())]
        workers = [w for server in servers for w in server.children()]
        if workers:
            return {"driver": driver, "fork server": servers[0]}.get(kind, random.choice(workers))
        time.sleep(0.005)
    return None


def round_of_chaos(path: Path, rng: random.Random, kind: str) -> str:
    """Start a run, kill a process of it at a random moment, wait for the end; return what was killed."""
    process = start(path)
    driver = psutil.Process(process.pid)
    family: list[psutil.Process] = []
    killed = "nothing"
    try:
        victim_of(driver, kind)  # the first worker is there
        time.sleep(rng.uniform(0.0, 0.8))
        victim = victim_of(driver, kind)
        family = [driver, *driver.children(recursive=True)]
        if victim is not None and process.poll() is None:
            victim.send_signal(signal.SIGKILL)
            killed = kind
    except psutil.NoSuchProcess:
        pass
    output, _ = process.communicate(timeout=120)
    told = [json.loads(line) for line in output.splitlines() if line.endswith("}")]
    finished = {
        key(e["record"])
        for e in told
        if e["event"] == "SeedFinished" and e["record"]["status"] == "ok"
    }
    lost = finished - {key(record) for record in records_of(path.parent)}
    assert not lost, f"{killed} killed: these finished seeds are lost: {lost}"
    _, alive = psutil.wait_procs(family, timeout=10)
    alive = [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not alive, f"{killed} killed: still there: {alive}"
    return killed


def verdicts(path: Path) -> list[str]:
    """Finish the run undisturbed and return what it then says: values, and verdicts without their notes."""
    output, _ = start(path).communicate(timeout=120)
    assert json.loads(output.splitlines()[-1])["event"] == "report"
    records = records_of(path.parent)
    found = {key(record): record["values"]["x"] for record in records}
    assert len(found) == len(records), "a completed value was measured again"
    paper = load_paper(path.parent / "papers" / "chaos")
    judged = load_evidence(paper, path.parent).verdicts()
    values = [f"{place}: {value}" for place, value in sorted(found.items())]
    return values + [f"{id}: {verdict}" for id, verdict in judged.items()]


def chaos(rounds: int, seed: int) -> dict[str, int]:
    """Kill something `rounds` times; each library is run to its end and compared with an undisturbed one."""
    rng = random.Random(seed)
    killed: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="studiolo-chaos-") as root:
        expected = verdicts(make_library(Path(root, "undisturbed"), claims=CLAIMS))
        assert len(expected) == SEEDS + CLAIMS
        made = 0
        victims: list[str] = []  # each kind in turn, in any order
        while rounds:
            path = make_library(Path(root, f"library-{made}"), claims=CLAIMS)
            made += 1
            while rounds and len(records_of(path.parent)) < SEEDS:
                victims = victims or rng.sample(VICTIMS, len(VICTIMS))
                what = round_of_chaos(path, rng, victims[-1])
                killed[what] = killed.get(what, 0) + 1
                if what != "nothing":  # else the run was over before
                    rounds -= 1
                    victims.pop()
            assert verdicts(path) == expected
    return killed


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    begin = time.monotonic()
    print(f"{count} rounds, killed: {chaos(count, seed=1)}, {time.monotonic() - begin:.0f} s")
