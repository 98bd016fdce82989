"""What is measured: models trained on curves from Gaussian processes, and what attention costs."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from studiolo.measure import abba, flops, top_octave_exponent
from studiolo.runs import Outcome
from studiolo.train import Budget, History, role_seeds, train

from .attention import ATTENTIONS, MultiheadAttention
from .gaussian import Gaussian, GaussianProcess, Tasks, gp_tasks, kernel_regression
from .model import NeuralProcess


class BlindAttention(MultiheadAttention):
    """Multi-head attention that is not told where the target is: the same for all targets."""

    def attend(self, x_context: Tensor, r: Tensor, x_target: Tensor, mask: Tensor | None) -> Tensor:
        """Return what all heads gather for a target at the origin."""
        return super().attend(x_context, r, torch.zeros_like(x_target[:, :1]), mask)


ARMS = (*ATTENTIONS, "blind")


def curve_fitting(
    *,
    seed: int,
    width: int = 32,
    num_heads: int = 4,
    num_points: int = 30,
    batch: int = 16,
    steps: int = 300,
    num_test: int = 256,
    num_samples: int = 4,
) -> Outcome:
    """Train one model for each attention on the same curves and compare them on new ones.

    Values, for each arm (uniform, laplace, dot_product, multihead, and blind, which is not told the
    target): `context_nll_<arm>` and `target_nll_<arm>`, nats a point at given and at new points, mean
    over z ~ q(z | context); the same of the Gaussian process that drew the curves as `_gp`, its
    standard deviation held above 0.1 like the models'. `<a>_over_<b>`: context_nll of b minus that of
    a; `new_points_<a>_over_<b>` at new points. `steps_share_<arm>`, `flops_share_<arm>`: steps, and
    operations, until the arm's context NLL was first 0.1 below the last one of uniform, over all that
    uniform was given; those of all steps if it never was.

    Arrays: `step`, `curve_<arm>`: context NLL while training. `x`, `truth`, `context`, `gp`,
    `kernel_regression`, `mean_<arm>`: predictions for one task that is the same for all seeds.
    """
    torch.set_num_threads(1)
    seeds = role_seeds(seed)
    data = torch.Generator().manual_seed(seeds.data)
    shape = {"num_points": num_points, "num_context": (3, num_points - 1)}
    test = gp_tasks(num_test, generator=data, **shape)  # type: ignore[arg-type]
    tasks = gp_tasks(batch * steps, generator=data, **shape)  # type: ignore[arg-type]
    x, truth, context = _shown_task()
    models: dict[str, NeuralProcess] = {}
    histories: dict[str, History] = {}
    values: dict[str, float] = {}
    arrays: dict[str, np.ndarray] = {"x": x[0, :, 0].numpy(), "truth": truth[0, :, 0].numpy()}
    for arm in ARMS:
        torch.manual_seed(seeds.init)
        model = models[arm] = _model(arm, width, num_heads)
        histories[arm] = _fit(model, tasks, test, batch, steps, seeds.batches)
        noise = torch.Generator().manual_seed(seeds.batches)
        with torch.no_grad():
            prediction = model(
                test.x, test.y, test.x, test.is_context, num_samples=num_samples, generator=noise
            )
            shown = model(x[:, context], truth[:, context], x, num_samples=64, generator=noise)
        values |= _nll(arm, prediction, test)
        arrays[f"curve_{arm}"] = np.array([nll for _, _, nll in histories[arm].evaluations])
        arrays[f"mean_{arm}"] = shown.mean.mean(0)[0, :, 0].numpy()
    values |= _nll("gp", _oracle(test), test)
    values |= _gains(values)
    for arm in ARMS:
        share = _share_of_steps(histories[arm], histories["uniform"])
        cost = _loss_flops(models[arm], num_points) / _loss_flops(models["uniform"], num_points)
        values |= {f"steps_share_{arm}": share, f"flops_share_{arm}": share * cost}
    process = GaussianProcess(torch.tensor([SHOWN_SCALE]), torch.ones(1))
    given = x[:, context], truth[:, context], x
    arrays |= {
        "step": np.array([step for step, _, _ in histories["uniform"].evaluations]),
        "context": _dashes(truth[0, :, 0].numpy(), context),
        "gp": process.posterior(*given).mean[0, :, 0].numpy(),
        "kernel_regression": kernel_regression(*given, length_scale=SHOWN_SCALE)[0, :, 0].numpy(),
    }
    return Outcome(values, arrays)


def cost_exponent(*, seed: int, attention: str = "multihead", num_points: int = 8192) -> Outcome:
    """Count the exponent of a prediction's operations when context and targets double together.

    Width 128, from `num_points` of each to twice as many; counted without memory or randomness.
    """
    sizes = [num_points, 2 * num_points]
    costs = []
    with torch.device("meta"):
        model = NeuralProcess(attention=attention)
        for size in sizes:
            x = torch.empty(1, size, 1)
            costs.append(flops(lambda x=x: model(x, x, torch.empty_like(x))))  # type: ignore[misc]
    return Outcome({"exponent": top_octave_exponent(sizes, costs), "flops": float(costs[-1])})


def step_cost(
    *, seed: int, num_points: int = 50, batch: int = 16, width: int = 128, pairs: int = 20
) -> Outcome:
    """Time a training step (bound, backward, Adam) with multi-head attention over one with the mean.

    Values: `step_ratio`; `multihead_s` and `uniform_s`, CPU seconds; `busy`.
    """
    torch.set_num_threads(1)
    seeds = role_seeds(seed)

    def step(attention: str) -> Callable[[], None]:
        torch.manual_seed(seeds.init)
        model = NeuralProcess(width=width, attention=attention)
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        generator = torch.Generator().manual_seed(seeds.data)
        tasks = gp_tasks(
            batch, num_points=num_points, num_context=(3, num_points - 1), generator=generator
        )

        def update() -> None:
            optimizer.zero_grad(set_to_none=True)
            model.elbo(tasks.x, tasks.y, tasks.is_context).loss.backward()
            optimizer.step()

        return update

    times = abba(step("multihead"), step("uniform"), pairs=pairs)
    return Outcome(
        {
            "step_ratio": times.ratio,
            "multihead_s": float(np.median(times.a_s)),
            "uniform_s": float(np.median(times.b_s)),
            "busy": float(times.busy),
        }
    )


SHOWN_SCALE = 0.4  # length scale of the curve in the figure
SHOWN_CONTEXT = 10


def _shown_task() -> tuple[Tensor, Tensor, Tensor]:
    """Return x (1, 101, 1), a curve and the indices of its context: the first draw of generator 0."""
    generator = torch.Generator().manual_seed(0)
    x = torch.linspace(-2, 2, 101)[None, :, None]
    process = GaussianProcess(torch.tensor([SHOWN_SCALE]), torch.ones(1))
    y = process.sample(x, generator=generator)
    context = torch.randperm(25, generator=generator)[:SHOWN_CONTEXT] * 4 + 2
    return x, y, context.sort().values


def _dashes(curve: np.ndarray, context: Tensor) -> np.ndarray:
    """Return the curve's values at context points, each as a dash of three; NaN elsewhere."""
    dashes = np.full_like(curve, np.nan)
    for index in context.tolist():
        dashes[index - 1 : index + 2] = curve[index]
    return dashes


