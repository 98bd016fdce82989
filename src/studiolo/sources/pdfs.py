"""A folder of PDF files: the paper is told by the file's name, else by what its first page and its metadata say.

Names are read without opening a file. For the others pypdf (`pip install 'studiolo[pdf]'`) reads the first page: arXiv's stamp at its
edge, and the DOI that a publisher prints there.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from unicodedata import normalize

from studiolo.errors import SourceError
from studiolo.files import kind_at
from studiolo.keys import Key, address_of, find_arxiv, make_key

from .dates import iso
from .guard import OnBytes, one_line
from .saved import Reading, SavedItem, SavedLink, Skipped


SOURCE = "pdfs"
PDF_BYTES = 256 * 1024**2
_NEW_ID = re.compile(r"(?<![\d.])(\d{4}\.\d{4,5})(v\d{1,3})?(?![\d])")
_OLD_ID = re.compile(
    r"(?<![a-z-])([a-z]+(?:-[a-z]+)?(?:\.[A-Z]{2})?)[_/-]?(\d{7})(v\d{1,3})?(?!\d)", re.IGNORECASE
)
_DOI_NAME = re.compile(
    r"(?<![\d.])(10\.\d{4,9})(?:_|-|\+|%2F|\u2215|\u29f8|:|@)(.+)", re.IGNORECASE
)
_ACL_NAME = re.compile(r"[A-Z]\d{2}-\d{4,5}|\d{4}\.[a-z0-9]+(?:-[a-z0-9]+)+\.\d+", re.IGNORECASE)
_STAMP = re.compile(
    r"arXiv:\s?((?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?)\s*\[", re.IGNORECASE
)
_DOI_TEXT = re.compile(
    r"(?:doi\.org/|\bdoi\s*[:.]?\s*|\bDOI\s+)(10\.\d{4,9}(?:\.\d+)*/[^\s\"<>,;]+)", re.IGNORECASE
)
# Zotero and Mendeley: Vaswani et al. - 2017 - Attention Is All You Need
_AUTHOR_YEAR_TITLE = re.compile(r"(.{2,120}?) - ((?:1[5-9]|20)\d\d) - (.{3,300})")
_NO_TITLE = re.compile(
    r"(?i)untitled|microsoft word|\.(?:dvi|tex|docx?|pdf|indd|fm)$|^\W*$|^arxiv|^\d+$|^(?:paper|main|manuscript|title)$"
)


def load_pdfs(path: Path, on_bytes: OnBytes | None = None) -> Reading:
    """Yield the papers of a folder of PDF files, or of one file.

    Raises:
        SourceError: there is no PDF.
    """
    if not kind_at(path):
        raise SourceError(f"There is no folder {path}. Check the path.")
    files = [path] if path.is_file() else sorted(_pdfs(path))
    if not files:
        raise SourceError(f"There is no PDF below {path}.")
    for file in files:
        name = file.name if path.is_file() else file.relative_to(path).as_posix()
        folder = () if path.is_file() else file.relative_to(path).parts[:-1]
        try:
            status = file.stat()
            yield _paper(file, name, folder, status.st_mtime, status.st_size)
        except OSError as problem:
            yield Skipped(name, f"cannot be read: {problem.strerror}")
            continue
        if on_bytes:
            on_bytes(status.st_size)


def _pdfs(path: Path) -> Iterator[Path]:
    for file in path.rglob("*"):
        if (
            file.suffix.lower() == ".pdf"
            and file.is_file()
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        ):
            yield file


def _paper(
    file: Path, name: str, folder: Sequence[str], modified_s: float, size: int
) -> SavedItem | Skipped:
    keys, title = keys_of_name(file.stem)
    said: dict[str, str] = {}
    authors: tuple[str, ...] = ()
    year = None
    if named := _AUTHOR_YEAR_TITLE.fullmatch(file.stem):
        authors, year, title = _authors(named[1]), int(named[2]), named[3]
    why = "its name holds no arXiv id and no DOI"
    if not keys:
        if size > PDF_BYTES:
            return Skipped(name, f"{why}, and it is larger than {PDF_BYTES:,} bytes")
        keys, said, problem = _first_page(file)
        if not keys:
            return Skipped(name, f"{why}, {problem}")
    version = re.search(r"v(\d{1,3})$", file.stem)
    url = address_of(keys[0]) + (f"v{version[1]}" if version and keys[0].kind == "arxiv" else "")
    return SavedItem(
        source=SOURCE,
        url=url,
        title=one_line(title or said.get("title", "")),
        folder=tuple(normalize("NFC", part) for part in folder),
        saved_at=iso(datetime.fromtimestamp(int(modified_s), UTC).isoformat()),
        native=str(keys[0]),
        links=tuple(SavedLink("same", address_of(key)) for key in keys[1:]),
        extra={"file": name},
        place=name,
        authors=authors,
        year=year,
    )


def keys_of_name(stem: str) -> tuple[list[Key], str]:
    """Return the paper that the name of a file says, and a title that stands beside it.

    >>> keys_of_name("1706.03762v2")[0], keys_of_name("10.1038_nature14539")[0], keys_of_name("hep-th_9711200")[0]
    ([Key(kind='arxiv', value='1706.03762')], [Key(kind='doi', value='10.1038/nature14539')], [Key(kind='arxiv', value='hep-th/9711200')])
    """
    if found := _DOI_NAME.search(stem):
        suffix = re.sub(
            r"%2F",
            "/",
            re.sub(r"(?i)\s*(?:\(\d+\)|-?copy|_?full|[._]pdf)$", "", found[2]),
            flags=re.IGNORECASE,
        )
        if key := make_key("doi", f"{found[1]}/{suffix.strip()}"):
            return [key], ""
    for found in _NEW_ID.finditer(stem):
        if arxiv := find_arxiv(found[1]):
            rest = (stem[: found.start()] + stem[found.end() :]).strip(" _-[]().,:")
            words = re.sub(r"(?i)\barxiv\b", "", rest.replace("_", " ")).strip(" _-[]().,:")
            return [arxiv[0]], words if " " in words else ""
    if (found := _OLD_ID.search(stem)) and (arxiv := find_arxiv(f"{found[1]}/{found[2]}")):
        return [arxiv[0]], ""
    if _ACL_NAME.fullmatch(stem) and (key := make_key("acl", stem)):
        return [key], ""
    return [], ""


def _authors(text: str) -> tuple[str, ...]:
    """Return the family names that Zotero writes into a name: `Vaswani et al.`, `Hochreiter and Schmidhuber`."""
    names = re.split(r"\s+(?:and|und|et|&)\s+|,\s*", re.sub(r"\s+et al\.?$", "", text))
    return tuple(one_line(name) for name in names if name.strip() and name.strip() != "al.")


@lru_cache(maxsize=1)
def _pypdf() -> Any:
    try:
        import pypdf
    except ImportError:
        return None
    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
    return pypdf


def _first_page(file: Path) -> tuple[list[Key], dict[str, str], str]:
    """Return the papers that a first page names, what its metadata says, and why there is none."""
    pypdf = _pypdf()
    if pypdf is None:
        return (
            [],
            {},
            "and pypdf, which would read its first page, is not installed: pip install 'studiolo[pdf]'",
        )
    try:
        reader = pypdf.PdfReader(file)
        if reader.is_encrypted and not reader.decrypt(""):
            return [], {}, "and it is locked with a password"
        metadata = {
            str(name).lower().strip("/"): str(value)
            for name, value in (reader.metadata or {}).items()
        }
        text = reader.pages[0].extract_text()[:20_000] if len(reader.pages) else ""
    except RecursionError:
        return [], {}, "and its first page nests too deeply to be read"
    except (
        pypdf.errors.PyPdfError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        AssertionError,
        ArithmeticError,
        LookupError,
        NotImplementedError,  # what pypdf raises for a filter or a cipher that it does not know
    ) as problem:
        return (
            [],
            {},
            f"and its first page cannot be read ({one_line(str(problem), 80) or type(problem).__name__})",
        )
    title = one_line(metadata.get("title", ""), 500)
    said = {"title": "" if _NO_TITLE.search(title) else title}
    return keys_of_page(text, metadata), said, "and its first page names neither"


def keys_of_page(text: str, metadata: dict[str, str]) -> list[Key]:
    """Return the paper that a first page says it is: by arXiv's stamp, then by the one DOI that it or the metadata names."""
    keys: list[Key] = []
    if (stamp := _STAMP.search(text)) and (arxiv := find_arxiv(stamp[1])):
        keys.append(arxiv[0])
    given = next(
        (
            metadata[name]
            for name in ("doi", "wps-articledoi", "prism:doi", "subject", "identifier")
            if "10." in metadata.get(name, "")
        ),
        "",
    )
    inside = re.search(r"10\.\d{4,9}(?:\.\d+)*/[^\s\"<>,;]+", given)
    found = [inside[0]] if inside else _DOI_TEXT.findall(text)
    dois = list(
        dict.fromkeys(key for value in found if (key := make_key("doi", value.rstrip(".,;:)]}"))))
    )
    if len(dois) == 1:  # a page with several has references on it
        keys += [key for key in dois if key not in keys]
    return keys
