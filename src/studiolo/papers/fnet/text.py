"""Letters of real text: what masked-letter models are trained on, and sentences to classify.

Legend: b rows, l letters of a row, m masked letters of a row.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from studiolo.data import enwiki, sentences, standard_library_text, wikitext2


SPACE, MASK, NUM_LETTERS = 0, 27, 28  # a to z are 1 to 26
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MASKED_PERCENT = 15

Batch = tuple[
    Tensor, Tensor, Tensor
]  # letters (b, l), masked positions (b, m), their letters (b, m)


def letters(text: str) -> Int[Tensor, " n"]:
    """Return `text` as a to z and single spaces, in small letters and with digits spelled out."""
    spelled = re.sub(r"[0-9]", lambda digit: f" {_DIGITS[int(digit[0])]} ", text.lower())
    kept = re.sub(r"[^a-z]+", " ", spelled.replace("<unk>", " ")).encode()
    codes = torch.frombuffer(bytearray(kept), dtype=torch.uint8).long()
    return torch.where(codes == ord(" "), SPACE, codes - ord("a") + 1)


def _wikipedia() -> list[Int[Tensor, " n"]]:
    return [letters(enwiki("letters").decode()), letters(wikitext2().decode())]


def _standard_library() -> list[Int[Tensor, " n"]]:
    return [letters(standard_library_text().decode())]


def _shuffled() -> list[Int[Tensor, " n"]]:
    """The letters of the articles in random order: then nothing in a row tells anything of another."""
    text = letters(enwiki("letters").decode())
    return [text[torch.randperm(len(text), generator=torch.Generator().manual_seed(0))]]


TEXTS: dict[str, Callable[[], list[Tensor]]] = {
    "wikipedia": _wikipedia,
    "standard_library": _standard_library,
    "shuffled": _shuffled,
}


@dataclass(frozen=True)
class Text:
    """Letters to learn from, and letters held out."""

    learned: Int[Tensor, " n"]
    held_out: Int[Tensor, " k"]


def read_text(name: str) -> Text:
    """Read "wikipedia" (enwiki sample and WikiText-2), "standard_library" or "shuffled".

    The last 5 % of each part are held out.

    Raises:
        NeedsData: a set is not here.
        ValueError: another name; lists these.
    """
    if name not in TEXTS:
        raise ValueError(f"There is no text {name!r}: choose one of {', '.join(TEXTS)}.")
    parts = [(part[: -(len(part) // 20)], part[-(len(part) // 20) :]) for part in TEXTS[name]()]
    return Text(torch.cat([a for a, _ in parts]), torch.cat([b for _, b in parts]))


def masked(
    text: Int[Tensor, " n"], num_rows: int, num_letters: int, generator: torch.Generator
) -> Batch:
    """Draw rows with 15 % of the letters to predict: 80 % of them masked, 10 % another, 10 % kept.

    Source: https://arxiv.org/abs/1810.04805, section 3.1.
    """
    starts = torch.randint(len(text) - num_letters + 1, (num_rows, 1), generator=generator)
    rows = text[starts + torch.arange(num_letters)]
    order = torch.rand(rows.shape, generator=generator).argsort(1)
    positions = order[:, : max(1, num_letters * _MASKED_PERCENT // 100)]
    answers = rows.gather(1, positions)
    coin = torch.rand(positions.shape, generator=generator)
    others = torch.randint(MASK, positions.shape, generator=generator)
    shown = torch.where(coin < 0.8, MASK, torch.where(coin < 0.9, others, answers))
    return rows.scatter(1, positions, shown), positions, answers


def batches(
    text: Int[Tensor, " n"], num_rows: int, num_letters: int, generator: torch.Generator
) -> Iterator[Batch]:
    """Draw batches without end."""
    while True:
        yield masked(text, num_rows, num_letters, generator)


@dataclass(frozen=True)
class Reviews:
    """Sentences of reviews as rows of letters, filled up with spaces, and 1 for praise."""

    rows: Int[Tensor, "b l"]
    ends: Int[Tensor, " b"]
    praise: Int[Tensor, " b"]

    @property
    def inside(self) -> Float[Tensor, "b l 1"]:
        """Return 1 where a row still belongs to its sentence."""
        return (torch.arange(self.rows.shape[1]) < self.ends[:, None]).float()[..., None]

    def part(self, chosen: Tensor) -> "Reviews":
        """Return some of the sentences."""
        return Reviews(self.rows[chosen], self.ends[chosen], self.praise[chosen])


def read_reviews(num_letters: int, generator: torch.Generator) -> Reviews:
    """Read the review sentences in random order, each cut to `num_letters`.

    Raises:
        NeedsData: the set is not here.
    """
    labelled = sentences()
    rows = torch.full((len(labelled), num_letters), SPACE)
    ends = torch.ones(len(labelled), dtype=torch.long)
    for row, (sentence, _) in enumerate(labelled):
        kept = letters(sentence)[:num_letters]
        rows[row, : len(kept)] = kept
        ends[row] = max(1, len(kept))
    order = torch.randperm(len(labelled), generator=generator)
    praise = torch.tensor([label for _, label in labelled])
    return Reviews(rows, ends, praise).part(order)
