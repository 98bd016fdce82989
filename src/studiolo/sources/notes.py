"""Lists and notes in Markdown: an Obsidian vault, a Logseq graph, or any file with bulleted lists.

A file is read as `studiolo show` reads a list: each entry with its sections, title, people, year, tags, state and notes. What the
two programs write around it (dates of tasks, properties, block ids) is taken off a line before it is read, and kept. A note whose
front matter or page properties name an address is a saved thing itself, and a task that only names such a note says its state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from unicodedata import normalize
from urllib.parse import unquote

from studiolo.errors import SourceError
from studiolo.files import kind_at
from studiolo.keys import find_mention
from studiolo.lists import Document, Entry, State, find_links, plain_with_links

from .bibtex import addresses_of
from .columns import split_cell
from .dates import iso
from .guard import OnBytes, one_line, page_of, read_whole
from .saved import Reading, SavedItem, SavedLink, Skipped
from .states import state_of
from .table import MARKDOWN, table_rows


SOURCE = "notes"
SHORT_NOTE = 600  # characters that may be a remark; any other text is kept beside, so that no list is filled with it
_NOT_NOTES = frozenset({"logseq", "templates", "template", "node_modules"})
_TASK = re.compile(
    rb"^(\s*(?:>\s*)*[-*+]\s+)(TODO|DOING|NOW|LATER|WAITING|WAIT|STARTED|IN-PROGRESS|DONE|CANCELL?ED)(?:\s+\[#[ABC]\])?(?=\s)"
)
_TASK_STATES: Mapping[bytes, State | None] = {
    b"TODO": "to read", b"LATER": "to read", b"WAITING": "to read", b"WAIT": "to read", b"DOING": "reading", b"NOW": "reading",
    b"STARTED": "reading", b"IN-PROGRESS": "reading", b"DONE": "read", b"CANCELED": None, b"CANCELLED": None,
}  # fmt: skip
_BOXES = {"to read": b"[ ]", "reading": b"[/]", "read": b"[x]"}
_CANCELLED = re.compile(rb"^\s*(?:>\s*)*(?:[-*+]|\d+[.)])\s+\[-\](?=\s)")
# Obsidian Tasks: emoji with a date, or Dataview's fields in brackets
_EMOJI = {
    "📅": "due",
    "⏳": "scheduled",
    "🛫": "start",
    "➕": "created",
    "✅": "done",
    "❌": "cancelled",
    "🗓️": "due",
    "📆": "due",
}
_DATED = re.compile(rf"(?<!\s)\s*({'|'.join(_EMOJI)})\ufe0f?\s*(\d{{4}}-\d\d-\d\d)")
_FIELD = re.compile(
    r"(?<!\s)\s*[\[(](due|scheduled|start|created|done|completion|cancelled|finished|read)::\s*(\d{4}-\d\d-\d\d)[\])]",
    re.IGNORECASE,
)
_SIGNS = re.compile(r"(?<!\s)\s*(?:[🔺⏫🔼🔽⏬]\ufe0f?|🔁[^📅⏳🛫➕✅❌\n]*|🆔\s*\w+|⛔\s*[\w,]+)")
_BLOCK_ID = re.compile(r"(?<!\s)\s+\^[A-Za-z0-9-]+\s*$")
# {{video https://…}} is its address; {{embed …}}, {{query …}} and ((…)) stand for what is elsewhere
_MACRO = re.compile(
    r"\{\{\s*(?:video|youtube|twitter|tweet|pdf|iframe)\s+(https?://[^\s{}]+)\s*\}\}|\{\{[a-z][^{}]{0,300}\}\}|\(\([0-9a-f-]{6,40}\)\)"
)
_PROPERTY = re.compile(rb"^(\s*(?:[-*+]\s+)?)([A-Za-z][\w.-]{0,40})::(?:\s+(.*))?$")
_PLANNED = re.compile(rb"^\s*(SCHEDULED|DEADLINE):\s*<(\d{4}-\d\d-\d\d)[^>]*>\s*$")
_LOGSEQ_OWN = frozenset({"id", "collapsed", "heading", "background-color", "logseq.order-list-type", "card-last-interval", "hl-color", "hl-page", "ls-type"})  # fmt: skip
_DAY = re.compile(r"(\d{4})[-_](\d\d)[-_](\d\d)$")
_INLINE = re.compile(r"(?<!!)\[([^\[\]\n]+)\]\((https?://[^\s()]+)\)")
_WIKI = re.compile(r"!?\[\[([^\[\]|#^]+)(?:[#^][^\[\]|]*)?(?:\|[^\[\]]*)?\]\]")
_READ_ON = ("read-on", "date-read", "finished", "completed", "read_on")
_ADDRESS_NAMES = (
    "url",
    "link",
    "source",
    "doi",
    "arxiv",
    "arxiv_id",
    "arxiv-id",
    "arxivid",
    "eprint",
    "pdf",
    "paper",
    "isbn",
    "website",
    "uri",
)


@dataclass(slots=True)
class _Line:
    """What was taken off a line."""

    state: State | None = None
    cancelled: bool = False
    dates: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Note:
    """A file of a vault."""

    name: str
    data: bytes
    lines: dict[int, _Line]
    properties: dict[str, str]
    folder: tuple[str, ...]
    first: int = 1

    @property
    def title(self) -> str:
        stem = unquote(PurePosixPath(self.name).stem.replace("___", "/"))
        return self.properties.get("title") or stem.rsplit("/", 1)[-1]

    @property
    def day(self) -> str | None:
        """The day of a daily note or a journal."""
        found = _DAY.search(PurePosixPath(self.name).stem)
        return iso("-".join(found.groups())) if found else None

    @property
    def addresses(self) -> list[str]:
        """What its front matter says it is about."""
        given = {name: self.properties.get(name, "") for name in _ADDRESS_NAMES}
        arxiv = (
            given["arxiv"]
            or given["arxiv_id"]
            or given["arxiv-id"]
            or given["arxivid"]
            or given["eprint"]
        )
        links = " ".join(value for name, value in given.items() if "://" in value and name != "doi")
        found = addresses_of(
            {"eprint": arxiv, "doi": given["doi"], "url": links, "isbn": given["isbn"]}
        )
        return [url for url in found if not page_of(url)[1]]


def load_notes(path: Path, on_bytes: OnBytes | None = None) -> Reading:
    """Yield what a Markdown file, or every note below a folder, lists; hidden folders, templates and backups are left out."""
    if kind_at(path) != "folder":
        yield from _read([_note(read_whole(path, on_bytes), path.name, in_folder=False)])
        return
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in MARKDOWN
        and file.is_file()
        and not file.is_symlink()
        and _is_note(file.relative_to(path))
    )
    if not files:
        raise SourceError(f"There is no Markdown file below {path}.")
    yield from _read(
        [
            _note(read_whole(file, on_bytes), file.relative_to(path).as_posix(), in_folder=True)
            for file in files
        ]
    )


def _is_note(path: Path) -> bool:
    return not any(
        part.startswith(".") or part.casefold() in _NOT_NOTES for part in path.parts[:-1]
    ) and not path.name.startswith(".")


def parse_notes(data: bytes, name: str) -> Reading:
    """Yield what the Markdown text of one file lists."""
    yield from _read([_note(data, name, in_folder=False)])


def _note(data: bytes, name: str, *, in_folder: bool) -> _Note:
    name = normalize(
        "NFC", name
    )  # macOS writes é as two characters, and whoever links to it as one
    folder: tuple[str, ...] = ()
    if in_folder:
        parts = unquote(name).replace("___", "/").split("/")[:-1]
        folder = tuple(
            part for at, part in enumerate(parts) if not (at == 0 and part in ("pages", "journals"))
        )
    properties, body_line = _front_matter(data)
    cleaned, lines, page = _cleaned(data, body_line)
    return _Note(name, cleaned, lines, {**page, **properties}, folder)


def _front_matter(data: bytes) -> tuple[dict[str, str], int]:
    """Return the scalar values and lists of YAML front matter, lists joined by commas, and the line at which the text begins."""
    text = data[:65_536].decode("utf-8", "replace").removeprefix("\ufeff")
    match = re.match(r"---[ \t]*\r?\n(.*?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|$)", text, re.DOTALL)
    if match is None:
        return {}, 1
    found: dict[str, str] = {}
    name = ""
    for line in match[1].splitlines():
        if item := re.match(r"\s+-\s+(.*)|-\s+(.*)", line):
            value = _scalar(item[1] or item[2] or "")
            if name and value:
                found[name] = f"{found[name]}; {value}" if found.get(name) else value
        elif pair := re.match(r"([A-Za-z][\w .-]{0,40}):(?:\s+(.*))?$", line):
            name = pair[1].strip().lower()
            found[name] = _scalar(pair[2] or "")
    return {name: value for name, value in found.items() if value}, match[0].count("\n") + 1


def _scalar(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return (
            text[1:-1].replace('\\"', '"').replace("''", "'")
            if text[0] == "'"
            else text[1:-1].replace('\\"', '"')
        )
    if text.startswith("[") and text.endswith("]") and not text.startswith("[["):
        return "; ".join(_scalar(part) for part in text[1:-1].split(",") if part.strip())
    return re.sub(r"\s+#.*$", "", text)


def _cleaned(data: bytes, body_line: int) -> tuple[bytes, dict[int, _Line], dict[str, str]]:
    """Return the text without what programs wrote around it, what was taken off each line, and the page's own properties."""
    out: list[bytes] = []
    taken: dict[int, _Line] = {}
    page: dict[str, str] = {}
    owner, fenced, in_log, begun = 0, b"", False, False
    for number, raw in enumerate(re.split(rb"(?<=\n)", data), 1):
        line, end = raw.rstrip(b"\r\n"), raw[len(raw.rstrip(b"\r\n")) :]
        stripped = line.strip()
        fence = re.match(rb"(?:[-*+]\s+)?(```|~~~)", stripped)
        if fenced or fence:
            fenced = (
                (b"" if fence and fence[1] == fenced else fenced)
                if fenced
                else fence[1]
                if fence
                else b""
            )
            out.append(raw)
            continue
        if stripped in (b":LOGBOOK:", b":PROPERTIES:") or in_log:
            in_log = stripped != b":END:"
            out.append(end)
            continue
        if planned := _PLANNED.match(line):
            name = "scheduled" if planned[1] == b"SCHEDULED" else "due"
            taken.setdefault(owner, _Line()).dates[name] = planned[2].decode()
            out.append(end)
            continue
        prop = _PROPERTY.match(line)
        if prop and not (re.match(rb"\s*[-*+]\s", prop[1]) and begun):
            name, value = (
                prop[2].decode().lower(),
                (prop[3] or b"").decode("utf-8", "replace").strip(),
            )
            if not begun and number >= body_line:
                page[name] = re.sub(r"\[\[|\]\]", "", value)
            elif name not in _LOGSEQ_OWN and value:
                taken.setdefault(owner, _Line()).properties[name] = value
            # `url:: https://…` stays, so that its link is seen
            out.append(raw if begun and "://" in value else end)
            continue
        if stripped and number >= body_line:
            begun = True
        if re.match(rb"\s*(?:>\s*)*(?:[-*+]|\d+[.)])\s", line):
            owner = number
        line, found = _without_signs(line)
        if found:
            taken.setdefault(number, _Line())
            taken[number].state, taken[number].cancelled = found.state, found.cancelled
            taken[number].dates |= found.dates
        out.append(line + end)
    return b"".join(out), taken, page


