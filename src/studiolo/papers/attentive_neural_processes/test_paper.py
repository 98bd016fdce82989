import math
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from . import reference
from .attention import (
    ATTENTIONS,
    DotProductAttention,
    KernelAttention,
    MultiheadAttention,
    UniformAttention,
)
from .gaussian import Gaussian
from .layers import Mlp, masked_mean, precise_linear
from .model import NeuralProcess, log_likelihood
from .processes import COVARIANCES, GaussianProcess
from .tasks import gp_tasks, padded_tasks, sawtooth_tasks


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def small_model(attention="multihead", x_dim=2, y_dim=3, **options):
    torch.manual_seed(0)
    options = {"width": 6, "num_heads": 3} | options
    return NeuralProcess(x_dim, y_dim, attention=attention, **options).double()


def assert_same(a, b, tolerance=1e-10):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_laplace_attention_worked_by_hand():
    x = torch.tensor([[[0.0], [1.0]]])
    r = torch.tensor([[[10.0], [20.0]]])
    out = KernelAttention("laplace", 2.0)(x, r, torch.tensor([[[0.0], [3.0]]]))
    e = math.exp(-0.5)  # at 0: weights 1 and e^-½; at 3: e^-1.5 and e^-1, that is e^-½ and 1
    expected = [[[(10 + 20 * e) / (1 + e)], [(10 * e + 20) / (e + 1)]]]
    assert_same(out, torch.tensor(expected), 1e-6)


def test_divergence_and_density_worked_by_hand():
    standard, other = (
        Gaussian(torch.tensor(m), torch.tensor(s)) for m, s in ((0.0, 1.0), (1.0, 2.0))
    )
    assert float(standard.kl(other)) == pytest.approx(math.log(2) + 2 / 8 - 0.5)
    assert float(other.log_prob(torch.tensor(3.0))) == pytest.approx(-0.5 - math.log(2) - 0.918939, abs=1e-6)  # fmt: skip


def test_process_with_one_observation_worked_by_hand():
    process = GaussianProcess(torch.tensor([1.0]), torch.tensor([2.0]), noise=1.0)
    found = process.posterior(torch.zeros(1, 1, 1), torch.full((1, 1, 1), 5.0), torch.ones(1, 1, 1))
    k = 4 * math.exp(-0.5)  # covariance at distance 1; an observation has variance 4 + 1
    assert float(found.mean) == pytest.approx(k / 5 * 5)
    assert float(found.std) == pytest.approx(math.sqrt(4 - k * k / 5 + 1))


def test_likelihood_of_a_task_is_the_mean_over_samples_worked_by_hand():
    prediction = Gaussian(torch.tensor([0.0, 2.0])[:, None, None, None], torch.ones(2, 1, 1, 1))
    found = log_likelihood(prediction, torch.zeros(1, 1, 1))
    assert float(found) == pytest.approx(math.log((1 + math.exp(-2)) / 2) - 0.918939, abs=1e-6)


def layers(network):
    return [(m.weight, m.bias) for m in network if isinstance(m, torch.nn.Linear)]


def reference_gather(attention, x, r, x_star):
    if isinstance(attention, UniformAttention):
        return reference.uniform(x, r, x_star)
    if isinstance(attention, MultiheadAttention | DotProductAttention):
        x = [reference.mlp(layers(attention.embed), point) for point in x]
        x_star = reference.mlp(layers(attention.embed), x_star)
    if isinstance(attention, MultiheadAttention):
        maps = (attention.query, attention.key, attention.value, attention.output)
        return reference.multihead(x, r, x_star, *(m.weight for m in maps), attention.num_heads)
    kernel = {"dot": reference.dot_product}.get(attention.kernel) or getattr(
        reference, attention.kernel
    )
    return kernel(x, r, x_star, normalise=attention.normalise == "sum")


def reference_encodings(encoder, x, y):
    """Return what stands before the encoder's last layer, self-attention included."""
    network = layers(encoder.mlp)
    h = [torch.relu(reference.mlp(network[:-1], torch.cat(p))) for p in zip(x, y, strict=True)]
    for layer in encoder.attention:
        norm = layer.norm.weight, layer.norm.bias
        h = reference.self_attention(
            h, norm, layer.maps.weight, layer.output.weight, layer.num_heads
        )
    return [reference.mlp(network[-1:], h_i) for h_i in h]


def reference_predictions(model, x_C, y_C, x_T, z):
    r = reference_encodings(model.encoder, x_C, y_C)
    decoder = model.decoder
    network = layers([decoder.first, decoder.second, decoder.head])
    gathered = [reference_gather(model.attention, x_C, r, x) for x in x_T]
    return [reference.p_y(network, x, r, z) for x, r in zip(x_T, gathered, strict=True)]


