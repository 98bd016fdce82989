"""A cite key that was exported once stays with its paper."""

import json
from dataclasses import replace

import pytest

from studiolo.errors import UsageError
from studiolo.keys import Key
from studiolo.library import (
    Library,
    Reference,
    carry_out,
    cite_key_of,
    keep_cite_keys,
    load_cite_keys,
    plan_cite_key,
    plan_undo,
    undo,
    with_cite_keys,
)
from studiolo.library.cite_keys import CiteKeys, cite_keys_path


OLD = Key("arxiv", "2106.00005")
NEW = Key("arxiv", "2001.00002")
DOI = Key("doi", "10.1000/x.1")


def work(key, title="Learning to wait", author="Ann Poe", year=2021, **more):
    return Reference(key, f"https://x.org/{key}", title, (author,), year, keys=(key,), **more)


def names(library, *works):
    return [one.cite_key for one in keep_cite_keys(library, works)]


def choose(library, keys, name):
    plan = plan_cite_key(library, keys, name)
    if plan:
        carry_out(library, plan)


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path)


def test_added_paper_takes_no_key_that_was_exported(library):
    assert names(library, work(OLD)) == ["poe2021learning"]
    assert names(library, work(NEW), work(OLD)) == ["poe2021learninga", "poe2021learning"]
    assert names(library, work(OLD), work(NEW)) == ["poe2021learning", "poe2021learninga"]


def test_corrected_title_author_or_year_changes_no_key(library):
    names(library, work(OLD))
    assert names(library, work(OLD, "Another title", "Bob Roe", 2022)) == ["poe2021learning"]


def test_key_of_a_paper_that_left_the_list_is_nobody_elses(library):
    names(library, work(OLD))
    assert names(library, work(NEW)) == ["poe2021learninga"]


def test_paper_that_gets_another_identity_keeps_its_key(library):
    names(library, work(OLD))
    published = replace(work(DOI), keys=(DOI, OLD))
    assert names(library, published) == ["poe2021learning"]


def test_other_things_below_a_paper_lend_it_no_key(library):
    code = Key("github", "o/n")
    names(library, work(code, "Code"))
    assert names(library, replace(work(OLD), keys=(OLD, code))) == ["poe2021learning"]


def test_bibliographys_own_key_comes_first_and_is_given_once(library):
    works = [work(OLD, cite_key="Poe:2021"), work(NEW, cite_key="poe:2021"), work(DOI, cite_key="a b{}")]  # fmt: skip
    assert names(library, *works) == ["poe2021learning", "poe:2021", "poe2021learninga"]


def test_exporting_twice_writes_once(library):
    names(library, work(OLD), work(NEW))
    before = cite_keys_path(library).read_bytes()
    names(library, work(NEW), work(OLD))
    assert cite_keys_path(library).read_bytes() == before
    assert [json.loads(line)["work"] for line in before.splitlines()] == [str(NEW), str(OLD)]


def test_chosen_key_is_used_from_then_on_and_the_old_one_stays_reserved(library):
    names(library, work(OLD))
    choose(library, [OLD], "poe")
    choose(library, [OLD], "poe")
    assert names(library, work(OLD), work(NEW)) == ["poe", "poe2021learninga"]
    assert cite_key_of(load_cite_keys(library), [OLD]) == "poe"
    assert len(cite_keys_path(library).read_bytes().splitlines()) == 3
    choose(library, [OLD], "poe2021learning")
    assert names(library, work(OLD)) == ["poe2021learning"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("poe2021learning", r"'poe2021learning' is the cite key of arxiv:2106\.00005\. Choose another"),
        ("Poe2021Learning", r"'Poe2021Learning' is the cite key of arxiv:2106\.00005"),
        ("two words", r"'two words' cannot be a cite key\. Use letters"),
        ("a,b", "cannot be a cite key"),
        ("{x}", "cannot be a cite key"),
        ("", "cannot be a cite key"),
        ("x\n", "cannot be a cite key"),
    ],
)  # fmt: skip
def test_key_in_use_or_that_bibtex_cannot_read_is_refused(library, name, why):
    names(library, work(OLD))
    before = cite_keys_path(library).read_bytes()
    with pytest.raises(UsageError, match=why):
        choose(library, [NEW], name)
    assert cite_keys_path(library).read_bytes() == before


def test_key_that_another_paper_had_is_refused_too(library):
    names(library, work(OLD))
    choose(library, [OLD], "poe")
    with pytest.raises(UsageError, match="'poe2021learning' was the cite key of"):
        choose(library, [NEW], "poe2021learning")


def test_chosen_key_can_be_taken_back_and_is_free_again(library):
    names(library, work(OLD))
    choose(library, [OLD], "poe")
    choose(library, [OLD], "poe21")
    assert plan_undo(library)[0].what == "cite key poe21 of arxiv:2106.00005"
    assert undo(library).what == "cite key poe21 of arxiv:2106.00005"
    assert names(library, work(OLD)) == ["poe"]
    undo(library)
    assert names(library, work(OLD)) == ["poe2021learning"]
    choose(library, [NEW], "poe")
    assert names(library, work(NEW), work(OLD)) == ["poe", "poe2021learning"]
    undo(library)
    assert cite_key_of(load_cite_keys(library), [NEW]) == ""
    with pytest.raises(UsageError, match="There is nothing to undo"):
        undo(library)


def test_of_two_branches_that_gave_one_key_the_first_line_has_it(library):
    library.prepare()
    lines = [{"work": str(OLD), "name": "poe"}, {"work": str(NEW), "name": "poe"}, {"work": str(OLD), "name": "roe"}]  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    cite_keys_path(library).write_text("<<<<<<< ours\n" + text + '[]\n{"work": 3, "name": "x"}\n')
    kept = load_cite_keys(library)
    assert kept.of == {str(OLD): "poe"}
    assert names(library, work(OLD), work(NEW)) == ["poe", "poe2021learning"]


@pytest.mark.parametrize(
    ("author", "title", "name"),
    [
        ("Lee-Thorp, James", "FNet: Mixing Tokens", "leethorp2021fnet"),
        ("Ilya van der Eckstein", "On the Way", "vandereckstein2021way"),
        ("{Institute of Things}", "A Report", "instituteofthings2021report"),
        ("Søren Østergård", "Über Ørsted", "ostergard2021uber"),
        ("王小明", "注意力", "anon2021untitled"),
    ],
)
def test_made_key_is_author_year_and_a_telling_word(author, title, name):
    (one,) = with_cite_keys([work(OLD, title, author)], CiteKeys())
    assert one.cite_key == name
