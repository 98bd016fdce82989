import os
from functools import partial

import pytest
import torch

from studiolo.errors import RunError
from studiolo.train import Budget, in_processes, train, train_together

from .test_train import batches, line, squared_error


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.05)


def fit(rank, *, train, steps=40, items=16, checkpoint=None):
    model = line()
    cut = ((x[:items], y[:items]) for x, y in batches())
    history = train(
        model, squared_error, cut, optimizer=optimizer(model), budget=Budget(steps=steps),
        evaluate=lambda m: float(m.weight.sum()), every=10, clip_norm=1.0, checkpoint=checkpoint,
    )  # fmt: skip
    return model.weight.detach().numpy(), history.losses, history.evaluations[-1][2]


def parts(rank):
    """Everything that this file asks of one group, since a group takes a second to start."""
    weights = [fit(rank, train=train_together, items=items) for items in (16, 15)]
    with pytest.raises(RunError, match="A batch of 1 items cannot be shared by 2 processes"):
        fit(rank, train=train_together, items=1)
    with pytest.raises(ValueError, match="give steps alone"):
        train_together(line(), squared_error, batches(), budget=Budget(steps=1, cpu_s=1.0))
    return weights, torch.distributed.get_world_size(), torch.get_num_threads()


def test_two_processes_get_the_weights_of_one_on_the_same_batches():
    found, world, threads = in_processes(parts, 2)
    assert (world, threads) == (2, 1)
    for items, (weight, losses, value) in zip((16, 15), found, strict=True):
        alone, losses_alone, value_alone = fit(0, train=train, items=items)
        assert weight == pytest.approx(alone, rel=1e-12)
        assert losses == pytest.approx(losses_alone, rel=1e-12)
        assert value == pytest.approx(value_alone, rel=1e-12)


@pytest.mark.slow
def test_training_together_that_was_stopped_goes_on(tmp_path):
    work = partial(fit, train=train_together, checkpoint=tmp_path / "c.pt")
    in_processes(partial(work, steps=20), 2)
    weight, losses, _ = in_processes(work, 2)
    assert len(losses) == 40
    assert weight == pytest.approx(fit(0, train=train)[0], rel=1e-12)


def fails(rank):
    if rank == 1:
        raise ValueError("no such thing")
    torch.distributed.barrier()


def test_process_that_fails_ends_all_with_its_last_words():
    with pytest.raises(RunError, match=r"^Process 1 of 2 failed: ValueError: no such thing$"):
        in_processes(fails, 2)
    assert "RANK" not in os.environ
