"""The desk decides and writes nothing: a plan says every byte of what it would change."""

import json

import pytest

from studiolo.errors import ListError, UsageError
from studiolo.keys import Key
from studiolo.library import (
    Inbox,
    Library,
    Listed,
    Proposal,
    carry_out,
    desk,
    find_entries,
    find_entry,
    load_waiting,
    sections_of,
    undo,
)
from studiolo.library.items import item_of
from studiolo.lists import Document, Item
from studiolo.sources import SavedItem, SavedLink


LIST = """# Reading

## To Review

* FNet - [FNet: Mixing Tokens](https://arxiv.org/abs/2105.03824)
* A thought without a link

## Read

* [Deep Double Descent](https://arxiv.org/abs/1912.02292)
"""
REPO = "https://github.com/google-research/fnet"
BADGE = SavedLink("badge", "https://arxiv.org/abs/2105.03824")


@pytest.fixture
def library(tmp_path):
    (tmp_path / ".studiolo").mkdir()
    (tmp_path / "list.md").write_text(LIST)
    return Library(tmp_path)


def document(library):
    return Document.load(library.folder / "list.md")


def listed(library, word):
    return find_entry(word, [document(library)])


def added(plan):
    return [line for line in plan.diff() if line.startswith(("+", "-"))]


def waiting_for(library, *things):
    Inbox(library).collect(things)
    return load_waiting(library)


