import shutil
import subprocess
from pathlib import Path

import pytest

from studiolo.runs import paper_folders
from studiolo.runs.fingerprint import PACKAGE_ROOT, code_of, fingerprint, reached_by, seed_of


MODEL = '''
"""Docstring."""

from functools import partial

import numpy as np
from studiolo.train import role_seeds as seeds_of

from . import tables
from .base import Base
from .deep import deep, unused as renamed
from .lazy import *  # noqa: F403

FACTOR = 1
NAME = 'label'
SCALE = 3


def twice(function):
    return function


@twice
def g(x, scale=SCALE):
    """Twice x."""
    from .inside import late

    FACTOR = late()
    return np.add(x, scale) * tables.PRIMES[0] * FACTOR


class Model(Base):
    """Has a method nobody calls."""

    def called(self):
        """Call it."""
        return g(1.0)

    def never_called(self):
        return 7
'''
EXPERIMENTS = """
from .door import M


def f(*, seed):
    return Outcome({"x": M().called()})


def other(*, seed):
    return Outcome({"x": 0.0})
"""
FILES = {
    "model": MODEL,
    "door": "from .model import Model as M, g\n",
    "deep": "def deep():\n    return 5\n\n\ndef unused():\n    return 6\n",
    "base": "class Root:\n    size = 1\n\n\nclass Base(Root):\n    pass\n",
    "tables": "PRIMES = [2, 3, 5]\nSQUARES = [1, 4, 9]\n",
    "inside": "def late():\n    return 1\n",
    "lazy": "EVERYTHING = 1\n",
    "test_paper": "def test_x():\n    assert f\n",
    "unimported": "X = 1\n",
}


@pytest.fixture
def folder(make_paper):
    return make_paper(EXPERIMENTS, **FILES).folder


def digest_of(folder, run="f"):
    return code_of(folder).digests[run]


