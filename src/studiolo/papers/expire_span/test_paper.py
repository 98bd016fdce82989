import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from . import experiments, reference
from .adaptive_span import AdaptiveSpanConfig, AdaptiveSpanTransformer
from .attention import attend_by_span, expire_span_attention, memory_weight, relative_scores
from .expire import ExpireSpan, ExpireSpanConfig, ExpireSpanTransformer
from .memory import Memory
from .transformer_xl import TransformerXL, TransformerXLConfig
from .tasks import NO_TARGET, collisions, cue_recall, information_bound


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
    mixed = expire_span_attention(q, k, v, torch.tensor([[[1.0, 0.5]]]))
    assert mixed.item() == pytest.approx(5.0)


def test_span_starts_at_its_share_of_the_longest():
    spans = ExpireSpan(4, max_span=200, initial=0.25)(torch.randn(1, 3, 4))
    torch.testing.assert_close(spans, torch.full((1, 3), 50.0))


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
        logits, everything, span_loss, sizes = reference.block(
            parameters,
            block,
            everything,
            K=2,
            L=13,
            R=config.ramp,
            alpha=0.01,
            pre_norm=config.pre_norm,
            pre_div=config.span_divisor,
            u=u,
            eps=0.0,
        )
        assert_same([ours.logits, ours.span_loss], [logits, span_loss], 1e-12)
        assert_same([ours.memory_size], [sizes], 1e-6)
        way = torch.randn(logits.shape, generator=generator(1), dtype=torch.float64)
        assert_same(
            gradients(model, (ours.logits * way).sum() + ours.span_loss.sum()),
            gradients(model, (logits * way).sum() + span_loss.sum()),
            1e-11,
        )
        memory = ours.memory
        held.append(memory.sizes)
    assert max(held[-1]) < everything[0].shape[1], "nothing was deleted, so nothing was shown"


def test_softmax_with_log_weight_differs_from_the_published_form_by_its_epsilon():
    model = a_model()
    tokens = torch.randint(11, (2, 5), generator=generator())
    settings = {"K": 2, "L": 13, "R": 3, "alpha": 0.01}
    start = [torch.zeros(2, 5, 6, dtype=torch.float64)] * 2
    published = reference.block(dict(model.named_parameters()), tokens, start, **settings)[0]
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
        span_loss = torch.stack([output.span_loss for output in outputs])
        loss = (logits * way).mean() + span_loss.mean()
        results.append([logits, span_loss, *gradients(model, loss)])
        held.append(outputs[-1].memory.sizes)
    assert_same(*results, tolerance=1e-6)
    assert sum(held[0]) < sum(held[1]) == 2 * (5 + length)


def test_last_block_is_never_deleted_and_ages_stay_in_order():
    model = a_model()
    for output in model.blocks(torch.randint(11, (4, 33), generator=generator())):
        for ages in output.memory.ages:
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
    config = replace(SMALL, num_layers=1)
    torch.manual_seed(0)
    model = TransformerXL(config, window=7).double()
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
    weight = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0.5, 1e-30, 0]]], requires_grad=True)
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


def test_span_loss_pulls_only_memories_on_the_ramp():
    # ages at the only query: 1, 2, 3, 4; span 2, ramp 2: weights 1, 1, 1/2, 0
    spans = torch.full((1, 4), 2.0, requires_grad=True)
    weight = memory_weight(spans, torch.tensor([[[1, 2, 3, 4]]]), ramp=2)
    on_ramp = (weight > 0) & (weight < 1)
    assert on_ramp.flatten().tolist() == [False, False, True, False]
    model = a_model()
    tokens = torch.randint(11, (1, 5), generator=generator())
    loss = model(tokens).span_loss.sum()
    assert loss < 0
    assert any(gradient.abs().max() > 0 for gradient in gradients(model, loss))


def test_bfloat16_keeps_ages_exact():
    # neighbouring ages near 1000 are the same number in bfloat16
    spans = torch.tensor([[1000.0]], dtype=torch.bfloat16)
    weights = [
        memory_weight(spans, torch.tensor([[[age]]]), ramp=4).item() for age in (1000, 1001, 1003)
    ]
    assert weights == [1, 0.75, 0.25]


