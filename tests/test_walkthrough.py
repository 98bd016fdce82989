"""docs/adding-a-paper.md does what it says: its files become a folder, the folder a verdict, and a package."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from studiolo import runs
from studiolo.cli.start import CHECKLIST
from studiolo.errors import PaperError
from studiolo.runs import discovery
from tests.cli.commands import run


ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "adding-a-paper.md").read_text()
FILES = dict(re.findall(r'^```\w+ title="([\w.]+)"\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture
def walked(tmp_path, monkeypatch):
    """A library with the folder that the page ends with."""
    monkeypatch.chdir(tmp_path)
    run("init", "--empty")
    said = run("new-paper", "rectifiers")
    for name, what in CHECKLIST:
        assert f"{name}: {what}" in said
    folder = tmp_path / "papers" / "rectifiers"
    there = {path.name for path in folder.iterdir()}
    assert there <= set(FILES)  # every file of a new folder is replaced by the page
    for name in there:
        (folder / name).write_text(FILES[name])
    (tmp_path / "reading.md").write_text(FILES["reading.md"])
    return tmp_path


@pytest.fixture
def installed(monkeypatch):
    """What is installed is looked up anew, now and after the test."""
    discovery.installed_folders.cache_clear()
    yield
    monkeypatch.undo()
    discovery.installed_folders.cache_clear()


def studiolo(*words, cwd, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "studiolo", *words],
        cwd=cwd, capture_output=True, text=True, env=os.environ | environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_paper_of_the_page_goes_from_claim_to_verdict(walked):
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "papers/rectifiers"],
        cwd=walked, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "4 passed" in tested.stdout, tested.stdout
    assert run("check-papers") == "9 paper folders, 0 with problems.\n"
    assert "Claims of the papers (1): 1 holds." in studiolo("run", "reading.md", cwd=walked)
    found = json.loads(run("report", "reading.md", "--format", "json"))["papers"]["rectifiers"]
    assert [claim["verdict"] for claim in found["claims"]] == ["holds"]
    assert [claim["verdict"] for claim in found["controls"]] == ["does not hold"]


@pytest.mark.slow
def test_paper_of_the_page_is_a_package_of_its_own(walked, tmp_path):
    package, site, library = (tmp_path / name for name in ("package", "site", "library"))
    package.mkdir()
    (walked / "papers" / "rectifiers").rename(package / "rectifiers")
    (package / "pyproject.toml").write_text(FILES["pyproject.toml"])
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, package],
        check=True, capture_output=True, env=os.environ | {"PIP_CONSTRAINT": str(ROOT / "constraints.txt")},
    )  # fmt: skip
    library.mkdir()
    (library / "reading.md").write_text(FILES["reading.md"])
    done = studiolo("run", "reading.md", cwd=library, PYTHONPATH=str(site))
    assert "Claims of the papers (1): 1 holds." in done
    assert not (site / "rectifiers" / "results").exists()  # records are the library's


def entry_point(folder, value, name="other"):
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[studiolo.papers]\nit = {value}\n")


def test_installed_folder_is_found_without_importing_it(walked, tmp_path, monkeypatch, installed):
    site = tmp_path / "site"
    (site / "papers_of_us").mkdir(parents=True)
    (walked / "papers" / "rectifiers").rename(site / "papers_of_us" / "rectifiers")
    (site / "papers_of_us" / "__init__.py").write_text("raise RuntimeError('imported')")
    entry_point(site, "papers_of_us.rectifiers")
    monkeypatch.syspath_prepend(str(site))
    [paper] = [p for p in runs.discover(tmp_path) if p.slug == "rectifiers"]
    assert paper.folder == site / "papers_of_us" / "rectifiers"
    assert not runs.is_readers_own(paper)
    assert "1 of 1 entry can run" in run("report", "reading.md", "--format", "md")
    run("new-paper", "rectifiers")  # the library's own comes first
    [paper] = [p for p in runs.discover(tmp_path) if p.slug == "rectifiers"]
    assert runs.is_readers_own(paper)


def test_entry_point_that_leads_nowhere_is_a_sentence(tmp_path, monkeypatch, installed):
    entry_point(tmp_path, "nowhere_at_all")
    monkeypatch.syspath_prepend(str(tmp_path))
    problems: list[PaperError] = []
    runs.discover(problems=problems)
    assert [str(p).partition(" A paper")[0] for p in problems] == [
        "nowhere_at_all/paper.toml is not there."
    ]


def test_folder_that_imports_itself_by_its_full_name_is_told_so(walked, capsys):
    path = walked / "papers" / "rectifiers" / "experiments.py"
    path.write_text(path.read_text().replace("from .model", "from rectifiers.model"))
    assert "1 with problems" in run("check-papers", code=1)
