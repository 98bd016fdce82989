"""Two Markdown parsers see the same items, headings, rows and links as we do.

Where the three differ on purpose is written down in docs/lists.md, "Differences from two parsers".
"""

from bisect import bisect_right
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from markdown_it import MarkdownIt

from studiolo.lists import Document


pyromark = pytest.importorskip("pyromark")
MARKDOWN_IT = MarkdownIt("commonmark").enable("table")
WRITTEN = ("inline", "reference", "auto")  # the links that both parsers know


def our_view(text):
    doc = Document(text.encode())
    blocks = list(doc.root.walk())
    return (
        sorted(block.line for block in blocks if block.kind == "item"),
        sorted((heading.line, heading.level) for heading in doc.headings),
        sorted(block.line for block in blocks if block.kind == "row"),
        sorted((link.span[0], link.url) for link in doc.links if link.kind in WRITTEN),
    )


def pyromark_view(text):
    data = text.encode()
    starts = [0, *(i + 1 for i, byte in enumerate(data) if byte == 10)]
    items, headings, rows, links = [], [], [], []
    for event, span in pyromark.events_with_range(text, options=pyromark.Options.ENABLE_TABLES):
        start = event.get("Start") if isinstance(event, dict) else None
        line = bisect_right(starts, span["start"])
        if start == "Item":
            items.append(line)
        elif start in ("TableHead", "TableRow"):
            rows.append(line)
        elif isinstance(start, dict) and "Heading" in start:
            headings.append((line, int(str(start["Heading"]["level"])[-1])))
        elif isinstance(start, dict) and "Link" in start:
            links.append((span["start"], start["Link"]["dest_url"]))
    return sorted(items), sorted(headings), sorted(rows), sorted(links)


def markdown_it_view(text):
    tokens = MARKDOWN_IT.parse(text)
    return (
        sorted(t.map[0] + 1 for t in tokens if t.type == "list_item_open"),
        sorted((t.map[0] + 1, int(t.tag[1])) for t in tokens if t.type == "heading_open"),
        sorted(t.map[0] + 1 for t in tokens if t.type == "tr_open"),
        sorted(
            c.attrs["href"] for t in tokens if t.type == "inline" for c in t.children if c.type == "link_open"
        ),
    )  # fmt: skip


def test_pyromark_sees_the_same_in_a_real_list(real_list):
    text = real_list.read_bytes().decode()
    assert our_view(text) == pyromark_view(text)


def test_markdown_it_sees_the_same_in_a_real_list(real_list):
    text = real_list.read_bytes().decode()
    *blocks, links = our_view(text)
    *their_blocks, their_links = markdown_it_view(text)
    assert blocks == their_blocks
    assert Counter(MARKDOWN_IT.normalizeLink(url) for _, url in links) == Counter(their_links)


def is_told_in_the_docs(text):
    """Whether a text holds what docs/lists.md says is read differently, on purpose."""
    return (
        "\r" in text  # a lone carriage return ends no line here
        or "\x00" in text  # replaced by both parsers
        or text.startswith(("---", "+++", "\ufeff"))  # front matter, byte order mark
        or "[[" in text  # wikilinks
        or "<a" in text  # a link, not only html
        or "- |" in text  # "- | -" under a header: the three disagree among themselves
        or "http"
        in text.replace("](http", "").replace("<http", "").replace(": http", "")  # bare addresses
    )


@pytest.mark.slow
def test_both_parsers_agree_with_us_wherever_they_agree(markdown):
    @settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(markdown)
    def holds(text):
        if is_told_in_the_docs(text):
            return
        ours, theirs, others = our_view(text), pyromark_view(text), markdown_it_view(text)
        for mine, one, other in zip(ours[:3], theirs[:3], others[:3], strict=True):
            if one == other:
                assert mine == one
        urls = sorted(MARKDOWN_IT.normalizeLink(url) for _, url in theirs[3])
        if urls == others[3]:
            assert ours[3] == theirs[3]

    holds()


DIFFERENCES = [
    ("---\ntitle: x\n---\n* a\n", (1, 0), (1, 1), (1, 1), "front matter"),
    ("* a\r* b\n", (1, 0), (2, 0), (2, 0), "a lone carriage return"),
    ("* " * 40 + "a\n", (31, 0), (40, 0), (10, 0), "nesting beyond 32"),
]


@pytest.mark.parametrize(
    ("text", "ours", "theirs", "others", "why"), DIFFERENCES, ids=[d[-1] for d in DIFFERENCES]
)
def test_difference_is_as_the_docs_tell(text, ours, theirs, others, why):
    counts = [
        (len(view[0]), len(view[1]))
        for view in (our_view(text), pyromark_view(text), markdown_it_view(text))
    ]
    assert counts == [ours, theirs, others], why
