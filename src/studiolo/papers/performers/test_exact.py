"""Exact softmax over the keys nearby: values, gradients, states, and what it gains. Rotary positions."""

import math

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from . import reference
from .features import RandomFeatures
from .layer import FavorAttention
from .model import FavorState, favor_attention
from .positions import rotate


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def qkv(*shape, d=5, dv=3, seed=0, scale=1.0):
    q, k = scale * torch.randn(2, *shape, d, generator=seeded(seed), dtype=torch.float64)
    return q, k, torch.randn(*shape, dv, generator=seeded(seed + 1), dtype=torch.float64)


def assert_same(a, b, tolerance=1e-10):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("phi", ["positive", "hyperbolic", "trigonometric"])
@pytest.mark.parametrize(("length", "exact"), [(1, 3), (7, 1), (13, 4), (12, 3), (9, 20)])
def test_exact_chunks_equal_the_reference_in_values_and_gradients(phi, length, exact):
    features = RandomFeatures(5, 8, phi=phi, generator=seeded(1))
    q, k, v = inputs = [x.requires_grad_() for x in qkv(length)]
    Qp, Kp = (_written_out(features, x) for x in (q, k))
    expected = reference.favor_attention_with_exact_chunks(q, k, v, Qp, Kp, exact)
    out = favor_attention(q, k, v, features=features, causal=True, exact=exact)
    assert_same(out, expected)
    for a, b in zip(
        torch.autograd.grad(out.square().sum(), inputs),
        torch.autograd.grad(expected.square().sum(), inputs),
        strict=True,
    ):
        assert_same(a, b)


def _written_out(features, x):
    log, sign = features(x * x.shape[-1] ** -0.25)
    return log.exp() * (1 if sign is None else sign)


def test_as_many_exact_keys_as_there_are_is_softmax_attention():
    q, k, v = qkv(2, 3, 20)
    out = favor_attention(q, k, v, features=RandomFeatures(5, 4), causal=True, exact=10)
    assert_same(out, scaled_dot_product_attention(q, k, v, is_causal=True))


@pytest.mark.parametrize("pieces", [(11,), (1,) * 11, (4, 7), (5, 1, 5), (2, 2, 2, 2, 3)])
def test_a_sequence_in_pieces_equals_one_call_and_gradients_reach_earlier_pieces(pieces):
    features = RandomFeatures(5, 8, generator=seeded())
    inputs = [x.requires_grad_() for x in qkv(2, 11)]
    key_mask = torch.rand(2, 11, generator=seeded(3)) < 0.7
    whole = favor_attention(*inputs, features=features, causal=True, exact=3, key_mask=key_mask)
    state, outs = FavorState(), []
    for parts in zip(
        *(x.split(pieces, -2) for x in inputs), key_mask.split(pieces, -1), strict=True
    ):
        out, state = favor_attention(
            *parts[:3], features=features, causal=True, exact=3, key_mask=parts[3], state=state
        )
        outs.append(out)
    assert_same(torch.cat(outs, -2), whole)
    assert state.length == 11
    assert 3 <= state.recent[0].shape[-2] < 6  # memory does not grow
    for a, b in zip(
        torch.autograd.grad(torch.cat(outs, -2).square().sum(), inputs),
        torch.autograd.grad(whole.square().sum(), inputs),
        strict=True,
    ):
        assert_same(a, b)


def test_masked_keys_are_absent_and_a_row_with_nothing_to_see_is_zero():
    features = RandomFeatures(5, 8, generator=seeded())
    q, k, v = qkv(1, 12)
    hidden = torch.arange(12) < 5
    k[:, :5], v[:, :5] = math.nan, math.nan
    out = favor_attention(q, k, v, features=features, causal=True, exact=4, key_mask=~hidden[None])
    assert not out[:, :5].any()
    assert out.isfinite().all()
    assert_same(out[:, 5], v[:, 5])


def test_recent_keys_go_into_the_sums_where_exact_is_left_off():
    features = RandomFeatures(5, 8, generator=seeded())
    q, k, v = qkv(2, 9)
    _, state = favor_attention(
        q[:, :6], k[:, :6], v[:, :6], features=features, causal=True, exact=4, state=FavorState()
    )
    rest, _ = favor_attention(
        q[:, 6:], k[:, 6:], v[:, 6:], features=features, causal=True, state=state
    )
    whole = favor_attention(q, k, v, features=features, causal=True)
    assert_same(rest, whole[:, 6:])


