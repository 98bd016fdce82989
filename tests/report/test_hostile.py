"""Folders, records and caches that are not as they should be: each is one line of the report, and nothing runs."""

import json
import re
import shutil

import numpy as np
import pytest

from studiolo.claims import load_paper
from studiolo.lists import Document
from studiolo.report import (
    load_view,
    pictures as drawings_of,
    render_html,
    report_json,
    report_markdown,
    write_report,
)
from studiolo.report.pictures import svg_of, vega_bundle, why_not_a_drawing
from studiolo.runs import discover
from studiolo.runs.evidence import results_folder

from .synthetic import make_paper, make_records


LIST = b"# A list\n\n* [A made-up paper](https://arxiv.org/abs/2001.00001)\n* https://arxiv.org/abs/2001.00002\n"
KINDS = ("lines", "points", "heatmap", "gallery")
N = 30
X = np.geomspace(1, 100, N)
ARRAYS = {
    "longer": {"x": X, "y": np.ones(N + 3)},
    "shorter": {"x": X, "y": np.ones(N - 3)},
    "empty": {"x": np.ones(0), "y": np.ones(0), "pictures": np.ones((0, 8, 8))},
    "a number": {"x": np.float64(3), "y": np.float64(3), "z": np.float64(3)},
    "a table": {"x": np.ones((5, 6)), "y": np.ones((5, 6))},
    "a row for a table": {"z": X},
    "another table": {"z": np.ones((3, 4))},
    "texts": {"x": np.array(["a"] * N), "z": np.array([["a"] * N] * N)},
    "objects": {"x": np.array([{}] * N, dtype=object), "y": np.array([None] * N, dtype=object)},
    "complex": {"y": X * 1j, "z": np.ones((N, N)) * 1j},
    "x that is not a number": {"x": np.where(X > 50, np.nan, X)},
    "x that is infinite": {"x": np.where(X > 50, np.inf, X)},
    "x below zero on a log axis": {"x": X - 50},
    "y that is not a number": {"y": X * np.nan, "z": np.full((N, N), np.nan)},
    "y that is infinite": {"y": X * np.inf, "z": np.full((N, N), np.inf)},
    "huge": {"y": X * 1e300, "z": np.full((N, N), 1e308)},
    "dates": {"x": np.arange(N).astype("datetime64[s]")},
    "truth values": {"x": X, "y": X > 5},
    "pictures that are rows": {"pictures": np.ones((6, 8))},
    "pictures in colours": {"pictures": np.ones((6, 8, 8, 3))},
    "pictures without pixels": {"pictures": np.ones((6, 0, 8))},
    "pictures that are not numbers": {"pictures": np.full((6, 8, 8), np.nan)},
    "captions in a table": {"captions": np.array([["a", "b"]] * 6)},
    "too few captions": {"captions": np.array(["one"])},
    "captions that are one text": {"captions": np.array("one")},
    "captions that are markup": {"captions": np.array(["<script>alert(1)</script>"] * 6)},
}


def made(library, figures=KINDS, **changes):
    paper = make_paper(library, figures=figures)
    make_records(library, paper, points=N)
    return paper


def page_of(library):
    view = load_view(Document(LIST, library / "list.md"), library)
    report_json(view)
    report_markdown(view)
    return render_html(view)


@pytest.mark.parametrize("changed", ARRAYS.values(), ids=ARRAYS)
def test_figure_of_strange_arrays_is_drawn_or_is_one_line(library, changed):
    paper = made(library)
    path = results_folder(library, paper) / "arrays.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **(arrays | changed))
    page = page_of(library)
    shown = page.count('class="plot ') + page.count('class="gallery"')
    lines = re.findall(r"The figure “.*?” could not be drawn: (.*?)\.</p>", page)
    assert shown + len(lines) == 4
    assert all(len(line) > 20 for line in lines)
    assert "<script>alert" not in page


def test_sentence_of_a_figure_says_which_array_and_why(library):
    paper = made(library, figures=["lines"])
    path = results_folder(library, paper) / "arrays.npz"
    np.savez(path, x=X, y=np.ones(7), t=X)
    assert "could not be drawn: the array &#39;y&#39; has 7 values where x has 30." in page_of(
        library
    )


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and no more", b"\x93NUMPY", "half"])
def test_damaged_arrays_are_one_line(library, damage):
    paper = made(library, figures=["lines"])
    path = results_folder(library, paper) / "arrays.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "half" else damage)
    assert "could not be drawn: arrays.npz is damaged" in page_of(library)


