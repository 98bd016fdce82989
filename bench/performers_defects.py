"""Faults of published implementations of FAVOR+, each shown by a call, beside the same call of ours: one Markdown table.

    python bench/performers_defects.py

performer-pytorch 1.1.4 is asked where it is installed. Where a fault belongs to a program that has no package
(google-research's JAX and TensorFlow code, xformers before 0.0.29, fast-transformers, which no longer builds), its rule is written out here. Nothing is timed.
"""

import importlib
import importlib.util
import inspect
import math
from collections.abc import Callable
from types import ModuleType

import torch
from side_by_side import print_head, print_row
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from studiolo.papers.performers import (
    FavorState,
    RandomFeatures,
    favor_attention,
    orthogonal_projection,
)
from studiolo.papers.performers.draws import regularized_projection


DIM, FEATURES = 64, 256
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def seeded(seed: int) -> torch.Generator:
    """Return a generator."""
    return torch.Generator().manual_seed(seed)


def inputs(length: int = 512, scale: float = 0.5) -> list[Tensor]:
    """Return q, k ~ scale · N(0, I) and v ~ N(0, I), two heads."""
    q, k, v = torch.randn(3, 1, 2, length, DIM, generator=seeded(0))
    return [scale * q, scale * k, v]


def change(a: Tensor, b: Tensor) -> str:
    """Return |a − b| / |b| in per cent."""
    return f"{100 * float((a - b).norm() / b.norm()):.3g} %"


def first_entry_of_q(signs: bool) -> str:
    """Return the share of 4,000 draws whose w_11 is negative: 0.5 for a Gaussian."""
    if signs:
        rows = orthogonal_projection(4000 * 16, 16, generator=seeded(0)).reshape(4000, 16, 16)
    else:  # as google-research, performer-pytorch and HKUNLP draw them
        rows = torch.linalg.qr(torch.randn(4000, 16, 16, generator=seeded(0))).Q.mT
    return f"{float((rows[:, 0, 0] < 0).double().mean()):.2f}"


def last_key_changes_earlier_rows(attention: Attention) -> str:
    """Return how much rows before the last change when the last key is six times as long."""
    q, k, v = inputs()
    before = attention(q, k, v)[..., :-1, :]
    k = k.clone()
    k[..., -1, :] *= 6
    return change(attention(q, k, v)[..., :-1, :], before)


def drowned(package: ModuleType) -> str:
    """Return the share of key features that performer-pytorch's epsilon at least doubles, keys ~ N(0, I)."""
    _, k, _ = inputs(scale=1.0)
    attention = package.FastAttention(DIM, FEATURES)
    made = package.softmax_kernel(k, projection_matrix=attention.projection_matrix, is_query=False)
    return f"{float((made < 2e-4 * FEATURES**-0.5).double().mean()):.3f}"


def lost() -> str:
    """Return the share of our key features whose logarithm is no number: nothing is added to any."""
    _, k, _ = inputs(scale=1.0)
    log = RandomFeatures(DIM, FEATURES, generator=seeded(1))(k * DIM**-0.25).log
    return f"{float((~log.isfinite()).double().mean()):.3f}"


