import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from . import reference
from .adaptive_span import HeadSpan
from .attention import attend_by_span, expire_span_attention, memory_weight, relative_scores
from .expire import ExpireSpan, ExpireSpanConfig, ExpireSpanTransformer
from .generation import draw
from .transformer_xl import FixedSpan, TransformerXL, TransformerXLConfig


SMALL = ExpireSpanConfig(
    vocab_size=11,
    d_model=6,
    num_heads=2,
    num_layers=2,
    d_ff=9,
    block_size=5,
    max_span=13,
    ramp=3,
    span_weight=0.01,
    initial_span=0.3,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def a_model(
    config: ExpireSpanConfig = SMALL, dtype: torch.dtype = torch.float64
) -> ExpireSpanTransformer:
    torch.manual_seed(3)
    model = ExpireSpanTransformer(config).to(dtype)
    for module in model.modules():
        if isinstance(module, ExpireSpan):
            torch.nn.init.normal_(module.weight, std=2.0)
    torch.nn.init.normal_(model.key_pe)
    return model


def gradients(model: torch.nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters()), materialize_grads=True))


def assert_same(ours, theirs, tolerance: float) -> None:
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=tolerance, check_dtype=False)


def test_weight_worked_by_hand():
    # span 2, ramp 4: full weight to age 2, then 3/4, 1/2, 1/4, and nothing from age 6 on
    ages = torch.arange(0, 8).view(1, 1, 8)
    weight = memory_weight(torch.full((1, 8), 2.0), ages, ramp=4)
    assert weight.flatten().tolist() == [0, 1, 1, 0.75, 0.5, 0.25, 0, 0]


def test_attention_worked_by_hand():
    # equal scores, weights 1 and 1/2: shares 2/3 and 1/3 of the values 3 and 9
    q, k = torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 2, 1)
    v = torch.tensor([3.0, 9.0]).view(1, 1, 2, 1)
    mixed = expire_span_attention(q, k, v, torch.tensor([[[[1.0, 0.5]]]]))
    assert mixed.item() == pytest.approx(5.0)


def test_span_starts_at_its_share_of_the_longest():
    spans = ExpireSpan(4, max_span=200, initial=0.25)(torch.randn(1, 3, 4))
    torch.testing.assert_close(spans, torch.full((1, 1, 3), 50.0))


def test_relative_scores_count_the_distance_from_query_to_key():
    q = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    positions = torch.randn(5, 6, dtype=torch.float64)
    for memories in (0, 2, 6, 9):
        scores = relative_scores(q, positions, memories)
        assert scores.shape == (2, 3, 4, memories + 4)
        for j in range(4):
            for i in range(memories + 4):
                distance = memories + j - i
                if 1 <= distance <= 6:
                    expected = (q[:, :, j] * positions[:, 6 - distance]).sum(-1) / 5**0.5
                    torch.testing.assert_close(scores[:, :, j, i], expected)
                elif distance > 6:
                    assert scores[:, :, j, i].abs().max() == 0


@pytest.mark.parametrize(
    "change",
    [{}, {"pre_norm": False}, {"span_divisor": 4.0}, {"shorten_spans": True}, {"ramp": 1}],
    ids=lambda change: next(iter(change), "as it is"),
)
def test_model_equals_reference_in_values_and_gradients_block_by_block(change: dict[str, Any]):
    config = replace(SMALL, **change)
    model = a_model(config)
    parameters = dict(model.named_parameters())
    tokens = torch.randint(11, (2, 18), generator=generator())
    memory, everything = None, [torch.zeros(2, 5, 6, dtype=torch.float64)] * 2
    torch.manual_seed(5)
    held = []
    for block in tokens.split(5, dim=1):
        state = torch.get_rng_state()
        u = float(13 * torch.rand(())) / 13 if config.shorten_spans else 1.0
        torch.set_rng_state(state)
        ours = model(block, memory)
        logits, everything, on_ramp, sizes = reference.block(
            parameters,
            block,
            everything,
            reference.expire(parameters, 13, config.span_divisor, u),
            K=2,
            R=config.ramp,
            pre_norm=config.pre_norm,
            eps=0.0,
        )
        aux_loss = 0.01 / (config.ramp * block.shape[1]) * on_ramp
        assert_same([ours.logits, ours.aux_loss], [logits, aux_loss], 1e-12)
        assert_same([ours.memory_size], [sizes], 1e-6)
        way = torch.randn(logits.shape, generator=generator(1), dtype=torch.float64)
        assert_same(
            gradients(model, (ours.logits * way).sum() + ours.aux_loss.sum()),
            gradients(model, (logits * way).sum() + aux_loss.sum()),
            1e-11,
        )
        memory = ours.memory
        held.append(memory.sizes)
    assert max(held[-1]) < everything[0].shape[1], "nothing was deleted, so nothing was shown"


