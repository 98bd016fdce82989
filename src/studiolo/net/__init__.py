"""Polite HTTP for every other room: own name, one pace per host, retries, a disk cache that answers offline."""

from .cache import Answer, Cache
from .client import Client, Host


__all__ = ["Answer", "Cache", "Client", "Host"]
