"""The Triton programs beside the formula: in the interpreter, in float32, and on a device in its formats."""

import os

import pytest
import torch


if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before anything imports triton
pytest.importorskip("triton")

from studiolo.papers.performers import (
    FavorAttention,
    FavorState,
    RandomFeatures,
    favor_attention,
    gpu,
)
from studiolo.papers.performers.experiments import speed_on_a_gpu


TILES = gpu.Tiles(chunk=16, segments=3, per=2)
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 3e-2, torch.float16: 3e-2}


@pytest.fixture(autouse=True)
def interpreted_or_on_a_device(request):
    if request.node.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a GPU that torch can use")
    if not torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("triton was imported before it could be told to interpret")


def formula(q, k, v, w, causal):
    """Equation (4) in float64, in logarithms, with all pairs of one head at a time written out."""
    if q.ndim > 2 and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        heads = zip(q.flatten(0, -3), k.flatten(0, -3), v.flatten(0, -3), strict=True)
        return torch.stack([formula(*head, w, causal) for head in heads]).view(*q.shape[:-1], -1)
    scale = q.shape[-1] ** -0.25
    queries, keys = q * scale @ w.mT, k * scale @ w.mT
    keys = keys - (k * scale).square().sum(-1, keepdim=True) / 2
    pairs = (queries.unsqueeze(-2) + keys.unsqueeze(-3)).logsumexp(-1)
    if causal:
        pairs = pairs.masked_fill(pairs.new_ones(pairs.shape[-2:]).triu(1).bool(), -torch.inf)
    return pairs.softmax(-1) @ v


def inputs(
    *, heads=(1,), kv_heads=None, t=37, s=None, d=16, e=None, scale=1.0, dtype=torch.float32,
    device="cpu",
):  # fmt: skip
    g = torch.Generator().manual_seed(t + d)
    kv = heads if kv_heads is None else kv_heads
    q = torch.randn(*heads, t, d, generator=g) * scale
    k = torch.randn(*kv, s or t, d, generator=g) * scale
    v = torch.randn(*kv, s or t, e or d, generator=g) + 0.5
    return [x.to(device, dtype).requires_grad_() for x in (q, k, v)]


def rounded(features, dtype):
    """The w that the programs use: scaled, and in q's precision."""
    scale = features.dim**-0.25 * 1.4426950408889634
    return (features.projection * scale).to(dtype).double() / scale


def error(ours, right):
    assert ours.isfinite().all()
    return float((ours.detach().double() - right.detach()).norm() / right.detach().norm())


def errors(q, k, v, features, causal, tiles=None):
    out = gpu.favor_attention(q, k, v, features=features, causal=causal, tiles=tiles)
    upstream = torch.randn_like(out)
    ours = [out, *torch.autograd.grad(out, (q, k, v), upstream)]
    taken = torch.bfloat16 if q.dtype == torch.float16 else q.dtype
    exact = [x.detach().to(taken).double().requires_grad_() for x in (q, k, v)]
    right = formula(*exact, rounded(features, taken), causal)
    gradients = torch.autograd.grad(right, exact, upstream.double())
    return [error(a, b) for a, b in zip(ours, [right, *gradients], strict=True)]


@pytest.mark.parametrize(
    ("m", "causal", "shape"),
    [
        pytest.param(32, True, {"t": 187}, id="three segments, an odd length"),
        pytest.param(20, True, {"t": 20, "d": 9, "e": 5}, id="one segment, odd widths"),
        pytest.param(32, True, {"t": 97, "scale": 6.0}, id="long keys, which need the log-max"),
        pytest.param(24, False, {"t": 45, "s": 71}, id="all keys, more than queries"),
        pytest.param(
            16,
            True,
            {"heads": (2, 1, 2), "kv_heads": (2, 1, 1), "t": 20},
            id="two heads of queries for one of keys",
        ),
    ],
)
def test_output_and_gradients_are_those_of_the_formula(m, causal, shape):
    features = RandomFeatures(shape.get("d", 16), m, generator=torch.Generator().manual_seed(1))
    assert max(errors(*inputs(**shape), features, causal, TILES)) < TOLERANCE[torch.float32]


def test_keys_that_grow_along_the_sequence_keep_the_earlier_rows():
    q, k, v = inputs(t=60)
    grown = (k.detach() * torch.linspace(0.1, 12, 60)[:, None]).requires_grad_()
    features = RandomFeatures(16, 32, generator=torch.Generator().manual_seed(2))
    assert max(errors(q, grown, v, features, True, TILES)) < 1e-4


def test_later_key_does_not_change_an_earlier_row():
    q, k, v = inputs(t=48)
    features = RandomFeatures(16, 16)
    with torch.no_grad():
        before = gpu.favor_attention(q, k, v, features=features, causal=True, tiles=TILES)
        k[-1] *= 6
        after = gpu.favor_attention(q, k, v, features=features, causal=True, tiles=TILES)
    torch.testing.assert_close(after[:-1], before[:-1], rtol=1e-5, atol=1e-6)