def _without_signs(line: bytes) -> tuple[bytes, _Line | None]:
    found = _Line()
    changed = False
    if task := _TASK.match(line):
        found.state, changed = _TASK_STATES[task[2]], True
        found.cancelled = found.state is None
        box = _BOXES[found.state] if found.state else b""
        line = task[1] + box + (line[task.end() :] if box else line[task.end() :].lstrip())
    elif _CANCELLED.match(line):
        found.cancelled = changed = True
        line = re.sub(rb"\[-\]\s+", b"", line, count=1)
    if not line.isascii() or any(sign in line for sign in (b"::", b" ^", b"{{", b"((")):
        text = line.decode("utf-8", "surrogateescape")
        before = text

        def take(match: re.Match[str]) -> str:
            name = _EMOJI.get(match[1], match[1].lower())
            found.dates[
                {"completion": "done", "finished": "done", "read": "done"}.get(name, name)
            ] = match[2]
            return ""

        text = _MACRO.sub(lambda m: m[1] or "", text)
        text = _BLOCK_ID.sub("", _SIGNS.sub("", _FIELD.sub(take, _DATED.sub(take, text))))
        if text != before:
            line, changed = text.encode("utf-8", "surrogateescape"), True
    return line, found if changed else None


def _read(notes: list[_Note]) -> Reading:
    by_name: dict[str, _Note] = {}
    for note in notes:
        for name in (
            note.title,
            PurePosixPath(note.name).stem,
            note.name.rsplit(".", 1)[0],
            *note.properties.get("aliases", "").split(";"),
        ):
            if name.strip():
                by_name.setdefault(_called(name), note)
    for note in notes:
        yield from _of_note(note)
        yield from _entries(note, by_name)


