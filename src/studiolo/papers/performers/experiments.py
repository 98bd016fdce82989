"""The experiments behind the claims: kernel estimates, attention outputs, and what they cost."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from studiolo.measure import abba, flops, peak_tensor_bytes, top_octave_exponent
from studiolo.runs import Outcome
from studiolo.train import role_seeds

from . import crossing, on_a_gpu, proteins, reference, training
from .draws import DRAWS, iid_projection, orthogonal_projection
from .features import (
    Features,
    RandomFeatures,
    hyperbolic_features,
    positive_features,
    trigonometric_features,
)
from .model import favor_attention
from .redraw import RedrawSchedule


def closed_form_ratio(*, seed: int, angle_deg: float = 135.0) -> Outcome:
    """Lemma 2: by how much MSE(trig)/MSE(pos) grows when |x| = |y| goes from 1 to 3 at a fixed angle.

    Beyond 90 degrees SM = exp(|x||y| cos angle) falls towards 0 on the way. No randomness: `seed` is unused.
    """
    ratio = []
    for norm in (1.0, 3.0):
        x, y = _pair_at(angle_deg, norm, dim=2)
        ratio.append(reference.mse_trig(x, y, 1) / reference.mse_pos(x, y, 1))
    return Outcome({"growth": ratio[1] / ratio[0]})


def kernel_errors(*, seed: int, draw: str = "iid", trials: int = 50_000) -> Outcome:
    """Measured squared errors of exp(x·y), |x| = |y| = 0.7 at a right angle, m = d = 16, over Lemma 2's."""
    m = d = 16
    x, y = _pair_at(90.0, 0.7, dim=d)
    projections = _projections(draw, trials, m, d, role_seeds(seed).init)
    sm = math.exp(float(x @ y))
    measured = {
        name: float((_estimates(phi, x, y, projections) - sm).square().mean())
        for name, phi in (
            ("trig", trigonometric_features),
            ("pos", positive_features),
            ("hyp", hyperbolic_features),
        )
    }
    theory = {
        "trig": reference.mse_trig(x, y, m),
        "pos": reference.mse_pos(x, y, m),
        "hyp": reference.mse_hyp(x, y, m),
    }
    ratios = {name: measured[name] / theory[name] for name in theory}
    return Outcome(
        {
            **{f"{name}_over_lemma_2": ratio for name, ratio in ratios.items()},
            "worst_factor": max(max(ratio, 1 / ratio) for ratio in ratios.values()),
            "pos_over_theorem_2": measured["pos"] / reference.mse_ort_bound(x, y, m),
        }
    )


def kernel_errors_over_grid(
    *,
    seed: int,
    draw: str = "iid",
    trials: int = 20_000,
    pairs: Sequence[tuple[float, float]] = (
        (0.5, 30.0), (0.5, 90.0), (0.5, 170.0), (1.0, 90.0), (1.0, 135.0), (2.0, 150.0), (3.0, 170.0),
    ),
) -> Outcome:  # fmt: skip
    """`kernel_errors` at several norms and angles (degrees), up to where MSE(trig)/MSE(pos) is beyond 10^14.

    The positive estimate's own error needs more draws than anyone has where |x + y|² is large, so that
    norms grow only as the angle does.
    """
    m = d = 16
    projections = _projections(draw, trials, m, d, role_seeds(seed).init)
    worst = 1.0
    for norm, angle in pairs:
        x, y = _pair_at(angle, norm, dim=d)
        sm = math.exp(float(x @ y))
        for phi, mse in (
            (trigonometric_features, reference.mse_trig),
            (positive_features, reference.mse_pos),
            (hyperbolic_features, reference.mse_hyp),
        ):
            measured = float((_estimates(phi, x, y, projections) - sm).square().mean())
            worst = max(worst, measured / mse(x, y, m), mse(x, y, m) / measured)
    x, y = _pair_at(pairs[-1][1], pairs[-1][0], dim=d)
    ratio = reference.mse_trig(x, y, m) / reference.mse_pos(x, y, m)
    return Outcome({"worst_factor": worst, "largest_ratio": ratio})


def regularized_kernel(*, seed: int, draw: str = "regularized", trials: int = 5_000) -> Outcome:
    """Mean positive estimate over exp(x·y), x = y of norm 1, m = d = 16; SMREG over SM for regularized draws."""
    m = d = 16
    x, _ = _pair_at(0.0, 1.0, dim=d)
    generator = torch.Generator().manual_seed(role_seeds(seed).init)
    projections = DRAWS[draw](trials * m, d, generator=generator).reshape(trials, m, d).double()
    mean = float(_estimates(positive_features, x, x, projections).mean())
    return Outcome(
        {
            "mean_over_softmax_kernel": mean / math.exp(float(x @ x)),
            "closed_form": reference.smreg(x, x) / math.exp(float(x @ x)),
        }
    )


