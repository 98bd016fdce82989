import math

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from hypothesis import given, strategies as st
from scipy import stats

from studiolo.audit import (
    audit,
    benjamini_hochberg,
    cohens_h,
    fisher,
    mcnemar,
    paired_change,
    paired_interval,
    population_change,
    relative_change,
)
from studiolo.audit.statistics import (
    SMALLEST_P,
    binomial_test,
    flip_chances,
    paired_variance,
    scaled_by_null,
)

from . import reference


Z = stats.norm.ppf(0.975)


def test_mcnemar_by_hand():
    """Ten flips, two of them wins: 2 · (1 + 10 + 45) / 1024."""
    assert mcnemar(8, 2) == pytest.approx(112 / 1024)
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 5) == 1


def test_mcnemar_agrees_with_scipy():
    for lost in range(12):
        for won in range(1, 12):
            wanted = stats.binomtest(lost, lost + won, 0.5).pvalue
            assert mcnemar(lost, won) == pytest.approx(wanted)


def test_a_million_losses_do_not_give_p_of_zero():
    assert mcnemar(1_000_000, 0) == SMALLEST_P
    assert paired_change(1_000_000, 0, 1_000_000).p[0] == SMALLEST_P


def test_binomial_test_by_hand_and_at_its_edges():
    assert binomial_test(0, 3, 0.25) == pytest.approx(2 * 0.75**3)
    assert binomial_test(3, 3, 1.0) == 1
    assert binomial_test(2, 3, 1.0) == SMALLEST_P
    assert binomial_test(0, 0, 0.3) == 1
    assert binomial_test(2, 7, 0.4) == pytest.approx(reference.binomial_two_sided(2, 7, 0.4))


def test_benjamini_hochberg_by_hand():
    """p of .01, .04, .03, .005 of four: .02, .04, .04, .02."""
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_benjamini_hochberg_agrees_with_scipy(p):
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))


def test_what_was_not_tested_does_not_count_among_the_tests():
    q = benjamini_hochberg([0.01, math.nan, 0.02])
    assert q[[0, 2]] == pytest.approx([0.02, 0.02])
    assert math.isnan(q[1])


def test_fisher_agrees_with_scipy():
    k0, k1 = 7, 5
    right = np.array([(a, b) for a in range(k0 + 1) for b in range(k1 + 1)])
    wanted = [stats.fisher_exact([[a, k0 - a], [b, k1 - b]]).pvalue for a, b in right]
    assert fisher(right[:, 0], right[:, 1], k0, k1) == pytest.approx(wanted)


def test_chances_of_flips_under_no_change_are_half_of_all_flips_each():
    loss, win = flip_chances(7, 3, 50, 0.0)
    assert (loss, win) == pytest.approx((0.1, 0.1))


def test_chances_of_flips_under_what_was_found_are_what_was_found():
    loss, win = flip_chances([7, 0, 4], [3, 5, 0], 50, [-0.08, 0.1, -0.08])
    assert loss == pytest.approx([0.14, 0.0, 0.08])
    assert win == pytest.approx([0.06, 0.1, 0.0])


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 20), st.floats(-0.95, 0.95))
def test_chances_of_flips_are_the_likeliest(lost, won, same, change):
    n = lost + won + same
    if n == 0:
        return
    wanted = reference.flip_chances(lost, won, n, change)
    assert flip_chances(lost, won, n, change) == pytest.approx(wanted, abs=1e-5)


def test_interval_without_any_flip():
    """± z² / (n + z²)."""
    low, high = paired_interval(0, 0, 40)
    assert high == pytest.approx(Z**2 / (40 + Z**2), abs=1e-9)
    assert low == pytest.approx(-high)


@pytest.mark.parametrize(
    ("lost", "won", "n"), [(5, 1, 30), (0, 4, 20), (12, 12, 24), (80, 40, 900)]
)
def test_interval_ends_where_the_score_test_rejects(lost, won, n):
    low, high = paired_interval(lost, won, n)
    for edge in (low, high):
        score = ((won - lost) / n - edge) / math.sqrt(paired_variance(lost, won, n, edge))
        assert abs(score) == pytest.approx(Z, rel=1e-5)
    assert low < (won - lost) / n < high


def test_interval_of_everything_lost_stays_a_share():
    low, high = paired_interval(10, 0, 10)
    assert low == pytest.approx(-1)
    assert -1 < high < 0


def test_welch_agrees_with_scipy():
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(5, 40)), rng.normal(0.3, 2, size=(9, 40))
    found = population_change(before, after)
    wanted = stats.ttest_ind(after, before, equal_var=False)
    interval = wanted.confidence_interval()
    assert found.statistic == pytest.approx(wanted.statistic)
    assert found.freedom == pytest.approx(wanted.df)
    assert found.p == pytest.approx(wanted.pvalue)
    assert found.low == pytest.approx(interval.low)
    assert found.high == pytest.approx(interval.high)


def test_welch_by_hand():
    """Means 2 and 5, variances 1 and 4, three models each: t = 3 / √(5/3), freedom (5/3)² / ((1/9 + 16/9) / 2)."""
    found = population_change(np.array([[1.0], [2], [3]]), np.array([[3.0], [5], [7]]))
    assert found.statistic[0] == pytest.approx(3 / math.sqrt(5 / 3))
    assert found.freedom[0] == pytest.approx((25 / 9) / (17 / 18))


