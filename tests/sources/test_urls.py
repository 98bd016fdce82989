import pytest

from studiolo.errors import SourceError
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


def test_same_address_twice_is_one():
    items, _, _ = read("https://x.org/a\nhttps://x.org/a\n")
    assert len(items) == 1


def test_line_without_address_is_skipped_with_its_words():
    _, _, skipped = read("shopping list\n\nversion 1.2345\n")
    assert [str(one) for one in skipped] == [
        "pasted:1: no address and no arXiv id: shopping list",
        "pasted:3: no address and no arXiv id: version 1.2345",
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
    assert (first.note, first.tags, first.extra["author"]) == (
        "read me",
        ("a", "b"),
        "James Lee-Thorp and Joshua Ainslie",
    )
    assert [(link.role, link.url) for link in first.links] == [
        ("same", "https://doi.org/10.18653/v1/2022.naacl-main.319")
    ]
    assert {item.url for item in items} == {
        "https://arxiv.org/abs/2105.03824v3",
        "https://x.org/a",
        "https://arxiv.org/abs/1912.07242",
    }
    assert len(items) + len(skipped) == 5
    assert any("no eprint, doi or url: No link" in one.why for one in skipped)
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
