"""What the services know of a work, and pools of papers to suggest from."""

from .facts import Facts
from .fetch import Fetched, fetch_facts
from .oai import check_category
from .paper_file import load_papers
from .pool import Counts, Pool, day_of, fetch_category, fill_from, load_pools
from .services import Services


__all__ = [
    "Counts",
    "Facts",
    "Fetched",
    "Pool",
    "Services",
    "check_category",
    "day_of",
    "fetch_category",
    "fetch_facts",
    "fill_from",
    "load_papers",
    "load_pools",
]
