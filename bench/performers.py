"""Causal FAVOR+ beside exact attention and performer-pytorch: one thread, CPU time, one Markdown table.

    python bench/performers.py
    PYTHONPATH=PEERS:BEFORE python bench/performers.py --before PACKAGE

PEERS is where `pip install --no-deps --target PEERS performer-pytorch==1.1.4 local-attention==1.9.15
axial-positional-embedding einops` put them. BEFORE is the `src` of an earlier commit (`git archive`), and PACKAGE
the name that `favor_attention` is imported from there. What cannot be imported has no row, and that is said. About two minutes.

torch's fused attention is the strongest exact peer. performer-pytorch is the strongest peer of the same method
that runs without a GPU. Two ways of writing causal FAVOR in plain torch stand beside it: chunks with matrix
products, which is what one would write, and chunks with outer products, which is how the authors' SLiM Performer
goes. `decode` is fifty tokens after 2,048. The ratio is the peer's CPU time over ours, median over interleaved pairs;
its interval is the order-statistic interval of these pairs (5 % per tail), of this process alone. The bar is the ratio that we want.
"""

import argparse
import importlib
import os


os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import NamedTuple

import torch
from side_by_side import cells, print_head, print_row
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from studiolo.measure import abba
from studiolo.papers import performers
from studiolo.papers.performers import FavorState, RandomFeatures, favor_attention


HEADS, DIM, FEATURES = 8, 64, 256
FUSED, EARLIER = "torch fused attention", "an earlier version"
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def performer_pytorch() -> Attention | None:
    """Return performer-pytorch's causal FAVOR+ on the same budget, or None where it is not installed."""
    try:
        package = importlib.import_module("performer_pytorch")
    except ImportError:
        return None
    attention: Attention = package.FastAttention(DIM, FEATURES, causal=True)
    return attention


def written_out(outer: bool) -> Attention:
    """Return causal FAVOR as one writes it: features of all tokens first, then chunks of 64 and a running sum."""
    w = RandomFeatures(DIM, FEATURES, generator=torch.Generator().manual_seed(0)).projection
    assert w is not None

    def weights(x: Tensor, axes: tuple[int, ...]) -> Tensor:
        x = x * DIM**-0.25
        wx = x @ w.mT
        return torch.exp(wx - x.square().sum(-1, keepdim=True) / 2 - wx.amax(axes, keepdim=True))

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        query, key = weights(q, (-1,)), weights(k, (-1, -2)) + 1e-6
        values = torch.cat([v, torch.ones_like(v[..., :1])], -1)
        state, outs = torch.zeros(()), []
        for a, b, c in zip(*(torch.split(x, 64, -2) for x in (query, key, values)), strict=True):
            if outer:
                sums = state + (b.unsqueeze(-1) * c.unsqueeze(-2)).cumsum(-3)
                seen, state = (a.unsqueeze(-2) @ sums).squeeze(-2), sums[..., -1:, :, :]
            else:
                seen = (a @ b.mT).tril() @ c
                if state.ndim:
                    seen = seen + a @ state
                state = state + b.mT @ c
            outs.append(seen[..., :-1] / seen[..., -1:])
        return torch.cat(outs, -2)

    return attention


def attention_of(version: ModuleType) -> Attention:
    """Return the causal FAVOR+ of a version of this package."""
    features = version.RandomFeatures(DIM, FEATURES, generator=torch.Generator().manual_seed(0))
    return partial(version.favor_attention, features=features, causal=True)


