import itertools
import json
import shutil
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from studiolo import runs
from studiolo.runs import (
    ClaimJudged,
    ClaimLeft,
    Finished,
    Machine,
    Planned,
    SeedFinished,
    SeedStarted,
    Stopping,
    Warned,
    load_machine,
)
from studiolo.runs.executor import LocalExecutor
from studiolo.runs.fingerprint import code_of, fingerprint
from studiolo.runs.records import load_records, record_files

from .conftest import claim


COUNTING = """
from pathlib import Path


def f(*, seed, **config):
    with (Path(__file__).parent / "calls.txt").open("a") as file:
        file.write("x")
    return Outcome({"x": 1.0})
"""


ARRAYS = """
def f(*, seed):
    return Outcome({"x": 1.0}, {"a": [1, 2]}, {"note.txt": b"hello"})
"""


SHOWN = """
[[figure]]
id = "shown"
title = "A figure"
description = "What is shown."
run = "f"
kind = "lines"
x = { array = "a" }
series = [{ array = "a", label = "measured" }]
"""


def calls(paper):
    file = paper.folder / "calls.txt"
    return len(file.read_text()) if file.exists() else 0


def drive(paper, library, **settings):
    events = []
    evidence = runs.run([paper], library, jobs=2, tell=events.append, **settings)
    return events, evidence[0]


def test_run_measures_judges_and_remembers(make_paper, library):
    paper = make_paper(COUNTING)
    events, evidence = drive(paper, library)
    assert [type(e) for e in events if isinstance(e, Planned | Finished)] == [Planned, Finished]
    assert sum(isinstance(e, SeedFinished) for e in events) == 5
    assert [str(e.verdict) for e in events if isinstance(e, ClaimJudged)] == ["holds"]
    assert str(evidence.verdicts()["x-is-large"]) == "holds"
    drive(paper, library)
    assert calls(paper) == 5


def test_editing_the_code_measures_again_and_a_comment_does_not(make_paper, library):
    paper = make_paper(COUNTING)
    drive(paper, library)
    path = paper.folder / "experiments.py"
    path.write_text(path.read_text() + "\n# a comment\n")
    drive(paper, library)
    assert calls(paper) == 5
    path.write_text(path.read_text().replace('"x": 1.0', '"x": 0.0'))
    _, evidence = drive(paper, library)
    assert calls(paper) == 10
    assert str(evidence.verdicts()["x-is-large"]) == "does not hold"


def test_claims_with_the_same_experiment_share_its_seeds(make_paper, library):
    paper = make_paper(COUNTING, claim("one"), claim("two"), claim("three", config="{ n = 3 }"))
    drive(paper, library)
    assert calls(paper) == 10


def test_what_the_budget_leaves_out_is_told(make_paper, library):
    paper = make_paper(COUNTING, claim("one"), claim("two", config="{ n = 2 }"))
    events, _ = drive(paper, library, budget_s=0.0)
    assert {e.left.name for e in events if isinstance(e, ClaimLeft)} == {"one", "two"}
    assert calls(paper) == 0


def test_failing_seed_makes_the_claim_an_error_and_is_not_dropped(make_paper, library):
    paper = make_paper(
        """
        def f(*, seed):
            if seed % 2 == 0:
                raise ValueError("even")
            return Outcome({"x": 1.0})
        """
    )
    events, evidence = drive(paper, library)
    seeds = [e.record.seed for e in events if isinstance(e, SeedFinished)]
    assert any(seed % 2 == 0 for seed in seeds), "the seeds of this test must contain an even one"
    assert evidence.verdicts()["x-is-large"].word == "error"


def test_seed_without_the_metric_says_which_values_there_are(make_paper, library):
    paper = make_paper('def f(*, seed):\n    return Outcome({"y": 1.0})\n')
    _, evidence = drive(paper, library)
    verdict = evidence.verdicts()["x-is-large"]
    assert "f gave no value 'x'; it gave y" in verdict.why


def test_record_keeps_where_it_came_from(make_paper, library):
    paper = make_paper(COUNTING)
    _, evidence = drive(paper, library)
    record = evidence.records[0]
    assert record.machine == runs.this_machine().slug
    assert record.environment == runs.this_environment()
    assert record.rules == {"x-is-large": paper.claim("x-is-large").rule}
    assert record.wall_s >= 0


def test_timing_experiment_runs_alone(make_paper, library):
    paper = make_paper(
        """
        import time
        from pathlib import Path


        def f(*, seed, **config):
            busy = Path(__file__).parent / "busy"
            alone = not busy.exists()
            busy.touch()
            time.sleep(0.05)
            busy.unlink(missing_ok=True)
            return Outcome({"x": float(alone)})
        """,
        claim(timing="true"),
    )
    _, evidence = drive(paper, library)
    assert str(evidence.verdicts()["x-is-large"]) == "holds"


def test_kept_records_are_a_column_of_their_own_and_no_evidence(make_paper, library):
    paper = make_paper(COUNTING)
    assert runs.save_reference(paper, library) is None
    drive(paper, library)
    kept = runs.save_reference(paper, library)
    assert kept is not None
    assert len(kept.read_text().splitlines()) == 5
    [reference] = runs.load_reference_evidence(paper)
    assert not reference.here
    assert str(reference.verdicts()["x-is-large"]) == "holds"
    shutil.rmtree(library / ".studiolo" / "results")
    assert str(runs.load_evidence(paper, library).verdicts()["x-is-large"]) == "not run"


