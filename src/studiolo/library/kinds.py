"""What kind of thing a work is, in the words of BibTeX, CSL and RIS."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from studiolo.keys import Key, host_of


Kind = Literal[
    "article", "inproceedings", "book", "chapter", "proceedings", "thesis", "report", "manual", "preprint", "manuscript",
    "software", "dataset", "webpage", "video", "misc",
]  # fmt: skip

BIBTEX: dict[Kind, str] = {
    "article": "article",
    "inproceedings": "inproceedings",
    "book": "book",
    "chapter": "incollection",
    "proceedings": "proceedings",
    "thesis": "phdthesis",
    "report": "techreport",
    "manual": "manual",
    "preprint": "misc",
    "manuscript": "unpublished",
    "software": "software",
    "dataset": "dataset",
    "webpage": "online",
    "video": "online",
    "misc": "misc",
}
CSL: dict[Kind, str] = {
    "article": "article-journal",
    "inproceedings": "paper-conference",
    "book": "book",
    "chapter": "chapter",
    "proceedings": "book",
    "thesis": "thesis",
    "report": "report",
    "manual": "book",
    "preprint": "article",
    "manuscript": "manuscript",
    "software": "software",
    "dataset": "dataset",
    "webpage": "webpage",
    "video": "motion_picture",
    "misc": "document",
}
RIS: dict[Kind, str] = {
    "article": "JOUR",
    "inproceedings": "CPAPER",
    "book": "BOOK",
    "chapter": "CHAP",
    "proceedings": "CONF",
    "thesis": "THES",
    "report": "RPRT",
    "manual": "BOOK",
    "preprint": "UNPB",
    "manuscript": "UNPB",
    "software": "COMP",
    "dataset": "DATA",
    "webpage": "ELEC",
    "video": "VIDEO",
    "misc": "GEN",
}

_SAID: dict[str, Kind] = {
    **{kind: kind for kind in BIBTEX},
    "conference": "inproceedings",
    "periodical": "book",
    "collection": "book",
    "mvbook": "book",
    "booklet": "book",
    "incollection": "chapter",
    "inbook": "chapter",
    "inreference": "chapter",
    "phdthesis": "thesis",
    "mastersthesis": "thesis",
    "techreport": "report",
    "unpublished": "manuscript",
    "online": "webpage",
    "electronic": "webpage",
    "www": "webpage",
    "video": "video",
    "movie": "video",
}
# Patterns are text: re compiles and remembers each when it is first asked for, which most commands never do.
_PREPRINT = r"(?i)\b(?:arxiv|corr|biorxiv|medrxiv|preprints?|ssrn|researchsquare)\b"
_JOURNAL = (
    r"(?i)\b(?:journal|j\.|transactions|trans\.|letters|annals|reviews?|magazine|bulletin|quarterly|jmlr|tmlr|tacl|tpami|nature|"
    r"science|neurocomputing|frontiers)\b"
)
_CONFERENCE = (
    r"(?i)\b(?:proceedings|proc\.?|conf\.?|conference|workshops?|symposium|meeting|neurips|nips|icml|iclr|cvpr|iccv|eccv|wacv|"
    r"bmvc|accv|acl|emnlp|naacl|eacl|aacl|coling|conll|aaai|ijcai|kdd|sigir|aistats|uai|colt|alt|icassp|interspeech|icra|iros|"
    r"corl|rss|miccai|recsys|cikm|wsdm|www|chi|siggraph|focs|stoc|soda|osdi|sosp|nsdi|usenix|mlsys|ismir|sc\d\d|isca|asplos|"
    r"advances in neural information processing systems)\b"
)
_DOIS: tuple[tuple[str, Kind], ...] = (
    (r"10\.(?:18653|3115)/", "inproceedings"),
    (r"10\.1145/\d+\.\d+$|10\.1109/[a-z]+[\d.]*\.(?:19|20)\d\d\.|10\.1609/aaai|10\.24963/ijcai|10\.21437/", "inproceedings"),
    (r"10\.1007/978-[\d-]+_\d+$|10\.1007/3-[\d-]+x?_\d+$", "chapter"),
    (r"10\.1007/978-|10\.1017/cbo|10\.1201/978", "book"),
    (r"10\.1101/|10\.2139/ssrn|10\.31234/|10\.21203/|10\.36227/|10\.26434/", "preprint"),
    (r"10\.(?:5281/zenodo|5061/dryad|7910/dvn|6084/m9)", "dataset"),
)  # fmt: skip
_CODE_HOSTS = frozenset({"gitlab.com", "bitbucket.org", "codeberg.org", "pypi.org", "git.sr.ht", "cran.r-project.org"})  # fmt: skip


def kind_of(key: Key | None, keys: Iterable[Key] = (), venue: str = "", said: str = "") -> Kind:
    """Return what kind of thing a work is.

    Args:
        key, keys: its own.
        venue: where it appeared.
        said: the type that a bibliography gave, which has the first word.
    """
    word = said.casefold().strip()
    kinds = {one.kind for one in keys} | ({key.kind} if key else set())
    if word in _SAID and word != "misc" and not (word == "article" and re.search(_PREPRINT, venue)):
        return _SAID[word]
    if word and word != "misc" and word != "article":
        return "misc"
    if venue:
        return _of_venue(venue)
    if kinds & {"acl", "pmlr", "cvf"}:
        return "inproceedings"
    if "arxiv" in kinds:
        return "preprint"
    if doi := next(
        (one.value for one in (*([key] if key else ()), *keys) if one.kind == "doi"), ""
    ):
        return next((kind for pattern, kind in _DOIS if re.match(pattern, doi)), "article")
    if word:
        return "misc"
    return _of_page(key) if key else "webpage"


def _of_venue(venue: str) -> Kind:
    if re.search(_PREPRINT, venue):
        return "preprint"
    if re.search(r"\bthesis\b|\bdissertation\b", venue, re.IGNORECASE):
        return "thesis"
    if re.search(_JOURNAL, venue) and not re.match(r"proc", venue, re.IGNORECASE):
        return "article"
    is_conference = re.search(_CONFERENCE, venue) and not re.search(
        "(?i)academy of sciences", venue
    )
    return "inproceedings" if is_conference else "article"


def _of_page(key: Key) -> Kind:
    if key.kind == "github":
        return "software"
    if key.kind == "youtube":
        return "video"
    if key.kind == "openreview":
        return "preprint"
    host = host_of(key.value) or ""
    if host in _CODE_HOSTS:
        return "software"
    if key.names_paper:
        is_article = host.startswith(("jmlr.", "distill."))
        return "article" if is_article else "inproceedings" if "nips" in host else "misc"
    return "webpage"
