"""Colliding particles: how far back the answers lie, with and without a slip of the published generator.

Source: the object collision task of https://arxiv.org/abs/2105.06548, section 5, in words of our own; the
layout of the tokens is ours.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.nn import functional as F

from .tasks import NO_TARGET, Stream


QUADRANTS = 4


def collisions(
    batch: int,
    *,
    steps: int,
    grid: int = 4,
    colours: int = 3,
    recolour: float = 0.2,
    ask_every: int = 4,
    easy: float = 0.4,
    aliased: bool = False,
    generator: Generator,
) -> Stream:
    """Return streams of two particles that walk a grid, change colour and collide, with questions.

    Every step gives two tokens, each particle's cell and colour; after `ask_every` steps comes a
    question, which names a pair of colours and wants the quadrant in which particles of these
    colours (first particle's colour first) were last on one cell. It is `easy` with that probability,
    about the pair that collided last, and otherwise about any pair that has collided. Tokens: the first
    particle's, the second's, then the questions; before the first collision a question has no target.
    No loop runs over the steps.

    Args:
        recolour: probability that a particle takes a new colour, in every step.
        aliased: ask easy questions about the colours that the two have now (where such a pair has
            collided; else as without), as when the pair is kept by reference to what changes.
    """
    rows = (batch, 2, steps)
    # a walk between walls is a free walk folded at the walls
    cells = torch.randint(-1, 2, (*rows, 2), generator=generator)
    cells[:, :, 0] = torch.randint(grid, (batch, 2, 2), generator=generator)
    cells = cells.cumsum(2) % (2 * grid)
    cells = torch.minimum(cells, 2 * grid - 1 - cells)
    change = torch.rand(rows, generator=generator) < recolour
    change[..., 0] = True
    step = torch.arange(steps)
    painted = torch.where(change, step, 0).cummax(-1).values
    colour = torch.randint(colours, rows, generator=generator).gather(-1, painted)
    pair = colour[:, 0] * colours + colour[:, 1]
    place = cells[..., 0] * grid + cells[..., 1]
    quadrant = 2 * (cells[..., 0] >= grid // 2) + (cells[..., 1] >= grid // 2)

    asked = step[ask_every - 1 :: ask_every]
    met = place[:, 0] == place[:, 1]
    of_pair = met[:, None] & (pair[:, None] == torch.arange(colours**2)[:, None])
    # (batch, pairs, questions): the step of the last collision, -1 for none
    last = torch.where(of_pair, step, -1).cummax(-1).values[..., asked]
    any_pair = torch.rand(last.shape, generator=generator).masked_fill(last < 0, -1).argmax(1)
    recent = last.argmax(1)
    if aliased:
        now = pair[:, asked]
        has_met = last.gather(1, now[:, None])[:, 0] >= 0
        recent = torch.where(has_met, now, recent)
    is_easy = torch.rand(recent.shape, generator=generator) < easy
    wanted = torch.where(is_easy, recent, any_pair)
    when = last.gather(1, wanted[:, None])[:, 0]
    answer = quadrant[:, 0].gather(1, when.clamp(min=0)).where(when >= 0, NO_TARGET)

    states = grid**2 * colours
    seen = place * colours + colour + torch.tensor([0, states])[:, None]
    periods = steps // ask_every
    shown = seen[..., : periods * ask_every].transpose(1, 2).reshape(batch, periods, -1)
    tokens = torch.cat([shown, 2 * states + wanted[..., None]], -1)
    targets = F.pad(answer[..., None], (2 * ask_every, 0), value=NO_TARGET)
    # the answering token is the second particle's, at which the collision is complete
    stride = 2 * ask_every + 1
    shown_at = when // ask_every * stride + when % ask_every * 2 + 1
    gap = torch.arange(periods) * stride + 2 * ask_every - shown_at
    gaps = F.pad(gap.where(when >= 0, 0)[..., None], (2 * ask_every, 0))
    vocab_size = 2 * states + colours**2
    return Stream(tokens.flatten(1), targets.flatten(1), gaps.flatten(1), vocab_size)


def information_bound(
    gaps: Int[Tensor, "..."], spans: Sequence[int], answers: int = QUADRANTS
) -> Float[Tensor, "spans"]:
    """Return the error of a guesser that is perfect within each span and guesses beyond it.

    Args:
        gaps: tokens back to the answer, of questions only.
        answers: equally likely ones.
    """
    beyond = gaps.flatten() > torch.tensor(spans)[:, None]
    return beyond.double().mean(1) * (1 - 1 / answers)
