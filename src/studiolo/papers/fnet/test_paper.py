import math
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from studiolo.nn import SelfAttention

from . import experiments, reference
from .heads import FNetForPreTraining
from .mixing import FourierMixing, MatrixMixing, NoMixing, fourier_mix
from .model import FNetConfig, FNetModel
from .states import load_transformers_state_dict


SHAPES = [(1, 1), (1, 2), (2, 1), (1, 5), (3, 1), (6, 5), (5, 6), (7, 7), (8, 6), (2, 9)]
TINY = FNetConfig(
    vocab_size=31,
    hidden_size=12,
    num_hidden_layers=2,
    intermediate_size=20,
    hidden_dropout_prob=0.0,
    max_position_embeddings=9,
)


def double(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def assert_close(a, b, atol=1e-12):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


# Fourier mixing.


def test_two_by_three_worked_by_hand():
    # Row sums 6 and 15; with w = exp(-2 pi i / 3), 1 + 2 w + 3 w^2 = -1.5 + 0.87 i, as 4 + 5 w + 6 w^2.
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=torch.float64)
    assert_close(fourier_mix(x), torch.tensor([[21.0, -3, -3], [-9, 0, 0]], dtype=torch.float64))


@pytest.mark.parametrize(("l", "d"), SHAPES)
def test_mixing_equals_reference_in_value_and_gradient(l, d):
    x, weights = double(l, d).requires_grad_(), double(l, d, seed=1)
    ours, theirs = fourier_mix(x), reference.fourier_sublayer(x)
    assert_close(ours, theirs)
    (ours_grad,) = torch.autograd.grad((ours.sin() * weights).sum(), x)
    (theirs_grad,) = torch.autograd.grad((theirs.sin() * weights).sum(), x)
    assert_close(ours_grad, theirs_grad, atol=1e-11)


@pytest.mark.parametrize(("l", "d"), SHAPES)
def test_mixing_is_its_own_adjoint(l, d):
    x, g = double(l, d), double(l, d, seed=1)
    assert_close((fourier_mix(x) * g).sum(), (x * fourier_mix(g)).sum(), atol=1e-11)


def test_mixing_twice_gives_the_even_half_scaled():
    x = double(6, 5)
    mirrored = x.roll((-1, -1), (0, 1)).flip((0, 1))  # x[-i, -j]
    assert_close(fourier_mix(fourier_mix(x)), 6 * 5 / 2 * (x + mirrored))


def test_mixing_can_be_differentiated_twice():
    x = double(2, 5, 4).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: fourier_mix(x) ** 2, (x,))


def test_single_precision_is_right_to_a_millionth():
    x = double(2, 128, 96)
    exact = torch.fft.fftn(x, dim=(1, 2)).real
    error = (fourier_mix(x.float()).double() - exact).abs().max() / exact.abs().max()
    assert error < 1e-6


