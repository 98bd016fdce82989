import pytest

from carrel.runs.fingerprint import code_of, fingerprint, seed_of


MODEL = '''
"""Docstring."""


def g(x):
    """Twice x."""
    return 2 * x
'''
EXPERIMENTS = """
from .model import g


def f(*, seed):
    return Outcome({"x": g(1.0)})
"""


@pytest.fixture
def folder(make_paper):
    return make_paper(
        EXPERIMENTS, model=MODEL, test_paper="def test_x():\n    assert True is True\n"
    ).folder


EDITS = [
    ("a comment", "model.py", "return 2 * x", "return 2 * x  # twice", False),
    ("a docstring", "model.py", "Twice x.", "Two times x.", False),
    ("the module's docstring", "model.py", "Docstring.", "Another.", False),
    ("blank lines", "model.py", "def g", "\n\n\ndef g", False),
    ("parentheses", "model.py", "2 * x", "(2 * x)", False),
    ("a test", "test_paper.py", "True", "1", False),
    ("the claims", "paper.toml", "A sentence.", "Another sentence.", False),
    ("a statement", "model.py", "2 * x", "3 * x", True),
    ("a name", "model.py", "def g(x)", "def g(x, y=0)", True),
    ("a module constant", "model.py", "def g", "K = 1\n\n\ndef g", True),
    ("the experiment", "experiments.py", "1.0", "2.0", True),
]


@pytest.mark.parametrize(
    ("what", "file", "old", "new", "changes"), EDITS, ids=[e[0] for e in EDITS]
)
def test_edit_changes_the_code_or_does_not(folder, what, file, old, new, changes):
    before = code_of(folder).digest
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    assert (code_of(folder).digest != before) == changes


def test_name_reexported_by_a_room_brings_only_the_module_that_defines_it(folder):
    assert "torch" not in code_of(folder).imports
    (folder / "model.py").write_text(
        "from carrel.train import role_seeds\n\n\ndef g(x):\n    return x\n"
    )
    assert "torch" not in code_of(folder).imports
    (folder / "model.py").write_text(
        "from carrel.train import train\n\n\ndef g(x):\n    return x\n"
    )
    assert "torch" in code_of(folder).imports


def test_config_series_and_seed_are_part_of_it(folder):
    code = code_of(folder)
    base = fingerprint(code, "f", {"a": 1, "b": 2}, 0, 0)
    assert fingerprint(code, "f", {"b": 2, "a": 1}, 0, 0) == base
    others = {
        fingerprint(code, "g", {"a": 1, "b": 2}, 0, 0),
        fingerprint(code, "f", {"a": 2, "b": 2}, 0, 0),
        fingerprint(code, "f", {"a": 1, "b": 2}, 1, 0),
        fingerprint(code, "f", {"a": 1, "b": 2}, 0, 1),
    }
    assert len(others | {base}) == 5


def test_seeds_do_not_depend_on_the_code_and_differ_by_series():
    assert seed_of("arxiv:1", "f", {}, 0, 0) == seed_of("arxiv:1", "f", {}, 0, 0)
    assert seed_of("arxiv:1", "f", {}, 0, 0) != seed_of("arxiv:1", "f", {}, 1, 0)
