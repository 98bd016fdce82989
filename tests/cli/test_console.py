"""One way to print, and nothing harmful passes it."""

import ast
import io
import json
import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

import studiolo.cli
from studiolo.cli import console
from studiolo.cli.console import (
    Styled,
    clean,
    counted,
    listen,
    run_app,
    say,
    say_file,
    say_json,
)
from studiolo.errors import FileError, UsageError


HARMFUL = "\x1b]0;owned\x07 \x9b31m \u202e \u2066 \ud800 \x00 \x7f"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.mark.parametrize("letter", [*HARMFUL.replace(" ", "")[:1], "\x07", "\x9b", "\u202e", "\u2066", "\ud800", "\0", "\x7f", "\u200e"], ids=ascii)  # fmt: skip
def test_no_harmful_character_passes(letter, capsys):
    say(f"a{letter}b")
    say(f"a{letter}b", to_err=True)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("a\ufffdb\n", "a\ufffdb\n")


def test_one_call_is_one_line_and_markup_is_text(capsys):
    say("a\n\tb\r\nc ", Styled("[bold]d[/]", "bold"), " :smile:", 3)
    assert capsys.readouterr().out == "a b c [bold]d[/] :smile:3\n"


def test_what_people_write_is_left_alone():
    text = "é 日本 عربى 👩\u200d🔬 Ω − “x”"
    assert clean(text) == text


def test_styles_are_for_those_who_watch(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout", Terminal())
    say("a ", Styled("b\x1b[2J", "red"), "", style="dim")
    assert sys.stdout.getvalue() == "\x1b[2ma \x1b[0m\x1b[31mb\ufffd[2J\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout", Terminal())
    say("a", style="bold")
    assert sys.stdout.getvalue() == "a\n"


def test_terminal_that_knows_no_such_letter_gets_another(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    say("é →")
    say_file("ü\n")
    sys.stdout.flush()
    assert raw.getvalue() == b"? ?\n?\n"


def test_json_stays_what_it_was(capsys):
    value = {"title": HARMFUL + "é\n"}
    say_json(value)
    said = capsys.readouterr().out
    assert json.loads(said) == value
    assert "é" in said
    assert "\ud800" not in said


def test_numbers_have_their_nouns():
    assert [counted(n, "entry", "entries") for n in (0, 1, 2)] == [
        "0 entries",
        "1 entry",
        "2 entries",
    ]
    assert counted(2000, "paper") == "2,000 papers"


def test_errors_are_clean_sentences_with_an_exit_code(capsys):
    def fail(error):
        def app():
            raise error

        return run_app(app)

    assert fail(UsageError("no \x1b[2Jx\nsecond line")) == 2
    assert capsys.readouterr().err == "studiolo: no \ufffd[2Jx\nsecond line\n"
    assert fail(FileError("")) == 1
    assert fail(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err.endswith("studiolo: stopped; what was finished is kept.\n")
    assert fail(SystemExit(3)) == 3
    assert run_app(lambda: None) == 0


def test_what_the_rooms_below_tell_is_said_once_on_standard_error(capsys):
    listen()
    listen()
    logging.getLogger("studiolo").warning("moved\x1b")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "moved\ufffd\n")


def start(tmp_path, command):
    (tmp_path / "list.md").write_text("* [A](https://arxiv.org/abs/2101.00001)\n" * 2000)
    return subprocess.run(
        ["bash", "-c", f"{sys.executable} -m studiolo {command}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", ["show list.md", "show list.md --state read", "show --help"])
def test_full_disk_behind_the_output_is_a_sentence(tmp_path, command):
    done = start(tmp_path, f"{command} > /dev/full")
    assert (done.returncode, done.stderr) == (
        1,
        "studiolo: Standard output cannot be written: No space left on device.\n",
    )


def test_reader_of_a_pipe_may_go_away(tmp_path):
    done = start(tmp_path, "show list.md | head -1 | wc -l")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "1", "")


OTHER_ROOMS = {"collecting.py", "running.py", "progress.py", "console.py", "verdicts.py"}


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(Path(studiolo.cli.__file__).parent.glob("*.py")) if p.name not in OTHER_ROOMS],
    ids=lambda p: p.name,
)  # fmt: skip
def test_commands_print_only_through_say(path):
    called = [
        ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    ]  # fmt: skip
    assert not {
        name for name in called if name in ("print", "typer.echo", "console.print", "err().print")
    }


@pytest.mark.parametrize(("watched", "spoken"), [(True, False), (True, True), (False, False)])
def test_command_that_says_nothing_for_a_while_says_so_to_who_watches(
    monkeypatch, capsys, watched, spoken
):
    monkeypatch.setattr(console, "QUIET_S", 0.05)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: watched)
    monkeypatch.setattr(sys, "argv", ["studiolo", "add", "arxiv:1706.03762"])

    def slow():
        if spoken:
            say("a line")
        time.sleep(0.3)

    assert run_app(slow) == 0
    said = "studiolo add: working ...\n" if watched and not spoken else ""
    assert capsys.readouterr() == ("a line\n" if spoken else "", said)
