import pytest
import torch

from . import experiments, gpu
from .model import Population


def values_and_gradients(name, k, i, out, channels, device="cpu", dtype=torch.float64):
    torch.manual_seed(0)
    kernels = torch.randn(k, out, i, 3, 3, dtype=dtype).to(device).requires_grad_()
    x = torch.randn(2, channels, 6, 5, dtype=dtype).to(device).requires_grad_()
    found = gpu.PROGRAMS[name](x, kernels)
    return [found, *torch.autograd.grad(found.square().sum(), (x, kernels))]


@pytest.mark.parametrize("name", gpu.PROGRAMS)
@pytest.mark.parametrize("sizes", [(3, 2, 4, 6), (3, 2, 4, 2), (1, 2, 4, 2), (4, 1, 3, 4)], ids=str)
def test_every_program_is_the_grouped_convolution(name, sizes):
    found, wanted = (values_and_gradients(one, *sizes) for one in (name, "grouped"))
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-12)


def test_program_is_chosen_inside():
    x = torch.zeros(1)
    assert not gpu.serves(x)
    with gpu.program("members"):
        assert gpu.serves(x)
    assert not gpu.serves(x)
    sentence = "There is no program 'fast': choose one of grouped, channels_last, columns, members"
    with pytest.raises(ValueError, match=sentence), gpu.program("fast"):
        pass


@pytest.mark.gpu
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.float16], ids=lambda d: str(d)[6:]
)
@pytest.mark.parametrize("name", gpu.PROGRAMS)
def test_population_computes_the_same_by_every_program(name, dtype, device):
    generators = [torch.Generator().manual_seed(k) for k in range(3)]
    population = Population([(8, 8), 16, 5], generators, (4, 4))
    x = torch.rand(3, 6, 8, 8)
    wanted = population.to(dtype).double()(x.to(dtype).double())
    with gpu.program(name):
        found = population.to(device, dtype)(x.to(device, dtype)).cpu().double()
    limit = {torch.float32: 2e-3, torch.bfloat16: 4e-2, torch.float16: 5e-3}[dtype]
    assert (found - wanted).norm() / wanted.norm() <= limit


@pytest.mark.gpu
def test_experiment_of_the_claims_runs_at_any_size(device):
    outcome = experiments.stack_on_gpu(
        seed=1, device=device, members=2, batch=4, channels=(2, 3), side=8, pairs=1
    )
    assert all(value > 0 for value in outcome.values.values())
