"""Sets chosen by name. An experiment that uses one set calls it by itself: these reach all the sets they choose from."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .enwiki import enwiki
from .fashion_mnist import fashion_mnist
from .mnist import mnist
from .tinyshakespeare import tinyshakespeare
from .wikitext2 import wikitext2


def images(name: Literal["mnist", "fashion_mnist"]) -> dict[str, NDArray[np.uint8]]:
    """Return train_images (60000, 28, 28), train_labels, test_images (10000, 28, 28) and test_labels.

    Raises:
        NeedsData: the set is not here.
    """
    return {"mnist": mnist, "fashion_mnist": fashion_mnist}[name]()


def text(name: str) -> bytes:
    """Return a text as bytes: tinyshakespeare, wikitext2 (valid, then test), enwiki, enwiki_letters or enwiki_xml.

    Raises:
        NeedsData: the set is not here.
    """
    match name:
        case "tinyshakespeare":
            return tinyshakespeare()
        case "wikitext2":
            return wikitext2()
        case "enwiki":
            return enwiki()
        case "enwiki_letters":
            return enwiki("letters")
        case "enwiki_xml":
            return enwiki("xml")
        case _:
            raise KeyError(name)
