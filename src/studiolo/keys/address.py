"""From an address to a `Mention`: what it points at, in one way for all of its spellings."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import SplitResult, quote, unquote, urlsplit

from .key import KINDS, Key, make_key, not_a_key
from .publishers import Target, arxiv_in, doi_in_page, doi_of, tidy_host
from .sites import NOT_OWNERS, reader_of
from .wrapped import inner_address, inner_of_browser, may_wrap


class Mention(NamedTuple):
    """One link's identity and what it says beside it.

    Attributes:
        key: what is linked.
        url: the address as it was written.
        version: the version that the address pins (`…/1911.05248v2`), if any.
        position_s: seconds into a talk, if any.
        path: the place inside a repository (`tree/main/deficient-efficient`), if any. Two paths of one
            repository have one key and are two things.
    """

    key: Key
    url: str
    version: int | None = None
    position_s: int | None = None
    path: str | None = None


_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_TYPED = re.compile(r"(arxiv|doi):\s*(?=\S)", re.IGNORECASE)
_JUNK_END = "}>\"'`,;\\"
_ENTITY = re.compile(r"&(?:amp|lt|gt|#0*38|#x0*26);", re.IGNORECASE)
_WEB = {"http", "https", "ftp"}
_MAX_DEPTH = 4  # a safe link around a proxy around a translation
_TRACKING = re.compile(
    r"utm_\w+|fbclid|gclid|dclid|msclkid|igshid|mc_[ce]id|ref_src|ref_url|_hsenc|_hsmi", re.I
)


def find_key(text: str) -> Key:
    """Return the key that a person typed: `arxiv:2105.03824`, a bare arXiv id or DOI, or an address.

    Raises:
        UsageError: it is none of these; says what would be.
    """
    text = text.strip()
    kind, colon, value = text.partition(":")
    kind = kind.lower()
    if colon and kind in KINDS and kind != "url" and not value.startswith("//"):
        return make_key(kind, value) or not_a_key(text)
    if key := make_key("arxiv", text) or make_key("doi", text):
        return key
    mention = find_mention(value if kind == "url" else text)
    return mention.key if mention else not_a_key(text)


def find_mention(url: str) -> Mention | None:
    """Return what `url` points at, or None where it is not a web address (relative, `mailto:`, `#place`)."""
    return _find_plain(url) or _look_up(url)


@lru_cache(maxsize=4096)
def _look_up(url: str) -> Mention | None:
    found = _find(url)
    if found is None or found.key is None:
        return None
    return Mention(found.key, url, found.version, found.position_s, found.path)


def knows_host(url: str) -> bool:
    """Whether a reader of this module knows the host of `url`."""
    parts = _split(_clean(url))
    return parts is not None and reader_of(parts.hostname or "") is not None


def host_of(url: str) -> str | None:
    """Return the host that `url` names, lower case and without `www.`, or None."""
    parts = _split(_clean(url))
    return tidy_host(parts.hostname or "") or None if parts else None


# the forms that most addresses of a list have, read without taking them apart; ids of five digits began in 2015
_PLAIN_ARXIV = re.compile(
    r"https?://(?:www\.)?arxiv\.org/(?:abs|pdf|html)/((?:1[5-9]|[2-9]\d)(?:0[1-9]|1[0-2])\.\d{5})(?:v([1-9]\d?))?(?:\.pdf)?",
    re.ASCII,
)
_PLAIN_REPOSITORY = re.compile(
    r"https?://github\.com/([A-Za-z0-9][A-Za-z0-9-]{0,59})/([A-Za-z0-9_-]{1,100})/?",
    re.ASCII,
)
_PLAIN_PAGE = re.compile(
    r"https?://(?!www\.)((?:[a-z0-9-]+\.)+[a-z0-9-]+)((?:/[A-Za-z0-9_.~-]+)*)/*", re.ASCII
)


def _find_plain(url: str) -> Mention | None:
    if match := _PLAIN_ARXIV.fullmatch(url):
        return Mention(Key("arxiv", match[1]), url, int(match[2]) if match[2] else None)
    if match := _PLAIN_REPOSITORY.fullmatch(url):
        owner = match[1].lower()
        if owner not in NOT_OWNERS:
            return Mention(Key("github", f"{owner}/{match[2].lower()}"), url)
    if match := _PLAIN_PAGE.fullmatch(url):
        host, path = match.groups()
        if reader_of(host) is None and "10." not in path and not may_wrap(host, url):
            return Mention(Key("url", f"https://{host}{path}"), url)
    return None


def _find(url: str, depth: int = 0) -> Target | None:
    text = _clean(url)
    if typed := _TYPED.match(text):
        value = unquote(text[typed.end() :])
        if typed[1].lower() == "arxiv":
            return arxiv_in(value, start=True)
        if doi := doi_of(value):
            return Target(doi)
    if text.startswith("10.") and (key := doi_of(text)):
        return Target(key)
    parts = _split(text)
    if parts is None:
        inner = inner_of_browser(text) if depth < _MAX_DEPTH else None
        return _find(inner, depth + 1) if inner else None
    host = tidy_host(parts.hostname or "")
    if not host:
        return None
    if (
        depth < _MAX_DEPTH
        and (inner := inner_address(host, parts, text))
        and (found := _find(inner, depth + 1))
    ):
        return found
    if parts.scheme != "ftp" and (reader := reader_of(host)) and (found := reader(parts)):
        return found
    if key := doi_in_page(parts):
        return Target(key)
    return Target(make_key("url", _tidy(host, parts)))


def page_address(url: str) -> str:
    """Return the address that opens what `url` shows: the page itself where a browser's viewer or reading view was saved.

    >>> page_address("view-source:https://arxiv.org/abs/2001.00005")
    'https://arxiv.org/abs/2001.00005'
    """
    scheme = _ANY_SCHEME.match(url)
    if scheme is None or scheme[1].lower() in _WEB:
        return url
    return inner_of_browser(url.strip()) or url


def _clean(url: str) -> str:
    """Drop what surrounds an address in real lists: spaces, `<…>`, a BibTeX brace, an encoded space."""
    text = "".join(url.split()).strip("<\"'`")
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    spare = text.count(")") - text.count("(")
    end = len(text)
    while end:
        if text[end - 1] in _JUNK_END:
            end -= 1
        elif text[end - 1] == ")" and spare > 0:
            spare -= 1
            end -= 1
        elif text.endswith("%20", 0, end):
            end -= 3
        else:
            break
    return text[:end]


def _split(text: str) -> SplitResult | None:
    if text.startswith("//"):
        text = "https:" + text
    elif not _SCHEME.match(text) or re.match(r"[\w.-]+:\d+(?:/|$)", text):
        host = text.split("/", 1)[0].split("?", 1)[0].split(":", 1)[0].lower()
        if not host.startswith("www.") and reader_of(tidy_host(host)) is None:
            return None
        text = "https://" + text
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    host = tidy_host(parts.hostname or "")
    if parts.scheme.lower() not in _WEB or "." not in host or "" in host.split("."):
        return None
    return parts


_ESCAPED = re.compile("[\udc80-\udcff]")
_PATH_SAFE = "/:@!$&'()*+,;=~"


def _composed(text: str) -> str:
    """Return a query or fragment whose letters with accents are one character each, written as bytes."""
    if text.isascii() and "%CC" not in text.upper():
        return text
    beyond = re.sub(
        r"(?:%[89a-f][0-9a-f])+",
        lambda m: unquote(m[0], errors="surrogateescape"),
        text,
        flags=re.I,
    )
    return re.sub(
        r"[^\x00-\x7f]+",
        lambda m: quote(
            m[0], errors="surrogateescape" if _ESCAPED.search(m[0]) else "surrogatepass"
        ),
        normalize("NFC", beyond),
    )


def _tidy(host: str, parts: SplitResult) -> str:
    """Return the address that stands for all harmless spellings of `parts`."""
    port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    path = unquote(parts.path, errors="surrogateescape") if "%" in parts.path else parts.path
    if not path.isascii():
        path = normalize("NFC", path)
    try:
        path = quote(path, safe=_PATH_SAFE, errors="surrogateescape")
    except UnicodeEncodeError:  # half a character, as JSON may hold one: no byte stands for it
        path = quote(path, safe=_PATH_SAFE, errors="surrogatepass")
    if "%2f" in parts.path.lower():
        path = parts.path
    query = "&".join(
        _composed(p)
        for p in parts.query.split("&")
        if p and not _TRACKING.fullmatch(p.split("=", 1)[0])
    )
    fragment = _composed(parts.fragment)
    if fragment.startswith(":~:") or parts.path.lower().endswith(".pdf"):
        fragment = ""  # a place on the page
    scheme = "ftp" if parts.scheme == "ftp" else "https"
    tidy = f"{scheme}://{host}{port}{path.rstrip('/')}"
    return tidy + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")


_NOT_PAGES = {
    "place": "a smart folder of Firefox, not a page",
    "javascript": "a bookmarklet (javascript:), not a page",
    "data": "a data: address, not a page",
    "about": "a page of the browser itself",
    "chrome": "a page of the browser itself",
    "edge": "a page of the browser itself",
    "vivaldi": "a page of the browser itself",
    "chrome-extension": "a page of a browser extension",
    "moz-extension": "a page of a browser extension",
    "vbscript": "a script, not a page",
}
_ANY_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{1,30}):", re.IGNORECASE)
# what browsers leave out of a scheme, and what else nobody sees: java<TAB>script: runs as javascript: does
_UNSEEN = re.compile(r"[\s\x00-\x20\x7f-\x9f\u00ad\u200b-\u200f\u2060\ufeff]+")


def why_not_a_page(url: str) -> str | None:
    """Return the reason why an address is not a page that one could read, or None if it may be one."""
    seen = _UNSEEN.sub(
        "", html.unescape(_UNSEEN.sub("", url))
    )  # Markdown resolves &colon; in an address
    if not seen:
        return "a bookmark without an address"
    scheme = _ANY_SCHEME.match(seen)
    why = _NOT_PAGES.get(scheme[1].lower()) if scheme else None
    return None if why and inner_of_browser(seen) else why


def address_of(key: Key) -> str:
    """Return the address at which a person finds a paper."""
    patterns = {
        "arxiv": "https://arxiv.org/abs/{}",
        "doi": "https://doi.org/{}",
        "openreview": "https://openreview.net/forum?id={}",
        "acl": "https://aclanthology.org/{}",
        "pmlr": "https://proceedings.mlr.press/{}.html",
        "github": "https://github.com/{}",
        "youtube": "https://www.youtube.com/watch?v={}",
        "x": "https://x.com/i/status/{}",
    }
    if key.kind == "reddit":
        return f"https://www.reddit.com/comments/{key.value.removeprefix('t3_')}"
    pattern = patterns.get(key.kind)
    if key.kind == "cvf":
        return _cvf_address(key.value)
    value = quote(key.value, safe="/:;()@!$&'*+,=~") if key.kind == "doi" else key.value
    return pattern.format(value) if pattern else value


def _cvf_address(value: str) -> str:
    venue, _, name = value.rpartition("/")
    match = re.fullmatch(r"([a-z]+)(\d{4})", venue)
    if match is None:  # a workshop's
        return f"https://openaccess.thecvf.com/content/{venue}/html/{name}_paper.html"
    place = (
        f"content/{match[1].upper()}{match[2]}"
        if int(match[2]) > 2020
        else f"content_{match[1].upper()}_{match[2]}"
    )
    return f"https://openaccess.thecvf.com/{place}/html/{name}_{match[1].upper()}_{match[2]}_paper.html"