def test_pairs_agree_with_scipy():
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=(2, 8, 30))
    found = population_change(before, after, paired=True)
    wanted = stats.ttest_rel(after, before)
    assert found.p == pytest.approx(wanted.pvalue)
    assert found.low == pytest.approx(wanted.confidence_interval().low)


def test_one_model_against_several_is_a_new_observation_of_them():
    """Mean 2, variance 1 of three; one more at 5: t = 3 / √(1 + 1/3) with 2 degrees of freedom, from either side."""
    several, one = np.array([[1.0], [2], [3]]), np.array([[5.0]])
    found, turned = population_change(several, one), population_change(one, several)
    assert found.statistic[0] == pytest.approx(3 / math.sqrt(4 / 3))
    assert turned.statistic[0] == pytest.approx(-3 / math.sqrt(4 / 3))
    assert found.freedom[0] == turned.freedom[0] == 2


def test_values_that_agree_to_their_grain_are_not_certain():
    before, after = np.full((3, 1), 0.8), np.full((3, 1), 0.6)
    exact = population_change(before, after)
    grained = population_change(before, after, grain=0.2)
    assert exact.p[0] == SMALLEST_P
    assert grained.statistic[0] == pytest.approx(-0.2 / math.sqrt(2 * (0.04 / 12) / 3))
    assert grained.freedom[0] == pytest.approx(4)


def test_spread_needs_two_models_somewhere():
    with pytest.raises(ValueError, match="1 models before and 1 after: a spread needs two"):
        population_change(np.ones((1, 1)), np.ones((1, 1)))
    with pytest.raises(ValueError, match="pairs as many on both"):
        population_change(np.ones((3, 1)), np.ones((2, 1)), paired=True)


def test_part_that_changed_as_the_rest_did_is_never_a_finding():
    found = relative_change([30, 30], [10, 10], [200, 200], (60, 20, 400))
    assert found.estimate == pytest.approx([0, 0])
    assert found.p == pytest.approx([1, 1])


def test_relative_change_is_mcnemar_or_weaker_where_the_whole_does_not_change():
    found = relative_change([20], [5], [300], (120, 120, 3000))
    assert found.p[0] >= mcnemar(20, 5)
    assert found.p[0] == pytest.approx(mcnemar(20, 5), rel=0.5)


def test_part_without_a_flip_is_no_finding_however_much_the_whole_lost():
    found = relative_change([0], [0], [100], (200, 0, 1000))
    assert found.estimate[0] == pytest.approx(0.2)
    assert found.p[0] == 1


def test_interval_of_a_part_covers_what_was_planted():
    """A class loses four points more than the rest: 95 of 100 intervals hold the truth, binomial error apart."""
    rng = np.random.default_rng(5)
    hits, total = 0, 600
    for _ in range(total):
        own, rest = (
            rng.multinomial(300, [0.08, 0.03, 0.89]),
            rng.multinomial(2700, [0.04, 0.03, 0.93]),
        )
        whole = own + rest
        found = relative_change([own[0]], [own[1]], [300], (whole[0], whole[1], 3000))
        hits += bool(found.low[0] <= 0.9 * (-0.05 + 0.01) <= found.high[0])
    assert stats.binomtest(hits, total, 0.95).pvalue > 0.01


def test_scaling_by_the_null_by_hand():
    """Null z of 2 and -2: spread √(8 / 1), one degree of freedom; a z of 8 becomes t = 8 / √8, a Cauchy tail."""
    change = paired_change([64, 10], [0, 10], [1000, 1000])
    found = scaled_by_null(change, np.array([2.0, -2.0]))
    t = change.statistic[0] / math.sqrt(8)
    assert found.p[0] == pytest.approx(2 * stats.cauchy.sf(abs(t)))
    assert found.p[1] == 1
    wider = math.sqrt(8) * stats.t.ppf(0.975, 1) / Z
    assert found.high - found.estimate == pytest.approx(wider * (change.high - change.estimate))


def test_scaling_of_one_number_has_a_degree_of_freedom_for_each_null():
    """A z of 8 / √10 beside null ones of 3 and 1: t = z / √5 with two degrees."""
    change = paired_change([9], [1], [100])
    found = scaled_by_null(change, np.array([[3.0], [1.0]]))
    t = change.statistic[0] / math.sqrt(5)
    assert found.p[0] == pytest.approx(2 * stats.t.sf(abs(t), 2))
    assert found.freedom[0] == 2


def test_scaling_by_parts_needs_two_of_them():
    change = relative_change([9, 0], [1, 0], [100, 0], (9, 1, 100))
    assert scaled_by_null(change, np.array([math.nan, math.nan])) is change


def test_effect_of_a_half_that_became_nothing():
    assert cohens_h(0.5, 0.0) == pytest.approx(-math.pi / 2)
    assert cohens_h(0.3, 0.3) == 0


def test_shares_by_group_are_those_of_fairlearn():
    rng = np.random.default_rng(2)
    labels, groups = rng.integers(0, 3, 500), rng.choice(["a", "b", "c"], 500)
    before = np.where(rng.random(500) < 0.8, labels, rng.integers(0, 3, 500))

    def accuracy(y_true, y_pred):
        return float((y_true == y_pred).mean())

    frame = MetricFrame(metrics=accuracy, y_true=labels, y_pred=before, sensitive_features=groups)
    found = audit(before, labels, labels, groups=groups).groups["group"]
    assert found.before.tolist() == pytest.approx(frame.by_group.loc[list(found.names)].tolist())
