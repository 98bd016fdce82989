"""Factorized layers: what Frobenius decay, an SVD and two thin convolutions cost. One thread, CPU time, one Markdown table.

    python bench/factorized_layers.py

Ratios are the other way's CPU time over ours, median over interleaved pairs (A B B A); the interval is the
order-statistic interval of these pairs (5 % per tail), of this process alone.
"""

import os


os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable

import torch
from side_by_side import cells, print_head, print_row
from torch import nn

from studiolo.measure import abba
from studiolo.papers.factorized_layers import (
    FactorizedConv2d,
    frobenius_gradients,
    spectral_init,
    squared_norm,
)


Call = Callable[[], object]
Row = tuple[str, str, str, Call, Call, int]


def decay_rows() -> list[Row]:
    """The gradient of ½ ‖U Vᵀ‖² by autograd through the formed product, against both of our ways."""
    rows: list[Row] = []
    for m, n, r, pairs in ((576, 576, 64, 40), (1024, 1024, 128, 20), (4096, 4096, 256, 20)):
        u = torch.randn(m, r, requires_grad=True)
        v = torch.randn(n, r, requires_grad=True)

        def product(u: torch.Tensor = u, v: torch.Tensor = v) -> object:
            return torch.autograd.grad((u @ v.mT).square().sum() / 2, [u, v])

        def grams(u: torch.Tensor = u, v: torch.Tensor = v) -> object:
            return torch.autograd.grad(squared_norm(u, v) / 2, [u, v])

        @torch.no_grad()
        def closed(u: torch.Tensor = u, v: torch.Tensor = v) -> object:
            return frobenius_gradients(u, v)

        @torch.no_grad()
        def chained(u: torch.Tensor = u, v: torch.Tensor = v) -> object:
            return torch.linalg.multi_dot([u, v.mT, v]), torch.linalg.multi_dot([v, u.mT, u])

        size = f"{m} × {n}, rank {r}"
        formed = "autograd through the product"
        rows += [
            ("decay, term in the loss", size, formed, product, grams, pairs),
            ("decay, before the step", size, formed, product, closed, pairs),
            ("decay, before the step", size, "chained products", chained, closed, pairs),
        ]
    return rows


def other_rows() -> list[Row]:
    """The randomised SVD against the exact one; two thin convolutions against the dense one."""
    weight = torch.randn(1024, 1024)
    rows: list[Row] = [
        (
            "spectral init, 2 power iterations",
            "1024 × 1024, rank 64",
            "exact SVD",
            lambda: spectral_init(weight, 64),
            lambda: spectral_init(weight, 64, iterations=2),
            5,
        )
    ]
    dense = nn.Conv2d(64, 64, 3, padding=1, bias=False)
    x = torch.randn(8, 64, 16, 16, requires_grad=True)
    for unfolding, rank in (("spatial", 21), ("channel", 13)):  # 22 and 23 % of the parameters
        thin = FactorizedConv2d.from_dense(dense, rank, unfolding=unfolding)
        rows.append(
            (
                f"convolution, {unfolding}, forward + backward",
                f"8 × 64 × 16 × 16, 3 × 3, rank {rank}",
                "dense convolution",
                training(dense, x),
                training(thin, x),
                20,
            )
        )
    return rows


def training(layer: nn.Module, x: torch.Tensor) -> Call:
    """Return one forward and backward pass."""
    inputs = [x, *layer.parameters()]
    return lambda: torch.autograd.grad(layer(x).sum(), inputs)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"float32, torch {torch.__version__}, one thread.\n")
    print_head(
        "what", "size", "against", "ours ms", "other ms", "other / ours (interval)", "pairs", "busy"
    )
    for what, size, against, other, ours, pairs in decay_rows() + other_rows():
        times = abba(other, ours, pairs=pairs, warmup=1)
        print_row(what, size, against, *cells(times, "ms", 2))


if __name__ == "__main__":
    main()
