"""Search, suggestions, inbox and collecting: from a page that was saved to an entry on the list, and back."""

import html
import json
import re
from urllib.parse import urlencode

import pytest

from studiolo.keys import Key
from studiolo.library import Inbox, Library, load_changes, load_kept, load_waiting, undo
from studiolo.sources import SavedItem, SavedLink

from .inert import acts
from .test_changing import LIST, confirm, diff_of, fields_of, path_of, shown


pytestmark = pytest.mark.usefixtures("no_papers")
ATTENTION = SavedItem("bookmarks", "https://arxiv.org/abs/1706.03762", "Attention Is All You Need", note="the <first> one", tags=("transformers",), saved_at="2021-01-01T00:00:00Z")  # fmt: skip
CAUSAL = SavedItem("bookmarks", "https://arxiv.org/abs/2010.03933", "Causal inference with deep nets", folder=("Causal Inference",), saved_at="2021-02-01T00:00:00Z")  # fmt: skip
PAGE = SavedItem(
    "bookmarks", "https://blog.example/post", "A post", saved_at="2021-03-01T00:00:00Z"
)


@pytest.fixture
def inbox(home):
    Inbox(home).collect([ATTENTION, CAUSAL, PAGE])
    return home


def titles(page):
    found = re.findall(r'<p class="entry"><a[^>]*>(.*?)</a>', page, re.DOTALL)
    return [html.unescape(re.sub("<[^>]+>", "", one)).strip() for one in found]


@pytest.mark.usefixtures("inbox")
def test_inbox_shows_papers_newest_first_and_the_rest_when_asked(client):
    assert titles(client.get("/inbox").text) == [
        "Causal inference with deep nets",
        "Attention Is All You Need",
    ]
    assert titles(client.get("/inbox?all=1").text)[0] == "A post"
    assert titles(client.get("/inbox?tag=Transformers").text) == ["Attention Is All You Need"]
    assert titles(client.get("/inbox?words=causal").text) == ["Causal inference with deep nets"]
    assert titles(client.get("/inbox?words=FIRST+transf").text) == ["Attention Is All You Need"]
    assert "Show 1 other page too" in client.get("/inbox").text


def test_link_leads_to_what_it_is_called(client, home):
    paper = SavedLink("description", "https://arxiv.org/abs/1811.08839")
    Inbox(home).collect(
        [SavedItem("github-stars", "https://github.com/a/mri", "a/mri", links=(paper,))]
    )
    page = client.get("/inbox").text
    chips = re.findall(r'<a class="chip"[^>]* href="([^"]*)">(.*?)</a>', page)
    assert chips == [
        ("https://arxiv.org/abs/1811.08839", "open"),
        ("https://github.com/a/mri", "github:a/mri"),
    ]
    assert "from “a/mri”" in page


def test_tags_of_two_words_stay_as_they_are(client, home):
    one = SavedItem(
        "bookmarks", "https://arxiv.org/abs/1811.08839", "A", tags=("machine learning",)
    )
    Inbox(home).collect([one])
    for typed, tags in (
        ("machine learning", ["machine learning"]),
        ("machine learning, nlp", ["machine learning", "nlp"]),
        ("#nlp vision", ["nlp", "vision"]),
    ):
        page = shown(client, "add", key="arxiv:1811.08839", tags=typed)
        confirm(client, "add", page)
        assert list(load_kept(home.folder)[Key.parse("arxiv:1811.08839")].tags) == tags
        undo(home)


def test_tag_is_asked_by_what_it_means(client, inbox):
    (inbox.state / "tags.toml").write_text('transformers = "sequence-models"\n')
    page = client.get("/inbox?tag=sequence_models").text
    assert titles(page) == ["Attention Is All You Need"]
    assert "sequence-models" in page


def test_thing_goes_where_it_fits_with_the_reason_and_comes_back(client, inbox):
    before = path_of(inbox).read_bytes()
    page = shown(client, "add", key="arxiv:2010.03933")
    assert "you saved it with the folder “Causal Inference”" in html.unescape(page)
    assert any("2010.03933" in line for line in diff_of(page))
    assert path_of(inbox).read_bytes() == before
    assert confirm(client, "add", page).status_code == 303
    text = path_of(inbox).read_text()
    assert text.index("## Causal Inference") < text.index("2010.03933")
    assert titles(client.get("/inbox").text) == ["Attention Is All You Need"]
    confirm(client, "undo", shown(client, "undo"))
    assert path_of(inbox).read_bytes() == before
    assert len(titles(client.get("/inbox").text)) == 2


def test_title_tags_note_state_and_section_can_be_changed_first(client, inbox):
    page = shown(
        client, "add", key="arxiv:1706.03762", title="Attention!", tags="nlp", note="mine", state="read",
        section="To Review > Architecture/theory > Misc",
    )  # fmt: skip
    confirm(client, "add", page)
    text = path_of(inbox).read_text()
    assert "Attention!" in text
    assert "  * mine\n" in text
    assert "the <first> one" not in text
    page = client.get(f"/list/{LIST}?tag=nlp").text
    assert titles(page) == ["Attention!"]
    assert "of 9 entries" in page


