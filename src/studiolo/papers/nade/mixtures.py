"""Mixtures of Bernoullis: the paper's baseline on binary vectors, with everything about it chosen on validation rows."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


class BernoulliMixture:
    """p(x) = Σ_k w_k Π_d p_kd^x_d (1 - p_kd)^(1 - x_d).

    Attributes:
        log_weights: (K,) log w_k.
        logits: (K, D) of p_kd.
    """

    def __init__(self, log_weights: Tensor, logits: Tensor) -> None:
        self.log_weights, self.logits = log_weights, logits

    def joint(self, x: Tensor) -> Tensor:
        """Return log p(k, x), (rows, K), for rows of 0 and 1."""
        return x @ self.logits.t() + (self.log_weights + logsigmoid(-self.logits).sum(1))

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x) in nats."""
        return self.joint(x).logsumexp(1)

    @staticmethod
    def fit(
        train: Tensor,
        valid: Tensor,
        *,
        components: Sequence[int] = (1, 4, 16, 64, 256),
        counts: Sequence[float] = (1.0, 0.1, 0.01),
        steps: int = 100,
        patience: int = 5,
        generator: torch.Generator | None = None,
    ) -> "BernoulliMixture":
        """Return the best on `valid` over sizes, smoothings and steps of EM.

        Args:
            counts: how many more 0 and as many more 1 each cell gets.
            steps: of EM at most; a fit ends after `patience` steps without gain on `valid`.
        """
        best, best_nats = None, float("inf")
        for size in components:
            first = torch.rand(len(train), size, generator=generator, device=train.device)
            for count in counts:
                weight, waited, least = first / first.sum(1, keepdim=True), 0, float("inf")
                for _ in range(steps if size > 1 else 1):
                    rows = weight.sum(0)
                    ones = (weight.t() @ train + count) / (rows[:, None] + 2 * count)
                    mixture = BernoulliMixture(
                        ((rows + count) / (rows + count).sum()).log(), ones.logit()
                    )
                    nats = -mixture.log_prob(valid).mean().item()
                    if nats < best_nats:
                        best, best_nats = mixture, nats
                    waited = 0 if nats < least else waited + 1
                    least = min(nats, least)
                    if waited == patience:
                        break
                    weight = mixture.joint(train).softmax(1)
        assert best is not None
        return best
