"""Two branches of a library in git, merged by the real git."""

import subprocess

import pytest

from studiolo.errors import ListError
from studiolo.library import Inbox, Library, Listed, carry_out, desk, load_kept
from studiolo.library.placing import Proposal
from studiolo.lists import Document, Item
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
