"""Where in running words a title lies: `"Title" - 2019 - Someone`, `Someone (2019). Title. Venue`, `Title (2019), A. B et al.`"""

from __future__ import annotations

import re
from collections.abc import Callable

from .authors import (
    INSTITUTION,
    family_names,
    has_initials,
    names_one,
    names_people,
    people_before,
    split_authors,
)
from .dates import PUBLISHED, YEAR, is_venue, year_said
from .labels import is_label
from .places import (
    COMMA,
    JOURNAL,
    STOP,
    VOLUME,
    YEAR_AT_END,
    ends_placed,
    ends_published,
    people_and_year,
    placed,
    published,
    some,
    whose_and_when,
    without_when,
)


# (title, what stands before it, what stands behind it)
Cited = tuple[str, str, str]

QUOTED = re.compile(r"[\"“„«‘《「]([^\"“”„«»《》「」\x00]{3,400})(?:[\"”»》」]|’(?!\w))")
_LONGEST = 2000  # characters in which something is looked for
_WORDS_ALONE = re.compile(r"[^\W\d](?:[\w' -]*\w)?")
_ENDS = re.compile(r"\s*(?:$|[-–—|,.(\[])")
_DASH = re.compile(r"\s[-–—|](?:\s|$)")
_IN_PARENS = re.compile(r"[(（][^()（）]+[)）]")
_FROM = re.compile(r"from [A-Z]")  # Its Title (from Some Lab)
_WITHIN = re.compile(r"(?:^|\s)[a-z][\w-]*\s+$")
_GOES_ON = re.compile(r"\s+[a-z]")
_YEAR_FIRST = re.compile(r"\(?(?:19|20)\d\d[a-z]?\)?[.:]\s+")
_YEAR_COMMA = re.compile(r",((?:19|20)\d\d)\.?$")  # Its Title,2004
_PARENS_AT_END = re.compile(
    r"\s*(?:[(（]([^()（）]{1,120})[)）]|[\[【]([^\[\]【】]{1,120})[\]】])$"
)
_BY = re.compile(r"(?<![\s,(])[\s,(]+by (?=[A-Z])")
LOWER_WORD = re.compile(  # in no headline
    r"\s(?!with|from|into|over|that|than|when|your|through|under|between|using|toward)[a-z]{4,}\b"
)
_NAME_AND_TITLE = re.compile(r"([^\W_][^\s()]*(?: [A-Z\d][^\s()]*)?) \(([A-Z][^()]{11,200})\)[.:]?")
_BAR = re.compile(r"([A-Z][\w.+-]*(?: [\w.+-]+)?)\s\|\s(?=[A-Z][^|]{12,}$)")
_BRACKET_FIRST = re.compile(r"\([^()]{2,80}\)\s+(?=[^\W\da-z_])")
_DASHED_PEOPLE = re.compile(r"\s[-–—]\s([^-–—]{3,80} \((?:19|20)\d\d\))$")
_JOINT = re.compile(r",?\s+and\s+|\s*[&;]\s*|,\s+|\s?[.:]\s+(?=[A-Z\d“\"]|ar[Xx]iv)")
_INVERTED_FIRST = re.compile(
    r"([^\W\d_][\w'’-]+), ([A-Z][\w'’-]+(?: [A-Z]\.?)*), (?:and )?(?=[A-Z]|et al)"
)
_FAMILIES = re.compile(
    r"([A-Z][\w'’-]+(?:, [A-Z][\w'’-]+){0,3},? (?:and|&) [A-Z][\w'’-]+\.)\s+(?=[A-Z])"
)
_ONE_LISTED = r"[^\W\da-z_][\w.'’-]*(?: [^\W\da-z_][\w.'’-]*){1,3}"
_NAME_LISTED = re.compile(_ONE_LISTED)
_NAME_JOINT = re.compile(r",? and | & |, ")
_NAMES_LISTED = re.compile(
    rf"{_ONE_LISTED}(?:(?:,? and | & |, ){_ONE_LISTED}(?=[,.]|,? and | & |$)){{1,12}}"
)
_INITIALLED = re.compile(r"(?:[A-Z]\.?[ -]?){1,3} ?[A-Z][\w'’-]*|[A-Z][\w'’-]+(?: [A-Z]\.?){1,2}")
_INITIALS = re.compile(r"\b[A-Z]{1,2}\.?[ ,:.-]")
_INITIAL_AT_END = re.compile(r"(?:^|[\s.-])[A-Z]{1,2}$")
_BIBTEX = re.compile(
    r"(?:[^\W\d_][\w' ’-]{1,40}, [^\W\d_][\w'’. -]{0,40}? and ){1,60}[^\W\d_][\w' ’-]{1,40}, [^\W\d_][\w'’-]*(?: [A-Z]\.| [A-Z][\w'’-]+)*[.,:]\s+"
)
_DATED_PEOPLE = re.compile(
    r"(.{5,400}?),? ((?:19|20)\d\d)[,.] (?=[A-Z])"
)  # Family, I., and Family, I., 2007, Title: Journal
_VENUE_ALONE = re.compile(r"[A-Z]{3,8}\.?")  # of any name: Its Title. TOIS.
_IN_JOURNAL = re.compile(r": [A-Z][\w.]*(?: [\w.&]+){0,6}, \d")
_YEAR_PARENS = re.compile(r"[,.]?\s*\(((?:19|20)\d\d)[^()]{0,40}\)\s*[.,:;]?\s+(?=\S)")
_SUBTITLE = re.compile(r": [A-Z][\w-]+(?: [\w-]+){3,}(?= \(|\W*$)")
_OPENING = re.compile(r"[.:,]\s+(?=[A-Z\d“\"])")
_KIND = re.compile(r"\[[A-Z](?:/OL)?\]\.?$")  # of GB/T 7714: [J], [C]
_IN = re.compile(r",\s+[Ii]n$")  # Its Title, in: *Journal of …*
_END_STOP = re.compile(r"(?:[^\W\d_]{2}|[)\]])\.$")


