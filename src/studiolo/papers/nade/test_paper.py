import copy
import inspect
import math
import pickle
from itertools import product

import jaxtyping
import numpy as np
import pytest
import torch

from . import recurrence, reference
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


def all_vectors(dim):
    return torch.tensor(list(product((0.0, 1.0), repeat=dim)), dtype=torch.float64)


def assert_same(ours, theirs, *, rtol=1e-10):
    assert ours.shape == theirs.shape
    scale = theirs.abs().max().item() or 1.0
    assert (ours - theirs).abs().max().item() <= rtol * scale


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


def test_state_dict_brings_the_order_along():
    model = nade(order=[3, 0, 4, 2, 1])
    other = NADE(5, 3, order=range(5)).double()
    other.load_state_dict(model.state_dict())
    x = binary(3, 5)
    assert torch.equal(other.log_prob(x), model.log_prob(x))


def refused(sentence):
    return pytest.raises(ValueError, match=sentence)


def loop_of_autograd(x, V, b, W, c, activation):
    """The logits as one would write them first; autograd does the rest."""
    act = {"sigmoid": torch.sigmoid, "relu": torch.relu}[activation]
    a, z = c.expand(len(x), -1), []
    for d in range(x.shape[1]):
        z.append(act(a) @ V[d] + b[d])
        a = a + x[:, d, None] * W[:, d]
    return torch.stack(z, 1)


@pytest.fixture(params=["numba", "torch"])
def program(request, monkeypatch):
    """Run with the compiled kernels, where numba is installed, and with torch alone."""
    if request.param == "numba":
        pytest.importorskip("numba")
    else:
        monkeypatch.setattr(recurrence, "_kernels", lambda: None)
    return request.param


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("ones", [0.1, 0.5])
def test_gradients_of_a_new_model_are_those_of_autograd(program, activation, ones):
    model = NADE(200, 30, activation, generator=torch.Generator().manual_seed(0))
    x = binary(50, 200, ones=ones, dtype=torch.float32)
    leaves = [model.V, model.b, model.W, model.c]
    theirs = torch.autograd.grad(loop_of_autograd(x, *leaves, activation).square().sum(), leaves)
    ours = torch.autograd.grad(model(x).square().sum(), leaves)
    for left, right in zip(ours, theirs, strict=True):
        assert_same(left, right, rtol=1e-5)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
def test_states_beyond_exp_88_overflow_nothing(program, activation, scale):
    x = binary(8, 150, dtype=torch.float32)
    leaves = [
        p.float().mul(scale).requires_grad_() for p in parameters(150, 9).values()
    ]  # at 10 and 100 states reach 100 and 1,000
    theirs = loop_of_autograd(x, *leaves, activation)
    ours = nade_logits(x, *leaves, activation=activation)
    assert ours.isfinite().all()
    assert_same(ours, theirs, rtol=2e-5)
    weight = torch.rand(theirs.shape, generator=torch.Generator().manual_seed(2))
    for left, right in zip(
        torch.autograd.grad(ours, leaves, weight),
        torch.autograd.grad(theirs, leaves, weight),
        strict=True,
    ):
        assert_same(left, right, rtol=1e-4)


