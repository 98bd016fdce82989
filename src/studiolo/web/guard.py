"""Who may ask: only pages of this server, read at this machine's own name. Every answer carries the policy of the room.

A page from elsewhere could point its own name at 127.0.0.1 (DNS rebinding), post forms here, or frame our pages. Hence the
`Host` must be a loopback name, a POST must come from a page of that very host with its token and cookie, and the policy
allows nothing that is not ours: no inline script or style, no frame, no other host.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
COOKIE = "studiolo"
FIELD = "token"  # of a form
LONGEST_ADDRESS = 8_000  # letters
LARGEST_FORM = 1_000_000  # bytes
LARGEST_UPLOAD = 64_000_000  # bytes, where a file is collected
UPLOADS = "/collect"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # a form from a page without a referrer would have no origin
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Seal:
    """The secret of one running server: what its cookie holds and what its forms send. Both must come back with a POST."""

    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def fits(self, cookie: str | None, token: object) -> bool:
        """Whether a POST carries both."""
        return hmac.compare_digest((cookie or "").encode(), self.cookie.encode()) and (
            isinstance(token, str) and hmac.compare_digest(token.encode(), self.token.encode())
        )


class Guard:
    """Lets through what a page of this server asks, and refuses the rest with a sentence."""

    def __init__(self, app: ASGIApp, seal: Seal) -> None:
        self.app = app
        self.seal = seal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # no page of ours opens a web socket
        headers = Headers(scope=scope)
        limit = LARGEST_UPLOAD if scope["path"] == UPLOADS else LARGEST_FORM

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    found[name] = value
                found.setdefault("cache-control", "no-cache")
                if f"{COOKIE}={self.seal.cookie}" not in headers.get("cookie", ""):
                    found.append(
                        "set-cookie",
                        f"{COOKIE}={self.seal.cookie}; Path=/; HttpOnly; SameSite=Strict",
                    )
            await send(message)

        status, why = why_not(scope, headers, limit)
        if why:
            await PlainTextResponse(f"{why}\n", status)(scope, receive, _plain(send))
            return
        await self.app(scope, _limited(receive, limit), send_guarded)


def _plain(send: Send) -> Send:
    """Send a refusal with the policy, and without the cookie."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return sending


def why_not(scope: Scope, headers: Headers, limit: int) -> tuple[int, str]:
    """Return status and reason for refusing a request; (0, "") where nothing speaks against it."""
    host = headers.get("host", "")
    if not is_loopback(host):
        return (
            421,
            "This server answers only to 127.0.0.1 and localhost. Use the address it printed.",
        )
    if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_ADDRESS:
        return 414, f"The address is longer than {LONGEST_ADDRESS:,} letters."
    method, site = scope["method"], headers.get("sec-fetch-site", "")
    if method not in ("GET", "HEAD", "POST"):
        return 405, f"{method[:20]} is not a way to ask here."
    if method != "POST":
        if site in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
            return 403, "Pages from elsewhere may link here, and not read what is here."
        return 0, ""
    origin = headers.get("origin", "")
    if urlsplit_or_none(origin) != ("http", host.lower()) or site not in ("", "same-origin"):
        return (
            403,
            "A change must come from a page of this server. Open the page again and repeat it.",
        )
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > limit:
        return (
            413,
            f"A form may hold {limit:,} bytes. Collect large files with: studiolo collect FILE",
        )
    return 0, ""


def is_loopback(host: str) -> bool:
    """Whether a `Host` names this machine: a loopback name, with any port."""
    found = re.fullmatch(r"(\[[0-9a-f:]+\]|[^:\[\]]+)(?::\d{1,5})?", host.lower())
    return found is not None and found[1] in LOOPBACK


def urlsplit_or_none(origin: str) -> tuple[str, str] | None:
    """Return scheme and host of an origin; None where it is none."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return (parts.scheme, parts.netloc.lower()) if not parts.path and parts.netloc else None


def _limited(receive: Receive, limit: int) -> Receive:
    """Cut off a body that grows beyond its limit, whatever length it was announced with."""
    taken = 0

    async def receiving() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            return {"type": "http.disconnect"}
        return message

    return receiving
