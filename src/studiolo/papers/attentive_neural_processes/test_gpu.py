"""The recorded step: on a CPU the class without a graph; on a CUDA device the graph beside it."""

import pytest
import torch

from . import gpu
from .fit import fit
from .model import NeuralProcess
from .tasks import gp_tasks


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here")


def tasks_on(device, seed=0, number=16):
    return gp_tasks(number, generator=torch.Generator(device).manual_seed(seed))


def small_model(device="cpu", **options):
    torch.manual_seed(0)
    return NeuralProcess(**{"width": 16, "num_heads": 2} | options).to(device)


def test_a_graph_needs_a_cuda_device():
    with pytest.raises(ValueError, match="The model is on cpu; a CUDA graph needs it on a CUDA"):
        gpu.TrainingStep(small_model(), tasks_on("cpu"))


def test_a_step_refuses_tasks_of_another_shape():
    step = gpu.TrainingStep(small_model(), tasks_on("cpu"), graph=False)
    with pytest.raises(
        ValueError, match=r"made for x \(16, 50, 1\), without a mask; .* \(8, 50, 1\)"
    ):
        step(tasks_on("cpu", number=8))


def test_training_without_a_graph_is_that_of_fit():
    batches = list(tasks_on("cpu", number=5 * 8).batches(8))
    one, other = small_model(latent=False), small_model(latent=False)
    first = fit(one, batches, steps=5, learning_rate=1e-2)
    second = gpu.fit(other, batches, steps=5, learning_rate=1e-2, graph=False, every=2, evaluate=lambda m: 0.0)  # fmt: skip
    torch.testing.assert_close(first.losses, second.losses)
    assert [step for step, _, _ in second.evaluations] == [2, 4, 5]
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("options", [{}, {"attention": "laplace"}, {"self_attention": 1}])
@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16])
def test_replayed_steps_are_the_steps_themselves(options, dtype):
    batches = list(tasks_on("cuda", number=10 * 16).batches(16))
    losses, models = [], []
    for graph in (True, False):
        model = small_model("cuda", latent=False, **options)
        history = gpu.fit(model, batches, steps=10, autocast=dtype, graph=graph)
        losses.append(torch.tensor(history.losses))
        models.append(model)
    tolerance = 1e-4 if dtype is None else 2e-2
    torch.testing.assert_close(*losses, rtol=tolerance, atol=tolerance)
    for a, b in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(a, b, rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.gpu
@needs_cuda
def test_recording_leaves_the_model_as_it_was_and_draws_anew_each_time():
    model = small_model("cuda")
    before = [p.detach().clone() for p in model.parameters()]
    tasks = tasks_on("cuda")
    step = gpu.TrainingStep(model, tasks, learning_rate=0.0)
    losses = [float(step(tasks)) for _ in range(3)]
    for a, b in zip(model.parameters(), before, strict=True):
        assert torch.equal(a, b)
    assert len(set(losses)) == 3  # another z each time


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize(
    "attention", ["uniform", "laplace", "gaussian", "dot_product", "l2", "multihead"]
)
def test_device_agrees_with_double_precision(attention):
    tasks = tasks_on("cpu")
    model = small_model(attention=attention, latent=False)
    exact = small_model(attention=attention, latent=False).double()
    expected = exact.elbo(tasks.x.double(), tasks.y.double(), tasks.is_context)
    expected.loss.backward()
    wanted = torch.cat([p.grad.flatten() for p in exact.parameters()])
    x, y, given = (part.cuda() for part in (tasks.x, tasks.y, tasks.is_context))
    for dtype, bar in ((None, 1e-3), (torch.bfloat16, 3e-2), (torch.float16, 1e-2)):
        model = model.cuda()
        model.zero_grad()
        with torch.autocast("cuda", dtype or torch.bfloat16, enabled=dtype is not None):
            found = model.elbo(x, y, given)
        found.loss.backward()
        own = torch.cat([p.grad.flatten() for p in model.parameters()]).cpu().double()
        error = (
            found.log_prob.cpu().double() - expected.log_prob
        ).norm() / expected.log_prob.norm()
        assert error < bar
        assert (own - wanted).norm() / wanted.norm() < 3 * bar


@pytest.mark.gpu
@needs_cuda
def test_half_precision_models_and_curves_on_the_device():
    tasks = tasks_on("cuda")
    oracle = tasks.process.posterior(tasks.x, tasks.y, tasks.x, tasks.is_context)
    assert oracle.mean.is_cuda
    for dtype in (torch.bfloat16, torch.float16):
        model = small_model("cuda", self_attention=1).to(dtype)
        loss = model.elbo(tasks.x, tasks.y, tasks.is_context).loss
        loss.backward()
        assert loss.isfinite()
        assert all(p.grad.isfinite().all() for p in model.parameters())