def decode(length: int, before: ModuleType | None) -> dict[str, Callable[[], object]]:
    """Return fifty tokens after `length`: by our state, by one of an earlier version, and by torch's fused attention."""
    features = RandomFeatures(DIM, FEATURES)
    q, k, v = torch.randn(3, 1, HEADS, length, DIM) * 0.5
    token = [x[:, :, -1:] for x in (q, k, v)]
    _, first = favor_attention(q, k, v, features=features, causal=True, state=FavorState())

    @torch.no_grad()
    def ours() -> None:
        state = first
        for _ in range(50):
            _, state = favor_attention(*token, features=features, causal=True, state=state)

    @torch.no_grad()
    def fused() -> None:
        keys, values = k, v
        for _ in range(50):
            keys, values = torch.cat([keys, token[1]], -2), torch.cat([values, token[2]], -2)
            scaled_dot_product_attention(token[0], keys, values)

    found: dict[str, Callable[[], object]] = {"ours": ours, FUSED: fused}
    if before is not None:
        theirs = before.RandomFeatures(DIM, FEATURES)
        options = {"features": theirs, "causal": True}
        state = before.FavorState()
        with torch.no_grad():
            made = before.favor_attention(q, k, v, state=state, **options)
        returned = isinstance(made, tuple)  # the first versions changed the state that they got
        start = made[1] if returned else state

        @torch.no_grad()
        def earlier() -> None:
            state = start
            for _ in range(50):
                made = before.favor_attention(*token, state=state, **options)
                state = made[1] if returned else state

        found[EARLIER] = earlier
    return found


def forward(attention: Attention, inputs: list[Tensor]) -> Callable[[], object]:
    """Return one forward pass without gradients."""

    @torch.no_grad()
    def run() -> object:
        return attention(*inputs)

    return run


def training(attention: Attention, inputs: list[Tensor]) -> Callable[[], object]:
    """Return one forward and backward pass."""
    inputs = [x.clone().requires_grad_() for x in inputs]
    return lambda: torch.autograd.grad(attention(*inputs).sum(), inputs)


class Row(NamedTuple):
    """A row to measure. The bar is peer / ours at least."""

    peer: str
    run: Callable[[Attention, list[Tensor]], Callable[[], object]]
    length: int
    pairs: int
    bar: float | None = None


ROWS = [
    Row(FUSED, training, 4096, 12, 1.8),
    Row(EARLIER, forward, 2048, 12, 1 / 0.6),
    Row("performer-pytorch 1.1.4", forward, 2048, 5, 30),
    Row("chunks with matrix products", forward, 2048, 12, 5),
    Row("chunks with matrix products", training, 2048, 6),
    Row("chunks with outer products", forward, 2048, 5),
    Row(FUSED, forward, 2048, 12),
    Row(FUSED, forward, 8192, 5),
    Row(FUSED, training, 2048, 8),
    Row(FUSED, training, 8192, 5),
]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--before", metavar="PACKAGE", help="an earlier version, such as studiolo.papers.performers"
    )
    name = parser.parse_args().before
    before = None if name is None else importlib.import_module(name)
    torch.set_num_threads(1)
    favor = attention_of(performers)
    peers: dict[str, Attention | None] = {
        FUSED: partial(scaled_dot_product_attention, is_causal=True),
        EARLIER: None if before is None else attention_of(before),
        "performer-pytorch 1.1.4": performer_pytorch(),
        "chunks with matrix products": written_out(outer=False),
        "chunks with outer products": written_out(outer=True),
    }
    print(
        f"Causal, {HEADS} heads of {DIM}, {FEATURES} features, float32, torch {torch.__version__}, one thread.\n"
    )
    print_head(
        "pass", "L", "peer", "ours s", "peer s", "peer / ours (interval)", "pairs", "busy", "bar"
    )
    for row in ROWS:
        peer = peers[row.peer]
        if peer is None:
            continue
        inputs = list(torch.randn(3, 1, HEADS, row.length, DIM) * 0.5)
        times = abba(row.run(peer, inputs), row.run(favor, inputs), pairs=row.pairs, warmup=1)
        print_row(row.run.__name__, row.length, row.peer, *cells(times), bar(row.bar))
    ours, *others = decode(2048, before).items()
    for name, theirs in others:
        times = abba(theirs, ours[1])
        print_row("decode", 2048, name, *cells(times), bar(1 / 0.6 if name == EARLIER else None))
    for name in (name for name, peer in peers.items() if peer is None):
        print(f"\n{name} is not here: no row.")


def bar(ratio: float | None) -> str:
    """Return a bar as a cell."""
    return "" if ratio is None else f"{ratio:.2f}"


if __name__ == "__main__":
    main()
