"""A population trained at once against one network after the other: `python bench/pruning_identified_exemplars.py`.

Prints one Markdown table; with `bars` another, of two whole trainings, which needs STUDIOLO_DATA and minutes. Times are CPU time of one thread; a ratio is the peer's time over ours, the median over runs
that alternate with ours, with its order-statistic interval (5 % per tail), of this process alone. Every peer draws its
batches and updates its weights as ours does (SGD with Nesterov momentum, torch's fused kernel). Takes some minutes.
"""

import os
import sys
import time


os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from scipy.stats import mode
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from torch.nn import functional as F
from torch.nn.utils import prune

from studiolo.claims import statistic
from studiolo.measure import abba
from studiolo.papers.pruning_identified_exemplars import Recipe, pies, train_population
from studiolo.papers.pruning_identified_exemplars.inputs import Split, people, pictures


MEMBERS, STEPS = 30, 40
Peer = Callable[[Tensor, Tensor, Sequence[int], int], object]


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    if "bars" in sys.argv:
        print("| what | CPU s | bar | accuracy, % |")
        print("| --- | --- | --- | --- |")
        for row in bars():
            print("| " + " | ".join(row) + " |", flush=True)
        return
    print(
        f"{MEMBERS} members, {STEPS} steps each, float32, torch {torch.__version__}, one thread.\n"
    )
    print("| what | peer | ours ms | peer ms | peer / ours (interval) | pairs | busy |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows():
        print("| " + " | ".join(row) + " |", flush=True)


def rows() -> Iterator[tuple[str, ...]]:
    """The table, row by row."""
    for sizes, batch, pairs in (
        ((64, 32, 10), 25, 20),
        ((196, 32, 32, 10), 64, 10),
        ((64, 64, 64, 10), 128, 10),
        ((784, 64, 64, 10), 128, 5),
        ((784, 256, 256, 10), 128, 5),
    ):
        x = torch.rand(batch * STEPS, sizes[0])
        y = torch.randint(sizes[-1], (len(x),))
        recipe = Recipe(sizes[1:-1], 1, batch)
        what = f"training {'-'.join(map(str, sizes))}, batch {batch}"
        for name, peer in (
            ("one by one", one_by_one),
            ("one by one with torch.nn.utils.prune", one_by_one_masked),
            ("torch.func.vmap", vmapped),
        ):

            def ours(
                x: Tensor = x, y: Tensor = y, recipe: Recipe = recipe, name: str = name
            ) -> object:
                level = 0.9 if "prune" in name else 0.0
                return train_population(
                    x, y, seeds=range(MEMBERS), sparsity=level, classes=10, recipe=recipe
                )

            def theirs(
                x: Tensor = x,
                y: Tensor = y,
                peer: Peer = peer,
                sizes: Sequence[int] = sizes,
                batch: int = batch,
            ) -> object:
                return peer(x, y, sizes, batch)

            yield raced(what, name, theirs, ours, pairs)
    for channels, batch in (((4, 8), 32), ((8, 16), 32), ((8, 16), 128)):
        x, y = torch.rand(batch * 10, 14, 14), torch.randint(10, (batch * 10,))
        yield raced(
            f"training {channels[0]} and {channels[1]} channels, batch {batch}, 10 steps",
            "one by one",
            lambda x=x, y=y, c=channels, b=batch: convolutions_one_by_one(x, y, c, b),
            lambda x=x, y=y, c=channels, b=batch: train_population(
                x, y, seeds=range(MEMBERS), classes=10, recipe=Recipe((), 1, b, channels=c)
            ),
            5,
        )
    rng = np.random.default_rng(0)
    dense, other = rng.integers(0, 10, (2, 30, 10_000))
    yield raced(
        "PIEs of 10,000 images, 30 + 30 members",
        "scipy.stats.mode",
        lambda: mode(dense, axis=0).mode != mode(other, axis=0).mode,
        lambda: pies(dense, other),
        20,
    )


def bars() -> Iterator[tuple[str, ...]]:
    """Two trainings that an audit of a paper's size needs, with the CPU time that they may take."""
    adult, _ = people()
    yield trained_in(
        "64 networks 107-64-2, Adult, 2 epochs, 16 each dense, dense, 90 and 97 %",
        adult,
        [level for level in (0.0, 0.0, 0.9, 0.97) for _ in range(16)],
        Recipe((64,), 2, 256),
        20,
    )
    yield trained_in(
        "210 networks 196-32-32-10, all of Fashion-MNIST, 4 epochs, 7 kinds from dense to 95 %",
        pictures("fashion_mnist", None, 0),
        [level for level in (0.0, 0.0, 0.3, 0.5, 0.7, 0.9, 0.95) for _ in range(30)],
        Recipe((32, 32), 4, 128),
        150,
    )


def trained_in(
    what: str, split: Split, sparsity: Sequence[float], recipe: Recipe, bar: float
) -> tuple[str, ...]:
    """Train, and say how long it took."""
    x, y = torch.from_numpy(split.train_x).float(), torch.from_numpy(split.train_y)
    start = time.process_time()
    networks = train_population(x, y, seeds=range(len(sparsity)), sparsity=sparsity, recipe=recipe)
    taken = time.process_time() - start
    right = networks.predict(torch.from_numpy(split.test_x).float()).numpy() == split.test_y
    kinds = [
        f"{100 * right[np.array(sparsity) == level].mean():.1f}"
        for level in dict.fromkeys(sparsity)
    ]
    return what, f"{taken:.1f}", f"{bar:g}", ", ".join(kinds)


def convolutions_one_by_one(x: Tensor, y: Tensor, channels: Sequence[int], batch: int) -> None:
    """Train each convolutional network by itself."""
    for _ in range(MEMBERS):
        layers: list[nn.Module] = []
        for a, b in pairwise((1, *channels)):
            convolution = nn.Conv2d(a, b, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)]
        net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * 9, 10))
        optimizer = sgd(net.parameters())
        for rows in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            F.cross_entropy(net(x[rows, None]), y[rows]).backward()
            optimizer.step()


