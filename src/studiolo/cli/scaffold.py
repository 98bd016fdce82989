"""A new paper folder: the template, filled with what is known of the paper."""

from __future__ import annotations

import keyword
import re
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.machinery import PathFinder
from pathlib import Path
from urllib.parse import urlsplit

from studiolo.errors import UsageError
from studiolo.files import save_bytes


TEMPLATE = Path(__file__).parents[1] / "papers" / "_template"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a paper before anybody has read it."""

    key: str
    title: str
    authors: tuple[str, ...] = ("unknown",)
    year: int | None = None
    version: str = "v1"
    figures: tuple[str, ...] = ()


def new_paper_folder(name: str, library: Path, *, offline: bool = False) -> Path:
    """Write `library`/papers/<slug> from the template and return it.

    Args:
        name: a folder name, or a key such as arxiv:2105.03824, whose title, authors, year and version are looked up.
        offline: ask no server.

    Raises:
        UsageError: the folder exists, or `name` is neither a slug nor a key.
        FileError: it cannot be written; says why.
    """
    known = _known(name, library, offline)
    slug = _slug(name if ":" not in name else known.title)
    folder = library / "papers" / slug
    if folder.exists():
        raise UsageError(f"{folder} exists already. Choose another name, or remove it first.")
    texts = {
        path.name: _filled(path.name, path.read_text(), known)
        for path in sorted(TEMPLATE.glob("*.*"))
    }
    for file_name, text in texts.items():
        save_bytes(folder / file_name, text.encode())
    return folder


def _known(name: str, library: Path, offline: bool) -> Known:
    if ":" not in name:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_ -]*", name):
            raise UsageError(
                f"{name!r} is neither a folder name nor a key. Write fnet, or arxiv:2105.03824."
            )
        title = name.replace("_", " ").capitalize()
        return Known(key=f"url:https://example.org/{_slug(name)}", title=title)
    from studiolo.keys import address_of, find_key
    from studiolo.library import Library, fetch_facts
    from studiolo.lists import title_from_url

    from .options import make_client

    key = find_key(name)
    home = Library(library)
    facts = fetch_facts(home, [key], make_client(home, offline=offline)).facts.get(key)
    entry = next((e for d in home.documents.values() for e in d.entries if key in e.keys), None)
    if facts is not None and facts.title:
        return Known(
            str(key),
            facts.title,
            facts.authors or ("unknown",),
            facts.year,
            facts.version or "v1",
            figures_in(facts.abstract),
        )
    if entry is not None and entry.title:
        year = entry.year or _year_of(str(key))
        return Known(str(key), entry.title, entry.authors or ("unknown",), year)
    if key.kind not in ("url", "github"):
        return Known(str(key), title=str(key), year=_year_of(str(key)))
    title = title_from_url(address_of(key))
    return Known(str(key), title=urlsplit(title).hostname or title)  # where an address says nothing


def _year_of(key: str) -> int | None:
    """Return the year that an id of arXiv says: 2015 for arxiv:1502.01852."""
    found = re.match(r"arxiv:(\d\d)\d\d\.", key)
    return 2000 + int(found[1]) if found else None


def figures_in(abstract: str) -> tuple[str, ...]:
    """Return the figures that an abstract names, such as `92-97%` and `7x`: each may be a claim.

    Example:
        >>> figures_in("It reaches 92-97% of the accuracy and trains 80% faster at 512 tokens.")
        ('92-97%', '80%', '512')
    """
    found = re.findall(r"(?<![\w.])\d[\d.,]*(?:\s?[-–]\s?\d[\d.,]*)?\s?(?:%|x\b|×)?", abstract)
    return tuple(dict.fromkeys(figure.strip(" .,") for figure in found))


def _slug(text: str) -> str:
    """Return a name that is a Python module: the part before a colon, in small letters, at most five words.

    One that Python or an installed package has taken gets `paper_` before it: in tests it would stand for the other.
    """
    head = text.partition(":")[0] if " " in text else text
    ascii_text = unicodedata.normalize("NFKD", head).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", ascii_text)[:5]
    slug = "_".join(words)
    is_free = slug[:1].isalpha() and not keyword.iskeyword(slug) and not _is_installed(slug)
    return slug if is_free else f"paper_{slug}"


def _is_installed(name: str) -> bool:
    return name in sys.stdlib_module_names or PathFinder.find_spec(name) is not None


def _filled(file_name: str, text: str, known: Known) -> str:
    """Fill a template in one pass: what is put in is never read as a placeholder, nor as more than text.

    What is known of a paper was written by strangers, so each value is escaped for the file that it goes into.
    """
    written = WRITTEN[Path(file_name).suffix]
    values = {
        "key": written(known.key),
        "version": written(known.version),
        "title": written(known.title),
        "authors": ", ".join(f'"{written(author)}"' for author in known.authors),
        "author_line": written(f"{', '.join(known.authors)} ({known.year or 'year unknown'})"),
        "figures": written(", ".join(known.figures) or "unknown"),
        "year": str(known.year or datetime.now(UTC).year),
    }
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)


def _one_line(text: str) -> str:
    """Return a text without line breaks and control characters."""
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c) not in CONTROLS)


def _in_quotes(text: str) -> str:
    """Return a text for between the quotes of a TOML string or of a Python docstring."""
    return _one_line(text).replace("\\", "\\\\").replace('"', '\\"')


def _in_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>#|&~!])", r"\\\1", _one_line(text))


CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")
WRITTEN: dict[str, Callable[[str], str]] = {
    ".toml": _in_quotes,
    ".py": _in_quotes,
    ".md": _in_markdown,
}
