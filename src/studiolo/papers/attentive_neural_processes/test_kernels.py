"""One view: what is a mean, a kernel regression, an attention or a Gaussian process is said here by equality."""

import pytest
import torch
from torch.nn import functional as F

from . import reference
from .attention import KernelAttention, attend_in_heads
from .kernels import KERNELS, Kernel, kernel_attention
from .l2 import L2Attention, inverse_phi, jacobian_norm
from .processes import GaussianProcess


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def assert_same(a, b, tolerance=1e-10):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_gaussian_weights_that_sum_to_one_are_nadaraya_watson_regression():
    x, y, x_T = random(5, 2), random(5, 3, seed=1), random(4, 2, seed=2)
    found = kernel_attention(x_T, x, y, kernel="gaussian", scale=0.7)
    assert_same(found, torch.stack([reference.nadaraya_watson(x, y, q, 0.7) for q in x_T]))


def test_gaussian_weights_that_are_solved_for_are_the_mean_of_a_gaussian_process():
    process = GaussianProcess(torch.tensor([0.7]), torch.tensor([1.5]), noise=0.3)
    x, y, x_T = random(1, 5, 2), random(1, 5, 3, seed=1), random(1, 4, 2, seed=2)
    mask = torch.tensor([[True, True, False, True, True]])
    found = kernel_attention(
        x_T, x, y, kernel="gaussian", normalise="solve", scale=0.7, noise=0.3 / 1.5, mask=mask
    )
    assert_same(found, process.posterior(x, y, x_T, mask).mean, 1e-6)
    expected = [
        reference.gp_posterior(x[0, mask[0]], y[0, mask[0]], q, 0.7, 1.5, 0.3) for q in x_T[0]
    ]
    assert_same(found[0], torch.stack([mean for mean, _ in expected]), 1e-6)


def test_solved_weights_without_noise_pass_through_every_point():
    x, y = random(6, 1), random(6, 2, seed=1)
    found = kernel_attention(x, x, y, kernel="gaussian", normalise="solve", scale=0.1)
    assert_same(found, y, 1e-4)


def test_dot_products_that_sum_to_one_are_the_attention_of_transformers():
    q, k, v = random(2, 4, 6), random(2, 5, 6, seed=1), random(2, 5, 3, seed=2)
    assert_same(kernel_attention(q, k, v), F.scaled_dot_product_attention(q, k, v))
    heads = attend_in_heads(q, k, k, 3)
    parts = [kernel_attention(*(part.chunk(3, -1)[h] for part in (q, k, k))) for h in range(3)]
    assert_same(heads, torch.cat(parts, -1))


def test_a_kernel_that_sees_no_difference_gives_the_mean():
    q, k, v = random(2, 4, 6), random(2, 5, 6, seed=1), random(2, 5, 3, seed=2)
    assert_same(
        kernel_attention(q, k, v, kernel="uniform"), v.mean(1, keepdim=True).expand(2, 4, 3)
    )
    wide = kernel_attention(q, k, v, kernel="gaussian", scale=1e6)
    assert_same(wide, v.mean(1, keepdim=True).expand(2, 4, 3), 1e-9)


def test_dot_products_are_distances_where_keys_have_one_length():
    q, v = random(4, 6), random(5, 3, seed=2)
    k = F.normalize(random(5, 6, seed=1), dim=-1)
    by_distance = kernel_attention(q, k, v, kernel="l2", scale=0.5)
    assert_same(kernel_attention(q, k, v, kernel="dot"), by_distance)


def test_any_score_can_be_a_kernel():
    q, k, v = random(4, 2), random(5, 2, seed=1), random(5, 3, seed=2)
    same = Kernel(lambda q, k, scale: q @ k.mT * scale)
    assert_same(
        kernel_attention(q, k, v, kernel=same, scale=2**-0.5),
        kernel_attention(q, k, v, kernel="dot"),
    )


