"""Expire-Span through FlexAttention beside the dense program, on a GPU: `make gpu`.

Floors of one attention at batch 8, 8 heads of 64, M = 256 new tokens, S memories and tokens, bfloat16, forward and
backward: 7 products of 2 M S 64 operations for each of 64 heads, 1.5e7 S; at S = 4352, 65 GFLOP or 0.08 ms at
800 TFLOP/s. Bytes: k, v, their gradients and q, 4 S 64 2 bytes a head: 0.14 GB, 0.05 ms at 3 TB/s. The dense program
writes M S scores of 4 bytes a head and tensor, 0.29 GB each, at least a dozen times in both directions: 1.2 ms. With
a share of the tiles alive, only that share of the operations is left.

Measured on an H100: README of the paper; the step with long spans by FlexAttention was never reached.
"""

from collections.abc import Callable, Iterator

import torch
from events import milliseconds

from studiolo.papers.expire_span import ExpireSpanConfig, ExpireSpanTransformer, gpu
from studiolo.papers.expire_span.attention import attend_by_span


CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
DTYPE = torch.bfloat16 if CUDA else torch.float32
BATCH, HEADS, BLOCK, SIZE = (8, 8, 256, 64) if CUDA else (1, 2, 16, 8)
SPAN = 4096 if CUDA else 64
PROGRAMS = ("dense", "flex") if CUDA else ("dense",)  # on a CPU FlexAttention has no backward pass


def rows() -> Iterator[tuple[str, float | str, str]]:
    """Yield what, milliseconds or text, and the bar."""
    yield from attention_rows()
    yield from training_rows()


def attention_rows() -> Iterator[tuple[str, float | str, str]]:
    """One layer's attention, forward and backward, with few and with most memories alive."""
    for what, alive in (("12 % of the memories alive", 0.12), ("90 % alive", 0.9)):
        taken: dict[str, float] = {}
        for name in PROGRAMS:
            both = attending(name, alive)
            taken[name] = milliseconds(both, 20)
            yield f"attention of {BLOCK} tokens to {SPAN + BLOCK}, {what}, {name}", taken[name], ""
            yield "the same, peak", f"{peak_gib(both):.2f} GiB", ""
        if "flex" in taken:
            yield "dense over flex", f"{taken['dense'] / taken['flex']:.2f}", "above 2"


def training_rows() -> Iterator[tuple[str, float | str, str]]:
    """A training step of a model: forward, backward, deletion, at L = 4096, M = 256."""
    for what, initial in (("short spans", 0.1), ("long spans", 0.9)):
        taken: dict[str, float] = {}
        for name in PROGRAMS:
            step, held = training(name, initial)
            taken[name] = milliseconds(step, 10)
            yield f"step of {BATCH} x {BLOCK} tokens, {what} ({held} held), {name}", taken[name], ""
            yield "the same, peak", f"{peak_gib(step):.2f} GiB", ""
        if "flex" in taken:
            yield "dense over flex", f"{taken['dense'] / taken['flex']:.2f}", "above 1"


def drawn(alive: float) -> tuple[torch.Tensor, ...]:
    """Return tensors of which a share of the memories, in runs of 64, is still seen."""
    torch.manual_seed(0)
    slots = SPAN + BLOCK
    shapes = [(BATCH, HEADS, n, SIZE) for n in (BLOCK, slots, slots)]
    q, k, v = (torch.randn(s, device=DEVICE, dtype=DTYPE, requires_grad=True) for s in shapes)
    ages = torch.arange(slots - BLOCK, -BLOCK, -1, device=DEVICE).expand(BATCH, -1)
    runs = torch.rand(BATCH, 1, -(-slots // 64), device=DEVICE) < alive
    kept = runs.repeat_interleave(64, 2)[..., :slots] | (ages[:, None] < BLOCK)
    left = torch.where(kept, torch.rand(BATCH, 1, slots, device=DEVICE) * SPAN, -SPAN)
    spans = (left + ages[:, None]).requires_grad_()
    positions = torch.randn(SIZE, BLOCK, device=DEVICE, dtype=DTYPE, requires_grad=True)
    return q, k, v, spans, ages, positions


def attending(name: str, alive: float) -> Callable[[], None]:
    """Return one layer's attention, forward and backward."""
    q, k, v, spans, ages, positions = drawn(alive)

    def both() -> None:
        with gpu.program(name):
            mixed, on_ramp, _ = attend_by_span(q, k, v, spans, ages, positions, 128)
        (mixed.float().square().mean() + 1e-6 * on_ramp.mean()).backward()

    return both


def training(name: str, initial: float) -> tuple[Callable[[], None], list[int]]:
    """Return a step deep in a stream, and how many memories each layer holds."""
    torch.manual_seed(0)
    config = ExpireSpanConfig(
        vocab_size=256, d_model=HEADS * SIZE, num_heads=HEADS, num_layers=4, d_ff=4 * HEADS * SIZE,
        block_size=BLOCK, max_span=SPAN, ramp=128 if CUDA else 8, initial_span=initial,
    )  # fmt: skip
    model = ExpireSpanTransformer(config).to(DEVICE)
    for layer in model.stack:
        torch.nn.init.normal_(layer.span.weight, std=0.05)
    tokens = torch.randint(256, (BATCH, SPAN + BLOCK), device=DEVICE)
    memory = None
    with torch.no_grad():
        for block in tokens[:, :SPAN].split(BLOCK, 1):
            memory = model(block, memory).memory
    assert memory is not None

    def step() -> None:
        with gpu.program(name), torch.autocast(DEVICE, torch.bfloat16, enabled=CUDA):
            output = model(tokens[:, SPAN:], memory)
        (output.logits.float().square().mean() + output.aux_loss.mean()).backward()
        model.zero_grad()

    return step, memory.sizes


def peak_gib(function: Callable[[], None]) -> float:
    """Return what a call allocates at most, beyond what is there before."""
    if not CUDA:
        return 0.0
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    function()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**30
