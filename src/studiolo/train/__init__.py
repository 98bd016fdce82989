"""One small training loop, on one process or several, seeds per role, budgets in steps or CPU-seconds."""

from .loop import Budget, History, train
from .parallel import in_processes, train_together
from .seeds import RoleSeeds, role_seeds


__all__ = [
    "Budget",
    "History",
    "RoleSeeds",
    "in_processes",
    "role_seeds",
    "train",
    "train_together",
]
