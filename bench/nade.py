"""NADE's forward and backward beside other ways to write it: one thread, CPU time, one Markdown table.

    python bench/nade.py

B = 100 rows, D = 784, H = 500, float32, sigmoid; the loss is the mean of -log p. All peers compute the same
gradients, which is checked before anything is timed. The share of ones is 0.13 as in binarised MNIST, and 0.5, where
skipping unchanged hidden layers cannot help. A ratio is the peer's CPU time over ours, median over interleaved pairs;
its interval is the order-statistic interval of these pairs (5 % per tail), of this process alone. Peak is of tensors
alive at once beyond the parameters and the data, counted.
"""

import os


os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from torch import Tensor

from studiolo.claims import statistic
from studiolo.measure import abba, peak_tensor_bytes
from studiolo.papers.nade import nade_logits, recurrence


ROWS, DIM, HIDDEN = 100, 784, 500
CHUNK = 8  # dimensions; of 8, 16 and 32 the fastest for `triangular`
Logits = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def plain_loop(x: Tensor, V: Tensor, b: Tensor, W: Tensor, c: Tensor) -> Tensor:
    """Return the logits as public PyTorch code computes them: one step after the other under autograd."""
    a, logits = c.expand(len(x), -1), []
    for d in range(x.shape[1]):
        h = torch.sigmoid(a)
        logits.append(h @ V[d] + b[d])
        a = a + x[:, d, None] * W[:, d]
    return torch.stack(logits, 1)


def careful_loop(x: Tensor, V: Tensor, b: Tensor, W: Tensor, c: Tensor) -> Tensor:
    """Return the same under autograd, with contiguous slices, no slicing in the loop and two fused products."""
    a, logits = c.expand(len(x), -1), []
    for x_d, V_d, W_d in zip(
        x.t().contiguous().unbind(), V.unbind(), W.t().contiguous().unbind(), strict=True
    ):
        logits.append(torch.mv(torch.sigmoid(a), V_d))
        a = torch.addr(a, x_d, W_d)
    return torch.stack(logits, 1) + b


class _Triangular(torch.autograd.Function):
    """A chunk's states by one product with a triangle of ones; the backward recomputes them, O(K B H) memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, V: Tensor, W: Tensor, c: Tensor) -> Tensor:
        weights = W.t().contiguous()
        a = c.expand(len(x), -1).clone()
        z = torch.empty_like(x)
        for s in range(0, x.shape[1], CHUNK):
            k = slice(s, s + CHUNK)
            h = _states(a, x[:, k], weights[k]).sigmoid_()
            z[:, k] = torch.bmm(h, V[k].unsqueeze(2)).squeeze(2).t()
            a.addmm_(x[:, k], weights[k])
        ctx.save_for_backward(x, V, weights, a)
        return z

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, V, weights, last = ctx.saved_tensors
        a, s = last.clone(), torch.zeros_like(last)
        grad_V, grad_W = torch.empty_like(V), torch.empty_like(V)
        for start in reversed(range(0, x.shape[1], CHUNK)):
            k = slice(start, start + CHUNK)
            a.addmm_(x[:, k], weights[k], alpha=-1)
            h = _states(a, x[:, k], weights[k]).sigmoid_()
            errors = grad[:, k].t()
            grad_V[k] = torch.bmm(errors.unsqueeze(1), h).squeeze(1)
            delta = h.addcmul_(h, h, value=-1).mul_(V[k].unsqueeze(1)).mul_(errors.unsqueeze(2))
            later = (_triangle(len(delta)).t() @ delta.flatten(1)).view_as(delta).add_(s)
            grad_W[k] = torch.bmm(x[:, k].t().unsqueeze(1), later).squeeze(1)
            s += delta.sum(0)
        return None, grad_V, grad_W.t(), s.sum(0)


def _triangle(size: int) -> Tensor:
    return torch.ones(size, size).tril(-1)


def _states(a: Tensor, x: Tensor, weights: Tensor) -> Tensor:
    """Return the (K, B, H) states before each dimension of the chunk."""
    steps = x.t().unsqueeze(2) * weights.unsqueeze(1)
    return (_triangle(len(steps)) @ steps.flatten(1)).view_as(steps).add_(a)


def triangular(x: Tensor, V: Tensor, b: Tensor, W: Tensor, c: Tensor) -> Tensor:
    """Return the logits in chunks with a backward of its own: the strongest other program tried."""
    z: Tensor = _Triangular.apply(x, V, W, c)  # type: ignore[no-untyped-call]
    return z + b


@contextmanager
def threshold(sparse: float):  # type: ignore[no-untyped-def]
    """Choose one of our two programs for all data."""
    kept, recurrence._SPARSE = recurrence._SPARSE, sparse
    yield
    recurrence._SPARSE = kept


def every_step(*arguments: Tensor) -> Tensor:
    """Return our logits by the program for dense rows."""
    with threshold(0.0):
        return nade_logits(*arguments)


def changed_steps(*arguments: Tensor) -> Tensor:
    """Return our logits by the program for sparse rows."""
    with threshold(2.0):
        return nade_logits(*arguments)


def training(
    logits: Logits, x: Tensor, parameters: list[Tensor]
) -> Callable[[], tuple[Tensor, ...]]:
    """Return one forward and backward pass."""

    def run() -> tuple[Tensor, ...]:
        z = logits(x, *parameters)
        nll = torch.nn.functional.binary_cross_entropy_with_logits(z, x, reduction="sum")
        return torch.autograd.grad(nll / len(x), parameters)

    return run


PEERS: dict[str, Logits] = {
    "plain autograd loop": plain_loop,
    "careful autograd loop": careful_loop,
    f"triangular chunks of {CHUNK}, own backward": triangular,
    "ours, every step": every_step,
    "ours, changed steps only": changed_steps,
}


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print(f"forward + backward, B = {ROWS}, D = {DIM}, H = {HIDDEN}, float32, 1 thread\n")
    print("| ones | program | peak MB | CPU ms | ours, CPU ms | ratio [interval] | busy |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for ones in (0.13, 0.5):
        g = torch.Generator().manual_seed(0)
        x = (torch.rand(ROWS, DIM, generator=g) < ones).float()
        shapes = ((DIM, HIDDEN), (DIM,), (HIDDEN, DIM), (HIDDEN,))
        parameters = [(torch.randn(s, generator=g) * 0.05).requires_grad_() for s in shapes]
        ours = training(nade_logits, x, parameters)
        for name, logits in PEERS.items():
            peer = training(logits, x, parameters)
            for left, right in zip(ours(), peer(), strict=True):
                torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)
            pairs = abba(peer, ours, pairs=20)
            ratios = [a / b for a, b in zip(pairs.a_s, pairs.b_s, strict=True)]
            interval = statistic("median")(ratios)
            print(
                f"| {ones} | {name} | {peak_tensor_bytes(peer) / 1e6:.0f} | {1e3 * median(pairs.a_s):.0f} | {1e3 * median(pairs.b_s):.0f} "
                f"| {interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}] | {'yes' if pairs.busy else 'no'} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
