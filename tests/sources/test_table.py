import pytest

from studiolo.errors import NetworkError, SourceError, UsageError
from studiolo.sources.table import fetch_tables, load_tables, parse_tables
from tests.net.server import Said

from .reading import split


TABLE = """# Papers

## Attention

| Paper | Date added | Tags | Notes | Code |
| --- | --- | --- | --- | --- |
| [FNet](https://arxiv.org/abs/2105.03824) | 2021-05-25 | fourier, mixing | a \\| b | [jax](https://github.com/google-research/f_net) |
| Longformer | 25.05.2021 | | no link here | |

other text

| a | b |
|---|---|
| https://arxiv.org/abs/1912.07242 | some words |
"""


def read(text):
    return split(parse_tables(text.encode(), "t.md"))


def test_row_keeps_section_date_tags_note_and_other_cells():
    items, _, skipped = read(TABLE)
    first, second = items
    assert (first.url, first.title, first.folder) == (
        "https://arxiv.org/abs/2105.03824",
        "FNet",
        ("Papers", "Attention"),
    )
    assert (first.saved_at, first.tags, first.note) == (
        "2021-05-25T00:00:00Z",
        ("fourier", "mixing"),
        "a | b",
    )
    assert [(link.role, link.url) for link in first.links] == [
        ("row", "https://github.com/google-research/f_net")
    ]
    assert first.extra == {"code": "jax"}
    assert first.place == "t.md:7"
    assert (second.title, second.extra) == ("", {"b": "some words"})
    assert [str(one) for one in skipped] == [
        "t.md:8: a row without a web address: Longformer | 25.05.2021 | no link here"
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_rows_with_trailing_blanks_and_missing_outer_pipes_are_read(newline):
    text = newline.join(
        ["Paper | Year ", "---|---", "[A](https://a.org/) | 2020  ", "[B](https://b.org/)"]
    )
    items, _, _ = read(text)
    assert [(item.title, item.extra) for item in items] == [("A", {"year": "2020"}), ("B", {})]


def test_reference_links_and_html_links_are_read():
    items, _, _ = read(
        '| p |\n|---|\n| [A][1] |\n| <a href="https://b.org/">B</a> |\n\n[1]: https://a.org/\n'
    )
    assert [item.url for item in items] == ["https://a.org/", "https://b.org/"]


def test_heading_inside_a_quotation_is_no_folder():
    items, _, _ = read(
        "# A\n\n> ## B\n\n| p |\n|---|\n| https://a.org/ |\n\n> | p |\n> |---|\n> | https://b.org/ |\n"
    )
    assert [(item.url, item.folder) for item in items] == [
        ("https://a.org/", ("A",)), ("https://b.org/", ("A",)),
    ]  # fmt: skip


def test_columns_mean_what_they_mean_in_lists():
    items, _, _ = read(
        "| Model | Publication | Published | Date | Added on | Abstract | My notes | Read? |\n"
        "|---|---|---|---|---|---|---|---|\n"
        "| FNet | [FNet: Mixing](https://a.org/) | 2020-01-01 | 2021-01-01 | 2022-01-01 | we | mine | yes |\n"
    )
    (item,) = items
    assert (item.title, item.saved_at, item.about, item.note) == (
        "FNet: Mixing", "2022-01-01T00:00:00Z", "we", "mine",
    )  # fmt: skip
    assert item.extra == {
        "model": "FNet", "published": "2020-01-01", "date": "2021-01-01", "read?": "yes",
    }  # fmt: skip


def test_table_whose_first_row_is_already_a_paper_loses_nothing():
    items, _, _ = read("| [A](https://a.org/) | x |\n|---|---|\n| [B](https://b.org/) | y |\n")
    assert [item.url for item in items] == ["https://a.org/", "https://b.org/"]


def test_script_as_an_address_is_no_address():
    items, _, skipped = read("| p |\n|---|\n| [x](javascript:alert(1)) |\n")
    assert items == []
    assert len(skipped) == 1


def test_folder_is_read_file_by_file_without_hidden_ones(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").mkdir()
    for place in ("a.md", "sub/b.md", ".git/c.md"):
        (tmp_path / place).write_text(TABLE)
    items, _, _ = split(load_tables(tmp_path))
    assert [item.place for item in items] == ["a.md:7", "a.md:14", "sub/b.md:7", "sub/b.md:14"]


def test_folder_without_markdown_is_told(tmp_path):
    with pytest.raises(SourceError, match="There is no Markdown file below"):
        list(load_tables(tmp_path))


GIST = "0123456789abcdef0123456789abcdef"


def test_gist_is_asked_by_its_number(server, client):
    server.say(
        f"/gists/{GIST}",
        Said.json(
            {"files": {"papers.md": {"content": TABLE}, "x.py": {"content": "|"}, "y.md": 3}}
        ),
    )
    items, _, _ = split(fetch_tables(client, f"https://gist.github.com/me/{GIST}", server.url))
    assert [item.place for item in items] == [
        "gist 0123456/papers.md:7",
        "gist 0123456/papers.md:14",
    ]


def test_unknown_gist_is_told(server, client):
    with pytest.raises(NetworkError, match="GitHub knows no gist"):
        list(fetch_tables(client, f"https://gist.github.com/{GIST}.git", server.url))


def test_raw_address_is_read(server, client):
    server.say("/papers.md", Said(TABLE.encode()))
    items, _, _ = split(fetch_tables(client, f"{server.url}/papers.md"))
    assert len(items) == 2


def test_web_page_in_place_of_markdown_is_told(server, client):
    server.say("/papers.md", Said(b"<!DOCTYPE html><html>"))
    with pytest.raises(NetworkError, match="is a web page, not Markdown"):
        list(fetch_tables(client, f"{server.url}/papers.md"))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "https://gist.github.com/me", "https://github.com/me/repo"]
)
def test_what_is_no_file_to_fetch_is_told(client, url):
    with pytest.raises(UsageError):
        list(fetch_tables(client, url))


@pytest.mark.parametrize(
    ("row", "urls"),
    [
        ("| Ships | 1812.00001 | |", ["https://arxiv.org/abs/1812.00001"]),
        ("| Ships | arXiv:1812.00001v2 | 10.1162/neco.1989.1.4.541 |", ["https://arxiv.org/abs/1812.00001", "https://doi.org/10.1162/neco.1989.1.4.541"]),
        ("| Ships | | 10.1162/neco.1989.1.4.541 |", ["https://doi.org/10.1162/neco.1989.1.4.541"]),
        ("| Ships | hep-th/9711200 | |", ["https://arxiv.org/abs/hep-th/9711200"]),
        ("| Ships | github.com/a/b | |", ["https://github.com/a/b"]),
        ("| Ships | 2018.0001 | 1/2 |", []),
    ],
)  # fmt: skip
def test_bare_ids_of_a_row_are_its_addresses(row, urls):
    items, _, skipped = split(
        parse_tables(f"| Title | arXiv | DOI |\n|---|---|---|\n{row}\n".encode(), "t")
    )
    found = [
        address for item in items for address in (item.url, *(link.url for link in item.links))
    ]
    assert found == urls
    assert len(items) + len(skipped) == 1
