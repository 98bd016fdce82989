"""Whether a page holds anything that acts: what a hostile list must never bring in."""

from html.parser import HTMLParser


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.wrong = []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        is_data = attrs.get("type") == "application/json" and "src" not in attrs
        if tag == "script" and not is_data and not attrs.get("src", "").startswith("/static/"):
            self.wrong.append((tag, attrs))
        if tag in ("iframe", "object", "embed", "base", "style", "img", "math"):
            self.wrong.append((tag, attrs))
        for name, value in attrs.items():
            value = (value or "").strip().lower()
            if name.startswith("on") or name == "style":
                self.wrong.append((tag, name, value))
            addressed = name in ("href", "src", "action") and ":" in value.split("/")[0]
            is_bookmarklet = "bookmarklet" in (attrs.get("class") or "")
            if (
                addressed
                and not value.startswith(("http:", "https:", "mailto:"))
                and not is_bookmarklet
            ):
                self.wrong.append((tag, name, value))


def acts(html):
    """Return what acts in a page."""
    reader = _Reader()
    reader.feed(html)
    return reader.wrong
