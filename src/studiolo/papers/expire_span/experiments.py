"""The experiments of the paper folder: each is a plain function of a seed that returns an Outcome."""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from studiolo.runs import Outcome
from studiolo.train import Budget, role_seeds, train

from .model import (
    BlockOutput,
    ExpireSpan,
    ExpireSpanConfig,
    ExpireSpanTransformer,
    Memory,
    TransformerXL,
)
from .tasks import NO_TARGET, Stream, collisions, cue_recall as cue_stream, information_bound


Model = ExpireSpanTransformer | TransformerXL


def cue_recall(
    *,
    seed: int,
    window: int = 0,
    steps: int = 190,
    batch: int = 16,
    length: int = 128,
    block: int = 16,
    colours: int = 4,
    noise: int = 4,
    span_weight: float = 1.5e-4,
    initial_span: float = 0.85,
    ramp: int = 8,
    lr: float = 4e-3,
    tested: int = 256,
) -> Outcome:
    """Train one model to name a colour long after it was shown, and count what it remembers.

    Args:
        window: 0 trains Expire-Span; otherwise a Transformer-XL that sees this many tokens.
        tested: fresh streams on which the trained model is measured.

    Returns:
        `accuracy` of questions more than half a stream after the cue, `accuracy_near` of the others;
        `memory`, the memories that a query sees on average; `memory_share`, that over what it
        would see in a window of the whole length; `memory_held`, memories in the tensor at the end;
        for Expire-Span `span_colour` and `span_noise` in tokens. Arrays: `accuracy` by `gap`,
        beside that of a `perfect_window` over as many tokens as the model remembers on average.
    """
    seeds = role_seeds(seed)
    drawn = torch.Generator().manual_seed(seeds.batches)
    config = ExpireSpanConfig(
        vocab_size=colours + noise,
        d_model=64,
        num_heads=2,
        num_layers=1,
        d_ff=128,
        block_size=block,
        max_span=length,
        ramp=ramp,
        span_weight=span_weight,
        initial_span=initial_span,
    )
    torch.manual_seed(seeds.init)
    model: Model = TransformerXL(config, window) if window else ExpireSpanTransformer(config)

    draw = partial(cue_stream, length=length, block=block, colours=colours, noise=noise)

    train(
        model,
        _recall_loss,
        (draw(batch, generator=drawn) for _ in range(steps)),
        optimizer=torch.optim.Adam(model.parameters(), lr=lr),
        budget=Budget(steps=steps),
        clip_norm=1.0,
    )

    stream = draw(tested, generator=torch.Generator().manual_seed(seeds.data))
    with torch.no_grad():
        outputs = list(model.blocks(stream.tokens))
    answers = torch.cat([output.logits for output in outputs], 1).argmax(-1)
    right = (answers == stream.targets).double()
    asked = stream.targets != NO_TARGET
    far = stream.gaps > length // 2
    memory = torch.stack([output.memory_size for output in outputs]).mean().item()
    # a first block of zeros, then one more every token, to the length that reaches every cue
    everything = sum(min(block + age, length) for age in range(length)) / length
    in_reach = torch.where(stream.gaps <= memory, 1.0, 1 / colours)
    bins = [
        asked & (stream.gaps > low) & (stream.gaps <= low + block)
        for low in range(0, length, block)
    ]
    values = {
        "accuracy": right[asked & far].mean().item(),
        "accuracy_near": right[asked & ~far].mean().item(),
        "memory": memory,
        "memory_share": memory / everything,
        "memory_held": float(outputs[-1].memory.sizes[0]),
    }
    if not window:
        spans = torch.cat([output.spans[0][:, -block:] for output in outputs], 1)
        cue = stream.tokens < colours
        values |= {"span_colour": spans[cue].mean().item(), "span_noise": spans[~cue].mean().item()}
    return Outcome(
        values,
        {
            "gap": [low + block / 2 for low in range(0, length, block)],
            "accuracy": [right[one].mean().item() for one in bins],
            "perfect_window": [in_reach[one].mean().item() for one in bins],
        },
    )


def _recall_loss(model: Model, stream: Stream) -> Tensor:
    """Return the mean cross-entropy of the answers in a stream, by blocks, and the span loss."""
    losses, span_losses = [], []
    targets = stream.targets.split(model.config.block_size, dim=1)
    for output, target in zip(model.blocks(stream.tokens), targets, strict=True):
        if (target != NO_TARGET).any():
            losses.append(F.cross_entropy(output.logits.flatten(0, 1), target.flatten()))
        span_losses.append(output.span_loss.mean())
    return torch.stack(losses).mean() + torch.stack(span_losses).mean()


