"""The sets by kind: images, binary rows, text, tables, sequences."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .files import load_content


_IDX_UNSIGNED_BYTE = 0x08
_TEXTS = {
    "tinyshakespeare": ("tinyshakespeare/input.txt",),
    "wikitext2": ("wikitext2_valid_test/valid.txt.xz", "wikitext2_valid_test/test.txt.xz"),
    "enwiki": ("enwiki_sample/enwiki_106_plain.txt.xz",),
    "enwiki_letters": ("enwiki_sample/enwiki_106_text8style.txt.xz",),
    "enwiki_xml": ("enwiki_sample/enwiki_106.xml.xz",),
}
_TABLES = {
    "red_wine": ("winequality-red.csv", ",", 0),
    "white_wine": ("winequality-white.csv", ",", 0),
    "ionosphere": ("ionosphere.csv", ",", 0),
    "parkinsons": ("parkinsons_updrs.data", "\t", 1),
}


def images(name: Literal["mnist", "fashion_mnist"]) -> dict[str, NDArray[np.uint8]]:
    """Return train_images (60000, 28, 28), train_labels, test_images (10000, 28, 28) and test_labels.

    Raises:
        NeedsData: the set is not here.
    """
    return {
        f"{split}_{kind}": _idx(load_content(f"{name}/{prefix}-{kind}-{suffix}.gz"))
        for split, prefix in (("train", "train"), ("test", "t10k"))
        for kind, suffix in (("images", "idx3-ubyte"), ("labels", "idx1-ubyte"))
    }


def binary_set(name: str) -> dict[str, NDArray[np.uint8]]:
    """Return a binary set of the NADE paper with its splits, train, valid and test: (rows, dimensions) of 0 and 1.

    Args:
        name: adult, connect4, dna, mushrooms, nips or plants.

    Raises:
        NeedsData: the set is not here.
    """
    with np.load(io.BytesIO(load_content(f"nade_binary/{name}.npz"))) as archive:
        columns = int(archive["dim"])  # rows are packed, eight columns a byte
        return {
            split: np.unpackbits(archive[split], axis=1, count=columns)
            for split in ("train", "valid", "test")
        }


def text(name: str) -> bytes:
    """Return a text as bytes: tinyshakespeare, wikitext2 (valid, then test), enwiki, enwiki_letters or enwiki_xml.

    Raises:
        NeedsData: the set is not here.
    """
    return b"".join(load_content(file) for file in _TEXTS[name])


def table(name: str) -> NDArray[np.float64]:
    """Return a table of numbers, target last: red_wine, white_wine, ionosphere (its letter as nan) or parkinsons.

    Raises:
        NeedsData: the set is not here.
    """
    file, delimiter, header = _TABLES[name]
    content = load_content(f"uci_regression/{file}").decode()
    return np.genfromtxt(io.StringIO(content), delimiter=delimiter, skip_header=header)


def photographs() -> NDArray[np.uint8]:
    """Return the 24 Kodak photographs in grey: (24, 512, 768).

    Raises:
        NeedsData: the set is not here.
    """
    from PIL import Image

    contents = (load_content(f"kodak_gray/{i:02d}.png") for i in range(1, 25))
    return np.stack([np.asarray(Image.open(io.BytesIO(content))) for content in contents])


def proteins(task: str, split: str) -> list[tuple[str, str]]:
    """Return (sequence, label) of a protein table: remote_homology, scop, secondary_structure or stability.

    Raises:
        NeedsData: the set is not here.
    """
    rows = _rows(load_content(f"protein/{task}.{split}.csv.xz"))
    return [(row[0], row[1]) for row in rows[1:]]


def fairness(name: Literal["adult-train", "adult-test"]) -> list[list[str]]:
    """Return the rows of UCI Adult as text: 14 attributes, then the income bracket.

    Raises:
        NeedsData: the set is not here.
    """
    return _rows(load_content(f"fairness/{name}.csv.xz"))


def sentences() -> list[tuple[str, int]]:
    """Return 3,000 sentences from Amazon, IMDb and Yelp reviews with 1 for praise and 0 for blame.

    Raises:
        NeedsData: the set is not here.
    """
    labelled = []
    for site in ("amazon_cells", "imdb", "yelp"):
        content = load_content(f"uci_sentiment_sentences/{site}_labelled.txt").decode()
        for line in content.rstrip("\n").split("\n"):
            sentence, _, label = line.rpartition("\t")
            labelled.append((sentence.strip(), int(label)))
    return labelled


def abstracts() -> Iterator[dict[str, Any]]:
    """Yield 51,116 papers of machine learning up to 2020: id, title, abstract, authors, categories, primary, created.

    Raises:
        NeedsData: the set is not here.
    """
    for line in load_content("arxiv_ml/arxiv_ml.jsonl.xz").splitlines():
        yield json.loads(line)


def _rows(content: bytes) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(content.decode()), skipinitialspace=True) if row]


def _idx(content: bytes) -> NDArray[np.uint8]:
    """Read an IDX file: two zero bytes, type, number of dimensions, big-endian sizes, data."""
    assert content[:3] == bytes([0, 0, _IDX_UNSIGNED_BYTE])
    rank = content[3]
    shape = np.frombuffer(content, ">i4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
