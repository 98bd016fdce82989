"""What was tried before a claim got the rule that it has: from the lines of ledgers to the marks beside its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .paper import Claim, Paper
from .rule import Rule, changes, hash_of, rule_of, series_of


ORDINALS = (
    "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Results of a claim that were seen under a rule: a line of a ledger.

    Attributes:
        claim: its id then. was: the ids before. says, where: its sentence and place then.
        rule: the whole of it. hash: `hash_of(rule)`. code: hash of the experiments that it reads.
        verdict: the word, or how many seeds there were. decided: all of them were there.
        at: when, ISO 8601 in UTC. built_in: the paper folder came with Studiolo. reworded: the author's reason.
        shipped: the line stands in the paper folder itself.
        found: the records were there already, so that what came before them is not known.
    """

    claim: str
    was: tuple[str, ...] = ()
    says: str = ""
    where: str = ""
    rule: Rule = field(default_factory=dict)
    hash: str
    code: str = ""
    verdict: str
    decided: bool
    at: str
    built_in: bool = False
    reworded: str = ""
    shipped: bool = False
    found: bool = False

    @property
    def key(self) -> tuple[str, str, str, bool]:
        """What is written once in each ledger."""
        return (self.claim, self.hash, self.code, self.decided)


@dataclass(frozen=True)
class Earlier:
    """A rule that a claim had before, its verdict then, and what has changed since."""

    verdict: str
    at: str
    changed: tuple[str, ...]
    reworded: str = ""

    def __str__(self) -> str:
        how = f", {'; '.join(self.changed)}" if self.changed else ""
        return f"{self.verdict} ({self.at[:10]}{how})"


