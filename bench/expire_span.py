"""Expire-Span beside Transformer-XL windows and the never-forgetting form, one thread: `python bench/expire_span.py`."""

import torch

from studiolo.claims import median
from studiolo.measure import abba, peak_tensor_bytes
from studiolo.papers.expire_span import ExpireSpanConfig, ExpireSpanTransformer, TransformerXL


CONFIG = ExpireSpanConfig(
    vocab_size=256,
    d_model=128,
    num_heads=4,
    num_layers=2,
    d_ff=256,
    block_size=64,
    max_span=1024,
    ramp=32,
    initial_span=0.1,
)
TOKENS = torch.randint(256, (2, 1280), generator=torch.Generator().manual_seed(0))


def expire_span() -> ExpireSpanTransformer:
    """Return an untrained model whose spans are spread around a tenth of the longest."""
    torch.manual_seed(0)
    model = ExpireSpanTransformer(CONFIG)
    for layer in model.layers:
        torch.nn.init.normal_(layer.span.weight, std=0.05)
    return model


def step(model: torch.nn.Module, *, compact: bool = True):
    """Return a function that trains on the stream block by block, without the optimizer."""

    def run() -> None:
        memory = None
        for block in TOKENS.split(CONFIG.block_size, dim=1):
            output = model(block, memory, compact=compact)
            (output.logits.square().mean() + output.span_loss.mean()).backward()
            memory = output.memory
        model.zero_grad()

    return run


def main() -> None:
    """Print one Markdown table."""
    torch.set_num_threads(1)
    ours = expire_span()
    with torch.no_grad():
        outputs = list(ours.blocks(TOKENS))
    held = max(outputs[-1].memory.sizes)
    peers = {
        "never deleting": step(ours, compact=False),
        f"Transformer-XL, window {CONFIG.max_span} (equal reach)": step(
            TransformerXL(CONFIG, CONFIG.max_span)
        ),
        f"Transformer-XL, window {held} (equal memory)": step(TransformerXL(CONFIG, held)),
    }
    mine = step(ours)
    print(f"Memories held by Expire-Span at the end: {outputs[-1].memory.sizes} of {1280 + 64}.\n")
    print(
        "| forward and backward of 20 blocks, against | theirs / ours | peak bytes, theirs / ours |"
    )
    print("| --- | --- | --- |")
    mine_bytes = peak_tensor_bytes(mine)
    for name, theirs in peers.items():
        pairs = abba(theirs, mine, pairs=8, warmup=1)
        ratios = [a / b for a, b in zip(pairs.a_s, pairs.b_s, strict=True)]
        interval = median(ratios)
        memory = peak_tensor_bytes(theirs) / mine_bytes
        shown = f"{interval.estimate:.2f} ({interval.low:.2f} to {interval.high:.2f})"
        print(f"| {name} | {shown} | {memory:.2f} |", flush=True)


if __name__ == "__main__":
    main()
