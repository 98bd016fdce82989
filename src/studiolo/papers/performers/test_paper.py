import math

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import scaled_dot_product_attention

from . import reference
from .draws import orthogonal_projection, regularized_projection
from .features import (
    Features,
    LearnedFeatures,
    RandomFeatures,
    hyperbolic_features,
    positive_features,
    trigonometric_features,
)
from .model import FavorState, favor_attention


PHI = {
    "positive": reference.phi_pos,
    "hyperbolic": reference.phi_hyp,
    "trigonometric": reference.phi_trig,
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def qkv(*shape, d=5, dv=3, scale=0.5, seed=0, dtype=torch.float64):
    generator = seeded(seed)
    q, k = scale * torch.randn(2, *shape, d, generator=generator, dtype=dtype)
    return q, k, torch.randn(*shape, dv, generator=generator, dtype=dtype)


def reference_attention(q, k, v, features, causal=False, seen=None):
    scale = q.shape[-1] ** -0.25
    phi, w = PHI[features.phi], features.projection.to(q.dtype)
    Qp = torch.stack([phi(x, w) for x in q * scale])
    Kp = torch.stack([phi(x, w) for x in k * scale])
    return reference.favor_attention(Qp, Kp, v, causal, seen)


def assert_same(a, b, tolerance=1e-10):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_two_tokens_with_one_draw_worked_by_hand():
    # d = 1, w = 1: φ(x) = exp(x − x²/2). Keys 0 and 1 weigh 1 and e^½ for every query.
    features = RandomFeatures(1, 1)
    features.projection.fill_(1.0)
    q, k, v = torch.tensor([[[7.0], [-2.0]], [[0.0], [1.0]], [[10.0], [20.0]]])
    out = favor_attention(q, k, v, features=features, causal=True)
    e = math.exp(0.5)
    assert_same(out, torch.tensor([[10.0], [(10 + 20 * e) / (1 + e)]]), 1e-6)


def test_positive_feature_worked_by_hand():
    # w = (1, 2), x = (3, −1): exp(1 − 10/2)
    log, sign = positive_features(torch.tensor([[3.0, -1.0]]), torch.tensor([[1.0, 2.0]]))
    assert log.item() == -4.0
    assert sign is None


@pytest.mark.parametrize("phi", PHI)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("length", "chunk_size"), [(1, 64), (7, 3), (13, 4), (9, None)])
def test_model_equals_reference_in_values_and_gradients(phi, causal, length, chunk_size):
    features = RandomFeatures(5, 6, phi=phi, generator=seeded(1))
    q, k, v = inputs = [x.requires_grad_() for x in qkv(length)]
    upstream = torch.randn(length, 3, generator=seeded(2), dtype=torch.float64)
    ours = favor_attention(q, k, v, features=features, causal=causal, chunk_size=chunk_size)
    theirs = reference_attention(q, k, v, features, causal)
    assert_same(ours, theirs)
    for grad, expected in zip(
        torch.autograd.grad(ours, inputs, upstream),
        torch.autograd.grad(theirs, inputs, upstream),
        strict=True,
    ):
        assert_same(grad, expected)


def test_reference_prefix_sums_equal_the_written_out_triangle():
    q, k, v = qkv(6)
    Qp, Kp = q.exp(), k.exp()
    assert_same(
        reference.favor_attention_by_prefix_sums(Qp, Kp, v),
        reference.favor_attention(Qp, Kp, v, causal=True),
    )


def test_batch_and_heads_are_independent():
    features = RandomFeatures(5, 8, generator=seeded())
    q, k, v = qkv(2, 3, 9)
    out = favor_attention(q, k, v, features=features, causal=True, chunk_size=4)
    for b in range(2):
        for h in range(3):
            one = favor_attention(q[b, h], k[b, h], v[b, h], features=features, causal=True)
            assert_same(out[b, h], one)


def test_queries_and_keys_may_differ_in_number():
    features = RandomFeatures(5, 8, generator=seeded())
    q, k, v = qkv(10)
    ours = favor_attention(q[:3], k, v, features=features, chunk_size=4)
    assert_same(ours, reference_attention(q[:3], k, v, features))


def test_many_features_approach_softmax_attention():
    q, k, v = qkv(1, 40)
    features = RandomFeatures(5, 20_000, generator=seeded())
    for causal in (False, True):
        exact = scaled_dot_product_attention(q, k, v, is_causal=causal)
        ours = favor_attention(q, k, v, features=features, causal=causal)
        assert (ours - exact).square().mean() < 1e-4 * exact.square().mean()


