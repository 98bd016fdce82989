"""Polite HTTP for every other room: own name, one pace per host, retries, a disk cache that answers offline."""

from studiolo.net.cache import Answer, Cache
from studiolo.net.client import Client, Host


__all__ = ["Answer", "Cache", "Client", "Host"]
