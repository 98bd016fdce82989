import math
from itertools import permutations, product

import pytest
import torch

from studiolo.errors import NeedsData

from . import experiments, reference
from .deep import DeepNADE
from .model import NADE
from .recurrence import nade_logits


ACTIVATIONS = {"sigmoid": reference.sigm, "relu": reference.relu}


def parameters(dim, hidden, *, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    shapes = {"V": (dim, hidden), "b": (dim,), "W": (hidden, dim), "c": (hidden,)}
    return {name: torch.randn(shape, generator=g, dtype=dtype) for name, shape in shapes.items()}


def binary(rows, dim, *, ones=0.5, seed=1, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    return (torch.rand(rows, dim, generator=g) < ones).to(dtype)


def nade(dim=5, hidden=3, activation="sigmoid", *, order=None, seed=0):
    model = NADE(dim, hidden, activation, order=order).double()
    model.load_state_dict(parameters(dim, hidden, seed=seed), strict=False)
    return model


def deep(dim=5, hidden=(4, 3), *, seed=0, **options):
    g = torch.Generator().manual_seed(seed)
    model = DeepNADE(dim, hidden, generator=g, **options).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=g)
    return model


def letters(model):
    return model.V, model.b, list(model.W), list(model.c)


def all_vectors(dim):
    return torch.tensor(list(product((0.0, 1.0), repeat=dim)), dtype=torch.float64)


def assert_same(ours, theirs, *, rtol=1e-10):
    assert ours.shape == theirs.shape
    scale = theirs.abs().max().item() or 1.0
    assert (ours - theirs).abs().max().item() <= rtol * scale


# ---- worked by hand


def test_two_dimensions_by_hand():
    model = NADE(2, 1).double()
    model.load_state_dict(
        {
            "V": torch.tensor([[1.0], [2.0]]),
            "b": torch.tensor([0.0, -1.0]),
            "W": torch.tensor([[3.0, 7.0]]),  # 7 is never read: nothing follows the last dimension
            "c": torch.tensor([0.0]),
        }
    )
    # h1 = sigm(0) = 1/2, p1 = sigm(1/2); h2 = sigm(3), p2 = sigm(2 sigm(3) - 1) = sigm(0.9051482537)
    log_p = model.log_prob(torch.tensor([[1, 1]]))
    assert log_p.item() == pytest.approx(-0.4740769842 - 0.3396684908, abs=1e-9)


def test_order_agnostic_weight_by_hand():
    model = DeepNADE(4, 2).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()  # every conditional is 1/2
    x = torch.tensor([[0, 1, 1, 0]])
    for seen in range(4):  # |m|: hidden 4 - |m| of ln 2 each, times 4 / (4 - |m|)
        estimate = model.nll_estimate(x, torch.arange(4) < seen)
        assert estimate.item() == pytest.approx(4 * math.log(2), rel=1e-12)


# ---- equality with the reference


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize(("rows", "dim", "hidden"), [(3, 7, 5), (1, 1, 1), (4, 37, 3), (5, 33, 2)])
@pytest.mark.parametrize("ones", [0.0, 0.1, 0.2, 0.3, 0.6, 1.0])  # few ones run another program
def test_values_and_gradients_equal_the_reference(activation, rows, dim, hidden, ones):
    x = binary(rows, dim, ones=ones)
    theirs = {k: p.requires_grad_() for k, p in parameters(dim, hidden).items()}
    expected = torch.stack(
        [reference.log_p(row, **theirs, o=range(dim), act=ACTIVATIONS[activation]) for row in x]
    )
    expected.square().sum().backward()

    model = nade(dim, hidden, activation)
    log_p = model.log_prob(x)
    log_p.square().sum().backward()
    assert_same(log_p, expected)
    for name, parameter in model.named_parameters():
        assert_same(parameter.grad, theirs[name].grad)


def test_gradients_equal_algorithm_1():
    model = nade(6, 4)
    x = binary(1, 6)
    (-model.log_prob(x)).sum().backward()
    values = {name: p.detach() for name, p in model.named_parameters()}
    log_p, gradients = reference.algorithm_1(x[0], **values, o=range(6))
    assert_same(model.log_prob(x), log_p[None])
    for name, parameter in model.named_parameters():
        assert_same(parameter.grad, gradients[name])


def test_order_of_the_model_equals_the_reference_in_values_and_gradients():
    order = [3, 0, 4, 2, 1]
    model, x = nade(5, 3, order=order), binary(4, 5)
    theirs = {k: p.requires_grad_() for k, p in parameters(5, 3).items()}
    expected = torch.stack([reference.log_p(row, **theirs, o=order) for row in x])
    expected.sum().backward()
    log_p = model.log_prob(x)
    log_p.sum().backward()
    assert_same(log_p, expected)
    for name, parameter in model.named_parameters():
        assert_same(parameter.grad, theirs[name].grad)


@pytest.mark.parametrize("mask_input", [True, False])
@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_deep_log_prob_and_its_gradients_equal_the_reference(mask_input, activation):
    model, x = deep(mask_input=mask_input, activation=activation), binary(3, 5)
    order = [4, 1, 0, 3, 2]
    V, b, W, c = letters(model)
    act = ACTIVATIONS[activation]
    expected = torch.stack([reference.deep_log_p(row, order, V, b, W, c, act) for row in x])
    theirs = torch.autograd.grad(expected.sum(), list(model.parameters()))
    log_p = model.log_prob(x, order)
    ours = torch.autograd.grad(log_p.sum(), list(model.parameters()))
    assert_same(log_p, expected)
    for left, right in zip(ours, theirs, strict=True):
        assert_same(left, right)


def test_mixture_over_orders_equals_the_reference():
    model, x = deep(), binary(3, 5)
    orders = [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]]
    expected = torch.stack([reference.mixture_log_p(row, orders, *letters(model)) for row in x])
    assert_same(model.log_prob(x, orders), expected)


