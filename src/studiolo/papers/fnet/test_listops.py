"""ListOps: values, batches and readers; and the memory of a training step."""

import numpy as np
import pytest
import torch

from studiolo.data import listops as drawn
from studiolo.data.listops import TOKENS

from . import experiments, listops, reference


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[ MAX 2 9 [ MIN 4 7 ] 0 ]", 9),
        ("[ SM 5 6 [ MED 1 8 3 ] ]", 4),
        ("[ MED 1 4 ]", 2),
        ("[ MED 9 2 [ SM 7 7 ] [ MAX 0 3 ] ]", 3),
    ],
)
def test_values_worked_by_hand(text, value):
    assert listops.value_of(text.split()) == value
    assert reference.listops_value(text) == value


def test_value_in_one_pass_is_that_of_replacing_innermost_lists():
    rng = np.random.default_rng(0)
    for _ in range(300):
        tokens, _ = drawn(rng, max_depth=5, max_arguments=10)
        assert listops.value_of(tokens) == reference.listops_value(" ".join(tokens))


def test_batches_hold_whole_expressions_with_their_values():
    batch = next(listops.expressions(0, num_rows=50, num_tokens=20, max_depth=3))
    assert batch.rows.shape == (50, 20)
    texts = [
        " ".join(TOKENS[i] for i in row[:n])
        for row, n in zip(batch.rows, batch.lengths, strict=True)
    ]
    assert [reference.listops_value(text) for text in texts] == batch.values.tolist()
    assert all(text.count("[") == text.count("]") >= 1 for text in texts)
    assert any(text.count("[") > 2 for text in texts)


@pytest.mark.parametrize("arm", listops.RATES)
def test_padding_does_not_change_what_a_reader_answers(arm):
    torch.manual_seed(0)
    reader = listops.Reader(arm, width=16, depth=2, num_heads=2, num_tokens=20)
    batch = next(listops.expressions(1, num_rows=6, num_tokens=20, max_depth=2))
    together = reader(batch.rows, batch.lengths)
    for row, n, logits in zip(batch.rows, batch.lengths, together, strict=True):
        alone = reader(row[None, :n], n[None])
        torch.testing.assert_close(alone[0], logits, rtol=1e-4, atol=1e-5)


def test_readers_are_compared_with_the_first():
    values = experiments.listops(
        seed=3, updates=2, width=8, depth=1, num_heads=2, num_tokens=12, num_held_out=40
    ).values
    assert values["lead_attention"] == 0
    assert values["lead_none"] == values["accuracy_none"] - values["accuracy_attention"]


def test_fourier_mixing_holds_what_no_mixing_holds():
    outcome = experiments.memory_by_length(
        seed=0, lengths=(16, 32), width=8, depth=2, num_heads=2, num_tokens=32
    )
    arrays, values = outcome.arrays, outcome.values
    assert arrays["fourier"] == arrays["none"]
    assert values["share_of_none"] == values["growth_fourier"] == 1
    assert values["growth_unfused"] > values["growth_attention"] >= 1
