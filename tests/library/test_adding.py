import shutil

import pytest

from studiolo.errors import ListError, StaleEdit, UsageError
from studiolo.library import (
    Inbox,
    Library,
    Proposal,
    carry_out,
    desk,
    load_waiting,
    save_new_list,
    sections_of,
    undo,
)
from studiolo.library.items import item_of
from studiolo.library.placing import propose
from studiolo.library.putting import plan_entry as plan_item, plan_notes
from studiolo.lists import Document, Item
from studiolo.sources import SavedItem, SavedLink
from tests.sources.reading import shared


LIST = """# Reading

# To Review

## Transformers

* Performers - 2020 - [Rethinking Attention with Performers](https://arxiv.org/abs/2009.14794)
  * linear attention

## Causal Inference

<!-- end -->
"""
FNET = "https://arxiv.org/abs/2105.03824"


@pytest.fixture
def library(tmp_path):
    (tmp_path / "list.md").write_text(LIST)
    return Library(tmp_path)


def collect(library, *things):
    Inbox(library).collect(things)
    return load_waiting(library)


def fnet(**more):
    return SavedItem("bookmarks", FNET, "[2105.03824] FNet: Mixing Tokens", **more)


def document(library):
    return Document.load(library.folder / "list.md")


def plan_entry(doc, item, section):
    return plan_item(
        doc, item, Proposal((section,) if isinstance(section, str) else section, "", 1.0)
    )


def test_plan_shows_exactly_the_lines_it_adds(library):
    view = collect(
        library,
        fnet(note="speed up pretraining?"),
        SavedItem(
            "github-stars",
            "https://github.com/google-research/fnet",
            "google-research/fnet",
            links=(SavedLink("badge", FNET),),
        ),
    )
    plan = plan_entry(document(library), item_of(view.pending[0], view), "Transformers")
    added = [line for line in plan.diff() if line.startswith("+")]
    assert added == [
        "+* FNet - 2021 - [FNet: Mixing Tokens](https://arxiv.org/abs/2105.03824)",
        "+  * speed up pretraining?",
        "+  * https://github.com/google-research/fnet",
    ]
    assert not [line for line in plan.diff() if line.startswith("-")]
    assert (library.folder / "list.md").read_text() == LIST


def test_only_the_plan_is_written_and_undo_gives_every_byte_back(library):
    view = collect(library, fnet())
    plan = plan_entry(document(library), item_of(view.pending[0], view), "Transformers")
    carry_out(library, plan)
    assert (library.folder / "list.md").read_bytes() == plan.after.data != plan.before.data
    assert load_waiting(Library(library.folder)).pending == []
    assert undo(library).what == "added 'FNet: Mixing Tokens'"
    assert (library.folder / "list.md").read_text() == LIST
    assert len(load_waiting(Library(library.folder)).pending) == 1


def test_undo_goes_back_step_by_step_and_then_says_so(library):
    for number in range(3):
        carry_out(
            library,
            plan_entry(
                document(library),
                Item(f"Sparse map {number}", f"https://arxiv.org/abs/2001.0000{number}"),
                "Transformers",
            ),
        )
    assert [undo(library).what for _ in range(3)] == [
        "added 'Sparse map 2'",
        "added 'Sparse map 1'",
        "added 'Sparse map 0'",
    ]
    assert (library.folder / "list.md").read_text() == LIST
    with pytest.raises(UsageError, match="There is nothing to undo"):
        undo(library)


def test_undo_keeps_what_was_written_elsewhere_since(library):
    carry_out(library, plan_entry(document(library), Item("FNet", FNET), "Transformers"))
    path = library.folder / "list.md"
    path.write_text("New first line\n" + path.read_text())
    undo(library)
    assert path.read_text() == "New first line\n" + LIST


def test_undo_refuses_where_its_lines_were_edited(library):
    carry_out(library, plan_entry(document(library), Item("FNet", FNET), "Transformers"))
    path = library.folder / "list.md"
    path.write_text(path.read_text().replace("FNet", "FNet (great)"))
    text = path.read_text()
    with pytest.raises(StaleEdit, match="was edited where Studiolo had written"):
        undo(library)
    assert path.read_text() == text


def test_plan_for_a_list_that_changed_meanwhile_is_refused(library):
    plan = plan_entry(document(library), Item("FNet", FNET), "Transformers")
    path = library.folder / "list.md"
    path.write_text(LIST + "\nmore\n")
    with pytest.raises(StaleEdit, match="has changed since it was read"):
        carry_out(library, plan)
    assert path.read_text() == LIST + "\nmore\n"
    path.write_text(LIST)
    with pytest.raises(UsageError, match="nothing to undo"):
        undo(library)


def test_passing_over_can_be_undone(library):
    view = collect(library, fnet())
    carry_out(library, desk.pass_over(view.pending[0]))
    assert load_waiting(library).pending == []
    assert undo(library).what == "passed over 'FNet: Mixing Tokens'"
    assert len(load_waiting(library).pending) == 1


def test_code_of_a_listed_paper_is_noted_below_it(library):
    doc = document(library)
    plan = plan_notes(doc, doc.entries[0], ["https://github.com/google-research/performer"])
    assert [line for line in plan.diff() if line.startswith("+")] == [
        "+  * https://github.com/google-research/performer"
    ]
    carry_out(library, plan)
    assert undo(library).what.startswith(
        "noted 'https://github.com/google-research/performer' below"
    )


