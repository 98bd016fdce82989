"""The feed of a library is Atom as RFC 4287 wants it, and says what happened."""

import os
import re
import xml.etree.ElementTree as ET

import feedparser
import pytest

from studiolo.errors import UsageError
from studiolo.garden import Event, load_events, to_atom
from studiolo.keys import Key
from studiolo.library import READER, Edge, Library, save_edges
from studiolo.report import feed_link
from tests.cli.commands import run

from .test_commits import commit, repository as repository, run as git


ATOM = "{http://www.w3.org/2005/Atom}"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
IRI = re.compile(r"[a-z][a-z0-9+.-]*:[^\s<>\"{}|\\^`]+", re.IGNORECASE)
ONCE = {"id", "title", "updated", "published", "generator", "content", "summary"}


def faults(text):
    """Return what is against the rules of RFC 4287 for the elements that we write; section numbers are its own."""
    root = ET.fromstring(text.encode())
    entries = root.findall(f"{ATOM}entry")
    found = [] if root.tag == f"{ATOM}feed" else ["4.1.1: the root is not a feed"]
    for element in (root, *entries):
        kinds = [child.tag.removeprefix(ATOM) for child in element]
        found += [f"4.1: {name} twice" for name in ONCE if kinds.count(name) > 1]
        found += [f"4.1: no {name}" for name in ("id", "title", "updated") if name not in kinds]
        for child in element:
            name, words = child.tag.removeprefix(ATOM), (child.text or "").strip()
            if name == "id" and not IRI.fullmatch(words):
                found.append(f"4.2.6: {words!r} is not an IRI")
            if name in ("updated", "published") and not MOMENT.fullmatch(words):
                found.append(f"3.3: {words!r} is not a moment")
            if name == "link" and not IRI.fullmatch(child.get("href", "")):
                found.append(f"4.2.7.1: {child.get('href')!r} is not an IRI")
            if name == "category" and not child.get("term"):
                found.append("4.2.2.1: a category without a term")
            if name == "author" and not child.findtext(f"{ATOM}name"):
                found.append("3.2.1: an author without a name")
            if name in ("title", "content") and child.get("type", "text") == "text" and len(child):
                found.append(f"3.1.1.1: {name} is text and has elements")
        has_page = any(
            child.get("rel", "alternate") == "alternate" for child in element.iter(f"{ATOM}link")
        )
        if element is not root and "content" not in kinds and not has_page:
            found.append("4.1.2: neither content nor an alternate link")
    if root.find(f"{ATOM}author") is None:
        found += ["4.1.1: no author"] * any(e.find(f"{ATOM}author") is None for e in entries)
    links = [link.get("rel", "alternate") for link in root.findall(f"{ATOM}link")]
    found += ["4.1.1: several alternate links"] * (links.count("alternate") > 1)
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    found += ["4.1.1: two entries with one id"] * (len(set(ids)) < len(ids))
    return found


def test_rules_find_what_is_wrong():
    wrong = '<feed xmlns="http://www.w3.org/2005/Atom"><id>x y</id><entry><id>urn:a</id><updated>today</updated><link href="/a"/></entry></feed>'
    assert len(faults(wrong)) == 7


HOSTILE = [
    Event("read", "2026-01-02", "A & B <script>alert(1)</script> ]]>", "https://x.org/?a=1&b=\"'"),
    Event("read", "2026-01-02", "\x00\x1b[2J\ud800 \ufffe"),
    Event("added", "not a day", "x" * 10_000),
    Event("added", "2026-01-02T03:04:05+02:00", "", "https://x.org/a b"),
    Event("read", "2026-01-02", "same", of="same"),
    Event("read", "2026-01-02", "same", of="same"),
]


@pytest.mark.parametrize("url", ["", "https://you.example/feed.xml"])
@pytest.mark.parametrize("events", [[], HOSTILE], ids=["empty", "hostile"])
def test_feed_is_valid_whatever_the_titles_are(library, events, url):
    text = to_atom(Library(library), events, url=url)
    assert faults(text) == []
    parsed = feedparser.parse(text.encode())
    assert (parsed.bozo, parsed.version) == (False, "atom10")
    assert len(parsed.entries) == len(events[:-1])