_CITE_KEY = re.compile(r"[A-Za-z][A-Za-z:_-]*\+?'?(?:(?:19|20)(\d\d)[A-Za-z]{0,20}|(\d\d)[a-z]?)")


def is_cite_key(text: str, year: int | None) -> bool:
    """Whether `text` is the key of a citation of that year, if any is known: `Exa21`, `EO+19b`, `example2021swim`."""
    if not (key := _CITE_KEY.fullmatch(text)):
        return False
    digits = int(key[1] or key[2])
    return digits == year % 100 if year else bool(key[1]) or not 30 < digits < 60


def cite(text: str) -> Cited:
    """Return the title in `text`, with the words before and behind it."""
    text = text.strip(" :：").lstrip(".,; ")
    if _WORDS_ALONE.fullmatch(text) and " - " not in text and " by " not in text:
        return text, "", ""  # no punctuation, and so nothing that any style below looks for
    if _IN_PARENS.fullmatch(text):
        text = text[1:-1]
    before = ""
    if bar := _BAR.match(text):
        before, text = bar[1], text[bar.end() :]
    text, when = without_when(text)
    before = " - ".join(filter(None, (before, *when)))
    found = _quoted(text)
    if found is None and (named := _NAME_AND_TITLE.fullmatch(text)):
        title, lead, behind = cite(named[2])
        if is_title_of(named[1], title):
            return title, f"{before} - {named[1]} - {lead}", behind
    if found is None and (dashed := _DASHED_PEOPLE.search(text)) and whose_and_when(dashed[1]):
        found = text[: dashed.start()], "", dashed[1]
    if found is None:
        text, said = _whole(text)
        found = next((cited for style in _STYLES if (cited := style(text))), (text, "", ""))
        found = (*found[:2], " - ".join(filter(None, (said, found[2]))))
    title, lead_words, behind = found
    return without_stop(title), " - ".join(filter(None, (before, lead_words))), behind


