"""Data sets and generators that papers share.

Three kinds: embedded ones that need no download (`digits`, `standard_library_text`, the generators), sets read from
the folder that CARREL_DATA names, and sets fetched once from their canonical host with a checksum
(`carrel data fetch`). An experiment never waits for a network: what is not here raises `NeedsData`, and the claim
becomes "not testable here".
"""

from .embedded import digits, standard_library_text
from .folders import binary_set, images


__all__ = ["binary_set", "digits", "images", "standard_library_text"]
