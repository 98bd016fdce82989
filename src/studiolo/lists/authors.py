"""Lists of people, as they stand beside titles."""

from __future__ import annotations

import re

from .dates import VENUES


# what stands with capitals on lists of papers and names nobody
_WORDS_OF_LISTS = (
    "technical report reports boosting sampling under over up bagging ensemble random forest forests tree trees nets net hugging face univ state inst dept corp ltd llc tech ai research researchers university universities institute lab labs laboratory laboratories inc google facebook meta"
    " openai deepmind microsoft nvidia amazon apple baidu tencent alibaba ibm stanford mit berkeley cmu oxford cambridge"
    " harvard princeton huawei bytedance salesforce adobe intel samsung sony tsinghua anthropic mistral cohere huggingface"
    " pytorch tensorflow keras caffe jax college school center centre group team department faculty academy foundation"
    " company corporation studio learning network networks model models neural deep conference journal proceedings"
    " transactions press workshop blog tutorial tutorials overview course courses the a an data dataset datasets science"
    " sciences machine paper papers code page pages theory introduction analysis method methods system systems personal"
    " notes note project website slides video videos talk talks lecture lectures book books github gitlab repository repo"
    " official implementation unofficial demo poster survey surveys review reviews benchmark benchmarks library libraries"
    " framework frameworks toolkit toolbox tool tools platform software package open source python java matlab julia rust"
    " guide guides handbook cheat cheatsheet sheet part chapter section appendix supplementary supplement material materials"
    " documentation docs wiki wikipedia youtube medium twitter reddit linkedin arxiv preprint oral spotlight highlight best"
    " award summary abstract keywords keyword interactive visual visualization image images text language vision speech"
    " january february september october november december audio graph graphs large small generative adversarial transformer transformers attention diffusion reinforcement"
    " supervised unsupervised semi self contrastive few zero shot bayesian probabilistic stochastic gradient descent optimal"
    " optimization algorithm algorithms statistics statistical mathematics mathematical linear algebra calculus artificial"
    " intelligence computer computing computation computational robot robotics robots autonomous natural processing"
    " recognition detection segmentation classification generation retrieval translation prediction estimation"
    " representation representations understanding reasoning planning control object objects feature features multi cross"
    " domain task tasks training pretraining pre fine tuning inference evaluation quantum physics biology medical medicine"
    " health clinical chemistry international national ieee acm springer elsevier letters magazine annual north south"
    " american european asian world online new advanced modern practical applied basic basics general comprehensive free"
    " awesome my our your how why what when in on of for with from to and or using towards toward via beyond hands home"
    " download link links news newsletter podcast channel series class classes program programming engineering engineer"
    " social web internet mobile cloud edge big digital information knowledge cognitive brain human society ethics safety"
    " alignment security privacy fair fairness explainable interpretability causal time space light field fields point shape"
    " shapes scene scenes view views not no only also see this that these those all any more most modeling modelling grounding token tokens actor critic agent agents unified action actions context encoder encoders decoder decoders train test short long fast slow embedding embeddings prompt prompting extend extended reading further recommended related useful featured many authors others unknown anonymous null none"
)
_NO_NAME = VENUES.union(_WORDS_OF_LISTS.split()) - {"chi"}
_ENDINGS = (
    "tion", "tions", "sion", "ment", "ments", "ness", "ology", "ware", "ics", "ity", "ities", "ional", "istic", "ively", "ised", "ized",
    "ising", "izing", "based", "ability", "ation",
)  # fmt: skip
_LETTER = "A-ZÀ-ÞĀ-ŽΑ-ΩА-Я"
_PERSON = re.compile(
    rf"(?:(?:d'|O')?[{_LETTER}][\w'’.-]*+\s+){{0,4}}(?:(?:de|da|del|della|der|den|di|dos|du|el|la|le|ten|ter|van|von|bin|ben|al|zu|af|y|e|do)\s+)"
    rf"{{0,3}}(?:d'|al-|el-)?(?:(?<=[a-z] )[{_LETTER}][\w'’-]+ )?[{_LETTER}][\w'’-]*\.?(?:\s+(?:Jr|Sr|II|III)\.?)?"
)
_PLAIN = r"(?:[A-Z](?:[a-z]+|\.) ){1,3}[A-Z][a-z]+"
_PLAIN_PEOPLE = re.compile(rf"(?!By |Authors? ){_PLAIN}(?:, {_PLAIN})*+")
_BY = re.compile(r"(?:(?i:by|authors?|written by|作者)\s*[:：]?|[A-Z]\w{2,20}:)\s+")
_NO_PERSON = re.compile(r"[?!=<>@|\"“{}\[\]/:]|\d\d|[^,\s\d]\s\d")
# each character can be read in one way only: in two, forty digits take minutes
_FOOTNOTE = re.compile(
    r"(?<=[^\W\d])\s?(?:[*∗⋆†‡§¶#✉]|\d|(?<=\d),\s?(?=\d))+(?=\s*(?:[,;&]|and\b|$))|\(\)"
)
_AND_OTHERS = re.compile(
    r"(?:\band\s+|,\s+)others\b|\bet\.?\s*al\b|,\s*etc\.?$|等|\.\.\.|…", re.IGNORECASE
)
_AND = re.compile(r"\s+(?:and|und|et)\s+|\s*[&;、，]\s*|\s*,\s*and\s+|\s+·\s+")
_GLUED_INITIAL = re.compile(r"(?<=\b[A-Z]\.)(?=[A-Z][a-z])")  # C.Finn
_AND_THEN_COMMA = re.compile(r"\s(?:and|&)\s[^,]+,\s*[^\W\da-z_]")
_SENTENCE = re.compile(  # not behind an initial
    r"\.(?<=[^\W\d_][^\W\dA-Z_]\.)(?<!\b[JS][rt]\.)(?<!\bet\.)\s+(?!and\b|&)"
)
_FULL_STOP = re.compile(r"\.(?<=[^\W\d_]{2}\.)$")  # not behind an initial
_GIVEN = re.compile(r"[^\W\d_][\w'’-]+(?: [A-Z][\w.'’-]*)*")
_INITIALS = re.compile(rf"[{_LETTER}]{{1,2}}|(?:[{_LETTER}][. -]+){{0,3}}[{_LETTER}]\.?")
_ACRONYM = re.compile(r"\b(?!III\b)[A-Z]{3,}\b")
_VENUE_LAST = re.compile(r"(?<=[a-z]),\s[A-Z]{4,}$")  # Ada Some and Bo Other, ROBIO
_AFFILIATION = re.compile(r"\s*\([^()]{0,200}\)")
_YEAR_AT_END = re.compile(r"(?<![\s,(])[\s,(]*+(?:19|20)\d\d(?:[a-z]|, [A-Z][a-z]+)?\)?[.,:]?\s*$")
_MONTH = re.compile(
    r"(?:(?:Jan|Febr)(?:uary)?|Feb|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|(?:Oct|Nov|Dec)(?:(?:o|em)ber)?)\.?"
)
_INITIALS_WITHIN = re.compile(
    r"[A-Z][a-z]+ (?:[A-Z]\. ?)+[A-Z][a-z]+|(?:[A-Z]\.[ -]?){2,3} ?[A-Z][a-z]+"
)
_VOWEL = re.compile(r"[aeiouyà-ÿAEIOUYÀ-Ý]")
_INVERTED = re.compile(r"([^\W\d_][\w'’-]+), ([^\W\d_][\w'’-]+(?: [A-Z]\.?)*)\.?")
_INVERTED_EACH = re.compile(  # BibTeX's, where `and` stands between all
    r"([^\W\d_][\w'’-]+(?: [^\W\d_][\w'’-]+){0,2}), ([^\W\d_][\w'’.-]*(?: [^\W\d_][\w'’.-]*)*?)\.?"
)
_FAMILY = re.compile(
    rf"(?:(?:van|von|de|der|den|del|della|di|du|la|le)\s+){{0,2}}[{_LETTER}][\w'’-]*[a-zß-ÿ]"
)
_RUN_ON = re.compile(r"[a-z]{2}\.\s(?<!Jr\.\s)(?<!St\.\s)")
_GERUND = re.compile(r"[A-Z][a-z]{3,}[^bdjlmnpqtxy]ing")  # Debugging, not Jingjing
_RUN_TOGETHER = re.compile(r"(?:[A-Z][a-z-]+ ?){6,}")  # Ada Some Bo Other Cy Third: several
_SMALL_NAME = re.compile(r"[^\W\d_]{2,12} [^\W\dA-Z_]{2,12}")  # in a list of others: Jin zeng
_SMALL = re.compile(r"[A-Z]\.?|[a-z]+|[A-Z]\.(?:-?[A-Z]\.)+|Jr\.?|III?")
INSTITUTION = re.compile(
    r"\b(?:Univ\w*|Institut\w*|Research|Labs?|Laborator\w+|Google|Microsoft|Meta|OpenAI|DeepMind|AI|Inc|College|Academy|School|Cent(?:er|re)|Department|Group|Team)\b"
)
_SEVERAL = re.compile(
    r"^(?!(?:\S+ ){0,8}[a-z]{4,} (?:\S+ ){0,4}[a-z]{4,} ).*(?:[,&;、·]| and | et\.? al|等|…)"
)
_INITIAL_FIRST = re.compile(r"[B-Z]\.? [A-Z]")
_LONGEST = 4000  # characters


