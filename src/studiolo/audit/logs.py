"""Sample logs of language models: lm-evaluation-harness (`--log_samples`) and Inspect, as files or folders of tasks.

Read from the shapes the two programs write; nothing of them is imported. An answer is right where their own metric or
scorer says so. Examples are named by task and document, so that two runs in another order are joined.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .errors import AuditError
from .join import one_side
from .text import json_lines, open_text
from .values import Model, Side


NAME = re.compile(
    r"samples_(?P<task>.+?)(?:_(?P<date>\d{4}-\d{2}-\d{2}(?:T[\d.:-]+)?))?\.jsonl(?:\.gz)?$"
)
PREFERRED = ("acc", "exact_match", "acc_norm")
PROMPT = 2000  # letters that are kept, its end


@dataclass(slots=True)
class _Sample:
    """One answer to one document."""

    id: str
    task: str
    answer: str | None
    right: float
    label: str | None = None
    scores: list[float] | None = None
    columns: dict[str, Any] = field(default_factory=dict)


def is_lm_eval(row: Mapping[str, Any]) -> bool:
    """Return whether a line comes from lm-evaluation-harness."""
    return "doc_id" in row and ("filtered_resps" in row or "resps" in row)


def load_folder(folder: Path, name: str, *, metric: str = "", filter_: str = "") -> Side | None:
    """Read a folder of sample logs, however deep; None if there are none.

    Folders that log the same tasks are models of one side; a task that one folder logs twice is read from the newest.
    """
    found = sorted(p for p in folder.rglob("samples_*") if NAME.match(p.name))
    inspect = sorted(folder.rglob("*.eval")) + [
        p for p in sorted(folder.rglob("*.json")) if not found and _looks_like_inspect(p)
    ]
    if not found and not inspect:
        return None
    by_folder: dict[Path, list[Path]] = {}
    for path in found or inspect:
        by_folder.setdefault(path.parent, []).append(path)

    def load(paths: Sequence[Path], name: str) -> Side:
        if found:
            return load_lm_eval(paths, name, metric=metric, filter_=filter_)
        return _load_inspect_all(paths, name, metric)

    if len(by_folder) == 1:
        return load(found or inspect, name)
    sides = [load(paths, f"{name} {where.name}") for where, paths in by_folder.items()]
    tasks = [set(side.columns["task"]) for side in sides]
    if not set.intersection(*tasks):
        return load(found or inspect, name)
    return one_side(sides, name)


def load_lm_eval(paths: Sequence[Path], name: str, *, metric: str = "", filter_: str = "") -> Side:
    """Read files of lm-evaluation-harness as one model; several files are several tasks."""
    newest: dict[str, Path] = {}
    notes: list[str] = []
    for path in sorted(paths, key=lambda p: (_task(p), _date(p))):
        if _task(path) in newest:
            notes.append(
                f"{_task(path)} is logged twice in {path.parent.name}; the newest was read."
            )
        newest[_task(path)] = path
    samples: list[_Sample] = []
    refused: list[str] = []
    for task, path in newest.items():
        rows = list(json_lines(path))
        filters = list(dict.fromkeys(row.get("filter", "none") for row in rows))
        chosen = filter_ if filter_ in filters else filters[0] if filters else ""
        if len(filters) > 1:
            notes.append(f"{task} has the filters {', '.join(filters)}; {chosen} was read.")
        rows = [row for row in rows if row.get("filter", "none") == chosen]
        judged = _metric_of(rows, metric)
        if judged is None:
            refused.append(f"{task} has no metric that says right or wrong ({_metrics(rows)})")
            continue
        notes.append(f"{task}: right by {judged}.")
        hashed = all(row.get("doc_hash") for row in rows)
        samples += [_lm_eval_sample(row, task, judged, hashed=hashed, path=path) for row in rows]
    if not samples:
        raise AuditError(
            "; ".join(refused) + ": an audit counts right and wrong answers; choose another metric."
            if refused
            else f"{name} holds no sample."
        )
    notes += [f"Left out: {reason}." for reason in refused]
    return _side(samples, name, notes)


def _metrics(rows: Sequence[Mapping[str, Any]]) -> str:
    names = rows[0].get("metrics") if rows else None
    return ", ".join(names) if names else "none"


def _metric_of(rows: Sequence[Mapping[str, Any]], wanted: str) -> str | None:
    """Return the metric to judge by: the one that was asked for, else the first that is 0 or 1 everywhere."""
    if not rows:
        return None
    listed = rows[0].get("metrics") or [k for k in rows[0] if k in PREFERRED]
    for name in (wanted, *PREFERRED, *listed):
        if name and all(name in row and _is_binary(row[name]) for row in rows):
            return str(name)
    return None


def _is_binary(value: Any) -> bool:
    return isinstance(value, int | float) and value in (0, 1)


def _lm_eval_sample(
    row: Mapping[str, Any], task: str, metric: str, *, hashed: bool, path: Path
) -> _Sample:
    doc = row.get("doc")
    sample = _Sample(
        id=f"{task}/{str(row['doc_hash'])[:16] if hashed else row['doc_id']}",
        task=task,
        answer=None,
        right=float(row[metric]),
        columns={"task": task, **_flat(doc if isinstance(doc, Mapping) else {})},
    )
    responses = row.get("filtered_resps", row.get("resps"))
    contexts = _arguments(row.get("arguments"))
    if contexts:
        sample.columns["prompt"] = contexts[0][0][-PROMPT:]
    likelihoods = _likelihoods(responses)
    if likelihoods is None:
        answer = responses
        while isinstance(answer, list):
            answer = answer[0] if answer else None
        sample.answer = None if answer is None else " ".join(str(answer).split())
        sample.columns["target"] = row.get("target")
    elif (
        len(likelihoods) == 1
    ):  # the likelihood of one continuation: whether it is what the model would say
        sample.answer = str(likelihoods[0][1])
    else:
        values = np.asarray([x for x, _ in likelihoods])
        weighed = values
        if metric == "acc_norm":
            if len(contexts) != len(values):
                raise AuditError(
                    f"{path} has no continuations for {sample.id}, by whose length acc_norm divides: choose the metric acc."
                )
            weighed = values / [max(len(text.removeprefix(" ")), 1) for _, text in contexts]
        sample.answer = _choice(int(weighed.argmax()))
        sample.scores = values.tolist()
        target = row.get("target")
        target = target[0] if isinstance(target, list) and len(target) == 1 else target
        if isinstance(target, int) or (isinstance(target, str) and target.strip().isdigit()):
            sample.label = _choice(int(target)) if 0 <= int(target) < len(values) else None
    return sample


def _choice(number: int) -> str:
    return f"choice {number + 1}"


def _likelihoods(responses: Any) -> list[tuple[float, bool]] | None:
    """Return (log-likelihood, greedy) of every continuation; None if the responses are texts."""
    if not isinstance(responses, list) or not responses:
        return None
    found = []
    for response in responses:
        if isinstance(response, list) and len(response) == 1 and isinstance(response[0], list):
            response = response[0]  # unfiltered: one more list a request
        if not isinstance(response, list) or len(response) != 2:
            return None
        value, greedy = response
        if greedy not in (0, 1, "True", "False"):
            return None
        try:
            found.append((float(value), greedy in (1, "True")))
        except (TypeError, ValueError):
            return None
    return found


def _arguments(arguments: Any) -> list[tuple[str, str]]:
    """Return (context, continuation) of every request; both shapes that the harness has written."""
    if isinstance(arguments, Mapping):
        arguments = [
            [a.get("arg_0"), a.get("arg_1")] for a in arguments.values() if isinstance(a, Mapping)
        ]
    if not isinstance(arguments, list):
        return []
    return [
        (str(a[0]), a[1] if isinstance(a[1], str) else "")
        for a in arguments
        if isinstance(a, list) and len(a) > 1
    ]


def _flat(doc: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of a document, those of a mapping in it as `outer.inner`."""
    plain: dict[str, Any] = {}
    for key, value in doc.items():
        if isinstance(value, Mapping):
            plain |= {f"{key}.{k}": v for k, v in value.items() if isinstance(v, str | int | float)}
        elif isinstance(value, str | int | float):
            plain[str(key)] = value
    return plain


