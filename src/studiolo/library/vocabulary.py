"""The reader's tags as one vocabulary: one tag however it is spelled, and synonyms in `.studiolo/tags.toml`, written by hand or by `studiolo tags --merge`.

```toml
nlp = "natural-language-processing"  # the tag on the left means the one on the right
"deep learning" = "deep_learning"    # how it is spelled
wip = ""                             # not shown
```
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from studiolo.errors import FileError
from studiolo.files import load_bytes
from studiolo.lists import folded_tag

from .folder import Library


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which tags mean the same.

    Attributes:
        synonyms: what each means, by its `folded_tag`; empty where it is not shown.
    """

    synonyms: Mapping[str, str] = field(default_factory=dict)

    def meant(self, tag: str) -> str:
        """Return the tag that a tag means: itself, unless it is a synonym."""
        return self.synonyms.get(folded_tag(tag), tag)

    def all_meant(self, tags: Iterable[str]) -> tuple[str, ...]:
        """Return the tags that several mean, each once, in their order."""
        found: dict[str, str] = {}
        for tag in map(self.meant, tags):
            if tag:
                found.setdefault(folded_tag(tag), tag)
        return tuple(found.values())

    def name(self, tag: str) -> str:
        """Return what is the same of all tags that mean the same: tags are compared by this, nowhere by their letters."""
        return folded_tag(self.meant(tag) or tag)

    def having(self, wanted: Iterable[str]) -> Callable[[Iterable[str]], bool]:
        """Return what says whether all of some tags that a reader typed are among tags."""
        names = {self.name(tag.lstrip("#")) for tag in wanted}
        return lambda tags: not names or names <= set(map(self.name, tags))

    def all_alike(self, tags: Iterable[str]) -> tuple[str, ...]:
        """Return tags with all that the vocabulary knows to mean the same, each once."""
        tags = tuple(tags)
        names = set(map(self.name, tags))
        known = (tag for tag in self.synonyms if self.name(tag) in names)
        return tuple(dict.fromkeys((*tags, *self.all_meant(tags), *known)))


def vocabulary_path(library: Library) -> Path:
    """Return the file of the synonyms."""
    return library.state / "tags.toml"


def load_vocabulary(library: Library) -> Vocabulary:
    """Return the synonyms of a library; none where there is no such file.

    Raises:
        FileError: it is not TOML, or means something that is not text, or means itself in a circle.
    """
    path = vocabulary_path(library)
    data = load_bytes(path)
    if data is None:
        return Vocabulary()
    import tomllib  # most libraries have no such file

    try:
        told = tomllib.loads(data.decode())
    except ValueError as error:
        raise FileError(f"{path} is not TOML: {error}. Correct it, or remove it.") from error
    direct: dict[str, str] = {}
    for name, meant in told.items():
        if not isinstance(meant, str):
            raise FileError(
                f'{path}: {name} is {meant!r}. Write a tag: nlp = "natural-language-processing"'
            )
        direct[folded_tag(name)] = meant
    return Vocabulary({name: _end_of(name, direct, path) for name in direct})


def _end_of(name: str, direct: Mapping[str, str], path: Path) -> str:
    passed = [name]
    meant = direct[name]
    while (following := direct.get(folded_tag(meant))) is not None:
        if folded_tag(following) == folded_tag(meant):
            return following  # says how it is spelled
        if folded_tag(meant) in passed:
            raise FileError(
                f"{path}: {' = '.join((*passed, meant))} goes round in a circle. Remove one of these lines."
            )
        passed.append(folded_tag(meant))
        meant = following
    return meant


def with_synonym(data: bytes | None, tag: str, meant: str) -> bytes:
    """Return the bytes of a file of synonyms with one more, in the place of what the tag meant before."""
    old = data or b""
    bare = tag if re.fullmatch(r"[A-Za-z0-9_-]+", tag) else json.dumps(tag, ensure_ascii=False)
    line = f"{bare} = {json.dumps(meant, ensure_ascii=False)}\n".encode()
    spelled = "|".join(
        re.escape(one) for one in {bare, json.dumps(tag, ensure_ascii=False), f"'{tag}'"}
    )
    known = re.compile(
        rf"^[ \t]*(?:{spelled})[ \t]*=[^\n]*\n?".encode(), re.MULTILINE | re.IGNORECASE
    )
    if known.search(old):
        return known.sub(lambda match: line, old, count=1)
    return old + (b"" if not old or old.endswith(b"\n") else b"\n") + line


def spelling(tags: Iterable[str]) -> dict[str, str]:
    """Return how each tag is mostly spelled, by its `folded_tag`."""
    counts: dict[str, Counter[str]] = {}
    for tag in tags:
        counts.setdefault(folded_tag(tag), Counter())[tag] += 1
    return {
        folded: min(spelled, key=lambda tag: (-spelled[tag], tag))
        for folded, spelled in counts.items()
    }
