"""The paper.toml of the page about claims loads, and the error shown there is the real one."""

import re
from pathlib import Path

import pytest

from studiolo.claims import load_paper
from studiolo.errors import PaperError


TEXT = (Path(__file__).parents[2] / "docs" / "claims.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (only,) = re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.S | re.M)
    return str(only)


def test_the_paper_of_the_page_loads_and_its_error_is_real(tmp_path: Path) -> None:
    toml = block("toml")
    (tmp_path / "paper.toml").write_text(toml)
    paper = load_paper(tmp_path)
    assert [claim.by for claim in paper.claims] == ["paper"] * 4 + ["code"]
    assert paper.claim("more-data-hurts-in-400").controls == ("tuned-ridge-rises",)
    assert paper.claim("tuned-ridge-rises").controls == ()
    (tmp_path / "paper.toml").write_text(toml.replace('"read"', '"guess"', 1))
    with pytest.raises(PaperError) as caught:
        load_paper(tmp_path)
    first = str(caught.value).splitlines()[0]
    assert first.split(", ", 1)[1] == block("text").strip().split(", ", 1)[1]