@pytest.mark.parametrize("phi", ["positive", "hyperbolic"])
@pytest.mark.parametrize("factor", [3.0, 6.0, 100.0])
def test_scaling_the_last_key_leaves_earlier_outputs(phi, factor):
    q, k, v = qkv(1, 2, 512, d=64, dv=64, dtype=torch.float32)
    features = RandomFeatures(64, 256, phi=phi, generator=seeded())
    before = favor_attention(q, k, v, features=features, causal=True)
    k[..., -1, :] *= factor
    after = favor_attention(q, k, v, features=features, causal=True)
    assert (after - before)[..., :-1, :].abs().max() < 1e-5


def test_keys_of_very_different_size_stay_exact():
    # e^(−|k|²/2) of the first key is far below the smallest float32; it is all that row 0 sees
    q, k, v = qkv(300, d=64, dv=4, dtype=torch.float32)
    k[0] *= 60
    features = RandomFeatures(64, 256, generator=seeded())
    inputs = [x.requires_grad_() for x in (q, k, v)]
    out = favor_attention(*inputs, features=features, causal=True)
    assert_same(out[0], v[0], 1e-6)
    doubles = [x.detach().double().requires_grad_() for x in inputs]
    expected = favor_attention(*doubles, features=features, causal=True)
    assert_same(out.double(), expected, 1e-4)
    grads = torch.autograd.grad(out.sum(), inputs)
    for grad, double in zip(grads, torch.autograd.grad(expected.sum(), doubles), strict=True):
        assert (grad - double).norm() < 1e-3 * double.norm()


@pytest.mark.parametrize("phi", PHI)
@pytest.mark.parametrize("causal", [False, True])
def test_masked_keys_are_absent_wherever_they_stand(phi, causal):
    features = RandomFeatures(5, 8, phi=phi, generator=seeded())
    q, k, v = qkv(2, 11)
    key_mask = torch.rand(2, 11, generator=seeded(3)) < 0.6
    key_mask[:, :2] = False  # nothing to see at first
    key_mask[:, 2] = True
    out = favor_attention(
        q, k, v, features=features, causal=causal, key_mask=key_mask, chunk_size=4
    )
    for row in range(2):
        expected = reference_attention(q[row], k[row], v[row], features, causal, key_mask[row])
        assert_same(out[row], expected)


@pytest.mark.parametrize("causal", [False, True])
def test_padding_changes_nothing(causal):
    features = RandomFeatures(64, 256, generator=seeded())
    q, k, v = qkv(2, 100, d=64, dv=64, dtype=torch.float32)
    short = favor_attention(q[:, :70], k[:, :70], v[:, :70], features=features, causal=causal)
    k[:, 70:], v[:, 70:] = 1e4, math.nan
    seen = (torch.arange(100) < 70).expand(2, 100)
    padded = favor_attention(q, k, v, features=features, causal=causal, key_mask=seen)
    assert (padded[:, :70] - short).abs().max() < 1e-6


def test_row_with_nothing_to_see_is_zero_and_so_is_its_gradient():
    features = RandomFeatures(5, 8, generator=seeded())
    inputs = [x.requires_grad_() for x in qkv(1, 4, dtype=torch.float32)]
    hidden = torch.zeros(1, 4, dtype=torch.bool)
    for causal in (False, True):
        for phi in (
            features,
            lambda x: features(x),
        ):  # the gradient of a map of one's own is torch's
            out = favor_attention(*inputs, features=phi, causal=causal, key_mask=hidden)
            assert not out.any()
            for grad in torch.autograd.grad(100 * out.sum(), inputs):
                assert not grad.any()


def test_decoding_token_by_token_equals_one_call():
    features = RandomFeatures(5, 8, generator=seeded())
    q, k, v = qkv(2, 11)
    state, steps = FavorState(), []
    for i, j in [(0, 4), (4, 5), (5, 6), (6, 11)]:
        out, state = favor_attention(
            q[:, i:j], k[:, i:j], v[:, i:j], features=features, causal=True, state=state
        )
        steps.append(out)
    assert_same(torch.cat(steps, 1), favor_attention(q, k, v, features=features, causal=True))


