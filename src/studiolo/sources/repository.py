"""Which paper stands behind a repository: a rule over its description, homepage, README addresses and citation block.

Every answer is a link whose role says what it rests on; the library turns roles into grades. The strong roles are those
that hold in practice: the repository itself names the paper (`description`, `homepage`), its citation block holds exactly
one (`bibtex`), one entry of it is titled like the repository (`name`), or the only paper of the README is confirmed (`readme`):
by the title of a citation, by a description that speaks of a paper or a venue, or by being linked again and again beside a
citation. Papers and their code appear together, so the repository's date decides between weaker signs (`date`), and a paper
two years older is taken for a tool that is used. An only paper that nothing confirms is a
`mention`: a library that cites the method it uses looks just like that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from studiolo.keys import Key, address_of, paper_key, papers_in, papers_in_citation

from .saved import SavedLink


_TITLE = re.compile(r"(?<![a-z])title\s*=\s*[{\"]((?:[^{}\"]|\{[^{}]*\}){1,400})", re.IGNORECASE)
_SAYS_CODE = re.compile(
    r"\b(?:official|paper)\b|[\[(](?:arxiv|neurips|nips|iclr|icml|cvpr|iccv|eccv|aaai|acl|emnlp|naacl|siggraph|icra|tmlr|colm)\b",
    re.IGNORECASE,
)
_IMPLEMENTS = re.compile(r"\bimplementation (?:of|related)\b", re.IGNORECASE)
_OF_SOFTWARE = re.compile(r"(?i)@software|howpublished|github|zenodo|huggingface\.co")
_WORD = re.compile(r"[a-z0-9]{2,}")
_STOP_WORDS = """
    a an and are as at by for from in is of on or the to via we with without using