def test_programs_agree_also_where_x_is_not_binary(program):
    x = torch.rand(5, 90, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = parameters(90, 4)
    assert_same(nade_logits(x, **values), loop_of_autograd(x, *values.values(), "sigmoid"))


ORDERS = [None, [3, 0, 4, 2, 1]]


@pytest.mark.parametrize("order", ORDERS)
def test_tensors_arrays_and_lists_are_welcome_alike(order):
    model, x = nade(order=order), binary(4, 5)
    expected = model.log_prob(x)
    for same in (x.int(), x.bool(), x.numpy(), x.numpy().astype(np.uint8), x.tolist()):
        assert torch.equal(model.log_prob(same), expected)
    seen = torch.ones(4, 5, dtype=torch.bool)
    assert torch.equal(model.log_prob(x.numpy(), seen.numpy()), expected)


@pytest.mark.parametrize("order", ORDERS)
def test_missing_last_dimensions_are_summed_out(order):
    model, x = nade(order=order), binary(1, 5)
    o = model.order
    seen = torch.ones(5, dtype=torch.bool)
    seen[o[3:]] = False
    completions = x.repeat(4, 1)
    completions[:, o[3:]] = all_vectors(2)
    expected = model.log_prob(completions).logsumexp(0)
    hidden = torch.where(seen, x, math.nan)
    assert_same(model.log_prob(hidden, seen), expected[None])
    logits = model.conditionals(hidden, seen).logits
    assert_same(logits[:, o[:4]], model(x)[:, o[:4]])
    assert logits[:, o[4]].isnan().all()
    assert model.sample(3, given=hidden[0], observed=seen)[:, o[:3]].equal(
        x[:, o[:3]].expand(3, -1)
    )
    assert torch.isfinite(model.loss(hidden, seen))


def test_conditionals_are_bernoullis_whose_product_is_the_probability():
    model, x = nade(order=[3, 0, 4, 2, 1]), binary(4, 5)
    law = model.conditionals(x)
    assert_same(law.log_prob(x).sum(1), model.log_prob(x))
    assert law.batch_shape == (4, 5)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("order", [None, [1, 3, 0, 2]])
def test_samples_follow_the_model(activation, order):
    model, num = nade(4, 3, activation, order=order), 20_000
    draws = model.sample(num, generator=torch.Generator().manual_seed(0))
    p = model.log_prob(all_vectors(4)).exp()
    count = torch.bincount((draws @ torch.tensor([8.0, 4, 2, 1]).to(draws)).long(), minlength=16)
    chi_square = ((count - num * p) ** 2 / (num * p)).sum().item()
    assert chi_square < 15 + 5 * math.sqrt(30)  # 15 degrees of freedom, five standard deviations


def test_samples_keep_what_is_given_and_follow_the_conditional():
    model = nade(4, 3, order=[1, 3, 0, 2])
    seen = torch.tensor([False, True, False, True])
    given = torch.tensor([math.nan, 1, math.nan, 0])
    draws = model.sample(
        20_000, given=given, observed=seen, generator=torch.Generator().manual_seed(1)
    )
    assert torch.equal(draws[:, seen], given[seen].to(draws).expand(20_000, 2))
    x = all_vectors(4)
    x = x[(x[:, 1] == 1) & (x[:, 3] == 0)]
    mean = (model.log_prob(x).softmax(0)[:, None] * x).sum(0)
    assert ((draws.mean(0) - mean).abs() < 5 * 0.5 / math.sqrt(20_000)).all()


def test_rows_may_be_given_to_different_depths():
    model = nade(4, 3)
    x, seen = binary(3, 4), torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]]) > 0
    draws = model.sample(3, given=x, observed=seen)
    assert torch.equal(draws[seen], x[seen])
    assert ((draws == 0) | (draws == 1)).all()


@pytest.mark.parametrize("order", ORDERS)
def test_torch_func_gives_the_gradient_of_every_row(order):
    model, x = nade(order=order), binary(4, 5)

    def nll(values, row):
        z = torch.func.functional_call(model, values, (row[None],))
        return torch.nn.functional.binary_cross_entropy_with_logits(z, row[None], reduction="sum")

    values = {name: p.detach() for name, p in model.named_parameters()}
    each = torch.func.vmap(torch.func.grad(nll), in_dims=(None, 0))(values, x)
    for i, row in enumerate(x):
        model.zero_grad()
        (-model.log_prob(row[None])).sum().backward()
        for name, p in model.named_parameters():
            assert_same(each[name][i], p.grad)


