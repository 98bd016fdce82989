import copy
import math
import pickle
from itertools import permutations, product

import jaxtyping
import pytest
import torch

from . import (
    FVBN,
    MADE,
    NADE,
    RNADE,
    BernoulliMixture,
    ConvNADE,
    DeepNADE,
    EoNADE,
    Mixture,
    reference,
)


ACTIVATIONS = {"sigmoid": reference.sigm, "relu": reference.relu}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def randomised(model, *, scale=1.0, seed=0):
    """In float64, with weights ~ N(0, scale²), so that nothing is near 0."""
    model, g = model.double(), seeded(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, scale, generator=g)
    return model


def deep(dim=5, hidden=(4, 3), **options):
    return randomised(DeepNADE(dim, hidden, **options))


def binary(rows, dim, *, seed=1):
    return (torch.rand(rows, dim, generator=seeded(seed)) < 0.5).double()


def all_vectors(dim):
    return torch.tensor(list(product((0.0, 1.0), repeat=dim)), dtype=torch.float64)


def assert_same(ours, theirs, *, rtol=1e-10):
    assert ours.shape == theirs.shape
    scale = theirs.abs().max().item() or 1.0
    assert (ours - theirs).abs().max().item() <= rtol * scale


def letters(model):
    return model.V, model.b, list(model.W), list(model.c)


BINARY = {
    "nade": lambda: randomised(NADE(4, 3, order=[2, 0, 3, 1])),
    "made": lambda: randomised(MADE(4, (6, 5), order=[2, 0, 3, 1], generator=seeded())),
    "fvbn": lambda: randomised(FVBN(4, order=[2, 0, 3, 1])),
    "deep": lambda: deep(4, (4, 3)),
    "eo": lambda: randomised(EoNADE(4, 3, num_orders=3, generator=seeded())),
    "conv": lambda: randomised(ConvNADE(2, 2, kernels=(2,), channels=3)),
}
REAL = {
    "rnade": lambda: randomised(RNADE(3, 4, 2, order=[2, 0, 1]), scale=0.5),
    "laplace": lambda: randomised(RNADE(3, 4, 2, "laplace", "sigmoid"), scale=0.5),
    "deep-real": lambda: randomised(DeepNADE(3, 4, law=Mixture(2)), scale=0.5),
}
FIXED = ("nade", "made", "fvbn", "rnade", "laplace")


# ---- equality with the reference


@pytest.mark.parametrize("mask_input", [True, False])
@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_deep_log_prob_and_its_gradients_equal_the_reference(mask_input, activation):
    model, x = deep(mask_input=mask_input, activation=activation), binary(3, 5)
    order = [4, 1, 0, 3, 2]
    act = ACTIVATIONS[activation]
    expected = torch.stack([reference.deep_log_p(row, order, *letters(model), act) for row in x])
    theirs = torch.autograd.grad(expected.sum(), list(model.parameters()))
    log_p = model.log_prob(x, order=order)
    ours = torch.autograd.grad(log_p.sum(), list(model.parameters()))
    assert_same(log_p, expected)
    for left, right in zip(ours, theirs, strict=True):
        assert_same(left, right)


def test_mixture_over_orders_equals_the_reference_however_it_is_cut(monkeypatch):
    model, x = deep(), binary(3, 5)
    orders = [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]]
    expected = torch.stack([reference.mixture_log_p(row, orders, *letters(model)) for row in x])
    assert_same(model.log_prob(x, order=orders), expected)
    monkeypatch.setattr("studiolo.papers.nade.orderless._VALUES", 1)
    assert_same(model.log_prob(x, order=orders), expected)


def test_estimate_equals_the_reference_in_values_and_gradients():
    model, x = deep(), binary(6, 5)
    masks = model.draw_masks(6, generator=seeded(3))
    expected = torch.stack(
        [reference.J_hat(r, m.double(), *letters(model)) for r, m in zip(x, masks, strict=True)]
    )
    theirs = torch.autograd.grad(expected.sum(), list(model.parameters()))
    estimate = model.nll_estimate(x, masks)
    ours = torch.autograd.grad(estimate.sum(), list(model.parameters()))
    assert_same(estimate, expected)
    for left, right in zip(ours, theirs, strict=True):
        assert_same(left, right)


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_rnade_equals_the_reference(kind):
    model = randomised(RNADE(4, 3, 2, kind, order=[2, 0, 3, 1]), scale=0.7)
    x = torch.randn(3, 4, generator=seeded(), dtype=torch.float64)
    b = model.b.view(4, -1)
    expected = torch.stack(
        [
            reference.rnade_log_p(row, model.V, b, model.W, model.c, model.rho, [2, 0, 3, 1], kind)
            for row in x
        ]
    )
    assert_same(model.log_prob(x), expected)


