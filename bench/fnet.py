"""Fourier mixing, block and pre-training step against their peers: `python bench/fnet.py`.

Prints one Markdown table. Times are CPU time of one thread; a ratio is the median over runs that
alternate with ours (A B B A), with its order-statistic interval (5 % per tail), of this process
alone. Takes about three minutes. The rows against transformers need transformers.
"""

import os


os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
import torch
from scipy.linalg import dft
from torch import Tensor, nn

from studiolo.claims import statistic
from studiolo.measure import abba
from studiolo.nn import SelfAttention, Transformer
from studiolo.papers.fnet import (
    FNetConfig,
    FNetForPreTraining,
    FourierMixing,
    NoMixing,
    fourier_mix,
    load_transformers_state_dict,
)


Step = Callable[[], object]


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("| forward and backward of | against | ours | theirs | theirs / ours | bar |")
    print("| --- | --- | --- | --- | --- | --- |")
    for what, peer, ours, theirs, pairs, bar in rows():
        times = abba(theirs, ours, pairs=pairs)
        ratio = statistic("median")([a / b for a, b in zip(times.a_s, times.b_s, strict=True)])
        cells = (
            what,
            peer,
            f"{1000 * np.median(times.b_s):.3g} ms",
            f"{1000 * np.median(times.a_s):.3g} ms",
            f"{ratio.estimate:.3g} ({ratio.low:.3g} to {ratio.high:.3g})",
            bar,
        )
        print("| " + " | ".join(cells) + " |", flush=True)


def rows() -> Iterator[tuple[str, str, Step, Step, int, str]]:
    """What, against what, our step, theirs, pairs, bar."""
    for shape, bar in (
        ((8, 512, 768), "1.8"),
        ((8, 128, 768), ""),
        ((4, 2048, 256), ""),
        ((8, 511, 767), ""),
    ):
        x, grad = torch.randn(shape).requires_grad_(), torch.randn(shape)
        ours = partial(gradient, fourier_mix, x, grad)
        for name, mix in (
            ("`fftn(...).real`, as transformers", fftn),
            ("`rfft2`, mirrored", rfft2),
        ):
            assert_same(mix(x), fourier_mix(x))
            what = f"mixing at {shape}"
            yield what, name, ours, partial(gradient, mix, x, grad), 20, bar
            bar = ""
    shape = (2, 512, 768)
    x, grad = torch.randn(shape).requires_grad_(), torch.randn(shape)
    matrices = partial(by_matrices, sequence=matrix(512), hidden=matrix(768))
    assert_same(matrices(x), fourier_mix(x))
    yield (
        f"mixing at {shape}",
        "complex DFT matrices, as transformers for TPUs",
        partial(gradient, fourier_mix, x, grad),
        partial(gradient, matrices, x, grad),
        10,
        "",
    )
    ours = block_step(FourierMixing())
    for name, mixer in (
        ("attention with weights written out", SelfAttention(768, 12, fused=False)),
        ("fused attention", SelfAttention(768, 12)),
        ("no mixing", NoMixing()),
    ):
        yield "a block at (1, 512, 768)", name, ours, block_step(mixer), 10, ""
    yield ragged()
    if find_spec("transformers"):
        yield from against_transformers()


def ragged() -> tuple[str, str, Step, Step, int, str]:
    """The whole model on rows of 64 to 512 tokens in one batch, against each row alone."""
    config = FNetConfig(
        vocab_size=8000, hidden_size=256, num_hidden_layers=4, intermediate_size=1024
    )
    model = FNetForPreTraining(config).eval()
    lengths = torch.randint(64, 513, (8,), generator=torch.Generator().manual_seed(0)).tolist()
    ids, places = torch.randint(8000, (8, 512)), torch.tensor([[0, 31, 63]]).expand(8, 3)
    words = ids.gather(1, places)

    def together() -> None:
        model(ids, lengths=lengths, masked_positions=places, labels=words).loss.backward()

    def alone() -> None:
        for row, n in enumerate(lengths):
            one = slice(row, row + 1)
            output = model(ids[one, :n], masked_positions=places[one], labels=words[one])
            output.loss.backward()

    what = f"4 layers of 256 on rows of {min(lengths)} to {max(lengths)} tokens"
    return what, "each row alone", together, alone, 10, "0.8"


def against_transformers() -> Iterator[tuple[str, str, Step, Step, int, str]]:
    """The whole pre-training model, of the same weights."""
    import transformers

    sizes = {
        "vocab_size": 32000,
        "hidden_size": 256,
        "num_hidden_layers": 4,
        "intermediate_size": 1024,
        "max_position_embeddings": 512,
        "hidden_dropout_prob": 0.0,
    }
    theirs = transformers.FNetForPreTraining(transformers.FNetConfig(**sizes))
    ours = FNetForPreTraining(FNetConfig(**sizes))
    load_transformers_state_dict(ours, theirs.state_dict())
    ids, follows = torch.randint(32000, (8, 512)), torch.zeros(8, dtype=torch.long)
    positions = torch.rand(8, 512).argsort(1)[:, :76]
    words = ids.gather(1, positions)
    labels = torch.full_like(ids, -100).scatter(1, positions, words)

    def their_step() -> Tensor:
        loss = theirs(ids, labels=labels, next_sentence_label=follows).loss
        loss.backward()
        return loss.detach()

    def our_step(gathered: bool) -> Tensor:
        if gathered:
            output = ours(
                ids, masked_positions=positions, labels=words, next_sentence_label=follows
            )
        else:
            output = ours(ids, labels=labels, next_sentence_label=follows)
        assert output.loss is not None
        output.loss.backward()
        return output.loss.detach()

    assert_same(our_step(True), their_step())
    what = "pre-training step, 4 layers of 256, 8 rows of 512, 32000 words"
    yield f"{what}, 76 masked", "transformers' FNet", partial(our_step, True), their_step, 10, "4.5"
    yield f"{what}, all logits", "transformers' FNet", partial(our_step, False), their_step, 10, ""


def gradient(mix: Callable[[Tensor], Tensor], x: Tensor, grad: Tensor) -> None:
    """Forward and backward."""
    torch.autograd.grad(mix(x), x, grad)


def fftn(x: Tensor) -> Tensor:
    """The complex transform of real input, its real part."""
    return torch.fft.fftn(x, dim=(1, 2)).real


def rfft2(x: Tensor) -> Tensor:
    """The real-input transform; the missing columns are its own, mirrored on both axes."""
    half = torch.fft.rfft2(x, dim=(1, 2)).real
    rest = half[:, :, 1 : (x.shape[2] + 1) // 2].flip((1, 2)).roll(1, 1)
    return torch.cat([half, rest], dim=2)


def matrix(n: int) -> Tensor:
    """The complex DFT matrix."""
    return torch.tensor(dft(n), dtype=torch.complex64)


def by_matrices(x: Tensor, sequence: Tensor, hidden: Tensor) -> Tensor:
    """Two complex matrix products."""
    return torch.einsum("bij,jk,ni->bnk", x.to(torch.complex64), hidden, sequence).real


def block_step(mixer: nn.Module) -> Step:
    """A block of Base size, forward and backward."""
    block = Transformer(768, 1, lambda layer: mixer)
    x = torch.randn(1, 512, 768, requires_grad=True)
    return lambda: block(x).sum().backward()


def assert_same(a: Tensor, b: Tensor) -> None:
    """Raise unless both computed the same."""
    assert (a - b).norm() <= 1e-5 * b.norm(), "the peer computes something else"


if __name__ == "__main__":
    main()
