"""From a dense model to a factorized one of a given size, as a new model."""

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .attention import AttentionForms, restore_bert_maps
from .calibrate import input_moments
from .candidates import Candidate, Found, Keep, find_candidates, kept
from .inits import Init, spectral_init
from .model import FactorizedLayer
from .structure import StructuredLayer


RankRule = Literal["share", "paper"]
"""How a common share becomes a rank: rounded down where that saves something, or as the published code rounds."""


@dataclass(frozen=True)
class LayerPlan:
    """What is to become of one layer; without a rank it stays dense, and `why` says for what reason."""

    name: str
    kind: str
    rank: int | None
    unfolding: str | None
    before: int
    after: int
    why: str | None


@dataclass(frozen=True)
class Plan:
    """Every layer with a weight, and the parameters of the whole model before and after; printed as a table."""

    layers: tuple[LayerPlan, ...]
    before: int
    after: int

    @property
    def ranks(self) -> dict[str, int]:
        """The ranks of the layers that are factorized."""
        return {layer.name: layer.rank for layer in self.layers if layer.rank is not None}

    def __str__(self) -> str:
        rows = [("layer", "", "parameters", "", "rank")]
        for layer in self.layers:
            what = f"left: {layer.why}" if layer.rank is None else str(layer.rank)
            what += f", {layer.unfolding}" * (layer.rank is not None and bool(layer.unfolding))
            rows.append((layer.name, layer.kind, str(layer.before), str(layer.after), what))
        rows.append(
            ("all", "", str(self.before), str(self.after), f"{self.after / self.before:.4f}")
        )
        widths = [max(len(row[c]) for row in rows) for c in range(4)]
        return "\n".join(
            f"{a:{widths[0]}}  {b:{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}  {e}".rstrip()
            for a, b, c, d, e in rows
        )


def factorize(
    model: nn.Module,
    budget: float,
    *,
    data: Iterable[Any] | None = None,
    keep: Keep = None,
    unfolding: str = "cheaper",
    rank_rule: RankRule = "share",
    deep: bool = False,
    init: Init = spectral_init,
) -> nn.Module:
    """Return a new model of at most `budget` of the parameters, with linear layers, convolutions and attention factorized.

    One share of the full rank serves all layers, as in the paper, and as in its code the first layer and the classifier are
    left alone. The given model stays as it is. Layers also stay dense where factors would save nothing, where the
    weight is shared or parametrised or a hook hangs on them, and where they have groups; so do subclasses of torch's
    layers, whose weight may be read by others. `print(plan(model, budget))` says which and why.

    Args:
        budget: parameters of the new model over those of the given one, in (0, 1].
        data: batches of inputs, a few hundred examples, such as a `DataLoader`: of tensors, of tuples whose first entry is the
            input, or of dicts of keyword arguments. The factors are then those whose outputs, not whose weights, are closest.
        keep: what stays dense instead: names as in `model.named_modules()`, patterns (`layer1.*`), containers, types. None is
            the first layer, embeddings and the classifier; `keep=[]` is nothing.
        unfolding: how convolutions are cut in two, see `FactorizedConv2d`; "cheaper" chooses for each, see
            `cheaper_unfolding`.
        rank_rule: "share" rounds ranks down. "paper" rounds as the published code does, also where that saves nothing.
        deep: with a third factor, see `FactorizedLinear`.
        init: maps the unfolded weight and the rank to the factors. The default starts from the given weights.

    Raises:
        ValueError: the budget is out of range or below what rank 1 takes; a name in `keep` is unknown; nothing in the
            model can be factorized.

    Example:
        >>> net = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 10))
        >>> small = factorize(net, 0.6)
        >>> print(*(type(layer).__name__ for layer in small if not isinstance(layer, nn.ReLU)))
        Linear FactorizedLinear Linear
    """
    planned = plan(model, budget, keep=keep, unfolding=unfolding, rank_rule=rank_rule, deep=deep)
    unfolding = "spatial" if rank_rule == "paper" else unfolding
    return factorize_with(
        model, planned.ranks, data=data, unfolding=unfolding, deep=deep, init=init
    )


