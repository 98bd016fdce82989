"""What is measured for FNet: operations, parameters, step times, and masked words filled in.

Trained models are tiny and their language is generated, so that a seed takes seconds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from studiolo.measure import abba, flops
from studiolo.nn import Transformer
from studiolo.runs import Outcome
from studiolo.train import Budget, History, role_seeds, train

from .blocks import FNetBlock
from .heads import FNetForPreTraining
from .layouts import make_mixer
from .listops import RATES as READING_RATES, share_read
from .memory import peak_bytes
from .mixing import FourierMixing
from .model import FNetConfig
from .pretraining import (
    RATES,
    LetterModel,
    Training,
    at_updates,
    beside,
    classified,
    train_in_turns,
)
from .text import masked, read_reviews, read_text


BASE = FNetConfig()
BASE_HEADS = 12

Batch = tuple[Tensor, Tensor, Tensor]  # tokens (b, l), masked positions (b, 1), their words (b, 1)


def mixer(name: str, num_tokens: int, width: int, num_heads: int) -> Callable[[int], nn.Module]:
    """Return the mixer of each block: attention, unfused, fourier, hartley, linear, random or none.

    Raises:
        ValueError: another name; lists these.
    """
    return lambda layer: make_mixer(
        "attention" if name == "unfused" else name,
        width=width,
        num_tokens=num_tokens,
        num_heads=num_heads,
        std=_std(width),
        fused=name != "unfused",
    )


def _std(width: int) -> float:
    return float(width**-0.5)  # the paper's 0.02 is for 768; narrow models stay on it


def parameters(*, seed: int, name: str = "fourier") -> Outcome:
    """Count the parameters of a Base model with mixer `name`, and of one with attention.

    Values: `parameters`, `share_of_attention`.
    """

    def count(name: str) -> int:
        mix = mixer(name, BASE.max_position_embeddings, BASE.hidden_size, BASE_HEADS)
        with torch.device("meta"):
            return sum(p.numel() for p in FNetForPreTraining(BASE, mix).parameters())

    own = count(name)
    return Outcome({"parameters": own, "share_of_attention": own / count("attention")})


def operations(
    *, seed: int, num_tokens: int = 512, width: int = 768, num_heads: int = 12
) -> Outcome:
    """Count what a block would save by mixing for nothing: the most any mixing can gain.

    Values: `ceiling`, operations of a block with attention over those of one without mixing,
    which is 1 + (8 d + 4 l) / 16 d for width d and l tokens.
    """

    def count(name: str) -> int:
        with torch.device("meta"):
            block = Transformer(width, 1, mixer(name, num_tokens, width, num_heads))
            return flops(lambda: block(torch.empty(1, num_tokens, width)))

    return Outcome({"ceiling": count("attention") / count("none")})


def step_speed(
    *,
    seed: int,
    baseline: str = "attention",
    num_rows: int = 4,
    num_tokens: int = 128,
    width: int = 192,
    num_heads: int = 3,
    depth: int = 2,
    pairs: int = 20,
) -> Outcome:
    """Time a training step (forward, backward, Adam) with `baseline` against one with Fourier mixing.

    The default keeps the paper's tokens to width, 512 to 768, so the ceiling on what can be saved
    is the same as there.

    Values: `speed_up`, `step_s`, `baseline_step_s` (CPU seconds).
    """
    torch.set_num_threads(1)
    seeds = role_seeds(seed)

    def step(name: str) -> Callable[[], None]:
        torch.manual_seed(seeds.init)
        config = _config(vocabulary=1000, num_tokens=num_tokens, width=width, depth=depth)
        model = FNetForPreTraining(config, mixer(name, num_tokens, width, num_heads))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
        generator = torch.Generator().manual_seed(seeds.batches)
        ids = torch.randint(1000, (num_rows, num_tokens), generator=generator)
        masked = torch.rand(ids.shape, generator=generator).argsort(1)[:, : num_tokens * 15 // 100]
        words = ids.gather(1, masked)

        def update() -> None:
            optimizer.zero_grad(set_to_none=True)
            loss = model(ids, masked_positions=masked, labels=words).loss
            loss.backward()
            optimizer.step()

        return update

    times = abba(step(baseline), step("fourier"), pairs=pairs)
    return Outcome(
        {
            "speed_up": times.ratio,
            "step_s": float(np.median(times.b_s)),
            "baseline_step_s": float(np.median(times.a_s)),
        }
    )


def device_layer_speed(
    *,
    seed: int,
    baseline: str = "attention",
    num_tokens: int = 512,
    num_rows: int = 64,
    width: int = 768,
    num_heads: int = 12,
    pairs: int = 20,
) -> Outcome:
    """Time a training step of one layer in bfloat16 on a GPU, with `baseline` against Fourier mixing.

    Fourier mixing is by folded products, in one program with the residual and its norm.

    Values: `speed_up`; `ceiling` of `operations`, `share_of_ceiling` that was reached; `step_s`,
    `baseline_step_s` (device seconds).
    """
    from . import gpu

    torch.manual_seed(role_seeds(seed).init)
    x, grad = torch.randn(2, num_rows, num_tokens, width, device="cuda", dtype=torch.bfloat16)
    x.requires_grad_()

    def step(mixing: nn.Module) -> Callable[[], None]:
        block = FNetBlock(mixing, width, 4 * width, activation="gelu_tanh", norm_eps=1e-12)
        block.to(x.device, x.dtype)
        wanted = [x, *block.parameters()]

        def update() -> None:
            torch.autograd.grad(block(x), wanted, grad)

        return update

    if not gpu.possible(x):
        raise ValueError(f"The programs for GPUs cannot take {tuple(x.shape)}.")
    other = step(mixer(baseline, num_tokens, width, num_heads)(0))
    times = abba(other, step(FourierMixing("matmul")), pairs=pairs, device="cuda")
    ceiling = 1 + (8 * width + 4 * num_tokens) / (16 * width)
    return Outcome(
        {
            "speed_up": times.ratio,
            "ceiling": ceiling,
            "share_of_ceiling": times.ratio / ceiling,
            "step_s": float(np.median(times.b_s)),
            "baseline_step_s": float(np.median(times.a_s)),
        }
    )


def speed_by_length(
    *,
    seed: int,
    baselines: Sequence[str] = ("unfused", "attention"),
    lengths: Sequence[int] = (128, 256, 512, 1024),
    width: int = 128,
    num_heads: int = 2,
    num_tokens: int = 1024,
    pairs: int = 20,
) -> Outcome:
    """Time one block forward and backward at several row lengths, `num_tokens` tokens a batch.

    Values: `growth`, the gain over the last baseline at the longest row over that at the shortest.
    Arrays: `length`, and at each `over_<baseline>` and the `ceiling` of `operations`.
    """
    torch.set_num_threads(1)
    torch.manual_seed(role_seeds(seed).init)

    def step(name: str, length: int) -> Callable[[], None]:
        block = Transformer(width, 1, mixer(name, length, width, num_heads))
        x = torch.randn(num_tokens // length, length, width, requires_grad=True)
        return lambda: block(x).sum().backward()

    def gain(name: str, length: int) -> float:
        return abba(step(name, length), step("fourier", length), pairs=pairs).ratio

    curves = {f"over_{name}": [gain(name, length) for length in lengths] for name in baselines}
    curves["ceiling"] = [
        operations(seed=seed, num_tokens=length, width=width, num_heads=num_heads).values["ceiling"]
        for length in lengths
    ]
    last = curves[f"over_{baselines[-1]}"]
    return Outcome({"growth": last[-1] / last[0]}, {"length": list(lengths), **curves})


def memory_by_length(
    *,
    seed: int,
    baselines: Sequence[str] = ("unfused", "attention", "none"),
    lengths: Sequence[int] = (128, 256, 512, 1024, 2048),
    width: int = 128,
    depth: int = 4,
    num_heads: int = 2,
    num_tokens: int = 2048,
) -> Outcome:
    """Count the peak bytes of a forward and backward pass at several row lengths, `num_tokens` tokens a batch.

    Values: `share_of_<baseline>`, the peak with Fourier mixing over that with the baseline at the
    longest row; `growth_<baseline>`, its peak there over that at the shortest.
    Arrays: `length`, and at each the peak in megabytes with `fourier` and with each baseline.
    """
    torch.set_num_threads(1)
    sizes = {"width": width, "depth": depth, "num_heads": num_heads, "num_tokens": num_tokens}
    peaks = {name: peak_bytes(name, lengths, **sizes) for name in ("fourier", *baselines)}
    values = {f"share_of_{name}": peaks["fourier"][-1] / peaks[name][-1] for name in baselines}
    values |= {f"growth_{name}": peak[-1] / peak[0] for name, peak in peaks.items()}
    megabytes = {name: [n / 1e6 for n in peak] for name, peak in peaks.items()}
    return Outcome(values, {"length": list(lengths), **megabytes})


class Language:
    """A generated language: after each word one of two words follows, each as likely.

    Every word also has two that can stand before it, so a masked word is known, or one of two,
    from its neighbours; nothing else in the row helps. With `order=0` words are independent: then
    there is nothing to find.
    """

    def __init__(self, seed: int, *, num_words: int = 16, order: int = 1) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.num_words, self.order = num_words, order
        # two permutations: every word has two before it, and is as frequent as any other
        self.followers = torch.stack(
            [torch.randperm(num_words, generator=generator) for _ in range(2)], dim=1
        )

    @property
    def mask(self) -> int:
        """The token that stands for a masked word: the one after the last word."""
        return self.num_words

    @property
    def transitions(self) -> Float[Tensor, "word next"]:
        """The probability of each word after each word."""
        shape = (self.num_words, self.num_words)
        if not self.order:
            return torch.full(shape, 1 / self.num_words)
        return torch.zeros(shape).scatter_add(1, self.followers, torch.full(shape, 0.5))

    def rows(
        self, num_rows: int, num_tokens: int, generator: torch.Generator
    ) -> Int[Tensor, "b l"]:
        """Draw rows of words."""
        rows = torch.randint(self.num_words, (num_rows, num_tokens), generator=generator)
        if self.order:
            coins = torch.randint(2, (num_rows, num_tokens), generator=generator)
            for i in range(1, num_tokens):
                rows[:, i] = self.followers[rows[:, i - 1], coins[:, i]]
        return rows

    def masked(self, num_rows: int, num_tokens: int, generator: torch.Generator) -> Batch:
        """Draw rows with one masked word each."""
        rows = self.rows(num_rows, num_tokens, generator)
        position = torch.randint(num_tokens, (num_rows, 1), generator=generator)
        return rows.scatter(1, position, self.mask), position, rows.gather(1, position)

    def batches(self, num_rows: int, num_tokens: int, seed: int) -> Iterator[Batch]:
        """Draw batches without end."""
        generator = torch.Generator().manual_seed(seed)
        while True:
            yield self.masked(num_rows, num_tokens, generator)

    def least_loss(self, batch: Batch) -> float:
        """Return the mean of -log p(word | its neighbours): no model can expect to be below it."""
        ids, position, words = batch
        edge = torch.full((len(ids), 1), self.mask)
        padded = torch.cat([edge, ids, edge], dim=1)
        # beyond the edge of a row every word is as likely
        after = torch.cat([self.transitions, torch.ones(1, self.num_words)])
        before = torch.cat([self.transitions.T, torch.ones(1, self.num_words)])
        left = padded.gather(1, position).squeeze(1)
        right = padded.gather(1, position + 2).squeeze(1)
        weights = after[left] * before[right]
        likelihood = weights / weights.sum(1, keepdim=True)
        return -float(likelihood.gather(1, words).log().mean())


def mixing_order(
    *,
    seed: int,
    order: int = 1,
    arms: Sequence[str] = ("attention", "fourier", "random", "none"),
    num_tokens: int = 8,
    steps: int = 400,
) -> Outcome:
    """Train one model an arm for equally many updates; compare the masked words that each fills in.

    Values: `accuracy_<arm>` on 4096 fresh rows, `<arm>_over_<next arm>` for neighbours of `arms`,
    and `spread`, the highest accuracy less the lowest.
    """
    torch.set_num_threads(1)
    language = Language(role_seeds(seed).data, order=order)
    test = _test_rows(language, seed, 4096, num_tokens)
    accuracy = {}
    for arm in arms:
        model = _masked_language_model(arm, language, seed, num_tokens)
        _fit(model, language, seed, num_tokens, Budget(steps=steps))
        ids, position, words = test
        with torch.no_grad():
            filled = model(ids, masked_positions=position).prediction_logits.argmax(-1)
        accuracy[arm] = float((filled == words).double().mean())
    values = {f"accuracy_{arm}": share for arm, share in accuracy.items()}
    values |= {f"{a}_over_{b}": accuracy[a] - accuracy[b] for a, b in pairwise(arms)}
    values["spread"] = max(accuracy.values()) - min(accuracy.values())
    return Outcome(values)


def equal_time(
    *, seed: int, order: int = 1, num_tokens: int = 16, cpu_s: float = 2.0, every: int = 25
) -> Outcome:
    """Train with attention and with Fourier mixing for the same CPU-seconds.

    Values: `loss_attention`, `loss_fourier` (nats a masked word), `lead_nats` of Fourier mixing,
    `steps_attention`, `steps_fourier`.
    Arrays: `cpu_s`, and at each the held-out loss of `attention`, `fourier`, and `least` possible.
    """
    torch.set_num_threads(1)
    language = Language(role_seeds(seed).data, order=order)
    test = _test_rows(language, seed, 1024, num_tokens)
    seconds = np.linspace(0.1, 1.0, 10) * cpu_s
    curves = {"least": np.full(10, language.least_loss(test))}
    values = {}
    for arm in ("attention", "fourier"):
        model = _masked_language_model(arm, language, seed, num_tokens)
        history = _fit(model, language, seed, num_tokens, Budget(cpu_s=cpu_s), test, every)
        _, spent, losses = zip(*history.evaluations, strict=True)
        curves[arm] = np.interp(seconds, spent, losses)
        values[f"loss_{arm}"], values[f"steps_{arm}"] = losses[-1], history.steps
    values["lead_nats"] = values["loss_attention"] - values["loss_fourier"]
    return Outcome(values, {"cpu_s": seconds, **curves})


def listops(
    *,
    seed: int,
    arms: Sequence[str] = ("attention", "fourier", "none"),
    updates: int = 400,
    num_tokens: int = 24,
    max_depth: int = 3,
    width: int = 64,
    depth: int = 2,
    num_heads: int = 4,
    num_held_out: int = 4096,
    rates: Mapping[str, float] = READING_RATES,
) -> Outcome:
    """Train one reader of ListOps an arm for equally many updates; compare what each reads right.

    Values: `accuracy_<arm>` on fresh expressions, and `lead_<arm>`, that less the accuracy of the
    first arm.
    """
    torch.set_num_threads(1)
    accuracy = {
        arm: share_read(
            arm,
            seed=seed,
            updates=updates,
            rate=rates[arm],
            num_tokens=num_tokens,
            max_depth=max_depth,
            width=width,
            depth=depth,
            num_heads=num_heads,
            num_held_out=num_held_out,
        )
        for arm in arms
    }
    values = {f"accuracy_{arm}": share for arm, share in accuracy.items()}
    values |= {f"lead_{arm}": share - accuracy[arms[0]] for arm, share in accuracy.items()}
    return Outcome(values)


def pretraining(
    *,
    seed: int,
    arms: Sequence[str] = ("linear", "fourier", "random", "none"),
    data: str = "wikipedia",
    updates: int = 400,
    width: int = 64,
    depth: int = 4,
    num_heads: int = 2,
    num_rows: int = 8,
    num_tokens: int = 128,
    num_held_out: int = 192,
    transfer: Sequence[str] = ("attention", "hybrid", "none"),
    num_letters: int = 64,
    rates: Mapping[str, float] = RATES,
) -> Outcome:
    """Train an attention encoder of masked letters for `updates`, and `arms` for as many CPU-seconds.

    Args:
        data: "wikipedia", "standard_library", which needs no download, or "shuffled".
        num_held_out: rows that every evaluation reads.
        transfer: arms that learn to tell praise from blame in review sentences afterwards.
        num_letters: of a sentence; the rest is cut off.

    Values: for "attention" and each of `arms` `loss_<arm>` in the end (nats a masked letter),
    `updates_<arm>`, `frozen_<arm>` and `tuned_<arm>` (accuracy on reviews by features as they are, and
    trained on). For each of `arms`, against attention: `lead_nats_<arm>` in the end; `overtaken_<arm>`,
    the share of the time after which attention is ahead for good, 1 if never, and `crossing_s_<arm>`,
    the same in CPU-seconds; `saved_<arm>` and `savedflops_<arm>`, the share of CPU time and of
    operations saved at attention's last loss, 0 where it is not reached; `faster_<arm>`, updates in the
    time of one of attention's; `bound_<arm>`, what half a training at that speed can save;
    `tunedlead_<arm>`, accuracy. After equally many updates: `behind_<arm>`, nats that it needs more
    than attention, and `<arm>_over_<next arm>`, nats that the next needs more.
    Arrays: `cpu_s` of attention, and after it the held-out nats and `flops_<arm>` of each arm.
    """
    torch.set_num_threads(1)
    seeds = role_seeds(seed)
    text = read_text(data)
    generator = torch.Generator().manual_seed(seeds.data)
    held_out = [masked(text.held_out, num_held_out // 4, num_tokens, generator) for _ in range(4)]
    trainings = []
    for arm in ("attention", *arms):
        own = role_seeds(seed + 1_000_000) if arm == "again" else seeds
        torch.manual_seed(own.init)
        model = LetterModel(
            arm, width=width, depth=depth, num_heads=num_heads, num_tokens=num_tokens
        )
        drawn = torch.Generator().manual_seed(own.batches)
        trainings.append(Training(arm, model, text, num_rows, num_tokens, drawn, rates[arm]))
    train_in_turns(trainings, held_out, updates)
    values: dict[str, float] = {}
    for training in trainings:
        values |= {
            f"{name}_{training.arm}": value
            for name, value in beside(trainings[0].curve, training.curve).items()
        }
    equal = {training.arm: at_updates(training.curve, updates) for training in trainings}
    values |= {f"behind_{arm}": loss - equal["attention"] for arm, loss in equal.items()}
    values |= {f"{a}_over_{b}": equal[b] - equal[a] for a, b in pairwise(equal)}
    if transfer:
        reviews = read_reviews(num_letters, torch.Generator().manual_seed(seeds.data))
        order = torch.arange(len(reviews.praise))
        cut = 2 * len(order) // 3
        learned, test = reviews.part(order[:cut]), reviews.part(order[cut:])
        for training in trainings:
            if (arm := training.arm) in transfer:
                for name, tuned in (("frozen", False), ("tuned", True)):
                    share = classified(training.model, learned, test, tuned=tuned, seed=seeds.init)
                    values[f"{name}_{arm}"] = share
                values[f"tunedlead_{arm}"] = values[f"tuned_{arm}"] - values["tuned_attention"]
    arrays: dict[str, list[float]] = {"cpu_s": [point.cpu_s for point in trainings[0].curve]}
    for training in trainings:
        arrays[training.arm] = [point.loss for point in training.curve]
        arrays[f"flops_{training.arm}"] = [point.flops for point in training.curve]
    return Outcome(values, arrays)


def _masked_language_model(
    arm: str, language: Language, seed: int, num_tokens: int
) -> FNetForPreTraining:
    torch.manual_seed(role_seeds(seed).init)
    config = _config(vocabulary=language.num_words + 1, num_tokens=num_tokens, width=32, depth=2)
    return FNetForPreTraining(config, mixer(arm, num_tokens, 32, 4))


def _test_rows(language: Language, seed: int, num_rows: int, num_tokens: int) -> Batch:
    generator = torch.Generator().manual_seed(role_seeds(seed).data)
    return language.masked(num_rows, num_tokens, generator)


def _masked_word_loss(model: FNetForPreTraining, batch: Batch) -> Tensor:
    ids, position, words = batch
    loss = model(ids, masked_positions=position, labels=words).loss
    assert isinstance(loss, Tensor)  # labels were given
    return loss


def _fit(
    model: FNetForPreTraining,
    language: Language,
    seed: int,
    num_tokens: int,
    budget: Budget,
    test: Batch | None = None,
    every: int = 0,
) -> History:
    return train(
        model,
        _masked_word_loss,
        language.batches(32, num_tokens, role_seeds(seed).batches),
        optimizer=torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98), fused=True),
        budget=budget,
        evaluate=None if test is None else (lambda model: float(_masked_word_loss(model, test))),
        every=every,
    )


def _config(*, vocabulary: int, num_tokens: int, width: int, depth: int) -> FNetConfig:
    return FNetConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=depth,
        intermediate_size=4 * width,
        hidden_dropout_prob=0.0,
        max_position_embeddings=num_tokens,
        initializer_range=_std(width),
        pad_token_id=None,
    )
