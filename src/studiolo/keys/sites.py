"""One small reader per host: what a page of it is, from its address alone.

A reader answers None where the page is not one thing of its kind (a listing, a user, a search); the
address itself is then the key. Readers never guess: a wrong merge loses a paper, a missed one only shows
it twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote

from .key import Key, find_acl, find_arxiv, make_key


@dataclass(frozen=True, slots=True)
class Target:
    """What a reader made of an address: the fields of a `Mention`."""

    key: Key | None
    version: int | None = None
    position_s: int | None = None
    path: str | None = None


Reader = Callable[[SplitResult], Target | None]


def tidy_host(host: str) -> str:
    """Return a host in small letters, without `www.` and a dot at the end; www.org is a host of its own."""
    host = host.lower().rstrip(".")
    while host.startswith("www.") and "." in host[4:]:
        host = host[4:]
    return host


def query_of(parts: SplitResult) -> dict[str, str]:
    """Return the first value of each name in the query; a query of hundreds of names says nothing."""
    query = parts.query.replace("&amp;", "&")
    values: dict[str, str] = {}
    if query.count("&") < 200:
        for name, value in parse_qsl(query, keep_blank_values=True):
            values.setdefault(name.lower(), value)
    return values


def arxiv_in(text: str, *, start: bool = False) -> Target | None:
    """Return the arXiv paper that `text` holds, with `start` only where it begins with its id."""
    found = find_arxiv(text)
    if found is None or (start and found[2][0] != 0):
        return None
    return Target(found[0], found[1])


def _arxiv(parts: SplitResult) -> Target | None:
    path = unquote(parts.path)
    if match := re.match(
        r"/+ftp/(?:arxiv/papers/\d{4}/|([a-z-]+)/papers/\d{4}/)([\d.]+)(v\d+)?", path, re.IGNORECASE
    ):
        archive = f"{match[1]}/" if match[1] else ""
        stem = match[2].removesuffix(".")
        return arxiv_in(f"{archive}{stem}{match[3] or ''}", start=True)
    match = re.match(
        r"/+(?:(?:abs|pdf|html|ps|src|e-print|format|cits|refs|tb|ftp|show-email|vc)/+)*",
        path,
        re.IGNORECASE,
    )
    rest = path[match.end() :] if match else path.lstrip("/")
    if rest.split("/", 1)[0].lower() in (
        "list",
        "year",
        "archive",
        "find",
        "search",
        "a",
        "help",
        "catchup",
    ):
        return None
    rest = re.sub(r"^arxiv:", "", rest, flags=re.IGNORECASE)
    return arxiv_in(rest, start=True)


def _arxiv_anywhere(*places: str) -> Reader:
    """Return a reader of hosts that show arXiv papers under one of the path prefixes `places`."""
    prefix = re.compile(rf"/+(?:{'|'.join(places)})(?:arxiv:)?", re.IGNORECASE)

    def reader(parts: SplitResult) -> Target | None:
        path = unquote(parts.path)
        match = prefix.match(path)
        return arxiv_in(path[match.end() :], start=True) if match else None

    return reader


def _arxiv_sanity(parts: SplitResult) -> Target | None:
    pid = query_of(parts).get("pid")
    return arxiv_in(pid if pid else unquote(parts.path).lstrip("/"), start=True)


def _dblp(parts: SplitResult) -> Target | None:
    match = re.match(
        r"/rec/(?:\w+/)?(?:journals/corr|\w+/journals/corr)/abs-(\d{4})-(\d{4,5})(?!\d)", parts.path
    )
    return arxiv_in(f"{match[1]}.{match[2]}", start=True) if match else None


def _adsabs(parts: SplitResult) -> Target | None:
    path = unquote(parts.path)
    if match := re.search(r"/abs/\d{4}arXiv(\d{4})\.?(\d{4,5})[A-Z]", path):
        return arxiv_in(f"{match[1]}.{match[2]}", start=True)
    match = re.search(r"/abs/arxiv:", path, re.IGNORECASE)
    return arxiv_in(path[match.end() :], start=True) if match else None


_PAGE_SUFFIX = re.compile(
    r"(?:\.pdf|\.full|\.abstract|/pdf|/full|/fulltext|/abstract|/epdf|/html|/meta|/summary)$",
    re.IGNORECASE,
)


def doi_of(text: str) -> Key | None:
    """Return the key of the DOI that `text` begins with, without the page's own suffixes."""
    text = re.sub(r"[?#].*", "", text, flags=re.DOTALL).rstrip(".,;:/*\\")
    for _ in range(3):
        text = _PAGE_SUFFIX.sub("", text).rstrip("/")
    return make_key("doi", text)


