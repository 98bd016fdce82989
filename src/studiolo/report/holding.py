"""How many claims hold by the records of a library, whichever machine looks at them: for its contents and its feed."""

from __future__ import annotations

from studiolo.claims import Paper, Word
from studiolo.garden import Event
from studiolo.keys import Key, address_of
from studiolo.library import Library, load_same
from studiolo.runs import discover, load_library_evidence

from .rows import join, papers_on
from .view import share_of


def claims_that_hold(library: Library) -> dict[str, tuple[int, int]]:
    """Return how many claims hold and how many were decided, by the name of the list; lists without any are left out.

    Of each paper the machine that decided most of its claims speaks, so that a robot that only writes the contents finds
    what the reader's own machine finds.
    """
    papers, works = discover(library.folder, problems=[]), load_same(library)
    found: dict[str, tuple[int, int]] = {}
    by_paper: dict[str, tuple[int, int]] = {}
    for path, document in library.documents.items():
        decided = holds = 0
        for paper in papers_on(join(document, papers, works)):
            if paper.slug not in by_paper:
                by_paper[paper.slug] = _tally(library, paper)[:2]
            decided += by_paper[paper.slug][0]
            holds += by_paper[paper.slug][1]
        if decided:
            found[library.relative(path)] = (holds, decided)
    return found


def measured_events(library: Library) -> list[Event]:
    """Return for each paper that was measured in a library that it was, when last, and how many of its claims hold."""
    if not (library.state / "results").is_dir():
        return []
    found = []
    for paper in discover(library.folder, problems=[]):
        decided, holds, last = _tally(library, paper)
        if decided:
            text = f"{share_of(holds, decided, 'claim', 'holds', 'hold')}."
            url = address_of(Key.parse(paper.key))
            found.append(Event("measured", last, paper.title, url, text, f"{paper.key} {last}"))
    return found


def _tally(library: Library, paper: Paper) -> tuple[int, int, str]:
    """Return how many claims of a paper were decided by one machine, how many of them hold, and when it last measured."""
    tallies = [(0, 0, "")]
    for evidence in load_library_evidence(paper, library.folder):
        verdicts = evidence.verdicts()
        words = [verdicts[claim.id] for claim in paper.papers_claims]
        decided = [verdict for verdict in words if verdict.decided]
        last = max((record.started for record in evidence.current.values()), default="")
        tallies.append((len(decided), sum(v.word is Word.HOLDS for v in decided), last))
    return max(tallies)