def test_second_gradient_is_refused_in_a_sentence():
    model = nade()
    (grad,) = torch.autograd.grad(model(binary(2, 5)).square().sum(), model.c, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


# torch.compile traces autograd functions through an instance, which torch itself deprecates
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.usefixtures("fresh_compiler")
def test_compiles_without_a_break_and_exports(order, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    for name in ("forward", "setup_context", "backward"):  # without the checks of types around them
        plain = inspect.unwrap(getattr(recurrence._NadeLogits, name))
        monkeypatch.setattr(recurrence._NadeLogits, name, staticmethod(plain))
    model, x = nade(order=order), binary(4, 5)
    compiled = torch.compile(model.log_prob, fullgraph=True, backend="aot_eager")
    log_p = compiled(x)
    assert_same(log_p, model.log_prob(x))
    ours = torch.autograd.grad(log_p.sum(), list(model.parameters()))
    theirs = torch.autograd.grad(model.log_prob(x).sum(), list(model.parameters()))
    for left, right in zip(ours, theirs, strict=True):
        assert_same(left, right)
    assert torch.equal(torch.export.export(model, (x,)).module()(x), model(x))


def test_model_is_made_where_and_in_what_type_it_is_asked_for():
    assert NADE(5, 3, dtype=torch.float64).log_prob(binary(2, 5)).dtype == torch.float64
    assert NADE(5, 3, dtype=torch.bfloat16).log_prob(binary(2, 5)).dtype == torch.float32
    meta = NADE(5, 3, order=[4, 3, 2, 1, 0], device="meta")
    assert meta(torch.empty(2, 5, device="meta")).shape == (2, 5)
    model = nade(order=[4, 3, 2, 1, 0])
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin.log_prob(binary(2, 5)), model.log_prob(binary(2, 5)))


def test_fit_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(tmp_path):
    x = binary(60, 6, dtype=torch.float32)

    def fitted(epochs, checkpoint=None):
        model = NADE(6, 8, generator=torch.Generator().manual_seed(0))
        history = model.fit(
            x[:40],
            x[40:],
            epochs=epochs,
            batch_size=16,
            patience=2,
            learning_rate=0.05,
            checkpoint=checkpoint,
        )
        return model.state_dict(), history.losses

    for whole in (6, 200):  # 200: until it stops by itself, and once more after that
        file = tmp_path / f"{whole}.pt"
        fitted(2, file)
        state, losses = fitted(whole, file)
        expected, all_losses = fitted(whole)
        assert losses == all_losses
        assert all(torch.equal(state[name], expected[name]) for name in expected)
        assert fitted(whole, file)[1] == all_losses


def test_fit_of_a_trained_model_goes_on_from_where_it_is():
    x = binary(60, 4, ones=0.2, dtype=torch.float32)
    model = NADE(4, 2)
    model.fit(x[:40], x[40:], epochs=3)
    b = model.b.clone()
    model.fit(x[:40], x[40:], epochs=1, learning_rate=1e-9)
    assert_same(model.b, b, rtol=1e-6)


def test_fit_tells_its_progress():
    x, told = binary(60, 4, dtype=torch.float32), []
    history = NADE(4, 2).fit(x[:40], x[40:], epochs=3, progress=lambda *news: told.append(news))
    assert [epoch for epoch, _ in told] == [1, 2, 3]
    assert [nats for _, nats in told] == [value for *_, value in history.evaluations]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda m, x: m.log_prob(x[:, :4]), r"over \(rows, 5\); x is \(3, 4\)"),
        (lambda m, x: m.log_prob(x[0]), r"over \(rows, 5\); x is \(5,\)"),
        (lambda m, x: m.log_prob(x / 2), r"x\[0, 0\] is 0.5. Binarise x first"),
        (lambda m, x: m.log_prob((x / 4).numpy()), r"x\[0, 0\] is 0.25. Binarise x first"),
        (lambda m, x: m.log_prob(x * math.nan), r"x\[0, 0\] is nan. If it is missing, pass observed"),
        (lambda m, x: m.log_prob(x, x), r"observed is torch.float64 \(3, 5\); needed is a bool \(3, 5\) or \(5,\)"),
        (lambda m, x: m.log_prob(x, x[:, :4] > 0), r"observed is torch.bool \(3, 4\); needed is a bool"),
        (lambda m, x: m.log_prob(x, [True, False, True, True, True]), "Row 0 lacks dimension 1, which this model's order puts before dimension 2"),
        (lambda m, x: m.log_prob(x, order=[4, 3, 2, 1, 0]), r"in the order \[0, 1, 2, 3, 4\] alone; DeepNADE takes any"),
        (lambda m, x: m.log_prob(x, order=[0, 1]), r"each of 0 to 4 once; this one is \[0, 1\]"),
        (lambda m, x: m.log_prob(x.clone().requires_grad_()), "NADE gives no gradient with respect to it"),
        (lambda m, x: m.sample(2, given=x[0] * 3, observed=[True] * 5), r"x\[0, 0\] is 3. Binarise"),
        (lambda m, x: m.sample(2, given=x[0] * math.nan, observed=[True] * 5), r"x\[0, 0\] is nan"),
        (lambda m, x: m.sample(2, given=x[0]), "pass both"),
        (lambda m, x: m.sample(2, given=x[0, :2], observed=[True] * 5), r"given is \(1, 2\); needed is \(5,\) or \(2, 5\)"),
        (lambda m, x: m.sample(2, given=x[0], observed=[False] + [True] * 4), "Row 0 lacks dimension 0"),
        (lambda m, x: m.sample(-1), "num is -1; it must be 0 or more"),
        (lambda m, x: m.fit(x, x[:0]), "valid has no rows"),
        (lambda m, x: m.fit(x[:0], x), "x has no rows"),
        (lambda m, x: m.fit(x, x, epochs=0), "epochs is 0; it must be above 0"),
        (lambda m, x: m.fit(x, x, learning_rate=math.nan), "learning_rate is nan; it must be above 0"),
        (lambda m, x: NADE(5, 3, "tanh"), r"activation is one of \['relu', 'sigmoid'\], not 'tanh'"),
        (lambda m, x: NADE(0, 3), "dim is 0; it must be a whole number of at least 1"),
        (lambda m, x: NADE(5, 0), "hidden is 0; it must be a whole number of at least 1"),
        (lambda m, x: NADE(5, 3, order=[0, 1, 2, 3, 3]), r"each of 0 to 4 once; this one is \[0, 1, 2, 3, 3\]"),
        (lambda m, x: NADE(5, 3, order=[0.2, 1.7, 2, 3, 4]), r"each of 0 to 4 once; this one is \[0.2"),
    ],
)  # fmt: skip
def test_errors_say_what_was_found_and_what_is_needed(call, sentence):
    with refused(sentence):
        call(nade(), torch.ones(3, 5, dtype=torch.float64))
