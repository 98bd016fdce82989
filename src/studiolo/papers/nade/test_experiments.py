"""The experiments at their smallest."""

import math

import numpy as np
import pytest
import torch

from studiolo.errors import NeedsData

from . import experiments, inputs, published


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


def test_neighbour_experiment_takes_a_mixture_of_orders():
    outcome = experiments.neighbour(
        seed=0, data="digits", model="eonade", hidden=(8,), epochs=2, num_orders=2
    )
    assert 10 < outcome.values["nats"] < 60


def test_pixels_experiment_draws_a_curve_with_its_time():
    outcome = experiments.pixels(seed=0, data="digits", hidden=8, epochs=3, train_rows=300)
    curve = outcome.arrays
    assert curve["epochs"] == [1, 2, 3]
    assert curve["cpu_s"] == sorted(curve["cpu_s"])
    assert curve["published_nats"] == [88.33] * 3
    assert outcome.values["nade_nats"] < outcome.values["bernoulli_nats"] + 1


def test_missing_values_experiment_hides_what_it_is_judged_by():
    real, shuffled = (
        experiments.missing_values(
            seed=0,
            hidden=(64,),
            epochs=40,
            learning_rate=0.01,
            train_rows=300,
            shuffle_columns=shuffle,
        ).values
        for shuffle in (False, True)
    )
    assert real["nade_error"] < 0.9 * real["means_error"]
    assert shuffled["nade_error"] > 0.95 * shuffled["means_error"]


def table_of_noise(rows=300, columns=12, seed=0):
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    values[:, 1] = values[:, 0]  # a pair of which one goes
    return values


def test_real_experiment_fits_three_densities_to_a_table(monkeypatch):
    monkeypatch.setattr(inputs, "table", lambda name: table_of_noise())
    values = experiments.real_values(seed=0, hidden=8, components=2, epochs=2, folds=2).values
    assert values["gaussian_nats"] == pytest.approx(14.2, abs=1.0)  # 10 times 1.42
    assert math.isfinite(values["rnade_nats"])
    assert math.isfinite(values["mixture_nats"])


def test_folds_test_every_row_once_and_scale_by_the_others(monkeypatch):
    table = table_of_noise()
    table[:, 2] = np.arange(300)  # which row it is
    monkeypatch.setattr(inputs, "table", lambda name: table)
    ranks = []
    for fold in range(10):
        train, valid, test = inputs.real_rows("red_wine", 3, fold)
        assert (len(train), len(valid), len(test)) == (240, 30, 30)
        rest = torch.cat((train, valid))
        torch.testing.assert_close(rest.mean(0), torch.zeros(10), atol=1e-5, rtol=0)
        torch.testing.assert_close(rest.std(0, correction=0), torch.ones(10))
        ranks.append((rest[:, None, 1] < test[:, 1]).sum(0) + test[:, 1].argsort().argsort())
    assert torch.equal(torch.cat(ranks).sort().values, torch.arange(300))


@pytest.mark.parametrize("row", published.rows())
def test_every_published_row_trains_a_model_of_the_papers_size(row, monkeypatch):
    g = torch.Generator().manual_seed(0)
    binary = inputs.Split(*(torch.rand(n, 784, generator=g).round()[:, :9] for n in (40, 10, 20)))
    real = inputs.Split(*(torch.randn(n, 6, generator=g) for n in (40, 10, 20)))
    monkeypatch.setattr(published, "binary_rows", lambda data, seed: binary)
    monkeypatch.setattr(published, "real_rows", lambda data, seed: real)
    epochs = []
    result = published.reproduce(row, epochs=1, progress=lambda epoch, nats: epochs.append(epoch))
    model, _, data = row.partition(" on ")
    assert result.published == published.PUBLISHED[data][model]
    assert math.isfinite(result.nats)
    assert result.half_width > 0
    assert str(result).startswith(f"{row}: {result.nats:.2f}")
    assert epochs == ([] if model in ("mixture", "gaussian") else [1])
    if hasattr(result.model, "hidden") and "rnade" not in model:
        widths = result.model.hidden
        assert set(np.atleast_1d(widths)) <= {500}


def test_one_gaussian_needs_more_without_covariances(monkeypatch):
    noise = table_of_noise()
    noise[:, 3] = noise[:, 2] + 0.5 * noise[:, 3]
    monkeypatch.setattr(inputs, "table", lambda name: noise)
    whole, diagonal = (
        experiments.one_gaussian(seed=0, diagonal=d).values["nats"] for d in (False, True)
    )
    assert whole == pytest.approx(10 * 1.42 + math.log(0.5 / 1.118), abs=0.2)
    assert diagonal == pytest.approx(10 * 1.42, abs=0.2)


def test_reproduce_lists_its_rows_when_asked_for_another():
    with pytest.raises(ValueError, match=r"'nade on web' is not a row .* nade on adult"):
        published.reproduce("nade on web")
