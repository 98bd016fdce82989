"""Years, and the venues that people write them with: 2019, (2019-05), Jan. 2021, NeurIPS'20 Oral, 2020 CVPR."""

from __future__ import annotations

import re
from functools import cache


_VENUES = (
    "3dv aaai aamas acl aclanthology acmmm aistats alt alvr annals arxiv asplos asru bigdata biorxiv bmvc cell chi cikm"
    " coling collas colm colt conll corl cscw cvpr cvprw dac dasfaa date eacl ecai eccv eccvw ecml edbt emnlp eurosys"
    " findings focs gecco hicss hpca icann icassp iccad iccv iccvw icde icdm icdt icip iclr icme icml icmlw icmr icpr icra"
    " icse ijcai ijcnn ijcv interspeech iros isca ismir isscc iswc itcs iui jair jmlr kdd l4dc lrec mass mdpi medrxiv miccai"
    " micro midl mlsys mm naacl nature neco neurips neuripsw nips nsdi osdi pami pakdd pkdd plos pmlr pnas podc pods ppopp"
    " preprint psb pvldb recsys rss sc science sdm sigcomm siggraph sigir sigkdd sigmod soda sosp spl ssrn stoc tacl tc"
    " asiaccs ase atc ccs codaspy conext ecoop eurosp fse fast hotnets hotos icfp imc imwut infocom ipsn issre issta mobicom mobisys ndss oopsla pets percom pldi popl popets raid sensys sigmetrics ubicomp usec vee"
    " techrxiv thewebconf tip tkde tmlr tmm tnnls tog toms tosem tpami tvcg uai uist usenix vldb wacv wmt wsdm www"
)
VENUES = frozenset(_VENUES.split())
_VENUE_WORDS = frozenset(
    [
        "workshop",
        "workshops",
        "findings",
        "preprint",
        "oral",
        "poster",
        "spotlight",
        "w",
        "communications",
        "machine",
        "intelligence",
        "methods",
        "mi",
        "robotics",
        "research",
        "security",
        "advances",
        "asia",
        "medicine",
        "reports",
        "biotechnology",
        "europe",
        "main",
        "demo",
        "track",
    ]
)
YEAR = re.compile(r"(?<![\d.:/-])((?:19|20)\d\d)(?![\d/]|:(?!\d+[-–]\d)|\.\d)")
_Y = r"((?:19|20)\d\d)"
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}\.?"
_FROM = r"[(\[{【（]*\s*"
_TO = r"\s*[)\]}】）]*[.,:;]?"
_DATE = (
    rf"{_FROM}(?:{_Y}(?:[a-e]|\s?[-./年]\s?(?:0?[1-9]|1[0-2])月?(?:\s?[-./]\s?\d\d?日?)?|:\d{1, 5}[-–]\d{1, 5})?"
    rf"|(?:[a-z]{{2,12}},?\s)?(?:\d\d?(?:st|nd|rd|th)?\s)?{_MONTH}\s?(?:\d\d?(?:st|nd|rd|th)?,?\s)?(?:of\s)?,?\s?{_Y}|{_Y}[\s,/-]{{1,2}}{_MONTH}"
    rf"|\d\d?[./-]\d\d?[./-](\d\d|\d{{4}})|\d\d?-{_MONTH}-(\d\d|\d{{4}})|(\d\d)年\d\d?月|arxiv\s?{_Y}(?:0[1-9]|1[0-2])){_TO}"
)
_WORD = r"(?:[a-z]?[A-Z@*][\w&.+*’/@-]*|\d[A-Z]{1,3}|ar[Xx]iv(?::[\d.]+)?|preprint|of|on|and|in|for|the|de|to|&|-|\([A-Z][\w-]*\)|\d{1,2}(?:st|nd|rd|th))"
_AFTER = (
    r"(?i:[\s,:;.(/|*–-]{0,3}\b(?:oral|spotlight|poster|tutorial|workshops?|(?:best|outstanding|honou?rable)[a-z\s-]{0,30}|highlight|findings|"
    r"w|demo|main|long|short|preprint|submi[a-z]{2,8}|accepted|under\sreview|(?:in|under)\ssubmission|in\spress|to\sappear|reject(?:ed)?|track|datasets?|benchmarks?|and|d&b)\b){0,4}"
)
_VENUE_YEAR = (
    rf"{_FROM}{_WORD}(?:(?:[\s,:/]{{1,3}}{_WORD}){{0,9}}|(?:\s{_WORD}){{10,13}})[\s,.:(/-]*{_Y}(?:[a-z]|[-./]\d\d?)?\)?{_AFTER}{_TO}"
    rf"|{_FROM}{_Y}(?:[./-]\d\d?(?!\d))?[\s,-]*{_WORD}(?:[\s,:/]{{1,3}}{_WORD}){{0,7}}\)?{_AFTER}{_TO}"
    rf"|['’‘](\d\d)[\s-](?:[A-Z]|ar)[A-Za-z]+"
    rf"|{_FROM}(?:[A-Z]|ar)[A-Za-z&@/-]+(?:\s[A-Z][A-Za-z&@/-]+){{0,3}}[\s,-]{{0,2}}(?:['’‘]\s?((?:19|20)?\d\d)|(\d\d)['’‘]){_AFTER}{_TO}"
)
_SHORT = rf"{_FROM}(?:(?:ACM|IEEE) )?([A-Za-z]{{2,12}}(?: [A-Za-z]{{5,9}})?)[\s-]?(\d\d)(?:[./-]\d\d?){{0,2}}{_AFTER}{_TO}"
# else no year is said; it begins with the digit that all of its cases begin with, which `re` skips to fast
MAYBE_DATE = re.compile(r"\d(?:(?<=1)9\d\d|(?<=2)0\d\d|(?<!\d\d)\d(?!\d)|[./-]\d{4})")
PUBLISHED = re.compile(
    r"\b(?:Proceedings|Proc|Conference|Symposium|Journal|Transactions|Trans|Workshop|Findings|Letters|Annals|Advances|Communications|Thesis|Report|"
    r"Press|University|Springer|Elsevier|IEEE|ACM|SIAM)\b|(?:^|[,.]\s)J\.\s(?:of\s|[A-Z][a-z]{3})",
    re.IGNORECASE,
)
_LONGEST = 120


