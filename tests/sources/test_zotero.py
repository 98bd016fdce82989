"""References of Zotero and its like: every format says who wrote what, when, where and under which key."""

import json

import pytest

from studiolo.errors import SourceError
from studiolo.sources.zotero import load_zotero, parse_references

from .reading import split


def read(tmp_path, data):
    path = tmp_path / "library"
    text = data if isinstance(data, str | bytes) else json.dumps(data)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return split(load_zotero(path))


RIS = """TY  - JOUR\r
TI  - On Ships &amp; Shoes\r
AU  - Noether, Emmy\r
AU  - Institute of Things\r
T2  - Journal of Things\r
DA  - 1918/05/28/\r
PY  - 1918\r
DO  - 10.1007/BF01456663\r
UR  - https://link.springer.com/10.1007/BF01456663\r
UR  - https://example.org/copy\r
KW  - symmetry\r
KW  - two words\r
N1  - <p>read <b>again</b></p>\r
AB  - a long\r
abstract\r
SP  - 235\r
EP  - 257\r
ID  - noether1918\r
ER  - \r
\r
TY  - CONF\r
T1  - Nowhere to be found\r
ER  - \r
stray words
TY  - GEN
TI  - Cut short
UR  - http://arxiv.org/abs/1812.00001
"""


def test_ris_keeps_every_tag(tmp_path):
    items, _, skipped = read(tmp_path, RIS)
    first, last = items
    assert (first.url, first.title, first.year, first.venue) == (
        "https://doi.org/10.1007/BF01456663", "On Ships & Shoes", 1918, "Journal of Things",
    )  # fmt: skip
    assert (first.authors, first.tags) == (
        ("Noether, Emmy", "Institute of Things"), ("symmetry", "two words"),
    )  # fmt: skip
    assert (first.note, first.about, first.cite_key, first.entry_type) == (
        "read again", "a long\nabstract", "noether1918", "article",
    )  # fmt: skip
    assert first.extra["pages"] == "235–257"
    assert [link.url for link in first.links] == ["https://example.org/copy"]
    assert (last.url, last.title, last.place) == (
        "http://arxiv.org/abs/1812.00001",
        "Cut short",
        "library:25",
    )
    assert [str(one) for one in skipped] == [
        "library:21: no DOI, arXiv id, address or ISBN: Nowhere to be found"
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_ris_of_any_encoding_keeps_its_letters(tmp_path, encoding):
    text = "TY  - JOUR\nTI  - Über Möbel\nAU  - Müller, Jörg\nDO  - 10.1234/x\nER  - \n"
    ((item,), _, _) = read(tmp_path, text.encode(encoding))
    assert (item.title, item.authors) == ("Über Möbel", ("Müller, Jörg",))


CSL = {
    "id": "http://zotero.org/users/1/items/ABCD1234", "type": "paper-conference", "title": "On <i>Ships</i>",
    "container-title": "Proceedings of Things", "DOI": "10.1162/neco.1989.1.4.541", "abstract": "a",
    "author": [{"family": "Berg", "given": "Rianne", "non-dropping-particle": "van den"}, {"literal": "Institute of Things"}, {"family": "Plato"}],
    "issued": {"date-parts": [["1997", 11]]}, "accessed": {"date-parts": [[2023, 1, 2]]},
    "note": "Citation Key: berg1997\nRead_Status: In Progress", "page": "1-9",
}  # fmt: skip


def test_csl_json_has_particles_organisations_and_status(tmp_path):
    ((item,), _, _) = read(tmp_path, [CSL])
    assert (item.title, item.authors) == (
        "On Ships",
        ("van den Berg, Rianne", "{Institute of Things}", "Plato"),
    )
    assert (item.year, item.venue, item.entry_type, item.cite_key) == (
        1997, "Proceedings of Things", "inproceedings", "berg1997",
    )  # fmt: skip
    assert (item.state, item.native, item.saved_at) == (
        "reading",
        "ABCD1234",
        "2023-01-02T00:00:00Z",
    )
    assert (item.extra["page"], item.extra["date"]) == ("1-9", "1997-11")


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"number": "arXiv:1812.00001", "publisher": "arXiv"}, "https://arxiv.org/abs/1812.00001"),
        ({"note": "arXiv:1812.00001 [cs]"}, "https://arxiv.org/abs/1812.00001"),
        ({"URL": "http://arxiv.org/abs/1812.00001"}, "http://arxiv.org/abs/1812.00001"),
        ({"DOI": "10.48550/arXiv.1812.00001"}, "https://doi.org/10.48550/arXiv.1812.00001"),
        ({"ISBN": "978-0-387-31073-2"}, "https://openlibrary.org/isbn/9780387310732"),
    ],
)
def test_csl_item_is_found_by_any_of_its_ids(tmp_path, fields, url):
    ((item,), _, _) = read(tmp_path, [{"id": "x", "type": "article", "title": "T", **fields}])
    assert (item.url, item.cite_key) == (url, "x")


