"""Data sets and generators that papers share.

Three kinds: embedded ones that need no download (`digits`, `standard_library_text`, `listops`); sets in the folder
that STUDIOLO_DATA names; and sets fetched once from their canonical address (`fetch_set`). Every file is checked
against its checksum when it is loaded. An experiment never waits for a network: what is not here raises `NeedsData`,
and the claim becomes "not testable here".
"""

from .embedded import digits, standard_library_text
from .files import fetch_set, load_content
from .listops import listops
from .sets import (
    abstracts,
    binary_set,
    fairness,
    images,
    photographs,
    proteins,
    sentences,
    table,
    text,
)


__all__ = [
    "abstracts",
    "binary_set",
    "digits",
    "fairness",
    "fetch_set",
    "images",
    "listops",
    "load_content",
    "photographs",
    "proteins",
    "sentences",
    "standard_library_text",
    "table",
    "text",
]