def test_softmax_with_log_weight_differs_from_the_published_form_by_its_epsilon():
    model = a_model()
    tokens = torch.randint(11, (2, 5), generator=generator())
    start = [torch.zeros(2, 5, 6, dtype=torch.float64)] * 2
    parameters = dict(model.named_parameters())
    published = reference.block(
        parameters, tokens, start, reference.expire(parameters, 13), K=2, R=3
    )[0]
    difference = (model(tokens).logits - published).abs().max()
    assert 0 < difference < 1e-6


@pytest.mark.parametrize("length", [17, 20])
def test_compaction_changes_neither_outputs_nor_gradients(length):
    model = a_model(dtype=torch.float32)
    tokens = torch.randint(11, (3, length), generator=generator())
    way = torch.randn(3, length, 11, generator=generator(1))
    results, held = [], []
    for compact in (True, False):
        outputs = list(model.blocks(tokens, compact=compact))
        logits = torch.cat([output.logits for output in outputs], 1)
        aux_loss = torch.stack([output.aux_loss for output in outputs])
        loss = (logits * way).mean() + aux_loss.mean()
        results.append([logits, aux_loss, *gradients(model, loss)])
        held.append(outputs[-1].memory.sizes)
    assert_same(*results, tolerance=1e-6)
    assert sum(held[0]) < sum(held[1]) == 2 * (5 + length)


def test_last_block_is_never_deleted_and_ages_stay_in_order():
    model = a_model()
    for output in model.blocks(torch.randint(11, (4, 33), generator=generator())):
        for ages in output.memory.part("ages"):
            assert ages[:, -5:].tolist() == [[5, 4, 3, 2, 1]] * 4
            assert (ages.diff(dim=1) < 0).all()


def test_drop_multiple_deletes_in_its_multiples():
    model = a_model(replace(SMALL, drop_multiple=5))
    for output in model.blocks(torch.randint(11, (2, 40), generator=generator())):
        assert all(size % 5 == 0 for size in output.memory.sizes)
    assert max(output.memory.sizes) < 45


def test_model_is_strictly_causal():
    model = a_model()
    tokens = torch.randint(11, (1, 5), generator=generator())
    changed = tokens.clone()
    changed[0, 3] = (tokens[0, 3] + 1) % 11
    before, after = model(tokens).logits, model(changed).logits
    assert_same([before[:, :3]], [after[:, :3]], 0.0)
    assert (before[:, 3:] - after[:, 3:]).abs().amax(-1).min() > 0


def test_transformer_xl_sees_exactly_its_window():
    sizes = {"vocab_size": 11, "d_model": 6, "num_layers": 1, "block_size": 5}
    torch.manual_seed(0)
    model = TransformerXL(TransformerXLConfig(**sizes, window=7)).double()
    tokens = torch.randint(11, (1, 20), generator=generator())
    logits = torch.cat([output.logits for output in model.blocks(tokens)], 1)
    for seen in (True, False):
        changed = tokens.clone()
        at = 19 - 7 if seen else 19 - 8
        changed[0, at] = (tokens[0, at] + 1) % 11
        last = list(model.blocks(changed))[-1].logits[:, -1]
        assert ((last - logits[:, -1]).abs().max() > 0) == seen
    outputs = list(model.blocks(tokens))
    assert outputs[-1].memory_size.item() == 7
    assert outputs[-1].memory.sizes == [7]


def test_query_that_sees_nothing_gets_zeros_and_finite_gradients():
    q, k, v = (torch.randn(1, 2, 3, 4, requires_grad=True) for _ in range(3))
    weight = torch.tensor([[[[0.0, 0, 0], [1, 0, 0], [0.5, 1e-30, 0]]]], requires_grad=True)
    mixed = expire_span_attention(q, k, v, weight)
    assert mixed[:, :, 0].abs().max() == 0
    mixed.sum().backward()
    assert all(x.grad is not None and x.grad.isfinite().all() for x in (q, k, v, weight))


def test_stream_may_start_with_no_memory_at_all():
    model = a_model()
    tokens = torch.randint(11, (2, 5), generator=generator())
    output = model(tokens, model.initial_memory(2, length=0))
    assert output.logits.isfinite().all()
    assert output.memory.sizes == [5, 5]


def test_aux_loss_pulls_only_memories_on_the_ramp():
    # ages at the only query: 1, 2, 3, 4; span 2, ramp 2: weights 1, 1, 1/2, 0
    spans = torch.full((1, 4), 2.0, requires_grad=True)
    weight = memory_weight(spans, torch.tensor([[[1, 2, 3, 4]]]), ramp=2)
    on_ramp = (weight > 0) & (weight < 1)
    assert on_ramp.flatten().tolist() == [False, False, True, False]
    model = a_model()
    tokens = torch.randint(11, (1, 5), generator=generator())
    loss = model(tokens).aux_loss.sum()
    assert loss < 0
    assert any(gradient.abs().max() > 0 for gradient in gradients(model, loss))


