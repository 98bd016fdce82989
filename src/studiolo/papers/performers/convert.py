"""From a trained Transformer to one with linear attention: a new model, with all weights.

`convert` exchanges the attention of torch's own layers, of `studiolo.nn`, and of those models of the transformers
package that call its attention interface: BERT, GPT-2, Llama and their kin. `distill.py` trains what it put in.
"""

import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from studiolo.nn import Lengths, SelfAttention, row_lengths, token_mask

from .features import LearnedFeatures, RandomFeatures, feature_map
from .layer import FavorAttention
from .model import check_exact, favor_attention


Model = TypeVar("Model", bound=nn.Module)
NAME = "studiolo_favor"  # of our attention among those of transformers
DROPOUTS = "attention_dropout", "attn_pdrop", "attention_probs_dropout_prob"


@dataclass(frozen=True)
class Conversion:
    """What `convert` did: names of what is linear now, of what stays and why, and what is different beside that."""

    converted: tuple[str, ...]
    kept: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return one line a fact."""
        names = ", ".join(name or "the model itself" for name in self.converted)
        lines = [f"{len(self.converted)} attentions are linear now: {names}."]
        lines += [f"{name} stays as it was: {why}." for name, why in self.kept.items()]
        return "\n".join([*lines, *self.notes])


@dataclass(frozen=True)
class _How:
    phi: str
    num_features: int | None
    draw: str
    exact: int | None
    rescue: bool
    generator: torch.Generator | None

    def map(
        self, dim: int, heads: tuple[int, ...], like: Tensor
    ) -> RandomFeatures | LearnedFeatures:
        return feature_map(
            self.phi,
            dim,
            self.num_features,
            draw=self.draw,
            heads=heads,
            generator=self.generator,
            device=like.device,
        )


def convert(
    model: Model,
    features: str = "positive",
    *,
    num_features: int | None = None,
    draw: str = "orthogonal",
    exact: int | None = None,
    rescue: bool = True,
    keep: Collection[str] = (),
    generator: torch.Generator | None = None,
) -> tuple[Model, Conversion]:
    """Return a new model with linear attention that has all weights of `model`, and what was done.

    The given model stays as it is. Right after the swap the output differs by the error of the features:
    go on training, or train "learned" features with `distill_attention` first.

    Args:
        model: a module that holds `torch.nn.MultiheadAttention` (as the layers of `nn.Transformer` do),
            `studiolo.nn.SelfAttention`, or a model of transformers.
        features: "positive", "hyperbolic", "trigonometric", "relu", "elu" or "learned"; see `feature_map`.
        num_features, draw: see `RandomFeatures`.
        exact, rescue: see `favor_attention`; causal attention alone heeds them.
        keep: names of attentions that stay exact, as in `model.named_modules()`.
        generator: source of the draws.

    Raises:
        ValueError: there is no attention that can be converted, or one of transformers that does more than
            linear attention can; a name in `keep` is unknown; or `exact` with a kernel of its own.

    Example:
        >>> net = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, batch_first=True), 2)
        >>> linear, report = convert(net)
        >>> report.converted
        ('layers.0.self_attn', 'layers.1.self_attn')
    """
    new = copy.deepcopy(model)
    modules = dict(new.named_modules())
    if unknown := set(keep) - set(modules):
        raise ValueError(
            f"keep names {', '.join(sorted(unknown))}, which the model does not have; "
            "model.named_modules() lists its names."
        )
    how = _How(features, num_features, draw, exact, rescue, generator)
    exchanged: dict[nn.Module, nn.Module] = {}
    kept: dict[str, str] = {}
    notes: list[str] = []
    for name, module in modules.items():
        if not _is_attention(module):
            continue
        if name in keep:
            kept[name] = "keep names it"
        elif (
            isinstance(module, nn.MultiheadAttention) and type(module) is not nn.MultiheadAttention
        ):
            kept[name] = f"{type(module).__name__} may do more than torch's own class"
        else:
            exchanged[module] = _linear(module, how)
            if share := _dropout(module):
                notes.append(
                    f"{name or 'The model'} dropped {share:.0%} of its weights in training; now none."
                )
    if not exchanged:
        found = "; ".join(f"{name or 'it'} stays: {why}" for name, why in kept.items())
        raise ValueError(
            f"{type(model).__name__} has no attention that can be converted"
            f"{': ' + found if found else ''}. Those of torch.nn and studiolo.nn can, and those of transformers "
            "that look their function up in its attention interface."
        )
    for parent in modules.values():
        for name, child in parent._modules.items():  # named_children leaves out the second of two
            if child is not None:
                parent._modules[name] = exchanged.get(child, child)
    if theirs := [module for module in exchanged if _is_of_transformers(module)]:
        _switch(new, theirs, [name for name in kept if _is_of_transformers(modules[name])])
    converted = tuple(name for name, module in modules.items() if module in exchanged)
    return exchanged.get(new, new), Conversion(converted, kept, tuple(notes))  # type: ignore[return-value]


def _is_attention(module: nn.Module) -> bool:
    ours_or_torchs = isinstance(module, nn.MultiheadAttention | SelfAttention)
    return ours_or_torchs or _is_of_transformers(module)


def _is_of_transformers(module: nn.Module) -> bool:
    """Whether this is an attention that looks its function up in `ALL_ATTENTION_FUNCTIONS`."""
    return all(hasattr(module, name) for name in ("scaling", "is_causal", "config"))


def _linear(module: nn.Module, how: _How) -> nn.Module:
    if isinstance(module, nn.MultiheadAttention):
        return _from_torch(module, how)
    if isinstance(module, SelfAttention):
        return FavorMixer(module, how)
    module.favor = FeatureAttention(how.map(*_sizes(module), next(module.parameters())), how)
    return module


def _sizes(module: nn.Module) -> tuple[int, tuple[int, int]]:
    """Return the width of a head, and the heads of keys, of an attention of transformers.

    Raises:
        ValueError: it is more than softmax over all keys, or does not say how wide its heads are.
    """
    config: Any = module.config
    kinds = getattr(config, "layer_types", None)
    windows = {"sliding_attention", "chunked_attention"} & set(kinds or ())
    name = type(module).__name__
    if windows or (not kinds and getattr(config, "sliding_window", None)):
        raise ValueError(
            f"{name} sees the keys of a window, which linear attention cannot mask: where rows are shorter than "
            "the window, set config.sliding_window to None, or config.layer_types to full_attention, before the "
            "model is made."
        )
    more = "sinks", "has_relative_attention_bias", "attn_logit_softcapping"
    if found := [part for part in more if getattr(module, part, None) not in (None, False)]:
        raise ValueError(
            f"{name} changes its scores by {', '.join(found)}, which linear attention cannot."
        )
    dims = (
        getattr(module, part, None) for part in ("head_dim", "attention_head_size", "head_size")
    )
    if not (dim := next(filter(None, dims), None)):
        raise ValueError(f"{name} does not say how wide its heads are: it cannot be converted.")
    counts = (getattr(module, part, None) for part in ("num_heads", "num_attention_heads"))
    heads = next(filter(None, counts), config.num_attention_heads)
    return dim, (heads // getattr(module, "num_key_value_groups", 1), 1)


def _dropout(module: nn.Module) -> float:
    if _is_of_transformers(module):
        return float(
            next((getattr(module.config, d) for d in DROPOUTS if hasattr(module.config, d)), 0)
        )
    return float(module.dropout)  # type: ignore[arg-type]


def _from_torch(module: nn.MultiheadAttention, how: _How) -> FavorAttention:
    weight = module.out_proj.weight
    with torch.device("meta"):  # its own parameters are not wanted
        linear = FavorAttention(
            module.embed_dim,
            module.num_heads,
            add_zero_attn=module.add_zero_attn,
            kdim=module.kdim,
            vdim=module.vdim,
            batch_first=module.batch_first,
            exact=how.exact,
            rescue=how.rescue,
        )
    for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
        setattr(linear, name, getattr(module, name))
    for name in ("in_proj_bias", "bias_k", "bias_v", "out_proj"):
        setattr(linear, name, getattr(module, name))
    linear.features = how.map(linear.head_dim, (linear.num_kv_heads, 1), weight)
    check_exact(how.exact, linear.features)
    return linear.train(module.training)


class FavorMixer(nn.Module):
    """`studiolo.nn.SelfAttention` with linear attention and the same weights."""

    def __init__(self, module: SelfAttention, how: _How) -> None:
        super().__init__()
        self.query_key_value, self.output = module.query_key_value, module.output
        self.num_heads, self.causal = module.num_heads, module.causal
        weight = self.output.weight
        dim = len(weight) // self.num_heads
        self.favor = FeatureAttention(how.map(dim, (self.num_heads, 1), weight), how)

    def forward(self, x: Tensor, lengths: Lengths = None) -> Tensor:
        """Return attention of every token over its own row, padding never looked at."""
        b, l, d = x.shape
        qkv = self.query_key_value(x).view(b, l, 3, self.num_heads, 1, d // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 4, 1, 5)  # 3 x (b, h, 1, l, d / h)
        ends = row_lengths(lengths, b, l)
        mask = None if ends is None else token_mask(ends, l, x.device)[:, None, None]
        mixed = self.favor(q, k, v, causal=self.causal, key_mask=mask)
        return self.output(mixed.flatten(1, 2).transpose(1, 2).flatten(2))


class FeatureAttention(nn.Module):
    """`favor_attention` with a feature map of its own, where a model calls softmax attention."""

    def __init__(self, features: nn.Module, how: _How) -> None:
        super().__init__()
        check_exact(how.exact, features)
        self.features, self.exact, self.rescue = features, how.exact, how.rescue
        self.attention: Callable[..., Any] = (
            favor_attention  # what `distill_attention` exchanges for a while
        )

    def forward(
        self, q: Tensor, k: Tensor, v: Tensor, *, causal: bool, key_mask: Tensor | None
    ) -> Tensor:
        """Attend from q (b, g, r, t, d) to k, v (b, g, 1, s, d), where r heads share one of keys."""
        return self.attention(
            q,
            k,
            v,
            features=self.features,
            causal=causal,
            key_mask=key_mask,
            exact=self.exact if causal else None,
            rescue=self.rescue,
        )


def _switch(model: nn.Module, converted: Collection[nn.Module], kept: Collection[str]) -> None:
    """Let a model of transformers call `_attend`, where its attention was converted."""
    from transformers import AttentionInterface, AttentionMaskInterface

    if kept:
        raise ValueError(
            f"A model of transformers has one kind of attention in all layers: keep cannot name {', '.join(kept)}."
        )
    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, _padding)
    for module in model.modules():
        if hasattr(module, "set_attn_implementation"):
            module.set_attn_implementation(NAME)  # type: ignore[operator]
    for module in converted:
        if module.config._attn_implementation != NAME:  # type: ignore[union-attr]
            raise ValueError(
                f"{type(module).__name__} cannot have its attention exchanged: its model does not look it up in "
                "the attention interface of transformers."
            )


def _padding(
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: int = 0,
    kv_offset: int = 0,
    mask_function: Any = None,
    attention_mask: Tensor | None = None,
    **_: object,
) -> Tensor | None:
    """Return what transformers gives our attention as a mask: (b, s), True for keys that may be seen, or None.

    Raises:
        ValueError: windows or packed sequences, or keys that are not there yet.
    """
    from transformers import masking_utils

    causal = mask_function is masking_utils.causal_mask_function
    if not causal and mask_function is not masking_utils.bidirectional_mask_function:
        raise ValueError(
            "Linear attention never forms its weights: it cannot mask windows or packed sequences. Where there are "
            "none, and torch.compile cannot see that, give an attention_mask of ones."
        )
    if causal and q_offset + q_length != kv_offset + kv_length:
        raise ValueError(
            f"The cache has room for {kv_length} keys and holds {q_offset + q_length}: use a dynamic cache."
        )
    return None if attention_mask is None else attention_mask[:, -kv_length:].bool()


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **rest: object,
) -> tuple[Tensor, None]:
    """Mix values as `ALL_ATTENTION_FUNCTIONS` asks for: (b, h, t, d) and (b, g, s, d) to (b, t, h, d).

    Raises:
        ValueError: weights are asked for; a mask of pairs, a bias of positions, a soft cap, or sinks.
    """
    if rest.get("output_attentions") or getattr(module.config, "output_attentions", False):
        raise ValueError(
            "Linear attention never forms its weights: output_attentions must be False."
        )
    if more := [name for name in ("softcap", "s_aux") if rest.get(name) is not None]:
        raise ValueError(
            f"{type(module).__name__} changes its scores by {', '.join(more)}, which linear attention cannot."
        )
    if rest.get("position_bias") is not None or (
        attention_mask is not None and attention_mask.ndim != 2
    ):
        raise ValueError(
            "Linear attention never forms its weights: it takes a mask of padding, (batch, length), "
            "and no mask or bias of single pairs."
        )
    causal = bool(module.is_causal if is_causal is None else is_causal)
    t, s = query.shape[-2], key.shape[-2]
    if scaling is not None:
        query = query * (scaling * query.shape[-1] ** 0.5)
    if (
        causal and t < s
    ):  # the first keys come from a cache: rows for their queries, which nobody reads
        query = nn.functional.pad(query, (0, 0, s - t, 0))
    q = query.unflatten(1, (key.shape[1], -1))
    mask = None if attention_mask is None else attention_mask[:, None, None]
    out = module.favor(q, key.unsqueeze(2), value.unsqueeze(2), causal=causal, key_mask=mask)  # type: ignore[operator]
    return out.flatten(1, 2)[:, :, -t:].transpose(1, 2).contiguous(), None
