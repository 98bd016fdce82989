import pytest
import torch
from torch.nn.attention import flex_attention as flex

from . import attention, experiments, gpu
from .adaptive_span import AdaptiveSpanConfig, AdaptiveSpanTransformer
from .expire import ExpireSpanConfig, ExpireSpanTransformer
from .transformer_xl import TransformerXL, TransformerXLConfig


SIZES = [(40, 300, 40, 8), (7, 7, 3, 1), (130, 260, 32, 16)]  # queries, keys, positions, ramp


def drawn(queries, keys, positions, *, shared=True, dtype=torch.float64, device="cpu"):
    """q, k, v, spans, positions that want gradients, and ages."""
    torch.manual_seed(queries)
    shapes = [
        (2, 3, queries, 16),
        (2, 3, keys, 16),
        (2, 3, keys, 16),
        (2, 1 if shared else 3, keys),
    ]
    q, k, v, spans = (torch.randn(shape, dtype=dtype) for shape in shapes)
    parts = (
        q,
        k,
        v,
        spans.float().sigmoid().to(dtype) * 200,
        torch.randn(16, positions, dtype=dtype),
    )
    ages = torch.arange(keys - queries, -queries, -1).expand(2, -1)
    return [x.to(device).requires_grad_() for x in parts], ages.to(device)


def values_and_gradients(function, parts, ages, ramp):
    q, k, v, spans, positions = parts
    found = function(q, k, v, spans, ages, positions, ramp)
    places = torch.arange(found[0].numel(), device=q.device, dtype=torch.float64)
    loss = (found[0].double().flatten() * places.sin()).sum() + 0.01 * found[1].double().sum()
    return [*found, *torch.autograd.grad(loss, parts)]


@pytest.fixture
def uncompiled(monkeypatch):
    """FlexAttention's own reference; torch refuses its backward pass on a CPU, and it is right all the same."""
    monkeypatch.setattr(flex, "_validate_device", lambda *_: None)
    monkeypatch.setattr(flex, "_warn_once", lambda **_: None)
    torch._dynamo.reset()
    return lambda *parts: gpu.attend_by_span(*parts, attention=flex.flex_attention)


NOT_LEAVES = "ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning"  # torch looks at its own


