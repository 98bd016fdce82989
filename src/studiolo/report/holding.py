"""How many claims hold for the papers of each list, by the records of a library, whichever machine looks at them."""

from __future__ import annotations

from studiolo.claims import Word
from studiolo.library import Library, load_same
from studiolo.runs import discover, load_library_evidence

from .rows import join, papers_on


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
                tallies = [(0, 0)]
                for evidence in load_library_evidence(paper, library.folder):
                    verdicts = evidence.verdicts()
                    words = [verdicts[claim.id] for claim in paper.papers_claims]
                    of_these = [verdict for verdict in words if verdict.decided]
                    tallies.append((len(of_these), sum(v.word is Word.HOLDS for v in of_these)))
                by_paper[paper.slug] = max(tallies)
            decided += by_paper[paper.slug][0]
            holds += by_paper[paper.slug][1]
        if decided:
            found[library.relative(path)] = (holds, decided)
    return found