def reference_q(model, x, y):
    latent = model.latent_encoder
    s = reference_encodings(latent.encoder, x, y)
    return reference.q_z(s, layers([latent.hidden]), layers([latent.head]))


@pytest.mark.parametrize(
    ("attention", "layers_of_self_attention"),
    [*((name, 0) for name in ATTENTIONS), ("multihead", 2)],
)
def test_bound_and_its_gradients_equal_the_reference(attention, layers_of_self_attention):
    model = small_model(attention, self_attention=layers_of_self_attention)
    x, y = random(3, 7, 2), random(3, 7, 3, seed=1)
    is_context = torch.arange(7) < torch.tensor([[1], [4], [7]])
    is_context = is_context[:, torch.randperm(7, generator=seeded(2))]  # in no order
    noise = torch.randn(1, 3, 6, generator=seeded(5), dtype=torch.float64)[0]
    losses = []
    for x_T, y_T, C, eps in zip(x, y, is_context, noise, strict=True):
        q_T, q_C = reference_q(model, x_T, y_T), reference_q(model, x_T[C], y_T[C])
        z = q_T[0] + q_T[1] * eps
        predictions = reference_predictions(model, x_T[C], y_T[C], x_T, z)
        log_p = [reference.log_normal(y_i, *p) for y_i, p in zip(y_T, predictions, strict=True)]
        losses.append(reference.loss(log_p, q_T, q_C))
    expected = sum(losses) / 3
    found = model.elbo(x, y, is_context, generator=seeded(5)).loss
    assert_same(found, expected)
    parameters = list(model.parameters())
    gradients = (torch.autograd.grad(loss, parameters) for loss in (found, expected))
    for own, wanted in zip(*gradients, strict=True):
        assert_same(own, wanted)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_prediction_equals_the_reference_whatever_stands_in_the_padding(attention):
    model = small_model(attention)
    x, y, x_T = random(2, 5, 2), random(2, 5, 3, seed=1), random(2, 3, 2, seed=2)
    mask = torch.tensor([[True, False, True, True, False], [False, True, False, False, False]])
    filled = [part.masked_fill(~mask[..., None], torch.nan) for part in (x, y)]
    found = model(*filled, x_T, mask, num_samples=4, generator=seeded(3))
    noise = torch.randn(4, 2, 6, generator=seeded(3), dtype=torch.float64)
    for task in range(2):
        C = mask[task]
        mu, sigma = reference_q(model, x[task, C], y[task, C])
        for sample in range(4):
            z = mu + sigma * noise[sample, task]
            expected = reference_predictions(model, x[task, C], y[task, C], x_T[task], z)
            assert_same(found.mean[sample, task], torch.stack([p[0] for p in expected]))
            assert_same(found.std[sample, task], torch.stack([p[1] for p in expected]))
    found.mean.sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    "attention",
    [
        KernelAttention("laplace", normalise="none"),
        KernelAttention("gaussian", normalise="none"),
        DotProductAttention(2, 4, normalise="none"),
    ],
)
def test_weights_that_are_not_normalised_equal_the_reference(attention):
    attention = attention.double()
    x, r, x_T = random(1, 5, 2), random(1, 5, 4, seed=1), random(1, 3, 2, seed=2)
    mask = torch.tensor([[True, True, False, True, False]])
    found = attention(x, r, x_T, mask)[0]
    expected = [reference_gather(attention, x[mask], r[mask], q) for q in x_T[0]]
    assert_same(found, torch.stack(expected))