def test_better_bibtex_json_has_collections_notes_and_keys(tmp_path):
    item = {
        "itemID": 5, "itemKey": "QWER1234", "itemType": "preprint", "title": "On Ships", "citationKey": "ships",
        "creators": [{"firstName": "Emmy", "lastName": "Noether", "creatorType": "author"}, {"name": "Institute of Things", "creatorType": "author"}, {"lastName": "E", "creatorType": "editor"}],
        "date": "2017-06", "url": "http://arxiv.org/abs/1812.00001", "tags": [{"tag": "sea"}], "notes": [{"note": "<p>mine</p>"}],
        "dateAdded": "2023-01-01T00:00:00Z", "extra": "arXiv:1812.00001 [cs]\nRead_Status: Read\nRead_Status_Date: 2024-01-02",
    }  # fmt: skip
    collections = {
        "K1": {"name": "Top", "parent": False, "items": [], "collections": ["K2"]},
        "K2": {"name": "Sub", "parent": "K1", "items": [5]},
    }
    document = {
        "config": {},
        "collections": collections,
        "items": [item, {"itemType": "note", "note": "x"}, 3],
    }
    ((found,), _, (skipped,)) = read(tmp_path, document)
    assert (found.folder, found.note, found.tags) == (("Top", "Sub"), "mine", ("sea",))
    assert (found.authors, found.year, found.cite_key) == (
        ("Noether, Emmy", "{Institute of Things}"),
        2017,
        "ships",
    )
    assert (found.state, found.read_at, found.native) == (
        "read",
        "2024-01-02T00:00:00Z",
        "QWER1234",
    )
    assert (found.url, found.links) == ("https://arxiv.org/abs/1812.00001", ())
    assert skipped.why == "not a reference but int"


def test_zotero_api_has_its_fields_one_level_down(tmp_path):
    data = {
        "itemType": "journalArticle",
        "title": "T",
        "DOI": "10.1234/x",
        "creators": [],
        "tags": [],
        "key": "AAAA1111",
    }
    ((item,), _, _) = read(tmp_path, [{"key": "AAAA1111", "version": 3, "data": data}])
    assert (item.url, item.native, item.entry_type) == (
        "https://doi.org/10.1234/x",
        "AAAA1111",
        "article",
    )


CSV = """"Key","Item Type","Publication Year","Author","Title","Publication Title","DOI","Url","Abstract Note","Date","Date Added","Access Date","Manual Tags","Automatic Tags","Notes"
"ABCD1234","conferencePaper","2017","Noether, Emmy; Klein, Felix","On Ships","Proc. of Things","10.1234/x","","about","2017-06-12","2023-01-01 10:00:00","2023-02-02 10:00:00","sea; two words","Computer Science","<p>mine</p>"
"ABCD1235","book","1997","Plato","No address","","","","","1997","2023-01-01 10:00:00","","","",""
"""


def test_csv_of_zotero_has_people_tags_and_the_date_it_was_added(tmp_path):
    ((item,), _, (skipped,)) = read(tmp_path, CSV)
    assert (item.url, item.year, item.venue, item.entry_type) == (
        "https://doi.org/10.1234/x", 2017, "Proc. of Things", "inproceedings",
    )  # fmt: skip
    assert (item.authors, item.tags) == (
        ("Noether, Emmy", "Klein, Felix"), ("sea", "two words", "Computer Science"),
    )  # fmt: skip
    assert (item.saved_at, item.note, item.about) == ("2023-01-01T10:00:00Z", "mine", "about")
    assert item.extra["date"] == "2017-06-12"
    assert skipped.why == "a bookmark without an address: No address"


def test_bibtex_is_read_too(tmp_path):
    ((item,), _, _) = read(tmp_path, "@article{k, title={T}, doi={10.1234/x}}")
    assert (item.source, item.cite_key) == ("zotero", "k")


def test_empty_export_holds_nothing(tmp_path):
    assert read(tmp_path, " \n") == ([], [], [])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [("hello", "is neither RIS, nor EndNote's tags, nor CSL-JSON"), ('{"items": 3}', "holds no list of references"), ("[", "not JSON")],
)  # fmt: skip
def test_what_is_no_export_is_refused(tmp_path, data, sentence):
    with pytest.raises(SourceError, match=sentence):
        read(tmp_path, data)


