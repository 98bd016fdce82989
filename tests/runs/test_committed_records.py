"""Which of the committed records an edit of the package silences."""

import importlib
import json
import shutil
import sys
import time
from types import ModuleType

import pytest

from studiolo.claims import load_paper
from studiolo.runs import load_reference_evidence, paper_folders
from studiolo.runs.fingerprint import PACKAGE_ROOT, code_of
from studiolo.runs.records import record_files
from tests.pace import on_this_machine


EXPERIMENTS = sorted(
    {
        (folder.name, record["run"])
        for folder in paper_folders()
        for path in record_files(folder / "results")
        for record in map(json.loads, path.read_text().splitlines())
    }
)
NEW_SET = '''
"""A new set."""

from tests.pace import on_this_machine

from .files import load_content

SHA256 = {"new.txt": "00"}


def new_set() -> bytes:
    """Return it."""
    return load_content("new/new.txt", SHA256["new.txt"])
'''

# What is appended to, or replaced in, a file; none of these changes what any experiment does.
UNRELATED = [
    ("one exception class more", "errors.py", None, "class OddError(RunError):\n    x = 1\n"),
    ("one more data set", "data/new_set.py", None, NEW_SET),
    ("its line in the room's door", "data/__init__.py", "from .mnist", "from .new_set import new_set\nfrom .mnist"),
    ("the address of a set", "data/fetch.py", "cvdf-datasets/mnist", "elsewhere/mnist"),
    ("the checksum of a set that no paper uses", "data/kodak.py", '"755152ee', '"00005152'),
    ("one more experiment", "papers/double_descent/experiments.py", None, "def more(*, seed: int) -> Outcome:\n    return Outcome({'x': float(risk_curve)})\n"),
    ("one more helper of a model", "papers/nade/model.py", None, "def helper(x: int) -> int:\n    return NADE\n"),
    ("one more layer", "nn/transformer.py", None, "class Layer(nn.Module):\n    x = 1\n"),
    ("one more export of a paper", "papers/fnet/__init__.py", None, "__version__ = '1'\n"),
    ("one more way to count", "measure/counting.py", None, "def count(x: int) -> int:\n    return flops(x)\n"),
    ("how often a worker is looked at", "runs/executor.py", "POLL_S = 0.1", "POLL_S = 0.2"),
    ("a constant of the statistics", "claims/statistics.py", "\nimport", "\nEPSILON = 1\nimport"),
    ("a new default of the CLI", "cli/running.py", "Measure nothing new", "Measure nothing"),
    ("an import nobody uses", "train/loop.py", "import math\n", "import copy\nimport math\n"),
    ("a comment at the end", "papers/performers/features.py", None, "# the end\n"),
    ("a docstring", "train/seeds.py", "Derive independent", "Draw independent"),
]  # fmt: skip

