"""Streams that need memory: a cue after noise, doors behind portals, instructions among filler, a copy.

No loop runs over the tokens. Collisions are in `collisions.py`.

Source: the corridor, portal and instruction tasks of https://arxiv.org/abs/2105.06548, section 5, supervised
and in words of our own; the layouts of the tokens are ours.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Generator, Tensor


NO_TARGET = -100  # what cross_entropy ignores


@dataclass(frozen=True)
class Stream:
    """Streams of tokens, and questions in them.

    Attributes:
        tokens: (b, t).
        targets: (b, t), the answer where a question is asked and `NO_TARGET` elsewhere.
        gaps: (b, t), tokens between a question and the one that answers it; 0 elsewhere.
        vocab_size: tokens and answers are below it.
    """

    tokens: Int[Tensor, "b t"]
    targets: Int[Tensor, "b t"]
    gaps: Int[Tensor, "b t"]
    vocab_size: int


def cue_recall(
    batch: int,
    *,
    length: int,
    block: int,
    colours: int = 4,
    noise: int = 4,
    generator: Generator,
) -> Stream:
    """Return streams of noise in which a colour is shown once, in the first block, and must be named ever after.

    Every token after the first block is a question, and no answer appears among the tokens, so that
    nothing but the cue can tell. Tokens: colours, then noise.

    Args:
        length: tokens of a stream, a multiple of `block`.

    Raises:
        ValueError: `length` holds no second block; says both.
    """
    if length < 2 * block or length % block:
        raise ValueError(
            f"length = {length} is not a multiple of block = {block} with room for a second block."
        )
    tokens = torch.randint(colours, colours + noise, (batch, length), generator=generator)
    colour = torch.randint(colours, (batch, 1), generator=generator)
    cue = torch.randint(block, (batch, 1), generator=generator)
    tokens.scatter_(1, cue, colour)
    position = torch.arange(length)
    asked = position >= block
    targets = torch.where(asked, colour, NO_TARGET)
    gaps = torch.where(asked, position - cue, 0)
    return Stream(tokens, targets, gaps, colours + noise)


def portals(
    batch: int, *, rounds: int, rooms: int = 8, doors: int = 2, generator: Generator
) -> Stream:
    """Return streams of walks through rooms, in each of which one door, always the same, leads on.

    Every round visits each room once, in a new order. A visit is three tokens: the room, the door that
    was tried (any), and whether it led on. From the second visit on the room's token asks for its
    door; one visit need not have told it, so `gaps` point to the latest visit that did: a door that
    led on, or the last of the others to fail. Tokens: rooms, then doors, then fails and leads on.
    """
    order = torch.rand(batch, rounds, rooms, generator=generator).argsort(-1).flatten(1)
    right = torch.randint(doors, (batch, rooms), generator=generator).gather(1, order)
    tried = torch.randint(doors, order.shape, generator=generator)
    tokens = torch.stack([order, rooms + tried, rooms + doors + (tried == right).long()], -1)

    visit = torch.arange(rounds * rooms)
    # (batch, room, door, visit): the last visit before this one at which the door was tried there
    here = order[:, None, None] == torch.arange(rooms)[:, None, None]
    there = here & (tried[:, None, None] == torch.arange(doors)[:, None])
    last = torch.where(there, visit, -1).cummax(-1).values.roll(1, -1)
    last[..., 0] = -1
    last = last.gather(1, order[:, None, None].expand(-1, 1, doors, -1))[
        :, 0
    ]  # (batch, door, visit)
    led_on = last.gather(1, right[:, None])[:, 0]
    others = last.scatter(1, right[:, None], torch.iinfo(torch.int64).max).amin(1)
    when = torch.maximum(led_on, others)
    asked = when >= 0
    targets = torch.full_like(tokens, NO_TARGET)
    targets[..., 0] = torch.where(asked, right, NO_TARGET)
    gaps = torch.zeros_like(tokens)
    gaps[..., 0] = torch.where(asked, 3 * (visit - when) - 2, 0)
    return Stream(tokens.flatten(1), targets.flatten(1), gaps.flatten(1), rooms + doors + 2)


def instructions(
    batch: int,
    *,
    lines: int,
    keys: int = 4,
    values: int = 4,
    filler: int = 16,
    line: int = 8,
    instructed: float = 0.1,
    generator: Generator,
) -> Stream:
    """Return streams of filler lines, a few of which set a key to a value, and each ends with a question.

    A line is `line` tokens: a key and its value, or two of filler, then filler, and last a question,
    which names a key and wants its latest value. Tokens: filler, keys, values, questions.
    """
    tokens = torch.randint(filler, (batch, lines, line), generator=generator)
    key = torch.randint(keys, (batch, lines), generator=generator)
    value = torch.randint(values, (batch, lines), generator=generator)
    sets = torch.rand(batch, lines, generator=generator) < instructed
    tokens[..., 0] = torch.where(sets, filler + key, tokens[..., 0])
    tokens[..., 1] = torch.where(sets, filler + keys + value, tokens[..., 1])
    asked = torch.randint(keys, (batch, lines), generator=generator)
    tokens[..., -1] = filler + keys + values + asked

    number = torch.arange(lines)
    of_key = sets[:, None] & (key[:, None] == torch.arange(keys)[:, None])
    last = torch.where(of_key, number, -1).cummax(-1).values.gather(1, asked[:, None])[:, 0]
    known = last >= 0
    targets = torch.full_like(tokens, NO_TARGET)
    targets[..., -1] = torch.where(known, value.gather(1, last.clamp(min=0)), NO_TARGET)
    gaps = torch.zeros_like(tokens)
    gaps[..., -1] = torch.where(known, line * (number - last) + line - 2, 0)
    vocab_size = filler + 2 * keys + values
    return Stream(tokens.flatten(1), targets.flatten(1), gaps.flatten(1), vocab_size)


def copy(
    batch: int, *, symbols: int, delay: int, alphabet: int = 8, generator: Generator
) -> Stream:
    """Return streams that show symbols, wait, and want them again in their order.

    Tokens: the alphabet, then the blank of the wait, then the mark under which a symbol is to be named.
    """
    shown = torch.randint(alphabet, (batch, symbols), generator=generator)
    blank = torch.full((batch, delay), alphabet)
    marks = torch.full((batch, symbols), alphabet + 1)
    nothing = torch.full((batch, symbols + delay), NO_TARGET)
    gap = torch.full_like(shown, symbols + delay)
    return Stream(
        torch.cat([shown, blank, marks], 1),
        torch.cat([nothing, shown], 1),
        torch.cat([torch.zeros_like(nothing), gap], 1),
        alphabet + 2,
    )
