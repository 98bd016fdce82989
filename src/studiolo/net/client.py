"""One client for all services: it says who it is, keeps each host's pace, waits when told to, and remembers answers.

The HTTP library is loaded by the first question, so that whoever imports this room and asks nothing does not pay for it.
"""

from __future__ import annotations

import email.utils
import fcntl
import ipaddress
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from studiolo import __version__
from studiolo.errors import FileError, NetworkError

from .cache import Answer, Cache


if TYPE_CHECKING:
    import httpx2


logging.getLogger("stamina").addHandler(
    logging.NullHandler()
)  # the commands say themselves that they wait

T = TypeVar("T")

BODY_BYTES = 64 * 1024**2
_MOST_REDIRECTS = 5
_IN_CONTACT = "@+"  # what a mail address may hold beside letters, digits and _.-~
_AGAIN = frozenset({429, 500, 502, 503, 504})
_KEPT_HEADERS = frozenset(
    {"content-type", "link", "etag", "x-ratelimit-remaining", "x-ratelimit-reset"}
)


@dataclass(frozen=True, slots=True)
class Host:
    """How to behave towards one host.

    Attributes:
        pause_s: least time between two requests, over all processes of this reader.
        wait_s: wait before the second attempt where the server names none; it doubles each time.
        attempts: requests before giving up.
        clock: the name of the clock that it shares with other hosts; its own where empty.
    """

    pause_s: float = 0.34
    wait_s: float = 2.0
    attempts: int = 4
    clock: str = ""


# at most one request in three seconds over all of them, one connection: https://info.arxiv.org/help/api/tou.html
_ARXIV = Host(pause_s=3.0, wait_s=30.0, attempts=5, clock="arxiv.org")


HOSTS: Mapping[str, Host] = {
    "export.arxiv.org": _ARXIV,
    "oaipmh.arxiv.org": _ARXIV,
    "arxiv.org": _ARXIV,
    "api.semanticscholar.org": Host(pause_s=1.1, wait_s=10.0, attempts=5),
    "api.github.com": Host(pause_s=0.1, wait_s=5.0),
    "www.reddit.com": Host(pause_s=2.0, wait_s=30.0),
}
LONGEST_WAIT_S = 300.0
_UNCHANGED = 304
_UNREACHED = 2  # failed connections, with no server ever reached, after which there is no network

Fault = Callable[[Answer], str | None]