def test_arrays_that_no_kept_record_names_any_more_go_with_the_records(make_paper, library):
    def make(number):
        experiments = (
            f'def f(*, seed):\n    return Outcome({{"x": 1.0}}, {{"a": [seed, {number}]}})'
        )
        return make_paper(experiments, claim(), SHOWN)

    def arrays_of(kept):
        names = {record.arrays for record in load_records(kept)}
        return names, {path.name for path in kept.parent.glob("*.npz")}

    drive(make(1), library)
    kept = runs.save_reference(make(1), library)
    names, there = arrays_of(kept)
    assert (len(names), there) == (5, names)
    other = load_records(kept)[0]
    (kept.parent / "another-machine.jsonl").write_text(other.to_json() + "\n")
    drive(make(2), library)
    kept = runs.save_reference(make(2), library)
    names, there = arrays_of(kept)
    assert there == names | {other.arrays}


def test_machine_of_the_worker_is_stamped_and_described(make_paper, library):
    """An executor elsewhere: what its results say of themselves is recorded, not where the driver runs."""
    elsewhere = Machine("Some CPU", 64, 512, "Some GPU")

    class Elsewhere(LocalExecutor):
        def _attempt(self, task):
            return replace(super()._attempt(task), machine=elsewhere, environment="python 3.99")

    paper = make_paper(ARRAYS)
    _, evidence = drive(paper, library, executor=lambda jobs, torch: Elsewhere(jobs, torch=torch))
    folder = evidence.folder
    [path] = record_files(folder)
    assert path.stem == elsewhere.slug
    assert load_machine(path.with_suffix(".json")) == elsewhere
    records = load_records(path)
    assert {(r.machine, r.environment) for r in records} == {(elsewhere.slug, "python 3.99")}
    assert np.load(folder / records[0].arrays)["a"].tolist() == [1, 2]
    assert (folder / records[0].files["note.txt"]).read_bytes() == b"hello"
    assert list(folder.glob("*.partial")) + list(folder.glob("*.tmp")) == []


@pytest.mark.parametrize("put_back", [False, True])
def test_code_edited_while_it_is_measured_is_a_sentence_and_no_record(
    make_paper, library, put_back
):
    paper = make_paper(
        f"""
        from pathlib import Path


        def f(*, seed):
            path = Path(__file__)
            text = path.read_text()
            path.write_text(text + "x = 1")
            if {put_back}:
                path.write_text(text)
            return Outcome({{"x": 1.0}})
        """
    )
    events, _ = drive(paper, library)
    warned = {event.says for event in events if isinstance(event, Warned)}
    assert "tiny: experiments.py changed while it ran: the seed is not recorded. Run again." in (
        warned
    )
    assert not any(isinstance(event, SeedFinished) for event in events)
    assert runs.load_evidence(paper, library).records == []


def test_replay_gives_the_same_bits_and_names_what_differs(make_paper, library):
    paper = make_paper(ARRAYS)
    drive(paper, library)
    assert [r.differs for r in runs.replay([paper], library, 2)] == [(), ()]
    path = paper.folder / "experiments.py"
    kept = runs.save_reference(paper, library)
    shutil.rmtree(library / ".studiolo" / "results")
    assert [r.differs for r in runs.replay([paper], library, 1)] == [()]
    code = code_of(paper.folder)
    path.write_text(path.read_text().replace('"x": 1.0', '"x": 1.5').replace("hello", "hallo"))
    now = code_of(paper.folder)
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    for line in lines:
        line["fingerprint"] = fingerprint(now, "f", {}, 0, line["index"])
    kept.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert code.digests != now.digests
    assert runs.replay([paper], library, 1)[0].differs == ("x",)


def test_two_runs_never_time_at_once(make_paper, library):
    paper = make_paper(
        """
        import time
        from pathlib import Path


        def f(*, seed):
            busy = Path(__file__).parent / "busy"
            alone = not busy.exists()
            busy.touch()
            time.sleep(0.2)
            busy.unlink(missing_ok=True)
            return Outcome({"x": float(alone)})
        """,
        claim(timing="true"),
    )
    events = []
    other = threading.Thread(
        target=runs.run, args=([paper], library), kwargs={"tell": events.append}
    )
    other.start()
    drive(paper, library)
    other.join()
    records = runs.load_evidence(paper, library).records
    assert {r.values["x"] for r in records} == {1.0}
    assert len(records) > 5  # both measured


def test_ctrl_c_between_two_seeds_is_told(make_paper, library):
    events = []

    def tell(event):
        events.append(event)
        if isinstance(event, SeedFinished):
            signal.raise_signal(signal.SIGINT)  # the only seed in flight has just been collected

    runs.run([make_paper(COUNTING)], library, jobs=1, tell=tell)
    after = events[events.index(Stopping(0)) :]
    assert not any(isinstance(e, SeedStarted | SeedFinished) for e in after)
    assert after[-1] == Finished(1, stopped=True)


def test_clock_that_jumps_changes_nothing(make_paper, library, monkeypatch):
    paper = make_paper(COUNTING)
    jumps = itertools.cycle([0.0, 4e9, 1.0])
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    _, evidence = drive(paper, library, budget_s=60.0)
    assert str(evidence.verdicts()["x-is-large"]) == "holds"
    assert all(0 <= record.wall_s < 60 for record in evidence.records)