def is_title_of(name: str, text: str) -> bool:
    """Whether words in brackets are the title of what is called `name`, and not what it is short for or a remark."""
    words = text.split()
    letters = [char for char in name.upper() if char.isalpha()]
    initials = iter("".join(word[0] for word in re.split(r"[\s-]+", text) if word).upper())
    return (
        len(words) > 3
        and name.count(" ") < 2
        and not all(letter in initials for letter in letters)
        and not (LOWER_WORD.search(text) or is_label(name) or year_said(name, aside=True))
        and not (year_said(text, aside=True) or PUBLISHED.search(text) or is_venue(words[0]))
        and not (
            "/" in words
            or INSTITUTION.search(text)
            or " et al" in text
            or YEAR.search(text)
            or text.count(",") > 2
        )
        and not (people_before(text) or names_people(text) or names_one(name))
    )


def quoted_title(text: str) -> re.Match[str] | None:
    """Return what words quote if it is a title: more than a word, and no part of their sentence."""
    quoted = QUOTED.search(text)
    if quoted is None or " " not in quoted[1].strip():
        return None
    if quoted.start() == 0 and _SUBTITLE.match(text, quoted.end()):
        return None  # "Few Words?": The Rest of Its Title
    within = _WITHIN.search(text, 0, quoted.start()) is not None
    goes_on = quoted[1].lstrip()[0].islower() or _GOES_ON.match(text, quoted.end())
    short = quoted[1].count(" ") < 3 and text[: quoted.start()].rstrip()[-1:].isalnum()
    if short and goes_on and not people_before(text[: quoted.start()]):
        return None  # Its “Few Words” in a longer title
    return None if within and goes_on else quoted


def without_stop(title: str) -> str:
    """Return `title` without the punctuation that sets it off from what follows."""
    title = _IN.sub("", _KIND.sub("", title.strip()).rstrip(" ,:：，"))
    if title.endswith("。"):
        return title[:-1]
    if not title.endswith(".") or title.endswith("etc."):
        return title
    return title[:-1] if _END_STOP.search(title[-3:]) else title


def _quoted(text: str) -> Cited | None:
    """`"Title" - 2019 - Someone`; `Someone, "Title." Venue`."""
    if quoted := QUOTED.search(text):
        lead = text[: quoted.start()]
        people = people_before(lead) or family_names(lead.strip(" ,."))
        if (not lead and _ENDS.match(text, quoted.end())) or people:
            return quoted[1].strip().rstrip(".,;"), lead, text[quoted.end() :]
    return None


def _dashed(text: str) -> Cited | None:
    """`Title - 2019 - Someone`, `Its Longer Title (2019) - Someone`."""
    dashes = list(_DASH.finditer(text[: 2 * _LONGEST]))
    ends = [*(dash.start() for dash in dashes[1:]), len(text)]
    venue: re.Match[str] | None = None
    for dash, end in zip(dashes, ends, strict=False):
        piece = text[dash.end() : end].strip()
        listed = "," in piece or len(dashes) > 1
        first = venue or dash
        title, said = _whole(text[: first.start()])
        dated = year_said(said.partition(" - ")[0], aside=True) and len(title.split()) > 3
        if piece and (dated or year_said(piece) or (listed and split_authors(piece))):
            name, title = _name_first(title)
            return title, name, " - ".join(filter(None, (said, text[first.end() :])))
        venue = first if is_venue(piece) else None
    if venue:
        return text[: venue.start()], "", text[venue.end() :]
    if dashes and dashes[-1].end() == len(text):
        return text[: dashes[-1].start()], "", ""
    return None


def _name_first(title: str) -> tuple[str, str]:
    """Return the short name that a title has before a dash, and the rest: `Net - Its Longer Title`."""
    name, _, rest = title.partition(" - ")
    named = sum(map(str.isupper, name)) > 1 and " " not in name  # FNet, LSC
    named = named or (name.count(" ") < 2 and name.casefold() in rest.casefold())
    return (name, rest) if named and len(rest.split()) > 2 else ("", title)


