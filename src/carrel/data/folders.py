"""Sets read from the folder that the environment variable CARREL_DATA names."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from carrel.errors import NeedsData


_IDX_UNSIGNED_BYTE = 0x08


def data_file(name: str, *parts: str) -> Path:
    """Return the path of a file of data set `name` under CARREL_DATA.

    Raises:
        NeedsData: CARREL_DATA is unset or holds no such file.
    """
    root = os.environ.get("CARREL_DATA")
    path = Path(root, name, *parts) if root else None
    if path is None or not path.is_file():
        raise NeedsData(name)
    return path


def binary_set(name: str) -> dict[str, NDArray[np.uint8]]:
    """Return one of the binary sets of the NADE paper, with its splits, as (rows, dimensions) arrays of 0 and 1.

    Args:
        name: adult, connect4, dna, mushrooms, nips or plants.

    Raises:
        NeedsData: CARREL_DATA/nade_binary/<name>.npz is not there.
    """
    path = data_file("nade_binary", f"{name}.npz")
    with np.load(path) as archive:
        columns = int(archive["dim"])  # rows are packed, eight columns a byte
        return {
            split: np.unpackbits(archive[split], axis=1, count=columns)
            for split in ("train", "valid", "test")
        }


def images(name: Literal["mnist", "fashion_mnist"]) -> dict[str, NDArray[np.uint8]]:
    """Return train_images (60000, 28, 28), train_labels, test_images (10000, 28, 28) and test_labels.

    Raises:
        NeedsData: CARREL_DATA/<name> is not there.
    """
    return {
        f"{split}_{kind}": _read_idx(data_file(name, f"{prefix}-{kind}-{suffix}.gz"))
        for split, prefix in (("train", "train"), ("test", "t10k"))
        for kind, suffix in (("images", "idx3-ubyte"), ("labels", "idx1-ubyte"))
    }


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file: two zero bytes, type, number of dimensions, big-endian sizes, data."""
    content = gzip.decompress(path.read_bytes())
    if content[:3] != bytes([0, 0, _IDX_UNSIGNED_BYTE]):
        raise NeedsData(path.parent.name)
    rank = content[3]
    shape = np.frombuffer(content, ">i4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