def _called(name: str) -> str:
    return normalize("NFC", name).strip().casefold()


def _of_note(note: _Note) -> Iterator[SavedItem]:
    """Yield the note itself, where it says what it is about."""
    addresses = note.addresses
    if not addresses:
        return
    said = note.properties
    lines = note.data.decode("utf-8", "replace").splitlines()[_front_matter(note.data)[1] - 1 :]
    body = "\n".join(lines).strip()
    remark = _remark(body) if len(body) <= SHORT_NOTE else ""
    year = re.search(
        r"\b(?:1[5-9]|20)\d\d\b",
        said.get("year", "") or said.get("published", "") or said.get("publication-date", ""),
    )
    own = {
        *_ADDRESS_NAMES,
        "title",
        "authors",
        "author",
        "year",
        "tags",
        "tag",
        "aliases",
        "alias",
        "status",
        "state",
        "created",
        "date",
        "citekey",
    }
    yield SavedItem(
        source=SOURCE,
        url=addresses[0],
        title=one_line(note.title),
        note=remark,
        folder=note.folder,
        tags=split_cell(
            (said.get("tags", "") or said.get("tag", "")).replace("[[", "").replace("]]", "")
        ),
        saved_at=iso(said.get("created") or said.get("date") or said.get("date-created"))
        or note.day,
        native=f"{note.name}",
        links=tuple(SavedLink("same", url) for url in addresses[1:]),
        extra={
            name: value[:10_000]
            for name, value in said.items()
            if name not in own and value not in addresses
        }
        | ({"text": body[:100_000]} if body != remark else {}),
        place=f"{note.name}:1",
        authors=_people_of(said),
        year=int(year[0]) if year else None,
        venue=one_line(said.get("venue", "") or said.get("journal", "")),
        cite_key=one_line(said.get("citekey", "") or said.get("citation-key", ""), 200).lstrip("@"),
        state=state_of(said.get("status", "") or said.get("state", "")) or _flag(said.get("read")),
        read_at=iso(next((said[name] for name in _READ_ON if said.get(name)), None)),
    )


