import copy

import jaxtyping
import pytest
import torch
from torch import nn

from . import reference
from .attention import AttentionForms, FactorizedMultiheadAttention
from .convert import densify, factorize, factorize_with, factorized_like, plan
from .decay import attach_frobenius_decay, frobenius_decay, parameter_groups
from .networks import CharacterModel
from .report import report
from .test_paper import assert_same, count, normal


def attention(**settings):
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64, **settings)
    for parameter in layer.parameters():  # torch starts its biases at zero
        nn.init.normal_(parameter, std=0.4)
    return layer


def bert(cross=False):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=40,
        max_position_embeddings=16,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=48,
        attention_probs_dropout_prob=0.0,
        hidden_dropout_prob=0.0,
        is_decoder=cross,
        add_cross_attention=cross,
    )
    net = transformers.BertModel(config).eval()
    for parameter in net.parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, std=0.3)
    return net


def test_forms_equal_reference_and_attention_depends_on_them_alone():
    layer = FactorizedMultiheadAttention(12, 3, bias=False, batch_first=True, rank=2).double()
    q, k, v = (m.weight.unflatten(0, (3, 2)) for m in (layer.q_proj, layer.k_proj, layer.v_proj))
    expected = reference.bilinear_forms(q, k, v, layer.out_proj.weight)
    for form, right in zip(layer.attention_forms.forms(), expected, strict=True):
        assert_same(form, right)
    x = normal(5, 12)
    found, _ = layer(x[None], x[None], x[None])
    assert_same(found[0], reference.attention(x, *expected, 0.5))  # the scale of heads of 4


def test_decay_of_forms_is_that_of_their_products():
    layer = FactorizedMultiheadAttention(12, 3, rank=2).double()
    forms = layer.attention_forms.forms()
    assert_same(frobenius_decay(layer), sum(f.square().sum() for f in forms) / 2)
    expected = torch.autograd.grad(frobenius_decay(layer), layer.structured())
    for grad, right in zip(layer.decay_gradients(), expected, strict=True):
        assert_same(grad, right)
    groups = parameter_groups(layer, weight_decay=0.1)
    assert [len(g["params"]) for g in groups] == [2, 4]  # two biases, four maps


@pytest.mark.parametrize(
    "settings", [{}, {"bias": False}, {"kdim": 7, "vdim": 5}, {"dropout": 0.5}]
)
def test_full_rank_forms_are_the_dense_attention_biases_and_all(settings):
    dense = attention(**settings).eval()
    layer = FactorizedMultiheadAttention.from_dense(dense, 4)
    x, y, z = normal(2, 5, 12), normal(2, 6, dense.kdim), normal(2, 6, dense.vdim)
    causal = torch.ones(5, 6, dtype=torch.bool).triu(2)
    padding = torch.zeros(2, 6, dtype=torch.bool)
    padding[1, 4:] = True
    for arguments in (
        {},
        {"need_weights": False},
        {"attn_mask": causal, "key_padding_mask": padding},
        {"attn_mask": causal, "key_padding_mask": padding, "need_weights": False},
        {"attn_mask": normal(6, 5, 6), "average_attn_weights": False},
    ):
        for ours, theirs in zip(
            layer(x, y, z, **arguments), dense(x, y, z, **arguments), strict=True
        ):
            if theirs is not None:
                assert_same(ours, theirs)
    assert_same(layer(x[0], y[0], z[0])[0], dense(x[0], y[0], z[0])[0])
    back = layer.to_dense()
    assert_same(back(x, y, z)[0], dense(x, y, z)[0])
    layer.batch_first = False
    turned = (t.transpose(0, 1) for t in (x, y, z))
    assert_same(layer(*turned)[0].transpose(0, 1), dense(x, y, z)[0])


@pytest.mark.parametrize("rank", [1, 3])
def test_thin_forms_are_the_closest_and_turn_back_into_the_same_function(rank):
    dense = attention(bias=False)
    layer = FactorizedMultiheadAttention.from_dense(dense, rank)
    q, k, v = dense.in_proj_weight.reshape(3, 3, 4, 12)
    expected = reference.bilinear_forms(q, k, v, dense.out_proj.weight)
    for form, whole in zip(layer.attention_forms.forms(), expected, strict=True):
        s = torch.linalg.svdvals(whole)
        assert_same((form - whole).square().sum(), s[:, rank:].square().sum())
    x = normal(2, 5, 12)
    assert_same(layer.to_dense()(x, x, x)[0], layer(x, x, x)[0])


@pytest.mark.parametrize("norm_first", [False, True])
def test_torch_transformers_are_converted_and_run_in_both_modes(norm_first):
    inner = nn.TransformerEncoderLayer(
        16, 2, 64, dropout=0.0, batch_first=True, norm_first=norm_first
    )
    encoder = nn.TransformerEncoder(inner, 2, enable_nested_tensor=False).double()
    small = factorize(encoder, 0.6, keep=[])
    assert isinstance(small.layers[0].self_attn, FactorizedMultiheadAttention)
    assert count(small) <= 0.6 * count(encoder)
    assert plan(encoder, 0.6, keep=[]).after == count(small)
    x, padding = normal(2, 5, 16), torch.zeros(2, 5, dtype=torch.bool)
    padding[1, 3:] = True
    trained = small(x, src_key_padding_mask=padding)
    with torch.no_grad():
        assert_same(small.eval()(x, src_key_padding_mask=padding)[:, :3], trained[:, :3])
        assert_same(densify(small)(x), small(x))
    again = factorized_like(encoder, small.state_dict())
    assert_same(again.eval()(x), small(x))


