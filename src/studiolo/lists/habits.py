"""How a list writes its heads, told by many of them together.

What a part of one head is cannot always be told: `(Hydrology)` may end a title or name a journal, `Stone and Webb` may be a
short name or people. But the entries of a list are written alike. So what most parts in a place surely are, the doubtful
ones there are too; words that many heads repeat are labels; and what most titles end with is not of the title.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import NamedTuple

from .authors import family_names, may_name, names_one, names_people, people_before, split_authors
from .dates import MAYBE_DATE, is_venue, year_said
from .heads import Part, Role, cut
from .labels import is_label
from .links import Piece
from .places import whose_and_when


Place = tuple[str, str, int]
Head = tuple[bytes, list[Piece]]

_SURE = 4  # parts in a place that are surely something, before others are taken for it
_SHARE = 0.7  # of the parts in a place
_REPEATED = 4  # heads
_RARE = 0.1  # of the heads
_DASHES = ("-", "–", "—", "--")
_LONGEST_VENUE = 6  # words
_SHORT_VENUE = re.compile(r"[A-Z\d][A-Za-z&-]{1,10} ?['’]?\d\d")  # of any name: TIM 22
_DATED = re.compile(r"[(\[]([^()\[\]]{2,80},? (?:19|20)\d\d[a-z]?)[)\]]$")
_DIGITS = re.compile(r"\d+")
_MAYBE_PEOPLE = re.compile(
    r"^(?!(?:\S+ ){0,8}[a-z]{4,} (?:\S+ ){0,4}[a-z]{4,} ).*(?:[,&;、·]| and | et\.? al|\d{4})"
)
_WORD = re.compile(r"[^\W\d_]{3}")


class _Ending(NamedTuple):
    """Something that stands at the end of titles.

    Attributes:
        share: of the endings of this form that must surely be what they seem to be.
        heads: of all heads that must have it.
    """

    form: re.Pattern[str]
    role: Role
    surely: Callable[[str], bool]
    share: float = _SHARE
    heads: float = 0


_ENDINGS = (
    _Ending(
        re.compile(r"\s?[(\[（【]([^()\[\]（）【】]{2,60})[)\]）】]$"),
        "when",
        lambda said: is_venue(said) or year_said(said, aside=True) is not None,
        0.85,
        0.3,
    ),
    _Ending(
        re.compile(r"\s[Bb]y ((?:[A-Z][\w.'’-]* ){1,3}[A-Z][\w'’-]+)$"), "who", names_one, 0.9, 0.4
    ),
    _Ending(
        re.compile(r"[.?!] ((?:[A-Z][\w'’-]+(?:, | and | & )){1,8}[A-Z][\w'’-]+)\.?$"),
        "who",
        lambda said: len(family_names(said)) > 1,
        0.9,
        0.4,
    ),
    _Ending(re.compile(r", ([A-Z][a-z]+(?:-[A-Z][a-z]+)?)\.?$"), "who", may_name, 0.9, 0.4),
)


class Habits:
    """The habits of one list; its heads are read when they are first asked for."""

    def __init__(self, heads: Callable[[], Iterable[Head]]) -> None:
        self._heads = heads

    def __eq__(self, other: object) -> bool:
        """Whether both read every head alike."""
        return isinstance(other, Habits) and (self is other or self._learnt == other._learnt)

    def __hash__(self) -> int:
        return hash(self._labels)

    @cached_property
    def _learnt(self) -> tuple[object, ...]:
        """Everything that the reading of a head may depend on."""
        places = frozenset(self._roles.items())
        shown = (self.italic_people, self.dates_people, self._dashes_divide)
        return self._labels, places, tuple(self._endings), *shown

    @cached_property
    def _cut(self) -> list[list[Part]]:
        return [cut(data, pieces) for data, pieces in self._heads()]

    @cached_property
    def _labels(self) -> frozenset[str]:
        """The words that many heads repeat."""
        seen = Counter(
            said
            for parts in self._cut
            for said in {_folded(part) for part in parts if role_of(part.text) == "words"}
        )
        least = max(_REPEATED, len(self._cut) // 60)
        return frozenset(said for said, times in seen.items() if said and times >= least)

    @cached_property
    def _roles(self) -> dict[Place, Role]:
        """What most parts in each place surely are."""
        held: dict[Place, Counter[Role]] = defaultdict(Counter)
        for parts in self._cut:
            for place, part in zip(places(parts), parts, strict=True):
                held[place][self._label(part) or role_of(part.text)] += 1
        return {
            place: role
            for place, roles in held.items()
            for role, times in roles.items()
            if role in ("when", "who") and times >= max(_SURE, _SHARE * roles.total())
        }

    @cached_property
    def _endings(self) -> list[_Ending]:
        """What is written behind a title without anything that sets it off, in most heads that have it."""
        found: list[_Ending] = []
        for ending in _ENDINGS:
            said = [m for parts in self._cut for p in parts if (m := ending.form.search(p.text))]
            sure = sum(ending.surely(match[1]) for match in said)
            if sure >= max(_SURE, ending.share * len(said), ending.heads * len(self._cut)):
                found.append(ending)
        return found

    @cached_property
    def italic_people(self) -> bool:
        """Whether lines of their own in italics name people."""
        lines = [parts[0].text for parts in self._cut if len(parts) == 1 and parts[0].italic]
        return sum(map(names_people, lines)) >= max(
            _SURE, _SHARE * len(lines) / 2
        )  # beside them people alone

    @cached_property
    def dates_people(self) -> bool:
        """Whether what stands in brackets with a year are people: `Its Title (Someone et al., 2019)`."""
        said = [m[1] for parts in self._cut for p in parts if (m := _DATED.search(p.text))]
        return sum(whose_and_when(words) is not None for words in said) >= max(
            _SURE, _SHARE * len(said)
        )

    def repeat(self, name: str) -> bool:
        """Whether many heads begin so: it is a topic or a field, and not the name of a work."""
        return name.casefold() in self._labels

    def _label(self, part: Part) -> Role | None:
        return "label" if _folded(part) in self._labels else None

    def read(self, parts: Sequence[Part]) -> list[Part]:
        """Return the parts of a head, the doubtful ones with what the others in their places are."""
        parts = self._with_dashes(parts)
        alone = [role_of(part.text) for part in parts]
        for place, part, role in zip(places(parts), parts, alone, strict=True):
            if part.text and role == "words":
                told = self._label(part) or self._role(place, part)
                part.role = told if told not in alone or told == "label" else None
        if not self._endings:
            return list(parts)
        return [piece for part in parts for piece in self._without_ending(part)]

    @cached_property
    def _dashes_divide(self) -> bool:
        """Whether this list sets a name or topic off from a title by a dash, in more than a few of its heads."""
        dashed = sum(any(part.lead in _DASHES for part in parts[1:2]) for parts in self._cut)
        return dashed > len(self._cut) * _RARE

    def _with_dashes(self, parts: Sequence[Part]) -> Sequence[Part]:
        """Put together a title with a dash in it, where the list has no habit of dashes: `Two Words - Its Long Title [pdf](…)`."""
        if len(parts) < 3 or parts[1].lead not in _DASHES or not parts[2].is_link:
            return parts
        first, second = parts[:2]
        plain = not any(
            p.is_link or p.bold or p.italic or p.code or p.lead == "[" for p in (first, second)
        )
        worded = (
            len(first.text.split()) > 1
            and len(second.text.split()) > 3
            and second.text[0].isupper()
            and second.text[-1] not in ".:,"
        )
        if (
            not (plain and worded and role_of(first.text) == role_of(second.text) == "words")
            or self._dashes_divide
        ):
            return parts
        return [replace(first, text=f"{first.text} {second.lead} {second.text}"), *parts[2:]]

    def _without_ending(self, part: Part) -> Iterator[Part]:
        """Yield a part, and what its list writes at the end of a title as one of its own."""
        for ending in self._endings if not part.role else ():
            if ending.role == "who" and role_of(part.text) == "who":
                continue  # people themselves
            match = ending.form.search(part.text, 8)
            if match and (ending.role == "who" or _is_place(match[1])):
                yield replace(part, text=part.text[: match.start()].rstrip(" .,"))
                own = role_of(match[1])
                yield Part(match[1], "[", role=ending.role if own == "words" else None)
                return
        yield part

    def _role(self, place: Place, part: Part) -> Role | None:
        role = self._roles.get(place)
        if role == "when":
            dated = MAYBE_DATE.search(part.text) and not _SHORT_VENUE.fullmatch(part.text)
            return "when" if _is_place(part.text) and not dated else None
        if role == "who" and split_authors(part.text, surely=True):
            return "who"
        return None


@lru_cache(2048)  # the heads that habits are learnt of are read once more
def role_of(text: str) -> Role:
    """Return what a part with these words surely is, read alone."""
    if year_said(text, aside=True):
        return "when"
    if not text or is_label(text):
        return "label"
    if is_venue(text):
        return "when"
    if _MAYBE_PEOPLE.search(text) and (names_people(text) or people_before(text)):
        return "who"
    return "words"


def _is_place(text: str) -> bool:
    """Whether words may name where or when something appeared: few, and with a capital."""
    return len(text.split()) <= _LONGEST_VENUE and (
        text[0].isupper() or _SHORT_VENUE.fullmatch(text) is not None
    )


def places(parts: Sequence[Part]) -> list[Place]:
    """Return the place of each part: how it is written, and how many before it are written so."""
    seen: Counter[tuple[str, str]] = Counter()
    found: list[Place] = []
    for part in parts:
        form = "l" if part.aside else "L" if part.is_link else ""
        form += "b" * part.bold + "i" * part.italic + "c" * part.code
        lead = "-" if part.lead in ("-", "–", "—", "--") else part.lead
        seen[form, lead] += 1
        found.append((form, lead, seen[form, lead]))
    return found


def _folded(part: Part) -> str:
    """Return what two labels have in common: a short text, that of a link or code without its digits."""
    if len(part.text) > 30:
        return ""
    text = part.text.casefold()
    without = _DIGITS.sub("", text)
    return without if part.is_link or part.code or not _WORD.search(without) else text
