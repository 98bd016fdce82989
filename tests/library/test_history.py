"""One journal: the last change is taken back first, and never more than it."""

import json
import multiprocessing

import pytest

from studiolo.errors import FileError, ListError, StaleEdit, UsageError
from studiolo.keys import Key
from studiolo.library import (
    Inbox,
    Library,
    Listed,
    Plan,
    Proposal,
    carry_out,
    desk,
    load_kept,
    load_waiting,
    undo,
)
from studiolo.library.history import history_path, load_changes
from studiolo.library.putting import plan_entry
from studiolo.library.reading import Kept, save_kept
from studiolo.lists import Document, Item
from studiolo.sources import SavedItem


LIST = """# Reading

## To Review

* [A](https://arxiv.org/abs/2101.00001)
* [B](https://arxiv.org/abs/2101.00002)

## Read

* [C](https://arxiv.org/abs/2101.00003)
"""
A = Key("arxiv", "2101.00001")
TO_REVIEW = Proposal(("Reading", "To Review"), "", 1.0)
FNET = Item("FNet", "https://arxiv.org/abs/2105.03824")


@pytest.fixture
def library(tmp_path):
    (tmp_path / ".studiolo").mkdir()
    (tmp_path / "list.md").write_text(LIST)
    return Library(tmp_path)


def path_of(library):
    return library.folder / "list.md"


def text_of(library):
    return path_of(library).read_text()


def document(library):
    return Document.load(path_of(library))


def add(library, item=FNET):
    return carry_out(library, plan_entry(document(library), item, TO_REVIEW))


def listed(library, number=0):
    doc = document(library)
    return Listed(doc, doc.entries[number])


def note(library, text, number=0):
    return carry_out(library, desk.note(library, listed(library, number), text))


def mark(library, state, number=0):
    return carry_out(library, desk.mark(library, listed(library, number), state))


def test_changes_of_one_second_are_taken_back_in_the_order_of_their_lines(library):
    add(library)
    with_fnet = text_of(library)
    note(library, "a thought")
    assert undo(library).what == "note on A"
    assert text_of(library) == with_fnet
    assert undo(library).what == "added 'FNet'"
    assert text_of(library) == LIST
    with pytest.raises(UsageError, match="There is nothing to undo in"):
        undo(library)


def test_every_kind_of_change_is_taken_back_byte_by_byte(library):
    texts, kept = [LIST], [{}]
    Inbox(library).collect([SavedItem("bookmarks", FNET.url, "FNet")])
    (pending,) = load_waiting(library).pending
    steps = [
        lambda: note(library, "one"),
        lambda: mark(library, "reading"),
        lambda: mark(library, "read"),
        lambda: carry_out(library, desk.move(library, listed(library, 1), "Reading > Read")),
        lambda: carry_out(library, desk.pass_over(pending)),
        lambda: add(library),
    ]
    said = []
    for step in steps:
        said.append(step().what)
        texts.append(text_of(library))
        kept.append(load_kept(library.folder))
    assert len(set(texts)) == 5  # begun is kept beside the list, and passing over writes none
    assert load_waiting(library).pending == []
    for number in reversed(range(len(steps))):
        assert undo(library).what == said[number]
        assert text_of(library) == texts[number]
        assert load_kept(library.folder) == kept[number]
    assert len(load_waiting(library).pending) == 1


def test_journal_only_grows(library):
    sizes = [0]
    for step in (lambda: note(library, "one"), lambda: undo(library), lambda: note(library, "one")):
        before = history_path(library).read_bytes() if sizes[-1] else b""
        step()
        assert history_path(library).read_bytes().startswith(before)
        sizes.append(history_path(library).stat().st_size)
    assert sizes == sorted(set(sizes))
    assert [change.what for change in load_changes(library)] == ["note on A"]