@dataclass(frozen=True)
class History:
    """What was tried for one claim.

    Attributes:
        tried: different rules, today's included; what its author registered as reworded is none of them.
        draws: the same, with every version of a reader's own code: how often it could have held wrongly.
        marks: what stands beside the verdict; empty for a claim that nobody changed after its results.
        earlier: the other rules, oldest first.
        other_code: verdicts of other versions of built-in code under the same rule, where they differ.
    """

    tried: int = 1
    draws: int = 1
    marks: tuple[str, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    other_code: tuple[str, ...] = ()


@dataclass(frozen=True)
class Histories:
    """The histories of a paper's claims by id, controls left out: a claim's rule holds those of its controls.

    Attributes:
        deleted: sentences about claims that were seen and are not in the paper folder any more.
    """

    claims: Mapping[str, History] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()

    def of(self, id: str) -> History:
        """Return the history of a claim; of one that has none, that of a claim nobody changed."""
        return self.claims.get(id, History())


def history_of(
    paper: Paper, lines: Iterable[Seen], code: Mapping[str, str], *, built_in: bool
) -> Histories:
    """Count what was tried for each claim of a paper.

    Args:
        lines: of all ledgers that know the paper, in any order.
        code: by claim id, the hash of the experiments that it reads today.
        built_in: the paper folder came with Studiolo, so that its versions and not the reader change its code.
    """
    seen = sorted(lines, key=lambda line: line.at)
    heads = [claim for claim in paper.claims if claim.id not in paper.controls]
    names = {claim.id: _names(claim, heads, seen) for claim in heads}
    known = {name for ids in names.values() for name in ids}
    gone: dict[str, list[Seen]] = {}
    for line in seen:
        if line.claim not in known:
            gone.setdefault(line.claim, []).append(line)
    histories = {}
    for claim in heads:
        own = [line for line in seen if line.claim in names[claim.id]]
        history = _history(paper, claim, own, code.get(claim.id, ""), built_in)
        follows = [id for id, lines in gone.items() if _follows(claim, own, lines)]
        marks = (*history.marks, *(f"follows the deleted claim {id}" for id in follows))
        histories[claim.id] = replace(history, marks=marks)
    deleted = (f"{id} was deleted after it was seen: {_last(x).verdict}" for id, x in gone.items())
    return Histories(histories, tuple(deleted))


def _names(claim: Claim, heads: Sequence[Claim], seen: Sequence[Seen]) -> set[str]:
    """Return the ids of a claim: today's, those that it says it had, and those that its lines say it had."""
    taken = {head.id for head in heads} - {claim.id}
    names, pending = set[str](), [claim.id, *claim.was]
    while pending:
        name = pending.pop()
        if name not in names and name not in taken:
            names.add(name)
            pending += [id for line in seen if line.claim == name for id in line.was]
    return names


def _history(paper: Paper, claim: Claim, own: Sequence[Seen], code: str, built_in: bool) -> History:
    rule = rule_of(paper, claim)
    today, series = hash_of(rule), series_of(rule)
    by_hash: dict[str, list[Seen]] = {}
    for line in own:
        by_hash.setdefault(line.hash, []).append(line)
    registered = _registered(claim, own, today, series)
    others = {hash: lines for hash, lines in by_hash.items() if hash != today}
    tried = 1 + sum(hash not in registered for hash in others)
    versions = {(today, code)}
    if not built_in:
        versions |= {(line.hash, line.code) for line in own if not line.built_in}
    codes = {code for _, code in versions}
    drawn = {hash for hash, _ in versions if hash not in registered}
    marks = []
    if tried > 1:
        marks.append(f"{_ordinal(tried)} rule tried")
    marks += [
        f"reworded: {why}" for why in dict.fromkeys((*registered.values(), claim.reworded)) if why
    ]
    known = {series_of(line.rule) for line in own if series_of(line.rule) < series}
    if len(known) < series and not claim.all_of:
        marks.append(_of_series(series, len(known)))
    if claim.by != "paper" and not claim.reworded and "paper" in {x.rule.get("by") for x in own}:
        marks.append("was a claim of the paper")
    if len(codes) > 1:
        marks.append(f"code changed after results ({len(codes)} versions)")
    earlier = [
        Earlier(
            _last(x).verdict, _last(x).at, tuple(changes(x[-1].rule, rule)), registered.get(h, "")
        )
        for h, x in others.items()
    ]
    same_rule = _verdicts(by_hash.get(today, ())) if built_in else {}
    return History(
        tried,
        max(tried, tried - len(drawn) + len({v for v in versions if v[0] in drawn})),
        tuple(marks),
        tuple(earlier),
        tuple(same_rule) if len(same_rule) > 1 else (),
    )


def _registered(claim: Claim, own: Sequence[Seen], today: str, series: int) -> dict[str, str]:
    """Return the rules, by hash, that the author gave up with a reason, each for the next series.

    The rule must stand in the paper folder's own ledger; of each id and series only the last one is excused.
    """
    reasons = {series_of(line.rule): line.reworded for line in own if line.reworded}
    if claim.reworded:
        reasons[series] = claim.reworded
    last: dict[tuple[str, int], str] = {}
    for line in own:
        if line.shipped and line.hash != today and series_of(line.rule) < series:
            last[line.claim, series_of(line.rule)] = line.hash
    return {
        hash: reasons[before + 1] for (_, before), hash in last.items() if reasons.get(before + 1)
    }


def _follows(claim: Claim, own: Sequence[Seen], deleted: Sequence[Seen]) -> bool:
    """Whether a claim was first seen after a deleted one with which it shares its sentence, place, run or metric."""
    if own and own[0].at <= deleted[0].at:
        return False
    return any(
        a and a == b
        for line in deleted
        for a, b in (
            (claim.run, line.rule.get("run")),
            (claim.metric, line.rule.get("metric")),
            (claim.says, line.says),
            (claim.where, line.where),
        )
    )


def _last(lines: Sequence[Seen]) -> Seen:
    """Return the last line that was decided, else the last."""
    return next((line for line in reversed(lines) if line.decided), lines[-1])


def _verdicts(lines: Iterable[Seen]) -> dict[str, None]:
    return dict.fromkeys(line.verdict for line in lines if line.decided)


def _of_series(series: int, known: int) -> str:
    if series == 1:
        return "series 1, whose earlier draw is not known"
    which = f"only {known} {'is' if known == 1 else 'are'} known" if known else "none is known"
    return f"series {series}, of whose {series} earlier draws {which}"


def _ordinal(number: int) -> str:
    return ORDINALS[number - 2] if number - 2 < len(ORDINALS) else f"{number}th"