def split_authors(text: str, *, surely: bool = False) -> tuple[str, ...]:
    """Return the people that `text` lists, or () if it does not read like a list of people.

    Args:
        surely: its list names people in this place, so that one family name will do, and a word that names nobody.
    """
    text = text.strip().lstrip(".,;:- *").rstrip(",;:- *“")
    if " " not in text and not surely:
        return ()  # one word is a name, or nothing
    if _PLAIN_PEOPLE.fullmatch(text) and not any(map(_names_nobody, plain := text.split(", "))):
        return tuple(plain) if len(plain) > 1 or _names_one_clearly(text) else ()
    text = _without_marks(text)
    if not text or "(" in text or _NO_PERSON.search(text):
        return ()
    others = _AND_OTHERS.search(text)
    if others:
        text = text[: others.start()]
    text = _VENUE_LAST.sub("", text)
    if turned := _each_turned(text):
        return split_authors(turned)
    people = _pieces(text)
    if not _all_people(people):
        return ()
    if surely:
        people = [one for one in people if not INSTITUTION.search(one)]
    if _is_doubtful(people, others is not None, surely=surely):
        return ()
    if _are_family_and_initials(people):
        pairs = zip(people[::2], people[1::2], strict=True)
        return tuple(f"{given} {family}" for family, given in pairs)
    people = _first_turned(people, others is not None)
    if surely:
        return () if len(people) == 1 and _RUN_TOGETHER.fullmatch(people[0]) else tuple(people)
    if not others and sum(" " in person for person in people) * 2 < len(people):
        return ()  # one word each: not clearly people
    if len(people) == 1 and not others and not _names_one_clearly(people[0]):
        return ()
    return tuple(people)


