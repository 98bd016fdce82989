"""NADE's recurrence on a GPU beside other ways to write it, a section of `python bench/gpu.py`.

B = 100 rows, D = 784, H = 500, float32, sigmoid, 13 % ones. Floors, counted: 39.2 million hidden values take one
reciprocal each in the forward and one in the backward, 16 a clock on each of an H100's 132 multiprocessors: 11 µs each
way. Their 20 or so other operations each way run at 128 a clock: 16 µs and 20 µs. Bytes: 4 MB of weights and their
gradients, 10 MB of states at the starts of chunks, written once and read twice: 12 µs. The products for those states
are 0.2 GFLOP, 3 µs. So about 0.07 ms both ways. The host takes longer than that to launch four kernels, which a CUDA
graph does not wait for. The bar is 0.4 ms.
"""

import os
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from statistics import median
from time import perf_counter
from typing import Any

import torch
import triton
from torch import Tensor

from studiolo.papers.nade import NADE, gpu, nade_logits


DRY = os.environ.get("TRITON_INTERPRET") == "1" or not torch.cuda.is_available()
ROWS, DIM, HIDDEN = (3, 40, 8) if DRY else (100, 784, 500)
DEVICE = "cpu" if DRY else "cuda"
Parameters = tuple[Tensor, ...]
Logits = Callable[..., Tensor]


def careful_loop(x: Tensor, V: Tensor, b: Tensor, W: Tensor, c: Tensor) -> Tensor:
    """Return the logits by one step after the other under autograd, with contiguous slices."""
    a, logits = c.expand(len(x), -1), []
    for x_d, V_d, W_d in zip(
        x.t().contiguous().unbind(), V.unbind(), W.t().contiguous().unbind(), strict=True
    ):
        logits.append(torch.mv(torch.sigmoid(a), V_d))
        a = torch.addr(a, x_d, W_d)
    return torch.stack(logits, 1) + b


def cumulative_sum(x: Tensor, V: Tensor, b: Tensor, W: Tensor, c: Tensor) -> Tensor:
    """Return the logits from all B D H states at once."""
    read = x[:, :-1, None] * W.t()[:-1]
    a = c + torch.nn.functional.pad(read.cumsum(1), (0, 0, 1, 0))
    return (torch.sigmoid(a) * V).sum(2) + b


def inputs(ones: float = 0.13) -> tuple[Tensor, Parameters]:
    """Return x (B, D) of 0 and 1, and V, b, W, c as a trained model might have them."""
    x = (torch.rand(ROWS, DIM, device=DEVICE) < ones).float()
    draws = [(DIM, HIDDEN), (DIM,), (HIDDEN, DIM), (HIDDEN,)]
    return x, tuple((0.1 * torch.randn(s, device=DEVICE)).requires_grad_() for s in draws)


def training(logits: Logits, x: Tensor, parameters: Parameters) -> Callable[[], Parameters]:
    """Return one forward and backward pass of -log p."""

    def run() -> Parameters:
        z = logits(x, *parameters)
        nll = torch.nn.functional.binary_cross_entropy_with_logits(z, x, reduction="sum")
        return torch.autograd.grad(nll / len(x), parameters)

    return run


def forward(logits: Logits, x: Tensor, parameters: Parameters) -> Callable[[], Tensor]:
    """Return one forward pass."""

    def run() -> Tensor:
        with torch.no_grad():
            return logits(x, *parameters)

    return run


def alone(tiles: gpu.Tiles, x: Tensor, parameters: Parameters) -> Callable[[], None]:
    """Return our four kernels by themselves, for `tiles`."""
    V, _, W, c = (p.detach() for p in parameters)
    e = torch.randn_like(x)

    def run() -> None:
        _, states = gpu.logits(x, V, W, c, "sigmoid", tiles)
        gpu.gradients(e, x, V, W, states, "sigmoid", tiles)

    return run


def ms(run: Callable[[], object], repeat_ms: int = 300) -> float:
    """Return the median milliseconds of a call."""
    if DRY:
        started = perf_counter()
        run()
        return (perf_counter() - started) * 1e3
    from triton.testing import do_bench

    return float(do_bench(run, warmup=50, rep=repeat_ms, return_mode="median"))


def graph_ms(run: Callable[[], object], repeat_ms: int = 300) -> float:
    """Return the median milliseconds of a replay of the call as a CUDA graph."""
    if DRY:
        return ms(run)
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return ms(graph.replay, repeat_ms)


