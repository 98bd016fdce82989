"""The feed of a library is Atom as RFC 4287 wants it, and says what happened."""

import re
import xml.etree.ElementTree as ET

import feedparser
import pytest

from studiolo.errors import UsageError
from studiolo.garden import Event, load_events, to_atom
from studiolo.library import Library
from studiolo.report import feed_link
from tests.cli.commands import run

from .test_commits import commit, repository as repository


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


def test_page_names_the_feed():
    assert feed_link("feed.xml?a=1&b", 'My "feed" <x>') == (
        '<link rel="alternate" type="application/atom+xml" title="My &#34;feed&#34; &lt;x&gt;" href="feed.xml?a=1&amp;b">'
    )