def _without_marks(text: str) -> str:
    """Return the first sentence of a list of people without `by`, affiliations, footnotes and markup."""
    text = _FULL_STOP.sub("", text.removesuffix(" ."))
    if by := _BY.match(text):
        text = text[by.end() :]
    text = _SENTENCE.split(text[:_LONGEST], maxsplit=1)[0]
    text = text.replace("_", " ").replace("*", "")
    if "(" in text:
        text = _AFFILIATION.sub("", text)
    text = _FOOTNOTE.sub("", text)
    return _GLUED_INITIAL.sub(" ", text) if "." in text else text


def _each_turned(text: str) -> str:
    """Return `Given Family, Given Family` for `Family, Given and Family, Given` or with semicolons; empty for any other."""
    each = "; " if "; " in text else " and "
    every = [_INVERTED_EACH.fullmatch(person.strip()) for person in text.rstrip(" ,").split(each)]
    if len(every) > 1 and all(every) and any(m and _may_invert(m[1], m[2]) for m in every):
        return ", ".join(f"{m[2]} {m[1]}" for m in every if m)
    return ""


def _pieces(text: str) -> list[str]:
    """Return what stands between the commas, without a venue, a month or an acronym at the end."""
    pieces = (" ".join(piece.split()) for piece in _AND.sub(", ", text).split(","))
    people = [piece for piece in pieces if piece]
    while (
        people
        and (
            people[-1].lower() in VENUES
            # not Family, Jun
            or (_MONTH.fullmatch(people[-1]) and " " in "".join(people[-2:-1] or " "))
            # Ada Example, PKU
            or (_ACRONYM.fullmatch(people[-1]) and " " in "".join(people[-2:-1]))
        )
    ):
        people.pop()
    return people


def _all_people(people: list[str]) -> bool:
    """Whether all have the form of a name; of several a few may be written small."""
    strange = [one for one in people if not (_PERSON.fullmatch(one) or _INITIALS.fullmatch(one))]
    small = all(map(_SMALL_NAME.fullmatch, strange)) and not any(map(_names_nobody, strange))
    return bool(people) and (not strange or (small and len(strange) * 4 <= len(people)))


def _is_doubtful(people: list[str], has_others: bool, *, surely: bool) -> bool:
    """Whether too many of them are words that name nobody."""
    if surely:
        odd = sum(not one.isupper() and _names_nobody(one.removeprefix("A ")) for one in people)
        return odd * 2 > len(people) and not has_others
    nobody = sum(map(_names_nobody, people))
    if nobody and (has_others or any(map(_INITIAL_FIRST.match, people))):  # A Some, B Other
        nobody = sum(_names_nobody(one.removeprefix("A ")) for one in people)
    return nobody * 4 > len(people) or (nobody > 0 and len(people) < 4)


def _are_family_and_initials(people: list[str]) -> bool:
    """Whether they are Family, A. B., Family, C."""
    return (
        len(people) > 1
        and len(people) % 2 == 0
        and all(map(_INITIALS.fullmatch, people[1::2]))
        and not any(map(_INITIALS.fullmatch, people[::2]))
    )


