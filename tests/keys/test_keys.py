from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from studiolo.errors import UsageError
from studiolo.keys import (
    Key,
    Mention,
    address,
    address_of,
    find_key,
    find_mention,
    page_address,
    why_not_a_page,
)
from studiolo.keys.key import ARXIV_ARCHIVES, KINDS, find_arxiv


ROWS = [
    line.split("\t")
    for line in Path(__file__).with_name("urls.tsv").read_text(encoding="utf-8").splitlines()[1:]
]


def test_table_holds_four_hundred_addresses():
    assert len({row[0] for row in ROWS}) >= 400


@pytest.mark.parametrize(("url", "key", "version", "position"), ROWS, ids=[row[0] for row in ROWS])
def test_address_has_the_key_of_the_table(url, key, version, position):
    mention = find_mention(url)
    if key == "-":
        assert mention is None
        return
    assert mention is not None
    assert str(mention.key) == key
    assert mention.version == (int(version.removeprefix("v")) if version else None)
    assert mention.position_s == (int(position) if position else None)
    assert mention.url == url


def test_every_key_of_the_table_parses_back():
    for _, text, *_ in ROWS:
        if text != "-":
            assert str(Key.parse(text)) == text


def test_keys_are_ordered_and_frozen():
    keys = [
        Key.parse("url:https://a.org/x"),
        Key.parse("arxiv:2105.03824"),
        Key.parse("arxiv:1706.03762"),
    ]
    assert [str(key) for key in sorted(keys)] == [
        "arxiv:1706.03762", "arxiv:2105.03824", "url:https://a.org/x",
    ]  # fmt: skip
    with pytest.raises(AttributeError):
        keys[0].value = "other"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("2105.03824", "arxiv:2105.03824"),
        ("2105.03824v2", "arxiv:2105.03824"),
        ("arXiv:2105.03824v2", "arxiv:2105.03824"),
        ("arxiv:math.GT/0309136", "arxiv:math/0309136"),
        (" github:OpenAI/CLIP ", "github:openai/clip"),
        ("github:1296269", "github:1296269"),
        ("doi:10.48550/arXiv.2105.03824", "arxiv:2105.03824"),
        ("10.18653/v1/N19-1423", "acl:N19-1423"),
        ("https://youtu.be/JJR3pBl78zw?t=3", "youtube:JJR3pBl78zw"),
        ("url:http://www.example.org/a/", "url:https://example.org/a"),
        ("x:1798863559243513937", "x:1798863559243513937"),
    ],
)
def test_a_key_can_be_written_in_many_ways(text, key):
    assert str(find_key(text)) == key


@pytest.mark.parametrize(
    "text",
    ["2105.03824", "10.18653/v1/N19-1423", "https://youtu.be/JJR3pBl78zw", "ARXIV:2105.03824"],
)
def test_stored_key_is_kind_and_value_and_nothing_else(text):
    assert find_key(text)
    with pytest.raises(UsageError, match=r"is not a key\. Write kind:value"):
        Key.parse(text)


@pytest.mark.parametrize(
    "text", ["", "fnet", "arxiv:", "arxiv:2113.03824", "doi:nonsense", "youtube:short", "a.md"]
)
def test_what_is_no_key_is_told_what_would_be(text):
    with pytest.raises(
        UsageError, match=r"is not a key. Write kind:value, for example arxiv:2105.03824"
    ):
        find_key(text)


@pytest.mark.parametrize("archive", sorted(ARXIV_ARCHIVES))
def test_every_archive_of_arxiv_gives_keys_and_half_of_its_name_gives_none(archive):
    key = find_key(f"https://arxiv.org/abs/{archive}/0405001v2")
    assert str(key) == f"arxiv:{archive}/0405001"
    assert Key.parse(str(key)) == key == find_key(f"{archive}/0405001")
    for half in archive.split("-"):
        if half not in ARXIV_ARCHIVES:  # math-ph begins with one
            assert find_arxiv(f"{half}/0405001") is None


