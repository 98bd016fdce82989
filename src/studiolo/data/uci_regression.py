"""Four tables of the UCI repository.

Source: https://archive.ics.uci.edu
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from .files import load_content


SHA256 = {
    "ionosphere.csv": "fd6dd7864b55d56dac0a1e6e24af9ccc35bf2555ac79af8ab9f3d1daa065ab83",
    "parkinsons_updrs.data": "52229b3075c2109a2c144f5584d88cc5ea99022a9a9eaa6d978b2e8e7c6bc501",
    "winequality-red.csv": "c9614512e980f1cbd221c796daa97f00c4898c3cd1716863abac60f6cd1a522e",
    "winequality-white.csv": "659d419fff887f225bf977d20520bb64a64cae203e460087f809721d4430ba27",
}

_TABLES = {
    "red_wine": ("winequality-red.csv", ",", 0),
    "white_wine": ("winequality-white.csv", ",", 0),
    "ionosphere": ("ionosphere.csv", ",", 0),
    "parkinsons": ("parkinsons_updrs.data", "\t", 1),
}


def table(name: str) -> NDArray[np.float64]:
    """Return a table of numbers, target last: red_wine, white_wine, ionosphere (its letter as nan) or parkinsons.

    Raises:
        NeedsData: the set is not here.
    """
    file, delimiter, header = _TABLES[name]
    content = load_content(f"uci_regression/{file}", SHA256[file]).decode()
    return np.genfromtxt(io.StringIO(content), delimiter=delimiter, skip_header=header)