def load_inspect(path: Path, name: str, *, metric: str = "") -> Side:
    """Read one Inspect log, `.json` or `.eval`."""
    return _load_inspect_all([path], name, metric)


def _load_inspect_all(paths: Sequence[Path], name: str, metric: str) -> Side:
    samples: list[_Sample] = []
    notes: list[str] = []
    for path in paths:
        header, logged = _inspect_content(path)
        task = str(header.get("task", path.stem))
        epochs = {s.get("epoch", 1) for s in logged}
        if len(epochs) > 1:
            notes.append(f"{task} has {len(epochs)} epochs; the first was read.")
        first = min(epochs, default=1)
        for row in logged:
            if row.get("epoch", 1) == first:
                samples.append(_inspect_sample(row, task, metric, path))
    if not samples:
        raise AuditError(f"{name} holds no sample: the log may be of a run that was stopped.")
    return _side(samples, name, notes)


def _inspect_content(path: Path) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    try:
        if path.suffix == ".eval":
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
                header = json.loads(archive.read("header.json")) if "header.json" in names else {}
                logged = [
                    json.loads(archive.read(n))
                    for n in sorted(names)
                    if n.startswith("samples/") and n.endswith(".json")
                ]
        else:
            with open_text(path) as file:
                header = json.load(file)
            logged = header.get("samples") or []
    except (ValueError, KeyError, OSError, zipfile.BadZipFile, RuntimeError) as error:
        raise AuditError(f"{path} cannot be read as an Inspect log: {error}.") from None
    return header.get("eval") or {}, logged


