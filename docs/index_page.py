"""Makes the page that a package index shows of README.md: there, a relative link would lead nowhere.

Where `[project.urls]` in pyproject.toml names a Repository, links and pictures get their address in it, at the tag of the version.
Until it does, links become their words and pictures are left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


_CODE = re.compile(r"(^```.*?^```[ \t]*$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?![a-z][a-z0-9+.-]*:|#)([^()\s]+)\)")


class IndexPage(MetadataHookInterface):
    """Gives the package its long description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Write the page into the metadata of the package."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        home = metadata.get("urls", {}).get("Repository", "")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": page(text, home, f"v{metadata['version']}"),
        }


def page(text: str, repository: str, tag: str) -> str:
    """Return a README without relative links, code left as it is."""

    def whole(match: re.Match[str]) -> str:
        image, words, target = match.groups()
        if not repository:
            return "" if image else words
        kind = "raw" if image else "blob"
        return (
            f"{image}[{words}]({repository.rstrip('/')}/{kind}/{tag}/{target.removeprefix('./')})"
        )

    pieces = _CODE.split(text)
    pieces[::2] = [_LINK.sub(whole, piece) for piece in pieces[::2]]
    return re.sub(r"\n{3,}", "\n\n", "".join(pieces))
