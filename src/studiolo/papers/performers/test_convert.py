"""Models of torch, of `studiolo.nn` and of transformers with their attention made linear; feature maps trained."""

import copy

import pytest
import torch
from torch import nn

from studiolo.nn import SelfAttention, Transformer

from .convert import convert
from .distill import distill_attention
from .layer import FavorAttention
from .model import favor_attention


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def assert_same(a, b, tolerance=1e-6):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def assert_near(out, expected, share=0.1):
    """Within a share of how much the expected rows differ from each other."""
    assert (out - expected).norm() < share * (expected - expected.mean((0, 1))).norm()


class Decoder(nn.Module):
    """A language model of torch's own parts."""

    def __init__(self, **options):
        super().__init__()
        layer = nn.TransformerEncoderLayer(12, 2, 24, batch_first=True, **options)
        self.embed, self.body = nn.Embedding(11, 12), nn.TransformerEncoder(layer, 2)

    def forward(self, ids, padding=None):
        mask = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).triu(1)
        return self.body(self.embed(ids), mask=mask, src_key_padding_mask=padding, is_causal=True)


def of_transformers(kind, **options):
    transformers = pytest.importorskip("transformers")
    small = {"vocab_size": 11, "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 4}
    torch.manual_seed(0)
    match kind:
        case "bert":
            config = transformers.BertConfig(**small, intermediate_size=24, **options)
            model = transformers.BertForMaskedLM(config)
        case "gpt2":
            config = transformers.GPT2Config(
                vocab_size=11,
                n_layer=2,
                n_embd=16,
                n_head=4,
                bos_token_id=1,
                eos_token_id=2,
                **options,
            )
            model = transformers.GPT2LMHeadModel(config)
        case "llama":
            config = transformers.LlamaConfig(
                **small,
                num_key_value_heads=2,
                intermediate_size=24,
                bos_token_id=1,
                eos_token_id=2,
                **options,
            )
            model = transformers.LlamaForCausalLM(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model.eval()


def ids(rows=2, length=9, seed=0):
    return torch.randint(3, 11, (rows, length), generator=seeded(seed))


def test_torchs_encoder_keeps_its_weights_and_comes_near_its_output():
    torch.manual_seed(0)
    model = Decoder(dropout=0.1).eval()
    before = copy.deepcopy(model.state_dict())
    linear, report = convert(model, num_features=20_000, generator=seeded())
    assert report.converted == ("body.layers.0.self_attn", "body.layers.1.self_attn")
    assert "body.layers.0.self_attn dropped 10% of its weights" in str(report)
    for name, value in before.items():
        assert torch.equal(linear.state_dict()[name], value)
        assert torch.equal(model.state_dict()[name], value)
    assert type(model.body.layers[0].self_attn) is nn.MultiheadAttention
    with torch.inference_mode():
        assert_near(linear(ids()), model(ids()))
        padding = torch.arange(9).expand(2, 9) > 5
        assert_near(linear(ids(), padding)[:, :6], model(ids(), padding)[:, :6])


@pytest.mark.parametrize(
    "options", [{}, {"add_bias_kv": True}, {"kdim": 5, "vdim": 3, "bias": False}]
)
def test_attention_alone_is_converted_whole(options):
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(12, 2, batch_first=True, **options).requires_grad_(False)
    linear, report = convert(theirs, num_features=20_000, generator=seeded())
    assert isinstance(linear, FavorAttention)
    assert report.converted == ("",)
    assert not any(p.requires_grad or p.is_meta for p in linear.parameters())
    x = torch.randn(2, 7, 12, generator=seeded())
    key, value = (torch.randn(2, 7, n, generator=seeded(1)) for n in (linear.kdim, linear.vdim))
    assert_near(linear(x, key, value)[0], theirs(x, key, value)[0])


def test_attention_that_two_layers_share_stays_shared():
    shared = nn.MultiheadAttention(12, 2)
    linear, report = convert(nn.ModuleList([shared, shared]))
    assert linear[0] is linear[1]
    assert report.converted == ("0",)


@pytest.mark.parametrize("causal", [False, True])
def test_our_own_transformer_keeps_its_weights_and_comes_near_its_output(causal):
    torch.manual_seed(0)
    model = Transformer(12, 2, lambda _: SelfAttention(12, 2, causal=causal))
    linear, report = convert(model, num_features=20_000, generator=seeded())
    assert report.converted == ("blocks.0.mixer", "blocks.1.mixer")
    x = torch.randn(2, 9, 12, generator=seeded())
    assert_near(linear(x), model(x))
    assert_near(linear(x, [9, 5])[:, :5], model(x, [9, 5])[:, :5])
    missing = set(model.state_dict()) - set(linear.state_dict())
    assert not missing


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama"])
@pytest.mark.parametrize("exact", [None, 32])
def test_models_of_transformers_keep_their_weights_and_come_near_their_output(kind, exact):
    model = of_transformers(kind)
    linear, report = convert(model, num_features=20_000, exact=exact, generator=seeded())
    assert len(report.converted) == 2
    for name, value in model.state_dict().items():
        assert torch.equal(linear.state_dict()[name], value)
    mask = torch.ones(2, 9)
    mask[1, :4] = 0  # padding on the left, as in generation
    with torch.inference_mode():
        seen = mask.bool()
        expected = model(ids(), attention_mask=mask).logits
        assert_near(linear(ids(), attention_mask=mask).logits[seen], expected[seen], 0.15)
    assert model.config._attn_implementation != linear.config._attn_implementation


SMALL = {
    "vocab_size": 11, "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 4, "intermediate_size": 24,
}  # fmt: skip
GROUPED = {**SMALL, "num_key_value_heads": 2}


def made(name, kind="ForCausalLM", **options):
    """A model of transformers with random weights."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = getattr(transformers, name + kind)(getattr(transformers, f"{name}Config")(**options))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model.eval()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Mistral", {**GROUPED, "sliding_window": None}),
        ("Qwen2", GROUPED),
        ("GPTNeoX", SMALL),
        ("OPT", {**SMALL, "ffn_dim": 24, "word_embed_proj_dim": 16}),
        ("GPTBigCode", {"vocab_size": 11, "n_layer": 2, "n_embd": 16, "n_head": 4}),
    ],
)
def test_kin_of_these_models_come_near_their_output_with_every_map(name, options):
    model = made(name, **options)
    linear, report = convert(model, num_features=20_000, generator=seeded())
    assert len(report.converted) == 2
    with torch.inference_mode():
        assert_near(linear(ids()).logits, model(ids()).logits, 0.15)
        learned, _ = convert(model, "learned")
        assert learned(ids()).logits.isfinite().all()


@pytest.mark.parametrize(
    ("name", "kind", "options", "sentence"),
    [
        ("Mistral", "ForCausalLM", GROUPED, "MistralAttention sees the keys of a window"),
        ("Gemma2", "ForCausalLM", GROUPED, "Gemma2Attention sees the keys of a window"),
        (
            "Gemma2",
            "ForCausalLM",
            {**GROUPED, "layer_types": ["full_attention"] * 2},
            "Gemma2Attention changes its scores by attn_logit_softcapping",
        ),
        (
            "T5",
            "ForConditionalGeneration",
            {"vocab_size": 11, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 1, "num_heads": 4},
            "T5Attention changes its scores by has_relative_attention_bias",
        ),
        ("MPNet", "ForMaskedLM", SMALL, "MPNetForMaskedLM has no attention that can be converted"),
    ],
)  # fmt: skip
def test_models_that_do_more_are_refused_by_name(name, kind, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        convert(made(name, kind, **options))


def test_model_that_ignores_its_attention_interface_is_refused(monkeypatch):
    model = of_transformers("gpt2")
    monkeypatch.setattr(type(model), "_can_set_attn_implementation", lambda *_: False)
    monkeypatch.setattr(type(model.transformer), "_can_set_attn_implementation", lambda *_: False)
    with pytest.raises(ValueError, match="GPT2Attention cannot have its attention exchanged"):
        convert(model)


def test_attention_of_torch_beside_a_model_of_transformers_may_be_kept():
    model = nn.ModuleDict({"one": of_transformers("bert"), "two": nn.MultiheadAttention(8, 2)})
    _, report = convert(model, keep=["two"])
    assert report.kept == {"two": "keep names it"}
    assert len(report.converted) == 2


@pytest.mark.parametrize("kind", ["bert", "gpt2", "torch"])
@pytest.mark.usefixtures("fresh_compiler")
def test_without_rescue_it_is_one_graph(kind):
    if hasattr(favor_attention, "__wrapped__"):
        pytest.skip("the shape hook wraps functions in what torch.compile cannot trace")
    model = Decoder(dropout=0.0) if kind == "torch" else of_transformers(kind)
    linear, _ = convert(model, num_features=16, rescue=False)
    options = {} if kind == "torch" else {"attention_mask": torch.ones(2, 9)}
    if kind == "gpt2":
        options["use_cache"] = False
    first = lambda m: m(ids(), **options) if kind == "torch" else m(ids(), **options).logits  # noqa: E731
    compiled = torch.compile(linear, fullgraph=True, backend="aot_eager")
    assert_same(first(compiled), first(linear))


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_generation_with_a_cache_equals_one_without(kind):
    linear, _ = convert(of_transformers(kind), num_features=64, exact=3, generator=seeded())
    prompt = ids(2, 5)
    options = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    cached = linear.generate(prompt, attention_mask=torch.ones(2, 5), use_cache=True, **options)
    plain = linear.generate(prompt, attention_mask=torch.ones(2, 5), use_cache=False, **options)
    assert torch.equal(cached, plain)
    assert cached.shape == (2, 11)


def test_converted_model_of_transformers_trains_and_is_saved(tmp_path):
    model = of_transformers("llama")
    linear, _ = convert(model, "learned", generator=seeded())
    linear.train()
    linear(ids(), labels=ids()).loss.backward()
    assert all(p.grad is not None for p in linear.parameters())
    again, _ = convert(model, "learned")
    again.load_state_dict(linear.state_dict())
    assert_same(again(ids()).logits, linear(ids()).logits)


@pytest.mark.parametrize("features", ["positive", "relu", "elu", "hyperbolic"])
def test_every_kind_of_features_can_be_put_in(features):
    linear, _ = convert(Decoder(dropout=0.0), features, num_features=8)
    assert linear(ids()).isfinite().all()


def test_what_stays_is_said():
    class Mine(nn.MultiheadAttention):
        pass

    model = nn.ModuleList([nn.MultiheadAttention(8, 2), nn.MultiheadAttention(8, 2), Mine(8, 2)])
    linear, report = convert(model, keep=["1"])
    assert report.kept == {"1": "keep names it", "2": "Mine may do more than torch's own class"}
    assert "1 stays as it was: keep names it." in str(report)
    assert type(linear[1]) is nn.MultiheadAttention


def asked_for_weights():
    model = of_transformers("gpt2")
    model.set_attn_implementation("eager")
    model.config.output_attentions = True
    return model


class Checkpointed(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids):
        with torch.no_grad():  # what checkpointing with use_reentrant=True does
            return self.model(ids)


def checkpointed():
    return Checkpointed(convert(of_transformers("gpt2"), "learned")[0])


def learned():
    torch.manual_seed(0)
    one = nn.TransformerEncoderLayer(12, 2, 24, dropout=0.0, batch_first=True)
    return convert(nn.TransformerEncoder(one, 2), "learned")[0]


class Unused(nn.Identity):
    def __init__(self):
        super().__init__()
        self.attention = FavorAttention(12, 2, phi="learned")


def test_data_are_gone_through_again_and_an_iterator_may_run_dry():
    x = [torch.randn(2, 7, 12, generator=seeded(s)) for s in range(3)]
    assert distill_attention(learned(), iter(x), 7) == distill_attention(learned(), x, 7)
    passes = []

    class Loader:
        def __iter__(self):
            passes.append(1)
            return iter(x)

    distill_attention(learned(), Loader(), 7)
    assert len(passes) == 3  # a loader that shuffles does so every time


def test_padding_of_nan_does_not_reach_the_maps():
    x = torch.randn(2, 7, 12, generator=seeded())
    padding = torch.arange(7).expand(2, 7) > torch.tensor([[6], [4]])
    hidden = x.masked_fill(padding[..., None], torch.nan)
    model = learned()
    losses = distill_attention(model, [{"src": hidden, "src_key_padding_mask": padding}], 3)
    assert torch.tensor(losses).isfinite().all()
    assert all(p.isfinite().all() for p in model.parameters())


def test_maps_are_distilled_in_float32_and_wherever_gradients_are_off():
    x = torch.randn(2, 7, 12, generator=seeded())
    model, expected = learned(), distill_attention(learned(), [x], 3)
    with torch.inference_mode():
        assert distill_attention(model, [x], 3) == expected
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = distill_attention(learned(), [x], 3)
    assert found == pytest.approx(expected, rel=1e-3)
    assert found[2] < found[1] < found[0]


def test_gradients_of_the_distillation_do_not_stay():
    model = learned()
    distill_attention(model, [torch.zeros(2, 7, 12)], 1)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: convert(nn.Linear(2, 2)), "Linear has no attention that can be converted"),
        (lambda: convert(Decoder(), keep=["head"]), "keep names head"),
        (lambda: convert(of_transformers("bert"), keep=["bert.encoder.layer.0.attention.self"]), "in all layers"),
        (lambda: convert(of_transformers("gpt2"))[0](ids(), attention_mask=torch.ones(2, 1, 9, 9)), "single pairs"),
        (lambda: convert(of_transformers("llama"))[0](ids(), output_attentions=True), "must be False"),
        (lambda: convert(asked_for_weights())[0](ids()), "never forms its weights: output_attentions"),
        (lambda: distill_attention(checkpointed(), [ids()], 1), "use_reentrant=False"),
        (lambda: convert(of_transformers("gpt2"), "relu", exact=4), "a kernel of their own"),
        (lambda: convert(Decoder(), "learned", exact=4), "Use exact=None"),
        (lambda: distill_attention(convert(Decoder())[0], [ids()], 1), "no learned features"),
        (lambda: distill_attention(learned(), [], 1), "no data to distil"),
        (lambda: distill_attention(learned(), iter([]), 1), "give at least one batch"),
        (lambda: distill_attention(learned(), {"src": torch.zeros(2, 7, 12)}, 1), "data is one dict"),
        (lambda: distill_attention(learned(), [torch.zeros(2, 7, 12)], -1), "steps is -1"),
        (lambda: distill_attention(learned().requires_grad_(False), [], 1), "features are frozen"),
        (lambda: distill_attention(nn.Sequential(Unused()), [torch.zeros(1)], 1), "called none of its"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize("kind", ["torch", "studiolo", "gpt2"])
def test_distilled_weights_come_nearer_to_the_exact_ones_and_nothing_else_changes(kind):
    torch.manual_seed(0)
    if kind == "studiolo":
        body = Transformer(12, 2, lambda _: SelfAttention(12, 2, causal=True))
        model = nn.Sequential(nn.Embedding(11, 12), body)
    else:
        model = Decoder(dropout=0.0) if kind == "torch" else of_transformers(kind)
    for name, parameter in model.named_parameters():
        if name.endswith(("in_proj_weight", "query_key_value.weight", "c_attn.weight")):
            nn.init.normal_(parameter, std=0.5)
    model.eval()
    linear, _ = convert(model, "learned")
    output = lambda m: m(ids()).logits if kind == "gpt2" else m(ids())  # noqa: E731
    expected = output(model).detach()
    before = (output(linear) - expected).norm()
    fixed = {n: p.clone() for n, p in linear.named_parameters() if "features" not in n}
    losses = distill_attention(linear, [ids(seed=s) for s in range(3)], 60)
    assert losses[-1] < losses[0]
    assert (output(linear) - expected).norm() < before
    for name, value in fixed.items():
        assert torch.equal(dict(linear.named_parameters())[name], value)
    assert all(p.requires_grad for p in linear.parameters())


def test_cross_entropy_of_maps_worked_by_hand():
    from .distill import _cross_entropy
    from .features import Features

    # one query, two keys: exact weights 1/4 and 3/4, features give 1/2 each
    weights = torch.tensor([[0.25, 0.75]])
    zeros = Features(torch.zeros(1, 1)), Features(torch.zeros(2, 1))
    assert_same(_cross_entropy(weights, *zeros), torch.tensor(2.0).log())
