"""The training step as a CUDA graph: recorded once for one shape, replayed without launching its kernels.

A step of width 128 on 16 curves of 50 points is some 250 small kernels, whose launches from Python take far
longer than their work; a replay launches them all at once. Nothing in it waits for the device.
"""

import math
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext

import torch
from torch import Tensor

from studiolo.errors import RunError
from studiolo.train import History

from .fit import LAST_RATE, loss_of
from .model import NeuralProcess
from .tasks import Tasks


class TrainingStep:
    """One update by Adam: loss, backward pass and parameters.

    Args:
        model: on a CUDA device; updated in place by every call.
        like: tasks of the shape that all calls will have. Their `process` is not used.
        learning_rate: of the first call; `set_learning_rate` changes it.
        autocast: bfloat16 or float16 for the matrix products; None: the model's own precision.
        graph: record the step and replay it. False launches every kernel from Python, on any device.

    Raises:
        ValueError: `graph` for a model that is not on a CUDA device.

    z is drawn from the device's own generator, so `torch.manual_seed` decides it.
    """

    def __init__(
        self,
        model: NeuralProcess,
        like: Tasks,
        *,
        learning_rate: float = 1e-3,
        autocast: torch.dtype | None = None,
        graph: bool = True,
    ) -> None:
        device = next(model.parameters()).device
        if graph and device.type != "cuda":
            raise ValueError(f"The model is on {device}; a CUDA graph needs it on a CUDA device.")
        self.model, self.autocast, self.device = model, autocast, device
        self.rate = torch.tensor(learning_rate, device=device)
        on_cuda = device.type == "cuda"
        self.optimizer = torch.optim.Adam(
            model.parameters(),
            lr=self.rate if on_cuda else learning_rate,
            capturable=on_cuda,
            fused=True,
        )
        mask = None if like.mask is None else like.mask.clone()
        given = like.is_context[:, : like.reach].clone()
        self.tasks = Tasks(like.x.clone(), like.y.clone(), given, mask)
        self.graph = self._record() if graph else None

    def __call__(self, tasks: Tasks) -> Tensor:
        """Make one update and return its loss, on the device; the next call may overwrite it.

        Raises:
            ValueError: tasks of another shape than those recorded.
        """
        if tasks.x.shape != self.tasks.x.shape or (tasks.mask is None) != (self.tasks.mask is None):
            raise ValueError(
                f"The step was made for x {tuple(self.tasks.x.shape)}, "
                f"{'without' if self.tasks.mask is None else 'with'} a mask; these tasks are "
                f"{tuple(tasks.x.shape)}, {'without' if tasks.mask is None else 'with'} one."
            )
        self.tasks.x.copy_(tasks.x)
        self.tasks.y.copy_(tasks.y)
        self.tasks.is_context.copy_(tasks.is_context[:, : self.tasks.is_context.shape[1]])
        if self.tasks.mask is not None and tasks.mask is not None:
            self.tasks.mask.copy_(tasks.mask)
        if self.graph is None:
            self.loss = self._update()
        else:
            self.graph.replay()
        return self.loss

    def set_learning_rate(self, rate: float) -> None:
        """Change the step size of the calls to come."""
        self.rate.fill_(rate)
        if self.device.type != "cuda":
            self.optimizer.param_groups[0]["lr"] = rate

    def _update(self) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        with self._precision():
            loss = loss_of(self.model, self.tasks)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _precision(self) -> torch.autocast | nullcontext[None]:
        if self.autocast is None:
            return nullcontext()
        # a cast kept from one replay to the next would be that of the first weights
        return torch.autocast(self.device.type, self.autocast, cache_enabled=False)

    def _record(self) -> torch.cuda.CUDAGraph:
        before = [p.detach().clone() for p in self.model.parameters()]
        side = torch.cuda.Stream(self.device)
        side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(side):  # libraries set themselves up outside the graph
            for _ in range(3):
                self._update()
        torch.cuda.current_stream(self.device).wait_stream(side)
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.loss = self._update()
        with torch.no_grad():  # as if nothing had been tried
            for parameter, value in zip(self.model.parameters(), before, strict=True):
                parameter.copy_(value)
            for state in self.optimizer.state.values():
                for part in state.values():
                    part.zero_()
        return graph


def fit(
    model: NeuralProcess,
    batches: Iterable[Tasks],
    *,
    steps: int,
    learning_rate: float = 1e-3,
    evaluate: Callable[[NeuralProcess], float] | None = None,
    every: int = 0,
    autocast: torch.dtype | None = None,
    graph: bool = True,
) -> History:
    """Train as `fit.fit` does, on a CUDA device by replaying one step; the device is waited for only to evaluate.

    Returns:
        all losses, and (step, seconds on the wall, value) of each evaluation, the recording counted in.

    Raises:
        RunError: the last loss is not finite.
    """
    history = History()
    start = time.perf_counter()
    step: TrainingStep | None = None
    losses: list[Tensor] = []

    def look(done: int) -> None:
        if evaluate is None:
            return
        wall_s = time.perf_counter() - start
        model.eval()
        with torch.no_grad():
            history.evaluations.append((done, wall_s, float(evaluate(model))))
        model.train()

    model.train()
    for done, tasks in zip(range(1, steps + 1), batches, strict=False):
        if step is None:
            step = TrainingStep(model, tasks, autocast=autocast, graph=graph)
        step.set_learning_rate(learning_rate * (1 + (LAST_RATE - 1) * (done - 1) / steps))
        losses.append(step(tasks).clone())
        if every and done % every == 0:
            look(done)
    if losses:
        history.losses = torch.stack(losses).tolist()
    if every == 0 or len(losses) % every:
        look(len(losses))
    if losses and not math.isfinite(history.losses[-1]):
        raise RunError(
            f"The loss is {history.losses[-1]} at update {history.steps}: training diverged."
        )
    history.cpu_s = time.perf_counter() - start
    model.eval()
    return history