def largest_error_by_length(
    *,
    seed: int,
    measure: str = "largest entry",
    lengths: Sequence[int] = (256, 2048),
    trials: int = 4,
) -> Outcome:
    """Exponent in the length of the error of the matrix exp(x·y), 256 trigonometric orthogonal features.

    x and y are uniform on the unit sphere of dimension 16. `measure` is "largest entry", the norm of Theorem 4,
    or "largest row", the largest sum of a row's errors. Median over `trials` draws.
    """
    generator = torch.Generator().manual_seed(role_seeds(seed).init)
    found: dict[int, list[float]] = {length: [] for length in lengths}
    for _ in range(trials):
        features = RandomFeatures(16, 256, phi="trigonometric", generator=generator)
        for length in lengths:
            x, y = torch.randn(2, length, 16, generator=generator, dtype=torch.float64)
            x, y = (z / z.norm(dim=1, keepdim=True) for z in (x, y))
            fx, fy = (
                f.log.exp() * f.sign for f in (features(x), features(y)) if f.sign is not None
            )
            error = (fx @ fy.mT - (x @ y.mT).exp()).abs()
            match measure:
                case "largest entry":
                    found[length].append(float(error.max()))
                case "largest row":
                    found[length].append(float(error.sum(1).max()))
                case _:
                    raise ValueError(f"measure is {measure!r}; known are largest entry and row.")
    first, last = (float(np.median(found[length])) for length in (lengths[0], lengths[-1]))
    return Outcome(
        {
            "exponent": math.log(last / first) / math.log(lengths[-1] / lengths[0]),
            "error_at_first": first,
            "error_at_last": last,
        }
    )


def orthogonal_gain(
    *,
    seed: int,
    draws: tuple[str, str] = ("iid", "orthogonal"),
    num_features: int = 64,
    length: int = 256,
    trials: int = 400,
) -> Outcome:
    """Squared error of the attention output with the first kind of draw over that with the second.

    Positive features; q, k ~ 0.5 · N(0, I_16), so that |x| is about 1. Ratio of geometric means over `trials`.
    """
    seeds = role_seeds(seed)
    data = torch.Generator().manual_seed(seeds.data)
    generator = torch.Generator().manual_seed(seeds.init)
    logs: list[list[float]] = [[], []]
    for _ in range(trials):
        q, k, v = torch.randn(3, 1, length, 16, generator=data, dtype=torch.float64)
        q, k = 0.5 * q, 0.5 * k
        exact = scaled_dot_product_attention(q, k, v)
        for draw, found in zip(draws, logs, strict=True):
            features = RandomFeatures(16, num_features, draw=draw, generator=generator)
            error = favor_attention(q, k, v, features=features) - exact
            found.append(math.log(float(error.square().mean())))
    return Outcome({"gain": math.exp(float(np.mean(logs[0]) - np.mean(logs[1])))})


def kernel_bias(*, seed: int, draw: str = "orthogonal", trials: int = 2_000) -> Outcome:
    """Mean positive estimate of exp(x·y) over the truth, x = y = 0.1·ones(64), m = d = 64."""
    d = 64
    x = torch.full((d,), 0.1, dtype=torch.float64)
    projections = _projections(draw, trials, d, d, role_seeds(seed).init)
    mean = float(_estimates(positive_features, x, x, projections).mean())
    return Outcome({"mean_over_truth": mean / math.exp(float(x @ x))})