def _remark(body: str) -> str:
    """Return the words of a text that is nothing but paragraphs below one heading or none, one a line, with the addresses
    of its links; else nothing.

    More headings, lists, quotations and tables are a page of its own, not a remark about a paper.
    """
    document = Document(_INLINE.sub(r"\1 (\2)", body).encode("utf-8", "replace"))
    blocks = document.blocks
    if blocks and blocks[0].kind == "heading":
        blocks = blocks[1:]
    if any(block.kind != "paragraph" for block in blocks):
        return ""
    texts = [document.data[block.start : block.end] for block in blocks]
    return "\n".join(" ".join(plain_with_links(t, find_links(t, {})).split()) for t in texts)


def _flag(word: str | None) -> State | None:
    if word is None:
        return None
    return {"true": "read", "yes": "read", "false": "to read", "no": "to read"}.get(word.casefold())  # type: ignore[return-value]


def _entries(note: _Note, by_name: Mapping[str, _Note]) -> Reading:
    document = Document(note.data)
    entries = document.entries
    covered: list[tuple[int, int]] = []
    # an item that only stands above others is their folder: Logseq writes headings so
    parents = {entry.parent for entry in entries}
    groups = {
        index
        for index, entry in enumerate(entries)
        if (index in parents or _is_heading(entry)) and not _names_itself(entry)
    }
    for index, entry in enumerate(entries):
        covered.append(entry.span)
        if _is_row(entry, note.data):
            continue  # rows are read below, with the cells of all columns
        above: tuple[str, ...] = ()
        parent = entry.parent
        while parent is not None:
            above = (one_line(entries[parent].title, 300), *above) if parent in groups else above
            parent = entries[parent].parent
        if index in groups:
            yield from _below(entry, note, (*above, one_line(entry.title, 300)))
        else:
            yield _item(entry, note, by_name, above)
    for item in table_rows(document, note.name, SOURCE):
        if isinstance(item, SavedItem) and note.folder:
            item = replace(item, folder=(*note.folder, *item.folder))
        yield item
    if not note.addresses:  # what the note of a paper links in its text is about that paper
        yield from _paragraphs(note, covered)


