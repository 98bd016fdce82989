"""GitHub stars: REST pages with `starred_at`, star lists by GraphQL, and JSON that was dumped earlier.

REST gives 100 stars a page, newest first; without a token 60 requests an hour, which is 6,000 stars. A repository is known by
its number, which survives renames. Star lists exist in GraphQL only, and that wants a token.

API: https://docs.github.com/rest/activity/starring and https://docs.github.com/graphql
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from studiolo.errors import NetworkError, SourceError, UsageError
from studiolo.net import Client

from .dates import iso
from .guard import OnBytes, one_line, parse_json, read_whole, text_of
from .repository import paper_links
from .saved import Reading, SavedItem, Skipped


SOURCE = "github-stars"
API = "https://api.github.com"
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")
_NEXT = re.compile(r'<([^<>]+)>\s*;\s*rel="next"')
_LISTS_QUERY = """
query($login: String!, $list: String, $item: String) {
  user(login: $login) { lists(first: 1, after: $list) {
    pageInfo { hasNextPage endCursor }
    nodes { name description items(first: 100, after: $item) {
      pageInfo { hasNextPage endCursor }
      nodes { ... on Repository { databaseId nameWithOwner } } } } } } }
"""


def star(
    repo: Mapping[str, Any], starred_at: Any, place: str, folders: tuple[str, ...] = ()
) -> SavedItem | Skipped:
    """Return one star from a repository object of REST or of a dump."""
    full_name = one_line(text_of(repo.get("full_name")), 200)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", full_name):
        return Skipped(place, f"a repository without owner/name: {full_name or 'nothing'}")
    description = text_of(repo.get("description")).strip()
    homepage = one_line(text_of(repo.get("homepage")), 2000)
    found = repo.get("arxiv")
    readme: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    links = paper_links(
        full_name.split("/")[1],
        description,
        homepage,
        readme_urls=[text for url in _list(readme.get("urls")) if (text := text_of(url, 2000))],
        citations=[
            text
            for entry in _list(readme.get("bibtex_citations"))
            if (text := text_of(entry, 20_000))
        ],
        badge=text_of(readme.get("primary_url"), 2000),
        created_at=text_of(repo.get("created_at"), 40),
    )
    extra = {
        field: value
        for field in ("language", "homepage", "pushed_at")
        if (value := text_of(repo.get(field), 2000))
    }
    if repo.get("archived") is True:
        extra["archived"] = "true"
    number = repo.get("id")
    return SavedItem(
        source=SOURCE,
        url=f"https://github.com/{full_name}",
        title=full_name,
        about=description,
        folder=folders,
        tags=tuple(text for topic in _list(repo.get("topics")) if (text := text_of(topic, 100))),
        saved_at=iso(text_of(starred_at) or None),
        native=str(number) if isinstance(number, int) else full_name.casefold(),
        links=links,
        extra=extra,
        place=place,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def load_stars(path: Path, on_bytes: OnBytes | None = None) -> Reading:
    """Yield the stars of a JSON file: REST pages (with or without `starred_at`), one list or several, or dmarx/stars' dump."""
    name = path.name
    document = parse_json(read_whole(path, on_bytes), name)
    repositories = document.get("repositories") if isinstance(document, Mapping) else None
    if isinstance(repositories, Mapping):
        for number, (full_name, entry) in enumerate(repositories.items(), 1):
            place = f"{name}, item {number}"
            meta = entry.get("metadata") if isinstance(entry, Mapping) else None
            if not isinstance(meta, Mapping):
                yield Skipped(place, f"a star without metadata: {full_name[:100]}")
                continue
            lists = tuple(
                text for part in _list(entry.get("lists")) if (text := one_line(text_of(part), 200))
            )
            repo = {"full_name": full_name, **meta, "arxiv": entry.get("arxiv")}
            yield star(repo, meta.get("starred_at"), place, lists)
        return
    if not isinstance(document, list):
        raise SourceError(
            f"{name} holds neither a list of stars nor `repositories`. Export: `studiolo collect github-stars --help`."
        )
    pages = document if document and isinstance(document[0], list) else [document]
    yield from _stars_of(
        [entry for page in pages if isinstance(page, list) for entry in page], name
    )


