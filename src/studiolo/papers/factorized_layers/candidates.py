"""Which layers of a model can be replaced, what each would cost at a rank, and which are to be kept."""

import copy
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn

from .attention import (
    AttentionForms,
    FactorizedMultiheadAttention,
    Moments,
    is_bert_style,
    set_bert_maps,
    why_not,
)
from .inits import Init, whitened_init
from .model import FactorizedConv2d, FactorizedEmbedding, FactorizedLinear, unfolded
from .structure import StructuredLayer


Keep = Collection[str | type[nn.Module]] | None
"""What stays dense: names, patterns, containers and types; None is the first layer, embeddings and the classifier."""
UNFOLDINGS = ("cheaper", "spatial", "channel")


@dataclass(frozen=True)
class Candidate:
    """A layer that can be factorized: the shape (rows, cols) of its unfolded weight."""

    layer: nn.Module
    rows: int
    cols: int
    unfolding: str | None = None

    @property
    def full(self) -> int:
        """The largest rank that the weight can have."""
        return min(self.rows, self.cols)

    @property
    def dense_size(self) -> int:
        """Parameters of the dense weight."""
        return self.rows * self.cols

    def size(self, rank: int, deep: bool) -> int:
        """Parameters of the factors."""
        return rank * (self.rows + self.cols) + deep * rank**2

    def paper_rank(self, scale: float) -> int:
        """The rank of the published code at a scale, which it takes of the rows of a convolution, o k."""
        of = self.rows if isinstance(self.layer, nn.Conv2d) else self.full
        return max(round(scale * of), 1)

    def build(self, rank: int, deep: bool, init: Init, moments: Moments | None) -> nn.Module:
        """Return the layer in factors."""
        if moments is not None:
            moment = moments["input"]

            def init(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
                return whitened_init(weight, rank, moment=moment)

        if isinstance(self.layer, nn.Conv2d):
            unfolding = self.unfolding or "spatial"
            return FactorizedConv2d.from_dense(
                self.layer, rank, unfolding=unfolding, deep=deep, init=init
            )
        if isinstance(self.layer, nn.Embedding):
            return FactorizedEmbedding.from_dense(self.layer, rank, deep=deep, init=init)
        assert isinstance(self.layer, nn.Linear)
        return FactorizedLinear.from_dense(self.layer, rank, deep=deep, init=init)


@dataclass(frozen=True)
class AttentionCandidate(Candidate):
    """Attention, whose forms have at most the rank of a head: `rows` is heads · (sizes of all inputs and the output)."""

    heads: int = 1
    biased: bool = False

    @property
    def full(self) -> int:
        """The size of a head."""
        return self.cols

    @property
    def dense_size(self) -> int:
        """Parameters of the four maps and of the biases of query, key and value."""
        return self.cols * (self.rows + 3 * self.biased * self.heads)

    def size(self, rank: int, deep: bool) -> int:
        """Parameters of the four maps and of the query's bias; a third factor would change nothing here."""
        return rank * (self.rows + self.biased * self.heads)

    def build(self, rank: int, deep: bool, init: Init, moments: Moments | None) -> nn.Module:
        """Return the attention layer in forms of this rank, from the SVD whatever the init."""
        if isinstance(self.layer, nn.MultiheadAttention):
            return FactorizedMultiheadAttention.from_dense(self.layer, rank, moments=moments)
        made = copy.deepcopy(self.layer)
        set_bert_maps(made, rank, moments=moments)
        return made


@dataclass
class Found:
    """The layers with a weight, in the order of the model: candidates, and why the others are none."""

    candidates: dict[str, Candidate] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    layers: dict[str, nn.Module] = field(default_factory=dict)


def find_candidates(model: nn.Module, unfolding: str = "cheaper") -> Found:
    """Return what can be factorized.

    Raises:
        ValueError: the unfolding is unknown.
    """
    if unfolding not in UNFOLDINGS:
        raise ValueError(f"unfolding is {unfolding!r}; known are {', '.join(UNFOLDINGS)}.")
    owners: dict[int, list[str]] = {}
    for name, module in model.named_modules():
        for parameter in module._parameters.values():
            if parameter is not None:
                owners.setdefault(id(parameter), []).append(name)
    found = Found()
    for name, module in _layers(model):
        found.layers[name] = module
        why = _why_not(module, name, owners)
        if why:
            found.why[name] = why
        else:
            found.candidates[name] = _candidate(module, unfolding)
    return found


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers with a weight by name, each once; what is inside attention is not a layer of its own."""
    inside: set[int] = set()
    for name, module in model.named_modules():
        if id(module) in inside:
            continue
        if isinstance(module, nn.MultiheadAttention | StructuredLayer):
            inside |= {id(m) for m in module.modules()}
            if not isinstance(module, AttentionForms):
                yield name, module
        elif is_bert_style(module):
            own = module.self
            inside |= {id(m) for m in (own.query, own.key, own.value, module.output.dense)}
            yield name, module
        elif isinstance(module, nn.Linear | nn.Embedding | nn.modules.conv._ConvNd):
            yield name, module


def _why_not(module: nn.Module, name: str, owners: dict[int, list[str]]) -> str | None:
    """Return why a layer with a weight cannot be factorized, or None."""
    kind = type(module).__name__
    if isinstance(module, StructuredLayer) or hasattr(module, "forms"):
        return "it is factorized already; densify(model) turns it back"
    if isinstance(module, nn.MultiheadAttention):
        if type(module) is not nn.MultiheadAttention:
            return f"it is a {kind}, whose weights others may read"
        if why := why_not(module):
            return why
    elif is_bert_style(module):
        if getattr(module.self, "scaling", None) is None:
            return "it derives the scale of its scores from the head size"
    # Exact types: subclasses, and layers with torch's parametrisations, compute with the weight elsewhere.
    elif type(module) not in (nn.Linear, nn.Conv2d, nn.Embedding):
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding):
            return f"it is a {kind}, whose weight others may read or is parametrised"
        return f"a {kind} cannot be factorized here"
    elif module._parameters.get("weight") is None:
        return "its weight is parametrised or pruned"
    if isinstance(module, nn.Conv2d) and module.groups != 1:
        return f"it has {module.groups} groups"
    if isinstance(module, nn.Embedding) and (
        module.max_norm is not None or module.sparse or module.scale_grad_by_freq
    ):
        return "it has max_norm, scale_grad_by_freq or sparse, which act on whole rows"
    own = {n for n, _ in module.named_modules()}
    inside = {f"{name}.{n}".strip(".") for n in own}
    for parameter in module.parameters():
        others = [n for n in owners[id(parameter)] if n not in inside]
        if others or Counter(owners[id(parameter)]).most_common(1)[0][1] > 1:
            return f"its weight is shared with {others[0] if others else 'itself'}"
    hooked = any(
        m._forward_hooks or m._forward_pre_hooks or m._backward_hooks or m._backward_pre_hooks
        for m in module.modules()
    )
    return "a hook is registered on it" if hooked else None


def _candidate(module: Any, unfolding: str) -> Candidate:
    if isinstance(module, nn.MultiheadAttention):
        h, inputs = module.num_heads, 2 * module.embed_dim + module.kdim + module.vdim
        biased = module.in_proj_bias is not None
        return AttentionCandidate(module, h * inputs, module.head_dim, None, h, biased)
    if is_bert_style(module):
        own, dense = module.self, module.output.dense
        inputs = own.query.in_features + own.key.in_features + own.value.in_features
        h, biased = own.num_attention_heads, own.query.bias is not None
        rows = h * (inputs + dense.out_features)
        return AttentionCandidate(module, rows, own.attention_head_size, None, h, biased)
    if isinstance(module, nn.Conv2d):
        if unfolding == "cheaper":
            unfolding = cheaper_unfolding(module)
        rows, cols = unfolded(module, unfolding).shape
        return Candidate(module, rows, cols, unfolding)
    return Candidate(module, *module.weight.shape)


def cheaper_unfolding(conv: nn.Conv2d) -> str:
    """Return the unfolding with fewer mult-adds at equal parameters, the paper's "spatial" where they are equal.

    They are equal but for a vertical stride: the first pass of "spatial" also computes the rows that a stride skips.
    """
    _, _, k, l = conv.weight.shape
    return "channel" if conv.stride[0] > 1 and k * l > 1 else "spatial"


def kept(model: nn.Module, found: Found, keep: Keep) -> dict[str, str]:
    """Return the layers that are to stay dense, with the reason.

    Raises:
        ValueError: a name or pattern in `keep` matches nothing in the model, or a type has no layer there.
    """
    if keep is None:
        names = list(found.layers)
        ends = dict.fromkeys(names[:1], "the first layer")
        ends |= {
            n: "an embedding, a first layer"
            for n, m in found.layers.items()
            if isinstance(m, nn.Embedding)
        }
        ends |= dict.fromkeys(names[1:][-1:], "the classifier, the last layer")
        return ends
    if isinstance(keep, str | type):
        raise ValueError(f"keep is {keep!r}; it is a list of names, patterns and types.")
    reasons: dict[str, str] = {}
    for wanted in keep:
        if isinstance(wanted, type):
            matching = [n for n, m in found.layers.items() if isinstance(m, wanted)]
            for name, module in model.named_modules():
                if isinstance(module, wanted):
                    matching += [n for n in found.layers if _is_within(n, name)]
            why = f"keep has {wanted.__name__}"
        else:
            roots = [n for n, _ in model.named_modules() if n and fnmatchcase(n, wanted)]
            matching = [n for n in found.layers if any(_is_within(n, root) for root in roots)]
            # the query of an attention layer is kept with the whole of it
            matching += [n for n in found.layers if any(_is_within(root, n) for root in roots)]
            why = f"keep has {wanted!r}"
            if not roots:
                raise ValueError(
                    f"keep names {wanted}, which the model does not have; "
                    "model.named_modules() lists its names."
                )
        if not matching:
            raise ValueError(f"{why}, but no layer with a weight is there.")
        reasons |= dict.fromkeys(matching, why)
    return reasons


def _is_within(name: str, container: str) -> bool:
    return not container or name == container or name.startswith(container + ".")
