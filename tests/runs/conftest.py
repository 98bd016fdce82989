import textwrap

import pytest

from studiolo.claims import load_paper


PAPER_TOML = """
key = "arxiv:2001.00001"
version = "v1"
title = "A paper for tests"
authors = ["A. Author"]
year = 2020
"""

CLAIM = """
[[claim]]
id = "{id}"
says = "A sentence."
where = "Section 1"
source = "recalled"
run = "{run}"
config = {config}
metric = "x"
region = {{ at_least = 0.5 }}
why = "a reason"
seeds = {seeds}
timeout_s = {timeout_s}
timing = {timing}
scale = {{ kind = "toy", paper = "large", here = "small" }}
"""


def claim(id="x-is-large", run="f", config="{}", seeds=5, timeout_s=20, timing="false"):
    return CLAIM.format(
        id=id, run=run, config=config, seeds=seeds, timeout_s=timeout_s, timing=timing
    )


@pytest.fixture
def make_paper(library):
    """Write a paper folder into the library and load it."""

    def make(experiments, *claims, slug="tiny", **files):
        folder = library / "papers" / slug
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text('"""For tests."""\n')
        (folder / "paper.toml").write_text(PAPER_TOML + "".join(claims or [claim()]))
        header = "from studiolo.runs import Outcome\n\n"
        (folder / "experiments.py").write_text(header + textwrap.dedent(experiments))
        for name, text in files.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(text))
        return load_paper(folder)

    return make
