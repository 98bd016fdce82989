import itertools
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from studiolo.claims import load_paper
from studiolo.cli import running
from studiolo.cli.progress import _sentence, _State, about, duration
from studiolo.cli.scaffold import new_paper_folder
from studiolo.errors import RunError
from studiolo.runs import SeedFinished, SeedStarted, Stopping, discover, load_evidence
from studiolo.runs.plan import plan
from tests.cli.schemas import kept_by
from tests.cli.test_commands import studiolo


PAPER = """
key = "arxiv:2001.00001"
version = "v1"
title = "A paper \\u001b[31mwith an escape"
authors = ["A. Author"]
year = 2020

[[claim]]
id = "x-is-large"
says = "The value is \\u001b[2Jlarge [/x]."
where = "Section 1"
source = "recalled"
run = "f"
metric = "x"
region = { at_least = 0.5 }
why = "a \\u001b]0;title\\u0007reason"
seeds = 5
controls = ["x-without-effect"]
scale = { kind = "toy", paper = "large", here = "small" }

[[claim]]
id = "x-without-effect"
like = "x-is-large"
says = "Control: without the effect the value is large, so this must not hold."
where = "ours"
source = "recalled"
config = { effect = 0.0 }

[[claim]]
id = "y-is-large"
says = "The other value is large."
where = "Section 2"
source = "recalled"
run = "f"
config = { effect = 0.0, other = 1.0 }
metric = "x"
region = { at_least = 0.5 }
why = "a reason"
seeds = 5
scale = { kind = "reduced", paper = "large", here = "small" }
"""

MORE = """
[[claim]]
id = "undecidable"
like = "y-is-large"
says = "A claim whose control fails."
config = { effect = 1.0, other = 2.0 }
controls = ["x-in-spite-of-all"]

[[claim]]
id = "x-in-spite-of-all"
like = "y-is-large"
says = "Control: in spite of all the value is large, so this must not hold."
config = { effect = 1.0, other = 3.0 }

[[claim]]
id = "both"
says = "Both values are large."
where = "Section 3"
source = "recalled"
all_of = ["x-is-large", "y-is-large"]

[[claim]]
id = "ours"
by = "us"
says = "We ask whether a third value is large."
run = "f"
config = { other = 4.0 }
metric = "x"
region = { at_least = 0.5 }
why = "a reason"
seeds = 5
scale = { kind = "toy", paper = "not tried", here = "small" }

[[check]]
id = "code-is-right"
says = "The code is right."
run = "f"
config = { other = 5.0 }
metric = "x"
region = { at_least = 0.5 }
why = "a reason"
"""

EXPERIMENTS = '''
from studiolo.runs import Outcome


def f(*, seed, effect=1.0, other=0.0):
    """For tests."""
    return Outcome({"x": effect})
'''


@pytest.fixture
def path(library):
    """A list of one paper whose folder lies in the library."""
    folder = library / "papers" / "tiny"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('"""For tests."""\n')
    (folder / "paper.toml").write_text(PAPER)
    (folder / "experiments.py").write_text(EXPERIMENTS)
    path = library / "list.md"
    path.write_text("* [Tiny](https://arxiv.org/abs/2001.00001)\n")
    return path


def test_run_says_sentences_folds_the_control_into_its_claim_and_shows_ids_on_request(path):
    done = studiolo("run", path)
    lines = done.stdout.splitlines()
    assert "x-is-large" not in done.stdout
    again = studiolo("run", path, "--verbose")
    assert "    tiny x-is-large" in again.stdout.splitlines()
    for said in (done, again):  # nothing from a paper folder writes over the terminal
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", said.stdout + said.stderr)
        assert "[/x]" in said.stdout
    [says] = [number for number, line in enumerate(lines) if line.startswith("  The value is")]
    assert lines[says + 1] == "    holds; toy scale; control: absent, as it must be"
    assert "Control:" not in done.stdout
    assert (
        lines[lines.index("  The other value is large.") + 1] == "    does not hold; reduced scale"
    )
    assert "Claims of the papers (2): 1 holds, 1 does not hold." in lines
    assert lines[-1] == str(path.parent / ".studiolo" / "report" / "list.html")


def test_what_is_left_is_one_line_and_what_comes_next_is_said(path):
    done = studiolo("run", path, "--budget", "0s")
    assert "Left for another run: 2 claims (the budget was spent)." in done.stdout.splitlines()
    assert "Next: The other value is large. (A paper" in done.stdout
    assert f"  studiolo run {path}" in done.stdout.splitlines()
    assert "budget was spent" not in done.stderr


def test_other_scale_is_left_and_said(path):
    done = studiolo("run", path, "--scale", "toy")
    assert "Left for another run: 1 claim (at reduced scale)." in done.stdout.splitlines()
    assert "Next:" not in done.stdout


