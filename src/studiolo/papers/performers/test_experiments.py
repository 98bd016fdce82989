"""Every experiment at its smallest, and the data and models that they train."""

import math

import pytest
import torch

from studiolo.data.listops import TOKENS

from . import experiments, proteins, training
from .features import RandomFeatures


def test_closed_form_ratio_grows_only_where_the_kernel_shrinks():
    assert experiments.closed_form_ratio(seed=0).values["growth"] > 1
    assert experiments.closed_form_ratio(seed=0, angle_deg=45.0).values["growth"] < 1


def test_kernel_experiments_at_their_smallest():
    iid = experiments.kernel_errors(seed=0, trials=2000).values
    assert 0.8 < iid["trig_over_lemma_2"] < 1.25
    orthogonal = experiments.kernel_errors(seed=0, draw="orthogonal", trials=2000).values
    assert orthogonal["trig_over_lemma_2"] < 0.5
    bias = [
        experiments.kernel_bias(seed=0, draw=draw, trials=300).values["mean_over_truth"]
        for draw in ("orthogonal", "orthogonal, LAPACK's signs")
    ]
    assert abs(bias[0] - 1) < abs(bias[1] - 1)


def test_grid_of_kernels_at_its_smallest():
    iid = experiments.kernel_errors_over_grid(seed=0, trials=2000).values
    assert iid["worst_factor"] < 2 < 1e14 < iid["largest_ratio"]
    orthogonal = experiments.kernel_errors_over_grid(seed=0, trials=1000, draw="orthogonal").values
    assert orthogonal["worst_factor"] > 2


def test_regularized_kernel_comes_near_its_closed_form():
    values = experiments.regularized_kernel(seed=0, trials=2000).values
    assert values["mean_over_softmax_kernel"] == pytest.approx(values["closed_form"], rel=0.05)
    assert values["closed_form"] < 0.9


def test_error_of_rows_grows_with_the_length_and_that_of_entries_does_not():
    entry, row = (
        experiments.largest_error_by_length(seed=0, measure=m, lengths=(32, 256), trials=2).values
        for m in ("largest entry", "largest row")
    )
    assert entry["exponent"] < 0.4 < 0.8 < row["exponent"]
    with pytest.raises(ValueError, match="measure is 'other'"):
        experiments.largest_error_by_length(seed=0, measure="other", lengths=(8, 16), trials=1)


def test_orthogonal_gain_at_its_smallest():
    assert experiments.orthogonal_gain(seed=0, length=64, trials=40).values["gain"] > 1


def test_output_errors_at_their_smallest():
    found = experiments.output_errors(seed=0, scales=(0.25, 0.5, 1.0), length=128, trials=2)
    assert found.values["trig_over_pos_at_last"] > 1 > found.values["trig_over_pos_smallest"]
    assert 0.5 < found.values["crossover_norm"] < 2
    assert len(found.arrays["norm"]) == len(found.arrays["trigonometric_iid"]) == 3


def test_cost_experiments_at_their_smallest():
    favor, written = (
        experiments.flops_exponent(seed=0, method=m, length=256).values["exponent"]
        for m in ("favor", "written-out softmax")
    )
    assert favor < 1.1 < 1.9 < written
    assert experiments.bytes_exponent(seed=0, length=256).values["exponent"] < 1.1
    assert math.isfinite(experiments.time_exponent(seed=0, length=128, pairs=2).values["exponent"])
    for trains in (False, True):
        ratio = experiments.speed_over_fused(seed=0, length=128, pairs=2, training=trains).values
        assert ratio["speed_ratio"] > 0


def test_bytes_in_training_are_below_those_of_fused_attention():
    ours, kept = (
        experiments.peak_bytes_over_fused(seed=0, length=2048, training=True, method=m).values
        for m in ("favor", "favor, features kept")
    )
    assert ours["peak_bytes_ratio"] < 1.1 < 3 < kept["peak_bytes_ratio"]
    assert experiments.peak_bytes_over_fused(seed=0, length=256).values["peak_bytes_ratio"] > 0


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: experiments.kernel_bias(seed=0, draw="other", trials=1), "draw is 'other'"),
        (lambda: experiments.bytes_exponent(seed=0, method="other", length=8), "method is 'other'"),
    ],
)
def test_errors_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_swap_at_its_smallest_loses_accuracy_and_says_how_much():
    values = experiments.swap_and_recover(seed=0, steps=3, more=2, length=8).values
    assert values["behind"] == values["accuracy_exact_later"] - values["accuracy_swapped_later"]
    assert values["dropped"] == values["accuracy_exact"] - values["accuracy_swapped"]