def plan(
    model: nn.Module,
    budget: float,
    *,
    keep: Keep = None,
    unfolding: str = "cheaper",
    rank_rule: RankRule = "share",
    deep: bool = False,
) -> Plan:
    """Return what `factorize` would do with every layer, and why; counted, without building anything.

    Raises:
        ValueError: as `factorize`.
    """
    if not 0 < budget <= 1:
        raise ValueError(
            f"The budget is {budget}; it is the share of parameters to keep, in (0, 1]."
        )
    if rank_rule not in ("share", "paper"):
        raise ValueError(f"rank_rule is {rank_rule!r}; known are share and paper.")
    found = find_candidates(model, "spatial" if rank_rule == "paper" else unfolding)
    left = kept(model, found, keep) | found.why
    candidates = {n: c for n, c in found.candidates.items() if n not in left}
    total = sum(p.numel() for p in model.parameters())
    _require_candidates(model, candidates, left)

    def rank_at(candidate: Candidate, scale: float) -> int | None:
        if rank_rule == "paper":
            return candidate.paper_rank(scale)
        rank = max(1, math.floor(scale * candidate.full))
        return rank if candidate.size(rank, deep) < candidate.dense_size else None

    def ranks_at(scale: float) -> dict[str, int]:
        ranks = {name: rank_at(c, scale) for name, c in candidates.items()}
        return {name: rank for name, rank in ranks.items() if rank is not None}

    def parameters(scale: float) -> int:
        ranks = ranks_at(scale)
        return total + sum(
            candidates[n].size(rank, deep) - candidates[n].dense_size for n, rank in ranks.items()
        )

    if parameters(0.0) > budget * total:
        raise ValueError(
            f"A budget of {budget} is {math.floor(budget * total)} of {total} parameters; with rank 1 everywhere else "
            f"{parameters(0.0)} are left, {_dense_share(found, left, total)}. "
            f"Take at least {_round_up(parameters(0.0) / total)}, or keep less."
        )
    low = largest_share(lambda scale: parameters(scale) <= budget * total)
    return _planned(found, left, ranks_at(low), deep, total)


def choose_ranks(
    model: nn.Module, budget: float, *, keep: Keep = None, unfolding: str = "cheaper"
) -> dict[str, int]:
    """Return the rank of every layer that `factorize` would replace.

    Raises:
        ValueError: as `factorize`.
    """
    return plan(model, budget, keep=keep, unfolding=unfolding).ranks


def paper_ranks(model: nn.Module, rank_scale: float, *, keep: Keep = None) -> dict[str, int]:
    """Return the ranks of the published code, max(round(rank_scale · o · k), 1) for a convolution; from 1 over-complete.

    They are for the spatial unfolding. A linear layer gets round(rank_scale · min(m, n)), attention that share of a
    head: above a scale of 1 that is more than its forms can have, so keep=[nn.MultiheadAttention] then.

    Raises:
        ValueError: the scale is not above 0; nothing in the model can be factorized.
    """
    if rank_scale <= 0:
        raise ValueError(f"rank_scale is {rank_scale}; it must be above 0.")
    found = find_candidates(model, "spatial")
    left = kept(model, found, keep) | found.why
    candidates = {n: c for n, c in found.candidates.items() if n not in left}
    _require_candidates(model, candidates, left)
    return {name: c.paper_rank(rank_scale) for name, c in candidates.items()}


def factorize_with(
    model: nn.Module,
    ranks: Mapping[str, int],
    *,
    data: Iterable[Any] | None = None,
    unfolding: str | Mapping[str, str] = "cheaper",
    deep: bool = False,
    init: Init = spectral_init,
) -> nn.Module:
    """Return a new model with the named layers factorized at these ranks, which may exceed the full rank.

    Args:
        unfolding: of convolutions, one for all or by name.

    Raises:
        ValueError: a name is not that of a layer that can be factorized; says why.
    """
    found = find_candidates(model, unfolding if isinstance(unfolding, str) else "cheaper")
    wrong = [n for n in ranks if n not in found.candidates]
    if wrong:
        reasons = "; ".join(f"{n}: {found.why.get(n, 'no such layer')}" for n in wrong)
        known = ", ".join(found.candidates) or "nothing"
        raise ValueError(f"Cannot be factorized: {reasons}. Of this model {known} can.")
    if not isinstance(unfolding, str):
        for name, one in unfolding.items():
            found.candidates[name] = find_candidates(model, one).candidates[name]
    chosen = {name: found.candidates[name] for name in ranks}
    moments = input_moments(model, chosen, data) if data is not None else {}
    replaced = {
        id(c.layer): c.build(ranks[name], deep, init, moments.get(name))
        for name, c in chosen.items()
    }
    # A copy that finds these layers already copied: wherever they are used, shared or not.
    return copy.deepcopy(model, dict(replaced))


