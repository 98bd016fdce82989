"""The experiments at their smallest."""

import math

import numpy as np
import pytest

from studiolo.errors import NeedsData

from . import experiments


def test_enumeration_tells_a_normalised_model_from_one_that_peeks():
    for model in ("nade", "deep", "mixture"):
        fair = experiments.enumeration(seed=0, model=model, dim=5)
        assert fair.values["abs_log_total"] < 1e-12
    assert experiments.enumeration(seed=0, peek=True, dim=5).values["abs_log_total"] > 1e-3


def test_order_agnostic_weight_of_the_authors_code_is_biased():
    ours = experiments.order_agnostic(seed=0, dim=4)
    theirs = experiments.order_agnostic(seed=0, dim=4, observed_offset=1)
    assert ours.values["relative_bias"] < 1e-12
    assert theirs.values["relative_bias"] > 0.1


def test_density_experiment_runs_on_digits_and_on_shuffled_columns():
    real, shuffled = (
        experiments.density(
            seed=0, hidden=8, epochs=4, learning_rate=0.02, train_rows=300, shuffle_columns=shuffle
        )
        for shuffle in (False, True)
    )
    assert real.values["gain_nats"] == pytest.approx(
        real.values["bernoulli_nats"] - real.values["nade_nats"]
    )
    assert real.values["gain_nats"] > shuffled.values["gain_nats"]


def test_density_experiment_says_which_data_it_needs(monkeypatch, tmp_path):
    monkeypatch.delenv("STUDIOLO_DATA", raising=False)
    monkeypatch.setattr("studiolo.data.files.CACHE", tmp_path)
    with pytest.raises(NeedsData, match="nade_binary"):
        experiments.density(seed=0, data="adult")


def test_mask_experiment_runs_with_masks_and_with_the_masks_of_other_rows():
    for masks in ("own", "others"):
        outcome = experiments.mask_input(seed=0, masks=masks, hidden=8, epochs=1, train_rows=200)
        assert math.isfinite(outcome.values["gain_nats"])


def test_orders_experiment_draws_one_curve_per_model():
    outcome = experiments.orders(seed=0, hidden=8, epochs=1, train_rows=200, numbers=(1, 2))
    assert outcome.arrays["orders"] == [1, 2]
    for name in ("one_layer_nats", "two_layers_nats", "fixed_nats"):
        assert len(outcome.arrays[name]) == 2
    values = outcome.values
    assert values["mixture_gain_nats"] == values["fixed_order_nats"] - values["mixture_nats"]


def test_neighbour_experiment_runs_with_and_without_a_hidden_layer():
    for hidden in ((), (8,)):
        nats = experiments.neighbour(seed=0, data="digits", hidden=hidden, epochs=2).values["nats"]
        assert 10 < nats < 60


def test_real_experiment_fits_three_densities_to_a_table(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(300, 12))
    rows[:, 1] = rows[:, 0]  # a pair of which one goes
    monkeypatch.setattr(experiments, "table", lambda name: rows)
    values = experiments.real_values(seed=0, hidden=8, components=2, epochs=2).values
    assert values["gaussian_nats"] == pytest.approx(14.2, abs=1.0)  # 10 times 1.42
    assert math.isfinite(values["rnade_nats"])
    assert math.isfinite(values["mixture_nats"])