def output_errors(
    *,
    seed: int,
    scales: Sequence[float] = (0.25, 0.35, 0.5, 0.7, 0.8, 0.9, 1.0),
    length: int = 512,
    trials: int = 4,
) -> Outcome:
    """Squared error of the attention output over its mean square, as q, k ~ scale · N(0, I_16) grow.

    Equal budgets of 256 features; each figure is the median of `trials` draws of inputs and of w.
    """
    seeds = role_seeds(seed)
    names: list[tuple[str, str]] = [
        ("positive", "orthogonal"),
        ("positive", "iid"),
        ("trigonometric", "orthogonal"),
        ("trigonometric", "iid"),
    ]
    errors: dict[tuple[str, str], list[float]] = {name: [] for name in names}
    for scale in scales:
        data = torch.Generator().manual_seed(seeds.data)
        draws = torch.Generator().manual_seed(seeds.init)
        found: dict[tuple[str, str], list[float]] = {name: [] for name in names}
        for _ in range(trials):
            q, k, v = torch.randn(3, 1, length, 16, generator=data, dtype=torch.float64)
            q, k = scale * q, scale * k
            exact = scaled_dot_product_attention(q, k, v)
            for phi, draw in names:
                features = RandomFeatures(16, 256, phi=phi, draw=draw, generator=draws)
                error = favor_attention(q, k, v, features=features) - exact
                found[phi, draw].append(float(error.square().mean() / exact.square().mean()))
        for name in names:
            errors[name].append(float(np.median(found[name])))
    pos, trig = np.array(errors[names[0]]), np.array(errors[names[2]])
    norms = np.array(scales) * 2.0  # |x| = scale · √16 / 16^¼
    return Outcome(
        {
            "pos_error_at_last": float(pos[-1]),
            "trig_over_pos_at_last": float(trig[-1] / pos[-1]),
            "trig_over_pos_smallest": float((trig / pos).min()),
            **_crossover(norms, pos, trig),
        },
        {
            "norm": norms,
            **{f"{phi}_{draw}": np.array(errors[phi, draw]) for phi, draw in names},
        },
    )


def _crossover(norms: np.ndarray, pos: np.ndarray, trig: np.ndarray) -> dict[str, float]:
    """Return where the two errors are first equal, and how large they are there, on a log scale."""
    gain = np.log(trig / pos)
    for i in np.flatnonzero((gain[:-1] < 0) & (gain[1:] >= 0))[:1]:
        part = gain[i] / (gain[i] - gain[i + 1])
        log_error = (1 - part) * math.log(pos[i]) + part * math.log(pos[i + 1])
        norm = (1 - part) * norms[i] + part * norms[i + 1]
        return {"crossover_norm": float(norm), "crossover_error": math.exp(log_error)}
    return {}


def time_exponent(
    *, seed: int, method: str = "favor", length: int = 2048, pairs: int = 20
) -> Outcome:
    """Exponent of CPU time in the length over the doubling that starts at `length`; one causal head of 64."""
    short, long = (_attention(method, size, role_seeds(seed).data) for size in (length, 2 * length))
    times = abba(long, short, pairs=pairs)
    return Outcome(
        {
            "exponent": math.log2(times.ratio),
            "long_s": float(np.median(times.a_s)),
            "short_s": float(np.median(times.b_s)),
            "busy": float(times.busy),
        }
    )


def speed_over_fused(
    *, seed: int, length: int = 8192, pairs: int = 20, training: bool = False
) -> Outcome:
    """CPU time of torch's fused causal attention over that of FAVOR+ with 256 features; one head of 64.

    With `training` the gradients of queries, keys and values are made too.
    """
    fused, favor = (
        _attention(method, length, role_seeds(seed).data, training=training)
        for method in ("fused softmax", "favor")
    )
    times = abba(fused, favor, pairs=pairs)
    return Outcome(
        {
            "speed_ratio": times.ratio,
            "fused_s": float(np.median(times.a_s)),
            "favor_s": float(np.median(times.b_s)),
            "busy": float(times.busy),
        }
    )


def crossing_length(
    *,
    seed: int,
    num_features: int = 256,
    lengths: Sequence[int] = (1024, 2048, 4096, 8192),
    pairs: int = 8,
) -> Outcome:
    """The length from which causal FAVOR+ takes less CPU time than torch's fused attention; one head of 64."""
    return Outcome(crossing.crossing(role_seeds(seed), num_features, lengths, pairs))


def time_over_identity(
    *, seed: int, method: str = "favor", length: int = 8192, num_heads: int = 4, pairs: int = 5
) -> Outcome:
    """CPU time of a Transformer layer, over that of the layer whose attention returns the values: the line X.

    Causal, heads of 64, 256 features, without gradients.
    """
    return Outcome(crossing.over_identity(role_seeds(seed), method, length, num_heads, pairs))


def speed_on_a_gpu(
    *, seed: int, length: int = 32768, heads: int = 64, pairs: int = 20, device: str = "cuda"
) -> Outcome:
    """FAVOR+ with 256 features by our Triton programs beside torch's flash attention; causal, heads of 64, bfloat16."""
    return Outcome(on_a_gpu.beside_flash_attention(role_seeds(seed), length, heads, pairs, device))