def factorized_like(model: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """Return a new model with the layers, ranks and values of a factorized model's `state_dict()`; without an SVD.

    Args:
        model: the dense model that was factorized, of whatever values.
        state: from `torch.load` of what `torch.save(small.state_dict(), …)` wrote.

    Raises:
        ValueError: a layer in the state cannot be one of this model's.
    """
    found = find_candidates(model)
    ranks: dict[str, int] = {}
    unfoldings: dict[str, str] = {}
    deep = False
    for name, candidate in found.candidates.items():
        under = f"{name}." if name else ""
        u, heads = state.get(f"{under}U"), 0
        for key, count in (("q_proj.weight", "num_heads"), ("self.query.weight", "")):
            if (maps := state.get(under + key)) is not None:
                own: Any = candidate.layer
                heads = getattr(own, count) if count else own.self.num_attention_heads
                if len(maps) < heads * candidate.full:
                    ranks[name] = len(maps) // heads
        if u is not None:
            ranks[name] = u.shape[1]
            deep |= f"{under}M" in state
            if isinstance(candidate.layer, nn.Conv2d):
                o, _, k, _ = candidate.layer.weight.shape
                unfoldings[name] = "channel" if len(u) == o and k > 1 else "spatial"
    made = factorize_with(model, ranks, unfolding=unfoldings, deep=deep, init=_empty)
    try:
        made.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(
            f"The state is not of {type(model).__name__} factorized: {error}"
        ) from error
    return made


def densify(model: nn.Module) -> nn.Module:
    """Return a new model with every structured layer turned into torch's own, of the same function."""
    copied, memo = _replaced(model, lambda layer: layer.to_dense())
    for module in model.modules():
        if isinstance(getattr(module, "forms", None), AttentionForms):
            restore_bert_maps(memo[id(module)])
    return copied


def collapse(model: nn.Module) -> nn.Module:
    """Return a new model of the same function with three factors as two, and over-complete layers dense.

    Nothing else changes: what was trained with more factors than a weight needs is then as fast as without.
    """
    return _replaced(model, lambda m: m.collapse() if isinstance(m, FactorizedLayer) else None)[0]


def _replaced(
    model: nn.Module, become: Callable[[StructuredLayer], nn.Module | None]
) -> tuple[nn.Module, dict[int, Any]]:
    """Return a copy of the model, and the copies by the identity of what was copied."""
    made: dict[int, Any] = {}
    for module in model.modules():
        if isinstance(module, StructuredLayer):
            layer = become(module)
            if layer is not None:
                made[id(module)] = layer
    return copy.deepcopy(model, made), made


def largest_share(fits: Callable[[float], bool]) -> float:
    """Return the largest share in [0, 1] that fits, given that 0 does; sizes never fall as the share grows."""
    if fits(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(50):  # 2^-50 is far below any step
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _planned(
    found: Found, left: Mapping[str, str], ranks: Mapping[str, int], deep: bool, total: int
) -> Plan:
    layers = []
    for name, module in found.layers.items():
        before = sum(p.numel() for p in module.parameters())
        rank, candidate = ranks.get(name), found.candidates.get(name)
        why, after = left.get(name), before
        if rank is not None and candidate is not None:
            after = before + candidate.size(rank, deep) - candidate.dense_size
        elif why is None:
            why = "factors would save nothing"
        kind = type(module).__name__
        unfolding = candidate.unfolding if candidate is not None else None
        layers.append(LayerPlan(name, kind, rank, unfolding, before, after, why))
    after = total + sum(layer.after - layer.before for layer in layers)
    return Plan(tuple(layers), total, after)


def _require_candidates(
    model: nn.Module, candidates: Mapping[str, Candidate], left: Mapping[str, str]
) -> None:
    if candidates:
        return
    reasons = "; ".join(f"{name or 'itself'}: {why}" for name, why in list(left.items())[:6])
    raise ValueError(
        f"Nothing in {type(model).__name__} is left to factorize"
        + (f" ({reasons}). keep=[] keeps nothing." if left else ": it has no layer with a weight.")
    )


def _dense_share(found: Found, left: Mapping[str, str], total: int) -> str:
    dense = sum(p.numel() for n in left for p in found.layers[n].parameters())
    return f"{dense} of them in layers that stay dense"


def _round_up(share: float) -> float:
    return math.ceil(share * 10_000) / 10_000


@torch.no_grad()
def _empty(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """An init that only makes room, for values that are loaded afterwards."""
    m, n = weight.shape
    return weight.new_empty(m, rank), weight.new_empty(n, rank)
