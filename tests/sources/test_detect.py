"""What a file is, is found out by what is inside it."""

import json
import sqlite3
from io import BytesIO
from zipfile import ZipFile

import pytest

from studiolo.errors import SourceError
from studiolo.sources import SOURCES, SavedItem, detect, source_called


def zip_of(**files):
    data = BytesIO()
    with ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "source", "why"),
    [
        ("<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL><DT><A HREF='https://x.org'>x</A></DL>", "bookmarks", "bookmarks in HTML"),
        ("\ufeff<html><body><h1>Unread</h1><ul></ul></body></html>", "bookmarks", "bookmarks in HTML"),
        ('{"roots": {"bookmark_bar": {}}, "version": 1}', "bookmarks", "bookmarks in JSON"),
        ('[{"href": "https://x.org", "extended": ""}]', "bookmarks", "bookmarks in JSON"),
        ('[{"is_archived": 1, "is_starred": 0, "domain_name": "x", "url": "https://x.org"}]', "bookmarks", "bookmarks of wallabag in JSON"),
        ('{"collections": [{"name": "a", "parentId": null, "links": []}]}', "bookmarks", "bookmarks of linkwarden in JSON"),
        ("title,url,tags\na,https://x.org,b\n", "bookmarks", "a CSV file with a column called url"),
        ("bplist00", "bookmarks", "Safari's Bookmarks.plist"),
        ('[{"starred_at": "2024-01-01T00:00:00Z", "repo": {"full_name": "o/r"}}]', "github-stars", "stars of GitHub in JSON"),
        ('[{"id": 1}][{"starred_at": "2024-01-01T00:00:00Z"}]', "github-stars", "stars of GitHub in JSON"),
        ('{"kind": "Listing", "data": {"children": []}}', "reddit", "a listing of Reddit in JSON"),
        ("id,permalink\nabc,https://www.reddit.com/r/a/comments/abc/\n", "reddit", "a table of Reddit's archive"),
        (zip_of(saved_posts__csv="id,permalink\n"), "reddit", "Reddit's archive"),
        (zip_of(metadata_0_to_20__json="[]"), "bookmarks", "a ZIP of lists in JSON, as Omnivore writes it"),
        ("TY  - JOUR\nER  - \n", "zotero", "references in RIS"),
        ("%0 Journal Article\n%T A Work\n", "zotero", "references in EndNote's tags"),
        ('[{"id": "a", "type": "article-journal", "DOI": "10.1234/x"}]', "zotero", "references in JSON"),
        ('{"items": [{"itemType": "book"}]}', "zotero", "references in JSON"),
        ("\n% a comment\n@article{a, title={b}}\n", "zotero", "references in BibTeX"),
        ('"Key","Item Type","Publication Year","Title","DOI","Url"\n', "zotero", "Zotero's CSV"),
        ("%PDF-1.4", "pdfs", "a PDF file"),
        ("see https://x.org/a and 2105.03824\n", "urls", "a text, of which every address, arXiv id and DOI is taken"),
        ("", "urls", "an empty file"),
    ],
)  # fmt: skip
def test_file_is_known_by_its_content(tmp_path, data, source, why):
    path = tmp_path / "file"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    found = detect(path)
    assert (found.source, found.why) == (source, why)
    assert set(found.others) <= SOURCES.keys() - {source}


@pytest.mark.parametrize(
    ("text", "source", "why"),
    [
        ("# A\n\n- [a](https://x.org/a)\n- [b](https://x.org/b)\n", "notes", "a Markdown file with a list of 2 items"),
        ("| Title | Link |\n|---|---|\n| a | https://x.org |\n", "table", "a Markdown file with a table of 1 row"),
        ("only words, and https://x.org\n", "urls", "a text, of which every address, arXiv id and DOI is taken"),
    ],
)  # fmt: skip
def test_markdown_is_a_list_or_a_table_or_a_text(tmp_path, text, source, why):
    path = tmp_path / "file.md"
    path.write_text(text)
    found = detect(path)
    assert (found.source, found.why) == (source, why)


