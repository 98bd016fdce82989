"""Data sets and generators that papers share.

Three kinds: embedded ones that need no download (`digits`, `standard_library_text`, `listops`); sets in the folder
that STUDIOLO_DATA names; and sets fetched once from their canonical address (`fetch_set`). Every file is checked
against its checksum when it is loaded. An experiment never waits for a network: what is not here raises `NeedsData`,
and the claim becomes "not testable here".
"""

from .adult import fairness
from .arxiv_ml import abstracts
from .embedded import digits, standard_library_text
from .enwiki import enwiki
from .fashion_mnist import fashion_mnist
from .fetch import fetch_set
from .files import load_content
from .kodak import photographs
from .listops import listops
from .mnist import mnist
from .nade_binary import binary_set
from .protein import proteins
from .sets import images, text
from .tinyshakespeare import tinyshakespeare
from .uci_regression import table
from .uci_sentences import sentences
from .wikitext2 import wikitext2


__all__ = [
    "abstracts",
    "binary_set",
    "digits",
    "enwiki",
    "fairness",
    "fashion_mnist",
    "fetch_set",
    "images",
    "listops",
    "load_content",
    "mnist",
    "photographs",
    "proteins",
    "sentences",
    "standard_library_text",
    "table",
    "text",
    "tinyshakespeare",
    "wikitext2",
]