@pytest.mark.usefixtures("inbox")
def test_new_section_is_made_for_it(client, inbox):
    page = shown(client, "add", key="arxiv:1706.03762", new_section="To Review > Attention")
    confirm(client, "add", page)
    assert "## Attention\n" in path_of(inbox).read_text()


def test_several_go_at_once_and_come_back_at_once(client, inbox):
    before = path_of(inbox).read_bytes()
    page = shown(client, "take", name=["arxiv:2010.03933", "arxiv:1706.03762"])
    assert "Causal Inference" in page
    confirm(client, "take", page)
    assert path_of(inbox).read_text().count("1706.03762") == 1
    assert titles(client.get("/inbox").text) == []
    assert len(load_changes(Library(inbox.folder))) == 1
    confirm(client, "undo", shown(client, "undo"))
    assert path_of(inbox).read_bytes() == before


def test_several_are_passed_over_at_once(client, inbox):
    page = shown(client, "pass", name=["arxiv:2010.03933", "arxiv:1706.03762"])
    assert "Not shown in the inbox any more: arxiv:2010.03933" in page
    confirm(client, "pass", page)
    assert titles(client.get("/inbox").text) == []
    confirm(client, "undo", shown(client, "undo"))
    assert len(titles(client.get("/inbox").text)) == 2


@pytest.mark.parametrize(
    ("verb", "fields", "says"),
    [
        ("take", {}, "Nothing is selected"),
        ("pass", {"name": "arxiv:2999.1"}, "is not in the inbox any more"),
        ("add", {"key": "nonsense"}, "is not a key"),
        ("add", {"key": "arxiv:2105.03824"}, "is already on the list"),
        ("refuse", {"key": "?"}, "is not a key"),
    ],
)
@pytest.mark.usefixtures("inbox")
def test_what_cannot_be_decided_says_why(client, verb, fields, says):
    answer = client.get(f"/change/{verb}", params=fields)
    assert answer.status_code in (404, 422)
    assert says in html.unescape(answer.text)


def test_search_finds_lists_notes_topics_and_inbox(client, inbox):
    def found(words):
        return titles(client.get("/find", params={"q": words}).text)

    assert any("FNet" in one for one in found("fourier tok"))
    topic = client.get("/find", params={"q": "minimum-norm fit"}).text
    assert 'href="/list/topics/gradient-double-descent.md' in topic
    assert found("all you need") == ["Attention Is All You Need"]
    assert any("FNet" in one for one in found("accelerate pretraining"))
    page = client.get("/find", params={"q": "atention"}).text
    assert "Showing “attention”" in page
    page = client.get("/find", params={"q": "fourier accelerating"}).text
    assert "Mixing Tokens with <mark>Fourier</mark> Transforms" in page
    assert "be used to <mark>accelerate</mark> pretraining?" in page  # a question
    page = client.get("/find", params={"q": "performers rethinking"}).text
    assert (
        "<mark>Performers</mark>: <mark>Rethinking</mark> Attention with <mark>Performers</mark>"
        in page
    )
    asked = "https://arxiv.org/abs/2401.00001"
    assert f"/save?{urlencode({'url': asked})}" in client.get("/find", params={"q": asked}).text
    assert "Nothing was found" in client.get("/find", params={"q": "zzzz"}).text
    assert "year:" in client.get("/find", params={"q": "year:soon"}).text
    assert acts(client.get("/find", params={"q": '<script>"'}).text) == []
    assert client.get("/find", params={"q": "a" * 501}).status_code == 404


def test_search_finds_what_was_written_a_moment_ago(client, home):
    client.get("/find", params={"q": "fourier"})
    confirm(client, "note", shown(client, "note", e=_e(client, "NADE"), text="zebra crossing"))
    for _ in range(200):
        if titles(client.get("/find", params={"q": "zebra"}).text):
            break
    assert titles(client.get("/find", params={"q": "zebra"}).text)


def _e(client, title):
    from .test_changing import entry_named

    return entry_named(client, title)


POOL = [
    ("arxiv:1810.00956", "Challenges of Using Text Classifiers for Causal Inference", ["Zach Wood-Doughty"]),
    ("arxiv:1606.03976", "Kernel methods for causal discovery", ["A. Person"]),
    ("arxiv:2105.03824", "FNet: Mixing Tokens with Fourier Transforms", ["James Lee-Thorp"]),
]  # fmt: skip


