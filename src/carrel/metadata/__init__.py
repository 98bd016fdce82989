"""What the services know of a work."""

from carrel.metadata.facts import Facts
from carrel.metadata.lookup import Found, lookup
from carrel.metadata.services import Services


__all__ = ["Facts", "Found", "Services", "lookup"]
