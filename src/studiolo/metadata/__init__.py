"""What the services know of a work."""

from .facts import Facts
from .fetch import Fetched, fetch_facts
from .services import Services


__all__ = ["Facts", "Fetched", "Services", "fetch_facts"]
