"""Sets that come with an installed package or with Python itself."""

from __future__ import annotations

import sysconfig
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@cache
def digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the 1,797 handwritten digits that scikit-learn carries: images (1797, 8, 8) in [0, 1], labels (1797,).

    The order is scikit-learn's; neighbours often share a writer, so shuffle before splitting.

    Source: UCI "Optical Recognition of Handwritten Digits", test part.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images / 16.0, bunch.target.astype(np.int64)


@cache
def standard_library_text(num_bytes: int = 2_000_000) -> bytes:
    """Return `num_bytes` of Python source: the standard library's top-level modules in alphabetical order.

    The same for one version of Python, different between versions: a record names the version.

    Raises:
        ValueError: the standard library is shorter than `num_bytes`.
    """
    parts, size = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        parts.append(path.read_bytes())
        size += len(parts[-1])
        if size >= num_bytes:
            return b"".join(parts)[:num_bytes]
    raise ValueError(
        f"The standard library's top level holds {size} bytes of source, not {num_bytes}."
    )