def _names_itself(entry: Entry) -> bool:
    return any(link.mention is not None and link.line == entry.line for link in entry.links)


def _is_heading(entry: Entry) -> bool:
    own = re.sub(r"^\s*(?:[-*+]|\d+[.)])\s+", "", entry.text.split("\n", 1)[0])
    return own.startswith("#") or state_of(entry.title) is not None


def _folder(note: _Note, entry: Entry, above: tuple[str, ...]) -> tuple[str, ...]:
    sections = (words for text in entry.section if (words := one_line(text, 300)))
    return (*note.folder, *sections, *(words for words in above if words))


def _below(entry: Entry, note: _Note, above: tuple[str, ...]) -> Iterator[SavedItem]:
    """Yield what stands below an item that is only a heading, and is not an entry of its own: a talk, a page."""
    for link in entry.links:
        url, why = page_of(link.url)
        if link.mention is None or link.kind in ("image", "wiki") or why or "://" not in url:
            continue
        words = next((one.text for one in entry.notes if one.line == link.line), "")
        title = "" if link.kind in ("bare", "auto") else one_line(link.text, 500)
        taken = note.lines.get(link.line, _Line())
        yield SavedItem(
            source=SOURCE,
            url=url,
            title=title,
            note="" if words in (title, url) else words,
            folder=_folder(note, entry, above),
            saved_at=iso(taken.dates.get("created")) or note.day,
            place=f"{note.name}:{link.line}",
            state=None if taken.cancelled else taken.state or state_of(above[-1]),
            read_at=iso(taken.dates.get("done")),
        )


def _is_row(entry: Entry, data: bytes) -> bool:
    return entry.head is None and data[entry.span[0] : entry.span[1]].count(b"|") > 0


