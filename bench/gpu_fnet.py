"""FNet on a GPU: `python bench/gpu.py bench --only fnet`, a section of `bench/gpu.py`.

Floors on an H100 (989 TF dense in half precision, 3.35 TB/s), B=64, L=512, d=768, half precision:

    mixing by folded products    16.1 GF                                     16 us
      bytes: x 50 MB read, folded 25 + 25 + 25 MB, float32 quarters 2 x 53 MB, out 50 MB   85 us
    attention sublayer           154.6 GF projections + 51.5 GF scores       208 us
    feed-forward                 309.2 GF                                    313 us

A training layer costs three times its products (fused attention 3.5 times its scores), so a layer without mixing
is at most (8 d + 4 l + 16 d) / 16 d = 1.67 times as fast as one with attention at 512 tokens and 2.17 times at
2048: the ceilings that are printed. What was measured between the two is the layer without mixing, timed.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from studiolo.nn import SelfAttention
from studiolo.papers.fnet import FourierMixing, NoMixing, gpu
from studiolo.papers.fnet.blocks import FNetBlock
from studiolo.papers.fnet.mixing import fourier_mix


DRY = bool(os.environ.get("STUDIOLO_GPU_DRY"))
DEVICE = "cpu" if DRY else "cuda"
HALF = torch.float32 if DRY else torch.bfloat16
WIDTH, HEADS = (12, 2) if DRY else (768, 12)
TOKENS = 64 if DRY else 32768  # in a batch

Step = Callable[[], object]


def milliseconds(step: Step, *, graphed: bool = False) -> float:
    """Return the median time of one call on the device.

    Args:
        graphed: replay a CUDA graph, for what takes less time on the device than Python needs to ask for it.
    """
    if DRY:
        step()
        return float("nan")
    from triton.testing import do_bench

    if graphed:
        stream: Any = torch.cuda.Stream  # untyped in torch
        aside = stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        step = graph.replay
    return float(do_bench(step, warmup=30, rep=100, return_mode="median"))


def batch(num_tokens: int) -> tuple[Tensor, Tensor]:
    """Return an input that asks for a gradient, and a gradient."""
    shape = (max(1, TOKENS // num_tokens), num_tokens, WIDTH)
    x, grad = (torch.randn(shape, device=DEVICE, dtype=HALF) for _ in range(2))
    return x.requires_grad_(), grad


def both_ways(function: Callable[[Tensor], Tensor], x: Tensor, grad: Tensor) -> Step:
    """Return a call of forward and backward."""
    return lambda: torch.autograd.grad(function(x), x, grad.to(torch.float32))


def layer_step(mixer: nn.Module, x: Tensor, grad: Tensor, *, compiled: bool = False) -> Step:
    """Return a training step of one layer: forward, backward, gradients of all parameters."""
    block = FNetBlock(mixer, WIDTH, 4 * WIDTH, activation="gelu_tanh", norm_eps=1e-12)
    block = block.to(DEVICE, HALF)
    call = torch.compile(block) if compiled and not DRY else block
    wanted = [x, *(p for p in block.parameters())]

    def step() -> None:
        torch.autograd.grad(call(x), wanted, grad)

    return step


def rows() -> Iterator[tuple[str, float | str, str]]:
    """Yield what, measured, bar."""
    torch.manual_seed(0)
    lengths = (8, 16) if DRY else (512, 2048)
    for num_tokens in (8, 16) if DRY else (128, 512, 2048, 8192, 16384, 32768):
        x, grad = batch(num_tokens)
        fft = milliseconds(
            both_ways(lambda x: fourier_mix(x, program="fft"), x, grad), graphed=True
        )
        folded = milliseconds(both_ways(gpu.mix, x, grad), graphed=True)
        yield (
            f"mixing, {num_tokens} tokens, both ways",
            f"cuFFT {fft:.3g} ms, folded {folded:.3g} ms: {fft / folded:.2f}",
            "",
        )
    for num_tokens, bar in zip(lengths, (1.35, 1.8), strict=True):
        x, grad = batch(num_tokens)
        ceiling = 1 + (8 * WIDTH + 4 * num_tokens) / (16 * WIDTH)
        times = {
            name: milliseconds(layer_step(mixer, x, grad))
            for name, mixer in (
                ("attention", SelfAttention(WIDTH, HEADS)),
                ("folded", FourierMixing("matmul")),
                ("cuFFT", FourierMixing("fft")),
                ("none", NoMixing()),
            )
        }
        yield f"layer, {num_tokens} tokens", ", ".join(f"{k} {v:.3g}" for k, v in times.items()), ""
        gain, free = times["attention"] / times["folded"], times["attention"] / times["none"]
        yield (
            f"layer, {num_tokens} tokens, over fused attention",
            f"{gain:.2f} (cuFFT {times['attention'] / times['cuFFT']:.2f}; no mixing, timed "
            f"{free:.2f}; operations {ceiling:.2f})",
            f"at least {bar}",
        )
    num_tokens = lengths[0]
    x, grad = batch(num_tokens)
    unfused = milliseconds(layer_step(SelfAttention(WIDTH, HEADS, fused=False), x, grad))
    folded = milliseconds(layer_step(FourierMixing("matmul"), x, grad))
    yield f"layer, {num_tokens} tokens, over unfused attention", f"{unfused / folded:.2f}", "1.8"
    attention = milliseconds(layer_step(SelfAttention(WIDTH, HEADS), x, grad, compiled=True))
    yield (
        f"layer, {num_tokens} tokens, over fused attention compiled by torch",
        f"{attention / folded:.2f} ({attention:.3g} ms)",
        "",
    )


def tune() -> None:
    """Print the parts at 512 tokens with other numbers of warps."""
    x, grad = batch(8 if DRY else 512)
    gain, shift = (torch.randn(WIDTH, device=DEVICE, dtype=HALF).requires_grad_() for _ in range(2))

    def fused() -> None:
        torch.autograd.grad(gpu.mix_add_norm(x, gain, shift, 1e-12), (x, gain, shift), grad)

    plain = x.detach()
    l, d = plain.shape[1:]
    for pad in (8, 64):
        gpu.PAD = pad
        products = milliseconds(partial(gpu._multiply, gpu._fold(plain), l, d), graphed=True)
        print(f"padded to {pad}: products {products:.4g} ms")
    gpu.PAD = 8
    quarter = gpu._products(plain)
    unfold = milliseconds(lambda: gpu._unfold(quarter, plain, x.shape, HALF), graphed=True)
    print(
        f"fold {milliseconds(lambda: gpu._fold(plain), graphed=True):.4g} ms, unfold {unfold:.4g} ms"
    )
    for part in gpu.WARPS:
        before = gpu.WARPS[part]
        times = []
        for warps in (1,) if DRY else (1, 2, 4, 8):
            gpu.WARPS[part] = warps
            times.append(f"{warps}: {milliseconds(fused, graphed=True):.4g}")
        print(f"mixing, residual and norm, ms by warps of {part}: {', '.join(times)}")
        gpu.WARPS[part] = before
    before = gpu.NORM_PROGRAMS
    for programs in (2,) if DRY else (264, 528, 1056, 2112, 4224):
        gpu.NORM_PROGRAMS = programs
        print(f"norm backward in {programs} programs: {milliseconds(fused, graphed=True):.4g} ms")
    gpu.NORM_PROGRAMS = before


if __name__ == "__main__":
    tune()
    for row in rows():
        print(*row, sep=" | ")