def _doi_host(parts: SplitResult) -> Target | None:
    path = unquote(parts.path).lstrip("/")
    path = re.sub(r"^(?:doi:|https?:/+(?:dx\.)?doi\.org/)", "", path, flags=re.IGNORECASE)
    path = re.sub(r"[?#].*", "", path, flags=re.DOTALL).rstrip(".,;/*\\")
    key = make_key("doi", path)
    if key is None:
        return None
    version = None
    if key.kind == "arxiv" and (found := find_arxiv(path[len("10.48550/arxiv.") :])):
        version = found[1]
    return Target(key, version)


def doi_in_path(path: str) -> Key | None:
    """Return the DOI of a publisher's page `…/doi/[abs|pdf|…/]10.…`."""
    match = re.search(r"/doi/(?:[a-z]+/){0,2}(?=10\.\d{4,9}(?:/|%2f))", path, re.IGNORECASE)
    return doi_of(unquote(path[match.end() :])) if match else None


def _doi_after(pattern: str, prefix: str = "") -> Reader:
    """Return a reader that takes the DOI after `pattern` in the path, put behind `prefix`."""
    place = re.compile(pattern, re.IGNORECASE)

    def reader(parts: SplitResult) -> Target | None:
        path = unquote(parts.path)
        match = place.match(path)
        key = doi_of(prefix + path[match.end() :]) if match else None
        return Target(key) if key else None

    return reader


def _biorxiv(parts: SplitResult) -> Target | None:
    match = re.match(
        r"/content/(?:[a-z]+/(?:early/\d{4}/\d\d/\d\d/)?)?(10\.\d{4,9}/\d+(?:\.\d+)*)(?:v(\d+))?(?![\w])",
        unquote(parts.path),
    )
    if match is None:
        return None
    return Target(make_key("doi", match[1]), int(match[2]) if match[2] else None)


def _plos(parts: SplitResult) -> Target | None:
    key = doi_of(query_of(parts).get("id", ""))
    return Target(key) if key else None


def _zenodo(parts: SplitResult) -> Target | None:
    match = re.match(r"/records?/(\d+)(?!\d)", parts.path)
    return Target(make_key("doi", f"10.5281/zenodo.{match[1]}")) if match else None


def _openreview(parts: SplitResult) -> Target | None:
    if parts.path.strip("/").lower() not in ("forum", "pdf", "attachment"):
        return None
    match = re.match(r"[\w-]+", query_of(parts).get("id", ""), re.ASCII)
    key = make_key("openreview", match[0]) if match else None
    return Target(key) if key else None


def _acl(parts: SplitResult) -> Target | None:
    path = unquote(parts.path)
    if re.search(r"/(?:volumes|events|people|venues|attachments|sigs)/", path):
        return None
    for piece in reversed(path.strip("/").split("/")[:8]):
        if key := find_acl(piece):
            version = re.match(r".*[\d]v(\d{1,2})(?:\.|$)", piece)
            return Target(key, int(version[1]) if version else None)
    return None


