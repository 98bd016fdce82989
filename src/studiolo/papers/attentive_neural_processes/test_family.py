"""What is done with a model: prediction, sampling one by one, training, images."""

import math

import pytest
import torch

from .fit import fit, loss_of
from .gaussian import Gaussian
from .images import complete, image_tasks, pixel_grid, shrink, upscale
from .model import NeuralProcess
from .predict import log_prob_autoregressive, predict, sample_autoregressive
from .tasks import gp_tasks


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def small_model(**options):
    torch.manual_seed(0)
    return NeuralProcess(**{"width": 8, "num_heads": 2} | options).double()


def assert_same(a, b, tolerance=1e-10):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_prediction_is_the_mean_and_deviation_of_the_mixture():
    model = small_model()
    x, y, x_T = random(2, 5, 1), random(2, 5, 1, seed=1), random(2, 3, 1, seed=2)
    found = predict(model, x, y, x_T, num_samples=20_000, generator=seeded())
    each = model(x, y, x_T, num_samples=20_000, generator=seeded())
    draws = each.mean + each.std * random(20_000, 2, 3, 1, seed=3)
    assert_same(found.mean, draws.mean(0).detach(), 0.02)
    assert_same(found.std, draws.std(0).detach(), 0.02)
    assert found.samples.shape == (20_000, 2, 3, 1)
    assert not found.mean.requires_grad


def test_density_one_by_one_is_the_chain_rule():
    model = small_model(latent=False)
    x, y, x_T = random(2, 4, 1), random(2, 4, 1, seed=1), random(2, 3, 1, seed=2)
    y_T = random(2, 3, 1, seed=3)
    mask = torch.tensor([[True, True, False, True], [False] * 4])
    whole = log_prob_autoregressive(model, x, y, x_T, y_T, mask)
    for task in range(2):
        expected = 0.0
        x_C, y_C = x[task : task + 1, mask[task]], y[task : task + 1, mask[task]]
        for i in range(3):
            here = model(x_C, y_C, x_T[task : task + 1, i : i + 1])
            expected += here.log_prob(y_T[task : task + 1, i : i + 1]).sum()
            x_C = torch.cat([x_C, x_T[task : task + 1, i : i + 1]], 1)
            y_C = torch.cat([y_C, y_T[task : task + 1, i : i + 1]], 1)
        assert_same(whole[task], expected.detach())


def test_draws_one_by_one_have_the_density_of_the_chain():
    model = small_model(latent=False)
    x, y, x_T = random(1, 3, 1), random(1, 3, 1, seed=1), random(1, 2, 1, seed=2)
    order = torch.tensor([1, 0])
    drawn = sample_autoregressive(
        model, x, y, x_T, num_samples=4000, order=order, generator=seeded()
    )
    assert drawn.shape == (4000, 1, 2, 1)
    first = model(x, y, x_T[:, 1:])
    assert_same(drawn[:, 0, 1].mean(0), first.mean[0, 0, 0], 0.05)
    given = [torch.cat([a.repeat(4000, 1, 1), b], 1) for a, b in ((x, x_T[:, 1:].repeat(4000, 1, 1)), (y, drawn[:, 0, 1:]))]  # fmt: skip
    second = model(*given, x_T[:, :1].repeat(4000, 1, 1))
    white = ((drawn[:, 0, :1] - second.mean[0]) / second.std[0]).detach()
    assert abs(float(white.mean())) < 0.05
    assert float(white.std()) == pytest.approx(1, abs=0.05)


def test_fit_lowers_the_loss_reports_progress_and_repeats():
    seen = []
    losses = []
    for _ in range(2):
        model = small_model().float()
        batches = gp_tasks(30 * 8, num_points=10, num_context=(3, 9), generator=seeded()).batches(8)
        history = fit(
            model, batches, steps=30, learning_rate=1e-2, generator=seeded(),
            evaluate=lambda model: 1.0, every=10, progress=lambda step, loss: seen.append((step, loss)),
        )  # fmt: skip
        losses.append(history.losses)
    assert losses[0] == losses[1]
    assert [step for step, _ in seen[:30]] == list(range(1, 31))
    assert [loss for _, loss in seen[:30]] == pytest.approx(losses[0])
    assert sum(losses[0][-5:]) < sum(losses[0][:5])
    assert [step for step, _, _ in history.evaluations] == [10, 20, 30]