def test_ids_stay_and_the_newest_is_first(library):
    home = Library(library)
    events = [Event("read", f"2026-01-{day:02d}", str(day), of=str(day)) for day in range(1, 29)]
    one, two = (ET.fromstring(to_atom(home, some)) for some in (events[:20], events))
    ids = [{e.findtext(f"{ATOM}id") for e in root.iter(f"{ATOM}entry")} for root in (one, two)]
    assert ids[0] < ids[1]
    assert two.findtext(f"{ATOM}entry/{ATOM}title") == "Read: 28"
    assert two.findtext(f"{ATOM}updated") == "2026-01-28T00:00:00Z"


def test_address_that_is_not_one_is_refused(library):
    with pytest.raises(UsageError, match="is not an address of a feed"):
        to_atom(Library(library), [], url="feed.xml")


def test_events_are_what_was_added_begun_read_and_answered(repository, monkeypatch):
    monkeypatch.chdir(repository)
    (repository / ".studiolo").mkdir()
    text = "# Reading\n\n* [B](https://arxiv.org/abs/2101.00002)\n  * Q: Does it hold?\n    * A: Yes.\n  * Q: And this?\n"
    commit(repository, "2020-01-02", text, name="list.md")
    run("add", "2105.03824", "--title", "FNet", "--section", "Reading")
    run("read", "FNet", "--started")
    run("read", "B")
    events = load_events(Library(repository))
    assert {(event.kind, event.title, event.text) for event in events} == {
        ("added", "B", "On list.md."),
        ("added", "FNet", "On list.md."),
        ("begun", "FNet", ""),
        ("read", "B", ""),
        ("answered", "Does it hold? (on B)", "Yes."),
    }
    [answered] = [event for event in events if event.kind == "answered"]
    assert (answered.at, answered.url) == ("2020-01-02", "https://arxiv.org/abs/2101.00002")
    run("export", "atom", "-o", "feed.xml", "--url", "https://you.example/feed.xml")
    assert faults((repository / "feed.xml").read_text()) == []
    with pytest.raises(UsageError, match="A feed is of the whole library"):
        run("export", "atom", "--notes")


def added(folder):
    events = [event for event in load_events(Library(folder)) if event.kind == "added"]
    return {event.title: event.at for event in events}


A, B, C = (f"* [{name}](https://arxiv.org/abs/2101.0000{n})\n" for n, name in enumerate("ABC", 1))
ROBOT = ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com")


def test_entry_typed_in_an_editor_was_added_by_the_commit_that_first_has_its_link(repository):
    commit(repository, "2020-01-01", A, name="list.md")
    commit(repository, "2020-01-02", A + B, name="list.md")
    commit(repository, "2020-01-03", A.replace("[A]", "[A, renamed]") + B, name="list.md")
    assert added(repository) == {"A, renamed": "2020-01-01", "B": "2020-01-02"}


def test_what_moves_between_lists_or_files_is_not_added_again(repository):
    commit(repository, "2020-01-01", A + B + C, name="README.md")
    commit(repository, "2020-01-02", "# Moved\n", name="README.md")  # gone for a day
    commit(repository, "2020-01-03", A + B + C, name="old name.md")
    (repository / "lists").mkdir()
    (repository / "old name.md").rename(repository / "lists/new – name.md")
    commit(repository, "2020-01-04")
    (repository / "lists/new – name.md").write_text(A)
    commit(repository, "2020-01-05", C + B, name="lists/other.md")
    assert added(repository) == dict.fromkeys("ABC", "2020-01-01")


def test_mention_on_a_page_of_a_topic_is_not_yet_an_entry(repository):
    commit(repository, "2020-01-01", f"# Note\n\nSee {A[2:]}", name="topics/note.md")
    commit(repository, "2020-01-03", A, name="lists/list.md")
    assert added(repository) == {"A": "2020-01-03"}


def test_entry_of_a_program_has_its_day_until_a_person_puts_it_there_anew(repository):
    commit(repository, "2020-01-01", A + B, name="list.md", who=ROBOT)
    commit(repository, "2020-01-02", B, name="list.md")
    commit(repository, "2020-01-03", B + A, name="list.md")
    assert added(repository) == {"A": "2020-01-03", "B": "2020-01-01"}


