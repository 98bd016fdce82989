"""Comma-separated values as text."""

from __future__ import annotations

import csv
import io


def rows_of(content: bytes) -> list[list[str]]:
    """Return the rows that are not empty, without the spaces behind commas."""
    return [row for row in csv.reader(io.StringIO(content.decode()), skipinitialspace=True) if row]
