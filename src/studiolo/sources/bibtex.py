"""BibTeX: every entry is a saved thing, with all of its fields; LaTeX is decoded to the letters that it stands for."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from studiolo.keys import find_arxiv, find_mention

from .dates import iso
from .guard import WINDOWS, one_line
from .saved import BRACES, OTHERS, PEOPLE, Reading, SavedItem, SavedLink, Skipped
from .states import state_of


BIB_START = re.compile(rb"^\s*@(?:[A-Za-z]+\s*[{(]|\[')", re.MULTILINE)
# Semantic Scholar's API writes its types as a list of Python: @['JournalArticle', 'Conference']{…
_PYTHON_TYPE = re.compile(r"^(\s*)@\['(\w+)'[^\]\n]*\](?=\s*\{)", re.MULTILINE)
_TYPES = {
    "journalarticle": "article",
    "conference": "inproceedings",
    "review": "article",
    "book": "book",
}
_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/\S+")
_LATEX = re.compile(r"[\\{}~$]|--|``|''")
_ADDRESS_FIELDS = ("url", "howpublished", "link", "pdf", "ee", "bdsk-url-1", "bdsk-url-2", "biburl")
# fields of ours, which have a place of their own; an eprint only where it is arXiv's
_PLACED = {"title", "author", "year", "keywords", "keyword", "note", "annote", "doi", "url"}


def parse_bibtex(data: bytes, name: str, source: str = "urls") -> Reading:
    """Yield the entries; the strongest of eprint, doi and url is the address, the others are links."""
    from bibtexparser.entrypoint import (
        parse_string,  # here: it takes a tenth of a second that other sources do not need
    )

    text = data.decode("utf-8", WINDOWS).removeprefix("\ufeff")
    text = _PYTHON_TYPE.sub(lambda m: f"{m[1]}@{_TYPES.get(m[2].lower(), 'misc')}", text)
    logging.getLogger("bibtexparser").setLevel(
        logging.CRITICAL + 1
    )  # its complaints come back as failed blocks
    library = parse_string(text)
    strings = {key.lower(): value.value for key, value in library.strings_dict.items()}
    parents = {entry.key.lower(): entry for entry in library.entries}

    def read(entry: Any, line: int) -> SavedItem | Skipped:
        raw = _fields_of(entry, strings)
        parent = parents.get(raw["crossref"].lower()) if "crossref" in raw else None
        inherited = _inherited(_fields_of(parent, strings)) if parent is not None else {}
        if inherited:
            del raw["crossref"]
        return _entry(entry, raw, inherited, f"{name}:{line}", source)

    for failed in library.failed_blocks:
        line = (failed.start_line or 0) + 1
        excerpt = one_line((failed.raw or "")[:200], 60)
        kind = type(failed).__name__
        original: Any = getattr(failed, "ignore_error_block", None)
        if kind in {"DuplicateBlockKeyBlock", "DuplicateFieldKeyBlock"} and original is not None:
            yield read(original, line)
        else:
            yield Skipped(f"{name}:{line}", f"not an entry of BibTeX: {excerpt}")
    for entry in library.entries:
        yield read(entry, (entry.start_line or 0) + 1)


def _fields_of(entry: Any, strings: Mapping[str, str]) -> dict[str, str]:
    return {field.key.lower(): _joined(str(field.value), strings) for field in entry.fields}


# what a chapter or a paper takes from the book that its `crossref` names, and has not itself
_INHERITED = (
    *("booktitle", "editor", "publisher", "year", "date", "month", "series", "volume"),
    *("address", "location", "organization", "edition", "isbn", "issn"),
)


def _inherited(parent: dict[str, str]) -> dict[str, str]:
    parent = {**parent, "booktitle": parent.get("booktitle") or parent.get("title", "")}
    return {name: parent[name] for name in _INHERITED if parent.get(name)}


def _entry(
    entry: Any, own: dict[str, str], inherited: dict[str, str], place: str, source: str
) -> SavedItem | Skipped:
    addresses = addresses_of(own)  # the book's are not its own
    raw = {**inherited, **own}
    fields = {
        name: " and ".join(authors_of(value, others=True)) if name in PEOPLE else decoded(value)
        for name, value in raw.items()
    }
    title = one_line(fields.get("title", ""))
    if not addresses:
        return Skipped(place, f"no eprint, doi, url or isbn: {title[:80] or entry.key}")
    venue = next(
        (name for name in ("journal", "journaltitle", "booktitle") if fields.get(name)), ""
    )
    year = re.search(r"\b(?:1[5-9]|20)\d\d\b", fields.get("year", "") or fields.get("date", ""))
    date = next(
        (
            raw[name]
            for name in ("timestamp", "date-added", "dateadded", "urldate")
            if raw.get(name)
        ),
        "",
    )
    note = fields.get("note", "")
    people = authors_of(raw.get("author", ""))
    placed = _PLACED | ({"eprint", "archiveprefix"} if _is_arxiv(raw) else set())
    more = {BRACES: in_braces(raw.get("title", ""))}
    if re.search(r"\sand\s+others\s*$", raw.get("author", ""), re.IGNORECASE):
        more[OTHERS] = str(len(people))
    # of several groups the first: JabRef's and Mendeley's
    groups = (fields.get("groups", "") or fields.get("mendeley-groups", "")).split(",")[0]
    return SavedItem(
        source=source,
        url=addresses[0],
        title=title,
        note="\n".join(part for part in (note, fields.get("annote", "")) if part),
        folder=tuple(part.strip() for part in re.split("[/>]", groups) if part.strip()),
        tags=split_keywords(fields.get("keywords", "") or fields.get("keyword", "")),
        saved_at=iso(date.replace(".", "-") if re.match(r"\d{4}\.\d\d\.\d\d$", date) else date)
        if date
        else None,
        links=tuple(SavedLink("same", url) for url in addresses[1:]),
        extra={
            name[:100]: value[:10_000]
            for name, value in {**fields, **more}.items()
            if value and name not in placed and name != venue
        },
        place=place,
        authors=people,
        year=int(year[0]) if year else None,
        venue=one_line(fields.get(venue, "")),
        entry_type=one_line(str(entry.entry_type).lower(), 60),
        cite_key=one_line(entry.key, 200),
        state=state_of(fields.get("readstatus", "")),
    )


def split_keywords(text: str) -> tuple[str, ...]:
    """Return keywords that stand between commas or semicolons, each once."""
    separator = ";" if ";" in text else ","
    return tuple(
        dict.fromkeys(tag for part in text.split(separator) if (tag := " ".join(part.split())))
    )


def addresses_of(fields: dict[str, str]) -> list[str]:
    """Return the addresses that the fields of a reference name, the strongest first: its arXiv id, its DOI, its links."""
    found: list[str] = []
    if _is_arxiv(fields) and (
        arxiv := find_arxiv(fields.get("eprint", "")) or _arxiv_in_journal(fields)
    ):
        found.append(f"https://arxiv.org/abs/{arxiv[0].value}{f'v{arxiv[1]}' if arxiv[1] else ''}")
    doi = _DOI.search(
        re.sub(r"\\([_&%#<>])", r"\1", fields.get("doi", "")).replace("{", "").replace("}", "")
    )
    if doi:
        found.append(
            f"https://doi.org/{doi[0].replace('%', '%25').replace('#', '%23').replace('?', '%3F')}"
        )
    for field in _ADDRESS_FIELDS:
        text = re.sub(r"\\([_&%#~{}])", r"\1", fields.get(field, ""))
        text = re.sub(r"\\(?:url|href)\{([^{}]*)\}", r"\1", text)
        found += [url for url in re.findall(r"https?://[^\s{}\\]+", text) if find_mention(url)]
    isbn = re.sub(r"[\s-]", "", fields.get("isbn", "").split(",")[0])
    if not found and re.fullmatch(r"\d{9}[\dXx]|97[89]\d{10}", isbn):
        found.append(f"https://openlibrary.org/isbn/{isbn}")
    each: dict[Any, str] = {}
    for url in found:  # one paper by its id, its DOI and its page is one address
        mention = find_mention(url)
        if mention:
            each.setdefault((mention.key, mention.path), url)
    return list(each.values())


def _is_arxiv(fields: dict[str, str]) -> bool:
    """Whether the eprint of a reference is arXiv's, as far as it says whose it is."""
    whose = fields.get("archiveprefix") or fields.get("eprinttype") or "arxiv"
    return whose.lower() == "arxiv"