def test_events_are_what_their_schema_says(path):
    events = [kept_by("run", line) for line in studiolo("run", path, "--json").stdout.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["Planned", "report"]
    judged = {event["claim"] for event in events if event["event"] == "ClaimJudged"}
    assert judged == {"x-is-large", "x-without-effect", "y-is-large"}


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        (
            "--jobs",
            "-3",
            "--jobs -3 would run nothing. Give the number of seeds at a time, from 1.",
        ),
        ("--replay", "0", "--replay 0 would compare nothing. Give a number of seeds, from 1."),
        (
            "--replay=1",
            "--json",
            "--replay runs finished seeds again, one by one on this machine. Leave out --json.",
        ),
        (
            "--replay=1",
            "--on=ray",
            "--replay runs finished seeds again, one by one on this machine. Leave out --on.",
        ),
        ("--scale", "banana", "'banana' is not a scale. Choose from toy, reduced, paper."),
        (
            "--needs",
            "gpu",
            '\'gpu\' is not a need. Write "cuda", "quiet", "data:NAME" or "world:N" with N processes from 2 on.',
        ),
        (
            "--needs",
            "data:mnits",
            "No claim here needs 'data:mnits', and there is no such data set. There are: data:arxiv_ml, "
            "data:enwiki_sample, data:fairness, data:fashion_mnist, data:kodak_gray, data:mnist, data:nade_binary, "
            "data:protein, data:tinyshakespeare, data:uci_regression, data:uci_sentiment_sentences, "
            "data:wikitext2_valid_test.",
        ),
        ("--budget", "soon", "'soon' is not a duration. Write 90s, 4m or 1.5h."),
        ("--memory", "lots", "'lots' is not an amount of memory. Write 800MiB or 4GiB."),
        (
            "--only",
            "other",
            "There is no paper folder 'other' that can run for this list. There are: tiny.",
        ),
    ],
)
def test_option_that_cannot_be_meant_is_a_sentence(path, option, value, sentence):
    done = studiolo("run", path, option, value, check=False)
    assert done.returncode == 2
    assert done.stderr == f"studiolo: {sentence}\n"


@pytest.mark.parametrize(
    ("redirection", "code", "sentence"),
    [
        (
            ">/dev/full",
            1,
            "studiolo: Standard output cannot be written: No space left on device.\n",
        ),
        (">&-", 0, ""),
        (">/dev/null 2>&-", 0, ""),
    ],
)
def test_output_that_cannot_be_written_is_a_sentence(path, redirection, code, sentence):
    command = f'"{sys.executable}" -m studiolo show "{path}" {redirection}'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, sentence)


