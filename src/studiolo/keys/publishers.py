"""Readers of the pages of papers: archives, proceedings and publishers.

A reader answers None where the page is not one paper (a listing, an author, a search, a volume). Readers never guess: a wrong
merge loses a paper, a missed one only shows it twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote

from .key import Key, find_acl, find_arxiv, make_key, without_archive


class Target(NamedTuple):
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
    found = find_arxiv(without_archive(text) if start else text)
    if found is None or (start and found[2][0] != 0):
        return None
    return Target(found[0], found[1])


def arxiv(parts: SplitResult) -> Target | None:
    """Read arXiv's own pages."""
    path = unquote(parts.path).replace(" ", "")
    if match := re.match(
        r"/+ftp/(?:arxiv/papers/\d{4}/|([a-z-]+)/papers/\d{4}/)([\d.]+)(v\d+)?", path, re.IGNORECASE
    ):
        archive = f"{match[1]}/" if match[1] else ""
        stem = match[2].removesuffix(".")
        return arxiv_in(f"{archive}{stem}{match[3] or ''}", start=True)
    if match := re.match(r"/+ps_cache/([a-z-]+)/[a-z]+/\d{4}/", path, re.IGNORECASE):
        archive = "" if match[1].lower() == "arxiv" else f"{match[1]}/"
        return arxiv_in(archive + path[match.end() :], start=True)
    match = re.match(
        r"/+(?:(?:abs|pdf|html|ps|src|e-print|format|bibtex|tar|cits|refs|tb|trackback|ftp|show-email|vc)/+)*",
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
    rest = re.sub(r"^arxiv[:.]", "", rest, flags=re.IGNORECASE)
    return arxiv_in(rest, start=True)


def arxiv_anywhere(*places: str) -> Reader:
    """Return a reader of hosts that show arXiv papers under one of the path prefixes `places`."""
    prefix = re.compile(rf"/+(?:{'|'.join(places)})(?:arxiv:)?", re.IGNORECASE)

    def reader(parts: SplitResult) -> Target | None:
        path = unquote(parts.path)
        match = prefix.match(path)
        return arxiv_in(path[match.end() :], start=True) if match else None

    return reader


def arxiv_sanity(parts: SplitResult) -> Target | None:
    """Read `?pid=…` and `/…` of the arxiv-sanity sites."""
    pid = query_of(parts).get("pid")
    return arxiv_in(pid if pid else unquote(parts.path).lstrip("/"), start=True)


def dblp(parts: SplitResult) -> Target | None:
    """Read DBLP's records of arXiv papers."""
    match = re.match(
        r"/rec/(?:\w+/)?(?:journals/corr|\w+/journals/corr)/abs-(\d{4})-(\d{4,5})(?!\d)", parts.path
    )
    return arxiv_in(f"{match[1]}.{match[2]}", start=True) if match else None


def adsabs(parts: SplitResult) -> Target | None:
    """Read ADS's abstracts of arXiv papers."""
    path = unquote(parts.path)
    if match := re.search(r"/abs/\d{4}arXiv(\d{4})\.?(\d{4,5})[A-Z]", path):
        return arxiv_in(f"{match[1]}.{match[2]}", start=True)
    match = re.search(r"/(?:abs|link_gateway/[^/]+)/arxiv:", path, re.IGNORECASE)
    return arxiv_in(path[match.end() :], start=True) if match else None


# what publishers put behind a DOI; a DOI itself may hold nearly any character, slashes among them
_PAGE_SUFFIX = re.compile(
    r"(?:\.(?:pdf|epdf|full|short|long|abstract|html?|xml|svg|full-text|citation)"
    r"|/(?:pdf|epdf|pdfft|epub|full|fulltext|full-text|abstract|html|meta|summary|metrics|references|authors|citations|cited-by|figures?|tables?"
    r"|keywords|media|permissions|supplementary(?:-information)?|supporting-information|standard|pdfdirect|asset|download|page-\d+|xml|ris|bibtex"
    r"|(?:figures?|tables?|equations?)/\d+|asset/.*|fulltext\.html|index\.html))$",
    re.IGNORECASE | re.DOTALL,
)
_TAIL = re.compile(
    r"#(?:page|sec|abs|fig|tab|bib|cit|ref|view|search|zoom|:~:)[\w.=:-]*$|\?[\w.-]+=[^\s<>]*$",
    re.IGNORECASE,
)


def doi_of(text: str) -> Key | None:
    """Return the key of the DOI that `text` begins with, without the page's own suffixes."""
    text = _TAIL.sub("", text).rstrip(".,;:/*\\")
    for _ in range(3):
        text = _PAGE_SUFFIX.sub("", text).rstrip("/")
    return make_key("doi", text)


def doi_host(parts: SplitResult) -> Target | None:
    """Read the resolver of DOIs, which never puts anything behind one."""
    path = unquote(parts.path).lstrip("/")
    path = re.sub(
        r"^(?:(?:doi|urn)[:/]+|(?:abs|pdf|doi)/(?=10\.)|https?:/+(?:dx\.)?doi\.org/)+",
        "",
        path,
        flags=re.IGNORECASE,
    )
    if re.search(r"(?i);2-$", path):
        path += "#"  # a check sign of SICI, which `urlsplit` takes for the beginning of an empty fragment
    path = re.sub(r"\?[\w.-]+=.*", "", path, flags=re.DOTALL).rstrip(".,;/*\\")
    key = make_key("doi", path)
    if key is None:
        return None
    version = None
    if key.kind == "arxiv" and (found := find_arxiv(path[len("10.48550/arxiv.") :])):
        version = found[1]
    return Target(key, version)


_DOI_PATH = re.compile(
    r"(?:^|/)(?:doi:|doi=|urn:doi:)?(?=10\.\d{4,9}(?:\.\d+)*(?:/|%2f))", re.IGNORECASE
)


_NUMBERED = re.compile(r"^(10\.\d+/[^/]+(?:/[^/\d][^/]*)?)/\d{4,9}(?:/[^/]*)?$")


def doi_in_page(parts: SplitResult) -> Key | None:
    """Return the DOI that an address of any publisher holds as a part of its path, or as `doi=` of its query."""
    if "10." in parts.path and (match := _DOI_PATH.search(parts.path)):
        if re.search(
            r"(?i)/(?:toc|loi|proceedings|keyword|topic|suppl)(?:/|$)", parts.path[: match.start()]
        ) or re.search(r"(?i)/(?:suppl_file|suppl|mediaobjects)/", parts.path):
            return None  # a volume or a supplement, not the paper
        text = unquote(parts.path[match.end() :])
        if (
            "/article" in parts.path[: match.start()]
        ):  # Oxford, MIT: their own number and the title follow
            text = _NUMBERED.sub(r"\1", text)
        return doi_of(text)
    if "10." in parts.query:
        query = query_of(parts)
        for name in ("doi", "doid", "article_doi", "articledoi", "target"):
            if (value := query.get(name, "")) and (
                key := doi_of(re.sub(r"(?i)^(?:doi:|https?://(?:dx\.)?doi\.org/)", "", value))
            ):
                return key
    return None


def doi_after(pattern: str, prefix: str = "") -> Reader:
    """Return a reader that takes the DOI after `pattern` in the path, put behind `prefix`."""
    place = re.compile(pattern, re.IGNORECASE)

    def reader(parts: SplitResult) -> Target | None:
        path = unquote(parts.path)
        match = place.match(path)
        key = doi_of(prefix + path[match.end() :]) if match else None
        return Target(key) if key else None

    return reader


def biorxiv(parts: SplitResult) -> Target | None:
    """Read bioRxiv and medRxiv, old addresses with a date too."""
    path = unquote(parts.path)
    match = re.match(
        r"/content/(?:[a-z]+/(?:early/\d{4}/\d\d/\d\d/)?)?(10\.\d{4,9}/\d+(?:\.\d+)*)(?:v(\d+))?(?![\w])",
        path,
    ) or re.match(
        r"/content/(?:(?:bio|med)rxiv/)?early/\d{4}/\d\d/\d\d/(\d[\d.]*\d)(?:v(\d+))?(?:\.full|\.abstract|\.pdf|\.short|/|$)",
        path,
    )
    if match is None:
        return None
    value = match[1] if match[1].startswith("10.") and "/" in match[1] else f"10.1101/{match[1]}"
    return Target(make_key("doi", value), int(match[2]) if match[2] else None)


def plos(parts: SplitResult) -> Target | None:
    """Read `?id=10.1371/…`."""
    key = doi_of(query_of(parts).get("id", ""))
    return Target(key) if key else None


def doi_from(prefix: str, pattern: str, *names: str) -> Reader:
    """Return a reader of hosts whose pages have a number that is the end of their DOI: in the path, or in the query as one of `names`."""
    place = re.compile(pattern, re.IGNORECASE)

    def reader(parts: SplitResult) -> Target | None:
        match = place.match(parts.path)
        query = query_of(parts) if names else {}
        value = next((query[name] for name in names if query.get(name)), "")
        number = match[1] if match and match.re.groups and match[1] else value if match else ""
        key = make_key("doi", prefix + number) if re.fullmatch(r"[\w./-]+", number) else None
        return Target(key) if key else None

    return reader


def acm(parts: SplitResult) -> Target | None:
    """Read ACM's old `citation.cfm?id=…`, where the id is the end of the DOI."""
    number = query_of(parts).get("id") or query_of(parts).get("doid") or ""
    if re.match(r"/(?:citation|ft_gateway)\.cfm", parts.path) and re.fullmatch(r"\d+\.\d+", number):
        return Target(make_key("doi", f"10.1145/{number}"))
    return None


def ieee(parts: SplitResult) -> Target | None:
    """Read IEEE Xplore: an article by its number."""
    match = (
        re.match(r"/(?:[a-z-]+/)?document/0*(\d{4,9})(?!\d)", parts.path)
        or re.match(r"/(?:iel\w+|xpl\w*)/(?:\d+/)*0*(\d{4,9})(?:-aam)?\.pdf", parts.path)
        or re.match(r"0*(\d{4,9})$", query_of(parts).get("arnumber", ""))
    )
    return (
        Target(make_key("url", f"https://ieeexplore.ieee.org/document/{match[1]}"))
        if match
        else None
    )


def pii(parts: SplitResult) -> Target | None:
    """Read ScienceDirect's and Cell's pages: an article by its publisher's item identifier."""
    found = re.search(
        r"/(?:pii/|fulltext/|abstract/|pdf(?:extended)?/|article/|article/PII)([SB][\dX()-]{15,24})(?:[./]|$)",
        unquote(parts.path),
        re.IGNORECASE,
    )
    number = re.sub(r"[()-]", "", found[1] if found else query_of(parts).get("pii", "")).upper()
    if not re.fullmatch(r"[SB]?[\dX]{15,17}", number):
        found = re.search(r"/pii/([A-Z]?[0-9X]{10,20})(?:[/.]|$)", parts.path)
        number = found[1] if found else ""
    return (
        Target(make_key("url", f"https://sciencedirect.com/science/article/pii/{number}"))
        if number
        else None
    )


def pubmed(parts: SplitResult) -> Target | None:
    """Read PubMed, PubMed Central and Europe PMC."""
    if match := re.search(r"/articles?/(?:PMC/)?(PMC\d{3,9})(?!\d)", parts.path, re.IGNORECASE):
        return Target(make_key("url", f"https://pmc.ncbi.nlm.nih.gov/articles/{match[1].upper()}"))
    match = re.match(r"/(?:pubmed/|m/pubmed/)?(\d{1,9})/?$", parts.path) or re.match(
        r"/(?:article|abstract|search)/med/(\d{1,9})/?$", parts.path, re.IGNORECASE
    )
    return Target(make_key("url", f"https://pubmed.ncbi.nlm.nih.gov/{match[1]}")) if match else None


def hal(parts: SplitResult) -> Target | None:
    """Read HAL and its portals."""
    match = re.match(
        r"/((?:hal|tel|inria|cel|in2p3|pastel|lirmm|ensl|halshs|cea)-\d{5,9})(?:v(\d+))?(?:/|$)",
        parts.path,
    )
    if match is None:
        return None
    return Target(
        make_key("url", f"https://hal.science/{match[1]}"), int(match[2]) if match[2] else None
    )


def nature(parts: SplitResult) -> Target | None:
    """Read Nature's articles, whose last part is the end of the DOI."""
    match = re.match(
        r"/(?:articles/|nature/journal/v\d+/n\d+/(?:full|abs|pdf)/|[a-z]+/journal/v\d+/n\d+/(?:full|abs|pdf)/)"
        r"((?:s\d{5}-|nature\d|ncomms\d|srep\d|nmeth\.|nbt\.|ng\.|nn\.|nrn\d|nrg\d|nphys\d|natrevmats\.|sdata\.)[\w.-]*?)(?:\.html?|\.pdf|\.epdf)?(?:[/_]|$)",
        parts.path,
    )
    if match:
        return Target(make_key("doi", f"10.1038/{match[1]}"))
    found = doi_in_page(parts)
    return Target(found) if found else None


def ijcai(parts: SplitResult) -> Target | None:
    """Read IJCAI's proceedings, which have DOIs since 2017."""
    match = re.match(
        r"/(?:proceedings|proceedings-ijcai|papers)/(20(?:1[7-9]|[2-9]\d))/0*(\d{1,4})(?:\.pdf)?/?$",
        parts.path,
        re.IGNORECASE,
    )
    return Target(make_key("doi", f"10.24963/ijcai.{match[1]}/{match[2]}")) if match else None


def aaai(parts: SplitResult) -> Target | None:
    """Read AAAI's two generations of proceedings."""
    path = re.sub(r"/{2,}", "/", parts.path)
    if match := re.match(
        r"/(?:ojs/)?index\.php/([\w-]+)/article/(?:view|download|viewFile)/(\d+)(?:/|$)", path
    ):
        return Target(
            make_key("url", f"https://ojs.aaai.org/index.php/{match[1]}/article/view/{match[2]}")
        )
    match = re.match(
        r"/ocs/index\.php/([\w-]+)/([\w-]+)/paper/(?:view|viewPaper|viewFile|download)/(\d+)(?:/|$)",
        path,
    )
    return (
        Target(
            make_key(
                "url", f"https://aaai.org/ocs/index.php/{match[1]}/{match[2]}/paper/view/{match[3]}"
            )
        )
        if match
        else None
    )


def openreview(parts: SplitResult) -> Target | None:
    """Read a forum, its PDF or its attachment."""
    if parts.path.strip("/").lower() not in ("forum", "pdf", "attachment", "revisions"):
        return None
    match = re.match(r"[\w-]+", query_of(parts).get("id", ""), re.ASCII)
    key = make_key("openreview", match[0]) if match else None
    return Target(key) if key else None


def acl(parts: SplitResult) -> Target | None:
    """Read the ACL Anthology, old and new."""
    path = unquote(parts.path)
    if re.search(r"/(?:volumes|events|people|venues|attachments|sigs)/", path):
        return None
    for piece in reversed(path.strip("/").split("/")[:8]):
        if key := find_acl(piece):
            version = re.match(r".*[\d]v(\d{1,2})(?:\.|$)", piece)
            return Target(key, int(version[1]) if version else None)
    return None


def pmlr(parts: SplitResult) -> Target | None:
    """Read PMLR's volumes."""
    match = re.match(
        r"/(?:proceedings/(?:papers/)?)?([vr]\d+)/([a-z0-9-]*?[a-z]\d\d[a-z]{0,2})(?:\.(?:html|pdf|bib)|/\2\.pdf|/)?$",
        unquote(parts.path),
        re.IGNORECASE,
    )
    key = make_key("pmlr", f"{match[1]}/{match[2]}") if match else None
    return Target(key) if key else None


def jmlr(parts: SplitResult) -> Target | None:
    """Read JMLR's articles, and PMLR's from when they were there."""
    if found := pmlr(parts):
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


def cvf(parts: SplitResult) -> Target | None:
    """Read the open access pages of CVF."""
    match = re.match(
        r"/+(?:openaccess/)?content[_/]([a-z]+_?\d{4}(?:_?workshops)?)(/w[\w-]+)?/(?:html|papers)/(.+?)_(?:(?:cvpr|iccv|eccv|wacv|accv)w?_\d{4}_)?paper(?:\.html|\.pdf)?$",
        unquote(parts.path),
        re.IGNORECASE,
    )
    if match is None or "/" in match[3]:
        return None
    venue = match[1].lower().replace("_", "") + (match[2] or "").lower()
    key = make_key("cvf", f"{venue}/{match[3]}")
    return Target(key) if key else None


def neurips(parts: SplitResult) -> Target | None:
    """Read NeurIPS's proceedings, old numbers and new hashes."""
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


def url_of(pattern: str, tail: str) -> Reader:
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


def semantic_scholar(parts: SplitResult) -> Target | None:
    """Read Semantic Scholar's pages, files and API."""
    path = unquote(parts.path)
    if match := re.match(r"/(?:(?:(?:graph/)?v1/)?paper/|reader/)?arxiv[:/]", path, re.IGNORECASE):
        return arxiv_in(path[match.end() :], start=True)
    if match := re.match(
        r"/(?:(?:graph/)?v1/)?(?:paper|reader|p)/(?:[^/]*/)?([0-9a-f]{40})(?:/|$)",
        path,
        re.IGNORECASE,
    ):
        return Target(make_key("url", f"https://semanticscholar.org/paper/{match[1].lower()}"))
    if match := re.match(r"/([0-9a-f]{4})/([0-9a-f]{36})\.pdf$", path):  # pdfs.semanticscholar.org
        return Target(make_key("url", f"https://semanticscholar.org/paper/{match[1]}{match[2]}"))
    if match := re.match(r"/(?:(?:graph/)?v1/paper/)?corpusid:(\d+)$", path, re.IGNORECASE):
        return Target(make_key("url", f"https://api.semanticscholar.org/CorpusID:{match[1]}"))
    return None