def test_process_equals_the_reference():
    scales, outputs = torch.tensor([0.3, 1.1]), torch.tensor([0.7, 2.0])
    process = GaussianProcess(scales, outputs, noise=0.1)
    x, y, x_T = random(2, 5, 2), random(2, 5, 3, seed=1), random(2, 4, 2, seed=2)
    mask = torch.tensor([[True, True, False, True, True], [False, True, True, False, True]])
    y = y.masked_fill(~mask[..., None], torch.nan)
    found = process.posterior(x, y, x_T, mask)
    for task, C in enumerate(mask):
        for target, x_star in enumerate(x_T[task]):
            mean, std = reference.gp_posterior(
                x[task, C], y[task, C], x_star, float(scales[task]), float(outputs[task]), 0.1
            )
            assert_same(found.mean[task, target], mean)
            assert_same(found.std[task, target], std.expand(3))


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_order_of_the_context_does_not_matter(attention):
    model = small_model(attention)
    x, y, x_T = random(2, 5, 2), random(2, 5, 3, seed=1), random(2, 3, 2, seed=2)
    order = torch.tensor([3, 0, 4, 1, 2])
    first = model(x, y, x_T, generator=seeded())
    second = model(x[:, order], y[:, order], x_T, generator=seeded())
    assert_same(first.mean, second.mean)
    assert_same(first.std, second.std)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_target_does_not_depend_on_other_targets(attention):
    model = small_model(attention)
    x, y, x_T = random(2, 5, 2), random(2, 5, 3, seed=1), random(2, 3, 2, seed=2)
    whole = model(x, y, x_T, generator=seeded())
    alone = model(x, y, x_T[:, 1:2], generator=seeded())
    assert_same(whole.mean[:, :, 1:2], alone.mean)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_no_context_is_zero_with_finite_gradients(attention):
    model = small_model(attention)
    x, y = random(2, 4, 2), random(2, 4, 3, seed=1)
    nothing = torch.zeros(2, 4, dtype=torch.bool)
    r = random(2, 4, 6)
    gathered = model.attention(x, r, x, nothing)
    assert gathered.abs().max() == 0
    masked = model(x, y, x, nothing, generator=seeded())
    absent = model(x[:, :0], y[:, :0], x, generator=seeded())
    assert_same(masked.mean, absent.mean)
    model.elbo(x, y, nothing).loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_posterior_of_nothing_is_the_prior():
    process = GaussianProcess(torch.tensor([0.5]), torch.tensor([2.0]), noise=1.5)
    x, nothing = random(1, 4, 1), torch.zeros(1, 4, dtype=torch.bool)
    found = process.posterior(x, random(1, 4, 1, seed=1), x, nothing)
    assert found.mean.abs().max() == 0
    assert_same(found.std, torch.full_like(found.std, 2.5))


def test_curves_have_the_law_of_their_process():
    tasks = gp_tasks(3000, num_points=4, num_context=(0, 4), y_dim=2, generator=seeded())
    covariance = tasks.process.covariance(tasks.x, tasks.x) + 0.02**2 * torch.eye(4)
    factor = torch.linalg.cholesky(covariance)
    white = torch.linalg.solve_triangular(factor, tasks.y.double(), upper=False)
    second_moment = torch.einsum("biy,bjy->ij", white, white) / 6000
    assert_same(second_moment, torch.eye(4, dtype=torch.float64), 0.06)
    counts = tasks.is_context.sum(1).bincount() / 3000
    assert_same(counts, torch.full((5,), 0.2), 0.03)


def test_tasks_are_cut_with_their_processes():
    tasks = gp_tasks(5, generator=seeded())
    part = tasks[slice(1, 3)]
    assert part.x.shape[0] == part.process.length_scale.shape[0] == 2
    assert_same(part.process.output_scale, tasks.process.output_scale[1:3])
    assert tasks[-1].x.shape == (1, 50, 1)
    assert_same(tasks[-1].x[0], tasks.x[4])
    assert [len(batch) for batch in tasks.batches(2)] == [2, 2, 1]
    assert len(list(tasks)) == 5
    assert bool((tasks.is_new == ~tasks.is_context).all())


def test_no_density_exceeds_that_of_the_least_deviation():
    model = small_model(x_dim=1, y_dim=1)
    x = random(1, 9, 1) * 100
    prediction = model(x, x, x, num_samples=3)
    ceiling = -math.log(0.1) - 0.918938
    assert prediction.log_prob(prediction.mean).max() <= ceiling + 1e-6


def test_bound_stays_below_the_likelihood():
    model = small_model(x_dim=1, y_dim=1)
    x, y = random(1, 6, 1), random(1, 6, 1, seed=1)
    given = torch.arange(6)[None] < 2
    many = model(x[:, :2], y[:, :2], x, num_samples=20_000, generator=seeded())
    noise = seeded(1)
    bounds = [-6 * model.elbo(x, y, given, generator=noise).loss.item() for _ in range(200)]
    assert np.mean(bounds) < log_likelihood(many, y).item()


