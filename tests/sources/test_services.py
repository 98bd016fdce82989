"""JSON and CSV of read-later services: address, title, tags, notes, dates and what was read."""

import json
from io import BytesIO
from zipfile import ZipFile

import pytest

from studiolo.errors import SourceError
from studiolo.sources.bookmarks import load_bookmarks
from studiolo.sources.columns import split_cell
from studiolo.sources.kinds import kind_of
from studiolo.sources.services import parse_posts

from .reading import split


def read(tmp_path, data, name="export"):
    path = tmp_path / name
    text = data if isinstance(data, str | bytes) else json.dumps(data)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return split(load_bookmarks(path))


WALLABAG = {
    "is_archived": 1, "is_starred": 1, "tags": ["ml", "to cite"], "is_public": False, "id": 7, "title": "On ships",
    "url": "https://arxiv.org/abs/1812.00001", "content": "<p>long</p>", "created_at": "2020-03-01T10:00:00+0100",
    "archived_at": "2020-03-05T10:00:00+0000", "annotations": [{"text": "compare!", "quote": "a sentence"}], "domain_name": "arxiv.org",
    "published_by": ["A. Writer"],
}  # fmt: skip


def test_wallabag_has_state_annotations_and_dates(tmp_path):
    ((item,), _, skipped) = read(tmp_path, [WALLABAG, {**WALLABAG, "url": ""}])
    assert (item.url, item.title, item.tags) == (
        "https://arxiv.org/abs/1812.00001", "On ships", ("ml", "to cite"),
    )  # fmt: skip
    assert (item.state, item.read_at) == ("read", "2020-03-05T10:00:00Z")
    assert (item.saved_at, item.note) == ("2020-03-01T09:00:00Z", "“a sentence” compare!")
    assert (item.authors, item.extra["is_starred"]) == (("A. Writer",), "1")
    assert [str(one) for one in skipped] == [
        "export, item 2: a bookmark without an address: On ships"
    ]


def test_unread_thing_of_wallabag_is_to_read(tmp_path):
    ((item,), _, _) = read(tmp_path, [{**WALLABAG, "is_archived": 0, "archived_at": None}])
    assert (item.state, item.read_at) == ("to read", None)


def test_karakeep_has_lists_notes_and_things_without_an_address(tmp_path):
    post = {
        "createdAt": 1712345678, "title": "Kites", "tags": ["wind"], "note": "see p. 3", "archived": False,
        "content": {"type": "link", "url": "https://x.org/kites"}, "lists": ["Hobby"],
    }  # fmt: skip
    text = {**post, "title": None, "content": {"type": "text", "text": "milk"}, "archived": True}
    ((item,), _, (skipped,)) = read(tmp_path, {"bookmarks": [post, text]})
    assert (item.url, item.title, item.note, item.folder) == (
        "https://x.org/kites", "Kites", "see p. 3", ("Hobby",),
    )  # fmt: skip
    assert (item.saved_at, item.state) == ("2024-04-05T19:34:38Z", "to read")
    assert skipped.why == "a note without an address (text): milk"


def test_linkwarden_has_nested_collections(tmp_path):
    link = {"id": 1, "name": "Kites", "url": "https://x.org/kites", "tags": [{"name": "wind"}], "createdAt": "2024-01-02T03:04:05.000Z", "description": "own words"}  # fmt: skip
    inner = {"id": 2, "name": "Sub", "parentId": 1, "links": [link]}
    document = {"name": "me", "collections": [{"id": 1, "name": "Top", "parentId": None, "links": []}, inner], "pinnedLinks": []}  # fmt: skip
    ((item,), _, _) = read(tmp_path, document)
    assert (item.folder, item.tags, item.title) == (("Top", "Sub"), ("wind",), "Kites")
    assert (item.about, item.saved_at) == ("own words", "2024-01-02T03:04:05Z")


