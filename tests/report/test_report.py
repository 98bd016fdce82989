import io
import json
import re
import time

import numpy as np
import pytest

from studiolo import runs
from studiolo.claims import Interval, Region
from studiolo.index import Row
from studiolo.keys import Key
from studiolo.library.reading import Kept, save_kept
from studiolo.lists import Document
from studiolo.report import (
    html,
    load_view,
    note_seen,
    render_html,
    report_json,
    report_markdown,
    write_report,
    write_site,
)
from studiolo.report.pictures import badge, interval_strip
from studiolo.report.view import share_of
from studiolo.runs import Machine
from studiolo.runs.evidence import results_folder
from studiolo.runs.machine import save_machine
from studiolo.runs.records import load_records, record_files, save_content

from .synthetic import make_paper, make_records


LIST = """# My list

Some words.

# To Review

## Theory

* [A made-up paper](https://arxiv.org/abs/2001.00001)
  * a note
  * Q: Does it hold?
* [A stranger](https://arxiv.org/abs/2001.00099) https://github.com/someone/code

## Causal Inference
"""
ANSWER = """
[[answer]]
work = "arxiv:2001.00001"
question = "does it hold"
says = "It does, on this toy."
claims = ["claim-0"]
"""


@pytest.fixture
def view(library):
    paper = make_paper(library)
    with (paper.folder / "paper.toml").open("a") as file:
        file.write(ANSWER)
    make_records(library, paper)
    return load_view(Document(LIST.encode(), library / "list.md"), library)


def test_list_is_shown_in_file_order_with_its_empty_section(view):
    assert [section.path for section in view.sections] == [
        ("To Review", "Theory"),
        ("To Review", "Causal Inference"),
    ]
    page = render_html(view)
    assert page.index(">A made-up paper</a>") < page.index("A stranger")
    assert page.index("A stranger") < page.index(">Causal Inference</h2>")
    assert "No entry here yet." in page


def test_question_has_its_answer_under_it_with_verdict_and_scale(view):
    page = render_html(view)
    question = page.index("Does it hold?")
    assert question < page.index("It does, on this toy.") < page.index("A stranger")


def test_what_cannot_run_is_said_once_at_the_top(view):
    page = render_html(view)
    assert view.readiness == (
        "1 of 2 entries can run; code is linked for 1 of the others; "
        "start one with: studiolo new-paper arxiv:2001.00099"
    )
    shown = view.readiness.replace("studiolo new", "<code>studiolo new") + "</code>"
    assert page.count("new-paper") == page.count(shown) == 1


def test_what_is_kept_beside_the_list_is_shown(library):
    text = "# Papers\n\n* [A stranger](https://arxiv.org/abs/2001.00099)\n  * Q: Why?\n    * A: Because.\n"
    key = Key.parse("arxiv:2001.00099")
    save_kept(library, [Kept(key, state="read", notes=("worth a second look",))])
    view = load_view(Document(text.encode(), library / "list.md"), library)
    page = render_html(view)
    assert '<span class="state">read</span>' in page
    assert "worth a second look" in page
    assert "Because." in page
    assert "Nobody has answered" not in page


def test_further_links_of_an_entry_can_be_followed(view):
    assert (
        'href="https://github.com/someone/code" rel="noreferrer">someone/code</a>'
        in render_html(view)
    )


def test_nothing_is_green_without_a_record(library):
    make_paper(library)
    view = load_view(Document(LIST.encode(), library / "list.md"), library)
    page = render_html(view)
    assert 'class="verdict holds"' not in page
    assert 'class="verdict not-run"' in page


def test_control_is_shown_apart_from_the_claims(view):
    paper = view.papers["made_up"]
    assert [claim.id for claim in paper.controls] == ["claim-2"]
    assert dict(paper.counts) == {"holds": 2}
    assert paper.verdicts["claim-2"].word == "does not hold"


def test_honesty_box_counts_what_a_reader_must_know(view):
    honesty = view.honesty
    assert (honesty.holds, honesty.total) == (2, 15)
    assert honesty.wrong_holds == pytest.approx(0.1)
    assert honesty.recalled == [("made_up", "claim-1")]
    page = render_html(view)
    assert "Of the 2 claims that were decided, 2 hold, and at most 0.1 are expected" in page