def test_bfloat16_model_follows_float32():
    model = a_model(dtype=torch.float32)
    tokens = torch.randint(11, (3, 20), generator=generator())
    exact = torch.cat([output.logits for output in model.blocks(tokens)], 1)
    outputs = list(model.to(torch.bfloat16).blocks(tokens))
    rough = torch.cat([output.logits for output in outputs], 1)
    assert outputs[0].spans[0].dtype == torch.float32
    # bfloat16 has 8 bits: logits of size 1 through two layers
    assert (rough.float() - exact).abs().mean() < 0.03
    rough.float().square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_errors_are_sentences():
    model = a_model()
    with pytest.raises(ValueError, match=re.escape("shape (2, 6); one block is (batch, 1 to 5)")):
        model(torch.zeros(2, 6, dtype=torch.long))
    memory = model(torch.zeros(2, 5, dtype=torch.long)).memory
    with pytest.raises(ValueError, match="memory is of 2 streams and the tokens are of 3"):
        model(torch.zeros(3, 5, dtype=torch.long), memory)
    with pytest.raises(ValueError, match="d_model = 6 cannot be split into 4 heads"):
        replace(SMALL, num_heads=4)
    with pytest.raises(ValueError, match=r"initial_span = 1\.0 is a share of max_span strictly"):
        replace(SMALL, initial_span=1.0)
    with pytest.raises(ValueError, match="ramp = 0: must be at least 1"):
        replace(SMALL, ramp=0)
    with pytest.raises(ValueError, match="length = 30 is not a multiple of block = 8"):
        cue_recall(1, length=30, block=8, generator=generator())


def test_cue_is_shown_once_and_its_gap_points_to_it():
    stream = cue_recall(20, length=40, block=8, generator=generator())
    assert ((stream.tokens < 4).sum(1) == 1).all()
    rows, asked = (stream.targets != NO_TARGET).nonzero(as_tuple=True)
    assert len(rows) == 20 * 32
    assert asked.min() == 8
    cue = stream.tokens[rows, asked - stream.gaps[rows, asked]]
    assert cue.equal(stream.targets[rows, asked])


def test_collision_answers_follow_from_the_tokens_alone():
    grid, colours, ask_every = 4, 3, 4
    for aliased in (False, True):
        stream = collisions(3, steps=800, aliased=aliased, generator=generator())
        states = grid**2 * colours
        answered = 0
        for tokens, targets, gaps in zip(stream.tokens, stream.targets, stream.gaps, strict=True):
            last: dict[int, tuple[int, int]] = {}
            at = 0
            while at < len(tokens):
                for _ in range(ask_every):
                    (cell, first), (other, second) = (
                        divmod(int(tokens[at + k]) - k * states, colours) for k in range(2)
                    )
                    if cell == other:
                        row, column = divmod(cell, grid)
                        half = grid // 2
                        quadrant = 2 * (row >= half) + (column >= half)
                        last[first * colours + second] = (quadrant, at + 1)
                    at += 2
                pair = int(tokens[at]) - 2 * states
                if pair in last:
                    assert (targets[at], at - gaps[at]) == last[pair]
                    answered += 1
                else:
                    assert targets[at] == NO_TARGET
                at += 1
        assert answered > 400


def test_particles_move_one_cell_at_most():
    stream = collisions(2, steps=100, ask_every=100, generator=generator())
    cells = stream.tokens[:, :200:2] // 3
    assert (cells // 4).diff(dim=1).abs().max() == 1
    assert (cells % 4).diff(dim=1).abs().max() == 1


def test_information_bound_worked_by_hand():
    # two of four answers lie farther back than 10: half of 3/4
    bound = information_bound(torch.tensor([3, 10, 11, 40]), [10, 40])
    assert bound.tolist() == [0.375, 0]


def test_cue_recall_repeats_itself_and_counts_what_a_window_sees():
    small = {"steps": 12, "batch": 4, "length": 32, "block": 8, "tested": 64}
    outcome = experiments.cue_recall(seed=0, **small)
    assert 0 <= outcome.values["accuracy"] <= 1
    assert 0 < outcome.values["memory"] <= 8 + 31 / 2
    assert set(outcome.values) >= {"span_colour", "span_noise"}
    assert len(outcome.arrays["gap"]) == len(outcome.arrays["accuracy"]) == 4
    again = experiments.cue_recall(seed=0, **small)
    assert outcome.values == again.values
    window = experiments.cue_recall(seed=0, window=3, **small)
    assert window.values["memory"] == pytest.approx(3, abs=0.01)


def test_compaction_by_span_changes_nothing_where_by_age_it_does():
    small = {"blocks": 5, "batch": 2, "max_span": 32, "ramp": 4, "block": 8}
    by_span = experiments.compaction(seed=0, **small).values
    by_age = experiments.compaction(seed=0, by="age", **small).values
    assert by_span["change"] <= 1e-12 < 1e-3 < by_age["change"]
    assert experiments.compaction(seed=0, dtype="float32", **small).values["change"] <= 1e-6
    assert by_span["deleted_share"] == by_age["deleted_share"] > 0.2


def test_collision_slip_hides_answers_farther_back():
    right, slip = (
        experiments.collision_bound(seed=0, aliased=aliased, batch=8, steps=2000)
        for aliased in (False, True)
    )
    assert slip.values["median_gap"] > 1.5 * right.values["median_gap"]
    assert np.all(np.diff(right.arrays["bound"]) <= 0)
