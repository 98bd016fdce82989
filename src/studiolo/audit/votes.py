"""What several models answered to each example: votes, modal answers, and how two sides differ.

Tables have one column per answer that *occurs at an example*, not per answer of the whole task, so that memory grows with
models times examples however many classes there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


Ints = NDArray[np.signedinteger[Any]]
Floats = NDArray[np.float64]
Ties = Literal["shared", "highest"]


@dataclass(frozen=True, slots=True)
class Ballots:
    """Answers of all models, numbered anew at each example.

    Attributes:
        places: (examples, models): which of the example's distinct answers the model gave, in rising order of answer.
        width: most distinct answers that an example has.
        answers: (examples, models) sorted answers of each example; first: where each distinct one starts in it.
    """

    places: NDArray[np.unsignedinteger[Any]]
    width: int

    @classmethod
    def of(cls, answers: Ints) -> Ballots:
        """Number the answers, (models, examples), at each example."""
        by_example = np.ascontiguousarray(answers.T)
        models = by_example.shape[1]
        small = np.uint8 if models < 256 else np.uint16
        if models == 2:
            places = np.zeros(by_example.shape, small)
            places[:, 0] = by_example[:, 0] > by_example[:, 1]
            places[:, 1] = by_example[:, 0] < by_example[:, 1]
            return cls(places, 1 + int(places.any()))
        order = by_example.argsort(1)
        ordered = np.take_along_axis(by_example, order, 1)
        rank = np.zeros(by_example.shape, small)
        np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1, out=rank[:, 1:])
        width = 1 + int(rank[:, -1].max(initial=0))
        places = np.empty_like(rank)
        np.put_along_axis(places, order, rank, 1)
        return cls(places, width)

    def count(self, models: Iterable[int]) -> NDArray[np.unsignedinteger[Any]]:
        """Return votes by some of the models, (examples, width); a model that is named twice votes twice."""
        table = np.zeros((len(self.places), self.width), self.places.dtype)
        at = np.arange(len(table)) * self.width
        flat = table.reshape(-1)
        for model in models:
            flat[at + self.places[:, model]] += 1  # one place per example: no index is named twice
        return table


def differ(before: NDArray[Any], after: NDArray[Any], ties: Ties = "shared") -> NDArray[np.bool_]:
    """Return True where two tables of votes have no modal answer in common: the pruning-identified exemplars.

    Args:
        ties: "shared": where votes tie, any of the tied answers is modal, so that numbering the classes otherwise changes
            nothing. "highest": the highest of them is, as in the published code.

    Source: https://arxiv.org/abs/1911.05248, section 2.
    Differs: the paper leaves ties open; its code has "highest".
    """
    if ties == "highest":
        return _highest_modal(before) != _highest_modal(after)
    modal = before == before.max(1, keepdims=True)
    modal &= after == after.max(1, keepdims=True)
    return ~modal.any(1)


def _highest_modal(votes: NDArray[Any]) -> Ints:
    return votes.shape[1] - 1 - votes[:, ::-1].argmax(1)


def taxicab(before: NDArray[Any], after: NDArray[Any], models0: int, models1: int) -> Floats:
    """Return Σ_c |share of votes for c before - share after|, from 0 to 2.

    Source: https://arxiv.org/abs/2010.03058.
    """
    away = np.abs(before.astype(np.int32) * models1 - after.astype(np.int32) * models0)
    return away.sum(1) / (models0 * models1)


def agreement(before: NDArray[Any], after: NDArray[Any], models0: int, models1: int) -> Floats:
    """Return for each example the share of pairs, one model of either side, that answer alike."""
    return np.einsum("nc,nc->n", before.astype(np.float64), after.astype(np.float64)) / (
        models0 * models1
    )


def agreement_within(votes: NDArray[Any], models: int) -> Floats:
    """Return for each example the share of pairs of different models of one side that answer alike."""
    table = votes.astype(np.float64)
    return np.einsum("nc,nc->n", table, table - 1) / (models * (models - 1))


def modal_answers(answers: Ints, ballots: Ballots, models: Sequence[int]) -> Ints:
    """Return the answer that most of the models give, (examples,); of several the lowest."""
    winner = ballots.count(models).argmax(1)
    modal = np.empty(answers.shape[1], answers.dtype)
    for model in models:
        voted = ballots.places[:, model] == winner
        modal[voted] = answers[model][voted]
    return modal
