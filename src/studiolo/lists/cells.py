"""What the cells of a row call its work."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .authors import people_before, split_authors
from .citations import cite
from .columns import Role
from .dates import is_venue, year_in_cell, year_said
from .labels import is_label
from .leads import without_leads
from .places import whose_and_when
from .texts import Text
from .titles import Naming, read_naming, year_in


_SHORT_DATE = re.compile(r"\s*\d\d[/.-]\d\d[/.-]\d\d\s*")
_BOLD = re.compile(rb"\*\*|__|<b")
_NAME_AND_WHOSE = re.compile(r"(.+?)\s*\(([^()]+)\)")  # SwimNet (Someone et al., 2018)
_NOT_KNOWN = re.compile(r"(?:authors?\b|tb[ad]\b|n/?a\b|unknown\b|various\b|\W*$)", re.IGNORECASE)


def words_of(cells: list[Text], roles: Mapping[Role, int], *alike: Role) -> str:
    """Return the words in the first of the columns `alike` that the table has."""
    i = next((roles[role] for role in alike if role in roles), len(cells))
    return cells[i].words() if i < len(cells) else ""


def with_titles(rows: Sequence[Sequence[Text]], roles: dict[Role, int]) -> dict[Role, int]:
    """Return the columns of a table whose papers are linked by where they appeared, `[ICML 2020](…)`, with the names as titles."""
    if "name" not in roles or "title" not in roles:
        return roles
    at = roles["title"]
    said = [cells[at].words() for cells in rows if at < len(cells) and cells[at].pieces]
    only_where = sum(
        is_label(text) or is_venue(text) or bool(year_said(text, aside=True)) for text in said
    )
    if only_where * 2 <= len(said):
        return roles
    titled: dict[Role, int] = {role: i for role, i in roles.items() if role != "name"}
    return {**titled, "title": roles["name"]}


def name_row(cells: list[Text], roles: Mapping[Role, int], *, cites: bool) -> tuple[Naming, int]:
    """Return what a row calls its work, and which cell its title is in.

    Args:
        roles: the columns by what they say.
        cites: the row links a paper.
    """
    at = _title_cell(cells, roles)
    titled = at == roles.get("title")
    naming = _cell_naming(cells[at], cites=cites or titled, titled=titled)
    if not naming.title:
        named = (read_naming(c.run.data, c.pieces, cites=cites) for c in cells)
        naming = next((n for n in named if n.title), naming)
    dates = [words_of(cells, roles, role) for role in ("year", "date", "venue")]
    dates.sort(
        key=lambda text: _SHORT_DATE.fullmatch(text) is not None
    )  # not sure which is the year
    if cites:  # a column by another name
        taken = {at, *(i for role, i in roles.items() if role != "title")}
        others = (cell.words() for i, cell in enumerate(cells) if i not in taken)
        tagged = [
            tag
            for text in (*others, words_of(cells, roles, "tags"))
            for tag in text[:60].split(", ")
        ]
        dates += [text for text in tagged if year_said(text, aside=True)]
    name = naming.name or words_of(cells, roles, "name").strip("- ")
    name = "" if _NOT_KNOWN.match(name) else name
    people = words_of(cells, roles, "authors")
    if whose := _NAME_AND_WHOSE.fullmatch(name):
        said_whose = whose[2].replace("al.", "al. ")  # et al.2018
        if whose_and_when(said_whose):
            name, people = whose[1], people or said_whose
    if dated := whose_and_when(people):  # Someone et al. 2017
        dates.append(str(dated[1]))
    people = "" if _NOT_KNOWN.match(people) else people
    said = Naming(
        naming.title,
        name if name and name.casefold() != naming.title.casefold() else None,
        split_authors(people) or (dated[0] if dated else (people,) if people else naming.authors),
        next((year for text in dates if (year := year_in_cell(text))), naming.year),
    )
    return said, at


def _title_cell(cells: list[Text], roles: Mapping[Role, int]) -> int:
    if (at := roles.get("title", len(cells))) < len(cells) and cells[at].run.data:
        naming = read_naming(cells[at].run.data, cells[at].pieces)
        said = is_label(naming.title) or is_venue(naming.title)
        if naming.title and not said and not cells[at].only_links():
            return at
    shown = [_shown_link(cell, papers=True) for cell in cells]
    if True in shown:
        return shown.index(True)
    if (at := roles.get("name", len(cells))) < len(cells) and cells[at].words():
        return at
    plain = not cells[0].pieces and 0 not in roles.values()
    if plain and re.search(r"[^\W\d_]{2}", cells[0].words()):
        return 0
    shown = [_shown_link(cell, papers=False) for cell in cells]
    if True in shown:
        return shown.index(True)
    taken = {i for role, i in roles.items() if role != "title"}
    filled = [i for i, cell in enumerate(cells) if cell.run.data]
    worded = [i for i in filled if i not in taken and re.search(r"[^\W\d_]{2}", cells[i].words())]
    return (worded or filled)[0]


def _cell_naming(cell: Text, *, cites: bool, titled: bool) -> Naming:
    """Return what a cell calls its work; plain words in a column of titles are the title, dashes and all."""
    data = cell.run.data
    if not titled or cell.pieces or data.lstrip()[:1] in (b"*", b"_") or _BOLD.search(data):
        return read_naming(data, cell.pieces, cites=cites)
    title, before, behind = cite(without_leads(cell.words()))
    year = year_in(f"{before} - {behind}")
    return Naming(title, people=people_before(before) or split_authors(behind), year=year)


def _shown_link(cell: Text, *, papers: bool) -> bool:
    """Whether a cell has a link, to a paper if need be, whose text says more than a label."""
    for piece in cell.pieces:
        words = cell.run.data[slice(*piece.text)].decode("utf-8", "replace")
        says = re.search(r"[^\W\d_]", words) and not (is_label(words) or is_venue(words))
        said = year_said(words, aside=True) and not people_before(words)
        if piece.kind not in ("image", "bare", "auto") and says and not said:
            mention = piece.mention
            if not papers or (mention and mention.key.names_paper):
                return True
    return False