@pytest.mark.parametrize(
    ("state", "progress", "expected"),
    [("Archived", 100, "read"), ("Active", 0, "to read"), ("Active", 40, "reading"), ("Archived", 0, "read"), ("SUCCEEDED", 100, "read")],
)  # fmt: skip
def test_omnivore_has_labels_and_how_far_one_read(tmp_path, state, progress, expected):
    post = {"id": "a", "slug": "kites", "title": "Kites", "url": "https://x.org/kites", "state": state, "readingProgress": progress, "labels": ["wind"], "savedAt": "2024-01-02T03:04:05.000Z"}  # fmt: skip
    data = BytesIO()
    with ZipFile(data, "w") as archive:
        archive.writestr("metadata_0_to_20.json", json.dumps([post]))
        archive.writestr("content/kites.html", "<p>long</p>")
    ((item,), _, _) = read(tmp_path, data.getvalue())
    assert (item.state, item.tags, item.saved_at) == (expected, ("wind",), "2024-01-02T03:04:05Z")


def test_zip_without_lists_is_refused(tmp_path):
    data = BytesIO()
    with ZipFile(data, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(SourceError, match="holds no list of bookmarks in JSON"):
        read(tmp_path, data.getvalue())


@pytest.mark.parametrize(
    ("location", "progress", "expected"),
    [("new", "0", "to read"), ("later", "0.4", "reading"), ("archive", "0", "read"), ("later", "1", "read"), ("feed", "", "to read")],
)  # fmt: skip
def test_readwise_reader_has_state_tags_and_date(tmp_path, location, progress, expected):
    text = f"""Title,URL,ID,Document tags,Saved date,Reading progress,Location,Seen
"Kites, again",https://x.org/kites,01h,"['wind', 'two words']",2024-01-02 03:04:05+00:00,{progress},{location},True
"""
    ((item,), _, _) = read(tmp_path, text)
    assert (item.title, item.tags) == ("Kites, again", ("wind", "two words"))
    assert (item.saved_at, item.state) == ("2024-01-02T03:04:05Z", expected)


@pytest.mark.parametrize(
    ("folder", "state"), [("Archive", "read"), ("Unread", "to read"), ("Recipes", None)]
)
def test_folder_of_instapaper_says_what_was_read(tmp_path, folder, state):
    text = f'URL,Title,Selection,Folder,Timestamp,Tags\nhttps://x.org/a,A,,{folder},1700000000,"[""ml"",""two words""]"\n'
    ((item,), _, _) = read(tmp_path, text)
    assert (item.state, item.folder, item.tags) == (state, (folder,), ("ml", "two words"))


@pytest.mark.parametrize(("status", "state"), [("archive", "read"), ("unread", "to read")])
def test_status_of_pocket_says_what_was_read(tmp_path, status, state):
    ((item,), _, _) = read(
        tmp_path,
        f"title,url,time_added,tags,status\nA,https://x.org/a,1700000000,ml|two words,{status}\n",
    )
    assert (item.state, item.tags) == (state, ("ml", "two words"))


@pytest.mark.parametrize(
    ("heading", "state"), [("Unread", "to read"), ("Read Archive", "read"), ("Archive", "read")]
)
def test_heading_of_pockets_html_says_what_was_read(tmp_path, heading, state):
    text = f'<!DOCTYPE html><html><head><title>Pocket Export</title></head><body><h1>{heading}</h1><ul><li><a href="https://x.org/a" time_added="1698568488" tags="a b,c">A</a></li></ul></body></html>'
    ((item,), _, _) = read(tmp_path, text)
    assert (item.state, item.folder, item.tags) == (state, (), ("a b", "c"))


def test_other_heading_of_a_plain_list_is_a_folder(tmp_path):
    text = '<html><h1>Recipes</h1><ol><li><a href="https://x.org/a">A</a></ol><h1>Boats</h1><ol><li><a href="https://x.org/b">B</a></ol></html>'
    items, _, _ = read(tmp_path, text)
    assert [(item.url, item.folder) for item in items] == [
        ("https://x.org/a", ("Recipes",)), ("https://x.org/b", ("Boats",)),
    ]  # fmt: skip


@pytest.mark.parametrize(("toread", "state"), [("yes", "to read"), ("no", None)])
def test_pinboard_says_what_is_to_read(tmp_path, toread, state):
    post = {"href": "https://x.org/a", "description": "A", "extended": "", "tags": "b c", "time": "2024-01-02T03:04:05Z", "toread": toread}  # fmt: skip
    ((item,), _, _) = read(tmp_path, [post])
    assert (item.state, item.tags) == (state, ("b", "c"))


@pytest.mark.parametrize(("toread", "state"), [("1", "to read"), ("0", None)])
def test_linkding_says_what_is_to_read(tmp_path, toread, state):
    text = f'<!DOCTYPE NETSCAPE-Bookmark-file-1><DL><p><DT><A HREF="https://x.org/a" TOREAD="{toread}" TAGS="b">A</A></DL>'
    ((item,), _, _) = read(tmp_path, text)
    assert item.state == state


def test_service_that_nobody_knows_is_read_by_the_usual_names(tmp_path):
    document = {
        "items": [
            {"link": "https://x.org/a", "name": "A", "labels": [{"title": "t"}], "rating": 5},
            "https://x.org/b",
            7,
        ]
    }
    items, _, skipped = read(tmp_path, {"data": document})
    assert (items[0].url, items[0].title, items[0].tags, dict(items[0].extra)) == (
        "https://x.org/a", "A", ("t",), {"rating": "5"},
    )  # fmt: skip
    assert (len(items), len(skipped)) == (2, 1)


def test_json_without_a_list_says_which_fields_it_has(tmp_path):
    with pytest.raises(SourceError, match="its fields are apples, pears"):
        read(tmp_path, {"pears": 1, "apples": [1]})


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_csv_of_any_encoding_keeps_its_letters(tmp_path, encoding):
    text = 'title;url;note\n"Über Möbel – naïve";https://x.org/a;"zwei\nZeilen “so”"\n'
    ((item,), _, _) = read(tmp_path, text.encode(encoding))
    assert (item.title, item.note) == ("Über Möbel – naïve", "zwei\nZeilen “so”")


def test_doi_or_arxiv_id_is_an_address_in_csv(tmp_path):
    text = "Title,DOI,arXiv\nA,10.1162/neco.1989.1.4.541,\nB,,1812.00001v2\nC,,\nD,10.48550/arXiv.1812.00002,1812.00002\n"
    items, _, skipped = read(tmp_path, text)
    assert [item.url for item in items] == [
        "https://doi.org/10.1162/neco.1989.1.4.541", "https://arxiv.org/abs/1812.00001", "https://arxiv.org/abs/1812.00002",
    ]  # fmt: skip
    assert [one.why for one in skipped] == ["a bookmark without an address: C"]


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("a, b ,c", ("a", "b", "c")),
        ("a b;c, d", ("a b", "c, d")),
        ("['it''s', \"b\"]", ("it", "s", "b")),
        ('["a", "b, c"]', ("a", "b, c")),
        ("[]", ()),
        ("", ()),
        ("#a|#b", ("a", "b")),
    ],
)
def test_tags_of_a_cell_however_they_are_written(cell, tags):
    assert split_cell(cell) == tags


