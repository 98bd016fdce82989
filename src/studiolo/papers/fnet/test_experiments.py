"""Letters of real text, the encoders that are trained on them, and how their curves are compared."""

import math

import pytest
import torch

from studiolo.measure import flops

from . import experiments, pretraining, text
from .hybrid import FourierWithAttention
from .pretraining import LetterModel, Point, Training, at_updates, beside, overtaken, reached


SIZES = {"width": 16, "depth": 4, "num_heads": 2, "num_tokens": 32}


def model_of(arm):
    torch.manual_seed(0)
    return LetterModel(arm, **SIZES)


def some_text(n=4000):
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(27, (n,), generator=generator)
    return text.Text(words[: n // 2], words[n // 2 :])


def points(*losses, cost=1.0):
    return [
        Point(cost * (i + 1), 10 * cost * (i + 1), 5 * (i + 1), v) for i, v in enumerate(losses)
    ]


# Text.


def test_letters_are_small_spelled_and_apart():
    codes = text.letters("Ab,\t<unk> 20 c!")
    assert "".join(" abcdefghijklmnopqrstuvwxyz"[c] for c in codes) == "ab two zero c "


def test_masked_rows_hide_what_is_asked():
    words = torch.randint(1, 27, (5000,), generator=torch.Generator().manual_seed(1))
    rows, positions, answers = text.masked(words, 200, 40, torch.Generator().manual_seed(2))
    assert positions.shape == answers.shape == (200, 6)
    assert all(len(set(row.tolist())) == 6 for row in positions)
    shown = rows.gather(1, positions)
    assert 0.76 < (shown == text.MASK).double().mean() < 0.84
    assert 0.09 < (shown == answers).double().mean() < 0.15  # a tenth kept, and a few by chance
    whole = rows.scatter(1, positions, answers)
    strings = bytes(words.tolist())
    assert all(bytes(row.tolist()) in strings for row in whole)


def test_last_letters_of_each_part_are_held_out(monkeypatch):
    a, b = torch.arange(40) % 27, torch.arange(20, 60) % 27
    monkeypatch.setitem(text.TEXTS, "two", lambda: [a, b])
    read = text.read_text("two")
    assert torch.equal(read.held_out, torch.cat([a[38:], b[38:]]))
    assert torch.equal(read.learned, torch.cat([a[:38], b[:38]]))
    with pytest.raises(ValueError, match="There is no text 'bible': choose one of wikipedia"):
        text.read_text("bible")


def test_reviews_are_cut_and_filled_with_spaces(monkeypatch):
    monkeypatch.setattr(text, "sentences", lambda: [("Good!", 1), ("...", 0), ("very bad food", 0)])
    reviews = text.read_reviews(8, torch.Generator().manual_seed(0))
    by_end = {
        int(n): (row, int(p))
        for row, n, p in zip(reviews.rows, reviews.ends, reviews.praise, strict=True)
    }
    assert by_end[8][1] == 0
    assert by_end[5][1] == 1
    assert by_end[5][0].tolist()[:4] == [7, 15, 15, 4]
    assert by_end[5][0].tolist()[4:] == [text.SPACE] * 4
    assert reviews.inside.shape == (3, 8, 1)
    assert reviews.inside.sum(1).flatten().tolist() == reviews.ends.tolist()


# Models.


@pytest.mark.parametrize("arm", pretraining.RATES)
def test_every_arm_learns_a_batch(arm):
    model = model_of(arm)
    batch = text.masked(some_text().learned, 8, 32, torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = pretraining.letter_loss(model, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(28), abs=0.4)
    assert losses[-1] < losses[0] - 0.1


def test_growing_half_way_keeps_the_function_and_then_trains():
    model = model_of("grown")
    rows = torch.randint(27, (3, 32))
    before = model.hidden(rows)
    new = model.grow()
    torch.testing.assert_close(model.hidden(rows), before, rtol=0, atol=1e-5)
    grown = [isinstance(block.mixer, FourierWithAttention) for block in model.blocks]
    assert grown == [False, False, True, True]
    assert len(new) == 8


def test_rotary_attention_sees_distances_alone():
    torch.manual_seed(0)
    attention = pretraining.RotaryAttention(16, 2, 32)
    x = torch.randn(1, 16)
    alike = attention(x.expand(1, 32, 16))
    torch.testing.assert_close(alike, alike[:, :1].expand_as(alike), rtol=0, atol=1e-5)
    q = torch.randn(8)
    turned = attention._turned(q.expand(1, 1, 32, 8))[0, 0]
    products = turned @ turned.T
    for distance in (0, 1, 7):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=1e-4, atol=1e-4)
    x, padded = torch.randn(1, 5, 16), torch.randn(1, 8, 16)
    padded[:, :5] = x
    torch.testing.assert_close(attention(padded, [5])[:, :5], attention(x), rtol=0, atol=1e-5)


def test_hybrid_attends_above_an_even_number_of_transforms():
    # after an odd number of transforms a row is in frequencies, not in letters
    kinds = [type(block.mixer).__name__ for block in model_of("hybrid").blocks]
    assert kinds == ["FourierMixing", "FourierMixing", "RotaryAttention", "RotaryAttention"]


def test_operations_of_an_update_are_counted_with_the_transforms():
    training = Training("fourier", model_of("fourier"), some_text(), 2, 32, torch.Generator(), 1e-3)
    batch = text.masked(some_text().learned, 2, 32, torch.Generator())
    products = flops(lambda: pretraining.letter_loss(training.model, batch).backward())
    training.turn(0, 3, 0.0)
    transforms = 2 * 4 * 2 * (9 * 2.5 * 32 * 5 + 17 * 2.5 * 16 * 4)
    assert training.operations == pytest.approx(3 * (products + transforms))
    assert training.steps == 3


def test_short_rows_come_first_and_whole_rows_after():
    training = Training(
        "short_rows", model_of("short_rows"), some_text(), 2, 32, torch.Generator(), 1e-3
    )
    training.turn(0, 1, 0.0)
    assert next(training.batches)[0].shape == (8, 8)
    training.turn(pretraining.SHORT_TURNS, 1, 0.0)
    assert next(training.batches)[0].shape == (2, 32)


def test_grown_parameters_warm_up_from_their_birth():
    training = Training("grown", model_of("grown"), some_text(), 2, 32, torch.Generator(), 1.0e-3)
    training.steps = 500
    training.turn(pretraining.GROWN_AT, 1, 0.0)
    old, new = training.optimizer.param_groups
    assert (old["lr"], new["lr"]) == (1e-3, 1e-3 / pretraining.WARM_UP)


# Curves.


@pytest.mark.usefixtures("without_shape_checks")
def test_cost_at_a_loss_worked_by_hand():
    assert reached([(1, 3.0), (2, 2.0), (4, 1.0)], 1.5) == 3
    assert reached([(1, 3.0), (2, 2.0)], 2.0) == 2
    assert reached([(1, 3.0)], 3.5) == 1
    assert reached([(1, 3.0), (2, 2.0)], 1.9) is None


def test_overtaking_counts_the_last_crossing():
    assert overtaken(points(3, 2, 1, 0), points(2, 3, 0, 1)) == 0.75
    assert overtaken(points(3, 2), points(2, 1)) == 1
    assert overtaken(points(1, 1), points(2, 2)) == 0


@pytest.mark.usefixtures("without_shape_checks")
def test_curves_beside_each_other_worked_by_hand():
    first, other = points(3, 2, 1, 0.5), points(2, 0.75, 0.25, 0.2, cost=1.0)
    values = beside(first, other)
    assert values["lead_nats"] == pytest.approx(0.3)
    assert values["saved"] == values["savedflops"] == pytest.approx(1 - 2.5 / 4)
    assert values["overtaken"] == 1
    assert values["crossing_s"] == 4
    assert values["faster"] == 1
    assert values["bound"] == 0
    assert beside(other, first)["saved"] == 0  # never reached
    fast = [p._replace(updates=2 * p.updates) for p in other]
    assert beside(first, fast)["bound"] == 0.25
    assert at_updates(fast, 15) == pytest.approx((0.75 + 2) / 2)
    assert at_updates(fast, 99) == 0.2


def test_pretraining_compares_its_arms(monkeypatch):
    monkeypatch.setattr(text, "sentences", lambda: [("good food", 1), ("bad", 0)] * 30)
    monkeypatch.setitem(text.TEXTS, "noise", lambda: [some_text().learned])
    outcome = experiments.pretraining(
        seed=3, arms=("fourier", "again", "grown"), data="noise", updates=10,
        width=8, depth=2, num_heads=2, num_rows=2, num_tokens=16, transfer=("attention", "again"),
        num_letters=12, num_held_out=8,
    )  # fmt: skip
    values, arrays = outcome.values, outcome.arrays
    assert len(arrays["cpu_s"]) == len(arrays["fourier"]) == pretraining.TURNS
    assert values["updates_attention"] == 10
    assert values["behind_attention"] == values["lead_nats_attention"] == 0
    assert values["lead_nats_fourier"] == pytest.approx(
        values["loss_attention"] - values["loss_fourier"]
    )
    assert values["again_over_grown"] == pytest.approx(
        values["behind_grown"] - values["behind_again"]
    )
    assert values["loss_again"] != values["loss_attention"]
    assert 0.5 <= values["frozen_again"] <= 1
    assert "tuned_fourier" not in values
    # CPU time is matched from turn to turn
    assert arrays["cpu_s"] == sorted(arrays["cpu_s"])
