"""Search as one types, and what to read next, with the words that made it so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from studiolo.errors import UsageError
from studiolo.keys import address_of, find_key
from studiolo.library import (
    Suggested,
    Suggester,
    Wanted,
    desk,
    sections_of,
    wanted_by_list,
    wanted_by_section,
    wanted_by_tag,
    wanted_by_words,
)
from studiolo.metadata import day_of

from .exporting import exported, references_of, wanted_format
from .proposed import Fields, Proposed, tried
from .room import address, page, room_of, says
from .shelf import Moment


if TYPE_CHECKING:
    from studiolo.index import Hit, Suggestion

HITS, SUGGESTIONS = 20, 20
LONGEST_QUERY = 500  # letters


def find(request: Request) -> Response:
    """Show what is found by the words in an address."""
    moment = room_of(request).shelf.moment()
    query = request.query_params.get("q", "").strip()
    if len(query) > LONGEST_QUERY:
        raise UsageError(f"A search has at most {LONGEST_QUERY} letters.")
    found, why = None, ""
    if query:
        try:
            found = moment.find(query, HITS)
        except UsageError as error:
            why = says(error)
    if wanted_format(request):
        works = references_of(found.hits if found else ())
        return exported(request, moment, works, query or "Search", "found")
    return page(
        request, "find.html.j2", moment=moment, q=query, found=found, why=why, marked=marked, where=where_of,
    )  # fmt: skip


def marked(text: str, marks: Sequence[tuple[int, int]]) -> Markup:
    """Return a text as HTML, matches marked."""
    parts: list[Markup] = []
    at = 0
    for start, end in marks:
        parts.append(Markup("{}<mark>{}</mark>").format(text[at:start], text[start:end]))
        at = end
    return Markup("").join((*parts, Markup.escape(text[at:])))


def where_of(one: Hit | Suggestion) -> tuple[str, str, str]:
    """Return where a thing stands, in words; the address of that place; and that of the page about it: empty where there is none."""
    if one.place == "inbox":
        return "in the inbox", "/inbox", address("/change/add", key=one.key)
    name, _, line = one.place.rpartition(":")
    if not name or not line.isdigit():
        return "", "", address(f"/paper/{one.key}") if ":" in one.key else ""
    if one.key == name:  # a page, not an entry of it
        return name, address(f"/list/{name}"), address(f"/list/{name}")
    place = f"{address(f'/list/{name}')}#l{line}"
    return f"{name}, line {line}", place, place if one.key.startswith(f"{name}:") else address(f"/paper/{one.key}")  # fmt: skip


def _sections(moment: Moment) -> list[str]:
    """Return the sections that something can be suggested for, as paths, each once."""
    documents = [moment.document(name) for name in moment.lists]
    return list(dict.fromkeys(" > ".join(s.path) for d in documents for s in sections_of(d)))


def suggest(request: Request) -> Response:
    """Show suggestions for a section, a tag, a paper, or for everything."""
    moment = room_of(request).shelf.moment()
    asked = request.query_params
    name, section = asked.get("list", ""), asked.get("section", "")
    tag, key, since = asked.get("tag", ""), asked.get("key", ""), asked.get("since", "")
    unread = bool(asked.get("unread"))
    suggested, why = Suggested(), ""
    try:
        wanted = _wanted(moment, name, section, tag, key)
        suggester = Suggester(moment.library)
        if unread:
            suggested = suggester.next_unread(wanted, limit=SUGGESTIONS)
        else:
            day = day_of(since) if since else ""
            suggested = suggester.suggest(wanted, since=day, limit=SUGGESTIONS)
    except UsageError as error:
        why = says(error)
    if wanted_format(request):
        works = references_of(suggested.suggestions)
        return exported(request, moment, works, "Suggestions", "suggested")
    return page(
        request, "suggest.html.j2", moment=moment, asked=asked, suggested=suggested, why=why, unread=unread,
        where=where_of, all_sections=_sections(moment), list=name, section=section, tag=tag, key=key, since=since,
    )  # fmt: skip


def _wanted(moment: Moment, name: str, section: str, tag: str, key: str) -> Wanted:
    path = moment.document(name).path if name else None
    if section:
        return wanted_by_section(moment.library, section, path)
    if tag:
        return wanted_by_tag(moment.library, tag, path)
    if key:
        return wanted_by_words(moment.library, [key], path)
    return wanted_by_list(moment.library, path)


def refuse(moment: Moment, fields: Fields) -> Proposed:
    """Propose never to suggest a paper again."""
    key = find_key(fields.get("key", ""))
    title = fields.get("title", "") or address_of(key)
    nothing = "You said so before."
    return tried(f"Not for me: {title}", lambda: desk.say_no(moment.library, key, fields.get("title", "")), nothing=nothing)  # fmt: skip
