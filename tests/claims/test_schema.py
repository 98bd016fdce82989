import subprocess
import sys
from pathlib import Path

import pytest

from carrel.claims import Region, Scale, load_paper
from carrel.errors import PaperError


HEAD = """
key = "arxiv:1912.07242"
version = "v1"
title = "More Data Can Hurt"
authors = ["Preetum Nakkiran"]
year = 2019
"""
CLAIM = """
[[claim]]
id = "more-data-hurts"
says = "Adding samples raises the risk before it falls."
where = "Figure 1"
source = "read"
run = "risk_curve"
config = { d = 200 }
metric = "rise"
region = { at_least = 1.5 }
why = "Half as much again is seen by eye."
scale = { kind = "reduced", paper = "d = 1000", here = "d = 200" }
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        folder = tmp_path / "double_descent"
        folder.mkdir(exist_ok=True)
        (folder / "paper.toml").write_text(text)
        return folder

    return write


def test_a_paper_reads_with_its_defaults(write):
    folder = write(HEAD + CLAIM)
    paper = load_paper(folder)
    assert (paper.slug, paper.key, paper.version) == ("double_descent", "arxiv:1912.07242", "v1")
    assert paper.authors == ("Preetum Nakkiran",)
    claim = paper.claim("more-data-hurts")
    assert (claim.statistic, claim.seeds, claim.failure, claim.series) == ("median", 8, "error", 0)
    assert claim.region == Region("at_least", (1.5,))
    assert claim.scale == Scale("reduced", "d = 1000", "d = 200")
    assert (claim.config, claim.weaker, claim.controls) == ({"d": 200}, None, ())


def test_like_inherits_what_is_not_overridden(write):
    paper = load_paper(
        write(
            HEAD
            + """
[[claim]]
id = "larger"
like = "more-data-hurts"
config = { trials = 5 }
scale = { kind = "toy" }
seeds = 11
weaker = {}
"""
            + CLAIM
            + "weaker = { above = 1 }\n"
        )
    )
    claim = paper.claim("larger")
    assert claim.config == {"d": 200, "trials": 5}
    assert claim.scale == Scale("toy", "d = 1000", "d = 200")
    assert (claim.seeds, claim.metric, claim.weaker) == (11, "rise", None)
    assert paper.claim("more-data-hurts").config == {"d": 200}
    assert [claim.id for claim in paper.claims] == ["larger", "more-data-hurts"]


def test_a_control_inherits_no_controls(write):
    control = '[[claim]]\nid = "no-noise"\nlike = "more-data-hurts"\nconfig = { sigma = 0 }\n'
    sibling = '[[claim]]\nid = "wider"\nlike = "more-data-hurts"\nconfig = { d = 400 }\n'
    paper = load_paper(write(HEAD + CLAIM + 'controls = ["no-noise"]\n' + control + sibling))
    assert paper.claim("no-noise").controls == ()
    assert paper.claim("wider").controls == ("no-noise",)
    assert paper.controls == ("no-noise",)


def test_claims_load_no_numbers_library():
    code = (
        "import sys, carrel.claims; print(sorted({'numpy', 'scipy', 'torch'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_a_folder_without_a_file_says_how_to_start_one(tmp_path):
    with pytest.raises(PaperError, match=r"paper.toml: cannot be read .* `carrel new-paper`"):
        load_paper(tmp_path)


def test_an_unknown_claim_names_the_known_ones(write):
    with pytest.raises(PaperError, match="has no claim 'x'; its claims: more-data-hurts"):
        load_paper(write(HEAD + CLAIM)).claim("x")


def test_an_error_names_file_table_field_found_and_allowed(write):
    folder = write(HEAD + CLAIM.replace('"read"', '"guess"'))
    with pytest.raises(PaperError) as caught:
        load_paper(folder)
    path = Path(folder).resolve() / "paper.toml"
    assert str(caught.value) == (
        f'{path}, [[claim]] more-data-hurts, source: found "guess"; allowed: "read" or "recalled".'
    )
