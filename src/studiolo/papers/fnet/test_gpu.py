import os

import pytest
import torch


if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

pytest.importorskip("triton", reason="Triton's programs need triton, which is not installed")

from . import gpu
from .folded import folded_mix
from .mixing import fourier_mix


needs_device = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
interpreted = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") != "1",
    reason="Triton was imported before it could be told to interpret, or there is a device",
)
SHAPES = [(1, 1), (1, 2), (2, 1), (3, 5), (6, 4), (7, 9), (8, 12)]


def double(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def error(out, exact):
    assert bool(out.isfinite().all())
    return float((out.detach().double().cpu() - exact).norm() / exact.norm().clamp(min=1e-30))


def exact_block(x, weight, bias, grad):
    x, weight, bias = (t.double().cpu().requires_grad_() for t in (x, weight, bias))
    mixed = torch.fft.fftn(x, dim=(1, 2)).real
    out = torch.nn.functional.layer_norm(x + mixed, x.shape[-1:], weight, bias, 1e-12)
    return [out.detach(), *torch.autograd.grad(out, (x, weight, bias), grad.double().cpu())]


@pytest.mark.parametrize(("l", "d"), SHAPES)
def test_folded_products_are_the_transform(l, d):
    x = double(3, l, d)
    torch.testing.assert_close(folded_mix(x), fourier_mix(x), rtol=0, atol=1e-12)


@interpreted
@pytest.mark.parametrize(("l", "d"), SHAPES)
def test_programs_equal_the_transform_in_the_interpreter(l, d):
    x, grad = double(2, l, d).float().requires_grad_(), double(2, l, d, seed=1).float()
    out = gpu.mix(x)
    exact = fourier_mix(x.detach().double())
    assert error(out, exact) < 1e-5
    (x_grad,) = torch.autograd.grad(out, x, grad)
    assert error(x_grad, fourier_mix(grad.double())) < 1e-5


@interpreted
@pytest.mark.parametrize(("l", "d"), [(1, 3), (5, 6), (6, 7)])
def test_mixing_and_norm_are_one_program_in_the_interpreter(l, d):
    x, grad = double(2, l, d).float().requires_grad_(), double(2, l, d, seed=1).float()
    weight, bias = (double(d, seed=s).float().requires_grad_() for s in (2, 3))
    exact = exact_block(x.detach(), weight.detach(), bias.detach(), grad)
    out = gpu.mix_add_norm(x, weight, bias, 1e-12)
    ours = [out, *torch.autograd.grad(out, (x, weight, bias), grad)]
    assert max(error(a, b) for a, b in zip(ours, exact, strict=True)) < 2e-5


@pytest.mark.gpu
@needs_device
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "shape", [(2, 7, 9), (3, 128, 96), (2, 511, 767), (4, 512, 768), (1, 2048, 768)]
)
def test_programs_equal_the_transform_on_the_device(shape, dtype):
    seed = int(torch.randint(2**31, ()))
    x = double(*shape, seed=seed).to("cuda", dtype).requires_grad_()
    grad = double(*shape, seed=seed + 1).to("cuda", dtype)
    poison = torch.full((4, *shape), torch.nan, device="cuda")
    del poison  # what is not written would be NaN
    bar = 1e-2 if dtype == torch.bfloat16 else 1.5e-3
    out = gpu.mix(x)
    assert out.dtype == torch.float32
    assert error(out, fourier_mix(x.detach().double().cpu())) < bar
    (x_grad,) = torch.autograd.grad(out, x, grad.float())
    assert error(x_grad, fourier_mix(grad.double().cpu())) < bar


@pytest.mark.gpu
@needs_device
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(2, 7, 9), (4, 512, 768), (1, 2048, 768)])
def test_mixing_and_norm_are_one_program_on_the_device(shape, dtype):
    seed = int(torch.randint(2**31, ()))
    x, grad = (double(*shape, seed=seed + i).to("cuda", dtype) for i in range(2))
    weight, bias = (double(shape[-1], seed=seed + i).to("cuda", dtype) for i in (2, 3))
    inputs = tuple(t.requires_grad_() for t in (x, weight, bias))
    exact = exact_block(x.detach(), weight.detach(), bias.detach(), grad)
    out = gpu.mix_add_norm(x, weight, bias, 1e-12)
    ours = [out, *torch.autograd.grad(out, inputs, grad)]
    bar = 2e-2 if dtype == torch.bfloat16 else 3e-3
    assert max(error(a, b) for a, b in zip(ours, exact, strict=True)) < bar


@pytest.mark.gpu
@needs_device
def test_fourier_mixing_runs_on_the_device_in_every_precision():
    for dtype, bar in ((torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 1e-2)):
        x = double(3, 33, 20).to("cuda", dtype).requires_grad_()
        y = fourier_mix(x)
        assert error(y, fourier_mix(x.detach().double().cpu())) < bar
        y.sum().backward()
        assert x.grad is not None
