import numpy as np
import pytest
import torch

from . import experiments
from .networks import CharacterModel, ResNet
from .test_paper import assert_same
from .training import Arm, Recipe, _moved, accuracy, train_images


@pytest.fixture
def little_fashion(monkeypatch):
    """A set of the same shape: 300 pictures, each a bright row that says the class."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 400).astype(np.uint8)
    images = rng.integers(0, 60, (400, 28, 28)).astype(np.uint8)
    images[np.arange(400), 2 * labels + 4] = 250
    sets = {
        "train_images": images[:300],
        "train_labels": labels[:300],
        "test_images": images[300:],
        "test_labels": labels[300:],
    }
    monkeypatch.setattr(experiments, "fashion_mnist", lambda: sets)
    monkeypatch.setattr(experiments, "tinyshakespeare", lambda: b"to be or not to be, " * 8000)


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


SMALL = {"seed": 0, "epochs": 1, "width": 8, "num_train": 200}


def test_fashion_compares_the_paper_s_arms_and_two_further_draws(little_fashion):
    values = experiments.train_fashion(**SMALL).values
    acc = {name: values[f"acc_{name}"] for name in experiments.ARMS}
    assert values["gain_points"] == acc["si_fd"] - acc["plain"]
    assert values["again_points"] == acc["plain_again"] - acc["plain"]
    assert values["interaction_again_points"] == (
        acc["fd_again"] - acc["plain_again"] - acc["fd"] + acc["plain"]
    )
    assert values["bound_si"] < 1.1 < values["bound_plain"]


def test_equal_budget_keeps_the_budget_for_all(little_fashion):
    values = experiments.equal_budget(**SMALL, budget=0.2).values
    shares = {name: value for name, value in values.items() if name.startswith("share_")}
    assert len(shares) == 4
    assert all(0.15 < share <= 0.2 for share in shares.values())
    others = (values[f"acc_{name}"] for name in ("tensor_train", "tucker", "hashed"))
    assert values["lead_points"] == values["acc_low_rank"] - max(others)


def test_overcomplete_networks_are_the_dense_one_after_collapse(little_fashion):
    values = experiments.overcomplete(**SMALL).values
    assert values["collapsed_difference"] < 1e-5
    assert values["wide_points"] == values["acc_wide"] - values["acc_dense"]


@pytest.mark.parametrize("data", ["fashion_mnist", "digits"])
def test_compress_factorizes_one_network_three_ways(little_fashion, data):
    values = experiments.compress(**SMALL, data=data, calibrate=100).values
    assert values["calibrated_points"] == values["acc_calibrated"] - values["acc_plain"]
    assert len([name for name in values if name.startswith("acc_")]) == 4


def test_characters_compares_forms_that_are_drawn_and_forms_from_the_svd(little_fashion):
    values = experiments.characters(seed=0, updates=2, size=32, rank=4).values
    assert values["si_nats"] == values["loss_si"] - values["loss_drawn"]
    assert values["loss_drawn"] != values["loss_drawn_again"]
    assert values["loss_si"] != values["loss_si_fd"]


def test_characters_see_the_past_alone():
    torch.manual_seed(0)
    net = CharacterModel(16, 2, 2, 12)
    text = torch.randint(0, 256, (1, 12))
    other = text.clone()
    other[0, 7] += 1
    assert_same(net(text)[:, :7], net(other % 256)[:, :7], 1e-6)
    assert (net(text)[:, 7:] != net(other % 256)[:, 7:]).any()


def test_augmented_images_are_shifted_by_two_pixels_at_most_and_half_are_mirrored():
    x = torch.zeros(400, 1, 9, 9)
    x[:, :, 4, 3] = 1.0
    moved = _moved(x, torch.Generator().manual_seed(0))
    rows, columns = moved.flatten(1).argmax(1) // 9, moved.flatten(1).argmax(1) % 9
    assert moved.sum() == 400
    assert set((rows - 4).tolist()) == {-2, -1, 0, 1, 2}
    assert set(columns.tolist()) == set(range(1, 8))  # 3 ± 2, and 5 ± 2 mirrored
    assert 0.4 < (columns > 4).float().mean() < 0.6


def test_training_lowers_the_step_tenfold_twice():
    torch.manual_seed(0)
    net, seen = ResNet(8, 4, channels=1), []
    x, y = torch.randn(40, 1, 8, 8), torch.randint(0, 10, (40,))

    def watch(optimizer, per_epoch):
        assert per_epoch == 4
        optimizer.register_step_pre_hook(lambda o, *_: seen.append(o.param_groups[0]["lr"]))

    train_images(net, x, y, decay="weight", recipe=Recipe(2, batch=10), seed=0, watch=watch)
    assert [round(lr, 6) for lr in seen] == [0.1] * 4 + [0.01] * 2 + [0.001] * 2
    assert 0 <= accuracy(net, x, y) <= 100


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: experiments.bound(seed=0, init="other"), "init is 'other'; known are"),
        (lambda: experiments.train_digits(seed=0, decays=["x", "x"]), "decay is 'x'; known are"),
        (lambda: Arm("spectral", "none"), "decay is 'none'; known are weight and frobenius"),
        (lambda: ResNet(9), "depth is 9; it must be 6 n"),
    ],
)
def test_errors_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
