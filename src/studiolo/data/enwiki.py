"""A sample of the English Wikipedia, in the forms in which character models read it."""

from __future__ import annotations

from typing import Literal

from .files import load_content


SHA256 = {
    "enwiki_106.xml.xz": "34c1c63050c87cc8477b9ae36b1cb0edf372612c92938b742e579a7109c20fa4",
    "enwiki_106_plain.txt.xz": "a9d387970c82dccd7182adf724aa05e2afca6f9c22c650771f424772941b5da5",
    "enwiki_106_text8style.txt.xz": "54ca66b6b9cd049e31addbf2d3126d65f8706efcf0971965ad952c23babc8128",
}

_FORMS = {
    "plain": "enwiki_106_plain.txt.xz",
    "letters": "enwiki_106_text8style.txt.xz",
    "xml": "enwiki_106.xml.xz",
}


def enwiki(form: Literal["plain", "letters", "xml"] = "plain") -> bytes:
    """Return the articles as plain text, as the 26 letters and spaces of text8, or as the XML of enwik8.

    Raises:
        NeedsData: the set is not here.
    """
    file = _FORMS[form]
    return load_content(f"enwiki_sample/{file}", SHA256[file])
