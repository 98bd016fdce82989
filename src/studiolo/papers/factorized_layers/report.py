"""What a conversion did, layer by layer: parameters, mult-adds and how far the weight moved."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from .attention import AttentionForms, FactorizedMultiheadAttention, in_parts
from .calibrate import call
from .candidates import find_candidates
from .structure import StructuredLayer


@dataclass(frozen=True)
class LayerReport:
    """One layer before and after; mult-adds are for the example, the error is ‖W − Ŵ‖ / ‖W‖ in Frobenius norm."""

    name: str
    kind: str
    parameters: tuple[int, int]
    mult_adds: tuple[int, int] | None
    relative_error: float


@dataclass(frozen=True)
class Report:
    """All layers with a weight, and the whole models; printed as a table."""

    layers: tuple[LayerReport, ...]
    parameters: tuple[int, int]
    mult_adds: tuple[int, int] | None

    def __str__(self) -> str:
        rows = [("layer", "", "parameters", "", "mult-adds", "", "error")]
        rows += [
            (x.name, x.kind, *_pair(x.parameters), *_pair(x.mult_adds), f"{x.relative_error:.4f}")
            for x in self.layers
        ]
        rows.append(("all", "", *_pair(self.parameters), *_pair(self.mult_adds), ""))
        widths = [max(len(row[c]) for row in rows) for c in range(7)]
        return "\n".join(
            "  ".join(f"{v:{'<' if c < 2 else '>'}{widths[c]}}" for c, v in enumerate(row)).rstrip()
            for row in rows
        )


@torch.no_grad()
def report(model: nn.Module, small: nn.Module, example: Any = None) -> Report:
    """Compare a model with what was made of it, layer by layer.

    Args:
        example: one batch as `factorize` takes them; with it mult-adds are counted, exactly, in evaluation mode.

    Raises:
        ValueError: a layer of the model is not in the other.
    """
    after = dict(small.named_modules())
    counts = None if example is None else (_mult_adds(model, example), _mult_adds(small, example))
    rows = []
    for name, layer in find_candidates(model).layers.items():
        if name not in after:
            raise ValueError(f"{name} is not in the second model; was that made of the first?")
        new = after[name]
        sizes = tuple(sum(p.numel() for p in m.parameters()) for m in (layer, new))
        own = None if counts is None else (counts[0][name], counts[1][name])
        error = relative_error(layer, new)
        rows.append(LayerReport(name, type(new).__name__, (sizes[0], sizes[1]), own, error))
    total = tuple(sum(p.numel() for p in m.parameters()) for m in (model, small))
    all_counts = None if counts is None else (counts[0][""], counts[1][""])
    return Report(tuple(rows), (total[0], total[1]), all_counts)


@torch.no_grad()
def relative_error(layer: nn.Module, new: nn.Module) -> float:
    """Return ‖W − Ŵ‖ / ‖W‖ of a layer and of what stands for it; for attention over the forms of all heads."""
    pairs = list(zip(_matrices(layer), _matrices(new), strict=True))
    off = sum((a.double() - b.double()).square().sum().item() for a, b in pairs)
    norm = sum(a.double().square().sum().item() for a, _ in pairs)
    return float((off / norm) ** 0.5) if norm else float(off > 0)


def _matrices(layer: Any) -> tuple[Tensor, ...]:
    if isinstance(layer, FactorizedMultiheadAttention):
        forms: tuple[Tensor, ...] = layer.attention_forms.forms()
        return forms
    if isinstance(layer, nn.MultiheadAttention):
        q, k, v = (w.reshape(layer.num_heads, -1, w.shape[1]) for w in in_parts(layer)[0])
        o = layer.out_proj.weight.reshape(layer.embed_dim, layer.num_heads, -1).transpose(0, 1)
        return q.mT @ k, o @ v
    if isinstance(layer, StructuredLayer) or hasattr(layer, "weight"):
        weight: Any = layer.weight
        return (weight,)
    own, dense = layer.self, layer.output.dense
    return AttentionForms(own.query, own.key, own.value, dense, own.num_attention_heads).forms()


def _mult_adds(model: nn.Module, example: Any) -> Counter[str]:
    """Return the mult-adds of every module by name, "" for the whole."""
    modes = {id(m): m.training for m in model.modules()}
    model.eval()
    try:
        with FlopCounterMode(display=False) as counter:
            call(model, example)
    finally:
        for module in model.modules():
            module.training = modes[id(module)]
    found: Counter[str] = Counter()
    for name, operations in counter.get_flop_counts().items():
        found["" if name == "Global" else name.partition(".")[2]] = sum(operations.values()) // 2
    return found


def _pair(counts: tuple[int, int] | None) -> tuple[str, str]:
    return ("", "") if counts is None else (str(counts[0]), str(counts[1]))
