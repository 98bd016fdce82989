"""What is measured: models trained on curves and images, bounds that are searched for, and what attention costs."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from studiolo.data import digits, fashion_mnist, mnist
from studiolo.measure import abba, flops, top_octave_exponent
from studiolo.runs import Outcome
from studiolo.train import History, role_seeds

from . import gpu
from .arms import (
    ARMS,
    FEW_ARMS,
    by_operations,
    fit_arm,
    gains,
    last_behind,
    loss_flops,
    model_of,
    nll,
    oracle,
    predicted,
    share_of_steps,
)
from .fit import loss_of
from .images import image_tasks
from .kernels import kernel_attention
from .l2 import L2Attention
from .model import NeuralProcess
from .shown import gallery, shown_by, shown_curves
from .tasks import Tasks, gp_tasks


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
    a; `new_points_<a>_over_<b>` at new points. `gap_closed_<arm>`: share of the distance between
    uniform and the Gaussian process, at given points, that the arm covers. `steps_share_<arm>`,
    `flops_share_<arm>`: steps, and operations, until the arm's context NLL was first 0.1 below the
    last one of uniform, over all that uniform was given; those of all steps if it never was.
    `crossing_<arm>`: operations from which on the arm is ahead of uniform given as many, over all that
    uniform was given.

    Arrays: `step`, `curve_<arm>`: context NLL while training; `operations`, `by_operations_<arm>`: the
    same over equal operations, in GFLOP; `curve_gp`, `by_operations_gp`: the level of the process. `x`, `truth`, `context`, `gp`, `kernel_regression`,
    `mean_<arm>`: predictions for one task that is the same for all seeds.
    """
    torch.set_num_threads(1)
    seeds = role_seeds(seed)
    data = torch.Generator().manual_seed(seeds.data)
    given = (3, num_points - 1)
    test = gp_tasks(num_test, num_points=num_points, num_context=given, generator=data)
    tasks = gp_tasks(batch * steps, num_points=num_points, num_context=given, generator=data)
    values: dict[str, float] = {}
    histories: dict[str, History] = {}
    arrays = shown_curves()
    for arm in ARMS:
        torch.manual_seed(seeds.init)
        model = model_of(arm, width, num_heads)
        histories[arm] = fit_arm(model, tasks.batches(batch), test, steps, seeds.batches)
        prediction = predicted(model, test, num_samples, seeds.batches)
        values |= nll(arm, prediction, test)
        arrays |= shown_by(model, arm, seeds.batches)
        arrays[f"curve_{arm}"] = np.array([nll for _, _, nll in histories[arm].evaluations])
    values |= nll("gp", oracle(test), test)
    values |= gains(values)
    step_flops = {arm: loss_flops(arm, width, num_heads, num_points) * batch for arm in ARMS}
    arrays["step"] = np.array([step for step, _, _ in histories["uniform"].evaluations])
    arrays |= by_operations({arm: (step_flops[arm], histories[arm]) for arm in ARMS})
    for start, like in (("curve", "step"), ("by_operations", "operations")):
        arrays[f"{start}_gp"] = np.full(len(arrays[like]), values["context_nll_gp"])
    for arm in ARMS:
        share = share_of_steps(histories[arm], histories["uniform"])
        cost = step_flops[arm] / step_flops["uniform"]
        ahead = arrays[f"by_operations_{arm}"] < arrays["by_operations_uniform"]
        values |= {
            f"steps_share_{arm}": share,
            f"flops_share_{arm}": share * cost,
            f"crossing_{arm}": last_behind(ahead),
        }
    return Outcome(values, arrays)


