"""What the services know of a work."""

from studiolo.metadata.facts import Facts
from studiolo.metadata.lookup import Found, lookup
from studiolo.metadata.services import Services


__all__ = ["Facts", "Found", "Services", "lookup"]
