"""The 24 Kodak photographs.

Source: https://r0k.us/graphics/kodak
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from .files import load_content


SHA256 = {
    "01.png": "755152ee917d90900a84cbc2755b530a5cd85fef9a1acb866c1477bd48f6385e",
    "02.png": "06c792fbcb6eefde5dbd6a68c183eefbfe9e31cfe14208e06424c81bbc2ce06b",
    "03.png": "4467c1c976961d58182a81ea4408b2e920bf8c5ed3b4cd2bf8a31eb196a8ca71",
    "04.png": "e56fe57129b8cdd6a969c41ee9409bac0a55f669511cc7a58eaff9806f15424f",
    "05.png": "9bcfbf2b3335ea6e92228bc5c0d9588dea0b281251dca5464f73b79db6e6ed08",
    "06.png": "f5785deee9a42df87c49cc868be5b383562f2f38d9dd5495dc7e4cf9520100d4",
    "07.png": "b366d0c7a5bf0ec94420facf9bb234041dac0430f81897533710fe0c2f3914ec",
    "08.png": "4434bc6cea92f3d92a416e8f4fa87626b9aa97e4e8b104da1f9ff936aa129d41",
    "09.png": "ec8715a845bf1d1fae61abf744888d196d086c21f5fb0c061f74adf71ade8ecb",
    "10.png": "9ee67f16078589110a24f889c5693a77f4546e5a6709d3eb19c77917266bab60",
    "11.png": "cf277df4863b13efa2e1eacfbce94a50be115e03c0fff0e31f26f3223c44ea8d",
    "12.png": "7756eaf45cae23244f5abe1697533a4b6d24501471467075e82d0bc1d91b2c66",
    "13.png": "47198af1e83a8eccc5fc612eb785f817aa772c8b5937d7298e50a829bb5736a0",
    "14.png": "19c3c216d4dbb4fb7d4c7493b75e66298edb77c16773825b5ae5055fa01b871b",
    "15.png": "bfd8c04a6dcbca724dae400058d477ab293b79cf8b08d14a2f1fa1f896822aeb",
    "16.png": "008e74526402f95875a61b7a4783708946512b5f41d819d27c0fee4f6bfd3225",
    "17.png": "dc2c8fe1cc6720797bcfaa37a4c82874d3d4d063e17c21c145f86fb04fe16508",
    "18.png": "1a4e46326c4bf690ecd7aecf48cc3c601097bd8353f6d63a9b83b3e336601190",
    "19.png": "95353f5241c18c2d43971c6fb67c8c906c6a8114f5607ea6acc80accf86a4824",
    "20.png": "22ee5672044f092c6a6e68a765566f286fd45b8c09f08f5e5ecb8f1f62769e92",
    "21.png": "2a8ae20fabc4d78673d94d0bb73f96d5b5495f877e4854fb9af369aa139ee212",
    "22.png": "0c30a2a5b104c3c317f2c50979e0225245306a234ad07baee31b0689cb27604a",
    "23.png": "615bb8547ecbfc0ea97650fa6f4d74284cffe0c7458d8f3ee702b13327583338",
    "24.png": "809f0d1efe938ab9a90c3eb9a280643ec6d1fa06c3a04b2584f68b9d7de58976",
}


def photographs() -> NDArray[np.uint8]:
    """Return the 24 Kodak photographs in grey: (24, 512, 768).

    Raises:
        NeedsData: the set is not here.
    """
    from PIL import Image

    contents = (load_content(f"kodak_gray/{file}", SHA256[file]) for file in sorted(SHA256))
    return np.stack([np.asarray(Image.open(io.BytesIO(content))) for content in contents])
