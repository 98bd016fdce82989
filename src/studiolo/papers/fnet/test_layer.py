"""Blocks, masks, layouts and programs of FNet."""

from typing import Any

import pytest
import torch
from torch import nn
from torch._dynamo import testing

from studiolo.nn import SelfAttention

from .blocks import FNetBlock
from .layouts import attention_layers, make_mixer
from .mixing import FourierMixing, HartleyMixing, fourier_mix
from .model import FNetConfig, FNetModel


SIZES: dict[str, Any] = {
    "vocab_size": 31, "hidden_size": 12, "num_hidden_layers": 3, "intermediate_size": 20,
    "hidden_dropout_prob": 0.0, "max_position_embeddings": 9, "num_attention_heads": 3,
}  # fmt: skip
EVERY = [
    {"mixing": "fourier"}, {"mixing": "hartley"}, {"mixing": "linear"}, {"mixing": "random"},
    {"mixing": "none"}, {"mixing": "attention"}, {"mixing": "attention", "norm_first": True},
    {"num_attention_layers": 1},
]  # fmt: skip


def close(a, b, atol=1e-12):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


@pytest.mark.parametrize("fields", EVERY, ids=lambda fields: "-".join(map(str, fields.values())))
def test_masked_row_is_the_row_alone_on_any_side(fields):
    torch.manual_seed(0)
    model = FNetModel(FNetConfig(**SIZES, **fields)).double().eval()
    ids = torch.randint(31, (4, 9))
    mask = torch.ones(4, 9, dtype=torch.bool)
    mask[0, 5:], mask[1, :4], mask[2, 3:5] = False, False, False
    for given in (mask, mask.long(), mask.float()):
        output = model(ids, attention_mask=given, output_hidden_states=True)
        for row in range(4):
            alone = model(ids[row][mask[row]][None])
            close(output.last_hidden_state[row][mask[row]], alone.last_hidden_state[0])
            close(output.pooler_output[row], alone.pooler_output[0])
        assert bool((output.last_hidden_state[~mask] == 0).all())
        assert len(output.hidden_states) == 4
    lengths = model(ids[[0, 3]], lengths=[5, 9])
    close(lengths.last_hidden_state, output.last_hidden_state[[0, 3]])


def test_gradients_of_a_ragged_batch_are_those_of_its_rows():
    torch.manual_seed(0)
    model = FNetModel(FNetConfig(**SIZES)).double()
    ids, lengths = torch.randint(31, (5, 9)), [9, 3, 0, 3, 6]
    model(ids, lengths=lengths).last_hidden_state.sin().sum().backward()
    ragged = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    for row, n in zip(ids, lengths, strict=True):
        if n:
            model(row[None, :n]).last_hidden_state.sin().sum().backward()
    alone = [p.grad for p in model.parameters() if p.grad is not None]
    for a, b in zip(ragged, alone, strict=True):
        close(a, b, atol=1e-10)


@pytest.mark.parametrize(
    ("inputs", "error", "sentence"),
    [
        ({"input_ids": torch.ones(5).long()}, ValueError, r"input_ids are \(5,\), not \(rows, tokens\)"),
        ({}, ValueError, "Give input_ids or inputs_embeds, one of them"),
        ({"lengths": [2.0, 2.7]}, TypeError, "lengths are torch.float32, not whole numbers"),
        ({"lengths": torch.ones(2, dtype=torch.bool)}, TypeError, "lengths are torch.bool, not whole"),
        ({"lengths": [1, 5]}, ValueError, r"lengths\[1\] is 5, but a row holds 0 to 4"),
        ({"attention_mask": torch.ones(2, 3)}, ValueError, r"attention_mask is \(2, 3\), but the batch has 2"),
        ({"attention_mask": torch.full((2, 4), 2)}, ValueError, "attention_mask holds 2: only 0"),
        ({"attention_mask": torch.ones(2, 4), "lengths": [4, 4]}, ValueError, "not both"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("without_shape_checks")
def test_what_cannot_be_read_is_refused(inputs, error, sentence):
    model = FNetModel(FNetConfig(**SIZES))
    if inputs and "input_ids" not in inputs:
        inputs = {"input_ids": torch.ones(2, 4).long(), **inputs}
    with pytest.raises(error, match=sentence):
        model(**inputs)


@pytest.mark.parametrize("fields", EVERY, ids=lambda fields: "-".join(map(str, fields.values())))
def test_no_rows_give_no_rows(fields):
    model = FNetModel(FNetConfig(**SIZES, **fields))
    output = model(torch.ones(0, 5, dtype=torch.long))
    assert output.last_hidden_state.shape == (0, 5, 12)
    assert output.pooler_output.shape == (0, 12)


def test_embeddings_and_positions_can_be_given():
    model = FNetModel(FNetConfig(**SIZES)).eval()
    ids = torch.randint(31, (2, 6))
    mask = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]])
    words = model.word_embeddings(ids)
    close(model(inputs_embeds=words).last_hidden_state, model(ids).last_hidden_state, 1e-6)
    given = model(ids, position_ids=torch.tensor([[3, 4, 0, 1, 2, 3]]), attention_mask=mask)
    implied = model(ids, attention_mask=mask)
    close(given.last_hidden_state[0], implied.last_hidden_state[0], 1e-6)


def test_mixer_of_the_caller_keeps_its_weights():
    mixer = SelfAttention(12, 3)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.fill_(0.5)
    model = FNetModel(FNetConfig(**SIZES), lambda layer: mixer if layer else FourierMixing())
    assert all(bool((p == 0.5).all()) for p in model.encoder.blocks[1].mixer.parameters())
    assert model.word_embeddings.weight.std() < 0.03  # the rest starts as it should


