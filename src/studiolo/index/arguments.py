"""What the index is given, as it takes it; anything else is refused in a sentence that says what to give."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from studiolo.errors import UsageError

from .rows import Row, as_text, rows_of


_EXAMPLE = "{'owner/name': ['arxiv:2105.03824', …], …}"


def seeds_of(given: Any, name: str) -> list[str | Row]:
    """Return keys and rows; one alone is a list of one."""
    if given is None or isinstance(given, str | Row | Mapping):
        given = [given]
    found: list[str | Row] = []
    for number, one in enumerate(_each(given, name, "keys, Rows or mappings"), start=1):
        if isinstance(one, Row | Mapping):
            found += rows_of([one], f"{name}, row", number)
        elif text := _text(one, name):
            found.append(text)
    return found


def texts_of(given: Any, name: str) -> list[str]:
    """Return texts; one alone is a list of one, and None and empty ones are left out."""
    given = [given] if given is None or isinstance(given, str) else given
    return [text for one in _each(given, name, "texts") if (text := _text(one, name))]


def keys_of(given: Any, name: str) -> list[str]:
    """Return keys, of rows theirs; one alone is a list of one, and those of a mapping are its keys."""
    if given is None or isinstance(given, str | Row) or _is_row(given):
        given = [given]
    elif isinstance(given, Mapping):
        given = list(given)
    found = []
    for one in _each(given, name, "keys"):
        key = one.key if isinstance(one, Row) else one["key"] if _is_row(one) else one
        if text := _text(key, name):
            found.append(text)
    return found


def lists_of(given: Any) -> dict[str, list[str]]:
    """Return the keys of lists by their names."""
    if given is None or (isinstance(given, list | tuple | set) and not given):
        return {}
    if not isinstance(given, Mapping):
        raise UsageError(
            f"lists is of type {type(given).__name__}. Give a mapping from the name of each list to its keys: {_EXAMPLE}."
        )
    return {as_text(name): keys_of(keys, f"lists[{name!r}]") for name, keys in given.items()}


def query_of(given: Any) -> str:
    """Return what is searched for."""
    return _text(given, "query")


def limit_of(given: Any) -> int:
    """Return how many are wanted, 0 or more."""
    try:
        return max(0, operator.index(given))
    except TypeError:
        raise UsageError(
            f"limit is {given!r}, which is not a whole number. Give one, such as 20."
        ) from None


def folder_of(given: Any) -> Path:
    """Return a folder."""
    if isinstance(given, str | Path):
        return Path(given)
    raise UsageError(f"folder is of type {type(given).__name__}. Give a Path, or leave it out.")


def _each(given: Any, name: str, what: str) -> Iterator[Any]:
    if isinstance(given, bytes | Mapping) or not isinstance(given, Iterable):
        raise UsageError(f"{name} is of type {type(given).__name__}. Give a list of {what}.")
    return iter(given)


def _text(value: Any, name: str) -> str:
    if isinstance(value, Iterable | Row) and not isinstance(value, str):
        what = f"something of type {type(value).__name__}"
        raise UsageError(f"{name} has {what} where a text is expected: {str(value)[:40]!r}.")
    return as_text(value)


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping) and "key" in value
