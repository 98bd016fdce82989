"""One small training loop, seeds per role, budgets in steps or CPU-seconds."""

from .loop import Budget, History, train
from .seeds import RoleSeeds, role_seeds


__all__ = ["Budget", "History", "RoleSeeds", "role_seeds", "train"]
