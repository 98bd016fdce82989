"""What there is to suggest from besides the reader's own lists: fetched pools, and lists that are followed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from studiolo.keys import Key

from .facts import facts_path, load_facts
from .folder import Library
from .following import load_followed, load_rows


if TYPE_CHECKING:
    from studiolo.index import Row
    from studiolo.metadata import Facts, Pool


def pools_folder(library: Library) -> Path:
    """Return where the pools are kept."""
    return library.state / "pools"


def pools_of(library: Library) -> list[Pool]:
    """Return the pools of a library by name."""
    from studiolo.metadata import load_pools

    return load_pools(pools_folder(library))


def pool_rows(library: Library) -> Iterator[Row]:
    """Yield every paper of the pools and of the followed lists once, as a stream.

    Of a paper in several places the first counts: the pools by name, then the lists, which know a title and perhaps what
    `lookup` fetched. `source` is the pool's name; `list` and `section` say where on a followed list it stands.

    Raises:
        FileError: a pool or list cannot be read.
    """
    seen: set[str] = set()
    for pool in pools_of(library):
        for facts in pool.load_papers():
            if (name := str(facts.key)) not in seen:
                seen.add(name)
                yield _row(facts, pool.name)
    followed = load_followed(library)
    known = load_facts(library) if followed else {}
    for one in followed:
        for row in load_rows(library, one):
            if row.key not in seen:
                seen.add(row.key)
                yield _completed(row, known)


def followed_lists(library: Library) -> dict[str, frozenset[str]]:
    """Return the followed lists by name, each with the keys of its papers, as `Index.suggest(lists=…)` takes them.

    Raises:
        FileError: a list cannot be read.
    """
    lists: dict[str, frozenset[str]] = {}
    for one in load_followed(library):
        name = one.name if one.name not in lists else one.target
        lists[name] = frozenset(row.key for row in load_rows(library, one))
    return lists


def pool_stamp(library: Library) -> str:
    """Return a text that changes whenever `pool_rows` may yield something else; no file is read for it."""
    parts = [f"{one.target}:{one.stamp()}" for one in load_followed(library)]
    for path in (*(pool.path for pool in pools_of(library)), facts_path(library)):
        if path.exists():
            about = path.stat()
            parts.append(f"{path.name}:{about.st_size}:{about.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _row(facts: Facts, source: str = "") -> Row:
    from studiolo.index import Row

    return Row(
        key=str(facts.key),
        title=facts.title,
        authors=facts.authors,
        abstract=facts.abstract,
        categories=facts.categories,
        date=facts.published or str(facts.year or ""),
        source=source,
    )


def _completed(row: Row, known: dict[Key, Facts]) -> Row:
    facts = known.get(Key.parse(row.key))
    if facts is None:
        return row
    return replace(
        row,
        title=facts.title or row.title,
        authors=facts.authors or row.authors,
        abstract=facts.abstract,
        categories=facts.categories,
        date=facts.published or str(facts.year or row.date),
    )