def test_readme_and_code_that_are_not_utf8_are_shown(library):
    paper = made(library, figures=[])
    (paper.folder / "README.md").write_bytes(b"# X\n\n## What this does not show\n\nCaf\xe9.\n")
    (paper.folder / "reference.py").write_bytes(b"# \xff\n")
    assert "Caf\ufffd." in page_of(library)


@pytest.mark.parametrize(
    "code", [b"def curve(:\n", b"x = '\xe9'\n", b"x = 1\x00\n", b"x = " + b"-" * 20_000 + b"1\n"]
)
def test_folder_whose_code_is_not_python_is_one_line(library, code):
    made(library, figures=[])
    other = make_paper(library, "other", 2)
    make_records(library, other)
    (library / "papers" / "made_up" / "experiments.py").write_bytes(code)
    page = page_of(library)
    assert page.count("A paper folder was left out: ") == 1
    assert "Its paper folder cannot be read" in page
    assert 'id="other-claim-0"' in page


def test_view_takes_what_was_discovered_already(library, monkeypatch):
    made(library, figures=[])
    problems = []
    found = discover(library, problems=problems)
    monkeypatch.setattr("studiolo.report.view.discover", None)
    view = load_view(Document(LIST, library / "list.md"), library, found, problems)
    assert list(view.papers) == ["made_up"]


def test_two_lists_of_one_name_keep_their_pages(library):
    made(library, figures=[])
    pages = []
    for folder in ("lists", "other", "lists"):
        (library / folder).mkdir(exist_ok=True)
        path = library / folder / "ml.md"
        path.write_bytes(LIST.replace(b"A list", folder.encode()))
        pages.append(write_report(load_view(Document.load(path), library)))
    assert pages[0] == pages[2] == (library / ".studiolo" / "report" / "ml.html").resolve()
    assert re.fullmatch(r"ml-[0-9a-f]{8}\.html", pages[1].name)
    assert "<h1>lists</h1>" in pages[0].read_text()
    assert "<h1>other</h1>" in pages[1].read_text()


def test_page_of_a_list_that_is_gone_is_replaced(library):
    for folder in ("old", "new"):
        (library / folder).mkdir()
        (library / folder / "ml.md").write_bytes(LIST)
    first = write_report(load_view(Document.load(library / "old" / "ml.md"), library))
    shutil.rmtree(library / "old")
    assert write_report(load_view(Document.load(library / "new" / "ml.md"), library)) == first


# What was drawn before.

GOOD = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0,0"/></svg>'


@pytest.mark.parametrize(
    "bad",
    [
        GOOD.replace("<path", "<script>alert(1)</script><path"),
        GOOD.replace("<path", '<path onclick="alert(1)"'),
        GOOD.replace("<svg ", '<svg onload="alert(1)" '),
        GOOD.replace("<path", '<a href="javascript:alert(1)"><path/></a><path'),
        GOOD.replace("<path", '<image href="https://example.org/x.png"/><path'),
        GOOD.replace("<path", "<foreignObject><b>x</b></foreignObject><path"),
        GOOD.replace("<path", '<animate attributeName="x"/><path'),
        GOOD.replace("<path", "<style>*{}</style><path"),
        GOOD.replace("<path", '<path style="fill:url(https://example.org/x)"'),
        GOOD.replace("<path", '<path style="fill:u\\72l(https://example.org/x)"'),
        '<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + GOOD,
        "<?xml-stylesheet href='https://example.org'?>" + GOOD,
        GOOD.replace(' width="9"', ""),
        GOOD[:-6],
        "",
        "<html/>",
    ],
)
def test_drawing_that_is_more_than_shapes_is_refused(bad):
    assert why_not_a_drawing(GOOD) == ""
    assert why_not_a_drawing(bad).startswith("a drawing ")


def spec_of(number):
    return {"data": {"values": [{"x": number}]}, "mark": "point", "encoding": {"x": {"field": "x"}}}


@pytest.mark.parametrize("bad", [GOOD.replace("<path", "<script>alert(1)</script><path"), "half"])
def test_kept_drawing_that_was_spoilt_is_drawn_again(tmp_path, monkeypatch, bad):
    monkeypatch.setattr(drawings_of, "cache_folder", lambda: tmp_path)
    drawn = svg_of(spec_of(1))
    [kept] = tmp_path.iterdir()
    kept.write_text(bad)
    assert svg_of(spec_of(1)) == drawn
    assert why_not_a_drawing(kept.read_text()) == ""


def test_kept_drawing_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(drawings_of, "cache_folder", lambda: tmp_path)
    svg_of(spec_of(2))
    [kept] = tmp_path.iterdir()
    kept.write_text(GOOD)
    assert 'd="M0,0"' in svg_of(spec_of(2))