@pytest.mark.parametrize("normalise", ["sum", "none", "solve"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_masked_keys_are_as_if_absent_and_no_key_gives_zero(kernel, normalise):
    q, k, v = random(2, 3, 2), random(2, 5, 2, seed=1), random(2, 5, 3, seed=2)
    mask = torch.tensor([[True, False, True, True, False], [False] * 5])
    options = {"kernel": kernel, "normalise": normalise, "noise": 0.5}
    found = kernel_attention(q, k, v, mask=mask, **options)
    assert_same(found[0], kernel_attention(q[0], k[0, mask[0]], v[0, mask[0]], **options))
    assert found[1].abs().max() == 0


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_have_second_derivatives_and_half_precision(kernel):
    q, k, v = (random(*s, seed=i).requires_grad_() for i, s in enumerate([(2, 2), (3, 2), (3, 2)]))

    def attend(q, k, v):
        return kernel_attention(q, k, v, kernel=kernel)

    assert torch.autograd.gradcheck(attend, (q, k, v))
    assert torch.autograd.gradgradcheck(attend, (q, k, v))
    exact = attend(q, k, v)
    for dtype in (torch.bfloat16, torch.float16):
        half = attend(*(part.to(dtype) for part in (q, k, v)))
        assert half.dtype == dtype
        assert_same(half.double(), exact, 0.03)


def test_distances_of_many_coordinates_equal_those_of_few():
    q, k, v = random(4, 9), random(5, 9, seed=1), random(5, 3, seed=2)
    found = kernel_attention(q, k, v, kernel="gaussian", scale=1.3)
    expected = [reference.gaussian(k, v, row, 1.3) for row in q]
    assert_same(found, torch.stack(expected))


def test_cost_of_a_context_within_the_targets_does_not_hang_on_who_holds_it():
    attention = KernelAttention("laplace", 0.5)
    x, r = random(2, 5, 1), random(2, 3, 4, seed=1)
    assert_same(attention(None, r, x), attention(x[:, :3].clone(), r, x))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kernel": "cosine"}, "kernel is 'cosine'; known are uniform, laplace, gaussian, dot, l2"),
        ({"normalise": "max"}, "normalise is 'max'; known are 'sum', 'solve' and 'none'"),
    ],
)
def test_unknown_names_are_refused(options, sentence):
    x = torch.zeros(2, 1)
    with pytest.raises(ValueError, match=sentence):
        kernel_attention(x, x, x, **options)


def test_l2_attention_equals_the_reference():
    torch.manual_seed(0)
    attention = L2Attention(6, 3).double()
    x = random(2, 5, 6)
    mask = torch.tensor([[True] * 5, [True, True, False, True, False]])
    found = attention(x, mask)
    for task, seen in enumerate(mask):
        rows = reference.l2_self_attention(
            x[task, seen], attention.query, attention.value, attention.output.weight
        )
        assert_same(found[task, seen], torch.stack(rows))


def test_inverse_phi_inverts():
    for value in (0.01, 1.0, 99.0, 1e6):
        x = inverse_phi(value)
        assert x * 2.718281828459045 ** (x + 1) == pytest.approx(value)
    assert inverse_phi(0.0) == 0


@pytest.mark.parametrize("num_heads", [1, 2])
def test_no_jacobian_exceeds_the_bound(num_heads):
    torch.manual_seed(0)
    attention = L2Attention(4, num_heads).double()
    bounds = attention.lipschitz_bound(6), attention.lipschitz_bound(6, "2")
    for trial in range(20):
        x = random(1, 6, 4, seed=trial) * 4 ** (trial % 4 - 1)
        jacobian = torch.autograd.functional.jacobian(lambda x: attention(x)[0], x)[:, :, 0]
        assert jacobian_norm(jacobian) <= bounds[0]
        assert torch.linalg.matrix_norm(jacobian.reshape(24, 24), 2) <= bounds[1]


def test_bounds_scale_as_the_map_does():
    torch.manual_seed(0)
    attention = L2Attention(4, 2)
    before = [attention.lipschitz_bound(6, norm) for norm in ("inf", "2")]
    with torch.no_grad():
        attention.query.mul_(3)  # f(X) becomes 3 f(3 X): nine times as steep
    after = [attention.lipschitz_bound(6, norm) for norm in ("inf", "2")]
    assert after == pytest.approx([9 * bound for bound in before])
