import pytest
import torch
from torch import nn

from studiolo.nn import Block, FeedForward, LayerNorm, SelfAttention, Transformer, row_lengths


def double(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def assert_close(a, b, atol=1e-12):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


def both_attentions(width=6, num_heads=2, **options):
    fused = SelfAttention(width, num_heads, **options).double()
    unfused = SelfAttention(width, num_heads, fused=False, **options).double()
    unfused.load_state_dict(fused.state_dict())
    return fused, unfused


def by_hand(attention, x, causal=False):
    """Attention of one row, query by query and head by head."""
    d = x.shape[-1]
    q, k, v = attention.query_key_value(x).split(d, dim=-1)
    c = d // attention.num_heads
    out = torch.zeros_like(x)
    for head in range(attention.num_heads):
        part = slice(head * c, (head + 1) * c)
        for i in range(len(x)):
            end = i + 1 if causal else len(x)
            weights = (k[:end, part] @ q[i, part] / c**0.5).softmax(0)
            out[i, part] = weights @ v[:end, part]
    return attention.output(out)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", [None, [5, 3, 1]])
def test_fused_and_unfused_attention_equal_the_sum_by_hand(causal, lengths):
    x, weights = double(3, 5, 6), double(3, 5, 6, seed=1)
    grads = []
    for attention in both_attentions(causal=causal):
        inputs = x.clone().requires_grad_()
        y = attention(inputs, lengths)
        loss = y.new_zeros(())
        for row, n in enumerate(lengths or [5, 5, 5]):
            assert_close(y[row, :n], by_hand(attention, x[row, :n], causal))
            loss = loss + (y[row, :n] * weights[row, :n]).sum()
        grads.append(torch.autograd.grad(loss, inputs)[0])
    assert_close(*grads)


def test_row_with_nothing_to_see_gives_the_bias_and_finite_gradients():
    for attention in both_attentions():
        x = double(2, 4, 6).requires_grad_()
        y = attention(x, torch.tensor([0, 4]))
        assert_close(y[0], attention.output.bias.expand(4, 6))
        y.sum().backward()
        assert x.grad is not None
        assert bool(x.grad.isfinite().all())


def test_single_head_of_two_tokens_worked_by_hand():
    attention = SelfAttention(1, 1).double()
    with torch.no_grad():
        attention.query_key_value.weight.copy_(torch.ones(3, 1))
        attention.query_key_value.bias.zero_()
        attention.output.weight.fill_(1.0)
        attention.output.bias.zero_()
    # Query 0 sees both alike: 1 / 2. Query 1 weighs them 1 : e, so it gets e / (1 + e).
    x = torch.tensor([[[0.0], [1.0]]], dtype=torch.float64)
    e = torch.e
    assert_close(attention(x).flatten(), torch.tensor([0.5, e / (1 + e)], dtype=torch.float64))


def test_dropout_of_attention_is_off_in_evaluation():
    torch.manual_seed(0)
    for attention in both_attentions(dropout=0.5):
        x = double(1, 5, 6)
        assert not torch.equal(attention(x), attention(x))
        attention.eval()
        assert torch.equal(attention(x), attention(x))


@pytest.mark.parametrize("norm_first", [False, True])
def test_block_is_mixer_then_feed_forward_each_with_residual(norm_first):
    block = Block(nn.Identity(), 4, 8, norm_first=norm_first).double()
    block.mixer = Doubling()
    x = double(2, 3, 4)
    if norm_first:
        z = x + 2 * block.mixer_norm(x)
        expected = z + block.feed_forward(block.output_norm(z))
    else:
        z = block.mixer_norm(3 * x)
        expected = block.output_norm(z + block.feed_forward(z))
    assert_close(block(x), expected)


class Doubling(nn.Module):
    def forward(self, x, lengths=None):
        return 2 * x


class WideDoubling(nn.Module):
    def forward(self, x, lengths=None):
        return 2 * x.float()


@pytest.mark.parametrize("norm_first", [False, True])
def test_block_takes_single_precision_from_a_mixer_and_answers_in_half(norm_first):
    block = Block(WideDoubling(), 4, 8, norm_first=norm_first).bfloat16()
    assert block(double(2, 3, 4).bfloat16()).dtype == torch.bfloat16


def test_block_runs_under_autocast():
    block = Block(SelfAttention(4, 2), 4, 8)
    x = double(2, 3, 4).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = block(x)
    assert (y - block(x)).abs().max() < 0.1


def test_norm_of_single_precision_in_a_half_model_rounds_only_its_result():
    norm = LayerNorm(4).bfloat16()
    x = double(3, 4).float() + 1000  # bfloat16 has steps of 4 here
    expected = nn.functional.layer_norm(x, (4,)).bfloat16()
    assert torch.equal(norm(x), expected)


def test_each_block_gets_the_mixer_of_its_layer():
    asked = []

    def mixer(layer):
        asked.append(layer)
        return SelfAttention(4, 2) if layer == 2 else Doubling()

    model = Transformer(4, 3, mixer, hidden=5)
    assert asked == [0, 1, 2]
    assert [type(block.mixer) for block in model.blocks] == [Doubling, Doubling, SelfAttention]
    assert model.blocks[0].feed_forward.up.out_features == 5
    assert Transformer(4, 1, mixer).blocks[0].feed_forward.up.out_features == 16


def test_padding_of_a_batch_never_changes_a_row():
    torch.manual_seed(0)
    model = Transformer(6, 2, lambda layer: SelfAttention(6, 2)).double()
    x = double(2, 5, 6)
    assert_close(model(x, [5, 2])[1, :2], model(x[1:, :2])[0])


def test_lengths_that_fill_every_row_are_no_lengths():
    assert row_lengths(torch.tensor([4, 4]), 2, 4) is None
    assert row_lengths([4, 0], 2, 4) == (4, 0)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="3 heads do not divide a width of 8"):
        SelfAttention(8, 3)
    with pytest.raises(ValueError, match="There is no activation 'swish': choose one of gelu"):
        FeedForward(4, 8, "swish")
    with pytest.raises(ValueError, match="2 lengths for 3 rows"):
        row_lengths([1, 2], 3, 4)
    with pytest.raises(ValueError, match=r"lengths\[1\] is -1, but a row holds 0 to 4 tokens"):
        row_lengths([1, -1], 2, 4)
