"""How a page names the feed of its library."""

from __future__ import annotations

from markupsafe import Markup


FEED_FILE = "feed.xml"  # beside the pages of a site


def feed_link(address: str, title: str) -> Markup:
    """Return the element of a page's head by which feed readers find a feed.

    Args:
        address: of the feed, as seen from the page.
        title: what a reader calls it.
    """
    element = '<link rel="alternate" type="application/atom+xml" title="{}" href="{}">'
    return Markup(element).format(title, address)
