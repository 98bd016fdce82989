"""Training a small model by a large one: softened answers, attention maps, decay scaled by the compression."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from studiolo.train import Budget, History, train

from .decay import structured_weights


def distillation_loss(
    student: Float[Tensor, "b k"], teacher: Float[Tensor, "b k"], temperature: float = 4.0
) -> Float[Tensor, ""]:
    """Return T² KL(softmax(teacher / T) ‖ softmax(student / T)), mean over examples.

    Source: https://arxiv.org/abs/1503.02531.
    """
    soft = F.log_softmax(teacher / temperature, -1), F.log_softmax(student / temperature, -1)
    return temperature**2 * F.kl_div(soft[1], soft[0], reduction="batchmean", log_target=True)


def attention_map(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n"]:
    """Return the mean squares over channels, of length 1 an example.

    Source: https://arxiv.org/abs/1612.03928.
    """
    return F.normalize(features.square().mean(1).flatten(1))


def attention_transfer_loss(
    student: Float[Tensor, "b c h w"], teacher: Float[Tensor, "b d h w"]
) -> Float[Tensor, ""]:
    """Return the mean squared distance of the attention maps; the channels may differ, height and width not."""
    return (attention_map(student) - attention_map(teacher)).square().mean()


def compression_scaled_groups(
    model: nn.Module, *, weight_decay: float, full: int
) -> list[dict[str, Any]]:
    """Split the parameters for an optimizer: structured ones get weight decay times the model's share of parameters.

    Args:
        full: parameters of the model that was compressed.

    Source: https://arxiv.org/abs/1906.00859, CRS weight decay.
    """
    structured = {id(p): p for layer in structured_weights(model) for p in layer.structured()}
    others = [p for p in model.parameters() if id(p) not in structured]
    share = sum(p.numel() for p in model.parameters()) / full
    return [
        {"params": others, "weight_decay": weight_decay},
        {"params": list(structured.values()), "weight_decay": weight_decay * share},
    ]


class Distillation:
    """The loss of a student beside its teacher: `loss(student, (inputs, labels))`, as `studiolo.train.train` takes it.

    Args:
        teacher: in evaluation mode and without gradients from here on, as long as it is called from here.
        layers: names of modules, the same in both models, whose attention maps are to agree.
        temperature: of the softened answers.
        soft: weight of the softened answers, the rest is cross-entropy; 0 leaves them out.
        attention: weight of the attention maps.
        decay: added to the loss, such as `lambda m: 5e-4 * frobenius_decay(m)`.

    Raises:
        ValueError: a layer is not in the teacher; at a call, not in the student.
    """

    def __init__(
        self,
        teacher: nn.Module,
        *,
        layers: Sequence[str] = (),
        temperature: float = 4.0,
        soft: float = 0.9,
        attention: float = 1e3,
        decay: Callable[[nn.Module], Tensor] | None = None,
    ) -> None:
        self.teacher, self.layers = teacher.eval(), tuple(layers)
        self.temperature, self.soft, self.attention = temperature, soft, attention
        self.decay = decay
        _modules(teacher, self.layers)

    def __call__(
        self, student: nn.Module, batch: tuple[Tensor, Int[Tensor, "b"]]
    ) -> Float[Tensor, ""]:
        """Return the loss of one batch of inputs and labels."""
        inputs, labels = batch
        scores, maps = _call(student, inputs, self.layers)
        with torch.no_grad():
            right, right_maps = _call(self.teacher.eval(), inputs, self.layers)
        loss = (1 - self.soft) * F.cross_entropy(scores, labels)
        if self.soft:
            loss = loss + self.soft * distillation_loss(scores, right, self.temperature)
        for ours, theirs in zip(maps, right_maps, strict=True):
            loss = loss + self.attention / 2 * attention_transfer_loss(ours, theirs)
        return loss if self.decay is None else loss + self.decay(student)


def distill(
    student: nn.Module,
    teacher: nn.Module,
    batches: Iterator[tuple[Tensor, Tensor]],
    *,
    budget: Budget,
    lr: float = 0.1,
    weight_decay: float = 5e-4,
    layers: Sequence[str] = (),
    temperature: float = 4.0,
    soft: float = 0.9,
    attention: float = 1e3,
) -> History:
    """Train a student made by `factorize` or `substitute` beside the model that it was made of, in place.

    SGD with momentum .9 at a step size that falls to zero along a cosine where the budget is in steps; weight decay of structured
    parameters is scaled by the compression.

    Args:
        batches: of inputs and labels.
        layers: names of modules, the same in both models, whose attention maps are to agree, such as the stages of a
            residual network; without any the answers alone are learnt from.
        temperature, soft, attention: as in `Distillation`.

    Source: https://arxiv.org/abs/1906.00859.
    """
    full = sum(p.numel() for p in teacher.parameters())
    groups = compression_scaled_groups(student, weight_decay=weight_decay, full=full)
    optimizer = torch.optim.SGD(groups, lr=lr, momentum=0.9)
    if budget.steps is not None:
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, budget.steps)
        optimizer.register_step_post_hook(lambda *_: schedule.step())
    loss = Distillation(
        teacher, layers=layers, temperature=temperature, soft=soft, attention=attention
    )
    return train(student, loss, batches, optimizer=optimizer, budget=budget)


def _modules(model: nn.Module, layers: Sequence[str]) -> list[nn.Module]:
    by_name = dict(model.named_modules())
    missing = [name for name in layers if name not in by_name]
    if missing:
        raise ValueError(
            f"{type(model).__name__} has no layer {', '.join(missing)}; model.named_modules() lists its names."
        )
    return [by_name[name] for name in layers]


def _call(model: nn.Module, inputs: Tensor, layers: Sequence[str]) -> tuple[Tensor, list[Tensor]]:
    """Return the model's answers, and what the layers put out on the way."""
    seen: list[Tensor] = []
    handles = [
        module.register_forward_hook(lambda _m, _i, out: seen.append(out))
        for module in _modules(model, layers)
    ]
    try:
        return model(inputs), seen
    finally:
        for handle in handles:
            handle.remove()
