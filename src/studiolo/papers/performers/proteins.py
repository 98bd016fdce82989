"""A masked language model of protein sequences: what it is trained on, and what it is asked."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studiolo.nn import SelfAttention, Transformer
from studiolo.train import RoleSeeds

from .training import DEPTH, HEADS, WIDTH, Rows, fit, linear


RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
MASK = len(RESIDUES)
ASKED = 0.15  # share of residues that are masked
KINDS = (
    "relu",
    "positive",
    "softmax",
)  # each at its best of five rates on seeds 100 and 101, all at 0.002
GIVEN = -100  # what stands where nothing is asked


class MaskedModel(nn.Module):
    """Names the masked residues of a fragment: two pre-norm blocks of width 64, two heads, both directions."""

    def __init__(self, num_residues: int) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(MASK + 1, WIDTH), nn.Embedding(num_residues, WIDTH)
        self.body = Transformer(
            WIDTH, DEPTH, lambda _: SelfAttention(WIDTH, HEADS), norm_first=True
        )
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, MASK)

    def forward(self, residues: Tensor) -> Tensor:
        """Return logits (b, l, 20) of fragments (b, l)."""
        return self.head(self.norm(self.body(self.embed(residues) + self.place.weight)))


def chains(split: str, num_residues: int) -> list[Tensor]:
    """Return the proteins of the stability task, designed ones and their mutants, that have `num_residues` residues or more."""
    from studiolo.data import proteins  # what no other experiment here depends on

    code = {letter: i for i, letter in enumerate(RESIDUES)}
    return [
        torch.tensor([code[letter] for letter in sequence], dtype=torch.uint8)
        for sequence, _ in proteins("stability", split)
        if len(sequence) >= num_residues
    ]


def masked_rows(
    known: Sequence[Tensor], num_residues: int, seed: int, num_rows: int = 16
) -> Iterator[Rows]:
    """Draw batches of fragments of these chains, with a part of their residues masked."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        rows = []
        for i in torch.randint(len(known), (num_rows,), generator=generator).tolist():
            start = int(torch.randint(len(known[i]) - num_residues + 1, (), generator=generator))
            rows.append(known[i][start : start + num_residues])
        yield _masked(torch.stack(rows), generator)


def _masked(residues: Tensor, generator: torch.Generator) -> Rows:
    asked = torch.rand(residues.shape, generator=generator) < ASKED
    residues = residues.long()
    return residues.masked_fill(asked, MASK), residues.masked_fill(~asked, GIVEN)


def masked_loss(model: nn.Module, rows: Rows) -> Tensor:
    """Return the cross-entropy of the masked residues in nats."""
    return F.cross_entropy(model(rows[0]).flatten(0, 1), rows[1].flatten(), ignore_index=GIVEN)


@torch.no_grad()
def masked_scores(
    model: nn.Module, held_out: Sequence[Tensor], num_residues: int
) -> tuple[float, float]:
    """Return the cross-entropy in nats, and the accuracy, over masked residues of the chains' beginnings.

    The same residues are masked every time, in two ways.
    """
    beginnings = torch.stack([chain[:num_residues] for chain in held_out])
    generator = torch.Generator().manual_seed(0)
    nats, hits = [], []
    for _ in range(2):
        residues, answers = _masked(beginnings, generator)
        logits = torch.cat([model(part) for part in residues.split(64)])
        asked = answers != GIVEN
        nats.append(F.cross_entropy(logits[asked], answers[asked], reduction="none"))
        hits.append(logits[asked].argmax(-1) == answers[asked])
    return float(torch.cat(nats).mean()), float(torch.cat(hits).double().mean())


def compare(seeds: RoleSeeds, num_features: int, length: int, steps: int) -> dict[str, float]:
    """Return the scores of three kinds of attention that were trained alike, and of one of them with another draw."""
    torch.set_num_threads(1)
    known, held_out = (chains(split, length) for split in ("train", "valid"))
    values, accuracy = {}, {}
    for name, draw in (*((phi, seeds.init) for phi in KINDS), ("relu, again", seeds.data)):
        phi = name.partition(",")[0]
        torch.manual_seed(seeds.init)
        model = linear(MaskedModel(length), phi, num_features=num_features, seed=draw)
        rows = masked_rows(known, length, seeds.batches)
        fit(model, masked_loss, rows, steps)
        values[f"nats_{name}"], accuracy[name] = masked_scores(model, held_out, length)
    return {
        **values,
        **{f"accuracy_{name}": share for name, share in accuracy.items()},
        "lead": accuracy["relu"] - accuracy["positive"],
        "lead_over_exact": accuracy["relu"] - accuracy["softmax"],
        "lead_of_another_draw": accuracy["relu"] - accuracy["relu, again"],
    }
