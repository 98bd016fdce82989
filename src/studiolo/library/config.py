"""What the reader sets for a library, by hand: `.studiolo/config.toml`.

```toml
list = "lists/reading.md"             # where new entries go, and what `studiolo show` shows
ignore = ["README.md", "archive/**"]  # Markdown files that are not lists
```

A pattern without a slash means files and folders of that name anywhere; one with a slash begins at the library. `*` and
`?` stand for letters within a name, `**` for any folders.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from studiolo.errors import FileError
from studiolo.files import load_bytes


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a library.

    Attributes:
        list: path of the default list as seen from the library; empty where none is set.
        ignore: patterns of Markdown files that are not lists.
    """

    list: str = ""
    ignore: tuple[str, ...] = ()

    def ignores(self, name: str) -> bool:
        """Whether a path, as seen from the library, with slashes, is not a list."""
        return any(_matcher(pattern)(name) for pattern in self.ignore)


def load_config(path: Path) -> Config:
    """Return the settings in a `config.toml`; none where there is no such file.

    Raises:
        FileError: it cannot be read, is not TOML, or sets something that does not exist; says what there is.
    """
    data = load_bytes(path)
    if data is None:
        return Config()
    import tomllib  # most libraries have no such file

    try:
        told = tomllib.loads(data.decode())
    except ValueError as error:
        raise FileError(f"{path} is not TOML: {error}. Correct it, or remove it.") from error
    for name in told:
        if name not in ("list", "ignore"):
            raise FileError(f"{path} sets {name!r}, which does not exist. There are: list, ignore.")
    chosen, ignore = told.get("list", ""), told.get("ignore", [])
    if not isinstance(chosen, str):
        raise FileError(f'{path}: list is {chosen!r}. Write a path: list = "lists/reading.md"')
    if not isinstance(ignore, list) or not all(isinstance(one, str) for one in ignore):
        raise FileError(f'{path}: ignore is {ignore!r}. Write patterns: ignore = ["README.md"]')
    return Config(chosen, tuple(ignore))


@cache
def _matcher(pattern: str) -> Callable[[str], object]:
    """Return what tells whether a path is one of a pattern's, or below it."""
    anchored = "/" in pattern.strip("/")
    text = "" if anchored else "(?:.*/)?"
    for part in re.findall(
        r"\*\*/|/\*\*$|\*\*|.", pattern.removeprefix("/").rstrip("/"), re.DOTALL
    ):
        text += {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(
            part, re.escape(part)
        )
    return re.compile(f"{text}(?:/.*)?", re.DOTALL).fullmatch
