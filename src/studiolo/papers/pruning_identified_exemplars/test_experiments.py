import numpy as np
import pytest

from studiolo.errors import NeedsData

from . import experiments, inputs
from .inputs import corrupted, pictures, pooled, thinned


SMALL = {"members": 4, "hidden": (8,), "epochs": 2}


def test_compare_at_its_smallest():
    found = experiments.compare(seed=0, sparsities=(0.5, 0.95), bits=(8, 2), num_train=300, **SMALL)
    kinds = {"dense", "s50", "s95", "int8", "int2"}
    assert {name.rsplit("_", 1)[1] for name in found.values if name != "growth"} == kinds
    assert all(np.isfinite(list(found.values.values())))
    assert found.values["pie_share_int8"] < found.values["pie_share_int2"]
    assert found.arrays["images"].shape[1:] == (8, 8)
    assert len(found.arrays["captions"]) == len(found.arrays["images"]) > 0
    assert found.arrays["captions"][0].startswith("is ")
    again = experiments.compare(seed=0, sparsities=(0.5, 0.95), bits=(8, 2), num_train=300, **SMALL)
    assert again.values == found.values


def test_long_tail_at_its_smallest():
    found = experiments.long_tail(seed=0, most=20, imbalance=4.0, **SMALL).values
    assert set(found) == {
        f"{name}_{kind}"
        for name in ("tail_loss", "rank_correlation")
        for kind in ("dense", "pruned")
    }
    assert all(-1 <= value <= 1 for value in found.values())


