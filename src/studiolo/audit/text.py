"""Text on the disk, compressed or not, line by line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from .errors import AuditError


def open_text(path: Path) -> TextIO:
    """Open a file of text, `.gz` or not, without a byte order mark.

    Raises:
        AuditError: it cannot be read.
    """
    try:
        if path.suffix == ".gz":
            return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror or error}.") from None


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines.

    Raises:
        AuditError: a line is not JSON, or no object; says which.
    """
    with open_text(path) as file:
        try:
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
        except (UnicodeDecodeError, EOFError, OSError) as error:
            raise AuditError(f"{path} cannot be read as text: {error}.") from None


def load_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        AuditError: it is not JSON.
    """
    with open_text(path) as file:
        try:
            return json.load(file)
        except (ValueError, EOFError, OSError) as error:
            raise AuditError(f"{path} is not JSON: {error}.") from None
