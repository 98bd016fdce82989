"""Feeds: RSS, Atom and JSON Feed, arXiv's listings and answers of its API among them.

RSS is read by feedparser, which knows what its many writers make of it; a JSON Feed is JSON.

Formats: https://www.rssboard.org/rss-specification, RFC 4287, https://www.jsonfeed.org/version/1.1/ and
https://info.arxiv.org/help/rss.html
"""

from __future__ import annotations

import calendar
import html
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from studiolo.errors import NetworkError, SourceError, UsageError
from studiolo.keys import address_of, find_mention, papers_in
from studiolo.net import Client

from .dates import iso
from .guard import OnBytes, one_line, page_of, parse_json, read_whole, text_of
from .saved import Reading, SavedItem, SavedLink, Skipped


SOURCE = "feed"
FEED_BYTES = 64 * 1024**2
_TAG = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^<>]*>", re.DOTALL | re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/h\d)\b[^<>]*>", re.IGNORECASE)
_ANNOUNCED = re.compile(r"^arXiv:\S+\s+Announce Type:\s*\S+\s+(?:Abstract:\s*)?", re.IGNORECASE)
_ALTERNATE = re.compile(
    rb"<link\b[^>]*\btype=[\"']?application/(?:rss|atom|feed)\+(?:xml|json)[^>]*>", re.IGNORECASE
)
_HREF = re.compile(rb"\bhref=[\"']?([^\"'\s>]+)", re.IGNORECASE)


def load_feed(path: Path, on_bytes: OnBytes | None = None) -> Reading:
    """Yield the entries of a feed in a file."""
    yield from parse_feed(read_whole(path, on_bytes, FEED_BYTES), path.name)


