"""{title}."""

from .model import mean_of


__all__ = ["mean_of"]
