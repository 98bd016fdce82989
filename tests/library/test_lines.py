import pytest

from studiolo.errors import UsageError
from studiolo.library import (
    Library,
    Listed,
    carry_out,
    choices,
    desk,
    diff_of_kept,
    lines_of,
    load_changes,
    plan_undo,
    read_filter,
    tag,
    undo,
)
from studiolo.library.references import Sayings


LIST = """# Reading

# To Review

## Théorie

* [Fourier mixing](https://arxiv.org/abs/2105.03824) - 2021 #nlp
  * Q: Could this be faster?
  * https://github.com/someone/code
* [Ridge](https://arxiv.org/abs/2001.00001) - 2020

# Read

* [Old paper](https://arxiv.org/abs/1001.00001) - 2010
  * a note about kernels
"""


@pytest.fixture
def home(library):
    (library / "list.md").write_text(LIST)
    return Library(library)


def lines(home, **words):
    document = home.documents[home.folder / "list.md"]
    wanted = read_filter(**words)
    found = lines_of(document, Sayings.load(home), frozenset({"arxiv:2105.03824"}))
    return [line.entry.title for line in found if wanted.takes(line)]


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ({}, ["Fourier mixing", "Ridge", "Old paper"]),
        ({"words": "MIX four"}, ["Fourier mixing"]),
        ({"words": "kernels"}, ["Old paper"]),
        ({"words": "faster"}, ["Fourier mixing"]),
        ({"state": "read"}, ["Old paper"]),
        ({"state": "to read"}, ["Fourier mixing", "Ridge"]),
        ({"tags": ["#NLP"]}, ["Fourier mixing"]),
        ({"year": "2020"}, ["Ridge"]),
        ({"year": "2020.."}, ["Fourier mixing", "Ridge"]),
        ({"year": "..2020"}, ["Ridge", "Old paper"]),
        ({"year": "2010-2020"}, ["Ridge", "Old paper"]),
        ({"has": ["question"]}, ["Fourier mixing"]),
        ({"has": ["code", "claims"]}, ["Fourier mixing"]),
        ({"has": ["note"]}, ["Old paper"]),
        ({"source": "list"}, ["Fourier mixing", "Ridge", "Old paper"]),
        ({"source": "zotero"}, []),
        ({"section": "Reading"}, []),
        ({"section": "To Review > Théorie"}, ["Fourier mixing", "Ridge"]),
        ({"section": "Read", "words": "kernels"}, ["Old paper"]),
    ],
    ids=str,
)
def test_filter_takes_what_is_asked_for(home, words, titles):
    assert lines(home, **words) == titles


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"state": "done"}, "'done' is not a reading state"),
        ({"has": ["money"]}, "Entries do not have 'money'"),
        ({"year": "soon"}, "'soon' is not a year. Write 2021"),
        ({"year": ".."}, "'..' is not a year"),
        ({"year": "٢٠٢١"}, "is not a year"),
    ],
    ids=str,
)
def test_filter_that_means_nothing_says_what_it_could(words, says):
    with pytest.raises(UsageError, match=says.replace(".", r"\.")):
        read_filter(**words)


def test_choices_count_the_lines_that_have_each(home):
    document = home.documents[home.folder / "list.md"]
    found = choices(lines_of(document, Sayings.load(home)))
    assert found["state"] == {"to read": 2, "read": 1}
    assert found["tag"] == {"nlp": 1}
    assert found["has"] == {"question": 1, "code": 1, "note": 1}


def test_library_read_again_keeps_what_was_parsed_of_unchanged_lists(home):
    (home.folder / "other.md").write_text("# Other\n")
    first = home.again()
    (home.folder / "other.md").write_text("# Another\n")
    second = first.again()
    assert second.documents[home.folder / "list.md"] is first.documents[home.folder / "list.md"]
    assert second.documents[home.folder / "other.md"].data == b"# Another\n"
    assert first.documents[home.folder / "other.md"].data == b"# Other\n"


def entry(home, number):
    document = home.documents[home.folder / "list.md"]
    return Listed(document, document.entries[number])


def test_undo_is_shown_before_it_is_done(home):
    carry_out(home, desk.note(home, entry(home, 1), "first"))
    change, plan = plan_undo(home)
    assert change.what == "note on Ridge"
    assert [line for line in plan.diff(0) if line[0] in "+-"] == ["-  * first"]
    after = plan.after.data
    assert load_changes(home)  # nothing was written
    assert undo(home).id == change.id
    assert (home.folder / "list.md").read_bytes() == after == LIST.encode()
    with pytest.raises(UsageError, match="There is nothing to undo"):
        plan_undo(home)


def test_undo_of_what_is_kept_beside_the_list_has_no_diff(home):
    carry_out(home, tag(home, entry(home, 1), ["ml"]))
    carry_out(home, desk.say_no(home, entry(home, 0).entry.key))
    change, plan = plan_undo(home)
    assert (change.what, plan.diff()) == ("not for me: arxiv:2105.03824", [])


def test_lines_of_the_kept_file_that_a_plan_changes_are_shown(home):
    (home.folder / "list.md").write_text("# L\n\n* [A](https://arxiv.org/abs/2101.00001)\n")
    home.forget()
    plan = desk.mark(home, entry(home, 0), "read")
    (line,) = diff_of_kept(home.folder, plan.keeping)
    carry_out(home, plan)
    written = (home.folder / ".studiolo" / "reading.jsonl").read_text().splitlines()
    assert [line] == [f"+{one}" for one in written]
    again = diff_of_kept(home.folder, desk.mark(home, entry(home, 0), "reading").keeping)
    assert again[0] == f"-{written[0]}"
    assert '"state": "reading"' in again[1]


def test_tags_of_lines_are_what_the_vocabulary_says(home):
    (home.state / "tags.toml").write_text('nlp = "language"\n')
    document = home.documents[home.folder / "list.md"]
    sayings = Sayings.load(home)
    one = lines_of(document, sayings)[0]
    assert one.tags == ("language",)
    for typed in ("#NLP", "language"):
        assert read_filter(tags=[typed], vocabulary=sayings.vocabulary).takes(one)
    assert not read_filter(tags=["vision"], vocabulary=sayings.vocabulary).takes(one)
