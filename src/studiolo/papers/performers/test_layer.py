"""`FavorAttention` as a stranger meets it: everywhere that `torch.nn.MultiheadAttention` stands."""

import copy
import inspect
import pickle

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

from .features import Features, LearnedFeatures, RandomFeatures
from .layer import FavorAttention
from .model import FavorState, favor_attention


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def layer(*args, **kwargs):
    torch.manual_seed(0)
    made = FavorAttention(*(args or (12, 4)), **{"num_features": 16, "batch_first": True} | kwargs)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.1)
    return made


def inputs(*shape, seed=0):
    return torch.randn(*(shape or (2, 7, 12)), generator=seeded(seed))


def assert_same(a, b, tolerance=1e-5):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def assert_near(out, expected):
    """Within a tenth of how much the rows differ from each other."""
    assert (out - expected).norm() < 0.1 * (expected - expected.mean((0, 1))).norm()


def exact(favor, *arguments, **kwargs):
    """What torch's own class makes of the same weights."""
    theirs = nn.MultiheadAttention(
        favor.embed_dim, favor.num_heads, bias=favor.in_proj_bias is not None,
        add_bias_kv=favor.bias_k is not None, add_zero_attn=favor.add_zero_attn,
        kdim=favor.kdim, vdim=favor.vdim, batch_first=favor.batch_first,
    )  # fmt: skip
    state = {k: v for k, v in favor.state_dict().items() if not k.startswith("features.")}
    theirs.load_state_dict(state)
    return theirs(*arguments, need_weights=False, **kwargs)[0]


def test_arguments_of_torchs_class_come_first_with_its_defaults():
    theirs, ours = (
        inspect.signature(c.__init__).parameters.values()
        for c in (nn.MultiheadAttention, FavorAttention)
    )
    assert [(p.name, p.default) for p in theirs] == [
        (p.name, p.default) for p in ours if p.kind is not p.KEYWORD_ONLY
    ]
    names = [
        list(inspect.signature(c.forward).parameters)
        for c in (nn.MultiheadAttention, FavorAttention)
    ]
    assert names[1][: len(names[0])] == names[0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False},
        {"kdim": 5, "vdim": 3},
        {"add_bias_kv": True},
        {"add_zero_attn": True},
        {"add_bias_kv": True, "add_zero_attn": True, "kdim": 5, "vdim": 3},
        {"batch_first": False},
        {"dtype": torch.float64},
    ],
)
def test_state_dict_of_torchs_class_is_loaded_and_written(options):
    theirs = nn.MultiheadAttention(12, 4, **options)
    ours = FavorAttention(12, 4, **options)
    draw = ours.features.projection.clone()
    assert str(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
    mine = dict(ours.named_parameters())
    assert list(mine) == [name for name, _ in theirs.named_parameters()]
    for name, parameter in theirs.named_parameters():
        assert torch.equal(mine[name], parameter)
    assert torch.equal(ours.features.projection, draw)
    state = {k: v for k, v in ours.state_dict().items() if not k.startswith("features.")}
    assert str(theirs.load_state_dict(state)) == "<All keys matched successfully>"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False},
        {"kdim": 5, "vdim": 3},
        {"add_bias_kv": True},
        {"add_zero_attn": True},
        {"batch_first": False},
    ],
)
@pytest.mark.parametrize("causal", [False, True])
def test_many_features_approach_torchs_class(options, causal):
    favor = layer(num_features=30_000, **options)
    batch = (
        (lambda *shape: inputs(*shape))
        if favor.batch_first
        else (lambda *shape: inputs(*shape).transpose(0, 1))
    )
    query = batch(2, 7, 12)
    key, value = batch(2, 7, favor.kdim), batch(2, 7, favor.vdim)
    mask = nn.Transformer.generate_square_subsequent_mask(7) if causal else None
    out, none = favor(query, key, value, attn_mask=mask, is_causal=causal)
    assert none is None
    expected = exact(favor, query, key, value, attn_mask=mask)  # its hint would hide bias_k
    assert_near(out, expected)