def test_column_of_a_gpu_shows_what_it_measured_and_nothing_else(library):
    """A machine that was lent for its GPU decides a few claims; under the others it says nothing."""
    paper = make_paper(library)
    make_records(library, paper)
    gpu = Machine("Some CPU", 16, 126, "Some GPU", 80, "580.1")
    [path] = record_files(library / ".studiolo" / "results" / "made_up")
    lines = [
        line for line in path.read_text().splitlines() if json.loads(line)["rules"].get("claim-0")
    ]
    save_machine(paper.folder / "results", gpu)
    (paper.folder / "results" / f"{gpu.slug}.jsonl").write_text("\n".join(lines) + "\n")
    path.unlink()
    claims = paper.folder / "paper.toml"
    claims.write_text(
        claims.read_text().replace('id = "claim-1"', 'id = "claim-1"\nneeds = ["cuda"]', 1)
    )
    page = render_html(load_view(Document(LIST.encode(), library / "list.md"), library))
    assert "not testable here" in page
    assert '<p class="meta elsewhere">On Some CPU, 16 cores, 126 GiB, Some GPU: ' in page
    shown = re.findall(r'<p class="meta">Some CPU, 16 cores, 126 GiB, Some GPU: (.*?)</p>', page)
    assert shown
    assert all("holds" in one for one in shown)
    assert "not run" not in " ".join(shown)


def test_busy_dirty_and_second_rules_are_said(library):
    paper = make_paper(library)
    make_records(library, paper, dirty=True, cpu_s=0.1)
    document = Document(LIST.encode(), library / "list.md")
    assert note_seen(load_view(document, library)) == []
    path = paper.folder / "paper.toml"
    path.write_text(path.read_text().replace("at_least = 1.5", "at_least = 1.4"))
    view = load_view(document, library)
    slug, id, what = view.honesty.rules[0]
    assert (slug, id) == ("made_up", "claim-0")
    assert what.startswith("second rule tried. Before: holds (20")
    assert "region: at least 1.5 -> at least 1.4" in what
    assert (view.honesty.busy, view.honesty.dirty) == (15, 15)
    page = render_html(view)
    assert "second rule tried" in page
    assert "rule changed after results: set series = 1; second rule tried" in page
    assert "15 of 15 records were measured on a busy machine" in page
    claims = json.loads(report_json(view))["papers"]["made_up"]["claims"]
    assert {claim["tried"] for claim in claims} == {2}
    assert "second rule tried" in report_markdown(view)
    write_report(view)
    badge_of = library / ".studiolo" / "report" / "badges" / "made_up-claim-0.svg"
    assert "inconclusive, second rule tried" in badge_of.read_text()


def test_claim_that_nobody_changed_carries_no_mark(library):
    paper = make_paper(library)
    make_records(library, paper)
    document = Document(LIST.encode(), library / "list.md")
    first = load_view(document, library)
    assert note_seen(first) == []
    for view in (first, load_view(document, library)):
        assert view.honesty.rules == []
        assert {v.note for v in view.papers["made_up"].verdicts.values()} == {""}
    assert first.honesty.folders == [("made_up", "the rules of this folder have no history")]


def test_figure_has_title_description_table_and_theme(view):
    page = render_html(view, live=False)
    assert 'aria-label="A curve that falls."' in page
    assert "<strong>Figure 0.</strong>" in page
    assert "Median of 5 seeds, with its 90 % interval" in page
    assert "var(--series-1)" in page
    assert "#0102a1" not in page
    assert '<th scope="col">size n</th>' in page


def test_page_without_the_packages_for_figures_says_so(view, monkeypatch):
    monkeypatch.setattr(html, "find_spec", lambda name: None)
    page = render_html(view)
    assert "The figures are not drawn" in page
    assert 'class="plot ' not in page
    assert 'class="verdict holds"' in page


@pytest.mark.parametrize("kind", ["lines", "points", "heatmap", "gallery"])
def test_every_kind_of_figure_is_drawn(library, kind):
    paper = make_paper(library, figures=[kind])
    make_records(library, paper, points=30)
    page = render_html(load_view(Document(LIST.encode(), library / "list.md"), library))
    assert page.count("data:image/png") == 6 if kind == "gallery" else 'class="plot ' in page


def test_static_page_has_no_script(view):
    page = render_html(view, live=False)
    assert "<script" not in page.replace("&lt;script", "")
    assert "script-src" not in page


def test_live_page_names_its_own_script_and_no_other(view):
    page = render_html(view)
    assert re.search(r"script-src &#39;sha256-|script-src 'sha256-", page)
    assert "unsafe-eval" not in page


def test_code_of_the_paper_is_text(view):
    page = render_html(view)
    assert "<script>alert(1)</script>" not in page
    assert "&lt;b&gt;bold" in page


