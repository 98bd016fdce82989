import pytest

from . import experiments


def test_bound_is_tight_with_spectral_init_only():
    spectral, drawn = (
        experiments.bound(seed=0, init=init, m=40, n=30, rank=5).values["bound_over_nuclear"]
        for init in ("spectral", "kaiming")
    )
    assert spectral == pytest.approx(1, abs=1e-12)
    assert drawn > 1.2


@pytest.mark.slow
def test_train_digits_at_its_smallest():
    found = experiments.train_digits(seed=0, epochs=2, num_train=400)
    assert found.values["acc_dense"] > 50
    assert found.values["bound_si"] < found.values["bound_plain"]
    assert len(found.arrays["epoch"]) == len(found.arrays["step_si_fd"]) == 2
    # spectral initialisation draws nothing: the same decay twice is the same network twice
    same = experiments.train_digits(
        seed=0, epochs=1, num_train=200, decays=["weight"] * 2, arms=["si", "si_fd"]
    ).values
    assert same["acc_si"] == same["acc_si_fd"]
    assert same["step_gain"] == same["turn_gain"] == 1