def test_words_before_the_first_record_of_ris_are_passed_over(tmp_path):
    ((item,), _, skipped) = read(
        tmp_path, "Provider: X\nContent: text\n\nTY  - JOUR\nTI  - T\nDO  - 10.1234/x\nER  - \n"
    )
    assert (item.title, skipped) == ("T", [])


def test_record_of_ris_without_an_end_is_read(tmp_path):
    items, _, _ = read(
        tmp_path, "TY  - JOUR\nTI  - A\nDO  - 10.1234/a\nTY  - JOUR\nTI  - B\nDO  - 10.1234/b\n"
    )
    assert [item.title for item in items] == ["A", "B"]


def test_record_of_ris_without_a_type_is_read(tmp_path):
    ((item,), _, _) = read(
        tmp_path, "TY  - JOUR\nER  - \nTY  - \nTI  - A\nDO  - 10.1234/a\nER  - \n"
    )
    assert (item.title, item.entry_type) == ("A", "misc")


ENDNOTE = """%0 Journal Article
%T On Ships & Shoes
%A Noether, Emmy
%A Doe, Jane
%J Journal of Things
%V 7
%P 235-257
%D 1918
%R 10.1007/BF01456663
%K symmetry
%Z read again
%8 May

%0 Book
%T No link
%A Knuth, Donald

"""


def test_tags_of_endnote_are_read_as_ris_is(tmp_path):
    (item,), _, skipped = read(tmp_path, ENDNOTE)
    assert (item.url, item.title, item.year, item.venue) == (
        "https://doi.org/10.1007/BF01456663", "On Ships & Shoes", 1918, "Journal of Things",
    )  # fmt: skip
    assert item.authors == ("Noether, Emmy", "Doe, Jane")
    assert (item.entry_type, item.tags, item.note) == ("article", ("symmetry",), "read again")
    assert item.extra["volume"] == "7"
    assert [one.why for one in skipped] == ["no DOI, arXiv id, address or ISBN: No link"]


def test_editors_dates_and_short_names_of_ris_are_kept(tmp_path):
    path = tmp_path / "a.ris"
    path.write_text(
        "TY  - CHAP\nTI  - A Chapter\nAU  - Example, Ann\nA2  - Sample, Bo\nA2  - Third, Cy\nT2  - Journal of Maps\n"
        "JO  - J. Maps\nPY  - 2020/05/12/\nSN  - 1234-567X\nDO  - 10.1000/a\nY2  - 2024/01/02/10:20:30\nER  - \n"
    )
    (item,) = load_zotero(path)
    assert (item.venue, item.extra["shortjournal"]) == ("Journal of Maps", "J. Maps")
    assert (item.extra["editor"], item.extra["date"]) == ("Sample, Bo and Third, Cy", "2020-05-12")
    assert item.extra["issn"] == "1234-567X"


def test_editors_of_csl_and_of_zotero_are_kept(tmp_path):
    csl, zotero = tmp_path / "a.json", tmp_path / "b.json"
    csl.write_text(
        '[{"id": "a", "type": "chapter", "title": "A", "DOI": "10.1000/a", "editor": [{"family": "Sample", "given": "Bo"},'
        ' {"literal": "Map Society"}], "ISBN": "978-1-2345-6789-7", "publisher-place": "Bern"}]'
    )
    zotero.write_text(
        '[{"itemType": "bookSection", "title": "A", "DOI": "10.1000/a", "place": "Bern", "creators": ['
        '{"creatorType": "author", "lastName": "Example", "firstName": "Ann"},'
        ' {"creatorType": "editor", "lastName": "Sample", "firstName": "Bo"}, {"creatorType": "editor", "name": "Map Society"}]}]'
    )
    for path in (csl, zotero):
        (item,) = load_zotero(path)
        assert item.extra["editor"] == "Sample, Bo and {Map Society}"
    assert item.authors == ("Example, Ann",)


def test_item_whose_key_is_not_a_key_is_taken_like_any_other():
    broken = {"itemType": "preprint", "key": ["A"], "itemID": {}, "title": "T", "url": "https://a.org"}  # fmt: skip
    document = {"items": [broken], "collections": {"1": {"name": "C", "items": [1]}}}
    [item] = parse_references(document, "f.json")
    assert (item.title, item.folder) == ("T", ())
