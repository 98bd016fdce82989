"""Frobenius decay: half the squared norm of the weight that is stood for, as a loss or as part of the optimizer's step."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from .model import FactorizedLayer
from .structure import StructuredWeights, widened


def structured_weights(model: nn.Module) -> Iterator[StructuredWeights]:
    """Yield whatever in a model stands for dense weights, each once."""
    for module in model.modules():
        if isinstance(module, StructuredWeights):
            yield module


def factor_pairs(model: nn.Module) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
    """Yield the factors U and V of every factorized linear layer, convolution and embedding, each layer once."""
    for layer in structured_weights(model):
        if isinstance(layer, FactorizedLayer):
            yield layer.U, layer.V


def frobenius_decay(model: nn.Module) -> Float[Tensor, ""]:
    """Return ½ Σ ‖W‖²_F over the layers that stand for a dense one: `loss + coefficient * frobenius_decay(model)`.

    For factors W is U Vᵀ, for attention the forms QᵀK and O V of each head. The weight decay that the optimizer
    applies to their parameters must then be 0: see `parameter_groups`.

    Raises:
        ValueError: there is no such layer in the model.

    Source: https://arxiv.org/abs/2105.01029, section 3.
    """
    return torch.stack([layer.squared_norm() for layer in _some_layers(model)]).sum() / 2


def attach_frobenius_decay(
    optimizer: Optimizer, model: nn.Module, coefficient: float, *, decoupled: bool = False
) -> RemovableHandle:
    """Make the optimizer's step apply the gradient of `coefficient * frobenius_decay(model)`.

    That is how optimizers treat weight decay: after clipping, without a graph, and whatever the loss is scaled by,
    whether `GradScaler` unscales before the step or a fused optimizer does so inside. Parameters whose gradient is None are left
    alone. Layers that enter the model later are not seen.

    Args:
        coefficient: of the decay.
        decoupled: False adds it to the gradient, as `SGD` and `Adam` do with weight decay, so that momentum and
            adaptive step sizes see it. True subtracts lr · coefficient · gradient from the parameters before the
            update, as `AdamW` does.

    Returns:
        A handle; `handle.remove()` ends it.

    Raises:
        ValueError: there is no such layer in the model; at a step, that step was given a closure, which
            would compute the gradients after the decay was added.
    """
    layers = _some_layers(model)

    @torch.no_grad()
    def apply(_: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is not None:
            raise ValueError(
                "Frobenius decay was attached to an optimizer whose step is given a closure; "
                "add frobenius_decay(model) to the loss in the closure instead."
            )
        group_of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        for layer in layers:
            parameters = layer.structured()
            if all(p.grad is None or id(p) not in group_of for p in parameters):
                continue
            for parameter, gradient in zip(parameters, layer.decay_gradients(), strict=True):
                group = group_of.get(id(parameter))
                if parameter.grad is None or group is None:
                    continue
                if decoupled:
                    _decay(optimizer, parameter, coefficient * group["lr"] * gradient)
                else:
                    sign = -1 if group.get("maximize") else 1
                    _add(optimizer, parameter.grad, sign * coefficient * gradient)

    return optimizer.register_step_pre_hook(apply)


def _add(optimizer: Optimizer, grad: Tensor, decay: Tensor) -> None:
    """Add to a gradient, at its scale: a fused optimizer unscales inside its step and says by how much."""
    scale = getattr(optimizer, "grad_scale", None)
    if scale is not None:
        decay = decay * scale.to(decay.device)
    # In half precision the sum may not fit; the largest number that does is then taken.
    largest = torch.finfo(grad.dtype).max
    grad.copy_((widened(grad) + decay).clamp(-largest, largest))


def _decay(optimizer: Optimizer, parameter: Tensor, step: Tensor) -> None:
    """Take a step, unless the optimizer is about to skip its own since a gradient is not finite."""
    skips = getattr(optimizer, "found_inf", None)
    if skips is not None:
        step = step * (skips == 0).to(step.device, step.dtype)
    parameter.copy_(widened(parameter) - step)


def parameter_groups(model: nn.Module, *, weight_decay: float) -> list[dict[str, Any]]:
    """Split the parameters for an optimizer: those under Frobenius decay without weight decay, all others with it."""
    structured = {id(p): p for layer in structured_weights(model) for p in layer.structured()}
    others = [p for p in model.parameters() if id(p) not in structured]
    return [
        {"params": others, "weight_decay": weight_decay},
        {"params": list(structured.values()), "weight_decay": 0.0},
    ]


def _some_layers(model: nn.Module) -> list[StructuredWeights]:
    layers = list(structured_weights(model))
    if not layers:
        raise ValueError(
            f"{type(model).__name__} has no factorized layer; factorize(model, budget) returns one that has."
        )
    return layers