def _by_commas_alone(text: str) -> Cited | None:
    """`Ada Some, Bo Other, Mean River Search, AAAI, 2010`: people, and a title that may be called like one of them.

    Nothing but commas sets them apart. An `and`, initials and the number of words may tell which is the title; where they do
    not, all the words are kept, and nobody is invented.
    """
    listed = _NAMES_LISTED.match(text)
    if listed is None:
        return None
    names, end = _NAME_LISTED.findall(listed[0]), listed.end()
    while len(names) > 2 and placed(
        text[listed[0].rindex(names[-1]) :]
    ):  # Neural Computation, 1997
        end = listed[0].rindex(", ")
        listed = _NAMES_LISTED.match(text, 0, end)
        if listed is None:
            return None
        names.pop()
    behind = text[end:].lstrip(", ")
    if behind.strip(" .") and (text[end] != "," or not placed(behind)):
        return None
    initialled = [bool(_INITIALLED.fullmatch(name)) for name in names]
    if not all(said or names_one(name) for name, said in zip(names, initialled, strict=True)):
        return None
    if all(initialled):
        return None
    joints = [joint.strip() for joint in _NAME_JOINT.findall(text[:end])]
    at = _title_among(names, initialled, joints, dated=bool(behind))
    if at not in (0, len(names) - 1):
        return text[:end], "", behind
    return names[at], ", ".join(names[:at]), ", ".join([*names[at + 1 :], behind])


def _title_among(
    names: list[str], initialled: list[bool], joints: list[str], *, dated: bool
) -> int | None:
    """Return which of what may all be names is the title, or None where nothing tells.

    Args:
        joints: what stands between two of them.
        dated: a venue or a year stands behind them.
    """
    last = len(names) - 1
    ands = [i for i, joint in enumerate(joints) if joint != ","]
    if ands == [last - 2]:  # Ada Some and Bo Other, Its Title
        return last
    if ands:  # Its Title, Ada Some and Bo Other, AAAI
        return 0 if ands == [last - 1] and dated else None
    written = [i for i, said in enumerate(initialled) if not said]
    if len(written) == 1:  # A. Some, B. Other, Its Title
        return written[0]
    long = [i for i in written if names[i].count(" ") > 1]
    return long[0] if len(long) == 1 and dated else None


def _people_first(text: str) -> Cited | None:
    """`Someone, A. (2019). Title. Venue`; `A. Someone and B. Other. Title. Venue, 2019`; `Someone et al.: Title`."""
    if text[:1] == "(" and (
        whose := _BRACKET_FIRST.match(text)
    ):  # (A Lab and Another) Someone et al. Title
        return _people_first(text[whose.end() :])
    if (year := _YEAR_PARENS.search(text, 0, 600)) and split_authors(text[: year.start()]):
        return _sentence(text, year.end(), text[: year.end()])
    if (dated := _DATED_PEOPLE.match(text)) and names_people(dated[1]):
        journal = _IN_JOURNAL.search(text, dated.end())
        stop = journal.start() if journal else len(text)
        title, _, behind = _sentence(text[:stop], dated.end(), dated[0])
        return title, dated[0].rstrip(" ,"), f"{behind} {text[stop:]}"
    if (every := _BIBTEX.match(text)) and names_people(every[0].rstrip(" ,:")):
        return _sentence(text, every.end(), every[0].rstrip(" ,:"))
    if (families := _FAMILIES.match(text)) and family_names(families[1]):
        return _sentence(text, families.end(), families[1])
    if found := _people_by_commas(text):
        return found
    for opening in some(_OPENING.finditer(text[:_LONGEST]), 40):
        people = text[: opening.start()]
        rest = text[opening.end() :]
        if opening[0][0] == "," and not people.rstrip(".").endswith("et al"):
            continue
        if opening[0][0] == ":" and "," not in people and " et al" not in people:
            continue  # One and Two: a Title
        others = people.endswith(("et al", "et al."))
        if names_people(people) and (others or not _more_people(rest)):
            return _sentence(text, opening.end(), people)
    return None


