"""Papers that running text names: by address, by a bare id next to “arXiv”, by the DOI of a BibTeX entry."""

from __future__ import annotations

import re

from .address import find_mention
from .key import Key, find_arxiv


_ADDRESS = re.compile(r"https?://[^\s<>\"'`{}|\\^\[\]]{4,400}")
_ARXIV_WORD = re.compile(
    r"(?:arxiv(?:\.org)?[:\s./]{0,3}(?:abs/|pdf/|preprint\s{0,3}(?:arxiv[:\s]{0,3})?)?|eprint\s*=\s*[{\"]\s*)(\d{4}\.\d{4,5})(?!\d)",
    re.IGNORECASE,
)
_DOI = re.compile(
    r"\bdoi\s*=\s*[{\"]\s*(?:https?://(?:dx\.)?doi\.org/)?(10\.\d{4,9}/[^\s{}\"]{1,200})",
    re.IGNORECASE,
)
_SOFTWARE_DOI = "10.5281/zenodo."  # deposits of code and data, rarely of a paper


def paper_key(address: str) -> Key | None:
    """Return the key of an address if it is one of a paper, else None."""
    mention = find_mention(address) if address else None
    if (
        mention is None
        or not mention.key.names_paper
        or mention.key.value.startswith(_SOFTWARE_DOI)
    ):
        return None
    return mention.key


def papers_in(text: str) -> list[Key]:
    """Return the papers that a text names by address, in order, each once; bare ids count only next to `arXiv`."""
    found: dict[Key, None] = {}
    for address in _ADDRESS.findall(text):
        if key := paper_key(address.rstrip(".,;:!?)")):
            found[key] = None
    for number in _ARXIV_WORD.findall(text):
        if arxiv := find_arxiv(number):
            found[arxiv[0]] = None
    return list(found)


def papers_in_citation(entry: str) -> list[Key]:
    """Return the papers that one BibTeX entry stands for, arXiv first."""
    found = dict.fromkeys(papers_in(entry))
    for doi in _DOI.findall(entry):
        if key := paper_key(f"https://doi.org/{doi.rstrip('.,;')}"):
            found[key] = None
    papers = sorted(found, key=lambda key: key.kind != "arxiv")
    arxiv = [key for key in papers if key.kind == "arxiv"]
    return arxiv[:1] if len(arxiv) == 1 else papers
