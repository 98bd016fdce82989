"""Each check fires on its defect, at its line, and not on what is right."""

import subprocess
import sys

import pytest

from studiolo.lists import Document, check, entry, said_outside
from studiolo.lists.checks import CHECKS


def findings(tmp_path, text, name="list.md", **options):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [(f.check, f.line) for f in check([Document.load(path)], **options)]


BROKEN = {
    "a space before the parenthesis": "* [A] (https://arxiv.org/abs/2101.00001)",
    "brackets the wrong way round": "* (A)[https://arxiv.org/abs/2101.00001]",
    "no closing bracket": "* [A(https://arxiv.org/abs/2101.00001)",
    "no closing parenthesis": "* [A](https://arxiv.org/abs/2101.00001",
    "a space in the address": "* [A](https://example.org/my paper.pdf)",
    "no address": "* [A]()",
    "a misspelt scheme": "* [A](http//arxiv.org/abs/2101.00001)",
    "one slash": "* [A](https:/arxiv.org/abs/2101.00001)",
    "twice http": "* [A](http://https://arxiv.org/abs/2101.00001)",
    "an undefined reference": "* [A][b]\n\n[a]: https://arxiv.org/abs/2101.00001",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_broken_link_is_found(tmp_path, text):
    assert ("broken-link", 3) in findings(tmp_path, f"# P\n\n{text}\n")


@pytest.mark.parametrize(
    "text",
    [
        "[A](https://arxiv.org/abs/2101.00001  )",
        "[A](<https://example.org/my paper.pdf>)",
        "[A](https://example.org/a_(b))",
        '[A](https://example.org/a "title")',
        "`[A] (https://example.org)` is wrong",
        "a [0, 1] (see https://example.org)",
        "([A](https://example.org)) (https://example.org)",
        "[[A]](https://example.org) [x] (y)",
        "see [A][b] and [1] (https://example.org/a, https://example.org/b)\n\n[b]: https://example.org/c",
        "f(x)[0] and g(y)[i]",
    ],
)
def test_link_that_works_is_not_called_broken(tmp_path, text):
    assert "broken-link" not in {name for name, _ in findings(tmp_path, f"* {text}\n")}


def test_one_paper_twice_names_the_first_place(tmp_path):
    path = tmp_path / "list.md"
    path.write_text(
        "* https://arxiv.org/abs/2101.00001\n* [B](https://arxiv.org/pdf/2101.00001v2.pdf)\n"
    )
    (finding,) = check([Document.load(path)])
    assert str(finding) == (
        f"{path}:2: twice: arxiv:2101.00001 is also at {path}:1. Keep one of them, and link to it from the other place."
    )


def test_two_places_of_one_repository_are_two(tmp_path):
    repo = "https://github.com/google-research/google-research/tree/master"
    assert findings(tmp_path, f"* {repo}/performer\n* {repo}/f_net\n") == []
    assert findings(tmp_path, f"* {repo}/performer\n* {repo}/performer\n") == [("twice", 2)]


def test_papers_are_compared_across_lists(tmp_path):
    docs = []
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("* https://arxiv.org/abs/2101.00001\n")
        docs.append(Document.load(tmp_path / name))
    assert [(f.check, f.path) for f in check(docs)] == [("twice", str(tmp_path / "b.md"))]


def test_dead_relative_link_and_living_one(tmp_path):
    (tmp_path / "topics").mkdir()
    (tmp_path / "topics/a b.md").write_text("x")
    text = (
        "* [a](topics/a%20b.md#there) [b](topics/b.md)\n* ![c](c.png) [d](/absolute) [e](topics)\n"
    )
    assert findings(tmp_path, text) == [("dead-link", 1), ("dead-link", 2)]


def test_dead_anchor(tmp_path):
    text = "# A Heading, with: *marks*!\n\n* [a](#a-heading-with-marks)\n* [b](#b) [c](#c)\n\n<a name='c'></a>\n"
    assert findings(tmp_path, text) == [("dead-anchor", 4)]


def test_empty_section(tmp_path):
    text = (
        "# A\n\n## B\n\n<!-- c -->\n\n## C\n\nwords\n\n## [D](https://arxiv.org/abs/2101.00001)\n"
    )
    assert findings(tmp_path, text) == [("empty-section", 3), ("not-read", 11)]


def test_links_to_papers_in_prose_and_headings_are_said_not_to_be_read(tmp_path):
    text = (
        "We build on [A](https://arxiv.org/abs/2101.00001), which is good.\n\n"
        "## [B](https://arxiv.org/abs/2101.00002)\n\n* [C](https://arxiv.org/abs/2101.00003)\n"
    )
    assert findings(tmp_path, text) == [("not-read", 1)]
    document = Document(text.encode())
    assert said_outside(document.links_outside) == (
        "2 links to papers stand outside of entries (lines 1, 3)."
    )
    streamed = Document(text.encode())
    assert [entry.title for entry in streamed.each_entry()] == ["C"]
    assert streamed.links_outside == document.links_outside


def test_unknown_host_is_named_once(tmp_path):
    text = "* https://blog.example.org/a\n* https://blog.example.org/b\n* https://example.org/paper.pdf\n"
    assert findings(tmp_path, text) == [("unknown-host", 1)]


def test_open_question_until_it_is_answered(tmp_path):
    assert findings(tmp_path, "* a\n  * Q: why?\n") == [("unanswered-question", 2)]
    assert findings(tmp_path, "* a\n  * Q: why?\n    * A: because\n") == []
    assert findings(tmp_path, "* a\n  * Q: why?\n", answered=lambda entry, question: True) == []


def test_file_that_is_not_utf8(tmp_path):
    assert ("not-utf8", 1) in findings(tmp_path, "* Größe\n".encode("latin-1"))


def test_both_sides_of_a_merge(tmp_path):
    both = b"# L\n\n<<<<<<< HEAD\n* [A](https://e.org/a)\n=======\n* [B](https://e.org/b)\n>>>>>>> other\n"
    assert ("merge", 3) in findings(tmp_path, both)
    assert not any(
        name == "merge" for name, _ in findings(tmp_path, both.replace(b">>>>>>> ", b"> "))
    )


def test_every_check_has_a_test(tmp_path):
    text = "\n".join(
        [
            "# E",
            "# P",
            "* [x] (https://e.org/a)",
            "* [y](n.md) [z](#n)",
            "* Q: w?",
            "* a",
            "* https://arxiv.org/abs/2101.00001",
            "# [R](https://arxiv.org/abs/2101.00002)",
            "<<<<<<< a\n=======\n>>>>>>> b",
        ]
        * 2
    )
    found = {name for name, _ in findings(tmp_path, text.encode() + b"\xff")}
    assert found == set(CHECKS)


def test_bundled_list_has_no_error(seed):
    if "example" not in str(seed.path):
        pytest.skip("its topics are not beside it")
    levels = {f.level for f in check([seed]) if f.check != "dead-link"}
    assert levels <= {"warning"}


def test_check_takes_no_title_apart_unless_a_question_asks_for_its_entry(monkeypatch):
    asked = []
    real = entry.read_naming
    monkeypatch.setattr(entry, "read_naming", lambda *a, **k: asked.append(a) or real(*a, **k))
    doc = Document(
        b"* [A](https://arxiv.org/abs/2101.00001)\n* [B](https://arxiv.org/abs/2101.00002)\n  * Q: why?\n"
    )
    assert check([doc], answered=lambda owner, question: owner.title == "B") == []
    assert len(asked) == 1


def test_anchor_of_a_later_heading_is_found_and_a_question_is_answered_in_the_next_section():
    doc = Document(b"[to](#b)\n\nQ: why?\n\n# B\n\nA: so.\n\n[up](#c)\n")
    assert [(f.check, f.line) for f in check([doc])] == [("dead-anchor", 9)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# A\n", [1]),
        ("# A\n\n## B\n\n* b\n", []),
        ("# A\n\n## B\n\n# C\n\n* c\n", [3]),
        ("# A\n\n# C\n", [1, 3]),
        ("# [A](https://a.org)\n", []),
        ("# A\n\n<!-- x -->\n\n---\n", [1]),
    ],
)
def test_section_is_empty_if_nothing_stands_below_it_and_no_part_of_it_follows(text, lines):
    found = check([Document(text.encode())])
    assert [f.line for f in found if f.check == "empty-section"] == lines


@pytest.mark.slow
def test_check_of_forty_thousand_entries_holds_one_section_at_a_time(tmp_path):
    """At ten times as many, in proportion: below 700 MB."""
    path = tmp_path / "big.md"
    with path.open("w") as file:
        for i in range(40_000):
            if i % 500 == 0:
                file.write(f"\n## Topic {i // 500}\n\n")
            address = f"https://arxiv.org/abs/{15 + i % 8}{1 + i % 12:02d}.{i:05d}"
            file.write(f"* [Some title of paper {i}]({address}) - {2008 + i % 16}\n")
    code = """
import re, sys
from studiolo.lists import Document, check
check([Document.load(sys.argv[1])])
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) / 1024 < 90


def test_names_of_a_vault_may_lie_anywhere(tmp_path):
    path = tmp_path / "notes.md"
    path.write_text("* [[Some Note]]\n\n![[Picture.png]] ![[Other Note]]\n\n![missing](no.png)\n")
    assert [fault.says for fault in check([Document.load(path)])] == ["no.png does not exist."]