@pytest.mark.parametrize("pieces", [(3, 3), (1,) * 6])
@pytest.mark.parametrize("phi", ["positive", "trigonometric"])
def test_state_lets_later_calls_see_unmasked_earlier_keys_only(phi, pieces):
    features = RandomFeatures(5, 8, phi=phi, generator=seeded())
    q, k, v = qkv(1, 6)
    key_mask = torch.tensor([[False, True, True, False, True, True]])
    state, outs = FavorState(), []
    for *part, mask in zip(*(x.split(pieces, 1) for x in (q, k, v, key_mask)), strict=True):
        out, state = favor_attention(
            *part, features=features, causal=True, key_mask=mask, state=state
        )
        outs.append(out)
    whole = favor_attention(q, k, v, features=features, causal=True, key_mask=key_mask)
    assert_same(torch.cat(outs, 1), whole)


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("causal", [False, True])
def test_bfloat16_is_finite_and_close(scale, causal):
    q, k, v = (x.bfloat16().requires_grad_() for x in qkv(2, 150, d=64, dv=64, scale=scale))
    features = RandomFeatures(64, 256, generator=seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = favor_attention(q, k, v, features=features, causal=causal)
    assert out.dtype == torch.bfloat16
    exact = favor_attention(q.double(), k.double(), v.double(), features=features, causal=causal)
    assert (out - exact).norm() < 0.01 * exact.norm()
    for grad in torch.autograd.grad(out.float().square().sum(), (q, k, v)):
        assert grad.isfinite().all()


def test_backward_pass_within_autocast_is_the_one_outside():
    features = RandomFeatures(5, 16, generator=seeded())
    inputs = [x.requires_grad_() for x in qkv(2, 150, dtype=torch.float32)]
    out = favor_attention(*inputs, features=features, causal=True)
    outside = torch.autograd.grad(out.square().sum(), inputs, retain_graph=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = torch.autograd.grad(out.square().sum(), inputs)
    for a, b in zip(inside, outside, strict=True):
        assert_same(a, b, 1e-6)


@torch.no_grad()
def test_state_need_not_be_contiguous_and_has_the_precision_of_the_work():
    features = RandomFeatures(5, 8, generator=seeded())
    q, k, v = qkv(2, 9)
    _, state = favor_attention(q, k, v, features=features, causal=True, state=FavorState())
    laid_out = state._map(lambda x: x.mT.contiguous().mT)
    for t in (1, 9):
        rows = [x[:, :t] for x in (q, k, v)]
        _, one = favor_attention(*rows, features=features, causal=True, state=laid_out)
        _, other = favor_attention(*rows, features=features, causal=True, state=state)
        assert_same(one.sums, other.sums)
    with pytest.raises(
        ValueError, match=r"state is torch.float64 .* give it state.to\(torch.float32\)"
    ):
        favor_attention(q.float(), k.float(), v.float(), features=features, state=state)
    favor_attention(
        q.float(), k.float(), v.float(), features=features, state=state.to(torch.float32)
    )


def test_orthogonal_rows_are_haar_and_chi():
    d, blocks = 16, 4000
    rows = orthogonal_projection(blocks * d, d, generator=seeded())
    block = rows[:d] / rows[:d].norm(dim=1, keepdim=True)
    assert_same(block @ block.T, torch.eye(d), 1e-5)
    # a coordinate of N(0, I) has mean 0 and variance 1; LAPACK's signs give a mean of −0.6 on the diagonal
    diagonal = rows.reshape(blocks, d, d).diagonal(dim1=-2, dim2=-1)
    assert diagonal.mean().abs() < 4 / math.sqrt(blocks * d)
    assert abs(rows.square().mean() - 1) < 0.01


def test_gram_schmidt_gives_the_sign_fixed_rows():
    gaussian = torch.randn(5, 5, generator=seeded(), dtype=torch.float64)
    q, r = torch.linalg.qr(gaussian.T)
    assert_same((q * r.diagonal().sign()).T, reference.gram_schmidt(gaussian))


def test_a_cut_block_keeps_its_rows_orthogonal():
    rows = regularized_projection(7, 4, generator=seeded())
    assert_same(rows.square().sum(1), torch.full((7,), 4.0), 1e-5)
    assert_same(rows[:4] @ rows[:4].T, 4 * torch.eye(4), 1e-5)
    assert_same(rows[4:] @ rows[4:].T, 4 * torch.eye(3), 1e-5)


@pytest.mark.parametrize("phi", [positive_features, hyperbolic_features, trigonometric_features])
def test_features_estimate_the_softmax_kernel(phi):
    x, y = 0.3 * torch.randn(2, 1, 8, generator=seeded())
    fx, fy = (phi(z, orthogonal_projection(200_000, 8, generator=seeded(1))) for z in (x, y))
    products = (fx.log + fy.log).exp() * (1 if fx.sign is None else fx.sign * fy.sign)
    assert products.sum().item() == pytest.approx(math.exp((x * y).sum().item()), rel=0.02)


def test_lemma_2_values_of_the_worked_example():
    x, y = torch.zeros(2, 16)
    x[0] = y[1] = 0.7
    assert reference.mse_trig(x, y, 16) == pytest.approx(3.249e-2, rel=1e-3)
    assert reference.mse_pos(x, y, 16) == pytest.approx(1.0403e-1, rel=1e-3)
    assert reference.mse_hyp(x, y, 16) == pytest.approx(3.249e-2, rel=1e-3)
    assert reference.mse_ort_bound(x, y, 16) == pytest.approx(8.84e-2, rel=1e-3)


def test_redraw_changes_the_draw_and_keeps_the_buffer():
    features = RandomFeatures(4, 8, generator=seeded())
    buffer, before = features.projection, features.projection.clone()
    features.redraw_(seeded(1))
    assert features.projection is buffer
    assert not torch.equal(before, buffer)
    features.redraw_(seeded(0))
    assert torch.equal(before, buffer)


def test_own_feature_map_is_a_function():
    # Performer-ReLU without projection: φ(x) = relu(x) + 0.001
    def relu_features(x):
        return Features((x.relu() + 1e-3).log())

    q, k, v = qkv(9)
    scale = 5**-0.25
    expected = reference.favor_attention(
        (q * scale).relu() + 1e-3, (k * scale).relu() + 1e-3, v, causal=True
    )
    assert_same(favor_attention(q, k, v, features=relu_features, causal=True), expected)


def favor(q_shape, k_shape, v_shape, **options):
    return favor_attention(
        torch.zeros(q_shape),
        torch.zeros(k_shape),
        torch.zeros(v_shape),
        features=RandomFeatures(4, 8),
        **options,
    )


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: favor((5, 4), (5, 3), (5, 2)), "Queries have 4 coordinates and keys 3"),
        (lambda: favor((4,), (5, 4), (5, 2)), r"q is \(4,\); it needs two axes"),
        (lambda: favor((5, 3), (5, 3), (5, 2)), "x has 3 coordinates .* made for 4"),
        (lambda: favor((5, 4), (5, 4), (6, 2)), r"Keys are \(5, 4\) and values \(6, 2\)"),
        (lambda: favor((2, 5, 4), (3, 5, 4), (3, 5, 2)), "leading axes do not fit"),
        (lambda: favor((0, 4), (5, 4), (5, 2)), "0 queries and 5 keys: at least one"),
        (lambda: favor((4, 4), (5, 4), (5, 2), causal=True), "there are 4 queries and 5 keys"),
        (
            lambda: favor((2, 3, 5, 4), (2, 3, 5, 4), (2, 3, 5, 2), key_mask=torch.ones(2, 5) > 0),
            r"key_mask is torch.bool \(2, 5\); .* is mask\[:, None\]",
        ),
        (
            lambda: favor((5, 4), (5, 4), (5, 2), key_mask=torch.ones(5).long()),
            "key_mask is torch.int64",
        ),
        (
            lambda: favor((2, 5, 4), (2, 5, 4), (2, 5, 2), key_mask=torch.ones(3, 5)),
            r"float32 \(3, 5\)",
        ),
        (lambda: favor((5, 4), (5, 4), (5, 2), chunk_size=0), "chunk_size is 0"),
        (lambda: RandomFeatures(4, 7, phi="trigonometric"), "7 trigonometric features cannot"),
        (lambda: RandomFeatures(4, 8, phi="other"), "phi is 'other'; known are positive"),
        (lambda: RandomFeatures(4, 8, draw="other"), "draw is 'other'; known are orthogonal"),
    ],
)
def test_errors_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def feature_map_of(phi, d, num_features, heads=()):
    if phi != "learned":
        return RandomFeatures(d, num_features, phi=phi, generator=seeded(1))
    features = LearnedFeatures(d, num_features, heads=heads, dtype=torch.float64)
    with torch.no_grad():
        features.weight.normal_(generator=seeded(1))
    return features