def test_other_link_to_the_same_paper_is_not_another_entry(repository):
    commit(repository, "2020-01-01", A, name="list.md")
    commit(
        repository,
        "2020-01-02",
        "* [A](https://doi.org/10.48550/arXiv.2101.00001)\n",
        name="list.md",
    )
    commit(repository, "2020-01-03", "* [A](https://doi.org/10.1000/x)\n", name="list.md")
    (repository / ".studiolo").mkdir()
    save_edges(
        Library(repository),
        [Edge(Key.parse("doi:10.1000/x"), Key.parse("arxiv:2101.00001"), "same", "said", READER)],
    )
    assert added(repository) == {"A": "2020-01-01"}


def test_branch_that_was_merged_keeps_its_day(repository):
    commit(repository, "2020-01-01", A, name="list.md")
    git(repository, "checkout", "-q", "-b", "side")
    commit(repository, "2020-01-02", B, name="b.md")
    git(repository, "checkout", "-q", "main")
    commit(repository, "2020-01-03", A + C, name="list.md")
    git(repository, "merge", "-q", "--no-edit", "side", day="2020-01-04")
    assert added(repository) == {"A": "2020-01-01", "B": "2020-01-02", "C": "2020-01-03"}


def test_link_that_no_line_shows_whole_has_the_day_of_its_line(repository):
    text = "* [A][1]\n\n[1]:\n   https://arxiv.org/abs/2101.00001\n"
    commit(repository, "2020-01-01", "* [A][1]\n", name="list.md")
    commit(repository, "2020-01-02", text, name="list.md")
    assert added(repository) == {"A": "2020-01-02"}
    commit(repository, "2020-01-03", text + B, name="list.md")
    assert added(repository)["A"] == "2020-01-02"


def test_library_in_a_folder_of_a_repository(repository):
    commit(repository, "2020-01-01", A, name="list.md")
    commit(repository, "2020-01-02", A, name="own/list.md")
    assert added(repository / "own") == {"A": "2020-01-02"}


@pytest.mark.parametrize("in_git", [True, False])
def test_entry_that_git_does_not_date_keeps_the_day_on_which_it_was_first_seen(
    repository, monkeypatch, in_git
):
    monkeypatch.chdir(repository)
    (repository / ".studiolo").mkdir()
    if in_git:
        commit(repository, "2020-01-01", B, name="list.md")
    page = repository / "list.md"
    page.write_text(A + B)
    os.utime(page, (1.6e9, 1.6e9))  # 2020-09-13
    run("export", "atom", "-o", "feed.xml")
    before = feedparser.parse((repository / "feed.xml").read_bytes()).entries
    page.write_text(A + B + "\nMore words.\n")
    os.utime(page, (1.7e9, 1.7e9))
    run("export", "atom", "-o", "feed.xml")
    after = feedparser.parse((repository / "feed.xml").read_bytes()).entries
    assert [(e.id, e.updated) for e in after] == [(e.id, e.updated) for e in before]
    assert added(repository) == {"A": "2020-09-13", "B": "2020-01-01" if in_git else "2020-09-13"}
    assert [event.is_first_sight for event in load_events(Library(repository))].count(True) == (
        1 if in_git else 2
    )
    lines = (repository / ".studiolo/history.jsonl").read_text().splitlines()
    assert len(lines) == 1
    with pytest.raises(UsageError, match="nothing to undo"):
        run("undo")


def test_entry_of_a_command_is_told_once_by_its_moment_also_when_it_is_committed(
    repository, monkeypatch
):
    monkeypatch.chdir(repository)
    (repository / ".studiolo").mkdir()
    commit(repository, "2020-01-01", "# Reading\n\n" + A, name="list.md")
    run("add", "2105.03824", "--title", "FNet", "--section", "Reading")
    [before] = [event for event in load_events(Library(repository)) if event.title == "FNet"]
    commit(repository, "2020-01-02")
    events = load_events(Library(repository))
    assert [event for event in events if event.title == "FNet"] == [before]
    assert before.of == f"arxiv:2105.03824 {before.at[:10]}"


def test_feed_outside_of_a_library_makes_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.md").write_text(A)
    assert "Added: A" in run("export", "atom")
    assert not (tmp_path / ".studiolo").exists()


def test_page_names_the_feed():
    assert feed_link("feed.xml?a=1&b", 'My "feed" <x>') == (
        '<link rel="alternate" type="application/atom+xml" title="My &#34;feed&#34; &lt;x&gt;" href="feed.xml?a=1&amp;b">'
    )