def in_braces(title: str) -> str:
    r"""Return a title as it reads, with the braces that keep its capitals; '' where that cannot be told from other braces.

    >>> in_braces(r'A {Bayesian} view of {\"U}ber-{N}ets in $O(n^{2})$')
    'A {Bayesian} view of Über-{N}ets in $O(n^{2})$'
    """
    if r"\{" in title or r"\}" in title:
        return ""
    out: list[str] = []
    kept: list[bool] = []  # of each open brace
    math = False
    for match in re.finditer(r"\\(?:[A-Za-z]+|.)\s*(?=(\{)?)|[{}$]|[^\\{}$]+", title, re.DOTALL):
        text = match[0]
        if text == "{":
            after_command = bool(out) and out[-1].startswith("\\")
            kept.append(not (math or after_command or title.startswith("\\", match.end())))
            out.append("\ue000" if kept[-1] else "{")
        elif text == "}":
            out.append("\ue001" if kept and kept.pop() else "}")
        else:
            math ^= text == "$"
            out.append(text)
    read = decoded("".join(out))
    if kept or "{" in re.sub(r"\$[^$]*\$", "", read):
        return ""
    return one_line(read.replace("\ue000", "{").replace("\ue001", "}"))


def _arxiv_in_journal(fields: dict[str, str]) -> Any:
    """Read `journal={ArXiv}, volume={abs/1907.11692}` and `journal={arXiv preprint arXiv:1907.11692}`."""
    journal = (
        fields.get("journal", "") or fields.get("journaltitle", "") or fields.get("publisher", "")
    )
    if re.search(r"(?i)\b(?:arxiv|corr)\b", journal):
        for field in ("volume", "number", "pages", "eid"):
            if (found := find_arxiv(fields.get(field, ""))) and re.fullmatch(
                r"(?i)(?:abs/|arxiv:)?", fields[field][: found[2][0]]
            ):
                return found
    for field in ("journal", "journaltitle", "volume", "number", "note", "howpublished"):
        text = fields.get(field, "")
        for match in re.finditer(r"(?i)arxiv", text):
            if (found := find_arxiv(text[match.end() : match.end() + 40])) and not re.search(
                r"[\w]{12}", text[match.end() : match.end() + found[2][0]]
            ):
                return found
    return None


