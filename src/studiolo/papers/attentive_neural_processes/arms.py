"""The arms of a comparison, how they are trained, and the numbers that compare them."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from studiolo.measure import flops
from studiolo.train import History

from .attention import CrossAttention, MultiheadAttention
from .fit import fit, loss_of
from .gaussian import Gaussian
from .model import NeuralProcess
from .predict import held_above
from .tasks import Tasks


class BlindAttention(MultiheadAttention):
    """Multi-head attention that is not told where the target is: the same for all targets."""

    def gather(self, query: Tensor, key: Tensor, r: Tensor, mask: Tensor | None) -> Tensor:
        """Return what all heads gather for a target at the origin."""
        first = self.embed[0]
        assert isinstance(first, nn.Linear)
        origin = query.new_zeros(1, 1, first.in_features)
        return super().gather(self.features(origin), key, r, mask)


ARMS = ("uniform", "laplace", "dot_product", "multihead", "blind")
FEW_ARMS = ("uniform", "multihead", "blind")


def model_of(arm: str, width: int, num_heads: int, x_dim: int = 1) -> NeuralProcess:
    """Return the model of an arm: a name of `ATTENTIONS`, or "blind"."""
    attention: str | CrossAttention = arm
    if arm == "blind":
        attention = BlindAttention(x_dim, width, num_heads)
    return NeuralProcess(x_dim, width=width, num_heads=num_heads, attention=attention)


def fit_arm(
    model: NeuralProcess,
    batches: Iterator[Tasks],
    test: Tasks,
    steps: int,
    seed: int,
    *,
    rate: float = 4e-3,
) -> History:
    """Train; evaluate the context NLL 20 times on 64 tasks."""
    few = test[:64]

    def context_nll(model: NeuralProcess) -> float:
        return nll("", predicted(model, few, 2, seed), few)["context_nll_"]

    return fit(
        model, batches, steps=steps, learning_rate=rate, evaluate=context_nll,
        every=max(1, steps // 20), generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip


def predicted(model: NeuralProcess, tasks: Tasks, num_samples: int, seed: int) -> Gaussian:
    """Return what a model says at all points of the tasks, a row a sample of z."""
    noise = torch.Generator(tasks.x.device).manual_seed(seed)
    context = tasks.x[:, : tasks.reach], tasks.y[:, : tasks.reach]
    given = tasks.is_context[:, : tasks.reach]
    with torch.no_grad():
        found: Gaussian = model(*context, tasks.x, given, num_samples=num_samples, generator=noise)
    return found


def nll(arm: str, prediction: Gaussian, tasks: Tasks) -> dict[str, float]:
    """Return minus the log-density a point, mean over samples of z, at given and at new points."""
    log_prob = prediction.log_prob(tasks.y).sum(-1).mean(0)
    return {
        f"context_nll_{arm}": -float(log_prob[tasks.is_context].mean()),
        f"target_nll_{arm}": -float(log_prob[tasks.is_new].mean()),
    }


def oracle(tasks: Tasks) -> Gaussian:
    """Return what the process says that drew the tasks, its standard deviation held above 0.1 as a model's is."""
    assert tasks.process is not None
    found = tasks.process.posterior(tasks.x, tasks.y, tasks.x, tasks.is_context)
    return held_above(Gaussian(found.mean[None], found.std[None]), 0.1)


def gains(values: dict[str, float]) -> dict[str, float]:
    """Return by how much arms are ahead of each other, and how much of uniform's distance to the process is closed."""
    arms = [arm for arm in ARMS if f"context_nll_{arm}" in values]
    order = [(a, b) for b, a in pairwise(ARMS[:4]) if a in arms and b in arms]
    found = {}
    for a, b in dict.fromkeys([*order, *((a, "uniform") for a in arms if a != "uniform")]):
        found[f"{a}_over_{b}"] = values[f"context_nll_{b}"] - values[f"context_nll_{a}"]
        found[f"new_points_{a}_over_{b}"] = values[f"target_nll_{b}"] - values[f"target_nll_{a}"]
    for arm in arms:
        whole = values["context_nll_uniform"] - values["context_nll_gp"]
        gap = values["context_nll_uniform"] - values[f"context_nll_{arm}"]
        found[f"gap_closed_{arm}"] = gap / whole
    return found


def share_of_steps(history: History, uniform: History) -> float:
    """Return the steps until context NLL was first 0.1 below the last one of uniform, over the steps of uniform."""
    level = uniform.evaluations[-1][2] - 0.1  # uniform itself comes to its last level by chance
    reached = [step for step, _, nll in history.evaluations if nll <= level]
    return (reached[0] if reached else history.steps) / uniform.steps


def loss_flops(
    arm: str, width: int, num_heads: int, num_points: int, x_dim: int = 1, reach: int | None = None
) -> int:
    """Return the operations of one task's bound; the backward pass takes twice as many for all arms."""
    with torch.device("meta"):
        model = model_of(arm, width, num_heads, x_dim)
        x, y = torch.zeros(1, num_points, x_dim), torch.zeros(1, num_points, 1)
        given = torch.ones(1, num_points, dtype=torch.bool)
        return flops(lambda: loss_of(model, Tasks(x, y, given, reach=reach)))


GRID = 40


def by_operations(costs: dict[str, tuple[int, History]]) -> dict[str, np.ndarray]:
    """Return each arm's evaluations on one grid of operations, up to all that the mean was given, in GFLOP."""
    spent, uniform = costs["uniform"]
    grid = np.linspace(0, 3 * spent * uniform.steps / 1e9, GRID + 1)[1:]
    found = {"operations": grid}
    for arm, (flops_a_step, history) in costs.items():
        steps, nll = np.array([(step, nll) for step, _, nll in history.evaluations]).T
        at = 3 * flops_a_step * steps / 1e9
        found[f"by_operations_{arm}"] = np.interp(grid, at, nll)
    return found


def last_behind(ahead: np.ndarray) -> float:
    """Return the share of the grid after which an arm stays ahead; 1 if it is behind at the end."""
    behind = np.flatnonzero(~ahead)
    return float((behind[-1] + 1) / len(ahead)) if len(behind) else 0.0