def test_attention_by_name_starts_like_the_rest():
    torch.manual_seed(0)
    mixer = make_mixer("attention", width=64, num_tokens=9, num_heads=2)
    assert 0.018 < mixer.query_key_value.weight.std() < 0.022
    assert bool((mixer.output.bias == 0).all())


@pytest.mark.parametrize(
    ("layout", "count", "layers"),
    [
        ("top", 2, {4, 5}), ("bottom", 2, {0, 1}), ("middle", 2, {2, 3}), ("middle", 3, {1, 2, 3}),
        ("mixed", 2, {2, 5}), ("mixed", 3, {1, 3, 5}), ("mixed", 0, set()), ("top", 0, set()),
        ("mixed", 6, {0, 1, 2, 3, 4, 5}),
    ],
)  # fmt: skip
def test_layouts_by_name(layout, count, layers):
    assert attention_layers(layout, 6, count) == layers


@pytest.mark.usefixtures("without_shape_checks")
def test_layouts_and_mixers_that_are_not_here_are_refused():
    with pytest.raises(ValueError, match="There is no layout 'TOP': choose one of top, bottom"):
        attention_layers("TOP", 6, 2)
    with pytest.raises(ValueError, match="7 of 6 blocks cannot attend: choose 0 to 6"):
        attention_layers("top", 6, 7)
    with pytest.raises(ValueError, match="mixing is 'dct': choose one of fourier, hartley"):
        FNetConfig(mixing="dct")


def test_hybrid_of_the_paper_has_its_size():
    with torch.device("meta"):
        model = FNetModel(FNetConfig(num_attention_layers=2))
    attending = [isinstance(block.mixer, SelfAttention) for block in model.encoder.blocks]
    assert attending == 10 * [False] + 2 * [True]
    assert model.encoder.blocks[-1].mixer.num_heads == 12


def test_hartley_is_its_definition_and_its_own_adjoint():
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    angles = [2 * torch.pi * torch.arange(n)[:, None] * torch.arange(n) / n for n in (5, 4)]
    angle = angles[0][:, None, :, None] + angles[1][None, :, None, :]
    expected = torch.einsum("kinj,bnj->bki", angle.double().cos() + angle.double().sin(), x)
    mix = HartleyMixing()
    close(mix(x), expected, 1e-5)
    g = torch.randn_like(x)
    close((mix(x) * g).sum(), (x * mix(g)).sum(), 1e-11)


def test_pre_norm_block_does_not_round_before_it_normalises():
    # mixing at 512 x 768 is 443 times its input: rounded to 8 bits it would swallow the residual
    torch.manual_seed(0)
    x = torch.randn(1, 256, 384)
    block = FNetBlock(FourierMixing(), 384, 8, norm_first=True)
    nn.init.zeros_(block.feed_forward.down.weight)
    seen = []
    block.output_norm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    block.bfloat16()(x.bfloat16())
    (wide,) = seen
    assert wide.dtype == torch.float32
    normed = block.mixer_norm(x.bfloat16())
    back = wide - fourier_mix(normed)
    assert (back - x.bfloat16().float()).norm() / x.norm() < 1e-3


@pytest.mark.usefixtures("without_shape_checks")
def test_both_programs_agree_and_another_is_refused():
    x = torch.randn(3, 7, 6, dtype=torch.float64).requires_grad_()
    for lengths in (None, [7, 2, 5]):
        y, z = (fourier_mix(x, lengths, program=program) for program in ("fft", "matmul"))
        close(y, z)
        weights = torch.randn_like(y)
        close(*(torch.autograd.grad(out, x, weights)[0] for out in (y, z)))
    with pytest.raises(
        ValueError, match="There is no program 'dft': choose one of auto, fft, matmul"
    ):
        fourier_mix(x, program="dft")


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_mixing_has_a_forward_mode_and_takes_empty_batches():
    x = torch.randn(2, 5, 4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(
        fourier_mix, (x,), check_forward_ad=True, check_batched_grad=True
    )
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x.detach(), x.detach())
        tangent = torch.autograd.forward_ad.unpack_dual(fourier_mix(dual, [5, 2])).tangent
    close(tangent, fourier_mix(x.detach(), [5, 2]))
    assert fourier_mix(torch.empty(0, 5, 4)).shape == (0, 5, 4)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.usefixtures("fresh_compiler")
def test_compiled_model_serves_all_lengths_with_one_graph():
    if hasattr(fourier_mix, "__wrapped__"):
        pytest.skip("the shape hook wraps functions in what torch.compile cannot trace")
    torch.manual_seed(0)
    config = FNetConfig(**SIZES | {"num_hidden_layers": 2}, mixing="linear", num_attention_layers=1)
    model = FNetModel(config).double()
    model.encoder.blocks.append(FNetBlock(FourierMixing(), 12, 20).double())
    counter = testing.CompileCounter()
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    ids = torch.randint(31, (3, 9))
    for mask in (
        [[1] * 9, [1] * 4 + [0] * 5, [1] * 2 + [0] * 7],
        [[0] * 4 + [1] * 5, [0] * 9, [0] * 8 + [1]],
        [[1] * 9, [1] * 9, [1] * 9],
    ):
        given = torch.tensor(mask)
        with torch.no_grad():
            ours, whole = compiled(ids, attention_mask=given), model(ids, attention_mask=given)
        inside = given[..., None]
        close(ours.last_hidden_state * inside, whole.last_hidden_state * inside, 1e-10)
    assert counter.frame_count == 1
    lengths = torch.tensor([9, 4, 2])
    with torch.no_grad():
        ours = torch.compile(model, backend="eager", fullgraph=True)(ids, lengths=lengths)
    close(ours[0], model(ids, lengths=lengths)[0], 1e-10)