def bytes_exponent(*, seed: int, method: str = "favor", length: int = 1024) -> Outcome:
    """Exact exponent of the peak bytes of tensors over the doubling from `length`; one causal head of 64."""
    sizes = [length, 2 * length]
    peaks = [peak_tensor_bytes(_attention(method, n, role_seeds(seed).data)) for n in sizes]
    return Outcome(
        {"exponent": top_octave_exponent(sizes, peaks), "peak_bytes": float(peaks[-1])},
    )


def flops_exponent(
    *,
    seed: int,
    method: str = "favor",
    length: int = 1024,
) -> Outcome:
    """Exact exponent of the operations of matrix products over the doubling from `length`.

    torch's counter does not see into its fused attention on a CPU, hence the written-out one.
    """
    sizes = [length, 2 * length]
    operations = [flops(_attention(method, n, role_seeds(seed).data)) for n in sizes]
    return Outcome(
        {"exponent": top_octave_exponent(sizes, operations), "flops": float(operations[-1])}
    )


def peak_bytes_over_fused(
    *, seed: int, length: int = 4096, training: bool = False, method: str = "favor"
) -> Outcome:
    """Peak tensor bytes of causal FAVOR+ over those of torch's fused attention; eight heads of 64."""
    favor, fused = (
        peak_tensor_bytes(
            _attention(name, length, role_seeds(seed).data, num_heads=8, training=training)
        )
        for name in (method, "fused softmax")
    )
    return Outcome({"peak_bytes_ratio": favor / fused, "favor_bytes": favor, "fused_bytes": fused})


def swap_and_recover(
    *,
    seed: int,
    factor: float = 1.0,
    num_features: int = 64,
    length: int = 32,
    steps: int = 300,
    more: int = 30,
) -> Outcome:
    """Train a language model with softmax attention, give it FAVOR+, and train `more` steps.

    `factor` multiplies queries and keys before φ; 1 is right. `behind` is the accuracy on held-out bytes that
    it lacks to the same model with softmax attention after as many steps more; `dropped` that right after the swap.
    """
    torch.set_num_threads(1)
    seeds = role_seeds(seed)
    torch.manual_seed(seeds.init)
    exact = training.LanguageModel(length)
    rows = training.text_rows(length, seeds.batches)
    training.fit(exact, training.language_loss, rows, steps)
    swapped = training.linear(
        exact, "positive", num_features=num_features, seed=seeds.init, factor=factor
    )
    accuracy = [training.next_byte_accuracy(model, length) for model in (exact, swapped)]
    for model in (exact, swapped):
        rows = training.text_rows(length, seeds.data)
        training.fit(model, training.language_loss, rows, more)
        accuracy.append(training.next_byte_accuracy(model, length))
    names = ("exact", "swapped", "exact_later", "swapped_later")
    return Outcome(
        {
            **{f"accuracy_{name}": share for name, share in zip(names, accuracy, strict=True)},
            "dropped": accuracy[0] - accuracy[1],
            "behind": accuracy[2] - accuracy[3],
        }
    )