EDITS = [
    ("a comment", "model.py", "* FACTOR", "* FACTOR  # twice", False),
    ("a docstring", "model.py", "Twice x.", "Two times x.", False),
    ("no docstring", "model.py", '    """Twice x."""\n', "", False),
    ("a docstring alone in a body", "base.py", "    pass", '    """Empty."""', False),
    ("the module's docstring", "model.py", "Docstring.", "Another.", False),
    ("blank lines", "model.py", "def g", "\n\n\ndef g", False),
    ("parentheses", "model.py", "return 7", "return (7)", False),
    ("line breaks", "model.py", "return 7", "return (\n            7\n        )", False),
    ("quotes", "experiments.py", '"x"', "'x'", False),
    ("a test", "test_paper.py", "assert f", "assert not f", False),
    ("the claims", "paper.toml", "A sentence.", "Another sentence.", False),
    ("a file nobody imports", "unimported.py", "1", "2", False),
    ("a constant nobody uses", "model.py", "NAME = 'label'", "NAME = 'other'", False),
    ("a constant that a local name hides", "model.py", "FACTOR = 1", "FACTOR = 2", False),
    ("a helper imported and never called", "deep.py", "return 5", "return 6", False),
    ("another experiment", "experiments.py", "0.0", "1.0", False),
    ("another constant of a module used by name", "tables.py", "[1, 4", "[0, 4", False),
    ("a name the package binds", "__init__.py", '"""For tests."""', "X = 1", False),
    ("a new exception", "deep.py", "def deep", "class Odd(Exception):\n    x = 1\n\n\ndef deep", False),
    ("a pattern nobody uses", "deep.py", "def deep", "import re\n\nP = re.compile('x')\n\n\ndef deep", False),
    ("what only a script runs", "deep.py", "def deep", "if __name__ == '__main__':\n    print()\n\n\ndef deep", False),
    ("a type checker's import", "deep.py", "def deep", "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import x\n\n\ndef deep", False),
    ("a cached helper nobody calls", "deep.py", "def deep", "from functools import cache\n\n\n@cache\ndef deep", False),
    ("a statement", "model.py", "return np.add", "return 3 * np.add", True),
    ("an operator", "model.py", "* tables", "+ tables", True),
    ("a signature", "model.py", "def g(x", "def g(x, y=0", True),
    ("a default argument's constant", "model.py", "SCALE = 3", "SCALE = 4", True),
    ("another package under a name", "model.py", "import numpy as np", "import torch as np", True),
    ("a constant used as an attribute", "tables.py", "[2, 3", "[1, 3", True),
    ("an import inside a function", "inside.py", "return 1", "return 2", True),
    ("the base of a base", "base.py", "size = 1", "size = 2", True),
    ("a method that might be called", "model.py", "return 7", "return 8", True),
    ("what a star import brings", "lazy.py", "EVERYTHING = 1", "EVERYTHING = 2", True),
    ("the experiment", "experiments.py", "M()", "M(1)", True),
    ("a decorator", "model.py", "@twice\n", "", True),
    ("what a decorator does", "model.py", "return function", "return None", True),
    ("another meaning of a name", "door.py", "Model as M", "Base as M", True),
    ("what the package does on import", "__init__.py", '"""For tests."""', "print(1)", True),
    ("what a module does on import", "deep.py", "def deep", "import torch\n\ntorch.manual_seed(0)\n\n\ndef deep", True),
    ("what a constant does on import", "deep.py", "def deep", "import torch\n\nG = torch.manual_seed(0)\n\n\ndef deep", True),
    ("what is registered", "deep.py", "def deep", "from .tables import register\n\n\n@register\ndef deep", True),
    ("what is patched", "deep.py", "def deep", "from . import tables\n\ntables.PRIMES = []\n\n\ndef deep", True),
    ("another definition elsewhere", "deep.py", "def deep", "try:\n    import x\nexcept ImportError:\n    x = 1\n\n\ndef deep", True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "file", "old", "new", "changes"), EDITS, ids=[e[0] for e in EDITS]
)
def test_edit_changes_the_code_or_does_not(folder, what, file, old, new, changes):
    before = digest_of(folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    assert (digest_of(folder) != before) == changes


@pytest.mark.parametrize(
    "use",
    [
        "getattr(tables, name)",
        "vars(tables)[name]",
        "globals()[name]",
        "eval(name)",
        "tables.absent",
        "__import__(name)",
        "[x for x in (tables,)][0]",
        "type(name).__subclasses__()",
        "importlib.import_module(name)",
        "sys.modules[name]",
    ],
)
def test_name_that_cannot_be_followed_takes_the_whole_module(folder, use):
    (folder / "deep.py").write_text(
        f"from . import tables\nfrom .tables import SQUARES\n\n\ndef deep(name):\n    return {use}\n"
    )
    model = folder / "model.py"
    model.write_text(model.read_text().replace("return 7", "return deep('SQUARES')"))
    before = digest_of(folder)
    table = folder / "tables.py"
    table.write_text(table.read_text().replace("[1, 4", "[0, 4"))
    assert digest_of(folder) != before


def test_swapped_names_are_another_code(folder):
    deep = (
        "from .tables import PRIMES as a, SQUARES as b\n\n\ndef deep():\n    return a[0] - b[0]\n"
    )
    model = folder / "model.py"
    model.write_text(model.read_text().replace("return 7", "return deep()"))
    (folder / "deep.py").write_text(deep)
    before = digest_of(folder)
    (folder / "deep.py").write_text(
        deep.replace("PRIMES as a, SQUARES as b", "SQUARES as a, PRIMES as b")
    )
    assert digest_of(folder) != before


@pytest.mark.parametrize(
    "broken", [b"def f(:\n", b"\0", b"x = '\xe9'\n", b"x = " + b"(" * 500 + b")" * 500, b"-" * 50_000 + b"1\n"],
    ids=["syntax", "NUL", "latin-1", "brackets", "deep"],
)  # fmt: skip
@pytest.mark.parametrize("file", ["experiments.py", "deep.py"])
def test_file_that_is_not_python_counts_by_its_bytes(folder, file, broken):
    (folder / file).write_bytes(broken)
    before = code_of(folder)
    assert code_of(folder) == before
    (folder / file).write_bytes(broken + b"# more\n")
    assert code_of(folder).digest != before.digest


def test_name_reexported_by_a_room_brings_only_the_module_that_defines_it(folder):
    head = "def g(x):\n    return x\n\n\nclass Model:\n    x = {}\n"
    (folder / "model.py").write_text(
        f"from studiolo.train import role_seeds\n\n\n{head.format('role_seeds')}"
    )
    assert "torch" not in code_of(folder).imports
    (folder / "model.py").write_text(
        f"from studiolo.train import train\n\n\n{head.format('train')}"
    )
    assert "torch" in code_of(folder).imports


def test_code_knows_which_of_its_files_were_written_to(folder):
    code = reached_by(folder, "f")
    assert code.changed_files() == []
    text = (folder / "model.py").read_text()
    (folder / "model.py").write_text(text + "# a comment\n")
    assert [path.name for path in code.changed_files()] == ["model.py"]
    assert reached_by(folder, "f").digest == code.digest


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
        "for folder in sys.argv[2:]:\n"
        "    code = code_of(pathlib.Path(folder))\n"
        "    print(code.digest, sorted(code.digests.items()))\n"
    )
    folders = [folder, *paper_folders()]
    command = [python, "-c", code, str(PACKAGE_ROOT.parent), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    codes = map(code_of, folders)
    assert done.stdout.splitlines() == [f"{c.digest} {sorted(c.digests.items())}" for c in codes]


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
