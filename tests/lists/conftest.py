"""Where the lists to test with are, and lists that are made up."""

import os
from pathlib import Path

import pytest
from hypothesis import strategies as st

import studiolo
from studiolo.lists import Document


EXAMPLE = Path(studiolo.__file__).parent / "example/lists/recent-ml-research.md"
# pieces of Markdown that real lists are made of; joined at random they are every habit at once
PIECES = """* |- |+ |1. |2) |10. |  |    |\t|> |# |## |###### |#|- [ ] |- [x] |```\n|~~~\n|---\n|===\n|\n|\n\n|\r\n|\r|text|a b c|[x](http://a.org/b)|[y](<u v>)\
|[z](u "t")|[r]|[r]: http://r.org/r\n|[p][r]|`c`|``|<http://q.org/q>|\\||\\|a\\|b\\|\n|\\|-\\|-\\|\n|\\| x \\| y \\|\n|a \\| b\n|- \\| -\n|<!-- |-->|<!-- TAGS\n|<div>\n|</div>\n\
|<b>|<a href="u">|</a>|\\[|[|]|(|)|![i](j)|***\n|* * *\n|more words\n|  deeper\n|[[w]]|[[w\\|v]]|&amp;|*em*|**bold**|"A Title" - 2019 - Some Body|https://arxiv.org/abs/2105.03824|\
arXiv:1706.03762|https://github.com/o/n|Q: why?\n|A: because\n|#tag|✅|é漢字|\u202eabc|\ufeff|# To Review\n|# Read\n|title: x\n|\x00|$"""
FRAGMENTS = [piece.replace("\0", "|") for piece in PIECES.replace("\\|", "\0").split("|")]


def shared() -> Path | None:
    """Return the folder of real lists, if STUDIOLO_SHARED names one."""
    folder = os.environ.get("STUDIOLO_SHARED")
    return Path(folder) if folder else None


def real_lists() -> list[Path]:
    """Return the real lists that are here: the bundled one, and those of STUDIOLO_SHARED."""
    folder = shared()
    more = sorted([*folder.glob("lists/*.md"), *folder.glob("seed/*.md")]) if folder else []
    return [EXAMPLE, *more]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "real_list" in metafunc.fixturenames:
        paths = real_lists()
        metafunc.parametrize(
            "real_list", paths, ids=[f"{path.parent.name}/{path.name}" for path in paths]
        )


@pytest.fixture(params=["bundled", "as it was asked for"])
def seed(request: pytest.FixtureRequest) -> Document:
    """The list that Studiolo bundles, and the one that it was made after."""
    if request.param == "bundled":
        return Document.load(EXAMPLE)
    folder = shared()
    if folder is None:
        pytest.skip("needs the list in STUDIOLO_SHARED/seed")
    return Document.load(folder / "seed/recent-ml-research.md")


@pytest.fixture
def markdown() -> st.SearchStrategy[str]:
    """Texts made of the pieces of real lists."""
    return MARKDOWN


MARKDOWN = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join)