def _pmlr(parts: SplitResult) -> Target | None:
    match = re.match(
        r"/(?:proceedings/(?:papers/)?)?([vr]\d+)/([a-z0-9-]*?[a-z]\d\d[a-z]{0,2})(?:\.(?:html|pdf|bib)|/\2\.pdf|/)?$",
        unquote(parts.path),
        re.IGNORECASE,
    )
    key = make_key("pmlr", f"{match[1]}/{match[2]}") if match else None
    return Target(key) if key else None


def _jmlr(parts: SplitResult) -> Target | None:
    if found := _pmlr(parts):
        return found
    match = re.match(
        r"/(?:beta/)?papers/v(?:olume)?(\d+)/([\w-]+?)(?:\.(?:html|pdf|bib)|/\2\.(?:pdf|html))?$",
        parts.path,
    )
    return (
        Target(make_key("url", f"https://jmlr.org/papers/v{match[1]}/{match[2]}"))
        if match
        else None
    )


def _cvf(parts: SplitResult) -> Target | None:
    match = re.match(
        r"/(?:openaccess/)?content[_/]([a-z]+_?\d{4}(?:_?workshops)?)(/w[\w-]+)?/(?:html|papers)/(.+?)_(?:(?:cvpr|iccv|eccv|wacv|accv)w?_\d{4}_)?paper\.(?:html|pdf)$",
        unquote(parts.path),
        re.IGNORECASE,
    )
    if match is None or "/" in match[3]:
        return None
    venue = match[1].lower().replace("_", "") + (match[2] or "").lower()
    key = make_key("cvf", f"{venue}/{match[3]}")
    return Target(key) if key else None


def _neurips(parts: SplitResult) -> Target | None:
    path = unquote(parts.path)
    if match := re.search(
        r"/(\d{4})/(?:hash|file)/([0-9a-f]{32})-(?:abstract|paper|metadata|bibtex|reviews?)",
        path,
        re.I,
    ):
        return Target(
            make_key("url", f"https://papers.nips.cc/paper/{match[1]}/{match[2].lower()}")
        )
    if match := re.match(r"/paper/(?:\d{4}/)?(\d{1,5})-[^/]+$", path):
        if re.search(r"(?i)supplement|-reviews?\b", path):
            return None
        return Target(make_key("url", f"https://papers.nips.cc/paper/{match[1]}"))
    return None


def _url_of(pattern: str, tail: str) -> Reader:
    """Return a reader of pages with a number: the address up to it stands for all spellings of the rest."""
    place = re.compile(pattern, re.ASCII)

    def reader(parts: SplitResult) -> Target | None:
        match = place.match(parts.path)
        if match is None:
            return None
        return Target(
            make_key("url", f"https://{tidy_host(parts.hostname or '')}/{tail}{match[1]}")
        )

    return reader


def _semantic_scholar(parts: SplitResult) -> Target | None:
    path = unquote(parts.path)
    if match := re.match(r"/(?:graph/v1/paper/)?arxiv:", path, re.IGNORECASE):
        return arxiv_in(path[match.end() :], start=True)
    if match := re.match(r"/paper/(?:[^/]*/)?([0-9a-f]{40})(?:/|$)", path, re.IGNORECASE):
        return Target(make_key("url", f"https://semanticscholar.org/paper/{match[1].lower()}"))
    return None


NOT_OWNERS = frozenset({
    "about", "apps", "blog", "codespaces", "collections", "contact", "customer-stories", "dashboard",
    "enterprise", "events", "explore", "features", "issues", "join", "login", "logout", "marketplace",
    "mobile", "new", "notifications", "orgs", "pricing", "pulls", "readme", "search", "security", "sessions",
    "settings", "signup", "site", "sponsors", "stars", "team", "topics", "trending", "users",
})  # fmt: skip


