"""UCI Adult: who earns more than 50,000 dollars.

Source: https://archive.ics.uci.edu/dataset/2/adult
"""

from __future__ import annotations

from typing import Literal

from .files import load_content
from .tables import rows_of


SHA256 = {
    "adult-test.csv.xz": "72567b94f5c1a6f8501377dd80f93892c3848ff071cf91ba47e00b0785a28074",
    "adult-train.csv.xz": "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
    "german.csv": "ec12a88b9fc14d74ba646ea0410cf7ff4533bec2eb61652f8ad76796bbfec017",
}


def fairness(name: Literal["adult-train", "adult-test"]) -> list[list[str]]:
    """Return the rows of UCI Adult as text: 14 attributes, then the income bracket.

    Raises:
        NeedsData: the set is not here.
    """
    file = f"{name}.csv.xz"
    return rows_of(load_content(f"fairness/{file}", SHA256[file]))
