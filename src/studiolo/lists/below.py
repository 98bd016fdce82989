"""What a text below a title says of the work: its people, year or link, or its title."""

from __future__ import annotations

import re

from .authors import has_initials, names_one, names_people, people_listed, split_authors
from .citations import cite
from .dates import year_said
from .drafts import Draft
from .fields import FIELD, TITLED
from .labels import is_label
from .leads import without_leads
from .paragraphs import LABELLED, says_when, says_where, whose
from .texts import Text
from .titles import Naming, read_naming, year_in


_BY = re.compile(r"[Bb]y\s+(?=[^\W\da-z_])")
_ITALIC = re.compile(rb"([*_])[^*_]+\1\.?")
_QUOTED_BOLD = re.compile(rb"(\*\*|__)[\"\xe2][^*]{8,300}\1[,.]")  # **"Its Title"**, ICML, 2019
_MAYBE_PEOPLE = re.compile(r"[\[(]?[^\W\da-z_][^\s,]*(?: [^\s,]+){0,4}(?:,| and | & | et al)")
# what parts of a page about one work are called
_PARTS = frozenset(
    [
        "introduction",
        "intro",
        "abstract",
        "summary",
        "overview",
        "problem",
        "statement",
        "motivation",
        "background",
        "related",
        "work",
        "info",
        "information",
        "details",
        "metadata",
        "reference",
        "references",
        "resources",
        "materials",
        "reading",
        "review",
        "tl;dr",
        "tldr",
        "简介",
        "介绍",
        "摘要",
        "概述",
        "背景",
        "引言",
        "前言",
        "资料",
        "资源",
        "论文",
        "相关资料",
    ]
)


def is_field(words: str) -> bool:
    """Whether a line says one thing of a work by name: `Authors: Some, Other`."""
    return FIELD.fullmatch(without_leads(words)) is not None


def names_below(text: Text, words: str, depth: int, draft: Draft) -> bool:
    """Take what a text below a head says of the work, and return whether it says nothing else and so is not a note."""
    if depth <= 1 and draft.head is None and (match := TITLED.match(words)):
        draft.said = draft.said._replace(title=words[match.end() :])
        return True
    if match := FIELD.fullmatch(without_leads(words)):
        said = draft.said
        authors, year = said.authors, re.search(r"(?<!\d)(?:19|20)\d\d(?!\d)", match[2])
        if re.search(r"author|^by$|作者", match[1].lower()):
            authors = authors or split_authors(re.split("[;；]", match[2])[0], surely=True)
        draft.said = Naming(
            said.title, said.name, authors, said.year or (int(year[0]) if year else None)
        )
    elif depth <= 1 and not draft.said.authors and (theirs := whose(text)):
        draft.said = draft.said._replace(people=theirs.people, year=draft.said.year or theirs.year)
    elif (
        _MAYBE_PEOPLE.match(words)
        and not draft.said.authors
        and (people := people_listed(_listing(text).lstrip("[(")))
    ):
        draft.said = draft.said._replace(people=people, year=draft.said.year or year_in(words))
        return True
    elif depth <= 1 and not draft.said.authors and (one := _one_below(text, words, draft)):
        draft.said = draft.said._replace(people=(one,))
        return True
    elif draft.said.year is None and depth <= 1 and (stated := year_said(words)):
        draft.said = draft.said._replace(year=stated)
    elif depth <= 1 and _cited_below(text, words, draft):
        return True
    return False


def _listing(text: Text) -> str:
    """Return the words of a line that may list people: with those of its links where each leads to somebody."""
    linked = text.shown()
    return text.words() if linked and all(map(names_one, linked)) else text.words_alone()


def _one_below(text: Text, words: str, draft: Draft) -> str | None:
    """Return the one person that a line names: by initials, `by`, or italics where others of its list stand in italics."""
    if text.pieces or not 1 < len(words.split()) < 7:
        return None
    by = _BY.match(words)
    name = words[by.end() if by else 0 :].rstrip(".")
    italic = (
        _ITALIC.fullmatch(text.run.data) and draft.habits is not None and draft.habits.italic_people
    )
    return name if has_initials(name) or ((by or italic) and names_one(name)) else None


def _cited_below(text: Text, words: str, draft: Draft) -> bool:
    """Read a citation below a head that only says whose work it is: `DeepMind [[Paper](…)]`."""
    head = draft.head
    if head is not None and not (head.pieces or draft.notes or draft.said.title):
        name = head.words()
        named = len(name.split()) <= 3
        quoted = _QUOTED_BOLD.match(text.run.data) is not None
        title, _, behind = cite(words) if named or quoted else ("", "", "")
        if len(title.split()) >= 3 and (year := year_in(behind)):
            draft.said = Naming(title, name if named else None, draft.said.authors, year)
            return True
        people = head.words()
        if people.endswith(":") and names_people(people[:-1]):
            title, _, behind = cite(words)
            draft.said = Naming(title, None, split_authors(people[:-1]), year_in(behind))
            return True
    if (
        draft.said.title
        or not _MAYBE_PEOPLE.match(words)
        or head is None
        or not head.pieces
        or len(head.words().split()) > 12
        or any(not is_label(shown) for shown in head.shown())
    ):
        return False
    cited = read_naming(text.run.data, text.pieces, cites=True)
    if len(cited.authors) < 2 or len(cited.title.split()) < 3 or cited.title == words:
        return False
    draft.said = cited
    return True


def belongs_to_parent(head: Text | None, crowd: int) -> bool:
    """Whether an item that links a paper only gives the item around it its link.

    `[pdf](…)` names nothing; a bare address does not either, unless others stand beside it; nor do people and a venue.
    """
    if head is None:
        return False
    if head.only_links():
        return crowd == 1 or all(piece.kind not in ("bare", "auto") for piece in head.pieces)
    field = LABELLED.match(head.words())
    if field is not None and (is_label(field[0]) or says_where(head)):
        return True
    return says_when(head) or whose(head) is not None


def is_part(heading: str) -> bool:
    """Whether a heading is not a work's title but a part's: Introduction, Links."""
    return is_label(heading) or all(
        word in _PARTS for word in heading.casefold().rstrip(":：").split()
    )