# (what, file, old, new, the experiments that it silences: paper, and some of them)
RELATED = [
    ("the outcome", "runs/outcome.py", "values: Mapping[str, float]", "values: dict[str, float]", "*", None),
    ("the loop of training", "train/loop.py", "model.train()\n    start", "start", None, None),
    ("the scale of the digits", "data/embedded.py", "/ 16.0", "/ 15.0", {"attentive_neural_processes", "factorized_layers", "nade", "pruning_identified_exemplars"}, None),
    ("MNIST's checksum", "data/mnist.py", '"ba891046', '"00001046', {"nade", "pruning_identified_exemplars"}, {"compare", "corruptions", "density", "images_on_a_gpu", "long_tail", "mask_input", "missing_values", "neighbour", "orders", "pixels", "stack_on_gpu", "wrong_labels"}),
    ("an operation of ListOps", "data/listops.py", "MIN", "MINI", {"fnet", "performers"}, {"listops", "reading"}),
    ("a constant of one paper", "papers/performers/model.py", "q.shape[-1] ** -0.25", "q.shape[-1] ** -0.5", {"performers"}, None),
    ("where files are looked for", "data/files.py", "is_file()", "exists()", {"double_descent", "expire_span", "factorized_layers", "fnet", "nade", "performers", "pruning_identified_exemplars"}, None),
    ("the precision of a room", "nn/__init__.py", '__all__', "import torch\n\ntorch.set_default_dtype(torch.float64)\n__all__", {"fnet", "performers"}, None),
]  # fmt: skip


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package, whose own fingerprints are asked."""
    root = tmp_path / "studiolo"
    shutil.copytree(PACKAGE_ROOT, root, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    for name in ("copied", "copied.runs"):
        package = ModuleType(name)
        package.__path__ = [str(root / name.partition(".")[2])]
        monkeypatch.setitem(sys.modules, name, package)
    for name in ("copied.runs.syntax", "copied.runs.reach", "copied.runs.fingerprint"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return root


def digests_in(root):
    """Return the digest of every experiment that has committed records, as the copy computes it."""
    module = importlib.import_module("copied.runs.fingerprint")
    papers = {paper for paper, _ in EXPERIMENTS}
    codes = {paper: module.code_of(root / "papers" / paper) for paper in papers}
    return {(paper, run): codes[paper].of(run) for paper, run in EXPERIMENTS}


def edit(root, file, old, new):
    path = root / file
    text = path.read_text() if path.exists() else ""
    if old is None:
        path.write_text(f"{text}\n\n{new}")
    else:
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1))


def silenced_by(root, edits):
    """Make edits one after the other, and return by each what it silences."""
    silenced, before = {}, digests_in(root)
    for what, file, old, new in edits:
        edit(root, file, old, new)
        after = digests_in(root)
        silenced[what] = {place for place in before if before[place] != after[place]}
        before = after
    return silenced


def test_copy_has_the_fingerprints_of_the_package(copy):
    codes = {folder.name: code_of(folder) for folder in paper_folders()}
    assert digests_in(copy) == {(p, run): codes[p].of(run) for p, run in EXPERIMENTS}


@pytest.mark.slow
def test_unrelated_edits_silence_no_record(copy):
    silenced = silenced_by(copy, UNRELATED)
    assert len(silenced) == len(UNRELATED)
    assert {what: places for what, places in silenced.items() if places} == {}


@pytest.mark.parametrize(
    ("what", "file", "old", "new", "papers", "runs"), RELATED, ids=[row[0] for row in RELATED]
)
def test_edit_silences_those_that_reach_it(copy, what, file, old, new, papers, runs):
    silenced = silenced_by(copy, [(what, file, old, new)])[what]
    assert silenced
    if papers == "*":
        assert silenced == set(EXPERIMENTS)
    elif papers is not None:
        assert {paper for paper, _ in silenced} == papers
    if runs is not None:
        assert {run for _, run in silenced} == runs


def test_fingerprints_cost_less_than_a_second_of_cpu_for_each_20_000_lines(copy):
    """Of what they may reach: the papers and the rooms that experiments use, tests left out."""
    rooms = [copy / room for room in ("papers", "nn", "train", "measure", "data")]
    files = [path for room in rooms for path in room.rglob("*.py") if "test_" not in path.name]
    lines = sum(path.read_text().count("\n") for path in files)
    shares_of_bar = []
    while len(shares_of_bar) < 3 and min(shares_of_bar, default=1) >= 1:
        for name in ("copied.runs.syntax", "copied.runs.reach", "copied.runs.fingerprint"):
            sys.modules.pop(name, None)  # and with them what they remember
        started = time.process_time()
        digests_in(copy)
        cost_s = time.process_time() - started
        shares_of_bar.append(cost_s / on_this_machine(lines / 20_000))
    assert min(shares_of_bar) < 1


def test_committed_records_count():
    for folder in paper_folders():
        for evidence in load_reference_evidence(load_paper(folder)):
            silent = [r.run for r in evidence.records if r not in evidence.current.values()]
            assert silent == [], f"{folder.name}: measure these again, or replay and stamp them"
