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


def words_of(text: str) -> set[str]:
    """Return the telling words of a title or description."""
    return set(_WORD.findall(text.casefold())) - _STOP


def _alike(title: str, description: str, name: str) -> bool:
    """Return whether a title could head this repository: most of its words are in the description, or it starts with its name."""
    title_words = words_of(title)
    if len(title_words) >= 3 and len(title_words & words_of(description)) >= 0.6 * len(title_words):
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

    def links(role: str, keys: Iterable[Key], title: str = "") -> tuple[SavedLink, ...]:
        return tuple(SavedLink(role, address_of(key), title or quoted) for key in keys)

    def near(key: Key) -> bool:
        months = _months_after(key, created_at)
        return months is not None and -4 <= months <= 1

    def too_old(key: Key, months: int = 24) -> bool:
        after = _months_after(key, created_at)
        return after is not None and after > months

    quoted = _quoted(description)
    said = papers_in(description)
    if len(said) == 1:
        return links("description", said)
    if home := paper_key(homepage):
        return links("homepage", [home])

    named = [key for url in readme_urls if (key := paper_key(url))]
    readme = list(dict.fromkeys(named))
    entries = [(_title_of(entry), papers_in_citation(entry)) for entry in citations]
    cited = list(dict.fromkeys(key for _, keys in entries for key in keys))
    own = [
        (title, keys)
        for (title, keys), entry in zip(entries, citations, strict=True)
        if (keys or not _OF_SOFTWARE.search(entry)) and _alike(title, description, name)
    ]
    titled = {keys[0]: title for title, keys in reversed(own) if len(keys) == 1}
    if len(titled) == 1:
        return links("name", titled, *titled.values())
    if (
        len(cited) == 1
        and not too_old(cited[0])
        and (len(entries) == 1 or (not own and near(cited[0])))
    ):
        return links("bibtex", cited, next(title for title, keys in entries if keys))
    if len(readme) == 1 and not too_old(readme[0]) and (not cited or readme[0] in cited):
        speaks = _SAYS_CODE.search(description) or (entries and len(named) > 1)
        if own or (speaks and not too_old(readme[0], months=4)):
            return links("readme", readme, own[0][0] if len(own) == 1 else "")
        sober = not description or _IMPLEMENTS.search(description)
        if near(readme[0]) and (sober or (len(named) > 1 and "awesome" not in name.casefold())):
            return links("date", readme)
    if len(readme) > 1:
        if badged := paper_key(badge):
            return links("badge", [badged])
        if own and near(readme[0]) and not any(near(key) for key in readme[1:]):
            return links("date", readme[:1], own[0][0] if len(own) == 1 else "")
    if readme and near(readme[0]) and _SAYS_CODE.search(description):
        return links("date", readme[:1])
    found = list(dict.fromkeys([*cited, *readme]))
    quoted = ""
    return links("mention" if len(found) == 1 else "several", found)
