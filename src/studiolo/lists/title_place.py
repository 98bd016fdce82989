"""Which part of a head holds the title, and where in that part it stands.

A head names its work in a few ways, and each way is a function here: what stands behind a short name, the text of a link, a
quotation, words in bold or italics, or the first words that are neither a label nor people nor when it appeared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .authors import names_people, only_people, people_before, split_authors
from .citations import LOWER_WORD, cite, is_cite_key, is_title_of, quoted_title, without_stop
from .dates import PUBLISHED, year_said
from .heads import Part
from .labels import is_label
from .leads import NUMBER, unbracketed
from .places import ends_published, only_cites, without_when


Parts = Sequence[Part]
_Way = Callable[[Parts, list[int]], int | None]

_BY_SOMEBODY = re.compile(r"by (?:[A-Z][\w.'’-]* ){1,3}[A-Z]|by [A-Z][\w'’-]+ et al")
_JOURNAL = re.compile(r"(?:Proceedings|Proc\.|Journal|Transactions|Annals) ")
_REMARK = re.compile(r"(?:This|We|It|They|The authors|A paper|Our|See|Also|Used|Uses)\b")


def title_part(parts: Parts) -> int | None:
    """Return which part holds the title."""
    worded = _candidates(parts)
    return next((at for way in _WAYS if (at := way(parts, worded)) is not None), None)


def title_in(part: Part) -> tuple[str, str, str]:
    """Return the title in a part, and the words before and behind it."""
    quoted = quoted_title(part.text) if not part.is_link else None
    if quoted is None:
        return cite(part.text)
    title = without_stop(quoted[1].rstrip(" .,;"))
    return title, part.text[: quoted.start()], part.text[quoted.end() :]


def is_lead(part: Part) -> bool:
    """Whether a part may stand before a title: a year, a short name, a number, a label."""
    if part.is_link:
        return part.text == "" or is_label(part.text)
    return (
        not part.text
        or part.lead == "["
        or year_said(part.text) is not None
        or is_name(part.text)
        or only_people(part.text)
    )


def is_name(text: str) -> bool:
    """Whether `text` may be the name of a work: a few words that end no sentence."""
    return len(text) <= 60 and len(text.split()) <= 6 and not text.endswith((".", "?", "!"))


def is_short(text: str, words: int = 4) -> bool:
    """Whether `text` may be a short name, of at most so many words."""
    return is_name(text) and len(text.split()) <= words and (text.isascii() or len(text) <= 12)


def _candidates(parts: Parts) -> list[int]:
    """Return which parts may hold the title: those with words of their own, or what comes closest."""
    worded = _worded([part if not part.role else Part("") for part in parts])
    if all(parts[i].lead == "[" or parts[i].aside for i in worded):
        worded = _worded(parts)  # what remains stands beside a title
    worded = worded or [  # Its Title, IEEE Access, 2020
        i for i, part in enumerate(parts) if not part.is_link and len(part.text.split()) > 4
    ]
    people = [i for i in worded if only_people(parts[i].text)]
    if people and any(
        i not in people and " " in parts[i].text and not people_before(parts[i].text)
        for i in worded
    ):
        worded = [i for i in worded if i not in people]
    cited = [
        i
        for i in worded
        if parts[i].is_link and (only_cites(parts[i].text) or is_cite_key(parts[i].text, None))
    ]
    if any(i not in cited and " " in parts[i].text for i in worded):
        worded = [i for i in worded if i not in cited]  # Its Title. [Someone and Other (2004)](…)
    return worded


def _worded(parts: Parts) -> list[int]:
    """Return which parts say more than a label or when."""
    worded: list[int] = []
    long = False  # a title may have been read
    for i, part in enumerate(parts):
        aside = part.aside or part.lead == "[" or (part.is_link and long)
        says = not is_label(part.text) and not year_said(part.text, aside=aside)
        if part.text and (says or (not worded and _has_author(parts, i))):
            worded.append(i)
            long = long or len(part.text.split()) > 3
    return worded


def _has_author(parts: Parts, i: int) -> bool:
    """Whether several words in bold are called somebody's work, so that no label stands there: `**Open Data** by Ada Some`."""
    titled = parts[i].bold and not parts[i].is_link and " " in parts[i].text
    return titled and i + 1 < len(parts) and _BY_SOMEBODY.match(parts[i + 1].text) is not None


def _is_by(parts: Parts, i: int) -> bool:
    """Whether a link names the people of what stands before it: … by [Someone](…)."""
    return i > 0 and re.search(r"\bby$", parts[i - 1].text) is not None


def _texts(parts: Parts, worded: list[int]) -> list[int]:
    """Return which parts are words of the head itself, and no link, number or remark in brackets."""
    return [
        i
        for i in worded
        if not (parts[i].is_link or parts[i].lead == "[" or NUMBER.fullmatch(parts[i].text))
    ]


# --- the ways, in the order in which they are tried


def _behind_linked_name(parts: Parts, worded: list[int]) -> int | None:
    """`[Net](…) - Net: Its Title`, or its title in brackets or on a line of its own."""
    for i in worded[:3]:
        if (parts[i].is_link or parts[i].bold) and is_short(parts[i].text):
            for j in worded:
                if j > i and (
                    _is_whole(parts[i].text, parts[j]) or _in_brackets(parts[i], parts[j])
                ):
                    return j
    return None