@pytest.mark.parametrize(
    ("files", "source", "why"),
    [
        ((".obsidian/app.json", "a.md"), "notes", "a vault of Obsidian"),
        (("logseq/config.edn", "pages/a.md"), "notes", "a graph of Logseq"),
        (("a.md", "b/c.md", "d.pdf"), "notes", "a folder with 2 notes in Markdown"),
        (("a.pdf", "b/c.pdf", "d.md"), "pdfs", "a folder with 2 PDF files"),
    ],
)
def test_folder_is_known_by_what_it_holds(tmp_path, files, source, why):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("x")
    found = detect(tmp_path)
    assert (found.source, found.why) == (source, why)


@pytest.mark.parametrize(
    ("table", "source"),
    [("moz_bookmarks", "bookmarks"), ("tags", "arxiv-sanity"), ("library", "arxiv-sanity")],
)
def test_database_is_known_by_its_tables(tmp_path, table, source):
    path = tmp_path / "base"
    base = sqlite3.connect(path)
    base.execute(f"CREATE TABLE {table} (a)")
    base.commit()
    base.close()
    assert detect(path).source == source


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (zip_of(a__txt="x"), "is a ZIP of 1 file, and none of them is an export"),
        (
            b'<rdf:RDF xmlns:z="http://www.zotero.org/namespaces/export#">',
            r"is RDF, which Studiolo does not read\. Export the same library as RIS or BibTeX",
        ),
        (
            b"<?xml version='1.0'?>\n<xml><records><record>",
            "is EndNote XML, which Studiolo does not read",
        ),
        (b"PK\x03\x04broken", "cannot be unpacked"),
        (b"SQLite format 3\0broken", "is a damaged database"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "is not a file that can be collected"),
    ],
)
def test_what_is_no_export_is_refused_with_a_sentence(tmp_path, data, sentence):
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=sentence):
        detect(path)


def test_missing_file_and_empty_folder_are_refused(tmp_path):
    with pytest.raises(SourceError, match="There is no file"):
        detect(tmp_path / "nothing")
    with pytest.raises(SourceError, match="holds neither notes in Markdown nor PDF files"):
        detect(tmp_path)


def test_every_detected_source_reads_what_was_detected(tmp_path):
    samples = {
        "a.json": json.dumps([{"url": "https://x.org/a"}]),
        "a.ris": "TY  - JOUR\nTI  - T\nDO  - 10.1234/x\nER  - \n",
        "a.csv": "url,title\nhttps://x.org/a,A\n",
        "a.md": "- [a](https://x.org/a)\n",
        "a.txt": "https://x.org/a\n",
        "a.bib": "@misc{a, title={T}, doi={10.1234/x}}\n",
    }
    for name, text in samples.items():
        (tmp_path / name).write_text(text)
        found = detect(tmp_path / name)
        for source in (found.source, *found.others):
            things = list(SOURCES[source].load(tmp_path / name))
            assert sum(isinstance(thing, SavedItem) for thing in things) == 1, (name, source)


@pytest.mark.parametrize(
    ("name", "source"),
    [("pocket", "bookmarks"), ("Omnivore", "bookmarks"), ("obsidian", "notes"), ("mendeley", "zotero"), ("github_stars", "github-stars"), ("reddit", "reddit"), ("spotify", None)],
)  # fmt: skip
def test_service_is_read_by_a_source(name, source):
    found = source_called(name)
    assert (found.name if found else None) == source


PASTED = [
    "10.1038/nature14539\narxiv.org/abs/2307.09288\nsee https://example.org/x and arxiv.org/abs/2009.14794 too\n",
    "https://doi.org/10.1175/1520-0477(1996)077\nhttps://doi.org/10.1175/1520-0477(1996)078\n",
    "https://arxiv.org/abs/2001.00008 first words\nhttps://arxiv.org/abs/2001.00008 other words\n",
    "".join(f"https://arxiv.org/abs/2001.0000{n}\n\n" for n in range(5)),
]


@pytest.mark.parametrize("name", ["links.txt", "links.md"])
@pytest.mark.parametrize("text", PASTED)
def test_addresses_one_below_the_other_are_no_list_of_works(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    assert detect(path).source == "urls"


def test_paragraphs_that_are_works_are_a_list(tmp_path):
    path = tmp_path / "list.md"
    path.write_text(
        "# L\n\n"
        + "".join(
            f"**Old Lakes of Part {n}** [[pdf]](https://arxiv.org/abs/2001.0000{n})\n\n"
            for n in range(5)
        )
    )
    assert detect(path).source == "notes"