def authors_of(text: str, *, others: bool = False) -> tuple[str, ...]:
    """Return the people of an author field, LaTeX decoded: an organisation keeps its braces, an accent in braces does not.

    Args:
        others: whether `others` at the end is one of them.

    >>> authors_of(r'M{\\"u}ller, J{\\"o}rg and {Institute of Things and Stuff} and others')
    ('Müller, Jörg', '{Institute of Things and Stuff}')
    """
    names = []
    for part in _outside_braces(text):
        part = part.strip()
        whole = re.fullmatch(r"\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}", part)
        name = one_line(decoded(whole[1] if whole else part), 1000).rstrip(",")
        if name and (others or name.lower() != "others"):
            names.append(f"{{{name}}}" if whole and " " in name else name)
    return tuple(names[:5000])


def _outside_braces(text: str) -> list[str]:
    """Split at `and` where no brace is open."""
    parts, depth, start = [], 0, 0
    for match in re.finditer(r"[{}]|(?<=\s)and(?=\s)", text):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
        elif depth <= 0:
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


_PIECE = r""""[^"]*"|\{(?:[^{}]|\{[^{}]*\})*\}|[^\s"{}#]+"""
_PIECES = re.compile(rf"""(?:{_PIECE})(?:\s*#\s*(?:{_PIECE}))+""")


def _joined(text: str, strings: Mapping[str, str], depth: int = 0) -> str:
    """Return a value with its pieces put together: `nips # " 30"`, `"5~" # jan`."""
    text = text.strip()
    if "#" not in text or not re.search(r"[\"{]", text) or not _PIECES.fullmatch(text):
        return _unquoted(text)
    return "".join(
        piece[1:-1]
        if piece[0] in '"{'
        else _joined(strings.get(piece.lower(), piece) if depth < 5 else piece, strings, depth + 1)
        for piece in re.findall(_PIECE, text)
    )


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and (text[0], text[-1]) in {('"', '"')}:
        text = text[1:-1]
    return text.strip()


@lru_cache(maxsize=1)
def _decoder() -> Callable[[str], str]:
    from pylatexenc.latex2text import (  # here: as above
        LatexNodes2Text,
        MacroTextSpec,
        get_default_latex_context_db,
    )

    known = get_default_latex_context_db()
    signs = {"S": "§", "P": "¶", "copyright": "©", "pounds": "£"}
    known.add_context_category(
        "signs", macros=[MacroTextSpec(name, sign) for name, sign in signs.items()], prepend=True
    )
    # a command that nobody knows stays as it is written: its letters are somebody's words
    known.set_unknown_macro_spec(MacroTextSpec("", lambda node: node.latex_verbatim()))
    reader = LatexNodes2Text(known, math_mode="verbatim", keep_comments=True)
    logging.getLogger("pylatexenc").setLevel(logging.CRITICAL + 1)
    decode: Callable[[str], str] = reader.latex_to_text
    return decode


def decoded(text: str) -> str:
    """Return LaTeX as the text that it prints: accents and dashes as letters, braces gone, formulas as they are.

    >>> decoded(r'Erd{\\H o}s: 50\\% of {B}ayes -- in $O(n^2)$')
    'Erdős: 50% of Bayes – in $O(n^2)$'
    """
    if not _LATEX.search(text):
        return text.strip()
    if "://" in text:  # an address is not LaTeX, its escapes apart
        return (
            re.sub(r"\\([_&%#~$])", r"\1", re.sub(r"\\url\{([^{}]*)\}", r"\1", text))
            .replace("{", "")
            .replace("}", "")
            .strip()
        )
    try:
        # a bare % would begin a comment, and authors of exports mean a percent sign
        return _decoder()(re.sub(r"(?<!\\)%", r"\\%", text)).strip()
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError):
        return re.sub(r"[{}]", "", text).strip()
