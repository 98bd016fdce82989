"""The binary sets on which NADE was measured.

Source: https://arxiv.org/abs/1605.02226
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from .files import load_content


SHA256 = {
    "adult.npz": "63085a9f39fee9aed064ed34aa51e6584f4516c67b26f5d7fbff492d8af1bd47",
    "connect4.npz": "40ca604653cb1b0e4b95b8ebceec463789b88122ea0f409473fea96632913e52",
    "dna.npz": "801c3bb223b9deaa12b41cb13888a970b96b8759a116737fa2209c49c4d605ac",
    "mushrooms.npz": "eafd056948b5572ae793015f99dee5a3db4b0f782c2159de13bb958da70a7698",
    "nips.npz": "9b7d5d42c5ad6af0538727f3c60f2fa935603bb03947f3cbd63919a7438b672b",
    "plants.npz": "479357c8b834e5a95c94303063d10c8962ffb42140da0eabac7aa3fa56543678",
}


def binary_set(name: str) -> dict[str, NDArray[np.uint8]]:
    """Return a binary set of the NADE paper with its splits, train, valid and test: (rows, dimensions) of 0 and 1.

    Args:
        name: adult, connect4, dna, mushrooms, nips or plants.

    Raises:
        NeedsData: the set is not here.
    """
    file = f"{name}.npz"
    with np.load(io.BytesIO(load_content(f"nade_binary/{file}", SHA256[file]))) as archive:
        columns = int(archive["dim"])  # rows are packed, eight columns a byte
        return {
            split: np.unpackbits(archive[split], axis=1, count=columns)
            for split in ("train", "valid", "test")
        }
