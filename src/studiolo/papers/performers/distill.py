"""Training feature maps against the exact weights of the model they were put into (Hedgehog's attention distillation)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor, nn

from .blocks import key_weights, log_max_with, query_weights
from .convert import FeatureAttention
from .features import Features, LearnedFeatures
from .layer import FavorAttention


def distill_attention(
    model: nn.Module,
    data: Iterable[Any],
    steps: int,
    *,
    learning_rate: float = 1e-2,
) -> list[float]:
    """Train the learned feature maps of a converted model until their weights are close to the exact ones.

    The model runs with exact attention meanwhile, so that every layer sees what it was trained on; nothing
    but the maps changes. Weights are written out: O(L²) memory in training.

    Args:
        model: what `convert(..., features="learned")` returned, or one with `FavorAttention(phi="learned")`.
        data: inputs, gone through again and again until the last step (those of an iterator are kept for that):
            a tensor, a sequence of arguments, or a mapping of keyword arguments each.
        steps: updates (Adam), 0 or more.
        learning_rate: of Adam.

    Returns:
        The cross-entropy of the weights in nats, mean over layers, heads and queries, of every update. It
        cannot fall below the entropy of the exact weights.

    Raises:
        ValueError: no learned features, or only frozen ones; a model that does not use them; no data, or one input
            where a list of them is asked for; keys that every query sees (`add_bias_kv`).

    Source: https://arxiv.org/abs/2402.04347, section 4.2.
    """
    attentions = [
        module
        for module in model.modules()
        if isinstance(module, FavorAttention | FeatureAttention)
        and isinstance(module.features, LearnedFeatures)
    ]
    if not attentions:
        raise ValueError(
            'The model has no learned features, and others have nothing to train: convert(model, "learned").'
        )
    maps = [p for a in attentions for p in a.features.parameters() if p.requires_grad]
    if not maps:
        raise ValueError("All learned features are frozen: call their requires_grad_(True).")
    if steps < 0:
        raise ValueError(f"steps is {steps}; it must be 0 or more.")
    if isinstance(data, Mapping | str):
        raise ValueError(f"data is one {type(data).__name__}; give a list of inputs: [data].")
    optimizer = torch.optim.Adam(maps, lr=learning_rate)
    found: list[float] = []
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        _exact(attentions) as losses,
        _nothing_else_trained(model, maps),
    ):
        for inputs in islice(_again(data), steps):
            losses.clear()
            _call(model, inputs)
            if not losses:
                raise ValueError("The model called none of its attentions with learned features.")
            loss = torch.stack(losses).mean()
            if not loss.requires_grad:
                raise ValueError(
                    "The model runs its attentions where gradients are off: call it so that it does not, and "
                    "checkpoint with use_reentrant=False."
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            found.append(loss.item())
    optimizer.zero_grad(set_to_none=True)
    if steps and not found:
        raise ValueError("There is no data to distil on: give at least one batch of inputs.")
    return found


def _again(data: Iterable[Any]) -> Iterator[Any]:
    """Give inputs again and again: a loader that shuffles does so every time, and only an iterator's are kept."""
    if isinstance(data, Iterator):
        yield from cycle(data)
        return
    any_left = True
    while any_left:
        any_left = False
        for inputs in data:
            any_left = True
            yield inputs


def _call(model: nn.Module, inputs: Any) -> None:
    if isinstance(inputs, Mapping):
        model(**inputs)
    elif isinstance(inputs, Sequence):
        model(*inputs)
    else:
        model(inputs)


@contextmanager
def _exact(attentions: Sequence[FavorAttention | FeatureAttention]) -> Iterator[list[Tensor]]:
    """Let attentions be exact and note in the list yielded how far their features are from it."""
    losses: list[Tensor] = []

    def attention(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        *,
        features: nn.Module,
        causal: bool,
        key_mask: Tensor | None,
        state: Any = None,
        **_: object,
    ) -> Any:
        if state is not None and state.sums is not None:
            raise ValueError("Distil without add_bias_kv, add_zero_attn and earlier states.")
        dtype = torch.promote_types(q.dtype, torch.float32)
        with torch.autocast(q.device.type, enabled=False):
            query, key, value = (x.to(dtype) for x in (q, k, v))
            if key_mask is not None:  # padding may hold NaN
                shown = key_mask if key_mask.dtype == torch.bool else key_mask > -torch.inf
                key, value = (x.masked_fill(~shown.unsqueeze(-1), 0) for x in (key, value))
            with torch.no_grad():
                weights = _weights((query @ key.mT) * q.shape[-1] ** -0.5, causal, key_mask)
            scale = q.shape[-1] ** -0.25
            likely = features(query.where(query.isfinite(), 0) * scale), features(key * scale)
            losses.append(_cross_entropy(weights, *likely))
            mixed = (weights @ value).to(q.dtype)
        return mixed if state is None else (mixed, state)

    before = [module.attention for module in attentions]
    try:
        for module in attentions:
            module.attention = attention
        yield losses
    finally:
        for module, its in zip(attentions, before, strict=True):
            module.attention = its


def _weights(scores: Tensor, causal: bool, key_mask: Tensor | None) -> Tensor:
    """Return softmax over the keys that a query sees; zeros where it sees none."""
    if key_mask is not None:
        mask = key_mask.unsqueeze(-2)
        scores = (
            scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        )
    if causal:
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(future, -torch.inf)
    return scores.softmax(-1).nan_to_num()


def _cross_entropy(weights: Tensor, queries: Features, keys: Features) -> Tensor:
    scale = log_max_with(None, keys)
    products = query_weights(queries, scale) @ key_weights(keys, scale).mT
    products = products.masked_fill(weights == 0, 0)
    likely = products / products.sum(-1, keepdim=True).clamp(min=torch.finfo(products.dtype).tiny)
    logs = likely.clamp(min=torch.finfo(products.dtype).tiny).log()
    return -(weights * logs).sum(-1).mean()


@contextmanager
def _nothing_else_trained(model: nn.Module, maps: Sequence[Tensor]) -> Iterator[None]:
    trained = [p for p in model.parameters() if p.requires_grad]
    ours = {id(p) for p in maps}
    try:
        for p in trained:
            p.requires_grad_(id(p) in ours)
        yield
    finally:
        for p in trained:
            p.requires_grad_(True)
