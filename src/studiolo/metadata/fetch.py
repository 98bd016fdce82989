"""What is known of a work: the known first, then the services in the order in which they can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from studiolo.errors import NetworkError
from studiolo.keys import Key
from studiolo.net import Client

from .arxiv import fetch_arxiv
from .facts import Facts
from .others import (
    fetch_crossref,
    fetch_datacite,
    fetch_github,
    fetch_openalex,
    fetch_semantic_scholar,
)
from .services import Services


@dataclass(slots=True)
class Fetched:
    """What a look-up came to.

    Attributes:
        facts: what is known of each key asked, new and old; `missing` among them.
        new: those that a service was asked for this time.
        failed: keys of which nothing is known because no service answered, each with the reason.
        notes: what else did not work.
    """

    facts: dict[Key, Facts] = field(default_factory=dict)
    new: list[Facts] = field(default_factory=list)
    failed: dict[Key, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def missing(self) -> list[Key]:
        """Return the keys that no service knows."""
        return [key for key, facts in self.facts.items() if facts.missing]


def fetch_facts(
    keys: Iterable[Key],
    *,
    client: Client,
    services: Services | None = None,
    known: Mapping[Key, Facts] | None = None,
    refresh: bool = False,
    crosswalk: bool = False,
    on_done: Callable[[Facts], object] | None = None,
) -> Fetched:
    """Return what is known of keys: from `known` and the cache first, from the services for the rest.

    arXiv keys are asked of arXiv, then Semantic Scholar, then OpenAlex; DOIs of Crossref, DataCite, OpenAlex; repositories of
    GitHub; other papers of Semantic Scholar. A service that fails hands its keys to the next; nothing raises, so that what
    could be learnt is learnt. Offline, the cache answers.

    Args:
        client: how to ask; `Client(cache, offline=True)` asks nobody.
        known: facts of earlier look-ups.
        refresh: ask again for what is known.
        crosswalk: also ask Semantic Scholar which other keys the arXiv papers and DOIs have.
        on_done: called with each new fact.
    """
    services = services or Services.from_environment()
    fetched = Fetched()
    wanted = list(dict.fromkeys(keys))
    for key in wanted:
        if known and key in known and not refresh:
            fetched.facts[key] = known[key]
    day = datetime.now(UTC).strftime("%Y-%m-%d")

    def take(facts: Facts) -> None:
        before = fetched.facts.get(facts.key)
        if before is None or before.missing:
            fetched.facts[facts.key] = replace(facts, fetched=day)

    for chain in _chains(wanted, client, services, refresh):
        left = [key for key in chain.keys if key not in fetched.facts]
        for ask in chain.ask:
            if not left:
                break
            why = ""
            try:
                for facts in ask(left):
                    take(facts)
            except NetworkError as problem:
                why = str(problem)
            for key in left:
                if key not in fetched.facts and why:
                    fetched.failed.setdefault(key, why)
            left = [key for key in left if key not in fetched.facts or fetched.facts[key].missing]
    if crosswalk:
        _cross(fetched, client, services, refresh)
    for key in wanted:
        if key in fetched.facts:
            fetched.failed.pop(key, None)
        else:
            fetched.failed.setdefault(
                key, f"No service can be asked for a key of the kind {key.kind}."
            )
    for key, facts in fetched.facts.items():
        if not known or known.get(key) != facts:
            fetched.new.append(facts)
            if on_done:
                on_done(facts)
    return fetched


@dataclass(slots=True)
class _Chain:
    keys: list[Key]
    ask: tuple[Callable[[Sequence[Key]], Iterator[Facts]], ...]


def _chains(keys: list[Key], client: Client, at: Services, refresh: bool) -> Iterator[_Chain]:
    def one(
        fetch: Callable[..., Facts], address: str
    ) -> Callable[[Sequence[Key]], Iterator[Facts]]:
        return lambda left: (fetch(client, key, address, refresh=refresh) for key in left)

    def many(
        fetch: Callable[..., Iterator[Facts]], address: str
    ) -> Callable[[Sequence[Key]], Iterator[Facts]]:
        return lambda left: fetch(client, left, address, refresh=refresh)

    scholar = many(fetch_semantic_scholar, at.semantic_scholar)
    alex = many(fetch_openalex, at.openalex)
    yield _Chain(
        [key for key in keys if key.kind == "arxiv"], (many(fetch_arxiv, at.arxiv), scholar, alex)
    )
    yield _Chain(
        [key for key in keys if key.kind == "doi"],
        (one(fetch_crossref, at.crossref), one(fetch_datacite, at.datacite), alex),
    )
    yield _Chain([key for key in keys if key.kind == "github"], (one(fetch_github, at.github),))
    others = [key for key in keys if key.names_paper and key.kind not in {"arxiv", "doi"}]
    yield _Chain(others, (scholar,))


def _cross(fetched: Fetched, client: Client, at: Services, refresh: bool) -> None:
    """Add the other keys of each work; a failure of this extra loses nothing."""
    keys = [
        key
        for key, facts in fetched.facts.items()
        if key.kind in {"arxiv", "doi", "acl"} and facts.said_by != "semantic-scholar"
    ]
    try:
        for facts in fetch_semantic_scholar(client, keys, at.semantic_scholar, refresh=refresh):
            known = fetched.facts[facts.key]
            same = tuple(sorted({*known.same, *facts.same}))
            if same != known.same:
                fetched.facts[facts.key] = replace(
                    known, same=same, venue=known.venue or facts.venue
                )
    except NetworkError as problem:
        fetched.notes.append(f"No crosswalk to other keys: {problem}")