def test_json_says_the_same(view):
    data = json.loads(report_json(view), parse_constant=pytest.fail)
    claims = data["papers"]["made_up"]["claims"]
    assert [c["verdict"] for c in claims] == ["holds", "holds"]
    assert claims[0]["interval"][0] == pytest.approx(2.02)
    assert data["entries"][0]["paper"] == "made_up"


def test_markdown_fits_into_a_readme(library):
    paper = make_paper(library, says="A | B <script> `code`")
    make_records(library, paper)
    text = report_markdown(load_view(Document(LIST.encode(), library / "list.md"), library))
    rows = [line for line in text.splitlines() if line.startswith("| A")]
    assert len(rows) == 3
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}
    assert "<script>" not in text
    before, start, _ = text.partition("Measured on")
    assert start
    assert before.endswith((". ", "`. "))


def test_split_report_is_an_index_and_a_page_per_paper_that_name_no_local_path(view, library):
    index = write_site(view, library / "site")
    pages = {path.name: path.read_text() for path in (library / "site").glob("*.html")}
    assert set(pages) == {"index.html", "made_up.html"}
    assert index == library / "site" / "index.html"
    assert 'href="made_up.html#made_up-claim-0"' in pages["index.html"]
    assert 'id="made_up-claim-0"' in pages["made_up.html"]
    assert 'id="made_up-claim-0"' not in pages["index.html"]
    assert "Of the 2 claims that were decided" in pages["made_up.html"]
    for page in pages.values():
        assert str(library) not in page
        assert "file:" not in page
    assert "script-src 'self'" in plain(pages["made_up.html"])
    assert "script-src" not in pages["index.html"]
    assert (library / "site" / "figures.js").stat().st_size > 1e5
    assert (library / "site" / "badges" / "made_up.svg").exists()


def plain(page):
    return page.replace("&#39;", "'")


def test_split_report_of_a_second_list_of_the_same_name_has_its_own_folder(view, library):
    (library / "list.md").write_bytes(b"* x\n")
    other = library / "other"
    other.mkdir()
    (other / "list.md").write_bytes(b"* y\n")
    second = load_view(Document.load(other / "list.md"), library)
    assert write_site(view).parent.name == "list"
    assert write_site(view).parent.name == "list"
    assert write_site(second).parent.name.startswith("list-")


def test_long_list_folds_its_notes_and_a_short_one_does_not(library):
    def page_of(number):
        items = (
            f"* [P {i}](https://arxiv.org/abs/2101.{i:05d})\n  * a note\n" for i in range(number)
        )
        document = Document(("# L\n\n" + "".join(items)).encode(), library / "list.md")
        return render_html(load_view(document, library))

    assert page_of(60).count("<summary>1 note</summary>") == 0
    assert page_of(61).count("<summary>1 note</summary>") == 61


def test_badges_are_written_for_papers_and_claims(view, library):
    write_report(view)
    badges = sorted(p.name for p in (library / ".studiolo" / "report" / "badges").iterdir())
    assert badges == ["made_up-claim-0.svg", "made_up-claim-1.svg", "made_up.svg"]
    assert "holds · toy" in (library / ".studiolo/report/badges/made_up-claim-0.svg").read_text()


def test_badge_is_text_whatever_the_label():
    assert "&lt;script&gt;" in badge("<script>", "holds")


def test_strip_shades_the_region_and_marks_the_interval():
    strip = interval_strip(Region("at_least", (1.5,)), Interval(2.0, 1.8, 2.2))
    left = float(re.search(r'class="agrees" x="([\d.]+)"', strip)[1])
    start = float(re.search(r'line x1="([\d.]+)"', strip)[1])
    assert left < start
    assert "agrees if at least 1.5" in strip


@pytest.mark.slow
def test_nine_papers_with_sixty_claims_and_forty_figures_are_small_and_fast(library):
    lines = ["# Many"]
    for number in range(9):
        figures = ["lines", "heatmap", "lines", "gallery"] + (["points"] if number < 4 else [])
        paper = make_paper(library, f"paper_{number}", number, claims=7, figures=figures)
        make_records(library, paper, points=500)
        lines.append(f"* https://arxiv.org/abs/2001.{number:05d}")
    document = Document("\n".join(lines).encode(), library / "list.md")
    started = time.process_time()
    page = write_report(load_view(document, library))
    assert time.process_time() - started < 15
    assert page.stat().st_size < 6e6


