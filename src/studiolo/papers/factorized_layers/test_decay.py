import pytest
import torch
from torch import nn

from . import reference
from .convert import factorize
from .decay import (
    attach_frobenius_decay,
    factor_pairs,
    frobenius_decay,
    parameter_groups,
)
from .gram import frobenius_gradients, squared_norm
from .model import FactorizedConv2d, FactorizedLinear
from .test_paper import assert_same, normal, small_net


@pytest.mark.parametrize(("m", "n", "rank"), [(7, 5, 3), (1, 6, 2), (4, 4, 9)])
def test_gram_trick_equals_the_formed_product(m, n, rank):
    u, v = normal(m, rank).requires_grad_(), normal(n, rank, seed=1).requires_grad_()
    assert_same(squared_norm(u, v) / 2, reference.frobenius_decay(u, v))
    expected = torch.autograd.grad(reference.frobenius_decay(u, v), [u, v])
    through_grams = torch.autograd.grad(squared_norm(u, v) / 2, [u, v])
    for grads in (through_grams, frobenius_gradients(u, v)):
        for grad, right in zip(grads, expected, strict=True):
            assert_same(grad, right)
    assert torch.autograd.gradcheck(squared_norm, (u, v))


def test_squared_norm_takes_a_batch_of_heads():
    u, v = normal(2, 3, 7, 2), normal(2, 3, 5, 2, seed=1)
    assert_same(squared_norm(u, v), (u @ v.mT).square().sum((-2, -1)))


@pytest.mark.parametrize("unfolding", ["spatial", "channel"])
def test_decay_of_a_layer_is_that_of_its_kernel(unfolding):
    layer = FactorizedConv2d(4, 5, (3, 2), rank=3, unfolding=unfolding, dtype=torch.float64)
    assert_same(frobenius_decay(layer), layer.weight.square().sum() / 2)


def test_attached_decay_steps_like_the_term_in_the_loss():
    x = normal(3, 3, 7, 8)
    ends = []
    for attached in (False, True):
        torch.manual_seed(0)
        net = factorize(small_net(), 0.7, keep=[])
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        handle = attach_frobenius_decay(optimizer, net, 0.1) if attached else None
        for _ in range(3):
            optimizer.zero_grad()
            loss = net(x).square().mean()
            (loss if attached else loss + 0.1 * frobenius_decay(net)).backward()
            optimizer.step()
        if handle is not None:
            handle.remove()
            optimizer.zero_grad()
            before = net[0].U.detach().clone()
            optimizer.step()
            assert_same(net[0].U.detach(), before)
        ends.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert_same(*ends)


def test_parameter_groups_leave_the_factors_to_frobenius_decay():
    net = factorize(small_net(), 0.7, keep=[])
    others, factors = parameter_groups(net, weight_decay=5e-4)
    assert (others["weight_decay"], factors["weight_decay"]) == (5e-4, 0.0)
    assert [id(p) for p in factors["params"]] == [id(p) for pair in factor_pairs(net) for p in pair]
    assert len(others["params"]) + len(factors["params"]) == len(list(net.parameters()))


