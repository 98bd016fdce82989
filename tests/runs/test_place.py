"""A run that measures elsewhere: what its executor says of the place decides what runs, what counts and what is left."""

import threading
import time
from concurrent.futures import Future
from dataclasses import replace

import pytest

from studiolo import runs
from studiolo.errors import RunError, UsageError
from studiolo.report import load_paper
from studiolo.runs import ClaimLeft, Machine, Place, SeedFinished, SeedStarted, Warned
from studiolo.runs.afar import packed, run_packed
from studiolo.runs.executor import Executor
from studiolo.runs.on_ray import RayExecutor
from studiolo.runs.on_slurm import SlurmExecutor
from studiolo.runs.records import load_records, record_files
from studiolo.runs.worker import Result, Task

from .conftest import claim


THERE = Place(Machine("Some CPU", 4, 512, "Some GPU"), "python 3.99, torch 9.9", 4)
ONE = "def f(*, seed, **config):\n    return Outcome({'x': 1.0})\n"


class Afar(Executor):
    """Gives every task the same result, as from a machine; remembers what it was asked."""

    def __init__(self, place=THERE, strays=()):
        self.place, self.strays, self.tasks, self.most = place, strays, [], 0

    def submit(self, task):
        self.tasks.append(task)
        stray = len(self.tasks) in self.strays
        machine = replace(self.place.machine, gpu="Another GPU") if stray else self.place.machine
        future = Future()
        future.set_result(
            Result(
                status="ok", values={"x": 1.0}, machine=machine, environment=self.place.environment
            )
        )
        return future

    def kill(self):
        pass

    def close(self):
        pass


class Interrupting(Afar):
    """Ends seeds from outside where `ends(task)` says so, as a machine short of memory; others take `takes_s(task)`."""

    def __init__(self, ends, takes_s=lambda task: 0.0):
        super().__init__()
        self.ends, self.takes_s, self.running, self.beside = ends, takes_s, [], []

    def submit(self, task):
        self.beside.append((task, list(self.running)))
        if self.ends(task):
            self.tasks.append(task)
            future = Future()
            future.set_result(Result(status="interrupted", why="OutOfMemoryError"))
            return future
        done, future = super().submit(task), Future()
        self.running.append(task)

        def finish():
            self.running.remove(task)
            future.set_result(done.result())

        threading.Timer(self.takes_s(task), finish).start()
        return future


def run_there(paper, library, afar, **options):
    told = []
    [evidence] = runs.run(
        [paper], library, place=afar.place, executor=lambda jobs, torch: afar, tell=told.append, **options
    )  # fmt: skip
    return told, evidence


def needs(word, **settings):
    return claim(**settings).replace("scale =", f'needs = ["{word}"]\nscale =')


def test_records_of_a_place_are_resumed_from_and_judged_there_and_not_here(make_paper, library):
    paper = make_paper(ONE)
    first, second = Afar(), Afar()
    _, evidence = run_there(paper, library, first)
    assert str(evidence.verdicts()["x-is-large"]) == "holds"
    assert (len(first.tasks), evidence.machine) == (5, THERE.machine.slug)
    run_there(paper, library, second)
    assert second.tasks == []
    assert str(runs.load_evidence(paper, library).verdicts()["x-is-large"]) == "not run"
    newer = Afar(replace(THERE, environment="python 3.99, torch 10.0"))
    run_there(paper, library, newer)
    assert len(newer.tasks) == 5


def test_another_machine_of_the_library_is_a_column_of_the_report(make_paper, library):
    paper = make_paper(ONE)
    run_there(paper, library, Afar())
    view = load_paper(paper, library)
    assert str(view.verdicts["x-is-large"]) == "not run"
    assert str(view.elsewhere[THERE.machine.slug]["x-is-large"]) == "holds"


def test_seed_that_ran_on_another_machine_is_recorded_there_and_does_not_count(make_paper, library):
    paper = make_paper(ONE)
    told, evidence = run_there(paper, library, Afar(strays=[2]))
    assert len(evidence.current) == 4
    [says] = [event.says for event in told if isinstance(event, Warned)]
    assert says.startswith("Some seeds ran on some-cpu-4-cores-512-gib-another-gpu-")
    assert {len(load_records(path)) for path in record_files(evidence.folder)} == {1, 4}
    again = Afar()
    _, evidence = run_there(paper, library, again)
    assert (len(again.tasks), len(evidence.current)) == (1, 5)


def test_what_a_claim_needs_is_asked_of_the_place(make_paper, library):
    paper = make_paper(
        ONE,
        needs("cuda", id="on-a-gpu"),
        needs("world:4", id="four", config="{ n = 4 }"),
        needs("world:5", id="five", config="{ n = 5 }"),
    )
    afar = Afar()
    told, evidence = run_there(paper, library, afar)
    assert {(task.gpus, task.processes) for task in afar.tasks} == {(1, 1), (0, 4)}
    [left] = [event.left for event in told if isinstance(event, ClaimLeft)]
    assert (left.name, left.why) == ("five", "needs 5 processes at a time")
    assert evidence.verdicts()["five"].word == "not testable here"


def test_seed_of_many_processes_takes_the_room_of_as_many_others(make_paper, library):
    paper = make_paper(ONE, needs("world:3"), claim(id="alone", config="{ n = 1 }"))
    running, most = 0, 0

    def tell(event):
        nonlocal running, most
        if isinstance(event, SeedStarted | SeedFinished):
            step = 1 if isinstance(event, SeedStarted) else -1
            running += step * event.seed.experiment.processes
            most = max(most, running)

    runs.run([paper], library, jobs=4, place=THERE, executor=lambda jobs, torch: Afar(), tell=tell)
    assert most == 4