def test_torch_transformer_with_decoder_is_converted():
    whole = nn.Transformer(16, 2, 1, 1, 32, 0.0, batch_first=True).double()
    small = factorize(whole, 0.7, keep=[])
    x, y = normal(2, 5, 16), normal(2, 4, 16)
    assert small(x, y).shape == (2, 4, 16)
    full = factorize_with(
        whole, {n: 8 for n, m in whole.named_modules() if isinstance(m, nn.MultiheadAttention)}
    )
    assert_same(full(x, y), whole(x, y))


def test_kept_and_unfit_attention_stays_dense():
    layer = nn.TransformerEncoderLayer(16, 2, 64)
    small = factorize(layer, 0.8, keep=["self_attn"])
    assert type(small.self_attn) is nn.MultiheadAttention
    odd = nn.Sequential(nn.MultiheadAttention(8, 2, add_bias_kv=True), nn.Linear(64, 64))
    assert "it has add_bias_kv" in plan(odd, 0.7, keep=[]).layers[0].why
    for call, sentence in (
        (lambda: FactorizedMultiheadAttention(8, 3, rank=1), "3 heads do not divide an embed_dim"),
        (lambda: FactorizedMultiheadAttention(8, 2, rank=5), "is 5; it must be in 1 to 4"),
        (lambda: FactorizedMultiheadAttention(8, 2, add_zero_attn=True, rank=2), "add_zero_attn"),
    ):
        with pytest.raises(ValueError, match=sentence):
            call()


@pytest.mark.parametrize("cross", [False, True])
def test_bert_attention_at_full_rank_is_the_same_model(cross):
    net = bert(cross)
    tokens = torch.arange(10).reshape(2, 5)
    given = {"attention_mask": torch.tensor([[1] * 5, [1, 1, 1, 0, 0]])}
    if cross:
        given["encoder_hidden_states"] = torch.randn(2, 4, 24)
    names = [n for n, m in net.named_modules() if type(m).__name__ == "BertAttention"]
    assert len(names) == (4 if cross else 2)
    for rank in (8, 3):
        thin = factorize_with(net, dict.fromkeys(names, rank))
        found = thin(tokens, **given).last_hidden_state
        back = densify(thin)(tokens, **given).last_hidden_state
        assert (back - found).norm() < 1e-5 * found.norm()
        if rank == 8:
            exact = net(tokens, **given).last_hidden_state
            assert (found - exact).norm() < 1e-5 * exact.norm()


def test_bert_is_factorized_decayed_reported_and_rebuilt():
    net = bert()
    small = factorize(net, 0.7)
    assert count(small) <= 0.7 * count(net)
    attention = small.encoder.layer[0].attention
    assert isinstance(attention.forms, AttentionForms)
    assert attention.self.attention_head_size < 8
    assert type(small.embeddings.word_embeddings) is nn.Embedding
    optimizer = torch.optim.SGD(small.parameters(), lr=0.1)
    attach_frobenius_decay(optimizer, small, 0.1)
    tokens = torch.arange(10).reshape(2, 5)
    before = copy.deepcopy(small.state_dict())
    small(tokens).last_hidden_state.square().mean().backward()
    optimizer.step()
    name = "encoder.layer.0.attention.self.query.weight"
    assert not torch.equal(small.state_dict()[name], before[name])
    found = {layer.name: layer for layer in report(net, small, {"input_ids": tokens}).layers}
    whole = found["encoder.layer.0.attention"]
    assert 0 < whole.relative_error < 1
    assert whole.mult_adds[1] < whole.mult_adds[0]
    again = factorized_like(bert(), small.state_dict())
    assert_same(again(tokens).last_hidden_state, small(tokens).last_hidden_state)


def test_calibrated_forms_are_closer_on_the_data():
    torch.manual_seed(0)
    net = CharacterModel(32, 4, 1, 16).eval()
    loud = torch.randint(97, 105, (30, 16))  # eight characters, so that few directions are used
    ranks = {"blocks.0.self_attn": 2}
    exact = net(loud)
    plain, calibrated = (factorize_with(net, ranks, data=d) for d in (None, [loud[:20]]))
    errors = [(m(loud)[20:] - exact[20:]).norm() for m in (plain, calibrated)]
    assert errors[1] < 0.95 * errors[0]
    bertlike, tokens = bert(), torch.arange(10).reshape(2, 5)
    assert factorize(bertlike, 0.7, data=[{"input_ids": tokens}])(tokens) is not None


@pytest.mark.usefixtures("fresh_compiler")
def test_attention_compiles_exports_and_lives_on_the_meta_device(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    layer = FactorizedMultiheadAttention(8, 2, batch_first=True, rank=2).eval()
    x = torch.randn(2, 5, 8)
    for same in (
        torch.export.export(layer, (x, x, x)).module(),
        torch.compile(layer, backend="eager", fullgraph=True),
    ):
        assert_same(same(x, x, x)[0], layer(x, x, x)[0], 1e-6)
    assert FactorizedMultiheadAttention(8, 2, rank=2, device="meta").q_proj.weight.is_meta
