"""Fashion-MNIST: 70,000 pictures of clothes, 28 by 28.

Source: https://arxiv.org/abs/1708.07747
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .idx import load_images


SHA256 = {
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
}


def fashion_mnist() -> dict[str, NDArray[np.uint8]]:
    """Return train_images (60000, 28, 28), train_labels, test_images (10000, 28, 28) and test_labels.

    Raises:
        NeedsData: the set is not here.
    """
    return load_images("fashion_mnist", SHA256)