def test_archives_are_those_that_arxiv_has_had():
    assert len(ARXIV_ARCHIVES) == 34
    assert {"nucl-ex", "nucl-th", "hep-ph", "cs", "q-bio"} <= ARXIV_ARCHIVES
    assert not {"nucl-", "ex", "ph"} & ARXIV_ARCHIVES


def test_relative_link_has_no_key():
    for text in ("topics/a.md", "#place", "https://www..0", "https://a..org/x", "https://www./"):
        assert find_mention(text) is None


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://www.0", "url:https://www.0"),
        ("www.www.example.org/a", "url:https://example.org/a"),
        ("https://www.com/", "url:https://www.com"),
    ],
)
def test_host_called_www_keeps_its_name(url, key):
    assert str(find_key(url)) == key
    assert find_key(key) == Key.parse(key)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "java\tscript:alert(1)",
        "java\nscr\ript:alert(1)",
        "\x01javascript:alert(1)",
        "\x00\x1f  JaVaScRiPt:alert(1)",
        "javascript\t:alert(1)",
        "JaVaScRiPt&colon;alert(1)",
        "java&Tab;script&colon;alert(1)",
        "&#106;avascript&#58;alert(1)",
        "java\u200bscript:alert(1)",
        "vb\tscript:x",
        "\x02data:text/html,x",
    ],
)
def test_script_is_not_a_page_however_it_is_spelt(url):
    assert why_not_a_page(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://a.org/javascript:",
        "http://a.org/?x=data:1",
        "a.org",
        "file:///x",
        "https://a.org/&colon;",
    ],
)
def test_page_is_not_taken_for_a_script(url):
    assert why_not_a_page(url) is None


def test_bookmark_without_an_address_is_not_a_page():
    assert why_not_a_page(" \t\x01") == "a bookmark without an address"


@pytest.mark.parametrize(
    "url",
    [
        "chrome-extension://efaidnbmnnnibpcajpcglclefindmkaj/https://arxiv.org/pdf/2104.13478.pdf",
        "about:reader?url=https%3A%2F%2Farxiv.org%2Fpdf%2F2104.13478.pdf",
        "view-source:https://arxiv.org/pdf/2104.13478.pdf",
    ],
)
def test_page_in_a_viewer_of_the_browser_is_a_page_and_has_an_address_of_its_own(url):
    assert why_not_a_page(url) is None
    assert page_address(url) == "https://arxiv.org/pdf/2104.13478.pdf"


@pytest.mark.parametrize(
    "url",
    ["about:config", "chrome-extension://abc/options.html", "https://a.org/x", "ftp://a.org/b"],
)
def test_what_wraps_nothing_is_its_own_address(url):
    assert page_address(url) == url


@pytest.mark.parametrize(
    "doi",
    [
        "10.1175/1520-0477(1996)077<0437:tnyrp>2.0.co;2",
        "10.1002/(sici)1521-3951(199911)216:1<135::aid-pssb135>3.0.co;2-#",
        "10.1000/a#b",
        "10.1000/what?next",
        "10.1000/100%25",
        "10.1000/[x]{y}",
    ],
)
def test_address_of_any_doi_opens_it_and_gives_it_back(doi):
    address = address_of(Key("doi", doi))
    assert not set("<>#?[]{}") & set(address.removeprefix("https://doi.org/"))
    assert find_key(address) == Key("doi", doi)


@pytest.mark.parametrize(
    "value", ["cvpr2018/Ulyanov_Deep_Image_Prior", "iccv2021/Caron_Emerging_Properties"]
)
def test_address_of_a_cvf_paper_gives_its_key_back(value):
    assert find_key(address_of(Key("cvf", value))) == Key("cvf", value)


def test_names_in_composed_and_decomposed_letters_are_one():
    composed, decomposed = (
        "https://example.org/Erd\u0151s?q=\u00e9#\u00fc",
        "https://example.org/Erdo\u030bs?q=e\u0301#u\u0308",
    )
    assert composed != decomposed
    assert find_key(composed) == find_key(decomposed)