def test_unbatched_input_is_one_sequence():
    favor = layer()
    x = inputs(7, 12)
    assert_same(favor(x, x, x)[0], favor(x[None], x[None], x[None])[0][0])
    padding = torch.arange(7) > 4
    whole = favor(x[:5], x[:5], x[:5])[0]
    assert_same(favor(x, x, x, key_padding_mask=padding)[0][:5], whole)


@pytest.mark.parametrize("kind", ["bool", "real"])
def test_padding_is_absent_and_may_hold_anything(kind):
    favor = layer(causal=True)
    x = inputs()
    padded = torch.cat([x, torch.full((2, 3, 12), torch.nan)], 1)
    padding = torch.arange(10).expand(2, 10) >= 7
    if kind == "real":
        padding = torch.zeros(2, 10).masked_fill(padding, -torch.inf)
    out, _ = favor(padded, padded, padded, key_padding_mask=padding)
    assert_same(out[:, :7], favor(x)[0], 1e-6)


def test_real_masks_are_added_to_the_scores():
    favor = layer(num_features=30_000)
    x, added = inputs(), inputs(2, 7, seed=1)
    out, _ = favor(x, x, x, key_padding_mask=added)
    expected = exact(favor, x, x, x, key_padding_mask=added)
    assert_near(out, expected)


@pytest.mark.parametrize("kind", ["bool", "real"])
def test_causal_masks_are_seen_without_a_hint(kind):
    favor, x = layer(), inputs()
    mask = nn.Transformer.generate_square_subsequent_mask(7)
    mask = mask if kind == "real" else mask < 0
    assert torch.equal(favor(x, x, x, attn_mask=mask)[0], favor(x, is_causal=True)[0])


def test_mask_that_is_the_same_for_all_queries_hides_keys():
    favor, x = layer(), inputs()
    hidden = torch.tensor([False, True, False, False, True, False, False])
    rest = x[:, ~hidden]
    expected = favor(x, rest, rest)[0]
    assert_same(favor(x, x, x, attn_mask=hidden.expand(7, 7))[0], expected)
    assert_same(favor(x, x, x, attn_mask=hidden.expand(8, 7, 7))[0], expected)
    assert_same(favor(x, x, x, attn_mask=torch.zeros(7, 7))[0], favor(x)[0])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda x: layer()(x, x, x, need_weights=True), "never forms its weights: call it with"),
        (lambda x: layer()(x, x, x, attn_mask=torch.eye(7) > 0), "this one masks single pairs"),
        (
            lambda x: layer()(x, x, x, attn_mask=torch.zeros(7, 6)),
            r"must be \(7, 7\) or \(8, 7, 7\)",
        ),
        (lambda x: layer()(x, x, x, attn_mask=torch.zeros(3, 7, 7)), r"is \(3, 7, 7\)"),
        (lambda x: layer()(x, x, x, attn_mask=torch.zeros(7, 7).int()), "attn_mask is torch.int32"),
        (
            lambda x: layer()(x, x, x, key_padding_mask=torch.ones(2, 7).int()),
            "mask is torch.int32",
        ),
        (lambda x: layer(causal=True)(x, attn_mask=torch.eye(7) > 0), "masks single pairs"),
        (lambda x: layer()(x[..., :5], x, x), "query is 5 wide; this layer takes 12"),
        (lambda x: layer(kdim=3)(x, x, x), "key is 12 wide; this layer takes 3"),
        (lambda x: layer()(x, x[:1], x[:1]), "have 2, 1 and 1 rows of 7, 7 and 7 tokens"),
        (lambda x: layer()(x, x, x[:, :5]), "2, 2 and 2 rows of 7, 7 and 5 tokens"),
        (lambda x: layer()(nested(x), nested(x), nested(x.flip(1)[:, 1:])), "those of values"),
        (lambda x: layer(batch_first=False)(nested(x)), "Nested tensors need batch_first=True"),
        (lambda x: layer(rotary_base=1e4), "Heads are 3 wide"),
        (lambda x: layer(exact=2, phi="relu"), "Use exact=None"),
        (lambda x: layer(exact=0), "exact is 0"),
        (lambda x: layer()(x, x, x, key_padding_mask=torch.ones(7)), r"it must be \(2, 7\)"),
        (lambda x: layer()(x[0], x, x), "2, 3 and 3 axes"),
        (lambda x: layer(12, 4, dropout=0.1), "no weights to drop"),
        (lambda x: layer(10, 4), "4 heads cannot share 10 dimensions"),
        (lambda x: layer(0, 4), "4 heads cannot share 0 dimensions"),
        (lambda x: layer(12, 0), "0 heads cannot share 12 dimensions"),
        (lambda x: layer(12, 4, num_kv_heads=3), "4 heads cannot share 3 heads of keys"),
        (lambda x: layer()(x.long()), "dtype"),
    ],
)
def test_what_it_cannot_do_is_one_sentence(call, sentence):
    with pytest.raises((ValueError, RuntimeError), match=sentence):
        call(inputs())


