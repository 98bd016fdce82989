"""Libraries of the arxiv-sanity sites: lite's `dict.db` (pickles in SQLite) and the first site's `as.db`.

A pickle is a program. Ours may build dicts, sets, lists, tuples, text, numbers and nothing else: every attempt to name a class
or function is refused. Before a pickle is read its size is bounded, unpacked and packed.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import shutil
import sqlite3
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from studiolo.errors import SourceError
from studiolo.keys import find_arxiv

from .dates import iso
from .firefox import SQLITE_MAGIC
from .guard import OnBytes, one_line, open_source
from .saved import Reading, SavedItem, Skipped


SOURCE = "arxiv-sanity"
PICKLE_BYTES = 64 * 1024**2

# Opcodes that make plain containers and values. What reaches outside is absent, and so are TUPLE2 and TUPLE3; a tuple may
# only be the argument of the call that makes a set, because hashing (x, x) of (x, x) of … takes exponential time.
_OPCODES = """
    PROTO FRAME STOP MARK POP POP_MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES
    EMPTY_DICT DICT SETITEM SETITEMS EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1
    EMPTY_SET ADDITEMS FROZENSET MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE
"""
_PLAIN = frozenset(_OPCODES.split())
_SET_NAMES = {("builtins", "set"), ("__builtin__", "set"), ("builtins", "frozenset")}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        # Protocols 0 to 3 write a set as a call of builtins.set on a list; nothing else may be named.
        if (module, name) in _SET_NAMES:
            return set
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside")


def load_plain_pickle(data: bytes, name: str) -> Any:
    """Return the plain value of a pickle, zlib-packed or not.

    Raises:
        SourceError: it is too large, damaged, or asks for more than plain values; says what it asked for. Nothing was run.
    """
    if not data.startswith(b"\x80"):
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(data, PICKLE_BYTES)
        except zlib.error:
            pass  # protocol 0 is text
        else:
            if unpacker.unconsumed_tail:
                raise SourceError(
                    f"{name} unpacks to more than {PICKLE_BYTES:,} bytes; it is not a library of tags."
                )
    if len(data) > PICKLE_BYTES:
        raise SourceError(
            f"{name} holds a value of {len(data):,} bytes; it is not a library of tags."
        )
    try:
        with warnings.catch_warnings():  # of escapes in the text of protocol 0
            warnings.simplefilter("ignore", DeprecationWarning)
            _refuse_more_than_plain(data)
            return _Unpickler(io.BytesIO(data)).load()
    except RecursionError:
        raise SourceError(f"{name} holds a pickle nested too deeply; it was not read.") from None
    except (
        pickle.UnpicklingError,
        ValueError,
        TypeError,
        EOFError,
        IndexError,
        KeyError,
        AttributeError,
        MemoryError,
        OverflowError,
    ) as problem:
        raise SourceError(
            f"{name} holds a pickle that is not plain data ({one_line(str(problem), 120) or type(problem).__name__}). Nothing in it was run."
        ) from problem


def _refuse_more_than_plain(data: bytes) -> None:
    """Read the opcodes without running them."""
    after_tuple = False
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name not in _PLAIN:
            raise pickle.UnpicklingError(f"it uses {opcode.name}")
        if opcode.name in {"PUT", "BINPUT", "LONG_BINPUT"}:
            if int(argument or 0) > len(data):
                raise pickle.UnpicklingError(f"it claims a memo of {int(argument or 0):,} places")
            continue
        if after_tuple and opcode.name not in {"REDUCE", "MEMOIZE"}:
            raise pickle.UnpicklingError("it uses a tuple as a value")
        after_tuple = opcode.name in {"TUPLE", "TUPLE1"} or (
            after_tuple and opcode.name == "MEMOIZE"
        )


def load_arxiv_sanity(path: Path, user: str = "", on_bytes: OnBytes | None = None) -> Reading:
    """Yield a reader's papers; a tag of lite is a tag, the first site's library has none.

    Args:
        user: the account whose papers to take; may stay empty where there is one only.

    Raises:
        SourceError: the file is not such a database, holds several users and none was named, or a pickle is not plain data.
    """
    name = path.name
    with open_source(path) as stream:
        if not stream.read(16).startswith(SQLITE_MAGIC):
            raise SourceError(
                f"{path} is not an SQLite database, so it is neither dict.db nor as.db."
            )
    with _copy_of(path) as database:
        try:
            tables = {
                str(row[0])
                for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            if "tags" in tables:
                yield from _read_lite(database, name, user)
            elif {"library", "user"} <= tables:
                yield from _read_first(database, name, user)
            else:
                raise SourceError(
                    f"{name} has the tables {', '.join(sorted(tables))[:100] or '(none)'}; dict.db has `tags`, as.db has "
                    "`library` and `user`. (papers.db has no library.)"
                )
        except (sqlite3.Error, UnicodeDecodeError) as problem:
            raise SourceError(f"{name} cannot be read: {problem}.") from problem
    if on_bytes:
        on_bytes(path.stat().st_size)


@contextmanager
def _copy_of(path: Path) -> Iterator[sqlite3.Connection]:
    with tempfile.TemporaryDirectory(prefix="studiolo-") as folder:
        copy = Path(folder) / "copy.db"
        shutil.copyfile(path, copy)
        with closing(sqlite3.connect(copy)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.text_factory = lambda data: data.decode("utf-8", "replace")
            yield database


def _choose(users: list[str], user: str, name: str) -> str:
    if user and user not in users:
        raise SourceError(
            f"{name} holds no user {user!r}; it holds {', '.join(sorted(users)[:8]) or 'nobody'}."
        )
    if not user and len(users) > 1:
        raise SourceError(
            f"{name} holds {len(users)} users: {', '.join(sorted(users)[:8])}. Choose one with --user."
        )
    return user or users[0]


def _read_lite(database: sqlite3.Connection, name: str, user: str) -> Reading:
    users = [str(row[0]) for row in database.execute("SELECT key FROM tags")]
    if not users:
        return
    chosen = _choose(users, user, name)
    (value,) = database.execute("SELECT value FROM tags WHERE key = ?", (chosen,)).fetchone()
    tags = load_plain_pickle(bytes(value) if not isinstance(value, str) else value.encode(), name)
    if not isinstance(tags, dict):
        raise SourceError(
            f"{name}: the tags of {chosen} are not a table but {type(tags).__name__}."
        )
    of_paper: dict[str, list[str]] = {}
    for tag, papers in tags.items():
        if not isinstance(tag, str):
            yield Skipped(name, f"a tag that is not text but {type(tag).__name__}")
            continue
        if not isinstance(papers, set | frozenset | list | tuple):
            yield Skipped(
                f"{name}, tag {one_line(tag, 60)}",
                f"not a set of papers but {type(papers).__name__}",
            )
            continue
        for paper in sorted(paper for paper in papers if isinstance(paper, str)):
            of_paper.setdefault(paper, []).append(one_line(tag, 200))
    for number, (paper, names) in enumerate(sorted(of_paper.items()), 1):
        yield _paper(paper, tuple(names), None, f"{name}, paper {number}")


def _read_first(database: sqlite3.Connection, name: str, user: str) -> Reading:
    users = {str(row[1]): row[0] for row in database.execute("SELECT user_id, username FROM user")}
    if not users:
        return
    chosen = users[_choose(list(users), user, name)]
    rows = database.execute(
        "SELECT paper_id, update_time FROM library WHERE user_id = ? ORDER BY update_time, paper_id",
        (chosen,),
    )
    for number, (paper, updated) in enumerate(rows, 1):
        date = iso(updated) if isinstance(updated, int | float) else None
        yield _paper(str(paper), (), date, f"{name}, paper {number}")


def _paper(
    paper: str, tags: tuple[str, ...], saved_at: str | None, place: str
) -> SavedItem | Skipped:
    found = find_arxiv(paper)
    if found is None:
        # lite kept what follows the last slash, so ids from before 2007 have lost their archive and cannot be told apart.
        return Skipped(place, f"not an arXiv id: {one_line(paper, 60)}")
    return SavedItem(
        source=SOURCE,
        url=f"https://arxiv.org/abs/{found[0].value}",
        tags=tags,
        saved_at=saved_at,
        native=str(found[0]),
        place=place,
    )
