"""Expire-Span beside windows, the dense published form, and itself: `python bench/expire_span.py`, one thread."""

import time
from collections.abc import Callable
from itertools import islice

import torch
from torch.nn import functional as F

from studiolo.claims import median
from studiolo.measure import abba, peak_tensor_bytes
from studiolo.papers.expire_span import (
    ExpireSpanConfig,
    ExpireSpanTransformer,
    MemoryTransformer,
    TransformerXL,
    TransformerXLConfig,
    reference,
)
from studiolo.papers.expire_span.collisions import collisions


SIZES = {"vocab_size": 256, "d_model": 128, "num_heads": 4, "num_layers": 2, "d_ff": 256}
PUBLISHED_STEPS_PER_S = (
    3950  # of the authors' collision generator, measured on this kind of machine
)


def expire_span(block: int, max_span: int, initial_span: float = 0.1) -> ExpireSpanTransformer:
    """Return an untrained model whose spans are spread around a share of the longest."""
    torch.manual_seed(0)
    config = ExpireSpanConfig(
        **SIZES, block_size=block, max_span=max_span, ramp=32, initial_span=initial_span
    )
    model = ExpireSpanTransformer(config)
    for layer in model.layers:
        torch.nn.init.normal_(layer.span.weight, std=0.05)
    return model


def training(
    model: MemoryTransformer, tokens: torch.Tensor, *, compact: bool = True
) -> Callable[[], None]:
    """Return a function that trains on a stream block by block, without the optimizer."""

    def run() -> None:
        for output in model.blocks(tokens, compact=compact):
            (output.logits.square().mean() + output.aux_loss.mean()).backward()
        model.zero_grad()

    return run


def step_and_dense(initial_span: float) -> tuple[Callable[[], None], Callable[[], None], list[int]]:
    """Return one training step at L = 4096 and M = 256 deep in a stream, ours and the dense form's."""
    model = expire_span(256, 4096, initial_span)
    tokens = torch.randint(256, (1, 4096 + 256), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        memory, everything = None, [torch.zeros(1, 256, 128)] * 2
        for block in tokens[:, :4096].split(256, 1):
            model.train()
            output = model(block, memory)
            everything = [
                torch.cat([old, new["hidden"][:, -256:]], 1)[:, -4096:]
                for old, new in zip(everything, output.memory.layers, strict=True)
            ]
            memory = output.memory
    assert memory is not None
    parameters = dict(model.named_parameters())

    def ours() -> None:
        output = model(tokens[:, 4096:], memory)
        (output.logits.square().mean() + output.aux_loss.mean()).backward()
        model.zero_grad()

    def dense() -> None:
        logits, _, on_ramp, _ = reference.block(
            parameters,
            tokens[:, 4096:],
            everything,
            reference.expire(parameters, 4096),
            K=4,
            R=32,
            attention=reference.dense_attend,
        )
        (logits.square().mean() + on_ramp.mean()).backward()
        model.zero_grad()

    return ours, dense, memory.sizes


def writing(model: MemoryTransformer, length: int) -> Callable[[], None]:
    """Return a function that writes `length` tokens, cached and token by token."""
    prompt = torch.zeros(1, 1, dtype=torch.long)
    model.eval()

    def run() -> None:
        for _ in model.generate(prompt, length, generator=torch.Generator().manual_seed(0)):
            pass

    return run


def writing_anew(model: MemoryTransformer, length: int) -> Callable[[], None]:
    """Return the same without cached keys and values: every memory is projected for every token."""
    prompt = torch.zeros(1, 1, dtype=torch.long)

    def run() -> None:
        memory, token, generator = None, prompt, torch.Generator().manual_seed(0)
        model.train()  # keeps layer inputs, as there is no dropout
        with torch.no_grad():
            for _ in range(length):
                output = model(token, memory)
                memory = output.memory
                token = torch.multinomial(
                    F.softmax(output.logits[:, -1], -1), 1, generator=generator
                )
        model.eval()

    return run


def compare(
    title: str, theirs: Callable[[], object], ours: Callable[[], object], pairs: int = 8
) -> None:
    """Print a row: time and peak memory of theirs over ours."""
    timed = abba(theirs, ours, pairs=pairs, warmup=1)
    interval = median([a / b for a, b in zip(timed.a_s, timed.b_s, strict=True)])
    memory = peak_tensor_bytes(theirs) / peak_tensor_bytes(ours)
    shown = f"{interval.estimate:.2f} ({interval.low:.2f} to {interval.high:.2f})"
    print(f"| {title} | {shown} | {memory:.2f} |", flush=True)


def main() -> None:
    """Print the tables of the README."""
    torch.set_num_threads(1)
    tokens = torch.randint(256, (2, 1280), generator=torch.Generator().manual_seed(0))
    ours = expire_span(64, 1024)
    held = max(list(ours.blocks(tokens))[-1].memory.sizes)
    print("| theirs over ours | time | peak bytes |\n| --- | --- | --- |")
    for share in (0.1, 0.9):
        step, dense, sizes = step_and_dense(share)
        compare(f"one step at L = 4096, M = 256, dense published form ({sizes} held)", dense, step)
    mine = training(ours, tokens)
    compare(
        "20 blocks of 64, L = 1024: never deleting", training(ours, tokens, compact=False), mine
    )
    for name, window in (("equal reach", 1024), ("equal memory", held)):
        xl = TransformerXL(TransformerXLConfig(**SIZES, block_size=64, window=window))
        compare(
            f"20 blocks of 64: Transformer-XL, window {window} ({name})", training(xl, tokens), mine
        )
    compare(
        "writing 300 tokens: every memory projected anew",
        writing_anew(ours, 300),
        writing(ours, 300),
    )

    print("\n| tokens written | tokens/s since the last line |\n| --- | --- |")
    stream = ours.eval().generate(torch.zeros(1, 1, dtype=torch.long), 10_000)
    for number in range(1, 11):
        start = time.process_time()
        for _ in islice(stream, 1000):
            pass
        print(f"| {1000 * number} | {1000 / (time.process_time() - start):.0f} |", flush=True)

    start = time.process_time()
    collisions(128, steps=30_000, generator=torch.Generator().manual_seed(0))
    rate = 128 * 30_000 / (time.process_time() - start)
    print(
        f"\nCollisions: {rate:,.0f} steps/s, {rate / PUBLISHED_STEPS_PER_S:.0f} times the published generator."
    )


if __name__ == "__main__":
    main()
