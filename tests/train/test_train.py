import itertools
import time

import pytest
import torch

from studiolo.errors import RunError
from studiolo.train import Budget, role_seeds, train


def line(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Linear(3, 1, dtype=torch.float64)


def batches(seed=0):
    generator = torch.Generator().manual_seed(seed)
    while True:
        x = torch.randn(16, 3, generator=generator, dtype=torch.float64)
        yield x, x.sum(-1, keepdim=True)


def squared_error(model, batch):
    x, y = batch
    return (model(x) - y).square().mean()


def fit(model, budget, **settings):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    return train(model, squared_error, batches(), optimizer=optimizer, budget=budget, **settings)


def test_training_lowers_the_loss():
    history = fit(line(), Budget(steps=300))
    assert history.steps == 300
    assert history.losses[-1] < 0.01 * history.losses[0]


def test_cpu_budget_ends_training():
    begun = time.process_time()
    history = fit(line(), Budget(cpu_s=0.2))
    spent_s = time.process_time() - begun
    assert spent_s >= 0.2
    # `cpu_s` is told after the last update, and the budget is looked at again a moment later
    assert 0.2 - spent_s / history.steps < history.cpu_s < 0.5
    assert history.steps > 10


def test_evaluations_come_at_every_step_asked_for_and_at_the_end():
    history = fit(line(), Budget(steps=25), every=10, evaluate=lambda m: float(m.weight.sum()))
    assert [step for step, _, _ in history.evaluations] == [10, 20, 25]


def test_training_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    whole = line()
    fit(whole, Budget(steps=40))
    halves = line()
    fit(halves, Budget(steps=20), every=10, checkpoint=tmp_path / "c.pt")
    again = line(seed=1)
    history = fit(again, Budget(steps=40), every=10, checkpoint=tmp_path / "c.pt")
    assert history.steps == 40
    assert torch.equal(again.weight, whole.weight)


def test_divergence_is_an_error_that_says_where():
    model = line()
    with pytest.raises(RunError, match=r"The loss is nan at update 3: training diverged"):
        train(
            model,
            lambda m, b: squared_error(m, b[1]) * (float("nan") if b[0] == 2 else 1.0),
            enumerate(batches()),
            optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
            budget=Budget(steps=10),
        )


def test_training_ends_with_its_batches():
    model = line()
    few = itertools.islice(batches(), 7)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    history = train(model, squared_error, few, optimizer=optimizer, budget=Budget(steps=100))
    assert history.steps == 7


def test_budget_without_an_end_is_refused():
    with pytest.raises(ValueError, match="A budget needs steps or cpu_s"):
        Budget()


def test_roles_have_seeds_of_their_own():
    seeds = role_seeds(5)
    assert len({seeds.data, seeds.init, seeds.batches}) == 3
    assert role_seeds(5) == seeds
    assert role_seeds(6).data != seeds.data