def test_order_agnostic_weight_by_hand():
    model = DeepNADE(4, 2).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()  # every conditional is 1/2
    x = torch.tensor([[0, 1, 1, 0]])
    for seen in range(4):  # |m|: hidden 4 - |m| of ln 2 each, times 4 / (4 - |m|)
        estimate = model.nll_estimate(x, torch.arange(4) < seen)
        assert estimate.item() == pytest.approx(4 * math.log(2), rel=1e-12)


# ---- what every member promises


@pytest.mark.parametrize("name", BINARY)
def test_probabilities_sum_to_one(name):
    assert abs(BINARY[name]().log_prob(all_vectors(4)).logsumexp(0).item()) < 1e-10


def test_deep_probabilities_sum_to_one_in_every_order():
    model, x = deep(4), all_vectors(4)
    for order in permutations(range(4)):
        assert abs(model.log_prob(x, order=order).logsumexp(0).item()) < 1e-10


@pytest.mark.parametrize("name", ["rnade", "laplace"])
def test_densities_integrate_to_one(name):
    model = REAL[name]()
    grid = torch.linspace(-400, 400, 400_001, dtype=torch.float64)
    first = int(model.order[0])
    x = torch.zeros(len(grid), 3, dtype=torch.float64)
    x[:, first] = grid
    seen = torch.arange(3) == first  # the others are integrated out
    total = model.log_prob(x, seen).exp().sum() * (grid[1] - grid[0])
    assert total.item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", BINARY)
def test_samples_follow_the_model(name):
    model, num = BINARY[name](), 6_000 if name == "conv" else 20_000
    own = {} if name in (*FIXED, "eo") else {"order": [2, 0, 3, 1]}
    draws = model.sample(num, generator=seeded(), **own)
    p = model.log_prob(all_vectors(4), **own).exp()
    count = torch.bincount((draws @ torch.tensor([8.0, 4, 2, 1]).to(draws)).long(), minlength=16)
    chi_square = ((count - num * p) ** 2 / (num * p)).sum().item()
    assert chi_square < 15 + 5 * math.sqrt(30)  # 15 degrees of freedom, five standard deviations


@pytest.mark.parametrize("name", REAL)
def test_real_samples_follow_the_model(name):
    model = REAL[name]()
    draws = model.sample(20_000, generator=seeded())
    first = int(model.order[0]) if name in FIXED else None
    if first is None:
        draws = model.sample(20_000, order=[0, 1, 2], generator=seeded())
        first = 0
    law = model.conditionals(torch.zeros(1, 3))
    mean, deviation = law.mean[0, first].item(), law.stddev[0, first].item()
    assert draws[:, first].mean().item() == pytest.approx(
        mean, abs=5 * deviation / math.sqrt(20_000)
    )


@pytest.mark.parametrize("name", [*BINARY, *REAL])
def test_whatever_is_missing_is_integrated_out_and_may_be_nan(name):
    if name in BINARY:
        model, x = BINARY[name](), binary(3, 4)
    else:
        model, x = REAL[name](), torch.randn(3, 3, generator=seeded(), dtype=torch.float64)
    last = model.order[-2:] if name in FIXED else torch.tensor([1, 0])
    seen = torch.ones_like(x, dtype=torch.bool)
    seen[1, last] = False
    hidden = torch.where(seen, x, math.nan)
    log_p = model.log_prob(hidden, seen)
    assert torch.isfinite(log_p).all()
    assert_same(log_p[0], model.log_prob(x)[0])
    if name in BINARY and name not in ("deep", "eo", "conv"):
        completions = x[1].repeat(4, 1)
        completions[:, last] = all_vectors(2)
        assert_same(log_p[1], model.log_prob(completions).logsumexp(0))
    assert torch.equal(model.log_prob(hidden.numpy(), seen.numpy()), log_p)
    assert torch.isfinite(model.loss(hidden, seen, seeded()))
    draws = model.sample(3, given=hidden, observed=seen, generator=seeded())
    assert torch.equal(draws[seen], x[seen])
    assert draws.isfinite().all()
    if name != "eo":
        law = model.conditionals(hidden, seen)
        assert law.batch_shape == x.shape
        assert_same(law.log_prob(x)[0].sum(), log_p[0])
    history = model.fit(hidden, hidden, observed=seen, valid_observed=seen, epochs=2)
    assert all(map(math.isfinite, history.losses))