def test_state_with_recent_keys_is_reordered_detached_and_checked():
    features = RandomFeatures(5, 8, generator=seeded())
    q, k, v = (x.requires_grad_() for x in qkv(2, 4))
    _, state = favor_attention(q, k, v, features=features, causal=True, exact=4, state=FavorState())
    assert state.sums is None
    assert state.recent[0].requires_grad
    assert not state.detach().recent[0].requires_grad
    swapped = state.reorder(torch.tensor([1, 0]))
    assert torch.equal(swapped.recent[1], v.flip(0))
    with pytest.raises(ValueError, match=r"leading axes \(2,\) .* these are \(1,\)"):
        favor_attention(q[:1], k[:1], v[:1], features=features, causal=True, exact=4, state=state)


@pytest.mark.parametrize("scale", [0.5, 30.0])
def test_half_precision_is_finite_and_close(scale):
    q, k, v = (x.bfloat16().requires_grad_() for x in qkv(2, 150, d=64, dv=8, scale=scale))
    features = RandomFeatures(64, 64, generator=seeded())
    out = favor_attention(q, k, v, features=features, causal=True, exact=32)
    assert out.dtype == torch.bfloat16
    whole = favor_attention(
        q.double(), k.double(), v.double(), features=features, causal=True, exact=32
    )
    assert (out - whole).norm() < 0.01 * whole.norm()
    for grad in torch.autograd.grad(out.float().square().sum(), (q, k, v)):
        assert grad.isfinite().all()


def test_error_at_2048_tokens_falls_below_three_percent():
    q, k, v = (x.float() for x in qkv(4, 2048, d=64, dv=64, scale=0.5))
    softmax = scaled_dot_product_attention(q, k, v, is_causal=True)
    features = RandomFeatures(64, 256, generator=seeded())

    def error(exact):
        out = favor_attention(q, k, v, features=features, causal=True, exact=exact)
        return float((out - softmax).square().mean() / softmax.square().mean())

    assert error(256) < 0.03 < 0.09 < error(None)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"exact": 0}, "exact is 0"),
        ({"exact": 4, "causal": False}, "needs causal=True"),
        ({"exact": 4, "features": RandomFeatures(5, phi="relu")}, "kernel of their own"),
    ],
)
def test_what_exact_cannot_do_is_one_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        favor_attention(*qkv(3), **{"features": RandomFeatures(5), "causal": True} | options)


def test_layer_decodes_with_exact_keys_and_positions_as_in_one_call():
    layer = FavorAttention(
        12,
        2,
        batch_first=True,
        causal=True,
        num_kv_heads=1,
        num_features=16,
        exact=3,
        rotary_base=100.0,
    )
    x = torch.randn(2, 11, 12, generator=seeded())
    whole, _ = layer(x)
    state, outs = FavorState(), []
    for token in x.split(1, 1):
        out, state = layer(token, state=state)
        outs.append(out)
    assert_same(torch.cat(outs, 1), whole, 1e-5)
    flipped, _ = layer(torch.cat([x[:, :2].flip(1), x[:, 2:]], 1))
    assert (flipped[:, -1] - whole[:, -1]).abs().max() > 1e-4  # the order of keys matters


def test_rotation_worked_by_hand_and_equal_to_the_reference():
    # d = 2, position 1: by one radian
    assert_same(
        rotate(torch.tensor([[1.0, 0.0]]), start=1),
        torch.tensor([[math.cos(1), math.sin(1)]]),
        1e-6,
    )
    x = torch.randn(4, 6, generator=seeded(), dtype=torch.float64)
    expected = torch.stack([reference.rotate(row, 3 + i) for i, row in enumerate(x)])
    assert_same(rotate(x, start=3), expected)
    with pytest.raises(ValueError, match="5 coordinates"):
        rotate(torch.zeros(2, 5))


def test_rotated_scores_depend_on_distance_and_features_stay_positive():
    x, y = torch.randn(2, 1, 6, generator=seeded(), dtype=torch.float64)
    near = [rotate(x, start=i) @ rotate(y, start=i + 4).mT for i in (0, 7)]
    assert_same(*near)
    w = RandomFeatures(6, 64, generator=seeded()).projection.double()
    fx, fy = (reference.phi_pos(r[0], w) for r in (rotate(x), rotate(y, start=4)))
    assert (fx * fy).min() > 0
    late = [reference.rotate(reference.phi_pos(r[0], w), p) for r, p in ((x, 0), (y, 4))]
    assert (late[0] * late[1]).min() < 0  # the other order
