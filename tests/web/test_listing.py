"""The list page: the file in its order, filters with addresses, pages, exports, and edits made meanwhile."""

import json
import re
import shutil
import time

import pytest
from starlette.testclient import TestClient

from studiolo.web.app import app_of
from studiolo.web.room import room_for

from .conftest import EXAMPLE, HOST


LIST = "/list/lists/recent-ml-research.md"


def order(text, *words):
    places = [text.index(word) for word in words]
    assert places == sorted(places), list(zip(words, places, strict=True))


def titles(html):
    found = re.findall(r'<p class="entry"><a href="[^"]*">(.*?)</a>', html, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", one).strip() for one in found]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A reader of the bundled library, which these tests leave as it is."""
    folder = tmp_path_factory.mktemp("library")
    (folder / ".studiolo").mkdir()
    for part in ("lists", "topics"):
        shutil.copytree(EXAMPLE / part, folder / part)
    return TestClient(app_of(room_for(folder)), base_url=HOST, follow_redirects=False)


def test_first_page_is_the_main_list(client):
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, LIST)


def test_page_is_the_file_in_its_order(client):
    text = client.get(LIST).text
    order(
        text,
        "<h1>Recent ML Research</h1>",
        "Articles I want to read",
        ">To Review <a class",
        "More Data Can Hurt",
        "NADE",
        "What Do Compressed",
        "deficient-efficient",
        "Transformers <a class",
        "FNet",
        "Google Research",
        "Could this be used to accelerate pretraining?",
        "ExpireSpan",
        "Causal Inference</h",
        "Nothing here yet.",
    )


def test_entry_shows_code_talk_with_its_time_and_topic(client):
    text = client.get(LIST).text
    assert (
        'href="https://www.youtube.com/watch?v=JJR3pBl78zw&amp;t=1297s" rel="noreferrer">talk at 21:37<'
        in text
    )
    assert ">facebookresearch/transformer-sequential<" in text
    assert 'class="chip page" href="/list/topics/gradient-double-descent.md"' in text
    topic = client.get("/list/topics/gradient-double-descent.md").text
    assert "<h2>1. What gradient descent ends at, over samples</h2>" in topic
    assert 'href="../lists/recent-ml-research.md"' in topic


def test_question_has_its_answer(client):
    text = client.get(LIST).text
    order(text, "Could this be used to accelerate pretraining?", 'class="answer"')
    assert "/paper/arxiv:2105.03824#fnet-" in text


def test_outline_counts_what_is_in_and_below_each_section(client):
    text = client.get(LIST).text
    outline = text[
        text.index('<nav class="outline"') : text.index(
            "</nav>", text.index('<nav class="outline"')
        )
    ]
    found = re.findall(r'#s\d+">([^<]+)</a> <span class="n">(\d*)<', outline)
    assert found == [
        ("To Review", "8"), ("Architecture/theory", "8"), ("Misc", "2"),
        ("Model Compression / Compressed learning", "2"), ("Transformers", "4"), ("Causal Inference", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("words=fourier", 1),
        ("words=attention", 3),
        ("year=2021", 1),
        ("year=2016..2019", 3),
        ("has=question", 1),
        ("has=code", 2),
        ("has=claims&words=nade", 1),
        ("state=to+read", 8),
        ("state=read", 0),
        ("section=To+Review+%3E+Architecture%2Ftheory+%3E+Misc", 2),
        ("source=list", 8),
    ],
)
def test_view_has_an_address_and_an_export(client, query, number):
    text = client.get(f"{LIST}?{query}").text
    assert len(titles(text)) == number
    exported = json.loads(client.get(f"/list/lists/recent-ml-research.md?format=json&{query}").text)
    assert len(exported) == number
    (export,) = re.findall(r'href="(/list/[^"]*format=bibtex[^"]*)"', text)
    assert client.get(export.replace("&amp;", "&")).text.count("\n@") + bool(number) >= number
    assert f"{number} of 8 entries" in text


def test_exports_are_files_without_notes_unless_asked(client):
    answer = client.get("/list/lists/recent-ml-research.md?format=bibtex")
    assert answer.headers["content-disposition"] == 'attachment; filename="recent-ml-research.bib"'
    assert "Google Research" not in answer.text
    assert (
        "Google Research"
        in client.get("/list/lists/recent-ml-research.md?format=json&notes=1").text
    )
    assert client.get("/list/lists/recent-ml-research.md?format=exe").status_code == 404


def big(number):
    lines = ["# Big\n"]
    for n in range(number):
        if n % 100 == 0:
            lines.append(f"\n## Section {n // 100}\n\n")
        lines.append(
            f'* ["Learning structured representations of number {n}" - {2010 + n % 15} - Ada Lovelace, Alan Turing -]'
            f"(https://arxiv.org/abs/{2001 + n % 12:04}.{n:05})\n  * https://github.com/someone/repo{n}\n"
            f"  * a note about attention and kernels, {n}\n"
        )
    return "".join(lines)


