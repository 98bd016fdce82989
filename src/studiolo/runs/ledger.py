"""The ledger: every rule under which results of a claim were seen, in lines that are only ever added.

It is kept in three places and read as one: in the library, in the paper folder, with which it travels, and in the
reader's own state folder, so that a library that was thrown away leaves a trace.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import platformdirs

from studiolo.claims import (
    Claim,
    Histories,
    Paper,
    Seen,
    Verdict,
    Word,
    hash_of,
    history_of,
    noted,
    rule_of,
)
from studiolo.errors import FileError
from studiolo.files import append_json_lines, load_bytes, load_json_lines, refuse_to_leave

from .discovery import is_readers_own
from .evidence import Evidence, SeedKey, experiment_of, record_key, results_folder
from .fingerprint import canonical
from .machine import this_machine
from .records import LEDGER
from .worker import BUILT_IN, Task


NO_HISTORY = "the rules of this folder have no history"


def state_ledger(key: str) -> Path:
    """Return where the reader's own ledger of the paper with that key lies, whatever the library."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return Path(platformdirs.user_state_dir("studiolo")) / "ledger" / f"{digest}.jsonl"


@dataclass(slots=True)
class Ledger:
    """What is known of a paper's rules, and where more of it is written.

    Attributes:
        lines: what was seen, of all places.
        began: how often a seed of a code was begun in this library.
        places: the files that are written: the library's first.
        known: by place, what stands there.
    """

    paper: Paper
    lines: list[Seen] = field(default_factory=list)
    began: Counter[tuple[SeedKey, str]] = field(default_factory=Counter)
    places: Sequence[Path] = ()
    known: dict[Path, set[tuple[str, str, str, bool]]] = field(default_factory=dict)

    def histories(self, source: Evidence) -> Histories:
        """Return what was tried for each claim, as its code is now."""
        code = {claim.id: source.code_of(claim) for claim in self.paper.claims}
        built_in = not is_readers_own(self.paper)
        return history_of(self.paper, self.lines, code, built_in=built_in)

    def verdicts(self, source: Evidence, histories: Histories | None = None) -> dict[str, Verdict]:
        """Judge the claims, each verdict with the marks of what was tried beside it."""
        histories = histories or self.histories(source)
        verdicts = source.verdicts()
        for id, verdict in verdicts.items():
            if verdict.n:
                often = self._without_outcome(source, source.paper.claim(id))
                attempts = f"{often} attempt{'s' if often > 1 else ''} came to no outcome"
                note = noted(verdict.note, *histories.of(id).marks, attempts if often else "")
                verdicts[id] = replace(verdict, note=note)
        return verdicts

    def _without_outcome(self, source: Evidence, claim: Claim) -> int:
        """Return how many attempts at the seeds that count were interrupted, or done again as code asked for it.

        What a reader's own code does, it can do where a draw is not to its liking: slow down on a machine that it
        wants quiet, or miss some data.
        """
        if claim.all_of:
            return sum(self._without_outcome(source, source.paper.claim(i)) for i in claim.all_of)
        experiment, own = experiment_of(claim), is_readers_own(self.paper)
        seeds = [(record_key(r), r.fingerprint) for r in source.records_of(experiment)]
        often = {seed: self.began[seed] for seed in seeds if self.began[seed] > 1}
        if not often:
            return 0
        ended = Counter(
            (record_key(r), r.fingerprint)
            for r in source.records
            if not own or not (r.status == "needs" or (experiment.quiet and r.busy))
        )
        return sum(max(0, began - ended[seed]) for seed, began in often.items())

    def has_history(self, source: Evidence, reference: Iterable[Evidence]) -> bool:
        """False where there are verdicts and the ledger does not know how they came about."""
        if any(other.current for other in reference) and not any(s.shipped for s in self.lines):
            return False
        seen = {line.claim for line in seen_in(source)}
        own = is_readers_own(self.paper)
        return not seen or any(not x.found and (own or not x.shipped) for x in self.lines)

    def note(self, source: Evidence, *, found: bool = False) -> list[str]:
        """Write down what is seen for the first time under its rule, and return what could not be written where.

        Args:
            found: the records were there before, so that nobody knows what came before them.
        """
        new = seen_in(source, found=found)
        keys = {line.key for line in self.lines}
        self.lines += [line for line in new if line.key not in keys]
        complaints = []
        for place in self.places:
            known = self.known.setdefault(place, set())
            lines = [line for line in new if line.key not in known]
            try:
                if place.is_relative_to(self.paper.folder):
                    refuse_to_leave(place, self.paper.folder)
                append_json_lines(place, map(_to_json, lines))
            except FileError as error:
                complaints.append(str(error))
            known |= {line.key for line in lines}
        return complaints

    def begin(self, key: SeedKey, task: Task, code: str) -> None:
        """Write down that a seed begins; one that is begun more often than it is recorded was interrupted.

        Raises:
            FileError: the library's own ledger cannot be written; says why.
        """
        run, _, series, index = key
        attempt = {"run": run, "config": task.config, "series": series, "index": index}
        attempt |= {"seed": task.seed, "fingerprint": code}
        append_json_lines(self.places[0], [{"attempt": attempt, "at": _now()}])
        self.began[key, code] += 1

    def interrupt(self, key: SeedKey, code: str, why: str) -> None:
        """Write down why an attempt that was begun came to no end.

        Raises:
            FileError: the library's own ledger cannot be written; says why.
        """
        run, config, series, index = key
        ended = {
            "run": run,
            "config": config,
            "series": series,
            "index": index,
            "fingerprint": code,
        }
        append_json_lines(self.places[0], [{"interrupted": ended, "why": why, "at": _now()}])


