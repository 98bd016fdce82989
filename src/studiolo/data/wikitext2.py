"""WikiText-2: its validation and test parts.

Source: https://arxiv.org/abs/1609.07843
"""

from __future__ import annotations

from .files import load_content


SHA256 = {
    "test.txt.xz": "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
    "valid.txt.xz": "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
}


def wikitext2() -> bytes:
    """Return the validation part, then the test part.

    Raises:
        NeedsData: the set is not here.
    """
    files = ("valid.txt.xz", "test.txt.xz")
    return b"".join(load_content(f"wikitext2_valid_test/{file}", SHA256[file]) for file in files)
