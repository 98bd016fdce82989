"""From text to the terms that suggestions are made of."""

from __future__ import annotations

import re
import unicodedata


_STOP_WORDS = """
    a about above after again against all also although always am among amongst an and another any
    are as at be because been before being below between both but by can cannot could did do does
    doing done down due during each either enough especially etc even ever every few first for from
    further furthermore get give given had has have having he hence her here him his how however i
    if in indeed instead into is it its itself just last least less like made make many may me
    might more moreover most much must my neither never no none nor not now of off often on once one
    only onto or other others our out over own per perhaps rather re same second see seem several
    she should show shown since so some still such than that the their them themselves then there
    thereby therefore these they third this those though three through throughout thus to together
    too toward towards two under until up upon us use used uses using very via was we well were what
    when where whereas whether which while who whom whose why will with within without would yet you
    your et al eg ie
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
_STOP_TOKENS = frozenset(word.encode() for word in STOP_WORDS)
# Words of headings that say something about the list, not about a subject.
_LIST_WORDS = """
    paper papers list lists awesome reading read review reviewed todo later misc miscellaneous other
    others general uncategorized unsorted link links resource resources reference references article
    articles publication publications conference conferences journal journals workshop workshops
    proceedings arxiv preprint preprints pdf code github blog blogs post posts talk talks video
    videos tutorial tutorials course courses book books survey surveys overview introduction intro
    content contents table section part chapter topic topics recent new latest old top best must
    important recommended interesting selected related work works research readme md index docs
    cvpr iccv eccv wacv bmvc icml nips neurips iclr aaai ijcai acl emnlp naacl coling interspeech
    icassp icra iros corl rss kdd www sigir wsdm cikm recsys aistats uai colt jmlr tpami miccai
    january february march april may june july august september october november december
"""
LIST_WORDS = frozenset(_LIST_WORDS.split())
# Words of titles on any subject, many of them in every thirtieth title of machine learning or more.
_COMMON_WORDS = """
    learning learned neural network networks deep machine model models data based multi analysis approach approaches
    method methods algorithm algorithms new novel
"""
COMMON_WORDS = frozenset(_COMMON_WORDS.split())

# Bytes that stand in words stay, in small letters; all others part words. UTF-8 has no use for these two: they are marks.
PART, END = b"\xfe", b"\xff"
SMALL = bytes(
    byte
    if byte >= 0x80 or chr(byte).isdigit() or chr(byte).islower()
    else byte + 32
    if chr(byte).isupper()
    else 32
    for byte in range(256)
)
_NOT_IN_WORDS = re.compile(r"[^\w\s]|_")
# Scripts written without spaces: Chinese, Japanese, Korean (whose words take endings).
UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")


def fold(text: str) -> bytes:
    """Return a text without accents, encoded; of runs written without spaces, each two neighbours become a word."""
    if text.isascii():
        return text.encode()
    text = unicodedata.normalize("NFKD", text).lower()
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    # NFKD takes Korean syllables apart: NFC puts them together again, and the accents are gone.
    text = _NOT_IN_WORDS.sub(" ", unicodedata.normalize("NFC", text))
    return UNSPACED.sub(lambda run: _pairs(run[0]), text).encode("utf-8", "replace")


def _pairs(run: str) -> str:
    return f" {' '.join(run[i : i + 2] for i in range(max(1, len(run) - 1)))} "


def tokens(text: bytes) -> list[bytes]:
    """Return the tokens of a folded, encoded text in order: words in small letters, numbers, and the marks PART and END."""
    return text.translate(SMALL).split()


def is_telling(token: bytes) -> bool:
    """Return whether a token can say what a paper is about: no stop word, number, mark or single letter."""
    return len(token) > 1 and token not in _STOP_TOKENS and not token.isdigit()


def says_nothing(typed: str) -> bool:
    """Return whether what was typed is a stop word, whatever signs stand around it."""
    return _STOP_TOKENS.issuperset(tokens(fold(typed)))


def telling_words(text: str) -> list[str]:
    """Return the telling words of a text in order."""
    return [token.decode() for token in tokens(fold(text)) if is_telling(token)]


def name_of(author: str) -> str:
    """Return an author's name as names are compared."""
    return b" ".join(tokens(fold(author))).decode()


def heading_words(heading: str) -> list[str]:
    """Return the words of a heading that name a subject."""
    return [word for word in telling_words(heading) if word not in LIST_WORDS]


def names_subject(words: str) -> bool:
    """Return whether one of some telling words says more than that something is a paper, or one on machine learning."""
    return any(word not in LIST_WORDS and word not in COMMON_WORDS for word in words.split())


def other_number(word: str) -> str:
    """Return the plural of a singular, the singular of a plural, as most English words make them."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return word[:-1] + "ies"
    return word + "s"


def subjects(text: str) -> frozenset[str]:
    """Return the words that name a subject, a plural and its singular as one."""
    return frozenset(min(word, other_number(word)) for word in heading_words(text))
