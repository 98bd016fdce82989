"""Scores are read once, a block of examples at a time: answers, divergences and margins are kept, the scores are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .comparison import Scores
from .errors import AuditError
from .values import NO_ANSWER, as_answers


Array = NDArray[Any]
Floats = NDArray[np.float64]
SMALLEST_CHANCE = 1e-12
BLOCK = 2**22  # scores of one model in a block


class Reducer:
    """Takes what the models of both sides say, block after block.

    Args:
        counts: models before, after, and of a second population.
        classes: for each model what its columns are called, or None.
        names: of the models, for messages.
    """

    def __init__(
        self,
        counts: tuple[int, int, int],
        classes: Sequence[tuple[str, ...] | None],
        names: Sequence[str],
    ) -> None:
        self.k0, self.k1, self.k2 = counts
        self.classes, self.names = list(classes), list(names)
        self.answers: list[list[Array]] = [[] for _ in names]
        self.divergence: list[Floats] = []
        self.null: list[Floats] = []
        self.margins: list[tuple[Floats, Floats]] = []
        self.chances: list[bool | None] = [None] * len(names)
        self.some = False  # whether any model has scores
        self.why_not = ""  # no divergence

    def add(self, block: Sequence[Array], beside: Sequence[Array | None] = ()) -> None:
        """Take one block: for each model its answers, (b,), or scores, (b, classes); or scores beside answers."""
        logs: list[Floats | None] = []
        for k, output in enumerate(block):
            if output.ndim == 1:
                self.answers[k].append(as_answers(output, self.names[k]))
                scores = beside[k] if beside else None
                logs.append(
                    None if scores is None else self._log_chances(k, scores, _known(scores))
                )
                continue
            if output.ndim != 2 or output.shape[1] < 2:
                raise AuditError(
                    f"{self.names[k]} returned {output.shape}: give answers, (examples,), or scores, "
                    "(examples, two classes or more)."
                )
            known = _known(output)
            with np.errstate(invalid="ignore"):
                best = np.where(known, output.argmax(1), NO_ANSWER)
            classes = self.classes[k]
            if classes is not None:
                names = np.asarray([*classes, None], object)
                self.answers[k].append(names[best])
            else:
                self.answers[k].append(best.astype(np.int64))
            logs.append(self._log_chances(k, output, known))
        self._compare(logs)

    def _log_chances(self, k: int, output: Array, known: NDArray[np.bool_]) -> Floats:
        """Return log-probabilities; NaN rows where a score is missing. Chances are told from logits by their sum."""
        x = output.astype(np.float64)
        if self.chances[k] is None and known.any():
            rows = x[known]
            tolerance = 1e-2 if output.dtype == np.float16 else 1e-3
            self.chances[k] = bool(
                (rows >= 0).all() and (np.abs(rows.sum(1) - 1) < tolerance).all()
            )
        if self.chances[k]:
            with np.errstate(divide="ignore"):
                return np.log(x / x.sum(1, keepdims=True))
        x = x - x.max(1, keepdims=True)
        return x - np.log(np.exp(x).sum(1, keepdims=True))

    def _compare(self, logs: Sequence[Floats | None]) -> None:
        before, after = logs[: self.k0], logs[self.k0 : self.k0 + self.k1]
        self.some = self.some or any(x is not None for x in logs)
        pairs = min(self.k0, self.k1)
        if any(x is None for x in (*before[:pairs], *after[:pairs])):
            self.why_not = self.why_not or "not every model has scores"
            return
        found = [self._divergence(k, self.k0 + k, logs) for k in range(pairs)]
        if any(d is None for d in found):
            return
        self.divergence.append(np.stack([d for d in found if d is not None]))
        self.margins.append((_margin(before[:pairs]), _margin(after[:pairs])))
        if self.k2:
            same = [
                self._divergence(k, self.k0 + self.k1 + k, logs)
                for k in range(min(self.k0, self.k2))
            ]
        else:  # the population before among itself
            same = [self._divergence(k, k + 1, logs) for k in range(0, self.k0 - 1, 2)]
        if same and all(d is not None for d in same):
            self.null.append(np.stack([d for d in same if d is not None]))

    def _divergence(self, one: int, other: int, logs: Sequence[Floats | None]) -> Floats | None:
        """Return Σ_c p(c) log(p(c) / q(c)) of each example; a chance of 0 after counts as `SMALLEST_CHANCE`."""
        log_p, log_q = logs[one], logs[other]
        if log_p is None or log_q is None:
            return None
        classes, others = self.classes[one], self.classes[other]
        if classes is not None and others is not None and classes != others:
            if set(classes) != set(others):
                self.why_not = "the models do not score the same classes"
                return None
            log_q = log_q[:, [others.index(c) for c in classes]]
        if log_p.shape != log_q.shape:
            self.why_not = "the models do not score the same classes"
            return None
        log_q = np.where(np.isneginf(log_q), np.log(SMALLEST_CHANCE), log_q)
        with np.errstate(invalid="ignore"):
            terms = np.where(np.isneginf(log_p), 0.0, np.exp(log_p) * (log_p - log_q))
        return np.maximum(terms.sum(1), 0.0)

    def scores(self) -> Scores | None:
        """Return what was found beyond the answers, examples where a model has no score left out of the means."""
        if self.why_not or not self.divergence:
            return None
        null = np.concatenate(self.null, 1) if len(self.null) == len(self.divergence) else None
        before, after = (np.concatenate([m[side] for m in self.margins]) for side in (0, 1))
        return Scores(np.concatenate(self.divergence, 1), null, before, after)


def _known(scores: Array) -> NDArray[np.bool_]:
    return np.logical_not(np.isnan(scores).any(axis=1))


def _margin(logs: Sequence[Floats | None]) -> Floats:
    """Return the difference of the two largest chances, mean over models."""
    total = np.zeros(0)
    for log in logs:
        assert log is not None
        top = np.exp(np.partition(log, log.shape[1] - 2, axis=1)[:, -2:])
        total = (top[:, 1] - top[:, 0]) + (total if len(total) else 0.0)
    return total / len(logs)
