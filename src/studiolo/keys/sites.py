"""Which reader knows the pages of a host: one table, and readers of what is not a paper (code, talks, posts).

Readers of papers are in `publishers`. A reader answers None where the page is not one thing of its kind; the address itself is
then the key.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import SplitResult, unquote

from . import publishers as of
from .key import make_key
from .publishers import Reader, Target, query_of, tidy_host


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
    if pieces[:1] == ["mlresearch"] and (
        match := re.fullmatch(r"([vr]\d+)/[\w-]+/assets/([\w-]+)/\2\.pdf", "/".join(pieces[1:]))
    ):  # where PMLR keeps its papers
        return Target(make_key("pmlr", f"{match[1]}/{match[2]}"))
    key = make_key("github", "/".join(pieces[:2])) if len(pieces) > 2 else None
    return Target(key, path="/".join(["blob", *pieces[2:]])) if key else None


def _github_api(parts: SplitResult) -> Target | None:
    match = re.match(r"/(?:repos/)?([^/]+/[^/]+)(?:/|$)", parts.path)
    key = make_key("github", match[1]) if match else None
    return (
        Target(key)
        if key and not parts.path.startswith(("/users/", "/orgs/", "/search/", "/user/"))
        else None
    )


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
    "hal.science",
    "archives-ouvertes.fr",
    "sciencedirect.com",
    "reddit.com",
    "twitter.com",
    "x.com",
    "youtube.com",
)
_READERS: dict[str, Reader] = {
    "arxiv.org": of.arxiv,
    "xxx.lanl.gov": of.arxiv,
    "ar5iv.org": of.arxiv_anywhere("(?:html|abs|pdf)/+", ""),
    "ar5iv.labs.arxiv.org": of.arxiv_anywhere("(?:html|abs|pdf)/+", ""),
    "arxiv-vanity.com": of.arxiv_anywhere("papers/+"),
    "arxiv-sanity-lite.com": of.arxiv_sanity,
    "arxiv-sanity.com": of.arxiv_sanity,
    "alphaxiv.org": of.arxiv_anywhere("(?:[a-z-]+/+){1,3}"),
    "huggingface.co": of.arxiv_anywhere("(?:api/+)?papers/+"),
    "hf.co": of.arxiv_anywhere("papers/+"),
    "hf-mirror.com": of.arxiv_anywhere("papers/+"),
    "connectedpapers.com": of.arxiv_anywhere("(?:main/+(?=arxiv:)|api/+redirect/+arxiv/+)"),
    "scirate.com": of.arxiv_anywhere("arxiv/+"),
    "papers.cool": of.arxiv_anywhere("arxiv/+"),
    "emergentmind.com": of.arxiv_anywhere("papers/+"),
    "catalyzex.com": of.arxiv_anywhere("paper/+(?=arxiv:)"),
    "dblp.org": of.dblp,
    "bib.dblp.org": of.dblp,
    "dblp.uni-trier.de": of.dblp,
    "adsabs.harvard.edu": of.adsabs,
    "api.semanticscholar.org": of.semantic_scholar,
    "semanticscholar.org": of.semantic_scholar,
    "pdfs.semanticscholar.org": of.semantic_scholar,
    "doi.org": of.doi_host,
    "dx.doi.org": of.doi_host,
    "doi.acm.org": of.doi_host,
    "dl.acm.org": of.acm,
    "portal.acm.org": of.acm,
    "sciencedirect.com": of.pii,
    "linkinghub.elsevier.com": of.pii,
    "reader.elsevier.com": of.pii,
    "pdf.sciencedirectassets.com": of.pii,
    "cell.com": of.pii,
    "thelancet.com": of.pii,
    "ieeexplore.ieee.org": of.ieee,
    "pubmed.ncbi.nlm.nih.gov": of.pubmed,
    "pmc.ncbi.nlm.nih.gov": of.pubmed,
    "ncbi.nlm.nih.gov": of.pubmed,
    "europepmc.org": of.pubmed,
    "ukpmc.ac.uk": of.pubmed,
    "hal.science": of.hal,
    "archives-ouvertes.fr": of.hal,
    "hal.inria.fr": of.hal,
    "ijcai.org": of.ijcai,
    "static.ijcai.org": of.ijcai,
    "aaai.org": of.aaai,
    "ojs.aaai.org": of.aaai,
    "papers.ssrn.com": of.doi_from(
        "10.2139/ssrn.", r"/(?:sol3/|abstract=(\d+))", "abstract_id", "abstractid"
    ),
    "ssrn.com": of.doi_from(
        "10.2139/ssrn.", r"/(?:sol3/|abstract=(\d+))", "abstract_id", "abstractid"
    ),
    "peerj.com": of.doi_from("10.7717/peerj.", r"/articles/(\d+)"),
    "mdpi.com": of.url_of(r"/(\d{4}-\d{3}[\dX]/\d+/\d+/\d+)(?:/|$)", ""),
    "elifesciences.org": of.doi_from("10.7554/elife.", r"/(?:articles|reviewed-preprints)/(\d+)"),
    "researchgate.net": of.url_of(
        r"/(?:profile/[^/]+/)?publication/(\d{4,12})(?:[_/]|$)", "publication/"
    ),
    "jstor.org": of.url_of(r"/stable/(?:pdf/)?(\d{4,12})(?:\.pdf)?$", "stable/"),
    "nature.com": of.nature,
    "biorxiv.org": of.biorxiv,
    "medrxiv.org": of.biorxiv,
    "journals.plos.org": of.plos,
    "zenodo.org": of.doi_from("10.5281/zenodo.", r"/records?/(\d+)(?!\d)"),
    "openreview.net": of.openreview,
    "aclanthology.org": of.acl,
    "aclanthology.info": of.acl,
    "aclanthology.coli.uni-saarland.de": of.acl,
    "aclweb.org": of.acl,
    "proceedings.mlr.press": of.pmlr,
    "mlr.press": of.pmlr,
    "archive.org": of.arxiv_anywhere("(?:details|download)/+arxiv-"),
    "inspirehep.net": of.arxiv_anywhere("(?:api/)?arxiv/+"),
    "jmlr.org": of.jmlr,
    "jmlr.csail.mit.edu": of.jmlr,
    "openaccess.thecvf.com": of.cvf,
    "cv-foundation.org": of.cvf,
    "papers.nips.cc": of.neurips,
    "papers.neurips.cc": of.neurips,
    "proceedings.neurips.cc": of.neurips,
    "datasets-benchmarks-proceedings.neurips.cc": of.neurips,
    "github.com": _github,
    "gist.github.com": lambda parts: None,
    "raw.githubusercontent.com": _raw_github,
    "api.github.com": _github_api,
    "codeload.github.com": _github_api,
    "github1s.com": _github,
    "github.dev": _github,
    "deepwiki.com": _github,
    "gitingest.com": _github,
    "uithub.com": _github,
    "colab.research.google.com": _github_viewer,
    "nbviewer.org": _github_viewer,
    "nbviewer.jupyter.org": _github_viewer,
    "youtube.com": _youtube,
    "youtube-nocookie.com": _youtube,
    "youtu.be": _youtube,
    "piped.video": _youtube,
    "yewtu.be": _youtube,
    "reddit.com": _reddit,
    "redd.it": _reddit,
    "v.redd.it": _reddit,
    "i.redd.it": _reddit,
    "preview.redd.it": _reddit,
    "twitter.com": _x,
    "x.com": _x,
    "vxtwitter.com": _x,
    "fxtwitter.com": _x,
    "fixupx.com": _x,
    "fixvx.com": _x,
    "xcancel.com": _x,
}
# other people's windows to a place, by a word in the name of the host
_WINDOWS: tuple[tuple[re.Pattern[str], Reader], ...] = (
    (re.compile(r"(?:^|\.)nitter\."), _x),
    (re.compile(r"(?:^|[.-])(?:libreddit|redlib|teddit)[.-]"), _reddit),
    (re.compile(r"arxiv"), of.arxiv_anywhere("(?:abs|pdf|html|papers?|overview)/+")),
)


@lru_cache(maxsize=8192)
def reader_of(host: str) -> Reader | None:
    """Return the reader of the pages of a host, or None."""
    host = tidy_host(host)
    if host in _READERS:
        return _READERS[host]
    parent = next((name for name in _WITH_SUBDOMAINS if host.endswith("." + name)), "")
    if parent:
        return _READERS[parent]
    return next((reader for word, reader in _WINDOWS if word.search(host)), None)
