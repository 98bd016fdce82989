"""The list's question: encoders of letters trained side by side, by CPU time and by operations.

Legend: b rows, l letters of a row, d width, h heads.

All arms train in turns in one process, so that a neighbour on the machine disturbs them alike. The
learning rate is constant after a short warm-up: every point of a curve is an end at which one could stop.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from studiolo.measure import flops
from studiolo.nn import LayerNorm, Lengths, SelfAttention
from studiolo.nn.transformer import Block

from .hybrid import FourierWithAttention
from .mixing import FourierMixing, MatrixMixing, NoMixing
from .text import NUM_LETTERS, Batch, Reviews, Text, batches, masked


WARM_UP = 100  # updates
TURNS = 10  # evaluations of a training
SHORT_TURNS = 8  # of them on short rows, in the arm with short rows first
GROWN_AT = 5  # turns after which an FNet gets attention
# bench/fnet_rates.py chooses them on two other seeds
RATES: Mapping[str, float] = {
    "attention": 2e-3,
    "again": 2e-3,  # attention from another start
    "short_rows": 2e-3,
    "post_norm": 1e-3,
    "absolute": 2e-3,
    "fourier": 2e-3,
    "linear": 1e-3,
    "random": 2e-3,
    "none": 1e-3,
    "hybrid": 4e-3,
    "grown": 2e-3,
}
ATTENTION = ("attention", "again", "short_rows", "post_norm", "absolute")


class RotaryAttention(SelfAttention):
    """Self-attention that knows how far apart two letters are: queries and keys turn with position.

    Query and key biases start at normal(0, 1), so that heads look at a fixed distance from the first
    update on; without them attention spends its first updates on finding its neighbours.

    Source: https://arxiv.org/abs/2104.09864, section 3.4.
    """

    def __init__(self, width: int, num_heads: int, num_tokens: int) -> None:
        super().__init__(width, num_heads)
        features = width // num_heads
        angles = _angles(num_tokens, features)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    cos: Tensor
    sin: Tensor

    def forward(self, x: Float[Tensor, "b l d"], lengths: Lengths = None) -> Float[Tensor, "b l d"]:
        """Return attention of every token over its own row."""
        b, l, d = x.shape
        qkv = self.query_key_value(x).view(b, l, 3, self.num_heads, d // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # 3 x (b, h, l, d / h)
        mask = self._mask(b, l, lengths, x.device)
        mixed = self._attend(self._turned(q), self._turned(k), v, mask)
        return self.output(mixed.transpose(1, 2).reshape(b, l, d))

    def _turned(self, x: Float[Tensor, "b h l c"]) -> Float[Tensor, "b h l c"]:
        l = x.shape[-2]
        cos, sin = self.cos[:l], self.sin[:l]
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def _angles(num_tokens: int, features: int) -> Float[Tensor, "l _"]:
    """Return position times frequency; wavelengths from 6 positions to 64 times as many."""
    frequencies = 64.0 ** -(torch.arange(0, features, 2) / features)
    return torch.arange(num_tokens)[:, None] * frequencies


class LetterModel(nn.Module):
    """An encoder of letters with a head for masked letters; `arm` says what mixes in each block.

    Positions start as sinusoids and are learned. Attention blocks normalise first, the stronger
    order at this size, and Fourier and linear ones last, as in the paper.
    """

    def __init__(
        self, arm: str, *, width: int, depth: int, num_heads: int, num_tokens: int
    ) -> None:
        super().__init__()
        self.sizes = {"width": width, "num_heads": num_heads, "num_tokens": num_tokens}
        self.letters = nn.Embedding(NUM_LETTERS, width)
        angles = _angles(num_tokens, width)
        sinusoids = torch.cat([angles.sin(), angles.cos()], 1)[:, :width]
        self.positions = nn.Parameter(0.04 * math.sqrt(2) * sinusoids)
        self.embedding_norm = LayerNorm(width)
        self.blocks = nn.ModuleList(self._block(arm, layer, depth) for layer in range(depth))
        self.norm = LayerNorm(width)
        self.transform = nn.Linear(width, width)
        self.letter_norm = LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(NUM_LETTERS))
        nn.init.normal_(self.letters.weight, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
                nn.init.zeros_(module.bias)
        for block in self.blocks:
            assert isinstance(block, Block)
            if block.norm_first:  # a deep sum of residuals starts with the variance of one
                block.feed_forward.down.weight.data.mul_((2 * depth) ** -0.5)
            if isinstance(block.mixer, SelfAttention):
                _start(block.mixer, depth if block.norm_first else None)

    def _block(self, arm: str, layer: int, depth: int) -> Block:
        width, heads, tokens = (self.sizes[n] for n in ("width", "num_heads", "num_tokens"))
        attention = arm in ATTENTION
        if arm == "hybrid":
            attention = layer >= depth - max(1, depth // 2)
        mixer: nn.Module
        if attention and arm == "absolute":
            mixer = SelfAttention(width, heads)
        elif attention:
            mixer = RotaryAttention(width, heads, tokens)
        elif arm in {"linear", "random"}:
            mixer = MatrixMixing(tokens, width, learned=arm == "linear")
        elif arm == "none":
            mixer = NoMixing()
        else:
            mixer = FourierMixing()
        first = attention and arm != "post_norm"
        return Block(mixer, width, 4 * width, activation="gelu_tanh", norm_first=first)

    def grow(self) -> list[nn.Parameter]:
        """Put attention beside the Fourier mixing of the upper half; the function stays as it is.

        Returns:
            The parameters that are new.
        """
        width, heads, tokens = (self.sizes[n] for n in ("width", "num_heads", "num_tokens"))
        new = []
        for block in list(self.blocks)[-max(1, len(self.blocks) // 2) :]:
            assert isinstance(block, Block)
            attention = RotaryAttention(width, heads, tokens)
            nn.init.normal_(attention.query_key_value.weight, std=width**-0.5)
            _start(attention, None)
            block.mixer = FourierWithAttention(attention)
            new += list(block.mixer.parameters())
        return new

    def hidden(self, rows: Int[Tensor, "b l"]) -> Float[Tensor, "b l d"]:
        """Return the last hidden state."""
        x = self.embedding_norm(self.letters(rows) + self.positions[: rows.shape[1]])
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def forward(self, rows: Int[Tensor, "b l"], positions: Int[Tensor, "b m"]) -> Tensor:
        """Return the logits (b, m, letters) at `positions`."""
        chosen = self.hidden(rows).take_along_dim(positions[..., None], dim=1)
        words = self.letter_norm(F.gelu(self.transform(chosen), approximate="tanh"))
        return F.linear(words, self.letters.weight, self.bias)


def _start(attention: SelfAttention, depth: int | None) -> None:
    d = attention.output.in_features
    nn.init.normal_(attention.query_key_value.bias[: 2 * d])
    if depth is not None:
        attention.output.weight.data.mul_((2 * depth) ** -0.5)


def letter_loss(model: LetterModel, batch: Batch) -> Tensor:
    """Return the mean nats a masked letter."""
    rows, positions, answers = batch
    return F.cross_entropy(model(rows, positions).flatten(0, 1), answers.flatten())


def mixing_flops(num_rows: int, num_tokens: int, width: int) -> float:
    """Return the operations of the two real transforms of a quarter of the plane, 2.5 n log2 n each."""
    along_tokens = (width // 2 + 1) * 2.5 * num_tokens * math.log2(num_tokens)
    along_features = (num_tokens // 2 + 1) * 2.5 * width * math.log2(width)
    return num_rows * (along_tokens + along_features)


class Point(NamedTuple):
    """What a training had cost when it was evaluated, and its held-out nats a masked letter."""

    cpu_s: float
    flops: float
    updates: float
    loss: float


@dataclass
class Training:
    """One arm under way: its model, and what it has cost so far."""

    arm: str
    model: LetterModel
    text: Text
    num_rows: int
    num_tokens: int
    generator: torch.Generator
    rate: float
    cpu_s: float = 0.0
    operations: float = 0.0
    steps: int = 0
    curve: list[Point] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=self.rate, betas=(0.9, 0.98), fused=True
        )
        self._born = {id(group): 0 for group in self.optimizer.param_groups}
        self._draw()

    def _draw(self, shorter: int = 1) -> None:
        """Draw rows from here on, `shorter` times as short and as many."""
        rows, tokens = self.num_rows * shorter, self.num_tokens // shorter
        self.batches: Iterator[Batch] = batches(self.text.learned, rows, tokens, self.generator)
        batch = masked(self.text.learned, rows, tokens, torch.Generator())
        counted = flops(lambda: letter_loss(self.model, batch).backward())
        self.optimizer.zero_grad(set_to_none=True)
        fourier = sum(
            isinstance(module, FourierMixing | FourierWithAttention)
            for module in self.model.modules()
        )
        width = self.model.letters.embedding_dim
        self._step_operations = counted + 2 * fourier * mixing_flops(rows, tokens, width)

    def turn(self, number: int, updates: int | None, until_s: float) -> None:
        """Make `updates` updates, or as many as reach `until_s` CPU-seconds; then evaluate elsewhere."""
        if self.arm == "grown" and number == GROWN_AT:
            self.optimizer.add_param_group({"params": self.model.grow()})
            self._born[id(self.optimizer.param_groups[-1])] = self.steps
            self._draw()
        if self.arm == "short_rows" and number in (0, SHORT_TURNS):
            self._draw(4 if number < SHORT_TURNS else 1)
        made = 0
        while made < updates if updates is not None else self.cpu_s < until_s:
            start = time.process_time()
            for group in self.optimizer.param_groups:
                age = self.steps - self._born[id(group)]
                group["lr"] = self.rate * min(1.0, (age + 1) / WARM_UP)
            self.optimizer.zero_grad(set_to_none=True)
            letter_loss(self.model, next(self.batches)).backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.cpu_s += time.process_time() - start
            self.operations += self._step_operations
            self.steps += 1
            made += 1

    def evaluate(self, held_out: Sequence[Batch]) -> None:
        """Add a point to the curve."""
        self.model.eval()
        with torch.no_grad():
            losses = [letter_loss(self.model, batch).item() for batch in held_out]
        self.model.train()
        loss = sum(losses) / len(losses)
        self.curve.append(Point(self.cpu_s, self.operations, self.steps, loss))


def train_in_turns(trainings: Sequence[Training], held_out: Sequence[Batch], updates: int) -> None:
    """Train the first for `updates` updates and the others for as many CPU-seconds, in turns."""
    first, *others = trainings
    for number in range(TURNS):
        first.turn(number, updates // TURNS, 0.0)
        first.evaluate(held_out)
        for other in others:
            other.turn(number, None, first.cpu_s)
            other.evaluate(held_out)


def beside(first: Sequence[Point], other: Sequence[Point]) -> dict[str, float]:
    """Compare two curves over the same CPU time; `experiments.pretraining` says what each number is."""
    faster = (other[-1].updates / other[-1].cpu_s) / (first[-1].updates / first[-1].cpu_s)
    aim, share = first[-1].loss, overtaken(first, other)
    saved = {}
    for name, axis in (("saved", "cpu_s"), ("savedflops", "flops")):
        cost = reached([(getattr(point, axis), point.loss) for point in other], aim)
        saved[name] = 0.0 if cost is None else 1 - cost / getattr(first[-1], axis)
    return {
        "loss": other[-1].loss,
        "updates": other[-1].updates,
        "lead_nats": aim - other[-1].loss,
        "overtaken": share,
        "crossing_s": share * first[-1].cpu_s,
        **saved,
        "faster": faster,
        "bound": 0.5 * (1 - 1 / faster),
    }


def reached(curve: Sequence[tuple[float, float]], loss: float) -> float | None:
    """Return the cost at which a curve of (cost, loss) first is at `loss`, or None.

    Between two evaluations the loss is taken to fall evenly.
    """
    before: tuple[float, float] | None = None
    for cost, value in curve:
        if value <= loss:
            if before is None:
                return cost
            return before[0] + (cost - before[0]) * (before[1] - loss) / (before[1] - value)
        before = cost, value
    return None


def overtaken(first: Sequence[Point], other: Sequence[Point]) -> float:
    """Return the share of the turns after which `first` has the lower loss for good, 1 if never."""
    ahead = 0
    for a, b in zip(reversed(first), reversed(other), strict=True):
        if a.loss >= b.loss:
            break
        ahead += 1
    return 1.0 - ahead / len(first)


def at_updates(curve: Sequence[Point], updates: int) -> float:
    """Return the loss after `updates` updates, or in the end where there were fewer."""
    return float(np.interp(updates, [p.updates for p in curve], [p.loss for p in curve]))


def classified(
    model: LetterModel, train: Reviews, test: Reviews, *, tuned: bool, seed: int
) -> float:
    """Return the share of `test` sentences told apart by a linear layer over mean features.

    Args:
        tuned: train the encoder too, for two passes; else fit the layer to its features alone.
    """
    torch.manual_seed(seed)
    layer = nn.Linear(model.letters.embedding_dim, 2)
    nn.init.zeros_(layer.weight)

    def features(reviews: Reviews) -> Tensor:
        hidden = model.hidden(reviews.rows) * reviews.inside
        return hidden.sum(1) / reviews.ends[:, None]

    if tuned:
        parameters = [*model.parameters(), *layer.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=1e-3, fused=True)
        for _ in range(2):
            for chosen in torch.randperm(len(train.praise)).split(16):
                part = train.part(chosen)
                optimizer.zero_grad(set_to_none=True)
                F.cross_entropy(layer(features(part)), part.praise).backward()
                optimizer.step()
        with torch.no_grad():
            return float((layer(features(test)).argmax(1) == test.praise).double().mean())
    with torch.no_grad():
        a, b = features(train).double(), features(test).double()
    centre, spread = a.mean(0), a.std(0) + 1e-6
    a, b = (a - centre) / spread, (b - centre) / spread
    target = 2.0 * train.praise.double() - 1
    weights = torch.linalg.solve(a.T @ a + 10 * torch.eye(a.shape[1]), a.T @ target)
    return float(((b @ weights > 0).long() == test.praise).double().mean())