def raced(
    what: str, name: str, peer: Callable[[], object], ours: Callable[[], object], pairs: int
) -> tuple[str, ...]:
    """Both run whole, in turns."""
    times = abba(peer, ours, pairs=pairs, warmup=1)
    ratios = [a / b for a, b in zip(times.a_s, times.b_s, strict=True)]
    interval = statistic("median")(ratios)
    return (
        what,
        name,
        f"{1000 * np.median(times.b_s):.3g}",
        f"{1000 * np.median(times.a_s):.3g}",
        f"{interval.estimate:.2f} ({interval.low:.2f} to {interval.high:.2f})",
        str(pairs),
        "yes" if times.busy else "no",
    )


def network(sizes: Sequence[int]) -> nn.Sequential:
    """A multilayer perceptron as one writes it."""
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def sgd(parameters: Iterator[nn.Parameter] | list[Tensor]) -> torch.optim.SGD:
    """The optimiser of all rows."""
    return torch.optim.SGD(
        parameters, lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True, fused=True
    )


def one_by_one(
    x: Tensor, y: Tensor, sizes: Sequence[int], batch: int, masked: bool = False
) -> None:
    """Train each network by itself."""
    for _ in range(MEMBERS):
        net = network(sizes)
        if masked:
            for layer in net:
                if isinstance(layer, nn.Linear):
                    prune.l1_unstructured(layer, "weight", 0.9)
        optimizer = sgd(net.parameters())
        for rows in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            F.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()


def one_by_one_masked(x: Tensor, y: Tensor, sizes: Sequence[int], batch: int) -> None:
    """Train each network by itself with torch's masks, set once; ours renews its masks 21 times."""
    one_by_one(x, y, sizes, batch, masked=True)


def vmapped(x: Tensor, y: Tensor, sizes: Sequence[int], batch: int) -> None:
    """Train the stack through torch's own batching of modules."""
    nets = [network(sizes) for _ in range(MEMBERS)]
    parameters, _ = stack_module_state(nets)  # type: ignore[arg-type] # a list of modules is one
    optimizer = sgd(list(parameters.values()))
    forward = torch.vmap(lambda p, rows: functional_call(nets[0], p, (rows,)))
    orders = torch.stack([torch.randperm(len(x)) for _ in range(MEMBERS)])
    for rows in orders.split(batch, dim=1):
        optimizer.zero_grad()
        logits = forward(parameters, x[rows])
        loss = F.cross_entropy(logits.flatten(0, 1), y[rows].flatten(), reduction="sum") / batch
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