@pytest.mark.filterwarnings(NOT_LEAVES)
@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False], ids=["span-a-memory", "span-a-head"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_flex_attention_is_the_dense_program(uncompiled, size, shared):
    queries, keys, positions, ramp = size
    parts, ages = drawn(queries, keys, positions, shared=shared)
    wanted = values_and_gradients(attention.attend_by_span, parts, ages, ramp)
    found = values_and_gradients(uncompiled, parts, ages, ramp)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-11, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.filterwarnings(NOT_LEAVES)
def test_query_that_sees_nothing_gets_zeros_and_passes_no_gradient(uncompiled):
    parts, ages = drawn(9, 20, 4)
    with torch.no_grad():
        parts[3].zero_()
    mixed, on_ramp, seen, *gradients = values_and_gradients(uncompiled, parts, ages + 30, 1)
    assert not any(x.any() for x in (mixed, on_ramp, seen, *gradients))


@pytest.mark.parametrize("shared", [True, False], ids=["span-a-memory", "span-a-head"])
def test_price_and_number_of_memories_need_no_scores(shared):
    for queries, keys, positions, ramp in SIZES:
        (q, k, v, spans, at), ages = drawn(queries, keys, positions, shared=shared)
        _, *wanted = attention.attend_by_span(q, k, v, spans, ages, at, ramp)
        on_ramp, seen = gpu._sums(spans, ages, queries, ramp)
        torch.testing.assert_close([on_ramp, seen / queries], wanted, atol=1e-9, rtol=1e-6)
        gradients = [torch.autograd.grad(x.sum(), spans)[0] for x in (on_ramp, wanted[0])]
        torch.testing.assert_close(*gradients, atol=1e-12, rtol=1e-12)


def test_a_tile_is_read_if_and_only_if_some_query_sees_a_memory_of_it():
    ages = torch.arange(512 - 256, -256, -1).expand(2, -1)
    left = torch.full((2, 1, 512), -40.0)
    left[0, 0, 130:140] = 3.0
    left[1, 0, 300:] = 200.0
    mask = gpu._block_mask(left, ages, 256, 8, None)
    assert mask.to_dense().tolist() == [
        [[[0, 1, 0, 0], [0, 0, 0, 0]]],
        [[[0, 0, 1, 0], [0, 0, 1, 1]]],
    ]  # the last tile holds the second half of the queries: the first half comes before it


def test_program_is_chosen_inside_and_serves_what_it_can():
    half = torch.zeros(1, 16, dtype=torch.bfloat16)
    assert not gpu.serves(half, 0.0)
    with gpu.program("flex"):
        assert gpu.serves(half, 0.0)
        assert not gpu.serves(half, 0.1)
        assert not gpu.serves(half.double(), 0.0)
        assert not gpu.serves(half[:, :8], 0.0)
        with gpu.program("dense"):
            assert not gpu.serves(half, 0.0)
    assert not gpu.serves(half, 0.0)
    with (
        pytest.raises(ValueError, match="There is no program 'fast': choose flex or dense"),
        gpu.program("fast"),
    ):
        pass


TOLERANCE = {torch.float32: 5e-4, torch.bfloat16: 3e-2, torch.float16: 5e-3}


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda d: str(d)[6:])
@pytest.mark.parametrize("shared", [True, False], ids=["span-a-memory", "span-a-head"])
def test_compiled_flex_attention_is_the_dense_program_in_float64(dtype, shared):
    for queries, keys, positions, ramp in SIZES:
        parts, ages = drawn(queries, keys, positions, shared=shared, dtype=dtype, device="cuda")
        with torch.no_grad():
            parts[3].data = parts[3].data.float()  # spans are never rounded
        exact = [x.detach().cpu().double().requires_grad_() for x in parts]
        wanted = values_and_gradients(attention.attend_by_span, exact, ages.cpu(), ramp)
        found = values_and_gradients(gpu.attend_by_span, parts, ages, ramp)
        for name, a, b in zip(
            ("mixed", "on_ramp", "seen", "q", "k", "v", "spans", "positions"),
            found,
            wanted,
            strict=True,
        ):
            off = (a.cpu().double() - b).norm() / b.norm().clamp(min=1e-12)  # none may be on a ramp
            assert off <= TOLERANCE[dtype], f"{name} at {queries} queries, {keys} keys: {off:.2g}"


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["expire-span", "transformer-xl", "adaptive-span"])
def test_model_trains_alike_with_both_programs_and_compiles_few(kind):
    sizes = {"vocab_size": 20, "d_model": 64, "num_heads": 2, "d_ff": 64, "block_size": 64}
    torch.manual_seed(0)
    model = {
        "expire-span": lambda: ExpireSpanTransformer(
            ExpireSpanConfig(**sizes, max_span=256, ramp=16, initial_span=0.3)
        ),
        "transformer-xl": lambda: TransformerXL(TransformerXLConfig(**sizes, window=200)),
        "adaptive-span": lambda: AdaptiveSpanTransformer(
            AdaptiveSpanConfig(**sizes, max_span=256, ramp=16)
        ),
    }[kind]().cuda()
    tokens = torch.randint(20, (2, 640), device="cuda")
    gradients = []
    for name in ("dense", "flex"):
        with gpu.program(name):
            outputs = list(model.blocks(tokens))
        loss = sum(o.logits.square().mean() + o.aux_loss.mean() for o in outputs)
        gradients.append(
            torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])
        )
    assert (gradients[0] - gradients[1]).norm() / gradients[0].norm() < 2e-3


@pytest.mark.gpu
def test_experiment_of_the_claims_runs_at_any_size(device):
    outcome = experiments.step_on_gpu(
        seed=1, device=device, batch=1, block=8, span=16, d_model=8, num_layers=1, ramp=4, pairs=1
    )
    assert all(value > 0 for value in outcome.values.values())