def width_fitting(
    *,
    seed: int,
    widths: Sequence[int] = (32, 128, 512, 1024),
    num_points: int = 30,
    batch: int = 16,
    steps: int = 150,
    num_test: int = 256,
) -> Outcome:
    """Train means of several widths, and attention of width 32, on the same curves.

    The step size falls with the square root of the width, from 4e-3 at 32.

    Values: `context_nll_<width>` of the mean, `context_nll_multihead`, `context_nll_blind`, nats a given
    point; `<arm>_over_<width>`: that of the mean minus that of the arm; `<arm>_over_widest` and
    `<arm>_over_best`: of the widest mean, and of the best; `parameters_<...>`. Arrays: `width`,
    `of_the_mean`, `of_attention`: the same for a figure.
    """
    torch.set_num_threads(1)
    seeds = role_seeds(seed)
    data = torch.Generator().manual_seed(seeds.data)
    given = (3, num_points - 1)
    test = gp_tasks(num_test, num_points=num_points, num_context=given, generator=data)
    tasks = gp_tasks(batch * steps, num_points=num_points, num_context=given, generator=data)
    arms = {str(width): ("uniform", width) for width in widths}
    values: dict[str, float] = {}
    for name, (attention, width) in (arms | {a: (a, 32) for a in ("multihead", "blind")}).items():
        torch.manual_seed(seeds.init)
        model = model_of(attention, width, 4)
        rate = 4e-3 * (32 / width) ** 0.5
        fit_arm(model, tasks.batches(batch), test, steps, seeds.batches, rate=rate)
        found = nll(name, predicted(model, test, 4, seeds.batches), test)
        values[f"context_nll_{name}"] = found[f"context_nll_{name}"]
        values[f"parameters_{name}"] = float(sum(p.numel() for p in model.parameters()))
    means = [values[f"context_nll_{width}"] for width in widths]
    for arm in ("multihead", "blind"):
        own = values[f"context_nll_{arm}"]
        values |= {f"{arm}_over_{width}": m - own for width, m in zip(widths, means, strict=True)}
        values |= {f"{arm}_over_widest": means[-1] - own, f"{arm}_over_best": min(means) - own}
    arrays = {
        "width": np.array(widths),
        "of_the_mean": np.array(means),
        "of_attention": np.full(len(widths), values["context_nll_multihead"]),
    }
    return Outcome(values, arrays)


