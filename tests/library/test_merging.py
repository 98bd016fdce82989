"""Two branches of a library in git, merged by the real git."""

import json
import subprocess

import pytest

from studiolo.errors import ListError
from studiolo.files import append_json_lines
from studiolo.keys import Key
from studiolo.library import (
    READER,
    Draft,
    Edge,
    Inbox,
    Kept,
    Library,
    Listed,
    Place,
    carry_out,
    desk,
    load_changes,
    load_cite_keys,
    load_drafts,
    load_facts,
    load_followed,
    load_kept,
    load_places,
    plan_cite_key,
    save_draft,
    save_edges,
    save_place,
    state_of,
    undo,
)  # fmt: skip
from studiolo.library.edges import load_edges
from studiolo.library.facts import facts_path
from studiolo.library.inbox import load_items
from studiolo.library.placing import Proposal
from studiolo.library.reading import save_kept
from studiolo.library.waiting import passed_names, refused_names, save_passed, save_refused
from studiolo.lists import Document, Item
from studiolo.metadata import Facts
from studiolo.sources import SavedItem


LIST = """\
# To Review

## Maps

* [Sparse Maps](https://arxiv.org/abs/1804.04235)
* [Other Maps](https://arxiv.org/abs/1909.13719)

## Lakes

* [Deep Lakes](https://arxiv.org/abs/1909.13720)

# Notes

* [Loose Ends](https://arxiv.org/abs/1909.13721)
"""


@pytest.fixture
def library(tmp_path):
    library = Library(tmp_path)
    library.prepare()
    (tmp_path / "list.md").write_text(LIST)
    git(library, "init", "-q", "-b", "main")
    step(library, note=("Loose Ends", "the file is there before they part"))
    commit(library)
    return library


def git(library, *words, fine=True):
    done = subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@x", *words],
        cwd=library.folder, check=fine, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode


def commit(library):
    git(library, "add", "-A")
    git(library, "commit", "-qm", "step")


def step(library, *, collect="", add=None, note=None, read=""):
    """Do what a reader does on one branch."""
    if collect:
        Inbox(library).collect([SavedItem("typed", collect)])
    path = library.folder / "list.md"
    if add:
        title, url, section = add
        doc = Document.load(path)
        carry_out(
            library,
            desk.plan_entry(doc, Item(title, url), Proposal(("To Review", section), "", 1.0)),
        )
    for title, act in ((note and note[0], "note"), (read, "read")):
        if title:
            doc = Document.load(path)
            listed = Listed(doc, next(e for e in doc.entries if e.title == title))
            plan = (
                desk.note(library, listed, note[1])
                if act == "note"
                else desk.mark(library, listed, "reading")
            )
            carry_out(library, plan)


def parted(library, one, other):
    git(library, "checkout", "-qb", "other")
    step(library, **other)
    commit(library)
    git(library, "checkout", "-q", "main")
    step(library, **one)
    commit(library)
    return git(library, "merge", "-q", "other", "-m", "merge", fine=False)


def test_branches_that_collected_added_and_noted_in_different_places_merge_without_conflict(
    library,
):
    failed = parted(
        library,
        {
            "collect": "https://a.org/1",
            "add": ("New Maps", "https://arxiv.org/abs/2001.00001", "Maps"),
        },
        {
            "collect": "https://b.org/2",
            "add": ("New Lakes", "https://arxiv.org/abs/2001.00002", "Lakes"),
            "note": ("Sparse Maps", "worth it"),
        },
    )
    text = (library.folder / "list.md").read_text()
    assert not failed
    assert [e.title for e in Document(text.encode()).entries] == [
        "Sparse Maps", "Other Maps", "New Maps", "Deep Lakes", "New Lakes", "Loose Ends",
    ]  # fmt: skip
    inbox = (library.state / "inbox.jsonl").read_text()
    assert "https://a.org/1" in inbox
    assert "https://b.org/2" in inbox
    assert "<<<<" not in inbox


