"""What is added to the loss for the factors: half the squared Frobenius norm of their product, never formed."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from .model import FactorizedLayer


def squared_norm(u: Float[Tensor, "..."], v: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return ‖u vᵀ‖²_F = Σ (uᵀu)∘(vᵀv) in O(r² (m + n)), where forming the product takes O(m n r).

    Where r (m + n) > m n the product is the cheaper of the two, and is formed.

    Args:
        u: (..., m, r).
        v: (..., n, r); leading dimensions are a batch, such as the heads of an attention layer.

    Returns:
        (...), in float32 at least.
    """
    dtype = torch.promote_types(u.dtype, torch.float32)
    with torch.autocast(u.device.type, enabled=False):
        u, v = u.to(dtype), v.to(dtype)
        if _product_is_cheaper(u, v):
            return (u @ v.mT).square().sum((-2, -1))
        return ((u.mT @ u) * (v.mT @ v)).sum((-2, -1))


def frobenius_gradients(
    u: Float[Tensor, "..."], v: Float[Tensor, "..."]
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return u (vᵀv) and v (uᵀu), the gradients of ½ ‖u vᵀ‖²_F, in O(r² (m + n)).

    Args:
        u: (..., m, r).
        v: (..., n, r).
    """
    if _product_is_cheaper(u, v):
        product = u @ v.mT
        return product @ v, product.mT @ u
    return u @ (v.mT @ v), v @ (u.mT @ u)


def _product_is_cheaper(u: Tensor, v: Tensor) -> bool:
    m, n, r = u.shape[-2], v.shape[-2], u.shape[-1]
    return r * (m + n) > m * n


def factor_pairs(model: nn.Module) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
    """Yield the factors U and V of every factorized layer, each layer once."""
    for module in model.modules():
        if isinstance(module, FactorizedLayer):
            yield module.U, module.V


def frobenius_decay(model: nn.Module) -> Float[Tensor, ""]:
    """Return ½ Σ ‖U Vᵀ‖²_F over the factorized layers: `loss + coefficient * frobenius_decay(model)`.

    The weight decay that the optimizer applies to the factors must then be 0: see `parameter_groups`.

    Raises:
        ValueError: there is no factorized layer in the model.

    Source: https://arxiv.org/abs/2105.01029, section 3.
    """
    return torch.stack([squared_norm(u, v) for u, v in _some_pairs(model)]).sum() / 2


def attach_frobenius_decay(
    optimizer: Optimizer, model: nn.Module, coefficient: float
) -> RemovableHandle:
    """Make the optimizer add the gradient of `coefficient * frobenius_decay(model)` before each step.

    That is how optimizers treat weight decay: after unscaling and clipping, and without a graph. Factors whose
    gradient is None are left alone. Layers that enter the model later are not seen.

    Returns:
        A handle; `handle.remove()` ends it.

    Raises:
        ValueError: there is no factorized layer in the model; at a step, that step was given a closure, which
            would compute the gradients after the decay was added.
    """
    pairs = _some_pairs(model)

    @torch.no_grad()
    def add(_: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is not None:
            raise ValueError(
                "Frobenius decay was attached to an optimizer whose step is given a closure; "
                "add frobenius_decay(model) to the loss in the closure instead."
            )
        for pair in pairs:
            for factor, gradient in zip(pair, frobenius_gradients(*pair), strict=True):
                if factor.grad is not None:
                    factor.grad.add_(gradient, alpha=coefficient)

    return optimizer.register_step_pre_hook(add)


def parameter_groups(model: nn.Module, *, weight_decay: float) -> list[dict[str, Any]]:
    """Split the parameters for an optimizer: the factors without weight decay, all others with it."""
    factors = {id(factor): factor for pair in factor_pairs(model) for factor in pair}
    others = [p for p in model.parameters() if id(p) not in factors]
    return [
        {"params": others, "weight_decay": weight_decay},
        {"params": list(factors.values()), "weight_decay": 0.0},
    ]


def _some_pairs(model: nn.Module) -> list[tuple[nn.Parameter, nn.Parameter]]:
    pairs = list(factor_pairs(model))
    if not pairs:
        raise ValueError(
            f"{type(model).__name__} has no factorized layer; factorize(model, budget) returns one that has."
        )
    return pairs