@pytest.mark.slow
def test_list_of_five_thousand_entries_is_rendered_in_three_seconds(library):
    items = (
        f"* [Paper {i}](https://arxiv.org/abs/2101.{i:05d})\n  * note {i}\n" for i in range(5000)
    )
    document = Document(("# Long\n\n" + "".join(items)).encode(), library / "list.md")
    started = time.process_time()
    write_report(load_view(document, library))
    assert time.process_time() - started < 3


def test_an_empty_section_shows_what_was_fetched_and_the_list_stays_as_it_is(tmp_path, monkeypatch):
    rows = [
        Row(key="arxiv:2106.00001", title="Causal inference <b>now</b>", url="javascript:alert(1)"),
        Row(key="arxiv:2106.00002", title="On causal inference", url="https://arxiv.org/abs/2106.00002"),
    ]  # fmt: skip
    monkeypatch.setattr("studiolo.library.finding.pool_rows", lambda library: iter(rows))
    text = b"# List\n\n## Full\n\n* [A paper](https://arxiv.org/abs/2101.00001)\n\n## Causal Inference\n"
    path = tmp_path / "list.md"
    path.write_bytes(text)
    view = load_view(Document.load(path), tmp_path)
    assert {line: len(found) for line, found in view.suggestions.items()} == {7: 2}
    page = render_html(view)
    assert "Suggested by the heading from what was fetched; not on the list:" in page
    assert "Causal inference &lt;b&gt;now&lt;/b&gt;" in page
    assert "javascript:alert" not in page
    assert 'href="https://arxiv.org/abs/2106.00002"' in page
    assert path.read_bytes() == text


def test_without_a_pool_nothing_is_suggested(tmp_path):
    (tmp_path / "list.md").write_bytes(b"# List\n\n## Causal Inference\n")
    view = load_view(Document.load(tmp_path / "list.md"), tmp_path)
    assert view.suggestions == {}
    assert "Suggested" not in render_html(view)


def test_kept_records_leave_out_the_pictures_that_no_gallery_shows(library):
    """A gallery shows its first seed; what curves need of the others is kept."""
    paper = make_paper(library, figures=("gallery", "lines"))
    make_records(library, paper)
    folder = results_folder(library, paper)
    [path] = record_files(folder)
    lines = []
    for line in path.read_text().splitlines():
        record = json.loads(line)
        rng = np.random.default_rng(record["index"])
        arrays = dict(np.load(folder / "arrays.npz")) | {"pictures": rng.random((6, 8, 8))}
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        record["arrays"] = save_content(folder, content.getvalue(), ".npz")
        lines.append(json.dumps(record))
    path.write_text("\n".join(lines) + "\n")
    damaged = load_records(path)[4].arrays
    (folder / damaged).write_bytes(b"PK damaged")
    kept = runs.save_reference(paper, library)
    records = [r for r in load_records(kept) if r.arrays and r.config == paper.figures[0].config]
    assert (kept.parent / records.pop().arrays).read_bytes() == b"PK damaged"
    names = [set(np.load(kept.parent / r.arrays).files) for r in records]
    assert len(names) > 1
    assert {"pictures", "captions"} <= names[0]
    assert all({"x", "y"} <= one and not {"pictures", "captions"} & one for one in names[1:])
    figure = dict(np.load(kept.parent / records[1].arrays))
    assert figure["y"].tolist() == dict(np.load(folder / "arrays.npz"))["y"].tolist()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_counts_are_english_whatever_the_number(library, number):
    paper = make_paper(library, claims=number + 1)
    if number:
        make_records(library, paper)
    text = "\n".join(f"* [T](https://arxiv.org/abs/2001.0000{n})" for n in range(1, number + 1))
    view = load_view(Document(text.encode(), library / "list.md"), library)
    said = report_markdown(view) + re.sub(r"<[^>]*>", "", render_html(view))
    assert not re.findall(r"\b1 (?:claims|questions|checks|seeds|records|entries|values)\b", said)
    assert not re.findall(r"\b(?:0|[2-9]) (?:claim|question|check|seed|record|entry|value)\b", said)
    honest = {
        0: "No claim was decided.\n",
        1: "Of the 1 claim that was decided, 1 holds, and at most 0.1 ",
        2: "Of the 2 claims that were decided, 2 hold, and at most 0.1 ",
    }
    assert honest[number] in said


def test_share_has_the_verb_of_its_number():
    shares = [(0, 1), (1, 1), (0, 2), (1, 2), (2, 2)]
    assert [share_of(part, whole, "claim", "holds", "hold") for part, whole in shares] == [
        "0 of 1 claim holds", "1 of 1 claim holds", "0 of 2 claims hold", "1 of 2 claims holds", "2 of 2 claims hold",
    ]  # fmt: skip