def test_long_list_comes_in_pages_that_lose_nothing(library):
    (library / "big.md").write_text(big(250))
    client = TestClient(app_of(room_for(library)), base_url=HOST)
    pages = [client.get(f"/list/big.md?page={n}").text for n in (1, 2, 3)]
    assert [len(titles(page)) for page in pages] == [100, 100, 50]
    assert len({one for page in pages for one in titles(page)}) == 250
    assert "Page 1 of 3" in pages[0]
    assert re.search(r'href="/list/big.md\?page=2#s\d+">Section 1<', pages[0])
    assert "Section 1 <a class" in pages[1]
    assert "Section 1 <a class" not in pages[0]
    (path := library / "big.md").write_text(big(250).replace("\n## Section 1\n\n", ""))
    time.sleep(0.25)
    assert path.exists()
    assert "Big › Section 0, continued" in client.get("/list/big.md?page=2").text
    for wrong in ("4", "0", "-1", "x", "٢", "1e3", "9" * 50):
        assert client.get("/list/big.md", params={"page": wrong}).status_code == 404


def test_first_page_of_many_entries_is_small(library):
    (library / "big.md").write_text(big(700))
    client = TestClient(app_of(room_for(library)), base_url=HOST)
    assert len(client.get("/list/big.md").content) < 300_000


@pytest.fixture
def small(library):
    (library / "list.md").write_text("# L\n\n* [A](https://arxiv.org/abs/2101.00001)\n")
    return TestClient(app_of(room_for(library)), base_url=HOST), library / "list.md"


def test_what_an_editor_writes_is_shown_at_once(small):
    client, path = small
    assert "A new paper" not in client.get("/list/list.md").text
    stamp = client.get("/now").json()["stamp"]
    path.write_bytes(path.read_bytes() + b"* [A new paper](https://arxiv.org/abs/2101.00002)\n")
    end = time.monotonic() + 1
    while "A new paper" not in client.get("/list/list.md").text:
        assert time.monotonic() < end
    assert client.get("/now").json()["stamp"] != stamp


def test_unchanged_page_is_not_sent_again(small):
    client, path = small
    first = client.get("/list/list.md")
    again = client.get("/list/list.md", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    path.with_name("new.md").write_text("# New\n")
    time.sleep(0.25)
    assert (
        client.get("/list/list.md", headers={"if-none-match": first.headers["etag"]}).status_code
        == 200
    )


def test_fragment_is_the_middle_of_the_page(client):
    whole, middle = client.get(LIST).text, client.get(LIST, headers={"x-fragment": "1"}).text
    assert "<html" in whole
    assert "<html" not in middle
    assert "FNet" in middle


def test_library_without_lists_says_how_to_begin(library):
    client = TestClient(app_of(room_for(library)), base_url=HOST)
    assert "Nothing to read yet" in client.get("/").text


def test_file_that_is_not_utf8_is_shown_and_said_to_be_left_alone(library):
    (library / "old.md").write_bytes(b"# Caf\xe9\n\n* [A](https://arxiv.org/abs/2101.00001) \xff\n")
    client = TestClient(app_of(room_for(library)), base_url=HOST)
    assert "never written" in client.get("/list/old.md").text


def test_table_and_nested_entries_are_lines_too(library):
    (library / "list.md").write_text(
        "# L\n\n| paper | year |\n| --- | --- |\n| [A](https://arxiv.org/abs/2101.00001) | 2021 |\n\n"
        "* Kernels, old and new\n  * [B](https://arxiv.org/abs/2101.00002)\n  * [C](https://arxiv.org/abs/2101.00003)\n"
    )
    text = TestClient(app_of(room_for(library)), base_url=HOST).get("/list/list.md").text
    assert titles(text) == ["A", "Kernels, old and new", "B", "C"]


def test_no_entry_of_a_list_is_lost_on_its_page(library):
    """Every entry of a list of any shape is one line of its page."""
    from studiolo.lists import Document

    text = "# L\n\npara [A](https://arxiv.org/abs/2101.00001)\n\n> * [B](https://arxiv.org/abs/2101.00002)\n\n1. x\n   1. [C](https://arxiv.org/abs/2101.00003)\n      * [D](https://arxiv.org/abs/2101.00004)\n\n<details>\n\n- [E](https://arxiv.org/abs/2101.00005)\n\n</details>\n"
    (library / "list.md").write_text(text)
    page = TestClient(app_of(room_for(library)), base_url=HOST).get("/list/list.md").text
    assert titles(page) == [entry.title for entry in Document(text.encode()).entries]


def test_page_that_is_not_there_and_a_filter_that_means_nothing_say_so_and_lead_on(client):
    gone = client.get("/list/nothing.md").text
    assert "There is no such page" in gone
    assert '<a href="/">To the list</a>' in gone
    wrong = client.get(f"{LIST}?year=abc").text
    assert "That did not work" in wrong
    assert f'<a href="{LIST}">To the list</a>' in wrong