@pytest.mark.parametrize("name", [*BINARY, *REAL])
def test_copies_pickles_and_types(name):
    model = (BINARY | REAL)[name]()
    x = torch.ones(2, model.dim)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin.log_prob(x), model.log_prob(x))
    assert model.bfloat16().log_prob(x).isfinite().all()


@pytest.mark.parametrize("name", ["made", "rnade", "deep-real"])
@pytest.mark.usefixtures("fresh_compiler")
def test_torch_func_compile_and_export(name, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    model = (REAL | BINARY)[name]()
    x = torch.ones(2, model.dim, dtype=torch.float64)
    compiled = torch.compile(model.log_prob, fullgraph=True, backend="aot_eager")
    assert_same(compiled(x), model.log_prob(x))
    seen = torch.zeros(model.dim, dtype=torch.bool)
    inputs = (x, seen) if name == "deep-real" else (x,)
    assert torch.equal(torch.export.export(model, inputs).module()(*inputs), model(*inputs))
    values = {name: p.detach() for name, p in model.named_parameters()}

    def total(values, row):
        return torch.func.functional_call(model, values, (row[None], *inputs[1:])).sum()

    each = torch.func.vmap(torch.func.grad(total), in_dims=(None, 0))(values, x)
    assert each["b"].shape == (2, *model.b.shape)


# ---- orders and masks


def test_deep_reads_nothing_that_is_hidden():
    model, x = deep(), binary(2, 5)
    observed = torch.tensor([True, False, True, False, False])
    assert torch.equal(model(x, observed), model(torch.where(observed, x, math.nan), observed))


@pytest.mark.parametrize("name", ["nade", "made", "fvbn", "rnade"])
def test_output_reads_nothing_but_what_comes_before(name):
    model = (BINARY | REAL)[name]()
    x = torch.ones(1, model.dim, dtype=torch.float64)
    before = model(x)
    for position, dimension in enumerate(model.order.tolist()):
        changed = x.clone()
        changed[0, dimension] = 0
        unmoved = model.order[: position + 1]
        assert torch.equal(model(changed)[:, unmoved], before[:, unmoved])


def test_deep_samples_keep_any_subset_and_follow_the_conditional():
    model, order = deep(4), [0, 2, 1, 3]
    observed = torch.tensor([False, True, False, True])
    given = torch.tensor([math.nan, 1, math.nan, 0])  # what is not observed is not read
    draws = model.sample(20_000, given=given, observed=observed, order=order, generator=seeded(1))
    assert torch.equal(draws[:, observed], given[observed].to(draws).expand(20_000, 2))
    x = all_vectors(4)
    x = x[(x[:, 1] == 1) & (x[:, 3] == 0)]
    p = model.log_prob(x, order=[1, 3, 0, 2]).softmax(0)  # the given come first, then `order`
    mean = (p[:, None] * x).sum(0)
    assert ((draws.mean(0) - mean).abs() < 5 * 0.5 / math.sqrt(20_000)).all()


def test_masks_have_uniform_size_and_never_show_all():
    masks = DeepNADE(5, 2).draw_masks(20_000, generator=seeded())
    sizes = torch.bincount(masks.sum(1), minlength=6) / 20_000
    assert sizes[5] == 0
    assert ((sizes[:5] - 0.2).abs() < 5 * 0.4 / math.sqrt(20_000)).all()
    assert ((masks.float().mean(0) - 0.4).abs() < 5 * 0.5 / math.sqrt(20_000)).all()


def test_masks_of_rows_with_missing_values_show_none_of_them():
    known = torch.tensor([True, False, True, True, False]).expand(20_000, 5)
    masks = DeepNADE(5, 2).draw_masks(20_000, known=known, generator=seeded())
    assert not (masks & ~known).any()
    sizes = torch.bincount(masks.sum(1), minlength=4) / 20_000
    assert sizes[3] == 0
    assert ((sizes[:3] - 1 / 3).abs() < 5 * 0.5 / math.sqrt(20_000)).all()


def test_loss_of_rows_with_missing_values_is_that_of_the_rest():
    model, x = deep(3, 4), binary(1, 3)
    known = torch.tensor([True, False, True])
    exact = 0.0
    for seen, share in (([], 1 / 2), ([0], 1 / 4), ([2], 1 / 4)):
        m = torch.tensor([i in seen for i in range(3)])
        exact += share * model.nll_estimate(x, m, known).item()
    mean = sum(model.log_prob(x, known, order).item() for order in ([0, 2, 1], [2, 0, 1])) / 2
    assert exact == pytest.approx(-mean, rel=1e-12)


def test_a_mixture_of_orders_is_never_worse_than_their_mean():
    model, x = deep(), binary(10, 5)
    orders = [list(o) for o in permutations(range(5))][:20]
    mean = torch.stack([model.log_prob(x, order=o) for o in orders]).mean(0)
    assert (model.log_prob(x, order=orders) >= mean).all()


def test_eonade_uses_its_own_orders():
    model, x = BINARY["eo"](), binary(3, 4)
    assert_same(model.log_prob(x), DeepNADE.log_prob(model, x, order=model.orders))


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_scaled_means_change_only_the_gradient_of_the_means(kind):
    z = torch.randn(6, 9, generator=seeded(), dtype=torch.float64).requires_grad_()
    x = torch.randn(6, generator=seeded(1), dtype=torch.float64)
    plain, scaled = (Mixture(3, kind, scaled_means=on).log_prob(z, x).sum() for on in (False, True))
    assert_same(scaled, plain)
    ours, theirs = (torch.autograd.grad(value, z)[0] for value in (scaled, plain))
    assert_same(ours[:, 3:6], theirs[:, 3:6] * z[:, 6:].exp())
    assert torch.equal(ours[:, [0, 1, 2, 6, 7, 8]], theirs[:, [0, 1, 2, 6, 7, 8]])


def test_rnade_learns_a_density_that_is_not_gaussian():
    x = torch.randn(600, 2, generator=seeded())
    x[:, 1] = x[:, 0].sign() * 2 + 0.1 * x[:, 1]
    model = RNADE(2, 16, 4, generator=seeded())
    model.fit(x[:400], x[400:500], epochs=80, learning_rate=0.02)
    gaussian = torch.distributions.MultivariateNormal(x[:400].mean(0), x[:400].t().cov())
    assert model.log_prob(x[500:]).mean() > gaussian.log_prob(x[500:]).mean() + 1


def test_bernoulli_mixture_finds_two_clusters():
    centre = binary(2, 12).float()
    x = centre[torch.arange(300) % 2]
    flip = torch.rand(x.shape, generator=seeded()) < 0.05
    x = torch.where(flip, 1 - x, x)
    mixture = BernoulliMixture.fit(x[:200], x[200:], components=(1, 2), generator=seeded())
    alone = BernoulliMixture.fit(x[:200], x[200:], components=(1,), generator=seeded())
    assert len(mixture.logits) == 2
    assert mixture.log_prob(x[200:]).mean() > alone.log_prob(x[200:]).mean() + 2
    small = BernoulliMixture.fit(x[:50, :4], x[50:90, :4], components=(2,), generator=seeded())
    total = small.log_prob(all_vectors(4).float()).logsumexp(0)
    assert abs(total.item()) < 1e-5


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: DeepNADE(5, 3, "tanh"), r"activation is one of \['relu', 'sigmoid'\], not 'tanh'"),
        (lambda: DeepNADE(5, ()), "needs a hidden layer"),
        (lambda: DeepNADE(5, (3, 0)), "hidden is 0; it must be a whole number of at least 1"),
        (lambda: EoNADE(5, 3, num_orders=0), "num_orders is 0"),
        (lambda: RNADE(5, 3, 0), "needs a component or more, not 0"),
        (lambda: ConvNADE(4, 4, kernels=(3, 3)), r"leave 0 pixels of 4 x 4"),
        (lambda: deep().log_prob(binary(3, 5), order=[0, 1]), r"each of 0 to 4 once; this one is \[0, 1\]"),
        (lambda: deep()(binary(3, 5), torch.ones(4) > 0), r"observed is torch.bool \(4,\); needed is a bool \(3, 5\) or \(5,\)"),
        (lambda: deep().conditionals(binary(3, 5), order=[list(range(5))] * 2), "follow one order, not 2"),
        (lambda: deep().sample(2, given=binary(1, 5)[0]), "pass both"),
        (lambda: deep().nll_estimate(binary(2, 5), torch.tensor([[False] * 5, [True] * 5])), "Row 1 has all 5 dimensions observed"),
        (lambda: REAL["rnade"]().log_prob([[0.0, math.inf, 1.0]]), r"x\[0, 1\] is inf; values must be finite"),
        (lambda: REAL["rnade"]().log_prob([[0.0, math.nan, 1.0]]), r"x\[0, 1\] is nan. If it is missing, pass"),
        (lambda: BINARY["made"]().log_prob(binary(1, 4), [False, True, True, True]), "Row 0 lacks dimension 0"),
    ],
)  # fmt: skip
def test_errors_say_what_was_found_and_what_is_needed(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
