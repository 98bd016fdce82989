"""How the commands ask: one key where somebody sits at a terminal, else one line."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator

import typer

from .console import clean, end_quiet, say, say_part


END = "q"  # what the end of the input says


def ask_letter(prompt: str) -> str:
    """Return one key, without Enter, in small letters; where no terminal is read, a line. The end of the input is q.

    Enter, arrows and other keys that are not letters are passed over.
    """
    if not _is_terminal():
        return ask(prompt)
    say_part(prompt)
    try:
        with _single_keys():
            key = _next_key()
    except KeyboardInterrupt:
        say()
        raise
    say(key)
    return key.lower()


def ask(prompt: str) -> str:
    """Return the line that was typed, without blanks around it; the end of the input is q."""
    line = ask_line(prompt)
    return END if line is None else line.lower() if len(line) == 1 else line


def ask_line(prompt: str, before: str = "") -> str | None:
    """Return the line that was typed, None at the end of the input.

    Args:
        before: what stands in the line at first, to be edited, where somebody sits at a terminal.
    """
    end_quiet()
    try:
        with _filled_in(before), _looking_up():
            return input(clean(prompt)).strip()
    except EOFError:
        say()
        return None
    except KeyboardInterrupt:
        say()
        raise


def confirm(question: str) -> bool:
    """Return whether the reader says yes."""
    end_quiet()
    return typer.confirm(clean(question))


def _is_terminal() -> bool:
    try:
        import termios

        termios.tcgetattr(sys.stdin.fileno())
    except (ImportError, OSError, ValueError, termios.error):
        return False
    return True


@contextlib.contextmanager
def _single_keys() -> Iterator[None]:
    """Let the terminal give each key at once; Ctrl-C still interrupts."""
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:  # Ctrl-C may come as soon as the terminal is changed
        tty.setcbreak(terminal, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _looking_up() -> Iterator[None]:
    """Let a read of a line return to Python five times a second.

    Ctrl-C between the prompt and the read, which no read notices, would wait for the next key.
    """
    if not _is_terminal() or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _next_key() -> str:
    terminal = sys.stdin.fileno()
    while True:
        while not select.select([terminal], [], [], 0.2)[0]:
            pass  # Ctrl-C just before a read is noticed only when Python runs again
        key = os.read(terminal, 1)
        if key in (b"", b"\x04"):  # hung up, or Ctrl-D
            return END
        if key == b"\x1b":
            _skip_sequence(terminal)
        elif key >= b"\xc0":  # a letter of another script, in several bytes
            os.read(terminal, 1 + (key >= b"\xe0") + (key >= b"\xf0"))
        elif key < b"\x80" and key.decode().isprintable() and key != b" ":
            return key.decode()


def _skip_sequence(terminal: int) -> None:
    """Read what follows an escape: nothing where the key was pressed alone, else up to the letter that ends it."""
    opened = False
    while select.select([terminal], [], [], 0.02)[0]:
        byte = os.read(terminal, 1)
        if opened and not b"0" <= byte <= b"?":
            return
        if not opened and byte not in (b"[", b"O"):
            return
        opened = True


@contextlib.contextmanager
def _filled_in(text: str) -> Iterator[None]:
    """Let the next line begin with a text that can be edited, where there is a terminal with readline."""
    if not text or not _is_terminal():
        yield
        return
    try:
        import readline
    except ImportError:
        yield
        return
    readline.set_startup_hook(lambda: readline.insert_text(text))
    try:
        yield
    finally:
        readline.set_startup_hook(None)