def nested(x):
    return torch.nested.nested_tensor([x[0], x[1, :5]], layout=torch.jagged)


def test_causal_masks_of_large_numbers_and_ones_for_every_head_are_seen():
    favor, x = layer(), inputs()
    expected = favor(x, is_causal=True)[0]
    future = torch.ones(7, 7).triu(1)
    for lowest in (-1e9, torch.finfo(torch.float32).min):
        assert torch.equal(favor(x, attn_mask=lowest * future)[0], expected)
    assert torch.equal(favor(x, attn_mask=future.bool().expand(8, 7, 7))[0], expected)


def test_one_mask_may_be_causal_and_hide_keys_of_every_row():
    favor, x = layer(), inputs()
    padding = torch.arange(7).expand(2, 7) > torch.tensor([[6], [4]])
    both = torch.ones(7, 7).triu(1).bool() | padding[:, None]
    out, _ = favor(x, attn_mask=both.repeat_interleave(4, 0))
    assert_same(out, favor(x, key_padding_mask=padding, is_causal=True)[0])


def test_causal_layer_heeds_a_mask_beside_the_causal_one():
    favor, x = layer(causal=True), inputs()
    hidden = torch.tensor([False, True, False, False, True, False, False])
    out, _ = favor(x, attn_mask=hidden.expand(7, 7))
    assert_same(out, favor(x, key_padding_mask=hidden.expand(2, 7))[0])
    mask = nn.Transformer.generate_square_subsequent_mask(7)
    assert torch.equal(favor(x, attn_mask=mask)[0], favor(x)[0])


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_rows_of_a_nested_tensor_are_as_if_alone(layout, causal):
    favor, x = layer(causal=causal), inputs()
    rows = [x[0], x[1, :5]]
    x = torch.nested.nested_tensor(rows, layout=layout, requires_grad=True)
    out, none = favor(x)
    assert none is None
    assert out.layout == layout
    for row, alone in zip(out.unbind(), rows, strict=True):
        assert_same(row, favor(alone)[0])
    sum(row.square().sum() for row in out.unbind()).backward()
    assert all(row.any() for row in x.grad.unbind())


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_layer_put_into_torchs_encoder_is_given_nested_tensors_in_evaluation():
    torch.manual_seed(0)
    one = nn.TransformerEncoderLayer(12, 4, 24, dropout=0.0, batch_first=True)
    model = nn.TransformerEncoder(one, 2)
    for part in model.layers:
        part.self_attn = layer()
    x, padding = inputs(), torch.arange(7).expand(2, 7) > torch.tensor([[6], [4]])
    trained = model(x, src_key_padding_mask=padding)
    model.eval()
    with torch.no_grad():
        out = model(x, src_key_padding_mask=padding)
    assert_same(out, trained.masked_fill(padding[..., None], 0))