@cache
def _shapes() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Return the patterns of dates, of venues with a year, and of short ones, made when they are first needed."""
    return re.compile(_DATE, re.IGNORECASE), re.compile(_VENUE_YEAR), re.compile(_SHORT)


def year_said(text: str, *, aside: bool = False) -> int | None:
    """Return the year if `text` only says when, or where and when, a work appeared; `aside` if it stands in brackets."""
    text = text.strip(" -–—,;.*/").removeprefix("in ").removeprefix("In ")
    if not 4 <= len(text) <= _LONGEST or not MAYBE_DATE.search(text):
        return None
    date, venue_year, short = _shapes()
    if match := date.fullmatch(text):
        return full_year(next(year for year in match.groups() if year))
    words = len(text.split())
    if (match := venue_year.fullmatch(text)) and (
        (PUBLISHED.search(text) and not _titled(text))
        or (words <= 11 and (aside or text[0] in "([【（" or words <= 2))
    ):
        return full_year(next(year for year in match.groups() if year))
    if (match := short.fullmatch(text)) and is_venue(match[1]):
        return full_year(match[2])
    if "年" in text and "，" in text:  # where，20年9月
        return year_said(text.rpartition("，")[2])
    first, _, place = text.partition(" ")
    if len(first) == 4 and first.isdigit() and first[:2] in ("19", "20") and is_venue(place):
        return int(first)
    return None


def _titled(text: str) -> bool:
    """Whether a sentence that names no place stands before where and when: `Its Long Title. ACM Multimedia, 2020`."""
    title, stop, behind = text.partition(". ")
    headline = stop and "," not in title and len(title.split()) > 3
    return bool(headline and not PUBLISHED.search(title)) and (
        year_said(behind, aside=True) is not None
    )


def full_year(digits: str) -> int:
    """Return the year that four digits, or the last two, say."""
    year = int(digits)
    return year if year > 99 else 2000 + year if year < 60 else 1900 + year


def is_venue(text: str) -> bool:
    """Whether `text` only names where a work appeared: ICML, ECML PKDD, Nature Methods, arXiv."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return (
        bool(words)
        and len(text) <= 40
        and words[0] in VENUES
        and all(word in VENUES or word in _VENUE_WORDS for word in words)
    )


def year_in_cell(text: str) -> int | None:
    """Return the year that a cell of a column of dates or venues says."""
    if match := YEAR.search(text) or re.search(r"(?<!\d)((?:19|20)\d\d)(?!\d|\.\d{4,5})", text):
        return int(match[1])
    return year_said(text, aside=True)
