"""Text on the disk, compressed or not, line by line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

from .errors import AuditError


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a file of UTF-8, `.gz` or not, without a byte order mark, for as long as it is read.

    Raises:
        AuditError: it cannot be read, or is not text.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield cast(TextIO, file)
    except (UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
        raise AuditError(f"{path} cannot be read as text: {error}.") from None


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines.

    Raises:
        AuditError: a line is not JSON, or no object; says which.
    """
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise AuditError(f"Line {number} of {path} is not JSON: {error}.") from None
            if not isinstance(row, dict):
                raise AuditError(
                    f"Line {number} of {path} is not an object with an id and a prediction."
                )
            yield row


def load_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        AuditError: it is not JSON.
    """
    with open_text(path) as file:
        try:
            return json.load(file)
        except json.JSONDecodeError as error:
            raise AuditError(f"{path} is not JSON: {error}.") from None
