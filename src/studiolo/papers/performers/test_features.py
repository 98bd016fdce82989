"""Feature maps, their draws, and when these are made anew."""

import math

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from studiolo.measure import peak_tensor_bytes

from . import reference
from .draws import regularized_iid_projection, regularized_projection
from .features import (
    Features,
    LearnedFeatures,
    RandomFeatures,
    elu_features,
    feature_map,
    relu_features,
)
from .layer import FavorAttention
from .model import FavorState, favor_attention
from .redraw import RedrawSchedule


PHI = {
    "positive": reference.phi_pos,
    "hyperbolic": reference.phi_hyp,
    "trigonometric": reference.phi_trig,
    "relu": reference.phi_relu,
    "elu": reference.phi_elu,
    "learned": reference.phi_learned,
}
MAPS = [
    *[(phi, draw) for phi in PHI if phi != "learned" for draw in ("iid", "orthogonal")],
    *[("positive", "regularized"), ("positive", "regularized_iid"), ("hyperbolic", "regularized")],
    *[("relu", "none"), ("elu", "none"), ("learned", "orthogonal")],
]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def qkv(*shape, d=5, dv=3, seed=0):
    q, k = torch.randn(2, *shape, d, generator=seeded(seed), dtype=torch.float64)
    return q, k, torch.randn(*shape, dv, generator=seeded(seed + 1), dtype=torch.float64)


def made(phi, draw, num_features=None):
    features = feature_map(phi, 5, num_features, draw=draw, generator=seeded(1))
    if isinstance(features, LearnedFeatures):
        torch.nn.init.normal_(features.weight, std=0.5, generator=seeded(2))
    return features


def weights_of(features):
    """W of the reference: the rows themselves, or those of the identity."""
    w = features.weight if isinstance(features, LearnedFeatures) else features.projection
    return torch.eye(features.dim, dtype=torch.float64) if w is None else w.detach().double()


def assert_same(a, b, tolerance=1e-10):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("phi", "x", "w", "expected"),
    [
        # w·x = 1 and −3
        ("relu", [3.0, -1.0], [[1.0, 2.0], [-1.0, 0.0]], [1.001, 0.001]),
        ("elu", [3.0, -1.0], [[1.0, 2.0], [-1.0, 0.0]], [2.0, math.exp(-3)]),
        (
            "learned",
            [3.0, -1.0],
            [[1.0, 2.0], [-1.0, 0.0]],
            [math.e, math.exp(-3), 1 / math.e, math.exp(3)],
        ),
    ],
)
def test_features_worked_by_hand(phi, x, w, expected):
    x, w = torch.tensor([x]), torch.tensor(w)
    if phi == "learned":
        features = LearnedFeatures(2, 4)
        features.weight.data.copy_(w)
        log = features(x).log
    else:
        log = {"relu": relu_features, "elu": elu_features}[phi](x, w).log
    assert_same(log.exp(), torch.tensor([expected]), 1e-6)
    assert_same(PHI[phi](x[0], w), torch.tensor(expected), 1e-6)


@pytest.mark.parametrize(("phi", "draw"), MAPS)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("length", "chunk_size"), [(1, None), (13, 4)])
def test_every_map_equals_its_equation_in_values_and_gradients(
    phi, draw, causal, length, chunk_size
):
    features = made(phi, draw, None if draw == "none" else 6)
    q, k, v = inputs = [x.requires_grad_() for x in qkv(length)]
    upstream = torch.randn(length, 3, generator=seeded(2), dtype=torch.float64)
    w, scale = weights_of(features), 5**-0.25
    Qp, Kp = (torch.stack([PHI[phi](row * scale, w) for row in x]) for x in (q, k))
    expected = reference.favor_attention(Qp, Kp, v, causal)
    out = favor_attention(q, k, v, features=features, causal=causal, chunk_size=chunk_size)
    assert_same(out, expected)
    for a, b in zip(
        torch.autograd.grad(out, inputs, upstream),
        torch.autograd.grad(expected, inputs, upstream),
        strict=True,
    ):
        assert_same(a, b)


