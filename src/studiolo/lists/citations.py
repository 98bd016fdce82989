"""Where in running words a title lies: `"Title" - 2019 - Someone`, `Someone (2019). Title. Venue`, `Title (2019), A. B et al.`"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .authors import names_one, names_people, people_before, split_authors
from .dates import is_venue, year_said
from .heads import is_label


# (title, what stands before it, what stands behind it)
Cited = tuple[str, str, str]

_LONGEST = 2000  # characters in which something is looked for
QUOTED = re.compile(r"[\"“„«‘《「]([^\"“”„«»《》「」\x00]{3,400})[\"”»’》」]")
_WORDS_ALONE = re.compile(r"[^\W\d](?:[\w' -]*\w)?")
_ENDS = re.compile(r"\s*(?:$|[-–—|,.(\[])")
_DASH = re.compile(r"\s[-–—|](?:\s|$)")
_LEAD = re.compile(
    r"[\[(（【{]([^\[\]()（）【】{}]{1,60})[\])）】}]\s*[:：.,-]?\s*|([A-Z][\w'’&/-]*(?:\s[\w'’&/-]+){0,4}|(?:19|20)\d\d[\w./-]*)\s?[:：]\s+"
    r"|((?:19|20)\d\d(?:[./-]\d\d?){0,2})[:.,]?\s+"
)
_PARENS_AT_END = re.compile(r"\s*[(\[（【]([^()\[\]（）【】]{1,120})[)\]）】]$")
_STOP = re.compile(
    r"[.?!](?:(?<=[^\W_]{2}[.?!])|(?<=[)\]\"”'’][.?!]))\s+(?=[^\W\da-z_]|\d{4}|\(|[Ii]n )"
)
_BY = re.compile(r"(?<![\s,(])[\s,(]+by (?=[A-Z])")
_COMMA = re.compile(r",\s+")
_YEAR_PARENS = re.compile(r"[,.]?\s*\(((?:19|20)\d\d)[^()]{0,40}\)\s*[.,:;]?\s+(?=\S)")
_OPENING = re.compile(r"[.:,]\s+(?=[A-Z\d“\"])")
_YEAR_AT_END = re.compile(r"[\s,(]*(?:19|20)\d\d[a-z]?\)?[.,:]?\s*$")
_KIND = re.compile(r"\[[A-Z](?:/OL)?\]\.?$")  # of GB/T 7714: [J], [C]
_KEPT_STOP = re.compile(r"[^\W\d_]{2}\.$")


def cite(text: str) -> Cited:
    """Return the title in `text`, with the words before and behind it."""
    text = text.strip()
    if _WORDS_ALONE.fullmatch(text) and " - " not in text and " by " not in text:
        return text, "", ""  # no punctuation, and so nothing that any style below looks for
    before = ""
    while (lead := _LEAD.match(text)) and lead.end() < len(text):
        inside = next(group for group in lead.groups() if group)
        if not year_said(inside, aside=lead[1] is not None) and not (lead[1] and is_venue(inside)):
            break
        before, text = (
            f"{before} - {inside}" if before else inside,
            text[lead.end() :].lstrip("-–—: "),
        )
    found = _quoted(text)
    if found is None:
        text, said = _whole(text)
        found = next((cited for style in _STYLES if (cited := style(text))), (text, "", ""))
        found = (*found[:2], f"{said} - {found[2]}" if said else found[2])
    title, lead_words, behind = found
    return without_stop(title), " - ".join(filter(None, (before, lead_words))), behind


def without_stop(title: str) -> str:
    """Return `title` without the punctuation that sets it off from what follows."""
    title = _KIND.sub("", title.strip()).rstrip(" ,:：，")
    if title.endswith("。"):
        return title[:-1]
    if not title.endswith(".") or title.endswith("etc."):
        return title
    return title[:-1] if _KEPT_STOP.search(title[-3:]) else title


def _quoted(text: str) -> Cited | None:
    """`"Title" - 2019 - Someone`; `Someone, "Title." Venue`."""
    if quoted := QUOTED.search(text):
        lead = text[: quoted.start()]
        if (not lead and _ENDS.match(text, quoted.end())) or people_before(lead):
            return quoted[1].strip().rstrip(".,;"), lead, text[quoted.end() :]
    return None


def _dashed(text: str) -> Cited | None:
    """`Title - 2019 - Someone`."""
    dashes = list(_DASH.finditer(text[: 2 * _LONGEST]))
    ends = [*(dash.start() for dash in dashes[1:]), len(text)]
    for dash, end in zip(dashes, ends, strict=False):
        piece = text[dash.end() : end].strip()
        listed = "," in piece or len(dashes) > 1
        if piece and (year_said(piece) or (listed and split_authors(piece))):
            return text[: dash.start()], "", text[dash.end() :]
    if dashes and dashes[-1].end() == len(text):
        return text[: dashes[-1].start()], "", ""
    return None


def _people_first(text: str) -> Cited | None:
    """`Someone, A. (2019). Title. Venue`; `A. Someone and B. Other. Title. Venue, 2019`; `Someone et al.: Title`."""
    if (year := _YEAR_PARENS.search(text, 0, 600)) and split_authors(text[: year.start()]):
        return _sentence(text, year.end(), text[: year.end()])
    if found := _people_by_commas(text):
        return found
    for opening in _some(_OPENING.finditer(text[:_LONGEST]), 40):
        people = text[: opening.start()]
        rest = text[opening.end() :]
        if opening[0][0] == "," and not people.rstrip(".").endswith("et al"):
            continue
        if opening[0][0] == ":" and "," not in people and " et al" not in people:
            continue  # One and Two: a Title
        if names_people(people) and not _more_people(rest):
            if (end := _COMMA.search(rest)) and year_said(rest[: end.start()]):
                return _sentence(text, opening.end() + end.end(), text[: opening.end() + end.end()])
            return _sentence(text, opening.end(), people)
    return None


def _people_by_commas(text: str) -> Cited | None:
    """`Ada Some, Bo Other, and Cy Third, Title, Venue 2019`."""
    at = people = 0
    for comma in _some(_COMMA.finditer(text[:_LONGEST]), 60):
        names = text[at : comma.start()].removeprefix("and ").split(" and ")
        if not all(map(names_one, names)):
            break
        people, at = people + len(names), comma.end()
    stop = _OPENING.search(text, at, at + 60)
    names = text[at : stop.start()].removeprefix("and ").split(" and ") if stop else []
    if (
        stop and stop[0][0] == "." and all(map(names_one, names))
    ):  # the last of them, or the only one
        people, at = people + len(names), stop.end()
    elif people < 1 or split_authors(text[at:]):
        return None
    if (
        people == 1
        and not ("." in text[:at] and len(text) - at > 20)
        and not _ends_published(text[at:])
    ):
        return None
    return _sentence(text, at, text[:at])


def _ends_published(text: str) -> bool:
    """Whether a sentence is followed by one that only says where and when."""
    ends = (*_some(_STOP.finditer(text), 10), *_some(_COMMA.finditer(text), 10))
    return any(_published(text[end.end() :]) for end in ends)


def _more_people(rest: str) -> bool:
    """Whether a list of people goes on in `rest`, so that what ended was an initial."""
    piece = re.split(r"[,.:]\s|\sand\s|\s&\s", rest[:200], maxsplit=1)[0]
    return (
        len(piece.split()) < 4
        and len(piece) < len(rest)
        and bool(split_authors(f"{piece.strip(' ,.&')} et al."))
    )


def _sentence(text: str, at: int, before: str) -> Cited:
    """Return the title that begins at `at`, behind the people of a citation."""
    if quoted := QUOTED.match(text, at):
        return quoted[1].rstrip(" .,"), before, text[quoted.end() :]
    stops = (s for s in _STOP.finditer(text, at, at + _LONGEST) if s.start() > at + 8)
    stop = next((s for s in stops if text[s.start()] == "." or _published(text[s.end() :])), None)
    cut = stop.start() if stop else len(text)
    title, behind = text[at : cut + (text[cut : cut + 1] in ("?", "!"))], text[cut + 1 :]
    for comma in _COMMA.finditer(title):  # Title, Venue 2019
        if _published(title[comma.end() :]):
            return title[: comma.start()], before, f"{title[comma.end() :]} - {behind}"
    title, said = _whole(title)
    return title, before, f"{said} - {behind}" if said else behind


def _people_behind(text: str) -> Cited | None:
    """`Title (2019), A. Someone et al.`; `Title. Someone, Other. Venue`; `Title, A. Someone and B. Other, 2019`; `Title by Someone`."""
    for year in re.finditer(r"\s*\(([^()]{1,80})\)[,.:;]?\s+", text[:_LONGEST]):
        behind = text[year.end() :]
        if (
            year.start() > 4
            and year_said(year[1], aside=True)
            and (split_authors(behind) or names_people(_first(behind)))
        ):
            return text[: year.start()], "", year[1] + " - " + behind
    for stop in _some(_STOP.finditer(text[:_LONGEST]), 40):
        if (
            stop.start() > 4
            and text[stop.end()] not in ":-"
            and (names_people(_first(text[stop.end() :])) or _published(text[stop.end() :]))
        ):
            cut = stop.start() + (text[stop.start()] != ".")
            return (*_whole(text[:cut]), text[stop.end() :])
    if by := _BY.search(text[:_LONGEST], 3):
        named = split_authors(_first(text[by.end() :].rstrip(")")))
        if len(named) > 1 and all(map(names_one, named)):  # not … by Deleting Rows
            return text[: by.start()], "", text[by.end() :].rstrip(")")
    for comma in _some(_COMMA.finditer(text[:_LONGEST]), 12):
        behind = text[comma.end() :]
        if comma.start() > 8 and (
            _published(behind)
            or (names_people(_YEAR_AT_END.sub("", behind)) and " " in _COMMA.split(behind)[0])
        ):
            return text[: comma.start()], "", behind
    return None


def _whole(text: str) -> tuple[str, str]:
    """Return a title without the years, venues and people that stand in brackets behind it, and these."""
    behind: list[str] = []
    text = text.rstrip()
    while text[-1:] in (")", "]", "）", "】") and (
        end := _PARENS_AT_END.search(text, max(0, len(text) - 160))
    ):
        inside = end[1].strip()
        known = (
            inside[:1] == "@"
            or is_label(inside)
            or year_said(inside, aside=True)
            or year_said(inside.split(",")[0], aside=True)
            or (text[-1] == "]" and len(inside) <= 40 and text[: end.start()].count(" ") > 1)
            or is_venue(inside)
            or _people_and_year(inside)
        )
        if end.start() < 3 or not known:
            break
        behind.insert(0, inside)
        text = text[: end.start()]
    return text, " - ".join(behind)


def _first(text: str) -> str:
    """Return the words up to what ends a list of people: a full stop, a year, a venue."""
    text = re.split(
        r"\.(?<=[^\W\d_]{2}\.)(?<!\bal\.)\s|\(|\[|\s[-–—|]\s", text[:_LONGEST], maxsplit=1
    )[0]
    text = re.split(r",?\s+(?:arXiv|in\b|In\b|[A-Z]{3,}|(?:19|20)\d\d)", text, maxsplit=1)[0]
    return _YEAR_AT_END.sub("", text)


def _published(text: str) -> bool:
    """Whether `text` only says where and when: `NeurIPS 2019.`, `may 2016`."""
    return year_said(text) is not None or is_venue(text.rstrip("."))


def _people_and_year(text: str) -> bool:
    return "et al" in text and names_people(_YEAR_AT_END.sub("", text).rstrip(", "))


def _unclosed(text: str) -> Cited | None:
    """`"Title"` with quotations inside it, or a quotation that was never closed."""
    if len(text) > 2 and text[0] in '"“' and text[-1] in '"”' and not QUOTED.search(text[1:-1]):
        return text[1:-1], "", ""
    if text[:1] in ('"', "“") and sum(text.count(mark) for mark in '"“”') == 1:
        return text[1:], "", ""
    return None


def _some(found: Iterator[re.Match[str]], number: int) -> Iterator[re.Match[str]]:
    for _, match in zip(range(number), found, strict=False):
        yield match


# in this order: the surer first
_STYLES: tuple[Callable[[str], Cited | None], ...] = (
    _dashed,
    _people_first,
    _people_behind,
    _unclosed,
)
