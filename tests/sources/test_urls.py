import pytest

from studiolo.errors import SourceError
from studiolo.keys import find_key
from studiolo.sources.guard import LINE_BYTES
from studiolo.sources.urls import load_urls, parse_stream

from .reading import split, stream


def read(text):
    return split(parse_stream(stream(text)))


@pytest.mark.parametrize(
    ("line", "url", "title", "note"),
    [
        ("2105.03824", "https://arxiv.org/abs/2105.03824", "", ""),
        ("  arXiv:2105.03824v2 ", "https://arxiv.org/abs/2105.03824v2", "", ""),
        ("math.GT/0309136", "https://arxiv.org/abs/math/0309136", "", ""),
        ("https://arxiv.org/abs/2105.03824", "https://arxiv.org/abs/2105.03824", "", ""),
        ("https://x.org/a | A title", "https://x.org/a", "A title", ""),
        (
            "[FNet](https://arxiv.org/abs/2105.03824) - read this",
            "https://arxiv.org/abs/2105.03824",
            "FNet",
            "FNet - read this",
        ),
        ("doi:10.1038/s41586-021-03819-2", "https://doi.org/10.1038/s41586-021-03819-2", "", ""),
        (
            "look: https://x.org/a, it is good",
            "https://x.org/a",
            "",
            "look: https://x.org/a, it is good",
        ),
        ('<a href="https://x.org/a">X</a>', "https://x.org/a", "X", ""),
    ],
)
def test_line_gives_its_address_and_keeps_its_words(line, url, title, note):
    items, _, skipped = read(line)
    assert [(item.url, item.title, item.note) for item in items] == [(url, title, note)]
    assert skipped == []


def test_same_address_twice_is_read_twice_and_known_the_second_time():
    first, second = read("https://x.org/a | A\nhttps://x.org/a\n")[0]
    assert first == second


def test_second_remark_about_an_address_is_kept():
    items, _, _ = read("https://x.org/a | A name\nhttps://x.org/a needs another look\n")
    assert [(item.title, item.note) for item in items] == [
        ("A name", ""),
        ("", "needs another look"),
    ]


@pytest.mark.parametrize(
    ("line", "urls"),
    [
        ("10.1162/neco.1989.1.4.541", ["https://doi.org/10.1162/neco.1989.1.4.541"]),
        ("its DOI is 10.1016/0893-6080(89)90020-8.", ["https://doi.org/10.1016/0893-6080(89)90020-8"]),
        ("arxiv.org/abs/1412.6980", ["https://arxiv.org/abs/1412.6980"]),
        ("dx.doi.org/10.1162/neco.1989.1.4.541", ["https://doi.org/10.1162/neco.1989.1.4.541"]),
        ("aclanthology.org/N19-1423", ["https://aclanthology.org/N19-1423"]),
        ("github.com/owner/name and youtu.be/JJR3pBl78zw", ["https://github.com/owner/name", "https://www.youtube.com/watch?v=JJR3pBl78zw"]),
        ("https://arxiv.org/abs/1412.6980|https://arxiv.org/abs/1502.03167", ["https://arxiv.org/abs/1412.6980", "https://arxiv.org/abs/1502.03167"]),
        ("https://arxiv.org/abs/1412.6980,https://example.org/b", ["https://arxiv.org/abs/1412.6980", "https://example.org/b"]),
        ("https://arxiv.org/abs/1412.6980https://arxiv.org/abs/1502.03167", ["https://arxiv.org/abs/1412.6980", "https://arxiv.org/abs/1502.03167"]),
        ("arXiv:math/1601.07616", ["https://arxiv.org/abs/1601.07616"]),
        ("cond-mat/0408187v2", ["https://arxiv.org/abs/cond-mat/0408187v2"]),
        ("about:reader?url=https%3A%2F%2Farxiv.org%2Fabs%2F1412.6980", ["https://arxiv.org/abs/1412.6980"]),
        (
            "10.1002/(SICI)1097-0258(19980815/30)17:15/16<1661::AID-SIM968>3.0.CO;2-2 is old",
            ["https://doi.org/10.1002/(sici)1097-0258(19980815/30)17:15/16%3C1661::aid-sim968%3E3.0.co;2-2"],
        ),
    ],
)  # fmt: skip
def test_text_is_understood_as_a_typed_key_is(line, urls):
    items, _, skipped = read(line)
    assert ([item.url for item in items], skipped) == (urls, [])


@pytest.mark.parametrize(
    "line",
    [
        "write to me@example.org/x",
        "either and.or/50",
        "1/2 of 10.5/3",
        "see chapter 3.14/2",
        "http://",
    ],
)
def test_what_only_looks_like_an_address_is_skipped(line):
    assert read(line)[0] == []


