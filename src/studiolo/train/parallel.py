"""One model on several processes: each takes its share of every batch, and all get the weights of one process.

`in_processes` starts them with torchrun's own launcher; in a script that torchrun started, `train_together` is enough.
"""

from __future__ import annotations

import pickle
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import distributed

from studiolo.errors import RunError

from .loop import Batch, Budget, History, train


T = TypeVar("T")


def in_processes(work: Callable[[int], T], world: int, *, backend: str = "gloo") -> T:
    """Run `work(rank)` in `world` processes of one group, each with one thread, and return what rank 0 returns.

    The processes are forked: they know all that this one knows, its random numbers too. An experiment that does this
    says `needs = ["world:2"]`.

    Args:
        backend: of torch.distributed: "gloo" on CPUs, "nccl" for one GPU each.

    Raises:
        RunError: a process failed, with its last words; or CUDA is in use here already, which no fork survives.
    """
    import torch._dynamo  # else every process loads it for itself, for two seconds
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    if torch.cuda.is_initialized():
        raise RunError(
            "CUDA is in use in this process. Call in_processes before anything else uses it."
        )
    with tempfile.TemporaryDirectory(prefix="studiolo-world-") as logs:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=world,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            monitor_interval=0.05,
            start_method="fork",
            logs_specs=DefaultLogsSpecs(log_dir=logs),
        )
        try:
            returned = elastic_launch(config, _one_of_them)(work, backend, logs)
        except ChildFailedError as error:
            told = sorted(Path(logs).glob("*.failed"), key=lambda path: path.stat().st_mtime_ns)
            rank, failure = error.get_first_failure()
            who, why = (told[0].stem, told[0].read_text()) if told else (rank, failure.message)
            raise RunError(f"Process {who} of {world} failed: {why}") from error
    return pickle.loads(returned[0])


def train_together(
    model: torch.nn.Module,
    loss: Callable[[torch.nn.Module, Batch], torch.Tensor],
    batches: Iterator[Batch],
    *,
    budget: Budget,
    evaluate: Callable[[torch.nn.Module], float] | None = None,
    checkpoint: Path | None = None,
    **settings: Any,
) -> History:
    """Train as `train` does, in every process of the group: each computes the loss of its share of each batch.

    All processes must get the same batches, which are cut along the first dimension of their tensors. Up to rounding, the
    weights are those of `train` in one process, if the loss is a mean over the items of a batch, and the model treats
    each item alone: batch normalisation sees its share only, and dropout draws in each process for itself.

    Args:
        loss: maps the model, which it may only call, and a share of a batch to the mean over its items.
        budget: in steps, since processes must agree when to stop.
        checkpoint: as in `train`; written by rank 0 and read by all.
        settings: the others of `train`.

    Raises:
        RunError: a loss is not finite; or a batch has fewer items than there are processes.
    """
    if budget.steps is None or budget.cpu_s is not None:
        raise ValueError(
            "A budget in cpu_s ends in each process at another step; give steps alone."
        )
    rank, world = distributed.get_rank(), distributed.get_world_size()
    together = torch.nn.parallel.DistributedDataParallel(model)

    def share_of_loss(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        items = _items(batch)
        if items < world:
            raise RunError(f"A batch of {items} items cannot be shared by {world} processes.")
        low, high = rank * items // world, (rank + 1) * items // world
        # the group averages gradients as if all shares had the same number of items
        return loss(model, _cut(batch, low, high)) * ((high - low) * world / items)

    with tempfile.TemporaryDirectory(prefix="studiolo-rank-") as own:
        if checkpoint is not None and rank > 0:
            copy = Path(own, checkpoint.name)
            if checkpoint.exists():
                shutil.copyfile(checkpoint, copy)
            checkpoint = copy
        distributed.barrier()  # before rank 0 writes
        history = train(
            together,
            share_of_loss,
            batches,
            budget=budget,
            evaluate=(lambda _: evaluate(model)) if evaluate else None,
            checkpoint=checkpoint,
            **settings,
        )
    losses = torch.tensor(history.losses, dtype=torch.float64)
    distributed.all_reduce(losses)
    history.losses = (losses / world).tolist()
    return history


def _one_of_them(work: Callable[[int], Any], backend: str, logs: str) -> bytes:
    """Join the group that the launcher describes in the environment, and do this process's part.

    A failure is written down before the others, who lose this process by it, can fail too.
    """
    torch.set_num_threads(1)
    distributed.init_process_group(backend)
    rank = distributed.get_rank()
    try:
        return pickle.dumps(work(rank))
    except BaseException as error:
        Path(logs, f"{rank}.failed").write_text(f"{type(error).__name__}: {error}")
        raise
    finally:
        distributed.destroy_process_group()


def _items(batch: Any) -> int:
    """Return how many items a batch has: the length of the first tensor in it."""
    while not isinstance(batch, torch.Tensor):
        batch = next(iter(batch.values() if isinstance(batch, Mapping) else batch))
    return len(batch)


def _cut(batch: Any, low: int, high: int) -> Any:
    """Return items low to high of every tensor of a batch."""
    if isinstance(batch, torch.Tensor):
        return batch[low:high]
    if isinstance(batch, Mapping):
        return {name: _cut(value, low, high) for name, value in batch.items()}
    if isinstance(batch, tuple | list):
        return type(batch)(_cut(value, low, high) for value in batch)
    return batch