def test_branches_that_added_at_one_place_are_told_how_to_go_on(library):
    failed = parted(
        library,
        {"add": ("New Maps", "https://arxiv.org/abs/2001.00001", "Maps")},
        {"add": ("More Maps", "https://arxiv.org/abs/2001.00002", "Maps")},
    )
    path = library.folder / "list.md"
    assert failed
    assert b"<<<<<<< " in path.read_bytes()
    before = path.read_bytes()
    with pytest.raises(
        ListError,
        match=r"list\.md has both sides of a merge that git could not make \(line 7\)\. Keep what you want of the two, "
        r"delete the lines that begin with <<<<<<<, ======= and >>>>>>>, and try again\.",
    ):
        step(library, add=("A Third", "https://arxiv.org/abs/2001.00003", "Lakes"))
    assert path.read_bytes() == before
    kept = [
        line
        for line in before.splitlines(keepends=True)
        if line[:7] not in (b"<<<<<<<", b"=======", b">>>>>>>")
    ]
    path.write_bytes(b"".join(kept))
    step(library, add=("A Third", "https://arxiv.org/abs/2001.00003", "Lakes"))
    assert [e.title for e in Document.load(path).entries] == [
        "Sparse Maps", "Other Maps", "New Maps", "More Maps", "Deep Lakes", "A Third", "Loose Ends",
    ]  # fmt: skip


def test_states_of_both_sides_are_read_and_the_marks_of_the_merge_are_named(library, caplog):
    failed = parted(library, {"read": "Sparse Maps"}, {"read": "Other Maps"})
    states = {str(key): one.state for key, one in load_kept(library.folder).items()}
    assert states["arxiv:1804.04235"] == states["arxiv:1909.13719"] == "reading"
    if failed:
        assert (
            "reading.jsonl:1 is a mark of a merge that git could not make; the lines of both sides are read. Delete the lines"
            in caplog.text
        )


def everything_said(library, word):
    """Say something in every file that the library keeps."""
    one, other = Key("arxiv", f"2001.0000{len(word)}"), Key("github", f"a/{word}")
    step(library, collect=f"https://{word}.org/1")
    save_passed(library, [f"url:https://{word}.org/2"])
    save_refused(library, [f"arxiv:2002.0000{len(word)}"])
    save_edges(library, [Edge(one, other, "about", "said so", READER)])
    save_place(library, Place("urls", "file", f"{word}.txt"))
    save_draft(library, Draft(f"url:https://{word}.org/1", title=f"Of {word}"))
    append_json_lines(library.state / "follows.jsonl", [{"list": f"github:a/{word}", "follow": True, "at": "2026-11-26T00:00:00Z"}])  # fmt: skip
    append_json_lines(facts_path(library), [Facts(one, title=f"Of {word}").to_record()])
    carry_out(library, plan_cite_key(library, [one], word))
    carry_out(library, desk.say_no(library, Key("arxiv", f"2003.0000{len(word)}")))


def test_every_file_that_grows_merges_without_conflict_and_holds_both_sides(library):
    git(library, "checkout", "-qb", "other")
    everything_said(library, "lakes")
    commit(library)
    git(library, "checkout", "-q", "main")
    everything_said(library, "rivers")
    commit(library)
    assert not git(library, "merge", "-q", "other", "-m", "merge", fine=False)
    grown = sorted(path.name for path in library.state.glob("*.jsonl"))
    assert grown == [
        "cite-keys.jsonl", "drafts.jsonl", "edges.jsonl", "follows.jsonl", "history.jsonl", "inbox.jsonl",
        "metadata.jsonl", "reading.jsonl", "sources.jsonl", "triage.jsonl",
    ]  # fmt: skip
    for name in grown:
        lines = (library.state / name).read_bytes().splitlines()
        assert all(json.loads(line) for line in lines), name
    again = Library(library.folder)
    said = [
        set(map(str, load_places(again))), set(load_drafts(again)), passed_names(again), refused_names(again),
        {str(edge.b) for edge in load_edges(again)}, {one.target for one in load_followed(again)},
        {facts.title for facts in load_facts(again).values()}, set(load_cite_keys(again).of.values()),
        {change.what for change in load_changes(again)}, {item.url for item in load_items(again)},
    ]  # fmt: skip
    for found in said:
        assert any("lakes" in one or "00005" in one for one in found), found
        assert any("rivers" in one or "00006" in one for one in found), found
    steps = 0
    while load_changes(again):
        undo(again)
        steps += 1
    assert steps == 5  # two of each side, and the note before they parted
    assert set(load_cite_keys(again).of.values()) == set()


