"""From a dense model to a factorized one of a given size, as a new model."""

import copy
import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from .inits import Init, spectral_init
from .model import FactorizedConv2d, FactorizedLinear


Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class _Candidate:
    """A layer that can be factorized, and the shape of its unfolded weight."""

    layer: nn.Linear | nn.Conv2d
    rows: int
    cols: int

    def size(self, rank: int | None) -> int:
        """Parameters of the weight: dense if the rank is None."""
        return self.rows * self.cols if rank is None else rank * (self.rows + self.cols)

    def rank_at(self, scale: float) -> int | None:
        """The rank at this share of the full one; None where factors would save nothing."""
        rank = max(1, math.floor(scale * min(self.rows, self.cols)))
        return rank if self.size(rank) < self.size(None) else None


def factorize(
    model: Model,
    budget: float,
    *,
    keep: Collection[str] = (),
    unfolding: str = "spatial",
    init: Init = spectral_init,
) -> nn.Module:
    """Return a new model of at most `budget` of the parameters, with linear layers and convolutions factorized.

    One share of the full rank serves all layers, as in the paper. The given model stays as it is. Layers stay
    dense where factors would save nothing, where the weight is shared or reparametrised or a hook hangs on them,
    and where they have groups; so do subclasses of torch's layers, whose weight may be read by others.

    Args:
        budget: parameters of the new model over those of the given one, in (0, 1].
        keep: names of layers that stay dense, as in `model.named_modules()`; often the first and the last.
        unfolding: how convolutions are cut in two, see `FactorizedConv2d`.
        init: maps the unfolded weight and the rank to the factors. The default starts from the given weights.

    Raises:
        ValueError: the budget is out of range or below what rank 1 takes; a name in `keep` is unknown.

    Example:
        >>> net = nn.Sequential(nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 10))
        >>> small = factorize(net, 0.4, keep=["2"])
        >>> sum(p.numel() for p in small.parameters()) <= 0.4 * sum(p.numel() for p in net.parameters())
        True
    """
    ranks = choose_ranks(model, budget, keep=keep, unfolding=unfolding)
    return factorize_with(model, ranks, unfolding=unfolding, init=init)


def choose_ranks(
    model: nn.Module,
    budget: float,
    *,
    keep: Collection[str] = (),
    unfolding: str = "spatial",
) -> dict[str, int]:
    """Return the rank of every layer that `factorize` would replace; counted, without building anything.

    Raises:
        ValueError: as `factorize`.
    """
    if not 0 < budget <= 1:
        raise ValueError(
            f"The budget is {budget}; it is the share of parameters to keep, in (0, 1]."
        )
    unknown = set(keep) - {name for name, _ in model.named_modules()}
    if unknown:
        raise ValueError(
            f"keep names {', '.join(sorted(unknown))}, which the model does not have; "
            "model.named_modules() lists its names."
        )
    found = {n: c for n, c in _candidates(model, unfolding).items() if n not in keep}
    total = sum(p.numel() for p in model.parameters())
    fixed = total - sum(c.size(None) for c in found.values())

    def parameters(scale: float) -> int:
        return fixed + sum(c.size(c.rank_at(scale)) for c in found.values())

    if parameters(0.0) > budget * total:
        raise ValueError(
            f"A budget of {budget} is {math.floor(budget * total)} of {total} parameters; with rank 1 everywhere "
            f"{parameters(0.0)} are left. Take at least {_round_up(parameters(0.0) / total)}."
        )
    low, high = 0.0, 1.0
    if parameters(high) <= budget * total:
        low = high
    for _ in range(50):  # parameters never fall as the scale grows; 2^-50 is far below any step
        middle = (low + high) / 2
        low, high = (middle, high) if parameters(middle) <= budget * total else (low, middle)
    ranks = {name: candidate.rank_at(low) for name, candidate in found.items()}
    return {name: rank for name, rank in ranks.items() if rank is not None}


def factorize_with(
    model: Model,
    ranks: Mapping[str, int],
    *,
    unfolding: str = "spatial",
    init: Init = spectral_init,
) -> nn.Module:
    """Return a new model with the named layers factorized at these ranks, which may exceed the full rank.

    Raises:
        ValueError: a name is not that of a layer that can be factorized; says which are.
    """
    found = _candidates(model, unfolding)
    unknown = sorted(set(ranks) - set(found))
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)} cannot be factorized; of this model {', '.join(found) or 'nothing'} can."
        )
    replaced: dict[int, nn.Module] = {}
    for name, rank in ranks.items():
        layer = found[name].layer
        if isinstance(layer, nn.Linear):
            replaced[id(layer)] = FactorizedLinear.from_dense(layer, rank, init=init)
        else:
            replaced[id(layer)] = FactorizedConv2d.from_dense(
                layer, rank, unfolding=unfolding, init=init
            )
    # A copy that finds these layers already copied: wherever they are used, shared or not.
    return copy.deepcopy(model, dict(replaced))


def densify(model: Model) -> nn.Module:
    """Return a new model with every factorized layer collapsed into torch's own, of the same function."""
    factorized = (FactorizedLinear, FactorizedConv2d)
    dense = {id(m): m.to_dense() for m in model.modules() if isinstance(m, factorized)}
    return copy.deepcopy(model, dict(dense))


def _candidates(model: nn.Module, unfolding: str) -> dict[str, _Candidate]:
    """Return the layers that can be factorized, by name."""
    owners = Counter(id(p) for m in model.modules() for p in m._parameters.values())
    found = {}
    for name, module in model.named_modules():
        # Exact types: subclasses, and layers with torch's parametrisations, compute with the weight elsewhere.
        if type(module) is nn.Linear:
            rows, cols = module.out_features, module.in_features
        elif type(module) is nn.Conv2d and module.groups == 1:
            o, i, k, l = module.weight.shape
            rows, cols = (o * k, i * l) if unfolding == "spatial" else (o, i * k * l)
        else:
            continue
        own = module._parameters.get("weight") is not None and all(
            owners[id(p)] == 1 for p in module._parameters.values() if p is not None
        )
        hooked = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
        if own and not hooked:
            found[name] = _Candidate(module, rows, cols)
    return found


def _round_up(share: float) -> float:
    return math.ceil(share * 10_000) / 10_000
