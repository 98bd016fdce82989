"""Causal FAVOR+ beside exact attention and performer-pytorch: one thread, CPU time, one Markdown table.

    python bench/performers.py

torch's fused attention is the strongest exact peer. performer-pytorch (1.1.4, with local-attention and
axial-positional-embedding) is the strongest peer of the same method that runs without a GPU; its row
is left out, and said so, where it cannot be imported. The ratio is the peer's CPU time over ours, median over
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
from studiolo.papers.performers import RandomFeatures, favor_attention


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
        (fused, "torch fused attention", training, 8192, 8),
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
    if peer is None:
        print("\nperformer-pytorch is not installed: no row.")


if __name__ == "__main__":
    main()
