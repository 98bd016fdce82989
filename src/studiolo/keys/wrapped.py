"""The address inside an address: redirects, viewers, proxies, translations and archived copies.

The rules look at how such an address is built, not at who made it: a whole address after a slash (`r.jina.ai/https://…`), one as
a value of a page that says it leads elsewhere (`/redirect?url=…`), a host spelt into another (`arxiv-org.translate.goog`). A page
that only speaks of an address (a search, a button for sharing, a check) leads nowhere, and stays itself.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import SplitResult, parse_qsl, unquote

from .sites import reader_of


MAX_CHARS = 20_000  # a longer address is none that a redirect makes
_WEB = re.compile(r"https?:/{1,2}(?=[^/\s])", re.IGNORECASE)
_ENCODED_WEB = re.compile(r"https?(?::|%3a)(?:/|%2f){1,2}(?!/)", re.IGNORECASE)
# pages that lead elsewhere, by the last part of their path …
_LEADS = re.compile(
    r"(?:.*[-_])?(?:url|redir(?:ect|ector|ection)?(?:url|to)?|r|out|away|l|link(?:s|out|filter)?|click(?:s|time)?|ct|cl0?|track(?:ing)?"
    r"|go(?:to|url)?|exit|leav(?:e|ing)|external|jump|forward|fwd|visit|outgoing|outbound|safelinks?|deeplink|sinaurl|ck|a|query"
    r"|viewers?|gview|viewerng|reader|read|view|pdf-?viewer|pdfjs|translate(?:_c|_p|_un)?|transpage|bv|website|proxy|cache|text|frame|file)",
    re.IGNORECASE,
)
# … or by a label of their host
_LEADS_HOST = re.compile(
    r"(?:l|lm|out|away|go|goto|click\w*|links?\d*|redirect|redir|r|t|ct|track(?:ing)?|email|e|safelinks|urldefense|urlprotect|linkprotect"
    r"|protection|url|urls|leave|exit|outgoing|translate|translatetheweb|papago|webcache|viewer|reader|proxy|ezproxy|\w*redir\w*"
    r"|\w*viewer\w*|\w*tracking\w*)",
    re.IGNORECASE,
)
# pages that speak of an address, whatever else they look like
_SPEAKS = re.compile(
    r"shar(?:e|ing)[\w-]*|intent|submit\w*|search|find|check\w*|validat\w+|compose|oembed|embed|cite|citations?|import|subscribe|save|add"
    r"|bookmark\w*|new|post|tweet|discuss\w*|explore|feed|whois|qr\w*",
    re.IGNORECASE,
)
_NAMES = (
    *("url", "u", "q", "uddg", "uri", "target", "to", "dest", "destination", "redirect", "redirect_url", "redirect_uri"),
    *("redirecturl", "goto", "go", "out", "link", "l", "href", "file", "pdf", "pdfurl", "src", "qurl", "murl", "a", "r", "d"),
)  # fmt: skip
_BROWSER = re.compile(
    r"(?i)(?:view-source|reader|read|feed|about|[a-z-]*extension|[a-z-]*distiller|chrome|edge|brave|vivaldi|microsoft-edge(?:-https?)?|googlechromes?"
    r"|firefox|resource|ms-appx-web|web\+[a-z]+|wrapped|x-web-search):"
)
_PROXY_LABELS = re.compile(
    r"(?:^|[.-])(?:[a-z0-9-]*proxy[a-z0-9]*|[a-z0-9]*ezp[a-z0-9]*|idm\.oclc|[a-z0-9]*vpn[a-z0-9]*|remotexs|remotlog|[a-z]*lib(?:rary|raries)?\d*)(?:[.-]|$)"
)
_TOP = r"org|com|net|edu|gov"
_HOST_IN_HOST = re.compile(rf"((?:[a-z0-9][a-z0-9-]*\.)+(?:{_TOP}))\.(.+\..+)")
_AMP = re.compile(r"/(?:amp|[civ])/(s/)?([a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/.*)?)", re.IGNORECASE)
_BASE64 = re.compile(r"(?:a1)?(aHR0c[A-Za-z0-9_/+-]{12,2000})={0,2}")
_TOKEN = re.compile(r"(eyJ[A-Za-z0-9_/+-]{12,4000})(?:\.[\w-]*){0,2}")


def inner_of_browser(text: str) -> str | None:
    """Return the web address that a page of a browser or of its extension shows, or None.

    >>> inner_of_browser("about:reader?url=https%3A%2F%2Farxiv.org%2Fabs%2F2001.00004")
    'https://arxiv.org/abs/2001.00004'
    """
    scheme = _BROWSER.match(text)
    if scheme is None:
        return None
    rest = text[scheme.end() :]
    found = re.search(r"(?i)(?:^|[/?&#=])(https?(?::|%3a)(?:/|%2f){1,2})", rest)
    if found is None:
        if scheme[0].lower().startswith(("view-source", "feed", "microsoft-edge", "googlechrome")):
            return "https://" + rest.lstrip("/") if re.match(r"/*[\w-]+\.[\w.-]+/", rest) else None
        return None
    inner = rest[found.start(1) :]
    before = rest[found.start(1) - 1] if found.start(1) else ""
    if before in "=" or "%3a" in found[1].lower():
        # a value ends where the next one begins; what is not encoded runs to the end
        encoded = "%3a" in found[1].lower() or "%2f" in inner.lower()
        return unquote(re.split(r"[&#]", inner)[0]) if encoded else inner
    return inner


def inner_address(host: str, parts: SplitResult, text: str) -> str | None:
    """Return the address that `parts` (of `text`, on `host`) leads to, shows or copies, or None where it is a page itself."""
    if len(text) > MAX_CHARS or len(host) > 255 or not may_wrap(host, text):
        return None  # most addresses, which are not taken apart for it
    return (
        _in_host(host, parts)
        or _in_path(host, parts)
        or (_in_query(host, parts) if parts.query else None)
    )


# they begin with the characters that all of their cases begin with, which `re` skips to fast
_SIGNS = re.compile(
    r"[hHae.=/](?:(?<=[hH])[tT][tT][pP]|(?<=a)HR0c|(?<=e)yJ|(?<=\.)(?:org|com)/|(?<==)www\.|(?<=\A/)amp/)"
)
_SIGNS_OF_HOST = re.compile(r"translate\.goog|ampproject|prox|lib|ezp|oclc|vpn|remot")


def may_wrap(host: str, text: str) -> bool:
    """Whether an address has any sign of another inside it."""
    return bool(_SIGNS.search(text[text.find("/", 8) :]) or _SIGNS_OF_HOST.search(host))


def _rest(parts: SplitResult) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return parts.path + query + (f"#{parts.fragment}" if parts.fragment else "")


def _in_host(host: str, parts: SplitResult) -> str | None:
    """Read `arxiv-org.translate.goog`, `ieeexplore-ieee-org.proxy.lib.x.edu`, `ieeexplore.ieee.org.ezproxy.x.edu`."""
    host = re.sub(r"^\d-(?=[a-z])", "", host)  # libraries that run their proxy on a number
    first, _, others = host.partition(".")
    translated = others == "translate.goog"
    if translated or ("-" in first and _PROXY_LABELS.search(others)):
        inner = first.replace("--", "\0").replace("-", ".").replace("\0", "-")
        if (translated and "." in inner) or re.search(rf"\.(?:{_TOP})$", inner) or reader_of(inner):
            query = "&".join(p for p in parts.query.split("&") if not p.startswith("_x_tr_"))
            return f"https://{inner}" + _rest(parts._replace(query=query))
    if (match := _HOST_IN_HOST.fullmatch(host)) and _PROXY_LABELS.search(match[2]):
        return f"https://{match[1]}" + _rest(parts)
    return None


def _in_path(host: str, parts: SplitResult) -> str | None:
    path = parts.path
    if host.endswith(".ampproject.org") or (
        host.startswith("google.") and path.startswith("/amp/")
    ):
        match = _AMP.match(path)
        return f"https://{match[2]}" + (f"?{parts.query}" if parts.query else "") if match else None
    if "urldefense" in host and (match := re.search(r"/__(https?:/.+?)__;", path + ";")):
        return re.sub(r"^(https?:/)(?=[^/])", r"\1/", match[1])
    pieces = path.split("/")[:64]
    for at, piece in enumerate(pieces[1:], 1):
        if any(_SPEAKS.fullmatch(before) for before in pieces[1:at] if before != "save"):
            return None
        value = re.sub(r"^[A-Za-z]{1,8}=", "", piece)  # Yahoo's RU=https%3a…
        if _ENCODED_WEB.match(value) and ("%2f" in value.lower()):
            return unquote(value)  # one encoded piece; the rest of the path is the redirect's own
        if re.fullmatch(r"https?:", value, re.IGNORECASE) and any(pieces[at + 1 :]):
            inner = f"{value.lower()}//" + "/".join(pieces[at + 1 :]).lstrip("/")
            return inner + _rest(parts._replace(path=""))
        if re.fullmatch(r"https?", piece, re.IGNORECASE) and re.match(
            r"[\w-]+(?:\.[\w-]+)+$", pieces[at + 1] if at + 1 < len(pieces) else ""
        ):  # /proxy/https/host/…
            return (
                f"{piece.lower()}://" + "/".join(pieces[at + 1 :]) + _rest(parts._replace(path=""))
            )
        if match := _TOKEN.fullmatch(piece):
            found = re.search(rb'"(?:e|u|url|href)"\s*:\s*"(https?://[^"]+)"', _decoded(match[1]))
            if found:
                return found[1].decode("utf-8", "replace").replace("\\/", "/")
        if match := _BASE64.fullmatch(piece):
            return _decoded(match[1]).decode("utf-8", "replace")
    for at, piece in enumerate(pieces[1:], 1):  # …/newest/arxiv.org/abs/…
        if "." in piece and (reader := reader_of(piece)):
            rest = "/".join(pieces[at + 1 :])
            target = reader(parts._replace(netloc=piece, path=f"/{rest}"))
            if target and target.key and target.key.names_paper:
                return f"https://{piece}/{rest}" + _rest(parts._replace(path=""))
    if not parts.query and (
        match := re.match(r"/(?:web/)?\d{4,14}[a-z_*]{0,4}/([\w-]+(?:\.[\w-]+)+/.+)", path)
    ):
        return f"https://{match[1]}"  # archives without the scheme
    return None


def _decoded(text: str) -> bytes:
    text = text.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def _in_query(host: str, parts: SplitResult) -> str | None:
    pieces = [
        piece.rsplit(".", 1)[0] if "." in piece else piece
        for piece in parts.path.split("/")
        if piece
    ]
    if parts.query.count("&") > 100:
        return None
    query = dict(reversed(parse_qsl(parts.query.replace("&amp;", "&"), keep_blank_values=True)))
    values = {name.lower(): value.strip() for name, value in query.items()}
    if "webcache" in host and (
        cached := re.match(r"cache:(?:[\w-]{8,20}:)?(\S+)", values.get("q", ""))
    ):
        return cached[1] if "://" in cached[1] else f"https://{cached[1]}"
    if any(_SPEAKS.fullmatch(piece) for piece in pieces):
        return None
    if re.match(r"https?:/", parts.query, re.IGNORECASE):  # proxy.cgi?https://…
        return parts.query
    login = "login" in pieces or "connect" in pieces
    if login and not (values.keys() & {"url", "qurl"}):
        return None
    if login and (match := re.search(r"(?:^|&)url=(https?://.+)", parts.query, re.IGNORECASE)):
        return match[1]  # not encoded: all of the rest is the address
    labels = host.split(".")
    leads = (
        login
        or (pieces and _LEADS.fullmatch(pieces[-1]))
        or (len(pieces) > 1 and len(pieces[-2]) > 3 and _LEADS.fullmatch(pieces[-2]))
        or any(_LEADS_HOST.fullmatch(label) for label in labels[:-1])
        or _PROXY_LABELS.search(host)
        or (not pieces and len(values) <= 1 and bool(values.keys() & {"url", "target", "to"}))
    )
    if not leads:
        return None
    for name in (*_NAMES, *values):
        if inner := _value(values.get(name, ""), proofpoint="urldefense" in host):
            return inner
    return None


def _value(value: str, *, proofpoint: bool) -> str | None:
    if not value:
        return None
    if proofpoint and re.match(r"https?-3A__", value):
        value = unquote(value.replace("-", "%").replace("_", "/"))
    if re.match(r"https?%3a", value, re.IGNORECASE):
        value = unquote(value)  # encoded twice
    if match := _BASE64.fullmatch(value):
        value = _decoded(match[1]).decode("utf-8", "replace")
    if match := _WEB.match(value):
        return f"{match[0].rstrip('/')}//{value[match.end() :]}"
    if re.match(r"(?:www\.)?(?:[\w-]+\.)+(?:org|com|net|edu|gov|io|press)/\S", value):
        return f"https://{value}"
    return None
