"""Answers on disk: one file each, kept for good, so that what was asked once can be asked again without a network."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studiolo.errors import NetworkError
from studiolo.files import save_bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said.

    Attributes:
        url: the address asked, with its query.
        status: 200, or 404 where that is an answer.
        headers: names in lower case.
        fetched_at: seconds since 1970.
        cached: whether it came from the disk.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    fetched_at: float = 0.0
    cached: bool = False

    @property
    def text(self) -> str:
        """Return the body as UTF-8 text; bytes that are none become �."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            NetworkError: it is none; names the address and shows how it begins.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as problem:
            raise NetworkError(
                f"{self.url} answered with something that is not JSON (it starts with {self.body[:60]!r}). Try again later."
            ) from problem


class Cache:
    """Answers in a folder, by request. The folder may be deleted at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, method: str, url: str, body: bytes) -> Path:
        """Return the file of a request: a name made from method, address and body, never from the answer."""
        digest = hashlib.sha256(b"\0".join((method.encode(), url.encode(), body))).hexdigest()
        return self.folder / digest[:2] / f"{digest[2:34]}.http"

    def load(
        self, method: str, url: str, body: bytes = b"", max_age_s: float | None = None
    ) -> Answer | None:
        """Return the stored answer, or None if there is none, it is older than `max_age_s`, or the file is damaged."""
        try:
            data = self.path(method, url, body).read_bytes()
        except OSError:
            return None
        head, newline, rest = data.partition(b"\n")
        try:
            meta = json.loads(head)
            size, status, fetched_at = (
                int(meta["size"]),
                int(meta["status"]),
                float(meta["fetched_at"]),
            )
            headers = dict(meta["headers"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        if not newline or size != len(rest) or meta.get("url") != url:
            return None
        if max_age_s is not None and time.time() - fetched_at > max_age_s:
            return None
        return Answer(url, status, headers, rest, fetched_at, cached=True)

    def save(self, method: str, answer: Answer, request_body: bytes = b"") -> None:
        """Write an answer so that a reader sees all of it or nothing; no request header (no token) is kept.

        Raises:
            FileError: the folder cannot be written.
        """
        meta = {
            "url": answer.url,
            "status": answer.status,
            "size": len(answer.body),
            "fetched_at": answer.fetched_at,
            "headers": dict(answer.headers),
        }
        save_bytes(
            self.path(method, answer.url, request_body),
            json.dumps(meta).encode() + b"\n" + answer.body,
        )
