"""Every code block of README.md and docs/ does what it shows."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from studiolo.claims import Word, load_paper
from studiolo.runs import load_reference_evidence


ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAPER_READMES = sorted((ROOT / "src" / "studiolo" / "papers").glob("[a-z]*/README.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def blocks(page, language):
    return [text for name, text in BLOCK.findall(page.read_text()) if name == language]


def with_blocks(pages, language):
    return [
        pytest.param(page, id=str(page.relative_to(ROOT)))
        for page in pages
        if blocks(page, language)
    ]


@pytest.mark.parametrize("page", with_blocks([*PAGES, *PAPER_READMES], "python"))
def test_python_blocks_run(page, tmp_path):
    run_python(page, tmp_path if writes_files(page) else None)


def writes_files(page):
    return "np.save" in "\n".join(blocks(page, "python"))


def run_python(page, folder):
    subprocess.run(
        [sys.executable, "-c", "\n".join(blocks(page, "python"))],
        check=True, timeout=120, cwd=folder,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("page", with_blocks(PAGES, "sh"))
def test_shell_blocks_run(page, tmp_path):
    """Run the `studiolo` lines of a page one after the other; `make` lines must name targets that exist."""
    here = tmp_path
    if writes_files(page):
        run_python(page, tmp_path)  # what the shell lines read
    for line in "\n".join(blocks(page, "sh")).splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert {w for w in words[1:] if "=" not in w} <= TARGETS, line
        elif words[:1] == ["studiolo"]:
            command = [w if w != "90s" else "3s" for w in words[1:]]
            done = subprocess.run(  # from a bash, whose completion is installed in HOME
                ["bash", "-c", '"$@"; exit $?', "bash", sys.executable, "-m", "studiolo", *command],
                cwd=here, capture_output=True, text=True, timeout=120,
                env=os.environ | {"HOME": str(tmp_path)},
            )  # fmt: skip
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        elif words[:1] == ["cd"]:
            here = next(p for p in (here / words[1], tmp_path / words[1]) if p.is_dir())
        else:
            assert words[:1] in ([], ["pip"]), f"{page.name}: nobody runs {line!r}"


@pytest.mark.parametrize("page", [*PAGES, *PAPER_READMES], ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_counts_in_the_readme_are_those_of_the_records():
    """The table of papers counts the papers' own sentences alone: count them again in the committed records."""
    rows = re.findall(
        r"papers/(\w+)/README\.md\).*?\| (\d+) of (\d+) hold", (ROOT / "README.md").read_text()
    )
    assert len(rows) == 8
    ours: list[bool] = []
    checks: list[bool] = []
    for slug, held, total in rows:
        paper = load_paper(ROOT / "src" / "studiolo" / "papers" / slug)
        holding = {  # each on the machine that could measure it
            claim
            for machine in load_reference_evidence(paper)
            for claim, verdict in machine.verdicts().items()
            if verdict.word is Word.HOLDS
        }
        hold = [claim.id in holding for claim in paper.papers_claims]
        assert (sum(hold), len(hold)) == (int(held), int(total)), slug
        ours += [claim.id in holding for claim in paper.our_questions]
        checks += [claim.id in holding for claim in paper.checks]
    apart = f"{sum(ours)} of {len(ours)} questions of our own hold and "
    apart += f"{sum(checks)} of {len(checks)} checks of our code pass"
    assert apart in " ".join((ROOT / "README.md").read_text().split())
