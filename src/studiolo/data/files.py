"""From the name of a data file to its content: STUDIOLO_DATA first, then what was fetched; always checked.

Each data set is a module with the checksums of its own files, so that code and checksums together say what an
experiment read, and another set added beside it changes nothing for this one.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
from pathlib import Path

import platformdirs

from studiolo.errors import NeedsData, RunError


CACHE = Path(platformdirs.user_cache_dir("studiolo")) / "data"


def load_content(name: str, sha256: str) -> bytes:
    """Return the content of a data file, unpacked, such as `mnist/train-images-idx3-ubyte.gz`.

    Args:
        name: the folder that names the set, then the file.
        sha256: of the content, unpacked where it is a .gz or .xz.

    Raises:
        NeedsData: it lies neither in STUDIOLO_DATA nor in the cache.
        RunError: it is there, but is another file than the one with this checksum.
    """
    root = os.environ.get("STUDIOLO_DATA")
    places = [Path(root)] if root else []
    for place in (*places, CACHE):
        path = place / name
        if path.is_file():
            content = _unpacked(path)
            if hashlib.sha256(content).hexdigest() != sha256:
                raise RunError(
                    f"{path} is not the file that experiments were written for: its sha256 is not "
                    f"{sha256[:16]}.... Remove it or take it from its source again."
                )
            return content
    raise NeedsData(name.partition("/")[0])


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    match path.suffix:
        case ".gz":
            return gzip.decompress(content)
        case ".xz":
            return lzma.decompress(content)
        case _:
            return content