def test_estimate_equals_the_reference_in_values_and_gradients():
    model, x = deep(), binary(6, 5)
    masks = model.draw_masks(6, generator=torch.Generator().manual_seed(3))
    expected = torch.stack(
        [reference.J_hat(r, m.double(), *letters(model)) for r, m in zip(x, masks, strict=True)]
    )
    theirs = torch.autograd.grad(expected.sum(), list(model.parameters()))
    estimate = model.nll_estimate(x, masks)
    ours = torch.autograd.grad(estimate.sum(), list(model.parameters()))
    assert_same(estimate, expected)
    for left, right in zip(ours, theirs, strict=True):
        assert_same(left, right)


@pytest.mark.parametrize("ones", [0.1, 0.6])
def test_bfloat16_parameters_are_computed_in_float32(ones):
    x = binary(9, 70, ones=ones)
    low = {k: p.bfloat16().requires_grad_() for k, p in parameters(70, 12).items()}
    high = {k: p.detach().double().requires_grad_() for k, p in low.items()}
    ours, theirs = nade_logits(x, **low), nade_logits(x, **high)
    assert ours.dtype == torch.float32
    assert_same(ours.double(), theirs, rtol=1e-5)
    ours.sum().backward()
    theirs.sum().backward()
    for name in low:
        assert low[name].grad.dtype == torch.bfloat16
        assert_same(low[name].grad.double(), high[name].grad, rtol=2**-8)


