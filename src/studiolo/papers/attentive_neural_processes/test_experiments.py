import math

import numpy as np
import pytest
import torch

from studiolo.errors import NeedsData

from . import arms, experiments, shown


SMALL = {"width": 8, "num_heads": 2, "num_points": 6, "batch": 2, "steps": 4, "num_test": 4}


def test_curve_fitting_at_its_smallest_repeats_and_is_complete():
    first = experiments.curve_fitting(seed=0, **SMALL)
    again = experiments.curve_fitting(seed=0, **SMALL)
    assert first.values == again.values
    assert all(math.isfinite(value) for value in first.values.values())
    assert first.values["context_nll_gp"] < -1
    assert {len(first.arrays[f"curve_{arm}"]) for arm in arms.ARMS} == {len(first.arrays["step"])}
    assert first.arrays["x"].shape == first.arrays["truth"].shape == (101,)
    assert np.isfinite(first.arrays["context"]).sum() == 3 * shown.SHOWN_CONTEXT
    given = np.isfinite(first.arrays["context"])[1:-1]
    gap = np.abs(first.arrays["gp"] - first.arrays["context"])[1:-1][given]
    assert gap.max() < 0.25  # a dash is three points wide, and the curve goes on under it


def test_blind_attention_gathers_the_same_for_all_targets():
    torch.manual_seed(0)
    attention = arms.BlindAttention(1, 6, 2)
    gathered = attention(torch.randn(2, 5, 1), torch.randn(2, 5, 6), torch.randn(2, 4, 1))
    moved = attention(None, torch.randn(2, 3, 6), torch.randn(2, 4, 1))
    assert moved.shape == (2, 1, 6)
    assert gathered.shape == (2, 1, 6)


def test_cost_of_attention_is_quadratic_and_that_of_the_mean_linear():
    quadratic, linear = (
        experiments.cost_exponent(seed=0, attention=name, num_points=4096).values["exponent"]
        for name in ("multihead", "uniform")
    )
    assert linear < 1.05 < 1.8 < quadratic


def test_step_cost_at_its_smallest():
    found = experiments.step_cost(seed=0, num_points=6, batch=2, width=8, pairs=2).values
    assert found["step_ratio"] > 0
    assert found["multihead_s"] > 0
    assert found["operations_ratio"] > 1


def test_width_fitting_at_its_smallest_is_complete():
    found = experiments.width_fitting(
        seed=0, widths=(8, 16), num_points=6, batch=2, steps=3, num_test=4
    )
    assert found.values["parameters_16"] > found.values["parameters_8"]
    assert found.values["blind_over_best"] == pytest.approx(
        min(found.arrays["of_the_mean"]) - found.values["context_nll_blind"]
    )
    assert found.values["multihead_over_widest"] == found.values["multihead_over_16"]


def test_digits_fitting_at_its_smallest_is_complete():
    found = experiments.digits_fitting(seed=0, width=8, batch=2, steps=3)
    assert all(math.isfinite(value) for value in found.values.values())
    assert found.arrays["gallery"].shape == (len(found.arrays["gallery_captions"]), 56, 56)
    assert 0 <= found.arrays["gallery"].min() <= found.arrays["gallery"].max() <= 1


def test_bound_search_never_finds_more_than_the_bound():
    found = experiments.bound_search(seed=0, num_points=(2, 5), restarts=16, steps=60)
    assert (found.arrays["found"] <= found.arrays["bound"]).all()
    assert 1 <= found.values["largest_slack"] < 1.6
    assert found.values["growth_dot"] > 2 > found.values["growth_l2"]


def test_device_fitting_at_its_smallest_is_complete_without_a_device():
    found = experiments.device_fitting(
        seed=0, width=8, wide=16, num_points=6, batch=2, steps=4, num_test=8, device="cpu"
    )
    assert all(math.isfinite(value) for value in found.values.values())
    assert len(found.arrays["step"]) == len(found.arrays["curve_blind"]) == 4


def test_an_arm_is_ahead_after_the_last_time_it_was_behind():
    assert arms.last_behind(np.array([False, True, False, True])) == 0.75
    assert arms.last_behind(np.array([True, True])) == 0
    assert arms.last_behind(np.array([True, False])) == 1


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_images_that_are_not_here_are_asked_for(name, monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIOLO_DATA", str(tmp_path))
    run = {"mnist": experiments.mnist_fitting, "fashion_mnist": experiments.fashion_fitting}[name]
    with pytest.raises(NeedsData, match=name):
        run(seed=0)