def test_gradient_reaches_the_learned_map():
    features = made("learned", "orthogonal")
    q, k, v = qkv(9)
    (grad,) = torch.autograd.grad(
        favor_attention(q, k, v, features=features, causal=True, chunk_size=4).sum(),
        features.weight,
    )
    w = features.weight.detach().double().requires_grad_()
    Qp, Kp = (torch.stack([reference.phi_learned(r * 5**-0.25, w) for r in x]) for x in (q, k))
    (expected,) = torch.autograd.grad(reference.favor_attention(Qp, Kp, v, causal=True).sum(), w)
    assert_same(grad.double(), expected, 1e-5)


def test_learned_map_of_a_layer_has_one_matrix_a_head_of_keys():
    layer = FavorAttention(12, 4, batch_first=True, num_kv_heads=2, phi="learned")
    assert layer.features.weight.shape == (2, 1, 3, 3)
    out, _ = layer(torch.randn(2, 7, 12), is_causal=True)
    out.square().sum().backward()
    assert layer.features.weight.grad.abs().sum((-1, -2)).min() > 0


def test_regularized_kernel_in_one_dimension_is_a_cosine_hyperbolicus():
    # d = 1: w is 1 or −1, so that the mean over both is exp(−(x² + y²)/2) cosh(x + y)
    x, y = torch.tensor([0.3], dtype=torch.float64), torch.tensor([0.5], dtype=torch.float64)
    by_hand = math.exp(-0.17) * math.cosh(0.8)
    assert reference.smreg(x, y) == pytest.approx(by_hand, rel=1e-7)


@pytest.mark.parametrize("draw", [regularized_projection, regularized_iid_projection])
def test_regularized_draws_estimate_the_regularized_kernel(draw):
    x, y = 0.8 * torch.randn(2, 4, generator=seeded(3), dtype=torch.float64)
    w = draw(20_000, 4, generator=seeded()).double()
    assert_same(w.square().sum(1), torch.full((20_000,), 4.0, dtype=torch.float64), 1e-5)
    estimates = len(w) * reference.phi_pos(x, w) * reference.phi_pos(y, w)
    error = float(estimates.std()) / len(w) ** 0.5
    assert abs(float(estimates.mean()) - reference.smreg(x, y)) < 4 * error
    assert reference.smreg(x, y) < math.exp(float(x @ y))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: RandomFeatures(4, draw="none"), "draw is 'none'; known are orthogonal"),
        (lambda: RandomFeatures(4, draw="other", phi="relu"), "regularized_iid, none"),
        (lambda: RandomFeatures(4, 8, draw="none", phi="relu"), "as coordinates, 4, not 8"),
        (lambda: RandomFeatures(0, 8), "dim is 0"),
        (lambda: LearnedFeatures(-1, 8), "dim is -1"),
        (lambda: LearnedFeatures(4, 7), "7 learned features cannot"),
        (lambda: LearnedFeatures(4)(torch.zeros(2, 3)), "3 coordinates .* made for 4: .* dim=3"),
        (lambda: RedrawSchedule(RandomFeatures(4), 0), "every is 0"),
    ],
)
def test_errors_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_schedule_redraws_every_map_of_a_model_and_states_notice():
    layers = torch.nn.ModuleList(FavorAttention(4, 2, causal=True) for _ in range(2))
    schedule = RedrawSchedule(layers, every=3, generator=seeded(5))
    before = [layer.features.projection.clone() for layer in layers]
    x = torch.randn(3, 1, 4)
    _, state = layers[0](x, state=FavorState())
    assert [schedule.step() for _ in range(3)] == [False, False, True]
    for layer, old in zip(layers, before, strict=True):
        assert not torch.equal(layer.features.projection, old)
    with pytest.raises(ValueError, match="another draw of w"):
        layers[0](x, state=state)


