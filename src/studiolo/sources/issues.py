"""Issues of GitHub, GitLab and Gitea (Codeberg, Forgejo): a phone and a form are enough to save a paper.

An issue is its first paper, else its first link, else itself. Its words are the note, its labels the tags, its comments
further notes; what Studiolo's own form asks for goes where it belongs.

API: https://docs.github.com/rest/issues, https://docs.gitlab.com/api/issues/ and https://docs.gitea.com/api/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote, urlencode, urlsplit

from studiolo.errors import NetworkError, SourceError, UsageError
from studiolo.keys import address_of, find_key, find_mention, papers_in
from studiolo.lists import find_links, plain_with_links
from studiolo.net import Client

from .dates import iso
from .guard import OnBytes, one_line, parse_json, read_whole, text_of
from .saved import Reading, SavedItem, SavedLink, Skipped
from .states import state_of


SOURCE = "github-issues"
Kind = Literal["github", "gitlab", "gitea"]
KINDS: tuple[Kind, ...] = get_args(Kind)
OURS = "Collected by Studiolo"  # how the comment begins that names where an issue went
MOST_COMMENTS = 100  # of an issue; more is a discussion
_NEXT = re.compile(r'<([^<>]+)>\s*;\s*rel="next"')
_GITEA_HOSTS = frozenset({"codeberg.org", "gitea.com"})
_FIELD = re.compile(r"^###[ \t]+(.+?)[ \t]*$", re.MULTILINE)  # as a form is written into an issue
_NOTHING = re.compile(r"_?No response_?|None", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Repository:
    """Where issues are.

    Attributes:
        host: of the site, for people and identities.
        api: where its API is, without a slash at its end.
        path: `owner/repo`; on GitLab it may have more parts.
    """

    kind: Kind
    host: str
    api: str
    path: str

    @property
    def issues(self) -> str:
        """The address of its issues in the API."""
        if self.kind == "gitlab":
            return f"{self.api}/projects/{quote(self.path, safe='')}/issues"
        return f"{self.api}/repos/{self.path}/issues"

    @property
    def comments(self) -> str:
        """What the comments of an issue are called in the API."""
        return "notes" if self.kind == "gitlab" else "comments"

    def headers(self, token: str) -> dict[str, str]:
        """Return the headers of a request, with a token if there is one."""
        if self.kind == "gitlab":
            return {"PRIVATE-TOKEN": token} if token else {}
        if self.kind == "gitea":
            return {"Authorization": f"token {token}"} if token else {}
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        return {**headers, "Authorization": f"Bearer {token}"} if token else headers


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue that was read.

    Attributes:
        number: as people say it.
        is_told: whether a comment of ours names where it went.
    """

    number: int
    item: SavedItem
    is_told: bool


def repository_at(where: str, *, kind: str = "", api: str = "") -> Repository:
    """Return the repository that somebody names: `owner/repo` on GitHub, or an address on any of the three.

    Args:
        kind: github, gitlab or gitea, where the host does not tell.
        api: where GitHub's API is, if not at its own address.

    Raises:
        UsageError: it is not a repository, or nobody knows what runs on its host.
    """
    if kind and kind not in KINDS:
        raise UsageError(f"{kind!r} is not a kind of site. Choose one of: {', '.join(KINDS)}.")
    where = where.strip().removesuffix("/")
    if "://" not in where:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", where) or kind not in ("", "github"):
            raise UsageError(
                f"{where!r} is not a repository. Give OWNER/REPO on GitHub, or the address of a project: https://gitlab.com/group/project"
            )
        return Repository("github", "github.com", api or "https://api.github.com", where)
    parts = urlsplit(where)
    host = (parts.hostname or "").removeprefix("www.")
    path = re.sub(r"/(?:-/)?issues(?:/.*)?$", "", parts.path).strip("/").removesuffix(".git")
    if parts.scheme not in ("https", "http") or not re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+", path):
        raise UsageError(f"{where} is not a repository. Give its address: https://host/owner/repo")
    found = kind or _kind_of(host)
    if not found:
        raise UsageError(
            f"Nobody knows whether {host} is GitLab or Gitea. Say it: --kind gitlab, or --kind gitea"
        )
    base = f"{parts.scheme}://{parts.netloc}"
    if found == "github":
        base = api or ("https://api.github.com" if host == "github.com" else f"{base}/api/v3")
        return Repository("github", host, base, "/".join(path.split("/")[:2]))
    if found == "gitlab":
        return Repository("gitlab", host, f"{base}/api/v4", path)
    return Repository("gitea", host, f"{base}/api/v1", "/".join(path.split("/")[:2]))


def _kind_of(host: str) -> Kind | None:
    if host == "github.com":
        return "github"
    if "gitlab" in host:
        return "gitlab"
    return "gitea" if host in _GITEA_HOSTS or re.search("gitea|forgejo", host) else None


