"""Small models to train, and what they are trained on: a language model of bytes, a reader of ListOps."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studiolo.data import listops, standard_library_text
from studiolo.data.listops import TOKENS
from studiolo.nn import SelfAttention, Transformer
from studiolo.train import Budget, History, train

from .convert import FeatureAttention, convert
from .features import Features
from .redraw import RedrawSchedule


WIDTH, HEADS, DEPTH = 64, 2, 2
LETTERS = 128  # other bytes than ASCII count as the last
Rows = tuple[Tensor, Tensor]
"""Tokens (b, l) and either the token after each, or (b, 2): length and value of an expression."""


class LanguageModel(nn.Module):
    """Predicts each byte of Python source from those before it: two pre-norm blocks of width 64, two heads."""

    def __init__(self, num_tokens: int) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(LETTERS, WIDTH), nn.Embedding(num_tokens, WIDTH)
        self.body = Transformer(
            WIDTH, DEPTH, lambda _: SelfAttention(WIDTH, HEADS, causal=True), norm_first=True
        )
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, LETTERS)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (b, l, letters)."""
        x = self.embed(tokens) + self.place.weight[: tokens.shape[1]]
        return self.head(self.norm(self.body(x)))


class Reader(nn.Module):
    """Gives the value of a ListOps expression: two pre-norm blocks of width 64, two heads, mean over tokens."""

    def __init__(self, num_tokens: int) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(len(TOKENS), WIDTH), nn.Embedding(num_tokens, WIDTH)
        self.body = Transformer(
            WIDTH, DEPTH, lambda _: SelfAttention(WIDTH, HEADS), norm_first=True
        )
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return logits (b, 10)."""
        x = self.embed(tokens) + self.place.weight[: tokens.shape[1]]
        x = self.norm(self.body(x, lengths))
        there = torch.arange(tokens.shape[1]) < lengths[:, None]
        return self.head((x * there.unsqueeze(-1)).sum(1) / lengths.unsqueeze(1))


class Scaled(nn.Module):
    """A feature map that is given `factor` times its argument: 1 is right."""

    def __init__(self, features: nn.Module, factor: float) -> None:
        super().__init__()
        self.features, self.factor = features, factor

    def forward(self, x: Tensor) -> Features:
        """Return φ(factor · x)."""
        return self.features(self.factor * x)


def linear(
    model: nn.Module,
    phi: str,
    *,
    num_features: int | None,
    seed: int,
    draw: str = "orthogonal",
    factor: float = 1.0,
) -> nn.Module:
    """Return `model` with linear attention (phi "softmax": as it is)."""
    if phi == "softmax":
        return model
    generator = torch.Generator().manual_seed(seed)
    made, _ = convert(model, phi, num_features=num_features, draw=draw, generator=generator)
    if factor != 1:
        for module in made.modules():
            if isinstance(module, FeatureAttention):
                module.features = Scaled(module.features, factor)
    return made


def text_rows(num_tokens: int, seed: int, *, held_out: bool = False) -> Iterator[Rows]:
    """Draw 16 rows a batch from the first nine tenths of the text, or from its last tenth."""
    text = torch.frombuffer(bytearray(standard_library_text()), dtype=torch.uint8).long()
    text = text.clamp(max=LETTERS - 1)
    cut = 9 * len(text) // 10
    text = text[cut:] if held_out else text[:cut]
    generator = torch.Generator().manual_seed(seed)
    while True:
        starts = torch.randint(len(text) - num_tokens, (16,), generator=generator)
        rows = text[starts[:, None] + torch.arange(num_tokens + 1)]
        yield rows[:, :-1], rows[:, 1:]


def redrawing(rows: Iterator[Rows], schedule: RedrawSchedule) -> Iterator[Rows]:
    """Give rows, and count a step of the schedule between one batch and the next."""
    yield next(rows)
    for batch in rows:
        schedule.step()
        yield batch


def listops_rows(num_tokens: int, seed: int, num_rows: int = 32) -> Iterator[Rows]:
    """Draw batches of expressions of at most `num_tokens` tokens, of four operations nested three deep."""
    rng = np.random.default_rng(seed)
    code = {token: i for i, token in enumerate(TOKENS)}
    while True:
        tokens = torch.zeros(num_rows, num_tokens, dtype=torch.long)
        known: list[list[int]] = []
        while len(known) < num_rows:
            expression, value = listops(rng, max_depth=3)
            if len(expression) <= num_tokens:
                tokens[len(known), : len(expression)] = torch.tensor([code[t] for t in expression])
                known.append([len(expression), value])
        yield tokens, torch.tensor(known)


def language_loss(model: nn.Module, rows: Rows) -> Tensor:
    """Return the cross-entropy of the next byte in nats."""
    return F.cross_entropy(model(rows[0]).flatten(0, 1), rows[1].flatten())


def reading_loss(model: nn.Module, rows: Rows) -> Tensor:
    """Return the cross-entropy of the value in nats."""
    lengths, values = rows[1].T
    return F.cross_entropy(model(rows[0], lengths), values)


@torch.no_grad()
def next_byte_accuracy(model: nn.Module, num_tokens: int, batches: int = 16) -> float:
    """Return the share of held-out bytes that a model predicts; the same rows every time."""
    rows = text_rows(num_tokens, 0, held_out=True)
    hits = [
        (model(x).argmax(-1) == y).double().mean() for x, y in (next(rows) for _ in range(batches))
    ]
    return float(torch.stack(hits).mean())


@torch.no_grad()
def value_accuracy(model: nn.Module, num_tokens: int) -> float:
    """Return the share of 1,024 held-out expressions whose value a model gives."""
    tokens, known = next(listops_rows(num_tokens, 10**6, 1024))
    return float((model(tokens, known[:, 0]).argmax(-1) == known[:, 1]).double().mean())


def fit(
    model: nn.Module,
    loss: Callable[[nn.Module, Rows], Tensor],
    rows: Iterator[Rows],
    steps: int,
    rate: float = 2e-3,
) -> History:
    """Train with Adam as the paper does (β 0.9 and 0.98, gradients clipped at 0.5)."""
    return train(
        model,
        loss,
        rows,
        optimizer=torch.optim.Adam(model.parameters(), lr=rate, betas=(0.9, 0.98), eps=1e-9),
        budget=Budget(steps=steps),
        clip_norm=0.5,
    )