def test_address_in_a_note_of_karakeep_and_a_file_named_by_its_id_are_collected():
    (note, file, words) = parse_posts(
        [
            {"createdAt": 1700000000, "title": "Look", "content": {"type": "text", "text": "see https://arxiv.org/abs/2101.00052 soon"}},
            {"createdAt": 1700000001, "content": {"type": "asset", "assetType": "pdf", "fileName": "2101.00053v1.pdf"}},
            {"createdAt": 1700000002, "content": {"type": "text", "text": "no address"}},
        ],
        "k.json",
    )  # fmt: skip
    assert (note.url, note.title) == ("https://arxiv.org/abs/2101.00052", "Look")
    assert note.note == "see https://arxiv.org/abs/2101.00052 soon"
    assert file.url == "https://arxiv.org/abs/2101.00053"
    assert words.why == "a note without an address (text): no address"


@pytest.mark.parametrize("packed", [True, False])
def test_marks_of_omnivore_are_kept_packed_and_unpacked(tmp_path, packed):
    files = {
        "metadata_0_to_20.json": '[{"slug": "maps", "savedAt": "2024-01-01T00:00:00Z", "state": "Active", "title": "Maps",'
        ' "url": "https://arxiv.org/abs/2101.00071"}]',
        "highlights/maps.md": "> a quotation\n\nand what I think",
    }
    home = tmp_path / "omnivore"
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    path = home
    if packed:
        path = tmp_path / "o.zip"
        with ZipFile(path, "w") as archive:
            for name in files:
                archive.write(home / name, name)
    assert kind_of(path).source == "bookmarks"
    (item,) = load_bookmarks(path)
    assert item.note == files["highlights/maps.md"]
