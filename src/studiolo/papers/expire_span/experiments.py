"""The experiments of the paper folder: each is a plain function of a seed that returns an Outcome."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from studiolo.data import enwiki, standard_library_text, tinyshakespeare
from studiolo.runs import Outcome
from studiolo.train import Budget, role_seeds, train

from .adaptive_span import AdaptiveSpanConfig, AdaptiveSpanTransformer
from .collisions import collisions, information_bound
from .compressive import CompressiveConfig, CompressiveTransformer
from .expire import ExpireSpan, ExpireSpanConfig, ExpireSpanTransformer
from .memory import Memory
from .model import BlockOutput, MemoryTransformer
from .on_gpu import step_on_gpu as step_on_gpu
from .tasks import NO_TARGET, Stream, cue_recall as cue_stream
from .text import Curve, as_tokens, bits_per_byte, gain_in_equal_time, pieces, read
from .transformer_xl import TransformerXL, TransformerXLConfig


def cue_recall(
    *,
    seed: int,
    memory: str = "expire-span",
    window: int = 0,
    num_layers: int = 1,
    steps: int = 190,
    batch: int = 16,
    length: int = 128,
    block: int = 16,
    colours: int = 4,
    noise: int = 4,
    span_weight: float = 1.5e-4,
    initial_span: float = 0.85,
    ramp: int = 8,
    compressed: int = 8,
    rate: int = 16,
    lr: float = 4e-3,
    tested: int = 256,
) -> Outcome:
    """Train one model to name a colour long after it was shown, and count what it remembers.

    Args:
        memory: "expire-span", "adaptive-span" or "compressive".
        window: above 0 it is a Transformer-XL that sees this many tokens, or the recent memories of
            the Compressive Transformer.
        num_layers: a stack of windows hands on what one layer cannot reach.
        tested: fresh streams on which the trained model is measured.

    Returns:
        `accuracy` of questions more than half a stream after the cue, `accuracy_near` of the others;
        `memory`, the memories that a query sees on average in a layer; `memory_share`, that over what it
        would see in a window of the whole length; `memory_held`, memories in the tensor at the end;
        `memory_growth`, memories seen in the last block over those in the middle one (an endless window
        doubles them); `memory_per_cue`, memories more for each cue more in the first block. For
        Expire-Span `span_colour` and `span_noise` in tokens. Arrays: `accuracy` by `gap`, beside that of
        a `perfect_window` over as many tokens as the model remembers on average.
    """
    seeds = role_seeds(seed)
    drawn = torch.Generator().manual_seed(seeds.batches)
    sizes: dict[str, Any] = {
        "vocab_size": colours + noise,
        "d_model": 64,
        "num_heads": 2,
        "num_layers": num_layers,
        "d_ff": 128,
        "block_size": block,
    }
    spans: dict[str, Any] = {
        "max_span": length,
        "span_weight": span_weight,
        "initial_span": initial_span,
    }
    torch.manual_seed(seeds.init)
    model: MemoryTransformer
    if memory == "compressive":
        settings: dict[str, Any] = {"window": window, "compressed": compressed, "rate": rate}
        model = CompressiveTransformer(CompressiveConfig(**sizes, **settings))
    elif memory == "adaptive-span":
        model = AdaptiveSpanTransformer(AdaptiveSpanConfig(**sizes, **spans, ramp=ramp))
    elif window:
        model = TransformerXL(TransformerXLConfig(**sizes, window=window))
    else:
        model = ExpireSpanTransformer(ExpireSpanConfig(**sizes, **spans, ramp=ramp))

    draw = partial(cue_stream, length=length, block=block, colours=colours, noise=noise)
    train(
        model,
        _answers_loss,
        (draw(batch, generator=drawn) for _ in range(steps)),
        optimizer=torch.optim.Adam(model.parameters(), lr=lr),
        budget=Budget(steps=steps),
        clip_norm=1.0,
    )

    stream = draw(tested, generator=torch.Generator().manual_seed(seeds.data))
    with torch.no_grad():
        outputs = list(model.blocks(stream.tokens))
        cues = stream.tokens.clone()
        cues[:, :block:2] = torch.randint(
            colours, cues[:, :block:2].shape, generator=torch.Generator().manual_seed(seeds.data)
        )
        with_cues = list(model.blocks(cues))
    answers = torch.cat([output.logits for output in outputs], 1).argmax(-1)
    right = (answers == stream.targets).double()
    asked = stream.targets != NO_TARGET
    far = stream.gaps > length // 2
    seen, seen_with_cues = (
        [output.memory_size.mean().item() for output in run] for run in (outputs, with_cues)
    )
    average = sum(seen) / len(seen)
    more = (cues[:, :block] < colours).sum(1).double().mean().item() - 1
    # a window that reaches everything sees all that went before
    everything = (length - 1) / 2
    in_reach = torch.where(stream.gaps <= average, 1.0, 1 / colours)
    bins = [
        asked & (stream.gaps > low) & (stream.gaps <= low + block)
        for low in range(0, length, block)
    ]
    values = {
        "accuracy": right[asked & far].mean().item(),
        "accuracy_near": right[asked & ~far].mean().item(),
        "memory": average,
        "memory_share": average / everything,
        "memory_held": float(outputs[-1].memory.sizes[0]),
        "memory_growth": seen[-1] / seen[len(seen) // 2 - 1],
        "memory_per_cue": (sum(seen_with_cues[2:]) - sum(seen[2:])) / (len(seen) - 2) / more,
    }
    if isinstance(model, ExpireSpanTransformer):
        spans_of = model.spans(stream.tokens)[0]
        cue = stream.tokens < colours
        values |= {
            "span_colour": spans_of[cue].mean().item(),
            "span_noise": spans_of[~cue].mean().item(),
        }
    return Outcome(
        values,
        {
            "gap": [low + block / 2 for low in range(0, length, block)],
            "accuracy": [right[one].mean().item() for one in bins],
            "perfect_window": [in_reach[one].mean().item() for one in bins],
        },
    )


def _answers_loss(model: MemoryTransformer, stream: Stream) -> Tensor:
    """Return the mean cross-entropy of the answers in a stream, by blocks, and the auxiliary loss."""
    losses, aux_losses = [], []
    targets = stream.targets.split(model.config.block_size, dim=1)
    for output, target in zip(model.blocks(stream.tokens), targets, strict=True):
        if (target != NO_TARGET).any():
            losses.append(F.cross_entropy(output.logits.flatten(0, 1), target.flatten()))
        aux_losses.append(output.aux_loss.mean())
    return torch.stack(losses).mean() + torch.stack(aux_losses).mean()


def alpha_sweep(
    *,
    seed: int,
    alphas: tuple[float, ...] = (1e-5, 1.5e-4, 2e-3, 3e-2),
    steps: int = 190,
) -> Outcome:
    """Train Expire-Span on the cue with several weights of the spans in the loss.

    Returns:
        `accuracy_at_smallest` and `accuracy_at_largest` weight, of questions far from the cue, and
        `memory_ratio`, memories seen at the smallest over those at the largest. Arrays: `accuracy` and
        `memory_share` over `alpha`.
    """
    runs = [cue_recall(seed=seed, span_weight=alpha, steps=steps).values for alpha in alphas]
    return Outcome(
        {
            "accuracy_at_smallest": runs[0]["accuracy"],
            "accuracy_at_largest": runs[-1]["accuracy"],
            "memory_ratio": runs[0]["memory"] / runs[-1]["memory"],
        },
        {
            "alpha": list(alphas),
            "accuracy": [run["accuracy"] for run in runs],
            "memory_share": [run["memory_share"] for run in runs],
        },
    )


TEXTS: dict[str, Callable[[], bytes]] = {
    "standard_library": standard_library_text,
    "enwiki": enwiki,
    "tinyshakespeare": tinyshakespeare,
}


def language(
    *,
    seed: int,
    data: str = "enwiki",
    steps: int = 120,
    every: int = 30,
    batch: int = 8,
    length: int = 257,
    d_model: int = 64,
    num_layers: int = 2,
    block: int = 32,
    max_span: int = 128,
    span_weight: float = 1e-4,
    initial_span: float = 0.4,
    ramp: int = 16,
    rate: int = 4,
    lr: float = 3e-3,
) -> Outcome:
    """Train byte models of one size that differ in their memory; compare bits a byte on text held out.

    Expire-Span is trained first. Transformer-XL then gets a window of as many memories as a query of
    Expire-Span saw on average in the end, and once more all of `max_span`; the Compressive Transformer
    gets as many slots as that, half of them compressed.

    Args:
        data: "enwiki", "tinyshakespeare", or "standard_library", which needs no download.
        every: updates between two evaluations; in between, equal times are interpolated.

    Returns:
        `bits_expire_span`, `bits_window_of_equal_memory`, `bits_window_of_equal_reach` and
        `bits_compressive`, at equal steps; `gain_over_window`, bits that the window of equal memory needs
        more, and likewise `gain_over_compressive` and `gain_over_reach`; `gain_in_equal_time` over the window
        of equal memory and `gain_over_compressive_in_equal_time`, at the time when the faster one is done;
        `memory`, memories that a query of Expire-Span sees; `memory_share` of `max_span`. Arrays: bits by
        `step` for each; `kept_1`, `kept_2`, ..., the share of its memories that a layer keeps to an `age`.
    """
    seeds = role_seeds(seed)
    text = as_tokens(TEXTS[data]())
    held_out = len(text) // 10
    texts = text[-held_out:][: held_out // 16 * 16].view(16, -1)[:, : 8 * block * 2 + 1]
    sizes: dict[str, Any] = {
        "vocab_size": 256,
        "d_model": d_model,
        "num_heads": 2,
        "num_layers": num_layers,
        "d_ff": 2 * d_model,
        "block_size": block,
    }

    def curve(make: Callable[[], MemoryTransformer]) -> Curve:
        torch.manual_seed(seeds.init)
        model = make()
        memories = [0.0]

        def evaluate(model: torch.nn.Module) -> float:
            assert isinstance(model, MemoryTransformer)
            bits, memories[0] = bits_per_byte(model, texts, warm_up=4)
            return bits

        history = train(
            model,
            _text_loss,
            pieces(text[:-held_out], batch, length, torch.Generator().manual_seed(seeds.batches)),
            optimizer=torch.optim.Adam(model.parameters(), lr=lr),
            budget=Budget(steps=steps),
            evaluate=evaluate,
            every=every,
            clip_norm=1.0,
        )
        _, times, bits = zip(*history.evaluations, strict=True)
        return Curve(model, list(bits), list(times), memories[0])

    spans: dict[str, Any] = {
        "max_span": max_span,
        "span_weight": span_weight,
        "initial_span": initial_span,
    }
    expire = curve(lambda: ExpireSpanTransformer(ExpireSpanConfig(**sizes, **spans, ramp=ramp)))
    slots = max(2 * rate, round(expire.memory))
    # the compressive memory is read whole, and on average half a block of new tokens with it
    half = max(rate, round((slots - (block - 1) / 2) / 2))
    window = curve(lambda: TransformerXL(TransformerXLConfig(**sizes, window=slots)))
    reach = curve(lambda: TransformerXL(TransformerXLConfig(**sizes, window=max_span)))
    compressive = curve(
        lambda: CompressiveTransformer(
            CompressiveConfig(**sizes, window=half, compressed=half, rate=rate)
        )
    )
    assert isinstance(expire.model, ExpireSpanTransformer)
    still = expire.model.spans(texts)[..., None] >= torch.arange(0, max_span + 1, 8)
    kept = still.double().mean((1, 2))  # (layers, ages)
    return Outcome(
        {
            "bits_expire_span": expire.bits[-1],
            "bits_window_of_equal_memory": window.bits[-1],
            "bits_window_of_equal_reach": reach.bits[-1],
            "bits_compressive": compressive.bits[-1],
            "gain_over_window": window.bits[-1] - expire.bits[-1],
            "gain_over_reach": reach.bits[-1] - expire.bits[-1],
            "gain_over_compressive": compressive.bits[-1] - expire.bits[-1],
            "gain_in_equal_time": gain_in_equal_time(window, expire),
            "gain_over_compressive_in_equal_time": gain_in_equal_time(compressive, expire),
            "memory": expire.memory,
            "memory_share": expire.memory / max_span,
        },
        {
            "step": [every * (one + 1) for one in range(len(expire.bits))],
            "expire_span": expire.bits,
            "window_of_equal_memory": window.bits,
            "window_of_equal_reach": reach.bits,
            "compressive": compressive.bits,
            "age": list(range(0, max_span + 1, 8)),
            **{f"kept_{number}": layer.numpy() for number, layer in enumerate(kept, 1)},
        },
    )


def _text_loss(model: MemoryTransformer, tokens: Tensor) -> Tensor:
    parts = [loss + output.aux_loss.mean() for output, loss in read(model, tokens)]
    return torch.stack(parts).mean()


def collision_model(
    *,
    seed: int,
    max_span: int = 64,
    steps: int = 600,
    batch: int = 16,
    length: int = 40,
    grid: int = 2,
    colours: int = 2,
    ask_every: int = 3,
    block: int = 70,
    span_weight: float = 1e-6,
    lr: float = 2e-3,
    tested: int = 64,
) -> Outcome:
    """Train a small Expire-Span on collisions, and set its error beside the bound for its reach.

    Args:
        max_span: the longest span, which every memory starts near.
        length: periods of a stream: `ask_every` steps of two tokens, and a question.

    Returns:
        `error` of the trained model; `bound`, the least error of whoever remembers all within the
        reach of one layer; `guessing`, that of whoever remembers nothing; `closed`, the share of the
        way from guessing to the bound that the model went; `memory`. Arrays: `error` by `gap`.
    """
    seeds = role_seeds(seed)
    drawn = torch.Generator().manual_seed(seeds.batches)
    draw = partial(
        collisions, steps=length * ask_every, grid=grid, colours=colours, ask_every=ask_every
    )
    torch.manual_seed(seeds.init)
    config = ExpireSpanConfig(
        vocab_size=draw(1, generator=torch.Generator()).vocab_size,
        block_size=block,
        max_span=max_span,
        initial_span=0.9,
        span_weight=span_weight,
    )
    model = ExpireSpanTransformer(config)
    train(
        model,
        _answers_loss,
        (draw(batch, generator=drawn) for _ in range(steps)),
        optimizer=torch.optim.Adam(model.parameters(), lr=lr),
        budget=Budget(steps=steps),
        clip_norm=1.0,
    )
    stream = draw(tested, generator=torch.Generator().manual_seed(seeds.data))
    with torch.no_grad():
        outputs = list(model.blocks(stream.tokens))
    answers = torch.cat([output.logits for output in outputs], 1).argmax(-1)
    asked = stream.targets != NO_TARGET
    asked[:, : stream.tokens.shape[1] // 4] = False  # early questions cannot point far back
    wrong = (answers != stream.targets)[asked].double()
    gaps = stream.gaps[asked]
    bound = information_bound(gaps, [max_span + config.ramp]).item()
    edges = [0, 8, 16, 32, 64, 128]
    bins = [(gaps > low) & (gaps <= high) for low, high in pairwise(edges)]
    error, guessing = wrong.mean().item(), 0.75
    return Outcome(
        {
            "error": error,
            "bound": bound,
            "guessing": guessing,
            "closed": (guessing - error) / (guessing - bound),
            "memory": sum(o.memory_size.mean().item() for o in outputs) / len(outputs),
        },
        {
            "gap": edges[1:],
            "error": [wrong[one].mean().item() if one.any() else guessing for one in bins],
        },
    )


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
        `change`, the largest absolute difference in logits, auxiliary losses and all gradients of their
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


def _youngest(
    model: MemoryTransformer, tokens: Tensor, sizes: list[list[int]]
) -> Iterator[BlockOutput]:
    """Yield the blocks of a stream whose memory is cut to the youngest, `sizes` per block and layer."""
    memory = None
    for block, size in zip(tokens.split(model.config.block_size, dim=1), sizes, strict=True):
        output = model(block, memory, compact=False)
        yield output
        memory = Memory(
            tuple(
                {name: x[:, -n:] for name, x in layer.items()}
                for layer, n in zip(output.memory.layers, size, strict=True)
            )
        )


def _values_and_gradients(
    model: MemoryTransformer, outputs: list[BlockOutput], wanted: Tensor
) -> list[Tensor]:
    """Return logits, auxiliary losses and the gradients of their mean losses."""
    logits = torch.cat([output.logits for output in outputs], 1)
    aux_loss = torch.stack([output.aux_loss for output in outputs])
    loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten()) + aux_loss.mean()
    return [logits, aux_loss, *torch.autograd.grad(loss, list(model.parameters()))]


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
