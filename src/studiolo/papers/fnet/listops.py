"""ListOps, short: expressions with their values, and a reader that is trained to give them.

Legend: b rows, l tokens of a row, d width.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from studiolo.data import listops
from studiolo.data.listops import OPERATIONS, TOKENS
from studiolo.nn import LayerNorm
from studiolo.train import Budget, role_seeds, train

from .blocks import FNetBlock
from .layouts import make_mixer


# chosen on two other seeds among 1e-3, 2e-3 and 4e-3 (none: 2e-3 and 4e-3)
RATES = {"attention": 2e-3, "fourier": 4e-3, "none": 2e-3}


class Expressions(NamedTuple):
    """Rows of tokens, filled up with "[" behind their ends, and the value of each."""

    rows: Tensor  # (b, l)
    lengths: Tensor  # (b,)
    values: Tensor  # (b,)


def value_of(tokens: Sequence[str]) -> int:
    """Return the value of an expression, such as 9 of ["[", "MAX", "2", "9", "]"], in one pass.

    Source: https://arxiv.org/abs/2011.04006, section 2.2.1, with its code's median: of an even number of
    arguments the mean of the middle two, rounded down.
    """
    stack: list[list[int]] = [[]]
    operations: list[str] = []
    for token in tokens:
        if token in OPERATIONS:
            operations.append(token)
            stack.append([])
        elif token == "]":
            arguments = stack.pop()
            stack[-1].append(_applied(operations.pop(), arguments))
        elif token != "[":
            stack[-1].append(int(token))
    return stack[0][0]


def _applied(operation: str, arguments: list[int]) -> int:
    if operation == "MIN":
        return min(arguments)
    if operation == "MAX":
        return max(arguments)
    if operation == "SM":
        return sum(arguments) % 10
    ordered, n = sorted(arguments), len(arguments)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) // 2


def expressions(
    seed: int, *, num_rows: int, num_tokens: int, max_depth: int
) -> Iterator[Expressions]:
    """Draw batches without end, of expressions of at most `num_tokens` tokens, nested `max_depth` deep."""
    rng = np.random.default_rng(seed)
    code = {token: i for i, token in enumerate(TOKENS)}
    while True:
        rows = torch.zeros(num_rows, num_tokens, dtype=torch.long)
        lengths, values = [], []  # type: ignore[var-annotated]
        while len(values) < num_rows:
            tokens, _ = listops(rng, max_depth=max_depth)
            if len(tokens) <= num_tokens:
                rows[len(values), : len(tokens)] = torch.tensor([code[t] for t in tokens])
                lengths.append(len(tokens))
                values.append(value_of(tokens))
        yield Expressions(rows, torch.tensor(lengths), torch.tensor(values))


class Reader(nn.Module):
    """An encoder that gives the value of an expression from the mean of its tokens.

    Attention normalises first, the stronger order at this size; other mixers last, as in the paper.
    """

    def __init__(
        self, arm: str, *, width: int, depth: int, num_heads: int, num_tokens: int
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(len(TOKENS), width)
        self.positions = nn.Embedding(num_tokens, width)
        std = width**-0.5
        self.blocks = nn.ModuleList(
            FNetBlock(
                make_mixer(arm, width=width, num_tokens=num_tokens, num_heads=num_heads, std=std),
                width,
                4 * width,
                norm_first=arm == "attention",
            )
            for _ in range(depth)
        )
        self.norm, self.head = LayerNorm(width), nn.Linear(width, 10)

    def forward(self, rows: Int[Tensor, "b l"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b v"]:
        """Return logits of the ten values."""
        x = self.tokens(rows) + self.positions.weight[: rows.shape[1]]
        for block in self.blocks:
            x = block(x, lengths)
        inside = (torch.arange(rows.shape[1]) < lengths[:, None]).unsqueeze(-1)
        return self.head((self.norm(x) * inside).sum(1) / lengths[:, None])


def reading_loss(model: Reader, batch: Expressions) -> Tensor:
    """Return the cross-entropy of the value in nats."""
    return F.cross_entropy(model(batch.rows, batch.lengths), batch.values)


def share_read(
    arm: str,
    *,
    seed: int,
    updates: int,
    rate: float,
    num_tokens: int,
    max_depth: int,
    width: int,
    depth: int,
    num_heads: int,
    num_held_out: int,
) -> float:
    """Train one reader on 32 new expressions an update; return the share of fresh ones that it reads right."""
    seeds = role_seeds(seed)
    torch.manual_seed(seeds.init)
    model = Reader(arm, width=width, depth=depth, num_heads=num_heads, num_tokens=num_tokens)
    size = {"num_tokens": num_tokens, "max_depth": max_depth}
    train(
        model,
        reading_loss,
        expressions(seeds.batches, num_rows=32, **size),
        optimizer=torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), fused=True),
        budget=Budget(steps=updates),
        clip_norm=1.0,
    )
    test = next(expressions(seeds.data, num_rows=num_held_out, **size))
    with torch.no_grad():
        read = model(test.rows, test.lengths).argmax(-1)
    return float((read == test.values).double().mean())