def test_attached_decay_refuses_a_closure():
    layer = FactorizedLinear(4, 4, rank=1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    attach_frobenius_decay(optimizer, layer, 0.1)
    with pytest.raises(ValueError, match="is given a closure; add frobenius_decay"):
        optimizer.step(lambda: 0.0)


@pytest.mark.parametrize(("m", "n", "rank"), [(7, 5, 3), (4, 4, 9)])
def test_three_factors_decay_like_their_product(m, n, rank):
    u, middle, v = (
        x.requires_grad_() for x in (normal(m, rank), normal(rank, rank, seed=2), normal(n, rank))
    )
    half = reference.three_factors(u, middle, v).square().sum() / 2
    assert_same(squared_norm(u, v, middle) / 2, half)
    expected = torch.autograd.grad(half, [u, v, middle])
    for grad, right in zip(frobenius_gradients(u, v, middle), expected, strict=True):
        assert_same(grad, right)


OPTIMIZERS = {
    "SGD": lambda ps, fused: torch.optim.SGD(ps, lr=0.1, momentum=0.9, fused=fused),
    "Adam": lambda ps, fused: torch.optim.Adam(ps, lr=0.01, eps=1e-3, fused=fused),
    "maximizing SGD": lambda ps, fused: torch.optim.SGD(ps, lr=0.1, maximize=True, fused=fused),
}


def three_steps(optimizer, *, fused, scaled, decoupled, dtype=torch.float32, skip=False):
    """U of a factorized layer after three steps under Frobenius decay, and how far one went from its start."""
    torch.manual_seed(0)
    layer = FactorizedLinear(6, 5, rank=2, dtype=dtype)
    stepper = OPTIMIZERS[optimizer](layer.parameters(), fused)
    attach_frobenius_decay(stepper, layer, 0.5, decoupled=decoupled)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=scaled)
    x = normal(4, 6, dtype=torch.float32).to(dtype)
    start = layer.U.detach().clone()
    for _ in range(3):
        stepper.zero_grad()
        scaler.scale(layer(x).float().square().mean()).backward()
        if skip:
            layer.U.grad[0, 0] = torch.inf
        scaler.step(stepper)
        scaler.update()
    return layer.U.detach().float(), start.float()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("decoupled", [False, True])
def test_decay_is_the_same_whether_fused_or_scaled(optimizer, decoupled):
    plain, start = three_steps(optimizer, fused=False, scaled=False, decoupled=decoupled)
    assert (plain - start).norm() > 0.05
    for fused, scaled in ((False, True), (True, False), (True, True)):
        found, _ = three_steps(optimizer, fused=fused, scaled=scaled, decoupled=decoupled)
        assert_same(found, plain, 1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize(("fused", "scaled"), [(True, True), (True, False), (False, False)])
def test_decay_in_half_precision_is_close_to_that_in_single(dtype, decoupled, fused, scaled):
    # GradScaler itself refuses float16 gradients where it has to unscale them before the step
    single, start = three_steps("SGD", fused=False, scaled=False, decoupled=decoupled)
    half, _ = three_steps("SGD", fused=fused, scaled=scaled, decoupled=decoupled, dtype=dtype)
    assert (half - single).norm() < 0.15 * (single - start).norm()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("decoupled", [False, True])
def test_a_step_that_is_skipped_decays_nothing(fused, decoupled):
    found, start = three_steps("SGD", fused=fused, scaled=True, decoupled=decoupled, skip=True)
    assert torch.equal(found, start)


def test_decay_of_large_half_precision_factors_stays_finite():
    layer = FactorizedLinear(64, 64, rank=2, dtype=torch.float16)
    with torch.no_grad():
        layer.U.fill_(60.0)
        layer.V.fill_(60.0)  # VᵀV is 230,400, beyond float16
    for gradient in layer.decay_gradients():
        assert gradient.isfinite().all()
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-7)
    attach_frobenius_decay(optimizer, layer, 1e-3)
    layer.U.grad, layer.V.grad = torch.zeros_like(layer.U), torch.zeros_like(layer.V)
    optimizer.step()
    assert layer.U.grad.isfinite().all()
    assert layer.U.grad.min() > 0


def test_decoupled_decay_is_that_of_adamw():
    # for a factor pair with VᵀV = 1 the gradient of the decay is U itself, as that of weight decay is
    ends = []
    for frobenius in (False, True):
        torch.manual_seed(0)
        layer = FactorizedLinear(6, 5, rank=1, dtype=torch.float64)
        with torch.no_grad():
            layer.V /= layer.V.norm()
        layer.V.requires_grad_(False)
        optimizer = torch.optim.AdamW([layer.U], lr=0.1, weight_decay=0.0 if frobenius else 0.3)
        if frobenius:
            attach_frobenius_decay(optimizer, layer, 0.3, decoupled=True)
        for _ in range(3):
            optimizer.zero_grad()
            layer(normal(4, 6)).square().sum().backward()
            optimizer.step()
        ends.append(layer.U.detach())
    assert_same(*ends)


def test_decay_without_a_layer_for_it_says_what_makes_one():
    with pytest.raises(ValueError, match="Sequential has no factorized layer; factorize"):
        frobenius_decay(nn.Sequential(nn.Linear(2, 2)))