@pytest.mark.parametrize(
    "title",
    [
        "x](javascript:alert(1)) [y",
        "<script>alert(1)</script>",
        "a\n# heading\n* item",
        "`code` *bold* [link] ![image](http://evil/x.png)",
        "<!-- TAGS",
    ],
)
def test_title_that_would_be_markup_becomes_one_entry_with_one_link(library, title):
    view = collect(library, SavedItem("bookmarks", FNET, title, note=f"note {title}"))
    plan = plan_entry(document(library), item_of(view.pending[0], view), "Transformers")
    (new,) = [entry for entry in plan.after.entries if str(entry.key) == "arxiv:2105.03824"]
    assert [link.url for link in new.links if link.mention] == [FNET]
    assert len(plan.after.headings) == len(document(library).headings)
    assert plan.after.images == ()
    assert b"<script>alert" not in plan.after.data.replace(b"\\<", b"")
    assert len(plan.after.entries) == len(document(library).entries) + 1


def test_title_that_would_not_read_back_is_refused(library):
    view = collect(library, SavedItem("bookmarks", FNET, "* * *"))
    with pytest.raises(ListError, match="would not read back as its own title"):
        plan_entry(document(library), item_of(view.pending[0], view), "Transformers")


def test_first_list_is_made_with_a_section(tmp_path):
    path = save_new_list(Library(tmp_path))
    assert [s.path for s in sections_of(Document.load(path))] == [("Reading list", "To Review")]
    with pytest.raises(StaleEdit):
        save_new_list(Library(tmp_path))


def best(library, thing):
    view = collect(library, thing)
    return propose(view.pending[0], document(library), view.facts)[0]


def test_folder_of_the_same_name_is_the_section(library):
    proposal = best(library, fnet(folder=("Papers", "causal inference")))
    assert proposal.section.path == ("To Review", "Causal Inference")
    assert proposal.reason == "you saved it with the folder “causal inference”"


def test_tag_of_the_same_name_is_the_section(library):
    assert (
        best(library, fnet(tags=("transformer",))).reason
        == "you saved it with the tag “transformer”"
    )


def test_alike_words_are_a_reason_and_are_shown(library):
    proposal = best(library, SavedItem("bookmarks", FNET, "Linear attention for all"))
    assert proposal.section.path == ("To Review", "Transformers")
    assert proposal.reason == "shares “attention” and “linear” with its entries"


def test_without_any_likeness_the_largest_section_is_proposed_and_it_is_said(library):
    proposal = best(library, SavedItem("bookmarks", FNET, "Something else"))
    assert proposal.section.path == ("To Review", "Transformers")
    assert proposal.reason == "nothing matches; this section has the most entries"


def test_word_of_any_subject_is_no_reason_before_another(library):
    path = library.main_list()
    path.write_text(path.read_text().replace("linear attention", "linear attention, learning"))
    library.forget()
    waiting = load_waiting(library)
    typed = desk.thing_to_add(waiting, "arxiv:1706.03762", title="Learning of zebras")
    plan = desk.add(library, waiting, typed, path=path, title="Learning of zebras")
    assert plan.reason == "no subject matches; shares only “learning” with its entries"
    plan = desk.add(library, waiting, typed, path=path, title="A paper on zebras")
    assert plan.reason == "nothing matches; this section has the most entries"
    plan = desk.add(library, waiting, typed, path=path, title="Attention of zebras")
    assert plan.reason == "shares “attention” with its entries"


def test_list_without_headings_gets_no_proposal(tmp_path):
    (tmp_path / "list.md").write_text("* a\n")
    library = Library(tmp_path)
    view = collect(library, fnet())
    assert propose(view.pending[0], Document.load(tmp_path / "list.md"), {}) == []


def test_every_section_of_the_real_lists_takes_an_entry_and_gives_it_back(tmp_path):
    added = 0
    for path in sorted(shared("lists").glob("*.md")):
        shutil.copy(path, tmp_path / "list.md")
        library = Library(tmp_path)
        before = Document.load(tmp_path / "list.md")
        for section in sections_of(before)[:12]:
            try:
                plan = plan_entry(
                    before, Item("FNet: Mixing", FNET, year=2021, notes=("a note",)), section
                )
            except UsageError:  # a heading that stands twice
                continue
            carry_out(library, plan)
            assert plan.after.data.startswith(before.data[: plan.edits[0].start])
            undo(library)
            assert (tmp_path / "list.md").read_bytes() == path.read_bytes()
            added += 1
    assert added > 40


def test_new_entries_go_to_lists_before_topics(tmp_path):
    for place, entries in (("lists/a.md", 1), ("topics/b.md", 9), ("README.md", 5)):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        lines = "".join(f"* https://arxiv.org/abs/2001.0000{number}\n" for number in range(entries))
        (tmp_path / place).write_text(f"# {place}\n\n{lines}")
    library = Library(tmp_path)
    assert library.main_list() == tmp_path / "lists/a.md"
    assert library.list_with_section("topics/b.md") == tmp_path / "topics/b.md"
    assert library.list_with_section("nowhere") is None
    assert Library(tmp_path / "none").main_list() is None