def test_journals_of_two_branches_merge_by_keeping_both_sides_lines(library):
    first = note(library, "one")
    common = history_path(library).read_bytes()
    undo(library)
    ours = history_path(library).read_bytes()
    history_path(library).write_bytes(common)
    theirs_change = note(library, "two", number=1)
    theirs = history_path(library).read_bytes()
    for merged in (ours + theirs[len(common) :], theirs + ours[len(common) :]):
        history_path(library).write_bytes(merged)
        assert [change.id for change in load_changes(library)] == [theirs_change.id]
    assert first.id != theirs_change.id


@pytest.mark.parametrize(
    "below",
    ["  * mine: compare with Hartley", "  mine, as a paragraph", "lazily continued", "    * deep"],
)
def test_note_of_the_reader_below_a_new_entry_is_given_to_no_other_paper(library, below):
    add(library)
    line = "* [FNet](https://arxiv.org/abs/2105.03824)"
    assert line in text_of(library)
    edited = text_of(library).replace(line, f"{line}\n{below}")
    path_of(library).write_text(edited)
    with pytest.raises(
        StaleEdit,
        match=r"was edited where Studiolo had written, so “added 'FNet'” cannot be taken back alone",
    ):
        undo(library)
    assert text_of(library) == edited
    assert [change.what for change in load_changes(library)] == ["added 'FNet'"]


def test_note_below_the_first_entry_of_a_section_does_not_stay_without_a_paper(library):
    path_of(library).write_text("# Reading\n\n## To Review\n")
    add(library)
    path_of(library).write_text(text_of(library) + "  mine\n")
    with pytest.raises(StaleEdit):
        undo(library)


def test_note_below_our_note_is_kept(library):
    note(library, "ours")
    edited = text_of(library).replace("  * ours\n", "  * ours\n    * mine\n")
    assert edited != text_of(library)
    path_of(library).write_text(edited)
    with pytest.raises(StaleEdit):
        undo(library)
    assert text_of(library) == edited


@pytest.mark.parametrize("step", [add, lambda library: note(library, "ours")], ids=["add", "note"])
def test_what_was_written_elsewhere_since_stays(library, step):
    step(library)
    path_of(library).write_text("First line\n\n" + text_of(library) + "* mine\n")
    undo(library)
    assert text_of(library) == "First line\n\n" + LIST + "* mine\n"


@pytest.mark.parametrize(
    "now", ["  * ours, longer\n", "", "  * ours\n  * ours\n", "   * ours\n"], ids=ascii
)
def test_note_that_was_edited_is_not_taken_back(library, now):
    note(library, "ours")
    edited = text_of(library).replace("  * ours\n", now) + "* mine\n"
    path_of(library).write_text(edited)
    with pytest.raises(StaleEdit, match="Nothing was changed: use your editor or git"):
        undo(library)
    assert text_of(library) == edited
    assert len(load_changes(library)) == 1


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=ascii)
def test_entry_behind_a_last_line_without_newline_is_taken_back_alone(library, newline):
    start = f"# Reading{newline}{newline}## To Review{newline}{newline}* a"
    path_of(library).write_bytes(start.encode())
    add(library)
    added = path_of(library).read_bytes().decode()
    ours = added.removeprefix(start)
    assert ours == f"{newline}* [FNet](https://arxiv.org/abs/2105.03824)"
    for behind in (newline, f"{newline}* mine{newline}"):
        path_of(library).write_bytes((added.replace("# Reading", "# Books") + behind).encode())
        undo(library)
        left = path_of(library).read_bytes().decode()
        assert left == start.replace("# Reading", "# Books") + behind
        path_of(library).write_bytes(start.encode())
        add(library)
    for behind in (" is great", "\rodd", f" 2021{newline}"):
        edited = (added + behind).encode()
        path_of(library).write_bytes(edited)
        with pytest.raises(StaleEdit):
            undo(library)
        assert path_of(library).read_bytes() == edited
    path_of(library).write_bytes((added.replace("# Reading", "# Books")).encode())
    undo(library)
    assert path_of(library).read_bytes() == start.replace("# Reading", "# Books").encode()


