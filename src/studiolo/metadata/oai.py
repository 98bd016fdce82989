"""arXiv's metadata in bulk: OAI-PMH, a page of about a thousand records at a time, each page naming the next by a token.

Tokens expire; errors come with status 200; what was withdrawn comes as a record that is `deleted`; a busy server says 503
and how long to wait, which the client does. Datestamps are days and say when a record changed, not when the paper appeared.

Protocol: https://www.openarchives.org/OAI/openarchivesprotocol.html; arXiv's part: https://info.arxiv.org/help/oa/index.html
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field

from studiolo.errors import NetworkError, UsageError
from studiolo.keys import Key, make_key
from studiolo.net import Answer, Client

from .facts import Facts
from .xml import parse_xml, words_of


_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_ARXIV = "{http://arxiv.org/OAI/arXiv/}"
_CATEGORY = re.compile(r"[a-z]+(?:-[a-z]+)*(?:\.[A-Za-z]{2}|\.[a-z]+(?:-[a-z]+)+)?", re.ASCII)
# archives that are sets of the group physics; the others are groups of their own
_PHYSICS = frozenset({
    "astro-ph", "cond-mat", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "nlin", "nucl-ex", "nucl-th",
    "physics", "quant-ph",
})  # fmt: skip


class TokenRefused(NetworkError):
    """The resumption token has expired, or was never given out: the list has to be asked for anew."""


@dataclass(slots=True)
class Page:
    """One answer to ListRecords.

    Attributes:
        papers: what it says of each paper.
        deleted: papers that are not there any more.
        skipped: records that could not be read, each with the reason.
        token: names the next page; empty on the last.
        total: records in the whole list, where the server says so.
        day: on which the server answered, `2026-11-25`.
        first, last: the earliest and latest datestamp of its records.
        in_order: whether its datestamps never go back.
    """

    papers: list[Facts] = field(default_factory=list)
    deleted: list[Key] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    token: str = ""
    total: int | None = None
    day: str = ""
    first: str = ""
    last: str = ""
    in_order: bool = True


def check_category(category: str) -> str:
    """Return an arXiv category or archive as it is.

    Raises:
        UsageError: it cannot be one.
    """
    if not _CATEGORY.fullmatch(category):
        raise UsageError(
            f"{category!r} is neither a file nor an arXiv category. Categories look like cs.LG, stat.ML, quant-ph or cs."
        )
    return category


def set_of(category: str) -> str:
    """Return the set of a category: cs.LG is cs:cs:LG, quant-ph is physics:quant-ph, cs is cs."""
    archive, _, subject = category.partition(".")
    group = "physics" if archive in _PHYSICS else archive
    if subject:
        return f"{group}:{archive}:{subject}"
    return archive if group == archive else f"{group}:{archive}"


def fetch_page(client: Client, address: str, question: Mapping[str, str]) -> Page:
    """Return one page of ListRecords.

    Args:
        question: `set`, `from` and `until`, or `resumptionToken` alone.

    Raises:
        TokenRefused: the token has expired.
        UsageError: the server does not know the set, or not these dates.
        NetworkError: it did not answer with a page; what was fetched before stands.
    """

    def fault(answer: Answer) -> str | None:
        try:
            parse_xml(answer.body, f"{_OAI}OAI-PMH", "page of OAI-PMH")
        except NetworkError as problem:
            return str(problem)
        return None

    more = {} if "resumptionToken" in question else {"metadataPrefix": "arXiv"}
    answer = client.get(
        address, {"verb": "ListRecords", **more, **question}, fault=fault, keep=False
    )
    if answer.status != 200:
        raise NetworkError(f"There is no OAI-PMH at {address} (status {answer.status}).")
    return parse_page(answer.body)


def wider_set(client: Client, address: str, category: str, refused: str) -> str:
    """Return the set to ask for where the server refused that of a category: its archive's, if the server has no finer ones.

    Raises:
        UsageError: the server has finer sets, so it has no such category; or the archive's was refused already.
        NetworkError: it did not answer.
    """
    wider = set_of(category.partition(".")[0])
    answer = client.get(address, {"verb": "ListSets"}, keep=False)
    root = parse_xml(answer.body, f"{_OAI}OAI-PMH", "list of sets")
    names = {words_of(one.text) for one in root.iter(f"{_OAI}setSpec")}
    if wider == refused or wider not in names or any(one.startswith(f"{wider}:") for one in names):
        raise UsageError(
            f"arXiv has no category {category}. See https://arxiv.org/category_taxonomy"
        )
    return wider


def parse_page(body: bytes) -> Page:
    """Return what a page says.

    Raises:
        TokenRefused, UsageError, NetworkError: as `fetch_page`.
    """
    root = parse_xml(body, f"{_OAI}OAI-PMH", "page of OAI-PMH")
    page = Page(day=_day(root.findtext(f"{_OAI}responseDate")))
    for error in root.iterfind(f"{_OAI}error"):
        code, message = error.get("code", ""), words_of(error.text)[:300]
        if code == "noRecordsMatch":
            return page
        if code == "badResumptionToken":
            raise TokenRefused(f"arXiv does not take the token any more ({message})")
        if code == "badArgument":
            raise UsageError(f"arXiv does not accept this: {message or 'it does not say why'}.")
        raise NetworkError(f"arXiv answered with the error {code[:40]!r}: {message}")
    records = root.find(f"{_OAI}ListRecords")
    if records is None:
        raise NetworkError("arXiv's answer has neither records nor an error.")
    for record in records.iterfind(f"{_OAI}record"):
        _read(record, page)
    token = records.find(f"{_OAI}resumptionToken")
    if token is not None:
        page.token = (token.text or "").strip()
        size = token.get("completeListSize", "")
        page.total = int(size) if size.isascii() and size.isdigit() and len(size) < 10 else None
    return page


def _read(record: ET.Element, page: Page) -> None:
    name = (record.findtext(f"{_OAI}header/{_OAI}identifier") or "").strip()
    stamp = _day(record.findtext(f"{_OAI}header/{_OAI}datestamp"))
    if stamp:
        page.in_order &= stamp >= page.last
        page.first, page.last = min(page.first or stamp, stamp), max(page.last, stamp)
    key = make_key("arxiv", name.rpartition("oai:arXiv.org:")[2])
    if key is None:
        page.skipped.append(f"a record called {name[:60]!r}, which is not an arXiv id")
        return
    header = record.find(f"{_OAI}header")
    if header is not None and header.get("status") == "deleted":
        page.deleted.append(key)
        return
    paper = record.find(f"{_OAI}metadata/{_ARXIV}arXiv")
    title = words_of(paper.findtext(f"{_ARXIV}title")) if paper is not None else ""
    if paper is None or not title:
        page.skipped.append(f"{key} without a title")
        return
    published = _day(paper.findtext(f"{_ARXIV}created"))
    doi = make_key("doi", (paper.findtext(f"{_ARXIV}doi") or "").split(" ")[0])
    page.papers.append(
        Facts(
            key=key,
            title=title,
            authors=tuple(filter(None, map(_author, paper.iterfind(f"{_ARXIV}authors/{_ARXIV}author")))),
            year=int(published[:4]) if published else None,
            published=published,
            venue=words_of(paper.findtext(f"{_ARXIV}journal-ref"))[:500],
            abstract=words_of(paper.findtext(f"{_ARXIV}abstract")),
            categories=tuple(dict.fromkeys(words_of(paper.findtext(f"{_ARXIV}categories"))[:400].split())),
            same=(doi,) if doi and doi != key else (),
            said_by="arxiv",
        )
    )  # fmt: skip


def _author(author: ET.Element) -> str:
    parts = (author.findtext(f"{_ARXIV}{part}") for part in ("forenames", "keyname", "suffix"))
    return " ".join(filter(None, map(words_of, parts)))


def _day(text: str | None) -> str:
    """Return the day of a date, '' where it is none."""
    found = re.match(r"(?:19|20)\d\d-[01]\d-[0-3]\d", (text or "").strip())
    return found[0] if found else ""
