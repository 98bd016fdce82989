"""Titles and abstracts of machine learning on arXiv up to 2020."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .files import load_content


SHA256 = {
    "arxiv_ml.jsonl.xz": "e96e2c3f5f37588aed6b99720376629fbddefcb1555ef9fa6a881a26e607ce45",
}


def abstracts() -> Iterator[dict[str, Any]]:
    """Yield 51,116 papers of machine learning up to 2020: id, title, abstract, authors, categories, primary, created.

    Raises:
        NeedsData: the set is not here.
    """
    content = load_content("arxiv_ml/arxiv_ml.jsonl.xz", SHA256["arxiv_ml.jsonl.xz"])
    for line in content.splitlines():
        yield json.loads(line)