def everything_in(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_plans_write_nothing(library):
    inbox = waiting_for(library, SavedItem("bookmarks", REPO, "fnet", links=(BADGE,)))
    before = everything_in(library.folder)
    entry = listed(library, "FNet")
    desk.note(library, entry, "n")
    desk.mark(library, entry, "read")
    desk.mark(library, entry, "reading")
    desk.move(library, entry, "Read")
    desk.pass_over(inbox.pending[0])
    desk.add(library, inbox, desk.thing_to_add(inbox, "arxiv:1706.03762"), title="T")
    for place in desk.proposals(inbox, inbox.pending[0], document(library)):
        desk.put(library, inbox, inbox.pending[0], document(library), place)
    assert everything_in(library.folder) == before


def test_note_shows_its_line_and_says_where(library):
    plan = desk.note(library, listed(library, "FNet"), " compare  with\nHartley ")
    assert added(plan) == ["+  * compare with Hartley"]
    assert (plan.what, plan.done) == ("note on FNet", f"Noted below FNet in {plan.path}")
    assert [kept.key for kept in plan.keeping] == [Key("arxiv", "2105.03824")]
    with pytest.raises(UsageError, match="The note is empty"):
        desk.note(library, listed(library, "FNet"), " \n")


def test_note_that_the_list_has_no_place_for_is_kept_beside_it(library):
    (library.folder / "list.md").write_text(
        "|Paper|\n|-|\n|[A](https://arxiv.org/abs/2101.00001)|\n|b|\n"
    )
    plan = desk.note(library, listed(library, "A"), "n")
    assert (plan.path, plan.edits, plan.keeping[0].notes) == (None, (), ("n",))
    assert plan.done.endswith("reading.jsonl.")
    with pytest.raises(ListError, match="that has no column for notes"):
        desk.note(library, listed(library, "b"), "n")


TABLES = """# S

|Paper|Year|Notes|
|-|-|-|
|[A](https://arxiv.org/abs/2101.00001)|2021|mine|

# T

|Paper|
|-|
|[B](https://arxiv.org/abs/2101.00002)|
"""


def test_what_a_table_has_no_column_for_is_kept_beside_or_written_below_it(library):
    (library.folder / "list.md").write_text(TABLES)
    below = desk.note(library, listed(library, "B"), "# n", below=True)
    assert below.after.data.decode() == TABLES + "\nB: \\# n\n"
    moved = desk.move(library, listed(library, "A"), "T")
    assert moved.keeping[0].notes == ("Year: 2021", "Notes: mine")
    assert moved.done.endswith(
        f"Its table has no column for Year: 2021 and Notes: mine: kept in {library.state / 'reading.jsonl'}"
    )
    assert moved.after.data.decode().endswith(
        "(https://arxiv.org/abs/2101.00002)|\n|[A](https://arxiv.org/abs/2101.00001)|\n"
    )
    moved = desk.move(library, listed(library, "A"), "T", below=True)
    assert moved.after.data.decode().endswith("\n\nA: Year: 2021; Notes: mine\n")
    assert not any(kept.notes for kept in moved.keeping)


def test_notes_on_a_new_row_without_a_column_are_kept_beside_it(library):
    (library.folder / "list.md").write_text(TABLES)
    item = Item("C", "https://arxiv.org/abs/2101.00003", notes=("a note",))
    for section, kept in (("T", ("a note",)), ("S", None)):
        plan = desk.plan_entry(document(library), item, Proposal((section,), "", 1.0))
        assert [one.notes for one in plan.keeping] == ([kept] if kept else [])
    assert "+|[C](https://arxiv.org/abs/2101.00003)||a note|" in added(plan)


def test_state_goes_where_the_list_shows_it_and_else_beside_it(library):
    read = desk.mark(library, listed(library, "FNet"), "read")
    assert "+* FNet - [FNet: Mixing Tokens](https://arxiv.org/abs/2105.03824)" in added(read)
    assert (read.what, read.done) == ("read FNet", f"FNet: read ({read.path})")
    begun = desk.mark(library, listed(library, "FNet"), "reading")
    assert (begun.path, begun.keeping[-1].state) == (None, "reading")
    assert begun.done == f"FNet: reading ({library.state / 'reading.jsonl'})"
    assert begun.keeping[-1].since


def test_state_that_nothing_can_hold_is_refused(library):
    with pytest.raises(UsageError, match="'unread' is not a reading state"):
        desk.mark(library, listed(library, "FNet"), "unread")
    with pytest.raises(UsageError, match="has no link, and the list does not show reading states"):
        desk.mark(library, listed(library, "A thought"), "reading")


def test_what_services_said_is_kept_with_the_state(library):
    facts = {"key": "arxiv:2105.03824", "title": "FNet: M", "authors": ["J L"], "year": 2021,
             "published": "2021-05-09", "abstract": "Fourier.", "said_by": "arxiv"}  # fmt: skip
    (library.state / "metadata.jsonl").write_text(json.dumps(facts) + "\n")
    kept = desk.mark(library, listed(library, "FNet"), "reading").keeping[0]
    assert (kept.title, kept.authors, kept.year, kept.published, kept.abstract, kept.url) == (
        "FNet: M", ("J L",), 2021, "2021-05-09", "Fourier.", "https://arxiv.org/abs/2105.03824",
    )  # fmt: skip


def test_move_to_where_it_is_plans_nothing(library):
    assert desk.move(library, listed(library, "Deep Double"), "Read") is None
    plan = desk.move(library, listed(library, "FNet"), "Read")
    assert plan.done == f"FNet moved to Read in {plan.path}"


def test_thing_to_add_waits_or_is_what_the_key_says(library):
    inbox = waiting_for(
        library, SavedItem("bookmarks", "https://arxiv.org/abs/1706.03762", "AIAYN")
    )
    assert desk.thing_to_add(inbox, "arxiv:1706.03762").title == "AIAYN"
    typed = desk.thing_to_add(inbox, "https://arxiv.org/abs/2009.14794v2")
    assert (typed.name, typed.items[0].source) == ("arxiv:2009.14794", "typed")
    with pytest.raises(UsageError, match=r"arxiv:2105\.03824 is already on the list: list\.md:5"):
        desk.thing_to_add(inbox, "https://arxiv.org/pdf/2105.03824")
    with pytest.raises(UsageError, match="is not a key"):
        desk.thing_to_add(inbox, "nonsense")


def test_only_papers_of_which_nothing_is_known_are_asked_for(library):
    (library.state / "metadata.jsonl").write_text('{"key": "arxiv:1706.03762", "title": "AIAYN"}\n')
    inbox = load_waiting(library)
    unknown = {
        word: desk.is_unknown(inbox, desk.thing_to_add(inbox, word))
        for word in ("arxiv:1706.03762", "arxiv:2009.14794", "github:a/b")
    }
    assert list(unknown.values()) == [False, True, False]
    assert desk.thing_to_add(inbox, "arxiv:1706.03762").title == "AIAYN"


def test_added_line_has_title_notes_and_section(library):
    inbox = load_waiting(library)
    pending = desk.thing_to_add(inbox, "arxiv:1706.03762")
    plan = desk.add(library, inbox, pending, section="Read", title="Attention", notes=["a *b*"])
    assert added(plan) == [
        "+* [Attention](https://arxiv.org/abs/1706.03762)",
        r"+  * a \*b\*",
    ]
    assert (plan.what, plan.section, plan.reason) == ("added 'Attention'", ("Reading", "Read"), "")
    proposed = desk.add(library, inbox, pending, title="Attention")
    assert proposed.section
    assert proposed.reason


def test_nothing_is_added_without_title_section_or_list(library, tmp_path_factory):
    inbox = load_waiting(library)
    pending = desk.thing_to_add(inbox, "arxiv:1706.03762")
    with pytest.raises(UsageError, match=r"No title is known for arxiv:1706\.03762"):
        desk.add(library, inbox, pending)
    with pytest.raises(UsageError, match="has no section 'Nowhere'"):
        desk.add(library, inbox, pending, section="Nowhere", title="T")
    (library.folder / "list.md").write_text("* a\n")
    library.forget()
    with pytest.raises(UsageError, match=r"has no headings\. Give it one"):
        desk.add(library, inbox, pending, title="T")
    empty = Library(tmp_path_factory.mktemp("empty"))
    with pytest.raises(UsageError, match="There is no list in"):
        desk.add(empty, inbox, pending, title="T")


def test_thing_about_a_listed_paper_is_proposed_below_it_and_a_chosen_section_wins(library):
    inbox = waiting_for(
        library, SavedItem("bookmarks", REPO, "google-research/fnet", links=(BADGE,))
    )
    (pending,) = inbox.pending
    first, *others = desk.proposals(inbox, pending, document(library))
    plan = desk.put(library, inbox, pending, document(library), first)
    assert added(plan) == [f"+  * {REPO}"]
    assert plan.reason == "below “FNet: Mixing Tokens”, list.md:5: its paper is there"
    assert plan.what == f"noted {REPO!r} below 'FNet: Mixing Tokens'"
    assert all(place.section and not place.below for place in others)
    chosen = Proposal(("Reading", "Read"), "your choice", 1.0)
    plan = desk.put(library, inbox, pending, document(library), chosen)
    assert plan.section == ("Reading", "Read")
    (library.folder / "list.md").write_text("# Reading\n")
    with pytest.raises(UsageError, match=r"is not on .* any more\. Choose a section"):
        desk.put(library, inbox, pending, document(library), first)


def test_paper_that_waits_is_not_proposed_below_anything(library):
    inbox = waiting_for(
        library, SavedItem("bookmarks", "https://arxiv.org/abs/1706.03762", "AIAYN", note="mine")
    )
    places = desk.proposals(inbox, inbox.pending[0], document(library))
    assert all(place.section and not place.below for place in places)


def test_every_section_that_is_proposed_takes_an_entry(library):
    (library.folder / "list.md").write_text(
        "# L\n\n> ## Quoted\n\n## A\n\n* x\n\n## Twice\n\n* y\n\n## twice\n\n* z\n\n## B\n\n### Twice\n\n* w\n"
    )
    sections = sections_of(document(library))
    assert list(map(str, sections)) == ["L > A", "L > Twice", "L > twice", "L > B > Twice"]
    inbox = waiting_for(
        library, SavedItem("bookmarks", "https://arxiv.org/abs/1706.03762", "Twice")
    )
    places = desk.proposals(inbox, inbox.pending[0], document(library))
    assert places
    for place in [*places, *(Proposal(section, "", 1.0) for section in sections)]:
        carry_out(library, desk.put(library, inbox, inbox.pending[0], document(library), place))


def test_word_means_a_key_a_name_or_a_part_of_a_title(library):
    lists = [document(library)]
    for word in ("fnet", "FNet: Mixing Tokens", "mixing", "arxiv:2105.03824", "2105.03824"):
        assert find_entry(word, lists).entry.name == "FNet"
    with pytest.raises(
        UsageError, match=r"'e' may mean: FNet .*; Deep Double Descent .* Give more of the title"
    ):
        find_entry("e", lists)
    with pytest.raises(UsageError, match=r"'nobody' is not on .*list\.md\."):
        find_entry("nobody", lists)
    both = [*lists, Document(b"* [FNet](https://arxiv.org/abs/2105.03824)\n")]
    assert len(find_entries("arxiv:2105.03824", both)) == 2
    with pytest.raises(UsageError, match=r"is on 2 lists: .*Say which with --list"):
        find_entry("arxiv:2105.03824", both)
    assert isinstance(find_entry("fnet", lists), Listed)
    assert find_entry("fnet", lists).library.folder == library.folder


def item(library, *things):
    inbox = waiting_for(library, *things)
    return item_of(inbox.pending[0], inbox)


@pytest.mark.parametrize(
    ("url", "year"),
    [
        ("https://arxiv.org/abs/1706.03762", 2017),
        ("https://arxiv.org/abs/hep-th/9108001", 1991),
        ("https://arxiv.org/abs/math/0309136", 2003),
        ("https://arxiv.org/abs/0704.0001", 2007),
        ("https://doi.org/10.1000/2105.1", None),
        ("?lY47tw", None),
    ],
)
def test_year_is_told_by_an_arxiv_id_and_by_nothing_else(library, url, year):
    assert item(library, SavedItem("bookmarks", url, "Some title")).year == year


def test_name_before_a_colon_is_the_name(library):
    thing = SavedItem(
        "bookmarks", "https://arxiv.org/abs/1706.03762", "Transformer: attention only"
    )
    assert item(library, thing).name == "Transformer"


@pytest.mark.parametrize("lines", [1, 8, 30])
def test_note_of_many_lines_keeps_them(library, lines):
    text = "\n\n".join(f"line {n}" for n in range(lines))
    thing = SavedItem("bookmarks", "https://arxiv.org/abs/1706.03762", "T", note=text)
    found = item(library, thing).notes
    assert len(found) == lines
    assert " ".join(found) == " ".join(text.split())


def test_address_is_that_of_the_key_or_the_one_that_was_saved(library):
    inbox = waiting_for(library)
    for word, url in (
        ("https://www.alphaxiv.org/abs/1706.03762v2", "https://arxiv.org/abs/1706.03762"),
        ("http://www.example.org/Paper.pdf?utm_source=x", "http://www.example.org/Paper.pdf?utm_source=x"),
        ("openreview:AAAAAAAAAA", "https://openreview.net/forum?id=AAAAAAAAAA"),
    ):  # fmt: skip
        assert item_of(desk.thing_to_add(inbox, word), inbox).url == url


def test_things_about_it_are_notes_each_once_with_their_titles(library):
    paper = "https://arxiv.org/abs/1706.03762"
    badge = (SavedLink("badge", paper),)
    found = item(
        library,
        SavedItem("bookmarks", paper, "Attention Is All You Need"),
        SavedItem("stars", "https://github.com/a/b", "The *code*", links=badge),
        SavedItem("bookmarks", "https://github.com/a/b/", "a/b", folder=("x",), links=badge),
        SavedItem("stars", "https://github.com/c/d", "Attention is all you need", links=badge),
    )
    assert found.notes == (r"The \*code\*: https://github.com/a/b", "https://github.com/c/d")


def test_note_on_the_code_of_a_listed_paper_goes_below_the_paper_too(library):
    url = "https://github.com/google-research/fnet"
    inbox = waiting_for(library, SavedItem("stars", url, "fnet", note="try it", links=(BADGE,)))
    (pending,) = inbox.pending
    first = desk.proposals(inbox, pending, document(library))[0]
    plan = desk.put(library, inbox, pending, document(library), first)
    assert added(plan) == ["+  * try it", f"+  * {url}"]
    assert plan.what == f"noted 'try it' and {url!r} below 'FNet: Mixing Tokens'"


def test_address_that_would_end_a_link_is_escaped(library):
    paper = "https://arxiv.org/abs/1706.03762"
    code = SavedItem("x", "https://example.org/a b<c>", "", links=(SavedLink("homepage", paper),))
    found = item(library, SavedItem("bookmarks", paper, "T"), code)
    assert found.notes == ("https://example.org/a%20b%3Cc%3E",)


TO_REVIEW = """# To Review

## Kernels

* [A](https://arxiv.org/abs/2101.00001)
* [B](https://arxiv.org/abs/2101.00002)

## Empty


<!-- TAGS
-->
"""


def step(library, word, action, *more):
    carry_out(library, getattr(desk, action)(library, listed(library, word), *more))
    return (library.folder / "list.md").read_text()


@pytest.mark.parametrize("back", [("mark", "to read"), ("move", "To Review > Kernels")])
def test_headings_that_reading_made_go_with_the_last_thing_below_them(library, back):
    (library.folder / "list.md").write_text(TO_REVIEW)
    both = step(library, "B", "mark", "read")
    assert "# Read\n\n## Kernels\n\n* [B]" in both
    assert step(library, "B", *back) == TO_REVIEW
    for _ in range(2):
        undo(library)
    assert (library.folder / "list.md").read_text() == TO_REVIEW


def test_headings_of_a_person_stay_when_nothing_is_below_them(library):
    mine = TO_REVIEW.replace("<!--", "# Read\n\n## Kernels\n\n<!--")
    (library.folder / "list.md").write_text(mine)
    step(library, "B", "mark", "read")
    assert "# Read\n\n## Kernels\n" in step(library, "B", "mark", "to read")
    (library.folder / "list.md").write_text(TO_REVIEW)
    made = step(library, "B", "mark", "read")
    for more in ("Mine.\n\n## Kernels", "## Kernels\n\nMine.", "## Mine\n\n## Kernels"):
        (library.folder / "list.md").write_text(
            made.replace("# Read\n\n## Kernels", f"# Read\n\n{more}")
        )
        left = step(library, "B", "mark", "to read")
        assert "# Read\n" in left
        assert "Mine" in left


def test_several_things_go_on_a_list_as_one_change(tmp_path):
    (tmp_path / ".studiolo").mkdir()
    path = tmp_path / "list.md"
    before = (
        b"# L\n\n## Kernels\n\n* [A](https://arxiv.org/abs/2101.00001)\n\n## Causal inference\n"
    )
    path.write_bytes(before)
    home = Library(tmp_path)
    Inbox(home).collect(
        [
            SavedItem("bookmarks", "https://arxiv.org/abs/2101.00002", "One", folder=("Kernels",)),
            SavedItem("bookmarks", "https://arxiv.org/abs/2101.00003", "Two", folder=("Causal inference",)),
        ]
    )  # fmt: skip
    waiting = load_waiting(home)
    plan, steps = desk.put_all(home, waiting, waiting.pending, home.documents[path])
    assert {step.section for step in steps} == {("L", "Kernels"), ("L", "Causal inference")}
    change = carry_out(home, plan)
    assert change.what == "added 2 things"
    assert [entry.title for entry in Document.load(path).entries] == ["A", "One", "Two"]
    undo(home)
    assert path.read_bytes() == before
    with pytest.raises(UsageError, match="Nothing is chosen"):
        desk.put_all(home, waiting, [], home.documents[path])