def load_ledger(paper: Paper, library: Path) -> Ledger:
    """Read what is known of a paper's rules: in a library, in the paper folder, and in the reader's state folder.

    Lines that are not of a ledger are passed over: a torn last line, or what a merge in git left.

    Raises:
        FileError: the library's ledger or the folder's cannot be read; says why.
    """
    here = results_folder(library, paper) / LEDGER
    folder = paper.folder / "results" / LEDGER
    own = [folder] if is_readers_own(paper) else []
    ledger = Ledger(paper, places=[here, *own, state_ledger(paper.key)])
    keys = set()
    for place in dict.fromkeys([folder, here, *map(state_ledger, (paper.key, *paper.also))]):
        try:
            records = list(load_json_lines(place))
        except FileError:
            if place in (here, folder):
                raise
            records = []  # writing there will say so
        lines = [line for record in records if (line := _from_json(record, place == folder))]
        ledger.known[place] = {line.key for line in lines}
        ledger.lines += [line for line in lines if line.key not in keys]
        keys |= ledger.known[place]
        if place == here:
            ledger.began.update(filter(None, map(_attempt, records)))
    return ledger


def seen_in(source: Evidence, *, found: bool = False) -> list[Seen]:
    """Return what is seen of each claim but the controls: its verdict, or how many of its seeds are there."""
    at, paper = _now(), source.paper
    lines: list[Seen] = []
    if is_readers_own(paper) and _is_template(paper.folder):
        return lines
    for id, verdict in source.verdicts().items():
        if id in paper.controls or not _is_seen(verdict):
            continue
        claim = paper.claim(id)
        decided = verdict.n >= verdict.of
        lines.append(
            Seen(
                claim=id,
                was=claim.was,
                says=claim.says,
                where=claim.where,
                rule=(rule := rule_of(paper, claim)),
                hash=hash_of(rule),
                code=source.code_of(claim),
                verdict=str(verdict) if decided else f"{verdict.n} of {verdict.of} seeds",
                decided=decided,
                at=at,
                built_in=not is_readers_own(paper),
                reworded=claim.reworded,
                found=found,
            )
        )
    return lines


def save_ledger(paper: Paper, lines: Iterable[Seen]) -> Path:
    """Add to the paper folder's own ledger what it does not know yet, and return it.

    Raises:
        FileError: it cannot be written; says why.
    """
    place = paper.folder / "results" / LEDGER
    refuse_to_leave(place, paper.folder)
    known = {line.key for r in load_json_lines(place) if (line := _from_json(r, True))}
    new = {line.key: line for line in sorted(lines, key=lambda line: line.at, reverse=True)}
    append_json_lines(place, [_to_json(x) for x in reversed(new.values()) if x.key not in known])
    return place


def _is_template(folder: Path) -> bool:
    """True while all code in a folder is what `new-paper` wrote: who runs it sees nothing of the paper."""
    template = BUILT_IN / "_template"
    if {path.name for path in folder.glob("*.py")} - {path.name for path in template.glob("*.py")}:
        return False
    for name in ("__init__.py", "model.py", "experiments.py"):
        text = re.escape((template / name).read_text())
        filled = re.sub(r"\\\{\w+\\\}", r'[^"\\n]*', text)  # what cannot end a docstring
        if not re.fullmatch(filled, (load_bytes(folder / name) or b"").decode("utf-8", "replace")):
            return False
    return True


def _is_seen(verdict: Verdict) -> bool:
    """True as soon as one value can be looked at under today's rule."""
    if verdict.word is Word.NOT_TESTABLE:
        return False
    return verdict.n > 0 and not verdict.why.startswith("rule changed after results")


def _to_json(line: Seen) -> dict[str, Any]:
    fields = {
        "claim": line.claim, "was": list(line.was), "says": line.says, "where": line.where,
        "rule": dict(line.rule), "hash": line.hash, "code": line.code, "verdict": line.verdict,
        "decided": line.decided, "at": line.at, "version": _version(),
        "machine": this_machine().slug, "built_in": line.built_in, "reworded": line.reworded,
        "found": line.found,
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value not in ([], "")}


def _from_json(record: Mapping[str, Any], shipped: bool) -> Seen | None:
    """Read what `_to_json` wrote; None for any other line."""
    rule, was = record.get("rule"), record.get("was", [])
    try:
        if not isinstance(rule, dict) or not isinstance(was, list):
            return None
        return Seen(
            claim=_text(record["claim"]),
            was=tuple(map(_text, was)),
            says=_text(record.get("says", "")),
            where=_text(record.get("where", "")),
            rule=rule,
            hash=_text(record["hash"]),
            code=_text(record.get("code", "")),
            verdict=_text(record["verdict"]),
            decided=record.get("decided") is True,
            at=_text(record["at"]),
            built_in=record.get("built_in") is True,
            reworded=_text(record.get("reworded", "")),
            shipped=shipped,
            found=record.get("found") is True,
        )
    except (KeyError, TypeError):
        return None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not a text")
    return value


def _attempt(record: Mapping[str, Any]) -> tuple[SeedKey, str] | None:
    match record.get("attempt"):
        case {"run": str(run), "config": dict(config), "series": int(series), "index": int(index), "fingerprint": str(code)}:  # fmt: skip
            return (run, canonical(config), series, index), code
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@cache
def _version() -> str:
    try:
        return version("studiolo")
    except PackageNotFoundError:
        return ""
