"""The whole rule of a claim: everything that turns seeds into a verdict, so that any change of it can be counted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from .paper import Claim, Paper
from .region import Region


Rule = Mapping[str, Any]

COUNTED_APART = "by"  # who says it decides where a verdict is counted, not what it is


def rule_of(paper: Paper, claim: Claim) -> dict[str, Any]:
    """Return the rule as JSON can hold it: what is empty is left out; controls and parts come with their whole rules."""
    given: dict[str, Any] = {
        "by": claim.by,
        "states": claim.states,
        "run": claim.run,
        "config": dict(claim.config),
        "metric": claim.metric,
        "region": _written(claim.region),
        "weaker": _written(claim.weaker),
        "needs": list(claim.needs),
        "controls": {id: rule_of(paper, paper.claim(id)) for id in claim.controls},
        "all_of": {id: rule_of(paper, paper.claim(id)) for id in claim.all_of},
    }
    if not claim.all_of:
        given |= {
            "statistic": claim.statistic,
            "tolerance": claim.tolerance,
            "seeds": claim.seeds,
            "series": claim.series,
            "failure": claim.failure,
            "timeout_s": claim.timeout_s,
            "timing": claim.timing,
        }
    return {name: value for name, value in given.items() if value not in (None, "", 0, [], {})}


def hash_of(rule: Rule) -> str:
    """Return 16 hex digits of a rule; another value means another rule."""
    return hashlib.sha256(_canonical(_plain(rule)).encode()).hexdigest()[:16]


def series_of(rule: Rule) -> int:
    """Return the series that a rule draws from; of joined claims the latest of their parts."""
    return max([_whole(rule.get("series")), *map(series_of, _rules(rule.get("all_of")).values())])


def runs_of(rule: Rule) -> set[str]:
    """Return the experiments that a rule reads, those of its controls and parts included."""
    runs = {str(rule["run"])} if rule.get("run") else set()
    for name in ("controls", "all_of"):
        for inner in _rules(rule.get(name)).values():
            runs |= runs_of(inner)
    return runs


def changes(before: Rule, after: Rule) -> list[str]:
    """Say what differs between two rules, such as "region: at least 1.3 -> at least 1.1" and "control x dropped"."""
    return list(_changes(before, after))


def _changes(before: Rule, after: Rule) -> Iterator[str]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if _canonical(old) == _canonical(new):
            continue
        if name in ("controls", "all_of"):
            yield from _changes_within("control" if name == "controls" else "part", old, new)
        else:
            yield f"{name}: {_shown(name, old)} -> {_shown(name, new)}"


def _changes_within(kind: str, old: object, new: object) -> Iterator[str]:
    before, after = _rules(old), _rules(new)
    for id in dict.fromkeys((*before, *after)):
        if id not in after:
            yield f"{kind} {id} dropped"
        elif id not in before:
            yield f"{kind} {id} added"
        elif _canonical(before[id]) != _canonical(after[id]):
            yield f"{kind} {id} changed ({'; '.join(_changes(before[id], after[id]))})"


def _shown(name: str, value: object) -> str:
    if name in ("region", "weaker") and isinstance(value, dict):
        try:
            return str(Region.parse(value))
        except ValueError:
            pass
    return "none" if value is None else _canonical(value).strip('"')


def _written(region: Region | None) -> dict[str, Any] | None:
    if region is None:
        return None
    return {region.kind: region.numbers[0] if len(region.numbers) == 1 else list(region.numbers)}


def _plain(rule: object) -> object:
    """Leave out, at every depth, what does not turn seeds into a verdict."""
    if not isinstance(rule, Mapping):
        return rule
    inner = {
        name: {id: _plain(r) for id, r in _rules(value).items()}
        for name, value in rule.items()
        if name in ("controls", "all_of")
    }
    return {k: v for k, v in rule.items() if k != COUNTED_APART} | inner


def _rules(value: object) -> Mapping[str, Rule]:
    if not isinstance(value, Mapping):
        return {}
    return {str(id): rule for id, rule in value.items() if isinstance(rule, Mapping)}


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(", ", ": "), default=str)
