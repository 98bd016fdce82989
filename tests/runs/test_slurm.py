"""The same run as jobs of SLURM: submitit's local executor, and commands that play SLURM's."""

import os
import signal
import textwrap
import time

import psutil
import pytest

from studiolo import runs
from studiolo.errors import RunError
from studiolo.runs.records import load_records, record_files


pytest.importorskip("submitit", reason="needs submitit: pip install 'studiolo[cluster]'")
from studiolo.runs.on_slurm import ask_slurm


DRAWS = """
import random


def f(*, seed):
    return Outcome({"x": 1 + random.Random(seed).random()}, arrays={"a": [seed % 7]})
"""
COMMANDS = {
    "sbatch": """
        id=$(($(cat "$SLURM_HERE/last" 2>/dev/null || echo 0) + 1)); echo $id > "$SLURM_HERE/last"
        for script; do :; done
        cp "$script" "$SLURM_HERE/$id.script"
        export SLURM_JOB_ID=$id SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0
        setsid sh "$SLURM_HERE/$id.script" > /dev/null 2>&1 &
        echo $! > "$SLURM_HERE/$id.pid"
        echo "Submitted batch job $id"
    """,
    "srun": """
        while [ "${1#--}" != "$1" ]; do
            case $1 in --output | --error) shift ;; esac
            shift
        done
        exec "$@"
    """,
    "sacct": """
        echo "JobID|State|NodeList"
        for word; do
            [ -f "$SLURM_HERE/$word.pid" ] || continue
            kill -0 "$(cat "$SLURM_HERE/$word.pid")" 2> /dev/null && echo "$word|RUNNING|here" || echo "$word|NODE_FAIL|here"
        done
    """,
    "scancel": 'kill -9 -$(cat "$SLURM_HERE/$1.pid")',
}


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder with SLURM's commands on the path, and what they keep."""
    home = tmp_path / "slurm"
    home.mkdir()
    for name, script in COMMANDS.items():
        (home / name).write_text("#!/bin/sh\n" + textwrap.dedent(script))
        (home / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_HERE", str(home))
    return home


def run_at(paper, library, engine, **options):
    [evidence] = runs.run(
        [paper], library, jobs=2, place=engine.place, executor=engine.executor, **options
    )
    return evidence


def values(evidence):
    return [(r.index, repr(r.values), r.arrays, r.status) for r in evidence.current.values()]


@pytest.mark.slow
def test_jobs_give_the_same_bits_as_processes_here(make_paper, library):
    paper = make_paper(DRAWS)
    with ask_slurm("", [paper], library, cluster="local") as engine:
        there = run_at(paper, library, engine)
    assert there.place.processes == 1
    [here] = runs.run([paper], library)
    assert sorted(values(here)) == sorted(values(there))
    assert len(values(there)) == 5
    assert here.verdicts() == there.verdicts()
    files = list(record_files(here.folder))
    assert {r.machine for path in files for r in load_records(path)} == {
        here.machine,
        there.machine,
    }


@pytest.mark.slow
def test_job_that_is_lost_is_an_interrupted_seed_and_resume_asks_for_the_rest(
    make_paper, library, slurm, monkeypatch
):
    import submitit

    monkeypatch.setattr(submitit.SlurmJob.watcher, "_delay_s", 0.2)
    paper = make_paper(
        """
        import time


        def f(*, seed):
            time.sleep(1.0)
            return Outcome({"x": 1.0})
        """
    )
    told = []

    def lose(event):
        told.append(event)
        started = [e for e in told if isinstance(e, runs.SeedStarted)]
        if len(started) == 2 and isinstance(event, runs.SeedStarted):
            time.sleep(1.0)
            os.killpg(int((slurm / "3.pid").read_text()), signal.SIGKILL)

    with ask_slurm("short", [paper], library) as engine:
        evidence = run_at(paper, library, engine, tell=lose)
        assert len(evidence.current) == 5
        assert sum(isinstance(e, runs.SeedStarted) for e in told) == 6
        assert "--partition=short" in (slurm / "3.script").read_text().replace(" ", "=")
        run_at(paper, library, engine)
        assert (slurm / "last").read_text().strip() == "7"  # the first asked what the machine is


@pytest.mark.slow
def test_kill_cancels_the_jobs(make_paper, library, slurm):
    paper = make_paper(DRAWS.replace("return", "import time; time.sleep(600); return"))
    began = []
    with ask_slurm("", [paper], library) as engine:

        def stop(event):
            if isinstance(event, runs.SeedStarted):
                job = psutil.Process(int((slurm / "2.pid").read_text()))
                began.extend([job, *job.children(recursive=True)])
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_at(paper, library, engine, tell=stop)
    _, alive = psutil.wait_procs(began, timeout=10)
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []


def test_no_slurm_is_a_sentence(make_paper, library, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match=r"^SLURM cannot be used here: .*srun"):  # noqa: SIM117
        with ask_slurm("", [], library):
            pass


@pytest.mark.slow
def test_what_sbatch_says_is_told(make_paper, library, slurm):
    (slurm / "sbatch").write_text(
        "#!/bin/sh\necho 'sbatch: error: invalid partition' >&2; exit 1\n"
    )
    with pytest.raises(RunError, match="invalid partition"):  # noqa: SIM117
        with ask_slurm("nowhere", [], library):
            pass