def _people_by_commas(text: str) -> Cited | None:
    """`Ada Some, Bo Other, and Cy Third, Title, Venue 2019`; `Ada Some, Bo Other: Title`."""
    at = people = 0
    last = False  # the next of them is the last
    inverted = False  # the one before is written with the initials last
    ended = False  # by a full stop, a colon or `et al.`
    if (first := _INVERTED_FIRST.match(text)) and names_one(f"{first[2]} {first[1]}"):
        people, at = 1, first.end()
    for joint in some(_JOINT.finditer(text[:_LONGEST], at), 80):
        name, sign = text[at : joint.start()], joint[0].strip()[:1]
        initial = _INITIAL_AT_END.search(name) is not None
        if sign == "." and initial and not inverted:  # Ada B. Example, not Example A. Title
            beyond = _JOINT.search(text, joint.end())
            end = beyond.start() if beyond else len(text.rstrip("."))
            if not (beyond and not people and beyond[0][0] == ":") and names_one(text[at:end]):
                continue
        others = name.rstrip(" .") in ("et al", "others") and people > 0
        if not (others or names_one(name)):
            break
        if sign == ":" and not (
            others or (people and (last or not ends_placed(text[joint.end() :])))
        ):
            break  # Someone, Two Words: a Title, ICML 2019
        last = "and" in joint[0] or "&" in joint[0]
        inverted = initial  # Example A, Sample B
        people, at = people + 1 + others, joint.end()
        if others or sign in ".:":
            last, ended = False, True
            break
    if ended and is_venue(text[at:].rstrip(" .")):
        return None  # no title is written
    if last or people < 1 + bool(first) or split_authors(text[at:]) or len(text) - at < 12:
        return None
    stop = text.find(". ", at)
    if not ended and stop > at and names_people(text[:stop]) and not published(text[stop + 2 :]):
        return None  # somebody among them has a name that is a word as well
    if (
        people == 1
        and not (_INITIALS.search(text[:at]) and len(text) - at > 12)
        and not ends_published(text[at:])
    ):
        return None
    return _sentence(text, at, text[:at].rstrip(" :." if inverted and people > 1 else " :"))


def _more_people(rest: str) -> bool:
    """Whether a list of people goes on in `rest`, so that what ended was an initial."""
    piece = re.split(r"[,.:]\s|\sand\s|\s&\s", rest[:200], maxsplit=1)[0]
    return len(piece) < len(rest) and bool(split_authors(f"{piece.strip(' ,.&')} et al."))


def _sentence(text: str, at: int, before: str) -> Cited:
    """Return the title that begins at `at`, behind the people of a citation."""
    if year := _YEAR_FIRST.match(text, at):
        at, before = year.end(), f"{before} {year[0]}"
    for comma in some(COMMA.finditer(text, at + 8, at + _LONGEST), 20):
        if VOLUME.match(text, comma.end()) or JOURNAL.match(text, comma.end()):
            return text[at : comma.start()], before, text[comma.end() :]
    stops = (s for s in STOP.finditer(text, at, at + _LONGEST) if s.start() > at + 8)
    stop = next((s for s in stops if text[s.start()] == "." or published(text[s.end() :])), None)
    cut = stop.start() if stop else len(text)
    title, behind = text[at : cut + (text[cut : cut + 1] in ("?", "!"))], text[cut + 1 :]
    for comma in COMMA.finditer(title):  # Title, Venue 2019
        if not _opened(title[: comma.start()]) and placed(title[comma.end() :]):
            return title[: comma.start()], before, f"{title[comma.end() :]} - {behind}"
    title, said = _whole(title)
    return title, before, " - ".join(filter(None, (said, behind)))


