"""Tiny Shakespeare: 1.1 MB of his plays.

Source: https://github.com/karpathy/char-rnn
"""

from __future__ import annotations

from .files import load_content


SHA256 = {
    "input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
}


def tinyshakespeare() -> bytes:
    """Return the text.

    Raises:
        NeedsData: the set is not here.
    """
    return load_content("tinyshakespeare/input.txt", SHA256["input.txt"])