def encoder_layer(favor, **options):
    made = nn.TransformerEncoderLayer(
        12, 4, 24, dropout=0.0, batch_first=favor.batch_first, **options
    )
    made.self_attn = favor
    return made


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
def test_evaluation_inside_torchs_encoder_uses_the_features(batch_first, norm_first):
    model = nn.TransformerEncoder(
        encoder_layer(layer(batch_first=batch_first), norm_first=norm_first),
        2,
        enable_nested_tensor=False,
    )
    x = inputs() if batch_first else inputs().transpose(0, 1)
    trained = model(x)
    model.eval()
    with torch.inference_mode():
        assert_same(model(x), trained, 1e-6)
        padding = torch.arange(7).expand(2, 7) > 4
        padded = model(x, src_key_padding_mask=padding)
        cut = x[:, :5] if batch_first else x[:5]
        whole = padded[:, :5] if batch_first else padded[:5]
        assert_same(whole, model(cut), 1e-5)
        for part in model.layers:
            part.self_attn.features.redraw_(seeded(5))
        assert (
            model(x) - trained
        ).abs().max() > 1e-4  # the draw matters: nothing exact was computed


def test_inside_torchs_decoder_it_masks_the_future_and_attends_across():
    torch.manual_seed(0)
    one = nn.TransformerDecoderLayer(12, 4, 24, dropout=0.0, batch_first=True)
    one.self_attn, one.multihead_attn = layer(), layer()
    decoder = nn.TransformerDecoder(one, 2).eval()
    x, memory = inputs(), inputs(2, 9, 12, seed=2)
    mask = nn.Transformer.generate_square_subsequent_mask(7)
    out = decoder(x, memory, tgt_mask=mask)
    changed = x.clone()
    changed[:, -1] += 1
    assert_same(decoder(changed, memory, tgt_mask=mask)[:, :-1], out[:, :-1])
    assert not torch.allclose(decoder(x, memory + 1, tgt_mask=mask), out)


def test_heads_that_share_keys_equal_heads_with_copied_keys():
    shared = layer(num_kv_heads=2)
    assert shared.k_proj_weight.shape == (6, 12)
    whole = layer()
    q, (k, v) = (
        shared.q_proj_weight,
        (
            w.unflatten(0, (2, 1, 3)).expand(2, 2, 3, 12).reshape(12, 12)
            for w in (shared.k_proj_weight, shared.v_proj_weight)
        ),
    )
    bias = shared.in_proj_bias
    copied = [b.unflatten(0, (2, 1, 3)).expand(2, 2, 3).reshape(12) for b in bias[12:].chunk(2)]
    with torch.no_grad():
        whole.in_proj_weight.copy_(torch.cat([q, k, v]))
        whole.in_proj_bias.copy_(torch.cat([bias[:12], *copied]))
    whole.out_proj.load_state_dict(shared.out_proj.state_dict())
    whole.features.load_state_dict(shared.features.state_dict())
    x = inputs()
    assert_same(shared(x, is_causal=True)[0], whole(x, is_causal=True)[0])
    _, state = shared(x, is_causal=True, state=FavorState())
    assert state.sums.shape[:3] == (2, 2, 1)


@pytest.mark.parametrize("extra", [{}, {"add_bias_kv": True, "add_zero_attn": True}])
def test_decoding_through_a_state_equals_one_call_and_leaves_states_as_they_were(extra):
    favor = layer(causal=True, **extra)
    x = inputs()
    whole, _ = favor(x)
    states, outs = [FavorState()], []
    for i in range(7):
        out, state = favor(x[:, i : i + 1], state=states[-1])
        outs.append(out)
        states.append(state)
    assert_same(torch.cat(outs, 1), whole)
    again, _ = favor(x[:, 3:4], state=states[3])
    assert torch.equal(again, outs[3])


def test_state_is_reordered_cloned_and_detached():
    favor, x = layer(causal=True), inputs()
    _, state = favor(x, state=FavorState())
    beam = torch.tensor([1, 1, 0])
    out, _ = favor(x[beam], state=state.reorder(beam))
    assert_same(out, favor(x, state=state)[0][beam])
    assert state.sums.requires_grad
    assert not state.detach().sums.requires_grad
    copied = state.clone()
    copied.sums.data.zero_()
    assert state.sums.any()
    assert FavorState().reorder(beam) == FavorState()