def test_deep_runs_in_bfloat16():
    model, x = deep(dim=40, hidden=(16, 16)), binary(8, 40)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.2)
    expected = model.log_prob(x)
    assert_same(model.bfloat16().log_prob(x).double(), expected, rtol=0.05)
    model.loss(x, torch.Generator().manual_seed(0)).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_autocast_does_not_round_the_recurrence():
    model, x = NADE(50, 8), binary(4, 50, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = model(x)
    assert torch.equal(inside, model(x))


@pytest.mark.parametrize("ones", [0.13, 0.5])
def test_walking_the_state_back_over_784_steps_keeps_float32_gradients(ones):
    x = binary(20, 784, ones=ones)
    exact = {k: (p * 0.3).requires_grad_() for k, p in parameters(784, 30).items()}
    single = {k: p.detach().float().requires_grad_() for k, p in exact.items()}
    for p in (exact, single):
        nade_logits(x, **p).sigmoid().sub(x).square().sum().backward()
    for name in exact:
        assert_same(single[name].grad.double(), exact[name].grad, rtol=2e-5)


# ---- promises


def test_no_tensor_of_all_hidden_layers_is_kept():
    from studiolo.measure import peak_tensor_bytes

    rows, dim, hidden = 32, 512, 64
    x = binary(rows, dim, dtype=torch.float32)
    model = NADE(dim, hidden)
    peak = peak_tensor_bytes(lambda: model.log_prob(x).sum().backward())
    assert peak < rows * dim * hidden * 4 / 2
    parameters_bytes = 4 * sum(p.numel() for p in model.parameters())
    assert peak < 3 * parameters_bytes + 12 * 4 * rows * dim + 8 * 4 * rows * hidden


@pytest.mark.parametrize(
    "model", [nade(8, 6), nade(8, 6, "relu"), nade(8, 6, order=[*range(7, -1, -1)])]
)
def test_probabilities_sum_to_one(model):
    assert abs(model.log_prob(all_vectors(8)).logsumexp(0).item()) < 1e-10


def test_deep_probabilities_sum_to_one_for_every_order_and_for_the_mixture():
    model, x = deep(4), all_vectors(4)
    orders = list(permutations(range(4)))
    for order in orders:
        assert abs(model.log_prob(x, order).logsumexp(0).item()) < 1e-10
    assert abs(model.log_prob(x, orders).logsumexp(0).item()) < 1e-10


def test_a_logit_reads_nothing_but_what_comes_before():
    order = [2, 0, 4, 1, 3]
    model, x = nade(order=order), binary(1, 5)
    before = model(x)
    for position, dimension in enumerate(order):
        changed = x.clone()
        changed[0, dimension] = 1 - changed[0, dimension]
        after = model(changed)
        unmoved = order[: position + 1]
        assert torch.equal(after[:, unmoved], before[:, unmoved])
        later = order[position + 1 :]
        assert not later or (after[:, later] != before[:, later]).any()


def test_deep_reads_nothing_that_is_hidden():
    model, x = deep(), binary(2, 5)
    observed = torch.tensor([True, False, True, False, False])
    assert torch.equal(model(x, observed), model(torch.where(observed, x, 1 - x), observed))


@pytest.mark.parametrize("model", [nade(4, 3, order=[1, 3, 0, 2]), nade(4, 3, "relu"), deep(4)])
def test_samples_follow_the_model(model):
    num = 20_000
    draws = model.sample(num, generator=torch.Generator().manual_seed(0))
    x = all_vectors(4)
    if isinstance(model, DeepNADE):  # one random order is drawn with the sample
        g = torch.Generator().manual_seed(0)
        p = model.log_prob(x, torch.randperm(4, generator=g)).exp()
    else:
        p = model.log_prob(x).exp()
    count = torch.bincount((draws @ torch.tensor([8.0, 4, 2, 1]).to(draws)).long(), minlength=16)
    chi_square = ((count - num * p) ** 2 / (num * p)).sum().item()
    assert chi_square < 15 + 5 * math.sqrt(30)  # 15 degrees of freedom, five standard deviations


def test_samples_keep_what_is_given_and_follow_the_conditional():
    order = [1, 3, 0, 2]
    model = nade(4, 3, order=order)
    draws = model.sample(
        20_000, given=torch.tensor([1, 0]), generator=torch.Generator().manual_seed(1)
    )
    assert (draws[:, 1] == 1).all()
    assert (draws[:, 3] == 0).all()
    x = all_vectors(4)
    x = x[(x[:, 1] == 1) & (x[:, 3] == 0)]
    p = model.log_prob(x).softmax(0)
    mean = (p[:, None] * x).sum(0)
    assert ((draws.mean(0) - mean).abs() < 5 * 0.5 / math.sqrt(20_000)).all()


def test_deep_samples_keep_any_subset_and_follow_the_conditional():
    model, order = deep(4), [0, 2, 1, 3]
    observed = torch.tensor([False, True, False, True])
    given = torch.tensor([math.nan, 1, math.nan, 0])  # what is not observed is not read
    draws = model.sample(
        20_000,
        given=given,
        observed=observed,
        order=order,
        generator=torch.Generator().manual_seed(1),
    )
    assert torch.equal(draws[:, observed], given[observed].to(draws).expand(20_000, 2))
    x = all_vectors(4)
    x = x[(x[:, 1] == 1) & (x[:, 3] == 0)]
    p = model.log_prob(x, [1, 3, 0, 2]).softmax(0)  # the given come first, then `order`
    mean = (p[:, None] * x).sum(0)
    assert ((draws.mean(0) - mean).abs() < 5 * 0.5 / math.sqrt(20_000)).all()


def test_masks_have_uniform_size_and_never_show_all():
    masks = DeepNADE(5, 2).draw_masks(20_000, generator=torch.Generator().manual_seed(0))
    sizes = torch.bincount(masks.sum(1), minlength=6) / 20_000
    assert sizes[5] == 0
    assert ((sizes[:5] - 0.2).abs() < 5 * 0.4 / math.sqrt(20_000)).all()
    assert ((masks.float().mean(0) - 0.4).abs() < 5 * 0.5 / math.sqrt(20_000)).all()


def test_a_mixture_of_orders_is_never_worse_than_their_mean():
    model, x = deep(), binary(10, 5)
    orders = [list(o) for o in permutations(range(5))][:20]
    mean = torch.stack([model.log_prob(x, o) for o in orders]).mean(0)
    assert (model.log_prob(x, orders) >= mean).all()


def test_fit_starts_at_the_marginals_and_keeps_the_best_epoch():
    x = binary(300, 9, ones=0.2)
    x[:, 1:] = torch.where(binary(300, 8, ones=0.1, seed=2) > 0, x[:, 1:], x[:, :1])
    train, valid = x[:200].float(), x[200:].float()
    model = NADE(9, 8, generator=torch.Generator().manual_seed(0))
    model.set_marginals(train)
    assert_same(model.b.double(), ((train.sum(0) + 1) / 202).double().logit(), rtol=1e-6)
    start = model.loss(valid).item()
    history = model.fit(train, valid, epochs=30, learning_rate=0.02)
    values = [value for _, _, value in history.evaluations]
    assert model.loss(valid).item() == min(values)
    assert min(values) < start - 0.5


def test_fit_stops_when_the_validation_part_gains_no_more():
    x = binary(60, 4, dtype=torch.float32)
    model = NADE(4, 2, generator=torch.Generator().manual_seed(0))
    history = model.fit(x[:30], x[30:], epochs=1000, learning_rate=0.1, patience=2)
    assert len(history.evaluations) < 200


def test_fit_is_the_same_for_the_same_seed():
    x = binary(60, 6, dtype=torch.float32)

    def losses(seed):
        model = DeepNADE(6, 8, generator=torch.Generator().manual_seed(0))
        return model.fit(x[:40], x[40:], epochs=3, seed=seed).losses

    assert losses(0) == losses(0) != losses(1)


def test_state_dict_brings_the_order_along():
    model = nade(order=[3, 0, 4, 2, 1])
    other = NADE(5, 3, order=range(5)).double()
    other.load_state_dict(model.state_dict())
    x = binary(3, 5)
    assert torch.equal(other.log_prob(x), model.log_prob(x))


# ---- errors


def refused(sentence):
    return pytest.raises(ValueError, match=sentence)


def test_errors_say_what_was_found_and_what_is_needed():
    model, network, x = nade(), deep(), binary(3, 5)
    with refused(r"over \(rows, 5\); x is \(3, 4\)"):
        model.log_prob(x[:, :4])
    with refused(r"x\[0, 2\] is 0.5. Binarise x first"):
        model.log_prob(torch.tensor([[0, 1, 0.5, 0, 1]]))
    with refused("NADE gives no gradient with respect to it"):
        model.log_prob(x.clone().requires_grad_())
    with refused(r"activation is one of \['relu', 'sigmoid'\], not 'tanh'"):
        NADE(5, 3, "tanh")
    with refused(r"activation is one of \['relu', 'sigmoid'\], not 'tanh'"):
        DeepNADE(5, 3, "tanh")
    with refused(r"each of 0 to 4 once; this one is \[0, 1, 2, 3, 3\]"):
        NADE(5, 3, order=[0, 1, 2, 3, 3])
    with refused(r"each of 0 to 4 once; this one is \[0, 1\]"):
        network.log_prob(x, [0, 1])
    with refused(r"given is \(2, 3\); needed are \(k,\) or \(7, k\) values with k up to 5"):
        model.sample(7, given=torch.zeros(2, 3))
    with refused("needs a hidden layer"):
        DeepNADE(5, ())
    with refused("Row 1 has all 5 dimensions observed"):
        network.nll_estimate(x, torch.tensor([[False] * 5, [True] * 5, [False] * 5]))
    with refused(r"observed is torch.bool \(4,\); needed is a bool \(3, 5\) or \(5,\)"):
        network(x, torch.ones(4, dtype=torch.bool))
    with refused(r"observed is \(4,\); needed is \(5,\)"):
        network.sample(2, given=x[0], observed=torch.ones(4, dtype=torch.bool))
    with refused("pass both"):
        network.sample(2, given=x[0])


# ---- experiments at their smallest


def test_enumeration_tells_a_normalised_model_from_one_that_peeks():
    for model in ("nade", "deep", "mixture"):
        fair = experiments.enumeration(seed=0, model=model, dim=5)
        assert fair.values["abs_log_total"] < 1e-12
    assert experiments.enumeration(seed=0, peek=True, dim=5).values["abs_log_total"] > 1e-3


def test_order_agnostic_weight_of_the_authors_code_is_biased():
    ours = experiments.order_agnostic(seed=0, dim=4)
    theirs = experiments.order_agnostic(seed=0, dim=4, observed_offset=1)
    assert ours.values["relative_bias"] < 1e-12
    assert theirs.values["relative_bias"] > 0.1


def test_density_experiment_runs_on_digits_and_on_shuffled_columns():
    real, shuffled = (
        experiments.density(
            seed=0, hidden=8, epochs=4, learning_rate=0.02, train_rows=300, shuffle_columns=shuffle
        )
        for shuffle in (False, True)
    )
    assert real.values["gain_nats"] == pytest.approx(
        real.values["bernoulli_nats"] - real.values["nade_nats"]
    )
    assert real.values["gain_nats"] > shuffled.values["gain_nats"]


def test_density_experiment_says_which_data_it_needs(monkeypatch, tmp_path):
    monkeypatch.delenv("STUDIOLO_DATA", raising=False)
    monkeypatch.setattr("studiolo.data.files.CACHE", tmp_path)
    with pytest.raises(NeedsData, match="nade_binary"):
        experiments.density(seed=0, data="adult")


def test_mask_experiment_runs_with_masks_and_with_the_masks_of_other_rows():
    for masks in ("own", "others"):
        outcome = experiments.mask_input(seed=0, masks=masks, hidden=8, epochs=1, train_rows=200)
        assert math.isfinite(outcome.values["gain_nats"])


def test_ensemble_experiment_draws_one_curve_per_model():
    outcome = experiments.ensemble(seed=0, hidden=8, epochs=1, train_rows=200, orders=(1, 2))
    assert outcome.arrays["orders"] == [1, 2]
    for name in ("mask_nats", "no_mask_nats", "fixed_nats"):
        assert len(outcome.arrays[name]) == 2