def test_program_is_chosen_by_name_and_refuses_what_it_cannot_do():
    q, k, v = inputs(t=10)
    features = RandomFeatures(16, 16)
    with torch.no_grad():
        ours = favor_attention(q, k, v, features=features, causal=True, program="triton")
        plain = favor_attention(q, k, v, features=features, causal=True, program="torch")
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)
    for option, words in [
        ({"state": FavorState()}, "no key_mask, no state"),
        ({"features": RandomFeatures(16, 16, phi="relu")}, "positive random features"),
        ({"features": RandomFeatures(16, 4096)}, "do not fit"),
    ]:
        with pytest.raises(ValueError, match=words):
            favor_attention(q, k, v, **({"features": features, "program": "triton"} | option))
    with pytest.raises(ValueError, match="program is 'cuda'"):
        favor_attention(q, k, v, features=features, program="cuda")


def test_cpu_is_refused_where_nothing_is_interpreted(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    q, k, v = (x.cpu() for x in inputs(t=10))
    with pytest.raises(ValueError, match="q is on the CPU"):
        favor_attention(q, k, v, features=RandomFeatures(16, 16), program="triton")


def test_second_derivative_is_that_of_the_plain_program():
    q, k, v = inputs(t=6)
    features = RandomFeatures(16, 16)
    found = []
    for program in ("triton", "torch"):
        out = favor_attention(
            q, k, v, features=features, causal=True, rescue=False, program=program
        )
        (first,) = torch.autograd.grad(out.square().sum(), k, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), k)[0])
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


def test_redraw_before_the_gradient_is_refused():
    q, k, v = inputs(t=6)
    features = RandomFeatures(16, 16)
    out = favor_attention(q, k, v, features=features, program="triton")
    features.redraw_()
    with pytest.raises(RuntimeError, match="redraw after the backward pass"):
        out.sum().backward()


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("causal", [True, False], ids=["causal", "all keys"])
def test_device_agrees_with_the_formula(dtype, causal):
    m = 64 if dtype == torch.float32 else 256
    features = RandomFeatures(64, m).cuda()
    for length, scale in [(1000, 0.5), (640, 1.0)]:
        args = inputs(heads=(1, 2), t=length, d=64, scale=scale, dtype=dtype, device="cuda")
        found = errors(*args, features, causal)
        assert max(found) < (1e-3 if dtype == torch.float32 else TOLERANCE[dtype])


@pytest.mark.gpu
def test_device_writes_every_element_at_the_size_of_the_bars():
    features = RandomFeatures(64, 256).cuda()
    q, k, v = (torch.randn(4, 16, 65536, 64, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    q, k = q * 0.5, k * 0.5
    poison = torch.full_like(q, torch.nan)
    del poison  # what is allocated next holds it
    with torch.no_grad():
        out = gpu.favor_attention(q, k, v, features=features, causal=True)
        assert out.isfinite().all()
        for head in (0, 63):  # the plain program, head by head
            at = (head // 16, slice(head % 16, head % 16 + 1))
            plain = favor_attention(
                *(x[at].float() for x in (q, k, v)), features=features, causal=True, program="torch"
            )
            assert error(out[at], plain.double()) < 3e-2
    q.requires_grad_(), k.requires_grad_(), v.requires_grad_()
    out = gpu.favor_attention(q, k, v, features=features, causal=True)
    upstream = torch.randn_like(out)
    ours = torch.autograd.grad(out, (q, k, v), upstream)
    at = (3, slice(15, 16))
    one = [x.detach()[at].float().requires_grad_() for x in (q, k, v)]
    plain = favor_attention(*one, features=features, causal=True, program="torch", rescue=False)
    for mine, right in zip(
        ours, torch.autograd.grad(plain, one, upstream[at].float()), strict=True
    ):
        assert mine.isfinite().all()
        assert error(mine[at], right.double()) < 5e-2


@pytest.mark.gpu
def test_layer_computes_the_same_on_a_device():
    layer = FavorAttention(64, 4, batch_first=True, causal=True)
    x = torch.randn(2, 300, 64)
    here = layer(x)[0]
    there = layer.cuda()(x.cuda())[0]
    torch.testing.assert_close(there.cpu(), here, rtol=1e-3, atol=1e-4)


def test_program_is_taken_by_itself_where_no_row_is_rescued_and_nothing_looks_into_it():
    features = RandomFeatures(16, 16)
    q, k, v = inputs(t=10)
    assert gpu.serves(q, k, v, features, causal=True, rescue=False)
    assert not gpu.serves(q, k, v, features, causal=True)
    assert not gpu.serves(q, k, v, features, rescue=False)
    assert not gpu.serves(q, k, v, features, causal=True, rescue=False, exact=4)
    asked = []
    torch.vmap(lambda x: (asked.append(gpu.serves(x, x, x, features, causal=True, rescue=False)), x)[1])(q[None])  # fmt: skip
    assert asked == [False]


@pytest.mark.gpu
def test_device_run_can_be_captured_in_a_graph():
    features = RandomFeatures(64, 128).cuda()
    q, k, v = (torch.randn(2, 4, 512, 64, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    with torch.no_grad():
        right = gpu.favor_attention(q, k, v, features=features, causal=True).clone()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            out = gpu.favor_attention(q, k, v, features=features, causal=True)
        graph.replay()
    torch.testing.assert_close(out, right)


def test_experiment_of_the_device_measures_both_programs():
    values = speed_on_a_gpu(seed=1, length=16, heads=1, pairs=1, device="cpu").values
    assert min(values["speed_ratio"], values["training_speed_ratio"], values["favor_ms"]) > 0
    assert {"exponent", "exponent_of_fused"} <= values.keys()