def fetch_issues(
    client: Client,
    repository: Repository,
    *,
    label: str = "",
    everything: bool = False,
    token: str = "",
    on_issue: Callable[[Issue], object] = lambda issue: None,
) -> Reading:
    """Yield the open issues of a repository, oldest first.

    Args:
        label: only those that have it; it is not taken for a tag.
        everything: closed ones too.
        on_issue: told of each that was read.

    Raises:
        NetworkError: the site did not answer, or knows no such repository.
    """
    headers = repository.headers(token)
    opened = "opened" if repository.kind == "gitlab" else "open"
    asked = {"state": "all" if everything else opened, "sort": _sort(repository.kind)}
    asked |= {"direction": "asc"} if repository.kind == "github" else {}
    asked |= {"sort": "asc", "order_by": "created_at"} if repository.kind == "gitlab" else {}
    asked |= (
        {"type": "issues", "limit": "50"} if repository.kind == "gitea" else {"per_page": "100"}
    )
    asked |= {"labels": label} if label else {}
    place = f"{repository.host}/{repository.path}"
    for entry in _pages(client, f"{repository.issues}?{urlencode(asked)}", repository, headers):
        if not isinstance(entry, Mapping):
            yield Skipped(place, f"not an issue but {type(entry).__name__}")
            continue
        if entry.get("pull_request"):
            continue  # GitHub calls them issues; they are not captures, and so are not counted
        number = _number(entry)
        comments: list[Any] = []
        if entry.get("comments") or entry.get("user_notes_count"):
            address = f"{repository.issues}/{number}/{repository.comments}?per_page=100&limit=50"
            address += "&sort=asc&order_by=created_at" if repository.kind == "gitlab" else ""
            comments = list(_pages(client, address, repository, headers))[:MOST_COMMENTS]
        saved = issue_item(entry, comments, host=repository.host, path=repository.path, label=label)
        if isinstance(saved, SavedItem):
            told = any(text_of(_said(one)).startswith(OURS) for one in comments)
            on_issue(Issue(number, saved, told))
        yield saved


def _sort(kind: Kind) -> str:
    return "oldest" if kind == "gitea" else "created"


def _pages(
    client: Client, url: str, repository: Repository, headers: Mapping[str, str]
) -> Iterator[Any]:
    following: str | None = url
    while following:
        answer = client.get(following, headers=headers, max_age_s=0.0)
        if answer.status == 404:
            raise NetworkError(
                f"{repository.host} shows no issues of {repository.path}. Is it private, or are its issues off? A token goes "
                f"into {TOKENS[repository.kind]}."
            )
        entries = answer.json()
        if not isinstance(entries, list):
            raise NetworkError(f"{following} did not answer with a list of issues.")
        yield from entries
        found = _NEXT.search(answer.headers.get("link", ""))
        following = found[1] if found else None
        if following and not following.startswith(f"{repository.api}/"):
            raise NetworkError(
                f"{repository.api} puts the next page on another host ({following[:80]}); not followed."
            )


TOKENS: Mapping[Kind, str] = {
    "github": "GITHUB_TOKEN",
    "gitlab": "GITLAB_TOKEN",
    "gitea": "GITEA_TOKEN",
}


def close_issue(
    client: Client, repository: Repository, issue: Issue, where: str, *, token: str
) -> None:
    """Say in a comment where an issue went, unless that was said before, and close it.

    Raises:
        NetworkError: the site does not let the token do so, or did not answer.
    """
    headers, address = repository.headers(token), f"{repository.issues}/{issue.number}"
    if not issue.is_told:
        client.send_json(
            "POST", f"{address}/{repository.comments}", {"body": f"{OURS} {where}"}, headers=headers
        )
    if repository.kind == "gitlab":
        client.send_json("PUT", address, {"state_event": "close"}, headers=headers)
    else:
        client.send_json("PATCH", address, {"state": "closed"}, headers=headers)


def load_issues(path: Path, on_bytes: OnBytes | None = None, label: str = "") -> Reading:
    """Yield the issues of a JSON file: what an API answered, or what `gh issue list --json` wrote."""
    document = parse_json(read_whole(path, on_bytes), path.name)
    pages = document if isinstance(document, list) else [document]
    entries = [one for page in pages for one in (page if isinstance(page, list) else [page])]
    if not any(isinstance(one, Mapping) and _number(one) for one in entries):
        raise SourceError(
            f"{path.name} holds no issues. Export: `studiolo collect {SOURCE} --help`."
        )
    for number, entry in enumerate(entries, 1):
        place = f"{path.name}, item {number}"
        if not isinstance(entry, Mapping):
            yield Skipped(place, f"not an issue but {type(entry).__name__}")
            continue
        if entry.get("pull_request"):
            continue
        said = entry.get("comments")
        comments = said if isinstance(said, list) else []
        yield issue_item(entry, comments, label=label, place=place)