def test_pictures_of_clothes_are_asked_for_by_name(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIOLO_DATA", str(tmp_path))
    with pytest.raises(NeedsData, match="fashion_mnist"):
        experiments.compare(seed=0, data="fashion_mnist", **SMALL)


def test_a_ratio_over_no_image_is_no_number():
    assert experiments._over(0.5, 0.25) == 2
    assert experiments._over(0.5, 0.0) == np.inf


def test_pixels_are_averaged_two_by_two():
    images = np.zeros((1, 28, 28), np.uint8)
    images[0, :2, 2:4] = [[255, 0], [255, 255]]
    assert pooled(images)[0, 0, :3].tolist() == [0, 0.75, 0]


def test_compare_of_convolutions_at_its_smallest():
    found = experiments.compare(
        seed=0, sparsities=(0.5,), bits=(4,), num_train=100, channels=(3,), **SMALL
    )
    assert all(np.isfinite(list(found.values.values())))
    assert found.arrays["images"].shape[1:] == (8, 8)


def test_leaving_out_the_images_that_dense_networks_get_wrong_raises_their_accuracy():
    # of ten images three are PIEs, all wrong before; the votes of two others are closer
    labels = np.zeros(10, int)
    dense = np.zeros((4, 10), int)
    dense[:, :3] = 1
    dense[:2, 3:5] = 1
    pruned = dense.copy()
    pruned[:, :3] = 2
    found = experiments._audit(dense, pruned, labels)
    gains = experiments._without(found, dense, labels, 0)
    assert found.examples.pie.sum() == 3
    assert gains["gain_without_pies"] == pytest.approx(6 / 7 - 0.6)
    # the two closest and one more, which is wrong or right
    assert gains["gain_without_close"] in (pytest.approx(5 / 7 - 0.6), pytest.approx(4 / 7 - 0.6))
    assert gains["pies_less_close"] == pytest.approx(
        gains["gain_without_pies"] - gains["gain_without_close"]
    )


def test_wrong_labels_at_their_smallest():
    found = experiments.wrong_labels(seed=0, num_train=200, **SMALL).values
    assert 0 < found["num_pies_pruned"] < 200
    assert 0 <= found["over_representation_pruned"] <= 10
    assert 0 <= found["learnt_dense"] <= 1


def test_corruptions_at_their_smallest():
    found = experiments.corruptions(
        seed=0, data="digits", sparsities=(0.9,), num_train=300, **SMALL
    )
    extras = [found.values[f"extra_{c}_s90"] for c in experiments.CORRUPTIONS]
    assert found.values["least_extra_s90"] == min(extras)
    assert found.values["extra_blur_first"] == 0
    flips = [found.values[f"pie_flips_{c}_s90"] for c in experiments.CORRUPTIONS]
    assert found.values["pie_flips_s90"] == pytest.approx(np.mean(flips))


def test_corruptions_worked_by_hand():
    images = np.zeros((1, 3, 3))
    images[0, 1, 1] = 0.8
    blurred = [[0.05, 0.1, 0.05], [0.1, 0.2, 0.1], [0.05, 0.1, 0.05]]
    np.testing.assert_allclose(corrupted(images, "blur", 0)[0], blurred)
    np.testing.assert_allclose(corrupted(images, "brightness", 0)[0, 1], [0.15, 0.95, 0.15])
    mean = 0.8 / 9
    np.testing.assert_allclose(
        corrupted(images, "contrast", 0)[0, 1], [0.4 * mean, 0.4 * mean + 0.48, 0.4 * mean]
    )
    noisy = corrupted(np.full((40, 30, 30), 0.5), "noise", 0)
    assert noisy.std() == pytest.approx(0.15, abs=0.002)
    assert (noisy != corrupted(np.full((40, 30, 30), 0.5), "noise", 1)).any()
    assert noisy.min() >= 0


def test_thinned_classes_have_as_many_as_asked():
    labels = np.random.default_rng(0).integers(0, 4, 400)
    places = thinned(labels, np.array([5, 0, 30, 1]), 0)
    assert np.bincount(labels[places], minlength=4).tolist() == [5, 0, 30, 1]
    assert len(set(places)) == 36


def test_all_digits_train_or_test_once():
    split = pictures("digits", 400, 3)
    assert split.train_x.shape == (400, 8, 8)
    assert len(split.train_y) + len(split.test_y) == 1797


def adult(path):
    """A small Adult: women of 40 hours earn little, everybody else of 60 much."""
    rows = [
        f"{20 + i % 40}, Private, 1, HS-grad, {i % 16}, Never, Sales, Wife, White, "
        f"{'Female' if i % 3 else 'Male'}, {i % 7 * 100}, 0, {60 if i % 4 else 40}, Peru, {'>50K' if i % 4 else '<=50K'}"
        for i in range(600)
    ]
    return [row.split(", ") for row in rows]


def test_people_become_numbers_and_columns(monkeypatch):
    monkeypatch.setattr(inputs, "fairness", lambda name: adult(name))
    split, sex = inputs.people()
    # 5 numbers, and a column for each word: 1 + 1 + 1 + 1 + 1 + 1 + 2 + 1
    assert split.train_x.shape == (600, 14)
    np.testing.assert_allclose(split.train_x[:, 0].mean(), 0, atol=1e-6)
    assert split.test_y.mean() == 0.75
    assert set(sex) == {"Female", "Male"}


def test_subgroups_at_their_smallest(monkeypatch):
    monkeypatch.setattr(inputs, "fairness", lambda name: adult(name))
    found = experiments.subgroups(seed=0, members=2, hidden=(8,), epochs=3, batch_size=20).values
    for kind in ("dense", "s90", "s97"):
        rises = {g: found[f"fnr_rise_{g}_{kind}"] for g in ("women", "men")}
        assert found[f"fnr_rise_gap_{kind}"] == pytest.approx(rises["women"] - rises["men"])
        assert rises["men"] == pytest.approx(found[f"fnr_men_{kind}"] - found["fnr_men_first"])
    assert all(0 <= found[f"{r}_{g}_s97"] <= 1 for r in ("fnr", "fpr") for g in ("women", "men"))


def test_people_are_asked_for_by_name(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIOLO_DATA", str(tmp_path))
    with pytest.raises(NeedsData, match="fairness"):
        experiments.subgroups(seed=0)
