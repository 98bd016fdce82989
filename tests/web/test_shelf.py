"""What is read once and kept: a moment of the library never changes."""

from studiolo.library import Inbox, Library
from studiolo.lists import Document
from studiolo.sources import SavedItem
from studiolo.web.shelf import Shelf


PAPER = "https://arxiv.org/abs/1706.03762"
BEFORE = "# To read\n\n* [Rethinking Attention](https://arxiv.org/abs/2009.14794)\n"


def test_moment_that_is_asked_late_does_not_answer_for_the_next(tmp_path):
    """The inbox of a moment is counted seconds later: what was added and undone meanwhile waits again."""
    path = tmp_path / "list.md"
    path.write_text(BEFORE)
    Inbox(Library(tmp_path)).collect([SavedItem("bookmarks", PAPER, "Attention")])
    shelf = Shelf(Library(tmp_path))

    def written(text):
        path.write_text(text)
        shelf.adopt(Document(text.encode(), path))

    def waits(moment):
        return [one.title for one in moment.waiting.pending]

    first = shelf.moment(fresh=True)
    assert waits(first) == ["Attention"]
    written(f"{BEFORE}* [Attention]({PAPER})\n")
    second = shelf.moment(fresh=True)
    assert waits(second) == []
    written(BEFORE)
    third = shelf.moment(fresh=True)
    assert third.lists == [
        "list.md"
    ]  # a page of the list is drawn, and then the count of the moment before comes
    assert waits(second) == []
    assert waits(third) == ["Attention"]
