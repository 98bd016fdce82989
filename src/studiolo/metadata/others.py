"""Semantic Scholar, OpenAlex, Crossref, DataCite and GitHub: each by the key it knows, JSON as the answer.

Semantic Scholar's `externalIds` and OpenAlex's locations say which preprint and which publication are one work.

APIs: https://api.semanticscholar.org/api-docs, https://docs.openalex.org, https://api.crossref.org, https://support.datacite.org,
https://docs.github.com/rest/repos/repos
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from studiolo.errors import NetworkError
from studiolo.keys import Key, find_mention, make_key
from studiolo.net import Answer, Client
from studiolo.sources import paper_links

from .facts import Facts


S2_BATCH = 100  # ids in one question; the service takes 500
_S2_FIELDS = "title,year,authors,venue,abstract,publicationDate,externalIds"


def _words(value: Any, limit: int = 20_000) -> str:
    return " ".join(value.split())[:limit] if isinstance(value, str) else ""


def _plain(value: Any) -> str:
    """Return text without the JATS and HTML tags that publishers leave in titles."""
    return _words(re.sub(r"</?[A-Za-z][^<>]{0,200}>", " ", value) if isinstance(value, str) else "")


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _fields(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _fault(answer: Answer) -> str | None:
    """Return why an answer with status 200 is none: it is cut short, or a page for people."""
    try:
        answer.json()
    except NetworkError as problem:
        return str(problem)
    return None


def _year(value: Any) -> int | None:
    return value if isinstance(value, int) and 1600 < value < 2200 else None


def _doi(value: Any) -> Key | None:
    text = (
        _words(value, 300)
        .lower()
        .removeprefix("https://doi.org/")
        .removeprefix("http://dx.doi.org/")
    )
    return make_key("doi", text) if text else None


def _semantic_scholar_id(key: Key) -> str | None:
    names = {"arxiv": "ARXIV:", "doi": "DOI:", "acl": "ACL:"}
    if key.kind in names:
        return names[key.kind] + key.value
    return f"URL:{key.value}" if key.kind == "url" and key.names_paper else None


def fetch_semantic_scholar(
    client: Client, keys: Sequence[Key], address: str, *, refresh: bool = False
) -> Iterator[Facts]:
    """Yield facts with the cross-walk of each key that the service can be asked for, `missing` where it knows none."""
    named = [(key, name) for key in keys if (name := _semantic_scholar_id(key))]
    token = os.environ.get("S2_API_KEY", "")
    for start in range(0, len(named), S2_BATCH):
        batch = named[start : start + S2_BATCH]
        answer = client.post_json(
            f"{address}/paper/batch?fields={_S2_FIELDS}",
            {"ids": [name for _, name in batch]},
            headers={"x-api-key": token} if token else None,
            max_age_s=0.0 if refresh else None,
            fault=_fault,
        )
        papers = answer.json()
        if answer.status == 404 or not isinstance(papers, list) or len(papers) != len(batch):
            raise NetworkError(
                f"Semantic Scholar answered {len(_items(papers))} papers to {len(batch)} ids."
            )
        for (key, _), paper in zip(batch, papers, strict=True):
            if not isinstance(paper, Mapping):
                yield Facts(key, said_by="semantic-scholar", missing=True)
                continue
            ids = _fields(paper.get("externalIds"))
            others = {
                other
                for other in (
                    make_key("arxiv", _words(ids.get("ArXiv"))),
                    _doi(ids.get("DOI")),
                    make_key("acl", _words(ids.get("ACL"))),
                )
                if other and other != key
            }
            yield Facts(
                key=key,
                title=_plain(paper.get("title")),
                authors=tuple(
                    name
                    for author in _items(paper.get("authors"))
                    if (name := _words(_fields(author).get("name"), 200))
                ),
                year=_year(paper.get("year")),
                published=_words(paper.get("publicationDate"), 40),
                venue=_words(paper.get("venue"), 300),
                abstract=_plain(paper.get("abstract")),
                same=tuple(sorted(others)),
                said_by="semantic-scholar",
            )


def fetch_openalex(
    client: Client, keys: Sequence[Key], address: str, *, refresh: bool = False
) -> Iterator[Facts]:
    """Yield facts of DOIs and arXiv keys, one question each (those are free)."""
    token = os.environ.get("OPENALEX_API_KEY", "")
    for key in keys:
        doi = f"10.48550/arxiv.{key.value}" if key.kind == "arxiv" else key.value
        if key.kind not in {"arxiv", "doi"}:
            continue
        query = {
            "select": "title,publication_year,publication_date,authorships,locations,primary_location"
        }
        headers = {"Authorization": f"Bearer {token}"} if token else None
        answer = client.get(
            f"{address}/works/doi:{quote(doi, safe='/:.')}",
            query,
            headers=headers,
            max_age_s=0.0 if refresh else None,
            fault=_fault,
        )
        work = _fields(answer.json()) if answer.status == 200 else {}
        if not work:
            yield Facts(key, said_by="openalex", missing=True)
            continue
        others = set()
        for place in _items(work.get("locations")):
            mention = find_mention(_words(_fields(place).get("landing_page_url"), 500))
            if (
                mention
                and mention.key != key
                and mention.key.kind in {"arxiv", "doi", "acl", "pmlr", "openreview"}
            ):
                others.add(mention.key)
        venue = _fields(_fields(work.get("primary_location")).get("source")).get("display_name")
        yield Facts(
            key=key,
            title=_plain(work.get("title")),
            authors=tuple(
                name
                for entry in _items(work.get("authorships"))
                if (name := _words(_fields(_fields(entry).get("author")).get("display_name"), 200))
            ),
            year=_year(work.get("publication_year")),
            published=_words(work.get("publication_date"), 40),
            venue=_words(venue, 300),
            same=tuple(sorted(others)),
            said_by="openalex",
        )


def fetch_crossref(client: Client, key: Key, address: str, *, refresh: bool = False) -> Facts:
    """Return the facts of a DOI, with its preprint where the publisher names one."""
    answer = client.get(
        f"{address}/works/{quote(key.value, safe='/:.')}",
        max_age_s=0.0 if refresh else None,
        fault=_fault,
    )
    work = _fields(_fields(answer.json()).get("message")) if answer.status == 200 else {}
    if not work:
        return Facts(key, said_by="crossref", missing=True)
    others = set()
    for relation in ("has-preprint", "is-preprint-of"):
        for other in _items(_fields(work.get("relation")).get(relation)):
            if (
                _fields(other).get("id-type") == "doi"
                and (doi := _doi(_fields(other).get("id")))
                and doi != key
            ):
                others.add(doi)
    parts = _items(_fields(work.get("issued")).get("date-parts"))
    date = [part for part in _items(parts[0] if parts else []) if isinstance(part, int)]
    titles, venues = _items(work.get("title")), _items(work.get("container-title"))
    return Facts(
        key=key,
        title=_plain(titles[0]) if titles else "",
        authors=tuple(
            name
            for author in _items(work.get("author"))
            if (
                name := _words(
                    f"{_fields(author).get('given') or ''} {_fields(author).get('family') or _fields(author).get('name') or ''}",
                    200,
                )
            )
        ),
        year=_year(date[0]) if date else None,
        published="-".join(f"{part:02d}" for part in date)[:40],
        venue=_plain(venues[0]) if venues else "",
        abstract=_plain(work.get("abstract")),
        same=tuple(sorted(others)),
        said_by="crossref",
    )


def fetch_datacite(client: Client, key: Key, address: str, *, refresh: bool = False) -> Facts:
    """Return the facts of a DOI that DataCite gave out (arXiv, Zenodo)."""
    answer = client.get(
        f"{address}/dois/{quote(key.value, safe='/:.')}",
        max_age_s=0.0 if refresh else None,
        fault=_fault,
    )
    work = (
        _fields(_fields(_fields(answer.json()).get("data")).get("attributes"))
        if answer.status == 200
        else {}
    )
    if not work:
        return Facts(key, said_by="datacite", missing=True)
    others = set()
    for relation in _items(work.get("relatedIdentifiers")):
        if _fields(relation).get("relationType") in (
            "IsVersionOf",
            "IsIdenticalTo",
            "IsPreviousVersionOf",
        ):
            doi = _doi(_fields(relation).get("relatedIdentifier"))
            if doi and doi != key:
                others.add(doi)
    titles = _items(work.get("titles"))
    return Facts(
        key=key,
        title=_plain(_fields(titles[0]).get("title")) if titles else "",
        authors=tuple(
            name
            for author in _items(work.get("creators"))
            if (name := _words(_fields(author).get("name"), 200))
        ),
        year=_year(work.get("publicationYear")),
        venue=_words(work.get("publisher"), 300)
        or _words(_fields(work.get("publisher")).get("name"), 300),
        same=tuple(sorted(others)),
        said_by="datacite",
    )


_CITATION = re.compile(r"@[A-Za-z]{2,20}\s*\{[^@]{10,4000}?\n\s*\}", re.DOTALL)
_ADDRESS = re.compile(r"https?://[^\s<>\"'`{}|\\^\[\]()]{4,400}")


def fetch_github(client: Client, key: Key, address: str, *, refresh: bool = False) -> Facts:
    """Return what a repository says of itself, and the paper that it, or its README, names."""
    token = os.environ.get("GITHUB_TOKEN", "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    age = 0.0 if refresh else None
    answer = client.get(
        f"{address}/repos/{key.value}", headers=headers, max_age_s=age, fault=_fault
    )
    repo = _fields(answer.json()) if answer.status == 200 else {}
    full_name = _words(repo.get("full_name"), 200)
    if "/" not in full_name:
        return Facts(key, said_by="github", missing=True)
    raw = {"Accept": "application/vnd.github.raw+json", **headers}
    readme = client.get(f"{address}/repos/{key.value}/readme", headers=raw, max_age_s=age)
    text = readme.text[:500_000] if readme.status == 200 else ""
    links = paper_links(
        full_name.split("/")[1],
        _words(repo.get("description")),
        _words(repo.get("homepage"), 2000),
        readme_urls=_ADDRESS.findall(_CITATION.sub(" ", text)),
        citations=_CITATION.findall(text)[:20],
        created_at=_words(repo.get("created_at"), 40),
    )
    weak = {"mention", "several"}
    papers = tuple(
        mention.key
        for link in links
        if link.role not in weak and (mention := find_mention(link.url))
    )
    return Facts(
        key=key,
        title=full_name,
        abstract=_words(repo.get("description")),
        published=_words(repo.get("created_at"), 40),
        about=papers,
        said_by="github",
        extra={"id": str(repo["id"])} if isinstance(repo.get("id"), int) else {},
    )