def device_fitting(
    *,
    seed: int,
    width: int = 128,
    wide: int = 1024,
    num_points: int = 50,
    batch: int = 16,
    steps: int = 2000,
    num_test: int = 1024,
    device: str = "cuda",
) -> Outcome:
    """Train attention of the paper's width and a mean of eight times that width on a CUDA device.

    Every step is a replay of one CUDA graph (`gpu.TrainingStep`), in float32; curves are drawn on the device.

    Values: `context_nll_<arm>`, `target_nll_<arm>` for uniform (wide), multihead and blind (`width`) and
    gp, `<arm>_over_uniform`, `new_points_<arm>_over_uniform`, `gap_closed_<arm>` and
    `steps_share_<arm>` as in `curve_fitting`; `step_ms_<arm>`: wall time of a step, evaluations and
    recording counted in. Arrays: `step`, `curve_<arm>`.
    """
    seeds = role_seeds(seed)
    given = (3, num_points - 1)

    def drawn(seed: int, number: int) -> Iterator[Tasks]:
        generator = torch.Generator(device).manual_seed(seed)
        while True:
            yield gp_tasks(number, num_points=num_points, num_context=given, generator=generator)

    def batches() -> Iterator[Tasks]:
        for chunk in drawn(seeds.batches, 256 * batch):
            yield from chunk.batches(batch)

    test = next(drawn(seeds.data, num_test))
    few = test[:64]
    values: dict[str, float] = {}
    histories: dict[str, History] = {}
    for arm in FEW_ARMS:
        torch.manual_seed(seeds.init)
        wider = wide if arm == "uniform" else width
        model = model_of(arm, wider, 8).to(device)

        def context_nll(model: NeuralProcess) -> float:
            return nll("", predicted(model, few, 2, seeds.data), few)["context_nll_"]

        history = histories[arm] = gpu.fit(
            model, batches(), steps=steps, learning_rate=1e-3 * (128 / wider) ** 0.5,
            evaluate=context_nll, every=max(1, steps // 40), graph=device == "cuda",
        )  # fmt: skip
        values |= nll(arm, predicted(model, test, 4, seeds.data), test)
        values[f"step_ms_{arm}"] = 1000 * history.cpu_s / steps
    values |= nll("gp", oracle(test), test)
    values |= gains(values)
    for arm in FEW_ARMS:
        values[f"steps_share_{arm}"] = share_of_steps(histories[arm], histories["uniform"])
    arrays = {
        f"curve_{a}": np.array([nll for _, _, nll in h.evaluations]) for a, h in histories.items()
    }
    arrays["step"] = np.array([step for step, _, _ in histories["uniform"].evaluations])
    return Outcome(values, arrays)


def digits_fitting(*, seed: int, width: int = 32, batch: int = 16, steps: int = 400) -> Outcome:
    """Train on 1,497 handwritten digits of 8 x 8 pixels, up to half of them given; see `_image_fitting`."""
    images = torch.tensor(digits()[0], dtype=torch.float32)
    return _image_fitting(images, seed, width, batch, steps, num_test=300)


def mnist_fitting(*, seed: int, width: int = 64, batch: int = 16, steps: int = 300) -> Outcome:
    """Train on MNIST, 28 x 28 pixels of which up to 200 are given; see `_image_fitting`."""
    images = torch.tensor(mnist()["test_images"]) / 255
    return _image_fitting(images, seed, width, batch, steps, num_test=200)


def fashion_fitting(*, seed: int, width: int = 64, batch: int = 16, steps: int = 300) -> Outcome:
    """Train on Fashion-MNIST, 28 x 28 pixels of which up to 200 are given; see `_image_fitting`."""
    images = torch.tensor(fashion_mnist()["test_images"]) / 255
    return _image_fitting(images, seed, width, batch, steps, num_test=200)


def _image_fitting(
    images: Tensor, seed: int, width: int, batch: int, steps: int, *, num_test: int
) -> Outcome:
    """Train the mean, attention and blind attention on pixels at random, and compare them on new images.

    Values: `context_nll_<arm>`, `target_nll_<arm>`, nats a given and a new pixel; `<arm>_over_uniform`,
    `new_points_<arm>_over_uniform` as for curves. `early_lead_uniform`: how much likelier given
    pixels are by the mean than by attention when each has spent a tenth of what the mean spends in
    all; `late_lead_uniform`: the same when each has spent all that the mean spends.
    Arrays: `operations`, `by_operations_<arm>`; `gallery` and `gallery_captions`.
    """
    torch.set_num_threads(1)
    seeds = role_seeds(seed)
    data = torch.Generator().manual_seed(seeds.data)
    images = images[torch.randperm(len(images), generator=data)]
    pixels = images[0].numel()
    num_points = min(pixels, 256)
    given = (3, min(pixels // 2, 200))
    test = image_tasks(images[:num_test], num_context=given, num_points=num_points, generator=data)
    train = images[num_test:]

    def batches() -> Iterator[Tasks]:
        for _ in range(steps):
            rows = torch.randint(len(train), (batch,), generator=data)
            yield image_tasks(train[rows], num_context=given, num_points=num_points, generator=data)

    same = list(batches())
    values: dict[str, float] = {}
    costs: dict[str, tuple[int, History]] = {}
    models: dict[str, NeuralProcess] = {}
    for arm in FEW_ARMS:
        torch.manual_seed(seeds.init)
        model = models[arm] = model_of(arm, width, 4, x_dim=2)
        history = fit_arm(model, iter(same), test, steps, seeds.batches, rate=2e-3)
        costs[arm] = loss_flops(arm, width, 4, num_points, 2, given[1]) * batch, history
        values |= nll(arm, predicted(model, test, 4, seeds.batches), test)
    for arm in ("multihead", "blind"):
        for start, kind in (("", "context_nll"), ("new_points_", "target_nll")):
            gain = values[f"{kind}_uniform"] - values[f"{kind}_{arm}"]
            values[f"{start}{arm}_over_uniform"] = gain
    arrays = by_operations(costs)
    lead = arrays["by_operations_uniform"] - arrays["by_operations_multihead"]
    values["early_lead_uniform"] = -float(lead[len(lead) // 10])
    values["late_lead_uniform"] = -float(lead[-1])
    pictures, captions = gallery(models, images[:2], seeds.batches)
    return Outcome(values, arrays | {"gallery": pictures, "gallery_captions": np.array(captions)})


def bound_search(
    *,
    seed: int,
    num_points: Sequence[int] = (2, 5, 10, 20, 50),
    restarts: int = 16,
    steps: int = 200,
) -> Outcome:
    """Look for points at which one-dimensional L2 and dot-product self-attention are steepest.

    All maps are 1. The steepest row is the first, since points may change places: the sum of magnitudes
    of its derivatives is raised by gradient ascent from `restarts` random places.

    Values: `slack_<n>`, the bound of `L2Attention` over what was found, and `largest_slack`, over all
    numbers of points; `growth_l2`, `growth_dot`: what is found at 10 points of twice the spread over
    what is found at the first spread, 4.
    Arrays: `num_points`, `bound`, `found`.
    """
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(role_seeds(seed).init)
    attention = L2Attention(1)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.fill_(1)

    def steepness(x: Tensor, kernel: str) -> Tensor:
        """Sum over points of |d first output / d point|, for x (restarts, n, 1)."""
        if kernel == "l2":
            out = attention(x)
        else:
            out = kernel_attention(x, x, x, kernel=kernel)
        (slopes,) = torch.autograd.grad(out[:, 0].sum(), x, create_graph=True)
        return slopes.abs().sum((1, 2))

    def search(n: int, kernel: str, spread: float, steps: int) -> float:
        x = (
            spread * torch.rand(restarts, n, 1, generator=generator, dtype=torch.float64)
            - spread / 2
        )
        x.requires_grad_()
        optimizer = torch.optim.Adam([x], lr=0.03)
        best = 0.0
        for _ in range(steps):
            value = steepness(x, kernel)
            best = max(best, float(value.detach().max()))
            optimizer.zero_grad()
            (-value.sum()).backward()
            optimizer.step()
            with torch.no_grad():
                x.clamp_(-spread / 2, spread / 2)
        return best

    attention.double()
    found = [search(n, "l2", 8.0, steps) for n in num_points]
    bounds = [attention.lipschitz_bound(n) for n in num_points]
    values = {f"slack_{n}": b / f for n, b, f in zip(num_points, bounds, found, strict=True)}
    values["largest_slack"] = max(values.values())
    for kernel in ("l2", "dot"):
        near, far = (search(10, kernel, spread, steps) for spread in (4.0, 8.0))
        values[f"growth_{kernel}"] = far / near
    return Outcome(
        values,
        {"num_points": np.array(num_points), "bound": np.array(bounds), "found": np.array(found)},
    )


def cost_exponent(*, seed: int, attention: str = "multihead", num_points: int = 65536) -> Outcome:
    """Count the exponent of a prediction's operations when context and targets double together.

    Width 128, from `num_points` of each to twice as many; counted without memory or randomness.
    At the default size the quadratic part is 99 % of the operations; it is half of them at 709 points.
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

    Values: `step_ratio`; `multihead_s` and `uniform_s`, CPU seconds; `operations_ratio`, counted; `busy`.
    """
    torch.set_num_threads(1)
    seeds = role_seeds(seed)

    def step(attention: str) -> Callable[[], object]:
        torch.manual_seed(seeds.init)
        model = model_of(attention, width, 8)
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        generator = torch.Generator().manual_seed(seeds.data)
        given = (3, num_points - 1)
        tasks = gp_tasks(batch, num_points=num_points, num_context=given, generator=generator)

        def update() -> None:
            optimizer.zero_grad(set_to_none=True)
            loss_of(model, tasks).backward()
            optimizer.step()

        return update

    times = abba(step("multihead"), step("uniform"), pairs=pairs)
    operations = [loss_flops(arm, width, 8, num_points) for arm in ("multihead", "uniform")]
    return Outcome(
        {
            "step_ratio": times.ratio,
            "multihead_s": float(np.median(times.a_s)),
            "uniform_s": float(np.median(times.b_s)),
            "operations_ratio": operations[0] / operations[1],
            "busy": float(times.busy),
        }
    )
