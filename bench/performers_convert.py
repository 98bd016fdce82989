"""A language model converted to linear attention: what the swap costs, what distilling and fine-tuning bring back.

    python bench/performers_convert.py            # trains a model of bytes first; a minute on one quiet core
    python bench/performers_convert.py gpt2 FILE  # a checkpoint of transformers and a text: never tried here

The second form needs a network or a local folder in the place of `gpt2`. It prints the perplexity on the last tenth
of FILE of the checkpoint, of the swap, and of the swap after distilling 200 steps on the rest.
"""

import math
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from side_by_side import print_head, print_row
from torch import Tensor, nn

from studiolo.papers.performers import convert, distill_attention
from studiolo.papers.performers.training import (
    LanguageModel,
    fit,
    language_loss,
    next_byte_accuracy,
    text_rows,
)


LENGTH, STEPS, MORE = 64, 400, 40


def small() -> None:
    """Train, convert with several kinds of features, distil, go on training; print accuracies."""
    torch.manual_seed(0)
    model = LanguageModel(LENGTH)
    fit(model, language_loss, text_rows(LENGTH, 0), STEPS)

    def later(model: nn.Module) -> float:
        fit(model, language_loss, text_rows(LENGTH, 1), MORE)
        return next_byte_accuracy(model, LENGTH)

    accuracy = next_byte_accuracy(model, LENGTH)
    print_head("attention", "accuracy", "after distilling", f"after {MORE} steps more")
    for features, options in (
        ("positive", {"num_features": 64}),
        ("positive", {"num_features": 64, "exact": 16}),
        ("relu", {"num_features": 64}),
        ("learned", {}),
    ):
        linear, _ = convert(model, features, generator=torch.Generator().manual_seed(0), **options)  # type: ignore[arg-type]
        swapped, distilled = next_byte_accuracy(linear, LENGTH), "nothing to distil"
        if features == "learned":
            distill_attention(linear, [x for x, _ in islice(text_rows(LENGTH, 2), 20)], MORE)
            distilled = f"{next_byte_accuracy(linear, LENGTH):.3f}"
        name = ", ".join([features, *(f"{k}={v}" for k, v in options.items())])
        print_row(name, f"{swapped:.3f}", distilled, f"{later(linear):.3f}")
    print_row("softmax", f"{accuracy:.3f}", "", f"{later(model):.3f}")


def checkpoint(name: str, file: str) -> None:
    """Convert a checkpoint of transformers and print perplexities."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: nn.Module = AutoModelForCausalLM.from_pretrained(name)
    model.train(False)
    tokens = AutoTokenizer.from_pretrained(name)(Path(file).read_text(), return_tensors="pt")
    ids = tokens["input_ids"][0]
    rows = ids[: len(ids) // 512 * 512].view(-1, 512)
    cut = 9 * len(rows) // 10

    @torch.no_grad()
    def perplexity(model: nn.Module) -> str:
        losses = [float(model(input_ids=x, labels=x).loss) for x in rows[cut:].split(4)]
        return f"{math.exp(sum(losses) / len(losses)):.2f}"

    def batches() -> Iterator[dict[str, Tensor]]:
        yield from ({"input_ids": x} for x in rows[:cut].split(2))

    print_head("model", "perplexity")
    print_row(name, perplexity(model))
    linear, report = convert(model, "learned", exact=None)
    print_row("learned features, swapped", perplexity(linear))
    distill_attention(linear, list(batches()), 200)
    print_row("learned features, distilled", perplexity(linear))
    print(f"\n{report}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        checkpoint(*sys.argv[1:])
    else:
        torch.set_num_threads(1)
        small()
