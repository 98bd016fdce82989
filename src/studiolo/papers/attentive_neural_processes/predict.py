"""What to do with a trained model: a mean with a standard deviation, coherent functions, joint densities.

Legend: b tasks, n context points, m targets, x and y coordinates of a point, s samples.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .gaussian import Gaussian
from .model import NeuralProcess


class Prediction(NamedTuple):
    """What is to be expected at each target, all z together."""

    mean: Tensor
    """(b, m, y)."""
    std: Tensor
    """(b, m, y): of an observation, what z leaves open counted in."""
    samples: Tensor
    """(s, b, m, y): the mean function of each z, without the noise of an observation."""


@torch.no_grad()
def predict(
    model: NeuralProcess,
    x_context: Float[Tensor, "b n x"],
    y_context: Float[Tensor, "b n y"],
    x_target: Float[Tensor, "_ m x"],
    context_mask: Tensor | None = None,
    *,
    num_samples: int = 16,
    generator: torch.Generator | None = None,
) -> Prediction:
    """Return mean and standard deviation at the targets, and a function for each of `num_samples` z.

    Arguments are those of the model; without a latent path there is one sample, which is the mean.
    """
    found = model(
        x_context, y_context, x_target, context_mask, num_samples=num_samples, generator=generator
    )
    variance = found.std.square().mean(0) + found.mean.var(0, correction=0)
    return Prediction(found.mean.mean(0), variance.sqrt(), found.mean)


@torch.no_grad()
def sample_autoregressive(
    model: NeuralProcess,
    x_context: Float[Tensor, "b n x"],
    y_context: Float[Tensor, "b n y"],
    x_target: Float[Tensor, "b m x"],
    context_mask: Tensor | None = None,
    *,
    num_samples: int = 1,
    order: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "s b m y"]:
    """Draw observations one target after the other, each given those before it.

    Targets then depend on each other as far as the model knows, even without a latent path; m
    predictions are made, and the order matters.

    Args:
        order: the permutation of the m targets in which they are drawn; None: at random.

    Source: https://arxiv.org/abs/2303.14468, section 3.
    """
    b, n, _ = x_context.shape
    m = x_target.shape[1]
    if order is None:
        order = torch.randperm(m, generator=generator, device=_device(generator)).to(
            x_target.device
        )
    if context_mask is None:
        context_mask = torch.ones(b, n, dtype=torch.bool, device=x_target.device)
    x_target = x_target[:, order]
    x = torch.cat([x_context, x_target], 1).repeat(num_samples, 1, 1)
    y = torch.cat([y_context, y_context.new_zeros(b, m, y_context.shape[2])], 1)
    y = y.repeat(num_samples, 1, 1)
    mask = torch.cat([context_mask, context_mask.new_zeros(b, m)], 1).repeat(num_samples, 1)
    for i in range(n, n + m):
        here = model(x[:, :i], y[:, :i], x[:, i : i + 1], mask[:, :i], generator=generator)
        y[:, i] = here.sample(1, generator=generator)[0, 0, :, 0]
        mask[:, i] = True
    drawn = torch.empty_like(y[:, n:])
    drawn[:, order] = y[:, n:]
    return drawn.unflatten(0, (num_samples, b))


def log_prob_autoregressive(
    model: NeuralProcess,
    x_context: Float[Tensor, "b n x"],
    y_context: Float[Tensor, "b n y"],
    x_target: Float[Tensor, "b m x"],
    y_target: Float[Tensor, "b m y"],
    context_mask: Tensor | None = None,
    *,
    num_samples: int = 1,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "b"]:
    """Return Σ log p(y_i | x_i, y_1 ... y_(i-1), context), the density of what is drawn in this order.

    All m terms are one batch of m tasks with growing contexts. z is integrated out of each term by the
    mean over `num_samples`.
    """
    b, n, _ = x_context.shape
    m = x_target.shape[1]
    if context_mask is None:
        context_mask = torch.ones(b, n, dtype=torch.bool, device=x_target.device)
    x = torch.cat([x_context, x_target], 1).repeat_interleave(m, 0)
    y = torch.cat([y_context, y_target], 1).repeat_interleave(m, 0)
    earlier = torch.ones(m, m, dtype=torch.bool, device=x_target.device).tril(-1)
    mask = torch.cat([context_mask.repeat_interleave(m, 0), earlier.repeat(b, 1)], 1)
    each = model(
        x, y, x_target.flatten(0, 1)[:, None], mask, num_samples=num_samples, generator=generator
    )
    log_prob = each.log_prob(y_target.flatten(0, 1)[:, None]).sum((-2, -1))  # (s, b m)
    log_prob = log_prob.logsumexp(0) - torch.tensor(float(len(log_prob))).log()
    return log_prob.unflatten(0, (b, m)).sum(1)


def held_above(found: Gaussian, least: float) -> Gaussian:
    """Return the distributions with standard deviations of at least `least`, as a model's are."""
    return Gaussian(found.mean, found.std.clamp(min=least))


def _device(generator: torch.Generator | None) -> torch.device:
    return torch.device("cpu") if generator is None else generator.device
