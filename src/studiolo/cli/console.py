"""How the commands speak: `say` prints one line, cleaned of what could take over the terminal; errors are sentences."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from studiolo.errors import FileError, StudioloError
from studiolo.files import said_of


if TYPE_CHECKING:
    from rich.console import Console


INTERRUPTED = 130  # the shell's exit code for Ctrl-C
QUIET_S = 2.0  # what takes longer says that it works
_signs: list[threading.Timer] = []  # what says so next, until anything else is said
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

# Control characters, those that turn the direction of what follows, and halves of characters: shown as they are, a title
# could write over the terminal.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Styled(NamedTuple):
    """Text in a style: bold, dim, red, green, yellow or cyan."""

    text: str
    style: str


def clean(text: str) -> str:
    """Return text on one line, without characters that could write over the terminal."""
    if text.isprintable():
        return text
    return _HARMFUL.sub("\ufffd", re.sub(r"[\t\n\r]+", " ", text))


def say(*parts: object, style: str = "", to_err: bool = False) -> None:
    """Print one line: the only way to print. Every part is cleaned here, wherever it comes from, and nothing in it is markup.

    Args:
        parts: what the line is made of, without blanks between; `Styled` parts have a style of their own.
        style: of the parts that have none.
        to_err: print to standard error: progress, and what is not a result.
    """
    stream = sys.stderr if to_err else sys.stdout
    coloured = stream.isatty() and "NO_COLOR" not in os.environ
    line = ""
    for part in parts:
        text, named = part if isinstance(part, Styled) else (str(part), style)
        text = clean(text)
        line += f"\x1b[{_STYLES[named]}m{text}\x1b[0m" if coloured and named and text else text
    _write(line + "\n", stream)


def say_part(text: str) -> None:
    """Print the beginning of a line at once: a question, or the key that answered it."""
    _write(clean(text), sys.stdout)
    with _sentences(sys.stdout):
        sys.stdout.flush()


def say_lines(lines: Iterable[str]) -> None:
    """Print many lines as `say` prints each, without a style, at the cost of one."""
    _write("".join([clean(line) + "\n" for line in lines]), sys.stdout)


def say_json(value: object) -> None:
    """Print a value as JSON, for programs; what no UTF-8 can hold is escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    _write(re.sub("[\ud800-\udfff]", lambda m: f"\\u{ord(m[0]):04x}", text) + "\n", sys.stdout)


def say_event(event: Mapping[str, Any]) -> None:
    """Print one event as a line of JSON, at once, for programs."""
    _write(json.dumps(event, allow_nan=False) + "\n", sys.stdout)
    with _sentences(sys.stdout):
        sys.stdout.flush()


def say_file(text: str) -> None:
    """Print what is the content of a file, as it is, for a pipe."""
    _write(text, sys.stdout)


def end_quiet() -> None:
    """Say no more that the command works: something else is shown or asked."""
    while _signs:
        _signs.pop().cancel()


def begin_quiet(what: str) -> None:
    """Say on standard error what is being done, where nothing else is said for a while."""
    end_quiet()
    timer = threading.Timer(QUIET_S, say, (f"{what} ...",), {"to_err": True})
    timer.daemon = True
    timer.start()
    _signs.append(timer)


def _write(text: str, stream: TextIO) -> None:
    end_quiet()
    encoding = stream.encoding or "utf-8"
    with _sentences(stream):
        stream.write(text.encode(encoding, "replace").decode(encoding))


@contextlib.contextmanager
def _sentences(stream: TextIO) -> Iterator[None]:
    """Turn a full disk behind a stream into a sentence; a reader of a pipe who went away is not an error."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "Standard error" if stream is sys.stderr else "Standard output"
        raise FileError(f"{name} cannot be written: {error.strerror}.") from error


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 entry`, `2,000 papers`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def err() -> Console:
    """Return the console for progress bars, on standard error."""
    from rich.console import Console

    end_quiet()
    return Console(stderr=True, highlight=False, soft_wrap=True)


class _Speaker(logging.Handler):
    """Says what the rooms below have to tell, such as that a folder was renamed."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage(), to_err=True)


def listen() -> None:
    """Say from now on, on standard error, what the rooms below log."""
    log = logging.getLogger("studiolo")
    if not any(isinstance(handler, _Speaker) for handler in log.handlers):
        log.addHandler(_Speaker(logging.WARNING))


def run_app(app: Callable[[], Any]) -> int:
    """Run the command line and return its exit code; what Studiolo raises on purpose is shown as a sentence.

    So is an output that cannot be written: a full disk, a closed stream, an encoding without the letters of a title.
    """
    _open_streams()
    try:
        code = _run(app)
        with _sentences(sys.stdout):
            sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of a pipe went away, as `| head` does: nothing to report
        _give_up_on_output()
        return 0
    except StudioloError as error:
        _give_up_on_output()
        first, *more = str(error).splitlines() or [""]
        say(f"studiolo: {first}", to_err=True)
        for line in more:
            say(line, to_err=True)
        cause = error.__cause__
        if (
            isinstance(cause, OSError)
            and cause.filename
            and (how := said_of(cause, Path(cause.filename))) != cause.strerror
        ):
            say(f"{how}.", to_err=True)
        return error.exit_code


def _run(app: Callable[[], Any]) -> int:
    if sys.argv[1:] and sys.stderr.isatty() and "_STUDIOLO_COMPLETE" not in os.environ:
        begin_quiet(f"studiolo {sys.argv[1]}: working")
    try:
        app()
    except OSError as error:  # from what rich and typer print themselves: help, tables
        if error.errno not in (errno.ENOSPC, errno.EIO) or _is_ours(error):
            raise
        raise FileError(f"Standard output cannot be written: {error.strerror}.") from error
    except KeyboardInterrupt:
        say("studiolo: stopped; what was finished is kept.", to_err=True)
        return INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    finally:
        end_quiet()
    return 0


def _is_ours(error: OSError) -> bool:
    """Whether an error was raised where code of Studiolo wrote."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and (
        Path(__file__).parents[1] in Path(last.tb_frame.f_code.co_filename).parents
    )


def _give_up_on_output() -> None:
    """Write what is left to standard output, or let it go, so that Python does not try again when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _open_streams() -> None:
    """Give a closed standard stream somewhere to write to, and characters that a stream cannot encode a substitute."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
