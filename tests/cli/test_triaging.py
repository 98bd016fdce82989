"""Triage: every answer, every step back, and one key at a terminal."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from .commands import run


LIST = "# To Review\n\n## Transformers\n\n* [Performers](https://arxiv.org/abs/2009.14794) #kernels\n\n## Causal Inference\n"
BOOKMARKS = """<!DOCTYPE NETSCAPE-Bookmark-file-1>
<DT><A HREF="https://arxiv.org/abs/1706.03762" ADD_DATE="1616337569" TAGS="nlp">Attention Is All You Need</A>
<DD>first line
second line
<DT><A HREF="https://arxiv.org/abs/2105.03824" ADD_DATE="1616337560">FNet: Mixing Tokens</A>
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    (tmp_path / "list.md").write_text(LIST)
    (tmp_path / "b.html").write_text(BOOKMARKS)
    monkeypatch.chdir(tmp_path)
    run("collect", "bookmarks", "b.html")
    return tmp_path


def text(library):
    return (library / "list.md").read_text()


def triage(*answers):
    return run("triage", typed="".join(f"{answer}\n" for answer in answers))


def test_step_back_takes_back_what_keeps_works_apart_and_nothing_else(library):
    """An addition of before is never taken back by u."""
    run("collect", "urls", "https://github.com/a/b is code of https://arxiv.org/abs/2006.11239")
    run("add", "arxiv:2105.03824", "-s", "Transformers", "--offline")
    before = text(library)
    said = run("triage", "--source", "urls", typed="d\nu\nu\nq\n")
    assert "remembered: github:a/b is not arxiv:2006.11239." in said
    assert "taken back: github:a/b and arxiv:2006.11239 are kept apart" in said
    assert "Nothing was done in this session yet" in said
    assert text(library) == before
    assert "github:a/b is about arxiv:2006.11239" in run("why", "github:a/b", "arxiv:2006.11239")


STAR = {
    "id": 7,
    "full_name": "a/b",
    "html_url": "https://github.com/a/b",
    "description": "Code of https://arxiv.org/abs/2006.11239",
}


def test_repository_that_is_kept_apart_is_said_to_wait_and_is_asked_about_with_all(library):
    (library / "stars.json").write_text(json.dumps([STAR]))
    run("collect", "github-stars", "stars.json")
    said = run("triage", "--source", "github-stars", typed="d\nq\n")
    assert "remembered: github:a/b is not arxiv:2006.11239." in said
    assert "github:a/b waits by itself, among the other pages: studiolo triage --all" in said
    assert "left 0." in said  # nothing of another source is asked about
    run("undo")
    said = run("triage", "--all", "--source", "github-stars", typed="d\nq\n")
    assert "waits by itself" not in said
    assert "2/2  a/b" in said
    assert "left 1." in said


def test_what_was_kept_apart_is_taken_back_by_undo_too(library):
    run("same", "github:a/b", "arxiv:2006.11239")
    run("not-same", "github:a/b", "arxiv:2006.11239")
    run("undo")
    assert "you said so" not in run("why", "github:a/b", "arxiv:2006.11239")
    assert "the reader says so" in run("why", "github:a/b", "arxiv:2006.11239")
    run("undo")
    assert "Nothing relates" in run("why", "github:a/b", "arxiv:2006.11239", code=1)


def test_every_step_goes_back_in_order(library):
    run("collect", "urls", "Denoising Diffusion https://arxiv.org/abs/2006.11239")
    said = triage("y", "p", "u", "u", "u", "q")
    assert "taken back: passed over 'FNet: Mixing Tokens'" in said
    assert "taken back: added 'Attention Is All You Need'" in said
    assert "Nothing was done in this session yet" in said
    assert "Written 0, passed over 0, left 3." in said
    assert text(library) == LIST


def test_step_back_from_next_only_goes_back(library):
    said = triage("n", "u", "q")
    assert said.count("1/2  Attention Is All You Need") == 2
    assert "taken back" not in said


def test_step_is_not_taken_back_after_another_change(library, monkeypatch):
    from studiolo.cli import triaging

    answers = iter(["y", "u", "q"])

    def answer(prompt):
        letter = next(answers)
        if letter == "u":
            run("read", "Performers")
        return letter

    monkeypatch.setattr(triaging, "ask_letter", answer)
    said = run("triage")
    assert "was done after “added 'Attention Is All You Need'”" in said
    assert "1706.03762" in text(library)


def test_title_tags_note_and_section_are_changed_in_place(library):
    said = triage("t Attention", "# nlp, sequence", "s Causal Inference", "y", "q")
    assert "To Review > Causal Inference: your choice" in said
    after = text(library)
    assert "[Attention](https://arxiv.org/abs/1706.03762)" in after
    assert "#nlp #sequence\n" in after
    assert after.index("## Causal Inference") < after.index("1706.03762")
    run("undo")
    assert text(library) == LIST


def test_note_is_replaced_or_added_to(library):
    triage("a a third", "y", "a the only one", "y")
    after = text(library)
    assert "* first line\n" in after
    assert "* second line\n" in after
    assert "* a third\n" in after
    assert "* the only one\n" in after