def test_mark_in_a_list_that_was_edited_is_not_put_elsewhere(library):
    """The other box that is ticked by now is another paper's."""
    path_of(library).write_text("* [ ] [A](https://arxiv.org/abs/2101.00001)\n* [ ] b\n")
    mark(library, "read")
    edited = text_of(library).replace("[x]", "[ ]").replace("[ ] b", "[x] b")
    path_of(library).write_text(edited)
    with pytest.raises(StaleEdit):
        undo(library)
    assert text_of(library) == edited


def test_heading_that_was_made_is_not_taken_out_with_the_entry_below_it(library):
    path_of(library).write_text("# To Review\n\n* [A](https://arxiv.org/abs/2101.00001)\n")
    mark(library, "read")
    assert "# Read\n" in text_of(library)
    edited = "First line\n\n" + text_of(library)
    path_of(library).write_text(edited)
    with pytest.raises(StaleEdit):
        undo(library)
    assert text_of(library) == edited


@pytest.mark.parametrize("end", [" |", ""], ids=["closed", "open"])
def test_note_in_a_cell_is_not_taken_from_another_row(library, end):
    path_of(library).write_text(
        f"Paper | Notes{end}\n---|---{end}\n[A](https://arxiv.org/abs/2101.00001) | x{end}\nb | y{end}\n"
    )
    note(library, "good")
    edited = text_of(library).replace("x; good", "x").replace("| y", "| y; good")
    path_of(library).write_text(edited)
    with pytest.raises(StaleEdit):
        undo(library)
    assert text_of(library) == edited


def test_list_that_was_edited_meanwhile_is_not_overwritten(library):
    plan = desk.note(library, listed(library), "n")
    path_of(library).write_text(LIST + "* mine\n")
    with pytest.raises(StaleEdit, match=r"has changed since it was read. Nothing was written"):
        carry_out(library, plan)
    assert text_of(library) == LIST + "* mine\n"
    assert load_changes(library) == []
    assert load_kept(library.folder) == {}


def test_change_that_the_reader_took_back_in_an_editor_is_passed_over(library):
    note(library, "one", number=1)
    with_one = text_of(library)
    note(library, "two")
    path_of(library).write_text(with_one)
    (library.state / "reading.jsonl").unlink()
    assert undo(library).what == "note on B"
    assert text_of(library) == LIST


def test_what_is_kept_and_was_edited_since_is_not_overwritten(library):
    mark(library, "reading")
    save_kept(library.folder, [Kept(A, notes=("by hand",))])
    with pytest.raises(
        StaleEdit, match=r"What is kept of arxiv:2101\.00001 was changed after “started A”"
    ):
        undo(library)
    assert load_kept(library.folder)[A].notes == ("by hand",)


@pytest.mark.parametrize(
    "name", ["../out.md", "/etc/hostname", "a/../../out.md", "out.md", "", "\0"], ids=ascii
)
def test_journal_of_a_stranger_changes_nothing_outside_the_library(tmp_path, name):
    outside = tmp_path / "out.md"
    outside.write_text("* a\n* b\n")
    library = Library(tmp_path / "library")
    library.prepare()
    (library.folder / "out.md").symlink_to(outside)
    change = {"id": "1", "what": "x", "list": name, "edits": [[4, "", "* b\n"]]}
    history_path(library).write_text(json.dumps(change) + "\n")
    with pytest.raises(FileError, match="leads out of the library"):
        undo(library)
    assert outside.read_text() == "* a\n* b\n"