def test_terminal_without_the_letters_of_a_title_gets_substitutes(path):
    path.write_text("# Größe\n\n* [Tiny ☕](https://arxiv.org/abs/2001.00001)\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "studiolo", "show", path], capture_output=True, check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert b"Gr??e" in done.stdout
    assert b"Tiny ?" in done.stdout


def test_termination_says_that_the_seeds_in_flight_are_killed(path):
    experiments = path.parent / "papers" / "tiny" / "experiments.py"
    sleeps = '    (Path(__file__).parent / "started").touch()\n    time.sleep(60)\n    return'
    experiments.write_text(EXPERIMENTS.replace("    return", sleeps))
    experiments.write_text("import time\nfrom pathlib import Path\n" + experiments.read_text())
    command = [sys.executable, "-m", "studiolo", "run", path]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        marker = path.parent / "papers" / "tiny" / "started"
        deadline = time.monotonic() + 60
        while not marker.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        run.send_signal(signal.SIGTERM)
        output, errors = run.communicate(timeout=30)
    assert re.search(r"Stopping at once: (1 seed|2 seeds) in flight (is|are) killed\.", errors)
    assert "Left for another run: 2 claims." in output.splitlines()
    assert _sentence(Stopping(0)) == "Stopping; no seed is in flight."
    assert _sentence(Stopping(1)) == "Stopping after 1 seed in flight; Ctrl-C again kills it."


def test_log_says_within_seconds_what_runs_of_what_and_how_long(path):
    experiments = path.parent / "papers" / "tiny" / "experiments.py"
    experiments.write_text(EXPERIMENTS.replace("    return", "    time.sleep(1.2)\n    return"))
    experiments.write_text("import time\n" + experiments.read_text())
    done = studiolo("run", path, "--jobs", "1", "--budget", "12s")
    found = re.search(
        r"(\d+) of 15 seeds, 0 verdicts, about \d+ s left: The other value", done.stderr
    )
    assert found, done.stderr


def test_questions_checks_joined_claims_and_failed_controls_have_their_words(path):
    toml = path.parent / "papers" / "tiny" / "paper.toml"
    toml.write_text(PAPER + MORE)
    lines = studiolo("run", path).stdout.splitlines()
    after = dict(itertools.pairwise(lines))
    assert after["  A claim whose control fails."] == (
        "    inconclusive (control failed); reduced scale; control: the effect is there"
    )
    assert after["  Both values are large."] == (
        "    does not hold (1 of its 2 parts holds); toy scale"
    )
    assert after["  We also ask:"] == "  We ask whether a third value is large."
    assert after["  Checks of our code:"] == "  The code is right."
    assert after["  The code is right."] == "    passes"
    at = lines.index("Claims of the papers (4): 1 holds, 2 do not hold, 1 is inconclusive.")
    assert lines[at + 1 : at + 3] == [
        "Our own questions (1): 1 holds.",
        "Checks of our code (1): 1 passes.",
    ]


def test_seed_that_began_again_is_done_when_it_is_finished(path):
    paper = load_paper(path.parent / "papers" / "tiny")
    seed = plan([load_evidence(paper, path.parent)], {}).seeds[0]
    state = _State()
    state.take(SeedStarted(seed))
    state.take(SeedStarted(seed))
    assert state.what() != "starting"
    state.take(SeedFinished(seed, None, done=1, total=1, left_s=0.0))
    assert state.what() == "starting"


def test_durations_are_read_at_a_glance():
    seconds = [0, 12, 60, 200, 3600, 7500]
    shown = ["0 s", "12 s", "1 min", "3 min 20 s", "1 h", "2 h 5 min"]
    assert [duration(s) for s in seconds] == shown
    assert (about(0.2), about(12.3)) == ("less than a second", "about 12 s")


def test_papers_run_without_what_only_makes_them_faster_or_reads_models_of_readers(monkeypatch):
    absent = {"numba", "transformers"}
    monkeypatch.setattr(running, "find_spec", lambda name: None if name in absent else name)
    running._with_packages(discover())
    monkeypatch.setattr(running, "find_spec", lambda name: None if name == "torch" else name)
    able, lacking = running._with_packages(discover())
    assert [paper.slug for paper in able] == ["double_descent"]
    assert "nade" in lacking
    assert lacking.endswith(": torch is not installed. To install: pip install 'studiolo[run]'")


@pytest.mark.parametrize(
    ("imports", "says"),
    [
        ("import numppy", "^mine: numppy is not installed. To install: pip install numppy$"),
        ("from model import f", "mine: it imports itself as model, and what is imported so"),
        ("from mine.model import f", "mine: it imports itself as mine, and what is imported so"),
    ],
)  # fmt: skip
def test_package_that_a_librarys_paper_lacks_is_said_as_what_it_is(library, imports, says):
    folder = new_paper_folder("mine", library)
    experiments = folder / "experiments.py"
    experiments.write_text(experiments.read_text().replace("import numpy as np", f"import numpy as np\n{imports}"))  # fmt: skip
    with pytest.raises(RunError, match=says):
        running._with_packages([load_paper(folder)])
    if "itself" in says:
        assert says in studiolo("check-papers", library, check=False).stderr


def test_paper_without_its_package_is_said_and_the_others_run(path):
    folder = new_paper_folder("lacking", path.parent)
    experiments = folder / "experiments.py"
    experiments.write_text(f"import numppy\n{experiments.read_text()}")
    toml = folder / "paper.toml"
    toml.write_text(re.sub('key = ".*"', 'key = "arxiv:2001.00002"', toml.read_text()))
    path.write_text(f"* [Lacking](https://arxiv.org/abs/2001.00002)\n{path.read_text()}")
    done = studiolo("run", path, check=False)
    missing = "lacking: numppy is not installed. To install: pip install numppy"
    assert done.stderr.startswith(f"Left out: {missing}\n")
    assert done.stderr.endswith(f"studiolo: {missing}\n")
    assert "Claims of the papers (2): 1 holds, 1 does not hold." in done.stdout.splitlines()
    assert done.returncode == 1
    assert studiolo("run", path, "--only", "tiny").returncode == 0


def test_folder_that_is_not_a_package_yet_is_measured_once_it_is(path):
    init = path.parent / "papers" / "tiny" / "__init__.py"
    text = init.read_text()
    init.unlink()
    done = studiolo("run", path, check=False)
    assert done.stderr == "studiolo: tiny: it is not a package: it has no __init__.py.\n"
    init.write_text(text)
    said = studiolo("run", path).stdout.splitlines()
    assert "Claims of the papers (2): 1 holds, 1 does not hold." in said


def test_error_says_when_its_seeds_are_run_again(path):
    folder = path.parent / "papers" / "tiny"
    read = EXPERIMENTS.replace(
        "    return", '    Path(__file__).with_name("x.csv").read_text()\n    return'
    )
    (folder / "experiments.py").write_text(f"from pathlib import Path\n{read}")
    again = "What ended in an error is run again only when its code changes, or paper.toml asks for the next series."
    assert again in " ".join(studiolo("run", path).stdout.split())
    (folder / "x.csv").touch()  # no code, so that what is recorded stays
    assert again in " ".join(studiolo("run", path).stdout.split())
    toml = folder / "paper.toml"
    toml.write_text(toml.read_text().replace("seeds = 5", "seeds = 5\nseries = 1"))
    said = studiolo("run", path).stdout
    assert "Claims of the papers (2): 1 holds, 1 does not hold." in said.splitlines()
    assert again not in " ".join(said.split())