def _github(parts: SplitResult) -> Target | None:
    pieces = [piece for piece in unquote(parts.path).split("/") if piece]
    if len(pieces) < 2 or pieces[0].lower() in NOT_OWNERS:
        return None
    name = pieces[1].removesuffix(".git")
    key = make_key("github", f"{pieces[0]}/{name}")
    path = "/".join(pieces[2:])
    if path in ("tree/main", "tree/master", "blob/main/README.md", "blob/master/README.md"):
        path = ""
    return Target(key, path=path or None) if key else None


def _raw_github(parts: SplitResult) -> Target | None:
    pieces = [piece for piece in unquote(parts.path).split("/") if piece]
    key = make_key("github", "/".join(pieces[:2])) if len(pieces) > 2 else None
    return Target(key, path="/".join(["blob", *pieces[2:]])) if key else None


def _github_viewer(parts: SplitResult) -> Target | None:
    """Read `colab.research.google.com/github/o/n/blob/…` and `nbviewer.org/github/o/n/…`."""
    match = re.match(r"/(?:github|gh)(?=/)", parts.path)
    return _github(parts._replace(path=parts.path[match.end() :])) if match else None


def _youtube(parts: SplitResult) -> Target | None:
    query = query_of(parts)
    pieces = [piece for piece in unquote(parts.path).split("/") if piece]
    if (parts.hostname or "").lower().endswith("youtu.be"):
        video = pieces[0] if pieces else ""
    elif pieces[:1] == ["watch"]:
        video = query.get("v", pieces[1] if len(pieces) > 1 else "")
    elif len(pieces) > 1 and pieces[0].lower() in ("live", "embed", "shorts", "v", "e"):
        video = pieces[1]
    else:
        return None
    match = re.match(r"[\w-]{11}(?![\w-])", video, re.ASCII)
    key = make_key("youtube", match[0]) if match else None
    if key is None:
        return None
    start = query.get("t") or query.get("start") or query.get("time_continue")
    if start is None and (fragment := re.match(r"t=(.+)", parts.fragment)):
        start = fragment[1]
    return Target(key, position_s=_seconds(start) if start else None)


