"""The rules of the house: what lint and types cannot say."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.main import get_command

import studiolo
from studiolo.claims import check_paper, load_paper
from studiolo.cli.app import app
from studiolo.cli.doctor import RUN_EXTRA
from studiolo.cli.running import FASTER
from studiolo.keys import find_mention
from studiolo.runs import paper_folders


ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "studiolo"
HEAVY = ("torch", "numpy", "scipy", "sklearn", "vl_convert")
LIGHT_STARTS = (
    "import studiolo",
    "import studiolo.lists, studiolo.sources, studiolo.library, studiolo.metadata, studiolo.net",
    "import studiolo.index",
    "import studiolo.claims, studiolo.runs",
    "import studiolo.report",
    "import studiolo.web",
    "import studiolo.cli.app",
)
PAPERS = paper_folders()


def commands_of(group, prefix=""):
    """Return every command by its full name, those of groups among them."""
    found = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= commands_of(command, f"{prefix}{name} ")
        else:
            found[prefix + name] = command
    return found


COMMANDS = commands_of(get_command(app))


def loaded_after(statement: str) -> set[str]:
    """Return which of the heavy packages a fresh interpreter has loaded after a statement."""
    code = f"import sys; {statement}; print(*[m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


@pytest.mark.parametrize("statement", LIGHT_STARTS)
def test_start_is_light(statement):
    assert loaded_after(statement) == set()


def test_the_light_start_test_can_fail():
    for name in HEAVY:
        assert name in loaded_after(f"import {name}")


def test_doctor_looks_for_what_the_extra_installs():
    assert set(RUN_EXTRA.values()) <= declared_in(CORE, EXTRAS["run"])
    assert {name for name in RUN_EXTRA.values() if find_spec(name) is None} == set()


def declared_in(*lists):
    """Return the packages of requirement lists by the names that one imports."""
    names = {re.match(r"[\w.-]+", item)[0].lower() for items in lists for item in items}
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


def imported_by(*patterns):
    """Return the packages that files import, at their top or inside functions; not ours nor Python's."""
    found = {}
    for path in (path for pattern in patterns for path in ROOT.glob(pattern)):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module]
            else:
                continue
            for name in {module.partition(".")[0] for module in modules}:
                beside = path.with_name(f"{name}.py").exists()  # benches share one file
                if name not in {*sys.stdlib_module_names, "studiolo", "tests"} and not beside:
                    found.setdefault(name, path.relative_to(ROOT).as_posix())
    return found


IMPORTED_AS = {
    "markdown-it-py": "markdown_it",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "vl-convert-python": "vl_convert",
}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CORE = PYPROJECT["project"]["dependencies"]
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
GROUPS = PYPROJECT["dependency-groups"]
READING = (
    "keys",
    "lists",
    "net",
    "sources",
    "metadata",
    "index",
    "library",
    "garden",
    "cli",
    "claims",
)


def test_what_reading_imports_is_installed_without_extras():
    found = imported_by(*(f"src/studiolo/{room}/**/*.py" for room in READING))
    missing = {name: path for name, path in found.items() if name not in declared_in(CORE)}
    pdf = missing.pop("pypdf")  # imported where a PDF file is opened, which says what to install
    assert (pdf, missing) == ("src/studiolo/sources/pdfs.py", {})


def test_run_asks_for_no_package_of_the_extra_that_is_only_fast():
    assert declared_in(EXTRAS["fast"]) == FASTER


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    declared = declared_in(CORE, *EXTRAS.values())
    found = imported_by("src/studiolo/**/*.py")
    tests = {"pytest"}  # those of the papers
    given = {"transformers", "triton"}  # a caller gives a model of it; comes with torch for CUDA
    assert {n: path for n, path in found.items() if n not in declared | tests | given} == {}
    assert declared - set(found) == set()