def once_ms(run: Callable[[], object], calls: int = 5) -> float:
    """Return the median of a few calls that take long."""
    times = []
    for _ in range(1 if DRY else calls):
        if not DRY:
            torch.cuda.synchronize()
        started = perf_counter()
        run()
        if not DRY:
            torch.cuda.synchronize()
        times.append((perf_counter() - started) * 1e3)
    return median(times)


def rows() -> Iterator[tuple[str, float | str, str]]:
    """Yield what is measured, milliseconds or a ratio, and the bar."""
    torch.manual_seed(0)
    x, parameters = inputs()
    size = f"B {ROWS} D {DIM} H {HIDDEN}"
    ours = graph_ms(training(nade_logits, x, parameters))
    yield f"forward and backward, {size}, in a CUDA graph", ours, "0.4"
    dense, _ = inputs(0.5)
    yield "the same of 50 % ones", graph_ms(training(nade_logits, dense, parameters)), "0.4"
    yield "forward in a CUDA graph", graph_ms(forward(nade_logits, x, parameters)), ""
    kernels = graph_ms(alone(gpu.TILES, x, parameters))
    yield "our four kernels alone, in a CUDA graph", kernels, "floor 0.07"
    yield "as called: nade_logits", ms(training(nade_logits, x, parameters)), ""
    yield "as called: gpu.nade_logits", ms(training(gpu.nade_logits, x, parameters)), "0.4"
    if not DRY:
        arguments = (x.clone(), *parameters)
        graphed: Any = torch.cuda.make_graphed_callables(gpu.nade_logits, arguments)
        yield "through make_graphed_callables", ms(training(graphed, x, parameters)), "0.4"
    yield from _training_steps(x)
    with gpu.kernels(use=False):
        value = once_ms(training(nade_logits, x, parameters))
        yield "the program in torch, by chunks", value, ""
        yield "ratio of it to our graph", f"{value / ours:.0f}x", ""
    loop = training(careful_loop, x, parameters)
    loop()
    value = once_ms(loop, 3)
    yield "loop under autograd", value, "about 80"
    yield "ratio of it to our graph", f"{value / ours:.0f}x", ""
    value = graph_ms(loop)
    yield "the loop in a CUDA graph", value, ""
    yield "ratio of it to our graph", f"{value / ours:.0f}x", ""
    yield "cumulative sum over D", ms(training(cumulative_sum, x, parameters)), ""
    if not DRY:
        compiled = training(torch.compile(cumulative_sum), x, parameters)
        compiled()
        yield "cumulative sum, torch.compile", ms(compiled), ""
        yield "cumulative sum, torch.compile in a CUDA graph", graph_ms(compiled), ""


def _training_steps(x: Tensor) -> Iterator[tuple[str, float | str, str]]:
    """Yield whole steps of training with Adam; those of `NADE` check the values and so wait for the device."""
    for kind in (NADE, gpu.GraphedNADE):
        model = kind(DIM, HIDDEN).to(DEVICE)
        yield f"a step of training with Adam, {kind.__name__}.loss", ms(_step(model, x)), ""


def _step(model: NADE, x: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        model.loss(x).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def tune() -> None:
    """Print what other tiles give: our kernels alone in a CUDA graph."""
    torch.manual_seed(0)
    x, parameters = inputs()
    tried = []
    started = perf_counter()
    for tiles in islice(_candidates(), 1 if DRY else None):
        if perf_counter() - started > 35:
            print("No time for", tiles)
            continue
        try:
            tried.append((graph_ms(alone(tiles, x, parameters), 60), tiles))
        except (RuntimeError, triton.TritonError) as error:  # too many registers, say: the next
            print(tiles, type(error).__name__, str(error)[:200])
    for value, tiles in sorted(tried, key=lambda one: one[0]):
        print(f"{value:.4f} ms {tiles}")
    sys.stdout.flush()


def _candidates() -> Iterator[gpu.Tiles]:
    """Yield one change at a time from the default."""
    default = gpu.TILES
    yield default
    for rows_, warps in ((1, 1), (1, 2), (2, 4), (4, 2), (8, 4), (8, 8)):
        yield default._replace(rows=rows_, logits_warps=warps)
    for units, warps in ((16, 2), (16, 8), (32, 4), (32, 8)):
        yield default._replace(units=units, gradients_warps=warps)
    yield default._replace(units=16, batch=64)
    yield default._replace(units=32, batch=64)
    yield default._replace(rows=1, logits_warps=1, stages=4)
    yield default._replace(chunk=64)


if __name__ == "__main__":
    for what, value, bar in rows():
        print(what, value if isinstance(value, str) else f"{value:.4f} ms", bar)
