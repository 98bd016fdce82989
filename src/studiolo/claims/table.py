"""One table of a TOML file whose fields are read with checks, and errors that say where and what."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from studiolo.errors import PaperError


T = TypeVar("T")

LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the file, with enough to say where a mistake stands."""

    path: Path
    name: str  # as an error shows it, "[[claim]] more-data-hurts"
    fields: Mapping[str, Any]

    def place(self, field: str) -> str:
        """Where the field stands: file, table, field."""
        return ", ".join([str(self.path), *filter(None, [self.name]), field])

    def error(self, field: str, found: object, allowed: str) -> PaperError:
        """The error of one field: file, table, field, what was found, what is allowed."""
        return PaperError(f"{self.place(field)}: found {found}; allowed: {allowed}.")

    def only(self, allowed: Collection[str]) -> None:
        """Refuse fields that nobody reads; a misspelt one would silently do nothing."""
        for field in self.fields:
            if field not in allowed:
                near = difflib.get_close_matches(field, allowed, n=1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise self.error(field, f"an unknown field{hint}", ", ".join(allowed))

    def take(self, field: str, kind: type[T], what: str, default: T | None = None) -> T:
        """The field's value; `default` None makes it required."""
        if field not in self.fields:
            if default is None:
                raise self.error(field, "nothing", what)
            return default
        value = self.fields[field]
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        raise self.error(field, shown(value), what)

    def text(self, field: str, default: str | None = None, what: str = "a text") -> str:
        """A text; without `default` it is required and not empty."""
        value = self.take(field, str, what, default)
        if not value.strip() and default is None:
            raise self.error(field, "an empty text", what)
        return value

    def word(self, field: str, allowed: Sequence[str], default: str | None = None) -> str:
        """One of the allowed words."""
        listed = " or ".join(f'"{word}"' for word in allowed)
        value = self.take(field, str, listed, default)
        if value not in allowed:
            raise self.error(field, shown(value), listed)
        return value

    def texts(self, field: str, what: str = "a list of texts") -> tuple[str, ...]:
        """A list of different, non-empty texts; empty where the field is absent."""
        values = self.take(field, list, what, [])
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise self.error(field, shown(values), what)
        if len(set(values)) < len(values):
            twice = next(value for value in values if values.count(value) > 1)
            raise self.error(field, f"{shown(twice)} twice", what)
        return tuple(values)

    def matching(self, field: str, pattern: re.Pattern[str], what: str) -> tuple[str, ...]:
        """A list of texts that match the pattern."""
        values = self.texts(field, what)
        for value in values:
            if not pattern.fullmatch(value):
                raise self.error(field, shown(value), what)
        return values

    def whole(
        self, field: str, least: int, default: int | None = None, most: int = 2**63 - 1
    ) -> int:
        """A whole number from `least` to `most`."""
        what = f"a whole number of at least {least}"
        if most < 2**63 - 1:
            what += f" and at most {most}"
        value = self.take(field, int, what, default)
        if not least <= value <= most:
            raise self.error(field, shown(value), what)
        return value

    def number(self, field: str, default: float | None = None) -> float:
        """A finite number; without `default` it is required."""
        if field not in self.fields and default is not None:
            return default
        value = self.fields.get(field)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(field, "nothing" if value is None else shown(value), "a number")
        if not -LARGEST <= value <= LARGEST:  # NaN is not, either
            raise self.error(field, shown(value), "a finite number")
        return float(value)

    def table(self, field: str, what: str = "a table") -> Table:
        """The table in this field; an empty one where the field is absent."""
        name = f"{self.name}, {field}" if self.name else field
        return Table(self.path, name, self.take(field, dict, what, {}))

    def tables(self, field: str, what: str = "a list of tables") -> list[Table]:
        """The tables in this field, numbered from 1; none where the field is absent."""
        values = self.take(field, list, what, [])
        if not all(isinstance(value, dict) for value in values):
            raise self.error(field, shown(values), what)
        name = f"{self.name}, {field}" if self.name else field
        label = name if self.name else f"[[{name}]]"
        return [Table(self.path, f"{label} {i}", value) for i, value in enumerate(values, 1)]


def shown(value: object) -> str:
    """A value as TOML would write it, shortened."""
    try:
        text = f'"{value}"' if isinstance(value, str) else str(value)
    except (RecursionError, ValueError):  # tables in tables; a whole number of 5,000 digits
        return f"a {'table' if isinstance(value, dict) else type(value).__name__} too large to show"
    text = text.lower() if isinstance(value, bool) else text
    return text if len(text) <= 60 else text[:57] + "..."
