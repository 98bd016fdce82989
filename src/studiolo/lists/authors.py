"""Lists of people, as they stand behind titles."""

from __future__ import annotations

import re


_ORGANISATION = re.compile(
    r"\b(?:AI|Research|University|Institute|Labs?|Laborator(?:y|ies)|Inc|Google|Facebook|Meta|OpenAI|DeepMind|Microsoft|Nvidia|NVIDIA|"
    r"Amazon|Apple|Baidu|Tencent|Alibaba|IBM|Stanford|MIT|Berkeley|CMU|Oxford|Cambridge|College|School|Center|Centre|Group|Team|"
    r"Learning|Networks?|Models?|Neural|Deep|Conference|Journal|Proceedings|Transactions|Press|Workshop|Blog|Tutorial|Overview|Course|The|"
    r"Data|Science|Machine|Paper|Code|Page|Press|Theory|Introduction|Analysis|Methods?|Systems?)\b"
)
_PERSON = re.compile(
    r"(?:[A-ZÀ-ÞĀ-Ž][\w'’.-]*+\s+){0,3}(?:(?:de|da|del|della|der|den|di|dos|du|el|la|le|ten|ter|van|von|bin|al|zu|af|y|e)\s+){0,3}"
    r"[A-ZÀ-ÞĀ-Ž][\w'’-]*\.?(?:\s+(?:Jr|Sr|II|III)\.?)?"
)


_BY = re.compile(r"(?:by|authors?:?)\s+", re.IGNORECASE)
_NO_PERSON = re.compile(r"[?!=<>@#|\"“{}\[\]()]|\d")
_AND_OTHERS = re.compile(r"\band\s+others\b|\bet\.?\s+al\b|等|\.\.\.|…", re.IGNORECASE)
_AND = re.compile(r"\s+(?:and|und|et)\s+|\s*[&;]\s*|\s*,\s*and\s+")
_SENTENCE = re.compile(r"\.(?<=[^\W\d_]{3}\.)\s+(?!and\b)")  # not behind an initial
_FULL_STOP = re.compile(r"\.(?<=[^\W\d_]{2}\.)$")  # not behind an initial
_INITIALS = re.compile(r"(?:[A-Z]\.?[ -]?){1,4}")


def split_authors(text: str) -> tuple[str, ...]:
    """Return the people that `text` lists, or () if it does not read like a list of people."""
    text = text.strip().lstrip(".,;:- *").rstrip(",;:- *")
    if " " not in text:
        return ()  # one word is a name, or nothing
    text = _FULL_STOP.sub("", text)
    if by := _BY.match(text):
        text = text[by.end() :]
    text = _SENTENCE.split(text[:4000], maxsplit=1)[0]
    if not text or _NO_PERSON.search(text) or _ORGANISATION.search(text):
        return ()
    others = _AND_OTHERS.search(text)
    if others:
        text = text[: others.start()]
    people = [
        " ".join(person.split()) for person in _AND.sub(", ", text).split(",") if person.strip()
    ]
    if not people or not all(_PERSON.fullmatch(person) for person in people):
        return ()
    if (
        len(people) > 1
        and len(people) % 2 == 0
        and all(_INITIALS.fullmatch(p) for p in people[1::2])
    ):
        return tuple(
            f"{given} {family}" for family, given in zip(people[::2], people[1::2], strict=True)
        )
    if not others and sum(" " in person for person in people) * 2 < len(people):
        return ()  # one word each: not clearly people
    return tuple(people)
