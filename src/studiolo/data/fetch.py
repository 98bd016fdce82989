"""Sets with a canonical address: fetched once, checked as they are served."""

from __future__ import annotations

from pathlib import Path

from studiolo.errors import RunError

from .files import CACHE


_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist"
CANONICAL = {  # file -> (address, sha256 of the file as it is served)
    "fashion_mnist/train-images-idx3-ubyte.gz": (
        f"{_FASHION}/train-images-idx3-ubyte.gz",
        "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    ),
    "fashion_mnist/train-labels-idx1-ubyte.gz": (
        f"{_FASHION}/train-labels-idx1-ubyte.gz",
        "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    ),
    "fashion_mnist/t10k-images-idx3-ubyte.gz": (
        f"{_FASHION}/t10k-images-idx3-ubyte.gz",
        "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    ),
    "fashion_mnist/t10k-labels-idx1-ubyte.gz": (
        f"{_FASHION}/t10k-labels-idx1-ubyte.gz",
        "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
    ),
    "mnist/train-images-idx3-ubyte.gz": (
        f"{_MNIST}/train-images-idx3-ubyte.gz",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    "mnist/train-labels-idx1-ubyte.gz": (
        f"{_MNIST}/train-labels-idx1-ubyte.gz",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    "mnist/t10k-images-idx3-ubyte.gz": (
        f"{_MNIST}/t10k-images-idx3-ubyte.gz",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    "mnist/t10k-labels-idx1-ubyte.gz": (
        f"{_MNIST}/t10k-labels-idx1-ubyte.gz",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    "tinyshakespeare/input.txt": (
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
}


def fetch_set(name: str) -> list[Path]:
    """Download a set from its canonical address into the cache, checked, and return its files.

    Raises:
        RunError: the set has no canonical address here; lists those that have.
    """
    import pooch

    files = {file: source for file, source in CANONICAL.items() if file.startswith(f"{name}/")}
    if not files:
        there = ", ".join(sorted({file.partition("/")[0] for file in CANONICAL}))
        raise RunError(
            f"Nothing can be fetched for {name!r}; {there} can. Put other sets into the folder that STUDIOLO_DATA names."
        )
    return [
        Path(
            pooch.retrieve(
                address,
                f"sha256:{sha256}",
                fname=Path(file).name,
                path=CACHE / name,
                progressbar=False,
            )
        )
        for file, (address, sha256) in files.items()
    ]