def test_state_is_chosen_with_the_step_and_taken_back_with_it(library):
    said = triage("r", "r", "y", "q")
    assert "→ Read > Transformers" in said
    assert "as read" in said
    after = text(library)
    assert after.index("# Read\n") < after.index("1706.03762")
    assert json.loads(run("log", "--json"))[0]["state"] == "read"
    run("undo")
    assert text(library) == LIST
    assert run("log", "--json") == "[]\n"


def test_new_section_is_made_for_it(library):
    triage("s +Attention", "y", "s", "Nowhere", "q")
    assert "## Attention\n\n* " in text(library)
    run("undo")
    assert text(library) == LIST


def test_tags_that_are_kept_beside_are_said_once(library):
    (library / "list.md").write_text(
        "# To Review\n\n* [Performers](https://arxiv.org/abs/2009.14794)\n"
    )
    assert "tags kept beside the list: nlp, sequence\n" in triage("# nlp, sequence", "q")


def test_changes_go_back_one_by_one(library):
    said = triage("t One", "t Two", "u", "q")
    assert said.count("[One](") == 2
    assert said.count("[Two](") == 1


def test_nothing_is_lost_when_the_reader_stops(library):
    triage("t My title", "# mine", "n", "q")
    said = triage("n", "y", "q")
    assert said.index("1/2  FNet") < said.index("2/2  Attention Is All You Need")
    assert "[My title](https://arxiv.org/abs/1706.03762)" in text(library)
    assert "#mine" in text(library)


def test_wrong_answers_change_nothing(library):
    said = triage("x", "s 99", "# a b", "q")
    assert "write it as shown" in said
    assert "'99' is not the number of a section; there are 2." in said
    assert "'a b' cannot be written as a #tag" in said
    assert "[s/p/n/t/a/#/r/d/u/q/?]" in said
    assert text(library) == LIST


def test_only_what_has_a_tag_is_asked_about(library):
    assert "1 to decide" in run("triage", "--tag", "nlp", typed="q\n")
    assert "No paper is waiting" in run("triage", "--tag", "x")


class Terminal:
    """A triage in a terminal of its own."""

    def __init__(self, folder, first="pass"):
        code = f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {first}; from studiolo.cli import main; main()"
        self.fd, inner = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "triage"],
            stdin=inner, stdout=inner, stderr=inner, cwd=folder, start_new_session=True,
            env={**os.environ, "TERM": "dumb", "NO_COLOR": "1"},
        )  # fmt: skip
        os.close(inner)
        self.said = ""

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.process.kill()
        self.process.wait()
        os.close(self.fd)

    def wait_for(self, words, times=1):
        end = time.monotonic() + 60
        while self.said.count(words) < times:
            assert time.monotonic() < end, self.said
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    self.said += os.read(self.fd, 65536).decode()
                except OSError:  # the other end is closed
                    break
        assert self.said.count(words) >= times, self.said

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def end(self):
        return self.process.wait(60)


@pytest.fixture
def terminal(library):
    with Terminal(library) as terminal:
        terminal.wait_for("q/?] ")
        yield terminal


def test_one_key_answers_at_a_terminal_and_enter_answers_nothing(library, terminal):
    terminal.type(
        "\n\x1b[A\x1b[1;5Cé \ny"
    )  # Enter, arrows, a letter, a blank: none of them is an answer
    terminal.wait_for("2/2  FNet")
    terminal.wait_for("q/?] ", 2)
    terminal.type("u")
    terminal.wait_for("taken back: added")
    terminal.wait_for("q/?] ", 3)
    terminal.type("q")
    terminal.wait_for("Written 0, passed over 0, left 2.")
    assert terminal.end() == 0
    assert text(library) == LIST


def test_ctrl_c_at_a_terminal_keeps_what_was_decided(library, terminal):
    terminal.type("p")
    terminal.wait_for("q/?] ", 2)
    terminal.type("\x03")
    terminal.wait_for("Written 0, passed over 1, left 1.")
    assert terminal.end() == 128 + signal.SIGINT
    assert "1 paper waiting" in run("inbox")


@pytest.mark.parametrize(("keys", "code"), [("\x03", 128 + signal.SIGINT), ("\x15\x04q", 0)])
def test_ctrl_c_and_ctrl_d_in_a_line_end_that_line(library, terminal, keys, code):
    terminal.type("t")
    terminal.wait_for("title: Attention Is All You Need")
    terminal.type(keys)
    terminal.wait_for("Written 0, passed over 0, left 2.")
    assert terminal.end() == code
    assert "\nWritten 0" in terminal.said


def test_ctrl_c_between_the_prompt_and_the_read_is_noticed(library):
    # readline calls this once the prompt is on the screen; no Python runs from then to the read
    first = (
        "import ctypes, functools, os, readline; "
        "readline.set_pre_input_hook(functools.partial(ctypes.CDLL(None).kill, os.getpid(), 2))"
    )
    with Terminal(library, first) as terminal:
        terminal.wait_for("q/?] ")
        terminal.type("t")
        terminal.wait_for("Written 0, passed over 0, left 2.")
        assert terminal.end() == 128 + signal.SIGINT