@pytest.fixture
def pool(home):
    folder = home.state / "pools"
    folder.mkdir()
    lines = [
        {"key": key, "title": title, "authors": people, "abstract": f"We study {title.lower()}.", "published": "2019-05-01"}
        for key, title, people in POOL
    ]  # fmt: skip
    (folder / "cs.LG.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return home


@pytest.mark.usefixtures("home")
def test_without_a_pool_suggestions_say_what_to_fetch(client):
    assert "studiolo fetch-pool" in client.get("/suggest").text


def test_empty_section_is_offered_something_with_the_words_why(client, pool):
    listed = client.get(f"/list/{LIST}").text
    (link,) = re.findall(r'Nothing here yet\. <a href="([^"]*)"', listed)
    page = client.get(html.unescape(link)).text
    assert titles(page)[0] == POOL[0][1]
    assert "because of" in page
    assert POOL[2][1] not in titles(page)
    add = html.unescape(re.findall(r'data-add="([^"]*)"', page)[0])
    shown_page = client.get(add).text
    assert "1810.00956" in "".join(diff_of(shown_page))
    confirm(client, "add", shown_page)
    assert "1810.00956" in path_of(pool).read_text()


def test_not_for_me_is_not_suggested_again(client, pool):
    page = client.get("/suggest", params={"section": "Causal Inference"}).text
    refuse = html.unescape(re.findall(r'data-remove="([^"]*)"', page)[0])
    confirm(client, "refuse", client.get(refuse).text)
    after = titles(client.get("/suggest", params={"section": "Causal Inference"}).text)
    assert POOL[0][1] not in after
    confirm(client, "undo", shown(client, "undo"))
    assert POOL[0][1] in titles(client.get("/suggest", params={"section": "Causal Inference"}).text)


def test_pasted_text_waits_in_the_inbox(client, room, home):
    answer = client.post(
        "/collect",
        data={"token": room.seal.token, "text": "1706.03762\nhttps://arxiv.org/abs/2010.11929 ViT"},
    )
    assert "new 2" in answer.text
    assert {str(one.key) for one in load_waiting(Library(home.folder)).pending} == {
        "arxiv:1706.03762",
        "arxiv:2010.11929",
    }


def test_dropped_files_are_recognised_and_a_bad_one_keeps_no_other_away(client, room, home):
    bookmarks = '<!DOCTYPE NETSCAPE-Bookmark-file-1><DL><DT><A HREF="https://arxiv.org/abs/1706.03762">A</A></DL>'
    files = [
        ("files", ("../../evil.html", bookmarks)),
        ("files", ("<script>alert(1)</script>.bin", b"\x00\x01\x02")),
        (
            "files",
            ("refs.bib", "@article{a, title={B}, eprint={2010.11929}, archivePrefix={arXiv}}"),
        ),
    ]
    answer = client.post("/collect", data={"token": room.seal.token}, files=files)
    assert "evil.html: bookmarks in HTML" in answer.text
    assert "is not a file that can be collected" in answer.text
    assert "/tmp" not in answer.text
    assert acts(answer.text) == []
    assert {str(one.key) for one in load_waiting(Library(home.folder)).pending} == {
        "arxiv:1706.03762",
        "arxiv:2010.11929",
    }
    assert not (home.folder.parent / "evil.html").exists()


def test_bookmarklet_brings_here_what_one_confirms(client, room, home):
    link = html.unescape(
        re.findall(r'class="bookmarklet" href="([^"]*)"', client.get("/collect").text)[0]
    )
    assert "http://127.0.0.1:8420/save?url=" in link
    page = client.get(
        "/save", params={"url": "https://arxiv.org/abs/1706.03762", "title": "<b>Attention"}
    ).text
    assert acts(page) == []
    assert not load_waiting(Library(home.folder)).pending
    form = re.findall(r'<form[^>]*action="/save".*?</form>', page, re.DOTALL)[0]
    answer = client.post(
        "/save", data={**fields_of(form), "title": "Attention", "note": "read soon"}
    )
    assert answer.headers["location"] == "/change/add?key=arxiv%3A1706.03762"
    (one,) = load_waiting(Library(home.folder)).pending
    assert (one.title, one.notes) == ("Attention", ("read soon",))
    on_list = client.get("/save", params={"url": "https://arxiv.org/abs/2105.03824"}).text
    assert "It is on your list already" in on_list


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "x", "http://a\x00b"]
)
def test_only_web_addresses_are_saved(client, room, url):
    assert client.get("/save", params={"url": url}).status_code == 404
    assert client.post("/save", data={"token": room.seal.token, "url": url}).status_code == 422


def test_hostile_things_are_shown_as_text(client, home):
    evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
    Inbox(home).collect(
        [SavedItem("bookmarks", f"https://arxiv.org/abs/17{n:02}.03762", evil, note=evil, tags=(evil,), folder=(evil,)) for n in (1, 2)]
        + [SavedItem("bookmarks", "javascript:alert(1)//https://arxiv.org/abs/1803.00001", evil)]
    )  # fmt: skip
    for path in (
        "/inbox?all=1",
        "/find?q=script",
        "/change/add?key=arxiv:1701.03762",
        "/paper/arxiv:1701.03762",
        "/suggest?tag=%3Cscript%3E",
    ):
        page = client.get(path).text
        assert acts(page) == [], path
    assert "&lt;script&gt;" in client.get("/inbox").text
