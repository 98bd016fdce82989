import os
import pkgutil
from importlib import import_module

import numpy as np
import pytest

from studiolo import data
from studiolo.data import files
from studiolo.data.fetch import CANONICAL
from studiolo.errors import NeedsData, RunError


WITH_DATA = pytest.mark.skipif("STUDIOLO_DATA" not in os.environ, reason="STUDIOLO_DATA is not set")


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    monkeypatch.delenv("STUDIOLO_DATA", raising=False)
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    return tmp_path


def test_digits_are_between_0_and_1():
    images, labels = data.digits()
    assert images.shape == (1797, 8, 8)
    assert (images.min(), images.max()) == (0.0, 1.0)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_standard_library_text_is_as_long_as_asked_and_repeats():
    text = data.standard_library_text(10_000)
    assert len(text) == 10_000
    assert data.standard_library_text(10_000) == text
    with pytest.raises(ValueError, match="The standard library's top level holds"):
        data.standard_library_text(10**9)


def evaluate(tokens):
    """Evaluate a ListOps expression with a stack: another way than the generator's."""
    stack = []
    for token in tokens:
        if token != "]":
            stack.append(token)
            continue
        arguments = []
        while not isinstance(stack[-1], str) or stack[-1].isdigit():
            arguments.append(int(stack.pop()))
        operation = stack.pop()
        assert stack.pop() == "["
        stack.append(
            {
                "MIN": min(arguments),
                "MAX": max(arguments),
                "MED": sorted(arguments)[(len(arguments) - 1) // 2],
                "SM": sum(arguments) % 10,
            }[operation]
        )
    assert len(stack) == 1
    return stack[0]


@pytest.mark.parametrize("seed", range(20))
def test_listops_value_is_that_of_its_tokens(seed):
    tokens, value = data.listops(np.random.default_rng(seed))
    assert evaluate(tokens) == value


def test_listops_by_hand():
    assert evaluate(["[", "MAX", "2", "[", "SM", "9", "4", "]", "1", "]"]) == 3


@pytest.mark.parametrize(
    ("load", "name"),
    [
        (lambda: data.images("mnist"), "mnist"),
        (lambda: data.binary_set("adult"), "nade_binary"),
        (lambda: data.text("enwiki"), "enwiki_sample"),
        (lambda: data.table("red_wine"), "uci_regression"),
    ],
)
def test_absent_set_says_what_to_do(no_data, load, name):
    with pytest.raises(NeedsData, match=f"The data set '{name}' is not here. Point STUDIOLO_DATA"):
        load()


def test_another_file_under_the_name_is_refused(no_data, monkeypatch):
    (no_data / "tinyshakespeare").mkdir()
    (no_data / "tinyshakespeare" / "input.txt").write_text("To be")
    monkeypatch.setenv("STUDIOLO_DATA", str(no_data))
    with pytest.raises(RunError, match="is not the file that experiments were written for"):
        data.text("tinyshakespeare")


def test_everything_that_can_be_fetched_is_checked_after_unpacking():
    checked = {
        file
        for module in pkgutil.iter_modules(data.__path__)
        for file in getattr(import_module(f"studiolo.data.{module.name}"), "SHA256", {})
    }
    assert {name.partition("/")[2] for name in CANONICAL} <= checked


@WITH_DATA
def test_every_set_loads_with_its_sizes():
    assert data.images("mnist")["train_images"].shape == (60000, 28, 28)
    assert data.images("fashion_mnist")["test_labels"].shape == (10000,)
    assert [data.binary_set("adult")[s].shape for s in ("train", "valid", "test")] == [
        (5000, 123), (1414, 123), (26147, 123),
    ]  # fmt: skip
    assert len(data.text("tinyshakespeare")) == 1115394
    assert len(data.text("enwiki_letters")) == 2900148
    assert len(data.text("wikitext2")) == 1121681 + 1256449
    assert data.table("red_wine").shape == (1599, 12)
    assert data.table("white_wine").shape == (4898, 12)
    assert data.table("ionosphere").shape == (351, 35)
    assert data.table("parkinsons").shape == (5875, 22)
    assert data.photographs().shape == (24, 512, 768)
    assert len(data.proteins("remote_homology", "train")) == 12312
    assert len(data.fairness("adult-train")) == 32561
    assert len(data.sentences()) == 3000
    assert sum(1 for _ in data.abstracts()) == 51116
