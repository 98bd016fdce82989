"""What a run says at its end: every claim with its verdict in one block, the counts, and what comes next."""

from __future__ import annotations

import shlex
import shutil
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .console import clean, counted, say
from .progress import STYLES, about


if TYPE_CHECKING:
    from studiolo.claims import Claim, Paper, Verdict
    from studiolo.report import PaperView
    from studiolo.runs import Plan

WIDEST = 100  # columns of a sentence
WORDS = {  # verdict: of one claim, of several
    "holds": ("holds", "hold"),
    "holds in direction only": ("holds in direction only", "hold in direction only"),
    "does not hold": ("does not hold", "do not hold"),
    "passes": ("passes", "pass"),
    "does not pass": ("does not pass", "do not pass"),
    "inconclusive": ("is inconclusive", "are inconclusive"),
    "not testable here": ("is not testable here", "are not testable here"),
    "error": ("ended in an error", "ended in an error"),
    "left": ("is left for another run", "are left for another run"),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """Who says what is measured: the paper, or we beyond the paper or about our code; each is counted apart."""

    what: str
    noun: str
    heading: str
    claims_of: Callable[[Paper], Sequence[Claim]]


KINDS = (
    Kind("Claims of the papers", "claim", "", lambda paper: paper.papers_claims),
    Kind("Our own questions", "question", "We also ask:", lambda paper: paper.our_questions),
    Kind("Checks of our code", "check", "Checks of our code:", lambda paper: paper.checks),
)


def show_verdicts(papers: Sequence[PaperView], *, ids: bool) -> None:
    """Print every claim that was measured here, in the order of the list and of each paper folder.

    A control is told in the block of the claim that names it: alone, its "does not hold" would read as a failure.
    """
    for view in papers:
        measured = [
            (kind, [c for c in kind.claims_of(view.paper) if not is_left(view.verdicts[c.id])])
            for kind in KINDS
        ]
        if any(claims for _, claims in measured):
            _say("")
            _say(f"{view.paper.title} ({view.paper.year})", style="bold")
        for kind, claims in measured:
            if kind.heading and claims:
                _say(kind.heading, indent=2, style="dim")
            for claim in claims:
                _show_claim(view, claim, ids=ids)


def show_counts(papers: Sequence[PaperView]) -> None:
    """Print how many of the papers' claims have which verdict, our own questions and checks beside them."""
    _say("")
    for kind in KINDS:
        verdicts = [(c, v.verdicts[c.id]) for v in papers for c in kind.claims_of(v.paper)]
        of = Counter("left" if is_left(v) else _word(claim, v) for claim, v in verdicts)
        words = [f"{of[word]} {WORDS[word][of[word] > 1]}" for word in WORDS if of[word]]
        if words:
            _say(f"{kind.what} ({of.total()}): {', '.join(words)}.")
        elif kind is KINDS[0]:
            _say("No paper on this list has a claim that can be measured.")
    if any(verdict.word == "error" for view in papers for verdict in view.verdicts.values()):
        _say(
            "What ended in an error is run again only when its code changes, or paper.toml asks for the next series."
        )


def show_left(papers: Sequence[PaperView], why_left: Mapping[tuple[str, str], str]) -> None:
    """Print in one line how much waits for another run, and why.

    Args:
        why_left: by (paper slug, claim id).
    """
    left = [
        (kind, (view.paper.slug, claim.id))
        for kind in KINDS
        for view in papers
        for claim in kind.claims_of(view.paper)
        if is_left(view.verdicts[claim.id])
    ]
    if left:
        numbers = Counter(kind.noun for kind, _ in left)
        what = ", ".join(counted(number, noun) for noun, number in numbers.items())
        reasons = Counter(why_left[name] for _, name in left if name in why_left).most_common()
        if len(reasons) > 1:
            because = f" ({'; '.join(f'{number}: {why}' for why, number in reasons)})"
        else:
            because = f" ({reasons[0][0]})" if reasons else ""
        _say("")
        _say(f"Left for another run: {what}{because}.")


def show_next(rest: Plan, jobs: int, path: Path) -> None:
    """Print what would be measured next, how long that takes, and how long everything that is left takes."""
    bundle = next((bundle for bundle in rest.bundles if bundle.rank < 2), None)
    if bundle is None:
        return
    says = " ".join(bundle.paper.claim(bundle.name).says.split())
    _say(f"Next: {says} ({bundle.paper.title}; {about(bundle.wall_s(jobs))})")
    _say(f"All that is left takes {about(rest.wall_s(jobs))}. Go on with:")
    say(f"  studiolo run {shlex.quote(str(path))}")


def is_left(verdict: Verdict) -> bool:
    """True if seeds are still to be run before the claim has a verdict."""
    return verdict.word == "not run" or (
        verdict.word == "inconclusive" and verdict.interval is None and verdict.n < verdict.of
    )


def _show_claim(view: PaperView, claim: Claim, *, ids: bool) -> None:
    verdict = view.verdicts[claim.id]
    _say(" ".join(claim.says.split()), indent=2)
    parts = [_outcome(view, claim, verdict), *_notes(claim, verdict)]
    if claim.scale.kind and claim.by != "code":
        parts.insert(1, f"{claim.scale.kind} scale")
    _say("; ".join(parts), indent=4, style=STYLES.get(verdict.word, "dim"))
    if ids:
        _say(f"{view.paper.slug} {claim.id}", indent=4, style="dim")


def _word(claim: Claim, verdict: Verdict) -> str:
    """Return the verdict's word; a check of our code passes or does not."""
    from studiolo.claims import outcome_of_check

    return outcome_of_check(verdict) if claim.by == "code" else verdict.word


def _outcome(view: PaperView, claim: Claim, verdict: Verdict) -> str:
    """Return the verdict's word and its reason, without the ids by which a joined claim names its parts."""
    word = _word(claim, verdict)
    if claim.all_of:
        held = sum(view.verdicts[part].word == "holds" for part in claim.all_of)
        parts = "all its" if held == len(claim.all_of) else f"{held} of its {len(claim.all_of)}"
        return f"{word} ({parts} parts {'holds' if held == 1 else 'hold'})"
    return f"{word} ({verdict.why})" if verdict.why else word


def _notes(claim: Claim, verdict: Verdict) -> Iterator[str]:
    """Yield what has to stand beside the verdict: whether the control is shown, and the verdict's other notes."""
    notes = [note for note in verdict.note.split("; ") if note]
    decided = verdict.interval is not None or verdict.word in (
        "holds",
        "holds in direction only",
        "does not hold",
    )
    if "control failed" in verdict.why:
        yield "control: the effect is there too, so nothing is decided"
    elif "control not shown" in notes:
        yield "control: not shown to be absent"
    elif claim.controls and decided:
        yield "control: absent, as it must be"
    yield from (note for note in notes if note != "control not shown")


def _say(text: str, *, indent: int = 0, style: str = "") -> None:
    """Print a paragraph, each of its lines indented."""
    width = max(20, min(shutil.get_terminal_size().columns, WIDEST) - indent)
    for line in textwrap.wrap(clean(text), width, break_on_hyphens=False) or [""]:
        say(" " * indent, line, style=style)
