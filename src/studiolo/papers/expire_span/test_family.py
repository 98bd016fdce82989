"""What holds for every memory: it equals its slow twin, it is a value, and it lasts through a stream."""

import inspect
import io
import re
from dataclasses import replace
from typing import Any

import jaxtyping
import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounter

from . import reference
from .adaptive_span import AdaptiveSpanConfig, AdaptiveSpanTransformer, HeadSpan
from .compressive import CompressiveConfig, CompressiveTransformer
from .expire import ExpireSpan, ExpireSpanConfig, ExpireSpanTransformer
from .feedback import FeedbackConfig, FeedbackTransformer
from .memory import Memory
from .model import BlockOutput, MemoryTransformer
from .staircase import StaircaseConfig, StaircaseTransformer, _LayerStates
from .transformer_xl import TransformerXL, TransformerXLConfig


SIZES: dict[str, Any] = {
    "vocab_size": 11,
    "d_model": 6,
    "num_heads": 2,
    "num_layers": 2,
    "d_ff": 9,
    "block_size": 4,
}


def expire(**change: Any) -> ExpireSpanTransformer:
    settings: dict[str, Any] = {
        "max_span": 11,
        "ramp": 3,
        "span_weight": 0.01,
        "initial_span": 0.3,
    } | change
    return ExpireSpanTransformer(ExpireSpanConfig(**SIZES, **settings))


def window(**change: Any) -> MemoryTransformer:
    return TransformerXL(TransformerXLConfig(**SIZES, **({"window": 7} | change)))


def adaptive(**change: Any) -> MemoryTransformer:
    settings: dict[str, Any] = {"max_span": 9, "ramp": 3, "span_weight": 0.01} | change
    return AdaptiveSpanTransformer(AdaptiveSpanConfig(**SIZES, **settings))


def compressive(compression: str = "mean", **change: Any) -> CompressiveTransformer:
    settings: dict[str, Any] = {
        "window": 5,
        "compressed": 4,
        "rate": 2,
        "compression": compression,
    } | change
    return CompressiveTransformer(CompressiveConfig(**SIZES, **settings))


def feedback(**change: Any) -> FeedbackTransformer:
    return FeedbackTransformer(FeedbackConfig(**SIZES, **({"window": 5} | change)))


def staircase(**change: Any) -> MemoryTransformer:
    return StaircaseTransformer(StaircaseConfig(**SIZES, **({"chunk": 3, "passes": 3} | change)))


FAMILY = {
    "Expire-Span": expire,
    "Transformer-XL": window,
    "Adaptive-Span": adaptive,
    "Compressive, mean": compressive,
    "Compressive, most-used": lambda **change: compressive("most-used", **change),
    "Compressive, convolution": lambda **change: compressive("convolution", **change),
    "Feedback": feedback,
    "Staircase": staircase,
}
family = pytest.mark.parametrize("make", FAMILY.values(), ids=FAMILY.keys())


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spread(model: Any, dtype: torch.dtype = torch.float64) -> Any:
    """Move the parameters away from where they start, so that nothing is zero or equal by accident."""
    torch.manual_seed(3)
    for module in model.modules():
        if isinstance(module, ExpireSpan):
            torch.nn.init.normal_(module.weight, std=2.0)
        if isinstance(module, HeadSpan):
            module.share.data = torch.tensor([0.2, 0.7])
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.normal_(module.weight, 1.0, 0.3)
            torch.nn.init.normal_(module.bias, std=0.3)
    torch.nn.init.normal_(model.key_pe)
    if isinstance(model, FeedbackTransformer):
        torch.nn.init.normal_(model.layer_weight)
    return model.to(dtype)


