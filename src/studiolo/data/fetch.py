"""Sets with a canonical open address: fetched once, resumed where it stopped, checked as they are served."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from studiolo.errors import FileError, RunError

from . import files


Show = Callable[[str, int, int], None]

CONNECT_S, SILENT_S = 10.0, 30.0  # how long a server may take to answer, and say nothing
PAUSES_S = (1.0, 2.0, 4.0, 8.0)  # before trying again, as long as no byte comes
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist"
_CHAR_RNN = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data"


@dataclass(frozen=True, slots=True)
class Served:
    """A file as it is served: its address, its size in bytes and the sha256 of them."""

    address: str
    size: int
    sha256: str


CANONICAL = {
    "fashion_mnist/train-images-idx3-ubyte.gz": Served(
        f"{_FASHION}/train-images-idx3-ubyte.gz",
        26421880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    "fashion_mnist/train-labels-idx1-ubyte.gz": Served(
        f"{_FASHION}/train-labels-idx1-ubyte.gz",
        29515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    "fashion_mnist/t10k-images-idx3-ubyte.gz": Served(
        f"{_FASHION}/t10k-images-idx3-ubyte.gz",
        4422102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    "fashion_mnist/t10k-labels-idx1-ubyte.gz": Served(
        f"{_FASHION}/t10k-labels-idx1-ubyte.gz",
        5148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    "mnist/train-images-idx3-ubyte.gz": Served(
        f"{_MNIST}/train-images-idx3-ubyte.gz",
        9912422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    "mnist/train-labels-idx1-ubyte.gz": Served(
        f"{_MNIST}/train-labels-idx1-ubyte.gz",
        28881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    "mnist/t10k-images-idx3-ubyte.gz": Served(
        f"{_MNIST}/t10k-images-idx3-ubyte.gz",
        1648877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    "mnist/t10k-labels-idx1-ubyte.gz": Served(
        f"{_MNIST}/t10k-labels-idx1-ubyte.gz",
        4542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    "tinyshakespeare/input.txt": Served(
        f"{_CHAR_RNN}/tinyshakespeare/input.txt",
        1115394,
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
}


def fetch_set(name: str, show: Show = lambda file, done, size: None) -> list[Path]:
    """Download a set from its canonical address into the cache, checked, and return its files.

    What is there already is not fetched again; what stopped half-way goes on where it stopped.

    Args:
        show: called with a file's name, the bytes of it that are here, and its size.

    Raises:
        RunError: the set has no canonical address here (lists those that have), its server fails, or it serves
            something else.
        FileError: the cache cannot be written.
    """
    wanted = {file: served for file, served in CANONICAL.items() if file.startswith(f"{name}/")}
    if not wanted:
        there = ", ".join(sorted({file.partition("/")[0] for file in CANONICAL}))
        raise RunError(
            f"Nothing can be fetched for {name!r}; {there} can. Put other sets into the folder that STUDIOLO_DATA names."
        )
    try:
        return [_fetch(files.CACHE / file, served, show) for file, served in wanted.items()]
    except OSError as error:
        raise FileError(
            f"{error.filename or files.CACHE} cannot be written: {error.strerror}."
        ) from error


def _fetch(path: Path, served: Served, show: Show) -> Path:
    if path.is_file() and _sha256(path) == served.sha256:
        show(path.name, served.size, served.size)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with _mine(part) as file:
        resumed = _size(file) > 0
        _fill(file, path.name, served, show)
        found = _sha256(part)
        if found != served.sha256 and resumed:  # two halves of different files
            file.truncate(0)
            _fill(file, path.name, served, show)
            found = _sha256(part)
        if found != served.sha256:
            part.unlink()
            raise RunError(
                f"{served.address} serves another file than the one that experiments were written for: its sha256 is "
                f"{found[:16]}..., not {served.sha256[:16]}.... Nothing was kept. Try again later, or take the file from "
                "elsewhere and put it into the folder that STUDIOLO_DATA names."
            )
        os.fsync(file.fileno())
        part.replace(path)
    return path


@contextmanager
def _mine(part: Path) -> Iterator[BinaryIO]:
    """Open the part of a file that is here, and keep other processes from it."""
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"Another studiolo is fetching {part.stem}. Wait for it, then run this again."
            ) from error
        yield file


def _fill(file: BinaryIO, name: str, served: Served, show: Show) -> None:
    """Append to `file` what it lacks. A connection that breaks is taken up again as long as bytes come."""
    failures = 0
    while (here := _size(file)) < served.size:
        show(name, here, served.size)
        why = _append(file, name, served, show)
        failures = failures + 1 if _size(file) <= here else 0
        if _size(file) < served.size:
            if failures > len(PAUSES_S):
                raise RunError(
                    f"{served.address}: {why}. {_size(file):,} of {served.size:,} bytes are here and kept: the same "
                    "command goes on from there."
                )
            time.sleep(PAUSES_S[max(failures - 1, 0)])


def _append(file: BinaryIO, name: str, served: Served, show: Show) -> str:
    """Ask once for the rest of a file, and return why it ended early, if it did.

    Raises:
        RunError: asking again cannot help.
    """
    import httpx2

    here = _size(file)
    headers = {"Accept-Encoding": "identity", "User-Agent": "studiolo"}
    if here:
        headers["Range"] = f"bytes={here}-"
    try:
        with httpx2.stream(
            "GET",
            served.address,
            headers=headers,
            follow_redirects=True,
            timeout=httpx2.Timeout(SILENT_S, connect=CONNECT_S),
        ) as response:
            status = response.status_code
            if status == 416 or (
                status == 206
                and not response.headers.get("Content-Range", "").startswith(f"bytes {here}-")
            ):
                file.truncate(0)
                return "it does not send the rest of the file"
            if status >= 500 or status in (408, 429):
                return f"it answers HTTP {status}"
            if status not in (200, 206):
                raise RunError(
                    f"{served.address} answers HTTP {status}. The set may have moved; put its files into the folder that STUDIOLO_DATA names."
                )
            if status == 200:
                file.truncate(0)  # the server sends all of it again
            for chunk in response.iter_raw():
                file.write(chunk[: served.size - _size(file)])
                file.flush()
                show(name, _size(file), served.size)
                if _size(file) >= served.size:  # the checksum says whether there should be more
                    break
    except httpx2.TransportError as error:
        return str(error) or type(error).__name__
    except httpx2.HTTPError as error:  # too many redirects
        raise RunError(f"{served.address}: {error}.") from error
    return "the connection was closed early"


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
