"""Causal FAVOR+ on one GPU: our Triton programs beside fused exact attention and flash-linear-attention's chunks.

    python bench/gpu.py bench --only performers [--tune] [--dry]

Shape of the bars: batch 4, 16 heads of 64, 65,536 tokens, 256 features, bfloat16. Operations of the forward pass, for a
token and head with chunks of C = 64: 4dm = 65,536 for features, 2Cm + 2Cd = 40,960 inside the chunk, 4md = 65,536 through
the state: 0.72 TFLOP. Backward, by the least that we know: 1.72 TFLOP. Bytes: q, k, v and the output once, 2.15 GB
forward, 4.29 GB backward. At 790 TFLOP/s and 4.3 TB/s the floors are 0.91 ms forward and 3.09 ms forward and backward.
Beside them stand 2.15e9 exponentials, 0.58 ms at 16 a clock of 132 multiprocessors, once forward and twice backward.
Our programs do more: summing the parts makes the keys' features once more (0.24 TFLOP for 7 of 8 parts), and going back
the features are made twice, and those of the queries once more for the parts, 2.2 TFLOP.
Exact causal attention needs 35.2 TFLOP forward and 123 forward and backward.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import torch
import triton
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from studiolo.papers.performers import RandomFeatures, favor_attention, gpu


CUDA = torch.cuda.is_available()
HEADS, DIM, FEATURES = (16, 64, 256) if CUDA else (1, 16, 16)
BATCH = 4 if CUDA else 1
LENGTH = 65536 if CUDA else 40
LENGTHS = (512, 1024, 2048, 4096, 8192, 16384, 32768) if CUDA else (16, 24)
FORWARD_MS, BOTH_MS = 0.91, 3.09
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def rows() -> Iterator[tuple[str, float | str, str]]:
    """Yield what, milliseconds or text, and the bar."""
    ours, exact = program(), fused()
    inputs = draw(LENGTH)
    forward, both = timed(ours, inputs, False), timed(ours, inputs, True)
    size = f"B{BATCH} H{HEADS} L{LENGTH} d{DIM} m{FEATURES} {str(inputs[0].dtype).split('.')[1]}"
    yield f"forward, {size}", forward, "at most 2.5 ms"
    yield "its share of the floor", f"{FORWARD_MS / forward:.0%} of 0.91 ms", ""
    yield "forward and backward", both, "at most 8 ms"
    yield "its share of the floor", f"{BOTH_MS / both:.0%} of 3.09 ms", ""
    for name, ms in kernels(inputs, gpu.TILES).items():
        yield f"of it {name}", ms, ""
    peer, peer_both = timed(exact, inputs, False, few=True), timed(exact, inputs, True, few=True)
    yield "fused exact attention, forward", peer, ""
    yield "fused exact attention, forward and backward", peer_both, ""
    yield "times faster, forward", f"{peer / forward:.1f}", "at least 15"
    yield "times faster, forward and backward", f"{peer_both / both:.1f}", "at least 15"
    del inputs
    for backward in (False, True):
        what = "forward and backward" if backward else "forward"
        crossing, ratios = None, []
        for length in LENGTHS:
            short = draw(length)
            ratio = timed(exact, short, backward) / timed(ours, short, backward)
            ratios.append(f"{length}: {ratio:.2f}")
            crossing = crossing or (length if ratio >= 1 else None)
        yield f"times faster at each length, {what}", ", ".join(ratios), ""
        yield f"first of these lengths that is faster, {what}", str(crossing), "stated"
    yield from beside_the_plain_program()
    yield from flash_linear_attention(forward, both)


def beside_the_plain_program() -> Iterator[tuple[str, float | str, str]]:
    """Yield how many times faster than the plain program ours is, which says when `program="auto"` takes it."""
    for causal in (True, False):
        plain, ours = program(name="torch", causal=causal), program(causal=causal)
        for backward in (False, True):
            ratios = []
            for length in LENGTHS[::3]:
                short = draw(length)
                ratio = timed(plain, short, backward) / timed(ours, short, backward)
                ratios.append(f"{length}: {ratio:.1f}")
            what = f"{'' if causal else 'not '}causal, {'forward and backward' if backward else 'forward'}"
            yield f"times faster than program='torch', {what}", ", ".join(ratios), "above 1"


def flash_linear_attention(forward: float, both: float) -> Iterator[tuple[str, float | str, str]]:
    """Yield what flash-linear-attention's chunk kernel takes when it is given our features."""
    if not CUDA:
        yield "flash-linear-attention", "left out: no GPU", ""
        return
    try:
        chunk_linear_attn = importlib.import_module("fla.ops.linear_attn").chunk_linear_attn
        q, k, v = draw(LENGTH)
        phi = RandomFeatures(DIM, FEATURES).to("cuda", torch.bfloat16)

        def features(x: Tensor) -> Tensor:
            log = phi(x.detach() * DIM**-0.25).log
            return (log - log.amax((-1, -2), keepdim=True)).exp().transpose(1, 2).contiguous()

        with torch.no_grad():
            queries, keys = features(q), features(k)
        values = v.detach().transpose(1, 2).contiguous()
        given = [x.requires_grad_() for x in (queries, keys, values)]
        del q, k, v

        def chunks(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
            out: Tensor = chunk_linear_attn(a, b, c, scale=1.0, normalize=True)[0]
            return out

        theirs = timed(chunks, given, False, few=True)
        yield "flash-linear-attention's chunks, features given, forward", theirs, ""
        yield "times faster, forward", f"{theirs / forward:.1f}", "at least 3"
        theirs = timed(chunks, given, True, few=True)
        yield "flash-linear-attention's chunks, forward and backward", theirs, ""
        yield "times faster, forward and backward", f"{theirs / both:.1f}", "at least 3"
    except Exception as fault:  # noqa: BLE001 - whatever another's package does, our rows stand
        yield "flash-linear-attention", f"left out: {type(fault).__name__}: {str(fault)[:150]}", ""


def tune() -> None:
    """Print the milliseconds of each of our kernels under other settings, within about 40 seconds."""
    base = gpu.TILES
    tried = [base, replace(base, segments=4), replace(base, segments=8)]
    tried += [replace(base, per=4), *(replace(base, stages=(s,) * 5) for s in (1, 2))]
    started = time.monotonic()
    if not CUDA:
        print(measured(base))
        return
    with ProcessPoolExecutor(8, get_context("spawn")) as pool:
        list(pool.map(compiled, tried))
    print(f"{len(tried)} settings compiled in {time.monotonic() - started:.0f} s")
    pool = ProcessPoolExecutor(1, get_context("spawn"))  # a fault ends its process, not ours
    for tiles in tried:
        if time.monotonic() - started > 40:
            print("  no time for more")
            break
        said = pool.submit(measured, tiles).result()
        print(f"  segments {tiles.segments} per {tiles.per} stages {tiles.stages[0]}: {said}")
        if "Error" in said:
            pool.shutdown()
            pool = ProcessPoolExecutor(1, get_context("spawn"))
    pool.shutdown()


def measured(tiles: gpu.Tiles) -> str:
    """Return the milliseconds of each kernel under a setting, or what went wrong."""
    try:
        found = kernels(draw(LENGTH), tiles)
    except Exception as error:  # noqa: BLE001 - said in the table
        return f"{type(error).__name__}: {str(error)[:100]}"
    each = ", ".join(f"{name} {ms:.2f}" for name, ms in found.items())
    return f"{each}, all {sum(found.values()):.2f}"


def compiled(tiles: gpu.Tiles) -> None:
    """Compile our kernels in a process of its own, for all processes."""
    with suppress(Exception):  # `measured` says it
        program(tiles)(*draw(64 * tiles.chunk)).sum().backward()


def kernels(inputs: list[Tensor], tiles: gpu.Tiles) -> dict[str, float]:
    """Return the milliseconds of each kernel in one forward and backward pass, median of 5."""
    names = [*gpu.KERNELS, "accumulate", "accumulate_back"]
    before = {name: getattr(gpu, name) for name in names}
    spans: dict[str, list[Any]] = {name: [] for name in names}

    class Watched:
        def __init__(self, name: str) -> None:
            self.name = name

        def __getitem__(self, grid: Any) -> Callable[..., None]:
            def launch(*args: Any, **options: Any) -> None:
                with clock() as span:
                    before[self.name][grid](*args, **options)
                spans[self.name].append(span)

            return launch

    attention = program(tiles)
    try:
        for name in names:
            setattr(gpu, name, Watched(name))
        for _ in range(7 if CUDA else 1):
            out = attention(*inputs)
            with suppress(triton.runtime.errors.OutOfResources):  # forward is worth knowing alone
                out.backward(torch.ones_like(out))
    finally:
        for name in names:
            setattr(gpu, name, before[name])
        for x in inputs:
            x.grad = None
    if CUDA:
        torch.cuda.synchronize()
    return {name: statistics.median(s.ms() for s in of[-5:]) for name, of in spans.items() if of}


class clock:
    """A span of time on the device, or on the host without one."""

    def __enter__(self) -> clock:
        self.begun, self.ended = self._now(), self._now()
        if CUDA:
            self.begun.record()
        return self

    def __exit__(self, *_: object) -> None:
        if CUDA:
            self.ended.record()
        else:
            self.ended = self._now()

    def _now(self) -> Any:
        return torch.cuda.Event(enable_timing=True) if CUDA else time.perf_counter()

    def ms(self) -> float:
        """Return its length."""
        if CUDA:
            return float(self.begun.elapsed_time(self.ended))
        return (self.ended - self.begun) * 1e3


def timed(attention: Attention, inputs: list[Tensor], backward: bool, few: bool = False) -> float:
    """Return the median milliseconds of an attention, with its gradients or without; q changes nothing else."""
    upstream = torch.randn_like(inputs[2])

    def run() -> None:
        if backward:
            attention(*inputs).backward(upstream)
            for x in inputs:
                x.grad = None
        else:
            with torch.no_grad():
                attention(*inputs)

    repeats = 1 if not CUDA else 3 if few else 15
    for _ in range(1 if few else 3):
        run()
    spans = []
    for _ in range(repeats):
        with clock() as span:
            run()
        spans.append(span)
    if CUDA:
        torch.cuda.synchronize()
    return statistics.median(span.ms() for span in spans)


def program(tiles: gpu.Tiles | None = None, name: str = "triton", causal: bool = True) -> Attention:
    """Return our attention with a draw of w."""
    features = RandomFeatures(DIM, FEATURES).to("cuda" if CUDA else "cpu")
    if name == "torch":
        return lambda q, k, v: favor_attention(
            q, k, v, features=features, causal=causal, program="torch", rescue=False
        )
    return lambda q, k, v: gpu.favor_attention(
        q, k, v, features=features, causal=causal, tiles=tiles
    )


def fused() -> Attention:
    """Return torch's fused exact attention; on a GPU nothing but flash attention."""

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION if CUDA else SDPBackend.MATH):
            return scaled_dot_product_attention(q, k, v, is_causal=True)

    return attention


def draw(length: int) -> list[Tensor]:
    """Return q, k, v of the bars' shape."""
    shape = (BATCH, HEADS, length, DIM)
    kind = {"device": "cuda", "dtype": torch.bfloat16} if CUDA else {}
    return [(torch.randn(shape, **kind) * size).requires_grad_() for size in (0.5, 0.5, 1.0)]  # type: ignore[arg-type]