@pytest.mark.parametrize("worse", ["trigonometric", "positive, redrawn", "positive, again"])
def test_kinds_of_features_in_training_at_their_smallest(worse):
    values = experiments.features_in_training(seed=0, worse=worse, steps=12, length=8).values
    assert values["lead"] == values[f"loss_{worse}"] - values["loss_positive"] != 0


def test_reading_at_its_smallest():
    values = experiments.reading(seed=0, steps=2, length=12).values
    assert values["lead"] == values["accuracy_better"] - values["accuracy_worse"]


@pytest.fixture
def few_proteins(monkeypatch):
    letters = torch.randint(20, (2, 12, 9), generator=torch.Generator().manual_seed(0))
    found = [[("".join(proteins.RESIDUES[i] for i in row), "0") for row in x] for x in letters]
    splits = dict(zip(("train", "valid"), found, strict=True))
    splits["train"].append(("ACD", "0"))
    monkeypatch.setattr("studiolo.data.proteins", lambda task, split: splits[split])
    return splits


def test_masked_proteins_at_their_smallest(few_proteins):
    values = experiments.masked_proteins(seed=0, num_features=8, length=8, steps=2).values
    of = {name: values[f"accuracy_{name}"] for name in ("relu", "positive", "softmax")}
    assert values["lead"] == of["relu"] - of["positive"]
    assert values["lead_over_exact"] == of["relu"] - of["softmax"]
    assert values["lead_of_another_draw"] == of["relu"] - values["accuracy_relu, again"]
    assert values["nats_relu"] != values["nats_relu, again"]


def test_rows_of_proteins_are_fragments_of_those_long_enough_with_some_residues_asked(few_proteins):
    known = proteins.chains("train", 8)
    assert len(known) == 12
    tokens, answers = next(proteins.masked_rows(known, 8, 0, num_rows=200))
    asked = tokens == proteins.MASK
    assert torch.equal(asked, answers != proteins.GIVEN)
    assert 0.1 < asked.double().mean() < 0.2
    whole = torch.where(asked, answers, tokens)
    there = {tuple(chain[i : i + 8].tolist()) for chain in known for i in (0, 1)}
    assert {tuple(row) for row in whole.tolist()} <= there


def test_scale_of_a_swapped_model_reaches_its_features():
    features = RandomFeatures(4, 8)
    x = torch.randn(3, 4)
    assert torch.equal(training.Scaled(features, 2.0)(x).log, features(2.0 * x).log)
    model = training.LanguageModel(8)
    x = torch.randint(training.LETTERS, (2, 8))
    right, same, wrong = (
        training.linear(model, "positive", num_features=8, seed=0, factor=f)(x)
        for f in (1.0, 1.0, 2.0)
    )
    assert torch.equal(right, same)
    assert not torch.equal(right, wrong)


def test_rows_of_text_are_shifted_by_one_and_held_out_ones_apart():
    x, y = next(training.text_rows(12, 0))
    assert x.shape == y.shape == (16, 12)
    assert torch.equal(x[:, 1:], y[:, :-1])
    assert not torch.equal(next(training.text_rows(12, 0, held_out=True))[0], x)


def test_rows_of_listops_hold_expressions_and_their_values():
    tokens, known = next(training.listops_rows(24, 0, 8))
    for row, (length, value) in zip(tokens, known.tolist(), strict=True):
        expression = [TOKENS[i] for i in row[:length]]
        assert (expression[0], expression[-1]) == ("[", "]")
        assert expression.count("[") == expression.count("]")
        assert 0 <= value <= 9
    assert known[:, 0].max() <= 24


def test_crossing_lies_between_the_lengths_beside_it():
    values = experiments.crossing_length(seed=0, num_features=16, lengths=(16, 512), pairs=2).values
    sides = [values["speed_ratio_16"] - 1, values["speed_ratio_512"] - 1]
    assert (16 < values["crossing"] < 512) == (sides[0] < 0 < sides[1])


def test_layer_of_the_identity_takes_as_long_as_itself():
    values = experiments.time_over_identity(
        seed=0, method="identity", length=256, num_heads=1, pairs=5
    ).values
    assert 0.5 < values["time_ratio"] < 2
