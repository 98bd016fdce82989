"""What the services know of a work."""

from .facts import Facts
from .lookup import Found, lookup
from .services import Services


__all__ = ["Facts", "Found", "Services", "lookup"]