def streams(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(11, (rows, length), generator=generator(seed))


def logits_of(model: MemoryTransformer, tokens: Tensor, memory: Memory | None = None) -> Tensor:
    return torch.cat([output.logits for output in model.blocks(tokens, memory)], 1)


def twin(model: Any, tokens: Tensor) -> list[tuple[Tensor, Tensor | None]]:
    """Return logits and auxiliary losses of the slow twin, block by block."""
    p, config = dict(model.named_parameters()), model.config
    norm = config.pre_norm
    blocks = tokens.split(4, 1)
    results: list[tuple[Tensor, Tensor | None]] = []
    zeros = lambda n: torch.zeros(len(tokens), n, 6, dtype=p["key_pe"].dtype)  # noqa: E731
    if isinstance(model, StaircaseTransformer):
        logits = reference.staircase(p, tokens, K=2, C=3, N=3, pre_norm=norm)
        results += [(part, None) for part in logits.split(config.block_size, 1)]
        return results
    if isinstance(model, FeedbackTransformer):
        mixtures = zeros(5)
        for block in blocks:
            logits, mixtures = reference.feedback_block(p, block, mixtures, K=2, W=5, pre_norm=norm)
            results.append((logits, None))
        return results
    if isinstance(model, CompressiveTransformer):
        got = torch.zeros(len(tokens), 5, dtype=p["key_pe"].dtype)
        state = [(zeros(4), zeros(5), got, torch.arange(4, -1, -1))] * 2
        for block in blocks:
            settings = {"K": 2, "c": 2, "f": config.compression, "pre_norm": norm}
            logits, state, loss = reference.compressive_block(p, block, state, **settings)
            results.append((logits, loss))
        return results
    if isinstance(model, TransformerXL):
        spans, ramp, length = reference.window(7), 1, 7
    elif isinstance(model, AdaptiveSpanTransformer):
        spans, ramp, length = reference.adaptive(p, 9), 3, 9
    else:
        spans, ramp, length = reference.expire(p, 11), 3, 4
    memory = [zeros(length)] * 2
    for block in blocks:
        logits, memory, on_ramp, _ = reference.block(
            p, block, memory, spans, K=2, R=ramp, pre_norm=norm, eps=0.0
        )
        if isinstance(model, AdaptiveSpanTransformer):
            shares = [p[f"layers.{layer}.span.share"] for layer in range(2)]
            loss = (0.01 / 2 * 9 * torch.stack(shares).sum()).expand(len(tokens))
        else:
            loss = 0.01 / (ramp * block.shape[1]) * on_ramp
        results.append((logits, None if isinstance(model, TransformerXL) else loss))
    return results


@pytest.mark.parametrize("pre_norm", [True, False], ids=["pre-norm", "post-norm"])
@family
def test_model_equals_its_slow_twin_in_values_and_gradients(make, pre_norm):
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        # a staircase hands gradients on within a block only, so its block is the stream
        change = {"block_size": 16} if make is staircase else {}
        model = make(pre_norm=pre_norm)
        if change:
            model = StaircaseTransformer(replace(model.config, **change))
        model = spread(model, dtype)
        tokens = streams(2, 12)
        ours = list(model.blocks(tokens))
        theirs = twin(model, tokens)
        assert len(ours) == len(theirs)
        largest = max(logits.abs().max().item() for logits, _ in theirs)
        for output, (logits, loss) in zip(ours, theirs, strict=True):
            torch.testing.assert_close(
                output.logits, logits, rtol=0, atol=tolerance * max(largest, 1), check_dtype=False
            )
            loss = torch.zeros(2, dtype=dtype) if loss is None else loss
            torch.testing.assert_close(output.aux_loss, loss, rtol=0, atol=tolerance)
        ways = [
            torch.randn(logits.shape, generator=generator(1), dtype=dtype) for logits, _ in theirs
        ]
        a, b = (
            sum((logits * way).sum() + loss for (logits, loss), way in zip(run, ways, strict=True))
            for run in (
                [(o.logits, o.aux_loss.sum()) for o in ours],
                [(x, 0.0 if loss is None else loss.sum()) for x, loss in theirs],
            )
        )
        parameters = list(model.parameters())
        gradients = [torch.autograd.grad(x, parameters, materialize_grads=True) for x in (a, b)]
        scale = max(1.0, max(x.abs().max().item() for x in gradients[1]))
        for mine, other in zip(*gradients, strict=True):
            torch.testing.assert_close(mine, other, rtol=0, atol=tolerance * scale)


@family
def test_token_by_token_block_by_block_and_cached_are_one_function(make):
    model = spread(make())
    tokens = streams(3, 22)
    expected = logits_of(model, tokens).detach()
    model.eval()
    with torch.no_grad():
        cached = logits_of(model, tokens)
        torch.testing.assert_close(cached, expected, rtol=0, atol=1e-12)
        memory, singly = None, []
        for token in tokens.split(1, 1):
            output = model(token, memory)
            memory = output.memory
            singly.append(output.logits)
        torch.testing.assert_close(torch.cat(singly, 1), expected, rtol=0, atol=1e-12)
        # what training remembers, inference goes on from
    half = None
    for output in model.blocks(tokens[:, :12]):
        half = output.memory
    assert half is not None
    assert "hidden" in half.layers[0]
    with torch.no_grad():
        after = logits_of(model, tokens[:, 12:], half)
    torch.testing.assert_close(after, expected[:, 12:], rtol=0, atol=1e-12)


@family
def test_generation_continues_as_the_model_predicts_with_bounded_memory(make):
    model = spread(make()).eval()
    prompt = streams(2, 7)
    run = model.generate(prompt, 40, temperature=0.0)
    written = torch.stack(list(run), 1)
    whole = torch.cat([prompt, written], 1)
    with torch.no_grad():
        predicted = logits_of(model, whole).argmax(-1)
        sizes = [output.memory.sizes for output in model.blocks(streams(2, 200))]
    assert written.equal(predicted[:, 6:-1])
    assert (
        max(max(size) for size in sizes[20:]) <= 4 + 14
    )  # the longest span and its ramp, and a block


@family
def test_generation_returns_the_memory_to_go_on_from(make):
    model = spread(make()).eval()

    def collect(prompt: Tensor, length: int, memory: Memory | None) -> tuple[Tensor, Memory]:
        tokens = []
        run = model.generate(prompt, length, temperature=0.0, memory=memory)
        while True:
            try:
                tokens.append(next(run))
            except StopIteration as end:
                return torch.stack(tokens, 1), end.value

    prompt = streams(2, 4)
    whole, _ = collect(prompt, 21, None)
    first, memory = collect(prompt, 10, None)
    second, _ = collect(first[:, -1:], 11, memory)
    assert torch.cat([first, second], 1).equal(whole)


@family
def test_later_tokens_change_nothing_before_them(make):
    model = spread(make()).eval()
    tokens = streams(1, 12)
    changed = tokens.clone()
    changed[0, 6] = (tokens[0, 6] + 1) % 11
    with torch.no_grad():
        before, after = logits_of(model, tokens), logits_of(model, changed)
    assert before[:, :6].equal(after[:, :6])
    assert (before[:, 6:] - after[:, 6:]).abs().amax(-1).min() > 0


@family
def test_memory_is_a_value(make):
    model = spread(make()).eval()
    tokens = streams(4, 8)
    with torch.no_grad():
        memory = list(model.blocks(tokens))[-1].memory
        before = [x.clone() for layer in memory.layers for x in layer.values()]
        following = streams(4, 3, seed=1)
        whole = model(following, memory).logits
        for x, y in zip(
            before, (x for layer in memory.layers for x in layer.values()), strict=True
        ):
            assert x.equal(y), "a memory that was passed in was changed"
        for chosen in ([2, 0], torch.tensor([3, 3, 1]), slice(1, 3), -1):
            rows = [chosen] if isinstance(chosen, int) else chosen
            torch.testing.assert_close(
                model(following[rows], memory[chosen]).logits, whole[rows], rtol=0, atol=1e-12
            )
        mask = torch.tensor([False, True, False, True])
        assert len(memory[mask]) == 2
        assert (
            memory.reorder([1, 0, 3, 2])
            .layers[0]["ages"]
            .equal(memory.layers[0]["ages"][[1, 0, 3, 2]])
        )
        file = io.BytesIO()
        torch.save(memory, file)
        file.seek(0)
        loaded = torch.load(file)
        assert isinstance(loaded, Memory)
        assert model(following, loaded).logits.equal(whole)
        halved = memory.to(dtype=torch.bfloat16)
        for layer in halved.layers:
            for name, x in layer.items():
                exact = name in ("spans", "ages", "usage")
                assert (x.dtype == torch.bfloat16) != exact, name
        assert memory.to("meta").layers[0]["ages"].is_meta
        copy = memory.clone()
        copy.layers[0]["ages"].zero_()
        assert memory.layers[0]["ages"].any()
        assert memory.nbytes == sum(x.nbytes for layer in memory.layers for x in layer.values())
    with pytest.raises(IndexError, match="There is no stream 4: the memory is of 4"):
        memory[4]


@family
def test_batch_of_no_streams_and_meta_device(make):
    model = make()
    for output in model.blocks(streams(0, 18)):
        assert output.logits.shape[0] == 0
    (output.logits.sum() + output.aux_loss.sum()).backward()
    model = make().to("meta")
    for output in model.blocks(streams(2, 18).to("meta")):
        assert output.logits.is_meta
    output.logits.sum().backward()


@family
def test_half_precision_follows_single(make):
    model = spread(make(), torch.float32)
    tokens = streams(3, 20)
    exact = logits_of(model, tokens)
    rough = logits_of(model.to(torch.bfloat16), tokens)
    # bfloat16 has 8 bits: logits of size 1 through two layers
    assert (rough.float() - exact).abs().mean() < 0.04
    rough.float().square().mean().backward()
    model.eval()
    assert len(list(model.generate(tokens[:, :4], 9, generator=generator()))) == 9


@pytest.mark.parametrize(
    "make",
    [
        expire,
        *(pytest.param(one, marks=pytest.mark.slow) for one in (window, adaptive, compressive)),
    ],
    ids=lambda make: make.__name__,
)
@pytest.mark.usefixtures("fresh_compiler")
def test_compiled_model_is_compiled_at_most_three_times_for_thirty_blocks(make, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    for made in (
        Memory,
        BlockOutput,
    ):  # the checks of a dataclass stay even so, and cannot be traced
        plain = inspect.unwrap(made.__init__)
        monkeypatch.setattr(made, "__init__", plain)
    model = spread(make())
    counter = CompileCounter()
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    tokens = streams(2, 120)
    memory, outputs = None, []
    for block in tokens.split(4, 1):
        output = compiled(
            block, model.initial_memory(2) if memory is None else memory, compact=False
        )
        memory = model.forget(output.memory)
        outputs.append(output.logits)
    torch.testing.assert_close(torch.cat(outputs, 1), logits_of(model, tokens), rtol=0, atol=1e-12)
    assert counter.frame_count <= 3


def test_errors_of_every_memory_are_sentences():
    model = expire()
    tokens = streams(2, 4)
    with torch.no_grad():
        cached = model.eval()(tokens).memory
    with pytest.raises(ValueError, match="holds keys and values of inference, through which no"):
        model(tokens, cached)
    deep = ExpireSpanTransformer(replace(model.config, num_layers=3))
    with pytest.raises(ValueError, match="memory is of 2 layers and the model's of 3"):
        deep(tokens, model(tokens).memory)
    with pytest.raises(ValueError, match=re.escape("prompt has the shape (2, 0): give")):
        model.generate(tokens[:, :0], 3)
    with pytest.raises(
        ValueError, match=r"temperature = -1\.0 must be 0 or more, and top_k = None"
    ):
        model.generate(tokens, 3, temperature=-1.0)
    with pytest.raises(ValueError, match="in training mode, with dropout and noise"):
        model.train().generate(tokens, 3)
    for name in ("d_model", "num_heads", "num_layers", "vocab_size", "block_size", "ramp"):
        with pytest.raises(ValueError, match=f"{name} = 0: must be at least 1"):
            replace(model.config, **{name: 0})
    for value in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"span_divisor = {value}: must be above 0"):
            replace(model.config, span_divisor=value)
    with pytest.raises(ValueError, match=r"layer_drop = 1\.0 is a probability"):
        replace(model.config, layer_drop=1.0)
    with pytest.raises(ValueError, match=r"dropout = 1\.0 is a probability"):
        replace(model.config, dropout=1.0)
    with pytest.raises(ValueError, match="A block of 4 is not a multiple of rate = 3"):
        compressive(rate=3)
    config = compressive().config
    object.__setattr__(config, "compression", "sum")
    with pytest.raises(ValueError, match="There is no compression 'sum': choose mean"):
        config.__post_init__()
    with pytest.raises(ValueError, match=r"initial_span = 2\.0 is a share of max_span"):
        adaptive(initial_span=2.0)


# Numbers worked by hand, each from its paper's equations.


def test_price_of_head_spans_worked_by_hand():
    # λ / heads · Σ z, two layers of heads with z = 1.8 and 6.3
    model = spread(adaptive())
    assert model(streams(1, 4)).aux_loss.item() == pytest.approx(2 * 0.01 / 2 * (1.8 + 6.3))


def test_compressions_worked_by_hand():
    # 1, 5, 2, 8 by twos: means 3 and 5, maxima 5 and 8; a quarter and three quarters give 4 and 6.5
    old = torch.tensor([1.0, 5, 2, 8]).view(1, 4, 1)
    config = {"d_model": 1, "num_heads": 1, "vocab_size": 3, "block_size": 4, "rate": 2}
    results = {}
    for name in ("mean", "max", "convolution"):
        model = CompressiveTransformer(
            CompressiveConfig(**config, compression=name, pre_norm=False)
        )
        layer = model.layers[0]
        if name == "convolution":
            layer.compression.weight.data = torch.tensor([[[0.25, 0.75]]])
            layer.compression.bias.data.zero_()
        results[name] = model._pooled(layer, old)
        assert (
            results[name].flatten().tolist()
            == {
                "mean": [3, 5],
                "max": [5, 8],
                "convolution": [4, 6.5],
            }[name]
        )
    # equal scores read the mean: 4 of the old ones and 5.25 of the compressed, so the loss is 1.25
    layer.attention.query.weight.data.zero_()
    layer.attention.value.weight.data.fill_(1.0)
    loss = model._reconstruction(layer, torch.zeros(1, 1, 1), old, results["convolution"])
    assert loss.item() == pytest.approx(1.25)


def test_reconstruction_teaches_the_compression_alone():
    model = spread(compressive("convolution"))
    loss = sum(output.aux_loss.sum() for output in model.blocks(streams(2, 12)))
    loss.backward()
    learned = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert learned == {
        f"layers.{layer}.compression.{part}" for layer in range(2) for part in ("weight", "bias")
    }


def test_most_used_keeps_what_attention_went_to():
    model = compressive("most-used", window=4, compressed=2)
    got = torch.tensor([[0.1, 0.8, 0.3, 0.9, 0, 0, 0, 0]])
    hidden = torch.arange(8.0).view(1, 8, 1).expand(1, 8, 6)
    ages = torch.arange(8, 0, -1)[None]
    stored = {"hidden": hidden, "usage": got, "ages": ages}  # no slot is compressed yet
    # shares of the queries since: .1/7, .8/6, .3/5, .9/4: the second and the fourth stay, in their order
    compressed, _ = model._compress(model.layers[0], stored, torch.zeros(1, 4, 6))
    assert compressed["hidden"][0, :, 0].tolist() == [1, 3, 4, 5, 6, 7]
    assert compressed["ages"].tolist() == [[7, 5, 4, 3, 2, 1]]


def test_feedback_memory_worked_by_hand():
    # weights 1, 1 and 2 of embedding and two layers: (1 + 3 + 2 · 8) / 4
    model = feedback(pre_norm=False)
    model.layer_weight.data = torch.tensor([0.0, 0.0, 0.6931471805599453])
    model.embedding.weight.data.fill_(1.0)
    steps = iter([3.0, 8.0])
    model._layer = lambda layer, x, keys, values: torch.full_like(x, next(steps))
    memory = model(streams(1, 1)).memory.layers[0]["hidden"]
    torch.testing.assert_close(memory[0, -1], torch.full((6,), 5.0))


def test_staircase_shows_earlier_chunks_at_later_passes():
    # tokens of chunk i at pass n hold 10 i + n; chunks of 2, 3 passes; chunks 0, 1, 2 are known
    states = (10 * torch.arange(6).div(2, rounding_mode="floor")[:, None] + torch.arange(3)).float()
    states = states.view(1, 6, 3, 1)
    layer = staircase().layers[0]
    stairs = _LayerStates(layer, None, states, states, chunk=2)
    own = torch.full((1, 1, 1), 30.0)
    for number, expected in (
        (0, [12, 12, 21, 21, 30]),  # chunk 1 at pass 2, chunk 2 at pass 1, itself
        (1, [22, 22, 30]),
        (2, [30]),
    ):
        stairs.add(own, own, own)
        keys, values = stairs.seen(number, 2 - number, 0)
        assert keys.flatten().tolist() == values.flatten().tolist() == expected


def test_layer_drop_passes_layers_by_and_their_memory_goes_on():
    model = spread(expire(layer_drop=0.999999))
    tokens = streams(2, 4)
    output = model.train()(tokens)
    nothing_but_embedding = model.logits(model.embedding(tokens))
    assert output.logits.equal(nothing_but_embedding)
    for ages in output.memory.part("ages"):
        assert ages[:, -4:].tolist() == [[4, 3, 2, 1]] * 2
    assert output.aux_loss.abs().min() > 0
    assert not model.eval()(tokens).logits.equal(nothing_but_embedding)


def test_positions_reach_as_far_as_the_window_whatever_the_block():
    # swapping two old tokens of a window changes the result, because positions tell them apart
    for block in (2, 5):
        model = spread(
            TransformerXL(TransformerXLConfig(**SIZES | {"block_size": block}, window=9))
        )
        assert model.key_pe.shape == (3, 9)
        tokens = streams(1, 30)
        tokens[0, 21:23] = torch.tensor([1, 2])
        swapped = tokens.clone()
        swapped[0, 21:23] = torch.tensor([2, 1])
        last = [logits_of(model, x)[0, -1] for x in (tokens, swapped)]
        assert (last[0] - last[1]).abs().max() > 1e-3


def test_spans_say_how_long_each_layer_keeps_each_token():
    model = spread(expire())
    tokens = streams(2, 10)
    spans = model.spans(tokens)
    assert spans.shape == (2, 2, 10)
    assert model.training
    hidden = model.layers[0].inputs(model.embedding(tokens))
    torch.testing.assert_close(spans[0], model.layers[0].span(hidden)[:, 0].detach())
    assert spread(window()).spans(tokens).unique().tolist() == [7]
    torch.testing.assert_close(
        spread(adaptive()).spans(tokens).unique().item(), 6.3, rtol=1e-6, atol=0
    )


def test_long_blocks_are_computed_in_chunks_and_give_the_same(monkeypatch):
    import studiolo.papers.expire_span.attention as attention

    model = spread(ExpireSpanTransformer(replace(expire().config, block_size=20)))
    tokens = streams(2, 40)
    way = torch.randn(2, 40, 11, generator=generator(1), dtype=torch.float64)
    results = []
    for at_once, recomputed in ((1000, 10**9), (3, 1)):
        monkeypatch.setattr(attention, "QUERIES_AT_ONCE", at_once)
        monkeypatch.setattr(attention, "RECOMPUTED_FROM", recomputed)
        outputs = list(model.blocks(tokens))
        loss = (torch.cat([o.logits for o in outputs], 1) * way).sum()
        loss = loss + sum(o.aux_loss.sum() for o in outputs)
        results.append([loss, *torch.autograd.grad(loss, list(model.parameters()))])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


def test_dense_twin_equals_the_pairwise_one():
    model = spread(expire())
    p = dict(model.named_parameters())
    memory = [torch.randn(2, 9, 6, generator=generator(), dtype=torch.float64)] * 2
    results = [
        reference.block(
            p, streams(2, 4), memory, reference.expire(p, 11), K=2, R=3, attention=attention
        )
        for attention in (reference.attend, reference.dense_attend)
    ]
    for a, b in zip(*results, strict=True):
        for x, y in zip(a, b, strict=True):
            torch.testing.assert_close(x, y, rtol=0, atol=1e-12)