def _inspect_sample(row: Mapping[str, Any], task: str, metric: str, path: Path) -> _Sample:
    scores = row.get("scores") or ({"score": row["score"]} if row.get("score") else {})
    chosen = metric if metric in scores else next(iter(scores), None)
    score = scores.get(chosen) or {}
    target = row.get("target")
    target = target[0] if isinstance(target, list) and len(target) == 1 else target
    answer = score.get("answer")
    text = _completion(row.get("output") or {})
    answer = answer if answer not in (None, "") else text
    question = row.get("input")
    if isinstance(question, list):
        question = " ".join(_message(m.get("content")) for m in question if isinstance(m, Mapping))
    return _Sample(
        id=f"{task}/{row.get('id')}",
        task=task,
        answer=None if answer in (None, "") else " ".join(str(answer).split()),
        right=_inspect_right(score.get("value"), path, chosen),
        label=target if row.get("choices") and isinstance(target, str) else None,
        columns={
            "task": task,
            **_flat(row.get("metadata") or {}),
            "prompt": str(question or "")[-PROMPT:],
            "target": target if isinstance(target, str) else json.dumps(target),
        },
    )


def _inspect_right(value: Any, path: Path, scorer: str | None) -> float:
    """C is right; I, P (partly) and N (no answer) are not; 0 and 1 as they are. Not scored: not known."""
    if value is None:
        return float("nan")
    if value in ("C", "I", "P", "N"):
        return float(value == "C")
    if isinstance(value, bool) or _is_binary(value):
        return float(value)
    raise AuditError(
        f"The scorer {scorer!r} of {path} gave {value!r}, which is neither right nor wrong (C, I, P, N, 0, 1): choose "
        "another with the metric option."
    )


def _completion(output: Mapping[str, Any]) -> str:
    if output.get("completion"):
        return str(output["completion"])
    choices = output.get("choices") or []
    return _message((choices[0].get("message") or {}).get("content")) if choices else ""


def _message(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return str(content or "")


def _side(samples: Sequence[_Sample], name: str, notes: Sequence[str]) -> Side:
    names = dict.fromkeys(key for s in samples for key in s.columns)
    labels = [s.label for s in samples]
    width = max((len(s.scores) for s in samples if s.scores), default=0)
    scores = None
    if width:
        scores = np.full((len(samples), width), np.nan)
        for row, sample in zip(scores, samples, strict=True):
            if sample.scores:
                row[:] = -np.inf
                row[: len(sample.scores)] = sample.scores
    return Side(
        (
            Model(
                np.asarray([s.answer for s in samples], object),
                scores=scores,
                right=np.asarray([s.right for s in samples]),
                name=name,
            ),
        ),
        name,
        tuple(_once([s.id for s in samples])),
        np.asarray(labels, object) if any(labels) else None,
        {key: [s.columns.get(key) for s in samples] for key in names},
        tuple(dict.fromkeys(notes)),
    )


def _once(ids: Iterable[str]) -> Iterator[str]:
    """Yield ids that occur once: a document that is asked twice gets a number."""
    seen: Counter[str] = Counter()
    for name in ids:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} #{seen[name]}"


def _task(path: Path) -> str:
    match = NAME.match(path.name)
    return match["task"] if match else path.name.partition(".")[0]


def _date(path: Path) -> str:
    match = NAME.match(path.name)
    return (match["date"] or "") if match else ""


def _looks_like_inspect(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(400)
    return b'"version"' in start and (b'"eval"' in start or b'"status"' in start)
