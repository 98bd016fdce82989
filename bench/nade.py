"""NADE's forward and backward beside other ways to write it: one thread, CPU time, one Markdown table.

    python bench/nade.py

B = 100 rows, D = 784, H = 500, float32, sigmoid; the loss is the mean of -log p. All peers compute the same
gradients, which is checked before anything is timed. The share of ones is 0.13 as in binarised MNIST, and 0.5, where
few hidden layers stay unchanged. Ours needs numba (extra `fast`) to be what it is here. A ratio is the peer's CPU time over ours, median over interleaved pairs;
its interval is the order-statistic interval of these pairs (5 % per tail), of this process alone. Peak is of tensors
alive at once beyond the parameters and the data, counted.
"""

import os


os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from studiolo.claims import statistic
from studiolo.measure import Pairs, abba, peak_tensor_bytes
from studiolo.papers.nade import nade_logits, recurrence


ROWS, DIM, HIDDEN = 100, 784, 500
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


class _WalkingBack(torch.autograd.Function):
    """One state in place, which the backward walks back: what `nade_logits` was before it carried exp(-a)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, V: Tensor, W: Tensor, c: Tensor) -> Tensor:
        columns, weights = x.t().contiguous(), W.t().contiguous()
        a = c.expand(len(x), -1).clone()
        h, z = torch.empty_like(a), torch.empty_like(columns)
        for z_d, V_d, x_d, W_d in zip(*rows(z, V, columns, weights), strict=True):
            torch.sigmoid(a, out=h)
            torch.mv(h, V_d, out=z_d)
            a.addr_(x_d, W_d)
        ctx.save_for_backward(columns, weights, V, a)
        return z.t()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        columns, weights, V, last = ctx.saved_tensors
        errors, a, s = grad.t().contiguous(), last.clone(), torch.zeros_like(last)
        h, slope = torch.empty_like(a), torch.empty_like(a)
        grad_V, grad_W = torch.empty_like(V), torch.empty_like(weights)
        steps = zip(
            *rows(columns, weights, V, errors, errors.unsqueeze(2), grad_V, grad_W), strict=True
        )
        for x_d, W_d, V_d, e_d, e_column, grad_V_d, grad_W_d in reversed(list(steps)):
            torch.mv(s.t(), x_d, out=grad_W_d)
            a.addr_(x_d, W_d, alpha=-1)
            torch.sigmoid(a, out=h)
            torch.mv(h.t(), e_d, out=grad_V_d)
            torch.addcmul(h, h, h, value=-1, out=slope).mul_(V_d)
            s.addcmul_(slope, e_column)
        return None, grad_V, grad_W.t(), s.sum(0)


def rows(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Return the rows of each tensor."""
    return (tensor.unbind() for tensor in tensors)


def walking_back(x: Tensor, V: Tensor, b: Tensor, W: Tensor, c: Tensor) -> Tensor:
    """Return the logits by the program that came before ours."""
    z: Tensor = _WalkingBack.apply(x, V, W, c)  # type: ignore[no-untyped-call]
    return z + b


def torch_alone(*arguments: Tensor) -> Tensor:
    """Return our logits as they are computed where numba is missing."""
    with patch.object(recurrence, "_kernels", lambda: None):
        return nade_logits(*arguments)


def training(
    logits: Logits, x: Tensor, parameters: list[Tensor]
) -> Callable[[], tuple[Tensor, ...]]:
    """Return one forward and backward pass; the backward in the same program as the forward."""
    alone = logits is torch_alone

    def run() -> tuple[Tensor, ...]:
        with patch.object(recurrence, "_kernels", (lambda: None) if alone else KERNELS):
            z = logits(x, *parameters)
            nll = torch.nn.functional.binary_cross_entropy_with_logits(z, x, reduction="sum")
            return torch.autograd.grad(nll / len(x), parameters)

    return run


def forward(logits: Logits, x: Tensor, parameters: list[Tensor]) -> Callable[[], Tensor]:
    """Return one forward pass."""

    def run() -> Tensor:
        with torch.no_grad():
            return logits(x, *parameters)

    return run


KERNELS = recurrence._kernels
PEERS: dict[str, Logits] = {
    "plain autograd loop": plain_loop,
    "careful autograd loop": careful_loop,
    "in place, walking back": walking_back,
    "ours, torch alone": torch_alone,
}


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print(f"B = {ROWS}, D = {DIM}, H = {HIDDEN}, float32, 1 thread\n")
    print(
        "| ones | program | peak MB | forward, ms | ours | ratio | with backward, ms | ours | ratio |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for ones in (0.13, 0.5):
        g = torch.Generator().manual_seed(0)
        x = (torch.rand(ROWS, DIM, generator=g) < ones).float()
        shapes = ((DIM, HIDDEN), (DIM,), (HIDDEN, DIM), (HIDDEN,))
        parameters = [(torch.randn(s, generator=g) * 0.05).requires_grad_() for s in shapes]
        for name, logits in PEERS.items():
            peer, ours = training(logits, x, parameters), training(nade_logits, x, parameters)
            for left, right in zip(ours(), peer(), strict=True):
                torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)
            alone = abba(forward(logits, x, parameters), forward(nade_logits, x, parameters))
            both = abba(peer, ours)
            print(
                f"| {ones} | {name} | {peak_tensor_bytes(peer) / 1e6:.0f} | {row(alone)} | {row(both)} |",
                flush=True,
            )
        print(f"| {ones} | ours | {peak_tensor_bytes(ours) / 1e6:.0f} | | | | | | |", flush=True)


def row(pairs: Pairs) -> str:
    """Return a peer's time, ours and their ratio with its interval."""
    ratio = statistic("median")([a / b for a, b in zip(pairs.a_s, pairs.b_s, strict=True)])
    busy = " (busy)" if pairs.busy else ""
    return (
        f"{1e3 * median(pairs.a_s):.0f} | {1e3 * median(pairs.b_s):.0f} | "
        f"{ratio.estimate:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]{busy}"
    )


if __name__ == "__main__":
    main()