def features_in_training(
    *,
    seed: int,
    better: str = "positive",
    worse: str = "trigonometric",
    num_features: int = 16,
    length: int = 32,
    steps: int = 200,
) -> Outcome:
    """Train a language model from the start with each of two kinds of features, and compare the last losses.

    A kind is one of `feature_map`; with ", redrawn" behind it w is drawn anew every ten steps, with ", again" from
    another seed. `lead` is the mean training loss of the last quarter with `worse` less that with `better`, in nats.
    """
    torch.set_num_threads(1)
    seeds = role_seeds(seed)
    loss, peak = {}, {}
    for kind in (better, worse):
        phi, _, how = kind.partition(", ")
        torch.manual_seed(seeds.init)
        model = training.linear(
            training.LanguageModel(length),
            phi,
            num_features=num_features,
            seed=seeds.data if how == "again" else seeds.init,
        )
        rows = training.text_rows(length, seeds.batches)
        if how == "redrawn":
            generator = torch.Generator().manual_seed(seeds.data)
            rows = training.redrawing(rows, RedrawSchedule(model, 10, generator=generator))
        losses = training.fit(model, training.language_loss, rows, steps).losses
        loss[kind] = float(np.mean(losses[-steps // 4 :]))
        peak[kind] = max(losses[steps // 4 :])
    values = {f"loss_{kind}": nats for kind, nats in loss.items()}
    return Outcome({**values, "lead": loss[worse] - loss[better], "peak_of_worse": peak[worse]})


def reading(
    *,
    seed: int,
    better: str = "relu",
    worse: str = "positive",
    num_features: Sequence[int] = (32, 32),
    length: int = 24,
    steps: int = 200,
) -> Outcome:
    """Train a reader of ListOps with each of two kinds of features; `lead` is the difference of their accuracies."""
    torch.set_num_threads(1)
    seeds = role_seeds(seed)
    shares: list[float] = []
    for phi, number in zip((better, worse), num_features, strict=True):
        torch.manual_seed(seeds.init)
        model = training.linear(
            training.Reader(length), phi, num_features=number, seed=seeds.data + len(shares)
        )
        rows = training.listops_rows(length, seeds.batches)
        training.fit(model, training.reading_loss, rows, steps)
        shares.append(training.value_accuracy(model, length))
    return Outcome(
        {"accuracy_better": shares[0], "accuracy_worse": shares[1], "lead": shares[0] - shares[1]}
    )


def masked_proteins(
    *, seed: int, num_features: int = 64, length: int = 43, steps: int = 600
) -> Outcome:
    """Train a model to name masked residues with a ReLU kernel, with the softmax kernel, and with exact attention.

    `lead` is the accuracy on held-out proteins with the first less that with the second, `lead_over_exact` less that with the
    third, and `lead_of_another_draw` less that with another draw for the ReLU kernel.
    """
    return Outcome(proteins.compare(role_seeds(seed), num_features, length, steps))


def _attention(
    method: str, length: int, seed: int, num_heads: int = 1, training: bool = False
) -> Callable[[], object]:
    """Return a call of causal attention on inputs of its own, with or without their gradients."""
    generator = torch.Generator().manual_seed(seed)
    q, k, v = torch.randn(3, 1, num_heads, length, 64, generator=generator) * 0.5
    features = RandomFeatures(64, 256, generator=generator)
    inputs = [x.clone().requires_grad_(training) for x in (q, k, v)]

    def output(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        match method:
            case "favor":
                return favor_attention(q, k, v, features=features, causal=True)
            case "favor, features kept":
                return favor_attention(q, k, v, features=lambda x: features(x), causal=True)
            case "fused softmax":
                return scaled_dot_product_attention(q, k, v, is_causal=True)
            case "written-out softmax":
                return reference.softmax_attention(q[0, 0], k[0, 0], v[0, 0], causal=True)
        raise ValueError(
            f"method is {method!r}; known are favor (features kept), fused softmax, written-out softmax."
        )

    def call() -> object:
        out = output(*inputs)
        return torch.autograd.grad(out.sum(), inputs) if training else out

    return call


def _pair_at(angle_deg: float, norm: float, dim: int) -> tuple[Tensor, Tensor]:
    """Return x and y of one norm, `angle_deg` apart."""
    x, y = torch.zeros(2, dim, dtype=torch.float64)
    angle = math.radians(angle_deg)
    x[0], y[0], y[1] = norm, norm * math.cos(angle), norm * math.sin(angle)
    return x, y


def _projections(draw: str, trials: int, m: int, d: int, seed: int) -> Tensor:
    """Return (trials, m, d) independent draws, float64; m = d where rows are orthogonal."""
    generator = torch.Generator().manual_seed(seed)
    match draw:
        case "iid":
            rows = iid_projection(trials * m, d, generator=generator)
        case "orthogonal":
            rows = orthogonal_projection(trials * m, d, generator=generator)
        case "orthogonal, LAPACK's signs":
            norms = torch.randn(trials * m, d, generator=generator).norm(dim=1, keepdim=True)
            q = torch.linalg.qr(torch.randn(trials, d, d, generator=generator)).Q
            rows = norms * q.mT.reshape(trials * d, d)  # rows are Qᵀ's, as in the published code
        case _:
            raise ValueError(f"draw is {draw!r}; known are iid, orthogonal, and LAPACK's signs.")
    return rows.reshape(trials, m, d).double()


def _estimates(
    phi: Callable[[Tensor, Tensor], Features], x: Tensor, y: Tensor, projections: Tensor
) -> Tensor:
    """Return φ(x)·φ(y), one for each of the (trials, m, d) projections."""
    fx, fy = phi(x[None], projections), phi(y[None], projections)
    products = (fx.log + fy.log).exp()
    if fx.sign is not None and fy.sign is not None:
        products = products * fx.sign * fy.sign
    return products.sum(-1).squeeze(-1)