def test_fit_on_ragged_tasks_leaves_padding_out():
    tasks = gp_tasks(8, num_points=10, num_context=(3, 5), generator=seeded())
    model = small_model().float()
    loss = loss_of(model, tasks, generator=seeded())
    expected = model.elbo(tasks.x, tasks.y, tasks.is_context, generator=seeded()).loss
    assert_same(loss, expected, 1e-6)


def test_cuda_graph_refuses_what_it_cannot_serve():
    with pytest.raises(
        ValueError, match="cuda_graph goes without progress, clip_norm and generator"
    ):
        fit(small_model(), [], steps=1, cuda_graph=True, clip_norm=1.0)


def test_pixels_of_a_coarse_image_lie_amid_those_of_a_fine_one():
    fine, coarse = pixel_grid(4, 6), pixel_grid(2, 3)
    assert_same(coarse, fine.reshape(2, 2, 3, 2, 2).mean((1, 3)).reshape(6, 2), 1e-6)
    assert fine[0].tolist() == pytest.approx([-0.75, -5 / 6])
    images = random(2, 4, 6)
    assert_same(shrink(images, 2), images.reshape(2, 2, 2, 3, 2).mean((2, 4)))


def test_image_tasks_hold_pixels_at_their_places():
    images = torch.rand(3, 4, 5, generator=seeded())
    tasks = image_tasks(images, num_context=(1, 6), num_points=12, generator=seeded(1))
    assert tasks.x.shape == (3, 12, 2)
    assert tasks.reach == 6
    rows = ((tasks.x[..., 0] + 1) * 4 / 2).long()
    columns = ((tasks.x[..., 1] + 1) * 5 / 2).long()
    there = images[torch.arange(3)[:, None], rows, columns]
    assert_same(tasks.y[..., 0] + 0.5, there, 1e-6)
    assert all(len({tuple(p) for p in task.tolist()}) == 12 for task in tasks.x)
    counts = tasks.is_context.sum(1)
    assert bool(((counts >= 1) & (counts <= 6)).all())
    colour = image_tasks(torch.rand(3, 4, 5, 3), num_context=(1, 20), generator=seeded(1))
    assert colour.y.shape == (3, 20, 3)


class Copier(NeuralProcess):
    """Say of each target what the nearest context point has."""

    def forward(self, x, y, x_T, mask=None, *, num_samples=1, generator=None):
        distance = torch.cdist(x_T.expand(len(x), -1, -1), x)
        if mask is not None:
            distance = distance.masked_fill(~mask[:, None], math.inf)
        nearest = distance.argmin(-1, keepdim=True).expand(-1, -1, y.shape[2])
        mean = y.gather(1, nearest)[None]
        return Gaussian(mean, torch.ones_like(mean))


def test_completion_puts_pixels_where_they_belong():
    images = torch.rand(3, 4, 6, generator=seeded())
    upper = torch.zeros(4, 6, dtype=torch.bool)
    upper[:2] = True
    found = complete(Copier(), images.masked_fill(~upper, torch.nan), upper)
    assert_same(found.mean[:, :2], images[:, :2], 1e-6)
    assert_same(found.mean[:, 2:], images[:, 1:2].expand(-1, 2, -1), 1e-6)
    ragged = torch.rand(3, 4, 6, generator=seeded(1)) < torch.tensor([0.2, 0.5, 0.9])[:, None, None]
    own = complete(Copier(), images, ragged).mean
    assert_same(own[ragged], images[ragged], 1e-6)
    assert complete(Copier(), torch.rand(2, 3, 3, 3), ragged[:2, :3, :3]).mean.shape == (2, 3, 3, 3)


def test_upscaling_covers_the_same_square():
    small = torch.rand(2, 2, 3, generator=seeded())
    large = upscale(Copier(), small, (4, 6))
    assert_same(large.mean, small.repeat_interleave(2, 1).repeat_interleave(2, 2), 1e-6)


@pytest.mark.filterwarnings("ignore:var:UserWarning")  # of nothing
@pytest.mark.parametrize("colours", [(), (3,)])
def test_no_images_are_completed_and_enlarged_to_none(colours):
    none, model = torch.zeros(0, 3, 4, *colours), NeuralProcess(2, colours[0] if colours else 1)
    assert complete(model, none, torch.ones(3, 4, dtype=torch.bool)).mean.shape == none.shape
    assert upscale(model, none, (6, 8)).mean.shape == (0, 6, 8, *colours)


def test_more_context_than_pixels_is_refused():
    with pytest.raises(
        ValueError, match=r"num_context is \(1, 9\), .* of 8 points out of 12 pixels"
    ):
        image_tasks(torch.zeros(1, 3, 4), num_context=(1, 9), num_points=8)