def test_list_of_another_library_is_not_written_into_this_journal(library, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "list.md"
    other.write_text(LIST)
    plan = plan_entry(Document.load(other), FNET, TO_REVIEW)
    with pytest.raises(FileError, match="lies outside of the library"):
        carry_out(library, plan)
    assert other.read_text() == LIST


def test_list_that_was_not_read_from_a_file_is_not_written(library):
    doc = Document(LIST.encode())
    plan = plan_entry(doc, FNET, TO_REVIEW)
    with pytest.raises(ListError, match="not read from a file"):
        carry_out(library, plan)


def test_lines_that_somebody_spoilt_are_passed_over_and_stay(library):
    note(library, "one")
    spoilt = b'1\nnull\n[]\n{"id": "x", "edits": 3}\n{"id": "y", "edits": [[1]]}\n{"id": "z", "kept_before": {"q": 1}}\n'
    with history_path(library).open("ab") as file:
        file.write(spoilt)
    note(library, "two")
    assert undo(library).what == "note on A"
    assert undo(library).what == "note on A"
    assert text_of(library) == LIST
    assert spoilt in history_path(library).read_bytes()


def test_half_a_character_in_a_title_can_be_taken_back(library):
    save_kept(library.folder, [Kept(A, title="half \ud800")])
    mark(library, "reading")
    undo(library)
    assert load_kept(library.folder)[A].title == "half \ud800"


def _notes(folder, number, results):
    library = Library(folder)
    written = 0
    for turn in range(20):
        text = f"note {number}-{turn}"
        try:
            carry_out(library, desk.note(library, listed(library, number), text))
        except StaleEdit as error:
            results.put((text, str(error)))
        else:
            results.put((text, ""))
            written += 1


def test_two_at_once_never_say_that_nothing_was_written_when_it_was(library):
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    workers = [
        context.Process(target=_notes, args=(library.folder, number, results))
        for number in (0, 1, 2)
    ]
    for worker in workers:
        worker.start()
    said = dict(results.get() for _ in range(60))
    for worker in workers:
        worker.join()
    text = text_of(library)
    assert {note for note, error in said.items() if not error} == {
        note for note in said if f"* {note}\n" in text
    }
    assert all("Nothing was written" in error for error in said.values() if error)
    done = sum(not error for error in said.values())
    assert len(load_changes(library)) == done > 0
    for _ in range(done):
        undo(library)
    assert text_of(library) == LIST


def test_kept_of_two_at_once_is_all_kept(library):
    context = multiprocessing.get_context("fork")
    keys = [Key("arxiv", f"2101.{number:05}") for number in range(40)]
    workers = [
        context.Process(
            target=lambda part: [save_kept(library.folder, [Kept(key, state="read")]) for key in part],
            args=(keys[start::2],),
        )
        for start in (0, 1)
    ]  # fmt: skip
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(load_kept(library.folder)) == set(keys)


# what the two journals of before hold


def digest(text):
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def old_note(before, after, at, what="note on A"):
    start = next(
        (i for i, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]),
        len(before),
    )
    new = after[start : start + len(after) - len(before)]
    return {"list": "list.md", "what": what, "at": at, "digest": digest(after),
            "edits": [{"start": len(before[:start].encode()), "old": "", "new": new}]}  # fmt: skip


def old_add(before, after, at, what="added 'FNet'"):
    record = old_note(before, after, at)
    edits = [[edit["start"], edit["old"], edit["new"]] for edit in record["edits"]]
    return {"id": digest(after)[:24] + digest(before)[:24], "list": "list.md", "before": digest(before)[:24],
            "after": digest(after)[:24], "edits": edits, "what": what, "on": at}  # fmt: skip


ADDED = LIST.replace("00002)\n", "00002)\n* [FNet](https://arxiv.org/abs/2105.03824)\n")
NOTED = LIST.replace("00001)\n", "00001)\n  * thought\n")
BOTH = ADDED.replace("00001)\n", "00001)\n  * thought\n")
TWICE = BOTH.replace("00002)\n", "00002)\n  * again\n")
T0, T1 = "2026-01-01T10:00:00+00:00", "2026-01-01T10:00:01+00:00"


def write_old(library, edits=(), adding=()):
    for name, records in (("edits.jsonl", edits), ("undo.jsonl", adding)):
        (library.state / name).write_text("".join(json.dumps(r) + "\n" for r in records))


