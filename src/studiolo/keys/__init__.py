"""What a link points at, said in one way for all of its spellings.

`Key` is a typed identity such as `arxiv:2105.03824`, and `Key.parse` reads a stored one. `find_key` reads what a person
typed, `find_mention` an address, `papers_in` running text. No network, and no knowledge of lists.
"""

from .address import (
    Mention,
    address_of,
    find_key,
    find_mention,
    host_of,
    knows_host,
    page_address,
    why_not_a_page,
)
from .in_text import paper_key, papers_in, papers_in_citation
from .key import Key, find_arxiv, make_key


__all__ = [
    "Key",
    "Mention",
    "address_of",
    "find_arxiv",
    "find_key",
    "find_mention",
    "host_of",
    "knows_host",
    "make_key",
    "page_address",
    "paper_key",
    "papers_in",
    "papers_in_citation",
    "why_not_a_page",
]