def test_bfloat16_keeps_ages_exact():
    # neighbouring ages near 1000 are the same number in bfloat16
    spans = torch.tensor([[1000.0]], dtype=torch.bfloat16)
    weights = [
        memory_weight(spans, torch.tensor([[[age]]]), ramp=4).item() for age in (1000, 1001, 1003)
    ]
    assert weights == [1, 0.75, 0.25]


def test_spans_stay_exact_under_autocast_and_in_bfloat16():
    model = a_model(dtype=torch.float32)
    tokens = torch.randint(11, (3, 5), generator=generator())
    with torch.autocast("cpu", torch.bfloat16):
        assert model(tokens).memory.layers[0]["spans"].dtype == torch.float32
    assert model.to(torch.bfloat16)(tokens).memory.layers[0]["spans"].dtype == torch.float32


def test_errors_are_sentences():
    model = a_model()
    with pytest.raises(ValueError, match=re.escape("shape (2, 6); one block is (batch, 1 to 5)")):
        model(torch.zeros(2, 6, dtype=torch.long))
    memory = model(torch.zeros(2, 5, dtype=torch.long)).memory
    with pytest.raises(ValueError, match="memory is of 2 streams and the tokens are of 3"):
        model(torch.zeros(3, 5, dtype=torch.long), memory)
    wider = a_model(replace(SMALL, d_model=8))
    with pytest.raises(
        ValueError, match="memory is of width 6 and the model's of 8: it belongs to"
    ):
        wider(torch.zeros(2, 5, dtype=torch.long), memory)
    with pytest.raises(
        ValueError, match="memory is of width 6 and the model's of 8: it belongs to"
    ):
        next(wider.eval().generate(torch.zeros(2, 5, dtype=torch.long), 2, memory=memory))
    with pytest.raises(ValueError, match="d_model = 6 cannot be split into 4 heads"):
        replace(SMALL, num_heads=4)
    with pytest.raises(ValueError, match=r"initial_span = 1\.0 is a share of max_span strictly"):
        replace(SMALL, initial_span=1.0)
    with pytest.raises(ValueError, match="ramp = 0: must be at least 1"):
        replace(SMALL, ramp=0)


def mixed_by_hand(values: list[float], spans: Tensor, ramp: int) -> Tensor:
    """Return what one head reads with equal scores: the last value is the token before the query."""
    count = len(values)
    q, k = torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, count + 1, 1)
    v = torch.tensor([*values, 1000.0]).view(1, 1, -1, 1)
    ages = torch.arange(count, -1, -1)[None]
    return attend_by_span(q, k, v, spans, ages, torch.zeros(1, 2), ramp)[0].flatten()


def test_window_worked_by_hand():
    # a window of 2 sees 9 and 27, and neither what is older nor the token itself
    assert mixed_by_hand([3.0, 9.0, 27.0], FixedSpan(2)(torch.zeros(1, 4, 1)), 1).tolist() == [18]


def test_head_that_was_shut_can_open_again_and_none_wanders_off():
    span = HeadSpan(3, max_span=10, initial=0.5)
    span.share.data = torch.tensor([-0.5, 0.5, 1.5])
    assert span(torch.zeros(1, 1, 1)).flatten().tolist() == [0, 5, 10]
    span(torch.zeros(1, 1, 1)).sum().backward()
    assert span.share.grad is not None
    assert span.share.grad.tolist() == [10, 10, 10]
    span.share.grad = None
    span.mean().backward()
    assert span.share.grad.tolist() == [0, pytest.approx(10 / 3), 0]


def test_draws_follow_the_probabilities():
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log().expand(20_000, 4)
    drawn = F.one_hot(draw(logits, 1.0, None, generator()), 4).double().mean(0)
    torch.testing.assert_close(
        drawn, torch.tensor([0.1, 0.2, 0.3, 0.4]).double(), rtol=0, atol=0.01
    )
    top = F.one_hot(draw(logits, 1.0, 2, generator()), 4).double().mean(0)
    torch.testing.assert_close(top, torch.tensor([0, 0, 3 / 7, 4 / 7]).double(), rtol=0, atol=0.01)
    assert draw(logits[:5], 0.0, None, None).tolist() == [3] * 5


def test_adaptive_span_worked_by_hand():
    # z = 2, R = 4: at the distances 3, 2, 1 the weights are 3/4, 1, 1, so (21 + 0 + 14) / 2.75
    span = HeadSpan(1, max_span=8, initial=0.25)
    mixed = mixed_by_hand([28.0, 0.0, 14.0], span(torch.zeros(1, 4, 1)), 4)
    assert mixed.item() == pytest.approx(35 / 2.75)
