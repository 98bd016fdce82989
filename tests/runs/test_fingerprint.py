import shutil
import subprocess
from pathlib import Path

import pytest

from studiolo.runs.fingerprint import PACKAGE_ROOT, code_of, fingerprint, seed_of


MODEL = '''
"""Docstring."""

from .deep import deep

FACTOR = 1
NAME = 'label'


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
    files = {
        "model": MODEL,
        "deep": "def deep():\n    return 5\n",
        "test_paper": "def test_x():\n    assert f\n",
        "unused": "X = 1\n",
    }
    return make_paper(EXPERIMENTS, **files).folder


EDITS = [
    ("a comment", "model.py", "return 2 * x", "return 2 * x  # twice", False),
    ("a docstring", "model.py", "Twice x.", "Two times x.", False),
    ("no docstring", "model.py", '    """Twice x."""\n', "", False),
    ("the module's docstring", "model.py", "Docstring.", "Another.", False),
    ("blank lines", "model.py", "def g", "\n\n\ndef g", False),
    ("parentheses", "model.py", "2 * x", "(2 * x)", False),
    ("line breaks", "model.py", "2 * x", "(\n        2\n        * x\n    )", False),
    ("quotes", "experiments.py", '"x"', "'x'", False),
    ("a test", "test_paper.py", "assert f", "assert not f", False),
    ("the claims", "paper.toml", "A sentence.", "Another sentence.", False),
    ("a file nobody imports", "unused.py", "1", "2", False),
    ("a statement", "model.py", "2 * x", "3 * x", True),
    ("an operator", "model.py", "2 * x", "2 + x", True),
    ("a signature", "model.py", "def g(x)", "def g(x, y=0)", True),
    ("a module constant", "model.py", "FACTOR = 1", "FACTOR = 2", True),
    ("a string that is no docstring", "model.py", "'label'", "'other'", True),
    ("the experiment", "experiments.py", "1.0", "2.0", True),
    ("a helper of a helper", "deep.py", "return 5", "return 6", True),
    (
        "what the package runs on import",
        "__init__.py",
        '"""For tests."""',
        '"""For tests."""\nX = 1',
        True,
    ),
    ("a decorator", "model.py", "def g(x)", "@staticmethod\ndef g(x)", True),
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
        "from studiolo.train import role_seeds\n\n\ndef g(x):\n    return x\n"
    )
    assert "torch" not in code_of(folder).imports
    (folder / "model.py").write_text(
        "from studiolo.train import train\n\n\ndef g(x):\n    return x\n"
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


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_fingerprint_is_the_same_in_other_versions_of_python(folder, version):
    python = other_python(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    code = (
        "import sys, pathlib, types\n"
        "for name in ('studiolo', 'studiolo.runs'):\n"
        "    sys.modules[name] = types.ModuleType(name)\n"
        "    sys.modules[name].__path__ = [str(pathlib.Path(sys.argv[1], *name.split('.')))]\n"
        "from studiolo.runs.fingerprint import code_of\n"
        "print(code_of(pathlib.Path(sys.argv[2])).digest)\n"
    )
    command = [python, "-c", code, str(PACKAGE_ROOT.parent), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == code_of(folder).digest


def other_python(version):
    """Return an interpreter of that version that starts, from the path or from pyenv."""
    candidates: list[str | Path | None] = [shutil.which(f"python{version}")]
    candidates += sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python3"))
    for candidate in filter(None, candidates):
        command = [candidate, "-c", "import sys; print(*sys.version_info[:2], sep='.')"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return candidate
    return None
