"""From the name of a data file to its content: STUDIOLO_DATA first, then what was fetched; always checked."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
from pathlib import Path

import platformdirs

from studiolo.errors import NeedsData, RunError

from .registry import CANONICAL, CONTENT_SHA256


CACHE = Path(platformdirs.user_cache_dir("studiolo")) / "data"


def load_content(name: str) -> bytes:
    """Return the content of a data file, unpacked, such as `mnist/train-images-idx3-ubyte.gz`.

    Raises:
        NeedsData: it lies neither in STUDIOLO_DATA nor in the cache.
        RunError: it is there, but is another file than the registered one.
    """
    root = os.environ.get("STUDIOLO_DATA")
    places = [Path(root)] if root else []
    for place in (*places, CACHE):
        path = place / name
        if path.is_file():
            content = _unpacked(path)
            if hashlib.sha256(content).hexdigest() != CONTENT_SHA256[name]:
                raise RunError(
                    f"{path} is not the file that experiments were written for: its sha256 is not "
                    f"{CONTENT_SHA256[name][:16]}.... Remove it or take it from its source again."
                )
            return content
    raise NeedsData(name.partition("/")[0])


def fetch_set(name: str) -> list[Path]:
    """Download a set from its canonical address into the cache, checked, and return its files.

    Raises:
        RunError: the set has no canonical address here; lists those that have.
    """
    import pooch

    files = {file: source for file, source in CANONICAL.items() if file.startswith(f"{name}/")}
    if not files:
        there = ", ".join(sorted({file.partition("/")[0] for file in CANONICAL}))
        raise RunError(
            f"Nothing can be fetched for {name!r}; {there} can. Put other sets into the folder that STUDIOLO_DATA names."
        )
    return [
        Path(
            pooch.retrieve(
                address,
                f"sha256:{sha256}",
                fname=Path(file).name,
                path=CACHE / name,
                progressbar=False,
            )
        )
        for file, (address, sha256) in files.items()
    ]


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    match path.suffix:
        case ".gz":
            return gzip.decompress(content)
        case ".xz":
            return lzma.decompress(content)
        case _:
            return content
