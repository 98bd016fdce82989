"""Models that are asked: estimators, torch modules with a loader, callables. Each example ends in an audit."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from torch import nn
from torch.nn.utils import prune
from torch.utils.data import DataLoader, TensorDataset
from torchao.quantization import Int8WeightOnlyConfig, quantize_

from studiolo.audit import AuditError, audit
from studiolo.papers.factorized_layers import factorize


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return x / 16, y


@pytest.fixture(scope="module")
def network(digits):
    torch.manual_seed(0)
    x, y = torch.tensor(digits[0], dtype=torch.float32), torch.tensor(digits[1])
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(80):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


@pytest.fixture
def loader(digits):
    data = TensorDataset(torch.tensor(digits[0], dtype=torch.float32), torch.tensor(digits[1]))
    return DataLoader(data, batch_size=100)


def test_estimators_are_asked_for_their_chances(digits):
    x, y = digits
    names = np.array([f"digit {k}" for k in y])
    before = LogisticRegression(max_iter=200).fit(x[:1000], names[:1000])
    after = DecisionTreeClassifier(max_depth=5, random_state=0).fit(x[:1000], names[:1000])
    found = audit(before, after, names[1000:], data=x[1000:])
    assert found.accuracy.before == pytest.approx(before.score(x[1000:], names[1000:]))
    assert found.accuracy.after == pytest.approx(after.score(x[1000:], names[1000:]))
    assert found.divergence.mean > 0
    assert found.classes.names[3] == "digit 3"


def test_estimators_whose_classes_are_not_counted_from_zero(digits):
    x, y = digits
    before = LogisticRegression(max_iter=200).fit(x, y + 5)
    found = audit(before, before, y + 5, data=x)
    assert found.accuracy.before == pytest.approx(before.score(x, y + 5))
    assert found.classes.names[0] == "5"


def test_pruned_network_is_audited_over_a_loader(network, loader, digits):
    pruned = copy.deepcopy(network)
    for module in pruned:
        if isinstance(module, nn.Linear):
            prune.l1_unstructured(module, "weight", amount=0.9)
    pruned.train()
    pruned[1].eval()
    found = audit(network, pruned, data=loader, groups={"ink": digits[0].mean(1) > 0.3})
    assert found.accuracy.after < found.accuracy.before
    assert found.n == len(digits[1])
    assert found.divergence.mean > 0
    assert [m.training for m in pruned] == [True, False, True, True]
    assert all(p.grad is None or p.requires_grad for p in pruned.parameters())


def test_quantised_network_is_audited(network, digits):
    small = copy.deepcopy(network).eval()
    quantize_(small, Int8WeightOnlyConfig())
    x = torch.tensor(digits[0], dtype=torch.float32)
    found = audit(network, small, digits[1], data=x)
    assert found.flips.share < 0.02


def test_factorised_network_is_audited(network, digits):
    small = factorize(network, 0.3, keep=["3"])
    x = torch.tensor(digits[0], dtype=torch.float32)
    found = audit(network, small, digits[1], data=x)
    assert 0 < found.flips.share < 1
    assert found.accuracy.change <= 0


def test_populations_of_models_are_read_in_one_pass(network, digits):
    x = torch.tensor(digits[0], dtype=torch.float32)
    passes = []

    def batches():
        passes.append(1)
        yield from torch.split(x, 500)

    class Data:
        def __iter__(self):
            return batches()

    found = audit([network] * 3, [network] * 2, digits[1], null=network, data=Data())
    assert found.models == (3, 2, 1)
    assert len(passes) == 1


def test_functions_and_models_of_mappings_are_asked():
    def shout(batch):
        return np.array([word.upper() for word in batch])

    found = audit(shout, lambda batch: list(batch), data=[["a", "B"], ["C"]])
    assert found.flips.agreement == pytest.approx(2 / 3)

    class Output:
        def __init__(self, logits):
            self.logits = logits

    class Tokens(nn.Module):
        def __init__(self, flip):
            super().__init__()
            self.sign = nn.Parameter(torch.tensor(-1.0 if flip else 1.0))

        def forward(self, input_ids, attention_mask):
            return Output(torch.stack([input_ids * self.sign, attention_mask], 1))

    batch = {
        "input_ids": torch.tensor([2.0, 0.0]),
        "attention_mask": torch.ones(2),
        "labels": torch.tensor([0, 1]),
    }
    found = audit(Tokens(False), Tokens(True), data=[batch])
    assert found.accuracy.before == 1
    assert found.accuracy.after == 0.5


def test_empty_data_is_refused():
    with pytest.raises(AuditError, match="holds no batch"):
        audit(len, len, data=[])


def test_model_that_returns_a_number_an_example_is_refused(digits):
    from sklearn.linear_model import LinearRegression

    x, y = digits
    model = LinearRegression().fit(x, y)
    with pytest.raises(AuditError, match="regression cannot be audited"):
        audit(model, model, y, data=x)
    with pytest.raises(AuditError, match="two classes or more"):
        audit(nn.Linear(64, 1), nn.Linear(64, 1), y, data=torch.zeros(4, 64))