def test_machine_that_ends_every_seed_for_a_moment_costs_none(make_paper, library, monkeypatch):
    monkeypatch.setattr("studiolo.runs.drive.WAITS_S", (0.1, 1.0))
    paper = make_paper(ONE, claim(), claim(id="other", config="{ n = 1 }"))
    better = time.monotonic() + 0.6
    told, evidence = run_there(
        paper, library, Interrupting(lambda task: time.monotonic() < better), jobs=2
    )
    assert [event for event in told if isinstance(event, ClaimLeft)] == []
    assert len(evidence.current) == 10


def test_interrupted_seed_does_not_wait_beyond_the_budget(make_paper, library, monkeypatch):
    monkeypatch.setattr("studiolo.runs.drive.WAITS_S", (0.1, 600.0))
    paper = make_paper(ONE, claim(seeds=1))
    told, _ = run_there(paper, library, Interrupting(lambda task: True), jobs=2, budget_s=60.0)
    left = [event.left.why for event in told if isinstance(event, ClaimLeft)]
    assert left == ["seed 0 of f was ended 2 times (OutOfMemoryError)"]


def test_interrupted_seed_begins_again_beside_one_that_takes_long(make_paper, library, monkeypatch):
    monkeypatch.setattr("studiolo.runs.drive.WAITS_S", (0.1, 0.1))
    paper = make_paper(ONE, claim(), claim(id="long", config="{ n = 1 }", seeds=1))
    ended = []

    def ends(task):  # the last of the short ones, once
        seeds = {other.seed for other in afar.tasks if not other.config} | {task.seed}
        if task.config or ended or len(seeds) < 5:
            return False
        ended.append(task.seed)
        return True

    afar = Interrupting(ends, lambda task: 1.5 if task.config else 0.0)
    told, _ = run_there(paper, library, afar, jobs=2)
    finished = [event.seed.experiment.config for event in told if isinstance(event, SeedFinished)]
    assert finished == [{}] * 5 + [{"n": 1}]


def test_interrupted_seed_does_not_begin_beside_one_that_is_timed(make_paper, library, monkeypatch):
    monkeypatch.setattr("studiolo.runs.drive.WAITS_S", (0.1, 0.1))
    timed = claim(id="timed", config="{ n = 1 }", timing="true")
    paper = make_paper(ONE, claim(seeds=1), timed)
    ended = []

    def ends(task):
        if task.timing or ended:
            return False
        ended.append(task.seed)
        return True

    afar = Interrupting(ends, lambda task: 0.4)
    run_there(paper, library, afar, jobs=2)
    assert len(afar.beside) == 7
    assert all(others == [] for _, others in afar.beside)


@pytest.mark.parametrize("kind", [RayExecutor, SlurmExecutor])
def test_seed_is_waited_for_until_its_result_is_there(kind):
    executor, future, seen = kind.__new__(kind), Future(), []
    executor._running = {future: None}
    future.add_done_callback(lambda done: seen.append(done in executor._running))
    executor._give(future, Result(status="ok"))
    assert (seen, executor._running) == ([True], {})


def test_what_travels_is_the_package_and_the_librarys_own_papers(make_paper, library, monkeypatch):
    own = make_paper(ONE, slug="own").folder
    (own / "results").mkdir()
    (own / ".secret").write_text("mine")
    built_in = next(f for f in runs.paper_folders() if f.name == "nade")
    with packed([own, built_in]) as folder:
        assert {path.name for path in folder.iterdir()} == {"studiolo", "readers"}
        assert {path.name for path in (folder / "readers" / "own").iterdir()} == {
            "__init__.py", "paper.toml", "experiments.py",
        }  # fmt: skip
        assert (folder / "studiolo" / "papers" / "nade" / "experiments.py").is_file()
        assert not (folder / "studiolo" / "papers" / "nade" / "results").exists()
        monkeypatch.setattr("studiolo.runs.afar.PACKAGE_ROOT", folder / "studiolo")
        code = runs.code_of(own).of("f")
        result = run_packed(
            Task(folder=own, run="f", config={}, seed=1, timeout_s=60, code=code), False
        )
    assert (result.status, result.values) == ("ok", {"x": 1.0})  # the same digest in another place


@pytest.mark.parametrize("on", ["ray", "slurm"])
def test_engine_that_is_not_installed_says_how_to_get_it(library, monkeypatch, on):
    monkeypatch.setitem(__import__("sys").modules, {"ray": "ray", "slurm": "submitit"}[on], None)
    with (
        pytest.raises(
            RunError, match=r"is not installed. To install it: pip install 'studiolo\[cluster\]'"
        ),
        runs.start_engine(on, [], library),
    ):
        pass


@pytest.mark.parametrize(
    ("on", "error", "says"),
    [
        ("dask", UsageError, r"^--on dask: write ray, ray:ADDRESS, slurm or slurm:PARTITION\.$"),
        ("ray:ray://far:10001", RunError, "Start the run on a machine of the cluster"),
        (
            "ray:127.0.0.1:1",
            RunError,
            r"^Ray at 127.0.0.1:1 cannot be used: nobody answers \(.*\)\.$",
        ),
    ],
)
def test_engine_that_there_is_not_is_a_sentence(library, on, error, says):
    if on.endswith(":1"):
        pytest.importorskip("ray", reason="needs ray: pip install 'studiolo[cluster]'")
    with pytest.raises(error, match=says):  # noqa: SIM117
        with runs.start_engine(on, [], library):
            pass
