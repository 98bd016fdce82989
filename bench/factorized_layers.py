"""Factorized layers: what Frobenius decay, an SVD and two thin convolutions cost. One thread, CPU time, one Markdown table.

    python bench/factorized_layers.py

Ratios are the other way's CPU time over ours, median over interleaved pairs (A B B A); the interval is the
order-statistic interval of these pairs (5 % per tail), of this process alone.
"""

import os


os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Callable

import torch
from side_by_side import cells, print_head, print_row
from torch import nn

from studiolo.measure import abba
from studiolo.papers.factorized_layers import (
    FactorizedConv2d,
    FactorizedLinear,
    factorize,
    frobenius_gradients,
    kaiming_init,
    spectral_init,
    squared_norm,
)
from studiolo.papers.factorized_layers.networks import ResNet, WideResNet


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


def svd_rows() -> list[Row]:
    """The automatic SVD against the exact one, and a layer's construction against one with an SVD."""
    weight = torch.randn(1024, 1024)
    return [
        (
            "spectral init, automatic",
            "1024 × 1024, rank 64",
            "exact SVD",
            lambda: spectral_init(weight, 64, iterations=None),
            lambda: spectral_init(weight, 64),
            5,
        ),
        (
            "construction",
            "1024 → 1024, rank 64",
            "with an SVD of the drawn weight",
            lambda: FactorizedLinear(1024, 1024, rank=64, init=exact),
            lambda: FactorizedLinear(1024, 1024, rank=64),
            5,
        ),
    ]


def exact(weight: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return spectral factors from an exact SVD."""
    return spectral_init(weight, rank, iterations=None)


def convolution_rows() -> list[Row]:
    """Two thin convolutions against the dense one, at a quarter of its parameters; forward, and with backward."""
    rows: list[Row] = []
    for channels, side in ((16, 32), (64, 16), (256, 8)):
        dense = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        x = torch.randn(8, channels, side, side, requires_grad=True)
        for unfolding, full in (("spatial", 6 * channels), ("channel", 10 * channels)):
            rank = int(0.25 * 9 * channels**2 / full)
            thin = FactorizedConv2d.from_dense(dense, rank, unfolding=unfolding, init=kaiming_init)
            size = f"8 × {channels} × {side} × {side}, rank {rank}"
            for how, make in (("forward", inference), ("forward + backward", training)):
                what = f"3 × 3 convolution, {unfolding}, {how}"
                rows.append((what, size, "dense", make(dense, x), make(thin, x), 20))
    return rows


def network_rows() -> list[Row]:
    """Whole residual networks at a quarter of their parameters, forward, in evaluation mode."""
    rows: list[Row] = []
    for width, batch in ((16, 32), (64, 8)):
        net = ResNet(20, width).eval()
        x = torch.randn(batch, 3, 32, 32)
        for unfolding in ("spatial", "channel", "cheaper"):
            small = factorize(net, 0.25, unfolding=unfolding)
            what = f"ResNet-20, width {width}, {unfolding}, forward"
            row = (what, f"{batch} × 3 × 32 × 32, budget .25", "dense")
            rows.append((*row, inference(net, x), inference(small, x), 10))
    return rows


def convert_wide_network() -> float:
    """Return the CPU seconds that WRN-28-10 takes to 6.67 % of its parameters."""
    net = WideResNet()
    start = time.process_time()
    factorize(net, 0.0667)
    return time.process_time() - start


def training(layer: nn.Module, x: torch.Tensor) -> Call:
    """Return one forward and backward pass."""
    inputs = [x, *layer.parameters()]
    return lambda: torch.autograd.grad(layer(x).sum(), inputs)


def inference(layer: nn.Module, x: torch.Tensor) -> Call:
    """Return one forward pass without gradients."""

    def run() -> object:
        with torch.no_grad():
            return layer(x)

    return run


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"float32, torch {torch.__version__}, one thread.\n")
    print_head(
        "what", "size", "against", "ours ms", "other ms", "other / ours (interval)", "pairs", "busy"
    )
    rows = decay_rows() + svd_rows() + convolution_rows() + network_rows()
    for what, size, against, other, ours, pairs in rows:
        times = abba(other, ours, pairs=pairs, warmup=1)
        print_row(what, size, against, *cells(times, "ms", 2))

    seconds = sorted(convert_wide_network() for _ in range(3))
    print(f"\nWRN-28-10 to 6.67 %: {', '.join(f'{s:.2f}' for s in seconds)} s.")


if __name__ == "__main__":
    main()
