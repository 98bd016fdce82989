"""A process that dies at any write loses nothing that was written before, and never spoils a list."""

import os
import shutil
import signal

import pytest

from studiolo.library import (
    Inbox,
    Library,
    Proposal,
    carry_out,
    inbox as inbox_module,
    load_waiting,
    undo,
)
from studiolo.library.inbox import load_items
from studiolo.library.items import item_of
from studiolo.library.putting import plan_entry
from studiolo.lists import Document
from studiolo.sources import SavedFolder, SavedItem


LIST = "# To Review\n\n* [A](https://arxiv.org/abs/2009.14794)\n* [B](https://arxiv.org/abs/1912.07242)\n"
TO_REVIEW = Proposal(("To Review",), "", 1.0)
CALLS = ("write", "fsync", "replace", "ftruncate", "fchmod", "open")


def run_and_die(work, nth, *, half=False):
    """Run `work` in a child that kills itself at the nth call that touches the disk; return whether it got that far."""
    child = os.fork()
    if child == 0:
        count = 0

        def dying(name):
            real = getattr(os, name)

            def call(*arguments, **more):
                nonlocal count
                count += 1
                if count == nth:
                    if half and name == "write":
                        real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **more)

            return call

        for name in CALLS:
            setattr(os, name, dying(name))
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def items(count, start=0):
    return [
        SavedItem("bookmarks", f"https://x.org/{number}", f"T{number}", note="n" * 50)
        for number in range(start, start + count)
    ]


@pytest.mark.parametrize("half", [pytest.param(False, marks=pytest.mark.slow), True])
def test_collecting_survives_death_at_every_write(tmp_path, monkeypatch, half):
    monkeypatch.setattr(inbox_module, "BATCH", 3)
    first = [SavedFolder("bookmarks", ("F",)), *items(4)]
    both = [*first, *items(8, start=4)]
    died = deaths = 0
    for nth in range(1, 60):
        folder = tmp_path / str(nth)
        folder.mkdir()
        library = Library(folder)
        Inbox(library).collect(first)
        earlier = list(load_items(library))
        died = run_and_die(
            lambda library=library: Inbox(library).collect(both, source="bookmarks", of="x"),
            nth,
            half=half,
        )
        deaths += died
        after = list(load_items(library))
        assert after[: len(earlier)] == earlier
        assert after == items(len(after))
        assert not (
            died and Inbox(library).was_read_to_the_end("bookmarks", "x") and len(after) < 12
        )
        counts = Inbox(library).collect(both, source="bookmarks", of="x")
        assert (counts.new, counts.known) == (12 - len(after), len(after))
        assert list(load_items(library)) == items(12)
        shutil.rmtree(folder)
        if not died:
            break
    assert deaths >= 8
    assert not died


@pytest.mark.parametrize("half", [pytest.param(False, marks=pytest.mark.slow), True])
def test_adding_to_a_list_survives_death_at_every_write(tmp_path, half):
    died = deaths = 0
    for nth in range(1, 60):
        folder = tmp_path / str(nth)
        folder.mkdir()
        path = folder / "list.md"
        path.write_text(LIST)
        library = Library(folder)
        Inbox(library).collect([SavedItem("bookmarks", "https://arxiv.org/abs/2105.03824", "FNet")])
        view = load_waiting(library)
        plan = plan_entry(Document.load(path), item_of(view.pending[0], view), TO_REVIEW)
        died = run_and_die(
            lambda library=library, plan=plan: carry_out(library, plan), nth, half=half
        )
        deaths += died
        assert path.read_bytes() in {plan.before.data, plan.after.data}
        if path.read_bytes() == plan.after.data:
            undo(library)
        assert path.read_text() == LIST
        carry_out(library, plan)
        assert path.read_bytes() == plan.after.data
        assert undo(library).what == "added 'FNet'"
        assert path.read_text() == LIST
        assert len(list(load_items(library))) == 1
        shutil.rmtree(folder)
        if not died:
            break
    assert deaths >= 5
    assert not died


def test_undo_survives_death_at_every_write(tmp_path):
    died = deaths = 0
    for nth in range(1, 60):
        folder = tmp_path / str(nth)
        folder.mkdir()
        path = folder / "list.md"
        path.write_text(LIST)
        library = Library(folder)
        Inbox(library).collect([SavedItem("bookmarks", "https://arxiv.org/abs/2105.03824", "FNet")])
        view = load_waiting(library)
        plan = plan_entry(Document.load(path), item_of(view.pending[0], view), TO_REVIEW)
        carry_out(library, plan)
        died = run_and_die(lambda library=library: undo(library), nth, half=True)
        deaths += died
        assert path.read_bytes() in {plan.before.data, plan.after.data}
        if path.read_bytes() == plan.after.data:
            undo(library)
        assert path.read_text() == LIST
        shutil.rmtree(folder)
        if not died:
            break
    assert deaths >= 4
    assert not died