def _model(arm: str, width: int, num_heads: int) -> NeuralProcess:
    attention = BlindAttention(1, width, num_heads) if arm == "blind" else arm
    return NeuralProcess(width=width, num_heads=num_heads, attention=attention)


def _fit(
    model: NeuralProcess, tasks: Tasks, test: Tasks, batch: int, steps: int, seed: int
) -> History:
    """Train with a step size that falls linearly; evaluate the context NLL 20 times on 64 curves."""
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, fused=True)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    noise = torch.Generator().manual_seed(seed)
    few = test[slice(64)]

    def batches() -> Iterator[Tasks]:
        for start in range(0, batch * steps, batch):
            yield tasks[slice(start, start + batch)]
            schedule.step()  # the caller has made its update by now

    def loss(model: NeuralProcess, tasks: Tasks) -> Tensor:
        return model.elbo(tasks.x, tasks.y, tasks.is_context, generator=noise).loss

    def context_nll(model: NeuralProcess) -> float:
        draws = torch.Generator().manual_seed(seed)
        prediction = model(few.x, few.y, few.x, few.is_context, num_samples=2, generator=draws)
        return _nll("", prediction, few)["context_nll_"]

    every = max(1, steps // 20)
    budget = Budget(steps=steps)
    return train(
        model,
        loss,
        batches(),
        optimizer=optimizer,
        budget=budget,
        evaluate=context_nll,
        every=every,
    )


def _nll(arm: str, prediction: Gaussian, tasks: Tasks) -> dict[str, float]:
    """Return minus the log-density a point, mean over samples of z, at given and at new points."""
    log_prob = prediction.log_prob(tasks.y).sum(-1).mean(0)
    return {
        f"context_nll_{arm}": -float(log_prob[tasks.is_context].mean()),
        f"target_nll_{arm}": -float(log_prob[~tasks.is_context].mean()),
    }


def _oracle(tasks: Tasks) -> Gaussian:
    found = tasks.process.posterior(tasks.x, tasks.y, tasks.x, tasks.is_context)
    return Gaussian(found.mean[None], found.std.clamp(min=0.1)[None])


def _gains(values: dict[str, float]) -> dict[str, float]:
    pairs = [
        ("laplace", "uniform"),
        ("dot_product", "laplace"),
        ("multihead", "dot_product"),
        ("multihead", "uniform"),
        ("blind", "uniform"),
    ]
    gains = {}
    for a, b in pairs:
        gains[f"{a}_over_{b}"] = values[f"context_nll_{b}"] - values[f"context_nll_{a}"]
        gains[f"new_points_{a}_over_{b}"] = values[f"target_nll_{b}"] - values[f"target_nll_{a}"]
    return gains


def _share_of_steps(history: History, uniform: History) -> float:
    level = uniform.evaluations[-1][2] - 0.1  # uniform itself comes to its last level by chance
    reached = [step for step, _, nll in history.evaluations if nll <= level]
    return (reached[0] if reached else history.steps) / uniform.steps


def _loss_flops(model: NeuralProcess, num_points: int) -> int:
    """Return the operations of one task's bound; the backward pass takes twice as many for all arms."""
    x = torch.zeros(1, num_points, 1, device="meta")
    given = torch.ones(1, num_points, dtype=torch.bool, device="meta")
    meta = model.to("meta")
    return flops(lambda: meta.elbo(x, x, given))
