"""How a page names the feed of its library."""

from __future__ import annotations

from markupsafe import Markup


def feed_link(address: str, title: str) -> Markup:
    """Return the element of a page's head by which feed readers find a feed, `studiolo export atom` wrote it.

    Args:
        address: of the feed, as seen from the page.
        title: what a reader calls it.
    """
    element = '<link rel="alternate" type="application/atom+xml" title="{}" href="{}">'
    return Markup(element).format(title, address)
