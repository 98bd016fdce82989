from typing import Any

import numpy as np
import pytest
import torch

from studiolo.runs import Outcome

from . import experiments
from .collisions import collisions, information_bound
from .tasks import NO_TARGET, Stream, copy, cue_recall, instructions, portals
from .text import Curve, as_tokens, bits_per_byte, gain_in_equal_time, pieces
from .transformer_xl import TransformerXL, TransformerXLConfig


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def questions(stream: Stream) -> int:
    """Check what every stream promises, and return how many questions it asks."""
    asked = stream.targets != NO_TARGET
    assert stream.tokens.shape == stream.targets.shape == stream.gaps.shape
    assert 0 <= stream.tokens.min() <= stream.tokens.max() < stream.vocab_size
    assert stream.targets[asked].max() < stream.vocab_size
    position = torch.arange(stream.tokens.shape[1]).expand_as(stream.gaps)
    assert (stream.gaps[asked] > 0).all()
    assert (stream.gaps <= position)[asked].all()
    assert not stream.gaps[~asked].any()
    return int(asked.sum())


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


def test_portal_asks_for_a_door_when_an_earlier_visit_told_it():
    rooms, doors = 3, 3
    stream = portals(4, rounds=9, rooms=rooms, doors=doors, generator=generator())
    assert questions(stream) > 40
    for row in range(4):
        tokens, targets, gaps = (
            x[row].tolist() for x in (stream.tokens, stream.targets, stream.gaps)
        )
        failed: dict[int, dict[int, int]] = {room: {} for room in range(rooms)}
        led: dict[int, tuple[int, int]] = {}
        for at in range(0, len(tokens), 3):
            room, tried, led_on = tokens[at], tokens[at + 1] - rooms, tokens[at + 2] - rooms - doors
            answers = []
            if room in led:
                answers.append(led[room])
            if len(failed[room]) == doors - 1:
                [door] = set(range(doors)) - set(failed[room])
                answers.append((door, min(failed[room].values())))
            if answers:
                assert len({door for door, _ in answers}) == 1
                assert targets[at] == answers[0][0]
                assert at - gaps[at] == max(when for _, when in answers)
            else:
                assert targets[at] == NO_TARGET
            if led_on:
                led[room] = (tried, at + 2)
            else:
                failed[room][tried] = at + 2
        assert sorted(tokens[0:9:3]) == [0, 1, 2]


def test_instruction_answers_are_the_latest_value_of_the_key():
    stream = instructions(5, lines=40, line=6, instructed=0.3, generator=generator())
    assert questions(stream) > 100
    for row in range(5):
        tokens, targets, gaps = (
            x[row].tolist() for x in (stream.tokens, stream.targets, stream.gaps)
        )
        latest: dict[int, tuple[int, int]] = {}
        for at, token in enumerate(tokens):
            if 16 <= token < 20:
                latest[token - 16] = (tokens[at + 1] - 20, at + 1)
            if token >= 24:
                if token - 24 in latest:
                    assert (targets[at], at - gaps[at]) == latest[token - 24]
                else:
                    assert targets[at] == NO_TARGET


def test_copy_wants_the_symbols_again_in_their_order():
    stream = copy(3, symbols=4, delay=5, generator=generator())
    assert questions(stream) == 12
    assert stream.targets[:, 9:].equal(stream.tokens[:, :4])
    assert stream.gaps[:, 9:].unique().tolist() == [9]
    assert stream.tokens[:, 4:].tolist() == [[8] * 5 + [9] * 4] * 3


def test_cue_recall_without_room_is_refused():
    with pytest.raises(ValueError, match="length = 30 is not a multiple of block = 8"):
        cue_recall(1, length=30, block=8, generator=generator())


