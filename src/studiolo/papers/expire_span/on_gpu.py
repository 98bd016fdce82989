"""Experiments that need a GPU: what a training step costs there, in time and in memory."""

from collections.abc import Callable

import torch

from studiolo.measure import abba
from studiolo.runs import Outcome
from studiolo.train import role_seeds

from . import gpu
from .expire import ExpireSpan, ExpireSpanConfig, ExpireSpanTransformer
from .memory import Memory
from .model import MemoryTransformer
from .transformer_xl import TransformerXL, TransformerXLConfig


def step_on_gpu(
    *,
    seed: int,
    device: str = "cuda",
    batch: int = 8,
    block: int = 256,
    span: int = 4096,
    d_model: int = 512,
    num_layers: int = 4,
    ramp: int = 128,
    pairs: int = 20,
) -> Outcome:
    """Time a training step deep in a stream, beside a window of equal reach and beside the dense program.

    Both models are untrained, in bfloat16 by autocast, with attention by FlexAttention. Spans lie around a tenth of
    the longest ("short"), or so near to it that hardly anything expires ("long").

    Returns:
        `window_over_short`, `window_over_long`: time of a step of Transformer-XL over that of Expire-Span;
        `window_bytes_over_short`, `window_bytes_over_long`: likewise of what a step allocates;
        `dense_over_flex`: time of Expire-Span with long spans by the dense program over FlexAttention's;
        `dense_over_flex_at_once`: the same of one block with nothing before it;
        `held_short`, `held_long`: memories of a layer on average, as a share of `span`.
    """
    # all of gpu.py counts as reached: CUDA tensors find it by a name that a fingerprint does not follow
    assert "attend_by_span" in vars(gpu)
    # this times and compares no bits; asked for determinism, torch also fills what it allocates
    torch.use_deterministic_algorithms(False)
    seeds = role_seeds(seed)
    torch.manual_seed(seeds.init)
    sizes = {
        "vocab_size": 256, "d_model": d_model, "num_heads": d_model // 64 or 1, "num_layers": num_layers,
        "d_ff": 4 * d_model, "block_size": block,
    }  # fmt: skip
    generator = torch.Generator().manual_seed(seeds.data)
    tokens = torch.randint(256, (batch, span + block), generator=generator).to(device)

    def expire(initial_span: float) -> ExpireSpanTransformer:
        config = ExpireSpanConfig(**sizes, max_span=span, ramp=ramp, initial_span=initial_span)  # type: ignore[arg-type]
        model = ExpireSpanTransformer(config).to(device)
        for layer in model.stack:
            assert isinstance(layer.span, ExpireSpan)
            torch.nn.init.normal_(layer.span.weight, std=0.05)
        return model

    def read(model: MemoryTransformer) -> Memory:
        memory = None
        with torch.no_grad():
            for part in tokens[:, :span].split(block, 1):
                memory = model(part, memory).memory
        assert memory is not None
        return memory

    def step(
        model: MemoryTransformer, memory: Memory | None, program: str = "flex"
    ) -> Callable[[], None]:
        def run() -> None:
            with gpu.program(program), torch.autocast(device, torch.bfloat16):
                output = model(tokens[:, span:], memory)
            (output.logits.float().square().mean() + output.aux_loss.mean()).backward()
            model.zero_grad()

        return run

    def ratio(theirs: Callable[[], None], ours: Callable[[], None]) -> float:
        kind = "cuda" if device == "cuda" else "cpu"
        return abba(theirs, ours, pairs=pairs, warmup=3, device=kind).ratio  # type: ignore[arg-type]

    window = TransformerXL(TransformerXLConfig(**sizes, window=span)).to(device)  # type: ignore[arg-type]
    of_window = step(window, read(window))
    values: dict[str, float] = {}
    for name, initial_span in (("short", 0.1), ("long", 0.97)):
        model = expire(initial_span)
        memory = read(model)
        ours = step(model, memory)
        values[f"window_over_{name}"] = ratio(of_window, ours)
        values[f"window_bytes_over_{name}"] = _bytes(of_window, device) / _bytes(ours, device)
        values[f"held_{name}"] = sum(memory.sizes) / num_layers / span
    values["dense_over_flex"] = ratio(step(model, memory, "dense"), ours)
    values["dense_over_flex_at_once"] = ratio(step(model, None, "dense"), step(model, None))
    return Outcome(values)


def _bytes(run: Callable[[], None], device: str) -> int:
    """Return what a call allocates at most, beyond what is there before."""
    if device != "cuda":
        run()
        return 1
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before