def _linked(parts: Parts, worded: list[int]) -> int | None:
    """`[Its Title](…)` of a paper, or at the beginning; what is quoted behind a short one; `**Net** ([Its Long Title](…))`."""
    opening = None
    for i in worded:
        part = parts[i]
        if part.is_link and not part.aside and not _is_by(parts, i):
            if part.is_paper and not (part.runs_on and opening is not None):
                return i
            if opening is None and not part.runs_on and all(map(is_lead, parts[:i])):
                opening = i
    if opening is None or is_short(parts[opening].text, 2):
        asides = (i for i in worded if parts[i].aside and parts[i].is_paper)
        aside = next((i for i in asides if len(parts[i].text.split()) > 3), None)
        if opening is None or (aside is not None and aside > opening):
            return aside
    quoted = _quoted(parts, worded)
    named = quoted is not None and quoted > opening and is_short(parts[opening].text)
    return quoted if named else opening


def _quoted(parts: Parts, worded: list[int]) -> int | None:
    """`Someone, "Its Title"`."""
    return next((i for i in worded if not parts[i].is_link and quoted_title(parts[i].text)), None)


def _bold(parts: Parts, worded: list[int]) -> int | None:
    """`**Its Title**`, or what stands behind `**Net**`."""
    plain = _texts(parts, worded)
    linked = next((i for i, part in enumerate(parts) if part.is_link), len(parts))
    i = next((i for i in plain if parts[i].bold), None)
    if i is None or i > linked > plain[0]:  # A Title [pdf](…) **What it says**: …
        return None
    behind = next((j for j in plain if j > i and not (parts[j].italic or _is_tag(parts[j]))), None)
    named = (
        behind is not None
        and not parts[behind].text.startswith("by ")
        and is_name(parts[i].text)
        and not _only_remarks(parts, i, behind)
        and (not parts[behind].lead or _names_next(parts[i], parts[behind]))
        and (
            _begins_title(parts[behind].text, parts[i].text)
            or (is_short(parts[i].text) and _is_citation(parts[behind].text))
        )
    )
    return behind if named else i


def _italic(parts: Parts, worded: list[int]) -> int | None:
    """`Someone and Other *Its Title*`, `Net *Its Longer Title*`."""
    for i in _texts(parts, worded):
        if (
            parts[i].italic
            and not _JOURNAL.match(parts[i].text)
            and (before := " ".join(part.text for part in parts[:i]))
        ):
            long = len(parts[i].text.split()) > 3
            if (long and is_short(before, 6)) or names_people(before):
                return i
    return None


def _first(parts: Parts, worded: list[int]) -> int | None:
    """`Its Title`, or what stands behind `Net - ` and `Topic - `."""
    plain = _texts(parts, worded)
    if len(plain) > 1 and is_short(parts[plain[0]].text):
        name, behind = parts[plain[0]], parts[plain[1]]
        begins = behind.lead and not behind.italic and _begins_title(behind.text, name.text)
        if begins or _is_citation(behind.text):  # Topic - Someone and Other, Title
            return plain[1]
    return plain[0] if plain else None


def _any(parts: Parts, worded: list[int]) -> int | None:
    """What remains, unless that is only numbers."""
    if any(parts[i].is_link or not NUMBER.fullmatch(parts[i].text) for i in worded):
        return next((i for i in worded if not _is_by(parts, i)), None)
    return None


_WAYS: tuple[_Way, ...] = (_behind_linked_name, _linked, _quoted, _bold, _italic, _first, _any)


# --- what stands behind a name: the title, or a remark


def _is_tag(part: Part) -> bool:
    return part.code and not part.lead


def _is_whole(name: str, part: Part) -> bool:
    """Whether a part behind a short link is the title: it begins with the same name, or stands on a line of its own."""
    if part.text.startswith(f"{name}: "):
        return True
    named = f" {name}: " in part.text and not part.is_link
    if named and cite(part.text)[0].startswith(f"{name}: "):
        return True  # [Net](…): Someone and Other. Net: Its Title. ICML 2019
    own_line = part.lead == "\0" and not (part.is_link or part.italic)
    return (
        own_line
        and len(part.text.split()) > 3
        and part.text[-1] not in ".:"
        and not (names_people(part.text) or year_said(part.text, aside=True))
    )


def _in_brackets(name: Part, part: Part) -> bool:
    """Whether the title stands in brackets behind a linked name: `[Net](…) (Its Longer Title)`."""
    inner = unbracketed(part.text)
    bracketed = inner != part.text and not part.is_link
    return bracketed and name.is_paper and is_title_of(name.text, inner)


def _only_remarks(parts: Parts, bold: int, behind: int) -> bool:
    """Whether words stand behind all links of the bold ones, and so only speak of that work."""
    between = any(part.is_link for part in parts[bold:behind])
    return between and not any(part.is_link for part in parts[behind:])


def _names_next(part: Part, behind: Part) -> bool:
    """Whether `**Name** - Its Title` or `**Name**: Its Title.` is written, not `**Title** - a remark.`"""
    text = behind.text.lstrip(": ")
    stopped = text.endswith(".") and not (
        behind.lead == ":"
        and len(text.split()) > 2
        and (ends_published(text) or not LOWER_WORD.search(text))
    )
    return is_short(part.text, 2) and not stopped and len(text.split()) <= 18


def _is_citation(text: str) -> bool:
    """Whether words behind a short name are people and a title: `**Net**: Ada Some, Bo Other. Its Title`."""
    title, before, _ = cite(text)
    return " " in title and bool(people_before(before))


def _begins_title(text: str, name: str) -> bool:
    """Whether words behind a name are the title, not a remark about it or its authors."""
    if text[0] in ".,;)":  # **Name**. Its Title, not **Title**. Journal of …
        text = text.lstrip(".,;) ")
        if not is_short(name, 2) or not text or PUBLISHED.search(text) or text.startswith("In "):
            return False
    return (
        len(text) > len(name)
        and " " in text
        and not text[0].islower()
        and not split_authors(text)
        and not people_before(without_when(text)[0])
        and not _REMARK.match(text)
    )