@pytest.mark.parametrize("options", [{"attention": None}, {"latent": False}])
def test_either_path_may_be_left_out(options):
    model = small_model(**options)
    x, y = random(2, 5, 2), random(2, 5, 3, seed=1)
    given = torch.arange(5)[None].expand(2, 5) < 3
    bound = model.elbo(x, y, given)
    bound.loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert model(x, y, x, num_samples=2).mean.shape == ((2 if model.latent_encoder else 1), 2, 5, 3)
    assert bool((bound.kl == 0).all()) == (model.latent_encoder is None)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_bfloat16_autocast_stays_near_and_gives_float32(attention):
    torch.manual_seed(0)
    model = NeuralProcess(attention=attention, width=32, num_heads=4)
    tasks = gp_tasks(4, generator=seeded())
    exact = model(tasks.x, tasks.y, tasks.x, tasks.is_context, generator=seeded())
    with torch.autocast("cpu", torch.bfloat16):
        half = model(tasks.x, tasks.y, tasks.x, tasks.is_context, generator=seeded())
        loss = model.elbo(tasks.x, tasks.y, tasks.is_context).loss
    assert half.mean.dtype == half.std.dtype == torch.float32
    assert_same(half.mean, exact.mean, 0.02)
    loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_locations_keep_their_precision_under_autocast():
    network = Mlp([1, 4, 4])
    near = torch.tensor([[1.9], [1.901]])  # one number in bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        first = network[0](near)
        kept = KernelAttention("laplace", 0.001)(near[None], torch.eye(2)[None], near[None])
        through = precise_linear(near, network[0].weight, network[0].bias)
    assert torch.equal(first[0], first[1])  # what autocast does by itself
    assert not torch.equal(through[0], through[1])
    assert kept[0, 0, 0] > 0.7


def test_masked_mean_counts_only_what_is_there():
    values = random(2, 3, 2)
    mask = torch.tensor([[True, False, True], [False, False, False]])
    expected = torch.stack([(values[0, 0] + values[0, 2]) / 2, torch.zeros(2).double()])
    mean, some = masked_mean(values, mask)
    assert_same(mean, expected)
    assert some.tolist() == [[True], [False]]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("attention", ["laplace", "multihead"])
def test_half_precision_model_trains_and_stays_near(attention, dtype):
    torch.manual_seed(0)
    model = NeuralProcess(attention=attention, width=32, num_heads=4, self_attention=1)
    tasks = gp_tasks(4, generator=seeded())
    exact = model(tasks.x, tasks.y, tasks.x, tasks.is_context, generator=seeded())
    model = model.to(dtype)
    for x in (tasks.x, tasks.x.to(dtype)):
        half = model(x, tasks.y, x, tasks.is_context, generator=seeded())
        assert_same(half.mean, exact.mean.detach(), 0.03)
    model.elbo(tasks.x, tasks.y, tasks.is_context).loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_padding_of_a_task_changes_neither_bound_nor_gradients():
    tasks = gp_tasks(3, num_points=7, num_context=(2, 5), generator=seeded())
    rows = [4, 7, 5]
    ragged = padded_tasks(
        *(
            [part[i, :n].double() if part.is_floating_point() else part[i, :n] for i, n in enumerate(rows)]
            for part in (tasks.x, tasks.y, tasks.is_context)
        )
    )  # fmt: skip
    filled = [part.masked_fill(~ragged.mask[..., None], torch.nan) for part in (ragged.x, ragged.y)]
    for attention in (*ATTENTIONS, None):
        model = small_model(attention, x_dim=1, y_dim=1, self_attention=1)
        parameters = list(model.parameters())
        noise = torch.Generator().manual_seed(3)
        whole = model.elbo(*filled, ragged.is_context, mask=ragged.mask, generator=noise)
        draws = torch.randn(1, 3, 6, generator=seeded(3), dtype=torch.float64)
        alone = []
        for i, n in enumerate(rows):
            x, y = ragged.x[i : i + 1, :n], ragged.y[i : i + 1, :n]
            with fixed_draw(draws[:, i : i + 1]):
                alone.append(model.elbo(x, y, ragged.is_context[i : i + 1, :n]).loss)
        assert_same(whole.loss, sum(alone) / 3)
        assert whole.num_points.tolist() == rows
        gradients = (torch.autograd.grad(loss, parameters) for loss in (whole.loss, sum(alone) / 3))
        for own, wanted in zip(*gradients, strict=True):
            assert_same(own, wanted)