def _item(
    entry: Entry, note: _Note, by_name: Mapping[str, _Note], above: tuple[str, ...]
) -> SavedItem | Skipped:
    place = f"{note.name}:{entry.line}"
    taken = note.lines.get(entry.line, _Line())
    mentions = [
        link
        for link in entry.links
        if link.mention is not None and link.kind != "image" and not page_of(link.url)[1]
    ]
    key = entry.key
    main = next(
        (link for link in mentions if link.mention and link.mention.key == key),
        mentions[0] if mentions else None,
    )
    title = one_line(entry.title)
    links: list[SavedLink] = []
    if main is not None:
        url = page_of(main.url)[0]
        url = url if "://" in url else f"https://{url.lstrip('/')}"
    else:
        named = next(
            (other for word in _WIKI.findall(entry.text) if (other := by_name.get(_called(word)))),
            None,
        )
        if named is None or not named.addresses:
            return Skipped(
                place, f"no web address: {one_line(title or entry.text, 60) or '(empty)'}"
            )
        url, title = named.addresses[0], named.title  # its note says what it is
    for link in mentions:
        if link is not main and link.mention is not None and link.mention.key != key:
            links.append(SavedLink("row" if link.mention.key.names_paper else "below", link.url))
    state = taken.state or (None if taken.cancelled else entry.state)
    said = {name: re.sub(r"\[\[|\]\]", "", value) for name, value in taken.properties.items()}
    done = taken.dates.get("done") or next(
        (said[name] for name in _READ_ON if said.get(name)), None
    )
    tags = [
        tag
        for tag in (
            *entry.tags,
            *split_cell(re.sub(r"[\[\]#]", "", taken.properties.get("tags", ""))),
        )
        if tag
    ]
    extra = {name: date for name, date in taken.dates.items() if name not in ("done", "created")}
    extra |= {
        name: value
        for name, value in taken.properties.items()
        if name not in ("tags", "status", "state", "author", "authors", "year") and value != url
    }
    year = re.fullmatch(r"(?:1[5-9]|20)\d\d", said.get("year", "").strip())
    if taken.cancelled:
        extra["task"] = "cancelled"
    return SavedItem(
        source=SOURCE,
        url=url,
        title="" if title == url else title,
        note="\n".join(
            f"{'  ' * max(0, one.depth - 1)}{one.text}" for one in entry.notes if one.text
        ),
        folder=_folder(note, entry, above),
        tags=tuple(dict.fromkeys(tags)),
        saved_at=iso(taken.dates.get("created")) or note.day,
        links=tuple(dict.fromkeys(links)),
        extra=extra,
        place=place,
        authors=entry.authors or _people_of(said),
        year=entry.year or (int(year[0]) if year else None),
        state=state
        or state_of(above[-1] if above else "")
        or state_of(taken.properties.get("status", "") or taken.properties.get("state", "")),
        read_at=iso(done),
    )


def _people_of(said: Mapping[str, str]) -> tuple[str, ...]:
    authors = said.get("authors", "") or said.get("author", "")
    parts = re.split(r";" if ";" in authors else r",| and ", authors)
    return tuple(name for part in parts if (name := one_line(part).strip("[] ")))


def _paragraphs(note: _Note, covered: list[tuple[int, int]]) -> Iterator[SavedItem]:
    """Yield the addresses that stand outside of every list: each with the line that it stands in."""
    at, fenced = 0, False
    section: tuple[str, ...] = ()
    first = _front_matter(note.data)[1]
    seen: set[str] = set()
    for number, line in enumerate(re.split(rb"(?<=\n)", note.data), 1):
        start, at = at, at + len(line)
        if line.lstrip().startswith((b"```", b"~~~")):
            fenced = not fenced
        if (
            fenced
            or number < first
            or not re.search(rb"://|arxiv:|doi:|\[", line)
            or any(a < at and start < b for a, b in covered)
        ):
            if heading := re.match(rb" {0,3}#{1,6}\s+(.+?)[\s#]*$", line):
                section = (one_line(heading[1].decode("utf-8", "replace"), 300),)
            continue
        pieces = [
            piece for piece in find_links(line.rstrip(), {}) if piece.kind not in ("image", "wiki")
        ]
        for piece in pieces:
            url, why = page_of(piece.url)
            if why or "://" not in url or find_mention(url) is None or url in seen:
                continue
            seen.add(url)
            text = line[slice(*piece.text)].decode("utf-8", "replace")
            words = one_line(plain_with_links(line.rstrip(), pieces), 2000)
            title = "" if piece.kind in ("bare", "auto") else one_line(text, 500)
            yield SavedItem(
                source=SOURCE,
                url=url,
                title=title,
                note="" if words in (title, url) else words,
                folder=(*note.folder, *section),
                saved_at=note.day,
                place=f"{note.name}:{number}",
            )