def test_state_of_another_draw_or_shape_is_refused():
    favor, x = layer(causal=True), inputs()
    _, state = favor(x, state=FavorState())
    with pytest.raises(ValueError, match=r"leading axes \(2, 4, 1\) .* these are \(1, 4, 1\)"):
        favor(x[:1], state=state)
    favor.features.redraw_(seeded(9))
    with pytest.raises(ValueError, match="another draw of w"):
        favor(x, state=state)
    same = copy.deepcopy(favor)
    _, state = favor(x, state=FavorState())
    assert_same(same(x, state=state)[0], favor(x, state=state)[0])
    other = layer(causal=True)
    other.load_state_dict(favor.state_dict())
    assert_same(other(x, state=state)[0], favor(x, state=state)[0])


def test_training_through_checkpointed_pieces_gives_the_same_gradients():
    favor, x = layer(causal=True), inputs()

    def run(piece_of):
        state, outs = FavorState(), []
        for part in x.split(3, 1):
            out, state = piece_of(part, state)
            outs.append(out)
        return torch.autograd.grad(torch.cat(outs, 1).square().sum(), list(favor.parameters()))

    plain = run(lambda part, state: favor(part, state=state))
    saved = run(
        lambda part, state: checkpoint(
            lambda p, s: favor(p, state=s), part, state, use_reentrant=False
        )
    )
    for a, b in zip(plain, saved, strict=True):
        assert_same(a, b, 1e-6)


def test_vmap_over_states_equals_a_loop():
    features = RandomFeatures(3, 8, generator=seeded())
    q, k, v = torch.randn(3, 5, 2, 3, generator=seeded(1))

    def step(q, k, v, state):
        return favor_attention(q, k, v, features=features, state=state)

    _, states = step(q, k, v, FavorState())
    out, after = torch.vmap(step)(q, k, v, states)
    expected, _ = step(q, k, v, states)
    assert_same(out, expected)
    assert after.draw == features.draw_id