@pytest.mark.parametrize("far", [True, False])
def test_states_marked_on_both_branches_are_both_there_once_the_marks_are_deleted(library, far):
    doc = Document.load(library.folder / "list.md")
    if far:  # with lines between the two, git needs no help
        save_kept(
            library.folder, [Kept(Key("arxiv", f"1805.0{n:04}"), notes=("x",)) for n in range(9)]
        )
        commit(library)
    failed = parted(library, {"read": "Sparse Maps"}, {"read": "Loose Ends"})
    assert bool(failed) is not far
    path = library.state / "reading.jsonl"
    if failed:
        kept = [x for x in path.read_bytes().splitlines(keepends=True) if not x.startswith((b"<<<<<<<", b"=======", b">>>>>>>"))]  # fmt: skip
        path.write_bytes(b"".join(kept))
        commit(library)
    states = {e.title: state_of(e, load_kept(library.folder))[0] for e in doc.entries}
    assert states["Sparse Maps"] == states["Loose Ends"] == "reading"
    step(library, read="Deep Lakes")
    assert len({json.loads(line)["key"] for line in path.read_bytes().splitlines()}) == len(
        path.read_bytes().splitlines()
    )


BOXES = "# Maps\n\n" + "".join(
    f"- [ ] [Map {i}](https://arxiv.org/abs/1804.0000{i})\n" for i in range(9)
)


@pytest.mark.parametrize(("other", "fails"), [(8, False), (1, True)])
def test_boxes_ticked_on_two_branches(library, other, fails):
    path = library.folder / "list.md"
    path.write_text(BOXES)
    commit(library)
    sides = [f"Map {other}", "Map 0"]
    for title, branch in zip(sides, ("other", "main"), strict=True):
        git(library, "checkout", "-q", *(["-b", branch] if branch == "other" else [branch]))
        doc = Document.load(path)
        listed = Listed(doc, next(e for e in doc.entries if e.title == title))
        carry_out(library, desk.mark(library, listed, "read"))
        (library.state / "reading.jsonl").unlink(missing_ok=True)  # what is beside is another test
        commit(library)
    assert bool(git(library, "merge", "-q", "other", "-m", "merge", fine=False)) is fails
    doc = Document.load(path)
    if fails:
        with pytest.raises(ListError, match="has both sides of a merge that git could not make"):
            carry_out(library, desk.mark(library, Listed(doc, doc.entries[-1]), "read"))
    else:
        assert {e.title for e in doc.entries if e.state == "read"} == set(sides)


def test_of_two_states_of_one_day_the_one_further_on_stands(library):
    path = library.state / "reading.jsonl"
    lines = [
        '{"key": "arxiv:1804.04235", "state": "read", "since": "2026-11-26"}',
        '{"key": "arxiv:1804.04235", "state": "reading", "since": "2026-11-26"}',
        '{"key": "arxiv:1909.13719", "state": "read", "since": "2026-11-25"}',
        '{"key": "arxiv:1909.13719", "state": "to read", "since": "2026-11-26"}',
    ]
    for order in (lines, lines[::-1]):
        path.write_text("\n".join(order) + "\n")
        states = {str(key): one.state for key, one in load_kept(library.folder).items()}
        assert states == {"arxiv:1804.04235": "read", "arxiv:1909.13719": "to read"}