@contextmanager
def fixed_draw(noise):
    """Let every sample of a Gaussian be mean + std * noise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Gaussian, "sample", lambda self, n, generator=None: self.mean + self.std * noise
        )
        yield


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_points_that_are_never_given_need_no_encoding(attention):
    model = small_model(attention)
    x, y = random(2, 6, 2), random(2, 6, 3, seed=1)
    given = torch.tensor([[True, False, True, False, False, False], [False] * 6])
    whole = model.elbo(x, y, given, generator=seeded())
    part = model.elbo(x, y, given[:, :3], generator=seeded())
    assert_same(part.loss, whole.loss)


def test_targets_that_all_tasks_share_are_written_once():
    for attention in (*ATTENTIONS, None):
        model = small_model(attention)
        x, y, x_T = random(2, 5, 2), random(2, 5, 3, seed=1), random(1, 4, 2, seed=2)
        shared = model(x, y, x_T, generator=seeded())
        assert_same(shared.mean, model(x, y, x_T.repeat(2, 1, 1), generator=seeded()).mean)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_no_tasks_have_a_loss_of_zero_and_gradients_of_zero(attention):
    model = NeuralProcess(attention=attention, width=8, num_heads=2, self_attention=1)
    x = torch.zeros(0, 4, 1)
    assert model(x, x, x).mean.shape == (1, 0, 4, 1)
    loss = model.elbo(x, x, torch.zeros(0, 4, dtype=torch.bool)).loss
    loss.backward()
    assert loss == 0
    assert all(p.grad is None or p.grad.abs().max() == 0 for p in model.parameters())


@pytest.mark.parametrize("kernel", sorted(COVARIANCES))
def test_curves_of_every_kernel_have_its_covariance(kernel):
    process = GaussianProcess(torch.full((4000,), 0.5), torch.full((4000,), 2.0), 0.1, kernel)
    x = torch.tensor([0.0, 0.1, 0.6, 0.5 * math.pi / 2])[None, :, None].expand(4000, -1, -1)
    y = process.sample(x, generator=seeded()).double()[..., 0]
    d = (x[0] - x[0].T).double().abs() / 0.5
    by_hand = {
        "squared_exponential": (-d * d / 2).exp(),
        "matern_12": (-d).exp(),
        "matern_32": (1 + 3**0.5 * d) * (-(3**0.5) * d).exp(),
        "matern_52": (1 + 5**0.5 * d + 5 * d * d / 3) * (-(5**0.5) * d).exp(),
        "periodic": (-2 * (2 * d).sin() ** 2).exp(),  # again itself after π/2 length scales
    }
    expected = 4 * by_hand[kernel]
    assert_same(process.covariance(x[:1], x[:1])[5], expected, 1e-6)
    assert_same(y.T @ y / 4000, expected + 0.01 * torch.eye(4), 0.3)


def test_saws_rise_or_fall_by_one_over_a_tooth():
    tasks = sawtooth_tasks(50, num_points=400, num_context=(0, 9), frequency=(1.0, 1.0), noise=0.0, generator=seeded())  # fmt: skip
    assert tasks.y.abs().max() <= 0.5
    assert tasks.reach == 9
    slopes = []
    for x, y in zip(tasks.x[..., 0], tasks.y[..., 0], strict=True):
        order = x.argsort()
        slopes.append(float((y[order].diff() / x[order].diff()).median()))
    assert all(abs(abs(slope) - 1) < 0.02 for slope in slopes)
    assert 10 < sum(slope > 0 for slope in slopes) < 40


X, Y = torch.zeros(2, 5, 1), torch.zeros(2, 5, 1)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: NeuralProcess(attention="cosine"), "attention is 'cosine'; known are uniform, lap"),
        (lambda: NeuralProcess(min_std=0.0), "min_std is 0; it must lie between 0 and 1"),
        (lambda: GaussianProcess(X, Y, kernel="rbf"), "kernel is 'rbf'; known are squared_exp"),
        (lambda: padded_tasks([X[0]], [Y[0, :4]], [X[0, :, 0] > 0]), "Task 0 has 5 rows of x, 4 of y"),
        (lambda: NeuralProcess(attention=None, latent=False), "nothing of the context is left"),
        (lambda: MultiheadAttention(1, 10, 4), "4 heads cannot share a width of 10 evenly"),
        (lambda: NeuralProcess()(X, Y[:, :4], X), r"x is \(2, 5, 1\) and its y \(2, 4, 1\)"),
        (lambda: NeuralProcess()(X, Y, torch.zeros(3, 5, 1)), r"x_target is \(3, 5, 1\), .* needs \(2 or 1, targets, 1\)"),
        (lambda: NeuralProcess()(X, Y, X, torch.ones(2, 5)), r"mask is torch.float32 \(2, 5\)"),
        (lambda: NeuralProcess().elbo(X, Y, torch.ones(5) > 0), r"it must be bool \(2, 5\)"),
        (lambda: gp_tasks(1, num_points=4), r"num_context is \(3, 49\), .* most of 4 points"),
    ],
)  # fmt: skip
def test_errors_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