def test_two_places_of_one_repository_have_one_key_and_two_paths():
    one = find_mention("https://github.com/google-research/google-research/tree/master/performer")
    other = find_mention("https://github.com/google-research/google-research/tree/master/f_net")
    assert one.key == other.key
    assert (one.path, other.path) == ("tree/master/performer", "tree/master/f_net")


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("https://github.com/old-/name", "github:old-/name"),
        ("https://github.com/old-/name/tree/main/code", "github:old-/name"),
        ("https://github.com/-new/name", "url:https://github.com/-new/name"),
    ],
)
def test_owner_on_github_may_end_with_a_hyphen_as_old_accounts_do_and_never_begins_with_one(
    address, key
):
    assert str(find_mention(address).key) == key
    assert str(Key.parse(key)) == key


def test_only_papers_name_papers():
    papers = {"arxiv", "doi", "openreview", "acl", "pmlr", "cvf"}
    for url, text, *_ in ROWS:
        if text != "-" and not text.startswith("url:"):
            assert find_key(url).names_paper == (text.partition(":")[0] in papers)
    assert find_key("https://people.example.org/paper.pdf").names_paper
    assert find_key("https://papers.nips.cc/paper/5423-generative-adversarial-nets").names_paper
    assert not find_key("https://example.org/blog").names_paper


def test_kinds_are_those_of_the_design():
    assert set(KINDS) == {
        "arxiv", "doi", "github", "openreview", "acl", "pmlr", "cvf", "youtube", "reddit", "x", "url",
    }  # fmt: skip


@given(
    st.from_regex(r"[0-9]{2}(0[1-9]|1[0-2])\.[0-9]{4,5}(v[1-9])?", fullmatch=True),
    st.sampled_from("0123456789"),
)
def test_a_digit_on_either_side_makes_it_no_arxiv_id(text, digit):
    assert find_arxiv(digit + text) is None or find_arxiv(digit + text)[0].value not in text
    bare = text.partition("v")[0]
    found = find_arxiv(bare + digit * 2)
    assert found is None or found[0].value != bare


@given(st.text(max_size=80))
@example("WWW.WWW.0")
@example("WWW.WWW..0")
def test_no_text_makes_finding_a_key_fail(text):
    for url in (
        text,
        f"https://{text}",
        f"https://arxiv.org/abs/{text}",
        f"https://github.com/{text}",
    ):
        mention = find_mention(url)
        if mention is not None:
            assert Key.parse(str(mention.key)) == mention.key


@given(st.sampled_from([row[0] for row in ROWS if row[1] != "-"]))
def test_the_key_of_a_url_key_is_itself(url):
    key = find_key(url)
    if key.kind == "url":
        assert find_key(key.value) == key


def test_address_with_half_a_character_has_a_key():
    key = find_key("https://arxiv.org/x/2105\ud80024")
    assert key is not None
    assert str(key).isascii()


_PIECES = "www.|blog|a|arxiv|proxy|lib|x.org|x.com|example|10.1145|10.|index.html|p.pdf|http|eyJhbGciOi|aHR0cHM6Ly9h|amp|~u|a_b|-|..|2019|translate.goog|doi.org|github.com|o|n|abs|1901.12345|youtu.be"


@given(st.lists(st.sampled_from(_PIECES.split("|")), min_size=1, max_size=3), st.lists(st.sampled_from(_PIECES.split("|")), max_size=4), st.sampled_from(["", "/", "//"]))  # fmt: skip
def test_plain_address_is_read_at_once_as_it_is_taken_apart(host, path, end):
    url = f"https://{'.'.join(host)}{''.join('/' + piece for piece in path)}{end}"
    if plain := address._find_plain(url):
        found = address._find(url)
        assert plain == Mention(found.key, url, found.version, found.position_s, found.path)


def test_month_stands_in_an_arxiv_id_and_nowhere_else():
    months = {text: Key.parse(text).month for text in ("arxiv:2105.03824", "arxiv:cs/9901001", "arxiv:math/0309136", "doi:10.1000/2105.03824")}  # fmt: skip
    assert list(months.values()) == ["2021-05", "1999-01", "2003-09", ""]