@pytest.mark.parametrize("options", [{}, {"key_mask": "some"}, {"chunk_size": 2}])
def test_vmap_over_causal_attention_equals_a_loop(options):
    features = RandomFeatures(3, 8, generator=seeded())
    q, k, v = torch.randn(3, 2, 5, 7, 3, generator=seeded(1))
    k[0, 0, 0] *= 60  # its weights are lost in a block with the others, of one input alone
    if options.get("key_mask"):
        options = {"key_mask": torch.rand(5, 7, generator=seeded(2)) < 0.7}

    def run(q, k, v):
        return favor_attention(q, k, v, features=features, causal=True, **options)

    def loss(q, k, v):
        return run(q, k, v).square().sum()

    for function in (run, torch.func.grad(loss)):
        expected = torch.stack([function(*one) for one in zip(q, k, v, strict=True)])
        assert_same(torch.vmap(function)(q, k, v), expected, 1e-4)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`")
def test_tangents_go_through_where_gradients_are_off():
    features = RandomFeatures(3, 8, generator=seeded())
    q, k, v = torch.randn(3, 2, 9, 3, generator=seeded(1))

    def run(q):
        return favor_attention(q, k, v, features=features, causal=True, chunk_size=4)

    _, expected = torch.func.jvp(run, (q,), (q,))
    with forward_ad.dual_level(), torch.no_grad():
        _, tangent = forward_ad.unpack_dual(run(forward_ad.make_dual(q, q)))
    assert_same(tangent, expected)


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (RandomFeatures(3, phi="elu", draw="none"), RandomFeatures(3, phi="relu", draw="none"), "another draw"),
        (
            RandomFeatures(3, 8, phi="hyperbolic", generator=seeded()),
            RandomFeatures(3, 8, phi="trigonometric", generator=seeded()),
            "another draw",
        ),
        (LearnedFeatures(3, 6), LearnedFeatures(3, 8), "The state is of 6 features and these are 8"),
    ],
)  # fmt: skip
def test_state_of_another_map_is_refused(first, second, sentence):
    q, k, v = torch.rand(3, 2, 4, 3, generator=seeded())
    _, state = favor_attention(q, k, v, features=first, state=FavorState())
    with pytest.raises(ValueError, match=sentence):
        favor_attention(q, k, v, features=second, state=state)


def test_integers_and_rows_of_zeros_are_defined():
    with pytest.raises(ValueError, match=r"q is torch.int64; .* q.float\(\)"):
        favor_attention(*torch.ones(3, 4, 2).long(), features=RandomFeatures(2, 4))

    def relu(x):
        return Features(x.relu().log())

    q, k, v = torch.rand(3, 4, 2, generator=seeded())
    q[1], k[2] = -1, -1
    for causal in (False, True):
        out = favor_attention(q, k, v, features=relu, causal=causal)
        assert not out[1].any()
        assert out.isfinite().all()


def test_layer_is_deep_copied_pickled_and_made_on_meta():
    favor, x = layer(), inputs()
    for other in (copy.deepcopy(favor), pickle.loads(pickle.dumps(favor))):
        assert torch.equal(other(x)[0], favor(x)[0])
    meta = FavorAttention(12, 4, device="meta")
    for causal in (False, True):
        assert meta(x.to("meta"), is_causal=causal)[0].shape == (2, 7, 12)
    mask = nn.Transformer.generate_square_subsequent_mask(2, device="meta")
    assert meta(x.to("meta"), attn_mask=mask)[0].shape == (2, 7, 12)
    made = meta.to_empty(device="cpu")
    made.load_state_dict(FavorAttention(12, 4).state_dict())
    assert made(x)[0].isfinite().all()


def test_layer_trains_in_bfloat16_and_under_autocast():
    favor = layer(causal=True).bfloat16()
    out, _ = favor(inputs().bfloat16())
    assert out.dtype == torch.bfloat16
    for grad in torch.autograd.grad(out.float().square().sum(), list(favor.parameters())):
        assert grad.isfinite().all()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, _ = layer(causal=True)(inputs())
    assert out.dtype == torch.bfloat16


def test_parameters_have_the_precision_asked_for():
    made = layer(dtype=torch.bfloat16, phi="learned")
    assert {p.dtype for p in made.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("options", [{}, {"phi": "trigonometric"}, {"add_bias_kv": True}])
@pytest.mark.parametrize("axis", [0, 1])
def test_it_is_exported_for_any_batch_and_length(options, axis):
    if hasattr(favor_attention, "__wrapped__"):
        pytest.skip("the shape hook wraps functions in what torch.export cannot trace")
    favor, x = layer(**options).eval(), inputs()
    shapes = {"query": {axis: torch.export.Dim("size", min=2, max=64)}}
    example = torch.cat([x, x], axis)
    program = torch.export.export(favor, (example,), dynamic_shapes=shapes, strict=False)
    assert_same(program.module()(x)[0], favor(x)[0])


def test_batch_of_none_gives_none():
    favor = layer()
    assert favor(torch.zeros(0, 7, 12))[0].shape == (0, 7, 12)
    assert favor(torch.zeros(0, 7, 12), is_causal=True)[0].shape == (0, 7, 12)


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"key_padding_mask": "last"}])
@pytest.mark.usefixtures("fresh_compiler")
def test_without_rescue_it_compiles_to_one_graph(options):
    if hasattr(favor_attention, "__wrapped__"):
        pytest.skip("the shape hook wraps functions in what torch.compile cannot trace")
    favor, x = layer(rescue=False), inputs()
    if options.get("key_padding_mask"):
        options = {"key_padding_mask": torch.arange(7).expand(2, 7) > 4}
    compiled = torch.compile(favor, fullgraph=True, backend="aot_eager")
    assert_same(compiled(x, x, x, **options)[0], favor(x, x, x, **options)[0])
    assert_same(favor(x, x, x, **options)[0], layer()(x, x, x, **options)[0])