def padding(attention: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> str:
    """Return how much an output changes by 128 masked keys behind 384."""
    q, k, v = inputs()
    shown = torch.arange(512) < 384
    a, b, c = (x[..., :384, :] for x in (q, k, v))
    all_shown = torch.ones(384, dtype=torch.bool)
    return change(attention(q, k, v, shown)[..., :384, :], attention(a, b, c, all_shown))


def xformers_causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return what xformers' FavorAttention computed: q·k first, then a running sum along the width of values."""
    key = torch.einsum("...nf,...ne->...nfe", k, v)
    return torch.einsum("...nfe,...nf->...ne", key, q).cumsum(-1)


def xformers_row(ours: bool) -> str:
    """Return the error against causal FAVOR written out with the same features."""
    q, k, v = inputs(64)
    features = RandomFeatures(DIM, FEATURES, generator=seeded(1))
    a, b = (features(x * DIM**-0.25).log.exp() for x in (q, k))
    weights = (a @ b.mT).tril()
    exact = weights @ v / weights.sum(-1, keepdim=True)
    out = (
        favor_attention(q, k, v, features=features, causal=True)
        if ours
        else xformers_causal(a, b, v)
    )
    return change(out, exact)


def givens_blocks(same_seed: bool) -> str:
    """Return the share of blocks of one draw that are equal to the first: TensorFlow's Givens blocks share a seed."""
    blocks = [
        orthogonal_projection(8, 8, generator=seeded(0 if same_seed else i)) for i in range(4)
    ]
    return f"{sum(torch.equal(b, blocks[0]) for b in blocks[1:])} of 3"


def seeds_of_one_query(from_its_sum: bool) -> str:
    """Return whether one query in float32 and in bfloat16 is read with one w: JAX's redraw takes its seed from the sum."""
    q = inputs()[0]
    if from_its_sum:
        seeds = [int((x.float().sum() * 1e7).ceil()) for x in (q, q.bfloat16())]
        return "another" if seeds[0] != seeds[1] else "the same"
    features = RandomFeatures(DIM, FEATURES, generator=seeded(0))
    drawn = []
    for x in (q, q.bfloat16()):
        features(x)
        drawn.append(features.draw_id)
    return "another" if drawn[0] != drawn[1] else "the same"


def first_entry_squared(independent: bool) -> str:
    """Return the mean of w_11² over 4,000 draws, 1 for a Gaussian: fast-transformers multiplies Q by norms of the block it is of."""
    if independent:
        w = orthogonal_projection(4000 * 16, 16, generator=seeded(0)).reshape(4000, 16, 16)
    else:
        block = torch.randn(4000, 16, 16, generator=seeded(0))
        w = (torch.linalg.qr(block).Q * block.norm(dim=-1)[:, None, :]).mT
    return f"{float(w[:, 0, 0].square().mean()):.2f}"


def length_of_smreg(cut_from_larger: bool) -> str:
    """Return the length of w, √64 by SMREG's definition: xformers cuts it from an orthogonal matrix of 256 columns."""
    if cut_from_larger:
        q = torch.linalg.qr(torch.randn(FEATURES, FEATURES, generator=seeded(0))).Q
        w = (DIM**0.5 * q[:DIM]).mT
    else:
        w = regularized_projection(FEATURES, DIM, generator=seeded(0))
    return f"{float(w.square().sum(-1).mean().sqrt()):.2f}"


def shortest_row_of_givens() -> str:
    """Return the length of the shortest row of 64 by TensorFlow's rule, which now and then turns a row against itself."""
    generator, rows = seeded(0), torch.eye(DIM)
    for _ in range(DIM * math.ceil(math.log(DIM))):
        angle = math.pi * float(torch.rand((), generator=generator))
        pair = torch.randint(DIM, (2,), generator=generator)  # with replacement
        i, j = int(pair.min()), int(pair.max())
        first = math.cos(angle) * rows[i] + math.sin(angle) * rows[j]
        second = math.cos(angle) * rows[j] - math.sin(angle) * rows[i]
        rows[i], rows[j] = first, second
    return f"{float(rows.norm(dim=-1).min()):.2f}"


def shortest_row() -> str:
    """Return the length of the shortest of our rows, their norms divided out."""
    w = regularized_projection(DIM, DIM, generator=seeded(0)) * DIM**-0.5
    return f"{float(w.norm(dim=-1).min()):.2f}"


class Counting(torch.nn.Module):
    """A language model that counts the tokens it is given."""

    max_seq_len = 1024

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, x: Tensor, **_: object) -> Tensor:
        """Return equal logits of forty tokens."""
        self.seen += x.shape[1]
        return torch.zeros(*x.shape, 40)


def tokens_given(package: ModuleType | None) -> str:
    """Return how many tokens attention is given to make 16 behind 16: by performer-pytorch's loop, or with our state."""
    if package is not None:
        net = Counting()
        wrapper = importlib.import_module("performer_pytorch.autoregressive_wrapper")
        wrapper.AutoregressiveWrapper(net).generate(torch.zeros(1, 16, dtype=torch.long), 16)
        return str(net.seen)
    features = RandomFeatures(DIM, FEATURES, generator=seeded(1))
    state, (q, k, v) = FavorState(), inputs(31)
    for a, b, c in zip(*(torch.split(x, [16] + [1] * 15, -2) for x in (q, k, v)), strict=True):
        _, state = favor_attention(a, b, c, features=features, causal=True, state=state)
    return str(state.length)


def gone(package: ModuleType) -> str:
    """Return the modules it imports that Python has taken out, or that are no longer kept."""
    text = inspect.getsource(package)
    return " and ".join(name for name in ("distutils", "apex") if f"from {name}" in text) or "none"


def rows_of_a_chunk(by_count: bool) -> str:
    """Return how many of 65,536 tokens are in a chunk: performer-pytorch without its CUDA extension makes 128 chunks."""
    tokens = torch.empty(65_536)
    return str(len((torch.chunk if by_count else torch.split)(tokens, 128)[0]))


def dpfp(fixed: bool) -> str:
    """Return the share of negative features of flash-linear-attention's DPFP, cat(relu(x), −relu(x))."""
    x = torch.randn(1000, generator=seeded(0)).relu()
    if fixed:
        x = RandomFeatures(8, phi="relu", generator=seeded(0))(torch.randn(100, 8)).log.exp()
        return f"{float((x < 0).double().mean()):.2f}"
    return f"{float((torch.cat([x, -x]) < 0).double().mean()):.2f}"


def ours(causal: bool) -> Attention:
    """Return our attention."""
    features = RandomFeatures(DIM, FEATURES, generator=seeded(1))
    return lambda q, k, v: favor_attention(q, k, v, features=features, causal=causal)


