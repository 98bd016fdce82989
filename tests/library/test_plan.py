"""One edit says what two plans change together."""

import pytest

from studiolo.library.plan import difference
from studiolo.lists import apply_edits, inverse


@pytest.mark.parametrize(
    ("old", "new", "whole_lines"),
    [
        (b"# A\n\n# B\n", b"# A\n\n## C\n\n# B\n", True),
        (b"# A\n\n# B\n", b"# A\n\n# C\n\n* x\n\n# B\n", True),
        (b"* a\n* b", b"* a\n* b\n* c", False),
        (b"* a\n* b\n", b"* b\n", False),
        (b"* [ ] a\n", b"* [x] a\n", False),
        (b"", b"* a\n", True),
        (b"aaa", b"aa", False),
    ],
)
def test_difference_makes_the_one_of_the_other_and_back(old, new, whole_lines):
    edit = difference(old, new)
    assert edit is not None
    assert apply_edits(old, [edit]) == new
    assert apply_edits(new, inverse([edit])) == old
    if whole_lines:
        assert edit.old == b""
        assert edit.new.endswith(b"\n")
        assert old[: edit.start].endswith(b"\n") or edit.start == 0


def test_equal_texts_have_no_difference():
    assert difference(b"a", b"a") is None
