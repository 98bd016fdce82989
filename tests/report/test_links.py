import pytest

from studiolo.lists import Document
from studiolo.report import chips_of, linked_text


@pytest.mark.parametrize(
    ("link", "chip"),
    [
        ("https://arxiv.org/abs/2105.03824v2", ("paper", "arXiv 2105.03824")),
        ("https://github.com/someone/code/tree/main", ("code", "someone/code")),
        ("https://www.youtube.com/watch?v=JJR3pBl78zw&t=1297s", ("talk", "talk at 21:37")),
        ("https://www.youtube.com/watch?v=JJR3pBl78zw&t=1h2m3s", ("talk", "talk at 1:02:03")),
        ("https://youtu.be/JJR3pBl78zw?t=59", ("talk", "talk at 0:59")),
        ("https://www.youtube.com/watch?v=JJR3pBl78zw&t=soon", ("talk", "talk")),
        ("https://www.youtube.com/watch?v=JJR3pBl78zw", ("talk", "talk")),
        ("https://jcsphysics.net/lit/gabor1946.pdf", ("paper", "jcsphysics.net")),
        ("../topics/kernels.md#old", ("page", "words")),
    ],
)
def test_chip_says_what_a_link_is(link, chip):
    text = f"# L\n\n* [Title](https://arxiv.org/abs/2101.00001)\n  * [words]({link})\n"
    (entry,) = Document(text.encode()).entries
    found = {one.url: (one.kind, one.text) for one in chips_of(entry)}
    assert found[link] == chip


def test_links_that_act_are_no_chips():
    (entry,) = Document(
        b"# L\n\n* [T](https://arxiv.org/abs/2101.00001)\n  * [a](javascript:alert(1).md) [b](data:x.md)\n"
    ).entries
    assert [chip.url for chip in chips_of(entry)] == ["https://arxiv.org/abs/2101.00001"]


def test_images_are_no_words_and_tags_no_links():
    badges = (
        "[![](https://img.shields.io/badge/9-nlp-4b9e32)](./tags/nlp.md)"
        " [![a tree](tree.png)](../trees.md) [![](tree.svg)](forests.md)"
    )
    (entry,) = Document(
        f"# L\n\n|Idea|Tags|\n|---|---|\n|[Rings](rings.md)|{badges}|\n".encode()
    ).entries
    assert entry.tags == ("nlp",)
    assert [chip.text for chip in chips_of(entry)] == ["rings.md", "a tree", "forests.md"]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a <b> & c", "a &lt;b&gt; &amp; c"),
        ("see https://a.example/x.", 'see <a href="https://a.example/x" rel="noreferrer">a.example/x</a>.'),
        ('https://a.example/"onclick="x', '<a href="https://a.example/" rel="noreferrer">a.example</a>&#34;onclick=&#34;x'),
        ("javascript:alert(1)", "javascript:alert(1)"),
    ],
)  # fmt: skip
def test_text_is_escaped_and_its_addresses_are_links(text, html):
    assert linked_text(text) == html
