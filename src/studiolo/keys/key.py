"""Keys: what a link points at, said in one way for all of its spellings.

`Key` is the identity; `studiolo.keys.address` reads one from an address. A key never carries a version or a
timestamp: those belong to the `Mention`, one person's link in one place.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from studiolo.errors import UsageError


KINDS = (
    "arxiv",
    "doi",
    "github",
    "openreview",
    "acl",
    "pmlr",
    "cvf",
    "youtube",
    "reddit",
    "x",
    "url",
)
PAPER_KINDS = frozenset({"arxiv", "doi", "openreview", "acl", "pmlr", "cvf"})


# Archives that gave out `archive/yymmnnn` ids until March 2007.
# Source: https://info.arxiv.org/help/arxiv_identifier.html and the list of subsumed archives there.
ARXIV_ARCHIVES = frozenset({
    "acc-phys", "adap-org", "alg-geom", "ao-sci", "astro-ph", "atom-ph", "bayes-an", "chao-dyn", "chem-ph",
    "cmp-lg", "comp-gas", "cond-mat", "cs", "dg-ga", "funct-an", "gr-qc", "hep-ex", "hep-lat", "hep-ph",
    "hep-th", "math", "math-ph", "mtrl-th", "nlin", "nucl-ex", "nucl-th", "patt-sol", "physics", "plasm-ph",
    "q-alg", "q-bio", "quant-ph", "solv-int", "supr-con",
})  # fmt: skip
_ARXIV = re.compile(
    r"(?<![\d.])(?P<new>\d{2}(?:0[1-9]|1[0-2])\.\d{4,5})(?:v(?P<v>[1-9]\d{0,3})(?!\d))?(?!\d)"
    r"|(?<![a-z.-])(?P<archive>[a-z]+(?:-[a-z]+)?)(?:\.[a-z-]{2,})?/(?P<old>\d{2}(?:0[1-9]|1[0-2])\d{3})"
    r"(?:v(?P<w>[1-9]\d{0,3})(?!\d))?(?!\d)",
    re.IGNORECASE | re.ASCII,
)
_ACL = re.compile(
    r"(?P<old>[a-z]\d{2}-\d{4,5})|(?P<new>\d{4}\.[a-z0-9]+(?:-[a-z0-9]+)+\.\d+)",
    re.IGNORECASE | re.ASCII,
)
_VALUES = {
    "doi": re.compile(r"10\.\d{4,9}(?:\.\d+)*/\S+"),
    "github": re.compile(r"[a-z0-9][a-z0-9-]*/[a-z0-9._-]+|\d+"),
    "openreview": re.compile(r"[A-Za-z0-9_-]{5,}"),
    "pmlr": re.compile(r"[vr]\d+/[a-z0-9-]+"),
    "cvf": re.compile(r"[a-z0-9/]+/[^\s/]+"),
    "youtube": re.compile(r"[A-Za-z0-9_-]{11}"),
    "reddit": re.compile(r"t[13]_[a-z0-9]{1,13}"),
    "x": re.compile(r"\d{1,20}"),
    "url": re.compile(r"[a-z][a-z0-9+.-]*://\S+"),
}
_CASE_MATTERS = {"openreview", "cvf", "youtube", "url"}
_PAPER_PAGE = re.compile(
    r"https://(?:papers\.nips\.cc/paper/|jmlr\.org/papers/v|distill\.pub/\d{4}/"
    r"|ieeexplore\.ieee\.org/document/\d|sciencedirect\.com/science/article/pii/|pubmed\.ncbi\.nlm\.nih\.gov/\d+$"
    r"|pmc\.ncbi\.nlm\.nih\.gov/articles/PMC|semanticscholar\.org/paper/[0-9a-f]{40}$|api\.semanticscholar\.org/CorpusID:"
    r"|ojs\.aaai\.org/index\.php/[^/]+/article/view/|aaai\.org/ocs/index\.php/[^/]+/[^/]+/paper/view/|hal\.science/[a-z0-9]+-\d+$"
    r"|researchgate\.net/publication/\d|ecva\.net/papers/.+_paper\.php$|usenix\.org/conference/[^/]+/presentation/|jstor\.org/stable/\d"
    r"|mdpi\.com/\d{4}-\d{3}[\dX]/\d+/\d+/\d+$|academic\.oup\.com/[^/]+/article/\d"
    r"|[^/?#]+/[^?#]*\.pdf$)",
    re.IGNORECASE,
)


class Key(NamedTuple):
    """A typed identity; `str(key)` is `kind:value`, and `Key.parse` reads that back.

    Values are normal forms: two spellings of one thing give equal keys. `github` values are lower case
    (GitHub does not tell cases apart), DOIs too; the DOI that arXiv gives a paper is its arXiv key.
    """

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"

    @property
    def month(self) -> str:
        """Month that stands in an arXiv id: `2021-05` of `2105.03824`, `1999-01` of `cs/9901001`; "" for other keys."""
        if self.kind != "arxiv":
            return ""
        digits = self.value.rpartition("/")[2]
        return f"{19 if digits >= '91' else 20}{digits[:2]}-{digits[2:4]}"

    @property
    def names_paper(self) -> bool:
        """Whether this is a paper itself, rather than something about one (a repository, a talk, a post)."""
        return self.kind in PAPER_KINDS or (
            self.kind == "url" and _PAPER_PAGE.match(self.value) is not None
        )

    @classmethod
    def parse(cls, text: str) -> Key:
        """Return the key that was stored as `text`. What a person typed goes to `find_key`.

        Raises:
            UsageError: it is not `kind:value`; says what would be.
        """
        kind, _, value = text.partition(":")
        return make_key(kind, value) or not_a_key(text)


def not_a_key(text: str) -> NoReturn:
    """Refuse `text` with a UsageError that says what a key looks like."""
    raise UsageError(
        f"{text!r} is not a key. Write kind:value, for example arxiv:2105.03824 or github:owner/name"
        f" (kinds: {', '.join(KINDS)}), or give an address."
    )


def make_key(kind: str, value: str) -> Key | None:
    """Return the key of `kind` in its normal form, or None if `value` is not a value of that kind."""
    value = value.strip()
    if kind == "arxiv":
        value = without_archive(value)
        found = find_arxiv(value)
        return found[0] if found and found[2] == (0, len(value)) else None
    if kind == "acl":
        match = _ACL.fullmatch(value)
        if match is None:
            return None
        return Key("acl", value.upper() if match["old"] else value.lower())
    if kind not in _CASE_MATTERS:
        value = value.lower()
    if kind == "doi":
        return _doi_key(value)
    pattern = _VALUES.get(kind)
    return Key(kind, value) if pattern is not None and pattern.fullmatch(value) else None


def find_arxiv(text: str) -> tuple[Key, int | None, tuple[int, int]] | None:
    """Return the first arXiv id in `text` as (key, version, where), or None.

    Digits on either side, impossible months, four digits after 2014, five before 2015 and archives that
    never were make it no id. The subject class of an old id is dropped: math.GT/0309136 is math/0309136.

    Source: https://info.arxiv.org/help/arxiv_identifier.html
    """
    for match in _ARXIV.finditer(text):
        if new := match["new"]:
            yymm = int(new[:4])
            if yymm < 704 or len(new) != (9 if yymm < 1501 else 10):
                continue
            value, version = new, match["v"]
        else:
            archive = match["archive"].lower()
            if archive not in ARXIV_ARCHIVES:
                continue
            value, version = f"{archive}/{match['old']}", match["w"]
        return Key("arxiv", value), int(version) if version else None, match.span()
    return None


def without_archive(text: str) -> str:
    """Return an arXiv id without the archive that people write before an id that has none: hep-th/1601.07616 is 1601.07616."""
    both = re.match(r"([A-Za-z-]+)/(?=\d{4}\.\d)", text)
    return text[both.end() :] if both and both[1].lower() in ARXIV_ARCHIVES else text


def find_acl(text: str) -> Key | None:
    """Return the key of an ACL Anthology id that begins `text` (a file name such as `N19-1423.pdf`)."""
    match = _ACL.match(text)
    if match is None or not re.fullmatch(
        r"(?:v\d+)?(?:\.(?:pdf|bib|html|xml|endf))?", text[match.end() :], re.IGNORECASE
    ):
        return None
    return make_key("acl", match[0])


def _doi_key(value: str) -> Key | None:
    if not _VALUES["doi"].fullmatch(value):
        return None
    if value.startswith("10.48550/arxiv."):
        found = find_arxiv(value.removeprefix("10.48550/arxiv."))
        if found and found[2][0] == 0:
            return found[0]
    for prefix in ("10.18653/v1/", "10.3115/v1/"):
        if value.startswith(prefix) and (key := make_key("acl", value.removeprefix(prefix))):
            return key
    return Key("doi", value)