"""
_STOP = frozenset(_STOP_WORDS.split())


def _words(text: str) -> set[str]:
    """Return the telling words of a title or description."""
    return set(_WORD.findall(text.casefold())) - _STOP


def _alike(title: str, description: str, name: str) -> bool:
    """Return whether a title could head this repository: most of its words are in the description, or it starts with its name."""
    title_words = _words(title)
    if len(title_words) >= 3 and len(title_words & _words(description)) >= 0.6 * len(title_words):
        return True
    short = _squeezed(name)
    if len(short) >= 4 and ":" in title and _squeezed(title.split(":")[0]) == short:
        return True
    return len(short) >= 10 and short in _squeezed(title)


def _squeezed(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())


def _title_of(entry: str) -> str:
    found = _TITLE.search(entry)
    return " ".join(re.sub(r"[{}$\\]", "", found[1]).split()).rstrip(",.") if found else ""


def _months_after(key: Key, created_at: str) -> int | None:
    """Return how many months after its arXiv paper a repository was made; None where one of the dates is unknown."""
    made, paper = re.match(r"\d\d(\d\d)-(\d\d)", created_at), re.match(r"(\d\d)(\d\d)\.", key.value)
    if key.kind != "arxiv" or made is None or paper is None:
        return None
    return 12 * (int(made[1]) - int(paper[1])) + int(made[2]) - int(paper[2])


def _quoted(description: str) -> str:
    """Return the title that a description quotes, if it quotes just one thing of four words or more."""
    found = [
        words
        for words in re.findall(r"[\"“]([^\"“”]{12,250})[\"”]", description)
        if len(words.split()) >= 4
    ]
    return found[0].strip(" .,") if len(found) == 1 else ""


@dataclass(frozen=True, slots=True)
class _Signs:
    """What a repository says of papers.

    Attributes:
        named: the papers that the README links, repeats included; `readme`: each once.
        entries: (title, papers) of each citation; `cited`: the papers of all.
        own: the entries that are titled like the repository.
    """

    name: str
    description: str
    homepage: str
    badge: str
    created_at: str
    named: list[Key]
    entries: list[tuple[str, list[Key]]]
    own: list[tuple[str, list[Key]]]

    @property
    def readme(self) -> list[Key]:
        return list(dict.fromkeys(self.named))

    @property
    def cited(self) -> list[Key]:
        return list(dict.fromkeys(key for _, keys in self.entries for key in keys))

    @property
    def own_title(self) -> str:
        return self.own[0][0] if len(self.own) == 1 else ""

    def near(self, key: Key) -> bool:
        """Whether a paper appeared when the repository was made."""
        months = _months_after(key, self.created_at)
        return months is not None and -4 <= months <= 1

    def too_old(self, key: Key, months: int = 24) -> bool:
        after = _months_after(key, self.created_at)
        return after is not None and after > months


_Evidence = tuple[str, list[Key], str]  # role, papers, title


def _by_itself(signs: _Signs) -> _Evidence | None:
    said = papers_in(signs.description)
    if len(said) == 1:
        return "description", said, ""
    home = paper_key(signs.homepage)
    return ("homepage", [home], "") if home else None


def _by_name(signs: _Signs) -> _Evidence | None:
    titled = {keys[0]: title for title, keys in reversed(signs.own) if len(keys) == 1}
    return ("name", list(titled), next(iter(titled.values()))) if len(titled) == 1 else None


def _by_citation(signs: _Signs) -> _Evidence | None:
    if len(signs.cited) != 1 or signs.too_old(signs.cited[0]):
        return None
    if len(signs.entries) > 1 and (signs.own or not signs.near(signs.cited[0])):
        return None
    return "bibtex", signs.cited, next(title for title, keys in signs.entries if keys)


def _by_only_link(signs: _Signs) -> _Evidence | None:
    papers = signs.readme
    if len(papers) != 1 or signs.too_old(papers[0]):
        return None
    if signs.cited and papers[0] not in signs.cited:
        return None
    again = len(signs.named) > 1
    speaks = _SAYS_CODE.search(signs.description) or (signs.entries and again)
    if signs.own or (speaks and not signs.too_old(papers[0], months=4)):
        return "readme", papers, signs.own_title
    sober = not signs.description or _IMPLEMENTS.search(signs.description)
    if signs.near(papers[0]) and (sober or (again and "awesome" not in signs.name.casefold())):
        return "date", papers, ""
    return None


def _by_first_of_several(signs: _Signs) -> _Evidence | None:
    if len(signs.readme) < 2:
        return None
    if badged := paper_key(signs.badge):
        return "badge", [badged], ""
    first, *others = signs.readme
    if signs.own and signs.near(first) and not any(map(signs.near, others)):
        return "date", [first], signs.own_title
    return None


def _by_date(signs: _Signs) -> _Evidence | None:
    first = signs.readme[:1]
    if first and signs.near(first[0]) and _SAYS_CODE.search(signs.description):
        return "date", first, ""
    return None


_RULES = (
    _by_itself,
    _by_name,
    _by_citation,
    _by_only_link,
    _by_first_of_several,
    _by_date,
)  # strongest first


def paper_links(
    name: str,
    description: str,
    homepage: str = "",
    *,
    readme_urls: Iterable[str] = (),
    citations: Sequence[str] = (),
    badge: str = "",
    created_at: str = "",
) -> tuple[SavedLink, ...]:
    """Return links to the papers behind a repository, those of the strongest evidence only.

    Args:
        name: the repository's own name, without its owner.
        readme_urls: addresses found in the README, repeats included.
        citations: the BibTeX entries of the README, each as text.
        badge: the address behind an arXiv badge, if another tool found one.
        created_at: when the repository was made, ISO 8601.
    """
    entries = [(_title_of(entry), papers_in_citation(entry)) for entry in citations]
    own = [
        (title, keys)
        for (title, keys), entry in zip(entries, citations, strict=True)
        if (keys or not _OF_SOFTWARE.search(entry)) and _alike(title, description, name)
    ]
    named = [key for url in readme_urls if (key := paper_key(url))]
    signs = _Signs(name, description, homepage, badge, created_at, named, entries, own)
    for rule in _RULES:
        if found := rule(signs):
            role, papers, title = found
            title = title or _quoted(description)
            return tuple(SavedLink(role, address_of(key), title) for key in papers)
    guesses = list(dict.fromkeys([*signs.cited, *signs.readme]))
    role = "mention" if len(guesses) == 1 else "several"
    return tuple(SavedLink(role, address_of(key)) for key in guesses)