def _seconds(text: str) -> int | None:
    match = re.match(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,7})s?)?$", text)
    if match is None or not any(match.groups()):
        return None
    hours, minutes, seconds = (int(piece or 0) for piece in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def _reddit(parts: SplitResult) -> Target | None:
    pieces = [piece for piece in unquote(parts.path).lower().split("/") if piece]
    host = tidy_host(parts.hostname or "")
    if host == "redd.it":
        key = make_key("reddit", f"t3_{pieces[0]}") if len(pieces) == 1 else None
        return Target(key) if key else None
    if host in ("v.redd.it", "i.redd.it", "preview.redd.it"):
        return None
    if pieces[:1] == ["gallery"] and len(pieces) > 1:
        key = make_key("reddit", f"t3_{pieces[1]}")
        return Target(key) if key else None
    if "comments" not in pieces[:3]:
        return None
    rest = pieces[pieces.index("comments") + 1 :]
    name = f"t1_{rest[2]}" if len(rest) > 2 else f"t3_{rest[0]}" if rest else ""
    key = make_key("reddit", name)
    return Target(key) if key else None


def _x(parts: SplitResult) -> Target | None:
    match = re.match(r"/(?:i/web|i|[\w]+)/status(?:es)?/(\d+)(?!\d)", parts.path, re.ASCII)
    key = make_key("x", match[1]) if match else None
    return Target(key) if key else None


# hosts whose subdomains show the same things: export.arxiv.org, old.reddit.com, m.youtube.com
_WITH_SUBDOMAINS = (
    "arxiv.org",
    "adsabs.harvard.edu",
    "reddit.com",
    "twitter.com",
    "x.com",
    "youtube.com",
)
_READERS: dict[str, Reader] = {
    "arxiv.org": _arxiv,
    "xxx.lanl.gov": _arxiv,
    "ar5iv.org": _arxiv_anywhere("(?:html|abs|pdf)/+", ""),
    "ar5iv.labs.arxiv.org": _arxiv_anywhere("(?:html|abs|pdf)/+", ""),
    "arxiv-vanity.com": _arxiv_anywhere("papers/+"),
    "arxiv-sanity-lite.com": _arxiv_sanity,
    "arxiv-sanity.com": _arxiv_sanity,
    "alphaxiv.org": _arxiv_anywhere("(?:abs|pdf|overview|html)/+"),
    "huggingface.co": _arxiv_anywhere("papers/+"),
    "hf.co": _arxiv_anywhere("papers/+"),
    "scirate.com": _arxiv_anywhere("arxiv/+"),
    "papers.cool": _arxiv_anywhere("arxiv/+"),
    "emergentmind.com": _arxiv_anywhere("papers/+"),
    "catalyzex.com": _arxiv_anywhere("paper/+(?=arxiv:)"),
    "dblp.org": _dblp,
    "dblp.uni-trier.de": _dblp,
    "adsabs.harvard.edu": _adsabs,
    "api.semanticscholar.org": _semantic_scholar,
    "semanticscholar.org": _semantic_scholar,
    "doi.org": _doi_host,
    "dx.doi.org": _doi_host,
    "projecteuclid.org": _doi_after(r"/(?:journals|euclid)/[^?#]*?/(?=10\.\d{4,9}/)"),
    "sciencedirect.com": _url_of(
        r"/science/article/(?:abs/|am/)?pii/([A-Z]?[0-9X]{10,20})", "science/article/pii/"
    ),
    "researchgate.net": _url_of(r"/publication/(\d{4,12})(?:_|$)", "publication/"),
    "link.springer.com": _doi_after(
        r"/(?:article|chapter|book|content/pdf|referenceworkentry)/(?=10\.)"
    ),
    "nature.com": _doi_after(r"/articles/(?=s\d{5}-|nature\d|ncomms\d|srep\d)", "10.1038/"),
    "frontiersin.org": _doi_after(r"/(?:journals/[\w-]+/)?articles/(?=10\.)"),
    "journals.aps.org": _doi_after(r"/[a-z]+/(?:abstract|pdf|references|cited-by)/(?=10\.)"),
    "biorxiv.org": _biorxiv,
    "medrxiv.org": _biorxiv,
    "journals.plos.org": _plos,
    "zenodo.org": _zenodo,
    "openreview.net": _openreview,
    "aclanthology.org": _acl,
    "aclanthology.info": _acl,
    "aclanthology.coli.uni-saarland.de": _acl,
    "aclweb.org": _acl,
    "proceedings.mlr.press": _pmlr,
    "jmlr.org": _jmlr,
    "jmlr.csail.mit.edu": _jmlr,
    "openaccess.thecvf.com": _cvf,
    "cv-foundation.org": _cvf,
    "papers.nips.cc": _neurips,
    "papers.neurips.cc": _neurips,
    "proceedings.neurips.cc": _neurips,
    "github.com": _github,
    "gist.github.com": lambda parts: None,
    "raw.githubusercontent.com": _raw_github,
    "colab.research.google.com": _github_viewer,
    "nbviewer.org": _github_viewer,
    "nbviewer.jupyter.org": _github_viewer,
    "youtube.com": _youtube,
    "youtube-nocookie.com": _youtube,
    "youtu.be": _youtube,
    "reddit.com": _reddit,
    "redd.it": _reddit,
    "v.redd.it": _reddit,
    "i.redd.it": _reddit,
    "preview.redd.it": _reddit,
    "twitter.com": _x,
    "x.com": _x,
    "vxtwitter.com": _x,
    "fxtwitter.com": _x,
    "nitter.net": _x,
}


def reader_of(host: str) -> Reader | None:
    """Return the reader of the pages of a host, or None."""
    host = tidy_host(host)
    if host in _READERS:
        return _READERS[host]
    parent = next((name for name in _WITH_SUBDOMAINS if host.endswith("." + name)), "")
    return _READERS.get(parent)