def fetch_feed(client: Client, url: str) -> Reading:
    """Yield the entries of the feed at an address.

    Raises:
        UsageError: it is not an http(s) address.
        NetworkError: there is no feed; where the page names one, it is said.
        SourceError: what is there is not a feed.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"{url!r} is neither a file nor an address. Give https://…")
    answer = client.get(url, max_age_s=0.0)
    if answer.status != 200:
        raise NetworkError(f"There is nothing at {url} (status {answer.status}).")
    if answer.body[:500].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise NetworkError(f"{url} is a web page, not a feed.{_feed_named_in(answer.body, url)}")
    yield from parse_feed(answer.body, one_line(url, 100), base=url)


def _feed_named_in(body: bytes, url: str) -> str:
    for link in _ALTERNATE.findall(body[:200_000]):
        if target := _HREF.search(link):
            address = urljoin(url, html.unescape(target[1].decode("utf-8", "replace")))
            return f" It names this one: studiolo collect feed {address}"
    return " Give the address of its RSS or Atom feed."


def parse_feed(data: bytes, name: str, base: str = "") -> Reading:
    """Yield the entries of a feed.

    Args:
        base: its own address, for relative links.

    Raises:
        SourceError: it is not a feed.
    """
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    entries = _of_json(data, name, base) if start == b"{" else _of_xml(data, name, base)
    for number, entry in enumerate(entries, 1):
        yield _item(entry, f"{name}, item {number}")


class _Entry:
    """What any kind of feed says of one of its entries."""

    def __init__(self) -> None:
        self.url = ""
        self.title = ""
        self.about = ""
        self.note = ""
        self.id = ""
        self.saved_at: str | None = None
        self.authors: tuple[str, ...] = ()
        self.tags: tuple[str, ...] = ()
        self.related: tuple[str, ...] = ()
        self.is_replacement = False
        self.extra: dict[str, str] = {}


def _item(entry: _Entry, place: str) -> SavedItem | Skipped:
    if not entry.url:
        return Skipped(place, f"an entry without a link: {entry.title[:80] or 'no title'}")
    url, why_not = page_of(entry.url)
    if why_not:
        return Skipped(place, why_not)
    if entry.is_replacement:
        return Skipped(place, f"a new version of what was announced before: {entry.title[:80]}")
    mention = find_mention(url)
    is_arxiv = mention is not None and mention.key.kind == "arxiv"
    if is_arxiv and entry.tags:
        entry.extra["categories"] = " ".join(entry.tags)
    papers = [] if is_arxiv else papers_in(f"{entry.about}\n{entry.note}")
    own = mention.key if mention else None
    links = [SavedLink("target", other) for other in entry.related if other != url]
    role = "mention" if len(papers) == 1 else "several"
    links += [SavedLink(role, address_of(key)) for key in papers if key != own]
    return SavedItem(
        source=SOURCE,
        url=url,
        title=entry.title,
        note=entry.note,
        about=entry.about,
        tags=() if is_arxiv else entry.tags,
        saved_at=entry.saved_at,
        native=entry.id,
        links=tuple(dict.fromkeys(links)),
        extra=entry.extra,
        place=place,
        authors=entry.authors,
        year=int(entry.saved_at[:4]) if is_arxiv and entry.saved_at else None,
    )


def _of_json(data: bytes, name: str, base: str) -> Iterator[_Entry]:
    feed = parse_json(data, name)
    if not isinstance(feed, Mapping) or "jsonfeed.org" not in text_of(feed.get("version"), 200):
        raise SourceError(
            f"{name} is JSON, but not a JSON Feed: it has no version of jsonfeed.org."
        )
    here = text_of(feed.get("feed_url") or feed.get("home_page_url"), 2000) or base
    for said in feed.get("items", ()) if isinstance(feed.get("items"), list) else ():
        entry = _Entry()
        if isinstance(said, Mapping):
            page = text_of(said.get("url") or said.get("external_url"), 4000)
            entry.url = urljoin(here, page) if page else ""
            entry.title = one_line(text_of(said.get("title")), 1000)
            content = text_of(said.get("summary") or said.get("content_text"), 100_000)
            entry.about = content.strip() or _words(text_of(said.get("content_html"), 400_000))
            entry.id = _id(text_of(said.get("id"), 1000), here)
            entry.saved_at = iso(
                text_of(said.get("date_published") or said.get("date_modified")) or None
            )
            people = said.get("authors") or ([said["author"]] if said.get("author") else [])
            entry.authors = tuple(
                name
                for one in (people if isinstance(people, list) else ())
                if isinstance(one, Mapping) and (name := one_line(text_of(one.get("name")), 200))
            )
            tags = said.get("tags")
            entry.tags = _tags(tags if isinstance(tags, list) else ())
            other = text_of(said.get("external_url"), 4000)
            entry.related = (other,) if other else ()
        yield entry


def _of_xml(data: bytes, name: str, base: str) -> Iterator[_Entry]:
    import feedparser

    feed = feedparser.parse(
        io.BytesIO(data), response_headers={"content-location": base} if base else {}
    )
    if not feed.get("version") and not feed.entries:
        raise SourceError(
            f"{name} is not a feed: neither RSS nor Atom nor a JSON Feed. Was the download cut short?"
        )
    here = text_of(feed.feed.get("id") or feed.feed.get("link"), 1000) or base
    for said in feed.entries:
        entry = _Entry()
        links = [
            one for one in said.get("links", ()) if isinstance(one, Mapping) and one.get("href")
        ]
        enclosed = next((one["href"] for one in links if one.get("rel") == "enclosure"), "")
        known = text_of(said.get("id"), 1000)
        entry.url = text_of(said.get("link"), 4000) or enclosed or (known if "://" in known else "")
        entry.title = one_line(_words(text_of(said.get("title"))), 1000)
        summary = text_of(said.get("summary"), 400_000)
        content = " ".join(text_of(one.get("value"), 400_000) for one in said.get("content", ()))
        entry.about = _ANNOUNCED.sub("", _words(summary or content))
        entry.id = _id(known, here)
        moment = said.get("published_parsed") or dict.get(said, "updated_parsed")
        try:
            entry.saved_at = iso(calendar.timegm(moment)) if moment else None
        except (ValueError, OverflowError, TypeError):
            entry.saved_at = None
        entry.authors = tuple(_authors(said))
        entry.tags = _tags([one.get("term") for one in said.get("tags", ())])
        entry.related = tuple(
            one["href"] for one in links if one.get("rel") in ("related", "via") and "://" in one["href"]
        )  # fmt: skip
        entry.is_replacement = text_of(said.get("arxiv_announce_type")).startswith("replace")
        for field, called in (
            ("arxiv_doi", "doi"),
            ("arxiv_journal_ref", "journal"),
            ("arxiv_comment", "comment"),
        ):
            if value := one_line(text_of(said.get(field)), 500):
                entry.extra[called] = value
        yield entry


def _authors(said: Any) -> Iterator[str]:
    """Yield the people of an entry; arXiv and others write all of them into one element."""
    names = [one_line(text_of(one.get("name")), 20_000) for one in said.get("authors", ())]
    names = names or [one_line(text_of(said.get("author")), 20_000)]
    if len(names) == 1 and "," in names[0]:
        names = re.split(r",\s+(?!(?:Jr|Sr|I{2,3}|IV)\b)", names[0])
    for name in names:
        name = re.sub(r"\s*\([^()]*\)|\S+@\S+", "", name).strip()
        if name:
            yield name


def _tags(names: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag for one in names if (tag := one_line(text_of(one), 100))))


def _id(known: str, feed: str) -> str:
    """Return the id of an entry: with that of its feed where it is a number or a word, as another feed may have it too."""
    known = one_line(known, 1000)
    return known if not known or re.search(r"[:/]", known) else f"{one_line(feed, 500)} {known}"


def _words(text: str) -> str:
    """Return HTML as plain text, paragraphs as lines."""
    text = (
        html.unescape(_TAG.sub(" ", _BREAK.sub("\n", text))) if "<" in text or "&" in text else text
    )
    return "\n".join(line for one in text.split("\n") if (line := " ".join(one.split())))