class _Again(Exception):
    """The request may be repeated after `wait_s`; None: the server named no time."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class Client:
    """HTTP for one command. Use it as a context manager.

    Args:
        cache: where answers are kept; also where the hosts' clocks are.
        offline: answer from the cache only.
        contact: an address at which a service's operators can reach the reader; part of the User-Agent.
        hosts: manners by host name; `HOSTS` where None.
        on_wait: called with (host, seconds, reason) before each wait of a second or more.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        offline: bool = False,
        contact: str = "",
        hosts: Mapping[str, Host] | None = None,
        on_wait: Callable[[str, float, str], object] | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        self.cache = cache
        self.offline = offline
        self.user_agent = f"Studiolo/{__version__} (personal reading list{f'; mailto:{quote(contact, safe=_IN_CONTACT)}' if contact else ''})"
        self.requests_sent = 0
        self._unreached = 0
        self._reached = False  # whether any server answered
        self._hosts = HOSTS if hosts is None else hosts
        self._on_wait = on_wait
        self._timeout_s = timeout_s
        self._http: httpx2.Client | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        if self._http:
            self._http.close()
            self._http = None

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        max_age_s: float | None = None,
        fault: Fault | None = None,
        keep: bool = True,
    ) -> Answer:
        """Return the answer to a GET: from the cache if it is younger than `max_age_s` (None: any age), else asked.

        A server that gave the old answer a tag (ETag) is asked whether it still holds.

        Args:
            keep: False: neither the cache's answer nor a place in it, for pages that the caller keeps itself.
            fault: looks at a fresh answer and says why it is none although its status is 200 (a feed cut short, a page
                about limits); it is then asked for again, and not kept. None where it is well.

        Raises:
            NetworkError: no answer, and none in the cache; says host, status and what to do.
        """
        import httpx2

        try:
            address = str(httpx2.URL(url, params=dict(params)) if params else httpx2.URL(url))
        except httpx2.InvalidURL as problem:
            raise NetworkError(f"{url[:100]!r} is not an address: {problem}.") from problem
        return self._ask("GET", address, b"", headers, max_age_s, fault, keep)

    def post_json(
        self,
        url: str,
        payload: Any,
        *,
        headers: Mapping[str, str] | None = None,
        max_age_s: float | None = None,
        fault: Fault | None = None,
    ) -> Answer:
        """Return the answer to a POST of JSON that asks a question and changes nothing; cached like a GET."""
        body = json.dumps(payload, sort_keys=True).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self._ask("POST", url, body, sent, max_age_s, fault)

    def send_json(
        self, method: str, url: str, payload: Any, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer to a request that changes something: sent once, never repeated, kept or led elsewhere.

        Raises:
            NetworkError: it was refused, or nobody knows whether it arrived.
        """
        import httpx2

        host = httpx2.URL(url).host
        if self.offline:
            raise NetworkError(
                f"Offline, so nothing was sent to {host}. Run the command again when you are online."
            )
        sent = {"Content-Type": "application/json", **(headers or {})}
        manners = self._hosts.get(host, Host())
        try:
            with self._pace(manners.clock or host, manners.pause_s):
                answer = self._send(method, url, json.dumps(payload).encode(), sent, changes=True)
        except _Again as problem:
            raise NetworkError(
                f"{host} did not answer: {problem}. It may have been done all the same; look there before you run this again."
            ) from problem
        if answer.status == 404:
            raise NetworkError(f"{host} has nothing at {url}, or the token may not write there.")
        return answer

    def _ask(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str] | None,
        max_age_s: float | None,
        fault: Fault | None,
        keep: bool = True,
    ) -> Answer:
        old = self.cache.load(method, url, body) if keep else None
        if old and (self.offline or max_age_s is None or time.time() - old.fetched_at <= max_age_s):
            return old
        import httpx2

        host = httpx2.URL(url).host
        if self.offline:
            raise NetworkError(
                f"Offline, and {host} was never asked this before. Run the command again when you are online."
            )
        sent = dict(headers or {})
        if old and (tag := old.headers.get("etag")):
            sent["If-None-Match"] = tag
        try:
            answer = self._send_with_patience(method, url, body, sent, host, fault)
        except NetworkError:
            if old:
                return old  # an old answer is better than none; its date stands in it
            raise
        if old and answer.status == _UNCHANGED:
            answer = replace(old, fetched_at=answer.fetched_at)
        if keep:
            self.cache.save(method, answer, body)
        return answer

    def _send_with_patience(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        host: str,
        fault: Fault | None,
    ) -> Answer:
        import stamina

        manners = self._hosts.get(host, Host())
        sent = 0

        def wait_before_next(problem: Exception) -> bool | float:
            if not isinstance(problem, _Again) or sent >= manners.attempts:
                return False
            wait_s = manners.wait_s * 2 ** (sent - 1) if problem.wait_s is None else problem.wait_s
            if wait_s > LONGEST_WAIT_S:
                return False
            if self._on_wait and wait_s >= 1:
                self._on_wait(host, wait_s, str(problem))
            return wait_s

        try:
            for attempt in stamina.retry_context(on=wait_before_next, attempts=None, timeout=None):
                with attempt:
                    sent += 1
                    with self._pace(manners.clock or host, manners.pause_s):
                        answer = self._send(method, url, body, headers)
                    if fault and answer.status == 200 and (why := fault(answer)):
                        raise _Again(why)
                    return answer
        except _Again as problem:
            tail = "Try again later; what was collected so far is kept."
            if problem.wait_s is not None and problem.wait_s > LONGEST_WAIT_S:
                tail = f"It asks us to wait {problem.wait_s:,.0f} s; run the command again then."
            raise NetworkError(
                f"{host} did not answer after {sent} {'attempt' if sent == 1 else 'attempts'}: "
                f"{problem}. {tail}"
            ) from problem
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _send(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        changes: bool = False,
    ) -> Answer:
        """Send one request and follow where it leads, all within one deadline; one that changes something is led nowhere."""
        import httpx2

        _refuse_unsendable(headers)
        limit_s = 4 * self._timeout_s
        try:
            status, received, content = _within(
                limit_s, lambda: self._follow(method, url, body, headers, changes)
            )
        except TimeoutError as problem:
            self._http = None  # the thread that still waits on its connection keeps it
            raise _Again(f"it took more than {limit_s:.0f} s to answer") from problem
        except httpx2.UnsupportedProtocol as problem:
            raise NetworkError(f"{url} is not an address to fetch: {problem}.") from problem
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as problem:
            # most likely there is no network at all: do not wait long, nor for host after host
            self._unreached += 1
            if self._unreached > _UNREACHED and not self._reached:
                raise NetworkError(
                    f"{url} cannot be reached: there seems to be no network."
                ) from None
            raise _Again("no connection", wait_s=1.0) from problem
        except (httpx2.TransportError, httpx2.DecodingError) as problem:
            raise _Again(_words(problem)) from problem
        self._reached = True
        if status in _AGAIN or (status == 403 and received.get("x-ratelimit-remaining") == "0"):
            raise _Again(f"status {status}", _asked_wait_s(received))
        if status not in ({200, 201, 204, 404} if changes else {200, 404}) and not (
            status == _UNCHANGED and "If-None-Match" in headers
        ):
            raise NetworkError(f"{url} answered with status {status}: {_excerpt(content)}")
        kept = {name: value for name, value in received.items() if name in _KEPT_HEADERS}
        return Answer(url, status, kept, content, time.time())

    def _follow(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], changes: bool = False
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body of what the address and its redirects lead to.

        A caller's headers may hold a key: they stay with the host that they were meant for. Nobody but a local server
        leads to a local address.
        """
        import httpx2

        if self._http is None:
            self._http = httpx2.Client(
                headers={"User-Agent": self.user_agent},
                timeout=httpx2.Timeout(self._timeout_s, connect=10.0),
                limits=httpx2.Limits(max_connections=1),
            )
        http, first = self._http, httpx2.URL(url)
        request = http.build_request(method, first, content=body or None, headers=dict(headers))
        for _ in range(1 + _MOST_REDIRECTS):
            self.requests_sent += 1
            response = http.send(request, stream=True)
            try:
                if response.next_request is None or changes:
                    return response.status_code, response.headers, _body(response, url)
                request = response.next_request
            finally:
                response.close()
            if _origin(request.url) != _origin(first):
                for name in headers:
                    request.headers.pop(name, None)
            if _is_local(request.url.host) and not _is_local(first.host):
                raise NetworkError(
                    f"{url} redirects to {request.url.host}, an address of this machine or network. It was not followed."
                )
        raise NetworkError(f"{url} redirects in a circle.")

    @contextmanager
    def _pace(self, host: str, pause_s: float) -> Iterator[None]:
        """Hold the host's clock: a file whose time is that of the last request, locked against our other processes."""
        folder = self.cache.folder / "pace"
        safe = "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in host)
        path = folder / (safe.lstrip(".") or "_")
        handle = -1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
            last = os.fstat(handle)
            os.pwrite(handle, b"asked\n", 0)
        except OSError as error:
            if handle >= 0:
                os.close(handle)
            raise FileError(
                f"{path} cannot be written: {error.strerror}, so nobody is asked. Use --offline, or a library that can be written."
            ) from error
        try:
            if last.st_size:
                wait_s = last.st_mtime + pause_s - time.time()
                if 0 < wait_s <= pause_s:
                    time.sleep(wait_s)
            try:
                yield
            finally:
                os.utime(handle)
        finally:
            os.close(handle)


def _within(limit_s: float, call: Callable[[], T]) -> T:
    """Return what `call` returns; a read timeout alone would let a server send a byte now and then for ever.

    Raises:
        TimeoutError: it has not returned after `limit_s`. Its thread is left behind and ends with the process.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as problem:  # noqa: BLE001 - handed to the thread that waits
            outcome.set_exception(problem)

    threading.Thread(target=run, name="http", daemon=True).start()
    return outcome.result(limit_s)


def _body(response: httpx2.Response, url: str) -> bytes:
    chunks, size = [], 0
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if size > BODY_BYTES:
            raise NetworkError(
                f"{url} sends more than {BODY_BYTES:,} bytes; the rest was not read."
            )
    return b"".join(chunks)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _is_local(host: str) -> bool:
    """Whether a host is this machine or its network; one that has no address here is not."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(not ipaddress.ip_address(str(row[4][0])).is_global for row in found)


def _refuse_unsendable(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise NetworkError(
                f"The header {name} cannot be sent: it holds characters other than plain ASCII. "
                "Check the token or key that it comes from."
            )


def _asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """Return the wait that a server asks for, in seconds: Retry-After (seconds or a date) or GitHub's reset time."""
    after = headers.get("retry-after", "").strip()
    if after.isascii() and after.isdigit() and len(after) <= 10:
        return float(after)
    if after:
        try:
            moment = email.utils.parsedate_to_datetime(after)
            return max(0.0, moment.timestamp() - time.time())
        except (ValueError, TypeError, OverflowError):
            return None
    reset = headers.get("x-ratelimit-reset", "")
    if (
        headers.get("x-ratelimit-remaining") == "0"
        and reset.isascii()
        and reset.isdigit()
        and len(reset) < 12
    ):
        return max(1.0, float(reset) - time.time())
    return None


def _words(problem: Exception) -> str:
    names = {
        "ReadTimeout": "it stopped sending",
        "RemoteProtocolError": "the answer was cut short",
    }
    return names.get(type(problem).__name__, f"{type(problem).__name__} {problem}".strip())


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:300].decode("utf-8", "replace").split())
    return "".join(letter for letter in text if letter.isprintable())[:160] or "(nothing)"