def _first_turned(people: list[str], has_others: bool) -> list[str]:
    """Return people of whom the first may be written Family, Given, without letters that stand alone."""
    given = people[1] if len(people) > 2 or (len(people) == 2 and has_others) else ""
    inverted = given and " " not in people[0] and " " in "".join(people[2:3] or " ")
    if inverted and _GIVEN.fullmatch(given):
        people = [f"{given} {people[0]}", *people[2:]]  # Family, Given, Given Family
    return [one for one in people if len(one) > 1] if len(people) > 1 else people


def has_initials(text: str) -> bool:
    """Whether `text` is somebody's name by its form alone: `Ada B. Some`, `A. B. Some`."""
    return _INITIALS_WITHIN.fullmatch(text) is not None and not _names_nobody(text)


def _may_invert(family: str, given: str) -> bool:
    """Whether `Family, Given` may be one person, and not two with two names each."""
    return (
        " " not in family
        or any(word[0].islower() for word in family.split())
        or not names_one(given)
    )


def _names_one_clearly(text: str) -> bool:
    full = [word for word in text.split() if not _SMALL.fullmatch(word)]
    return len(full) <= 3 and names_one(text)


def family_names(text: str) -> tuple[str, ...]:
    """Return the people of a citation by family names alone, `Smith and Jones`, `Lattner, Adve`; () if it is not one."""
    others = _AND_OTHERS.search(text)
    names = _AND.sub(", ", text[: others.start()] if others else text).strip(" ,.").split(", ")
    if _AND_THEN_COMMA.search(text):
        return ()  # Family, Given and Family, Given
    if len(names) + bool(others) < 2 or not all(map(_FAMILY.fullmatch, names)):
        return ()
    return (
        () if any(_names_nobody(name) or name.endswith("ing") for name in names) else tuple(names)
    )


def people_before(text: str) -> tuple[str, ...]:
    """Return the people that stand before a title: several, anybody with a year, or `Family, Given`."""
    text = text.strip()
    people = _YEAR_AT_END.sub("", text)
    inverted = _INVERTED.fullmatch(people)
    name = f"{inverted[2]} {inverted[1]}" if inverted else ""
    if names_one(name) and text[len(people) :].startswith(","):  # Family, Given, 2004
        return (name,)
    if names_people(people) or people != text:
        return split_authors(people) or (family_names(people) if people != text else ())
    return (name,) if names_one(name) else ()


def names_people(text: str) -> bool:
    """Whether `text` surely lists people: several, initials, or `et al.`"""
    people = split_authors(text)
    if len(people) == 1 and _ACRONYM.fullmatch(text.rpartition(", ")[2].rstrip(" .")):
        return True  # Ada Example, PKU
    return len(people) > 1 or bool(people and _AND_OTHERS.search(_AFFILIATION.sub("", text)))


def people_listed(text: str) -> tuple[str, ...]:
    """Return several people that `text` begins with, a year behind them or not."""
    return (
        split_authors(text) if names_people(text) else people_before(text) if " & " in text else ()
    )


def only_people(text: str) -> bool:
    """Whether `text` surely lists people, and nothing behind them but a year."""
    if not _SEVERAL.search(text) or not names_people(text):
        return False
    if others := _AND_OTHERS.search(text):
        return not _YEAR_AT_END.sub("", text[others.end() :]).strip(" .,:;)")
    return _SENTENCE.search(text.rstrip()) is None


def may_name(word: str) -> bool:
    """Whether a word may be a family name where nothing else speaks for one."""
    return len(word) > 1 and not _names_nobody(word)


def names_one(text: str) -> bool:
    """Whether `text` is the full name of somebody."""
    return (
        " " in text
        and _PERSON.fullmatch(text) is not None
        and not _names_nobody(text)
        and not _ACRONYM.search(text)
    )


def _names_nobody(text: str) -> bool:
    words = text.split()
    folded = text.casefold().split()
    folded = folded[:1] + [word for word in folded[1:] if len(word) > 1]  # not initials
    if "." in text and _INITIALS_WITHIN.fullmatch(text):
        folded = folded[:1]  # whatever word a family is called by: Jonathan P. How
    if "-" in text:
        if any(len(part) > 5 and part.islower() for word in words for part in word.split("-")[1:]):
            return True  # Under-sampling
        folded += [part for word in folded for part in word.split("-") if len(part) > 3]
    if not _NO_NAME.isdisjoint(folded):
        return True
    if any(len(word) > 6 and word.endswith(_ENDINGS) for word in folded):
        return True
    if _RUN_ON.search(text) or "'s " in text or (len(words) > 1 and _GERUND.fullmatch(words[0])):
        return True
    if not _VOWEL.search(words[-1]) and len(words[-1]) > 2:
        return True  # Bootstrapped DQN
    full = [word for word in words if len(word.strip(".")) > 1]
    return len(full) > 1 and all(word.isupper() for word in full)  # IEEE TNN, ECML PKDD