def test_cue_recall_repeats_itself_and_counts_what_a_window_sees():
    small = {"steps": 3, "batch": 4, "length": 32, "block": 8, "tested": 16}
    outcome = experiments.cue_recall(seed=0, **small)
    assert 0 <= outcome.values["accuracy"] <= 1
    assert 0 < outcome.values["memory"] <= 8 + 31 / 2
    assert set(outcome.values) >= {"span_colour", "span_noise"}
    assert len(outcome.arrays["gap"]) == len(outcome.arrays["accuracy"]) == 4
    again = experiments.cue_recall(seed=0, **small)
    assert outcome.values == again.values
    window = experiments.cue_recall(seed=0, window=3, **small)
    assert window.values["memory"] == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize(
    "arm", [{"memory": "adaptive-span"}, {"memory": "compressive", "window": 4, "rate": 8}], ids=str
)
def test_siblings_train_on_the_cue(arm: dict[str, Any]):
    small: dict[str, Any] = {"steps": 3, "batch": 4, "length": 32, "block": 8, "tested": 16}
    values = experiments.cue_recall(seed=0, **small, **arm).values
    assert 0 <= values["accuracy"] <= 1
    assert "span_colour" not in values


def test_alpha_sweep_gives_a_point_for_each_weight(monkeypatch):
    def cue_recall(*, seed: int, span_weight: float, steps: int) -> Outcome:
        return Outcome(
            {"accuracy": 1 - span_weight, "memory": 8 - span_weight, "memory_share": 0.5}
        )

    monkeypatch.setattr(experiments, "cue_recall", cue_recall)
    outcome = experiments.alpha_sweep(seed=0, alphas=(0.0, 0.5, 1.0))
    assert outcome.arrays["accuracy"] == [1, 0.5, 0]
    assert outcome.values == {
        "accuracy_at_smallest": 1,
        "accuracy_at_largest": 0,
        "memory_ratio": 8 / 7,
    }


def test_language_compares_models_of_equal_memory():
    small = {"steps": 2, "every": 1, "batch": 2, "length": 17, "d_model": 8, "block": 8}
    outcome = experiments.language(seed=0, data="standard_library", max_span=24, ramp=4, **small)
    values, arrays = outcome.values, outcome.arrays
    assert arrays["step"] == [1, 2]
    # text is made of fewer than 256 bytes, and nothing was learned yet
    assert 5 < values["bits_expire_span"] < 9
    assert values["gain_over_window"] == pytest.approx(
        values["bits_window_of_equal_memory"] - values["bits_expire_span"]
    )
    assert arrays["kept_1"][0] == 1
    assert np.all(np.diff(arrays["kept_2"]) <= 0)


def test_gain_in_equal_time_stops_when_the_faster_one_is_done():
    fast, slow = (
        Curve(None, bits, times, 0.0)
        for bits, times in (([4.0, 2.0], [1.0, 2.0]), ([3.0, 1.0], [2.0, 4.0]))
    )
    assert gain_in_equal_time(fast, slow) == 2.0 - 3.0
    assert gain_in_equal_time(slow, fast) == 3.0 - 2.0


def test_collision_model_stands_beside_its_bound():
    values = experiments.collision_model(seed=0, steps=2, batch=2, length=10, tested=4).values
    assert 0 <= values["bound"] <= values["guessing"] == 0.75
    assert values["closed"] == pytest.approx((0.75 - values["error"]) / (0.75 - values["bound"]))


def test_pieces_come_from_the_text():
    text = as_tokens(b"abcdefghij")
    batch = next(pieces(text, 5, 4, generator()))
    assert batch.shape == (5, 4)
    assert (batch.diff(dim=1) == 1).all()
    with pytest.raises(ValueError, match="A text of 10 bytes has no piece of 11"):
        next(pieces(text, 1, 11, generator()))


def test_bits_of_a_model_that_knows_nothing():
    model = TransformerXL(TransformerXLConfig(vocab_size=256, d_model=4, block_size=8, window=6))
    torch.nn.init.zeros_(model.readout.weight)
    torch.nn.init.zeros_(model.readout.bias)
    bits, memory = bits_per_byte(
        model, torch.randint(256, (2, 33), generator=generator()), warm_up=1
    )
    assert bits == pytest.approx(8)
    assert memory == 6
    assert model.training


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
