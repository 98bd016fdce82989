"""A folder of PDF files: what their names and first pages say."""

import os
import sys

import pytest

from studiolo.errors import SourceError
from studiolo.sources import pdfs
from studiolo.sources.pdfs import keys_of_name, keys_of_page, load_pdfs

from .reading import split


@pytest.mark.parametrize(
    ("stem", "key"),
    [
        ("1706.03762", "arxiv:1706.03762"),
        ("1706.03762v2", "arxiv:1706.03762"),
        ("arXiv-2104.13478", "arxiv:2104.13478"),
        ("[2104.13478] Geometric Deep Learning", "arxiv:2104.13478"),
        ("2104.13478 (1)", "arxiv:2104.13478"),
        ("hep-th_9711200", "arxiv:hep-th/9711200"),
        ("hep-th9711200v3", "arxiv:hep-th/9711200"),
        ("cs0112017", "arxiv:cs/0112017"),
        ("10.1038_nature14539", "doi:10.1038/nature14539"),
        ("10.1038%2Fnature14539", "doi:10.1038/nature14539"),
        ("10.1007_978-3-319-24574-4_28", "doi:10.1007/978-3-319-24574-4_28"),
        ("10.1109-CVPR.2016.90", "doi:10.1109/cvpr.2016.90"),
        ("10.1038_nature14539 (1)", "doi:10.1038/nature14539"),
        ("N19-1423", "acl:N19-1423"),
        ("2020.acl-main.463", "acl:2020.acl-main.463"),
        ("report 2021.1234", None),
        ("v1.2.3", None),
        ("invoice-2024-10.1234", None),
        ("cat0112017", None),
        ("12105.03824", None),
        ("smith2020deep", None),
    ],
)
def test_name_of_a_file_says_which_paper_it_is(stem, key):
    keys, _ = keys_of_name(stem)
    assert [str(one) for one in keys] == ([key] if key else [])


@pytest.mark.parametrize(
    ("text", "metadata", "keys"),
    [
        ("arXiv:1706.03762v5  [cs.CL]  6 Dec 2017\nAttention", {}, ["arxiv:1706.03762"]),
        ("arXiv:hep-th/9711200v3 [hep-th]", {}, ["arxiv:hep-th/9711200"]),
        ("https://doi.org/10.1038/nature14539", {}, ["doi:10.1038/nature14539"]),
        ("DOI: 10.1162/neco.1997.9.8.1735.", {}, ["doi:10.1162/neco.1997.9.8.1735"]),
        ("see arXiv:1706.03762 for more", {}, []),
        ("doi:10.1234/a and doi:10.1234/b are cited", {}, []),
        ("nothing", {"subject": "Nature 521 (2015), doi:10.1038/nature14539"}, ["doi:10.1038/nature14539"]),
        ("arXiv:1706.03762v5 [cs.CL] doi:10.1234/a", {}, ["arxiv:1706.03762", "doi:10.1234/a"]),
    ],
)  # fmt: skip
def test_first_page_says_which_paper_it_is(text, metadata, keys):
    assert [str(key) for key in keys_of_page(text, metadata)] == keys


def pdf_saying(text, title=""):
    """Return a PDF of one page with a line of text."""
    stream = f"BT /F1 12 Tf 20 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title (%s) >>" % title.encode(),
    ]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        start,
    )
    return bytes(out)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Vision").mkdir()
    (tmp_path / "Vision" / "1706.03762v2.pdf").write_bytes(b"%PDF-1.4 not read")
    (tmp_path / "Noether et al. - 2018 - On Ships.pdf").write_bytes(
        pdf_saying("arXiv:1812.00001v2 [cs.LG] 3 Dec 2018")
    )
    (tmp_path / "scan.pdf").write_bytes(
        pdf_saying("https://doi.org/10.1234/scan", "A scanned page")
    )
    (tmp_path / "letter.pdf").write_bytes(pdf_saying("Dear reader"))
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (tmp_path / "notes.txt").write_text("x")
    for file in tmp_path.rglob("*.pdf"):
        os.utime(file, (1_700_000_000, 1_700_000_000))
    return tmp_path


def test_folder_is_read_by_names_and_first_pages(folder):
    items, _, skipped = split(load_pdfs(folder))
    assert [(item.url, item.title, item.folder) for item in items] == [
        ("https://arxiv.org/abs/1812.00001", "On Ships", ()),
        ("https://arxiv.org/abs/1706.03762v2", "", ("Vision",)),
        ("https://doi.org/10.1234/scan", "A scanned page", ()),
    ]  # fmt: skip
    ships = items[0]
    assert (ships.authors, ships.year, ships.native) == (("Noether",), 2018, "arxiv:1812.00001")
    assert (ships.saved_at, ships.extra["file"]) == (
        "2023-11-14T22:13:20Z",
        "Noether et al. - 2018 - On Ships.pdf",
    )
    assert [one.place for one in skipped] == ["broken.pdf", "letter.pdf"]
    assert "its first page cannot be read" in skipped[0].why
    assert (
        skipped[1].why == "its name holds no arXiv id and no DOI, and its first page names neither"
    )


def test_without_pypdf_names_are_read_and_the_others_say_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pypdf", None)
    pdfs._pypdf.cache_clear()
    try:
        items, _, skipped = split(load_pdfs(folder))
    finally:
        pdfs._pypdf.cache_clear()
    assert [item.url for item in items] == ["https://arxiv.org/abs/1706.03762v2"]
    assert len(skipped) == 4
    assert all("pip install 'studiolo[pdf]'" in one.why for one in skipped)


def test_file_that_moves_to_another_folder_is_the_same(folder):
    before = {item.identity for item in split(load_pdfs(folder))[0]}
    (folder / "Vision" / "1706.03762v2.pdf").rename(folder / "1706.03762.pdf")
    assert {item.identity for item in split(load_pdfs(folder))[0]} == before


def test_folder_without_pdf_is_refused(tmp_path):
    with pytest.raises(SourceError, match="There is no PDF below"):
        list(load_pdfs(tmp_path))
    with pytest.raises(SourceError, match="There is no folder"):
        list(load_pdfs(tmp_path / "nowhere"))