def compaction(
    *,
    seed: int,
    by: str = "span",
    dtype: str = "float64",
    blocks: int = 12,
    batch: int = 2,
    block: int = 16,
    max_span: int = 128,
    ramp: int = 8,
) -> Outcome:
    """Run one stream with memories deleted and with all kept; compare outputs and gradients.

    The model is untrained, and a random predictor gives it spans all over (0, max_span).

    Args:
        by: "span" deletes what has expired; "age" deletes as many, the oldest.
        dtype: "float64" or "float32".

    Returns:
        `change`, the largest absolute difference in logits, span losses and all gradients of their
        mean; `deleted_share`, how many of all memories are gone after the last block.
    """
    seeds = role_seeds(seed)
    torch.manual_seed(seeds.init)
    config = ExpireSpanConfig(
        vocab_size=16, block_size=block, max_span=max_span, ramp=ramp, initial_span=0.25
    )
    model = ExpireSpanTransformer(config).to(getattr(torch, dtype))
    for module in model.modules():
        if isinstance(module, ExpireSpan):
            torch.nn.init.normal_(module.weight, std=0.2)
    generator = torch.Generator().manual_seed(seeds.data)
    tokens = torch.randint(16, (2, batch, blocks * block), generator=generator)
    everything = list(model.blocks(tokens[0], compact=False))
    deleted = list(model.blocks(tokens[0]))
    sizes = [output.memory.sizes for output in deleted]
    if by == "age":
        deleted = list(_youngest(model, tokens[0], sizes))
    results = [_values_and_gradients(model, run, tokens[1]) for run in (deleted, everything)]
    change = max((a - b).abs().max().item() for a, b in zip(*results, strict=True))
    kept = sum(sizes[-1]) / sum(everything[-1].memory.sizes)
    return Outcome({"change": change, "deleted_share": 1 - kept})


def _youngest(model: Model, tokens: Tensor, sizes: list[list[int]]) -> Iterator[BlockOutput]:
    """Yield the blocks of a stream whose memory is cut to the youngest, `sizes` per block and layer."""
    memory = None
    for block, size in zip(tokens.split(model.config.block_size, dim=1), sizes, strict=True):
        output = model(block, memory, compact=False)
        yield output
        hidden, ages = (
            tuple(x[:, -n:] for x, n in zip(part, size, strict=True))
            for part in (output.memory.hidden, output.memory.ages)
        )
        memory = Memory(hidden, ages)


def _values_and_gradients(model: Model, outputs: list[BlockOutput], wanted: Tensor) -> list[Tensor]:
    """Return logits, span losses and the gradients of their mean losses."""
    logits = torch.cat([output.logits for output in outputs], 1)
    span_loss = torch.stack([output.span_loss for output in outputs])
    loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten()) + span_loss.mean()
    return [logits, span_loss, *torch.autograd.grad(loss, list(model.parameters()))]


def collision_bound(
    *,
    seed: int,
    aliased: bool = False,
    batch: int = 32,
    steps: int = 4000,
    short: int = 128,
    long: int = 1024,
) -> Outcome:
    """Ask how far back the answers to the collision questions lie; no model is trained.

    Args:
        aliased: with the slip of `tasks.collisions`.
        short: tokens, as `long`.

    Returns:
        `bound_short` and `bound_long`, least error of whoever remembers that many tokens;
        `relief`, their quotient; `median_gap` in tokens. Arrays: `bound` over `span`.
    """
    generator = torch.Generator().manual_seed(role_seeds(seed).data)
    stream = collisions(batch, steps=steps, aliased=aliased, generator=generator)
    asked = stream.targets != NO_TARGET
    asked[:, : stream.tokens.shape[1] // 4] = False  # early questions cannot point far back
    gaps = stream.gaps[asked]
    spans = [2**k for k in range(4, 12)]
    bound = information_bound(gaps, spans)
    at_short, at_long = information_bound(gaps, [short, long]).tolist()
    return Outcome(
        {
            "bound_short": at_short,
            "bound_long": at_long,
            "relief": at_short / at_long,
            "median_gap": gaps.median().item(),
        },
        {"span": spans, "bound": bound.numpy()},
    )