@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("phi", ["positive", "hyperbolic", "trigonometric", "relu", "learned"])
def test_gradients_made_from_recomputed_features_are_those_of_the_plain_program(phi, retain):
    features = feature_map_of(phi, 5, 8, heads=(3, 1))
    plain = lambda x: features(x)  # noqa: E731  (what is no `FeatureMap` is not recomputed)
    inputs = [x.requires_grad_() for x in qkv(2, 3, 1, 45)]
    wanted = [*inputs, *features.parameters()]
    key_mask = torch.rand(2, 1, 1, 45, generator=seeded(3)) < 0.7
    _, first = favor_attention(*qkv(2, 3, 1, 4, seed=9), features=features, state=FavorState())
    first = first.detach()

    def gradients(features, state):
        out, after = favor_attention(
            *inputs, features=features, causal=True, key_mask=key_mask, state=state, chunk_size=4
        )
        loss = out.square().sum() + after.sums.square().sum()
        if retain:
            torch.autograd.grad(loss, wanted, retain_graph=True)
        return out, *torch.autograd.grad(loss, wanted)

    expected = gradients(plain, FavorState(first.log_max, first.sums))
    for a, b in zip(gradients(features, first), expected, strict=True):
        assert_same(a, b)


class Attention(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features

    def forward(self, q, k, v):
        return favor_attention(q, k, v, features=self.features, causal=True, chunk_size=4)


@pytest.mark.parametrize("phi", ["trigonometric", "learned"])
def test_causal_attention_can_be_differentiated_twice(phi):
    attention = Attention(feature_map_of(phi, 3, 4))
    names, weights = [], []
    for name, weight in attention.named_parameters():
        names.append(name)
        weights.append(weight.detach().requires_grad_())
    inputs = [x.requires_grad_() for x in qkv(6, d=3, dv=2)]
    assert torch.autograd.gradgradcheck(
        lambda q, k, v, *w: functional_call(attention, dict(zip(names, w, strict=True)), (q, k, v)),
        (*inputs, *weights),
    )


@pytest.mark.parametrize("phi", ["positive", "trigonometric", "learned"])
def test_many_gradients_at_once_are_those_one_by_one(phi):
    q, k, v = (torch.randn(2, 10, 4, dtype=torch.float64, requires_grad=True) for _ in range(3))
    features = feature_map_of(phi, 4, 8)
    wanted = [q, k, v, *features.parameters()]
    out = favor_attention(q, k, v, features=features, causal=True, chunk_size=4)

    def gradients(upstream):
        return torch.autograd.grad(out, wanted, upstream, retain_graph=True)

    upstream = torch.randn(3, *out.shape, dtype=torch.float64)
    one_by_one = [torch.stack(found) for found in zip(*map(gradients, upstream), strict=True)]
    batched = torch.autograd.grad(out, wanted, upstream, retain_graph=True, is_grads_batched=True)
    torch.testing.assert_close([*batched], one_by_one)
    torch.testing.assert_close([*torch.func.vmap(gradients)(upstream)], one_by_one)


@pytest.mark.parametrize("which", range(3))
def test_each_input_alone_can_be_differentiated_twice(which):
    features, inputs = RandomFeatures(3, 4, generator=seeded(1)), list(qkv(6, d=3, dv=2))

    def run(x):
        inputs[which] = x
        return favor_attention(*inputs, features=features, causal=True, chunk_size=4)

    assert torch.autograd.gradgradcheck(run, inputs[which].requires_grad_())


def test_gradient_is_of_the_matrix_that_the_output_was_made_with():
    attention = Attention(feature_map_of("learned", 5, 8))
    (name, own), inputs = next(attention.named_parameters()), qkv(9)
    other = torch.randn(own.shape, generator=seeded(2), dtype=own.dtype).requires_grad_()
    out = functional_call(attention, {name: other}, inputs)
    (found,) = torch.autograd.grad(out.sum(), other)
    with torch.no_grad():
        own.copy_(other)
    (expected,) = torch.autograd.grad(attention(*inputs).sum(), own)
    assert_same(found, expected)
    out = attention(*inputs).sum()
    with torch.no_grad():
        own.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_forward_of_a_subclass_is_not_passed_over():
    class Doubled(RandomFeatures):
        def forward(self, x):
            return super().forward(2 * x)

    features, (q, k, v) = Doubled(5, 8, generator=seeded(1)), qkv(9)
    inputs = [x.requires_grad_() for x in (2 * q, 2 * k, v)]
    expected = favor_attention(*inputs, features=feature_map_of("positive", 5, 8), causal=True)
    inputs = [x.requires_grad_() for x in (q, k, v)]
    assert_same(favor_attention(*inputs, features=features, causal=True), expected)


def test_gradient_reaches_an_earlier_state():
    features = RandomFeatures(3, 4, generator=seeded(1))
    q, k, v = (x.requires_grad_() for x in qkv(9, d=3, dv=2))
    whole = favor_attention(q, k, v, features=features, causal=True)
    state, outs = FavorState(), []
    for part in (slice(0, 5), slice(5, 9)):
        out, state = favor_attention(
            q[part], k[part], v[part], features=features, causal=True, state=state, chunk_size=2
        )
        outs.append(out)
    expected = torch.autograd.grad(whole.square().sum(), (q, k, v))
    for a, b in zip(
        torch.autograd.grad(torch.cat(outs).square().sum(), (q, k, v)), expected, strict=True
    ):
        assert_same(a, b)