def test_what_tests_and_benches_import_is_declared():
    groups = [[item for item in group if isinstance(item, str)] for group in GROUPS.values()]
    declared = declared_in(CORE, *EXTRAS.values(), *groups)
    benches = {path.stem for path in (ROOT / "bench").glob("*.py")}
    found = imported_by("tests/**/*.py", "bench/**/*.py")
    assert {n: path for n, path in found.items() if n not in declared | benches} == {}


def test_every_declared_package_is_pinned():
    pinned = declared_in((ROOT / "constraints.txt").read_text().split())
    groups = [[item for item in group if isinstance(item, str)] for group in GROUPS.values()]
    assert declared_in(CORE, *EXTRAS.values(), *groups) - pinned == set()


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/__init__.py")), ids=lambda p: p.parent.name)
def test_exports_are_sorted_and_there(path):
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = ast.literal_eval(node.value)
            module = importlib.import_module(f"studiolo.{path.parent.name}")
            assert [name for name in names if not hasattr(module, name)] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_has_help_with_an_example(name):
    command = COMMANDS[name]
    assert command.help
    assert "Example" in command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None) or parameter.name == "help", parameter.name


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_is_in_the_readme(name):
    group, _, leaf = name.rpartition(" ")
    readme = (ROOT / "README.md").read_text()
    wanted = rf"`{leaf}`|studiolo {name}\b" if group else rf"studiolo {name}\b"
    assert re.search(wanted, readme), f"README.md does not mention `studiolo {name}`"


@pytest.mark.parametrize("folder", PAPERS, ids=lambda f: f.name)
def test_paper_folder_is_complete_and_its_claims_decidable(folder):
    paper = load_paper(folder)
    assert [str(problem) for problem in check_paper(paper)] == []
    for name in ("README.md", "reference.py", "model.py", "experiments.py", "test_paper.py"):
        assert (folder / name).is_file(), name
    functions = {
        node.name
        for node in ast.parse((folder / "experiments.py").read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    wanted = {claim.run for claim in paper.claims if not claim.all_of}
    assert wanted | {figure.run for figure in paper.figures} <= functions
    for claim in (*paper.papers_claims, *paper.our_questions):
        exempt = claim.all_of or claim.statistic == "exact"
        assert claim.controls or exempt, f"{claim.id} has no control"


def test_papers_do_not_import_each_other():
    for folder in PAPERS:
        text = "\n".join(path.read_text() for path in folder.glob("*.py"))
        others = set(re.findall(r"studiolo\.papers\.(\w+)", text)) - {folder.name}
        assert others == set(), folder.name


def test_a_newcomer_finds_no_crowded_file():
    lengths = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    crowded = {str(p.relative_to(PACKAGE)): n for p, n in lengths.items() if n > 600}
    assert crowded == {}


def test_ci_runs_what_make_test_leaves_out():
    made = (ROOT / "Makefile").read_text()
    assert re.findall(r"-m '(.+?)' \$\(ON\)", made) == [
        "not slow and not soak"
    ]  # the last -m counts
    assert "make test ON='-m slow'" in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_room_is_in_the_drawings():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} | {
        "errors",
        "collector",
        "doors",
        "files",
    }
    for drawing in (studiolo.__doc__, (ROOT / "CONTRIBUTING.md").read_text()):
        assert {room for room in rooms if f"`{room}`" not in drawing} == set()


def test_folders_of_tests_are_rooms():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    tested = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert tested - rooms == {"hostile"}  # what strangers write, through several rooms
    assert rooms - tested == {"example", "papers"}  # papers hold their own tests


@pytest.mark.parametrize("name", COMMANDS)
def test_addresses_in_help_are_of_places_we_know(name):
    for address in re.findall(r"https?://[^\s'\")]+", COMMANDS[name].help or ""):
        key = find_mention(address).key
        assert key.kind != "url" or re.match(
            r"https://(?:reddit\.com|gist\.github\.com|rss\.arxiv\.org|codeberg\.org|you\.github\.io)/",
            key.value,
        )