def test_rounding_w_is_another_draw_and_moving_it_is_not():
    features = RandomFeatures(4, 8)
    x, first = torch.randn(3, 4), features.draw_id
    _, state = favor_attention(x, x, x, features=features, state=FavorState())
    assert features.double().draw_id == features.to("cpu").draw_id == first
    features.bfloat16()
    assert features.draw_id != first
    with pytest.raises(ValueError, match="another draw of w"):
        favor_attention(x, x, x, features=features, state=state)


def test_schedule_goes_on_where_it_was_saved():
    first, second = (RandomFeatures(4, 8, generator=seeded()) for _ in range(2))
    schedule = RedrawSchedule(first, every=2, generator=seeded(5))
    for _ in range(3):
        schedule.step()
    resumed = RedrawSchedule(second, every=2, generator=seeded(6))
    resumed.load_state_dict(schedule.state_dict())
    assert schedule.step()
    assert resumed.step()
    assert torch.equal(first.projection, second.projection)


def test_gradient_after_a_redraw_is_refused():
    features = RandomFeatures(5, 8, generator=seeded())
    q, k, v = (x.requires_grad_() for x in qkv(9))
    out = favor_attention(q, k, v, features=features, causal=True)
    features.redraw_(seeded(1))
    with pytest.raises(RuntimeError, match="w was drawn anew between"):
        out.sum().backward()


def test_state_dict_without_features_is_loaded_where_there_is_no_draw():
    theirs = torch.nn.MultiheadAttention(12, 4)
    for options in ({"phi": "relu", "draw": "none"}, {"phi": "learned"}):
        ours = FavorAttention(12, 4, **options)
        assert str(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"


def test_every_map_trains_in_less_memory_than_fused_attention():
    inputs = [x.requires_grad_() for x in torch.randn(3, 1, 8, 4096, 64, generator=seeded()) * 0.5]

    def fused():
        out = scaled_dot_product_attention(*inputs, is_causal=True)
        return torch.autograd.grad(out.sum(), inputs)

    limit = peak_tensor_bytes(fused)
    for phi in ("trigonometric", "learned"):
        features = feature_map(phi, 64, 256, heads=(8,), generator=seeded(1))

        def ours(features=features):
            out = favor_attention(*inputs, features=features, causal=True)
            return torch.autograd.grad(out.sum(), [*inputs, *features.parameters()])

        assert peak_tensor_bytes(ours) < limit


def test_features_that_are_views_of_one_number_are_not_written_over():
    def phi(x):
        return Features(x.new_zeros(1).expand(x.shape), x.relu() + 0.1)

    q, k, v = torch.randn(3, 2, 100, 8)
    seen = favor_attention(q, k, v, features=phi, causal=True)
    with torch.no_grad():
        same = favor_attention(q, k, v, features=phi, causal=True)
    assert torch.allclose(same, seen, atol=1e-6)


@pytest.mark.parametrize("shape", [(8,), (1, 8)])
def test_map_may_give_one_sign_for_all_rows(shape):
    q, k, v = qkv(9)
    w = torch.randn(8, 5, generator=seeded(), dtype=q.dtype)
    sign = torch.tensor([1.0, 2.0] * 4, dtype=q.dtype)
    maps = (
        lambda x: Features(x @ w.mT, sign.view(shape)),
        lambda x: Features(x @ w.mT, sign.expand(x.shape[-2], 8)),
    )
    torch.testing.assert_close(*(favor_attention(q, k, v, features=phi) for phi in maps))


def test_draw_does_not_depend_on_the_default_device():
    right = RandomFeatures(4, 8, generator=seeded()).projection
    with torch.device("meta"):
        torch.testing.assert_close(
            RandomFeatures(4, 8, device="cpu", generator=seeded()).projection, right
        )
