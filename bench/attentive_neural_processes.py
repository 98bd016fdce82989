"""Attentive neural processes beside the published notebook's computation and neuralprocesses, one Markdown table.

    python bench/attentive_neural_processes.py

The notebook (google-deepmind/neural-processes) needs TensorFlow 1 and does not run today; its computation is written
here in torch over the very weights of our model, and the table is printed only if both give the same bound. The other
peer is neuralprocesses 0.2.7 (`construct_agnp`, with a latent variable, as near to the same sizes as it can be
configured); its rows are left out, and said so, where it cannot be imported. The ratio is the peer's CPU time over
ours, median over interleaved pairs; its interval is the order-statistic interval of these pairs (5 % per tail).
"""

import importlib
import os
import time


os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from typing import Any

import torch
from side_by_side import cells, print_head, print_row
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from studiolo.measure import abba
from studiolo.papers.attentive_neural_processes import (
    Gaussian,
    MultiheadAttention,
    NeuralProcess,
    Tasks,
    complete,
    gp_tasks,
)
from studiolo.papers.attentive_neural_processes.fit import loss_of


WIDTH, HEADS, GIVEN, POINTS = 128, 8, 25, 50
Loss = Callable[[Tasks], Tensor]


def notebook(model: NeuralProcess, draw: Callable[[Gaussian], Tensor]) -> Loss:
    """Return the notebook's loss over `model`'s weights: heads one by one, the posterior twice."""
    latent, decoder, attention = model.latent_encoder, model.decoder, model.attention
    assert latent is not None
    assert model.encoder is not None
    assert isinstance(attention, MultiheadAttention)
    encoder, embed = model.encoder, attention.embed
    maps = [m.weight for m in (attention.query, attention.key, attention.value, attention.output)]

    def q_z(x: Tensor, y: Tensor) -> Gaussian:
        hidden = latent.hidden(latent.encoder(torch.cat([x, y], -1), None).mean(1)).relu()
        mean, raw = latent.head(hidden).chunk(2, -1)
        return Gaussian(mean, 0.1 + 0.9 * raw.sigmoid())

    def attend(k: Tensor, v: Tensor, q: Tensor) -> Tensor:
        out = torch.zeros(())
        for head in range(HEADS):
            rows = slice(head * WIDTH // HEADS, (head + 1) * WIDTH // HEADS)
            of_q, of_k, of_v = (F.linear(t, w[rows]) for t, w in zip((q, k, v), maps, strict=False))
            weights = (of_q @ of_k.mT / of_q.shape[-1] ** 0.5).softmax(-1)
            out = out + F.linear(weights @ of_v, maps[3][:, rows])
        return out

    def loss(tasks: Tasks) -> Tensor:
        x, y = tasks.x, tasks.y
        x_given, y_given = x[:, :GIVEN], y[:, :GIVEN]
        prior, posterior = q_z(x_given, y_given), q_z(x, y)
        z = draw(posterior)[:, None].expand(-1, x.shape[1], -1)
        r = attend(embed(x_given), encoder(torch.cat([x_given, y_given], -1), None), embed(x))
        hidden = decoder.first(torch.cat([x, r, z], -1)).relu()
        mean, raw = decoder.head(decoder.second(hidden).relu()).chunk(2, -1)
        log_prob = Gaussian(mean, 0.1 + 0.9 * F.softplus(raw)).log_prob(y).sum(-1)
        posterior = q_z(x, y)
        kl = posterior.kl(prior).sum(-1, keepdim=True)
        return -(log_prob - kl / x.shape[1]).mean()

    return loss


def neuralprocesses() -> tuple[nn.Module, Loss] | None:
    """Return that package's attentive model and its loss, or None where it is not installed."""
    try:
        nps: Any = importlib.import_module("neuralprocesses.torch")
    except ImportError:
        return None
    model = nps.construct_agnp(
        dim_embedding=WIDTH, dim_lv=WIDTH, width=WIDTH, num_heads=HEADS,
        num_enc_layers=3, num_dec_layers=2, likelihood="het",
    )  # fmt: skip

    def loss(tasks: Tasks) -> Tensor:
        x, y = tasks.x.mT, tasks.y.mT  # (b, coordinates, points)
        context = [(x[..., :GIVEN], y[..., :GIVEN])]
        bound = nps.elbo(
            model, context, x[..., GIVEN:], y[..., GIVEN:], num_samples=1, normalise=True,
            subsume_context=True,
        )  # fmt: skip
        return -bound.mean()

    return model, loss


class Products(TorchDispatchMode):
    """What is multiplied while it is on: matrix products and attention, to be done again by `replay`."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Keep a product with what it multiplies."""
        if any(word in str(func) for word in ("mm.", "mv.", "dot_product")):
            self.calls.append((func, args, kwargs or {}))
        return func(*args, **kwargs or {})

    def replay(self) -> None:
        """Do every product again, and nothing else."""
        for func, args, kwargs in self.calls:
            func(*args, **kwargs)


def step(model: nn.Module, loss: Loss, tasks: Tasks) -> Callable[[], object]:
    """Return one training step: bound, backward, Adam."""
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(tasks).backward()
        optimizer.step()

    return run


def in_painting() -> None:
    """Print how long 200 images of 28 x 28 take, a fifth of whose pixels are given."""
    model = NeuralProcess(2, width=64, num_heads=4)
    images = torch.rand(200, 28, 28)
    given = torch.rand(200, 28, 28) < 0.2
    times = []
    for _ in range(7):
        begin = time.process_time()
        complete(model, images, given)
        times.append(time.process_time() - begin)
    print(f"\n200 images of 28 x 28, width 64, 4 heads: {sorted(times)[3]:.2f} CPU-s.")


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    ours, theirs = (NeuralProcess(width=WIDTH, num_heads=HEADS) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())

    def own_loss(tasks: Tasks) -> Tensor:
        return loss_of(ours, tasks)

    old_loss = notebook(theirs, lambda q: q.sample(1)[0])
    check = gp_tasks(16, num_context=(GIVEN, GIVEN))
    losses = []
    for loss in (own_loss, old_loss):
        torch.manual_seed(1)
        losses.append(loss(check).detach())
    torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-5)

    peers: list[tuple[str, nn.Module, Loss]] = [("the notebook's computation", theirs, old_loss)]
    package = neuralprocesses()
    if package is not None:
        peers.append(("neuralprocesses 0.2.7", *package))
    print(
        f"Training step, multi-head attention, width {WIDTH}, {HEADS} heads, {POINTS} points of which {GIVEN} are "
        f"given, float32, torch {torch.__version__}, one thread.\n"
    )
    print_head("batch", "peer", "ours s", "peer s", "peer / ours (interval)", "pairs", "busy")
    for batch in (16, 64):
        tasks = gp_tasks(batch, num_points=POINTS, num_context=(GIVEN, GIVEN))
        for name, model, loss in peers:
            times = abba(step(model, loss, tasks), step(ours, own_loss, tasks), pairs=20)
            print_row(batch, name, *cells(times, digits=4))
        own = step(ours, own_loss, tasks)
        with Products() as products:
            own()
        times = abba(products.replay, own, pairs=20)
        print_row(batch, "its own matrix products", *cells(times, digits=4))
    in_painting()
    if package is None:
        print("\nneuralprocesses is not installed: no rows.")


if __name__ == "__main__":
    main()