def _people_behind(text: str) -> Cited | None:
    """`Title (2019), A. Someone et al.`; `Title. Someone, Other. Venue`; `Title, A. Someone and B. Other, 2019`; `Title by Someone`."""
    for year in re.finditer(r"\s*\(([^()]{1,80})\)[,.:;]?\s+", text[:_LONGEST]):
        behind = text[year.end() :]
        if year.start() > 4 and year_said(year[1], aside=True) and split_authors(behind):
            return text[: year.start()], "", year[1] + " - " + behind
    for stop in some(STOP.finditer(text[:_LONGEST]), 40):
        if (
            text[stop.end()] not in ":-"
            and (stop.start() > 4 or published(text[stop.end() :]))
            and (
                names_people(_first(text[stop.end() :]))
                or _VENUE_ALONE.fullmatch(text, stop.end())
                or placed(text[stop.end() :])
                or _one_placed(text, stop.end())
            )
        ):
            cut = stop.start() + (text[stop.start()] != ".")
            return (*_whole(text[:cut]), text[stop.end() :])
    if by := _BY.search(text[:_LONGEST], 3):
        named = split_authors(_first(text[by.end() :].rstrip(")")))
        plain = text.count(" ", 0, by.start()) > 4 and (
            LOWER_WORD.search(text, 0, by.start()) and by.end() + len(named[0]) >= len(text)
            if named
            else False
        )
        doing = bool(named) and named[0].split()[0].endswith("ing")  # … by Deleting Rows
        if (len(named) > 1 or plain) and not doing and all(map(names_one, named)):
            return text[: by.start()], "", text[by.end() :].rstrip(")")
    for comma in some(COMMA.finditer(text[:_LONGEST]), 12):
        behind = text[comma.end() :]
        if (
            comma.start() > 8
            and not _opened(text[: comma.start()])
            and (
                placed(behind)
                or (names_people(YEAR_AT_END.sub("", behind)) and " " in COMMA.split(behind)[0])
            )
        ):
            return text[: comma.start()], "", behind
    return None


def _one_placed(text: str, at: int) -> bool:
    """Whether somebody with initials stands at `at`, and nothing behind them but where and when: `Ada B. Some. ICML 2019`."""
    stop = STOP.search(text, at)
    return (
        stop is not None and has_initials(text[at : stop.start()]) and published(text[stop.end() :])
    )


def _whole(text: str) -> tuple[str, str]:
    """Return a title without the years, venues and people that stand in brackets behind it, and these."""
    behind: list[str] = []
    text = text.rstrip()
    if year := _YEAR_COMMA.search(text):
        behind, text = [year[1]], text[: year.start()]
    while text[-1:] in (")", "]", "）", "】") and (
        end := _PARENS_AT_END.search(text, max(0, len(text) - 160))
    ):
        inside = (end[1] or end[2]).strip()
        known = (
            inside[:1] == "@"
            or is_label(inside)
            or _FROM.match(inside)
            or inside.lower() in ("oral", "spotlight", "poster", "highlight")
            or year_said(inside, aside=True)
            or year_said(inside.split(",")[0], aside=True)
            or year_said(inside.rsplit(", ", 1)[-1], aside=True)
            or (text[-1] == "]" and len(inside) <= 40 and text[: end.start()].count(" ") > 1)
            or is_venue(inside)
            or people_and_year(inside)
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
    return YEAR_AT_END.sub("", text)


def _opened(text: str) -> bool:
    """Whether a bracket is open at the end of `text`."""
    return text.count("(") > text.count(")") or text.count("（") > text.count("）")


def _unclosed(text: str) -> Cited | None:
    """`"Title"` with quotations inside it, or a quotation that was never closed."""
    if len(text) > 2 and text[0] in '"“' and text[-1] in '"”' and not QUOTED.search(text[1:-1]):
        return text[1:-1], "", ""
    if text[:1] in ('"', "“") and sum(text.count(mark) for mark in '"“”') == 1:
        return text[1:], "", ""
    return None


# in this order: the surer first
_STYLES: tuple[Callable[[str], Cited | None], ...] = (
    _dashed,
    _by_commas_alone,
    _people_first,
    _people_behind,
    _unclosed,
)