def test_script_that_was_changed_is_made_again(drawings):
    vega_bundle.cache_clear()  # another test of this process may have made it
    bundle = vega_bundle()
    [kept] = drawings.glob("bundle-*.js")
    kept.write_text("alert(1)")
    vega_bundle.cache_clear()
    assert vega_bundle() == bundle == kept.read_text()


def test_nothing_in_a_library_is_shown_as_a_drawing(library):
    """A stranger's library may bring `.studiolo/cache/figures` along, as earlier versions kept them."""
    made(library, figures=["lines"])
    folder = library / ".studiolo" / "cache" / "figures"
    folder.mkdir(parents=True)
    page = page_of(library)
    assert list(folder.iterdir()) == []
    assert "</svg>" in page


def test_folder_for_drawings_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(drawings_of, "cache_folder", lambda: tmp_path / "file" / "figures")
    svg = svg_of(spec_of(3))
    assert svg.startswith("<svg ")
    assert " style=" not in svg  # a page whose policy allows no inline style shows it as it is


# Claims, questions and checks.

OURS = """
[[claim]]
id = "ours"
by = "us"
like = "claim-0"
says = "We ask this."
controls = ["claim-2"]

[[check]]
id = "it-normalises"
says = "It adds up to one."
run = "curve"
config = { n = 0 }
metric = "ratio"
region = { at_least = 1.5 }
why = "By construction."
statistic = "median"
seeds = 5

[[check]]
id = "it-is-causal"
like = "it-normalises"
says = "It looks only back."
region = { at_least = 3.0 }
"""


@pytest.fixture
def view(library):
    paper = make_paper(library)
    with (paper.folder / "paper.toml").open("a") as file:
        file.write(OURS)
    paper = load_paper(paper.folder)
    make_records(library, paper)
    return load_view(Document(LIST, library / "list.md"), library)


def test_only_sentences_of_the_paper_are_counted(view):
    assert view.tally == [("holds", 2)]
    assert view.papers["made_up"].tally == [("holds", 2)]
    assert (view.honesty.holds, view.honesty.decided) == (2, 2)
    apart = "Counted apart: 1 of 1 question of our own holds, 1 of 2 checks of our code passes."
    assert view.counted_apart == apart
    assert apart in render_html(view)
    assert f"What the papers say: 2 hold. {apart}" in report_markdown(view)


def test_questions_that_were_not_run_are_not_said_to_fail(library):
    paper = make_paper(library)
    with (paper.folder / "paper.toml").open("a") as file:
        file.write(OURS)
    view = load_view(Document(LIST, library / "list.md"), library)
    assert (
        view.counted_apart
        == "Counted apart: 1 question of our own not run, 2 checks of our code not run."
    )


def test_claims_questions_and_checks_stand_apart_and_a_control_in_its_claim(view):
    page = render_html(view)
    order = [
        "All 2 claims of the paper",
        'id="made_up-claim-0"',
        'class="control" id="made_up-claim-2"',
        'id="made_up-claim-1"',
        '<a href="#made_up-claim-2">claim-2</a>, as above',
        "1 question of our own, which",
        'id="made_up-ours"',
        " of our code: true by construction",
        'id="made_up-it-normalises"',
    ]
    places = [page.index(part) for part in order]
    assert places == sorted(places)
    assert '<span class="verdict passes">passes</span>' in page
    assert '<span class="verdict does-not-pass">does not pass</span>' in page
    text = report_markdown(view)
    assert "| It adds up to one. | 2.02 (2 to 2.04) | passes |" in text
    assert (
        text.index("What we ask beyond")
        < text.index("Checks of our code")
        < text.index("Controls,")
    )


def test_json_says_by_whom(view):
    paper = json.loads(report_json(view))["papers"]["made_up"]
    assert [(c["id"], c["by"]) for c in paper["claims"]] == [
        ("claim-0", "paper"), ("claim-1", "paper"), ("ours", "us"),
    ]  # fmt: skip
    assert [(c["id"], c["by"]) for c in paper["checks"]] == [
        ("it-normalises", "code"), ("it-is-causal", "code"),
    ]  # fmt: skip
    assert [c["id"] for c in paper["controls"]] == ["claim-2"]


def test_badge_of_a_check_says_whether_it_passes(view):
    folder = write_report(view).parent / "badges"
    assert "passes · check" in (folder / "made_up-it-normalises.svg").read_text()
    assert "does not pass · check" in (folder / "made_up-it-is-causal.svg").read_text()
    assert "2 hold" in (folder / "made_up.svg").read_text()