def test_two_doi_with_angle_brackets_are_two():
    text = "https://doi.org/10.1175/1520-0477(1996)077<0935:WOTWSM>2.0.CO;2\nhttps://doi.org/10.1175/1520-0477(1996)077<0437:TNYRP>2.0.CO;2\n"
    items, _, _ = read(text)
    assert [str(find_key(item.url)) for item in items] == [
        "doi:10.1175/1520-0477(1996)077<0935:wotwsm>2.0.co;2",
        "doi:10.1175/1520-0477(1996)077<0437:tnyrp>2.0.co;2",
    ]


def test_item_of_a_list_is_called_by_its_title_and_not_by_its_label():
    text = "- (2022-09) Ships and Shoes [paper](https://arxiv.org/abs/2209.00001)\n* On Sealing Wax [[pdf](https://arxiv.org/abs/2209.00002)] [[code](https://github.com/a/b)]\n"
    items, _, _ = read(text)
    assert [(item.url, item.title) for item in items] == [
        ("https://arxiv.org/abs/2209.00001", "Ships and Shoes"),
        ("https://arxiv.org/abs/2209.00002", "On Sealing Wax"),
        ("https://github.com/a/b", "code"),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-8-sig"])
def test_text_of_any_encoding_keeps_its_letters(tmp_path, encoding):
    path = tmp_path / "notes.txt"
    path.write_bytes("https://x.org/a | Über Möbel – naïve “Bäume”\n".encode(encoding))
    (item,), _, _ = split(load_urls(path))
    assert item.title == "Über Möbel – naïve “Bäume”"


def test_line_without_address_is_skipped_with_its_words():
    _, _, skipped = read("shopping list\n\nversion 1.2345\n")
    assert [str(one) for one in skipped] == [
        "pasted:1: no address, arXiv id or DOI: shopping list",
        "pasted:3: no address, arXiv id or DOI: version 1.2345",
    ]


def test_numbers_that_look_like_ids_are_none():
    items, _, _ = read("12105.03824 2105.038241 9913.00001 10.2105.03824")
    assert items == []


BIB = """
@misc{lee2021fnet, title={{FNet}: Mixing \\& Tokens}, author={James Lee-Thorp and Joshua Ainslie}, year={2021},
  eprint={2105.03824v3}, archivePrefix={arXiv}, note={read me}, keywords={a, b}, doi={10.18653/v1/2022.naacl-main.319}}
@article{x, title="No link"}
@article{lee2021fnet, title="Same key", url={https://x.org/a}}
@inproceedings{j, title={J}, journal={arXiv preprint arXiv:1912.07242}}
@article{broken, title={oops
"""


def test_bibtex_gives_title_tags_note_and_every_identity():
    items, _, skipped = read(BIB)
    first = next(item for item in items if item.title.startswith("FNet"))
    assert (first.url, first.title) == (
        "https://arxiv.org/abs/2105.03824v3",
        "FNet: Mixing & Tokens",
    )
    assert (first.note, first.tags, first.authors) == (
        "read me",
        ("a", "b"),
        ("James Lee-Thorp", "Joshua Ainslie"),
    )
    assert (first.cite_key, first.entry_type, first.year) == ("lee2021fnet", "misc", 2021)
    assert [(link.role, link.url) for link in first.links] == [
        ("same", "https://doi.org/10.18653/v1/2022.naacl-main.319")
    ]
    assert {item.url for item in items} == {
        "https://arxiv.org/abs/2105.03824v3",
        "https://x.org/a",
        "https://arxiv.org/abs/1912.07242",
    }
    assert len(items) + len(skipped) == 5
    assert any("no eprint, doi, url or isbn: No link" in one.why for one in skipped)
    assert any("not an entry of BibTeX" in one.why for one in skipped)


def test_bibtex_file_is_known_by_its_name_and_by_its_looks(tmp_path):
    (tmp_path / "a.bib").write_text("% comment\n" + BIB)
    (tmp_path / "b.txt").write_text(BIB)
    assert [len(split(load_urls(tmp_path / name))[0]) for name in ("a.bib", "b.txt")] == [3, 3]


def test_line_without_end_is_skipped_in_little_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "long.txt"
    with path.open("wb") as file:
        file.truncate(200 * LINE_BYTES)
    with path.open("ab") as file:
        file.write(b"\nhttps://x.org/a\n")
    tracemalloc.start()
    items, _, skipped = split(load_urls(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [item.url for item in items] == ["https://x.org/a"]
    assert f"a line longer than {LINE_BYTES:,} bytes" in skipped[0].why
    assert peak < 8 * LINE_BYTES


def test_missing_file_is_told(tmp_path):
    with pytest.raises(SourceError, match="There is no file"):
        list(load_urls(tmp_path / "none"))
