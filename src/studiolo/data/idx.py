"""The IDX format of MNIST and its likes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .files import load_content


_UNSIGNED_BYTE = 0x08


def load_images(folder: str, sha256: Mapping[str, str]) -> dict[str, NDArray[np.uint8]]:
    """Return train_images, train_labels, test_images and test_labels of a set in MNIST's four files.

    Args:
        sha256: file -> checksum of its content.

    Raises:
        NeedsData: the set is not here.
    """
    return {
        f"{split}_{kind}": _array(load_content(f"{folder}/{file}", sha256[file]))
        for split, prefix in (("train", "train"), ("test", "t10k"))
        for kind, suffix in (("images", "idx3-ubyte"), ("labels", "idx1-ubyte"))
        for file in (f"{prefix}-{kind}-{suffix}.gz",)
    }


def _array(content: bytes) -> NDArray[np.uint8]:
    """Read an IDX file: two zero bytes, type, number of dimensions, big-endian sizes, data."""
    assert content[:3] == bytes([0, 0, _UNSIGNED_BYTE])
    rank = content[3]
    shape = np.frombuffer(content, ">i4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