def issue_item(
    entry: Mapping[str, Any],
    comments: list[Any],
    *,
    host: str = "",
    path: str = "",
    label: str = "",
    place: str = "",
) -> SavedItem | Skipped:
    """Return the saved thing that an issue is."""
    page = text_of(entry.get("web_url") or entry.get("html_url") or entry.get("url"), 2000)
    number = _number(entry)
    place = place or f"{host}/{path}#{number}"
    parts = urlsplit(page)
    if not number or parts.scheme not in ("http", "https"):
        return Skipped(place, "an issue without number or address")
    host = host or (parts.hostname or "").removeprefix("www.")
    path = path or re.sub(r"/(?:-/)?issues/\d+.*$", "", parts.path).strip("/")
    title = one_line(text_of(entry.get("title")), 1000)
    body = text_of(entry.get("body") or entry.get("description"), 200_000).replace("\r\n", "\n")
    fields, words = _form(body)
    typed = [_typed(fields.get("link", "")), _typed(title)]
    links = list(
        dict.fromkeys(
            [*filter(None, typed), *_links(f"{fields.get('link', '')}\n{title}\n{words}")]
        )
    )
    main = next((url for url in links if _names_paper(url)), links[0] if links else page)
    labels = [name for one in _list(entry.get("labels")) if (name := _label(one))]
    tags = [name for name in labels if name.casefold() != label.casefold()]
    tags += [tag for tag in re.split(r"[,;\n]", fields.get("tags", "")) if tag.strip(" #")]
    notes = [fields.get("why", ""), _without(words, main)]
    notes += [f"{who}: {said}" for who, said in _comments(comments, text_of(_login(entry)))]
    state = state_of(fields.get("state", ""))
    return SavedItem(
        source=SOURCE,
        url=main,
        title="" if title in (main, "") or _is_only_address(title) else _without(title, main),
        note="\n\n".join(note.strip() for note in notes if note.strip()),
        tags=tuple(dict.fromkeys(tag.strip(" #") for tag in tags)),
        saved_at=iso(text_of(entry.get("created_at") or entry.get("createdAt")) or None),
        native=f"{host}/{path}#{number}".casefold(),
        links=tuple(SavedLink("several" if _names_paper(url) else "description", url) for url in links if url != main),
        extra={"issue": page},
        place=place,
        state=state,
    )  # fmt: skip


def _number(entry: Mapping[str, Any]) -> int:
    number = entry.get("iid", entry.get("number"))
    return number if isinstance(number, int) and not isinstance(number, bool) else 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _label(value: Any) -> str:
    return one_line(text_of(value.get("name") if isinstance(value, Mapping) else value), 100)


def _login(entry: Mapping[str, Any]) -> Any:
    who = entry.get("user") or entry.get("author")
    return (who.get("login") or who.get("username")) if isinstance(who, Mapping) else ""


def _said(comment: Any) -> Any:
    return comment.get("body") if isinstance(comment, Mapping) and not comment.get("system") else ""


def _comments(comments: list[Any], author: str) -> Iterator[tuple[str, str]]:
    """Yield who said what, without the words of the site and our own; the author of the issue is “you”."""
    for comment in comments:
        said = text_of(_said(comment), 20_000).strip()
        if said and not said.startswith(OURS):
            who = one_line(text_of(_login(comment)), 60)
            yield ("added" if who == author else who or "somebody"), said


def _form(body: str) -> tuple[dict[str, str], str]:
    """Return what our form asked for, and the other words of an issue; another form's headings stay among the words."""
    pieces = _FIELD.split(body)
    fields: dict[str, str] = {}
    words = [pieces[0]]
    for heading, text in zip(pieces[1::2], pieces[2::2], strict=True):
        name = heading.strip().casefold()
        answer = "" if _NOTHING.fullmatch(text.strip()) else text.strip()
        if name in ("link", "why", "tags", "state") and name not in fields:
            fields[name] = answer
        elif answer:
            words.append(f"{heading}: {answer}")
    return fields, "\n".join(words).strip()


def _links(text: str) -> list[str]:
    data = text.encode("utf-8", "replace")
    found = [
        piece.url if "://" in piece.url else address_of(piece.mention.key)
        for piece in find_links(data, {})
        if piece.mention is not None and piece.kind not in ("image", "wiki")
    ]
    named = {mention.key for url in found if (mention := find_mention(url))}
    bare = (address_of(key) for key in papers_in(text) if key not in named)
    return list(dict.fromkeys((*found, *bare)))


def _typed(text: str) -> str:
    """Return the address of a text that is an arXiv id or a DOI and nothing else, else an empty string."""
    text = text.strip()
    if not re.fullmatch(
        r"(?:arxiv:\s?)?\d{4}\.\d{4,5}(?:v\d+)?|(?:doi:\s?)?10\.\d{4,9}/\S+", text, re.IGNORECASE
    ):
        return ""
    try:
        return address_of(find_key(text))
    except UsageError:
        return ""


def _names_paper(url: str) -> bool:
    mention = find_mention(url)
    return mention is not None and mention.key.names_paper


def _is_only_address(text: str) -> bool:
    return bool(_typed(text)) or bool(
        re.fullmatch(r"https?://\S+|(?:arxiv:\s?)?\d{4}\.\d{4,5}(?:v\d+)?", text, re.IGNORECASE)
    )


def _without(text: str, url: str) -> str:
    """Return words in plain letters, without the address that the item is."""
    data = text.encode("utf-8", "replace")
    lines = [
        plain_with_links(line, find_links(line, {})) if line.strip() else ""
        for line in data.split(b"\n")
    ]
    kept = [line.replace(url, "").strip(" \t:-–—") for line in lines]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
