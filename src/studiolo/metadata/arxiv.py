"""arXiv's API: up to a hundred ids in one question, an Atom feed as the answer.

Errors come as a feed with one entry called "Error" and status 200; an unknown id is simply not in the answer; under load the
feed may be empty or cut short. So every answer is looked at before it is kept, and what came back is counted.

API: https://info.arxiv.org/help/api/user-manual.html; at most one request in three seconds: https://info.arxiv.org/help/api/tou.html
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from studiolo.errors import NetworkError
from studiolo.keys import Key, find_arxiv, make_key
from studiolo.net import Answer, Client

from .facts import Facts
from .xml import parse_xml, words_of


BATCH = 100
NEWEST = 500  # papers of one page
MOST = 30_000  # papers that arXiv shows of one question
_ATOM = "{http://www.w3.org/2005/Atom}"
_SEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
_ARXIV = "{http://arxiv.org/schemas/atom}"


def fetch_arxiv(
    client: Client, keys: Sequence[Key], address: str, *, refresh: bool = False
) -> Iterator[Facts]:
    """Yield the facts of arXiv keys, also of those that arXiv does not know (`missing`).

    Raises:
        NetworkError: arXiv did not answer; what was yielded before stands.
    """
    for start in range(0, len(keys), BATCH):
        yield from _fetch_batch(client, list(keys[start : start + BATCH]), address, refresh)


@dataclass(frozen=True, slots=True)
class NewestPage:
    """A page of a category.

    Attributes:
        read: how many entries it has.
        updated: ISO day of the entry that has not changed for longest.
        total: papers of the whole category.
        is_last: whether there is no page after it.
        cut: papers that arXiv shows at most, where it has more; else 0.
    """

    papers: tuple[Facts, ...]
    read: int
    updated: str
    total: int
    is_last: bool
    cut: int = 0


def fetch_newest(
    client: Client, address: str, category: str, start: int = 0
) -> Iterator[NewestPage]:
    """Yield the pages of a category, what was changed last first, from the paper number `start` on.

    Raises:
        NetworkError: arXiv did not answer; what was yielded before stands.
    """
    wanted = f"cat:{category}" if "." in category else f"(cat:{category} OR cat:{category}.*)"
    while True:

        def fault(answer: Answer, start: int = start) -> str | None:
            try:
                root = _root(answer.body)
            except NetworkError as problem:
                return str(problem)
            total = _total(root)
            if root.find(f"{_ATOM}entry") is None and start < min(total, MOST):
                return f"an empty feed where {total:,} papers should be"
            return None

        question = {"search_query": wanted, "sortBy": "lastUpdatedDate", "sortOrder": "descending"}
        answer = client.get(
            address,
            {**question, "start": str(start), "max_results": str(NEWEST)},
            fault=fault,
            keep=False,
        )
        if error := _error_of(answer.body):
            raise NetworkError(f"arXiv answered with an error: {error}")
        root = _root(answer.body)
        updated = [
            entry.findtext(f"{_ATOM}updated") or "" for entry in root.iterfind(f"{_ATOM}entry")
        ]
        start, total = start + len(updated), _total(root)
        yield NewestPage(
            papers=tuple(  # as OAI-PMH says it, so that neither changes what the other said
                replace(facts, published=facts.published[:10], version="")
                for facts in parse_feed(answer.body)
            ),
            read=len(updated),
            updated=min(filter(None, updated), default="")[:10],
            total=total,
            is_last=start >= min(total, MOST) or not updated,
            cut=MOST if start >= MOST and total > MOST else 0,
        )
        if start >= min(total, MOST) or not updated:
            return


def _total(root: ET.Element) -> int:
    text = (root.findtext(f"{_SEARCH}totalResults") or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _fetch_batch(client: Client, keys: list[Key], address: str, refresh: bool) -> Iterator[Facts]:
    def fault(answer: Answer) -> str | None:
        try:
            feed = parse_feed(answer.body)
        except NetworkError as problem:
            return str(problem)
        if not feed and not _error_of(answer.body) and len(keys) >= 5:
            return f"an empty feed for {len(keys)} ids"
        return None

    wanted = ",".join(key.value for key in keys)
    answer = client.get(
        address,
        {"id_list": wanted, "max_results": str(len(keys))},
        max_age_s=0.0 if refresh else None,
        fault=fault,
    )
    error = _error_of(answer.body)
    if error and len(keys) > 1:  # one bad id spoils a batch: find it by halves
        middle = len(keys) // 2
        yield from _fetch_batch(client, keys[:middle], address, refresh)
        yield from _fetch_batch(client, keys[middle:], address, refresh)
        return
    found = {facts.key: facts for facts in ([] if error else parse_feed(answer.body))}
    for key in keys:
        yield found.get(key, Facts(key, said_by="arxiv", missing=True))


def _root(body: bytes) -> ET.Element:
    return parse_xml(body, f"{_ATOM}feed", "feed")


def _error_of(body: bytes) -> str:
    """Return the message of an error feed, or '' where it is none."""
    for entry in _root(body).iterfind(f"{_ATOM}entry"):
        if "/api/errors" in (entry.findtext(f"{_ATOM}id") or ""):
            return words_of(entry.findtext(f"{_ATOM}summary")) or "an error without a message"
    return ""


def parse_feed(body: bytes) -> list[Facts]:
    """Return the papers of a feed.

    Raises:
        NetworkError: it is not a complete Atom feed, or declares a document type.
    """
    papers = []
    for entry in _root(body).iterfind(f"{_ATOM}entry"):
        address = entry.findtext(f"{_ATOM}id") or ""
        found = find_arxiv(address.partition("/abs/")[2])
        if found is None:
            continue
        key, version, _ = found
        published = (entry.findtext(f"{_ATOM}published") or "").strip()
        same = []
        if doi := make_key("doi", (entry.findtext(f"{_ARXIV}doi") or "").strip()):
            same.append(doi)
        papers.append(
            Facts(
                key=key,
                title=words_of(entry.findtext(f"{_ATOM}title")),
                authors=tuple(
                    name
                    for author in entry.iterfind(f"{_ATOM}author")
                    if (name := words_of(author.findtext(f"{_ATOM}name")))
                ),
                year=int(published[:4]) if re.match(r"(?:19|20)\d\d-", published) else None,
                version=f"v{version}" if version else "",
                published=published[:40],
                venue=words_of(entry.findtext(f"{_ARXIV}journal_ref")),
                abstract=words_of(entry.findtext(f"{_ATOM}summary")),
                categories=tuple(
                    dict.fromkeys(
                        term
                        for part in entry.iterfind(f"{_ATOM}category")
                        if (term := part.get("term", "")[:40])
                    )
                ),
                same=tuple(key for key in same if key.kind == "doi"),
                said_by="arxiv",
            )
        )
    return papers