def _stars_of(entries: list[Any], name: str) -> Iterator[SavedItem | Skipped]:
    for number, entry in enumerate(entries, 1):
        place = f"{name}, item {number}"
        if not isinstance(entry, Mapping):
            yield Skipped(place, f"not a star but {type(entry).__name__}")
        elif isinstance(entry.get("repo"), Mapping):
            yield star(entry["repo"], entry.get("starred_at"), place)
        else:
            yield star(entry, entry.get("starred_at"), place)


def fetch_stars(
    client: Client,
    login: str,
    *,
    token: str = "",
    is_known: Callable[[SavedItem], bool] = lambda item: False,
    everything: bool = False,
    with_lists: bool = False,
    api: str = API,
) -> Reading:
    """Yield a user's stars, newest first, until one is known already (`everything`: to the end).

    Args:
        is_known: whether an item was collected before; the reading stops after the first page that holds such a one, so an
            interrupted first reading should be repeated with `everything`.

    Raises:
        UsageError: the login cannot be one.
        NetworkError: GitHub did not answer, knows no such user, or wants a token.
    """
    if not _LOGIN.fullmatch(login):
        raise UsageError(f"{login!r} is neither a file nor a GitHub login.")
    headers = {"Accept": "application/vnd.github.star+json", "X-GitHub-Api-Version": "2022-11-28"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    folders = _fetch_lists(client, login, token, api) if with_lists else {}
    url: str | None = f"{api}/users/{login}/starred?per_page=100&sort=created&direction=desc"
    page = 0
    while url:
        answer = client.get(url, headers=headers, max_age_s=0.0)
        if answer.status == 404:
            raise NetworkError(f"GitHub knows no user {login!r}.")
        entries = answer.json()
        if not isinstance(entries, list):
            raise NetworkError(f"{url} did not answer with a list of stars.")
        page += 1
        seen_one = False
        for item in _stars_of(entries, f"github.com/{login}, page {page}"):
            if isinstance(item, SavedItem):
                if is_known(item):
                    seen_one = True
                yield _in_lists(item, folders)
            else:
                yield item
        following = _NEXT.search(answer.headers.get("link", ""))
        url = following[1] if following and (everything or not seen_one) else None
        if url and not url.startswith(f"{api}/"):
            raise NetworkError(
                f"{api} puts the next page on another host ({url[:80]}); not followed."
            )


def _in_lists(item: SavedItem, folders: Mapping[str, tuple[str, ...]]) -> SavedItem:
    from dataclasses import replace

    names = folders.get(item.native)
    return replace(item, tags=(*item.tags, *names)) if names else item


def _fetch_lists(client: Client, login: str, token: str, api: str) -> dict[str, tuple[str, ...]]:
    """Return the names of a user's star lists by repository number."""
    if not token:
        raise UsageError(
            "Star lists need a token: put one (no scope needed) into GITHUB_TOKEN, or leave out --lists."
        )
    found: dict[str, tuple[str, ...]] = {}
    after_list: str | None = None
    while True:
        after_item: str | None = None
        while True:
            payload = {
                "query": _LISTS_QUERY,
                "variables": {"login": login, "list": after_list, "item": after_item},
            }
            answer = client.post_json(
                f"{api}/graphql",
                payload,
                headers={"Authorization": f"Bearer {token}"},
                max_age_s=0.0,
            ).json()
            try:
                if answer.get("errors"):
                    raise NetworkError(
                        f"GitHub says about the star lists: {one_line(str(answer['errors'][0].get('message')), 200)}"
                    )
                lists = answer["data"]["user"]["lists"]
                nodes = lists["nodes"]
                items: Any = nodes[0]["items"] if nodes else {"nodes": [], "pageInfo": {}}
                for repo in items["nodes"]:
                    number = str(repo.get("databaseId") or "")
                    found[number] = (*found.get(number, ()), one_line(nodes[0]["name"], 200))
                more_items, more_lists = items["pageInfo"], lists["pageInfo"]
            except (AttributeError, KeyError, IndexError, TypeError) as problem:
                raise NetworkError(
                    f"GitHub's answer about the star lists of {login} has an unknown shape."
                ) from problem
            if not more_items.get("hasNextPage"):
                break
            after_item = more_items.get("endCursor")
        if not more_lists.get("hasNextPage"):
            return found
        after_list = more_lists.get("endCursor")