def test_strided_input_and_leading_axes_do_not_matter():
    x = double(2, 3, 5, 4)
    expected = torch.stack([torch.stack([fourier_mix(row) for row in block]) for block in x])
    assert_close(fourier_mix(x), expected)
    assert_close(fourier_mix(x.transpose(-1, -2).contiguous().transpose(-1, -2)), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_gives_single_and_a_half_precision_gradient(dtype):
    x = torch.full((1, 300, 300), 1.0, dtype=dtype).requires_grad_()
    y = fourier_mix(x)
    assert y.dtype == torch.float32
    assert y[0, 0, 0].item() == 90000  # beyond float16
    y[0, 0, 0].backward()
    assert x.grad is not None
    assert x.grad.dtype == dtype
    assert bool((x.grad == 1).all())


def test_ragged_rows_equal_rows_alone_and_padding_is_zero():
    x = double(5, 7, 6).requires_grad_()
    lengths = [7, 3, 0, 3, 4]
    weights = double(5, 7, 6, seed=1)
    y = fourier_mix(x, lengths)
    (grad,) = torch.autograd.grad((y * weights).sum(), x)
    for row, n in enumerate(lengths):
        assert bool((y[row, n:] == 0).all())
        assert bool((grad[row, n:] == 0).all())
        if n:
            assert_close(y[row, :n], reference.fourier_sublayer(x[row, :n]))
            assert_close(grad[row, :n], reference.fourier_sublayer(weights[row, :n]))


def test_padding_of_nan_is_never_read():
    x = double(2, 4, 3)
    x[1, 2:] = math.nan
    assert bool(fourier_mix(x, torch.tensor([4, 2])).isfinite().all())
    mixing = MatrixMixing(4, 3).double()
    assert bool(mixing(x, [4, 2]).isfinite().all())


# torch.compile traces autograd functions through an instance, which torch itself deprecates
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.usefixtures("fresh_compiler")
def test_compiles_without_a_graph_break():
    if hasattr(fourier_mix, "__wrapped__"):
        pytest.skip("the shape hook wraps functions in what torch.compile cannot trace")
    compiled = torch.compile(
        lambda x: fourier_mix(2 * x).sin(), backend="aot_eager", fullgraph=True
    )
    ours, theirs = double(2, 5, 4).requires_grad_(), double(2, 5, 4).requires_grad_()
    compiled(ours).sum().backward()
    fourier_mix(2 * theirs).sin().sum().backward()
    assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize(
    ("x", "lengths", "error", "sentence"),
    [
        (
            torch.ones(2, 3, dtype=torch.long),
            None,
            TypeError,
            "real floating point, not torch.int64",
        ),
        (torch.ones(2, 3) * 1j, None, TypeError, "real floating point, not torch.complex64"),
        (torch.ones(3), None, ValueError, r"at least one of each, not \(3,\)"),
        (torch.ones(2, 0, 3), None, ValueError, r"at least one of each, not \(2, 0, 3\)"),
        (torch.ones(2, 3), [2, 3], ValueError, r"a \(rows, tokens, features\) batch, not \(2, 3\)"),
        (torch.ones(2, 3, 4), [3], ValueError, "1 lengths for 2 rows"),
        (torch.ones(2, 3, 4), [3, 4], ValueError, r"lengths\[1\] is 4, but a row holds 0 to 3"),
    ],
)
def test_what_cannot_be_mixed_is_refused(x, lengths, error, sentence):
    with pytest.raises(error, match=sentence):
        fourier_mix(x, lengths)


# The other mixers, the block, the model.


@pytest.mark.parametrize("learned", [True, False])
def test_matrix_mixing_equals_reference_and_learns_only_if_asked(learned):
    mixing, x = MatrixMixing(6, 5, learned=learned).double(), double(2, 4, 5)
    for row in (0, 1):
        expected = reference.matrix_sublayer(x[row], mixing.sequence[:4, :4], mixing.hidden)
        assert_close(mixing(x)[row], expected)
    assert len(list(mixing.parameters())) == (2 if learned else 0)
    with pytest.raises(ValueError, match="made for 6 tokens, not 7"):
        mixing(double(1, 7, 5))


@pytest.mark.parametrize("l", [1, 5, 8])
def test_block_equals_reference_in_value_and_gradient(l):
    model = FNetModel(TINY).double()
    block = model.encoder.blocks[1]
    names = {
        "W1": "feed_forward.up.weight", "b1": "feed_forward.up.bias",
        "W2": "feed_forward.down.weight", "b2": "feed_forward.down.bias",
        "scale1": "mixer_norm.weight", "bias1": "mixer_norm.bias",
        "scale2": "output_norm.weight", "bias2": "output_norm.bias",
    }  # fmt: skip
    with torch.no_grad():
        for i, parameter in enumerate(block.parameters()):
            parameter.copy_(0.5 * double(*parameter.shape, seed=i))
    w = {letter: block.get_parameter(name) for letter, name in names.items()}
    x, weights = double(1, l, 12).requires_grad_(), double(l, 12, seed=1)
    ours, theirs = block(x)[0], reference.fnet_block(x[0], w)
    assert_close(ours, theirs, atol=1e-10)
    inputs = [x, *w.values()]
    ours_grads = torch.autograd.grad((ours * weights).sum(), inputs)
    theirs_grads = torch.autograd.grad((theirs * weights).sum(), inputs)
    for a, b in zip(ours_grads, theirs_grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


def test_bfloat16_model_follows_the_single_precision_one():
    # Two blocks round twice to 8 bits, so a few percent is what bfloat16 can do; a residual lost
    # to rounding before the normalisation would be of the order of one.
    model, ids = FNetModel(TINY).eval(), torch.randint(31, (2, 9))
    exact = model(ids)[0]
    half = model.bfloat16()(ids)[0]
    assert half.dtype == torch.bfloat16
    assert (half.float() - exact).norm() / exact.norm() < 0.03


def test_mixing_keeps_the_residual_in_bfloat16():
    # A block that only adds and normalises: mixing is 443 times the residual at 512 x 768, so had
    # the sum been rounded to 8 bits first, x would be gone from the normalised result.
    x = torch.randn(1, 512, 768, generator=torch.Generator().manual_seed(0)).bfloat16()
    mixed = fourier_mix(x)
    assert 430 < (mixed.std() / x.float().std()).item() < 456
    back = (x + mixed) - mixed
    assert (back - x.float()).norm() / x.float().norm() < 1e-3
    rounded = (x + mixed.bfloat16()).float() - mixed
    assert (rounded - x.float()).norm() / x.float().norm() > 0.5


@pytest.mark.parametrize(
    "mixer",
    [
        lambda layer: FourierMixing(),
        lambda layer: NoMixing(),
        lambda layer: MatrixMixing(9, 12),
        lambda layer: SelfAttention(12, 3) if layer else FourierMixing(),
    ],
    ids=["fourier", "none", "linear", "hybrid"],
)
def test_padding_never_changes_a_row(mixer):
    torch.manual_seed(0)
    model = FNetModel(TINY, mixer).double().eval()
    ids = torch.randint(31, (2, 9))
    padded = model(ids, lengths=[9, 4]).last_hidden_state
    assert_close(padded[1, :4], model(ids[1:, :4]).last_hidden_state[0])
    other = ids.clone()
    other[1, 4:] = 7
    assert_close(model(other, lengths=[9, 4]).last_hidden_state[1, :4], padded[1, :4])


def test_base_models_have_the_papers_sizes():
    def millions(mixer=None):
        with torch.device("meta"):
            model = FNetForPreTraining(FNetConfig(), mixer)
        return round(sum(p.numel() for p in model.parameters()) / 1e6, 1)

    assert millions() == 83.5
    assert millions(lambda layer: SelfAttention(768, 12)) == 111.8
    assert millions(lambda layer: MatrixMixing(512, 768)) == 93.7
    assert millions(lambda layer: SelfAttention(768, 12) if layer > 9 else FourierMixing()) == 88.2


def test_logits_at_masked_positions_are_those_of_the_whole_row():
    model = FNetForPreTraining(TINY).eval()
    ids, positions = torch.randint(31, (2, 9)), torch.tensor([[0, 8, 3], [5, 5, 1]])
    whole = model(ids).prediction_logits
    chosen = model(ids, masked_positions=positions).prediction_logits
    assert_close(chosen, whole[torch.arange(2)[:, None], positions], atol=1e-6)


def test_loss_ignores_unlabelled_positions_and_nothing_to_predict_costs_nothing():
    model = FNetForPreTraining(TINY).eval()
    ids = torch.randint(31, (2, 9))
    labels = torch.full((2, 9), -100)
    nothing = model(ids, labels=labels).loss
    assert nothing is not None
    assert nothing.item() == 0
    labels[1, 4] = 3
    output = model(ids, labels=labels)
    assert output.loss is not None
    expected = -output.prediction_logits[1, 4].log_softmax(-1)[3]
    assert_close(output.loss, expected, atol=1e-6)
    both = model(ids, labels=labels, next_sentence_label=torch.tensor([0, 1])).loss
    assert both is not None
    sentence = nn.functional.cross_entropy(output.seq_relationship_logits, torch.tensor([0, 1]))
    assert_close(both, expected + sentence, atol=1e-6)


@pytest.mark.usefixtures("without_shape_checks")
def test_wrong_sizes_are_refused():
    model = FNetForPreTraining(TINY)
    with pytest.raises(ValueError, match="The rows have 10 tokens, but this model has 9 positions"):
        model(torch.zeros(1, 10, dtype=torch.long))
    with pytest.raises(ValueError, match=r"labels are \(1, 3\), but the logits stand at \(1, 4\)"):
        model(torch.zeros(1, 4, dtype=torch.long), labels=torch.zeros(1, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="hidden_act is 'swish': choose one of gelu_new"):
        FNetConfig(hidden_act="swish")
    with pytest.raises(ValueError, match="tie_word_embeddings is false"):
        FNetConfig.from_transformers({"tie_word_embeddings": False})


# transformers, its weights and its answers.


def their_model(**fields):
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed: the comparison needs it"
    )
    torch.manual_seed(0)
    config = transformers.FNetConfig(
        vocab_size=97,
        hidden_size=24,
        num_hidden_layers=3,
        intermediate_size=40,
        max_position_embeddings=32,
        **fields,
    )
    model = transformers.FNetForPreTraining(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # biases and scales too, which start at 0 and 1
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize(
    ("l", "fields"),
    [
        (16, {}),
        (15, {}),
        (1, {}),
        (32, {}),
        (17, {"hidden_act": "relu"}),
        (13, {"use_tpu_fourier_optimizations": True, "tpu_short_seq_length": 13}),
    ],
    ids=["even", "odd", "one", "longest", "relu", "dft-matrices"],
)
def test_logits_losses_and_gradients_equal_transformers(l, fields):
    theirs = their_model(**fields)
    ours = FNetForPreTraining(FNetConfig.from_transformers(theirs.config.to_dict())).eval()
    load_transformers_state_dict(ours, theirs.state_dict())
    ids, types = torch.randint(97, (3, l)), torch.randint(4, (3, l))
    ids[0, 0] = 3  # the padding word, whose embedding gets no gradient from below
    labels = torch.where(torch.rand(3, l) < 0.5, ids, -100)
    labels[0, 0] = 5
    follows = torch.tensor([0, 1, 1])
    a = theirs(ids, token_type_ids=types, labels=labels, next_sentence_label=follows)
    b = ours(ids, types, labels=labels, next_sentence_label=follows)
    assert_close(b.prediction_logits, a.prediction_logits, atol=5e-5)
    assert_close(b.seq_relationship_logits, a.seq_relationship_logits, atol=5e-5)
    assert_close(b.loss, a.loss, atol=5e-5)
    a.loss.backward()
    b.loss.backward()
    pairs = [
        ("fnet.word_embeddings", "fnet.embeddings.word_embeddings"),
        ("fnet.projection", "fnet.embeddings.projection"),
        ("fnet.encoder.blocks.0.feed_forward.up", "fnet.encoder.layer.0.intermediate.dense"),
        ("fnet.encoder.blocks.2.mixer_norm", "fnet.encoder.layer.2.fourier.output.LayerNorm"),
    ]
    for mine, other in pairs:
        grad, expected = (
            model.get_parameter(f"{name}.weight").grad
            for model, name in ((ours, mine), (theirs, other))
        )
        assert (grad - expected).norm() / expected.norm() < 1e-4


def test_state_dict_that_does_not_fit_changes_nothing():
    theirs = their_model()
    state = theirs.state_dict()
    config = FNetConfig.from_transformers(theirs.config.to_dict())
    ours = FNetForPreTraining(config)
    before = ours.words.bias.clone()
    with pytest.raises(ValueError, match=r"no place for \['adapter.weight'\]"):
        load_transformers_state_dict(ours, {**state, "adapter.weight": torch.ones(1)})
    without = {name: t for name, t in state.items() if name != "fnet.pooler.dense.bias"}
    with pytest.raises(ValueError, match=r"nothing for \['fnet.pooler.bias'\]"):
        load_transformers_state_dict(ours, without)
    wrong = {**state, "cls.predictions.bias": torch.ones(5)}
    with pytest.raises(ValueError, match=r"words.bias is \(5,\) in the state dict, \(97,\) in"):
        load_transformers_state_dict(ours, wrong)
    assert torch.equal(ours.words.bias, before)


# Experiments and README.


def test_language_loss_worked_by_hand():
    language = experiments.Language(0, num_words=3)
    language.followers = torch.tensor([[0, 1], [1, 2], [2, 0]])
    # 0 ? 2: only 1 follows 0 and precedes 2. 0 ?: 0 or 1. ? 2: 1 or 2.
    ids = torch.tensor([[0, 3, 2], [1, 0, 3], [3, 2, 2]])
    batch = (ids, torch.tensor([[1], [2], [0]]), torch.tensor([[1], [1], [2]]))
    assert language.least_loss(batch) == pytest.approx(2 / 3 * math.log(2))


def test_language_without_order_cannot_be_guessed():
    language = experiments.Language(0, num_words=4, order=0)
    batch = language.masked(8, 3, torch.Generator().manual_seed(0))
    assert language.least_loss(batch) == pytest.approx(math.log(4))


def test_rows_follow_the_language():
    language = experiments.Language(1)
    rows = language.rows(50, 6, torch.Generator().manual_seed(0))
    for before, after in zip(rows[:, :-1].flatten(), rows[:, 1:].flatten(), strict=True):
        assert after in language.followers[before]


def test_ceiling_is_the_closed_form_and_linear_mixing_brings_parameters_back():
    for l, d, h in [(512, 768, 12), (7, 6, 2)]:
        ceiling = experiments.operations(seed=0, num_tokens=l, width=d, num_heads=h)
        assert ceiling.values["ceiling"] == pytest.approx(1 + (8 * d + 4 * l) / (16 * d))
    fourier, linear = (
        experiments.parameters(seed=0, name=name).values["parameters"]
        for name in ("fourier", "linear")
    )
    assert linear - fourier == 12 * (512**2 + 768**2)


def test_training_experiments_run_small_and_repeat():
    def order():
        return experiments.mixing_order(seed=3, steps=2, arms=("attention", "fourier")).values

    first = order()
    assert first == order()
    assert set(first) == {
        "accuracy_attention",
        "accuracy_fourier",
        "attention_over_fourier",
        "spread",
    }
    timed = experiments.equal_time(seed=3, cpu_s=0.05, every=1)
    assert len(timed.arrays["cpu_s"]) == len(timed.arrays["fourier"]) == 10
    assert timed.values["steps_fourier"] >= 1


def test_timing_experiments_run_small():
    step = experiments.step_speed(
        seed=0, num_rows=1, num_tokens=8, width=8, num_heads=2, depth=1, pairs=1
    )
    assert step.values["speed_up"] > 0
    curve = experiments.speed_by_length(
        seed=0, lengths=(8, 16), num_tokens=16, width=8, num_heads=2, pairs=1
    )
    assert curve.arrays["ceiling"] == [1 + 96 / 128, 1 + 128 / 128]
    assert len(curve.arrays["over_unfused"]) == 2
    with pytest.raises(ValueError, match="There is no mixer 'fouriér': choose one of fourier"):
        experiments.step_speed(seed=0, baseline="fouriér")


def test_python_in_the_readme_runs():
    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