def ours_masked(q: Tensor, k: Tensor, v: Tensor, shown: Tensor) -> Tensor:
    """Return our attention with a mask of padding."""
    features = RandomFeatures(DIM, FEATURES, generator=seeded(1))
    return favor_attention(q, k, v, features=features, key_mask=shown.expand(k.shape[:-1]))


def exact(causal: bool) -> Attention:
    """Return softmax attention."""
    return lambda q, k, v: scaled_dot_product_attention(q, k, v, is_causal=causal)


def performer_pytorch() -> ModuleType | None:
    """Return performer-pytorch, or None where it is not installed."""
    if importlib.util.find_spec("performer_pytorch") is None:
        return None
    return importlib.import_module("performer_pytorch.performer_pytorch")


def theirs(package: ModuleType, causal: bool) -> Attention:
    """Return performer-pytorch's attention."""
    torch.manual_seed(1)
    attention: Attention = package.FastAttention(DIM, FEATURES, causal=causal)
    return lambda q, k, v: attention(q, k, v)


def theirs_masked(package: ModuleType) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Return performer-pytorch's attention with its mask: values are zeroed, keys stay."""
    attention = theirs(package, causal=False)
    return lambda q, k, v, shown: attention(q, k, v.masked_fill(~shown[:, None], 0.0))


def main() -> None:
    """Print the table."""
    package = performer_pytorch()
    absent = "not installed"
    print_head("fault, and whose", "what is measured", "theirs", "ours", "right")
    print_row(
        "LAPACK's signs: google-research, performer-pytorch, HKUNLP",
        "`w[0, 0] < 0`, share of 4,000 draws",
        first_entry_of_q(signs=False),
        first_entry_of_q(signs=True),
        "0.50",
    )
    print_row(
        "future keys in the scale: performer-pytorch, google-research, fast-transformers",
        "earlier rows after `k[-1] *= 6`",
        last_key_changes_earlier_rows(theirs(package, True)) if package else absent,
        last_key_changes_earlier_rows(ours(True)),
        last_key_changes_earlier_rows(exact(True)),
    )
    print_row(
        "epsilon swamps the features: performer-pytorch",
        "share of key features below epsilon, k ~ N(0, I)",
        drowned(package) if package else absent,
        lost(),
        "0.000",
    )
    print_row(
        "masked keys stay in the denominator: performer-pytorch, flash-linear-attention #1263",
        "384 tokens with and without 128 masked ones",
        padding(theirs_masked(package)) if package else absent,
        padding(ours_masked),
        "0 %",
    )
    print_row(
        "causal sum along the wrong axis: xformers, until removed",
        "error against the formula, same features",
        xformers_row(ours=False),
        xformers_row(ours=True),
        "0 %",
    )
    print_row(
        "norms of the block that Q is of: fast-transformers",
        "mean of w_11², 4,000 draws of 16",
        first_entry_squared(independent=False),
        first_entry_squared(independent=True),
        "1.00",
    )
    print_row(
        "SMREG cut from a larger matrix: xformers, until removed",
        "length of w, d = 64, m = 256",
        length_of_smreg(cut_from_larger=True),
        length_of_smreg(cut_from_larger=False),
        "8.00",
    )
    print_row(
        "a row turned against itself: google-research (TensorFlow, Givens)",
        "shortest row of an orthogonal matrix of 64",
        shortest_row_of_givens(),
        shortest_row(),
        "1.00",
    )
    print_row(
        "one seed for all blocks: google-research (TensorFlow, Givens)",
        "later blocks equal to the first",
        givens_blocks(same_seed=True),
        givens_blocks(same_seed=False),
        "0 of 3",
    )
    print_row(
        "a seed from the sum of the queries: google-research (JAX)",
        "w for one query in float32 and in bfloat16",
        seeds_of_one_query(from_its_sum=True),
        seeds_of_one_query(from_its_sum=False),
        "the same",
    )
    print_row(
        "`t.chunk(chunk_size)`: performer-pytorch without CUDA",
        "tokens in a chunk, of 65,536, chunk_size=128",
        rows_of_a_chunk(by_count=True),
        rows_of_a_chunk(by_count=False),
        "128",
    )
    print_row(
        "generation without a state: performer-pytorch",
        "tokens given to make 16 behind 16",
        tokens_given(package) if package else absent,
        tokens_given(None),
        "31",
    )
    print_row(
        "modules that are gone: performer-pytorch",
        "`distutils`, `apex` in its imports",
        gone(package) if package else absent,
        gone(importlib.import_module("studiolo.papers.performers.model")),
        "none",
    )
    print_row(
        "cat(relu(x), −relu(x)): flash-linear-attention, DPFP",
        "share of negative features",
        dpfp(fixed=False),
        dpfp(fixed=True),
        "0.00",
    )


if __name__ == "__main__":
    main()