@pytest.mark.parametrize(
    ("edits", "adding", "said"),
    [
        ([old_note(ADDED, BOTH, T1)], [old_add(LIST, ADDED, T0)], ["note on A", "added 'FNet'"]),
        ([old_note(LIST, NOTED, T0)], [old_add(NOTED, BOTH, T1)], ["added 'FNet'", "note on A"]),
        ([old_note(ADDED, BOTH, T0)], [old_add(LIST, ADDED, T0)], ["note on A", "added 'FNet'"]),
        ([old_note(LIST, NOTED, T0)], [old_add(NOTED, BOTH, T0)], ["added 'FNet'", "note on A"]),
        (
            [old_note(LIST, NOTED, T0), old_note(BOTH, TWICE, T1, "note on B")],
            [old_add(NOTED, BOTH, T0)],
            ["note on B", "added 'FNet'", "note on A"],
        ),
    ],
)
def test_both_old_journals_are_taken_back_in_the_order_of_their_times(library, edits, adding, said):
    path_of(library).write_text(TWICE if len(edits) == 2 else BOTH)
    write_old(library, edits, adding)
    before = {name: (library.state / name).read_bytes() for name in ("edits.jsonl", "undo.jsonl")}
    assert [undo(library).what for _ in said] == said
    assert text_of(library) == LIST
    with pytest.raises(UsageError, match="nothing to undo"):
        undo(library)
    assert {name: (library.state / name).read_bytes() for name in before} == before


def test_old_journals_are_read_once_and_new_changes_come_after_them(library):
    path_of(library).write_text(ADDED)
    undone = old_add(ADDED, BOTH, T1, "added 'X'")
    write_old(library, [], [old_add(LIST, ADDED, T0), undone, {"undone": undone["id"]}])
    note(library, "new")
    write_old(library)  # whatever another program does to them now
    assert undo(library).what == "note on A"
    assert undo(library).what == "added 'FNet'"
    assert text_of(library) == LIST


def test_old_journals_that_come_later_are_read_too(library):
    """As when a branch of git that has them is merged."""
    path_of(library).write_text(ADDED)
    note(library, "new")
    noted = text_of(library)
    write_old(library, [], [old_add(LIST, ADDED, T0)])
    assert [change.what for change in load_changes(library)] == ["added 'FNet'", "note on A"]
    assert undo(library).what == "note on A"
    assert noted != text_of(library) == ADDED
    assert undo(library).what == "added 'FNet'"
    assert text_of(library) == LIST


def test_what_the_old_journals_kept_and_passed_over_comes_back(library):
    Inbox(library).collect([SavedItem("bookmarks", FNET.url, "FNet")])
    (pending,) = load_waiting(library).pending
    carry_out(library, desk.pass_over(pending))
    history_path(library).unlink()
    save_kept(library.folder, [Kept(A, state="read", since="2026-01-02")])
    before = Kept(A, state="reading", since="2026-01-01")
    edit = {"list": "list.md", "what": "read A", "at": T0, "digest": digest(LIST), "edits": [],
            "kept": {str(A): before.to_record(), "arxiv:2101.00002": None}}  # fmt: skip
    write_old(
        library,
        [edit],
        [{"id": "pass x", "passed": [pending.name], "what": "passed over 'FNet'", "on": T1}],
    )
    assert undo(library).what == "passed over 'FNet'"
    assert len(load_waiting(library).pending) == 1
    assert undo(library).what == "read A"
    assert load_kept(library.folder) == {A: before}


def test_old_lines_that_somebody_spoilt_are_passed_over(library):
    path_of(library).write_text(NOTED)
    write_old(library, [old_note(LIST, NOTED, T0)])
    with (library.state / "edits.jsonl").open("a") as file:
        file.write(
            '1\nnull\n[]\n{"list": 1}\n{"digest": "x", "what": "y", "at": "z", "list": "l", "edits": [3]}\n'
        )
    assert undo(library).what == "note on A"
    assert text_of(library) == LIST


def test_change_beside_the_list_names_no_list(library):
    change = mark(library, "reading")
    assert (change.list, change.before, change.after) == ("", "", "")


def test_plan_without_a_list_shows_no_lines():
    assert Plan("passed over 'x'", passing=("x",)).diff() == []
