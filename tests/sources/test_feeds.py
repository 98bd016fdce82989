"""Feeds of four kinds: what each entry becomes, and what is not one."""

import json

import pytest

from studiolo.errors import NetworkError, SourceError, UsageError
from studiolo.sources.feeds import fetch_feed, load_feed, parse_feed
from tests.net.server import Said

from .reading import split


RSS = """<?xml version="1.0"?>
<rss version="2.0"><channel><title>Saved</title><link>https://example.org/</link>
<item><title>A &amp; B</title><link>https://example.org/a</link><guid isPermaLink="false">17</guid>
<description>&lt;p&gt;See &lt;a href="https://arxiv.org/abs/2101.00001"&gt;this&lt;/a&gt; https://arxiv.org/abs/2101.00002&lt;/p&gt;&lt;script&gt;x()&lt;/script&gt;</description>
<category>nlp</category><category>nlp</category><pubDate>Fri, 02 Jan 2026 03:04:05 +0100</pubDate><author>ada@example.org (Ada Lovelace)</author></item>
<item><title>No link</title></item>
<item><title>Bad</title><link>javascript:alert(1)</link></item>
</channel></rss>"""
ARXIV = """<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0"><channel>
<title>cs.LG updates on arXiv.org</title><link>http://rss.arxiv.org/rss/cs.LG</link>
<item><title>Mixing
  Tokens</title><link>https://arxiv.org/abs/2105.03824</link>
<description>arXiv:2105.03824v1 Announce Type: new
Abstract: We mix tokens.</description><guid isPermaLink="false">oai:arXiv.org:2105.03824v1</guid>
<category>cs.CL</category><category>cs.LG</category><pubDate>Mon, 10 May 2021 00:00:00 -0400</pubDate>
<arxiv:announce_type>new</arxiv:announce_type><dc:creator>James Lee-Thorp, Joshua Ainslie</dc:creator></item>
<item><title>Old</title><link>https://arxiv.org/abs/1706.03762</link><arxiv:announce_type>replace-cross</arxiv:announce_type></item>
</channel></rss>"""
ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://example.org/blog/"><title>F</title><id>urn:f</id><updated>2026-01-01T00:00:00Z</updated>
<entry><title type="html">On &lt;b&gt;FNet&lt;/b&gt;</title><id>urn:1</id><updated>2026-01-02T00:00:00Z</updated>
<link rel="alternate" href="post"/><link rel="related" href="https://arxiv.org/abs/2105.03824"/>
<author><name>Ada</name></author><author><name>Grace</name></author><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Words &amp; more</div></content></entry>
</feed>"""
JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "J",
    "home_page_url": "https://example.org/",
    "items": [
        {"id": "9", "url": "/x", "title": "X", "content_html": "<p>Hi</p>", "date_published": "2026-01-02T03:04:05+01:00", "tags": ["a", 3], "authors": [{"name": "Ada"}], "external_url": "https://arxiv.org/abs/2101.00001"},
        {"id": "10"},
        "junk",
    ],
}  # fmt: skip


def read(text, base=""):
    data = text.encode() if isinstance(text, str) else json.dumps(text).encode()
    items, _, skipped = split(parse_feed(data, "feed", base))
    return items, [str(one) for one in skipped]


def test_rss_gives_title_text_tags_date_and_the_papers_in_it():
    [item], skipped = read(RSS)
    assert (item.url, item.title) == ("https://example.org/a", "A & B")
    assert item.about == "See this https://arxiv.org/abs/2101.00002"
    assert (item.tags, item.saved_at) == (("nlp",), "2026-01-02T02:04:05Z")
    assert (item.authors, item.native) == (("Ada Lovelace",), "https://example.org/ 17")
    assert [(link.role, link.url) for link in item.links] == [
        ("mention", "https://arxiv.org/abs/2101.00002")
    ]
    assert skipped[0] == "feed, item 2: an entry without a link: No link"
    assert len(skipped) == 2


def test_listing_of_arxiv_gives_papers_and_skips_new_versions_of_older_ones():
    [item], skipped = read(ARXIV)
    assert (item.url, item.title) == ("https://arxiv.org/abs/2105.03824", "Mixing Tokens")
    assert item.authors == ("James Lee-Thorp", "Joshua Ainslie")
    assert (item.about, item.year) == ("We mix tokens.", 2021)
    assert (item.tags, item.extra) == ((), {"categories": "cs.CL cs.LG"})
    assert skipped == ["feed, item 2: a new version of what was announced before: Old"]


def test_atom_resolves_relative_links_and_keeps_what_it_is_about():
    [item], _ = read(ATOM)
    assert (item.url, item.title) == ("https://example.org/blog/post", "On FNet")
    assert item.authors == ("Ada", "Grace")
    assert item.about == "Words & more"
    assert [(link.role, link.url) for link in item.links] == [
        ("target", "https://arxiv.org/abs/2105.03824")
    ]


def test_json_feed_is_read_and_what_is_not_an_entry_is_skipped():
    [item], skipped = read(JSON_FEED)
    assert (item.url, item.title, item.about) == ("https://example.org/x", "X", "Hi")
    assert (item.tags, item.authors) == (("a", "3"), ("Ada",))
    assert item.saved_at == "2026-01-02T02:04:05Z"
    assert (item.native, len(skipped)) == ("https://example.org/ 9", 2)


def test_same_entry_has_the_same_identity_whenever_it_is_read():
    assert [item.identity for item in read(RSS)[0]] == [item.identity for item in read(RSS)[0]]


@pytest.mark.parametrize(
    "text",
    ["", "nothing", "<html><body>x</body></html>", '{"version": "1"}', "{", "<?xml version='1.0'?><x/>"],
)  # fmt: skip
def test_what_is_not_a_feed_is_said(text):
    with pytest.raises(SourceError, match=r"not a feed|not a JSON Feed|not JSON"):
        read(text)


def test_entities_that_explode_do_not():
    bomb = '<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
    ) + "]>"  # fmt: skip
    text = RSS.replace('<?xml version="1.0"?>', '<?xml version="1.0"?>' + bomb).replace("A &amp; B", "&j;")  # fmt: skip
    items, _ = read(text)
    assert all(len(item.title) <= 1000 for item in items)


def test_file_of_another_machine_is_not_read_through_an_entity(tmp_path):
    (tmp_path / "secret").write_text("SECRET")
    entity = f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{(tmp_path / "secret").as_uri()}">]>'
    text = RSS.replace('<?xml version="1.0"?>', '<?xml version="1.0"?>' + entity).replace("A &amp; B", "&x;")  # fmt: skip
    assert "SECRET" not in repr(read(text))


def test_file_is_read_and_counted(tmp_path):
    (tmp_path / "a.xml").write_text(RSS)
    seen = []
    items, _, _ = split(load_feed(tmp_path / "a.xml", seen.append))
    assert (len(items), sum(seen)) == (1, len(RSS.encode()))
    assert items[0].place == "a.xml, item 1"


def test_feed_is_fetched_and_relative_links_are_those_of_its_address(server, client):
    server.say("/f", Said(RSS.replace("https://example.org/a", "/a").encode(), headers={"Content-Type": "text/xml"}))  # fmt: skip
    [item], _, _ = split(fetch_feed(client, f"{server.url}/f"))
    assert item.url == f"{server.url}/a"


def test_web_page_says_which_feed_it_names(server, client):
    page = '<!doctype html><html><link rel="alternate" type="application/atom+xml" href="/atom.xml?a=1&amp;b=2">'
    server.say("/p", Said(page.encode()))
    with pytest.raises(NetworkError, match=r"studiolo collect feed http://127\.0\.0\.1:\d+/atom\.xml\?a=1&b=2"):  # fmt: skip
        split(fetch_feed(client, f"{server.url}/p"))
    server.say("/p", Said(b"<html>"))
    with pytest.raises(NetworkError, match="Give the address of its RSS or Atom feed"):
        split(fetch_feed(client, f"{server.url}/p"))
    with pytest.raises(NetworkError, match="There is nothing at"):
        split(fetch_feed(client, f"{server.url}/q"))
    with pytest.raises(UsageError, match="neither a file nor an address"):
        split(fetch_feed(client, "file:///etc/passwd"))
