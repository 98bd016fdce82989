"""Causal FAVOR+ beside exact attention and performer-pytorch: one thread, CPU time, one Markdown table.

    python bench/performers.py

torch's fused attention is the strongest exact peer. performer-pytorch (1.1.4, with local-attention and
axial-positional-embedding) is the strongest peer of the same method that runs without a GPU; its row
is left out, and said so, where it cannot be imported. Two ways of writing causal FAVOR in plain torch stand
beside it: chunks with matrix products, which is what one would write, and chunks with outer products, which is
how the authors' SLiM Performer goes. `decode` is one token after 2,048. The ratio is the peer's CPU time over ours, median over
interleaved pairs; its interval is the order-statistic interval of these pairs (5 % per tail), of this process alone.
"""

import importlib
import os


os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable

import torch
from side_by_side import cells, print_head, print_row
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from studiolo.measure import abba
from studiolo.papers.performers import FavorState, RandomFeatures, favor_attention


HEADS, DIM, FEATURES = 8, 64, 256
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


def decode(length: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return fifty tokens by a state, and by torch's fused attention over a cache of `length` keys."""
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

    return ours, fused


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


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    features = RandomFeatures(DIM, FEATURES, generator=torch.Generator().manual_seed(0))

    def favor(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return favor_attention(q, k, v, features=features, causal=True)

    def fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return scaled_dot_product_attention(q, k, v, is_causal=True)

    peer = performer_pytorch()
    rows: list[tuple[Attention, str, Callable[..., Callable[[], object]], int, int]] = [
        (fused, "torch fused attention", forward, 2048, 20),
        (fused, "torch fused attention", forward, 8192, 20),
        (fused, "torch fused attention", training, 2048, 20),
        (fused, "torch fused attention", training, 4096, 12),
        (fused, "torch fused attention", training, 8192, 8),
        (written_out(outer=False), "chunks with matrix products", forward, 2048, 20),
        (written_out(outer=False), "chunks with matrix products", training, 2048, 12),
        (written_out(outer=True), "chunks with outer products", forward, 2048, 5),
    ]
    if peer is not None:
        rows.append((peer, "performer-pytorch 1.1.4", forward, 2048, 5))
    print(
        f"Causal, {HEADS} heads of {DIM}, {FEATURES} features, float32, torch {torch.__version__}, one thread.\n"
    )
    print_head("pass", "L", "peer", "ours s", "peer s", "peer / ours (interval)", "pairs", "busy")
    for attention, name, run, length, pairs in rows:
        inputs = list(torch.randn(3, 1, HEADS, length, DIM) * 0.5)
        times = abba(run(attention, inputs), run(favor, inputs), pairs=pairs, warmup=1)
        print_row(run.__name__, length, name, *cells(times))
    ours, cached = decode(2048)
    print_row(
        "decode, 50 tokens", 2048, "torch fused attention, cached keys", *cells(abba(cached, ours))
    )
    if peer is None:
        print("\nperformer-pytorch is not installed: no row.")


if __name__ == "__main__":
    main()
